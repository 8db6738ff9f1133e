"""V24: a practice item that reached somebody fails, whatever its stream says else; and so does a debrief of none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.practice import UNDELIVERABLE, seeded_id
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

KEY = bytes(range(32))
ITEM = "metformin-egfr-24"
SEEDED = seeded_id(KEY, ITEM)
Failed = Callable[[Report], dict[str, set[int | None]]]


def held(log: LogBuilder, stream: str, **marked: Any) -> None:
    log.request(stream, **marked)
    log.generate(stream)
    log.append("inference.held", stream, {"findings": {}, "sign_off": {"roles": ["clinician"], "count": 1}})


def debrief(log: LogBuilder, stream: str, mode: str = "seeded", **changes: Any) -> int:
    body = {"mode": mode, "item": ITEM, **({"key": KEY.hex()} if mode == "seeded" else {}), **changes}
    return log.append("oversight.debriefed", stream, body, actor="human:ann").index


def test_both_kinds_are_counted(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    held(log, SEEDED)
    debrief(log, SEEDED)
    held(log, "inf_open", practice={"item": ITEM, "for": "ann", "ticket": "tkt_1"})
    debrief(log, "inf_open", "practice")
    held(log, "inf_waiting", practice={"item": ITEM, "for": "li", "ticket": "tkt_2"})
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {}
    assert [one.detail for one in report.results if one.check == "V24"] == [
        "2 practice items and 1 seeded ones reached nobody"
    ]


@pytest.mark.parametrize("kind", sorted(UNDELIVERABLE))
@pytest.mark.parametrize("when", ["before its debrief", "after it", "openly marked"])
def test_whatever_lets_one_reach_somebody_fails(
    log: LogBuilder, tmp_path: Path, failed: Failed, kind: str, when: str
) -> None:
    stream = "inf_open" if when == "openly marked" else SEEDED
    marked = {"practice": {"item": ITEM, "for": "ann", "ticket": "t"}} if when == "openly marked" else {}
    held(log, stream, **marked)
    if when == "after it":
        debrief(log, stream)
    body = {"basis": "signed", "text_commitment": "00" * 32}
    at = log.append(kind, stream, body, actor="human:ann").index
    if when == "before its debrief":
        debrief(log, stream)
    assert at in failed(log.verify(log.full(tmp_path / "a.attending")))["V24"]


def test_a_release_cannot_be_called_practice_afterwards(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    held(log, "inf_real")
    at = debrief(log, "inf_real")
    held(log, "inf_other")
    again = debrief(log, "inf_other", "practice")
    report = failed(log.verify(log.full(tmp_path / "a.attending")))
    assert report["V24"] == {at, again}


def test_one_is_debriefed_once_and_only_while_it_is_held(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    held(log, SEEDED)
    debrief(log, SEEDED)
    twice = debrief(log, SEEDED)
    report = failed(log.verify(log.full(tmp_path / "a.attending")))
    assert report == {"V14": {twice}, "V24": {twice}}


def test_without_any_it_does_not_apply(log: LogBuilder, tmp_path: Path) -> None:
    held(log, "inf_1")
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert [str(one.status) for one in report.results if one.check == "V24"] == ["not_applicable"]
