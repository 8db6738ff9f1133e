"""Interaction rows of the pack from ANSM, NDF-RT, label contraindications and the authored table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge.assemble import tables
from attending.guardrails.knowledge.assemble.not_placed import NotPlaced
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary, class_id
from attending.guardrails.knowledge.importers import ansm, label_facts, ndfrt
from attending.guardrails.knowledge.naming import tidy

COLUMNS: Final = (
    "a", "b", "severity", "basis", "rule_id", "source", "mechanism", "dose_drug", "above_daily_mg", "route",
)  # fmt: skip
_MECHANISMS: Final = (
    ("torsade|qt\\b|ventricular arrhythm", "QT prolongation or arrhythmia"),
    ("hyperkal", "hyperkalemia"),
    ("hypokal", "hypokalemia"),
    ("serotonin", "serotonin syndrome"),
    ("rhabdomyol", "rhabdomyolysis"),
    ("hemorrhag|bleeding|vitamin k antagonist", "bleeding or change of INR"),
    ("respiratory depression", "respiratory depression"),
    ("seizure|epilep|convuls", "seizures"),
    ("hypoglyc", "hypoglycemia"),
    ("bone marrow|hematolog|agranulocyt|neutropen", "bone marrow toxicity"),
    ("ergotism|necrosis of the extrem", "ergotism"),
    ("bradycard|atrioventricular|automatism", "bradycardia or heart block"),
    ("renal insuff|nephrotox|kidney", "kidney injury"),
    ("hypotens", "hypotension"),
    ("hypertens|constriction of blood", "hypertension"),
    ("drowsi|sedat|alertness", "additive sedation"),
    ("effectiveness|decrease of the (?:(?:plasma |blood )?conc|effect|activ)", "level or effect decrease"),
    ("increase of the (?:plasma |blood |circulating )?conc|increase of the undesirable|overdos", "level increase"),
    ("absorption", "absorption decrease"),
    ("opposite|antagonis", "opposed effects"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """`a` and `b` are drugs or class ids, in alphabetical order."""

    a: str
    b: str
    severity: Severity
    basis: Basis
    rule_id: str
    source: str
    mechanism: str = ""
    dose_drug: str = ""
    above_daily_mg: Decimal | None = None
    route: str = ""

    def cells(self) -> dict[str, str]:
        above = "" if self.above_daily_mg is None else f"{self.above_daily_mg:f}"
        return {
            "a": self.a, "b": self.b, "severity": self.severity.value, "basis": self.basis.value,
            "rule_id": self.rule_id, "source": self.source, "mechanism": self.mechanism,
            "dose_drug": self.dose_drug, "above_daily_mg": above, "route": self.route,
        }  # fmt: skip


def build(
    vocabulary: Vocabulary, sources: Path, curated: Path, missed: list[NotPlaced], extra: Iterable[Row] = ()
) -> list[Row]:
    """Rows sorted by pair and rule, `extra` among them; source rows that could not be placed are added to `missed`.

    Raises OSError, TableError (an authored row that names neither drug nor class) or KeyError.
    """
    rows = [
        *_from_ansm(vocabulary, sources, curated, missed),
        *_from_ndfrt(vocabulary, sources, missed),
        *_from_labels(vocabulary, sources, curated),
        *_authored(vocabulary, curated),
        *extra,
    ]
    unique: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if row.a == row.b and row.a not in vocabulary.classes:
            continue
        ordered = row if row.a <= row.b else replace(row, a=row.b, b=row.a)
        unique.setdefault(tuple(ordered.cells().values()), ordered)
    return [unique[key] for key in sorted(unique)]


def mechanism_of(text: str) -> str:
    """A short term for what a source row describes; empty where none of the known effects is named."""
    plain = text.lower()
    return next((term for pattern, term in _MECHANISMS if re.search(pattern, plain)), "")


def _from_ansm(vocabulary: Vocabulary, sources: Path, curated: Path, missed: list[NotPlaced]) -> list[Row]:
    known = ansm.members(sources / "ansm")
    aliases = {row["spelled"]: row["class"] for row in tables.read(curated / "ansm_classes.tsv")}
    fixes = {int(row["row"]): row for row in tables.read(curated / "ansm_rows.tsv")}
    found: list[Row] = []
    for row in ansm.rows(sources / "ansm"):
        sides: list[tuple[str, ...]] = []
        for side in (row.first, row.second):
            one = _ansm_side(vocabulary, side, known, aliases)
            sides.append(() if one is None else (one,))
        if not sides[0] or not sides[1] or row.severity is None:
            why = "grades nothing" if row.severity is None else "a side is no drug or class of the pack"
            missed.append(NotPlaced("ansm", f"row {row.row}", f"{row.first.name} + {row.second.name}", why))
            continue
        only = [drug for name in ansm.only_with(row) for drug in _narrow(vocabulary, name, sides)]
        for which in (0, 1):
            inside = tuple(drug for drug in only if drug in _drugs(vocabulary, sides[which]))
            if inside:
                sides[which] = inside
        fix = fixes.get(row.row, {})
        source = f"ANSM interaction thesaurus, September 2016 (English, glilly/osdi), row {row.row}"
        for number, tier in enumerate(ansm.tiers(row)):
            severity = tier.severity
            if ansm.conditional(row) and severity is Severity.CONTRAINDICATED:
                severity = Severity.MAJOR
            dose_drug = _nearest(vocabulary, tier, sides) if tier.above_daily_mg is not None else ""
            rule_id = f"ansm:2016:{row.row}" + ("" if number == 0 else f":{number + 1}")
            for a in sides[0]:
                for b in sides[1]:
                    if tier.above_daily_mg is not None and not dose_drug:
                        severity = min(severity, Severity.MODERATE, key=lambda s: s.rank)
                    found.append(
                        Row(
                            a, b, severity, Basis.SOURCE_ROW, rule_id, source, mechanism_of(row.description),
                            dose_drug or fix.get("dose_drug", ""),
                            tier.above_daily_mg if dose_drug else None,
                            fix.get("route", ""),
                        )
                    )  # fmt: skip
    return found


def _ansm_side(
    vocabulary: Vocabulary, side: ansm.Side, known: dict[str, tuple[ansm.Side, ...]], aliases: dict[str, str]
) -> str | None:
    if side.kind == "DRUG":
        return vocabulary.side(side.name)
    if side.name in aliases:
        return aliases[side.name]
    name = ansm.resolve_class(side.name, known)
    return None if name is None else class_id(name)


def _drugs(vocabulary: Vocabulary, ids: tuple[str, ...]) -> set[str]:
    return {drug for one in ids for drug in vocabulary.classes.get(one, (one,))}


def _narrow(vocabulary: Vocabulary, name: str, sides: list[tuple[str, ...]]) -> list[str]:
    """The members of either side that a comment's word means: a drug, or a class such as "macrolides"."""
    plain = tidy(re.sub(r"\s+by mouth.*$", "", name))
    drug = vocabulary.namer.drug(plain)
    inside = _drugs(vocabulary, sides[0]) | _drugs(vocabulary, sides[1])
    if drug is not None:
        return [drug] if drug in inside else []
    for class_name, words in vocabulary.class_names.items():
        if plain.rstrip("s") in {word.rstrip("s") for word in words}:
            return sorted(set(vocabulary.classes[class_name]) & inside)
    return []


def _nearest(vocabulary: Vocabulary, tier: ansm.Tier, sides: list[tuple[str, ...]]) -> str:
    """The drug whose dose a row speaks of: the one named in the words that state the dose, last named first."""
    words = re.findall(r"[a-z0-9-]+", tier.near.lower())
    candidates = _drugs(vocabulary, sides[0]) | _drugs(vocabulary, sides[1])
    for size in (1, 2):
        for start in range(len(words) - size, -1, -1):
            drug = vocabulary.namer.drug(" ".join(words[start : start + size]))
            if drug is not None and drug in candidates:
                return drug
    return ""


def _from_ndfrt(vocabulary: Vocabulary, sources: Path, missed: list[NotPlaced]) -> list[Row]:
    found: list[Row] = []
    for pair in ndfrt.read(sources / "ndfrt"):
        placed = False
        for left, right in pair.sides:
            first, second = _ndfrt_side(vocabulary, left), _ndfrt_side(vocabulary, right)
            if not first or not second:
                continue
            placed = True
            for a in first:
                for b in second:
                    if a != b:
                        found.append(
                            Row(
                                a, b, pair.severity, Basis.SOURCE_ROW, f"ndfrt:2014:{pair.row}",
                                f"VA NDF-RT interactions, 2014-07-07, row {pair.row}",
                            )
                        )  # fmt: skip
            break
        if not placed:
            missed.append(NotPlaced("ndfrt", f"row {pair.row}", pair.text, "a side is no drug of the pack"))
    return found


def _ndfrt_side(vocabulary: Vocabulary, text: str) -> tuple[str, ...]:
    one = vocabulary.side(text)
    if one is not None:
        return (one,)
    return vocabulary.namer.drugs(text) or ()


def _from_labels(vocabulary: Vocabulary, sources: Path, curated: Path) -> list[Row]:
    """The `drug:` contraindications of label facts. What holds in some patients only is major, and says so."""
    words = {row["label_words"]: row for row in tables.read(curated / "label_codrugs.tsv")}
    found: list[Row] = []
    unknown: set[str] = set()
    for fact in label_facts.read(sources / "label-facts"):
        for number, cell in enumerate(fact.contraindicated, start=1):
            if not cell.startswith("drug:"):
                continue
            told = cell.removeprefix("drug:").strip()
            if told not in words:
                unknown.add(told)
                continue
            entry = words[told]
            # Of a combination, the part named first: the label does not say which part interacts.
            drug = vocabulary.namer.drug(fact.ingredient.split(" / ")[0])
            if drug is None:
                continue
            for other in tables.split(entry["sides"]):
                if other == drug or vocabulary.classes.get(other) == (drug,):
                    continue
                found.append(
                    Row(
                        drug, other, Severity(entry["severity"]), Basis.LABEL_TEXT,
                        f"label:{drug.replace(' ', '-')}:{fact.number}:{number}",
                        f"FDA label {fact.reference}, {fact.section}",
                        entry["mechanism"], route=entry["route"],
                    )
                )  # fmt: skip
    if unknown:
        raise tables.TableError(f"label co-medications without a meaning: {'; '.join(sorted(unknown))}")
    return found


def _authored(vocabulary: Vocabulary, curated: Path) -> list[Row]:
    found: list[Row] = []
    unknown: set[str] = set()
    for row in tables.read(curated / "interactions.tsv"):
        sides: list[list[str]] = [[], []]
        for side, cell in zip(sides, (row["a"], row["b"]), strict=True):
            for name in tables.split(cell):
                one = name if name in vocabulary.classes else vocabulary.namer.drug(name)
                if one is None:
                    unknown.add(name)
                else:
                    side.append(one)
        for a in sides[0]:
            for b in sides[1]:
                if a == b and a not in vocabulary.classes:
                    continue
                found.append(
                    Row(
                        a, b, Severity(row["severity"]), Basis.CURATED, f"curated:{row['id']}",
                        f"curated: needs pharmacist attestation; {row['check']}", row["mechanism"],
                        row["dose_drug"], Decimal(row["above_daily_mg"]) if row["above_daily_mg"] else None,
                        row["route"],
                    )
                )  # fmt: skip
    if unknown:
        raise tables.TableError(
            f"interaction sides that are neither drug nor class: {'; '.join(sorted(unknown))}"
        )
    return found
