"""The second half of a call: output rails over the text, the verdict, and both on record in one atomic append.

No byte is returned before the verdict's entry is durable.
"""

from __future__ import annotations

import asyncio

import structlog
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged
from attending.guardrails.phi import restore
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.schema import Audience
from attending.ledger.errors import ExpectationFailed
from attending.server.content_hash import digits
from attending.server.cost.price import Price
from attending.server.errors import FailedPrecondition
from attending.server.inference import entries
from attending.server.inference.call import OpenCall, Progress, StageClock, failure
from attending.server.inference.checker import truncated, unjudged
from attending.server.inference.disposition import disposition, effective_audience
from attending.server.inference.entries import Result
from attending.server.inference.failed_rails import tell_failed
from attending.server.inference.models import Models
from attending.server.inference.states import State, require
from attending.server.inference.suppression import Known, Suppression
from attending.server.inference.trail import Trail
from attending.server.providers.port import ProviderReply
from attending.server.wire.violations import normalise

log = structlog.get_logger()

CHECK_RETRY_SECONDS = (0.1, 0.5, 2.0)


class Judgement:
    """Shared by all calls of one server process."""

    def __init__(self, models: Models, trail: Trail, suppression: Suppression) -> None:
        self._models = models
        self._trail = trail
        self._suppression = suppression

    async def judge(
        self,
        opened: OpenCall,
        prompt: str,
        reply: ProviderReply,
        paid: Price,
        clock: StageClock,
        progress: Progress,
        *,
        recorded: bool = False,
    ) -> None:
        """Runs the output rails and appends `inference.generated` with its verdict in one atomic append.

        `recorded` where the caller brings the text, which then holds what identifies the patient. Raises
        FailedPrecondition where people halted the policy meanwhile, and ledger errors.
        """
        trail, context = self._trail, opened.context
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
        asked = await self._models.second_opinion(opened, reply, decision.output_final, recorded=recorded)
        findings = (*decision.findings, *cut, *asked.findings, *opened.input.findings)
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
        raw = await trail.seal(opened, "output_raw", reply.text.encode("utf-8", "surrogatepass"))
        final = await trail.seal(opened, "output_final", text.encode("utf-8"))
        sealed = await trail.seal(opened, "result", result.to_bytes())
        generated = trail.entry(
            opened,
            "inference.generated",
            {
                "provider": opened.provider,
                "model": reply.model,
                "fingerprint": reply.fingerprint,
                "provider_ids": list(reply.ids),
                "finish_reason": reply.finish_reason,
                "characters": len(text),
                "usage": entries.usage_body(reply.input_tokens, reply.output_tokens, paid),
                **({} if asked.call is None else {"second_opinion": asked.call}),
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
                "knowledge_hash": digits(decision.knowledge_hash),
                "policy_hash": digits(decision.policy_hash),
                "text_record": final.record,
                "result_record": sealed.record,
            },
            raw,
            final,
            sealed,
        )
        known = await self._suppression.known(
            opened,
            findings,
            verdict,
            decision.grounds,
            audience=audience,
            knowledge_hash=decision.knowledge_hash,
            now=trail.now(),
        )

        async def close(known: Known) -> None:
            now = trail.now()
            closing = trail.entry(opened, *disposition(opened, verdict, findings, final, now, known))
            require(State.RECEIVED, closing.type)
            # A crash before this commit leaves the open intent and no release; after it, the verdict stands.
            await trail.append(
                opened, [generated, closing], expect=opened.version, also=known.expect, retry=True
            )

        try:
            try:
                await close(known)
            except ExpectationFailed:
                if not known.expect or await trail.names(opened, final):
                    raise
                # What was decided before may stand no more: everything is asked about.
                await close(known.all_asked())
        except ExpectationFailed:
            # Either an append of unknown outcome had succeeded after all, or somebody closed this call first
            # (recovery): then the text exists, so it goes on record, unreleased.
            if not await trail.names(opened, final):
                await trail.append_late(opened, reply)
        except FailedPrecondition as halted:
            # Halted since it began. Here, too, the release may have been committed just before.
            if not await trail.names(opened, final):
                await trail.append_late(opened, reply)
                await trail.fail(opened, halted.reason)
                raise failure(halted.reason, opened.inference_id) from None
        clock.mark("verdict_durable")

    async def _check(self, opened: OpenCall, judged: Judged, audience: Audience) -> OutputDecision:
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
