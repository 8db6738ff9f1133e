"""Signing: the text is checked again, the statement made, and its signature releases exactly that text."""

from __future__ import annotations

import secrets

from attending.ledger import canonical
from attending.ledger.entry import Payload
from attending.ledger.errors import VerificationError
from attending.ledger.review_signature import Meaning, Statement, verify_statement
from attending.ledger.reviewer_key import Proof
from attending.ledger.vault import SealedPayload, payload_commitment
from attending.ledger.webauthn import Assertion
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.content_hash import digits
from attending.server.errors import Aborted, FailedPrecondition, InvalidRequest, NotFound
from attending.server.idempotency import Once, answered
from attending.server.inference.entries import Result
from attending.server.inference.states import State, require
from attending.server.oversight.projection import READING
from attending.server.phi.access import Permit
from attending.server.review import machine
from attending.server.review.case import Case, view_document
from attending.server.review.checking import Checking
from attending.server.review.decided_before import require_standing
from attending.server.review.enrolment import key_in_force, signing_key_of
from attending.server.review.item import Item, Signed
from attending.server.review.note import note_payload, rejection_violations
from attending.server.review.pace import Pacing
from attending.server.review.preparation import Preparation, Rejection
from attending.server.review.reads import decisions
from attending.server.wire.request import MAX_TEXT_CODE_POINTS
from attending.server.wire.violations import Violations, normalise


class Signing(Checking, Pacing):
    """Preparing a statement and taking its signature."""

    async def prepare(
        self,
        permit: Permit,
        ticket_id: str,
        lease_id: str,
        edited_text: str | None,
        key_id: str,
        rejection: Rejection | None = None,
        *,
        seen: str | None = None,
    ) -> Preparation:
        """Re-checks the text to be signed with the rails and returns the statement to sign. That it is shown, with what
        opens its commitments, is an entry before. With `rejection` the statement refuses the text as it was generated.
        `seen` is what the caller was shown (`machine.require_seen`); None asks nothing.

        Refused (FailedPrecondition): FINDINGS_UNDISPOSED, DECISION_LAPSED (as `require_standing`), SKILL_WANTED,
        DISPOSITION_NEEDS_EDIT (a finding marked as fixed is still there, or facts were added with which the policy
        blocks the text), EDIT_NOT_CLEAN (the edit has a finding that the policy in force would hold or block),
        POLICY_NOT_SERVED (no version of the policy judges an edit any more), KEY_UNKNOWN, SIGNER_IS_AUTHOR,
        SIGNER_SIGNED_BEFORE, READ_BEFORE (a reader of a blinded item has decided already).
        """
        if rejection is not None:
            _require_well_formed(rejection, edited_text)
        now, principal = self._now(), permit.principal
        case = await self._case(principal.tenant, ticket_id)
        item = case.item
        role = machine.prepare(
            item,
            principal,
            lease_id,
            now,
            author=case.row["on_behalf_of"],
            author_may_sign=item.author_may_sign,
        )
        if seen is not None:
            machine.require_seen(item, principal, seen, work=True)
        await self._require_opinion(principal, item)
        key = await signing_key_of(self._ledger, principal, key_id)
        if rejection is None:
            machine.require_disposed(item)
            await require_standing(self._ledger, principal.tenant, item)
        text, record, salt, sealed = await self._text_to_sign(
            principal.tenant, case, edited_text, refuses=rejection is not None
        )
        if rejection is None:
            machine.require_unsigned(item, principal, record)
            result, checked_by = await self._recheck(case, text)
        else:
            result, checked_by = case.result, None
        view = canonical.encode(view_document(case, text, result.findings, principal, role))
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
            meaning=_meaning(rejection, edited=text != case.output),
            signer=principal.name,
            key_id=key_id,
            role=role,
            time=stamp(now),
            nonce=secrets.token_hex(16),
            # Who signs, and how many, is what the version says that held it, whatever is in force now.
            policy_hash=digits(case.row["policy_hash"]),
            findings=len(item.to_dispose),
            disposed=len(set(item.to_dispose) & set(item.disposed)),
        )
        preparation = Preparation(
            preparation_id=f"prp_{secrets.token_hex(16)}",
            ticket_id=ticket_id,
            lease_id=lease_id,
            statement=statement,
            disposed=dict(item.disposed),
            facts=item.facts_record,
            text=text,
            text_salt=salt,
            sealed_text=sealed,
            view=view,
            view_salt=sealed_view.salt,
            sealed_view=sealed_view,
            sealed_result=sealed_result,
            findings=result.findings,
            checked_by=checked_by,
            key=key,
            expires_at=min(item.lease_expires_at or stamp(now), stamp(now + self._preparation)),
            rejection=rejection,
        )
        await self._phi.record(permit, "access.revealed", "statement", subject=subject, about=case.about)
        self._prepared.keep(principal.tenant, preparation, stamp(now))
        return preparation

    async def sign(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        preparation_id: str,
        signature: bytes,
        once: Once,
        assertion: Assertion | None = None,
        read_seconds: float | None = None,
        reading_reason: str = "",
    ) -> tuple[Item, int, tuple[int, ...]]:
        """Verifies the signature, of a passkey over `assertion`, and appends `review.signed`, with what it leads to:
        the release when enough people signed, the end when the text is refused, the word of who judges between two.
        `read_seconds` is how long the signer read, as their page says; `reading_reason` why it was so short.
        """
        now = self._now()
        item, version = await self.item(principal.tenant, ticket_id)
        if (done := await answered(self._ledger, principal.tenant, once)) is not None:
            seen, standing, _first = await self._answer(principal, ticket_id, done[0])
            last = await self._ledger.get_entry(principal.tenant, done[-1])
            return seen, standing, done[:-1] if last.type == READING else done
        prepared = self._prepared.get(principal.tenant, preparation_id)
        if prepared is None or prepared.ticket_id != ticket_id or prepared.lease_id != lease_id:
            raise NotFound("UNKNOWN_PREPARATION")
        if prepared.expires_at <= stamp(now):
            raise FailedPrecondition("PREPARATION_EXPIRED")
        machine.sign(
            item,
            principal,
            lease_id,
            now,
            signer=prepared.statement.signer,
            disposed=prepared.disposed,
            facts=prepared.facts,
        )
        proof = Proof(signature, assertion)
        try:
            verify_statement(prepared.statement, prepared.key, proof)
        except VerificationError as err:
            await self._phi.misused(principal, "sign", err.reason)
            raise FailedPrecondition("SIGNATURE_INVALID") from None
        if prepared.checked_by is not None and prepared.checked_by != self._in_force(item):
            raise Aborted("CHANGED_SINCE_PREPARED")
        expect = [await key_in_force(self._ledger, principal.tenant, prepared.statement.key_id)]
        meaning, rejection = prepared.statement.meaning, prepared.rejection
        if rejection is None:
            expect += await require_standing(self._ledger, principal.tenant, item)
        pace = await self.pace(principal, prepared, read_seconds)
        reading = await self._paced(principal, pace, reading_reason)
        mark = await self.marks.of(principal.tenant, item.inference_id)
        decision = machine.outcome(
            item, Signed(principal.name, prepared.statement.record, meaning.value, prepared.statement.role)
        )
        # Of a practice item nothing follows but its debrief, at the first word, however many are asked for.
        outcome = decision if mark is None else machine.Outcome()
        sealed = (prepared.sealed_text, prepared.sealed_view, prepared.sealed_result)
        payloads = tuple(payload for payload in sealed if payload is not None)
        signed = self._entry(
            principal,
            "review.signed",
            item,
            {
                "statement": prepared.statement.to_json(),
                **proof.to_json(prepared.key.algorithm),
                "key_id": prepared.statement.key_id,
                # The version that judged an edit; null for what was signed as it was held.
                "checked_by": None if prepared.checked_by is None else digits(prepared.checked_by),
                **({} if rejection is None else {"reason_code": rejection.reason_code}),
                "reading": reading,
            },
            *payloads,
            *note_payload("" if rejection is None else rejection.note),
        )
        pending = [signed]
        if outcome.adjudicated:
            body = {"readers": [read.reader for read in decisions(item.reads)], "outcome": meaning.value}
            pending.append(self._entry(principal, "review.adjudicated", item, body))
        if outcome.rejected:
            require(State.HELD, "review.rejected")
            body = {"reason_code": rejection.reason_code if rejection is not None else "other"}
            pending.append(self._entry(principal, "review.rejected", item, body))
        if outcome.signers:
            require(State.HELD, "inference.released", practice=mark is not None)
            body = {
                "basis": "signed",
                "text_record": prepared.statement.record,
                "text_commitment": prepared.statement.text_commitment,
                "signers": list(outcome.signers),
            }
            if prepared.sealed_result is not None:
                body["result_record"] = prepared.sealed_result.record
            elif item.result_record is not None:
                body["result_record"] = item.result_record
            pending.append(self._entry(principal, "inference.released", item, body))
        if mark is not None:
            nonce = prepared.statement.nonce
            pending.append(
                self._debrief(item, mark, principal.actor, meaning.value, prepared.text, nonce=nonce)
            )
        # Of practice no figure is kept.
        read = [self._read(principal, item, prepared.statement.nonce, pace.reading)] if mark is None else []
        done_item, done_version, first = await self._step(
            principal, item, version, [*pending, *read], once, *expect
        )
        self._prepared.drop(principal.tenant, preparation_id)
        return done_item, done_version, tuple(range(first, first + len(pending)))

    async def _text_to_sign(
        self, tenant: str, case: Case, edited_text: str | None, *, refuses: bool
    ) -> tuple[str, str, bytes, SealedPayload | None]:
        """Text, vault record, salt, and the sealed payload when the record is new."""
        text = None if edited_text is None else normalise(edited_text)
        if text is not None:
            v = Violations()
            v.text(text, "edited_text", MAX_TEXT_CODE_POINTS)
            v.raise_if_any()
        # A second signer confirms the record that the first one signed, unless the text is changed again. Who reads
        # blind, or judges between readers, begins with the text as generated; writing what another has signed is
        # agreeing with them, so that it is their record which both sign.
        generated = str(case.row["text_record"])
        signed = [one.record for one in reversed(case.item.signed_by)]
        anew = refuses or case.item.reading or case.item.disputed or not signed
        begun = generated if anew else signed[0]
        for record in dict.fromkeys([begun] if text is None else [begun, generated, *signed]):
            salt, content = await self._ledger.disclose_payload(tenant, record)
            standing = content.decode("utf-8")
            if text is None or text == standing:
                return standing, record, salt, None
        assert text is not None
        sealed = await self._ledger.seal(
            tenant, Payload("output_final", text.encode("utf-8")), case.row["subject"]
        )
        return text, sealed.record, sealed.salt, sealed

    def _in_force(self, item: Item) -> str | None:
        """Hash of the item's policy as it is served now, None when it is not."""
        policy = self._policies.get(item.policy)
        return None if policy is None else policy.hash

    async def _recheck(self, case: Case, text: str) -> tuple[Result, str | None]:
        """What the checks say of the text to be signed, and the hash of the policy that judged it, None for the text as
        held; refuses what stands in the way.
        """
        if text == case.output:
            if case.blocked or any(d == "fixed" for d in case.item.disposed.values()):
                raise FailedPrecondition("DISPOSITION_NEEDS_EDIT")
            return case.result, None
        result, blocking, checked_by = await self._judge(case, text)
        if blocking:
            codes = sorted({result.findings[position].code.value for position in blocking})
            raise FailedPrecondition(
                "EDIT_NOT_CLEAN", metadata={"findings": str(len(blocking)), "codes": ",".join(codes)}
            )
        return result, checked_by


def _meaning(rejection: Rejection | None, *, edited: bool) -> Meaning:
    if rejection is not None:
        return Meaning.REJECTED
    return Meaning.APPROVED_WITH_EDITS if edited else Meaning.APPROVED


def _require_well_formed(rejection: Rejection, edited_text: str | None) -> None:
    violations = rejection_violations(rejection.reason_code, rejection.note)
    if edited_text is not None:
        violations.append(("edited_text", "is not for a text that is refused"))
    if violations:
        raise InvalidRequest(violations)
