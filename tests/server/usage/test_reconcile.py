"""A provider's records against the log: what went past the gate is found, and nothing else is said."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Entry
from attending.ledger.report_signature import report_stream
from attending.ledger.usage import COUNTS, RECONCILED, STREAM
from attending.ledger.verify.statistics import statistics_of
from attending.server.clock import stamp
from attending.server.errors import AttendingError, InvalidRequest
from attending.server.practice.alike import provider_ids_like
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest
from attending.server.reports.compared import compared_of
from attending.server.reports.export import Exporter
from attending.server.reports.workshop import DRAFT
from attending.server.services.usage import _order as order_of
from attending.server.usage import comparison
from attending.server.usage import desk as usage_desk
from attending.server.usage.calls import Call
from attending.server.usage.comparison import Difference, UsageRecord
from attending.server.usage.desk import Order, UsageDesk
from attending.v1 import report_pb2

from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.reports.test_desk import create, got, made, opened, written
from tests.server.reports.test_export import signed_release
from tests.server.review.conftest import Ward, phi_of

SHA256 = "ab" * 32
_calls = iter(range(1_000_000))


@dataclass
class Naming:
    """A provider that names its calls, as a real one does."""

    ids: list[tuple[str, ...]] = field(default_factory=list)
    fails: str = ""
    name: str = "scripted"
    tokens: tuple[int | None, int | None] = (12, 7)

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        if self.fails:
            raise ProviderError(self.fails)
        ids = (f"chatcmpl-{len(self.ids)}", f"req_{len(self.ids)}")
        self.ids.append(ids)
        return ProviderReply("Your visit is on Tuesday.", "scripted-1", *self.tokens, "stop", None, ids)

    async def close(self) -> None:
        return None


@pytest.fixture
def provider(ward: Ward) -> Naming:
    made = Naming()
    providers = ward.gate.pipeline._models._providers
    providers["scripted"] = replace(providers["scripted"], provider=made)  # type: ignore[index]
    return made


@pytest.fixture
def desk(ward: Ward, tmp_path: Path) -> UsageDesk:
    exporter = Exporter(ward.gate.ledger, tmp_path / "exports", phi_of(ward.gate), ward.gate.clock)
    return UsageDesk(ward.gate.ledger, exporter, tmp_path / "usage", ward.gate.clock)


async def called(ward: Ward) -> str:
    outcome = await ward.gate.pipeline.infer(CALLER, infer_call(), key(f"call-{next(_calls)}"))
    return outcome.inference_id


def record(row: int, at: datetime, *ids: str, tokens: tuple[int | None, int | None] = (12, 7)) -> UsageRecord:
    return UsageRecord(row, ids, "scripted-1", at, *tokens)


async def compared(
    ward: Ward, desk: UsageDesk, given: Sequence[UsageRecord], **changes: Any
) -> tuple[Entry, list[Difference]]:
    now = ward.gate.clock.moment
    order = Order("scripted", now - timedelta(hours=12), now + timedelta(hours=12), SHA256, len(given))

    async def sent() -> AsyncIterator[Sequence[UsageRecord]]:
        for one in given:
            yield [one]

    once = changes.pop("once", None) or key(f"reconcile-{next(_calls)}")
    return await desk.reconcile(ward.auditor.principal, replace(order, **changes), sent(), once)


def found(entry: Entry) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: entry.body[name] for name in COUNTS if entry.body[name]}


async def test_calls_are_known_by_their_id_and_the_rest_went_past_the_gate(
    ward: Ward, desk: UsageDesk, provider: Naming
) -> None:
    at = ward.gate.clock.moment
    for _ in range(3):
        await called(ward)
    records = [
        record(2, at, "chatcmpl-0"),
        record(3, at, "req_1", tokens=(12, 8)),
        record(4, at, "chatcmpl-of-a-shadow-app", tokens=(900, 100)),
        record(9, at - timedelta(days=2), "before"),
    ]
    entry, differences = await compared(ward, desk, records)
    assert found(entry) == {
        "records": 4,
        "outside_period": 1,
        "matched": 2,
        "bypassed": 1,
        "differing": 1,
        "calls": 3,
        "missing": 1,
    }
    assert [(one.kind, one.row) for one in differences] == [("bypassed", 4), ("tokens", 3), ("missing", 0)]
    assert (entry.type, entry.stream, entry.actor) == (RECONCILED, STREAM, "human:audrey")
    assert (entry.body["file_sha256"], entry.body["provider"]) == (SHA256, "scripted")
    assert "shadow" not in entry.data.decode()
    figures = statistics_of([entry])["completeness"]
    assert figures["provider_records_reconciled"] == 2
    assert figures["provider_usage"]["bypassed"] == 1
    assert "provider_usage" not in statistics_of([])["completeness"]
    assert list(desk.folder.iterdir()) == []


async def test_without_ids_a_call_is_known_by_model_tokens_and_time_once(ward: Ward, desk: UsageDesk) -> None:
    at = ward.gate.clock.moment
    await called(ward)
    same = [record(1, at), record(2, at), record(3, at, tokens=(12, 8)), record(4, at + timedelta(hours=3))]
    entry, differences = await compared(ward, desk, same)
    assert found(entry) == {"records": 4, "matched_by_tokens": 1, "bypassed": 3, "calls": 1}
    assert [one.row for one in differences] == [2, 3, 4]


async def test_a_call_without_an_answer_may_explain_one_record_and_no_second(
    ward: Ward, desk: UsageDesk, provider: Naming
) -> None:
    at = ward.gate.clock.moment
    provider.fails = "PROVIDER_BAD_REPLY"
    with pytest.raises(AttendingError):
        await called(ward)
    unknown = [record(1, at, "a", tokens=(5, 5)), record(2, at, "b", tokens=(5, 5))]
    unknown = [replace(one, model="scripted-1") for one in unknown]
    entry, _ = await compared(ward, desk, [replace(one, model=infer_call().model) for one in unknown])
    assert found(entry) == {"records": 2, "unanswered": 1, "bypassed": 1}
    provider.fails = "PROVIDER_RATE_LIMITED"
    with pytest.raises(AttendingError):
        await called(ward)
    entry, _ = await compared(ward, desk, [replace(one, model=infer_call().model) for one in unknown])
    assert found(entry) == {"records": 2, "unanswered": 1, "bypassed": 1}  # nothing was counted for it


async def test_the_calls_of_another_provider_and_of_another_tenant_are_not_looked_at(
    ward: Ward, desk: UsageDesk, provider: Naming
) -> None:
    at = ward.gate.clock.moment
    await called(ward)
    entry, _ = await compared(ward, desk, [record(1, at, "chatcmpl-0")], provider="other")
    assert found(entry) == {"records": 1, "bypassed": 1}


async def test_the_same_comparison_twice_is_one_entry(ward: Ward, desk: UsageDesk, provider: Naming) -> None:
    at, once = ward.gate.clock.moment, key("one")
    await called(ward)
    first, _ = await compared(ward, desk, [record(1, at, "chatcmpl-0")], once=once)
    again, differences = await compared(ward, desk, [record(1, at, "chatcmpl-0")], once=once)
    assert (again.index, differences) == (first.index, [])
    assert len(await ward.gate.ledger.whole_stream(TENANT, STREAM)) == 1


async def test_what_is_cut_short_repeated_or_too_much_leaves_no_entry(
    ward: Ward, desk: UsageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ward.gate.clock.moment
    monkeypatch.setattr(comparison, "MOST_RECORDS", 2)
    for records, more, reason in (
        ([record(1, at, "a")], {"records": 2}, "INVALID_REQUEST"),
        ([record(1, at, "a"), record(2, at, "b", "a")], {}, "USAGE_ID_REPEATED"),
        ([record(n, at, f"r{n}") for n in (1, 2, 3)], {}, "TOO_MANY_RECORDS"),
    ):
        with pytest.raises(AttendingError) as caught:
            await compared(ward, desk, records, **more)
        assert caught.value.reason == reason
    assert await ward.gate.ledger.whole_stream(TENANT, STREAM) == []
    assert list(desk.folder.iterdir()) == []


async def test_a_tenant_has_one_at_a_time_and_what_a_crash_left_is_swept(ward: Ward, desk: UsageDesk) -> None:
    waiting = asyncio.Event()

    async def slow() -> AsyncIterator[Sequence[UsageRecord]]:
        await waiting.wait()
        yield [record(1, ward.gate.clock.moment, "a")]

    now = ward.gate.clock.moment
    order = Order("scripted", now - timedelta(hours=1), now + timedelta(hours=1), SHA256, 1)
    first = asyncio.create_task(desk.reconcile(ward.auditor.principal, order, slow(), key("slow")))
    await asyncio.sleep(0)
    while not desk._running:
        await asyncio.sleep(0)
    with pytest.raises(AttendingError) as caught:
        await compared(ward, desk, [record(1, now, "b")])
    assert caught.value.reason == "RECONCILIATION_RUNNING"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    (desk.folder / "left").mkdir()
    UsageDesk(desk.ledger, desk.exporter, desk.folder, desk.now)
    assert list(desk.folder.iterdir()) == []
    await compared(ward, desk, [record(1, now, "b")])


async def test_a_call_that_is_cut_closes_nothing_that_a_thread_works_on(
    ward: Ward, desk: UsageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, go = threading.Event(), threading.Event()
    closed_while: list[bool] = []

    class Watched(comparison.Comparison):
        busy = False

        def add_records(self, records: Iterable[UsageRecord]) -> None:
            self.busy = True
            working.set()
            assert go.wait(30)
            super().add_records(records)
            self.busy = False

        def close(self) -> None:
            closed_while.append(self.busy)
            super().close()

    monkeypatch.setattr(usage_desk, "Comparison", Watched)
    cut = asyncio.create_task(compared(ward, desk, [record(1, ward.gate.clock.moment, "a")]))
    assert await asyncio.to_thread(working.wait, 30)
    for _ in range(3):  # by whoever hung up, by the deadline, and by a server that stops
        cut.cancel()
        await asyncio.sleep(0.01)
    assert (cut.done(), closed_while) == (False, [])
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await cut
    assert closed_while == [False]
    assert list(desk.folder.iterdir()) == []
    assert await ward.gate.ledger.whole_stream(TENANT, STREAM) == []


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("apart", [timedelta(), timedelta(hours=1)])
def test_work_grows_with_the_number_of_calls_also_where_all_are_alike(
    tmp_path: Path, answered: bool, apart: timedelta
) -> None:
    def steps(number: int) -> int:
        """Of the database's machine, to pair so many records with as many calls."""
        made = comparison.Comparison(
            tmp_path / f"{number}.db", at - timedelta(days=1), at + timedelta(days=1)
        )
        moments = [at + timedelta(microseconds=one) for one in range(number)]
        made.add_records([record(row, one - apart, f"a{row}") for row, one in enumerate(moments, 1)])
        made.add_calls(
            Call(
                f"inf_{one}",
                "scripted",
                "scripted-1",
                "scripted-1",
                stamp(one),
                stamp(one),
                answered,
                (),
                12,
                7,
            )
            for one in moments
        )
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        made._db.set_progress_handler(step, 100)
        counts = made.match()
        made.close()
        paired = 0 if apart else number
        assert (counts.matched_by_tokens, counts.unanswered) == ((paired, 0) if answered else (0, paired))
        assert counts.bypassed == number - paired
        return count

    at = datetime(2026, 11, 15, tzinfo=UTC)
    assert steps(8_000) < 6 * steps(2_000)


def test_of_calls_that_are_alike_each_record_gets_one_that_fits_and_the_later_ones_are_left_for_later(
    tmp_path: Path,
) -> None:
    at = datetime(2026, 11, 15, tzinfo=UTC)
    made = comparison.Comparison(tmp_path / "c.db", at - timedelta(days=1), at + timedelta(days=1))
    minute = timedelta(minutes=1)
    # (begun, ended) in minutes: one that is over, one that runs long, one that is short, one to come.
    for number, (begun, ended) in enumerate([(-20, -10), (-9, 9), (-1, 0), (30, 31)]):
        model, asked = ("scripted-1", "x") if number != 1 else ("y", "scripted-1")
        times = (stamp(at + begun * minute), stamp(at + ended * minute))
        made.add_calls([Call(f"inf_{number}", "p", asked, model, *times, True, (), 12, 7)])
    made.add_records(
        [
            record(1, at + 10 * minute, "a"),
            record(2, at, "b"),
            record(3, at + 28 * minute, "c"),
            record(4, at, "d", tokens=(None, 7)),
            record(5, at - 25 * minute, "e"),
        ]
    )
    counts = made.match()
    assert (counts.matched_by_tokens, counts.bypassed) == (3, 2)
    assert [one.row for one in made.differences() if one.kind == "bypassed"] == [4, 5]
    assert [one.inference for one in made.differences() if one.kind == "missing"] == ["inf_0"]
    made.close()


def test_a_comparison_that_is_stopped_ends(tmp_path: Path) -> None:
    at = datetime(2026, 11, 15, tzinfo=UTC)
    made = comparison.Comparison(tmp_path / "c.db", at - timedelta(days=1), at + timedelta(days=1))
    made.add_records([record(1, at, "a")])
    made.stop()
    with pytest.raises(sqlite3.Error):
        made.match()
    made.close()


def test_a_time_to_come_is_in_no_file() -> None:
    now = datetime(2026, 11, 15, tzinfo=UTC)
    opening = report_pb2.ReconcileUsageRequest.Open(
        idempotency_key="k", provider="p", file_sha256=bytes(32), records=1
    )
    getattr(opening, "from").FromDatetime(now - timedelta(days=14))
    for ahead, refused in (
        (timedelta(0), False),
        (timedelta(seconds=120), False),
        (timedelta(days=16), True),
    ):
        opening.to.FromDatetime(now + ahead)
        if not refused:
            assert order_of(opening, now).until == now + ahead
            continue
        with pytest.raises(InvalidRequest) as caught:
            order_of(opening, now)
        assert caught.value.field_violations == [("open.to", "must not be to come")]


async def test_a_disk_without_room_is_a_reason_and_no_entry(
    ward: Ward, desk: UsageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = "PRAGMA page_size = 512; PRAGMA max_page_count = 12;" + comparison._TABLES
    monkeypatch.setattr(comparison, "_TABLES", small)
    at = ward.gate.clock.moment
    with pytest.raises(AttendingError) as caught:
        await compared(ward, desk, [record(n, at, f"id-{n}-{'x' * 90}") for n in range(1, 200)])
    assert caught.value.reason == "USAGE_NOT_COMPARED"
    assert await ward.gate.ledger.whole_stream(TENANT, STREAM) == []


async def test_a_released_text_names_its_call_and_a_planted_one_looks_alike(
    ward: Ward, provider: Naming
) -> None:
    outcome = await signed_release(ward)
    stream = await ward.gate.ledger.stream_entries(TENANT, outcome.inference_id)
    [generated] = [one for one in stream if one.type == "inference.generated"]
    assert list(generated.body["provider_ids"]) == ["chatcmpl-0", "req_0"]
    made = provider_ids_like({"provider_ids": ["chatcmpl-Ab3", "915a6a04-3f83", "req_9"]})["provider_ids"]
    assert made[0].startswith("chatcmpl-")
    assert len(made[1]) == len("915a6a04-3f83")
    assert set(made[1]) <= set("0123456789abcdef-")
    assert made[2].startswith("req_")


async def test_a_report_names_the_newest_comparison_that_covers_its_period(
    ward: Ward, desk: UsageDesk, provider: Naming, tmp_path: Path
) -> None:
    at = ward.gate.clock.moment
    await called(ward)
    covering, _ = await compared(ward, desk, [record(1, at, "chatcmpl-0"), record(2, at, "shadow")])
    later, _ = await compared(ward, desk, [record(1, at, "chatcmpl-0")], since=at + timedelta(hours=1))
    reports = opened(ward, tmp_path)
    report_id = await create(ward, reports)
    await compared(ward, desk, [record(1, at, "chatcmpl-0")])  # behind the report's head
    await made(reports, report_id)
    text = " ".join(written(tmp_path, await got(reports, ward.auditor, report_id, DRAFT)).split())
    assert "1 calls counted by scripted are not in the log" in text
    requested = (await ward.gate.ledger.stream_entries(TENANT, report_stream(report_id)))[0]
    [one] = await compared_of(ward.gate.ledger, TENANT, requested)
    assert (one.entry, one.covers) == (covering.index, True)
    assert later.index > covering.index
    await reports.drain()


async def test_a_file_that_is_given_again_with_less_in_it_takes_nothing_back(
    ward: Ward, desk: UsageDesk, provider: Naming, tmp_path: Path
) -> None:
    at = ward.gate.clock.moment
    await called(ward)
    bad, _ = await compared(ward, desk, [record(1, at, "chatcmpl-0"), record(2, at, "shadow")])
    good, _ = await compared(ward, desk, [record(1, at, "chatcmpl-0")])
    reports = opened(ward, tmp_path)
    report_id = await create(ward, reports)
    requested = (await ward.gate.ledger.stream_entries(TENANT, report_stream(report_id)))[0]
    [one] = await compared_of(ward.gate.ledger, TENANT, requested)
    assert (one.entry, one.worse_entry, one.worse_bypassed) == (good.index, bad.index, 1)
    await made(reports, report_id)
    text = " ".join(written(tmp_path, await got(reports, ward.auditor, report_id, DRAFT)).split())
    assert f"An earlier comparison with scripted, entry {bad.index}, counted 1." in text
    assert "in these no call is past it" not in text
    await reports.drain()
