"""What a reviewer does to an item, as the item page sends it: the desk's steps, each once, answered in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from attending.guardrails.finding import Finding
from attending.ledger.ledger import Ledger
from attending.server.clock import stamp
from attending.server.console import words
from attending.server.console.gate import Visit, text_of
from attending.server.console.item import permit_of
from attending.server.console.present import difference
from attending.server.errors import InvalidRequest
from attending.server.idempotency import Once
from attending.server.phi.access import PhiAccess
from attending.server.review.desk import Desk
from attending.server.review.item import Item
from attending.server.services.begun import once_of
from attending.v1 import review_pb2
from google.protobuf.message import Message
from starlette.responses import JSONResponse, Response

_DISPOSITIONS = {
    "fixed": review_pb2.DISPOSITION_FIXED,
    "accepted_risk": review_pb2.DISPOSITION_ACCEPTED_RISK,
    "false_alarm": review_pb2.DISPOSITION_FALSE_ALARM,
}


class Steps:
    """One instance a server. Every step is the rpc of the same name, claim and all: a repeat is the same step."""

    def __init__(self, desk: Desk, ledger: Ledger, phi: PhiAccess, now: Callable[[], datetime]) -> None:
        self._desk = desk
        self._ledger = ledger
        self._phi = phi
        self._now = now

    async def claim(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket = _ticket(visit)
        request = review_pb2.ClaimRequest(idempotency_key=_key(fields), ticket_id=ticket)
        item, _version, _index = await self._desk.claim(
            visit.principal, ticket, await self._once(visit, request)
        )
        return _answer(item)

    async def renew(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket, lease = _ticket(visit), text_of(fields, "lease")
        request = review_pb2.RenewRequest(idempotency_key=_key(fields), ticket_id=ticket, lease_id=lease)
        item, _version, _index = await self._desk.renew(
            visit.principal, ticket, lease, await self._once(visit, request)
        )
        return _answer(item)

    async def release(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket, lease = _ticket(visit), text_of(fields, "lease")
        request = review_pb2.ReleaseLeaseRequest(
            idempotency_key=_key(fields), ticket_id=ticket, lease_id=lease
        )
        item, _version, _index = await self._desk.release_lease(
            visit.principal, ticket, lease, await self._once(visit, request)
        )
        return _answer(item)

    async def dispose(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket, lease, finding = _ticket(visit), text_of(fields, "lease"), fields.get("finding")
        if not isinstance(finding, int) or isinstance(finding, bool) or not 0 <= finding < 2**31:
            raise InvalidRequest([("finding", "must be the number of a finding")])
        made = text_of(fields, "disposition")
        reason, note = text_of(fields, "reason_code", required=False), text_of(fields, "note", required=False)
        if made not in _DISPOSITIONS:
            raise InvalidRequest([("disposition", "must be one of " + ", ".join(_DISPOSITIONS))])
        request = review_pb2.DisposeRequest(
            idempotency_key=_key(fields),
            ticket_id=ticket,
            lease_id=lease,
            finding=finding,
            disposition=_DISPOSITIONS[made],
            reason_code=reason,
            note=note,
        )
        item, *_rest = await self._desk.dispose(
            visit.principal,
            ticket,
            lease,
            finding,
            made,
            reason,
            note,
            await self._once(visit, request),
            seen=text_of(fields, "judged", required=False),
        )
        return _answer(item)

    async def status(self, visit: Visit) -> Response:
        """Whether the item is still what a page shows. Nothing of the patient: no look."""
        item, _version = await self._desk.item(visit.principal.tenant, _ticket(visit))
        mine = item.leased(stamp(self._now())) and item.claimed_by == visit.principal.name
        return JSONResponse(
            {"state": item.state, "lease": item.lease_id if mine else None, "judged": item.judged}
        )

    async def check(self, visit: Visit) -> Response:
        """What the rails say of a text while it is written, and what was changed in it."""
        fields = await visit.fields()
        ticket, lease, text = _ticket(visit), text_of(fields, "lease"), text_of(fields, "text")
        permit = await permit_of(self._phi, visit.principal)
        checked = await self._desk.check(permit, ticket, lease, text)
        changes = await asyncio.to_thread(difference, checked.case.output, checked.text)
        return JSONResponse(
            {
                "blocking": [_finding(checked.result.findings[n]) for n in checked.blocking],
                "changed": checked.text != checked.case.output,
                "changes": [[change.kind, change.text] for change in changes],
            }
        )

    async def opinion(self, visit: Visit) -> Response:
        """The reviewer's own view; a page that is loaded after it has the findings."""
        fields = await visit.fields()
        ticket, lease = _ticket(visit), text_of(fields, "lease")
        assessment, note = text_of(fields, "assessment"), text_of(fields, "note", required=False)
        request = review_pb2.RecordOpinionRequest(
            idempotency_key=_key(fields), ticket_id=ticket, lease_id=lease, assessment=assessment, note=note
        )
        item, _version, _index = await self._desk.record_opinion(
            visit.principal, ticket, lease, assessment, note, await self._once(visit, request)
        )
        return _answer(item)

    async def reassign(self, visit: Visit) -> Response:
        """Hands the item to a colleague; of a free one there is no lease."""
        fields = await visit.fields()
        ticket, lease = _ticket(visit), text_of(fields, "lease", required=False)
        to, reason = text_of(fields, "to"), text_of(fields, "reason_code")
        note = text_of(fields, "note", required=False)
        request = review_pb2.ReassignRequest(
            idempotency_key=_key(fields),
            ticket_id=ticket,
            lease_id=lease,
            to=to,
            reason_code=reason,
            note=note,
        )
        item, _version, _index = await self._desk.reassign(
            visit.principal, ticket, lease, to, reason, note, await self._once(visit, request)
        )
        return _answer(item)

    async def escalate(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket, lease = _ticket(visit), text_of(fields, "lease")
        reason, note = text_of(fields, "reason_code"), text_of(fields, "note", required=False)
        request = review_pb2.EscalateRequest(
            idempotency_key=_key(fields), ticket_id=ticket, lease_id=lease, reason_code=reason, note=note
        )
        item, _version, _index = await self._desk.escalate(
            visit.principal, ticket, lease, reason, note, await self._once(visit, request)
        )
        return _answer(item)

    async def reject(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket, lease = _ticket(visit), text_of(fields, "lease")
        reason, note = text_of(fields, "reason_code"), text_of(fields, "note", required=False)
        request = review_pb2.RejectRequest(
            idempotency_key=_key(fields), ticket_id=ticket, lease_id=lease, reason_code=reason, note=note
        )
        item, _version, _index = await self._desk.reject(
            visit.principal, ticket, lease, reason, note, await self._once(visit, request)
        )
        return _answer(item)

    async def _once(self, visit: Visit, request: Message) -> Once:
        return await once_of(self._ledger, visit.principal, request)


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "title": words.code(finding.code.value),
        "severity": finding.severity.value,
        "severity_words": words.SEVERITIES[finding.severity.value],
        "message": finding.message,
        "text": finding.text,
    }


def _ticket(visit: Visit) -> str:
    return str(visit.request.path_params["ticket"])


def _key(fields: dict[str, Any]) -> str:
    return text_of(fields, "idempotency_key")


def _answer(item: Item) -> Response:
    """What a page needs to go on; nothing of the patient."""
    return JSONResponse(
        {
            "state": item.state,
            "lease": item.lease_id,
            "lease_until": item.lease_expires_at,
            "open": item.open_findings,
            "disposed": {str(n): made for n, made in sorted(item.disposed.items())},
        }
    )
