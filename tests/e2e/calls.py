"""What the tests over the wire share: requests that are right but for one thing, and errors as they arrived."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from attending.client import AttendingApiError, Client
from attending.client.errors import translate
from attending.v1 import common_pb2, inference_pb2, ledger_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

TAGS = {"team": "e2e", "feature": "wire"}
TIMEOUT = 60.0
TREATMENT = common_pb2.PURPOSE_OF_USE_TREATMENT


@dataclass(frozen=True)
class Refusal:
    """An error as the wire carried it; `raw` is every byte of it that a client sees."""

    error: AttendingApiError
    domain: str
    raw: bytes

    @property
    def reason(self) -> str:
        return self.error.reason

    @property
    def code(self) -> grpc.StatusCode:
        return self.error.code

    @property
    def fields(self) -> set[str]:
        return {field for field, _description in self.error.field_violations}


def refused(call: Callable[[], Any]) -> Refusal:
    """The refusal of a call on a stub, unary or streaming; fails when it succeeds, or when it has no ErrorInfo."""
    with pytest.raises(grpc.RpcError) as caught:
        _exhaust(call())
    err = caught.value
    assert isinstance(err, grpc.Call)
    status = rpc_status.from_call(err)
    assert status is not None, f"{err.code()} carries no details"
    infos = []
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
    assert len(infos) == 1
    assert infos[0].domain == "attending"
    raw = status.SerializeToString() + (err.details() or "").encode() + repr(err.trailing_metadata()).encode()
    return Refusal(translate(err), infos[0].domain, raw)


def _exhaust(answer: Any) -> None:
    if isinstance(answer, grpc.Call):
        for _message in answer:  # type: ignore[attr-defined]
            pass


def infer_request(
    prompt: str = "Write a letter.",
    *,
    policy: str = "administrative-letter",
    provider: str = "replay",
    model: str = "letter-parking",
    key: str | None = None,
    **context: Any,
) -> inference_pb2.InferRequest:
    return inference_pb2.InferRequest(
        idempotency_key=key or uuid.uuid4().hex,
        context=inference_pb2.InferenceContext(policy=policy, tags=TAGS, **context),
        prompt=prompt,
        model=inference_pb2.ModelRequest(provider=provider, model=model),
    )


def record_request(
    output: str, prompt: str = "Write a letter.", *, policy: str = "administrative-letter", **context: Any
) -> inference_pb2.RecordRequest:
    return inference_pb2.RecordRequest(
        idempotency_key=uuid.uuid4().hex,
        context=inference_pb2.InferenceContext(policy=policy, tags=TAGS, **context),
        prompt=prompt,
        output=output,
        provider="openai",
        model="gpt-4o",
    )


def state(result: inference_pb2.InferenceResult) -> str:
    return common_pb2.InferenceState.Name(result.state).removeprefix("INFERENCE_STATE_").lower()


def entries(client: Client, inference_id: str = "") -> Iterator[dict[str, Any]]:
    """The caller's log, or one stream of it, page by page, parsed."""
    token = ""
    while True:
        page = client.ledger.ListEntries(
            ledger_pb2.ListEntriesRequest(page_size=500, page_token=token, inference_id=inference_id),
            timeout=TIMEOUT,
        )
        for entry in page.entries:
            yield json.loads(entry.data)
        token = page.next_page_token
        if not token:
            return


def types(client: Client, inference_id: str) -> list[str]:
    return [entry["type"] for entry in entries(client, inference_id)]
