"""V14 over halts: a log in which something crosses one fails, whoever wrote it."""

from __future__ import annotations

import pytest
from attending.ledger.entry import parse_entry
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.halts import ALL, stream_of
from attending.ledger.verify.report import Findings, Status

from tests.ledger.verify.conftest import LogBuilder


def verdicts(log: LogBuilder) -> list[tuple[int | None, str]]:
    """What crosses a halt, as all the checks together see it; these logs are no whole histories otherwise."""
    findings = Findings()
    checks = Checks(findings, Scope.FULL, 0)
    for data in log.entries:
        checks.visit(parse_entry(data))
    failed = [r for r in findings.results() if r.status is Status.FAILED]
    return [(r.index, r.check) for r in failed if "while halted" in r.detail]


@pytest.mark.parametrize("kind", ["inference.requested", "inference.released", "inference.stream_window"])
@pytest.mark.parametrize("policy", [None, "p"])
def test_nothing_crosses_a_halt(log: LogBuilder, kind: str, policy: str | None) -> None:
    log.append("inference.requested", "inf_1", {"policy": "p"})
    log.append("inference.released", "inf_1", {})
    log.append("system.halted", stream_of(policy), {"reason": "drill"})
    log.append("inference.held", "inf_2", {})
    crossing = log.append(kind, "inf_1", {"policy": "p"}).index
    log.append("system.resumed", stream_of(policy), {})
    log.append(kind, "inf_1", {"policy": "p"})
    assert verdicts(log) == [(crossing, "V14")]


def test_another_policy_and_another_resume_do_not_count(log: LogBuilder) -> None:
    log.append("inference.requested", "inf_1", {"policy": "p"})
    log.append("inference.requested", "inf_2", {"policy": "q"})
    log.append("system.halted", stream_of("p"), {})
    log.append("inference.released", "inf_2", {})
    log.append("system.resumed", ALL, {})
    log.append("system.resumed", stream_of("q"), {})
    crossing = log.append("inference.released", "inf_1", {}).index
    assert verdicts(log) == [(crossing, "V14")]


@pytest.mark.parametrize("policy", [None, 7, ["p"], {"p": 1}])
def test_a_policy_that_is_no_text_is_no_policy(log: LogBuilder, policy: object) -> None:
    log.append("system.halted", stream_of("p"), {})
    log.append("inference.requested", "inf_1", {"policy": policy})
    log.append("inference.released", "inf_1", {})
    assert verdicts(log) == []
