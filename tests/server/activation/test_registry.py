"""The registry of versions in force: two people, one first start, and what an inference may begin under."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet, load_policy
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.activation.registry import Registry
from attending.server.activation.standing import KNOWLEDGE
from attending.server.auth.principal import Principal
from attending.server.errors import AttendingError
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once
from attending.server.inference.states import State
from attending.server.inference.watch import Changes
from attending.server.shipped import package_policies

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    Clock,
    FakeChecker,
    ScriptedProvider,
    infer_call,
    key,
    make_pipeline,
    make_registry,
)

NAME = "administrative-letter"
PACK = "sha256:" + "0" * 64


def person(name: str, *roles: str, tenant: str = TENANT) -> Principal:
    return Principal(name, tenant, "human", frozenset(roles), name, "token")


OLGA, SAIDA, SEF = (
    person("olga", "operator"),
    person("saida", "safety_officer"),
    person("sef", "safety_officer"),
)


@dataclass
class Site:
    """A server's folder of policies and its ledger; `start` is a start of the server over both."""

    folder: Path
    data: Path
    clock: Clock
    ledger: Ledger

    def start(self, **more: Any) -> Registry:
        return make_registry(self.ledger, PolicySet.load(self.folder), self.clock, folder=self.folder, **more)

    async def crash(self) -> None:
        """Everything that was not committed is gone, and so is what the process knew."""
        await self.ledger.close()
        self.ledger = await Ledger.open(self.data, metadata=[projections.metadata], clock=self.clock)

    def change(self, text: str = "\n# changed\n") -> str:
        """Another version in the folder; its hash in hex."""
        file = self.folder / NAME / "policy.yaml"
        file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
        return self.hash()

    def hash(self) -> str:
        return PolicySet.load(self.folder)[NAME].hash.removeprefix("sha256:")

    async def types(self, stream: str) -> list[str]:
        return [entry.type for entry in await self.ledger.stream_entries(TENANT, stream)]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    folder = tmp_path / "policies"
    for name in (NAME, "discharge-plan"):
        shutil.copytree(package_policies() / name, folder / name)
    clock = Clock()
    ledger = await Ledger.open(tmp_path / "ledger", metadata=[projections.metadata], clock=clock)
    await ledger.create_log(TENANT, "test.example/clinic")
    made = Site(folder, tmp_path / "ledger", clock, ledger)
    yield made
    await made.ledger.close()


def once(word: str) -> Once:
    return key(word)


async def refused(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_the_first_start_puts_the_folder_in_force_once_and_says_who(site: Site) -> None:
    registry = site.start()
    twin = site.start()
    done = await asyncio.gather(
        registry.bootstrap(TENANT, "srv-a", "amara"), twin.bootstrap(TENANT, "srv-b", "amara")
    )
    assert sorted(done) == [False, True]
    assert await site.types("policies") == ["policy.version"]
    [first] = await site.ledger.stream_entries(TENANT, "policies")
    assert (first.body["by"], first.body["installed_by"]) == ("bootstrap", "amara")
    assert sorted(first.body["policies"]) == [NAME, "discharge-plan"]
    [activated] = await site.ledger.stream_entries(TENANT, f"policy:{NAME}")
    assert (activated.type, activated.body["by"]) == ("policy.activated", "bootstrap")
    assert activated.body["policy_hash"] == site.hash()
    assert await site.types("knowledge") == ["knowledge.activated"]
    assert await registry.pending(TENANT) == []


async def test_what_is_new_in_the_folder_later_is_not_in_force(site: Site) -> None:
    await site.start().bootstrap(TENANT, "srv", "amara")
    site.change()
    shutil.copytree(package_policies() / "patient-triage", site.folder / "patient-triage")
    later = site.start(knowledge_hash="sha256:" + "f" * 64)
    assert not await later.bootstrap(TENANT, "srv", "amara")
    assert await later.pending(TENANT) == [NAME, "patient-triage", KNOWLEDGE]
    assert await refused(later.require(TENANT, NAME, site.hash())) == "POLICY_NOT_ACTIVATED"
    plan = PolicySet.load(site.folder)["discharge-plan"].hash.removeprefix("sha256:")
    assert await refused(later.require(TENANT, "discharge-plan", plan)) == "KNOWLEDGE_NOT_ACTIVATED"


async def test_two_people_put_a_version_in_force_across_a_crash(site: Site) -> None:
    await site.start().bootstrap(TENANT, "srv", "amara")
    wanted = site.change()
    asked, index = await site.start().request(OLGA, NAME, wanted, once("ask"))
    assert (asked.requested, asked.active != wanted) == (wanted, True)
    await site.crash()
    registry = site.start()
    assert (await registry.standing(TENANT, NAME)).requested == wanted
    assert await refused(registry.require(TENANT, NAME, wanted)) == "POLICY_NOT_ACTIVATED"
    found, _index = await registry.approve(SAIDA, NAME, wanted, once("approve"))
    assert (found.active, found.requested) == (wanted, None)
    assert await registry.require(TENANT, NAME, wanted)
    await site.crash()
    entry = (await site.ledger.stream_entries(TENANT, f"policy:{NAME}"))[-1]
    assert (entry.type, entry.actor) == ("policy.activated", "human:saida")
    assert entry.body["by"] == "two_people"
    assert (entry.body["request"], entry.body["requested_by"]) == (index, "human:olga")
    assert entry.body["retention"] == {"payload_days": 2190, "starts": "policy_retired"}


async def test_the_second_person_is_another(site: Site) -> None:
    registry = site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    wanted = site.change()
    await registry.request(SAIDA, NAME, wanted, once("ask"))
    assert await refused(registry.approve(SAIDA, NAME, wanted, once("own"))) == "SECOND_PERSON_REQUIRED"
    assert (await registry.approve(SEF, NAME, wanted, once("other")))[0].active == wanted


async def test_only_what_was_asked_for_is_approved(site: Site) -> None:
    registry = site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    first = site.change()
    await registry.request(OLGA, NAME, first, once("ask"))
    second = site.change()
    assert await refused(registry.approve(SAIDA, NAME, second, once("a"))) == "NOT_REQUESTED"
    await registry.request(OLGA, NAME, second, once("again"))
    assert await refused(registry.approve(SAIDA, NAME, first, once("b"))) == "NOT_REQUESTED"
    assert await site.types(f"policy:{NAME}") == ["policy.activated", "policy.version", "policy.version"]


async def test_of_two_approvals_at_once_one_is_on_record(site: Site) -> None:
    registry, twin = site.start(), site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    wanted = site.change()
    await registry.request(OLGA, NAME, wanted, once("ask"))
    done = await asyncio.gather(
        registry.approve(SAIDA, NAME, wanted, once("a")),
        twin.approve(SEF, NAME, wanted, once("b")),
        return_exceptions=True,
    )
    lost = [one.reason for one in done if isinstance(one, AttendingError)]
    assert lost in ([], ["LOST_RACE"])
    assert await site.types(f"policy:{NAME}") == ["policy.activated", "policy.version", "policy.activated"]
    # The one who lost is told, and a repetition finds what the other did.
    found, index = await twin.approve(SEF, NAME, wanted, once("c"))
    assert found.activation is not None
    assert (found.active, index) == (wanted, found.activation.index)


async def test_a_repeated_call_is_answered_with_its_first_result(site: Site) -> None:
    registry = site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    wanted = site.change()
    first = [await registry.request(OLGA, NAME, wanted, once("ask")) for _ in range(2)]
    assert first[0][1] == first[1][1]
    second = [await registry.approve(SAIDA, NAME, wanted, once("yes")) for _ in range(2)]
    assert second[0][1] == second[1][1]
    third = [await registry.retire(SAIDA, NAME, once("end")) for _ in range(2)]
    assert third[0][1] == third[1][1]
    assert (await site.types(f"policy:{NAME}"))[1:] == [
        "policy.version",
        "policy.activated",
        "policy.retired",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: None, "VERSION_NOT_IN_FOLDER"),
        (shutil.rmtree, "UNKNOWN_POLICY"),
        (lambda f: (f / "README.md").write_text(""), "VERSION_NOT_IN_FOLDER"),
        (lambda f: (f / "policy.yaml").write_text("a: &a [*a]\n"), "POLICY_HAS_ERRORS"),
        (lambda f: (f / "policy.yaml").write_bytes(b"\xff" * 1_000_000), "POLICY_HAS_ERRORS"),
    ],
)
async def test_what_does_not_lie_there_whole_is_not_asked_for(
    site: Site, change: Callable[[Path], Any], reason: str
) -> None:
    registry = site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    change(site.folder / NAME)
    assert await refused(registry.request(OLGA, NAME, "a" * 64, once("ask"))) == reason
    assert await site.types(f"policy:{NAME}") == ["policy.activated"]


async def test_a_policy_with_a_contradiction_is_not_asked_for(site: Site) -> None:
    registry = site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    file = site.folder / NAME / "policy.yaml"
    row = "  - code: [duplicate]\n    severity: moderate\n    decision: {}\n    because: x\n"
    rows = "verdicts:\n" + row.format("block") + row.format("hold")
    file.write_text(file.read_text(encoding="utf-8").replace("verdicts:\n", rows), encoding="utf-8")
    assert await refused(registry.request(OLGA, NAME, site.hash(), once("ask"))) == "POLICY_HAS_ERRORS"


async def test_a_draft_is_not_asked_for(site: Site) -> None:
    registry = site.start()
    file = site.folder / NAME / "policy.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("status: active", "status: draft"), encoding="utf-8"
    )
    draft = load_policy(site.folder / NAME).policy.hash.removeprefix("sha256:")
    assert await refused(registry.request(OLGA, NAME, draft, once("ask"))) == "POLICY_HAS_ERRORS"


async def test_a_retired_policy_is_under_no_call_until_two_people_say_so(site: Site) -> None:
    registry = site.start()
    await registry.bootstrap(TENANT, "srv", "amara")
    serving = site.hash()
    assert await registry.require(TENANT, NAME, serving)
    await registry.retire(SAIDA, NAME, once("end"))
    assert await refused(registry.require(TENANT, NAME, serving)) == "POLICY_NOT_ACTIVATED"
    assert await refused(registry.retire(SAIDA, "no-such-policy", once("x"))) == "UNKNOWN_POLICY"
    await registry.request(OLGA, NAME, serving, once("ask"))
    await registry.approve(SAIDA, NAME, serving, once("yes"))
    assert await registry.require(TENANT, NAME, serving)


async def test_a_server_with_another_version_loaded_stops_at_its_next_call(site: Site) -> None:
    """Two servers; one learns of the activation only because its append is refused."""
    old = site.start()
    await old.bootstrap(TENANT, "srv", "amara")
    policies = PolicySet.load(site.folder)
    pipeline, _prompts = make_pipeline(
        site.ledger,
        FakeChecker(policies),
        provider := ScriptedProvider(),
        policies,
        Changes(),
        site.clock,
        switch=Switch(site.ledger, site.clock, old),
    )
    first = await pipeline.infer(CALLER, infer_call(), key("one"))
    assert first.state is State.RELEASED
    wanted = site.change()
    new = site.start()
    # A request alone changes nothing of what is served.
    await new.request(OLGA, NAME, wanted, once("ask"))
    assert (await pipeline.infer(CALLER, infer_call(), key("two"))).state is State.RELEASED
    # One that began before goes on under the version that it began with.
    provider.before = lambda: None
    provider.delay_seconds = 0.2
    open_call = asyncio.create_task(pipeline.infer(CALLER, infer_call(), key("three")))
    while len(provider.seen) < 3:
        await asyncio.sleep(0.01)
    await new.approve(SAIDA, NAME, wanted, once("yes"))
    third = await open_call
    assert (third.state, third.policy_hash.removeprefix("sha256:")) == (
        State.RELEASED,
        old.served.policies[NAME],
    )
    assert await refused(pipeline.infer(CALLER, infer_call(), key("four"))) == "POLICY_NOT_ACTIVATED"
    assert len(provider.seen) == 3
    # The same key will do once the server has the version.
    await pipeline.drain()
