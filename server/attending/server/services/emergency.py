"""EmergencyService: emergency access in the caller's tenant."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.emergency.desk import Access, EmergencyDesk, State
from attending.server.errors import InvalidRequest
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.server.wire.violations import BROKEN_TEXT, Violations
from attending.v1 import emergency_pb2, emergency_pb2_grpc

DEFAULT_PAGE, MAX_PAGE = 50, 200
MAX_NOTE_CODE_POINTS: Final = 2_000
SEES_ALL: Final = frozenset({"safety_officer", "privacy_officer", "auditor"})
_ACCESS: Final = re.compile(r"emg_[0-9a-f]{24}")

_REASONS: Final[dict[int, str]] = {
    number: name.removeprefix("EMERGENCY_REASON_").lower()
    for name, number in emergency_pb2.EmergencyReason.items()
    if number
}
_OUTCOMES: Final[dict[int, str]] = {
    number: name.removeprefix("EMERGENCY_OUTCOME_").lower()
    for name, number in emergency_pb2.EmergencyOutcome.items()
    if number
}
_STATES: Final[dict[int, State]] = {
    number: State(name.removeprefix("EMERGENCY_STATE_").lower())
    for name, number in emergency_pb2.EmergencyState.items()
    if number
}


class EmergencyService(emergency_pb2_grpc.EmergencyServiceServicer):
    """One instance a server. Every write is repeated safely under its idempotency key."""

    def __init__(
        self, ledger: Ledger, desk: EmergencyDesk, now: Callable[[], datetime], *, max_minutes: int
    ) -> None:
        self._ledger = ledger
        self._desk = desk
        self._now = now
        self._max_minutes = max_minutes

    async def BeginEmergencyAccess(  # noqa: N802
        self, request: emergency_pb2.BeginEmergencyAccessRequest, context: Context
    ) -> emergency_pb2.BeginEmergencyAccessResponse:
        principal = current_principal()
        v = begun(request)
        v.check(request.reason in _REASONS, "reason", "is required")
        v.check(request.minutes <= self._max_minutes, "minutes", f"must be at most {self._max_minutes}")
        v.raise_if_any()
        access, index = await self._desk.begin(
            principal,
            _REASONS[request.reason],
            request.minutes or None,
            await once_of(self._ledger, principal, request),
        )
        return emergency_pb2.BeginEmergencyAccessResponse(
            access=self._message(access),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def EndEmergencyAccess(  # noqa: N802
        self, request: emergency_pb2.EndEmergencyAccessRequest, context: Context
    ) -> emergency_pb2.EndEmergencyAccessResponse:
        principal = current_principal()
        v = begun(request)
        _check_access(request.access_id, v)
        v.raise_if_any()
        access, index = await self._desk.end(
            principal, request.access_id, await once_of(self._ledger, principal, request)
        )
        return emergency_pb2.EndEmergencyAccessResponse(
            access=self._message(access),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def ListEmergencyAccess(  # noqa: N802
        self, request: emergency_pb2.ListEmergencyAccessRequest, context: Context
    ) -> emergency_pb2.ListEmergencyAccessResponse:
        principal = current_principal()
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        if request.state and request.state not in _STATES:
            raise InvalidRequest([("state", "is not one of the known states")])
        offset = page_offset(request.page_token)
        everybody = bool(principal.roles & SEES_ALL)
        found = await self._desk.page(
            principal.tenant,
            user=None if everybody else principal.name,
            state=_STATES.get(request.state),
            limit=size + 1,
            offset=offset,
        )
        return emergency_pb2.ListEmergencyAccessResponse(
            accesses=[self._message(access) for access in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
            overdue=await self._desk.overdue(principal.tenant) if everybody else 0,
        )

    async def ReviewEmergencyAccess(  # noqa: N802
        self, request: emergency_pb2.ReviewEmergencyAccessRequest, context: Context
    ) -> emergency_pb2.ReviewEmergencyAccessResponse:
        principal = current_principal()
        v = begun(request)
        _check_access(request.access_id, v)
        v.check(request.outcome in _OUTCOMES, "outcome", "is required")
        v.text(request.note, "note", MAX_NOTE_CODE_POINTS, required=False)
        v.check(not BROKEN_TEXT.search(request.note), "note", "must be text")
        v.raise_if_any()
        access, index = await self._desk.review(
            principal,
            request.access_id,
            _OUTCOMES[request.outcome],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return emergency_pb2.ReviewEmergencyAccessResponse(
            access=self._message(access),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    def _message(self, access: Access) -> emergency_pb2.EmergencyAccess:
        state = access.state(clock.stamp(self._now()))
        message = emergency_pb2.EmergencyAccess(
            access_id=access.access_id,
            user=access.user,
            reason=emergency_pb2.EmergencyReason.Value(f"EMERGENCY_REASON_{access.reason.upper()}"),
            state=emergency_pb2.EmergencyState.Value(f"EMERGENCY_STATE_{state.value.upper()}"),
            reviewed_by=access.reviewed_by or "",
        )
        message.began_at.FromDatetime(clock.parse(access.began_at))
        message.until.FromDatetime(clock.parse(access.until))
        message.review_due.FromDatetime(clock.parse(access.review_due))
        if access.ended_at is not None:
            message.ended_at.FromDatetime(clock.parse(access.ended_at))
        if access.reviewed_at is not None:
            message.reviewed_at.FromDatetime(clock.parse(access.reviewed_at))
        if access.outcome is not None:
            message.outcome = emergency_pb2.EmergencyOutcome.Value(
                f"EMERGENCY_OUTCOME_{access.outcome.upper()}"
            )
        return message


def _check_access(access_id: str, v: Violations) -> None:
    v.check(bool(_ACCESS.fullmatch(access_id)), "access_id", "must be the id of an emergency access")
