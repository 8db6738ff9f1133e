"""Events from outside over real TLS: all or nothing, each sequence once, only what the caller may, only what fits."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.ledger.entry import ENTRY_TYPES, PendingEntry, parse_entry
from attending.ledger.proof import verify_receipt
from attending.ledger.verify.emitters import completeness
from attending.server.events.types import EXTERNAL_TYPES
from attending.server.services.append import EventRpcs
from attending.server.services.ledger import build
from attending.v1 import ledger_pb2, ledger_pb2_grpc

TIMEOUT = 60
INFERENCE = "inf_" + "0" * 32
FEEDBACK = {"inference_id": INFERENCE, "source": "clinician", "rating": "wrong"}
SECRET = "Zebulon Quackenbush MRN 77355129"
EVERYONE = (
    "demo-app",
    "dr-rivera",
    "demo-pharmacist",
    "demo-auditor",
    "demo-operator",
    "demo-privacy-officer",
    "demo-safety-officer",
)


def event(sequence: int, kind: str = "feedback.recorded", body: Any = None, **more: Any) -> ledger_pb2.Event:
    raw = body if isinstance(body, bytes) else json.dumps(FEEDBACK if body is None else body).encode()
    return ledger_pb2.Event(sequence=sequence, type=kind, body=raw, **more)


def payload(content: bytes = SECRET.encode(), kind: str = "comment") -> ledger_pb2.EventPayload:
    return ledger_pb2.EventPayload(kind=kind, content=content)


def batch(emitter: str, events: list[ledger_pb2.Event], **more: Any) -> ledger_pb2.AppendBatchRequest:
    more.setdefault("idempotency_key", uuid.uuid4().hex)
    return ledger_pb2.AppendBatchRequest(emitter=emitter, events=events, **more)


def opening(emitter: str, **more: Any) -> ledger_pb2.AppendStreamRequest:
    return ledger_pb2.AppendStreamRequest(open=ledger_pb2.AppendStreamRequest.Open(emitter=emitter, **more))


def sent(*events: ledger_pb2.Event) -> ledger_pb2.AppendStreamRequest:
    return ledger_pb2.AppendStreamRequest(events=ledger_pb2.AppendStreamRequest.Events(events=events))


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[build], overrides={"storage": {"max_queued_appends": 2}})


def stub(server: Any, identity: str = "demo-app") -> Any:
    return ledger_pb2_grpc.LedgerServiceStub(server.channel(identity))


@pytest.fixture(scope="module")
def app(server: Any) -> Any:
    return stub(server)


@pytest.fixture
def emitter() -> str:
    return f"em-{uuid.uuid4().hex}"


def failure(call: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        list(call())
    return translate(caught.value)


def size(server: Any) -> int:
    return int(server.run(server.app.ledger.head("demo"))[0])


def log(server: Any) -> list[Any]:
    async def read() -> list[Any]:
        found: list[Any] = []
        while more := await server.app.ledger.list_entries("demo", len(found), 1000):
            found += more
        return found

    return list(server.run(read()))


def completeness_of(app: Any, emitter: str) -> ledger_pb2.EmitterCompleteness:
    request = ledger_pb2.GetCompletenessRequest(emitter=emitter)
    found: list[ledger_pb2.EmitterCompleteness] = list(app.GetCompleteness(request, timeout=TIMEOUT).emitters)
    assert len(found) == 1
    return found[0]


def ranges(found: ledger_pb2.EmitterCompleteness) -> list[tuple[int, int]]:
    return [(item.first, item.last) for item in found.missing_ranges]


# --- batches ---------------------------------------------------------------------------------------------


def test_a_batch_with_receipts_and_pseudonyms(server: Any, app: Any, emitter: str) -> None:
    events = [
        event(1, subject_ref="MRN 77355129", payloads=[payload()]),
        event(2, "rag.version", {"index_id": "guidelines", "version": "7", "documents": 3}),
        event(3, subject_ref=" mrn  77355129 "),
    ]
    answer = app.AppendBatch(batch(emitter, events, receipts=True), timeout=TIMEOUT)
    assert [result.sequence for result in answer.results] == [1, 2, 3]
    assert not any(result.already_recorded for result in answer.results)
    pinned = server.ready.endpoint["log_keys"]["demo"]
    entries = []
    for result in answer.results:
        verify_receipt(result.receipt.tlog_proof, result.receipt.entry, [pinned])
        entries.append(parse_entry(result.receipt.entry))
    assert [entry.type for entry in entries] == ["feedback.recorded", "rag.version", "feedback.recorded"]
    assert entries[0].body == {
        **FEEDBACK,
        "emitter": {"id": emitter, "sequence": 1},
        "authorized_by": ["app-tells-of-its-work", "events-by-those-who-have-some"],
    }
    # One person, one pseudonym; and nothing of the person in the entry.
    assert entries[0].subject is not None
    assert entries[0].subject == entries[2].subject
    assert entries[1].subject is None
    assert all(b"77355129" not in entry.data and b"Zebulon" not in entry.data for entry in entries)
    assert {entry.actor for entry in entries} == {"app:demo-app"}
    record = entries[0].commitments[0].record
    assert server.run(server.app.ledger.open_payload("demo", record)) == SECRET.encode()


@pytest.mark.parametrize(
    ("spoilt", "field"),
    [
        (event(2, "inference.released"), "events[1].type"),
        (event(2, body={**FEEDBACK, "rating": SECRET}), "events[1].body.rating"),
        (event(2, body={"source": "clinician", "rating": "wrong"}), "events[1].body.inference_id"),
        (event(2, body={**FEEDBACK, SECRET: 1}), "events[1].body"),
        (event(2, body={**FEEDBACK, "emitter": {"id": "x", "sequence": 9}}), "events[1].body"),
        (event(2, body={**FEEDBACK, "score": 11}), "events[1].body.score"),
        (event(2, body={**FEEDBACK, "score": True}), "events[1].body.score"),
        (event(2, body=json.dumps({**FEEDBACK, "score": 1.5}).encode()), "events[1].body"),
        (event(2, body={**FEEDBACK, "rating": "wrong\x00"}), "events[1].body.rating"),
        (event(2, body={**FEEDBACK, "rating": "wr\u043eng"}), "events[1].body.rating"),
        (event(2, body={**FEEDBACK, "categories": []}), "events[1].body.categories"),
        (event(2, body={**FEEDBACK, "categories": ["a", "a"]}), "events[1].body.categories"),
        (event(2, body={**FEEDBACK, "categories": ["Zebulon Quackenbush"]}), "events[1].body.categories"),
        (event(2, body=b'{"rating":"wrong","rating":"helpful"}'), "events[1].body"),
        (event(2, body=b"[" * 4000), "events[1].body"),
        (event(2, body=b'{"a":' * 20 + b"1" + b"}" * 20), "events[1].body"),
        (event(2, body=b"{" + b" " * 9000 + b"}"), "events[1].body"),
        (event(2, body=b"\xff\xfe{}"), "events[1].body"),
        (event(2, body=b'{"rating":"\\ud800"}'), "events[1].body"),
        (event(2, body=b"null"), "events[1].body"),
        (event(2, body=b""), "events[1].body"),
        (event(2, subject_ref="Zebulon\x00"), "events[1].subject_ref"),
        (event(2, subject_ref="Z" * 300), "events[1].subject_ref"),
        (event(2, payloads=[payload(kind="prompt")]), "events[1].payloads"),
        (event(2, payloads=[payload(), payload()]), "events[1].payloads"),
        (event(2, payloads=[payload(b"")]), "events[1].payloads[0].content"),
        (event(2, payloads=[payload(b"x" * (1024 * 1024 + 1))]), "events[1].payloads[0].content"),
        (event(0), "events[1].sequence"),
        (event(2**53), "events[1].sequence"),
        (event(1), "events[1].sequence"),
    ],
)
def test_one_bad_event_and_nothing_of_the_batch_is_stored(
    server: Any, app: Any, emitter: str, spoilt: ledger_pb2.Event, field: str
) -> None:
    before = size(server)
    error = failure(lambda: app.AppendBatch(batch(emitter, [event(1), spoilt, event(3)]), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert {name for name, _expected in error.field_violations} == {field}
    assert "Zebulon" not in repr(error.field_violations)
    assert size(server) == before
    assert not app.GetCompleteness(ledger_pb2.GetCompletenessRequest(emitter=emitter)).emitters


def test_a_message_that_is_too_large_has_a_reason(server: Any, app: Any, emitter: str) -> None:
    before = size(server)
    events = [event(n, payloads=[payload(b"x" * 1_000_000)]) for n in range(1, 6)]
    for call in (
        lambda: app.AppendBatch(batch(emitter, events), timeout=TIMEOUT),
        lambda: app.AppendStream(iter([opening(emitter), sent(*events)]), timeout=TIMEOUT),
    ):
        error = failure(call)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert error.metadata["acknowledged_sequence"] == "0"
    assert size(server) == before


def test_a_batch_of_nothing_but_errors_names_the_first_thirty(app: Any, emitter: str) -> None:
    events = [event(0, "system.halted") for _ in range(1000)]
    error = failure(lambda: app.AppendBatch(batch(emitter, events), timeout=TIMEOUT))
    assert (error.reason, len(error.field_violations)) == ("INVALID_REQUEST", 30)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_one_to_a_thousand_events(app: Any, emitter: str, count: int) -> None:
    error = failure(lambda: app.AppendBatch(batch(emitter, [event(1)] * count), timeout=TIMEOUT))
    assert [name for name, _ in error.field_violations] == ["events"]


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "x" * 65, "a/b", "é"])
def test_a_name_of_an_emitter_is_of_few_characters(app: Any, name: str) -> None:
    error = failure(lambda: app.AppendBatch(batch(name, [event(1)]), timeout=TIMEOUT))
    assert ("emitter", "INVALID_REQUEST") in {(field, error.reason) for field, _ in error.field_violations}


def test_the_same_key_and_the_same_sequences_answer_with_the_first_result(
    server: Any, app: Any, emitter: str
) -> None:
    events = [event(n, payloads=[payload()], subject_ref="p-1") for n in (1, 2, 3)]
    request = batch(emitter, events)
    first = [result.index for result in app.AppendBatch(request, timeout=TIMEOUT).results]
    before = size(server)
    for again in (request, batch(emitter, events)):
        results = app.AppendBatch(again, timeout=TIMEOUT).results
        assert [(r.index, r.already_recorded) for r in results] == [(index, True) for index in first]
    assert size(server) == before
    # Some of them known, one of them new: the new one is appended.
    results = app.AppendBatch(batch(emitter, [events[1], event(4)], receipts=True), timeout=TIMEOUT).results
    assert [(r.index, r.already_recorded) for r in results] == [(first[1], True), (before, False)]
    assert all(r.receipt.index == r.index for r in results)


@pytest.mark.parametrize(
    "other",
    [
        event(1, body={**FEEDBACK, "rating": "helpful"}, payloads=[payload()], subject_ref="p-1"),
        event(1, payloads=[payload(b"another text")], subject_ref="p-1"),
        event(1, payloads=[payload()], subject_ref="p-2"),
        event(1, payloads=[payload()]),
        event(1, subject_ref="p-1"),
        event(1, payloads=[payload()], subject_ref="p-1", occurred_at={"seconds": 1}),
    ],
    ids=["body", "payload", "person", "no person", "no payload", "time"],
)
def test_a_sequence_with_other_content_is_refused(
    server: Any, app: Any, emitter: str, other: ledger_pb2.Event
) -> None:
    app.AppendBatch(batch(emitter, [event(1, payloads=[payload()], subject_ref="p-1")]), timeout=TIMEOUT)
    before = size(server)
    error = failure(lambda: app.AppendBatch(batch(emitter, [event(2), other]), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SEQUENCE_REUSED")
    assert error.metadata == {"sequence": "1"}
    assert size(server) == before


def test_a_key_with_another_body_is_refused(app: Any, emitter: str) -> None:
    app.AppendBatch(batch(emitter, [event(1)], idempotency_key="k-" + emitter), timeout=TIMEOUT)
    again = batch(emitter, [event(2)], idempotency_key="k-" + emitter)
    assert failure(lambda: app.AppendBatch(again, timeout=TIMEOUT)).reason == "IDEMPOTENCY_KEY_REUSED"


def test_an_expectation_holds_for_the_whole_batch(server: Any, app: Any, emitter: str) -> None:
    mine, other = "inf_" + uuid.uuid4().hex, "inf_" + uuid.uuid4().hex

    async def fill() -> None:
        for stream, actor in ((mine, "app:demo-app"), (other, "app:another")):
            await server.app.ledger.append(
                "demo", [PendingEntry("inference.requested", stream, actor, None, {})]
            )

    server.run(fill())

    def expecting(stream: str, version: int) -> ledger_pb2.AppendBatchRequest:
        return batch(emitter, [event(1)], expectations=[{"stream": stream, "version": version}])

    before = size(server)
    error = failure(lambda: app.AppendBatch(expecting(mine, 2), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "EXPECTATION_FAILED")
    # Another's inference, one that is nowhere, and a stream of the server look the same.
    for stream in (other, "inf_" + uuid.uuid4().hex, "access/demo-app"):
        assert (
            failure(lambda s=stream: app.AppendBatch(expecting(s, 1), timeout=TIMEOUT)).reason
            == "UNKNOWN_INFERENCE"
        )
    assert size(server) == before
    app.AppendBatch(expecting(mine, 1), timeout=TIMEOUT)
    assert size(server) == before + 1


# --- who may what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", EVERYONE)
def test_what_the_gate_and_the_desk_write_is_never_taken_from_outside(server: Any, identity: str) -> None:
    calls = stub(server, identity)
    forbidden = sorted(ENTRY_TYPES - EXTERNAL_TYPES.keys())
    for source in (
        "inference",
        "review",
        "key",
        "policy",
        "system",
        "subject",
        "hold",
        "prompt",
        "access",
        "user",
    ):
        assert any(name.startswith(source + ".") for name in forbidden)
    assert not [
        name for name in EXTERNAL_TYPES if name.split(".")[0] in {"inference", "review", "session", "report"}
    ]
    events = [event(n, name) for n, name in enumerate(forbidden, 1)]
    expected = "PERMISSION_DENIED" if identity == "demo-auditor" else "INVALID_REQUEST"
    before = {entry.type for entry in log(server) if entry.actor.endswith(identity)}
    for start in range(0, len(events), 25):
        few = events[start : start + 25]
        error = failure(lambda few=few: calls.AppendBatch(batch("forged", few), timeout=TIMEOUT))
        assert error.reason == expected
        if expected == "INVALID_REQUEST":
            assert {f for f, _ in error.field_violations} == {f"events[{n}].type" for n in range(len(few))}
    error = failure(lambda: calls.AppendStream(iter([opening("forged"), sent(events[0])]), timeout=TIMEOUT))
    assert error.reason == expected
    after = {entry.type for entry in log(server) if entry.actor.endswith(identity)}
    assert after - before <= {"access.denied"}


def test_a_type_that_the_role_may_not_send_is_denied_and_on_record(server: Any, emitter: str) -> None:
    incident = event(2, "incident.closed", {"incident_id": "i-1", "outcome": "resolved"})
    clinician = stub(server, "dr-rivera")
    error = failure(lambda: clinician.AppendBatch(batch(emitter, [event(1), incident]), timeout=TIMEOUT))
    assert (error.reason, error.metadata) == ("PERMISSION_DENIED", {"action": "appendEvent"})
    last = log(server)[-1]
    assert (last.type, last.body["action"], last.actor) == ("access.denied", "appendEvent", "human:dr-rivera")
    stub(server, "demo-safety-officer").AppendBatch(batch(emitter, [event(1), incident]), timeout=TIMEOUT)


def test_an_emitter_is_its_senders_own(server: Any, app: Any, emitter: str) -> None:
    app.AppendBatch(batch(emitter, [event(1)]), timeout=TIMEOUT)
    other = stub(server, "dr-rivera")
    assert not other.AppendBatch(batch(emitter, [event(1)]), timeout=TIMEOUT).results[0].already_recorded
    request = ledger_pb2.GetCompletenessRequest(emitter=emitter)
    assert [e.actor for e in app.GetCompleteness(request).emitters] == ["app:demo-app"]
    found = stub(server, "demo-auditor").GetCompleteness(request)
    assert [e.actor for e in found.emitters] == ["app:demo-app", "human:dr-rivera"]
    assert found.server.acknowledged > 0
    assert not app.GetCompleteness(request).HasField("server")


def test_completeness_comes_in_pages(server: Any) -> None:
    operator = stub(server, "demo-pharmacist")
    prefix = uuid.uuid4().hex[:8]
    for number in range(5):
        operator.AppendBatch(batch(f"{prefix}-{number}", [event(1)]), timeout=TIMEOUT)
    found, token = [], ""
    while True:
        page = operator.GetCompleteness(ledger_pb2.GetCompletenessRequest(page_size=2, page_token=token))
        found += [item.emitter for item in page.emitters]
        token = page.next_page_token
        if not token:
            break
    assert [name for name in found if name.startswith(prefix)] == [f"{prefix}-{n}" for n in range(5)]
    assert len(found) == len(set(found)) or found.count(found[0]) <= 2


# --- gaps and ends ---------------------------------------------------------------------------------------


def test_gaps_are_told_and_late_arrivals_fill_them(server: Any, app: Any, emitter: str) -> None:
    app.AppendBatch(batch(emitter, [event(n) for n in (2, 3, 7)]), timeout=TIMEOUT)
    found = completeness_of(app, emitter)
    assert (found.received, found.highest, found.missing) == (3, 7, 4)
    assert ranges(found) == [(1, 1), (4, 6)]
    assert not found.HasField("issued")
    app.AppendBatch(batch(emitter, [event(n) for n in (5, 1)]), timeout=TIMEOUT)
    assert ranges(completeness_of(app, emitter)) == [(4, 4), (6, 6)]
    closing = ledger_pb2.CloseEmitterRequest(idempotency_key=uuid.uuid4().hex, emitter=emitter, issued=9)
    answer = app.CloseEmitter(closing, timeout=TIMEOUT)
    assert (answer.completeness.issued, ranges(answer.completeness)) == (9, [(4, 4), (6, 6), (8, 9)])
    entry = parse_entry(answer.receipt.entry)
    permits = {"authorized_by": ["events-by-those-who-have-some"]}
    assert (entry.type, entry.body) == ("session.ended", {"emitter": {"id": emitter}, "issued": 9, **permits})
    # Late ones still fill their places; nothing comes after the end, and the end does not move.
    app.AppendBatch(batch(emitter, [event(n) for n in (4, 6, 8)]), timeout=TIMEOUT)
    assert ranges(completeness_of(app, emitter)) == [(9, 9)]
    error = failure(lambda: app.AppendBatch(batch(emitter, [event(10)]), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EMITTER_CLOSED")
    app.AppendBatch(batch(emitter, [event(9)]), timeout=TIMEOUT)
    # What the entries tell by themselves is the same.
    [told] = [e for e in completeness(log(server)).all() if e.id == emitter]
    found = completeness_of(app, emitter)
    assert (told.issued, told.sequences.count, told.last_time) == (
        found.issued,
        found.received,
        log(server)[-1].time,
    )
    assert list(told.sequences.missing(told.expected)) == ranges(found) == []


def test_an_end_is_declared_once(server: Any, app: Any, emitter: str) -> None:
    app.AppendBatch(batch(emitter, [event(1), event(2)]), timeout=TIMEOUT)

    def closing(issued: int, key: str = "") -> ledger_pb2.CloseEmitterRequest:
        return ledger_pb2.CloseEmitterRequest(
            idempotency_key=key or uuid.uuid4().hex, emitter=emitter, issued=issued
        )

    error = failure(lambda: app.CloseEmitter(closing(1), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ISSUED_BELOW_RECEIVED")
    first = app.CloseEmitter(closing(2, emitter), timeout=TIMEOUT).receipt.index
    before = size(server)
    assert app.CloseEmitter(closing(2, emitter), timeout=TIMEOUT).receipt.index == first
    assert app.CloseEmitter(closing(2), timeout=TIMEOUT).receipt.index == first
    assert size(server) == before
    error = failure(lambda: app.CloseEmitter(closing(3), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EMITTER_CLOSED")


def test_an_emitter_that_issued_nothing_can_say_so(app: Any, emitter: str) -> None:
    request = ledger_pb2.CloseEmitterRequest(idempotency_key=uuid.uuid4().hex, emitter=emitter, issued=0)
    found = app.CloseEmitter(request, timeout=TIMEOUT).completeness
    assert (found.issued, found.received, found.missing) == (0, 0, 0)


def test_a_client_that_skips_at_will_is_refused_in_the_end(app: Any, emitter: str) -> None:
    app.AppendBatch(batch(emitter, [event(2 * n) for n in range(1, 1001)]), timeout=TIMEOUT)
    error = failure(lambda: app.AppendBatch(batch(emitter, [event(5000)]), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_GAPS")
    found = completeness_of(app, emitter)
    assert (found.missing, len(found.missing_ranges)) == (1000, 100)
    # Filling one makes room for another.
    app.AppendBatch(batch(emitter, [event(3), event(5000)]), timeout=TIMEOUT)


def test_many_batches_at_once_take_each_sequence_once(server: Any, app: Any, emitter: str) -> None:
    results: list[tuple[int, int]] = []
    errors: list[Exception] = []

    def send(start: int) -> None:
        for n in range(start, start + 60, 2):
            while True:
                try:
                    answer = app.AppendBatch(batch(emitter, [event(n + 1), event(n + 2)]), timeout=TIMEOUT)
                except grpc.RpcError as err:
                    if translate(err).reason != "QUEUE_FULL":
                        errors.append(err)
                        return
                else:
                    results.extend((r.sequence, r.index) for r in answer.results)
                    break

    # Two by two they send the same: one appends, the other is answered with it.
    threads = [threading.Thread(target=send, args=(start,)) for start in (0, 0, 60, 60, 30, 90)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(results)) == 150
    found = completeness_of(app, emitter)
    assert (found.received, found.highest, found.missing) == (150, 150, 0)
    [told] = [e for e in completeness(log(server)).all() if e.id == emitter]
    assert told.sequences.ranges() == [(1, 150)]
    assert not completeness(log(server)).problems


# --- streams ---------------------------------------------------------------------------------------------


def test_a_stream_acknowledges_each_event(server: Any, app: Any, emitter: str) -> None:
    messages = [opening(emitter, receipts=True)] + [
        sent(*(event(n) for n in range(start, start + 25))) for start in range(1, 501, 25)
    ]
    answers = list(app.AppendStream(iter(messages), timeout=TIMEOUT))
    opened = answers[0].opened
    assert (opened.received_through, opened.highest, opened.max_in_flight) == (0, 0, 1000)
    results = [result for answer in answers[1:] for result in answer.acknowledged.results]
    assert [result.sequence for result in results] == list(range(1, 501))
    pinned = server.ready.endpoint["log_keys"]["demo"]
    for result in results[::50]:
        verify_receipt(result.receipt.tlog_proof, result.receipt.entry, [pinned])
    # Taken up again, it says what it has, and answers what comes again with the first result.
    answers = list(app.AppendStream(iter([opening(emitter), messages[4]]), timeout=TIMEOUT))
    assert answers[0].opened.received_through == 500
    again = answers[1].acknowledged.results
    assert [(r.sequence, r.index, r.already_recorded) for r in again] == [
        (r.sequence, r.index, True) for r in results[75:100]
    ]


def test_a_bad_message_ends_the_stream_after_those_before_it(server: Any, app: Any, emitter: str) -> None:
    messages = [
        opening(emitter),
        sent(event(1), event(2)),
        sent(event(3), event(4, "key.enrolled")),
        sent(event(5)),
    ]
    answers = []
    with pytest.raises(grpc.RpcError) as caught:
        answers.extend(app.AppendStream(iter(messages), timeout=TIMEOUT))
    error = translate(caught.value)
    assert [f for f, _ in error.field_violations] == ["events[1].type"]
    assert error.metadata == {"emitter": emitter, "acknowledged_sequence": "2", "first_sequence": "3"}
    assert [r.sequence for a in answers[1:] for r in a.acknowledged.results] == [1, 2]
    assert completeness_of(app, emitter).highest == 2


def test_a_reused_sequence_ends_the_stream_after_those_before_it(app: Any, emitter: str) -> None:
    app.AppendBatch(batch(emitter, [event(3)]), timeout=TIMEOUT)
    other = event(3, body={**FEEDBACK, "rating": "unsafe"})
    error = failure(
        lambda: app.AppendStream(
            iter([opening(emitter), sent(event(1)), sent(event(2)), sent(other), sent(event(4))]),
            timeout=TIMEOUT,
        )
    )
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SEQUENCE_REUSED")
    assert error.metadata == {"sequence": "3", "emitter": emitter, "acknowledged_sequence": "2"}
    assert completeness_of(app, emitter).received == 3


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [sent(event(1))],
        [opening("a b")],
        [opening("e-1"), opening("e-2")],
        [opening("e-1"), ledger_pb2.AppendStreamRequest()],
        [opening("e-1"), sent()],
        [opening("e-1"), sent(*(event(n) for n in range(1, 102)))],
    ],
    ids=["nothing", "not opened", "name", "opened twice", "empty", "no event", "too many"],
)
def test_a_stream_that_is_not_one_is_refused(server: Any, app: Any, messages: list[Any]) -> None:
    before = size(server)
    error = failure(lambda: app.AppendStream(iter(messages), timeout=TIMEOUT))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert size(server) == before


@pytest.fixture
def full(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The writer stands still and its queue of two is full, until the event is set."""
    ledger = server.app.ledger
    go, inside = threading.Event(), threading.Event()
    begin = ledger._store.begin

    def slow(*logs: Any) -> Any:
        inside.set()
        assert go.wait(TIMEOUT)
        return begin(*logs)

    monkeypatch.setattr(ledger._store, "begin", slow)
    monkeypatch.setattr(EventRpcs, "patience_seconds", 1.0)
    filling = []

    async def fill() -> None:
        import asyncio

        def entry(n: int) -> PendingEntry:
            return PendingEntry("budget.changed", f"fill-{uuid.uuid4().hex}", "system:test", None, {"n": n})

        filling.append(asyncio.ensure_future(ledger.append("demo", [entry(0)])))
        await asyncio.to_thread(inside.wait, TIMEOUT)
        filling.extend(asyncio.ensure_future(ledger.append("demo", [entry(n)])) for n in (1, 2))
        await asyncio.sleep(0)

    server.run(fill())
    yield go
    go.set()

    async def drained() -> None:
        for task in filling:
            await task

    server.run(drained())


def test_a_full_queue_is_unavailable_with_a_time_to_retry(
    server: Any, app: Any, emitter: str, full: threading.Event
) -> None:
    request = batch(emitter, [event(1)])
    for call in (
        lambda: app.AppendBatch(request, timeout=TIMEOUT),
        lambda: app.AppendStream(iter([opening(emitter), sent(event(1))]), timeout=TIMEOUT),
    ):
        error = failure(call)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "QUEUE_FULL")
        assert error.retry_after_seconds is not None
        assert error.retry_after_seconds > 0
    assert error.metadata == {"emitter": emitter, "acknowledged_sequence": "0"}
    full.set()
    # Nothing of either was stored. The queue is a moment in emptying.
    while True:
        try:
            [result] = app.AppendBatch(request, timeout=TIMEOUT).results
            break
        except grpc.RpcError as err:
            if translate(err).reason != "QUEUE_FULL":
                raise
            time.sleep(0.01)
    assert not result.already_recorded


def test_a_stream_waits_for_room(server: Any, app: Any, emitter: str, full: threading.Event) -> None:
    threading.Timer(0.3, full.set).start()
    answers = list(app.AppendStream(iter([opening(emitter), sent(event(1))]), timeout=TIMEOUT))
    assert [r.sequence for r in answers[1].acknowledged.results] == [1]


def test_a_client_that_leaves_does_not_stop_what_was_begun(
    server: Any, app: Any, emitter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = server.app.ledger._store
    go, inside = threading.Event(), threading.Event()
    begin = store.begin

    def slow(*logs: Any) -> Any:
        inside.set()
        assert go.wait(TIMEOUT)
        return begin(*logs)

    monkeypatch.setattr(store, "begin", slow)
    call = app.AppendStream(iter([opening(emitter), sent(event(1))]), timeout=TIMEOUT)
    assert next(call).HasField("opened")
    assert inside.wait(TIMEOUT)
    call.cancel()
    go.set()
    # What comes next, by another call, finds the sequence there.
    results = app.AppendBatch(batch(emitter, [event(1), event(2)]), timeout=TIMEOUT).results
    assert [result.already_recorded for result in results] == [True, False]


def test_a_server_that_stops_ends_idle_streams_with_what_they_have(start_server: Any) -> None:
    own = start_server(components=[build], overrides={"server": {"drain_seconds": 600.0}})
    go = threading.Event()

    def messages() -> Iterator[Any]:
        yield opening("idle")
        yield sent(event(1))
        go.wait(TIMEOUT)

    channel = own.channel("demo-app")
    call = ledger_pb2_grpc.LedgerServiceStub(channel).AppendStream(messages())
    assert next(call).HasField("opened")
    assert next(call).acknowledged.results[0].sequence == 1
    own.opened.remove(channel)  # not closed by the stop: the server must end the stream
    own.stop()
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    go.set()
    error = translate(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")
    assert error.metadata["acknowledged_sequence"] == "1"
    channel.close()
