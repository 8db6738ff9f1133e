"""The table of reducers: complete over the entry types, and the same before an append as after it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attending.ledger.entry import ENTRY_TYPES, GENESIS_PREV, PendingEntry, encode_entry, parse_entry
from attending.ledger.projection import EntryIndex, EntryTime, RowBuffer, RowWrite, resolve
from attending.server import projections
from attending.server.inference.states import TRANSITIONS
from attending.server.replay.reducers import REDUCERS, UNPROJECTED, rows_of_append, rows_of_entry

ITEM, INFERENCE = projections.review_item, projections.inference
TIME = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def entry(type_: str, stream: str = "inf_1", **body: object) -> PendingEntry:
    return PendingEntry(type_, stream, "human:rivera", None, body)


HELD = entry(
    "inference.held",
    ticket="tkt_1",
    policy="discharge-plan",
    to_dispose=[0, 2],
    due_at="2026-11-23T13:00:00.000000Z",
    expires_at="2026-11-24T12:00:00.000000Z",
    findings={"count": 3, "by_code": {}, "by_severity": {"minor": 2, "major": 1}},
    sign_off={"roles": ["clinician", "pharmacist"], "count": 2, "author_may_sign": False},
)


DEBRIEFED = {"mode": "practice", "item": "one", "kind": "sound", "answer": "approved", "right": True}
WITHDRAWN = {"calling_app": "portal", "reason_code": "wrong", "outstanding": ["app:portal"]}


def disposed(finding: int, disposition: str) -> PendingEntry:
    return entry("review.disposed", ticket="tkt_1", finding=finding, disposition=disposition)


def signed(signer: str, record: str) -> PendingEntry:
    said = {"signer": signer, "record": record, "meaning": "approved", "role": "clinician", "nonce": signer}
    return entry("review.signed", ticket="tkt_1", statement=said)


def test_every_entry_type_is_projected_or_deliberately_not() -> None:
    assert not REDUCERS.keys() & UNPROJECTED
    assert REDUCERS.keys() | UNPROJECTED == ENTRY_TYPES


def test_every_transition_of_an_inference_is_projected_to_its_state() -> None:
    for events in TRANSITIONS.values():
        for event, after in events.items():
            body = {
                **HELD.body,
                "stage": "output",
                "text_record": "r",
                "reason": "X",
                **WITHDRAWN,
                **DEBRIEFED,
            }
            rows = rows_of_append([entry(event, **body)])
            states = [row.values["state"] for row in rows if row.table is INFERENCE and row.values]
            assert states == [after.value]


@pytest.mark.parametrize("one_append", [True, False])
def test_a_review_leads_to_the_same_rows_in_one_append_or_many_and_out_of_the_log(one_append: bool) -> None:
    steps = [
        HELD,
        entry(
            "review.claimed", ticket="tkt_1", lease="lse_1", lease_expires_at="2026-11-23T12:15:00.000000Z"
        ),
        disposed(2, "fixed"),
        disposed(10, "fixed"),
        disposed(2, "accepted_risk"),
        signed("rivera", "rec_a"),
        signed("chen", "rec_a"),
        entry("inference.released", ticket="tkt_1", basis="signed", text_record="rec_a"),
    ]
    live = RowBuffer()
    appends = [steps] if one_append else [[step] for step in steps]
    first = 0
    for append in appends:
        row = live.read(ITEM, {"ticket_id": "tkt_1"})
        known = [] if row is None else [RowWrite(ITEM, {"ticket_id": "tkt_1"}, row)]
        for write in rows_of_append(append, known):
            live.write(RowWrite(*resolve(write, first, "2026-11-23T12:00:00.000000Z")))
        first += len(append)

    replayed = RowBuffer()
    for index, pending in enumerate(steps):
        stored = parse_entry(encode_entry("test.example/clinic", index, GENESIS_PREV, TIME, pending))
        for write in rows_of_entry(stored, replayed.read):
            replayed.write(write)

    item = replayed.read(ITEM, {"ticket_id": "tkt_1"})
    assert item == live.read(ITEM, {"ticket_id": "tkt_1"})
    assert replayed.take() == live.take()
    assert item is not None
    assert item["disposed"] == '{"2": "accepted_risk", "10": "fixed"}'
    assert (item["open_findings"], item["worst_severity"], item["severity_rank"]) == (1, "major", 3)
    assert item["signed_by"].count("rec_a") == 2
    assert (item["state"], item["claimed_by"], item["lease_id"]) == ("released", None, None)


def test_a_step_on_a_ticket_that_nothing_opened_is_refused() -> None:
    with pytest.raises(KeyError):
        rows_of_append([disposed(0, "fixed")])


def test_a_buffer_gives_one_write_a_row_and_deletes_before_it_writes_anew() -> None:
    stored = {"state": "held", "policy": "p"}
    buffer = RowBuffer(lambda _table, key: stored if key["ticket_id"] == "a" else None)
    key = {"ticket_id": "a"}
    buffer.write(RowWrite(ITEM, key, {"state": "released"}))
    buffer.write(RowWrite(ITEM, {"log_id": "clinic", **key}, {"lease_id": None}))
    assert buffer.read(ITEM, key) == {"state": "released", "policy": "p", "lease_id": None}
    assert [row.values for row in buffer.take()] == [{"state": "released", "lease_id": None}]
    assert buffer.read(ITEM, key) == stored

    buffer.write(RowWrite(ITEM, key, None))
    assert buffer.read(ITEM, key) is None
    buffer.write(RowWrite(ITEM, key, {"state": "held"}))
    assert buffer.read(ITEM, key) == {"state": "held"}
    assert [row.values for row in buffer.take()] == [None, {"state": "held"}]


def test_placeholders_reach_the_rows_untouched() -> None:
    rows = rows_of_append([entry("access.viewed"), entry("key.revoked", "key:1", key_id="1")])
    assert [row.values for row in rows] == [{"revoked_at": EntryTime()}]
    rows = rows_of_append([entry("access.viewed"), entry("inference.failed", reason="PROVIDER_TIMEOUT")])
    assert rows[0].values is not None
    assert rows[0].values["decided_index"] == EntryIndex(1)
