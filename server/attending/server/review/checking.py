"""Judging a text that a reviewer writes: by all rails, and against what was decided on in the text as held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attending.guardrails.finding import Finding
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged, PatientContext
from attending.guardrails.policy.decide import Verdict, decide
from attending.guardrails.policy.schema import Audience, Policy
from attending.server.errors import FailedPrecondition
from attending.server.inference.disposition import effective_audience
from attending.server.inference.entries import Result
from attending.server.inference.failed_rails import tell_failed
from attending.server.phi.access import Permit
from attending.server.review import machine
from attending.server.review.case import Case
from attending.server.review.facts import united
from attending.server.review.item import unresolved
from attending.server.review.opinion import Opinions
from attending.server.wire.request import MAX_TEXT_CODE_POINTS
from attending.server.wire.violations import Violations, normalise


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rails say of an edited text. `blocking` are positions in its findings that bar a signature."""

    case: Case
    text: str
    result: Result
    blocking: tuple[int, ...]


class Checking(Opinions):
    """The re-check, while a text is written and before it is signed."""

    async def check(self, permit: Permit, ticket_id: str, lease_id: str, text: str) -> Checked:
        """What a signature of `text` would meet, for somebody who writes it; changes nothing.

        The case is on record as looked at once a lease: findings may name facts of the patient. Refused as `prepare` is
        where the lease is another's, or no version of the policy is served any more.
        """
        text = normalise(text)
        v = Violations()
        v.text(text, "edited_text", MAX_TEXT_CODE_POINTS)
        v.raise_if_any()
        case = await self._case(permit.principal.tenant, ticket_id)
        machine.require_lease(case.item, permit.principal, lease_id, self._now())
        await self._require_opinion(permit.principal, case.item)
        if lease_id not in self._looked:
            await self._phi.record(
                permit, "access.viewed", "check", subject=case.row["subject"], about=case.about
            )
            self._looked.add(lease_id)
        if text == case.output:
            return Checked(case, text, case.result, ())
        result, blocking, _checked_by = await self._judge(case, text)
        return Checked(case, text, result, blocking)

    async def _judge(self, case: Case, text: str) -> tuple[Result, tuple[int, ...], str]:
        """What the rails in force say of `text` in this case, which of its findings nobody has decided on, and the hash
        of the policy whose rails they are. FailedPrecondition (POLICY_NOT_SERVED) when there are none.
        """
        policy, audience = self._served(case)
        runs = [await self._run(case, text, context, audience) for context in case.contexts]
        found = united([run.findings for run in runs])
        actions = [decide(policy, [finding], audience=audience).verdict for finding in found]
        result = result_of(decide(policy, found, audience=audience), found, runs)
        return result, unresolved(case.item, case.result.findings, found, actions), runs[0].policy_hash

    def _served(self, case: Case) -> tuple[Policy, Audience]:
        """The policy as it is served now and for whom it judges the text; FailedPrecondition (POLICY_NOT_SERVED)."""
        policy = self._policies.get(case.item.policy)
        if policy is None:
            raise FailedPrecondition("POLICY_NOT_SERVED")
        return policy, effective_audience(policy, case.row["recipient"])

    async def _run(
        self, case: Case, text: str, context: PatientContext, audience: Audience
    ) -> OutputDecision:
        """The output rails over `text` for this patient; a failed rail is told to the operator."""
        decision = await self._guard.check_output(
            case.item.policy, Judged(text, case.prompt, context, case.documents), audience=audience
        )
        tell_failed(decision.rail_runs, policy=case.item.policy, inference_id=case.item.inference_id)
        return decision


def result_of(verdict: Verdict, found: tuple[Finding, ...], runs: Sequence[OutputDecision]) -> Result:
    """What several runs of the rails over one text come to; it is covered as far as the least of them."""
    return Result(
        verdict.verdict,
        verdict.mandatory_review,
        verdict.disposition,
        found,
        min((run.coverage for run in runs), key=lambda coverage: coverage.judged),
        runs[0].citations,
        tuple(rail for run in runs for rail in run.rail_runs),
    )
