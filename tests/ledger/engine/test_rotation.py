"""Rotation of every key of a log: while it is read, written and erased, cut short at any step, by several processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import files
from attending.ledger import keys as key_module
from attending.ledger.claim_keys import Rereader, claim_keys, term_of
from attending.ledger.custody.reads import Order
from attending.ledger.entry import Payload, PendingEntry, format_time
from attending.ledger.errors import (
    ClaimStale,
    CorruptLog,
    DuplicateClaim,
    KeyGenerations,
    KeyStoreRefused,
    KeyStoreUnavailable,
    NotFound,
    SubjectErased,
)
from attending.ledger.files import write_durably
from attending.ledger.key_files import MAX_GENERATIONS, Generation
from attending.ledger.keys import MAX_SUBJECT_GENERATIONS, TENANT_SUBJECT, KeyFolder
from attending.ledger.ledger import Ledger
from attending.ledger.opening import LedgerConfig
from attending.ledger.rotation import Rotated, Rotator, plan_rotation
from attending.ledger.submission import Claim

from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster

LOG = "clinic"
WHO = Order("human:operator")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 27, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def place(folder: Path) -> LedgerConfig:
    return LedgerConfig(folder, publish_interval_seconds=3600)


@pytest.fixture
async def ledger(tmp_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    async with await Ledger.open(place(tmp_path), clock=clock) as opened:
        await opened.create_log(LOG, "clinic.example/log")
        yield opened


async def note(ledger: Ledger, person: str | None, text: bytes = b"text") -> str:
    """Appends a text about a person, or about nobody; its vault record."""
    subject = None if person is None else await ledger.pseudonym(LOG, person)
    entry = PendingEntry("feedback.recorded", "f", "app:a", subject, {}, (Payload("note", text),))
    return (await ledger.append(LOG, [entry])).commitments[0][0].record


def names(folder: Path) -> set[str]:
    found = {path.name for path in (folder / "keys" / LOG).iterdir() if path.is_file()}
    return {name for name in found if ".lock" not in name}


async def rotations(ledger: Ledger) -> list[dict[str, Any]]:
    return [dict(entry.body) for entry in await ledger.stream_entries(LOG, "keys")]


async def test_the_key_encryption_key_is_rotated_and_the_old_one_is_gone(
    ledger: Ledger, tmp_path: Path
) -> None:
    records = {person: await note(ledger, person, person.encode()) for person in ("mrn:1", "mrn:2", "mrn:3")}
    records["nobody"] = await note(ledger, None, b"nobody")
    old = (tmp_path / "keys" / LOG / "kek").read_bytes()
    before = {path: path.read_bytes() for path in (tmp_path / "keys" / LOG / "subjects").rglob("*/*")}
    done = await ledger.rotation.rotate(LOG, "kek", WHO)
    assert (done.kind, done.generation, len(done.indexes)) == ("kek", 2, 2)
    assert names(tmp_path) == {"kek.2", "lookup", "fingerprint", "signing.pem"}
    after = {path: path.read_bytes() for path in (tmp_path / "keys" / LOG / "subjects").rglob("*/*")}
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in before)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and old in path.read_bytes()]
    for person, record in records.items():
        assert await ledger.open_payload(LOG, record) == person.encode()
    fresh = KeyFolder(tmp_path / "keys")
    assert all(fresh.get(LOG, path.name) for path in before)
    assert await rotations(ledger) == [
        {"kind": "kek", "generation": 2, "stage": "begun"},
        {"kind": "kek", "generation": 2, "stage": "completed", "subjects": 4},
    ]
    assert (await ledger.rotation.rotate(LOG, "kek", WHO)).generation == 3


async def test_reads_writes_and_erasures_go_on_while_it_is_rotated(ledger: Ledger, tmp_path: Path) -> None:
    records = [await note(ledger, f"mrn:{n}", b"%d" % n) for n in range(40)]
    doomed = [await ledger.pseudonym(LOG, f"mrn:{n}") for n in range(30, 40)]

    async def erase() -> None:
        for pseudonym in doomed:
            await ledger.erase_subject(LOG, pseudonym)

    async def read() -> None:
        for n in range(30):
            other = KeyFolder(tmp_path / "keys")  # as another process: nothing is cached
            subject = await ledger.pseudonym(LOG, f"mrn:{n}")
            assert await asyncio.to_thread(other.get, LOG, subject) == ledger._keys.get(LOG, subject)
            assert await ledger.open_payload(LOG, records[n]) == b"%d" % n

    async def write() -> list[str]:
        return [await note(ledger, f"new:{n}", b"new %d" % n) for n in range(20)]

    _, _, new, *_ = await asyncio.gather(
        erase(), read(), write(), ledger.rotation.rotate(LOG, "kek", WHO), read()
    )
    for n, record in enumerate(new):
        assert await ledger.open_payload(LOG, record) == b"new %d" % n
    fresh = KeyFolder(tmp_path / "keys")
    for pseudonym in doomed:
        with pytest.raises(SubjectErased):
            fresh.get(LOG, pseudonym)
        assert not list((tmp_path / "keys").rglob(f"*{pseudonym}*"))
    for n in range(20):
        assert fresh.get(LOG, await ledger.pseudonym(LOG, f"new:{n}"))


async def test_a_subject_erased_while_its_key_is_rewrapped_stays_erased(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading its key and giving the new file its name: the erasure waits, and then has the last word."""
    await note(ledger, "mrn:1")
    subject = await ledger.pseudonym(LOG, "mrn:1")
    keys, other = KeyFolder(tmp_path / "keys"), KeyFolder(tmp_path / "keys")
    keys.begin(LOG, "kek", 2, "2026-11-27T00:00:00.000000Z")
    erased: list[threading.Thread] = []
    real = files.replace_and_shred

    def slow(path: Path, data: bytes) -> None:
        erased.append(threading.Thread(target=other.destroy, args=(LOG, subject)))
        erased[0].start()
        erased[0].join(0.2)
        assert erased[0].is_alive()
        real(path, data)

    monkeypatch.setattr(key_module, "replace_and_shred", slow)
    assert keys.rewrap(LOG, subject) is True
    erased[0].join(10)
    assert not list((tmp_path / "keys").rglob(f"*{subject}*"))


async def test_a_key_that_does_not_unwrap_keeps_the_old_one(ledger: Ledger, tmp_path: Path) -> None:
    await note(ledger, "mrn:1")
    subject = await ledger.pseudonym(LOG, "mrn:1")
    path = next((tmp_path / "keys").rglob(subject))
    kept = path.read_bytes()
    path.write_bytes(bytes(len(kept)))
    with pytest.raises(CorruptLog):
        await ledger.rotation.rotate(LOG, "kek", WHO)
    assert {"kek", "kek.2"} <= names(tmp_path)
    path.write_bytes(kept)
    assert (await ledger.rotation.rotate(LOG, "kek", WHO)).generation == 2
    assert "kek" not in names(tmp_path)
    assert [body["stage"] for body in await rotations(ledger)] == ["begun", "resumed", "completed"]


async def test_a_rotation_that_is_done_is_not_done_again_by_the_same_call(
    ledger: Ledger, tmp_path: Path
) -> None:
    await note(ledger, "mrn:1")
    done = await ledger.rotation.rotate(LOG, "kek", WHO)
    # Whoever walked over the subjects again would find this one.
    next((tmp_path / "keys").rglob("sub_*")).write_bytes(bytes(60))
    again = await ledger.rotation.carry_out(LOG, "kek", done.generation, str(done.since), "human:operator")
    assert (again.generation, again.indexes, again.since) == (2, (), done.since)


async def test_whoever_comes_last_says_nothing_of_a_rotation_that_began_meanwhile(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two finish the same one; before the slower is through, the next has begun, and is killed."""
    await note(ledger, "mrn:1")
    real, first = Rotator._pass, [True]

    async def slow(self: Rotator, log_id: str) -> int:
        if first[0]:
            first[0] = False
            await ledger.rotation.carry_out(LOG, "kek", 2, format_time(datetime.now(UTC)), "human:other")
            plan, _index = await ledger.rotation.record(LOG, "kek", WHO, timedelta())
            assert plan.generation == 3
        return await real(self, log_id)

    monkeypatch.setattr(Rotator, "_pass", slow)
    await ledger.rotation.rotate(LOG, "kek", WHO)
    said = [(body["generation"], body["stage"]) for body in await rotations(ledger)]
    assert said == [(2, "begun"), (2, "completed"), (3, "begun")]
    assert await ledger.rotation.resume(LOG) is True
    assert [item.number for item in ledger._keys.open_log(LOG).keks] == [3]


async def test_lookup_has_a_second_generation_and_everybody_is_found(ledger: Ledger, tmp_path: Path) -> None:
    one = await ledger.pseudonym(LOG, "mrn:1")
    assert (await ledger.rotation.rotate(LOG, "lookup", WHO)).generation == 2
    assert await ledger.pseudonym(LOG, "MRN:1") == one
    assert await ledger.find_pseudonym(LOG, "mrn:1") == one
    two = await ledger.pseudonym(LOG, "mrn:2")
    assert {"lookup", "lookup.2"} <= names(tmp_path)
    await ledger.rotation.rotate(LOG, "lookup", WHO)
    assert [await ledger.pseudonym(LOG, f"mrn:{n}") for n in (1, 2)] == [one, two]
    await ledger.erase_subject(LOG, one)
    assert await ledger.find_pseudonym(LOG, "mrn:1") is None
    assert await ledger.pseudonym(LOG, "mrn:1") != one
    for _ in range(3, MAX_GENERATIONS):
        await ledger.rotation.rotate(LOG, "lookup", WHO)
    with pytest.raises(KeyGenerations):
        await ledger.rotation.rotate(LOG, "lookup", WHO)


async def test_nobody_gets_two_names_while_lookup_is_rotated(ledger: Ledger) -> None:
    people = [f"mrn:{n % 20}" for n in range(100)]

    async def rotate() -> None:
        for _ in range(4):
            await ledger.rotation.rotate(LOG, "lookup", WHO)

    *found, _ = await asyncio.gather(*(ledger.pseudonym(LOG, person) for person in people), rotate())
    assert len(set(found)) == 20
    assert [await ledger.pseudonym(LOG, person) for person in people] == found


async def test_reads_and_namings_go_on_while_many_rotations_wait(ledger: Ledger) -> None:
    """Somebody is being named, in another process perhaps; whoever rotates waits for them, and nobody for those."""
    record = await note(ledger, "mrn:1", b"text")
    held = ledger._keys.share(LOG, "lookup")
    rotations = [asyncio.create_task(ledger.rotation.rotate(LOG, "lookup", WHO)) for _ in range(6)]
    try:
        async with asyncio.timeout(30):
            for _ in range(100):
                assert await ledger.open_payload(LOG, record) == b"text"
                assert len(await ledger.list_entries(LOG)) >= 1
        assert not any(task.done() for task in rotations)
    finally:
        os.close(held)
    async with asyncio.timeout(30):
        # One that is put on record after another has been done begins the next.
        found = {done.generation for done in await asyncio.gather(*rotations)}
    assert found == set(range(2, 2 + len(found)))
    assert await ledger.find_pseudonym(LOG, "mrn:1") is not None


async def test_callers_that_go_away_while_they_wait_leave_threads_for_others(ledger: Ledger) -> None:
    held = ledger._keys.share(LOG, "lookup")
    try:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ledger.rotation.rotate(LOG, "lookup", WHO)
        async with asyncio.timeout(30):
            assert await ledger._run_aside(len, "abc") == 3
    finally:
        os.close(held)
    async with asyncio.timeout(30):
        assert (await ledger.rotation.rotate(LOG, "lookup", WHO)).generation >= 2


async def test_a_subject_key_is_rotated_and_erasure_destroys_all_of_them(
    ledger: Ledger, tmp_path: Path
) -> None:
    first = await note(ledger, "mrn:1", b"first")
    subject = await ledger.pseudonym(LOG, "mrn:1")
    assert (await ledger.rotation.rotate_subject(LOG, subject, WHO)).generation == 2
    second = await note(ledger, "mrn:1", b"second")
    keys = KeyFolder(tmp_path / "keys").generations(LOG, subject)
    assert len(set(keys)) == 2
    assert await ledger.open_payload(LOG, first) == b"first"
    assert await ledger.open_payload(LOG, second) == b"second"
    await ledger.rotation.rotate(LOG, "kek", WHO)
    assert KeyFolder(tmp_path / "keys").generations(LOG, subject) == keys
    assert await ledger.open_payload(LOG, first) == b"first"
    entry = (await ledger.stream_entries(LOG, "keys"))[0]
    assert (entry.subject, entry.body["generation"]) == (subject, 2)
    await ledger.erase_subject(LOG, subject)
    for record in (first, second):
        with pytest.raises(SubjectErased):
            await ledger.open_payload(LOG, record)
    with pytest.raises(SubjectErased):
        await ledger.rotation.rotate_subject(LOG, subject, WHO)
    with pytest.raises(NotFound):
        await ledger.rotation.rotate_subject(LOG, "sub_" + "a" * 26, WHO)
    assert not list((tmp_path / "keys").rglob(f"*{subject}*"))


async def test_a_subject_key_is_on_record_before_it_is_there_and_the_next_start_makes_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    await note(ledger, "mrn:1")
    await note(ledger, "mrn:2")
    one, two = [await ledger.pseudonym(LOG, f"mrn:{n}") for n in (1, 2)]
    for subject in (one, two, TENANT_SUBJECT):
        assert (await ledger.rotation.record_subject(LOG, subject, WHO))[0] == 2
    await ledger.erase_subject(LOG, two)
    keys = KeyFolder(tmp_path / "keys")
    assert [len(keys.generations(LOG, subject)) for subject in (one, TENANT_SUBJECT)] == [1, 1]
    assert await ledger.rotation.resume(LOG) is True
    assert await ledger.rotation.resume(LOG) is False
    keys = KeyFolder(tmp_path / "keys")
    assert [len(keys.generations(LOG, subject)) for subject in (one, TENANT_SUBJECT)] == [2, 2]
    assert not list((tmp_path / "keys").rglob(f"*{two}*"))
    # The call that was cut short, again; and one that asks for another.
    assert await ledger.rotation.carry_out_subject(LOG, one, 2) is False
    assert (await ledger.rotation.rotate_subject(LOG, one, WHO)).generation == 3
    assert [body["generation"] for body in await rotations(ledger)] == [2, 2, 2, 3]


async def test_what_another_process_sealed_under_a_newer_key_opens(ledger: Ledger, tmp_path: Path) -> None:
    await note(ledger, "mrn:1")
    subject = await ledger.pseudonym(LOG, "mrn:1")
    old = ledger._keys.get(LOG, subject)
    KeyFolder(tmp_path / "keys").add_generations(LOG, subject, 2)
    assert ledger._keys.get(LOG, subject) == old  # not known here yet
    newer = KeyFolder(tmp_path / "keys").get(LOG, subject)
    ledger._keys._cache[LOG, subject] = (newer,)
    record = await note(ledger, "mrn:1", b"by another")
    ledger._keys._cache[LOG, subject] = (old,)
    assert await ledger.open_payload(LOG, record) == b"by another"


async def test_a_subject_has_so_many_keys_and_no_more(ledger: Ledger) -> None:
    for _ in range(MAX_SUBJECT_GENERATIONS - 1):
        await ledger.rotation.rotate_subject(LOG, TENANT_SUBJECT, WHO)
    with pytest.raises(KeyGenerations):
        await ledger.rotation.rotate_subject(LOG, TENANT_SUBJECT, WHO)


async def claim(ledger: Ledger, body: bytes = b"body", key: bytes = b"key") -> Claim:
    keys = await ledger.claim_keys(LOG)
    return Claim(
        keys.digest(key).hex(),
        keys.digest(body),
        "s",
        tuple(
            (name.hex(), print_)
            for name, print_ in zip(keys.earlier_digests(key), keys.earlier_digests(body), strict=True)
        ),
        keys.generation,
    )


async def test_fingerprint_comes_into_force_later_and_a_key_is_claimed_once(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    entry = PendingEntry("feedback.recorded", "f", "app:a", None, {})
    before = await claim(ledger)
    await ledger.append(LOG, [entry], claim=await claim(ledger, key=b"first"))
    done = await ledger.rotation.rotate(LOG, "fingerprint", WHO, delay=timedelta(minutes=10))
    assert done.generation == 2
    during = await claim(ledger)
    assert during.key == before.key
    assert during.generation == 1
    # Asked for again before it is in force: the same generation, not another.
    again = await ledger.rotation.rotate(LOG, "fingerprint", WHO, delay=timedelta(minutes=10))
    assert again.generation == 2
    clock.now += timedelta(minutes=11)
    after = await claim(ledger)
    assert after.key != before.key
    assert [key for key, _ in after.earlier] == [before.key]
    with pytest.raises(ClaimStale):
        await ledger.append(LOG, [entry], claim=during)
    await ledger.append(LOG, [entry], claim=after)
    for late, refused in (
        (after, DuplicateClaim),
        (await claim(ledger), DuplicateClaim),
        (during, ClaimStale),
    ):
        with pytest.raises(refused):
            await ledger.append(LOG, [entry], claim=late)
    with pytest.raises(DuplicateClaim):  # claimed under the old key, asked for under the new one
        await ledger.append(LOG, [entry], claim=await claim(ledger, key=b"first"))


@pytest.mark.parametrize("by", ["the same call", "the next start", "another call"])
async def test_a_fingerprint_rotation_that_is_finished_late_comes_into_force_later_still(
    ledger: Ledger, clock: Clock, by: str
) -> None:
    """Killed between its entry and its file: a call that is under way when the file comes is not overtaken by it."""
    delay, entry = timedelta(minutes=10), PendingEntry("feedback.recorded", "f", "app:a", None, {})
    plan, _index = await ledger.rotation.record(LOG, "fingerprint", WHO, delay)
    clock.now += timedelta(hours=1)
    under_way = await claim(ledger)
    if by == "the same call":
        done = await ledger.rotation.carry_out(
            LOG, "fingerprint", plan.generation, plan.since, "human:operator", delay=delay
        )
        assert (done.generation, len(done.indexes)) == (2, 1)
    elif by == "the next start":
        assert await ledger.rotation.resume(LOG, delay=delay) is True
        assert await ledger.rotation.resume(LOG, delay=delay) is False
    else:
        assert (await ledger.rotation.rotate(LOG, "fingerprint", WHO, delay=delay)).generation == 2
    newest = ledger._keys.open_log(LOG).fingerprints[0]
    assert newest.number == 2
    assert newest.since is not None
    assert newest.since > format_time(clock.now + timedelta(minutes=9))
    said = [(body["stage"], body["since"]) for body in await rotations(ledger)]
    assert said == [("begun", plan.since), ("resumed", newest.since)]
    await ledger.append(LOG, [entry], claim=under_way)
    clock.now += timedelta(minutes=11)
    with pytest.raises(DuplicateClaim):
        await ledger.append(LOG, [entry], claim=await claim(ledger))


def test_a_key_that_is_too_late_for_its_time_is_not_added(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    keys.create_log(LOG)
    assert keys.begin(LOG, "fingerprint", 2, "2026-11-27T00:00:00.000000Z", lambda: False) is False
    assert not (tmp_path / LOG / "fingerprint.2").exists()
    assert keys.begin(LOG, "fingerprint", 2, "2026-11-27T00:00:00.000000Z") is True
    assert keys.begin(LOG, "fingerprint", 2, "2026-11-27T00:00:00.000000Z", lambda: False) is True


async def test_a_claim_waits_for_its_key_when_the_clock_goes_back(ledger: Ledger, clock: Clock) -> None:
    """Stored before the new key is in force, it would be looked for by nobody who still uses the old one."""
    entry = PendingEntry("feedback.recorded", "f", "app:a", None, {})
    await ledger.rotation.rotate(LOG, "fingerprint", WHO, delay=timedelta(minutes=10))
    clock.now += timedelta(minutes=11)
    after = await claim(ledger)
    assert after.generation == 2
    clock.now -= timedelta(minutes=5)
    with pytest.raises(ClaimStale):
        await ledger.append(LOG, [entry], claim=after)
    await ledger.append(LOG, [entry], claim=await claim(ledger))
    clock.now += timedelta(minutes=5)
    with pytest.raises(DuplicateClaim):
        await ledger.append(LOG, [entry], claim=after)


async def test_a_rotation_of_lookup_that_was_cut_short_is_finished_by_the_next_start(ledger: Ledger) -> None:
    await ledger.rotation.record(LOG, "lookup", WHO, timedelta())
    assert await ledger.rotation.resume(LOG) is True
    assert ledger._keys.open_log(LOG).lookups[0].number == 2
    assert await ledger.rotation.resume(LOG) is False


async def test_an_old_fingerprint_key_goes_when_its_claims_have(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    await ledger.rotation.rotate(LOG, "fingerprint", WHO, delay=timedelta(minutes=10))
    assert await ledger.rotation.retire_fingerprints(LOG) == 0
    clock.now += timedelta(days=6)
    assert await ledger.rotation.retire_fingerprints(LOG) == 0
    clock.now += timedelta(days=2)
    assert await ledger.rotation.retire_fingerprints(LOG) == 1
    assert "fingerprint" not in names(tmp_path)
    assert len((await ledger.claim_keys(LOG)).earlier) == 0


def test_which_key_is_in_force_at_a_time() -> None:
    first, second = Generation(1, b"1"), Generation(2, b"2", "2026-11-27T10:00:00.000000Z")
    for now, current, earlier, before in (
        ("2026-11-27T09:59:59.999999Z", b"1", (), "2026-11-27T10:00:00.000000Z"),
        ("2026-11-27T10:00:00.000000Z", b"2", (b"1",), None),
    ):
        keys = claim_keys([second, first], now)
        assert (keys.current, keys.earlier) == (current, earlier)
        assert term_of([second, first], keys.generation)[1] == before
        assert "b'" not in repr(keys)


def test_what_was_begun_goes_on_and_what_was_restored_does_not_take_a_number_again() -> None:
    now = format_time(datetime(2026, 11, 27, tzinfo=UTC))
    one, two = Generation(1, b"1"), Generation(2, b"2", now)
    assert plan_rotation("kek", [], [one], now, now).generation == 2
    assert plan_rotation("kek", [], [two, one], now, now).generation == 2
    assert plan_rotation("lookup", [], [two, one], now, now).generation == 3


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from attending.ledger.custody.reads import Order
from attending.ledger.ledger import Ledger
from attending.ledger.opening import LedgerConfig

left = [10**9]

def counted(function):
    def call(*arguments, **named):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call

os.fsync, os.write = counted(os.fsync), counted(os.write)
for name in ("rename", "replace", "unlink", "hardlink_to"):
    setattr(Path, name, counted(getattr(Path, name)))

async def main():
    async with await Ledger.open(LedgerConfig(Path(sys.argv[1]), publish_interval_seconds=3600)) as ledger:
        left[0] = int(sys.argv[2])
        await ledger.rotation.rotate("clinic", "kek", Order("human:operator"))
        left[0] = 10**9
asyncio.run(main())
"""


@pytest.mark.kill
async def test_a_rotation_killed_at_any_step_is_finished_and_the_erased_stay_erased(tmp_path: Path) -> None:
    async with await Ledger.open(place(tmp_path)) as ledger:
        await ledger.create_log(LOG, "clinic.example/log")
    for turn, step in enumerate([0, 5, 14, 28, 45, 70, 100]):
        async with await Ledger.open(place(tmp_path)) as ledger:
            kept = await note(ledger, f"kept:{turn}", b"kept")
            await note(ledger, f"gone:{turn}", b"gone")
            doomed = await ledger.pseudonym(LOG, f"gone:{turn}")
        ran = subprocess.run(
            [sys.executable, "-c", _KILLED, str(tmp_path), str(step)], check=False, timeout=120
        )
        assert ran.returncode in (-9, 0)
        async with await Ledger.open(place(tmp_path)) as ledger:
            assert await ledger.open_payload(LOG, kept) == b"kept"
            await ledger.erase_subject(LOG, doomed)
            assert not list((tmp_path / "keys").rglob(f"*{doomed}*"))
            await ledger.rotation.resume(LOG)
            assert await ledger.rotation.resume(LOG) is False
            assert len([name for name in names(tmp_path) if name.startswith("kek")]) == 1
            assert await ledger.open_payload(LOG, kept) == b"kept"
            assert not list((tmp_path / "keys").rglob(f"*{doomed}*"))
            assert not list((tmp_path / "keys" / LOG / "subjects").rglob(".*"))


class Killed(BaseException):
    """From here on nothing reaches the disk."""


class Killer:
    """Ends this process, as far as files of keys are concerned, before step `left` of those that change one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**9
        for name in ("fsync", "write"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))
        for name in ("rename", "replace", "unlink", "hardlink_to"):
            monkeypatch.setattr(Path, name, self._counted(getattr(Path, name)))

    def _counted(self, function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return function(*arguments, **named)

        return call


@pytest.mark.parametrize("kind", ["kek", "lookup", "fingerprint", "subject"])
async def test_each_kind_killed_before_each_step_is_finished_by_the_next_start(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    killer, delay = Killer(monkeypatch), timedelta(minutes=10)
    entry = PendingEntry("feedback.recorded", "f", "app:a", None, {})
    done, step = False, -1
    async with await Ledger.open(place(tmp_path), clock=clock) as ledger:
        await ledger.create_log(LOG, "clinic.example/log")
        record = await note(ledger, "mrn:1", b"kept")
        subject = await ledger.pseudonym(LOG, "mrn:1")
        await ledger.append(LOG, [entry], claim=await claim(ledger))
    while not done:
        step += 1
        async with await Ledger.open(place(tmp_path), clock=clock) as ledger:
            before = {path for path in names(tmp_path) if path.startswith(kind)}
            olds = [(tmp_path / "keys" / LOG / name).read_bytes() for name in before]
            killer.left = step
            try:
                if kind == "subject":
                    await ledger.rotation.rotate_subject(LOG, subject, WHO)
                else:
                    await ledger.rotation.rotate(LOG, kind, WHO, delay=delay)
                done = True
            except Killed:
                """Somebody pulled the plug."""
            killer.left = 10**9
        async with await Ledger.open(place(tmp_path), clock=clock) as ledger:
            clock.now += timedelta(minutes=5)
            await ledger.rotation.resume(LOG, delay=delay)
            assert await ledger.rotation.resume(LOG, delay=delay) is False
            clock.now += timedelta(minutes=11)
            assert await ledger.open_payload(LOG, record) == b"kept"
            assert await ledger.pseudonym(LOG, "mrn:1") == subject
            with pytest.raises(DuplicateClaim):
                await ledger.append(LOG, [entry], claim=await claim(ledger))
            bodies = await rotations(ledger)
            keys = ledger._keys.open_log(LOG)
            of_subject = len(ledger._keys.generations(LOG, subject))
            here = of_subject if kind == "subject" else keys.of(kind)[0].number
            assert here == bodies[-1]["generation"] == max(body["generation"] for body in bodies)
            if kind == "fingerprint":
                assert keys.fingerprints[0].since == bodies[-1]["since"]
                clock.now += timedelta(days=8)
                await ledger.rotation.retire_fingerprints(LOG)
                await ledger.expire_claims(LOG)
                await ledger.append(LOG, [entry], claim=await claim(ledger))
        if kind in ("kek", "fingerprint"):
            inside = [path for path in (tmp_path / "keys" / LOG).rglob("*") if path.is_file()]
            assert not [path for path in inside if any(old in path.read_bytes() for old in olds)]
    assert step > 4


def test_two_processes_that_both_use_the_folder_agree(tmp_path: Path) -> None:
    """One makes keys of subjects while the other rotates: each key opens in both."""
    mine, theirs = KeyFolder(tmp_path), KeyFolder(tmp_path)
    mine.create_log(LOG)
    theirs.open_log(LOG)
    made: dict[str, bytes] = {}
    stop = threading.Event()

    def make() -> None:
        number = 0
        # Paced: where files cost nothing, it would make them faster than they are looked through.
        while not stop.wait(0.002):
            number += 1
            name = (
                f"sub_{number:026d}".replace("0", "a").replace("1", "b").replace("8", "c").replace("9", "d")
            )
            made[name] = theirs.ensure(LOG, name)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        for generation in range(2, 8):
            while len(made) < 3 * generation:
                time.sleep(0.001)
            mine.begin(LOG, "kek", generation, "2026-11-27T00:00:00.000000Z")
            while sum(mine.rewrap(LOG, subject) for subject in mine.subjects(LOG)):
                pass
            mine.retire(LOG, "kek", list(range(1, generation)))
    finally:
        stop.set()
        thread.join()
    assert len(made) > 5
    fresh = KeyFolder(tmp_path)
    for name, key in made.items():
        assert fresh.get(LOG, name) == mine.get(LOG, name) == theirs.get(LOG, name) == key


def test_copies_that_a_killed_writer_left_go_with_the_subject(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    keys.create_log(LOG)
    subject = "sub_" + "a" * 26
    keys.ensure(LOG, subject)
    path = next(tmp_path.rglob(subject))
    copy = path.with_name(f".{subject}.77.abcd")
    write_durably(copy, path.read_bytes())
    second = path.with_name(f".{subject}.replaced")
    os.link(path, second)
    assert keys.rewrap(LOG, subject) is False
    assert [item.name for item in path.parent.iterdir()] == [subject]
    assert KeyFolder(tmp_path).get(LOG, subject) == keys.get(LOG, subject)
    write_durably(copy, path.read_bytes())
    os.link(path, second)
    keys.destroy(LOG, subject)
    assert list(path.parent.iterdir()) == []


def test_a_rotation_says_nothing_secret_when_it_is_printed(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    found = keys.create_log(LOG)
    for item in (found, *found.keks, keys, Rotated("kek", 2, (1,))):
        assert found.kek.hex() not in repr(item)
        assert repr(found.kek) not in repr(item)


async def test_a_key_added_by_another_process_is_read_before_a_claim_is_made_or_none_is_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine, theirs = KeyFolder(tmp_path), KeyFolder(tmp_path)
    theirs.create_log(LOG)
    mine.refresh(LOG)
    away, asked = [False], [0]

    async def run(function: Any, *arguments: Any) -> Any:
        asked[0] += 1
        await asyncio.sleep(0)
        if away[0]:
            raise KeyStoreRefused("away")
        return function(*arguments)

    reader = Rereader(mine, run)
    theirs.begin(LOG, "fingerprint", 2, "2026-11-27T00:00:00.000000Z")
    await asyncio.gather(*(reader.look(LOG) for _ in range(5)))
    assert (mine.open_log(LOG).fingerprints[0].number, asked[0]) == (2, 1)
    await reader.look(LOG)
    assert asked[0] == 1
    away[0] = True
    theirs.begin(LOG, "fingerprint", 3, "2026-11-27T00:00:00.000000Z")
    for refused in await asyncio.gather(*(reader.look(LOG) for _ in range(5)), return_exceptions=True):
        assert isinstance(refused, KeyStoreUnavailable)
    assert asked[0] == 2
    told = [(record.getMessage(), record.__dict__["reason"]) for record in caplog.records]
    assert told == [("ledger.keys_not_read", "KEY_STORE_REFUSED")]
    away[0] = False
    await reader.look(LOG)
    assert mine.open_log(LOG).fingerprints[0].number == 3


async def test_a_key_that_another_process_rotated_while_this_one_idled_is_claimed_once(
    cluster: Cluster, postgres_database: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ledgers on one database and one folder: nothing was asked of the second between a rotation in the first and
    the moment at which the new key comes into force.
    """
    entry = PendingEntry("feedback.recorded", "f", "app:a", None, {})
    config = replace(place(tmp_path), database=cluster.conninfo(postgres_database, LOGIN))
    async with await Ledger.open(config, clock=clock) as one, await Ledger.open(config, clock=clock) as two:
        await one.create_log(LOG, "clinic.example/log")
        await two.create_log(LOG, "clinic.example/log")
        begun = await claim(two, key=b"begun")
        await one.rotation.rotate(LOG, "fingerprint", WHO, delay=timedelta(minutes=10))
        clock.now += timedelta(minutes=11)
        await one.append(LOG, [entry], claim=await claim(one))
        with pytest.raises(DuplicateClaim):
            await two.append(LOG, [entry], claim=await claim(two))
        await one.append(LOG, [entry], claim=await claim(one, key=b"begun"))
        # Made before the rotation and appended after it, by a call that took longer than any should.
        with pytest.raises(ClaimStale):
            await two.append(LOG, [entry], claim=begun)

        def refused(*_: Any) -> None:
            raise KeyStoreUnavailable("away")

        await one.rotation.rotate(LOG, "fingerprint", WHO, delay=timedelta(minutes=10))
        with monkeypatch.context() as away:
            away.setattr(two._keys, "refresh", refused)
            with pytest.raises(KeyStoreUnavailable):
                await claim(two)
            # What stops everything waits for no key.
            known = await two.claim_keys(LOG, urgent=True)
            halt = Claim(known.digest(b"halt").hex(), b"f", "s", (), known.generation)
            await two.append(LOG, [entry], claim=halt, urgent=True)
