"""The review desk as a component: enrols keys at start, escalates and closes items whose time has come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import grpc
import structlog
import yaml
from attending.ledger.errors import LedgerError
from attending.server.activation.serving import Serving
from attending.server.app import App, Component
from attending.server.errors import ConfigurationError
from attending.server.halt.switch import Switch
from attending.server.inference.watch import Changes
from attending.server.practice.catalogue import Catalogue, load_catalogue
from attending.server.practice.mark import Marks
from attending.server.practice.opening import Openings
from attending.server.review.desk import Desk
from attending.server.review.enrolment import enrol_keys
from attending.server.services.review import ReviewService
from attending.v1 import review_pb2, review_pb2_grpc

log = structlog.get_logger()


class Review(Component):
    """ReviewService and the sweep of items that are due."""

    services = (review_pb2.DESCRIPTOR.services_by_name["ReviewService"].full_name,)

    def __init__(self, app: App, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._service = ReviewService(app.ledger, desk, app.phi)
        self._sweeping: asyncio.Task[None] | None = None

    def register(self, server: grpc.aio.Server) -> None:
        review_pb2_grpc.add_ReviewServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        await enrol_keys(
            self._app.ledger,
            self._app.tenants,
            self._app.directory.principals(),
            self._app.owner,
            self._app.now,
        )
        await self._sweep()
        self._sweeping = asyncio.create_task(self._sweep_on())

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(self._app.config.review.expiry_sweep_seconds)
            try:
                await self._sweep()
            except LedgerError as err:
                # Nothing is released by waiting: an expired item is refused by time, whatever its row says.
                log.warning("review.sweep_failed", reason=err.reason)
            except Exception as err:
                # Nothing may end the sweep while the server runs.
                log.error("review.sweep_failed", error_type=type(err).__name__)

    async def _sweep(self) -> None:
        for tenant in self._app.tenants:
            await self._desk.escalate_due(tenant, self._app.owner)
            await self._desk.expire_due(tenant, self._app.owner)


def _catalogue(app: App) -> Catalogue:
    """ConfigurationError for a file that is no catalogue."""
    path = app.config.review.practice_catalogue
    try:
        return load_catalogue(path)
    except (OSError, yaml.YAMLError, ValueError) as err:
        raise ConfigurationError(
            f"`review.practice_catalogue`: `{path}` is not a catalogue ({type(err).__name__})",
            "write it as docs/oversight.md says, or leave the key out",
        ) from err


async def build(app: App) -> Review:
    """Needs Serving, Changes and Switch; offers Desk, Openings and Marks."""
    catalogue = _catalogue(app)
    marks = Marks(app.ledger)
    desk = Desk(
        ledger=app.ledger,
        guard=app.part(Serving).checker,
        policies=app.part(Serving).policies,
        changes=app.part(Changes),
        switch=app.part(Switch),
        phi=app.phi,
        lease_seconds=app.config.review.lease_seconds,
        preparation_seconds=app.config.review.preparation_seconds,
        assignment_seconds=app.config.review.assignment_seconds,
        people=partial(app.directory.principals, expired=False),
        now=app.now,
        owner=app.owner,
        catalogue=catalogue,
        marks=marks,
    )
    openings = Openings(
        app.ledger,
        app.part(Switch),
        app.part(Changes),
        app.part(Serving).checker,
        catalogue,
        app.owner,
        app.now,
    )
    for part in (desk, openings, marks):
        app.add(part)
    return Review(app, desk)
