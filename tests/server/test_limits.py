"""What callers can use at once, over a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.server.app import App, Build, Component
from attending.server.config import ServerSection
from attending.server.errors import DeadlineExceeded
from attending.server.limits import STREAMING_METHODS, Limits
from attending.v1 import inference_pb2, ledger_pb2, ledger_pb2_grpc, prompt_pb2, report_pb2, review_pb2

MESSAGE_LIMIT = 128 * 1024


class Waiting(Component, ledger_pb2_grpc.LedgerServiceServicer):
    """GetEntry waits until the test lets it go; ListEntries answers as many bytes as asked for."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(0)
        self.go = threading.Event()

    def register(self, server: grpc.aio.Server) -> None:
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(self, server)

    async def GetEntry(self, request: Any, context: Any) -> ledger_pb2.GetEntryResponse:
        self.inside.release()
        while not self.go.is_set():
            await asyncio.sleep(0.01)
        return ledger_pb2.GetEntryResponse()

    async def ListEntries(self, request: Any, context: Any) -> ledger_pb2.ListEntriesResponse:
        return ledger_pb2.ListEntriesResponse(next_page_token="x" * request.page_size)

    async def GetReceipt(self, request: Any, context: Any) -> ledger_pb2.GetReceiptResponse:
        await asyncio.Event().wait()
        raise AssertionError("never")


@pytest.fixture(scope="module")
def waiting() -> Iterator[Waiting]:
    component = Waiting()  # type: ignore[abstract]
    yield component
    component.go.set()


@pytest.fixture(scope="module")
def server(start_server: Any, waiting: Waiting) -> Any:
    async def build(_app: App) -> Component:
        return waiting

    builds: list[Build] = [build]
    limits = {
        "max_concurrent_rpcs": 3,
        "max_concurrent_rpcs_per_caller": 2,
        "max_message_bytes": MESSAGE_LIMIT,
        "deadline_seconds": 0.3,
    }
    return start_server(components=builds, overrides={"server": limits})


def stub(server: Any, identity: str = "demo-auditor") -> Any:
    return ledger_pb2_grpc.LedgerServiceStub(server.channel(identity))


def failure(call: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return translate(caught.value)


def test_a_call_that_takes_too_long_is_ended(server: Any) -> None:
    error = failure(lambda: stub(server).GetReceipt(ledger_pb2.GetReceiptRequest(), timeout=30))
    assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def test_messages_up_to_the_limit_and_above(server: Any) -> None:
    auditor = stub(server)
    assert auditor.ListEntries(ledger_pb2.ListEntriesRequest(page_size=MESSAGE_LIMIT - 100), timeout=30)
    error = failure(
        lambda: auditor.ListEntries(ledger_pb2.ListEntriesRequest(page_size=MESSAGE_LIMIT + 1), timeout=30)
    )
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESPONSE_TOO_LARGE")
    large = ledger_pb2.ListEntriesRequest(page_token="x" * (MESSAGE_LIMIT + 1))
    error = failure(lambda: auditor.ListEntries(large, timeout=30))
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert error.metadata == {"limit_bytes": str(MESSAGE_LIMIT)}


def test_a_message_far_above_the_limit_is_refused_by_the_core(server: Any) -> None:
    huge = ledger_pb2.ListEntriesRequest(page_token="x" * (8 * MESSAGE_LIMIT))
    error = failure(lambda: stub(server).ListEntries(huge, timeout=30))
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bytes_that_are_no_message(server: Any) -> None:
    channel: Any = server.channel("demo-auditor")
    call = channel.unary_unary("/attending.v1.LedgerService/ListEntries")
    error = failure(lambda: call(b"\x0a\xff\xff\xff", timeout=30))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


def test_the_second_caller_still_gets_in_when_the_first_has_used_its_share(
    server: Any, waiting: Waiting
) -> None:
    auditor, safety = stub(server), stub(server, "demo-safety-officer")

    def wait(who: Any) -> str:
        try:
            who.GetEntry(ledger_pb2.GetEntryRequest(), timeout=30)
        except grpc.RpcError as err:
            return translate(err).reason
        return "ok"

    # The deadline of this server would end the waiting calls; it is not what is tested here.
    object.__setattr__(server.app.config.server, "deadline_seconds", 60.0)
    with ThreadPoolExecutor(8) as threads:
        first = [threads.submit(wait, auditor) for _ in range(2)]
        assert [waiting.inside.acquire(timeout=30) for _ in range(2)] == [True, True]
        error = failure(lambda: auditor.GetEntry(ledger_pb2.GetEntryRequest(), timeout=30))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "CALLER_BUSY")
        assert error.retry_after_seconds == 1.0
        third = threads.submit(wait, safety)
        assert waiting.inside.acquire(timeout=30)
        error = failure(lambda: safety.GetEntry(ledger_pb2.GetEntryRequest(), timeout=30))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_BUSY")
        waiting.go.set()
        assert [one.result(30) for one in [*first, third]] == ["ok"] * 3
    # The places are free again.
    assert wait(auditor) == "ok"


def test_the_streaming_methods_are_those_of_the_wire_contract() -> None:
    files = [inference_pb2, ledger_pb2, prompt_pb2, report_pb2, review_pb2]
    streaming = {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.server_streaming
    }
    assert streaming == STREAMING_METHODS


async def test_a_stream_that_takes_too_long_is_ended_too() -> None:
    config = ServerSection.model_validate(
        {"tls_certificate": "c", "tls_key": "k", "deadline_seconds": 60.0, "stream_deadline_seconds": 0.05}
    )
    limits = Limits(config, open_for_calls=lambda: True)
    seen = []

    async def stream() -> AsyncIterator[int]:
        async with limits.deadline(sorted(STREAMING_METHODS)[0], None):  # type: ignore[arg-type]
            yield 1
            await asyncio.Event().wait()

    async def read() -> None:
        async for number in stream():
            seen.append(number)

    with pytest.raises(DeadlineExceeded):
        await read()
    assert seen == [1]


async def test_a_time_out_inside_a_call_is_not_its_deadline() -> None:
    config = ServerSection.model_validate({"tls_certificate": "c", "tls_key": "k"})
    limits = Limits(config, open_for_calls=lambda: True)
    with pytest.raises(TimeoutError):
        async with limits.deadline("/attending.v1.LedgerService/GetEntry", None):  # type: ignore[arg-type]
            raise TimeoutError
