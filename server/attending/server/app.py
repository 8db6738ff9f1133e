"""What one server process is made of: ledger, authorisation, and components that bring services.

A component is named in COMPONENTS and built in that order; it may use the parts of those before it
(`app.part(Pipeline)`). Adding one takes a function and a line here.
"""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import grpc
import structlog
from attending.ledger.ledger import SYSTEM_LOG, Ledger
from attending.server import clock, projections
from attending.server.auth.attempts import Attempts
from attending.server.auth.authenticate import Directory
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.auth.context import authorized
from attending.server.auth.oidc.token import TokenVerifier
from attending.server.auth.running import RunningCalls
from attending.server.config import Config
from attending.server.database import ledger_config
from attending.server.emergency.calls import LedgerEmergencies
from attending.server.emergency.open import OpenAccesses
from attending.server.errors import ConfigurationError
from attending.server.limits.rates import Rates
from attending.server.people.present import Present
from attending.server.phi.access import PhiAccess
from attending.server.shipped import package_policies
from attending.server.tls import Tls

log = structlog.get_logger()

P = TypeVar("P")

SYSTEM_ORIGIN: Final = "attending.local/system"


class Component:
    """A part of the server with a life of its own; every method may be left as it is.

    `services` are the full names of the gRPC services it registers, for health and reflection.
    """

    services: Sequence[str] = ()
    http_port: int | None = None
    """The port that the component listens on for HTTP once it has started, if it does."""
    console_url: str | None = None
    """The address of the console that the component serves once it has started, if it does."""

    def register(self, server: grpc.aio.Server) -> None:
        """Adds its servicers; called once before the server listens."""

    async def start(self) -> None:
        """Returns when it can serve; calls are refused until every component has started."""

    def ready(self) -> bool:
        """Whether it can serve now; asked about once a second for the health service."""
        return True

    async def stopping(self) -> None:
        """No new call comes any more, and those that would wait for their clients should end."""

    async def drain(self) -> None:
        """Returns when nothing that was begun is left undone; no new call comes any more."""

    async def close(self) -> None:
        """Lets go of everything; called after `drain`, also when `start` failed."""


@dataclass(frozen=True, slots=True)
class App:
    """One server process. `owner` is random and names this process in the entries of its inferences."""

    config: Config
    embedded: bool
    ledger: Ledger
    authorizer: Authorizer
    directory: Directory
    attempts: Attempts
    rates: Rates
    tls: Tls
    present: Present
    emergencies: OpenAccesses
    running: RunningCalls
    owner: str
    now: Callable[[], datetime]
    components: list[Component] = field(default_factory=list)
    parts: dict[type, object] = field(default_factory=dict)

    @property
    def tenants(self) -> list[str]:
        """Names of the tenants, which are the ids of their logs."""
        return [tenant.name for tenant in self.config.tenants]

    @property
    def phi(self) -> PhiAccess:
        """Where a call asks before it gives personal content, and puts on record that it does."""
        return PhiAccess(self.ledger, self.authorizer, self.now)

    def add(self, part: object) -> None:
        """Offers a part to the components built after; one of a class."""
        assert type(part) not in self.parts, type(part).__name__
        self.parts[type(part)] = part

    def part(self, kind: type[P]) -> P:
        """The part of that class, from a component built before; KeyError is a wrong order in COMPONENTS."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found


Build = Callable[[App], Awaitable[Component]]

COMPONENTS: Final[tuple[str, ...]] = (
    "attending.server.services.ledger:build",
    "attending.server.people.component:build",
    "attending.server.passkeys.component:build",
    "attending.server.emergency.component:build",
    "attending.server.services.examination:build",
    "attending.server.inference.component:build",
    "attending.server.inference.relay:build",
    "attending.server.review.component:build",
    "attending.server.oversight.component:build",
    "attending.server.recall.component:build",
    "attending.server.services.break_glass:build",
    "attending.server.notices.component:build",
    "attending.server.services.fhir:build",
    "attending.server.services.admin:build",
    "attending.server.services.keys:build",
    "attending.server.services.knowledge:build",
    "attending.server.services.policy:build",
    "attending.server.services.simulation:build",
    "attending.server.reports.component:build",
    "attending.server.services.custody:build",
    "attending.server.web.component:build",
    "attending.server.console.component:build",
)
"""`module:function` of every component, in the order of need. Drained and closed in reverse."""


def resolve(names: Sequence[str]) -> list[Build]:
    """The functions of `module:function` names; an import error of one is the server's."""
    found = []
    for name in names:
        module, _colon, function = name.partition(":")
        build: Build = getattr(importlib.import_module(module), function)
        found.append(build)
    return found


async def build_app(
    config: Config,
    *,
    embedded: bool = False,
    now: Callable[[], datetime] = clock.now,
    components: Sequence[Build] | None = None,
) -> App:
    """Opens the ledger and builds everything; nothing listens yet.

    Raises ConfigurationError and the ledger's errors; what was opened by then is closed again.
    """
    policies = PolicySet.load(authorization_folder(config))
    tls = Tls(config.server, now)
    tokens = _token_verifier(config, now)
    builds = resolve(COMPONENTS) if components is None else list(components)
    ledger = await Ledger.open(
        ledger_config(config),
        metadata=[projections.metadata],
        clock=now,
        annotate=authorized,
    )
    owner = f"srv-{secrets.token_hex(8)}"
    attempts = Attempts(ledger.append, owner)
    present = Present(config.identities, poll_seconds=config.enrolment.poll_seconds)
    emergencies = OpenAccesses(now, poll_seconds=config.enrolment.poll_seconds)
    directory = Directory((), now, tokens=tokens, revocation=tls.verdict)
    directory.add(present)
    directory.mark_with(emergencies.mark)
    authorizer = Authorizer(policies, attempts.denied, now, LedgerEmergencies(ledger))
    app = App(
        config=config,
        embedded=embedded,
        ledger=ledger,
        authorizer=authorizer,
        directory=directory,
        tls=tls,
        attempts=attempts,
        rates=Rates(config.limits),
        present=present,
        emergencies=emergencies,
        running=RunningCalls(directory.standing, authorizer, attempts.denied, now),
        owner=owner,
        now=now,
    )
    try:
        await _create_logs(app)
        for build in builds:
            app.components.append(await build(app))
    except BaseException:
        await close_app(app)
        raise
    return app


async def close_app(app: App) -> None:
    """Closes components in reverse and then the ledger; one that fails does not keep the rest open."""
    for component in reversed(app.components):
        try:
            await component.close()
        except Exception as err:
            log.error(
                "component.close_failed", component=type(component).__name__, error_type=type(err).__name__
            )
    await app.running.stop()
    await app.directory.tokens.close()
    await app.attempts.stop()
    await app.ledger.close()


def _token_verifier(config: Config, now: Callable[[], datetime]) -> TokenVerifier:
    try:
        return TokenVerifier(config.oidc, now)
    except OSError as err:
        raise ConfigurationError(
            "`ca_file` of an `[[oidc]]` section cannot be read as authorities",
            "make it a PEM file of certificates that the server may read",
            reason="TLS_FILES",
        ) from err


async def _create_logs(app: App) -> None:
    logs = {SYSTEM_LOG: SYSTEM_ORIGIN}
    logs.update({tenant.name: tenant.log_origin for tenant in app.config.tenants})
    for log_id, origin in logs.items():
        try:
            await app.ledger.create_log(log_id, origin)
        except ValueError as err:
            raise ConfigurationError(
                f"log `{log_id}` began with another origin than `{origin}`, or the origin is taken",
                "give the tenant back its origin: it is part of every entry and cannot change",
                reason="ORIGIN_CHANGED",
            ) from err


def policies_folder(config: Config | None = None) -> Path:
    """The folder of clinical policies: configured, or the package's own."""
    if config is not None and config.policies.folder is not None:
        return config.policies.folder
    return package_policies()


def authorization_folder(config: Config | None = None) -> Path:
    """The folder of the authorisation policies: configured, or the package's own."""
    if config is not None and config.policies.authorization is not None:
        return config.policies.authorization
    return package_policies() / "authorization"
