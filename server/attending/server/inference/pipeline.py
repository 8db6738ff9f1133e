"""The path of one inference: claim, input rails, durable intent, model, output rails, verdict, release.

Nothing is sent to a model before `inference.requested` is durable (`intent`), and no byte is returned before the
verdict's entry is (`judgement`). The work runs in a task of the server, not of the call (`exactly_once`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from attending.guardrails.policy.schema import Policy
from attending.ledger.ledger import Ledger
from attending.server import clock as clocks
from attending.server.activation.serving import Generation, Serving
from attending.server.content_hash import digits
from attending.server.cost.price import price
from attending.server.errors import InvalidRequest
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once
from attending.server.inference import entries
from attending.server.inference.background import Background
from attending.server.inference.call import Caller, OpenCall, Progress, StageClock, failure
from attending.server.inference.delivery import record_delivery
from attending.server.inference.exactly_once import DEFAULT_MAX_OPEN, ExactlyOnce
from attending.server.inference.intent import Asked, Intents
from attending.server.inference.judgement import Judgement
from attending.server.inference.models import Models
from attending.server.inference.outcome import Outcome, read_outcome
from attending.server.inference.owners import Owners
from attending.server.inference.prompt import prompt_of
from attending.server.inference.suppression import Suppression
from attending.server.inference.trail import Trail
from attending.server.inference.watch import Changes
from attending.server.prompts.registry import PromptRegistry
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderError, ProviderReply
from attending.server.wire.request import InferCall, RecordCall, RequestContext


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
        self._ledger = ledger
        self._serving = serving
        self._prompts = prompts
        self._switch = switch
        self._background = Background()
        self._trail = Trail(ledger, switch, changes, self._background, owners.owner, now)
        self._models = Models(providers, residency or {}, self._trail, self._background, now)
        self._intents = Intents(ledger, owners, self._trail, now)
        self._judgement = Judgement(self._models, self._trail, Suppression(ledger))
        self._calls = ExactlyOnce(ledger, owners.owner, self._background, max_open=max_open)
        self.last_stages: dict[str, float] = {}

    async def infer(
        self, caller: Caller, call: InferCall, once: Once, progress: Progress | None = None
    ) -> Outcome:
        """Calls the model and returns the outcome of the checks; see the module's invariants.

        Raises AttendingError: InvalidRequest, NotFound (policy, provider, prompt), AlreadyExists (same key, other
        body), Unavailable (provider or input checks), and ledger errors when evidence could not be made durable.
        """

        async def run() -> Outcome:
            with self._serving.in_use() as generation:
                return await self._infer(generation, caller, call, once, progress or _untold)

        return await self._calls.run(caller.tenant, once, run)

    async def record(self, caller: Caller, call: RecordCall, once: Once) -> Outcome:
        """Checks and records an output that the caller obtained itself; same gate, no provider call."""

        async def run() -> Outcome:
            with self._serving.in_use() as generation:
                return await self._record(generation, caller, call, once)

        return await self._calls.run(caller.tenant, once, run)

    async def get(self, tenant: str, inference_id: str) -> Outcome:
        return await read_outcome(self._ledger, tenant, inference_id)

    async def acknowledge(
        self, caller: Caller, inference_id: str, recipient: str, channel: str, once: Once
    ) -> int:
        """As `record_delivery`."""
        return await record_delivery(self._ledger, caller, inference_id, recipient, channel, once)

    def running(self, tenant: str) -> int:
        """Calls of the tenant that are being carried through in this process now."""
        return self._calls.running(tenant)

    async def drain(self) -> None:
        """Waits for running inferences; called when the server stops."""
        self._background.ending.set()
        while waiting := [*self._calls.tasks(), *self._background.tasks()]:
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _infer(
        self, generation: Generation, caller: Caller, call: InferCall, once: Once, progress: Progress
    ) -> Outcome:
        clock = StageClock()
        # After the look for an earlier answer: a key that is done is answered whatever is configured since.
        policy = await self._policy(generation, caller.tenant, call.context)
        configured = self._models.configured(call.provider)
        await self._require_open(caller.tenant, policy)
        prompt, prompt_version = await prompt_of(self._prompts, caller.tenant, call)
        progress("requesting")
        identity = call.context.patient.identity
        checked = await generation.guard.check_input(
            policy.name, prompt, call.context.documents, identity, patient=call.context.patient
        )
        clock.mark("input_rails")
        asked = Asked(
            "infer",
            prompt,
            call.provider,
            call.model,
            prompt_version,
            parameters={
                "max_output_tokens": call.max_output_tokens,
                "temperature_milli": call.temperature_milli,
            },
            egress=self._models.terms(configured, policy)
            | {"sent": entries.sent_body(checked, call.prompt_ref)},
        )
        opened = await self._intents.open(
            caller, call.context, policy, generation.guard, checked, asked, once, progress
        )
        clock.mark("requested_durable")
        if isinstance(opened, Outcome):
            return opened
        progress("generating")
        async with self._trail.closed_at_last(opened):
            reply = await self._complete(opened, configured, call)
            clock.mark("provider")
            progress("checking")
            paid = price(configured.price_provider, reply.model, reply.input_tokens, reply.output_tokens)
            await self._judgement.judge(opened, prompt, reply, paid, clock, progress)
            outcome = await self.get(caller.tenant, opened.inference_id)
        self.last_stages = clock.stages
        return outcome

    async def _complete(
        self, opened: OpenCall, configured: ConfiguredProvider, call: InferCall
    ) -> ProviderReply:
        # As late as can be: an agreement may have run out while the checks ran.
        reason = self._models.refused(opened, configured)
        if reason is None:
            try:
                return await self._models.complete(opened, configured, call)
            except ProviderError as err:
                reason = err.reason
        await self._trail.fail(opened, reason)
        raise failure(reason, opened.inference_id)

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
        asked = Asked("record", call.prompt, call.provider, call.model, occurred_at=call.occurred_at)
        opened = await self._intents.open(
            caller, call.context, policy, generation.guard, checked, asked, once, _untold
        )
        clock.mark("requested_durable")
        if isinstance(opened, Outcome):
            return opened
        reply = ProviderReply(call.output, call.model, call.input_tokens, call.output_tokens)
        paid = price(call.provider, call.model, call.input_tokens, call.output_tokens)
        # The caller's text never held our placeholders, so there is nothing to restore in it.
        untouched = replace(opened, input=replace(opened.input, placeholders={}))
        async with self._trail.closed_at_last(opened):
            await self._judgement.judge(untouched, call.prompt, reply, paid, clock, _untold, recorded=True)
            outcome = await self.get(caller.tenant, opened.inference_id)
        self.last_stages = clock.stages
        return outcome

    async def _require_open(self, tenant: str, policy: Policy) -> None:
        """Early, so that no check runs for nothing; the append of the intent is conditional on the same."""
        await self._switch.require_running(tenant, policy.name)
        await self._switch.require_versions(tenant, policy.name, digits(policy.hash))

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


def _untold(_stage: str) -> None:
    """Where nobody follows the progress of a call."""
