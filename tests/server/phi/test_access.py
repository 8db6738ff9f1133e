"""No text leaves before its access is durable, and none is given without a purpose that is the caller's to have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from attending.ledger.entry import Entry
from attending.ledger.errors import QueueFull, StoreUnavailable
from attending.server.auth.context import AccessDecision, enter
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest, PermissionDenied
from attending.server.inference.outcome import Outcome
from attending.server.phi.access import PhiAccess
from attending.server.reports.export import Exporter, ExportOrder
from attending.server.services.inference import InferenceService
from attending.server.services.review import ReviewService
from attending.v1 import common_pb2, inference_pb2, review_pb2

from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.review.conftest import Ward, phi_of
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

TREATMENT = common_pb2.PURPOSE_OF_USE_TREATMENT
UNSPECIFIED = common_pb2.PURPOSE_OF_USE_UNSPECIFIED
NO_CONTEXT: Any = None
REQUEST = inference_pb2.InferRequest(
    idempotency_key="one",
    context=inference_pb2.InferenceContext(
        policy="administrative-letter",
        tags={"team": "test", "feature": "test"},
        subject_ref="MRN-7",
        purpose_of_use=TREATMENT,
    ),
    prompt="Letter for Maria",
    model=inference_pb2.ModelRequest(provider="scripted", model="scripted-1"),
)
APP = Principal("app-1", TENANT, "app", frozenset({"app"}), "App", "mtls")


@dataclass
class Services:
    ward: Ward
    phi: PhiAccess
    inference: InferenceService
    review: ReviewService

    async def accesses(self) -> list[Entry]:
        size, _root = await self.ward.gate.ledger.head(TENANT)
        entries = await self.ward.gate.ledger.list_entries(TENANT, 0, max(size, 1))
        return [entry for entry in entries if entry.type.startswith("access.")]

    def fail_accesses(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        """The store refuses entries of accesses; everything else is stored."""
        real = self.ward.gate.ledger.append

        async def append(log_id: str, entries: Any, **options: Any) -> object:
            if any(entry.type.startswith("access.") for entry in entries):
                raise error
            return await real(log_id, entries, **options)

        monkeypatch.setattr(self.ward.gate.ledger, "append", append)


@pytest.fixture
async def services(ward: Ward) -> Services:
    gate, phi = ward.gate, phi_of(ward.gate)
    return Services(
        ward,
        phi,
        InferenceService(gate.ledger, gate.pipeline, gate.policies, gate.changes, phi),
        ReviewService(gate.ledger, ward.desk, phi),
    )


def called_by(who: Principal, action: str) -> None:
    """Makes `who` the caller of this test, whom the gate has let in to `action`."""
    enter(who, AccessDecision(True, action, ("let-in",)))


async def read(services: Services, outcome: Outcome, purpose: int = TREATMENT) -> Any:
    request = inference_pb2.GetInferenceRequest(inference_id=outcome.inference_id)
    request.purpose_of_use = purpose  # type: ignore[assignment]
    return await services.inference.GetInference(request, NO_CONTEXT)


async def watch(services: Services, outcome: Outcome) -> list[Any]:
    request = inference_pb2.WatchInferenceRequest(inference_id=outcome.inference_id, purpose_of_use=TREATMENT)
    return [event async for event in services.inference.WatchInference(request, NO_CONTEXT)]


async def released(services: Services) -> Outcome:
    call = infer_call("Letter for Maria")
    call = replace(call, context=replace(call.context, subject_ref="MRN-7"))
    return await services.ward.gate.pipeline.infer(CALLER, call, key("released"))


async def test_a_text_read_again_is_an_access_about_its_person(services: Services) -> None:
    outcome = await released(services)
    called_by(services.ward.rivera.principal, "getInference")
    answer = await read(services, outcome)
    assert answer.result.output == outcome.output
    [event] = await watch(services, outcome)
    assert event.result.output == outcome.output
    subject = await services.ward.gate.ledger.pseudonym(TENANT, "MRN-7")
    entries = await services.accesses()
    assert [(e.type, e.stream, e.actor, e.subject) for e in entries] == [
        ("access.viewed", "access/rivera", "human:rivera", subject)
    ] * 2
    assert entries[0].body == {
        "what": "inference",
        "action": "getInference",
        "purpose_of_use": "TREAT",
        "inference": outcome.inference_id,
    }


async def test_the_first_answer_is_on_record_as_its_release_and_a_retry_is_a_further_access(
    services: Services,
) -> None:
    called_by(APP, "infer")
    first = await services.inference.Infer(REQUEST, NO_CONTEXT)
    assert first.result.output
    assert await services.accesses() == []
    stream = await services.ward.gate.ledger.stream_entries(TENANT, first.result.inference_id)
    assert (stream[0].type, stream[0].body["purpose_of_use"]) == ("inference.requested", "TREAT")
    again = await services.inference.Infer(REQUEST, NO_CONTEXT)
    assert again.result.output == first.result.output
    request = inference_pb2.StreamInferRequest(request=REQUEST)
    events = [event async for event in services.inference.StreamInfer(request, NO_CONTEXT)]
    assert events[-1].result.output == first.result.output
    entries = await services.accesses()
    assert [(e.type, e.actor, e.body["inference"]) for e in entries] == [
        ("access.viewed", "app:app-1", first.result.inference_id)
    ] * 2


async def test_a_retry_after_a_release_by_a_signature_is_an_access(services: Services) -> None:
    ward = services.ward
    ward.gate.provider.text = "HOLD this text"
    request = inference_pb2.InferRequest()
    request.CopyFrom(REQUEST)
    request.context.policy = "patient-message"
    called_by(APP, "infer")
    waiting = (await services.inference.Infer(request, NO_CONTEXT)).result
    assert not waiting.output
    assert (await services.inference.Infer(request, NO_CONTEXT)).result.output == ""
    assert await services.accesses() == []  # a held text is not given, so nobody saw it
    ticket = waiting.ticket.ticket_id
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert (await services.inference.Infer(request, NO_CONTEXT)).result.output == "HOLD this text"
    assert [(e.type, e.actor) for e in await services.accesses()] == [
        ("access.revealed", "human:rivera"),
        ("access.viewed", "app:app-1"),
    ]


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), QueueFull(1.0)], ids=["store", "queue"])
async def test_without_its_entry_nothing_is_given(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, error: Exception
) -> None:
    ward = services.ward
    called_by(APP, "infer")
    assert (await services.inference.Infer(REQUEST, NO_CONTEXT)).result.output
    outcome, waiting = await released(services), await held(ward)
    ticket = ticket_of(waiting)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    services.fail_accesses(monkeypatch, error)

    async def prepared() -> None:
        request = review_pb2.PrepareSignRequest(
            ticket_id=ticket, lease_id=lease, key_id=ward.rivera.key_id, purpose_of_use=TREATMENT
        )
        await services.review.PrepareSign(request, NO_CONTEXT)

    async def looked() -> None:
        request = review_pb2.GetItemRequest(ticket_id=ticket, purpose_of_use=TREATMENT)
        await services.review.GetItem(request, NO_CONTEXT)

    async def retried() -> None:
        await services.inference.Infer(REQUEST, NO_CONTEXT)

    async def exported() -> None:
        exporter = Exporter(ward.gate.ledger, tmp_path / "exports", services.phi, ward.gate.clock)
        order = ExportOrder(None, None, (), "audit", include_payloads=True)
        async with exporter.bundle(ward.auditor.permit, order, key("export"), lambda *_step: None):
            raise AssertionError("a bundle was made without its entry")

    async def got() -> None:
        await read(services, outcome)

    async def watched() -> None:
        await watch(services, outcome)

    ways: list[tuple[Principal, str, Callable[[], Awaitable[None]]]] = [
        (APP, "infer", retried),
        (ward.rivera.principal, "getInference", got),
        (ward.rivera.principal, "watchInference", watched),
        (ward.rivera.principal, "getItem", looked),
        (ward.rivera.principal, "prepareSign", prepared),
        (ward.auditor.principal, "export", exported),
    ]
    for who, action, way in ways:
        called_by(who, action)
        with pytest.raises(type(error)):
            await way()
    assert await services.accesses() == []
    assert not ward.desk._prepared  # and nothing waits for a signature that nobody was shown


async def test_a_person_says_why_and_an_application_may_have_said_so_before(services: Services) -> None:
    outcome = await released(services)
    for who in (services.ward.rivera.principal, APP):
        called_by(who, "getInference")
        for number in (UNSPECIFIED, 99):
            with pytest.raises(InvalidRequest) as caught:
                await read(services, outcome, number)
            assert [field for field, _why in caught.value.field_violations] == ["purpose_of_use"]
    called_by(replace(APP, default_purpose="TREAT"), "getInference")
    assert (await read(services, outcome, UNSPECIFIED)).result.output
    with pytest.raises(InvalidRequest):  # an unknown number is no omission
        await read(services, outcome, 99)
    [entry] = await services.accesses()
    assert entry.body["purpose_of_use"] == "TREAT"


async def test_a_purpose_that_is_not_of_the_role_is_a_denial_on_record(services: Services) -> None:
    outcome = await released(services)
    called_by(services.ward.rivera.principal, "getInference")
    with pytest.raises(PermissionDenied):
        await read(services, outcome, common_pb2.PURPOSE_OF_USE_RESEARCH)
    [entry] = await services.accesses()
    assert (entry.type, entry.body["purpose_of_use"], entry.body["policy_ids"]) == (
        "access.denied",
        "HRESCH",
        ["purpose-belongs-to-a-role"],
    )


@pytest.mark.parametrize("payloads", [False, True])
async def test_one_export_asked_for_twice_at_once_is_given_twice(
    services: Services, tmp_path: Any, payloads: bool
) -> None:
    ward = services.ward
    await released(services)
    exporter = Exporter(ward.gate.ledger, tmp_path / "exports", services.phi, ward.gate.clock)
    order = ExportOrder(None, None, (), "audit", include_payloads=payloads)

    async def export() -> bool:
        async with exporter.bundle(ward.auditor.permit, order, key("export"), lambda *_step: None) as path:
            return path.exists()

    assert all(await asyncio.gather(export(), export()))
    wholes = [entry for entry in await services.accesses() if entry.subject is None]
    # With content each is a disclosure of its own; without, both are the one that was asked for.
    assert len(wholes) == (2 if payloads else 1)


async def test_an_export_with_content_is_in_the_account_of_everybody_in_it(
    services: Services, tmp_path: Any
) -> None:
    ward = services.ward
    await released(services)
    await held(ward, subject_ref="MRN-8")
    exporter = Exporter(ward.gate.ledger, tmp_path / "exports", services.phi, ward.gate.clock)
    call = key("export")
    for payloads in (False, True, True):
        order = ExportOrder(None, None, (), "patient_request", include_payloads=payloads)
        async with exporter.bundle(ward.auditor.permit, order, call, lambda *_step: None) as path:
            assert path.exists()
        call = key("export with payloads")
    people = sorted([await ward.gate.ledger.pseudonym(TENANT, number) for number in ("MRN-7", "MRN-8")])
    entries = await services.accesses()
    assert [(e.type, e.subject, e.body["payloads"]) for e in entries] == [
        ("access.exported", None, False),
        # A retry is another bundle, and of a log that has grown: a further disclosure.
        *[("access.exported", subject, True) for subject in (*people, None)] * 2,
    ]


async def test_an_account_of_one_person_is_a_walk_over_entries(services: Services, tmp_path: Any) -> None:
    """45 CFR 164.528: when, to whom, what, and why, of one person and of nobody else."""
    ward = services.ward
    outcome, other = await released(services), await held(ward, subject_ref="MRN-8")
    called_by(ward.rivera.principal, "getInference")
    await read(services, outcome)
    called_by(ward.chen.principal, "getItem")
    request = review_pb2.GetItemRequest(ticket_id=ticket_of(other), purpose_of_use=TREATMENT)
    await services.review.GetItem(request, NO_CONTEXT)
    exporter = Exporter(ward.gate.ledger, tmp_path / "exports", services.phi, ward.gate.clock)
    order = ExportOrder(None, None, (outcome.inference_id,), "patient_request", include_payloads=True)
    async with exporter.bundle(ward.auditor.permit, order, key("export"), lambda *_step: None):
        pass
    size, _root = await ward.gate.ledger.head(TENANT)
    entries = await ward.gate.ledger.list_entries(TENANT, 0, size)

    async def account(number: str) -> list[tuple[str, str]]:
        subject = await ward.gate.ledger.pseudonym(TENANT, number)
        kinds = ("access.", "inference.released")
        return [(e.type, e.actor) for e in entries if e.subject == subject and e.type.startswith(kinds)]

    assert await account("MRN-7") == [
        ("inference.released", "system:srv-test"),
        ("access.viewed", "human:rivera"),
        ("access.exported", "human:audrey"),
    ]
    assert await account("MRN-8") == [("access.viewed", "human:chen")]
    assert all(e.time and e.body["purpose_of_use"] for e in entries if e.type.startswith("access."))
