"""Never-events: acts that are wrong for every patient, whoever asks (ISMP targeted best practices; boxed warnings).

Each is a rule over a statement: drug, route, words of its clause. A clause that forbids the act ("never give
vincristine intrathecally") has the scope `avoid` and is not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.amounts import interval_hours
from attending.guardrails.checks.case import Case, Exposure, rule
from attending.guardrails.checks.opioid_naive import NAIVE, NOT_NAIVE, naive_by_list
from attending.guardrails.clinical.route import INTRATHECAL_SHORT, ruled_out
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_REACH: Final = 1_000
_VINCA: Final = frozenset({"vincristine", "vinblastine", "vinorelbine", "vindesine"})
_PARALYTIC: Final = frozenset(
    {
        "vecuronium",
        "rocuronium",
        "cisatracurium",
        "atracurium",
        "pancuronium",
        "succinylcholine",
        "mivacurium",
    }
)
_LOCAL_ANESTHETIC: Final = frozenset({"bupivacaine", "ropivacaine", "levobupivacaine"})
_SPINAL: Final = re.compile(
    r"\b(?:intrathecal(?:ly)?|intraventricular(?:ly)?|into the (?:spine|spinal|csf|cerebrospinal)"
    r"|spinal (?:canal|injection|tap)"
    r"|lumbar puncture|omm?aya)\b"
    rf"|{INTRATHECAL_SHORT}",
    re.I,
)
_PUSH: Final = re.compile(
    r"\b(?:iv push|push|bolus|undiluted|rapid(?:ly)?|direct(?:ly)? (?:iv|into the vein)|slow push|over (?:1|2"
    r"|3|5) min\w*)\b",
    re.I,
)
_IV: Final = re.compile(
    r"\b(?:iv|i\.v\.|intravenous(?:ly)?|into (?:the|a) vein|by vein|(?:picc|central) line"
    r"|(?:through|via|into|down) (?:(?:the|a|an|her|his|your|that|this) )?(?:\w+ )?"
    r"(?:picc|midline|cannula|port|line))\b",
    re.I,
)
_DEPOT: Final = re.compile(
    r"\b(?:depo-?(?:medrol|provera|testosterone)|kenalog|decanoate|enanthate|pamoate|acetonide|hexacetonide"
    r"|sustenna|trinza|hafyera|maintena|aristada|consta|relprevv|vivitrol|sublocade|brixadi|lar depot|lupron depot"
    r"|methylprednisolone acetate|triamcinolone|medroxyprogesterone acetate|paliperidone palmitate)\b",
    re.I,
)
"""Depot suspensions and oils, which no vein may receive."""
_DEPOT_BESIDE: Final = 16
_ORAL_LIQUID: Final = re.compile(
    r"\boral (?:solution|suspension|liquid|syrup|elixir)|\bcrush\w* (?:\w+ ){0,4}(?:tablets?|capsules?|pills?)\b",
    re.I,
)
_EMPTIED: Final = Sieved(
    r"\b(?:liquid|contents?|fluid|powder|gel|inside)s? (?:from|of|out of|in|inside) (?:\w+ ){0,5}"
    r"(?:tablets?|capsules?|softgels?)\b"
    r"|\b(?:draw|drawn|withdr[ae]w\w*|suck\w*|aspirat\w+|extract\w*|dissolv\w+|crush\w*)\b[^.;\n]{0,40}"
    r"\b(?:tablets?|capsules?|softgels?)\b",
    re.I,
)
"""A form for the mouth made into a liquid."""
_NOT_THAT_WAY: Final = re.compile(
    r"\b(?:never|not|n't|no|avoid\w*|fatal|deaths?|died|kill\w*|unless|label\w*|oral syringe|by mouth|enteral|"
    r"tube|swallow(?:s|ed)?)\b",
    re.I,
)
_ONCOLOGY: Final = re.compile(
    r"\b(?:leuk\w+|lymphom\w+|osteosarcom\w+|sarcoma|cancer|tumou?r|chemo\w*|carcinom\w+|choriocarcinom\w+"
    r"|trophoblast\w*"
    r"|ectopic|oncolog\w+|mole|all\b)",
    re.I,
)
_AIRWAY: Final = re.compile(
    r"\b(?:intubat\w*|ventilat\w*|an?esthe\w*|operating|surg\w*|rsi|induction|icu|sedat\w*)\b", re.I
)
_EXTENDED_OPIOID: Final = re.compile(
    r"\b(?:oxycontin|ms ?contin|hysingla|zohydro|xtampza|nucynta er|opana er|exalgo|kadian|belbuca|butrans"
    r"|arymo|morphabond"
    r"|extended[- ]release|long[- ]acting|sustained[- ]release|controlled[- ]release|er|xr|sr|cr|la)\b",
    re.I,
)
_LONG_INSULIN: Final = frozenset(
    {"insulin glargine", "insulin detemir", "insulin degludec", "insulin isophane", "insulin nph"}
)
_CONVERSION: Final = re.compile(
    r"\b(?:switch|change|convert|transition|step)\w*\b|\b(?:from|to) (?:iv|oral)\b", re.I
)
_U500: Final = re.compile(r"\bu-?\s?500\b|\b500 units? ?(?:/|per) ?ml\b", re.I)
_U100: Final = re.compile(r"\bu-?\s?100\b.{0,20}\bsyringe|\binsulin syringe\b|\btuberculin syringe\b", re.I)


@dataclass(frozen=True, slots=True)
class _NeverEvent:
    id: str
    source: str
    message: str
    holds: Callable[[Case, Exposure, str], bool]


def _told(clause: str, words: re.Pattern[str]) -> bool:
    """Whether the clause names a way of giving and does not rule it out."""
    return any(not ruled_out(clause, match.start()) for match in words.finditer(clause))


def _iv(exposure: Exposure, clause: str) -> bool:
    """The route that is read of this drug, or a vein that its clause tells where none is read."""
    stated = exposure.statement.route if exposure.statement is not None else None
    return stated == "intravenous" or (stated is None and _told(clause, _IV))


def _spinal(exposure: Exposure, clause: str) -> bool:
    stated = exposure.statement.route if exposure.statement is not None else None
    return stated == "intrathecal" or (stated is None and _told(clause, _SPINAL))


def _is_depot(case: Case, exposure: Exposure) -> bool:
    span, text = exposure.span, case.judged.output
    return _DEPOT.search(text, span.start, min(len(text), span.end + _DEPOT_BESIDE)) is not None


def _pushed(exposure: Exposure, clause: str) -> bool:
    if exposure.statement is not None and exposure.statement.rapid:
        return True
    return _told(clause, _PUSH)


def _daily_methotrexate(case: Case, exposure: Exposure, clause: str) -> bool:
    statement = exposure.statement
    if (
        exposure.drug != "methotrexate"
        or statement is None
        or statement.route not in (None, "oral", "subcutaneous")
    ):
        return False
    hours = interval_hours(statement.frequency)
    if hours is None or hours >= 84 or case.writes(_ONCOLOGY):
        return False
    return not any(_ONCOLOGY.search(condition.name) for condition in case.context.conditions or ())


EVENTS: Final = (
    _NeverEvent(
        "vinca-intrathecal", "ISMP best practice 1; vinca labels, boxed warning: fatal if given other routes",
        "a vinca alkaloid into the spinal canal is fatal",
        lambda case, e, clause: e.drug in _VINCA and _spinal(e, clause),
    ),
    _NeverEvent(
        "potassium-push", "ISMP high-alert list; potassium chloride concentrate label: must be diluted",
        "concentrated potassium by push or undiluted stops the heart",
        lambda case, e, clause: e.drug.startswith("potassium")
        and e.drug not in ("potassium iodide", "potassium citrate")
        and (_iv(e, clause) or "push" in clause.lower()) and _pushed(e, clause),
    ),
    _NeverEvent(
        "methotrexate-daily", "ISMP best practice 2: weekly unless for cancer; methotrexate label, boxed warning",
        "methotrexate more than once or twice a week outside cancer treatment is fatal",
        _daily_methotrexate,
    ),
    _NeverEvent(
        "oral-liquid-iv", "ISMP best practice 4: oral liquids by oral syringe only",
        "an oral liquid or crushed tablet into a vein",
        lambda case, e, clause: _ORAL_LIQUID.search(clause) is not None and _told(clause, _IV)
        and _CONVERSION.search(clause) is None,
    ),
    _NeverEvent(
        "epidural-anesthetic-iv", "local anesthetic labels; wrong-route never event",
        "a local anesthetic for regional use into a vein",
        lambda case, e, clause: e.drug in _LOCAL_ANESTHETIC and _iv(e, clause)
        and not re.search(r"\b(?:regional|bier|block|infiltrat\w*)\b", clause, re.I),
    ),
    _NeverEvent(
        "penicillin-benzathine-iv", "penicillin G benzathine label, boxed warning: not for intravenous use",
        "penicillin G benzathine into a vein is fatal",
        lambda case, e, clause: e.drug.startswith("penicillin g")
        and re.search(r"\bbenzathine\b|\bbicillin\b|\bprocaine\b", clause + " " + e.text, re.I) is not None
        and _iv(e, clause),
    ),
    _NeverEvent(
        "depot-iv", "labels of methylprednisolone acetate, triamcinolone and the decanoates: not intravenously",
        "a depot suspension or oil into a vein lodges in the lungs",
        lambda case, e, clause: _is_depot(case, e) and _iv(e, clause),
    ),
    _NeverEvent(
        "nimodipine-iv", "nimodipine label, boxed warning: not intravenously",
        "nimodipine capsules into a vein are fatal",
        lambda case, e, clause: e.drug == "nimodipine" and _iv(e, clause),
    ),
    _NeverEvent(
        "promethazine-sc", "promethazine injection label, boxed warning: gangrene; not subcutaneous or intra-arterial",
        "promethazine under the skin or into an artery destroys tissue",
        lambda case, e, clause: e.drug == "promethazine" and (
            (e.statement is not None and e.statement.route == "subcutaneous")
            or re.search(r"\bintra-?arterial|\bsubcutaneous", clause, re.I) is not None),
    ),
    _NeverEvent(
        "paralytic-unventilated", "ISMP best practice 7: neuromuscular blockers paralyse; only with a secured airway",
        "a paralysing drug without a secured airway",
        lambda case, e, clause: e.drug in _PARALYTIC and (
            case.audience == "patient"
            or not case.writes(_AIRWAY)),
    ),
    _NeverEvent(
        "fentanyl-patch-naive", "fentanyl transdermal label, contraindications: not opioid-tolerant; acute pain",
        "a fentanyl patch for a patient who is not opioid-tolerant",
        lambda case, e, clause: e.drug == "fentanyl" and _is_patch(e, clause)
        and (case.writes(NAIVE) or naive_by_list(case, e)),
    ),
    _NeverEvent(
        "er-opioid-naive", "extended-release opioid labels, indications: not opioid-tolerant, as needed, acute pain",
        "an extended-release opioid for a patient who is not opioid-tolerant",
        lambda case, e, clause: e.new and case.of_class(e.drug, "opioid") and e.drug != "fentanyl"
        and _EXTENDED_OPIOID.search(e.text + " " + clause) is not None
        and (case.writes(NAIVE) or naive_by_list(case, e))
        and not case.once(NOT_NAIVE, lambda: NOT_NAIVE.search(case.judged.output) is not None),
    ),
    _NeverEvent(
        "long-insulin-iv", "insulin glargine, detemir and degludec labels, section 5: not intravenously",
        "a long-acting insulin into a vein is a severe overdose",
        lambda case, e, clause: e.drug in _LONG_INSULIN and _iv(e, clause),
    ),
    _NeverEvent(
        "sterile-water-iv", "sterile water for injection label: hemolysis; ISMP high-alert list",
        "a large volume of sterile water into a vein destroys blood cells",
        lambda case, e, clause: "sterile water" in clause.lower() and _iv(e, clause)
        and re.search(r"\b(?:\d{3,4} ?ml|liter|litre|bag|maintenance|bolus)\b", clause, re.I) is not None
        and not re.search(r"\bdilut|reconstitut|mix\w* (?:with|in)", clause, re.I),
    ),
    _NeverEvent(
        "u500-syringe", "insulin U-500 label, warnings: only the U-500 syringe or pen; not intravenously",
        "U-500 insulin with another syringe or into a vein is a fivefold overdose",
        lambda case, e, clause: (e.drug.startswith("insulin") or case.of_class(e.drug, "insulin"))
        and _U500.search(clause) is not None and (_U100.search(clause) is not None or _iv(e, clause)),
    ),
)  # fmt: skip


def never_events(case: Case) -> Iterator[Finding]:
    """Contraindicated findings, one per event and mention."""
    seen: set[tuple[str, int]] = set()
    for exposure in case.given:
        statement = exposure.statement
        if statement is None or exposure.origin != "output":
            continue
        own = statement.clause
        if own.start <= exposure.span.start and exposure.span.end <= own.end:
            clause = _around(case.judged.output, own, exposure.span)
        else:
            # what a later sentence says of the drug is read there, not where the drug is named
            clause = _around(case.judged.output, own, own)
        for event in EVENTS:
            key = (event.id, exposure.span.start)
            if key not in seen and event.holds(case, exposure, clause):
                seen.add(key)
                yield case.finding(
                    Code.NEVER_EVENT,
                    exposure,
                    Severity.CONTRAINDICATED,
                    rule(f"never-{event.id}", event.source),
                    event.message,
                )
    yield from _swallowed_forms_injected(case)


def _swallowed_forms_injected(case: Case) -> Iterator[Finding]:
    """The content of a capsule or tablet into a vein, in a sentence that need not name the drug again."""
    text = case.judged.output
    for made in _EMPTIED.finditer(text):
        around = sentence_around(text, made.start(), made.end(), semicolons=True, reach=_REACH)
        into = next(
            (m for m in _IV.finditer(text, made.end(), around.end) if not ruled_out(text, m.start())), None
        )
        if into is None or _NOT_THAT_WAY.search(text, around.start, around.end):
            continue
        yield case.finding(
            Code.NEVER_EVENT,
            None,
            Severity.CONTRAINDICATED,
            rule("never-swallowed-form-iv", "ISMP best practice 4; nimodipine label, boxed warning"),
            "a form for the mouth into a vein",
            span=Span(made.start(), into.end()),
        )
        return


def _is_patch(exposure: Exposure, clause: str) -> bool:
    route = exposure.statement.route if exposure.statement is not None else None
    return route == "transdermal" or re.search(r"\bpatch|transdermal|mcg/h", clause, re.I) is not None


def _around(text: str, clause: Span, mention: Span) -> str:
    """The clause, and the sentence around the mention where the clause is shorter than it; at most `_REACH` characters
    to either side."""
    low, high = max(0, mention.start - _REACH), min(len(text), mention.end + _REACH)
    sentence = sentence_around(text, mention.start, mention.end, semicolons=True, reach=_REACH)
    return text[max(low, min(clause.start, sentence.start)) : min(high, max(clause.end, sentence.end))]
