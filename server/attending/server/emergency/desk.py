"""The steps of an emergency access, each one conditional append on the stream `emergency:<user>` of the tenant's log.

A person has one open at a time. It ends by itself: `until` stands in its first entry, and so does the moment from which
its review is overdue, so that neither needs anybody to remember it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import structlog
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim, ExpectationFailed, StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.config import EmergencySection
from attending.server.emergency.open import OpenAccesses
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select

log = structlog.get_logger()

_ROWS = projections.emergency_access
NOTE: Final = "note"


class State(StrEnum):
    """Where an emergency access is; which of these is a matter of the clock."""

    OPEN = "open"
    AWAITING_REVIEW = "awaiting_review"
    OVERDUE = "overdue"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class Access:
    """One emergency access; moments are `clock.stamp`s."""

    access_id: str
    user: str
    reason: str
    began_at: str
    until: str
    review_due: str
    ended_at: str | None
    reviewed_at: str | None
    reviewed_by: str | None
    outcome: str | None

    @classmethod
    def from_row(cls, row: RowMapping) -> Access:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    def state(self, now: str) -> State:
        if self.reviewed_at is not None:
            return State.REVIEWED
        if self.is_open(now):
            return State.OPEN
        return State.OVERDUE if self.review_due <= now else State.AWAITING_REVIEW

    def is_open(self, now: str) -> bool:
        return self.ended_at is None and now < self.until


def emergency_stream(user: str) -> str:
    """The stream of a person's emergency accesses."""
    return f"emergency:{user}"


class EmergencyDesk:
    """Shared by all calls of one server process."""

    def __init__(
        self,
        ledger: Ledger,
        authorizer: Authorizer,
        opened: OpenAccesses,
        terms: EmergencySection,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._authorizer = authorizer
        self._opened = opened
        self._terms = terms
        self._now = now

    async def begin(
        self, principal: Principal, reason: str, minutes: int | None, once: Once
    ) -> tuple[Access, int]:
        """Opens access for the caller: durable when it returns, and not before may they see more."""
        tenant, user = principal.tenant, principal.name
        if (index := await self._answered(tenant, once)) is not None:
            entry = await self._ledger.get_entry(tenant, index)
            return await self.get(tenant, str(entry.body["access"])), index
        version = await self._ledger.stream_version(tenant, emergency_stream(user))
        now = self._now()
        running = await self._rows(
            tenant, [_ROWS.c.user == user, _ROWS.c.ended_at.is_(None), _ROWS.c.until > stamp(now)]
        )
        if running:
            raise FailedPrecondition("EMERGENCY_OPEN", metadata={"access_id": running[0].access_id})
        until = now + timedelta(minutes=minutes or self._terms.max_minutes)
        body = {
            "access": f"emg_{secrets.token_hex(12)}",
            "user": user,
            "roles": sorted(principal.roles),
            "credential": principal.credential,
            "reason": reason,
            "until": stamp(until),
            "review_due": stamp(until + timedelta(hours=self._terms.review_within_hours)),
        }
        return await self._append(principal, "break_glass.used", user, version, body, once)

    async def end(self, principal: Principal, access_id: str, once: Once) -> tuple[Access, int]:
        """Ends access before its time."""
        tenant = principal.tenant
        version, access = await self._read(tenant, access_id)
        try:
            await self._permit(principal, "endEmergencyAccess", access)
        except PermissionDenied:
            # On record as denied. Whoever lists their own only is not told of another's.
            raise NotFound("UNKNOWN_EMERGENCY") from None
        if (index := await self._answered(tenant, once)) is not None:
            return access, index
        if not access.is_open(stamp(self._now())):
            raise FailedPrecondition("EMERGENCY_ENDED")
        body = {"access": access_id, "user": access.user}
        return await self._append(principal, "break_glass.ended", access.user, version, body, once)

    async def review(
        self, principal: Principal, access_id: str, outcome: str, note: str, once: Once
    ) -> tuple[Access, int]:
        """Closes the review of an access that is over; by somebody else than its user."""
        tenant = principal.tenant
        version, access = await self._read(tenant, access_id)
        await self._permit(principal, "reviewEmergencyAccess", access)
        if principal.name == access.user:
            # Cedar says so too; a site's own policies cannot take it away.
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        if (index := await self._answered(tenant, once)) is not None:
            return access, index
        now = stamp(self._now())
        if access.reviewed_at is not None:
            raise FailedPrecondition("EMERGENCY_REVIEWED")
        if access.is_open(now):
            raise FailedPrecondition("EMERGENCY_OPEN", metadata={"access_id": access_id})
        body = {
            "access": access_id,
            "user": access.user,
            "outcome": outcome,
            "overdue": access.review_due <= now,
        }
        payloads = (Payload(NOTE, note.encode()),) if note else ()
        return await self._append(
            principal, "break_glass.reviewed", access.user, version, body, once, *payloads
        )

    async def get(self, tenant: str, access_id: str) -> Access:
        """The access; NotFound (UNKNOWN_EMERGENCY) for one that this tenant does not have."""
        found = await self._rows(tenant, [_ROWS.c.access_id == access_id])
        if not found:
            raise NotFound("UNKNOWN_EMERGENCY")
        return found[0]

    async def page(
        self, tenant: str, *, user: str | None, state: State | None, limit: int, offset: int
    ) -> list[Access]:
        """Accesses, newest first, of `user` or of everybody."""
        where = [] if user is None else [_ROWS.c.user == user]
        if state is not None:
            where.append(self._in_state(state))
        return await self._rows(tenant, where, limit, offset)

    async def overdue(self, tenant: str) -> int:
        """How many reviews are overdue."""
        rows = await self._ledger.query(
            select(func.count())
            .select_from(_ROWS)
            .where(_ROWS.c.log_id == tenant, self._in_state(State.OVERDUE))
        )
        return int(rows[0][0])

    def _in_state(self, state: State) -> ColumnElement[bool]:
        now = stamp(self._now())
        unreviewed = _ROWS.c.reviewed_at.is_(None)
        over = or_(_ROWS.c.ended_at.is_not(None), _ROWS.c.until <= now)
        match state:
            case State.REVIEWED:
                return _ROWS.c.reviewed_at.is_not(None)
            case State.OPEN:
                return and_(unreviewed, _ROWS.c.ended_at.is_(None), _ROWS.c.until > now)
            case State.OVERDUE:
                return and_(unreviewed, over, _ROWS.c.review_due <= now)
            case State.AWAITING_REVIEW:
                return and_(unreviewed, over, _ROWS.c.review_due > now)

    async def _rows(
        self, tenant: str, where: Sequence[ColumnElement[bool]], limit: int = 1, offset: int = 0
    ) -> list[Access]:
        rows = await self._ledger.query(
            select(_ROWS)
            .where(_ROWS.c.log_id == tenant, *where)
            .order_by(_ROWS.c.began_index.desc())
            .limit(limit)
            .offset(offset)
        )
        return [Access.from_row(row._mapping) for row in rows]

    async def _read(self, tenant: str, access_id: str) -> tuple[int, Access]:
        """Version of its stream, and the access.

        INVARIANT: the version is not newer than the access, so that an append on it is refused when anything happened.
        """
        user = (await self.get(tenant, access_id)).user
        version = await self._ledger.stream_version(tenant, emergency_stream(user))
        return version, await self.get(tenant, access_id)

    async def _permit(self, principal: Principal, action: str, access: Access) -> None:
        resource = Resource.emergency(access.access_id, tenant=principal.tenant, user=access.user)
        await self._authorizer.require(action, resource, principal)

    async def _append(
        self,
        principal: Principal,
        type_: str,
        user: str,
        version: int,
        body: dict[str, Any],
        once: Once,
        *payloads: Payload,
    ) -> tuple[Access, int]:
        entry = PendingEntry(
            type=type_,
            stream=emergency_stream(user),
            actor=principal.actor,
            subject=None,
            body=body,
            payloads=payloads,
            occurred_at=self._now(),
        )
        # Shielded: a caller who hangs up leaves the append to go on, and what it changed must be known here then.
        step = self._commit(principal.tenant, user, entry, version, once)
        index = await asyncio.shield(asyncio.ensure_future(step))
        stored = await self._ledger.get_entry(principal.tenant, index)
        return await self.get(principal.tenant, str(stored.body["access"])), index

    async def _commit(self, tenant: str, user: str, entry: PendingEntry, version: int, once: Once) -> int:
        stream = emergency_stream(user)
        try:
            appended = await self._ledger.append(
                tenant,
                [entry],
                expect=[Expectation(stream, version)],
                claim=once.claim(stream),
                rows=rows_of_append([entry]),
            )
        except ExpectationFailed:
            raise Aborted("EMERGENCY_CHANGED") from None
        except DuplicateClaim:
            earlier = await self._answered(tenant, once)
            if earlier is None:
                raise Aborted("EMERGENCY_CHANGED") from None
            return earlier
        except StoreUnavailable:
            # An end may stand there all the same.
            self._opened.forget(tenant, user)
            raise
        await self._opened.refresh(tenant)
        log.warning("emergency.changed", tenant=tenant, kind=entry.type, index=appended.first_index)
        return appended.first_index

    async def _answered(self, tenant: str, once: Once) -> int | None:
        indexes = await answered(self._ledger, tenant, once)
        if indexes is None:
            return None
        # The first answer may have been lost together with what this process had to learn.
        await self._opened.refresh(tenant)
        return indexes[0]
