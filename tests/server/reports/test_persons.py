"""Reports about one person: nobody else stands in them, nor what an agency had suspended, and not everybody may ask."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pikepdf
import pytest
from attending.ledger.custody.reads import Order
from attending.ledger.custody.state import HoldGround
from attending.ledger.entry import Payload, PendingEntry, parse_entry
from attending.server.clock import stamp
from attending.server.reports.choose import Choice
from attending.server.reports.desk import ReportDesk
from attending.server.reports.particulars import Kind
from attending.server.reports.person import years_before
from attending.server.reports.workshop import BUNDLE, DRAFT, ISSUED_PDF
from attending.server.review.enrolment import enrol_keys

from tests.server.inference.conftest import TENANT
from tests.server.reports.test_desk import fresh, got, made, opened, refusal, sign, written
from tests.server.reports.test_export import signed_release, verify
from tests.server.review.conftest import Person, Ward, person

POLICE = "law_enforcement"
KINDS = (Kind.ACCOUNTING, Kind.ACCESS)


@pytest.fixture
async def desk(ward: Ward, tmp_path: Path) -> AsyncIterator[ReportDesk]:
    made = opened(ward, tmp_path)
    yield made
    await made.drain()


@pytest.fixture
def officer() -> Person:
    return person("pia", "privacy_officer")


async def create(desk: ReportDesk, who: Person, kind: Kind, subject: str, **more: object) -> str:
    choice = Choice(subject=subject, **more)  # type: ignore[arg-type]
    found = await desk.create(who.permit, kind, choice, "patient_request", fresh())
    return str(found.row["report_id"])


def order() -> Order:
    return Order("human:pia")


async def disclosed(ward: Ward, subject: str, recipient: str = "court", purpose: str = "law") -> int:
    body = {"disclosure_id": "d-1", "recipient": recipient, "purpose": purpose, "items": 2}
    words = (Payload("description", b"The whole chart, to Elm Street"),)
    entry = PendingEntry("disclosure.recorded", "emitter/human:pia/desk", "human:pia", subject, body, words)
    return (await ward.gate.ledger.append(TENANT, [entry])).first_index


async def suspended(ward: Ward, subject: str, days: int) -> None:
    until = stamp(ward.gate.clock.moment + timedelta(days=days))
    body = {"suspension": "sus_1", "agency": POLICE, "form": "written", "until": until}
    entry = PendingEntry("disclosure.suspended", f"suspension/{subject}", "human:pia", subject, body)
    # A call that is repeated is shown how the person stands, and that is an access on record.
    shown = {"what": "custody", "action": "suspendAccounting", "purpose_of_use": "RECORDMGT", "holds": 0}
    again = PendingEntry("access.viewed", "access/pia", "human:pia", subject, shown)
    await ward.gate.ledger.append(TENANT, [entry, again])


async def read(
    desk: ReportDesk, who: Person, report_id: str, tmp_path: Path
) -> tuple[str, list[list[object]]]:
    """The text of the pages, and the rows."""
    await made(desk, report_id)
    text = written(tmp_path, await got(desk, who, report_id, DRAFT))
    with pikepdf.open(tmp_path / "read.pdf") as document:
        lines = document.attachments["rows.jsonl"].get_file().read_bytes().splitlines()
    return text, [json.loads(line) for line in lines[1:]]


async def evidence(desk: ReportDesk, who: Person, report_id: str, tmp_path: Path) -> Path:
    path = tmp_path / f"{report_id}.attending"
    path.write_bytes(await got(desk, who, report_id, BUNDLE))
    return path


async def test_an_accounting_lists_what_was_disclosed_of_this_person_under_any_of_their_names(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path
) -> None:
    ledger = ward.gate.ledger
    outcome = await signed_release(ward)
    one, twin, other = [await ledger.pseudonym(TENANT, name) for name in ("MRN-1", "MRN-1b", "MRN-2")]
    await ledger.custody.link(TENANT, one, twin, order())
    await ledger.custody.hold(TENANT, one, HoldGround.LITIGATION, order())
    wanted = [await disclosed(ward, one), await disclosed(ward, twin, "researcher", "research")]
    await disclosed(ward, one, "payer", "payment")
    await disclosed(ward, other)
    report_id = await create(desk, officer, Kind.ACCOUNTING, one)
    text, rows = await read(desk, officer, report_id, tmp_path)
    assert [row[1] for row in rows if row[0] == "disclosure"] == wanted
    assert [(row[5], row[8]) for row in rows if row[0] == "left_out"] == [("payment", 1)]
    assert "required by law" in text
    bundle = await evidence(desk, officer, report_id, tmp_path)
    found = verify(ward, bundle)
    assert found.verdict == "passed", [item for item in found.results if item.status != "passed"]
    with zipfile.ZipFile(bundle) as archive:
        entries = [parse_entry(line) for line in archive.read("entries.jsonl").splitlines()]
    assert {entry.subject for entry in entries} == {None, one, twin}
    assert "hold.placed" not in {entry.type for entry in entries}
    assert outcome.inference_id not in {entry.stream for entry in entries}
    for secret in (b"Elm Street", b"MRN-1", other.encode()):
        assert secret not in bundle.read_bytes()


async def test_an_access_report_says_who_looked(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path
) -> None:
    outcome = await signed_release(ward)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    report_id = await create(desk, officer, Kind.ACCESS, subject)
    _text, rows = await read(desk, officer, report_id, tmp_path)
    assert outcome.inference_id in {row[6] for row in rows}
    asked = [row for row in rows if row[5] == "asked for a text"]
    assert [row[3] for row in asked] == ["app:app-1"]
    found = verify(ward, await evidence(desk, officer, report_id, tmp_path))
    assert found.verdict == "passed", [item for item in found.results if item.status != "passed"]
    again = await create(desk, officer, Kind.ACCESS, subject)
    _text, more = await read(desk, officer, again, tmp_path)
    assert [row for row in more if row not in rows][-1][5] == "asked for a report"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_suspended_is_left_out_until_it_ends_and_nothing_says_so(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path, kind: Kind
) -> None:
    await signed_release(ward)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    court, police = await disclosed(ward, subject), await disclosed(ward, subject, POLICE)
    await suspended(ward, subject, days=20)
    ward.gate.clock.advance(hours=24 * 10)
    report_id = await create(desk, officer, kind, subject)
    text, rows = await read(desk, officer, report_id, tmp_path)
    shown = {row[1] for row in rows}
    assert court in shown
    assert police not in shown
    assert "uspen" not in text
    bundle = await evidence(desk, officer, report_id, tmp_path)
    for secret in (POLICE.encode(), b"suspen"):
        assert secret not in bundle.read_bytes()
    ward.gate.clock.advance(hours=24 * 11)
    _text, later = await read(desk, officer, await create(desk, officer, kind, subject), tmp_path)
    assert {court, police} <= {row[1] for row in later}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_period_that_ended_before_the_suspension_is_no_way_around_it(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path, kind: Kind
) -> None:
    await signed_release(ward)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    court, police = await disclosed(ward, subject), await disclosed(ward, subject, POLICE)
    ward.gate.clock.advance(hours=1)
    end = ward.gate.clock.moment
    ward.gate.clock.advance(hours=1)
    await suspended(ward, subject, days=20)
    report_id = await create(desk, officer, kind, subject, to_time=end)
    _text, rows = await read(desk, officer, report_id, tmp_path)
    assert court in {row[1] for row in rows}
    assert police not in {row[1] for row in rows}


async def test_what_was_made_before_a_suspension_is_not_given_while_it_runs(
    ward: Ward, desk: ReportDesk, officer: Person
) -> None:
    await signed_release(ward)
    await enrol_keys(ward.gate.ledger, [TENANT], [officer.principal], "srv-test", ward.gate.clock)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    await disclosed(ward, subject, POLICE)
    first, second = [await create(desk, officer, Kind.ACCOUNTING, subject) for _ in range(2)]
    for report_id in (first, second):
        await made(desk, report_id)
        await sign(desk, officer, report_id)
    await desk.issue(officer.principal, first, fresh())
    await suspended(ward, subject, days=20)
    assert await refusal(got(desk, officer, first, ISSUED_PDF)) == "ACCOUNTING_SUSPENDED"
    assert await refusal(desk.issue(officer.principal, second, fresh())) == "ACCOUNTING_SUSPENDED"
    ward.gate.clock.advance(hours=24 * 21)
    assert (await got(desk, officer, first, ISSUED_PDF)).startswith(b"%PDF-")
    assert (await desk.issue(officer.principal, second, fresh())).type == "report.issued"


@pytest.mark.parametrize("kind", KINDS)
async def test_who_may_not_ask_whom_nobody_knows_and_who_is_of_another_tenant(
    ward: Ward, desk: ReportDesk, officer: Person, kind: Kind
) -> None:
    await signed_release(ward)
    ledger = ward.gate.ledger
    subject = await ledger.pseudonym(TENANT, "MRN-1")
    size = (await ledger.head(TENANT))[0]
    assert await refusal(create(desk, ward.auditor, kind, subject)) == "PERMISSION_DENIED"
    assert await refusal(create(desk, officer, kind, "sub_" + "a" * 26)) == "UNKNOWN_SUBJECT"
    await ledger.create_log("elsewhere", "attending.test/elsewhere")
    theirs = await ledger.pseudonym("elsewhere", "MRN-1")
    assert await refusal(create(desk, officer, kind, theirs)) == "UNKNOWN_SUBJECT"
    new = await ledger.list_entries(TENANT, size)
    assert {entry.type for entry in new} <= {"access.denied"}


@pytest.mark.parametrize("kind", KINDS)
async def test_who_may_not_ask_for_it_is_not_given_it(
    ward: Ward, desk: ReportDesk, officer: Person, kind: Kind
) -> None:
    await signed_release(ward)
    report_id = await create(desk, officer, kind, await ward.gate.ledger.pseudonym(TENANT, "MRN-1"))
    await made(desk, report_id)
    size = (await ward.gate.ledger.head(TENANT))[0]
    director = person("mia", "medical_director")
    for who in (ward.auditor, director):
        for name in (DRAFT, BUNDLE):
            assert await refusal(got(desk, who, report_id, name)) == "PERMISSION_DENIED"
    new = await ward.gate.ledger.list_entries(TENANT, size)
    assert {entry.type for entry in new} <= {"access.denied"}
    assert await got(desk, officer, report_id, DRAFT)


async def test_who_may_not_report_on_persons_any_more_does_not_stand_for_a_report_about_one(
    ward: Ward, desk: ReportDesk, officer: Person
) -> None:
    await signed_release(ward)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    await enrol_keys(ward.gate.ledger, [TENANT], [officer.principal], "srv-test", ward.gate.clock)
    report_id = await create(desk, officer, Kind.ACCESS, subject)
    await made(desk, report_id)
    await got(desk, officer, report_id, DRAFT)
    moved = replace(officer.principal, roles=frozenset({"auditor", "safety_officer"}))
    assert await refusal(desk.prepare(moved, report_id, officer.key_id)) == "PERMISSION_DENIED"
    # Nor with what was prepared while they might, and a role that stands in it.
    both = replace(officer.principal, roles=frozenset({"auditor", "privacy_officer"}))
    prepared = await desk.prepare(both, report_id, officer.key_id)
    assert prepared.statement.role == "auditor"
    signature = officer.key.sign(prepared.statement.message())
    signing = desk.sign(moved, prepared.preparation_id, signature, fresh())
    assert await refusal(signing) == "PERMISSION_DENIED"
    assert (await desk.get(TENANT, report_id)).row["state"] == "requested"
    await sign(desk, officer, report_id)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_person_who_was_erased_is_still_accounted_to_by_entries_alone(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path, kind: Kind
) -> None:
    await signed_release(ward)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    index = await disclosed(ward, subject)
    await ward.gate.ledger.erase_subject(TENANT, subject)
    report_id = await create(desk, officer, kind, subject)
    _text, rows = await read(desk, officer, report_id, tmp_path)
    assert index in {row[1] for row in rows}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_asked_for_later_does_not_move_what_was_asked_for(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path, kind: Kind
) -> None:
    await signed_release(ward)
    ledger = ward.gate.ledger
    one, twin = await ledger.pseudonym(TENANT, "MRN-1"), await ledger.pseudonym(TENANT, "MRN-1b")
    await disclosed(ward, one, POLICE)
    await disclosed(ward, twin)
    report_id = await create(desk, officer, kind, one)
    await made(desk, report_id)
    before = {name: await got(desk, officer, report_id, name) for name in (BUNDLE, DRAFT)}
    await ledger.custody.link(TENANT, one, twin, order())
    await suspended(ward, one, days=100)
    await disclosed(ward, one)
    for name in before:
        (tmp_path / "reports" / TENANT / report_id / name).unlink()
    await made(desk, report_id)
    assert {name: await got(desk, officer, report_id, name) for name in before} == before


async def test_an_accounting_goes_six_years_back_and_no_further(
    ward: Ward, desk: ReportDesk, officer: Person, tmp_path: Path
) -> None:
    await signed_release(ward)
    subject = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    await disclosed(ward, subject)
    ward.gate.clock.advance(hours=24 * 366 * 4)
    kept = await disclosed(ward, subject)
    ward.gate.clock.advance(hours=24 * 366 * 3)
    report_id = await create(desk, officer, Kind.ACCOUNTING, subject)
    _text, rows = await read(desk, officer, report_id, tmp_path)
    assert [row[1] for row in rows if row[0] == "disclosure"] == [kept]


def test_six_years_before_a_leap_day_there_was_none() -> None:
    assert years_before("2028-02-29T10:00:00.000000Z", 6) == "2022-02-28T10:00:00.000000Z"
