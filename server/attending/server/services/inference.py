"""InferenceService: checks the request, calls the pipeline, words the outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from attending.guardrails.finding import SELF_HARM_EXPRESSED
from attending.guardrails.policy.schema import Policy
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest, NotFound, Unavailable
from attending.server.idempotency import key_violations, once
from attending.server.inference.call import Caller
from attending.server.inference.outcome import Outcome, read_standing
from attending.server.inference.pipeline import Pipeline
from attending.server.inference.states import State
from attending.server.inference.watch import Changes
from attending.server.phi.access import Permit, PhiAccess
from attending.server.rpc import Context
from attending.server.services.receipts import receipt_message
from attending.server.wire.findings import citation_message, coverage_message, finding_message, rail_message
from attending.server.wire.request import CHANNEL, infer_call, record_call
from attending.server.wire.violations import Violations
from attending.v1 import common_pb2, inference_pb2, inference_pb2_grpc

WATCH_HEARTBEAT_SECONDS = 30.0
# Another process announces nothing here: its work shows in the row.
WATCH_POLL_SECONDS = 1.0

_STATES = {
    State.RECEIVED: common_pb2.INFERENCE_STATE_RECEIVED,
    State.RELEASED: common_pb2.INFERENCE_STATE_RELEASED,
    State.HELD: common_pb2.INFERENCE_STATE_HELD,
    State.BLOCKED: common_pb2.INFERENCE_STATE_BLOCKED,
    State.FAILED: common_pb2.INFERENCE_STATE_FAILED,
    State.ABANDONED: common_pb2.INFERENCE_STATE_ABANDONED,
    State.REJECTED: common_pb2.INFERENCE_STATE_REJECTED,
    State.EXPIRED: common_pb2.INFERENCE_STATE_EXPIRED,
    State.WITHDRAWN: common_pb2.INFERENCE_STATE_WITHDRAWN,
    State.DEBRIEFED: common_pb2.INFERENCE_STATE_DEBRIEFED,
}

NEXT_STEP = {
    State.BLOCKED: "blocked for safety: never released; ask again with a corrected prompt and a new key",
    State.FAILED: "the model gave nothing that could be checked: try again with a new key",
    State.ABANDONED: "the call was cut short and nothing was released: try again with a new key",
    State.REJECTED: "a clinician refused this text: ask again with a corrected prompt and a new key",
    State.EXPIRED: "nobody reviewed this text in time: ask again with a new key or use the urgent contact",
    State.WITHDRAWN: "this text was recalled: do not use it",
    State.DEBRIEFED: "this was a practice item: nobody asked for it, and it is given to nobody",
}


class InferenceService(inference_pb2_grpc.InferenceServiceServicer):
    """One instance a server; holds no state of a call."""

    def __init__(
        self,
        ledger: Ledger,
        pipeline: Pipeline,
        policies: Mapping[str, Policy],
        changes: Changes,
        phi: PhiAccess,
    ) -> None:
        self._ledger = ledger
        self._phi = phi
        self._pipeline = pipeline
        self._policies = policies
        self._changes = changes

    async def Infer(  # noqa: N802
        self, request: inference_pb2.InferRequest, context: Context
    ) -> inference_pb2.InferResponse:
        call = infer_call(request)
        permit = await self._permit(request.context)
        caller = _caller(permit)
        outcome = await self._pipeline.infer(
            caller,
            call,
            await once(self._ledger, caller.tenant, caller.app, request.idempotency_key, request),
        )
        return inference_pb2.InferResponse(result=await self._answer(permit, outcome))

    async def StreamInfer(  # noqa: N802
        self, request: inference_pb2.StreamInferRequest, context: Context
    ) -> AsyncIterator[inference_pb2.StreamInferResponse]:
        call = infer_call(request.request)
        permit = await self._permit(request.request.context, "request.")
        caller = _caller(permit)
        events: asyncio.Queue[str | None] = asyncio.Queue()
        running = asyncio.ensure_future(
            self._pipeline.infer(
                caller,
                call,
                await once(self._ledger, caller.tenant, caller.app, call.key, request.request),
                progress=events.put_nowait,
            )
        )

        def ended(done: asyncio.Future[Outcome]) -> None:
            # Looked at here: a caller who has gone leaves nobody to raise it to.
            done.cancelled() or done.exception()
            events.put_nowait(None)

        running.add_done_callback(ended)
        accepted = False
        while (event := await events.get()) is not None:
            if event.startswith("accepted:"):
                accepted = True
                _word, inference_id, index = event.split(":")
                yield inference_pb2.StreamInferResponse(
                    accepted=inference_pb2.StreamInferResponse.Accepted(
                        inference_id=inference_id,
                        receipt=await receipt_message(self._ledger, caller.tenant, int(index)),
                    )
                )
            else:
                yield inference_pb2.StreamInferResponse(
                    progress=inference_pb2.StreamInferResponse.Progress(stage=event)
                )
        outcome = await running
        if not accepted:
            yield inference_pb2.StreamInferResponse(
                accepted=inference_pb2.StreamInferResponse.Accepted(
                    inference_id=outcome.inference_id,
                    receipt=await receipt_message(self._ledger, caller.tenant, outcome.requested_index),
                )
            )
        yield inference_pb2.StreamInferResponse(result=await self._answer(permit, outcome))

    async def Record(  # noqa: N802
        self, request: inference_pb2.RecordRequest, context: Context
    ) -> inference_pb2.RecordResponse:
        call = record_call(request)
        permit = await self._permit(request.context)
        caller = _caller(permit)
        outcome = await self._pipeline.record(
            caller,
            call,
            await once(self._ledger, caller.tenant, caller.app, request.idempotency_key, request),
        )
        return inference_pb2.RecordResponse(result=await self._answer(permit, outcome))

    async def GetInference(  # noqa: N802
        self, request: inference_pb2.GetInferenceRequest, context: Context
    ) -> inference_pb2.GetInferenceResponse:
        permit = await self._phi.permit(request.purpose_of_use)
        outcome = await self._visible(permit.principal, request.inference_id)
        return inference_pb2.GetInferenceResponse(result=await self._shown(permit, outcome))

    async def WatchInference(  # noqa: N802
        self, request: inference_pb2.WatchInferenceRequest, context: Context
    ) -> AsyncIterator[inference_pb2.WatchInferenceResponse]:
        permit = await self._phi.permit(request.purpose_of_use)
        principal = permit.principal
        seen: State | None = None
        with self._changes.subscribe(principal.tenant, request.inference_id) as changed:
            while True:
                outcome = await self._visible(principal, request.inference_id)
                if outcome.state is not seen:
                    seen = outcome.state
                    result = await self._shown(permit, outcome)
                    yield inference_pb2.WatchInferenceResponse(result=result)
                if outcome.state.final:
                    return
                await self._changed(principal.tenant, request.inference_id, seen, changed)

    async def AckDelivery(  # noqa: N802
        self, request: inference_pb2.AckDeliveryRequest, context: Context
    ) -> inference_pb2.AckDeliveryResponse:
        caller = _caller(None)
        recipients = {
            common_pb2.RECIPIENT_PATIENT: "patient",
            common_pb2.RECIPIENT_CLINICIAN: "clinician",
        }
        v = Violations()
        v.check(request.recipient in recipients, "recipient", "is required")
        v.check(bool(CHANNEL.match(request.channel)), "channel", "must be 1 to 64 of a-z 0-9 _ -")
        v.check(bool(request.inference_id), "inference_id", "is required")
        for field, description in key_violations(request.idempotency_key):
            v.add(field, description)
        v.raise_if_any()
        await self._visible(current_principal(), request.inference_id)
        index = await self._pipeline.acknowledge(
            caller,
            request.inference_id,
            recipients[request.recipient],
            request.channel,
            await once(self._ledger, caller.tenant, caller.app, request.idempotency_key, request),
        )
        return inference_pb2.AckDeliveryResponse(
            receipt=await receipt_message(self._ledger, caller.tenant, index)
        )

    async def _changed(self, tenant: str, inference_id: str, seen: State, changed: asyncio.Event) -> None:
        """Returns when the inference may stand otherwise than `seen`: at once when some process moved it."""
        shared = self._ledger.shared
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    changed.wait(), WATCH_POLL_SECONDS if shared else WATCH_HEARTBEAT_SECONDS
                )
            if changed.is_set() or not shared:
                changed.clear()
                return
            if (await read_standing(self._ledger, tenant, inference_id))[0] is not seen:
                return

    async def _visible(self, principal: Principal, inference_id: str) -> Outcome:
        """An application sees its own inferences; another's answers exactly like one that does not exist."""
        if not inference_id:
            raise InvalidRequest([("inference_id", "is required")])
        outcome = await self._pipeline.get(principal.tenant, inference_id)
        if principal.kind == "app" and outcome.calling_app != principal.name:
            raise NotFound("UNKNOWN_INFERENCE")
        return outcome

    async def _permit(self, context: inference_pb2.InferenceContext, prefix: str = "") -> Permit:
        return await self._phi.permit(context.purpose_of_use, f"{prefix}context.purpose_of_use")

    async def _answer(self, permit: Permit, outcome: Outcome) -> inference_pb2.InferenceResult:
        """What the call itself led to. The first answer has its entry in the verdict; one given again gets its own."""
        if outcome.repeated:
            return await self._shown(permit, outcome)
        return await self._result(permit.principal.tenant, outcome)

    async def _shown(self, permit: Permit, outcome: Outcome) -> inference_pb2.InferenceResult:
        """The outcome from the record. That its text is given is an entry before it is."""
        result = await self._result(permit.principal.tenant, outcome)
        if outcome.state is State.RELEASED:
            await self._phi.record(
                permit,
                "access.viewed",
                "inference",
                subject=outcome.subject,
                about={"inference": outcome.inference_id},
            )
        return result

    async def _result(self, tenant: str, outcome: Outcome) -> inference_pb2.InferenceResult:
        """The outcome on the wire. Text, spans and drugs of what is not released stay here."""
        released = outcome.state is State.RELEASED
        if released and outcome.release_requires == "published":
            await self._await_publication(tenant, outcome)
        message = inference_pb2.InferenceResult(
            inference_id=outcome.inference_id,
            state=_STATES[outcome.state],
            output=outcome.output or "",
            next_step=NEXT_STEP.get(outcome.state, ""),
            versions=inference_pb2.Versions(
                policy_hash=outcome.policy_hash,
                knowledge_hash=outcome.knowledge_hash or "",
                prompt_version=outcome.prompt_version or "",
                model=outcome.model,
                provider=outcome.provider,
            ),
            not_enforced=outcome.not_enforced,
        )
        if outcome.state is State.BLOCKED and (policy := self._policies.get(outcome.policy)) is not None:
            message.next_step = _with_help(outcome, policy, policy.block_text)
        if outcome.result is not None:
            message.findings.extend(
                finding_message(ordinal, finding, full=released)
                for ordinal, finding in enumerate(outcome.result.findings)
            )
            message.coverage.CopyFrom(coverage_message(outcome.result.coverage, full=released))
            message.citations.extend(
                citation_message(citation, full=released) for citation in outcome.result.citations
            )
            message.rails.extend(map(rail_message, outcome.result.rails))
        if outcome.input_tokens is not None:
            message.usage.input_tokens = outcome.input_tokens
        if outcome.output_tokens is not None:
            message.usage.output_tokens = outcome.output_tokens
        if outcome.cost_basis is not None:
            message.cost.known = outcome.cost_micros is not None
            message.cost.basis = outcome.cost_basis
            message.cost.currency = outcome.cost_currency or ""
            if outcome.cost_micros is not None:
                message.cost.amount_micros = outcome.cost_micros
        for index in (outcome.requested_index, outcome.decided_index):
            if index is not None:
                message.receipts.append(await receipt_message(self._ledger, tenant, index))
        if outcome.ticket is not None:
            policy = self._policies.get(outcome.policy)
            ticket = message.ticket
            ticket.ticket_id = outcome.ticket.ticket_id
            ticket.expires.FromDatetime(clock.parse(outcome.ticket.expires_at))
            wait = clock.parse(outcome.ticket.due_at) - clock.now()
            ticket.expected_wait.FromSeconds(max(0, int(wait.total_seconds())))
            if policy is not None:
                ticket.safe_text = _with_help(outcome, policy, policy.safe_text)
                ticket.urgent_contact = policy.urgent_contact
        return message

    async def _await_publication(self, tenant: str, outcome: Outcome) -> None:
        """Returns when the head outside the database covers the release; Unavailable while it does not."""
        assert outcome.decided_index is not None
        note = await self._ledger.publish(tenant)
        if note is None or parse_checkpoint(note).size <= outcome.decided_index:
            raise Unavailable(
                "PUBLICATION_PENDING",
                retry_after_seconds=1.0,
                metadata={"inference_id": outcome.inference_id},
            )


def _with_help(outcome: Outcome, policy: Policy, text: str) -> str:
    """`text` as it is shown instead of an output; after the crisis text where a patient spoke of harming themselves."""
    findings = outcome.result.findings if outcome.result is not None else ()
    if policy.audience == "patient" and any(finding.rule_id == SELF_HARM_EXPRESSED for finding in findings):
        return f"{policy.crisis_text}\n\n{text}"
    return text


def _caller(permit: Permit | None) -> Caller:
    principal = current_principal()
    return Caller(principal.tenant, principal.name, None if permit is None else permit.purpose.value)
