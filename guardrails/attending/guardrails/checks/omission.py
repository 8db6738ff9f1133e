"""A medication list that silently drops a drug whose sudden end does harm.

Only for outputs that enumerate the patient's medications. What the output stops, holds or avoids is named, hence
not omitted; a blanket "continue all other home medications" covers the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case, active_medication, curated, drugs_of
from attending.guardrails.clinical.statement import ParsedText, Span, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.patient import Document
from attending.guardrails.sieve import Sieved

_CRITICAL: Final = (
    ("anticoagulant", "doac", "vitamin_k_antagonist", "heparin", "lmwh"),
    ("insulin",),
    ("antiepileptic",),
    ("corticosteroid_systemic",),
    ("immunosuppressant",),
    ("antiplatelet", "p2y12"),
    ("antiarrhythmic",),
    ("antiretroviral",),
    ("beta_blocker",),
    ("dopamine_agonist", "levodopa_class"),
)
_CRITICAL_DRUGS_WORDS: Final = (
    "warfarin apixaban rivaroxaban dabigatran edoxaban enoxaparin insulin prednisone prednisolone "
    "hydrocortisone dexamethasone fludrocortisone tacrolimus cyclosporine mycophenolate sirolimus "
    "everolimus azathioprine levetiracetam phenytoin carbamazepine valproate lamotrigine phenobarbital "
    "clopidogrel ticagrelor prasugrel aspirin amiodarone digoxin levodopa carbidopa lithium clozapine "
    "methadone buprenorphine levothyroxine clonidine baclofen metoprolol"
)
_CRITICAL_DRUGS: Final = frozenset(_CRITICAL_DRUGS_WORDS.split())
_HEADING: Final = Sieved(
    r"\b(?:(?:discharge|current|home|active|your|updated|daily|outpatient|reconciled)\s+)?(?:medications?"
    r"|medicines?|meds|drugs?)"
    r"(?:\s+(?:list|at discharge|on discharge|to take|reconciliation|schedule))?\s*(?:\([^)\n]{0,40}\))?\s*[:\n]"
    r"|\b(?:discharge|current|home|your)\s+(?:medications?|medicines?|meds)\s+(?:are|include|list)"
    r"|\bmedication (?:list|reconciliation)\b|\b(?-i:MAR)\b[^:\n]{0,30}:"
    r"|\bTT[OA]s?\b\s*(?:\([^)\n]{0,40}\))?\s*[:\n-]"
    r"|\b(?:drugs?|medicines?|meds|medications?|tablets?|pills) to take (?:out|(?:at )?home|away)\b"
    r"|\blist of (?:your |all |the )*(?:drugs?|medicines?|meds|medications?|tablets?|pills)\b"
    r"|\bd(?:/|\.)?c (?:medications?|meds|medicines?|drugs?|rx)\b"
    r"|\bdischarge (?:rx|prescriptions?|scripts?|therapy|regimen)\b"
    r"|\b(?:going|goes|sent|went|leaves|leaving) home (?:on|with)\b|\brx on discharge\b"
    r"|\b(?:regular|repeat|continuing) (?:rx|prescriptions?|scripts?|medications?|medicines?|meds)\s*[:\n]"
    r"|\b(?:full|complete|whole|final|entire) list\b|\breplaces? all (?:previous|earlier|other) lists?\b"
    r"|\beverything you (?:need|have) to take\b|\b(?:nil|nothing) else\b|\bno other (?:medicines"
    r"|medications|meds|drugs)\b"
    r"|\bdischarged? (?:home )?on\b|\b(?:continue|resume) (?:taking )?(?:the following|these)\b",
    re.I,
)
_BLANKET: Final = Sieved(
    r"\b(?:continue|resume|keep taking|take|no changes? (?:to|in"
    r"|were made to))\s+(?:taking\s+)?(?:all\s+(?:of\s+)?)?(?:your\s+|his\s+|her\s+|the\s+)?"
    r"(?:other|remaining|rest of|usual|regular|home|existing|current)\s+(?:\w+\s+){0,3}(?:medications?"
    r"|medicines?|meds|drugs?|prescriptions?)\b"
    r"|\b(?:everything|all) else\b[^.;\n]{0,60}\b(?:carry on|continu\w*|unchanged|stays?|as before|the same)\b"
    r"|\bcarry on (?:with |taking )?(?:everything|all)\b"
    r"|\bno (?:other )?changes? (?:to|in) (?:your |the |his |her )?(?:other |home |current |usual "
    r"|regular )?(?:medications?"
    r"|medicines?|meds)\b",
    re.I,
)
_ABOUT_A_PATIENT: Final = re.compile(
    r"\b(?:patient|pt\.?|year[- ]old|home medications?|current medications?|medication list|admitted|discharge"
    r"|history of present)\b"
    r"|\b(?:Mr|Mrs|Ms)\.",
    re.I,
)
_GUIDELINE: Final = re.compile(
    r"\b(?:guideline|recommendation|consensus|monograph|prescribing information|label|class I|evidence level"
    r"|we recommend"
    r"|first-line|patients with|in patients)\b",
    re.I,
)
_HOME_REACH: Final = 300
_AT_HOME: Final = re.compile(
    r"\b(?:(?:on|at|prior to|before) admission|at home|home (?:meds|medications?|medicines?|drugs?)"
    r"|drug history|dhx?\b"
    r"|pta\b|(?:usual|regular|current|pre-?admission) (?:meds|medications?|medicines?|drugs?|tablets)|takes"
    r"|was taking"
    r"|has been taking)\b",
    re.I,
)
_NOT_HOME: Final = re.compile(
    r"\b(?:stopp\w*|discontinu\w*|ceased|no longer|allerg\w*|previously|in the past|discharge|course|plan|started"
    r"|new)\b",
    re.I,
)
_DISCHARGE: Final = Sieved(
    r"\b(?:discharge (?:meds|medications?|medicines?|drugs?|list|prescription|rx)|(?:meds|medications?"
    r"|medicines?|drugs?)"
    r" (?:on|at) discharge|TT[OA]s?|(?:drugs|medicines|meds|medications|tablets) to take (?:out|home|away)"
    r"|discharged (?:home )?on)\b\s*(?:\([^)\n]{0,40}\))?\s*[:\n-]",
    re.I,
)
_CHANGED: Final = re.compile(
    r"\b(?:held|hold|withheld|chang\w*|switch\w*|replac\w*|review\w*|prn|as needed)\b", re.I
)
_SPOKEN_AS: Final = {
    "anticoagulant": ("blood thinner", "anticoagula"),
    "insulin": ("insulin",),
    "corticosteroid_systemic": ("steroid",),
    "antiepileptic": ("seizure medic", "antiseizure", "anti-seizure", "epilepsy medic"),
}


@dataclass(frozen=True, slots=True)
class _Expected:
    drug: str
    name: str
    source: str


def omissions(case: Case) -> Iterator[Finding]:
    """One finding per critical drug left out (major); other drugs left out are one minor finding together."""
    listed = enumerates(case)
    if listed is None or _BLANKET.search(case.judged.output) is not None:
        return
    named = {drug for statement in case.output.statements for drug in statement.mention.drugs}
    classes = {s.mention.drug_class for s in case.output.statements if s.mention.drug_class is not None}
    lower = case.judged.output.lower()
    rest: list[_Expected] = []
    for expected in _expected(case):
        if (
            expected.drug in named
            or any(case.of_class(expected.drug, c) for c in classes)
            or _spoken(case, expected, lower)
        ):
            continue
        if _critical(case, expected.drug):
            yield _left_out(case, expected, listed)
        else:
            rest.append(expected)
    for expected in {one.drug: one for one in _lists_of_one_text(case)}.values():
        yield _left_out(case, expected, listed)
    if rest:
        yield case.finding(
            Code.OMISSION,
            None,
            Severity.MINOR,
            curated("omission-other", "the patient's medication list"),
            f"the medication list leaves out {', '.join(sorted({e.drug for e in rest}))}",
            drugs=sorted({e.drug for e in rest}),
            span=listed,
        )


def _left_out(case: Case, expected: _Expected, listed: Span) -> Finding:
    return case.finding(
        Code.OMISSION,
        None,
        Severity.MAJOR,
        curated("omission-critical", f"label of {expected.drug}, discontinuation"),
        f"the medication list leaves out {expected.drug} of {expected.source}, and does not stop it",
        drugs=(expected.drug,),
        span=listed,
    )


def enumerates(case: Case) -> Span | None:
    """Where the output lists the patient's medications: its heading, or the first of several bulleted or continued
    drugs; None when it does not."""
    statements = [s for s in case.output.statements if s.scope.prescriptive and s.mention.drugs]
    distinct = {drug for s in statements for drug in s.mention.drugs}
    heading = _HEADING.search(case.judged.output)
    if heading is not None and distinct:
        return Span(heading.start(), heading.end())
    continued = {drug for s in statements if s.scope is Scope.CONTINUE for drug in s.mention.drugs}
    known = {exposure.drug for exposure in case.taking} | continued
    own_lines = {
        drug
        for s in statements
        for drug in s.mention.drugs
        if _starts_line(case.judged.output, s.mention.span.start)
    }
    enough = len(own_lines) >= 3 or len(own_lines & known) >= 2 or len(continued) >= 3
    return statements[0].mention.span if enough else None


_LINE_OPENS: Final = re.compile(
    r"\s*(?:[-*\u2022\u00b7]|\d{1,2}[.)])?\s*(?:\*\*)?(?:(?:take|continue|start|new|resume)\W+)?", re.I
)


def _starts_line(text: str, at: int) -> bool:
    return _LINE_OPENS.fullmatch(text, text.rfind("\n", 0, at) + 1, at) is not None


def _expected(case: Case) -> Iterator[_Expected]:
    seen: set[str] = set()
    for medication in case.judged.context.medications or ():
        if not active_medication(medication.status) or medication.prn:
            continue
        for drug in drugs_of(medication.name, case.lexicon):
            if drug not in seen:
                seen.add(drug)
                yield _Expected(drug, medication.name, "the patient's list")
    sources = [
        (f"document {d.id}", case.documents[d.text]) for d in case.judged.documents if _patient_document(d)
    ]
    if case.prompt is not None:
        sources.append(("the prompt", case.prompt))
    for source, parsed in sources:
        stopped = _stopped(parsed)
        for statement in parsed.statements:
            dosed = statement.dose is not None
            if (
                statement.scope is not Scope.CONTINUE
                and not (statement.scope in (Scope.RECOMMEND, Scope.MENTION) and dosed)
                and not (statement.scope is Scope.HISTORY and dosed and _at_home(parsed.text, statement))
            ):
                continue
            for drug in statement.mention.drugs:
                if drug not in seen and drug not in stopped:
                    seen.add(drug)
                    yield _Expected(drug, statement.mention.text, source)


def _stopped(parsed: ParsedText) -> set[str]:
    ended = (Scope.STOP, Scope.AVOID, Scope.HISTORY, Scope.FAMILY)
    return {
        drug
        for s in parsed.statements
        if s.scope in ended and not (s.scope is Scope.HISTORY and _at_home(parsed.text, s))
        for drug in s.mention.drugs
    }


def _at_home(text: str, statement: Statement) -> bool:
    """Whether the words before the drug, in its paragraph, call it one that was taken until now."""
    start = max(0, statement.mention.span.start - _HOME_REACH)
    start = max(start, text.rfind("\n\n", start, statement.mention.span.start))
    before = text[start : statement.mention.span.start]
    home = max((match.end() for match in _AT_HOME.finditer(before)), default=None)
    return home is not None and _NOT_HOME.search(before, home) is None


def _lists_of_one_text(case: Case) -> Iterator[_Expected]:
    """Vital drugs of the list at admission that the same output's list at discharge no longer holds, and of which it
    says nothing else. Another drug of the group in the later list takes the place of the earlier."""
    text = case.judged.output
    heading = _DISCHARGE.search(text)
    if heading is None or _AT_HOME.search(text, 0, heading.start()) is None:
        return
    later = {
        drug
        for s in case.output.statements
        if s.mention.span.start >= heading.start()
        for drug in s.mention.drugs
    }
    times = Counter(drug for s in case.output.statements for drug in s.mention.drugs)
    for statement in case.output.statements:
        if statement.mention.span.start >= heading.start():
            break
        for drug in statement.mention.drugs:
            if times[drug] > 1 or drug in later or drug in case.ended or not _critical(case, drug):
                continue
            group = next((g for g in _CRITICAL if case.of_class(drug, *g)), None)
            if group is not None and any(case.of_class(other, *group) for other in later):
                continue
            if _at_home(text, statement) and not _CHANGED.search(
                text, statement.clause.start, statement.clause.end
            ):
                yield _Expected(drug, statement.mention.text, "the list at admission")


def _patient_document(document: Document) -> bool:
    """A note about a patient rather than a guideline or a label."""
    return _ABOUT_A_PATIENT.search(document.text) is not None and len(_GUIDELINE.findall(document.text)) < 2


def _critical(case: Case, drug: str) -> bool:
    return drug in _CRITICAL_DRUGS or any(case.of_class(drug, *group) for group in _CRITICAL)


def _spoken(case: Case, expected: _Expected, lower: str) -> bool:
    """True where the drug goes by a plain-language name ("your blood thinner")."""
    return any(
        case.of_class(expected.drug, class_id) and any(word in lower for word in words)
        for class_id, words in _SPOKEN_AS.items()
    )
