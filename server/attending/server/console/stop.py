"""The stop button: what stands still, a halt by two presses, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attending.guardrails.policy.schema import Policy
from attending.server.console import words
from attending.server.console.gate import Visit, text_of
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest
from attending.server.services.admin import AdminService
from attending.v1 import admin_pb2
from starlette.responses import JSONResponse, Response


class StopPage:
    """One instance a server. Its halts are AdminService's."""

    def __init__(self, service: AdminService, policies: Mapping[str, Policy], pages: Pages) -> None:
        self._service = service
        self._policies = policies
        self._pages = pages

    async def __call__(self, visit: Visit) -> Response:
        roles = visit.principal.roles
        return self._pages.page(
            "stop.html",
            visit=visit,
            policies=sorted(self._policies),
            may_halt=not roles.isdisjoint(("clinician", "pharmacist", "safety_officer", "operator")),
            may_resume="safety_officer" in roles,
        )

    async def halt(self, visit: Visit) -> Response:
        """The second press. Durable when it is answered."""
        fields = await visit.fields()
        answer = await self._service.Halt(
            admin_pb2.HaltRequest(
                idempotency_key=text_of(fields, "idempotency_key"),
                policy=text_of(fields, "policy", required=False),
                note=text_of(fields, "note", required=False),
                reason=admin_pb2.HaltReason.Value(f"HALT_REASON_{_known(fields, words.HALT_REASONS)}"),
            )
        )
        return JSONResponse(
            {
                "entry": answer.standing.entry_index,
                "open": answer.open_calls,
                "milliseconds": answer.time_to_halt.ToMilliseconds(),
            }
        )

    async def resume(self, visit: Visit) -> Response:
        fields = await visit.fields()
        answer = await self._service.Resume(
            admin_pb2.ResumeRequest(
                idempotency_key=text_of(fields, "idempotency_key"),
                policy=text_of(fields, "policy", required=False),
                note=text_of(fields, "note", required=False),
                reason=admin_pb2.ResumeReason.Value(f"RESUME_REASON_{_known(fields, words.RESUME_REASONS)}"),
            )
        )
        return JSONResponse({"entry": answer.receipt.index})


def _known(fields: dict[str, Any], known: tuple[tuple[str, str], ...]) -> str:
    """The reason that was chosen, as enums end; InvalidRequest for one that there is not."""
    code = text_of(fields, "reason")
    if code not in dict(known):
        raise InvalidRequest([("reason", "must be one of " + ", ".join(dict(known)))])
    return code.upper()
