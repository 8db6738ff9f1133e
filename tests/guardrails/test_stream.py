"""Windows of a stream: nothing is shown that was not judged with what follows it, and a stop is for good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.finding import Coverage
from attending.guardrails.guard import OutputDecision, RailRun
from attending.guardrails.policy.load import load_policy
from attending.guardrails.policy.schema import Policy, Streaming
from attending.guardrails.stream import StreamWindows
from hypothesis import given
from hypothesis import strategies as st

LETTER = load_policy(Path(__file__).resolve().parents[2] / "policies" / "administrative-letter").policy
STREAMS = LETTER.model_copy(update={"streaming": Streaming(text=True, window_characters=50)})
WORDS = "Your visit is on Monday at ten in the morning. "
RELEASED = OutputDecision(
    verdict="release",
    mandatory_review=False,
    disposition="release",
    findings=(),
    coverage=Coverage(),
    rail_runs=(RailRun("a rail", "passed"),),
    deciding_rules=(),
    required_roles=(),
    to_dispose=(),
    not_enforced=False,
    output_final="",
    knowledge_hash="",
    policy_hash="",
    elapsed_ms=0.0,
)


class Judge:
    """Holds a text with `HOLD` in it, puts names back, and remembers what it judged."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.judged: list[str] = []

    async def __call__(self, text: str) -> OutputDecision:
        self.judged.append(text)
        if self.fault is not None and len(self.judged) > 2:
            raise self.fault
        final = text.replace("[NAME_1]", "Maria")
        return replace(RELEASED, output_final=final, disposition="hold" if "HOLD" in text else "release")


def _stream(
    text: str, size: int, judge: Judge, policy: Policy = STREAMS
) -> tuple[list[str], StreamWindows, Any]:
    async def run() -> tuple[list[str], StreamWindows, Any]:
        windows = StreamWindows(policy, judge)
        shown = [await windows.add(text[at : at + size]) for at in range(0, len(text), size)]
        rest, decision = await windows.end()
        return [*shown, rest], windows, decision

    return asyncio.run(run())


@given(st.integers(1, 120), st.integers(0, 12))
def test_a_released_text_is_shown_whole_and_each_window_judged_with_the_next(size: int, count: int) -> None:
    text = WORDS * count + "Dear [NAME_1], see you."
    judge = Judge()
    shown, windows, decision = _stream(text, size, judge)
    assert "".join(shown) == windows.shown == decision.output_final == text.replace("[NAME_1]", "Maria")
    assert not windows.stopped
    assert len(judge.judged) <= 1 + len(text) / 50


@given(st.integers(1, 120), st.integers(0, 8), st.integers(0, 8))
def test_what_is_held_is_never_shown_nor_anything_after_it(size: int, before: int, after: int) -> None:
    text = WORDS * before + "HOLD this sentence. " + WORDS * after
    shown, windows, decision = _stream(text, size, Judge())
    assert "HOLD" not in "".join(shown)
    assert (WORDS * before).startswith(windows.shown)
    assert (decision.disposition, windows.stopped) == ("hold", True)


def test_a_window_waits_for_the_one_after_it() -> None:
    """The sentence before a held one is not out yet when that one comes."""
    text = WORDS * 3 + "HOLD. "
    shown, windows, _decision = _stream(text, 1, Judge())
    assert windows.shown == "".join(shown) == ""


def test_a_check_that_fails_stops_for_good() -> None:
    judge = Judge(ConnectionError())

    async def run() -> StreamWindows:
        windows = StreamWindows(STREAMS, judge)
        for _number in range(4):
            await windows.add(WORDS * 2)
        return windows

    with pytest.raises(ConnectionError):
        asyncio.run(run())
    windows = StreamWindows(STREAMS, judge)
    with pytest.raises(ConnectionError):
        asyncio.run(windows.add(WORDS * 3))
    assert windows.stopped
    judge.fault = None
    assert asyncio.run(windows.add(WORDS * 6)) == ""


def test_a_policy_that_does_not_stream_has_no_windows() -> None:
    for policy in (LETTER, STREAMS.model_copy(update={"mandatory_review": "always"})):
        with pytest.raises(ValueError, match="stream"):
            StreamWindows(policy, Judge())
