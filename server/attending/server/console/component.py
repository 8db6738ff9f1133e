"""The console as a component: listens when configured, ends its sessions on record when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog
from attending.ledger.errors import LedgerError, UnsafeSettings
from attending.server.activation.serving import Serving
from attending.server.app import App, Component, policies_folder
from attending.server.config import ConsoleOidcSection, ConsoleSection, ConsoleSmartSection
from attending.server.console.application import application
from attending.server.console.edges import Edges
from attending.server.console.examination import ExaminationPages
from attending.server.console.facts import FactsForm
from attending.server.console.gate import Gate
from attending.server.console.glass import GlassPages
from attending.server.console.guard import Address
from attending.server.console.item import ItemPage
from attending.server.console.launch import BACK, LaunchPages
from attending.server.console.links import Links
from attending.server.console.live import Live
from attending.server.console.oidc import CodeFlow
from attending.server.console.oversight import OversightPages
from attending.server.console.passkeys import PasskeyPages
from attending.server.console.places import Places
from attending.server.console.policies import PolicyPages
from attending.server.console.queue import QueuePage
from attending.server.console.reading import Readings
from attending.server.console.recalls import RecallPages
from attending.server.console.render import Pages
from attending.server.console.reports import ReportPages
from attending.server.console.second_reads import SecondReadPages
from attending.server.console.sessions import Sessions
from attending.server.console.signature import Signature
from attending.server.console.signin import SignIn
from attending.server.console.smart import SmartFlow
from attending.server.console.steps import Steps
from attending.server.console.stop import StopPage
from attending.server.console.whatif import WhatIfPages
from attending.server.console.worklist import WorklistPages
from attending.server.errors import ConfigurationError
from attending.server.examination.desk import ExaminationDesk
from attending.server.halt.switch import Standing, Switch
from attending.server.inference.watch import Changes
from attending.server.oversight.second_reads import SecondReads
from attending.server.passkeys.door import Passkeys
from attending.server.practice.newcomers import Newcomers
from attending.server.practice.opening import Openings
from attending.server.recall.desk import Recalls
from attending.server.recall.worklist import Worklist
from attending.server.reports.desk import ReportDesk
from attending.server.review.desk import Desk
from attending.server.services.admin import AdminService
from attending.server.services.oversight import OversightService
from attending.server.services.policy import PolicyService
from attending.server.services.recall import RecallService
from attending.server.services.report import ReportService
from attending.server.services.simulation import SimulationService
from attending.server.web.access import HttpAccess
from attending.server.web.listener import Listener
from starlette.applications import Starlette

log = structlog.get_logger()

SWEEP_SECONDS = 10.0


class Console(Component):
    """Serves the pages; without a section `[console]` it is there and does nothing."""

    def __init__(
        self,
        app: App,
        section: ConsoleSection | None,
        parts: tuple[Starlette, Address, Sessions, Live] | None,
        flows: Sequence[CodeFlow | SmartFlow] = (),
    ) -> None:
        self._app = app
        self._section = section
        self._parts = parts
        self._flows = flows
        self._listener: Listener | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens; ConfigurationError (CANNOT_LISTEN)."""
        if self._section is None or self._parts is None:
            return
        section, (web, address, _sessions, _live) = self._section, self._parts
        self._listener = Listener(
            "console",
            section.host,
            section.port,
            context=self._app.tls.pages_context() if section.tls else None,
            connections=section.max_connections,
            per_address=section.max_connections_per_address,
            handshake_seconds=self._app.config.limits.handshake_seconds,
            drain_seconds=self._app.config.server.drain_seconds,
        )
        # Before the first request: what it answers depends on its own address.
        address.listens_on(self._listener.bind())
        await self._listener.start(web)
        if not self._app.config.passkeys.origins:
            await self._app.part(Passkeys).serve_on([address.origin])
        self.console_url = address.origin
        self._sweeping = asyncio.create_task(self._sweep_on(), name="console sessions")

    def ready(self) -> bool:
        return self._listener is None or self._listener.serving()

    async def stopping(self) -> None:
        if self._parts is not None:
            self._parts[3].stop()

    async def drain(self) -> None:
        if self._listener is None or self._parts is None:
            return
        await self._listener.drain()
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
            self._sweeping = None
        try:
            await self._parts[2].end_all()
        except LedgerError as err:
            # They are over with this process, whatever the log could still be told.
            log.warning("console.sessions_not_ended", reason=err.reason)

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        for flow in self._flows:
            await flow.close()

    async def _sweep_on(self) -> None:
        assert self._parts is not None
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._parts[2].sweep()
            except LedgerError as err:
                log.warning("console.sweep_failed", reason=err.reason)
            except Exception as err:
                # Nothing may end the sweep while the server runs.
                log.error("console.sweep_failed", error_type=type(err).__name__)


async def build(app: App) -> Console:
    """Needs Desk, Openings, Serving, Switch, Changes, Passkeys, Recalls, Worklist, Pipeline, ReportDesk and the
    services that pages call, when the configuration has a section `[console]`.
    """
    section = app.config.console
    if section is None:
        return Console(app, None, None)
    passkeys = app.part(Passkeys)
    address, desk = Address(section.origin, section.frame_ancestors), app.part(Desk)
    pages = Pages(app.now, embedded=app.embedded)
    places = Places(app.ledger, app.owner)
    sessions = Sessions(
        app.ledger,
        idle_seconds=section.idle_seconds,
        longest_seconds=section.session_seconds,
        now=app.now,
        place=places.own,
    )
    serving, switch = app.part(Serving), app.part(Switch)

    async def halted(tenant: str) -> list[Standing]:
        standings = await switch.standings(tenant, serving.policies)
        return [standing for standing in standings if standing.halted]

    gate = Gate(
        sessions=sessions,
        directory=app.directory,
        authorizer=app.authorizer,
        attempts=app.attempts,
        rates=app.rates,
        address=address,
        pages=pages,
        halted=halted,
        subject_of=desk.subject_of,
        places=places,
    )
    systems = {one.name: _smart(app, one, address) for one in section.smart}
    flows = {one.provider: _flow(app, one, address) for one in section.oidc}
    newcomers = Newcomers(app.ledger, app.part(Openings), serving.policies, app.now)
    live, readings = Live(app.part(Changes), sessions), Readings()
    edges = Edges(app.config.knowledge.folder, lambda: serving.knowledge_hash)
    recalls = app.part(Recalls)
    web = application(
        gate=gate,
        address=address,
        pages=pages,
        sign_in=SignIn(
            gate=gate,
            pages=pages,
            links=Links(app.now) if app.embedded else None,
            access=HttpAccess(app.directory, app.authorizer, app.attempts, app.rates),
            directory=app.directory,
            rates=app.rates,
            address=address,
            flows=flows,
            systems=section.smart,
        ),
        launches=LaunchPages(
            gate=gate,
            pages=pages,
            directory=app.directory,
            rates=app.rates,
            address=address,
            desk=desk,
            ledger=app.ledger,
            phi=app.phi,
            flows=systems,
        ),
        queue=QueuePage(
            desk,
            serving.policies,
            sessions,
            app.part(Worklist),
            pages,
            newcomers if section.practice else None,
        ),
        item=ItemPage(desk, recalls, passkeys, app.ledger, app.phi, pages, app.directory, edges),
        steps=Steps(desk, app.ledger, app.phi, app.now),
        facts=FactsForm(desk, app.ledger),
        signature=Signature(desk, app.ledger, app.phi, passkeys, readings),
        readings=readings,
        passkeys=PasskeyPages(gate, passkeys, app.rates, pages),
        recalls=RecallPages(recalls, desk, app.ledger, pages),
        worklist=WorklistPages(app.part(RecallService), app.phi, pages),
        glass=GlassPages(desk, app.ledger, pages),
        live=live,
        policies=PolicyPages(app.part(PolicyService), serving, policies_folder(app.config), pages),
        whatif=WhatIfPages(app.part(SimulationService), desk, policies_folder(app.config), pages),
        examination=ExaminationPages(app.ledger, app.part(ExaminationDesk), passkeys, pages),
        oversight=OversightPages(app.part(OversightService), pages),
        second_reads=SecondReadPages(app.part(SecondReads), app.ledger, app.phi, pages),
        reports=ReportPages(
            app.part(ReportService),
            app.part(ReportDesk),
            app.ledger,
            app.phi,
            passkeys,
            app.config.reports.schedules,
            pages,
        ),
        stop=StopPage(app.part(AdminService), serving.policies, pages),
    )
    return Console(app, section, (web, address, sessions, live), [*flows.values(), *systems.values()])


def _smart(app: App, section: ConsoleSmartSection, address: Address) -> SmartFlow:
    """ConfigurationError for a key or authorities that do not read."""
    [provider] = [one for one in app.config.oidc if one.name == section.provider]
    return SmartFlow(section, provider, lambda: f"{address.origin}{BACK}", app.now)


def _flow(app: App, section: ConsoleOidcSection, address: Address) -> CodeFlow:
    """ConfigurationError for a client's secret that cannot be read, or that others can."""
    [provider] = [one for one in app.config.oidc if one.name == section.provider]
    try:
        return CodeFlow(
            section, provider, lambda: f"{address.origin}/sign-in/oidc/{section.provider}/back", app.now
        )
    except (OSError, UnsafeSettings, UnicodeDecodeError) as err:
        raise ConfigurationError(
            f"`console.oidc`: the client's secret for `{section.provider}` cannot be read ({type(err).__name__})",
            "make `client_secret_file` a text file that its owner alone may read (mode 600)",
        ) from err
