"""The verdict: a pure function of policy, findings and audience, with the rules that decided it as data.

`verdict` follows from the findings alone. `mandatory_review` says whether the policy holds the text anyway, and
`disposition` is what happens: block before hold before release, after the policy's mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.policy.schema import (
    ALWAYS_BLOCKED,
    DECISION_RANK,
    Audience,
    Decision,
    Policy,
    VerdictRow,
)

RECOMMENDATION_ROLES: Final = ("clinician",)
"""Who signs a text with a recommendation, whatever other roles a policy lets sign."""

_HARM: Final = frozenset({Severity.CONTRAINDICATED, Severity.MAJOR})


@dataclass(frozen=True, slots=True)
class DecidingRule:
    """Why the verdict is what it is. `finding` is the position in the judged findings, None for the whole text."""

    rule: str
    """`default.<reason>`, `policy.verdicts[<n>]`, `policy.mandatory_review` or `mode.<mode>`."""
    decision: Decision
    finding: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one decision.

    `required_roles` holds the roles of which one must sign, empty where nobody need. `to_dispose` are positions of
    findings that a reviewer must dispose of. `not_enforced` is true where the mode releases what the findings would
    hold or block.
    """

    verdict: Decision
    mandatory_review: bool
    disposition: Decision
    deciding: tuple[DecidingRule, ...]
    required_roles: tuple[str, ...]
    to_dispose: tuple[int, ...]
    not_enforced: bool


def decide(policy: Policy, findings: Sequence[Finding], *, audience: Audience | None = None) -> Verdict:
    """The verdict of `policy` over `findings` for `audience` (the policy's own when None); total, never raises."""
    reader: Audience = audience or policy.audience
    judged = [judge_one(policy, finding, reader) for finding in findings]
    verdict = _worst([decision for decision, _rule in judged])
    recommends = any(finding.code is Code.CLINICAL_RECOMMENDATION for finding in findings)
    mandatory = policy.mandatory_review == "always" or recommends
    deciding = [
        DecidingRule(rule, decision, position)
        for position, (decision, rule) in enumerate(judged)
        if decision == verdict and decision != "release"
    ]
    disposition = _worst([verdict, "hold" if mandatory else "release"])
    if mandatory:
        rule = "default.clinical_recommendation" if recommends else "policy.mandatory_review"
        deciding.append(DecidingRule(rule, "hold"))
    enforced, disposition = disposition, _after_mode(policy, reader, findings, disposition)
    if disposition != enforced:
        deciding.append(DecidingRule(f"mode.{policy.mode}", disposition))
    held = disposition == "hold"
    roles: tuple[str, ...] = ()
    if held:
        # What a failed rail left unread may recommend.
        unread = any(finding.code is Code.RAIL_FAILURE for finding in findings)
        roles = RECOMMENDATION_ROLES if recommends or unread else tuple(policy.sign_offs.roles)
    threshold = policy.sign_offs.dispose_at_or_above.rank
    return Verdict(
        verdict=verdict,
        mandatory_review=mandatory,
        disposition=disposition,
        deciding=tuple(deciding),
        required_roles=roles,
        to_dispose=tuple(
            position
            for position, (finding, (decision, _rule)) in enumerate(zip(findings, judged, strict=True))
            if finding.severity is not Severity.INFO
            and (finding.severity.rank >= threshold or decision != "release")
        )
        if disposition != "release"
        else (),
        not_enforced=disposition == "release" and (verdict != "release" or mandatory),
    )


def default_decision(finding: Finding, audience: Audience) -> tuple[Decision, str]:
    """The verdict table for what no row of the policy speaks of: decision and the name of the rule."""
    severity, code = finding.severity, finding.code
    if severity is Severity.INFO:
        return "release", "default.info"
    if code is Code.RAIL_FAILURE:
        return "hold", "default.rail_failure"
    if code is Code.NOT_COVERED:
        return "hold", "default.not_covered"
    if code in ALWAYS_BLOCKED and severity in _HARM:
        return _alone(finding, "block", f"default.{code.value}")
    if severity is Severity.CONTRAINDICATED and audience == "patient" and _would_act(finding.scope):
        return _alone(finding, "block", "default.contraindicated.patient")
    if code is Code.UNKNOWN_DRUG:
        # Also where the name was read as the one drug that it can be: a person says whether it is.
        return "hold", "default.unknown_drug"
    if severity.rank >= Severity.MODERATE.rank:
        return "hold", f"default.{severity.value}"
    return "release", "default.minor"


def floor(code: Code, severity: Severity, audience: Audience, basis: Basis, scope: Scope) -> Decision:
    """The mildest decision that a policy may give such a finding.

    Never-events and wrong-patient findings from major on block; a contraindication is at least held, and blocked
    for a patient; a failed rail is held. From minor to major a policy's owner may decide, and says why.
    """
    probe = Finding("floor", code, "floor", severity, scope, 0, 0, "", basis, "floor", "")
    decision, _rule = default_decision(probe, audience)
    if code in ALWAYS_BLOCKED or severity is Severity.CONTRAINDICATED:
        return decision
    return "release"


def below_floor(row: VerdictRow, position: int, audience: Audience) -> str | None:
    """Why row `position` of a policy for `audience` is milder than the floor for something it matches; None when it is
    not. A row for one reader is held to that reader's floor."""
    for reader in row.audience or (audience,):
        for code in row.code:
            for severity in row.severity or tuple(Severity):
                for scope in row.scope or tuple(Scope):
                    for basis in row.basis or tuple(Basis):
                        lowest = floor(code, severity, reader, basis, scope)
                        if DECISION_RANK[row.decision] < DECISION_RANK[lowest]:
                            return (
                                f"`verdicts[{position}]` gives {code.value} of severity {severity.value} "
                                f"`{row.decision}`, below `{lowest}`, which no policy may"
                            )
    return None


def judge_one(policy: Policy, finding: Finding, audience: Audience) -> tuple[Decision, str]:
    """What one finding decides by itself before one reader, and the rule that says so."""
    default, rule = default_decision(finding, audience)
    if finding.severity is Severity.INFO:
        return default, rule
    if finding.code is Code.RAIL_FAILURE and policy.rails.on_failure_of(finding.rail) == "block":
        return "block", "policy.rails.on_failure"
    if finding.code is Code.RAIL_FAILURE:
        return default, rule
    for position, row in enumerate(policy.verdicts):
        if row.matches(finding, audience):
            # A reader other than the policy's own may have a higher floor than the one checked at load.
            least = floor(finding.code, finding.severity, audience, finding.basis, finding.scope)
            decision: Decision = _worst([row.decision, least])
            return _alone(finding, decision, f"policy.verdicts[{position}]")
    return default, rule


def _alone(finding: Finding, decision: Decision, rule: str) -> tuple[Decision, str]:
    """A curated fact that nobody has attested may hold, never block."""
    if decision == "block" and finding.basis is Basis.CURATED:
        return "hold", f"{rule}.curated"
    return decision, rule


def _would_act(scope: Scope) -> bool:
    """Whether a reader of such a statement would give, keep or limit the drug, rather than read of the past."""
    return scope not in (Scope.HISTORY, Scope.FAMILY, Scope.HYPOTHETICAL, Scope.AVOID, Scope.STOP)


def _after_mode(
    policy: Policy,
    audience: Audience,
    findings: Sequence[Finding],
    disposition: Decision,
) -> Decision:
    """What the mode leaves of a disposition. A patient always gets `enforce`; a failed rail and a recommendation
    hold in every mode; `advise` still blocks."""
    if policy.mode == "enforce" or audience == "patient" or disposition == "release":
        return disposition
    if policy.mode == "advise" and disposition == "block":
        return "block"
    failed = any(finding.code is Code.RAIL_FAILURE for finding in findings)
    recommends = any(finding.code is Code.CLINICAL_RECOMMENDATION for finding in findings)
    return "hold" if failed or recommends else "release"


def _worst(decisions: Sequence[Decision]) -> Decision:
    return max(decisions, key=lambda decision: DECISION_RANK[decision], default="release")
