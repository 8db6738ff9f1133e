"""Nothing is sent to a provider without an agreement in force and a permitted place, and what was sent is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attending.guardrails.patient import Document
from attending.guardrails.policy.load import PolicySet
from attending.ledger.entry import Entry
from attending.server.errors import FailedPrecondition
from attending.server.inference.states import State
from attending.server.providers.terms import Agreement, Terms, within
from attending.server.wire.request import PromptRef

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    Gate,
    infer_call,
    key,
    make_pipeline,
    record_call,
)

MOMENT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AGREED = Agreement("BAA-2026-014", MOMENT + timedelta(hours=1))


def clear(policies: PolicySet, **phi_keys: object) -> PolicySet:
    """The same policies, whose letters go to the model with personal data as it was given, or as `phi_keys` say."""
    loaded = {name: policies.loaded(name) for name in policies}
    letter = loaded["administrative-letter"]
    update = {"agreement": "BAA-2026-014", **(phi_keys or {"deidentify": False})}
    phi = letter.policy.phi.model_copy(update=update)
    changed = replace(letter, policy=letter.policy.model_copy(update={"phi": phi}))
    return PolicySet({**loaded, "administrative-letter": changed})


@pytest.fixture
def with_terms(gate: Gate) -> Callable[..., Any]:
    def make(terms: Terms, *allowed: str, identified: bool = True) -> Any:
        policies = clear(gate.policies) if identified else gate.policies
        return make_pipeline(
            gate.ledger,
            gate.checker,
            gate.provider,
            policies,
            gate.changes,
            gate.clock,
            terms=terms,
            residency={TENANT: frozenset(allowed)},
        )[0]

    return make


async def stream(gate: Gate, inference_id: str) -> list[Entry]:
    return await gate.ledger.stream_entries(TENANT, inference_id)


REMOTE = Terms(local=False)
REFUSED = [
    (REMOTE, (), True, "NO_PHI_AGREEMENT"),
    (replace(REMOTE, agreement=Agreement("BAA", MOMENT)), (), True, "PHI_AGREEMENT_EXPIRED"),
    (replace(REMOTE, agreement=AGREED), ("DE",), True, "RESIDENCY_NOT_PERMITTED"),
    (
        replace(REMOTE, agreement=AGREED, residency=frozenset({"US"})),
        ("EU",),
        True,
        "RESIDENCY_NOT_PERMITTED",
    ),
    (replace(REMOTE, residency=frozenset({"US"})), ("EU",), False, "RESIDENCY_NOT_PERMITTED"),
    (
        replace(REMOTE, agreement=AGREED, residency=frozenset({"DE", "US"})),
        ("EU",),
        True,
        "RESIDENCY_NOT_PERMITTED",
    ),
]


@pytest.mark.parametrize(("terms", "allowed", "identified", "reason"), REFUSED)
async def test_it_is_refused_before_anything_is_sent_and_on_record(
    gate: Gate,
    with_terms: Callable[..., Any],
    terms: Terms,
    allowed: tuple[str, ...],
    identified: bool,
    reason: str,
) -> None:
    pipeline = with_terms(terms, *allowed, identified=identified)
    with pytest.raises(FailedPrecondition) as caught:
        await pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert caught.value.reason == reason
    assert gate.provider.seen == []
    entries = await stream(gate, caught.value.metadata["inference_id"])
    assert [(e.type, e.body.get("reason")) for e in entries] == [
        ("inference.requested", None),
        ("inference.failed", reason),
    ]
    # A retry learns the same and makes nothing new.
    with pytest.raises(FailedPrecondition) as again:
        await pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert (again.value.reason, again.value.metadata) == (reason, caught.value.metadata)
    assert gate.provider.seen == []
    await pipeline.drain()


async def test_moved_dates_and_ages_need_an_agreement_like_text_in_clear(gate: Gate) -> None:
    pipeline = make_pipeline(
        gate.ledger,
        gate.checker,
        gate.provider,
        clear(gate.policies, mode="baa_minimum"),
        gate.changes,
        gate.clock,
        terms=REMOTE,
    )[0]
    with pytest.raises(FailedPrecondition) as caught:
        await pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert caught.value.reason == "NO_PHI_AGREEMENT"
    assert gate.provider.seen == []


async def test_an_agreement_that_runs_out_while_the_server_runs_stops_the_next_call(
    gate: Gate, with_terms: Callable[..., Any]
) -> None:
    pipeline = with_terms(replace(REMOTE, agreement=AGREED, residency=frozenset({"DE"})), "EU")
    outcome = await pipeline.infer(CALLER, infer_call("Letter for Maria"), key("before"))
    assert outcome.state is State.RELEASED
    assert "Maria" not in gate.provider.seen[0].prompt  # the fake checker replaces names all the same
    requested = (await stream(gate, outcome.inference_id))[0].body
    assert requested["egress"] == {
        "local": False,
        "identified": True,
        "agreement": "BAA-2026-014",
        "agreement_expires": "2026-11-23T13:00:00.000000Z",
        "residency": ["DE"],
        "sent": {
            "prompt": 1,
            "prompt_characters": len(gate.provider.seen[0].prompt),
            "variables": [],
            "system": 0,
            "documents": [],
            "patient": [],
        },
    }
    gate.clock.advance(hours=1)
    with pytest.raises(FailedPrecondition) as caught:
        await pipeline.infer(CALLER, infer_call("Letter for Maria"), key("after"))
    assert caught.value.reason == "PHI_AGREEMENT_EXPIRED"
    assert len(gate.provider.seen) == 1
    await pipeline.drain()


async def test_one_that_runs_out_while_the_checks_run_stops_that_call(
    gate: Gate, with_terms: Callable[..., Any]
) -> None:
    pipeline = with_terms(replace(REMOTE, agreement=AGREED))
    gate.checker.fail_input = lambda: gate.clock.advance(hours=1)
    with pytest.raises(FailedPrecondition) as caught:
        await pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert caught.value.reason == "PHI_AGREEMENT_EXPIRED"
    assert gate.provider.seen == []
    await pipeline.drain()


async def test_text_with_replaced_identifiers_needs_no_agreement(
    gate: Gate, with_terms: Callable[..., Any]
) -> None:
    pipeline = with_terms(REMOTE, identified=False)
    outcome = await pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert outcome.state is State.RELEASED
    egress = (await stream(gate, outcome.inference_id))[0].body["egress"]
    assert (egress["identified"], egress["agreement"], egress["residency"]) == (False, None, [])
    await pipeline.drain()


async def test_what_was_sent_is_named_and_counted_and_never_quoted(gate: Gate) -> None:
    version = await gate.prompts.create(
        TENANT, "human:op", "letters/visit", "Write to {{who}} of {{what}}.", key("v")
    )
    call = infer_call()
    documents = (Document("note of Maria", "Maria is well"), Document("leaflet", "Drink water"))
    call = replace(
        call,
        prompt=None,
        prompt_ref=PromptRef(
            "letters/visit", version.version, None, (("what", "her visit"), ("who", "Maria"))
        ),
        context=replace(call.context, documents=documents),
    )
    outcome = await gate.pipeline.infer(CALLER, call, key())
    requested = (await stream(gate, outcome.inference_id))[0]
    sent = requested.body["egress"]["sent"]
    assert (sent["prompt"], sent["variables"], sent["documents"], sent["patient"], sent["system"]) == (
        1,
        ["what", "who"],
        [1, 2],
        [],
        0,
    )
    assert "Maria" not in str(requested.body)


async def test_nothing_is_said_to_be_sent_that_was_not(gate: Gate) -> None:
    blocked = await gate.pipeline.infer(CALLER, infer_call("BLOCK-INPUT"), key("blocked"))
    recorded = await gate.pipeline.record(CALLER, record_call("Your visit is on Tuesday."), key("recorded"))
    assert (await stream(gate, blocked.inference_id))[0].body["egress"]["sent"] is None
    assert (await stream(gate, recorded.inference_id))[0].body["egress"] is None


@pytest.mark.parametrize(
    ("places", "allowed", "expected"),
    [
        ({"DE"}, {"DE"}, True),
        ({"DE"}, {"EU"}, True),
        ({"NO"}, {"EU"}, False),
        ({"NO"}, {"EEA"}, True),
        ({"EU"}, {"EEA"}, True),
        ({"EEA"}, {"EU"}, False),
        ({"EU"}, {"DE"}, False),
        ({"US-CA"}, {"US"}, True),
        ({"US"}, {"US-CA"}, False),
        ({"US-CA"}, {"US-CA", "US-NY"}, True),
        ({"DE", "US"}, {"EU"}, False),
        (set(), {"EU"}, False),
        ({"XX"}, {"EU"}, False),
    ],
)
def test_where_a_place_lies(places: set[str], allowed: set[str], expected: bool) -> None:
    assert within(places, allowed) is expected
