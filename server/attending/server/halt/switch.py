"""Whether a tenant is halted, and the appends that depend on it (EU AI Act, Article 14(4)(e)).

A halt is an entry on a stream of its own: one for all that the tenant does, one a policy. Whatever begins or releases
an inference is appended on condition that those streams have not moved since they were read as running. So the flag
is checked inside the transaction of the release, whichever process writes it, and no release can follow a halt in the
log; `attending.ledger.verify.halts` checks that offline.

What a crash leaves: before the halt's commit nothing, after it the halt. Until a resume is committed, it stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from attending.ledger.appended import Appended
from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.errors import ClaimConflict, DuplicateClaim, ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.projection import RowWrite
from attending.ledger.submission import Claim, Expectation
from attending.ledger.verify.halts import HALTED, RESUMED, STOPPED_BY_HALT, stream_of
from attending.server.errors import Aborted, FailedPrecondition
from attending.server.idempotency import Once, answered

BEGINS: Final = "inference.requested"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one stream of halts stands. `entry` is its last entry, None when there is none or it is not on record yet.

    `policy` is None for the whole tenant. A halt that is not on record was asked for while the ledger could not take
    it: this process keeps to it, others do not know of it.
    """

    policy: str | None
    halted: bool
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for a halt or a resume, and why (a lower-case name)."""

    actor: str
    reason: str
    asked_at: datetime
    note: bytes | None = None


class Versions(Protocol):
    """The port to the registry of versions in force; `activation.registry.Registry` keeps it."""

    async def require(self, tenant: str, policy: str, policy_hash: str) -> list[Expectation]:
        """What an append that begins an inference has to be conditional on; FailedPrecondition when another version
        is in force. What it rests on may be old: the append finds out."""

    async def require_none(self, tenant: str, policy: str) -> None:
        """Returns where none of a policy that is not loaded is in force; Unavailable while one is being loaded."""

    def forget(self, tenant: str, stream: str) -> None:
        """The stream has moved."""


class Switch:
    """One a server process; safe for many tasks of one event loop."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime], versions: Versions | None = None) -> None:
        """`versions` says under which versions an inference may begin; any where it is left out."""
        self._ledger = ledger
        self._versions = versions
        self._now = now
        # Streams that were read as running, with the version that says so. May be old: the append finds out.
        self._running: dict[tuple[str, str], int] = {}
        # Halts that are not durable yet: this process keeps to them from the moment they are asked for.
        self._asked: dict[tuple[str, str], set[object]] = {}
        self._work: set[asyncio.Task[Standing]] = set()

    async def append(
        self,
        tenant: str,
        policy: str,
        pending: Sequence[PendingEntry],
        *,
        expect: Sequence[Expectation],
        claim: Claim | None,
        rows: Sequence[RowWrite],
    ) -> Appended:
        """As `Ledger.append`; what begins or releases an inference of `policy` is appended only while that is not
        halted, and what begins one only while its versions are in force. Raises FailedPrecondition (SYSTEM_HALTED, and
        as `Versions.require`) besides what the ledger raises; nothing is stored then.
        """
        conditions: list[Expectation] = []
        while True:
            if any(entry.type in STOPPED_BY_HALT for entry in pending):
                conditions = await self.require_running(tenant, policy)
            begun = next((entry for entry in pending if entry.type == BEGINS), None)
            if begun is not None and self._versions is not None:
                conditions += await self._versions.require(tenant, policy, begun.body["policy_hash"])
            try:
                return await self._ledger.append(
                    tenant, pending, expect=[*expect, *conditions], claim=claim, rows=rows
                )
            except ExpectationFailed as err:
                if all(condition.stream != err.stream for condition in conditions):
                    raise
                self._running.pop((tenant, err.stream), None)
                if self._versions is not None:
                    self._versions.forget(tenant, err.stream)

    async def require_versions(self, tenant: str, policy: str, policy_hash: str) -> list[Expectation]:
        """What the begin of an inference has to be conditional on besides. Raises as `Versions.require`."""
        if self._versions is None:
            return []
        return await self._versions.require(tenant, policy, policy_hash)

    async def require_no_version(self, tenant: str, policy: str) -> None:
        """Raises as `Versions.require_none`, for a policy that this process has not loaded."""
        if self._versions is not None:
            await self._versions.require_none(tenant, policy)

    async def require_running(self, tenant: str, policy: str) -> list[Expectation]:
        """What an append under `policy` has to be conditional on; FailedPrecondition (SYSTEM_HALTED) when halted."""
        conditions = []
        for scope in (None, policy):
            stream = stream_of(scope)
            version = self._running.get((tenant, stream))
            if version is None or (tenant, stream) in self._asked:
                standing, version = await self._read(tenant, scope)
                if standing.halted:
                    raise FailedPrecondition("SYSTEM_HALTED", metadata=_words(standing))
                self._running[tenant, stream] = version
            conditions.append(Expectation(stream, version))
        return conditions

    async def standings(self, tenant: str, policies: Collection[str]) -> list[Standing]:
        """The tenant as a whole first, then those of `policies` that are halted, by name; read anew."""
        whole, _version = await self._read(tenant, None)
        parts = [(await self._read(tenant, policy))[0] for policy in sorted(policies)]
        return [whole, *(standing for standing in parts if standing.halted)]

    async def halt(
        self, tenant: str, policy: str | None, order: Order, once: Once, open_calls: int
    ) -> Standing:
        """Halts the tenant or one policy; returns when that is durable. One that is halted stays as it is.

        This process stops at once, also when the ledger cannot take the entry (the ledger's errors): then the same
        call has to be repeated. `open_calls` are those that were begun and have no verdict yet; they are let run to
        their end, and release nothing.
        """
        mark = object()
        self._asked.setdefault((tenant, stream_of(policy)), set()).add(mark)
        # Carried through when the caller hangs up, so that what this process keeps to is what is on record.
        work = asyncio.create_task(self._halt(tenant, policy, order, once, open_calls, mark))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        return await asyncio.shield(work)

    async def _halt(
        self, tenant: str, policy: str | None, order: Order, once: Once, open_calls: int, mark: object
    ) -> Standing:
        stream = stream_of(policy)
        body = {"policy": policy, "reason": order.reason, "open": open_calls}
        try:
            while True:
                standing, version = await self._read(tenant, policy)
                if standing.entry is not None and standing.halted:
                    break
                done = await self._append(tenant, HALTED, stream, version, body, order, once)
                if done is not None:
                    standing = Standing(policy, True, done)
                    break
        except (Aborted, ClaimConflict):
            # This call asks for something else than a halt now. What others asked for stands.
            marks = self._asked.get((tenant, stream), set())
            marks.discard(mark)
            if not marks:
                self._asked.pop((tenant, stream), None)
            raise
        # INVARIANT: any other error leaves the mark. Whether the halt is on record is not known then, or it could not
        # be put there, and this process stays stopped until it is, or until a resume.
        self._asked.pop((tenant, stream), None)
        return standing

    async def resume(self, tenant: str, policy: str | None, order: Order, once: Once) -> Standing:
        """Ends a halt; returns when that is durable. FailedPrecondition (NOT_HALTED) when there is none."""
        stream = stream_of(policy)
        while True:
            standing, version = await self._read(tenant, policy)
            while standing.halted and standing.entry is None and self._work:
                await asyncio.wait(self._work)  # a halt is on its way into the log: it comes first
                standing, version = await self._read(tenant, policy)
            if not standing.halted:
                earlier = await answered(self._ledger, tenant, once)
                if earlier is None:
                    raise FailedPrecondition("NOT_HALTED", metadata=_words(standing))
                return Standing(policy, False, await self._ledger.get_entry(tenant, earlier[0]))
            halted = standing.entry.index if standing.entry is not None else None
            body = {"policy": policy, "reason": order.reason, "halted": halted}
            done = await self._append(tenant, RESUMED, stream, version, body, order, once)
            if done is not None:
                self._asked.pop((tenant, stream), None)
                return Standing(policy, False, done)

    async def _append(
        self,
        tenant: str,
        kind: str,
        stream: str,
        version: int,
        body: dict[str, Any],
        order: Order,
        once: Once,
    ) -> Entry | None:
        """The entry as stored; None when somebody else moved the stream first. Aborted when the key was used for it."""
        pending = PendingEntry(
            type=kind,
            stream=stream,
            actor=order.actor,
            subject=None,
            body=body,
            payloads=() if order.note is None else (Payload("note", order.note),),
            occurred_at=order.asked_at,
        )
        try:
            # Urgent: what fills the queue may be what is to be stopped.
            done = await self._ledger.append(
                tenant,
                [pending],
                expect=[Expectation(stream, version)],
                claim=once.claim(stream),
                urgent=True,
            )
        except ExpectationFailed:
            return None
        except DuplicateClaim:
            # This very call was carried out before, and what it did has been undone since.
            raise Aborted("LOST_RACE") from None
        return done.entries[0]

    async def _read(self, tenant: str, policy: str | None) -> tuple[Standing, int]:
        """How a stream stands, with the version that says so: entries do not change, so neither does that."""
        stream = stream_of(policy)
        version = await self._ledger.stream_version(tenant, stream)
        last = None
        if version:
            [last] = await self._ledger.stream_entries(tenant, stream, version - 1, 1)
        halted = last is not None and last.type == HALTED
        if not halted and (tenant, stream) in self._asked:
            return Standing(policy, True), version
        return Standing(policy, halted, last), version


def _words(standing: Standing) -> dict[str, str]:
    words = {"policy": standing.policy or "all"}
    if standing.entry is not None:
        words |= {"entry": str(standing.entry.index), "since": standing.entry.time}
    return words
