"""CustodyService: links, legal holds, erasure and pruning in the caller's tenant log.

A person is named by pseudonym or by identifier. An identifier is looked up by its HMAC and goes no further: not into
an entry, a log line, an error or an answer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import grpc
import structlog
from attending.ledger import errors as ledger_errors
from attending.ledger.appended import Appended
from attending.ledger.custody.reads import Order, SubjectView
from attending.ledger.custody.retention import Rules
from attending.ledger.custody.state import STREAM_PREFIX, ErasureReason, HoldGround, stream_of
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.app import App, Component
from attending.server.auth.authenticate import Directory
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest, NotFound
from attending.server.idempotency import Once, answered, claimed, key_violations
from attending.server.phi.access import Permit, PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.phi.suspension import suspend, suspension_asked
from attending.server.retention import PolicyTerms
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.server.services.receipts import receipt_message
from attending.v1 import common_pb2, custody_pb2, custody_pb2_grpc

log = structlog.get_logger()

MAX_IDENTIFIER: Final = 256
MAX_EXPECTED: Final = 128
MAX_INDEX: Final = 2**53 - 1
_PSEUDONYM = re.compile(r"sub_[A-Za-z2-7]{26}")
_HOLD = re.compile(r"hold_[0-9a-f]{24}")

GROUNDS: Final[dict[int, HoldGround]] = {
    custody_pb2.HOLD_GROUND_LITIGATION: HoldGround.LITIGATION,
    custody_pb2.HOLD_GROUND_INVESTIGATION: HoldGround.INVESTIGATION,
    custody_pb2.HOLD_GROUND_REGULATOR_REQUEST: HoldGround.REGULATOR_REQUEST,
    custody_pb2.HOLD_GROUND_SAFETY_INCIDENT: HoldGround.SAFETY_INCIDENT,
}
REASONS: Final[dict[int, ErasureReason]] = {
    custody_pb2.ERASURE_REASON_GDPR_17: ErasureReason.GDPR_17,
    custody_pb2.ERASURE_REASON_PATIENT_REQUEST: ErasureReason.PATIENT_REQUEST,
    custody_pb2.ERASURE_REASON_RETENTION_END: ErasureReason.RETENTION_END,
    custody_pb2.ERASURE_REASON_COURT_ORDER: ErasureReason.COURT_ORDER,
    custody_pb2.ERASURE_REASON_TEST_DATA: ErasureReason.TEST_DATA,
}
_GROUND_NUMBERS: Final = {ground.value: number for number, ground in GROUNDS.items()}

Change = Callable[[Order], Awaitable[Appended | None]]
Violations = list[tuple[str, str]]


class CustodyService(custody_pb2_grpc.CustodyServiceServicer):
    """One instance a server. Every write is repeated safely under its idempotency key."""

    def __init__(
        self, ledger: Ledger, directory: Directory, rules: Rules, phi: PhiAccess, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._phi = phi
        self._directory = directory
        self._rules = rules

    async def ShowSubject(  # noqa: N802
        self, request: custody_pb2.ShowSubjectRequest, context: Context
    ) -> custody_pb2.ShowSubjectResponse:
        _refuse(_name_violations(request.subject, "subject"))
        permit = await self._phi.permit(request.purpose_of_use)
        found = await self._known(permit, request.subject)
        return custody_pb2.ShowSubjectResponse(subject=await self._subject(permit, found))

    async def LinkSubjects(  # noqa: N802
        self, request: custody_pb2.LinkSubjectsRequest, context: Context
    ) -> custody_pb2.LinkSubjectsResponse:
        permit = await self._records()
        tenant, subject, other = await self._pair(permit, request)

        async def change(order: Order) -> Appended | None:
            return await self._ledger.custody.link(tenant, subject, other, order)

        indexes, made = await self._once(request, change, subject)
        return custody_pb2.LinkSubjectsResponse(
            subject=await self._subject(permit, subject, made), receipts=await self._receipts(tenant, indexes)
        )

    async def UnlinkSubjects(  # noqa: N802
        self, request: custody_pb2.UnlinkSubjectsRequest, context: Context
    ) -> custody_pb2.UnlinkSubjectsResponse:
        permit = await self._records()
        tenant, subject, other = await self._pair(permit, request)

        async def change(order: Order) -> Appended | None:
            return await self._ledger.custody.unlink(tenant, subject, other, order)

        indexes, made = await self._once(request, change, subject)
        return custody_pb2.UnlinkSubjectsResponse(
            subject=await self._subject(permit, subject, made), receipts=await self._receipts(tenant, indexes)
        )

    async def PlaceHold(  # noqa: N802
        self, request: custody_pb2.PlaceHoldRequest, context: Context
    ) -> custody_pb2.PlaceHoldResponse:
        principal = current_principal()
        ground = GROUNDS.get(request.ground)
        wrong: Violations = [] if ground else [("ground", "is required, and one of the known grounds")]
        self._check(request, wrong, _name_violations(request.subject, "subject"))
        assert ground is not None
        permit = await self._records()
        tenant, subject = principal.tenant, await self._known(permit, request.subject)

        async def change(order: Order) -> Appended | None:
            return await self._ledger.custody.hold(tenant, subject, ground, order)

        indexes, made = await self._once(request, change, subject)
        placed = await self._ledger.get_entry(tenant, indexes[0])
        return custody_pb2.PlaceHoldResponse(
            hold_id=str(placed.body["hold"]),
            subject=await self._subject(permit, subject, made),
            receipts=await self._receipts(tenant, indexes),
        )

    async def LiftHold(  # noqa: N802
        self, request: custody_pb2.LiftHoldRequest, context: Context
    ) -> custody_pb2.LiftHoldResponse:
        principal = current_principal()
        wrong: Violations = []
        if not _HOLD.fullmatch(request.hold_id):
            wrong = [("hold_id", "must be the id of a hold, `hold_` and 24 hex digits")]
        self._check(request, wrong, _name_violations(request.subject, "subject"))
        permit = await self._records()
        tenant, subject = principal.tenant, await self._known(permit, request.subject)

        async def change(order: Order) -> Appended | None:
            try:
                return await self._ledger.custody.lift(tenant, subject, request.hold_id, order)
            except ledger_errors.NotFound as err:
                raise NotFound("UNKNOWN_HOLD") from err

        indexes, made = await self._once(request, change, subject)
        return custody_pb2.LiftHoldResponse(
            subject=await self._subject(permit, subject, made), receipts=await self._receipts(tenant, indexes)
        )

    async def SuspendAccounting(  # noqa: N802
        self, request: custody_pb2.SuspendAccountingRequest, context: Context
    ) -> custody_pb2.SuspendAccountingResponse:
        asked, wrong = suspension_asked(request, self._now())
        self._check(request, wrong, _name_violations(request.subject, "subject"))
        permit = await self._records()
        tenant, subject = permit.principal.tenant, await self._known(permit, request.subject)
        call = await once_of(self._ledger, permit.principal, request)
        indexes, made = await suspend(
            self._ledger, permit.principal, subject, asked, call, approved_by=request.approved_by or None
        )
        placed = await self._ledger.get_entry(tenant, indexes[0])
        return custody_pb2.SuspendAccountingResponse(
            suspension_id=str(placed.body["suspension"]),
            subject=await self._subject(permit, subject, made),
            receipts=await self._receipts(tenant, indexes),
        )

    async def EraseSubject(  # noqa: N802
        self, request: custody_pb2.EraseSubjectRequest, context: Context
    ) -> custody_pb2.EraseSubjectResponse:
        principal = current_principal()
        tenant = principal.tenant
        reason = REASONS.get(request.reason)
        wrong: Violations = [] if reason else [("reason", "is required, and one of the known reasons")]
        expected = list(request.expected_pseudonyms)
        if len(expected) > MAX_EXPECTED or not all(map(_PSEUDONYM.fullmatch, expected)):
            wrong.append(("expected_pseudonyms", f"must be at most {MAX_EXPECTED} pseudonyms"))
        self._check(request, wrong, _name_violations(request.subject, "subject"))
        assert reason is not None
        call = await once_of(self._ledger, principal, request)
        permit = await self._records()
        subject = await self._erased_before(tenant, call) or await self._known(permit, request.subject)

        async def change(order: Order) -> Appended | None:
            return await self._ledger.custody.erase(tenant, subject, reason, order, expected=expected or None)

        indexes, made = await self._once(request, change, subject, always=True)
        if not indexes:
            # Erased before, under another key: the first certificates are the answer.
            closure = await self._ledger.custody.closure(tenant, subject)
            found = [state.erased for state in closure.states.values()]
            indexes = tuple(sorted(index for index in found if index is not None))
        else:
            # As many certificates as the first of them says, whoever was linked by then.
            certificate = await self._ledger.get_entry(tenant, indexes[0])
            indexes = tuple(range(indexes[0], indexes[0] + int(certificate.body["closure"])))
        if request.vacuum:
            await self._ledger.vacuum()
        return custody_pb2.EraseSubjectResponse(
            subject=await self._subject(permit, subject, made), receipts=await self._receipts(tenant, indexes)
        )

    async def PrunePayloads(  # noqa: N802
        self, request: custody_pb2.PrunePayloadsRequest, context: Context
    ) -> custody_pb2.PrunePayloadsResponse:
        principal = current_principal()
        tenant = principal.tenant
        wrong: Violations = []
        if request.start_index > MAX_INDEX:
            wrong = [("start_index", "must be below 2^53")]
        if request.dry_run and request.vacuum:
            wrong.append(("vacuum", "cannot be combined with `dry_run`"))
        self._check(request, wrong)
        call = await once_of(self._ledger, principal, request)
        before = None if request.dry_run else await answered(self._ledger, tenant, call)
        if before is None:
            order = self._order(principal, request, call, "retention")
            try:
                batch = await self._ledger.retention.prune(
                    tenant,
                    self._rules,
                    order,
                    terms_of=PolicyTerms(self._ledger),
                    start=request.start_index,
                    dry_run=request.dry_run,
                )
            except ledger_errors.DuplicateClaim:
                before = await answered(self._ledger, tenant, call)
        if request.vacuum:
            await self._ledger.vacuum()
        if before is not None:
            return await self._pruned_before(tenant, before)
        indexes = () if batch.appended is None else (batch.appended.first_index,)
        if indexes:
            log.info("payloads.pruned", tenant=tenant, payloads=sum(batch.records.values()))
        return custody_pb2.PrunePayloadsResponse(
            payloads=batch.records,
            held_entries=batch.held,
            minimum_index=batch.minimum,
            next_index=batch.next_index,
            done=batch.done,
            rules_hash=self._rules.content_hash,
            receipts=await self._receipts(tenant, indexes),
        )

    # --- requests ----------------------------------------------------------------------------------------

    async def _records(self) -> Permit:
        """The permit of a change: it is made to keep records, and its answer shows whom it was made to."""
        return await self._phi.permit_for(Purpose.RECORDS_MANAGEMENT)

    async def _pair(
        self, permit: Permit, request: custody_pb2.LinkSubjectsRequest | custody_pb2.UnlinkSubjectsRequest
    ) -> tuple[str, str, str]:
        """Tenant and both subjects of a request about two."""
        tenant = permit.principal.tenant
        self._check(
            request, _name_violations(request.subject, "subject"), _name_violations(request.other, "other")
        )
        subject = await self._known(permit, request.subject)
        other = await self._known(permit, request.other)
        if subject == other:
            raise InvalidRequest([("other", "must be another subject")])
        return tenant, subject, other

    def _check(self, request: Any, *violations: Violations) -> None:
        """Raises InvalidRequest with everything that is wrong, key and approver included."""
        found = [*key_violations(request.idempotency_key), *(item for part in violations for item in part)]
        principal = current_principal()
        if request.approved_by and not any(
            other.name == request.approved_by
            and other.name != principal.name
            and other.tenant == principal.tenant
            and "privacy_officer" in other.roles
            for other in self._directory.principals(expired=False)
        ):
            found.append(("approved_by", "must name another privacy officer"))
        _refuse(found)

    async def _found(self, tenant: str, name: custody_pb2.SubjectName) -> str | None:
        """The pseudonym that a request names, None when the log has no such subject."""
        if name.pseudonym:
            try:
                await self._ledger.custody.closure(tenant, name.pseudonym)
            except ledger_errors.NotFound:
                return None
            return name.pseudonym
        # As the gate names a person from the record number of a call.
        identifier = f"mrn:{name.mrn}" if name.mrn else name.subject_ref
        return await self._ledger.find_pseudonym(tenant, identifier)

    async def _known(self, permit: Permit, name: custody_pb2.SubjectName) -> str:
        """The pseudonym that a request names. A search for somebody whom nobody knows is an entry before it is said."""
        found = await self._found(permit.principal.tenant, name)
        if found is None:
            by = "pseudonym" if name.pseudonym else "identifier"
            about = {"by": by, "found": False}
            await self._phi.record(permit, "access.searched", "custody", subject=None, about=about)
            raise NotFound("UNKNOWN_SUBJECT")
        return found

    # --- changes -----------------------------------------------------------------------------------------

    def _order(self, principal: Principal, request: Any, call: Once, stream: str) -> Order:
        return Order(principal.actor, request.approved_by or None, call.claim(stream))

    async def _once(
        self, request: Any, change: Change, subject: str, *, always: bool = False
    ) -> tuple[tuple[int, ...], bool]:
        """Indexes of the entries that the change appended, now or when this key was first used; none when there
        was nothing to change. Then whether it was now. With `always` it is asked for again all the same, to finish what
        was cut short.
        """
        principal = current_principal()
        tenant, call = principal.tenant, await once_of(self._ledger, principal, request)
        before = await answered(self._ledger, tenant, call)
        if before is not None and not always:
            return before, False
        order = self._order(principal, request, call, stream_of(subject))
        try:
            appended = await change(order)
        except ledger_errors.DuplicateClaim:
            appended = None
        if appended is not None:
            log.info(
                "custody.changed", tenant=tenant, kind=appended.entries[0].type, index=appended.first_index
            )
            return tuple(range(appended.first_index, appended.first_index + len(appended.entries))), True
        return await answered(self._ledger, tenant, call) or (), False

    async def _erased_before(self, tenant: str, call: Once) -> str | None:
        """The subject that this very request erased before: its identifier leads nowhere any more."""
        stream = await claimed(self._ledger, tenant, call)
        return None if stream is None else stream.removeprefix(STREAM_PREFIX)

    # --- answers -----------------------------------------------------------------------------------------

    async def _receipts(self, tenant: str, indexes: Sequence[int]) -> list[common_pb2.Receipt]:
        return [await receipt_message(self._ledger, tenant, index) for index in indexes]

    async def _subject(self, permit: Permit, subject: str, made: bool = False) -> custody_pb2.Subject:
        """The subject as it stands. That it is shown is an entry before it is; where this call `made` a change, the
        entry of that change says so.
        """
        shown = _message(await self._ledger.custody.show(permit.principal.tenant, subject))
        if not made:
            about = {"pseudonyms": len(shown.pseudonyms), "holds": len(shown.holds)}
            await self._phi.record(permit, "access.viewed", "custody", subject=subject, about=about)
        return shown

    async def _pruned_before(self, tenant: str, indexes: Sequence[int]) -> custody_pb2.PrunePayloadsResponse:
        """What the entry of a batch says, for a repeated request; where it ended, the next one goes on."""
        body = (await self._ledger.get_entry(tenant, indexes[0])).body
        return custody_pb2.PrunePayloadsResponse(
            payloads=body["records"],
            minimum_index=body["minimum"],
            next_index=max(end for _begin, end in body["entries"]),
            rules_hash=body["rules_hash"],
            receipts=await self._receipts(tenant, indexes),
        )


def _message(view: SubjectView) -> custody_pb2.Subject:
    closure = view.closure
    message = custody_pb2.Subject(
        pseudonym=closure.start, erased=closure.states[closure.start].erased is not None
    )
    for name in closure.subjects:
        state = closure.states[name]
        message.pseudonyms.add(
            pseudonym=name,
            linked=sorted(state.links),
            payloads=view.payloads[name],
            erased_index=state.erased,
        )
    for hold in closure.holds:
        added = message.holds.add(
            hold_id=hold.hold_id,
            pseudonym=hold.subject,
            ground=_GROUND_NUMBERS.get(hold.ground, custody_pb2.HOLD_GROUND_UNSPECIFIED),
            placed_by=hold.actor,
            entry_index=hold.index,
        )
        added.placed_at.FromDatetime(clock.parse(hold.time))
    return message


def _name_violations(name: custody_pb2.SubjectName, field: str) -> Violations:
    given = [text for text in (name.pseudonym, name.mrn, name.subject_ref) if text]
    if len(given) != 1:
        return [(field, "needs exactly one of `pseudonym`, `mrn` and `subject_ref`")]
    if name.pseudonym and not _PSEUDONYM.fullmatch(name.pseudonym):
        return [(f"{field}.pseudonym", "must be `sub_` and 26 characters")]
    if len(given[0]) > MAX_IDENTIFIER:
        return [(field, f"must have at most {MAX_IDENTIFIER} characters")]
    return []


def _refuse(violations: Violations) -> None:
    if violations:
        raise InvalidRequest(violations)


class CustodyComponent(Component):
    services = ("attending.v1.CustodyService",)

    def __init__(self, service: CustodyService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        custody_pb2_grpc.add_CustodyServiceServicer_to_server(self._service, server)


async def build(app: App) -> Component:
    """The component of CustodyService."""
    config = app.config
    rules = Rules((*(item.rule for item in config.storage.retention), config.oversight.rule))
    return CustodyComponent(CustodyService(app.ledger, app.directory, rules, app.phi, app.now))
