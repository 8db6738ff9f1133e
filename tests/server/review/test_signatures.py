"""Whose signatures stand beside a text, however much happened before they signed."""

from __future__ import annotations

from tests.server.inference.conftest import TENANT
from tests.server.review.conftest import Ward
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of
from tests.server.review.test_own_view import told

CLAIMS = 100


async def test_a_signature_after_hundreds_of_entries_stands_there(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    for _ in range(CLAIMS):
        lease = await claim(ward, ticket, ward.rivera)
        await ward.desk.release_lease(ward.rivera.principal, ticket, lease, fresh())  # type: ignore[arg-type]
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    index, _released = await sign(ward, ticket, lease, ward.rivera, prepared)
    assert await ward.gate.ledger.stream_version(TENANT, outcome.inference_id) > 2 * CLAIMS
    [one] = (await told(ward, ticket, ward.chen)).signatures
    assert (one.signer, one.printed_name, one.meaning, one.entry_index) == (
        "rivera",
        "Rivera",
        "approved",
        index,
    )
