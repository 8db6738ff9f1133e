"""Calls that run while their caller is revoked: they end, with a reason and on record, and others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import jwt
import pytest
from attending.client import PeopleClient
from attending.client.connection import Connection
from attending.client.errors import translate
from attending.ledger.entry import parse_entry
from attending.server.auth.authenticate import Directory, HeldKey, Shown
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.auth.certificate import read_certificate
from attending.server.auth.context import AccessDecision
from attending.server.auth.identities import Identities
from attending.server.auth.oidc.provider import Provider
from attending.server.auth.oidc.token import TokenVerifier, VerifiedToken
from attending.server.auth.principal import Principal
from attending.server.auth.revocation import Verdict
from attending.server.auth.running import UNKNOWN_SECONDS, RunningCalls
from attending.server.bootstrap.certificates import issue_client, new_authority
from attending.server.config import IdentitySection
from attending.server.errors import AttendingError, Unavailable
from attending.server.people.component import build as build_people
from attending.server.services.ledger import build as build_ledger
from attending.server.shipped import package_policies
from attending.v1 import identity_pb2, ledger_pb2

from tests.server.auth.oidc_world import KeyServer, new_key
from tests.server.services.test_identity_service import fresh, program, soon, with_token

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICIES = PolicySet.load(package_policies() / "authorization")
KEY = HeldKey("0123abcd", "$argon2id$v=19$m=8192,t=1,p=1$" + "A" * 22 + "$" + "B" * 43)
CERTIFICATE = read_certificate(
    issue_client(new_authority("CA", NOW), "ruth", "spiffe://x/ruth", NOW).certificate
)
JWK = jwt.PyJWK(new_key().jwk)
TOKEN = VerifiedToken("idp", "00u1", (NOW + timedelta(minutes=5)).timestamp(), JWK, "k1", "ES256")


class Keys(Provider):
    """A provider whose keys are at hand, or not."""

    listed = True
    away = False

    def lists(self, kid: str | None, algorithm: str, key: jwt.PyJWK) -> bool:
        if self.away:
            raise Unavailable("IDENTITY_PROVIDER_UNAVAILABLE")
        return self.listed


def ruth(**change: Any) -> IdentitySection:
    given: dict[str, Any] = {
        "name": "ruth",
        "tenant": "demo",
        "kind": "human",
        "roles": ["clinician"],
        "service_keys": [{"prefix": KEY.prefix, "hash": KEY.phc}],
        "certificate_uri": ["spiffe://x/ruth"],
        "oidc": [{"issuer": "idp", "subject": "00u1"}],
        **change,
    }
    return IdentitySection.model_validate(given)


@dataclass
class World:
    """Everything that a running call rests on, each to be changed; the calls are those of `ruth`."""

    people: list[IdentitySection] = field(default_factory=lambda: [ruth()])
    now: datetime = NOW
    verdict: Verdict = "good"
    emergency: str | None = None
    away: bool = False
    keys: Keys = field(
        default_factory=lambda: Keys(KeyServer(url="http://localhost").section(algorithms=["ES256"]))
    )
    ended: list[tuple[Principal, AccessDecision, str]] = field(default_factory=list)
    log_away: bool = False
    seconds: float = 1000.0

    def __post_init__(self) -> None:
        tokens = TokenVerifier((), lambda: self.now, providers=[self.keys])
        self.directory = Directory(
            (), lambda: self.now, tokens=tokens, revocation=lambda _certificate: self.verdict
        )
        self.directory.add(self)
        self.directory.mark_with(lambda who: replace(who, emergency=self.emergency))
        authorizer = Authorizer(POLICIES, self.denied, lambda: self.now)
        self.calls = RunningCalls(
            self.directory.standing, authorizer, self.record, lambda: self.now, lambda: self.seconds
        )

    def current(self) -> Identities:
        if self.away:
            raise Unavailable("IDENTITIES_STALE", retry_after_seconds=1.0)
        return Identities(self.people)

    async def denied(self, _who: Principal, _decision: AccessDecision) -> None:
        raise AssertionError("a running call's denial is recorded as one")

    async def record(self, who: Principal, decision: AccessDecision, reason: str) -> None:
        await asyncio.sleep(0)
        if self.log_away:
            raise OSError
        self.ended.append((who, decision, reason))

    async def outcome(
        self, shown: Shown, action: str, change: Callable[[World], None], *after: Callable[[World], None]
    ) -> str:
        """How a call ends under which `change` happens, and what comes `after`: `went on`, or the reason."""
        who, release = self.directory.standing(shown), asyncio.Event()

        async def call() -> str:
            try:
                async with self.calls.watched(who, shown, action):
                    await release.wait()
            except AttendingError as err:
                return err.reason
            return "went on"

        running = asyncio.create_task(call())
        await asyncio.sleep(0)
        await self.calls.sweep()
        for step in (change, *after):
            step(self)
            await self.calls.sweep()
        for _ in range(10):
            await asyncio.sleep(0)
        if not running.done():
            release.set()
        return await running


BY_KEY, BY_TOKEN, BY_CERTIFICATE = Shown(KEY, None), Shown(TOKEN, None), Shown(None, CERTIFICATE)
HOUR = timedelta(hours=1)


def people(*found: IdentitySection) -> Callable[[World], None]:
    return lambda world: setattr(world, "people", list(found))


def then(**values: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in values.items():
            setattr(world, name, value)

    return change


def keys(**values: Any) -> Callable[[World], None]:
    return lambda world: then(**values)(world.keys)  # type: ignore[arg-type]


OTHER = {"prefix": "ffffffff", "hash": KEY.phc}
RIVAL = ruth(name="rival", service_keys=[OTHER], certificate_uri=[], oidc=[])
ENDED: list[tuple[str, Shown, str, Callable[[World], None], str]] = [
    ("revoked", BY_KEY, "listQueue", people(), "INVALID_CREDENTIAL"),
    ("key revoked", BY_KEY, "listQueue", people(ruth(service_keys=[OTHER])), "INVALID_CREDENTIAL"),
    (
        "key changed",
        BY_KEY,
        "listQueue",
        people(ruth(service_keys=[{**OTHER, "prefix": KEY.prefix, "hash": KEY.phc[:-1] + "C"}])),
        "INVALID_CREDENTIAL",
    ),
    ("identity over", BY_KEY, "listQueue", people(ruth(expires=NOW)), "CREDENTIAL_EXPIRED"),
    (
        "key over",
        BY_KEY,
        "listQueue",
        people(ruth(service_keys=[{"prefix": KEY.prefix, "hash": KEY.phc, "expires": NOW}])),
        "CREDENTIAL_EXPIRED",
    ),
    ("certificate revoked", BY_CERTIFICATE, "listQueue", then(verdict="revoked"), "INVALID_CREDENTIAL"),
    ("certificate over", BY_CERTIFICATE, "listQueue", then(now=CERTIFICATE.not_after), "CREDENTIAL_EXPIRED"),
    ("uri taken away", BY_CERTIFICATE, "listQueue", people(ruth(certificate_uri=[])), "INVALID_CREDENTIAL"),
    ("named by two", BY_KEY, "listQueue", people(ruth(), ruth(name="rival")), "INVALID_CREDENTIAL"),
    ("token over", BY_TOKEN, "listQueue", then(now=NOW + HOUR), "CREDENTIAL_EXPIRED"),
    ("token's key gone", BY_TOKEN, "listQueue", keys(listed=False), "INVALID_CREDENTIAL"),
    ("somebody else's now", BY_KEY, "listQueue", people(ruth(name="rival")), "INVALID_CREDENTIAL"),
    ("other tenant", BY_KEY, "listQueue", people(ruth(tenant="other")), "INVALID_CREDENTIAL"),
    ("role taken", BY_KEY, "listQueue", people(ruth(roles=["auditor"])), "PERMISSION_DENIED"),
    # `auditor` may read proofs, too; what the call decided inside it decided on the role that is gone.
    ("other role", BY_KEY, "getCheckpoint", people(ruth(roles=["auditor"])), "PERMISSION_DENIED"),
    ("duties kept apart", BY_KEY, "sign", people(ruth(roles=["clinician", "operator"])), "PERMISSION_DENIED"),
    ("licence over", BY_KEY, "sign", people(ruth(licence_expires=NOW)), "PERMISSION_DENIED"),
    ("competency over", BY_KEY, "sign", people(ruth(competency_expires=NOW)), "PERMISSION_DENIED"),
]
UNKNOWN: list[tuple[str, Shown, str, Callable[[World], None], str]] = [
    ("no list", BY_CERTIFICATE, "listQueue", then(verdict="no_list"), "REVOCATION_UNKNOWN"),
    ("old list", BY_CERTIFICATE, "listQueue", then(verdict="out_of_date"), "REVOCATION_UNKNOWN"),
    ("store away", BY_KEY, "listQueue", then(away=True), "IDENTITIES_STALE"),
    ("provider away", BY_TOKEN, "listQueue", keys(away=True), "IDENTITY_PROVIDER_UNAVAILABLE"),
]
UNDISTURBED: list[tuple[str, Shown, str, Callable[[World], None]]] = [
    ("nothing", BY_KEY, "listQueue", then()),
    ("another key beside it", BY_KEY, "listQueue", people(ruth(service_keys=[OTHER, *ruth().service_keys]))),
    ("somebody else's change", BY_KEY, "listQueue", people(ruth(), RIVAL)),
    ("a list against certificates", BY_KEY, "listQueue", then(verdict="revoked")),
    ("more roles", BY_KEY, "listQueue", people(ruth(roles=["clinician", "auditor"]))),
    ("a licence where none matters", BY_KEY, "listQueue", people(ruth(licence_expires=NOW))),
    ("an emergency that began", BY_KEY, "listQueue", then(emergency="emg_1")),
]


def ids(case: tuple[Any, ...]) -> str:
    return str(case[0])


@pytest.mark.parametrize("case", ENDED, ids=ids)
async def test_a_running_call_ends_for_what_refuses_a_new_one(case: tuple[Any, ...]) -> None:
    world = World()
    _name, shown, action, change, reason = case
    assert await world.outcome(shown, action, change) == reason
    [(who, decision, why)] = world.ended
    assert (who.name, who.tenant, decision.allowed, decision.action, why) == (
        "ruth",
        "demo",
        False,
        action,
        reason,
    )


@pytest.mark.parametrize("case", UNKNOWN, ids=ids)
async def test_a_running_call_ends_when_nobody_can_say_for_long_and_that_is_no_denial(
    case: tuple[Any, ...],
) -> None:
    _name, shown, action, change, reason = case
    almost, last = (then(seconds=1000.0 + UNKNOWN_SECONDS - left) for left in (0.1, 0.0))
    world = World()
    assert await world.outcome(shown, action, change, almost) == "went on"
    world = World()
    assert await world.outcome(shown, action, change, almost, last) == reason
    assert world.ended == []
    # It is said again in between: the time begins anew.
    world = World()
    good = keys(away=False) if shown is BY_TOKEN else then(verdict="good", away=False)
    assert await world.outcome(shown, action, change, almost, good, change, last) == "went on"


async def test_what_nobody_foresaw_ends_a_running_call() -> None:
    world = World()
    assert await world.outcome(BY_KEY, "listQueue", then(people=[None])) == "CALL_INTERRUPTED"


@pytest.mark.parametrize("case", UNDISTURBED, ids=ids)
async def test_a_running_call_goes_on(case: tuple[Any, ...]) -> None:
    world = World()
    _name, shown, action, change = case
    assert await world.outcome(shown, action, change) == "went on"
    assert world.ended == []


@pytest.mark.parametrize("after", [None, "emg_2"])
async def test_what_an_emergency_let_in_ends_with_it(after: str | None) -> None:
    world = World([ruth(roles=["auditor"])], emergency="emg_1")
    assert await world.outcome(BY_KEY, "listQueue", then(emergency=after)) == "PERMISSION_DENIED"
    [(who, _decision, _reason)] = world.ended
    assert who.emergency == "emg_1"


async def test_an_emergency_that_began_since_saves_no_call() -> None:
    """Its use would be on record nowhere: only a call that is let in by it says so."""
    world = World()
    change = then(people=[ruth(roles=["auditor"])], emergency="emg_1")
    assert await world.outcome(BY_KEY, "listQueue", change) == "PERMISSION_DENIED"


async def test_a_call_that_is_over_by_then_is_not_touched() -> None:
    world = World()
    who = world.directory.standing(BY_KEY)
    async with world.calls.watched(who, BY_KEY, "endEmergencyAccess"):
        world.people = []
        await world.calls.sweep()  # the first since it began
        await asyncio.sleep(0)
    assert world.ended == []


async def test_it_ends_although_nothing_can_be_recorded_and_a_time_out_inside_stays_one() -> None:
    world = World(log_away=True)
    assert await world.outcome(BY_KEY, "listQueue", people()) == "INVALID_CREDENTIAL"
    world = World()
    with pytest.raises(TimeoutError):
        async with world.calls.watched(world.directory.standing(BY_KEY), BY_KEY, "listQueue"):
            raise TimeoutError


async def test_who_hangs_up_meanwhile_is_gone_and_the_denial_is_not() -> None:
    world = World()
    who = world.directory.standing(BY_KEY)

    async def call() -> None:
        async with world.calls.watched(who, BY_KEY, "listQueue"):
            await asyncio.Event().wait()

    running = asyncio.create_task(call())
    await asyncio.sleep(0)
    await world.calls.sweep()
    world.people = []
    await world.calls.sweep()
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it records now
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(world.ended) == 1


# --- over the wire ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["user", "key"])
def test_a_stream_of_events_ends_when_its_caller_is_revoked(start_server: Any, way: str) -> None:
    server = start_server(components=[build_ledger, build_people])
    name = fresh("portal")
    folder = server.embedded.folder
    with (
        PeopleClient(Connection.from_folder(folder, "demo-operator")) as operator,
        PeopleClient(Connection.from_folder(folder, "demo-safety-officer")) as officer,
    ):
        operator.enrol(program(name))
        issued = operator.issue_key(identity_pb2.IssueKeyRequest(name=name, expires=soon()))
        officer.proof(name, issued.user.version, identity_pb2.PROOF_METHOD_SYSTEM_OWNER)
        with with_token(server, issued.token) as app:
            ending = asyncio.run_coroutine_threadsafe(_never(), server.loop)
            messages = iter(
                [ledger_pb2.AppendStreamRequest(open=ledger_pb2.AppendStreamRequest.Open(emitter="em-1"))]
            )

            def requests() -> Any:
                yield from messages
                while not ending.done():
                    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), server.loop).result()

            stream = app.ledger.AppendStream(requests(), timeout=30)
            assert next(stream).opened.max_in_flight
            if way == "user":
                officer.revoke(name, identity_pb2.REVOCATION_REASON_LEFT)
            else:
                operator.revoke_key(
                    name, issued.credential_id, identity_pb2.REVOCATION_REASON_CREDENTIAL_LOST
                )
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            ending.cancel()
    error = translate(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIAL")
    # On record before it was answered.
    [denied] = server.run(server.app.ledger.stream_entries("demo", f"access/{name}"))
    body = parse_entry(denied.data).body
    assert (denied.type, body["action"], body["ended"], denied.actor) == (
        "access.denied",
        "appendStream",
        "INVALID_CREDENTIAL",
        f"app:{name}",
    )


async def _never() -> None:
    await asyncio.Event().wait()
