"""The access report of one person: who asked for, was given or looked at what about them, when, why, by what right.

Right is the authorisation policies that let the call through, as its entry states them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.tally import label

COLUMNS: Final = ("list", "entry", "time", "who", "for", "what", "of", "purpose", "right", "emergency")
TYPES: Final = frozenset(
    {
        *("access.viewed", "access.revealed", "access.exported", "access.searched", "access.disclosed"),
        *("inference.requested", "inference.released", "disclosure.recorded", "report.requested"),
    }
)
"""Types of entries by which somebody comes to know of a person."""
_WHAT: Final = {
    "access.viewed": "shown",
    "access.revealed": "given with its proof",
    "access.exported": "taken as a copy",
    "access.searched": "looked for",
    "access.disclosed": "sent to a record system",
    "inference.requested": "asked for a text",
    "inference.released": "text released to who asked",
    "disclosure.recorded": "disclosed to others",
    "report.requested": "asked for a report",
}


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """A row an entry, as they come."""
    subjects = frozenset(asked.subjects)
    for entry in entries:
        if entry.subject in subjects and entry.type in TYPES and asked.within(entry.time):
            yield _row(entry)


def _row(entry: Entry) -> Row:
    body = entry.body
    what = _WHAT[entry.type]
    if type(body.get("what")) is str:
        what += f": {label(body['what'])}"
    purpose = body.get("purpose_of_use", body.get("purpose"))
    given_for = body.get("on_behalf_of", body.get("recipient"))
    return (
        "access",
        entry.index,
        entry.time,
        entry.actor,
        label(given_for) if type(given_for) is str and given_for else None,
        what,
        _of(entry.stream, body),
        label(purpose) if purpose is not None else None,
        _right(body),
        label(body["emergency"]) if "emergency" in body else None,
    )


def _of(stream: str, body: Mapping[str, Any]) -> str | None:
    """Which text, case or report."""
    for name in ("inference", "ticket", "report"):
        if type(body.get(name)) is str:
            return label(body[name])
    return stream if stream.startswith("inf_") else None


def _right(body: Mapping[str, Any]) -> str | None:
    """Ids of the policies that permitted it, at most a line."""
    ids = body.get("authorized_by")
    if type(ids) is not list:
        return None
    return " ".join(label(one) for one in ids[:8] if type(one) is str)


REGISTER: Final = Register("access", COLUMNS, rows)
