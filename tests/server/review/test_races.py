"""What lies between reading an item and appending to it: nothing that happened there may be overwritten."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.errors import AttendingError
from attending.server.inference.states import State
from attending.server.review.enrolment import enrol_keys

from tests.server.inference.conftest import TENANT
from tests.server.review.conftest import Person, Ward
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

Read = Callable[..., Awaitable[Any]]


READS = pytest.mark.parametrize("reads", [1, 2])


def between_reads(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[None]], reads: int
) -> None:
    """Runs `act` once, right after that many reads of review items have been answered."""
    query: Read = Ledger.query
    waiting = [act]
    left = reads

    async def read(ledger: Ledger, select: Any) -> Any:
        nonlocal left
        rows = await query(ledger, select)
        left -= projections.review_item in select.get_final_froms()
        if waiting and left == 0:
            await waiting.pop()()
        return rows

    monkeypatch.setattr(type(ward.gate.ledger), "query", read)


async def ready_to_sign(ward: Ward, who: Person) -> tuple[str, str, str, Any]:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, who)
    await dispose_all(ward, ticket, lease, who)
    prepared = await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)
    return outcome.inference_id, ticket, lease, prepared


@READS
async def test_an_expiry_does_not_follow_a_release_that_came_between(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    inference, ticket, lease, prepared = await ready_to_sign(ward, ward.rivera)
    item, _version = await ward.desk.item(TENANT, ticket)
    moment = ward.gate.clock.moment
    # The sweep's clock is past the end, the signer's a little before it.
    ward.gate.clock.advance(days=90)

    async def signs() -> None:
        late, ward.gate.clock.moment = ward.gate.clock.moment, moment
        await sign(ward, ticket, lease, ward.rivera, prepared)
        ward.gate.clock.moment = late

    between_reads(ward, monkeypatch, signs, reads)
    assert item.state == "held"
    assert await ward.desk.expire_due(TENANT, "srv-test") == 0
    assert (await ward.gate.pipeline.get(TENANT, inference)).state is State.RELEASED
    assert (await ward.gate.types(inference))[-1] == "inference.released"


@READS
async def test_a_rejection_does_not_follow_a_release_that_came_between(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    inference, ticket, lease, prepared = await ready_to_sign(ward, ward.rivera)

    async def signs() -> None:
        await sign(ward, ticket, lease, ward.rivera, prepared)

    between_reads(ward, monkeypatch, signs, reads)
    with pytest.raises(AttendingError):
        await ward.desk.reject(ward.rivera.principal, ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert (await ward.gate.pipeline.get(TENANT, inference)).state is State.RELEASED


@READS
async def test_a_signature_does_not_follow_a_rejection_that_came_between(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    inference, ticket, lease, prepared = await ready_to_sign(ward, ward.rivera)

    async def rejects() -> None:
        await ward.desk.reject(ward.rivera.principal, ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]

    between_reads(ward, monkeypatch, rejects, reads)
    with pytest.raises(AttendingError):
        await sign(ward, ticket, lease, ward.rivera, prepared)
    got = await ward.gate.pipeline.get(TENANT, inference)
    assert got.state is State.REJECTED
    assert got.output is None


async def test_a_signature_does_not_follow_the_revocation_of_its_key(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    inference, ticket, lease, prepared = await ready_to_sign(ward, ward.rivera)
    others, append = [ward.chen.principal, ward.auditor.principal], Ledger.append
    waiting = [True]

    async def revoked_just_before(ledger: Ledger, *arguments: Any, **more: Any) -> Any:
        if waiting and arguments[1][0].type == "review.signed":
            waiting.clear()
            # The configuration does not name her any more, and another process has just started with it.
            await enrol_keys(ledger, [TENANT], others, "srv-next", ward.gate.clock)
        return await append(ledger, *arguments, **more)

    monkeypatch.setattr(Ledger, "append", revoked_just_before)
    with pytest.raises(AttendingError) as caught:
        await sign(ward, ticket, lease, ward.rivera, prepared)
    assert caught.value.reason == "ITEM_CHANGED"
    with pytest.raises(AttendingError) as caught:
        await sign(ward, ticket, lease, ward.rivera, prepared)
    assert caught.value.reason == "KEY_UNKNOWN"
    assert (await ward.gate.pipeline.get(TENANT, inference)).output is None
