"""A real server process with the ledger, identities and reports alone, on PostgreSQL: it starts in seconds.

The same host, database, disk, TLS and gates as `attending serve --config`; no rails, no models. Run as a module it
serves.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from attending.server import clock
from attending.server.app import App, Component
from attending.server.config import load_config
from attending.server.hosting import Endpoints, serve
from attending.server.people.component import build as build_people
from attending.server.reports.component import build as build_reports
from attending.server.review.enrolment import enrol_keys
from attending.server.services.ledger import build as build_ledger
from attending.server.telemetry import configure

from tests.e2e.configured_server import ConfiguredServer

ROOT = Path(__file__).parents[2]


@dataclass
class ReportProcess(ConfiguredServer):
    """`sections` are more of the configuration; the process's clock is `days_ahead` of the machine's."""

    sections: tuple[str, ...] = ()
    days_ahead: int = 0

    def _configuration(self) -> Iterable[str]:
        yield from super()._configuration()
        yield from self.sections

    def command(self, token_port: int) -> list[str]:
        self.working_folder = ROOT
        config = str(self.folder / "attending.toml")
        return [sys.executable, "-m", __name__, config, str(token_port), str(self.days_ahead)]

    @property
    def reports(self) -> Path:
        return self.folder / "ledger" / "reports"


class Keys(Component):
    """Enrols the keys of those who sign, as the review desk does."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def start(self) -> None:
        app = self._app
        await enrol_keys(app.ledger, app.tenants, app.directory.principals(), app.owner, app.now)


async def build_keys(app: App) -> Keys:
    return Keys(app)


def main(path: Path, token_port: int, days_ahead: int) -> None:
    configure("warning", "json")
    config = load_config(path)
    server = config.server.model_copy(update={"port": 0, "token_port": token_port})
    config = config.model_copy(update={"server": server})

    def now() -> datetime:
        return clock.now() + timedelta(days=days_ahead)

    def announce(app: App, at: Endpoints) -> None:
        keys = {tenant: app.ledger.verifier_key(tenant) for tenant in app.tenants}
        print(json.dumps({"token_port": at.token_port, "log_keys": keys}), flush=True)

    components = [build_ledger, build_people, build_keys, build_reports]
    asyncio.run(serve(config, components=components, on_ready=announce, now=now))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
