"""The sign-off of a report: a statement over evidence, figures and draft, signed by a named person (21 CFR 11.50)."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.report_signature import (
    MEANING,
    ROLES,
    SIGNED_OFF,
    ReportStatement,
    report_stream,
)
from attending.ledger.reviewer_key import Proof, ReviewerKey
from attending.ledger.webauthn import Assertion
from attending.server.auth.authorize import Authorizer
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered
from attending.server.reports.look import drafts_given
from attending.server.reports.particulars import Kind
from attending.server.reports.record import Record
from attending.server.reports.right import require_right
from attending.server.reports.source import statistics_in
from attending.server.reports.workshop import BUNDLE, DRAFT, Workshop, digest
from attending.server.review.enrolment import key_that_signs, signing_key_of

PREPARATION_SECONDS: Final = 600
MAX_PREPARATIONS: Final = 100
MAX_PREPARATIONS_OF_TENANT: Final = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that waits for its signature, in this process's memory."""

    preparation_id: str
    tenant: str
    statement: ReportStatement
    key: ReviewerKey
    expires_at: str


@dataclass
class SignOff:
    """One of a server process: what is prepared is in its memory."""

    record: Record
    workshop: Workshop
    authorizer: Authorizer
    _prepared: dict[str, Prepared] = field(default_factory=dict)

    async def prepare(self, principal: Principal, report_id: str, key_id: str) -> Prepared:
        """The statement that signs the report off, over the draft as it is, which this person was given before.

        Raises PermissionDenied (ROLE_NOT_PERMITTED; about a person, and the caller may not report on one), NotFound
        (UNKNOWN_REPORT, UNKNOWN_KEY), FailedPrecondition (REPORT_SIGNED_OFF, REPORT_NOT_READY, DRAFT_NOT_READ,
        TOO_MANY_PREPARATIONS).
        """
        tenant, role = principal.tenant, _role(principal)
        try:
            key = await signing_key_of(self.record.ledger, principal, key_id)
        except FailedPrecondition:
            # It names the key and nothing else: one of another tenant looks like one that there is not.
            raise NotFound("UNKNOWN_KEY") from None
        row = await self.record.in_state(tenant, report_id, "requested")
        # Who was given the draft might have it then: who may not have it any more does not stand for it.
        await require_right(self.authorizer, principal, Kind(row["kind"]))
        place = await self.workshop.ready(tenant, report_id)
        draft = await digest(place / DRAFT)
        stream = await self.record.ledger.whole_stream(tenant, report_stream(report_id))
        if draft not in drafts_given(stream, principal):
            raise FailedPrecondition("DRAFT_NOT_READ")
        head, now = parse_checkpoint(stream[0].body["checkpoint"]), self.record.now()
        statement = ReportStatement(
            origin=self.record.ledger.origin(tenant),
            report=report_id,
            kind=row["kind"],
            bundle=await digest(place / BUNDLE),
            statistics=hashlib.sha256(await asyncio.to_thread(statistics_in, place / BUNDLE)).hexdigest(),
            draft=draft,
            tree_size=head.size,
            root=head.root.hex(),
            meaning=MEANING,
            signer=principal.name,
            key_id=key_id,
            role=role,
            time=stamp(now),
            nonce=secrets.token_hex(16),
        )
        expires = stamp(now + timedelta(seconds=PREPARATION_SECONDS))
        prepared = Prepared(f"prr_{secrets.token_hex(16)}", tenant, statement, key, expires)
        self._keep(prepared, stamp(now))
        return prepared

    async def sign(
        self,
        principal: Principal,
        preparation_id: str,
        signature: bytes,
        once: Once,
        assertion: Assertion | None = None,
    ) -> Entry:
        """Verifies the signature, of a passkey with the `assertion` that it is over, and signs the report off; the
        entry.

        Raises NotFound (UNKNOWN_PREPARATION), PermissionDenied (NOT_YOUR_PREPARATION, ROLE_NOT_PERMITTED, or as
        `prepare`), FailedPrecondition (PREPARATION_EXPIRED, SIGNATURE_INVALID, KEY_UNKNOWN, REPORT_SIGNED_OFF),
        Aborted.
        """
        tenant = principal.tenant
        if (done := await answered(self.record.ledger, tenant, once)) is not None:
            return await self.record.ledger.get_entry(tenant, done[0])
        prepared = self._prepared.get(preparation_id)
        if prepared is None or prepared.tenant != tenant:
            raise NotFound("UNKNOWN_PREPARATION")
        statement = prepared.statement
        if statement.signer != principal.name:
            raise PermissionDenied("NOT_YOUR_PREPARATION")
        if statement.role not in principal.roles:
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        await require_right(self.authorizer, principal, Kind(statement.kind))
        if prepared.expires_at <= stamp(self.record.now()):
            raise FailedPrecondition("PREPARATION_EXPIRED")
        proof = Proof(signature, assertion)
        try:
            prepared.key.verify(statement.message(), proof)
        except VerificationError as err:
            await self.authorizer.misused(principal, "signOffReport", err.reason)
            raise FailedPrecondition("SIGNATURE_INVALID") from None
        version = await self.record.ledger.stream_version(tenant, report_stream(statement.report))
        await self.record.in_state(tenant, statement.report, "requested")
        key = await key_that_signs(
            self.record.ledger, tenant, statement.key_id, statement.role, self.record.now()
        )
        body = {
            "report": statement.report,
            "statement": statement.to_json(),
            **proof.to_json(prepared.key.algorithm),
            "key_id": statement.key_id,
        }
        entry = await self.record.append(principal, SIGNED_OFF, statement.report, body, version, once, key)
        self._prepared.pop(preparation_id, None)
        return entry

    def _keep(self, prepared: Prepared, now: str) -> None:
        # One of each person and report: what waits must not grow with what is asked.
        mine = (prepared.tenant, prepared.statement.signer, prepared.statement.report)
        for name, other in list(self._prepared.items()):
            same = (other.tenant, other.statement.signer, other.statement.report) == mine
            if other.expires_at <= now or same:
                del self._prepared[name]
        of_tenant = sum(other.tenant == prepared.tenant for other in self._prepared.values())
        if len(self._prepared) >= MAX_PREPARATIONS or of_tenant >= MAX_PREPARATIONS_OF_TENANT:
            raise FailedPrecondition("TOO_MANY_PREPARATIONS")
        self._prepared[prepared.preparation_id] = prepared


def _role(principal: Principal) -> str:
    role = next((one for one in ROLES if one in principal.roles), None)
    if role is None:
        raise PermissionDenied("ROLE_NOT_PERMITTED")
    return role
