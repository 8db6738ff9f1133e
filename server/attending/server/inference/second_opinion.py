"""The second opinion of a policy, asked of a configured provider: never the one that wrote the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attending.guardrails.finding import Finding
from attending.guardrails.opinion import JudgeError, Light, Opinion, opinion_findings, second_opinion
from attending.guardrails.policy.schema import SecondOpinion
from attending.server.inference.reply import acceptable
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest

ANSWER_TOKENS = 400


@dataclass(frozen=True, slots=True)
class Asked:
    """The findings of an opinion, and the call that it took, as the entry of the text says it; None without one."""

    findings: tuple[Finding, ...] = ()
    call: Mapping[str, Any] | None = None


class ProviderJudge:
    """A provider behind the port `Judge`; refuses to be the model that wrote the text."""

    def __init__(
        self, configured: ConfiguredProvider, model: str, *, written_by: str, timeout_seconds: float
    ) -> None:
        self.name = configured.provider.name
        self._provider = configured.provider
        self._model = model
        self._written_by = written_by
        self._timeout_seconds = timeout_seconds
        self.call: Mapping[str, Any] | None = None
        """What was asked, once something was sent: a provider counts a call that gave no opinion, too."""

    async def ask(self, question: str) -> str:
        request = ProviderRequest(self._model, question, ANSWER_TOKENS, 0, self._timeout_seconds)
        self.call = self._said(None)
        try:
            reply = acceptable(await self._provider.complete(request), self._model)
        except ProviderError as err:
            raise JudgeError(err.reason) from None
        self.call = self._said(reply)
        if reply.model == self._written_by:
            raise JudgeError("SAME_MODEL")
        return reply.text

    def _said(self, reply: ProviderReply | None) -> dict[str, Any]:
        return {
            "provider": self.name,
            "model": self._model if reply is None else reply.model,
            "provider_ids": [] if reply is None else list(reply.ids),
            "usage": {
                "input_tokens": None if reply is None else reply.input_tokens,
                "output_tokens": None if reply is None else reply.output_tokens,
            },
        }


async def opinion_on(
    asked: SecondOpinion,
    providers: Mapping[str, ConfiguredProvider],
    *,
    output: str,
    documents: Sequence[str],
    final: str,
    provider: str,
    model: str,
    identified: bool,
    allowed: frozenset[str],
    moment: datetime,
) -> Asked:
    """The findings of the opinion that a policy asks for; raises nothing.

    `output` and `documents` are what the judge is sent, `identified` whether they hold personal data; `final` is the
    text that is judged. `provider` and `model` wrote it. `allowed` and `moment` are those of `Terms.refusal`.
    """
    configured = providers.get(asked.provider)
    seconds = asked.timeout_ms / 1000
    if configured is None:
        refused: str | None = "NOT_CONFIGURED"
    elif asked.provider == provider:
        refused = "SAME_MODEL"
    else:
        refused = configured.terms.refusal(identified=identified, allowed=allowed, moment=moment)
    call: Mapping[str, Any] | None = None
    if configured is None or refused is not None:
        opinion = Opinion(Light.NONE, asked.provider, reason=refused or "NOT_CONFIGURED")
    else:
        judge = ProviderJudge(configured, asked.model, written_by=model, timeout_seconds=seconds)
        opinion = await second_opinion(judge, output, documents, timeout_seconds=seconds)
        call = judge.call
    return Asked(opinion_findings(opinion, final, required=asked.required), call)
