"""What callers can use at once, over a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.server.app import App, Build, Component
from attending.server.auth.context import AccessDecision, enter
from attending.server.auth.principal import Principal
from attending.server.config import LimitsSection, ServerSection
from attending.server.errors import AttendingError, DeadlineExceeded, SlowClient
from attending.server.limits.calls import (
    MAX_ANONYMOUS_RPCS,
    MAX_ANONYMOUS_RPCS_PER_ADDRESS,
    STREAMING_METHODS,
    Limits,
)
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
        if method.server_streaming or method.client_streaming
    }
    assert streaming == STREAMING_METHODS


async def test_a_stream_that_takes_too_long_is_ended_too() -> None:
    config = ServerSection.model_validate(
        {"tls_certificate": "c", "tls_key": "k", "deadline_seconds": 60.0, "stream_deadline_seconds": 0.05}
    )
    limits = Limits(config, LimitsSection(), open_for_calls=lambda: True)
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
    limits = Limits(config, LimitsSection(), open_for_calls=lambda: True)
    with pytest.raises(TimeoutError):
        async with limits.deadline("/attending.v1.LedgerService/GetEntry", None):  # type: ignore[arg-type]
            raise TimeoutError


def limits_of(**changed: Any) -> Limits:
    config = {"tls_certificate": "c", "tls_key": "k"}
    given = LimitsSection.model_validate(changed)
    return Limits(ServerSection.model_validate(config), given, open_for_calls=lambda: True)


class Call:
    """What of a call's context the limits use."""

    def __init__(self, peer: str = "ipv4:192.0.2.1:1") -> None:
        self._peer = peer
        self.ended: list[Any] = []

    def peer(self) -> str:
        return self._peer

    def add_done_callback(self, callback: Any) -> None:
        self.ended.append(callback)


async def inside(
    around: Any, who: str, tenant: str, method: str, call: Any, error: BaseException | None
) -> str:
    """What came of a call of that identity, which fails inside with `error`."""
    principal = Principal(who, tenant, "app", frozenset({"app"}), who, "token")
    enter(principal, AccessDecision(True, "x"))
    try:
        async with around(method, call):
            if error is not None:
                raise error
    except AttendingError as err:
        return err.reason
    return "ok"


STREAM = "/attending.v1.LedgerService/AppendStream"
READ = "/attending.v1.LedgerService/GetEntry"


@pytest.mark.parametrize(
    ("key", "who", "tenant", "method", "reason"),
    [
        ("max_concurrent_rpcs_per_tenant", "b", "north", READ, "TENANT_BUSY"),
        ("max_streams_per_caller", "a", "north", STREAM, "CALLER_STREAMS"),
        ("max_streams_per_tenant", "b", "north", STREAM, "TENANT_STREAMS"),
    ],
)
async def test_a_share_that_is_used_up(key: str, who: str, tenant: str, method: str, reason: str) -> None:
    limits = limits_of(**{key: 2})
    async with AsyncExitStack() as open_calls:
        for _ in range(2):
            enter(Principal("a", "north", "app", frozenset({"app"}), "a", "token"), AccessDecision(True, "x"))
            await open_calls.enter_async_context(limits.per_caller(method, Call()))  # type: ignore[arg-type]
        assert await inside(limits.per_caller, who, tenant, method, Call(), None) == reason
        # Of another tenant, there is room; and a call that is no stream needs none of the streams' places.
        assert await inside(limits.per_caller, "c", "south", method, Call(), None) == "ok"
        if "streams" in key:
            assert await inside(limits.per_caller, who, tenant, READ, Call(), None) == "ok"
    assert await inside(limits.per_caller, who, tenant, method, Call(), None) == "ok"


async def test_a_call_that_was_refused_at_one_limit_leaves_no_place_taken_at_another() -> None:
    limits = limits_of(max_streams_per_caller=1, max_concurrent_rpcs_per_tenant=2)
    enter(Principal("a", "north", "app", frozenset({"app"}), "a", "token"), AccessDecision(True, "x"))
    async with limits.per_caller(STREAM, Call()):  # type: ignore[arg-type]
        for _ in range(5):
            assert await inside(limits.per_caller, "a", "north", STREAM, Call(), None) == "CALLER_STREAMS"
        assert await inside(limits.per_caller, "b", "north", READ, Call(), None) == "ok"


async def test_a_client_that_does_not_read_keeps_its_place_until_its_call_is_gone() -> None:
    limits = limits_of(max_streams_per_caller=1)
    call = Call()
    assert (
        await inside(limits.per_caller, "a", "north", STREAM, call, SlowClient("SLOW_READER"))
        == "SLOW_READER"
    )
    assert await inside(limits.per_caller, "a", "north", STREAM, Call(), None) == "CALLER_STREAMS"
    for callback in call.ended:
        callback(call)
    assert await inside(limits.per_caller, "a", "north", STREAM, Call(), None) == "ok"


async def test_calls_without_a_credential_are_bounded_by_address_and_in_all() -> None:
    limits = limits_of()
    async with AsyncExitStack() as open_calls:

        async def another(address: str) -> str:
            try:
                await open_calls.enter_async_context(limits.anonymous("", Call(address)))  # type: ignore[arg-type]
            except AttendingError as err:
                return err.reason
            return "ok"

        mine = [await another("ipv4:192.0.2.1:1") for _ in range(MAX_ANONYMOUS_RPCS_PER_ADDRESS + 1)]
        assert mine == ["ok"] * MAX_ANONYMOUS_RPCS_PER_ADDRESS + ["ADDRESS_BUSY"]
        rest = MAX_ANONYMOUS_RPCS - MAX_ANONYMOUS_RPCS_PER_ADDRESS
        others = [await another(f"ipv4:198.51.100.{number}:1") for number in range(rest + 1)]
        assert others == ["ok"] * rest + ["SERVER_BUSY"]
