"""A held text from the clinician's side, over the wire, with the application watching."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest
from attending.client import AttendingApiError, Client, ReviewClient
from attending.v1 import common_pb2, review_pb2, review_pb2_grpc

from tests.e2e.calls import TIMEOUT, entries, infer_request, refused, state, types
from tests.e2e.configured_server import LEASE_SECONDS, ConfiguredServer
from tests.e2e.conftest import DOSE, Lease


class People:
    """Clients of tenant north."""

    def __init__(self, hospital: ConfiguredServer, stack: ExitStack) -> None:
        self.hospital = hospital
        self.app = stack.enter_context(Client(hospital.connection("north", "app")))
        self.auditor = stack.enter_context(Client(hospital.connection("north", "auditor")))
        self.first = stack.enter_context(ReviewClient(hospital.connection("north", "clinician")))
        self.second = stack.enter_context(ReviewClient(hospital.connection("north", "clinician2")))
        self.first_key = hospital.keys["north-clinician"]
        self.second_key = hospital.keys["north-clinician2"]

    def held(self, policy: str = "patient-message", model: str = "dose", **context: str) -> tuple[str, str]:
        """(inference, ticket) of a text that waits."""
        result = self.app.inference.Infer(
            infer_request(policy=policy, model=model, **context), timeout=TIMEOUT
        ).result
        assert (state(result), result.output) == ("held", "")
        return result.inference_id, result.ticket.ticket_id


@pytest.fixture(scope="module")
def people(hospital: ConfiguredServer, early_lease: Lease) -> Iterator[People]:
    with ExitStack() as stack:
        yield People(hospital, stack)


def accept_all(client: ReviewClient, ticket: str, lease: str) -> None:
    for finding in client.item(ticket).findings:
        if finding.severity >= common_pb2.SEVERITY_MINOR:
            client.dispose(
                ticket,
                lease,
                finding.ordinal,
                review_pb2.DISPOSITION_ACCEPTED_RISK,
                reason_code="benefit_outweighs_risk",
            )


def reason(call: pytest.ExceptionInfo[AttendingApiError]) -> tuple[grpc.StatusCode, str]:
    return call.value.code, call.value.reason


def test_a_text_is_signed_and_the_watching_application_gets_exactly_it(people: People) -> None:
    inference_id, ticket = people.held()
    seen: list[tuple[str, str]] = []

    def watch() -> None:
        seen.extend(
            (r.state, r.output or "") for r in people.app.watch(inference_id, timeout_seconds=TIMEOUT)
        )

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    while not seen:
        time.sleep(0.02)
    item = people.first.item(ticket)
    assert item.output == DOSE
    assert all(finding.message for finding in item.findings)
    assert ticket in [line.ticket_id for line in people.first.queue()]
    lease = people.first.claim(ticket).lease_id
    with pytest.raises(AttendingApiError) as taken:
        people.second.claim(ticket)
    assert reason(taken) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_CLAIMED")
    assert taken.value.retry_after_seconds
    people.first.renew(ticket, lease)
    if item.item.open_findings:
        with pytest.raises(AttendingApiError) as open_findings:
            people.first.prepare(ticket, lease, people.first_key)
        assert reason(open_findings) == (grpc.StatusCode.FAILED_PRECONDITION, "FINDINGS_UNDISPOSED")
    accept_all(people.first, ticket, lease)
    edited = DOSE + " Call us if a rash appears. Cafe\u0301."
    prepared = people.first.prepare(ticket, lease, people.first_key, edited)
    assert prepared.statement.signer == "north-clinician"
    answer = people.first.sign(ticket, lease, prepared, people.first_key)
    assert [people.app.check_receipt(receipt) for receipt in answer.receipts] == [True, True]
    watching.join(TIMEOUT)
    assert not watching.is_alive()
    # NFC is what was checked, signed and released.
    assert seen == [("held", ""), ("released", DOSE + " Call us if a rash appears. Caf\u00e9.")]
    log = [entry["type"] for entry in entries(people.auditor, inference_id)]
    assert log[:3] == ["inference.requested", "inference.generated", "inference.held"]
    assert log[-2:] == ["review.signed", "inference.released"]
    with pytest.raises(AttendingApiError) as over:
        people.second.claim(ticket)
    assert reason(over) == (grpc.StatusCode.FAILED_PRECONDITION, "ILLEGAL_TRANSITION")
    # Delivery of what was released goes on record, once.
    first = people.app.acknowledge(
        inference_id, recipient=common_pb2.RECIPIENT_PATIENT, channel="portal", idempotency_key="ack"
    )
    second = people.app.acknowledge(
        inference_id, recipient=common_pb2.RECIPIENT_PATIENT, channel="portal", idempotency_key="ack"
    )
    assert first.entry == second.entry
    assert types(people.auditor, inference_id).count("inference.delivered") == 1


def test_two_signatures_where_the_policy_asks_for_two(people: People) -> None:
    inference_id, ticket = people.held("discharge-plan", "plan")
    lease = people.first.claim(ticket).lease_id
    accept_all(people.first, ticket, lease)
    prepared = people.first.prepare(ticket, lease, people.first_key)
    one = people.first.sign(ticket, lease, prepared, people.first_key)
    assert len(one.receipts) == 1
    waiting = people.app.get(inference_id)
    assert (waiting.state, waiting.output) == ("held", None)
    # The same person cannot be the second one.
    lease = people.first.claim(ticket).lease_id
    with pytest.raises(AttendingApiError) as again:
        people.first.prepare(ticket, lease, people.first_key)
    assert reason(again) == (grpc.StatusCode.FAILED_PRECONDITION, "SIGNER_SIGNED_BEFORE")
    with pytest.raises(AttendingApiError) as leased:
        people.second.claim(ticket)
    assert reason(leased) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_CLAIMED")


def test_two_different_people_release_it(people: People) -> None:
    inference_id, ticket = people.held("discharge-plan", "plan")
    lease = people.first.claim(ticket).lease_id
    accept_all(people.first, ticket, lease)
    people.first.sign(ticket, lease, people.first.prepare(ticket, lease, people.first_key), people.first_key)
    lease = people.second.claim(ticket).lease_id
    prepared = people.second.prepare(ticket, lease, people.second_key)
    two = people.second.sign(ticket, lease, prepared, people.second_key)
    assert len(two.receipts) == 2
    released = people.app.get(inference_id)
    assert released.state == "released"
    assert released.output == people.second.item(ticket).output
    body = list(entries(people.auditor, inference_id))[-1]["body"]
    assert body["signers"] == ["north-clinician", "north-clinician2"]


def test_what_cannot_be_signed(people: People) -> None:
    inference_id, ticket = people.held()
    lease = people.first.claim(ticket).lease_id
    accept_all(people.first, ticket, lease)
    # Another person's key, an edit that the rails refuse, an empty edit, a false lease.
    for call, expected in (
        (lambda: people.first.prepare(ticket, lease, people.second_key), "KEY_UNKNOWN"),
        (
            lambda: people.first.prepare(
                ticket, lease, people.first_key, "Take amoxicillin 500 g every hour."
            ),
            "EDIT_NOT_CLEAN",
        ),
        (lambda: people.first.prepare(ticket, lease, people.first_key, " "), "INVALID_REQUEST"),
        (lambda: people.first.prepare(ticket, "lse_other", people.first_key), "LEASE_NOT_HELD"),
        (lambda: people.second.prepare(ticket, lease, people.second_key), "LEASE_NOT_HELD"),
        (lambda: people.second.reject(ticket, lease, "wrong"), "LEASE_NOT_HELD"),
        (lambda: people.first.reject(ticket, lease, "no such code"), "INVALID_REQUEST"),
    ):
        with pytest.raises(AttendingApiError) as caught:
            call()
        assert caught.value.reason == expected
    # A signature by another key, over another text, or no signature at all.
    prepared = people.first.prepare(ticket, lease, people.first_key)
    with pytest.raises(AttendingApiError) as forged:
        people.first.sign(ticket, lease, prepared, people.second_key)
    assert reason(forged) == (grpc.StatusCode.FAILED_PRECONDITION, "SIGNATURE_INVALID")
    with people.hospital.connection("north", "clinician").channel() as channel:
        stub = review_pb2_grpc.ReviewServiceStub(channel)
        for signature in (b"", b"x" * 64, b"x" * 10_000):
            request = review_pb2.SignRequest(
                idempotency_key=uuid.uuid4().hex,
                ticket_id=ticket,
                lease_id=lease,
                preparation_id=prepared.preparation_id,
                signature=signature,
            )
            answer = refused(lambda r=request: stub.Sign(r, timeout=TIMEOUT))  # type: ignore[misc]
            assert answer.reason == "SIGNATURE_INVALID"
    assert people.app.get(inference_id).state == "held"
    assert "review.signed" not in types(people.auditor, inference_id)
    # Refused for good: nobody can sign it any more, and the application is told what to do next.
    people.first.reject(ticket, lease, "unsafe", note="not for this patient")
    refused_text = people.app.get(inference_id)
    assert (refused_text.state, refused_text.output) == ("rejected", None)
    assert refused_text.next_step
    with pytest.raises(AttendingApiError) as late:
        people.first.sign(ticket, lease, prepared, people.first_key)
    assert late.value.code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)


def test_an_application_and_an_author_never_sign(people: People) -> None:
    _inference, ticket = people.held()
    with ReviewClient(people.hospital.connection("north", "app")) as app:
        for call in (
            lambda: app.claim(ticket),
            lambda: app.item(ticket),
            lambda: app.prepare(ticket, "lse_x", people.first_key),
            lambda: app.reject(ticket, "lse_x", "wrong"),
        ):
            with pytest.raises(AttendingApiError) as denied:
                call()
            assert reason(denied) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


def test_a_retry_of_every_step_finds_its_first_answer(people: People) -> None:
    _inference, ticket = people.held()
    claimed = people.first.claim(ticket, key="claim-again")
    lease = claimed.lease_id
    again = people.first.claim(ticket, key="claim-again")
    assert (again.receipt.entry, again.lease_id) == (claimed.receipt.entry, lease)
    accept_all(people.first, ticket, lease)
    prepared = people.first.prepare(ticket, lease, people.first_key)
    signed = people.first.sign(ticket, lease, prepared, people.first_key, "sign-again")
    retried = people.first.sign(ticket, lease, prepared, people.first_key, "sign-again")
    assert [r.entry for r in retried.receipts] == [r.entry for r in signed.receipts]
    assert people.app.get(signed.item.inference_id).state == "released"


def test_a_lease_ends(people: People, early_lease: Lease) -> None:
    """Taken when the server started, so most of it has passed."""
    ticket, lease = early_lease.ticket_id, early_lease.lease_id
    time.sleep(max(0.0, early_lease.taken + LEASE_SECONDS + 0.5 - time.monotonic()))
    for call in (
        lambda: people.first.renew(ticket, lease),
        lambda: people.first.prepare(ticket, lease, people.first_key),
        lambda: people.first.reject(ticket, lease, "wrong"),
    ):
        with pytest.raises(AttendingApiError) as over:
            call()
        assert reason(over) == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_EXPIRED")
    # Somebody else takes it over.
    other = people.second.claim(ticket)
    assert other.item.claimed_by == "north-clinician2"
    with pytest.raises(AttendingApiError) as gone:
        people.first.renew(ticket, lease)
    assert reason(gone) == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_NOT_HELD")


def test_watching_what_is_not_there_is_a_reasoned_error(people: People) -> None:
    with pytest.raises(AttendingApiError) as unknown:
        list(people.app.watch("inf_" + "0" * 32))
    assert reason(unknown) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_INFERENCE")
