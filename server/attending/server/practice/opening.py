"""Putting a practice item on the desk: judged by the checks in force like any text, and held in one atomic append.

A crash before that append leaves nothing, after it the whole item: there is no half one. It is begun by nobody's call,
so that there is nobody to be answered, and its first entry carries the mark (`attending.ledger.practice`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from attending.guardrails.guard import InputDecision, OutputDecision
from attending.guardrails.phi import count_replaced
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.schema import Audience, Policy
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.ledger.vault import SealedPayload
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.content_hash import digits
from attending.server.cost.price import Price
from attending.server.halt.switch import Switch
from attending.server.inference import entries
from attending.server.inference.call import Caller, OpenCall
from attending.server.inference.checker import Checker
from attending.server.inference.disposition import disposition, effective_audience
from attending.server.inference.entries import Result
from attending.server.inference.prompt import compose
from attending.server.inference.states import State, require
from attending.server.inference.suppression import Suppression
from attending.server.inference.watch import Changes
from attending.server.practice.alike import provider_ids_like
from attending.server.practice.catalogue import Catalogue, PracticeItem
from attending.server.practice.mark import Mark
from attending.server.replay.reducers import rows_of_append
from attending.server.wire.request import RequestContext
from attending.server.wire.violations import normalise

APP: Final = "attending:practice"
"""The calling application of an openly marked item: no identity can have that name."""
OPEN_DAYS: Final = 30
"""How long an openly marked item waits for its reader."""
_CHARACTERS_A_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the first entries of an item say besides its text. Of a seeded one that of a text that an application asked
    for lately, so that neither page nor entry tells them apart; `subject` whether that was about a known patient,
    `numbered` whether its patient had a record number.
    """

    requested: Mapping[str, Any] = field(default_factory=dict)
    generated: Mapping[str, Any] = field(default_factory=dict)
    subject: bool = False
    numbered: bool = False


OPENLY: Final = Pattern(
    requested={
        "entry_point": "practice",
        "calling_app": APP,
        "purpose_of_use": None,
        "recipient": "policy",
        "provider": "practice",
        "model": "catalogue",
        "parameters": {},
        "prompt_version": None,
        "tags": {},
        "release_requires": "integrated",
        "egress": None,
    },
    generated={"fingerprint": None, "provider_ids": [], "finish_reason": "stop", "usage": {}},
)


class Openings:
    """Shared by all tasks of one server process."""

    def __init__(
        self,
        ledger: Ledger,
        switch: Switch,
        changes: Changes,
        guard: Checker,
        catalogue: Catalogue,
        owner: str,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._switch = switch
        self._changes = changes
        self._guard = guard
        self._suppression = Suppression(ledger)
        self._owner = owner
        self._now = now
        self.catalogue = catalogue
        self._unfit: set[tuple[str, Audience, str]] = set()
        """Hash of a policy, for whom it judged, and an item that it would not hold."""

    def fits(self, policy: Policy, item: PracticeItem, recipient: str) -> bool:
        """False for an item that the policy would not hold, as this process has seen; no check runs for it."""
        return (policy.hash, effective_audience(policy, recipient), item.id) not in self._unfit

    async def open(
        self,
        tenant: str,
        policy: Policy,
        item: PracticeItem,
        *,
        inference_id: str,
        ticket: str,
        mark: Mark,
        pattern: Pattern = OPENLY,
        reader: Principal | None = None,
    ) -> bool:
        """Holds the item for review; for `reader` alone where given, which marks it openly. False where it is there
        already, where the policy in force would not hold its text or not let the reader sign it, or where a check could
        not judge it.

        Raises GuardOverloaded, FailedPrecondition (SYSTEM_HALTED and as `Switch.append`), and the ledger's errors.
        """
        recipient = str(pattern.requested["recipient"])
        if not self.fits(policy, item, recipient):
            return False
        context = RequestContext(
            policy.name, None, item.context, item.given, (), None, recipient, (), "integrated"
        )
        checked = await self._guard.check_input(
            policy.name, item.prompt, item.given, item.context.identity, patient=item.context
        )
        audience = effective_audience(policy, recipient)
        found = await self._guard.check_output(policy.name, item.judged, audience=audience)
        findings = (*found.findings, *checked.findings)
        verdict = decide(policy, findings, audience=audience)
        runs = (*checked.rail_runs, *found.rail_runs)
        if any(run.failed for run in runs):
            # Another time it may be judged.
            return False
        if checked.verdict == "block" or verdict.disposition != "hold":
            self._unfit.add((policy.hash, audience, item.id))
            return False
        if reader is not None and not reader.roles & set(verdict.required_roles):
            return False
        subject = await self._ledger.pseudonym(tenant, f"practice:{mark.key}") if pattern.subject else None

        async def seal(kind: str, content: bytes) -> SealedPayload:
            return await self._ledger.seal(tenant, Payload(kind, content), subject)

        def entry(type_: str, actor: str, body: dict[str, Any], *sealed: SealedPayload) -> PendingEntry:
            return PendingEntry(type_, inference_id, actor, subject, body, sealed, self._now())

        text = normalise(item.output)
        final = await seal("output_final", text.encode("utf-8"))
        result = await seal(
            "result",
            Result(
                verdict.verdict,
                verdict.mandatory_review,
                verdict.disposition,
                findings,
                found.coverage,
                found.citations,
                runs,
            ).to_bytes(),
        )
        asked = entry(
            "inference.requested",
            f"system:{self._owner}" if reader else f"app:{pattern.requested['calling_app']}",
            self._requested(policy, item, checked, pattern)
            | (
                {}
                if reader is None
                else {"practice": {"item": item.id, "for": reader.name, "ticket": ticket}}
            ),
            await seal(
                "request",
                entries.request_payload(item.prompt, item.given, item.context, None, mark.to_json()),
            ),
            await seal(
                "prompt_sent",
                compose(checked.prompt_deidentified, checked.documents_deidentified).encode("utf-8"),
            ),
        )
        generated = entry(
            "inference.generated",
            f"system:{self._owner}",
            {
                "provider": pattern.requested["provider"],
                "model": pattern.generated.get("model", pattern.requested["model"]),
                "fingerprint": pattern.generated["fingerprint"],
                **provider_ids_like(pattern.generated),
                "finish_reason": pattern.generated["finish_reason"],
                "characters": len(text),
                "usage": _usage(item, pattern.generated["usage"]),
                "rails": entries.rails_body(found.rail_runs),
                "findings": entries.findings_body(findings),
                "coverage": _coverage(found),
                "verdict": verdict.verdict,
                "mandatory_review": verdict.mandatory_review,
                "disposition": verdict.disposition,
                "decided_by": sorted({rule.rule for rule in verdict.deciding}),
                "knowledge_hash": digits(found.knowledge_hash),
                "policy_hash": digits(found.policy_hash),
                "text_record": final.record,
                "result_record": result.record,
            },
            await seal("output_raw", item.output.encode("utf-8")),
            final,
            result,
        )
        call = OpenCall(
            Caller(tenant, str(pattern.requested["calling_app"])),
            inference_id,
            context,
            policy,
            self._guard,
            subject,
            str(pattern.requested["provider"]),
            str(pattern.requested["model"]),
            0,
            checked,
        )
        # Nothing was decided on a patient who is no other text's: it says of each finding what a real one's entry says.
        known = await self._suppression.known(
            call,
            findings,
            verdict,
            found.grounds,
            audience=audience,
            knowledge_hash=found.knowledge_hash,
            now=self._now(),
        )
        kind, body = disposition(call, verdict, findings, final, self._now(), known)
        body["ticket"] = ticket
        if reader is not None:
            # Nobody is kept waiting: no promise runs out, nobody is called, and it goes out in no emergency.
            body.pop("escalation", None)
            body["sign_off"].pop("break_glass", None)
            body["due_at"] = body["expires_at"] = stamp(self._now() + timedelta(days=OPEN_DAYS))
            body["practice"] = {"for": reader.name}
        held = entry(kind, f"system:{self._owner}", body)
        require(State.RECEIVED, held.type)
        pending = [asked, generated, held]
        try:
            await self._switch.append(
                tenant,
                policy.name,
                pending,
                expect=[Expectation(inference_id, 0)],
                claim=None,
                rows=rows_of_append(pending),
            )
        except ExpectationFailed:
            return False
        self._changes.announce(tenant, inference_id)
        return True

    def _requested(
        self, policy: Policy, item: PracticeItem, checked: InputDecision, pattern: Pattern
    ) -> dict[str, Any]:
        egress = pattern.requested["egress"]
        return {
            **{name: pattern.requested[name] for name in OPENLY.requested},
            "on_behalf_of": None,
            "policy": policy.name,
            "policy_hash": digits(policy.hash),
            "policy_mode": policy.mode,
            "documents": len(item.given),
            "public_documents": [],
            "owner": self._owner,
            "phi_replaced": count_replaced(checked.placeholders),
            "egress": None if egress is None else {**egress, "sent": entries.sent_body(checked, None)},
            "rails": entries.rails_body(checked.rail_runs),
            "findings": entries.findings_body(checked.findings),
        }


def _coverage(found: OutputDecision) -> dict[str, int]:
    coverage = found.coverage
    return {"judged": coverage.judged, "of": coverage.of, "not_covered": len(coverage.not_covered)}


def _usage(item: PracticeItem, like: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and cost as a call of this length would have had, where the one that it is like has any."""
    before = (like.get("input_tokens") or 0) + (like.get("output_tokens") or 0)
    unknown = Price(None, like.get("currency"), like.get("basis") or "usage_not_reported")
    if not before:
        return entries.usage_body(None, None, unknown)
    asked = max(1, (len(item.prompt) + sum(len(one.text) for one in item.given)) // _CHARACTERS_A_TOKEN)
    answered = max(1, len(item.output) // _CHARACTERS_A_TOKEN)
    micros = like.get("cost_micros")
    paid = None if micros is None else max(1, micros * (asked + answered) // before)
    return entries.usage_body(asked, answered, Price(paid, unknown.currency, unknown.basis))
