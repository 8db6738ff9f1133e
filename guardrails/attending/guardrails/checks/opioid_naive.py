"""Opioids for a patient whose body does not know them: rapid fentanyl products outside cancer pain with an opioid round
the clock, and controlled drugs that were prescribed for somebody else.

Every label of a rapid fentanyl product (lozenge, buccal and sublingual tablet, film, spray) carries the boxed warning:
only for cancer pain, only for who takes at least 60 mg of oral morphine a day or its equal for a week. So it is found
where the text or the record tells of neither, and where either says that the patient does not take opioids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import DrugMention, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

NAIVE: Final = re.compile(
    r"\b(?:opioid|opiate)[- ]na(?:i|\u00ef)ve\b|\bnever (?:taken|had|used) (?:an )?opi\w+"
    r"|\b(?:has |have |had )?(?:never|not) (?:previously |ever )?(?:been on|taken|had|used"
    r"|received) (?:an |any )?opi\w+"
    r"|\bno (?:prior|previous|recent|current) opi\w+ (?:use|exposure|therapy)\b|\bnew to opi\w+"
    r"|\bfirst (?:ever )?opi\w+|\bfirst (?:time|dose|day|script|prescription)(?: ever)? (?:on|of|for|taking|with|using)"
    r" (?:an |any )?(?:opi\w+|narcotic\w*|strong (?:pain)?killer\w*)|\btonsillectomy\b"
    r"|\b(?:no|never|not)(?: \w+)? (?:regular |previous |prior |other |had (?:a |any )?|taken (?:a |any )?"
    r"|used (?:a |any )?)(?:strong )?(?:analges\w+|pain ?(?:killers?|relievers?|medicines?|medications?|meds"
    r"|pills)|narcotics?)"
    r"|\b(?:has|have|had|'ve|\u2019ve) (?:never |not )(?:\w+ ){0,2}(?:a |any )?(?:narcotic|morphine|strong)\w*"
    r"|\b(?:takes?|taking|took|on|used|uses|tried|only|just)(?: \w+){0,2} (?:only|just|nothing|a single)\b"
    r"|\b(?:only|just|nothing (?:but|except|stronger than|other than|more than)|otherwise)(?: \w+){0,3} "
    r"(?:acetaminophen|paracetamol|tylenol|ibuprofen|advil|motrin|naproxen|the pill|lisinopril|amlodipine)\b"
    r"|\b(?:fractured?|cracked|broken|bruised) (?:ribs?|wrists?|ankles?|arms?|collar ?bones?|toes?|fingers?|hips?)\b"
    r"|\b(?:rib|wrist|ankle|hip|clavicle) fractures?\b|\b(?:wisdom )?teeth out\b"
    r"|\bpost-?operative pain\b|\bacute pain\b"
    r"|\bsprain\w*|\btoothache\b|\bafter (?:the |your )?(?:surgery|operation|extraction)\b",
    re.I,
)
"""What says that a patient takes no opioid, or has a pain for which none is taken round the clock."""
NOT_NAIVE: Final = re.compile(r"\b(?:not|no longer) opi(?:oid|ate)[- ]na(?:i|\u00ef)ve\b", re.I)

_RAPID: Final = Sieved(
    r"\b(?:actiq|fentora|effentora|abstral|recivit|breakyl|onsolis|subsys|pecfent|lazanda|instanyl|cynril|vellofent"
    r"|(?:lozenges?|lollipops?|transmucosal|buccal|sublingual|between (?:the |your |his |her )?cheek|nasal spray"
    r"|oral spray|under (?:the|your|his|her) tongue)(?!\w))",
    re.I,
)
_CANCER: Final = Sieved(
    r"\b(?:cancer|carcinom\w*|metasta\w+|tumou?rs?|malignan\w+|myeloma|lymphoma|leuk(?:a)?emia|sarcoma"
    r"|mesothelioma|oncolog\w+"
    r"|palliative|hospice|end[- ]of[- ]life|terminal(?:ly)?|comfort care|opioid[- ]tolerant|breakthrough)\b",
    re.I,
)
_NO_CANCER: Final = re.compile(
    r"\b(?:no|not|non-?|without|isn't|is not|never had|survivor of|free of|screen\w*|other than)(?: "
    r"\w+){0,2}[- ]?\Z",
    re.I,
)
_WATCHED: Final = Sieved(
    r"\b(?:emergency department|(?-i:ED|ER|A&E)|monitor\w*|sedation|an(?:a)?esthe\w*|theatre|operating"
    r"|procedur\w*|reduction"
    r"|ambulance|paramedic\w*|mcg/kg|micrograms?/kg|icu|recovery)\b",
    re.I,
)
_CONTROLLED: Final = ("opioid", "benzodiazepine", "barbiturate", "z_drug", "stimulant")
_PERSON: Final = (
    r"husband|wife|partner|spouse|mother|mum|mom|father|dad|sister|brother|son|daughter|friend|neighbou?r"
    r"|flatmate|roommate"
    r"|grand(?:mother|father|ma|pa|dad|mum|mom)|gran|nan|uncle|aunt|cousin|colleague|boyfriend|girlfriend"
    r"|in-laws?|relative"
)
_OWNER: Final = re.compile(
    rf"\b(?:your|his|her|their|my|a|an|the) (?:[\w-]+ )?(?:{_PERSON})(?:'s|\u2019s|s'|s\u2019)(?: [\w-]+){{0,4}} ?\Z"
    r"|\b(?:some(?:one|body) else|another (?:person|patient))(?:'s|\u2019s)(?: [\w-]+){0,3} ?\Z",
    re.I,
)
_LEFT_OVER: Final = re.compile(
    r"\b(?:left[- ]?overs?|spare|old|unused|remaining|borrow\w*|share|sharing|lend|lent|extra)\b", re.I
)
_TAKES_ONE: Final = re.compile(
    r"\b(?:take|try|have|borrow|use|swallow|suck)(?: on)?(?: \w+){0,3}(?: of| from)?(?: \w+)?\Z|\b(?:borrow"
    r"|share)\b",
    re.I,
)
_FOR_OWN: Final = re.compile(
    r"\b(?:for|help(?:s|ing)?|ease|settle|soothe|with) (?:your|the|this|that|any) (?:\w+ ){0,2}(?:pain|ache"
    r"|\w*ache|back|knee|hip|neck"
    r"|shoulder|tooth|teeth|sleep|nerves?|anxiety|period|cramps?|leg|foot|migraine|cough|exam\w*|flight|night)\b"
    r"|\bto (?:help you |get (?:you )?)?(?:some )?(?:sleep|calm)\b",
    re.I,
)
_CARRIED: Final = re.compile(
    r"[^.;\n]{0,40}\b(?:prescription|script|to the (?:pharmacy|hospital|clinic|chemist|surgery|ward)|with (?:you"
    r"|her|him|them)|back to)\b",
    re.I,
)
"""What is carried somewhere, not taken."""
_DONE_WITH: Final = re.compile(
    r"\b(?:none (?:has been |was |is |will be )?(?:given|taken|used|allowed|since)|destroyed|handed (?:in|back|over)"
    r"|binned|disposed of|thrown (?:away|out)|returned to|(?:was|were|has been|have been) (?:stopped|removed"
    r"|confiscated"
    r"|taken away))\b",
    re.I,
)
"""What became of it: nobody takes it now."""
_REFUSED: Final = re.compile(
    r"\b(?:not|never|n't|n\u2019t|no|avoid|without|nor|dispos\w*|return\w*|destroy|throw|bring|collect|lock\w*"
    r"|rather than|instead of|illegal|unsafe|danger\w*|stop)\b",
    re.I,
)


_TOLERATED: Final = Sieved(
    r"\b(?:opi(?:oid|ate)s?[- ](?:tolerant|experienced|rotation)|tolerant of opi\w+|sickle[- ]cell"
    r"|opi(?:oid|ate) use disorder|methadone|buprenorphine|mme|morphine equivalents?|convert\w*|conversion|rotat\w+"
    r"|switch\w*|pca|patient[- ]controlled)\b",
    re.I,
)
"""What says that the opioid takes the place of another, or is none of acute pain."""
_FULL_AGONISTS: Final = frozenset(
    {"morphine", "oxycodone", "hydromorphone", "hydrocodone", "oxymorphone", "fentanyl", "methadone"}
)


def naive_by_list(case: Case, exposure: Exposure) -> bool:
    """Whether the record gives a medication list, an empty one among them, on which no opioid stands, and no text tells
    of another opioid, of cancer or of tolerance: then a full agonist that is begun meets a body that does not know it.

    The labels of tramadol, tapentadol and buprenorphine have a first dose for such a patient; they are left out.
    """
    if (
        case.judged.context.medications is None
        or not exposure.new
        or exposure.drug not in _FULL_AGONISTS
        or any(case.of_class(drug, "opioid") for drug in case.recorded)
        or case.writes(_TOLERATED)
        or any(_TOLERATED.search(document.text) for document in case.judged.documents)
    ):
        return False
    told = [*case.output.statements, *(case.prompt.statements if case.prompt is not None else ())]
    told.extend(statement for document in case.documents.values() for statement in document.statements)
    others = (
        statement
        for statement in told
        if statement.scope in (Scope.STOP, Scope.HISTORY, Scope.CONTINUE)
        or (case.prompt is not None and statement in case.prompt.statements)
        or statement not in case.output.statements
    )
    if any(case.of_class(drug, "opioid") for statement in others for drug in statement.mention.drugs):
        return False
    text = case.told
    return all(
        _NO_CANCER.search(text, max(0, m.start() - 40), m.start()) is not None for m in _CANCER.finditer(text)
    )


def opioid_naive(case: Case) -> Iterator[Finding]:
    for exposure in case.given:
        statement = exposure.statement
        if exposure.origin != "output" or exposure.drug != "fentanyl" or statement is None:
            continue
        if _rapid(case, exposure, statement) and not _tolerant(case):
            yield case.finding(
                Code.NEVER_EVENT,
                exposure,
                Severity.CONTRAINDICATED,
                rule(
                    "never-rapid-fentanyl",
                    "labels of the rapid fentanyl products, boxed warning and section 4",
                ),
                "a rapid fentanyl product for a patient who is not known to take opioids for cancer pain",
            )
            break
    yield from _of_another(case)


def _rapid(case: Case, exposure: Exposure, statement: Statement) -> bool:
    if statement.route in ("intravenous", "intramuscular", "epidural", "intrathecal", "transdermal"):
        return False
    text, span = case.judged.output, exposure.span
    around = sentence_around(text, span.start, span.end, semicolons=True, reach=300)
    return _RAPID.search(text[around.start : around.end]) is not None


def _tolerant(case: Case) -> bool:
    if case.writes(_WATCHED):
        return True
    naive = NAIVE.search(case.judged.output) is not None and NOT_NAIVE.search(case.judged.output) is None
    others = {
        e.drug
        for e in (*case.given, *case.taking)
        if e.drug != "fentanyl" and case.of_class(e.drug, "opioid")
    }
    patch = any(e.drug == "fentanyl" and e.origin == "list" for e in case.taking) or any(
        e.drug == "fentanyl" and e.statement is not None and e.statement.route == "transdermal"
        for e in case.given
    )
    told = case.told
    cancer = any(
        _NO_CANCER.search(told, max(0, m.start() - 40), m.start()) is None for m in _CANCER.finditer(told)
    )
    return (bool(others) or patch or cancer) and not (naive and not others and not patch)


def _of_another(case: Case) -> Iterator[Finding]:
    """A controlled drug of another person that the text has the reader take."""
    text = case.judged.output
    for statement in case.output.statements:
        mention = statement.mention
        if statement.scope in (Scope.AVOID, Scope.STOP, Scope.HISTORY) or not _controlled(case, mention):
            continue
        around = sentence_around(text, mention.span.start, mention.span.end, reach=300)
        before, sentence = text[around.start : mention.span.start], text[around.start : around.end]
        owner = _OWNER.search(before, max(0, len(before) - 80))
        if (
            owner is None
            or "?" in sentence
            or _CARRIED.match(text, mention.span.end)
            or _REFUSED.search(before) is not None
            or _DONE_WITH.search(text, mention.span.end, around.end) is not None
        ):
            continue
        if (
            _LEFT_OVER.search(before) is not None
            or _FOR_OWN.search(sentence) is not None
            or _TAKES_ONE.search(before[: owner.start()].rstrip()) is not None
        ):
            yield case.finding(
                Code.NEVER_EVENT,
                None,
                Severity.MAJOR,
                rule("never-another-persons", "labels of controlled drugs, section 17: never shared"),
                "a controlled drug that was prescribed for another person",
                drugs=mention.drugs,
                span=mention.span,
                scope=statement.scope,
            )
            return


def _controlled(case: Case, mention: DrugMention) -> bool:
    return any(case.of_class(drug, *_CONTROLLED) for drug in mention.drugs)


__all__ = ["NAIVE", "NOT_NAIVE", "naive_by_list", "opioid_naive"]
