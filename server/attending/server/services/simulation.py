"""SimulationService: trying a version over what is on record, in the caller's tenant."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any, Final

import grpc
from attending.guardrails.policy.problem import Problem
from attending.server.app import App, Component, policies_folder
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.inference.watch import Changes
from attending.server.rpc import Context
from attending.server.simulation.desk import Simulation, Simulations
from attending.server.simulation.period import Period
from attending.server.simulation.tally import RANK
from attending.server.wire.violations import Violations
from attending.v1 import simulation_pb2, simulation_pb2_grpc

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
MAX_DAYS: Final = 366
MAX_MINUTES: Final = 600.0
MAX_DRAFT_CHARACTERS: Final = 1024 * 1024


class SimulationService(simulation_pb2_grpc.SimulationServiceServicer):
    """One instance a server, which the console calls too: a call from there has no context."""

    def __init__(self, simulations: Simulations) -> None:
        self._simulations = simulations

    async def StartSimulation(  # noqa: N802
        self, request: simulation_pb2.StartSimulationRequest, context: Context | None = None
    ) -> simulation_pb2.StartSimulationResponse:
        principal = current_principal()
        over = _checked(request)
        found, problems = await self._simulations.start(
            principal.tenant,
            principal.name,
            request.policy,
            request.policy_yaml or None,
            over,
            request.minutes_per_review or None,
        )
        return simulation_pb2.StartSimulationResponse(
            simulation=None if found is None else _message(found), problems=map(_problem, problems)
        )

    async def GetSimulation(  # noqa: N802
        self, request: simulation_pb2.GetSimulationRequest, context: Context | None = None
    ) -> simulation_pb2.GetSimulationResponse:
        found = self._simulations.of(current_principal().tenant)
        return simulation_pb2.GetSimulationResponse(simulation=None if found is None else _message(found))

    async def CancelSimulation(  # noqa: N802
        self, request: simulation_pb2.CancelSimulationRequest, context: Context | None = None
    ) -> simulation_pb2.CancelSimulationResponse:
        found = await self._simulations.cancel(current_principal().tenant)
        return simulation_pb2.CancelSimulationResponse(simulation=None if found is None else _message(found))


def _checked(request: simulation_pb2.StartSimulationRequest) -> Period:
    v = Violations()
    v.check(
        not request.policy or bool(_NAME.fullmatch(request.policy)),
        "policy",
        "must be the name of a policy, or empty for the drug knowledge",
    )
    v.check(not request.policy_yaml or bool(request.policy), "policy_yaml", "needs the name of its policy")
    v.check(
        len(request.policy_yaml) <= MAX_DRAFT_CHARACTERS,
        "policy_yaml",
        f"must be at most {MAX_DRAFT_CHARACTERS} characters",
    )
    minutes = request.minutes_per_review
    v.check(
        math.isfinite(minutes) and 0 <= minutes <= MAX_MINUTES,
        "minutes_per_review",
        f"must be above 0, and at most {MAX_MINUTES:.0f}",
    )
    over = None
    try:
        over = Period(request.since.ToDatetime(tzinfo=UTC), request.until.ToDatetime(tzinfo=UTC))
    except (ValueError, OverflowError):
        v.add("since", "must be a time between the years 1 and 9999")
    if over is not None:
        whole = timedelta(0) < over.until - over.since <= timedelta(days=MAX_DAYS)
        v.check(
            request.HasField("since") and request.HasField("until") and whole,
            "until",
            f"must be after `since`, by at most {MAX_DAYS} days",
        )
    v.raise_if_any()
    if over is None:
        raise InvalidRequest([("since", "is required")])
    return over


def _message(found: Simulation) -> simulation_pb2.Simulation:
    # Of part of the period nothing is said by the day.
    report = found.tally.report(found.over.days if found.state == "done" else None, found.minutes_per_review)
    alerts, hours, minutes = (
        report[name] for name in ("alerts_per_100", "reviewer_hours_a_day", "minutes_per_review")
    )
    examples = {(one["was"], one["now"]): one["ids"] for one in report["examples"]}
    message = simulation_pb2.Simulation(
        simulation_id=found.id,
        policy=found.policy,
        drafted=found.drafted,
        policy_hash=bytes.fromhex(found.policy_hash),
        knowledge_hash=bytes.fromhex(found.knowledge_hash),
        state=simulation_pb2.SimulationState.Value(f"SIMULATION_STATE_{found.state.upper()}"),
        reason=found.reason,
        started_by=found.started_by,
        seen=found.seen,
        of=found.of,
        outputs=report["outputs"],
        skipped=report["skipped"],
        stricter=report["stricter"],
        milder=report["milder"],
        decisions=[
            simulation_pb2.DecisionChange(
                was=was,
                now=now,
                outputs=report["confusion"][was][now],
                inference_ids=examples.get((was, now)),
            )
            for was in RANK
            for now in RANK
        ],
        codes=_both(report["codes"]),
        severities=_both(report["worst"]),
        alerts_on_record=alerts["on_record"],
        alerts_now=alerts["now"],
        hours_on_record=hours["on_record"],
        hours_now=hours["now"],
        minutes_per_review=None if minutes is None else minutes["minutes"],
        minutes_from="" if minutes is None else minutes["from"],
        recall=report["recall"],
    )
    for field, moment in (
        ("since", found.over.since),
        ("until", found.over.until),
        ("started_at", found.started_at),
    ):
        getattr(message, field).FromDatetime(moment)
    return message


def _both(counts: Mapping[str, Mapping[str, Any]]) -> list[simulation_pb2.BeforeAfter]:
    return [
        simulation_pb2.BeforeAfter(name=name, on_record=both["on_record"], now=both["now"])
        for name, both in counts.items()
    ]


def _problem(problem: Problem) -> simulation_pb2.PolicyProblem:
    return simulation_pb2.PolicyProblem(
        file=problem.file,
        line=problem.line or 0,
        key=problem.key,
        reason=problem.reason,
        message=problem.message,
        next_step=problem.next_step,
        error=problem.weight == "error",
    )


class SimulationComponent(Component):
    """SimulationService."""

    services = (simulation_pb2.DESCRIPTOR.services_by_name["SimulationService"].full_name,)

    def __init__(self, service: SimulationService, simulations: Simulations) -> None:
        self._service = service
        self._simulations = simulations

    def register(self, server: grpc.aio.Server) -> None:
        simulation_pb2_grpc.add_SimulationServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        self._simulations.forget_the_dead()

    async def drain(self) -> None:
        await self._simulations.close()

    async def close(self) -> None:
        await self._simulations.close()


async def build(app: App) -> SimulationComponent:
    """Needs Changes; offers SimulationService."""
    simulations = Simulations(
        app.ledger,
        app.part(Changes),
        policies_folder(app.config),
        app.config.knowledge.folder,
        app.config.guard.max_memory_mb,
        app.now,
    )
    service = SimulationService(simulations)
    app.add(service)
    return SimulationComponent(service, simulations)
