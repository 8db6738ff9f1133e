"""NoticeService."""

from __future__ import annotations

from attending.v1 import notice_pb2

from tests.matrix.making import TARGET, Things, key, maker


@maker("NoticeService/ListNotices", "operator", own=True)
def list_notices(things: Things) -> notice_pb2.ListNoticesRequest:
    return notice_pb2.ListNoticesRequest()


@maker("NoticeService/TestNotice", "operator", own=True)
def test(things: Things) -> notice_pb2.TestNoticeRequest:
    return notice_pb2.TestNoticeRequest(idempotency_key=key(), target=TARGET)


@maker("NoticeService/RetryNotice", "operator", fresh=True)
def retry(things: Things) -> notice_pb2.RetryNoticeRequest:
    return notice_pb2.RetryNoticeRequest(idempotency_key=key(), target=TARGET, notice_id=things.notice)
