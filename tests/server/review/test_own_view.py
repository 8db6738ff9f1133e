"""An own view before the reveal: what is withheld, from whom and until when, and what cannot be done before."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server.errors import AttendingError
from attending.server.review.queue import Wanted
from attending.server.services.review import ReviewService
from attending.server.shipped import package_policies
from attending.v1 import common_pb2, review_pb2

from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key
from tests.server.phi.test_access import NO_CONTEXT, called_by
from tests.server.review.conftest import Person, Ward, phi_of, revise
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

NOTE = "I would halve the dose."


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    """The package's own, but whoever reads a discharge plan judges it first."""
    folder: Path = tmp_path_factory.mktemp("policies") / "p"
    shutil.copytree(package_policies(), folder)
    path = folder / "discharge-plan" / "policy.yaml"
    path.write_text(path.read_text() + "oversight:\n  own_view_first: true\n")
    return PolicySet.load(folder)


async def reason(call: Awaitable[Any]) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


def opinion(ward: Ward, ticket: str, lease: str, who: Person, assessment: str = "needs_change") -> Any:
    once: Any = fresh()
    return ward.desk.record_opinion(who.principal, ticket, lease, assessment, NOTE, once)


async def told(ward: Ward, ticket: str, who: Person) -> review_pb2.GetItemResponse:
    service = ReviewService(ward.gate.ledger, ward.desk, phi_of(ward.gate))
    called_by(who.principal, "getItem")
    return await service.GetItem(
        review_pb2.GetItemRequest(ticket_id=ticket, purpose_of_use=common_pb2.PURPOSE_OF_USE_TREATMENT),
        NO_CONTEXT,
    )


async def test_findings_are_shown_to_who_has_judged_and_to_nobody_before(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    before = await told(ward, ticket, ward.rivera)
    assert before.withheld
    assert before.output == "HOLD this text"
    shown = (before.findings, before.citations, before.second_opinion, before.coverage.of)
    assert not any(shown)
    assert not before.item.open_findings
    once: Any = fresh()
    disposal = ward.desk.dispose(ward.rivera.principal, ticket, lease, 0, "fixed", "", "", once)
    assert await reason(disposal) == "OPINION_REQUIRED"
    assert await reason(ward.desk.check(ward.rivera.permit, ticket, lease, "Safe")) == "OPINION_REQUIRED"
    preparation = ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert await reason(preparation) == "OPINION_REQUIRED"
    await opinion(ward, ticket, lease, ward.rivera)
    after = await told(ward, ticket, ward.rivera)
    assert not after.withheld
    assert len(after.findings) == 1
    # Another's view opens nothing for oneself.
    assert (await told(ward, ticket, ward.chen)).withheld
    await dispose_all(ward, ticket, lease, ward.rivera, "accepted_risk")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    # Once it waits no more there is nothing to be influenced in.
    assert not (await told(ward, ticket, ward.chen)).withheld


async def test_what_another_made_of_it_is_nothing_to_begin_with(ward: Ward) -> None:
    two = ward.gate.policies["discharge-plan"].sign_offs.model_dump() | {"count": 2}
    revise(ward, "discharge-plan", sign_offs=two)
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await opinion(ward, ticket, lease, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    chens = await claim(ward, ticket, ward.chen)
    before = await told(ward, ticket, ward.chen)
    assert (before.withheld, before.output, list(before.signatures)) == (True, "HOLD this text", [])
    # Whom it could be handed to is no word of what anybody made of it.
    del before.colleagues[:]
    assert not any(word in before.SerializeToString() for word in (b"rivera", b"Rivera", b"A safe text"))
    case = await ward.desk.view(ward.chen.permit, ticket)
    assert case.item.signed_by == ()
    history = await ward.desk.history(ward.chen.principal, case.item, withheld=case.withheld)
    assert not [one for one in history if one.actor == "human:rivera"]
    await opinion(ward, ticket, chens, ward.chen)
    after = await told(ward, ticket, ward.chen)
    [signed] = after.signatures
    assert (signed.printed_name, signed.role, signed.meaning) == (
        "Rivera",
        "clinician",
        "approved_with_edits",
    )
    assert (await ward.desk.view(ward.chen.permit, ticket)).item.signed_by


async def test_a_view_is_given_once_under_ones_own_lease_and_stays(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    assert await reason(opinion(ward, ticket, lease, ward.chen)) == "LEASE_NOT_HELD"
    assert await reason(opinion(ward, ticket, lease, ward.rivera, "fine")) == "INVALID_REQUEST"
    # Two at once: one is first, and the other is told so.
    both = await asyncio.gather(
        opinion(ward, ticket, lease, ward.rivera),
        opinion(ward, ticket, lease, ward.rivera, "safe"),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, AttendingError) for one in both) == [False, True]
    assert await reason(opinion(ward, ticket, lease, ward.rivera, "safe")) == "OPINION_RECORDED"
    [entry] = [
        one
        for one in await ward.gate.ledger.whole_stream(TENANT, outcome.inference_id)
        if one.type == "review.opinion_recorded"
    ]
    assert entry.actor == "human:rivera"
    assert NOTE not in repr(entry.body)
    assert len(entry.commitments) == 1


async def test_what_asks_for_no_view_takes_none(ward: Ward) -> None:
    ward.gate.provider.text = "HOLD this text"
    call = infer_call(policy="radiology-impression", context=context("radiology-impression"))
    ticket = ticket_of(await ward.gate.pipeline.infer(CALLER, call, key("no-view")))
    lease = await claim(ward, ticket, ward.rivera)
    assert not (await told(ward, ticket, ward.rivera)).withheld
    assert await reason(opinion(ward, ticket, lease, ward.rivera)) == "OPINION_NOT_ASKED"
    assert (await ward.desk.queue(TENANT, Wanted(), 10)).total == 1
