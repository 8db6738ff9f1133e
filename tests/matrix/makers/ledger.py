"""LedgerService. An index or a size is one of the caller's own log: it names nothing of another's."""

from __future__ import annotations

import json

from attending.v1 import ledger_pb2
from google.protobuf.message import Message

from tests.matrix.making import INFERENCE_NOWHERE, Things, key, maker


def _event(sequence: int) -> ledger_pb2.Event:
    body = {"inference_id": INFERENCE_NOWHERE, "source": "monitor", "rating": "wrong", "score": 1}
    return ledger_pb2.Event(sequence=sequence, type="feedback.recorded", body=json.dumps(body).encode())


@maker("LedgerService/GetEntry", "auditor", own=True)
def get_entry(_things: Things) -> ledger_pb2.GetEntryRequest:
    return ledger_pb2.GetEntryRequest(index=0)


@maker("LedgerService/GetReceipt", "auditor", own=True)
def get_receipt(_things: Things) -> ledger_pb2.GetReceiptRequest:
    return ledger_pb2.GetReceiptRequest(index=0)


@maker("LedgerService/GetCheckpoint", "auditor", own=True)
def get_checkpoint(_things: Things) -> ledger_pb2.GetCheckpointRequest:
    return ledger_pb2.GetCheckpointRequest()


@maker("LedgerService/GetInclusionProof", "auditor", own=True)
def get_inclusion_proof(_things: Things) -> ledger_pb2.GetInclusionProofRequest:
    return ledger_pb2.GetInclusionProofRequest(index=0, tree_size=1)


@maker("LedgerService/GetConsistencyProof", "auditor", own=True)
def get_consistency_proof(_things: Things) -> ledger_pb2.GetConsistencyProofRequest:
    return ledger_pb2.GetConsistencyProofRequest(size1=1, size2=2)


@maker("LedgerService/ListEntries", "auditor", own=True)
def list_entries(_things: Things) -> ledger_pb2.ListEntriesRequest:
    return ledger_pb2.ListEntriesRequest(page_size=10)


@maker("LedgerService/ListEntries", "auditor", variant="of an inference")
def list_entries_of(things: Things) -> ledger_pb2.ListEntriesRequest:
    return ledger_pb2.ListEntriesRequest(inference_id=things.inference)


@maker("LedgerService/AppendBatch", "app", own=True)
def append_batch(_things: Things) -> ledger_pb2.AppendBatchRequest:
    return ledger_pb2.AppendBatchRequest(idempotency_key=key(), emitter=f"matrix-{key()}", events=[_event(1)])


@maker("LedgerService/AppendBatch", "app", variant="expecting", fresh=True)
def append_batch_expecting(things: Things) -> ledger_pb2.AppendBatchRequest:
    request = append_batch(things)
    assert isinstance(request, ledger_pb2.AppendBatchRequest)
    # Requested, generated, released, drawn for a second read.
    request.expectations.add(stream=things.released, version=4)
    return request


@maker("LedgerService/AppendStream", "app", own=True)
def append_stream(things: Things) -> list[Message]:
    opening = ledger_pb2.AppendStreamRequest.Open(emitter=things.emitter)
    return [
        ledger_pb2.AppendStreamRequest(open=opening),
        ledger_pb2.AppendStreamRequest(events=ledger_pb2.AppendStreamRequest.Events(events=[_event(1)])),
    ]


@maker("LedgerService/CloseEmitter", "app", own=True, fresh=True)
def close_emitter(things: Things) -> ledger_pb2.CloseEmitterRequest:
    return ledger_pb2.CloseEmitterRequest(idempotency_key=key(), emitter=things.emitter, issued=1)


@maker("LedgerService/GetCompleteness", "auditor", own=True)
def get_completeness(things: Things) -> ledger_pb2.GetCompletenessRequest:
    return ledger_pb2.GetCompletenessRequest(emitter=things.emitter)
