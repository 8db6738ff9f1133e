"""Issuing a report where a seal is configured: it is sealed, or it stays signed off."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from attending.ledger.entry import Entry
from attending.ledger.note import VerifierKey
from attending.ledger.report_signature import ISSUED, report_stream
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.report import Status
from attending.server.errors import AttendingError
from attending.server.reports import workshop
from attending.server.reports.desk import MOST_MAKING, MOST_MAKING_OF_TENANT, ReportDesk
from attending.server.reports.make import make_in_process
from attending.server.reports.seal import build_sealer
from attending.server.reports.workshop import ISSUED_PDF, SEAL_KIND, WORK

from tests.server.inference.conftest import TENANT
from tests.server.reports.authorities import NOW, Office
from tests.server.reports.sealing import failed
from tests.server.reports.test_desk import create, fresh, got, made, opened, refusal, sign, written
from tests.server.reports.test_export import signed_release
from tests.server.review.conftest import Ward


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office.make(tmp_path / "office")


def sealing_desk(ward: Ward, folder: Path, office: Office, **more: object) -> ReportDesk:
    return replace(opened(ward, folder), sealer=build_sealer(office.section(**more)))


@pytest.fixture
async def desk(ward: Ward, tmp_path: Path, office: Office) -> AsyncIterator[ReportDesk]:
    with office.stamps.listening():
        desk = sealing_desk(ward, tmp_path, office)
        yield desk
        await desk.drain()
        assert list((desk.folder / WORK).iterdir()) == []


async def ready_to_issue(ward: Ward, desk: ReportDesk) -> str:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)
    return report_id


async def state(desk: ReportDesk, report_id: str) -> str:
    return str((await desk.get(TENANT, report_id)).row["state"])


async def test_what_is_issued_is_sealed_and_verifies_and_a_changed_copy_does_not(
    ward: Ward, desk: ReportDesk, office: Office, tmp_path: Path
) -> None:
    report_id = await ready_to_issue(ward, desk)
    issued = await desk.issue(ward.auditor.principal, report_id, fresh())
    assert issued.body["seal"] == {"level": "B-T", "time": "2026-11-28T10:00:00.000000Z"}
    assert [one.kind for one in issued.commitments] == [SEAL_KIND]
    pdf = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    assert hashlib.sha256(pdf).hexdigest() == issued.body["pdf"]
    assert "This file is sealed" in written(tmp_path, pdf)
    path = tmp_path / "issued.pdf"
    path.write_bytes(pdf)
    anchors = Anchors(keys=(VerifierKey.parse(ward.gate.ledger.verifier_key(TENANT)),))
    good = verify_report(path, anchors, office.anchors)
    assert good.failures == ()
    assert {one.check for one in good.results if one.status is Status.PASSED} >= {
        "V2",
        "V3",
        "V4",
        "V10",
        "V20",
    }
    changed = bytearray(pdf)
    changed[len(changed) // 3] ^= 1
    path.write_bytes(changed)
    assert failed(verify_report(path, anchors, office.anchors)) == {"V2"}


async def test_a_lost_file_is_made_again_with_the_same_seal(
    ward: Ward, desk: ReportDesk, office: Office, tmp_path: Path
) -> None:
    report_id = await ready_to_issue(ward, desk)
    await desk.issue(ward.auditor.principal, report_id, fresh())
    before = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    shutil.rmtree(tmp_path / "reports")
    asked = len(office.stamps.requests)
    # Also where nothing is sealed any more, and nobody can be asked for a stamp.
    again = opened(ward, tmp_path)
    await made(again, report_id)
    assert await got(again, ward.auditor, report_id, ISSUED_PDF) == before
    assert len(office.stamps.requests) == asked
    await again.drain()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ((500, b""), "TSA_HTTP_STATUS"),
        ((200, b"\x30\x05\x30\x03\x02\x01\x02"), "TSA_REFUSED"),
        ((200, b"no stamp"), "TSA_MALFORMED"),
        ((200, b"\0" * 70_000), "TSA_TOO_LARGE"),
    ],
)
async def test_an_authority_that_gives_no_stamp_leaves_the_report_signed_off_to_be_issued_again(
    ward: Ward, desk: ReportDesk, office: Office, spoil: tuple[int, bytes], reason: str
) -> None:
    report_id = await ready_to_issue(ward, desk)
    office.stamps.spoil = lambda _body: spoil
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == reason
    assert await state(desk, report_id) == "signed_off"
    assert await refusal(got(desk, ward.auditor, report_id, ISSUED_PDF)) == "REPORT_NOT_ISSUED"
    office.stamps.spoil = lambda body: (200, body)
    await desk.issue(ward.auditor.principal, report_id, fresh())
    assert await state(desk, report_id) == "issued"


async def test_a_stamp_for_another_file_or_an_expired_certificate_issues_nothing(
    ward: Ward, desk: ReportDesk, office: Office
) -> None:
    report_id = await ready_to_issue(ward, desk)
    office.stamps.imprint = lambda _digest: b"\0" * 32
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == "SEAL_NOT_PROVED"
    office.stamps.imprint = lambda digest: digest
    office.stamps.time = NOW.replace(year=NOW.year + 1)
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == "SEAL_NOT_PROVED"
    assert await state(desk, report_id) == "signed_off"


async def test_a_crash_between_seal_and_entry_leaves_a_report_that_is_signed_off(
    ward: Ward, desk: ReportDesk, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_id = await ready_to_issue(ward, desk)

    class Killed(BaseException):
        pass

    async def dies(*_given: object, **_more: object) -> Entry:
        raise Killed

    whole = desk._record
    monkeypatch.setattr(type(whole), "append", dies)
    with pytest.raises(Killed):
        await desk.issue(ward.auditor.principal, report_id, fresh())
    monkeypatch.undo()
    assert not (tmp_path / "reports" / TENANT / report_id / ISSUED_PDF).exists()
    (desk.folder / WORK / "left-by-a-crash").mkdir()
    (desk.folder / WORK / "left-by-a-crash" / ISSUED_PDF).write_bytes(b"sealed")
    other = sealing_desk(ward, tmp_path, office)
    assert await state(other, report_id) == "signed_off"
    issued = await other.issue(ward.auditor.principal, report_id, fresh())
    pdf = await got(other, ward.auditor, report_id, ISSUED_PDF)
    assert hashlib.sha256(pdf).hexdigest() == issued.body["pdf"]
    await other.drain()


async def test_a_crash_between_entry_and_file_loses_nothing(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    report_id = await ready_to_issue(ward, desk)
    issued = await desk.issue(ward.auditor.principal, report_id, fresh())
    (tmp_path / "reports" / TENANT / report_id / ISSUED_PDF).unlink()  # as it is before it has its name
    pdf = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    assert hashlib.sha256(pdf).hexdigest() == issued.body["pdf"]


@pytest.mark.parametrize("same", [True, False])
async def test_two_at_once_are_one_entry_and_its_file(
    ward: Ward, desk: ReportDesk, tmp_path: Path, office: Office, same: bool
) -> None:
    report_id = await ready_to_issue(ward, desk)
    other, once = sealing_desk(ward, tmp_path, office), fresh()
    calls = [one.issue(ward.auditor.principal, report_id, once if same else fresh()) for one in (desk, other)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    entries = [one for one in done if isinstance(one, Entry)]
    assert len(entries) == (2 if same else 1)
    assert [one.reason for one in done if isinstance(one, AttendingError)] in (
        [],
        ["REPORT_MOVED"],
        ["REPORT_ISSUED"],
    )
    stream = await ward.gate.ledger.whole_stream(TENANT, report_stream(report_id))
    [issued] = [one for one in stream if one.type == ISSUED]
    for one in (desk, other):
        pdf = await got(one, ward.auditor, report_id, ISSUED_PDF)
        assert hashlib.sha256(pdf).hexdigest() == issued.body["pdf"]
    await other.drain()


async def test_files_of_issued_reports_make_room_and_the_issued_file_stays(
    ward: Ward, tmp_path: Path
) -> None:
    desk = replace(opened(ward, tmp_path), most_bytes=1)
    report_id = await ready_to_issue(ward, replace(desk, most_bytes=1 << 30))
    place = tmp_path / "reports" / TENANT / report_id
    assert await refusal(create(ward, desk)) == "REPORT_FILES_FULL"
    assert (place / "bundle.attending").exists()
    await desk.issue(ward.auditor.principal, report_id, fresh())
    assert await refusal(create(ward, desk)) == "REPORT_FILES_FULL"  # the issued one alone is more
    assert [path.name for path in place.iterdir()] == [ISSUED_PDF]
    issued = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    found = await desk.get(TENANT, report_id)
    assert (found.row["state"], found.making.task) == ("issued", None)
    roomy = replace(desk, most_bytes=len(issued) + 1)
    await made(roomy, await create(ward, roomy))
    await desk.drain()
    await roomy.drain()


async def test_a_tenant_with_many_reports_leaves_room_for_others(ward: Ward, tmp_path: Path) -> None:
    desk = opened(ward, tmp_path)
    await signed_release(ward)
    ids = [await create(ward, desk) for _ in range(MOST_MAKING_OF_TENANT)]
    assert await refusal(create(ward, desk)) == "TOO_MANY_REPORTS"
    assert desk._workshop.busy < MOST_MAKING
    for one in ids:
        await made(desk, one)
    await made(desk, await create(ward, desk))
    await desk.drain()


async def test_without_a_seal_the_pages_say_so(ward: Ward, tmp_path: Path) -> None:
    desk = opened(ward, tmp_path)
    report_id = await ready_to_issue(ward, desk)
    issued = await desk.issue(ward.auditor.principal, report_id, fresh())
    assert "seal" not in issued.body
    assert issued.commitments == ()
    text = written(tmp_path, await got(desk, ward.auditor, report_id, ISSUED_PDF))
    assert "This file is not sealed" in text
    assert "seal-root.pem" not in text
    await desk.drain()


async def test_a_report_that_needs_more_memory_than_it_may_have_is_not_made(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def small(*given: object, **more: object) -> None:
        await make_in_process(*given, **more, memory_bytes=96 << 20)  # type: ignore[arg-type]

    monkeypatch.setattr(workshop, "make_in_process", small)
    desk = opened(ward, tmp_path)
    await signed_release(ward)
    report_id = await create(ward, desk)
    found = await desk.get(TENANT, report_id)
    assert found.making.task is not None
    await asyncio.wait({found.making.task})
    assert (await desk.get(TENANT, report_id)).making.failure == "REPORT_NOT_MADE"
    await desk.drain()
