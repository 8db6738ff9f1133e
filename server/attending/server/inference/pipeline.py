"""The path of one inference: claim, input rails, durable intent, model, output rails, verdict, release.

Nothing is sent to a model before `inference.requested` is durable, and no byte is returned before the verdict's
entry is. The work runs in a task of the server, not of the call: a client that goes away changes nothing in the
record. What a crash leaves behind at each durable write is said there; `recovery` closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from attending.guardrails.finding import Coverage, Finding
from attending.guardrails.guard import InputDecision, OutputDecision
from attending.guardrails.patient import Document, Judged
from attending.guardrails.phi import count_replaced, restore
from attending.guardrails.policy.decide import Verdict, decide
from attending.guardrails.policy.schema import Audience, Policy
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import (
    ClaimConflict,
    DuplicateClaim,
    ExpectationFailed,
    LedgerError,
    QueueFull,
    StoreUnavailable,
)
from attending.ledger.ledger import Appended, Ledger
from attending.ledger.submission import Claim, Expectation
from attending.ledger.vault import SealedPayload
from attending.server import clock as clocks
from attending.server.activation.serving import Generation, Serving
from attending.server.clock import stamp
from attending.server.cost.price import Price, price
from attending.server.errors import AttendingError, FailedPrecondition, InvalidRequest, NotFound, Unavailable
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once, answered, claimed, require_same
from attending.server.inference import entries
from attending.server.inference.checker import Checker, truncated, unjudged
from attending.server.inference.entries import Result
from attending.server.inference.failed_rails import tell_failed
from attending.server.inference.outcome import Outcome, read_outcome, read_standing
from attending.server.inference.owners import Owners
from attending.server.inference.recovery import still_open
from attending.server.inference.reply import acceptable
from attending.server.inference.second_opinion import opinion_on
from attending.server.inference.states import State, require
from attending.server.inference.watch import Changes
from attending.server.prompts.registry import PromptRegistry
from attending.server.prompts.template import render
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest
from attending.server.replay.reducers import rows_of_append
from attending.server.wire.request import MAX_TEXT_CODE_POINTS, InferCall, RecordCall, RequestContext
from attending.server.wire.violations import Violations, normalise

log = structlog.get_logger()

DEFAULT_MAX_OUTPUT_TOKENS = 512
DEFAULT_MAX_OPEN = 1_024
BUSY_RETRY_SECONDS = 1.0
LATE_REPLY_GRACE_SECONDS = 60.0
LATE_REPLY_DRAIN_SECONDS = 2.0
CHECK_RETRY_SECONDS = (0.1, 0.5, 2.0)
CLOSING_RETRY_SECONDS = (0.05, 0.2, 1.0, 3.0)
# A call that runs in another process is followed there by its row, for so long.
ELSEWHERE_POLL_SECONDS = 0.25
ELSEWHERE_SECONDS = 60.0
ABANDON_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

# Reasons that a first answer gives as an error are given again to every retry of the same key.
UNAVAILABLE_REASONS = frozenset(
    {"PROVIDER_UNAVAILABLE", "PROVIDER_TIMEOUT", "PROVIDER_RATE_LIMITED", "INPUT_CHECKS_UNAVAILABLE"}
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from the credential, and the HL7 code of the purpose."""

    tenant: str
    app: str
    purpose_of_use: str | None = None


@dataclass(slots=True)
class StageClock:
    """Milliseconds by stage of one inference, for metrics and the governed benchmark."""

    stages: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + (now - self._since) * 1000
        self._since = now


@dataclass(frozen=True, slots=True)
class _Open:
    """An inference whose intent is durable: what the closing append needs."""

    caller: Caller
    inference_id: str
    context: RequestContext
    policy: Policy
    guard: Checker
    """That of the policy's generation: it ends under what it began under."""
    subject: str | None
    provider: str
    model: str
    version: int
    input: InputDecision


Progress = Callable[[str], None]


class Pipeline:
    """Shared by all calls of one server process; safe for many tasks of one event loop."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        serving: Serving,
        providers: Mapping[str, ConfiguredProvider],
        prompts: PromptRegistry,
        changes: Changes,
        owners: Owners,
        switch: Switch,
        now: Callable[[], datetime] = clocks.now,
        residency: Mapping[str, frozenset[str]] | None = None,
        max_open: int = DEFAULT_MAX_OPEN,
    ) -> None:
        """`max_open` bounds the calls that are carried through at once, those of callers who hung up included.
        `residency` are the places by tenant outside which nothing may be sent; any place for a tenant without.
        """
        self.max_open = max_open
        self._ledger = ledger
        self._serving = serving
        self._providers = providers
        self._prompts = prompts
        self._changes = changes
        self._owners = owners
        self._switch = switch
        self._owner = owners.owner
        self._now = now
        self._residency = dict(residency or {})
        self._running: dict[tuple[str, str], tuple[bytes, asyncio.Task[Outcome]]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._ending = asyncio.Event()
        self.last_stages: dict[str, float] = {}

    # -- entry points

    async def infer(
        self, caller: Caller, call: InferCall, once: Once, progress: Progress | None = None
    ) -> Outcome:
        """Calls the model and returns the outcome of the checks; see the module's invariants.

        Raises AttendingError: InvalidRequest, NotFound (policy, provider, prompt), AlreadyExists (same key, other
        body), Unavailable (provider or input checks), and ledger errors when evidence could not be made durable.
        """
        told = progress or (lambda _stage: None)

        async def run() -> Outcome:
            with self._serving.in_use() as generation:
                return await self._infer(generation, caller, call, once, told)

        return await self._once(caller, once, run)

    async def record(self, caller: Caller, call: RecordCall, once: Once) -> Outcome:
        """Checks and records an output that the caller obtained itself; same gate, no provider call."""

        async def run() -> Outcome:
            with self._serving.in_use() as generation:
                return await self._record(generation, caller, call, once)

        return await self._once(caller, once, run)

    async def get(self, tenant: str, inference_id: str) -> Outcome:
        return await read_outcome(self._ledger, tenant, inference_id)

    async def acknowledge(
        self, caller: Caller, inference_id: str, recipient: str, channel: str, once: Once
    ) -> int:
        """Records delivery of a released text; returns the entry's index, the same one for a repeated key."""
        entry = PendingEntry(
            type="inference.delivered",
            stream=inference_id,
            actor=f"app:{caller.app}",
            subject=None,
            body={"recipient": recipient, "channel": channel},
        )
        while True:
            # INVARIANT: no delivery follows a recall, which names everybody to whom the text went.
            version = await self._ledger.stream_version(caller.tenant, inference_id)
            outcome = await self.get(caller.tenant, inference_id)
            if (earlier := await answered(self._ledger, caller.tenant, once)) is not None:
                return earlier[0]
            if outcome.state is not State.RELEASED:
                raise FailedPrecondition("NOT_RELEASED", metadata={"state": outcome.state.value})
            try:
                done = await self._ledger.append(
                    caller.tenant,
                    [entry],
                    expect=[Expectation(inference_id, version)],
                    claim=once.claim(inference_id),
                )
            except ExpectationFailed:
                continue
            except (DuplicateClaim, ClaimConflict):
                earlier = await answered(self._ledger, caller.tenant, once)
                if earlier is None:
                    raise NotFound("UNKNOWN_DELIVERY") from None
                return earlier[0]
            return done.first_index

    def running(self, tenant: str) -> int:
        """Calls of the tenant that are being carried through in this process now."""
        return sum(owner == tenant for owner, _key in self._running)

    async def drain(self) -> None:
        """Waits for running inferences; called when the server stops."""
        self._ending.set()
        while waiting := [task for _f, task in self._running.values()] + list(self._background):
            await asyncio.gather(*waiting, return_exceptions=True)

    # -- exactly once

    async def _once(
        self, caller: Caller, once: Once, start: Callable[[], Coroutine[Any, Any, Outcome]]
    ) -> Outcome:
        """One run a (tenant, key): a running call is joined, a finished one answered from the record."""
        slot = (caller.tenant, once.key)
        running = self._running.get(slot)
        if running is None:
            # A call outlives its caller, so a bound on rpcs alone would bound nothing.
            if len(self._running) + len(self._background) >= self.max_open:
                raise Unavailable("SERVER_BUSY", retry_after_seconds=BUSY_RETRY_SECONDS)
            task = asyncio.create_task(self._first(caller.tenant, once, start))
            self._running[slot] = (once.fingerprint, task)
            task.add_done_callback(lambda _done: self._running.pop(slot, None))
        else:
            require_same(running[0], once)
            task = running[1]
        # The caller may go away; the inference is carried through all the same.
        return await asyncio.shield(task)

    async def _first(
        self, tenant: str, once: Once, start: Callable[[], Coroutine[Any, Any, Outcome]]
    ) -> Outcome:
        earlier = await claimed(self._ledger, tenant, once)
        if earlier is None:
            try:
                return await start()
            except DuplicateClaim as err:
                earlier = err.stream
        return replace(await self._again(tenant, earlier), repeated=True)

    async def _again(self, tenant: str, inference_id: str) -> Outcome:
        await self._followed(tenant, inference_id)
        outcome = await read_outcome(self._ledger, tenant, inference_id)
        if outcome.state is State.FAILED:
            raise _failure(outcome.reason or "INTERNAL", inference_id)
        return outcome

    async def _followed(self, tenant: str, inference_id: str) -> None:
        """Returns when the call does not run in another process any more; Unavailable while it still does."""
        until = time.monotonic() + ELSEWHERE_SECONDS
        while True:
            state, owner = await read_standing(self._ledger, tenant, inference_id)
            if state is not State.RECEIVED or owner == self._owner:
                return
            if self._ending.is_set() or time.monotonic() > until:
                raise Unavailable(
                    "RUNNING_ELSEWHERE",
                    retry_after_seconds=BUSY_RETRY_SECONDS,
                    metadata={"inference_id": inference_id},
                )
            await asyncio.sleep(ELSEWHERE_POLL_SECONDS)

    # -- Infer

    async def _infer(
        self, generation: Generation, caller: Caller, call: InferCall, once: Once, progress: Progress
    ) -> Outcome:
        clock = StageClock()
        # After the look for an earlier answer: a key that is done is answered whatever is configured since.
        policy = await self._policy(generation, caller.tenant, call.context)
        configured = self._providers.get(call.provider)
        if configured is None:
            raise InvalidRequest([("model.provider", "is not configured on this server")])
        await self._require_open(caller.tenant, policy)
        prompt, prompt_version = await self._prompt(caller.tenant, call)
        progress("requesting")
        identity = call.context.patient.identity
        checked = await generation.guard.check_input(
            policy.name, prompt, call.context.documents, identity, patient=call.context.patient
        )
        clock.mark("input_rails")
        opened = await self._open(
            caller,
            call.context,
            policy,
            generation.guard,
            checked,
            once=once,
            entry_point="infer",
            prompt=prompt,
            prompt_version=prompt_version,
            provider=call.provider,
            model=call.model,
            parameters={
                "max_output_tokens": call.max_output_tokens,
                "temperature_milli": call.temperature_milli,
            },
            progress=progress,
            egress=self._terms(configured, policy) | {"sent": entries.sent_body(checked, call.prompt_ref)},
        )
        clock.mark("requested_durable")
        if isinstance(opened, Outcome):
            return opened
        progress("generating")
        async with self._closed_at_last(opened):
            # As late as can be: an agreement may have run out while the checks ran.
            if (refused := self._refused(opened, configured)) is not None:
                await self._fail(opened, refused)
                raise _failure(refused, opened.inference_id)
            try:
                reply = await self._complete(opened, configured, call)
            except ProviderError as err:
                await self._fail(opened, err.reason)
                raise _failure(err.reason, opened.inference_id) from None
            clock.mark("provider")
            progress("checking")
            paid = price(configured.price_provider, reply.model, reply.input_tokens, reply.output_tokens)
            outcome = await self._judge(opened, prompt, reply, paid, clock, progress)
        self.last_stages = clock.stages
        return outcome

    def _terms(self, configured: ConfiguredProvider, policy: Policy) -> dict[str, Any]:
        return configured.terms.body(identified=policy.phi.identified)

    def _refused(self, opened: _Open, configured: ConfiguredProvider) -> str | None:
        """Why the provider may not be sent this call's text now, as a reason code."""
        return configured.terms.refusal(
            identified=opened.policy.phi.identified,
            allowed=self._residency.get(opened.caller.tenant, frozenset()),
            moment=self._now(),
        )

    async def _prompt(self, tenant: str, call: InferCall) -> tuple[str, str | None]:
        if call.prompt is not None:
            return call.prompt, None
        assert call.prompt_ref is not None
        ref = call.prompt_ref
        found = await self._prompts.get(tenant, ref.name, version=ref.version, label=ref.label)
        prompt = render(found.template, dict(ref.variables))
        v = Violations()
        v.text(prompt, "prompt_ref", MAX_TEXT_CODE_POINTS)
        v.raise_if_any()
        return prompt, found.version

    async def _complete(
        self, opened: _Open, configured: ConfiguredProvider, call: InferCall
    ) -> ProviderReply:
        seconds = min(call.provider_timeout_seconds or configured.timeout_seconds, configured.timeout_seconds)
        request = ProviderRequest(
            model=call.model,
            prompt=compose(opened.input.prompt_deidentified, opened.input.documents_deidentified),
            max_output_tokens=call.max_output_tokens or DEFAULT_MAX_OUTPUT_TOKENS,
            temperature_milli=call.temperature_milli,
            timeout_seconds=seconds,
        )
        task = asyncio.create_task(configured.provider.complete(request))
        done, _waiting = await asyncio.wait({task}, timeout=seconds)
        if not done:
            self._keep(self._late(opened, task))
            raise ProviderError("PROVIDER_TIMEOUT")
        try:
            reply = task.result()
        except ProviderError:
            raise
        except Exception as err:
            log.error("provider.raised", inference_id=opened.inference_id, error_type=type(err).__name__)
            raise ProviderError("PROVIDER_BAD_REPLY") from None
        return acceptable(reply, call.model)

    async def _late(self, opened: _Open, task: asyncio.Task[ProviderReply]) -> None:
        """A reply after the time-out is recorded with its commitment and never released.

        A server that is told to stop does not wait long for it: the call is closed already.
        """
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait(
            {task, ending}, timeout=LATE_REPLY_GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        ending.cancel()
        if not task.done():
            await asyncio.wait({task}, timeout=LATE_REPLY_DRAIN_SECONDS if self._ending.is_set() else 0)
        if not task.done():
            task.cancel()
            return
        if task.cancelled() or task.exception() is not None:
            return
        try:
            reply = acceptable(task.result(), opened.model)
            await self._append_late(opened, reply.text)
        except (ProviderError, LedgerError) as err:
            log.warning("inference.late_not_recorded", inference_id=opened.inference_id, reason=err.reason)

    async def _append_late(self, opened: _Open, text: str) -> None:
        sealed = await self._seal(opened, "output_raw", text.encode("utf-8", "surrogatepass"))
        entry = self._entry(opened, "inference.late", {"characters": len(text)}, sealed)
        await self._ledger.append(opened.caller.tenant, [entry])

    # -- Record

    async def _record(self, generation: Generation, caller: Caller, call: RecordCall, once: Once) -> Outcome:
        clock = StageClock()
        policy = await self._policy(generation, caller.tenant, call.context)
        await self._require_open(caller.tenant, policy)
        # The model has already seen the prompt: input rails judge it, and nothing is sent anywhere.
        identity = call.context.patient.identity
        checked = await generation.guard.check_input(
            policy.name, call.prompt, call.context.documents, identity, patient=call.context.patient
        )
        clock.mark("input_rails")
        opened = await self._open(
            caller,
            call.context,
            policy,
            generation.guard,
            checked,
            once=once,
            entry_point="record",
            prompt=call.prompt,
            prompt_version=None,
            provider=call.provider,
            model=call.model,
            parameters={},
            progress=lambda _stage: None,
            occurred_at=call.occurred_at,
        )
        clock.mark("requested_durable")
        if isinstance(opened, Outcome):
            return opened
        reply = ProviderReply(call.output, call.model, call.input_tokens, call.output_tokens)
        paid = price(call.provider, call.model, call.input_tokens, call.output_tokens)
        # The caller's text never held our placeholders, so there is nothing to restore in it.
        untouched = replace(opened, input=replace(opened.input, placeholders={}))
        async with self._closed_at_last(opened):
            outcome = await self._judge(
                untouched, call.prompt, reply, paid, clock, lambda _stage: None, recorded=True
            )
        self.last_stages = clock.stages
        return outcome

    # -- the durable intent

    async def _open(
        self,
        caller: Caller,
        context: RequestContext,
        policy: Policy,
        guard: Checker,
        checked: InputDecision,
        *,
        once: Once,
        entry_point: str,
        prompt: str,
        prompt_version: str | None,
        provider: str,
        model: str,
        parameters: Mapping[str, int | None],
        progress: Progress,
        occurred_at: datetime | None = None,
        egress: Mapping[str, Any] | None = None,
    ) -> _Open | Outcome:
        """Appends `inference.requested`, with the claim; also the block where the input rails block.

        `egress` is on which terms which parts of the request go to the provider; None where this server sends nothing.
        """
        tenant, inference_id = caller.tenant, _new_id("inf")
        subject = await self._subject(tenant, context)
        requested_at = self._now()

        async def seal(kind: str, content: bytes) -> SealedPayload:
            return await self._ledger.seal(tenant, Payload(kind, content), subject)

        request = await seal(
            "request",
            entries.request_payload(prompt, context.documents, context.patient, context.subject_ref),
        )
        sent = await seal(
            "prompt_sent",
            compose(checked.prompt_deidentified, checked.documents_deidentified).encode("utf-8"),
        )
        body = {
            "entry_point": entry_point,
            "calling_app": caller.app,
            "on_behalf_of": context.on_behalf_of,
            "purpose_of_use": caller.purpose_of_use,
            "recipient": context.recipient,
            "policy": policy.name,
            "policy_hash": _hex(policy.hash),
            "policy_mode": policy.mode,
            "provider": provider,
            "model": model,
            "parameters": dict(parameters),
            "prompt_version": prompt_version,
            "documents": len(context.documents),
            "public_documents": [
                _content_hash(context.documents[position]) for position in context.public_documents
            ],
            "tags": entries.tag_body(context.tags),
            "release_requires": context.release_requires,
            "owner": self._owner,
            "phi_replaced": count_replaced(checked.placeholders),
            "egress": egress,
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
            occurred_at=occurred_at or requested_at,
        )
        claim = once.claim(inference_id)
        opened = _Open(caller, inference_id, context, policy, guard, subject, provider, model, 1, checked)
        tell_failed(checked.rail_runs, policy=policy.name, inference_id=inference_id)
        if checked.verdict == "block":
            return await self._block_input(opened, requested, claim)
        await self._owners.require_alive()
        # A crash after this commit leaves an open intent: recovery abandons it, here or in another process.
        async with self._closed_at_last(opened):
            appended = await self._append(opened, [requested], expect=0, claim=claim)
        progress(f"accepted:{inference_id}:{appended.first_index}")
        if checked.prompt_deidentified is None:
            async with self._closed_at_last(opened):
                await self._fail(opened, "INPUT_CHECKS_UNAVAILABLE")
            raise _failure("INPUT_CHECKS_UNAVAILABLE", inference_id)
        return opened

    async def _block_input(self, opened: _Open, requested: PendingEntry, claim: Claim) -> Outcome:
        checked = opened.input
        result = Result("block", False, "block", checked.findings, Coverage(), rails=checked.rail_runs)
        sealed = await self._seal(opened, "result", result.to_bytes())
        blocked = self._entry(
            opened,
            "inference.blocked",
            {"stage": "input", "findings": entries.findings_body(checked.findings)},
            sealed,
        )
        require(State.RECEIVED, blocked.type)
        await self._append(opened, [requested, blocked], expect=0, claim=claim)
        return await self.get(opened.caller.tenant, opened.inference_id)

    async def _subject(self, tenant: str, context: RequestContext) -> str | None:
        identity = context.patient.identity
        reference = context.subject_ref or (f"mrn:{identity.mrn}" if identity and identity.mrn else None)
        return None if reference is None else await self._ledger.pseudonym(tenant, reference)

    # -- the verdict

    async def _opinion(
        self, opened: _Open, reply: ProviderReply, final: str, *, recorded: bool
    ) -> tuple[Finding, ...]:
        """The second opinion that the policy asks for, over text without identifiers where the policy replaces them."""
        asked = opened.policy.second_opinion
        if asked is None or not opened.context.documents:
            return ()
        return await opinion_on(
            asked,
            self._providers,
            output=reply.text,
            documents=opened.input.documents_deidentified,
            final=final,
            provider=opened.provider,
            model=reply.model,
            identified=recorded or opened.policy.phi.identified,
            allowed=self._residency.get(opened.caller.tenant, frozenset()),
            moment=self._now(),
        )

    async def _judge(
        self,
        opened: _Open,
        prompt: str,
        reply: ProviderReply,
        paid: Price,
        clock: StageClock,
        progress: Progress,
        *,
        recorded: bool = False,
    ) -> Outcome:
        """Runs the output rails and appends `inference.generated` with its verdict in one atomic append.

        `recorded` where the caller brings the text, which then holds what identifies the patient.
        """
        context = opened.context
        judged = Judged(
            output=reply.text,
            prompt=prompt,
            context=context.patient,
            documents=context.documents,
        )
        audience = effective_audience(opened.policy, context.recipient)
        decision = await self._check(opened, judged, audience)
        tell_failed(decision.rail_runs, policy=opened.policy.name, inference_id=opened.inference_id)
        # Input findings come after the output's; the verdict is over both.
        cut = (truncated(len(decision.output_final)),) if reply.finish_reason == "length" else ()
        opinion = await self._opinion(opened, reply, decision.output_final, recorded=recorded)
        findings = (*decision.findings, *cut, *opinion, *opened.input.findings)
        verdict = decide(opened.policy, findings, audience=audience)
        clock.mark("output_rails")
        progress("recording")
        text = normalise(decision.output_final)
        result = Result(
            verdict.verdict,
            verdict.mandatory_review,
            verdict.disposition,
            findings,
            decision.coverage,
            decision.citations,
            (*opened.input.rail_runs, *decision.rail_runs),
        )
        raw = await self._seal(opened, "output_raw", reply.text.encode("utf-8", "surrogatepass"))
        final = await self._seal(opened, "output_final", text.encode("utf-8"))
        sealed = await self._seal(opened, "result", result.to_bytes())
        generated = PendingEntry(
            type="inference.generated",
            stream=opened.inference_id,
            actor=f"system:{self._owner}",
            subject=opened.subject,
            body={
                "provider": opened.provider,
                "model": reply.model,
                "fingerprint": reply.fingerprint,
                "finish_reason": reply.finish_reason,
                "characters": len(text),
                "usage": entries.usage_body(reply.input_tokens, reply.output_tokens, paid),
                "rails": entries.rails_body(decision.rail_runs),
                "findings": entries.findings_body(findings),
                "coverage": {
                    "judged": decision.coverage.judged,
                    "of": decision.coverage.of,
                    "not_covered": len(decision.coverage.not_covered),
                },
                "verdict": verdict.verdict,
                "mandatory_review": verdict.mandatory_review,
                "disposition": verdict.disposition,
                "decided_by": sorted({rule.rule for rule in verdict.deciding}),
                "knowledge_hash": _hex(decision.knowledge_hash),
                "policy_hash": _hex(decision.policy_hash),
                "text_record": final.record,
                "result_record": sealed.record,
            },
            payloads=(raw, final, sealed),
            occurred_at=self._now(),
        )
        closing = self._closing(opened, verdict, findings, final)
        require(State.RECEIVED, closing.type)
        try:
            # A crash before this commit leaves the open intent and no release; after it, the verdict stands.
            await self._append(opened, [generated, closing], expect=opened.version, retry=True)
        except ExpectationFailed:
            # Either an append of unknown outcome had succeeded after all, or somebody closed this call first
            # (recovery): then the text exists, so it goes on record, unreleased.
            if not await self._is_mine(opened, final):
                await self._append_late(opened, reply.text)
        except FailedPrecondition as halted:
            # Halted since it began. Here, too, the release may have been committed just before.
            if not await self._is_mine(opened, final):
                await self._append_late(opened, reply.text)
                await self._fail(opened, halted.reason)
                raise _failure(halted.reason, opened.inference_id) from None
        clock.mark("verdict_durable")
        return await self.get(opened.caller.tenant, opened.inference_id)

    async def _check(self, opened: _Open, judged: Judged, audience: Audience) -> OutputDecision:
        """The decision of the output rails; when no check process takes the text in time, it holds unjudged."""
        delays = list(CHECK_RETRY_SECONDS)
        while True:
            try:
                return await opened.guard.check_output(
                    opened.policy.name, judged, placeholders=opened.input.placeholders, audience=audience
                )
            except Exception as err:
                log.warning(
                    "output_checks.unavailable",
                    inference_id=opened.inference_id,
                    error_type=type(err).__name__,
                )
                if not delays:
                    # A reviewer reads it, so it must be whole: placeholders are restored here.
                    text = restore(judged.output, opened.input.placeholders).text
                    return unjudged(opened.policy, text, audience, "")
                await asyncio.sleep(delays.pop(0))

    async def _is_mine(self, opened: _Open, text: SealedPayload) -> bool:
        stream = await self._ledger.stream_entries(opened.caller.tenant, opened.inference_id)
        return any(entry.body.get("text_record") == text.record for entry in stream)

    def _closing(
        self, opened: _Open, verdict: Verdict, findings: Sequence[Finding], text: SealedPayload
    ) -> PendingEntry:
        policy, now = opened.policy, self._now()
        if verdict.disposition == "release":
            body: dict[str, Any] = {
                "basis": "policy",
                "text_record": text.record,
                "text_commitment": text.commitment.commitment,
                "not_enforced": verdict.not_enforced,
            }
            return self._entry(opened, "inference.released", body)
        body = {
            "ticket": _new_id("tkt"),
            "policy": policy.name,
            "to_dispose": list(verdict.to_dispose),
            "due_at": stamp(now + timedelta(minutes=policy.sla_minutes)),
            "expires_at": stamp(now + timedelta(minutes=policy.expiry_minutes)),
            "urgency": policy.urgency,
            "findings": entries.findings_body(findings),
        }
        if verdict.disposition == "block":
            body |= {"stage": "output", "sign_off": {"roles": ["safety_officer"], "count": 0}}
            return self._entry(opened, "inference.blocked", body)
        body["sign_off"] = {
            "roles": list(verdict.required_roles),
            "count": policy.sign_offs.count,
            "author_may_sign": policy.sign_offs.author_may_sign,
        }
        # Who reads the text decides too: what goes to a patient waits.
        glass = policy.break_glass
        if glass is not None and effective_audience(policy, opened.context.recipient) != "patient":
            body["sign_off"]["break_glass"] = {
                "roles": list(glass.roles),
                "review_within_hours": glass.review_within_hours,
            }
        if (escalation := policy.escalation) is not None:
            body["escalation"] = {
                "at": stamp(now + timedelta(minutes=escalation.after_minutes)),
                "to_roles": list(escalation.to_roles),
            }
        if policy.sign_offs.blinded_second_read:
            body["sign_off"]["blinded"] = True
        return self._entry(opened, "inference.held", body)

    async def _fail(self, opened: _Open, reason: str) -> None:
        await self._close(opened, "inference.failed", reason)

    async def _close(self, opened: _Open, event: str, reason: str) -> None:
        """Closes an open intent without a text, unless somebody closed it before."""
        entry = self._entry(opened, event, {"reason": reason})
        require(State.RECEIVED, event)
        tenant, inference_id = opened.caller.tenant, opened.inference_id
        version = opened.version
        while True:
            try:
                await self._append(opened, [entry], expect=version, retry=True)
                return
            except ExpectationFailed:
                # A late reply may stand on record already, while the call is still open.
                version = await self._ledger.stream_version(tenant, inference_id)
                if not await still_open(self._ledger, tenant, inference_id):
                    # Closed by somebody else, or never durable: there is nothing left to say.
                    log.warning("inference.already_closed", inference_id=inference_id)
                    return

    @asynccontextmanager
    async def _closed_at_last(self, opened: _Open) -> AsyncIterator[None]:
        """Whatever goes wrong inside, the open intent gets its closing entry: at once, or when the store is back.

        The condition on the stream's version makes that safe: where the intent never became durable, or a verdict
        did after all, nothing is appended.
        """
        try:
            yield
        except (AttendingError, DuplicateClaim, ClaimConflict):
            raise
        except Exception as err:
            reason = "EVIDENCE_NOT_DURABLE" if isinstance(err, LedgerError) else "SERVER_FAULT"
            log.error(
                "inference.cut_short",
                inference_id=opened.inference_id,
                reason=reason,
                error_type=type(err).__name__,
            )
            self._keep(self._abandon(opened, reason))
            raise

    async def _abandon(self, opened: _Open, reason: str) -> None:
        """Tries until it is said or the server ends; what is then still open is abandoned by recovery."""
        attempt = 0
        while True:
            try:
                await self._close(opened, "inference.abandoned", reason)
                return
            except (StoreUnavailable, QueueFull):
                if self._ending.is_set():
                    return
            except LedgerError as err:
                # Halted or frozen: waiting does not help.
                log.error("inference.left_open", inference_id=opened.inference_id, reason=err.reason)
                return
            delay = ABANDON_RETRY_SECONDS[min(attempt, len(ABANDON_RETRY_SECONDS) - 1)]
            attempt += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), delay)

    # -- helpers

    async def _require_open(self, tenant: str, policy: Policy) -> None:
        """Early, so that no check runs for nothing; the append of the intent is conditional on the same."""
        await self._switch.require_running(tenant, policy.name)
        await self._switch.require_versions(tenant, policy.name, _hex(policy.hash))

    async def _policy(self, generation: Generation, tenant: str, context: RequestContext) -> Policy:
        """The active policy of a call, which must carry the tags that it asks for."""
        policy = generation.policies.get(context.policy)
        if policy is None:
            await self._switch.require_no_version(tenant, context.policy)
            raise InvalidRequest([("context.policy", "is not an active policy of this server")])
        missing = sorted(set(policy.cost.required_tags) - {name for name, _value in context.tags})
        if missing:
            raise InvalidRequest([("context.tags", f"needs `{name}` under this policy") for name in missing])
        return policy

    def _entry(
        self, opened: _Open, type_: str, body: Mapping[str, Any], *payloads: SealedPayload
    ) -> PendingEntry:
        return PendingEntry(
            type=type_,
            stream=opened.inference_id,
            actor=f"system:{self._owner}",
            subject=opened.subject,
            body=dict(body),
            payloads=payloads,
            occurred_at=self._now(),
        )

    async def _seal(self, opened: _Open, kind: str, content: bytes) -> SealedPayload:
        return await self._ledger.seal(opened.caller.tenant, Payload(kind, content), opened.subject)

    async def _append(
        self,
        opened: _Open,
        pending: Sequence[PendingEntry],
        *,
        expect: int,
        claim: Claim | None = None,
        retry: bool = False,
    ) -> Appended:
        """One atomic append of entries with the rows that follow from them.

        With `retry` a store that is briefly unavailable is tried again: the condition on the stream's version makes
        that safe, since a commit of unknown outcome then shows as a failed expectation.
        """
        tenant, inference_id = opened.caller.tenant, opened.inference_id
        delays = list(CLOSING_RETRY_SECONDS) if retry else []
        while True:
            try:
                done = await self._switch.append(
                    tenant,
                    opened.policy.name,
                    pending,
                    expect=[Expectation(inference_id, expect)],
                    claim=claim,
                    rows=rows_of_append(pending),
                )
                self._changes.announce(tenant, inference_id)
                return done
            except (StoreUnavailable, QueueFull) as err:
                if not delays:
                    raise
                log.warning("append.retry", inference_id=inference_id, reason=err.reason)
                await asyncio.sleep(delays.pop(0))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def compose(prompt: str | None, documents: Sequence[str] | None) -> str:
    """The text that a model is given: the documents in order, each with its number, then the prompt."""
    if prompt is None:
        return ""
    if not documents:
        return prompt
    numbered = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(documents, 1))
    return f"Documents:\n\n{numbered}\n\n{prompt}"


def effective_audience(policy: Policy, recipient: str) -> Audience:
    """Who is taken to read the text: a patient if either the policy or the caller says so."""
    return "patient" if "patient" in (policy.audience, recipient) else "clinician"


def _failure(reason: str, inference_id: str) -> AttendingError:
    metadata = {"inference_id": inference_id}
    if reason in UNAVAILABLE_REASONS:
        return Unavailable(reason, metadata=metadata)
    return FailedPrecondition(reason, metadata=metadata)


def _hex(content_hash: str) -> str:
    """Entries and signature statements name a content hash by its hex digits alone."""
    return content_hash.removeprefix("sha256:")


def _content_hash(document: Document) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(document.text.encode("utf-8")).hexdigest()


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
