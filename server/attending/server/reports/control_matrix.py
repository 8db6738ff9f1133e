"""The section of a report with every control, and what the entries of its bundle say to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attending.server.controls.bundle import evaluate_bundle
from attending.server.controls.evaluation import WORDS, Evaluated, Result
from attending.server.controls.listing import STATUS_WORDS
from attending.server.controls.matrix import FOLDER, load_matrix
from attending.server.reports.blocks import Block, Column, bars, heading, table, text
from attending.server.reports.source import Source
from attending.server.shipped import package_policies

_CELL_LINES = 14


def control_matrix(source: Source) -> Iterable[Block]:
    """All frameworks, a table each. Reads the bundle once more. Raises VerificationError, OSError."""
    matrix = load_matrix(package_policies() / FOLDER)
    found = {one.control.id: one for one in evaluate_bundle(matrix, source.path, source.report)}
    counted = Counter(one.result for one in found.values())
    yield heading("Control matrix")
    yield text(
        f"{len(found)} requirements, in our words, and what these entries say to each. A requirement is evidenced",
        "where what it asks for stands in the entries, nothing of it is undecided, and the checks that it rests on",
        "have passed. That a duty is met",
        "is more than that, and what the entries do not show stands with it. Of a part of a log, what may stand",
        "outside is open. A star marks a wording from memory, to be confirmed. A mapping, not legal advice.",
        f"The files of the matrix have the hash {matrix.sha256}.",
    )
    yield bars("Result", "Requirements", [(WORDS[result], counted[result]) for result in Result])
    for framework in matrix.frameworks:
        yield heading(framework.title, 2)
        yield table(
            [
                Column("Reference", 30, 23),
                Column("Requirement", 0, 50),
                Column("Status", 19, 12),
                Column("Result", 36, 24),
                Column("For", 11, 6, right=True),
                Column("Against", 13, 7, right=True),
                Column("Open", 11, 6, right=True),
            ],
            [_row(found[control.id]) for control in framework.controls],
            size=8,
            lines=_CELL_LINES,
        )


def _row(one: Evaluated) -> tuple[object, ...]:
    control = one.control
    words = control.requirement + (" *" if control.wording == "from_memory" else "")
    if control.limits:
        words += f" Limits: {control.limits}"
    counts = (one.met, one.failed, one.undecided) if one.counted else ("", "", "")
    status = f"{STATUS_WORDS[control.status]}, as of {control.as_of.isoformat()}"
    return (control.reference, words, status, _said(one), *counts)


def _said(one: Evaluated) -> str:
    said = WORDS[one.result]
    if one.note:
        return f"{said}: {one.note}"
    if one.failures:
        said += f": {_named(one.failures, one.failed)}"
    elif one.result is Result.UNDECIDED and one.undecided_at:
        said += f": {_named(one.undecided_at, one.undecided)}"
    undone = [f"{name} {status.replace('_', ' ')}" for name, status in (one.checks or {}).items()]
    return f"{said}; {', '.join(undone)}" if undone else said


def _named(indexes: tuple[int, ...], count: int) -> str:
    more = " and more" if count > len(indexes) else ""
    return f"{'entry' if len(indexes) == 1 else 'entries'} {', '.join(map(str, indexes))}{more}"
