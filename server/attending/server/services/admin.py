"""AdminService: the stop button of the caller's tenant."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import grpc
import structlog
from attending.guardrails.policy.schema import Policy
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.activation.serving import Serving
from attending.server.app import App, Component
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.halt.switch import Order, Standing, Switch
from attending.server.idempotency import key_violations, once
from attending.server.inference.pipeline import Pipeline
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.server.services.receipts import receipt_message
from attending.v1 import admin_pb2, admin_pb2_grpc

log = structlog.get_logger()

MAX_NOTE_CODE_POINTS: Final = 2_000
_POLICY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class AdminService(admin_pb2_grpc.AdminServiceServicer):
    """One instance a server, which the console calls too: a call from there has no context."""

    def __init__(
        self,
        ledger: Ledger,
        switch: Switch,
        policies: Mapping[str, Policy],
        pipeline: Pipeline,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._switch = switch
        self._policies = policies
        self._pipeline = pipeline
        self._now = now

    async def Halt(  # noqa: N802
        self, request: admin_pb2.HaltRequest, context: Context | None = None
    ) -> admin_pb2.HaltResponse:
        started, asked_at = time.monotonic(), self._now()
        principal = current_principal()
        policy = self._checked(request, _known(admin_pb2.HaltReason, request.reason))
        order = self._order(request, asked_at, _name(_known(admin_pb2.HaltReason, request.reason)))
        # A halt waits for no key: two are better than none.
        call = await once(
            self._ledger, principal.tenant, principal.name, request.idempotency_key, request, urgent=True
        )
        running = self._pipeline.running(principal.tenant)
        standing = await self._switch.halt(principal.tenant, policy, order, call, running)
        elapsed_ms = round((time.monotonic() - started) * 1000)
        assert standing.entry is not None
        response = admin_pb2.HaltResponse(
            standing=_message(standing),
            receipt=await receipt_message(self._ledger, principal.tenant, standing.entry.index),
            open_calls=running,
        )
        if standing.entry.occurred_at == clock.stamp(asked_at):
            response.time_to_halt.FromMilliseconds(elapsed_ms)
            log.warning(
                "system.halted",
                tenant=principal.tenant,
                policy=policy,
                reason=order.reason,
                principal=principal.name,
                index=standing.entry.index,
                elapsed_ms=elapsed_ms,
            )
        return response

    async def Resume(  # noqa: N802
        self, request: admin_pb2.ResumeRequest, context: Context | None = None
    ) -> admin_pb2.ResumeResponse:
        principal = current_principal()
        policy = self._checked(request, _known(admin_pb2.ResumeReason, request.reason))
        order = self._order(request, self._now(), _name(_known(admin_pb2.ResumeReason, request.reason)))
        call = await once_of(self._ledger, principal, request)
        standing = await self._switch.resume(principal.tenant, policy, order, call)
        assert standing.entry is not None
        log.warning(
            "system.resumed",
            tenant=principal.tenant,
            policy=policy,
            reason=order.reason,
            principal=principal.name,
            index=standing.entry.index,
        )
        return admin_pb2.ResumeResponse(
            standing=_message(standing),
            receipt=await receipt_message(self._ledger, principal.tenant, standing.entry.index),
        )

    async def GetHalt(  # noqa: N802
        self, request: admin_pb2.GetHaltRequest, context: Context | None = None
    ) -> admin_pb2.GetHaltResponse:
        names = [policy.name for policy in self._policies.values()]
        found = await self._switch.standings(current_principal().tenant, names)
        return admin_pb2.GetHaltResponse(standings=[_message(standing) for standing in found])

    def _checked(self, request: admin_pb2.HaltRequest | admin_pb2.ResumeRequest, reason: str) -> str | None:
        """The policy that is meant, None for all; InvalidRequest with everything that is wrong."""
        wrong = key_violations(request.idempotency_key)
        if reason.endswith("_UNSPECIFIED"):
            wrong.append(("reason", "is required"))
        # A halt of a policy that has left the configuration can still be ended.
        halts = isinstance(request, admin_pb2.HaltRequest)
        if request.policy and halts and self._policies.get(request.policy) is None:
            wrong.append(("policy", "is not an active policy of this server"))
        elif request.policy and not _POLICY.fullmatch(request.policy):
            # Said back in the error, where a caller's own words have no place.
            wrong.append(("policy", "must be the name of a policy"))
        if len(request.note) > MAX_NOTE_CODE_POINTS:
            wrong.append(
                ("note", f"has {len(request.note)} code points, the limit is {MAX_NOTE_CODE_POINTS}")
            )
        if wrong:
            raise InvalidRequest(wrong)
        return request.policy or None

    def _order(
        self, request: admin_pb2.HaltRequest | admin_pb2.ResumeRequest, asked_at: datetime, reason: str
    ) -> Order:
        return Order(
            actor=current_principal().actor,
            reason=reason,
            asked_at=asked_at,
            note=request.note.encode("utf-8") if request.note else None,
        )


def _known(reasons: Any, number: int) -> str:
    """The name of a reason; one that this server does not know counts as none (proto3 lets any number through)."""
    return str(reasons.Name(number if number in reasons.values() else 0))


def _name(enum_name: str) -> str:
    """`HALT_REASON_PATIENT_SAFETY` as entries have it: `patient_safety`."""
    return enum_name.partition("_REASON_")[2].lower()


def _message(standing: Standing) -> admin_pb2.HaltStanding:
    message = admin_pb2.HaltStanding(policy=standing.policy or "", halted=standing.halted)
    entry = standing.entry
    if standing.halted and entry is not None:
        reason = f"HALT_REASON_{str(entry.body.get('reason')).upper()}"
        if reason in admin_pb2.HaltReason.keys():  # noqa: SIM118 - an enum wrapper, which is no mapping
            message.reason = admin_pb2.HaltReason.Value(reason)
        message.halted_by = entry.actor
        message.entry_index = entry.index
        message.halted_at.FromDatetime(clock.parse(entry.time))
    return message


class Admin(Component):
    """AdminService."""

    services = (admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name,)

    def __init__(self, service: AdminService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        admin_pb2_grpc.add_AdminServiceServicer_to_server(self._service, server)


async def build(app: App) -> Admin:
    """Needs Switch, Serving and Pipeline."""
    service = AdminService(
        app.ledger, app.part(Switch), app.part(Serving).policies, app.part(Pipeline), app.now
    )
    app.add(service)
    return Admin(service)
