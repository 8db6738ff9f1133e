"""Oversight as a component: its service, and the sweep that draws, looks at the pace of signing and plants items."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import grpc
import structlog
from attending.ledger.errors import LedgerError
from attending.server.activation.serving import Serving
from attending.server.app import App, Component
from attending.server.notices.component import Turn
from attending.server.oversight.alarms import Alarms
from attending.server.oversight.draws import Draws
from attending.server.oversight.figures import Oversight
from attending.server.oversight.second_reads import SecondReads
from attending.server.practice.mark import Marks
from attending.server.practice.opening import Openings
from attending.server.practice.seeding import Seeding
from attending.server.review.desk import Desk
from attending.server.services.oversight import OversightService
from attending.v1 import oversight_pb2, oversight_pb2_grpc

log = structlog.get_logger()


class OversightComponent(Component):
    """OversightService and its sweep."""

    services = (oversight_pb2.DESCRIPTOR.services_by_name["OversightService"].full_name,)

    def __init__(
        self, app: App, service: OversightService, draws: Draws, alarms: Alarms, seeding: Seeding
    ) -> None:
        self._app = app
        self._service = service
        self._draws = draws
        self._alarms = alarms
        self._seeding = seeding
        self._sweeping: asyncio.Task[None] | None = None

    def register(self, server: grpc.aio.Server) -> None:
        oversight_pb2_grpc.add_OversightServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep_on(), name="oversight")

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(self._app.config.review.expiry_sweep_seconds)
            for tenant in self._app.tenants:
                # Apart: a draw that cannot go on hides nobody's pace.
                for sweep in (self._draws.sweep, self._alarms.sweep, self._seeding.sweep):
                    await tried(sweep, tenant)


async def tried(sweep: Callable[[str], Awaitable[object]], tenant: str) -> None:
    """One step of the sweep, which never ends it: what fails is logged and done by a later one."""
    try:
        await sweep(tenant)
    except LedgerError as err:
        # What one log cannot take now is done by a later sweep.
        log.warning("oversight.sweep_failed", reason=err.reason)
    except Exception as err:
        # Nothing may end the sweep while the server runs.
        log.error("oversight.sweep_failed", error_type=type(err).__name__)


async def build(app: App) -> OversightComponent:
    """Needs Serving, Desk, Openings and Marks; offers OversightService and SecondReads."""
    policies = app.part(Serving).policies
    figures = Oversight(app.ledger, app.now, app.part(Marks))
    reads = SecondReads(app.ledger, app.phi, app.owner, app.now)
    draws = Draws(app.ledger, policies, app.owner, app.now)
    service = OversightService(app.ledger, app.phi, figures, reads, draws)
    app.add(service)
    app.add(reads)
    seeding = Seeding(
        app.ledger,
        app.part(Desk),
        app.part(Openings),
        policies,
        partial(app.directory.principals, expired=False),
        Turn(app.ledger, app.owner, lease_seconds=app.config.storage.owner_lease_seconds),
        app.now,
    )
    return OversightComponent(app, service, draws, Alarms(app.ledger, policies, app.owner, app.now), seeding)
