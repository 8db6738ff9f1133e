"""V22 over bundles: an honest examination, and one for each way of being wrong."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.entry import format_time, parse_entry
from attending.ledger.examination import (
    ExaminationStatement,
    Office,
    counts_of,
    digest_of,
    exceptions,
    sign_of,
)
from attending.ledger.verify import Report, Status

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder, Reviewer

Failed = Callable[[Report], dict[str, set[int | None]]]


def busy_day(log: LogBuilder) -> Reviewer:
    """One exception of every class that an examination knows, and some entries that are none."""
    officer = log.enrol("prv-ito", "privacy_officer")
    log.append("break_glass.used", "emergency/1", {"access": "emg_1", "review_due": format_time(log.clock)})
    log.append("break_glass.reviewed", "emergency/1", {"access": "emg_1"}, actor="human:other")
    log.append("access.denied", "denied", {"count": 3})
    log.append("access.denied", "denied", {"count": 2})
    log.append("access.denied", "denied", {"count": 7})
    log.append("access.denied", "denied", {"refused": "SIGNER_IS_AUTHOR"})
    log.append("access.denied", "denied", {"refused": "ASSERTION"})
    log.append("access.denied", "denied", {"policy_ids": ["nobody-reviews-their-own-emergency"]})
    log.append("access.exported", "exports", {"payloads": True}, actor=f"human:{officer.user}")
    log.append("access.exported", "exports", {"payloads": False})
    log.append("session.started", "session/1", {"concurrent": 1})
    log.append("session.started", "session/2", {"elsewhere_seconds": 59})
    log.append("session.started", "session/3", {"concurrent": 0, "elsewhere_seconds": 60})
    return officer


def examined(log: LogBuilder, officer: Reviewer, *, leave: int = 0, **changes: Any) -> None:
    """Every exception so far disposed of (but for the last `leave`), and the examination signed."""
    until, until_time = len(log.entries), format_time(log.clock)
    signs = [sign for data in log.entries if (sign := sign_of(parse_entry(data))) is not None]
    lines = exceptions(Office.PRIVACY, signs, first=0, until=until, since_time="", until_time=until_time)
    made = {(line.kind, line.index): "expected" if line.index % 2 else "followed_up" for line in lines}
    for line in lines[: len(lines) - leave]:
        body = {"office": "privacy", "class": line.kind, "entry": line.index}
        body["disposition"] = made[line.kind, line.index]
        log.append("examination.disposed", "examination:privacy", body, actor=f"human:{officer.user}")
    statement = ExaminationStatement(
        origin=log.origin,
        office=Office.PRIVACY,
        first=0,
        until=until,
        since_time="",
        until_time=until_time,
        counts=counts_of(lines),
        dispositions=Counter(made.values()),
        own=1,
        digest=digest_of(lines, made),
        signer=officer.user,
        key_id=officer.key_id,
        role=officer.role,
        time=format_time(log.clock),
        nonce="examination-1",
    )
    signed(log, officer, replace(statement, **changes))


def signed(log: LogBuilder, officer: Reviewer, statement: ExaminationStatement, **more: str) -> None:
    body = {
        "statement": statement.to_json(),
        "signature": b64encode(officer.key.sign(statement.message())).decode(),
        "key_id": officer.key_id,
    }
    more = {"stream": "examination:privacy", "actor": f"human:{officer.user}", **more}
    log.append("examination.signed", more["stream"], body, actor=more["actor"])


def test_an_examination_that_lists_every_exception_passes(log: LogBuilder, tmp_path: Path) -> None:
    officer = busy_day(log)
    examined(log, officer)
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert report.verdict is Status.PASSED
    assert "1 examinations" in next(item.detail for item in report.results if item.check == "V22")


@pytest.mark.parametrize(
    "changes",
    [
        {"first": 1},
        {"since_time": "2026-11-01T08:00:00.000000Z"},
        {"until": 10_000},
        {"until_time": "2027-01-01T00:00:00.000000Z"},
        {"counts": {}},
        {"dispositions": {"expected": 1}},
        {"own": 0},
        {"digest": "0" * 64},
        {"office": Office.SAFETY},
        {"signer": "dr-else"},
        {"origin": "log.example/other"},
        {"leave": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_each_way_of_being_wrong_fails(
    log: LogBuilder, failed: Failed, tmp_path: Path, changes: dict[str, Any]
) -> None:
    officer = busy_day(log)
    examined(log, officer, **changes)
    assert failed(log.verify(log.full(tmp_path / "a.attending")))["V22"] == {len(log.entries) - 1}


def test_of_a_part_of_a_log_the_list_is_in_doubt(log: LogBuilder, tmp_path: Path) -> None:
    officer = busy_day(log)
    examined(log, officer)
    report = log.verify(log.range(tmp_path / "a.attending", 1, len(log.entries)))
    assert {item.status for item in report.results if item.check == "V22"} == {Status.INDETERMINATE}


def test_a_later_period_begins_where_the_last_one_ended(
    log: LogBuilder, failed: Failed, tmp_path: Path
) -> None:
    officer = busy_day(log)
    examined(log, officer)
    examined(log, officer)
    found = failed(log.verify(log.full(tmp_path / "a.attending")))
    assert found["V22"] == {len(log.entries) - 1}
