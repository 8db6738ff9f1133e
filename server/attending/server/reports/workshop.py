"""Makes the files of reports, one at a time, and keeps them where they belong.

The files are derived: whatever finds them missing makes the same bytes again from the entry that asked for them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog
from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.files import make_folder
from attending.server.clock import parse
from attending.server.errors import FailedPrecondition
from attending.server.reports.compared import compared_of
from attending.server.reports.disk import written
from attending.server.reports.evidence import EvidencePlanner
from attending.server.reports.export import Exporter, sweep, workplace
from attending.server.reports.make import make_in_process
from attending.server.reports.particulars import Kind, Particulars, SignedOff
from attending.server.reports.record import Record
from attending.server.reports.seal import Seal, Sealer, seal_of
from attending.server.reports.verdict import VERDICT

log = structlog.get_logger()

BUNDLE, DRAFT, ISSUED_PDF = "bundle.attending", "draft.pdf", "report.pdf"
PAGES: Final = "pages.pdf"
SEAL_KIND: Final = "report_seal"
"""The payload of `report.issued` that is the seal: the rest of the file is made again from the log."""
WORK: Final = ".work"
"""No tenant is named so."""


@dataclass
class Making:
    """One report that is being made by this process, or could not be."""

    task: asyncio.Task[None] | None = None
    done: int = 0
    total: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """The file that is issued. Of a sealed one, what is said of the seal, and its bytes behind those of the pages."""

    path: Path
    seal: Seal | None = None
    seal_bytes: bytes = b""


@dataclass
class Workshop:
    """One of a server process. `folder` is for reports alone; processes may share it."""

    record: Record
    exporter: Exporter
    evidence: EvidencePlanner
    folder: Path
    embedded: bool
    sealer: Sealer | None = None
    """Seals what is issued; None where no seal is configured."""
    _making: dict[tuple[str, str], Making] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        make_folder(self.folder / WORK)
        sweep(self.folder / WORK)

    @property
    def busy(self) -> int:
        """How many reports are being made, or wait for that."""
        return sum(one.task is not None for one in self._making.values())

    def busy_of(self, tenant: str) -> int:
        """How many of these are of one tenant."""
        return sum(one.task is not None for (whose, _), one in self._making.items() if whose == tenant)

    @asynccontextmanager
    async def _its_turn(self, tenant: str) -> AsyncIterator[None]:
        """One report at a time. Of each tenant one waits with the others, so that tenants take turns."""
        async with self._turns.setdefault(tenant, asyncio.Lock()), self._turn:
            yield

    def begin(self, tenant: str, report_id: str) -> Making:
        """How far it is made; begins to make it where its files are missing and it did not fail before."""
        making = self._making.setdefault((tenant, report_id), Making())
        if not self.there(tenant, report_id) and making.task is None and not making.failure:
            making.task = asyncio.create_task(self._make(tenant, report_id, making))
        return making

    def again(self, tenant: str, report_id: str) -> Making:
        """The same, and tries again what failed before."""
        self._making.setdefault((tenant, report_id), Making()).failure = ""
        return self.begin(tenant, report_id)

    def seen(self, tenant: str, report_id: str) -> Making:
        """The same, and begins nothing."""
        return self._making.get((tenant, report_id), Making())

    def place(self, tenant: str, report_id: str) -> Path:
        """The folder of its files."""
        return self.folder / tenant / report_id

    def there(self, tenant: str, report_id: str) -> bool:
        """Whether bundle and draft are made."""
        place = self.place(tenant, report_id)
        return (place / BUNDLE).exists() and (place / DRAFT).exists()

    async def ready(self, tenant: str, report_id: str) -> Path:
        """Its folder, once bundle and draft are there. What failed before is tried again.

        Raises FailedPrecondition (REPORT_NOT_READY).
        """
        self.again(tenant, report_id)
        if not self.there(tenant, report_id):
            raise FailedPrecondition("REPORT_NOT_READY")
        return self.place(tenant, report_id)

    async def discard(self, tenant: str, report_id: str) -> None:
        """Ends its making and removes its files. A crash in here leaves some, which `Discards.tidy` finds."""
        making = self._making.pop((tenant, report_id), None)
        if making is not None and making.task is not None:
            making.task.cancel()
            await asyncio.gather(making.task, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self.place(tenant, report_id), True)

    async def drain(self) -> None:
        """Returns when nothing is being made any more; what was under way is made again when it is asked for."""
        tasks = [one.task for one in self._making.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.sealer is not None:
            await self.sealer.close()

    async def _make(self, tenant: str, report_id: str, making: Making) -> None:
        try:
            async with self._its_turn(tenant):
                await self._make_files(tenant, report_id, making)
        except Exception as err:  # whatever it was: it is not made, and that is said
            making.failure = getattr(err, "reason", "REPORT_NOT_MADE")
            log.warning("report.not_made", tenant=tenant, report=report_id, error_type=type(err).__name__)
        finally:
            making.task = None

    async def _make_files(self, tenant: str, report_id: str, making: Making) -> None:
        requested = await self.record.requested(tenant, report_id)
        plan = await self.evidence.again(tenant, requested)
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(_told, making, done, total)

        about = await self._particulars(tenant, requested, None)
        async with self._work(tenant, report_id, BUNDLE, VERDICT, DRAFT) as work:
            bundle = work / BUNDLE
            await self.exporter.write(tenant, plan, bundle, parse(requested.time), progress)
            await make_in_process(
                bundle, work / DRAFT, about, _dossier_of(requested), lambda d, t: _told(making, d, t)
            )
        log.info("report.made", tenant=tenant, report=report_id)

    @asynccontextmanager
    async def issued(self, tenant: str, report_id: str, place: Path) -> AsyncIterator[Issued]:
        """The pages with their signature and seal, which take their place when the context ends well.

        Raises Unavailable (REPORT_NOT_MADE), and as `Sealer.seal`; nothing is left of it then.
        """
        async with self._pages(tenant, report_id, place, sealed=self.sealer is not None) as (work, pages):
            if self.sealer is None:
                pages.rename(work / ISSUED_PDF)
                yield Issued(work / ISSUED_PDF)
            else:
                made = await self.sealer.seal(pages, work / ISSUED_PDF)
                seal = await asyncio.to_thread(seal_of, pages, work / ISSUED_PDF)
                yield Issued(work / ISSUED_PDF, made, seal)

    async def issue_again(self, tenant: str, report_id: str, place: Path) -> None:
        """Returns when the issued file is there again: the same pages, and the seal that the log keeps.

        Raises Unavailable (REPORT_NOT_MADE), FailedPrecondition (PAYLOAD_PRUNED where the seal is gone).
        """
        issued = await self.record.issued(tenant, report_id)
        kept = next((one.record for one in issued.commitments if one.kind == SEAL_KIND), None)
        seal = b"" if kept is None else await self.record.ledger.open_payload(tenant, kept)
        async with self._pages(tenant, report_id, place, sealed=kept is not None) as (work, pages):
            await asyncio.to_thread(_joined, pages, seal, work / ISSUED_PDF)

    @asynccontextmanager
    async def _pages(
        self, tenant: str, report_id: str, place: Path, *, sealed: bool
    ) -> AsyncIterator[tuple[Path, Path]]:
        """A folder for the issued file, and the pages in it that it begins with."""
        requested = await self.record.requested(tenant, report_id)
        signed = await self.record.signed_off(tenant, report_id)
        about = replace(await self._particulars(tenant, requested, signed), sealed=sealed)
        async with self._work(tenant, report_id, ISSUED_PDF) as work:
            async with self._its_turn(tenant):
                await make_in_process(place / BUNDLE, work / PAGES, about, _dossier_of(requested))
            yield work, work / PAGES

    @asynccontextmanager
    async def _work(self, tenant: str, report_id: str, *names: str) -> AsyncIterator[Path]:
        """A folder of this process's own, whose files of these names take their place when the context ends well. What
        another process makes of the same report meanwhile are the same bytes. Raises Unavailable (REPORT_NOT_MADE)
        where the disk takes no more.
        """
        place = self.place(tenant, report_id)
        with written():
            await asyncio.to_thread(make_folder, place)
            work, lock = workplace(self.folder / WORK)
            try:
                yield work
                for name in names:
                    if (work / name).exists():
                        (work / name).replace(place / name)
            finally:
                await asyncio.to_thread(shutil.rmtree, work, True)
                os.close(lock)

    async def _particulars(self, tenant: str, requested: Entry, signed: Entry | None) -> Particulars:
        body = requested.body
        return Particulars(
            report_id=body["report"],
            kind=Kind(body["kind"]),
            origin=requested.origin,
            purpose=body["purpose"],
            requested_by=requested.actor,
            requested_at=requested.time,
            scope=_scope_words(body["choice"], requested.time),
            verifier_key=self.record.ledger.verifier_key(tenant, body["tree_size"]),
            asked=await self.evidence.asked(tenant, requested),
            embedded=self.embedded,
            compared=await compared_of(self.record.ledger, tenant, requested),
            signed_off=None if signed is None else _signed(signed),
        )


def _joined(pages: Path, seal: bytes, target: Path) -> None:
    """The pages and the seal behind them, durable; a crash leaves it in a folder that is swept."""
    pages.rename(target)
    with target.open("ab") as file:
        file.write(seal)
        file.flush()
        os.fsync(file.fileno())


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
        "version": "Version or document",
        "incident": "Incident",
        "group": "Subgroups by the tag",
    }
    chosen = tuple((title, str(choice[name])) for name, title in names.items() if choice.get(name))
    return (*chosen, ("Period", period)) if since or until or not chosen else chosen


def _dossier_of(requested: Entry) -> str | None:
    body = requested.body
    return body["inferences"][0] if body["kind"] == Kind.DOSSIER and body["inferences"] else None


def _told(making: Making, done: int, total: int) -> None:
    making.done, making.total = done, total


async def digest(path: Path) -> str:
    """Hex SHA-256 of a file of a report. Raises FailedPrecondition (REPORT_NOT_READY) where it is gone."""

    def read() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    try:
        return await asyncio.to_thread(read)
    except (FileNotFoundError, NotADirectoryError):
        # It went to make room since it was looked for: it is made again when somebody asks.
        raise FailedPrecondition("REPORT_NOT_READY") from None
