"""A real `attending serve --config` in a process of its own: two tenants, every role in each, bearer tokens."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from attending.client import Connection
from attending.ledger.opening import LedgerConfig
from attending.server.auth.service_key import LEAST, hash_service_key, new_service_key, prefix_of
from attending.server.bootstrap.certificates import issue_server, new_authority
from attending.server.shipped import package_policies
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.derived import not_derived
from tests.matrix.making import TARGET

START_SECONDS = 120
TENANTS = ("north", "south")
ROLES = (
    "clinician",
    "pharmacist",
    "auditor",
    "medical_director",
    "operator",
    "privacy_officer",
    "safety_officer",
)
SEVERAL = ("clinician", "operator", "privacy_officer")
"""Roles of the identity `several`; the identity `expired` has all of them and is past its date."""
SIGNERS = ("clinician", "clinician2", "pharmacist", "privacy_officer", "safety_officer")
LEASE_SECONDS = 30
CHECK_SECONDS = 8.0
PROVIDER_SECONDS = 6.0
SPARE_POLICY = "spare-letter"


@dataclass
class ConfiguredServer:
    """`name(tenant, role)` names an identity; `keys` are the signing keys of those who sign. `server` and `storage`
    are more lines of those sections; `process` names the process where several serve from one folder,
    `workers` is how many check processes each has.
    """

    folder: Path
    replay: list[dict[str, Any]]
    openai_url: str
    tokens: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)
    server: tuple[str, ...] = ()
    storage: tuple[str, ...] = ()
    process: str = "server"
    provider_seconds: float = PROVIDER_SECONDS
    environment: dict[str, str] = field(default_factory=dict)
    working_folder: Path | None = None
    workers: int = 1
    console_port: int | None = None
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def prepare(self) -> None:
        """Writes certificates, policies (a plan takes two signatures or break-glass), replay file and configuration."""
        self.folder.mkdir(parents=True)
        now = datetime.now(UTC)
        authority = new_authority("test authority", now)
        leaf = issue_server(authority, ["localhost", "127.0.0.1"], now)
        (self.folder / "ca.pem").write_bytes(authority.certificate)
        (self.folder / "server.pem").write_bytes(leaf.certificate)
        _private(self.folder / "server.key", leaf.key)
        _private(self.folder / "api.key", b"test-api-key\n")
        _private(self.folder / "notices.secret", b"whsec_" + base64.b64encode(b"n" * 32))
        policies = self.folder / "policies"
        shutil.copytree(package_policies(), policies)
        # A policy that nothing is asked for under, to be halted at will.
        shutil.copytree(policies / "administrative-letter", policies / SPARE_POLICY)
        spare = policies / SPARE_POLICY / "policy.yaml"
        spare.write_text(spare.read_text().replace("name: administrative-letter", f"name: {SPARE_POLICY}"))
        plan = policies / "discharge-plan" / "policy.yaml"
        text = plan.read_text()
        assert text.count("\n  count: 1\n") == 1
        text = text.replace("\n  count: 1\n", "\n  count: 2\n")
        plan.write_text(text + "break_glass:\n  roles: [clinician]\n  review_within_hours: 24\n")
        # What it releases is read again, all of it.
        letter = policies / "administrative-letter" / "policy.yaml"
        letter.write_text(letter.read_text().replace("released_percent: 2\n", "released_percent: 100\n"))
        # Whose reader says first what they think of it.
        impression = policies / "radiology-impression" / "policy.yaml"
        impression.write_text(impression.read_text() + "oversight:\n  own_view_first: true\n")
        (self.folder / "replay.jsonl").write_text("\n".join(json.dumps(line) for line in self.replay))
        (self.folder / "attending.toml").write_text("\n".join(self._configuration()))

    def _configuration(self) -> Iterable[str]:
        yield from ("[server]", 'tls_certificate = "server.pem"', 'tls_key = "server.key"', *self.server)
        yield from (
            "[storage]",
            'folder = "ledger"',
            'keys_folder = "keys"',
            'published_folder = "published"',
            *self.storage,
        )
        yield from ("[http]", "port = 0")
        yield from ("[policies]", 'folder = "policies"', 'authorization = "policies/authorization"')
        yield from ("[guard]", f"timeout_seconds = {CHECK_SECONDS}")
        yield from ("[review]", f"lease_seconds = {LEASE_SECONDS}", "expiry_sweep_seconds = 1")
        # Tests of strangers are nothing but refused credentials, all from one address.
        yield from ("[limits]", "refused_credentials_rate = 1000.0", "refused_credentials_burst = 100000.0")
        yield from ("[logging]", 'level = "debug"', 'format = "json"')
        for tenant in TENANTS:
            yield from ("[[tenants]]", f'name = "{tenant}"')
            if tenant == "south":
                yield 'allowed_residency = ["EU"]'
            for role in ("app", "app2", "clinician2", "several", "expired", *ROLES):
                yield from self._identity(tenant, role)
        yield from ("[[providers]]", 'name = "replay"', 'kind = "replay"', 'replay_file = "replay.jsonl"')
        yield f"timeout_seconds = {self.provider_seconds}"
        yield from ("[[providers]]", 'name = "remote"', 'kind = "openai"', f'base_url = "{self.openai_url}"')
        yield 'residency = ["US"]'
        yield from ('api_key_file = "api.key"', f"timeout_seconds = {self.provider_seconds}")
        yield from ("[[notices.webhook]]", f'name = "{TARGET}"', f'url = "{self.openai_url}/gone"')
        yield from ('secret_file = "notices.secret"', "allow_private = true", 'events = ["system.resumed"]')

    def _identity(self, tenant: str, role: str) -> Iterable[str]:
        name = self.name(tenant, role)
        self.tokens[name] = new_service_key()
        plain = role.removesuffix("2")
        yield from ("[[identities]]", f'name = "{name}"', f'tenant = "{tenant}"')
        yield f'kind = "{"app" if plain == "app" else "human"}"'
        yield f"roles = {json.dumps(SEVERAL if role in ('several', 'expired') else [plain])}"
        if role == "expired":
            yield "expires = 2020-01-01T00:00:00Z"
        token = self.tokens[name]
        yield f'service_keys = [{{ prefix = "{prefix_of(token)}", hash = "{hash_service_key(token, LEAST)}" }}]'
        if plain == "app":
            yield 'purpose_of_use = "TREAT"'
        if role in SIGNERS:
            self.keys[name] = key = Ed25519PrivateKey.generate()
            raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            yield f'signing_public_key = "{base64.b64encode(raw).decode()}"'

    @staticmethod
    def name(tenant: str, role: str) -> str:
        return f"{tenant}-{role.replace('_', '-')}"

    def twin(self, process: str) -> Self:
        """Another process of the same configuration, with a log file of its own."""
        return replace(self, process=process, where={}, _process=None, _reader=None)

    def command(self, token_port: int) -> list[str]:
        """What runs it; it says where it listens as one line of JSON."""
        return [
            *(sys.executable, "-m", "attending.server.cli.main", "serve"),
            *("--config", str(self.folder / "attending.toml")),
            *("--port", "0", "--token-port", str(token_port), "--json"),
            *("--workers", str(self.workers)),
            *(() if self.console_port is None else ("--console-port", str(self.console_port))),
        ]

    def start(self, token_port: int = 0) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self.command(token_port),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                env={**os.environ, **self.environment},
                cwd=self.working_folder,
            )
        assert self._process.stdout is not None
        lines: list[str] = []
        stdout = self._process.stdout
        self._reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
        self._reader.start()
        self._reader.join(START_SECONDS)
        if not lines or not lines[0]:
            self.kill()
            raise AssertionError(f"server did not start: {self.log.read_text(errors='replace')[-2000:]}")
        self.where = json.loads(lines[0])

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
            status = self._process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        if (
            self.folder / "ledger" / "ledger.db"
        ).exists():  # a shared database is checked when all have stopped
            keys, published = self.folder / "keys", self.folder / "published"
            place = LedgerConfig(self.folder / "ledger", keys_folder=keys, publish_folder=published)
            assert not_derived(place) == []
        return status

    @property
    def log(self) -> Path:
        return self.folder / f"{self.process}.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def connection(self, tenant: str, role: str) -> Connection:
        return self.as_token(tenant, self.tokens[self.name(tenant, role)])

    def as_token(self, tenant: str, token: str | None) -> Connection:
        """With any token, or none; the log key of `tenant` is pinned."""
        target = f"localhost:{self.where['token_port']}"
        return Connection(target, self.folder / "ca.pem", self.where["log_keys"][tenant], token=token)

    def check_processes(self) -> list[int]:
        """Process ids of the server's check processes."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                command = (status.parent / "cmdline").read_bytes()
            except OSError:
                continue
            if parent == self.pid and b"pool_worker" in command:
                found.append(int(status.parent.name))
        return found


def _private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
