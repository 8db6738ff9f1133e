"""Items are planted seldom, never while people are behind, and never twice before one person."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from attending.guardrails.checks.rests_on import Grounds
from attending.guardrails.patient import Identity, PatientContext
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Oversight, Seeded
from attending.ledger.errors import StoreUnavailable
from attending.ledger.practice import DEBRIEFED
from attending.server.config import NoticesSection
from attending.server.halt.switch import Order
from attending.server.notices.due import DueDates
from attending.server.practice.debrief import debrief_of
from attending.server.practice.seeding import DIGITS, Seeding
from pydantic import ValidationError

from tests.server.inference.conftest import TENANT, key
from tests.server.practice.conftest import POLICY, Room
from tests.server.review.conftest import revise
from tests.server.review.test_desk import claim, fresh, held, ticket_of

LEAST = 50
"""Held texts of which one is 2 %."""


class Sure(random.Random):
    """Chance that always lets plant what may be planted; what it chooses follows from its seed."""

    def random(self) -> float:
        return 0.0


class Digits(Sure):
    """Makes up these digits, one after the other, again and again."""

    def __init__(self, digits: str) -> None:
        super().__init__(7)
        self._digits = itertools.cycle(digits)

    def choice(self, among: Any) -> Any:
        if among != DIGITS:
            return super().choice(among)
        return next(self._digits)


def planting(policies: PolicySet, permille: int | None = 20, numbers: str | None = None) -> PolicySet:
    """The policies, of which one plants items."""
    known = {name: policies.loaded(name) for name in policies}
    seeded = None if permille is None else Seeded(permille=permille, announced=True, record_numbers=numbers)
    policy = known[POLICY].policy.model_copy(update={"oversight": Oversight(seeded=seeded)})
    return PolicySet({**known, POLICY: replace(known[POLICY], policy=policy)})


def seeding_of(
    room: Room, *, permille: int | None = 20, chance: random.Random | None = None, **more: Any
) -> Seeding:
    gate = room.ward.gate
    policies = planting(gate.policies, permille, more.get("numbers"))

    async def mine() -> bool:
        return bool(more.get("turn", True))

    people = [room.ward.rivera.principal, room.ward.chen.principal, room.ward.auditor.principal]
    return Seeding(
        gate.ledger,
        room.desk,
        room.openings,
        policies,
        lambda: people,
        mine,
        gate.clock,
        chance or Sure(7),
    )


async def busy(room: Room, count: int = LEAST) -> None:
    for _ in range(count):
        await held(room.ward, subject_ref="MRN-1")


async def waiting(room: Room) -> list[str]:
    return list((await room.desk.marks.waiting(TENANT)).values())


async def test_one_in_fifty_and_one_at_a_time(room: Room) -> None:
    seeding = seeding_of(room)
    await busy(room, LEAST - 1)
    assert await seeding.sweep(TENANT) == 0
    await busy(room, 1)
    assert await seeding.sweep(TENANT) == 1
    assert await seeding.sweep(TENANT) == 0
    [ticket] = await waiting(room)
    lease = await claim(room.ward, ticket, room.ward.rivera)
    await room.desk.reject(room.ward.rivera.principal, ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    # The next one is due at a hundred.
    assert await seeding.sweep(TENANT) == 0
    await busy(room, LEAST)
    assert await seeding.sweep(TENANT) == 1


async def test_it_looks_like_the_newest_that_an_application_asked_for(room: Room) -> None:
    gate = room.ward.gate
    await busy(room)
    assert await seeding_of(room).sweep(TENANT) == 1
    [(inference, ticket)] = (await room.desk.marks.waiting(TENANT)).items()
    like = await held(room.ward, subject_ref="MRN-1")
    planted = await gate.ledger.stream_entries(TENANT, inference)
    real = await gate.ledger.stream_entries(TENANT, like.inference_id)
    for one, other in zip(planted, real, strict=True):
        assert (one.type, one.actor, sorted(one.body)) == (other.type, other.actor, sorted(other.body))
        assert [sorted(c.kind for c in one.commitments)] == [sorted(c.kind for c in other.commitments)]
        assert (one.subject is None) == (other.subject is None)
    for name in ("calling_app", "provider", "model", "tags", "recipient", "entry_point"):
        assert planted[0].body[name] == real[0].body[name]
    assert planted[1].body["usage"]["basis"] == real[1].body["usage"]["basis"]
    assert ticket.startswith("tkt_")


def numbered(number: str) -> PatientContext:
    return PatientContext(identity=Identity(("Ada Marsh",), number, date(1950, 1, 1)))


async def test_where_texts_have_a_record_number_it_has_one_that_is_nobodys(room: Room) -> None:
    gate = room.ward.gate
    for number in range(LEAST):
        await held(room.ward, patient=numbered(f"40{number:06}"))
    # Without one it would be known for what it is.
    assert await seeding_of(room).sweep(TENANT) == 0
    # Of those that are said to be nobody's, one that a text has had is somebody's.
    for last in range(10):
        await gate.ledger.pseudonym(TENANT, f"mrn:9912340{last}") if last != 7 else None
    assert await seeding_of(room, numbers="99####0#", chance=Digits("12340")).sweep(TENANT) == 0
    assert await seeding_of(room, numbers="99####0#", chance=Digits("1234012347")).sweep(TENANT) == 1
    [(_inference, ticket)] = (await room.desk.marks.waiting(TENANT)).items()
    case = await room.desk.view(room.ward.rivera.permit, ticket)
    assert case.context.identity is not None
    assert case.context.identity.mrn == "99123407"
    assert case.patient["identity"]["mrn"] == "99123407"
    # The item is what it was in the catalogue, and is debriefed as that.
    lease = await claim(room.ward, ticket, room.ward.rivera)
    await room.desk.reject(room.ward.rivera.principal, ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    found = await debrief_of(gate.ledger, TENANT, case.item.inference_id)
    assert found is not None
    assert found.lesson is not None


async def test_where_texts_have_none_it_has_none(room: Room) -> None:
    await busy(room)
    assert await seeding_of(room, numbers="99######").sweep(TENANT) == 1
    [(_inference, ticket)] = (await room.desk.marks.waiting(TENANT)).items()
    identity = (await room.desk.view(room.ward.rivera.permit, ticket)).context.identity
    assert identity is None or identity.mrn is None


async def test_a_text_that_was_erased_is_no_pattern(room: Room) -> None:
    ledger = room.ward.gate.ledger
    await busy(room)
    await ledger.erase_subject(TENANT, await ledger.pseudonym(TENANT, "MRN-1"))
    assert await seeding_of(room, numbers="99######").sweep(TENANT) == 0
    await held(room.ward, subject_ref="MRN-2")
    assert await seeding_of(room, numbers="99######").sweep(TENANT) == 1


@pytest.mark.parametrize("numbers", ["9", "###", "9####\u00df", "##\n##", "#" * 33])
def test_numbers_that_cannot_be_meant_are_refused(numbers: str) -> None:
    with pytest.raises(ValidationError):
        Seeded(permille=20, announced=True, record_numbers=numbers)


async def test_where_findings_are_known_again_its_entries_say_as_much(room: Room) -> None:
    gate = room.ward.gate
    gate.checker.grounds = Grounds("{}", {"secretdrug": ("5 mg",)})
    revise(room.ward, POLICY, suppression={"days": 90})
    served = gate.pipeline._serving.now.policies
    assert isinstance(served, PolicySet)
    gate.policies = served
    await busy(room)
    assert await seeding_of(room).sweep(TENANT) == 1
    [(inference, _ticket)] = (await room.desk.marks.waiting(TENANT)).items()
    like = await held(room.ward, subject_ref="MRN-2")
    bodies = [
        (await gate.ledger.stream_entries(TENANT, one))[-1].body for one in (inference, like.inference_id)
    ]
    assert [[one["finding"] for one in body["alike"]] for body in bodies] == [[0], [0]]
    assert sorted(bodies[0]) == sorted(bodies[1])


async def test_while_a_text_is_overdue_nothing_is_planted_and_what_waits_is_taken_back(room: Room) -> None:
    seeding = seeding_of(room)
    await busy(room)
    assert await seeding.sweep(TENANT) == 1
    [(inference, _ticket)] = (await room.desk.marks.waiting(TENANT)).items()
    room.ward.gate.clock.advance(hours=2)
    assert await seeding.sweep(TENANT) == 0
    found = await debrief_of(room.ward.gate.ledger, TENANT, inference)
    assert found is not None
    assert found.answer == "not_read"
    assert await seeding.sweep(TENANT) == 0


async def test_what_nobody_takes_is_gone_before_anybody_could_be_late_for_it(room: Room) -> None:
    gate, seeding = room.ward.gate, seeding_of(room)
    await busy(room)
    tickets = [ticket_of(await held(room.ward)) for _ in range(1)]
    assert await seeding.sweep(TENANT) == 1
    [(inference, ticket)] = (await room.desk.marks.waiting(TENANT)).items()
    gate.clock.advance(minutes=31)
    # No word of it to people who are told what is due soon, whichever sweep comes first.
    due = DueDates(gate.ledger, NoticesSection(near_minutes=59), "srv-test", gate.clock)
    assert await due.sweep(TENANT) == LEAST + len(tickets)
    assert await gate.ledger.stream_version(TENANT, f"due/sla_near/{ticket}") == 0
    assert await seeding.sweep(TENANT) in (0, 1)
    assert (await gate.types(inference))[-1] == DEBRIEFED


async def test_what_somebody_reads_is_left_to_them(room: Room) -> None:
    seeding = seeding_of(room)
    await busy(room)
    assert await seeding.sweep(TENANT) == 1
    [ticket] = await waiting(room)
    await claim(room.ward, ticket, room.ward.chen)
    room.ward.gate.clock.advance(hours=2)
    # The lease is over by then, and begins anew.
    await claim(room.ward, ticket, room.ward.chen)
    assert await seeding.sweep(TENANT) == 0
    assert await waiting(room) == [ticket]


@pytest.mark.parametrize("why", ["off", "not its turn", "halted", "checks down", "bad luck", "no people"])
async def test_for_these_reasons_nothing_is_planted(room: Room, why: str) -> None:
    gate = room.ward.gate
    await busy(room)
    more: dict[str, Any] = {}
    if why == "off":
        more["permille"] = None
    elif why == "not its turn":
        more["turn"] = False
    elif why == "bad luck":
        more["chance"] = random.Random(1)
        assert random.Random(1).random() >= 0.125
    elif why == "halted":
        await gate.switch.halt(TENANT, None, Order("human:op", "drill", gate.clock()), key("halt"), 0)
    seeding = seeding_of(room, **more)
    if why == "checks down":
        gate.checker.failed_rail = _failed()
    if why == "no people":
        seeding._people = lambda: [room.ward.auditor.principal]
    before = await gate.ledger.head(TENANT)
    assert await seeding.sweep(TENANT) == 0
    assert await gate.ledger.head(TENANT) == before


async def test_checks_that_were_down_are_asked_another_time(room: Room) -> None:
    gate, seeding = room.ward.gate, seeding_of(room)
    await busy(room)
    gate.checker.failed_rail = _failed()
    for _ in room.openings.catalogue:
        assert await seeding.sweep(TENANT) == 0
    gate.checker.failed_rail = None
    assert await seeding.sweep(TENANT) == 1


async def test_what_everybody_has_met_is_not_planted_again(room: Room) -> None:
    """Two items, two people: each meets each once, and then there is nothing left to plant."""
    seeding, seen = seeding_of(room, permille=20), []
    await busy(room, LEAST * 5)
    for _ in range(4):
        assert await seeding.sweep(TENANT) == 1
        [(inference, ticket)] = (await room.desk.marks.waiting(TENANT)).items()
        mark = await room.desk.marks.of(TENANT, inference)
        assert mark is not None
        who = next(
            one for one in (room.ward.rivera, room.ward.chen) if (one.principal.name, mark.item) not in seen
        )
        seen.append((who.principal.name, mark.item))
        lease = await claim(room.ward, ticket, who)
        await room.desk.reject(who.principal, ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert len(set(seen)) == 4
    assert await seeding.sweep(TENANT) == 0


async def test_switched_off_what_waits_is_taken_back(room: Room) -> None:
    await busy(room)
    assert await seeding_of(room).sweep(TENANT) == 1
    assert await seeding_of(room, permille=None).sweep(TENANT) == 0
    assert await waiting(room) == []


async def test_an_append_that_fails_leaves_no_half_item(room: Room) -> None:
    gate, seeding = room.ward.gate, seeding_of(room)
    await busy(room)
    before = await gate.ledger.head(TENANT)
    real = gate.switch.append

    async def dies(*_args: Any, **_more: Any) -> Any:
        raise StoreUnavailable("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate.switch, "append", dies)
        with pytest.raises(StoreUnavailable):
            await seeding.sweep(TENANT)
    assert gate.switch.append == real
    assert (await waiting(room), await gate.ledger.head(TENANT)) == ([], before)
    assert await seeding.sweep(TENANT) == 1


def _failed() -> Any:
    from attending.guardrails.guard import RailRun

    return RailRun("clinical checks", "raised", 1.0)
