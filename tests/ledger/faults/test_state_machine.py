"""A ledger folder under random use, crashes in between, beside a model of plain dictionaries.

Rules append (several entries, several at once, expectations and claims right and wrong, payloads, rows), create
logs, erase, publish, prove, reopen and crash. A crash is a copy of the files as they are at that moment, with
appends on their way: what was acknowledged before it must be in the copy, what was not may be, whole or not at all.
At the end every log is audited in a clean process.

`ATTENDING_STATE_MACHINE_EXAMPLES` sets how many runs a store gets (default 12); each is up to 25 steps.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attending.ledger import checkpoint
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import (
    ClaimConflict,
    DuplicateClaim,
    ExpectationFailed,
    RowRejected,
    SubjectErased,
)
from attending.ledger.ledger import Appended, Claim, Expectation, Ledger, LedgerConfig, RowWrite
from attending.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from attending.ledger.note import VerifierKey
from attending.ledger.store.memory import MemoryStore
from attending.ledger.store.port import Store
from attending.ledger.store.sqlite import SqliteStore
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Column, MetaData, String, Table, select

from tests.ledger.faults.audit import Shown, audit

T = TypeVar("T")
EXAMPLES = int(os.environ.get("ATTENDING_STATE_MACHINE_EXAMPLES", "12"))
LOGS = ("clinic", "lab", "system")
STREAMS = ("s-0", "s-1", "s-2")
PEOPLE = ("MRN 1", "MRN 2", "MRN 3")
START = datetime(2026, 11, 26, tzinfo=UTC)
METADATA = MetaData()
ITEM = Table(
    "item",
    METADATA,
    Column("log_id", String(63), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
)


@dataclass(frozen=True)
class Order:
    """One append as a caller asks for it; `claim` is (key, body)."""

    streams: tuple[str, ...]
    expect: str | None
    claim: tuple[str, str] | None
    texts: int
    person: str | None
    row: str | None


ORDERS = st.builds(
    Order,
    streams=st.lists(st.sampled_from(STREAMS), min_size=1, max_size=4).map(tuple),
    expect=st.sampled_from([None, None, "right", "wrong"]),
    claim=st.none()
    | st.tuples(st.sampled_from(["k1", "k2", "k3", "k4"]), st.sampled_from(["body", "other"])),
    texts=st.integers(0, 2),
    person=st.none() | st.sampled_from(PEOPLE),
    row=st.sampled_from([None, None, "open", "closed", "bad"]),
)


@dataclass
class LogModel:
    """What the log must hold: stored bytes by index, stream versions, claims, rows, people."""

    shown: Shown = field(default_factory=Shown)
    size: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    claims: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    records: dict[str, str | None] = field(default_factory=dict)
    """Vault record to the pseudonym it is about."""

    def expected(
        self, order: Order, versions: list[Expectation], fingerprint: bytes
    ) -> type[Exception] | None:
        """The error that the append must meet when everything before it has happened."""
        if any(self.versions.get(item.stream, 0) != item.version for item in versions):
            return ExpectationFailed
        if order.claim is not None and order.claim[0] in self.claims:
            same = self.claims[order.claim[0]][0] == fingerprint
            return DuplicateClaim if same else ClaimConflict
        return RowRejected if order.row == "bad" else None


class LedgerMachine(RuleBasedStateMachine):
    """The rules over one kind of store; `kind` is set by the subclass that is run."""

    kind: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.base = Path(tempfile.mkdtemp(prefix="attending-machine-"))
        self.generation = 0
        self.folder = self.base / "ledger-0"
        self.memory = MemoryStore()
        self.ticks = 0
        self.counter = 0
        self.models: dict[str, LogModel] = {}
        self.ledger = self.run(self.open())

    # --- plumbing --------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def clock(self) -> datetime:
        self.ticks += 1
        return START + timedelta(milliseconds=self.ticks)

    async def open(self) -> Ledger:
        self.folder.mkdir(exist_ok=True)
        self.store: Store = self.memory
        if self.kind == "sqlite":
            self.store = SqliteStore(self.folder / "ledger.db")
        config = LedgerConfig(self.folder, publish_interval_seconds=3600.0)
        return await Ledger.open(config, metadata=[METADATA], clock=self.clock, store=self.store)

    def key(self, log_id: str) -> VerifierKey:
        return VerifierKey.parse(self.ledger.verifier_key(log_id))

    def prepare(self, log_id: str, order: Order) -> tuple[dict[str, Any], list[list[bytes]]]:
        """The arguments of the append and its payloads' contents."""
        model = self.models[log_id]
        self.counter += 1
        subject = model.people.get(order.person) if order.person is not None else None
        if subject in model.erased:
            subject = None
        texts = [
            [f"text {self.counter} {n} {m}".encode() for m in range(order.texts)]
            for n in range(len(order.streams))
        ]
        entries = [
            PendingEntry(
                "feedback.recorded",
                stream,
                "app:t",
                subject,
                {"n": self.counter},
                tuple(Payload("note", text) for text in texts[number]),
            )
            for number, stream in enumerate(order.streams)
        ]
        arguments: dict[str, Any] = {"entries": entries}
        if order.claim is not None:
            key, body = order.claim
            fingerprint = self.run(self.ledger.claim_keys(log_id)).digest(body.encode())
            arguments["claim"] = Claim(key, fingerprint, order.streams[0])
        if order.row is not None:
            state = None if order.row == "bad" else order.row
            arguments["rows"] = [RowWrite(ITEM, {"name": order.streams[0]}, {"state": state})]
        return arguments, texts

    def expect(self, log_id: str, order: Order) -> list[Expectation]:
        if order.expect is None:
            return []
        versions = self.models[log_id].versions
        right = [Expectation(stream, versions.get(stream, 0)) for stream in sorted(set(order.streams))]
        if order.expect == "right":
            return right
        return [*right[:-1], Expectation(right[-1].stream, right[-1].version + 1)]

    def note_append(self, log_id: str, order: Order, arguments: dict[str, Any]) -> None:
        """The append happened."""
        model = self.models[log_id]
        model.size += len(order.streams)
        for stream in order.streams:
            model.versions[stream] = model.versions.get(stream, 0) + 1
        if order.claim is not None:
            claim = arguments["claim"]
            model.claims[claim.key] = (claim.fingerprint, claim.stream)
        if order.row is not None:
            model.rows[order.streams[0]] = order.row

    def note_shown(self, log_id: str, arguments: dict[str, Any], appended: Appended, texts: Any) -> None:
        """The caller was told."""
        model = self.models[log_id]
        model.shown.append(appended, texts)
        for entry, commitments in zip(arguments["entries"], appended.commitments, strict=True):
            model.records.update(dict.fromkeys((item.record for item in commitments), entry.subject))

    # --- rules -----------------------------------------------------------------------------------------

    @initialize()
    def first_log(self) -> None:
        self.create_log("clinic")

    @rule(log_id=st.sampled_from(LOGS))
    def create_log(self, log_id: str) -> None:
        self.run(self.ledger.create_log(log_id, f"attending.test/{log_id}"))
        self.models.setdefault(log_id, LogModel())

    @rule(log_id=st.sampled_from(LOGS), order=st.lists(ORDERS, min_size=1, max_size=5))
    def append(self, log_id: str, order: list[Order]) -> None:
        """Appends at once; they are admitted in the order in which they were handed over."""
        if log_id not in self.models:
            return
        model = self.models[log_id]
        calls, notes = [], []
        for item in order:
            # What the earlier ones of this rule do is not known to the caller yet: "right" may turn wrong.
            arguments, texts = self.prepare(log_id, item)
            expect = self.expect(log_id, item)
            calls.append(self.ledger.append(log_id, expect=expect, **arguments))
            notes.append((item, arguments, expect, texts))

        async def together() -> list[Any]:
            return await asyncio.gather(*calls, return_exceptions=True)

        for result, (item, arguments, expect, texts) in zip(self.run(together()), notes, strict=True):
            fingerprint = arguments["claim"].fingerprint if item.claim is not None else b""
            error = model.expected(item, expect, fingerprint)
            if error is not None:
                assert type(result) is error, f"expected {error.__name__}, got {result!r}"
                continue
            assert isinstance(result, Appended), repr(result)
            assert result.first_index == model.size
            self.note_append(log_id, item, arguments)
            self.note_shown(log_id, arguments, result, texts)

    @rule(person=st.sampled_from(PEOPLE), log_id=st.sampled_from(LOGS))
    def name(self, person: str, log_id: str) -> None:
        """A person gets a pseudonym, the same one each time until it is erased."""
        if log_id not in self.models:
            return
        model = self.models[log_id]
        known = model.people.get(person)
        pseudonym = self.run(self.ledger.pseudonym(log_id, f" {person.lower()} "))
        if known is None or known in model.erased:
            assert pseudonym != known
            model.people[person] = pseudonym
        else:
            assert pseudonym == known

    @rule(person=st.sampled_from(PEOPLE), log_id=st.sampled_from(LOGS))
    def erase(self, person: str, log_id: str) -> None:
        model = self.models.get(log_id)
        if model is None:
            return
        if person not in model.people:
            self.name(person, log_id)
        pseudonym = model.people[person]
        if pseudonym not in model.erased:  # so that there is something to erase
            self.append(log_id, [Order((STREAMS[0],), None, None, 1, person, None)])
        appended = self.run(self.ledger.erase_subject(log_id, pseudonym))
        assert (appended is None) == (pseudonym in model.erased)
        if appended is not None:
            model.shown.append(appended)
            model.size += 1
            model.erased.add(pseudonym)
        for record, subject in model.records.items():
            if subject == pseudonym:
                with pytest.raises(SubjectErased):
                    self.run(self.ledger.open_payload(log_id, record))
        assert not list((self.folder / "keys").rglob(pseudonym)), (
            "the key of an erased subject is still there"
        )

    @rule(log_id=st.sampled_from(LOGS))
    def publish(self, log_id: str) -> None:
        if log_id not in self.models:
            return
        note = self.run(self.ledger.publish(log_id))
        assert note is not None
        assert checkpoint.verify(note, [self.key(log_id)]).size == self.models[log_id].size
        self.models[log_id].shown.heads.add(note)

    @rule(log_id=st.sampled_from(LOGS), seed=st.integers(0, 1 << 16))
    def prove(self, log_id: str, seed: int) -> None:
        """An old entry under every later head, and each head ever shown against a later one."""
        if log_id not in self.models:
            return
        # Chosen by a seed: how appends were grouped, and so which heads were shown, is not for hypothesis to see.
        chance = random.Random(seed)
        model = self.models[log_id]
        key = self.key(log_id)
        heads = {head.size: head for head in (checkpoint.verify(note, [key]) for note in model.shown.heads)}
        sizes = sorted(heads)
        if not sizes or not model.shown.entries:
            return
        for size1 in sizes:
            size2 = chance.choice([size for size in sizes if size >= size1])
            proof = self.run(self.ledger.consistency_proof(log_id, size1, size2))
            verify_consistency(size1, size2, heads[size1].root, heads[size2].root, proof)
        index = chance.choice(sorted(model.shown.entries))
        for size in [size for size in sizes if size > index]:
            proof = self.run(self.ledger.inclusion_proof(log_id, index, size))
            verify_inclusion(leaf_hash(model.shown.entries[index]), index, size, proof, heads[size].root)

    @rule()
    def reopen(self) -> None:
        self.run(self.ledger.close())
        self.ledger = self.run(self.open())

    @rule(
        log_id=st.sampled_from(LOGS),
        orders=st.lists(ORDERS, max_size=4),
        turns=st.integers(0, 6),
        keep_shm=st.booleans(),
    )
    def crash(self, log_id: str, orders: list[Order], turns: int, keep_shm: bool) -> None:
        """The files as they are while appends are on their way; then another process opens them."""
        if log_id not in self.models:
            return
        if self.kind == "memory":
            orders = []
        pending = []
        for number, order in enumerate(orders):
            # A stream and a claim of their own: afterwards each can be asked for by itself.
            stream = f"crash-{self.generation}-{number}"
            lone = Order(
                (stream,) * len(order.streams), None, (stream, "body"), order.texts, order.person, None
            )
            pending.append((lone, *self.prepare(log_id, lone)))
        self.generation += 1
        image = self.base / f"ledger-{self.generation}"

        async def crash() -> list[tuple[Order, dict[str, Any], Any, Appended | None]]:
            tasks = [asyncio.ensure_future(self.ledger.append(log_id, **item[1])) for item in pending]
            for _ in range(turns):
                await asyncio.sleep(0)
            told = [task.result() if task.done() else None for task in tasks]
            # In this order an image is one of a moment: what is outside never ahead of the database, and no
            # key missing that a row in it needs (nothing is erased meanwhile).
            hidden = shutil.ignore_patterns(".*")  # half-written ones, gone before they are copied
            shutil.copytree(self.folder / "published", image / "published", ignore=hidden)
            for name in ("ledger.db", "ledger.db-wal", *(["ledger.db-shm"] if keep_shm else [])):
                if (self.folder / name).exists():
                    shutil.copy(self.folder / name, image / name)
            shutil.copytree(self.folder / "keys", image / "keys")
            await asyncio.gather(*tasks)
            return [(item[0], item[1], item[2], answer) for item, answer in zip(pending, told, strict=True)]

        outcome = self.run(crash())
        self.run(self.ledger.close())  # of the old folder, which nobody looks at again
        self.folder = image
        self.ledger = self.run(self.open())
        for order, arguments, texts, answer in outcome:
            stream = order.streams[0]
            found = self.run(self.ledger.stream_entries(log_id, stream))
            claim = self.run(self.ledger.find_claim(log_id, stream))
            assert len(found) in (0, len(order.streams)), "half of an append survived"
            assert (claim is not None) == bool(found)
            assert found or answer is None, "an acknowledged append is not in the crash image"
            if found:
                self.note_append(log_id, order, arguments)
            if answer is not None:
                self.note_shown(log_id, arguments, answer, texts)

    @invariant()
    def as_the_model_says(self) -> None:
        for log_id, model in self.models.items():
            size, _ = self.run(self.ledger.head(log_id))
            assert size == model.size
            for stream, version in model.versions.items():
                assert self.run(self.ledger.stream_version(log_id, stream)) == version
            for key, (fingerprint, stream) in model.claims.items():
                claim = self.run(self.ledger.find_claim(log_id, key))
                assert claim is not None
                assert (claim.fingerprint, claim.stream) == (fingerprint, stream)
            rows = self.run(
                self.ledger.query(select(ITEM.c.name, ITEM.c.state).where(ITEM.c.log_id == log_id))
            )
            assert {tuple(row) for row in rows} == set(model.rows.items())
            assert self.ledger.halted(log_id) is None

    def teardown(self) -> None:
        try:
            for log_id, model in self.models.items():
                model.shown.heads.add(self.run(self.ledger.checkpoint(log_id)))
                for record, subject in model.records.items():
                    if subject in model.erased:
                        with pytest.raises(SubjectErased):
                            self.run(self.ledger.open_payload(log_id, record))
                self.run(audit(self.ledger, self.store, log_id, model.shown, self.base))
        finally:
            self.run(self.ledger.close())
            self.loop.close()
            shutil.rmtree(self.base)


class SqliteMachine(LedgerMachine):
    kind = "sqlite"


class MemoryMachine(LedgerMachine):
    kind = "memory"


_PROFILE = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = _PROFILE
TestMemory = MemoryMachine.TestCase
TestMemory.settings = _PROFILE
