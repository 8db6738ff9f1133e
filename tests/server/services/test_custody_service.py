"""CustodyService over real TLS: rights, names that are never told, repeated requests, holds, erasure, pruning."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Connection, CustodyClient, ReceiptError
from attending.client.errors import AttendingApiError, translate
from attending.ledger.custody.retention import Rule, Rules, Start
from attending.ledger.entry import Payload, PendingEntry, parse_entry
from attending.ledger.errors import PayloadPruned, StoreUnavailable, SubjectErased
from attending.ledger.proof import verify_receipt
from attending.server.app import App, Component
from attending.server.auth.authenticate import Directory
from attending.server.cli.ledger.prune import command as prune_command
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.services import custody
from attending.server.services.custody import CustodyComponent, CustodyService
from attending.server.services.ledger import build as build_ledger
from attending.v1 import common_pb2, custody_pb2, custody_pb2_grpc
from click.testing import CliRunner

TENANT = "demo"
RECORDS = common_pb2.PURPOSE_OF_USE_RECORDS_MANAGEMENT
NOBODY = "sub_" + "a" * 26
GDPR = custody_pb2.ERASURE_REASON_GDPR_17
WRITTEN = custody_pb2.STATEMENT_FORM_WRITTEN
LITIGATION = custody_pb2.HOLD_GROUND_LITIGATION
_numbers = itertools.count()


async def build(app: App) -> Component:
    """The service with rules short enough that nobody has to wait half a year; a configured minimum is 183 days."""
    rules = Rules((Rule("inference.failed", 1, Start.ENTRY), Rule("inference.released", 36_525, Start.ENTRY)))
    [officer] = [item for item in app.config.identities if item.name == "demo-privacy-officer"]
    more = [
        officer.model_copy(update={"name": "second-officer"}),
        officer.model_copy(update={"name": "far-officer", "tenant": "elsewhere"}),
        officer.model_copy(update={"name": "former-officer", "expires": app.now()}),
    ]
    directory = Directory([*app.config.identities, *more], app.now)
    return CustodyComponent(CustodyService(app.ledger, directory, rules, app.phi, app.now))


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    running = start_server(components=[build_ledger, build])
    running.old = running.run(fill(running.app.ledger))
    return running


async def fill(ledger: Any) -> list[str]:
    records = []
    for number in range(5):
        appended = await ledger.append(TENANT, [pending("inference.failed", f"old-{number}", None)])
        records.append(appended.commitments[0][0].record)
    return records


def pending(type_: str, stream: str, subject: str | None) -> PendingEntry:
    return PendingEntry(type_, stream, "app:demo-app", subject, {}, (Payload("prompt", b"text"),))


@pytest.fixture
def officer(server: Any) -> Any:
    return custody_pb2_grpc.CustodyServiceStub(server.channel("demo-privacy-officer"))


def somebody(server: Any) -> tuple[str, str, str]:
    """(record number, pseudonym, vault record) of somebody new."""
    number = f"77{next(_numbers):05d}"

    async def make() -> tuple[str, str]:
        pseudonym = await server.app.ledger.pseudonym(TENANT, f"mrn:{number}")
        appended = await server.app.ledger.append(
            TENANT, [pending("inference.released", f"of-{number}", pseudonym)]
        )
        return pseudonym, appended.commitments[0][0].record

    return (number, *server.run(make()))


@pytest.fixture
def person(server: Any) -> tuple[str, str, str]:
    return somebody(server)


def named(pseudonym: str) -> custody_pb2.SubjectName:
    return custody_pb2.SubjectName(pseudonym=pseudonym)


def show(subject: custody_pb2.SubjectName) -> custody_pb2.ShowSubjectRequest:
    return custody_pb2.ShowSubjectRequest(subject=subject, purpose_of_use=RECORDS)


def key() -> str:
    return uuid.uuid4().hex


def suspension(
    subject: custody_pb2.SubjectName,
    form: custody_pb2.StatementForm.ValueType = custody_pb2.STATEMENT_FORM_ORAL,
    *,
    days: int = 29,
    statement: str = "Detective Ames",
) -> custody_pb2.SuspendAccountingRequest:
    request = custody_pb2.SuspendAccountingRequest(
        idempotency_key=key(),
        subject=subject,
        agency=custody_pb2.AGENCY_LAW_ENFORCEMENT,
        form=form,
        statement=statement,
    )
    request.until.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    return request


def failure(method: Any, request: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=30)
    return translate(caught.value)


def entries_of(response: Any, server: Any) -> list[Any]:
    """The entries of the receipts, each of which is verified."""
    vkey = server.app.ledger.verifier_key(TENANT)
    for receipt in response.receipts:
        verify_receipt(receipt.tlog_proof, receipt.entry, [vkey])
    return [parse_entry(receipt.entry) for receipt in response.receipts]


def certificates(response: Any) -> list[bytes]:
    return [receipt.entry for receipt in response.receipts]


def content(server: Any, record: str) -> bytes:
    found = server.run(server.app.ledger.open_payload(TENANT, record))
    assert isinstance(found, bytes)
    return found


def size(server: Any) -> int:
    return int(server.run(server.app.ledger.head(TENANT))[0])


def test_the_service_is_part_of_the_server() -> None:
    from attending.server.app import COMPONENTS, resolve

    assert custody.build in resolve(COMPONENTS)


def test_from_a_link_over_a_hold_to_the_certificates(server: Any, officer: Any) -> None:
    (one_number, one, record), (two_number, two, _) = somebody(server), somebody(server)
    linked = officer.LinkSubjects(
        custody_pb2.LinkSubjectsRequest(
            idempotency_key=key(),
            subject=custody_pb2.SubjectName(mrn=one_number),
            other=custody_pb2.SubjectName(mrn=two_number),
            approved_by="second-officer",
        )
    )
    found = entries_of(linked, server)
    assert [(e.type, e.subject, e.actor) for e in found] == [
        ("subject.linked", one, "human:demo-privacy-officer"),
        ("subject.linked", two, "human:demo-privacy-officer"),
    ]
    assert found[0].body == {
        "approved_by": "second-officer",
        "authorized_by": ["privacy-officer-keeps-custody"],
        "other": two,
    }
    held = officer.PlaceHold(
        custody_pb2.PlaceHoldRequest(idempotency_key=key(), subject=named(two), ground=LITIGATION)
    )
    assert [e.type for e in entries_of(held, server)] == ["hold.placed"]
    [hold] = held.subject.holds
    assert (hold.hold_id, hold.pseudonym, hold.ground) == (held.hold_id, two, LITIGATION)
    erase = custody_pb2.EraseSubjectRequest(
        idempotency_key=key(), subject=custody_pb2.SubjectName(mrn=one_number), reason=GDPR
    )
    refused = failure(officer.EraseSubject, erase)
    assert (refused.reason, refused.code) == ("SUBJECT_HELD", grpc.StatusCode.FAILED_PRECONDITION)
    assert refused.metadata == {"holds": held.hold_id}
    unlink = custody_pb2.UnlinkSubjectsRequest(idempotency_key=key(), subject=named(one), other=named(two))
    assert failure(officer.UnlinkSubjects, unlink).reason == "SUBJECT_HELD"
    lifted = officer.LiftHold(
        custody_pb2.LiftHoldRequest(idempotency_key=key(), subject=named(one), hold_id=held.hold_id)
    )
    assert [e.type for e in entries_of(lifted, server)] == ["hold.lifted"]
    assert list(lifted.subject.holds) == []
    assert content(server, record) == b"text"
    answer = officer.EraseSubject(erase)
    assert [(e.type, e.subject, e.body["reason"]) for e in entries_of(answer, server)] == [
        ("subject.erased", name, "gdpr_17") for name in sorted((one, two))
    ]
    assert answer.subject.erased
    assert all(dict(item.payloads) == {} for item in answer.subject.pseudonyms)
    with pytest.raises(SubjectErased):
        content(server, record)
    # The same request again: the same certificates, though its record number leads nowhere any more.
    before = size(server)
    again = officer.EraseSubject(erase)
    assert again.subject == answer.subject
    assert certificates(again) == certificates(answer)
    by_pseudonym = custody_pb2.EraseSubjectRequest(idempotency_key=key(), subject=named(two), reason=GDPR)
    assert certificates(officer.EraseSubject(by_pseudonym)) == certificates(answer)
    # A change is on record by itself; what is shown once more, under whichever key, is a look.
    looks = server.run(server.app.ledger.list_entries(TENANT, before, 10))
    assert [(e.type, e.subject, e.body["action"], e.body["purpose_of_use"]) for e in looks] == [
        ("access.viewed", one, "eraseSubject", "RECORDMGT"),
        ("access.viewed", two, "eraseSubject", "RECORDMGT"),
    ]
    gone = custody_pb2.ShowSubjectRequest(
        purpose_of_use=RECORDS, subject=custody_pb2.SubjectName(mrn=one_number)
    )
    assert failure(officer.ShowSubject, gone).reason == "UNKNOWN_SUBJECT"


def test_a_look_is_recorded_and_tells_no_identifier(server: Any, officer: Any, person: Any) -> None:
    number, pseudonym, _ = person
    shown = officer.ShowSubject(
        custody_pb2.ShowSubjectRequest(purpose_of_use=RECORDS, subject=custody_pb2.SubjectName(mrn=number))
    )
    assert shown.subject.pseudonym == pseudonym
    assert dict(shown.subject.pseudonyms[0].payloads) == {"prompt": 1}
    unknown = custody_pb2.ShowSubjectRequest(
        purpose_of_use=RECORDS, subject=custody_pb2.SubjectName(subject_ref="Jane Q. Patient")
    )
    error = failure(officer.ShowSubject, unknown)
    assert (error.reason, error.code, error.metadata) == ("UNKNOWN_SUBJECT", grpc.StatusCode.NOT_FOUND, {})
    entries = server.run(server.app.ledger.list_entries(TENANT, size(server) - 2, 2))
    assert [(e.type, e.subject, e.body["action"], e.body["purpose_of_use"]) for e in entries] == [
        ("access.viewed", pseudonym, "showSubject", "RECORDMGT"),
        ("access.searched", None, "showSubject", "RECORDMGT"),
    ]
    log = b"".join(e.data for e in server.run(server.app.ledger.list_entries(TENANT, 0, 1000)))
    assert number.encode() not in log.replace(f"of-{number}".encode(), b"")
    assert b"Jane" not in log


def test_a_repeated_change_is_answered_and_another_body_is_not(
    server: Any, officer: Any, person: Any
) -> None:
    _, pseudonym, _ = person
    place = custody_pb2.PlaceHoldRequest(idempotency_key=key(), subject=named(pseudonym), ground=LITIGATION)
    first = officer.PlaceHold(place)
    assert officer.PlaceHold(place).hold_id == first.hold_id
    place.ground = custody_pb2.HOLD_GROUND_INVESTIGATION
    assert failure(officer.PlaceHold, place).reason == "IDEMPOTENCY_KEY_REUSED"
    lift = custody_pb2.LiftHoldRequest(idempotency_key=key(), subject=named(pseudonym), hold_id=first.hold_id)
    assert officer.LiftHold(lift).receipts[0].entry == officer.LiftHold(lift).receipts[0].entry
    lift.idempotency_key = key()
    assert list(officer.LiftHold(lift).receipts) == []
    lift.idempotency_key, lift.hold_id = key(), "hold_" + "0" * 24
    assert failure(officer.LiftHold, lift).reason == "UNKNOWN_HOLD"


def test_an_erasure_that_was_cut_short_is_finished_by_the_same_request(
    server: Any, officer: Any, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, pseudonym, record = person
    keys = server.app.ledger._keys
    monkeypatch.setattr(keys, "destroy", lambda *_: (_ for _ in ()).throw(OSError("broken disk")))
    erase = custody_pb2.EraseSubjectRequest(
        idempotency_key=key(), subject=custody_pb2.SubjectName(mrn=number), reason=GDPR
    )
    error = failure(officer.EraseSubject, erase)
    assert (error.reason, error.code) == (StoreUnavailable.reason, grpc.StatusCode.UNAVAILABLE)
    monkeypatch.undo()
    answer = officer.EraseSubject(erase)
    assert [e.subject for e in entries_of(answer, server)] == [pseudonym]
    with pytest.raises(SubjectErased):
        keys.get(TENANT, pseudonym)
    with pytest.raises(SubjectErased):
        content(server, record)


def test_what_is_linked_meanwhile_is_not_erased_with_it(server: Any, officer: Any, person: Any) -> None:
    _, one, record = person
    two = server.run(server.app.ledger.pseudonym(TENANT, f"ref {one}"))
    officer.LinkSubjects(
        custody_pb2.LinkSubjectsRequest(idempotency_key=key(), subject=named(one), other=named(two))
    )
    erase = custody_pb2.EraseSubjectRequest(
        idempotency_key=key(), subject=named(one), reason=GDPR, expected_pseudonyms=[one]
    )
    error = failure(officer.EraseSubject, erase)
    assert (error.reason, error.code) == ("CUSTODY_CHANGED", grpc.StatusCode.ABORTED)
    assert content(server, record) == b"text"
    unlink = custody_pb2.UnlinkSubjectsRequest(idempotency_key=key(), subject=named(two), other=named(one))
    assert len(officer.UnlinkSubjects(unlink).receipts) == 2
    assert len(officer.EraseSubject(erase).receipts) == 1


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("ShowSubject", custody_pb2.ShowSubjectRequest(), {"subject"}),
        ("ShowSubject",
         show(custody_pb2.SubjectName(mrn="1", subject_ref="2")), {"subject"}),
        ("ShowSubject", show(named("sub_x")), {"subject.pseudonym"}),
        ("ShowSubject", show(named("../../../etc/passwd")), {"subject.pseudonym"}),
        ("ShowSubject",
         show(custody_pb2.SubjectName(mrn="9" * 257)), {"subject"}),
        ("LinkSubjects", custody_pb2.LinkSubjectsRequest(), {"idempotency_key", "subject", "other"}),
        ("PlaceHold", custody_pb2.PlaceHoldRequest(idempotency_key="k", subject=named(NOBODY)), {"ground"}),
        ("PlaceHold",
         custody_pb2.PlaceHoldRequest(idempotency_key="k", subject=named(NOBODY), ground=LITIGATION,
                                      approved_by="demo-privacy-officer"), {"approved_by"}),
        ("PlaceHold",
         custody_pb2.PlaceHoldRequest(idempotency_key="k", subject=named(NOBODY), ground=LITIGATION,
                                      approved_by="dr-rivera"), {"approved_by"}),
        ("SuspendAccounting", custody_pb2.SuspendAccountingRequest(idempotency_key="k", subject=named(NOBODY)),
         {"agency", "form", "statement", "until"}),
        ("SuspendAccounting", suspension(named(NOBODY), days=31), {"until"}),
        ("SuspendAccounting", suspension(named(NOBODY), WRITTEN, days=4_000), {"until"}),
        ("SuspendAccounting", suspension(named(NOBODY), days=-1), {"until"}),
        ("SuspendAccounting", suspension(named(NOBODY), statement=" "), {"statement"}),
        ("SuspendAccounting", suspension(named(NOBODY), statement="x" * 2_001), {"statement"}),
        ("LiftHold", custody_pb2.LiftHoldRequest(idempotency_key="k", subject=named(NOBODY), hold_id="x"), {"hold_id"}),
        ("EraseSubject", custody_pb2.EraseSubjectRequest(idempotency_key="k", subject=named(NOBODY)), {"reason"}),
        ("EraseSubject",
         custody_pb2.EraseSubjectRequest(idempotency_key="k", subject=named(NOBODY), reason=GDPR,
                                         expected_pseudonyms=["x"]), {"expected_pseudonyms"}),
        ("PrunePayloads", custody_pb2.PrunePayloadsRequest(start_index=2**60), {"idempotency_key", "start_index"}),
        ("PrunePayloads",
         custody_pb2.PrunePayloadsRequest(idempotency_key="k", dry_run=True, vacuum=True), {"vacuum"}),
    ],
)  # fmt: skip
def test_requests_that_are_not_valid(
    server: Any, officer: Any, method: str, request_: Any, fields: set[str]
) -> None:
    before = size(server)
    error = failure(getattr(officer, method), request_)
    assert (error.reason, error.code) == ("INVALID_REQUEST", grpc.StatusCode.INVALID_ARGUMENT)
    assert {field for field, _ in error.field_violations} == fields
    assert size(server) == before


def test_an_accounting_is_suspended_once_and_what_was_said_is_sealed(
    server: Any, officer: Any, person: tuple[str, str, str]
) -> None:
    _number, pseudonym, _record = person
    request = suspension(named(pseudonym))
    made = officer.SuspendAccounting(request)
    assert officer.SuspendAccounting(request).suspension_id == made.suspension_id
    [receipt] = made.receipts
    entry = parse_entry(receipt.entry)
    assert (entry.type, entry.subject) == ("disclosure.suspended", pseudonym)
    assert (entry.body["agency"], entry.body["form"]) == ("law_enforcement", "oral")
    assert b"Ames" not in entry.data
    opened = server.run(server.app.ledger.open_payload(TENANT, entry.commitments[0].record))
    assert opened == b"Detective Ames"
    assert len(server.run(server.app.ledger.whole_stream(TENANT, entry.stream))) == 1
    assert failure(officer.SuspendAccounting, suspension(named(NOBODY))).reason == "UNKNOWN_SUBJECT"
    server.run(server.app.ledger.erase_subject(TENANT, pseudonym))
    assert failure(officer.SuspendAccounting, suspension(named(pseudonym))).reason == "SUBJECT_ERASED"


def test_an_unknown_enum_number_is_refused(officer: Any) -> None:
    request = custody_pb2.EraseSubjectRequest(idempotency_key="k", subject=named(NOBODY), reason=99)  # type: ignore[arg-type]
    assert failure(officer.EraseSubject, request).reason == "INVALID_REQUEST"


def test_nobody_reaches_another_tenants_subject(server: Any, officer: Any) -> None:
    """The tenant is the credential's: a subject of another log is one that nobody knows."""
    ledger = server.app.ledger
    server.run(ledger.create_log("elsewhere", "attending.test/elsewhere"))
    theirs = server.run(ledger.pseudonym("elsewhere", "mrn:1"))
    server.run(ledger.append("elsewhere", [pending("inference.released", "theirs", theirs)]))
    mine = server.run(ledger.pseudonym(TENANT, "mrn:1"))
    requests = [
        (officer.ShowSubject, custody_pb2.ShowSubjectRequest(purpose_of_use=RECORDS, subject=named(theirs))),
        (
            officer.LinkSubjects,
            custody_pb2.LinkSubjectsRequest(idempotency_key=key(), subject=named(mine), other=named(theirs)),
        ),
        (
            officer.UnlinkSubjects,
            custody_pb2.UnlinkSubjectsRequest(
                idempotency_key=key(), subject=named(theirs), other=named(mine)
            ),
        ),
        (
            officer.PlaceHold,
            custody_pb2.PlaceHoldRequest(idempotency_key=key(), subject=named(theirs), ground=LITIGATION),
        ),
        (
            officer.LiftHold,
            custody_pb2.LiftHoldRequest(
                idempotency_key=key(), subject=named(theirs), hold_id="hold_" + "0" * 24
            ),
        ),
        (
            officer.EraseSubject,
            custody_pb2.EraseSubjectRequest(idempotency_key=key(), subject=named(theirs), reason=GDPR),
        ),
    ]
    for method, request in requests:
        error = failure(method, request)
        assert (error.reason, error.code) == ("UNKNOWN_SUBJECT", grpc.StatusCode.NOT_FOUND)
    assert server.run(ledger.head("elsewhere"))[0] == 1
    assert server.run(ledger.custody.show("elsewhere", theirs)).payloads == {theirs: {"prompt": 1}}


@pytest.mark.parametrize(
    "identity", ["demo-app", "dr-rivera", "demo-auditor", "demo-operator", "demo-safety-officer"]
)
def test_without_the_role_nothing_is_told_or_changed(server: Any, person: Any, identity: str) -> None:
    _, pseudonym, record = person
    stub = custody_pb2_grpc.CustodyServiceStub(server.channel(identity))
    for method, request in (
        (stub.ShowSubject, custody_pb2.ShowSubjectRequest(purpose_of_use=RECORDS, subject=named(pseudonym))),
        (
            stub.EraseSubject,
            custody_pb2.EraseSubjectRequest(idempotency_key=key(), subject=named(pseudonym), reason=GDPR),
        ),
        (stub.PrunePayloads, custody_pb2.PrunePayloadsRequest(idempotency_key=key())),
    ):
        assert failure(method, request).code is grpc.StatusCode.PERMISSION_DENIED
    assert content(server, record) == b"text"


@pytest.mark.parametrize("approver", ["far-officer", "former-officer"])
def test_an_approver_of_another_tenant_or_of_the_past_does_not_count(
    server: Any, officer: Any, person: Any, approver: str
) -> None:
    place = custody_pb2.PlaceHoldRequest(
        idempotency_key=key(), subject=named(person[1]), ground=LITIGATION, approved_by=approver
    )
    error = failure(officer.PlaceHold, place)
    assert [field for field, _ in error.field_violations] == ["approved_by"]


def test_a_client_refuses_a_receipt_that_does_not_hold(server: Any, person: Any) -> None:
    connection = Connection.from_folder(server.embedded.folder, "demo-privacy-officer")
    other_key = server.app.ledger.verifier_key("system")
    with CustodyClient(replace(connection, log_key=other_key)) as client, pytest.raises(ReceiptError):
        client.hold(named(person[1]), LITIGATION)
    with CustodyClient(connection) as client:
        answer = client.hold(named(person[1]), LITIGATION)
        client._check(answer.receipts, "hold.placed")
        with pytest.raises(ReceiptError):
            client._check(answer.receipts, "hold.lifted")


# --- the command line, and pruning ----------------------------------------------------------------------


@pytest.fixture
def folder(server: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    path: Path = server.embedded.folder
    monkeypatch.setenv("ATTENDING_DATA", str(path))
    return path


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    # The server of the test logs to the same place.
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_privacy_officers_day_at_a_terminal(
    server: Any,
    folder: Path,
    person: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number, pseudonym, record = person
    other = server.run(server.app.ledger.pseudonym(TENANT, f"visit {number}"))
    name = f"mrn:{number}"
    assert run(["subject", "link", name, f"ref:visit {number}", "--approved-by", "second-officer"]) == Exit.OK
    assert f"linked\n{min(pseudonym, other)}" in capsys.readouterr().out
    assert run(["subject", "hold", name, "--ground", "litigation", "--json"]) == Exit.OK
    hold_id = told(capsys)["hold_id"]
    assert run(["subject", "erase", name, "--reason", "gdpr-17", "--yes"]) == Exit.FAILED
    error = capsys.readouterr().err
    assert "SUBJECT_HELD" in error
    assert hold_id in error
    assert "attending subject release" in error
    assert run(["subject", "release", pseudonym, "--hold", hold_id]) == Exit.OK
    assert "no hold" in capsys.readouterr().out
    # Nobody answers: nothing is erased.
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115
    assert run(["subject", "erase", name, "--reason", "gdpr-17"]) == Exit.HELD
    printed = capsys.readouterr()
    assert "2 pseudonyms" in printed.err
    assert "nothing was erased" in printed.err
    assert content(server, record) == b"text"
    assert run(["subject", "erase", name, "--reason", "gdpr-17", "--yes", "--vacuum"]) == Exit.OK
    assert "erased; certificates are entries" in capsys.readouterr().out
    assert run(["subject", "show", pseudonym, "--json"]) == Exit.OK
    assert told(capsys)["erased"] is True
    assert run(["subject", "show", name]) == Exit.FAILED
    printed = capsys.readouterr()
    assert "UNKNOWN_SUBJECT" in printed.err
    assert number not in printed.err + printed.out


def test_an_identifier_can_be_kept_out_of_the_command_line(
    folder: Path,
    person: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    number, pseudonym, _ = person
    (tmp_path / "in").write_text(f"mrn:{number}\n")
    with (tmp_path / "in").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert run(["subject", "show", "-"]) == Exit.OK
    assert pseudonym in capsys.readouterr().out
    assert run(["subject", "show", "Jane Q. Patient"]) == Exit.USAGE
    printed = capsys.readouterr()
    assert "Jane" not in printed.err + printed.out
    assert run(["subject", "show", pseudonym, "--as", "dr-rivera"]) == Exit.HELD


def test_an_accounting_is_suspended_from_a_terminal(
    folder: Path,
    person: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    number, _pseudonym, _ = person
    suspend = ["subject", "suspend", "-", "--agency", "law-enforcement", "--form", "oral", "--until"]
    (tmp_path / "in").write_text(f"mrn:{number}\nDetective Ames,\ncounty police\n")

    def said(days: int) -> int:
        until = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        with (tmp_path / "in").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            return run([*suspend, until])

    assert said(20) == Exit.OK
    printed = capsys.readouterr()
    assert "suspended by sus_" in printed.out
    assert said(40) == Exit.FAILED
    printed = capsys.readouterr()
    assert "at most 30 days" in printed.err
    assert "Ames" not in printed.err + printed.out


def test_pruning_from_a_terminal(
    server: Any, folder: Path, officer: Any, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = server.app.now
    monkeypatch.setattr(server.app.ledger.retention, "_now", lambda: now() + timedelta(days=2))
    runner = CliRunner()
    dry = runner.invoke(prune_command, ["--dry-run", "--json"])
    assert dry.exit_code == 0, dry.output
    plan = json.loads(dry.stdout.splitlines()[-1])
    assert (plan["payloads"], plan["batches"], plan["dry_run"]) == ({"prompt": 5}, 0, True)
    assert all(content(server, record) == b"text" for record in server.old)
    once_more = custody_pb2.PrunePayloadsRequest(idempotency_key=key())
    done = officer.PrunePayloads(once_more)
    assert dict(done.payloads) == {"prompt": 5}
    [entry] = entries_of(done, server)
    assert (entry.type, entry.body["rules_hash"]) == ("payload.pruned", done.rules_hash)
    # The same request again is the same batch, and not the next one.
    again = officer.PrunePayloads(once_more)
    assert [r.index for r in again.receipts] == [r.index for r in done.receipts]
    assert (dict(again.payloads), again.minimum_index) == (dict(done.payloads), done.minimum_index)
    for record in server.old:
        with pytest.raises(PayloadPruned):
            content(server, record)
    assert content(server, person[2]) == b"text"
    words = runner.invoke(prune_command, ["--vacuum"])
    assert words.exit_code == 0
    assert f"nothing was ever pruned from entry {done.minimum_index} on" in words.stdout
    assert "removed: nothing" in words.stdout
    assert run(["ledger", "prune", "--dry-run"]) == Exit.OK
    wrong = runner.invoke(prune_command, ["--vacuum", "--dry-run"])
    assert wrong.exit_code == 2
