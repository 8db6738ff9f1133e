"""A report's life, each step a conditional append on the stream `report:<id>` of the tenant's log.

    requested --signed off (a named person)--> signed off --issued--> issued

The files are derived: `report.requested` says which part of the log under which head, so that bundle and draft are made
again, byte for byte, by any process that finds them missing. What a crash leaves: before an append nothing of the step,
after it a report whose files are made anew when somebody asks.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from attending.ledger.canonical import encode
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import DuplicateClaim, VerificationError
from attending.ledger.files import make_folder
from attending.ledger.ledger import Ledger
from attending.ledger.report_signature import (
    DISCLOSED,
    ISSUED,
    MEANING,
    REQUESTED,
    ROLES,
    SIGNED_OFF,
    ReportStatement,
    report_stream,
)
from attending.ledger.reviewer_key import Proof, ReviewerKey
from attending.ledger.submission import Expectation
from attending.ledger.verify.checks import Scope
from attending.server import projections
from attending.server.auth.authorize import Authorizer
from attending.server.auth.principal import Principal
from attending.server.clock import parse, stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered, claimed, index_of
from attending.server.phi.access import Permit
from attending.server.replay.reducers import rows_of_append
from attending.server.reports.choose import Choice, choose
from attending.server.reports.export import Exporter, ExportOrder, Plan, sweep, workplace
from attending.server.reports.make import make_in_process
from attending.server.reports.particulars import Kind, Particulars, SignedOff
from attending.server.reports.source import statistics_in
from attending.server.review.enrolment import key_in_force, signing_key_of
from sqlalchemy import RowMapping, select

log = structlog.get_logger()

PREPARATION_SECONDS: Final = 600
MAX_PREPARATIONS: Final = 100
MOST_MAKING: Final = 20
BUNDLE, DRAFT, ISSUED_PDF = "bundle.attending", "draft.pdf", "report.pdf"
WORK: Final = ".work"
"""No tenant is named so."""
_REPORTS = projections.report


@dataclass
class Making:
    """One report that is being made by this process, or could not be."""

    task: asyncio.Task[None] | None = None
    done: int = 0
    total: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it stands: its row, and whether its files are there."""

    row: RowMapping
    ready: bool
    making: Making


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that waits for its signature, in this process's memory."""

    preparation_id: str
    tenant: str
    statement: ReportStatement
    key: ReviewerKey
    expires_at: str


@dataclass
class ReportDesk:
    """Shared by all calls of one server process. `folder` is for reports alone; processes may share it."""

    ledger: Ledger
    exporter: Exporter
    authorizer: Authorizer
    folder: Path
    embedded: bool
    now: Callable[[], datetime]
    _making: dict[tuple[str, str], Making] = field(default_factory=dict)
    _prepared: dict[str, Prepared] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        make_folder(self.folder / WORK)
        sweep(self.folder / WORK)

    async def create(self, permit: Permit, kind: Kind, choice: Choice, purpose: str, once: Once) -> Report:
        """Puts the report on record and begins to make it.

        Raises NotFound (NO_ENTRIES_IN_PERIOD, NOTHING_CHOSEN, UNKNOWN_INFERENCE), FailedPrecondition
        (TOO_MANY_CHOSEN, TOO_MANY_REPORTS).
        """
        principal, tenant = permit.principal, permit.principal.tenant
        if (stream := await claimed(self.ledger, tenant, once)) is not None:
            return await self.get(tenant, stream.removeprefix(report_stream("")))
        if sum(one.task is not None for one in self._making.values()) >= MOST_MAKING:
            raise FailedPrecondition("TOO_MANY_REPORTS")
        chosen = await choose(self.ledger, tenant, choice) if choice.chosen else []
        if chosen:
            checkpoint = await self.ledger.checkpoint(tenant)
            plan = await self.exporter.subset(tenant, chosen, checkpoint, parse_checkpoint(checkpoint).size)
        else:
            order = ExportOrder(choice.from_time, choice.to_time, (), purpose, False)
            plan = await self.exporter.plan(tenant, order)
        report_id = f"rpt_{secrets.token_hex(16)}"
        pending = PendingEntry(
            type=REQUESTED,
            stream=report_stream(report_id),
            actor=principal.actor,
            subject=choice.subject or None,
            body={
                "report": report_id,
                "kind": kind.value,
                "purpose": purpose,
                "purpose_of_use": permit.purpose.value,
                "choice": choice.body(),
                "scope": plan.scope.value,
                "from": plan.begin,
                "to": plan.end,
                "inferences": chosen,
                "tree_size": plan.size,
                "checkpoint": plan.checkpoint,
            },
            occurred_at=self.now(),
        )
        with suppress(DuplicateClaim):  # the same call came first, at the same time
            await self.ledger.append(
                tenant,
                [pending],
                expect=[Expectation(pending.stream, 0)],
                claim=once.claim(pending.stream),
                rows=rows_of_append([pending]),
            )
        stream = await claimed(self.ledger, tenant, once)
        assert stream is not None
        return await self.get(tenant, stream.removeprefix(report_stream("")))

    async def get(self, tenant: str, report_id: str) -> Report:
        """The report; begins to make it where its files are missing. Raises NotFound (UNKNOWN_REPORT)."""
        row = await self._row(tenant, report_id)
        making = self._making.setdefault((tenant, report_id), Making())
        ready = self._there(tenant, report_id)
        if not ready and making.task is None and not making.failure:
            making.task = asyncio.create_task(self._make(tenant, report_id, making))
        return Report(row, ready, making)

    async def list(self, tenant: str, limit: int, offset: int) -> list[Report]:
        """Reports, newest first; begins nothing."""
        rows = await self.ledger.query(
            select(_REPORTS)
            .where(_REPORTS.c.log_id == tenant)
            .order_by(_REPORTS.c.requested_index.desc())
            .limit(limit)
            .offset(offset)
        )
        return [
            Report(
                row._mapping,
                self._there(tenant, row._mapping["report_id"]),
                self._making.get((tenant, row._mapping["report_id"]), Making()),
            )
            for row in rows
        ]

    async def prepare(self, principal: Principal, report_id: str, key_id: str) -> Prepared:
        """The statement that signs the report off, over the draft as it is.

        Raises PermissionDenied (ROLE_NOT_PERMITTED), NotFound (UNKNOWN_REPORT, UNKNOWN_KEY), FailedPrecondition
        (REPORT_SIGNED_OFF, REPORT_NOT_READY, TOO_MANY_PREPARATIONS).
        """
        tenant, role = principal.tenant, _role(principal)
        try:
            key = await signing_key_of(self.ledger, principal, key_id)
        except FailedPrecondition:
            # It names the key and nothing else: one of another tenant looks like one that there is not.
            raise NotFound("UNKNOWN_KEY") from None
        row = await self._in_state(tenant, report_id, "requested")
        place = await self._ready(tenant, report_id)
        requested = await self._requested(tenant, report_id)
        head, now = parse_checkpoint(requested.body["checkpoint"]), self.now()
        statement = ReportStatement(
            origin=self.ledger.origin(tenant),
            report=report_id,
            kind=row["kind"],
            bundle=await _digest(place / BUNDLE),
            statistics=hashlib.sha256(await asyncio.to_thread(statistics_in, place / BUNDLE)).hexdigest(),
            draft=await _digest(place / DRAFT),
            tree_size=head.size,
            root=head.root.hex(),
            meaning=MEANING,
            signer=principal.name,
            key_id=key_id,
            role=role,
            time=stamp(now),
            nonce=secrets.token_hex(16),
        )
        expires = stamp(now + timedelta(seconds=PREPARATION_SECONDS))
        prepared = Prepared(f"prr_{secrets.token_hex(16)}", tenant, statement, key, expires)
        self._keep(prepared, stamp(now))
        return prepared

    async def sign(self, principal: Principal, preparation_id: str, signature: bytes, once: Once) -> Entry:
        """Verifies the signature and signs the report off; the entry.

        Raises NotFound (UNKNOWN_PREPARATION), PermissionDenied (NOT_YOUR_PREPARATION, ROLE_NOT_PERMITTED),
        FailedPrecondition (PREPARATION_EXPIRED, SIGNATURE_INVALID, KEY_UNKNOWN, REPORT_SIGNED_OFF), Aborted.
        """
        tenant = principal.tenant
        if (done := await answered(self.ledger, tenant, once)) is not None:
            return await self.ledger.get_entry(tenant, done[0])
        prepared = self._prepared.get(preparation_id)
        if prepared is None or prepared.tenant != tenant:
            raise NotFound("UNKNOWN_PREPARATION")
        statement = prepared.statement
        if statement.signer != principal.name:
            raise PermissionDenied("NOT_YOUR_PREPARATION")
        if statement.role not in principal.roles:
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        if prepared.expires_at <= stamp(self.now()):
            raise FailedPrecondition("PREPARATION_EXPIRED")
        proof = Proof(signature, None)
        try:
            prepared.key.verify(statement.message(), proof)
        except VerificationError as err:
            await self.authorizer.misused(principal, "signOffReport", err.reason)
            raise FailedPrecondition("SIGNATURE_INVALID") from None
        version = await self.ledger.stream_version(tenant, report_stream(statement.report))
        await self._in_state(tenant, statement.report, "requested")
        key = await key_in_force(self.ledger, tenant, statement.key_id)
        body = {
            "report": statement.report,
            "statement": statement.to_json(),
            **proof.to_json(prepared.key.algorithm),
            "key_id": statement.key_id,
        }
        entry = await self._append(principal, SIGNED_OFF, statement.report, body, version, once, key)
        self._prepared.pop(preparation_id, None)
        return entry

    async def issue(self, principal: Principal, report_id: str, once: Once) -> Entry:
        """Makes the pages with their signature and issues them; the entry.

        Raises FailedPrecondition (REPORT_NOT_SIGNED_OFF, REPORT_ISSUED, REPORT_NOT_READY, REPORT_CHANGED: the files are
        not those that were signed), Unavailable (REPORT_NOT_MADE), Aborted.
        """
        tenant = principal.tenant
        if (done := await answered(self.ledger, tenant, once)) is not None:
            return await self.ledger.get_entry(tenant, done[0])
        await self._in_state(tenant, report_id, "signed_off")
        place = await self._ready(tenant, report_id)
        statement = (await self._signed_off(tenant, report_id)).body["statement"]
        for name, signed in ((BUNDLE, statement["bundle"]), (DRAFT, statement["draft"])):
            if signed != await _digest(place / name):
                raise FailedPrecondition("REPORT_CHANGED")
        # The pages get their name once they are issued: a crash after the append leaves them to be made again.
        async with self._issued(tenant, report_id, place) as pdf:
            body = {
                "report": report_id,
                "kind": statement["kind"],
                "bundle": statement["bundle"],
                "statistics": statement["statistics"],
                "pdf": await _digest(pdf),
                "tree_size": statement["tree_size"],
            }
            # Read after the pages are set, which takes minutes: who downloads meanwhile writes to the same stream.
            version = await self.ledger.stream_version(tenant, report_stream(report_id))
            await self._in_state(tenant, report_id, "signed_off")
            return await self._append(principal, ISSUED, report_id, body, version, once)

    async def download(self, permit: Permit, report_id: str, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file, after its disclosure is on record.

        Raises FailedPrecondition (REPORT_NOT_READY, REPORT_NOT_ISSUED, REPORT_CHANGED), NotFound (UNKNOWN_REPORT).
        """
        tenant = permit.principal.tenant
        row = await self._row(tenant, report_id)
        if name == ISSUED_PDF and row["state"] != "issued":
            raise FailedPrecondition("REPORT_NOT_ISSUED")
        path = self._place(tenant, report_id) / name
        if not path.exists():
            place = await self._ready(tenant, report_id)
            if name == ISSUED_PDF:
                async with self._issued(tenant, report_id, place):
                    pass
        # One open file is hashed and given: what is on record is what is given, whatever gets its name meanwhile.
        with path.open("rb") as file:
            digest = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()
            if name == ISSUED_PDF and digest != await self._issued_digest(tenant, report_id):
                path.unlink(missing_ok=True)
                raise FailedPrecondition("REPORT_CHANGED")
            body = {
                "report": report_id,
                "what": {ISSUED_PDF: "report", DRAFT: "draft", BUNDLE: "bundle"}[name],
                "sha256": digest,
                "purpose_of_use": permit.purpose.value,
            }
            await self.ledger.append(tenant, [self._entry(permit.principal, DISCLOSED, report_id, body)])
            file.seek(0)
            while chunk := await asyncio.to_thread(file.read, 65_536):
                yield chunk

    async def drain(self) -> None:
        """Returns when nothing is being made any more; what was under way is made again when it is asked for."""
        tasks = [one.task for one in self._making.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- making ----------------------------------------------------------------------------------------------

    async def _make(self, tenant: str, report_id: str, making: Making) -> None:
        try:
            async with self._turn:
                await self._make_files(tenant, report_id, making)
        except Exception as err:  # whatever it was: it is not made, and that is said
            making.failure = getattr(err, "reason", "REPORT_NOT_MADE")
            log.warning("report.not_made", tenant=tenant, report=report_id, error_type=type(err).__name__)
        finally:
            making.task = None

    async def _make_files(self, tenant: str, report_id: str, making: Making) -> None:
        requested = await self._requested(tenant, report_id)
        plan = await self._plan(tenant, requested)
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(_told, making, done, total)

        about = self._particulars(tenant, requested, None)
        async with self._work(tenant, report_id, BUNDLE, DRAFT) as work:
            bundle = work / BUNDLE
            await self.exporter.write(tenant, plan, bundle, parse(requested.time), progress)
            await make_in_process(
                bundle, work / DRAFT, about, _dossier_of(requested), lambda d, t: _told(making, d, t)
            )
        log.info("report.made", tenant=tenant, report=report_id)

    @asynccontextmanager
    async def _issued(self, tenant: str, report_id: str, place: Path) -> AsyncIterator[Path]:
        """The pages with their signature, which take their place when the context ends well."""
        requested = await self._requested(tenant, report_id)
        signed = await self._signed_off(tenant, report_id)
        about = self._particulars(tenant, requested, signed)
        async with self._work(tenant, report_id, ISSUED_PDF) as work:
            async with self._turn:
                await make_in_process(place / BUNDLE, work / ISSUED_PDF, about, _dossier_of(requested))
            yield work / ISSUED_PDF

    @asynccontextmanager
    async def _work(self, tenant: str, report_id: str, *names: str) -> AsyncIterator[Path]:
        """A folder of this process's own, whose files of these names take their place when the context ends well. What
        another process makes of the same report meanwhile are the same bytes.
        """
        place = self._place(tenant, report_id)
        await asyncio.to_thread(make_folder, place)
        work, lock = workplace(self.folder / WORK)
        try:
            yield work
            for name in names:
                (work / name).replace(place / name)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, True)
            os.close(lock)

    async def _plan(self, tenant: str, requested: Entry) -> Plan:
        body = requested.body
        if body["inferences"]:
            return await self.exporter.subset(
                tenant, body["inferences"], body["checkpoint"], body["tree_size"]
            )
        return Plan(Scope(body["scope"]), body["from"], body["to"], (), body["checkpoint"], body["tree_size"])

    def _particulars(self, tenant: str, requested: Entry, signed: Entry | None) -> Particulars:
        body = requested.body
        return Particulars(
            report_id=body["report"],
            kind=Kind(body["kind"]),
            origin=requested.origin,
            purpose=body["purpose"],
            requested_by=requested.actor,
            requested_at=requested.time,
            scope=_scope_words(body["choice"], requested.time),
            verifier_key=self.ledger.verifier_key(tenant, body["tree_size"]),
            embedded=self.embedded,
            signed_off=None if signed is None else _signed(signed),
        )

    def _place(self, tenant: str, report_id: str) -> Path:
        return self.folder / tenant / report_id

    def _there(self, tenant: str, report_id: str) -> bool:
        place = self._place(tenant, report_id)
        return (place / BUNDLE).exists() and (place / DRAFT).exists()

    async def _ready(self, tenant: str, report_id: str) -> Path:
        """Its folder, once bundle and draft are there. What failed before is tried again."""
        making = self._making.setdefault((tenant, report_id), Making())
        making.failure = ""
        report = await self.get(tenant, report_id)
        if not report.ready:
            raise FailedPrecondition("REPORT_NOT_READY")
        return self._place(tenant, report_id)

    # -- on record -------------------------------------------------------------------------------------------

    async def _row(self, tenant: str, report_id: str) -> RowMapping:
        rows = await self.ledger.query(
            select(_REPORTS).where(_REPORTS.c.log_id == tenant, _REPORTS.c.report_id == report_id)
        )
        if not rows:
            raise NotFound("UNKNOWN_REPORT")
        return rows[0]._mapping

    async def _in_state(self, tenant: str, report_id: str, state: str) -> RowMapping:
        row = await self._row(tenant, report_id)
        if row["state"] == state:
            return row
        if row["state"] == "requested":
            raise FailedPrecondition("REPORT_NOT_SIGNED_OFF")
        if row["state"] == "signed_off":
            raise FailedPrecondition("REPORT_SIGNED_OFF")
        raise FailedPrecondition("REPORT_ISSUED")

    async def _requested(self, tenant: str, report_id: str) -> Entry:
        return (await self.ledger.stream_entries(tenant, report_stream(report_id), 0, 1))[0]

    async def _signed_off(self, tenant: str, report_id: str) -> Entry:
        return await self._of_type(tenant, report_id, SIGNED_OFF)

    async def _issued_digest(self, tenant: str, report_id: str) -> str:
        return str((await self._of_type(tenant, report_id, ISSUED)).body["pdf"])

    async def _of_type(self, tenant: str, report_id: str, kind: str) -> Entry:
        stream = await self.ledger.whole_stream(tenant, report_stream(report_id))
        return next(entry for entry in stream if entry.type == kind)

    async def _append(
        self,
        principal: Principal,
        kind: str,
        report_id: str,
        body: dict[str, Any],
        version: int,
        once: Once,
        *more: Expectation,
    ) -> Entry:
        tenant, pending = principal.tenant, self._entry(principal, kind, report_id, body)
        appending = self.ledger.append(
            tenant,
            [pending],
            expect=[Expectation(pending.stream, version), *more],
            claim=once.claim(pending.stream),
            rows=rows_of_append([pending]),
        )
        index = await index_of(self.ledger, tenant, once, appending, Aborted("REPORT_MOVED"))
        return await self.ledger.get_entry(tenant, index)

    def _entry(self, principal: Principal, kind: str, report_id: str, body: dict[str, Any]) -> PendingEntry:
        return PendingEntry(
            type=kind,
            stream=report_stream(report_id),
            actor=principal.actor,
            subject=None,
            body=body,
            occurred_at=self.now(),
        )

    def _keep(self, prepared: Prepared, now: str) -> None:
        # One of each person and report: what waits must not grow with what is asked.
        mine = (prepared.tenant, prepared.statement.signer, prepared.statement.report)
        for name, other in list(self._prepared.items()):
            same = (other.tenant, other.statement.signer, other.statement.report) == mine
            if other.expires_at <= now or same:
                del self._prepared[name]
        if len(self._prepared) >= MAX_PREPARATIONS:
            raise FailedPrecondition("TOO_MANY_PREPARATIONS")
        self._prepared[prepared.preparation_id] = prepared


def _role(principal: Principal) -> str:
    role = next((one for one in ROLES if one in principal.roles), None)
    if role is None:
        raise PermissionDenied("ROLE_NOT_PERMITTED")
    return role


def _signed(entry: Entry) -> SignedOff:
    said = entry.body["statement"]
    return SignedOff(
        name=said["signer"],
        role=said["role"],
        meaning=said["meaning"],
        time=said["time"],
        key_id=said["key_id"],
        algorithm=entry.body.get("algorithm", "ed25519"),
        signature=entry.body["signature"],
        statement=encode(dict(said)).decode(),
        entry=entry.index,
    )


def _scope_words(choice: dict[str, Any], asked: str) -> tuple[tuple[str, str], ...]:
    since, until = choice.get("from_time"), choice.get("to_time")
    if until is not None and until > asked:
        # Nobody can have entries of a time that was to come.
        until = f"{until}, of which no more than up to {asked}, when it was asked for"
    period = f"{since or 'the beginning'} to {until or 'the end'}" if since or until else "the whole log"
    names = {
        "inference_id": "Inference",
        "policy": "Policy",
        "prompt_version": "Prompt version",
        "model": "Model",
        "subject": "Person (pseudonym)",
        "clinician": "Signed by",
    }
    chosen = tuple((title, str(choice[name])) for name, title in names.items() if choice.get(name))
    return (*chosen, ("Period", period)) if since or until or not chosen else chosen


def _dossier_of(requested: Entry) -> str | None:
    body = requested.body
    return body["inferences"][0] if body["kind"] == Kind.DOSSIER and body["inferences"] else None


def _told(making: Making, done: int, total: int) -> None:
    making.done, making.total = done, total


async def _digest(path: Path) -> str:
    def read() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return await asyncio.to_thread(read)
