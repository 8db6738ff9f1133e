"""Who asks over HTTP and whether they may: the same identities, policies and recorded denials as over gRPC."""

from __future__ import annotations

import ssl
from typing import Final

import structlog
from attending.server.auth.attempts import Attempts
from attending.server.auth.authenticate import Directory
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.principal import Principal
from attending.server.errors import (
    AttendingError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)
from attending.server.limits.rates import Rates
from starlette.requests import Request

log = structlog.get_logger()

PEER_CERTIFICATE: Final = "peer_certificate"
"""The DER client certificate of the connection, in the state of its requests; None without one."""


class HttpAccess:
    """One instance a server."""

    def __init__(
        self, directory: Directory, authorizer: Authorizer, attempts: Attempts, rates: Rates
    ) -> None:
        self._directory = directory
        self._authorizer = authorizer
        self._attempts = attempts
        self._rates = rates

    async def authenticate(self, request: Request) -> Principal:
        """The caller, by client certificate or bearer token; the errors of `Directory.authenticate`."""
        certificate = getattr(request.state, PEER_CERTIFICATE, None)
        peer = {}
        if certificate is not None:
            peer["x509_pem_cert"] = [ssl.DER_cert_to_PEM_cert(certificate).encode()]
        try:
            host = request.client.host if request.client else ""
            headers = request.headers.items()
            with self._rates.credential(host, headers, by_certificate=certificate is not None):
                principal = await self._directory.authenticate(peer, headers)
        except AttendingError as err:
            log.warning("auth.refused", method="http", reason=err.reason)
            if isinstance(err, Unauthenticated | ResourceExhausted):
                self._attempts.refused("http", err.reason)
            raise
        self._rates.admit(principal, "http")
        return principal

    async def require(self, principal: Principal, action: str, tenant: str | None) -> None:
        """Returns when the caller may do `action` to the log of `tenant` (None: there is no such log).

        Another tenant's log and one that is not there answer alike: both are denied by the same policy, recorded
        in the caller's log, and then not found. Raises PermissionDenied, NotFound.
        """
        own = tenant == principal.tenant
        resource = Resource.log(principal.tenant if own else "")
        try:
            await self._authorizer.enter(action, resource, principal)
        except PermissionDenied:
            if own:
                raise
        if not own:
            raise NotFound("UNKNOWN_RESOURCE")
