"""Entries: the one record kind of the log, its canonical bytes and its closed list of types.

An entry is a canonical JSON object (`attending.ledger.canonical`) with exactly the fields of
docs/format.md. Bodies hold enums, counts, versions, random ids and commitments only; anything a person
wrote or that is about a person is a payload, sealed in the vault and named here by a salted commitment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from attending.ledger.canonical import MAX_ENTRY_BYTES, encode, parse_canonical
from attending.ledger.errors import EntryTooLarge, VerificationError
from attending.ledger.merkle import HASH_SIZE, leaf_hash
from attending.ledger.scan import scan

VERSION: Final = 1
GENESIS_PREV: Final = bytes(HASH_SIZE)
"""`prev` of entry 0: 32 zero bytes."""

_TYPES: Final[Mapping[str, str]] = {
    "inference": "requested generated released held blocked failed abandoned late delivered withdrawn"
    " reconciled stream_opened stream_window stream_closed",
    "recall": "acknowledged proposed dismissed",
    "review": "claimed disposed facts_added signed rejected escalated reassigned adjudicated expired sampled"
    " opinion_recorded second_read",
    "oversight": "alarm draw_committed draw_opened debriefed reading",
    "prompt": "version label",
    "policy": "version activated retired",
    "knowledge": "version activated attested rejudged",
    "model": "registered approved retired",
    "rag": "version",
    "document": "registered withdrawn",
    "eval": "completed",
    "key": "enrolled revoked rotated",
    "user": "enrolled proofed revoked",
    "credential": "issued bound revoked",
    "session": "started ended",
    "access": "viewed exported searched revealed denied disclosed",
    "break_glass": "used ended reviewed",
    "subject": "linked unlinked erased",
    "hold": "placed lifted",
    "payload": "pruned",
    "feedback": "recorded",
    "budget": "exceeded changed",
    "sla": "defined breached recovered",
    "report": "requested signed_off issued disclosed discarded",
    "disclosure": "recorded suspended",
    "usage": "reconciled",
    "incident": "opened updated closed",
    "finding": "suppressed",
    "notice": "sent due settled retried tested",
    "system": "started stopped halted resumed",
    "log": "sealed continued",
    "examination": "disposed signed",
    "validation": "recorded installed",
}
ENTRY_TYPES: Final[frozenset[str]] = frozenset(
    f"{source}.{event}" for source, events in _TYPES.items() for event in events.split()
)
"""Every type that may be appended: `source.event`."""

AFTER_SEAL: Final[frozenset[str]] = frozenset(
    ("subject.linked", "subject.unlinked", "subject.erased", "hold.placed", "hold.lifted", "payload.pruned")
)
"""What a sealed log still takes: custody of its payloads does not end with it."""

_FIELDS: Final = frozenset(
    {"actor", "body", "commitments", "index", "occurred_at", "origin", "prev"}
    | {"stream", "subject", "time", "type", "v"}
)
_COMMITMENT_FIELDS: Final = frozenset(("ciphertext", "commitment", "kind", "record"))
_MAX_INDEX: Final = 2**53 - 1
_MAX_INDEX_DIGITS: Final = 16
_TIME_CHARS: Final = 27

# Printable, so that an id can be shown, logged and compared without escaping.
_ORIGIN = re.compile(r"[!-*,-~]{1,255}")
_ID = re.compile(r"[!-~]{1,255}")
_ACTOR = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,255}")
_SUBJECT = re.compile(r"sub_[A-Za-z2-7]{26}")
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}")
_HEX32 = re.compile(r"[0-9a-f]{64}")
# The hour is bounded here: from Python 3.13 on `fromisoformat` takes 24:00 for midnight.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Payload:
    """Content to seal in the vault beside an entry: `kind` names its role (`prompt`, `output_final`, ...)."""

    kind: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Commitment:
    """How an entry names a sealed payload.

    `record` is the vault record's random id, `commitment` the hex SHA-256 of tag || salt || content,
    `ciphertext` the hex SHA-256 of the sealed bytes.
    """

    kind: str
    record: str
    commitment: str
    ciphertext: str

    def to_json(self) -> dict[str, str]:
        """The object that stands in the entry."""
        return {
            "ciphertext": self.ciphertext,
            "commitment": self.commitment,
            "kind": self.kind,
            "record": self.record,
        }


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that has not been sequenced: no index, no predecessor, no time of the log.

    `type` is one of ENTRY_TYPES; `stream` the id of the state machine it moves; `actor` who did it;
    `subject` a random pseudonym (`sub_` and 26 base32 characters) or None; `occurred_at` the emitter's
    aware time.
    """

    type: str
    stream: str
    actor: str
    subject: str | None
    body: Mapping[str, Any]
    payloads: tuple[Payload, ...] = ()
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A sequenced entry: `data` is what is stored and hashed; the rest is read from it."""

    index: int
    data: bytes = field(repr=False)
    origin: str
    prev: bytes
    time: str
    occurred_at: str | None
    type: str
    stream: str
    actor: str
    subject: str | None
    body: Mapping[str, Any] = field(repr=False)
    commitments: tuple[Commitment, ...]

    @property
    def leaf_hash(self) -> bytes:
        """The 32-byte leaf hash of the stored bytes."""
        return leaf_hash(self.data)

    @property
    def known_type(self) -> bool:
        """False for a type of a later version: its fields hold, its meaning is not known here."""
        return self.type in ENTRY_TYPES

    def text(self, name: str) -> str | None:
        """The string under `name` in the body, None for anything else."""
        value = self.body.get(name)
        return value if type(value) is str else None


class PreparedEntry(NamedTuple):
    """Canonical bytes that wait only for what the sequencer decides: index, predecessor and time.

    The fields in canonical order are actor, body, commitments | index | occurred_at, origin | prev |
    stream, subject | time | type, v; each bar is a place that `encode` fills, so the writer thread joins
    bytes and does no JSON.
    """

    head: bytes
    before_prev: bytes
    before_time: bytes
    tail: bytes
    type: str
    stream: str

    def __repr__(self) -> str:
        """Without the bytes, which are the caller's."""
        return f"PreparedEntry(type={self.type!r}, stream={self.stream!r})"

    def encode(self, index: int, prev: bytes, time: str) -> bytes:
        """The stored bytes of entry `index` after the leaf hash `prev` (32 bytes), at `time`
        (`format_time`).
        """
        return b"%b%d%b%b%b%b%b" % (
            self.head,
            index,
            self.before_prev,
            prev.hex().encode(),
            self.before_time,
            time.encode(),
            self.tail,
        )


def format_time(time: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ` of an aware datetime; ValueError for a naive one."""
    if time.tzinfo is None:
        raise ValueError("time is naive, expected an aware datetime")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(_TIME_CHARS, "0")


def parse_time(text: str) -> datetime:
    """The aware UTC datetime of `YYYY-MM-DDTHH:MM:SS.ffffffZ`; VerificationError (ENTRY_SCHEMA) otherwise."""
    try:
        if type(text) is str and _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise VerificationError("time is not `YYYY-MM-DDTHH:MM:SS.ffffffZ`", reason="ENTRY_SCHEMA")


def prepare_entry(
    origin: str, pending: PendingEntry, commitments: Sequence[Commitment] = ()
) -> PreparedEntry:
    """Checks an entry and encodes all of it that does not depend on its place in the log.

    Raises CanonicalError (the body is outside the model), VerificationError (ENTRY_SCHEMA: a field breaks
    its rule, UNKNOWN_TYPE) or EntryTooLarge (it could pass 65,535 bytes at the highest index).
    """
    if pending.type not in ENTRY_TYPES:
        raise VerificationError("type is not one of the entry types", reason="UNKNOWN_TYPE")
    occurred_at = b"null" if pending.occurred_at is None else _quoted(format_time(pending.occurred_at))
    _check_fields(origin, pending.type, pending.stream, pending.actor, pending.subject)
    for item in commitments:
        _check_commitment(item)
    # Only the body is free in form; the other fields are strings that have just been checked.
    head = b'{"actor":%b,"body":%b,"commitments":[%b],"index":' % (
        _quoted(pending.actor),
        _encode_nested(dict(pending.body)),
        b",".join(map(_encode_commitment, commitments)),
    )
    subject = b"null" if pending.subject is None else _quoted(pending.subject)
    before_prev = b',"occurred_at":%b,"origin":%b,"prev":"' % (occurred_at, _quoted(origin))
    before_time = b'","stream":%b,"subject":%b,"time":"' % (_quoted(pending.stream), subject)
    tail = b'","type":%b,"v":%d}' % (_quoted(pending.type), VERSION)
    size = len(head) + len(before_prev) + len(before_time) + len(tail)
    size += _MAX_INDEX_DIGITS + 2 * HASH_SIZE + _TIME_CHARS
    if size > MAX_ENTRY_BYTES:
        raise EntryTooLarge(size, MAX_ENTRY_BYTES)
    return PreparedEntry(head, before_prev, before_time, tail, pending.type, pending.stream)


def encode_entry(
    origin: str,
    index: int,
    prev: bytes,
    time: datetime,
    pending: PendingEntry,
    commitments: Sequence[Commitment] = (),
) -> bytes:
    """The canonical bytes of an entry: `prepare_entry` and `PreparedEntry.encode` in one step."""
    return prepare_entry(origin, pending, commitments).encode(index, prev, format_time(time))


def parse_entry(data: bytes) -> Entry:
    """The entry whose stored bytes are `data`.

    Raises VerificationError: CANONICAL_FORM (not the canonical encoding), UNKNOWN_VERSION (`v` is a later
    one), ENTRY_SCHEMA (a field is missing, additional or breaks its rule), ENTRY_TOO_LARGE. A type that
    this version does not know is accepted when well formed; see `Entry.known_type`. It does not check
    `prev` or the proofs.
    """
    found = scan(data) if type(data) is bytes else None
    return _parse_strict(data) if found is None else _scanned(data, *found)


def _scanned(data: bytes, match: re.Match[bytes], body: Mapping[str, Any]) -> Entry:
    fields = {
        name: text.decode("ascii") for name, text in match.groupdict().items() if name != "body" and text
    }
    commitments = fields["commitments"]
    return Entry(
        index=int(fields["index"]),
        data=data,
        origin=fields["origin"],
        prev=bytes.fromhex(fields["prev"]),
        time=fields["time"],
        occurred_at=fields.get("occurred_at"),
        type=fields["type"],
        stream=fields["stream"],
        actor=fields["actor"],
        subject=fields.get("subject"),
        body=body,
        commitments=() if commitments == "[]" else _parse_commitments(json.loads(commitments)),
    )


def _parse_strict(data: bytes) -> Entry:
    """`parse_entry` without the scan: decides of every byte string, and names what is wrong."""
    if type(data) is bytes and len(data) > MAX_ENTRY_BYTES:
        raise VerificationError(f"entry exceeds {MAX_ENTRY_BYTES} bytes", reason="ENTRY_TOO_LARGE")
    value = parse_canonical(data)
    if type(value) is not dict:
        raise _schema("entry is not an object")
    version = value.get("v")
    if type(version) is int and version > VERSION:
        raise VerificationError("entry is of a later format version", reason="UNKNOWN_VERSION")
    if value.keys() != _FIELDS or version != VERSION or type(version) is not int:
        raise _schema("fields are not exactly those of version 1")
    index, prev, body = value["index"], value["prev"], value["body"]
    if type(index) is not int or not 0 <= index <= _MAX_INDEX:
        raise _schema("`index` is not a count")
    if type(prev) is not str or not _HEX32.fullmatch(prev):
        raise _schema("`prev` is not 64 hex digits")
    if type(body) is not dict:
        raise _schema("`body` is not an object")
    _check_fields(value["origin"], value["type"], value["stream"], value["actor"], value["subject"])
    parse_time(value["time"])
    if value["occurred_at"] is not None:
        parse_time(value["occurred_at"])
    return Entry(
        index=index,
        data=data,
        origin=value["origin"],
        prev=bytes.fromhex(prev),
        time=value["time"],
        occurred_at=value["occurred_at"],
        type=value["type"],
        stream=value["stream"],
        actor=value["actor"],
        subject=value["subject"],
        body=body,
        commitments=_parse_commitments(value["commitments"]),
    )


def _parse_commitments(value: object) -> tuple[Commitment, ...]:
    if type(value) is not list:
        raise _schema("`commitments` is not a list")
    result = []
    for item in value:
        if type(item) is not dict or item.keys() != _COMMITMENT_FIELDS:
            raise _schema("fields of a commitment are not exactly those of version 1")
        commitment = Commitment(**item)
        _check_commitment(commitment)
        result.append(commitment)
    return tuple(result)


def _quoted(text: str) -> bytes:
    """The canonical encoding of a string without control characters."""
    if text.isascii() and '"' not in text and "\\" not in text:
        return b'"%b"' % text.encode()
    return encode(text)


def _encode_commitment(item: Commitment) -> bytes:
    return b'{"ciphertext":"%b","commitment":"%b","kind":"%b","record":%b}' % (
        item.ciphertext.encode(),
        item.commitment.encode(),
        item.kind.encode(),
        _quoted(item.record),
    )


def _encode_nested(value: object) -> bytes:
    """Encodes what will stand one level down, so that the depth bound holds for the whole entry."""
    return encode([value])[1:-1]


def _check_fields(origin: object, kind: object, stream: object, actor: object, subject: object) -> None:
    for name, pattern, text in (
        ("origin", _ORIGIN, origin),
        ("type", _TYPE, kind),
        ("stream", _ID, stream),
        ("actor", _ACTOR, actor),
    ):
        if type(text) is not str or not pattern.fullmatch(text):
            raise _schema(f"`{name}` is missing or not well formed")
    if subject is not None and (type(subject) is not str or not _SUBJECT.fullmatch(subject)):
        raise _schema("`subject` is not a pseudonym")


def _check_commitment(item: Commitment) -> None:
    for name, pattern, text in (
        ("kind", _KIND, item.kind),
        ("record", _ID, item.record),
        ("commitment", _HEX32, item.commitment),
        ("ciphertext", _HEX32, item.ciphertext),
    ):
        if type(text) is not str or not pattern.fullmatch(text):
            raise _schema(f"`{name}` of a commitment is not well formed")


def _schema(detail: str) -> VerificationError:
    return VerificationError(detail, reason="ENTRY_SCHEMA")


__all__ = [
    "AFTER_SEAL",
    "ENTRY_TYPES",
    "GENESIS_PREV",
    "VERSION",
    "Commitment",
    "Entry",
    "Payload",
    "PendingEntry",
    "PreparedEntry",
    "encode_entry",
    "format_time",
    "parse_entry",
    "parse_time",
    "prepare_entry",
]
