"""Two server processes on one PostgreSQL database and one key folder: they interleave, take over for each other, and
neither a death, a freeze nor an outage of the database loses or releases anything."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest
from attending.client import AdminClient, AttendingApiError, Client, EmergencyClient, ReviewClient
from attending.client.client import Result
from attending.client.errors import translate, translated
from attending.ledger.checkpoint import verify
from attending.ledger.entry import parse_entry
from attending.ledger.note import VerifierKey
from attending.ledger.proof import parse_receipt
from attending.ledger.store import postgres_admin
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.report import Findings, Status
from attending.ledger.verify.segments import verify_chain
from attending.server import projections
from attending.server.config import load_config
from attending.server.database import ledger_config
from attending.v1 import (
    admin_pb2,
    common_pb2,
    emergency_pb2,
    identity_pb2,
    inference_pb2,
    inference_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
)

from tests.derived import not_derived
from tests.e2e.calls import TIMEOUT, TREATMENT, infer_request, state
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.conftest import LETTER, REPLAYED
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.people import Enrolled, let_in, office, soon
from tests.e2e.server_process import ended
from tests.e2e.test_review_flow import accept_all
from tests.postgres_cluster import Cluster

pytestmark = [pytest.mark.kill, pytest.mark.xdist_group("several"), pytest.mark.timeout(420)]

DATABASE = "attending"
LEASE_SECONDS = 2.0
CLIENTS = 64
VERDICTS = {"inference.released", "inference.held", "inference.blocked"}
CLOSING = VERDICTS | {"inference.failed", "inference.abandoned"}
_numbers = itertools.count()


@dataclass
class Pair:
    """Both processes, and the database as its superuser sees it."""

    a: ConfiguredServer
    b: ConfiguredServer
    cluster: Cluster

    def stored(self, log_id: str = "north") -> list[bytes]:
        """Every entry's bytes, from the database itself."""
        rows = self.cluster.execute(
            f"SELECT data FROM attending.entry WHERE log_id = '{log_id}' ORDER BY entry_index",
            database=DATABASE,
        )
        return [bytes(row[0]) for row in rows]

    def log(self) -> list[Any]:
        return [parse_entry(data) for data in self.stored()]

    def owner(self, server: ConfiguredServer) -> str:
        """The owner under which a process writes, by an inference that it alone begins."""
        with Client(server.connection("north", "app")) as app:
            result = record(app)
        stream = self.stream(result.inference_id)
        return str(stream[0].body["owner"])

    def stream(self, inference_id: str) -> list[Any]:
        return [entry for entry in self.log() if entry.stream == inference_id]

    def types(self, inference_id: str) -> list[str]:
        return [entry.type for entry in self.stream(inference_id)]

    def prove(self, results: list[Result]) -> None:
        """The whole log, from the database's bytes, by code that shares nothing with the writers; and every head
        that anybody was shown is a prefix of it."""
        stored = self.stored()
        key = VerifierKey.parse(self.a.where["log_keys"]["north"])
        frontier = verify_chain(stored, key.name)
        for server in (self.a, self.b):
            with Client(server.connection("north", "auditor")) as auditor:
                note = auditor.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=TIMEOUT)
                head = verify(note.checkpoint, [key])
                assert (head.size, head.root) == (frontier.size, frontier.root())
        shown = {
            (head.size, head.root)
            for result in results
            for receipt in result.message.receipts
            for head in [verify(parse_receipt(receipt.tlog_proof).checkpoint, [key])]
        }
        sizes = [size for size, _root in shown]
        assert len(sizes) == len(set(sizes)), "two heads of one size: the log has forked"
        for size, root in shown:
            assert verify_chain(stored[:size], key.name).root() == root


def record(client: Client, key: str | None = None) -> Result:
    return client.record(
        "administrative-letter",
        "Write a letter.",
        LETTER,
        provider="own",
        model="own-1",
        tags={"team": "several", "feature": key or "once"},
        idempotency_key=key,
        timeout_seconds=TIMEOUT,
    )


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
    return found


def more_than(count: Callable[[], int], start: int) -> None:
    until(lambda: count() > start)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, lying_provider: LyingProvider) -> Iterator[Pair]:
    cluster = Cluster()
    with ExitStack() as stack:
        stack.callback(cluster.destroy)
        cluster.start()
        cluster.execute("CREATE ROLE app LOGIN", f"CREATE DATABASE {DATABASE}")
        postgres_admin.prepare(cluster.conninfo(DATABASE), [projections.metadata], grant_to=["app"])
        a = ConfiguredServer(
            tmp_path_factory.mktemp("several") / "shared",
            REPLAYED,
            lying_provider.url,
            provider_seconds=TIMEOUT,
            server=("reuse_port = true",),
            storage=(
                f'database = "{cluster.conninfo(DATABASE, "app")}"',
                f"owner_lease_seconds = {LEASE_SECONDS}",
            ),
            process="a",
            workers=2,
        )
        a.prepare()
        b = a.twin("b")
        stack.enter_context(ended(a, b))
        # At once, on an empty database: both create the logs, enrol the keys and record the policies.
        starting = [threading.Thread(target=server.start) for server in (a, b)]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        for server in (a, b):
            assert server.where, server.log.read_text(errors="replace")[-2000:]
            server.workers = 1  # of those that take their place, which meet no crowd
        yield Pair(a, b, cluster)
        assert [a.stop(), b.stop()] == [0, 0]
        assert not_derived(ledger_config(load_config(a.folder / "attending.toml"))) == []


@pytest.fixture
def apps(pair: Pair) -> Iterator[tuple[Client, Client]]:
    """The application's client of each process."""
    with Client(pair.a.connection("north", "app")) as a, Client(pair.b.connection("north", "app")) as b:
        yield a, b


def test_many_clients_of_both_interleave(pair: Pair) -> None:
    assert pair.a.where["log_keys"] == pair.b.where["log_keys"]
    results: list[Result] = []
    errors: list[Exception] = []

    def work(server: ConfiguredServer) -> None:
        try:
            with Client(server.connection("north", "app")) as client:
                results.extend(record(client, f"i-{next(_numbers)}") for _ in range(2))
        except Exception as err:
            errors.append(err)

    threads = [
        threading.Thread(target=work, args=(pair.a if n % 2 else pair.b,), daemon=True)
        for n in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=200)
    assert errors == []
    assert len(results) == 2 * CLIENTS
    assert all(result.verified and result.state == "released" for result in results)
    assert len({result.inference_id for result in results}) == 2 * CLIENTS
    pair.prove(results)
    log = pair.log()
    by_stream: dict[str, list[str]] = {}
    for entry in log:
        by_stream.setdefault(entry.stream, []).append(entry.type)
    for result in results:
        assert by_stream[result.inference_id] == [
            "inference.requested",
            "inference.generated",
            "inference.released",
        ]
    requested = [entry for entry in log if entry.type == "inference.requested"]
    owners = Counter(entry.body["owner"] for entry in requested)
    assert len(owners) == 2
    # They took turns, not one after the other.
    turns = [owner for owner, _group in itertools.groupby(entry.body["owner"] for entry in requested)]
    assert len(turns) > 4
    # Each process says in the system log that it started; what both would say is said once.
    system = [parse_entry(data) for data in pair.stored("system")]
    verify_chain(pair.stored("system"), "attending.local/system")
    started = [entry for entry in system if entry.type == "system.started"]
    assert {entry.stream for entry in started} == {f"server/{owner}" for owner in owners}
    assert all(entry.body["shared"] is True for entry in started)
    once = Counter(entry.stream for entry in log if entry.type in ("policy.activated", "key.enrolled"))
    assert set(once.values()) == {1}


def test_what_begins_in_one_is_read_watched_and_acknowledged_in_the_other(
    pair: Pair, apps: tuple[Client, Client]
) -> None:
    a, b = apps
    stream = a.inference.StreamInfer(
        inference_pb2.StreamInferRequest(request=infer_request(model="letter-slow")), timeout=TIMEOUT
    )
    inference_id = next(stream).accepted.inference_id or next(stream).accepted.inference_id
    assert b.get(inference_id).state == "received"
    seen = [(result.state, result.output) for result in b.watch(inference_id, timeout_seconds=TIMEOUT)]
    assert seen == [("received", None), ("released", LETTER)]
    assert list(stream)[-1].result.output == LETTER
    receipt = b.acknowledge(inference_id, recipient=common_pb2.RECIPIENT_PATIENT, channel="portal")
    assert receipt.index
    assert a.get(inference_id).output == LETTER
    assert pair.types(inference_id)[-2:] == ["inference.released", "inference.delivered"]


def test_one_key_in_both_at_once_is_one_inference(pair: Pair, apps: tuple[Client, Client]) -> None:
    key = f"both-{next(_numbers)}"
    found: list[inference_pb2.InferenceResult] = []

    def call(client: Client) -> None:
        request = infer_request(model="letter-slow", key=key)
        found.append(client.inference.Infer(request, timeout=TIMEOUT).result)

    before = len(pair.log())
    threads = [threading.Thread(target=call, args=(client,)) for client in apps for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(state(result), result.output) for result in found] == [("released", LETTER)] * 6
    assert len({result.inference_id for result in found}) == 1
    assert [entry.type for entry in pair.log()[before:]].count("inference.requested") == 1


def test_held_in_one_and_signed_in_the_other(pair: Pair, apps: tuple[Client, Client]) -> None:
    a, b = apps
    held = a.inference.Infer(infer_request(policy="patient-message", model="dose"), timeout=TIMEOUT).result
    assert state(held) == "held"
    ticket, key = held.ticket.ticket_id, pair.a.keys["north-clinician"]
    with (
        ReviewClient(pair.a.connection("north", "clinician")) as in_a,
        ReviewClient(pair.b.connection("north", "clinician")) as in_b,
    ):
        assert ticket in [item.ticket_id for item in in_b.queue()]
        lease = in_b.claim(ticket).lease_id
        accept_all(in_b, ticket, lease)
        # A statement waits in the process that made it: another one refuses, and nothing is signed.
        elsewhere = in_a.prepare(ticket, lease, key)
        with pytest.raises(AttendingApiError) as unknown:
            in_b.sign(ticket, lease, elsewhere, key)
        assert unknown.value.reason == "UNKNOWN_PREPARATION"
        signed = in_b.sign(ticket, lease, in_b.prepare(ticket, lease, key), key)
    assert [b.check_receipt(receipt) for receipt in signed.receipts] == [True, True]
    released = a.get(held.inference_id)
    assert (released.state, released.verified) == ("released", True)
    assert pair.types(held.inference_id)[-2:] == ["review.signed", "inference.released"]


def test_a_halt_in_one_stops_the_other_under_load(pair: Pair) -> None:
    """EU AI Act, Article 14(4)(e): callers of both processes without end, and a stop at any moment."""
    released: list[Result] = []
    reasons: Counter[str] = Counter()
    ending = threading.Event()

    def work(server: ConfiguredServer) -> None:
        with Client(server.connection("north", "app")) as client:
            while not ending.is_set():
                try:
                    released.append(record(client))
                except AttendingApiError as err:
                    reasons[err.reason] += 1
                    time.sleep(0.01)

    threads = [
        threading.Thread(target=work, args=(pair.a if n % 2 else pair.b,), daemon=True) for n in range(16)
    ]
    for thread in threads:
        thread.start()
    officers = [AdminClient(server.connection("north", "safety_officer")) for server in (pair.a, pair.b)]
    took: list[float] = []
    try:
        for turn in range(6):
            more_than(lambda: len(released), len(released))
            one, other = officers[turn % 2], officers[1 - turn % 2]
            policy = ["", "administrative-letter"][turn % 2]
            answer = one.halt(admin_pb2.HALT_REASON_DRILL, policy=policy)
            took.append(answer.time_to_halt.ToMilliseconds())
            assert any(standing.halted for standing in other.standings())
            more_than(lambda: reasons["SYSTEM_HALTED"], reasons["SYSTEM_HALTED"] + 4)
            other.resume(admin_pb2.RESUME_REASON_ENDED, policy=policy)
    finally:
        ending.set()
        for thread in threads:
            thread.join(timeout=120)
        for officer in officers:
            officer.close()
    assert set(reasons) == {"SYSTEM_HALTED"}
    findings = Findings()
    checks = Checks(findings, Scope.FULL, 0)
    halted = crossings = 0
    for entry in pair.log():
        checks.visit(entry)
        halted += {"system.halted": 1, "system.resumed": -1}.get(entry.type, 0)
        crossings += bool(halted) and entry.type in ("inference.requested", "inference.released")
    assert crossings == 0
    assert [result for result in findings.results() if result.status is Status.FAILED] == []
    assert len(took) == 6
    assert all(took)


REVOKED_WITHIN_SECONDS = 3 * 1.0 + 1.0
"""Three polls of another process's changes (`enrolment.poll_seconds`), and the second in which running calls end."""
BUSY_SECONDS = 8.0
"""What a machine that runs everything at once may add."""


def open_streams(server: ConfiguredServer, who: Enrolled, held: str) -> list[grpc.Call]:
    """A call of each kind that streams, under way: what it watches or waits for gives nothing by itself."""
    channel = who.connection(server).channel()
    inference = inference_pb2_grpc.InferenceServiceStub(channel)
    request = infer_request(provider="remote", model="waits", purpose_of_use=TREATMENT)
    running = inference.StreamInfer(inference_pb2.StreamInferRequest(request=request), timeout=TIMEOUT)
    while next(running).progress.stage != "generating":
        pass
    mine = inference_pb2.WatchInferenceRequest(inference_id=held, purpose_of_use=TREATMENT)
    watching = inference.WatchInference(mine, timeout=TIMEOUT)
    assert state(next(watching).result) == "held"
    opening = ledger_pb2.AppendStreamRequest(open=ledger_pb2.AppendStreamRequest.Open(emitter=who.name))
    ended = threading.Event()

    def messages() -> Iterator[ledger_pb2.AppendStreamRequest]:
        yield opening
        ended.wait(TIMEOUT)

    events = ledger_pb2_grpc.LedgerServiceStub(channel).AppendStream(messages(), timeout=TIMEOUT)
    events.add_callback(ended.set)
    assert next(events).opened.max_in_flight
    return [running, watching, events]


def let_in_by(client: Client) -> bool:
    return reason_of(client.ledger.GetCheckpoint, ledger_pb2.GetCheckpointRequest()) == "OK"


def held_for(server: ConfiguredServer, who: Enrolled) -> str:
    with who.client(server) as app:
        request = infer_request(policy="patient-message", model="dose", purpose_of_use=TREATMENT)
        return app.inference.Infer(request, timeout=TIMEOUT).result.inference_id


def reason_of(call: Callable[..., Any], *arguments: Any) -> str:
    """`OK`, or why the call was refused."""
    try:
        call(*arguments)
    except grpc.RpcError as err:
        return translate(err).reason
    except AttendingApiError as err:
        return err.reason
    return "OK"


@pytest.mark.parametrize("what", ["user", "key"])
def test_who_is_revoked_in_one_is_refused_and_cut_off_by_the_other(
    pair: Pair, lying_provider: LyingProvider, what: str
) -> None:
    here, there = (pair.a, pair.b) if what == "user" else (pair.b, pair.a)
    who, other = let_in(here), let_in(here)
    request = ledger_pb2.GetCheckpointRequest()
    with who.client(there) as app, other.client(there) as undisturbed:
        for client in (app, undisturbed):
            # Enrolled in one: let in by the other once it has asked.
            until(partial(let_in_by, client))
        streams = open_streams(there, who, held_for(there, who))
        others = open_streams(there, other, held_for(there, other))
        with office(here) as operator:
            if what == "user":
                operator.revoke(who.name, identity_pb2.REVOCATION_REASON_MISUSE)
            else:
                operator.revoke_key(
                    who.name, who.credential_id, identity_pb2.REVOCATION_REASON_CREDENTIAL_LOST
                )
        revoked = time.monotonic()
        # What runs is waited for, what is new is asked again and again: both within the bound that is documented.
        reasons = [reason_of(list, call) for call in streams]
        assert time.monotonic() - revoked < REVOKED_WITHIN_SECONDS + BUSY_SECONDS
        assert reasons == ["INVALID_CREDENTIAL"] * 3
        assert reason_of(app.ledger.GetCheckpoint, request) == "INVALID_CREDENTIAL"
        assert [call.is_active() for call in others] == [True] * 3
        for call in others:
            call.cancel()
        assert undisturbed.ledger.GetCheckpoint(request).checkpoint
    denied = {
        entry.body["action"]: entry.body["ended"]
        for entry in pair.log()
        if entry.type == "access.denied" and entry.actor == f"app:{who.name}" and "ended" in entry.body
    }
    assert denied == dict.fromkeys(("streamInfer", "watchInference", "appendStream"), "INVALID_CREDENTIAL")
    # Closed by the process that ran it, as for a caller who hung up.
    [theirs] = [
        entry.stream
        for entry in pair.log()
        if entry.type == "inference.requested"
        and (entry.actor, entry.body["model"]) == (f"app:{who.name}", "waits")
    ]
    assert pair.types(theirs) == ["inference.requested"]
    until(lambda: lying_provider.tell() and len(pair.types(theirs)) > 1)
    assert pair.types(theirs)[-1] in CLOSING


def test_one_identity_enrolled_proofed_and_revoked_in_both_at_once_is_each_once(pair: Pair) -> None:
    name = f"both-{next(_numbers)}"
    order = identity_pb2.EnrolUserRequest(name=name, kind=identity_pb2.USER_KIND_APPLICATION, roles=["app"])

    def race(*calls: Callable[[], Any]) -> list[str]:
        """Reasons of calls made at the same moment, sorted."""
        outcomes: list[str] = []
        threads = [
            threading.Thread(target=lambda call=call: outcomes.append(reason_of(call))) for call in calls
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(outcomes)

    with ExitStack() as stack:
        servers = (pair.a, pair.b) * 3
        operators = [stack.enter_context(office(server)) for server in servers]
        officers = [stack.enter_context(office(server, "safety_officer")) for server in servers]
        enrolled = race(*(partial(one.enrol, order) for one in operators))
        assert enrolled.count("OK") == 1
        assert set(enrolled) <= {"OK", "NAME_TAKEN", "USER_CHANGED"}
        issued = operators[0].issue_key(identity_pb2.IssueKeyRequest(name=name, expires=soon()))
        version, method = issued.user.version, identity_pb2.PROOF_METHOD_SYSTEM_OWNER
        proofed = race(*(partial(one.proof, name, version, method) for one in officers))
        assert proofed.count("OK") == 1
        assert set(proofed) <= {"OK", "USER_CHANGED", "NOTHING_TO_PROOF"}
        # One key everywhere: a retry after an answer that was lost, at whichever process it arrives.
        why = identity_pb2.REVOCATION_REASON_REPLACED
        revoked = race(*(partial(one.revoke, name, why, key=f"revoke-{name}") for one in officers))
        assert set(revoked) <= {"OK", "USER_CHANGED"}
        assert "OK" in revoked
        assert [one.revoke(name, why, key=f"revoke-{name}").user.state for one in officers] == [
            identity_pb2.USER_STATE_REVOKED
        ] * 6
    assert [entry.type for entry in pair.log() if entry.stream == f"user:{name}"] == [
        "user.enrolled",
        "credential.issued",
        "user.proofed",
        "user.revoked",
    ]


def test_emergency_access_that_begins_in_one_is_marked_and_ended_by_the_other(pair: Pair) -> None:
    with (
        EmergencyClient(pair.a.connection("north", "pharmacist")) as in_a,
        EmergencyClient(pair.b.connection("north", "pharmacist")) as in_b,
    ):

        def marked() -> bool:
            """Whether the other process says of a call that it was made during the access."""
            in_b.accesses()
            return any(
                entry.stream == f"access/{access.access_id}" and entry.body["action"] == "listEmergencyAccess"
                for entry in pair.log()
            )

        access = in_a.begin(emergency_pb2.EMERGENCY_REASON_PATIENT_IN_DANGER, minutes=5)
        until(marked)
        in_b.end(access.access_id)

        def told() -> int:
            in_a.accesses()
            return len([entry for entry in pair.log() if entry.stream == f"access/{access.access_id}"])

        def quiet() -> bool:
            """Whether the first process has learned of the end: a call adds nothing any more."""
            return told() == told()

        until(quiet)
        assert told() == told()


@pytest.mark.parametrize("name", ["\x00", "tkt_\x00", "x" * 100_000, "'; DROP TABLE entry; --"])
def test_ids_that_nothing_can_have_are_not_found(pair: Pair, apps: tuple[Client, Client], name: str) -> None:
    """PostgreSQL refuses some of them by itself, which must not look like an outage."""
    app = apps[0]
    with (
        ReviewClient(pair.a.connection("north", "clinician")) as reviewer,
        Client(pair.a.connection("north", "auditor")) as auditor,
    ):
        calls: list[Callable[[], Any]] = [
            lambda: app.get(name),
            lambda: list(app.watch(name, timeout_seconds=TIMEOUT)),
            lambda: app.acknowledge(name, recipient=common_pb2.RECIPIENT_PATIENT, channel="portal"),
            lambda: reviewer.item(name),
            lambda: reviewer.claim(name),
            lambda: translated(auditor.ledger.ListEntries)(
                ledger_pb2.ListEntriesRequest(inference_id=name), timeout=TIMEOUT
            ),
        ]
        for call in calls:
            with pytest.raises(AttendingApiError) as missing:
                call()
            assert missing.value.code is grpc.StatusCode.NOT_FOUND
        assert reviewer.queue(policy=name) == []


def test_the_longest_names_that_a_request_may_have_are_stored(apps: tuple[Client, Client]) -> None:
    longest = "m" * 128
    result = apps[0].record(
        "administrative-letter",
        "Write a letter.",
        LETTER,
        provider=longest,
        model=longest,
        on_behalf_of="s" * 128,
        tags={"team": "t" * 64, "feature": "f" * 64},
    )
    assert result.state == "released"
    assert apps[1].get(result.inference_id).message.versions.provider == longest


def test_a_server_that_stops_while_the_database_is_away_leaves_its_calls_to_the_others(
    pair: Pair, apps: tuple[Client, Client]
) -> None:
    third = pair.a.twin("d")
    third.start()
    with ended(third), Client(third.connection("north", "app")) as client:
        stream = client.inference.StreamInfer(
            inference_pb2.StreamInferRequest(request=infer_request(model="letter-slow")), timeout=TIMEOUT
        )
        inference_id = next(stream).accepted.inference_id or next(stream).accepted.inference_id
        pair.cluster.stop(signal.SIGINT)
        try:
            # In order, although nothing can be recorded any more: nobody waits for ever.
            assert third.stop() == 0
            with pytest.raises(grpc.RpcError):
                list(stream)
        finally:
            pair.cluster.start()
    until(lambda: _state(apps[1], inference_id) == "abandoned")
    assert pair.types(inference_id) == ["inference.requested", "inference.abandoned"]


def _state(client: Client, inference_id: str) -> str:
    """As the application sees it; the reason where the call is refused."""
    try:
        return client.get(inference_id).state
    except AttendingApiError as err:
        return err.reason


def test_several_listen_on_one_port(pair: Pair) -> None:
    third = pair.a.twin("c")
    owner_a = pair.owner(pair.a)
    third.start(token_port=pair.a.where["token_port"])
    try:
        assert third.where["token_port"] == pair.a.where["token_port"]
        # The system spreads connections, so that of many some reach each.
        owners = {pair.owner(third) for _ in range(24)}
        assert len(owners) == 2
        assert owner_a in owners
    finally:
        assert third.stop() == 0
    assert pair.owner(pair.a) == owner_a


@dataclass
class Load:
    """Writers of both processes that go on until told to stop."""

    pair: Pair
    acknowledged: dict[str, Result] = field(default_factory=dict)
    refused: dict[str, AttendingApiError] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, each: int = 4) -> None:
        for server in (self.pair.a, self.pair.b):
            for _ in range(each):
                self.threads.append(threading.Thread(target=self._write, args=(server,), daemon=True))
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=120)
            assert not thread.is_alive(), "a call hangs"

    def _write(self, server: ConfiguredServer) -> None:
        with Client(server.connection("north", "app")) as client:
            while not self.stop.is_set():
                key = f"load-{next(_numbers)}"
                try:
                    self.acknowledged[key] = record(client, key)
                except AttendingApiError as err:
                    self.refused[key] = err
                    if err.reason == "SERVER_UNREACHABLE":
                        return
                    time.sleep(err.retry_after_seconds or 0.2)

    def settled(self, client: Client) -> None:
        """Every acknowledged answer is given again; every refused key has one definite answer."""
        for key, first in self.acknowledged.items():
            again = record(client, key)
            assert (again.inference_id, again.state, again.output) == (
                first.inference_id,
                first.state,
                first.output,
            )
        for key in self.refused:
            end = time.monotonic() + 60
            while (found := record(client, key).state) == "received" and time.monotonic() < end:
                time.sleep(0.05)
            assert found in ("released", "abandoned")

    def closed_once(self) -> None:
        """No key ran twice, and every call has exactly one closing entry."""
        keys = {*self.acknowledged, *self.refused}
        requested: Counter[str] = Counter()
        closing: Counter[str] = Counter()
        streams: dict[str, str] = {}
        for entry in self.pair.log():
            if entry.type == "inference.requested" and entry.body["tags"]["feature"] in keys:
                requested[entry.body["tags"]["feature"]] += 1
                streams[entry.stream] = entry.body["tags"]["feature"]
            elif entry.type in CLOSING and entry.stream in streams:
                closing[streams[entry.stream]] += 1
        assert set(requested.values()) == {1}
        assert closing == requested


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_an_outage_of_the_database_loses_nothing(pair: Pair, apps: tuple[Client, Client], how: str) -> None:
    before = len(pair.log())
    load = Load(pair)
    load.start()
    until(lambda: len(load.acknowledged) >= 8)
    if how == "restart":
        pair.cluster.stop(signal.SIGINT)
    else:
        pair.cluster.kill()
    until(lambda: len(load.refused) >= 4)
    pair.cluster.start()
    at = len(load.acknowledged)
    # The servers go on by themselves.
    until(lambda: len(load.acknowledged) >= at + 8)
    load.end()
    for error in load.refused.values():
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert error.retry_after_seconds
    for client in apps:
        load.settled(client)
    load.closed_once()
    pair.prove(list(load.acknowledged.values()))
    # Nobody was taken for dead.
    reasons = {entry.body["reason"] for entry in pair.log()[before:] if entry.type == "inference.abandoned"}
    assert "OWNER_GONE" not in reasons


def test_a_commit_that_no_standby_confirmed_is_told_to_nobody(
    pair: Pair, apps: tuple[Client, Client]
) -> None:
    """Cancelling the wait for a standby makes the entry visible here, and the commit report success."""
    a, b = apps
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'app'"
    key, size = f"standby-{next(_numbers)}", len(pair.log())
    answers: list[Result | AttendingApiError] = []

    def call() -> None:
        try:
            answers.append(record(a, key))
        except AttendingApiError as err:
            answers.append(err)

    pair.cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    pair.cluster.reload()
    try:
        calling = threading.Thread(target=call, daemon=True)
        calling.start()
        until(lambda: pair.cluster.execute(waiting))
        # Beats do not wait for it: nobody is taken for dead meanwhile.
        time.sleep(3 * LEASE_SECONDS)
        alive = pair.cluster.execute(
            "SELECT owner FROM attending.owner_beat WHERE expires_at > extract(epoch FROM now()) * 1000000",
            database=DATABASE,
        )
        assert len(alive) == 2
        # Whoever waits is cancelled, until the entry of the call can be seen.
        cancel = waiting.replace("SELECT pid", "SELECT pg_cancel_backend(pid)")
        until(lambda: pair.cluster.execute(cancel) and len(pair.log()) > size)
        [requested] = [entry for entry in pair.log()[size:] if entry.type == "inference.requested"]
        # Seen, and signed by nobody: neither process gives a receipt of it.
        with pytest.raises(AttendingApiError) as unsigned:
            b.get(requested.stream, timeout_seconds=3)
        assert unsigned.value.code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        assert not any(isinstance(answer, Result) for answer in answers)
    finally:
        pair.cluster.execute("ALTER SYSTEM RESET synchronous_standby_names")
        pair.cluster.reload()
    calling.join(TIMEOUT)
    [answer] = answers
    if isinstance(answer, AttendingApiError):
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert answer.retry_after_seconds
    until(lambda: _state(b, requested.stream) in ("released", "abandoned"))
    settled = record(b, key)
    assert settled.inference_id == requested.stream
    pair.prove([settled])


def test_a_frozen_process_is_taken_for_dead_and_releases_nothing(
    pair: Pair, apps: tuple[Client, Client]
) -> None:
    a, b = apps
    frozen, other = pair.owner(pair.a), pair.owner(pair.b)
    stream = a.inference.StreamInfer(
        inference_pb2.StreamInferRequest(request=infer_request(model="letter-slow")), timeout=TIMEOUT
    )
    inference_id = next(stream).accepted.inference_id or next(stream).accepted.inference_id
    os.kill(pair.a.pid, signal.SIGSTOP)
    try:
        until(lambda: b.get(inference_id).state == "abandoned")
    finally:
        os.kill(pair.a.pid, signal.SIGCONT)
    # It wakes up with the model's text, and may not give it to anybody.
    answer = list(stream)[-1].result
    assert (state(answer), answer.output) == ("abandoned", "")
    assert pair.types(inference_id) == ["inference.requested", "inference.abandoned", "inference.late"]
    abandoned = pair.stream(inference_id)[1]
    assert (abandoned.actor, abandoned.body["former_owner"]) == (f"system:{other}", frozen)
    # And goes on as the same owner.
    assert pair.owner(pair.a) == frozen


def test_a_killed_process_s_calls_are_abandoned_and_nobody_else_s(
    pair: Pair, apps: tuple[Client, Client]
) -> None:
    _a, b = apps
    dead, other = pair.owner(pair.a), pair.owner(pair.b)
    before = len(pair.log())
    load = Load(pair)
    load.start()
    until(lambda: len(load.acknowledged) >= 8)
    # One call that is certainly open when the process dies, and one that lives in the other.
    with Client(pair.a.connection("north", "app")) as doomed:
        stream = doomed.inference.StreamInfer(
            inference_pb2.StreamInferRequest(request=infer_request(model="letter-slow")), timeout=TIMEOUT
        )
        inference_id = next(stream).accepted.inference_id or next(stream).accepted.inference_id
        pair.a.kill()
        with pytest.raises(grpc.RpcError):
            list(stream)
    watched = [result.state for result in b.watch(inference_id, timeout_seconds=TIMEOUT)]
    assert watched == ["received", "abandoned"]
    load.end()
    until(lambda: not _open_calls(pair))
    found = [entry for entry in pair.log()[before:] if entry.type == "inference.abandoned"]
    assert found
    assert {(entry.actor, entry.body["former_owner"]) for entry in found} == {(f"system:{other}", dead)}
    # A new process takes its place, as an owner of its own.
    pair.a.start()
    assert pair.owner(pair.a) not in (dead, other)
    with Client(pair.a.connection("north", "app")) as again:
        load.settled(again)
    load.closed_once()
    pair.prove(list(load.acknowledged.values()))


def _open_calls(pair: Pair) -> int:
    rows = pair.cluster.execute(
        "SELECT count(*) FROM attending.inference WHERE state = 'received'", database=DATABASE
    )
    return int(rows[0][0])
