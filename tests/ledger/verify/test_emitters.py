"""Sequences and completeness: against a set of numbers, and in bundles."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import parse_entry
from attending.ledger.verify.emitters import (
    CLOSING_TYPE,
    MAX_SEQUENCE,
    Sequences,
    closing_body,
    completeness,
    emitter_body,
    shown,
)
from attending.ledger.verify.report import CheckResult, Report, Status
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.verify.conftest import LogBuilder, failures

EHR = "app:ehr"
NUMBERS = st.lists(st.integers(1, 60), max_size=80)


@given(NUMBERS)
def test_sequences_are_a_set_of_numbers(numbers: list[int]) -> None:
    sequences, seen = Sequences(), set[int]()
    for number in numbers:
        assert sequences.add(number) == (number not in seen)
        seen.add(number)
        assert (sequences.count, sequences.highest) == (len(seen), max(seen))
    for number in range(70):
        assert (number in sequences) == (number in seen)
    through = next(n for n in range(70) if n + 1 not in seen)
    assert sequences.through == through
    ranges = sequences.ranges()
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))
    assert sequences.parts == len(ranges)
    assert Sequences(ranges).ranges() == ranges


@given(NUMBERS, st.integers(0, 70))
def test_what_is_missing_is_all_that_was_not_seen(numbers: list[int], last: int) -> None:
    sequences = Sequences()
    for number in numbers:
        sequences.add(number)
    gaps = list(sequences.missing(last))
    named = [number for first, end in gaps for number in range(first, end + 1)]
    assert named == [number for number in range(1, last + 1) if number not in numbers]
    assert sequences.missing_count(last) == len(named)
    # Each gap is whole: no two of them touch.
    assert all(a[1] + 1 < b[0] for a, b in pairwise(gaps))


@given(NUMBERS, NUMBERS)
def test_the_order_of_arrival_does_not_matter_and_a_copy_is_apart(one: list[int], two: list[int]) -> None:
    first, second = Sequences(), Sequences()
    for number in one + two:
        first.add(number)
    for number in one:
        second.add(number)
    before = second.ranges()
    copy = second.copy()
    for number in reversed(two):
        copy.add(number)
    assert (copy.ranges(), copy.count) == (first.ranges(), first.count)
    assert second.ranges() == before


@pytest.mark.parametrize("number", [0, -1, MAX_SEQUENCE + 1])
def test_a_number_out_of_bounds_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="sequence"):
        Sequences().add(number)


@pytest.mark.parametrize("ranges", [[(2, 1)], [(0, 3)], [(1, 3), (4, 5)], [(5, 6), (1, 2)], [(1, 2**60)]])
def test_ranges_in_another_form_are_refused(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="ranges"):
        Sequences(ranges)


def event(log: LogBuilder, sequence: int, *, emitter: str = "one", actor: str = EHR) -> None:
    log.append("rag.version", f"emitter/{actor}/{emitter}", emitter_body(emitter, sequence, {}), actor=actor)


def end(log: LogBuilder, issued: int, *, emitter: str = "one") -> None:
    log.append(CLOSING_TYPE, f"emitter/{EHR}/{emitter}", closing_body(emitter, issued), actor=EHR)


def v7(report: Report) -> list[CheckResult]:
    return [item for item in report.results if item.check == "V7"]


def texts(report: Report, status: Status) -> list[str]:
    return [item.detail for item in v7(report) if item.status is status]


def test_an_emitter_that_is_whole_is_named_so(log: LogBuilder, tmp_path: Path) -> None:
    for sequence in (2, 1, 3):
        event(log, sequence)
    end(log, 3)
    report = log.verify(log.full(tmp_path / "b"), require_complete=True, require_freshness=False)
    assert report.verdict is Status.PASSED
    assert "emitter `one` of `app:ehr`: 3 issued, 3 present" in texts(report, Status.PASSED)


def test_a_declared_end_that_is_not_reached_is_told(log: LogBuilder, tmp_path: Path) -> None:
    for sequence in (1, 2, 5):
        event(log, sequence)
    end(log, 9)
    bundle = log.full(tmp_path / "b")
    [doubt] = texts(log.verify(bundle), Status.INDETERMINATE)
    assert doubt == "emitter `one` of `app:ehr`: 9 issued, 3 present, missing 3-4, 6-9"
    assert log.verify(bundle).verdict is Status.PASSED
    assert log.verify(bundle, require_complete=True).verdict is Status.INDETERMINATE


def test_an_end_that_is_not_declared_is_told(log: LogBuilder, tmp_path: Path) -> None:
    event(log, 1)
    event(log, 3)
    event(log, 1, actor="app:other")
    bundle = log.full(tmp_path / "b")
    told = texts(log.verify(bundle), Status.INDETERMINATE)
    assert [t.partition(";")[0] for t in told] == [
        "emitter `one` of `app:ehr`: at least 3 issued, 2 present, missing 2",
        "emitter `one` of `app:other`: at least 1 issued, 1 present",
    ]
    assert log.verify(bundle, require_complete=True).verdict is Status.INDETERMINATE


def test_a_late_arrival_after_the_end_fills_its_gap(log: LogBuilder, tmp_path: Path) -> None:
    event(log, 2)
    end(log, 2)
    event(log, 1)
    report = log.verify(log.full(tmp_path / "b"), require_complete=True)
    assert report.verdict is Status.PASSED


@pytest.mark.parametrize(
    "tell",
    [
        lambda log: event(log, 1),
        lambda log: event(log, 4),
        lambda log: end(log, 3),
        lambda log: log.append("rag.version", "s", {"emitter": {"id": "one"}}, actor=EHR),
        lambda log: log.append("rag.version", "s", {"emitter": "one"}, actor=EHR),
        lambda log: log.append("rag.version", "s", {"emitter": {"id": "o ne", "sequence": 1}}, actor=EHR),
        lambda log: log.append("rag.version", "s", {"emitter": {"id": "one", "sequence": True}}, actor=EHR),
        lambda log: log.append(CLOSING_TYPE, "s", {"emitter": {"id": "two"}, "issued": -1}, actor=EHR),
    ],
    ids=["twice", "past the end", "ended twice", "no sequence", "text", "name", "bool", "negative"],
)
def test_counters_that_contradict_each_other_fail(tell: Any, log: LogBuilder, tmp_path: Path) -> None:
    for sequence in (1, 2, 3):
        event(log, sequence)
    end(log, 3)
    tell(log)
    assert failures(log.verify(log.full(tmp_path / "b"))) == {"V7": {4}}


def test_an_end_below_what_arrived_fails(log: LogBuilder, tmp_path: Path) -> None:
    event(log, 7)
    end(log, 6)
    assert failures(log.verify(log.full(tmp_path / "b"))) == {"V7": {1}}


def test_a_part_of_a_log_does_not_tell(log: LogBuilder, tmp_path: Path) -> None:
    for sequence in (1, 2, 3, 4):
        event(log, sequence)
    bundle = log.range(tmp_path / "b", 1, 3)
    assert "told by scope full only" in " ".join(texts(log.verify(bundle), Status.INDETERMINATE))
    assert log.verify(bundle, require_complete=True).verdict is Status.INDETERMINATE


def test_a_log_without_emitters_says_nothing_of_them(day: LogBuilder, tmp_path: Path) -> None:
    report = day.verify(day.full(tmp_path / "b"), require_complete=True)
    assert [item.status for item in v7(report)] == [Status.PASSED]


def test_completeness_of_entries_is_the_same_without_a_bundle(log: LogBuilder) -> None:
    for sequence in (1, 2, 5):
        event(log, sequence)
    end(log, 6)
    [emitter] = completeness(map(parse_entry, log.entries)).all()
    assert (emitter.actor, emitter.id, emitter.issued) == (EHR, "one", 6)
    assert list(emitter.sequences.missing(emitter.expected)) == [(3, 4), (6, 6)]


def test_many_gaps_are_not_all_printed() -> None:
    assert shown([(n, n) for n in range(1, 40, 2)]) == "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, ..."
    assert shown([]) == ""
