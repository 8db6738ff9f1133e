"""A version that people put in force while the server runs is loaded; what serves others is never taken away."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.pool import GuardStartError
from attending.ledger.entry import Entry
from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.activation.registry import Registry, Served
from attending.server.activation.reload import Reloader
from attending.server.activation.serving import Generation, Serving
from attending.server.app import resolve
from attending.server.auth.principal import Principal
from attending.server.halt.switch import Switch
from attending.server.inference.call import Caller
from attending.server.inference.states import State
from attending.server.inference.watch import Changes
from attending.server.shipped import package_policies
from attending.v1 import policy_pb2, policy_pb2_grpc

from tests.server.activation.test_registry import NAME, once, refused
from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    Clock,
    FakeChecker,
    ScriptedProvider,
    infer_call,
    key,
    make_pipeline,
)

PACK = "sha256:" + "0" * 64
OTHER = "other"


def hex_of(policies: PolicySet) -> dict[str, str]:
    return {name: policy.hash.removeprefix("sha256:") for name, policy in policies.items()}


@dataclass
class Process:
    """One server process over the site's folder and ledger, as `inference.component` puts it together."""

    folder: Path
    ledger: Ledger
    clock: Clock
    tenants: tuple[str, ...] = (TENANT,)
    cannot_start: bool = False
    held: asyncio.Event = field(default_factory=asyncio.Event)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.held.set()
        policies = PolicySet.load(self.folder)
        self.first = FakeChecker(policies)
        self.serving = Serving(Generation(policies, self.first))
        self.registry = Registry(
            self.ledger, self.serving.policies, self.folder, None, lambda: PACK, self.clock
        )
        self.reloader = Reloader(
            self.serving, self.registry, self.tenants, self.offered, self.load, lambda: self.seconds
        )
        self.registry.loading = self.reloader.loading
        self.provider = ScriptedProvider()
        switch = Switch(self.ledger, self.clock, self.registry)
        self.pipeline, _prompts = make_pipeline(
            self.ledger,
            self.first,
            self.provider,
            policies,
            Changes(),
            self.clock,
            switch=switch,
            serving=self.serving,
        )

    def offered(self) -> Served:
        return Served(hex_of(PolicySet.load(self.folder)), PACK.removeprefix("sha256:"))

    async def load(self) -> Generation:
        await self.held.wait()
        if self.cannot_start:
            raise GuardStartError("no process to be had")
        policies = PolicySet.load(self.folder)
        return Generation(policies, FakeChecker(policies))

    def change(self) -> str:
        """Another version in the folder; its hash in hex."""
        with (self.folder / NAME / "policy.yaml").open("a", encoding="utf-8") as file:
            file.write("\n# changed\n")
        return hex_of(PolicySet.load(self.folder))[NAME]

    async def put_in_force(self, wanted: str, tenant: str = TENANT, name: str = NAME) -> None:
        """As two people do it, by a process that does not tell this one."""
        asks, approves = (
            Principal(who, tenant, "human", frozenset(("safety_officer",)), who, "token")
            for who in ("saida", "sef")
        )
        other = Registry(self.ledger, self.serving.policies, self.folder, None, lambda: PACK, self.clock)
        await other.request(asks, name, wanted, once(f"ask {tenant} {wanted}"))
        await other.approve(approves, name, wanted, once(f"yes {tenant} {wanted}"))

    async def loaded(self) -> None:
        """Returns when the load that runs has ended."""
        assert self.reloader._loading is not None
        await self.reloader._loading


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    folder = tmp_path / "policies"
    shutil.copytree(package_policies() / NAME, folder / NAME)
    clock = Clock()
    ledger = await Ledger.open(tmp_path / "ledger", metadata=[projections.metadata], clock=clock)
    for tenant in (TENANT, OTHER):
        await ledger.create_log(tenant, f"test.example/{tenant}")
    made = Process(folder, ledger, clock)
    await made.registry.bootstrap(TENANT, "srv", "amara")
    yield made
    await made.pipeline.drain()
    await made.reloader.close()
    await made.serving.close()
    await ledger.close()


async def test_the_next_call_after_an_activation_waits_for_the_version_and_has_it(process: Process) -> None:
    wanted = process.change()
    await process.put_in_force(wanted)
    assert await refused(process.pipeline.infer(CALLER, infer_call(), key("one"))) == "VERSION_LOADING"
    await process.loaded()
    # The same key will do: nothing was stored.
    outcome = await process.pipeline.infer(CALLER, infer_call(), key("one"))
    assert (outcome.state, outcome.policy_hash) == (State.RELEASED, f"sha256:{wanted}")
    assert (process.first.closed, len(process.provider.seen)) == (True, 1)


async def test_a_call_that_began_before_ends_under_what_it_began_with(process: Process) -> None:
    before = process.registry.served.policies[NAME]
    process.provider.may_answer.clear()
    running = asyncio.create_task(process.pipeline.infer(CALLER, infer_call(), key("one")))
    while not process.provider.seen:
        await asyncio.sleep(0.01)
    await process.put_in_force(process.change())
    await process.reloader.look()
    await process.loaded()
    assert not process.first.closed
    process.provider.may_answer.set()
    assert (await running).policy_hash == f"sha256:{before}"
    await asyncio.sleep(0)
    assert (process.first.closed, process.first.outputs) == (True, [process.provider.text])


async def test_a_tenant_that_did_not_move_keeps_its_version(process: Process) -> None:
    both = Process(process.folder, process.ledger, process.clock, (TENANT, OTHER))
    await both.registry.bootstrap(OTHER, "srv", "amara")
    other = Caller(OTHER, "app")
    wanted = both.change()
    await both.put_in_force(wanted)
    assert await refused(both.pipeline.infer(CALLER, infer_call(), key("one"))) == "POLICY_NOT_ACTIVATED"
    assert (await both.pipeline.infer(other, infer_call(), key("two"))).state is State.RELEASED
    await both.put_in_force(wanted, OTHER)
    assert await refused(both.pipeline.infer(other, infer_call(), key("three"))) == "POLICY_NOT_ACTIVATED"
    both.seconds += 60
    assert await refused(both.pipeline.infer(other, infer_call(), key("three"))) == "VERSION_LOADING"
    await both.loaded()
    for caller in (CALLER, other):
        outcome = await both.pipeline.infer(caller, infer_call(), key("four"))
        assert outcome.policy_hash == f"sha256:{wanted}"
    await both.serving.close()


async def test_a_version_that_does_not_come_up_takes_nothing_away(process: Process) -> None:
    process.cannot_start = True
    before = process.serving.now
    await process.put_in_force(process.change())
    assert await refused(process.pipeline.infer(CALLER, infer_call(), key("one"))) == "VERSION_LOADING"
    await process.loaded()
    assert process.serving.now is before
    assert await refused(process.pipeline.infer(CALLER, infer_call(), key("one"))) == "POLICY_NOT_ACTIVATED"
    process.cannot_start, process.seconds = False, 60
    assert await refused(process.pipeline.infer(CALLER, infer_call(), key("one"))) == "VERSION_LOADING"
    await process.loaded()
    assert (await process.pipeline.infer(CALLER, infer_call(), key("one"))).state is State.RELEASED


async def test_a_store_that_fails_after_the_change_of_versions_breaks_nothing(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = process.change()
    await process.put_in_force(wanted)
    process.held.clear()
    await process.reloader.look()

    async def unreadable(*_arguments: object) -> list[Entry]:
        raise StoreUnavailable()

    with monkeypatch.context() as patch:
        patch.setattr(process.ledger, "whole_stream", unreadable)
        process.held.set()
        await process.loaded()
    outcome = await process.pipeline.infer(CALLER, infer_call(), key("one"))
    assert outcome.policy_hash == f"sha256:{wanted}"


async def test_a_load_that_ends_in_a_fault_of_our_own_does_not_keep_the_server_from_closing(
    process: Process,
) -> None:
    async def broken() -> Generation:
        raise RuntimeError("a defect")

    before = process.serving.now
    reloader = Reloader(process.serving, process.registry, (TENANT,), process.offered, broken)
    await process.put_in_force(process.change())
    assert await reloader.loading()
    await asyncio.sleep(0)
    await reloader.close()
    assert (reloader.running, process.serving.now) == (False, before)


async def test_what_lies_in_the_folder_is_not_loaded_unless_it_is_what_was_put_in_force(
    process: Process,
) -> None:
    await process.put_in_force(process.change())
    process.change()
    assert await refused(process.pipeline.infer(CALLER, infer_call(), key("one"))) == "POLICY_NOT_ACTIVATED"
    (process.folder / NAME / "policy.yaml").write_text("name: [", encoding="utf-8")
    process.seconds = 60
    assert await refused(process.pipeline.infer(CALLER, infer_call(), key("one"))) == "POLICY_NOT_ACTIVATED"


async def test_a_policy_that_is_new_is_loaded_once_it_is_in_force(process: Process) -> None:
    new = "discharge-plan"
    call = infer_call(policy=new)
    assert await refused(process.pipeline.infer(CALLER, call, key("one"))) == "INVALID_REQUEST"
    shutil.copytree(package_policies() / new, process.folder / new)
    assert await refused(process.pipeline.infer(CALLER, call, key("one"))) == "INVALID_REQUEST"
    await process.put_in_force(hex_of(PolicySet.load(process.folder))[new], name=new)
    assert await refused(process.pipeline.infer(CALLER, call, key("one"))) == "VERSION_LOADING"
    await process.loaded()
    assert new in process.serving.policies


def test_a_real_server_with_its_check_processes_takes_a_version_up(start_server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(package_policies() / NAME, folder / NAME)
    server = start_server(
        components=resolve(
            [
                "attending.server.inference.component:build",
                "attending.server.review.component:build",
                "attending.server.services.policy:build",
            ]
        ),
        overrides={"policies": {"folder": str(folder)}, "guard": {"workers": 1}},
    )
    serving = server.app.part(Serving)
    before = serving.now.guard.health().pids
    with (folder / NAME / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    wanted = bytes.fromhex(hex_of(PolicySet.load(folder))[NAME])
    named: dict[str, Any] = {"policy": NAME, "content_hash": wanted}
    asks, approves = (
        policy_pb2_grpc.PolicyServiceStub(server.channel(who))
        for who in ("demo-operator", "demo-safety-officer")
    )
    asks.RequestActivation(policy_pb2.RequestActivationRequest(idempotency_key="ask", **named))
    done = approves.ApproveActivation(policy_pb2.ApproveActivationRequest(idempotency_key="yes", **named))
    assert done.standing.loading
    ask = policy_pb2.ListActivationsRequest(policy=NAME)
    while (standing := approves.ListActivations(ask).standings[0]).loading:
        time.sleep(0.05)
    assert (standing.loaded, standing.loading) == (wanted, False)
    assert serving.now.guard.ready()
    # The processes of the old version are gone: nobody used them.
    assert not set(before) & set(serving.now.guard.health().pids)
    assert not any(Path(f"/proc/{pid}").exists() for pid in before)
