"""Retention and erasure certificates: what was destroyed, when, why and by whose word, and what stood in its way.

`erasure` are the certificates of pseudonyms (content and salt are gone from every copy with the key), with the payloads
that were stored; `pruned` are batches of payloads whose retention had ended, by the hash of the rules; `hold` are legal
holds, placed and lifted; `standing` are the holds in force at the end. Entries and proofs stay, and go on verifying;
that an erased payload has its certificate, and that none was erased under a hold, is V19.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.tally import MOST, label, number

COLUMNS: Final = (
    "list",
    "entry",
    "time",
    "what",
    "subject",
    "reason",
    "payloads",
    "by",
    "approved_by",
    "detail",
)
TYPES: Final = frozenset({"subject.erased", "payload.pruned", "hold.placed", "hold.lifted"})
MOST_HOLDS: Final = 100_000
"""Holds in force that are kept in mind."""


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """The period's certificates and holds as they come, then the holds that stand."""
    standing: dict[str, Entry] = {}
    for entry in entries:
        if entry.time >= asked.until:
            break
        if entry.type not in TYPES or (asked.subjects and entry.subject not in asked.subjects):
            continue
        body = entry.body
        name = body.get("hold")
        if entry.type == "hold.placed" and type(name) is str and len(standing) < MOST_HOLDS:
            standing[name] = entry
        elif entry.type == "hold.lifted" and type(name) is str:
            standing.pop(name, None)
        if asked.within(entry.time):
            yield _row(entry)
    for name, entry in standing.items():
        yield ("standing", entry.index, entry.time, label(name), entry.subject, *_rest(entry, None, ""))


def _row(entry: Entry) -> Row:
    body = entry.body
    match entry.type:
        case "subject.erased":
            said = f"erasure {label(body.get('erasure'))}; key {label(body.get('key_id'))}"
            said += f"; pseudonyms {number(body.get('closure'))}"
            rest = _rest(entry, _total(body.get("records")), said)
            return ("erasure", entry.index, entry.time, "key destroyed", entry.subject, *rest)
        case "payload.pruned":
            said = f"rules {label(body.get('rules_hash'))}; nothing pruned from entry {number(body.get('minimum'))} on"
            rest = _rest(entry, _total(body.get("records")), said)
            return ("pruned", entry.index, entry.time, "retention ended", None, *rest)
    what = "placed" if entry.type == "hold.placed" else "lifted"
    rest = _rest(entry, None, label(body.get("hold")))
    return ("hold", entry.index, entry.time, what, entry.subject, *rest)


def _rest(entry: Entry, payloads: int | None, detail: str) -> tuple[str | int | None, ...]:
    body = entry.body
    reason = body.get("reason", body.get("ground"))
    approved = body.get("approved_by")
    return (
        label(reason) if reason is not None else None,
        payloads,
        entry.actor,
        label(approved) if type(approved) is str else None,
        detail,
    )


def _total(records: object) -> int:
    counts = records.values() if isinstance(records, Mapping) else ()
    return min(sum(map(number, counts)), MOST)


REGISTER: Final = Register("custody", COLUMNS, rows)
