"""Runs the checks one after the other, each within its time and none able to spoil the rest."""

from __future__ import annotations

import importlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from attending.server.doctor.check import Check, Finding, Site, State, green, red, unknown


@dataclass(frozen=True, slots=True)
class Listed:
    """A check in the table: its group and name, `module:function`, and how long it may take."""

    group: str
    name: str
    where: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Examined:
    """A check that was run, or whose time was over."""

    listed: Listed
    findings: tuple[Finding, ...]
    seconds: float


def resolve(where: str) -> Check:
    """The function that `module:function` names."""
    module, _colon, function = where.partition(":")
    found: Check = getattr(importlib.import_module(module), function)
    return found


def examine(
    site: Site,
    checks: Sequence[Listed],
    *,
    begun: Callable[[Listed], None] = lambda _listed: None,
    done: Callable[[Examined], None] = lambda _examined: None,
) -> list[Examined]:
    """Every check in order; `begun` and `done` are told of each. Raises nothing that a check raises.

    A check that is over its time is left to itself, in a thread that does not keep the process from ending.
    """
    results = []
    for listed in checks:
        begun(listed)
        started = time.monotonic()
        findings = _within(site, listed)
        examined = Examined(listed, findings, time.monotonic() - started)
        results.append(examined)
        done(examined)
    return results


def _within(site: Site, listed: Listed) -> tuple[Finding, ...]:
    answers: queue.SimpleQueue[tuple[Finding, ...]] = queue.SimpleQueue()

    # Told as far as it got, also when an error or its time ends it.
    found: list[Finding] = []

    def look() -> None:
        try:
            for finding in resolve(listed.where)(site):
                found.append(finding)
        except Exception as err:
            found.append(_raised(err, site))
        answers.put(tuple(found) or (green("nothing to look at"),))

    threading.Thread(target=look, name=f"doctor {listed.group}/{listed.name}", daemon=True).start()
    try:
        return answers.get(timeout=listed.seconds)
    except queue.Empty:
        detail = f"not done after {listed.seconds:g} s"
        return (
            *tuple(found),
            unknown("CHECK_TIMED_OUT", detail, "look at what it asks, then run `attending doctor` again"),
        )


def _raised(err: Exception, site: Site) -> Finding:
    """The finding of an error. Errors of ours have a reason and words without content; of others only the type is
    told, since their words may quote anything.
    """
    from attending.ledger.errors import LedgerError, OtherVersion, StoreUnavailable
    from attending.ledger.store.port import StoreFault
    from attending.server.cli.corrupt import STEPS, next_step
    from attending.server.errors import ConfigurationError

    if isinstance(err, ConfigurationError):
        return red(err.reason, err.problem, err.next_step)
    if isinstance(err, StoreUnavailable | StoreFault):
        # The check of the database itself says so in red.
        return unknown("STORE_UNAVAILABLE", "the database cannot be read", STEPS["STORE_UNAVAILABLE"])
    if isinstance(err, OtherVersion):
        return unknown(
            err.reason, "the database is of another release", STEPS.get(err.reason, "see docs/operations.md")
        )
    if isinstance(err, LedgerError):
        return red(err.reason, str(err), next_step(err, site.option))
    if isinstance(err, OSError):
        name = f" `{err.filename}`" if isinstance(err.filename, str) else ""
        detail = f"{err.strerror or type(err).__name__}{name}".lower()
        return red("NOT_READABLE", detail, "check the path and its permissions")
    if type(err).__module__.startswith("attending.guardrails.") and isinstance(err, ValueError):
        reason = str(getattr(err, "reason", "INVALID_CONTENT"))
        return red(reason, str(err), "correct the policy or pack that it names")
    trace = err.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "unknown"
    if trace is not None:
        where = f"{'/'.join(trace.tb_frame.f_code.co_filename.split('/')[-2:])}:{trace.tb_lineno}"
    return red(
        "CHECK_FAILED",
        f"the check itself failed: {type(err).__name__} at {where}",
        "report it with this line",
    )


def outcome(examined: Sequence[Examined], *, strict: bool = False) -> State:
    """The worst that counts: red, then unknown, then (with `strict`) warning. Red outweighs what could not be
    judged, since it is certain.
    """
    states = {finding.state for one in examined for finding in one.findings}
    for state in (State.RED, State.UNKNOWN, State.WARNING):
        if state in states:
            if state is State.WARNING and strict:
                return State.RED
            return state
    return State.GREEN
