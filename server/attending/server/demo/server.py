"""The demo's server: a real one in a process of its own, which can be killed and started again. The authority that
stamps its reports outlives that: it answers from here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

from attending.client import Connection
from attending.server.demo.authority import StampAuthority, write_seal

START_SECONDS = 120
REPLAY = Path(str(files("attending.server.demo"))) / "data" / "replay.jsonl"


class ServerDidNotStart(Exception):  # noqa: N818 - says what happened
    """The server ended or took too long; the message names its log file."""


class DemoServer:
    """One demo folder with the server's data folder inside; ports are chosen by the system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "server"
        self.output = folder
        """Where the demo writes what it takes away."""
        self.log_path = folder / "server.log"
        self._open = ExitStack()
        self.seal = write_seal(folder / "seal", *self._stamping())
        """The keys of `[reports.seal]`."""
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        """Returns when the server answers; raises ServerDidNotStart."""
        endpoint = self.folder / "endpoint.json"
        endpoint.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [
                    sys.executable,
                    "-m",
                    "attending.server.demo.serving",
                    str(self.folder),
                    str(REPLAY),
                    json.dumps(self.seal),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not endpoint.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                raise ServerDidNotStart("the server did not start")
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of the whole process group: the server, its check processes and its model at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.kills += 1

    def stop(self) -> None:
        """Asks the server to end and waits for it; then the authority of time stamps ends too."""
        with self._open:
            self._end()

    def _stamping(self) -> tuple[StampAuthority, str]:
        stamps = StampAuthority()
        return stamps, self._open.enter_context(stamps.listening())

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()

    def connection(self, identity: str) -> Connection:
        return Connection.from_folder(self.folder, identity)
