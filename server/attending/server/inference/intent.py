"""The durable intent of a call: what the input rails said, and what is about to be asked of which model.

Nothing is sent to a model before `inference.requested` is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from attending.guardrails.finding import Coverage
from attending.guardrails.guard import InputDecision
from attending.guardrails.phi import count_replaced
from attending.guardrails.policy.schema import Policy
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Claim
from attending.ledger.vault import SealedPayload
from attending.server.content_hash import content_hash, digits
from attending.server.idempotency import Once
from attending.server.inference import entries
from attending.server.inference.call import Caller, OpenCall, Progress, failure, new_id
from attending.server.inference.checker import Checker
from attending.server.inference.entries import Result
from attending.server.inference.failed_rails import tell_failed
from attending.server.inference.outcome import Outcome, read_outcome
from attending.server.inference.owners import Owners
from attending.server.inference.prompt import compose
from attending.server.inference.states import State, require
from attending.server.inference.trail import Trail
from attending.server.wire.request import RequestContext


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks, of which model, and how it came in."""

    entry_point: str
    prompt: str
    provider: str
    model: str
    prompt_version: str | None = None
    parameters: Mapping[str, int | None] = field(default_factory=dict)
    occurred_at: datetime | None = None
    egress: Mapping[str, Any] | None = None
    """On which terms which parts of the request go to the provider; None where this server sends nothing."""


class Intents:
    """Shared by all calls of one server process."""

    def __init__(self, ledger: Ledger, owners: Owners, trail: Trail, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._owners = owners
        self._trail = trail
        self._now = now

    async def open(
        self,
        caller: Caller,
        context: RequestContext,
        policy: Policy,
        guard: Checker,
        checked: InputDecision,
        asked: Asked,
        once: Once,
        progress: Progress,
    ) -> OpenCall | Outcome:
        """Appends `inference.requested`, with the claim; also the block where the input rails block.

        Raises Unavailable where the input checks could not make a text that may be sent, DuplicateClaim where the key
        was taken meanwhile, and ledger errors.
        """
        tenant, inference_id = caller.tenant, new_id("inf")
        subject = await self._subject(tenant, context)
        requested_at = self._now()

        async def seal(kind: str, content: bytes) -> SealedPayload:
            return await self._ledger.seal(tenant, Payload(kind, content), subject)

        request = await seal(
            "request",
            entries.request_payload(asked.prompt, context.documents, context.patient, context.subject_ref),
        )
        sent = await seal(
            "prompt_sent",
            compose(checked.prompt_deidentified, checked.documents_deidentified).encode("utf-8"),
        )
        body = {
            "entry_point": asked.entry_point,
            "calling_app": caller.app,
            "on_behalf_of": context.on_behalf_of,
            "purpose_of_use": caller.purpose_of_use,
            "recipient": context.recipient,
            "policy": policy.name,
            "policy_hash": digits(policy.hash),
            "policy_mode": policy.mode,
            "provider": asked.provider,
            "model": asked.model,
            "parameters": dict(asked.parameters),
            "prompt_version": asked.prompt_version,
            "documents": len(context.documents),
            "public_documents": [
                content_hash(context.documents[position].text) for position in context.public_documents
            ],
            "tags": entries.tag_body(context.tags),
            "release_requires": context.release_requires,
            "owner": self._owners.owner,
            "phi_replaced": count_replaced(checked.placeholders),
            "egress": asked.egress,
            "rails": entries.rails_body(checked.rail_runs),
            "findings": entries.findings_body(checked.findings),
        }
        requested = PendingEntry(
            type="inference.requested",
            stream=inference_id,
            actor=f"app:{caller.app}",
            subject=subject,
            body=body,
            payloads=(request, sent),
            occurred_at=asked.occurred_at or requested_at,
        )
        claim = once.claim(inference_id)
        opened = OpenCall(
            caller, inference_id, context, policy, guard, subject, asked.provider, asked.model, 1, checked
        )
        tell_failed(checked.rail_runs, policy=policy.name, inference_id=inference_id)
        if checked.verdict == "block":
            return await self._block(opened, requested, claim)
        await self._owners.require_alive()
        # A crash after this commit leaves an open intent: recovery abandons it, here or in another process.
        async with self._trail.closed_at_last(opened):
            appended = await self._trail.append(opened, [requested], expect=0, claim=claim)
        progress(f"accepted:{inference_id}:{appended.first_index}")
        if checked.prompt_deidentified is None:
            async with self._trail.closed_at_last(opened):
                await self._trail.fail(opened, "INPUT_CHECKS_UNAVAILABLE")
            raise failure("INPUT_CHECKS_UNAVAILABLE", inference_id)
        return opened

    async def _block(self, opened: OpenCall, requested: PendingEntry, claim: Claim) -> Outcome:
        checked = opened.input
        result = Result("block", False, "block", checked.findings, Coverage(), rails=checked.rail_runs)
        sealed = await self._trail.seal(opened, "result", result.to_bytes())
        blocked = self._trail.entry(
            opened,
            "inference.blocked",
            {"stage": "input", "findings": entries.findings_body(checked.findings)},
            sealed,
        )
        require(State.RECEIVED, blocked.type)
        await self._trail.append(opened, [requested, blocked], expect=0, claim=claim)
        return await read_outcome(self._ledger, opened.caller.tenant, opened.inference_id)

    async def _subject(self, tenant: str, context: RequestContext) -> str | None:
        identity = context.patient.identity
        reference = context.subject_ref or (f"mrn:{identity.mrn}" if identity and identity.mrn else None)
        return None if reference is None else await self._ledger.pseudonym(tenant, reference)
