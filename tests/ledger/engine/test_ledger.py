"""The door's contract on both stores: conditional appends, reads, proofs, claims, rows and payloads."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from attending.ledger import checkpoint, merkle
from attending.ledger.custody.state import ErasureReason
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import (
    CanonicalError,
    ClaimConflict,
    DuplicateClaim,
    EntryTooLarge,
    ExpectationFailed,
    Halted,
    NotFound,
    OutOfRange,
    QueueFull,
    RowRejected,
    StoreUnavailable,
    SubjectErased,
    VerificationError,
)
from attending.ledger.ledger import Claim, EntryIndex, EntryTime, Expectation, Ledger, RecordId, RowWrite
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.vault import payload_commitment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, delete, insert, select

LOG = "clinic"
Make = Callable[..., PendingEntry]
Gather = Callable[..., Awaitable[list[Any]]]


async def head_of(ledger: Ledger, log_id: str = LOG) -> checkpoint.Checkpoint:
    return checkpoint.verify(
        await ledger.checkpoint(log_id), [VerifierKey.parse(ledger.verifier_key(log_id))]
    )


async def test_append_is_readable_proved_and_signed(ledger: Ledger, pending: Make) -> None:
    appended = await ledger.append(LOG, [pending("s"), pending("s"), pending("t")])
    assert [entry.index for entry in appended.entries] == [0, 1, 2]
    key = ledger.verifier_key(LOG)
    for number, entry in enumerate(appended.entries):
        assert verify_receipt(appended.receipt(number), entry.data, [key]).size == 3
        assert verify_receipt(await ledger.receipt(LOG, entry.index), entry.data, [key]).size == 3
        assert await ledger.get_entry(LOG, entry.index) == entry
    assert [e.index for e in await ledger.stream_entries(LOG, "s")] == [0, 1]
    assert await ledger.stream_version(LOG, "s") == 2
    assert await ledger.stream_version(LOG, "none") == 0
    assert await ledger.stream_versions(LOG, ["none", "s"]) == {"none": 0, "s": 2}
    assert await ledger.list_entries(LOG, 1, 10) == list(appended.entries[1:])
    assert await ledger.list_entries(LOG, 3, 10) == []
    with pytest.raises(OutOfRange):
        appended.receipt(3)


async def test_many_tasks_each_get_their_own_receipt(ledger: Ledger, pending: Make) -> None:
    await ledger.create_log("other", "attending.test/other")
    logs = [LOG, "other"]

    async def one(number: int) -> None:
        log_id = logs[number % 2]
        appended = await ledger.append(log_id, [pending(f"one-{number}"), pending(f"two-{number}")])
        for position, data in enumerate(appended.data):
            verify_receipt(appended.receipt(position), data, [ledger.verifier_key(log_id)])
        first, second = appended.entries
        assert (second.index, second.prev) == (first.index + 1, first.leaf_hash)

    await asyncio.gather(*(one(number) for number in range(600)))
    for log_id in logs:
        assert (await ledger.head(log_id))[0] == 600
        assert await ledger.verify(log_id) == 600


async def test_proofs_hold_between_all_sizes(ledger: Ledger, pending: Make) -> None:
    for _ in range(13):
        await ledger.append(LOG, [pending() for _ in range(23)])
    entries = await ledger.list_entries(LOG, 0, 1000)
    roots = {0: merkle.empty_root()}
    frontier = merkle.Frontier()
    for entry in entries:
        frontier.append(entry.leaf_hash)
        roots[frontier.size] = frontier.root()
    for size in (1, 2, 255, 256, 257, 299):
        assert merkle.root_from_hashes(await ledger.range_frontier(LOG, size)) == roots[size]
        for index in {0, size // 2, size - 1}:
            proof = await ledger.inclusion_proof(LOG, index, size)
            merkle.verify_inclusion(entries[index].leaf_hash, index, size, proof, roots[size])
        for smaller in {0, 1, size // 2, size}:
            proof = await ledger.consistency_proof(LOG, smaller, size)
            merkle.verify_consistency(smaller, size, roots[smaller], roots[size], proof)


async def test_reads_past_the_head_are_out_of_range(ledger: Ledger, pending: Make) -> None:
    await ledger.append(LOG, [pending()])
    for attempt in (
        ledger.get_entry(LOG, 1),
        ledger.get_entry(LOG, -1),
        ledger.receipt(LOG, 1),
        ledger.inclusion_proof(LOG, 0, 2),
        ledger.inclusion_proof(LOG, 0, 0),
        ledger.consistency_proof(LOG, 1, 2),
        ledger.consistency_proof(LOG, 1, 0),
        ledger.range_frontier(LOG, 2),
        ledger.list_entries(LOG, -1, 1),
    ):
        with pytest.raises(OutOfRange):
            await attempt
    for missing in (
        ledger.get_entry("none", 0),
        ledger.append("none", [pending()]),
        ledger.open_payload(LOG, "rec_none"),
        ledger.pseudonym("none", "x"),
        ledger.stream_version("none", "s"),
    ):
        with pytest.raises(NotFound):
            await missing


async def test_of_two_that_expect_the_same_version_one_wins(
    ledger: Ledger, pending: Make, gather: Gather
) -> None:
    await ledger.append(LOG, [pending("s")], expect=[Expectation("s", 0)])
    tries = [ledger.append(LOG, [pending("s")], expect=[Expectation("s", 1)]) for _ in range(50)]
    bystanders = [ledger.append(LOG, [pending()]) for _ in range(50)]
    results = await gather(*(task for pair in zip(tries, bystanders, strict=True) for task in pair))
    lost = [r for r in results[::2] if isinstance(r, ExpectationFailed)]
    assert len(lost) == 49
    assert {(e.stream, e.expected, e.actual) for e in lost} == {("s", 1, 2)}
    assert not [r for r in results[1::2] if isinstance(r, BaseException)]
    assert await ledger.stream_version(LOG, "s") == 2
    assert (await ledger.head(LOG))[0] == 52


async def test_expectations_see_earlier_appends_of_their_group_only(
    ledger: Ledger, pending: Make, gather: Gather
) -> None:
    chain = [
        ledger.append(LOG, [pending("s"), pending("t")], expect=[Expectation("s", n), Expectation("t", n)])
        for n in range(20)
    ]
    assert not [r for r in await gather(*chain) if isinstance(r, BaseException)]
    with pytest.raises(ExpectationFailed):  # one of two holds: nothing is stored
        await ledger.append(LOG, [pending("u")], expect=[Expectation("u", 0), Expectation("s", 19)])
    assert await ledger.stream_version(LOG, "u") == 0


async def test_a_claim_is_taken_once(ledger: Ledger, pending: Make, gather: Gather, clock: Any) -> None:
    keys = await ledger.claim_keys(LOG)
    print_a, print_b = keys.digest(b"a"), keys.digest(b"b")
    assert print_a != print_b

    async def claim(key: str, fingerprint: bytes, stream: str) -> Any:
        return await ledger.append(LOG, [pending(stream)], claim=Claim(key, fingerprint, stream))

    results = await gather(*(claim("k", print_a, f"s{n}") for n in range(20)), claim("k", print_b, "other"))
    winners = [r for r in results if not isinstance(r, BaseException)]
    assert len(winners) == 1
    assert {r.stream for r in results if isinstance(r, DuplicateClaim)} == {winners[0].entries[0].stream}
    assert isinstance(results[-1], ClaimConflict)
    found = await ledger.find_claim(LOG, "k")
    assert found is not None
    assert (found.fingerprint, found.stream) == (print_a, winners[0].entries[0].stream)
    assert await ledger.find_claim(LOG, "never") is None
    await ledger.create_log("other", "attending.test/other")
    await ledger.append("other", [pending()], claim=Claim("k", print_b, "s"))  # another log, another key

    clock.now += timedelta(days=6)
    await ledger.expire_claims(LOG)
    with pytest.raises(DuplicateClaim):
        await claim("k", print_a, "again")
    clock.now += timedelta(days=2)
    await ledger.expire_claims(LOG)
    await claim("k", print_b, "anew")
    assert await ledger.find_claim("other", "k") is not None


async def test_a_claim_says_where_the_entries_of_its_append_lie(ledger: Ledger, pending: Make) -> None:
    await ledger.append(LOG, [pending(), pending()])
    done = await ledger.append(LOG, [pending("s"), pending("s")], claim=Claim("two", b"f", "s"))
    await ledger.append(LOG, [pending("t")], claim=Claim("one", b"f", "t"))
    two, one = await ledger.find_claim(LOG, "two"), await ledger.find_claim(LOG, "one")
    assert two is not None
    assert one is not None
    assert (two.first_index, two.entries) == (done.first_index, 2)
    assert (one.first_index, one.entries) == (done.first_index + 2, 1)


async def test_rows_are_written_with_their_entries(ledger: Ledger, pending: Make, tables: Any) -> None:
    item: Table = tables.item
    appended = await ledger.append(
        LOG,
        [pending(), pending(None, b"text")],
        rows=[
            RowWrite(
                item,
                {"name": "a"},
                {
                    "state": "new",
                    "entry_index": EntryIndex(1),
                    "record": RecordId(1, 0),
                    "changed_at": EntryTime(),
                },
            ),
            RowWrite(item, {"log_id": LOG, "name": "b"}, {"state": "new", "urgent": True}),
        ],
    )
    rows = await ledger.query(select(item).order_by(item.c.name))
    record = appended.commitments[1][0].record
    assert [tuple(row) for row in rows] == [
        (LOG, "a", "new", False, 1, record, appended.time),
        (LOG, "b", "new", True, None, None, None),
    ]
    assert await ledger.open_payload(LOG, record) == b"text"
    await ledger.append(
        LOG,
        [pending()],
        rows=[RowWrite(item, {"name": "a"}, {"state": "done"}), RowWrite(item, {"name": "b"}, None)],
    )
    rows = await ledger.query(select(item.c.name, item.c.state, item.c.entry_index))
    assert [tuple(row) for row in rows] == [("a", "done", 1)]


async def test_a_bad_row_rejects_its_append_alone(
    ledger: Ledger, pending: Make, gather: Gather, tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    item: Table = tables.item
    good: list[dict[str, Any]] = [{"state": "new"}, {"state": "new", "entry_index": 7}]
    bad: list[dict[str, Any]] = [
        {},
        {"state": None},
        {"state": "new", "entry_index": 2**70},
        {"state": object()},
    ]
    values = [*good, bad[0], *good, bad[1], bad[2], *good, bad[3]]
    results = await gather(
        *(
            ledger.append(LOG, [pending(f"s{n}")], rows=[RowWrite(item, {"name": f"n{n}"}, value)])
            for n, value in enumerate(values)
        )
    )
    refused = [n for n, value in enumerate(values) if value in bad]
    assert [n for n, r in enumerate(results) if isinstance(r, RowRejected)] == refused
    assert caplog.text == ""  # an error that quotes its row stays out of every log
    assert (await ledger.head(LOG))[0] == len(values) - len(refused)
    assert len(await ledger.query(select(item.c.name))) == len(values) - len(refused)
    for n in refused:
        assert await ledger.stream_version(LOG, f"s{n}") == 0


async def test_no_error_of_a_row_quotes_its_values(
    ledger: Ledger, pending: Make, gather: Gather, tables: Any
) -> None:
    item: Table = tables.item
    secret = "Jane Roe 555-0100"
    values: list[dict[str, Any]] = [
        {"state": "new", "urgent": secret},
        {"state": {secret: secret}},
        {"state": None, "record": secret},
        {"state": "new", "entry_index": [secret]},
    ]
    results = await gather(
        *(ledger.append(LOG, [pending()], rows=[RowWrite(item, {"name": secret}, value)]) for value in values)
    )
    assert {type(result) for result in results} == {RowRejected}
    for result in results:
        shown = "".join(traceback.format_exception(result))
        assert "Jane" not in shown
        assert "555" not in shown


async def test_projections_are_read_only(ledger: Ledger, pending: Make, tables: Any) -> None:
    item: Table = tables.item
    row = RowWrite(item, {"name": "a"}, {"state": "new"})
    await ledger.append(LOG, [pending()], rows=[row])
    for write in (delete(item), insert(item).values(log_id=LOG, name="b", state="new")):
        with pytest.raises(StoreUnavailable):
            await ledger.query(write)  # type: ignore[arg-type]
    names = await asyncio.gather(*(ledger.query(select(item.c.name)) for _ in range(30)))
    assert {tuple(map(tuple, rows)) for rows in names} == {(("a",),)}


async def test_rows_cannot_leave_their_log_or_table(ledger: Ledger, pending: Make, tables: Any) -> None:
    item: Table = tables.item
    stranger = item.to_metadata(MetaData())
    for row in (
        RowWrite(item, {"log_id": "other", "name": "a"}, {"state": "x"}),
        RowWrite(item, {}, {"state": "x"}),
        RowWrite(item, {"name": "a"}, {"state": "x", "log_id": "other"}),
        RowWrite(item, {"name": "a"}, {"unknown": "x"}),
        RowWrite(stranger, {"name": "a"}, {"state": "x"}),
        RowWrite(item, {"name": "a"}, {"state": "x", "entry_index": EntryIndex(1)}),
        RowWrite(item, {"name": "a"}, {"state": "x", "record": RecordId(0, 0)}),
    ):
        with pytest.raises(ValueError, match=r"row|placeholder|registered"):
            await ledger.append(LOG, [pending()], rows=[row])
    assert (await ledger.head(LOG))[0] == 0


async def test_entries_are_checked_before_they_are_queued(ledger: Ledger, pending: Make) -> None:
    with pytest.raises(EntryTooLarge):
        await ledger.append(LOG, [pending(), pending(text="x" * 65_400)])
    with pytest.raises(CanonicalError):
        await ledger.append(LOG, [pending(value=1.5)])
    with pytest.raises(VerificationError):
        await ledger.append(LOG, [PendingEntry("no.such", "s", "a", None, {})])
    with pytest.raises(ValueError, match="at least one"):
        await ledger.append(LOG, [])
    assert (await ledger.head(LOG))[0] == 0


async def test_time_never_goes_back(ledger: Ledger, pending: Make, clock: Any) -> None:
    first = (await ledger.append(LOG, [pending()])).time
    clock.now -= timedelta(hours=1)
    second = (await ledger.append(LOG, [pending()])).time
    clock.now += timedelta(hours=2)
    third = (await ledger.append(LOG, [pending()])).time
    assert first == second < third


async def test_a_cancelled_task_leaves_its_append_standing(ledger: Ledger, pending: Make) -> None:
    task = asyncio.create_task(ledger.append(LOG, [pending("s")]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.append(LOG, [pending("t")])
    assert await ledger.stream_version(LOG, "s") == 1


async def test_the_queue_is_bounded(ledger: Ledger, pending: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger._sequencer, "_max_queued", 0)
    with pytest.raises(QueueFull) as caught:
        await ledger.append(LOG, [pending()])
    assert caught.value.retry_after_seconds > 0
    monkeypatch.undo()
    await ledger.append(LOG, [pending()])


async def test_a_closed_ledger_takes_nothing(ledger: Ledger, pending: Make) -> None:
    waiting = [asyncio.create_task(ledger.append(LOG, [pending()])) for _ in range(20)]
    await asyncio.sleep(0)
    await ledger.close()
    await ledger.close()
    assert {appended.first_index for appended in await asyncio.gather(*waiting)} == set(range(20))
    with pytest.raises(StoreUnavailable):
        await ledger.append(LOG, [pending()])


async def test_create_log_is_idempotent(ledger: Ledger, gather: Gather) -> None:
    results = await gather(*(ledger.create_log("other", "attending.test/other") for _ in range(5)))
    assert results == [None] * 5
    assert ledger.logs() == [LOG, "other"]
    assert ledger.verifier_key(LOG) != ledger.verifier_key("other")
    with pytest.raises(ValueError, match="another origin"):
        await ledger.create_log("other", "attending.test/elsewhere")
    with pytest.raises(ValueError, match="another log"):
        await ledger.create_log("third", "attending.test/other")
    for bad in ("", "Upper", "../up", ".", "a" * 64, "a/b"):
        with pytest.raises(NotFound):
            await ledger.create_log(bad, "attending.test/bad")
    assert ledger.logs() == [LOG, "other"]


async def test_payloads_open_and_disclose(ledger: Ledger, pending: Make) -> None:
    subject = await ledger.pseudonym(LOG, "MRN 4471")
    texts = [b"", b"short", b"x" * 100_000]
    appended = await ledger.append(
        LOG, [pending("s", *texts, subject=subject), pending("t", b"about no one")]
    )
    commitments = appended.entries[0].commitments
    assert commitments == appended.commitments[0]
    for text, item in zip(texts, commitments, strict=True):
        assert await ledger.open_payload(LOG, item.record) == text
        salt, content = await ledger.disclose_payload(LOG, item.record)
        assert content == text
        assert payload_commitment(item.kind, salt, content).hex() == item.commitment
    assert len({item.commitment for item in commitments}) == 3
    assert await ledger.open_payload(LOG, appended.commitments[1][0].record) == b"about no one"


async def test_a_payload_sealed_ahead_is_the_one_committed_to(ledger: Ledger, pending: Make) -> None:
    subject = await ledger.pseudonym(LOG, "MRN 1")
    sealed = await ledger.seal(LOG, Payload("output_final", b"take one tablet"), subject)
    base = pending("s", subject=subject, record=sealed.record)
    entry = PendingEntry(base.type, base.stream, base.actor, subject, base.body, (sealed,))
    appended = await ledger.append(LOG, [entry])
    assert appended.entries[0].commitments == (sealed.commitment,)
    assert await ledger.open_payload(LOG, sealed.record) == b"take one tablet"
    with pytest.raises(RowRejected):  # a record is stored once
        await ledger.append(LOG, [entry])
    other = PendingEntry(base.type, "t", base.actor, None, base.body, (sealed,))
    with pytest.raises(ValueError, match="another log or subject"):
        await ledger.append(LOG, [other])


async def test_pseudonyms_are_random_stable_and_made_once(ledger: Ledger, gather: Gather) -> None:
    names = await gather(
        *(ledger.pseudonym(LOG, spelling) for spelling in ("MRN 1", "mrn  1", " Mrn 1 ") * 10)
    )
    assert len(set(names)) == 1
    assert names[0].startswith("sub_")
    assert await ledger.pseudonym(LOG, "MRN 2") != names[0]
    await ledger.create_log("other", "attending.test/other")
    assert await ledger.pseudonym("other", "MRN 1") != names[0]


async def test_erasure_takes_the_content_and_leaves_the_proof(
    ledger: Ledger, pending: Make, gather: Gather
) -> None:
    gone, kept = await gather(ledger.pseudonym(LOG, "MRN 1"), ledger.pseudonym(LOG, "MRN 2"))
    first = await ledger.append(
        LOG, [pending("s", b"secret", subject=gone), pending("t", b"other", subject=kept)]
    )
    erasure = await ledger.erase_subject(LOG, gone, actor="officer", reason=ErasureReason.GDPR_17)
    assert erasure is not None
    assert (erasure.entries[0].type, erasure.entries[0].subject) == ("subject.erased", gone)
    record = first.commitments[0][0].record
    for attempt in (
        ledger.open_payload(LOG, record),
        ledger.disclose_payload(LOG, record),
        ledger.append(LOG, [pending("u", b"more", subject=gone)]),
        ledger.seal(LOG, Payload("prompt", b"more"), gone),
    ):
        with pytest.raises(SubjectErased):
            await attempt
    assert await ledger.open_payload(LOG, first.commitments[1][0].record) == b"other"
    verify_receipt(await ledger.receipt(LOG, 0), first.data[0], [ledger.verifier_key(LOG)])
    assert await ledger.erase_subject(LOG, gone) is None
    assert (await ledger.head(LOG))[0] == 3
    assert await ledger.pseudonym(LOG, "MRN 1") != gone  # the link went too
    with pytest.raises(NotFound):
        await ledger.erase_subject(LOG, "sub_" + "a" * 26)


async def test_a_halted_log_takes_nothing_and_its_neighbour_does(ledger: Ledger, pending: Make) -> None:
    await ledger.create_log("other", "attending.test/other")
    await ledger.append(LOG, [pending()])
    ledger.halt(LOG, "OPERATOR")
    with pytest.raises(Halted):
        await ledger.append(LOG, [pending()])
    assert ledger.halted(LOG) == "OPERATOR"
    await ledger.append("other", [pending()])
    assert (await ledger.get_entry(LOG, 0)).index == 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
async def test_any_sequence_of_appends_proves(ledger: Ledger, pending: Make, sizes: list[int]) -> None:
    before = await head_of(ledger)
    results = await asyncio.gather(*(ledger.append(LOG, [pending() for _ in range(n)]) for n in sizes))
    after = await head_of(ledger)
    assert after.size == before.size + sum(sizes)
    proof = await ledger.consistency_proof(LOG, before.size, after.size)
    merkle.verify_consistency(before.size, after.size, before.root, after.root, proof)
    for appended in results:
        for number, data in enumerate(appended.data):
            verify_receipt(appended.receipt(number), data, [ledger.verifier_key(LOG)])
