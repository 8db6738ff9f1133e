"""The same data through a server whose processes are watched: streams, temporary files, memory, a crash, PostgreSQL."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from attending.client import Client
from attending.ledger.store import postgres_admin
from attending.server import projections

from tests.e2e.calls import TIMEOUT, infer_request, state
from tests.e2e.canary import ABOUT, MRN, NAME, REPLAY, Done, context, found, through_every_door
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.outputs import OUTPUTS, observed, sockets
from tests.e2e.server_process import ended
from tests.postgres_cluster import Cluster

pytestmark = pytest.mark.timeout(300)

POLL_SECONDS = 0.005
DATABASE = "attending"


@dataclass
class Watcher:
    """Looks again and again at the open files of a server's processes, unlinked ones too, and at a folder."""

    pid: int
    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            for pid in tree(self.pid):
                self._look(Path(f"/proc/{pid}/fd"))
            for path in self.folder.rglob("*"):
                with suppress(OSError):
                    self.files[str(path)] = path.read_bytes() if path.is_file() else b""
            time.sleep(POLL_SECONDS)

    def _look(self, descriptors: Path) -> None:
        with suppress(OSError):
            for link in descriptors.iterdir():
                with suppress(OSError):
                    name = str(link.readlink())
                    written = (Path("/proc") / link.parts[2] / "fdinfo" / link.name).read_text()
                    flags = int(re.search(r"flags:\s*(\d+)", written)[1], 8)  # type: ignore[index]
                    if name.startswith("/") and flags & (os.O_WRONLY | os.O_RDWR) and link.is_file():
                        self.files[name] = link.read_bytes()


def tree(pid: int) -> list[int]:
    """The process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return []


@dataclass
class Watched:
    server: ConfiguredServer
    temporary: Path
    cwd: Path
    done: Done
    watcher: Watcher


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, lying_provider: LyingProvider) -> Iterator[Watched]:
    """A server at debug level with a temporary folder of its own, that the limits of its parent let dump its memory."""
    folder = tmp_path_factory.mktemp("watched")
    temporary, cwd = folder / "tmp", folder / "cwd"
    temporary.mkdir()
    cwd.mkdir()
    server = ConfiguredServer(
        folder / "hospital",
        REPLAY,
        lying_provider.url,
        workers=2,
        # A call stays with its provider while everything is looked at, however long that takes on a busy machine.
        provider_seconds=TIMEOUT,
        environment={"TMPDIR": str(temporary)},
        working_folder=cwd,
    )
    server.prepare()
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    with ended(server):
        with Watcher(server.pid, temporary) as watcher:
            done = through_every_door(lambda role: server.connection("north", role))
        yield Watched(server, temporary, cwd, done, watcher)
        assert server.stop() == 0
    assert not found(server.log.read_bytes())


def test_the_debug_log_and_both_streams_hold_none_of_it(watched: Watched) -> None:
    log = watched.server.log.read_bytes()
    assert b"server.started" in log
    assert not found(log)
    assert not found(repr(watched.server.where).encode())
    for raw in watched.done.refusals:
        assert not found(raw)


def test_files_are_written_where_they_belong_and_nowhere_else(watched: Watched) -> None:
    files = watched.watcher.files
    home = str(watched.server.folder)
    assert any(name.startswith(f"{home}/ledger/ledger.db") for name in files), "the watcher saw nothing"
    for name, data in files.items():
        assert name.startswith(
            (f"{home}/ledger/", f"{home}/keys/", f"{home}/published/", str(watched.server.log))
        ), name
        assert not found(data), name
        assert not found(name.encode())
    assert list(watched.temporary.iterdir()) == []
    assert list(watched.cwd.iterdir()) == []
    for path in watched.server.folder.rglob("*"):
        # The outputs that the provider replays are the test's own file, and name their patient.
        if path.is_file() and path.name != "replay.jsonl":
            assert not found(path.read_bytes()), path.name


def test_every_output_that_exists_is_searched(watched: Watched, lying_provider: LyingProvider) -> None:
    """A new one fails here until it stands in the list with the test that searches it."""
    with Client(watched.server.connection("north", "app")) as app:
        # One call that is with its provider, so that the connection is there to be seen. Other modules ask it too.
        before = len(lying_provider.prompts.get("waits", ()))
        asked = app.inference.Infer.future(
            infer_request(provider="remote", model="waits", **context()), timeout=TIMEOUT
        )
        end = time.monotonic() + TIMEOUT
        while len(lying_provider.prompts.get("waits", ())) == before:
            assert time.monotonic() < end, "the provider was not asked"
            time.sleep(0.01)
        found_outputs = observed(watched.server, lying_provider, tree(watched.server.pid))
        with (
            socket.create_server(("127.0.0.1", 0)) as port,
            socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        ):
            # As a page of metrics, or a sender of them, would look.
            datagrams.connect(("127.0.0.1", 8125))
            seen = set(sockets(watched.server, lying_provider, [os.getpid()]))
            assert {f"listens: {port.getsockname()[1]}", "connects: 8125"} <= seen
        lying_provider.tell()
        assert state(asked.result().result) == "released"
    assert found_outputs - OUTPUTS.keys() == set(), (
        "an output that nothing searches: add it to OUTPUTS with its search"
    )
    assert OUTPUTS.keys() - found_outputs == set(), "not seen: it is gone, or this test looks past it"
    here = Path(__file__).parent
    for search in OUTPUTS.values():
        file, _colons, name = search.partition("::")
        assert f"def {name}(" in (here / file).read_text(), search


def test_what_the_system_shows_of_its_processes_holds_none_of_it(watched: Watched) -> None:
    processes = tree(watched.server.pid)
    assert len(processes) >= 3, "a server and two check processes"
    for pid in processes:
        for name in ("cmdline", "environ", "comm", "status", "maps"):
            with suppress(PermissionError):
                assert not found(Path(f"/proc/{pid}/{name}").read_bytes()), name


def test_no_process_may_dump_its_memory_and_check_processes_are_bounded(watched: Watched) -> None:
    for pid in tree(watched.server.pid):
        limits = Path(f"/proc/{pid}/limits").read_text()
        core = re.search(r"Max core file size\s+(\S+)\s+(\S+)", limits)
        assert core is not None
        assert core.groups() == ("0", "0")
    for pid in watched.server.check_processes():
        data = re.search(r"Max data size\s+(\S+)", Path(f"/proc/{pid}/limits").read_text())
        assert data is not None
        assert data[1] != "unlimited"


def test_a_check_process_that_crashes_over_it_leaves_nothing(watched: Watched) -> None:
    """SIGABRT would leave a core file, here in the working folder; a traceback would go to the log."""
    before = watched.server.check_processes()
    crashed = threading.Event()

    def crash() -> None:
        while not crashed.is_set():
            for pid in watched.server.check_processes():
                if psutil.Process(pid).cpu_percent(0.02) > 20:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGABRT)
                        crashed.set()

    thread = threading.Thread(target=crash, daemon=True)
    thread.start()
    with Client(watched.server.connection("north", "app")) as app:
        for number in range(20):
            request = infer_request(ABOUT * 50, model="about", key=f"crash-{number}", **context())
            with suppress(Exception):
                app.inference.Infer(request, timeout=TIMEOUT)
            if crashed.is_set():
                break
    crashed.set()
    thread.join()
    end = time.monotonic() + TIMEOUT
    while len(after := watched.server.check_processes()) < 2 or set(after) == set(before):
        assert time.monotonic() < end, "no check process was replaced"
        time.sleep(0.1)
    assert list(watched.cwd.iterdir()) == []
    assert list(watched.temporary.iterdir()) == []
    assert not found(watched.server.log.read_bytes())


def test_over_http_nobody_is_quoted(watched: Watched) -> None:
    word = NAME.split()[1]
    server = watched.server
    trust = ssl.create_default_context(cafile=str(server.folder / "ca.pem"))
    token = server.tokens[server.name("north", "auditor")]
    base = f"https://localhost:{server.where['http_port']}"
    with httpx.Client(verify=trust, timeout=30) as client:
        for who in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {word}"}, {}):
            for path in (
                *("north/checkpoint", "north/tile/entries/000", "north/tile/0/000"),
                *(
                    f"north/{word}",
                    f"{word}/checkpoint",
                    f"north/tile/entries/{MRN}",
                    f"north/checkpoint?who={word}",
                ),
            ):
                answer = client.get(f"{base}/{path}", headers={**who, "X-Patient": ABOUT, "User-Agent": NAME})
                assert not found(answer.content), path
                assert not found(repr(answer.headers.raw).encode()), path
        answer = client.request(word.upper(), f"{base}/north/checkpoint")
        assert not found(answer.content + repr(answer.headers.raw).encode())
    assert not found(server.log.read_bytes())


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_governed_inference_creates_no_file_outside_the_ledger(watched: Watched, tmp_path: Path) -> None:
    """Every open of the server and its check processes, told by the kernel, while texts go through."""
    server, trace = watched.server, tmp_path / "trace"
    pids = [option for pid in tree(server.pid) for option in ("-p", str(pid))]
    calls = "trace=open,openat,openat2,creat,memfd_create,mknod,mknodat,mkdir,mkdirat"
    command = ["strace", "-f", "-q", "-y", "-s", "400", "-e", calls, "-o", str(trace), *pids]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        time.sleep(1)
        if tracer.poll() is not None:
            pytest.skip("strace may not attach to processes here")
        with Client(server.connection("north", "app")) as app:
            for policy, model in (("administrative-letter", "about"), ("patient-message", "about-dose")):
                request = infer_request(ABOUT, policy=policy, model=model, **context())
                result = app.inference.Infer(request, timeout=TIMEOUT).result
                assert state(result) in ("released", "held")
        time.sleep(0.5)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    lines = trace.read_text(errors="replace").splitlines()
    written = [
        line for line in lines if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|memfd_create|creat\(", line)
    ]
    opened = [line for line in lines if "openat(" in line]
    assert opened, "the tracer saw nothing"
    home = str(server.folder)
    allowed = (f"{home}/ledger/", f"{home}/keys/", f"{home}/published/", "/dev/null")
    for line in written:
        if re.search(r"\) = -1 ", line):
            continue
        path = re.search(r'"([^"]*)"', line)
        assert path is not None, line
        assert path[1].startswith(allowed), line
    assert not found(trace.read_bytes())


def test_a_database_of_postgresql_holds_none_of_it_in_clear(
    tmp_path: Path, lying_provider: LyingProvider
) -> None:
    cluster = Cluster()
    with ExitStack() as stack:
        stack.callback(cluster.destroy)
        cluster.start()
        cluster.execute("CREATE ROLE app LOGIN", f"CREATE DATABASE {DATABASE}")
        postgres_admin.prepare(cluster.conninfo(DATABASE), [projections.metadata], grant_to=["app"])
        server = ConfiguredServer(
            tmp_path / "hospital",
            REPLAY,
            lying_provider.url,
            storage=(f'database = "{cluster.conninfo(DATABASE, "app")}"',),
        )
        server.prepare()
        server.start()
        stack.callback(server.stop)
        through_every_door(lambda role: server.connection("north", role))
        cluster.execute("CHECKPOINT")
        files = [path for path in cluster.data.rglob("*") if path.is_file()]
        assert any(path.parent.name == "pg_wal" for path in files)
        searched = 0
        for path in [*files, cluster.root / "log", server.log]:
            data = path.read_bytes()
            searched += b"inference.released" in data
            assert not found(data), path.name
        assert searched, "the entries themselves were not found, so nothing would have been"
