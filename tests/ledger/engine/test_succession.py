"""A log is sealed and its successor begins: in one step for whoever looks, also when a crash cuts it in two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import checkpoint
from attending.ledger.custody.reads import Order
from attending.ledger.custody.retention import Rule, Rules
from attending.ledger.custody.state import ErasureReason, HoldGround
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import Halted, LogFrozen, NotFound, StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.ledger.note import VerifierKey
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Store

LOG, NEXT = "clinic", "clinic-2027"
ORIGIN = "attending.test/clinic-2027"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]


async def test_a_sealed_log_takes_nothing_and_its_successor_goes_on(ledger: Ledger, pending: Make) -> None:
    for _ in range(3):
        await ledger.append(LOG, [pending()])
    succession = await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op")
    assert (succession.size, succession.root) == await ledger.head(LOG)
    with pytest.raises(LogFrozen) as caught:
        await ledger.append(LOG, [pending()])
    assert caught.value.reason == "LOG_SEALED"
    last = await ledger.get_entry(LOG, 3)
    assert last.type == "log.sealed"
    assert last.body == {"successor": ORIGIN, "successor_key": ledger.verifier_key(NEXT)}
    first = await ledger.get_entry(NEXT, 0)
    assert first.body == {
        "predecessor": ledger.origin(LOG),
        "predecessor_key": ledger.verifier_key(LOG),
        "size": 4,
        "root": succession.root.hex(),
    }
    head = checkpoint.verify(await ledger.checkpoint(LOG), [VerifierKey.parse(first.body["predecessor_key"])])
    assert (head.size, head.root.hex()) == (first.body["size"], first.body["root"])
    assert (await ledger.append(NEXT, [pending()])).first_index == 1
    # Said again it is the same answer, and nothing more is written.
    assert await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op") == succession
    assert (await ledger.head(NEXT))[0] == 2
    with pytest.raises(LogFrozen):
        await ledger.seal_log(LOG, "clinic-3", "attending.test/clinic-3", actor="human:op")
    with pytest.raises(LogFrozen):
        await ledger.stop_log(LOG, "OPERATOR")
    with pytest.raises(LogFrozen):
        await ledger.resume_log(LOG)
    assert ledger.halted(LOG) == "LOG_SEALED"


async def test_a_seal_outlives_the_process(
    make_store: Callable[[], Store], open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    (tmp_path / "ledger").mkdir()
    ledger = await open_ledger(make_store())
    await ledger.append(LOG, [pending()])
    await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op")
    await ledger.close()
    ledger = await open_ledger(make_store())
    with pytest.raises(LogFrozen):
        await ledger.append(LOG, [pending()])
    assert (await ledger.append(NEXT, [pending()])).first_index == 1


async def test_a_halt_outlives_the_process_and_ends(
    make_store: Callable[[], Store], open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    (tmp_path / "ledger").mkdir()
    ledger = await open_ledger(make_store())
    await ledger.stop_log(LOG, "OPERATOR")
    await ledger.stop_log(LOG, "SAFETY")
    await ledger.close()
    ledger = await open_ledger(make_store())
    assert ledger.halted(LOG) == "SAFETY"
    with pytest.raises(Halted):
        await ledger.append(LOG, [pending()])
    await ledger.resume_log(LOG)
    await ledger.append(LOG, [pending()])


async def test_a_person_can_be_erased_from_a_sealed_log(ledger: Ledger, pending: Make) -> None:
    subject = await ledger.pseudonym(LOG, "MRN 1")
    await ledger.append(LOG, [pending("s", b"text", subject=subject)])
    succession = await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op")
    erased = await ledger.erase_subject(LOG, subject)
    assert erased is not None
    assert erased.entries[0].index == succession.size
    # The head that the successor names stays a prefix of the sealed log.
    size, _root = await ledger.head(LOG)
    assert await ledger.consistency_proof(LOG, succession.size, size)


@pytest.mark.parametrize("commits", [1, 2])
async def test_a_crash_between_the_steps_is_taken_up(
    open_ledger: OpenLedger, pending: Make, commits: int
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.append(LOG, [pending()])
    left = commits

    def dies(step: str) -> Fault:
        nonlocal left
        if step == "commit":
            left -= 1
        return Fault.LOST if left < 0 else Fault.NONE

    store.fault = dies
    # The successor's pseudonymous tenant key needs no commit; its creation is the first.
    with pytest.raises(StoreUnavailable):
        await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op")
    store.fault = lambda _: Fault.NONE
    with pytest.raises(LogFrozen) as caught:
        await ledger.append(NEXT, [pending()])
    assert caught.value.reason == "LOG_AWAITS_PREDECESSOR"
    await ledger.close()
    ledger = await open_ledger(store)
    if commits == 1:  # not sealed yet: the log goes on, and sealing takes the successor up
        await ledger.append(LOG, [pending()])
        await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op")
    assert (await ledger.get_entry(NEXT, 0)).body["size"] == (await ledger.head(LOG))[0]
    await ledger.append(NEXT, [pending()])


async def test_appends_while_sealing_are_before_the_seal_or_refused(ledger: Ledger, pending: Make) -> None:
    results = await asyncio.gather(
        *(ledger.append(LOG, [pending()]) for _ in range(20)),
        ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op"),
        *(ledger.append(LOG, [pending()]) for _ in range(20)),
        return_exceptions=True,
    )
    size, _root = await ledger.head(LOG)
    assert (await ledger.get_entry(LOG, size - 1)).type == "log.sealed"
    stored = sum(not isinstance(result, Exception) for result in results) - 1
    assert size == stored + 1


async def test_what_cannot_succeed(ledger: Ledger, pending: Make) -> None:
    await ledger.create_log("taken", "attending.test/taken")
    await ledger.append("taken", [pending()])
    for arguments in (
        (LOG, LOG, ledger.origin(LOG)),
        (LOG, "taken", "attending.test/taken"),
        (LOG, "x", ledger.origin(LOG)),
    ):
        with pytest.raises(ValueError, match="log"):
            await ledger.seal_log(*arguments, actor="human:op")
    with pytest.raises(NotFound):
        await ledger.seal_log("nowhere", NEXT, ORIGIN, actor="human:op")
    await ledger.append(LOG, [pending()])


async def test_custody_goes_on_in_a_sealed_log(ledger: Ledger, pending: Make, clock: Any) -> None:
    one, two = [await ledger.pseudonym(LOG, f"MRN {number}") for number in range(2)]
    await ledger.append(LOG, [pending(None, b"x", subject=name) for name in (one, two, None)])
    await ledger.seal_log(LOG, NEXT, ORIGIN, actor="human:op")
    order = Order("human:officer")
    await ledger.custody.link(LOG, one, two, order)
    placed = await ledger.custody.hold(LOG, one, HoldGround.LITIGATION, order)
    clock.now += timedelta(days=400)
    pruned = await ledger.retention.prune(LOG, Rules((Rule("inference.*", 365),)), order)
    assert (pruned.records, pruned.held) == ({"prompt": 1}, 2)
    await ledger.custody.lift(LOG, two, placed.entries[0].body["hold"], order)
    await ledger.custody.unlink(LOG, one, two, order)
    assert await ledger.custody.erase(LOG, one, ErasureReason.GDPR_17, order) is not None
    assert (await ledger.custody.show(LOG, two)).payloads == {two: {"prompt": 1}}
