"""BreakGlassService: releases without sign-offs, and their review, in the caller's tenant."""

from __future__ import annotations

from typing import Final

import grpc
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.app import App, Component
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.review.break_glass import Use
from attending.server.review.desk import Desk
from attending.server.review.note import note_violations
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.v1 import break_glass_pb2, break_glass_pb2_grpc, emergency_pb2

DEFAULT_PAGE, MAX_PAGE = 50, 200

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


class BreakGlassService(break_glass_pb2_grpc.BreakGlassServiceServicer):
    """One instance a server. Every write is repeated safely under its idempotency key."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def BreakGlass(  # noqa: N802
        self, request: break_glass_pb2.BreakGlassRequest, context: Context
    ) -> break_glass_pb2.BreakGlassResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.ticket_id), "ticket_id", "is required")
        v.check(request.reason in _REASONS, "reason", "is required")
        v.check(bool(request.note.strip()), "note", "is required")
        for field, description in note_violations(request.note):
            v.add(field, description)
        v.raise_if_any()
        use, indexes = await self._desk.break_glass(
            principal,
            request.ticket_id,
            _REASONS[request.reason],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return break_glass_pb2.BreakGlassResponse(
            use=_message(use),
            receipts=[await receipt_message(self._ledger, principal.tenant, index) for index in indexes],
        )

    async def ListBreakGlass(  # noqa: N802
        self, request: break_glass_pb2.ListBreakGlassRequest, context: Context
    ) -> break_glass_pb2.ListBreakGlassResponse:
        principal = current_principal()
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        offset = page_offset(request.page_token)
        found = await self._desk.uses(principal.tenant, only_open=request.open, limit=size + 1, offset=offset)
        return break_glass_pb2.ListBreakGlassResponse(
            uses=[_message(use) for use in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
        )

    async def ReviewBreakGlass(  # noqa: N802
        self, request: break_glass_pb2.ReviewBreakGlassRequest, context: Context
    ) -> break_glass_pb2.ReviewBreakGlassResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.inference_id), "inference_id", "is required")
        v.check(request.outcome in _OUTCOMES, "outcome", "is required")
        for field, description in note_violations(request.note):
            v.add(field, description)
        v.raise_if_any()
        use, index = await self._desk.review_break_glass(
            principal,
            request.inference_id,
            _OUTCOMES[request.outcome],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return break_glass_pb2.ReviewBreakGlassResponse(
            use=_message(use), receipt=await receipt_message(self._ledger, principal.tenant, index)
        )


def _message(use: Use) -> break_glass_pb2.BreakGlassUse:
    outcome = f"EMERGENCY_OUTCOME_{(use.outcome or 'unspecified').upper()}"
    message = break_glass_pb2.BreakGlassUse(
        inference_id=use.inference_id,
        ticket_id=use.ticket_id,
        policy=use.policy,
        user=use.user,
        role=use.role,
        reason=emergency_pb2.EmergencyReason.Value(f"EMERGENCY_REASON_{use.reason.upper()}"),
        reviewed_by=use.reviewed_by or "",
        outcome=emergency_pb2.EmergencyOutcome.Value(outcome),
    )
    message.used_at.FromDatetime(clock.parse(use.used_at))
    message.review_due.FromDatetime(clock.parse(use.review_due))
    if use.reviewed_at is not None:
        message.reviewed_at.FromDatetime(clock.parse(use.reviewed_at))
    return message


class BreakGlassComponent(Component):
    """BreakGlassService."""

    services = (break_glass_pb2.DESCRIPTOR.services_by_name["BreakGlassService"].full_name,)

    def __init__(self, service: BreakGlassService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        break_glass_pb2_grpc.add_BreakGlassServiceServicer_to_server(self._service, server)


async def build(app: App) -> BreakGlassComponent:
    """Needs Desk."""
    return BreakGlassComponent(BreakGlassService(app.ledger, app.part(Desk)))
