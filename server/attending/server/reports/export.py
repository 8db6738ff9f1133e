"""Writes the bundle of a period or of chosen inferences from the ledger, with the context its checks rest on.

The export is an entry before a byte of it is given out. The file lies in a folder of its own while it is sent,
locked by the process that makes it; what a crash leaves is removed by the next server that starts there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry, Payload
from attending.ledger.errors import DuplicateClaim
from attending.ledger.files import make_folder
from attending.ledger.ledger import Ledger
from attending.ledger.proof import parse_receipt
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.halts import stream_of
from attending.ledger.verify.writer import write_bundle
from attending.server import projections
from attending.server.clock import parse, stamp
from attending.server.errors import InvalidRequest, NotFound
from attending.server.idempotency import Once, answered
from attending.server.passkeys.invitations import invitation_stream
from attending.server.phi.access import Permit, PhiAccess
from attending.server.reports.deidentified.pseudonyms import SEED_BYTES, SEED_KIND
from attending.server.reports.deidentify import deidentify_in_process
from attending.server.reports.disk import written
from attending.server.reports.ledger_source import BLOCK, LedgerSource
from attending.server.reports.plan import ExportOrder, Plan, Progress
from attending.server.review.enrolment import key_stream
from sqlalchemy import select

__all__ = ["ExportOrder", "Exporter", "Plan", "Progress", "sweep", "workplace"]

MAX_INFERENCES = 10_000
_SUBJECTS_A_COMMIT = 500


class Exporter:
    """Shared by all calls of one server process."""

    def __init__(self, ledger: Ledger, folder: Path, phi: PhiAccess, now: Callable[[], datetime]) -> None:
        """`folder` is for exports alone; several server processes may share it."""
        self._ledger = ledger
        self._phi = phi
        self._folder = folder
        self._now = now
        make_folder(folder)
        sweep(folder)

    @asynccontextmanager
    async def bundle(
        self, permit: Permit, order: ExportOrder, once: Once, progress: Progress, *, lead_back: bool = False
    ) -> AsyncIterator[Path]:
        """The path of the finished bundle, or de-identified document, which is gone when the context ends. The permit
        is for the order's purpose. With `lead_back` it is the map of the document's pseudonyms.

        What is asked for again under the same key is the same file, byte for byte, as long as nothing of it was erased
        or pruned and the log's key is the same. Raises InvalidRequest, NotFound (no entry in the period, unknown
        inference), FailedPrecondition (IDENTIFIERS_REMAIN), Unavailable (REPORT_NOT_MADE).
        """
        tenant = permit.principal.tenant
        entry = await self._recorded(permit, order, once)
        if lead_back:
            about = {"export": entry.index}
            await self._phi.record(permit, "access.revealed", "pseudonym_map", subject=None, about=about)
        plan = await self._plan_of(tenant, order, entry)
        with written():
            work, lock = workplace(self._folder)
        try:
            path = work / "bundle.attending"
            made = parse(entry.time)
            with written():
                await self.write(
                    tenant, plan, path, made, progress, payloads=order.include_payloads, fhir=order.fhir
                )
                if order.de_identified:
                    names = work / "pseudonyms.jsonl"
                    document = work / "document.attending"
                    await self.deidentify(
                        tenant, entry, path, document, progress, map_out=names if lead_back else None
                    )
                    path = names if lead_back else document
            yield path
        finally:
            await asyncio.to_thread(shutil.rmtree, work, True)
            os.close(lock)

    async def write(
        self,
        tenant: str,
        plan: Plan,
        path: Path,
        created: datetime,
        progress: Progress,
        *,
        payloads: bool = False,
        fhir: bool = False,
    ) -> None:
        """Writes the bundle of a plan, whole or not at all: the same bytes for the same plan and `created`, as long as
        the log's key is the same and nothing of it is erased or pruned.

        Raises SigningKeyRetired, and the ledger's errors.
        """
        context = await self._context(tenant, plan)
        loop = asyncio.get_running_loop()
        source = LedgerSource(self._ledger, loop, tenant, plan, progress)
        proofs: list[list[bytes]] | None = None
        if plan.scope is Scope.SUBSET:
            proofs = [await self._ledger.inclusion_proof(tenant, index, plan.size) for index in plan.indexes]
        await asyncio.to_thread(
            write_bundle,
            path,
            origin=self._ledger.origin(tenant),
            scope=plan.scope,
            begin=plan.begin,
            end=plan.end,
            entries=source.entries(),
            checkpoint_note=plan.checkpoint,
            sign=lambda text: self._ledger.sign_note(tenant, text, plan.size),
            created=created,
            range_hashes=await self._ledger.range_frontier(tenant, plan.begin)
            if plan.scope is Scope.RANGE
            else (),
            consistency=await self._ledger.consistency_proof(tenant, plan.end, plan.size)
            if plan.scope is Scope.RANGE and plan.end < plan.size
            else (),
            proofs=proofs,
            context=context,
            introductions=await self._introductions(tenant, plan),
            payloads=source.payloads() if payloads else None,
            verifier_keys=[self._ledger.verifier_key(tenant, plan.size)],
            figures=True,
            fhir=fhir,
        )

    async def deidentify(
        self,
        tenant: str,
        entry: Entry,
        bundle: Path,
        out: Path,
        progress: Progress = lambda _done, _total: None,
        *,
        map_out: Path | None = None,
    ) -> None:
        """Writes the document of a finished bundle with the secret that is sealed under `entry`. Raises as
        `deidentify_in_process`, PayloadPruned.
        """
        sealed = next(item for item in entry.commitments if item.kind == SEED_KIND)
        secret = await self._ledger.open_payload(tenant, sealed.record)
        size = parse_checkpoint(entry.body["checkpoint"]).size
        await deidentify_in_process(
            bundle,
            out,
            secret,
            sealed.commitment,
            lambda text: self._ledger.sign_note(tenant, text, size),
            progress,
            map_out=map_out,
        )

    async def _introductions(self, tenant: str, plan: Plan) -> list[tuple[str, Sequence[bytes]]]:
        """What leads from the log's first key to the one that signs the bundle, each with the proof up to its head."""
        return [
            (text, await self._ledger.consistency_proof(tenant, parse_receipt(text).index + 1, plan.size))
            for text in self._ledger.introductions(tenant, plan.size)
        ]

    async def _recorded(self, permit: Permit, order: ExportOrder, once: Once) -> Entry:
        """The entry of the export, once it is on record: with payloads, for every person whose content it holds.

        A crash on the way leaves exports on record that nobody received: the safe side. A retry is given the same file
        once more. With payloads that is a further disclosure and recorded as one; without, it is not.
        """
        tenant, disclosed = permit.principal.tenant, order.include_payloads and not order.de_identified
        if (before := await answered(self._ledger, tenant, once)) is not None:
            entry = await self._ledger.get_entry(tenant, before[0])
            if disclosed:
                plan = await self._plan_of(tenant, order, entry)
                about = await self._disclosed(permit, order, plan)
                again = self._phi.entry(permit, "access.exported", "export", subject=None, about=about)
                await self._ledger.append(tenant, [again])
            return entry
        plan = await self.plan(tenant, order)
        about = await self._disclosed(permit, order, plan) if disclosed else _about(order, plan)
        whole = self._phi.entry(permit, "access.exported", "export", subject=None, about=about)
        if order.de_identified:
            secret = Payload(SEED_KIND, secrets.token_bytes(SEED_BYTES))
            whole = replace(whole, payloads=(secret,))
        try:
            index = (await self._ledger.append(tenant, [whole], claim=once.claim(whole.stream))).first_index
        except DuplicateClaim:
            # The same request came first, at the same time; this one gives a bundle as well.
            before = await answered(self._ledger, tenant, once)
            assert before is not None
            index = before[0]
            if disclosed:
                await self._ledger.append(tenant, [whole])
        return await self._ledger.get_entry(tenant, index)

    async def _disclosed(self, permit: Permit, order: ExportOrder, plan: Plan) -> dict[str, Any]:
        """Puts on record that content of every person in the plan is given; what the entry about the whole says."""
        tenant = permit.principal.tenant
        subjects = await self._subjects(tenant, plan)
        about = {**_about(order, plan), "subjects": len(subjects)}
        given = {name: value for name, value in about.items() if name != "checkpoint"}
        for start in range(0, len(subjects), _SUBJECTS_A_COMMIT):
            people = subjects[start : start + _SUBJECTS_A_COMMIT]
            await self._ledger.append(
                tenant,
                [
                    self._phi.entry(permit, "access.exported", "export", subject=subject, about=given)
                    for subject in people
                ],
            )
        return about

    async def _plan_of(self, tenant: str, order: ExportOrder, entry: Entry) -> Plan:
        """The plan that an entry put on record."""
        body = entry.body
        if "checkpoint" not in body:  # of a version before
            return await self.plan(tenant, order)
        if order.inference_ids:
            return await self.subset(
                tenant,
                order.inference_ids,
                body["checkpoint"],
                body["tree_size"],
                certificates=order.include_payloads,
            )
        return Plan(Scope(body["scope"]), body["from"], body["to"], (), body["checkpoint"], body["tree_size"])

    async def _subjects(self, tenant: str, plan: Plan) -> list[str]:
        """Pseudonyms of everybody whom the entries with payloads are about, sorted."""
        found: set[str] = set()
        async for entry in self._planned(tenant, plan):
            if entry.commitments and entry.subject is not None:
                found.add(entry.subject)
        return sorted(found)

    async def _planned(self, tenant: str, plan: Plan) -> AsyncIterator[Entry]:
        if plan.scope is Scope.SUBSET:
            for index in plan.indexes:
                yield await self._ledger.get_entry(tenant, index)
            return
        async for block in self.blocks(tenant, plan):
            for entry in block:
                yield entry

    async def blocks(self, tenant: str, plan: Plan) -> AsyncIterator[Sequence[Entry]]:
        """The entries of a plan without gaps, some at once."""
        for start in range(plan.begin, plan.end, BLOCK):
            yield await self._ledger.list_entries(tenant, start, min(BLOCK, plan.end - start))

    async def plan(self, tenant: str, order: ExportOrder) -> Plan:
        """What to write, under the newest checkpoint. Raises InvalidRequest, NotFound."""
        if len(order.inference_ids) > MAX_INFERENCES:
            raise InvalidRequest([("inference_ids", f"has more than {MAX_INFERENCES} ids")])
        if order.fhir and order.de_identified:
            raise InvalidRequest([("include_fhir", "cannot be combined with `de_identified`")])
        if order.inference_ids and (order.from_time or order.to_time):
            raise InvalidRequest([("inference_ids", "cannot be combined with a period")])
        if order.from_time and order.to_time and order.from_time >= order.to_time:
            raise InvalidRequest([("to", "must be after `from`")])
        checkpoint = await self._ledger.checkpoint(tenant)
        size = parse_checkpoint(checkpoint).size
        if order.inference_ids:
            return await self.subset(
                tenant, order.inference_ids, checkpoint, size, certificates=order.include_payloads
            )
        begin = await self.first_at(tenant, order.from_time, size) if order.from_time else 0
        end = await self.first_at(tenant, order.to_time, size) if order.to_time else size
        if begin >= end:
            raise NotFound("NO_ENTRIES_IN_PERIOD")
        scope = Scope.FULL if (begin, end) == (0, size) else Scope.RANGE
        return Plan(scope, begin, end, (), checkpoint, size)

    async def subset(
        self,
        tenant: str,
        inference_ids: Sequence[str],
        checkpoint: str,
        size: int,
        *,
        certificates: bool = False,
    ) -> Plan:
        """The entries of chosen inferences under a checkpoint of `size`. Raises NotFound (UNKNOWN_INFERENCE)."""
        indexes: set[int] = set()
        for inference_id in dict.fromkeys(inference_ids):
            stream = await self._ledger.whole_stream(tenant, inference_id)
            if not stream or not inference_id.startswith("inf_"):
                raise NotFound("UNKNOWN_INFERENCE")
            indexes |= {entry.index for entry in stream if entry.index < size}
        indexes |= {entry.index for entry in await self._key_entries(tenant) if entry.index < size}
        if certificates:
            indexes |= await self._certificates(tenant, indexes, size)
        chosen = tuple(sorted(indexes))
        return Plan(Scope.SUBSET, chosen[0], chosen[-1] + 1, chosen, checkpoint, size)

    async def _certificates(self, tenant: str, indexes: set[int], size: int) -> set[int]:
        """Entries that say why payloads of those at `indexes` are gone: without them V19 cannot decide."""
        found: set[int] = set()
        for index in indexes:
            for item in (await self._ledger.get_entry(tenant, index)).commitments:
                certificate = await self._ledger.certificate(tenant, item.record)
                if certificate is not None and certificate < size:
                    found.add(certificate)
        return found

    async def first_at(self, tenant: str, moment: datetime, size: int) -> int:
        """Index of the first entry at or after `moment`; times never go back, so halving finds it."""
        wanted, low, high = stamp(moment), 0, size
        while low < high:
            middle = (low + high) // 2
            if (await self._ledger.get_entry(tenant, middle)).time < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    async def _context(self, tenant: str, plan: Plan) -> list[tuple[bytes, Sequence[bytes]]]:
        """Entries before a range that its checks rest on: keys, the earlier part of streams that go on, and whether
        anything was halted.
        """
        if plan.scope is not Scope.RANGE or plan.begin == 0:
            return []
        earlier = {
            entry.index: entry for entry in await self._key_entries(tenant) if entry.index < plan.begin
        }
        streams: set[str] = set()
        policies: set[str | None] = {None}
        for start in range(plan.begin, plan.end, BLOCK):
            block = await self._ledger.list_entries(tenant, start, min(BLOCK, plan.end - start))
            streams |= {entry.stream for entry in block if entry.stream.startswith("inf_")}
            policies |= {_policy(entry) for entry in block}
        for stream in sorted(streams):
            first = await self._ledger.whole_stream(tenant, stream)
            earlier |= {entry.index: entry for entry in first if entry.index < plan.begin}
        policies |= {_policy(entry) for entry in earlier.values()}
        for halts in sorted({stream_of(policy) for policy in policies}):
            before = [e for e in await self._ledger.whole_stream(tenant, halts) if e.index < plan.begin]
            earlier |= {entry.index: entry for entry in before[-1:]}
        return [
            (entry.data, await self._ledger.inclusion_proof(tenant, index, plan.size))
            for index, entry in sorted(earlier.items())
        ]

    async def _key_entries(self, tenant: str) -> list[Entry]:
        keys = projections.signing_key
        rows = await self._ledger.query(select(keys.c.key_id).where(keys.c.log_id == tenant))
        found: list[Entry] = []
        for row in rows:
            key_id = row._mapping["key_id"]
            found += await self._ledger.whole_stream(tenant, key_stream(key_id))
        # Of a passkey also the two people who let its person bind it.
        for name in {str(entry.body["invitation"]) for entry in found if "invitation" in entry.body}:
            found += await self._ledger.whole_stream(tenant, invitation_stream(name))
        return found


def workplace(folder: Path) -> tuple[Path, int]:
    """A new folder in `folder`, and the descriptor whose closing gives up the lock on it."""
    while True:
        work = Path(tempfile.mkdtemp(dir=folder))
        # Until it is locked, another process that starts may take it for one left from a crash.
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if work.exists():
                    return work, lock
            os.close(lock)


def sweep(folder: Path) -> None:
    """Removes what crashed exports left in `folder`: whatever no living process holds."""
    for left in folder.iterdir():
        with contextlib.suppress(OSError):  # it is held, or another process removes it
            lock = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()
            finally:
                os.close(lock)


def _about(order: ExportOrder, plan: Plan) -> dict[str, Any]:
    """What the entry of an export says: enough to make the same file again."""
    said = {
        "purpose": order.purpose,
        "scope": plan.scope.value,
        "from": plan.begin,
        "to": plan.end,
        "entries": plan.total,
        "tree_size": plan.size,
        "checkpoint": plan.checkpoint,
        "payloads": order.include_payloads and not order.de_identified,
    }
    if order.fhir:
        said["fhir"] = True
    return {**said, "de_identified": True, "texts": order.include_payloads} if order.de_identified else said


def _policy(entry: Entry) -> str | None:
    """The policy under which an entry begins an inference."""
    return str(entry.body["policy"]) if entry.type == "inference.requested" else None
