"""Simulations that the server runs: one a tenant, bounded, ended at any time, and hostile drafts told by line."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Audience
from attending.guardrails.pool import GuardStartError
from attending.ledger.errors import StoreUnavailable
from attending.server.errors import AttendingError
from attending.server.shipped import package_policies
from attending.server.simulation import desk as desks
from attending.server.simulation import draft as drafting
from attending.server.simulation.desk import PREFIX, Simulation, Simulations
from attending.server.simulation.period import Period

from tests.server.inference.conftest import CALLER, TENANT, FakeChecker, Gate, infer_call, key

NAME = "administrative-letter"
SECRET = "Zacharias"


class Pool:
    """Check processes of the tried version; `before` runs at every text."""

    before: Callable[[], None] = staticmethod(lambda: None)
    open = 0
    gate: asyncio.Event

    def __init__(self, *, policies_path: Path, include_drafts: bool, niceness: int, **_more: Any) -> None:
        assert niceness > 0
        self._policies = PolicySet.load(policies_path, include_drafts=include_drafts)
        self.knowledge_hash = "sha256:" + "3" * 64

    async def __aenter__(self) -> Pool:
        Pool.open += 1
        return self

    async def __aexit__(self, *_error: object) -> None:
        Pool.open -= 1

    def health(self) -> Any:
        return type("Health", (), {"workers": 1})

    async def check_record(
        self, policy_name: str, judged: Judged, *, audience: Audience | None = None
    ) -> OutputDecision:
        await Pool.gate.wait()
        Pool.before()
        text = judged.output.replace("acetaminophen", "HOLD")
        return await FakeChecker(self._policies).check_output(policy_name, Judged(text), audience=audience)


@pytest.fixture
async def desk(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulations]:
    monkeypatch.setattr(Pool, "before", staticmethod(lambda: None))
    Pool.gate = asyncio.Event()
    Pool.gate.set()
    for number, text in enumerate(
        (f"Dear {SECRET}.", f"Take acetaminophen, {SECRET}.", f"HOLD {SECRET}.", "BLOCK this.")
    ):
        gate.provider.text = text
        await gate.pipeline.infer(CALLER, infer_call(), key(f"k{number}"))
    made = Simulations(
        gate.ledger,
        gate.changes,
        package_policies(),
        None,
        1500,
        gate.clock,
        make_pool=Pool,  # type: ignore[arg-type]
    )
    yield made
    await made.close()
    assert Pool.open == 0
    assert not list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{os.getpid()}-*"))


async def begin(desk: Simulations, gate: Gate, *, tenant: str = TENANT, text: str | None = None) -> Any:
    over = Period(gate.clock() - timedelta(days=2), gate.clock() + timedelta(seconds=1))
    return await desk.start(tenant, "officer", NAME, text, over, 6.0)


async def ended(desk: Simulations, tenant: str = TENANT) -> Simulation:
    while not (found := desk.of(tenant)) or not found.over_with:
        await asyncio.sleep(0.01)
    return found


async def test_a_version_is_tried_and_nothing_is_written(desk: Simulations, gate: Gate) -> None:
    size = await gate.ledger.head(TENANT)
    made, problems = await begin(desk, gate)
    assert [one for one in problems if one.weight == "error"] == []
    found = await ended(desk)
    assert found is made
    assert (found.state, found.of, found.seen, found.tally.judged) == ("done", 4, 4, 4)
    report = found.tally.report(2.0, 6.0)
    assert report["confusion"]["release"] == {"release": 1, "hold": 1, "block": 0}
    assert report["recall"] == 1
    assert SECRET not in json.dumps(report)
    assert found.knowledge_hash == "3" * 64
    assert await gate.ledger.head(TENANT) == size
    # Another tenant has none of it, and its own record.
    await gate.ledger.create_log("other", "test.example/other")
    assert desk.of("other") is None
    await begin(desk, gate, tenant="other")
    assert (await ended(desk, "other")).tally.judged == 0


async def test_one_runs_at_a_time_and_is_ended(desk: Simulations, gate: Gate) -> None:
    Pool.gate.clear()
    results = await asyncio.gather(begin(desk, gate), begin(desk, gate), return_exceptions=True)
    refused = [one for one in results if isinstance(one, AttendingError)]
    assert [one.reason for one in refused] == ["SIMULATION_RUNNING"]
    # Another tenant's waits for it, and can be ended before it has begun.
    await gate.ledger.create_log("other", "test.example/other")
    await begin(desk, gate, tenant="other")
    await asyncio.sleep(0.05)
    other = await desk.cancel("other")
    assert other is not None
    assert other.state == "cancelled"
    found = await desk.cancel(TENANT)
    assert found is not None
    assert (found.state, Pool.open) == ("cancelled", 0)
    Pool.gate.set()
    await begin(desk, gate)
    assert (await ended(desk)).state == "done"


async def test_it_stops_at_its_bounds(desk: Simulations, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MAX_OUTPUTS", 2)
    await begin(desk, gate)
    found = await ended(desk)
    assert (found.state, found.reason) == ("stopped", "MOST_OUTPUTS")
    assert found.seen == 2
    monkeypatch.setattr(desks, "MAX_OUTPUTS", 99)
    monkeypatch.setattr(desks, "MAX_SECONDS", -1.0)
    await begin(desk, gate)
    found = await ended(desk)
    assert (found.state, found.reason, found.tally.judged) == ("stopped", "LONGEST_TIME", 0)


@pytest.mark.parametrize("error", [StoreUnavailable(), GuardStartError("x"), RuntimeError(SECRET)])
async def test_what_fails_is_said_in_a_word_and_another_can_begin(
    desk: Simulations, gate: Gate, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    Pool.before = fails
    await begin(desk, gate)
    found = await ended(desk)
    assert (found.state, found.reason) == ("failed", getattr(error, "reason", "INTERNAL"))
    assert SECRET not in found.reason + capsys.readouterr().out
    Pool.before = lambda: None
    await begin(desk, gate)
    assert (await ended(desk)).state == "done"


def lying() -> str:
    return (package_policies() / NAME / "policy.yaml").read_text(encoding="utf-8")


async def test_a_draft_is_tried_in_place_of_what_lies_in_the_folder(desk: Simulations, gate: Gate) -> None:
    text = lying() + "\n# mine\n"
    await begin(desk, gate, text=text.replace("status: active", "status: draft"))
    found = await ended(desk)
    served = PolicySet.load(package_policies())[NAME].hash.removeprefix("sha256:")
    assert (found.state, found.drafted) == ("done", True)
    assert found.policy_hash not in ("", served)


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nname: [*b, *b]\n"


@pytest.mark.parametrize(
    ("change", "reason", "line"),
    [
        (lambda text: "name: [", "NOT_YAML", True),
        (lambda text: BOMB, "NOT_YAML", True),
        (lambda text: "[" * 100_000, "NOT_YAML", None),
        (lambda text: "x" * 2_000_000, "TOO_LARGE", False),
        (lambda text: text + "\nshutdown: true\n", "UNKNOWN_KEY", True),
        (lambda text: text.replace(f"name: {NAME}", "name: ../../etc"), None, True),
        (lambda text: text + "\nname: twice\n", "NOT_YAML", True),
        (lambda text: "\x00\ud800", "NOT_YAML", None),
    ],
)
async def test_a_hostile_draft_gets_its_faults_by_line(
    desk: Simulations, gate: Gate, change: Callable[[str], str], reason: str | None, line: bool | None
) -> None:
    made, problems = await begin(desk, gate, text=change(lying()))
    assert made is None
    assert problems[0].weight == "error"
    if reason is not None:
        assert problems[0].reason == reason
    if line is not None:
        assert (problems[0].line is not None) == line
    assert desk.of(TENANT) is None


async def test_rows_by_the_thousand_cost_no_more_than_the_time_that_there_is(
    desk: Simulations, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than it takes to begin.
    monkeypatch.setattr(drafting, "LINT_SECONDS", 0.2)
    rows = "".join(
        f"  - {{code: interaction, rule: r{n}, decision: block, because: x}}\n" for n in range(2_000)
    )
    text = lying()
    assert text.count("\nverdicts:\n") == 1
    made, problems = await begin(desk, gate, text=text.replace("\nverdicts:\n", f"\nverdicts:\n{rows}"))
    assert made is None
    assert [problem.reason for problem in problems] == ["TOO_LARGE"]


async def test_a_draft_brings_no_code(desk: Simulations, gate: Gate) -> None:
    text = lying()
    assert text.count("\nrails:\n") == 1
    mine = "  validators:\n    - {name: mine, stage: output, import: 'antigravity:Fly', code: unsupported}\n"
    made, problems = await begin(desk, gate, text=text.replace("\nrails:\n", f"\nrails:\n{mine}"))
    assert made is None
    assert [problem.reason for problem in problems if problem.weight == "error"] == ["CODE_NOT_KNOWN"]


async def test_a_policy_that_is_nowhere(desk: Simulations, gate: Gate) -> None:
    over = Period(gate.clock() - timedelta(days=2), gate.clock())
    with pytest.raises(AttendingError, match="UNKNOWN_POLICY"):
        await desk.start(TENANT, "officer", "nowhere", None, over, None)


def test_drafts_of_the_dead_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine, dead, other = (tmp_path / name for name in (f"{PREFIX}1-a", f"{PREFIX}999999999-b", "else"))
    for folder in (mine, dead, other):
        folder.mkdir()
        (folder / "policy.yaml").write_text("x")
    made: Any = object.__new__(Simulations)
    made.forget_the_dead()
    assert (mine.exists(), dead.exists(), other.exists()) == (True, False, True)
