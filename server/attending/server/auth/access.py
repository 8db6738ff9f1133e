"""The gate in front of every handler: authenticate, authorise, and say who and why to the code beneath."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from attending.server.auth.actions import ACTIONS
from attending.server.auth.attempts import Attempts
from attending.server.auth.authenticate import Directory
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import enter
from attending.server.auth.running import RunningCalls
from attending.server.errors import (
    AttendingError,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unimplemented,
)
from attending.server.limits.rates import Rates
from attending.server.rpc import Context

log = structlog.get_logger()


class Access:
    """Put around each rpc; raises the errors of `Directory.authenticate`, PermissionDenied, or Unimplemented for an
    unlisted method, and of the first two also while the rpc runs."""

    def __init__(
        self,
        directory: Directory,
        authorizer: Authorizer,
        attempts: Attempts,
        rates: Rates,
        running: RunningCalls,
    ) -> None:
        self._directory = directory
        self._authorizer = authorizer
        self._attempts = attempts
        self._rates = rates
        self._running = running

    @asynccontextmanager
    async def __call__(self, method: str, context: Context) -> AsyncIterator[None]:
        action = ACTIONS.get(method)
        if action is None:
            raise Unimplemented
        try:
            peer, metadata = context.auth_context() or {}, tuple(context.invocation_metadata() or ())
            with self._rates.credential(context.peer(), metadata, by_certificate="x509_pem_cert" in peer):
                shown = await self._directory.recognise(peer, metadata)
                principal = self._directory.standing(shown)
        except AttendingError as err:
            log.warning("auth.refused", method=method, reason=err.reason)
            if isinstance(err, Unauthenticated | ResourceExhausted):
                self._attempts.refused("grpc", err.reason)
            raise
        # Before the decision: a denial is an entry.
        self._rates.admit(principal, method)
        decision = await self._authorizer.enter(action, Resource.log(principal.tenant), principal)
        enter(principal, decision)
        try:
            async with self._running.watched(principal, shown, action):
                yield
        except PermissionDenied as err:
            await self._authorizer.self_approval(principal, action, err)
            raise
