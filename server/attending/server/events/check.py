"""Events as they came over the wire, checked: all that is wrong is named by event number and field, never by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from attending.ledger.canonical import parse
from attending.ledger.entry import Payload
from attending.ledger.errors import CanonicalError
from attending.ledger.verify.emitters import EMITTER_ID, MAX_SEQUENCE
from attending.server.errors import InvalidRequest
from attending.server.events.types import EXTERNAL_TYPES
from attending.server.wire.violations import EARLIEST, Violations, time_field
from attending.v1 import ledger_pb2

MAX_BATCH: Final = 1_000
MAX_BODY_BYTES: Final = 8_192
MAX_PAYLOADS: Final = 4
MAX_PAYLOAD_BYTES: Final = 1024 * 1024
MAX_SUBJECT_CODE_POINTS: Final = 256
_MAX_VIOLATIONS: Final = 30
"""No more is told (`status.MAX_VIOLATIONS`), so no more is looked for."""


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event; `body` is as its type wants it, `subject_ref` the caller's identifier of a person."""

    sequence: int
    type: str
    occurred_at: datetime | None
    subject_ref: str | None = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    payloads: tuple[Payload, ...] = field(repr=False)


def emitter_violations(emitter: str) -> list[tuple[str, str]]:
    """What is wrong with an emitter's name."""
    if EMITTER_ID.fullmatch(emitter):
        return []
    return [("emitter", "must be 1 to 64 of a-z 0-9 . _ -")]


def sequence_violations(number: int, name: str, *, least: int = 1) -> list[tuple[str, str]]:
    """What is wrong with a sequence."""
    if least <= number <= MAX_SEQUENCE:
        return []
    return [(name, f"must be from {least} to 2^53 - 1")]


def checked_events(
    wire: Sequence[ledger_pb2.Event], limit: int, earlier: Iterable[tuple[str, str]] = ()
) -> list[Event]:
    """The events of one message. Raises InvalidRequest with the first 30 violations, `earlier` ones before."""
    v = Violations()
    found = list(earlier)
    if not 1 <= len(wire) <= limit:
        raise InvalidRequest([*found, ("events", f"has {len(wire)} events, expected 1 to {limit}")])
    events: list[Event] = []
    seen: set[int] = set()
    for number, item in enumerate(wire):
        if len(found) >= _MAX_VIOLATIONS:
            break
        event, wrong = _checked(item)
        if item.sequence in seen:
            wrong.append(("sequence", "stands twice in this request"))
        seen.add(item.sequence)
        found += [(f"events[{number}].{name}", expected) for name, expected in wrong]
        if event is not None:
            events.append(event)
    for name, expected in found[:_MAX_VIOLATIONS]:
        v.add(name, expected)
    v.raise_if_any()
    return events


def _checked(wire: ledger_pb2.Event) -> tuple[Event | None, list[tuple[str, str]]]:
    wrong = sequence_violations(wire.sequence, "sequence")
    v = Violations()
    occurred_at = None
    if wire.HasField("occurred_at"):
        occurred_at = time_field(wire.occurred_at, "occurred_at", v)
        v.check(occurred_at is None or occurred_at >= EARLIEST, "occurred_at", "must not be before 1970")
    v.text(wire.subject_ref, "subject_ref", MAX_SUBJECT_CODE_POINTS, required=False)
    _check_payloads(wire.payloads, v)
    wrong += v.found
    kind = EXTERNAL_TYPES.get(wire.type)
    if kind is None:
        wrong.append(("type", "is not one that may come from outside"))
        return None, wrong
    body: object = None
    if len(wire.body) > MAX_BODY_BYTES:
        wrong.append(("body", f"has {len(wire.body)} bytes, the limit is {MAX_BODY_BYTES}"))
    else:
        try:
            body = parse(wire.body)
        except CanonicalError as err:
            # Its words are fixed text about the kind of problem; they quote nothing.
            wrong.append(("body", f"must be JSON of the ledger's model: {err.detail}"))
        else:
            kinds = frozenset(payload.kind for payload in wire.payloads)
            wrong += kind.violations(body, kinds, has_subject=bool(wire.subject_ref.strip()))
    if wrong or type(body) is not dict:
        return None, wrong
    event = Event(
        sequence=wire.sequence,
        type=wire.type,
        occurred_at=occurred_at,
        subject_ref=wire.subject_ref.strip() or None,
        body=body,
        payloads=tuple(Payload(payload.kind, payload.content) for payload in wire.payloads),
    )
    return event, []


def _check_payloads(payloads: Sequence[ledger_pb2.EventPayload], v: Violations) -> None:
    v.check(len(payloads) <= MAX_PAYLOADS, "payloads", f"has {len(payloads)}, the limit is {MAX_PAYLOADS}")
    kinds = [payload.kind for payload in payloads]
    v.check(len(set(kinds)) == len(kinds), "payloads", "have a kind twice")
    for number, payload in enumerate(payloads[:MAX_PAYLOADS]):
        size = len(payload.content)
        v.check(
            1 <= size <= MAX_PAYLOAD_BYTES,
            f"payloads[{number}].content",
            f"has {size} bytes, expected 1 to {MAX_PAYLOAD_BYTES}",
        )
