"""V14: only of what was taken back does anybody take notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder


def test_a_notice_without_a_recall_is_refused(
    log: LogBuilder, tmp_path: Path, failed: Callable[[Report], dict[str, set[int | None]]]
) -> None:
    log.hold("inf_1")
    entry = log.append("recall.acknowledged", "inf_1", {"target": "app"}, actor="app:test")
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {"V14": {entry.index}}


def test_nothing_but_a_released_text_is_proposed_for_recall(
    log: LogBuilder, tmp_path: Path, failed: Callable[[Report], dict[str, set[int | None]]]
) -> None:
    put = log.append("knowledge.activated", "knowledge", {"knowledge_hash": "ab" * 32}).index
    log.hold("inf_1")
    wrong = {
        log.append(kind, "inf_1", {"activation": put}, actor="human:rivera").index
        for kind in ("recall.proposed", "recall.dismissed")
    }
    # The first leaves the verifier with the state that it would have needed.
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {"V14": {min(wrong)}}
