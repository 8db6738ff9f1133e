"""The calls of InferenceService, checked; every bound of a request stands here with its field's name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from attending.guardrails.patient import (
    Document,
    PatientContext,
)
from attending.server.prompts.template import MAX_VARIABLES
from attending.server.wire.patient import patient_context
from attending.server.wire.violations import (
    EARLIEST,
    Violations,
    date_field,
    decimal_of,
    present_field,
    time_field,
)
from attending.v1 import common_pb2, inference_pb2

MAX_TEXT_CODE_POINTS = 65_536
MAX_DOCUMENTS = 64
MAX_DOCUMENT_CODE_POINTS = 65_536
MAX_ALL_DOCUMENTS_CODE_POINTS = 524_288
MAX_TAGS = 16
MAX_TOKENS = 1_000_000_000
MAX_OUTPUT_TOKENS = 8_192
MAX_TEMPERATURE_MILLI = 2_000
MIN_PROVIDER_SECONDS, MAX_PROVIDER_SECONDS = 0.1, 600
MAX_PROMPT_NAME_CODE_POINTS = 64
MAX_SUBJECT_CODE_POINTS = 256
MAX_DOCUMENT_ID_CODE_POINTS = 256
MAX_DOCUMENT_VERSION_CODE_POINTS = 256
KEY = re.compile(r"[!-~]{1,128}\Z")
POLICY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
# Ids and tags go into entries in clear, so their alphabet leaves no room for prose.
STAFF_ID = re.compile(r"[A-Za-z0-9._@-]{1,128}\Z")
TAG_KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
TAG_VALUE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}\Z")
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
_NANOS = 1_000_000_000
_RECIPIENT = {
    common_pb2.RECIPIENT_UNSPECIFIED: "policy",
    common_pb2.RECIPIENT_PATIENT: "patient",
    common_pb2.RECIPIENT_CLINICIAN: "clinician",
}
_DURABILITY = {
    common_pb2.DURABILITY_UNSPECIFIED: "integrated",
    common_pb2.DURABILITY_INTEGRATED: "integrated",
    common_pb2.DURABILITY_PUBLISHED: "published",
}


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What both entry points share, checked."""

    policy: str
    subject_ref: str | None
    patient: PatientContext
    documents: tuple[Document, ...]
    public_documents: tuple[int, ...]
    """Positions of documents that hold no personal data."""
    on_behalf_of: str | None
    recipient: str
    tags: tuple[tuple[str, str], ...]
    release_requires: str


@dataclass(frozen=True, slots=True)
class PromptRef:
    name: str
    version: str | None
    label: str | None
    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class InferCall:
    """A checked `Infer`: exactly one of `prompt` and `prompt_ref` is set."""

    key: str
    context: RequestContext
    prompt: str | None
    prompt_ref: PromptRef | None
    provider: str
    model: str
    max_output_tokens: int | None
    temperature_milli: int
    provider_timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class RecordCall:
    """A checked `Record`."""

    key: str
    context: RequestContext
    prompt: str
    output: str
    provider: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    occurred_at: datetime | None


def infer_call(request: inference_pb2.InferRequest) -> InferCall:
    """Raises InvalidRequest with every violation found."""
    v = Violations()
    v.check(bool(KEY.match(request.idempotency_key)), "idempotency_key", "must be 1 to 128 printable ASCII")
    context = _context(request.context, v) if present_field(request, "context", v) else None
    source = request.WhichOneof("prompt_source")
    prompt: str | None = None
    ref: PromptRef | None = None
    if source == "prompt":
        prompt = request.prompt
        v.text(prompt, "prompt", MAX_TEXT_CODE_POINTS)
    elif source == "prompt_ref":
        wire_ref = request.prompt_ref
        v.text(wire_ref.name, "prompt_ref.name", MAX_PROMPT_NAME_CODE_POINTS)
        v.check(
            bool(wire_ref.version) != bool(wire_ref.label),
            "prompt_ref",
            "needs exactly one of `version` and `label`",
        )
        _variables(wire_ref, v)
        ref = PromptRef(
            wire_ref.name,
            wire_ref.version or None,
            wire_ref.label or None,
            tuple(sorted(wire_ref.variables.items())),
        )
    else:
        v.add("prompt_source", "`prompt` or `prompt_ref` is required")
    if present_field(request, "model", v):
        _model(request.model.provider, request.model.model, "model.", v)
    tokens = request.model.max_output_tokens if request.model.HasField("max_output_tokens") else None
    v.check(
        tokens is None or 1 <= tokens <= MAX_OUTPUT_TOKENS,
        "model.max_output_tokens",
        f"must be 1 to {MAX_OUTPUT_TOKENS}",
    )
    v.check(
        request.model.temperature_milli <= MAX_TEMPERATURE_MILLI,
        "model.temperature_milli",
        f"must be 0 to {MAX_TEMPERATURE_MILLI}",
    )
    timeout: float | None = None
    if request.HasField("provider_timeout"):
        given = request.provider_timeout
        timeout = given.seconds + given.nanos / _NANOS
        ok = 0 <= given.nanos < _NANOS and MIN_PROVIDER_SECONDS <= timeout <= MAX_PROVIDER_SECONDS
        v.check(ok, "provider_timeout", f"must be {MIN_PROVIDER_SECONDS} s to {MAX_PROVIDER_SECONDS} s")
    v.raise_if_any()
    assert context is not None
    return InferCall(
        key=request.idempotency_key,
        context=context,
        prompt=prompt,
        prompt_ref=ref,
        provider=request.model.provider,
        model=request.model.model,
        max_output_tokens=tokens,
        temperature_milli=request.model.temperature_milli,
        provider_timeout_seconds=timeout,
    )


def _variables(wire: inference_pb2.PromptReference, v: Violations) -> None:
    """Named by their position in the order of names: what a caller took for a name may be anything."""
    field = "prompt_ref.variables"
    v.check(
        len(wire.variables) <= MAX_VARIABLES,
        field,
        f"has {len(wire.variables)} variables, the limit is {MAX_VARIABLES}",
    )
    for position, (name, value) in enumerate(sorted(wire.variables.items())):
        at = f"{field}[{position}]"
        v.check(bool(VARIABLE.match(name)), at, "name must be 1 to 64 of a-z 0-9 _, a letter first")
        v.text(value, at, MAX_TEXT_CODE_POINTS, required=False)


def record_call(request: inference_pb2.RecordRequest) -> RecordCall:
    """Raises InvalidRequest with every violation found."""
    v = Violations()
    v.check(bool(KEY.match(request.idempotency_key)), "idempotency_key", "must be 1 to 128 printable ASCII")
    context = _context(request.context, v) if present_field(request, "context", v) else None
    v.text(request.prompt, "prompt", MAX_TEXT_CODE_POINTS)
    v.text(request.output, "output", MAX_TEXT_CODE_POINTS)
    _model(request.provider, request.model, "", v)
    usage = request.usage
    for name in ("input_tokens", "output_tokens"):
        v.check(getattr(usage, name) <= MAX_TOKENS, f"usage.{name}", f"must be at most {MAX_TOKENS}")
    occurred: datetime | None = None
    if request.HasField("occurred_at"):
        occurred = time_field(request.occurred_at, "occurred_at", v)
        v.check(occurred is None or occurred >= EARLIEST, "occurred_at", "must be 1970 or later")
    v.raise_if_any()
    assert context is not None
    return RecordCall(
        key=request.idempotency_key,
        context=context,
        prompt=request.prompt,
        output=request.output,
        provider=request.provider,
        model=request.model,
        input_tokens=usage.input_tokens if usage.HasField("input_tokens") else None,
        output_tokens=usage.output_tokens if usage.HasField("output_tokens") else None,
        occurred_at=occurred,
    )


def _model(provider: str, model: str, prefix: str, v: Violations) -> None:
    v.check(
        bool(MODEL_NAME.match(provider)), prefix + "provider", "must be 1 to 128 of A-Z a-z 0-9 . _ : / @ -"
    )
    v.check(bool(MODEL_NAME.match(model)), prefix + "model", "must be 1 to 128 of A-Z a-z 0-9 . _ : / @ -")


def _context(wire: inference_pb2.InferenceContext, v: Violations) -> RequestContext:
    v.check(bool(POLICY.match(wire.policy)), "context.policy", "must be 1 to 64 of a-z 0-9 -")
    v.text(wire.subject_ref, "context.subject_ref", MAX_SUBJECT_CODE_POINTS, required=False)
    v.check(
        not wire.on_behalf_of or bool(STAFF_ID.match(wire.on_behalf_of)),
        "context.on_behalf_of",
        "must be 1 to 128 of A-Z a-z 0-9 . _ @ -",
    )
    v.check(wire.recipient in _RECIPIENT, "context.recipient", "is not a known recipient")
    v.check(wire.release_requires in _DURABILITY, "context.release_requires", "is not a known level")
    v.check(len(wire.tags) <= MAX_TAGS, "context.tags", f"has {len(wire.tags)} tags, the limit is {MAX_TAGS}")
    for position, (key, value) in enumerate(sorted(wire.tags.items())):
        v.check(bool(TAG_KEY.match(key)), f"context.tags[{position}]", "key must be 1 to 32 of a-z 0-9 _ -")
        v.check(
            bool(TAG_VALUE.match(value)),
            f"context.tags[{position}]",
            "value must be 1 to 64 of a-z 0-9 . _ -",
        )
    documents = _documents(wire.documents, v)
    return RequestContext(
        policy=wire.policy,
        subject_ref=wire.subject_ref.strip() or None,
        patient=patient_context(wire.patient, v),
        documents=documents,
        public_documents=tuple(i for i, d in enumerate(wire.documents) if d.is_public),
        on_behalf_of=wire.on_behalf_of or None,
        recipient=_RECIPIENT.get(wire.recipient, "policy"),
        tags=tuple(sorted(wire.tags.items())),
        release_requires=_DURABILITY.get(wire.release_requires, "integrated"),
    )


def _documents(wire: Iterable[common_pb2.RetrievedDocument], v: Violations) -> tuple[Document, ...]:
    documents: list[Document] = []
    total = 0
    for position, document in enumerate(wire):
        field = f"context.documents[{position}]"
        v.text(document.id, field + ".id", MAX_DOCUMENT_ID_CODE_POINTS)
        v.text(document.version, field + ".version", MAX_DOCUMENT_VERSION_CODE_POINTS, required=False)
        v.text(document.text, field + ".text", MAX_DOCUMENT_CODE_POINTS)
        v.text(document.patient_id, field + ".patient_id", MAX_DOCUMENT_ID_CODE_POINTS, required=False)
        score = document.score if document.HasField("score") else None
        v.check(score is None or math.isfinite(score), field + ".score", "must be finite")
        total += len(document.text)
        documents.append(
            Document(
                id=document.id,
                text=document.text,
                version=document.version or None,
                score=decimal_of(score),
                withdrawn=document.withdrawn,
                published=date_field(document.published, field + ".published", v),
                review_by=date_field(document.review_by, field + ".review_by", v),
                patient_id=document.patient_id or None,
            )
        )
    v.check(
        len(documents) <= MAX_DOCUMENTS,
        "context.documents",
        f"has {len(documents)} documents, the limit is {MAX_DOCUMENTS}",
    )
    v.check(
        total <= MAX_ALL_DOCUMENTS_CODE_POINTS,
        "context.documents",
        f"have {total} code points together, the limit is {MAX_ALL_DOCUMENTS_CODE_POINTS}",
    )
    ids = [d.id for d in documents]
    v.check(len(set(ids)) == len(ids), "context.documents", "have an id twice")
    return tuple(documents)
