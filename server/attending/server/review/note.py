"""What a reviewer writes beside a step: a payload, never part of an entry's body."""

from __future__ import annotations

from attending.ledger.entry import Payload
from attending.server.review.item import REJECT_CODES

MAX_NOTE_CODE_POINTS = 2_000


def note_violations(note: str) -> list[tuple[str, str]]:
    """What is wrong with a note, to be named together with whatever else is wrong with its request."""
    if len(note) <= MAX_NOTE_CODE_POINTS:
        return []
    return [("note", f"has {len(note)} code points, the limit is {MAX_NOTE_CODE_POINTS}")]


def rejection_violations(reason_code: str, note: str) -> list[tuple[str, str]]:
    known = reason_code in REJECT_CODES
    coded = [] if known else [("reason_code", "must be one of " + ", ".join(sorted(REJECT_CODES)))]
    return coded + note_violations(note)


def note_payload(note: str) -> tuple[Payload, ...]:
    return (Payload("note", note.encode("utf-8")),) if note else ()
