"""What is made of a bundle with no server: the register, alike in each form and inert in a spreadsheet, and FHIR."""

from __future__ import annotations

import csv
import json
import sys
import zipfile
from pathlib import Path

import pytest
from arro3.core import DataType
from arro3.io import read_parquet
from attending.ledger.entry import format_time, parse_entry
from attending.ledger.merkle import inclusion_proof
from attending.ledger.verify.register import COLUMNS, Line, register
from attending.server.cli.main import run
from attending.server.reports import parquet

from tests.ledger.verify.conftest import LogBuilder


@pytest.fixture
def log() -> LogBuilder:
    made = LogBuilder()
    made.ordinary_day()
    made.append("system.halted", "halt:all", {"reason": "other"}, actor="=cmd|' /C calc'!A0")
    return made


def written(log: LogBuilder, tmp_path: Path, form: str) -> Path:
    bundle, out = log.full(tmp_path / "bundle.attending"), tmp_path / f"register.{form}"
    assert run(["report", "register", str(bundle), "--out", str(out), "--format", form]) == 0
    return out


def test_both_forms_hold_the_same_lines(log: LogBuilder, tmp_path: Path) -> None:
    wanted = [line._asdict() for line in register(map(parse_entry, log.entries))]
    assert {line["exception"] for line in wanted} >= {"blocked", "halted"}
    lines = written(log, tmp_path, "jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == wanted
    with written(log, tmp_path, "csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == len(wanted) + 1
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row if cell)


def test_parquet_holds_the_same_lines_with_types(
    log: LogBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 2)
    for number in range(3):
        log.append(
            "inference.failed", f"inf_{number}", {"reason": "\u0645\u0631\u064a\u0636 \u202e"}, actor="=1+1"
        )
    wanted = list(register(map(parse_entry, log.entries)))
    out = written(log, tmp_path, "parquet")
    table = read_parquet(out).read_all()
    assert table.schema.names == list(COLUMNS)
    assert table.schema.field("entry").type == DataType.uint64()
    assert table.schema.field("time").type == DataType.timestamp("us", tz="UTC")
    columns = [table.column(name).to_pylist() for name in COLUMNS]
    rows = [Line(entry, format_time(time), *texts) for entry, time, *texts in zip(*columns, strict=True)]
    assert rows == wanted
    assert len(wanted) >= 5, "more than two row groups"
    first = out.read_bytes()
    out.unlink()
    assert written(log, tmp_path, "parquet").read_bytes() == first


def test_parquet_of_no_exception_has_its_columns(tmp_path: Path) -> None:
    log = LogBuilder()
    log.append("system.started", "system", {})
    table = read_parquet(written(log, tmp_path, "parquet")).read_all()
    assert table.num_rows == 0
    assert table.schema.names == list(COLUMNS)


def test_without_its_library_parquet_says_what_to_install(
    log: LogBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "attending.server.reports.parquet")
    monkeypatch.setitem(sys.modules, "arro3.io", None)
    bundle, out = log.full(tmp_path / "bundle.attending"), tmp_path / "register.parquet"
    assert run(["report", "register", str(bundle), "--out", str(out), "--format", "parquet"]) == 4
    assert "pip install 'attending[parquet]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.attending"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_entries_that_do_not_read_to_the_end_leave_no_file(
    log: LogBuilder, tmp_path: Path, form: str
) -> None:
    bundle = log.full(tmp_path / "bundle.attending")
    log.tamper(bundle, "entries.jsonl", lambda data: data + b"no entry\n")
    out = tmp_path / f"register.{form}"
    assert run(["report", "register", str(bundle), "--out", str(out), "--format", form]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.attending"]


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_full_disk_ends_the_writer_as_any_other(
    log: LogBuilder, buffering: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(2_000):
        log.append("inference.failed", f"inf_{number}", {"reason": f"{number}"})
    lines = list(register(map(parse_entry, log.entries)))

    def write() -> None:
        with Path("/dev/full").open("wb", buffering=buffering) as full:
            parquet.write_register(lines, full)

    with pytest.raises(OSError, match="No space left"):
        write()
    assert "panicked" not in capfd.readouterr().err


def test_fhir_is_what_the_bundle_itself_would_hold(log: LogBuilder, tmp_path: Path) -> None:
    size = len(log.entries)
    context = [(log.entries[0], inclusion_proof(0, size, log.node))]
    bundle = log.range(tmp_path / "bundle.attending", 1, size, context=context, figures=True, fhir=True)
    out = tmp_path / "fhir.ndjson"
    assert run(["report", "fhir", str(bundle), "--out", str(out)]) == 0
    with zipfile.ZipFile(bundle) as archive:
        assert out.read_bytes() == archive.read("fhir.ndjson")
    kinds = {json.loads(line)["resourceType"] for line in out.read_text().splitlines()}
    assert kinds == {"AuditEvent", "Provenance"}


def test_what_is_no_bundle_or_is_there_already_is_refused(
    log: LogBuilder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junk, out = tmp_path / "junk", tmp_path / "register.csv"
    junk.write_bytes(b"no bundle")
    assert run(["report", "register", str(junk), "--out", str(out)]) == 1
    assert not out.exists()
    assert list(tmp_path.glob("*.partial")) == []
    out.write_text("mine")
    assert run(["report", "register", str(log.full(tmp_path / "b.attending")), "--out", str(out)]) == 4
    assert out.read_text() == "mine"
