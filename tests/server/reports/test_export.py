"""Bundles of a real log, verified by the offline verifier with a key given separately."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from attending.ledger import reads
from attending.ledger.custody.reads import Order as CustodyOrder
from attending.ledger.custody.retention import Rule, Rules
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import PayloadPruned, SigningKeyRetired
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.manifest import ENTRIES, FHIR, PAYLOADS, REGISTRIES
from attending.ledger.verify.report import Report
from attending.ledger.verify.writer import write_bundle
from attending.server.auth.context import AccessDecision, enter
from attending.server.errors import InvalidRequest, NotFound
from attending.server.fhir.gather import find, gather
from attending.server.fhir.resources import provenance as provenance_of
from attending.server.halt.switch import Order
from attending.server.inference.outcome import Outcome
from attending.server.reports import export as export_module
from attending.server.reports.export import Exporter, ExportOrder, workplace
from attending.server.reports.undisclosed import UNDISCLOSED
from attending.server.services.report import ReportService
from attending.v1 import report_pb2

from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key
from tests.server.review.conftest import Ward, phi_of
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

_calls = iter(range(1_000_000))


def order(**changes: object) -> ExportOrder:
    made = {
        "from_time": None,
        "to_time": None,
        "inference_ids": (),
        "purpose": "audit",
        "include_payloads": False,
    }
    return ExportOrder(**(made | changes))  # type: ignore[arg-type]


async def signed_release(ward: Ward) -> Outcome:
    outcome = await held(ward, subject_ref="MRN-1")
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    return outcome


async def export(ward: Ward, tmp_path: Path, wanted: ExportOrder) -> tuple[Path, list[tuple[int, int]]]:
    steps: list[tuple[int, int]] = []
    exporter = Exporter(ward.gate.ledger, tmp_path / "exports", phi_of(ward.gate), ward.gate.clock)
    out = tmp_path / f"bundle-{next(_calls)}.attending"
    call = key(f"export-{next(_calls)}")
    async with exporter.bundle(ward.auditor.permit, wanted, call, lambda *s: steps.append(s)) as path:
        out.write_bytes(path.read_bytes())
    assert list((tmp_path / "exports").iterdir()) == []
    return out, steps


def verify(ward: Ward, bundle: Path) -> Report:
    anchor = VerifierKey.parse(ward.gate.ledger.verifier_key(TENANT))
    return verify_bundle(bundle, Anchors(keys=(anchor,)))


async def test_the_whole_log_verifies_and_tells_no_content(ward: Ward, tmp_path: Path) -> None:
    await signed_release(ward)
    await ward.gate.pipeline.infer(CALLER, infer_call("Letter for Maria"), key("x"))
    bundle, steps = await export(ward, tmp_path, order())
    report = verify(ward, bundle)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    assert steps[-1][0] == steps[-1][1] > 0
    data = bundle.read_bytes()
    for secret in (b"Maria", b"HOLD this", b"A safe text", b"MRN-1", b"secretdrug"):
        assert secret not in data


async def test_a_long_stream_is_in_the_bundle_of_its_inference_to_the_end(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await signed_release(ward)
    stream = await ward.gate.ledger.whole_stream(TENANT, outcome.inference_id)
    monkeypatch.setattr(reads, "MAX_LIST", 2)
    exporter = Exporter(ward.gate.ledger, tmp_path / "exports", phi_of(ward.gate), ward.gate.clock)
    plan = await exporter.plan(TENANT, order(inference_ids=(outcome.inference_id,)))
    assert {entry.index for entry in stream} <= set(plan.indexes)
    assert len(stream) > 2


async def test_a_period_verifies_with_keys_and_streams_that_began_before_it(
    ward: Ward, tmp_path: Path
) -> None:
    first = await held(ward)
    ward.gate.clock.advance(hours=1)
    middle: datetime = ward.gate.clock.moment
    ticket = ticket_of(first)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    ward.gate.clock.advance(hours=1)
    later: datetime = ward.gate.clock.moment
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("later"))
    bundle, _steps = await export(ward, tmp_path, order(from_time=middle, to_time=later))
    report = verify(ward, bundle)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    assert report.statistics["types"]["review.signed"] == 1
    assert "inference.requested" not in report.statistics["types"]


async def test_a_period_that_begins_halted_takes_the_halt_along(ward: Ward, tmp_path: Path) -> None:
    gate = ward.gate
    await gate.pipeline.infer(CALLER, infer_call(), key("before"))
    halt = Order("human:ann", "drill", gate.clock())
    await gate.switch.halt(TENANT, "administrative-letter", halt, key("halt"), 0)
    gate.clock.advance(hours=1)
    middle: datetime = gate.clock.moment
    resume = Order("human:ann", "ended", gate.clock())
    await gate.switch.resume(TENANT, "administrative-letter", resume, key("resume"))
    await gate.pipeline.infer(CALLER, infer_call(), key("after"))
    bundle, _steps = await export(ward, tmp_path, order(from_time=middle))
    report = verify(ward, bundle)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    assert b'"reason":"drill"' in bundle.read_bytes()
    assert report.statistics["types"]["system.resumed"] == 1


async def test_one_inference_is_a_subset_whose_completeness_is_not_claimed(
    ward: Ward, tmp_path: Path
) -> None:
    outcome = await signed_release(ward)
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("y"))
    wanted = order(inference_ids=(outcome.inference_id,), include_payloads=True)
    bundle, _steps = await export(ward, tmp_path, wanted)
    report = verify(ward, bundle)
    assert report.verdict != "failed", [r for r in report.results if r.status == "failed"]
    assert b"A safe text" not in bundle.read_bytes()  # base64 in payloads.jsonl, not in clear
    assert any(r.check == "V19" and r.status == "passed" for r in report.results)


@pytest.mark.parametrize("kind", sorted(UNDISCLOSED))
async def test_a_secret_leaves_as_its_commitment_alone(ward: Ward, tmp_path: Path, kind: str) -> None:
    await signed_release(ward)
    kept = (Payload(kind, b"kept to be used"), Payload("note", b"a note"))
    await ward.gate.ledger.append(
        TENANT, [PendingEntry("access.viewed", "access/x", "system:x", None, {}, kept)]
    )
    bundle, _steps = await export(ward, tmp_path, order(include_payloads=True))
    with zipfile.ZipFile(bundle) as archive:
        told = {json.loads(line)["kind"] for line in archive.read(PAYLOADS).splitlines()}
        assert f'"kind":"{kind}"'.encode() in archive.read(ENTRIES)
    assert "note" in told
    assert kind not in told
    assert verify(ward, bundle).verdict == "passed"


async def test_an_erased_subject_is_exported_as_erased(ward: Ward, tmp_path: Path) -> None:
    outcome = await signed_release(ward)
    pseudonym = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    await ward.gate.ledger.erase_subject(TENANT, pseudonym)
    bundle, _steps = await export(ward, tmp_path, order(include_payloads=True))
    report = verify(ward, bundle)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    assert outcome.inference_id


async def test_one_erased_inference_comes_with_its_certificate(ward: Ward, tmp_path: Path) -> None:
    outcome = await signed_release(ward)
    other = await held(ward, subject_ref="MRN-2")
    for reference in ("MRN-1", "MRN-2"):
        pseudonym = await ward.gate.ledger.pseudonym(TENANT, reference)
        await ward.gate.ledger.erase_subject(TENANT, pseudonym)
    wanted = order(inference_ids=(outcome.inference_id,), include_payloads=True)
    bundle, _steps = await export(ward, tmp_path, wanted)
    report = verify(ward, bundle)
    [found] = [r for r in report.results if r.check == "V19"]
    assert found.status == "passed", found
    assert report.statistics["types"]["subject.erased"] == 1  # and not the one of somebody else
    assert other.inference_id


async def test_what_was_pruned_is_exported_as_pruned(ward: Ward, tmp_path: Path) -> None:
    outcome = await signed_release(ward)
    ward.gate.clock.advance(hours=24 * 400)
    rules = Rules((Rule("inference.*", 365), Rule("review.*", 365)))
    pruned = await ward.gate.ledger.retention.prune(TENANT, rules, CustodyOrder("human:officer"))
    assert pruned.appended is not None
    bundle, _steps = await export(ward, tmp_path, order(include_payloads=True))
    report = verify(ward, bundle)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    count = sum(pruned.records.values())
    assert [f"{count} pruned" in r.detail for r in report.results if r.check == "V19"] == [True]
    with pytest.raises(PayloadPruned):
        await ward.gate.pipeline.get(TENANT, outcome.inference_id)


async def test_fhir_is_in_a_bundle_that_asks_for_it_and_names_no_content(ward: Ward, tmp_path: Path) -> None:
    outcome = await signed_release(ward)
    plain, _steps = await export(ward, tmp_path, order())
    bundle, _steps = await export(ward, tmp_path, order(fhir=True))
    assert verify(ward, bundle).verdict == "passed"
    with zipfile.ZipFile(plain) as without, zipfile.ZipFile(bundle) as archive:
        assert FHIR not in without.namelist()
        assert REGISTRIES in without.namelist()
        lines = archive.read(FHIR)
    made = [json.loads(line) for line in lines.splitlines()]
    [provenance] = [one for one in made if one["resourceType"] == "Provenance"]
    assert provenance["id"] == f"prv-{outcome.inference_id}".replace("_", "-")
    row = await find(ward.gate.ledger, TENANT, outcome.inference_id)
    assert provenance == provenance_of(await gather(ward.gate.ledger, TENANT, row)), (
        "a record system is sent the same"
    )
    for secret in (b"HOLD this", b"A safe text", b"MRN-1"):
        assert secret not in lines
    entries = await ward.gate.ledger.stream_entries(TENANT, f"access/{ward.auditor.principal.name}")
    assert [entry.body.get("fhir") for entry in entries] == [None, True]


async def test_the_export_is_an_entry_before_anything_is_given_out(ward: Ward, tmp_path: Path) -> None:
    await signed_release(ward)
    await export(ward, tmp_path, order(purpose="regulator_request"))
    entries = await ward.gate.ledger.stream_entries(TENANT, f"access/{ward.auditor.principal.name}")
    assert [(e.type, e.body["purpose"]) for e in entries] == [("access.exported", "regulator_request")]


async def test_an_export_while_the_log_grows_is_of_one_moment(ward: Ward, tmp_path: Path) -> None:
    await signed_release(ward)

    async def grow() -> None:
        for number in range(30):
            await ward.gate.pipeline.infer(CALLER, infer_call(), key(f"grow-{number}"))

    (bundle, _steps), _none = await asyncio.gather(export(ward, tmp_path, order()), grow())
    assert verify(ward, bundle).verdict == "passed"


async def test_wrong_orders_are_refused(ward: Ward, tmp_path: Path) -> None:
    await ward.gate.pipeline.infer(CALLER, infer_call(context=context()), key("z"))
    moment = ward.gate.clock.moment
    for wanted, error in (
        (order(from_time=moment, to_time=moment), InvalidRequest),
        (order(inference_ids=("inf_x",), from_time=moment), InvalidRequest),
        (order(inference_ids=("inf_unknown",)), NotFound),
        (order(inference_ids=("key:whatever",)), NotFound),
        (order(from_time=moment + timedelta(days=1)), NotFound),
        (order(fhir=True, de_identified=True), InvalidRequest),
    ):
        with pytest.raises(error):
            await export(ward, tmp_path, wanted)


async def test_starting_beside_a_server_removes_what_a_crash_left_and_not_what_it_is_sending(
    ward: Ward, tmp_path: Path
) -> None:
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("z"))
    folder = tmp_path / "exports"
    exporter = Exporter(ward.gate.ledger, folder, phi_of(ward.gate), ward.gate.clock)
    (folder / "left-by-a-crash").mkdir()
    (folder / "left-by-a-crash" / "bundle.attending").write_bytes(b"half")
    (folder / "stray").write_bytes(b"half")
    async with exporter.bundle(ward.auditor.permit, order(), key("export-live"), lambda *_step: None) as path:
        Exporter(ward.gate.ledger, folder, phi_of(ward.gate), ward.gate.clock)
        assert path.exists()
        assert list(folder.iterdir()) == [path.parent]
    assert list(folder.iterdir()) == []


def test_servers_that_start_together_share_the_folder(ward: Ward, tmp_path: Path) -> None:
    folder = tmp_path / "storage" / "exports"

    def start(_number: int) -> tuple[Path, int]:
        Exporter(ward.gate.ledger, folder, phi_of(ward.gate), ward.gate.clock)
        return workplace(folder)

    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(start, range(64)))
    assert sorted(folder.iterdir()) == sorted(work for work, _lock in places)
    for _work, lock in places:
        os.close(lock)
    Exporter(ward.gate.ledger, folder, phi_of(ward.gate), ward.gate.clock)
    assert list(folder.iterdir()) == []


async def test_an_export_that_is_cut_does_not_wait_for_the_writers_thread(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who is revoked is told so at once; what the thread makes is gone when it has ended."""
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("cut"))
    writing, go_on = threading.Event(), threading.Event()

    def slow(path: Path, **_more: object) -> None:
        path.write_bytes(b"half")
        writing.set()
        assert go_on.wait(60)

    monkeypatch.setattr(export_module, "write_bundle", slow)
    folder, phi = tmp_path / "exports", phi_of(ward.gate)
    exporter = Exporter(ward.gate.ledger, folder, phi, ward.gate.clock)
    service = ReportService(ward.gate.ledger, exporter, phi._authorizer, phi)
    who = ward.auditor.principal
    enter(who, AccessDecision(True, "export"))
    request = report_pb2.ExportRequest(idempotency_key="export-cut", purpose="audit")
    call = asyncio.ensure_future(anext(service.Export(request, None)))  # type: ignore[arg-type]
    assert await asyncio.to_thread(writing.wait, 60)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [path.name for path in folder.rglob("*.attending")] == ["bundle.attending"]
    go_on.set()
    await service.drain()
    assert list(folder.iterdir()) == []


async def test_bundles_of_a_log_whose_key_was_rotated_verify_with_any_key_of_it(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ward.gate.ledger
    keys = [ledger.verifier_key(TENANT)]
    outcome = await signed_release(ward)
    early, _ = await export(ward, tmp_path, order())
    for _ in range(2):
        await ledger.signing.rotate(TENANT, CustodyOrder("human:o"))
        keys.append(ledger.verifier_key(TENANT))
    await signed_release(ward)
    whole, _ = await export(ward, tmp_path, order())
    one, _ = await export(ward, tmp_path, order(inference_ids=(outcome.inference_id,)))
    for bundle in (whole, one):
        for text in keys:
            report = verify_bundle(bundle, Anchors(keys=(VerifierKey.parse(text),)))
            assert report.failures == ()
    assert verify_bundle(early, Anchors(keys=(VerifierKey.parse(keys[0]),))).failures == ()
    # Rotated while it is being made, it is signed by nobody: the caller asks again.
    write = write_bundle

    def rotated_meanwhile(*args: object, **more: object) -> object:
        asyncio.run_coroutine_threadsafe(
            ledger.signing.rotate(TENANT, CustodyOrder("human:o")), loop
        ).result()
        return write(*args, **more)  # type: ignore[arg-type]

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(export_module, "write_bundle", rotated_meanwhile)
    with pytest.raises(SigningKeyRetired):
        await export(ward, tmp_path, order())
