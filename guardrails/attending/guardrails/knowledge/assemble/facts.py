"""Facts about one drug: those read from labels, and the authored ones for what no source here says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Basis
from attending.guardrails.knowledge.assemble import tables
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary

PROVENANCE: Final = ("basis", "rule_id", "source")
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "dose_limits": (
        "drug", "route", "formulation", "indication", "phase", "max_days",
        "min_age_years", "max_age_years", "max_single", "max_daily",
        "unit", "per", "min_interval_hours", "confidence", *PROVENANCE,
    ),
    "renal": (
        "drug", "route", "indication", "measure", "below", "action", "max_daily_mg", "per", "min_interval_hours",
        *PROVENANCE,
    ),
    "hepatic": ("drug", "child_pugh", "action", "max_daily_mg", *PROVENANCE),
    "pregnancy": ("drug", "severity", "from_week", "to_week", *PROVENANCE),
    "pregnancy_exceptions": (
        "drug", "max_severity", "condition", "max_daily_mg", "from_week", "to_week", *PROVENANCE,
    ),
    "lactation": ("drug", "severity", "infant_below_days", *PROVENANCE),
    "age": ("drug", "severity", "min_age_years", "max_age_years", *PROVENANCE),
    "contraindications": ("drug", "condition", "severity", *PROVENANCE),
    "courses": ("drug", "route", "max_days", "severity", "by_the_clock", "unless", *PROVENANCE),
    "conception": ("drug", "wait_days", *PROVENANCE),
    "first_doses": ("drug", "max_daily_mg", *PROVENANCE),
    "infusion_rates": (
        "drug", "kind", "max_rate", "unit", "per", "time", "min_minutes", "no_push", "push_up_to", *PROVENANCE,
    ),
}  # fmt: skip
_PREFIX: Final = {
    "dose_limits": "dose", "renal": "renal", "hepatic": "hepatic", "pregnancy": "pregnancy",
    "pregnancy_exceptions": "pregnancy-exception", "lactation": "lactation", "age": "age",
    "contraindications": "contraindication", "courses": "course", "conception": "conception",
    "first_doses": "first-dose", "infusion_rates": "rate",
}  # fmt: skip

Rows = dict[str, list[dict[str, str]]]


def authored(vocabulary: Vocabulary, curated: Path) -> Rows:
    """The authored rows of every table of `COLUMNS`, one per drug: a cell may list drugs and classes with `|`.

    Raises TableError where a side is neither drug nor class, or a condition is not in the condition table.
    """
    conditions = {row["condition"] for row in tables.read(curated / "conditions.tsv")}
    found: Rows = {}
    for table, columns in COLUMNS.items():
        rows: list[dict[str, str]] = []
        for row in tables.read(curated / f"{table}.tsv"):
            for column in ("condition", "unless"):
                if row.get(column) and row[column] not in conditions:
                    raise tables.TableError(f"`{table}.tsv`: unknown condition `{row[column]}`")
            for drug in drugs_of(vocabulary, row["drug"], table):
                told = {column: row.get(column, "") for column in columns}
                told |= {"drug": drug, **_curated(f"{_PREFIX[table]}-{row['id']}:{drug}", row["check"])}
                if table == "dose_limits":
                    told["confidence"] = "high"
                rows.append(told)
        found[table] = rows
    return found


def drugs_of(vocabulary: Vocabulary, cell: str, table: str) -> Iterable[str]:
    """The drugs that a cell of drugs and class ids means, in order, each once. `=heparin` is the drug alone, where a
    class has its name."""
    found: dict[str, None] = {}
    for name in tables.split(cell):
        if name in vocabulary.classes:
            found.update(dict.fromkeys(vocabulary.classes[name]))
            continue
        drug = vocabulary.namer.drug(name.removeprefix("="))
        if drug is None:
            raise tables.TableError(f"`{table}.tsv`: `{name}` is neither drug nor class")
        found[drug] = None
    return found


def sides(vocabulary: Vocabulary, curated: Path, name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of an authored table whose first columns name a drug or class each, with their provenance."""
    found: list[dict[str, str]] = []
    for row in tables.read(curated / name):
        for key in columns:
            if row[key] not in vocabulary.classes and vocabulary.namer.drug(row[key]) != row[key]:
                raise tables.TableError(f"`{name}`: `{row[key]}` is neither drug nor class")
        label = row.get("id") or row["drug"]
        found.append(
            {**row, **_curated(f"{name.removesuffix('.tsv').replace('_', '-')}-{label}", row["check"])}
        )
    return found


def merged(
    *parts: Rows, key: Callable[[dict[str, str]], tuple[str, ...]] = lambda row: tuple(row.values())
) -> Rows:
    """Tables joined and sorted by their cells, each row once."""
    found: Rows = {}
    for table in COLUMNS:
        unique = {key(row): row for part in parts for row in part.get(table, [])}
        found[table] = [unique[one] for one in sorted(unique)]
    return found


def _curated(label: str, check: str) -> dict[str, str]:
    return {
        "basis": Basis.CURATED.value,
        "rule_id": f"curated:{label.replace(' ', '-')}",
        "source": f"curated: needs pharmacist attestation; {check}",
    }
