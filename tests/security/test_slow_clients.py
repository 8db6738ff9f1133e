"""Clients that send slowly, read slowly, or connect and do nothing: each is let go of, and the rest is served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from attending.v1 import ledger_pb2, ledger_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.security import http2
from tests.security.http2 import DATA, INITIAL_WINDOW_SIZE, connect, reason
from tests.security.large import Large, building

LIST = "/attending.v1.LedgerService/ListEntries"
STREAM = "/attending.v1.LedgerService/AppendStream"
GET = "/attending.v1.LedgerService/GetEntry"
WATCH = "/grpc.health.v1.Health/Watch"
SHORT = 0.5
CALLS = 12


@pytest.fixture(scope="module")
def large() -> Large:
    return Large()  # type: ignore[abstract]


def starting(start_server: Any, large: Large, **times: float) -> Any:
    return start_server(
        components=building(large),
        overrides={
            "limits": {**times, "max_streams_per_caller": 3},
            "server": {"drain_seconds": 5.0, "max_concurrent_rpcs_per_caller": CALLS},
        },
    )


@pytest.fixture(scope="module")
def server(start_server: Any, large: Large) -> Any:
    times = ("request_seconds", "idle_stream_seconds", "slow_reader_seconds", "handshake_seconds")
    return starting(start_server, large, **dict.fromkeys(times, SHORT))


def ask(server: Any) -> None:
    """A call of somebody else, which has to succeed."""
    stub = ledger_pb2_grpc.LedgerServiceStub(server.channel("demo-safety-officer"))
    stub.ListEntries(ledger_pb2.ListEntriesRequest(page_size=10), timeout=30)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_call_that_sends_its_head_and_nothing_more(server: Any) -> None:
    with connect(server) as slow:
        assert reason(slow, slow.open(LIST)) == "SLOW_SENDER"
        ask(server)


def test_a_message_that_comes_byte_by_byte(server: Any) -> None:
    with connect(server) as slow:
        stream = slow.open(LIST)
        slow.send(http2.frame(DATA, 0, stream, http2.message(b"x" * 10, length=1000)))
        done = threading.Event()

        def drip() -> None:
            while not done.wait(0.05):
                try:
                    slow.send(http2.frame(DATA, 0, stream, b"x"))
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert reason(slow, stream) == "SLOW_SENDER"
        finally:
            done.set()
            dripping.join()
        ask(server)


def test_a_stream_on_which_nothing_comes_any_more(server: Any, large: Large) -> None:
    before = len(large.ended)
    with connect(server, "demo-app") as slow:
        stream = slow.open(STREAM)
        slow.send(http2.frame(DATA, 0, stream, http2.message(b"")))
        assert reason(slow, stream) == "SLOW_SENDER"
    until(lambda: len(large.ended) == before + 1)


def test_who_is_not_let_in_is_told_so_before_a_message_is_read(server: Any) -> None:
    with connect(server, token=None) as nobody:
        assert reason(nobody, nobody.open(LIST)) == "MISSING_CREDENTIAL"


def test_a_stream_that_is_not_read_lets_go_of_its_work_and_keeps_its_place(
    start_server: Any, large: Large
) -> None:
    # A server that waits long for what is sent: on a loaded machine this client is slow at that too.
    server = starting(start_server, large, slow_reader_seconds=SHORT)
    before = len(large.ended)
    with connect(server, "demo-app", settings=[(INITIAL_WINDOW_SIZE, 0)]) as slow:
        streams = [slow.open(STREAM) for _ in range(3)]
        for stream in streams:
            slow.send(http2.frame(DATA, 0, stream, http2.message(b"")))
        # The handlers end, though their clients have read nothing.
        until(lambda: len(large.ended) == before + 3)
        # What the transport holds for them still counts, or it could be made to hold anything.
        with connect(server, "demo-app") as other:
            assert reason(other, other.open(STREAM)) == "CALLER_STREAMS"
        ask(server)
        # A client that was only slow is told what happened, once it has read what was on its way.
        for stream in (0, *streams):
            slow.widen(stream, 1 << 30)
        assert reason(slow, streams[0]) == "SLOW_READER"

    def place_is_free() -> bool:
        with connect(server, "demo-app") as again:
            stream = again.open(STREAM)
            again.send(http2.frame(DATA, http2.END_STREAM, stream, http2.message(b"")))
            return reason(again, stream) != "CALLER_STREAMS"

    until(place_is_free)


def test_an_answer_that_is_not_read_counts_as_a_call(server: Any, large: Large) -> None:
    request = ledger_pb2.ListEntriesRequest(page_size=500_000).SerializeToString()

    before = large.listed

    def refused_as(expected: str) -> bool:
        with connect(server) as other:
            return reason(other, other.call(GET, b"")) == expected

    with connect(server, settings=[(INITIAL_WINDOW_SIZE, 0)]) as slow:
        for _ in range(CALLS):
            slow.call(LIST, request)
        until(lambda: large.listed == before + CALLS)
        until(lambda: refused_as("CALLER_BUSY"))
        # Longer than a client may read slowly: they count until their connection ends.
        time.sleep(2 * SHORT)
        assert refused_as("CALLER_BUSY")
        ask(server)
    until(lambda: refused_as(""))


def test_watchers_of_health_who_do_not_read(server: Any) -> None:
    with connect(server, settings=[(INITIAL_WINDOW_SIZE, 0)], token=None) as slow:
        watching = [slow.open(WATCH) for _ in range(3)]
        for stream in watching:
            slow.send(http2.frame(DATA, http2.END_STREAM, stream, http2.message(b"")))
        time.sleep(0.1)
        with grpc.secure_channel(
            server.ready.endpoint["token_target"],
            grpc.ssl_channel_credentials((server.embedded.folder / server.ready.endpoint["ca"]).read_bytes()),
        ) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=30)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_server_stops_under_a_watcher_who_does_not_read(start_server: Any, large: Large) -> None:
    server = start_server(components=building(large), overrides={"server": {"drain_seconds": 1.0}})
    with connect(server, settings=[(INITIAL_WINDOW_SIZE, 0)], token=None) as slow:
        slow.call(WATCH, b"")
        slow.call(
            WATCH, health_pb2.HealthCheckRequest(service="attending.v1.LedgerService").SerializeToString()
        )
        time.sleep(0.1)
        server.stop()
