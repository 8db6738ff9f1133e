"""The port to the checks, as the gate and the desk need them; `attending.guardrails.pool.GuardPool` keeps it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Protocol

from attending.guardrails.finding import Basis, Code, Coverage, Finding, Scope, Severity
from attending.guardrails.guard import InputDecision, OutputDecision, RailRun, rail_failure
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.schema import Audience, Policy


class Checker(Protocol):
    """Safe for many tasks at once. A rail that fails is a finding that holds, never an exception.

    Raises GuardOverloaded when its queue is full, before anything was judged; nothing is retried by it.
    """

    async def check_input(
        self,
        policy_name: str,
        prompt: str,
        documents: Sequence[Document] = (),
        identity: Identity | None = None,
        *,
        patient: PatientContext | None = None,
    ) -> InputDecision: ...

    async def check_output(
        self,
        policy_name: str,
        judged: Judged,
        *,
        placeholders: Mapping[str, str] | None = None,
        audience: Audience | None = None,
    ) -> OutputDecision: ...


def truncated(length: int) -> Finding:
    """The finding of a text that the model's limit cut short: what is missing nobody has judged."""
    return Finding(
        rail="gate",
        code=Code.OMISSION,
        rule_id="gate:truncated",
        severity=Severity.MAJOR,
        scope=Scope.MENTION,
        start=length,
        end=length,
        text="",
        basis=Basis.RULE,
        source="finish_reason of the provider",
        message="the text ends at the model's output limit, so its end is missing",
    )


def unjudged(policy: Policy, text: str, audience: Audience, knowledge_hash: str) -> OutputDecision:
    """The decision over a text that no check could look at: it holds, and says why."""
    findings = (rail_failure("guard", "missing"),)
    verdict = decide(policy, findings, audience=audience)
    return OutputDecision(
        verdict=verdict.verdict,
        mandatory_review=verdict.mandatory_review,
        disposition=verdict.disposition,
        findings=findings,
        coverage=Coverage(),
        rail_runs=(RailRun("guard", "missing"),),
        deciding_rules=verdict.deciding,
        required_roles=verdict.required_roles,
        to_dispose=verdict.to_dispose,
        not_enforced=verdict.not_enforced,
        output_final=unicodedata.normalize("NFC", text),
        knowledge_hash=knowledge_hash,
        policy_hash=policy.hash,
        elapsed_ms=0.0,
    )
