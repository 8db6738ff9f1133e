"""What changed between two packs, fact by fact: the form in which a pharmacist reviews an update."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from attending.guardrails.knowledge.load import Pack, PackError

Kind = Literal["added", "removed", "changed"]

_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "adjustments.tsv": ("id",),
    "age.tsv": ("drug", "rule_id"),
    "allergens.tsv": ("name",),
    "allergy_groups.tsv": ("class",),
    "attestations.tsv": ("digest",),
    "classes.tsv": ("class",),
    "conditions.tsv": ("name",),
    "contraindications.tsv": ("drug", "condition", "rule_id"),
    "conception.tsv": ("drug", "rule_id"),
    "courses.tsv": ("drug", "rule_id"),
    "cross_reactions.tsv": ("allergen", "to", "rule_id"),
    "dose_limits.tsv": ("drug", "rule_id", "route", "formulation", "indication", "per"),
    "drugs.tsv": ("drug",),
    "first_doses.tsv": ("drug", "rule_id"),
    "formulary.tsv": ("drug", "route", "formulation"),
    "hepatic.tsv": ("drug", "rule_id", "child_pugh"),
    "infusion_rates.tsv": ("drug", "rule_id", "kind"),
    "interactions.tsv": ("a", "b", "rule_id", "above_daily_mg"),
    "label_evidence.tsv": ("fact", "measure"),
    "label_index.tsv": ("set_id",),
    "lactation.tsv": ("drug", "rule_id"),
    "managed_pairs.tsv": ("a", "b", "rule_id"),
    "mme.tsv": ("drug", "route", "unit"),
    "must_hold.tsv": ("a", "b", "rule_id"),
    "names.tsv": ("name",),
    "never_interruptive.tsv": ("a", "b", "rule_id"),
    "none_known.tsv": ("drug", "check"),
    "pregnancy.tsv": ("drug", "rule_id"),
    "pregnancy_exceptions.tsv": ("drug", "rule_id"),
    "renal.tsv": ("drug", "rule_id", "measure", "below"),
    "strengths.tsv": ("drug", "route", "unit", "per"),
}
"""Table -> what a row is about. A table that is not here is compared by whole rows."""
_SUBJECT: Final = ("drug", "a", "b", "allergen", "to", "name", "class", "set_id", "condition", "check", "id")
_LISTS: Final = frozenset({"members", "drugs", "groups", "routes"})


@dataclass(frozen=True, slots=True)
class Change:
    """One fact. `before` and `after` hold the cells that differ, or the whole row where it is new or gone."""

    table: str
    kind: Kind
    subject: str
    rule_id: str
    before: dict[str, str]
    after: dict[str, str]

    def words(self) -> str:
        """The change in one line, without its table."""
        rule = f" ({self.rule_id})" if self.rule_id else ""
        if self.kind != "changed":
            cells = self.after if self.kind == "added" else self.before
            told = ", ".join(
                f"{column.replace('_', ' ')} {cell}"
                for column, cell in cells.items()
                if cell and column not in (*_SUBJECT, "rule_id", "basis", "source")
            )
            return f"{self.kind} {self.subject}{': ' + told if told else ''}{rule}"
        told = "; ".join(_cell(column, self.before[column], self.after[column]) for column in self.before)
        return f"changed {self.subject}: {told}{rule}"


def compare(before: Pack, after: Pack) -> Iterator[Change]:
    """Changes by table, then by subject. Raises PackError for a table that cannot be read."""
    for table in sorted({*before.tables(), *after.tables()}):
        old, new = _rows(before, table), _rows(after, table)
        for key in sorted({*old, *new}):
            yield from _changes(table, old.get(key, []), new.get(key, []))


def _rows(pack: Pack, table: str) -> dict[tuple[str, ...], list[dict[str, str]]]:
    found: defaultdict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    if table not in pack.tables():
        return found
    for row in pack.rows(table):
        columns: Sequence[str] = _KEYS.get(table, tuple(row))
        if missing := [column for column in columns if column not in row]:
            raise PackError(f"table `{table}` has no column `{missing[0]}`")
        found[tuple(row[column] for column in columns)].append(row)
    return found


def _changes(table: str, old: list[dict[str, str]], new: list[dict[str, str]]) -> Iterator[Change]:
    gone = [row for row in old if row not in new]
    come = [row for row in new if row not in old]
    for before, after in zip(gone, come, strict=False):
        columns = [
            column for column in {**before, **after} if before.get(column, "") != after.get(column, "")
        ]
        yield Change(
            table, "changed", _subject(after), after.get("rule_id", ""),
            {column: before.get(column, "") for column in columns},
            {column: after.get(column, "") for column in columns},
        )  # fmt: skip
    for row in gone[len(come) :]:
        yield Change(table, "removed", _subject(row), row.get("rule_id", ""), row, {})
    for row in come[len(gone) :]:
        yield Change(table, "added", _subject(row), row.get("rule_id", ""), {}, row)


def _subject(row: dict[str, str]) -> str:
    return " + ".join(row[column] for column in _SUBJECT if row.get(column)) or next(iter(row.values()), "")


def _cell(column: str, before: str, after: str) -> str:
    shown = column.replace("_", " ")
    if column in _LISTS:
        old, new = set(filter(None, before.split("|"))), set(filter(None, after.split("|")))
        parts = [f"+{one}" for one in sorted(new - old)] + [f"-{one}" for one in sorted(old - new)]
        return f"{shown} {', '.join(parts)}"
    return f"{shown} {before or 'none'} -> {after or 'none'}"
