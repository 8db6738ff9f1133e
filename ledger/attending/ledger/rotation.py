"""Rotating the keys of a log while it is in use: each rotation is on record before it is done, and is finished after a
crash at any step, by the same call or the next start.

    kek           a new one is added, the keys of every subject are wrapped under it, and the old one is shredded
    lookup        a new one is added, for persons named from now on; the older stay, for those named before
    fingerprint   a new one is added, in force from a moment ahead; the old one is shredded when no claim needs it.
                  Added late, it comes into force later too: by another entry, which says when
    subject       a new key for what is sealed from now on; the older stay in the same file, and go with it
    signing       a new one takes over, introduced by the old, which is shredded (`signing_rotation`)
    root          every key file is sealed anew under the newest version of the root; on record once it is done, with
                  the number of files: cut short, it is asked for again

`key.rotated` in the stream `keys`: kind and generation; of the first three a stage (`begun`, `resumed`, `completed`,
the last of a kek only).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final, TypeVar

from attending.ledger.custody.reads import Inside, Order
from attending.ledger.ed25519 import key_id
from attending.ledger.entry import Entry, PendingEntry, format_time, parse_entry
from attending.ledger.errors import (
    CorruptLog,
    ExpectationFailed,
    KeyGenerations,
    KeyStoreUnavailable,
    LedgerError,
    NotFound,
    SubjectErased,
)
from attending.ledger.introduction import STREAM as SIGNING_STREAM
from attending.ledger.key_files import KINDS, MAX_GENERATIONS, Generation, Kind, LogKeys
from attending.ledger.keys import MAX_SUBJECT_GENERATIONS, TENANT_SUBJECT
from attending.ledger.submission import Expectation

T = TypeVar("T")

STREAM: Final = "keys"
TYPE: Final = "key.rotated"
ATTEMPTS: Final = 8
PASSES: Final = 4
"""Times that a folder is gone through until nothing in it is under an older key: twice, unless it is restored into."""
_PAGE: Final = 1_000
_PLACING: Final = timedelta(seconds=30)
"""Between the entry that says when a fingerprint key comes into force and its file: a root that is asked, a lock, a
disk. What takes longer is put on record anew.
"""
_CHUNK: Final = 256
"""Subject keys wrapped anew by one call of a thread, so that other rotations get their turn."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation that is done. `indexes` are the entries that this call appended."""

    kind: str
    generation: int
    indexes: tuple[int, ...]
    since: str | None = None
    """When the generation comes or came into force; None of a root and a subject, and when it is gone by now."""


@dataclass(frozen=True, slots=True)
class KeyListing:
    """One generation of a key. `since` is None of the first: it is as old as the log."""

    kind: str
    generation: int
    key_id: str
    since: str | None
    root: str
    in_use: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rotation is to do: bring generation `generation` about; `stage` says how the record calls it."""

    generation: int
    stage: str
    since: str


def plan_rotation(
    kind: Kind, entries: Sequence[Entry], here: Sequence[Generation], since: str, now: str
) -> Plan:
    """What rotating a key comes to, from the log's record of it and the generations that are here, newest first.

    What was begun and is not done goes on; otherwise the next generation begins.
    """
    newest = here[0]
    last = _last(kind, entries)
    recorded = 0 if last is None else int(last.body["generation"])
    open_ = last is not None and last.body.get("stage") != "completed"
    if last is not None and open_ and recorded > newest.number:
        return Plan(recorded, "resumed", since)
    if kind == "kek" and open_ and recorded == newest.number:
        return Plan(recorded, "resumed", since)
    if kind == "kek" and len(here) > 1:
        return Plan(newest.number, "begun", since)
    if kind == "fingerprint" and newest.since is not None and newest.since > now:
        return Plan(newest.number, "resumed", newest.since)
    return Plan(max(newest.number, recorded) + 1, "begun", since)


class Rotator:
    """The door methods. Safe for many tasks of the ledger's event loop, and beside other processes."""

    def __init__(self, inside: Inside, clock: Callable[[], datetime], claim_retention: timedelta) -> None:
        self._in = inside
        self._clock = clock
        self._retention = claim_retention
        self._turn = asyncio.Lock()

    async def rotate(
        self, log_id: str, kind: Kind, order: Order, *, delay: timedelta = timedelta()
    ) -> Rotated:
        """Rotates a key of the log, or finishes a rotation of it that was cut short.

        `delay` is how far ahead a fingerprint key comes into force at least, once it is there: at least as long as a
        call may take between making a claim and appending it. Raises KeyStoreUnavailable, KeyStoreRefused,
        KeyGenerations, CorruptLog (a subject key does not unwrap; the old key is kept then), and as an append.
        """
        for attempt in range(ATTEMPTS):
            try:
                plan, first = await self.record(log_id, kind, order, delay)
                break
            except ExpectationFailed:
                if attempt == ATTEMPTS - 1:
                    raise
        done = await self.carry_out(log_id, kind, plan.generation, plan.since, order.actor, delay=delay)
        return replace(done, indexes=(first, *done.indexes))

    async def carry_out(
        self,
        log_id: str,
        kind: Kind,
        generation: int,
        since: str,
        actor: str,
        *,
        delay: timedelta = timedelta(),
    ) -> Rotated:
        """Does what the record says of a rotation, as far as it is not done.

        `since` is that of the record, or its entry's time. When it is less than `delay` ahead by now, a fingerprint key
        comes into force later than that, and another entry says so. Raises as `rotate`.
        """

        def in_time() -> bool:
            return kind != "fingerprint" or since >= format_time(self._clock() + delay)

        indexes: list[int] = []
        for attempt in range(ATTEMPTS):
            if await self._alone(self._in.keys.begin, log_id, kind, generation, since, in_time):
                break
            try:
                plan, index = await self.record(log_id, kind, Order(actor), delay)
            except ExpectationFailed:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                generation, since = plan.generation, plan.since
                indexes.append(index)
        else:
            raise KeyStoreUnavailable("a key could not be put in its place in time")
        if kind == "kek":
            indexes += await self._finish(log_id, actor)
        here = (await self._in.run(self._in.keys.refresh, log_id)).of(kind)
        found = next((item.since for item in here if item.number == generation), None)
        return Rotated(kind, generation, tuple(indexes), found)

    async def rotate_subject(self, log_id: str, subject: str, order: Order) -> Rotated:
        """Gives a subject a new key, for what is sealed from now on. What is sealed stays under its own, and an
        erasure destroys all of them. Raises NotFound, SubjectErased, KeyGenerations, and as an append.
        """
        generation, index = await self.record_subject(log_id, subject, order)
        await self.carry_out_subject(log_id, subject, generation)
        return Rotated("subject", generation, (index,))

    async def record_subject(self, log_id: str, subject: str, order: Order) -> tuple[int, int]:
        """The generation that a subject's key is to have, put on record, and the index of its entry;
        `carry_out_subject` does it. Raises as `rotate_subject`.
        """
        try:
            keys = await self._in.run(partial(self._in.keys.generations, log_id, subject, fresh=True))
        except SubjectErased as err:
            if subject in self._in.erased.get(log_id, ()):
                raise
            raise NotFound("no such subject") from err
        generation = len(keys) + 1
        if generation > MAX_SUBJECT_GENERATIONS:
            raise KeyGenerations(f"the subject has {MAX_SUBJECT_GENERATIONS} keys already")
        entry = PendingEntry(
            TYPE,
            STREAM,
            order.actor,
            None if subject == TENANT_SUBJECT else subject,
            {"kind": "subject", "generation": generation},
        )
        appended = await self._in.write(log_id, [entry], claim=order.claim)
        assert appended is not None
        return generation, appended.first_index

    async def carry_out_subject(self, log_id: str, subject: str, generation: int) -> bool:
        """Sees to it that a subject has so many keys; False when it has. Whoever was erased meanwhile needs none."""
        try:
            return await self._alone(self._in.keys.add_generations, log_id, subject, generation)
        except SubjectErased:
            return False

    async def reseal(self, log_id: str, order: Order) -> Rotated:
        """Seals the log's key files anew under the newest version of the root; the generation is how many moved.

        On record when something moved, or when a claim asks for it. Raises as `Root.resealed`, and as an append.
        """
        moved = await self._alone(self._in.keys.reseal, log_id)
        if not moved and order.claim is None:
            return Rotated("root", 0, ())
        files = await self._in.run(self._in.keys.files, log_id)
        root, _space, version = files[-1].root.partition(" ")
        body = {"kind": "root", "root": root, "version": version or None, "files": moved}
        entry = PendingEntry(TYPE, STREAM, order.actor, None, body)
        appended = await self._in.write(log_id, [entry], claim=order.claim)
        assert appended is not None
        return Rotated("root", moved, (appended.first_index,))

    async def resume(self, log_id: str, actor: str = "system", *, delay: timedelta = timedelta()) -> bool:
        """Finishes rotations that a crash cut short, of the log's keys and of subjects; False when there was none.
        `delay` as in `rotate`. One that fails keeps no other from being finished, and is raised afterwards.
        """
        resumed, failures = False, []
        for work in await self._left(log_id, actor, delay):
            try:
                resumed = await work() or resumed
            except LedgerError as err:
                failures.append(err)
        if failures:
            raise failures[0]
        return resumed

    async def _left(self, log_id: str, actor: str, delay: timedelta) -> list[Callable[[], Awaitable[bool]]]:
        """What is on record and may not be done; each says whether it was left to do."""
        entries, left = await self._stream(log_id), list[Callable[[], Awaitable[bool]]]()
        keys = await self._in.run(self._in.keys.refresh, log_id)
        for kind in KINDS:
            last = _last(kind, entries)
            if last is None or last.body.get("stage") == "completed":
                continue
            generation = int(last.body["generation"])
            if kind == "kek" or generation > keys.of(kind)[0].number:
                since = str(last.body.get("since", last.time))
                left.append(partial(self._resumed, log_id, kind, generation, since, actor, delay))
        left += [
            partial(self.carry_out_subject, log_id, subject, generation)
            for subject, generation in _of_subjects(entries).items()
        ]
        return left

    async def _resumed(
        self, log_id: str, kind: Kind, generation: int, since: str, actor: str, delay: timedelta
    ) -> bool:
        await self.carry_out(log_id, kind, generation, since, actor, delay=delay)
        return True

    async def retire_fingerprints(self, log_id: str) -> int:
        """Shreds fingerprint keys whose claims have all expired; their number."""
        keys = (await self._in.run(self._in.keys.refresh, log_id)).fingerprints
        limit = format_time(self._clock() - self._retention)
        done = [
            older.number for newer, older in pairwise(keys) if newer.since is not None and newer.since < limit
        ]
        await self._alone(self._in.keys.retire, log_id, "fingerprint", done)
        return len(done)

    async def keys(self, log_id: str) -> list[KeyListing]:
        """Every key of a log, newest generation first of each kind, without the keys."""
        self._in.size(log_id)
        keys = await self._in.run(self._in.keys.refresh, log_id)
        roots = {
            (file.kind, file.generation): file.root
            for file in await self._in.run(self._in.keys.files, log_id)
        }
        now = format_time(self._clock())
        found = await self._signing_keys(log_id, keys, roots)
        for kind in KINDS:
            used = False
            for item in keys.of(kind):
                uses = not used and (kind != "fingerprint" or item.since is None or item.since <= now)
                used = used or uses
                root = roots.get((kind, item.number), "")
                found.append(KeyListing(kind, item.number, item.key_id(kind), item.since, root, uses))
        return found

    async def _signing_keys(
        self, log_id: str, keys: LogKeys, roots: Mapping[tuple[str, int], str]
    ) -> list[KeyListing]:
        """Those in the folder; the one in use is the one that the log names, by its entries in the stream."""
        entries = await self._stream(log_id, SIGNING_STREAM)
        generation = len(entries) + 1
        since = {number: entry.time for number, entry in enumerate(entries, 2)}
        return [
            KeyListing(
                "signing",
                item.number,
                key_id(item.public),
                since.get(item.number),
                roots.get(("signing", item.number), ""),
                item.number == generation,
            )
            for item in keys.signing
        ]

    async def record(self, log_id: str, kind: Kind, order: Order, delay: timedelta) -> tuple[Plan, int]:
        """What a rotation is to do, put on record, and the index of its entry; `carry_out` does it.

        Raises ExpectationFailed when another process was first, KeyGenerations, and as an append.
        """
        entries = await self._stream(log_id)
        keys = await self._in.run(self._in.keys.refresh, log_id)
        moment = self._clock()
        ahead = delay + _PLACING if kind == "fingerprint" else timedelta()
        plan = plan_rotation(kind, entries, keys.of(kind), format_time(moment + ahead), format_time(moment))
        here = keys.of(kind)
        if len(here) >= MAX_GENERATIONS and plan.generation > here[0].number:
            raise KeyGenerations(f"log `{log_id}` has {MAX_GENERATIONS} generations of `{kind}` already")
        body: dict[str, Any] = {"kind": kind, "generation": plan.generation, "stage": plan.stage}
        if kind == "fingerprint":
            body["since"] = plan.since
        entry = PendingEntry(TYPE, STREAM, order.actor, None, body)
        appended = await self._in.write(
            log_id, [entry], expect=[Expectation(STREAM, len(entries))], claim=order.claim
        )
        assert appended is not None
        return plan, appended.first_index

    async def _alone(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs what takes a lock of the key folder alone, one at a time, on a thread that no reader needs.

        Those whom it waits for hold the lock across reads: with readers' threads all waiting for them, nobody would
        get on.
        """

        async def in_turn() -> T:
            async with self._turn:
                return await self._in.aside(function, *arguments)

        # A caller that goes away does not free its turn, or those after it would take one thread each.
        task = asyncio.ensure_future(in_turn())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _finish(self, log_id: str, actor: str) -> list[int]:
        """Wraps every subject's keys under the newest key, then shreds the older ones. Reads and erasures go on."""
        keks = (await self._in.run(self._in.keys.refresh, log_id)).keks
        if len(keks) == 1 and _completed(await self._stream(log_id)):
            return []  # asked for again: nobody walks over all subjects for that
        wrapped = 0
        for _ in range(PASSES):
            moved = await self._pass(log_id)
            wrapped += moved
            if not moved:
                break
        else:
            raise CorruptLog(f"subject keys of log `{log_id}` are being put back under an older key")
        # A crash here leaves old keys that nothing is under any more; the next call shreds them.
        await self._alone(self._in.keys.retire, log_id, "kek", [item.number for item in keks[1:]])
        body = {"kind": "kek", "generation": keks[0].number, "stage": "completed", "subjects": wrapped}
        for _ in range(ATTEMPTS):
            entries = await self._stream(log_id)
            last = _last("kek", entries)
            if _completed(entries) or (last is not None and int(last.body["generation"]) > keks[0].number):
                return []  # another process was first
            try:
                appended = await self._in.write(
                    log_id,
                    [PendingEntry(TYPE, STREAM, actor, None, body)],
                    expect=[Expectation(STREAM, len(entries))],
                )
            except ExpectationFailed:
                continue
            assert appended is not None
            return [appended.first_index]
        return []

    async def _pass(self, log_id: str) -> int:
        """One walk over the subjects; the number that was wrapped anew."""
        keys = self._in.keys
        subjects = await self._in.run(keys.subjects, log_id)

        moved = bad = 0
        for start in range(0, len(subjects), _CHUNK):
            chunk = subjects[start : start + _CHUNK]
            done, failed = await self._alone(keys.rewrap_many, log_id, chunk)
            moved, bad = moved + done, bad + failed
        if bad:
            raise CorruptLog(
                f"{bad} subject keys of log `{log_id}` do not unwrap; the key before is kept for them"
            )
        return moved

    async def _stream(self, log_id: str, stream: str = STREAM) -> list[Entry]:
        def load() -> list[Entry]:
            entries: list[Entry] = []
            while True:
                stored = self._in.store.stream_entries(log_id, stream, len(entries), _PAGE)
                entries += [parse_entry(data) for data in stored]
                if len(stored) < _PAGE:
                    return entries

        self._in.size(log_id)
        return await self._in.run(load)


def _last(kind: str, entries: Sequence[Entry]) -> Entry | None:
    found = [entry for entry in entries if entry.type == TYPE and entry.body.get("kind") == kind]
    return found[-1] if found else None


def _completed(entries: Sequence[Entry]) -> bool:
    """Whether the last rotation of the key-encryption key is done, by the record."""
    last = _last("kek", entries)
    return last is not None and last.body.get("stage") == "completed"


def _of_subjects(entries: Sequence[Entry]) -> dict[str, int]:
    """How many keys each subject is to have, by the record."""
    found: dict[str, int] = {}
    for entry in entries:
        if entry.type == TYPE and entry.body.get("kind") == "subject":
            found[entry.subject or TENANT_SUBJECT] = int(entry.body["generation"])
    return found
