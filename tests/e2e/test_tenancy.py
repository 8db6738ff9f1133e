"""Of another tenant nobody learns anything: an id that exists there answers exactly like one that exists nowhere."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from attending.client import Client
from attending.v1 import (
    common_pb2,
    inference_pb2,
    inference_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    prompt_pb2,
    prompt_pb2_grpc,
    report_pb2,
    report_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
)

from tests.e2e.calls import TIMEOUT, Refusal, infer_request, refused, state, types
from tests.e2e.configured_server import ROLES, ConfiguredServer

pytestmark = pytest.mark.xdist_group("server")

EVERYONE = ("app", *ROLES)
NOBODY = "0" * 32
CLOSED = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
}


@dataclass(frozen=True)
class Names:
    """What a request may name."""

    inference: str
    ticket: str
    prompt: str
    version: str


@pytest.fixture(scope="module")
def theirs(hospital: ConfiguredServer) -> Names:
    """Things of tenant north that exist: a held inference and a prompt with a label."""
    with Client(hospital.connection("north", "app")) as app:
        held = app.inference.Infer(
            infer_request(policy="patient-message", model="dose"), timeout=TIMEOUT
        ).result
    assert state(held) == "held"
    name = "tenancy/theirs"
    with Client(hospital.connection("north", "operator")) as operator:
        version = operator.prompts.CreateVersion(
            prompt_pb2.CreateVersionRequest(idempotency_key=uuid.uuid4().hex, name=name, template="Hello.")
        ).prompt_version.version
        operator.prompts.SetLabel(
            prompt_pb2.SetLabelRequest(
                idempotency_key=uuid.uuid4().hex, name=name, label="production", version=version
            )
        )
    return Names(held.inference_id, held.ticket.ticket_id, name, version)


NOWHERE = Names(f"inf_{NOBODY}", f"tkt_{NOBODY}", "tenancy/nowhere", f"sha256:{NOBODY * 2}")


def calls(channel: grpc.Channel, names: Names) -> dict[str, Callable[[], Any]]:
    """Every rpc that names something, complete but for whose it is."""
    inference = inference_pb2_grpc.InferenceServiceStub(channel)
    review = review_pb2_grpc.ReviewServiceStub(channel)
    ledger = ledger_pb2_grpc.LedgerServiceStub(channel)
    prompts = prompt_pb2_grpc.PromptServiceStub(channel)
    reports = report_pb2_grpc.ReportServiceStub(channel)

    def key() -> str:
        return uuid.uuid4().hex

    def prompted(**reference: str) -> inference_pb2.InferRequest:
        request = infer_request()
        request.prompt_ref.CopyFrom(inference_pb2.PromptReference(name=names.prompt, **reference))  # type: ignore[arg-type]
        return request

    ticket: dict[str, Any] = {"ticket_id": names.ticket}
    lease: dict[str, Any] = {**ticket, "lease_id": "lse_x"}
    return {
        "Infer by label": lambda: inference.Infer(prompted(label="production")),
        "Infer by version": lambda: inference.Infer(prompted(version=names.version)),
        "StreamInfer": lambda: inference.StreamInfer(
            inference_pb2.StreamInferRequest(request=prompted(label="production"))
        ),
        "GetInference": lambda: inference.GetInference(
            inference_pb2.GetInferenceRequest(inference_id=names.inference)
        ),
        "WatchInference": lambda: inference.WatchInference(
            inference_pb2.WatchInferenceRequest(inference_id=names.inference), timeout=TIMEOUT
        ),
        "AckDelivery": lambda: inference.AckDelivery(
            inference_pb2.AckDeliveryRequest(
                idempotency_key=key(),
                inference_id=names.inference,
                recipient=common_pb2.RECIPIENT_PATIENT,
                channel="portal",
            )
        ),
        "GetItem": lambda: review.GetItem(review_pb2.GetItemRequest(**ticket)),
        "Claim": lambda: review.Claim(review_pb2.ClaimRequest(**ticket, idempotency_key=key())),
        "Renew": lambda: review.Renew(review_pb2.RenewRequest(**lease, idempotency_key=key())),
        "Dispose": lambda: review.Dispose(
            review_pb2.DisposeRequest(
                **lease, idempotency_key=key(), disposition=review_pb2.DISPOSITION_FIXED, finding=0
            )
        ),
        "PrepareSign": lambda: review.PrepareSign(review_pb2.PrepareSignRequest(**lease, key_id="0" * 16)),
        "Sign": lambda: review.Sign(
            review_pb2.SignRequest(
                **lease, idempotency_key=key(), preparation_id="prp_x", signature=b"x" * 64
            )
        ),
        "Reject": lambda: review.Reject(
            review_pb2.RejectRequest(**lease, idempotency_key=key(), reason_code="wrong")
        ),
        "ListEntries": lambda: ledger.ListEntries(
            ledger_pb2.ListEntriesRequest(inference_id=names.inference)
        ),
        "Export": lambda: reports.Export(
            report_pb2.ExportRequest(idempotency_key=key(), purpose="audit", inference_ids=[names.inference])
        ),
        "GetVersion by label": lambda: prompts.GetVersion(
            prompt_pb2.GetVersionRequest(name=names.prompt, label="production")
        ),
        "GetVersion": lambda: prompts.GetVersion(
            prompt_pb2.GetVersionRequest(name=names.prompt, version=names.version)
        ),
        "SetLabel": lambda: prompts.SetLabel(
            prompt_pb2.SetLabelRequest(
                idempotency_key=key(), name=names.prompt, label="staging", version=names.version
            )
        ),
        "ListVersions": lambda: prompts.ListVersions(prompt_pb2.ListVersionsRequest(name=names.prompt)),
    }


def told(answer: Refusal) -> tuple[object, ...]:
    """Everything in a refusal that could differ."""
    return answer.code, answer.reason, answer.error.metadata, answer.error.field_violations


@pytest.mark.parametrize("role", EVERYONE)
def test_nothing_tells_what_another_tenant_has(hospital: ConfiguredServer, theirs: Names, role: str) -> None:
    reached = set()
    with hospital.connection("south", role).channel() as channel:
        existing, missing = calls(channel, theirs), calls(channel, NOWHERE)
        for name in existing:
            first, second = refused(existing[name]), refused(missing[name])
            assert told(first) == told(second), name
            assert first.code in CLOSED, name
            if first.code is grpc.StatusCode.NOT_FOUND:
                reached.add(name)
    expected = {
        "app": {"GetInference", "AckDelivery", "GetVersion", "Infer by label", "StreamInfer"},
        "clinician": {"GetInference", "GetItem", "Claim", "PrepareSign", "Sign", "Reject"},
        "pharmacist": {"GetInference", "Dispose"},
        "auditor": {"ListEntries", "Export"},
        "operator": {"SetLabel", "ListVersions"},
        "privacy_officer": {"Export"},
        "safety_officer": {"GetItem"},
    }
    # A test of strangers proves nothing if the door was shut for another reason.
    assert reached >= expected[role]


def test_without_a_credential_every_call_answers_alike(hospital: ConfiguredServer, theirs: Names) -> None:
    with hospital.as_token("north", None).channel() as channel:
        existing, missing = calls(channel, theirs), calls(channel, NOWHERE)
        for name in existing:
            first, second = refused(existing[name]), refused(missing[name])
            assert told(first) == told(second), name
            assert first.code is grpc.StatusCode.UNAUTHENTICATED


def test_an_application_does_not_see_its_neighbour_s(hospital: ConfiguredServer, theirs: Names) -> None:
    with hospital.connection("north", "app2").channel() as channel:
        existing, missing = calls(channel, theirs), calls(channel, NOWHERE)
        for name in ("GetInference", "WatchInference", "AckDelivery", "ListEntries"):
            assert told(refused(existing[name])) == told(refused(missing[name])), name


@pytest.fixture(scope="module")
def south(hospital: ConfiguredServer) -> Iterator[Client]:
    with Client(hospital.connection("south", "auditor")) as client:
        yield client


def test_logs_keys_and_queues_are_apart(hospital: ConfiguredServer, theirs: Names, south: Client) -> None:
    keys = hospital.where["log_keys"]
    assert keys["north"] != keys["south"]
    request = infer_request(model="letter", key="one-key-in-two-tenants")
    results = {}
    for tenant in ("north", "south"):
        with Client(hospital.connection(tenant, "app")) as app:
            results[tenant] = app.inference.Infer(request, timeout=TIMEOUT).result
            # Each receipt verifies under its own tenant's key and under no other.
            assert app.verified(results[tenant]).verified
    assert results["north"].inference_id != results["south"].inference_id
    with Client(hospital.connection("north", "app")) as app, pytest.raises(Exception, match="receipt"):
        app.verified(results["south"])
    mine = south.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=1000))
    for entry in mine.entries:
        for foreign in (theirs.inference, theirs.ticket, b"north-".decode(), theirs.prompt):
            assert foreign.encode() not in entry.data
    assert types(south, results["south"].inference_id)[0] == "inference.requested"
    with hospital.connection("south", "clinician").channel() as channel:
        queue = review_pb2_grpc.ReviewServiceStub(channel).ListQueue(review_pb2.ListQueueRequest())
        assert theirs.ticket not in [item.ticket_id for item in queue.items]
    with hospital.connection("north", "clinician").channel() as channel:
        stub = review_pb2_grpc.ReviewServiceStub(channel)
        page = stub.ListQueue(review_pb2.ListQueueRequest(page_size=200))
        assert theirs.ticket in [item.ticket_id for item in page.items]
