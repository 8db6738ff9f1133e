"""Releasing a held text without its sign-offs, where the policy that held it permits that, and the review afterwards.

For the patient who cannot wait for the second signature. The text goes out as it was held, never a blocked one; the
entry before the release says who, in which role and why, and from that moment a review by somebody else is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from attending.ledger.entry import Payload
from attending.ledger.submission import Expectation
from attending.ledger.vault import payload_commitment
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered, index_of
from attending.server.inference.entries import Result
from attending.server.inference.states import State, require
from attending.server.replay.reducers import rows_of_append
from attending.server.review import machine
from attending.server.review.item import Item
from attending.server.review.note import note_payload
from attending.server.review.record import Record
from sqlalchemy import RowMapping, select

_USES = projections.break_glass_release


@dataclass(frozen=True, slots=True)
class Use:
    """One release by break-glass; moments are `clock.stamp`s."""

    inference_id: str
    ticket_id: str
    policy: str
    user: str
    role: str
    reason: str
    used_at: str
    review_due: str
    reviewed_at: str | None
    reviewed_by: str | None
    outcome: str | None

    @classmethod
    def from_row(cls, row: RowMapping) -> Use:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


class BreakGlass(Record):
    """Break-glass over items of the desk."""

    async def break_glass(
        self, principal: Principal, ticket_id: str, reason: str, note: str, once: Once
    ) -> tuple[Use, tuple[int, ...]]:
        """Releases the text as it was held; the use, and the indexes of both entries.

        PermissionDenied: ROLE_NOT_PERMITTED, LICENCE_EXPIRED. FailedPrecondition: ILLEGAL_TRANSITION, REVIEW_EXPIRED,
        BREAK_GLASS_NOT_PERMITTED (by the policy that held it), DISPOSITION_NEEDS_EDIT (a reviewer found that the text
        must not go out as it is), PRACTICE_ITEM (there is no patient; it is debriefed), SYSTEM_HALTED.
        """
        tenant = principal.tenant
        if (done := await answered(self._ledger, tenant, once)) is not None:
            item, _version = await self.item(tenant, ticket_id)
            return await self._use(tenant, item.inference_id), done
        item, version = await self.item(tenant, ticket_id)
        now = self._now()
        permit = await self._permission(tenant, item)
        role = machine.break_glass(item, principal, permit.get("roles", ()), now)
        record = str((await self._generated(tenant, item.inference_id))["text_record"])
        if await self._must_change(tenant, item, record):
            raise FailedPrecondition("DISPOSITION_NEEDS_EDIT")
        mark = await self.marks.of(tenant, item.inference_id)
        # They would have sent it: that is their answer, and they are told at once that there is no patient. While it
        # has not ended nobody is told.
        if mark is not None and not await self._end_practice(
            tenant, item, version, mark, "break_glass", principal.actor
        ):
            raise Aborted("ITEM_CHANGED")
        require(State.HELD, "inference.released", practice=mark is not None)
        salt, content = await self._ledger.disclose_payload(tenant, record)
        text = {
            "text_record": record,
            "text_commitment": payload_commitment("output_final", salt, content).hex(),
        }
        judged = {} if item.result_record is None else {"result_record": item.result_record}
        due = stamp(now + timedelta(hours=permit["review_within_hours"]))
        used = {"policy": item.policy, "role": role, "reason": reason, "review_due": due, **text}
        pending = [
            self._entry(principal, "break_glass.used", item, used, *note_payload(note)),
            self._entry(principal, "inference.released", item, {"basis": "break_glass", **text, **judged}),
        ]
        _item, _version, first = await self._step(principal, item, version, pending, once)
        return await self._use(tenant, item.inference_id), (first, first + 1)

    async def review_break_glass(
        self, principal: Principal, inference_id: str, outcome: str, note: str, once: Once
    ) -> tuple[Use, int]:
        """Closes the review; by another person than who used it. FailedPrecondition (BREAK_GLASS_REVIEWED)."""
        tenant = principal.tenant
        version = await self._ledger.stream_version(tenant, inference_id)
        row = await self._use_row(tenant, inference_id)
        if principal.kind != "human" or row["user"] == principal.name:
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return Use.from_row(row), done[0]
        if row["reviewed_at"] is not None:
            raise FailedPrecondition("BREAK_GLASS_REVIEWED")
        item, _version = await self.item(tenant, row["ticket_id"])
        body = {"outcome": outcome, "overdue": row["review_due"] < stamp(self._now())}
        payloads: tuple[Payload, ...] = note_payload(note)
        entry = self._entry(principal, "break_glass.reviewed", item, body, *payloads)
        append = self._ledger.append(
            tenant,
            [entry],
            expect=[Expectation(inference_id, version)],
            claim=once.claim(inference_id),
            rows=rows_of_append([entry]),
        )
        index = await index_of(self._ledger, tenant, once, append, Aborted("LOST_RACE"))
        return await self._use(tenant, inference_id), index

    async def may_break_glass(self, who: Principal, item: Item) -> bool:
        """Whether somebody would be let release the text without its sign-offs now. The step itself asks again."""
        try:
            permit = await self._permission(who.tenant, item)
            machine.break_glass(item, who, permit.get("roles", ()), self._now())
        except (FailedPrecondition, PermissionDenied):
            return False
        if any(one.halted for one in await self._switch.standings(who.tenant, [item.policy])):
            return False
        record = str((await self._generated(who.tenant, item.inference_id))["text_record"])
        return not await self._must_change(who.tenant, item, record)

    async def use_of(self, tenant: str, inference_id: str) -> Use | None:
        """How a text was released without its sign-offs, None where it was not."""
        try:
            return await self._use(tenant, inference_id)
        except NotFound:
            return None

    async def uses(self, tenant: str, *, only_open: bool, limit: int, offset: int) -> list[Use]:
        """Releases by break-glass, newest first; `only_open` those that nobody has reviewed."""
        where = [_USES.c.log_id == tenant]
        if only_open:
            where.append(_USES.c.reviewed_at.is_(None))
        rows = await self._ledger.query(
            select(_USES).where(*where).order_by(_USES.c.used_index.desc()).limit(limit).offset(offset)
        )
        return [Use.from_row(row._mapping) for row in rows]

    async def _must_change(self, tenant: str, item: Item, record: str) -> bool:
        """Whether the text of `record`, as it was generated, must not go out: a reviewer would have it changed or has
        signed another one, or the policy blocks it with the facts that reviewers added.
        """
        if "fixed" in item.disposed.values() or any(one.record != record for one in item.signed_by):
            return True
        if item.result_record is None:
            return False
        found = Result.from_bytes(await self._ledger.open_payload(tenant, item.result_record))
        return found.disposition == "block"

    async def _permission(self, tenant: str, item: Item) -> Mapping[str, Any]:
        """What the entry that held the text permits; empty where it permits nothing."""
        sign_off: Mapping[str, Any] = (await self._held_body(tenant, item)).get("sign_off", {})
        found = sign_off.get("break_glass")
        return found if isinstance(found, Mapping) else {}

    async def _use_row(self, tenant: str, inference_id: str) -> RowMapping:
        rows = await self._ledger.query(
            select(_USES).where(_USES.c.log_id == tenant, _USES.c.inference_id == inference_id)
        )
        if not rows:
            raise NotFound("UNKNOWN_BREAK_GLASS")
        return rows[0]._mapping

    async def _use(self, tenant: str, inference_id: str) -> Use:
        return Use.from_row(await self._use_row(tenant, inference_id))
