"""V11 and V12 of passkeys, each rule broken alone by an operator who holds the log's key."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.review_signature import sign_statement
from attending.ledger.reviewer_key import Algorithm, Proof
from attending.ledger.verify import Report, Status

from tests.authenticator import ORIGIN, PRESENT, Credential

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
LATER = "2027-01-01T00:00:00.000000Z"


@dataclass
class Signer:
    """A person with a passkey in a log, as `tests.ledger.verify.conftest.Reviewer` is one with a key in a file."""

    log: LogBuilder
    user: str = "dr-okafor"
    role: str = "clinician"

    def __post_init__(self) -> None:
        self.passkey = Credential.new()

    @property
    def key_id(self) -> str:
        return self.passkey.enrolled.key_id

    def invite(self, invitation: str = "inv_1", **changes: Any) -> None:
        """Both halves; `changes` are of the actors and of the expiry."""
        stream = f"invitation:{invitation}"
        body = {"user": self.user, "credential": invitation, "kind": "passkey"}
        first = {**body, "half": "administrator", "expires": changes.get("expires", LATER)}
        self.log.append("credential.issued", stream, first, actor=changes.get("issuer", "human:olga"))
        if (officer := changes.get("officer", "human:saida")) is not None:
            self.log.append("credential.issued", stream, {**body, "half": "officer"}, actor=officer)

    def bind(self, *, actor: str | None = None, **changes: Any) -> Entry:
        body = {
            **self.passkey.enrolled.to_json(),
            "user": self.user,
            "roles": [self.role],
            "not_after": None,
            "invitation": "inv_1",
            **changes,
        }
        return self.log.append(
            "key.enrolled", f"key:{self.key_id}", body, actor=actor or f"human:{self.user}"
        )

    def sign(
        self,
        stream: str = "inf_1",
        *,
        of: Signer | None = None,
        as_: Algorithm = Algorithm.WEBAUTHN_ES256,
        shown: bytes | None = b"what was shown",
        proof: Callable[[bytes, Proof], Proof] = lambda _message, good: good,
        **faults: Any,
    ) -> Entry:
        """A held text that is signed; `of` is whose passkey signs, `as_` the algorithm that the entry names."""
        log = self.log
        text = log.hold(stream)
        view = log.payload("view", b"what was shown")
        statement = log.statement(stream, self, text, view_commitment=view.commitment)  # type: ignore[arg-type]
        good = (of or self).passkey.prove(statement.challenge(), **faults)
        made = proof(statement.message(), good)
        body = {"statement": statement.to_json(), "key_id": self.key_id, **made.to_json(as_)}
        if as_ is Algorithm.ED25519:
            body["algorithm"] = "ed25519"
        payloads = []
        if shown is not None:
            payloads = [view if shown == b"what was shown" else log.payload("view", shown)]
        return log.append("review.signed", stream, body, payloads=payloads)


@pytest.fixture
def signer(log: LogBuilder) -> Signer:
    return Signer(log)


@pytest.fixture
def found(tmp_path: Path, failed: Failed, log: LogBuilder) -> Callable[[], dict[str, set[int | None]]]:
    return lambda: failed(log.verify(log.full(tmp_path / "a.attending")))


Found = Callable[[], dict[str, set[int | None]]]


def test_a_passkey_that_two_people_let_in_signs(signer: Signer, tmp_path: Path, log: LogBuilder) -> None:
    signer.invite()
    signer.bind()
    signer.sign()
    # Enrolled again under other terms, by whoever proofed them, and the site has moved.
    signer.bind(actor="human:saida", origins=["http://localhost:8800"], invitation="inv_1")
    entry = signer.sign("inf_2", origin="http://localhost:8800")
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert [item for item in report.results if item.status is Status.FAILED] == []
    # A range that begins after the invitation does not say that nobody made one.
    report = log.verify(log.range(tmp_path / "b.attending", 2, entry.index + 1))
    assert [item.check for item in report.failures] == []
    assert report.verdict is Status.INDETERMINATE


def test_a_signature_in_a_frame_counts_as_the_enrolment_before_it_says(
    signer: Signer, found: Found, tmp_path: Path, log: LogBuilder
) -> None:
    framed: dict[str, Any] = {"crossOrigin": True, "topOrigin": "https://ehr.example"}
    signer.invite()
    signer.bind()
    signer.bind(actor="system:srv", top_origins=["https://ehr.example"], invitation="inv_1")
    signer.sign(**framed)
    assert [one.check for one in log.verify(log.full(tmp_path / "a.attending")).failures] == []
    # The page may frame it no more.
    signer.bind(actor="system:srv", invitation="inv_1")
    late = signer.sign("inf_2", **framed)
    assert found() == {"V11": {late.index}}


@pytest.mark.parametrize(
    "faults",
    [
        {"flags": PRESENT},
        {"origin": "http://localhost:8800"},
        {"rp_id": "evil.example"},
        {"type_": "webauthn.create"},
        {"challenge": "AAAA"},
        {"crossOrigin": True},
        {"shown": None},
        {"shown": b"something else"},
        {"as_": Algorithm.WEBAUTHN_ED25519},
        {"as_": Algorithm.ES256, "proof": lambda _message, good: Proof(good.signature)},
        {"as_": Algorithm.ED25519, "proof": lambda _message, good: Proof(good.signature)},
        {"proof": lambda _message, good: replace(good, signature=b"x" * 70)},
    ],
    ids=" ".join,
)
def test_a_signature_that_does_not_say_what_it_must(
    signer: Signer, found: Found, faults: dict[str, Any]
) -> None:
    signer.invite()
    signer.bind()
    entry = signer.sign(**faults)
    assert found() == {"V11": {entry.index}}


def test_a_statement_signed_with_the_passkey_s_key_as_if_it_were_a_file(signer: Signer, found: Found) -> None:
    """Cleared user verification by another way: the private half is out of its device."""
    signer.invite()
    signer.bind()
    entry = signer.sign(as_=Algorithm.ES256, proof=lambda message, _good: Proof(signer.passkey.sign(message)))
    again = signer.bind(actor="human:saida", algorithm="es256")
    assert found() == {"V11": {entry.index}, "V12": {again.index}}


def test_an_assertion_is_not_swapped_between_people_or_texts(
    signer: Signer, log: LogBuilder, found: Found
) -> None:
    signer.invite()
    signer.bind()
    other = Signer(log, "dr-chen")
    other.invite("inv_2")
    other.bind(invitation="inv_2")
    signer.sign("inf_1")
    by_other = signer.sign("inf_2", of=other)
    # The first signature once more, on another record.
    first = next(data for data in log.entries if b'"review.signed"' in data)
    body = json.loads(first)["body"]
    copied = log.append("review.signed", "inf_2", body)
    assert found() == {"V11": {by_other.index, copied.index}}


@pytest.mark.parametrize(
    ("invited", "bound"),
    [
        (None, {}),
        ({"officer": None}, {}),
        ({"officer": "human:olga"}, {}),
        ({"officer": "human:dr-okafor"}, {}),
        ({"issuer": "human:dr-okafor"}, {}),
        ({"expires": "2026-11-01T08:00:01.000000Z"}, {}),
        ({}, {"actor": "human:olga"}),
        ({}, {"actor": "system:srv-1"}),
        ({}, {"invitation": "inv_other"}),
        ({}, {"invitation": None}),
        ({}, {"key_id": "0" * 16}),
        ({}, {"rp_id": "evil.example"}),
        ({}, {"origins": [ORIGIN, "https://evil.example"]}),
    ],
    ids=str,
)
def test_a_passkey_that_one_person_could_have_made(
    signer: Signer, found: Found, invited: dict[str, Any] | None, bound: dict[str, Any]
) -> None:
    if invited is not None:
        signer.invite(**invited)
    entry = signer.bind(**bound)
    assert found()["V12"] == {entry.index}


def test_an_invitation_is_used_once(signer: Signer, log: LogBuilder, found: Found) -> None:
    signer.invite()
    signer.bind()
    entry = Signer(log).bind()
    assert found() == {"V12": {entry.index}}


def test_a_passkey_does_not_change_its_site_or_its_credential(signer: Signer, found: Found) -> None:
    signer.invite()
    signer.bind()
    other = base64.urlsafe_b64encode(b"another").rstrip(b"=").decode()
    wrong = [
        signer.bind(rp_id="clinic.example", origins=["https://clinic.example"]),
        signer.bind(credential_id=other),
        signer.bind(user="dr-chen"),
    ]
    assert found() == {"V12": {entry.index for entry in wrong}}


def test_a_half_that_comes_twice_or_alone(signer: Signer, log: LogBuilder, found: Found) -> None:
    signer.invite()
    body = {"user": "dr-okafor", "credential": "inv_1", "kind": "passkey"}
    wrong = [
        log.append("credential.issued", "invitation:inv_1", {**body, "half": "officer"}, actor="human:x"),
        log.append("credential.issued", "invitation:inv_1", {**body, "half": "both"}, actor="human:x"),
        log.append(
            "credential.issued", "invitation:inv_9", {**body, "credential": "inv_9", "half": "officer"}
        ),
    ]
    assert found() == {"V12": {entry.index for entry in wrong}}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({}, None),
        ({"text": "another text"}, "V11"),
        ({"signer": "dr-chen"}, "V11"),
        ({"role": "pharmacist"}, "V11"),
        ({"inference": "inf_2"}, "V11"),
        ({"format": "attending-view/2"}, "doubt"),
    ],
    ids=str,
)
def test_what_was_displayed_is_what_was_signed(
    log: LogBuilder, tmp_path: Path, failed: Failed, change: dict[str, str], check: str | None
) -> None:
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    view = {
        "format": "attending-view/1",
        "inference": "inf_1",
        "role": "clinician",
        "signer": "dr-rivera",
        "text": "output of inf_1",
    }
    shown = log.payload("view", encode({**view, **change}))
    statement = log.statement("inf_1", doctor, text, view_commitment=shown.commitment)
    entry = log.append_signed("inf_1", statement, sign_statement(statement, doctor.key), [shown])
    report = log.verify(log.full(tmp_path / "a.attending", payloads=log.openings.values()))
    assert failed(report) == ({"V11": {entry.index}} if check == "V11" else {})
    doubts = [
        one.index for one in report.results if one.check == "V11" and one.status is Status.INDETERMINATE
    ]
    assert doubts == ([entry.index] if check == "doubt" else [])
