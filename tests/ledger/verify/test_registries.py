"""The registry snapshot of a bundle: what stood at its end by its own entries, and nothing that they do not tell."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.canonical import parse_canonical
from attending.ledger.entry import parse_entry
from attending.ledger.verify import Report, Status
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.registers import standing
from attending.ledger.verify.registries import Registries
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.verify.test_statistics import JSON

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
FILE = "registries.json"
ONE, TWO = "11" * 32, "22" * 32
MOVES = sorted({*standing._BEGINS, *standing._ENDS, "prompt.version", *standing._NAMES})
NAMES = (
    *(
        "name",
        "policy_hash",
        "knowledge_hash",
        "label",
        "version",
        "provider",
        "model",
        "revision",
        "index_id",
    ),
    *("document_id", "content_hash", "policy", "reason", "new", "rails", "fingerprint", "by"),
)


@pytest.fixture
def log(log: LogBuilder) -> LogBuilder:
    """Two versions of a policy, one of them replaced, a prompt with two versions and a label, and a text."""
    log.append("policy.activated", "policy:plans", {"name": "plans", "policy_hash": ONE, "by": "bootstrap"})
    log.append("knowledge.activated", "knowledge", {"knowledge_hash": "33" * 32})
    for version in ("v1", "v2"):
        log.append("prompt.version", f"prompt:{version}", {"name": "letter", "version": version})
    log.append("prompt.label", "prompt-label", {"name": "letter", "label": "live", "version": "v2"})
    log.append("model.registered", "emitter/a/b", {"provider": "p", "model": "m", "revision": "7"})
    rails = [{"name": "dose", "version": "9"}, {"name": "dose", "version": "9"}]
    log.append("inference.requested", "inf_1", {"prompt_version": "v2", "rails": rails})
    log.append("inference.generated", "inf_1", {"provider": "p", "model": "m", "knowledge_hash": "33" * 32})
    log.append("policy.activated", "policy:plans", {"name": "plans", "policy_hash": TWO, "replaces": ONE})
    log.append("system.halted", "halt:all", {"reason": "drill"})
    log.append("system.resumed", "halt:all", {})
    return log


def snapshot(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = parse_canonical(archive.read(FILE))
    return found


def test_what_stood_is_named_with_the_entry_behind_it(log: LogBuilder, tmp_path: Path) -> None:
    path = log.full(tmp_path / "a.attending", figures=True)
    found = snapshot(path)
    assert found["whole"] is True
    assert (found["from"], found["to"]) == (0, len(log.entries))
    assert found["as_of"] == parse_entry(log.entries[-1]).time
    plans = found["in_force"]["policy"]["plans"]
    assert (plans["version"], plans["entry"], plans["detail"]) == (TWO, 8, f"replaces={ONE}")
    assert plans["since"] == parse_entry(log.entries[8]).time
    assert {
        what: {name: one["entry"] for name, one in marks.items()} for what, marks in found["in_force"].items()
    } == {
        "policy": {"plans": 8},
        "drug knowledge": {"drug knowledge": 1},
        "prompt": {"letter live": 4},
        "registered model": {"p m": 5},
        "halt": {},
    }
    assert {name: one["entry"] for name, one in found["prompt_versions"]["letter"].items()} == {
        "v1": 2,
        "v2": 3,
    }
    assert found["in_use"]["rail"]["dose"]["9"] == {
        "entry": 6,
        "first": parse_entry(log.entries[6]).time,
        "last": parse_entry(log.entries[6]).time,
        "times": 2,
    }
    assert set(found["in_use"]) == {"rail", "model", "drug knowledge"}
    assert log.verify(path).verdict is Status.PASSED


def test_a_range_says_nothing_of_what_came_before_it(log: LogBuilder, tmp_path: Path) -> None:
    path = log.range(tmp_path / "a.attending", 4, 10, figures=True)
    found = snapshot(path)
    assert (found["whole"], found["from"], found["to"]) == (False, 4, 10)
    assert "drug knowledge" not in found["in_force"]
    assert found["prompt_versions"] == {}
    assert set(found["in_force"]["halt"]) == {"everything"}
    assert log.verify(path).verdict is Status.PASSED


def test_of_chosen_entries_nothing_is_said_to_stand(log: LogBuilder, tmp_path: Path) -> None:
    path = log.subset(tmp_path / "a.attending", [0, 2, 6, 7], figures=True)
    found = snapshot(path)
    assert found["in_force"] is None
    assert found["whole"] is False
    assert set(found["prompt_versions"]["letter"]) == {"v1"}
    assert set(found["in_use"]) == {"rail", "model", "drug knowledge"}
    assert log.verify(path).verdict is Status.PASSED


def edited(data: bytes) -> bytes:
    return data.replace(TWO.encode(), ONE.encode())


def test_an_edited_snapshot_fails_at_the_manifest_and_one_signed_anew_where_it_differs(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    path = log.full(tmp_path / "a.attending", figures=True)
    assert failed(log.verify(log.tamper(path, FILE, edited))) == {"V1": {None}}
    report = log.verify(log.tamper(log.full(path, figures=True), FILE, edited, resign=True))
    assert failed(report) == {"V20": {None}}
    assert any("`in_force / policy / plans / version`" in item.detail for item in report.results)


def claimed(**change: Any) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        return json.dumps({**json.loads(data), **change}, sort_keys=True, separators=(",", ":")).encode()

    return make


@pytest.mark.parametrize(
    "change",
    [
        claimed(whole=False),
        claimed(**{"from": 1}),
        claimed(in_force=None),
        claimed(more={"document": 1}),
        claimed(extra=[]),
        lambda _: b"[]",
        lambda _: b"",
        lambda data: data + b"\n",
        lambda data: data + b" " * (5 << 20),
    ],
)
def test_whatever_else_it_says_fails_at_the_figures(
    log: LogBuilder, tmp_path: Path, failed: Failed, change: Callable[[bytes], bytes]
) -> None:
    path = log.tamper(log.full(tmp_path / "a.attending", figures=True), FILE, change, resign=True)
    assert failed(log.verify(path)) == {"V20": {None}}


def test_one_of_a_later_format_is_not_decided(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    path = log.full(tmp_path / "a.attending", figures=True)
    report = log.verify(log.tamper(path, FILE, claimed(format="attending-registries/2"), resign=True))
    assert failed(report) == {}
    assert report.verdict is Status.INDETERMINATE


def test_a_bundle_of_before_has_none_and_one_that_nobody_listed_is_refused(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    path = log.tamper(log.full(tmp_path / "a.attending", figures=True), FILE, lambda _: None, resign=True)
    assert log.verify(path).verdict is Status.PASSED
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("registry.json", b"{}")
    assert failed(log.verify(path)) == {"V1": {None}}


def test_what_is_left_out_is_counted(
    log: LogBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.ledger.verify.registries.MOST_STANDING", 1)
    monkeypatch.setattr(standing, "MOST_STANDING", 0)
    monkeypatch.setattr(standing, "MOST_LABELS", 2)
    made = Registries(Scope.FULL, 0, len(log.entries))
    for data in log.entries:
        made.visit(parse_entry(data))
    assert made.result()["more"] == {
        "prompt version": 1,
        "in use": 1,
        "policy": 2,
        "drug knowledge": 1,
        "prompt": 1,
        "registered model": 1,
        "halt": 1,
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from(MOVES),
            st.sampled_from(["policies", "policy:p", "knowledge", "inf_1"]),
            st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6),
            st.text(min_size=1, max_size=300).filter(lambda name: name.isprintable()),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_bodies_hold_both_verifiers_make_the_same_of_it(
    make_log: type[LogBuilder],
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, str, dict[str, Any], str]],
) -> None:
    """The page is told each of these bundles too (tests/browser)."""
    log = make_log()
    for kind, stream, body, actor in entries:
        log.append(kind, stream, body, actor=actor[:255])
    path = log.full(tmp_path_factory.mktemp("registries") / "a.attending", figures=True)
    assert {item.status for item in log.verify(path).results if item.check == "V20"} == {Status.PASSED}
