"""A second opinion adds, never removes: disagreements are findings, and no answer is told as no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from attending.guardrails.finding import Code, Severity
from attending.guardrails.opinion import (
    JudgeError,
    Light,
    light_of,
    opinion_findings,
    question,
    read_answer,
    second_opinion,
)

OUTPUT = "Warfarin is 5 mg once a day. The left knee was operated on. Please come on Monday."
DOCUMENTS = ("Warfarin 5 mg daily. The right knee was operated on.",)


@dataclass
class ScriptedJudge:
    """Answers with `answer`, after running `before`; remembers what it was asked."""

    answer: str = "1: yes\n2: yes\n3: yes"
    before: Callable[[], None] = lambda: None
    delay_seconds: float = 0.0
    name: str = "other"
    asked: list[str] = field(default_factory=list)

    async def ask(self, question: str) -> str:
        self.asked.append(question)
        self.before()
        await asyncio.sleep(self.delay_seconds)
        return self.answer


def fails(error: Exception) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


async def test_each_disputed_sentence_is_a_finding_at_its_place() -> None:
    judge = ScriptedJudge("1: yes\n2: NO\n3) yes")
    opinion = await second_opinion(judge, OUTPUT, DOCUMENTS, timeout_seconds=5)
    assert (opinion.light, opinion.disputed) == (Light.DISAGREES, (1,))
    final = OUTPUT.replace("Monday", "Monday, 3 May")
    (found,) = opinion_findings(opinion, final, required=False)
    assert (found.code, found.severity, found.rule_id) == (
        Code.SECOND_OPINION,
        Severity.MODERATE,
        "opinion:disagrees",
    )
    assert final[found.start : found.end] == found.text == "The left knee was operated on."
    assert light_of((found,)) is Light.DISAGREES
    # Where the sentences of the restored text are others, the place is not guessed.
    (moved,) = opinion_findings(opinion, OUTPUT + " One sentence more.", required=False)
    assert (moved.start, moved.end, moved.severity) == (0, 0, Severity.MODERATE)


async def test_an_agreement_changes_no_verdict() -> None:
    opinion = await second_opinion(ScriptedJudge(), OUTPUT, DOCUMENTS, timeout_seconds=5)
    (found,) = opinion_findings(opinion, OUTPUT, required=True)
    assert (found.severity, light_of((found,))) == (Severity.INFO, Light.AGREES)
    assert light_of(()) is None


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (ScriptedJudge(before=fails(JudgeError("PROVIDER_UNAVAILABLE"))), "PROVIDER_UNAVAILABLE"),
        (ScriptedJudge(before=fails(ValueError("secret"))), "JUDGE_RAISED"),
        (ScriptedJudge(delay_seconds=30), "TIMEOUT"),
        (ScriptedJudge(""), "ANSWER_UNREADABLE"),
        (ScriptedJudge("Everything is supported."), "ANSWER_UNREADABLE"),
        (ScriptedJudge("1: yes\n2: yes"), "ANSWER_UNREADABLE"),
        (ScriptedJudge("1: yes\n2: yes\n2: no\n3: yes"), "ANSWER_UNREADABLE"),
        (ScriptedJudge("1: yes\n2: yes\n4: yes"), "ANSWER_UNREADABLE"),
        (ScriptedJudge("x" * 10_000 + "\n1: yes\n2: yes\n3: yes"), "ANSWER_UNREADABLE"),
    ],
)
async def test_no_answer_is_no_opinion_and_never_a_pass(judge: ScriptedJudge, reason: str) -> None:
    opinion = await second_opinion(judge, OUTPUT, DOCUMENTS, timeout_seconds=0.05)
    assert (opinion.light, opinion.reason) == (Light.NONE, reason)
    (told,) = opinion_findings(opinion, OUTPUT, required=False)
    assert (told.code, told.severity, light_of((told,))) == (Code.SECOND_OPINION, Severity.INFO, Light.NONE)
    assert "secret" not in told.message
    (held,) = opinion_findings(opinion, OUTPUT, required=True)
    assert (held.code, held.severity) == (Code.RAIL_FAILURE, Severity.MAJOR)


async def test_what_is_too_long_to_be_judged_whole_is_not_asked_about() -> None:
    judge = ScriptedJudge()
    for output, documents in ((OUTPUT, ("x" * 30_000,)), ("Take care of it. " * 60, DOCUMENTS)):
        assert (await second_opinion(judge, output, documents, timeout_seconds=5)).reason == "TOO_LONG"
    assert (await second_opinion(judge, OUTPUT, (), timeout_seconds=5)).reason == "NOTHING_TO_JUDGE"
    assert judge.asked == []


def test_every_sentence_is_numbered_once_and_read_back() -> None:
    asked = question(["One is so.", "Two is so."], ["First.", "Second."])
    assert "1. One is so." in asked
    assert "[document 2]\nSecond." in asked
    assert read_answer("1: no\n2: no", 2) == (0, 1)
    assert read_answer("**1.** yes\n 2 - no, the unit differs", 2) == (1,)
