"""The statistics of entries: counted by hand here, by one function there, and again by the verifier."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.canonical import encode, parse_canonical
from attending.ledger.entry import ENTRY_TYPES, Entry, parse_entry
from attending.ledger.usage import COUNTS, RECONCILED
from attending.ledger.verify import Report, Status
from attending.ledger.verify.register import COLUMNS, KINDS, register, register_csv
from attending.ledger.verify.statistics import (
    DECISIONS,
    figure_lines,
    first_difference,
    statistics_json,
    statistics_of,
)
from attending.ledger.verify.tally import MOST_CHARACTERS, MOST_LABELS, OTHER, Table, Times, label
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=80),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcdefghij_", min_size=1, max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)
READ = (
    *("policy", "basis", "stage", "findings", "rails", "usage", "statement", "reading", "disposition"),
    *("reason_code", "count", "payloads", "records", "incident_id", "access", "emitter", "practice"),
    *("refused", "overdue", "phi_replaced", "model", "severity", "code", "not_enforced"),
)


def entries_of(log: LogBuilder) -> list[Entry]:
    return [parse_entry(data) for data in log.entries]


def requested(log: LogBuilder, stream: str, policy: str = "letters", **more: Any) -> None:
    body = {"policy": policy, "model": "m-1", "prompt_version": None, "phi_replaced": 2, **more}
    log.append("inference.requested", stream, body)


def generated(log: LogBuilder, stream: str, **codes: int) -> None:
    log.append(
        "inference.generated",
        stream,
        {
            "model": "m-1-revised",
            "usage": {
                "input_tokens": 10,
                "output_tokens": None,
                "cost_micros": 7,
                "currency": "USD",
                "basis": "x",
            },
            "rails": [{"name": "phi", "status": "passed"}, {"name": "dose", "status": "timed_out"}],
            "findings": {"count": sum(codes.values()), "by_code": codes, "by_severity": {"major": 1}},
        },
    )


def busy(log: LogBuilder) -> LogBuilder:
    """A released text, one that is signed after a look, one by break-glass, a blocked prompt, and what else happens."""
    requested(log, "inf_1")
    generated(log, "inf_1")
    log.append("inference.released", "inf_1", {"basis": "policy"})
    requested(log, "inf_2", "plans", prompt_version="sha256:" + "ab" * 32)
    generated(log, "inf_2", dose_high=2)
    log.append("inference.held", "inf_2", {})
    said = {"code": "dose_high", "disposition": "accepted_risk", "reason_code": "monitored"}
    log.append("review.disposed", "inf_2", said)
    log.append("review.disposed", "inf_2", {"code": "dose_high", "disposition": "fixed", "reason_code": None})
    log.clock += timedelta(seconds=55)
    signed = {
        "statement": {"meaning": "approved_with_edits", "role": "clinician"},
        "reading": {"short": True},
    }
    log.append("review.signed", "inf_2", signed)
    log.append("inference.released", "inf_2", {"basis": "signed"})
    log.append("inference.withdrawn", "inf_2", {"reason_code": "error"})
    requested(log, "inf_3", "plans")
    generated(log, "inf_3")
    log.append("inference.held", "inf_3", {})
    log.append("break_glass.used", "inf_3", {"reason": "cardiac_arrest"})
    log.append("inference.released", "inf_3", {"basis": "break_glass"})
    requested(log, "inf_4")
    found = {"count": 1, "by_code": {"injection": 1}, "by_severity": {"major": 1}}
    log.append("inference.blocked", "inf_4", {"stage": "input", "findings": found})
    requested(log, "inf_5")
    log.append("inference.failed", "inf_5", {"reason": "PROVIDER_TIMEOUT"})
    log.append("inference.late", "inf_5", {})
    requested(log, "inf_6", "plans")
    generated(log, "inf_6")
    log.append("inference.held", "inf_6", {})
    requested(log, "inf_7")
    log.append("access.denied", "access/eve", {"count": 4})
    log.append("access.exported", "access/ann", {"payloads": True})
    log.append("access.exported", "access/ann", {"payloads": True}, subject="sub_" + "a2" * 13)
    log.append("disclosure.recorded", "emitter/a/b", {"recipient": "court", "purpose": "law"})
    log.append("incident.opened", "emitter/a/b", {"incident_id": "i1", "severity": "major"})
    log.append("incident.opened", "emitter/a/b", {"incident_id": "i2", "severity": "minor"})
    log.append("incident.closed", "emitter/a/b", {"incident_id": "i1", "outcome": "resolved"})
    log.append("system.halted", "halt:all", {"reason": "drill"})
    log.append("subject.erased", "subject/x", {"reason": "gdpr_17", "records": {"prompt": 3, "request": 1}})
    log.append("payload.pruned", "retention", {"records": {"view": 5}})
    return log


def test_the_figures_are_those_counted_by_hand(log: LogBuilder) -> None:
    figures = statistics_of(entries_of(busy(log)))
    assert figures["entries"]["count"] == len(log.entries)
    inferences = figures["inferences"]
    assert {name: n for name, n in inferences["decisions"].items() if n} == {
        "released_by_policy": 1,
        "released_signed": 1,
        "released_break_glass": 1,
        "held": 3,
        "blocked_input": 1,
        "failed": 1,
        "withdrawn": 1,
        "late": 1,
    }
    assert (inferences["requested"], inferences["still_held"], inferences["undecided"]) == (7, 1, 1)
    plans = inferences["by_policy"]["plans"]
    assert (plans["requested"], plans["held"], plans["released_signed"]) == (3, 3, 1)
    # The model that answered, not the one that was asked for.
    assert inferences["by_model"]["m-1-revised"]["released_by_policy"] == 1
    assert inferences["by_model"]["m-1"]["requested"] == 7
    assert inferences["by_prompt_version"]["sha256:" + "ab" * 32]["released_signed"] == 1
    times = figures["microseconds"]
    assert times["request_to_verdict"]["count"] == 6
    assert times["held_to_decision"] == {
        "count": 2,
        "least": 2_000_000,
        "p50": 2_000_000,
        "p90": 59_000_000,
        "p99": 59_000_000,
        "most": 59_000_000,
    }
    assert figures["findings"]["by_code"] == {"dose_high": 2, "injection": 1}
    assert (figures["findings"]["texts_judged"], figures["findings"]["texts_with_findings"]) == (5, 2)
    assert figures["rails"]["dose"] == {"runs": 4, "flagged": 0, "did_not_judge": 4}
    review = figures["review"]
    assert review["dispositions_by_code"]["dose_high"]["accepted_risk"] == 1
    assert review["override_reasons"] == {"monitored": {"accepted_risk": 1, "false_alarm": 0, "other": 0}}
    assert review["readings"] == {"long_enough": 0, "short": 1, "not_measured": 0}
    assert figures["exceptions"]["denied_attempts"] == 4
    assert figures["exceptions"]["emergency_uses_not_reviewed"] == 1
    assert figures["disclosures"]["exports"] == {"with_content": 1, "without_content": 0}
    assert figures["incidents"]["not_closed"] == 1
    assert (figures["privacy"]["payloads_erased"], figures["privacy"]["payloads_pruned"]) == (4, 5)
    assert figures["privacy"]["identifiers_replaced"] == 14
    assert figures["usage"]["cost_micros"] == {"USD": 28}
    assert (figures["usage"]["output_tokens"], figures["usage"]["output_tokens_known"]) == (0, 0)


def test_the_register_lists_what_the_figures_count(log: LogBuilder) -> None:
    entries = entries_of(busy(log))
    lines = list(register(entries))
    by_kind = statistics_of(entries)["exceptions"]["by_kind"]
    assert {kind: sum(line.exception == kind for line in lines) for kind in KINDS} == by_kind
    assert [line.entry for line in lines] == sorted(line.entry for line in lines)
    rows = list(csv.reader(io.StringIO(b"".join(register_csv(lines)).decode())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(lines) + 1


def test_no_cell_of_the_register_is_a_formula(log: LogBuilder) -> None:
    log.append("incident.opened", "s", {"severity": "=HYPERLINK(1)"}, actor="=cmd|' /C calc'!A0")
    [_header, row] = csv.reader(io.StringIO(b"".join(register_csv(register(entries_of(log)))).decode()))
    assert row[5] == "'=cmd|' /C calc'!A0"


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=200), st.sampled_from([50, 90, 99]))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[int], p: int) -> None:
    times = Times()
    times._values.extend(values)
    found = times.result()[f"p{p}"]
    fitting = [value for value in values if 100 * sum(other <= value for other in values) >= p * len(values)]
    assert found == min(fitting)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(ENTRY_TYPES)),
            st.sampled_from(["a", "b"]),
            st.dictionaries(st.sampled_from(READ), JSON, max_size=6),
        ),
        max_size=12,
    )
)
def test_whatever_bodies_hold_there_are_figures(make_log: type[LogBuilder], items: Iterable[Any]) -> None:
    log = make_log()
    for kind, stream, body in items:
        log.append(kind, stream, body)
    figures = statistics_of(entries_of(log))
    assert parse_canonical(statistics_json(figures)) == figures
    assert figures["entries"]["count"] == len(log.entries)
    assert sum(figures["exceptions"]["by_kind"].values()) == len(list(register(entries_of(log))))
    for path, value in figure_lines(figures):
        assert f"{path}{value}".isascii()


def test_a_hostile_label_costs_neither_memory_nor_a_line() -> None:
    long, other = "x" * 5_000, "x" * 4_999 + "y"
    assert len(label(long)) == MOST_CHARACTERS
    assert label(long) != label(other)
    assert label("a\nb = 7") == "a\\x0ab = 7"
    table = Table()
    for position in range(MOST_LABELS + 40):
        table.add(f"m-{position}")
    assert len(table.result()) == MOST_LABELS + 1
    assert table[OTHER] == 40


def test_sums_stop_where_the_canonical_form_does() -> None:
    table = Table()
    for _ in range(3):
        table.add_all({"x": 2**53 - 1, "y": True, "z": -5, "w": "1"})
    assert table.result() == {"x": 2**53 - 1}


# -- in a bundle
# ----------------------------------------------------------------------------------------------


def test_a_bundle_states_its_figures_and_the_verifier_counts_them_again(
    day: LogBuilder, tmp_path: Path
) -> None:
    path = day.full(tmp_path / "a.attending", figures=True)
    report = day.verify(path)
    assert report.verdict is Status.PASSED
    figures = statistics_of(entries_of(day))
    [passed] = [item.detail for item in report.results if item.check == "V20"]
    assert passed.startswith(f"{5 + sum(1 for _ in figure_lines(figures))} figures")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s["inferences"]["decisions"].update(held=0), "inferences / decisions / held"),
        (lambda s: s["exceptions"].update(denied_attempts=1), "exceptions / denied_attempts"),
        (lambda s: s["entries"]["by_type"].pop("inference.held"), "entries / by_type / inference.held"),
        (lambda s: s["findings"]["by_code"].update(more=1), "findings / by_code / more"),
        (lambda s: s["microseconds"]["request_to_verdict"].update(p50=1), "request_to_verdict / p50"),
    ],
)
def test_a_figure_that_is_not_that_of_the_entries_is_named(
    day: LogBuilder, tmp_path: Path, failed: Failed, change: Callable[[Any], Any], named: str
) -> None:
    def edit(data: bytes) -> bytes:
        figures = json.loads(data)
        change(figures)
        return encode(figures)

    path = day.full(tmp_path / "a.attending", figures=True)
    report = day.verify(day.tamper(path, "statistics.json", edit, resign=True))
    assert failed(report) == {"V20": {None}}
    assert any(named in item.detail for item in report.results if item.status is Status.FAILED)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a": 1}', b"\xff", b'{"a":1,"a":1}'])
def test_statistics_that_are_none_fail(day: LogBuilder, tmp_path: Path, failed: Failed, data: bytes) -> None:
    path = day.full(tmp_path / "a.attending", figures=True)
    report = day.verify(day.tamper(path, "statistics.json", lambda _old: data, resign=True))
    assert failed(report) == {"V20": {None}}


def test_figures_of_a_later_format_are_not_judged(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    path = day.full(tmp_path / "a.attending", figures=True)
    later = encode({"format": "attending-statistics/2", "x": 1})
    report = day.verify(day.tamper(path, "statistics.json", lambda _old: later, resign=True))
    assert failed(report) == {}
    assert report.verdict is Status.INDETERMINATE


@pytest.mark.parametrize(
    "lie",
    [
        # A reader of the tree gets the lie; whoever compares lines found the truth under the same path.
        {"inferences": {"requested": 0}, "inferences / requested": 7},
        {"inferences": {"requested": "7"}},
        {"inferences": {"requested": True}},
        {"feedback": {}, "inferences": {"requested": 7}},
        {"inferences": {"requested": 7, "more": {}}},
        {"inferences": 7},
    ],
)
def test_figures_are_compared_as_a_tree(lie: dict[str, Any]) -> None:
    truth = {"inferences": {"requested": 7 if lie["inferences"] != {"requested": True} else 1}}
    assert first_difference(truth, truth) is None
    assert first_difference(lie, truth) is not None


def test_the_order_of_decisions_is_that_of_the_columns() -> None:
    figures = statistics_of([])
    assert list(figures["inferences"]["decisions"])[: len(DECISIONS)] == list(DECISIONS)
    assert first_difference(figures, figures) is None
    assert dict(figure_lines(figures))["entries / first_time"] == "none"


def test_comparisons_with_providers_are_counted_whatever_they_say(log: LogBuilder, tmp_path: Path) -> None:
    counts = {name: number for number, name in enumerate(COUNTS)}
    log.append(RECONCILED, "usage", {"provider": "own", **counts})
    log.append(RECONCILED, "usage", {"records": -1, "bypassed": "many", "matched": 2**53 - 1})
    completeness = statistics_of([parse_entry(data) for data in log.entries])["completeness"]
    assert completeness["provider_records_reconciled"] == 2**53 - 1
    assert completeness["provider_usage"]["comparisons"] == 2
    assert completeness["provider_usage"]["bypassed"] == counts["bypassed"]
    assert log.verify(log.full(tmp_path / "a.attending", figures=True)).failures == ()
