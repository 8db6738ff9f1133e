"""What a caller writes reaches no log line, neither through a request's fields nor through the transport's words."""

from __future__ import annotations

import json
import struct
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from attending.client import Client
from attending.server.bootstrap.folder import REPLAY_FILE
from attending.v1 import common_pb2, inference_pb2, ledger_pb2

from tests.e2e.server_process import ServerProcess
from tests.security.http2 import GOAWAY, Http2, frame

FORGED = '{"event": "system.resumed", "level": "info"}'
TRICKS = {
    "newline": f"a\n{FORGED}",
    "carriage return": f"a\r{FORGED}",
    "terminal": "\x1b[2J\x1b]0;owned\x07",
    "bidi": "a\u202e\u2066forged\u2069",
    "line separator": f"a\u2028{FORGED}",
    "template": "{injected} %(injected)s ${injected}",
}
MARKS = (b"\x1b", b"owned", b"forged", b"injected", b"system.resumed", "\u202e".encode(), "\u2028".encode())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("injection") / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


def request() -> inference_pb2.RecordRequest:
    return inference_pb2.RecordRequest(
        idempotency_key=uuid.uuid4().hex,
        prompt="Confirm.",
        output="Your appointment is on Monday.",
        provider="own",
        model="own-1",
        context=inference_pb2.InferenceContext(
            policy="administrative-letter",
            tags={"team": "desk", "feature": "letters"},
            documents=[common_pb2.RetrievedDocument(id="d", version="1", text="Monday.")],
        ),
    )


def poisoned(trick: str) -> Iterator[inference_pb2.RecordRequest]:
    """A request a field, with the trick in it."""
    for field in ("idempotency_key", "prompt", "output", "provider", "model"):
        made = request()
        setattr(made, field, trick)
        yield made
    for field in ("policy", "on_behalf_of", "subject_ref"):
        made = request()
        setattr(made.context, field, trick)
        yield made
    for field in ("id", "version", "text"):
        made = request()
        setattr(made.context.documents[0], field, trick)
        yield made
    for key, value in ((trick, "x"), ("team", trick)):
        made = request()
        made.context.tags[key] = value
        yield made


@pytest.mark.parametrize("trick", sorted(TRICKS))
def test_no_field_writes_into_the_log(server: ServerProcess, trick: str) -> None:
    codes = set()
    with Client(server.connection("demo-app")) as app:
        for made in poisoned(TRICKS[trick]):
            try:
                app.inference.Record(made, timeout=60)
                codes.add(grpc.StatusCode.OK)
            except grpc.RpcError as err:
                codes.add(err.code())
                shown = repr(err.trailing_metadata()) + str(err.details())
                assert not any(mark in shown.encode() for mark in MARKS)
    assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert grpc.StatusCode.OK in codes
    assert grpc.StatusCode.INVALID_ARGUMENT in codes
    only_lines_of_ours(server)
    # Nor raw into an entry: what a body takes is ids and enums.
    with Client(server.connection("demo-auditor")) as auditor:
        start = 0
        while page := auditor.ledger.ListEntries(
            ledger_pb2.ListEntriesRequest(start_index=start, page_size=500)
        ).entries:
            for entry in page:
                assert not any(mark in entry.data for mark in MARKS)
            start += len(page)


def test_the_transport_repeats_no_words_of_a_peer(server: ServerProcess) -> None:
    endpoint = server.endpoint()
    host, _colon, port = endpoint["token_target"].rpartition(":")
    for trick in TRICKS.values():
        with Http2(host, int(port), Path(server.folder / endpoint["ca"])) as attacker:
            attacker.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 2) + trick.encode()))
            time.sleep(0.05)
    time.sleep(0.3)
    only_lines_of_ours(server)


def only_lines_of_ours(server: ServerProcess) -> None:
    raw = server.log.read_bytes()
    assert not any(mark in raw for mark in MARKS), raw[-2000:]
    for line in raw.splitlines():
        if line.startswith(b"{"):
            assert set(json.loads(line)) >= {"event", "level"}
