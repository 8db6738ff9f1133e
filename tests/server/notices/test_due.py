"""What falls due is on record once, whoever looks, and after a time without a server too."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from attending.ledger.entry import Entry, PendingEntry
from attending.server.clock import parse
from attending.server.config import NoticesSection
from attending.server.notices.due import DueDates
from attending.server.notices.notice import notice_of
from attending.server.replay.reducers import rows_of_append

from tests.server.inference.conftest import TENANT
from tests.server.notices.conftest import Gate, Receiver, hold, outbox, sending, webhook


def dates(gate: Gate, owner: str = "srv-test") -> DueDates:
    return DueDates(gate.ledger, NoticesSection(near_minutes=15), owner, gate.clock)


async def due(gate: Gate) -> list[tuple[str, str]]:
    size, _root = await gate.ledger.head(TENANT)
    entries = await gate.ledger.list_entries(TENANT, 0, size)
    return [(entry.body["about"], entry.body["ref"]) for entry in entries if entry.type == "notice.due"]


async def test_near_and_over_once_each(gate: Gate) -> None:
    ticket = await hold(gate)
    held = await held_entry(gate, ticket)
    due_at = parse(held.body["due_at"])
    assert await dates(gate).sweep(TENANT) == 0
    gate.clock.moment = due_at - timedelta(minutes=14)
    # By two processes at once.
    done = await asyncio.gather(dates(gate).sweep(TENANT), dates(gate, "srv-2").sweep(TENANT))
    assert sum(done) == 1
    assert await dates(gate).sweep(TENANT) == 0
    gate.clock.moment = due_at
    assert await dates(gate).sweep(TENANT) == 1
    assert await dates(gate).sweep(TENANT) == 0
    assert await due(gate) == [("sla_near", ticket), ("sla_over", ticket)]


async def test_what_fell_due_while_no_server_ran_is_told(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    async with sending(outbox(gate, webhook(receiver, tmp_path, gate))):
        ticket = await hold(gate)
        gate.clock.advance(days=3)
        await dates(gate).sweep(TENANT)
        await receiver.until(lambda: len(receiver.got) == 3)
    told = {body["type"]: body["data"] for body in receiver.bodies}
    assert told.keys() == {"item.held", "item.sla_near", "item.sla_over"}
    assert told["item.sla_over"]["ticket"] == ticket
    assert told["item.sla_over"]["policy"] == "patient-message"
    assert told["item.sla_over"]["due_at"] == told["item.held"]["due_at"]
    assert told["item.sla_over"]["roles"] == ["clinician", "pharmacist"]


async def test_an_urgent_item_is_not_near_from_the_start(gate: Gate) -> None:
    await hold(gate)
    sweeper = DueDates(gate.ledger, NoticesSection(near_minutes=1440), "srv-test", gate.clock)
    assert await sweeper.sweep(TENANT) == 0


async def test_the_review_of_an_emergency_falls_due(gate: Gate) -> None:
    now = gate.clock()
    entry = PendingEntry(
        type="break_glass.used",
        stream="emergency:dr-rivera",
        actor="human:dr-rivera",
        subject=None,
        body={
            "access": "emg_" + "0" * 24,
            "user": "dr-rivera",
            "roles": ["clinician"],
            "credential": "mtls",
            "reason": "cover",
            "until": "2026-11-23T13:00:00.000000Z",
            "review_due": "2026-11-26T13:00:00.000000Z",
        },
        occurred_at=now,
    )
    done = await gate.ledger.append(TENANT, [entry], rows=rows_of_append([entry]))
    notice = notice_of(done.entries[0], TENANT)
    assert notice is not None
    assert notice.event == "break_glass.used"
    assert notice.roles == ("safety_officer", "privacy_officer")
    assert notice.data == {
        "access": "emg_" + "0" * 24,
        "reason": "cover",
        "review_due": "2026-11-26T13:00:00.000000Z",
    }, "who it was is told to nobody outside"
    assert await dates(gate).sweep(TENANT) == 0
    gate.clock.moment = parse("2026-11-26T13:00:00.000000Z")
    assert await dates(gate).sweep(TENANT) == 2
    assert [about for about, _ref in await due(gate)] == ["review_near", "review_over"]


async def held_entry(gate: Gate, ticket: str) -> Entry:
    size, _root = await gate.ledger.head(TENANT)
    entries = await gate.ledger.list_entries(TENANT, 0, size)
    return next(
        entry for entry in entries if entry.type == "inference.held" and entry.body["ticket"] == ticket
    )
