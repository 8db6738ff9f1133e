"""Drug interactions: between the drugs the output gives, and between those and what the patient takes.

Not caught: interactions with food or herbs outside the pack, and effects that need three drugs (see `stacking`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import daily_total, exposure_amount, listed_daily_mg, per_day
from attending.guardrails.checks.case import Case, Exposure, lowered, rule
from attending.guardrails.checks.effect_said import effect_said, followed
from attending.guardrails.checks.managed import doubled, managed, measured
from attending.guardrails.checks.patient_state import conditions_of
from attending.guardrails.checks.spacing import apart
from attending.guardrails.checks.switch import switched
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import DrugMention, Span, Statement
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.knowledge.facts import Interaction
from attending.guardrails.sieve import Sieved

_BASIS_ORDER: Final = {
    Basis.LABEL_TEXT: 4, Basis.ATTESTED: 3, Basis.SOURCE_ROW: 2, Basis.CURATED: 1, Basis.RULE: 0,
}  # fmt: skip
_CHECKS: Final = re.compile(
    r"\b(?:re-?check\w*|check\w*|repeat\w*|monitor\w*|recheck|test\w*|measur\w+|bloods?|blood tests?|labs?|review)\b"
    r"|\b(?:bmp|cmp|u&es?|electrolytes|inr|potassium|k\+?|creatinine|bloods)"
    r"(?=,? (?:(?:and|/|,) ?(?:creatinine|cr|renal function|k) )?(?:in|at|every|weekly|again|within|daily|monthly"
    r"|fortnightly"
    r"|q\d|on day|days?|tomorrow|(?:\d|one|two|four)[\d -]{0,4}(?:and \d+ )?(?:days?|weeks?|months?|hours?|h)\b))"
    r"|\b(?:until|target|goal|aim(?:ing)? for)(?= (?:an? |the )?inr\b)",
    re.I,
)
_KIDNEY: Final = re.compile(
    r"\b(?:potassium|k\+|u&es?|u and es?|bmp|cmp|electrolytes|creatinine|kidney|renal|egfr|urea)\b", re.I
)
_WATCHED: Final = {
    "hyperkalemia": _KIDNEY,
    "kidney injury": _KIDNEY,
    "hypokalemia": _KIDNEY,
    "bleeding or change of INR": re.compile(r"\binr\b|\bprothrombin\b", re.I),
    "INR increase": re.compile(r"\binr\b|\bprothrombin\b", re.I),
}
"""Mechanism of a fact -> the laboratory value that shows it in time."""
_MAX_PAIRS: Final = 20_000
"""Pairs judged per output; beyond it (about 70 drugs named over and over) one finding says that pairs were left out."""


def interactions(case: Case) -> Iterator[Finding]:
    """One finding per pair of drugs, at the worst severity that holds for it.

    Severity is lowered one rank where the fact holds above a daily dose and the dose is not stated; three ranks where
    one of the drugs is given by a local route; and a moderate interaction is minor where the output neither starts
    nor changes either drug. Short of a contraindication a pair is minor where both drugs stand on the patient's list
    and the output changes neither. It is minor too where the output has the two taken apart and that is enough. A pair
    that the text warns of is not a finding, unless the patient takes one of the two and the output starts the other.
    """
    warned = _warned_pairs(case)
    named = {exposure.drug for exposure in case.given}
    both = [*_distinct(case), *(exposure for exposure in case.taking if exposure.drug not in named)]
    worst: dict[frozenset[str], tuple[Finding, int]] = {}
    judged = 0
    for i, first in enumerate(both):
        for second in both[i + 1 :]:
            if first.origin == "list" and second.origin == "list":
                continue
            judged += 1
            if judged > _MAX_PAIRS:
                continue
            found = _pair(case, first, second, warned)
            if found is None:
                continue
            key = frozenset(found.drugs)
            held = worst.get(key)
            rank = found.severity.rank * 10 + _BASIS_ORDER[found.basis]
            if held is None or rank > held[1]:
                worst[key] = (found, rank)
    for finding, _ in worst.values():
        yield finding
    if judged > _MAX_PAIRS:
        yield case.finding(
            Code.NOT_COVERED,
            None,
            Severity.MAJOR,
            rule("too-many-pairs", "limit of the interaction check"),
            f"{judged} pairs of drugs are more than are judged; {judged - _MAX_PAIRS} were left out",
        )


def mechanisms(case: Case) -> dict[frozenset[str], str]:
    """Pair of drugs -> the effect that its interaction finding names; filled by `interactions`."""
    return case.once("interaction mechanisms", dict)


def _distinct(case: Case) -> list[Exposure]:
    """The first three exposures to each drug, and any that differs in being new or local: what can change a finding."""
    kept: list[Exposure] = []
    counts: dict[str, int] = {}
    kinds: set[tuple[str, bool, bool]] = set()
    for exposure in case.given:
        kind = (exposure.drug, exposure.new, case.is_local(exposure))
        if counts.get(exposure.drug, 0) < 3 or kind not in kinds:
            counts[exposure.drug] = counts.get(exposure.drug, 0) + 1
            kinds.add(kind)
            kept.append(exposure)
    return kept


def _pair(case: Case, first: Exposure, second: Exposure, warned: set[frozenset[str]]) -> Finding | None:
    if first.origin == second.origin == "output" and first.span == second.span:
        return None  # the ingredients of one product
    if first.drug == second.drug or _names_its_class(case, first, second) or first.later or second.later:
        return None
    if _in_the_womb(case, first, second) or _in_the_womb(case, second, first):
        return None
    pair = frozenset((first.drug, second.drug))
    listed = first.origin == "list" or second.origin == "list"
    starting = first.new or second.new
    existing = not starting and {first.drug, second.drug} <= case.recorded
    if pair in warned and not (listed and any(e.new and e.scope is Scope.RECOMMEND for e in (first, second))):
        return None
    # Most pairs have no fact: the text is read only for those that have.
    facts = case.knowledge.interactions(first.drug, second.drug)
    if not facts or _alternatives(case, first, second) or switched(case, first, second):
        return None
    best: tuple[Severity, int, Interaction, str] | None = None
    hours = case.knowledge.spaced_hours(first.drug, second.drug)
    spaced = hours is not None and apart(case, first, second, hours)
    handled = managed(case, first, second, facts)
    allowed = _allowed(case, first, second) or doubled(case, first, second) or _dual(case, first, second)
    for fact in facts:
        held = _holds(case, fact, first, second)
        if held is None:
            continue
        severity, why = held
        if existing and severity is not Severity.CONTRAINDICATED and severity.rank > Severity.MINOR.rank:
            severity, why = Severity.MINOR, f"{why}; existing: both stand unchanged on the patient's list"
        elif severity is Severity.MODERATE and not starting:
            severity, why = Severity.MINOR, f"{why}; neither drug is started or changed here"
        elif severity is Severity.MODERATE and (_monitored(case, facts) or measured(case, first, second)):
            severity, why = Severity.MINOR, f"{why}; the output has it checked"
        elif severity is Severity.MODERATE and effect_said(case, first, second, facts):
            severity, why = Severity.MINOR, f"{why}; the output speaks of it"
        elif severity is Severity.MODERATE and followed(case, first, second, facts):
            severity, why = Severity.MINOR, f"{why}; the output has the patient followed"
        elif severity is Severity.MODERATE and (first.deferred or second.deferred):
            severity, why = (
                Severity.MINOR,
                f"{why}; one of them begins later, on a condition or a day to come",
            )
        elif severity is Severity.MAJOR and handled:
            severity, why = Severity.MINOR, f"{why}; managed in the text: dose lowered, level measured"
        if allowed and severity.rank > Severity.MINOR.rank:
            severity, why = Severity.MINOR, f"{why}; given as the labels allow"
        if spaced and fact.above_daily_mg is None and severity.rank > Severity.MINOR.rank:
            severity, why = Severity.MINOR, f"{why}; taken hours apart here"
        rank = _BASIS_ORDER[fact.provenance.basis]
        if best is None or (severity.rank, rank) > (best[0].rank, best[1]):
            best = (severity, rank, fact, why)
    if best is None:
        return None
    severity, _, fact, why = best
    mechanisms(case)[pair] = fact.mechanism or ""
    anchor, other = (first, second) if _anchors(first, second) else (second, first)
    where = f"{other.drug}, which the patient takes" if other.origin == "list" else other.drug
    effect = f": {fact.mechanism}" if fact.mechanism else ""
    return case.finding(
        Code.INTERACTION,
        anchor,
        severity,
        fact.provenance,
        f"{anchor.drug} with {where}{effect}{why}",
        drugs=sorted(pair),
        span=_span(case, first, second) or anchor.span,
    )


_STENTED: Final = Sieved(r"\b(?:pci|stent\w*|angioplasty|nstemi|stemi)\b", re.I)
_FIBRILLATION: Final = Sieved(r"\b(?:af|afib|a-?fib|atrial fibrillation)\b", re.I)
_MEANT: Final = Sieved(
    r"\b(?:(?:agreed|discussed) (?:with|by) (?:the )?cardiolog\w*|cardiolog\w* (?:advis|agree|recommend)\w*)",
    re.I,
)
_NOT_YET: Final = re.compile(
    r"\b(?:not|never|yet|n't|n\u2019t|without|until|unless|before|once|if|to be|should be|must be|needs?)"
    r"\b[^.;\n]{0,30}\Z",
    re.I,
)


def _dual(case: Case, first: Exposure, second: Exposure) -> bool:
    """Clopidogrel beside a DOAC after a stent in atrial fibrillation, agreed with cardiology or for a time that it
    tells, and aspirin only until a day: what the guidelines ask for (ESC 2024, ACC/AHA 2023 on atrial fibrillation)."""
    pair = {first.drug, second.drug}
    if not pair & {"clopidogrel", "aspirin"} or not any(case.of_class(drug, "doac") for drug in pair):
        return False
    every = {e.drug for e in (*case.given, *case.taking)}
    if "clopidogrel" not in every or ("aspirin" in every and not case.says(_ASPIRIN_ENDS)):
        return False
    if not (case.says(_STENTED) and case.says(_FIBRILLATION)):
        return False
    if _MEANT.search(case.judged.output) is not None:
        return case.once("agreed with cardiology", lambda: _agreed(case.judged.output))
    return case.says(_CLOPIDOGREL_ENDS)


_NO_DAY: Final = (
    r"(?! (?:further|told|advised|otherwise|notice|(?:\w+ )?(?:review|clinic|notice)|(?:the )?next"
    r"|(?:he|she|you|they|we)\b|(?:an?|one|1|\w+) years?\b))"
)
"""Behind "until": what is no day."""
_FOR_A_TIME: Final = (
    rf"[^.\n]{{0,90}}?\b(?:until{_NO_DAY}|till{_NO_DAY}|then stop"
    r"|(?<!not )(?<!never )(?<!n't )stop(?:s|ped)? (?:at|on|after|in)|last tablet"
    r"|(?<!taken )(?<!had )(?<!on it )for (?:a total of )?"
    r"(?:\d{1,2}|one|three|six|twelve) (?:more )?(?:weeks?|months?)|(?:6|12|six|twelve) months)\b"
)
_CLOPIDOGREL_ENDS: Final = Sieved(rf"\b(?:clopidogrel|plavix)\b{_FOR_A_TIME}", re.I)
_ASPIRIN_ENDS: Final = Sieved(
    rf"\b(?:aspirin|asa)\b[^.\n]{{0,90}}?\b(?:until{_NO_DAY}(?! (?:[2-9]|\d\d|two|three|six|twelve) months)"
    rf"|till{_NO_DAY}|(?<!not )(?<!never )(?<!n't )stop(?:s|ped)? (?:at|on|after|in)(?! (?:an?|one|1|\w+)"
    r" (?:years?|months))|last tablet|for (?:\d{1,2}|one|two|four|a|1) (?:more )?(?:days?|weeks?|month))\b",
    re.I,
)


def _agreed(text: str) -> bool:
    return any(
        _NOT_YET.search(text, max(0, match.start() - 60), match.start()) is None
        for match in _MEANT.finditer(text)
    )


_COILS: Final = frozenset({"mirena", "kyleena", "skyla", "liletta", "jaydess", "levosert", "benilexa"})
"""Devices that hold levonorgestrel in the womb: nothing that the liver breaks down faster acts on them (FSRH guidance,
drug interactions with hormonal contraception)."""
_OTHER_INDUCERS: Final = frozenset(
    {"topiramate", "rufinamide", "griseofulvin", "ritonavir", "aprepitant", "mephenytoin"}
)
_INDUCERS: Final = ("strong_cyp3a4_inducer", "moderate_cyp3a4_inducer", "ansm:enzyme-inducers")


def _in_the_womb(case: Case, device: Exposure, other: Exposure) -> bool:
    """Whether one drug is a hormonal coil, and the other one that only makes the liver break hormones down."""
    if device.text.lower() not in _COILS:
        return False
    return other.drug in _OTHER_INDUCERS or case.of_class(other.drug, *_INDUCERS)


def _allowed(case: Case, first: Exposure, second: Exposure) -> bool:
    """True where the dose is one that the labels allow beside the other drug, or the condition one that asks for both.
    A dose that is not stated is none of these."""
    for row in case.knowledge.managed_pairs(first.drug, second.drug):
        if row.conditions and not (
            row.conditions & conditions_of(case).keys() or _suspected(case, row.conditions)
        ):
            continue
        if row.dose_drug is not None and row.up_to_daily_mg is not None:
            daily = _allowed_mg(case, row.dose_drug)
            if daily is None or daily > row.up_to_daily_mg or _raised(case, row.dose_drug):
                continue
        return True
    return False


_RAISES: Final = re.compile(
    r"(?<!not )(?<!never )(?<!n't )\b(?:doubl\w+|increas(?:e|ed|ing)\b|rais(?:e|ed|ing)\b|up-?titrat\w+"
    r"|titrat\w+ (?:up|to)\b)",
    re.I,
)


def _raised(case: Case, drug: str) -> bool:
    """True where the text goes on to raise the drug ("it was 20 mg in spring; we doubled it"), up to the next drug."""
    text = case.judged.output
    starts = case.mention_starts()
    for statement in case.output.statements:
        if drug in statement.mention.drugs:
            at = statement.mention.span
            following = next((start for start in starts if start > at.start), len(text))
            if _RAISES.search(text, at.end, min(following, at.end + 300)):
                return True
    return False


def _suspected(case: Case, conditions: frozenset[str]) -> bool:
    """True where the texts name one of the conditions without denying it: what is suspected is treated too."""

    def asked() -> bool:
        names = sorted(
            name for name, condition in case.knowledge.conditions().items() if condition in conditions
        )
        told = re.compile(
            rf"(?<!\bno )(?<!\bnot )(?<!\bwithout )(?<!\bnot an )\b(?:{'|'.join(map(re.escape, names))})\b"
        )
        return told.search(case.told) is not None

    return case.once(("suspected", conditions), asked)


def _monitored(case: Case, facts: Sequence[Interaction]) -> bool:
    """True where the output itself orders the laboratory value by which a moderate combination is watched."""
    values = {_WATCHED[fact.mechanism] for fact in facts if fact.mechanism in _WATCHED}
    return any(_ordered(case, value) for value in values)


def _ordered(case: Case, value: re.Pattern[str]) -> bool:
    text = case.judged.output
    return case.once(
        ("ordered", value),
        lambda: any(
            value.search(_around_the_check(text, m.start(), m.end()))
            for m in _CHECKS.finditer(text)
            if _UNCHECKED.search(text, max(0, m.start() - 40), m.start()) is None
        ),
    )


_UNCHECKED: Final = re.compile(
    r"\b(?:no (?:need|reason|point|use)|need(?:s)? not|needn['\u2019]t|not|never|don['\u2019]t|without|skip|no)"
    r"(?: (?:to|for|in|have|be|bother|any|routine|further|a|the|you|her|his|your))* \Z",
    re.I,
)
"""Before a check that nobody is to make."""
_BACK: Final = re.compile(r"\b(?:both|these|them|those|the same)\b", re.I)


def _around_the_check(text: str, start: int, end: int) -> str:
    """What is to be checked: named behind the word, or in the sentence before where it says "both" or "them"."""
    sentence = sentence_around(text, start, end)
    said = text[start : end + 80]
    return text[max(0, sentence.start - 200) : sentence.end] if _BACK.search(said) else said


def _names_its_class(case: Case, first: Exposure, second: Exposure) -> bool:
    """True for a drug and the class it belongs to ("ibuprofen, an NSAID"): one thing named twice."""
    classes = {first.generic_class, second.generic_class} - {None}
    return any(drug in case.knowledge.members(c) for c in classes if c for drug in (first.drug, second.drug))


def _anchors(first: Exposure, second: Exposure) -> bool:
    """True where the finding belongs to the first of two exposures: in the output, started, and named later."""
    return (first.origin != "list", first.new, first.span.start) >= (
        second.origin != "list",
        second.new,
        second.span.start,
    )


def _holds(case: Case, fact: Interaction, first: Exposure, second: Exposure) -> tuple[Severity, str] | None:
    """The severity with which a fact holds here and what to say about it, or None where it does not hold."""
    severity, why = fact.severity, ""
    for exposure in (first, second):
        route = exposure.statement.route if exposure.statement is not None else None
        if (
            fact.route is not None
            and route is not None
            and _names_route(fact, exposure)
            and route != fact.route
        ):
            return None
    if fact.dose_drug is not None and fact.above_daily_mg is not None:
        if _only_once(case, fact.dose_drug):
            return None
        daily = _daily_mg(case, fact.dose_drug)
        if daily is not None and daily <= fact.above_daily_mg:
            return None
        if daily is None:
            severity = lowered(severity)
            why = f"; holds above {fact.above_daily_mg.normalize():f} mg {fact.dose_drug} a day, dose not stated"
        else:
            why = f"; {fact.dose_drug} exceeds {fact.above_daily_mg.normalize():f} mg a day here"
    if fact.route is None and any(case.is_local(e) or _on_the_skin(e) for e in (first, second)):
        reaches = any(e.drug in _REACHES_ANYWAY for e in (first, second))
        severity = lowered(severity, 2 if reaches else 3)
        why += "; a local route, so little is absorbed"
    return severity, why


_REACHES_ANYWAY: Final = frozenset({"miconazole"})
"""Absorbed enough from mouth, skin and vagina to act on warfarin (miconazole labels)."""
_LITTLE_THROUGH_SKIN: Final = frozenset({"lidocaine", "prilocaine"})
"""Systemic by a patch for what it does itself, and far below what acts on another drug."""


def _on_the_skin(exposure: Exposure) -> bool:
    route = exposure.statement.route if exposure.statement is not None else None
    return exposure.drug in _LITTLE_THROUGH_SKIN and route in ("topical", "transdermal")


def _names_route(fact: Interaction, exposure: Exposure) -> bool:
    return fact.dose_drug is None or fact.dose_drug == exposure.drug


_SLOWLY_RAISED: Final = frozenset({"lamotrigine"})
"""Drugs whose first dose beside another is what the label lowers; the steps above it are the label's too."""


def _allowed_mg(case: Case, drug: str) -> Decimal | None:
    """The daily dose that a label's ceiling beside another drug is held against."""
    if drug not in _SLOWLY_RAISED:
        return _daily_mg(case, drug)
    steps = _of_each_dose(case, drug, lambda statement: True)
    return min(steps) if steps else _daily_mg(case, drug)


def _of_each_dose(case: Case, drug: str, counts: Callable[[Statement], bool]) -> list[Decimal]:
    """The mg a day of each statement of the drug that counts and says how much and how often."""
    found: list[Decimal] = []
    for exposure in case.given:
        statement = exposure.statement
        if exposure.drug != drug or statement is None or not counts(statement):
            continue
        amount = exposure_amount(exposure, case)
        if amount is None or amount.unit != "mg" or amount.per_kg or amount.per_m2:
            continue
        daily = per_day(statement, amount)
        if daily is not None:
            found.append(daily)
    return found


def _once(statement: Statement) -> bool:
    return statement.loading or (statement.frequency is not None and statement.frequency.once_only)


def _daily_mg(case: Case, drug: str) -> Decimal | None:
    lasting = _of_each_dose(case, drug, lambda statement: not _once(statement))
    if lasting and _of_each_dose(case, drug, _once):
        return max(lasting)  # "aspirin 324 mg once, then 81 mg daily": the load is no daily dose
    daily = daily_total(case, drug)
    if daily is not None:
        return daily
    listed = listed_daily_mg(case, drug)
    return listed if listed is not None else _single_mg(case, drug)


def _only_once(case: Case, drug: str) -> bool:
    """True where every dose of the drug is given once or as a load: no daily dose to hold against a ceiling."""
    statements = [
        exposure.statement
        for exposure in case.given
        if exposure.drug == drug and exposure.statement is not None and exposure.statement.dose is not None
    ]
    return bool(statements) and all(_once(statement) for statement in statements)


def _single_mg(case: Case, drug: str) -> Decimal | None:
    """The dose of a drug of which no frequency is said at all: "aspirin 75 mg for life" is taken once a day."""
    amounts: list[Decimal] = []
    for exposure in case.given:
        if exposure.drug != drug or exposure.statement is None or exposure.statement.dose is None:
            continue
        amount = exposure_amount(exposure, case)
        if exposure.statement.frequency is not None or amount is None or amount.unit != "mg" or amount.per_kg:
            return None
        amounts.append(amount.high)
    return max(amounts, default=None)


def _warned_pairs(case: Case) -> set[frozenset[str]]:
    pairs: set[frozenset[str]] = set()
    for one, other in case.output.avoided_pairs:
        for a in _expanded(case, one):
            for b in _expanded(case, other):
                pairs.add(frozenset((a, b)))
    return pairs


def _expanded(case: Case, mention: DrugMention) -> set[str]:
    drugs = set(mention.drugs)
    if mention.drug_class is not None:
        drugs |= {mention.drug_class, *case.knowledge.members(mention.drug_class)}
    return drugs


def _alternatives(case: Case, first: Exposure, second: Exposure) -> bool:
    """True where the text offers one drug or the other ("ibuprofen or naproxen")."""
    if first.origin != "output" or second.origin != "output":
        return False
    left, right = sorted((first.span, second.span), key=lambda span: span.start)
    return alternatives(case.judged.output, left, right)


_BETWEEN: Final = 60
"""Characters between two drugs of which the text leaves the choice."""


def alternatives(text: str, left: Span, right: Span) -> bool:
    """True where only "or" (and at most a dose) stands between two mentions."""
    if right.start - left.end > _BETWEEN:
        return False
    between = text[left.end : right.start].lower()
    if len(between) > _BETWEEN or any(mark in between for mark in (".", ";", "\n")):
        return False
    words = between.replace(",", " ").replace("(", " ").replace(")", " ").split()
    return "or" in words and not {"and", "with", "plus", "take", "start", "add"} & set(words)


def _span(case: Case, first: Exposure, second: Exposure) -> Span | None:
    """From the first to the second mention where one clause holds both; None otherwise."""
    if first.origin != "output" or second.origin != "output":
        return None
    start, end = min(first.span.start, second.span.start), max(first.span.end, second.span.end)
    for clause in case.output.clauses:
        if clause.start <= start and end <= clause.end:
            return Span(start, end)
    return None
