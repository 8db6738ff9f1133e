"""What the doctor asks of the machine: room on disks, kinds of file systems, the clock's state, limits, ports.

A port, so that a full disk or a clock that nobody keeps can be rehearsed without one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import socket
import ssl
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from attending.guardrails.cores import usable_cores

CONNECT_SECONDS: Final = 5.0
_TIME_ERROR: Final = 5
_STA_UNSYNC: Final = 0x0040
_CGROUP_MEMORY: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_UNLIMITED: Final = 1 << 60
"""Version 1 of control groups says "no limit" with a number near 2**63."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on a volume. `total_inodes` 0: the file system does not count them."""

    free_bytes: int
    total_bytes: int
    free_inodes: int
    total_inodes: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel knows of its clock: `synchronised` by some service, with an error of at most so much."""

    synchronised: bool
    max_error_seconds: float


class Port(Enum):
    """What is on a port that the server wants."""

    FREE = "free"
    TAKEN = "taken"
    NOT_ALLOWED = "not allowed"
    NO_SUCH_ADDRESS = "no such address"


class Machine(Protocol):
    """Answers about this machine. Nothing here changes it. OSError where something cannot be told, None where the
    platform has no such thing.
    """

    def room(self, path: Path) -> Room: ...
    def volume(self, path: Path) -> int: ...
    def file_system(self, path: Path) -> str | None: ...
    def clock_state(self) -> ClockState | None: ...
    def open_files(self) -> int: ...
    def memory_bytes(self) -> int | None: ...
    def cores(self) -> int: ...
    def port(self, host: str, port: int) -> Port: ...
    def certificate_on(self, host: str, port: int) -> bytes | None: ...


class LinuxMachine:
    """This machine. Everything but /proc and adjtimex works on other systems too."""

    def room(self, path: Path) -> Room:
        found = os.statvfs(path)
        return Room(
            found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files
        )

    def volume(self, path: Path) -> int:
        return path.stat().st_dev

    def file_system(self, path: Path) -> str | None:
        """The kind of the file system that `path` lies on, such as `ext4`."""
        device = path.stat().st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        try:
            lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        # "36 35 98:0 /root /mount options - ext3 /dev/root rw" (man 5 proc); btrfs shows other numbers than stat.
        for line in reversed(lines):
            before, _dash, after = line.partition(" - ")
            if before.split(" ")[2] == wanted:
                return after.split(" ")[0]
        return None

    def clock_state(self) -> ClockState | None:
        """By adjtimex with no mode set, which only reads (man 2 adjtimex)."""
        # struct timex on LP64: modes (0), offset, freq, maxerror (3), esterror, status (5, an int), and more.
        buffer = (ctypes.c_long * 64)()
        try:
            state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
        except (OSError, AttributeError):
            return None
        if state < 0:
            return None  # a sandbox that does not allow it
        status = ctypes.c_int(buffer[5]).value
        return ClockState(state != _TIME_ERROR and not status & _STA_UNSYNC, buffer[3] / 1_000_000)

    def open_files(self) -> int:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def memory_bytes(self) -> int | None:
        """What this machine or container may use."""
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for path in _CGROUP_MEMORY:
            with contextlib.suppress(OSError, ValueError):
                limit = int(path.read_text(encoding="ascii"))
                return min(total, limit) if limit < _UNLIMITED else total
        return total

    def cores(self) -> int:
        return usable_cores()

    def port(self, host: str, port: int) -> Port:
        """Whether a server could listen there. Binds for a moment and never listens, so that nothing is answered."""
        try:
            family, kind, protocol, _name, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except socket.gaierror:
            return Port.NO_SUCH_ADDRESS
        with socket.socket(family, kind, protocol) as probe:
            # As the server does: a port in TIME_WAIT is free, and a server that starts meanwhile is not kept out.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as err:
                if err.errno == errno.EADDRINUSE:
                    return Port.TAKEN
                if err.errno in (errno.EACCES, errno.EPERM):
                    return Port.NOT_ALLOWED
                if err.errno == errno.EADDRNOTAVAIL:
                    return Port.NO_SUCH_ADDRESS
                raise
        return Port.FREE

    def certificate_on(self, host: str, port: int) -> bytes | None:
        """The certificate (DER) of whoever answers TLS there; None when what answers is not TLS, or nothing is there.
        TimeoutError when nothing is said for 5 seconds.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Whoever it is: only the certificate is looked at, and nothing is sent.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        where = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        try:
            with (
                socket.create_connection((where, port), timeout=CONNECT_SECONDS) as plain,
                context.wrap_socket(plain) as secured,
            ):
                return secured.getpeercert(binary_form=True)
        except TimeoutError:
            raise
        except OSError:
            return None


def open_to_others(path: Path) -> int | None:
    """The mode of `path` when group or others may do anything with it, else None."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return mode if mode & (stat.S_IRWXG | stat.S_IRWXO) else None


def existing(path: Path) -> Path:
    """`path` itself, or its nearest parent that exists."""
    for candidate in (path, *path.parents):
        if candidate.exists():
            return candidate
    return Path("/")
