"""The authored overlays: pairs that must hold whatever a source says, pairs that never interrupt alone, and pairs that
labels allow at a lowered dose or in a condition.

All are expanded to one row per pair of sides; a side is a drug or a class id. No pair both holds and never interrupts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge.assemble import tables
from attending.guardrails.knowledge.assemble.facts import PROVENANCE
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary

MUST_HOLD: Final = ("a", "b", "severity", "mechanism", *PROVENANCE)
NEVER_INTERRUPTIVE: Final = ("a", "b", "dose_drug", "above_daily_mg", "spaced_hours", *PROVENANCE)
MANAGED: Final = ("a", "b", "dose_drug", "up_to_daily_mg", "condition", *PROVENANCE)


def build(
    vocabulary: Vocabulary, curated: Path, add: Callable[[str, Sequence[str], list[dict[str, str]]], None]
) -> None:
    """Adds the tables. Raises TableError where a side is neither drug nor class, a must-hold row is below major, a
    pair of drugs both holds and never interrupts, or a managed row names an unknown condition or none of dose and
    condition."""
    must = _rows(vocabulary, curated, "must_hold", MUST_HOLD)
    never = _rows(vocabulary, curated, "never_interruptive", NEVER_INTERRUPTIVE)
    if any(Severity(row["severity"]).rank < Severity.MAJOR.rank for row in must):
        raise tables.TableError("`must_hold.tsv`: a row is below major")
    both = _pairs(vocabulary, must) & _pairs(
        vocabulary, [row for row in never if not (row["dose_drug"] or row["spaced_hours"])]
    )
    if both:
        told = "; ".join(" + ".join(sorted(pair)) for pair in sorted(both, key=sorted))
        raise tables.TableError(f"pairs that must hold and never interrupt: {told}")
    managed = _rows(vocabulary, curated, "managed_pairs", MANAGED)
    conditions = {row["condition"] for row in tables.read(curated / "conditions.tsv")}
    for row in managed:
        if not (row["up_to_daily_mg"] or row["condition"]):
            raise tables.TableError(
                f"`managed_pairs.tsv`: `{row['rule_id']}` names neither dose nor condition"
            )
        if not conditions.issuperset(tables.split(row["condition"])):
            raise tables.TableError(f"`managed_pairs.tsv`: unknown condition in `{row['rule_id']}`")
    add("must_hold.tsv", MUST_HOLD, must)
    add("never_interruptive.tsv", NEVER_INTERRUPTIVE, never)
    add("managed_pairs.tsv", MANAGED, managed)


def _rows(vocabulary: Vocabulary, curated: Path, name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in tables.read(curated / f"{name}.tsv"):
        provenance = {
            "basis": Basis.CURATED.value,
            "rule_id": f"curated:{name.replace('_', '-')}-{row['id']}",
            "source": f"curated: needs pharmacist attestation; {row['check']}",
        }
        for a in tables.split(row["a"]):
            for b in tables.split(row["b"]):
                left, right = sorted((_side(vocabulary, a, name), _side(vocabulary, b, name)))
                cells = {**row, **provenance, "a": left, "b": right}
                found[left, right, row["id"]] = {column: cells[column] for column in columns}
    return [found[key] for key in sorted(found)]


def _side(vocabulary: Vocabulary, name: str, table: str) -> str:
    one = name if name in vocabulary.classes else vocabulary.namer.drug(name)
    if one is None:
        raise tables.TableError(f"`{table}.tsv`: `{name}` is neither drug nor class")
    return one


def _pairs(vocabulary: Vocabulary, rows: list[dict[str, str]]) -> set[frozenset[str]]:
    return {
        frozenset((a, b))
        for row in rows
        for a in vocabulary.classes.get(row["a"], (row["a"],))
        for b in vocabulary.classes.get(row["b"], (row["b"],))
    }
