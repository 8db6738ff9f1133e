"""Judging a text that a reviewer writes: by all rails, and against what was decided on in the text as held."""

from __future__ import annotations

from dataclasses import dataclass

from attending.guardrails.patient import Judged
from attending.guardrails.policy.decide import decide
from attending.server.errors import FailedPrecondition
from attending.server.inference.disposition import effective_audience
from attending.server.inference.entries import Result, load_request
from attending.server.inference.failed_rails import tell_failed
from attending.server.phi.access import Permit
from attending.server.review import machine
from attending.server.review.case import Case
from attending.server.review.item import unresolved
from attending.server.review.record import Record
from attending.server.wire.request import MAX_TEXT_CODE_POINTS
from attending.server.wire.violations import Violations, normalise


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rails say of an edited text. `blocking` are positions in its findings that bar a signature."""

    case: Case
    text: str
    result: Result
    blocking: tuple[int, ...]


class Checking(Record):
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
        policy = self._policies.get(case.item.policy)
        if policy is None:
            raise FailedPrecondition("POLICY_NOT_SERVED")
        request = load_request(
            await self._ledger.open_payload(case.row["log_id"], case.row["request_record"])
        )
        audience = effective_audience(policy, case.row["recipient"])
        decision = await self._guard.check_output(
            case.item.policy,
            Judged(text, request.prompt, request.context, request.documents),
            audience=audience,
        )
        tell_failed(decision.rail_runs, policy=policy.name, inference_id=case.item.inference_id)
        found = tuple(decision.findings)
        actions = [decide(policy, [finding], audience=audience).verdict for finding in found]
        result = Result(
            decision.verdict,
            decision.mandatory_review,
            decision.disposition,
            found,
            decision.coverage,
            decision.citations,
            decision.rail_runs,
        )
        blocking = unresolved(case.item, case.result.findings, found, actions)
        return result, blocking, decision.policy_hash
