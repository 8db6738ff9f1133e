"""Emergency access as a component."""

from __future__ import annotations

import grpc
from attending.server.app import App, Component
from attending.server.emergency.desk import EmergencyDesk
from attending.server.services.emergency import EmergencyService
from attending.v1 import emergency_pb2, emergency_pb2_grpc


class Emergency(Component):
    """EmergencyService, and what is open in this process."""

    services = (emergency_pb2.DESCRIPTOR.services_by_name["EmergencyService"].full_name,)

    def __init__(self, app: App, service: EmergencyService) -> None:
        self._app = app
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        emergency_pb2_grpc.add_EmergencyServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        await self._app.emergencies.start(self._app.ledger, self._app.tenants)

    async def close(self) -> None:
        await self._app.emergencies.close()


async def build(app: App) -> Emergency:
    """Needs nothing of the others."""
    terms = app.config.emergency
    desk = EmergencyDesk(app.ledger, app.authorizer, app.emergencies, terms, app.now)
    return Emergency(app, EmergencyService(app.ledger, desk, app.now, max_minutes=terms.max_minutes))
