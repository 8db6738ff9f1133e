"""Reports in the console: what was asked for and how it stands, a new one, its files, its sign-off, and its issue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.report_signature import ROLES
from attending.ledger.usage import RECONCILED, STREAM
from attending.server import clock
from attending.server.config.reports import ScheduleSection
from attending.server.console import report_words, words
from attending.server.console.gate import Visit, text_of
from attending.server.console.prepared import key_of, sign_prepared
from attending.server.console.render import Pages
from attending.server.console.report_form import order_of, problems_of, refused
from attending.server.console.signature import SECONDS
from attending.server.errors import InvalidRequest
from attending.server.passkeys.door import Passkeys
from attending.server.passkeys.responses import signing_options
from attending.server.phi.access import PhiAccess
from attending.server.phi.purpose import OF_EXPORT
from attending.server.reports.desk import Report, ReportDesk
from attending.server.reports.kinds import KINDS
from attending.server.reports.look import Look, drafts_given
from attending.server.reports.particulars import Kind
from attending.server.reports.schedule import next_period
from attending.server.reports.workshop import BUNDLE, DRAFT, ISSUED_PDF
from attending.server.services.paging import page_offset
from attending.server.services.report import ReportService
from attending.v1 import report_pb2
from starlette.responses import JSONResponse, Response, StreamingResponse

PAGE: Final = 25
SHOWN_EVENTS: Final = 200
"""Of a report's history, the newest; the log has all."""
SHOWN_COMPARISONS: Final = 10
FILES: Final = {
    "report": (ISSUED_PDF, "application/pdf"),
    "draft": (DRAFT, "application/pdf"),
    "bundle": (BUNDLE, "application/zip"),
}
_ASKING: Final = frozenset({"auditor", "privacy_officer"})
_ON_PERSONS: Final = "privacy_officer"
_ENTRIES: Final = frozenset({"auditor", "privacy_officer", "safety_officer"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. `choice` is what was asked for, without the person where the reader may not know whom."""

    report: Report
    requested: Entry
    choice: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """What a schedule asks for next: the first and last day of the period, as the schedule's own calendar has them."""

    section: ScheduleSection
    first: str
    last: str
    due: str


class ReportPages:
    """One instance a server. Every step is ReportService's: the same desk, the same rights, the same entries."""

    def __init__(
        self,
        service: ReportService,
        desk: ReportDesk,
        ledger: Ledger,
        phi: PhiAccess,
        passkeys: Passkeys,
        schedules: Sequence[ScheduleSection],
        pages: Pages,
    ) -> None:
        self._service = service
        self._desk = desk
        self._ledger = ledger
        self._phi = phi
        self._passkeys = passkeys
        self._schedules = schedules
        self._pages = pages

    async def table(self, visit: Visit) -> Response:
        """The list with what the calendar asks for next and what was compared; the rows alone for a script."""
        query, tenant = visit.request.query_params, visit.principal.tenant
        part = query.get("part") == "rows"
        kind, state = query.get("kind", ""), query.get("state", "")
        kind = kind if kind in report_words.TITLES else ""
        state = state if state in report_words.SHOWN else ""
        offset = page_offset(query.get("after", ""))
        found = await self._desk.list(tenant, PAGE + 1, offset, kind=kind or None, state=state or None)
        rows = [await self._row(visit, one) for one in found[:PAGE]]
        kept = urlencode([(name, value) for name, value in (("kind", kind), ("state", state)) if value])
        return self._pages.page(
            "report_rows.html" if part else "reports.html",
            visit=visit,
            rows=rows,
            told=report_words,
            kind=kind,
            state=state,
            kept=kept,
            following=offset + PAGE if len(found) > PAGE else None,
            due=[] if part else self._due(tenant, self._pages.now()),
            compared=[] if part else await self._compared(tenant),
            may_ask=bool(visit.principal.roles & _ASKING),
            sees_entries=bool(visit.principal.roles & _ENTRIES),
        )

    async def form(self, visit: Visit) -> Response:
        """For a new one."""
        return self._pages.page(
            "report_new.html",
            visit=visit,
            told=report_words,
            kinds=list(Kind),
            about=KINDS,
            on_persons=_ON_PERSONS in visit.principal.roles,
        )

    async def create(self, visit: Visit) -> Response:
        """Puts it on record, or tells the form what is wrong."""
        request, problems = order_of(await visit.fields())
        if problems:
            return refused(problems)
        try:
            answer = await self._service.CreateReport(request)
        except InvalidRequest as err:
            if problems := problems_of(err.field_violations):
                return refused(problems)
            raise
        return JSONResponse({"report": answer.report.report_id})

    async def one(self, visit: Visit) -> Response:
        """One report; what stands of it alone for a script that looks again."""
        tenant, report_id = visit.principal.tenant, _report(visit)
        found = await self._desk.get(tenant, report_id)
        look = await self._desk.look(tenant, report_id)
        roles, kind = visit.principal.roles, Kind(found.row["kind"])
        may_read = KINDS[kind].right is None or _ON_PERSONS in roles
        part = visit.request.query_params.get("part") == "standing"
        return self._pages.page(
            "report_standing.html" if part else "report.html",
            visit=visit,
            told=report_words,
            row=found.row,
            report=found,
            choice=_choice_for(visit, kind, look.requested),
            standing=found.standing,
            look=look,
            head=parse_checkpoint(look.requested.body["checkpoint"]),
            events=list(reversed(look.stream))[:SHOWN_EVENTS],
            figures=_figures(look) if may_read else [],
            failure=_failure(found),
            may_read=may_read,
            may_ask=bool(roles & _ASKING),
            may_sign=found.standing == "ready" and may_read and not roles.isdisjoint(ROLES),
            may_issue=found.standing == "signed_off" and bool(roles & _ASKING),
            has_passkey=bool(await self._passkeys.of(visit.principal)),
            was_given=bool(drafts_given(look.stream, visit.principal)),
            sees_entries=bool(roles & _ENTRIES),
        )

    async def again(self, visit: Visit) -> Response:
        """Tries again to make what could not be made."""
        await visit.fields()
        await self._desk.again(visit.principal.tenant, _report(visit))
        return JSONResponse({})

    async def file(self, visit: Visit) -> Response:
        """A file of it. That it was given is on record before a byte leaves; what is refused, is refused before."""
        fields, name = await visit.fields(), str(visit.request.path_params["file"])
        if name not in FILES:
            raise InvalidRequest([("file", "must be report, draft or bundle")])
        purpose = OF_EXPORT.get(text_of(fields, "purpose"))
        if purpose is None:
            raise InvalidRequest([("purpose", "must be one that there is")])
        stored, media = FILES[name]
        permit = await self._phi.permit_for(purpose)
        chunks = self._desk.download(permit, _report(visit), stored)
        try:
            first = await anext(chunks)
        except StopAsyncIteration:
            first = b""
        headers = {"Content-Disposition": "attachment"}
        return StreamingResponse(_with(first, chunks), media_type=media, headers=headers)

    async def prepare(self, visit: Visit) -> Response:
        """What will be signed, in words and as the device's challenge, which is the statement's."""
        await visit.fields()
        key_id = await key_of(self._passkeys, visit.principal)
        prepared = await self._desk.prepare(visit.principal, _report(visit), key_id)
        said = prepared.statement
        return JSONResponse(
            {
                "preparation": prepared.preparation_id,
                "options": signing_options(prepared.key, said.challenge(), SECONDS),
                "name": visit.principal.display_name,
                "role": words.ROLES.get(said.role, said.role),
                "meaning": report_words.MEANINGS[said.meaning],
                "time": said.time,
                "draft": said.draft,
                "bundle": said.bundle,
                "tree_size": said.tree_size,
                "root": said.root,
            }
        )

    async def sign(self, visit: Visit) -> Response:
        return await sign_prepared(visit, self._ledger, self._desk, report_pb2.SignOffReportRequest)

    async def issue(self, visit: Visit) -> Response:
        """Sets the pages with the signature, and seals them where a seal is configured: of a large report, minutes."""
        fields = await visit.fields()
        answer = await self._service.IssueReport(
            report_pb2.IssueReportRequest(
                idempotency_key=text_of(fields, "idempotency_key"), report_id=_report(visit)
            )
        )
        return JSONResponse({"entry": answer.receipt.index})

    async def _row(self, visit: Visit, found: Report) -> Row:
        requested = await self._desk.requested(visit.principal.tenant, found.row["report_id"])
        choice = _choice_for(visit, Kind(found.row["kind"]), requested)
        return Row(found, requested, choice)

    def _due(self, tenant: str, now: datetime) -> list[Due]:
        mine = [one for one in self._schedules if not one.tenants or tenant in one.tenants]
        found = []
        for one in mine:
            period, zone = next_period(one, now), ZoneInfo(one.time_zone)
            days = period.since, period.until - timedelta(seconds=1)
            first, last = (f"{at.astimezone(zone):%-d %b %Y}" for at in days)
            found.append(Due(one, first, last, clock.stamp(period.due)))
        return found

    async def _compared(self, tenant: str) -> list[Entry]:
        """The newest comparisons with providers' own records, newest first."""
        version = await self._ledger.stream_version(tenant, STREAM)
        begin = max(0, version - SHOWN_COMPARISONS)
        found = await self._ledger.stream_entries(tenant, STREAM, begin, SHOWN_COMPARISONS) if version else []
        return [entry for entry in reversed(found) if entry.type == RECONCILED]


def _report(visit: Visit) -> str:
    return str(visit.request.path_params["report"])


def _choice_for(visit: Visit, kind: Kind, requested: Entry) -> Mapping[str, Any]:
    """What was asked for; whom a report about a person is about is for those alone who may have such a report."""
    choice = dict(requested.body["choice"])
    if KINDS[kind].right is not None and _ON_PERSONS not in visit.principal.roles:
        choice.pop("subject", None)
    return choice


def _failure(found: Report) -> str:
    """Why its files could not be made, in words; of one that is discarded nothing is made again."""
    reason = found.making.failure
    return words.sentence(reason, 409) if reason and found.row["state"] != "discarded" else ""


def _figures(look: Look) -> list[tuple[str, int]]:
    """The first figures of the evidence; the draft prints all."""
    if look.statistics is None:
        return []
    said = look.statistics
    inferences = said["inferences"]
    decisions = inferences["decisions"]
    released = sum(
        decisions[name] for name in ("released_by_policy", "released_signed", "released_break_glass")
    )
    return [
        ("Entries", said["entries"]["count"]),
        ("Inferences asked for", inferences["requested"]),
        ("Released", released),
        ("Released, signed", decisions["released_signed"]),
        (
            "Blocked or rejected",
            decisions["blocked_input"] + decisions["blocked_output"] + decisions["rejected"],
        ),
        ("Exceptions", sum(said["exceptions"]["by_kind"].values())),
    ]


async def _with(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
