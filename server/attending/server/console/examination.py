"""The inbox: the log by exception, what an officer makes of each line, and the passkey that closes the period."""

from __future__ import annotations

import json
from typing import Any, Final

from attending.ledger.examination import Office, parse_examination
from attending.ledger.ledger import Ledger
from attending.server.auth.principal import Principal
from attending.server.console import words
from attending.server.console.gate import Visit, text_of
from attending.server.console.prepared import key_of, sign_prepared
from attending.server.console.render import Pages
from attending.server.console.signature import SECONDS
from attending.server.errors import InvalidRequest, NotFound
from attending.server.examination.desk import ExaminationDesk
from attending.server.passkeys.door import Passkeys
from attending.server.passkeys.responses import signing_options
from attending.server.services.begun import once_of
from attending.v1 import examination_pb2
from starlette.responses import JSONResponse, Response

SHOWN: Final = 200
"""Lines of one page: what nothing was made of comes first."""
MAX_LINES: Final = 100
MAX_NOTE: Final = 2_000


class ExaminationPages:
    """One instance a server. Every step is ExaminationService's: the same desk, the same rights."""

    def __init__(self, ledger: Ledger, desk: ExaminationDesk, passkeys: Passkeys, pages: Pages) -> None:
        self._ledger = ledger
        self._desk = desk
        self._passkeys = passkeys
        self._pages = pages

    async def __call__(self, visit: Visit) -> Response:
        """What there is to look at, and what was signed."""
        who = visit.principal
        office = _office(visit.request.query_params.get("office", ""), who)
        inbox = await self._desk.inbox(who.tenant, office)
        waiting = {(line.kind, line.index) for line in inbox.open}
        lines = sorted(inbox.lines, key=lambda line: (line.kind, line.index) not in waiting)
        signed = await self._desk.signed(who.tenant, office)
        return self._pages.page(
            "examination.html",
            visit=visit,
            office=office,
            offices=list(Office),
            mine=office.role in who.roles,
            inbox=inbox,
            lines=lines[:SHOWN],
            waiting=len(waiting),
            overdue=self._desk.overdue(inbox),
            has_passkey=bool(await self._passkeys.of(who)),
            signed=[(parse_examination(one.body["statement"]), one.time, one.index) for one in signed[:24]],
        )

    async def entry(self, visit: Visit) -> Response:
        """One entry as it stands in the log. Entries hold nothing of a patient."""
        index = str(visit.request.path_params["index"])
        if not index.isascii() or not index.isdigit() or len(index) > 15:
            raise NotFound("UNKNOWN_ENTRY")
        entry = await self._ledger.get_entry(visit.principal.tenant, int(index))
        body = json.dumps(dict(entry.body), indent=2, sort_keys=True)
        return self._pages.page("entry.html", visit=visit, entry=entry, body=body)

    async def dispose(self, visit: Visit) -> Response:
        fields = await visit.fields()
        office, made = _named(fields), text_of(fields, "disposition")
        note = text_of(fields, "note", required=False)
        if made not in dict(words.EXCEPTION_DISPOSITIONS):
            raise InvalidRequest([("disposition", "must be one that there is")])
        if len(note) > MAX_NOTE:
            raise InvalidRequest([("note", f"has more than {MAX_NOTE} code points")])
        which = _lines(fields.get("lines"))
        request = examination_pb2.DisposeExceptionsRequest(
            idempotency_key=text_of(fields, "idempotency_key"),
            office=examination_pb2.ExaminationOffice.Value(f"EXAMINATION_OFFICE_{office.name}"),
            lines=[examination_pb2.ExceptionLine(kind=kind, entry_index=index) for kind, index in which],
            disposition=examination_pb2.ExceptionDisposition.Value(f"EXCEPTION_DISPOSITION_{made.upper()}"),
            note=note,
        )
        call = await once_of(self._ledger, visit.principal, request)
        indexes = await self._desk.dispose(visit.principal, office, which, made, note, call)
        return JSONResponse({"entries": list(indexes)})

    async def prepare(self, visit: Visit) -> Response:
        """What will be signed, and the device's challenge, which is the statement's."""
        fields = await visit.fields()
        key_id = await key_of(self._passkeys, visit.principal)
        prepared = await self._desk.prepare(visit.principal, _named(fields), key_id)
        said = prepared.statement
        return JSONResponse(
            {
                "preparation": prepared.preparation_id,
                "options": signing_options(prepared.key, said.challenge(), SECONDS),
                "lines": sum(said.counts.values()),
                "until": said.until - 1,
            }
        )

    async def sign(self, visit: Visit) -> Response:
        return await sign_prepared(visit, self._ledger, self._desk, examination_pb2.SignExaminationRequest)


def _office(wanted: str, who: Principal) -> Office:
    """The office that was asked for, or the first of the visitor's own; an auditor's look begins with privacy."""
    if wanted in [*Office]:
        return Office(wanted)
    return next((office for office in Office if office.role in who.roles), Office.PRIVACY)


def _named(fields: dict[str, Any]) -> Office:
    name = text_of(fields, "office")
    if name not in [*Office]:
        raise InvalidRequest([("office", "must be privacy or safety")])
    return Office(name)


def _lines(value: object) -> list[tuple[str, int]]:
    """(class, entry) of each line that was named, each once; InvalidRequest."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LINES:
        raise InvalidRequest([("lines", f"must be 1 to {MAX_LINES}")])
    found = []
    for one in value:
        kind, _colon, index = one.partition(":") if isinstance(one, str) else ("", "", "")
        if kind not in words.EXCEPTIONS or not index.isascii() or not index.isdigit() or len(index) > 15:
            raise InvalidRequest([("lines", "must be class:entry")])
        found.append((kind, int(index)))
    if len(set(found)) != len(found):
        raise InvalidRequest([("lines", "must name each exception once")])
    return found
