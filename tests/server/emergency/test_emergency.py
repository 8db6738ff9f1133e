"""Emergency access: on record before more is seen, over by itself, reviewed by somebody else, for reading only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.server import projections
from attending.server.app import authorization_folder
from attending.server.auth.actions import ACTIONS
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer, PolicySet, Resource
from attending.server.auth.principal import Principal
from attending.server.config import EmergencySection
from attending.server.emergency.calls import LedgerEmergencies
from attending.server.emergency.desk import EmergencyDesk, State, emergency_stream
from attending.server.emergency.open import OpenAccesses
from attending.server.errors import AttendingError

from tests.derived import not_derived
from tests.server.inference.conftest import Clock, failed_checks
from tests.server.people.conftest import TENANT, fresh, person

READS = {"listQueue", "getItem", "getInference", "watchInference"}


@dataclass
class Ward:
    """One process; `ruth` is a clinician, `priya` and `saida` are officers."""

    ledger: Ledger
    clock: Clock
    opened: OpenAccesses
    desk: EmergencyDesk
    authorizer: Authorizer

    async def begin(self, who: Principal, minutes: int | None = None) -> str:
        access, _index = await self.desk.begin(who, "patient_in_danger", minutes, fresh())
        return access.access_id

    def state(self, access: object) -> State:
        from attending.server.clock import stamp

        return access.state(stamp(self.clock()))  # type: ignore[attr-defined, no-any-return]


RUTH, PRIYA, SAIDA = (
    person("ruth", "clinician"),
    person("priya", "privacy_officer"),
    person("saida", "safety_officer"),
)


async def process(ledger: Ledger, clock: Clock) -> Ward:
    opened = OpenAccesses(clock)
    await opened.start(ledger, [TENANT])
    policies = PolicySet.load(authorization_folder())
    authorizer = Authorizer(
        policies, Attempts(ledger.append, "srv-test").denied, clock, LedgerEmergencies(ledger)
    )
    terms = EmergencySection(max_minutes=60, review_within_hours=72)
    return Ward(ledger, clock, opened, EmergencyDesk(ledger, authorizer, opened, terms, clock), authorizer)


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    clock = Clock()
    ledger = await Ledger.open(tmp_path / "ledger", metadata=[projections.metadata], clock=clock)
    await ledger.create_log(TENANT, "test.example/clinic")
    made = await process(ledger, clock)
    yield made
    await made.opened.close()
    failed = await failed_checks(ledger)
    await ledger.close()
    assert not failed
    assert not_derived(LedgerConfig(tmp_path / "ledger")) == []


async def refusal(awaitable: object) -> str:
    with pytest.raises(AttendingError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.reason


async def test_it_is_open_once_it_is_on_record_and_ends_by_itself(ward: Ward) -> None:
    assert ward.opened.mark(RUTH).emergency is None
    access_id = await ward.begin(RUTH, 30)
    marked = ward.opened.mark(RUTH)
    assert marked.emergency == access_id
    [entry] = await ward.ledger.stream_entries(TENANT, emergency_stream("ruth"))
    assert (entry.type, entry.body["reason"], entry.body["access"]) == (
        "break_glass.used",
        "patient_in_danger",
        access_id,
    )
    assert ward.opened.mark(PRIYA).emergency is None
    ward.clock.advance(minutes=29)
    assert ward.opened.mark(RUTH).emergency == access_id
    ward.clock.advance(minutes=2)
    assert ward.opened.mark(RUTH).emergency is None
    assert ward.state(await ward.desk.get(TENANT, access_id)) is State.AWAITING_REVIEW


async def test_nothing_is_open_when_its_record_failed(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_arguments: object, **_more: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(type(ward.ledger), "append", full)
    with pytest.raises(StoreUnavailable):
        await ward.begin(RUTH)
    assert ward.opened.mark(RUTH).emergency is None


async def test_every_call_during_it_is_an_entry_or_is_not_let_in(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    access_id = await ward.begin(RUTH)
    marked = ward.opened.mark(RUTH)
    log = Resource.log(TENANT)
    await ward.authorizer.enter("listQueue", log, marked)
    assert await refusal(ward.authorizer.enter("export", log, marked)) == "PERMISSION_DENIED"
    entries = await ward.ledger.stream_entries(TENANT, f"access/{access_id}")
    assert [(e.type, e.body["action"], e.body["emergency"]) for e in entries] == [
        ("access.viewed", "listQueue", access_id)
    ]
    [denied] = await ward.ledger.stream_entries(TENANT, "access/ruth")
    assert (denied.type, denied.body["emergency"]) == ("access.denied", access_id)

    async def full(*_arguments: object, **_more: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(type(ward.ledger), "append", full)
    with pytest.raises(StoreUnavailable):
        await ward.authorizer.enter("listQueue", log, marked)


async def test_a_person_has_one_at_a_time(ward: Ward) -> None:
    results = await asyncio.gather(*(ward.begin(RUTH) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert {r.reason for r in results if isinstance(r, AttendingError)} <= {
        "EMERGENCY_OPEN",
        "EMERGENCY_CHANGED",
    }
    assert await refusal(ward.begin(RUTH)) == "EMERGENCY_OPEN"
    ward.clock.advance(minutes=61)
    await ward.begin(RUTH)


async def test_it_can_be_ended_by_its_user_or_an_officer_and_by_nobody_else(ward: Ward) -> None:
    access_id = await ward.begin(RUTH)
    chen = person("chen", "clinician")
    # As if it were not there: a clinical role is not told of another's.
    assert await refusal(ward.desk.end(chen, access_id, fresh())) == "UNKNOWN_EMERGENCY"
    assert ward.opened.mark(RUTH).emergency == access_id
    await ward.desk.end(RUTH, access_id, fresh())
    assert ward.opened.mark(RUTH).emergency is None
    assert await refusal(ward.desk.end(RUTH, access_id, fresh())) == "EMERGENCY_ENDED"
    second = await ward.begin(RUTH)
    await ward.desk.end(PRIYA, second, fresh())
    assert ward.opened.mark(RUTH).emergency is None


async def test_an_end_whose_outcome_is_unknown_is_an_end(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    access_id = await ward.begin(RUTH)

    async def full(*_arguments: object, **_more: object) -> None:
        raise StoreUnavailable("unknown")

    monkeypatch.setattr(type(ward.ledger), "append", full)
    with pytest.raises(StoreUnavailable):
        await ward.desk.end(RUTH, access_id, fresh())
    assert ward.opened.mark(RUTH).emergency is None
    monkeypatch.undo()
    # Nothing was stored: once that is known, it is open again.
    await ward.opened.poll()
    assert ward.opened.mark(RUTH).emergency == access_id


async def test_its_review_falls_due_by_itself_and_is_closed_by_somebody_else(ward: Ward) -> None:
    access_id = await ward.begin(RUTH, 10)
    both = person("ruth", "clinician", "safety_officer")
    assert await refusal(ward.desk.review(SAIDA, access_id, "justified", "", fresh())) == "EMERGENCY_OPEN"
    ward.clock.advance(minutes=11)
    assert await ward.desk.overdue(TENANT) == 0
    assert await refusal(ward.desk.review(both, access_id, "justified", "", fresh())) == "PERMISSION_DENIED"
    chen = person("chen", "clinician")
    assert await refusal(ward.desk.review(chen, access_id, "justified", "", fresh())) == "PERMISSION_DENIED"
    ward.clock.advance(hours=73)
    assert await ward.desk.overdue(TENANT) == 1
    [found] = await ward.desk.page(TENANT, user=None, state=State.OVERDUE, limit=10, offset=0)
    assert ward.state(found) is State.OVERDUE
    access, _index = await ward.desk.review(SAIDA, access_id, "misuse", "She read of a neighbour.", fresh())
    assert (access.reviewed_by, access.outcome, ward.state(access)) == ("saida", "misuse", State.REVIEWED)
    assert await ward.desk.overdue(TENANT) == 0
    last = (await ward.ledger.stream_entries(TENANT, emergency_stream("ruth")))[-1]
    assert (last.type, last.body["overdue"]) == ("break_glass.reviewed", True)
    assert b"neighbour" not in last.data
    assert await refusal(ward.desk.review(PRIYA, access_id, "justified", "", fresh())) == "EMERGENCY_REVIEWED"


async def test_a_repeated_request_is_done_once(ward: Ward) -> None:
    once = fresh()
    first = await ward.desk.begin(RUTH, "cover", 5, once)
    assert await ward.desk.begin(RUTH, "cover", 5, once) == first


async def test_it_survives_a_restart_and_reaches_another_process(ward: Ward) -> None:
    other = await process(ward.ledger, ward.clock)
    access_id = await ward.begin(RUTH)
    assert other.opened.mark(RUTH).emergency is None
    other.opened.doubt(TENANT)
    await other.opened.poll()
    assert other.opened.mark(RUTH).emergency == access_id
    again = await process(ward.ledger, ward.clock)
    assert again.opened.mark(RUTH).emergency == access_id
    await other.opened.close()
    await again.opened.close()


async def test_another_tenant_s_access_is_nothing(ward: Ward) -> None:
    access_id = await ward.begin(RUTH)
    foreign = person("ruth", "clinician", tenant="south")
    assert ward.opened.mark(foreign).emergency is None
    await ward.ledger.create_log("south", "test.example/south")
    officer = person("priya", "privacy_officer", tenant="south")
    assert await refusal(ward.desk.end(officer, access_id, fresh())) == "UNKNOWN_EMERGENCY"
    assert (
        await refusal(ward.desk.review(officer, access_id, "justified", "", fresh())) == "UNKNOWN_EMERGENCY"
    )


def test_an_emergency_adds_reading_and_nothing_else() -> None:
    from dataclasses import replace

    from attending.server import clock

    policies = PolicySet.load(authorization_folder())
    roles = ("clinician", "pharmacist", "auditor", "privacy_officer", "safety_officer", "operator")
    for role in (*roles, None):
        plain = person("x", *([role] if role else []))
        emergency = replace(plain, emergency="emg_x")
        for action in ACTIONS.values():
            own, other = Resource.log(TENANT), Resource.log("elsewhere")
            before = policies.decide(plain, action, own, clock.now()).allowed
            after = policies.decide(emergency, action, own, clock.now()).allowed
            assert after == (before or action in READS), (role, action)
            assert not policies.decide(emergency, action, other, clock.now()).allowed
    app = replace(Principal("a", TENANT, "app", frozenset({"app"}), "a", "mtls"), emergency="emg_x")
    for action in ACTIONS.values():
        plain_app = replace(app, emergency=None)
        decision = policies.decide(app, action, Resource.log(TENANT), clock.now())
        assert decision == policies.decide(plain_app, action, Resource.log(TENANT), clock.now())
