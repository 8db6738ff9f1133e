"""What is made of a bundle with no server: the register, alike in each form and inert in a spreadsheet, and FHIR."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from attending.ledger.entry import parse_entry
from attending.ledger.verify.register import COLUMNS, register
from attending.server.cli.main import run

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


def test_every_entry_is_an_audit_event(log: LogBuilder, tmp_path: Path) -> None:
    bundle, out = log.full(tmp_path / "bundle.attending"), tmp_path / "audit.ndjson"
    assert run(["report", "audit-events", str(bundle), "--out", str(out)]) == 0
    made = [json.loads(line) for line in out.read_text().splitlines()]
    entries = [parse_entry(data) for data in log.entries]
    assert [one["subtype"][0]["code"] for one in made] == [entry.type for entry in entries]
    assert [one["recorded"] for one in made] == [entry.time for entry in entries]
    for one, entry in zip(made, entries, strict=True):
        patients = [it["what"]["identifier"]["value"] for it in one["entity"] if it["type"]["code"] == "1"]
        assert patients == ([entry.subject] if entry.subject else [])


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
