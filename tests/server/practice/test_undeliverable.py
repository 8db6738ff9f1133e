"""A practice item goes out by no way: each that appends a release, or hands out a released text, is tried."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import BreakGlass, Sampling
from attending.ledger.errors import KeyStoreUnavailable, LedgerError, StoreUnavailable, SubjectErased
from attending.ledger.practice import DEBRIEFED, UNDELIVERABLE
from attending.ledger.review_signature import sign_statement
from attending.server.clock import parse
from attending.server.config import NoticesSection
from attending.server.errors import AttendingError, NotFound
from attending.server.fhir.gather import find, gather
from attending.server.hazards import LiveHazards
from attending.server.inference.delivery import record_delivery
from attending.server.inference.states import State
from attending.server.notices.due import DueDates
from attending.server.notices.notice import notice_of
from attending.server.oversight.draws import Draws
from attending.server.oversight.figures import Oversight
from attending.server.practice.debrief import debrief_of
from attending.server.recall.desk import Recalls
from attending.server.review.preparation import Rejection
from attending.server.review.queue import Wanted
from attending.server.shipped import package_policies

from tests.server.inference.conftest import CALLER, TENANT, key
from tests.server.practice.conftest import PLANTED, POLICY, Put, Room
from tests.server.review.conftest import Person
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

pytestmark = pytest.mark.usefixtures("nothing_reached_anybody")


@pytest.fixture
async def nothing_reached_anybody(room: Room) -> Any:
    """After each test no practice stream holds an entry by which a text reaches somebody."""
    yield
    ledger = room.ward.gate.ledger
    size, _root = await ledger.head(TENANT)
    entries = await ledger.list_entries(TENANT, 0, size)
    practised = {entry.stream for entry in entries if entry.type == DEBRIEFED or "practice" in entry.body}
    assert practised
    assert not [entry for entry in entries if entry.stream in practised and entry.type in UNDELIVERABLE]


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def signed(room: Room, put: Put, who: Person, edit: str | None = None, **rejects: Any) -> list[str]:
    """Signs it, or refuses it under signature; the types of the entries that this led to."""
    ward = room.ward
    lease = await claim(ward, put.ticket, who)
    await dispose_all(ward, put.ticket, lease, who, "accepted_risk" if edit is None else "fixed")
    prepared = await room.desk.prepare(who.permit, put.ticket, lease, edit, who.key_id, **rejects)
    indexes = await sign(ward, put.ticket, lease, who, prepared)
    return [(await ward.gate.ledger.get_entry(TENANT, index)).type for index in indexes]


async def test_a_signature_debriefs_and_releases_nothing(room: Room) -> None:
    put = await room.put()
    assert await signed(room, put, room.ward.rivera) == ["review.signed", DEBRIEFED]
    found = await debrief_of(room.ward.gate.ledger, TENANT, put.inference)
    assert found is not None
    assert found.lesson is not None
    assert (found.answer, found.right, found.reader) == ("approved", False, "rivera")
    assert (found.lesson.planted, found.lesson.source) == (PLANTED, "A label")
    outcome = await room.ward.gate.pipeline.get(TENANT, put.inference)
    assert (outcome.state, outcome.output) == (State.DEBRIEFED, None)


@pytest.mark.parametrize(
    ("edit", "right"),
    [
        ("HOLD this. Stop metformin. Walk daily.", True),
        ("HOLD this.  METFORMIN 1000 mg twice daily. Rest.", False),
    ],
)
async def test_an_edit_is_right_where_the_passage_is_gone(room: Room, edit: str, right: bool) -> None:
    put = await room.put()
    gate = room.ward.gate
    gate.checker.outputs.clear()
    edit = edit.replace("HOLD", "Hold")
    assert (await signed(room, put, room.ward.rivera, edit))[-1] == DEBRIEFED
    found = await debrief_of(gate.ledger, TENANT, put.inference)
    assert found is not None
    assert (found.answer, found.right) == ("approved_with_edits", right)


@pytest.mark.parametrize(("name", "right"), [("wrong", True), ("sound", False)])
@pytest.mark.parametrize("under_signature", [True, False])
async def test_a_refusal_is_right_of_what_is_wrong(
    room: Room, name: str, right: bool, under_signature: bool
) -> None:
    put = await room.put(name)
    who = room.ward.chen
    if under_signature:
        refusal = Rejection("unsafe", "a note")
        types = await signed(room, put, who, rejection=refusal)
        assert types == ["review.signed", DEBRIEFED]
    else:
        lease = await claim(room.ward, put.ticket, who)
        once: Any = fresh()
        args = (who.principal, put.ticket, lease, "unsafe", "a note", once)
        _item, _version, index = await room.desk.reject(*args)
        assert (await room.desk.reject(*args))[2] == index
        entry = await room.ward.gate.ledger.get_entry(TENANT, index)
        assert (entry.type, entry.body["reason_code"]) == (DEBRIEFED, "unsafe")
        assert [one.kind for one in entry.commitments] == ["debrief", "note"]
    found = await debrief_of(room.ward.gate.ledger, TENANT, put.inference)
    assert found is not None
    assert (found.answer, found.right) == ("rejected", right)


async def test_the_first_word_ends_it_however_many_the_policy_asks_for(room: Room) -> None:
    gate = room.ward.gate
    known = {name: gate.policies.loaded(name) for name in gate.policies}
    two = known[POLICY].policy.sign_offs.model_copy(update={"count": 2})
    policy = known[POLICY].policy.model_copy(update={"sign_offs": two})
    gate.policies = PolicySet({**known, POLICY: replace(known[POLICY], policy=policy)})
    put = await room.put()
    assert await signed(room, put, room.ward.rivera) == ["review.signed", DEBRIEFED]


@pytest.mark.parametrize("openly", [True, False])
async def test_break_glass_sends_nothing(room: Room, openly: bool) -> None:
    gate, who = room.ward.gate, room.ward.rivera
    known = {name: gate.policies.loaded(name) for name in gate.policies}
    terms = BreakGlass(roles=("clinician",), review_within_hours=24)
    policy = known[POLICY].policy.model_copy(update={"break_glass": terms})
    gate.policies = PolicySet({**known, POLICY: replace(known[POLICY], policy=policy)})
    put = await room.put(reader="rivera" if openly else None)
    item, _version = await room.desk.item(TENANT, put.ticket)
    assert await room.desk.may_break_glass(who.principal, item) is not openly
    args = (who.principal, put.ticket, "patient_in_danger", "He is bleeding.")
    assert await reason(room.desk.break_glass(*args, key("glass"))) == "PRACTICE_ITEM"
    found = await debrief_of(gate.ledger, TENANT, put.inference)
    if openly:
        assert found is None
        return
    assert found is not None
    assert (found.answer, found.right, found.reader) == ("break_glass", False, "rivera")
    assert await reason(room.desk.break_glass(*args, key("again"))) == "ILLEGAL_TRANSITION"
    assert await room.desk.uses(TENANT, only_open=False, limit=9, offset=0) == []


async def test_break_glass_that_comes_second_tells_nobody_what_it_was(room: Room) -> None:
    gate, who = room.ward.gate, room.ward.rivera
    known = {name: gate.policies.loaded(name) for name in gate.policies}
    terms = BreakGlass(roles=("clinician",), review_within_hours=24)
    policy = known[POLICY].policy.model_copy(update={"break_glass": terms})
    gate.policies = PolicySet({**known, POLICY: replace(known[POLICY], policy=policy)})
    put, marks = await room.put(), room.desk.marks
    args = (who.principal, put.ticket, "patient_in_danger", "He is bleeding.")
    real = marks.of

    async def claimed_meanwhile(tenant: str, inference_id: str) -> Any:
        patch.undo()
        await claim(room.ward, put.ticket, room.ward.chen)
        return await real(tenant, inference_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "of", claimed_meanwhile)
        assert await reason(room.desk.break_glass(*args, key("second"))) == "ITEM_CHANGED"
    assert await debrief_of(gate.ledger, TENANT, put.inference) is None
    assert await reason(room.desk.break_glass(*args, key("second"))) == "PRACTICE_ITEM"


async def test_its_end_is_a_debrief_and_nobody_is_called(room: Room) -> None:
    put, gate = await room.put(), room.ward.gate
    gate.clock.advance(hours=3)
    assert await room.desk.escalate_due(TENANT, "srv-test") == 0
    gate.clock.advance(days=30)
    assert await room.desk.expire_due(TENANT, "srv-test") == 1
    assert (await gate.types(put.inference))[-1] == DEBRIEFED
    found = await debrief_of(gate.ledger, TENANT, put.inference)
    assert found is not None
    assert (found.answer, found.right, found.reader) == ("not_read", None, None)
    # Nobody read it, so nobody is told what was in it: it may be met another time.
    assert await reason(room.desk.view(room.ward.rivera.permit, put.ticket)) == "UNKNOWN_TICKET"


async def test_the_gate_hands_out_nothing_of_it(room: Room) -> None:
    gate = room.ward.gate
    waiting, over = await room.put(), await room.put("sound")
    await signed(room, over, room.ward.rivera)
    for put in (waiting, over):
        assert (await gate.pipeline.get(TENANT, put.inference)).output is None
        assert (
            await reason(
                record_delivery(gate.ledger, CALLER, put.inference, "patient", "portal", key(put.ticket))
            )
            == "NOT_RELEASED"
        )
        row = await find(gate.ledger, TENANT, put.ticket)
        with pytest.raises(NotFound):
            await gather(gate.ledger, TENANT, row, to_app=True)
        if put is over:
            with pytest.raises(NotFound):
                await gather(gate.ledger, TENANT, row, to_app=False)
        else:
            # Who has not decided yet learns nothing by asking: it is a text that waits, without the text.
            assert (await gather(gate.ledger, TENANT, row, to_app=False)).text is None
        recalls = Recalls(gate.ledger, gate.changes, gate.clock)
        with pytest.raises(AttendingError):
            await recalls.withdraw(
                room.ward.rivera.principal, put.inference, "unsafe", "", key(f"r{put.ticket}")
            )


async def test_no_draw_takes_it(room: Room) -> None:
    gate = room.ward.gate
    put, real = await room.put(), await held(room.ward)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(gate.policies[POLICY].__dict__, "sampling", Sampling(released_percent=100))
        draws = Draws(gate.ledger, gate.policies, "srv-test", gate.clock)
        await draws.sweep(TENANT)
        await signed(room, put, room.ward.rivera)
        await signed(room, Put(ticket_of(real), real.inference_id, put.mark), room.ward.rivera)
        gate.clock.advance(days=2)
        await draws.sweep(TENANT)
    assert "review.sampled" in await gate.types(real.inference_id)
    assert "review.sampled" not in await gate.types(put.inference)


async def test_the_last_door_holds_where_a_step_would_not(room: Room) -> None:
    """A step that forgot the mark meets it again at the append of every step of the desk."""
    put = await room.put()
    item, version = await room.desk.item(TENANT, put.ticket)
    who: Any = room.ward.rivera.principal
    entry = room.desk._entry(who, "inference.released", item, {"basis": "signed", "text_record": "x"})
    once: Any = fresh()
    assert await reason(room.desk._step(who, item, version, [entry], once)) == "PRACTICE_ITEM"
    await room.desk.take_back(TENANT, put.ticket)


async def test_a_mark_that_cannot_be_read_releases_nothing(room: Room) -> None:
    gate, who = room.ward.gate, room.ward.rivera
    put = await room.put()
    lease = await claim(room.ward, put.ticket, who)
    await dispose_all(room.ward, put.ticket, lease, who)
    prepared = await room.desk.prepare(who.permit, put.ticket, lease, None, who.key_id)
    with sqlite3.connect(Path(gate.folder) / "ledger.db") as connection:
        [record] = connection.execute(
            "SELECT request_record FROM inference WHERE inference_id = ?", (put.inference,)
        ).fetchone()
    room.desk.marks._known.clear()
    real, ledger = gate.ledger.open_payload, gate.ledger

    async def gone(log_id: str, wanted: str) -> bytes:
        if wanted == record:
            raise SubjectErased("gone")
        return await real(log_id, wanted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "open_payload", gone)
        signature = sign_statement(prepared.statement, who.key)
        once: Any = fresh()
        with pytest.raises(SubjectErased):
            await room.desk.sign(who.principal, put.ticket, lease, prepared.preparation_id, signature, once)
    assert (await gate.types(put.inference))[-1] != "inference.released"
    await room.desk.reject(who.principal, put.ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]


@pytest.mark.parametrize("outage", [StoreUnavailable, KeyStoreUnavailable])
async def test_while_a_mark_cannot_be_asked_for_nothing_is_decided(
    room: Room, outage: type[LedgerError]
) -> None:
    """Else it would end as a text that somebody refused or was late for, and be told of by nobody."""
    gate, who, put = room.ward.gate, room.ward.rivera, await room.put()
    lease = await claim(room.ward, put.ticket, who)
    reject = (who.principal, put.ticket, lease, "unsafe", "")
    room.desk.marks._known.clear()
    before = await gate.types(put.inference)

    async def away(_log_id: str, _record: str) -> bytes:
        raise outage("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate.ledger, "open_payload", away)
        for call in (
            room.desk.reject(*reject, fresh()),  # type: ignore[arg-type]
            room.desk.marks.waiting(TENANT),
            room.desk.take_back(TENANT, put.ticket),
        ):
            with pytest.raises(outage):
                await call
        gate.clock.advance(days=30)
        with pytest.raises(outage):
            await room.desk.expire_due(TENANT, "srv-test")
    assert await gate.types(put.inference) == before
    assert await room.desk.expire_due(TENANT, "srv-test") == 1
    assert (await gate.types(put.inference))[-1] == DEBRIEFED


async def test_nobody_is_told_that_a_planted_item_is_late_even_after_an_outage(room: Room) -> None:
    gate, put = room.ward.gate, await room.put()
    due = DueDates(gate.ledger, NoticesSection(), "srv-test", gate.clock)
    [item] = [one for one, _version in (await room.desk.queue(TENANT, Wanted(), 10)).items]
    assert item.ticket_id == put.ticket
    gate.clock.moment = parse(item.due_at)

    async def away(_log_id: str, _record: str) -> bytes:
        raise StoreUnavailable("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate.ledger, "open_payload", away)
        with pytest.raises(StoreUnavailable):
            await due.sweep(TENANT)
    assert await due.sweep(TENANT) == 0
    gate.clock.advance(days=30)
    assert await room.desk.expire_due(TENANT, "srv-test") == 1


async def test_two_at_once_debrief_it_once(room: Room) -> None:
    put, who = await room.put(), room.ward.rivera
    lease = await claim(room.ward, put.ticket, who)
    room.ward.gate.clock.advance(days=30)
    await asyncio.gather(
        room.desk.expire_due(TENANT, "one"),
        room.desk.expire_due(TENANT, "two"),
        reason(room.desk.reject(who.principal, put.ticket, lease, "unsafe", "", fresh())),  # type: ignore[arg-type]
    )
    assert (await room.ward.gate.types(put.inference)).count(DEBRIEFED) == 1


async def test_it_counts_in_no_figure(room: Room) -> None:
    gate = room.ward.gate
    live, oversight = LiveHazards(gate.ledger, package_policies()), Oversight(gate.ledger, gate.clock)
    begin = gate.clock() - timedelta(days=1)
    before = await live.of(TENANT, POLICY, begin, gate.clock() + timedelta(days=1))
    put, openly = await room.put(), await room.put("sound", reader="chen")
    for one, who in ((put, room.ward.rivera), (openly, room.ward.chen)):
        lease = await claim(room.ward, one.ticket, who)
        await dispose_all(room.ward, one.ticket, lease, who)
        # While it waits and once it is over.
        assert (await oversight.summary(TENANT, 30)).rails == ()
        assert await live.of(TENANT, POLICY, begin, gate.clock() + timedelta(days=1)) == before
        prepared = await room.desk.prepare(who.permit, one.ticket, lease, None, who.key_id)
        await sign(room.ward, one.ticket, lease, who, prepared)
        found = await oversight.summary(TENANT, 30)
        assert (found.signatures, found.people, found.rails) == (0, 0, ())
    assert await live.of(TENANT, POLICY, begin, gate.clock() + timedelta(days=1)) == before
    assert [(one.name, one.signatures, one.measured) for one in await oversight.people(TENANT, 30)] == [
        ("rivera", 0, 0)
    ]


async def test_a_marked_one_is_its_readers_alone(room: Room) -> None:
    put, desk, chen = await room.put(reader="rivera"), room.desk, room.ward.chen
    held_by = (await room.ward.gate.ledger.stream_entries(TENANT, put.inference))[-1]
    # Nobody outside is told that it waits.
    assert (held_by.type, notice_of(held_by, TENANT)) == ("inference.held", None)
    rivera = room.ward.rivera
    mine = await desk.queue(TENANT, Wanted(who=rivera.principal), 9)
    assert [(item.ticket_id, item.practice_for) for item, _v in mine.items] == [(put.ticket, "rivera")]
    assert (await desk.queue(TENANT, Wanted(who=chen.principal), 9)).total == 0
    assert (await desk.queue(TENANT, Wanted(), 9)).total == 0
    for call in (
        desk.view(chen.permit, put.ticket),
        desk.claim(chen.principal, put.ticket, fresh()),  # type: ignore[arg-type]
        desk.reassign(chen.principal, put.ticket, "", "rivera", "workload", "", fresh()),  # type: ignore[arg-type]
    ):
        assert await reason(call) == "UNKNOWN_TICKET"
    lease = await claim(room.ward, put.ticket, rivera)
    once: Any = fresh()
    assert (
        await reason(desk.reassign(rivera.principal, put.ticket, lease, "chen", "workload", "", once))
        == "PRACTICE_ITEM"
    )
    assert (
        await reason(desk.escalate(rivera.principal, put.ticket, lease, "patient_unstable", "", once))
        == "PRACTICE_ITEM"
    )


async def test_a_seeded_one_is_shown_as_any_other_until_it_is_decided_on(room: Room) -> None:
    """Its row, page and entries have the fields of a real one, and no word more."""
    real, put = await held(room.ward), await room.put()
    gate, who = room.ward.gate, room.ward.chen
    columns = []
    for inference in (real.inference_id, put.inference):
        entries = await gate.ledger.stream_entries(TENANT, inference)
        columns.append(
            [
                (entry.type, entry.actor, sorted(entry.body), [one.kind for one in entry.commitments])
                for entry in entries
            ]
        )
    assert columns[0] == columns[1]
    for ticket in (ticket_of(real), put.ticket):
        case = await room.desk.view(who.permit, ticket)
        assert (case.item.practice_for, case.row["entry_point"], case.row["calling_app"]) == (
            None,
            "infer",
            "app-1",
        )
    await room.desk.take_back(TENANT, put.ticket)


async def test_nobody_is_tried_twice_with_the_same(room: Room) -> None:
    first, who = await room.put(), room.ward.rivera
    await signed(room, first, who)
    again = await room.put()
    assert await reason(room.desk.claim(who.principal, again.ticket, fresh())) == "ITEM_CHANGED"  # type: ignore[arg-type]
    assert (await room.ward.gate.types(again.inference))[-1] == DEBRIEFED
    third = await room.put()
    assert await reason(room.desk.claim_next(who.principal, fresh())) == "NOTHING_WAITS"  # type: ignore[arg-type]
    fourth = await room.put()
    assert await claim(room.ward, fourth.ticket, room.ward.chen)
    assert (await room.ward.gate.types(third.inference))[-1] == DEBRIEFED
