"""Synthetic personal data through every door, and then a search of everything that the server wrote in clear."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Client, ReviewClient
from attending.ledger.checkpoint import Checkpoint, verify
from attending.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.server.cli.export import download
from attending.server.cli.main import run
from attending.v1 import (
    common_pb2,
    inference_pb2,
    ledger_pb2,
    prompt_pb2,
    report_pb2,
    review_pb2,
)

from tests.e2e.calls import TAGS, TIMEOUT, infer_request, record_request, refused, state
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.conftest import REPLAYED
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.xdist_group("server")

NAME, PHONE, MRN, STREET = "Zebulon Quackenbush", "(415) 555-0199", "MRN-77355129", "4471 Wisteria Lane"
CANARIES = (NAME, "Quackenbush", PHONE, "555-0199", MRN, "77355129", STREET, "Wisteria")
ABOUT = f"Patient {NAME}, {MRN}, phone {PHONE}, lives at {STREET}, Springfield."
IDENTITY = common_pb2.PatientIdentity(names=[NAME], mrn=MRN.removeprefix("MRN-"), birth_date="1957-03-11")
REPLAY = [
    *REPLAYED,
    {"name": "about", "output": f"Dear {NAME}, your visit is on Tuesday at ten. We will call {PHONE}."},
    {"name": "about-dose", "output": f"{NAME} should take amoxicillin 500 mg three times a day."},
]


def forms(text: str) -> Iterator[bytes]:
    """The text as it could stand in a file: plain in two encodings, in hexadecimal and base64, or as a plain digest."""
    plain = text.encode()
    yield plain
    yield text.encode("utf-16-le")
    yield plain.hex().encode()
    for shift in range(3):
        # The characters in the middle do not depend on what stands around them.
        yield base64.b64encode(b"x" * shift + plain)[4:-4]
    digest = hashlib.sha256(plain).digest()
    yield digest
    yield digest.hex().encode()
    yield base64.b64encode(digest)


def found(data: bytes) -> list[str]:
    lowered = data.lower()
    return [
        canary
        for canary in CANARIES
        for form in forms(canary)
        if len(form) >= 6 and (form in data or form.lower() in lowered)
    ]


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every member of a bundle, opened as far as it opens."""
    with zipfile.ZipFile(path) as bundle:
        for name in bundle.namelist():
            data = bundle.read(name)
            yield name, data
            if zipfile.is_zipfile(io.BytesIO(data)):
                with zipfile.ZipFile(io.BytesIO(data)) as inner:
                    yield from ((f"{name}/{member}", inner.read(member)) for member in inner.namelist())


@dataclass
class Filled:
    """A server after all of it, with what it answered."""

    server: ServerProcess
    states: dict[str, str] = field(default_factory=dict)
    refusals: list[bytes] = field(default_factory=list)
    inference_ids: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("canary")
    replay = folder / "replay.jsonl"
    replay.write_text("\n".join(json.dumps(line) for line in REPLAY))
    server = ServerProcess(folder / "data", replay)
    server.start()
    done = Filled(server)
    with (
        Client(server.connection("demo-app")) as app,
        Client(server.connection("demo-operator")) as operator,
        ReviewClient(server.connection("dr-rivera")) as clinician,
    ):
        _infer(app, done)
        _prompts(app, operator, done)
        _review(app, clinician, done)
        _refused(server, app, done)
    yield done
    assert server.stop() == 0


def _context(**more: Any) -> dict[str, Any]:
    return {
        "patient": common_pb2.PatientContext(identity=IDENTITY, goals=ABOUT, setting=MRN),
        "subject_ref": MRN,
        "documents": [
            common_pb2.RetrievedDocument(id=f"note of {NAME}", version=MRN, text=ABOUT),
            common_pb2.RetrievedDocument(id=f"leaflet {MRN}", text=ABOUT, is_public=True),
        ],
        **more,
    }


def _infer(app: Client, done: Filled) -> None:
    for label, policy, model in (
        ("released", "administrative-letter", "letter"),
        ("letter about", "administrative-letter", "about"),
        ("held", "patient-message", "about-dose"),
        ("blocked", "patient-message", "danger"),
        ("failed", "patient-message", "provider-unavailable"),
    ):
        request = infer_request(ABOUT, policy=policy, model=model, key=f"{MRN}/{label[0]}", **_context())
        request.idempotency_key = f"{MRN}/{label.replace(' ', '-')}/{PHONE.replace(' ', '')}"
        try:
            result = app.inference.Infer(request, timeout=TIMEOUT).result
        except grpc.RpcError:
            done.refusals.append(refused(lambda r=request: app.inference.Infer(r, timeout=TIMEOUT)).raw)  # type: ignore[misc]
            done.states[label] = "failed"
        else:
            done.states[label] = state(result)
            done.inference_ids.append(result.inference_id)
            for receipt in result.receipts:
                assert not found(receipt.entry)
    recorded = record_request(f"Dear {NAME}, your visit is on Tuesday.", ABOUT, **_context())
    recorded.idempotency_key = f"{MRN}-record"
    done.states["recorded"] = state(app.inference.Record(recorded, timeout=TIMEOUT).result)
    fhir = json.dumps(
        {
            "resourceType": "Patient",
            "name": [{"text": NAME}],
            "telecom": [{"value": PHONE}],
            "address": [{"line": [STREET]}],
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": MRN}],
        }
    )
    request = infer_request(ABOUT, model="letter", patient=common_pb2.PatientContext(fhir_json=[fhir]))
    done.states["fhir"] = state(app.inference.Infer(request, timeout=TIMEOUT).result)


def _prompts(app: Client, operator: Client, done: Filled) -> None:
    operator.prompts.CreateVersion(
        prompt_pb2.CreateVersionRequest(
            idempotency_key=f"{MRN}-prompt", name="letters/canary", template=f"{ABOUT} Write to {{{{who}}}}."
        )
    )
    version = operator.prompts.GetVersion(
        prompt_pb2.GetVersionRequest(
            name="letters/canary",
            version=operator.prompts.ListVersions(prompt_pb2.ListVersionsRequest(name="letters/canary"))
            .prompt_versions[0]
            .version,
        )
    ).prompt_version.version
    request = inference_pb2.InferRequest(
        idempotency_key=f"{MRN}-by-prompt",
        context=inference_pb2.InferenceContext(policy="administrative-letter", tags=TAGS),
        prompt_ref=inference_pb2.PromptReference(
            name="letters/canary", version=version, variables={"who": NAME}
        ),
        model=inference_pb2.ModelRequest(provider="replay", model="letter"),
    )
    done.states["by prompt"] = state(app.inference.Infer(request, timeout=TIMEOUT).result)


def _review(app: Client, clinician: ReviewClient, done: Filled) -> None:
    request = infer_request(ABOUT, policy="patient-message", model="about-dose", **_context())
    held = app.inference.Infer(request, timeout=TIMEOUT).result
    ticket = held.ticket.ticket_id
    lease = clinician.claim(ticket, key=f"{MRN}-claim").lease_id
    item = clinician.item(ticket)
    for finding in item.findings:
        if finding.severity >= common_pb2.SEVERITY_MODERATE:
            clinician.dispose(
                ticket,
                lease,
                finding.ordinal,
                review_pb2.DISPOSITION_FALSE_ALARM,
                reason_code="other",
                note=ABOUT,
            )
    clinician.reject(ticket, lease, "other", note=ABOUT)
    done.states["reviewed"] = app.get(held.inference_id).state


def _refused(server: ServerProcess, app: Client, done: Filled) -> None:
    for request in (
        infer_request(f"{ABOUT}\x00", key=MRN),
        infer_request(ABOUT, policy=NAME, provider=NAME, model=NAME, on_behalf_of=NAME),
        infer_request(ABOUT * 2000),
        infer_request(ABOUT, patient=common_pb2.PatientContext(fhir_json=[ABOUT], sex=NAME)),
        infer_request(ABOUT, key=f"{MRN}-record"),
    ):
        done.refusals.append(refused(lambda r=request: app.inference.Infer(r, timeout=TIMEOUT)).raw)  # type: ignore[misc]
    named = inference_pb2.GetInferenceRequest(inference_id=ABOUT)
    done.refusals.append(refused(lambda: app.inference.GetInference(named)).raw)
    with Client(server.connection("demo-auditor")) as auditor:
        order = report_pb2.ExportRequest(idempotency_key=MRN, purpose=ABOUT, inference_ids=[ABOUT])
        done.refusals.append(refused(lambda: auditor.reports.Export(order)).raw)


def test_every_door_was_gone_through(filled: Filled) -> None:
    assert filled.states == {
        "released": "released",
        "letter about": "released",
        "held": "held",
        "blocked": "blocked",
        "failed": "failed",
        "recorded": "released",
        "fhir": "released",
        "by prompt": "released",
        "reviewed": "rejected",
    }


def test_no_refusal_quotes_anything(filled: Filled) -> None:
    assert len(filled.refusals) == 8
    for raw in filled.refusals:
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


def test_what_a_remote_model_is_sent_names_nobody(
    hospital: ConfiguredServer, lying_provider: LyingProvider
) -> None:
    request = infer_request(ABOUT, provider="remote", model="canary", **_context())
    with Client(hospital.connection("north", "app")) as app:
        result = app.inference.Infer(request, timeout=TIMEOUT).result
    assert state(result) == "released"
    [sent] = lying_provider.prompts["canary"]
    assert len(sent) > 100
    for canary in (NAME, PHONE, MRN, STREET):
        assert canary not in sent
    assert not found(hospital.log.read_bytes())


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
            inference_pb2.GetInferenceRequest(inference_id=filled.inference_ids[0])
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
