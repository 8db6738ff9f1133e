"""Sites for the doctor's tests: a configuration over real files, and a machine that answers as it is told."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.bootstrap.certificates import issue_server, new_authority
from attending.server.config import parse_config
from attending.server.database import ledger_config
from attending.server.doctor.check import Finding, Site, State
from attending.server.doctor.machine import ClockState, Port, Room
from attending.server.doctor.run import resolve

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GIB = 1 << 30
ROOMY = Room(50 * GIB, 100 * GIB, 1_000_000, 2_000_000)
KEPT = ClockState(True, 0.01)


@dataclass
class FakeMachine:
    """The port `Machine`: a well-kept machine, unless told otherwise. `volumes` are by the folder's name."""

    free: Room = ROOMY
    volumes: dict[str, int] = field(default_factory=dict)
    kind: str | None = "ext4"
    clock: ClockState | None = KEPT
    files: int = 65_536
    memory: int | None = 64 * GIB
    port_state: Port = Port.FREE
    shown: bytes | None = None
    silent: bool = False

    def room(self, path: Path) -> Room:
        return self.free

    def volume(self, path: Path) -> int:
        return self.volumes.get(path.name, 1)

    def file_system(self, path: Path) -> str | None:
        return self.kind

    def clock_state(self) -> ClockState | None:
        return self.clock

    def open_files(self) -> int:
        return self.files

    def memory_bytes(self) -> int | None:
        return self.memory

    def cores(self) -> int:
        return 4

    def port(self, host: str, port: int) -> Port:
        return self.port_state

    def certificate_on(self, host: str, port: int) -> bytes | None:
        if self.silent:
            raise TimeoutError
        return self.shown


def identity(name: str, *roles: str, kind: str = "human", **more: Any) -> dict[str, Any]:
    """A section of an identity; those who sign have a key."""
    found = {
        "name": name,
        "tenant": "st-mary",
        "kind": kind,
        "roles": list(roles),
        "certificate_common_name": [name],
    }
    if set(roles) & {"clinician", "pharmacist"}:
        found["signing_public_key"] = base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
    return {**found, **more}


PEOPLE = (
    identity("app", "app", kind="app"),
    identity("dr-a", "clinician"),
    identity("dr-b", "clinician"),
    identity("audit", "auditor"),
    identity("privacy", "privacy_officer"),
    identity("safety", "safety_officer"),
    identity("ops", "operator"),
)


def site(folder: Path, *, now: datetime = NOW, machine: Any = None, **sections: Any) -> Site:
    """A site in `folder` with real certificates; `sections` add to or replace those of its configuration."""
    tls = folder / "tls"
    if not tls.exists():
        tls.mkdir()
        authority = new_authority("Test authority", NOW)
        server = issue_server(authority, ["localhost", "127.0.0.1"], NOW)
        (tls / "ca.pem").write_bytes(authority.certificate)
        (tls / "server.pem").write_bytes(server.certificate + authority.certificate)
        private(tls / "server.key", server.key)
    data: dict[str, Any] = {
        "server": {
            "tls_certificate": "tls/server.pem",
            "tls_key": "tls/server.key",
            "client_ca": "tls/ca.pem",
        },
        "storage": {"folder": "ledger", "keys_folder": "keys", "published_folder": "published"},
        "tenants": [{"name": "st-mary", "origin": "st-mary.example/attending"}],
        "identities": list(PEOPLE),
    }
    for name, keys in sections.items():
        data[name] = {**data[name], **keys} if isinstance(data.get(name), dict) else keys
    config = parse_config(data, folder)
    return Site(config, None, " --config attending.toml", now=lambda: now, machine=machine or FakeMachine())


def private(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def look(where: str, at: Site) -> list[Finding]:
    """The findings of one check, such as `clocks:kept`."""
    return list(resolve(f"attending.server.doctor.{where}")(at))


def reasons(where: str, at: Site) -> dict[str, State]:
    """What is not green, by reason. Each says what to do next; what is green has no reason."""
    findings = look(where, at)
    assert findings
    for finding in findings:
        assert finding.detail
        assert bool(finding.next_step) == (finding.state is not State.GREEN)
        assert (finding.reason == "OK") == (finding.state is State.GREEN)
    return {finding.reason: finding.state for finding in findings if finding.state is not State.GREEN}


async def with_entries(at: Site, count: int = 3, *, now: datetime = NOW) -> None:
    """Writes a ledger of the site with `count` entries, closed in order."""
    ledger = await Ledger.open(ledger_config(at.config), metadata=[projections.metadata], clock=lambda: now)
    try:
        for tenant in at.config.tenants:
            await ledger.create_log(tenant.name, tenant.log_origin)
            for _ in range(count):
                body: dict[str, object] = {"version": "1"}
                entry = PendingEntry(
                    type="system.started", stream="server/s", actor="system:s", subject=None, body=body
                )
                await ledger.append(tenant.name, [entry])
    finally:
        await ledger.close()


def tree(folder: Path, *, without: Iterable[str] = ()) -> dict[str, tuple[int, int, str]]:
    """Every file and folder: mode, time of change, and content; what must not change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if any(path.name.endswith(end) for end in without):
            continue
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found
