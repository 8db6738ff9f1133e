"""kill -9 while people are enrolled, proofed, given keys and revoked, and while emergency access begins and ends.

What was acknowledged is there after it, nothing is there by half, and a retry of the same key does nothing twice.
More rounds: ATTENDING_PEOPLE_KILLS=100.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Client
from attending.client.calls import TIMEOUT_SECONDS
from attending.client.connection import Connection
from attending.client.errors import translate
from attending.ledger.ledger import Ledger
from attending.ledger.reads import MAX_LIST
from attending.server import projections
from attending.server.bootstrap.folder import ledger_of
from attending.server.bootstrap.identities import TENANT, certificate_uri
from attending.server.emergency.desk import emergency_stream
from attending.server.emergency.open import OpenAccesses
from attending.server.people.account import CredentialKind
from attending.server.people.registry import credential_stream, user_stream
from attending.v1 import emergency_pb2, emergency_pb2_grpc, identity_pb2, identity_pb2_grpc, ledger_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.derived import not_derived
from tests.e2e.people_process import PeopleProcess
from tests.e2e.server_process import ended
from tests.server.inference.conftest import failed_checks
from tests.server.people.conftest import person

pytestmark = [pytest.mark.kill, pytest.mark.timeout(420)]

ROUNDS = int(os.environ.get("ATTENDING_PEOPLE_KILLS", "2"))
STEPS_A_ROUND = (2, 16)
ENROLLERS = 3
CLINICIANS = ("dr-rivera", "dr-chen")
MINUTES = 5
OPERATOR, OFFICER, REVIEWER = "demo-operator", "demo-safety-officer", "demo-privacy-officer"
PATHS = (
    ("EnrolUser", "ProofUser", "RevokeUser"),
    ("EnrolUser", "IssueKey", "ProofUser", "RevokeKey"),
    ("EnrolUser", "IssueKey", "ProofUser"),
)
BY_OFFICER = {"ProofUser", "RevokeUser"}
TYPES = {
    "EnrolUser": "user.enrolled",
    "IssueKey": "credential.issued",
    "ProofUser": "user.proofed",
    "RevokeUser": "user.revoked",
    "RevokeKey": "credential.revoked",
    "BeginEmergencyAccess": "break_glass.used",
    "EndEmergencyAccess": "break_glass.ended",
    "ReviewEmergencyAccess": "break_glass.reviewed",
}


@dataclass
class Step:
    """One change that somebody asked for: `answer` as it was acknowledged, None while nobody knows."""

    who: str
    method: str
    request: Any
    answer: Any = None

    @property
    def entries(self) -> list[bytes]:
        """The entries of its receipts."""
        found = self.answer.receipts if "receipts" in _fields(self.answer) else [self.answer.receipt]
        return [receipt.entry for receipt in found]


def _fields(message: Any) -> set[str]:
    return {one.name for one in message.DESCRIPTOR.fields}


@dataclass
class World:
    """The steps by stream, in the order in which they were asked for."""

    server: PeopleProcess
    steps: defaultdict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    tokens: dict[str, str] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=lambda: {n: n for n in range(ENROLLERS)})
    acknowledged: int = 0

    def __post_init__(self) -> None:
        self.expires = Timestamp()
        self.expires.FromDatetime(datetime.now(UTC) + timedelta(days=30))
        self.channels: dict[str, grpc.Channel] = {}

    def connect(self) -> None:
        people = (OPERATOR, OFFICER, REVIEWER, *CLINICIANS)
        self.channels = {name: self.server.connection(name).channel() for name in people}

    def disconnect(self) -> None:
        for channel in self.channels.values():
            channel.close()

    def send(self, step: Step) -> Any:
        """The answer of a step, sent once more or for the first time; raises RpcError."""
        channel = self.channels[step.who]
        stub: Any = (
            emergency_pb2_grpc.EmergencyServiceStub(channel)
            if "Emergency" in step.method
            else identity_pb2_grpc.IdentityServiceStub(channel)
        )
        return getattr(stub, step.method)(step.request, timeout=TIMEOUT_SECONDS)

    def do(self, stream: str, who: str, method: str, /, **more: Any) -> Any:
        """A new step of a stream; when it raises, nobody knows what became of it."""
        messages = emergency_pb2 if "Emergency" in method else identity_pb2
        key = f"{stream}-{len(self.steps[stream])}"
        step = Step(who, method, getattr(messages, f"{method}Request")(idempotency_key=key, **more))
        self.steps[stream].append(step)
        step.answer = self.send(step)
        self.acknowledged += stream.startswith("user:")
        return step.answer

    # -- load: each ends with the first call that is cut short

    def enrol(self, worker: int) -> None:
        """One identity after the other; the first of its kinds has no key, which argon2 takes its time for."""
        while True:
            self.enrol_one(worker)
            self.numbers[worker] += 1

    def enrol_one(self, worker: int) -> None:
        """The worker's present identity, from wherever it stands to its end."""
        number = self.numbers[worker]
        name = f"portal-{worker}-{number}"
        path = PATHS[number % len(PATHS)]
        while (at := len(self.steps[user_stream(name)])) < len(path):
            self._next(name, path[at])

    def _next(self, name: str, method: str) -> None:
        stream, more = user_stream(name), dict[str, Any](name=name)
        steps = self.steps[stream]
        if method == "EnrolUser":
            more |= {"kind": identity_pb2.USER_KIND_APPLICATION, "roles": ["app"]}
            more["certificate_uris"] = [certificate_uri(name)]
        elif method == "IssueKey":
            more["expires"] = self.expires
        elif method == "ProofUser":
            more["expected_version"] = steps[-1].answer.user.version
            more["method"] = identity_pb2.PROOF_METHOD_SYSTEM_OWNER
        else:
            more["reason"] = identity_pb2.REVOCATION_REASON_REPLACED
            if method == "RevokeKey":
                more["credential_id"] = steps[1].answer.credential_id
        answer = self.do(stream, OFFICER if method in BY_OFFICER else OPERATOR, method, **more)
        if method == "IssueKey":
            self.tokens[name] = answer.token

    def emergency(self, clinician: str) -> None:
        stream = emergency_stream(clinician)
        while True:
            last = self.steps[stream][-1] if self.steps[stream] else None
            if last is None or last.method == "ReviewEmergencyAccess":
                self.do(
                    stream,
                    clinician,
                    "BeginEmergencyAccess",
                    reason=emergency_pb2.EMERGENCY_REASON_PATIENT_IN_DANGER,
                    minutes=MINUTES,
                )
            elif last.method == "BeginEmergencyAccess":
                access = last.answer.access.access_id
                self.do(stream, clinician, "EndEmergencyAccess", access_id=access)
            else:
                access = last.answer.access.access_id
                outcome = emergency_pb2.EMERGENCY_OUTCOME_JUSTIFIED
                self.do(stream, REVIEWER, "ReviewEmergencyAccess", access_id=access, outcome=outcome)

    def load(self) -> list[threading.Thread]:
        def until_cut(work: Any, *arguments: Any) -> None:
            with pytest.raises(grpc.RpcError) as caught:
                work(*arguments)
            reasons.append(translate(caught.value).reason)

        reasons: list[str] = []
        self.reasons = reasons
        work = [(self.enrol, number) for number in range(ENROLLERS)]
        threads = [threading.Thread(target=until_cut, args=one, daemon=True) for one in work]
        threads += [threading.Thread(target=until_cut, args=(self.emergency, who)) for who in CLINICIANS]
        for thread in threads:
            thread.start()
        return threads


def test_kill_nine_while_people_change(tmp_path: Path, ends: ExitStack) -> None:
    server = PeopleProcess(tmp_path / "data")
    world = World(server)
    chance = random.Random(11)
    cut: set[str] = set()
    ends.enter_context(ended(server))
    server.start()
    for _round in range(ROUNDS):
        world.connect()
        threads = world.load()
        enough = world.acknowledged + chance.randint(*STEPS_A_ROUND)
        while world.acknowledged < enough:
            assert all(thread.is_alive() for thread in threads), world.reasons
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        server.kill()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert world.reasons == ["SERVER_UNREACHABLE"] * len(threads)
        world.disconnect()
        server.start()
        world.connect()
        for steps in world.steps.values():
            for step in steps:
                # 1. A retry of the same key: the same entries where it was acknowledged, done now where nobody knew.
                again = Step(step.who, step.method, step.request, world.send(step))
                if step.answer is None:
                    cut.add(step.method)
                    step.answer = again.answer
                else:
                    assert again.entries == step.entries
        _who_gets_in(world)
        _who_has_access(world)
        world.disconnect()
    world.connect()
    for worker in range(ENROLLERS):
        world.enrol_one(worker)
    world.disconnect()
    assert server.stop() == 0
    methods = {step.method for steps in world.steps.values() for step in steps}
    assert methods == set(TYPES), "the load did not get to everything"
    assert cut, "no call was cut short, so this run proves nothing"
    assert not_derived(ledger_of(server.folder)) == []
    asyncio.run(_prove(world))


def _who_gets_in(world: World) -> None:
    """2. A token opens from its proofing to its end, and only then, whatever was cut between."""
    endpoint = world.server.endpoint()
    for name, token in list(world.tokens.items())[-4:]:
        done = [step.method for step in world.steps[user_stream(name)]]
        allowed = "ProofUser" in done and not {"RevokeUser", "RevokeKey"} & set(done)
        connection = Connection(
            endpoint["token_target"], world.server.folder / endpoint["ca"], None, token=token
        )
        with Client(connection) as client:
            try:
                client.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=TIMEOUT_SECONDS)
                found = "OK"
            except grpc.RpcError as err:
                found = translate(err).reason
        assert found == ("OK" if allowed else "INVALID_CREDENTIAL"), done


def _who_has_access(world: World) -> None:
    """3. An emergency access that began and was not ended is open, and one that was ended is not."""
    for clinician in CLINICIANS:
        stub = emergency_pb2_grpc.EmergencyServiceStub(world.channels[clinician])
        request = emergency_pb2.ListEmergencyAccessRequest(state=emergency_pb2.EMERGENCY_STATE_OPEN)
        found = [one.access_id for one in stub.ListEmergencyAccess(request, timeout=TIMEOUT_SECONDS).accesses]
        steps = world.steps[emergency_stream(clinician)]
        last = steps[-1] if steps else None
        began = last is not None and last.method == "BeginEmergencyAccess"
        assert found == ([last.answer.access.access_id] if last is not None and began else [])


async def _prove(world: World) -> None:
    ahead = timedelta()
    ledger = await Ledger.open(
        ledger_of(world.server.folder),
        metadata=[projections.metadata],
        clock=lambda: datetime.now(UTC) + ahead,
    )
    try:
        # 4. Every step is there once, in order, and whole: a name goes together with the credential that it binds.
        for stream, steps in world.steps.items():
            entries = await ledger.stream_entries(TENANT, stream, 0, MAX_LIST)
            assert [entry.type for entry in entries] == [TYPES[step.method] for step in steps]
            if stream.startswith("user:"):
                uri = certificate_uri(stream.removeprefix("user:"))
                bound = await ledger.stream_entries(
                    TENANT, credential_stream(CredentialKind.CERTIFICATE_URI, uri)
                )
                assert [(one.type, one.index) for one in bound] == [
                    ("credential.bound", entries[0].index + 1)
                ]
        # 5. Access that nobody ended ends by itself.
        emergencies = OpenAccesses(lambda: datetime.now(UTC) + ahead)
        await emergencies.start(ledger, [TENANT])
        expected = {
            who: steps[-1].method == "BeginEmergencyAccess"
            for who in CLINICIANS
            if (steps := world.steps[emergency_stream(who)])
        }
        people = {who: person(who, "clinician", tenant=TENANT) for who in expected}
        assert {who: emergencies.mark(one).emergency is not None for who, one in people.items()} == expected
        ahead = timedelta(minutes=MINUTES)
        assert [emergencies.mark(one).emergency for one in people.values()] == [None] * len(people)
        await emergencies.close()
        # 6. The auditor's own checks.
        assert await failed_checks(ledger, TENANT) == []
    finally:
        await ledger.close()
