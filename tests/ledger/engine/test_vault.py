"""Sealed payloads open only as what, where and for whom they were sealed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from attending.ledger.entry import Payload
from attending.ledger.errors import VerificationError
from attending.ledger.vault import (
    MAX_PAYLOAD_BYTES,
    SealedPayload,
    new_pseudonym,
    new_record_id,
    payload_commitment,
    seal,
    unseal,
)
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = b"k" * 32
SUBJECT = "sub_" + "a" * 26


def sealed(content: bytes = b"take one tablet daily") -> SealedPayload:
    return seal("attending.test/clinic", SUBJECT, Payload("output_final", content), KEY)


def opened(item: SealedPayload, **changes: Any) -> tuple[bytes, bytes]:
    arguments: dict[str, Any] = {
        "origin": item.origin,
        "subject": item.subject,
        "commitment": item.commitment,
        "sealed": item.sealed,
        "wrapped_key": item.wrapped_key,
        "subject_key": KEY,
    }
    return unseal(**(arguments | changes))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000))
def test_what_was_sealed_opens(content: bytes) -> None:
    item = sealed(content)
    salt, plain = opened(item)
    assert plain == content
    assert len(salt) == 32
    expected = hashlib.sha256(b"attending-payload/1\0" + b"output_final" + b"\0" + salt + content).hexdigest()
    assert item.commitment.commitment == expected == payload_commitment("output_final", salt, content).hex()
    assert item.commitment.ciphertext == hashlib.sha256(item.sealed).hexdigest()


def test_nothing_is_used_twice_and_nothing_shows() -> None:
    items = [sealed() for _ in range(200)]
    for part in ("record", "sealed", "wrapped_key", "commitment"):
        assert len({getattr(item, part) for item in items}) == 200
    assert len({item.sealed[:12] for item in items} | {item.wrapped_key[:12] for item in items}) == 400
    assert all(b"tablet" not in item.sealed for item in items)
    assert "tablet" not in repr(items[0])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_byte_is_refused(data: st.DataObject) -> None:
    item = sealed()
    field = data.draw(st.sampled_from(["sealed", "wrapped_key"]))
    raw = bytearray(getattr(item, field))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    changes: dict[str, Any] = {field: bytes(raw)}
    with pytest.raises(VerificationError):
        opened(item, **changes)
    # Also when the entry's hash of the ciphertext was changed to fit.
    changes["commitment"] = replace(item.commitment, ciphertext=hashlib.sha256(bytes(raw)).hexdigest())
    with pytest.raises(VerificationError):
        opened(item, **changes)


def test_a_payload_does_not_open_elsewhere() -> None:
    item = sealed()
    for changes in (
        {"origin": "attending.test/other"},
        {"subject": "sub_" + "b" * 26},
        {"subject_key": b"x" * 32},
        {"commitment": replace(item.commitment, record=new_record_id())},
        {"commitment": replace(item.commitment, kind="prompt")},
        {"commitment": replace(item.commitment, commitment="0" * 64)},
        {"sealed": b""},
        {"wrapped_key": b""},
        {"sealed": sealed().sealed},
    ):
        with pytest.raises(VerificationError):
            opened(item, **changes)


def test_size_and_type_are_bounded() -> None:
    for bad in (bytes(MAX_PAYLOAD_BYTES + 1), bytearray(b"x"), "text"):
        with pytest.raises(ValueError, match="payload"):
            sealed(bad)  # type: ignore[arg-type]


def test_names_are_random_and_well_formed() -> None:
    names = {new_pseudonym() for _ in range(100)} | {new_record_id() for _ in range(100)}
    assert len(names) == 200
    assert {len(name) for name in names} == {30}
