"""Passkeys as a component: offers `Passkeys` to the console, and brings those that exist in line at each start."""

from __future__ import annotations

from attending.server.app import App, Component
from attending.server.passkeys.door import Passkeys
from attending.server.passkeys.invitations import Invitations
from attending.server.passkeys.responses import Party


class PasskeysComponent(Component):
    """No service of its own yet: the console asks `Passkeys`."""

    def __init__(self, passkeys: Passkeys) -> None:
        self._passkeys = passkeys

    async def start(self) -> None:
        await self._passkeys.settle()


async def build(app: App) -> PasskeysComponent:
    """Stands after the identities, whose passkeys they are; offers Passkeys and Invitations."""
    section = app.config.passkeys
    invitations = Invitations(app.ledger, app.authorizer, app.now, section.code_minutes)
    passkeys = Passkeys(
        app.ledger,
        app.directory,
        invitations,
        app.tenants,
        Party(section.rp_id, section.rp_name, tuple(section.origins)),
        app.owner,
        app.now,
        ceremony_seconds=section.ceremony_seconds,
    )
    app.add(invitations)
    app.add(passkeys)
    return PasskeysComponent(passkeys)
