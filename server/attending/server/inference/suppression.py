"""Findings that somebody decided on before, for the same patient and over the same facts: shown, not asked about again.

Nothing is released by it, and nothing about the verdict changes: the text is held, and is signed as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from attending.guardrails.finding import Finding
from attending.guardrails.policy.decide import Verdict
from attending.guardrails.policy.schema import Audience
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server.inference.alike import content, may_be_known_again
from attending.server.inference.call import OpenCall
from attending.server.inference.decided import Decision, Decisions

if TYPE_CHECKING:
    from attending.guardrails.checks.rests_on import Grounds

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """Digests of findings that may be known again, by their ordinals, and of those the ones that were decided before.
    `expect` is what the append has to expect that rests on `suppressed`.
    """

    alike: Mapping[int, str] = field(default_factory=dict)
    suppressed: Mapping[int, Decision] = field(default_factory=dict)
    expect: tuple[Expectation, ...] = ()
    days: int = 0

    def all_asked(self) -> Known:
        """The same where every finding is asked about."""
        return Known(self.alike)

    def body(self) -> dict[str, Any]:
        """What the entry that holds the text says of it."""
        if not self.alike:
            return {}
        said: dict[str, Any] = {
            "alike": [{"finding": n, "digest": digest} for n, digest in sorted(self.alike.items())]
        }
        if self.suppressed:
            said["suppression_days"] = self.days
            said["suppressed"] = [
                {"finding": n, "entry": one.entry, "inference": one.inference, "severity": one.severity}
                for n, one in sorted(self.suppressed.items())
            ]
        return said


NOTHING_KNOWN: Final = Known()


class Suppression:
    """Shared by all calls of one server process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._decisions = Decisions(ledger)

    async def known(
        self,
        opened: OpenCall,
        findings: Sequence[Finding],
        verdict: Verdict,
        grounds: Grounds | None,
        *,
        audience: Audience,
        knowledge_hash: str,
        now: datetime,
    ) -> Known:
        """What is known again of a text that is about to be held; nothing for a policy that does not ask for it, for a
        call without a patient, and when it cannot be looked up.
        """
        policy, tenant, subject = opened.policy, opened.caller.tenant, opened.subject
        if policy.suppression is None or subject is None or grounds is None or verdict.disposition != "hold":
            return NOTHING_KNOWN
        try:
            alike = {
                ordinal: (
                    await self._ledger.keyed_digest(
                        tenant,
                        subject,
                        content(
                            findings[ordinal],
                            grounds,
                            subject=subject,
                            policy=policy.name,
                            audience=audience,
                            knowledge_hash=knowledge_hash,
                        ),
                    )
                ).hex()
                for ordinal in may_be_known_again(policy, findings, verdict.to_dispose, audience)
            }
            if not alike:
                return NOTHING_KNOWN
            days = policy.suppression.days
            decided, expect = await self._decisions.find(tenant, set(alike.values()), now, days)
        except LedgerError as err:
            log.warning("suppression.not_looked_up", inference_id=opened.inference_id, reason=err.reason)
            return NOTHING_KNOWN
        before = {ordinal: decided[digest] for ordinal, digest in alike.items() if digest in decided}
        return Known(alike, before, expect if before else (), days)
