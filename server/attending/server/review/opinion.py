"""A reviewer's own view before the reveal: where the policy asks for it, findings are shown to who has judged first.

Whoever sees first what a machine thinks of a text tends to think the same. So the word of the checks and of a second
model is withheld from each reviewer until their own is on record: a code in the entry, what they wrote in the vault.
The rule is that of the version that held the text, as it stands in the entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from attending.guardrails.finding import Coverage
from attending.server.auth.principal import Principal
from attending.server.errors import FailedPrecondition, InvalidRequest
from attending.server.idempotency import Once
from attending.server.review import machine
from attending.server.review.case import Case
from attending.server.review.item import Item
from attending.server.review.note import note_payload, note_violations
from attending.server.review.record import Record, held_body

ASSESSMENTS: Final = ("safe", "needs_change", "unsafe", "cannot_tell")
RECORDED: Final = "review.opinion_recorded"


@dataclass(frozen=True, slots=True)
class OwnView:
    """Whether an item asks for own views, and whose are on record."""

    asked: bool
    given: frozenset[str]

    def missing(self, who: Principal, item: Item) -> bool:
        """Whether findings are withheld from somebody who may sign the item: while it waits, until they have judged."""
        signs = bool(who.roles & set(item.sign_off_roles))
        return self.asked and signs and item.state == "held" and who.actor not in self.given


class Opinions(Record):
    """Recording an own view, and withholding findings before it."""

    async def record_opinion(
        self, principal: Principal, ticket_id: str, lease_id: str, assessment: str, note: str, once: Once
    ) -> tuple[Item, int, int]:
        """Puts the caller's own view of the text on record, once; under their lease.

        `assessment` is one of ASSESSMENTS. FailedPrecondition (OPINION_NOT_ASKED) where the policy that held the text
        asks for none, (OPINION_RECORDED) where theirs is on record: what was said before the reveal stays.
        """
        violations = note_violations(note)
        if assessment not in ASSESSMENTS:
            violations.append(("assessment", "must be one of " + ", ".join(ASSESSMENTS)))
        if violations:
            raise InvalidRequest(violations)
        if (index := await self._done(principal, once)) is not None:
            return await self._answer(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        machine.require_lease(item, principal, lease_id, self._now())
        machine.require_reviewer(item, principal, self._now())
        view = await self._own_view(principal.tenant, item)
        if not view.asked:
            raise FailedPrecondition("OPINION_NOT_ASKED")
        if principal.actor in view.given:
            raise FailedPrecondition("OPINION_RECORDED")
        entry = self._entry(principal, RECORDED, item, {"assessment": assessment}, *note_payload(note))
        return await self._step(principal, item, version, [entry], once)

    async def _revealed(self, who: Principal, case: Case) -> Case:
        """The case as somebody may see it: without findings, citations, coverage and others' reads before their own
        view. The text, the prompt, the documents and the patient are what they judge.
        """
        if not (await self._own_view(who.tenant, case.item)).missing(who, case.item):
            return case
        nothing = replace(case.result, findings=(), citations=(), coverage=Coverage(0, 0, ()), rails=())
        item = replace(
            case.item,
            worst_severity=None,
            severity_rank=0,
            to_dispose=(),
            disposed={},
            suppressed={},
            # What another made of it, and the text that they signed, would be their view and not one's own.
            signed_by=(),
        )
        return replace(case, item=item, result=nothing, reads=(), decided_before=(), withheld=True)

    async def _require_opinion(self, who: Principal, item: Item) -> None:
        """FailedPrecondition (OPINION_REQUIRED) for what shows findings or rests on them, before an own view."""
        if (await self._own_view(who.tenant, item)).missing(who, item):
            raise FailedPrecondition("OPINION_REQUIRED")

    async def _own_view(self, tenant: str, item: Item) -> OwnView:
        stream = await self._ledger.whole_stream(tenant, item.inference_id)
        asked = held_body(stream).get("oversight", {}).get("own_view_first") is True
        return OwnView(asked, frozenset(entry.actor for entry in stream if entry.type == RECORDED))
