"""The authorisation policies' own cases: `cases.jsonl` beside them, run by `attending policy test`.

Each line: `{"name", "principal": {"name", "kind", "tenant", "roles", "credential"?, "licence_valid"?,
"competency_valid"?, "emergency"?}, "action", "resource": {"type", "tenant", "author"?, "author_may_sign"?, "name"?,
"authors"?, "user"?}, "purpose"?,
"allowed", "policies": [ids], "errors": count}`.
A case holds when decision, deciding policies and number of evaluation errors are all as it says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from attending.server import clock
from attending.server.auth.authorize import PolicySet, Resource
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal
from attending.server.errors import ConfigurationError

CASES_FILE: Final = "cases.jsonl"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: what was expected and what came, as short texts; `passed` when they are equal."""

    name: str
    expected: str
    actual: str

    @property
    def passed(self) -> bool:
        return self.expected == self.actual


def run_cases(folder: Path) -> list[CaseResult]:
    """Runs the cases of a policy folder; ConfigurationError when policies or cases cannot be read."""
    return list(iter_cases(folder))


def iter_cases(folder: Path) -> Iterator[CaseResult]:
    """As `run_cases`, one after the other as they are asked for."""
    policies = PolicySet.load(folder)
    path = folder / CASES_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as err:
        raise ConfigurationError(f"`{path}` cannot be read", "write cases beside the policies") from err
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = _run(policies, json.loads(line))
        except (ValueError, KeyError, TypeError) as err:
            raise ConfigurationError(
                f"`{path}` line {number} is not a case ({type(err).__name__})",
                "see the head of attending/server/auth/cases.py for the keys of a case",
            ) from err
        yield found


def _run(policies: PolicySet, case: dict[str, Any]) -> CaseResult:
    now = clock.now()
    who, what = case["principal"], case["resource"]
    principal = Principal(
        name=who["name"],
        tenant=who["tenant"],
        kind=who["kind"],
        roles=frozenset(who["roles"]),
        display_name=who["name"],
        credential=who.get("credential", "mtls"),
        licence_expires=None if who.get("licence_valid", True) else now - timedelta(days=1),
        competency_expires=None if who.get("competency_valid", True) else now - timedelta(days=1),
        emergency="case" if who.get("emergency", False) else None,
    )
    if what["type"] == "ReviewItem":
        resource = Resource.review_item(
            "case",
            tenant=what["tenant"],
            author=what.get("author"),
            author_may_sign=what.get("author_may_sign", False),
        )
    elif what["type"] == "EventType":
        resource = Resource.event_type(what["tenant"], what["name"])
    elif what["type"] == "User":
        resource = Resource.user(what["name"], tenant=what["tenant"], authors=what.get("authors", ()))
    elif what["type"] == "EmergencyAccess":
        resource = Resource.emergency("case", tenant=what["tenant"], user=what["user"])
    else:
        resource = Resource.log(what["tenant"])
    purpose = case.get("purpose")
    actual = policies.decide(principal, case["action"], resource, now, purpose)
    expected = AccessDecision(
        case["allowed"], case["action"], tuple(sorted(case["policies"])), case.get("errors", 0), purpose
    )
    return CaseResult(case["name"], _words(expected), _words(actual))


def _words(decision: AccessDecision) -> str:
    word = "allow" if decision.allowed else "deny"
    return f"{word} by [{', '.join(decision.policy_ids)}] with {decision.errors} errors"
