"""A reviewer whose answer was lost asks again with the same key and is told what happened the first time."""

from __future__ import annotations

import pytest
from attending.server.errors import AlreadyExists, FailedPrecondition, PermissionDenied

from tests.server.inference.conftest import key
from tests.server.review.conftest import LEASE_SECONDS, Ward
from tests.server.review.test_desk import claim, dispose_all, held, ticket_of


async def test_a_repeated_rejection_is_the_first_one(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    rejection = (ward.rivera.principal, ticket, lease, "unsafe", "")
    first = await ward.desk.reject(*rejection, key("reject"))
    again = await ward.desk.reject(*rejection, key("reject"))
    assert (again[0].state, again[2]) == ("rejected", first[2])
    with pytest.raises(AlreadyExists):
        await ward.desk.reject(*rejection, key("reject", "another body"))


async def test_a_repeated_disposition_is_the_first_one_even_when_the_lease_is_over(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    disposition = (ward.rivera.principal, ticket, lease, 0, "accepted_risk", "monitored", "")
    first = await ward.desk.dispose(*disposition, key("dispose"))
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    again = await ward.desk.dispose(*disposition, key("dispose"))
    assert again[2] == first[2]


async def test_a_repeated_claim_is_the_first_one_and_never_hands_out_anothers_lease(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    who = ward.rivera.principal
    first = await ward.desk.claim(who, ticket, key("claim"))
    again = await ward.desk.claim(who, ticket, key("claim"))
    assert (again[0].lease_id, again[2]) == (first[0].lease_id, first[2])
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    await claim(ward, ticket, ward.chen)
    with pytest.raises(FailedPrecondition) as caught:
        await ward.desk.claim(who, ticket, key("claim"))
    assert caught.value.reason == "LEASE_NOT_HELD"


async def test_the_author_is_the_author_in_capitals_too(ward: Ward) -> None:
    ticket = ticket_of(await held(ward, on_behalf_of="Rivera"))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    with pytest.raises(PermissionDenied) as caught:
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert caught.value.reason == "SIGNER_IS_AUTHOR"
