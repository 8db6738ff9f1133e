"""What is told of planted items: of all together where five or more met any, and of one person."""

from __future__ import annotations

from attending.server.oversight.figures import Oversight, Share
from attending.server.oversight.standing import FEWEST_PEOPLE

from tests.server.inference.conftest import TENANT
from tests.server.practice.conftest import Room
from tests.server.review.conftest import Person, person
from tests.server.review.test_desk import claim, dispose_all, fresh, sign


async def refuses(room: Room, name: str, who: Person) -> None:
    put = await room.put(name)
    lease = await claim(room.ward, put.ticket, who)
    await room.desk.reject(who.principal, put.ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]


async def test_shares_are_of_five_people_and_nobody_is_named(room: Room) -> None:
    oversight = Oversight(room.ward.gate.ledger, room.ward.gate.clock)
    people = [person(f"clinician-{n}", "clinician") for n in range(FEWEST_PEOPLE - 1)]
    for one in people:
        await refuses(room, "wrong", one)
    await refuses(room, "sound", people[0])
    found = await oversight.summary(TENANT, 30)
    assert (found.planted, found.found, found.refused) == (FEWEST_PEOPLE, None, None)
    # The fifth signs what was planted.
    rivera, put = room.ward.rivera, await room.put("wrong")
    lease = await claim(room.ward, put.ticket, rivera)
    await dispose_all(room.ward, put.ticket, lease, rivera)
    prepared = await room.desk.prepare(rivera.permit, put.ticket, lease, None, rivera.key_id)
    await sign(room.ward, put.ticket, lease, rivera, prepared)
    found = await oversight.summary(TENANT, 30)
    assert (found.planted, found.found, found.refused) == (6, Share(4, 5), Share(1, 1))
    assert found.found is not None
    low, high = found.found.estimate.low, found.found.estimate.high
    assert low is not None
    assert high is not None
    assert 0.37 < low < 0.38
    assert 0.96 < high < 0.97
    mine, *_told = await oversight.person(TENANT, "rivera", 30)
    assert (mine.planted, mine.found, mine.signatures) == (1, 0, 0)
    other, *_rest = await oversight.person(TENANT, "clinician-0", 30)
    assert (other.planted, other.found, other.sound, other.refused) == (1, 1, 1, 1)


async def test_what_is_marked_openly_or_not_read_measures_nobody(room: Room) -> None:
    put = await room.put(reader="rivera")
    lease = await claim(room.ward, put.ticket, room.ward.rivera)
    await room.desk.reject(room.ward.rivera.principal, put.ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    await room.desk.take_back(TENANT, (await room.put()).ticket)
    oversight = Oversight(room.ward.gate.ledger, room.ward.gate.clock)
    assert (await oversight.summary(TENANT, 30)).planted == 0
    assert await oversight.people(TENANT, 30) == []
