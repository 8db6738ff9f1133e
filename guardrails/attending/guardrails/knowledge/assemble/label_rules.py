"""Structured rules from the short phrases of label facts: who a dose row is for, and what kidneys, liver, pregnancy
and conditions change. A phrase that none of the forms fits gives no rule: never a guessed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge.assemble import tables
from attending.guardrails.knowledge.assemble.facts import Rows
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary
from attending.guardrails.knowledge.importers import label_facts
from attending.guardrails.knowledge.importers.label_facts import LabelRow

ADULT_YEARS: Final = Decimal(18)
ELDERLY_YEARS: Final = Decimal(65)
SEVERE_EGFR: Final = Decimal(30)
DIALYSIS_EGFR: Final = Decimal(15)
_ROUTES: Final = {"inhalation": "inhaled", "injection": "", "parenteral": ""}
_DOSE_UNITS: Final = frozenset(
    {"mg", "mcg", "g", "mEq", "mg/kg", "mcg/kg", "mg/m2", "inhalation", "drop", "unit"}
)
_NUMBER = r"(\d+(?:\.\d+)?)"
_BAND: Final = re.compile(
    rf"(?:e?gfr|crcl)\s*(?:falls\s*)?(<=|<|>)?\s*{_NUMBER}(?:-{_NUMBER})?(?: or \S+)?\s*(.*)"
)
_CAP: Final = re.compile(rf"max {_NUMBER} mg(?:(/day)| every {_NUMBER} h| (twice) daily|/day every \d+ h)")
_WORDS: Final = {
    "contraindicated": "contraindicated",
    "avoid": "avoid",
    "not recommended": "avoid",
}
_LOADS: Final = re.compile(r"\bload\w*|\bfirst dose\b", re.I)
_OTHER_DRUG: Final = re.compile(r"\bwith (?!prior)|aliskiren|inhibitor|\barb\b", re.I)


@dataclass(frozen=True, slots=True)
class Population:
    """Who a row is for; `general` is False where it is for a state (kidneys, liver, another drug) only."""

    min_age_years: Decimal | None
    max_age_years: Decimal | None
    indication: str
    general: bool

    @property
    def newborn(self) -> bool:
        return self.max_age_years is not None and self.max_age_years < 1


def build(vocabulary: Vocabulary, sources: Path, curated: Path) -> tuple[Rows, list[dict[str, str]]]:
    """The tables of rules, and the (drug, check) pairs of which a label says that nothing is to be done.

    Raises OSError, or TableError for a contraindication that the table of label conditions does not know.
    """
    conditions = {
        row["label_words"]: tables.split(row["conditions"])
        for row in tables.read(curated / "label_conditions.tsv")
    }
    rows: Rows = {
        name: [] for name in ("dose_limits", "renal", "hepatic", "pregnancy", "age", "contraindications")
    }
    nothing: dict[tuple[str, str], dict[str, str]] = {}
    for fact in label_facts.read(sources / "label-facts"):
        drugs = vocabulary.namer.drugs(fact.ingredient) or ()
        # A combination's label does not say which part a rule is due to; it is the part named first.
        chief = vocabulary.namer.drug(fact.ingredient.split(" / ")[0])
        who = population(fact.population)
        for drug in drugs:
            told = _provenance(fact, drug)
            rows["dose_limits"] += [
                {"drug": drug, **row, **told} for row in dose(fact, who, drug, len(drugs))
            ]
            if who.newborn or not who.general or drug != chief:
                continue
            if who.max_age_years is None:
                rows["renal"] += [
                    {"drug": drug, **row, "indication": who.indication, **told} for row in renal(fact.renal)
                ]
                rows["hepatic"] += [{"drug": drug, **row, **told} for row in hepatic(fact.hepatic)]
            rows["pregnancy"] += [{"drug": drug, **row, **told} for row in pregnancy(fact.pregnancy)]
            rows["age"] += [{"drug": drug, **row, **told} for row in ages(fact, who)]
            for cell in fact.contraindicated:
                if cell.startswith("drug:"):
                    continue
                if cell not in conditions:
                    raise tables.TableError(f"label condition `{cell}` is not in `label_conditions.tsv`")
                for condition in conditions[cell]:
                    severity = Severity.CONTRAINDICATED.value
                    rows["contraindications"].append(
                        {"drug": drug, "condition": condition, "severity": severity, **told}
                    )
                if "pregnan" in cell and "partner" not in cell and "first trimester" not in cell:
                    severity = Severity.CONTRAINDICATED.value
                    rows["pregnancy"].append(
                        {"drug": drug, "severity": severity, "from_week": "", "to_week": "", **told}
                    )
            for check, text in (
                ("renal", fact.renal),
                ("hepatic", fact.hepatic),
                ("pregnancy", fact.pregnancy),
            ):
                if _says_nothing(text):
                    nothing[drug, check] = {"drug": drug, "check": check, "source": told["source"]}
            if fact.no_fixed_ceiling:
                nothing[drug, "dose"] = {"drug": drug, "check": "dose", "source": told["source"]}
    for row in tables.read(curated / "none_known.tsv"):
        silent = vocabulary.namer.drug(row["drug"])
        if silent is None:
            raise tables.TableError(f"`none_known.tsv`: `{row['drug']}` is no drug")
        nothing.setdefault((silent, row["check"]), {**row, "drug": silent})
    return rows, [nothing[key] for key in sorted(nothing)]


def population(text: str) -> Population:
    """The age band and indication of a population cell, months and weeks as fractions of a year."""
    inside = " ".join(re.findall(r"\(([^)]*)\)", text))
    bare = re.sub(r"\([^)]*\)", " ", text).lower()
    general = (
        re.search(r"crcl|gfr|child-pugh|hepatic|inhibitor|on ritonavir|esrd|debilitated$", text.lower())
        is None
    )
    low: Decimal | None = None
    high: Decimal | None = None
    band = re.search(rf"{_NUMBER}\s*(mo|wk|y)?\s*-\s*{_NUMBER}\s*(mo|wk|y)", bare)
    least = re.search(rf"(>=|>|<=|<)\s*{_NUMBER}\s*(mo|wk|y)\b", bare)
    if band is not None:
        low = _years(band[1], band[2] or band[4])
        top = Decimal(band[3]) + (1 if band[4] == "y" else 0)
        high = _years(str(top), band[4])
    elif least is not None:
        bound = _years(least[2], least[3])
        if least[1].startswith(">"):
            low = bound
        else:
            high = bound
    elif re.search(r"neonate|premature|preterm", bare):
        high = _years("1", "mo")
    elif "elderly" in bare:
        low = ELDERLY_YEARS
    elif re.search(r"child|infant", bare) and "adult" not in bare:
        high = ADULT_YEARS
    elif "adult" in bare:
        low = ADULT_YEARS
    if re.search(r"^child|^infant", bare) and high is None:
        high = ADULT_YEARS
    if re.search(r"^adult and child\s*(?!.*(?:mo|wk|y)\b)", bare):
        low = None
    weight = re.search(r"(?:<=|>=|<|>)\s*\d+(?:-<?\d+)? kg|\d+-<\d+ kg|lower weight", bare)
    indication = ", ".join(part for part in (inside, weight[0] if weight else "") if part)
    return Population(low, high, indication, general)


def dose(fact: LabelRow, who: Population, drug: str, combined: int) -> Iterator[dict[str, str]]:
    """The dose limit of a row, if it states one in a unit that a prescription uses.

    A combination's row speaks of the component its population names, in that product only.
    """
    if combined > 1 and f"{drug} component" not in fact.population:
        return
    single = fact.max_single if fact.single_unit in _DOSE_UNITS else None
    daily = fact.max_daily if fact.daily_unit in _DOSE_UNITS else None
    unit = fact.single_unit if single is not None else fact.daily_unit
    if single is not None and daily is not None and fact.single_unit != fact.daily_unit:
        daily = None
    if (single is None and daily is None and fact.min_interval_hours is None) or (
        unit and unit not in _DOSE_UNITS
    ):
        return
    plain, _, per = unit.partition("/")
    indication = who.indication
    if combined > 1:
        indication = f"as {fact.ingredient}, {indication}"
    if not who.general:
        indication = f"only {fact.population}"
    yield {
        "route": _ROUTES.get(fact.route, fact.route),
        "formulation": "" if fact.formulation == "any" else fact.formulation,
        "indication": indication,
        **phase(indication),
        "min_age_years": _text(who.min_age_years),
        "max_age_years": _text(who.max_age_years),
        "max_single": _text(single),
        "max_daily": _text(daily),
        "unit": plain or "mg",
        "per": per or ("kg" if fact.per_kg else ""),
        "min_interval_hours": _text(fact.min_interval_hours),
        "confidence": fact.confidence,
    }


def phase(indication: str) -> dict[str, str]:
    """Whether an indication speaks of the beginning of treatment only, and for how many days at most."""
    days = re.search(rf"first {_NUMBER} days|days 1-{_NUMBER}", indication)
    if days is not None:
        return {"phase": "load", "max_days": days[1] or days[2]}
    return {"phase": "load" if _LOADS.search(indication) else "", "max_days": ""}


def renal(text: str) -> Iterator[dict[str, str]]:
    """Rules of a renal cell. A band ("crcl 30-50 max ...") holds below its upper end."""
    for part in _parts(text):
        if _OTHER_DRUG.search(part) or part.startswith(("scr", "gout initial", "2 of")):
            continue
        band = _BAND.fullmatch(part)
        if band is not None:
            sign, low, high, told = band[1], Decimal(band[2]), band[3], band[4]
            if sign == ">":
                continue
            below = low if high is None else Decimal(high)
            if high is not None and below % 10 == 9:
                below += 1
            if sign == "<=":
                below += Decimal("0.01")
            yield from _renal_action(below, told, "egfr" if "gfr" in part else "crcl")
        elif re.match(r"(?:severe|advanced|significant|anuria)\b", part) and "half" not in part:
            yield from _renal_action(SEVERE_EGFR, part)
        elif part.startswith(("dialysis", "esrd", "hemodialysis")):
            yield from _renal_action(DIALYSIS_EGFR, part)


def _renal_action(below: Decimal, told: str, measure: str = "crcl") -> Iterator[dict[str, str]]:
    cap = _CAP.search(told)
    action = ""
    ceiling: Decimal | None = None
    if cap is not None:
        action, amount = "cap", Decimal(cap[1])
        ceiling = amount
        if cap[3]:
            ceiling = (amount * 24 / Decimal(cap[3])).quantize(Decimal(1))
        elif cap[4]:
            ceiling = amount * 2
    elif "initiation not recommended" in told or "glycemic control" in told:
        action = "adjust"
    else:
        action = next((found for word, found in _WORDS.items() if word in told), "")
        if not action and re.search(r"reduce|start|initial|half|adjust|once daily|no 875|mg/day", told):
            action = "adjust"
    if action:
        yield {
            "measure": measure,
            "below": f"{below:f}",
            "action": action,
            "max_daily_mg": _text(ceiling),
            "per": "",
            "min_interval_hours": "",
            "route": "",
            "indication": "",
        }


def hepatic(text: str) -> Iterator[dict[str, str]]:
    """Rules of a hepatic cell by Child-Pugh class; severe is C, moderate B, mild A."""
    for part in _parts(text):
        told = part.lower()
        if re.search(r"\bno adjustment|^prior |ask doctor|hepatic coma|^caution|monitor", told):
            continue
        for clause in re.split(r"\bsevere (?=titrate)", told):
            grades = _grades(clause)
            if "contraindicated" in clause:
                action = "contraindicated"
            elif re.search(r"avoid|not recommended", clause):
                action = "avoid"
            elif re.search(r"\bmax\b|up to", clause):
                action = "cap"
            elif re.search(r"start|reduce|half|lower|less frequent", clause):
                action = "adjust"
            else:
                continue
            yield {"child_pugh": "".join(sorted(grades)), "action": action, "max_daily_mg": ""}


def _grades(told: str) -> set[str]:
    letters = re.search(r"child-pugh ([abc])(?:-([abc]))?\b", told)
    if letters is not None:
        first, last = letters[1].upper(), (letters[2] or letters[1]).upper()
        return {grade for grade in "ABC" if first <= grade <= last}
    points = re.search(r"child-pugh (>=?)?\s*(\d+)(?:-(\d+))?", told)
    if points is not None:
        low = int(points[2]) + (1 if points[1] == ">" else 0)
        high = int(points[3]) if points[3] else (15 if points[1] else low)
        bands = {"A": (5, 6), "B": (7, 9), "C": (10, 15)}
        return {grade for grade, (start, end) in bands.items() if start <= high and end >= low}
    found: set[str] = set()
    for word, grade in (
        ("mild", "A"),
        ("moderate", "B"),
        ("severe", "C"),
        ("acute liver failure", "C"),
        ("decompensated", "C"),
    ):
        if word in told:
            found.add(grade)
    return found


def pregnancy(text: str) -> Iterator[dict[str, str]]:
    """Rules of a pregnancy cell. Weeks are of gestation; the second trimester begins at week 14."""

    def rule(severity: Severity, first: int | None = None, last: int | None = None) -> dict[str, str]:
        return {
            "severity": severity.value,
            "from_week": "" if first is None else str(first),
            "to_week": "" if last is None else str(last),
        }

    told = text.lower()
    if "20-30 weeks limit" in told:
        yield rule(Severity.MAJOR, 20)
    elif "first trimester contraindicated" in told:
        yield rule(Severity.MODERATE, None, 13)
    elif "second and third trimester not recommended" in told:
        yield rule(Severity.MAJOR, 14)
    elif (
        "fetal toxicity" in told
        or "detected (boxed)" in told
        or "contraindicated" in told
        or "category x" in told
    ):
        yield rule(Severity.CONTRAINDICATED)
    elif re.search(
        r"category d|^can cause fetal harm|^avoid|tooth discoloration|discontinue when recognized", told
    ):
        yield rule(Severity.MAJOR)
    elif re.search(r"may cause fetal harm|bleeding risk|neonatal sedation|potential fetal risk", told):
        yield rule(Severity.MODERATE)
    elif re.search(r"first-trimester use|days before labor", told):
        yield rule(Severity.MINOR)


def ages(fact: LabelRow, who: Population) -> Iterator[dict[str, str]]:
    """Ages at which the row says the drug is not given."""

    def rule(severity: Severity, low: Decimal | None, high: Decimal | None) -> dict[str, str]:
        return {"severity": severity.value, "min_age_years": _text(low), "max_age_years": _text(high)}

    for cell in fact.contraindicated:
        below = re.fullmatch(r"age <(\d+)y", cell)
        if below is not None:
            yield rule(Severity.CONTRAINDICATED, None, Decimal(below[1]))
        elif "Reye" in cell:
            yield rule(Severity.MAJOR, None, Decimal(19))
    if (
        "not recommended" in fact.section
        and who.max_age_years is not None
        and fact.max_daily is None
        and fact.max_single is None
    ):
        yield rule(Severity.MAJOR, who.min_age_years, who.max_age_years)
    if (
        "not recommended" in fact.section
        and who.max_age_years is None
        and (who.min_age_years or 0) > ELDERLY_YEARS
    ):
        yield rule(Severity.MAJOR, who.min_age_years, None)


def _says_nothing(text: str) -> bool:
    return (
        re.match(
            r"no adjustment|no reduction needed|mild-severe no adjustment|continue;|no drug-associated risk"
            r"|category b\b|mild-moderate no adjustment$|usual dose no accumulation|mild-severe or esrd no",
            text.lower(),
        )
        is not None
    )


def _provenance(fact: LabelRow, drug: str) -> dict[str, str]:
    return {
        "basis": Basis.LABEL_TEXT.value,
        "rule_id": f"label:{drug.replace(' ', '-')}:{fact.number}",
        "source": f"FDA label {fact.reference}, {fact.section}",
    }


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _years(number: str, unit: str) -> Decimal:
    value = Decimal(number)
    if unit == "mo":
        value /= 12
    elif unit == "wk":
        value /= Decimal("52.18")
    return value.quantize(Decimal("0.001")).normalize() if unit != "y" else value


def _text(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"
