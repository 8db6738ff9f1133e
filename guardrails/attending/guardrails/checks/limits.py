"""Which ceilings of a drug hold for this patient: by age, route, form and indication.

Where several rows remain, the highest is used: a finding must not rest on a limit that another row lifts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Final

from attending.guardrails.checks.amounts import MG_PER, body_surface_m2, times_per_day, to_base
from attending.guardrails.checks.case import ADULT_YEARS, Case, Exposure
from attending.guardrails.checks.course import WITHOUT_END, lasting_days
from attending.guardrails.checks.indication import groups, said, told_of_patient
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.clinical.strength import LOCAL_ANAESTHETICS
from attending.guardrails.knowledge.facts import DoseLimit, Provenance
from attending.guardrails.sieve import Sieved

_EXTENDED: Final = re.compile(
    r"\b(?:ER|MR|XR|XL|SR|CR|LA|CD|extended[- ]release|sustained[- ]release|slow[- ]release|controlled[- ]release)\b"
)
_EXTENDED_FORMS: Final = frozenset({"ER", "XR", "SR", "XL", "CR", "LA"})
_EXTENDED_BRANDS: Final = (
    "bydureon", "oxycontin", "xtampza", "exalgo", "conzip", "ultram er", "panadol osteo", "osteomol", "tylenol 8",
    "tylenol arthritis",
)  # fmt: skip
_PLAIN: Final = frozenset({"acetaminophen"})
_DEPOTS: Final = {
    form: re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.I)
    for form, words in {
        "undecanoate": r"undecanoate|nebido|aveed|reandron",
        "decanoate": r"decanoate|depot|long[- ]acting|LAI|haldol dec(?:anoate)?",
        "pamoate": r"pamoate|embonate|zypadhera|relprevv|depot|long[- ]acting|LAI",
        "three-monthly": r"trinza|trevicta|(?:3|three)[- ]month(?:ly|s)?|quarterly|(?:12|13|twelve) weeks",
        "six-monthly": r"hafyera|byannli|(?:6|six)[- ]month(?:ly|s)?|twice a year|half-?yearly",
        "two-monthly": r"asimtufii|(?:2|two)[- ]month(?:ly|s)?|every (?:other month|8 weeks|eight weeks)",
        "lauroxil": r"lauroxil|aristada",
    }.items()
}
"""Forms of an injection whose limits hold for nothing else, as a text names them."""
_PEDIATRIC: Final = Sieved(
    r"\b(?:child(?:ren)?|p(?:a)?ediatric|infants?|neonat\w+|newborns?|toddlers?|bab(?:y|ies)|kids?)\b", re.I
)
_KEPT_FROM: Final = re.compile(
    r"\b(?:reach|sight|away from|hands|hearing|hear|wake|waking|care of|look after|looking after|pick up|picking up)"
    r"(?: (?:and (?:the )?sight|of|of the|for|your|the|all|any|small|young|her|his|other)){0,5} \Z"
    r"|\b(?:safe|keep\w*|stor\w*|lock\w*)\b[^.;\n]{0,40}\b(?:from|of) (?:\w+ ){0,2}\Z"
    r"|\b(?:never|not|n't)(?: be)? (?:give|given|share|shared)\b[^.;\n]{0,30}\Z",
    re.I,
)
_NURSING: Final = re.compile(
    r"\b(?:nursing(?! (?:home|staff|note|care))|breast-?\s?fe\w+|breast-?milk|lactat\w+|into (?:your |"
    r"the )?milk|mother'?s milk|"
    r"pumped milk)\b",
    re.I,
)
_GIVEN_TO_CHILD: Final = re.compile(
    r"\b(?:give|gives|giving|dose|dosing|treat|feed in)\b[^.;\n]{0,20}\b(?:bab(?:y|ies)|infants?|newborns?|"
    r"neonates?|child(?:ren)?)\b"
    r"|\b(?:baby|infant|newborn|child|neonate)(?:'s)? (?:has|had|is (?:febrile|feverish|teething)|needs?|weighs|"
    r"dose|should (?:have|take)|can have)\b",
    re.I,
)
CHILD_KG: Final = Decimal(30)
"""Who weighs less is taken for a child where no age is given."""
CHILD_UNTIL_YEARS: Final = 12
DAY_HOURS: Final = Decimal(24)
_BRAND_ROUTES: Final = {
    "ozempic": "subcutaneous", "wegovy": "subcutaneous", "rybelsus": "oral", "duragesic": "transdermal",
    "otrexup": "subcutaneous", "rasuvo": "subcutaneous", "trexall": "oral", "butrans": "transdermal",
    "catapres-tts": "transdermal", "imitrex statdose": "subcutaneous", "zomacton": "subcutaneous",
    "depo-provera": "intramuscular", "depo-subq provera": "subcutaneous", "androgel": "topical",
    "androderm": "transdermal",
    "minivelle": "transdermal", "climara": "transdermal", "vivelle-dot": "transdermal", "exelon patch": "transdermal",
    "daytrana": "transdermal", "lidoderm": "topical", "transderm scop": "transdermal", "neupro": "transdermal",
    "invega sustenna": "intramuscular", "invega trinza": "intramuscular", "abilify maintena": "intramuscular",
    "risperdal consta": "intramuscular", "zyprexa relprevv": "intramuscular", "vivitrol": "intramuscular",
    "xeplion": "intramuscular", "trevicta": "intramuscular", "byannli": "intramuscular",
    "invega hafyera": "intramuscular", "abilify asimtufii": "intramuscular", "aristada": "intramuscular",
    "zypadhera": "intramuscular", "uzedy": "subcutaneous", "perseris": "subcutaneous", "okedi": "intramuscular",
    "rykindo": "intramuscular", "nebido": "intramuscular", "aveed": "intramuscular", "buvidal": "subcutaneous",
    "sublocade": "subcutaneous", "brixadi": "subcutaneous", "sandostatin lar": "intramuscular",
    "depo-testosterone": "intramuscular", "bicillin l-a": "intramuscular", "victoza": "subcutaneous",
    "saxenda": "subcutaneous", "byetta": "subcutaneous", "bydureon": "subcutaneous", "qvar": "inhaled",
    "pulmicort": "inhaled", "flovent": "inhaled", "flonase": "nasal", "nasonex": "nasal", "rhinocort": "nasal",
    "nasacort": "nasal", "atrovent": "inhaled", "narcan": "nasal", "spravato": "nasal", "nitrostat": "sublingual",
    "nitro-dur": "transdermal", "vagifem": "vaginal", "yuvafem": "vaginal", "imvexxy": "vaginal",
    "suboxone": "sublingual", "zubsolv": "sublingual", "zembrace": "subcutaneous", "zembrace symtouch": "subcutaneous",
    "onzetra": "nasal", "tosymra": "nasal", "nayzilam": "nasal", "valtoco": "nasal", "buccolam": "buccal",
    "epistatus": "buccal", "diastat": "rectal", "sprix": "nasal", "zomig nasal": "nasal",
}  # fmt: skip
"""Brands that stand for one route of a drug which has several."""
_INJECT: Final = re.compile(r"\b(?:inject\w*|(?:auto-?)?(?:pen|syringe|shot|vial|injector)s?)\b", re.I)
_NEVER_INJECTED: Final = frozenset(
    {
        "oral",
        "nasal",
        "inhaled",
        "buccal",
        "sublingual",
        "rectal",
        "vaginal",
        "topical",
        "transdermal",
        "ophthalmic",
    }
)
_LOADS: Final = Sieved(
    r"\b(?:loading|loaded|load with|digitali[sz]\w+|bolus|initial bolus|starter pack)\b", re.I
)
_ORAL_FORMS: Final = frozenset({"tablet", "capsule", "teaspoon", "lozenge"})
_STRICT: Final = ("anticoagulant", "doac", "heparin", "lmwh", "opioid", "insulin")
_STRICT_DRUGS: Final = frozenset(
    {"methotrexate", "digoxin", "lithium", "mefloquine", "chloroquine", "tafenoquine", "amphotericin b"}
)
"""Drugs whose limit is the strict one where the text does not say what they are for."""
_CANCER: Final = Sieved(
    r"\b(?:cancer|chemo\w*|carcinom\w*|choriocarcinom\w*|trophoblast\w*|leuk(?:a)?emi\w*|lymphom\w*|mycosis fungoides"
    r"|sarcom\w*|osteosarcom\w*|tumou?rs?|metasta\w*|oncolog\w*|malignan\w*|ectopic"
    r"|all (?:maintenance|consolidation))\b"
)
"""Uses whose doses say nothing of the everyday ones, over lower-case words."""
_ROUTE_ALIASES: Final = {
    "inhalation": "inhaled",
    "iv": "intravenous",
    "im": "intramuscular",
    "sc": "subcutaneous",
}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """`amount` of `unit` ("mg" for mass), per kilogram or square metre where so marked."""

    amount: Decimal
    unit: str
    provenance: Provenance
    confidence: str
    per_kg: bool = False
    per_m2: bool = False
    adult_only: bool = False
    """True where the patient is a child and only an adult's limit is known: an upper bound, not a target."""
    scaled: bool = False
    """True where the amount is one by weight or surface, multiplied by the patient's: doses are rounded to syringes."""


def applicable(case: Case, drug: str, statement: Statement | None) -> tuple[list[DoseLimit], bool]:
    """The rows that hold for this patient and route, and whether they are an adult's rows used for a child."""
    rows = list(case.knowledge.dose_limits(drug))
    rows = _by_route(case, rows, statement)
    rows, borrowed = _by_age(case, rows)
    rows = _by_form(case, rows, statement)
    rows = _by_phase(case, drug, rows, statement)
    return _by_indication(case, drug, rows), borrowed


def ceilings(
    case: Case, drug: str, statement: Statement | None, pick: Callable[[DoseLimit], Decimal | None]
) -> list[Ceiling]:
    """The highest ceiling of each kind (absolute, per kg, per m2) and unit among the rows that hold."""
    key = ("ceilings", drug, statement, pick.__name__)
    return case.once(key, lambda: _ceilings(case, drug, statement, pick))


def _ceilings(
    case: Case, drug: str, statement: Statement | None, pick: Callable[[DoseLimit], Decimal | None]
) -> list[Ceiling]:
    rows, borrowed = applicable(case, drug, statement)
    best: dict[tuple[str, bool, bool], Ceiling] = {}
    for row in rows:
        value = pick(row)
        if value is None:
            continue
        amount, unit = to_base(value, row.unit)
        key = (unit, row.per_kg, row.per_m2)
        if key not in best or amount > best[key].amount:
            best[key] = Ceiling(
                amount, unit, row.provenance, row.confidence, row.per_kg, row.per_m2, borrowed
            )
    return list(best.values())


def single(row: DoseLimit) -> Decimal | None:
    return row.max_single


def daily(row: DoseLimit) -> Decimal | None:
    return row.max_daily


def resolved(case: Case, found: Sequence[Ceiling], unit: str) -> Ceiling | None:
    """The one absolute ceiling in `unit` for this patient: per-kg and per-m2 ceilings are multiplied by the
    patient's size where known, and the lowest of those and of the absolute ceiling holds."""
    candidates: list[Ceiling] = []
    for ceiling in found:
        if ceiling.unit != unit:
            continue
        factor: Decimal | None = Decimal(1)
        if ceiling.per_kg:
            factor = case.context.weight_kg or heaviest_child_kg(case)
        elif ceiling.per_m2:
            factor = body_surface_m2(case)
        if factor is not None:
            candidates.append(
                Ceiling(
                    ceiling.amount * factor,
                    unit,
                    ceiling.provenance,
                    ceiling.confidence,
                    adult_only=ceiling.adult_only,
                    scaled=ceiling.per_kg or ceiling.per_m2,
                )
            )
    return min(candidates, key=lambda c: c.amount) if candidates else None


def daily_ceiling(case: Case, drug: str, statement: Statement | None = None) -> Ceiling | None:
    """The most mg of a drug on one day for this patient, or None where the pack has no such limit."""
    return resolved(case, ceilings(case, drug, statement, daily), "mg")


def route_of(statement: Statement | None) -> str | None:
    """The route that a statement gives, by its words, its brand or a form that is swallowed; None where it does not."""
    if statement is None:
        return None
    route = statement.route or _BRAND_ROUTES.get(statement.mention.text.lower())
    if LOCAL_ANAESTHETICS.issuperset(statement.mention.drugs):
        return route  # their millilitres are injected
    if route is None and statement.dose is not None and _counted_form(statement):
        return "oral"
    return route


def speaks_of_injection(case: Case, statement: Statement) -> bool:
    """True where the clause of a statement names a syringe, pen, vial or shot."""
    return _INJECT.search(_clause(case, statement)) is not None


def _by_route(case: Case, rows: list[DoseLimit], statement: Statement | None) -> list[DoseLimit]:
    route = route_of(statement)
    if route is None and statement is not None and speaks_of_injection(case, statement):
        injected = [row for row in rows if _route(row) not in _NEVER_INJECTED]
        return injected or rows
    if (
        route is None
        and statement is not None
        and not set(statement.mention.drugs).isdisjoint(_infused(case))
    ):
        into_vein = [row for row in rows if _route(row) in (None, "intravenous")]
        if into_vein:
            return into_vein
    if route is None and statement is not None and lasting_days(case, statement) == WITHOUT_END:
        # What is taken for life is not injected into a vein; a drug without oral rows keeps all it has.
        swallowed = [row for row in rows if _route(row) in (None, "oral")]
        return swallowed or rows
    if route is None:
        if case.audience == "patient":
            oral = [row for row in rows if _route(row) in (None, "oral")]
            return oral or rows
        return rows
    return [row for row in rows if _route(row) in (None, route)]


def _infused(case: Case) -> frozenset[str]:
    """The drugs whose amount per minute or time of infusion the output tells: they run into a vein."""
    return case.once(
        ("infused",),
        lambda: frozenset(
            drug
            for s in case.output.statements
            if s.over_minutes is not None or (s.dose is not None and s.dose.per_time == "min")
            if s.route in (None, "intravenous")
            for drug in s.mention.drugs
        ),
    )


def _clause(case: Case, statement: Statement) -> str:
    return case.judged.output[statement.clause.start : statement.clause.end]


def _route(row: DoseLimit) -> str | None:
    return None if row.route is None else _ROUTE_ALIASES.get(row.route, row.route)


def _counted_form(statement: Statement) -> bool:
    dose = statement.dose
    return dose is not None and (dose.unit in _ORAL_FORMS or (dose.count is not None and dose.unit in MG_PER))


def _by_age(case: Case, rows: list[DoseLimit]) -> tuple[list[DoseLimit], bool]:
    age = case.age_years
    if age is None:
        if speaks_of_children(case):
            children = [row for row in rows if row.max_age_years is not None]
            return (children, False) if children else (rows, True)
        return [row for row in rows if _adult(row)] or rows, False
    fitting = [row for row in rows if _fits(row, age)]
    if fitting or age >= ADULT_YEARS:
        return fitting or rows, False
    return rows, True


def speaks_of_children(case: Case) -> bool:
    """True where the output or the prompt speaks of a child without giving an age."""
    weight = case.context.weight_kg
    return (weight is not None and weight < CHILD_KG) or case.once(
        ("children",), lambda: _told_of_a_child(case)
    )


def _told_of_a_child(case: Case) -> bool:
    """Whether a child is the one treated. Of a mother who nurses, the child is somebody else unless it is given the
    drug; and what is kept from all children is taken by none."""
    for text in (case.judged.output, case.judged.prompt or ""):
        named = _PEDIATRIC.finditer(text)
        if all(_KEPT_FROM.search(text, max(0, m.start() - 60), m.start()) for m in named):
            continue
        if not (case.context.lactating or _NURSING.search(text)) or _GIVEN_TO_CHILD.search(text):
            return True
    return False


def heaviest_child_kg(case: Case) -> Decimal | None:
    """What no child of the told age weighs, well above the 97th percentile of the CDC growth charts (12 kg at one year,
    26 kg at five, 50 kg at ten); None for others, and where the age may be that of the child of a nursing mother."""
    age = case.age_years
    if age is None or age >= CHILD_UNTIL_YEARS or _of_a_nursing_mother(case):
        return None
    return (15 + 5 * age).quantize(Decimal(1))


def _of_a_nursing_mother(case: Case) -> bool:
    """True where the age that is told may be that of the child whose mother is treated."""
    return bool(case.context.lactating) or any(
        _NURSING.search(text) and not _GIVEN_TO_CHILD.search(text)
        for text in (case.judged.output, case.judged.prompt or "")
    )


def _adult(row: DoseLimit) -> bool:
    return _fits(row, Decimal(40))


def _fits(row: DoseLimit, age: Decimal) -> bool:
    if row.min_age_years is not None and age < row.min_age_years:
        return False
    return row.max_age_years is None or age < row.max_age_years


def _by_form(case: Case, rows: list[DoseLimit], statement: Statement | None) -> list[DoseLimit]:
    forms = {row.formulation for row in rows if row.formulation not in (None, "any")}
    if statement is None or not forms:
        return rows
    if not _DEPOTS.keys().isdisjoint(forms):
        return _by_depot(case, rows, statement)
    if statement.mention.text.lower().startswith(_EXTENDED_BRANDS):
        return [row for row in rows if row.formulation in _EXTENDED_FORMS] or rows
    if _EXTENDED.search(_clause(case, statement)):
        fitting = [
            row for row in rows if row.formulation in (None, "any") or row.formulation in _EXTENDED_FORMS
        ]
        return fitting or rows
    if is_strict(case, rows[0].drug) or rows[0].drug in _PLAIN:
        # of a drug of narrow range the plain form is meant where no other is said, and of one that all have at home
        return [row for row in rows if row.formulation not in _EXTENDED_FORMS] or rows
    return rows


def _by_depot(case: Case, rows: list[DoseLimit], statement: Statement) -> list[DoseLimit]:
    """The rows of the depot that the words around the name say it is; without such words the rows of no depot."""
    span = statement.mention.span
    clause = statement.clause
    said = case.judged.output[clause.start : max(clause.end, min(len(case.judged.output), span.end + 40))]
    # the last of the forms is the narrowest: "paliperidone palmitate 3-monthly depot"
    named = [form for form, words in _DEPOTS.items() if words.search(said)]
    told = [row for row in rows if row.formulation in named]
    if told:
        return told
    return [row for row in rows if row.formulation not in _DEPOTS] or rows


def _by_phase(case: Case, drug: str, rows: list[DoseLimit], statement: Statement | None) -> list[DoseLimit]:
    """A row for the beginning of treatment holds where the text speaks of that; else the drug's other rows hold."""
    if not any(row.phase == "load" for row in rows):
        return rows
    if statement is not None and (days := lasting_days(case, statement)) is not None:
        # so many days of it and then less: that is the load itself, whatever it is given for
        told = [
            row for row in rows if row.phase == "load" and row.max_days is not None and days <= row.max_days
        ]
        if told and _less_follows(case, drug, statement, times_per_day(statement.frequency)):
            return told
    kept = [row for row in rows if row.phase != "load" or _begins(case, drug, row, statement)]
    return kept or rows


def _begins(case: Case, drug: str, row: DoseLimit, statement: Statement | None) -> bool:
    if statement is None:
        return False
    days = lasting_days(case, statement)
    if row.max_days is not None and days is not None:
        return days <= row.max_days
    if days == WITHOUT_END:
        return False
    if statement.loading or case.says(_LOADS):
        return True
    if row.indication and _told(case, row.indication):
        return True
    frequency = statement.frequency
    if (frequency is None or frequency.once_only) and not is_strict(case, drug):
        return True
    return _less_follows(case, drug, statement)


def _less_follows(case: Case, drug: str, statement: Statement, times: Decimal | None = None) -> bool:
    """True where the text goes on with no larger dose of the drug ("400 mg twice daily for two weeks, then 200 mg"), or
    with no more than so many `times` of this one ("15 mg twice daily, then 20 mg once")."""
    dose = statement.dose
    if dose is None:
        return False
    starts, least = case.once("doses", lambda: _doses(case)).get((drug, dose.unit), ((), ()))
    following = bisect_right(starts, dose.span.start)
    return following < len(least) and least[following] <= dose.high * max(times or 1, 1)


def _doses(case: Case) -> dict[tuple[str, str], tuple[Sequence[int], Sequence[Decimal]]]:
    """(drug, unit) -> where its doses stand, in order, and the least of each and those after it."""
    doses: dict[tuple[str, str], list[tuple[int, Decimal]]] = {}
    for exposure in case.given:
        dose = exposure.statement.dose if exposure.statement is not None else None
        if dose is not None:
            doses.setdefault((exposure.drug, dose.unit), []).append((dose.span.start, dose.high))
    return {key: _least(sorted(placed)) for key, placed in doses.items()}


def _least(placed: list[tuple[int, Decimal]]) -> tuple[list[int], list[Decimal]]:
    least = list(accumulate((high for _, high in reversed(placed)), min))
    return [start for start, _ in placed], least[::-1]


def is_strict(case: Case, drug: str) -> bool:
    return drug in _STRICT_DRUGS or drug.startswith("insulin") or case.of_class(drug, *_STRICT)


def _told(case: Case, indication: str) -> bool:
    """`said` of output, prompt and conditions, asked once for each indication."""
    return case.once(("said", indication), lambda: said(indication, case.told))


def _told_of_patient(case: Case, indication: str) -> bool:
    return case.once(("told of", indication), lambda: told_of_patient(indication, case.told))


def is_extended(row: DoseLimit) -> bool:
    return row.formulation in _EXTENDED_FORMS


def _by_indication(case: Case, drug: str, rows: list[DoseLimit]) -> list[DoseLimit]:
    """What the text says the drug is for decides; else all rows hold, and for a strict drug those of any use."""
    rows = [row for row in rows if not _exceptional(row) or _told_of_patient(case, row.indication or "")]
    if not any(row.indication for row in rows):
        return rows
    told = [row for row in rows if row.indication and _told(case, row.indication)]
    plain = [row for row in rows if not row.indication]
    if not is_strict(case, drug):
        if told:
            return [*told, *plain]
        # A limit by weight for one use does not lower the limit for every use.
        by_weight = {row.route for row in plain if not row.per_kg and row.max_single is not None}
        return [row for row in rows if not (row.indication and row.per_kg and row.route in by_weight)]
    chosen = told or plain
    # By route: a limit of an injection says nothing of the tablet, whose only limit may be one for a use.
    settled = {row.route for row in chosen}
    rest = [row for row in rows if row.route not in settled]
    if not case.says(_CANCER):
        everyday = {row.route for row in rest if not _of_cancer(row)}
        rest = [row for row in rest if not _of_cancer(row) or row.route not in everyday]
    return [row for row in rows if row in chosen or row in rest]


def _exceptional(row: DoseLimit) -> bool:
    """Whether the row raises a ceiling for one use and holds only where the text tells of that use."""
    return row.indication is not None and row.indication.startswith("only in ")


def _of_cancer(row: DoseLimit) -> bool:
    return row.indication is not None and _CANCER.search(row.indication.lower()) is not None


def indication_unknown(case: Case, drug: str, statement: Statement | None) -> bool:
    """True where the rows that hold are for several uses and the text names none of them."""
    rows, _ = applicable(case, drug, statement)
    named = {row.indication for row in rows if row.indication and any(groups(row.indication))}
    return len(named) > 1 and not any(_told(case, indication) for indication in named)


def exposure_ceilings(
    case: Case, exposure: Exposure, pick: Callable[[DoseLimit], Decimal | None]
) -> list[Ceiling]:
    return ceilings(case, exposure.drug, exposure.statement, pick)
