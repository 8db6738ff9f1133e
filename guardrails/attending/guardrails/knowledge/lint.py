"""What is wrong with a pack, row by row: faults that a build cannot see, or that a hand brought in.

A fault is certain: each rule here names something that no correct pack holds. What is merely doubtful is for the
reviewer of a diff.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from attending.guardrails.finding import Severity
from attending.guardrails.knowledge import attestation
from attending.guardrails.knowledge.load import Pack

Row = Mapping[str, str]


class Fault(StrEnum):
    """Why a row is wrong."""

    SET_ID_MALFORMED = "SET_ID_MALFORMED"
    SET_ID_UNKNOWN = "SET_ID_UNKNOWN"
    SET_ID_OF_ANOTHER_INGREDIENT = "SET_ID_OF_ANOTHER_INGREDIENT"
    DANGLING = "DANGLING"
    """A row names a drug, class or condition that the pack does not hold."""
    DUPLICATE_ID = "DUPLICATE_ID"
    CONTRADICTION = "CONTRADICTION"
    EMPTY_CLASS = "EMPTY_CLASS"
    TWO_MEANINGS = "TWO_MEANINGS"
    UNMARKED = "UNMARKED"
    """A curated row that is neither attested nor says that it needs it."""
    UNSOURCED = "UNSOURCED"
    NOT_A_VALUE = "NOT_A_VALUE"
    """A number, severity or basis that is none."""
    STALE_ATTESTATION = "STALE_ATTESTATION"
    """An attestation of a row that is not in the pack, as it was attested."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` counts from 1 with the heading, as an editor does."""

    table: str
    line: int
    fault: Fault
    what: str


_SET_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CITED: Final = re.compile(r"(?:openfda|dailymed):\s*([^,;]+)")
_NOT_READ: Final = "(set id not read)"
_BASES: Final = frozenset({"source_row", "label_text", "curated", "attested"})
_SEVERITIES: Final = frozenset(level.value for level in Severity)
_PAIRS: Final = frozenset(
    {"interactions.tsv", "must_hold.tsv", "never_interruptive.tsv", "managed_pairs.tsv"}
)
_NUMBERS: Final = frozenset({
    "min_age_years", "max_age_years", "max_single", "max_daily", "min_interval_hours", "above_daily_mg", "max_daily_mg",
    "below", "from_week", "to_week", "factor", "infant_below_days", "spaced_hours",
    "strength", "up_to_daily_mg", "max_days", "max_rate", "min_minutes", "push_up_to",
})  # fmt: skip
_ORDERED: Final = (("min_age_years", "max_age_years"), ("from_week", "to_week"))
"""Not a single dose and a day's: a loading or weekly dose may be above the ceiling of a day."""
_KEYS: Final = {
    "drugs.tsv": ("drug",),
    "names.tsv": ("name",),
    "classes.tsv": ("class",),
    "label_index.tsv": ("set_id",),
    "adjustments.tsv": ("id",),
    "conditions.tsv": ("name",),
    "allergens.tsv": ("name",),
}
_SAYS: Final = {
    "dose_limits.tsv": ("max_single", "max_daily"),
    "renal.tsv": ("max_daily_mg",),
    "mme.tsv": ("factor",),
    "strengths.tsv": ("strength",),
}
"""Table -> the cells that say something. The others say of what: two rows of one thing may not say two things."""
_NOT_ABOUT: Final = frozenset({"rule_id", "source", "min_interval_hours"})


def lint(pack: Pack) -> list[Problem]:
    """Every problem, by table and line; none for a sound pack. Raises PackError for a table that cannot be read."""
    return sorted(set(_Lint(pack).problems()))


class _Lint:
    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._drugs = {row["drug"] for row in pack.rows("drugs.tsv")}
        self._classes = {row["class"] for row in pack.rows("classes.tsv")}
        self._conditions = {row["condition"] for row in pack.rows("conditions.tsv")}
        self._labels = {
            row["set_id"]: frozenset(filter(None, row["drugs"].split("|")))
            for row in pack.rows("label_index.tsv")
        }
        self._members = {row["class"]: set(row["members"].split("|")) for row in pack.rows("classes.tsv")}

    def problems(self) -> Iterator[Problem]:
        rules: tuple[Callable[[str, int, Row], Iterator[tuple[Fault, str]]], ...] = (
            self._dangling, self._values, self._provenance, self._cited,
        )  # fmt: skip
        for table in self._pack.tables():
            for line, row in enumerate(self._pack.rows(table), start=2):
                for rule in rules:
                    for fault, what in rule(table, line, row):
                        yield Problem(table, line, fault, what)
        yield from self._duplicates()
        yield from self._contradictions()
        yield from self._meanings()
        yield from self._attestations()

    def _dangling(self, table: str, _line: int, row: Row) -> Iterator[tuple[Fault, str]]:
        if table == "drugs.tsv":
            return
        if table == "classes.tsv" and not row["members"]:
            yield Fault.EMPTY_CLASS, f"class `{row['class']}` has no members"
        drugs = [row.get("drug", ""), row.get("dose_drug", "")]
        for column in ("drugs", "members"):
            drugs += row.get(column, "").split("|")
        for drug in drugs:
            if drug and drug not in self._drugs:
                yield Fault.DANGLING, f"`{drug}` is no drug of the pack"
        sides = [row[side] for side in ("a", "b", "allergen", "to") if side in row]
        sides = [part for side in sides for part in side.split("|")]
        for side in sides:
            if side not in self._drugs and side not in self._classes:
                yield Fault.DANGLING, f"`{side}` is neither drug nor class of the pack"
        groups = [*row.get("groups", "").split("|")]
        if table != "classes.tsv":
            groups.append(row.get("class", ""))
        for group in groups:
            if group and group not in self._classes:
                yield Fault.DANGLING, f"`{group}` is no class of the pack"
        for condition in (*row.get("condition", "").split("|"), row.get("unless", "")):
            if condition and condition not in self._conditions:
                yield Fault.DANGLING, f"`{condition}` is no condition of the pack"

    def _values(self, _table: str, _line: int, row: Row) -> Iterator[tuple[Fault, str]]:
        found: dict[str, Decimal] = {}
        for column in _NUMBERS & row.keys():
            if not row[column]:
                continue
            try:
                value = Decimal(row[column])
            except InvalidOperation:
                yield Fault.NOT_A_VALUE, f"`{column}` is `{row[column]}`, expected a number"
                continue
            if not value.is_finite() or value < 0:
                yield Fault.NOT_A_VALUE, f"`{column}` is `{row[column]}`, expected a number from 0"
            else:
                found[column] = value
        for low, high in _ORDERED:
            if low in found and high in found and found[low] > found[high]:
                yield Fault.CONTRADICTION, f"`{low}` {row[low]} is above `{high}` {row[high]}"
        for column in ("severity", "max_severity"):
            if column in row and row[column] not in _SEVERITIES:
                yield Fault.NOT_A_VALUE, f"`{column}` is `{row[column]}`"

    def _provenance(self, _table: str, _line: int, row: Row) -> Iterator[tuple[Fault, str]]:
        if "source" in row and not row["source"]:
            yield Fault.UNSOURCED, "no source"
        if "basis" not in row:
            return
        if row["basis"] not in _BASES:
            yield Fault.NOT_A_VALUE, f"basis `{row['basis']}`"
        if not row["rule_id"]:
            yield Fault.UNSOURCED, "no rule id"
        if row["basis"] == attestation.CURATED and not row["source"].startswith(attestation.UNATTESTED):
            yield Fault.UNMARKED, f"`{row['rule_id']}` is curated, not attested, and does not say so"

    def _cited(self, _table: str, _line: int, row: Row) -> Iterator[tuple[Fault, str]]:
        if row.get("basis") != "label_text":
            return
        cited = [part.strip() for part in _CITED.findall(row["source"])]
        if not cited:
            yield Fault.SET_ID_MALFORMED, f"`{row['rule_id']}` cites no label"
        about = {row[column] for column in ("drug", "a", "b") if row.get(column)}
        about |= {drug for side in about for drug in self._members.get(side, ())}
        for one in cited:
            if one.endswith(_NOT_READ):
                continue
            if _SET_ID.fullmatch(one) is None:
                yield Fault.SET_ID_MALFORMED, f"`{one}` is no set id"
            elif one not in self._labels:
                yield Fault.SET_ID_UNKNOWN, f"`{one}` is not in the index of labels"
            elif self._labels[one] and about.isdisjoint(self._labels[one]):
                told = " and ".join(sorted(self._labels[one]))
                yield Fault.SET_ID_OF_ANOTHER_INGREDIENT, f"`{one}` is a label of {told}"

    def _duplicates(self) -> Iterator[Problem]:
        for table, key in _KEYS.items():
            seen: dict[tuple[str, ...], Row] = {}
            for line, row in enumerate(self._pack.rows(table), start=2):
                found = tuple(row[column] for column in key)
                if found in seen:
                    names = table in ("names.tsv", "conditions.tsv", "allergens.tsv")
                    fault = Fault.TWO_MEANINGS if names and seen[found] != row else Fault.DUPLICATE_ID
                    yield Problem(table, line, fault, f"`{' '.join(found)}` stands here twice")
                seen[found] = row
        rules: dict[str, tuple[str, str]] = {}
        for table in self._pack.tables():
            for line, row in enumerate(self._pack.rows(table), start=2):
                rule = row.get("rule_id", "")
                if not rule or table == attestation.TABLE:
                    continue
                source = row["source"]
                if rules.setdefault(rule, (table, source))[1] != source:
                    yield Problem(
                        table, line, Fault.DUPLICATE_ID, f"rule `{rule}` has another source elsewhere"
                    )

    def _contradictions(self) -> Iterator[Problem]:
        for table, says in _SAYS.items():
            seen: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
            for line, row in enumerate(self._pack.rows(table), start=2):
                held = seen[tuple(cell for column, cell in row.items() if column not in (*says, *_NOT_ABOUT))]
                for column in says:
                    if row[column] and held.setdefault(column, row[column]) != row[column]:
                        what = f"{row['drug']}: `{column}` is {row[column]} here and {held[column]} elsewhere"
                        yield Problem(table, line, Fault.CONTRADICTION, what)

    def _meanings(self) -> Iterator[Problem]:
        codes: dict[str, str] = {}
        for line, row in enumerate(self._pack.rows("drugs.tsv"), start=2):
            if row["rxcui"] and codes.setdefault(row["rxcui"], row["drug"]) != row["drug"]:
                what = f"RxCUI {row['rxcui']} is of {codes[row['rxcui']]} and of {row['drug']}"
                yield Problem("drugs.tsv", line, Fault.TWO_MEANINGS, what)
        for line, row in enumerate(self._pack.rows("classes.tsv"), start=2):
            if row["class"] in self._drugs and row["class"] not in row["members"].split("|"):
                what = f"`{row['class']}` is a drug, and a class without it"
                yield Problem("classes.tsv", line, Fault.TWO_MEANINGS, what)
        for line, row in enumerate(self._pack.rows("names.tsv"), start=2):
            if bool(row["drugs"]) == bool(row["class"]):
                what = f"`{row['name']}` means neither drugs nor a class, or both"
                yield Problem("names.tsv", line, Fault.TWO_MEANINGS, what)
            elif row["name"] in self._drugs and row["drugs"] != row["name"]:
                what = f"`{row['name']}` is a drug, and stands for {row['drugs'] or row['class']}"
                yield Problem("names.tsv", line, Fault.TWO_MEANINGS, what)

    def _attestations(self) -> Iterator[Problem]:
        attested = {row["digest"]: row for row in self._pack.rows(attestation.TABLE)}
        if not attested:
            return
        live = {digest for _, digest, _ in self._pack.facts()}
        for line, (digest, row) in enumerate(attested.items(), start=2):
            if digest not in live:
                what = f"`{row['rule_id']}` is not in the pack as it was attested"
                yield Problem(attestation.TABLE, line, Fault.STALE_ATTESTATION, what)
            if not row["pharmacist"] or not row["second"] or row["pharmacist"] == row["second"]:
                what = f"`{row['rule_id']}` is attested by one person"
                yield Problem(attestation.TABLE, line, Fault.UNMARKED, what)
