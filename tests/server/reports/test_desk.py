"""A report's life: nothing is issued without a named person, and what a crash takes away is made again, alike."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from attending.ledger.custody.reads import Order
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.note import VerifierKey
from attending.ledger.report_signature import (
    DISCARDED,
    DISCLOSED,
    ISSUED,
    REQUESTED,
    SIGNED_OFF,
    report_stream,
)
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.clock import stamp
from attending.server.errors import AttendingError, Unavailable
from attending.server.idempotency import Once
from attending.server.replay.reducers import rows_of_append
from attending.server.reports import workshop
from attending.server.reports.choose import WORDS, Choice
from attending.server.reports.desk import Report, ReportDesk
from attending.server.reports.export import Exporter
from attending.server.reports.kinds import KINDS, scope_violations
from attending.server.reports.look import drafts_given
from attending.server.reports.make import make_in_process
from attending.server.reports.particulars import Kind
from attending.server.reports.workshop import BUNDLE, DRAFT, ISSUED_PDF, WORK
from attending.server.review.enrolment import enrol_keys

from tests.authenticator import PRESENT, Credential
from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.reports.test_export import export, order, signed_release, verify
from tests.server.reports.test_pdf import text_of
from tests.server.review.conftest import Person, Ward, person, phi_of

_calls = iter(range(1_000_000))


def fresh() -> Once:
    return key(f"report-{next(_calls)}")


def opened(ward: Ward, folder: Path) -> ReportDesk:
    """As a process sees it that starts with `folder`."""
    phi = phi_of(ward.gate)
    exporter = Exporter(ward.gate.ledger, folder / "exports", phi, ward.gate.clock)
    return ReportDesk(
        ledger=ward.gate.ledger,
        exporter=exporter,
        authorizer=phi._authorizer,
        folder=folder / "reports",
        embedded=True,
        now=ward.gate.clock,
    )


@pytest.fixture
async def desk(ward: Ward, tmp_path: Path) -> AsyncIterator[ReportDesk]:
    made = opened(ward, tmp_path)
    yield made
    await made.drain()
    assert list((made.folder / WORK).iterdir()) == []


async def create(ward: Ward, desk: ReportDesk, kind: Kind = Kind.REGULATOR, **choice: object) -> str:
    found = await desk.create(ward.auditor.permit, kind, Choice(**choice), "audit", fresh())  # type: ignore[arg-type]
    return str(found.row["report_id"])


async def made(desk: ReportDesk, report_id: str) -> Report:
    found = await desk.get(TENANT, report_id)
    while (task := found.making.task) is not None:
        await asyncio.wait({task})
        found = await desk.get(TENANT, report_id)
    assert found.ready, found.making.failure
    return found


async def given(desk: ReportDesk, who: Person, report_id: str) -> frozenset[str]:
    look = await desk.look(who.principal.tenant, report_id)
    return drafts_given(look.stream, who.principal)


async def sign(desk: ReportDesk, who: Person, report_id: str) -> Entry:
    if not await given(desk, who, report_id):
        await got(desk, who, report_id, DRAFT)
    prepared = await desk.prepare(who.principal, report_id, who.key_id)
    signature = who.key.sign(prepared.statement.message())
    return await desk.sign(who.principal, prepared.preparation_id, signature, fresh())


async def got(desk: ReportDesk, who: Person, report_id: str, name: str) -> bytes:
    return b"".join([chunk async for chunk in desk.download(who.permit, report_id, name)])


async def refusal(awaitable: object) -> str:
    with pytest.raises(AttendingError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.reason


async def test_a_report_is_asked_for_signed_off_and_issued_and_the_log_says_so(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    draft = await got(desk, ward.auditor, report_id, DRAFT)
    assert "DRAFT, not signed" in written(tmp_path, draft)
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == "REPORT_NOT_SIGNED_OFF"
    assert await refusal(got(desk, ward.auditor, report_id, ISSUED_PDF)) == "REPORT_NOT_ISSUED"
    signed = await sign(desk, ward.auditor, report_id)
    assert signed.body["statement"]["draft"] == hashlib.sha256(draft).hexdigest()
    issued = await desk.issue(ward.auditor.principal, report_id, fresh())
    pdf = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    assert hashlib.sha256(pdf).hexdigest() == issued.body["pdf"]
    text = written(tmp_path, pdf)
    for shown in (
        "audrey",
        "auditor",
        "approved for issue",
        "A key of their own that is no passkey",
        signed.body["statement"]["time"],
    ):
        assert shown in text
    assert "DRAFT" not in text
    assert (await desk.get(TENANT, report_id)).row["state"] == "issued"
    stream = await ward.gate.ledger.whole_stream(TENANT, report_stream(report_id))
    kinds = [entry.type for entry in stream]
    assert kinds == [REQUESTED, DISCLOSED, SIGNED_OFF, ISSUED, DISCLOSED]
    assert [entry.body["what"] for entry in stream if entry.type == DISCLOSED] == ["draft", "report"]
    (tmp_path / "evidence").mkdir()
    with pikepdf.open(tmp_path / "read.pdf") as document:
        inside = document.attachments["bundle.attending"].get_file().read_bytes()
    assert inside == await got(desk, ward.auditor, report_id, BUNDLE)
    (tmp_path / "inside.attending").write_bytes(inside)
    assert verify(ward, tmp_path / "inside.attending").verdict == "passed"
    whole, _steps = await export(ward, tmp_path, order())
    report = verify(ward, whole)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]


def written(tmp_path: Path, pdf: bytes) -> str:
    (tmp_path / "read.pdf").write_bytes(pdf)
    return text_of(tmp_path / "read.pdf")


async def test_what_a_crash_takes_away_is_made_again_byte_for_byte(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    before = {name: await got(desk, ward.auditor, report_id, name) for name in (DRAFT, BUNDLE)}
    await sign(desk, ward.auditor, report_id)
    issued = await desk.issue(ward.auditor.principal, report_id, fresh())
    await signed_release(ward)
    ward.gate.clock.advance(hours=3)
    shutil.rmtree(tmp_path / "reports")
    again = opened(ward, tmp_path)
    assert not (await again.get(TENANT, report_id)).ready
    await made(again, report_id)
    assert {name: await got(again, ward.auditor, report_id, name) for name in before} == before
    pdf = await got(again, ward.auditor, report_id, ISSUED_PDF)
    assert hashlib.sha256(pdf).hexdigest() == issued.body["pdf"]


async def test_a_kill_while_it_is_made_leaves_nothing_half_and_another_process_goes_on(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    (tmp_path / "reports" / WORK / "left-by-a-crash").mkdir()
    (tmp_path / "reports" / WORK / "left-by-a-crash" / BUNDLE).write_bytes(b"half")
    another = opened(ward, tmp_path)
    await asyncio.gather(made(another, report_id), made(desk, report_id))
    assert await got(desk, ward.auditor, report_id, DRAFT) == await got(
        another, ward.auditor, report_id, DRAFT
    )


async def test_a_dossier_is_of_one_inference_and_a_choice_of_what_was_chosen(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    one = await signed_release(ward)
    other = await ward.gate.pipeline.infer(CALLER, infer_call("Letter"), key("other"))
    dossier = await create(ward, desk, Kind.DOSSIER, inference_id=one.inference_id)
    await made(desk, dossier)
    text = written(tmp_path, await got(desk, ward.auditor, dossier, DRAFT))
    assert one.inference_id in text
    assert other.inference_id not in text
    assert "rivera" in text
    by_signer = await create(ward, desk, clinician="rivera")
    requested = await ward.gate.ledger.stream_entries(TENANT, report_stream(by_signer))
    assert requested[0].body["inferences"] == [one.inference_id]
    by_policy = await create(ward, desk, policy=other.policy)
    requested = await ward.gate.ledger.stream_entries(TENANT, report_stream(by_policy))
    assert other.inference_id in requested[0].body["inferences"]
    await made(desk, by_signer)
    await made(desk, by_policy)


async def test_a_change_report_rests_on_all_before_its_period_and_lists_what_saw_a_version(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    one = await signed_release(ward)
    ward.gate.clock.advance(hours=2)
    since = ward.gate.clock.moment
    await ward.gate.pipeline.infer(CALLER, infer_call("Letter"), key("later"))
    [first] = await ward.gate.ledger.stream_entries(TENANT, one.inference_id, 0, 1)
    version = first.body["policy_hash"]
    report_id = await create(ward, desk, Kind.CHANGE, from_time=since, version=version)
    [requested] = await ward.gate.ledger.stream_entries(TENANT, report_stream(report_id))
    assert (requested.body["from"], requested.body["choice"]["version"]) == (0, version)
    await made(desk, report_id)
    draft = await got(desk, ward.auditor, report_id, DRAFT)
    assert one.inference_id in written(tmp_path, draft)
    with pikepdf.open(tmp_path / "read.pdf") as document:
        lines = document.attachments["rows.jsonl"].get_file().read_bytes().splitlines()
    assert json.loads(lines[0])["asked"]["version"] == version
    listed = [row for row in map(json.loads, lines[1:]) if row[0] == "output"]
    assert one.inference_id in [row[4] for row in listed]
    late = ward.gate.clock.moment + timedelta(days=1)
    assert await refusal(create(ward, desk, Kind.CHANGE, from_time=late)) == "NO_ENTRIES_IN_PERIOD"
    early = ward.gate.clock.moment - timedelta(days=900)
    assert await refusal(create(ward, desk, Kind.CHANGE, to_time=early)) == "NO_ENTRIES_IN_PERIOD"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_takes_what_its_report_can_be_narrowed_by_and_no_more(kind: Kind) -> None:
    about = KINDS[kind]
    assert scope_violations(kind, about.narrows) == []
    assert {field for field, _ in scope_violations(kind, ())} == {f"scope.{name}" for name in about.needs}
    more = set(WORDS) - about.narrows
    found = scope_violations(kind, about.narrows | more)
    assert {field for field, _ in found} == {f"scope.{name}" for name in more}


async def test_what_there_is_not_is_refused_with_its_reason(ward: Ward, desk: ReportDesk) -> None:
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("z"))
    late = ward.gate.clock.moment + timedelta(days=1)
    assert await refusal(create(ward, desk, from_time=late)) == "NO_ENTRIES_IN_PERIOD"
    assert await refusal(create(ward, desk, policy="no-such")) == "NOTHING_CHOSEN"
    assert await refusal(create(ward, desk, Kind.DOSSIER, inference_id="inf_none")) == "UNKNOWN_INFERENCE"
    assert await refusal(desk.get(TENANT, "rpt_none")) == "UNKNOWN_REPORT"
    report_id = await create(ward, desk)
    assert await refusal(desk.get("another", report_id)) == "UNKNOWN_REPORT"
    assert (
        await refusal(desk.prepare(ward.rivera.principal, report_id, ward.rivera.key_id))
        == "ROLE_NOT_PERMITTED"
    )
    assert await refusal(desk.prepare(ward.auditor.principal, report_id, ward.rivera.key_id)) == "UNKNOWN_KEY"
    await made(desk, report_id)


async def test_the_same_call_twice_is_one_report(ward: Ward, desk: ReportDesk) -> None:
    await signed_release(ward)
    once = fresh()
    calls = [desk.create(ward.auditor.permit, Kind.REGULATOR, Choice(), "audit", once) for _ in range(3)]
    ids = {str(one.row["report_id"]) for one in await asyncio.gather(*calls)}
    assert len(ids) == 1
    await made(desk, ids.pop())


async def test_an_erased_patient_is_in_it_by_entries_alone(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    outcome = await signed_release(ward)
    pseudonym = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    await ward.gate.ledger.erase_subject(TENANT, pseudonym)
    report_id = await create(ward, desk, subject=pseudonym)
    await made(desk, report_id)
    draft = await got(desk, ward.auditor, report_id, DRAFT)
    assert outcome.inference_id in written(tmp_path, draft)
    assert b"MRN-1" not in draft
    assert b"A safe text" not in draft


async def test_a_wrong_signature_signs_nothing_and_nobody_signs_for_another(
    ward: Ward, desk: ReportDesk
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await got(desk, ward.auditor, report_id, DRAFT)
    prepared = await desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)
    wrong = ward.rivera.key.sign(prepared.statement.message())
    call = desk.sign(ward.auditor.principal, prepared.preparation_id, wrong, fresh())
    assert await refusal(call) == "SIGNATURE_INVALID"
    officer = replace(ward.rivera.principal, roles=frozenset({"safety_officer"}))
    right = ward.auditor.key.sign(prepared.statement.message())
    call = desk.sign(officer, prepared.preparation_id, right, fresh())
    assert await refusal(call) == "NOT_YOUR_PREPARATION"
    ward.gate.clock.advance(hours=1)
    call = desk.sign(ward.auditor.principal, prepared.preparation_id, right, fresh())
    assert await refusal(call) == "PREPARATION_EXPIRED"
    await sign(desk, ward.auditor, report_id)
    assert await refusal(sign(desk, ward.auditor, report_id)) == "REPORT_SIGNED_OFF"


async def test_who_was_not_given_the_draft_as_it_is_does_not_stand_for_it(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    call = desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)
    assert await refusal(call) == "DRAFT_NOT_READ"
    officer = Person(replace(ward.rivera.principal, roles=frozenset({"safety_officer"})), ward.rivera.key)
    await got(desk, officer, report_id, DRAFT)  # somebody else
    await got(desk, ward.auditor, report_id, BUNDLE)
    call = desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)
    assert await refusal(call) == "DRAFT_NOT_READ"
    await got(desk, ward.auditor, report_id, DRAFT)
    draft = tmp_path / "reports" / TENANT / report_id / DRAFT
    draft.write_bytes(draft.read_bytes() + b"\n")
    call = desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)
    assert await refusal(call) == "DRAFT_NOT_READ"
    # Not the digests alone: it is the person's own draft that was given.
    assert len(await given(desk, ward.auditor, report_id)) == 1


async def test_what_is_issued_is_issued_where_the_disk_does_not_give_the_pages_their_name(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)
    stands = tmp_path / "reports" / TENANT / report_id / ISSUED_PDF
    stands.mkdir()
    (stands / "in the way").write_bytes(b"")
    entry = await desk.issue(ward.auditor.principal, report_id, fresh())
    assert entry.type == ISSUED
    assert (await desk.get(TENANT, report_id)).row["state"] == "issued"
    assert list((tmp_path / "reports" / WORK).iterdir()) == []
    shutil.rmtree(stands)
    pdf = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    assert hashlib.sha256(pdf).hexdigest() == entry.body["pdf"]


async def test_what_the_verifier_would_fail_is_not_signed_off(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    """A signature after the end of a licence, or in a role that the key is not enrolled in, would fail V12 or V13 in
    every bundle from then on.
    """
    ends = ward.gate.clock.moment + timedelta(minutes=5)
    made_of = person("leo", "auditor")
    leo = Person(replace(made_of.principal, licence_expires=ends), made_of.key)
    people = [one.principal for one in (ward.rivera, ward.chen, ward.auditor, leo)]
    await enrol_keys(ward.gate.ledger, [TENANT], people, "srv-test", ward.gate.clock)
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await got(desk, leo, report_id, DRAFT)
    moved = Person(replace(leo.principal, roles=frozenset({"safety_officer"})), leo.key)
    assert await refusal(sign(desk, moved, report_id)) == "KEY_UNKNOWN"
    prepared = await desk.prepare(leo.principal, report_id, leo.key_id)
    ward.gate.clock.advance(minutes=5)
    signature = leo.key.sign(prepared.statement.message())
    call = desk.sign(leo.principal, prepared.preparation_id, signature, fresh())
    assert await refusal(call) == "KEY_UNKNOWN"
    await sign(desk, ward.auditor, report_id)
    whole, _steps = await export(ward, tmp_path, order())
    report = verify(ward, whole)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]


async def test_a_passkey_signs_a_report_off_and_the_pages_say_so(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    passkey = Credential.new()
    key_id, now = passkey.enrolled.key_id, ward.gate.clock
    halves = [
        PendingEntry("credential.issued", "invitation:inv_1", actor, None, body, occurred_at=now())
        for actor, body in (
            ("human:olga", {"half": "administrator", "expires": stamp(now() + timedelta(hours=1))}),
            ("human:saida", {"half": "officer"}),
        )
    ]
    said = {"user": "audrey", "credential": "inv_1", "kind": "passkey"}
    halves = [replace(one, body={**said, **one.body}) for one in halves]
    enrolled = {
        **passkey.enrolled.to_json(),
        "user": "audrey",
        "roles": ["auditor"],
        "not_after": None,
        "invitation": "inv_1",
    }
    bound = PendingEntry("key.enrolled", f"key:{key_id}", "human:audrey", None, enrolled, occurred_at=now())
    await ward.gate.ledger.append(TENANT, [*halves, bound], rows=rows_of_append([*halves, bound]))
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await got(desk, ward.auditor, report_id, DRAFT)
    who = ward.auditor.principal
    prepared = await desk.prepare(who, report_id, key_id)
    challenge = prepared.statement.challenge()
    # The key alone, another site, an unverified person, another statement: none of them signs.
    raw = passkey.sign(prepared.statement.message())
    assert await refusal(desk.sign(who, prepared.preparation_id, raw, fresh())) == "SIGNATURE_INVALID"
    for wrong in (
        passkey.prove(challenge, origin="http://elsewhere:8799"),
        passkey.prove(challenge, flags=PRESENT),
        passkey.prove(bytes(32)),
    ):
        call = desk.sign(who, prepared.preparation_id, wrong.signature, fresh(), wrong.assertion)
        assert await refusal(call) == "SIGNATURE_INVALID"
    right = passkey.prove(challenge)
    signed = await desk.sign(who, prepared.preparation_id, right.signature, fresh(), right.assertion)
    assert signed.body["algorithm"] == "webauthn-es256"
    await desk.issue(who, report_id, fresh())
    text = written(tmp_path, await got(desk, ward.auditor, report_id, ISSUED_PDF))
    shown = re.sub(r"\s", "", text)
    assert "Apasskey,whosedeviceverifieditspersonforthissignature" in shown
    whole, _steps = await export(ward, tmp_path, order())
    report = verify(ward, whole)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]


async def test_a_key_that_is_revoked_meanwhile_signs_nothing_off(ward: Ward, desk: ReportDesk) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await got(desk, ward.auditor, report_id, DRAFT)
    who, key_id = ward.auditor.principal, ward.auditor.key_id
    prepared = await desk.prepare(who, report_id, key_id)
    body = {"key_id": key_id, "reason": "credential-lost"}
    over = PendingEntry(
        "key.revoked", f"key:{key_id}", "human:olga", None, body, occurred_at=ward.gate.clock()
    )
    await ward.gate.ledger.append(TENANT, [over], rows=rows_of_append([over]))
    signature = ward.auditor.key.sign(prepared.statement.message())
    call = desk.sign(who, prepared.preparation_id, signature, fresh())
    assert await refusal(call) == "KEY_UNKNOWN"
    assert (await desk.get(TENANT, report_id)).row["state"] == "requested"


async def test_another_tenant_s_people_find_no_report_of_this_one(ward: Ward, desk: ReportDesk) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await got(desk, ward.auditor, report_id, DRAFT)
    prepared = await desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)
    await ward.gate.ledger.create_log("another", "test.example/another")
    other = Person(replace(ward.auditor.principal, tenant="another"), ward.auditor.key)
    for call in (
        desk.get("another", report_id),
        desk.again("another", report_id),
        got(desk, other, report_id, DRAFT),
        desk.issue(other.principal, report_id, fresh()),
    ):
        assert await refusal(call) == "UNKNOWN_REPORT"
    assert await refusal(desk.prepare(other.principal, report_id, other.key_id)) == "UNKNOWN_KEY"
    signature = other.key.sign(prepared.statement.message())
    call = desk.sign(other.principal, prepared.preparation_id, signature, fresh())
    assert await refusal(call) == "UNKNOWN_PREPARATION"
    assert await desk.list("another", 10, 0) == []
    assert await given(desk, other, report_id) == frozenset()
    assert await ward.gate.ledger.whole_stream("another", report_stream(report_id)) == []


async def test_the_list_is_by_kind_and_state(ward: Ward, desk: ReportDesk) -> None:
    outcome = await signed_release(ward)
    one = await create(ward, desk)
    dossier = await create(ward, desk, Kind.DOSSIER, inference_id=outcome.inference_id)
    await made(desk, one)
    await made(desk, dossier)
    await sign(desk, ward.auditor, one)

    async def ids(**by: str) -> list[str]:
        return [str(found.row["report_id"]) for found in await desk.list(TENANT, 10, 0, **by)]

    assert await ids() == [dossier, one]
    assert await ids(kind="dossier") == [dossier]
    assert await ids(state="signed_off") == [one]
    assert await ids(state="signed_off", kind="dossier") == []


async def test_two_issues_at_once_are_one(ward: Ward, desk: ReportDesk) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)
    calls = [desk.issue(ward.auditor.principal, report_id, fresh()) for _ in range(2)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    [refused] = [one for one in done if isinstance(one, AttendingError)]
    assert refused.reason in ("REPORT_MOVED", "REPORT_ISSUED")
    assert len([one for one in done if isinstance(one, Entry)]) == 1


async def test_a_file_that_was_changed_is_neither_issued_nor_given(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)
    bundle = tmp_path / "reports" / TENANT / report_id / BUNDLE
    honest = bundle.read_bytes()
    bundle.write_bytes(honest[:-1] + b"X")
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == "REPORT_CHANGED"
    bundle.write_bytes(honest)
    draft = bundle.with_name(DRAFT)
    signed = draft.read_bytes()
    draft.write_bytes(signed + b"\n")
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == "REPORT_CHANGED"
    draft.write_bytes(signed)
    await desk.issue(ward.auditor.principal, report_id, fresh())
    issued = bundle.with_name(ISSUED_PDF)
    issued.write_bytes(b"%PDF-1.7 other")
    assert await refusal(got(desk, ward.auditor, report_id, ISSUED_PDF)) == "REPORT_CHANGED"
    assert (await got(desk, ward.auditor, report_id, ISSUED_PDF)).startswith(b"%PDF-")


async def test_what_is_given_is_what_is_on_record_when_another_file_gets_its_name_meanwhile(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    draft = tmp_path / "reports" / TENANT / report_id / DRAFT
    honest = draft.read_bytes()

    def now() -> datetime:
        (tmp_path / "other").write_bytes(b"%PDF-1.7 other")
        (tmp_path / "other").replace(draft)
        return ward.gate.clock()

    given = await got(replace(desk, now=now), ward.auditor, report_id, DRAFT)
    [disclosed] = [
        entry
        for entry in await ward.gate.ledger.whole_stream(TENANT, report_stream(report_id))
        if entry.type == DISCLOSED
    ]
    assert draft.read_bytes() == b"%PDF-1.7 other"
    assert disclosed.body["sha256"] == hashlib.sha256(given).hexdigest()
    assert given == honest


async def test_who_downloads_the_draft_does_not_stop_its_issue(
    ward: Ward, desk: ReportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)

    async def meanwhile(*given: Any, **more: Any) -> None:
        await make_in_process(*given, **more)
        await got(desk, ward.auditor, report_id, DRAFT)

    monkeypatch.setattr(workshop, "make_in_process", meanwhile)
    issued = await desk.issue(ward.auditor.principal, report_id, fresh())
    assert issued.type == ISSUED


async def test_the_second_of_two_issues_leaves_the_pages_of_the_first(
    ward: Ward, desk: ReportDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)
    another = opened(ward, tmp_path)

    async def later(bundle: Path, out: Path, *_given: object) -> None:
        monkeypatch.setattr(workshop, "make_in_process", make_in_process)
        await another.issue(ward.auditor.principal, report_id, fresh())
        out.write_bytes(b"%PDF-1.7 by other software")

    monkeypatch.setattr(workshop, "make_in_process", later)
    assert await refusal(desk.issue(ward.auditor.principal, report_id, fresh())) == "REPORT_ISSUED"
    assert b"other software" not in (tmp_path / "reports" / TENANT / report_id / ISSUED_PDF).read_bytes()


async def test_a_time_to_come_is_not_said_to_be_covered(ward: Ward, desk: ReportDesk, tmp_path: Path) -> None:
    await signed_release(ward)
    until = ward.gate.clock.moment + timedelta(days=30)
    report_id = await create(ward, desk, to_time=until)
    [requested] = await ward.gate.ledger.stream_entries(TENANT, report_stream(report_id))
    await made(desk, report_id)
    text = written(tmp_path, await got(desk, ward.auditor, report_id, DRAFT))
    said = f"of which no more than up to {requested.time}, when it was asked for"
    assert re.sub(r"\W", "", said) in re.sub(r"\W", "", text)  # wherever its lines end


async def test_a_fault_that_nobody_thought_of_is_a_failure_and_not_a_report_that_is_made_for_ever(
    ward: Ward, desk: ReportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_release(ward)

    async def breaks(*_given: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(workshop, "make_in_process", breaks)
    report_id = await create(ward, desk)
    found = await desk.get(TENANT, report_id)
    assert found.making.task is not None
    await asyncio.wait({found.making.task})
    again = await desk.get(TENANT, report_id)
    assert (again.making.failure, again.making.task) == ("REPORT_NOT_MADE", None)


async def test_a_process_that_dies_leaves_a_reason_and_the_next_call_tries_again(
    ward: Ward, desk: ReportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_release(ward)
    real = make_in_process

    async def dies(*_args: object, **_more: object) -> None:
        raise Unavailable("REPORT_NOT_MADE")

    monkeypatch.setattr(workshop, "make_in_process", dies)
    report_id = await create(ward, desk)
    found = await desk.get(TENANT, report_id)
    while found.making.task is not None:
        await asyncio.sleep(0.01)
    found = await desk.get(TENANT, report_id)
    assert found.making.failure == "REPORT_NOT_MADE"
    assert not found.ready
    monkeypatch.setattr(workshop, "make_in_process", real)
    call = desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)
    assert await refusal(call) == "REPORT_NOT_READY"
    await made(desk, report_id)


async def test_after_the_log_has_a_new_key_a_lost_report_cannot_be_made_as_it_was(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    kept = await create(ward, desk)
    await made(desk, kept)
    await sign(desk, ward.auditor, kept)
    await desk.issue(ward.auditor.principal, kept, fresh())
    await ward.gate.ledger.signing.rotate(TENANT, Order("human:o"))
    (tmp_path / "reports" / TENANT / kept / BUNDLE).unlink()
    assert (await got(desk, ward.auditor, kept, ISSUED_PDF)).startswith(b"%PDF-")
    shutil.rmtree(tmp_path / "reports" / TENANT / report_id)
    found = await desk.get(TENANT, report_id)
    assert found.making.task is not None
    await asyncio.wait({found.making.task})
    assert (await desk.get(TENANT, report_id)).making.failure == "SIGNING_KEY_ROTATED"
    newer = await create(ward, desk)
    await made(desk, newer)
    text = ward.gate.ledger.verifier_key(TENANT)
    path = tmp_path / "reports" / TENANT / newer / BUNDLE
    assert verify_bundle(path, Anchors(keys=(VerifierKey.parse(text),))).failures == ()


async def test_a_file_that_goes_while_it_is_asked_for_is_made_again_or_is_not_ready(
    ward: Ward, desk: ReportDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_release(ward)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    place = tmp_path / "reports" / TENANT / report_id
    draft = await got(desk, ward.auditor, report_id, DRAFT)
    whole = workshop.Workshop.ready

    async def gone_again(self: workshop.Workshop, tenant: str, report: str) -> Path:
        found = await whole(self, tenant, report)
        (found / DRAFT).unlink()  # as another process does to make room, just then
        return found

    with monkeypatch.context() as patch:
        patch.setattr(workshop.Workshop, "ready", gone_again)
        assert await refusal(desk.prepare(ward.auditor.principal, report_id, ward.auditor.key_id)) == (
            "REPORT_NOT_READY"
        )
        assert not (place / DRAFT).exists()
        assert await refusal(got(desk, ward.auditor, report_id, DRAFT)) == "REPORT_NOT_READY"
    await made(desk, report_id)
    assert await got(desk, ward.auditor, report_id, DRAFT) == draft
    await sign(desk, ward.auditor, report_id)
    await desk.issue(ward.auditor.principal, report_id, fresh())
    issued = await got(desk, ward.auditor, report_id, ISSUED_PDF)
    (place / ISSUED_PDF).unlink()
    assert await got(desk, ward.auditor, report_id, ISSUED_PDF) == issued
    (place / BUNDLE).unlink()
    assert await refusal(got(desk, ward.auditor, report_id, BUNDLE)) == "REPORT_NOT_READY"
    await made(desk, report_id)


async def test_a_report_that_nobody_wants_goes_with_its_files_and_makes_room(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    waits, signed, running = [await create(ward, desk) for _ in range(3)]
    for one in (waits, signed):
        await made(desk, one)
    await sign(desk, ward.auditor, signed)
    full = replace(desk, most_bytes=1)
    assert await refusal(create(ward, full)) == "REPORT_FILES_FULL"
    once = fresh()
    entry = await desk.discard(ward.auditor.principal, waits, once)
    assert (entry.type, entry.actor) == (DISCARDED, ward.auditor.principal.actor)
    assert entry.body == {"report": waits, "reason": "not_wanted"}
    assert (await desk.discard(ward.auditor.principal, waits, once)).index == entry.index
    await desk.discard(ward.auditor.principal, signed, fresh())
    await desk.discard(ward.auditor.principal, running, fresh())
    assert list((tmp_path / "reports" / TENANT).iterdir()) == []
    for one in (waits, signed, running):
        found = await desk.get(TENANT, one)
        assert (found.row["state"], found.ready, found.making.task) == ("discarded", False, None)
        for call in (
            desk.discard(ward.auditor.principal, one, fresh()),
            desk.prepare(ward.auditor.principal, one, ward.auditor.key_id),
            desk.issue(ward.auditor.principal, one, fresh()),
            got(desk, ward.auditor, one, DRAFT),
            got(desk, ward.auditor, one, ISSUED_PDF),
        ):
            assert await refusal(call) == "REPORT_DISCARDED"
    assert await refusal(desk.discard(ward.auditor.principal, "rpt_none", fresh())) == "UNKNOWN_REPORT"
    stranger = replace(ward.auditor.principal, tenant="another")
    assert await refusal(desk.discard(stranger, waits, fresh())) == "UNKNOWN_REPORT"
    last = await create(ward, full)
    await made(full, last)
    await sign(full, ward.auditor, last)
    await full.issue(ward.auditor.principal, last, fresh())
    assert await refusal(desk.discard(ward.auditor.principal, last, fresh())) == "REPORT_ISSUED"
    whole, _steps = await export(ward, tmp_path, order())
    report = verify(ward, whole)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    await full.drain()


async def test_of_a_discard_and_a_sign_off_or_an_issue_at_once_one_is_on_record(
    ward: Ward, desk: ReportDesk, tmp_path: Path
) -> None:
    await signed_release(ward)
    for step in ("sign", "issue"):
        report_id = await create(ward, desk)
        await made(desk, report_id)
        if step == "sign":
            call = sign(desk, ward.auditor, report_id)
        else:
            await sign(desk, ward.auditor, report_id)
            call = desk.issue(ward.auditor.principal, report_id, fresh())
        discarding = desk.discard(ward.auditor.principal, report_id, fresh())
        done = await asyncio.gather(call, discarding, return_exceptions=True)
        stream = await ward.gate.ledger.whole_stream(TENANT, report_stream(report_id))
        kinds = [entry.type for entry in stream if entry.type != DISCLOSED]
        refused = [one for one in done if isinstance(one, BaseException)]
        assert all(isinstance(one, AttendingError) for one in refused), refused
        if kinds[-1] == DISCARDED:
            # Who was at work on it meanwhile may have left something, which the next sweep finds.
            await desk.drain()
            assert await desk.expire(TENANT, "system:srv", ward.gate.clock.moment - timedelta(days=90)) == 0
            assert not (tmp_path / "reports" / TENANT / report_id).exists()
        assert ISSUED not in kinds or kinds[-1] == ISSUED
        row = (await desk.get(TENANT, report_id)).row["state"]
        assert row == {SIGNED_OFF: "signed_off", DISCARDED: "discarded", ISSUED: "issued"}[kinds[-1]]
