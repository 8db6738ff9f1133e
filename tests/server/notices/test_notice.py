"""What is told is what is named, in the form that it has; the rest of an entry stays where it is."""

from __future__ import annotations

from dataclasses import replace

from attending.ledger.entry import Entry
from attending.server.notices.notice import Notice, link, notice_id, notice_of

from tests.server.inference.conftest import TENANT
from tests.server.notices.conftest import Gate, hold

CANARY = "Zebulon Quackenbush 8841973"


async def entries(gate: Gate) -> list[Entry]:
    size, _root = await gate.ledger.head(TENANT)
    return await gate.ledger.list_entries(TENANT, 0, size)


async def test_a_body_that_grows_tells_no_more(gate: Gate) -> None:
    await hold(gate)
    [held] = [entry for entry in await entries(gate) if entry.type == "inference.held"]
    notice = notice_of(held, TENANT)
    assert notice is not None
    grown = replace(held, body={**held.body, "note": CANARY, "patient": {"name": CANARY}})
    assert notice_of(grown, TENANT) == notice
    # A value in a place of an id or an enum that is none of either is left out.
    for key in ("policy", "urgency", "due_at", "ticket"):
        odd = notice_of(replace(held, body={**held.body, key: CANARY}), TENANT)
        assert odd is not None
        assert key not in odd.data
        assert CANARY not in repr(odd)
    sign_off = {**held.body["sign_off"], "roles": [CANARY, "clinician"]}
    odd = notice_of(replace(held, body={**held.body, "sign_off": sign_off}), TENANT)
    assert odd is not None
    assert odd.roles == ("clinician",)


async def test_nobody_is_told_of_most_entries(gate: Gate) -> None:
    await hold(gate)
    told = [entry.type for entry in await entries(gate) if notice_of(entry, TENANT) is not None]
    assert told == ["inference.held"]


def test_ids_are_of_one_entry_of_one_log() -> None:
    made = {notice_id(origin, index) for origin in ("a.example/x", "b.example/x") for index in range(100)}
    assert len(made) == 200
    assert notice_id("a.example/x", 1) == notice_id("a.example/x", 1)


def test_links_lead_into_the_console() -> None:
    notice = Notice("ntc_1", "item.held", "clinic", 1, "t", data={"ticket": "tkt_1/../x"})
    assert link("https://c.example", notice) == "https://c.example/items/tkt_1%2F..%2Fx"
    assert link(None, notice) is None
    assert link("https://c.example", replace(notice, data={})) == "https://c.example/"
