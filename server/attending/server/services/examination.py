"""ExaminationService: what an office has to look at in the caller's tenant, and the signature that closes a period."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import grpc
from attending.ledger import canonical
from attending.ledger.entry import Entry
from attending.ledger.examination import Line, Office, parse_examination
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.app import App, Component
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.examination.desk import ExaminationDesk, Inbox
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.server.wire.violations import BROKEN_TEXT
from attending.v1 import examination_pb2, examination_pb2_grpc

DEFAULT_PAGE: Final = 200
MAX_PAGE: Final = 1_000
MAX_LINES: Final = 100
MAX_NOTE_CODE_POINTS: Final = 2_000
MAX_EXAMINATIONS: Final = 1_000
MAX_SIGNATURE_BYTES: Final = 72
_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
_OFFICES: Final = {
    examination_pb2.EXAMINATION_OFFICE_PRIVACY: Office.PRIVACY,
    examination_pb2.EXAMINATION_OFFICE_SAFETY: Office.SAFETY,
}
_NUMBERS: Final = {office: number for number, office in _OFFICES.items()}
_DISPOSITIONS: Final = {
    examination_pb2.EXCEPTION_DISPOSITION_EXPECTED: "expected",
    examination_pb2.EXCEPTION_DISPOSITION_FOLLOWED_UP: "followed_up",
    examination_pb2.EXCEPTION_DISPOSITION_INCIDENT_OPENED: "incident_opened",
}
_MADE: Final = {name: number for number, name in _DISPOSITIONS.items()}


class ExaminationService(examination_pb2_grpc.ExaminationServiceServicer):
    """One instance a server."""

    def __init__(self, ledger: Ledger, desk: ExaminationDesk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def ListExceptions(  # noqa: N802
        self, request: examination_pb2.ListExceptionsRequest, context: Context
    ) -> examination_pb2.ListExceptionsResponse:
        office, size = _office(request.office), request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        offset = page_offset(request.page_token)
        inbox = await self._desk.inbox(current_principal().tenant, office)
        waiting = inbox.open
        lines = waiting if request.open else list(inbox.lines)
        return examination_pb2.ListExceptionsResponse(
            period=self._period(inbox),
            lines=[_line(line, inbox) for line in lines[offset : offset + size]],
            total=len(inbox.lines),
            open=len(waiting),
            next_page_token=str(offset + size) if offset + size < len(lines) else "",
        )

    async def DisposeExceptions(  # noqa: N802
        self, request: examination_pb2.DisposeExceptionsRequest, context: Context
    ) -> examination_pb2.DisposeExceptionsResponse:
        principal = current_principal()
        v = begun(request)
        v.check(request.office in _OFFICES, "office", "is required")
        v.check(1 <= len(request.lines) <= MAX_LINES, "lines", f"must be 1 to {MAX_LINES}")
        which = [(line.kind, line.entry_index) for line in request.lines]
        v.check(len(set(which)) == len(which), "lines", "must name each exception once")
        v.check(request.disposition in _DISPOSITIONS, "disposition", "is required")
        v.text(request.note, "note", MAX_NOTE_CODE_POINTS, required=False)
        v.check(not BROKEN_TEXT.search(request.note), "note", "must be text")
        v.raise_if_any()
        indexes = await self._desk.dispose(
            principal,
            _OFFICES[request.office],
            which,
            _DISPOSITIONS[request.disposition],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return examination_pb2.DisposeExceptionsResponse(
            receipts=[await receipt_message(self._ledger, principal.tenant, index) for index in indexes]
        )

    async def PrepareExamination(  # noqa: N802
        self, request: examination_pb2.PrepareExaminationRequest, context: Context
    ) -> examination_pb2.PrepareExaminationResponse:
        office = _office(request.office)
        if not _KEY_ID.fullmatch(request.key_id):
            raise InvalidRequest([("key_id", "must be the id of a key")])
        prepared = await self._desk.prepare(current_principal(), office, request.key_id)
        return examination_pb2.PrepareExaminationResponse(
            preparation_id=prepared.preparation_id, statement=canonical.encode(prepared.statement.to_json())
        )

    async def SignExamination(  # noqa: N802
        self, request: examination_pb2.SignExaminationRequest, context: Context
    ) -> examination_pb2.SignExaminationResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.preparation_id), "preparation_id", "is required")
        v.check(
            1 <= len(request.signature) <= MAX_SIGNATURE_BYTES,
            "signature",
            f"must be 1 to {MAX_SIGNATURE_BYTES} bytes",
        )
        v.raise_if_any()
        entry = await self._desk.sign(
            principal,
            request.preparation_id,
            request.signature,
            await once_of(self._ledger, principal, request),
        )
        return examination_pb2.SignExaminationResponse(
            examination=_examination(entry),
            receipt=await receipt_message(self._ledger, principal.tenant, entry.index),
        )

    async def ListExaminations(  # noqa: N802
        self, request: examination_pb2.ListExaminationsRequest, context: Context
    ) -> examination_pb2.ListExaminationsResponse:
        office, tenant = _office(request.office), current_principal().tenant
        signed = await self._desk.signed(tenant, office)
        return examination_pb2.ListExaminationsResponse(
            examinations=[_examination(entry) for entry in signed[:MAX_EXAMINATIONS]],
            running=self._period(await self._desk.inbox(tenant, office)),
        )

    def _period(self, inbox: Inbox) -> examination_pb2.ExaminationPeriod:
        one = inbox.period
        message = _bounds(one.first, one.until, one.since_time, one.until_time)
        message.due.FromDatetime(clock.parse(one.due_at))
        message.overdue = self._desk.overdue(inbox)
        return message


def _office(number: Any) -> Office:
    if number not in _OFFICES:
        raise InvalidRequest([("office", "is required")])
    return _OFFICES[number]


def _bounds(first: int, until: int, since: str, to: str) -> examination_pb2.ExaminationPeriod:
    message = examination_pb2.ExaminationPeriod(first_entry=first, until_entry=until)
    if since:
        message.since.FromDatetime(clock.parse(since))
    if to:
        message.until.FromDatetime(clock.parse(to))
    return message


def _line(line: Line, inbox: Inbox) -> examination_pb2.ExceptionLine:
    made = inbox.dispositions.get((line.kind, line.index))
    message = examination_pb2.ExceptionLine(
        kind=line.kind,
        entry_index=line.index,
        actor=line.actor,
        disposition=examination_pb2.EXCEPTION_DISPOSITION_UNSPECIFIED if made is None else _MADE[made],
    )
    message.time.FromDatetime(clock.parse(line.time))
    return message


def _examination(entry: Entry) -> examination_pb2.Examination:
    said = parse_examination(entry.body["statement"])
    message = examination_pb2.Examination(
        office=_NUMBERS[said.office],
        period=_bounds(said.first, said.until, said.since_time, said.until_time),
        counts=dict(said.counts),
        dispositions=dict(said.dispositions),
        own=said.own,
        signer=said.signer,
        entry_index=entry.index,
    )
    message.signed_at.FromDatetime(clock.parse(entry.time))
    return message


class ExaminationComponent(Component):
    """ExaminationService."""

    services = (examination_pb2.DESCRIPTOR.services_by_name["ExaminationService"].full_name,)

    def __init__(self, service: ExaminationService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        examination_pb2_grpc.add_ExaminationServiceServicer_to_server(self._service, server)


async def build(app: App) -> ExaminationComponent:
    """Needs nothing of the others."""
    every = timedelta(days=app.config.examination.every_days)
    desk = ExaminationDesk(app.ledger, app.authorizer, every, app.now)
    app.add(desk)
    return ExaminationComponent(ExaminationService(app.ledger, desk))
