"""Taking back what was released: it is given to nobody from then on, and everybody who had it has to answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attending.server.auth.principal import Principal
from attending.server.errors import AttendingError
from attending.server.inference.outcome import Outcome
from attending.server.inference.states import State
from attending.server.recall.desk import Recalls

from tests.server.inference.conftest import CALLER, TENANT, Gate, gate, infer_call, key, policies
from tests.server.review.conftest import Ward, person, ward
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

__all__ = ["gate", "policies", "ward"]

RIVERA = person("rivera", "clinician").principal
APP = person(CALLER.app, "app", kind="app").principal


@pytest.fixture
def recalls(gate: Gate) -> Recalls:
    return Recalls(gate.ledger, gate.changes, gate.clock)


async def released(gate: Gate, *channels: str) -> Outcome:
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key("released"))
    assert outcome.state is State.RELEASED
    for channel in channels:
        await gate.pipeline.acknowledge(CALLER, outcome.inference_id, "patient", channel, key(channel))
    return outcome


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_a_recall_ends_the_giving_and_waits_for_everybody_who_had_it(
    gate: Gate, recalls: Recalls
) -> None:
    one = (await released(gate, "portal", "print")).inference_id
    once = key("withdraw")
    recall, index = await recalls.withdraw(RIVERA, one, "unsafe", "The dose is wrong.", once)
    assert recall.outstanding == ("app", "patient/portal", "patient/print")
    # A retry is told the same; the text is given to nobody, and delivered no more.
    assert (await recalls.withdraw(RIVERA, one, "unsafe", "The dose is wrong.", once))[1] == index
    outcome = await gate.pipeline.get(TENANT, one)
    assert (outcome.state, outcome.output) == (State.WITHDRAWN, None)
    late = gate.pipeline.acknowledge(CALLER, one, "patient", "fax", key("late"))
    assert await reason(late) == "NOT_RELEASED"
    again = await gate.pipeline.acknowledge(CALLER, one, "patient", "portal", key("portal"))
    assert (await gate.ledger.get_entry(TENANT, again)).type == "inference.delivered"
    assert await reason(recalls.withdraw(RIVERA, one, "wrong", "", key("twice"))) == "ILLEGAL_TRANSITION"
    for target, who in (("app", APP), ("patient/print", RIVERA)):
        await recalls.acknowledge(who, one, target, key(target))
    [waits] = await recalls.page(TENANT, app=None, only_open=True, limit=9, offset=0)
    assert (waits.outstanding, waits.acknowledged) == (("patient/portal",), ("app", "patient/print"))
    assert await reason(recalls.acknowledge(APP, one, "app", key("app2"))) == "RECALL_ACKNOWLEDGED"
    assert await reason(recalls.acknowledge(APP, one, "patient/fax", key("fax"))) == "UNKNOWN_DELIVERY"
    await recalls.acknowledge(RIVERA, one, "patient/portal", key("last"))
    assert await recalls.page(TENANT, app=None, only_open=True, limit=9, offset=0) == []
    # The note is a payload; the entry says who, why and to whom.
    entry = await gate.ledger.get_entry(TENANT, index)
    assert (entry.actor, entry.body["reason_code"]) == ("human:rivera", "unsafe")
    assert [payload.kind for payload in entry.commitments] == ["note"]


async def test_who_may_not(gate: Gate, recalls: Recalls) -> None:
    one = (await released(gate)).inference_id
    assert await reason(recalls.withdraw(APP, one, "wrong", "", key("a"))) == "ROLE_NOT_PERMITTED"
    assert await reason(recalls.withdraw(RIVERA, "inf_0", "wrong", "", key("b"))) == "UNKNOWN_INFERENCE"
    assert await reason(recalls.acknowledge(APP, one, "app", key("c"))) == "NOT_WITHDRAWN"
    stranger: Principal = person("other-app", "app", kind="app").principal
    await recalls.withdraw(RIVERA, one, "wrong", "", key("d"))
    assert await reason(recalls.acknowledge(stranger, one, "app", key("e"))) == "UNKNOWN_INFERENCE"
    assert await recalls.page(TENANT, app="other-app", only_open=False, limit=9, offset=0) == []
    await gate.ledger.create_log("other", "test.example/other")
    assert await recalls.page("other", app=None, only_open=False, limit=9, offset=0) == []


async def test_of_a_recall_and_a_delivery_at_once_none_is_left_out(gate: Gate, recalls: Recalls) -> None:
    one = (await released(gate)).inference_id
    results = await asyncio.gather(
        recalls.withdraw(RIVERA, one, "wrong", "", key("withdraw")),
        gate.pipeline.acknowledge(CALLER, one, "patient", "portal", key("portal")),
        return_exceptions=True,
    )
    types = await gate.types(one)
    told = await recalls.page(TENANT, app=None, only_open=True, limit=9, offset=0)
    if told and "inference.delivered" in types:
        assert types.index("inference.delivered") < types.index("inference.withdrawn")
        assert "patient/portal" in told[0].outstanding
    refused = [result.reason for result in results if isinstance(result, AttendingError)]
    assert set(refused) <= {"LOST_RACE", "NOT_RELEASED"}
    assert len(refused) < 2


async def test_a_signed_text_that_is_taken_back_is_no_released_item(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    recalls = Recalls(ward.gate.ledger, ward.gate.changes, ward.gate.clock)
    await recalls.withdraw(ward.chen.principal, outcome.inference_id, "wrong_patient", "", key("w"))
    assert (await ward.desk.item(TENANT, ticket))[0].state == "withdrawn"
