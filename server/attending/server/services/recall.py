"""RecallService: taking back what was released, in the caller's tenant."""

from __future__ import annotations

from typing import Final

import grpc
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.app import App, Component
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.inference.watch import Changes
from attending.server.recall.desk import Recall, Recalls
from attending.server.review.note import note_violations
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.v1 import recall_pb2, recall_pb2_grpc

DEFAULT_PAGE, MAX_PAGE = 50, 200
MAX_TARGET_CHARACTERS: Final = 80

_REASONS: Final[dict[int, str]] = {
    number: name.removeprefix("RECALL_REASON_").lower()
    for name, number in recall_pb2.RecallReason.items()
    if number
}
_NUMBERS: Final = {reason: recall_pb2.RecallReason.ValueType(number) for number, reason in _REASONS.items()}


class RecallService(recall_pb2_grpc.RecallServiceServicer):
    """One instance a server. Every write is repeated safely under its idempotency key."""

    def __init__(self, ledger: Ledger, recalls: Recalls) -> None:
        self._ledger = ledger
        self._recalls = recalls

    async def Withdraw(  # noqa: N802
        self, request: recall_pb2.WithdrawRequest, context: Context
    ) -> recall_pb2.WithdrawResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.inference_id), "inference_id", "is required")
        v.check(request.reason in _REASONS, "reason", "is required")
        other = request.reason == recall_pb2.RECALL_REASON_OTHER
        v.check(bool(request.note.strip()) or not other, "note", "is required where the reason is another")
        for field, description in note_violations(request.note):
            v.add(field, description)
        v.raise_if_any()
        recall, index = await self._recalls.withdraw(
            principal,
            request.inference_id,
            _REASONS[request.reason],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return recall_pb2.WithdrawResponse(
            recall=_message(recall), receipt=await receipt_message(self._ledger, principal.tenant, index)
        )

    async def AckRecall(  # noqa: N802
        self, request: recall_pb2.AckRecallRequest, context: Context
    ) -> recall_pb2.AckRecallResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.inference_id), "inference_id", "is required")
        v.check(1 <= len(request.target) <= MAX_TARGET_CHARACTERS, "target", "must be one of `outstanding`")
        v.raise_if_any()
        recall, index = await self._recalls.acknowledge(
            principal,
            request.inference_id,
            request.target,
            await once_of(self._ledger, principal, request),
        )
        return recall_pb2.AckRecallResponse(
            recall=_message(recall), receipt=await receipt_message(self._ledger, principal.tenant, index)
        )

    async def ListRecalls(  # noqa: N802
        self, request: recall_pb2.ListRecallsRequest, context: Context
    ) -> recall_pb2.ListRecallsResponse:
        principal = current_principal()
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        offset = page_offset(request.page_token)
        found = await self._recalls.page(
            principal.tenant,
            app=principal.name if principal.kind == "app" else None,
            only_open=request.open,
            limit=size + 1,
            offset=offset,
        )
        return recall_pb2.ListRecallsResponse(
            recalls=[_message(recall) for recall in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
        )


def _message(recall: Recall) -> recall_pb2.Recall:
    message = recall_pb2.Recall(
        inference_id=recall.inference_id,
        calling_app=recall.calling_app,
        policy=recall.policy,
        reason=_NUMBERS[recall.reason],
        withdrawn_by=recall.withdrawn_by,
        outstanding=recall.outstanding,
        acknowledged=recall.acknowledged,
    )
    message.withdrawn_at.FromDatetime(clock.parse(recall.withdrawn_at))
    return message


class RecallComponent(Component):
    """RecallService."""

    services = (recall_pb2.DESCRIPTOR.services_by_name["RecallService"].full_name,)

    def __init__(self, service: RecallService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        recall_pb2_grpc.add_RecallServiceServicer_to_server(self._service, server)


async def build(app: App) -> RecallComponent:
    """Needs Changes."""
    return RecallComponent(RecallService(app.ledger, Recalls(app.ledger, app.part(Changes), app.now)))
