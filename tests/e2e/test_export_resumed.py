"""An export that was cut goes on where it stopped, with the same bytes; a document's map is a right apart."""

from __future__ import annotations

import json
import stat
import uuid
import zipfile
from pathlib import Path

import grpc
import pytest
from attending.client import AttendingApiError, Client
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.deidentified import verify_deidentified
from attending.ledger.verify.manifest import FHIR
from attending.ledger.verify.report import Status
from attending.server.cli.download import download, order_of, partial_of, resumed_order
from attending.server.cli.outcome import CommandError
from attending.v1 import report_pb2
from google.protobuf import json_format

from tests.e2e.server_process import ServerProcess


def request(**more: object) -> report_pb2.ExportRequest:
    return report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit", **more)  # type: ignore[arg-type]


def cut_after(asked: report_pb2.ExportRequest, out: Path, data: bytes) -> None:
    """What a download leaves that was cut after `data`."""
    partial_of(out).write_bytes(data)
    order_of(out).write_text(json_format.MessageToJson(asked), encoding="utf-8")


@pytest.mark.parametrize(("given", "fhir"), [(1, False), (1000, True), (70_000, False), (None, True)])
def test_a_cut_download_goes_on_with_the_same_bytes(
    server: ServerProcess, tmp_path: Path, given: int | None, fhir: bool
) -> None:
    with Client(server.connection("demo-auditor")) as client:
        asked_once(server)
        asked = request(include_fhir=fhir)
        whole, out = tmp_path / "whole.attending", tmp_path / "cut.attending"
        download(client, asked, whole)
        assert stat.S_IMODE(whole.stat().st_mode) == 0o600, "it may hold what is about a person"
        asked_once(server)
        data = whole.read_bytes()
        cut_after(asked, out, data[: len(data) if given is None else given])
        download(client, resumed_order(out), out)
    with zipfile.ZipFile(out) as archive:
        assert (FHIR in archive.namelist()) == fhir
    assert out.read_bytes() == data, "the log grew meanwhile, and the file is of the moment of its entry"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.attending", "whole.attending"]


def test_what_was_there_before_and_is_not_of_the_file_is_not_passed_for_it(
    server: ServerProcess, tmp_path: Path
) -> None:
    asked, out = request(), tmp_path / "cut.attending"
    cut_after(asked, out, b"something else")
    with Client(server.connection("demo-auditor")) as client:
        with pytest.raises(CommandError):
            download(client, asked, out)
        assert list(tmp_path.iterdir()) == []
        cut_after(asked, out, b"x" * 50_000_000)
        with pytest.raises(AttendingApiError) as caught:
            download(client, asked, out)
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert list(tmp_path.iterdir()) == []


def test_a_document_goes_to_who_may_export_and_its_map_to_who_may_disclose(
    server: ServerProcess, tmp_path: Path
) -> None:
    asked_once(server)
    asked, out, names = request(de_identified=True), tmp_path / "d.attending", tmp_path / "names.jsonl"
    with Client(server.connection("demo-auditor")) as client:
        download(client, asked, out)
        asked.pseudonym_map = True
        with pytest.raises(AttendingApiError) as caught:
            download(client, asked, names)
        assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
    key = VerifierKey.parse((server.folder / "demo.vkey").read_text().strip())
    assert verify_deidentified(out, Anchors(keys=(key,))).verdict is Status.PASSED
    with Client(server.connection("demo-privacy-officer")) as client:
        mine = request(de_identified=True)
        download(client, mine, tmp_path / "mine.attending")
        mine.pseudonym_map = True
        download(client, mine, names)
    found = [json.loads(line) for line in names.read_text().splitlines()]
    assert any(one["name"].startswith("inf_") for one in found)


def test_a_map_of_a_bundle_is_refused(server: ServerProcess, tmp_path: Path) -> None:
    with (
        Client(server.connection("demo-privacy-officer")) as client,
        pytest.raises(AttendingApiError) as caught,
    ):
        download(client, request(pseudonym_map=True), tmp_path / "x")
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


def asked_once(server: ServerProcess) -> None:
    with Client(server.connection("demo-app")) as client:
        client.infer(
            "administrative-letter",
            "Write a letter.",
            provider="replay",
            model="letter-parking",
            tags={"team": "export", "feature": "resumed"},
        )
