"""A policy's own cases: what its owner expects of it, run against the real rails.

One JSON object a line of `cases.jsonl`: `name`, the material of `attending check` (`output`, `prompt`, `context`,
`documents`), optionally `audience` and `hazard` (the line of `hazards.tsv` that it is an example of), and `expect` with
`disposition`, and as wanted `verdict`, `mandatory_review`, `codes` (every code above info, no more and no fewer),
`also` (codes that must be among them), `recommends` (kinds of recommendation that must be noted) and `errors` (how
many rails failed, 0 when left out).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attending.guardrails.context.json_form import ContextError, parse_context, parse_documents
from attending.guardrails.finding import Code, Severity
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicyError
from attending.guardrails.policy.schema import Audience, Decision
from attending.guardrails.rails.outcome import FAILURES
from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from attending.guardrails.guard import Guard, OutputDecision

RecommendationKind = Literal[
    "drug", "dose", "test", "referral", "treatment", "diagnosis", "urgency", "unreadable_language"
]


class Expect(BaseModel):
    """What a case asserts; a field left out asserts nothing, except `errors`, which is then 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    disposition: Decision
    verdict: Decision | None = None
    mandatory_review: bool | None = None
    codes: tuple[Code, ...] | None = None
    also: tuple[Code, ...] = ()
    recommends: tuple[RecommendationKind, ...] | None = None
    errors: int = Field(default=0, ge=0)


class PolicyCase(BaseModel):
    """One line of `cases.jsonl`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    output: str
    prompt: str | None = None
    context: dict[str, Any] | None = None
    documents: tuple[dict[str, Any], ...] = ()
    audience: Audience | None = None
    hazard: str | None = None
    expect: Expect


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case with what it was and what differs; `differences` is empty where it passed."""

    policy: str
    name: str
    disposition: str
    differences: tuple[str, ...]
    hazard: str | None = None
    codes: frozenset[Code] = frozenset()
    """Every code that was reported, those of severity info included."""

    @property
    def passed(self) -> bool:
        return not self.differences


def load_cases(name: str, path: Path) -> tuple[PolicyCase, ...]:
    """The cases of a policy; raises PolicyError for a line that is not one, a name used twice, or no case at all."""
    cases: list[PolicyCase] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise PolicyError(name, ((path.name, "is missing"),)) from None
    except UnicodeDecodeError:
        raise PolicyError(name, ((path.name, "is not UTF-8"),)) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = PolicyCase.model_validate(json.loads(line, parse_float=Decimal))
        except (ValueError, RecursionError) as err:
            what = err.errors()[0]["msg"] if isinstance(err, ValidationError) else "is not JSON"
            raise PolicyError(name, ((f"{path.name}:{number}", what),)) from None
        if any(case.name == other.name for other in cases):
            raise PolicyError(name, ((f"{path.name}:{number}", f"`{case.name}` stands twice"),))
        cases.append(case)
    if not cases:
        raise PolicyError(name, ((path.name, "holds no case"),))
    return tuple(cases)


def run_cases(guard: Guard, policy_name: str) -> Iterator[CaseResult]:
    """Runs the cases of one policy of `guard`, in order. Raises KeyError and PolicyError."""
    loaded = guard.policies.loaded(policy_name)
    cases = load_cases(policy_name, loaded.cases_file)
    # The first text of a process reads lexicons and models: a case must not fail for that.
    guard.check_record(policy_name, Judged("warm"))
    for case in cases:
        try:
            judged = Judged(
                case.output, case.prompt, parse_context(case.context), parse_documents(list(case.documents))
            )
        except ContextError as err:
            raise PolicyError(policy_name, ((f"case `{case.name}`", str(err)),)) from None
        decision = guard.check_record(policy_name, judged, audience=case.audience)
        yield CaseResult(
            policy_name,
            case.name,
            decision.disposition,
            tuple(_differences(case.expect, decision)),
            case.hazard,
            frozenset(finding.code for finding in decision.findings),
        )


def _differences(expect: Expect, decision: OutputDecision) -> Iterator[str]:
    if decision.disposition != expect.disposition:
        yield f"disposition is {decision.disposition}, expected {expect.disposition}"
    if expect.verdict is not None and decision.verdict != expect.verdict:
        yield f"verdict is {decision.verdict}, expected {expect.verdict}"
    if expect.mandatory_review is not None and decision.mandatory_review != expect.mandatory_review:
        yield f"mandatory_review is {decision.mandatory_review}, expected {expect.mandatory_review}"
    codes = {finding.code for finding in decision.findings if finding.severity is not Severity.INFO}
    if expect.codes is not None and codes != set(expect.codes):
        yield f"codes are {_names(codes)}, expected {_names(set(expect.codes))}"
    if lacking := set(expect.also) - codes:
        yield f"codes are {_names(codes)}, without {_names(lacking)}"
    kinds = {
        finding.rule_id.removeprefix("recommendation:")
        for finding in decision.findings
        if finding.code is Code.CLINICAL_RECOMMENDATION
    }
    if expect.recommends is not None and not set(expect.recommends) <= kinds:
        yield f"recommends {sorted(kinds)}, expected {sorted(expect.recommends)}"
    failed = sum(1 for run in decision.rail_runs if run.status in FAILURES)
    if failed != expect.errors:
        yield f"{failed} rails failed, expected {expect.errors}"


def _names(codes: set[Code]) -> str:
    return ", ".join(sorted(code.value for code in codes)) or "none"
