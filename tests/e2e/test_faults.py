"""A provider that fails, a client that leaves, checks that die, a disk that is full: a clear answer, the closing
entry, and nothing released that is not on record."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Client
from attending.client.errors import translate
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.download import download
from attending.v1 import inference_pb2, ledger_pb2, report_pb2

from tests.e2e.calls import TIMEOUT, entries, infer_request, refused, state, types
from tests.e2e.configured_server import CHECK_SECONDS, ConfiguredServer
from tests.e2e.conftest import FAILURES, LETTER, REPLAYED
from tests.e2e.lying_provider import PLANTED
from tests.e2e.server_process import ServerProcess

WAIT_SECONDS = 60.0
TEMPORARY = {"PROVIDER_UNAVAILABLE", "PROVIDER_TIMEOUT", "PROVIDER_RATE_LIMITED"}


@pytest.fixture(scope="module")
def app(hospital: ConfiguredServer) -> Iterator[Client]:
    with Client(hospital.connection("north", "app")) as client:
        yield client


@pytest.fixture(scope="module")
def auditor(hospital: ConfiguredServer) -> Iterator[Client]:
    with Client(hospital.connection("north", "auditor")) as client:
        yield client


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def infer(app: Client, request: inference_pb2.InferRequest) -> inference_pb2.InferenceResult:
    """The result; a refusal fails the test by its reason, which gRPC's own message does not tell."""
    try:
        return app.inference.Infer(request, timeout=CHECK_SECONDS + WAIT_SECONDS).result
    except grpc.RpcError as err:
        pytest.fail(f"refused: {translate(err).reason}")


def get(client: Client, inference_id: str) -> inference_pb2.InferenceResult:
    request = inference_pb2.GetInferenceRequest(inference_id=inference_id)
    return client.inference.GetInference(request, timeout=TIMEOUT).result


def failed_once(
    app: Client, auditor: Client, request: inference_pb2.InferRequest, reason: str, seconds: float = TIMEOUT
) -> str:
    """The call is refused with `reason`, closed on record, and its retry learns the same without a second run."""
    answer = refused(lambda: app.inference.Infer(request, timeout=seconds))
    assert answer.reason == reason
    unavailable = answer.code is grpc.StatusCode.UNAVAILABLE
    assert unavailable == (reason in TEMPORARY)
    assert PLANTED.encode() not in answer.raw
    inference_id = answer.error.metadata["inference_id"]
    assert types(auditor, inference_id)[:2] == ["inference.requested", "inference.failed"]
    closing = list(entries(auditor, inference_id))[1]
    assert closing["body"]["reason"] == reason
    got = get(app, inference_id)
    assert (state(got), got.output) == ("failed", "")
    assert got.next_step
    again = refused(lambda: app.inference.Infer(request, timeout=seconds))
    assert (again.reason, again.error.metadata) == (reason, answer.error.metadata)
    return inference_id


@pytest.mark.parametrize("reason", FAILURES)
def test_a_provider_that_fails(app: Client, auditor: Client, reason: str) -> None:
    failed_once(app, auditor, infer_request(model=reason.lower().replace("_", "-")), reason)


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("remote", "down", "PROVIDER_UNAVAILABLE"),
        ("remote", "cut", "PROVIDER_UNAVAILABLE"),
        ("remote", "rate", "PROVIDER_RATE_LIMITED"),
        ("remote", "refuse", "PROVIDER_REFUSED"),
        ("remote", "denied", "PROVIDER_REFUSED"),
        ("remote", "missing", "PROVIDER_UNKNOWN_MODEL"),
        ("remote", "huge", "PROVIDER_OUTPUT_TOO_LARGE"),
        *(
            ("remote", model, "PROVIDER_BAD_REPLY")
            for model in (
                *("html", "not-json", "no-choices", "null-choices", "null-text", "number", "list"),
                *("empty", "blank", "nul", "surrogate", "array", "null", "string"),
            )
        ),
        ("replay", "no-such-model", "PROVIDER_UNKNOWN_MODEL"),
        ("replay", "nul", "PROVIDER_BAD_REPLY"),
        ("replay", "surrogate", "PROVIDER_BAD_REPLY"),
    ],
)
def test_a_provider_that_lies(app: Client, auditor: Client, provider: str, model: str, reason: str) -> None:
    failed_once(app, auditor, infer_request(provider=provider, model=model), reason)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("good", (7, 9)),
        ("strange-names", (7, 9)),
        ("surrogate-name", (7, 9)),
        ("negative-usage", (None, None)),
        ("text-usage", (None, None)),
        ("no-usage", (None, None)),
    ],
)
def test_what_else_a_provider_says_is_kept_only_when_it_can_be_true(
    app: Client, auditor: Client, model: str, usage: tuple[int | None, int | None]
) -> None:
    result = app.inference.Infer(infer_request(provider="remote", model=model), timeout=TIMEOUT).result
    assert (state(result), result.output) == ("released", LETTER)
    told = tuple(
        getattr(result.usage, name) if result.usage.HasField(name) else None
        for name in ("input_tokens", "output_tokens")
    )
    assert told == usage
    if usage == (None, None):
        assert not result.cost.known
        assert not result.cost.HasField("amount_micros")
    assert result.versions.model in ("good", model)
    log = list(entries(auditor, result.inference_id))
    assert [entry["type"] for entry in log] == [
        "inference.requested",
        "inference.generated",
        "inference.released",
    ]
    assert "Quackenbush" not in json.dumps(log)


def test_a_provider_that_never_answers_and_one_that_answers_too_late(app: Client, auditor: Client) -> None:
    request = infer_request(provider="remote", model="slow")
    request.provider_timeout.FromMilliseconds(500)
    failed_once(app, auditor, request, "PROVIDER_TIMEOUT")
    request = infer_request(provider="replay", model="letter-slow")
    request.provider_timeout.FromMilliseconds(300)
    inference_id = failed_once(app, auditor, request, "PROVIDER_TIMEOUT")
    # The late text goes on record with its commitment; it is released to nobody.
    until(lambda: "inference.late" in types(auditor, inference_id))
    late = list(entries(auditor, inference_id))[-1]
    assert [item["kind"] for item in late["commitments"]] == ["output_raw"]
    assert (state(get(app, inference_id)), get(app, inference_id).output) == ("failed", "")


def test_a_client_that_leaves_changes_nothing_in_the_record(app: Client, auditor: Client) -> None:
    for leave in ("cancel", "deadline"):
        request = infer_request(model="letter-slow")
        stream = inference_pb2.StreamInferRequest(request=request)
        call = app.inference.StreamInfer(stream, timeout=1.0 if leave == "deadline" else TIMEOUT)
        event = next(call)
        while event.WhichOneof("event") != "accepted":
            event = next(call)
        inference_id = event.accepted.inference_id
        assert state(get(app, inference_id)) == "received"
        if leave == "cancel":
            call.cancel()
        with pytest.raises(grpc.RpcError) as caught:
            list(call)

        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
        # The same key attaches to what runs, or is told what came of it; it never runs twice.
        result = app.inference.Infer(request, timeout=TIMEOUT).result
        assert (result.inference_id, state(result), result.output) == (inference_id, "released", LETTER)
        assert state(get(app, inference_id)) == "released"
        assert types(auditor, inference_id) == [
            "inference.requested",
            "inference.generated",
            "inference.released",
        ]


@pytest.mark.parametrize("how", ["killed", "hanging"])
def test_checks_that_die_or_hang_hold_the_text(
    hospital: ConfiguredServer, app: Client, auditor: Client, how: str
) -> None:
    until(lambda: len(hospital.check_processes()) == 2)
    request = infer_request(model="letter-slow")
    stream = app.inference.StreamInfer(
        inference_pb2.StreamInferRequest(request=request), timeout=CHECK_SECONDS + WAIT_SECONDS
    )
    stopped: list[int] = []
    result = None
    for event in stream:
        if event.progress.stage == "generating":
            # While the model writes nobody checks: stopped now, they take the text and never judge it.
            stopped = hospital.check_processes()
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
        elif event.progress.stage == "checking" and how == "killed":
            for pid in stopped:
                os.kill(pid, signal.SIGKILL)
        elif event.WhichOneof("event") == "result":
            result = event.result
    for pid in stopped:
        # One of the two took the text; the other one goes on.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert stopped
    assert result is not None
    assert (state(result), result.output) == ("held", "")
    assert [finding.code for finding in result.findings] == ["rail_failure"]
    assert result.ticket.ticket_id
    generated = list(entries(auditor, result.inference_id))[1]
    assert generated["type"] == "inference.generated"
    assert {rail["status"] for rail in generated["body"]["rails"]} == {
        "raised" if how == "killed" else "timed_out"
    }
    # The caller is told which rail did not judge, beside those that did.
    assert [rail.status for rail in result.rails if rail.decision == "none"] == [
        "raised" if how == "killed" else "timed_out"
    ]
    judged = [rail for rail in result.rails if rail.status in ("passed", "flagged")]
    assert judged
    assert all(rail.version and rail.elapsed.ToMicroseconds() > 0 for rail in judged)
    # The server keeps serving, with new processes.
    after = infer(app, infer_request(model="letter"))
    assert (state(after), after.output) == ("released", LETTER)
    until(lambda: len(hospital.check_processes()) == 2)
    assert set(hospital.check_processes()) != set(stopped)


def test_checks_that_die_before_the_model_is_asked(
    hospital: ConfiguredServer, app: Client, auditor: Client, lying_provider: Any
) -> None:
    until(lambda: len(hospital.check_processes()) == 2)
    stopped = hospital.check_processes()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    request = infer_request(provider="remote", model="never-asked")
    call = app.inference.Infer.future(request, timeout=CHECK_SECONDS + WAIT_SECONDS)
    time.sleep(0.3)
    for pid in stopped:
        os.kill(pid, signal.SIGKILL)
    answer = refused(call.result)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "INPUT_CHECKS_UNAVAILABLE")
    inference_id = answer.error.metadata["inference_id"]
    assert types(auditor, inference_id) == ["inference.requested", "inference.failed"]
    # A prompt that nobody could de-identify went nowhere.
    assert "never-asked" not in lying_provider.prompts
    after = infer(app, infer_request(model="letter"))
    assert state(after) == "released"


def test_nothing_of_all_this_stands_in_the_log_file(hospital: ConfiguredServer) -> None:
    log = hospital.log.read_text(errors="replace")
    assert "output_checks" in log or "server.started" in log
    for words in ("Quackenbush", "Zebulon", "Tuesday", "Write a letter"):
        assert words not in log


@pytest.mark.timeout(300)
def test_a_full_disk_releases_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """No file of the server may grow: to SQLite that is a disk that is full."""
    replay = tmp_path / "replay.jsonl"
    replay.write_text("\n".join(json.dumps(line) for line in REPLAYED))
    server = ServerProcess(tmp_path / "data", replay)
    server.start()
    try:
        with (
            Client(server.connection("demo-app")) as app,
            Client(server.connection("demo-auditor")) as auditor,
        ):
            before = app.inference.Infer(infer_request(model="letter"), timeout=TIMEOUT).result
            assert state(before) == "released"
            # 1. Full from the start: not even the intent becomes durable, and nothing is sent to a model.
            unlimited = _limit(server.pid, 1)
            first = infer_request(model="letter")
            answer = refused(lambda: app.inference.Infer(first, timeout=TIMEOUT))
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            # A look that cannot be put on record shows nothing; evidence without content can still be had, and proves.
            answer = refused(lambda: get(app, before.inference_id))
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            last = ledger_pb2.GetReceiptRequest(index=before.receipts[-1].index)
            assert app.check_receipt(app.ledger.GetReceipt(last, timeout=TIMEOUT).receipt)
            _limit(server.pid, unlimited)
            until(lambda: _accepts(app))
            # The same key is free, or stands for a call without a text: never for a release without a record.
            retried = app.inference.Infer(first, timeout=TIMEOUT).result
            assert state(retried) in ("released", "abandoned")
            # 2. Full while the model writes: the intent is there, the verdict cannot be made durable.
            second = infer_request(model="letter-slow")
            stream = app.inference.StreamInfer(
                inference_pb2.StreamInferRequest(request=second), timeout=TIMEOUT
            )
            inference_id = ""

            def watch() -> Any:
                nonlocal inference_id
                for event in stream:
                    assert event.WhichOneof("event") != "result"
                    inference_id = event.accepted.inference_id or inference_id
                    if event.progress.stage == "generating":
                        _limit(server.pid, 1)

            answer = refused(watch)
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            _limit(server.pid, unlimited)
            # The server says by itself what came of it, as soon as it can.
            until(lambda: state(get(app, inference_id)) == "abandoned")
            closed = app.inference.Infer(second, timeout=TIMEOUT).result
            assert (closed.inference_id, state(closed), closed.output) == (inference_id, "abandoned", "")
            assert types(auditor, inference_id) == ["inference.requested", "inference.abandoned"]
            # 3. Full, and the server ends before there is room: the next start closes what is open.
            third = infer_request(model="letter-slow")
            stream = app.inference.StreamInfer(
                inference_pb2.StreamInferRequest(request=third), timeout=TIMEOUT
            )
            refused(watch)
            assert state(get(app, inference_id)) == "received"
            size = auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=1)).tree_size
        server.kill()
        server.start()
        with (
            Client(server.connection("demo-app")) as app,
            Client(server.connection("demo-auditor")) as auditor,
        ):
            closed = app.inference.Infer(third, timeout=TIMEOUT).result
            assert (closed.inference_id, state(closed), closed.output) == (inference_id, "abandoned", "")
            assert (
                app.inference.GetInference(
                    inference_pb2.GetInferenceRequest(inference_id=before.inference_id)
                ).result.output
                == before.output
            )
            now = auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=1)).tree_size
            assert now >= size
            _every_release_has_its_entry(auditor)
            bundle = tmp_path / "all.attending"
            download(auditor, report_pb2.ExportRequest(idempotency_key="x", purpose="incident"), bundle)
        key = VerifierKey.parse(server.connection("demo-auditor").log_key or "")
        report = verify_bundle(bundle, Anchors(keys=(key,)))
        assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    finally:
        assert server.stop() == 0


def _limit(pid: int, size: int) -> int:
    """Sets the largest size to which the process may make a file grow; returns the one before."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    return soft


def _accepts(client: Client) -> bool:
    try:
        return (
            state(client.inference.Infer(infer_request(model="letter"), timeout=TIMEOUT).result) == "released"
        )
    except grpc.RpcError:
        return False


def _every_release_has_its_entry(auditor: Client) -> None:
    open_streams: dict[str, str] = {}
    for entry in entries(auditor):
        if entry["type"] == "inference.requested":
            open_streams[entry["stream"]] = "open"
        elif entry["stream"] in open_streams and entry["type"].startswith("inference."):
            open_streams[entry["stream"]] = entry["type"]
    assert "open" not in open_streams.values()
