"""Recalls as a component: the service, and the sweep that judges released texts again under another pack."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Final

import grpc
import structlog
from attending.guardrails.knowledge.load import PackError
from attending.guardrails.policy.load import PolicyError, PolicySet
from attending.guardrails.pool import GuardError, GuardPool
from attending.ledger.errors import LedgerError
from attending.server.activation.serving import Serving
from attending.server.app import App, Component, policies_folder
from attending.server.inference.watch import Changes
from attending.server.notices.component import Turn
from attending.server.recall.desk import Recalls
from attending.server.recall.rejudging import NICENESS, TIMEOUT_SECONDS, Rejudging
from attending.server.recall.worklist import Worklist
from attending.server.services.recall import RecallService
from attending.v1 import recall_pb2, recall_pb2_grpc

log = structlog.get_logger()

RETRY_SECONDS: Final = 60.0
"""After a run began, however it ended: bringing up a check process is work."""


class RecallComponent(Component):
    """RecallService, and the sweep."""

    services = (recall_pb2.DESCRIPTOR.services_by_name["RecallService"].full_name,)

    def __init__(self, app: App, service: RecallService, rejudging: Rejudging) -> None:
        self._app = app
        self._service = service
        self._rejudging = rejudging
        self._turn = Turn(app.ledger, app.owner, lease_seconds=app.config.storage.owner_lease_seconds)
        self._not_before: dict[str, float] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def register(self, server: grpc.aio.Server) -> None:
        recall_pb2_grpc.add_RecallServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep_on(), name="recall worklist")

    async def drain(self) -> None:
        # What it was at is begun again by the next start.
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping

    close = drain

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(self._app.config.review.expiry_sweep_seconds)
            for tenant in self._app.tenants:
                try:
                    await self._sweep(tenant)
                except LedgerError as err:
                    log.warning("recall.rejudging_failed", tenant=tenant, reason=err.reason)
                except (GuardError, PolicyError, PackError) as err:
                    log.warning("recall.rejudging_failed", tenant=tenant, error_type=type(err).__name__)
                except Exception as err:
                    # Nothing may end the sweep while the server runs.
                    log.error("recall.rejudging_failed", tenant=tenant, error_type=type(err).__name__)

    async def _sweep(self, tenant: str) -> None:
        if time.monotonic() < self._not_before.get(tenant, 0.0):
            return
        due = await self._rejudging.due(tenant)
        # Of several processes one is enough.
        if due is not None and await self._turn():
            self._not_before[tenant] = time.monotonic() + RETRY_SECONDS
            await self._rejudging.run(tenant, due)


async def build(app: App) -> RecallComponent:
    """Needs Serving and Changes; offers Recalls, Worklist, Rejudging and RecallService."""
    changes, serving, folder = app.part(Changes), app.part(Serving), policies_folder(app.config)

    def pool() -> GuardPool:
        return GuardPool(
            workers=1,
            policies_path=folder,
            knowledge_path=app.config.knowledge.folder,
            timeout_seconds=TIMEOUT_SECONDS,
            max_memory_mb=app.config.guard.max_memory_mb,
            niceness=NICENESS,
        )

    rejudging = Rejudging(
        app.ledger,
        changes,
        lambda: serving.policies,
        pool,
        lambda: PolicySet.load(folder),
        app.owner,
        app.config.knowledge.recall_days,
        app.now,
    )
    recalls, worklist = Recalls(app.ledger, changes, app.now), Worklist(app.ledger, changes, app.now)
    service = RecallService(
        app.ledger, recalls, worklist, rejudging, app.phi, partial(app.directory.principals, expired=False)
    )
    for part in (recalls, worklist, rejudging, service):
        app.add(part)
    return RecallComponent(app, service, rejudging)
