"""Clock, disk, ports, limits and the configuration file: green and red, on a machine that is told what to answer,
and the real one where it can be had.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.server.doctor.check import State
from attending.server.doctor.machine import ClockState, LinuxMachine, Port, Room, existing
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.server.doctor.sites import GIB, NOW, FakeMachine, look, reasons, site, with_entries

RED, WARNING, UNKNOWN = State.RED, State.WARNING, State.UNKNOWN


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (ClockState(True, 0.01), {}),
        (ClockState(False, 16.0), {"CLOCK_NOT_SYNCHRONISED": WARNING}),
        (ClockState(True, 3.0), {"CLOCK_UNCERTAIN": WARNING}),
        (None, {"CLOCK_STATE_HIDDEN": WARNING}),
    ],
)
def test_whether_the_clock_is_kept(
    tmp_path: Path, clock: ClockState | None, expected: dict[str, State]
) -> None:
    assert reasons("clocks:kept", site(tmp_path, now=_later(), machine=FakeMachine(clock=clock))) == expected


def test_a_clock_before_the_program_was_installed(tmp_path: Path) -> None:
    early = datetime(2001, 1, 1, tzinfo=UTC)
    assert reasons("clocks:kept", site(tmp_path, now=early)) == {"CLOCK_BEFORE_BUILD": RED}


async def test_a_clock_behind_the_newest_entry(tmp_path: Path) -> None:
    at = site(tmp_path)
    assert reasons("clocks:newest_entry", at) == {}
    await with_entries(at)
    assert reasons("clocks:newest_entry", at) == {}
    behind = site(tmp_path, now=NOW - timedelta(hours=2))
    assert reasons("clocks:newest_entry", behind) == {"CLOCK_BEHIND_LOG": RED}


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (Room(50 * GIB, 100 * GIB, 10**6, 10**6), {}),
        (Room(50 * GIB, 100 * GIB, 0, 0), {}),  # a file system that does not count inodes
        (Room(3 * GIB, 100 * GIB, 10**6, 10**6), {"DISK_LOW": WARNING}),
        (Room(1 * GIB, 2 * GIB, 10**6, 10**6), {"DISK_LOW": WARNING}),
        (Room(1 << 20, 100 * GIB, 10**6, 10**6), {"DISK_FULL": RED}),
        (Room(50 * GIB, 100 * GIB, 10_000, 10**6), {"INODES_LOW": WARNING}),
        (Room(50 * GIB, 100 * GIB, 10, 10**6), {"INODES_LOW": RED}),
    ],
)
def test_room_on_the_disk(tmp_path: Path, room: Room, expected: dict[str, State]) -> None:
    assert reasons("disks:room", site(tmp_path, machine=FakeMachine(free=room))) == expected


def test_a_real_small_disk_is_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        # Not allowed to mount: what the real machine says of a real volume is still looked at.
        assert LinuxMachine().room(small).total_bytes == shutil.disk_usage(small).total
        return
    try:
        at = site(tmp_path, machine=LinuxMachine(), storage={"folder": "small"})
        assert reasons("disks:room", at)["DISK_FULL"] is RED
        assert reasons("disks:kinds", at) == {"FOLDER_IN_MEMORY": RED}
        assert LinuxMachine().volume(small) != LinuxMachine().volume(tmp_path)
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize(
    ("kind", "embedded", "expected"),
    [
        ("ext4", False, {}),
        (None, False, {}),
        ("tmpfs", False, {"FOLDER_IN_MEMORY": RED}),
        ("overlay", False, {"FOLDER_IN_CONTAINER": WARNING}),
    ],
)
def test_kinds_of_file_systems(
    tmp_path: Path, kind: str | None, embedded: bool, expected: dict[str, State]
) -> None:
    assert reasons("disks:kinds", site(tmp_path, machine=FakeMachine(kind=kind))) == expected


def test_folders_that_are_missing_open_or_no_folders(tmp_path: Path) -> None:
    at = site(tmp_path)
    assert reasons("disks:folders", at) == {}
    for name in ("ledger", "keys", "published"):
        (tmp_path / name).mkdir(mode=0o700)
    assert reasons("disks:folders", at) == {}
    # Published heads are for everybody to read, and for nobody else to write.
    (tmp_path / "published").chmod(0o755)
    assert reasons("disks:folders", at) == {}
    (tmp_path / "published").chmod(0o775)
    assert reasons("disks:folders", at) == {"FOLDER_OPEN": RED}
    (tmp_path / "published").chmod(0o700)
    (tmp_path / "keys").chmod(0o750)
    assert reasons("disks:folders", at) == {"FOLDER_OPEN": RED}
    (tmp_path / "keys").rmdir()
    (tmp_path / "keys").write_text("")
    assert reasons("disks:folders", at) == {"NOT_A_FOLDER": RED}


def test_volumes_that_should_be_apart(tmp_path: Path) -> None:
    for name in ("ledger", "keys", "published"):
        (tmp_path / name).mkdir()
    one = site(tmp_path, machine=FakeMachine())
    assert set(reasons("disks:apart", one)) == {
        "KEYS_WITH_LEDGER",
        "PUBLISHED_WITH_LEDGER",
        "KEYS_WITH_PUBLISHED_HEADS",
    }
    apart = site(tmp_path, machine=FakeMachine(volumes={"ledger": 1, "keys": 2, "published": 3}))
    assert reasons("disks:apart", apart) == {}
    shared = {"database": "host=db dbname=attending"}
    database = site(tmp_path, storage=shared, machine=FakeMachine(volumes={"keys": 2, "published": 3}))
    assert reasons("disks:apart", database) == {}
    together = site(tmp_path, storage=shared)
    assert reasons("disks:apart", together) == {"KEYS_WITH_PUBLISHED_HEADS": WARNING}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Port.FREE, {}),
        (Port.TAKEN, {"PORT_TAKEN": RED}),
        (Port.NOT_ALLOWED, {"PORT_NOT_ALLOWED": RED}),
        (Port.NO_SUCH_ADDRESS, {"NO_SUCH_ADDRESS": RED}),
    ],
)
def test_ports(tmp_path: Path, state: Port, expected: dict[str, State]) -> None:
    assert reasons("ports:ports", site(tmp_path, machine=FakeMachine(port_state=state))) == expected


def test_a_port_whose_holder_says_nothing(tmp_path: Path) -> None:
    silent = FakeMachine(port_state=Port.TAKEN, silent=True)
    assert reasons("ports:ports", site(tmp_path, machine=silent)) == {"PORT_SILENT": UNKNOWN}


def test_a_port_that_any_program_is_given(tmp_path: Path) -> None:
    at = site(tmp_path, server={"port": 0, "token_port": 0}, machine=FakeMachine(port_state=Port.TAKEN))
    assert reasons("ports:ports", at) == {}


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Any]:
    """Starts TLS listeners with a certificate; each answers any number of handshakes."""
    sockets: list[socket.socket] = []

    def start(certificate: Path, key: Path) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        plain = socket.create_server(("127.0.0.1", 0))
        sockets.append(plain)

        def serve() -> None:
            while True:
                try:
                    connection, _address = plain.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return int(plain.getsockname()[1])

    yield start
    for one in sockets:
        one.close()


def test_a_port_held_by_our_server_or_by_another(tmp_path: Path, listening: Any) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        site(folder)
    own = listening(ours / "tls/server.pem", ours / "tls/server.key")
    other = listening(theirs / "tls/server.pem", theirs / "tls/server.key")
    real = LinuxMachine()
    free = {"port": own, "token_port": 0}
    assert reasons("ports:ports", site(ours, server=free, machine=real)) == {}
    taken = {"port": other, "token_port": 0}
    assert reasons("ports:ports", site(ours, server=taken, machine=real)) == {"PORT_TAKEN": RED}
    shown = real.certificate_on("127.0.0.1", own)
    expected = x509.load_pem_x509_certificate((ours / "tls/server.pem").read_bytes())
    assert shown == expected.public_bytes(Encoding.DER)


def test_ports_of_the_real_machine() -> None:
    real = LinuxMachine()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert real.port("127.0.0.1", number) is Port.TAKEN
    assert real.port("127.0.0.1", number) is Port.FREE
    assert real.certificate_on("127.0.0.1", number) is None
    assert real.port("192.0.2.1", 50051) is Port.NO_SUCH_ADDRESS  # TEST-NET-1: nobody has it


def test_limits(tmp_path: Path) -> None:
    well = site(tmp_path)
    for where in ("limits:open_files", "limits:memory", "limits:check_time"):
        assert reasons(where, well) == {}
    poor = site(tmp_path, machine=FakeMachine(files=256, memory=2 * GIB))
    assert reasons("limits:open_files", poor) == {"FEW_OPEN_FILES": WARNING}
    assert reasons("limits:memory", poor) == {"LITTLE_MEMORY": WARNING}
    # Descriptors go by connections: as many as each port takes, on each port that is open.
    usual = site(tmp_path, machine=FakeMachine(files=1_024))
    assert reasons("limits:open_files", usual) == {"FEW_OPEN_FILES": WARNING}
    small = site(tmp_path, machine=FakeMachine(files=1_024), limits={"max_connections": 100})
    assert reasons("limits:open_files", small) == {}
    served = site(
        tmp_path,
        machine=FakeMachine(files=1_024),
        limits={"max_connections": 100},
        http={"max_connections": 800},
    )
    assert reasons("limits:open_files", served) == {"FEW_OPEN_FILES": WARNING}
    few = site(tmp_path, machine=FakeMachine(memory=3 * GIB), guard={"workers": 1})
    assert reasons("limits:memory", few) == {}
    provider = {"name": "r", "kind": "replay", "replay_file": "r.jsonl", "timeout_seconds": 290.0}
    assert reasons("limits:check_time", site(tmp_path, providers=[provider])) == {"DEADLINE_SHORT": WARNING}


def test_the_configuration_file(tmp_path: Path) -> None:
    at = site(tmp_path)
    path = tmp_path / "attending.toml"
    path.write_text("")
    path.chmod(0o644)
    from dataclasses import replace

    at = replace(at, path=path)
    assert reasons("configuration:file", at) == {}
    path.chmod(0o664)
    assert reasons("configuration:file", at) == {"CONFIG_WRITABLE": RED}
    path.chmod(0o640)
    tmp_path.chmod(0o777)
    assert reasons("configuration:file", at) == {"CONFIG_FOLDER_WRITABLE": RED}
    tmp_path.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
        assert reasons("configuration:file", at) == {"CONFIG_OWNER": WARNING}
    assert reasons("configuration:mode", at) == {}
    assert reasons("configuration:mode", replace(at, embedded=True)) == {"EMBEDDED_MODE": WARNING}


def test_what_the_real_machine_says(tmp_path: Path) -> None:
    real = LinuxMachine()
    assert real.room(tmp_path).total_bytes == shutil.disk_usage(tmp_path).total
    assert real.file_system(Path("/proc")) == "proc"
    state = real.clock_state()
    assert state is None or state.max_error_seconds >= 0
    assert real.open_files() == __import__("resource").getrlimit(7)[0]
    assert (real.memory_bytes() or 0) > 64 << 20
    assert existing(tmp_path / "no" / "such") == tmp_path
    assert [finding.state for finding in look("limits:memory", site(tmp_path, machine=real))]


def _later() -> datetime:
    """After this program was installed, whenever the tests run."""
    return datetime.now(UTC) + timedelta(days=1)
