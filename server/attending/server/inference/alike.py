"""By what a finding is known again: everything on which a reviewer's decision about it rests, as one keyed digest.

Same patient, same policy and reader, same problem as severe as before, in the same words of the rail, over the same
drugs as the text states them (dose, route, frequency, scope), the same facts of the patient and the same knowledge:
where any of them differs the finding is another one, and is asked about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.policy.decide import judge_one
from attending.guardrails.policy.schema import Audience, Policy
from attending.guardrails.policy.skills import FAMILIES

if TYPE_CHECKING:
    from attending.guardrails.checks.rests_on import Grounds

CODES: Final = (FAMILIES["interactions"] | FAMILIES["doses"] | FAMILIES["conditions"]) - {
    Code.NEVER_EVENT,
    Code.UNREADABLE_DOSE,
}
"""Problems of drugs, which a reviewer weighs for one patient. What is unread, unsupported or forbidden is none."""


def may_be_known_again(
    policy: Policy, findings: Sequence[Finding], ordinals: Iterable[int], audience: Audience
) -> tuple[int, ...]:
    """Those of `ordinals` whose decision may stand for a while: no contraindication, and nothing that blocks."""
    return tuple(
        ordinal
        for ordinal in ordinals
        if findings[ordinal].code in CODES
        and findings[ordinal].drugs
        and findings[ordinal].severity.rank < Severity.CONTRAINDICATED.rank
        and judge_one(policy, findings[ordinal], audience)[0] != "block"
    )


def content(
    finding: Finding,
    grounds: Grounds,
    *,
    subject: str,
    policy: str,
    audience: Audience,
    knowledge_hash: str,
) -> bytes:
    """What the digest is of. Where in the text the finding stands is no part of it."""
    said = finding.to_json()
    del said["start"], said["end"]
    value = {
        "format": "attending-alike/1",
        "subject": subject,
        "policy": policy,
        "audience": audience,
        "knowledge": knowledge_hash,
        "finding": {**said, "drugs": sorted(finding.drugs)},
        "stated": {drug: grounds.stated.get(drug, ()) for drug in finding.drugs},
        "patient": grounds.patient,
    }
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8")
