"""Suspensions of the right to an accounting of disclosures, as an agency asks for them (45 CFR 164.528(a)(2))."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim
from attending.ledger.ledger import Ledger
from attending.ledger.verify.registers.suspension import (
    HEALTH_OVERSIGHT,
    LAW_ENFORCEMENT,
    ORAL,
    ORAL_DAYS,
    SUSPENDED,
    WRITTEN,
    suspension_stream,
)
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.idempotency import Once, answered
from attending.v1 import custody_pb2

MAX_STATEMENT: Final = 2_000
WRITTEN_DAYS: Final = 3_653
_AGENCIES: Final = {
    custody_pb2.AGENCY_HEALTH_OVERSIGHT: HEALTH_OVERSIGHT,
    custody_pb2.AGENCY_LAW_ENFORCEMENT: LAW_ENFORCEMENT,
}
_FORMS: Final = {
    custody_pb2.STATEMENT_FORM_WRITTEN: (WRITTEN, WRITTEN_DAYS),
    custody_pb2.STATEMENT_FORM_ORAL: (ORAL, ORAL_DAYS),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A suspension that is asked for, checked; `statement` names an agency or official, and is sealed."""

    agency: str
    form: str
    until: datetime
    statement: str = field(repr=False)


def suspension_asked(
    request: custody_pb2.SuspendAccountingRequest, now: datetime
) -> tuple[Asked, list[tuple[str, str]]]:
    """What a request asks for, and what is wrong with it; good for use only where nothing is."""
    wrong = []
    agency, (form, days) = _AGENCIES.get(request.agency, ""), _FORMS.get(request.form, ("", 0))
    if not agency:
        wrong.append(("agency", "is required, and one of the known agencies"))
    if not form:
        wrong.append(("form", "is required: written or oral"))
    if not 1 <= len(request.statement.strip()) <= MAX_STATEMENT:
        wrong.append(("statement", f"must have 1 to {MAX_STATEMENT} characters"))
    until = now
    try:
        until = request.until.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        wrong.append(("until", "is out of range"))
    else:
        if not now < until:
            wrong.append(("until", "must be to come"))
        elif form and until > now + timedelta(days=days):
            wrong.append(("until", f"must be at most {days} days from now for this form"))
    return Asked(agency, form, until, request.statement.strip()), wrong


async def suspend(
    ledger: Ledger, principal: Principal, subject: str, asked: Asked, once: Once, *, approved_by: str | None
) -> tuple[tuple[int, ...], bool]:
    """Indexes of the entry, durable, and whether this call made it. Raises the ledger's errors (SUBJECT_ERASED)."""
    tenant, stream = principal.tenant, suspension_stream(subject)
    if (before := await answered(ledger, tenant, once)) is not None:
        return before, False
    entry = PendingEntry(
        type=SUSPENDED,
        stream=stream,
        actor=principal.actor,
        subject=subject,
        body={
            "suspension": f"sus_{secrets.token_hex(12)}",
            "agency": asked.agency,
            "form": asked.form,
            "until": stamp(asked.until),
            "approved_by": approved_by,
        },
        payloads=(Payload("statement", asked.statement.encode()),),
    )
    try:
        appended = await ledger.append(tenant, [entry], claim=once.claim(stream))
    except DuplicateClaim:
        return await answered(ledger, tenant, once) or (), False
    return (appended.first_index,), True
