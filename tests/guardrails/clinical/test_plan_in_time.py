"""When a text has its drugs taken: read from the words around each name."""

from __future__ import annotations

import pytest
from attending.guardrails.checks.case import lexicon_of
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.plan_in_time import Plan, plan_in_time
from attending.guardrails.knowledge import Knowledge


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


def _plan(text: str, knowledge: Knowledge) -> Plan:
    parsed = parse(text, lexicon_of(knowledge))
    return plan_in_time(parsed.text, parsed.statements)


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("The amitriptyline 25 mg at night was tapered and is off since the 6th.", {"amitriptyline"}),
        ("He had been on rivaroxaban 20 mg. It was stopped on Monday.", {"rivaroxaban"}),
        ("Rivaroxaban 10 mg was given in hospital for five days and has now ended.", {"rivaroxaban"}),
        ("Rivaroxaban 20 mg was stopped on Monday and resumed on Friday.", set()),
        ("Sildenafil ended in 2019, then was taken again.", set()),
        ("Ibuprofen starts once ketorolac has ended.", set()),
    ],
)
def test_what_is_over(text: str, over: set[str], knowledge: Knowledge) -> None:
    assert _plan(text, knowledge).over == over


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("Aspirin stops on the day apixaban starts.", True),
        ("Enoxaparin 40 mg daily until apixaban starts.", True),
        ("Ibuprofen 400 mg: start only after ketorolac has ended.", True),
        ("Meloxicam 7.5 mg: not before the apixaban is finished.", True),
        ("Ibuprofen 400 mg: start after the second ketorolac dose.", False),
        ("Aspirin 81 mg and apixaban 5 mg start today.", False),
    ],
)
def test_which_take_turns(text: str, turns: bool, knowledge: Knowledge) -> None:
    assert bool(_plan(text, knowledge).turns) is turns


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("Heparin 5,000 units SC q12h to be considered at 48 h once the CT is stable.", True),
        ("Apixaban: held since admission. It should restart on the 10th at 5 mg twice daily.", True),
        ("Apixaban 5 mg twice daily: restart tonight.", False),
        ("Start enoxaparin 40 mg SC daily tomorrow morning.", False),
    ],
)
def test_what_waits_for_a_state_to_pass(text: str, waits: bool, knowledge: Knowledge) -> None:
    assert bool(_plan(text, knowledge).resolved) is waits
