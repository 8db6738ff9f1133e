"""Signing at the pace of reading: what is asked, refused at the highest tier, sealed and remembered."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Oversight, Policy
from attending.ledger.review_signature import sign_statement
from attending.server.errors import FailedPrecondition, InvalidRequest
from attending.server.review.preparation import Preparation

from tests.server.inference.conftest import TENANT, key
from tests.server.review.conftest import Person, Ward
from tests.server.review.test_desk import claim, dispose_all, held, ticket_of

TEXT = "HOLD " + "word " * 99
"""100 words with a major finding: 30 s at 300 a minute."""


@pytest.fixture
def highest(ward: Ward) -> Iterator[None]:
    """`discharge-plan` at the highest tier, for the time of one test."""
    policy = ward.gate.policies["discharge-plan"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(policy.__dict__, "oversight", Oversight(tier="highest"))
        yield


async def prepared(
    ward: Ward, who: Person, *, look: bool = True, text: str = TEXT
) -> tuple[str, str, Preparation]:
    ticket = ticket_of(await held(ward, text))
    if look:
        await ward.desk.view(who.permit, ticket)
    lease = await claim(ward, ticket, who)
    await dispose_all(ward, ticket, lease, who)
    return ticket, lease, await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)


async def sign(ward: Ward, who: Person, made: tuple[str, str, Preparation], **how: Any) -> dict[str, Any]:
    """The body of the entry of the signature."""
    ticket, lease, preparation = made
    signature = sign_statement(preparation.statement, who.key)
    _item, _version, indexes = await ward.desk.sign(
        who.principal,
        ticket,
        lease,
        preparation.preparation_id,
        signature,
        key(f"pace-{secrets.token_hex(8)}"),
        **how,
    )
    entry = await ward.gate.ledger.get_entry(TENANT, indexes[0])
    assert "peer_review" not in {one.kind for one in entry.commitments}
    [*_, figure] = await ward.gate.ledger.whole_stream(TENANT, f"oversight/reading/{who.principal.name}")
    assert figure.index not in indexes
    assert figure.body == {"nonce": preparation.statement.nonce, "tag": "peer_review"}
    sealed = json.loads(await ward.gate.ledger.open_payload(TENANT, figure.commitments[0].record))
    return {**entry.body["reading"], "sealed": sealed, "in_entry": entry.data.decode()}


async def test_a_page_is_believed_up_to_the_time_since_the_first_look(ward: Ward) -> None:
    made = await prepared(ward, ward.rivera)
    ward.gate.clock.advance(seconds=40)
    body = await sign(ward, ward.rivera, made, read_seconds=3600)
    assert (body["short"], body["reason_code"], body["source"]) == (False, None, "console")
    assert body["sealed"]["seconds"] == body["sealed"]["bound_seconds"] == 40
    assert '"seconds"' not in body["in_entry"]


async def test_below_the_floor_one_signs_with_a_reason_and_is_drawn_more_often_for_a_time(ward: Ward) -> None:
    made = await prepared(ward, ward.rivera)
    ward.gate.clock.advance(seconds=40)
    body = await sign(ward, ward.rivera, made, read_seconds=12, reading_reason="known_before")
    assert (body["short"], body["reason_code"], body["raised"]) == (True, "known_before", True)
    assert (body["words"], body["floor_seconds"], body["sealed"]["seconds"]) == (100, 30, 12)
    # The next one is read well, and still drawn more often; a colleague's is not; two weeks later it is over.
    for who, days, raised in ((ward.rivera, 1, True), (ward.chen, 1, False), (ward.rivera, 14, False)):
        ward.gate.clock.advance(days=days)
        made = await prepared(ward, who)
        ward.gate.clock.advance(seconds=40)
        body = await sign(ward, who, made)
        assert (body["short"], body["raised"], body["source"]) == (False, raised, "server")


async def test_a_client_that_asks_for_no_reason_signs_and_the_entry_says_so(ward: Ward) -> None:
    made = await prepared(ward, ward.rivera, look=False)
    body = await sign(ward, ward.rivera, made)
    assert (body["short"], body["reason_code"], body["source"]) == (True, "not_given", "server")
    made = await prepared(ward, ward.rivera)
    with pytest.raises(InvalidRequest):
        await sign(ward, ward.rivera, made, reading_reason="because")


async def test_somebody_elses_look_and_one_at_another_item_are_no_look(ward: Ward) -> None:
    made = await prepared(ward, ward.rivera, look=False)
    other = ticket_of(await held(ward, TEXT))
    await ward.desk.view(ward.chen.permit, made[0])
    await ward.desk.view(ward.rivera.permit, other)
    ward.gate.clock.advance(seconds=300)
    pace = await ward.desk.pace(ward.chen.principal, made[2], 10_000)
    assert pace.reading.seconds == 300
    # Showing the statement is a look as well: rivera's began there.
    pace = await ward.desk.pace(ward.rivera.principal, made[2], 10_000)
    assert pace.reading.seconds == 300


@pytest.mark.usefixtures("highest")
async def test_at_the_highest_tier_the_floor_is_waited_for(ward: Ward) -> None:
    made = await prepared(ward, ward.rivera)
    for seconds in (0, 29):
        ward.gate.clock.advance(seconds=seconds)
        with pytest.raises(FailedPrecondition) as refused:
            await sign(ward, ward.rivera, made, read_seconds=3600, reading_reason="urgent")
        assert refused.value.reason == "READING_TOO_SHORT"
        assert refused.value.metadata == {"floor_seconds": "30", "seconds": str(seconds)}
    ward.gate.clock.advance(seconds=2)
    body = await sign(ward, ward.rivera, made, read_seconds=3600)
    assert (body["short"], body["tier"]) == (False, "highest")


@pytest.mark.usefixtures("highest")
async def test_a_refusal_needs_no_reading(ward: Ward) -> None:
    from attending.server.review.preparation import Rejection

    ticket = ticket_of(await held(ward, TEXT))
    lease = await claim(ward, ticket, ward.rivera)
    preparation = await ward.desk.prepare(
        ward.rivera.permit, ticket, lease, None, ward.rivera.key_id, Rejection("unsafe")
    )
    body = await sign(ward, ward.rivera, (ticket, lease, preparation))
    assert (body["short"], body["floor_seconds"], body["reason_code"]) == (False, 0, None)


def test_the_default_is_in_every_shipped_policy(policies: PolicySet) -> None:
    def rate(policy: Policy) -> int:
        return policy.oversight.reading.words_per_minute

    assert {rate(policy) for policy in policies.values()} == {300}
