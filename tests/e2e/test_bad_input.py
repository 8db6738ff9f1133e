"""What is wrong with a request is named, with a reason and without a word of it; who may not call learns nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import grpc
import pytest
from attending.client import Client
from attending.v1 import (
    common_pb2,
    inference_pb2,
    ledger_pb2,
    prompt_pb2,
    report_pb2,
    review_pb2,
    review_pb2_grpc,
)
from google.protobuf import duration_pb2

from tests.e2e.calls import TIMEOUT, TREATMENT, infer_request, record_request, refused
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.server_process import ServerProcess

SECRET = "Zebulon Quackenbush 555-0142"
"""Planted in every request below; it must come back in no error and stand in no log line."""
PATIENT = "context.patient."
UNKNOWN = cast("common_pb2.Durability.ValueType", 9)
Patient = common_pb2.PatientContext


@pytest.fixture(scope="module")
def app(server: ServerProcess) -> Any:
    with Client(server.connection("demo-app")) as client:
        yield client


def with_patient(**fields: Any) -> inference_pb2.InferRequest:
    return infer_request(SECRET, patient=Patient(**fields))


def changed(change: Callable[[inference_pb2.InferRequest], Any]) -> inference_pb2.InferRequest:
    request = infer_request(SECRET)
    change(request)
    return request


def fhir(text: str) -> inference_pb2.InferRequest:
    return with_patient(fhir_json=[text])


def document(**fields: Any) -> common_pb2.RetrievedDocument:
    return common_pb2.RetrievedDocument(**{"id": "d", "text": SECRET, **fields})


MALFORMED: dict[str, tuple[inference_pb2.InferRequest, set[str]]] = {
    "nothing": (
        inference_pb2.InferRequest(),
        {"idempotency_key", "context", "prompt_source", "model"},
    ),
    "many at once": (
        inference_pb2.InferRequest(
            idempotency_key=f"with space {SECRET}",
            context=inference_pb2.InferenceContext(
                policy=SECRET,
                on_behalf_of=SECRET,
                recipient=cast("common_pb2.Recipient.ValueType", 77),
                release_requires=UNKNOWN,
                tags={SECRET: SECRET},
            ),
            prompt=" ",
            model=inference_pb2.ModelRequest(
                provider=SECRET, model=SECRET, max_output_tokens=9000, temperature_milli=3000
            ),
        ),
        {
            *("idempotency_key", "prompt", "model.provider", "model.model", "model.max_output_tokens"),
            *("model.temperature_milli", "context.policy", "context.on_behalf_of", "context.recipient"),
            *("context.release_requires", "context.tags[0]"),
        },
    ),
    "long key": (infer_request(SECRET, key="k" * 129), {"idempotency_key"}),
    "key not ASCII": (infer_request(SECRET, key="schlüssel"), {"idempotency_key"}),
    "unknown policy": (infer_request(SECRET, policy="not-a-policy"), {"context.policy"}),
    "unknown provider": (infer_request(SECRET, provider="not-a-provider"), {"model.provider"}),
    "missing tags": (changed(lambda r: r.context.ClearField("tags")), {"context.tags"}),
    "too many tags": (
        changed(lambda r: r.context.tags.update({f"t{n}": "x" for n in range(20)})),
        {"context.tags"},
    ),
    "prompt too long": (infer_request(SECRET * 3000), {"prompt"}),
    "NUL in the prompt": (infer_request(f"{SECRET}\x00"), {"prompt"}),
    "NUL in the subject": (infer_request(SECRET, subject_ref=f"{SECRET}\x00"), {"context.subject_ref"}),
    "NUL in a document": (
        infer_request(SECRET, documents=[document(text=f"{SECRET}\x00")]),
        {"context.documents[0].text"},
    ),
    "documents": (
        infer_request(SECRET, documents=[document(id=""), document(score=float("nan")), document()]),
        {"context.documents[0].id", "context.documents[1].score", "context.documents"},
    ),
    "too many documents": (
        infer_request(SECRET, documents=[document(id=str(n), text="x") for n in range(65)]),
        {"context.documents"},
    ),
    "a document too long": (
        infer_request(SECRET, documents=[document(text="x" * 65_537)]),
        {"context.documents[0].text"},
    ),
    "provider time-out too short": (
        changed(lambda r: r.provider_timeout.FromMilliseconds(99)),
        {"provider_timeout"},
    ),
    "provider time-out not canonical": (
        changed(lambda r: setattr(r.provider_timeout, "nanos", 2_000_000_000)),
        {"provider_timeout"},
    ),
    "provider time-out of two signs": (
        changed(lambda r: r.provider_timeout.MergeFrom(duration_pb2.Duration(seconds=2, nanos=-5))),
        {"provider_timeout"},
    ),
    "prompt reference": (
        changed(
            lambda r: r.prompt_ref.CopyFrom(
                inference_pb2.PromptReference(version="v", label="l", variables={SECRET: "x\x00"})
            )
        ),
        {"prompt_ref.name", "prompt_ref", "prompt_ref.variables[0]"},
    ),
    "numbers": (
        with_patient(
            age_years=-1,
            age_days=50_000,
            weight_kg=float("nan"),
            height_cm=0,
            egfr=float("inf"),
            gestational_weeks=46,
        ),
        {
            PATIENT + name
            for name in ("age_years", "age_days", "weight_kg", "height_cm", "egfr", "gestational_weeks")
        },
    ),
    "words": (
        with_patient(sex=SECRET, child_pugh=SECRET, setting="x" * 501, goals="x\x00"),
        {PATIENT + name for name in ("sex", "child_pugh", "setting", "goals")},
    ),
    "empty lists": (
        with_patient(
            allergies=common_pb2.AllergyList(),
            medications=common_pb2.MedicationList(none_known=True, short_forms=[SECRET]),
            conditions=common_pb2.ConditionList(items=[common_pb2.Condition(code="x" * 501)]),
        ),
        {
            PATIENT + name
            for name in ("allergies", "medications", "conditions.items[0].name", "conditions.items[0].code")
        },
    ),
    "items": (
        with_patient(
            allergies=common_pb2.AllergyList(
                items=[common_pb2.Allergy(reaction="x\x00", severity="x" * 501)]
            ),
            medications=common_pb2.MedicationList(
                items=[common_pb2.Medication(start=SECRET, status=SECRET, dose="x" * 501)]
            ),
            labs=[common_pb2.Lab(value=float("nan"), unit="x" * 501)],
        ),
        {
            PATIENT + name
            for name in (
                *("allergies.items[0].substance", "allergies.items[0].reaction"),
                *("allergies.items[0].severity", "medications.items[0]", "medications.items[0].start"),
                *("medications.items[0].status", "medications.items[0].dose"),
                *("labs[0].code", "labs[0].value", "labs[0].unit"),
            )
        },
    ),
    "identity": (
        with_patient(
            identity=common_pb2.PatientIdentity(
                names=["n" * 257, *(["n"] * 16)], mrn="m" * 65, birth_date=SECRET
            )
        ),
        {PATIENT + "identity." + name for name in ("names", "names[0]", "mrn", "birth_date")},
    ),
    "moment": (
        changed(lambda r: setattr(r.context.patient.as_of, "seconds", 2**62)),
        {PATIENT + "as_of"},
    ),
    "FHIR not JSON": (fhir('{"resourceType": "' + SECRET), {PATIENT + "fhir_json[0]"}),
    "FHIR too deep": (fhir("[" * 100_000), {PATIENT + "fhir_json[0]"}),
    "FHIR a list": (fhir("[]"), {PATIENT + "fhir_json[0]"}),
    "FHIR no resource": (fhir(f'{{"name": "{SECRET}"}}'), {PATIENT + "fhir_json[0]"}),
    "FHIR with NaN": (fhir('{"resourceType": "Patient", "x": NaN}'), {PATIENT + "fhir_json[0]"}),
    "FHIR with a huge number": (
        fhir(
            '{"resourceType": "Observation", "code": {"coding": [{"code": "29463-7"}]}, "status": "final",'
            ' "valueQuantity": {"value": 1e999999999, "code": "kg"}}'
        ),
        {PATIENT + "fhir_json[0]"},
    ),
    "FHIR with NUL": (
        fhir('{"resourceType": "Patient", "name": [{"text": "\\u0000"}]}'),
        {PATIENT + "fhir_json[0]"},
    ),
    "FHIR with half a surrogate pair": (
        fhir('{"resourceType": "Patient", "name": [{"text": "\\ud83d"}]}'),
        {PATIENT + "fhir_json[0]"},
    ),
    "FHIR with half a pair as a key": (
        fhir('{"resourceType": "Patient", "\\udfff": 1}'),
        {PATIENT + "fhir_json[0]"},
    ),
    "FHIR with an allergy that says nothing": (
        fhir('{"resourceType": "AllergyIntolerance", "code": {"text": 17}}'),
        {PATIENT + "fhir_json"},
    ),
    "FHIR of two patients": (
        with_patient(fhir_json=['{"resourceType": "Patient"}'] * 2),
        {PATIENT + "fhir_json"},
    ),
    "FHIR born in the future": (
        fhir('{"resourceType": "Patient", "birthDate": "2999-01-01"}'),
        {PATIENT + "fhir_json"},
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_every_violation_is_named_and_nothing_of_the_request_is_quoted(app: Client, case: str) -> None:
    request, fields = MALFORMED[case]
    answer = refused(lambda: app.inference.Infer(request, timeout=TIMEOUT))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert answer.fields == fields
    assert b"Quackenbush" not in answer.raw
    assert b"555-0142" not in answer.raw


def test_a_stream_names_the_same_violations(app: Client) -> None:
    request, fields = MALFORMED["many at once"]
    stream = inference_pb2.StreamInferRequest(request=request)
    answer = refused(lambda: app.inference.StreamInfer(stream, timeout=TIMEOUT))
    assert (answer.reason, answer.fields) == ("INVALID_REQUEST", fields)
    assert b"Quackenbush" not in answer.raw


def record(change: Callable[[inference_pb2.RecordRequest], Any]) -> inference_pb2.RecordRequest:
    request = record_request(SECRET, SECRET)
    change(request)
    return request


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (
            inference_pb2.RecordRequest(),
            {"idempotency_key", "context", "prompt", "output", "provider", "model"},
        ),
        (record(lambda r: setattr(r.usage, "input_tokens", 2**63)), {"usage.input_tokens"}),
        (record(lambda r: setattr(r.usage, "output_tokens", 10**10)), {"usage.output_tokens"}),
        (record(lambda r: setattr(r.occurred_at, "seconds", -62_135_596_800)), {"occurred_at"}),
        (record(lambda r: setattr(r.occurred_at, "seconds", 2**60)), {"occurred_at"}),
        (record(lambda r: setattr(r, "output", f"{SECRET}\x00")), {"output"}),
        (record(lambda r: setattr(r, "output", "x" * 65_537)), {"output"}),
    ],
)
def test_a_record_names_its_violations(
    app: Client, request_: inference_pb2.RecordRequest, fields: set[str]
) -> None:
    answer = refused(lambda: app.inference.Record(request_, timeout=TIMEOUT))
    assert (answer.reason, answer.fields) == ("INVALID_REQUEST", fields)
    assert b"Quackenbush" not in answer.raw


def test_what_does_not_exist(server: ServerProcess, app: Client) -> None:
    unknown = "inf_" + "0" * 32
    calls: dict[str, Callable[[], Any]] = {
        "UNKNOWN_PROMPT": lambda: app.inference.Infer(
            changed(
                lambda r: r.prompt_ref.CopyFrom(
                    inference_pb2.PromptReference(name="none", label="production")
                )
            )
        ),
        "UNKNOWN_INFERENCE": lambda: app.inference.GetInference(
            inference_pb2.GetInferenceRequest(inference_id=unknown)
        ),
    }
    for reason, call in calls.items():
        answer = refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, reason)
    missing: tuple[Callable[[], Any], ...] = (
        lambda: app.inference.WatchInference(inference_pb2.WatchInferenceRequest(inference_id=unknown)),
        lambda: app.inference.AckDelivery(
            inference_pb2.AckDeliveryRequest(
                idempotency_key="a",
                inference_id=unknown,
                recipient=common_pb2.RECIPIENT_PATIENT,
                channel="portal",
            )
        ),
    )
    for call in missing:
        assert refused(call).reason == "UNKNOWN_INFERENCE"
    with server.connection("dr-rivera").channel() as channel:
        review = review_pb2_grpc.ReviewServiceStub(channel)
        for ticket in ("tkt_" + "0" * 32, "", "\x00", SECRET, "x" * 100_000):
            answer = refused(
                partial(review.GetItem, review_pb2.GetItemRequest(ticket_id=ticket, purpose_of_use=TREATMENT))
            )
            assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_TICKET")
            assert b"Quackenbush" not in answer.raw
        answer = refused(
            lambda: review.Claim(review_pb2.ClaimRequest(ticket_id="tkt_x", idempotency_key="a b"))
        )
        assert (answer.reason, answer.fields) == ("INVALID_REQUEST", {"idempotency_key"})
    with Client(server.connection("demo-auditor")) as auditor:
        answer = refused(
            lambda: auditor.reports.Export(
                report_pb2.ExportRequest(
                    idempotency_key=uuid.uuid4().hex, purpose="audit", inference_ids=[unknown]
                )
            )
        )
        assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_INFERENCE")
        answer = refused(
            lambda: auditor.reports.Export(report_pb2.ExportRequest(idempotency_key="e", purpose=SECRET))
        )
        assert (answer.reason, answer.fields) == ("INVALID_REQUEST", {"purpose"})
        assert b"Quackenbush" not in answer.raw


def test_an_ack_names_every_violation(app: Client) -> None:
    answer = refused(lambda: app.inference.AckDelivery(inference_pb2.AckDeliveryRequest(channel=SECRET)))
    assert answer.fields == {"idempotency_key", "inference_id", "recipient", "channel"}
    assert b"Quackenbush" not in answer.raw


def test_one_key_stands_for_one_body_whatever_the_method(app: Client) -> None:
    request = infer_request("Write a letter.")
    first = app.inference.Infer(request, timeout=TIMEOUT).result
    again = app.inference.Infer(request, timeout=TIMEOUT).result
    assert again.inference_id == first.inference_id
    assert [r.entry for r in again.receipts] == [r.entry for r in first.receipts]
    other = infer_request(f"Write to {SECRET}.", key=request.idempotency_key)
    recorded = record_request(SECRET)
    recorded.idempotency_key = request.idempotency_key
    for call in (
        lambda: app.inference.Infer(other, timeout=TIMEOUT),
        lambda: app.inference.StreamInfer(inference_pb2.StreamInferRequest(request=other), timeout=TIMEOUT),
        lambda: app.inference.Record(recorded, timeout=TIMEOUT),
    ):
        answer = refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED")
        assert b"Quackenbush" not in answer.raw


def test_a_message_too_large_has_a_reason(app: Client) -> None:
    answer = refused(lambda: app.inference.Infer(infer_request("x" * (5 << 20)), timeout=TIMEOUT))
    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert answer.error.metadata == {"limit_bytes": str(4 << 20)}
    # Beyond twice the limit the transport refuses by itself and reads no further; the server goes on.
    with pytest.raises(grpc.RpcError) as caught:
        app.inference.Infer(infer_request("x" * (12 << 20)), timeout=TIMEOUT)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert app.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest()).checkpoint


def test_bytes_that_are_no_message(server: ServerProcess) -> None:
    with server.connection("demo-app").channel() as channel:
        for raw in (b"\xff\xff\xff\xff", b"\x0a\x02\xed\xa0", b"\x0a\x06abc", SECRET.encode()):
            # The second one is a field with half a surrogate pair: no UTF-8, so no string of proto3.
            call: Any = channel.unary_unary("/attending.v1.InferenceService/Infer")
            answer = refused(partial(call, raw, timeout=TIMEOUT))
            assert (answer.reason, answer.fields) == ("INVALID_REQUEST", {"message"})
            assert b"Quackenbush" not in answer.raw
        nothing: Any = channel.unary_unary("/attending.v1.InferenceService/NoSuchMethod")
        answer = refused(lambda: nothing(b"", timeout=TIMEOUT))
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD")


def test_indexes_out_of_range(server: ServerProcess) -> None:
    with Client(server.connection("demo-auditor")) as auditor:
        size = auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=1)).tree_size
        beyond: list[Callable[[], Any]] = [
            lambda: auditor.ledger.GetEntry(ledger_pb2.GetEntryRequest(index=size + 1000)),
            lambda: auditor.ledger.GetReceipt(ledger_pb2.GetReceiptRequest(index=size + 1000)),
            lambda: auditor.ledger.GetInclusionProof(
                ledger_pb2.GetInclusionProofRequest(index=0, tree_size=size + 1000)
            ),
            lambda: auditor.ledger.GetInclusionProof(
                ledger_pb2.GetInclusionProofRequest(index=1, tree_size=1)
            ),
            lambda: auditor.ledger.GetConsistencyProof(
                ledger_pb2.GetConsistencyProofRequest(size1=2, size2=1)
            ),
        ]
        for call in beyond:
            answer = refused(call)
            assert (answer.code, answer.reason) == (grpc.StatusCode.OUT_OF_RANGE, "OUT_OF_RANGE")
        wrong: list[tuple[str, Callable[[], Any]]] = [
            ("index", lambda: auditor.ledger.GetEntry(ledger_pb2.GetEntryRequest(index=2**64 - 1))),
            ("level", lambda: auditor.ledger.GetReceipt(ledger_pb2.GetReceiptRequest(level=UNKNOWN))),
            ("level", lambda: auditor.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest(level=UNKNOWN))),
            (
                "size2",
                lambda: auditor.ledger.GetConsistencyProof(
                    ledger_pb2.GetConsistencyProofRequest(size1=1, size2=2**60)
                ),
            ),
            ("page_size", lambda: auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=5000))),
            (
                "page_token",
                lambda: auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_token=SECRET)),
            ),
        ]
        for field, call in wrong:
            answer = refused(call)
            assert (answer.reason, answer.fields) == ("INVALID_REQUEST", {field})
            assert b"Quackenbush" not in answer.raw


def test_without_a_credential_or_with_a_false_one(server: ServerProcess, hospital: ConfiguredServer) -> None:
    for token in (None, "att_" + "x" * 43, SECRET.replace(" ", "-"), hospital.tokens["north-app"][:-1]):
        with Client(hospital.as_token("north", token)) as stranger:
            calls: tuple[Callable[[], Any], ...] = (
                partial(stranger.inference.Infer, infer_request(SECRET), timeout=TIMEOUT),
                partial(stranger.ledger.GetCheckpoint, ledger_pb2.GetCheckpointRequest(), timeout=TIMEOUT),
                partial(stranger.reports.Export, report_pb2.ExportRequest(), timeout=TIMEOUT),
            )
            for call in calls:
                answer = refused(call)
                assert answer.code is grpc.StatusCode.UNAUTHENTICATED
                assert answer.reason == ("INVALID_CREDENTIAL" if token else "MISSING_CREDENTIAL")
                assert b"Quackenbush" not in answer.raw


def test_a_role_does_only_what_is_its_own(server: ServerProcess) -> None:
    """By identity, what it may not do; each is a denial with the action's name and nothing else."""
    ticket = "tkt_" + "0" * 32

    def review(identity: str, call: Callable[[review_pb2_grpc.ReviewServiceStub], Any]) -> Callable[[], Any]:
        def made() -> Any:
            with server.connection(identity).channel() as channel:
                return call(review_pb2_grpc.ReviewServiceStub(channel))

        return made

    def reviews(identity: str) -> list[Callable[[], Any]]:
        return [
            review(identity, lambda s: s.ListQueue(review_pb2.ListQueueRequest())),
            review(
                identity,
                lambda s: s.GetItem(review_pb2.GetItemRequest(ticket_id=ticket, purpose_of_use=TREATMENT)),
            ),
            *deciding(identity),
        ]

    def deciding(identity: str) -> list[Callable[[], Any]]:
        key = "k"
        return [
            review(
                identity, lambda s: s.Claim(review_pb2.ClaimRequest(ticket_id=ticket, idempotency_key=key))
            ),
            review(identity, lambda s: s.Dispose(review_pb2.DisposeRequest(ticket_id=ticket))),
            review(
                identity,
                lambda s: s.PrepareSign(
                    review_pb2.PrepareSignRequest(ticket_id=ticket, purpose_of_use=TREATMENT)
                ),
            ),
            review(identity, lambda s: s.Sign(review_pb2.SignRequest(ticket_id=ticket))),
            review(identity, lambda s: s.Reject(review_pb2.RejectRequest(ticket_id=ticket))),
        ]

    def submit(identity: str) -> list[Callable[[], Any]]:
        def infer() -> Any:
            with Client(server.connection(identity)) as client:
                return client.inference.Infer(infer_request(SECRET), timeout=TIMEOUT)

        def record_one() -> Any:
            with Client(server.connection(identity)) as client:
                return client.inference.Record(record_request(SECRET), timeout=TIMEOUT)

        return [infer, record_one]

    def export(identity: str) -> list[Callable[[], Any]]:
        def made() -> Any:
            with Client(server.connection(identity)) as client:
                order = report_pb2.ExportRequest(idempotency_key="k", purpose="audit")
                return list(client.reports.Export(order, timeout=TIMEOUT))

        return [made]

    def change_prompt(identity: str) -> list[Callable[[], Any]]:
        def made() -> Any:
            with Client(server.connection(identity)) as client:
                version = prompt_pb2.CreateVersionRequest(idempotency_key="k", name="n", template=SECRET)
                return client.prompts.CreateVersion(version, timeout=TIMEOUT)

        return [made]

    denied: dict[str, list[Callable[[], Any]]] = {
        "demo-app": [*reviews("demo-app"), *export("demo-app"), *change_prompt("demo-app")],
        "dr-rivera": [*submit("dr-rivera"), *export("dr-rivera"), *change_prompt("dr-rivera")],
        "demo-pharmacist": [*submit("demo-pharmacist"), *export("demo-pharmacist")],
        "demo-auditor": [
            *submit("demo-auditor"),
            *reviews("demo-auditor"),
            *change_prompt("demo-auditor"),
        ],
        "demo-operator": [*submit("demo-operator"), *reviews("demo-operator"), *export("demo-operator")],
        "demo-safety-officer": [
            *submit("demo-safety-officer"),
            *deciding("demo-safety-officer"),
            *export("demo-safety-officer"),
        ],
        "demo-privacy-officer": [*submit("demo-privacy-officer"), *reviews("demo-privacy-officer")],
    }
    for identity, calls in denied.items():
        for call in calls:
            answer = refused(call)
            assert (answer.code, answer.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "PERMISSION_DENIED",
            ), identity
            assert set(answer.error.metadata) == {"action"}
            assert b"Quackenbush" not in answer.raw


def test_no_log_line_holds_what_was_planted(server: ServerProcess) -> None:
    """A refused call is logged, and neither it nor anything before it in this file left a planted word."""
    with Client(server.connection("demo-auditor")) as auditor:
        answer = refused(partial(auditor.inference.Infer, infer_request(SECRET), timeout=TIMEOUT))
    assert answer.code is grpc.StatusCode.PERMISSION_DENIED
    until = time.monotonic() + TIMEOUT
    while "auth.denied" not in (log := server.log.read_text(errors="replace")):
        assert time.monotonic() < until, "the denial was never logged"
        time.sleep(0.05)
    for planted in ("Zebulon", "Quackenbush", "555-0142"):
        assert planted not in log
