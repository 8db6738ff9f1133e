"""`attending dev` and `attending serve` as processes: what they print works, and they end and start again well."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
from attending.server.bootstrap.folder import prepare

from tests.server.cli.typed import typed

LINE_SECONDS = 120


class Process:
    """A command in the background; its standard output arrives line by line."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.log = cwd / "stderr.log"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "attending.server.cli.main", *arguments],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._lines: Queue[str | None] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, part: str) -> str:
        """The output up to the first line that holds `part`."""
        found = ""
        while True:
            try:
                line = self._lines.get(timeout=LINE_SECONDS)
            except Empty:
                raise AssertionError(f"no `{part}` in: {found}{self.log.read_text()}") from None
            if line is None:
                raise AssertionError(f"ended before `{part}`: {found}{self.log.read_text()}")
            found += line
            if part in line:
                return found

    def end(self, name: signal.Signals) -> int:
        self.process.send_signal(name)
        return self.process.wait(90)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    processes: list[Process] = []

    def start(*arguments: str) -> Process:
        processes.append(Process(*arguments, cwd=tmp_path))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attending.server.cli.main", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def reachable(address: str, target: str) -> bool:
    """Whether something listens on `address` at the port of `target`; all of 127/8 is this machine."""
    try:
        socket.create_connection((address, int(target.rpartition(":")[2])), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.model
def test_the_printed_client_works_when_pasted(started: Any, tmp_path: Path) -> None:
    server = started("dev", "--port", "0", "--workers", "1")
    head = server.until("from attending.client import Client")
    snippet = "from attending.client import Client\n" + server.until("receipt verified")
    assert "does not protect against the operator" in head
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 8
    token = (tmp_path / "attending-data/identities/demo-app/token").read_text().strip()
    assert f"token  {token}" in head

    pasted = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, timeout=180, check=False
    )
    assert pasted.returncode == 0, pasted.stderr
    first, last = pasted.stdout.splitlines()[0], pasted.stdout.splitlines()[-1]
    assert first.split(" - ")[0] in {"released", "held", "blocked"}
    assert last.startswith("entry ")
    assert last.endswith("receipt verified: True")

    # The other commands find the same server by its folder, and an auditor can take the evidence away.
    assert typed("review", "list", cwd=tmp_path).returncode == 0
    exported = typed("export", "--out", "all.attending", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    verified = typed("verify", "all.attending", "--key", "attending-data/demo.vkey", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    # A role that may not export is told so in one line, with its own exit code.
    denied = typed("export", "--out", "b.attending", "--as", "demo-operator", cwd=tmp_path)
    assert denied.returncode == 2
    assert denied.stderr.startswith("error: PERMISSION_DENIED")

    assert server.end(signal.SIGINT) == 0
    assert not (tmp_path / "attending-data/endpoint.json").exists()
    # Neither prompt nor answer is in what the server logged.
    assert "appointment" not in server.log.read_text().lower()


def test_a_server_ends_well_and_starts_again_with_the_same_log(started: Any, tmp_path: Path) -> None:
    def start(*more: str) -> tuple[Process, dict[str, Any]]:
        server = started("serve", "--data", "d", "--port", "0", "--workers", "1", "--json", *more)
        return server, json.loads(server.until("}\n"))

    first, before = start()
    assert before == json.loads((tmp_path / "d/endpoint.json").read_text())
    assert before["pid"] == first.process.pid
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700

    second = command("serve", "--data", "d", "--port", "0", cwd=tmp_path)
    assert second.returncode == 1
    assert "LEDGER_LOCKED" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert json.loads((tmp_path / "d/endpoint.json").read_text()) == before

    # Its health is told to an identity, and on the token port to anybody.
    open_port = ("--server", before["token_target"], "--ca", "d/tls/ca.pem")
    for where in (("--data", "d"), open_port):
        healthy = typed("health", *where, cwd=tmp_path)
        assert (healthy.returncode, healthy.stdout.split(": ")[1]) == (0, "serving\n"), healthy.stderr
    unheard = typed("health", "--service", "no.Such", *open_port, cwd=tmp_path)
    assert (unheard.returncode, unheard.stdout) == (4, "")
    assert "`no.Such`" in unheard.stderr
    assert not reachable("127.0.0.2", before["token_target"])

    assert first.end(signal.SIGTERM) == 0
    assert not (tmp_path / "d/endpoint.json").exists()
    assert typed("health", *open_port, cwd=tmp_path).returncode == 1

    third, after = start("--host", "0.0.0.0")
    assert after["log_keys"] == before["log_keys"]
    assert reachable("127.0.0.2", after["token_target"])
    third.kill()
    # A kill leaves the file behind; the next start replaces it, as this one would have.
    assert json.loads((tmp_path / "d/endpoint.json").read_text()) == after


def test_a_configured_server_from_a_file(started: Any, tmp_path: Path) -> None:
    prepare(tmp_path / "d", providers=[])
    hashed = typed("keys", "token", "--out", "app.token", "--days", "30", cwd=tmp_path)
    (tmp_path / "attending.toml").write_text(f"""
[server]
port = 0
token_port = 0
tls_certificate = "d/tls/server.pem"
tls_key = "d/tls/server.key"

[storage]
folder = "ledger"
keys_folder = "keys"

[[tenants]]
name = "st-mary"
origin = "st-mary.example/attending"

[[identities]]
name = "letters"
tenant = "st-mary"
kind = "app"
roles = ["app"]
purpose_of_use = "TREAT"
{hashed.stdout}

[guard]
workers = 1
""")
    assert typed("config", "check", "attending.toml", cwd=tmp_path).returncode == 0
    server = started("serve", "--config", "attending.toml", "--json")
    at = json.loads(server.until("}\n"))
    assert at["port"] is None
    key = at["log_keys"]["st-mary"]
    assert key.startswith("st-mary.example/attending+")
    script = f"""
from attending.client import Client
with Client("localhost:{at["token_port"]}", token=open("app.token").read().strip(), ca_path="d/tls/ca.pem",
            log_key={key!r}) as client:
    result = client.record("administrative-letter", "Confirm the appointment.",
                           "Your appointment is on Monday at 10:00 in room 4.", provider="own", model="own-1",
                           tags={{"team": "front-desk", "feature": "letters"}})
    print(result.state, result.verified)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "True"
    assert server.end(signal.SIGTERM) == 0
