"""Certificates as they stand in the log, and subgroups that tell of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attending.ledger.entry import parse_entry
from attending.ledger.verify.registers import REGISTERS, Asked, Row
from attending.ledger.verify.registers.subgroups import MINIMUM, SMALL, merged
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.verify.conftest import SUBJECT, LogBuilder

NEVER = "9999-01-01T00:00:00.000000Z"


def rows(log: LogBuilder, name: str, **asked: object) -> list[Row]:
    question = Asked(**{"until": NEVER, **asked})  # type: ignore[arg-type]
    return list(REGISTERS[name].rows(map(parse_entry, log.entries), question))


def hold(log: LogBuilder, name: str, kind: str = "placed") -> None:
    body = {"hold": name, "ground": "litigation", "approved_by": None}
    log.append(f"hold.{kind}", f"subject/{SUBJECT}", body, subject=SUBJECT)


def test_a_certificate_says_what_was_destroyed_why_and_by_whose_word() -> None:
    log = LogBuilder()
    erased = {"erasure": "era_1", "key_id": "ab" * 8, "closure": 1, "records": {"prompt": 3, "request": 1}}
    said = {**erased, "reason": "gdpr_17", "approved_by": "second-officer"}
    log.append("subject.erased", f"subject/{SUBJECT}", said, subject=SUBJECT, actor="human:pia")
    pruned = {"records": {"view": 5}, "rules_hash": "cd" * 32, "minimum": 9, "entries": [[1, 9]]}
    log.append("payload.pruned", "retention", pruned, actor="human:pia")
    assert [(row[0], *row[3:9]) for row in rows(log, "custody")] == [
        ("erasure", "key destroyed", SUBJECT, "gdpr_17", 4, "human:pia", "second-officer"),
        ("pruned", "retention ended", None, None, 5, "human:pia", None),
    ]
    assert "ab" * 8 in str(rows(log, "custody")[0][9])
    assert rows(log, "custody", subjects=("sub_" + "b3" * 13,)) == []


def test_a_hold_stands_until_it_is_lifted() -> None:
    log = LogBuilder()
    hold(log, "hold_1")
    hold(log, "hold_2")
    hold(log, "hold_1", "lifted")
    found = rows(log, "custody")
    assert [row[3] for row in found if row[0] == "hold"] == ["placed", "placed", "lifted"]
    assert [row[3] for row in found if row[0] == "standing"] == ["hold_2"]
    before = rows(
        log, "custody", until=parse_entry(log.entries[2]).time, since=parse_entry(log.entries[1]).time
    )
    assert [row[3] for row in before] == ["placed", "hold_1", "hold_2"]


def ask(log: LogBuilder, number: int, group: str | None, flagged: bool) -> None:
    stream = f"inf_{number}"
    tags = {} if group is None else {"age_band": group}
    log.append("inference.requested", stream, {"tags": tags, "rails": [{"name": "phi", "status": "passed"}]})
    body: dict[str, object] = {"rails": [{"name": "dose", "status": "flagged" if flagged else "passed"}]}
    body["findings"] = {"by_code": {"dose_high": 1} if flagged else {}}
    log.append("inference.generated", stream, body)
    if flagged:
        log.append("inference.held", stream, {})
        log.append("review.disposed", stream, {"code": "dose_high", "disposition": "fixed"})


@pytest.fixture
def log() -> LogBuilder:
    made = LogBuilder()
    for number in range(12):
        ask(made, number, "18-64", number < 3)
    for number in range(12, 32):
        ask(made, number, "65+", number < 22)
    for number in range(32, 36):
        ask(made, number, "0-17", True)
    ask(made, 36, None, False)
    return made


def test_rails_findings_and_groups_are_those_counted_by_hand(log: LogBuilder) -> None:
    found = rows(log, "guardrails", group="age_band")
    assert [row[1:4] for row in found if row[0] == "rail"] == [("dose", 37, 17), ("phi", 37, 0)]
    assert [(row[1], row[2], row[6], row[7]) for row in found if row[0] == "finding"] == [
        ("dose_high", 17, 0, 17)
    ]
    assert [row[1:5] for row in found if row[0] == "group"] == [
        ("65+", 20, 10, 10),
        (SMALL, 16, 7, 7),  # 4 children would be told by themselves: they go with the next larger group
        ("not collected", 1, None, None),
    ]


def test_without_a_tag_it_is_said_that_nothing_was_collected(log: LogBuilder) -> None:
    for asked in ({}, {"group": "no-such-tag"}):
        assert [row[1] for row in rows(log, "guardrails", **asked) if row[0] == "group"] == ["not collected"]


def test_a_few_texts_in_all_are_not_told_apart_nor_together() -> None:
    log = LogBuilder()
    for number in range(4):
        ask(log, number, "a" if number else "b", True)
    [group] = [row for row in rows(log, "guardrails", group="age_band") if row[0] == "group"]
    assert group[1] == SMALL
    assert set(group[2:]) == {None}


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 40), max_size=12))
def test_no_group_of_a_few_is_shown_and_no_text_is_lost(sizes: Mapping[str, int]) -> None:
    columns = ("texts", "flagged", "held", "blocked", "overridden", "upheld", "withdrawn")
    groups = {name: {**dict.fromkeys(columns, 0), "texts": size} for name, size in sizes.items()}
    found = merged(groups)
    assert sum(row["texts"] for _, row in found) == sum(sizes.values())
    if sum(sizes.values()) >= MINIMUM:
        assert all(row["texts"] >= MINIMUM for _, row in found)


def test_a_hostile_body_costs_nothing(log: LogBuilder) -> None:
    bodies: tuple[dict[str, Any], ...] = (
        {"tags": 7},
        {"tags": {"age_band": {}}},
        {"rails": [{}, 3], "findings": []},
        {"tags": {"age_band": "x" * 9_000}},
    )
    for number, body in enumerate(bodies):
        log.append("inference.requested", f"inf_h{number}", body)
        log.append("inference.generated", f"inf_h{number}", body)
    assert all(len(str(cell)) <= 72 for row in rows(log, "guardrails", group="age_band") for cell in row)
