"""Guard processes: what hangs is killed, what dies is replaced, and neither is ever a pass."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from attending.guardrails.finding import Code
from attending.guardrails.patient import Judged
from attending.guardrails.phi.date_shift import DateShift
from attending.guardrails.phi.surrogates import Surrogates
from attending.guardrails.policy.load import load_policy
from attending.guardrails.policy.schema import Streaming
from attending.guardrails.pool import GuardError, GuardOverloaded, GuardPool, GuardStartError
from attending.guardrails.stream import StreamWindows

POLICIES = Path(__file__).resolve().parents[2] / "policies"
HANGS = "x" * 60
"""What the test policy's own pattern never finishes on."""
CALLED = "Maria Alvarez called from 555-010-4477."

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shipped policies with a pattern that backtracks without end, as a careless owner may write one.

    The messages give that rail a fifth of a second, the letters more than the pool gives a whole call.
    """
    folder = tmp_path_factory.mktemp("policies")
    for name in ("administrative-letter", "patient-message"):
        shutil.copytree(POLICIES / name, folder / name)
        path = folder / name / "rails" / "config.yml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["rails"]["config"]["regex_detection"]["output"]["patterns"].append("(x+x+)+y")
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
    policy = yaml.safe_load((folder / "patient-message" / "policy.yaml").read_text(encoding="utf-8"))
    policy["rails"]["flows"] = {"regex check output": {"timeout_ms": 200}}
    (folder / "patient-message" / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    return folder


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool(policies: Path) -> AsyncIterator[GuardPool]:
    async with GuardPool(policies_path=policies, workers=1, timeout_seconds=3) as started:
        yield started


async def _ready(pool: GuardPool) -> None:
    async with asyncio.timeout(90):
        while pool.health().ready < pool.health().workers:
            await asyncio.sleep(0.05)


async def _letter(pool: GuardPool, text: str = "Your visit is on Monday at 10:00.") -> str:
    return (await pool.check_output("administrative-letter", Judged(text))).disposition


async def test_a_warm_pool_answers_like_a_guard(pool: GuardPool) -> None:
    health = pool.health()
    assert (health.workers, health.ready, health.busy, health.waiting) == (1, 1, 0, 0)
    assert pool.ready()
    assert await _letter(pool) == "release"
    assert await _letter(pool, "Take 500 mg of acetaminophen every 6 hours.") == "hold"
    checked = await pool.check_input("administrative-letter", "Write to Maria Alvarez about Monday.")
    assert checked.prompt_deidentified is not None
    assert "Alvarez" not in checked.prompt_deidentified


async def test_a_stream_is_judged_window_by_window(pool: GuardPool, policies: Path) -> None:
    """A recommendation is a held class: it stops the stream before a word of it is shown."""
    policy = load_policy(policies / "administrative-letter").policy.model_copy(
        update={"streaming": Streaming(text=True, window_characters=50)}
    )

    async def shown(text: str) -> str:
        windows = StreamWindows(policy, lambda part: pool.check_output(policy.name, Judged(part)))
        parts = [await windows.add(word + " ") for word in text.split()]
        return "".join([*parts, (await windows.end())[0]])

    letter = (
        "Your visit is on Monday at 10:00. Please bring your insurance card. The clinic is on Main Street."
    )
    assert (await shown(letter)).strip() == letter
    advice = f"{letter} Take 500 mg of acetaminophen every 6 hours. {letter}"
    assert letter.startswith((await shown(advice)).strip())


async def test_calls_at_once_all_come_back(pool: GuardPool) -> None:
    answers = await asyncio.gather(*(_letter(pool, f"Your visit is on day {n}.") for n in range(12)))
    assert answers == ["release"] * 12


async def test_a_rail_that_hangs_is_killed_and_holds(pool: GuardPool) -> None:
    before = pool.health()
    # What the request held as text that reads as a placeholder is put back as that, and not taken for one.
    given = Surrogates(
        {"[TEXT_1]": "[NAME_1]", "[NAME_1]": "Maria"},
        DateShift(days=35, months=1, day_first=False, year=2024),
    )
    decision = await pool.check_output(
        "administrative-letter", Judged(f"[TEXT_1] [NAME_1] {HANGS}"), placeholders=given
    )
    assert (decision.verdict, decision.disposition) == ("hold", "hold")
    assert [(run.name, run.status) for run in decision.rail_runs] == [("regex check output", "timed_out")]
    assert [(f.code, f.rule_id) for f in decision.findings] == [(Code.RAIL_FAILURE, "rail:timed_out")]
    assert decision.output_final == f"[NAME_1] Maria {HANGS}"
    assert decision.policy_hash
    assert decision.knowledge_hash
    with pytest.raises(ProcessLookupError):
        os.kill(before.pids[0], 0)
    await _ready(pool)
    after = pool.health()
    assert after.timeouts == before.timeouts + 1
    assert after.pids != before.pids
    assert await _letter(pool) == "release"


async def test_a_rail_that_is_stopped_leaves_the_others_their_say_and_its_process_goes(
    pool: GuardPool,
) -> None:
    before = pool.health()
    text = f"Take sildenafil with nitroglycerin. {HANGS}"
    decision = await pool.check_output("patient-message", Judged(text))
    failed = [(run.name, run.status) for run in decision.rail_runs if run.failed]
    assert failed == [("regex check output", "timed_out")]
    assert {Code.INTERACTION, Code.RAIL_FAILURE} <= {finding.code for finding in decision.findings}
    assert decision.disposition == "block"
    await _ready(pool)
    after = pool.health()
    assert (after.recycled, after.timeouts) == (before.recycled + 1, before.timeouts)
    assert after.pids != before.pids


async def test_a_worker_that_is_killed_at_work_holds_and_is_replaced(pool: GuardPool) -> None:
    before = pool.health()
    call = asyncio.create_task(pool.check_output("administrative-letter", Judged(HANGS)))
    while pool.health().busy == 0:
        await asyncio.sleep(0.01)
    os.kill(before.pids[0], signal.SIGKILL)
    decision = await call
    assert decision.disposition == "hold"
    assert decision.findings[0].rule_id == "rail:crashed"
    await _ready(pool)
    assert pool.health().crashes == before.crashes + 1
    assert await _letter(pool) == "release"


async def test_a_worker_that_is_killed_while_idle_costs_nobody_an_answer(
    pool: GuardPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the system has no process to give at first."""
    start = subprocess.Popen
    refused: list[object] = []

    def sometimes(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if not refused:
            refused.append(arguments)
            raise BlockingIOError
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", sometimes)
    os.kill(pool.health().pids[0], signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await _letter(pool) in ("release", "hold")
    await _ready(pool)
    assert await _letter(pool) == "release"
    assert refused


async def test_a_caller_that_goes_away_leaves_the_worker_usable(pool: GuardPool) -> None:
    call = asyncio.create_task(_letter(pool))
    while pool.health().busy == 0:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await _letter(pool) == "release"
    assert pool.health().busy == 0


async def test_a_failed_input_check_sends_nothing(pool: GuardPool) -> None:
    call = asyncio.create_task(pool.check_input("administrative-letter", "Write. " * 20_000))
    while pool.health().busy == 0:
        await asyncio.sleep(0)
    os.kill(pool.health().pids[0], signal.SIGKILL)
    checked = await call
    assert checked.prompt_deidentified is None
    assert checked.verdict == "hold"
    assert checked.findings[0].code is Code.RAIL_FAILURE


async def test_an_unknown_policy_reaches_no_worker(pool: GuardPool) -> None:
    with pytest.raises(KeyError):
        await pool.check_output("no-such-policy", Judged("text"))
    with pytest.raises(KeyError):
        pool.require_policy("no-such-policy")


async def test_a_full_queue_says_when_to_come_back_and_memory_recycles() -> None:
    # One mebibyte is below what any worker needs, so each call ends its worker. Without policies, which take long.
    async with GuardPool(
        policies_path=None, workers=1, timeout_seconds=20, max_waiting=1, max_memory_mb=1
    ) as small:
        first = asyncio.create_task(small.redact(CALLED))
        while small.health().busy == 0:
            await asyncio.sleep(0)
        second = asyncio.create_task(small.redact(CALLED))
        while small.health().waiting == 0:
            await asyncio.sleep(0)
        with pytest.raises(GuardOverloaded) as caught:
            await small.redact(CALLED)
        assert caught.value.reason == "GUARD_OVERLOADED"
        assert caught.value.retry_after_seconds > 0
        for answer in (await first, await second):
            assert answer is not None
            assert "4477" not in answer[0]
        assert small.health().recycled >= 1
        assert small.health().restarts >= 1
    with pytest.raises(GuardError):
        await small.redact(CALLED)


async def test_a_pool_that_cannot_start_says_why_and_leaves_nothing(policies: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(policies, tmp_path / "policies"))
    broken = GuardPool(policies_path=folder, workers=1)
    path = folder / "administrative-letter" / "rails" / "config.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("phi output", "phi outputt"), encoding="utf-8")
    with pytest.raises(GuardStartError) as caught:
        await broken.start()
    assert "phi output" in str(caught.value)
    assert not broken.ready()
    assert broken.health().pids == ()


WATCHES_SOCKETS = """
import os, sys
def seen(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        with open(os.environ["ATTEMPTS"], "a") as file:
            print(event, arguments, file=file)
sys.addaudithook(seen)
open(os.environ["ATTEMPTS"] + ".watched." + str(os.getpid()), "w").close()
"""
DIALOG = """
define user ask about animals
  "Do you treat dogs and cats?"
define bot refuse animals
  "I can only help with your visit."
define flow animals
  user ask about animals
  bot refuse animals
"""


async def test_a_script_without_a_main_guard_is_not_run_again_and_nothing_calls_out(
    policies: Path, tmp_path: Path
) -> None:
    """In processes that nothing but our own code tells not to report, with every engine of NeMo's loaded."""
    folder = Path(shutil.copytree(policies, tmp_path / "policies")) / "administrative-letter"
    (folder / "rails" / "topics.co").write_text(DIALOG, encoding="utf-8")
    for name, change in (
        ("policy.yaml", {"dialog": {}}),
        ("rails/config.yml", {"dialog": {"user_messages": {"embeddings_only": True}}}),
    ):
        document = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        document["rails"] = {**document.get("rails", {}), **change}
        (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(WATCHES_SOCKETS, encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\n"
        "from attending.guardrails.patient import Judged\n"
        "from attending.guardrails.pool import GuardPool\n"
        "print('started')\n"
        "async def run():\n"
        f"    async with GuardPool(policies_path={str(folder.parent)!r}, workers=1) as pool:\n"
        "        print(pool.ready())\n"
        "        asked = 'Do you treat dogs and cats?'\n"
        "        checked = await pool.check_input('administrative-letter', asked)\n"
        "        print([run.status for run in checked.rail_runs if run.name == 'dialog input'][0])\n"
        "        await pool.check_output('administrative-letter', Judged(asked, asked))\n"
        "asyncio.run(run())\n",
        encoding="utf-8",
    )
    # NeMo does not report from tests and CI either, by these last ones.
    quiet = ("NEMO_GUARDRAILS_NO_USAGE_STATS", "DO_NOT_TRACK", "CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION")
    env = {key: value for key, value in os.environ.items() if key not in quiet}
    env |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "HOME": str(tmp_path)}
    env["ATTEMPTS"] = str(tmp_path / "attempts")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE, env=env
    )
    out, _err = await process.communicate()
    assert out.decode().split() == ["started", "True", "flagged"]
    assert len(list(tmp_path.glob("attempts.watched.*"))) == 2
    assert not (tmp_path / "attempts").exists(), (tmp_path / "attempts").read_text()
