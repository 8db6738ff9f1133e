"""Adding what was missing: a reviewer gives facts of the patient, and the held text is judged again with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import structlog
from attending.guardrails.finding import Finding
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import PatientContext
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.schema import Audience, Policy
from attending.guardrails.policy.skills import wanted
from attending.ledger.entry import Payload
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.content_hash import digits
from attending.server.errors import FailedPrecondition, InvalidRequest
from attending.server.idempotency import Once
from attending.server.inference.checker import unjudged
from attending.server.inference.entries import findings_body
from attending.server.review import machine
from attending.server.review.case import Case
from attending.server.review.checking import Checking, result_of
from attending.server.review.facts import (
    MAX_ADDITIONS,
    Added,
    facts_payload,
    kept,
    names_of,
    not_facts,
    together,
    united,
)
from attending.server.review.item import Item

log = structlog.get_logger()
_WHOLE_GUARD = "guard"
"""The rail that stands for all of them where no check process took the text."""


class MissingFacts(Checking):
    """Facts, and what they change; never a release by itself."""

    async def add_facts(
        self, principal: Principal, ticket_id: str, lease_id: str, facts: PatientContext, once: Once
    ) -> tuple[Item, int, int]:
        """Judges the text as generated again, with all facts added so far, and appends `review.facts_added`.

        The findings are then those of this run; a rail that fails is one, and what it had found before stays. What was
        decided on a finding that is the same to the letter stays decided, and signatures so far count no more.

        InvalidRequest: no fact, or one that is none (`facts.not_facts`). FailedPrecondition: as `require_lease`;
        READ_BLIND, POLICY_NOT_SERVED, TOO_MANY_FACTS. Aborted (ITEM_CHANGED) when anything happened meanwhile.
        """
        if (index := await self._done(principal, once)) is not None:
            return await self._answer(principal, ticket_id, index)
        violations = [(f"facts.{name}", "is not a fact to add") for name in not_facts(facts)]
        if not names_of(facts):
            violations.append(("facts", "must give at least one fact"))
        if violations:
            raise InvalidRequest(violations)
        now = self._now()
        before = await self._case(principal.tenant, ticket_id)
        machine.add_facts(before.item, principal, lease_id, now)
        await self._require_opinion(principal, before.item)
        if len(before.facts) >= MAX_ADDITIONS:
            raise FailedPrecondition("TOO_MANY_FACTS")
        policy, audience = self._served(before)
        case = replace(before, facts=(*before.facts, Added(principal.name, stamp(now), facts)))
        runs = [await self._run_or_hold(case, policy, context, audience) for context in case.contexts]
        found = united([*(run.findings for run in runs), _outlive(case.result.findings, runs)])
        verdict = decide(policy, found, audience=audience)
        result = result_of(verdict, found, runs)
        stays = kept(case.result.findings, found)
        subject = case.row["subject"]
        sealed_facts = await self._ledger.seal(principal.tenant, facts_payload(case.facts), subject)
        sealed_result = await self._ledger.seal(
            principal.tenant, Payload("result", result.to_bytes()), subject
        )
        names = names_of(facts)
        body = {
            # Names of fields; what they say lies in the vault.
            "facts": list(names),
            "contradicted": list(case.contradicted),
            "replaced": [name for name in names if getattr(together(before.facts), name) is not None],
            "facts_record": sealed_facts.record,
            "result_record": sealed_result.record,
            "findings": findings_body(found),
            "kept": [{"was": was, "is": position} for was, position in sorted(stays.items())],
            "appeared": _codes(one for n, one in enumerate(found) if n not in stays.values()),
            "gone": _codes(one for n, one in enumerate(case.result.findings) if n not in stays),
            "to_dispose": list(verdict.to_dispose),
            "disposition": verdict.disposition,
            "policy_hash": digits(runs[0].policy_hash),
            "knowledge_hash": digits(runs[0].knowledge_hash),
        }
        terms = before.item.terms
        more = terms.with_wanted(
            wanted(policy.sign_offs.skills, [found[n] for n in verdict.to_dispose], terms.roles)
        )
        if more != terms:
            # What the findings wanted before is wanted still.
            body["sign_off"] = {
                "roles": list(more.roles),
                "count": more.count,
                "wanted": [list(group) for group in more.wanted],
            }
        entry = self._entry(principal, "review.facts_added", case.item, body, sealed_facts, sealed_result)
        return await self._step(principal, case.item, case.version, [entry], once)

    async def _run_or_hold(
        self, case: Case, policy: Policy, context: PatientContext, audience: Audience
    ) -> OutputDecision:
        """As `_run` over the text as generated; where no check process takes it, a run that failed."""
        try:
            return await self._run(case, case.output, context, audience)
        except Exception as err:
            log.warning(
                "review_checks.unavailable",
                inference_id=case.item.inference_id,
                error_type=type(err).__name__,
            )
            return unjudged(policy, case.output, audience, "")


def _outlive(before: tuple[Finding, ...], runs: list[OutputDecision]) -> tuple[Finding, ...]:
    """Findings that no run has judged anew: of rails that failed now, and of what is no output rail (those of the
    prompt, the second opinion, a text cut short).
    """
    judged = set.intersection(*({rail.name for rail in run.rail_runs if not rail.failed} for run in runs))
    if judged and not any(rail.failed for run in runs for rail in run.rail_runs):
        judged.add(_WHOLE_GUARD)
    return tuple(finding for finding in before if finding.rail not in judged)


def _codes(findings: Iterable[Finding]) -> list[str]:
    return sorted(finding.code.value for finding in findings)
