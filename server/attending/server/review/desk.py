"""The review desk: every step is one conditional append on the inference's stream, so two cannot both be first.

What a crash leaves behind: before an append nothing, after it the whole step with its projection row. Prepared
statements live in memory only; after a restart the reviewer prepares again.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from attending.guardrails.finding import Finding
from attending.guardrails.patient import Document, Judged
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Policy
from attending.ledger import canonical
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import ExpectationFailed, VerificationError
from attending.ledger.ledger import Ledger
from attending.ledger.projection import RowWrite
from attending.ledger.review_signature import Meaning, Statement, verify_statement
from attending.ledger.submission import Expectation
from attending.ledger.vault import SealedPayload, payload_commitment
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import parse, stamp
from attending.server.errors import Aborted, FailedPrecondition, InvalidRequest, NotFound, PermissionDenied
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once, answered, index_of
from attending.server.inference.checker import Checker
from attending.server.inference.entries import Result, load_request
from attending.server.inference.failed_rails import tell_failed
from attending.server.inference.pipeline import effective_audience
from attending.server.inference.states import State, require
from attending.server.inference.watch import Changes
from attending.server.phi.access import Permit, PhiAccess
from attending.server.replay.reducers import rows_of_append
from attending.server.review.enrolment import key_in_force
from attending.server.review.item import (
    DISPOSITIONS,
    REASON_CODES,
    REJECT_CODES,
    Item,
    Signed,
    unresolved,
)
from attending.server.wire.request import MAX_TEXT_CODE_POINTS
from attending.server.wire.violations import Violations, normalise
from sqlalchemy import RowMapping, func, select

_ITEMS, _INFERENCES, _KEYS = projections.review_item, projections.inference, projections.signing_key
MAX_NOTE_CODE_POINTS = 2_000
MAX_PREPARATIONS = 1_000


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a reviewer is shown."""

    item: Item
    version: int
    output: str
    prompt: str
    documents: tuple[Document, ...]
    patient: dict[str, Any]
    result: Result
    row: RowMapping


@dataclass(frozen=True, slots=True)
class Preparation:
    """A statement waiting for its signature."""

    preparation_id: str
    ticket_id: str
    lease_id: str
    statement: Statement
    disposed: Mapping[int, str]
    text: str
    text_salt: bytes
    sealed_text: SealedPayload | None
    view: bytes
    view_salt: bytes
    sealed_view: SealedPayload
    sealed_result: SealedPayload | None
    findings: tuple[Finding, ...]
    public_key: str
    expires_at: str

    @property
    def statement_bytes(self) -> bytes:
        """The statement's canonical JSON, as the signer's client parses it."""
        return canonical.encode(self.statement.to_json())


class Desk:
    """Shared by all calls of one server process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        guard: Checker,
        policies: PolicySet,
        changes: Changes,
        switch: Switch,
        phi: PhiAccess,
        lease_seconds: float,
        preparation_seconds: float,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._guard = guard
        self._policies = policies
        self._changes = changes
        self._switch = switch
        self._phi = phi
        self._lease = timedelta(seconds=lease_seconds)
        self._preparation = timedelta(seconds=preparation_seconds)
        self._now = now
        self._prepared: dict[tuple[str, str], Preparation] = {}

    # -- reads

    async def queue(
        self, tenant: str, policy: str | None, states: tuple[str, ...], limit: int, offset: int
    ) -> tuple[list[tuple[Item, int]], int]:
        """Waiting items with their versions, most severe and most urgent first, and how many there are."""
        where = [
            _ITEMS.c.log_id == tenant,
            _ITEMS.c.state.in_(states),
            _ITEMS.c.expires_at > stamp(self._now()),
        ]
        if policy:
            where.append(_ITEMS.c.policy == policy)
        rows = await self._ledger.query(
            select(_ITEMS)
            .where(*where)
            .order_by(_ITEMS.c.severity_rank.desc(), _ITEMS.c.due_at, _ITEMS.c.ticket_id)
            .limit(limit)
            .offset(offset)
        )
        total = await self._ledger.query(select(func.count()).select_from(_ITEMS).where(*where))
        items = [Item.from_row(row._mapping) for row in rows]
        versions = [await self._ledger.stream_version(tenant, item.inference_id) for item in items]
        return list(zip(items, versions, strict=True)), int(total[0][0]) if total else 0

    async def item(self, tenant: str, ticket_id: str) -> tuple[Item, int]:
        """The item and its stream's version; NotFound alike for unknown and foreign tickets.

        INVARIANT: the version is not newer than the item. An append that expects it is refused when anything
        happened since; read the other way round, a step decided on an old row would pass on the new version.
        """
        inference_id = (await self._row(tenant, ticket_id)).inference_id
        version = await self._ledger.stream_version(tenant, inference_id)
        return await self._row(tenant, ticket_id), version

    async def _row(self, tenant: str, ticket_id: str) -> Item:
        rows = await self._ledger.query(
            select(_ITEMS).where(_ITEMS.c.log_id == tenant, _ITEMS.c.ticket_id == ticket_id)
        )
        if not rows:
            raise NotFound("UNKNOWN_TICKET")
        return Item.from_row(rows[0]._mapping)

    async def view(self, permit: Permit, ticket_id: str) -> Case:
        """The whole case. The look is an entry before anything is shown."""
        case = await self._case(permit.principal.tenant, ticket_id)
        await self._phi.record(
            permit, "access.viewed", "case", subject=case.row["subject"], about=_about(case)
        )
        return case

    async def _case(self, tenant: str, ticket_id: str) -> Case:
        item, version = await self.item(tenant, ticket_id)
        rows = await self._ledger.query(
            select(_INFERENCES).where(
                _INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == item.inference_id
            )
        )
        row = rows[0]._mapping
        request = load_request(await self._ledger.open_payload(tenant, row["request_record"]))
        # The row follows the text released; a case is about the text generated, which dispositions number into.
        generated = await self._generated(tenant, item.inference_id)
        result = Result.from_bytes(await self._ledger.open_payload(tenant, generated["result_record"]))
        output = (await self._ledger.open_payload(tenant, generated["text_record"])).decode("utf-8")
        return Case(item, version, output, request.prompt, request.documents, request.patient, result, row)

    async def _generated(self, tenant: str, inference_id: str) -> Mapping[str, Any]:
        """The body of `inference.generated`, which every inference with a ticket has."""
        for entry in await self._ledger.stream_entries(tenant, inference_id, 1, 1):
            if entry.type == "inference.generated":
                return entry.body
        raise NotFound("UNKNOWN_TICKET")

    # -- steps

    async def claim(self, principal: Principal, ticket_id: str, once: Once) -> tuple[Item, int, int]:
        """Leases the item; returns it, its version and the entry's index. FailedPrecondition while leased."""
        now = self._now()
        if (index := await self._done(principal, once)) is not None:
            return await self._leased(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        item.require_held(stamp(now))
        self._require_reviewer(principal, item)
        if item.leased(stamp(now)) and item.claimed_by != principal.name:
            raise FailedPrecondition(
                "ALREADY_CLAIMED", retry_after_seconds=_seconds(item.lease_expires_at, now)
            )
        return await self._lease_step(principal, item, version, now, f"lse_{secrets.token_hex(16)}", once)

    async def renew(
        self, principal: Principal, ticket_id: str, lease_id: str, once: Once
    ) -> tuple[Item, int, int]:
        now = self._now()
        if (index := await self._done(principal, once)) is not None:
            return await self._leased(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        item.require_lease(principal.name, lease_id, stamp(now))
        return await self._lease_step(principal, item, version, now, lease_id, once)

    async def _lease_step(
        self,
        principal: Principal,
        item: Item,
        version: int,
        now: datetime,
        lease_id: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        until = stamp(now + self._lease)
        entry = self._entry(
            principal,
            "review.claimed",
            item,
            {"lease": lease_id, "lease_expires_at": until, "renewed": item.lease_id == lease_id},
        )
        return await self._step(principal, item, version, [entry], once)

    async def dispose(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        finding: int,
        disposition: str,
        reason_code: str,
        note: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        """Records what the reviewer makes of one finding; a later disposition of the same one replaces it."""
        violations = []
        if disposition not in DISPOSITIONS:
            violations.append(("disposition", "is required"))
        if reason_code not in REASON_CODES and (reason_code or disposition != "fixed"):
            violations.append(("reason_code", "must be one of " + ", ".join(sorted(REASON_CODES))))
        if len(note) > MAX_NOTE_CODE_POINTS:
            violations.append(("note", f"has {len(note)} code points, the limit is {MAX_NOTE_CODE_POINTS}"))
        if violations:
            raise InvalidRequest(violations)
        if (index := await self._done(principal, once)) is not None:
            return (*await self.item(principal.tenant, ticket_id), index)
        item, version = await self.item(principal.tenant, ticket_id)
        item.require_lease(principal.name, lease_id, stamp(self._now()))
        if finding not in item.to_dispose:
            raise NotFound("UNKNOWN_FINDING")
        body = {"finding": finding, "disposition": disposition, "reason_code": reason_code or None}
        entry = self._entry(principal, "review.disposed", item, body, *_note(note))
        return await self._step(principal, item, version, [entry], once)

    async def prepare(
        self, permit: Permit, ticket_id: str, lease_id: str, edited_text: str | None, key_id: str
    ) -> Preparation:
        """Re-checks the text to be signed with the rails and returns the statement to sign. That it is shown, with what
        opens its commitments, is an entry before.

        Refused (FailedPrecondition): FINDINGS_UNDISPOSED, DISPOSITION_NEEDS_EDIT (a finding marked as fixed is still
        there), EDIT_NOT_CLEAN (the edit has a finding that the policy would hold or block), KEY_UNKNOWN,
        SIGNER_IS_AUTHOR, SIGNER_SIGNED_BEFORE.
        """
        now, principal = self._now(), permit.principal
        case = await self._case(principal.tenant, ticket_id)
        item = case.item
        item.require_lease(principal.name, lease_id, stamp(now))
        role = self._require_reviewer(principal, item)
        self._require_independence(principal, case)
        public_key = await self._signing_key(principal, key_id)
        if item.open_findings:
            raise FailedPrecondition("FINDINGS_UNDISPOSED", metadata={"open": str(item.open_findings)})
        policy = self._policies.get(item.policy)
        if policy is None or policy.hash != case.row["policy_hash"]:
            raise FailedPrecondition("POLICY_CHANGED")
        text, record, salt, sealed = await self._text_to_sign(principal.tenant, case, edited_text)
        result = await self._recheck(case, policy, text)
        view = canonical.encode(_view(case, text, result.findings, principal, role))
        subject = case.row["subject"]
        sealed_view = await self._ledger.seal(principal.tenant, Payload("view", view), subject)
        sealed_result = None
        if text != case.output:
            # What the application is told with a released edit: findings of the original quote what was held.
            sealed_result = await self._ledger.seal(
                principal.tenant, Payload("result", result.to_bytes()), subject
            )
        statement = Statement(
            origin=self._ledger.origin(principal.tenant),
            inference=item.inference_id,
            record=record,
            text_commitment=payload_commitment("output_final", salt, text.encode("utf-8")).hex(),
            view_commitment=sealed_view.commitment.commitment,
            meaning=Meaning.APPROVED if text == case.output else Meaning.APPROVED_WITH_EDITS,
            signer=principal.name,
            key_id=key_id,
            role=role,
            time=stamp(now),
            nonce=secrets.token_hex(16),
            policy_hash=policy.hash.removeprefix("sha256:"),
            findings=len(item.to_dispose),
            disposed=len(set(item.to_dispose) & set(item.disposed)),
        )
        preparation = Preparation(
            preparation_id=f"prp_{secrets.token_hex(16)}",
            ticket_id=ticket_id,
            lease_id=lease_id,
            statement=statement,
            disposed=dict(item.disposed),
            text=text,
            text_salt=salt,
            sealed_text=sealed,
            view=view,
            view_salt=sealed_view.salt,
            sealed_view=sealed_view,
            sealed_result=sealed_result,
            findings=result.findings,
            public_key=public_key,
            expires_at=min(item.lease_expires_at or stamp(now), stamp(now + self._preparation)),
        )
        await self._phi.record(permit, "access.revealed", "statement", subject=subject, about=_about(case))
        self._remember(principal.tenant, preparation, stamp(now))
        return preparation

    async def sign(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        preparation_id: str,
        signature: bytes,
        once: Once,
    ) -> tuple[Item, int, tuple[int, ...]]:
        """Verifies the signature and appends `review.signed`, with the release when enough people signed."""
        now = self._now()
        item, version = await self.item(principal.tenant, ticket_id)
        if (done := await answered(self._ledger, principal.tenant, once)) is not None:
            return (*await self.item(principal.tenant, ticket_id), done)
        prepared = self._prepared.get((principal.tenant, preparation_id))
        if prepared is None or prepared.ticket_id != ticket_id or prepared.lease_id != lease_id:
            raise NotFound("UNKNOWN_PREPARATION")
        if prepared.expires_at <= stamp(now):
            raise FailedPrecondition("PREPARATION_EXPIRED")
        item.require_lease(principal.name, lease_id, stamp(now))
        self._require_reviewer(principal, item)
        if prepared.statement.signer != principal.name:
            raise PermissionDenied("NOT_YOUR_PREPARATION")
        if dict(item.disposed) != dict(prepared.disposed):
            raise Aborted("CHANGED_SINCE_PREPARED")
        try:
            verify_statement(prepared.statement, base64.b64decode(prepared.public_key), signature)
        except VerificationError:
            raise FailedPrecondition("SIGNATURE_INVALID") from None
        key = await key_in_force(self._ledger, principal.tenant, prepared.statement.key_id)
        signed_by = (*item.signed_by, Signed(principal.name, prepared.statement.record))
        # Only signatures over the same exact text count together.
        agreeing = {s.signer for s in signed_by if s.record == prepared.statement.record}
        enough = len(agreeing) >= max(1, item.sign_off_count)
        sealed = (prepared.sealed_text, prepared.sealed_view, prepared.sealed_result)
        payloads = tuple(payload for payload in sealed if payload is not None)
        signed = self._entry(
            principal,
            "review.signed",
            item,
            {
                "statement": prepared.statement.to_json(),
                "signature": base64.b64encode(signature).decode("ascii"),
                "key_id": prepared.statement.key_id,
            },
            *payloads,
        )
        pending = [signed]
        if enough:
            require(State.HELD, "inference.released")
            body = {
                "basis": "signed",
                "text_record": prepared.statement.record,
                "text_commitment": prepared.statement.text_commitment,
                "signers": sorted(agreeing),
            }
            if prepared.sealed_result is not None:
                body["result_record"] = prepared.sealed_result.record
            pending.append(self._entry(principal, "inference.released", item, body))
        done_item, done_version, first = await self._step(principal, item, version, pending, once, key)
        self._prepared.pop((principal.tenant, preparation_id), None)
        return done_item, done_version, tuple(range(first, first + len(pending)))

    async def reject(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        reason_code: str,
        note: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        if reason_code not in REJECT_CODES:
            raise InvalidRequest([("reason_code", "must be one of " + ", ".join(sorted(REJECT_CODES)))])
        if len(note) > MAX_NOTE_CODE_POINTS:
            raise InvalidRequest(
                [("note", f"has {len(note)} code points, the limit is {MAX_NOTE_CODE_POINTS}")]
            )
        now = stamp(self._now())
        if (index := await self._done(principal, once)) is not None:
            return (*await self.item(principal.tenant, ticket_id), index)
        item, version = await self.item(principal.tenant, ticket_id)
        item.require_lease(principal.name, lease_id, now)
        self._require_reviewer(principal, item)
        require(State.HELD, "review.rejected")
        entry = self._entry(principal, "review.rejected", item, {"reason_code": reason_code}, *_note(note))
        return await self._step(principal, item, version, [entry], once)

    async def expire_due(self, tenant: str, owner: str) -> int:
        """Expires every item whose time is over; returns how many. A signature that came first wins."""
        now = stamp(self._now())
        rows = await self._ledger.query(
            select(_ITEMS.c.ticket_id).where(
                _ITEMS.c.log_id == tenant, _ITEMS.c.state == "held", _ITEMS.c.expires_at <= now
            )
        )
        expired = 0
        for row in rows:
            # Read again with its version: it may have been signed since the list was made.
            item, version = await self.item(tenant, row[0])
            if item.state != "held":
                continue
            require(State.HELD, "review.expired")
            entry = PendingEntry(
                type="review.expired",
                stream=item.inference_id,
                actor=f"system:{owner}",
                subject=None,
                body={"ticket": item.ticket_id},
                occurred_at=self._now(),
            )
            try:
                await self._ledger.append(
                    tenant,
                    [entry],
                    expect=[Expectation(item.inference_id, version)],
                    rows=rows_of_append([entry]),
                )
            except ExpectationFailed:
                continue
            self._changes.announce(tenant, item.inference_id)
            expired += 1
        return expired

    # -- rules

    def _require_reviewer(self, principal: Principal, item: Item) -> str:
        """The role in which the principal may sign this item; an application never may."""
        roles = [role for role in item.sign_off_roles if role in principal.roles]
        if principal.kind != "human" or not roles:
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        if not principal.licence_valid(self._now()):
            raise PermissionDenied("LICENCE_EXPIRED")
        if not principal.competency_valid(self._now()):
            raise PermissionDenied("COMPETENCY_EXPIRED")
        return roles[0]

    def _require_independence(self, principal: Principal, case: Case) -> None:
        policy = self._policies.get(case.item.policy)
        # The application writes the author's name; a capital letter must not make another person of them.
        author = (case.row["on_behalf_of"] or "").casefold() == principal.name.casefold()
        serious = case.item.severity_rank >= MAJOR_RANK
        if author and (policy is None or not policy.sign_offs.author_may_sign or serious):
            raise PermissionDenied("SIGNER_IS_AUTHOR")
        if any(signed.signer == principal.name for signed in case.item.signed_by):
            raise FailedPrecondition("SIGNER_SIGNED_BEFORE")

    async def _signing_key(self, principal: Principal, key_id: str) -> str:
        rows = await self._ledger.query(
            select(_KEYS.c.public_key).where(
                _KEYS.c.log_id == principal.tenant,
                _KEYS.c.key_id == key_id,
                _KEYS.c.user == principal.name,
                _KEYS.c.revoked_at.is_(None),
            )
        )
        if not rows:
            raise FailedPrecondition("KEY_UNKNOWN")
        return str(rows[0][0])

    async def _text_to_sign(
        self, tenant: str, case: Case, edited_text: str | None
    ) -> tuple[str, str, bytes, SealedPayload | None]:
        """Text, vault record, salt, and the sealed payload when the record is new."""
        text = None if edited_text is None else normalise(edited_text)
        if text is not None:
            v = Violations()
            v.text(text, "edited_text", MAX_TEXT_CODE_POINTS)
            v.raise_if_any()
        # A second signer confirms the record that the first one signed, unless the text is changed again.
        generated = str(case.row["text_record"])
        record = case.item.signed_by[-1].record if case.item.signed_by else generated
        if text is not None and text == case.output:
            record = generated
        salt, content = await self._ledger.disclose_payload(tenant, record)
        standing = content.decode("utf-8")
        if text is None or text == standing:
            return standing, record, salt, None
        sealed = await self._ledger.seal(
            tenant, Payload("output_final", text.encode("utf-8")), case.row["subject"]
        )
        return text, sealed.record, sealed.salt, sealed

    async def _recheck(self, case: Case, policy: Policy, text: str) -> Result:
        """What the checks say of the text to be signed; refuses what stands in the way."""
        if text == case.output:
            if any(d == "fixed" for d in case.item.disposed.values()):
                raise FailedPrecondition("DISPOSITION_NEEDS_EDIT")
            return case.result
        request = load_request(
            await self._ledger.open_payload(case.row["log_id"], case.row["request_record"])
        )
        audience = effective_audience(policy, case.row["recipient"])
        decision = await self._guard.check_output(
            case.item.policy,
            Judged(text, request.prompt, request.context, request.documents),
            audience=audience,
        )
        tell_failed(decision.rail_runs, policy=policy.name, inference_id=case.item.inference_id)
        found = tuple(decision.findings)
        actions = [decide(policy, [finding], audience=audience).verdict for finding in found]
        blocking = unresolved(case.item, case.result.findings, found, actions)
        if blocking:
            codes = sorted({found[position].code.value for position in blocking})
            raise FailedPrecondition(
                "EDIT_NOT_CLEAN", metadata={"findings": str(len(blocking)), "codes": ",".join(codes)}
            )
        return Result(
            decision.verdict,
            decision.mandatory_review,
            decision.disposition,
            found,
            decision.coverage,
            decision.citations,
            decision.rail_runs,
        )

    # -- the append

    async def _done(self, principal: Principal, once: Once) -> int | None:
        """Index of the entry that this key's first call appended: a retry is answered, whatever came after it."""
        done = await answered(self._ledger, principal.tenant, once)
        return None if done is None else done[0]

    async def _leased(self, principal: Principal, ticket_id: str, index: int) -> tuple[Item, int, int]:
        """The answer to a repeated claim or renewal, as long as the lease is still the caller's."""
        item, version = await self.item(principal.tenant, ticket_id)
        if item.claimed_by != principal.name:
            raise FailedPrecondition("LEASE_NOT_HELD")
        return item, version, index

    async def _step(
        self,
        principal: Principal,
        item: Item,
        version: int,
        pending: list[PendingEntry],
        once: Once,
        *expect: Expectation,
    ) -> tuple[Item, int, int]:
        """One conditional append with its rows; returns item, version and the first entry's index. `expect` is what
        must hold besides the item's version.
        """
        tenant = principal.tenant
        # INVARIANT: what the rows are made from is not older than the version that the append expects.
        known = RowWrite(_ITEMS, {"ticket_id": item.ticket_id}, item.row)
        append = self._switch.append(
            tenant,
            item.policy,
            pending,
            expect=[Expectation(item.inference_id, version), *expect],
            claim=once.claim(item.inference_id),
            rows=rows_of_append(pending, [known]),
        )
        first = await index_of(self._ledger, tenant, once, append, Aborted("ITEM_CHANGED"))
        self._changes.announce(tenant, item.inference_id)
        return (*await self.item(tenant, item.ticket_id), first)

    def _entry(
        self,
        principal: Principal,
        type_: str,
        item: Item,
        body: Mapping[str, Any],
        *payloads: Payload,
    ) -> PendingEntry:
        return PendingEntry(
            type=type_,
            stream=item.inference_id,
            actor=principal.actor,
            subject=item.subject,
            body={"ticket": item.ticket_id, **body},
            payloads=payloads,
            occurred_at=self._now(),
        )

    def _remember(self, tenant: str, preparation: Preparation, now: str) -> None:
        # One a lease: what waits holds whole texts, so its number must not be the caller's to choose.
        waiting = self._prepared.items()
        lease = preparation.lease_id
        for slot in [slot for slot, p in waiting if p.expires_at <= now or p.lease_id == lease]:
            del self._prepared[slot]
        if len(self._prepared) >= MAX_PREPARATIONS:
            raise FailedPrecondition("TOO_MANY_PREPARATIONS")
        self._prepared[tenant, preparation.preparation_id] = preparation


MAJOR_RANK = 3


def _about(case: Case) -> dict[str, str]:
    return {"ticket": case.item.ticket_id, "inference": case.item.inference_id}


def _view(
    case: Case, text: str, findings: tuple[Finding, ...], principal: Principal, role: str
) -> dict[str, Any]:
    """Every field that is shown, in the restricted JSON model of the ledger."""
    return {
        "format": "attending-view/1",
        "ticket": case.item.ticket_id,
        "inference": case.item.inference_id,
        "policy": case.item.policy,
        "policy_hash": case.row["policy_hash"],
        "prompt": case.prompt,
        "output": case.output,
        "text": text,
        "documents": [{"id": d.id, "version": d.version, "text": d.text} for d in case.documents],
        "patient": json.dumps(case.patient, sort_keys=True, ensure_ascii=False),
        "findings": [finding.to_json() for finding in case.result.findings],
        "findings_of_text": [finding.to_json() for finding in findings],
        "dispositions": {str(n): d for n, d in sorted(case.item.disposed.items())},
        "coverage": case.result.coverage.to_json(),
        "signer": principal.name,
        "signer_name": principal.display_name,
        "role": role,
    }


def _note(note: str) -> tuple[Payload, ...]:
    return (Payload("note", note.encode("utf-8")),) if note else ()


def _seconds(until: str | None, now: datetime) -> float | None:
    return None if until is None else max(1.0, (parse(until) - now).total_seconds())
