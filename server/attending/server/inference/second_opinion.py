"""The second opinion of a policy, asked of a configured provider: never the one that wrote the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from attending.guardrails.finding import Finding
from attending.guardrails.opinion import JudgeError, Light, Opinion, opinion_findings, second_opinion
from attending.guardrails.policy.schema import SecondOpinion
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderError, ProviderRequest

ANSWER_TOKENS = 400


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

    async def ask(self, question: str) -> str:
        request = ProviderRequest(self._model, question, ANSWER_TOKENS, 0, self._timeout_seconds)
        try:
            reply = await self._provider.complete(request)
        except ProviderError as err:
            raise JudgeError(err.reason) from None
        if reply.model == self._written_by:
            raise JudgeError("SAME_MODEL")
        return reply.text


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
) -> tuple[Finding, ...]:
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
    if configured is None or refused is not None:
        opinion = Opinion(Light.NONE, asked.provider, reason=refused or "NOT_CONFIGURED")
    else:
        judge = ProviderJudge(configured, asked.model, written_by=model, timeout_seconds=seconds)
        opinion = await second_opinion(judge, output, documents, timeout_seconds=seconds)
    return opinion_findings(opinion, final, required=asked.required)
