"""The table of lies has every row of the control matrix, and the documentation says what the verifiers are held to."""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.ledger.verify.__main__ import main

from tests.negative import rows
from tests.negative.logs import cosigned, honest_day, witness_of
from tests.negative.table import LIES, lines

DOCUMENT = Path(__file__).parents[2] / "docs/verifier-page.md"


def test_every_row_of_the_matrix_is_told() -> None:
    assert {lie.row for lie in LIES} == set(rows.EVERY)
    assert len({lie.id for lie in LIES}) == len(LIES)


def test_the_documentation_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [line for line in lines() if line not in text] == []
    assert text.count("\n| ") - 1 == len(list(lines())), "the page has rows that nothing is held to"


def test_the_day_that_is_lied_about_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With every anchor, and all that can be asked for but that time is bounded from below since the first entry."""
    log = honest_day()
    path = log.full(tmp_path / "a.attending", figures=True, checkpoint_note=cosigned(log))
    words = [str(path), "--key", str(log.vkey), "--witness", str(witness_of(log))]
    for size in (10, len(log.entries)):
        pinned = tmp_path / f"{size}.checkpoint"
        pinned.write_text(cosigned(log, size))
        words += ["--pinned", str(pinned)]
    assert main([*words, "--require-freshness", "--require-complete"]) == 0
    assert "VERIFIED" in capsys.readouterr().out


def test_a_range_between_two_heads_that_a_witness_saw_has_its_time_proved(tmp_path: Path) -> None:
    log = honest_day()
    path = log.range(tmp_path / "a.attending", 2, 10, size=20, checkpoint_note=cosigned(log, 20))
    words = [str(path), "--key", str(log.vkey), "--witness", str(witness_of(log)), "--require-time"]
    assert main(words) == 3
    pinned = tmp_path / "2.checkpoint"
    pinned.write_text(cosigned(log, 2))
    # A pin below the range is not recomputed from it (V9), and bounds its time all the same.
    assert main([*words, "--pinned", str(pinned)]) == 0
