"""What a verification found: one result per check, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Status(StrEnum):
    """Outcome of a check, or of the whole."""

    PASSED = "passed"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"
    NOT_APPLICABLE = "not_applicable"


class Kind(StrEnum):
    """What was verified. Only the first two hold entries of a log: nothing else proves any."""

    BUNDLE = "bundle"
    REPORT = "report"
    DEIDENTIFIED = "deidentified"
    VALIDATION = "validation"


CHECKS: Final[Mapping[str, str]] = {
    "V1": "manifest: every file is the one listed, and the log's key signed the list",
    "V5": "entries are canonical and of the schema",
    "V6": "leaf hashes lead to the signed root",
    "V7": "entries are contiguous and linked, by the declared scope",
    "V8": "checkpoint is signed by the log's key and cosigned by the witnesses asked for",
    "V9": "consistent with every pinned checkpoint",
    "V11": "reviewers' signatures verify over statement, record and text",
    "V12": "signing keys were enrolled to the signer, not revoked, not expired",
    "V13": "meaning and role of signatures fit the decision",
    "V14": "transitions are legal and the signer was allowed to sign",
    "V15": "time is bounded by witnesses",
    "V16": "what was held was released only with its sign-offs",
    "V17": "findings were disposed of before release",
    "V18": "versions that entries name were registered before them",
    "V19": "disclosed payloads match their commitments; erased ones have a certificate",
    "V20": "statistics, registries and FHIR are those of the entries",
    "V22": "periodic examinations cover the log without a gap and list every exception",
    "V23": "second reads are those that seeds committed to before draw",
    "V24": "what was read for practice was released to nobody",
}
"""Every check of a bundle, by the ids of the control matrix (V22 on are our own), in report order."""

SEAL_CHECKS: Final[Mapping[str, str]] = {
    "V2": "seal of a report covers the whole file, with nothing after it",
    "V3": "seal's certificate leads to the root given, and was valid when stamped",
    "V4": "time stamp is of this seal, by an authority valid at the time that it states",
    "V10": "head printed in a report is the one attached and recomputed",
}
"""Those of a sealed report, a PDF, beside those of the bundle in it."""

DEIDENTIFIED_CHECKS: Final[Mapping[str, str]] = {
    "V1": CHECKS["V1"],
    "V5": "records are canonical and of the schema",
    "V7": "there are as many records as entries that they were made from",
    "V8": CHECKS["V8"],
    "V20": "figures are those of the records; the checklist A to R is whole",
    "V21": "nothing has the form of one of the 18 identifiers",
}
"""Those of a de-identified document, which holds no entries."""

VALIDATION_CHECKS: Final[Mapping[str, str]] = {
    "V1": "manifest: every file is the one listed, and whoever ran the tests signed the list",
    "V5": "requirements and results are canonical and of the schema",
    "V20": "what is stated of each requirement is what its tests come to",
}
"""Those of a validation pack, which holds no entries."""

NOT_CHECKED: Final[Mapping[str, str]] = {
    "V2 V3 V10": "a bundle of this version carries no sealed PDF",
    "V4": "a bundle of this version carries no RFC 3161 time stamps",
    "V21": "a bundle does not claim to be de-identified",
}
"""Checks of the control matrix that this version does not make of a bundle, and why."""
NOT_CHECKED_OF_REPORT: Final = {name: NOT_CHECKED[name] for name in ("V21",)}
"""Those that it does not make of a sealed report."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One finding of one check.

    `index` is the entry concerned. `advisory` marks an indeterminate result that the verdict ignores unless
    the user asked for what is missing.
    """

    check: str
    status: Status
    detail: str
    index: int | None = None
    advisory: bool = False

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "check": self.check,
            "status": self.status.value,
            "detail": self.detail,
            "index": self.index,
            "advisory": self.advisory,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All results in the order of CHECKS, the verdict and the recomputed statistics."""

    results: tuple[CheckResult, ...]
    verdict: Status
    statistics: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None
    scope: Mapping[str, Any] | None = None
    not_checked: Mapping[str, str] = field(default_factory=lambda: NOT_CHECKED)
    sentences: Mapping[str, str] = field(default_factory=lambda: {**CHECKS, **SEAL_CHECKS})
    """What each check says when it holds."""
    kind: Kind = Kind.BUNDLE

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The failed results."""
        return tuple(item for item in self.results if item.status is Status.FAILED)

    def to_json(self) -> dict[str, Any]:
        """For `--json`; holds ids, counts and indices only."""
        return {
            "kind": self.kind.value,
            "verdict": self.verdict.value,
            "origin": self.origin,
            "scope": None if self.scope is None else dict(self.scope),
            "results": [item.to_json() for item in self.results],
            "statistics": dict(self.statistics),
            "not_checked": dict(self.not_checked),
        }


class Findings:
    """Collects results while checks run; bounded, so that a hostile bundle cannot fill the memory."""

    def __init__(self, checks: Iterable[str] = CHECKS, *, limit_per_check: int = 100) -> None:
        self._limit = limit_per_check
        self._items: dict[str, list[CheckResult]] = {check: [] for check in checks}
        self._dropped: dict[tuple[str, Status, bool], int] = {}
        self._passed: dict[str, str] = {}
        self._not_applicable: dict[str, str] = {}
        self._notes: dict[str, list[str]] = {}

    def fail(self, check: str, detail: str, index: int | None = None) -> None:
        """The evidence is wrong."""
        self._add(CheckResult(check, Status.FAILED, detail, index))

    def doubt(self, check: str, detail: str, index: int | None = None, *, advisory: bool = False) -> None:
        """The evidence does not decide."""
        self._add(CheckResult(check, Status.INDETERMINATE, detail, index, advisory))

    def passed(self, check: str, detail: str) -> None:
        """What holds when neither `fail` nor a `doubt` that counts is recorded for the check."""
        self._passed[check] = detail

    def note(self, check: str, detail: str) -> None:
        """Something that holds by itself, shown beside whatever else the check finds; the caller bounds how many."""
        self._notes.setdefault(check, []).append(detail)

    def not_applicable(self, check: str, detail: str) -> None:
        """Why the check has nothing to look at; stands when nothing else is recorded for it."""
        self._not_applicable[check] = detail

    def failed(self, check: str) -> bool:
        """True when the check has failed already."""
        return any(item.status is Status.FAILED for item in self._items[check])

    def results(self) -> Iterable[CheckResult]:
        """Results in the order of the checks given, failures first; a check that was not reached is in doubt."""
        for check, items in self._items.items():
            if not any(item.status is Status.FAILED or not item.advisory for item in items):
                if check in self._passed:
                    yield CheckResult(check, Status.PASSED, self._passed[check])
                elif not items and check in self._not_applicable:
                    yield CheckResult(check, Status.NOT_APPLICABLE, self._not_applicable[check])
                elif not items:
                    yield CheckResult(check, Status.INDETERMINATE, "not reached")
            yield from sorted(items, key=lambda item: item.status is not Status.FAILED)
            for detail in self._notes.get(check, ()):
                yield CheckResult(check, Status.PASSED, detail)
            for (dropped_check, status, advisory), count in self._dropped.items():
                if dropped_check == check:
                    yield CheckResult(check, status, f"and {count} more", advisory=advisory)

    def _add(self, item: CheckResult) -> None:
        items = self._items[item.check]
        # A flood of one status must not hide the other, nor one that does not count become one that does.
        same = (other.status is item.status and other.advisory is item.advisory for other in items)
        if sum(same) < self._limit:
            items.append(item)
        else:
            key = (item.check, item.status, item.advisory)
            self._dropped[key] = self._dropped.get(key, 0) + 1


def verdict_of(results: Iterable[CheckResult]) -> Status:
    """FAILED if any check failed, else INDETERMINATE if any doubt counts, else PASSED."""
    verdict = Status.PASSED
    for item in results:
        if item.status is Status.FAILED:
            return Status.FAILED
        if item.status is Status.INDETERMINATE and not item.advisory:
            verdict = Status.INDETERMINATE
    return verdict
