"""Events from outside through real servers: a kill in the middle of a stream loses nothing and doubles nothing."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Acknowledged, AttendingApiError, Client, Event
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.download import download
from attending.server.demo.server import REPLAY
from attending.v1 import ledger_pb2, report_pb2

from tests.e2e.calls import TIMEOUT, entries, refused
from tests.e2e.canary import CANARIES, MRN, NAME, PHONE, STREET, found
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.server_process import ServerProcess, ended

EVENTS = 10_000
INFERENCE = "inf_" + "0" * 32


def feedback(number: int, **more: Any) -> Event:
    body = {"inference_id": INFERENCE, "source": "monitor", "rating": "wrong", "score": number % 11}
    return Event("feedback.recorded", body, **more)


def report(server: ServerProcess, path: Path, **anchors: Any) -> Any:
    key = VerifierKey.parse(server.connection("demo-auditor").log_key or "")
    with Client(server.connection("demo-auditor")) as auditor:
        download(auditor, report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit"), path)
    return verify_bundle(path, Anchors(keys=(key,), **anchors))


@pytest.mark.kill
@pytest.mark.timeout(300)
def test_kill_nine_in_the_middle_of_a_stream(tmp_path: Path, ends: ExitStack) -> None:
    server = ServerProcess(tmp_path / "data", Path(REPLAY), keep_port=True)
    ends.enter_context(ended(server))
    server.start()
    seen: list[Acknowledged] = []
    reached: dict[int, threading.Event] = {at: threading.Event() for at in (2_000, 5_000, 6_500, 8_000)}

    def note(done: Acknowledged) -> None:
        seen.append(done)
        for at, event in reached.items():
            if len(seen) >= at:
                event.set()

    def kill() -> None:
        for kills, event in enumerate(reached.values()):
            assert event.wait(TIMEOUT)
            # Two; more where both fell between an acknowledgement and the next commit, so that nothing was sent twice.
            if kills >= 2 and any(done.already_recorded for done in seen):
                return
            server.kill()
            server.start()

    # Waited for also when the stream fails, or it would start a server after the last was ended.
    with ThreadPoolExecutor(1) as pool, Client(server.connection("demo-app")) as client:
        killing = pool.submit(kill)
        with client.event_stream("loader", on_acknowledged=note) as stream:
            for number in range(EVENTS):
                stream.append(feedback(number), timeout_seconds=120)
            stream.flush(timeout_seconds=120)
            killing.result(TIMEOUT)
        told = stream.close()
    assert (told.issued, told.received, told.missing) == (EVENTS, EVENTS, 0)
    assert [done.sequence for done in seen] == list(range(1, EVENTS + 1))
    # The kills fell into the stream: something was sent twice, and answered with its first entry.
    assert any(done.already_recorded for done in seen)
    with Client(server.connection("demo-auditor")) as auditor:
        stored = [entry for entry in entries(auditor) if "emitter" in entry["body"]]
    events = [entry for entry in stored if entry["type"] == "feedback.recorded"]
    # Each event once, with its own content, where the client was told that it is.
    assert Counter(e["body"]["emitter"]["sequence"] for e in events) == Counter(range(1, EVENTS + 1))
    assert all(e["body"]["score"] == (e["body"]["emitter"]["sequence"] - 1) % 11 for e in events)
    where = {e["body"]["emitter"]["sequence"]: e["index"] for e in events}
    assert all(where[done.sequence] == done.index for done in seen)
    assert [e["type"] for e in stored[-1:]] == ["session.ended"]
    verified = report(server, tmp_path / "all.attending", require_complete=True)
    assert verified.verdict == "passed", [r for r in verified.results if r.status != "passed"]
    details = [r.detail for r in verified.results if r.check == "V7"]
    assert f"emitter `loader` of `app:demo-app`: {EVENTS} issued, {EVENTS} present" in details
    assert server.stop() == 0


def test_a_client_that_was_killed_leaves_an_emitter_that_is_not_declared(
    tmp_path: Path, ends: ExitStack
) -> None:
    server = ServerProcess(tmp_path / "data", Path(REPLAY))
    ends.enter_context(ended(server))
    server.start()
    with Client(server.connection("demo-app")) as client:
        stream = client.event_stream("cut-short")
        for number in range(10):
            stream.append(feedback(number))
        stream.flush()
        stream.stop()
        # What it would have sent next is nowhere; a later one that was sent shows the gap.
        client.append_events([feedback(12)], emitter="cut-short", first_sequence=13)
    verified = report(server, tmp_path / "one.attending")
    assert verified.verdict == "passed"
    doubts = [r.detail for r in verified.results if r.check == "V7" and r.status == "indeterminate"]
    assert doubts == [
        "emitter `cut-short` of `app:demo-app`: at least 13 issued, 11 present, missing 11-12; "
        "its last sequence is not declared, so a lost end is not seen"
    ]
    assert report(server, tmp_path / "two.attending", require_complete=True).verdict == "indeterminate"
    with Client(server.connection("demo-app")) as client:
        request = ledger_pb2.CloseEmitterRequest(idempotency_key="end", emitter="cut-short", issued=15)
        told = client.ledger.CloseEmitter(request, timeout=TIMEOUT).completeness
    assert [(gap.first, gap.last) for gap in told.missing_ranges] == [(11, 12), (14, 15)]
    assert server.stop() == 0


def test_personal_data_of_events_is_never_in_clear(tmp_path: Path, ends: ExitStack) -> None:
    server = ServerProcess(tmp_path / "data", Path(REPLAY))
    ends.enter_context(ended(server))
    server.start()
    about = f"{NAME}, {MRN}, {PHONE}, {STREET}".encode()
    raw = b""
    with Client(server.connection("demo-app")) as client:
        kept = [
            feedback(1, subject_ref=MRN, payloads={"comment": about}),
            Event(
                "document.registered",
                {"document_id": "letter-1", "version": "1", "public": False, "source": "record"},
                payloads={"document": about},
                subject_ref=NAME,
            ),
        ]
        client.append_events(kept, emitter="canary")
        with client.event_stream("canary-stream") as stream:
            for event in kept:
                stream.append(event)
        spoilt = [
            Event("feedback.recorded", {"rating": NAME, MRN: PHONE}),
            Event(NAME, {}),
            Event("incident.opened", {"incident_id": MRN, "severity": STREET, "category": PHONE}),
            feedback(1, payloads={NAME: about}),
            # Another document that names a person must not be given by its plain hash.
            Event(
                "document.registered",
                {
                    "document_id": "letter-2",
                    "version": "1",
                    "public": False,
                    "source": "record",
                    "content_hash": "sha256:" + "0" * 64,
                },
                payloads={"document": about},
            ),
        ]
        for event in spoilt:
            request = ledger_pb2.AppendBatchRequest(
                idempotency_key=MRN, emitter="canary", events=[event.message(3)]
            )
            refusal = refused(lambda r=request: client.ledger.AppendBatch(r, timeout=TIMEOUT))  # type: ignore[misc]
            assert refusal.reason == "INVALID_REQUEST"
            raw += refusal.raw
        wrong = ledger_pb2.AppendBatchRequest(idempotency_key=MRN, emitter=NAME, events=[kept[0].message(1)])
        raw += refused(lambda: client.ledger.AppendBatch(wrong, timeout=TIMEOUT)).raw
        reused = ledger_pb2.AppendBatchRequest(
            idempotency_key=MRN, emitter="canary", events=[feedback(2, subject_ref=NAME).message(1)]
        )
        refusal = refused(lambda: client.ledger.AppendBatch(reused, timeout=TIMEOUT))
        assert refusal.reason == "SEQUENCE_REUSED"
        raw += refusal.raw
    verified = report(server, tmp_path / "all.attending")
    assert verified.verdict == "passed"
    assert server.stop() == 0
    assert found(raw) == []
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "identities" not in path.parts]
    assert any(path.name == "ledger.db" for path in files)
    assert server.log in files
    assert {str(path): found(path.read_bytes()) for path in files if found(path.read_bytes())} == {}
    assert CANARIES


# --- two tenants -----------------------------------------------------------------------------------------


def test_another_tenant_learns_nothing_and_reaches_nothing(hospital: ConfiguredServer) -> None:
    name = f"em-{uuid.uuid4().hex}"
    with (
        Client(hospital.connection("north", "app")) as north,
        Client(hospital.connection("south", "app")) as south,
        Client(hospital.connection("south", "auditor")) as auditor,
        Client(hospital.connection("north", "app2")) as sibling,
    ):
        north.append_events([feedback(1), feedback(2)], emitter=name)
        asked = ledger_pb2.GetCompletenessRequest(emitter=name)
        for other in (south, auditor, sibling):
            assert not other.ledger.GetCompleteness(asked, timeout=TIMEOUT).emitters
        # The same name is another emitter in another tenant, and of another application.
        for other in (south, sibling):
            [done] = other.append_events([feedback(3)], emitter=name)
            assert not done.already_recorded
        assert [e.received for e in north.ledger.GetCompleteness(asked).emitters] == [2]
        # An inference of another tenant is nowhere, whatever its version.
        expectation = ledger_pb2.StreamExpectation(stream=INFERENCE, version=1)
        request = ledger_pb2.AppendBatchRequest(
            idempotency_key="x", emitter=name, events=[feedback(4).message(2)], expectations=[expectation]
        )
        assert (
            refused(lambda: south.ledger.AppendBatch(request, timeout=TIMEOUT)).reason == "UNKNOWN_INFERENCE"
        )


@pytest.mark.parametrize("role", ["auditor", "clinician", "operator"])
def test_a_role_sends_its_own_types_only(hospital: ConfiguredServer, role: str) -> None:
    all_may: dict[str, set[str]] = {
        "auditor": set(),
        "clinician": {"feedback.recorded"},
        "operator": {"rag.version"},
    }
    may = all_may[role]
    events: dict[str, Callable[[], Event]] = {
        "feedback.recorded": lambda: feedback(1),
        "rag.version": lambda: Event("rag.version", {"index_id": "i", "version": "1", "documents": 2}),
        "incident.closed": lambda: Event("incident.closed", {"incident_id": "i", "outcome": "harm"}),
    }
    with Client(hospital.connection("north", role)) as client:
        for kind, event in events.items():
            emitter = f"em-{uuid.uuid4().hex}"
            if kind in may:
                client.append_events([event()], emitter=emitter)
                continue
            with pytest.raises(AttendingApiError) as caught:
                client.append_events([event()], emitter=emitter)
            assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
