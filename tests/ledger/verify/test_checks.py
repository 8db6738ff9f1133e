"""Signatures, transitions and releases: each rule broken alone, by an operator who holds the log's key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attending.ledger.review_signature import Meaning, parse_statement, sign_statement
from attending.ledger.verify import Report, Status

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
Check = Callable[["LogBuilder"], dict[str, set[int | None]]]


@pytest.fixture
def check(tmp_path: Path, failed: Failed) -> Check:
    def run(log: LogBuilder) -> dict[str, set[int | None]]:
        return failed(log.verify(log.full(tmp_path / "a.attending")))

    return run


# -- V11: the signature itself
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"view_commitment": "cd" * 32},
        {"nonce": "another"},
        {"time": "2026-10-01T08:00:00.000000Z"},
        {"findings": 0, "disposed": 0},
        {"role": "clinician "},
    ],
    ids=lambda change: next(iter(change)),
)
def test_statement_changed_after_signing(log: LogBuilder, check: Check, change: dict[str, str]) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    signature = sign_statement(log.statement("inf_1", doctor, text), doctor.key)
    entry = log.append_signed("inf_1", log.statement("inf_1", doctor, text, **change), signature)
    assert entry.index in check(log)["V11"]


def test_signature_of_one_record_does_not_serve_another(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    first, _ = log.hold("inf_1"), log.hold("inf_2")
    statement = log.statement("inf_1", doctor, first)
    signature = sign_statement(statement, doctor.key)
    log.append_signed("inf_1", statement, signature)
    copied = log.append_signed("inf_2", statement, signature)
    assert check(log)["V11"] == {copied.index}


def test_signature_made_for_another_log(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    entry = log.sign("inf_1", doctor, log.hold("inf_1"), origin="log.example/other")
    assert check(log) == {"V11": {entry.index}}


def test_nonce_is_used_once(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    log.sign("inf_1", doctor, log.hold("inf_1"), nonce="n")
    entry = log.sign("inf_2", doctor, log.hold("inf_2"), nonce="n")
    assert check(log) == {"V11": {entry.index}}


def test_text_signed_must_be_on_record(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    unknown = log.payload("output_signed", b"nowhere")
    log.hold("inf_1")
    entry = log.sign("inf_1", doctor, unknown)
    assert entry.index in check(log)["V11"]


def test_commitment_must_be_that_of_the_record(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    entry = log.sign("inf_1", doctor, log.hold("inf_1"), text_commitment="ee" * 32)
    assert check(log) == {"V11": {entry.index}}


@pytest.mark.parametrize("body", [{}, {"statement": []}, {"statement": {"v": 1}}, {"statement": None}])
def test_malformed_statement(log: LogBuilder, check: Check, body: dict[str, object]) -> None:
    log.hold("inf_1")
    entry = log.append("review.signed", "inf_1", body)
    assert check(log) == {"V11": {entry.index}}


@pytest.mark.parametrize(
    "change", [{"algorithm": "none"}, {"signature": "!"}, {"key_id": "0" * 16}, {"signature": 5}]
)
def test_algorithm_and_encoding_are_on_the_list(
    log: LogBuilder, check: Check, change: dict[str, object]
) -> None:
    doctor = log.enrol("dr-rivera")
    signed = log.sign("inf_1", doctor, log.hold("inf_1"))
    log.entries.pop()
    entry = log.append("review.signed", "inf_1", {**signed.body, **change})
    assert check(log) == {"V11": {entry.index}}


def test_statement_round_trip(log: LogBuilder) -> None:
    doctor = log.enrol("dr-rivera")
    statement = log.statement("inf_1", doctor, log.hold("inf_1"))
    assert parse_statement(statement.to_json()) == statement
    assert statement.message().startswith(b'attending-review-signature/1\n{"disposed":1,')


# -- V12, V13: keys, roles, meanings
# -----------------------------------------------------------------------------


def test_key_used_before_its_enrolment(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    log.entries.clear()
    entry = log.sign("inf_1", doctor, log.hold("inf_1"))
    log.enrol("dr-rivera")
    assert check(log) == {"V12": {entry.index}}


def test_key_revoked_before(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    log.sign("inf_1", doctor, log.hold("inf_1"))
    log.append("key.revoked", "key", {"key_id": doctor.key_id})
    entry = log.sign("inf_2", doctor, log.hold("inf_2"))
    assert check(log) == {"V12": {entry.index}}


def test_key_expired(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera", not_after="2026-11-01T08:00:03.000000Z")
    entry = log.sign("inf_1", doctor, log.hold("inf_1"))
    assert check(log) == {"V12": {entry.index}}
    # a statement dated before the expiry does not help when the entry is later
    dated = log.sign("inf_2", doctor, log.hold("inf_2"), time="2026-11-01T08:00:01.000000Z")
    assert check(log) == {"V12": {entry.index, dated.index}}


def test_a_statement_dated_after_the_expiry_does_not_hold(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera", not_after="2026-11-01T09:00:00.000000Z")
    entry = log.sign("inf_1", doctor, log.hold("inf_1"), time="2026-11-01T09:00:00.000001Z")
    assert check(log) == {"V12": {entry.index}}


def test_other_signer_than_the_owner_of_the_key(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    log.enrol("dr-chen")
    entry = log.sign("inf_1", doctor, log.hold("inf_1"), signer="dr-chen")
    assert check(log) == {"V12": {entry.index}}


@pytest.mark.parametrize(
    "change",
    [
        {"public_key": "AAAA"}, {"public_key": "A" * 43 + "="}, {"algorithm": "rsa"}, {"roles": "clinician"},
        {"user": None}, {"key_id": "0" * 16}, {"not_after": "tomorrow"},
    ],
    ids=str,
)  # fmt: skip
def test_enrolment_that_enrols_nobody(log: LogBuilder, check: Check, change: dict[str, object]) -> None:
    doctor = log.enrol("dr-rivera")
    body = dict(json.loads(log.entries.pop())["body"])
    entry = log.append("key.enrolled", "key", {**body, **change})
    signed = log.sign("inf_1", doctor, log.hold("inf_1"))
    assert check(log) == {"V12": {entry.index, signed.index}}


def test_one_key_is_not_enrolled_to_two_users(log: LogBuilder, check: Check) -> None:
    log.enrol("dr-rivera")
    body = json.loads(log.entries[-1])["body"]
    entry = log.append("key.enrolled", "key", {**body, "user": "dr-chen"})
    assert check(log) == {"V12": {entry.index}}


def test_role_must_be_enrolled_and_asked_for(log: LogBuilder, check: Check) -> None:
    nurse, doctor = log.enrol("nurse", "nurse"), log.enrol("dr-rivera")
    wrong_role = log.sign("inf_1", nurse, log.hold("inf_1"))
    claimed = log.sign("inf_2", doctor, log.hold("inf_2", roles=["pharmacist"]), role="pharmacist")
    assert check(log) == {"V13": {wrong_role.index, claimed.index}}


def test_meaning_must_fit_the_text(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    as_edit = log.sign("inf_1", doctor, log.hold("inf_1"), meaning=Meaning.APPROVED_WITH_EDITS)
    log.hold("inf_2")
    edited = log.payload("output_signed", b"edited")
    as_is = log.sign("inf_2", doctor, edited, edited=True, meaning=Meaning.APPROVED)
    assert check(log) == {"V13": {as_edit.index, as_is.index}}


# -- V14: transitions, who may sign
# ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        ["inference.generated"],
        ["inference.requested", "inference.requested"],
        ["inference.requested", "inference.released"],
        ["inference.requested", "inference.blocked", "inference.generated"],
        ["inference.requested", "inference.generated", "inference.held", "inference.failed"],
        ["inference.requested", "inference.generated", "inference.blocked", "inference.held"],
        ["inference.requested", "inference.generated", "review.signed"],
        ["inference.requested", "inference.generated", "inference.held", "review.rejected", "review.claimed"],
        ["inference.requested", "inference.abandoned", "inference.abandoned"],
        [
            "inference.requested",
            "inference.generated",
            "inference.blocked",
            "review.claimed",
            "inference.released",
        ],
        ["inference.requested", "inference.generated", "inference.withdrawn"],
    ],
    ids=lambda events: events[-1],
)
def test_illegal_transition_is_named(log: LogBuilder, check: Check, events: list[str]) -> None:
    for event in events:
        entry = log.append(event, "inf_1", {"basis": "policy"})
    assert check(log)["V14"] == {entry.index}


def test_release_after_rejection(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    log.sign("inf_1", doctor, text, meaning=Meaning.REJECTED)
    log.append("review.rejected", "inf_1")
    entry = log.release("inf_1", text)
    assert check(log) == {"V14": {entry.index}, "V16": {entry.index}}


def test_late_reply_and_reconciliation_are_legal(log: LogBuilder, check: Check) -> None:
    log.request("inf_1")
    log.append("inference.abandoned", "inf_1")
    log.append("inference.late", "inf_1")
    log.append("inference.reconciled", "inf_1")
    assert check(log) == {}


def test_the_application_and_the_author_do_not_sign(log: LogBuilder, check: Check) -> None:
    portal, nurse = log.enrol("portal"), log.enrol("nurse-li")
    by_app = log.sign("inf_1", portal, log.hold("inf_1"))
    by_author = log.sign("inf_2", nurse, log.hold("inf_2"))
    log.sign("inf_3", nurse, log.hold("inf_3", author_may_sign=True))
    assert check(log) == {"V14": {by_app.index, by_author.index}}


def test_policy_signed_under_must_be_the_one_that_held(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    entry = log.sign("inf_1", doctor, log.hold("inf_1"), policy_hash="00" * 32)
    assert check(log) == {"V14": {entry.index}}


# -- V16, V17: release
# -------------------------------------------------------------------------------------------


def test_release_without_sign_off(log: LogBuilder, check: Check) -> None:
    entry = log.release("inf_1", log.hold("inf_1"))
    by_policy = log.release("inf_2", log.hold("inf_2"), "policy")
    assert check(log) == {"V16": {entry.index, by_policy.index}}


def test_sign_off_after_release(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    released = log.release("inf_1", text)
    signed = log.sign("inf_1", doctor, text)
    assert check(log) == {"V14": {signed.index}, "V16": {released.index}}


def test_other_text_released_than_signed(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    log.sign("inf_1", doctor, text)
    entry = log.release("inf_1", log.payload("output_signed", b"other"))
    assert check(log) == {"V16": {entry.index}}


def test_two_sign_offs_take_two_people(log: LogBuilder, check: Check) -> None:
    first, second = log.enrol("dr-rivera"), log.enrol("dr-chen")
    text = log.hold("inf_1", count=2)
    log.sign("inf_1", first, text)
    log.sign("inf_1", first, text)
    alone = log.release("inf_1", text)
    text = log.hold("inf_2", count=2)
    log.sign("inf_2", first, text)
    log.sign("inf_2", second, text)
    log.release("inf_2", text)
    assert check(log) == {"V16": {alone.index}}


@pytest.mark.parametrize("count", [0, -1, True, "1", None])
def test_sign_off_count_must_be_a_count(log: LogBuilder, check: Check, count: int) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1", count=count)
    log.sign("inf_1", doctor, text)
    entry = log.release("inf_1", text)
    assert check(log) == {"V16": {entry.index}}


def test_rejection_is_no_sign_off(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    log.sign("inf_1", doctor, text, meaning=Meaning.REJECTED)
    entry = log.release("inf_1", text)
    assert check(log) == {"V16": {entry.index}}


def test_release_said_to_be_signed_needs_a_signature_though_never_held(log: LogBuilder, check: Check) -> None:
    log.request("inf_1")
    entry = log.release("inf_1", log.generate("inf_1"), "signed")
    assert check(log) == {"V16": {entry.index}}


def test_a_release_said_to_be_by_break_glass_needs_its_entry(log: LogBuilder, check: Check) -> None:
    entry = log.release("inf_1", log.hold("inf_1"), "break_glass")
    assert check(log) == {"V16": {entry.index}}


def test_undisposed_findings(log: LogBuilder, check: Check) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    signed = log.sign("inf_1", doctor, text, findings=3, disposed=2)
    released = log.release("inf_1", text)
    assert check(log) == {"V17": {signed.index}, "V16": {released.index}}


def test_missing_facts_are_indeterminate_not_passed(log: LogBuilder, tmp_path: Path) -> None:
    log.request("inf_1")
    log.generate("inf_1")
    log.append("inference.released", "inf_1", {})
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert report.verdict is Status.INDETERMINATE
