"""Calls about notices: how far each target is, dead letters, sending again, and a test."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import notice_pb2, notice_pb2_grpc

PAGE = 200


class NoticeClient(Calls):
    """Calls of an operator or an officer; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = notice_pb2_grpc.NoticeServiceStub(self._channel)

    @translated
    def notices(self, target: str = "") -> notice_pb2.ListNoticesResponse:
        """Targets, and all dead letters, newest first."""
        request = notice_pb2.ListNoticesRequest(target=target, page_size=PAGE)
        answer = self._stub.ListNotices(request, timeout=TIMEOUT_SECONDS)
        while answer.next_page_token:
            request.page_token = answer.next_page_token
            page = self._stub.ListNotices(request, timeout=TIMEOUT_SECONDS)
            answer.dead.extend(page.dead)
            answer.next_page_token = page.next_page_token
        return answer

    @translated
    def retry(self, target: str, notice_id: str, *, key: str | None = None) -> int:
        """Has a dead letter sent again; the index of the entry that says so."""
        request = notice_pb2.RetryNoticeRequest(
            idempotency_key=key or uuid.uuid4().hex, target=target, notice_id=notice_id
        )
        answer = self._stub.RetryNotice(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "notice.retried")
        return answer.receipt.index

    @translated
    def test(self, target: str, *, key: str | None = None) -> int:
        """Has a test sent; the index of the entry that says so."""
        request = notice_pb2.TestNoticeRequest(idempotency_key=key or uuid.uuid4().hex, target=target)
        answer = self._stub.TestNotice(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "notice.tested")
        return answer.receipt.index
