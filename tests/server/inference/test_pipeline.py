"""The gate's invariants, each on a real ledger: intent first, verdict before release, exactly once, never open."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from attending.guardrails.guard import RailRun
from attending.ledger.errors import StoreUnavailable
from attending.server.errors import (
    AlreadyExists,
    AttendingError,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from attending.server.inference.entries import Result
from attending.server.inference.owners import Owners
from attending.server.inference.recovery import abandon_orphans
from attending.server.inference.states import State
from attending.server.providers.port import ProviderError
from attending.server.telemetry import only_listed
from structlog.testing import capture_logs

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    Gate,
    context,
    infer_call,
    key,
    make_pipeline,
    record_call,
)


async def test_a_release_has_its_intent_before_and_its_verdict_in_one_append(gate: Gate) -> None:
    size_when_called: list[int] = []
    loop_ledger = gate.ledger

    def before() -> None:
        state = loop_ledger._sequencer.state(TENANT)
        size_when_called.append(state.edge.size)

    gate.provider.before = before
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert outcome.state is State.RELEASED
    assert outcome.output == "Your visit is on Tuesday."
    entries = await gate.ledger.stream_entries(TENANT, outcome.inference_id)
    assert [entry.type for entry in entries] == [
        "inference.requested",
        "inference.generated",
        "inference.released",
    ]
    # I2: the intent was durable before the provider was called.
    assert size_when_called == [entries[0].index + 1]
    # One atomic append: neighbours with one time.
    assert entries[2].index == entries[1].index + 1
    assert entries[1].time == entries[2].time
    assert outcome.decided_index == entries[2].index
    assert entries[2].body["text_commitment"] in {c.commitment for c in entries[1].commitments}


async def test_a_text_that_the_output_limit_cut_short_waits_for_a_clinician(gate: Gate) -> None:
    gate.provider.finish_reason = "length"
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert outcome.state is State.HELD
    assert outcome.result is not None
    assert [f.rule_id for f in outcome.result.findings] == ["gate:truncated"]


async def test_a_held_text_is_kept_and_given_to_nobody(gate: Gate) -> None:
    gate.provider.text = "HOLD this text"
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert outcome.state is State.HELD
    assert outcome.output is None
    assert outcome.ticket is not None
    assert await gate.types(outcome.inference_id) == [
        "inference.requested",
        "inference.generated",
        "inference.held",
    ]


async def test_a_blocked_text_opens_an_item_for_the_safety_officer(gate: Gate) -> None:
    gate.provider.text = "BLOCK this text"
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert outcome.state is State.BLOCKED
    assert outcome.output is None
    last = (await gate.ledger.stream_entries(TENANT, outcome.inference_id))[-1]
    assert last.type == "inference.blocked"
    assert str(last.body["ticket"]).startswith("tkt_")


async def test_no_finding_text_prompt_or_output_is_in_any_entry(gate: Gate) -> None:
    gate.provider.text = "HOLD Maria takes secretdrug"
    outcome = await gate.pipeline.infer(
        CALLER, infer_call("Letter for Maria", context=context(subject_ref="MRN-778")), key()
    )
    for entry in await gate.ledger.stream_entries(TENANT, outcome.inference_id):
        for secret in (b"Maria", b"secretdrug", b"SECRET", b"MRN-778", b"HOLD"):
            assert secret not in entry.data


async def test_the_model_sees_placeholders_and_the_caller_the_name(gate: Gate) -> None:
    gate.provider.text = "Dear [NAME_1], come on Tuesday."
    outcome = await gate.pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert gate.provider.seen[0].prompt == "Letter for [NAME_1]"
    assert outcome.output == "Dear Maria, come on Tuesday."


async def test_an_input_block_reaches_no_model(gate: Gate) -> None:
    outcome = await gate.pipeline.infer(CALLER, infer_call("BLOCK-INPUT"), key())
    assert outcome.state is State.BLOCKED
    assert gate.provider.seen == []
    assert await gate.types(outcome.inference_id) == ["inference.requested", "inference.blocked"]


async def test_an_input_finding_that_holds_holds_the_output_too(gate: Gate) -> None:
    outcome = await gate.pipeline.infer(CALLER, infer_call("SUSPECT something"), key())
    assert outcome.state is State.HELD
    assert outcome.result is not None
    assert [f.code.value for f in outcome.result.findings] == ["phi"]


async def test_without_deidentification_nothing_is_sent(gate: Gate) -> None:
    gate.checker.phi_down = True
    with pytest.raises(Unavailable) as caught:
        await gate.pipeline.infer(CALLER, infer_call(), key())
    assert caught.value.reason == "INPUT_CHECKS_UNAVAILABLE"
    assert gate.provider.seen == []
    assert await gate.types(caught.value.metadata["inference_id"]) == [
        "inference.requested",
        "inference.failed",
    ]


@pytest.mark.parametrize(
    "reason",
    ["PROVIDER_UNAVAILABLE", "PROVIDER_REFUSED", "PROVIDER_BAD_REPLY", "PROVIDER_UNKNOWN_MODEL"],
)
async def test_a_failed_provider_leaves_a_closing_entry_and_the_same_answer(gate: Gate, reason: str) -> None:
    def fail() -> None:
        raise ProviderError(reason)

    gate.provider.before = fail
    for _attempt in range(2):
        with pytest.raises(AttendingError) as caught:
            await gate.pipeline.infer(CALLER, infer_call(), key())
        assert caught.value.reason == reason
    assert len(gate.provider.seen) == 1
    inference_id = caught.value.metadata["inference_id"]
    assert await gate.types(inference_id) == ["inference.requested", "inference.failed"]


async def test_a_provider_that_raises_anything_is_a_bad_reply(gate: Gate) -> None:
    def fail() -> None:
        raise RuntimeError("prompt text in here")

    gate.provider.before = fail
    with pytest.raises(FailedPrecondition) as caught:
        await gate.pipeline.infer(CALLER, infer_call(), key())
    assert caught.value.reason == "PROVIDER_BAD_REPLY"
    assert "prompt text" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "   \n", "a\x00b", "x" * 65_537])
async def test_a_lying_provider_releases_nothing(gate: Gate, text: str) -> None:
    gate.provider.text = text
    with pytest.raises(FailedPrecondition):
        await gate.pipeline.infer(CALLER, infer_call(), key())


async def test_a_late_reply_is_recorded_and_never_released(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.5
    with pytest.raises(Unavailable) as caught:
        await gate.pipeline.infer(CALLER, infer_call(provider_timeout_seconds=0.1), key())
    assert caught.value.reason == "PROVIDER_TIMEOUT"
    await gate.pipeline.drain()
    inference_id = caught.value.metadata["inference_id"]
    assert await gate.types(inference_id) == ["inference.requested", "inference.failed", "inference.late"]
    outcome = await gate.pipeline.get(TENANT, inference_id)
    assert outcome.state is State.FAILED
    assert outcome.output is None


async def test_one_key_runs_once_however_many_ask(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.1
    outcomes = await asyncio.gather(*(gate.pipeline.infer(CALLER, infer_call(), key()) for _ in range(20)))
    assert len({outcome.inference_id for outcome in outcomes}) == 1
    assert len(gate.provider.seen) == 1
    again = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert again.inference_id == outcomes[0].inference_id
    assert again.output == outcomes[0].output
    assert len(gate.provider.seen) == 1


async def test_the_same_key_with_another_body_is_refused_while_running_and_after(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.2
    first = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key(body="one")))
    await asyncio.sleep(0.05)
    for _when in ("running", "finished"):
        with pytest.raises(AlreadyExists) as caught:
            await gate.pipeline.infer(CALLER, infer_call(), key(body="two"))
        assert caught.value.reason == "IDEMPOTENCY_KEY_REUSED"
        await first
    assert len(gate.provider.seen) == 1


async def test_a_client_that_goes_away_changes_nothing_in_the_record(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.2
    call = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key()))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await gate.pipeline.drain()
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert outcome.state is State.RELEASED
    assert len(gate.provider.seen) == 1


async def test_checks_that_cannot_run_hold(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attending.server.inference.judgement.CHECK_RETRY_SECONDS", (0.0,))

    def fail() -> None:
        raise RuntimeError("pool is gone")

    gate.checker.fail_output = fail
    gate.provider.text = "Dear [NAME_1], come on Tuesday."
    outcome = await gate.pipeline.infer(CALLER, infer_call("Letter for Maria"), key())
    assert outcome.state is State.HELD
    assert outcome.result is not None
    assert [f.code.value for f in outcome.result.findings] == ["rail_failure"]
    generated = (await gate.ledger.stream_entries(TENANT, outcome.inference_id))[1]
    text = await gate.ledger.open_payload(TENANT, generated.body["text_record"])
    assert text == b"Dear Maria, come on Tuesday."


async def test_the_record_says_what_each_rail_did_and_the_operator_hears_of_a_failed_one(gate: Gate) -> None:
    gate.checker.input_failures = (
        RailRun("topic check $model=m", "timed_out", 900.0, "nemoguardrails-1", error_type="X"),
    )
    with capture_logs() as lines:
        outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    requested, generated, *_rest = await gate.ledger.stream_entries(TENANT, outcome.inference_id)
    assert requested.body["rails"][0] == {
        "name": "phi input",
        "status": "passed",
        "decision": "allow",
        "version": "attending+1",
        "elapsed_us": 1500,
        "transforms": [],
    }
    assert [rail["decision"] for rail in generated.body["rails"]] == ["block"]
    assert outcome.result is not None
    assert [(run.name, run.elapsed_ms, run.version) for run in outcome.result.rails] == [
        ("phi input", 1.5, "attending+1"),
        ("topic check $model=m", 900.0, "nemoguardrails-1"),
        ("clinical checks", 2.25, "attending+1"),
    ]
    told = [line for line in lines if line["event"] == "rail.failed"]
    assert [(line["rail"], line["status"], line["inference_id"]) for line in told] == [
        ("topic_check_model=m", "timed_out", outcome.inference_id)
    ]
    kept = only_listed(None, "", {key: value for key, value in told[0].items() if key != "log_level"})
    assert "dropped" not in kept
    assert "(hidden)" not in kept.values()


def test_a_result_written_before_rails_were_kept_is_read() -> None:
    earlier = (
        b'{"format":"attending-result/1","verdict":"hold","mandatory_review":true,"disposition":"hold",'
        b'"findings":[],"coverage":{"judged":1,"of":2,"not_covered":[]}}'
    )
    assert Result.from_bytes(earlier).rails == ()


async def test_a_finished_key_is_answered_whatever_is_configured_since(gate: Gate) -> None:
    first = await gate.pipeline.infer(CALLER, infer_call(), key())
    gate.pipeline._models._providers = {}
    again = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert again.inference_id == first.inference_id


async def test_a_store_that_fails_at_the_verdict_releases_nothing_and_recovery_closes(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.server.inference.trail.CLOSING_RETRY_SECONDS", (0.0,))
    real = gate.ledger.append

    async def failing(log_id: str, entries: object, **options: object) -> object:
        if any(entry.type != "inference.requested" for entry in entries):  # type: ignore[attr-defined]
            raise StoreUnavailable()
        return await real(log_id, entries, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(gate.ledger, "append", failing)
    with pytest.raises(StoreUnavailable):
        await gate.pipeline.infer(CALLER, infer_call(), key())
    # This process stops before the store is back.
    await gate.pipeline.drain()
    monkeypatch.undo()
    claim = await gate.ledger.find_claim(TENANT, key().key)
    assert claim is not None
    assert (await gate.pipeline.get(TENANT, claim.stream)).state is State.RECEIVED
    # The next server process finds it open and abandons it; a retry of the key learns that.
    assert await abandon_orphans(gate.ledger, [TENANT], Owners(gate.ledger, "srv-next"), gate.clock) == 1
    assert await abandon_orphans(gate.ledger, [TENANT], Owners(gate.ledger, "srv-next"), gate.clock) == 0
    pipeline, _prompts = make_pipeline(
        gate.ledger, gate.checker, gate.provider, gate.policies, gate.changes, gate.clock, owner="srv-next"
    )
    again = await pipeline.infer(CALLER, infer_call(), key())
    assert again.state is State.ABANDONED
    assert again.output is None


async def test_a_store_that_comes_back_gets_the_closing_entry_without_a_restart(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.server.inference.trail.CLOSING_RETRY_SECONDS", (0.0,))
    monkeypatch.setattr("attending.server.inference.trail.ABANDON_RETRY_SECONDS", (0.01,))
    real = gate.ledger.append
    refused: list[str] = []

    async def failing(log_id: str, entries: object, **options: object) -> object:
        kinds = [entry.type for entry in entries]  # type: ignore[attr-defined]
        if kinds != ["inference.requested"] and len(refused) < 4:
            refused.append(kinds[-1])
            raise StoreUnavailable()
        return await real(log_id, entries, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(gate.ledger, "append", failing)
    with pytest.raises(StoreUnavailable):
        await gate.pipeline.infer(CALLER, infer_call(), key())
    claim = await gate.ledger.find_claim(TENANT, key().key)
    assert claim is not None
    async with asyncio.timeout(10):
        while (await gate.pipeline.get(TENANT, claim.stream)).state is State.RECEIVED:
            await asyncio.sleep(0.01)
    assert len(refused) == 4
    assert await gate.types(claim.stream) == ["inference.requested", "inference.abandoned"]
    again = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert (again.state, again.output, again.reason) == (State.ABANDONED, None, "EVIDENCE_NOT_DURABLE")


async def test_a_fault_of_our_own_after_the_intent_closes_it(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> object:
        raise RuntimeError("a defect")

    monkeypatch.setattr("attending.server.inference.pipeline.price", broken)
    with pytest.raises(RuntimeError):
        await gate.pipeline.infer(CALLER, infer_call(), key())
    await gate.pipeline.drain()
    again = await gate.pipeline.infer(CALLER, infer_call(), key())
    assert (again.state, again.output, again.reason) == (State.ABANDONED, None, "SERVER_FAULT")


async def test_recovery_leaves_the_running_owner_alone(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.3
    call = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key()))
    await asyncio.sleep(0.1)
    assert await abandon_orphans(gate.ledger, [TENANT], Owners(gate.ledger, "srv-test"), gate.clock) == 0
    assert (await call).state is State.RELEASED


async def test_a_text_whose_call_was_abandoned_meanwhile_goes_on_record_unreleased(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.3
    call = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key()))
    await asyncio.sleep(0.1)
    assert await abandon_orphans(gate.ledger, [TENANT], Owners(gate.ledger, "srv-other"), gate.clock) == 1
    outcome = await call
    assert outcome.state is State.ABANDONED
    assert outcome.output is None
    assert await gate.types(outcome.inference_id) == [
        "inference.requested",
        "inference.abandoned",
        "inference.late",
    ]


async def test_record_is_the_same_gate_with_the_callers_usage_priced(gate: Gate) -> None:
    outcome = await gate.pipeline.record(CALLER, record_call("A plain letter."), key())
    assert outcome.state is State.RELEASED
    assert outcome.cost_micros is not None
    assert outcome.cost_micros > 0
    held = await gate.pipeline.record(CALLER, record_call("HOLD it"), key("k2"))
    assert held.state is State.HELD
    assert gate.provider.seen == []


async def test_unknown_policy_provider_and_missing_tags_are_named(gate: Gate) -> None:
    for call, at in (
        (infer_call(policy="no-such-policy"), "context.policy"),
        (infer_call(provider="other"), "model.provider"),
        (infer_call(context=replace(context(), tags=())), "context.tags"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await gate.pipeline.infer(CALLER, call, key())
        assert caught.value.field_violations[0][0] == at
    assert (await gate.ledger.head(TENANT))[0] == 0


async def test_another_tenant_cannot_tell_an_inference_from_none(gate: Gate) -> None:
    await gate.ledger.create_log("other", "test.example/other")
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    for inference_id in (outcome.inference_id, "inf_unknown"):
        with pytest.raises(NotFound) as caught:
            await gate.pipeline.get("other", inference_id)
        assert caught.value.reason == "UNKNOWN_INFERENCE"


async def test_delivery_only_after_release_and_once(gate: Gate) -> None:
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key())
    first = await gate.pipeline.acknowledge(CALLER, outcome.inference_id, "patient", "portal", key("d"))
    again = await gate.pipeline.acknowledge(CALLER, outcome.inference_id, "patient", "portal", key("d"))
    assert first == again
    gate.provider.text = "HOLD it"
    held = await gate.pipeline.infer(CALLER, infer_call(), key("k2"))
    with pytest.raises(FailedPrecondition) as caught:
        await gate.pipeline.acknowledge(CALLER, held.inference_id, "patient", "portal", key("d2"))
    assert caught.value.reason == "NOT_RELEASED"


async def test_an_erased_subject_answers_so_for_its_old_inference(gate: Gate) -> None:
    from attending.ledger.errors import SubjectErased

    call = infer_call(context=context(subject_ref="MRN-1"))
    outcome = await gate.pipeline.infer(CALLER, call, key())
    pseudonym = await gate.ledger.pseudonym(TENANT, "MRN-1")
    await gate.ledger.erase_subject(TENANT, pseudonym)
    for again in (gate.pipeline.get(TENANT, outcome.inference_id), gate.pipeline.infer(CALLER, call, key())):
        with pytest.raises(SubjectErased):
            await again
