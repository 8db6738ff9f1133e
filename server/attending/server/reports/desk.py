"""A report's life, each step a conditional append on the stream `report:<id>` of the tenant's log.

    requested --signed off (a named person)--> signed off --issued--> issued
    requested, signed off --discarded (by a person; where nobody signs, by time)--> discarded

The files are derived: `report.requested` says which part of the log under which head, so that bundle and draft are made
again, byte for byte, by any process that finds them missing. What a crash leaves: before an append nothing of the step,
after it a report whose files are made anew when somebody asks.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Final

from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim
from attending.ledger.ledger import Ledger
from attending.ledger.report_signature import DISCLOSED, ISSUED, REQUESTED, report_stream
from attending.ledger.submission import Expectation
from attending.ledger.webauthn import Assertion
from attending.server import projections
from attending.server.auth.authorize import Authorizer
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import FailedPrecondition, Unavailable
from attending.server.idempotency import Once, answered, claimed
from attending.server.phi.access import Permit
from attending.server.phi.purpose import OF_EXPORT
from attending.server.replay.reducers import rows_of_append
from attending.server.reports.choose import Choice
from attending.server.reports.discard import Discards
from attending.server.reports.evidence import EvidencePlanner
from attending.server.reports.export import Exporter
from attending.server.reports.look import Look, look_at
from attending.server.reports.particulars import Kind
from attending.server.reports.record import Record
from attending.server.reports.right import require_right
from attending.server.reports.seal import Sealer
from attending.server.reports.shelf import Shelf
from attending.server.reports.sign_off import Prepared, SignOff
from attending.server.reports.verdict import VERDICT
from attending.server.reports.workshop import BUNDLE, DRAFT, ISSUED_PDF, SEAL_KIND, Making, Workshop, digest
from sqlalchemy import RowMapping, select

MOST_MAKING: Final = 20
MOST_MAKING_OF_TENANT: Final = 5
MOST_BYTES: Final = 20 << 30
"""That the files of one tenant's reports may take before another is asked for."""
_REPORTS = projections.report


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it stands: its row, and whether its files are there."""

    row: RowMapping
    ready: bool
    making: Making

    @property
    def standing(self) -> str:
        """`making`, `failed`, `ready`, `signed_off`, `issued` or `discarded`."""
        if self.row["state"] != "requested":
            return str(self.row["state"])
        if self.ready:
            return "ready"
        return "failed" if self.making.failure else "making"


@dataclass
class ReportDesk:
    """Shared by all calls of one server process. `folder` is for reports alone; processes may share it."""

    ledger: Ledger
    exporter: Exporter
    authorizer: Authorizer
    folder: Path
    embedded: bool
    now: Callable[[], datetime]
    sealer: Sealer | None = None
    most_bytes: int = MOST_BYTES
    _record: Record = field(init=False)
    _evidence: EvidencePlanner = field(init=False)
    _workshop: Workshop = field(init=False)
    _sign_off: SignOff = field(init=False)
    _discards: Discards = field(init=False)

    def __post_init__(self) -> None:
        self._record = Record(self.ledger, self.now)
        self._evidence = EvidencePlanner(self.ledger, self.exporter)
        self._workshop = Workshop(
            self._record, self.exporter, self._evidence, self.folder, self.embedded, self.sealer
        )
        self._sign_off = SignOff(self._record, self._workshop, self.authorizer)
        self._discards = Discards(self._record, self._workshop)

    async def create(self, permit: Permit, kind: Kind, choice: Choice, purpose: str, once: Once) -> Report:
        """Puts the report on record and begins to make it.

        Raises NotFound (NO_ENTRIES_IN_PERIOD, NOTHING_CHOSEN, UNKNOWN_INFERENCE), FailedPrecondition
        (TOO_MANY_CHOSEN, TOO_MANY_REPORTS, REPORT_FILES_FULL).
        """
        principal, tenant = permit.principal, permit.principal.tenant
        if (stream := await claimed(self.ledger, tenant, once)) is not None:
            return await self.get(tenant, stream.removeprefix(report_stream("")))
        await require_right(self.authorizer, principal, kind)
        if self._workshop.busy >= MOST_MAKING or self._workshop.busy_of(tenant) >= MOST_MAKING_OF_TENANT:
            raise FailedPrecondition("TOO_MANY_REPORTS")
        await self._make_room(tenant)
        with suppress(DuplicateClaim):  # the same call came first, at the same time
            await self.ask(
                tenant,
                principal.actor,
                f"rpt_{secrets.token_hex(16)}",
                kind,
                choice,
                purpose,
                permit.purpose.value,
                claim=once,
            )
        stream = await claimed(self.ledger, tenant, once)
        assert stream is not None
        return await self.get(tenant, stream.removeprefix(report_stream("")))

    async def ask(
        self,
        tenant: str,
        actor: str,
        report_id: str,
        kind: Kind,
        choice: Choice,
        purpose: str = "audit",
        purpose_of_use: str = OF_EXPORT["audit"].value,
        *,
        claim: Once | None = None,
        schedule: str = "",
    ) -> None:
        """Returns when the report is on record under its id, and makes nothing yet.

        Raises NotFound and FailedPrecondition as `create`, ExpectationFailed (there is one of that id), DuplicateClaim.
        """
        plan, chosen = await self._evidence.plan(tenant, kind, choice, purpose)
        pending = PendingEntry(
            type=REQUESTED,
            stream=report_stream(report_id),
            actor=actor,
            subject=choice.subject or None,
            body={
                "report": report_id,
                "kind": kind.value,
                "purpose": purpose,
                "purpose_of_use": purpose_of_use,
                "choice": choice.body(),
                "scope": plan.scope.value,
                "from": plan.begin,
                "to": plan.end,
                "inferences": chosen,
                "tree_size": plan.size,
                "checkpoint": plan.checkpoint,
                **({"schedule": schedule} if schedule else {}),
            },
            occurred_at=self.now(),
        )
        await self.ledger.append(
            tenant,
            [pending],
            expect=[Expectation(pending.stream, 0)],
            claim=None if claim is None else claim.claim(pending.stream),
            rows=rows_of_append([pending]),
        )

    async def get(self, tenant: str, report_id: str) -> Report:
        """The report; begins to make it where its files are missing. Raises NotFound (UNKNOWN_REPORT)."""
        row = await self._record.row(tenant, report_id)
        # Of an issued one that is there, evidence and draft may be gone to make room; of a discarded one all is gone.
        settled = row["state"] == "discarded" or (
            row["state"] == "issued" and (self._workshop.place(tenant, report_id) / ISSUED_PDF).exists()
        )
        look = self._workshop.seen if settled else self._workshop.begin
        making = look(tenant, report_id)
        return Report(row, self._workshop.there(tenant, report_id), making)

    async def again(self, tenant: str, report_id: str) -> None:
        """Begins to make again what could not be made. Raises NotFound (UNKNOWN_REPORT), FailedPrecondition
        (REPORT_DISCARDED).
        """
        await self._record.in_state(tenant, report_id, "requested", "signed_off", "issued")
        self._workshop.again(tenant, report_id)

    async def look(self, tenant: str, report_id: str) -> Look:
        """As `look_at`, of a report that is on record."""
        return await look_at(self._record, self._workshop, tenant, report_id)

    async def requested(self, tenant: str, report_id: str) -> Entry:
        """The entry that asked for a report that is on record."""
        return await self._record.requested(tenant, report_id)

    async def list(
        self, tenant: str, limit: int, offset: int, *, kind: str | None = None, state: str | None = None
    ) -> list[Report]:
        """Reports, newest first, of one kind and in one state where these are given; begins nothing."""
        wanted = select(_REPORTS).where(_REPORTS.c.log_id == tenant)
        for column, value in ((_REPORTS.c.kind, kind), (_REPORTS.c.state, state)):
            if value is not None:
                wanted = wanted.where(column == value)
        rows = await self.ledger.query(
            wanted.order_by(_REPORTS.c.requested_index.desc()).limit(limit).offset(offset)
        )
        return [
            Report(
                row._mapping,
                self._workshop.there(tenant, row._mapping["report_id"]),
                self._workshop.seen(tenant, row._mapping["report_id"]),
            )
            for row in rows
        ]

    async def prepare(self, principal: Principal, report_id: str, key_id: str) -> Prepared:
        """As `SignOff.prepare`."""
        return await self._sign_off.prepare(principal, report_id, key_id)

    async def sign(
        self,
        principal: Principal,
        preparation_id: str,
        signature: bytes,
        once: Once,
        assertion: Assertion | None = None,
    ) -> Entry:
        """As `SignOff.sign`."""
        return await self._sign_off.sign(principal, preparation_id, signature, once, assertion)

    async def issue(self, principal: Principal, report_id: str, once: Once) -> Entry:
        """Makes the pages with their signature, seals them where a seal is configured, and issues them; the entry.

        The seal is under the entry: whoever finds the file lost makes the same one again. A crash before the entry
        leaves a report that is signed off.

        Raises FailedPrecondition (REPORT_NOT_SIGNED_OFF, REPORT_ISSUED, REPORT_NOT_READY, REPORT_CHANGED: the files are
        not those that were signed, ACCOUNTING_SUSPENDED), Unavailable (REPORT_NOT_MADE), Aborted.
        """
        tenant = principal.tenant
        if (done := await answered(self.ledger, tenant, once)) is not None:
            return await self.ledger.get_entry(tenant, done[0])
        await self._record.in_state(tenant, report_id, "signed_off")
        await self._require_givable(tenant, report_id)
        place = await self._workshop.ready(tenant, report_id)
        statement = (await self._record.signed_off(tenant, report_id)).body["statement"]
        for name, signed in ((BUNDLE, statement["bundle"]), (DRAFT, statement["draft"])):
            if signed != await digest(place / name):
                raise FailedPrecondition("REPORT_CHANGED")
        entry = None
        try:
            # The pages get their name once they are issued: a crash after the append leaves them to be made again.
            async with self._workshop.issued(tenant, report_id, place) as made:
                body = {
                    "report": report_id,
                    "kind": statement["kind"],
                    "bundle": statement["bundle"],
                    "statistics": statement["statistics"],
                    "pdf": await digest(made.path),
                    "tree_size": statement["tree_size"],
                }
                sealed = []
                if made.seal is not None:
                    body["seal"] = {"level": made.seal.level, "time": stamp(made.seal.time)}
                    sealed.append(await self.ledger.seal(tenant, Payload(SEAL_KIND, made.seal_bytes)))
                if (done := await answered(self.ledger, tenant, once)) is not None:
                    made.path.unlink()  # the same call was carried out meanwhile, under a seal of its own
                    return await self.ledger.get_entry(tenant, done[0])
                # Read after the pages are set, which takes minutes: who downloads meanwhile writes to the same stream.
                version = await self.ledger.stream_version(tenant, report_stream(report_id))
                await self._record.in_state(tenant, report_id, "signed_off")
                entry = await self._record.append(
                    principal, ISSUED, report_id, body, version, once, sealed=sealed
                )
                if entry.body["pdf"] != body["pdf"]:
                    made.path.unlink()  # the same call was carried out meanwhile, under a seal of its own
        except Unavailable:
            # A disk that would not give the pages their name takes back no entry: they are made again when asked for.
            if entry is None:
                raise
        assert entry is not None
        return entry

    async def discard(self, principal: Principal, report_id: str, once: Once) -> Entry:
        """As `Discards.discard`; PermissionDenied (about a person, and the caller may not report on one)."""
        row = await self._record.row(principal.tenant, report_id)
        await require_right(self.authorizer, principal, Kind(row["kind"]))
        return await self._discards.discard(principal, report_id, once)

    async def expire(self, tenant: str, actor: str, before: datetime) -> int:
        """As `Discards.expire`, and then `Discards.tidy`."""
        count = await self._discards.expire(tenant, actor, before)
        await self._discards.tidy(tenant)
        return count

    async def download(self, permit: Permit, report_id: str, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file, after its disclosure is on record.

        Raises FailedPrecondition (REPORT_NOT_READY, REPORT_NOT_ISSUED, REPORT_CHANGED, ACCOUNTING_SUSPENDED),
        NotFound (UNKNOWN_REPORT), PermissionDenied (about a person, and the caller may not report on one).
        """
        tenant = permit.principal.tenant
        row = await self._record.row(tenant, report_id)
        await require_right(self.authorizer, permit.principal, Kind(row["kind"]))
        if row["state"] == "discarded":
            raise FailedPrecondition("REPORT_DISCARDED")
        if name == ISSUED_PDF and row["state"] != "issued":
            raise FailedPrecondition("REPORT_NOT_ISSUED")
        if name == ISSUED_PDF:
            await self._require_givable(tenant, report_id)
        path = self._workshop.place(tenant, report_id) / name
        # One open file is hashed and given: what is on record is what is given, whatever gets its name meanwhile.
        with await self._opened(tenant, report_id, path) as file:
            digest = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()
            if name == ISSUED_PDF and digest != await self._record.issued_digest(tenant, report_id):
                path.unlink(missing_ok=True)
                raise FailedPrecondition("REPORT_CHANGED")
            body = {
                "report": report_id,
                "what": {ISSUED_PDF: "report", DRAFT: "draft", BUNDLE: "bundle"}[name],
                "sha256": digest,
                "purpose_of_use": permit.purpose.value,
            }
            await self.ledger.append(
                tenant, [self._record.entry(permit.principal.actor, DISCLOSED, report_id, body)]
            )
            file.seek(0)
            while chunk := await asyncio.to_thread(file.read, 65_536):
                yield chunk

    async def _opened(self, tenant: str, report_id: str, path: Path) -> BufferedReader:
        """The file, made again where it is gone. Raises FailedPrecondition (REPORT_NOT_READY) where it is not there by
        then, or gone once more: another process makes room, too.
        """
        with suppress(FileNotFoundError, NotADirectoryError):
            return path.open("rb")
        place = await self._workshop.ready(tenant, report_id)
        if path.name == ISSUED_PDF:
            await self._workshop.issue_again(tenant, report_id, place)
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise FailedPrecondition("REPORT_NOT_READY") from None

    async def _make_room(self, tenant: str) -> None:
        await self._discards.tidy(tenant)
        rows = await self._record.ids(tenant, _REPORTS.c.state == "issued")
        issued = [one for one in rows if (self._workshop.place(tenant, one) / ISSUED_PDF).exists()]
        shelf = Shelf(self.folder / tenant, self.most_bytes)
        await asyncio.to_thread(shelf.make_room, issued, (BUNDLE, VERDICT, DRAFT))

    async def _require_givable(self, tenant: str, report_id: str) -> None:
        requested = await self._record.requested(tenant, report_id)
        await self._evidence.require_givable(tenant, requested, stamp(self.now()))

    async def drain(self) -> None:
        """As `Workshop.drain`."""
        await self._workshop.drain()
