"""Limits of the process and the machine, against what the configuration may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attending.server.doctor.check import Finding, Site, green, warning

MIB: Final = 1024 * 1024
BASE_FILES: Final = 512
"""Of a server without callers: database, check processes with three pipes each, ports, the interpreter."""
SERVER_MB: Final = 1024
"""Beside the check processes."""


def open_files(site: Site) -> Iterator[Finding]:
    """Files that the process may have open: every connection that its ports may take, and one a provider call."""
    config = site.config
    ports = int(config.server.client_ca is not None) + int(config.server.tokens)
    needed = BASE_FILES + ports * config.limits.max_connections
    needed += sum(provider.max_concurrent for provider in config.providers)
    needed += config.http.max_connections if config.http is not None else 0
    allowed = site.machine.open_files()
    if 0 <= allowed < needed:
        yield warning(
            "FEW_OPEN_FILES",
            f"this process may open {allowed:,} files, and a busy server may need {needed:,}",
            f"LimitNOFILE={needed * 2} in its systemd unit, or ulimit -n {needed * 2}",
        )
    else:
        yield green(
            f"{'any number' if allowed < 0 else f'{allowed:,}'} may be open, {needed:,} may be needed"
        )


def memory(site: Site) -> Iterator[Finding]:
    """Memory for every check process at its largest, and the server."""
    guard = site.config.guard
    workers = guard.workers or site.machine.cores()
    needed = workers * guard.max_memory_mb + SERVER_MB
    total = site.machine.memory_bytes()
    if total is None:
        yield green(f"up to {needed:,} MiB may be used")
    elif total < needed * MIB:
        yield warning(
            "LITTLE_MEMORY",
            f"{workers} check processes of {guard.max_memory_mb:,} MiB and the server may use {needed:,} MiB; there "
            f"are {total // MIB:,}",
            "set `guard.workers` or `guard.max_memory_mb` lower, or use a larger machine",
        )
    else:
        yield green(f"{needed:,} of {total // MIB:,} MiB may be used")


def check_time(site: Site) -> Iterator[Finding]:
    """A provider's time-out leaves time for the checks, within the longest time of a call."""
    server, guard = site.config.server, site.config.guard
    slow = [
        provider.name
        for provider in site.config.providers
        if provider.timeout_seconds + 2 * guard.timeout_seconds > server.deadline_seconds
    ]
    if slow:
        yield warning(
            "DEADLINE_SHORT",
            f"a slow answer of {', '.join(f'`{name}`' for name in slow)} and its checks take longer than a call may: "
            "the caller hears of it by asking again only",
            "set `server.deadline_seconds` higher, or `timeout_seconds` of the provider lower",
        )
    else:
        yield green(f"a call may take {server.deadline_seconds:g} s")
