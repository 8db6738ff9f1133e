"""V14 over versions: an inference under one that is not in force fails, and so does one that one person put there."""

from __future__ import annotations

import pytest
from attending.ledger.entry import parse_entry
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.report import Findings, Status

from tests.ledger.verify.conftest import LogBuilder

A, B = "a" * 64, "b" * 64


def failed(log: LogBuilder, scope: Scope = Scope.FULL, begin: int = 0) -> list[tuple[int | None, str]]:
    """What is wrong about versions, as all the checks together see it; these logs are no whole histories otherwise."""
    findings = Findings()
    checks = Checks(findings, scope, begin)
    for data in log.entries:
        checks.visit(parse_entry(data))
    words = ("not in force", "nobody asked", "who asked")
    return [
        (r.index, next(word for word in words if word in r.detail))
        for r in findings.results()
        if r.status is Status.FAILED and any(word in r.detail for word in words)
    ]


def started(log: LogBuilder) -> None:
    log.append("policy.version", "policies", {"by": "bootstrap"})
    log.append("policy.activated", "policy:p", {"by": "bootstrap", "policy_hash": A})


def begun(log: LogBuilder, version: object, policy: str = "p") -> int:
    return log.append(
        "inference.requested", f"inf_{len(log.entries)}", {"policy": policy, "policy_hash": version}
    ).index


def test_an_inference_begins_under_the_version_in_force_only(log: LogBuilder) -> None:
    begun(log, B)  # Before the log keeps to it, nothing is claimed.
    started(log)
    begun(log, A)
    wrong = [begun(log, B), begun(log, A, "q"), begun(log, None)]
    log.append("policy.version", "policy:p", {"by": "request", "policy_hash": B}, actor="human:olga")
    begun(log, A)
    log.append("policy.activated", "policy:p", {"by": "two_people", "policy_hash": B}, actor="human:saida")
    begun(log, B)
    wrong.append(begun(log, A))
    log.append("policy.retired", "policy:p", {"policy_hash": B})
    wrong.append(begun(log, B))
    assert failed(log) == [(index, "not in force") for index in wrong]
    # Of a part that lacks the beginning, or entries, nothing is claimed.
    assert failed(log, Scope.SUBSET) == []
    assert failed(log, begin=2) == []


def test_what_was_in_force_before_the_log_kept_to_it_is_said_by_the_first_entry(log: LogBuilder) -> None:
    log.append("policy.activated", "policy:p", {"by": "configuration", "policy_hash": A})
    log.append("policy.version", "policies", {"by": "bootstrap", "policies": {"p": A}})
    begun(log, A)
    wrong = begun(log, B)
    assert failed(log) == failed(log, Scope.RANGE, begin=1) == [(wrong, "not in force")]


@pytest.mark.parametrize("installed", [None, 7, [A], {"p": 7}])
def test_a_first_entry_of_another_shape_puts_nothing_in_force(log: LogBuilder, installed: object) -> None:
    log.append("policy.version", "policies", {"policies": installed})
    assert failed(log) == []
    wrong = begun(log, A)
    assert failed(log) == [(wrong, "not in force")]


@pytest.mark.parametrize("kind", ["policy", "knowledge"])
def test_a_version_takes_two_people(log: LogBuilder, kind: str) -> None:
    started(log)
    stream, name = ("policy:p", "policy_hash") if kind == "policy" else ("knowledge", "knowledge_hash")

    def moved(event: str, version: str, actor: str) -> int:
        return log.append(f"{kind}.{event}", stream, {"by": "two_people", name: version}, actor=actor).index

    unasked = moved("activated", A, "human:saida")
    moved("version", A, "human:saida")
    alone = moved("activated", A, "human:saida")
    moved("version", A, "human:olga")
    other = moved("activated", B, "human:saida")
    moved("version", B, "human:olga")
    moved("activated", B, "human:saida")
    again = moved("activated", B, "human:saida")
    assert failed(log) == [
        (unasked, "nobody asked"), (alone, "who asked"), (other, "nobody asked"), (again, "nobody asked"),
    ]  # fmt: skip
