"""The control matrix over the entries of a log: a pure function of them, and of what the offline verifier says.

Entries are shown once, in log order, and each to the rules that concern its type; a rule that several controls share is
evaluated once. The same entries give the same results, on a server, over a bundle and in a report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Report, Status
from attending.server.controls.matrix import Checks, Control, Entries, Matrix, Nothing, Organisational
from attending.server.controls.rules import MOST_INDEXES, Evaluator, Extent, Outcome, evaluator_of


class Result(StrEnum):
    """What a log says to a control."""

    EVIDENCED = "evidenced"
    UNDECIDED = "undecided"
    """What it asks for stands in these entries, and of some of them it cannot be told yet, or from these alone."""
    NOT_EVIDENCED = "not_evidenced"
    """Nothing, or not enough, stands in these entries; in others it may."""
    FAILED = "failed"
    """Something stands in these entries that the control forbids, or something that it asks for is missing."""
    ORGANISATIONAL = "organisational"
    UNSUPPORTED = "unsupported"
    """This system writes no evidence of it."""


WORDS: Final[Mapping[Result, str]] = {
    Result.EVIDENCED: "evidenced",
    Result.UNDECIDED: "evidenced in part, some undecided",
    Result.NOT_EVIDENCED: "not evidenced in this period",
    Result.FAILED: "failed",
    Result.ORGANISATIONAL: "organisational, not evidenced by this system",
    Result.UNSUPPORTED: "not evidenced by this system",
}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A control and what was found. `met` are the entries that speak for it, `failed` those against it, `undecided`
    those of which it cannot be told; `evidence`, `failures` and `undecided_at` are the indexes of the first few.
    """

    control: Control
    result: Result
    met: int = 0
    failed: int = 0
    undecided: int = 0
    evidence: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()
    undecided_at: tuple[int, ...] = ()
    checks: Mapping[str, str] | None = None
    """Each check of the verifier that it rests on, with its status; `not_run` where no bundle was verified."""

    @property
    def counted(self) -> bool:
        """Whether it is entries that were counted."""
        return isinstance(self.control.evidence, Entries)

    @property
    def note(self) -> str:
        """Why there is no more to be said, in words; empty where the numbers say it."""
        evidence = self.control.evidence
        return evidence.because if isinstance(evidence, Organisational | Nothing) else ""

    def to_json(self) -> dict[str, Any]:
        """For `--json`: ids, counts and indexes, and the words of the matrix."""
        control = self.control
        return {
            "id": control.id,
            "reference": control.reference,
            "requirement": control.requirement,
            "status": control.status,
            "as_of": control.as_of.isoformat(),
            "wording": control.wording,
            "result": self.result.value,
            "met": self.met,
            "failed": self.failed,
            "undecided": self.undecided,
            "evidence": list(self.evidence),
            "failures": list(self.failures),
            "undecided_at": list(self.undecided_at),
            "checks": dict(self.checks or {}),
            "note": self.note,
            "limits": control.limits or "",
        }


class Evaluation:
    """Shows entries to the rules of a matrix as they come."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._evaluators: dict[str, Evaluator] = {}
        self._by_type: dict[str, list[Evaluator]] = {}
        for control in matrix:
            if isinstance(control.evidence, Entries):
                for rule in control.evidence.rules:
                    self._add(_name(rule), rule)
        self._first: Entry | None = None
        self._last: Entry | None = None
        self._gaps = False
        self._context: tuple[Entry, Entry] | None = None
        self._context_gaps = False

    def _add(self, name: str, rule: Any) -> None:
        if name in self._evaluators:
            return
        self._evaluators[name] = made = evaluator_of(rule)
        for kind in made.types:
            self._by_type.setdefault(kind, []).append(made)

    def visit(self, entry: Entry) -> None:
        """Takes the next entry. Never raises, whatever its body holds."""
        if self._last is not None and entry.index != self._last.index + 1:
            self._gaps = True
        if self._first is None:
            self._begin(entry)
        self._last = entry
        for evaluator in self._by_type.get(entry.type, ()):
            evaluator.visit(entry)

    def context(self, entry: Entry) -> None:
        """Takes an entry from before those that are judged, in log order and before any of them: it counts for nothing,
        and may be what one of them rests on.
        """
        first, last = self._context or (entry, entry)
        self._context_gaps |= entry.index > 0 if self._context is None else entry.index != last.index + 1
        self._context = first, entry
        for evaluator in self._by_type.get(entry.type, ()):
            evaluator.visit(entry)

    @property
    def kept(self) -> int:
        """What the rules remember of the entries, in keys."""
        return sum(one.kept for one in self._evaluators.values())

    def _begin(self, entry: Entry | None) -> None:
        """Whether everything before the first entry that is judged was shown is known now."""
        self._first = entry
        if self._context is not None:
            if entry is not None:
                self._context_gaps |= entry.index != self._context[1].index + 1
            for evaluator in self._evaluators.values():
                evaluator.begin(self._context[1].time, complete=not self._context_gaps)

    def result(self, report: Report | None = None) -> tuple[Evaluated, ...]:
        """Every control with its result, in the order of the matrix. Called once.

        `report` is the verifier's over the same entries; without it no control that rests on a check is evidenced.
        """
        if self._first is None:
            self._begin(None)
        first, last = self._first, self._last or (self._context and self._context[1])
        known = self._context is not None and not self._context_gaps
        start = self._context[0] if self._context is not None and known else first
        extent = Extent(
            whole=start is not None and start.index == 0 and not self._gaps,
            gaps=self._gaps,
            first_time="" if start is None else start.time,
            last_time="" if last is None else last.time,
            first_index=0 if start is None else start.index,
        )
        outcomes = {name: one.outcome(extent) for name, one in self._evaluators.items()}
        statuses = {} if report is None else _statuses(report)
        return tuple(_evaluated(control, outcomes, statuses) for control in self._matrix)


def evaluate(matrix: Matrix, entries: Iterable[Entry], report: Report | None = None) -> tuple[Evaluated, ...]:
    """The results over `entries`, which are visited once."""
    evaluation = Evaluation(matrix)
    for entry in entries:
        evaluation.visit(entry)
    return evaluation.result(report)


def _name(rule: Any) -> str:
    """Equal rules have equal names; `optional` is of the control, not of what is looked for."""
    return f"{type(rule).__name__} {rule.model_dump_json(exclude={'optional'})}"


def _statuses(report: Report) -> dict[str, Status]:
    """The worst that the verifier says of each check."""
    worst = (Status.FAILED, Status.INDETERMINATE, Status.PASSED, Status.NOT_APPLICABLE)
    found: dict[str, Status] = {}
    for one in report.results:
        if one.status is Status.INDETERMINATE and one.advisory:
            continue
        before = found.get(one.check)
        if before is None or worst.index(one.status) < worst.index(before):
            found[one.check] = one.status
    return found


def _evaluated(
    control: Control, outcomes: Mapping[str, Outcome], statuses: Mapping[str, Status]
) -> Evaluated:
    evidence = control.evidence
    match evidence:
        case Organisational():
            return Evaluated(control, Result.ORGANISATIONAL)
        case Nothing():
            return Evaluated(control, Result.UNSUPPORTED)
        case Checks():
            checks = _checked(evidence.checks, statuses)
            return Evaluated(control, _of_checks(checks), checks=checks)
    found = [(rule.optional, outcomes[_name(rule)]) for rule in evidence.rules]
    checks = _checked(evidence.checks, statuses)
    counted = [one for optional, one in found if not optional or one.applies]
    result = _of_checks(checks) if checks else Result.EVIDENCED
    if any(one.failed for one in counted):
        result = Result.FAILED
    elif result is Result.EVIDENCED and not (counted and all(one.evidenced for one in counted)):
        result = Result.NOT_EVIDENCED
    elif result is Result.EVIDENCED and any(one.open for one in counted):
        result = Result.UNDECIDED
    return Evaluated(
        control,
        result,
        sum(one.met for one in counted),
        sum(one.failed for one in counted),
        sum(one.open for one in counted),
        _first(one.evidence for one in counted),
        _first(one.failures for one in counted),
        _first(one.undecided for one in counted),
        checks,
    )


def _checked(names: Iterable[str], statuses: Mapping[str, Status]) -> dict[str, str]:
    return {name: statuses[name].value if name in statuses else "not_run" for name in names}


def _of_checks(checks: Mapping[str, str]) -> Result:
    if Status.FAILED.value in checks.values():
        return Result.FAILED
    return Result.EVIDENCED if set(checks.values()) == {Status.PASSED.value} else Result.NOT_EVIDENCED


def _first(indexes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted({index for some in indexes for index in some})[:MOST_INDEXES])
