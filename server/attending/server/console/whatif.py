"""The what-if page: a draft or the version in the folder over a past period, how far it is, and what would change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Final

from attending.guardrails.policy.load import POLICY_FILE
from attending.guardrails.policy.yaml_form import MAX_YAML_BYTES
from attending.server import clock
from attending.server.activation.standing import KNOWLEDGE
from attending.server.console.gate import Visit, text_of
from attending.server.console.policies import KNOWLEDGE_PLACE, OVER, chosen_period
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest, NotFound
from attending.server.review.desk import Desk
from attending.server.services.simulation import SimulationService
from attending.v1 import simulation_pb2
from starlette.responses import JSONResponse, Response

DECISIONS: Final = ("release", "hold", "block")
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a bar, in thousandths of its width."""

    decision: str
    outputs: int
    start: int
    width: int


class WhatIfPages:
    """One instance a server."""

    def __init__(self, service: SimulationService, desk: Desk, folder: Path, pages: Pages) -> None:
        self._service = service
        self._desk = desk
        self._folder = folder
        self._pages = pages

    async def page(self, visit: Visit) -> Response:
        """The form and the newest run; the run alone for a script."""
        name = _policy(visit)
        found = (await self._service.GetSimulation(simulation_pb2.GetSimulationRequest())).simulation
        has = bool(found.simulation_id)
        changed = [one for one in found.decisions if one.was != one.now and one.outputs]
        ids = [id_ for one in changed for id_ in one.inference_ids]
        part = visit.request.query_params.get("part") == "run"
        return self._pages.page(
            "whatif_run.html" if part else "whatif.html",
            visit=visit,
            place=name or KNOWLEDGE_PLACE,
            name=name,
            text="" if part or not name else await asyncio.to_thread(self._lying, name),
            periods=OVER,
            found=found if has else None,
            state=simulation_pb2.SimulationState.Name(found.state)[17:].lower() if has else "",
            since=clock.stamp(found.since.ToDatetime(UTC)) if has else "",
            until=clock.stamp(found.until.ToDatetime(UTC)) if has else "",
            bars=[("On record", bar(found, 0)), ("Now", bar(found, 1))],
            changed=changed,
            tickets=await self._desk.tickets(visit.principal.tenant, ids) if ids else {},
            bound=MAX_YAML_BYTES,
        )

    async def start(self, visit: Visit) -> Response:
        """Begins a run, or tells what is wrong with the draft, line by line."""
        fields = await visit.fields()
        over, minutes = text_of(fields, "over"), text_of(fields, "minutes", required=False).strip()
        chosen = chosen_period(over, self._pages.now() + timedelta(seconds=1))
        drafted = text_of(fields, "version", required=False) == "draft"
        request = simulation_pb2.StartSimulationRequest(
            policy=_policy(visit),
            policy_yaml=text_of(fields, "policy_yaml") if drafted else "",
            minutes_per_review=_number(minutes) if minutes else 0.0,
        )
        request.since.FromDatetime(chosen.since)
        request.until.FromDatetime(chosen.until)
        answer = await self._service.StartSimulation(request)
        return JSONResponse(
            {
                "begun": answer.HasField("simulation"),
                "problems": [
                    {
                        "place": f"{one.file}, line {one.line}" if one.line else one.file,
                        "line": one.line,
                        "key": one.key,
                        "message": one.message,
                        "next_step": one.next_step,
                        "error": one.error,
                    }
                    for one in answer.problems
                ],
            }
        )

    async def cancel(self, visit: Visit) -> Response:
        await visit.fields()
        await self._service.CancelSimulation(simulation_pb2.CancelSimulationRequest())
        return JSONResponse({})

    def _lying(self, name: str) -> str:
        """The policy.yaml in the server's folder, to begin a draft from."""
        try:
            with (self._folder / name / POLICY_FILE).open("rb") as file:
                return file.read(MAX_YAML_BYTES).decode("utf-8", "replace")
        except OSError:
            raise NotFound("UNKNOWN_POLICY") from None


def bar(found: simulation_pb2.Simulation, side: int) -> list[Part]:
    """The decisions of one side as a bar, by share of all outputs; each that occurs is seen."""
    counts = dict.fromkeys(DECISIONS, 0)
    for one in found.decisions:
        counts[(one.was, one.now)[side]] += one.outputs
    whole, start, parts = sum(counts.values()), 0, []
    if not whole:
        return []
    for decision, outputs in counts.items():
        width = max(round(1000 * outputs / whole), 4) if outputs else 0
        parts.append(Part(decision, outputs, start, width))
        start += width
    return parts


def _policy(visit: Visit) -> str:
    name = str(visit.request.path_params["name"])
    if name == KNOWLEDGE_PLACE:
        return KNOWLEDGE
    if not set(name) <= _NAME or len(name) > 64:
        raise NotFound("UNKNOWN_POLICY")
    return name


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest([("minutes", "must be a number")]) from None
