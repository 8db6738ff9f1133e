"""Calls of an application; every receipt is verified before a text is given."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
from attending.client.calls import Calls
from attending.client.connection import Connection
from attending.client.errors import ReceiptError, translate, translated
from attending.client.events import (
    MAX_BUFFERED,
    RETRY_SECONDS,
    Acknowledged,
    Event,
    EventStream,
    append_events,
)
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.v1 import (
    common_pb2,
    inference_pb2,
    inference_pb2_grpc,
    ledger_pb2_grpc,
    prompt_pb2_grpc,
    report_pb2_grpc,
)

DEFAULT_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where a held text waits, and what may be shown meanwhile."""

    ticket_id: str
    safe_text: str
    expected_wait_seconds: float
    urgent_contact: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one inference. `output` is None unless released. `verified` says that every receipt held
    under the pinned log key; it is False only when no key was pinned. `message` is the whole wire form."""

    inference_id: str
    state: str
    output: str | None
    ticket: Ticket | None
    next_step: str | None
    findings: tuple[common_pb2.Finding, ...]
    verified: bool
    message: inference_pb2.InferenceResult

    @property
    def released(self) -> bool:
        return self.state == "released"


class Client(Calls):
    """One identity's calls; thread-safe, as the channel is. Close it, or use it in a `with`."""

    def __init__(
        self,
        target: str | Connection,
        *,
        token: str | None = None,
        ca_path: str | Path | None = None,
        log_key: str | None = None,
        purpose: common_pb2.PurposeOfUse.ValueType = common_pb2.PURPOSE_OF_USE_UNSPECIFIED,
    ) -> None:
        """`purpose` says with every call that gives a text why it is asked for. An application may leave it to what its
        configuration declares; a person may not.
        """
        self._purpose = purpose
        if not isinstance(target, Connection):
            if ca_path is None:
                raise ValueError("`ca_path` is required: Attending speaks TLS only")
            target = Connection(target, Path(ca_path), log_key, token=token)
        super().__init__(target)
        self.inference = inference_pb2_grpc.InferenceServiceStub(self._channel)
        self.ledger = ledger_pb2_grpc.LedgerServiceStub(self._channel)
        self.prompts = prompt_pb2_grpc.PromptServiceStub(self._channel)
        self.reports = report_pb2_grpc.ReportServiceStub(self._channel)

    @translated
    def infer(
        self,
        policy: str,
        prompt: str,
        *,
        provider: str,
        model: str,
        patient: common_pb2.PatientContext | None = None,
        subject_ref: str = "",
        documents: Sequence[common_pb2.RetrievedDocument] = (),
        on_behalf_of: str = "",
        recipient: common_pb2.Recipient.ValueType = common_pb2.RECIPIENT_UNSPECIFIED,
        tags: Mapping[str, str] | None = None,
        max_output_tokens: int | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Result:
        """Calls the model through the gate. Give `idempotency_key` to make a retry safe across processes.

        Raises AttendingApiError and ReceiptError.
        """
        context = self._context(policy, patient, subject_ref, documents, on_behalf_of, recipient, tags)
        request = inference_pb2.InferRequest(
            idempotency_key=idempotency_key or _new_key(),
            context=context,
            prompt=prompt,
            model=inference_pb2.ModelRequest(
                provider=provider, model=model, max_output_tokens=max_output_tokens
            ),
        )
        return self.verified(self.inference.Infer(request, timeout=timeout_seconds).result)

    @translated
    def record(
        self,
        policy: str,
        prompt: str,
        output: str,
        *,
        provider: str,
        model: str,
        patient: common_pb2.PatientContext | None = None,
        subject_ref: str = "",
        documents: Sequence[common_pb2.RetrievedDocument] = (),
        on_behalf_of: str = "",
        recipient: common_pb2.Recipient.ValueType = common_pb2.RECIPIENT_UNSPECIFIED,
        tags: Mapping[str, str] | None = None,
        usage: common_pb2.Usage | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Result:
        """Has an output checked and recorded that the application obtained itself."""
        request = inference_pb2.RecordRequest(
            idempotency_key=idempotency_key or _new_key(),
            context=self._context(policy, patient, subject_ref, documents, on_behalf_of, recipient, tags),
            prompt=prompt,
            output=output,
            provider=provider,
            model=model,
            usage=usage,
        )
        return self.verified(self.inference.Record(request, timeout=timeout_seconds).result)

    @translated
    def get(self, inference_id: str, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Result:
        request = inference_pb2.GetInferenceRequest(inference_id=inference_id, purpose_of_use=self._purpose)
        return self.verified(self.inference.GetInference(request, timeout=timeout_seconds).result)

    def watch(self, inference_id: str, *, timeout_seconds: float | None = None) -> Iterator[Result]:
        """Yields the state now and at every change until it is final; raises as `infer` does."""
        request = inference_pb2.WatchInferenceRequest(inference_id=inference_id, purpose_of_use=self._purpose)
        stream = self.inference.WatchInference(request, timeout=timeout_seconds)
        try:
            for event in stream:
                yield self.verified(event.result)
        except grpc.RpcError as err:
            raise translate(err) from None
        finally:
            # Whoever stops listening early gives the server its place back.
            stream.cancel()

    @translated
    def acknowledge(
        self,
        inference_id: str,
        *,
        recipient: common_pb2.Recipient.ValueType,
        channel: str,
        idempotency_key: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> common_pb2.Receipt:
        """Records that a released text reached its reader."""
        request = inference_pb2.AckDeliveryRequest(
            idempotency_key=idempotency_key or _new_key(),
            inference_id=inference_id,
            recipient=recipient,
            channel=channel,
        )
        receipt = self.inference.AckDelivery(request, timeout=timeout_seconds).receipt
        self.check_receipt(receipt)
        if _said(receipt) != (inference_id, "inference.delivered"):
            raise ReceiptError("the receipt is not of this delivery")
        return receipt

    def append_events(
        self,
        events: Sequence[Event],
        *,
        emitter: str,
        first_sequence: int = 1,
        receipts: bool = True,
        idempotency_key: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> list[Acknowledged]:
        """Appends 1 to 1,000 events, all or nothing, with the sequences from `first_sequence` of `emitter`.

        Tried again while the server is busy or away; the same events are never recorded twice. Raises
        AttendingApiError and ReceiptError.
        """
        return append_events(
            self,
            events,
            emitter=emitter,
            first_sequence=first_sequence,
            receipts=receipts,
            idempotency_key=idempotency_key,
            timeout_seconds=timeout_seconds,
            retry_seconds=retry_seconds,
        )

    def event_stream(
        self,
        emitter: str | None = None,
        *,
        first_sequence: int = 1,
        max_buffered: int = MAX_BUFFERED,
        retry_seconds: float = RETRY_SECONDS,
        receipts: bool = True,
        on_acknowledged: Callable[[Acknowledged], None] | None = None,
    ) -> EventStream:
        """A stream of events that are numbered, sent again until acknowledged, and declared at its end."""
        return EventStream(
            self,
            emitter,
            first_sequence=first_sequence,
            max_buffered=max_buffered,
            retry_seconds=retry_seconds,
            receipts=receipts,
            on_acknowledged=on_acknowledged,
        )

    def verified(self, message: inference_pb2.InferenceResult) -> Result:
        """The typed result, after its receipts were checked; raises ReceiptError.

        1. There are receipts. 2. Each holds under the pinned log key. 3. Each is of an entry of this very inference.
        4. A released text has the receipt of a release. That the text is the one released is in the log as a salted
        commitment, which an export with payloads opens and a receipt alone does not.
        """
        # A released text without evidence is what this product exists to prevent.
        if not message.receipts:  # 1
            raise ReceiptError("the server sent no receipt")
        verified = all(self.check_receipt(receipt) for receipt in message.receipts)  # 2
        said = [_said(receipt) for receipt in message.receipts]
        if any(stream != message.inference_id for stream, _type in said):  # 3
            raise ReceiptError("a receipt is of another inference")
        released = message.state == common_pb2.INFERENCE_STATE_RELEASED
        if released and (message.inference_id, "inference.released") not in said:  # 4
            raise ReceiptError("the server sent no receipt of the release")
        ticket = None
        if message.HasField("ticket"):
            ticket = Ticket(
                ticket_id=message.ticket.ticket_id,
                safe_text=message.ticket.safe_text,
                expected_wait_seconds=message.ticket.expected_wait.ToTimedelta().total_seconds(),
                urgent_contact=message.ticket.urgent_contact,
                expires=message.ticket.expires.ToDatetime(tzinfo=UTC),
            )
        state = common_pb2.InferenceState.Name(message.state).removeprefix("INFERENCE_STATE_").lower()
        return Result(
            inference_id=message.inference_id,
            state=state,
            output=message.output if state == "released" else None,
            ticket=ticket,
            next_step=message.next_step or None,
            findings=tuple(message.findings),
            verified=verified,
            message=message,
        )

    def _context(
        self,
        policy: str,
        patient: common_pb2.PatientContext | None,
        subject_ref: str,
        documents: Sequence[common_pb2.RetrievedDocument],
        on_behalf_of: str,
        recipient: common_pb2.Recipient.ValueType,
        tags: Mapping[str, str] | None,
    ) -> inference_pb2.InferenceContext:
        return inference_pb2.InferenceContext(
            policy=policy,
            subject_ref=subject_ref,
            patient=patient,
            documents=documents,
            on_behalf_of=on_behalf_of,
            recipient=recipient,
            tags=dict(tags or {}),
            purpose_of_use=self._purpose,
        )


def _said(receipt: common_pb2.Receipt) -> tuple[str, str]:
    """Stream and type of the entry that a receipt is of; raises ReceiptError."""
    try:
        entry = parse_entry(receipt.entry)
    except VerificationError as err:
        raise ReceiptError(f"entry {receipt.index} does not read: {err.reason}") from err
    return entry.stream, entry.type


def _new_key() -> str:
    return uuid.uuid4().hex
