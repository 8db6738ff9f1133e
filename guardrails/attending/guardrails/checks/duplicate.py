"""The same ingredient twice, and two drugs of a class of which a patient takes one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import amount_of, exposure_amount
from attending.guardrails.checks.case import Case, Exposure, curated, drugs_of, lowered, rule
from attending.guardrails.checks.interaction import alternatives
from attending.guardrails.checks.limits import Ceiling, daily_ceiling
from attending.guardrails.checks.short_name import shortened
from attending.guardrails.checks.switch import switched
from attending.guardrails.clinical.sentence import one_sentence
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class _Group:
    id: str
    shown: str
    severity: Severity
    classes: tuple[str, ...]
    check: str


_GROUPS: Final = (
    _Group("nsaid", "two NSAIDs", Severity.MAJOR, ("nsaid",), "NSAID labels, drug interactions"),
    _Group(
        "ras",
        "two blockers of the renin-angiotensin system",
        Severity.MAJOR,
        ("acei", "arb", "arni", "renin_inhibitor"),
        "ACE inhibitor and ARB labels, dual blockade",
    ),
    _Group(
        "ssri_snri", "two SSRIs or SNRIs", Severity.MAJOR, ("ssri", "snri"), "SSRI labels, serotonin syndrome"
    ),
    _Group(
        "anticoagulant",
        "two anticoagulants",
        Severity.MAJOR,
        ("doac", "vitamin_k_antagonist", "heparin", "lmwh", "anticoagulant"),
        "anticoagulant labels, bleeding",
    ),
    _Group("statin", "two statins", Severity.MAJOR, ("statin",), "statin labels"),
    _Group(
        "benzodiazepine",
        "two benzodiazepines or Z-drugs",
        Severity.MODERATE,
        ("benzodiazepine", "z_drug"),
        "labels",
    ),
    _Group("beta_blocker", "two beta blockers", Severity.MAJOR, ("beta_blocker",), "beta blocker labels"),
    _Group("triptan", "two triptans", Severity.CONTRAINDICATED, ("triptan",), "triptan labels, section 4"),
    _Group(
        "maoi", "two MAO inhibitors", Severity.CONTRAINDICATED, ("maoi",), "MAO inhibitor labels, section 4"
    ),
    _Group("ppi", "two proton pump inhibitors", Severity.MODERATE, ("ppi",), "labels"),
    _Group("h2_blocker", "two H2 blockers", Severity.MODERATE, ("h2_blocker",), "labels"),
    _Group(
        "sulfonylurea",
        "two sulfonylureas",
        Severity.MAJOR,
        ("sulfonylurea",),
        "sulfonylurea labels, hypoglycemia",
    ),
    _Group("glp1", "two incretin drugs", Severity.MODERATE, ("glp1", "dpp4"), "GLP-1 and DPP-4 labels"),
    _Group("sglt2", "two SGLT2 inhibitors", Severity.MODERATE, ("sglt2",), "labels"),
    _Group("p2y12", "two P2Y12 inhibitors", Severity.MAJOR, ("p2y12",), "P2Y12 inhibitor labels"),
    _Group("pde5", "two PDE5 inhibitors", Severity.MAJOR, ("pde5_inhibitor",), "PDE5 inhibitor labels"),
    _Group("dihydropyridine", "two dihydropyridines", Severity.MODERATE, ("dihydropyridine_ccb",), "labels"),
    _Group("thiazide", "two thiazides", Severity.MODERATE, ("thiazide",), "labels"),
    _Group("loop", "two loop diuretics", Severity.MODERATE, ("loop_diuretic",), "labels"),
    _Group("tca", "two tricyclics", Severity.MAJOR, ("tca",), "tricyclic labels"),
    _Group("alpha", "two alpha blockers", Severity.MODERATE, ("alpha_blocker",), "labels"),
    _Group("bisphosphonate", "two bisphosphonates", Severity.MODERATE, ("bisphosphonate",), "labels"),
)

_CHANGES: Final = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|chang\w+|switch\w*|titrat\w+|instead|replac\w+|rais\w+|lower\w*|adjust\w*"
    r"|go(?:es)? up|go(?:es)? down|up to|down to|bump\w*|from \d+|refill\w*|renew\w*|continu\w+|keep\w*|stay\w*)\b",
    re.I,
)
_LINE: Final = re.compile(r"\n")
_CONTAINED: Final = re.compile(
    r"\b(?:contain\w*|includ\w*|(?:product|remedy|medicine|preparation|drug|brand|anything|something|else|cough"
    r"|cold)s?"
    r"(?: \w+){0,3} (?:with|has|have|containing)|already ha(?:s|ve)|is (?:in|already in|also in|part of)"
    r"|made (?:of|with)"
    r"|(?:amount|total|sum|source)s? of|all)\b[^.;\n]{0,20}$",
    re.I,
)
"""What comes before an ingredient that a text only says is inside a product."""
_BRIDGED: Final = ("vitamin_k_antagonist", "heparin", "lmwh")
"""Heparins overlap with warfarin on purpose when it is started."""
_INHALED_WORDS: Final = (
    "salmeterol formoterol vilanterol indacaterol olodaterol arformoterol tiotropium umeclidinium aclidinium "
    "glycopyrrolate"
)
_INHALED_ONCE: Final = frozenset(_INHALED_WORDS.split())
_LOW_DOSE_ASPIRIN: Final = "aspirin"


_RESCUE: Final = frozenset({"naloxone"})
"""Carried for an overdose beside the product that holds it."""
_HAS: Final = re.compile(
    r"(?: [\w-]+){0,4}(?: \d[\d./-]*(?: ?mg)?)?(?: (?:tablets?|capsules?|sachets?|pills?|each)){0,2}[,:]? "
    r"(?:already |also |each )?(?:has|have|contains?|includes?|is|are|holds?|with|combines?|of)\b[^.;\n]{0,45}",
    re.I,
)
_IN_IT: Final = re.compile(
    r"(?: \d[\d.]* ?m?g)?(?: (?:that is|already|also))? in(?:side)? (?:it|them|this|that|each|there)\b", re.I
)
_IN_ITS_PLACE: Final = re.compile(
    r"\b(?:switch\w*|chang\w+|convert\w*|swap\w*|transition\w*|mov(?:e|ed|ing)|stepp?(?:ed)? up|goes|go)"
    r"(?: [\w-]+){0,4}? (?:to|over to|for)(?: the)? ?(?:[^()\n.;]{2,40}\()?\Z|\breplac\w+ (?:\w+ )?(?:by"
    r"|with)(?: the)? ?\Z"
    r"|\binstead(?: of \w+)?,? (?:take |use |start |give )?\Z",
    re.I,
)


def duplicates(case: Case) -> Iterator[Finding]:
    yield from _same_ingredient(case)
    yield from _same_class(case)


def _same_ingredient(case: Case) -> Iterator[Finding]:
    """One ingredient in two products of the output, or started in a product beside another one being taken."""
    first: dict[str, Exposure] = {}
    reported: set[str] = set()
    for exposure in case.given:
        if exposure.generic_class is not None or (case.is_local(exposure) and not _inhaled(exposure)):
            continue
        if (
            exposure.drug in _RESCUE
            or _two_names(exposure)
            or _only_contained(case, exposure)
            or _part_of_a_product(case, exposure)
        ):
            continue
        held = first.setdefault(exposure.drug, exposure)
        if held is exposure or exposure.drug in reported:
            continue
        if held.resolved is not exposure.resolved:
            continue  # the one begins when the state that the other is for is gone
        if (
            (case.is_local(held) and not _inhaled(held))
            or _restated(case, held, exposure)
            or shortened(case, held, exposure)
            or _same_product(case.judged.output, held, exposure)
            or _short_name(held, exposure)
            or _by_ingredient(case, held, exposure)
            or _exchanged(case.judged.output, held, exposure)
            or _one_ended(case, held, exposure)
            or _summed_up(case, exposure.drug)
            or _rescue_of(case, held, exposure)
        ):
            continue
        reported.add(exposure.drug)
        yield case.finding(
            Code.DUPLICATE,
            exposure,
            Severity.MAJOR,
            rule("same-ingredient", "names of the knowledge pack"),
            f"{exposure.drug} is in both {held.text} and {exposure.text}",
            drugs=(exposure.drug,),
        )
    # What the output itself lists is the same product under its other name.
    listed = {e.drug: e for e in case.taking if e.drug in case.recorded}
    for exposure in case.unique_given():
        other = listed.get(exposure.drug)
        if other is None or exposure.drug in reported or case.is_local(exposure) or not exposure.new:
            continue
        if exposure.scope is Scope.CONTINUE or not _another_product(case, other.text, exposure):
            continue
        yield case.finding(
            Code.DUPLICATE,
            exposure,
            Severity.MAJOR,
            rule("same-ingredient-listed", "the patient's medication list and names of the knowledge pack"),
            f"{exposure.drug} is started as {exposure.text}, and the patient already takes it as another product",
            drugs=(exposure.drug,),
        )


def _two_names(exposure: Exposure) -> bool:
    """True for two drugs written with a plus between them and no dose: "basal insulin + metformin + semaglutide"."""
    mention, statement = exposure.mention, exposure.statement
    return (
        mention is not None
        and statement is not None
        and len(mention.drugs) > 1
        and " + " in mention.text
        and statement.dose is None
    )


def _inhaled(exposure: Exposure) -> bool:
    """True for an inhaled long-acting bronchodilator or steroid: local, and harmful twice all the same."""
    return exposure.drug in _INHALED_ONCE


def _only_contained(case: Case, exposure: Exposure) -> bool:
    """True where the text only says that a product holds the ingredient ("it already contains acetaminophen")."""
    if exposure.statement is None or exposure.statement.dose is not None or exposure.origin != "output":
        return False
    before = case.judged.output[max(0, exposure.span.start - 60) : exposure.span.start]
    return _CONTAINED.search(before) is not None


def _part_of_a_product(case: Case, exposure: Exposure) -> bool:
    """True where the text says of a product named just before that the ingredient is in it: "each Solpadeine has 500 mg
    paracetamol", "the Lemsip has paracetamol in it"."""
    if exposure.mention is None or exposure.origin != "output":
        return False
    text, start, end = case.judged.output, exposure.span.start, exposure.span.end
    if _IN_IT.match(text, end) is not None:
        return True
    for statement in case.output.statements:
        other = statement.mention
        if exposure.drug not in other.drugs or not 0 < start - other.span.end <= 70:
            continue
        if set(other.drugs) == set(exposure.mention.drugs) and not other.brand:
            continue
        if _HAS.fullmatch(text[other.span.end : start]) is not None:
            return True
    return False


def _exchanged(text: str, held: Exposure, exposure: Exposure) -> bool:
    """True where the product named later comes in the place of the one before: "lisinopril 20. Switch to
    lisinopril-HCTZ"."""
    left, right = sorted((held.span, exposure.span), key=lambda span: span.start)
    if _product(held) == _product(exposure) or "\n" in text[left.end : right.start]:
        return False
    return right.start - left.end <= 160 and _IN_ITS_PLACE.search(text, left.end, right.start) is not None


def _one_ended(case: Case, held: Exposure, exposure: Exposure) -> bool:
    """True where the text stops the one of two products by its name, between the two or behind them: "on oral morphine
    for a month. Converted to a patch; his morphine stopped. Oramorph 10 mg as needed"."""
    if held.mention is None or held.text.lower() == exposure.text.lower():
        return False
    ended = [
        statement.mention.span.start
        for statement in case.output.statements
        if statement.scope is Scope.STOP
        and statement.reported
        and statement.mention.text.lower() == held.text.lower()
        and statement.mention.span.start > held.span.start
    ]
    return bool(ended) and not any(
        e.text.lower() == held.text.lower() and e.span.start > ended[-1] for e in case.given
    )


def _summed_up(case: Case, drug: str) -> bool:
    """True where the text adds the products up itself and the sum is within the ceiling of a day; the doses are added
    up by `stacking` too."""
    ceiling = daily_ceiling(case, drug)
    if ceiling is None:
        return False
    if _sum_told(case, drug, ceiling):
        return True
    totals = [
        amount.high
        for e in case.given
        if e.drug == drug and e.statement is not None and e.statement.total
        if (amount := exposure_amount(e, case)) is not None and amount.unit == ceiling.unit
    ]
    return bool(totals) and max(totals) <= ceiling.amount


_ADDED_UP: Final = Sieved(
    r"\b(?:total\w*|all sources|every source|any source|added? (?:it )?(?:up|together)|add(?:s|ing)? up|altogether"
    r"|in all"
    r"|together|combined|from both|count(?:s|ed|ing)?|sum)\b",
    re.I,
)


def _sum_told(case: Case, drug: str, ceiling: Ceiling) -> bool:
    """True where the text minds the sum over the products and states one, as a sum or as the limit of the day, that is
    within the ceiling. What the doses come to is judged by `stacking`."""
    stated: list[Decimal] = []
    for statement in case.output.statements:
        if drug not in statement.mention.drugs or len(statement.mention.drugs) > 1:
            continue
        doses = [
            statement.daily_limit,
            statement.dose if statement.total or statement.scope is Scope.LIMIT else None,
        ]
        for dose in doses:
            amount = amount_of(dose, case, statement.mention) if dose is not None else None
            if amount is not None and amount.unit == ceiling.unit and not amount.per_kg:
                stated.append(amount.high)
    return bool(stated) and max(stated) <= ceiling.amount and _ADDED_UP.search(case.judged.output) is not None


_RESCUE_OPIOID: Final = re.compile(
    r"\b(?:shortec|oxynorm|oramorph|sevredol|roxicodone|oxyir|msir"
    r"|breakthrough|rescue|immediate[- ]release|IR|as needed|p\.?r\.?n|concentrate|only if needed|liquid|"
    r"oral solution)(?!\w)",
    re.I,
)
_LONG_ACTING: Final = re.compile(
    r"\b(?:ms ?contin|mst(?: continus)?|longtec|morphgesic|oxycontin|kadian|xtampza"
    r"|arymo|zomorph|avinza|exalgo|hysingla|zohydro|nucynta er|opana er|conzip"
    r"|ER|XR|SR|CR|LA|MR|(?:extended|sustained|controlled|modified|prolonged|slow)[- ]release|long[- ]acting)\b",
    re.I,
)


def _rescue_of(case: Case, held: Exposure, exposure: Exposure) -> bool:
    """True for a long-acting opioid and the short-acting form of it for breakthrough pain: the usual regimen of
    cancer pain, whose sum `mme` judges."""
    if not case.of_class(exposure.drug, "opioid") or held.statement is None or exposure.statement is None:
        return False
    text = case.judged.output
    around = [
        text[e.span.start : min(_next_stop(text, e.span.end), e.span.end + 120)] for e in (held, exposure)
    ]
    for long, short in (around, around[::-1]):
        if (
            _LONG_ACTING.search(long[:60])
            and not _LONG_ACTING.search(short[:40])
            and _RESCUE_OPIOID.search(short)
        ):
            return True
    return False


def _next_stop(text: str, start: int) -> int:
    ends = [at for mark in (". ", "\n", ";") if (at := text.find(mark, start)) >= 0]
    return min(ends, default=len(text))


def _product(exposure: Exposure) -> frozenset[str]:
    return frozenset(exposure.mention.drugs) if exposure.mention is not None else frozenset({exposure.drug})


_HELPERS: Final = frozenset(
    {
        "naloxone",
        "carbidopa",
        "benserazide",
        "clavulanate",
        "sulbactam",
        "tazobactam",
        "cobicistat",
        "ritonavir",
    }
)
"""Ingredients that only help another one, by whose name alone the product goes on to be called."""


def _short_name(held: Exposure, exposure: Exposure) -> bool:
    """True for a bare name that goes on to call a product by its main ingredient: "buprenorphine/naloxone 8-2 mg, two
    films daily ... keep the buprenorphine going"."""
    one, other = _product(held), _product(exposure)
    if not (one < other or other < one) or not (one ^ other) <= _HELPERS:
        return False
    bare = held if one < other else exposure
    return bare.statement is not None and bare.statement.dose is None and not bare.statement.started


def _same_product(text: str, held: Exposure, exposure: Exposure) -> bool:
    """True for two mentions of one product. A brand and a generic name of one ingredient, each with its own dose,
    are two products: a reader takes both."""
    if _product(held) != _product(exposure):
        return False
    short, long = sorted((held.text.lower(), exposure.text.lower()), key=len)
    if short == long or f"({short})" in long or held.mention is None or exposure.mention is None:
        return True
    doses = [
        e.statement.dose for e in (held, exposure) if e.statement is not None and e.statement.dose is not None
    ]
    both_brands = held.mention.brand and exposure.mention.brand
    if (held.mention.brand != exposure.mention.brand or both_brands) and _both_listed(text, held, exposure):
        return False
    return held.mention.brand == exposure.mention.brand or len(doses) < 2 or doses[0].text == doses[1].text


def _both_listed(text: str, held: Exposure, exposure: Exposure) -> bool:
    """True for two entries of one list, each with its own dose and frequency ("Lipitor 40 mg nightly, ..., atorvastatin
    40 mg nightly"): they are two products to whoever follows the list, even at one dose."""
    statements = (held.statement, exposure.statement)
    if any(s is None or s.dose is None for s in statements) or all(
        s is None or s.frequency is None for s in statements
    ):
        return False
    if any(s is None or s.frequency is None for s in statements) and not _two_brands(held, exposure):
        return False
    left, right = sorted((held.span, exposure.span), key=lambda span: span.start)
    between = text[left.end : right.start]
    if _LINE.search(between):
        return _own_line(text, left.start) and _own_line(text, right.start)
    if _own_sentence(text, left.start) and _own_sentence(text, right.start) and _ends_there(text, statements):
        return True
    return one_sentence(text, left.end, right.start) and re.search(r"[,;+&]|\band\b", between) is not None


def _two_brands(held: Exposure, exposure: Exposure) -> bool:
    """Whether two brands of the drug stand there: nobody calls one product by both."""
    one, other = held.mention, exposure.mention
    return one is not None and other is not None and one.brand and other.brand and held.text != exposure.text


def _own_sentence(text: str, at: int) -> bool:
    return at == 0 or re.search(r"[.;\n]\s{1,3}\Z", text[max(0, at - 4) : at]) is not None


def _ends_there(text: str, statements: Sequence[Statement | None]) -> bool:
    """Whether each sentence is an order and no more: "Ozempic 1 mg weekly. Semaglutide 1 mg weekly."."""
    ends = [s.frequency.span.end for s in statements if s is not None and s.frequency is not None]
    return all(re.match(r"\s*(?:[.;\n]|\Z)", text[end : end + 4]) for end in ends)


def _own_line(text: str, at: int) -> bool:
    return (
        re.fullmatch(r"[\s|\-*\u2022\u00b7\d.)(]*(?:[a-zA-Z][.)] )?", text[text.rfind("\n", 0, at) + 1 : at])
        is not None
    )


def _another_product(case: Case, listed: str, exposure: Exposure) -> bool:
    """True where the list holds the ingredient in another combination, or the output starts it by a brand name that
    the list does not use."""
    if frozenset(drugs_of(listed, case.lexicon)) != _product(exposure):
        return True
    if exposure.mention is None or exposure.statement is None or not exposure.statement.started:
        return False
    clause = case.judged.output[exposure.statement.clause.start : exposure.statement.clause.end]
    name = exposure.text.lower()
    named = name in listed.lower() or any(word in name for word in listed.lower().split())
    return exposure.mention.brand and not named and _CHANGES.search(clause) is None


def _restated(case: Case, held: Exposure, exposure: Exposure) -> bool:
    """True for a gloss of one product: "Percocet (oxycodone and acetaminophen)", "Norco, a hydrocodone mix"."""
    left, right = sorted((held.span, exposure.span), key=lambda span: span.start)
    between = case.judged.output[left.end : right.start]
    if len(between) <= 3 and between.strip() in ("(", "/", "", "-"):
        return True
    glossed = (
        "contains",
        "which is",
        "also known",
        "also called",
        "brand",
        "generic",
        "contain",
        "includes",
        "(",
    )
    return (
        len(between) < 60
        and "\n" not in between
        and any(word in between.lower() for word in glossed)
        and "." not in between
    )


_OWN_WORDS: Final = 60
"""Characters behind a name; a dose further off was told of the product."""


def _by_ingredient(case: Case, held: Exposure, exposure: Exposure) -> bool:
    """True for a brand and its one ingredient by name, where the ingredient has no directions of its own: "Ozempic
    0.25 mg once weekly, then 0.5 mg ... once she is on semaglutide 0.5 mg"."""
    brands = [e for e in (held, exposure) if e.mention is not None and e.mention.brand]
    names = [e for e in (held, exposure) if e.mention is not None and not e.mention.brand]
    if len(brands) != 1 or len(names) != 1 or brands[0].mention is None or len(brands[0].mention.drugs) != 1:
        return False
    said = names[0].statement
    if said is None or names[0].new or said.started or said.frequency is not None:
        return False
    apart = said.dose is not None and abs(said.dose.span.start - said.mention.span.end) > _OWN_WORDS
    return (
        said.dose is None
        or apart
        or any(
            e.statement is not None
            and e.statement.dose is not None
            and e.statement.dose.high == said.dose.high
            for e in case.given
            if e.drug == held.drug and e.mention is not None and e.mention.brand
        )
    )


def _same_class(case: Case) -> Iterator[Finding]:
    given = [e for e in case.unique_given() if not case.is_local(e)]
    taking = [e for e in case.taking if e.drug not in {g.drug for g in given}]
    for group in _GROUPS:
        inside = [e for e in given if case.of_class(e.drug, *group.classes)]
        listed = [e for e in taking if case.of_class(e.drug, *group.classes)]
        for position, exposure in enumerate(inside):
            for other in (*inside[:position], *listed):
                if not _counts(case, group, exposure, other):
                    continue
                severity = group.severity
                if not exposure.new and not other.new:
                    existing = {exposure.drug, other.drug} <= case.recorded
                    mild = existing and severity is not Severity.CONTRAINDICATED
                    severity = Severity.MINOR if mild else lowered(severity)
                yield case.finding(
                    Code.DUPLICATE,
                    exposure,
                    severity,
                    curated(f"duplicate-{group.id}", group.check),
                    f"{group.shown} together: {other.drug} and {exposure.drug}",
                    drugs=sorted((other.drug, exposure.drug)),
                )


_CLOCK: Final = re.compile(r"[ \t]{0,8}(?:[-*\u2022] )?\d{1,2}[:.]\d\d\b")


def _once_by_the_clock(case: Case, exposure: Exposure) -> bool:
    """True for a dose in the record of what was done, line by line with the time: "02:33 lorazepam 4 mg IV"."""
    statement = exposure.statement
    if statement is None or exposure.new is False or statement.frequency is not None or statement.started:
        return False
    line = case.judged.output.rfind("\n", 0, exposure.span.start) + 1
    return statement.dose is not None and _CLOCK.match(case.judged.output, line) is not None


def _counts(case: Case, group: _Group, one: Exposure, other: Exposure) -> bool:
    pair = {one.drug, other.drug}
    if group.id == "nsaid" and _LOW_DOSE_ASPIRIN in pair:
        return False
    if (
        group.id == "anticoagulant"
        and all(any(case.of_class(drug, cls) for cls in _BRIDGED) for drug in pair)
        and any(case.of_class(drug, "vitamin_k_antagonist") for drug in pair)
    ):
        return False
    if (
        group.id == "glp1"
        and all(case.of_class(drug, "dpp4") for drug in pair) is False
        and not any(case.of_class(drug, "glp1") for drug in pair)
    ):
        return False
    if one.origin == other.origin == "output" and one.span == other.span:
        return False  # the ingredients of one product
    if switched(case, one, other):
        return False
    if group.id == "benzodiazepine" and _once_by_the_clock(case, one) and _once_by_the_clock(case, other):
        return False
    if one.origin == "output" and other.origin == "output":
        left, right = sorted((one.span, other.span), key=lambda span: span.start)
        return not alternatives(case.judged.output, left, right)
    return True
