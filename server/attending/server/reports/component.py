"""Reports as a component."""

from __future__ import annotations

from datetime import timedelta

import grpc
from attending.server.app import App, Component
from attending.server.reports.desk import ReportDesk
from attending.server.reports.export import Exporter
from attending.server.reports.scheduler import Scheduler
from attending.server.reports.seal import build_sealer
from attending.server.services.report import ReportService
from attending.server.services.usage import UsageComparisons
from attending.server.usage.desk import UsageDesk
from attending.v1 import report_pb2, report_pb2_grpc


class Reports(Component):
    """ReportService."""

    services = (report_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name,)

    def __init__(self, app: App) -> None:
        exporter = Exporter(app.ledger, app.config.storage.folder / "exports", app.phi, app.now)
        section = app.config.reports.seal
        desk = ReportDesk(
            ledger=app.ledger,
            exporter=exporter,
            authorizer=app.authorizer,
            folder=app.config.storage.folder / "reports",
            embedded=app.embedded,
            now=app.now,
            most_bytes=int(app.config.reports.files_gib * (1 << 30)),
            sealer=None if section is None else build_sealer(section),
        )
        self._scheduler = Scheduler(
            app.ledger,
            desk,
            app.config.reports.schedules,
            app.tenants,
            app.owner,
            app.now,
            timedelta(days=app.config.reports.sign_within_days),
        )
        usage = UsageDesk(app.ledger, exporter, app.config.storage.folder / "usage", app.now)
        compared = UsageComparisons(app.ledger, usage)
        self._service = ReportService(app.ledger, exporter, app.authorizer, app.phi, desk, compared)
        app.add(desk)
        app.add(self._service)

    async def start(self) -> None:
        await self._scheduler.start()

    async def drain(self) -> None:
        await self._scheduler.close()
        await self._service.drain()

    def register(self, server: grpc.aio.Server) -> None:
        report_pb2_grpc.add_ReportServiceServicer_to_server(self._service, server)


async def build(app: App) -> Reports:
    return Reports(app)
