"""The matrix as a table of Markdown, as docs/controls.md has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attending.server.controls.matrix import Checks, Control, Entries, Matrix, Nothing, Organisational

STATUS_WORDS: Final = {"in_force": "in force", "proposed": "proposed", "expected": "expected"}
WORDING_WORDS: Final = {"looked_up": "looked up", "from_memory": "from memory"}


def evidence_words(control: Control) -> str:
    """What the evidence of a control is, in a few words."""
    match control.evidence:
        case Entries() as entries:
            rules = f"{len(entries.rules)} rule{'s' if len(entries.rules) > 1 else ''} over entries"
            return f"{rules}; {' '.join(entries.checks)}" if entries.checks else rules
        case Checks() as found:
            return f"verifier: {' '.join(found.checks)}"
        case Organisational():
            return "organisational, not evidenced by this system"
        case Nothing():
            return "not evidenced by this system"


def markdown(matrix: Matrix) -> Iterator[str]:
    """A heading and a table for each framework, a line at a time."""
    for framework in matrix.frameworks:
        yield f"### {framework.title}"
        yield ""
        yield "| id | reference | requirement | status | wording | evidence |"
        yield "|---|---|---|---|---|---|"
        for one in framework.controls:
            status = f"{STATUS_WORDS[one.status]}, {one.as_of.isoformat()}"
            cells = (
                f"`{one.id}`",
                one.reference,
                one.requirement,
                status,
                WORDING_WORDS[one.wording],
                evidence_words(one),
            )
            yield f"| {' | '.join(cells)} |"
        yield ""
