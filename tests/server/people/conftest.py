"""A registry over a real ledger and the real policies, with its people, and everybody's way in."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.server import projections
from attending.server.app import authorization_folder
from attending.server.auth.attempts import Attempts
from attending.server.auth.authenticate import Directory
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.auth.key_verifier import KeyVerifier
from attending.server.auth.principal import Principal
from attending.server.config import IdentitySection
from attending.server.idempotency import Once
from attending.server.people.account import CredentialKind, Terms
from attending.server.people.configured import record_configured
from attending.server.people.present import Present
from attending.server.people.registry import EnrolOrder, Registry

from tests.derived import not_derived
from tests.server.inference.conftest import Clock, failed_checks

TENANT = "clinic"
_keys = itertools.count()


def fresh() -> Once:
    number = next(_keys)
    return Once(f"key-{number}", f"body-{number}".encode())


def person(name: str, *roles: str, tenant: str = TENANT) -> Principal:
    return Principal(name, tenant, "human", frozenset(roles), name.title(), "mtls")


def section(name: str, *roles: str, tenant: str = TENANT, **more: object) -> IdentitySection:
    kind = "app" if roles == ("app",) else "human"
    values = {"certificate_uri": [f"spiffe://test/{name}"], **more}
    return IdentitySection(name=name, tenant=tenant, kind=kind, roles=list(roles), **values)  # type: ignore[arg-type]


def order(
    name: str,
    *roles: str,
    expected_version: int | None = None,
    uris: Iterable[str] = (),
    signing_public_key: bytes | None = None,
    display_name: str = "",
    **terms: str,
) -> EnrolOrder:
    return EnrolOrder(
        name=name,
        kind="app" if roles == ("app",) else "human",
        terms=Terms(tuple(sorted(roles)), **terms),
        display_name=display_name,
        named=tuple((CredentialKind.CERTIFICATE_URI, uri) for uri in uris),
        signing_public_key=signing_public_key,
        expected_version=expected_version,
    )


@dataclass
class Office:
    """One process of a hospital: `olga` operates, `saida` and `priya` proof."""

    folder: Path
    ledger: Ledger
    clock: Clock
    present: Present
    registry: Registry
    directory: Directory
    configured: tuple[IdentitySection, ...]
    olga: Principal = field(default_factory=lambda: person("olga", "operator"))
    saida: Principal = field(default_factory=lambda: person("saida", "safety_officer"))
    priya: Principal = field(default_factory=lambda: person("priya", "privacy_officer"))

    async def enter(self, name: str) -> Principal | None:
        """As the directory finds them by the URI of their certificate; None when it refuses."""
        found = [one for one in self.present.current().all if one.name == name]
        return None if not found else next(p for p in self.directory.principals() if p.name == name)

    async def types(self, stream: str) -> list[str]:
        return [entry.type for entry in await self.ledger.stream_entries(TENANT, stream)]


CONFIGURED = (
    section("olga", "operator"),
    section("saida", "safety_officer"),
    section("priya", "privacy_officer"),
    section("portal", "app"),
)


async def open_office(
    folder: Path, ledger: Ledger, clock: Clock, configured: tuple[IdentitySection, ...] = CONFIGURED
) -> Office:
    """A start of the server over that ledger."""
    present = Present(configured)
    await record_configured(ledger, [TENANT], configured, "srv-test", clock)
    await present.start(ledger, [TENANT])
    authorizer = Authorizer(
        PolicySet.load(authorization_folder()), Attempts(ledger.append, "srv-test").denied, clock
    )
    taken = {uri for one in configured for uri in one.certificate_uri}
    registry = Registry(
        ledger,
        authorizer,
        clock,
        present,
        configured=lambda _kind, value: value in taken,
        hash_key=KeyVerifier(clock).hash,
    )
    directory = Directory((), clock)
    directory.add(present)
    return Office(folder, ledger, clock, present, registry, directory, configured)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock = Clock()
    ledger = await Ledger.open(tmp_path / "ledger", metadata=[projections.metadata], clock=clock)
    await ledger.create_log(TENANT, "test.example/clinic")
    made = await open_office(tmp_path / "ledger", ledger, clock)
    yield made
    await made.present.close()
    failed = await failed_checks(ledger) if not ledger.closed else []
    await ledger.close()
    assert not failed, "the independent verifier refuses what this test left in the log"
    assert not_derived(LedgerConfig(tmp_path / "ledger")) == []
