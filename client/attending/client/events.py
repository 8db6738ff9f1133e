"""Events of an application on their way into the log: numbered, sent again until acknowledged, receipts verified.

What a stream issues carries the numbers 1, 2, 3 and so on of its emitter, so that a loss leaves a gap that anyone
can see in the log. Nothing is kept on disk: when the process is killed, events that were not acknowledged are gone,
and the log shows an emitter whose last sequence was never declared.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import grpc
from attending.client.errors import AttendingApiError, ReceiptError, translate
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.emitters import CLOSING_TYPE, closing_body, emitter_body
from attending.v1 import common_pb2, ledger_pb2

T = TypeVar("T")

MAX_BATCH: Final = 1_000
MAX_BUFFERED: Final = 1_000
RETRY_SECONDS: Final = 120.0
FLUSH_SECONDS: Final = 60.0
STALL_SECONDS: Final = 30.0
"""A stream on which nothing is acknowledged for so long is given up and begun again."""
_WATCH_SECONDS: Final = 0.5
_GROUP_EVENTS: Final = 50
_GROUP_BYTES: Final = 1024 * 1024
_BACKOFF_SECONDS: Final = (0.1, 5.0)
_TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; docs/api.md lists the types with the keys of their bodies.

    `subject_ref` names the person it is about (an MRN, say); the log gets a random pseudonym. `payloads` (kind to
    content) are where text and personal data go: they are sealed beside the log.
    """

    type: str
    body: Mapping[str, Any]
    subject_ref: str = field(default="", repr=False)
    payloads: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    occurred_at: datetime | None = None

    def message(self, sequence: int) -> ledger_pb2.Event:
        """On the wire. Raises ValueError for a naive time, TypeError for a body that is not JSON."""
        message = ledger_pb2.Event(
            sequence=sequence,
            type=self.type,
            subject_ref=self.subject_ref,
            body=json.dumps(dict(self.body), allow_nan=False).encode("utf-8"),
            payloads=[
                ledger_pb2.EventPayload(kind=kind, content=content) for kind, content in self.payloads.items()
            ],
        )
        if self.occurred_at is not None:
            if self.occurred_at.tzinfo is None:
                raise ValueError("`occurred_at` is naive, expected an aware datetime")
            message.occurred_at.FromDatetime(self.occurred_at)
        return message


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An event that is in the log. `receipt` is None only when receipts were not asked for."""

    sequence: int
    index: int
    already_recorded: bool
    receipt: common_pb2.Receipt | None


class Caller(Protocol):
    """What is needed of a client."""

    @property
    def ledger(self) -> Any: ...

    def check_receipt(self, receipt: common_pb2.Receipt) -> bool: ...


def append_events(
    client: Caller,
    events: Sequence[Event],
    *,
    emitter: str,
    first_sequence: int,
    receipts: bool,
    idempotency_key: str | None,
    timeout_seconds: float,
    retry_seconds: float,
) -> list[Acknowledged]:
    """See `Client.append_events`."""
    messages = [event.message(first_sequence + n) for n, event in enumerate(events)]
    request = ledger_pb2.AppendBatchRequest(
        idempotency_key=idempotency_key or uuid.uuid4().hex,
        emitter=emitter,
        events=messages,
        receipts=receipts,
    )
    response = retried(lambda: client.ledger.AppendBatch(request, timeout=timeout_seconds), retry_seconds)
    if len(response.results) != len(messages):
        raise ReceiptError("the server answered another number of events")
    return [
        acknowledged(client, result, message, emitter, receipts=receipts)
        for result, message in zip(response.results, messages, strict=True)
    ]


def acknowledged(
    client: Caller,
    result: ledger_pb2.EventResult,
    sent: ledger_pb2.Event,
    emitter: str,
    *,
    receipts: bool,
) -> Acknowledged:
    """The answer to one event, after its receipt was checked; ReceiptError.

    1. It is of the sequence sent. 2. Its receipt holds under the pinned log key. 3. The entry is of this very event:
    type, body, counter and kinds of payload. That the payloads are those sent is in the log as salted commitments.
    """
    if result.sequence != sent.sequence:  # 1
        raise ReceiptError("the server acknowledged another event")
    if not receipts:
        return Acknowledged(result.sequence, result.index, result.already_recorded, None)
    if not result.HasField("receipt"):
        raise ReceiptError("the server sent no receipt")
    check_entry(  # 2, 3
        client,
        result.receipt,
        sent.type,
        emitter_body(emitter, sent.sequence, json.loads(sent.body)),
        [payload.kind for payload in sent.payloads],
    )
    return Acknowledged(result.sequence, result.index, result.already_recorded, result.receipt)


def check_entry(
    client: Caller,
    receipt: common_pb2.Receipt,
    kind: str,
    body: Mapping[str, Any],
    payloads: Sequence[str] = (),
) -> None:
    """Checks that a receipt holds and that its entry says this; ReceiptError."""
    client.check_receipt(receipt)
    try:
        entry = parse_entry(receipt.entry)
    except VerificationError as err:
        raise ReceiptError(f"entry {receipt.index} does not read: {err.reason}") from err
    kinds = [item.kind for item in entry.commitments]
    # The server says by which policies it took the event; an event cannot say so itself.
    said = {name: value for name, value in entry.body.items() if name != "authorized_by"}
    if (entry.type, said, kinds) != (kind, dict(body), list(payloads)):
        raise ReceiptError(f"entry {receipt.index} is not of the event that was sent")


def transient(error: AttendingApiError) -> bool:
    """Whether the same call may succeed later. A connection that breaks can end in a status without a reason."""
    broken = error.reason == "UNKNOWN" and error.code in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
    return error.code in _TRANSIENT or broken


def retried(call: Callable[[], T], retry_seconds: float) -> T:
    """What an idempotent call gives, made again while it fails for a while; the server's time to retry is kept.

    Raises AttendingApiError: one that trying again does not help, or the last one after `retry_seconds`.
    """
    until, wait = time.monotonic() + retry_seconds, _BACKOFF_SECONDS[0]
    while True:
        try:
            return call()
        except grpc.RpcError as err:
            failure = translate(err)
        pause = failure.retry_after_seconds or wait
        if not transient(failure) or time.monotonic() + pause > until:
            raise failure
        time.sleep(pause)
        wait = min(2 * wait, _BACKOFF_SECONDS[1])


class EventStream:
    """Sends events of one emitter in the background. Thread-safe; use it in a `with`, or call `close`.

    Events wait in a buffer of bounded size until the log has them; a full buffer makes `append` wait. Connections
    that break and servers that restart are outlived: everything that was not acknowledged is sent again, and an
    event that had arrived is answered with its first entry. Receipts are verified before an event counts as
    acknowledged. What cannot succeed (an event that is refused, a receipt that does not verify, no progress for
    `retry_seconds`) ends the stream: every later call raises that error, and `unacknowledged` tells what is left.
    """

    def __init__(
        self,
        client: Caller,
        emitter: str | None = None,
        *,
        first_sequence: int = 1,
        max_buffered: int = MAX_BUFFERED,
        retry_seconds: float = RETRY_SECONDS,
        receipts: bool = True,
        on_acknowledged: Callable[[Acknowledged], None] | None = None,
    ) -> None:
        """`emitter` is a fresh random name when left out; going on with an earlier one takes its next sequence.

        `on_acknowledged` is called on the sending thread, in order, and should be quick.
        """
        self.emitter = emitter or f"em-{uuid.uuid4().hex}"
        self._client = client
        self._first = first_sequence
        self._next = first_sequence
        self._max_buffered = max_buffered
        self._retry_seconds = retry_seconds
        self._receipts = receipts
        self._on_acknowledged = on_acknowledged
        self._changed = threading.Condition()
        self._waiting: dict[int, ledger_pb2.Event] = {}
        self._sent = 0
        self._generation = 0
        self._progress = time.monotonic()
        self._error: Exception | None = None
        self._stopping = False
        self._closed: ledger_pb2.EmitterCompleteness | None = None
        self._thread = threading.Thread(target=self._run, name=f"events-{self.emitter}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is None:
            self.close()
            return
        # What was issued is still worth having in the log; a failure to get it there must not hide the first one.
        try:
            self.close()
        except Exception as err:
            value.add_note(f"the event stream could not be closed: {type(err).__name__}: {err}")

    @property
    def issued(self) -> int:
        """The last sequence that was given to an event; 0 before the first."""
        with self._changed:
            return self._next - 1

    @property
    def unacknowledged(self) -> list[ledger_pb2.Event]:
        """Events that are not known to be in the log, in order."""
        with self._changed:
            return list(self._waiting.values())

    def append(self, event: Event, *, timeout_seconds: float | None = FLUSH_SECONDS) -> int:
        """Buffers an event and returns its sequence; it is in the log only when `flush` has returned.

        Waits while the buffer is full. Raises TimeoutError (nothing was buffered, no sequence was used), the error
        that ended the stream, ValueError or TypeError (the event cannot be encoded), RuntimeError (closed).
        """
        event.message(1)  # a sequence is used only for what can be sent
        with self._changed:
            self._wait(lambda: len(self._waiting) < self._max_buffered, timeout_seconds)
            if self._stopping:
                raise RuntimeError("event stream is closed")
            sequence = self._next
            if not self._waiting:
                self._progress = time.monotonic()
            self._waiting[sequence] = event.message(sequence)
            self._next += 1
            self._changed.notify_all()
            return sequence

    def flush(self, timeout_seconds: float | None = FLUSH_SECONDS) -> None:
        """Returns when every event that was appended before is acknowledged, and not otherwise.

        Raises the error that ended the stream, or TimeoutError.
        """
        with self._changed:
            last = self._next - 1
            self._wait(lambda: next(iter(self._waiting), last + 1) > last, timeout_seconds)

    def close(self, timeout_seconds: float | None = FLUSH_SECONDS) -> ledger_pb2.EmitterCompleteness:
        """Flushes, declares the last sequence issued and ends; returns what the log has of the emitter.

        Raises as `flush`, AttendingApiError and ReceiptError; then nothing was declared, and it may be called again.
        """
        with self._changed:
            if self._closed is not None:
                return self._closed
        self.flush(timeout_seconds)
        self.stop()
        issued = self._next - 1
        request = ledger_pb2.CloseEmitterRequest(
            idempotency_key=f"end-{self.emitter}-{issued}", emitter=self.emitter, issued=issued
        )
        answer: ledger_pb2.CloseEmitterResponse = retried(
            lambda: self._client.ledger.CloseEmitter(request, timeout=timeout_seconds), self._retry_seconds
        )
        check_entry(self._client, answer.receipt, CLOSING_TYPE, closing_body(self.emitter, issued))
        if self._first == 1 and answer.completeness.missing:
            raise ReceiptError("the log lacks events that were acknowledged")
        with self._changed:
            self._closed = answer.completeness
        return answer.completeness

    def stop(self) -> None:
        """Ends sending without declaring anything; the log shows an emitter that was left open."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    # --- inside ----------------------------------------------------------------------------------------

    def _wait(self, ready: Callable[[], bool], timeout_seconds: float | None) -> None:
        """Waits with the condition held; raises the error that ended the stream, or TimeoutError."""
        done = self._changed.wait_for(
            lambda: self._error is not None or self._stopping or ready(), timeout_seconds
        )
        if self._error is not None:
            raise self._error
        if not done:
            raise TimeoutError(f"{len(self._waiting)} events are not acknowledged yet")
        if self._stopping and not ready():
            raise RuntimeError("event stream is closed")

    def _run(self) -> None:
        wait = _BACKOFF_SECONDS[0]
        try:
            while self._more():
                before = self._progress
                try:
                    self._send()
                except grpc.RpcError as err:
                    failure = translate(err)
                    pause = failure.retry_after_seconds or wait
                    late = time.monotonic() + pause > self._progress + self._retry_seconds
                    if self._waiting and (not transient(failure) or late):
                        raise failure from None
                    wait = min(2 * wait, _BACKOFF_SECONDS[1])
                    if self._progress > before:
                        wait = _BACKOFF_SECONDS[0]
                    with self._changed:
                        self._changed.wait_for(lambda: self._stopping, pause)
        except Exception as err:  # whatever it is, the thread that waits in `flush` must hear of it
            with self._changed:
                self._error = err
                self._changed.notify_all()

    def _more(self) -> bool:
        """Waits for something to send; False when there will be nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            return not self._stopping

    def _send(self) -> None:
        """One stream: everything that waits, from the first, and then what comes, until it breaks or all ends."""
        with self._changed:
            self._generation += 1
            self._sent = 0
            generation = self._generation
        ended = threading.Event()
        call: Any = self._client.ledger.AppendStream(self._messages(generation))
        threading.Thread(target=self._watch, args=(call, ended), daemon=True).start()
        try:
            for answer in call:
                if answer.HasField("acknowledged"):
                    self._settle(answer.acknowledged.results)
        finally:
            with self._changed:
                self._generation += 1
                self._changed.notify_all()
            ended.set()

    def _watch(self, call: Any, ended: threading.Event) -> None:
        """Breaks a stream off when nothing moves on it, when this one is stopped, or when reading it has ended."""
        while not ended.wait(_WATCH_SECONDS):
            with self._changed:
                stalled = self._waiting and time.monotonic() > self._progress + STALL_SECONDS
                if stalled or self._stopping:
                    break
        call.cancel()

    def _messages(self, generation: int) -> Iterator[ledger_pb2.AppendStreamRequest]:
        """What a stream sends. Runs on a thread of gRPC and ends when its stream has."""
        yield ledger_pb2.AppendStreamRequest(
            open=ledger_pb2.AppendStreamRequest.Open(emitter=self.emitter, receipts=self._receipts)
        )
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._generation != generation or self._stopping or self._unsent()
                )
                if self._generation != generation or self._stopping:
                    return
                group = self._group()
            if group:
                yield ledger_pb2.AppendStreamRequest(
                    events=ledger_pb2.AppendStreamRequest.Events(events=group)
                )

    def _unsent(self) -> bool:
        return bool(self._waiting) and self._sent < self._next - 1

    def _group(self) -> list[ledger_pb2.Event]:
        """The next events to send, in order."""
        group: list[ledger_pb2.Event] = []
        size = 0
        first = max(self._sent + 1, next(iter(self._waiting), self._next))
        for sequence in range(first, self._next):
            event = self._waiting.get(sequence)
            if event is None:
                continue
            size += event.ByteSize()
            if group and (size > _GROUP_BYTES or len(group) >= _GROUP_EVENTS):
                break
            group.append(event)
            self._sent = sequence
        return group

    def _settle(self, results: Sequence[ledger_pb2.EventResult]) -> None:
        for result in results:
            with self._changed:
                sent = self._waiting.get(result.sequence)
            if sent is None:
                raise ReceiptError("the server acknowledged an event that was not sent")
            done = acknowledged(self._client, result, sent, self.emitter, receipts=self._receipts)
            if self._on_acknowledged is not None:
                self._on_acknowledged(done)
            with self._changed:
                del self._waiting[result.sequence]
                self._progress = time.monotonic()
                self._changed.notify_all()
