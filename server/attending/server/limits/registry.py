"""Every limit that a caller can meet: what is bounded, by how much, for whom, and what is answered beyond it.

docs/limits.md is made from this table (`attending config limits`). A test goes beyond every limit against a real
server and expects the answer that stands here; another finds bounds in the code that do not.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from attending.server.config import MIB, Config, section_of

Scope = Literal["field", "call", "stream", "identity", "tenant", "address", "connection", "process"]


@dataclass(frozen=True, slots=True)
class Limit:
    """`value` is a key of the configuration (`limits.caller_rate`), or a constant (`module:NAME` below
    attending.server; with `[key]` one value of a table).

    `reason` is that of the error; None where the transport refuses by itself, `answer` then says how. `retry` says
    whether the error comes with google.rpc.RetryInfo.
    """

    name: str
    what: str
    value: str
    scope: Scope
    reason: str | None = "INVALID_REQUEST"
    status: str = "INVALID_ARGUMENT"
    retry: bool = False
    answer: str = ""

    def current(self) -> Any:
        """The value: the constant's, or the key's default."""
        if ":" in self.value:
            module, _colon, name = self.value.partition(":")
            name, _bracket, key = name.rstrip("]").partition("[")
            found = getattr(importlib.import_module(f"attending.server.{module}"), name)
            return found[key] if key else found
        section, _dot, key = self.value.partition(".")
        model = section_of(Config.model_fields[section].annotation)
        assert model is not None, self.value
        return model.model_fields[key].default


def _field(name: str, what: str, value: str) -> Limit:
    return Limit(name, what, value, "field")


def _busy(name: str, what: str, value: str, scope: Scope, reason: str) -> Limit:
    return Limit(name, what, value, scope, reason, "UNAVAILABLE", retry=True)


def _rate(name: str, what: str, value: str, scope: Scope, reason: str) -> Limit:
    return Limit(name, what, value, scope, reason, "RESOURCE_EXHAUSTED", retry=True)


def _transport(name: str, what: str, value: str, scope: Scope, answer: str) -> Limit:
    return Limit(name, what, value, scope, None, "", answer=answer)


_CLOSED: Final = "the connection is closed"
_NOT_TAKEN: Final = "the connection is closed as it comes"

LIMITS: Final[tuple[Limit, ...]] = (
    # How often
    _rate("caller_rate", "units a second of one identity", "limits.caller_rate", "identity", "CALLER_RATE"),
    _rate("caller_burst", "units at once of one identity", "limits.caller_burst", "identity", "CALLER_RATE"),
    _rate("tenant_rate", "units a second of one tenant", "limits.tenant_rate", "tenant", "TENANT_RATE"),
    _rate("tenant_burst", "units at once of one tenant", "limits.tenant_burst", "tenant", "TENANT_RATE"),
    _rate(
        "refused_credentials_rate",
        "refused credentials a second from one address",
        "limits.refused_credentials_rate",
        "address",
        "REFUSED_CREDENTIALS",
    ),
    _rate(
        "refused_credentials_burst",
        "refused credentials at once from one address",
        "limits.refused_credentials_burst",
        "address",
        "REFUSED_CREDENTIALS",
    ),
    _rate(
        "key_tries",
        "failed tries of one service key's prefix a minute",
        "auth.key_verifier:TRIES",
        "identity",
        "TOO_MANY_ATTEMPTS",
    ),
    # How many at once
    _busy("calls", "calls at once", "server.max_concurrent_rpcs", "process", "SERVER_BUSY"),
    _busy(
        "calls_per_caller",
        "calls at once of one identity",
        "server.max_concurrent_rpcs_per_caller",
        "identity",
        "CALLER_BUSY",
    ),
    _busy(
        "calls_per_tenant",
        "calls at once of one tenant",
        "limits.max_concurrent_rpcs_per_tenant",
        "tenant",
        "TENANT_BUSY",
    ),
    _busy(
        "streams_per_caller",
        "streaming calls at once of one identity",
        "limits.max_streams_per_caller",
        "identity",
        "CALLER_STREAMS",
    ),
    _busy(
        "streams_per_tenant",
        "streaming calls at once of one tenant",
        "limits.max_streams_per_tenant",
        "tenant",
        "TENANT_STREAMS",
    ),
    _busy(
        "anonymous_calls",
        "health and reflection calls at once",
        "limits.calls:MAX_ANONYMOUS_RPCS",
        "process",
        "SERVER_BUSY",
    ),
    _busy(
        "anonymous_calls_per_address",
        "the same, from one address",
        "limits.calls:MAX_ANONYMOUS_RPCS_PER_ADDRESS",
        "address",
        "ADDRESS_BUSY",
    ),
    _busy(
        "http_requests",
        "HTTP requests at once; half of them for one identity (`CALLER_BUSY`)",
        "http.max_concurrent_requests",
        "process",
        "SERVER_BUSY",
    ),
    _busy("queue", "appends that wait for the writer", "storage.max_queued_appends", "process", "QUEUE_FULL"),
    _busy(
        "key_checks",
        "service keys that wait to be verified",
        "auth.key_verifier:WAITING",
        "process",
        "AUTHENTICATION_BUSY",
    ),
    _busy(
        "key_hashes",
        "service keys that are being made",
        "auth.key_verifier:HASHING",
        "process",
        "AUTHENTICATION_BUSY",
    ),
    # For how long
    Limit(
        "deadline",
        "seconds of a unary call",
        "server.deadline_seconds",
        "call",
        "DEADLINE_EXCEEDED",
        "DEADLINE_EXCEEDED",
    ),
    Limit(
        "stream_deadline",
        "seconds of a streaming call",
        "server.stream_deadline_seconds",
        "call",
        "DEADLINE_EXCEEDED",
        "DEADLINE_EXCEEDED",
    ),
    Limit(
        "ended_within_seconds",
        "seconds that a running call goes on once a new one like it would be refused; the answer is that refusal's",
        "auth.running:ENDED_WITHIN_SECONDS",
        "call",
        "INVALID_CREDENTIAL",
        "UNAUTHENTICATED",
    ),
    _busy(
        "unknown_seconds",
        "seconds that a running call goes on while nobody can know whether a new one would be refused",
        "auth.running:UNKNOWN_SECONDS",
        "call",
        "IDENTITIES_STALE",
    ),
    _busy(
        "request_seconds",
        "seconds from the head of a call to the end of its first message",
        "limits.request_seconds",
        "call",
        "SLOW_SENDER",
    ),
    _busy(
        "idle_stream_seconds",
        "seconds between two messages of a stream of requests",
        "limits.idle_stream_seconds",
        "stream",
        "SLOW_SENDER",
    ),
    _busy(
        "slow_reader_seconds",
        "seconds that a message may wait to be read",
        "limits.slow_reader_seconds",
        "call",
        "SLOW_READER",
    ),
    # Connections
    _transport(
        "handshake_seconds",
        "seconds from a connection to the end of its TLS handshake",
        "limits.handshake_seconds",
        "connection",
        _CLOSED,
    ),
    _transport(
        "idle_connection_seconds",
        "seconds of a gRPC connection without a call",
        "limits.idle_connection_seconds",
        "connection",
        _CLOSED,
    ),
    _transport(
        "connection_seconds",
        "seconds of a gRPC connection, give or take a tenth, after which it takes no new call",
        "limits.connection_seconds",
        "connection",
        "a GOAWAY frame; clients open another",
    ),
    _transport(
        "connection_grace_seconds",
        "seconds that its running calls then have",
        "limits.connection_grace_seconds",
        "connection",
        _CLOSED,
    ),
    _transport(
        "connections", "gRPC connections at once on a port", "limits.max_connections", "process", _NOT_TAKEN
    ),
    _transport("http_connections", "HTTP connections at once", "http.max_connections", "process", _NOT_TAKEN),
    _transport(
        "http_connections_per_address",
        "HTTP connections at once from one address",
        "http.max_connections_per_address",
        "address",
        _NOT_TAKEN,
    ),
    _transport(
        "http_head_seconds",
        "seconds for the head of an HTTP request",
        "web.protocol:HEAD_SECONDS",
        "connection",
        _CLOSED,
    ),
    _transport(
        "http_head_bytes",
        "bytes of the head of an HTTP request",
        "web.protocol:MAX_HEAD_BYTES",
        "call",
        "400 `INVALID_REQUEST`",
    ),
    _transport(
        "http_idle_seconds",
        "seconds between two HTTP requests",
        "web.protocol:KEEP_ALIVE_SECONDS",
        "connection",
        _CLOSED,
    ),
    _transport(
        "http_stalled_seconds",
        "seconds that an HTTP answer may wait to be read",
        "web.protocol:STALLED_SECONDS",
        "connection",
        _CLOSED,
    ),
    # What a message may be
    _transport(
        "metadata_bytes",
        "bytes of a call's metadata",
        "hosting:METADATA_BYTES",
        "call",
        "RESOURCE_EXHAUSTED of gRPC itself, without a reason",
    ),
    Limit(
        "message_bytes",
        "bytes of a request, not compressed; beyond twice that gRPC itself refuses, without a reason",
        "server.max_message_bytes",
        "call",
        "MESSAGE_TOO_LARGE",
        "RESOURCE_EXHAUSTED",
    ),
    Limit(
        "response_bytes",
        "bytes of a response",
        "server.max_message_bytes",
        "call",
        "RESPONSE_TOO_LARGE",
        "RESOURCE_EXHAUSTED",
    ),
    Limit(
        "violations",
        "field violations that one error names; the rest are named when these are corrected",
        "status:MAX_VIOLATIONS",
        "call",
    ),
    _field(
        "idempotency_key",
        "characters of `idempotency_key`, printable ASCII",
        "idempotency:MAX_KEY_CHARACTERS",
    ),
    _field("page_size_entries", "`page_size` of ListEntries", "services.ledger:MAX_PAGE"),
    _field("page_size_completeness", "`page_size` of GetCompleteness", "services.append:MAX_PAGE"),
    _field("page_size_queue", "`page_size` of ListQueue", "services.review:MAX_PAGE"),
    _field("page_size_versions", "`page_size` of ListVersions", "services.prompts:MAX_PAGE"),
    _field("index", "an index or a tree size", "services.ledger:MAX_INDEX"),
    # Inferences
    _field(
        "text",
        "code points of `prompt` and `output`, and of one variable",
        "wire.request:MAX_TEXT_CODE_POINTS",
    ),
    _field("documents", "documents", "wire.request:MAX_DOCUMENTS"),
    _field("document", "code points of one document", "wire.request:MAX_DOCUMENT_CODE_POINTS"),
    _field("documents_text", "code points of all documents", "wire.request:MAX_ALL_DOCUMENTS_CODE_POINTS"),
    _field("document_id", "code points of a document's `id`", "wire.request:MAX_DOCUMENT_ID_CODE_POINTS"),
    _field(
        "document_version", "code points of its `version`", "wire.request:MAX_DOCUMENT_VERSION_CODE_POINTS"
    ),
    _field("tags", "tags", "wire.request:MAX_TAGS"),
    _field("tag_key", "a tag's key", "wire.request:TAG_KEY"),
    _field("tag_value", "a tag's value", "wire.request:TAG_VALUE"),
    _field("on_behalf_of", "`on_behalf_of`", "wire.request:STAFF_ID"),
    _field("subject_ref", "code points of `subject_ref`", "wire.request:MAX_SUBJECT_CODE_POINTS"),
    _field("policy", "the name of a policy", "wire.request:POLICY"),
    _field("model", "the name of a model or a provider", "wire.request:MODEL_NAME"),
    _field("usage", "tokens in `usage`", "wire.request:MAX_TOKENS"),
    _field("output_tokens", "`max_output_tokens`", "wire.request:MAX_OUTPUT_TOKENS"),
    _field("temperature", "`temperature_milli`", "wire.request:MAX_TEMPERATURE_MILLI"),
    _field(
        "provider_seconds_least", "least seconds of `provider_timeout`", "wire.request:MIN_PROVIDER_SECONDS"
    ),
    _field(
        "provider_seconds",
        "most seconds of `provider_timeout`, and at most the provider's configured time",
        "wire.request:MAX_PROVIDER_SECONDS",
    ),
    _field("prompt_name", "code points of a prompt's name", "wire.request:MAX_PROMPT_NAME_CODE_POINTS"),
    _field("variables", "variables of a prompt template", "prompts.template:MAX_VARIABLES"),
    _field("variable_name", "the name of a variable", "wire.request:VARIABLE"),
    _field("template", "code points of a prompt template", "prompts.template:MAX_TEMPLATE_CODE_POINTS"),
    _field("channel", "the channel of a delivery", "wire.request:CHANNEL"),
    # The patient
    _field("list_items", "items of each list of the patient", "wire.patient:MAX_LIST_ITEMS"),
    _field("short_text", "code points of a text in them", "wire.patient:MAX_SHORT_CODE_POINTS"),
    _field("fhir", "code points of one string of `fhir_json`", "wire.patient:MAX_FHIR_CODE_POINTS"),
    _field(
        "number_exponent",
        "decimal digits before or after the point of a number in it",
        "wire.violations:MAX_EXPONENT",
    ),
    _field("number_characters", "characters of a number in it", "wire.violations:MAX_NUMBER_CHARACTERS"),
    _field("names", "names of the patient", "wire.patient:MAX_NAMES"),
    _field("name", "code points of one", "wire.patient:MAX_NAME_CODE_POINTS"),
    _field("mrn", "code points of `mrn`", "wire.patient:MAX_MRN_CODE_POINTS"),
    _field("age_days", "`age_days`", "wire.patient:MAX_AGE_DAYS"),
    _field("age_years", "`age_years`", "wire.patient:MEASURES[age_years]"),
    _field("gestational_weeks", "`gestational_weeks`", "wire.patient:MEASURES[gestational_weeks]"),
    _field("weight_kg", "`weight_kg`", "wire.patient:MEASURES[weight_kg]"),
    _field("height_cm", "`height_cm`", "wire.patient:MEASURES[height_cm]"),
    _field("egfr", "`egfr`", "wire.patient:MEASURES[egfr]"),
    _field("crcl", "`crcl`", "wire.patient:MEASURES[crcl]"),
    _field("infant_days", "`infant_days`", "wire.patient:MAX_INFANT_DAYS"),
    _field("earliest", "the earliest time", "wire.violations:EARLIEST"),
    # Events from outside
    _field("batch", "events of one AppendBatch", "events.check:MAX_BATCH"),
    _field("expectations", "expectations of one AppendBatch", "services.append:MAX_EXPECTATIONS"),
    _field("message_events", "events of one message of AppendStream", "services.append:MAX_MESSAGE_EVENTS"),
    _field("event_body", "bytes of an event's body", "events.check:MAX_BODY_BYTES"),
    _field("event_payloads", "payloads of an event", "events.check:MAX_PAYLOADS"),
    _field("event_payload", "bytes of one", "events.check:MAX_PAYLOAD_BYTES"),
    _field(
        "event_subject", "code points of an event's `subject_ref`", "events.check:MAX_SUBJECT_CODE_POINTS"
    ),
    _field("sequence", "a sequence, and `issued`", "events.check:MAX_SEQUENCE"),
    _field("emitter", "an emitter's name", "events.check:EMITTER_ID"),
    Limit(
        "gaps",
        "unbroken ranges of one emitter's sequences",
        "events.append:MAX_PARTS",
        "identity",
        "TOO_MANY_GAPS",
        "FAILED_PRECONDITION",
    ),
    # Review and custody
    _field("note", "code points of a reviewer's note", "review.note:MAX_NOTE_CODE_POINTS"),
    _field("halt_note", "code points of a note of Halt and Resume", "services.admin:MAX_NOTE_CODE_POINTS"),
    # Identities
    Limit(
        "credentials",
        "credentials of one kind of one identity that have not ended",
        "people.registry:MAX_CREDENTIALS",
        "identity",
        "TOO_MANY_CREDENTIALS",
        "FAILED_PRECONDITION",
    ),
    _field("display_name", "code points of a printed name", "services.identity:MAX_DISPLAY_NAME"),
    _field(
        "named_credentials", "certificate names, and subjects, of one request", "services.identity:MAX_NAMED"
    ),
    _field(
        "emergency_note",
        "code points of a note on an emergency access",
        "services.emergency:MAX_NOTE_CODE_POINTS",
    ),
    _field("subject_name", "characters of an identifier of a person", "services.custody:MAX_IDENTIFIER"),
)

BY_NAME: Final = {limit.name: limit for limit in LIMITS}

_HEAD: Final = """# Limits

Every limit that a caller can meet, and what is answered beyond it. Rates and shares are counted by each server process
for itself. `yes` under *come again* means that the error carries `google.rpc.RetryInfo`: the same call, with the same
idempotency key, may succeed after that time. Over HTTP it is `Retry-After`, and the status that
[api.md](api.md#errors) has for the reason's class.

A refusal at a rate, a share or a time names the limit and its value in the metadata of its `google.rpc.ErrorInfo`
(`limit`, `value`); one at a size names the field, or the bytes (`limit_bytes`). Values in `code` are configured in
[configuration.md](configuration.md); the others are fixed.

A call that reads is one unit, one that runs checks or a model, lists users or makes a key ten, one that goes through a
whole log fifty. A halt
needs no share of anything, and has a rate of its own. Over gRPC, connections are not counted by address, which the
library cannot do: a firewall can. A stream that its client does not read is ended after `slow_reader_seconds`. It
keeps its place, since its last message cannot be taken back, until the client reads or its connection ends.

This page is made by `attending config limits`.

| limit | value | of each | beyond it | come again |
|---|---|---|---|---|
"""


def markdown() -> str:
    """docs/limits.md, whole."""
    return _HEAD + "".join(_row(limit) for limit in LIMITS)


def _row(limit: Limit) -> str:
    beyond = limit.answer if limit.reason is None else f"{limit.status} `{limit.reason}`"
    value = _shown(limit.current())
    if ":" not in limit.value:
        value = f"{value}, `{limit.value}`"
    return f"| {limit.what} | {value} | {limit.scope} | {beyond} | {'yes' if limit.retry else 'no'} |\n"


def _shown(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return f"`{value.pattern.removesuffix(chr(92) + 'Z')}`".replace("|", "\\|")
    if isinstance(value, tuple):
        return " to ".join(_shown(part) for part in value)
    if isinstance(value, int) and value >= MIB and value % MIB == 0:
        return f"{value // MIB} MiB"
    if isinstance(value, int) and value == 2**53 - 1:
        return "2^53 - 1"
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:,g}"
        if isinstance(value, float)
        else f"{value:%Y-%m-%d}"
    )
