"""The writing half of LedgerService: events from outside, in batches and streams, and what is known of emitters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import Final

from attending.ledger.errors import EntryTooLarge, QueueFull, StoreUnavailable, SubjectErased
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import clock
from attending.server.auth.actions import APPEND_EVENT
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import (
    AlreadyExists,
    AttendingError,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from attending.server.events.append import EventLog, Recorded
from attending.server.events.check import (
    MAX_BATCH,
    Event,
    checked_events,
    emitter_violations,
    sequence_violations,
)
from attending.server.events.projection import Known
from attending.server.idempotency import key_violations, once_under
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.server.services.inflow import Inflow
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.v1 import common_pb2, ledger_pb2

MAX_EXPECTATIONS: Final = 16
MAX_MESSAGE_EVENTS: Final = 100
MAX_IN_FLIGHT: Final = 1_000
MAX_IN_FLIGHT_BYTES: Final = 4 * 1024 * 1024
GROUP_EVENTS: Final = 500
"""Events of a stream that are appended at once when so many wait."""
SHOWN_RANGES: Final = 100
DEFAULT_PAGE, MAX_PAGE = 100, 1_000
RETRY_SECONDS: Final = 1.0


class EventRpcs:
    """The rpcs; LedgerService is one of these."""

    patience_seconds: float = 5.0
    """How long a stream waits for room in the ledger's queue before it is ended."""

    def __init__(self, ledger: Ledger, authorizer: Authorizer) -> None:
        self._ledger = ledger
        self._authorizer = authorizer
        self._events = EventLog(ledger)
        self._open: set[Inflow[ledger_pb2.AppendStreamRequest]] = set()
        self._stopping = False

    async def end_streams(self) -> None:
        """Ends every stream once what it has read is acknowledged: an idle one would hold up a stop."""
        self._stopping = True
        for inflow in list(self._open):
            await inflow.end(_stopped())

    async def AppendBatch(  # noqa: N802
        self, request: ledger_pb2.AppendBatchRequest, context: Context
    ) -> ledger_pb2.AppendBatchResponse:
        principal = current_principal()
        earlier = key_violations(request.idempotency_key) + emitter_violations(request.emitter)
        if len(request.expectations) > MAX_EXPECTATIONS:
            earlier.append(
                ("expectations", f"has {len(request.expectations)}, the limit is {MAX_EXPECTATIONS}")
            )
        # A thousand bodies are parsed, and below all their fields made into one text and hashed: off the loop.
        events = await asyncio.to_thread(checked_events, request.events, MAX_BATCH, earlier)
        await self._permitted(principal, events, set())
        expect = [await self._expectation(principal, item) for item in request.expectations]
        keys = await self._ledger.claim_keys(principal.tenant)
        call = await asyncio.to_thread(once_under, keys, principal.name, request.idempotency_key, request)
        recorded = await self._events.append(principal, request.emitter, events, expect=expect, once=call)
        return ledger_pb2.AppendBatchResponse(
            results=await self._results(principal.tenant, recorded, receipts=request.receipts)
        )

    async def AppendStream(  # noqa: N802
        self, requests: AsyncIterator[ledger_pb2.AppendStreamRequest], context: Context
    ) -> AsyncIterator[ledger_pb2.AppendStreamResponse]:
        principal = current_principal()
        # The first message alone decides where everything goes.
        opening = await anext(requests, None)
        if opening is None or not opening.HasField("open"):
            raise InvalidRequest([("open", "is required as the first message")])
        emitter, receipts = opening.open.emitter, opening.open.receipts
        if wrong := emitter_violations(emitter):
            raise InvalidRequest([(f"open.{name}", expected) for name, expected in wrong])
        known = await self._events.known(principal.tenant, principal.actor, emitter)
        yield ledger_pb2.AppendStreamResponse(
            opened=ledger_pb2.AppendStreamResponse.Opened(
                received_through=known.sequences.through,
                highest=known.sequences.highest,
                max_in_flight=MAX_IN_FLIGHT,
            )
        )
        acknowledged = known.sequences.through
        permitted: set[str] = set()
        inflow = Inflow(requests, _size, limit=MAX_IN_FLIGHT, limit_bytes=MAX_IN_FLIGHT_BYTES)
        async with inflow:
            self._open.add(inflow)
            if self._stopping:
                await inflow.end(_stopped())
            try:
                while messages := await inflow.take(GROUP_EVENTS):
                    groups, broken = await self._groups(principal, messages, permitted)
                    for group in groups:
                        async for recorded in self._appended(principal, emitter, group):
                            results = await self._results(principal.tenant, recorded, receipts=receipts)
                            yield ledger_pb2.AppendStreamResponse(
                                acknowledged=ledger_pb2.AppendStreamResponse.Acknowledged(results=results)
                            )
                            acknowledged = recorded[-1].sequence
                    if broken is not None:
                        raise broken
            except (QueueFull, StoreUnavailable, AttendingError) as err:
                raise _where_it_ended(err, emitter, acknowledged) from None
            finally:
                self._open.discard(inflow)

    async def CloseEmitter(  # noqa: N802
        self, request: ledger_pb2.CloseEmitterRequest, context: Context
    ) -> ledger_pb2.CloseEmitterResponse:
        principal = current_principal()
        wrong = key_violations(request.idempotency_key) + emitter_violations(request.emitter)
        wrong += sequence_violations(request.issued, "issued", least=0)
        if wrong:
            raise InvalidRequest(wrong)
        call = await once_of(self._ledger, principal, request)
        index, known = await self._events.close(principal, request.emitter, request.issued, call)
        return ledger_pb2.CloseEmitterResponse(
            receipt=await receipt_message(self._ledger, principal.tenant, index),
            completeness=_completeness(principal.actor, request.emitter, known),
        )

    async def GetCompleteness(  # noqa: N802
        self, request: ledger_pb2.GetCompletenessRequest, context: Context
    ) -> ledger_pb2.GetCompletenessResponse:
        principal = current_principal()
        limit = request.page_size or DEFAULT_PAGE
        wrong = emitter_violations(request.emitter) if request.emitter else []
        if limit > MAX_PAGE:
            wrong.append(("page_size", f"must be 1 to {MAX_PAGE}"))
        if wrong:
            raise InvalidRequest(wrong)
        offset = page_offset(request.page_token)
        # An application learns of its own emitters only.
        actor = principal.actor if principal.kind == "app" else None
        found = await self._events.listed(
            principal.tenant, actor, request.emitter or None, limit=limit + 1, offset=offset
        )
        response = ledger_pb2.GetCompletenessResponse(
            emitters=[_completeness(*item) for item in found[:limit]],
            next_page_token=str(offset + limit) if len(found) > limit else "",
        )
        if principal.kind == "human":
            counts = self._ledger.counters.of(principal.tenant)
            response.server.CopyFrom(ledger_pb2.ServerAppends(**counts.to_json()))
        return response

    # --- inside ----------------------------------------------------------------------------------------

    async def _permitted(self, principal: Principal, events: Iterable[Event], known: set[str]) -> None:
        """Asks for each type once, `known` aside; PermissionDenied, on record, for the first that is not permitted."""
        for kind in sorted({event.type for event in events} - known):
            await self._authorizer.require(
                APPEND_EVENT, Resource.event_type(principal.tenant, kind), principal
            )
            known.add(kind)

    async def _expectation(self, principal: Principal, wire: ledger_pb2.StreamExpectation) -> Expectation:
        """Only on an inference, and an application's own: a version tells that something happened."""
        if wire.stream.startswith("inf_"):
            first = await self._ledger.stream_entries(principal.tenant, wire.stream, 0, 1)
            if first and (principal.kind == "human" or first[0].actor == principal.actor):
                return Expectation(wire.stream, wire.version)
        raise NotFound("UNKNOWN_INFERENCE")

    async def _groups(
        self,
        principal: Principal,
        messages: Sequence[ledger_pb2.AppendStreamRequest],
        permitted: set[str],
    ) -> tuple[list[list[list[Event]]], AttendingError | None]:
        """The events of each message, in groups of messages to append at once, and what is wrong with the first bad
        one: those before it count.
        """
        groups: list[list[list[Event]]] = []
        seen: set[int] = set()
        for message in messages:
            try:
                if not message.HasField("events"):
                    raise InvalidRequest([("events", "is required after the first message")])
                events = checked_events(message.events.events, MAX_MESSAGE_EVENTS)
                await self._permitted(principal, events, permitted)
            except AttendingError as err:
                if message.events.events:
                    # What is named by its place in the message can then be named by its sequence.
                    err.metadata["first_sequence"] = str(message.events.events[0].sequence)
                return groups, err
            numbers = {event.sequence for event in events}
            if groups and not numbers & seen:
                groups[-1].append(events)
                seen |= numbers
            else:
                # A sequence that comes again is answered from what the group before has made durable.
                groups.append([events])
                seen = numbers
        return groups, None

    async def _appended(
        self, principal: Principal, emitter: str, messages: Sequence[list[Event]]
    ) -> AsyncIterator[list[Recorded]]:
        """Appends the messages of a group in one write, or in their order when one of them is refused."""
        try:
            recorded = await self._patiently(
                principal, emitter, [event for message in messages for event in message]
            )
        except (AlreadyExists, FailedPrecondition, EntryTooLarge, SubjectErased):
            if len(messages) == 1:
                raise
            for message in messages:
                yield await self._patiently(principal, emitter, message)
        else:
            yield recorded

    async def _patiently(self, principal: Principal, emitter: str, events: Sequence[Event]) -> list[Recorded]:
        """Appends when there is room, waiting for it only so long: meanwhile nothing more is read."""
        until = asyncio.get_running_loop().time() + self.patience_seconds
        while True:
            try:
                return await self._events.append(principal, emitter, events)
            except QueueFull as err:
                if asyncio.get_running_loop().time() + err.retry_after_seconds > until:
                    raise
                await asyncio.sleep(err.retry_after_seconds)

    async def _results(
        self, tenant: str, recorded: Sequence[Recorded], *, receipts: bool
    ) -> list[ledger_pb2.EventResult]:
        results = []
        for item in recorded:
            result = ledger_pb2.EventResult(
                sequence=item.sequence, index=item.index, already_recorded=item.appended is None
            )
            if receipts:
                result.receipt.CopyFrom(await self._receipt(tenant, item))
            results.append(result)
        return results

    async def _receipt(self, tenant: str, item: Recorded) -> common_pb2.Receipt:
        if item.appended is None:
            return await receipt_message(self._ledger, tenant, item.index)
        number = item.index - item.appended.first_index
        return common_pb2.Receipt(
            origin=self._ledger.origin(tenant),
            index=item.index,
            entry=item.appended.data[number],
            tlog_proof=item.appended.receipt(number),
            level="integrated",
        )


def _stopped() -> Unavailable:
    return Unavailable("NOT_READY", retry_after_seconds=RETRY_SECONDS)


def _size(message: ledger_pb2.AppendStreamRequest) -> tuple[int, int]:
    return max(1, len(message.events.events)), message.ByteSize()


def _where_it_ended(error: Exception, emitter: str, acknowledged: int) -> AttendingError:
    """The error of a stream, with the last sequence that was acknowledged on it."""
    where = {"emitter": emitter, "acknowledged_sequence": str(acknowledged)}
    if isinstance(error, AttendingError):
        error.metadata |= where
        return error
    retry = error.retry_after_seconds if isinstance(error, QueueFull) else RETRY_SECONDS
    reason = str(getattr(error, "reason", "UNAVAILABLE"))
    return Unavailable(reason, retry_after_seconds=retry, metadata=where)


def _completeness(actor: str, emitter: str, known: Known) -> ledger_pb2.EmitterCompleteness:
    last = known.expected
    message = ledger_pb2.EmitterCompleteness(
        actor=actor,
        emitter=emitter,
        issued=known.issued,
        received=known.sequences.count,
        highest=known.sequences.highest,
        missing=known.sequences.missing_count(last),
        missing_ranges=[
            ledger_pb2.SequenceRange(first=first, last=end)
            for first, end in islice(known.sequences.missing(last), SHOWN_RANGES)
        ],
    )
    for field, time in ((message.first_seen, known.first_time), (message.last_seen, known.last_time)):
        if time is not None:
            field.FromDatetime(clock.parse(time))
    return message
