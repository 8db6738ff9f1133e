"""The control matrix in a report: what is printed is what was evaluated, and a tampered bundle evidences nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.controls.bundle import evaluate_bundle
from attending.server.controls.evaluation import WORDS, Evaluated, Result
from attending.server.controls.over_log import shipped_matrix
from attending.server.reports.blocks import Block
from attending.server.reports.control_matrix import control_matrix
from attending.server.reports.pdf import make_pdf
from attending.server.reports.source import read_source

from tests.ledger.verify.conftest import LogBuilder
from tests.ledger.verify.test_statistics import busy
from tests.server.reports.test_pdf import about, made, require_inside, text_of


@pytest.fixture
def log() -> LogBuilder:
    made = LogBuilder()
    made.ordinary_day()
    return busy(made)


def rows(blocks: list[Block]) -> list[list[str]]:
    return [row for block in blocks if block["kind"] == "table" for row in block["rows"]]


def results(path: Path, key: VerifierKey) -> list[Evaluated]:
    return list(evaluate_bundle(shipped_matrix(), path, verify_bundle(path, Anchors(keys=(key,)))))


def plain(text: str) -> str:
    return "".join(text.split())


def test_every_control_is_printed_with_what_was_evaluated(log: LogBuilder, tmp_path: Path) -> None:
    path = made(log, tmp_path)
    bundle = tmp_path / "b.attending"
    source = read_source(bundle, log.vkey, tmp_path / "x.csv", about(log).asked)
    printed = rows(list(control_matrix(source)))
    found = results(bundle, log.vkey)
    assert len(printed) == len(found) == len(list(shipped_matrix()))
    assert {one.result for one in found} == set(Result)
    page = plain(text_of(path))
    for one, (reference, requirement, status, said, *counts) in zip(found, printed, strict=True):
        assert plain(reference) == plain(one.control.reference)
        assert plain(one.control.requirement) in plain(requirement)
        assert plain(one.control.limits or "") in plain(requirement)
        assert requirement.count("*") == (one.control.wording == "from_memory")
        assert one.control.as_of.isoformat() in status
        assert plain(said).startswith(plain(WORDS[one.result]))
        assert counts == (
            [str(one.met), str(one.failed), str(one.undecided)] if one.counted else ["", "", ""]
        )
        assert all(str(index) in said for index in one.failures)
        # A page may end within a cell.
        for cell in (plain(requirement), plain(said)):
            assert cell[:12] in page
            assert cell[-12:] in page
    assert shipped_matrix().sha256 in page
    require_inside(path)


def test_the_pages_are_the_same_bytes_again(log: LogBuilder, tmp_path: Path) -> None:
    path = made(log, tmp_path)
    (tmp_path / "again").mkdir()
    assert make_pdf(tmp_path / "b.attending", about(log), tmp_path / "again") == path.read_bytes()


def test_what_does_not_verify_evidences_nothing_that_rests_on_it(log: LogBuilder, tmp_path: Path) -> None:
    bundle = log.full(tmp_path / "b.attending", figures=True)
    before = {one.control.id: one.result for one in results(bundle, log.vkey)}
    log.tamper(bundle, "entries.jsonl", lambda data: data.replace(b'"inf_4"', b'"inf_9"', 1))
    after = {one.control.id: one.result for one in results(bundle, log.vkey)}
    for name in ("hipaa-164.312-c-1", "hipaa-164.312-c-2", "part-11-10-a-altered"):
        assert (before[name], after[name]) == (Result.EVIDENCED, Result.FAILED)
