"""kill -9 of a server on PostgreSQL while reports are made, sealed and issued, and records of use are compared; a disk
that is full at each of these; and a time stamp authority that is slow or lies to two processes at once.

Nothing is lost, nothing is there by half, and a file is the same bytes whoever makes it again.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from attending.client import ReportClient
from attending.client.errors import AttendingApiError, translate
from attending.client.review import key_id
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.note import VerifierKey
from attending.ledger.report_signature import DISCARDED, ISSUED, REQUESTED, report_stream
from attending.ledger.store import postgres_admin
from attending.ledger.usage import RECONCILED
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.report import Status
from attending.server import projections
from attending.server.config import load_config
from attending.server.database import ledger_config
from attending.server.reports.workshop import BUNDLE, DRAFT, ISSUED_PDF, WORK
from attending.v1 import report_pb2, report_pb2_grpc

from tests.derived import not_derived
from tests.e2e.report_process import ReportProcess
from tests.e2e.server_process import ended
from tests.postgres_cluster import Cluster
from tests.server.reports.authorities import Office, StampAuthority, authority, sealing, stamping

pytestmark = [pytest.mark.kill, pytest.mark.xdist_group("reports"), pytest.mark.timeout(420)]

DATABASE = "attending"
WHO = "privacy_officer"
SECONDS = 120.0
STAMP_SECONDS = 3.0
FILE = report_pb2.ReportFile
_WAITS_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%INSERT%entry%'"
)


def until(condition: Callable[[], Any], pause: float = 0.02) -> Any:
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(pause)
    return found


@dataclass
class House:
    """Two processes of one configuration (the second is started where it is needed), their database and authority."""

    a: ReportProcess
    b: ReportProcess
    cluster: Cluster
    office: Office
    clients: ExitStack = field(default_factory=ExitStack)

    def client(self, server: ReportProcess | None = None) -> ReportClient:
        connection = (server or self.a).connection("north", WHO)
        return self.clients.enter_context(ReportClient(connection))

    def stream(self, stream: str) -> list[Entry]:
        """Its entries, from the database itself."""
        rows = self.cluster.execute(
            f"SELECT data FROM attending.entry WHERE log_id = 'north' AND stream = '{stream}' ORDER BY entry_index",
            database=DATABASE,
        )
        return [parse_entry(bytes(row[0])) for row in rows]

    def of_type(self, kind: str) -> list[Entry]:
        query = "SELECT data FROM attending.entry WHERE log_id = 'north' ORDER BY entry_index"
        rows = self.cluster.execute(query, database=DATABASE)
        return [entry for row in rows if (entry := parse_entry(bytes(row[0]))).type == kind]

    def issued(self, report_id: str) -> list[Entry]:
        return [one for one in self.stream(report_stream(report_id)) if one.type == ISSUED]

    @contextmanager
    def no_entry(self) -> Iterator[None]:
        """Whoever appends waits; who reads does not."""
        with psycopg.connect(self.cluster.conninfo(DATABASE)) as held:
            held.execute("LOCK TABLE attending.entry IN EXCLUSIVE MODE")
            yield
            held.rollback()

    def waits(self) -> bool:
        """Whether an append waits."""
        return bool(self.cluster.execute(_WAITS_FOR_A_LOCK, database=DATABASE)[0][0])

    def killed(self) -> None:
        """The first process is killed and started again."""
        if self.a.running:
            self.a.kill()
        self.clients.close()
        self.a.start()
        assert self.left(self.a.reports / WORK) == []

    @staticmethod
    def left(folder: Path) -> list[Path]:
        return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    cluster = Cluster()
    office = _office(tmp_path_factory.mktemp("office") / "seal")
    with ExitStack() as stack:
        stack.callback(cluster.destroy)
        cluster.start()
        cluster.execute("CREATE ROLE app LOGIN", f"CREATE DATABASE {DATABASE}")
        postgres_admin.prepare(cluster.conninfo(DATABASE), [projections.metadata], grant_to=["app"])
        stack.enter_context(office.stamps.listening())
        section = office.section(timeout_seconds=STAMP_SECONDS)
        seal = {name: str(value) for name, value in section.model_dump(exclude_defaults=True).items()}
        a = ReportProcess(
            tmp_path_factory.mktemp("reports") / "shared",
            [],
            "https://127.0.0.1:1",
            server=("reuse_port = true",),
            storage=(f'database = "{cluster.conninfo(DATABASE, "app")}"', "owner_lease_seconds = 2.0"),
            process="a",
            sections=(
                "[reports.seal]",
                *(f"{name} = {json.dumps(value)}" for name, value in seal.items() if name not in _NUMBERS),
                f"allow_private = true\ntimeout_seconds = {STAMP_SECONDS}",
                "[[reports.schedules]]",
                f'name = "month"\nevery = "monthly"\nfirst = "{datetime.now(UTC):%Y-%m}-01"\nafter_days = 0',
                'tenants = ["north"]',
            ),
        )
        a.prepare()
        b = a.twin("b")
        stack.enter_context(ended(a, b))
        a.start()
        made = House(a, b, cluster, office)
        yield made
        made.clients.close()
        assert a.stop() == 0
        assert not_derived(ledger_config(load_config(a.folder / "attending.toml"))) == []


_NUMBERS = ("allow_private", "timeout_seconds", "revocation_lists")


class Punctual(StampAuthority):
    """Has the machine's clock, as the log has."""

    def answer(self, request: bytes) -> tuple[int, bytes]:
        self.time = datetime.now(UTC).replace(microsecond=0)
        return super().answer(request)


def _office(folder: Path) -> Office:
    root, stamp_root = authority("Seal root"), authority("Stamp root")
    begins, ends = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    stamps = Punctual(stamping(stamp_root, begins=begins, ends=ends))
    return Office(folder, root, sealing(root, begins=begins, ends=ends), stamp_root, stamps)


@pytest.fixture(autouse=True)
def honest(house: House) -> Iterator[None]:
    house.office.stamps.spoil = lambda body: (200, body)
    yield
    house.office.stamps.spoil = lambda body: (200, body)
    house.clients.close()


def asked_for(client: ReportClient) -> str:
    found = client.create(report_pb2.REPORT_KIND_REGULATOR, report_pb2.ReportScope(), "audit")
    return found.report_id


def ready(client: ReportClient, report_id: str) -> None:
    def state() -> bool:
        found = client.get(report_id)
        assert found.state != report_pb2.REPORT_STATE_FAILED, found.failure
        return found.state != report_pb2.REPORT_STATE_MAKING

    until(state)


def given(client: ReportClient, report_id: str, file: FILE.ValueType, folder: Path) -> bytes:
    out = folder / uuid.uuid4().hex
    client.download(report_id, file, "audit", out)
    return out.read_bytes()


def signed_off(house: House, folder: Path) -> str:
    """A report that waits to be issued."""
    client = house.client()
    report_id = asked_for(client)
    ready(client, report_id)
    given(client, report_id, report_pb2.REPORT_FILE_DRAFT, folder)
    key = house.a.keys[house.a.name("north", WHO)]
    client.sign(*client.prepare(report_id, key_id(key)), key)
    return report_id


@dataclass
class Issuing:
    """One call to issue, in a thread of its own; `answer` or `reason` when it has ended."""

    client: ReportClient
    request: report_pb2.IssueReportRequest
    answer: report_pb2.IssueReportResponse | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        stub = report_pb2_grpc.ReportServiceStub(self.client._channel)
        try:
            self.answer = stub.IssueReport(self.request, timeout=SECONDS)
        except grpc.RpcError as err:
            self.reason = translate(err).reason

    def end(self) -> None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


def request(report_id: str) -> report_pb2.IssueReportRequest:
    return report_pb2.IssueReportRequest(idempotency_key=uuid.uuid4().hex, report_id=report_id)


def issue(client: ReportClient, asked: report_pb2.IssueReportRequest) -> report_pb2.IssueReportResponse:
    """The answer; a refusal as AttendingApiError."""
    call = Issuing(client, asked)
    call.end()
    assert call.answer is not None, call.reason
    return call.answer


def proved(house: House, report_id: str, folder: Path) -> bytes:
    """The issued file: of the one entry, sealed, and an auditor's own check of it."""
    client = house.client()
    [entry] = house.issued(report_id)
    ready(client, report_id)
    pdf = given(client, report_id, report_pb2.REPORT_FILE_REPORT, folder)
    assert hashlib.sha256(pdf).hexdigest() == entry.body["pdf"]
    path = folder / f"{report_id}.pdf"
    path.write_bytes(pdf)
    anchors = Anchors(keys=(VerifierKey.parse(house.a.where["log_keys"]["north"]),))
    report = verify_report(path, anchors, house.office.anchors)
    assert report.failures == ()
    passed = {one.check for one in report.results if one.status is Status.PASSED}
    assert passed >= {"V2", "V3", "V4", "V10", "V20"}
    return pdf


def made_anew(house: House, report_id: str, folder: Path) -> bytes:
    """The issued file after every file of it is lost."""
    shutil.rmtree(house.a.reports / "north" / report_id)
    client = house.client()

    def again() -> bytes:
        try:
            return given(client, report_id, report_pb2.REPORT_FILE_REPORT, folder)
        except AttendingApiError as err:
            if err.reason != "REPORT_NOT_READY":
                raise
            return b""

    found: bytes = until(again, pause=0.5)
    return found


@pytest.mark.parametrize("moment", ["before the stamp", "before the entry", "before the answer"])
def test_kill_nine_at_the_issue(house: House, tmp_path: Path, moment: str) -> None:
    report_id, stamps = signed_off(house, tmp_path), house.office.stamps
    place, asked = house.a.reports / "north" / report_id, request(report_id)
    with ExitStack() as held:

        def spoil(body: bytes) -> tuple[int, bytes]:
            if moment == "before the stamp":
                house.a.kill()
            elif moment == "before the entry":
                held.enter_context(house.no_entry())
            return 200, body

        stamps.spoil = spoil
        call = Issuing(house.client(), asked)
        if moment == "before the entry":
            until(house.waits)
            [sealed] = house.a.reports.joinpath(WORK).glob(f"*/{ISSUED_PDF}")
            assert b"/ByteRange" in sealed.read_bytes(), "it is not sealed, so this run proves nothing"
            house.a.kill()
        elif moment == "before the answer":
            until(lambda: house.issued(report_id), pause=0.0)
            house.a.kill()
        call.end()
    stamps.spoil = lambda body: (200, body)
    if moment != "before the answer":
        assert (call.reason, house.issued(report_id)) == ("SERVER_UNREACHABLE", [])
        assert not (place / ISSUED_PDF).exists()
    asked_before = len(stamps.requests)
    house.killed()
    client = house.client()
    state = client.get(report_id).state
    if moment == "before the answer":
        assert state == report_pb2.REPORT_STATE_ISSUED
    else:
        assert state == report_pb2.REPORT_STATE_SIGNED_OFF
    again = issue(client, asked)
    [entry] = house.issued(report_id)
    assert again.receipt.index == entry.index
    assert len(stamps.requests) - asked_before == (0 if moment == "before the answer" else 1)
    pdf = proved(house, report_id, tmp_path)
    assert made_anew(house, report_id, tmp_path) == pdf
    assert house.left(house.a.reports / WORK) == []


def test_kill_nine_while_a_report_is_made(house: House, tmp_path: Path) -> None:
    report_id = asked_for(house.client())
    until(lambda: any(house.a.reports.joinpath(WORK).glob(f"*/{BUNDLE}")), pause=0.0)
    house.a.kill()
    place = house.a.reports / "north" / report_id
    assert not (place / DRAFT).exists()
    assert house.left(house.a.reports / WORK), "nothing was under way, so this run proves nothing"
    house.killed()
    files: list[list[bytes]] = []
    for _time in range(2):
        client = house.client()
        client.get(report_id)
        ready(client, report_id)
        kinds = (report_pb2.REPORT_FILE_DRAFT, report_pb2.REPORT_FILE_BUNDLE)
        files.append([given(client, report_id, kind, tmp_path) for kind in kinds])
        shutil.rmtree(place)
    assert files[0] == files[1]
    [_requested] = [one for one in house.stream(report_stream(report_id)) if one.type == REQUESTED]


@pytest.mark.parametrize("moment", ["before the entry", "before the answer"])
def test_kill_nine_at_a_discard(house: House, tmp_path: Path, moment: str) -> None:
    client = house.client()
    report_id = asked_for(client)
    ready(client, report_id)
    place = house.a.reports / "north" / report_id
    asked = report_pb2.DiscardReportRequest(idempotency_key=uuid.uuid4().hex, report_id=report_id)

    def discarded() -> list[Entry]:
        return [one for one in house.stream(report_stream(report_id)) if one.type == DISCARDED]

    with ExitStack() as held:
        if moment == "before the entry":
            held.enter_context(house.no_entry())
        call = report_pb2_grpc.ReportServiceStub(client._channel).DiscardReport.future(asked, timeout=SECONDS)
        until(house.waits if moment == "before the entry" else discarded, pause=0.0)
        house.a.kill()
        until(call.done)
    house.killed()
    client = house.client()
    if moment == "before the entry":
        assert discarded() == []
        ready(client, report_id)
        assert given(client, report_id, report_pb2.REPORT_FILE_DRAFT, tmp_path).startswith(b"%PDF-")
    again = report_pb2_grpc.ReportServiceStub(client._channel).DiscardReport(asked, timeout=SECONDS)
    assert [one.index for one in discarded()] == [again.receipt.index]
    assert again.report.state == report_pb2.REPORT_STATE_DISCARDED
    until(lambda: not place.exists())


# -- the records of a provider ------------------------------------------------------------------------------------


@dataclass
class Reconciling:
    """One comparison, whose records come as they are let; `answer` or `reason` when it has ended."""

    client: ReportClient
    key: str
    more: threading.Event = field(default_factory=threading.Event)
    sent: threading.Event = field(default_factory=threading.Event)
    answer: report_pb2.ReconcileUsageResponse | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _messages(self) -> Iterator[report_pb2.ReconcileUsageRequest]:
        whole = report_pb2.ReconcileUsageRequest
        opening = whole.Open(idempotency_key=self.key, provider="own", file_sha256=b"f" * 32, records=2)
        now = datetime.now(UTC)
        getattr(opening, "from").FromDatetime(now - timedelta(hours=1))
        opening.to.FromDatetime(now)
        if self.key in _OPENINGS:  # the same call is the same order
            opening = _OPENINGS[self.key]
        _OPENINGS[self.key] = opening
        yield whole(open=opening)
        for row in (1, 2):
            one = report_pb2.UsageRecord(row=row, ids=[f"call-{row}"], model="own-1")
            one.time.CopyFrom(getattr(opening, "from"))
            yield whole(records=whole.Records(records=[one]))
            self.sent.set()
            self.more.wait(SECONDS)

    def _run(self) -> None:
        stub = report_pb2_grpc.ReportServiceStub(self.client._channel)
        try:
            self.answer = stub.ReconcileUsage(self._messages(), timeout=SECONDS)
        except grpc.RpcError as err:
            self.reason = translate(err).reason

    def end(self) -> None:
        self.more.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


_OPENINGS: dict[str, report_pb2.ReconcileUsageRequest.Open] = {}


@pytest.mark.parametrize("moment", ["during the upload", "before the entry", "before the answer"])
def test_kill_nine_while_records_of_use_are_compared(house: House, moment: str) -> None:
    folder, key = house.a.folder / "ledger" / "usage", uuid.uuid4().hex
    before = len(house.of_type(RECONCILED))
    with ExitStack() as held:
        call = Reconciling(house.client(), key)
        assert call.sent.wait(SECONDS)
        until(lambda: house.left(folder))
        if moment == "before the entry":
            held.enter_context(house.no_entry())
            call.more.set()
            until(house.waits)
        elif moment == "before the answer":
            call.more.set()
            until(lambda: len(house.of_type(RECONCILED)) > before, pause=0.0)
        house.a.kill()
        call.end()
    on_record = before + (moment == "before the answer")
    assert len(house.of_type(RECONCILED)) == on_record
    if moment != "before the answer":
        assert call.reason == "SERVER_UNREACHABLE"
    house.killed()
    assert house.left(folder) == []
    again = Reconciling(house.client(), key)
    again.end()
    assert again.answer is not None, again.reason
    assert (again.answer.reconciliation.records, again.answer.reconciliation.bypassed) == (2, 2)
    *_earlier, entry = house.of_type(RECONCILED)
    assert (len(house.of_type(RECONCILED)), entry.index) == (before + 1, again.answer.receipt.index)
    assert house.left(folder) == []


# -- a full disk ---------------------------------------------------------------------------------------------------


@contextmanager
def full(server: ReportProcess, size: int) -> Iterator[None]:
    """No file of the process, or of one that it starts, may grow beyond so many bytes."""
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(AttendingApiError) as caught:
        call()
    return caught.value.code, caught.value.reason


NOT_MADE = (grpc.StatusCode.UNAVAILABLE, "REPORT_NOT_MADE")


def test_a_full_disk_while_a_report_is_made_issued_or_given_is_said_and_it_works_when_there_is_room(
    house: House, tmp_path: Path
) -> None:
    client, work = house.client(), house.a.reports / WORK
    with full(house.a, 512):
        report_id = asked_for(client)
        until(lambda: client.get(report_id).state == report_pb2.REPORT_STATE_FAILED)
        assert client.get(report_id).failure == "REPORT_NOT_MADE"
        assert house.left(work) == []
    report_id = signed_off(house, tmp_path)
    size = (house.a.reports / "north" / report_id / DRAFT).stat().st_size
    asked, stamps = request(report_id), len(house.office.stamps.requests)
    for room, stamped in (
        (size // 2, 0),
        (size + 30_000, 1),
    ):  # for no pages; for the pages, and not for their seal
        with full(house.a, room):
            call = Issuing(client, asked)
            call.end()
        assert call.reason == "REPORT_NOT_MADE"
        assert len(house.office.stamps.requests) - stamps <= stamped
        assert client.get(report_id).state == report_pb2.REPORT_STATE_SIGNED_OFF
        assert house.left(work) == []
        assert not (house.a.reports / "north" / report_id / ISSUED_PDF).exists()
    issue(client, asked)
    pdf = proved(house, report_id, tmp_path)
    (house.a.reports / "north" / report_id / ISSUED_PDF).unlink()
    with full(house.a, size + 30_000):
        out = tmp_path / "again.pdf"
        whole = report_pb2.REPORT_FILE_REPORT
        assert refusal(lambda: client.download(report_id, whole, "audit", out)) == NOT_MADE
        assert not out.exists()
        assert house.left(work) == []
    assert given(client, report_id, whole, tmp_path) == pdf


def test_a_full_disk_while_evidence_is_exported_is_said_and_the_same_call_works_when_there_is_room(
    house: House, tmp_path: Path
) -> None:
    client, folder = house.client(), house.a.folder / "ledger" / "exports"
    stub = report_pb2_grpc.ReportServiceStub(client._channel)
    asked = report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit")
    with full(house.a, 4096):
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.Export(asked, timeout=SECONDS))
        found = translate(caught.value)
        assert (found.code, found.reason) == NOT_MADE
        until(lambda: not house.left(folder))
    out = tmp_path / "bundle.attending"
    out.write_bytes(b"".join(event.chunk for event in stub.Export(asked, timeout=SECONDS)))
    anchors = Anchors(keys=(VerifierKey.parse(house.a.where["log_keys"]["north"]),))
    report = verify_bundle(out, anchors)
    assert report.failures == ()


# -- the authority, and two who issue at once ------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["is slow", "never answers", "lies"])
def test_an_authority_that_fails_one_of_two_processes_leaves_one_entry_and_its_file(
    house: House, tmp_path: Path, first: str
) -> None:
    house.b.start()
    try:
        report_id = signed_off(house, tmp_path)
        both, count, lock = threading.Event(), 0, threading.Lock()

        def spoil(body: bytes) -> tuple[int, bytes]:
            nonlocal count
            with lock:
                count += 1
                number = count
            if number > 1:
                both.set()
                return 200, body
            assert both.wait(SECONDS)
            if first == "never answers":
                time.sleep(2 * STAMP_SECONDS)
            if first == "lies":
                return 200, body[:-20] + bytes(20)
            return 200, body

        house.office.stamps.spoil = spoil
        calls = [Issuing(house.client(server), request(report_id)) for server in (house.a, house.b)]
        for call in calls:
            call.end()
        [answered] = [call for call in calls if call.answer is not None]
        [refused] = [call for call in calls if call.answer is None]
        assert answered.answer is not None
        reasons = {
            "is slow": {"REPORT_MOVED", "REPORT_ISSUED"},
            "never answers": {"TSA_TIMEOUT"},
            "lies": {"SEAL_NOT_PROVED", "TSA_MALFORMED", "TSA_ANSWER"},
        }[first]
        assert refused.reason in reasons
        [entry] = house.issued(report_id)
        assert answered.answer.receipt.index == entry.index
        pdf = proved(house, report_id, tmp_path)
        for server in (house.a, house.b):
            client = house.client(server)
            assert given(client, report_id, report_pb2.REPORT_FILE_REPORT, tmp_path) == pdf
        assert made_anew(house, report_id, tmp_path) == pdf
        assert house.left(house.a.reports / WORK) == []
    finally:
        house.clients.close()
        assert house.b.stop() == 0


# -- the calendar ------------------------------------------------------------------------------------------------


def test_kill_nine_of_who_asks_for_a_report_by_the_calendar_and_it_is_asked_for_once(house: House) -> None:
    def scheduled() -> list[Entry]:
        return [one for one in house.of_type(REQUESTED) if one.body.get("schedule") == "month"]

    assert scheduled() == []
    assert house.a.stop() == 0
    house.clients.close()
    try:
        house.a.days_ahead = 40
        with house.no_entry():
            # What a process appends at its start waits too: it is killed with the period's report not asked for.
            starting = threading.Thread(target=_started_in_vain, args=(house.a,))
            starting.start()
            until(house.waits)
            house.a.kill()
            starting.join(SECONDS)
        assert scheduled() == []
        house.a.start()
        until(scheduled, pause=0.0)
        house.a.kill()
        house.b.days_ahead = 40
        for server in (house.a, house.b):
            server.start()
        [entry] = scheduled()
        client = house.client(house.b)
        report_id = str(entry.body["report"])
        client.get(report_id)
        ready(client, report_id)
        house.clients.close()
        assert house.b.stop() == 0
        assert house.a.stop() == 0
        assert [one.index for one in scheduled()] == [entry.index]
    finally:
        # The log has entries of that time now: whatever comes after has it, too.
        house.a.start()


def _started_in_vain(server: ReportProcess) -> None:
    with pytest.raises((AssertionError, ProcessLookupError)):
        server.start()
