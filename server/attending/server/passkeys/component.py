"""Passkeys as a component: offers `Passkeys` to the console, and brings those that exist in line at each start."""

from __future__ import annotations

import grpc
from attending.server.app import App, Component
from attending.server.passkeys.door import Passkeys
from attending.server.passkeys.invitations import Invitations
from attending.server.passkeys.responses import Party
from attending.server.services.passkey import PasskeyService
from attending.v1 import passkey_pb2, passkey_pb2_grpc


class PasskeysComponent(Component):
    """PasskeyService; the console asks `Passkeys` itself."""

    services = (passkey_pb2.DESCRIPTOR.services_by_name["PasskeyService"].full_name,)

    def __init__(self, passkeys: Passkeys, service: PasskeyService) -> None:
        self._passkeys = passkeys
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        passkey_pb2_grpc.add_PasskeyServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        await self._passkeys.settle()


async def build(app: App) -> PasskeysComponent:
    """Stands after the identities, whose passkeys they are; offers Passkeys and Invitations."""
    section, console = app.config.passkeys, app.config.console
    invitations = Invitations(app.ledger, app.authorizer, app.now, section.code_minutes)
    passkeys = Passkeys(
        app.ledger,
        app.directory,
        invitations,
        app.tenants,
        Party(
            section.rp_id,
            section.rp_name,
            tuple(section.origins),
            () if console is None else tuple(console.frame_ancestors),
        ),
        app.owner,
        app.now,
        ceremony_seconds=section.ceremony_seconds,
    )
    app.add(invitations)
    app.add(passkeys)
    return PasskeysComponent(passkeys, PasskeyService(app.ledger, invitations))
