"""At least once, whatever dies: nothing before its entry, nothing lost, nothing held up, and the record says what."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attending.guardrails.patient import Identity, PatientContext
from attending.server.auth.principal import Principal
from attending.server.config import NoticesSection
from attending.server.errors import NotFound
from attending.server.notices import projection
from attending.server.notices.backoff import MOST_SECONDS, is_over, pause_seconds
from attending.server.notices.desk import NoticeDesk
from attending.server.notices.outbox import WINDOW
from attending.server.replay.fact import Fact
from hypothesis import given
from hypothesis import strategies as st

from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key
from tests.server.notices.conftest import (
    Gate,
    Receiver,
    Sleeps,
    hold,
    outbox,
    running,
    sending,
    until_settled,
    webhook,
)

OPERATOR = Principal(
    name="olga",
    tenant=TENANT,
    kind="human",
    roles=frozenset({"operator"}),
    display_name="Olga",
    credential="mtls",
)


def tickets(receiver: Receiver) -> set[str]:
    return {body["data"]["ticket"] for body in receiver.bodies}


def told(receiver: Receiver, ticket: str) -> bool:
    return ticket in tickets(receiver)


async def test_a_held_text_is_told_once_and_settled(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    before = await hold(gate)
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        ticket = await hold(gate, 1)
        await receiver.until(lambda: len(receiver.got) == 1)
        bodies = await until_settled(gate, lambda found: any(body["delivered"] for body in found))
    [body] = receiver.bodies
    assert body["type"] == "item.held"
    assert body["data"]["ticket"] == ticket != before, "nobody is told of what was before them"
    assert body["data"]["policy"] == "patient-message"
    assert body["data"]["severity"] == "major"
    assert body["data"]["roles"] == ["clinician", "pharmacist"]
    assert b"SECRET" not in receiver.got[0][1]
    assert [len(body["delivered"]) for body in bodies] == [0, 1]


async def test_what_was_sent_and_not_settled_is_sent_again_under_its_id(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    """As after a kill between the two: the record is what the next process has."""
    first = outbox(gate, webhook(receiver, tmp_path, gate))
    await first.step()
    made = {await hold(gate, number) for number in range(3)}
    await first.step()
    await receiver.until(lambda: len(receiver.got) == 3)
    await first.stop()
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        await until_settled(gate, lambda found: sum(len(body["delivered"]) for body in found) == 3)
    assert tickets(receiver) == made
    assert sorted(receiver.ids) == sorted([*set(receiver.ids)] * 2), "each twice, under one id"


async def test_two_at_once_settle_each_once(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    async with (
        sending(outbox(gate, webhook(receiver, tmp_path, gate))),
        sending(outbox(gate, webhook(receiver, tmp_path, gate), owner="srv-other")),
    ):
        made = {await hold(gate, number) for number in range(8)}
        bodies = await until_settled(gate, lambda found: sum(len(body["delivered"]) for body in found) >= 8)
        await asyncio.sleep(0.2)
    settled = [index for body in bodies for index in body["delivered"]]
    assert len(settled) == len(set(settled)) == 8
    assert tickets(receiver) == made


async def test_of_two_that_begin_at_once_neither_skips_what_came_between(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    late = outbox(gate, webhook(receiver, tmp_path, gate), owner="srv-other")
    read = late._read_place
    blank = await read()
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        pass
    ticket = await hold(gate)
    late._place = blank
    size, _root = await gate.ledger.head(TENANT)
    await late._record([], size)
    async with sending(late):
        await receiver.until(lambda: ticket in tickets(receiver))


async def test_one_that_its_receiver_does_not_take_keeps_back_no_other(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    sleeps = Sleeps()
    sleeps.go_on.clear()
    box = outbox(gate, webhook(receiver, tmp_path, gate), sleep=sleeps)
    async with sending(box):
        receiver.refuse = lambda _body: True
        stuck = await hold(gate)
        await receiver.until(lambda: stuck in tickets(receiver))
        receiver.refuse = lambda body: body["data"]["ticket"] == stuck
        others = {await hold(gate, number) for number in range(1, 6)}
        await receiver.until(lambda: others <= tickets(receiver))
        bodies = await until_settled(gate, lambda found: sum(len(body["delivered"]) for body in found) == 5)
        assert box.waiting == 1
        assert box.problem == "STATUS_500"
        # The place stays before what waits, and the rest is ahead of it.
        assert bodies[-1]["through"] < min(bodies[-1]["delivered"])
        receiver.refuse = lambda _body: False
        sleeps.go_on.set()
        await until_settled(gate, lambda found: sum(len(body["delivered"]) for body in found) == 6)
    assert sleeps.seconds == [5.0]


async def test_behind_one_that_waits_the_place_is_the_one_on_record_without_reading_it_again(
    gate: Gate, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps = Sleeps()
    sleeps.go_on.clear()
    box = outbox(gate, webhook(receiver, tmp_path, gate), sleep=sleeps)
    await box.step()
    reads, read = 0, box._read_place

    async def counted() -> object:
        nonlocal reads
        reads += 1
        return await read()

    monkeypatch.setattr(box, "_read_place", counted)
    receiver.refuse = lambda body: body["data"]["ticket"] == stuck
    stuck = await hold(gate)
    for number in range(1, 6):
        ticket = await hold(gate, number)
        await box.step()
        await receiver.until(partial(told, receiver, ticket))
        async with asyncio.timeout(30):
            while box.waiting > 1:
                await asyncio.sleep(0)
        await box.step()
    place, there = box._place, await read()
    assert place is not None
    assert place.row is not None
    assert there.row is not None
    assert (place.version, place.through, place.ahead) == (there.version, there.through, there.ahead)
    assert (place.row["ahead"], place.row["delivered"]) == (there.row["ahead"], len(there.ahead))
    assert len(there.ahead) == 5
    assert reads == 0
    await box.stop()


def settled(through: int, done: list[int], dead: list[int], row: dict[str, Any]) -> dict[str, Any]:
    """The target's row after one settlement."""
    given = [
        {"index": index, "notice": f"n{index}", "about": 0, "event": "e", "reason": "R", "attempts": 1}
        for index in dead
    ]
    body = {"target": "pager", "kind": "webhook", "through": through, "delivered": done, "dead": given}
    fact = Fact("notice.settled", "notices/pager", "system:s", None, body, 0, "2026-01-01T00:00:00Z", {})
    values = projection.settled(fact, lambda _table, _key: row or None)[0].values
    assert values is not None
    return {**row, **values}


@given(st.integers(0, 2**32))
def test_what_is_ahead_is_a_sorted_list_whatever_the_order_of_settlements(seed: int) -> None:
    chance = random.Random(seed)
    waits, row, through, expected = list(range(0, 900, 3)), dict[str, Any](), 0, set[int]()
    while waits:
        taken = chance.sample(waits[:64], min(len(waits), chance.randint(1, 8)))
        if waits[0] in taken and len(taken) > 1 and chance.random() < 0.95:
            taken.remove(waits[0])
        waits = [index for index in waits if index not in taken]
        through = min(waits, default=900)
        expected = {index for index in expected | set(taken) if index >= through}
        dead = [index for index in taken if chance.random() < 0.1]
        row = settled(through, sorted(set(taken) - set(dead)), dead, row)
        assert row["ahead"] == json.dumps(sorted(expected))


def test_one_that_waits_does_not_have_all_behind_it_read_at_each_settlement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = 0

    def loads(text: str) -> Any:
        nonlocal read
        read += len(text)
        return json.loads(text)

    monkeypatch.setattr(projection, "json", SimpleNamespace(loads=loads, dumps=json.dumps))
    row: dict[str, Any] = {}
    for index in range(1, 2_000):
        row = settled(0, [index * 7], [], row)
    assert len(json.loads(row["ahead"])) == 1_999
    assert read < 2_000


async def test_a_receiver_that_hangs_keeps_back_no_other_target_and_no_inference(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    async with running(Receiver(hang=asyncio.Event())) as slow:
        hanging = webhook(slow, tmp_path, gate, name="slow", timeout_seconds=60.0)
        async with (
            sending(outbox(gate, hanging)),
            sending(outbox(gate, webhook(receiver, tmp_path, gate))),
        ):
            made = {await hold(gate, number) for number in range(3)}
            await receiver.until(lambda: made <= tickets(receiver))
            assert slow.got
        await hanging.close()


async def test_no_more_than_a_window_is_under_way(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    receiver.hang = asyncio.Event()
    box = outbox(gate, webhook(receiver, tmp_path, gate, timeout_seconds=60.0))
    await box.step()
    for number in range(WINDOW + 3):
        await hold(gate, number)
    while await box.step():
        pass
    assert box.waiting == WINDOW
    receiver.hang.set()
    async with sending(box):
        await until_settled(gate, lambda found: sum(len(body["delivered"]) for body in found) == WINDOW + 3)
    assert len(tickets(receiver)) == WINDOW + 3


async def test_what_is_not_taken_for_a_day_is_given_up_and_sent_again_when_asked(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.statuses = [503]
    sleeps = Sleeps()
    sleeps.go_on.clear()
    hook = webhook(receiver, tmp_path, gate)
    box = outbox(gate, hook, sleep=sleeps)
    section = NoticesSection()
    desk = NoticeDesk(gate.ledger, section, [box], gate.clock)
    async with sending(box):
        ticket = await hold(gate)
        await receiver.until(lambda: len(receiver.got) == 1)
        async with asyncio.timeout(30):
            # Until it has read the answer, at the time of the first try.
            while not sleeps.seconds:
                await asyncio.sleep(0)
        assert await desk.dead(TENANT, None, limit=10, offset=0) == []
        gate.clock.advance(hours=24)
        sleeps.go_on.set()
        bodies = await until_settled(gate, lambda found: any(body["dead"] for body in found))
        [dead] = bodies[-1]["dead"]
        assert dead["reason"] == "STATUS_503"
        assert dead["attempts"] == 2
        [row] = await desk.dead(TENANT, "pager", limit=10, offset=0)
        assert row["notice"] == dead["notice"] == receiver.ids[0]
        receiver.statuses = [200]
        index = await desk.retry(OPERATOR, "pager", row["notice"], key("retry"))
        assert await desk.retry(OPERATOR, "pager", row["notice"], key("retry")) == index
        bodies = await until_settled(gate, lambda found: bool(found[-1]["delivered"]))
        assert bodies[-1]["delivered"] == [index]
        assert await desk.dead(TENANT, None, limit=10, offset=0) == []
        with pytest.raises(NotFound):
            await desk.retry(OPERATOR, "pager", row["notice"], key("again"))
        [state] = await desk.targets(TENANT, None)
        assert state.row is not None
        assert (state.row["delivered"], state.row["dead"], state.waiting) == (1, 1, 0)
    assert set(receiver.ids) == {row["notice"]}
    assert tickets(receiver) == {ticket}


async def test_a_test_goes_to_its_target_alone_whatever_that_is_told_of(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    async with running(Receiver()) as other:
        boxes = [
            outbox(gate, webhook(receiver, tmp_path, gate, events=["system.halted"])),
            outbox(gate, webhook(other, tmp_path, gate, name="other")),
        ]
        desk = NoticeDesk(gate.ledger, NoticesSection(), boxes, gate.clock)
        async with sending(boxes[0]), sending(boxes[1]):
            with pytest.raises(NotFound):
                await desk.test(OPERATOR, "nobody", key("n"))
            await desk.test(OPERATOR, "pager", key("t"))
            await hold(gate)
            await receiver.until(lambda: len(receiver.got) == 1)
            await other.until(lambda: len(other.got) == 1)
        assert [body["type"] for body in receiver.bodies] == ["test"]
        assert [body["type"] for body in other.bodies] == ["item.held"]


async def test_who_is_not_on_turn_sends_nothing_and_takes_over_where_the_other_was(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    mine = False

    async def turn() -> bool:
        return mine

    first = outbox(gate, webhook(receiver, tmp_path, gate))
    second = outbox(gate, webhook(receiver, tmp_path, gate), owner="srv-2", turn=turn)
    await first.step()
    ticket = await hold(gate)
    await second.step()
    assert receiver.got == []
    mine = True
    async with sending(second):
        await receiver.until(lambda: ticket in tickets(receiver))
    await first.stop()


async def test_nothing_is_sent_of_what_is_not_committed(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    """The receiver looks the entry up: it is there, whenever it is told."""
    seen: list[bool] = []

    def look(body: dict[str, object]) -> bool:
        data = body["data"]
        assert isinstance(data, dict)
        reader = gate.ledger._store.entries(TENANT, data["entry"], 1)
        seen.append(bool(reader))
        return False

    receiver.refuse = look
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        for number in range(5):
            await hold(gate, number)
        await receiver.until(lambda: len(seen) == 5)
    assert seen == [True] * 5


async def test_a_long_log_of_no_concern_is_settled_now_and_then(
    gate: Gate, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.server.notices.outbox.QUIET_ENTRIES", 4)
    box = outbox(gate, webhook(receiver, tmp_path, gate, events=["system.halted"]))
    await box.step()
    await hold(gate)
    await hold(gate, 1)
    await box.step()
    bodies = await until_settled(gate, lambda found: len(found) == 2)
    assert bodies[1]["through"] > bodies[0]["through"] + 4
    await box.stop()


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_and_are_bounded(attempts: int, chance: float) -> None:
    assert 2.5 <= pause_seconds(attempts, chance) <= MOST_SECONDS
    assert pause_seconds(attempts, chance) <= pause_seconds(attempts + 1, 1.0)


def test_given_up_by_age_or_for_good(gate: Gate) -> None:
    began = gate.clock()
    day = timedelta(hours=24)
    assert not is_over(began, began + day - timedelta(seconds=1), day, permanent=False)
    assert is_over(began, began + day, day, permanent=False)
    assert is_over(began, began, day, permanent=True)


async def test_nothing_of_a_person_leaves_by_a_notice(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    """In the prompt, the draft, the patient, the reference, a note and the author's name: in no byte that is sent."""
    canary = "Quackenbush-8841973"
    gate.provider.text = f"HOLD this for {canary}"
    call = infer_call(
        f"Write to {canary}.",
        policy="patient-message",
        context=context(
            "patient-message",
            subject_ref=canary,
            on_behalf_of=canary,
            patient=PatientContext(identity=Identity(mrn=canary, names=(canary,))),
        ),
    )
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        outcome = await gate.pipeline.infer(CALLER, call, key("canary"))
        await receiver.until(lambda: len(receiver.got) == 1)
    [(headers, body)] = receiver.got
    subject = outcome.subject
    assert subject is not None
    for secret in (canary, subject, "HOLD this", "Write to"):
        assert secret.encode() not in body
        assert secret not in str(headers)


async def test_an_orderly_stop_settles_what_was_taken(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    box = outbox(gate, webhook(receiver, tmp_path, gate), poll_seconds=60.0)
    async with sending(box):
        await hold(gate)
        await receiver.until(lambda: len(receiver.got) == 1)
        while box.waiting:
            await asyncio.sleep(0.01)
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        second = await hold(gate, 1)
        await receiver.until(lambda: second in tickets(receiver))
    assert len(receiver.got) == 2, "nothing twice"
