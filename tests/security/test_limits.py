"""Every limit of the registry, gone beyond against a real server; and no bound in the code that is not in it."""

from __future__ import annotations

import ast
import re
import socket
import ssl
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from attending.client.errors import translate
from attending.server.limits.calls import MAX_ANONYMOUS_RPCS, MAX_ANONYMOUS_RPCS_PER_ADDRESS
from attending.server.limits.registry import BY_NAME, LIMITS, markdown
from attending.server.status import STATUS
from attending.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    common_pb2,
    custody_pb2,
    custody_pb2_grpc,
    emergency_pb2,
    emergency_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    prompt_pb2,
    prompt_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
)
from google.protobuf.message import Message

from tests.e2e.calls import TIMEOUT, infer_request, record_request, refused
from tests.e2e.configured_server import ConfiguredServer
from tests.security.http2 import GOAWAY, Http2, connect, reason
from tests.security.large import Large, building

ROOT = Path(__file__).resolve().parents[2]
LIST = "/attending.v1.LedgerService/ListEntries"
GET = "/attending.v1.LedgerService/GetEntry"
STREAM = "/attending.v1.LedgerService/AppendStream"
WATCH = "/grpc.health.v1.Health/Watch"

ELSEWHERE: dict[tuple[str, str], tuple[str, ...]] = {
    (
        "tests/server/limits/test_rates.py",
        "test_both_doors_draw_from_one_bucket",
    ): (
        "caller_rate",
        "caller_burst",
    ),
    (
        "tests/server/limits/test_rates.py",
        "test_guessing_is_stopped_at_both_doors_and_not_for_a_certificate",
    ): (
        "refused_credentials_rate",
        "refused_credentials_burst",
    ),
    (
        "tests/server/people/test_registry.py",
        "test_one_identity_has_only_so_many_credentials_of_a_kind",
    ): ("credentials",),
    (
        "tests/server/auth/test_key_verifier.py",
        "test_failed_tries_of_a_prefix_are_limited_and_the_limit_ends",
    ): ("key_tries",),
    (
        "tests/server/auth/test_key_verifier.py",
        "test_those_who_wait_are_bounded_and_the_remembered_do_not_wait",
    ): ("key_checks",),
    (
        "tests/server/auth/test_key_verifier.py",
        "test_only_so_many_new_keys_are_hashed_at_once",
    ): ("key_hashes",),
    (
        "tests/server/limits/test_calls.py",
        "test_the_second_caller_still_gets_in_when_the_first_has_used_its_share",
    ): (
        "calls",
        "calls_per_caller",
    ),
    (
        "tests/security/test_slow_clients.py",
        "test_a_stream_that_is_not_read_lets_go_of_its_work_and_keeps_its_place",
    ): (
        "streams_per_caller",
        "slow_reader_seconds",
    ),
    (
        "tests/server/web/test_tiles.py",
        "test_a_busy_server_says_when_to_come_back",
    ): ("http_requests",),
    (
        "tests/server/services/test_append.py",
        "test_a_full_queue_is_unavailable_with_a_time_to_retry",
    ): ("queue",),
    (
        "tests/server/auth/test_running.py",
        "test_a_stream_of_events_ends_when_its_caller_is_revoked",
    ): ("ended_within_seconds",),
    (
        "tests/server/auth/test_running.py",
        "test_a_running_call_ends_when_nobody_can_say_for_long_and_that_is_no_denial",
    ): ("unknown_seconds",),
    (
        "tests/server/limits/test_calls.py",
        "test_a_call_that_takes_too_long_is_ended",
    ): ("deadline",),
    (
        "tests/server/limits/test_calls.py",
        "test_a_stream_that_takes_too_long_is_ended_too",
    ): ("stream_deadline",),
    (
        "tests/security/test_slow_clients.py",
        "test_a_call_that_sends_its_head_and_nothing_more",
    ): ("request_seconds",),
    (
        "tests/security/test_slow_clients.py",
        "test_a_stream_on_which_nothing_comes_any_more",
    ): ("idle_stream_seconds",),
    (
        "tests/security/test_http.py",
        "test_more_connections_than_one_address_may_have",
    ): ("http_connections_per_address",),
    (
        "tests/security/test_http.py",
        "test_a_head_that_comes_byte_by_byte_first_or_later",
    ): ("http_head_seconds",),
    (
        "tests/security/test_http.py",
        "test_heads_are_bounded",
    ): ("http_head_bytes",),
    (
        "tests/server/web/test_life.py",
        "test_a_client_that_does_not_read_is_dropped",
    ): ("http_stalled_seconds",),
    (
        "tests/server/limits/test_calls.py",
        "test_messages_up_to_the_limit_and_above",
    ): (
        "message_bytes",
        "response_bytes",
    ),
    (
        "tests/server/services/test_append.py",
        "test_a_client_that_skips_at_will_is_refused_in_the_end",
    ): ("gaps",),
}
"""Limits that another test goes beyond."""

Patient = common_pb2.PatientContext
Call = tuple[str, str, Message]


def value(name: str) -> Any:
    return BY_NAME[name].current()


def infer(field: str, request: inference_pb2.InferRequest) -> Call:
    return "Infer", field, request


def context(field: str, **given: Any) -> Call:
    return "Infer", f"context.{field}", infer_request(**given)


def changed(field: str, change: Callable[[inference_pb2.InferRequest], Any]) -> Call:
    request = infer_request()
    change(request)
    return "Infer", field, request


def patient(field: str, **given: Any) -> Call:
    return context(f"patient.{field}", patient=Patient(**given))


def record(field: str, **given: Any) -> Call:
    request = record_request("A letter.")
    request.MergeFrom(inference_pb2.RecordRequest(**given))
    return "Record", field, request


def event(**given: Any) -> ledger_pb2.Event:
    return ledger_pb2.Event(**{"sequence": 1, "type": "sla.recovered", "body": b'{"sla_id":"a"}', **given})


def batch(field: str, *events: ledger_pb2.Event, **given: Any) -> Call:
    key = uuid.uuid4().hex
    made = {"idempotency_key": key, "emitter": "e", "events": events, **given}
    return "AppendBatch", field, ledger_pb2.AppendBatchRequest(**made)


def documents(number: int, **given: Any) -> list[common_pb2.RetrievedDocument]:
    return [common_pb2.RetrievedDocument(**{"id": str(n), "text": "x", **given}) for n in range(number)]


def over(name: str) -> str:
    return "x" * (int(value(name)) + 1)


def labs(number: int) -> list[common_pb2.Lab]:
    return [common_pb2.Lab(code="x", value=1) for _ in range(number)]


def fhir(number: str) -> list[str]:
    return [f'{{"resourceType":"Patient","x":{number}}}']


def prompt_ref(**given: Any) -> Callable[[inference_pb2.InferRequest], Any]:
    made = inference_pb2.PromptReference(**{"name": "letter", "label": "production", **given})
    return lambda request: request.prompt_ref.CopyFrom(made)


FIELDS: dict[str, Callable[[], Call]] = {
    "idempotency_key": lambda: infer("idempotency_key", infer_request(key=over("idempotency_key"))),
    "page_size_entries": lambda: (
        "ListEntries",
        "page_size",
        ledger_pb2.ListEntriesRequest(page_size=value("page_size_entries") + 1),
    ),
    "page_size_completeness": lambda: (
        "GetCompleteness",
        "page_size",
        ledger_pb2.GetCompletenessRequest(page_size=value("page_size_completeness") + 1),
    ),
    "page_size_queue": lambda: (
        "ListQueue",
        "page_size",
        review_pb2.ListQueueRequest(page_size=value("page_size_queue") + 1),
    ),
    "page_size_versions": lambda: (
        "ListVersions",
        "page_size",
        prompt_pb2.ListVersionsRequest(name="a", page_size=value("page_size_versions") + 1),
    ),
    "index": lambda: (
        "GetInclusionProof",
        "index",
        ledger_pb2.GetInclusionProofRequest(index=value("index") + 1, tree_size=1),
    ),
    "text": lambda: infer("prompt", infer_request(over("text"))),
    "documents": lambda: context("documents", documents=documents(value("documents") + 1)),
    "document": lambda: context("documents[0].text", documents=documents(1, text=over("document"))),
    "documents_text": lambda: context("documents", documents=documents(9, text="x" * 60_000)),
    "document_id": lambda: context("documents[0].id", documents=documents(1, id=over("document_id"))),
    "document_version": lambda: context(
        "documents[0].version", documents=documents(1, version=over("document_version"))
    ),
    "tags": lambda: changed(
        "context.tags", lambda r: r.context.tags.update({f"t{n}": "x" for n in range(value("tags") + 1)})
    ),
    "tag_key": lambda: changed("context.tags[2]", lambda r: r.context.tags.update({"x" * 33: "x"})),
    "tag_value": lambda: changed("context.tags[0]", lambda r: r.context.tags.update({"a": "x" * 65})),
    "on_behalf_of": lambda: context("on_behalf_of", on_behalf_of="x" * 129),
    "subject_ref": lambda: context("subject_ref", subject_ref=over("subject_ref")),
    "policy": lambda: infer("context.policy", infer_request(policy="x" * 65)),
    "model": lambda: infer("model.model", infer_request(model="x" * 129)),
    "usage": lambda: record("usage.input_tokens", usage=common_pb2.Usage(input_tokens=value("usage") + 1)),
    "output_tokens": lambda: changed(
        "model.max_output_tokens", lambda r: setattr(r.model, "max_output_tokens", value("output_tokens") + 1)
    ),
    "temperature": lambda: changed(
        "model.temperature_milli", lambda r: setattr(r.model, "temperature_milli", value("temperature") + 1)
    ),
    "provider_seconds_least": lambda: changed(
        "provider_timeout",
        lambda r: r.provider_timeout.FromMilliseconds(round(value("provider_seconds_least") * 1000) - 1),
    ),
    "provider_seconds": lambda: changed(
        "provider_timeout",
        lambda r: r.provider_timeout.FromMilliseconds(round(value("provider_seconds") * 1000) + 1),
    ),
    "prompt_name": lambda: changed("prompt_ref.name", prompt_ref(name=over("prompt_name"))),
    "variables": lambda: changed(
        "prompt_ref.variables", prompt_ref(variables={f"v{n}": "x" for n in range(value("variables") + 1)})
    ),
    "variable_name": lambda: changed("prompt_ref.variables[0]", prompt_ref(variables={"x" * 65: "x"})),
    "template": lambda: (
        "CreateVersion",
        "template",
        prompt_pb2.CreateVersionRequest(
            idempotency_key=uuid.uuid4().hex, name="a", template=over("template")
        ),
    ),
    "channel": lambda: (
        "AckDelivery",
        "channel",
        inference_pb2.AckDeliveryRequest(
            idempotency_key="a",
            inference_id="inf_x",
            recipient=common_pb2.RECIPIENT_PATIENT,
            channel="x" * 65,
        ),
    ),
    "list_items": lambda: patient("labs", labs=labs(value("list_items") + 1)),
    "short_text": lambda: patient("labs[0].code", labs=[common_pb2.Lab(code=over("short_text"), value=1)]),
    "fhir": lambda: patient("fhir_json[0]", fhir_json=[over("fhir")]),
    "number_exponent": lambda: patient("fhir_json[0]", fhir_json=fhir(f"1e{value('number_exponent') + 1}")),
    "number_characters": lambda: patient(
        "fhir_json[0]", fhir_json=fhir("0." + "1" * value("number_characters"))
    ),
    "names": lambda: patient(
        "identity.names", identity=common_pb2.PatientIdentity(names=["x"] * (value("names") + 1))
    ),
    "name": lambda: patient("identity.names[0]", identity=common_pb2.PatientIdentity(names=[over("name")])),
    "mrn": lambda: patient("identity.mrn", identity=common_pb2.PatientIdentity(mrn=over("mrn"))),
    "age_days": lambda: patient("age_days", age_days=value("age_days") + 1),
    "infant_days": lambda: patient("infant_days", infant_days=value("infant_days") + 1),
    **{
        name: (lambda name=name: patient(name, **{name: value(name)[1] + 1}))  # type: ignore[misc]
        for name in ("age_years", "gestational_weeks", "weight_kg", "height_cm", "egfr", "crcl")
    },
    "earliest": lambda: record("occurred_at", occurred_at={"seconds": -1}),
    "batch": lambda: batch("events", *[event(sequence=n + 1) for n in range(value("batch") + 1)]),
    "expectations": lambda: batch(
        "expectations",
        event(),
        expectations=[ledger_pb2.StreamExpectation(stream="inf_x")] * (value("expectations") + 1),
    ),
    "message_events": lambda: (
        "AppendStream",
        "events",
        ledger_pb2.AppendStreamRequest(
            events=ledger_pb2.AppendStreamRequest.Events(
                events=[event(sequence=n + 1) for n in range(value("message_events") + 1)]
            )
        ),
    ),
    "event_body": lambda: batch("events[0].body", event(body=b" " * (value("event_body") + 1))),
    "event_payloads": lambda: batch(
        "events[0].payloads",
        event(
            payloads=[
                ledger_pb2.EventPayload(kind=f"k{n}", content=b"x")
                for n in range(value("event_payloads") + 1)
            ]
        ),
    ),
    "event_payload": lambda: batch(
        "events[0].payloads[0].content",
        event(
            payloads=[ledger_pb2.EventPayload(kind="comment", content=b"x" * (value("event_payload") + 1))]
        ),
    ),
    "event_subject": lambda: batch("events[0].subject_ref", event(subject_ref=over("event_subject"))),
    "sequence": lambda: batch("events[0].sequence", event(sequence=value("sequence") + 1)),
    "emitter": lambda: batch("emitter", event(), emitter="x" * 65),
    "note": lambda: (
        "Reject",
        "note",
        review_pb2.RejectRequest(
            idempotency_key="a",
            ticket_id="tkt_x",
            lease_id="x",
            reason_code="incomplete",
            note=over("note"),
        ),
    ),
    "halt_note": lambda: (
        "Halt",
        "note",
        admin_pb2.HaltRequest(idempotency_key="a", reason=cast("Any", 1), note=over("halt_note")),
    ),
    "display_name": lambda: (
        "EnrolUser",
        "display_name",
        identity_pb2.EnrolUserRequest(idempotency_key="a", name="a", display_name=over("display_name")),
    ),
    "named_credentials": lambda: (
        "EnrolUser",
        "certificate_uris",
        identity_pb2.EnrolUserRequest(
            idempotency_key="a",
            name="a",
            certificate_uris=[f"spiffe://a/{n}" for n in range(value("named_credentials") + 1)],
        ),
    ),
    "emergency_note": lambda: (
        "ReviewEmergencyAccess",
        "note",
        emergency_pb2.ReviewEmergencyAccessRequest(idempotency_key="a", note=over("emergency_note")),
    ),
    "subject_name": lambda: (
        "ShowSubject",
        "subject",
        custody_pb2.ShowSubjectRequest(subject=custody_pb2.SubjectName(mrn=over("subject_name"))),
    ),
}
"""Requests that go beyond the bound of one field: rpc, the field that is named, message."""

WHO = {
    "ListEntries": "auditor",
    "GetCompleteness": "auditor",
    "GetInclusionProof": "auditor",
    "ListQueue": "clinician",
    "Reject": "clinician",
    "Halt": "safety_officer",
    "EnrolUser": "operator",
    "ReviewEmergencyAccess": "privacy_officer",
    "ShowSubject": "privacy_officer",
    "CreateVersion": "operator",
    "ListVersions": "operator",
}
STUBS = [
    admin_pb2_grpc.AdminServiceStub,
    custody_pb2_grpc.CustodyServiceStub,
    emergency_pb2_grpc.EmergencyServiceStub,
    identity_pb2_grpc.IdentityServiceStub,
    inference_pb2_grpc.InferenceServiceStub,
    ledger_pb2_grpc.LedgerServiceStub,
    prompt_pb2_grpc.PromptServiceStub,
    review_pb2_grpc.ReviewServiceStub,
]


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_field_beyond_its_limit_is_named(hospital: ConfiguredServer, name: str) -> None:
    rpc, field, message = FIELDS[name]()
    with hospital.connection("north", WHO.get(rpc, "app")).channel() as channel:
        [stub] = [made for kind in STUBS if hasattr(made := kind(channel), rpc)]
        if rpc == "AppendStream":
            opening = ledger_pb2.AppendStreamRequest(open=ledger_pb2.AppendStreamRequest.Open(emitter="e"))
            answer = refused(lambda: stub.AppendStream(iter([opening, message]), timeout=TIMEOUT))
        else:
            answer = refused(lambda: getattr(stub, rpc)(message, timeout=TIMEOUT))
    assert answer.reason == BY_NAME[name].reason
    assert field in answer.fields
    assert answer.code.name == BY_NAME[name].status


def test_an_error_names_only_so_many_violations(hospital: ConfiguredServer) -> None:
    many = infer_request(
        patient=Patient(labs=[common_pb2.Lab(code="", value=float("nan")) for _ in range(400)])
    )
    with hospital.connection("north", "app").channel() as channel:
        answer = refused(
            lambda: inference_pb2_grpc.InferenceServiceStub(channel).Infer(many, timeout=TIMEOUT)
        )
    assert answer.reason == "INVALID_REQUEST"
    assert len(answer.error.field_violations) == value("violations")
    assert len(answer.raw) < 8192


# --- what needs a server of its own --------------------------------------------------------------------


def limited(start_server: Any, **sections: dict[str, Any]) -> Any:
    return start_server(components=building(Large()), overrides=sections)  # type: ignore[abstract]


def outcome(server: Any, who: str = "demo-auditor") -> tuple[str, dict[str, str], bool]:
    """Reason, metadata and whether there is a time to retry, of a call that reads."""
    stub = ledger_pb2_grpc.LedgerServiceStub(server.channel(who))
    try:
        stub.ListEntries(ledger_pb2.ListEntriesRequest(), timeout=30)
    except grpc.RpcError as err:
        error = translate(err)
        return error.reason, error.metadata, error.retry_after_seconds is not None
    return "ok", {}, False


def ended(connection: Http2, seconds: float = 20.0) -> list[int]:
    """Kinds of the frames that came before the server closed the connection; it has to."""
    kinds = []
    while (found := connection.receive(seconds)) is not None:
        kinds.append(found.kind)
    return kinds


def tenant_rate(start_server: Any) -> None:
    server = limited(start_server, limits={"tenant_rate": 0.01, "tenant_burst": 50.0})
    for _ in range(25):
        assert outcome(server) == outcome(server, "demo-safety-officer") == ("ok", {}, False)
    assert outcome(server) == ("TENANT_RATE", {"limit": "limits.tenant_rate", "value": "0.01"}, True)


def calls_per_tenant(start_server: Any) -> None:
    server = limited(start_server, limits={"max_concurrent_rpcs_per_tenant": 2})
    with ExitStack() as opened:
        for who in ("demo-auditor", "demo-safety-officer"):
            opened.enter_context(connection := connect(server, who))
            connection.open(LIST)
        time.sleep(0.2)
        metadata = {"limit": "limits.max_concurrent_rpcs_per_tenant", "value": "2"}
        assert outcome(server, "demo-auditor") == ("TENANT_BUSY", metadata, True)


def streams_per_tenant(start_server: Any) -> None:
    server = limited(start_server, limits={"max_streams_per_tenant": 2})
    with connect(server, "demo-app") as first, connect(server, "demo-app") as second:
        for one in (first, second):
            one.open(STREAM)
        time.sleep(0.2)
        with connect(server, "demo-operator") as third:
            assert reason(third, third.open(STREAM)) == "TENANT_STREAMS"


def anonymous(start_server: Any) -> None:
    server = limited(start_server)
    with ExitStack() as opened:

        def watch(address: int) -> tuple[Http2, int]:
            source = f"127.0.0.{address}"
            opened.enter_context(one := connect(server, token=None, source=source))
            return one, one.call(WATCH, b"")

        addresses = MAX_ANONYMOUS_RPCS // MAX_ANONYMOUS_RPCS_PER_ADDRESS
        for address in range(2, addresses + 2):
            one, _stream = watch(address)
            for _ in range(MAX_ANONYMOUS_RPCS_PER_ADDRESS):
                one.call(WATCH, b"")
            # One of them is too many; the server takes a connection's calls in any order.
            assert reason(one, None) == "ADDRESS_BUSY"
        assert reason(*watch(addresses + 2)) == "SERVER_BUSY"
        # Callers with a credential have places of their own.
        assert outcome(server)[0] == "ok"


def handshake(start_server: Any) -> None:
    server = limited(start_server, limits={"handshake_seconds": 0.5})
    host, _colon, port = server.ready.endpoint["token_target"].partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as silent:
        assert silent.recv(1) == b""
    # TLS and nothing more: not even the preface of HTTP/2.
    with connect(server, greet=False) as silent_too:
        silent_too.socket.settimeout(20)
        while silent_too.socket.recv(65536):
            pass


def idle_connection(start_server: Any) -> None:
    server = limited(start_server, limits={"idle_connection_seconds": 1.0})
    with connect(server) as idle:
        assert GOAWAY in ended(idle)


def old_connection(start_server: Any) -> None:
    limits = {"connection_seconds": 1.0, "connection_grace_seconds": 1.0}
    server = limited(start_server, limits=limits)
    with connect(server, "demo-app") as old:
        old.open(STREAM)
        # Told to go, and, with a call that does not end, made to.
        assert GOAWAY in ended(old)


def connections(start_server: Any) -> None:
    server = limited(start_server, limits={"max_connections": 3})
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(one := connect(server))
            assert reason(one, one.call(GET, b"")) == ""
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(server)
    until_connected(server)


def until_connected(server: Any) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            with connect(server) as one:
                assert reason(one, one.call(GET, b"")) == ""
                return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


def metadata_bytes(start_server: Any) -> None:
    server = limited(start_server)
    stub = ledger_pb2_grpc.LedgerServiceStub(server.channel("demo-auditor"))
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListEntries(
            ledger_pb2.ListEntriesRequest(), metadata=[("x", "a" * value("metadata_bytes"))], timeout=30
        )
    assert cast("grpc.Call", caught.value).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert outcome(server)[0] == "ok"


def http_connections(start_server: Any) -> None:
    from attending.server.web.component import build as web

    server = start_server(components=[web], overrides={"http": {"port": 0, "max_connections": 2}})
    port = int(re.findall(r":(\d+)/", server.ready.endpoint["log_urls"]["demo"])[0])
    with ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(socket.create_connection(("localhost", port), timeout=20))
        time.sleep(0.2)
        with socket.create_connection(("localhost", port), timeout=20) as more:
            assert more.recv(1) == b""


def http_idle(start_server: Any) -> None:
    from attending.server.web import protocol
    from attending.server.web.component import build as web

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "KEEP_ALIVE_SECONDS", 1)
        server = start_server(components=[web], overrides={"http": {"port": 0, "tls": False}})
        port = int(re.findall(r":(\d+)/", server.ready.endpoint["log_urls"]["demo"])[0])
        with socket.create_connection(("localhost", port), timeout=8) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            while more := idle.recv(65536):
                received += more
            assert received.startswith(b"HTTP/1.1 401")


SERVERS: dict[str, Callable[[Any], None]] = {
    "tenant_rate": tenant_rate,
    "tenant_burst": tenant_rate,
    "calls_per_tenant": calls_per_tenant,
    "streams_per_tenant": streams_per_tenant,
    "anonymous_calls": anonymous,
    "anonymous_calls_per_address": anonymous,
    "handshake_seconds": handshake,
    "idle_connection_seconds": idle_connection,
    "connection_seconds": old_connection,
    "connection_grace_seconds": old_connection,
    "connections": connections,
    "http_connections": http_connections,
    "http_idle_seconds": http_idle,
    "metadata_bytes": metadata_bytes,
}


@pytest.mark.parametrize("beyond", dict.fromkeys(SERVERS.values()), ids=lambda beyond: beyond.__name__)
def test_beyond_a_limit_of_the_server(start_server: Any, beyond: Callable[[Any], None]) -> None:
    beyond(start_server)


# --- the registry itself -------------------------------------------------------------------------------


def test_every_limit_is_gone_beyond_by_some_test() -> None:
    here = {"violations": "test_an_error_names_only_so_many_violations"}
    elsewhere = {name for names in ELSEWHERE.values() for name in names}
    groups = [set(FIELDS), set(SERVERS), elsewhere, set(here)]
    assert set().union(*groups) == set(BY_NAME)
    assert sum(map(len, groups)) == len(BY_NAME) == len(LIMITS)
    for path, name in ELSEWHERE:
        assert f"def {name}(" in (ROOT / path).read_text(), name


def test_every_value_is_there_and_every_reason_has_the_status_of_its_class() -> None:
    codes = {mapping.code.name for mapping in STATUS.values()}
    for limit in LIMITS:
        assert limit.current() is not None, limit.name
        assert (limit.reason is None) == bool(limit.answer), limit.name
        assert limit.reason is None or limit.status in codes, limit.name


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "limits.md").read_text() == markdown(), (
        "run: attending config limits > docs/limits.md"
    )


def registered() -> set[str]:
    return {limit.value.partition(":")[2].partition("[")[0] for limit in LIMITS if ":" in limit.value}


def bounds(path: Path) -> set[str]:
    """Names of the constants of a module that are numbers, or tables or patterns of them."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
        for target in targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                numeric = isinstance(node, ast.Assign | ast.AnnAssign) and any(
                    isinstance(part, ast.Constant) and type(part.value) in (int, float)
                    for part in ast.walk(cast("ast.expr", node.value))
                )
                if (
                    isinstance(name, ast.Name)
                    and name.id.isupper()
                    and numeric
                    and not name.id.startswith("_")
                ):
                    found.add(name.id)
    return found


def test_every_bound_of_a_request_is_in_the_registry() -> None:
    wire = ROOT / "server" / "attending" / "server" / "wire"
    assert set().union(*(bounds(path) for path in wire.glob("*.py"))) <= registered()


def test_no_bound_of_a_request_is_a_bare_number() -> None:
    wire = ROOT / "server" / "attending" / "server" / "wire"
    bare = []
    for path in wire.glob("*.py"):
        for function in (
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
        ):
            for node in ast.walk(function):
                compared = [*node.comparators, node.left] if isinstance(node, ast.Compare) else []
                given = (
                    node.args
                    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "text"
                    else []
                )
                for part in (*compared, *given):
                    if (
                        isinstance(part, ast.Constant)
                        and type(part.value) in (int, float)
                        and part.value not in (0, 1)
                    ):
                        bare.append(f"{path.name}:{part.lineno}: {part.value!r}")
    assert bare == []
