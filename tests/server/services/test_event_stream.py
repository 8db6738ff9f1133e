"""The client's event stream against a real server, and against one that lies: `flush` never says more than is so."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from attending.client import AttendingApiError, Client, Event, ReceiptError
from attending.client import events as client_events
from attending.client.connection import Connection
from attending.ledger.entry import parse_entry
from attending.server.app import App, Component
from attending.server.services.append import EventRpcs
from attending.server.services.ledger import LedgerComponent, LedgerService
from attending.v1 import ledger_pb2

INFERENCE = "inf_" + "0" * 32


class Bad(LedgerService):
    """Does what a test asks for, to the answers of a stream or in place of them."""

    lie: Callable[[ledger_pb2.AppendStreamResponse], None] | None = None
    mute = False

    async def AppendStream(
        self, requests: AsyncIterator[ledger_pb2.AppendStreamRequest], context: Any
    ) -> AsyncIterator[ledger_pb2.AppendStreamResponse]:
        async for answer in super().AppendStream(requests, context):
            if self.mute and answer.HasField("acknowledged"):
                continue
            if self.lie is not None and answer.HasField("acknowledged"):
                self.lie(answer)
            yield answer


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    async def build(app: App) -> Component:
        return LedgerComponent(Bad(app.ledger, app.authorizer))

    return start_server(components=[build], overrides={"storage": {"max_queued_appends": 2}})


@pytest.fixture
def service(server: Any) -> Iterator[Bad]:
    [component] = server.app.components
    yield component.service
    component.service.lie = None
    component.service.mute = False


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    with Client(Connection.from_folder(server.embedded.folder, "demo-app")) as made:
        yield made


def feedback(**more: Any) -> Event:
    body = {"inference_id": INFERENCE, "source": "monitor", "rating": "wrong", **more}
    return Event("feedback.recorded", body)


def stored(server: Any, emitter: str) -> list[Any]:
    async def read() -> list[Any]:
        found: list[Any] = []
        stream = f"emitter/app:demo-app/{emitter}"
        while more := await server.app.ledger.stream_entries("demo", stream, len(found), 1000):
            found += more
        return found

    return list(server.run(read()))


def test_everything_is_there_when_flush_returns(server: Any, client: Client) -> None:
    seen: list[int] = []
    with client.event_stream(on_acknowledged=lambda done: seen.append(done.sequence)) as stream:
        numbers = [stream.append(feedback(score=n % 11)) for n in range(500)]
        stream.flush()
        assert [entry.body["emitter"]["sequence"] for entry in stored(server, stream.emitter)] == numbers
        assert stream.unacknowledged == []
    assert numbers == seen == list(range(1, 501))
    last = stored(server, stream.emitter)[-1]
    assert (last.type, last.body["issued"]) == ("session.ended", 500)
    with pytest.raises(RuntimeError, match="closed"):
        stream.append(feedback())
    assert stream.close().missing == 0


def test_a_batch_of_the_client(server: Any, client: Client) -> None:
    emitter = f"em-{uuid.uuid4().hex}"
    events = [
        Event(
            "document.registered",
            {"document_id": "leaflet-7", "version": "1", "public": False, "source": "policy"},
            subject_ref="MRN-1",
            payloads={"document": b"the text"},
        ),
        feedback(),
    ]
    first = client.append_events(events, emitter=emitter)
    again = client.append_events(events, emitter=emitter)
    assert [done.index for done in first] == [done.index for done in again]
    assert [done.already_recorded for done in again] == [True, True]
    assert parse_entry(first[0].receipt.entry).commitments[0].kind == "document"  # type: ignore[union-attr]
    with pytest.raises(AttendingApiError) as caught:
        client.append_events([feedback(score=99)], emitter=emitter, first_sequence=3)
    assert [field for field, _ in caught.value.field_violations] == ["events[0].body.score"]


def test_an_event_that_is_refused_ends_the_stream_and_flush_says_so(server: Any, client: Client) -> None:
    stream = client.event_stream()
    stream.append(feedback())
    stream.flush()
    stream.append(Event("review.signed", {}))
    stream.append(feedback())
    for call in (stream.flush, stream.close, lambda: stream.append(feedback())):
        with pytest.raises(AttendingApiError) as caught:
            call()
        assert caught.value.reason == "INVALID_REQUEST"
    assert [event.sequence for event in stream.unacknowledged] == [2, 3]
    assert len(stored(server, stream.emitter)) == 1
    stream.stop()


def failing(client: Client, event: Event, made: list[Any]) -> None:
    with client.event_stream() as stream:
        made.append(stream)
        stream.append(event)
        raise KeyError("mine")


def test_an_error_inside_the_block_is_the_one_that_is_seen(server: Any, client: Client) -> None:
    made: list[Any] = []
    with pytest.raises(KeyError) as caught:
        failing(client, Event("review.signed", {}), made)
    assert "could not be closed: AttendingApiError" in caught.value.__notes__[0]
    # Without such a failure, the events before the error are in the log, and the end is declared.
    with pytest.raises(KeyError):
        failing(client, feedback(), made)
    kinds = [entry.type for entry in stored(server, made[1].emitter)]
    assert kinds == ["feedback.recorded", "session.ended"]


@pytest.mark.parametrize(
    "event",
    [Event("feedback.recorded", {"score": float("nan")}), Event("feedback.recorded", {"x": object()})],
    ids=["nan", "object"],
)
def test_what_cannot_be_encoded_takes_no_sequence(client: Client, event: Event) -> None:
    with client.event_stream() as stream:
        with pytest.raises((ValueError, TypeError)):
            stream.append(event)
        assert stream.issued == 0
        assert stream.append(feedback()) == 1


def other_event(answer: ledger_pb2.AppendStreamResponse) -> None:
    results = answer.acknowledged.results
    results[0].receipt.CopyFrom(results[-1].receipt)


def changed_entry(answer: ledger_pb2.AppendStreamResponse) -> None:
    receipt = answer.acknowledged.results[0].receipt
    receipt.entry = receipt.entry.replace(b"wrong", b"other")


def no_receipt(answer: ledger_pb2.AppendStreamResponse) -> None:
    answer.acknowledged.results[0].ClearField("receipt")


def unsent(answer: ledger_pb2.AppendStreamResponse) -> None:
    answer.acknowledged.results[0].sequence += 1000


@pytest.mark.parametrize("lie", [other_event, changed_entry, no_receipt, unsent])
def test_a_server_that_lies_is_not_believed(service: Bad, client: Client, lie: Any) -> None:
    service.lie = lie
    stream = client.event_stream()
    # Both in one message, so that one answer has two receipts.
    with stream._changed:
        stream.append(feedback(score=1))
        stream.append(feedback(score=2))
    with pytest.raises(ReceiptError):
        stream.flush()
    with pytest.raises(ReceiptError):
        stream.close()
    stream.stop()


def test_flush_does_not_return_without_acknowledgements(
    service: Bad, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.mute = True
    stream = client.event_stream()
    stream.append(feedback())
    with pytest.raises(TimeoutError, match="1 events"):
        stream.flush(timeout_seconds=0.5)
    with pytest.raises(TimeoutError):
        stream.close(timeout_seconds=0.5)
    # A stream on which nothing moves is begun again, and the event is answered with its first entry.
    service.mute = False
    monkeypatch.setattr(client_events, "STALL_SECONDS", 0.2)
    stream.flush()
    assert stream.close().received == 1


def test_no_progress_for_too_long_is_an_error(tmp_path: Any, server: Any) -> None:
    folder = server.embedded.folder
    nobody = Connection("localhost:1", folder / server.ready.endpoint["ca"], None, token="att_none")
    with Client(nobody) as client:
        stream = client.event_stream(retry_seconds=0.5)
        stream.append(feedback())
        with pytest.raises(AttendingApiError) as caught:
            stream.flush()
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE
        stream.stop()


def test_a_full_buffer_makes_append_wait(service: Bad, client: Client) -> None:
    service.mute = True
    stream = client.event_stream(max_buffered=3)
    for _ in range(3):
        stream.append(feedback())
    with pytest.raises(TimeoutError):
        stream.append(feedback(), timeout_seconds=0.2)
    assert stream.issued == 3
    stream.stop()


def test_a_queue_that_is_full_for_a_while_is_waited_for(
    server: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the stream with UNAVAILABLE and a time to retry; the client keeps it and loses nothing."""
    ledger = server.app.ledger
    monkeypatch.setattr(EventRpcs, "patience_seconds", 0.0)
    refused: list[int] = []
    real = ledger._sequencer.submit
    until = time.monotonic() + 1.5

    def submit(submission: Any) -> None:
        if submission.entries and time.monotonic() < until:
            refused.append(1)
            monkeypatch.setattr(ledger._sequencer, "_max_queued", 0)
            try:
                real(submission)
            finally:
                monkeypatch.setattr(ledger._sequencer, "_max_queued", 2)
        real(submission)

    monkeypatch.setattr(ledger._sequencer, "submit", submit)
    with client.event_stream() as stream:
        for _ in range(120):
            stream.append(feedback())
    assert refused
    # The time to retry is half a second: a client that did not keep it would have come far more often.
    assert len(refused) <= 6
    assert [e.body["emitter"].get("sequence") for e in stored(server, stream.emitter)] == [
        *range(1, 121),
        None,
    ]


def test_threads_share_a_stream(server: Any, client: Client) -> None:
    with client.event_stream(max_buffered=50) as stream:
        threads = [
            threading.Thread(target=lambda: [stream.append(feedback()) for _ in range(100)]) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = stream.close()
    assert (told.issued, told.received, told.missing) == (500, 500, 0)
    assert json.loads(stored(server, stream.emitter)[0].data)["actor"] == "app:demo-app"


def test_an_app_without_rights_hears_it_at_flush(server: Any) -> None:
    with Client(Connection.from_folder(server.embedded.folder, "demo-auditor")) as auditor:
        stream = auditor.event_stream()
        stream.append(feedback())
        with pytest.raises(AttendingApiError) as caught:
            stream.flush()
        assert caught.value.reason == "PERMISSION_DENIED"
        stream.stop()
