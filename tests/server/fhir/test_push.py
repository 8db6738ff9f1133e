"""What changes is written back, once and newest last, whatever the record system answers; nothing leaves unrecorded."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Entry
from attending.server.config import FhirEndpointSection
from attending.server.fhir import resources
from attending.server.fhir.gather import find, settled
from attending.server.fhir.push import FhirPush
from attending.server.fhir.record_system import RecordSystem, is_newer, is_same
from attending.server.fhir.resources import Record
from attending.server.notices.outbox import Outbox
from attending.server.recall.desk import Recalls
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError
from structlog.testing import capture_logs

from tests.server.fhir.fhir_server import CLIENT, FhirServer, running
from tests.server.fhir.test_resources import PATIENT, signed
from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.notices.conftest import Sleeps, always, until_settled
from tests.server.review.conftest import Ward, gate, policies, ward
from tests.server.review.test_desk import claim, fresh, held, ticket_of

__all__ = ["gate", "policies", "ward"]

WAIT_SECONDS = 60


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with running(FhirServer()) as made:
        yield made


def key_file(folder: Path) -> Path:
    path = folder / "push.pem"
    if not path.exists():
        made = ec.generate_private_key(ec.SECP384R1())
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        path.chmod(0o600)
    return path


def push(server: FhirServer, ward: Ward, folder: Path, **more: Any) -> FhirPush:
    given: dict[str, Any] = {
        "name": "ehr",
        "tenant": TENANT,
        "url": server.url,
        "client_id": CLIENT,
        "client_key_file": key_file(folder),
        "allow_private": True,
        "timeout_seconds": 20.0,
    }
    section = FhirEndpointSection(**(given | more))
    system = RecordSystem(section, ward.gate.clock)
    server.jwk = system.key.jwk
    return FhirPush(section, system, ward.gate.ledger, "srv-test", ward.gate.clock)


def outbox(delivery: FhirPush, ward: Ward, **changes: Any) -> Outbox:
    given: dict[str, Any] = {
        "ledger": ward.gate.ledger,
        "tenant": TENANT,
        "delivery": delivery,
        "changes": ward.gate.changes,
        "owner": "srv-test",
        "now": ward.gate.clock,
        "turn": always,
        "give_up": timedelta(hours=24),
        "poll_seconds": 0.05,
        "sleep": Sleeps(),
        "chance": lambda: 1.0,
    }
    return Outbox(**given | changes)


@asynccontextmanager
async def writing(box: Outbox) -> AsyncIterator[Outbox]:
    await box.step()
    task = asyncio.create_task(box.run())
    try:
        yield box
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await box.delivery.close()


async def done(ward: Ward) -> list[dict[str, Any]]:
    """Returns when all that is on record until now is dealt with; the bodies of `notice.settled`."""
    size = (await ward.gate.ledger.head(TENANT))[0]
    entries = await ward.gate.ledger.list_entries(TENANT, 0, size)
    newest = [one.index for one in entries if one.type in CHANGED][-1]

    def settled(bodies: list[dict[str, Any]]) -> bool:
        indexes = {index for body in bodies for index in body["delivered"]}
        indexes |= {one["index"] for body in bodies for one in body["dead"]}
        return newest in indexes

    return await until_settled(ward.gate, settled, "ehr")


CHANGED = ("inference.held", "inference.released", "review.claimed", "review.rejected", "inference.withdrawn")


async def disclosures(ward: Ward) -> list[Entry]:
    size = (await ward.gate.ledger.head(TENANT))[0]
    entries = await ward.gate.ledger.list_entries(TENANT, 0, size)
    return [one for one in entries if one.type == "access.disclosed"]


async def test_a_review_is_followed_to_the_released_text(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        ticket = await signed(ward, "A safe text")
        await done(ward)
        [task] = server.of("Task")
        [document] = server.of("DocumentReference")
        [provenance] = server.of("Provenance")
        assert (task["id"], task["status"]) == (ticket.replace("_", "-"), "completed")
        assert task["focus"]["reference"] == f"DocumentReference/{document['id']}"
        assert base64.b64decode(document["content"][0]["attachment"]["data"]) == b"A safe text"
        assert provenance["target"][0]["reference"] == f"DocumentReference/{document['id']}"
        for one in (document, provenance):
            assert one["meta"]["security"][0]["code"] == "AIAST"
        # The document was there before anything that refers to it.
        order = [
            place.partition("/")[0] for place, _headers, _body in server.got if place != f"Task/{task['id']}"
        ]
        assert order == ["DocumentReference", "Provenance"]
    entries = await disclosures(ward)
    assert {one.subject for one in entries} == {entries[0].subject}
    assert entries[0].subject is not None
    last = entries[-1].body
    assert (last["recipient"], last["host"], last["purpose_of_use"], last["text"]) == (
        "ehr",
        "127.0.0.1",
        "TREAT",
        True,
    )
    assert last["resources"] == ["DocumentReference", "Provenance", "Task"]
    assert "safe text" not in json.dumps([dict(one.body) for one in entries])
    assert PATIENT not in json.dumps([dict(one.body) for one in entries])


async def test_a_task_has_the_state_of_its_review(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    def status() -> str:
        [task] = server.of("Task")
        return str(task["status"])

    async with writing(outbox(push(server, ward, tmp_path), ward)):
        ticket = ticket_of(await held(ward, subject_ref=PATIENT))
        await done(ward)
        assert (status(), server.of("DocumentReference")) == ("requested", [])
        lease = await claim(ward, ticket, ward.rivera)
        await done(ward)
        assert status() == "in-progress"
        await ward.desk.reject(ward.rivera.principal, ticket, lease, "wrong", "", fresh())  # type: ignore[arg-type]
        await done(ward)
        assert (status(), server.of("DocumentReference")) == ("rejected", [])
    # Each is an update of what was read, under one id.
    conditions = [
        (headers.get("if-none-match"), headers.get("if-match")) for _place, headers, _body in server.got
    ]
    assert conditions == [("*", None), (None, 'W/"1"'), (None, 'W/"2"')]
    assert len(server.kept) == 1


async def test_an_expired_review_is_cancelled(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    async with writing(outbox(push(server, ward, tmp_path), ward)) as box:
        await held(ward, subject_ref=PATIENT)
        ward.gate.clock.advance(days=90)
        await ward.desk.expire_due(TENANT, "srv-test")
        async with asyncio.timeout(WAIT_SECONDS):
            while not server.of("Task") or server.of("Task")[0]["status"] != "cancelled":
                await asyncio.sleep(0.02)
        assert box.problem is None


async def test_what_is_taken_back_is_entered_in_error_and_its_text_is_gone(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        ticket = await signed(ward)
        await done(ward)
        [document] = server.of("DocumentReference")
        name = document["id"].replace("-", "_", 1)
        recalls = Recalls(ward.gate.ledger, ward.gate.changes, ward.gate.clock)
        await recalls.withdraw(ward.rivera.principal, name, "unsafe", "", key("recall"))
        await done(ward)
        [document] = server.of("DocumentReference")
        assert (document["status"], "data" in document["content"][0]["attachment"]) == (
            "entered-in-error",
            False,
        )
        [task] = server.of("Task")
        assert (task["id"], task["status"]) == (ticket.replace("_", "-"), "completed")


async def test_what_policy_released_is_written_without_a_task(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        ward.gate.provider.text = "Your visit is on Tuesday."
        await ward.gate.pipeline.infer(CALLER, infer_call(), key("letter"))
        await done(ward)
        assert {place.partition("/")[0] for place in server.kept} == {"DocumentReference", "Provenance"}


TRANSIENT = {
    "outcome": "OUTCOME_ERROR",
    "forgets": "NOT_KEPT",
    "changes": "NOT_KEPT",
    "no_json": "NOT_JSON",
    "huge": "TOO_LARGE",
    "meanwhile": "STATUS_412",
    "412": "STATUS_412",
    "429": "STATUS_429",
    "500": "STATUS_500",
    "503": "STATUS_503",
    "403": "STATUS_403",
    "revoked": "STATUS_401",
    "redirect": "REDIRECTED",
    "lost_answer": None,
}


@pytest.mark.parametrize("way", TRANSIENT, ids=str)
async def test_what_a_server_did_not_keep_is_sent_again(
    ward: Ward, server: FhirServer, tmp_path: Path, way: str
) -> None:
    sleeps = Sleeps()
    server.ways = ["honest", way, "honest"]
    async with writing(outbox(push(server, ward, tmp_path), ward, sleep=sleeps)):
        ticket = ticket_of(await held(ward, subject_ref=PATIENT))
        await done(ward)
        await claim(ward, ticket, ward.rivera)
        bodies = await done(ward)
        [task] = server.of("Task")
        assert task["status"] == "in-progress"
    assert [one for body in bodies for one in body["dead"]] == []
    assert len(sleeps.seconds) == 1
    assert len(server.kept) == 1


async def test_a_server_that_says_no_is_asked_no_more(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    server.ways = ["422"]
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        await held(ward, subject_ref=PATIENT)
        bodies = await done(ward)
    [dead] = [one for body in bodies for one in body["dead"]]
    assert (dead["reason"], dead["attempts"], dead["event"]) == ("STATUS_422", 1, "inference.held")
    assert len(await disclosures(ward)) == 1


async def test_a_server_is_left_alone_as_long_as_it_asks(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    sleeps = Sleeps()
    server.ways = ["busy77", "busy999999", "busyWed, 21 Oct 2026 07:28:00 GMT", "honest"]
    server.token_ways = ["busy", "malformed", "honest"]
    async with writing(outbox(push(server, ward, tmp_path), ward, sleep=sleeps)):
        await held(ward, subject_ref=PATIENT)
        await done(ward)
    # Two of the token's, then three of the resource's; an hour is the most, and a date is not heeded.
    assert sleeps.seconds == [40.0, 10.0, 77.0, 3600.0, 80.0]


async def test_one_that_hangs_is_given_up_for_now(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    sleeps = Sleeps()
    server.ways = ["hang", "honest"]
    async with writing(outbox(push(server, ward, tmp_path, timeout_seconds=0.5), ward, sleep=sleeps)):
        await held(ward, subject_ref=PATIENT)
        await done(ward)
    assert len(sleeps.seconds) >= 1
    assert len(server.kept) == 1


async def test_what_was_sent_and_not_settled_is_the_same_resource_again(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    """As after a kill between the two: the record is what the next process has."""
    first = outbox(push(server, ward, tmp_path), ward)
    await first.step()
    await signed(ward, "A safe text")
    await first.step()
    async with asyncio.timeout(WAIT_SECONDS):
        while len(server.kept) < 3:
            await asyncio.sleep(0.02)
    await first.stop()
    before = len(await disclosures(ward))
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        await done(ward)
    assert len(server.kept) == 3
    # The same state was on record as given already.
    assert len(await disclosures(ward)) == before


async def test_of_one_inference_states_go_one_after_the_other(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    """The first state hangs at the server while the review goes on: what is there at the end is the newest."""
    server.ways = ["hang", "honest"]
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        ticket = ticket_of(await held(ward, subject_ref=PATIENT))
        async with asyncio.timeout(WAIT_SECONDS):
            while not server.got:
                await asyncio.sleep(0.02)
        lease = await claim(ward, ticket, ward.rivera)
        await ward.desk.reject(ward.rivera.principal, ticket, lease, "wrong", "", fresh())  # type: ignore[arg-type]
        await asyncio.sleep(0.3)
        assert len(server.got) == 1
        server.hang.set()
        await done(ward)
        assert server.of("Task")[0]["status"] == "rejected"
    # Two of the three entries were told at once.
    assert len(server.got) == 2


async def test_a_change_while_it_is_read_is_not_missed(
    ward: Ward, server: FhirServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The review goes on between the look at its rows and that at its entries."""
    ticket = ticket_of(await held(ward, subject_ref=PATIENT))
    inference = await find(ward.gate.ledger, TENANT, ticket)
    real, once = ward.gate.ledger.whole_stream, True

    async def whole_stream(log_id: str, stream: str) -> Any:
        nonlocal once
        if once and stream == inference["inference_id"]:
            once = False
            await claim(ward, ticket, ward.rivera)
        return await real(log_id, stream)

    monkeypatch.setattr(ward.gate.ledger, "whole_stream", whole_stream)
    row, record = await settled(ward.gate.ledger, TENANT, inference["inference_id"])
    assert row["inference_id"] == inference["inference_id"]
    assert record.item is not None
    assert (record.entries[-1].type, record.item["claimed_by"]) == ("review.claimed", "rivera")


async def test_two_at_once_leave_the_newest_state(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    one, two = (outbox(push(server, ward, tmp_path), ward, owner=owner) for owner in ("srv-a", "srv-b"))
    async with writing(one), writing(two):
        tickets = [await signed(ward, f"A safe text {number}") for number in range(3)]
        await done(ward)
    assert {task["id"] for task in server.of("Task")} == {ticket.replace("_", "-") for ticket in tickets}
    assert {task["status"] for task in server.of("Task")} == {"completed"}


async def given() -> None:
    """Nothing was erased."""


async def test_a_newer_state_that_stands_there_stays(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        await signed(ward, "A safe text")
        await done(ward)
        got = len(server.got)
    [task], [document] = server.of("Task"), server.of("DocumentReference")
    system = push(server, ward, tmp_path)._system
    earlier = {**task, "status": "in-progress", "lastModified": "2020-01-01T00:00:00.000000Z"}
    await system.put(earlier, given)
    server.kept[f"DocumentReference/{document['id']}"]["status"] = "entered-in-error"
    await system.put(document | {"status": "current"}, given)
    assert len(server.got) == got
    assert server.of("Task")[0]["status"] == "completed"
    await system.close()


async def test_nothing_leaves_that_could_not_be_put_on_record(
    ward: Ward, server: FhirServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attending.ledger.errors import StoreUnavailable

    real, refuse = ward.gate.ledger.append, True

    async def append(log_id: str, entries: Any, **options: Any) -> Any:
        if refuse and any(entry.type == "access.disclosed" for entry in entries):
            raise StoreUnavailable("disk full")
        return await real(log_id, entries, **options)

    monkeypatch.setattr(ward.gate.ledger, "append", append)
    sleeps = Sleeps()
    sleeps.go_on.clear()
    async with writing(outbox(push(server, ward, tmp_path), ward, sleep=sleeps)):
        await held(ward, subject_ref=PATIENT)
        async with asyncio.timeout(WAIT_SECONDS):
            while not sleeps.seconds:
                await asyncio.sleep(0.02)
        assert server.got == []
        refuse = False
        sleeps.go_on.set()
        await done(ward)
    assert len(server.kept) == 1


async def test_an_erased_patient_s_text_is_given_to_nobody(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    sleeps = Sleeps()
    sleeps.go_on.clear()
    server.down = True
    async with writing(outbox(push(server, ward, tmp_path), ward, sleep=sleeps)):
        await signed(ward, "A safe text")
        async with asyncio.timeout(WAIT_SECONDS):
            while not sleeps.seconds:
                await asyncio.sleep(0.02)
        pseudonym = await ward.gate.ledger.find_pseudonym(TENANT, PATIENT)
        assert pseudonym is not None
        await ward.gate.ledger.erase_subject(TENANT, pseudonym)
        server.down = False
        sleeps.go_on.set()
        bodies = await done(ward)
    assert server.kept == {}
    assert {one["reason"] for body in bodies for one in body["dead"]} == {"SUBJECT_ERASED"}


async def test_what_is_erased_while_the_record_system_is_slow_is_not_given(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    server.look["DocumentReference"] = threading.Event()
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        await signed(ward, "A safe text")
        async with asyncio.timeout(WAIT_SECONDS):
            while "DocumentReference" not in server.looked:
                await asyncio.sleep(0.02)
        pseudonym = await ward.gate.ledger.find_pseudonym(TENANT, PATIENT)
        assert pseudonym is not None
        await ward.gate.ledger.erase_subject(TENANT, pseudonym)
        server.look["DocumentReference"].set()
        bodies = await done(ward)
    assert server.of("DocumentReference") == server.of("Provenance") == []
    assert {one["reason"] for body in bodies for one in body["dead"]} == {"SUBJECT_ERASED"}


async def test_nothing_is_asked_of_the_server_between_the_last_look_and_the_content(
    ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    delivery = push(server, ward, tmp_path)
    server.look["Task"] = threading.Event()
    asked = []

    async def require_given() -> None:
        asked.append(server.token_requests)

    task = {"resourceType": "Task", "id": "one", "lastModified": "2026-11-01T08:00:09.000000Z"}
    putting = asyncio.create_task(delivery._system.put(task, require_given))
    async with asyncio.timeout(WAIT_SECONDS):
        while "Task" not in server.looked:
            await asyncio.sleep(0.02)
    # While it took its time the token ended: the next one is asked for before, and whoever gives it may be as slow.
    ward.gate.clock.advance(seconds=3600)
    server.look["Task"].set()
    await putting
    assert (asked, server.token_requests, len(server.got)) == ([2], 2, 1)
    await delivery.close()


async def test_a_test_writes_nothing(ward: Ward, server: FhirServer, tmp_path: Path) -> None:
    delivery = push(server, ward, tmp_path)
    await delivery._system.ask()
    assert (server.got, server.token_requests) == ([], 1)
    # A token is asked for anew before it ends, and kept until then.
    await delivery._system.ask()
    assert server.token_requests == 1
    ward.gate.clock.advance(seconds=280)
    await delivery._system.ask()
    assert server.token_requests == 2
    await delivery.close()


async def test_no_content_stands_in_a_log(
    ward: Ward, server: FhirServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.ways = ["outcome", "500", "hang", "honest"]
    server.hang.set()
    with capture_logs() as logged:
        async with writing(outbox(push(server, ward, tmp_path), ward)):
            await signed(ward, "A safe text SECRETWORD")
            await done(ward)
    out, err = capfd.readouterr()
    assert "notices.not_delivered" in {one["event"] for one in logged}
    for secret in ("SECRETWORD", PATIENT, "p-17", *server.tokens):
        assert secret not in f"{logged}{out}{err}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://ehr.example/r4"},
        {"url": "https://ehr.example/r4/"},
        {"url": "https://a:b@ehr.example/r4"},
        {"allow_private": False},
        {"client_key_file": None},
    ],
    ids=str,
)
def test_a_section_that_cannot_be_meant_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "name": "ehr",
        "tenant": "t",
        "url": "http://127.0.0.1:1/r4",
        "client_id": "c",
        "client_key_file": tmp_path / "k",
        "allow_private": True,
    }
    FhirEndpointSection(**given)
    with pytest.raises(ValidationError):
        FhirEndpointSection(**given | wrong)


@pytest.mark.parametrize("lasts", [float("nan"), float("inf"), pytest.param(10**400, id="huge"), -1, 0])
async def test_a_token_that_lasts_a_time_that_is_none_lets_us_in_all_the_same(
    lasts: float, ward: Ward, server: FhirServer, tmp_path: Path
) -> None:
    server.token_seconds = lasts
    system = push(server, ward, tmp_path)._system
    await system.ask()
    ward.gate.clock.advance(hours=2)
    await system.ask()
    assert server.token_requests == 2
    await system.close()


async def test_a_fault_that_is_no_mark_is_tried_again(
    ward: Ward, server: FhirServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a practice mark says is given up for it."""
    ways = [ValueError("no number")]

    def document(record: Record) -> Any:
        if ways:
            raise ways.pop()
        return resources.document(record)

    monkeypatch.setattr("attending.server.fhir.push.document", document)
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        await signed(ward, "A safe text")
        bodies = await done(ward)
    assert ways == []
    assert [one for body in bodies for one in body["dead"]] == []


Same = tuple[Any, Any, bool]


@pytest.mark.parametrize(
    ("ours", "said", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2, "meta": {"versionId": "3"}}, True),
        ({"a": [{"x": 1}]}, {"a": [{"x": 1, "id": "n"}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": 1}, {}, False),
        ({"a": "2026-11-23T12:00:00.123456Z"}, {"a": "2026-11-23T12:00:00.123+00:00"}, True),
        ({"a": "2026-11-23T12:00:00.123456Z"}, {"a": "2026-11-23T12:00:01.123+00:00"}, False),
        ({"a": "x"}, {"a": "y"}, False),
        ({"a": {"b": "c"}}, {"a": "c"}, False),
    ],
)
def test_what_counts_as_kept(ours: dict[str, Any], said: dict[str, Any], expected: bool) -> None:
    assert is_same(said, ours) is expected


def test_what_counts_as_newer() -> None:
    task: Callable[[Any], dict[str, Any]] = lambda at: {"resourceType": "Task", "lastModified": at}  # noqa: E731
    assert is_newer(task("2026-11-23T12:00:01.000000Z"), task("2026-11-23T12:00:00.999999Z"))
    assert not is_newer(task("2026-11-23T12:00:00.000000Z"), task("2026-11-23T12:00:00.000000Z"))
    # As a server of another zone keeps it, or one that keeps milliseconds.
    assert not is_newer(task("2026-11-23T14:00:00.000+02:00"), task("2026-11-23T12:00:01.000000Z"))
    assert is_newer(task("2026-11-23T10:00:01.000-02:00"), task("2026-11-23T12:00:00.000000Z"))
    assert not is_newer(task("2026-11-23T12:00:00.123Z"), task("2026-11-23T12:00:00.123456Z"))
    # What is no time keeps nothing of ours back.
    for no_time in ("", "yesterday", "2026-11-24", "2027-01-01T00:00:00", None, 9):
        assert not is_newer(task(no_time), task("2026-11-23T12:00:00.000000Z"))
    document = {"resourceType": "DocumentReference"}
    assert is_newer(document | {"status": "entered-in-error"}, document | {"status": "current"})
    assert not is_newer(document | {"status": "current"}, document | {"status": "entered-in-error"})
