"""The runner: every check by itself, within its time, and no way for one to leak or to spoil the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attending.ledger.errors import UnsafeSettings
from attending.ledger.store.port import StoreFault
from attending.server.doctor import run
from attending.server.doctor.check import Finding, Site, State, green, red, unknown, warning
from attending.server.doctor.run import Examined, Listed, examine, outcome, resolve
from attending.server.doctor.table import CHECKS
from attending.server.errors import ConfigurationError

from tests.server.doctor.sites import site

SECRET = "s3cr3t-Quackenbush"


def good(_site: Site) -> Iterator[Finding]:
    yield green("well")


def first_then_raises(_site: Site) -> Iterator[Finding]:
    yield warning("FIRST", "was seen", "do")
    raise RuntimeError(SECRET)


def refuses(_site: Site) -> Iterator[Finding]:
    raise ConfigurationError("it is wrong", "correct it", reason="IT_IS_WRONG")
    yield


def unsafe(_site: Site) -> Iterator[Finding]:
    raise UnsafeSettings("a setting is wrong", reason="UNSAFE_DATABASE")
    yield


def store_fault(_site: Site) -> Iterator[Finding]:
    raise StoreFault("SQLITE_IOERR")
    yield


def no_file(_site: Site) -> Iterator[Finding]:
    (Path("/nonexistent/file")).read_bytes()
    yield green("never")


def silent(_site: Site) -> Iterator[Finding]:
    yield from ()


def hangs(_site: Site) -> Iterator[Finding]:
    threading.Event().wait()
    yield green("never")


def first_then_hangs(site: Site) -> Iterator[Finding]:
    yield red("FIRST", "was seen", "do")
    yield from hangs(site)


def listed(name: str, seconds: float = 20) -> Listed:
    return Listed("test", name, f"{__name__}:{name}", seconds)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds the checks of this module, which pytest imports under a name of its own."""
    monkeypatch.setattr(run, "resolve", lambda where: globals()[where.rpartition(":")[2]])


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("good", State.GREEN, "OK"),
        ("silent", State.GREEN, "OK"),
        ("refuses", State.RED, "IT_IS_WRONG"),
        ("unsafe", State.RED, "UNSAFE_DATABASE"),
        ("store_fault", State.UNKNOWN, "STORE_UNAVAILABLE"),
        ("no_file", State.RED, "NOT_READABLE"),
        ("first_then_raises", State.RED, "CHECK_FAILED"),
    ],
)
def test_what_a_check_that_raises_becomes(
    here: None, tmp_path: Path, name: str, state: State, reason: str
) -> None:
    [one] = examine(site(tmp_path), [listed(name)])
    last = one.findings[-1]
    assert (last.state, last.reason) == (state, reason)
    assert bool(last.next_step) == (state is not State.GREEN)


def test_an_error_spoils_neither_what_was_found_nor_the_rest_and_leaks_nothing(
    here: None, tmp_path: Path
) -> None:
    told: list[str] = []
    found = examine(
        site(tmp_path),
        [listed("first_then_raises"), listed("good")],
        begun=lambda one: told.append(f"begun {one.name}"),
        done=lambda one: told.append(f"done {one.listed.name}"),
    )
    assert [finding.reason for one in found for finding in one.findings] == ["FIRST", "CHECK_FAILED", "OK"]
    assert SECRET not in repr(found)
    assert told == ["begun first_then_raises", "done first_then_raises", "begun good", "done good"]


def test_what_a_check_had_found_when_its_time_was_over_is_told(here: None, tmp_path: Path) -> None:
    [one] = examine(site(tmp_path), [listed("first_then_hangs", 0.5)])
    assert [(found.state, found.reason) for found in one.findings] == [
        (State.RED, "FIRST"),
        (State.UNKNOWN, "CHECK_TIMED_OUT"),
    ]
    assert outcome([one]) is State.RED


def test_a_check_that_hangs_is_left_behind(here: None, tmp_path: Path) -> None:
    first, second = examine(site(tmp_path), [listed("hangs", 0.2), listed("good")])
    assert [finding.reason for finding in first.findings] == ["CHECK_TIMED_OUT"]
    assert first.findings[0].state is State.UNKNOWN
    assert second.findings[0].state is State.GREEN


@pytest.mark.parametrize(
    ("findings", "strict", "worst"),
    [
        ([green("a")], False, State.GREEN),
        ([], False, State.GREEN),
        ([green("a"), warning("W", "w", "do")], False, State.WARNING),
        ([green("a"), warning("W", "w", "do")], True, State.RED),
        ([warning("W", "w", "do"), unknown("U", "u", "do")], False, State.UNKNOWN),
        ([unknown("U", "u", "do"), red("R", "r", "do"), green("a")], False, State.RED),
    ],
)
def test_how_states_combine(findings: list[Finding], strict: bool, worst: State) -> None:
    examined = [Examined(listed("good"), (finding,), 0.0) for finding in findings]
    assert outcome(examined, strict=strict) is worst


def test_every_line_of_the_table_is_a_function_of_its_own() -> None:
    assert len({one.where for one in CHECKS}) == len(CHECKS)
    assert len({(one.group, one.name) for one in CHECKS}) == len(CHECKS)
    for one in CHECKS:
        assert callable(resolve(one.where)), one
        assert one.seconds > 0
