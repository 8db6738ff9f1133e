"""Reports in a log: asked for, signed off by a named person, issued as signed; each way of being wrong fails."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.report_signature import (
    DISCARDED,
    ISSUED,
    REQUESTED,
    SIGNED_OFF,
    ReportStatement,
    parse_report_statement,
    report_stream,
)
from attending.ledger.reviewer_key import Algorithm
from attending.ledger.verify import Report, Status

from tests.authenticator import PRESENT
from tests.ledger.verify.test_passkeys import Signer

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder, Reviewer

Failed = Callable[[Report], dict[str, set[int | None]]]
REPORT = "rpt_" + "1" * 32
STREAM = report_stream(REPORT)
BUNDLE, FIGURES = "ab" * 32, "cd" * 32


def statement(log: LogBuilder, who: Reviewer, **changes: Any) -> ReportStatement:
    fields: dict[str, Any] = {
        "origin": log.origin,
        "report": REPORT,
        "kind": "regulator",
        "bundle": BUNDLE,
        "statistics": FIGURES,
        "draft": "ef" * 32,
        "tree_size": 7,
        "root": "01" * 32,
        "meaning": "approved_for_issue",
        "signer": who.user,
        "key_id": who.key_id,
        "role": who.role,
        "time": "2026-11-01T08:00:00.000000Z",
        "nonce": f"n{len(log.entries)}",
    }
    return ReportStatement(**{**fields, **changes})


def sign(log: LogBuilder, who: Reviewer, *, actor: str | None = None, **changes: Any) -> int:
    said = statement(log, who, **changes)
    body = {
        "report": REPORT,
        "statement": said.to_json(),
        "signature": b64encode(who.key.sign(said.message())).decode(),
        "key_id": who.key_id,
    }
    return log.append(SIGNED_OFF, STREAM, body, actor=actor or f"human:{who.user}").index


def issue(log: LogBuilder, **changes: Any) -> int:
    said = {"kind": "regulator", "bundle": BUNDLE, "statistics": FIGURES, "tree_size": 7}
    body = {"report": REPORT, **said, **changes}
    return log.append(ISSUED, STREAM, body).index


def test_a_report_in_its_order_verifies(log: LogBuilder, tmp_path: Path) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    sign(log, who)
    issue(log)
    assert log.verify(log.full(tmp_path / "a.attending")).verdict is Status.PASSED


def sign_by_passkey(
    log: LogBuilder, who: Signer, *, as_: Algorithm = Algorithm.WEBAUTHN_ES256, **faults: Any
) -> int:
    """A sign-off over its statement's challenge; `faults` are of the assertion."""
    said = statement(log, who)  # type: ignore[arg-type]
    proof = who.passkey.prove(faults.pop("challenge", said.challenge()), **faults)
    body = {"report": REPORT, "statement": said.to_json(), "key_id": who.key_id, **proof.to_json(as_)}
    return log.append(SIGNED_OFF, STREAM, body, actor=f"human:{who.user}").index


def test_a_passkey_signs_a_report_off(log: LogBuilder, tmp_path: Path) -> None:
    who = Signer(log, role="auditor")
    who.invite()
    who.bind()
    log.append(REQUESTED, STREAM, {"report": REPORT})
    sign_by_passkey(log, who)
    issue(log)
    assert log.verify(log.full(tmp_path / "a.attending")).verdict is Status.PASSED


@pytest.mark.parametrize(
    "faults",
    [
        {"challenge": bytes(32)},
        {"origin": "https://elsewhere.example"},
        {"flags": PRESENT},
        {"type_": "webauthn.create"},
        {"as_": Algorithm.WEBAUTHN_ED25519},
    ],
)
def test_a_passkey_that_signed_something_else_or_for_nobody_fails(
    log: LogBuilder, tmp_path: Path, failed: Failed, faults: dict[str, Any]
) -> None:
    who = Signer(log, role="auditor")
    who.invite()
    who.bind()
    log.append(REQUESTED, STREAM, {"report": REPORT})
    index = sign_by_passkey(log, who, **faults)
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V11": {index}}


def test_a_passkey_that_nobody_let_in_signs_no_report_off(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    who = Signer(log, role="auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    index = sign_by_passkey(log, who)
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V12": {index}}


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("V11", {"origin": "log.example/other"}),
        ("V11", {"report": "rpt_" + "2" * 32}),
        ("V13", {"role": "clinician"}),
    ],
)
def test_a_statement_of_something_else_fails(
    log: LogBuilder, tmp_path: Path, failed: Failed, check: str, changes: dict[str, Any]
) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    index = sign(log, who, **changes)
    found = failed(log.verify(log.full(tmp_path / "a.attending")))
    assert index in found[check]


def test_another_than_the_signer_cannot_bring_it(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    index = sign(log, who, actor="human:eve")
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V11": {index}}


def test_a_signature_over_other_evidence_fails(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    said = statement(log, who)
    body = {"statement": {**said.to_json(), "bundle": "99" * 32}, "key_id": who.key_id}
    body["signature"] = b64encode(who.key.sign(said.message())).decode()
    index = log.append(SIGNED_OFF, STREAM, body, actor="human:ada").index
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V11": {index}}


def test_each_step_out_of_order_fails(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    who = log.enrol("ada", "auditor")
    never = sign(log, who)
    log.append(REQUESTED, STREAM, {"report": REPORT})
    unsigned = issue(log)
    sign(log, who)
    twice = sign(log, who)
    again = issue(log)
    found = failed(log.verify(log.full(tmp_path / "a.attending")))
    # Asked for after it was signed: the report is a second one of its id.
    assert found == {"V14": {never, never + 1, unsigned, twice, again}}


def discard(log: LogBuilder) -> int:
    return log.append(DISCARDED, STREAM, {"report": REPORT, "reason": "not_signed"}).index


@pytest.mark.parametrize("signed", [True, False])
def test_a_report_that_is_not_issued_may_be_discarded(log: LogBuilder, tmp_path: Path, signed: bool) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    if signed:
        sign(log, who)
    discard(log)
    assert log.verify(log.full(tmp_path / "a.attending")).verdict is Status.PASSED


def test_what_was_discarded_is_at_its_end_and_what_was_issued_is_not_discarded(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    discard(log)
    wrong = {discard(log), sign(log, who), issue(log), discard(log)}
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V14": wrong}


@pytest.mark.parametrize(
    ("name", "value"),
    [("bundle", "77" * 32), ("statistics", "77" * 32), ("kind", "dossier"), ("tree_size", 8)],
)
def test_what_is_issued_is_what_was_signed(
    log: LogBuilder, tmp_path: Path, failed: Failed, name: str, value: object
) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    sign(log, who)
    index = issue(log, **{name: value})
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V14": {index}}


def test_a_nonce_is_used_once(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    who = log.enrol("ada", "auditor")
    for number in (1, 2):
        other = f"rpt_{number}" + "0" * 31
        log.append(REQUESTED, report_stream(other), {"report": other})
        said = statement(log, who, report=other, nonce="same")
        signature = b64encode(who.key.sign(said.message())).decode()
        body = {"statement": said.to_json(), "signature": signature, "key_id": who.key_id}
        index = log.append(SIGNED_OFF, report_stream(other), body, actor="human:ada").index
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V11": {index}}


def test_a_range_that_begins_in_the_middle_leaves_a_doubt(log: LogBuilder, tmp_path: Path) -> None:
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    sign(log, who)
    begin = len(log.entries)
    issue(log)
    report = log.verify(log.range(tmp_path / "a.attending", begin, begin + 1))
    assert report.failures == ()
    assert report.verdict is Status.INDETERMINATE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("bundle", "AB" * 32),
            ("draft", 7),
            ("report", "rpt_x"),
            ("key_id", "xyz"),
            ("meaning", "approved"),
        ),
        *(
            ("tree_size", 0),
            ("tree_size", True),
            ("time", "yesterday"),
            ("signer", ""),
            ("v", 2),
            ("more", 1),
        ),
    ],
)
def test_a_statement_that_breaks_a_rule_is_none(log: LogBuilder, name: str, value: object) -> None:
    who = log.enrol("ada", "auditor")
    with pytest.raises(VerificationError):
        parse_report_statement({**statement(log, who).to_json(), name: value})
