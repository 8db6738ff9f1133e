"""Synthetic personal data through every door, and then a search of everything that the server wrote in clear."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from attending.client import Client
from attending.ledger.checkpoint import Checkpoint, verify
from attending.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.server.cli.download import download
from attending.server.cli.main import run
from attending.v1 import (
    inference_pb2,
    ledger_pb2,
    report_pb2,
)

from tests.e2e.calls import TIMEOUT, entries, infer_request, refused, state
from tests.e2e.canary import (
    ABOUT,
    CANARIES,
    MRN,
    NAME,
    PHONE,
    REPLAY,
    STREET,
    Done,
    context,
    found,
    through_every_door,
    unpacked,
)
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.server_process import ServerProcess, ended


@dataclass
class Filled:
    """A server after all of it, with what it answered."""

    server: ServerProcess
    done: Done


DEMO = {
    "app": "demo-app",
    "operator": "demo-operator",
    "clinician": "dr-rivera",
    "auditor": "demo-auditor",
    "privacy_officer": "demo-privacy-officer",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("canary")
    replay = folder / "replay.jsonl"
    replay.write_text("\n".join(json.dumps(line) for line in REPLAY))
    server = ServerProcess(folder / "data", replay)
    with ended(server):
        server.start()
        yield Filled(server, through_every_door(lambda role: server.connection(DEMO[role])))
        assert server.stop() == 0


def test_every_door_was_gone_through(filled: Filled) -> None:
    assert filled.done.states == {
        "released": "released",
        "letter about": "released",
        "held": "held",
        "blocked": "blocked",
        "failed": "failed",
        "recorded": "released",
        "fhir": "released",
        "by prompt": "released",
        "reviewed": "rejected",
        "custody": "held",
    }


def test_no_refusal_quotes_anything(filled: Filled) -> None:
    assert len(filled.done.refusals) == 26
    for raw in filled.done.refusals:
        assert not found(raw)


def test_nothing_that_the_server_wrote_holds_any_of_it_in_clear(filled: Filled) -> None:
    files = [path for path in filled.server.folder.rglob("*") if path.is_file()]
    names = {path.suffix for path in files}
    assert any(path.name == "endpoint.json" for path in files)
    assert any("ledger" in path.parts and path.stat().st_size > 50_000 for path in files), names
    assert any("published" in path.parts for path in files)
    for path in [*files, filled.server.log]:
        assert not found(path.read_bytes()), path.name
        assert not found(path.name.encode()), path.name


def test_an_export_holds_it_only_where_disclosure_was_asked_for(filled: Filled, tmp_path: Path) -> None:
    for identity, payloads in (("demo-auditor", False), ("demo-privacy-officer", True)):
        path = tmp_path / f"{identity}.attending"
        with Client(filled.server.connection(identity)) as client:
            order = report_pb2.ExportRequest(
                idempotency_key=uuid.uuid4().hex, purpose="audit", include_payloads=payloads
            )
            download(client, order, path)
        members = dict(unpacked(path))
        assert len(members) > 3
        hits = {canary for data in members.values() for canary in found(data)}
        # With payloads the search finds all of it: so it would have found it elsewhere, too.
        assert hits == (set(CANARIES) if payloads else set())


def test_a_de_identified_export_holds_none_of_it_though_it_holds_the_texts(
    filled: Filled, tmp_path: Path
) -> None:
    path = tmp_path / "document.attending"
    with Client(filled.server.connection("demo-privacy-officer")) as client:
        order = report_pb2.ExportRequest(
            idempotency_key=uuid.uuid4().hex, purpose="audit", include_payloads=True, de_identified=True
        )
        download(client, order, path)
    members = dict(unpacked(path))
    assert b'"text"' in members["texts.jsonl"]
    assert {canary for data in members.values() for canary in found(data)} == set()
    assert sum(line["replaced"] for line in json.loads(members["checklist.json"])["identifiers"][:8]) > 0


def test_a_static_export_holds_none_of_it(filled: Filled, tmp_path: Path) -> None:
    with Client(filled.server.connection("demo-auditor")) as auditor:
        request = ledger_pb2.GetCheckpointRequest()
        checkpoint = auditor.ledger.GetCheckpoint(request, timeout=TIMEOUT).checkpoint
    # Heads are published once a second; an export is of the last one.
    [published] = (filled.server.folder / "published").glob("demo*.checkpoint")
    end = time.monotonic() + TIMEOUT
    while published.read_text(encoding="utf-8") != checkpoint:
        assert time.monotonic() < end, "the head was not published"
        time.sleep(0.05)
    assert run(["ledger", "export", "--out", str(tmp_path / "out"), "--data", str(filled.server.folder)]) == 0
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any("entries" in path.parts and b"inference.released" in path.read_bytes() for path in files)
    for path in files:
        assert not found(path.read_bytes()), path


LEDGER_COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("tail", "-n", "500"),
    ("tail", "-n", "500", "--json"),
    ("show", "3"),
    ("show", "3", "--json"),
    ("verify", "--payloads"),
)


def test_no_command_beside_the_server_prints_any_of_it(
    filled: Filled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(filled.server.folder)]
    for command in LEDGER_COMMANDS:
        run(["ledger", *command, *data])
        printed = "".join(capsys.readouterr())
        assert len(printed) > 20, command
        assert not found(printed.encode()), command


def test_a_backup_holds_none_of_it(filled: Filled, tmp_path: Path) -> None:
    out = tmp_path / "canary.backup"
    assert run(["ledger", "backup", "--out", str(out), "--data", str(filled.server.folder)]) == 0
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) == 2
    for path in files:
        assert not found(path.read_bytes()), path.name


def test_no_log_line_was_left_out(filled: Filled) -> None:
    """What is not in the log is not there because nothing says it, and not because nothing was said."""
    events = [
        json.loads(line)["event"] for line in filled.server.log.read_text().splitlines() if line[:1] == "{"
    ]
    assert "server.started" in events
    assert "custody.changed" in events


def test_what_a_remote_model_is_sent_names_nobody(
    hospital: ConfiguredServer, lying_provider: LyingProvider
) -> None:
    request = infer_request(ABOUT, provider="remote", model="canary", **context())
    with Client(hospital.connection("north", "app")) as app:
        result = app.inference.Infer(request, timeout=TIMEOUT).result
    assert state(result) == "released"
    [sent] = lying_provider.prompts["canary"]
    assert len(sent) > 100
    for canary in (NAME, PHONE, MRN, STREET):
        assert canary not in sent
    assert not found(hospital.log.read_bytes())


def test_what_a_tenant_keeps_in_its_places_is_sent_nowhere_else(
    hospital: ConfiguredServer, lying_provider: LyingProvider
) -> None:
    """South keeps its text in the European Union, the remote provider in the United States."""
    request = infer_request(ABOUT, provider="remote", model="canary-of-south", **context())
    with (
        Client(hospital.connection("south", "app")) as app,
        Client(hospital.connection("south", "auditor")) as auditor,
    ):
        answer = refused(lambda: app.inference.Infer(request, timeout=TIMEOUT))
        assert answer.reason == "RESIDENCY_NOT_PERMITTED"
        assert not found(answer.raw)
        intent, failed = entries(auditor, answer.error.metadata["inference_id"])
    assert "canary-of-south" not in lying_provider.prompts
    assert intent["body"]["egress"]["residency"] == ["US"]
    assert (failed["type"], failed["body"]["reason"]) == ("inference.failed", "RESIDENCY_NOT_PERMITTED")


def test_proofs_verify_and_outlive_a_kill(filled: Filled) -> None:
    """GetEntry, GetReceipt, ListEntries and both proofs, checked by the ledger's own verifier, across a restart."""
    server = filled.server
    key = VerifierKey.parse(server.connection("demo-auditor").log_key or "")
    with Client(server.connection("demo-auditor")) as auditor:
        before = _head(auditor, key)
        listed = _all(auditor)
        assert len(listed) == before.size
        for index in {0, 1, before.size // 2, before.size - 1}:
            entry = auditor.ledger.GetEntry(ledger_pb2.GetEntryRequest(index=index)).entry
            assert entry.data == listed[index]
            assert entry.leaf_hash == leaf_hash(entry.data)
            receipt = auditor.ledger.GetReceipt(ledger_pb2.GetReceiptRequest(index=index)).receipt
            assert (receipt.index, receipt.entry) == (index, entry.data)
            verify_receipt(receipt.tlog_proof, entry.data, [key])
            proof = auditor.ledger.GetInclusionProof(
                ledger_pb2.GetInclusionProofRequest(index=index, tree_size=before.size)
            )
            verify_inclusion(leaf_hash(entry.data), index, before.size, list(proof.hashes), before.root)
    server.kill()
    server.start()
    with Client(server.connection("demo-auditor")) as auditor, Client(server.connection("demo-app")) as app:
        again = app.inference.GetInference(
            inference_pb2.GetInferenceRequest(inference_id=filled.done.inference_ids[0])
        ).result
        assert again.output
        app.inference.Infer(infer_request(model="letter"), timeout=TIMEOUT)
        after = _head(auditor, key)
        assert after.size > before.size
        since = auditor.ledger.GetConsistencyProof(
            ledger_pb2.GetConsistencyProofRequest(size1=before.size, size2=after.size)
        )
        verify_consistency(before.size, after.size, before.root, after.root, list(since.hashes))
        assert _all(auditor)[: before.size] == listed
    for path in [*server.folder.rglob("*"), server.log]:
        if path.is_file():
            assert not found(path.read_bytes()), path.name


def _head(client: Client, key: VerifierKey) -> Checkpoint:
    answer = client.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest())
    return verify(answer.checkpoint, [key])


def _all(client: Client) -> list[bytes]:
    """Every entry of the log, in pages of an odd size."""
    data: list[bytes] = []
    token = ""
    while True:
        page = client.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=7, page_token=token))
        assert [entry.index for entry in page.entries] == list(
            range(len(data), len(data) + len(page.entries))
        )
        data += [entry.data for entry in page.entries]
        token = page.next_page_token
        if not token:
            return data
