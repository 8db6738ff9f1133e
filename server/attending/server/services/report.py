"""ReportService: bundles as a stream with progress, reports from the asking to the issue, and the control matrix."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attending.ledger import canonical
from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.actions import DISCLOSE_PAYLOADS
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import current_principal
from attending.server.controls.over_log import LogControls
from attending.server.errors import InvalidRequest
from attending.server.phi.access import PhiAccess
from attending.server.phi.purpose import OF_EXPORT, Purpose
from attending.server.reports.choose import WORDS, Choice
from attending.server.reports.desk import Report, ReportDesk
from attending.server.reports.export import Exporter, ExportOrder
from attending.server.reports.kinds import scope_violations
from attending.server.reports.particulars import Kind
from attending.server.reports.workshop import BUNDLE, DRAFT, ISSUED_PDF
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.controls import control_message
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.server.services.usage import UsageComparisons
from attending.server.wire.violations import Violations
from attending.v1 import common_pb2, report_pb2, report_pb2_grpc

CHUNK_BYTES = 65_536
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
MAX_WORD: Final = 128
MAX_SIGNATURE_BYTES: Final = 72
_SUBJECT: Final = re.compile(r"sub_[A-Za-z2-7]{26}")
_PURPOSES: Final = "must be one of " + ", ".join(sorted(OF_EXPORT))
_KINDS: Final = {report_pb2.ReportKind.Value(f"REPORT_KIND_{kind.name}"): kind for kind in Kind}
_KIND_NUMBERS: Final = {kind: number for number, kind in _KINDS.items()}
_FILES: Final = {
    report_pb2.REPORT_FILE_REPORT: ISSUED_PDF,
    report_pb2.REPORT_FILE_DRAFT: DRAFT,
    report_pb2.REPORT_FILE_BUNDLE: BUNDLE,
}


class ReportService(report_pb2_grpc.ReportServiceServicer):
    def __init__(
        self,
        ledger: Ledger,
        exporter: Exporter,
        authorizer: Authorizer,
        phi: PhiAccess,
        desk: ReportDesk | None = None,
        usage: UsageComparisons | None = None,
    ) -> None:
        """`desk` and `usage` may be left out where only bundles are asked for."""
        self._ledger = ledger
        self._phi = phi
        self._authorizer = authorizer
        self._exporter = exporter
        self._reports = desk
        self._usage = usage
        self._controls = LogControls(ledger)
        self._left: set[asyncio.Task[None]] = set()

    async def drain(self) -> None:
        """Returns when what ended calls left behind is gone."""
        await asyncio.gather(*self._left, return_exceptions=True)
        if self._reports is not None:
            await self._reports.drain()

    async def Export(  # noqa: N802
        self, request: report_pb2.ExportRequest, context: Context
    ) -> AsyncIterator[report_pb2.ExportResponse]:
        principal = current_principal()
        order = ExportOrder(
            from_time=_time(request, "from", "from"),
            to_time=_time(request, "to", "to"),
            inference_ids=tuple(request.inference_ids),
            purpose=request.purpose,
            include_payloads=request.include_payloads,
            de_identified=request.de_identified,
            fhir=request.include_fhir,
        )
        if request.pseudonym_map and not request.de_identified:
            raise InvalidRequest([("pseudonym_map", "is of a de-identified document: set `de_identified`")])
        purpose = _purpose(request.purpose)
        permit = await self._phi.permit_for(purpose)
        if request.include_payloads or request.pseudonym_map:
            # To export evidence is one right, to disclose personal content another.
            log = Resource.log(principal.tenant)
            await self._authorizer.require(DISCLOSE_PAYLOADS, log, purpose=purpose.value)
        lead_back, resume_from = request.pseudonym_map, request.resume_from
        # What is asked for is the same, whichever part of it is given.
        request.ClearField("pseudonym_map")
        request.ClearField("resume_from")
        call = await once_of(self._ledger, principal, request)
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[report_pb2.ExportResponse | None] = asyncio.Queue()

        def progress(done: int, total: int) -> None:
            event = report_pb2.ExportResponse(
                progress=report_pb2.ExportResponse.Progress(entries=done, total=total)
            )
            loop.call_soon_threadsafe(events.put_nowait, event)

        # The bundle is made in a task of its own, so that progress can be sent meanwhile.
        manager = self._exporter.bundle(permit, order, call, progress, lead_back=lead_back)
        opening = asyncio.ensure_future(manager.__aenter__())
        opening.add_done_callback(lambda _done: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            path = await opening
            with path.open("rb") as file:
                digest = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).digest()
                size = file.tell()
                if resume_from > size:
                    raise InvalidRequest([("resume_from", f"is past the file, which has {size} bytes")])
                whole = report_pb2.ExportResponse.File(size_bytes=size, sha256=digest)
                yield report_pb2.ExportResponse(file=whole)
                file.seek(resume_from)
                while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield report_pb2.ExportResponse(chunk=chunk)
        finally:
            # In a task of its own: a call that is cut while the writer's thread runs does not wait for that to end.
            self._left.add(leaving := asyncio.create_task(_leave(manager, opening)))
            leaving.add_done_callback(self._left.discard)
            if opening.done():
                await asyncio.shield(leaving)

    # -- reports ---------------------------------------------------------------------------------------------

    async def CreateReport(  # noqa: N802
        self, request: report_pb2.CreateReportRequest, context: Context | None = None
    ) -> report_pb2.CreateReportResponse:
        v = begun(request)
        kind, purpose = _KINDS.get(request.kind), OF_EXPORT.get(request.purpose)
        if kind is None:
            v.add("kind", "is required")
        if purpose is None:
            v.add("purpose", _PURPOSES)
        choice = _choice(request.scope, v)
        if kind is not None:
            for field, expected in scope_violations(kind, choice.chosen):
                v.add(field, expected)
        v.raise_if_any()
        assert kind is not None
        assert purpose is not None
        permit = await self._phi.permit_for(purpose)
        once = await once_of(self._ledger, permit.principal, request)
        made = await self._desk.create(permit, kind, choice, request.purpose, once)
        return report_pb2.CreateReportResponse(report=_report(made))

    async def GetReport(  # noqa: N802
        self, request: report_pb2.GetReportRequest, context: Context
    ) -> report_pb2.GetReportResponse:
        found = await self._desk.get(current_principal().tenant, request.report_id)
        return report_pb2.GetReportResponse(report=_report(found))

    async def ListReports(  # noqa: N802
        self, request: report_pb2.ListReportsRequest, context: Context
    ) -> report_pb2.ListReportsResponse:
        size, offset = request.page_size or DEFAULT_PAGE, page_offset(request.page_token)
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be at most {MAX_PAGE}")])
        found = await self._desk.list(current_principal().tenant, size + 1, offset)
        return report_pb2.ListReportsResponse(
            reports=[_report(one) for one in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
        )

    async def PrepareSignOff(  # noqa: N802
        self, request: report_pb2.PrepareSignOffRequest, context: Context
    ) -> report_pb2.PrepareSignOffResponse:
        prepared = await self._desk.prepare(current_principal(), request.report_id, request.key_id)
        return report_pb2.PrepareSignOffResponse(
            preparation_id=prepared.preparation_id, statement=canonical.encode(prepared.statement.to_json())
        )

    async def SignOffReport(  # noqa: N802
        self, request: report_pb2.SignOffReportRequest, context: Context
    ) -> report_pb2.SignOffReportResponse:
        v = begun(request)
        if not 1 <= len(request.signature) <= MAX_SIGNATURE_BYTES:
            v.add("signature", f"must be 1 to {MAX_SIGNATURE_BYTES} bytes")
        v.raise_if_any()
        principal = current_principal()
        once = await once_of(self._ledger, principal, request)
        entry = await self._desk.sign(principal, request.preparation_id, request.signature, once)
        report, receipt = await self._step(principal.tenant, entry)
        return report_pb2.SignOffReportResponse(report=report, receipt=receipt)

    async def IssueReport(  # noqa: N802
        self, request: report_pb2.IssueReportRequest, context: Context | None = None
    ) -> report_pb2.IssueReportResponse:
        begun(request).raise_if_any()
        principal = current_principal()
        once = await once_of(self._ledger, principal, request)
        entry = await self._desk.issue(principal, request.report_id, once)
        report, receipt = await self._step(principal.tenant, entry)
        answer = report_pb2.IssueReportResponse(report=report, receipt=receipt)
        if (seal := entry.body.get("seal")) is not None:
            answer.sealed_at.FromDatetime(clock.parse(seal["time"]))
            answer.seal_level = seal["level"]
        return answer

    async def DiscardReport(  # noqa: N802
        self, request: report_pb2.DiscardReportRequest, context: Context
    ) -> report_pb2.DiscardReportResponse:
        begun(request).raise_if_any()
        principal = current_principal()
        once = await once_of(self._ledger, principal, request)
        entry = await self._desk.discard(principal, request.report_id, once)
        report, receipt = await self._step(principal.tenant, entry)
        return report_pb2.DiscardReportResponse(report=report, receipt=receipt)

    async def DownloadReport(  # noqa: N802
        self, request: report_pb2.DownloadReportRequest, context: Context
    ) -> AsyncIterator[report_pb2.DownloadReportResponse]:
        name = _FILES.get(request.file)
        if name is None:
            raise InvalidRequest([("file", "is required")])
        permit = await self._phi.permit_for(_purpose(request.purpose))
        async for chunk in self._desk.download(permit, request.report_id, name):
            yield report_pb2.DownloadReportResponse(chunk=chunk)

    async def ReconcileUsage(  # noqa: N802
        self, requests: AsyncIterator[report_pb2.ReconcileUsageRequest], context: Context
    ) -> report_pb2.ReconcileUsageResponse:
        assert self._usage is not None
        return await self._usage.reconcile(requests)

    # -- controls --------------------------------------------------------------------------------------------

    async def EvaluateControls(  # noqa: N802
        self, request: report_pb2.EvaluateControlsRequest, context: Context
    ) -> AsyncIterator[report_pb2.EvaluateControlsResponse]:
        tenant = current_principal().tenant
        order = ExportOrder(
            from_time=_time(request, "from", "from"),
            to_time=_time(request, "to", "to"),
            inference_ids=(),
            purpose="audit",
            include_payloads=False,
        )
        plan = await self._exporter.plan(tenant, order)
        async for found in self._controls.evaluate(tenant, plan.begin, plan.end):
            match found:
                case (int() as done, int() as total):
                    yield report_pb2.EvaluateControlsResponse(
                        progress=report_pb2.EvaluateControlsResponse.Progress(entries=done, total=total)
                    )
                case _:
                    for one in found:
                        yield control_message(one)

    @property
    def _desk(self) -> ReportDesk:
        assert self._reports is not None
        return self._reports

    async def _step(self, tenant: str, entry: Entry) -> tuple[report_pb2.Report, common_pb2.Receipt]:
        found = await self._desk.get(tenant, str(entry.body["report"]))
        return _report(found), await receipt_message(self._ledger, tenant, entry.index)


async def _leave(manager: AbstractAsyncContextManager[Path], opening: asyncio.Future[Path]) -> None:
    """Ends a context whose beginning may be under way."""
    await asyncio.wait({opening})
    if opening.exception() is None:
        await manager.__aexit__(None, None, None)


def _choice(scope: report_pb2.ReportScope, v: Violations) -> Choice:
    words = {}
    for name in WORDS:
        words[name] = value = getattr(scope, name)
        if len(value) > MAX_WORD or not value.isprintable():
            v.add(f"scope.{name}", f"must be at most {MAX_WORD} printable characters")
    if scope.subject and not _SUBJECT.fullmatch(scope.subject):
        v.add("scope.subject", "must be a pseudonym")
    since, until = _time(scope, "from", "scope.from"), _time(scope, "to", "scope.to")
    if since is not None and until is not None and since >= until:
        v.add("scope.to", "must be after `from`")
    return Choice(since, until, **words)


def _purpose(name: str) -> Purpose:
    found = OF_EXPORT.get(name)
    if found is None:
        raise InvalidRequest([("purpose", _PURPOSES)])
    return found


def _report(found: Report) -> report_pb2.Report:
    row, making = found.row, found.making
    message = report_pb2.Report(
        report_id=row["report_id"],
        kind=_KIND_NUMBERS[Kind(row["kind"])],
        state=report_pb2.ReportState.Value(f"REPORT_STATE_{found.standing.upper()}"),
        purpose=row["purpose"],
        requested_by=row["requested_by"],
        tree_size=row["tree_size"],
        signer=row["signer"] or "",
        done=making.done,
        total=making.total,
        failure=making.failure,
    )
    message.requested_at.FromDatetime(clock.parse(row["requested_at"]))
    if row["issued_at"] is not None:
        message.issued_at.FromDatetime(clock.parse(row["issued_at"]))
    return message


def _time(request: Any, field: str, path: str) -> datetime | None:
    if not request.HasField(field):
        return None
    try:
        return getattr(request, field).ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        raise InvalidRequest([(path, "is out of range")]) from None
