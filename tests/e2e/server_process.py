"""A real `attending serve` in a process of its own, for tests that talk to it from outside or kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from attending.client import Connection
from attending.server.bootstrap.folder import ledger_of

from tests.derived import not_derived

START_SECONDS = 120


class Killable(Protocol):
    @property
    def running(self) -> bool: ...

    def kill(self) -> None: ...


@contextmanager
def ended(*servers: Killable) -> Iterator[None]:
    """Whatever becomes of the test, none of the servers outlives it: what was not stopped in order is killed."""
    try:
        yield
    finally:
        for server in servers:
            if server.running:
                server.kill()


class ServerProcess:
    """One embedded data folder; every start takes free ports, or the first one's with `keep_port`."""

    def __init__(self, folder: Path, replay: Path, *, keep_port: bool = False) -> None:
        self.keep_port = keep_port
        self._port = "0"
        self.folder = folder
        self.replay = replay
        self.log = folder.parent / f"{folder.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        endpoint = self.folder / "endpoint.json"
        endpoint.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not endpoint.exists():
            if self._process.poll() is not None:
                raise AssertionError(f"server ended with {self._process.returncode}: {self.tail()}")
            if time.monotonic() > until:
                self.kill()
                raise AssertionError(f"server did not start: {self.tail()}")
            time.sleep(0.02)
        if self.keep_port:
            self._port = self.endpoint()["target"].rpartition(":")[2]

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "attending.server.cli.main",
            "serve",
            "--data",
            str(self.folder),
            "--port",
            self._port,
            "--replay",
            str(self.replay),
            # One: each takes seconds to load.
            "--workers",
            "1",
        ]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9 of the server and every process it started."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status. The projections that it leaves are those that its entries give."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=90)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        assert not_derived(ledger_of(self.folder)) == []
        return self._process.returncode

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def connection(self, identity: str) -> Connection:
        return Connection.from_folder(self.folder, identity)

    def endpoint(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.folder / "endpoint.json").read_text())
        return value

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]
