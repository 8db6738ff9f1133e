"""Entries: round trip, exact schema, limits."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attending.ledger.canonical import MAX_ENTRY_BYTES, encode
from attending.ledger.entry import (
    ENTRY_TYPES,
    GENESIS_PREV,
    Commitment,
    PendingEntry,
    encode_entry,
    format_time,
    parse_entry,
    parse_time,
    prepare_entry,
)
from attending.ledger.errors import EntryTooLarge, LedgerError, VerificationError
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 3, 14, 5, 9, 120, tzinfo=UTC)
ORIGIN = "log.example/clinic"
COMMITMENT = Commitment("prompt", "rec_1", "ab" * 32, "cd" * 32)
SUBJECT = "sub_" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def pending(**changes: Any) -> PendingEntry:
    fields = {
        "type": "inference.requested",
        "stream": "inf_1",
        "actor": "app:portal",
        "subject": SUBJECT,
        "body": {"count": 3, "nested": {"x": [True, None]}},
        "occurred_at": NOW - timedelta(seconds=1),
    }
    return PendingEntry(**{**fields, **changes})


def encoded(**changes: Any) -> bytes:
    return encode_entry(ORIGIN, 7, b"\x11" * 32, NOW, pending(**changes), [COMMITMENT])


def test_stored_bytes_are_one_known_text() -> None:
    assert encode_entry(ORIGIN, 0, GENESIS_PREV, NOW, pending(body={"a": 1}, occurred_at=None), [COMMITMENT]) == (
        b'{"actor":"app:portal","body":{"a":1},"commitments":[{"ciphertext":"' + b"cd" * 32 + b'","commitment":"'
        + b"ab" * 32 + b'","kind":"prompt","record":"rec_1"}],"index":0,"occurred_at":null,'
        b'"origin":"log.example/clinic","prev":"' + b"0" * 64 + b'","stream":"inf_1","subject":"'
        + SUBJECT.encode() + b'","time":"2026-11-03T14:05:09.000120Z","type":"inference.requested","v":1}'
    )  # fmt: skip


def test_parsing_is_the_inverse_of_encoding() -> None:
    data = encoded()
    entry = parse_entry(data)
    assert entry.data == data
    assert entry.leaf_hash == hashlib.sha256(b"\x00" + data).digest()
    assert (entry.index, entry.origin, entry.prev) == (7, ORIGIN, b"\x11" * 32)
    assert (entry.type, entry.stream, entry.actor, entry.subject) == (
        "inference.requested", "inf_1", "app:portal", SUBJECT,
    )  # fmt: skip
    assert entry.body == {"count": 3, "nested": {"x": [True, None]}}
    assert entry.commitments == (COMMITMENT,)
    assert entry.time == "2026-11-03T14:05:09.000120Z"
    assert entry.occurred_at == "2026-11-03T14:05:08.000120Z"
    assert encode(json.loads(data)) == data


texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=10)
bodies = st.dictionaries(
    texts, st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=30) | st.none(), max_size=6
)


@given(
    bodies,
    st.integers(0, 2**53 - 1),
    st.binary(min_size=32, max_size=32),
    st.sampled_from(sorted(ENTRY_TYPES)),
)
def test_prepared_encoding_is_canonical_for_any_entry(body: Any, index: int, prev: bytes, kind: str) -> None:
    data = encode_entry(ORIGIN, index, prev, NOW, pending(type=kind, body=body))
    assert encode(json.loads(data)) == data
    entry = parse_entry(data)
    assert (entry.index, entry.prev, entry.type, entry.body) == (index, prev, kind, body)


@given(st.data())
def test_any_flipped_byte_changes_the_leaf_hash(data: st.DataObject) -> None:
    stored = encoded()
    position = data.draw(st.integers(0, len(stored) - 1))
    changed = (
        stored[:position]
        + bytes([stored[position] ^ data.draw(st.integers(1, 255))])
        + stored[position + 1 :]
    )
    try:
        entry = parse_entry(changed)
    except VerificationError:
        return
    assert entry.leaf_hash != parse_entry(stored).leaf_hash


def change(**fields: Any) -> bytes:
    value = json.loads(encoded())
    for name, item in fields.items():
        if item is ...:
            del value[name]
        else:
            value[name] = item
    return encode(value)


BROKEN = {
    "field missing": change(subject=...),
    "field added": change(note="x"),
    "version as bool": change(v=True),
    "version 0": change(v=0),
    "version as text": change(v="1"),
    "index negative": change(index=-1),
    "index as text": change(index="7"),
    "index as bool": change(index=True),
    "prev short": change(prev="11" * 31),
    "prev upper case": change(prev="AB" * 32),
    "body a list": change(body=[]),
    "type without event": change(type="inference"),
    "type upper case": change(type="Inference.requested"),
    "stream empty": change(stream=""),
    "stream with space": change(stream="a b"),
    "actor with newline": change(actor="a\nb"),
    "origin with plus": change(origin="a+b"),
    "subject not a pseudonym": change(subject="MRN 12345"),
    "subject a number": change(subject=5),
    "time without fraction": change(time="2026-11-03T14:05:09Z"),
    "time with offset": change(time="2026-11-03T14:05:09.000120+00:00"),
    "time on 30 February": change(time="2026-02-30T14:05:09.000120Z"),
    "time in other digits": change(time="2026-11-03T14:05:09.00012\u0660Z"),
    "time null": change(time=None),
    "commitments an object": change(commitments={}),
    "commitment a string": change(commitments=["ab"]),
    "commitment with a field more": change(commitments=[{**COMMITMENT.to_json(), "salt": "00"}]),
    "commitment not hex": change(commitments=[{**COMMITMENT.to_json(), "commitment": "zz" * 32}]),
    "not an object": b"[]",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_schema_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_entry(data)
    assert caught.value.reason == "ENTRY_SCHEMA"
    assert "MRN" not in str(caught.value)


def test_later_version_is_told_apart_from_broken() -> None:
    with pytest.raises(VerificationError) as caught:
        parse_entry(change(v=2, extra="of the future"))
    assert caught.value.reason == "UNKNOWN_VERSION"


def test_unknown_type_is_refused_on_encoding_and_marked_on_parsing() -> None:
    with pytest.raises(VerificationError) as caught:
        encoded(type="inference.teleported")
    assert caught.value.reason == "UNKNOWN_TYPE"
    assert not parse_entry(change(type="inference.teleported")).known_type
    assert parse_entry(encoded()).known_type


def test_entry_size_is_bounded_at_any_index() -> None:
    overhead = len(encode_entry(ORIGIN, 2**53 - 1, GENESIS_PREV, NOW, pending(body={"a": ""})))
    largest = MAX_ENTRY_BYTES - overhead
    data = encode_entry(ORIGIN, 2**53 - 1, GENESIS_PREV, NOW, pending(body={"a": "x" * largest}))
    assert len(data) == MAX_ENTRY_BYTES
    assert parse_entry(data).index == 2**53 - 1
    with pytest.raises(EntryTooLarge):
        prepare_entry(ORIGIN, pending(body={"a": "x" * (largest + 1)}))
    with pytest.raises(VerificationError) as caught:
        parse_entry(data + b" ")
    assert caught.value.reason == "ENTRY_TOO_LARGE"


def test_depth_bound_holds_for_the_whole_entry() -> None:
    body: Any = {"a": 1}
    for _ in range(14):
        body = {"a": body}
    parse_entry(encoded(body=body))
    with pytest.raises(LedgerError):
        encoded(body={"a": body})


def test_times_are_utc_with_microseconds() -> None:
    local = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-5)))
    assert format_time(local) == "2026-01-02T08:04:05.000006Z"
    assert parse_time(format_time(local)) == local
    assert format_time(datetime(9, 1, 1, tzinfo=UTC)) == "0009-01-01T00:00:00.000000Z"
    with pytest.raises(ValueError, match="naive"):
        format_time(datetime(2026, 1, 1))


def test_payload_content_and_bodies_stay_out_of_representations() -> None:
    assert "count" not in repr(parse_entry(encoded()))


def test_controls_that_entries_evidence_have_a_type() -> None:
    # control (shared matrix, first words) -> types that evidence it
    evidence = {
        "164.312(a)(1) access": ("access.denied", "access.viewed"),
        "164.312(a)(2)(ii) emergency access": ("break_glass.used",),
        "164.312(a)(2)(iii) automatic logoff": ("session.ended",),
        "164.312(b) audit": ("examination.disposed", "examination.signed"),
        "164.316(b)(2)(i) retention": ("policy.retired",),
        "164.528 disclosures": ("disclosure.recorded", "disclosure.suspended", "access.disclosed"),
        "11.10(e) audit trail": ("inference.requested", "inference.generated"),
        "11.50, 11.70 signature": ("review.signed",),
        "11.100 identity verified": ("user.proofed",),
        "11.300 lost tokens": ("key.revoked", "user.revoked"),
        "AI Act 14(4)(e) stop": ("system.halted", "system.resumed"),
        "AI Act 73 incidents": ("incident.opened", "incident.closed"),
        "GDPR 17 erasure": ("subject.erased", "hold.placed", "hold.lifted"),
        "HTI-1 feedback": ("feedback.recorded",),
        "completeness against bypass": ("usage.reconciled",),
        "vendor changes": ("model.registered", "model.retired"),
        "signed report": ("report.issued", "access.exported"),
    }  # fmt: skip
    assert {kind for kinds in evidence.values() for kind in kinds} <= ENTRY_TYPES
