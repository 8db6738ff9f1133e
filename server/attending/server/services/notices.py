"""NoticeService: notices of the caller's tenant."""

from __future__ import annotations

import re
from typing import Final

from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.notices.desk import NoticeDesk, TargetState
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.v1 import notice_pb2, notice_pb2_grpc
from sqlalchemy import RowMapping

DEFAULT_PAGE, MAX_PAGE = 50, 200
_TARGET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_NOTICE: Final = re.compile(r"ntc_[0-9a-f]{32}")
_TARGET_WORDS: Final = "must be the name of a target of `[notices]`"


class NoticeService(notice_pb2_grpc.NoticeServiceServicer):
    """One instance a server."""

    def __init__(self, ledger: Ledger, desk: NoticeDesk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def ListNotices(  # noqa: N802
        self, request: notice_pb2.ListNoticesRequest, context: Context
    ) -> notice_pb2.ListNoticesResponse:
        tenant = current_principal().tenant
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        if request.target and not _TARGET.fullmatch(request.target):
            raise InvalidRequest([("target", _TARGET_WORDS)])
        offset = page_offset(request.page_token)
        only = request.target or None
        targets = await self._desk.targets(tenant, only)
        dead = await self._desk.dead(tenant, only, limit=size + 1, offset=offset)
        return notice_pb2.ListNoticesResponse(
            targets=[_target(one) for one in targets],
            dead=[_dead(row) for row in dead[:size]],
            next_page_token=str(offset + size) if len(dead) > size else "",
        )

    async def RetryNotice(  # noqa: N802
        self, request: notice_pb2.RetryNoticeRequest, context: Context
    ) -> notice_pb2.RetryNoticeResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(_TARGET.fullmatch(request.target)), "target", _TARGET_WORDS)
        v.check(bool(_NOTICE.fullmatch(request.notice_id)), "notice_id", "must be the id of a notice")
        v.raise_if_any()
        index = await self._desk.retry(
            principal, request.target, request.notice_id, await once_of(self._ledger, principal, request)
        )
        receipt = await receipt_message(self._ledger, principal.tenant, index)
        return notice_pb2.RetryNoticeResponse(receipt=receipt)

    async def TestNotice(  # noqa: N802
        self, request: notice_pb2.TestNoticeRequest, context: Context
    ) -> notice_pb2.TestNoticeResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(_TARGET.fullmatch(request.target)), "target", _TARGET_WORDS)
        v.raise_if_any()
        index = await self._desk.test(
            principal, request.target, await once_of(self._ledger, principal, request)
        )
        receipt = await receipt_message(self._ledger, principal.tenant, index)
        return notice_pb2.TestNoticeResponse(receipt=receipt)


def _target(state: TargetState) -> notice_pb2.NoticeTarget:
    message = notice_pb2.NoticeTarget(
        name=state.name,
        kind=state.kind,
        events=state.events,
        waiting=state.waiting,
        problem=state.problem or "",
    )
    if state.row is not None:
        message.through = state.row["through"]
        message.delivered = state.row["delivered"]
        message.dead = state.row["dead"]
        if state.row["delivered_at"] is not None:
            message.delivered_at.FromDatetime(clock.parse(state.row["delivered_at"]))
    return message


def _dead(row: RowMapping) -> notice_pb2.DeadNotice:
    message = notice_pb2.DeadNotice(
        target=row["target"],
        notice_id=row["notice"],
        event=row["event"],
        entry_index=row["about_index"],
        reason=row["reason"],
        attempts=row["attempts"],
    )
    message.failed_at.FromDatetime(clock.parse(row["failed_at"]))
    return message
