"""The register of exceptions: which entries of a log a report lists one by one, and under which heading. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.verify.tally import label

COLUMNS: Final = ("entry", "time", "exception", "type", "stream", "actor", "detail")

_KINDS: Final = {
    "inference.late": "late_reply",
    "inference.failed": "failed",
    "inference.abandoned": "abandoned",
    "inference.blocked": "blocked",
    "inference.withdrawn": "withdrawn",
    "review.expired": "expired",
    "system.halted": "halted",
    "incident.opened": "incident",
    "subject.erased": "erasure",
    "oversight.alarm": "velocity_alarm",
    "sla.breached": "sla_breached",
    "key.revoked": "key_revoked",
    "knowledge.rejudged": "rejudged",
    "recall.proposed": "recall_proposed",
}
KINDS: Final = (
    *sorted(
        {*_KINDS.values()}
        | {"break_glass", "emergency_access", "review_overdue", "denied", "refused", "not_enforced"}
        | {"exported_with_content"}
    ),
)
"""Every heading of the register, in the order in which reports list them."""

_DETAILS: Final = (
    "reason",
    "reason_code",
    "refused",
    "stage",
    "severity",
    "category",
    "outcome",
    "purpose",
    "policy",
    "sla_id",
    "incident_id",
    "key_id",
)
"""Enums, names and ids of a body that say more; none is of a person."""


class Line(NamedTuple):
    """One exception, as the register lists it."""

    entry: int
    time: str
    exception: str
    type: str
    stream: str
    actor: str
    detail: str


def exception_of(entry: Entry) -> str | None:
    """The heading under which an entry is listed, None for what is in order. Whatever the body holds."""
    body = entry.body
    match entry.type:
        case "break_glass.used":
            return "emergency_access" if "access" in body else "break_glass"
        case "break_glass.reviewed":
            return "review_overdue" if body.get("overdue") is True else None
        case "access.denied":
            return "denied" if body.get("refused") is None else "refused"
        case "access.exported":
            return "exported_with_content" if body.get("payloads") is True and not entry.subject else None
        case "inference.released":
            return "not_enforced" if body.get("not_enforced") is True else None
    return _KINDS.get(entry.type)


def register(entries: Iterable[Entry]) -> Iterator[Line]:
    """The exceptions of entries, in their order."""
    for entry in entries:
        if (line := line_of(entry)) is not None:
            yield line


def line_of(entry: Entry) -> Line | None:
    """The line of one entry, None where it is no exception."""
    kind = exception_of(entry)
    if kind is None:
        return None
    said = [f"{name}={label(entry.body[name])}" for name in _DETAILS if type(entry.body.get(name)) is str]
    return Line(entry.index, entry.time, kind, entry.type, entry.stream, entry.actor, "; ".join(said))


def register_csv(lines: Iterable[Line]) -> Iterator[bytes]:
    """The register as CSV (RFC 4180, UTF-8), a row at a time, the header first. A cell that a spreadsheet would take
    for a formula begins with an apostrophe.
    """
    for cells in (COLUMNS, *lines):
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerow([inert(str(cell)) for cell in cells])
        yield out.getvalue().encode()


def register_jsonl(lines: Iterable[Line]) -> Iterator[bytes]:
    """The register as canonical JSON, an object a line with the names of COLUMNS."""
    for line in lines:
        yield encode(dict(zip(COLUMNS, line, strict=True))) + b"\n"


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
