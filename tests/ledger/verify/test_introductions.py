"""Bundles of a log whose signing key was rotated: the way from key to key, and every way off it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.canonical import encode
from attending.ledger.checkpoint import checkpoint_text, sign_checkpoint
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.introduction import follow, format_introduction, learned, verify_introduction
from attending.ledger.merkle import inclusion_proof
from attending.ledger.note import VerifierKey, sign_note
from attending.ledger.proof import format_receipt, parse_receipt, verify_receipt
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.manifest import INTRODUCTIONS
from attending.ledger.verify.report import Report, Status

Log = Any
"""`LogBuilder` of the conftest."""
Failed = Callable[[Report], dict[str, set[int | None]]]


@pytest.fixture
def rotated(make_log: type[Log]) -> Log:
    """Two rotations: of size 5, at entry 4, and of size 9, at entry 8; 12 entries in all."""
    log = make_log()
    log.anchor = log.vkey
    for number in range(12):
        if number in (4, 8):
            log.rotate(number)
        else:
            log.append("system.started", "system", {"number": number})
    return log


def _verify(log: Log, path: Path, *keys: VerifierKey, **more: Any) -> Report:
    return verify_bundle(path, Anchors(keys=keys, **more))


def _keys(log: Log) -> list[VerifierKey]:
    return [signer.verifier for _, signer in log.retired] + [log.vkey]


@pytest.mark.parametrize("scope", ["full", "range", "subset", "at the introduction", "before any"])
def test_whoever_trusts_any_key_of_the_log_verifies_what_a_later_one_signed(
    rotated: Log, tmp_path: Path, scope: str
) -> None:
    path = tmp_path / "bundle.attending"
    signed_by = 2
    if scope == "full":
        rotated.full(path)
    elif scope == "range":
        rotated.range(path, 2, 7)
    elif scope == "subset":
        rotated.subset(path, [1, 6, 11])
    elif scope == "at the introduction":
        rotated.range(path, 0, 5, size=5)
        signed_by = 1
    else:
        rotated.range(path, 0, 3, size=4)
        signed_by = 0
    for number, key in enumerate(_keys(rotated)):
        report = _verify(rotated, path, key)
        good = number <= signed_by
        assert (report.verdict is Status.PASSED) is good, (scope, number, report.failures)
        if not good:
            assert {item.check for item in report.failures} >= {"V1", "V8"}


def test_a_retired_key_signs_nothing_after_the_introduction_and_a_new_one_nothing_before(
    rotated: Log, tmp_path: Path, failed: Failed
) -> None:
    first, second, third = [signer for _, signer in rotated.retired] + [rotated.signer]
    path = tmp_path / "bundle.attending"
    for signer, size in ((first, 12), (second, 12), (second, 4), (third, 8), (third, 3)):
        note = sign_note(checkpoint_text(rotated.origin, size, rotated.root(size)), [signer])
        proofs: list[tuple[str, list[bytes]]] = [(text, []) for _at, text in rotated.introductions]
        rotated.range(path, 0, 2, size=size, checkpoint_note=note, introductions=proofs, signer=signer)
        report = _verify(rotated, path, rotated.anchor)
        found = " ".join(item.detail for item in report.failures if item.check == "V8")
        assert "was replaced at size" in found or "which signs from size" in found, found
        assert {"V1", "V8"} <= failed(report).keys()
        with pytest.raises(VerificationError) as caught:
            verify_receipt(
                format_receipt(1, inclusion_proof(1, size, rotated.node), note),
                rotated.entries[1],
                learned([rotated.anchor], [text for _at, text in rotated.introductions]),
            )
        assert caught.value.reason == "KEY_TERM"
    # A head that a retired key signed beside the one in force is no better: somebody holds that key.
    note = sign_note(checkpoint_text(rotated.origin, 12, rotated.root()), [first, third])
    rotated.full(path, checkpoint_note=note)
    assert "V8" in failed(_verify(rotated, path, rotated.anchor))
    assert "V8" not in failed(_verify(rotated, path, third.verifier))  # the first is nobody to it


def test_missing_reordered_forged_and_foreign_introductions_are_refused(
    rotated: Log, make_log: type[Log], tmp_path: Path, failed: Failed
) -> None:
    path = tmp_path / "bundle.attending"
    texts = [text for _at, text in rotated.introductions]
    one, two = [json.loads(line) for line in _lines(rotated.full(path), INTRODUCTIONS)]
    other = make_log(seed=9)
    for number in range(4):
        other.append("system.started", "system", {"number": number})
    foreign_key = other.rotate(4)  # of the same origin and at the same place, by another key
    elsewhere = make_log("log.example/elsewhere")
    foreign_log = elsewhere.rotate(4)
    resigned = parse_receipt(texts[0])
    assert resigned.extra is not None
    only_old = format_introduction(
        resigned.extra,
        resigned.hashes,
        sign_checkpoint(rotated.origin, 5, rotated.root(5), rotated.retired[0][1].private_key),
    )
    late = format_introduction(resigned.extra, inclusion_proof(4, 6, rotated.node), rotated.checkpoint(6))
    cases = {
        "none": [],
        "the last is missing": [one],
        "the first is missing": [two],
        "out of order": [two, one],
        "twice": [one, one, two],
        "by another key": [{**one, "introduction": foreign_key}, two],
        "of another log": [{**one, "introduction": foreign_log}, two],
        "not by the new key": [{**one, "introduction": only_old}, two],
        "not the head right after it": [{**one, "introduction": late}, two],
        "no consistency proof": [{**one, "consistency": two["consistency"]}, two],
        "another field": [{**one, "more": 1}, two],
    }
    for case, lines in cases.items():
        data = b"".join(encode(line) + b"\n" for line in lines)
        rotated.full(path)
        rotated.tamper(path, INTRODUCTIONS, lambda _old, data=data: data or None, resign=True)
        report = _verify(rotated, path, rotated.anchor)
        assert "V8" in failed(report), case
        assert report.verdict is Status.FAILED, case
        # Whoever trusts the newest key needs none of them to know who signed; that they are not whole is still said.
        assert failed(_verify(rotated, path, rotated.vkey)).keys() <= {"V8"}, case
    # Without the file no key leads to the one that signed, and each rotation is named.
    rotated.full(path)
    rotated.tamper(path, INTRODUCTIONS, lambda _old: None, resign=True)
    assert failed(_verify(rotated, path, rotated.anchor))["V8"] == {None, 4, 8}


def test_an_introduction_of_a_forked_log_does_not_lead_to_another_head(
    rotated: Log, make_log: type[Log], tmp_path: Path, failed: Failed
) -> None:
    fork = make_log()  # the same keys, and another history
    for number in range(12):
        if number in (4, 8):
            fork.rotate(number)
        else:
            fork.append("system.started", "system", {"number": -number})
    path = tmp_path / "bundle.attending"
    proofs = [json.loads(line)["consistency"] for line in _lines(rotated.full(path), INTRODUCTIONS)]
    lines = [
        encode({"consistency": proof, "introduction": text}) + b"\n"
        for proof, (_at, text) in zip(proofs, fork.introductions, strict=True)
    ]
    rotated.subset(path, [1, 11])
    rotated.tamper(path, INTRODUCTIONS, lambda _old: b"".join(lines), resign=True)
    assert failed(_verify(rotated, path, rotated.anchor)) == {"V8": {4, 8}}


def test_pinned_heads_of_every_key_are_compared(rotated: Log, tmp_path: Path, failed: Failed) -> None:
    path = rotated.full(tmp_path / "bundle.attending")
    pins = tuple(rotated.checkpoint(size) for size in (3, 5, 7, 9, 12))
    for key in _keys(rotated):
        report = _verify(rotated, path, key, pinned=pins, require_freshness=True)
        assert report.verdict is Status.PASSED
    # What a thief of the first key signs, of a size that is not its own any more, is no pin.
    thief = rotated.retired[0][1].private_key
    stolen = sign_checkpoint(rotated.origin, 7, rotated.root(7), thief)
    report = _verify(rotated, path, rotated.vkey, pinned=(stolen,))
    assert failed(report) == {"V9": {None}}


def test_no_byte_of_an_introduction_can_be_changed(rotated: Log) -> None:
    text = rotated.introductions[0][1].encode()
    verify_introduction(text)
    for position in range(len(text)):
        changed = bytearray(text)
        changed[position] ^= 1
        with pytest.raises(VerificationError):
            verify_introduction(bytes(changed))


def test_receipts_of_before_and_after_hold_for_whoever_learned_the_key(rotated: Log) -> None:
    texts = [text for _at, text in rotated.introductions]
    known = learned([str(rotated.anchor)], texts)
    for size in range(1, 13):
        receipt = format_receipt(0, inclusion_proof(0, size, rotated.node), rotated.checkpoint(size))
        assert verify_receipt(receipt, rotated.entries[0], known).size == size
        if size > 5:
            with pytest.raises(VerificationError) as caught:
                verify_receipt(receipt, rotated.entries[0], [rotated.anchor])
            assert caught.value.reason == "UNKNOWN_KEY"
    # Whoever begins with a later key takes nothing from those before it: their thief could sign old sizes.
    known = learned([rotated.vkey], texts)
    early = format_receipt(0, inclusion_proof(0, 3, rotated.node), rotated.checkpoint(3))
    with pytest.raises(VerificationError) as caught:
        verify_receipt(early, rotated.entries[0], known)
    assert caught.value.reason == "UNKNOWN_KEY"
    with pytest.raises(VerificationError) as caught:
        learned([_other(rotated)], texts)
    assert caught.value.reason == "UNKNOWN_KEY"


def test_what_is_no_rotation_introduces_nobody(make_log: type[Log]) -> None:
    log = make_log()
    log.append("system.started", "system", {})
    old, new = log.signer, make_log(seed=7).signer
    body = {"kind": "signing", "generation": 2, "old": str(old.verifier), "new": str(new.verifier)}
    elsewhere = make_log("log.example/elsewhere", seed=7).vkey
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("key.rotated", "keys/signing", {**body, "kind": "kek"}),
        ("key.rotated", "keys", body),
        ("key.enrolled", "keys/signing", body),
        ("key.rotated", "keys/signing", {**body, "generation": 1}),
        ("key.rotated", "keys/signing", {**body, "generation": "2"}),
        ("key.rotated", "keys/signing", {**body, "new": str(old.verifier)}),
        ("key.rotated", "keys/signing", {**body, "new": str(elsewhere)}),
        ("key.rotated", "keys/signing", {**body, "new": 7}),
        ("key.rotated", "keys/signing", {key: value for key, value in body.items() if key != "old"}),
    ]
    for kind, stream, wrong in cases:
        entry = log.append(kind, stream, wrong)
        size = entry.index + 1
        note = sign_note(checkpoint_text(log.origin, size, log.root()), [old, new])
        text = format_introduction(entry.data, inclusion_proof(entry.index, size, log.node), note)
        with pytest.raises(VerificationError) as caught:
            verify_introduction(text)
        assert caught.value.reason == "INTRODUCTION", wrong
    assert follow([], log.origin) == ()
    assert parse_entry(log.entries[-1]).index == len(cases)


def _other(log: Log) -> VerifierKey:
    return VerifierKey(log.origin, 1, type(log)(seed=99).vkey.public_key)


def _lines(path: Path, name: str) -> list[bytes]:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return archive.read(name).splitlines()
