"""kill -9 while released texts are judged again under another drug knowledge, and while a version is tried over them.

On SQLite, where the server is started again, and on PostgreSQL, where another process goes on.

Each text that would not be released is proposed once, whoever was killed when; a trial leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Client, PolicyClient, RecallClient, ReviewClient
from attending.client.errors import translate
from attending.guardrails.knowledge.load import DEFAULT
from attending.ledger.note import VerifierKey
from attending.ledger.store import postgres_admin
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server import projections
from attending.server.cli.download import download
from attending.server.config import load_config
from attending.server.database import ledger_config
from attending.server.simulation.desk import PREFIX
from attending.v1 import ledger_pb2, recall_pb2, report_pb2, simulation_pb2, simulation_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from tests.derived import not_derived
from tests.e2e.another_pack import another_pack
from tests.e2e.calls import TIMEOUT
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.conftest import REPLAYED
from tests.e2e.server_process import ended
from tests.e2e.test_review_flow import accept_all
from tests.postgres_cluster import Cluster

pytestmark = [pytest.mark.kill, pytest.mark.xdist_group("rejudging"), pytest.mark.timeout(420)]

TEXTS = 32
TEXT = "Current medications: lisinopril 10 mg daily, cetirizine 10 mg daily. Letter {}."
POLICY = "administrative-letter"
LEASE_SECONDS = 2.0
SECONDS = 120.0


@dataclass
class Hospital:
    """One server, or two on one database; `servers[0]` is the one that is asked."""

    servers: list[ConfiguredServer]

    @property
    def folder(self) -> Path:
        return self.servers[0].folder

    def log(self) -> list[dict[str, Any]]:
        found, token = [], ""
        with Client(self.servers[0].connection("north", "auditor")) as auditor:
            while True:
                page = auditor.ledger.ListEntries(
                    ledger_pb2.ListEntriesRequest(page_size=1000, page_token=token), timeout=TIMEOUT
                )
                found += [json.loads(entry.data) for entry in page.entries]
                token = page.next_page_token
                if not token:
                    return found

    def proposed(self) -> list[dict[str, Any]]:
        return [entry for entry in self.log() if entry["type"] == "recall.proposed"]

    def worklist(self) -> recall_pb2.ListCandidatesResponse:
        with RecallClient(self.servers[0].connection("north", "clinician")) as client:
            return client.worklist()

    def kill(self, server: ConfiguredServer) -> None:
        """kill -9 of the server alone: its check processes end by themselves."""
        check_processes = server.check_processes()
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.running)
        until(lambda: not any(alive(pid) for pid in check_processes))

    def owner_of(self, server: ConfiguredServer) -> str:
        """The name under which a process writes, by an inference that it begins."""
        with Client(server.connection("north", "app")) as app:
            inference = record(app, "Your visit is on Tuesday.").inference_id
        [asked] = [one for one in self.log() if one["stream"] == inference and "owner" in one["body"]]
        return str(asked["body"]["owner"])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
    return found


def record(app: Client, text: str) -> Any:
    tags = {"team": "rejudging", "feature": "letter"}
    return app.record(POLICY, "Write a letter.", text, provider="own", model="own-1", tags=tags)


def configure(server: ConfiguredServer) -> None:
    server.prepare()
    shutil.copytree(DEFAULT, server.folder / "knowledge")
    with (server.folder / "attending.toml").open("a") as file:
        file.write('\n[knowledge]\nfolder = "knowledge"\n')


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """With texts that a clinician signed, all of which name two drugs."""
    folder = tmp_path_factory.mktemp("rejudging") / "hospital"
    with ExitStack() as stack:
        if request.param == "sqlite":
            servers = [ConfiguredServer(folder, REPLAYED, "http://127.0.0.1:9")]
            configure(servers[0])
        else:
            cluster = Cluster()
            stack.callback(cluster.destroy)
            cluster.start()
            cluster.execute("CREATE ROLE app LOGIN", "CREATE DATABASE attending")
            postgres_admin.prepare(cluster.conninfo("attending"), [projections.metadata], grant_to=["app"])
            database = f'database = "{cluster.conninfo("attending", "app")}"'
            first = ConfiguredServer(
                folder,
                REPLAYED,
                "http://127.0.0.1:9",
                storage=(database, f"owner_lease_seconds = {LEASE_SECONDS}"),
                process="a",
            )
            configure(first)
            servers = [first, first.twin("b")]
        stack.enter_context(ended(*servers))
        for server in servers:
            server.start()
        made = Hospital(servers)
        with (
            Client(servers[0].connection("north", "app")) as app,
            ReviewClient(servers[0].connection("north", "clinician")) as clinician,
        ):
            key = servers[0].keys["north-clinician"]
            for number in range(TEXTS):
                ticket = record(app, TEXT.format(number)).ticket.ticket_id
                lease = clinician.claim(ticket).lease_id
                accept_all(clinician, ticket, lease)
                signed = clinician.sign(ticket, lease, clinician.prepare(ticket, lease, key), key)
                assert signed.item.state == "released"
        yield made
        for server in servers:
            assert server.stop() == 0
        assert not_derived(ledger_config(load_config(folder / "attending.toml"))) == []


def test_a_killed_run_is_begun_again_and_proposes_each_once(hospital: Hospital, tmp_path: Path) -> None:
    wanted = another_pack(hospital.folder / "knowledge")
    with PolicyClient(hospital.servers[0].connection("north", "pharmacist")) as client:
        client.request("", wanted)
    owners = {hospital.owner_of(server): server for server in hospital.servers}
    with PolicyClient(hospital.servers[0].connection("north", "safety_officer")) as client:
        client.approve("", wanted)
    # 1. As soon as the first is proposed, whoever proposes them is killed.
    first = until(hospital.proposed)[0]
    killed = owners[str(first["actor"]).removeprefix("system:")]
    hospital.kill(killed)
    if killed is hospital.servers[0] and len(hospital.servers) == 2:
        # The other one is asked from here on, and goes on by itself.
        hospital.servers.reverse()
    elif len(hospital.servers) == 1:
        killed.start()
    before = hospital.proposed()
    until(lambda: (page := hospital.worklist()).HasField("last") and not page.running)
    proposed = hospital.proposed()
    assert before
    assert len({str(one["actor"]) for one in proposed}) == 2, "the first run was through before it was killed"
    assert set(Counter(str(one["stream"]) for one in proposed).values()) == {1}
    assert len(proposed) == TEXTS
    assert {one["body"]["knowledge_hash"] for one in proposed} == {wanted.hex()}
    assert {(one["body"]["released_by"], one["body"]["now"]) for one in proposed} == {("signature", "block")}
    [end] = [one for one in hospital.log() if one["type"] == "knowledge.rejudged"]
    assert (end["body"]["judged"], end["body"]["skipped"]) == (end["body"]["proposed"] + len(owners), {})
    if not killed.running:
        killed.start()
    # 2. What people made of it outlives a kill, and nothing is proposed again.
    streams = [str(one["stream"]) for one in proposed]
    with RecallClient(hospital.servers[0].connection("north", "clinician")) as client:
        client.withdraw(streams[0], recall_pb2.RECALL_REASON_UNSAFE)
        client.dismiss(streams[1], recall_pb2.NO_RECALL_REASON_SUPERSEDED)
    hospital.kill(hospital.servers[0])
    hospital.servers[0].start()
    page = hospital.worklist()
    assert (page.open, page.recalled, page.dismissed, page.running) == (TEXTS - 2, 1, 1, False)
    assert len(hospital.proposed()) == TEXTS
    # 3. The whole log verifies offline.
    bundle = tmp_path / "all.attending"
    with Client(hospital.servers[0].connection("north", "auditor")) as auditor:
        download(auditor, report_pb2.ExportRequest(idempotency_key="rejudged", purpose="audit"), bundle)
    key = VerifierKey.parse(hospital.servers[0].where["log_keys"]["north"])
    report = verify_bundle(bundle, Anchors(keys=(key,)))
    assert report.verdict == "passed", [one for one in report.results if one.status != "passed"]


def test_a_killed_trial_leaves_nothing(hospital: Hospital) -> None:
    def begin() -> simulation_pb2.StartSimulationResponse:
        since, end = Timestamp(), Timestamp()
        since.FromDatetime(datetime.now(UTC) - timedelta(days=1))
        end.FromDatetime(datetime.now(UTC) + timedelta(minutes=1))
        draft = (hospital.folder / "policies" / POLICY / "policy.yaml").read_text()
        row = "  - {code: not_covered, decision: block, because: tried}\n"
        assert draft.count("\nverdicts:\n") == 1
        return trials.StartSimulation(
            simulation_pb2.StartSimulationRequest(
                policy=POLICY,
                policy_yaml=draft.replace("\nverdicts:\n", f"\nverdicts:\n{row}"),
                since=since,
                until=end,
            ),
            timeout=TIMEOUT,
        )

    def newest() -> simulation_pb2.Simulation:
        try:
            return trials.GetSimulation(simulation_pb2.GetSimulationRequest(), timeout=TIMEOUT).simulation
        except grpc.RpcError as err:
            # On a machine that has no time left, who may what is not known for a moment: asked again.
            if translate(err).code is not grpc.StatusCode.UNAVAILABLE:
                raise
            return simulation_pb2.Simulation()

    server = hospital.servers[0]
    size = len(hospital.log())
    with Client(server.connection("north", "safety_officer")) as officer:
        trials = simulation_pb2_grpc.SimulationServiceStub(officer._channel)
        while True:
            assert not begin().problems
            until(lambda: newest().seen)
            # On a busy machine a trial may have ended by now: stopped, the server shows what the kill meets.
            os.killpg(server.pid, signal.SIGSTOP)
            if drafts(server):
                break
            os.killpg(server.pid, signal.SIGCONT)
        hospital.kill(server)
    assert drafts(server), "a kill leaves the draft until the next start"
    dead = server.pid
    server.start()
    assert not list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{dead}-*"))
    assert len(hospital.log()) == size, "a trial is no entry"
    with Client(server.connection("north", "safety_officer")) as officer:
        trials = simulation_pb2_grpc.SimulationServiceStub(officer._channel)
        assert not newest().simulation_id
        assert not begin().problems
        until(lambda: newest().state == simulation_pb2.SIMULATION_STATE_DONE)
        done = newest()
    assert done.outputs >= TEXTS
    assert not drafts(server)
    assert len(hospital.log()) == size


def drafts(server: ConfiguredServer) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{server.pid}-*"))
