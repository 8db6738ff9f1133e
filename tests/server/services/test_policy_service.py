"""PolicyService over real TLS, and `attending policy activate`, `retire` and `log`: two people, bound to a hash."""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.guardrails.knowledge import load
from attending.guardrails.policy.load import PolicySet, content_hash
from attending.guardrails.pool import GuardStartError
from attending.server.activation.registry import Registry
from attending.server.activation.reload import Reloader
from attending.server.activation.serving import Generation, Serving
from attending.server.app import App, Component
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.practice.mark import Marks
from attending.server.services.ledger import build as build_ledger
from attending.server.services.policy import build as build_policy
from attending.server.shipped import package_policies
from attending.v1 import policy_pb2, policy_pb2_grpc

from tests.server.inference.conftest import FakeChecker

TENANT, NAME = "demo", "discharge-plan"
PACK = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("policies")
    shutil.copytree(package_policies() / NAME, root / NAME)
    return root


@pytest.fixture(scope="module")
def server(start_server: Any, folder: Path) -> Any:
    class First(Component):
        def __init__(self, app: App) -> None:
            self.app = app

        async def start(self) -> None:
            for tenant in self.app.tenants:
                await self.app.part(Registry).bootstrap(tenant, "srv-test", "embedded")

    async def registry(app: App) -> Component:
        policies = PolicySet.load(folder)
        serving = Serving(Generation(policies, FakeChecker(policies)))
        registry = Registry(app.ledger, policies, folder, None, lambda: PACK, app.now)

        async def cannot() -> Generation:
            raise GuardStartError("no process to be had")

        reloader = Reloader(serving, registry, app.tenants, lambda: registry.served, cannot)
        for part in (serving, registry, reloader, Marks(app.ledger)):
            app.add(part)
        return First(app)

    return start_server(components=[build_ledger, registry, build_policy])


def stub(server: Any, who: str) -> Any:
    return policy_pb2_grpc.PolicyServiceStub(server.channel(who))


def now_in(folder: Path) -> bytes:
    return bytes.fromhex(content_hash(folder / NAME).removeprefix("sha256:"))


def change(folder: Path) -> bytes:
    """Another version in the folder."""
    with (folder / NAME / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write(f"# {uuid.uuid4().hex}\n")
    return now_in(folder)


def named(kind: Any, wanted: bytes, policy: str = NAME) -> Any:
    return kind(idempotency_key=uuid.uuid4().hex, policy=policy, content_hash=wanted)


def refused(call: Any, message: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        call(message)
    return translate(caught.value)


ASK, APPROVE = policy_pb2.RequestActivationRequest, policy_pb2.ApproveActivationRequest


def test_two_people_put_a_version_in_force_and_the_log_says_when(server: Any, folder: Path) -> None:
    operator, officer = stub(server, "demo-operator"), stub(server, "demo-safety-officer")
    before = now_in(folder)
    wanted = change(folder)
    asked = operator.RequestActivation(named(ASK, wanted))
    assert (asked.standing.active, asked.standing.requested) == (before, wanted)
    assert asked.standing.requested_by == "human:demo-operator"
    between = datetime.now(UTC)
    done = officer.ApproveActivation(named(APPROVE, wanted))
    assert (done.standing.active, done.standing.requested, done.standing.loaded) == (wanted, b"", before)
    listed = officer.ListActivations(policy_pb2.ListActivationsRequest(policy=NAME))
    assert [event.event for event in listed.events] == [2, 1, 2]
    assert [event.by for event in listed.events] == ["bootstrap", "request", "human:demo-operator"]
    then = policy_pb2.ListActivationsRequest(policy=NAME)
    then.at.FromDatetime(between)
    [standing] = officer.ListActivations(then).standings
    assert (standing.active, standing.requested) == (before, wanted)
    everything = officer.ListActivations(policy_pb2.ListActivationsRequest())
    assert [one.policy for one in everything.standings] == [NAME, ""]
    assert everything.standings[1].active == bytes.fromhex("a" * 64)


@pytest.mark.parametrize("who", ["dr-rivera", "demo-operator", "demo-app", "demo-pharmacist"])
def test_nobody_but_a_safety_officer_approves_or_retires(server: Any, folder: Path, who: str) -> None:
    approve = named(APPROVE, now_in(folder))
    assert refused(stub(server, who).ApproveActivation, approve).reason == "PERMISSION_DENIED"
    retire = policy_pb2.RetirePolicyRequest(idempotency_key="k", policy=NAME)
    assert refused(stub(server, who).RetirePolicy, retire).reason == "PERMISSION_DENIED"


def test_what_is_wrong_with_a_request_is_named(server: Any, folder: Path) -> None:
    officer = stub(server, "demo-safety-officer")
    wrong = refused(officer.RequestActivation, ASK(policy="../up", content_hash=b"x"))
    assert wrong.reason == "INVALID_REQUEST"
    assert [field for field, _ in wrong.field_violations] == ["idempotency_key", "policy", "content_hash"]
    assert refused(officer.RequestActivation, named(ASK, b"x" * 32)).reason == "VERSION_NOT_IN_FOLDER"
    assert refused(officer.RequestActivation, named(ASK, b"x" * 32, "no-such")).reason == "UNKNOWN_POLICY"
    assert refused(officer.ApproveActivation, named(APPROVE, b"x" * 32)).reason == "NOT_REQUESTED"
    unknown = policy_pb2.ListActivationsRequest(policy="no-such")
    assert refused(officer.ListActivations, unknown).reason == "UNKNOWN_POLICY"


def test_the_commands_ask_approve_and_retire(
    server: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATTENDING_DATA", str(server.embedded.folder))
    wanted = change(folder)
    activate = ["policy", "activate", NAME, "--policies", str(folder)]
    assert run([*activate, "--as", "demo-pharmacist"]) == Exit.HELD
    # The same person again approves nothing.
    assert run([*activate, "--as", "demo-pharmacist"]) == Exit.HELD
    assert run([*activate, "--as", "demo-safety-officer"]) == Exit.OK
    assert f"in force: {NAME}, {wanted.hex()[:16]}" in capsys.readouterr().out
    # What the server has besides: the package's own knowledge.
    assert run(["policy", "activate", "--all", "--as", "demo-operator"]) == Exit.HELD
    assert run(["policy", "activate", "--knowledge", str(load.DEFAULT)]) == Exit.OK
    said = capsys.readouterr().out
    assert "in force: the drug knowledge" in said
    # Nothing was ever released here, so there is nothing to recall.
    assert "0 outputs of 90d judged under this pack: 0" in said
    capsys.readouterr()
    assert run(["policy", "log", NAME, "--json"]) == Exit.OK
    [standing] = json.loads(capsys.readouterr().out)["standings"]
    assert standing["policy"] == NAME
    assert base64.b64decode(standing["active"]) == wanted
    assert run(["policy", "activate", NAME, "--all"]) == Exit.USAGE
    assert run(["policy", "log", "--at", "yesterday"]) == Exit.USAGE
    assert run(["policy", "log", "--at", "2020-01-01"]) == Exit.OK
    assert "none" in capsys.readouterr().out
    assert run(["policy", "retire", NAME]) == Exit.OK
    assert run(["policy", "retire", "no-such"]) == Exit.FAILED


def test_a_new_policy_is_asked_for_before_any_server_has_it_loaded(
    server: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDING_DATA", str(server.embedded.folder))
    shutil.copytree(package_policies() / "administrative-letter", folder / "administrative-letter")
    activate = ["policy", "activate", "administrative-letter", "--policies", str(folder)]
    assert run([*activate, "--as", "demo-pharmacist"]) == Exit.HELD
    assert run([*activate, "--as", "demo-safety-officer"]) == Exit.OK
    named = policy_pb2.ListActivationsRequest(policy="administrative-letter")
    [standing] = stub(server, "demo-safety-officer").ListActivations(named).standings
    assert (standing.active, standing.loaded) == (standing.in_folder, b"")
