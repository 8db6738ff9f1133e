"""kill -9 of the whole server under load, many times: nothing acknowledged is lost, nothing runs twice, and no text
was released without its entry."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from attending.client import AttendingApiError, Client, PolicyClient
from attending.ledger.checkpoint import verify
from attending.ledger.merkle import verify_consistency
from attending.ledger.note import VerifierKey
from attending.ledger.proof import parse_receipt
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.download import download
from attending.v1 import common_pb2, ledger_pb2, report_pb2

from tests.e2e.server_process import ServerProcess, ended
from tests.matrix.makers.policy import hash_of

pytestmark = pytest.mark.kill

ROUNDS = 5
WRITERS = 6
LOAD_SECONDS = (0.3, 2.0)
FINAL = {"released", "held", "blocked", "abandoned", "failed"}


@dataclass
class Acknowledged:
    """What a client was told, as it was told."""

    state: str
    inference_id: str
    output: str | None
    receipts: tuple[common_pb2.Receipt, ...]


@dataclass
class Load:
    """Writers that go on until told to stop; a call that failed stays in `unknown` with its key."""

    server: ServerProcess
    numbers: Iterator[int]
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        return threads

    def _write(self) -> None:
        with Client(self.server.connection("demo-app")) as client:
            while not self.stop.is_set():
                key = f"k-{next(self.numbers)}"
                try:
                    self.acknowledged[key] = call(client, key)
                except AttendingApiError:
                    self.unknown.add(key)


def call(client: Client, key: str) -> Acknowledged:
    """One inference whose outcome depends on its key; the key is also its tag, so that runs can be counted."""
    model = ("plain", "slow", "dose")[int(key[2:]) % 3]
    result = client.infer(
        "administrative-letter",
        "Write a letter.",
        provider="replay",
        model=model,
        subject_ref=f"patient-{int(key[2:]) % 5}",
        tags={"team": "kill", "feature": key},
        idempotency_key=key,
        timeout_seconds=30,
    )
    return Acknowledged(result.state, result.inference_id, result.output, tuple(result.message.receipts))


def entries(client: Client) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    token = ""
    while True:
        page = client.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=1000, page_token=token))
        found += [json.loads(entry.data) for entry in page.entries]
        token = page.next_page_token
        if not token:
            return found


@pytest.mark.timeout(420)
def test_kill_nine_under_load(tmp_path: Path, ends: ExitStack) -> None:
    replay = tmp_path / "replay.jsonl"
    replay.write_text(
        "\n".join(
            json.dumps(line)
            for line in (
                {"name": "plain", "output": "Your visit is on Tuesday at ten."},
                {"name": "slow", "output": "The clinic is on the second floor.", "delay_ms": 150},
                {"name": "dose", "output": "Take amoxicillin 500 mg three times a day."},
            )
        )
    )
    server = ServerProcess(tmp_path / "data", replay)
    numbers = iter(range(1_000_000))
    chance = random.Random(7)
    acknowledged: dict[str, Acknowledged] = {}
    unknown: set[str] = set()
    ends.enter_context(ended(server))
    server.start()
    wanted = hash_of("patient-triage")
    with PolicyClient(server.connection("demo-operator")) as operator:
        asked = operator.request("patient-triage", wanted).receipt
    for _round in range(ROUNDS):
        load = Load(server, numbers)
        threads = load.run()
        time.sleep(chance.uniform(*LOAD_SECONDS))
        # Told first, killed at once: each writer is in the middle of a call, and none spins on a dead server.
        load.stop.set()
        server.kill()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        acknowledged |= load.acknowledged
        unknown |= load.unknown
        server.start()
    try:
        # What one person asked for before all that is approved by another after it.
        with PolicyClient(server.connection("demo-safety-officer")) as officer:
            officer.approve("patient-triage", wanted)
            assert officer.activations("patient-triage").events[-2].entry_index == asked.index
        _prove(server, acknowledged, unknown, tmp_path)
    finally:
        assert server.stop() == 0


def _settled(client: Client, key: str) -> str:
    try:
        return call(client, key).state
    except AttendingApiError as err:
        # A failed provider call is an answer too, and the same one every time.
        return "failed" if err.reason.startswith("PROVIDER_") else err.reason


def _prove(
    server: ServerProcess, acknowledged: dict[str, Acknowledged], unknown: set[str], tmp_path: Path
) -> None:
    assert acknowledged, "the load never got an answer, so this run proves nothing"
    assert unknown, "no call was cut short, so this run proves nothing"
    log_key = VerifierKey.parse(server.connection("demo-auditor").log_key or "")
    with Client(server.connection("demo-app")) as app, Client(server.connection("demo-auditor")) as auditor:
        # 1. Every acknowledged answer is given again, byte for byte, with the same entries.
        for key, first in acknowledged.items():
            again = call(app, key)
            assert (again.state, again.inference_id, again.output) == (
                first.state,
                first.inference_id,
                first.output,
            )
            assert [r.entry for r in again.receipts] == [r.entry for r in first.receipts]
        # 2. Every head that was signed then is a prefix of the log now.
        head = verify(auditor.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest()).checkpoint, [log_key])
        for first in acknowledged.values():
            then = verify(parse_receipt(first.receipts[-1].tlog_proof).checkpoint, [log_key])
            proof = auditor.ledger.GetConsistencyProof(
                ledger_pb2.GetConsistencyProofRequest(size1=then.size, size2=head.size)
            )
            verify_consistency(then.size, head.size, then.root, head.root, list(proof.hashes))
        # 3. A call that was cut short has one definite answer under its key.
        for key in sorted(unknown):
            assert _settled(app, key) in FINAL
        log = entries(auditor)
        requested: Counter[object] = Counter()
        closed: Counter[object] = Counter()
        by_id: dict[object, list[object]] = {}
        for entry in log:
            by_id.setdefault(entry["stream"], []).append(entry["type"])
            body = entry["body"]
            assert isinstance(body, dict)
            if entry["type"] == "inference.requested":
                requested[body["tags"]["feature"]] += 1
            elif entry["type"] in {
                "inference.released",
                "inference.held",
                "inference.blocked",
                "inference.failed",
                "inference.abandoned",
            }:
                closed[entry["stream"]] += 1
        # 4. No key ran twice, and no inference is left open or closed twice.
        assert set(requested.values()) == {1}
        streams = {entry["stream"] for entry in log if entry["type"] == "inference.requested"}
        assert {stream: closed[stream] for stream in streams} == dict.fromkeys(streams, 1)
        # 5. No released text lacks its entry.
        for first in acknowledged.values():
            assert (first.output is not None) == ("inference.released" in by_id[first.inference_id])
        # 6. The whole log verifies offline.
        bundle = tmp_path / "all.attending"
        download(auditor, report_pb2.ExportRequest(idempotency_key="x", purpose="audit"), bundle)
    report = verify_bundle(bundle, Anchors(keys=(log_key,)))
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
