"""How the guardrails did: each rail and each finding, and the same by subgroup where callers say which.

A subgroup is the value of one tag of the call, such as an age band; the gate itself collects none. Groups of fewer than
MINIMUM texts are put together, and with the next larger one while they are still fewer, so that no group of a few can
be told. A share is of texts and not of people, and says nothing of why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.tally import MOST_LABELS, OTHER, Grid, label

COLUMNS: Final = (
    *("list", "name", "texts", "flagged", "held", "blocked", "overridden", "upheld", "withdrawn"),
    "did_not_judge",
)
MINIMUM: Final = 11
"""Texts of a group that is shown by itself, as CMS bounds a cell; what is counted within a group may be fewer."""
NOT_COLLECTED: Final = "not collected"
SMALL: Final = "(small groups, together)"
_GROUP: Final = ("texts", "flagged", "held", "blocked", "overridden", "upheld", "withdrawn")


@dataclass
class _Found:
    """What is counted. Of each text with the tag its group is kept, since a recall may follow at any time."""

    asked: Asked
    rails: Grid = field(default_factory=lambda: Grid(("texts", "flagged", "did_not_judge")))
    codes: Grid = field(default_factory=lambda: Grid(("texts", "overridden", "upheld")))
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)
    without: int = 0

    def visit(self, entry: Entry) -> None:
        if entry.type in ("inference.requested", "inference.generated"):
            self._rails(entry.body)
        if entry.type == "inference.requested":
            self._begin(entry)
        group = self.of.get(entry.stream)
        match entry.type:
            case "inference.generated":
                self._judged(entry.body, group)
            case "inference.held":
                self._count(group, "held")
            case "inference.blocked":
                self._count(group, "blocked")
                if entry.body.get("stage") == "input":
                    self._judged(entry.body, group)
            case "inference.withdrawn":
                self._count(group, "withdrawn")
            case "review.disposed":
                said = "upheld" if entry.body.get("disposition") == "fixed" else "overridden"
                self.codes.add(entry.body.get("code"), said)
                self._count(group, said)

    def _begin(self, entry: Entry) -> None:
        if not self.asked.group or isinstance(entry.body.get("practice"), Mapping):
            return
        tags = entry.body.get("tags")
        value = tags.get(self.asked.group) if isinstance(tags, Mapping) else None
        if type(value) is not str or not value:
            self.without += 1
            return
        name = label(value)
        if name not in self.groups and len(self.groups) >= MOST_LABELS:
            name = OTHER
        self.groups.setdefault(name, dict.fromkeys(_GROUP, 0))["texts"] += 1
        self.of[entry.stream] = name

    def _rails(self, body: Mapping[str, Any]) -> None:
        runs = body.get("rails")
        for run in runs if type(runs) is list else ():
            if isinstance(run, Mapping):
                self.rails.add(run.get("name"), "texts")
                if run.get("status") == "flagged":
                    self.rails.add(run.get("name"), "flagged")
                elif run.get("status") != "passed":
                    self.rails.add(run.get("name"), "did_not_judge")

    def _judged(self, body: Mapping[str, Any], group: str | None) -> None:
        findings = body.get("findings")
        codes = findings.get("by_code") if isinstance(findings, Mapping) else None
        if isinstance(codes, Mapping) and codes:
            self._count(group, "flagged")
            for code in codes:
                self.codes.add(code, "texts")

    def _count(self, group: str | None, column: str) -> None:
        if group is not None:
            self.groups[group][column] += 1

    def result(self) -> Iterator[Row]:
        for name, row in self.rails.result().items():
            yield ("rail", name, row["texts"], row["flagged"], *_NONE[:5], row["did_not_judge"])
        for code, counted in self.codes.result().items():
            yield (
                "finding",
                code,
                counted["texts"],
                *_NONE[:3],
                counted["overridden"],
                counted["upheld"],
                None,
                None,
            )
        if not self.groups:
            yield ("group", NOT_COLLECTED, self.without or None, *_NONE)
            return
        for name, group in merged(self.groups):
            # All of them together can still be a few.
            few = group["texts"] < MINIMUM
            yield (
                ("group", name, *_NONE, None)
                if few
                else ("group", name, *(group[one] for one in _GROUP), None)
            )
        if self.without:
            yield ("group", NOT_COLLECTED, self.without, *_NONE)


_NONE: Final = (None,) * 7


def merged(groups: Mapping[str, Mapping[str, int]]) -> list[tuple[str, Mapping[str, int]]]:
    """The groups by name, those of fewer than MINIMUM texts as one; where that is still few, with the next larger."""
    small = dict.fromkeys(_GROUP, 0)
    kept = []
    for name, row in sorted(groups.items(), key=lambda item: (item[1]["texts"], item[0])):
        if row["texts"] < MINIMUM or 0 < small["texts"] < MINIMUM:
            for column in _GROUP:
                small[column] += row[column]
        else:
            kept.append((name, row))
    found = sorted(kept)
    return [*found, (SMALL, small)] if small["texts"] else found


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """Rails, findings and subgroups of the period's entries."""
    found = _Found(asked)
    for entry in entries:
        if asked.within(entry.time):
            found.visit(entry)
    yield from found.result()


REGISTER: Final = Register("guardrails", COLUMNS, rows)
