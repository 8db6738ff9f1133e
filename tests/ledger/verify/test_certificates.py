"""V19: what is gone has a certificate that covers it, and the certificates themselves hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.verify.payloads import Erased, Pruned
from attending.ledger.verify.report import Report, Status

from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
A, B = "sub_" + "a" * 26, "sub_" + "b" * 26


def prune(log: LogBuilder, ranges: Any, minimum: Any) -> int:
    body = {
        "entries": ranges,
        "minimum": minimum,
        "records": {"prompt": 1},
        "rules_hash": "sha256:" + "0" * 64,
    }
    return log.append("payload.pruned", "retention", body).index


def custody(log: LogBuilder, type_: str, subject: str, **body: Any) -> int:
    return log.append(type_, f"subject/{subject}", body, subject=subject).index


def first(day: LogBuilder) -> tuple[int, Pruned]:
    """The first entry with a payload, and a claim that the payload was pruned."""
    item = next(iter(day.openings.values()))
    index = next(at for at, data in enumerate(day.entries) if item.record.encode() in data)
    return index, Pruned(item.record, item.kind)


def test_a_pruned_payload_needs_an_entry_that_covers_it(
    day: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    index, claim = first(day)
    assert failed(day.verify(day.full(tmp_path / "a", payloads=[claim]))) == {"V19": {index}}
    prune(day, [[0, index], [index + 1, index + 3]], index + 3)  # everything around it
    assert failed(day.verify(day.full(tmp_path / "b", payloads=[claim]))) == {"V19": {index}}
    prune(day, [[index, index + 1]], index + 3)
    report = day.verify(day.full(tmp_path / "c", payloads=[claim]))
    assert report.verdict is Status.PASSED
    assert ["1 pruned" in item.detail for item in report.results if item.check == "V19"] == [True]
    # Pruned is not erased, and the other way round.
    erased = Erased(claim.record, claim.kind)
    assert failed(day.verify(day.full(tmp_path / "d", payloads=[erased]))) == {"V19": {index}}


def test_ranges_of_several_batches_are_taken_together(day: LogBuilder, tmp_path: Path) -> None:
    index, claim = first(day)
    prune(day, [[index + 2, index + 3]], index + 3)
    prune(day, [[index, index + 9]], index + 9)
    prune(day, [[0, 1], [index + 1, index + 2]], index + 9)
    assert day.verify(day.full(tmp_path / "a", payloads=[claim])).verdict is Status.PASSED


def test_a_disclosed_payload_still_has_to_match_where_a_prune_is_on_record(
    day: LogBuilder, tmp_path: Path
) -> None:
    index, claim = first(day)
    prune(day, [[index, index + 1]], index + 1)
    # Whoever kept a copy, or exported before, can still prove it.
    assert (
        day.verify(day.full(tmp_path / "a", payloads=[day.openings[claim.record]])).verdict is Status.PASSED
    )


@pytest.mark.parametrize(
    "ranges",
    [None, "all", [[1]], [[1, 2, 3]], [[2, 1]], [[1, 1]], [[-1, 2]], [["0", "2"]], [[0, 10_000]], [None], [[True, 2]],
     [{"from": 0, "to": 2}]],
)  # fmt: skip
def test_a_pruning_entry_that_does_not_say_what_it_covers(
    day: LogBuilder, tmp_path: Path, failed: Failed, ranges: Any
) -> None:
    index = prune(day, ranges, 3)
    assert failed(day.verify(day.full(tmp_path / "a")))["V19"] == {index}


@pytest.mark.parametrize(
    ("first_minimum", "minimum"), [(9, 8), (9, None), (9, "9"), (9, 2), (9, 10_000), (1, 9)]
)
def test_a_minimum_that_goes_back_or_is_below_what_was_pruned(
    day: LogBuilder, tmp_path: Path, failed: Failed, first_minimum: int, minimum: Any
) -> None:
    indexes = {prune(day, [[0, 3]], first_minimum), prune(day, [[1, 2]], minimum)}
    found = failed(day.verify(day.full(tmp_path / "a")))["V19"]
    assert len(found) == 1
    assert found <= indexes


def test_nothing_is_erased_under_a_hold(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    custody(day, "subject.linked", A, other=B)
    custody(day, "subject.linked", B, other=A)
    custody(day, "hold.placed", A, hold="hold_1", ground="litigation")
    lawful = LogBuilder()
    lawful.entries, lawful.clock = list(day.entries), day.clock
    index = custody(day, "subject.erased", B)
    other = custody(day, "subject.erased", A)
    # Directly, and through the link.
    assert failed(day.verify(day.full(tmp_path / "a"))) == {"V19": {index, other}}
    custody(lawful, "hold.lifted", A, hold="hold_1")
    custody(lawful, "subject.erased", A)
    custody(lawful, "subject.erased", B)
    assert failed(lawful.verify(lawful.full(tmp_path / "b"))) == {}


def about(day: LogBuilder, subject: str) -> int:
    payload = day.payload("prompt", subject.encode())
    body = {"calling_app": "p", "on_behalf_of": "n", "policy_hash": "0" * 64}
    stream = f"inf_{subject}_{len(day.entries)}"
    return day.append("inference.requested", stream, body, payloads=[payload], subject=subject).index


def test_nothing_is_pruned_under_a_hold(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    first_a, of_b, second_a = about(day, A), about(day, B), about(day, A)
    prune(day, [[of_b, of_b + 1]], of_b + 1)
    custody(day, "subject.linked", A, other=B)
    custody(day, "subject.linked", B, other=A)
    custody(day, "hold.placed", B, hold="hold_1", ground="litigation")
    lawful = LogBuilder()
    lawful.entries, lawful.clock, lawful.openings = list(day.entries), day.clock, dict(day.openings)
    custody(lawful, "hold.lifted", B, hold="hold_1")
    prune(lawful, [[first_a, second_a + 1]], second_a + 1)
    assert failed(lawful.verify(lawful.full(tmp_path / "a"))) == {}
    index = prune(day, [[first_a, first_a + 1]], second_a + 1)
    assert failed(day.verify(day.full(tmp_path / "b"))) == {"V19": {index}}


def test_a_range_may_pass_over_what_was_pruned_before_the_hold(
    day: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    other = "sub_" + "c" * 26
    before, held, after = about(day, other), about(day, A), about(day, other)
    prune(day, [[held, held + 1]], held + 1)
    custody(day, "hold.placed", A, hold="hold_1", ground="litigation")
    prune(day, [[before, after + 1]], after + 1)
    assert failed(day.verify(day.full(tmp_path / "a"))) == {}


def test_nobody_is_erased_by_halves(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    custody(day, "subject.linked", A, other=B)
    custody(day, "subject.linked", B, other=A)
    index = custody(day, "subject.erased", A)
    assert failed(day.verify(day.full(tmp_path / "a"))) == {"V19": {index}}
    custody(day, "subject.erased", B)
    assert failed(day.verify(day.full(tmp_path / "b"))) == {}


def test_a_custody_entry_that_does_not_read(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    index = custody(day, "hold.placed", A, hold="hold_1")
    assert failed(day.verify(day.full(tmp_path / "a"))) == {"V19": {index}}


def test_a_part_of_the_log_does_not_show_that_there_is_no_certificate(
    day: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    index, claim = first(day)
    end = len(day.entries)
    prune(day, [[index, index + 1]], index + 1)
    for number, part in enumerate(
        (
            day.range(tmp_path / "a", 0, end, payloads=[claim]),
            day.subset(tmp_path / "b", [index], payloads=[claim]),
        )
    ):
        report = day.verify(part)
        assert failed(report) == {}, number
        [result] = [item for item in report.results if item.check == "V19"]
        assert (result.status, result.index) == (Status.INDETERMINATE, index)
    whole = day.subset(tmp_path / "c", [index, end], payloads=[claim])
    assert [item.status for item in day.verify(whole).results if item.check == "V19"] == [Status.PASSED]


def test_lines_of_the_kinds_are_told_apart() -> None:
    assert json.loads(Pruned("rec_1", "prompt").to_line()) == {
        "kind": "prompt",
        "pruned": True,
        "record": "rec_1",
    }
