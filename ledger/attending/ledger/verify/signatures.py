"""V11, V12, V13: reviewers' signatures, the keys they were made with, and what they say.

Enrolments, revocations and signatures all stand in the one log, so the order of entries decides what was
valid when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from attending.ledger.entry import Entry, parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.review_signature import Statement, parse_statement, verify_statement
from attending.ledger.reviewer_key import ReviewerKey, parse_proof, parse_reviewer_key
from attending.ledger.verify.passkeys import Invitations
from attending.ledger.verify.report import Findings


@dataclass(frozen=True, slots=True)
class Signed:
    """A `review.signed` that holds, as far as the bundle tells.

    `proved` is False when what it rests on (the enrolment, the record of the text) may stand outside the
    bundle.
    """

    index: int
    statement: Statement
    proved: bool


class Attributed(Protocol):
    """What a signed statement says of its signature."""

    @property
    def signer(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def time(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Enrolled:
    index: int
    user: str
    key: ReviewerKey
    roles: frozenset[str]
    not_after: str | None


class Signatures:
    """Follows key life cycles and checks each signature when its entry comes, in log order."""

    def __init__(self, findings: Findings, *, complete_from_start: bool) -> None:
        """`complete_from_start` is True when no entry before a given one can be missing (scope full)."""
        self._findings = findings
        self._complete = complete_from_start
        self._keys: dict[str, _Enrolled] = {}
        self._revoked: dict[str, int] = {}
        self._nonces: dict[str, int] = {}
        self._invitations = Invitations(findings, complete_from_start=complete_from_start)
        self.count = 0

    def visit(self, entry: Entry) -> None:
        """Takes note of `key.enrolled`, `key.revoked` and `credential.issued`."""
        if entry.type == "credential.issued":
            self._invitations.visit(entry)
        elif entry.type == "key.enrolled":
            self._enrol(entry)
        elif entry.type == "key.revoked":
            revoked = entry.body.get("key_id")
            if type(revoked) is str:
                self._revoked.setdefault(revoked, entry.index)
            else:
                self._findings.doubt("V12", "revocation names no key", entry.index)

    def check(self, entry: Entry, records: Mapping[str, str]) -> Signed | None:
        """The signature of a `review.signed` when it holds; None after having reported why not.

        1. Statement, key id and signature are well formed, the algorithm is allowed. 2. The statement names
        this log and this inference. 3. Its nonce was not used before. 4. The text it names is on record
        (`records`: vault record to commitment, of the inference), and what was displayed with the signature. 5. The
        key was enrolled before to the signer, in the role, not revoked, not expired, and signs with the algorithm that
        it was enrolled with. 6. The signature verifies; of a passkey with the challenge, the origin, the RP and the
        person verified.
        """
        self.count += 1
        index, body, report = entry.index, entry.body, self._findings
        try:
            statement = parse_statement(body.get("statement"))  # 1
            algorithm, proof = parse_proof(body)
        except VerificationError as err:
            report.fail("V11", err.detail, index)
            return None
        if body.get("key_id") != statement.key_id:
            report.fail("V11", "key id is not that of the statement", index)
            return None
        valid = True
        if statement.origin != entry.origin or statement.inference != entry.stream:  # 2
            report.fail("V11", "signature was made for another log or inference", index)
            valid = False
        earlier = self._nonces.setdefault(statement.nonce, index)  # 3
        if earlier != index:
            report.fail("V11", f"nonce was used before, by entry {earlier}", index)
            valid = False
        proved = True
        on_record = records.get(statement.record)  # 4
        if on_record is None and not self._complete:
            report.doubt("V11", "record of the text signed is not in the bundle", index)
            proved = False
        elif on_record is None:
            report.fail("V11", "text signed is not on record", index)
            valid = False
        elif on_record != statement.text_commitment:
            report.fail("V11", "text signed is not the text on record", index)
            valid = False
        displayed = [item.commitment for item in entry.commitments if item.kind == "view"]
        if statement.view_commitment not in displayed and (displayed or algorithm.passkey):
            report.fail("V11", "what was displayed is not what the statement commits to", index)
            valid = False
        key = self._keys.get(statement.key_id)  # 5
        if key is None and not self._complete:
            report.doubt(
                "V11", "signature cannot be verified: enrolment of its key is not in the bundle", index
            )
            report.doubt("V12", "enrolment of the key is not in the bundle", index)
            return Signed(index, statement, proved=False) if valid else None
        if key is None:
            report.fail("V12", "key was not enrolled before the signature", index)
            return None
        if not self._key_valid(key, statement, entry):
            valid = False
        if key.key.algorithm is not algorithm:
            report.fail("V11", "signed with another algorithm than the key is enrolled for", index)
            return None
        try:
            verify_statement(statement, key.key, proof)  # 6
        except VerificationError as err:
            report.fail("V11", err.detail, index)
            return None
        return Signed(index, statement, proved) if valid else None

    def check_other(self, entry: Entry, statement: Attributed, message: bytes, role: str) -> None:
        """Steps 1, 5 and 6 for a statement that is no review, which only `role` may sign; reports why not."""
        report, index = self._findings, entry.index
        try:
            algorithm, proof = parse_proof(entry.body)
        except VerificationError as err:
            report.fail("V11", err.detail, index)
            return
        if entry.body.get("key_id") != statement.key_id:
            report.fail("V11", "key id is not that of the statement", index)
            return
        if statement.role != role:
            report.fail("V13", f"signed in another role than {role}", index)
        key = self._keys.get(statement.key_id)
        if key is None:
            detail = "enrolment of the key is not in the bundle"
            if self._complete:
                report.fail("V12", "key was not enrolled before the signature", index)
            else:
                report.doubt("V12", detail, index)
            return
        self._key_valid(key, statement, entry)
        try:
            if key.key.algorithm is not algorithm:
                raise VerificationError("signed with another algorithm than the key is enrolled for")
            key.key.verify(message, proof)
        except VerificationError as err:
            report.fail("V11", err.detail, index)

    def _key_valid(self, key: _Enrolled, statement: Attributed, entry: Entry) -> bool:
        report, index, valid = self._findings, entry.index, True
        if key.user != statement.signer:
            report.fail("V12", "key is enrolled to another user than the signer", index)
            valid = False
        revoked = self._revoked.get(statement.key_id)
        if revoked is not None:
            report.fail("V12", f"key was revoked before, by entry {revoked}", index)
            valid = False
        if key.not_after is not None and key.not_after < max(statement.time, entry.time):
            report.fail("V12", "key had expired", index)
            valid = False
        if statement.role not in key.roles:
            report.fail("V13", "signer is not enrolled in the role", index)
            valid = False
        return valid

    def _enrol(self, entry: Entry) -> None:
        body = entry.body
        try:
            enrolled = _parse_enrolment(entry.index, body)
        except VerificationError as err:
            self._findings.fail("V12", err.detail, entry.index)
            return
        name = enrolled.key.key_id
        if body.get("key_id") != name:
            self._findings.fail("V12", "key id is not that of the enrolled key", entry.index)
            return
        known = self._keys.get(name)
        if known is not None and known.user != enrolled.user:
            detail = f"key is enrolled to another user by entry {known.index}"
            self._findings.fail("V12", detail, entry.index)
            return
        if known is not None and not _same_key(known.key, enrolled.key):
            # Or a passkey could be made a key that needs no person at the device.
            detail = f"key is enrolled as another kind of key by entry {known.index}"
            self._findings.fail("V12", detail, entry.index)
            return
        if known is None and enrolled.key.algorithm.passkey:
            self._invitations.check_bound(entry)
        self._keys[name] = enrolled


def _same_key(one: ReviewerKey, other: ReviewerKey) -> bool:
    """What may change in a later enrolment is where the site is: its origins within its domain, and the pages that show
    it in a frame.
    """
    return (one.algorithm, one.rp_id, one.credential_id) == (
        other.algorithm,
        other.rp_id,
        other.credential_id,
    )


def _parse_enrolment(index: int, body: Mapping[str, Any]) -> _Enrolled:
    user, roles = body.get("user"), body.get("roles")
    if type(user) is not str or type(roles) is not list:
        raise VerificationError("enrolment lacks user or roles")
    key = parse_reviewer_key(body)
    not_after = body.get("not_after")
    if not_after is not None:
        parse_time(not_after)
    return _Enrolled(index, user, key, frozenset(role for role in roles if type(role) is str), not_after)
