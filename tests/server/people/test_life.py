"""Any history of an identity: what the entries say, what the tables say and who is let in are one thing, and nobody
ever came in on the word of one person.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

from attending.ledger.ledger import Ledger, LedgerConfig
from attending.server import projections
from attending.server.errors import AttendingError
from attending.server.people.account import State
from attending.server.people.registry import user_stream
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.derived import not_derived
from tests.server.inference.conftest import Clock
from tests.server.people.conftest import TENANT, Office, fresh, open_office, order, person

NAMES = st.sampled_from(["amara", "bola", "saida"])
# Some of these people have both offices: what they are never changes who they are.
ACTORS = st.sampled_from(
    [
        person("olga", "operator"),
        person("olga", "operator", "safety_officer"),
        person("saida", "safety_officer"),
        person("saida", "safety_officer", "operator"),
        person("priya", "operator", "privacy_officer"),
        person("amara", "operator", "safety_officer"),
    ]
)
ROLES = st.sets(st.sampled_from(["clinician", "pharmacist", "auditor"]), min_size=1)


class Life(RuleBasedStateMachine):
    """Everybody does anything to anybody, and now and then the server is killed and starts again."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.office = self.run(self.start())

    def run(self, awaitable: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(awaitable)

    async def start(self) -> Office:
        folder = Path(self.folder.name) / "ledger"
        ledger = await Ledger.open(folder, metadata=[projections.metadata], clock=self.clock)
        await ledger.create_log(TENANT, "test.example/clinic")
        return await open_office(folder, ledger, self.clock)

    def attempt(self, awaitable: Awaitable[Any]) -> Any:
        """The step's outcome, or None when it was refused for a reason."""
        try:
            return self.run(awaitable)
        except AttendingError:
            return None

    def version(self, name: str) -> int | None:
        account = self.run(self.office.registry.find(TENANT, name))
        return None if account is None else account.version

    @rule(who=ACTORS, name=NAMES, roles=ROLES, change=st.booleans())
    def enrol(self, who: Any, name: str, roles: set[str], change: bool) -> None:
        wanted = order(
            name,
            *roles,
            uris=[f"spiffe://test/ward/{name}"],
            expected_version=self.version(name) if change else None,
        )
        self.attempt(self.office.registry.enrol(who, wanted, fresh()))

    @rule(who=ACTORS, name=NAMES)
    def proof(self, who: Any, name: str) -> None:
        self.attempt(self.office.registry.proof(who, name, self.version(name) or 1, "in_person", fresh()))

    @rule(who=ACTORS, name=NAMES)
    def issue(self, who: Any, name: str) -> None:
        expires = self.clock.moment + timedelta(days=1)
        self.attempt(self.office.registry.issue_key(who, name, expires, fresh()))

    @rule(who=ACTORS, name=NAMES, number=st.integers(0, 3))
    def revoke_key(self, who: Any, name: str, number: int) -> None:
        account = self.run(self.office.registry.find(TENANT, name))
        if account is not None and number < len(account.credentials):
            one = account.credentials[number].credential_id
            self.attempt(self.office.registry.revoke_key(who, name, one, "replaced", fresh()))

    @rule(who=ACTORS, name=NAMES)
    def revoke(self, who: Any, name: str) -> None:
        self.attempt(self.office.registry.revoke(who, name, "left", fresh()))

    @rule()
    def restart(self) -> None:
        self.run(self.office.present.close())
        self.run(self.office.ledger.close())
        self.office = self.run(self.start())

    @invariant()
    def nobody_came_in_on_the_word_of_one(self) -> None:
        index = {one.name: one for one in self.office.present.current().all}
        for name in ("amara", "bola"):
            account = self.run(self.office.registry.find(TENANT, name))
            entries = self.run(self.office.ledger.stream_entries(TENANT, user_stream(name)))
            actors = {entry.index: entry.actor for entry in entries}
            if account is None or account.state is not State.ACTIVE:
                assert name not in index
            if account is None:
                continue
            if account.in_force is not None:
                enrolled = account.in_force
                assert enrolled.proofed_by not in (None, enrolled.enrolled_by, name)
                assert enrolled.enrolled_by != name
                assert actors[enrolled.index] == f"human:{enrolled.enrolled_by}"
            known = index.get(name)
            counts = [one for one in account.credentials if one.proofed and not one.revoked]
            assert (known is not None) == (account.state is State.ACTIVE and bool(counts))
            if known is not None:
                assert account.in_force is not None
                assert set(known.roles) == set(account.in_force.terms.roles)
                assert len(known.service_keys) + len(known.certificate_uri) == len(counts)
            # Nothing follows a revocation.
            kinds = [entry.type for entry in entries]
            assert "user.revoked" not in kinds[:-1]
            # Who proofed a credential did not bind it.
            bound: dict[str, str] = {}
            for entry in entries:
                for one in entry.body["credentials"] if entry.type == "user.enrolled" else ():
                    bound[one["credential"]] = entry.actor
                if entry.type == "credential.issued":
                    bound[entry.body["credential"]] = entry.actor
                if entry.type == "user.proofed":
                    assert entry.actor not in {bound[one] for one in entry.body["credentials"]}

    def teardown(self) -> None:
        self.run(self.office.present.close())
        self.run(self.office.ledger.close())
        assert not_derived(LedgerConfig(Path(self.folder.name) / "ledger")) == []
        self.loop.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
