"""Identities as a component: records those of the configuration, reads those that were enrolled, serves the rest."""

from __future__ import annotations

import grpc
from attending.server.app import App, Component
from attending.server.people.account import CredentialKind
from attending.server.people.configured import record_configured
from attending.server.people.registry import Registry
from attending.server.services.identity import IdentityService
from attending.v1 import identity_pb2, identity_pb2_grpc


class People(Component):
    """IdentityService, and the identities of this process."""

    services = (identity_pb2.DESCRIPTOR.services_by_name["IdentityService"].full_name,)

    def __init__(self, app: App, service: IdentityService) -> None:
        self._app = app
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        identity_pb2_grpc.add_IdentityServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        app = self._app
        await record_configured(
            app.ledger, app.tenants, app.present.configured, app.owner, app.now, demo=app.embedded
        )
        await app.present.start(app.ledger, app.tenants)

    async def close(self) -> None:
        await self._app.present.close()


async def build(app: App) -> People:
    """Stands before whatever rests on who is known, the keys of the review desk above all."""
    tenants = {tenant.name: tenant for tenant in app.config.tenants}
    configured = {
        (CredentialKind.CERTIFICATE_URI, uri)
        for identity in app.config.identities
        for uri in identity.certificate_uri
    } | {
        (CredentialKind.OIDC_SUBJECT, f"{one.issuer} {one.subject}")
        for identity in app.config.identities
        for one in identity.oidc
    }
    registry = Registry(
        app.ledger,
        app.authorizer,
        app.now,
        app.present,
        configured=lambda kind, value: (kind, value) in configured,
        hash_key=app.directory.keys.hash,
    )
    app.add(registry)
    service = IdentityService(
        app.ledger,
        registry,
        app.now,
        uri_prefixes=lambda tenant: tenants[tenant].certificate_uri_prefixes,
        issuers=lambda tenant: [
            provider.name for provider in app.config.oidc if provider.enrolment_tenant == tenant
        ],
    )
    return People(app, service)
