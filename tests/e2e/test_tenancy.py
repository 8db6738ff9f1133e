"""Of another tenant nobody learns anything: every rpc, every role of the other tenant and of none, over the wire.

What exists in tenant north answers a stranger exactly like what exists nowhere: status, details and trailing metadata,
byte for byte. The requests come from `tests/matrix/makers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from attending.client import Client, Connection
from attending.client.errors import translate
from attending.server.app import authorization_folder
from attending.server.auth.actions import ACTIONS
from attending.server.auth.authorize import PolicySet, Resource
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal
from attending.server.clock import now
from attending.v1 import ledger_pb2
from google.protobuf.message import Message

from tests.e2e.calls import TIMEOUT, entries, infer_request, refused
from tests.e2e.configured_server import ROLES, SEVERAL, ConfiguredServer
from tests.matrix.furnish import furnish, refresh
from tests.matrix.making import Maker, Things, makers
from tests.matrix.methods import invoke, methods

pytestmark = pytest.mark.timeout(600)

EVERYONE = ("app", *ROLES, "several")
STRANGERS = (*EVERYONE, "expired")
NOWHERE = Things()
CLOSED = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
}
SECRET_FIELDS = (
    *(
        "inference",
        "released",
        "withdrawn",
        "broken",
        "breakable",
        "ticket",
        "unclaimed",
        "lease",
        "withheld",
        "withheld_lease",
        "preparation",
        "prompt",
    ),
    *("subject", "other", "on_hold", "hold", "mrn"),
    *("user", "credential", "emergency", "ended_emergency", "person", "invitation"),
)


@pytest.fixture(scope="module")
def theirs(hospital: ConfiguredServer) -> Things:
    """Things of tenant north that exist."""
    return furnish(hospital, "north")


@pytest.fixture(scope="module", autouse=True)
def begun(hospital: ConfiguredServer) -> None:
    """Two entries in the log of south, so that its first ones can be asked for."""
    with Client(hospital.connection("south", "app")) as app:
        app.inference.Infer(infer_request(model="letter"), timeout=TIMEOUT)


@pytest.fixture(scope="module")
def channels(hospital: ConfiguredServer) -> Iterator[dict[str, grpc.Channel]]:
    """Those of south, and of nobody."""
    wrong = "att_00000000_" + "x" * 43
    with ExitStack() as stack:
        found = {role: _opened(stack, hospital.connection("south", role)) for role in STRANGERS}
        found["no credential"] = _opened(stack, hospital.as_token("south", None))
        found["wrong credential"] = _opened(stack, hospital.as_token("south", wrong))
        yield found


def _opened(stack: ExitStack, connection: Connection) -> grpc.Channel:
    return stack.enter_context(connection.channel())


def answer(
    channel: grpc.Channel, maker: Maker, things: Things
) -> tuple[grpc.StatusCode, bytes, list[Message]]:
    """(code, every byte of a refusal that a client sees, the messages of a success)."""
    try:
        return grpc.StatusCode.OK, b"", invoke(channel, maker.method, maker.make(things), TIMEOUT)
    except grpc.RpcError as err:
        failure = err

    def again() -> Any:
        raise failure

    refusal = refused(again)
    # The caller's own word for an emitter is said back to it.
    return refusal.code, refusal.raw.replace(things.emitter.encode(), b"<emitter>"), []


def size(hospital: ConfiguredServer, tenant: str) -> int:
    with Client(hospital.connection(tenant, "auditor")) as auditor:
        return auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=1)).tree_size


def since(hospital: ConfiguredServer, tenant: str, index: int) -> list[dict[str, Any]]:
    """Entries of the tenant's log from `index` on."""
    with Client(hospital.connection(tenant, "auditor")) as auditor:
        page = ledger_pb2.ListEntriesRequest(start_index=index, page_size=1000)
        return [json.loads(entry.data) for entry in auditor.ledger.ListEntries(page).entries]


def role_kind(role: str) -> tuple[str, frozenset[str]]:
    roles = frozenset(SEVERAL if role == "several" else [role])
    return ("app" if role == "app" else "human"), roles


def decision(role: str, method: str) -> AccessDecision:
    """What the authorisation policies say of the call itself."""
    kind, roles = role_kind(role)
    who = Principal("x", "x", kind, roles, "x", "token")  # type: ignore[arg-type]
    return POLICIES.decide(who, ACTIONS[method], Resource.log("x"), now())


POLICIES = PolicySet.load(authorization_folder())


@pytest.mark.parametrize("caller", [*STRANGERS, "no credential", "wrong credential"])
def test_nothing_tells_what_another_tenant_has(
    hospital: ConfiguredServer, theirs: Things, channels: dict[str, grpc.Channel], caller: str
) -> None:
    channel = channels[caller]
    secrets = [str(getattr(theirs, field)).encode() for field in SECRET_FIELDS]
    before = size(hospital, "north")
    wrong: list[tuple[object, ...]] = []
    for maker in makers():
        existing, missing = answer(channel, maker, theirs), answer(channel, maker, NOWHERE)
        known = caller in EVERYONE
        expected = {grpc.StatusCode.UNAUTHENTICATED} if not known else CLOSED
        if maker.own and known and decision(caller, maker.method).allowed:
            # It is the caller's own log that answers, and nothing of another is in it.
            expected = {grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND}
        told = b"".join(message.SerializeToString() for message in existing[2])
        if existing[0] not in expected or existing[:2] != missing[:2] or any(s in told for s in secrets):
            wrong.append((str(maker), existing[:2], missing[:2]))
        # A test of strangers proves nothing if the door was shut for another reason.
        reached = grpc.StatusCode.OK if maker.own else grpc.StatusCode.NOT_FOUND
        if caller == maker.by and existing[0] is not reached:
            wrong.append((str(maker), existing[:2], "not reached"))
    assert wrong == []
    added = since(hospital, "north", before)
    assert [entry for entry in added if not entry["actor"].startswith("system:")] == []


def test_an_application_does_not_see_its_neighbour_s(hospital: ConfiguredServer, theirs: Things) -> None:
    with hospital.connection("north", "app2").channel() as channel:
        for maker in makers():
            name = maker.method.rpartition("/")[2]
            if (
                name in ("GetInference", "WatchInference", "AckDelivery", "GetResources")
                or maker.variant == "expecting"
            ):
                existing, missing = answer(channel, maker, theirs), answer(channel, maker, NOWHERE)
                assert existing == missing, name
                assert existing[0] is grpc.StatusCode.NOT_FOUND, name


def test_every_maker_s_request_succeeds_and_its_entries_say_which_policies_permitted_it(
    hospital: ConfiguredServer, theirs: Things
) -> None:
    """What strangers are refused is a call that would succeed."""
    wrong: list[tuple[object, ...]] = []
    for maker in makers():
        things = refresh(hospital, "north", theirs) if maker.fresh else theirs
        request = maker.make(things)
        before = size(hospital, "north")
        with hospital.connection("north", maker.by).channel() as channel:
            try:
                invoke(channel, maker.method, request, TIMEOUT)
            except grpc.RpcError as err:
                error = translate(err)
                if maker.refused and error.reason == maker.refused:
                    continue
                wrong.append((str(maker), error.code, error.reason, error.field_violations, error.metadata))
                continue
        permitted = set(decision(maker.by, maker.method).policy_ids)
        written = [
            entry for entry in since(hospital, "north", before) if not entry["actor"].startswith("system:")
        ]
        if any(not permitted <= set(entry["body"].get("authorized_by", ())) for entry in written):
            wrong.append((str(maker), permitted, [(entry["type"], entry["body"]) for entry in written]))
        writes = "idempotency_key" in methods()[maker.method].input_type.fields_by_name
        # Nothing is old enough to be pruned.
        if writes and not written and not maker.method.endswith("/PrunePayloads"):
            wrong.append((str(maker), "wrote nothing"))
    assert wrong == []


@pytest.mark.parametrize("role", EVERYONE)
def test_every_role_of_the_tenant_gets_what_the_policies_say(
    hospital: ConfiguredServer, theirs: Things, role: str
) -> None:
    wrong = []
    things = refresh(hospital, "north", theirs)
    with hospital.connection("north", role).channel() as channel:
        for maker in makers():
            action = ACTIONS[maker.method]
            try:
                invoke(channel, maker.method, maker.make(things), TIMEOUT)
                denied = None
            except grpc.RpcError as err:
                error = translate(err)
                denied = error.metadata.get("action") if error.reason == "PERMISSION_DENIED" else None
            # An action that is asked for besides the call's own may still be denied.
            if (denied == action) == decision(role, maker.method).allowed:
                wrong.append((str(maker), denied))
    assert wrong == []


def test_logs_keys_and_queues_are_apart(hospital: ConfiguredServer, theirs: Things) -> None:
    keys = hospital.where["log_keys"]
    assert keys["north"] != keys["south"]
    request = infer_request(model="letter", key="one-key-in-two-tenants")
    results = {}
    for tenant in ("north", "south"):
        with Client(hospital.connection(tenant, "app")) as app:
            results[tenant] = app.inference.Infer(request, timeout=TIMEOUT).result
            # Each receipt verifies under its own tenant's key and under no other.
            assert app.verified(results[tenant]).verified
    assert results["north"].inference_id != results["south"].inference_id
    with Client(hospital.connection("north", "app")) as app, pytest.raises(Exception, match="receipt"):
        app.verified(results["south"])
    secrets = [str(getattr(theirs, field)) for field in SECRET_FIELDS]
    with Client(hospital.connection("south", "auditor")) as auditor:
        for entry in entries(auditor):
            text = json.dumps(entry)
            assert [secret for secret in secrets if secret in text] == []
