"""A real server process with the components of identities and emergency access alone: it starts in a second.

The same host, ledger, disk, TLS and gates as `attending serve`; no rails, no models. Run as a module it serves.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from attending.client import Connection
from attending.server.bootstrap.folder import prepare
from attending.server.bootstrap.run import serve_embedded
from attending.server.emergency.component import build as build_emergency
from attending.server.hosting import serve
from attending.server.people.component import build as build_people
from attending.server.services.ledger import build as build_ledger
from attending.server.telemetry import configure

ROOT = Path(__file__).parents[2]
START_SECONDS = 120


class PeopleProcess:
    """One data folder of the embedded mode; every start takes free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.parent / f"{folder.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        endpoint = self.folder / "endpoint.json"
        endpoint.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(self.folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not endpoint.exists():
            said = self.log.read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"server ended with {self._process.returncode}: {said}"
            assert time.monotonic() < until, f"server did not start: {said}"
            time.sleep(0.02)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=90)

    def endpoint(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.folder / "endpoint.json").read_text())
        return value

    def connection(self, identity: str) -> Connection:
        return Connection.from_folder(self.folder, identity)


def main(folder: Path) -> None:
    configure("warning", "json")
    limits = {"caller_rate": 1e5, "caller_burst": 1e5, "tenant_rate": 1e5, "tenant_burst": 1e5}
    embedded = prepare(folder, port=0, token_port=0, providers=[], overrides={"limits": limits})
    run = partial(serve, components=[build_ledger, build_people, build_emergency])
    asyncio.run(serve_embedded(embedded, on_ready=lambda _ready: None, run=run))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
