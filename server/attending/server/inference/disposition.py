"""What becomes of a text once its verdict is there: released, held for whom until when, or blocked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attending.guardrails.finding import Finding
from attending.guardrails.policy.decide import Verdict
from attending.guardrails.policy.schema import Audience, Policy
from attending.guardrails.policy.skills import wanted
from attending.ledger.vault import SealedPayload
from attending.server.clock import stamp
from attending.server.inference import entries
from attending.server.inference.call import OpenCall, new_id
from attending.server.inference.suppression import NOTHING_KNOWN, Known


def effective_audience(policy: Policy, recipient: str) -> Audience:
    """Who is taken to read the text: a patient if either the policy or the caller says so."""
    return "patient" if "patient" in (policy.audience, recipient) else "clinician"


def disposition(
    opened: OpenCall,
    verdict: Verdict,
    findings: Sequence[Finding],
    text: SealedPayload,
    now: datetime,
    known: Known = NOTHING_KNOWN,
) -> tuple[str, dict[str, Any]]:
    """Type and body of the entry that follows `inference.generated`. Of a text that is held nobody is asked to dispose
    of what `known` says was decided before.
    """
    policy = opened.policy
    if verdict.disposition == "release":
        return "inference.released", {
            "basis": "policy",
            "text_record": text.record,
            "text_commitment": text.commitment.commitment,
            "not_enforced": verdict.not_enforced,
        }
    body: dict[str, Any] = {
        "ticket": new_id("tkt"),
        "policy": policy.name,
        "to_dispose": [ordinal for ordinal in verdict.to_dispose if ordinal not in known.suppressed],
        "due_at": stamp(now + timedelta(minutes=policy.sla_minutes)),
        "expires_at": stamp(now + timedelta(minutes=policy.expiry_minutes)),
        "urgency": policy.urgency,
        "findings": entries.findings_body(findings),
    }
    if verdict.disposition == "block":
        body |= {"stage": "output", "sign_off": {"roles": ["safety_officer"], "count": 0}}
        return "inference.blocked", body
    body |= known.body()
    body["sign_off"] = {
        "roles": list(verdict.required_roles),
        "count": policy.sign_offs.count,
        "author_may_sign": policy.sign_offs.author_may_sign,
    }
    # Whose signature is wanted is not for an earlier reviewer to decide.
    to_dispose = [findings[position] for position in verdict.to_dispose]
    if groups := wanted(policy.sign_offs.skills, to_dispose, verdict.required_roles):
        body["sign_off"]["wanted"] = [list(group) for group in groups]
    # Who reads the text decides too: what goes to a patient waits.
    glass = policy.break_glass
    if glass is not None and effective_audience(policy, opened.context.recipient) != "patient":
        body["sign_off"]["break_glass"] = {
            "roles": list(glass.roles),
            "review_within_hours": glass.review_within_hours,
        }
    if (escalation := policy.escalation) is not None:
        at, to_roles = escalation.due(now)
        body["escalation"] = {"at": stamp(at), "to_roles": list(to_roles)}
    if policy.sign_offs.blinded_second_read:
        body["sign_off"]["blinded"] = True
    body["oversight"] = {
        "tier": policy.oversight.tier,
        "words_per_minute": policy.oversight.reading.words_per_minute,
        "raise_days": policy.oversight.reading.raise_days,
        **({"own_view_first": True} if policy.oversight.own_view_first else {}),
    }
    return "inference.held", body
