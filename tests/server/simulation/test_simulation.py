"""A draft over what is on record: what is counted and recalled, what is never shown, a run that was cut short."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Audience
from attending.ledger.keys import KeyFolder
from attending.ledger.store.read_only import open_read_only
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.shipped import package_policies
from attending.server.simulation import replay as replaying
from attending.server.simulation.kept import StateError, load_state, save_state
from attending.server.simulation.period import Period, period
from attending.server.simulation.recorded import LedgerRecord, Recorded, Recording, Skipped, StoredRecord
from attending.server.simulation.tally import MAX_EXAMPLES, Tally

from tests.server.inference.conftest import CALLER, TENANT, Gate, infer_call, key

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SECRET = "Zacharias"
TEXTS = (
    f"Dear {SECRET}, your visit is on Tuesday.",
    f"Dear {SECRET}, take acetaminophen 500 mg every 6 hours until your visit.",
    f"HOLD {SECRET}, see you on Monday.",
    f"BLOCK {SECRET}, see you on Monday.",
)


@pytest.fixture
async def record(gate: Gate) -> Gate:
    """Two released, one held, one blocked, and one whose model gave nothing."""
    for number, text in enumerate(TEXTS):
        gate.provider.text = text
        await gate.pipeline.infer(CALLER, infer_call(), key(f"k{number}"))

    def fails() -> None:
        raise RuntimeError

    gate.provider.before = fails
    with pytest.raises(Exception, match="PROVIDER_BAD_REPLY"):
        await gate.pipeline.infer(CALLER, infer_call(), key("fails"))
    return gate


async def outputs(
    gate: Gate, over: Period | None = None, *, own: bool = True, **more: Any
) -> list[Recorded | Skipped]:
    """Read beside the server, and the same out of its own ledger."""
    whole = over or Period(gate.clock() - timedelta(days=400), gate.clock() + timedelta(days=1))
    store = open_read_only(gate.folder, None)
    try:
        beside = Recording(StoredRecord(store, KeyFolder(gate.folder / "keys"), TENANT))
        found = [one async for one in beside.outputs(whole, **more)]
    finally:
        store.close()
    if own:
        recording = Recording(LedgerRecord(gate.ledger, TENANT))
        assert [one async for one in recording.outputs(whole, **more)] == found
    return found


async def test_the_record_is_read_beside_a_running_server(record: Gate) -> None:
    size, _root = await record.ledger.head(TENANT)
    found = await outputs(record)
    assert [one.was if isinstance(one, Recorded) else one.reason for one in found] == [
        "release", "release", "hold", "block", "NO_OUTPUT",
    ]  # fmt: skip
    first, _second, third = (one for one in found[:3] if isinstance(one, Recorded))
    assert first.judged.output == TEXTS[0]
    assert (first.released, third.released, first.edited) == ("policy", None, None)
    assert SECRET not in repr(found)
    later = await outputs(record, after=first.index)
    assert [one.inference_id for one in later] == [one.inference_id for one in found[1:]]
    nothing = Period(record.clock() - timedelta(days=9), record.clock() - timedelta(days=8))
    assert await outputs(record, nothing) == []
    assert await outputs(record, policy="discharge-plan") == []
    # Of one policy no page is filled by the others.
    own = [LedgerRecord(record.ledger, TENANT, policy=name) for name in ("discharge-plan", first.policy)]
    assert [len(await one.page("2000", "2100", -1)) for one in own] == [0, len(found)]
    assert (await record.ledger.head(TENANT))[0] == size


async def test_what_is_gone_or_altered_is_counted_not_judged(record: Gate) -> None:
    shutil.rmtree(record.folder / "keys" / TENANT / "subjects")
    # The server's own ledger still has the keys in its memory.
    found = await outputs(record, own=False)
    assert {one.reason for one in found if isinstance(one, Skipped)} == {"GONE", "NO_OUTPUT"}


class FakePool:
    """Holds what names a dose, blocks what says BLOCK, and loses its process on LOST."""

    def health(self) -> Any:
        return type("Health", (), {"workers": 2})

    async def check_record(
        self, policy_name: str, judged: Judged, *, audience: Audience | None = None
    ) -> OutputDecision:
        from tests.server.inference.conftest import FakeChecker

        assert audience == "patient"
        text = judged.output.replace("take acetaminophen", "HOLD").replace("HOLD Z", "Z")
        return await FakeChecker(PolicySet.load(package_policies())).check_output(
            policy_name, Judged(text), audience=audience
        )


async def test_decisions_are_compared_and_released_texts_are_listed_for_recall(record: Gate) -> None:
    recorded = await outputs(record)
    tally, recalls = Tally(), list[Any]()

    async def listed() -> AsyncIterator[Recorded | Skipped]:
        for one in recorded:
            yield one

    async def recall(one: Any) -> None:
        recalls.append(one)

    await replaying.replay(
        FakePool(),  # type: ignore[arg-type]
        PolicySet.load(package_policies()),
        listed(),
        tally,
        on_recall=recall,
        on_done=lambda _done: None,
    )
    report = tally.report(2.0, 6.0)
    assert (report["outputs"], report["stricter"], report["milder"]) == (4, 1, 1)
    assert report["confusion"]["release"] == {"release": 1, "hold": 1, "block": 0}
    assert report["confusion"]["hold"] == {"release": 1, "hold": 0, "block": 0}
    assert report["alerts_per_100"] == {"on_record": 50.0, "now": 50.0}
    # One held text in two days, six minutes each.
    assert report["reviewer_hours_a_day"] == {"on_record": 0.05, "now": 0.05}
    assert report["skipped"] == {"NO_OUTPUT": 1}
    assert report["codes"] == {
        "interaction": {"on_record": 1, "now": 1},
        "never_event": {"on_record": 1, "now": 1},
    }
    assert report["worst"]["major"] == {"on_record": 1, "now": 1}
    assert report["worst"]["none"] == {"on_record": 2, "now": 2}
    assert [recall.inference_id for recall in recalls] == [recorded[1].inference_id]
    assert recalls[0].to_json()["codes"] == ["interaction"]
    assert SECRET not in json.dumps([report, *(recall.to_json() for recall in recalls)])
    assert tally.last == recorded[-1].index


async def test_the_command_over_the_record(
    record: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real rails, in a process; and the same command again goes on from its state."""
    drafts = tmp_path / "drafts"
    shutil.copytree(package_policies() / "administrative-letter", drafts / "administrative-letter")
    file = drafts / "administrative-letter" / "policy.yaml"
    file.write_text(file.read_text().replace("status: active", "status: draft"))
    worklist, state = tmp_path / "recall.jsonl", tmp_path / "state.json"
    arguments = [
        "policy", "simulate", "administrative-letter", "--policies", str(drafts), "--against", "9000d",
        "--data", str(record.folder), "--workers", "1", "--worklist", str(worklist), "--state", str(state), "--json",
    ]  # fmt: skip
    assert await asyncio.to_thread(run, arguments) == Exit.OK
    report = json.loads(capsys.readouterr().out)
    assert report["outputs"] == 4
    assert report["confusion"]["release"] == {"release": 1, "hold": 1, "block": 0}
    assert report["recall"] == 1
    assert report["reviewer_hours_a_day"] == {"on_record": None, "now": None}
    [line] = worklist.read_text().splitlines()
    assert json.loads(line)["now"] == "hold"
    assert SECRET not in line + state.read_text()
    assert await asyncio.to_thread(run, arguments) == Exit.OK
    assert json.loads(capsys.readouterr().out) == report
    assert worklist.read_text().splitlines() == [line]
    worklist.write_bytes(b"")
    assert await asyncio.to_thread(run, arguments) == Exit.USAGE
    assert worklist.read_bytes() == b""
    other = [*arguments[:6], "8000d", *arguments[7:]]
    assert await asyncio.to_thread(run, other) == Exit.USAGE
    assert await asyncio.to_thread(run, ["policy", "simulate", "--against", "soon"]) == Exit.USAGE
    assert await asyncio.to_thread(run, ["policy", "simulate"]) == Exit.USAGE


@pytest.mark.parametrize(
    ("text", "days"),
    [("30d", 30.0), ("24h", 1.0), ("2026-11-01..2026-11-30", 30.0), ("2026-11-01", 1.0)],
)
def test_a_period_is_read(text: str, days: float) -> None:
    assert period(text, NOW).days == days


@pytest.mark.parametrize(
    "text", ["", "soon", "0d", "30 d", "2026-11-02..2026-11-01", "2026-02-30", "-3d", "99999d"]
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        period(text, NOW)


def test_a_state_is_whole_or_refused(tmp_path: Path) -> None:
    path, over = tmp_path / "state", {"log": "a"}
    given = Period(NOW - timedelta(days=1), NOW)
    assert load_state(path, over, given) == (Tally(), 0, given)
    tally = Tally(last=7)
    tally.add("inf_1", "release", "hold", [], ["phi"])
    tally.reviewed(3.5)
    save_state(path, over, given, tally, 12)
    assert load_state(path, over, Period(NOW, NOW)) == (tally, 12, given)
    for other in ({"log": "b"}, {}):
        with pytest.raises(StateError):
            load_state(path, other, given)
    for broken in ("", "[]", '{"format": "x"}', path.read_text()[:-20]):
        path.write_text(broken)
        with pytest.raises(StateError):
            load_state(path, over, given)


def test_a_tally_stays_small() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add(f"inf_{number}", "release", "hold", [], [])
    assert [len(example["ids"]) for example in tally.report(1.0, None)["examples"]] == [MAX_EXAMPLES]
    assert tally.report(1.0, None)["minutes_per_review"] is None
    for _ in range(5):
        tally.reviewed(3.0)
    assert tally.report(1.0, None)["reviewer_hours_a_day"] == {"on_record": 0.0, "now": 50.0}
