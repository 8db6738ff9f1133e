"""KeyService over real TLS, with keys sealed by a Vault: rights, rotation of each kind, repeated and cut short."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from attending.client import Connection, KeyClient, ReceiptError
from attending.client.errors import AttendingApiError, translate
from attending.ledger.custody.reads import Order
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import CorruptLog
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.proof import verify_receipt
from attending.ledger.rotation import Rotated
from attending.server import clock
from attending.server.cli.main import run
from attending.server.services.keys import KeyService
from attending.server.services.keys import build as build_keys
from attending.server.services.ledger import build as build_ledger
from attending.v1 import keys_pb2, keys_pb2_grpc

from tests.server.secrets.vault_server import TOKEN, VaultServer

TENANT = "demo"
LINES = ("kek", "lookup", "fingerprint")


@pytest.fixture(scope="module")
def vault() -> Iterator[VaultServer]:
    server = VaultServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def server(start_server: Any, vault: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    token = tmp_path_factory.mktemp("vault") / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    secrets = {
        "kind": "vault",
        "vault_url": vault.url,
        "vault_key": "attending",
        "vault_token_file": str(token),
        "timeout_seconds": 2.0,
    }
    return start_server(components=[build_ledger, build_keys], overrides={"secrets": secrets})


@pytest.fixture
def operator(server: Any) -> Any:
    return keys_pb2_grpc.KeyServiceStub(server.channel("demo-operator"))


def request(kind: keys_pb2.KeyKind.ValueType, **fields: Any) -> keys_pb2.RotateKeyRequest:
    fields.setdefault("idempotency_key", uuid.uuid4().hex)
    return keys_pb2.RotateKeyRequest(kind=kind, **fields)


def refused(call: Any, message: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        call(message)
    return translate(caught.value)


def newest(operator: keys_pb2_grpc.KeyServiceStub, kind: keys_pb2.KeyKind.ValueType) -> keys_pb2.Key:
    found = operator.ListKeys(keys_pb2.ListKeysRequest()).keys
    return next(item for item in found if item.kind == kind)


async def noted(ledger: Any, person: str) -> str:
    subject = await ledger.pseudonym(TENANT, person)
    entry = PendingEntry("feedback.recorded", "f", "app:a", subject, {}, (Payload("note", b"text"),))
    found: str = (await ledger.append(TENANT, [entry])).commitments[0][0].record
    return found


def test_keys_are_listed_without_the_keys(server: Any, operator: keys_pb2_grpc.KeyServiceStub) -> None:
    answer = operator.ListKeys(keys_pb2.ListKeysRequest())
    kinds = [keys_pb2.KeyKind.Name(item.kind) for item in answer.keys if item.generation == 1]
    assert kinds[0] == "KEY_KIND_SIGNING"
    assert {item.root.split()[0] for item in answer.keys} == {"vault"}
    assert all(item.since.seconds for item in answer.keys)
    said = answer.SerializeToString()
    keys = server.app.ledger._keys.open_log(TENANT)
    for secret in (keys.kek, keys.lookup, keys.fingerprint, keys.signing[0].private.private_bytes_raw()):
        assert secret not in said
        assert secret.hex().encode() not in said


@pytest.mark.parametrize(
    "kind", [keys_pb2.KEY_KIND_KEK, keys_pb2.KEY_KIND_LOOKUP, keys_pb2.KEY_KIND_FINGERPRINT]
)
def test_a_key_is_rotated_once_a_request_and_on_record(
    server: Any, operator: keys_pb2_grpc.KeyServiceStub, kind: keys_pb2.KeyKind.ValueType
) -> None:
    record = server.run(noted(server.app.ledger, f"mrn:{kind}"))
    before = newest(operator, kind)
    asked = request(kind)
    answer = operator.RotateKey(asked)
    assert (answer.done, answer.generation) == (True, before.generation + 1)
    assert verify_receipt(
        answer.receipt.tlog_proof, answer.receipt.entry, [server.app.ledger.verifier_key(TENANT)]
    )
    entry = json.loads(answer.receipt.entry)
    assert (entry["type"], entry["actor"]) == ("key.rotated", "human:demo-operator")
    again = operator.RotateKey(asked)
    assert (again.generation, again.receipt.index) == (answer.generation, answer.receipt.index)
    found = operator.ListKeys(keys_pb2.ListKeysRequest()).keys
    one = next(item for item in found if item.kind == kind and item.generation == answer.generation)
    assert one.key_id != before.key_id
    # A fingerprint key comes into force once every call that was under way has ended.
    assert one.in_use == (kind != keys_pb2.KEY_KIND_FINGERPRINT)
    assert server.run(server.app.ledger.open_payload(TENANT, record)) == b"text"


def test_the_root_is_rotated_in_vault_and_the_files_follow(
    server: Any, operator: keys_pb2_grpc.KeyServiceStub, vault: VaultServer
) -> None:
    record = server.run(noted(server.app.ledger, "mrn:root"))
    vault.rotate()
    version = f"vault v{len(vault.keys['attending'])}"
    answer = operator.RotateKey(request(keys_pb2.KEY_KIND_ROOT))
    assert answer.done
    assert answer.generation >= 4
    found = operator.ListKeys(keys_pb2.ListKeysRequest()).keys
    assert {item.root for item in found} == {version}
    system = server.run(server.app.ledger.rotation.keys("system"))
    assert {item.root for item in system} == {version}
    vault.minimum = len(vault.keys["attending"])
    assert server.run(server.app.ledger.open_payload(TENANT, record)) == b"text"
    # Nothing left to move: on record all the same, since somebody asked.
    assert operator.RotateKey(request(keys_pb2.KEY_KIND_ROOT)).generation == 0


def test_a_subject_key_is_rotated_by_pseudonym(server: Any, operator: keys_pb2_grpc.KeyServiceStub) -> None:
    record = server.run(noted(server.app.ledger, "mrn:s"))
    subject = server.run(server.app.ledger.pseudonym(TENANT, "mrn:s"))
    answer = operator.RotateKey(request(keys_pb2.KEY_KIND_SUBJECT, subject=subject))
    assert answer.generation == 2
    assert server.run(server.app.ledger.open_payload(TENANT, record)) == b"text"
    assert operator.RotateKey(request(keys_pb2.KEY_KIND_SUBJECT, subject="tenant")).generation >= 2
    server.run(server.app.ledger.erase_subject(TENANT, subject))
    error = refused(operator.RotateKey, request(keys_pb2.KEY_KIND_SUBJECT, subject=subject))
    assert error.reason == "SUBJECT_ERASED"
    error = refused(operator.RotateKey, request(keys_pb2.KEY_KIND_SUBJECT, subject="sub_" + "a" * 26))
    assert error.reason == "NOT_FOUND"


def test_what_is_wrong_with_a_request_is_named(operator: keys_pb2_grpc.KeyServiceStub) -> None:
    for wrong, field in (
        (request(keys_pb2.KEY_KIND_UNSPECIFIED), "kind"),
        (request(keys_pb2.KEY_KIND_SIGNING, subject="tenant"), "subject"),
        (request(keys_pb2.KEY_KIND_KEK, subject="tenant"), "subject"),
        (request(keys_pb2.KEY_KIND_SUBJECT), "subject"),
        (request(keys_pb2.KEY_KIND_SUBJECT, subject="../kek"), "subject"),
        (request(keys_pb2.KEY_KIND_KEK, idempotency_key=""), "idempotency_key"),
    ):
        error = refused(operator.RotateKey, wrong)
        assert error.reason == "INVALID_REQUEST"
        assert field in {violation[0] for violation in error.field_violations}


@pytest.mark.parametrize("identity", ["demo-app", "dr-rivera", "demo-auditor", "demo-privacy-officer"])
def test_nobody_but_an_operator_comes_near_keys(server: Any, identity: str) -> None:
    stub = keys_pb2_grpc.KeyServiceStub(server.channel(identity))
    assert refused(stub.ListKeys, keys_pb2.ListKeysRequest()).reason == "PERMISSION_DENIED"
    assert refused(stub.RotateKey, request(keys_pb2.KEY_KIND_KEK)).reason == "PERMISSION_DENIED"


def test_a_vault_that_is_away_refuses_rotations_and_nothing_else(
    server: Any, operator: keys_pb2_grpc.KeyServiceStub, vault: VaultServer
) -> None:
    record = server.run(noted(server.app.ledger, "mrn:away"))
    before = newest(operator, keys_pb2.KEY_KIND_KEK).generation
    asked = request(keys_pb2.KEY_KIND_KEK)
    vault.fault = "503"
    try:
        error = refused(operator.RotateKey, asked)
        assert (error.reason, error.code.name) == ("KEY_STORE_UNAVAILABLE", "UNAVAILABLE")
        assert error.retry_after_seconds
        assert refused(operator.RotateKey, request(keys_pb2.KEY_KIND_ROOT)).reason == error.reason
        assert server.run(server.app.ledger.open_payload(TENANT, record)) == b"text"
        server.run(noted(server.app.ledger, "mrn:away-new"))
        assert newest(operator, keys_pb2.KEY_KIND_KEK).generation == before
    finally:
        vault.fault = None
    answer = operator.RotateKey(asked)  # the same call, once it is back
    assert (answer.done, answer.generation) == (True, before + 1)
    vault.fault = "403"
    try:
        assert refused(operator.RotateKey, request(keys_pb2.KEY_KIND_KEK)).reason == "KEY_STORE_REFUSED"
    finally:
        vault.fault = None
    assert operator.RotateKey(request(keys_pb2.KEY_KIND_KEK)).done


def test_a_rotation_that_takes_long_goes_on_without_its_caller(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call says that it is not done; what runs is not begun twice, and the next call says when it is."""

    async def slowly() -> None:
        ledger = server.app.ledger
        service = KeyService(ledger, timedelta(0), wait_seconds=0.05)
        gate = asyncio.Event()
        calls = []
        real = ledger.rotation.carry_out

        async def held(*arguments: Any, **named: Any) -> Any:
            calls.append(arguments)
            await gate.wait()
            return await real(*arguments, **named)

        monkeypatch.setattr(ledger.rotation, "carry_out", held)
        _plan, index = await ledger.rotation.record(TENANT, "kek", Order("human:o"), timedelta(0))
        first = await service._carried_out(TENANT, keys_pb2.KEY_KIND_KEK, index)
        second = await service._carried_out(TENANT, keys_pb2.KEY_KIND_KEK, index)
        assert (first.done, second.done, len(calls)) == (False, False, 1)
        gate.set()
        async with asyncio.timeout(60):
            while not (await service._carried_out(TENANT, keys_pb2.KEY_KIND_KEK, index)).done:
                """The rotation takes its time."""
        await service.close()

    server.run(slowly())


def test_a_rotation_that_was_cut_short_is_taken_up(
    server: Any, operator: keys_pb2_grpc.KeyServiceStub
) -> None:
    ledger = server.app.ledger
    record = server.run(noted(ledger, "mrn:cut"))

    async def cut() -> int:
        plan, _index = await ledger.rotation.record(TENANT, "kek", Order("human:o"), timedelta(0))
        await ledger._run(ledger._keys.begin, TENANT, "kek", plan.generation, plan.since)
        return int(plan.generation)

    generation = server.run(cut())
    assert operator.ListKeys(keys_pb2.ListKeysRequest()).rotating
    server.run(KeyService(ledger, timedelta(0)).care([TENANT, "system"]))
    assert not operator.ListKeys(keys_pb2.ListKeysRequest()).rotating
    assert newest(operator, keys_pb2.KEY_KIND_KEK).generation == generation
    assert server.run(ledger.open_payload(TENANT, record)) == b"text"


def test_a_rotation_of_fingerprint_that_is_repeated_late_says_when_it_comes_into_force(server: Any) -> None:
    async def late() -> None:
        ledger = server.app.ledger
        # An entry of an hour ago, with no key to show for it.
        ago = timedelta(hours=1)
        plan, index = await ledger.rotation.record(TENANT, "fingerprint", Order("human:o"), -ago)
        service = KeyService(ledger, timedelta(minutes=5))
        answers = [await service._carried_out(TENANT, keys_pb2.KEY_KIND_FINGERPRINT, index) for _ in range(2)]
        newest = ledger._keys.open_log(TENANT).fingerprints[0]
        assert newest.number == plan.generation
        for answer in answers:
            assert clock.stamp(answer.since.ToDatetime(tzinfo=UTC)) == newest.since
        assert newest.since > clock.stamp(clock.now() + timedelta(minutes=5))

    server.run(late())


def test_a_rotation_that_began_as_another_ended_is_done_by_itself(server: Any) -> None:
    async def ended() -> None:
        ledger = server.app.ledger
        plan, _index = await ledger.rotation.record(TENANT, "kek", Order("human:o"), timedelta(0))
        service = KeyService(ledger, timedelta(0))
        before: asyncio.Future[Rotated] = asyncio.get_running_loop().create_future()
        service._running[TENANT] = before
        asyncio.get_running_loop().call_soon(before.set_result, Rotated("kek", plan.generation - 1, ()))
        work = ledger.rotation.carry_out(TENANT, "kek", plan.generation, plan.since, "human:o")
        assert await service._worked(TENANT, plan.generation, work)
        assert [item.number for item in ledger._keys.open_log(TENANT).keks] == [plan.generation]
        await service.close()

    server.run(ended())


async def test_what_cannot_be_finished_keeps_nothing_else_from_being_looked_after(tmp_path: Path) -> None:
    """A subject's file is altered: its key-encryption key stays in rotation, and claims go on being forgotten."""
    now = [clock.now()]
    config = LedgerConfig(tmp_path, publish_interval_seconds=3600)
    async with await Ledger.open(config, clock=lambda: now[0]) as ledger:
        await ledger.create_log(TENANT, "demo.example/log")
        entry = PendingEntry("feedback.recorded", "f", "app:a", None, {})
        await ledger.append(TENANT, [entry], claim=Claim("k", b"f", "f"))
        path = next((tmp_path / "keys" / TENANT / "subjects").rglob("tenant"))
        kept = path.read_bytes()
        path.write_bytes(bytes(len(kept)))
        service = KeyService(ledger, timedelta(0))
        for kind in ("kek", "lookup"):
            _plan, index = await ledger.rotation.record(TENANT, kind, Order("human:o"), timedelta(0))
            if kind == "kek":
                with pytest.raises(CorruptLog):
                    await service._carried_out(TENANT, keys_pb2.KEY_KIND_KEK, index)
        now[0] += timedelta(days=8)
        with structlog.testing.capture_logs() as lines:
            await service.care([TENANT])
        assert [(line["event"], line.get("reason")) for line in lines] == [
            ("keys.care_failed", "CORRUPT_LOG")
        ]
        assert await ledger.find_claim(TENANT, "k") is None
        assert ledger._keys.open_log(TENANT).lookups[0].number == 2
        path.write_bytes(kept)
        await service.care([TENANT])
        assert [item.number for item in ledger._keys.open_log(TENANT).keks] == [2]


def test_the_client_holds_the_receipt_against_the_log_key(server: Any) -> None:
    connection = Connection.from_folder(server.embedded.folder, "demo-operator")
    with KeyClient(connection) as client:
        assert client.rotate(keys_pb2.KEY_KIND_SUBJECT, subject="tenant").done
    other = server.app.ledger.verifier_key("system")
    with KeyClient(replace(connection, log_key=other)) as client, pytest.raises(ReceiptError):
        client.rotate(keys_pb2.KEY_KIND_SUBJECT, subject="tenant")


def test_a_client_goes_on_from_the_key_that_it_pinned(
    server: Any, operator: keys_pb2_grpc.KeyServiceStub, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = Connection.from_folder(server.embedded.folder, "demo-operator")
    pinned = connection.log_key
    assert pinned is not None
    with KeyClient(connection) as client, KeyClient(connection) as other:
        assert client.rotate(keys_pb2.KEY_KIND_SUBJECT, subject="tenant").done
        before = newest(operator, keys_pb2.KEY_KIND_SIGNING)
        asked = request(keys_pb2.KEY_KIND_SIGNING)
        answer = operator.RotateKey(asked)
        again = operator.RotateKey(asked)
        assert (answer.done, answer.generation) == (True, before.generation + 1)
        assert (again.generation, again.receipt.index) == (answer.generation, answer.receipt.index)
        # The receipt of who ordered it: its head is signed by both keys, or by the new one.
        assert json.loads(answer.receipt.entry)["actor"] == "human:demo-operator"
        now = newest(operator, keys_pb2.KEY_KIND_SIGNING)
        assert (now.generation, now.in_use) == (answer.generation, True)
        assert now.key_id != before.key_id
        # One learned when it had to, one asks.
        assert client.rotate(keys_pb2.KEY_KIND_SUBJECT, subject="tenant").done
        newest_key = other.learn_keys()
    assert newest_key == server.app.ledger.verifier_key(TENANT) != pinned
    with KeyClient(replace(connection, log_key=newest_key)) as client:
        assert client.rotate(keys_pb2.KEY_KIND_SUBJECT, subject="tenant").done
        assert client.learn_keys() == newest_key
    assert run(["keys", "rotate", "signing", "--data", str(server.embedded.folder)]) == 0
    out = capsys.readouterr().out
    assert server.app.ledger.verifier_key(TENANT) in out
    assert f"generation {answer.generation + 1}" in out


def test_what_leads_elsewhere_is_no_introduction(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lies about its keys: each lie is refused, and says what to do."""
    ledger = server.app.ledger
    server.run(ledger.signing.rotate(TENANT, Order("human:o")))
    server.run(ledger.signing.rotate("system", Order("human:o")))
    server.run(noted(ledger, "mrn:after"))
    connection = Connection.from_folder(server.embedded.folder, "demo-operator")
    truth = ledger.introductions(TENANT)
    assert len(truth) >= 1
    last = truth[-1]
    lies: list[list[str]] = [
        [],
        truth[:-1],
        [*truth, last],
        [*truth[:-1], last.replace("index ", "index 1", 1)],
    ]
    lies.append(ledger.introductions("system"))
    told: list[list[str]] = []
    monkeypatch.setattr(ledger, "introductions", lambda *_: told[-1])
    for lie in lies:
        told.append(lie)
        with KeyClient(connection) as client, pytest.raises(ReceiptError, match="next: "):
            client.learn_keys()
    monkeypatch.undo()

    async def other_history(*_: object) -> list[bytes]:
        return [b"x" * 32]

    monkeypatch.setattr(ledger, "consistency_proof", other_history)
    with KeyClient(connection) as client, pytest.raises(ReceiptError, match="CONSISTENCY_PROOF"):
        client.learn_keys()


def test_keys_are_listed_and_rotated_on_a_terminal(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--data", str(server.embedded.folder)]
    assert run(["keys", "rotate", "kek", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["done"] is True
    for kind in ("lookup", "fingerprint", "root"):
        assert run(["keys", "rotate", kind, *at]) == 0
        assert "entry" in capsys.readouterr().out
    assert run(["keys", "rotate", "subject", "--subject", "tenant", *at]) == 0
    assert run(["keys", "rotate", "subject", *at]) == 4
    assert run(["keys", "rotate", "kek", "--as", "demo-auditor", *at]) == 2
    capsys.readouterr()
    assert run(["keys", "list", *at]) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in (*LINES, "signing"))
    assert run(["keys", "list", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rotating"] is False


def test_rewrap_is_for_a_server_that_is_stopped(
    server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "rewrap", "--config", str(tmp_path / "none.toml")]) == 4
    capsys.readouterr()
    assert run(["keys", "rewrap"]) == 4
    assert "--config" in capsys.readouterr().err
