"""The models of this server: what each may be sent now, the call of one, and its late reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from attending.guardrails.policy.schema import Policy
from attending.ledger.errors import LedgerError
from attending.server.errors import InvalidRequest
from attending.server.inference.background import Background
from attending.server.inference.call import OpenCall
from attending.server.inference.prompt import compose
from attending.server.inference.reply import acceptable
from attending.server.inference.second_opinion import Asked, opinion_on
from attending.server.inference.trail import Trail
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest
from attending.server.wire.request import InferCall

log = structlog.get_logger()

DEFAULT_MAX_OUTPUT_TOKENS = 512
LATE_REPLY_GRACE_SECONDS = 60.0
LATE_REPLY_DRAIN_SECONDS = 2.0


class Models:
    """Shared by all calls of one server process."""

    def __init__(
        self,
        providers: Mapping[str, ConfiguredProvider],
        residency: Mapping[str, frozenset[str]],
        trail: Trail,
        background: Background,
        now: Callable[[], datetime],
    ) -> None:
        """`residency` are the places by tenant outside which nothing may be sent; any place for a tenant without."""
        self._providers = providers
        self._residency = dict(residency)
        self._trail = trail
        self._background = background
        self._now = now

    def configured(self, provider: str) -> ConfiguredProvider:
        found = self._providers.get(provider)
        if found is None:
            raise InvalidRequest([("model.provider", "is not configured on this server")])
        return found

    def terms(self, configured: ConfiguredProvider, policy: Policy) -> dict[str, Any]:
        return configured.terms.body(identified=policy.phi.identified)

    def refused(self, opened: OpenCall, configured: ConfiguredProvider) -> str | None:
        """Why the provider may not be sent this call's text now, as a reason code."""
        return configured.terms.refusal(
            identified=opened.policy.phi.identified,
            allowed=self._allowed(opened),
            moment=self._now(),
        )

    async def complete(
        self, opened: OpenCall, configured: ConfiguredProvider, call: InferCall
    ) -> ProviderReply:
        """The model's reply. Raises ProviderError; a reply after the time-out is put on record, unreleased."""
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
            self._background.keep(self._late(opened, task))
            raise ProviderError("PROVIDER_TIMEOUT")
        try:
            reply = task.result()
        except ProviderError:
            raise
        except Exception as err:
            log.error("provider.raised", inference_id=opened.inference_id, error_type=type(err).__name__)
            raise ProviderError("PROVIDER_BAD_REPLY") from None
        return acceptable(reply, call.model)

    async def _late(self, opened: OpenCall, task: asyncio.Task[ProviderReply]) -> None:
        """A reply after the time-out is recorded with its commitment and never released.

        A server that is told to stop does not wait long for it: the call is closed already.
        """
        stop = self._background.ending
        ending = asyncio.create_task(stop.wait())
        await asyncio.wait(
            {task, ending}, timeout=LATE_REPLY_GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        ending.cancel()
        if not task.done():
            await asyncio.wait({task}, timeout=LATE_REPLY_DRAIN_SECONDS if stop.is_set() else 0)
        if not task.done():
            task.cancel()
            return
        if task.cancelled() or task.exception() is not None:
            return
        try:
            reply = acceptable(task.result(), opened.model)
            await self._trail.append_late(opened, reply)
        except (ProviderError, LedgerError) as err:
            log.warning("inference.late_not_recorded", inference_id=opened.inference_id, reason=err.reason)

    async def second_opinion(
        self, opened: OpenCall, reply: ProviderReply, final: str, *, recorded: bool
    ) -> Asked:
        """What the policy asks another model, over text without identifiers where the policy replaces them.

        `recorded` where the caller brought the text, which then holds what identifies the patient.
        """
        asked = opened.policy.second_opinion
        if asked is None or not opened.context.documents:
            return Asked()
        return await opinion_on(
            asked,
            self._providers,
            output=reply.text,
            documents=opened.input.documents_deidentified,
            final=final,
            provider=opened.provider,
            model=reply.model,
            identified=recorded or opened.policy.phi.identified,
            allowed=self._allowed(opened),
            moment=self._now(),
        )

    def _allowed(self, opened: OpenCall) -> frozenset[str]:
        return self._residency.get(opened.caller.tenant, frozenset())
