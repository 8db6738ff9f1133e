"""An office's examination, each step a conditional append on the stream `examination:<office>` of the tenant's log.

The stream says how far the log is examined and what was made of which exception; the exceptions themselves follow from
the entries (`attending.ledger.examination`), so nothing can be left out of a list and no list can be wrong for long.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim, ExpectationFailed, VerificationError
from attending.ledger.examination import (
    DISPOSED,
    DISPOSITIONS,
    SIGNED,
    ExaminationStatement,
    Line,
    Office,
    counts_of,
    digest_of,
    exceptions,
    parse_examination,
)
from attending.ledger.ledger import Ledger
from attending.ledger.reviewer_key import Proof, ReviewerKey
from attending.ledger.submission import Expectation
from attending.ledger.webauthn import Assertion
from attending.server.auth.authorize import Authorizer
from attending.server.auth.principal import Principal
from attending.server.clock import parse, stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.examination.watch import Watch
from attending.server.idempotency import Once, answered
from attending.server.review.enrolment import key_that_signs, signing_key_of

log = structlog.get_logger()

PREPARATION_SECONDS: Final = 600
MAX_PREPARATIONS: Final = 100
NOTE: Final = "note"


@dataclass(frozen=True, slots=True)
class Period:
    """The period that runs: entries [first, until). `due_at` is when it has to be closed at the latest."""

    first: int
    until: int
    since_time: str
    until_time: str
    due_at: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """What an office has to look at. `version` is that of its stream, on which the next step is appended."""

    office: Office
    period: Period
    lines: tuple[Line, ...]
    dispositions: Mapping[tuple[str, int], str]
    version: int

    @property
    def open(self) -> list[Line]:
        """Those that nothing was made of."""
        return [line for line in self.lines if (line.kind, line.index) not in self.dispositions]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that waits for its signature, in this process's memory."""

    preparation_id: str
    tenant: str
    statement: ExaminationStatement
    key: ReviewerKey
    version: int
    expires_at: str


class ExaminationDesk:
    """Shared by all calls of one server process."""

    def __init__(
        self, ledger: Ledger, authorizer: Authorizer, every: timedelta, now: Callable[[], datetime]
    ) -> None:
        """`every` is the longest time from one examination to the next."""
        self._ledger = ledger
        self._authorizer = authorizer
        self._every = every
        self._now = now
        self._watch = Watch(ledger)
        self._prepared: dict[str, Prepared] = {}

    async def inbox(self, tenant: str, office: Office) -> Inbox:
        """The exceptions since the last signed examination."""
        stream = await self._ledger.whole_stream(tenant, office.stream)
        signed = [entry for entry in stream if entry.type == SIGNED]
        last = parse_examination(signed[-1].body["statement"]) if signed else None
        first, since_time = (last.until, last.until_time) if last is not None else (0, "")
        signs, until, until_time = await self._watch.signs(tenant, first)
        older = await self._watch.uses_before(tenant, first, since_time) if first else []
        lines = exceptions(
            office,
            [*older, *signs],
            first=first,
            until=until,
            since_time=since_time,
            until_time=until_time,
        )
        # Of an earlier period's exception nothing can be said again, but that an overdue review may be of an old entry.
        from_index = signed[-1].index if signed else -1
        made = {
            (str(entry.body["class"]), int(entry.body["entry"])): str(entry.body["disposition"])
            for entry in stream
            if entry.type == DISPOSED and entry.index > from_index
        }
        begun = parse(signed[-1].time) if signed else parse(self._ledger.created_at(tenant))
        period = Period(first, until, since_time, until_time, stamp(begun + self._every))
        return Inbox(office, period, tuple(lines), made, len(stream))

    def overdue(self, inbox: Inbox) -> bool:
        """Whether the running period should have been closed by now."""
        return inbox.period.due_at < stamp(self._now())

    async def dispose(
        self,
        principal: Principal,
        office: Office,
        which: Sequence[tuple[str, int]],
        disposition: str,
        note: str,
        once: Once,
    ) -> tuple[int, ...]:
        """Records what is made of exceptions of the running period; indexes of the entries.

        Raises NotFound (UNKNOWN_EXCEPTION) for what is none of it, Aborted (EXAMINATION_CHANGED).
        """
        assert disposition in DISPOSITIONS
        _require_office(principal, office)
        if (done := await answered(self._ledger, principal.tenant, once)) is not None:
            return done
        inbox = await self.inbox(principal.tenant, office)
        known = {(line.kind, line.index) for line in inbox.lines}
        if not known.issuperset(which):
            raise NotFound("UNKNOWN_EXCEPTION")
        pending = [
            PendingEntry(
                type=DISPOSED,
                stream=office.stream,
                actor=principal.actor,
                subject=None,
                body={
                    "office": office.value,
                    "class": kind,
                    "entry": index,
                    "disposition": disposition,
                },
                payloads=(Payload(NOTE, note.encode()),) if note else (),
                occurred_at=self._now(),
            )
            for kind, index in which
        ]
        return await self._append(principal.tenant, office, pending, inbox.version, once)

    async def prepare(self, principal: Principal, office: Office, key_id: str) -> Prepared:
        """The statement that closes the period up to the last entry.

        Raises PermissionDenied (ROLE_NOT_PERMITTED), NotFound (UNKNOWN_KEY), FailedPrecondition: EXCEPTIONS_UNDISPOSED,
        NOTHING_TO_EXAMINE, TOO_MANY_PREPARATIONS.
        """
        _require_office(principal, office)
        try:
            key = await signing_key_of(self._ledger, principal, key_id)
        except FailedPrecondition:
            # It names the key and nothing else: one of another tenant looks like one that there is not.
            raise NotFound("UNKNOWN_KEY") from None
        inbox = await self.inbox(principal.tenant, office)
        if inbox.open:
            raise FailedPrecondition("EXCEPTIONS_UNDISPOSED", metadata={"open": str(len(inbox.open))})
        period, now = inbox.period, self._now()
        if period.first >= period.until:
            raise FailedPrecondition("NOTHING_TO_EXAMINE")
        made = [inbox.dispositions[line.kind, line.index] for line in inbox.lines]
        statement = ExaminationStatement(
            origin=self._ledger.origin(principal.tenant),
            office=office,
            first=period.first,
            until=period.until,
            since_time=period.since_time,
            until_time=period.until_time,
            counts=counts_of(inbox.lines),
            dispositions=dict(sorted(Counter(made).items())),
            own=sum(line.actor == principal.actor for line in inbox.lines),
            digest=digest_of(inbox.lines, inbox.dispositions),
            signer=principal.name,
            key_id=key_id,
            role=office.role,
            time=stamp(now),
            nonce=secrets.token_hex(16),
        )
        prepared = Prepared(
            preparation_id=f"prx_{secrets.token_hex(16)}",
            tenant=principal.tenant,
            statement=statement,
            key=key,
            version=inbox.version,
            expires_at=stamp(now + timedelta(seconds=PREPARATION_SECONDS)),
        )
        self._keep(prepared, stamp(now))
        return prepared

    async def sign(
        self,
        principal: Principal,
        preparation_id: str,
        signature: bytes,
        once: Once,
        assertion: Assertion | None = None,
    ) -> Entry:
        """Verifies the signature and closes the period; the entry.

        Raises NotFound (UNKNOWN_PREPARATION), PermissionDenied (NOT_YOUR_PREPARATION), FailedPrecondition
        (PREPARATION_EXPIRED, SIGNATURE_INVALID, KEY_UNKNOWN), Aborted (EXAMINATION_CHANGED).
        """
        tenant = principal.tenant
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return await self._ledger.get_entry(tenant, done[0])
        prepared = self._prepared.get(preparation_id)
        if prepared is None or prepared.tenant != tenant:
            raise NotFound("UNKNOWN_PREPARATION")
        statement = prepared.statement
        if statement.signer != principal.name:
            raise PermissionDenied("NOT_YOUR_PREPARATION")
        _require_office(principal, statement.office)
        if prepared.expires_at <= stamp(self._now()):
            raise FailedPrecondition("PREPARATION_EXPIRED")
        proof = Proof(signature, assertion)
        try:
            prepared.key.verify(statement.message(), proof)
        except VerificationError as err:
            await self._authorizer.misused(principal, "signExamination", err.reason)
            raise FailedPrecondition("SIGNATURE_INVALID") from None
        key = await key_that_signs(self._ledger, tenant, statement.key_id, statement.role, self._now())
        entry = PendingEntry(
            type=SIGNED,
            stream=statement.office.stream,
            actor=principal.actor,
            subject=None,
            body={
                "statement": statement.to_json(),
                **proof.to_json(prepared.key.algorithm),
                "key_id": statement.key_id,
            },
            occurred_at=self._now(),
        )
        indexes = await self._append(tenant, statement.office, [entry], prepared.version, once, key)
        self._prepared.pop(preparation_id, None)
        self._watch.forget(tenant)
        log.info("examination.signed", tenant=tenant, office=statement.office.value, index=indexes[0])
        return await self._ledger.get_entry(tenant, indexes[0])

    async def signed(self, tenant: str, office: Office) -> list[Entry]:
        """Signed examinations, newest first."""
        stream = await self._ledger.whole_stream(tenant, office.stream)
        return [entry for entry in reversed(stream) if entry.type == SIGNED]

    def _keep(self, prepared: Prepared, now: str) -> None:
        # One of each person and office: what waits must not grow with what is asked.
        mine = (prepared.tenant, prepared.statement.signer, prepared.statement.office)
        for name, other in list(self._prepared.items()):
            if (
                other.expires_at <= now
                or (other.tenant, other.statement.signer, other.statement.office) == mine
            ):
                del self._prepared[name]
        if len(self._prepared) >= MAX_PREPARATIONS:
            raise FailedPrecondition("TOO_MANY_PREPARATIONS")
        self._prepared[prepared.preparation_id] = prepared

    async def _append(
        self,
        tenant: str,
        office: Office,
        pending: Sequence[PendingEntry],
        version: int,
        once: Once,
        *more: Expectation,
    ) -> tuple[int, ...]:
        try:
            done = await self._ledger.append(
                tenant,
                pending,
                expect=[Expectation(office.stream, version), *more],
                claim=once.claim(office.stream),
            )
        except ExpectationFailed:
            raise Aborted("EXAMINATION_CHANGED") from None
        except DuplicateClaim:
            if (earlier := await answered(self._ledger, tenant, once)) is None:
                raise Aborted("EXAMINATION_CHANGED") from None
            return earlier
        return tuple(range(done.first_index, done.first_index + len(pending)))


def _require_office(principal: Principal, office: Office) -> None:
    if office.role not in principal.roles:
        raise PermissionDenied("ROLE_NOT_PERMITTED")
