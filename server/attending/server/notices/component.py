"""Notices as a component: one outbox a tenant and target, and the sweep of what falls due. A record system that is
written to (`fhir.push`) is a target like others.

Of several processes on one database the one with the least name among those that live sends, by the database's clock;
when it dies, the next one goes on within a lease. All of them read one configuration.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import grpc
import structlog
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.server.app import App, Component
from attending.server.fhir.push import KIND, FhirPush
from attending.server.fhir.record_system import RecordSystem
from attending.server.inference.watch import Changes
from attending.server.notices.delivery import Delivery
from attending.server.notices.desk import NoticeDesk
from attending.server.notices.due import DueDates
from attending.server.notices.mail import Mail
from attending.server.notices.outbox import Outbox
from attending.server.notices.webhook import Webhook
from attending.server.practice.mark import Marks
from attending.server.services.notices import NoticeService
from attending.v1 import notice_pb2, notice_pb2_grpc

log = structlog.get_logger()


class Notices(Component):
    """NoticeService, and what is sent."""

    services = (notice_pb2.DESCRIPTOR.services_by_name["NoticeService"].full_name,)

    def __init__(self, app: App, deliveries: list[Delivery], outboxes: list[Outbox]) -> None:
        self._app = app
        self._deliveries = deliveries
        self._outboxes = outboxes
        # What falls due is put on record where somebody is told of it.
        self._told = sorted({outbox.tenant for outbox in outboxes if outbox.delivery.kind != KIND})
        self._due = DueDates(app.ledger, app.config.notices, app.owner, app.now, app.part(Marks))
        self._service = NoticeService(
            app.ledger, NoticeDesk(app.ledger, app.config.notices, outboxes, app.now)
        )
        self._tasks: list[asyncio.Task[None]] = []

    def register(self, server: grpc.aio.Server) -> None:
        notice_pb2_grpc.add_NoticeServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        if not self._outboxes:
            return
        self._tasks = [asyncio.create_task(outbox.run(), name="notices") for outbox in self._outboxes]
        self._tasks.append(asyncio.create_task(self._sweep_on(), name="due dates"))

    async def drain(self) -> None:
        """What was taken is put on record while there is a ledger; what is under way is sent by the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.drain()
        for delivery in self._deliveries:
            await delivery.close()

    async def _sweep_on(self) -> None:
        while True:
            for tenant in self._told:
                try:
                    await self._due.sweep(tenant)
                except LedgerError as err:
                    log.warning("notices.sweep_failed", tenant=tenant, reason=err.reason)
                except Exception as err:
                    # Nothing may end the sweep while the server runs.
                    log.error("notices.sweep_failed", tenant=tenant, error_type=type(err).__name__)
            await asyncio.sleep(self._app.config.review.expiry_sweep_seconds)


class Turn:
    """Whether this process is the one that sends. Asked for by every outbox, answered once in a part of a lease."""

    def __init__(
        self,
        ledger: Ledger,
        owner: str,
        *,
        lease_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._fresh_seconds = lease_seconds / 10
        self._monotonic = monotonic
        self._until: float | None = None
        self._mine = False

    async def __call__(self) -> bool:
        """Raises StoreUnavailable."""
        if not self._ledger.shared:
            return True
        now = self._monotonic()
        if self._until is None or now >= self._until:
            live = await self._ledger.live_owners()
            # While its own beat does not hold, others may have taken over.
            self._mine = self._owner in live and min(live) == self._owner
            self._until = now + self._fresh_seconds
        return self._mine


async def build(app: App) -> Notices:
    """Needs Changes and Marks."""
    section, console = app.config.notices, app.config.console
    origin = None if console is None else console.origin
    deliveries: list[Delivery] = [Webhook(one, origin, app.now) for one in section.webhook]
    if section.smtp is not None:
        deliveries += [Mail(section.smtp, one, origin, app.now) for one in section.smtp.recipients]
    serves: dict[str, Callable[[str], bool]] = {target.name: target.serves for target in section.targets}
    for endpoint in app.config.fhir.endpoint:
        system = RecordSystem(endpoint, app.now)
        deliveries.append(FhirPush(endpoint, system, app.ledger, app.owner, app.now, app.part(Marks)))
        serves[endpoint.name] = endpoint.tenant.__eq__
    turn = Turn(app.ledger, app.owner, lease_seconds=app.config.storage.owner_lease_seconds)
    outboxes = [
        Outbox(
            ledger=app.ledger,
            tenant=tenant,
            delivery=delivery,
            changes=app.part(Changes),
            owner=app.owner,
            now=app.now,
            turn=turn,
            give_up=timedelta(hours=section.give_up_hours),
            poll_seconds=section.poll_seconds,
        )
        for tenant in app.tenants
        for delivery in deliveries
        if serves[delivery.name](tenant)
    ]
    return Notices(app, deliveries, outboxes)
