"""Colang dialog flows of a policy: what they catch, what failing means, and that nothing of a call stays behind."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.finding import Code
from attending.guardrails.guard import InputDecision, RailRun
from attending.guardrails.policy.load import PolicyError
from attending.guardrails.rails import actions
from attending.guardrails.rails.dialog import Dialog
from attending.guardrails.rails.nemo import RailsConfigError
from nemoguardrails.types import LLMResponse

from .conftest import Make

COLANG = """
define user ask about animals
  "Do you treat animals?"
  "Do you treat dogs and cats?"

define bot refuse animals
  "I can only help with your visit."

define flow animals
  user ask about animals
  bot refuse animals
"""
BY_WORDS = {"user_messages": {"embeddings_only": True, "embeddings_only_similarity_threshold": 0.5}}
ANIMALS = "Do you treat dogs and cats, asks Maria Alvarez?"
VISIT = "When is the visit of Maria Alvarez?"


class Classifier:
    """NeMo's port to a model: names the intent of what it is asked, or does what `fault` does."""

    model_name, provider_name, provider_url = "fake", "test", None

    def __init__(self, fault: Any = None) -> None:
        self.fault = fault
        self.asked = ""

    async def generate_async(self, prompt: Any, *, stop: Any = None, **_options: Any) -> LLMResponse:
        self.asked = str(prompt)
        if self.fault is not None:
            return await self.fault()
        asked = self.asked.rpartition("\nuser ")[2]
        return LLMResponse(content="ask about animals" if "dogs" in asked else "ask about a visit")

    async def stream_async(self, prompt: Any, *, stop: Any = None, **_options: Any) -> Any:
        raise AssertionError("nothing here streams")
        yield


def _dialog(document: Any) -> None:
    document["rails"] = {**document["rails"], "dialog": {"code": "off_topic", "severity": "major"}}


def _by_words(document: Any) -> None:
    document["rails"]["dialog"] = BY_WORDS


def _run(decision: InputDecision) -> RailRun:
    return next(run for run in decision.rail_runs if run.name == "dialog input")


@pytest.mark.parametrize("by_words", [True, False])
def test_a_flow_that_answers_catches_the_prompt(make: Make, by_words: bool) -> None:
    model = None if by_words else Classifier()
    guard = make(
        policy=_dialog,
        rails=_by_words if by_words else lambda _document: None,
        files={"topics.co": COLANG},
        dialog_model=model,
    )
    caught = guard.check_input("patient-message", ANIMALS)
    assert [(f.code, f.rail, f.rule_id) for f in caught.findings] == [
        (Code.OFF_TOPIC, "dialog input", "nemo:dialog_input")
    ]
    assert caught.verdict == "hold"
    assert _run(caught).version.startswith("nemoguardrails-0.24.1+")
    passed = guard.check_input("patient-message", VISIT)
    assert (passed.verdict, _run(passed).status) == ("release", "passed")
    if model is not None:
        # The policy lets no identifier reach a model, and this is one.
        assert "visit" in model.asked
        assert "Alvarez" not in model.asked


def test_no_model_is_asked_where_deidentification_failed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(text: str) -> Any:
        raise RuntimeError

    monkeypatch.setattr(actions, "phi_input", fails)
    model = Classifier()
    guard = make(policy=_dialog, files={"topics.co": COLANG}, dialog_model=model)
    checked = guard.check_input("patient-message", VISIT)
    assert {run.name for run in checked.rail_runs if run.failed} == {"phi input", "dialog input"}
    assert (checked.verdict, model.asked) == ("hold", "")


async def _fails() -> Any:
    raise RuntimeError("Maria Alvarez")


async def _hangs() -> Any:
    await asyncio.sleep(30)


async def _nonsense() -> Any:
    return 7


@pytest.mark.parametrize(
    ("fault", "status"), [(_fails, "raised"), (_hangs, "timed_out"), (_nonsense, "raised")]
)
def test_a_model_that_fails_holds(
    make: Make, fault: Any, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    def policy(document: Any) -> None:
        _dialog(document)
        document["rails"]["flows"] = {"dialog input": {"timeout_ms": 100 if status == "timed_out" else 5000}}

    guard = make(policy=policy, files={"topics.co": COLANG}, dialog_model=Classifier(fault))
    checked = guard.check_input("patient-message", VISIT)
    assert _run(checked).status == status
    assert [(f.code, f.rule_id) for f in checked.findings] == [(Code.RAIL_FAILURE, f"rail:{status}")]
    assert checked.verdict == "hold"
    assert "Alvarez" not in caplog.text


def test_nothing_of_a_call_stays(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yml").write_text("models: []\n", encoding="utf-8")
    (tmp_path / "topics.co").write_text(COLANG, encoding="utf-8")
    model = Classifier()
    dialog = Dialog.compile(tmp_path, model)
    loop = asyncio.new_event_loop()
    try:
        before = None
        for number in range(30):
            prompt = f"Do you treat dogs and cats, asks Ana Canary-{number}?"
            assert loop.run_until_complete(dialog.run(prompt, 5)).status == "flagged"
            model.asked = ""
            if number not in (0, 1, 10, 20, 29):
                continue  # a walk takes a second, and what stayed of this call would be there at the next
            gc.collect()
            kept = _strings(dialog)
            assert not [text for text in kept if "Canary" in text]
            # One call more leaves no string more.
            if number == 20:
                before = len(kept)
        assert before == len(_strings(dialog))
    finally:
        loop.close()
    assert "Canary" not in "".join(capfd.readouterr())


def _strings(root: object) -> list[str]:
    """Every string that can be reached from an object, modules and classes aside."""
    seen, todo, found = set(), [root], []
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ == "module":
            continue
        seen.add(id(one))
        if isinstance(one, str):
            found.append(one)
            continue
        # Functions lead to every module's globals, and those to this test.
        if not callable(one) or hasattr(one, "__self__") or hasattr(one, "__dict__"):
            todo += [r for r in gc.get_referents(one) if not (isinstance(r, dict) and "__builtins__" in r)]
    return found


@pytest.mark.parametrize(
    ("files", "config", "why"),
    [
        ({}, "models: []\n", "defines what a user says"),
        ({"topics.co": COLANG}, "models: []\n", "needs a `main` model"),
        ({"topics.co": COLANG, "config.py": "raise SystemExit"}, "models: []\n", "is code"),
        ({"topics.co": COLANG, "actions.py": ""}, "models: []\n", "is code"),
        ({"topics.co": COLANG}, "models: []\ncolang_version: 2.x\n", "Colang"),
        ({"topics.co": COLANG}, "models: []\nactions_server_url: http://x\n", "actions_server_url"),
        ({"topics.co": "define flow\n  user"}, "models: []\n", ""),
    ],
)
def test_dialog_flows_that_can_run_nowhere_do_not_load(
    tmp_path: Path, files: dict[str, str], config: str, why: str
) -> None:
    (tmp_path / "config.yml").write_text(config, encoding="utf-8")
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    model = Classifier() if "actions_server_url" in config else None
    with pytest.raises(RailsConfigError) as caught:
        Dialog.compile(tmp_path, model)
    assert why in caught.value.problems[0][1]


def test_a_policy_that_declares_dialog_and_brings_no_flow_does_not_load(make: Make) -> None:
    with pytest.raises(PolicyError) as caught:
        make(policy=_dialog)
    assert "dialog input" in str(caught.value)
