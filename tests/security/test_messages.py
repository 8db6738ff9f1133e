"""Random and mutated messages to every rpc: each is answered, or refused with a reason, and the log verifies."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import attending.v1
import grpc
import pytest
from attending.server.auth.actions import ACTIONS
from attending.v1 import admin_pb2, inference_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.e2e.calls import infer_request, record_request
from tests.e2e.configured_server import ROLES, ConfiguredServer
from tests.security.test_frames import mutated

SECONDS = float(os.environ.get("SECURITY_SECONDS", "60"))
FILES = [
    importlib.import_module(f"attending.v1.{found.name}")
    for found in pkgutil.iter_modules(attending.v1.__path__)
    if found.name.endswith("_pb2")
]
REQUESTS: dict[str, Descriptor] = {
    f"/{service.full_name}/{method.name}": method.input_type
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
NOBODY_MAY = {"/attending.v1.AdminService/Halt"}
"""Asked for by a role that may not: a message that is right by chance would end the test for the others."""
NUMBERS = (0, 1, 2, 5, 127, 128, 1000, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1)
TEXTS = (
    *(
        "",
        "a",
        " ",
        "x" * 129,
        "x" * 70_000,
        "\x00",
        "\x1b[31m",
        "\r\nX: y",
        "\u202e",
        "\ufeff",
        "é",
        "\U0001d4b3" * 40,
    ),
    *("letter", "letter-slow", "dose", "replay", "administrative-letter", "patient-message", "production"),
    *(
        "inf_x",
        "tkt_x",
        "sub_" + "a" * 26,
        "../../etc/passwd",
        "' OR 1=1 --",
        "{{x}}",
        "%s%n",
        "$(id)",
        "1e999",
    ),
    *(
        '{"resourceType":"Patient"}',
        "[" * 3000,
        '{"sla_id":"a"}',
        "sla.recovered",
        "feedback.recorded",
        "2026-01-31",
    ),
)


def filled(chance: random.Random, kind: Descriptor, depth: int = 0) -> Message:
    """A message with some of its fields set to what is wrong, strange or right."""
    message = GetMessageClass(kind)()
    for field in kind.fields:
        if chance.random() < 0.45:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)[chance.choice(TEXTS[:20])] = chance.choice(TEXTS[:20])
        elif field.is_repeated:
            values = [one(chance, field, depth) for _ in range(chance.choice((1, 1, 2, 40)))]
            getattr(message, field.name).extend([value for value in values if value is not None])
        elif field.message_type is not None:
            if (inner := one(chance, field, depth)) is not None:
                getattr(message, field.name).CopyFrom(inner)
        else:
            setattr(message, field.name, one(chance, field, depth))
    return message


def one(chance: random.Random, field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        return filled(chance, field.message_type, depth + 1) if depth < 6 else None
    if field.type == FieldDescriptor.TYPE_STRING:
        return chance.choice(TEXTS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.choice((b"", b"x", b'{"sla_id":"a"}', chance.randbytes(40), bytes(9_000)))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return chance.choice((0.0, -0.0, 1.5, 1e300, -1e300, float("nan"), float("inf")))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return chance.choice((0, 1, 2, 3, 99))
    bits = 31 if field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32) else 63
    bits = 32 if field.type == FieldDescriptor.TYPE_UINT32 else bits
    return min(chance.choice(NUMBERS), 2**bits - 1)


def request(chance: random.Random, method: str) -> bytes:
    if method.endswith("/Infer") and chance.random() < 0.3:
        whole: Message = infer_request(chance.choice(TEXTS), model=chance.choice(("letter", "dose", "nul")))
    elif method.endswith("/Record") and chance.random() < 0.3:
        whole = record_request(chance.choice(TEXTS) or "x")
    else:
        whole = filled(chance, REQUESTS[method])
    data = whole.SerializeToString()
    return mutated(chance, data) if chance.random() < 0.4 else data


class Attacker:
    """Calls as any role of one tenant, with any bytes."""

    def __init__(self, hospital: ConfiguredServer) -> None:
        self.channels = {role: hospital.connection("north", role).channel() for role in ("app", *ROLES)}
        self.outcomes: Counter[str] = Counter()
        self.let_in: dict[str, list[str]] = {}

    def ask(self, role: str, method: str, messages: list[bytes], seconds: float = 10.0) -> str:
        """The reason of the refusal, or "ok"; fails on a status that no caller should see."""
        try:
            # On the wire every rpc is one of streams.
            call: Any = self.channels[role].stream_stream(method)
            for _answer in call(iter(messages), timeout=seconds):
                pass
        except grpc.RpcError as err:
            return self._reason(method, cast("grpc.Call", err))
        return "ok"

    def _reason(self, method: str, err: grpc.Call) -> str:
        status = rpc_status.from_call(err)
        if status is None:
            # The client's own time, or a stream that waits for more: nothing of the server's.
            assert err.code() is grpc.StatusCode.DEADLINE_EXCEEDED, (method, err.code())
            return "CLIENT_DEADLINE"
        info = error_details_pb2.ErrorInfo()
        assert any(detail.Unpack(info) for detail in status.details), method
        bad = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
        assert err.code() not in bad, (method, info.reason, dict(info.metadata))
        return str(info.reason)

    def role(self, chance: random.Random, method: str) -> str:
        """One that gets past the gate, as far as there is one."""
        if method in NOBODY_MAY:
            return "app"
        if method not in self.let_in:
            roles = [role for role in self.channels if self.ask(role, method, [b""]) != "PERMISSION_DENIED"]
            self.let_in[method] = roles or list(self.channels)
        return chance.choice(self.let_in[method])

    def attempt(self, chance: random.Random, method: str) -> None:
        seconds = 2.0 if "Watch" in method or "Stream" in method else 30.0
        messages = [
            request(chance, method)
            for _ in range(3 if method.endswith(("/AppendStream", "/ReconcileUsage")) else 1)
        ]
        self.outcomes[self.ask(self.role(chance, method), method, messages, seconds)] += 1


@pytest.fixture
def attacker(hospital: ConfiguredServer) -> Iterator[Attacker]:
    made = Attacker(hospital)
    yield made
    for channel in made.channels.values():
        channel.close()
    verified(hospital)


def verified(hospital: ConfiguredServer) -> None:
    """The log verifies, and the server's own log has neither an unforeseen error nor a line that is not JSON."""
    command = [sys.executable, "-m", "attending.server.cli.main", "ledger", "verify", "--json"]
    done = subprocess.run(
        [*command, "--data", str(hospital.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stdout + done.stderr
    events = [json.loads(line) for line in hospital.log.read_text().splitlines()]
    assert [event for event in events if event["event"].endswith("internal_error")] == []


def test_every_rpc_is_known() -> None:
    assert set(REQUESTS) == set(ACTIONS)


def test_random_messages(attacker: Attacker) -> None:
    chance = random.Random(20260413)
    for _ in range(8):
        for method in REQUESTS:
            attacker.attempt(chance, method)
    assert len(attacker.outcomes) > 3, attacker.outcomes


@pytest.mark.parametrize("kind", [admin_pb2.HaltRequest, admin_pb2.ResumeRequest])
def test_a_reason_of_no_known_number_is_a_bad_request(attacker: Attacker, kind: Any) -> None:
    # Found by random messages: it was an internal error.
    method = f"/attending.v1.AdminService/{kind.DESCRIPTOR.name.removesuffix('Request')}"
    data = kind(idempotency_key="a", reason=99).SerializeToString()
    assert attacker.ask("safety_officer", method, [data]) == "INVALID_REQUEST"


@pytest.mark.parametrize("policy", ["x" * 70_000, "Jane Q. Patient", "a\nb", "\u202e"])
def test_a_policy_that_can_be_none_is_not_said_back(attacker: Attacker, policy: str) -> None:
    made = admin_pb2.ResumeRequest(
        idempotency_key=uuid.uuid4().hex, reason=admin_pb2.RESUME_REASON_ENDED, policy=policy
    )
    method = "/attending.v1.AdminService/Resume"
    assert attacker.ask("safety_officer", method, [made.SerializeToString()]) == "INVALID_REQUEST"


def test_the_same_bytes_again_change_nothing(attacker: Attacker, hospital: ConfiguredServer) -> None:
    method = "/attending.v1.InferenceService/Record"
    data = record_request("A letter.").SerializeToString()
    call: Any = attacker.channels["app"].unary_unary(method)
    first = inference_pb2.RecordResponse.FromString(call(data, timeout=30)).result
    for _ in range(5):
        again = inference_pb2.RecordResponse.FromString(call(data, timeout=30)).result
        assert again.inference_id == first.inference_id
    # By another caller, the same bytes are another request.
    with hospital.connection("south", "app").channel() as channel:
        elsewhere: Any = channel.unary_unary(method)
        other = inference_pb2.RecordResponse.FromString(elsewhere(data, timeout=30)).result
    assert other.inference_id != first.inference_id


@pytest.mark.security
def test_random_messages_for_longer(attacker: Attacker, capsys: pytest.CaptureFixture[str]) -> None:
    seed = time.time_ns()
    chance, until = random.Random(seed), time.monotonic() + SECONDS
    methods = sorted(REQUESTS)
    while time.monotonic() < until:
        attacker.attempt(chance, chance.choice(methods))
    with capsys.disabled():
        calls, reasons = attacker.outcomes.total(), dict(attacker.outcomes.most_common())
        print(f"\nrandom messages: {calls} calls, seed {seed}, {reasons}")
    assert attacker.outcomes.total() > 100
