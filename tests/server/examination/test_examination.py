"""The examination by exception: nothing is left out of it, or lies between two, and the verifier tells by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.examination import BURST, SIGNED, Office, sign_of
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.report import Findings, Status
from attending.server import projections
from attending.server.app import authorization_folder
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.config import EmergencySection
from attending.server.emergency.calls import LedgerEmergencies
from attending.server.emergency.desk import EmergencyDesk
from attending.server.emergency.open import OpenAccesses
from attending.server.errors import AttendingError
from attending.server.examination.desk import ExaminationDesk, Inbox
from attending.server.review.enrolment import enrol_keys

from tests.derived import not_derived
from tests.server.inference.conftest import TENANT, Clock, failed_checks
from tests.server.people.conftest import fresh
from tests.server.review.conftest import Person, person

PRIVACY, SAFETY = Office.PRIVACY, Office.SAFETY


@dataclass
class House:
    """One process; `priya` and `saida` are officers, `ruth` a clinician who is a safety officer too."""

    ledger: Ledger
    clock: Clock
    authorizer: Authorizer
    emergency: EmergencyDesk
    desk: ExaminationDesk
    priya: Person
    saida: Person
    ruth: Person

    def another(self) -> ExaminationDesk:
        """As another process, or this one after a start, sees it."""
        return ExaminationDesk(self.ledger, self.authorizer, timedelta(days=30), self.clock)

    async def did(self, kind: str, actor: str = "human:ruth", **body: Any) -> int:
        entry = PendingEntry(kind, f"{kind}/{actor}", actor, None, body)
        return (await self.ledger.append(TENANT, [entry])).first_index

    async def lines(self, office: Office = PRIVACY) -> list[tuple[str, int]]:
        found = [(line.kind, line.index) for line in (await self.desk.inbox(TENANT, office)).lines]
        again = (await self.another().inbox(TENANT, office)).lines
        assert [(line.kind, line.index) for line in again] == found
        return found

    async def dispose_all(self, who: Person, office: Office = PRIVACY, made: str = "expected") -> None:
        which = [(line.kind, line.index) for line in (await self.desk.inbox(TENANT, office)).open]
        if which:
            await self.desk.dispose(who.principal, office, which, made, "", fresh())

    async def sign(self, who: Person, office: Office = PRIVACY) -> Entry:
        prepared = await self.desk.prepare(who.principal, office, who.key_id)
        signature = who.key.sign(prepared.statement.message())
        return await self.desk.sign(who.principal, prepared.preparation_id, signature, fresh())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = Clock()
    ledger = await Ledger.open(tmp_path / "ledger", metadata=[projections.metadata], clock=clock)
    await ledger.create_log(TENANT, "test.example/clinic")
    opened = OpenAccesses(clock)
    await opened.start(ledger, [TENANT])
    denied = Attempts(ledger.append, "srv-test").denied
    authorizer = Authorizer(PolicySet.load(authorization_folder()), denied, clock, LedgerEmergencies(ledger))
    people = [person("priya", "privacy_officer"), person("saida", "safety_officer")]
    people.append(person("ruth", "clinician", "safety_officer"))
    await enrol_keys(ledger, [TENANT], [one.principal for one in people], "srv-test", clock)
    terms = EmergencySection(max_minutes=60, review_within_hours=72)
    made = House(
        ledger,
        clock,
        authorizer,
        EmergencyDesk(ledger, authorizer, opened, terms, clock),
        ExaminationDesk(ledger, authorizer, timedelta(days=30), clock),
        *people,
    )
    yield made
    await opened.close()
    failed = await failed_checks(ledger)
    await ledger.close()
    assert not failed
    assert not_derived(LedgerConfig(tmp_path / "ledger")) == []


async def refusal(awaitable: object) -> str:
    with pytest.raises(AttendingError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.reason


async def test_nobody_signs_after_the_end_of_their_licence(house: House) -> None:
    """The end of `house` has every check of the verifier: V12 would fail for good."""
    ends = house.clock() + timedelta(minutes=5)
    lapsing = replace(house.priya.principal, licence_expires=ends)
    people = [lapsing, house.saida.principal, house.ruth.principal]
    await enrol_keys(house.ledger, [TENANT], people, "srv-test", house.clock)
    await house.did("system.halted", reason="drill")
    prepared = await house.desk.prepare(lapsing, PRIVACY, house.priya.key_id)
    signature = house.priya.key.sign(prepared.statement.message())
    house.clock.advance(minutes=5)
    call = house.desk.sign(lapsing, prepared.preparation_id, signature, fresh())
    assert await refusal(call) == "KEY_UNKNOWN"


async def test_each_class_is_listed_for_its_office_and_what_is_none_is_not(house: House) -> None:
    export = await house.did("access.exported", "human:priya", payloads=True)
    await house.did("access.exported", "human:auditor", payloads=False)
    failed = await house.did("access.denied", refused="SIGNATURE", policy_ids=[])
    own = await house.did("access.denied", refused="SECOND_PERSON_REQUIRED", policy_ids=[])
    cedar = await house.did("access.denied", policy_ids=["nobody-reviews-their-own-emergency"])
    twice = await house.did("session.started", concurrent=1, elsewhere_seconds=None)
    nobody = await house.did("session.started", concurrent=1, elsewhere_seconds=12)
    await house.did("session.started", concurrent=0, elsewhere_seconds=None)
    halt = await house.did("system.halted", reason="drill")
    expired = await house.did("access.viewed")
    assert expired not in [index for _kind, index in await house.lines()]
    assert await house.lines() == [
        ("export_with_content", export),
        ("signature_failed", failed),
        ("self_approval_refused", own),
        ("self_approval_refused", cedar),
        ("concurrent_session", twice),
        ("impossible_handover", nobody),
    ]
    assert await house.lines(SAFETY) == [
        ("signature_failed", failed),
        ("self_approval_refused", own),
        ("self_approval_refused", cedar),
        ("halt", halt),
    ]


async def test_a_burst_is_one_line_and_counts_what_was_only_counted(house: House) -> None:
    for _ in range(BURST - 2):
        await house.did("access.denied", policy_ids=[])
    await house.did("access.denied", "human:other", policy_ids=[])
    assert await house.lines() == []
    reached = await house.did("access.denied", policy_ids=[], count=40)
    await house.did("access.denied", policy_ids=[])
    assert await house.lines() == [("denied_burst", reached)]
    house.clock.advance(minutes=61)
    await house.did("access.denied", policy_ids=[])
    assert await house.lines() == [("denied_burst", reached)]


async def test_a_period_is_signed_when_all_is_disposed_of_and_the_next_begins_where_it_ends(
    house: House,
) -> None:
    first = await house.did("access.exported", payloads=True)
    assert await refusal(house.desk.prepare(house.priya.principal, PRIVACY, house.priya.key_id)) == (
        "EXCEPTIONS_UNDISPOSED"
    )
    await house.dispose_all(house.priya, made="incident_opened")
    signed = await house.sign(house.priya)
    said = signed.body["statement"]
    assert (said["first"], said["counts"], said["dispositions"]) == (
        0,
        {"export_with_content": 1},
        {"incident_opened": 1},
    )
    assert first < said["until"] <= signed.index
    second = await house.did("access.exported", payloads=True)
    assert await house.lines() == [("export_with_content", second)]
    unknown = house.desk.dispose(
        house.priya.principal, PRIVACY, [("export_with_content", first)], "expected", "", fresh()
    )
    assert await refusal(unknown) == "UNKNOWN_EXCEPTION"
    await house.dispose_all(house.priya)
    again = await house.sign(house.priya)
    assert again.body["statement"]["first"] == said["until"]
    assert [entry.index for entry in await house.desk.signed(TENANT, PRIVACY)] == [again.index, signed.index]


async def test_what_happens_while_one_signs_is_of_the_next_period_and_a_word_in_between_ends_it(
    house: House,
) -> None:
    await house.did("access.exported", payloads=True)
    await house.dispose_all(house.priya)
    prepared = await house.desk.prepare(house.priya.principal, PRIVACY, house.priya.key_id)
    late = await house.did("access.exported", payloads=True)
    signature = house.priya.key.sign(prepared.statement.message())
    await house.desk.sign(house.priya.principal, prepared.preparation_id, signature, fresh())
    assert await house.lines() == [("export_with_content", late)]
    await house.dispose_all(house.priya)
    prepared = await house.desk.prepare(house.priya.principal, PRIVACY, house.priya.key_id)
    line = [("export_with_content", late)]
    await house.desk.dispose(house.priya.principal, PRIVACY, line, "followed_up", "A note.", fresh())
    signature = house.priya.key.sign(prepared.statement.message())
    signing = house.desk.sign(house.priya.principal, prepared.preparation_id, signature, fresh())
    assert await refusal(signing) == "EXAMINATION_CHANGED"


async def test_a_review_that_falls_due_is_an_exception_though_its_use_was_examined(house: House) -> None:
    access, used = await house.emergency.begin(house.ruth.principal, "cover", 10, fresh())
    assert await house.lines() == [("emergency_access", used)]
    await house.dispose_all(house.priya)
    await house.sign(house.priya)
    house.clock.advance(hours=71)
    await house.did("access.viewed")
    assert await house.lines() == []
    house.clock.advance(hours=2)
    await house.did("access.viewed")
    assert await house.lines() == [("overdue_review", used)]
    await house.emergency.review(house.priya.principal, access.access_id, "justified", "", fresh())
    assert await house.lines() == [("overdue_review", used)]
    await house.dispose_all(house.priya)
    await house.sign(house.priya)
    house.clock.advance(hours=1)
    await house.did("access.viewed")
    assert await house.lines() == []


async def test_who_may_not_does_not_and_a_wrong_signature_is_an_exception_itself(house: House) -> None:
    line = await house.did("access.exported", payloads=True)
    for who in (house.saida, house.ruth):
        dispose = house.desk.dispose(
            who.principal, PRIVACY, [("export_with_content", line)], "expected", "", fresh()
        )
        assert await refusal(dispose) == "ROLE_NOT_PERMITTED"
        assert await refusal(house.desk.prepare(who.principal, PRIVACY, who.key_id)) == "ROLE_NOT_PERMITTED"
    await house.dispose_all(house.priya)
    assert await refusal(house.desk.prepare(house.priya.principal, PRIVACY, house.saida.key_id)) == (
        "UNKNOWN_KEY"
    )
    prepared = await house.desk.prepare(house.priya.principal, PRIVACY, house.priya.key_id)
    stranger = replace(house.priya.principal, name="pia")
    signature = house.priya.key.sign(prepared.statement.message())
    other = house.desk.sign(stranger, prepared.preparation_id, signature, fresh())
    assert await refusal(other) == "NOT_YOUR_PREPARATION"
    wrong = house.saida.key.sign(prepared.statement.message())
    signing = house.desk.sign(house.priya.principal, prepared.preparation_id, wrong, fresh())
    assert await refusal(signing) == "SIGNATURE_INVALID"
    assert [kind for kind, _index in await house.lines()] == ["export_with_content", "signature_failed"]
    house.clock.advance(minutes=11)
    late = house.desk.sign(house.priya.principal, prepared.preparation_id, signature, fresh())
    assert await refusal(late) == "PREPARATION_EXPIRED"


async def test_own_deeds_are_counted_and_an_examination_falls_due(house: House) -> None:
    await house.did("access.exported", "human:priya", payloads=True)
    inbox: Inbox = await house.desk.inbox(TENANT, PRIVACY)
    assert not house.desk.overdue(inbox)
    house.clock.advance(hours=24 * 31)
    assert house.desk.overdue(await house.desk.inbox(TENANT, PRIVACY))
    await house.dispose_all(house.priya)
    assert (await house.sign(house.priya)).body["statement"]["own"] == 1
    assert not house.desk.overdue(await house.desk.inbox(TENANT, PRIVACY))


async def test_the_verifier_names_every_way_to_sign_less_than_there_was(house: House) -> None:
    await house.did("access.exported", payloads=True)
    await house.dispose_all(house.priya)
    await house.sign(house.priya)
    await house.did("access.exported", "human:priya", payloads=True)
    await house.dispose_all(house.priya)
    await house.sign(house.priya)
    entries = await house.ledger.list_entries(TENANT, 0, 1_000)
    *_others, last = [entry for entry in entries if entry.type == SIGNED]
    assert failures(entries) == {}

    def forged(**changes: Any) -> dict[str, str]:
        body = {**last.body, "statement": {**last.body["statement"], **changes}}
        return failures([replace(e, body=body) if e is last else e for e in entries])

    assert "period does not begin" in forged(first=last.body["statement"]["first"] + 1)["V22"]
    assert "period does not begin" in forged(since_time="")["V22"]
    assert "ends after" in forged(until=last.index + 1)["V22"]
    assert "counts are not" in forged(counts={})["V22"]
    assert "dispositions" in forged(dispositions={"followed_up": 1})["V22"]
    assert "own" in forged(own=0)["V22"]
    assert "digest" in forged(digest="0" * 64)["V22"]
    assert "another log or office" in forged(office="safety")["V22"]
    assert "V11" in forged(time=last.body["statement"]["time"].replace("2026", "2025"))
    assert "V13" in forged(role="auditor")
    assert "V12" in forged(signer="saida")
    # An exception that the log has and the list has not; one that nobody disposed of.
    hidden = [e for e in entries if e.type != "examination.disposed"]
    assert "was not disposed of" in failures(hidden)["V22"]
    first = next(e for e in entries if e.type == "access.exported")
    changed = [replace(e, data=e.data + b" ") if e is first else e for e in entries]
    assert "digest" in failures(changed)["V22"]


def failures(entries: list[Entry]) -> dict[str, str]:
    findings = Findings()
    checks = Checks(findings, Scope.FULL, 0)
    for entry in entries:
        checks.visit(entry)
    checks.finish()
    found: dict[str, str] = {}
    for one in findings.results():
        if one.status is Status.FAILED:
            found[one.check] = f"{found.get(one.check, '')} {one.detail}"
    return found


@pytest.mark.parametrize("kind", ["access.denied", "break_glass.used", "session.started", "access.exported"])
@pytest.mark.parametrize("value", [None, [], {}, True, -1, "x"])
async def test_no_body_makes_a_reader_fall_over(house: House, kind: str, value: object) -> None:
    body = dict.fromkeys(("access", "refused", "count", "policy_ids", "review_due", "concurrent"), value)
    entry = replace(
        (await house.ledger.list_entries(TENANT, 0, 1))[0],
        type=kind,
        body={**body, "elsewhere_seconds": value},
    )
    sign_of(entry)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("subject.erased", "erasure"),
        ("review.expired", "expired"),
        ("inference.withdrawn", "withdrawn"),
        ("break_glass.used", "break_glass"),
    ],
)
async def test_what_is_an_exception_by_its_type(house: House, kind: str, found: str) -> None:
    [entry] = await house.ledger.list_entries(TENANT, 0, 1)
    sign = sign_of(replace(entry, type=kind))
    assert sign is not None
    assert sign.kind == found


def test_every_class_has_words() -> None:
    from attending.server.console import words

    kinds = {kind for office in Office for kind in office.classes}
    assert kinds == set(words.EXCEPTIONS)
