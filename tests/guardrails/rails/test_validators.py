"""Validators of the real `guardrails-ai` as rails; `make setup` puts the package beside the environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.guard import Guard
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicyError, load_policy

from .conftest import POLICIES, Make

HERE = Path(__file__).parent
PACKAGE = Path(os.environ.get("GUARDRAILS_AI", HERE.parents[2] / ".guardrails-ai"))

VALIDATORS = r'''
import asyncio, re, time
from guardrails.validator_base import ErrorSpan, FailResult, PassResult, Validator, register_validator


def validator(cls):
    return register_validator(name="site/" + cls.__name__, data_type="string")(cls)


@validator
class NoPhone(Validator):
    """Fails a text with a telephone number and offers it without."""

    def __init__(self, digits=4, **kwargs):
        super().__init__(digits=digits, **kwargs)
        self.digits = digits

    def _inference_local(self, model_input):
        return re.search(r"\d{3}-\d{%d}" % self.digits, model_input)

    def _validate(self, value, metadata):
        found = self._inference(value)  # the path that the package reports about
        if not found:
            return PassResult()
        span = ErrorSpan(start=found.start(), end=found.end(), reason="a number")
        return FailResult(error_message="number " + found[0], error_spans=[span], fix_value=value.replace(found[0], ""))


@validator
class NoSpan(Validator):
    def _validate(self, value, metadata):
        return FailResult(error_message="no")


@validator
class Overrides(Validator):
    def _validate(self, value, metadata):
        return PassResult(value_override=value.upper())


@validator
class Awaits(Validator):
    async def async_validate(self, value, metadata):
        await asyncio.sleep(0)
        return FailResult(error_message="no") if "555" in value else PassResult()


@validator
class Raises(Validator):
    def _validate(self, value, metadata):
        raise ValueError(value)


@validator
class Burns(Validator):
    def _validate(self, value, metadata):
        while True:
            pass


@validator
class Sleeps(Validator):
    def _validate(self, value, metadata):
        time.sleep(30)


@validator
class Mutates(Validator):
    def _validate(self, value, metadata):
        metadata["documents"].append("and one that nobody gave")
        return PassResult()


@validator
class Remembers(Validator):
    """Passes the second text whatever it is, if what the first left is still there."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def _validate(self, value, metadata):
        self.seen.append(value)
        return PassResult() if len(self.seen) > 1 else FailResult(error_message="no")


@validator
class Answers(Validator):
    """Answers whatever it is told to."""

    def __init__(self, what="", **kwargs):
        super().__init__(what=what, **kwargs)
        self.what = what

    def _validate(self, value, metadata):
        fail = FailResult(error_message="no")
        if self.what == "outside":
            fail.error_spans = [ErrorSpan(start=0, end=10_000, reason="r")]
        if self.what == "nan":
            fail.error_spans = [ErrorSpan.model_construct(start=float("nan"), end=1, reason="r")]
        if self.what == "fix":
            fail.fix_value = ["not", "a", "text"]
        if self.what == "outcome":
            fail.outcome = "perhaps"
        return {"true": True, "none": None, "dict": {"outcome": "pass"}, "text": "pass"}.get(self.what, fail)


@validator
class Refuses(Validator):
    def __init__(self, **kwargs):
        raise RuntimeError("not with these arguments")


@validator
class Remote(Validator):
    def __init__(self, **kwargs):
        super().__init__(**kwargs, use_local=False)

    def _validate(self, value, metadata):
        return PassResult()


class NoValidator:
    pass
'''
PHONE = "Call 555-0100."


def case(name: str, text: str = PHONE, **more: Any) -> dict[str, Any]:
    return {"id": more.pop("id", name), "name": name, "text": text, **more}


CASES = [
    case("NoPhone"),
    case("NoPhone", "See you on Monday.", id="clean"),
    case("NoPhone", id="with arguments", rail={"arguments": {"digits": 7}}),
    case("NoPhone", id="of the input", rail={"stage": "input"}),
    *map(
        case,
        (
            "NoSpan",
            "Overrides",
            "Awaits",
            "Raises",
            "Mutates",
            "Remembers",
            "Refuses",
            "Remote",
            "NoValidator",
        ),
    ),
    *(case(name, seconds=0.1) for name in ("Burns", "Sleeps")),
    *(
        case("Answers", id=f"answers {what}", rail={"arguments": {"what": what}})
        for what in ("true", "none", "dict", "text", "outside", "nan", "fix", "outcome")
    ),
    case("NoPhone", id="no module", rail={"import": "no_such_module:NoPhone"}),
    case("Absent", id="no class"),
]


def _validators(document: Any) -> None:
    document["rails"]["validators"] = [
        {
            "name": "no phone",
            "stage": "output",
            "import": "site_validators:NoPhone",
            "arguments": {"digits": 4},
            "code": "unsupported",
        }
    ]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not (PACKAGE / "guardrails").is_dir():
        pytest.skip("guardrails-ai is not beside this environment (`make setup` puts it there)")
    folder = tmp_path_factory.mktemp("validators")
    (folder / "site_validators.py").write_text(VALIDATORS, encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(CASES), encoding="utf-8")
    policy = folder / "policies" / "patient-message"
    shutil.copytree(POLICIES / "patient-message", policy)
    document = yaml.safe_load((policy / "policy.yaml").read_text(encoding="utf-8"))
    _validators(document)
    (policy / "policy.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    # A home without a `.guardrailsrc`, where the package's own default is to report.
    env = {**os.environ, "HOME": str(folder)}
    env["PYTHONPATH"] = os.pathsep.join(
        [*sys.path, str(HERE), str(folder), str(PACKAGE)] if PACKAGE.is_dir() else [*sys.path]
    )
    for quiet in ("OTEL_SDK_DISABLED", "NEMO_GUARDRAILS_NO_USAGE_STATS", "CI", "PYTEST_CURRENT_TEST"):
        env.pop(quiet, None)
    done = subprocess.run(
        [sys.executable, str(HERE / "run_validators.py"), str(folder / "cases.json"), str(policy.parent)],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "printed": done.stderr}


def test_a_validator_passes_and_fails_a_text(told: dict[str, Any]) -> None:
    answers = told["answers"]
    for id_ in ("clean", "with arguments"):
        assert (answers[id_]["status"], answers[id_]["metadata"]["attending_findings"]) == ("passed", [])
    failed = answers["NoPhone"]
    finding = failed["metadata"]["attending_findings"][0]
    assert (failed["status"], finding["code"], finding["severity"]) == ("flagged", "unsupported", "major")
    assert PHONE[finding["start"] : finding["end"]] == finding["text"] == "555-0100"
    assert failed["version"].startswith("guardrails-ai-0.11.0+site_validators+")
    of_input = answers["of the input"]["metadata"]["attending_findings"][0]
    assert (of_input["start"], of_input["end"]) == (0, 0)
    assert answers["Awaits"]["status"] == answers["NoSpan"]["status"] == "flagged"


def test_what_a_validator_would_put_in_place_is_noted_and_not_used(told: dict[str, Any]) -> None:
    for id_, status in (("NoPhone", "flagged"), ("Overrides", "passed")):
        assert (
            told["answers"][id_]["status"],
            told["answers"][id_]["metadata"]["attending_offered_text"],
        ) == (
            status,
            True,
        )


@pytest.mark.parametrize(
    ("id_", "status", "error_type"),
    [
        ("Raises", "raised", "ValueError"),
        ("Burns", "timed_out", None),
        ("Sleeps", "timed_out", None),
        ("Mutates", "nonsense", "MutatedInput"),
        *(
            (f"answers {what}", "nonsense", "NotAValidationResult")
            for what in ("true", "none", "dict", "text", "outside", "nan", "fix", "outcome")
        ),
    ],
)
def test_a_bad_validator_is_a_failed_rail(
    told: dict[str, Any], id_: str, status: str, error_type: str | None
) -> None:
    answer = told["answers"][id_]
    assert (answer["status"], answer["error_type"], answer["metadata"]) == (status, error_type, {})


def test_one_text_says_nothing_about_the_next(told: dict[str, Any]) -> None:
    assert told["answers"]["Remembers"]["status"] == "flagged"


@pytest.mark.parametrize("id_", ["Refuses", "Remote", "NoValidator", "no module", "no class"])
def test_a_validator_that_cannot_be_had_is_missing_and_says_which(told: dict[str, Any], id_: str) -> None:
    assert ":" in told["answers"][id_]["missing"]


def test_a_policy_runs_its_validators(told: dict[str, Any]) -> None:
    assert told["runs"][-1][:2] == ["no phone", "flagged"]
    assert [f["rule_id"] for f in told["findings"] if f["rail"] == "no phone"] == ["validator:no_phone"]


def test_nothing_is_reported_and_nothing_of_a_text_is_printed(told: dict[str, Any]) -> None:
    assert told["attempts"] == []
    assert told["litellm"] is False
    assert "555-0100" not in told["printed"]


def test_without_the_package_the_text_holds_and_the_operator_is_told(make: Make) -> None:
    guard: Guard = make(policy=_validators)
    decision = guard.check_output("patient-message", Judged("See you on Monday."))
    assert (decision.disposition, decision.rail_runs[-1].status) == ("hold", "missing")
    assert [f.rule_id for f in decision.findings] == ["rail:missing"]
    assert "no phone" in guard.missing_rails()["patient-message"]


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"use_local": False}},
        {"arguments": {"validation_endpoint": "http://x"}},
        {"arguments": {"on_fail": "noop"}},
        {"code": "rail_failure"},
        {"severity": "info"},
        {"import": "os.system"},
        {"import": "../x:y"},
        {"name": "phi output"},
        {"stage": "everywhere"},
        {"surprise": 1},
    ],
)
def test_a_validator_that_would_weaken_a_policy_is_a_lint_error(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = tmp_path / "patient-message"
    shutil.copytree(POLICIES / "patient-message", folder)
    document = yaml.safe_load((folder / "policy.yaml").read_text(encoding="utf-8"))
    _validators(document)
    document["rails"]["validators"][0].update(change)
    (folder / "policy.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(folder)
    assert "rails.validators" in caught.value.problems[0][0]
