"""Refused attempts: each told singly at first, then counted; none missing from the sum, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.errors import translate
from attending.ledger.entry import Entry, PendingEntry, parse_entry
from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import SYSTEM_LOG
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.server.auth.attempts import COUNT_SECONDS, QUIET_SECONDS, SINGLY, Attempts
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal
from attending.server.services.ledger import build as ledger_service
from attending.v1 import ledger_pb2, ledger_pb2_grpc
from hypothesis import given, settings
from hypothesis import strategies as st

WHO = Principal("someone", "demo", "human", frozenset({"auditor"}), "Someone", "mtls")
NO = AccessDecision(False, "sign", ("some-forbid",))


class Log:
    """A port that appends to memory, fails when told to, and a clock beside it."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, PendingEntry]] = []
        self.away = False
        self.seconds = 1_000.0

    async def append(self, log_id: str, entries: Sequence[PendingEntry]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("disk full")
        self.entries += [(log_id, entry) for entry in entries]

    def attempts(self) -> Attempts:
        return Attempts(self.append, "srv-test", lambda: self.seconds)

    def told(self) -> int:
        return sum(entry.body.get("count", 1) for _log, entry in self.entries)


async def test_a_flood_is_a_few_entries_and_then_one_a_minute() -> None:
    log = Log()
    attempts = log.attempts()
    for minute in range(4):
        for _ in range(1_000):
            await attempts.denied(WHO, NO)
        log.seconds += COUNT_SECONDS
        await attempts.write()
        assert log.told() == 1_000 * (minute + 1)
    bodies = [entry.body for _log, entry in log.entries]
    assert len(bodies) == SINGLY + 4
    assert [body.get("further") for body in bodies[:SINGLY]] == [None] * (SINGLY - 1) + ["counted"]
    assert [body.get("count") for body in bodies[SINGLY:]] == [1_000 - SINGLY, 1_000, 1_000, 1_000]
    assert {(body["action"], body["principal"], *body["policy_ids"]) for body in bodies} == {
        ("sign", "someone", "some-forbid")
    }
    assert {(log_id, entry.actor) for log_id, entry in log.entries} == {("demo", "human:someone")}


async def test_kinds_are_counted_apart() -> None:
    log = Log()
    attempts = log.attempts()
    for action in ("sign", "export", "infer"):
        for _ in range(SINGLY + 2):
            await attempts.denied(WHO, AccessDecision(False, action))
    await attempts.stop()
    counted = [entry.body for _log, entry in log.entries if "count" in entry.body]
    assert [(body["action"], body["count"]) for body in counted] == [("sign", 2), ("export", 2), ("infer", 2)]


async def test_after_a_quiet_time_denials_are_told_singly_again() -> None:
    log = Log()
    attempts = log.attempts()
    for _ in range(SINGLY + 1):
        await attempts.denied(WHO, NO)
    log.seconds += COUNT_SECONDS
    await attempts.write()
    log.seconds += QUIET_SECONDS - COUNT_SECONDS - 1
    await attempts.write()
    await attempts.denied(WHO, NO)
    assert len(log.entries) == SINGLY + 1  # not quiet for long enough: counted
    await attempts.stop()
    log.seconds += QUIET_SECONDS
    await attempts.write()
    await attempts.denied(WHO, NO)
    assert "count" not in log.entries[-1][1].body
    assert log.told() == SINGLY + 3


async def test_what_the_store_did_not_take_is_told_when_it_is_back() -> None:
    log = Log()
    attempts = log.attempts()
    log.away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await attempts.denied(WHO, NO)
    log.seconds += COUNT_SECONDS
    await attempts.write()
    assert log.entries == []
    log.away = False
    await attempts.write()
    assert log.entries == []  # not at once: a store that struggles is not hammered
    log.seconds += COUNT_SECONDS
    await attempts.write()
    assert log.told() == 3


async def test_a_wrong_credential_is_told_at_once_and_then_a_minute() -> None:
    log = Log()
    attempts = log.attempts()
    attempts.start()
    attempts.refused("grpc", "INVALID_CREDENTIAL")
    for _ in range(100):
        await asyncio.sleep(0)
    assert log.told() == 1
    for _ in range(500):
        attempts.refused("grpc", "INVALID_CREDENTIAL")
    attempts.refused("http", "MISSING_CREDENTIAL")
    await attempts.stop()
    found = [(log_id, entry.actor, entry.body) for log_id, entry in log.entries]
    assert {(log_id, actor) for log_id, actor, _body in found} == {(SYSTEM_LOG, "system:srv-test")}
    # The other kind does not wait for the minute of the first.
    assert [(body["transport"], body["reason"], body["count"]) for _log, _actor, body in found] == [
        ("grpc", "INVALID_CREDENTIAL", 1),
        ("http", "MISSING_CREDENTIAL", 1),
        ("grpc", "INVALID_CREDENTIAL", 500),
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["denied", "refused", "write", "away", "back"]),
            st.floats(min_value=0, max_value=2 * QUIET_SECONDS),
        ),
        max_size=60,
    )
)
def test_whatever_comes_between_the_sum_is_whole(steps: list[Any]) -> None:
    async def walk() -> None:
        log = Log()
        attempts = log.attempts()
        asked = 0
        for step in steps:
            if isinstance(step, float):
                log.seconds += step
            elif step == "write":
                await attempts.write()
            elif step in ("away", "back"):
                log.away = step == "away"
            else:
                asked += 1
                if step == "refused":
                    attempts.refused("grpc", "INVALID_CREDENTIAL")
                else:
                    try:
                        await attempts.denied(WHO, NO)
                    except StoreUnavailable:
                        assert log.away
        log.away = False
        await attempts.stop()
        assert log.told() == asked

    asyncio.run(walk())


def stored(folder: Path, log_id: str) -> list[Entry]:
    """Every entry of a log whose server has stopped."""
    store = ReadOnlySqlite(folder / "ledger.db")
    try:
        return [parse_entry(data) for data in store.entries(log_id, 0, 1_000)]
    finally:
        store.close()


def test_a_flood_on_a_running_server_survives_its_stop(start_server: Any) -> None:
    server = start_server(components=[ledger_service])
    stub = ledger_pb2_grpc.LedgerServiceStub(server.channel("dr-rivera"))
    nobody = ledger_pb2_grpc.LedgerServiceStub(server.token_channel())
    reasons = set()
    for _ in range(60):
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListEntries(ledger_pb2.ListEntriesRequest(), timeout=30)
        reasons.add(translate(caught.value).reason)
        with pytest.raises(grpc.RpcError) as caught:
            nobody.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=30)
        reasons.add(translate(caught.value).reason)
    # From one address so many that the last ones were not looked at.
    assert reasons == {"PERMISSION_DENIED", "MISSING_CREDENTIAL", "REFUSED_CREDENTIALS"}
    folder = server.app.ledger._config.folder
    server.stop()
    expectations = {"demo": {"listEntries"}, SYSTEM_LOG: {"MISSING_CREDENTIAL", "REFUSED_CREDENTIALS"}}
    for log_id, expected in expectations.items():
        found = [entry for entry in stored(folder, log_id) if entry.type == "access.denied"]
        assert sum(entry.body.get("count", 1) for entry in found) == 60
        assert {entry.body.get("action") or entry.body["reason"] for entry in found} == expected
        assert len(found) <= SINGLY + 4
