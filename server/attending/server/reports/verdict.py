"""The verdict of the offline verifier over a report's evidence, as a file beside the draft that prints the same.

It is for who looks at the report in the console, and proves nothing: the draft is what is signed, and whoever doubts
either verifies the bundle. A file that is not there, or does not read, is no verdict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.ledger.canonical import encode
from attending.ledger.verify.report import Report, Status

VERDICT: Final = "verdict.json"
MOST_RESULTS: Final = 50
"""Failed and undecided results that are kept; the draft and the verifier have all."""
MAX_BYTES: Final = 1 << 18
_KEPT: Final = (Status.FAILED, Status.INDETERMINATE)


@dataclass(frozen=True, slots=True)
class Finding:
    """A result that is no pass: which check, `failed` or `indeterminate`, what does not hold, and at which entry."""

    check: str
    status: str
    detail: str
    index: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` as the verifier says it; `passed` the checks that hold."""

    status: str
    passed: tuple[str, ...]
    findings: tuple[Finding, ...]


def verdict_bytes(report: Report) -> bytes:
    """The file, as canonical JSON."""
    failed = {one.check for one in report.failures}
    passed = sorted(
        {one.check for one in report.results if one.status is Status.PASSED} - failed,
        key=lambda check: int(check[1:]),
    )
    kept = [one for one in report.results if one.status in _KEPT and not one.advisory]
    kept.sort(key=lambda one: _KEPT.index(one.status))
    return encode(
        {
            "verdict": report.verdict.value,
            "passed": passed,
            "findings": [
                {"check": one.check, "status": one.status.value, "detail": one.detail, "index": one.index}
                for one in kept[:MOST_RESULTS]
            ],
        }
    )


def read_verdict(path: Path) -> Verdict | None:
    """The verdict in a file; None where there is none that reads. Blocks."""
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(MAX_BYTES))
        return Verdict(
            Status(said["verdict"]).value,
            tuple(str(one) for one in said["passed"]),
            tuple(Finding(**one) for one in said["findings"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
