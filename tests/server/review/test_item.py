"""What an accepted risk covers in an edited text, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.guard import rail_failure
from attending.server.review.item import Item, unresolved

from tests.server.inference.conftest import finding

DOSE = replace(
    finding(Code.DOSE_MAX_DAILY, Severity.MAJOR),
    text="1500 mg",
    message="acetaminophen 4500 mg a day is above 4000 mg a day",
    drugs=("acetaminophen",),
)


def item(**disposed: str) -> Item:
    return Item(
        ticket_id="t",
        inference_id="i",
        subject=None,
        policy="discharge-plan",
        state="held",
        worst_severity="major",
        severity_rank=3,
        urgency="routine",
        priority="2026-11-23T13:00:00.000000Z",
        to_dispose=tuple(range(len(disposed))),
        disposed={int(name.removeprefix("n")): value for name, value in disposed.items()},
        sign_off_roles=("clinician",),
        sign_off_count=1,
        author_may_sign=True,
        signed_by=(),
        held_at="",
        due_at="",
        expires_at="",
        claimed_by=None,
        lease_id=None,
        lease_expires_at=None,
    )


def stands(original: Finding, edited: Finding, disposition: str = "accepted_risk") -> bool:
    return unresolved(item(n0=disposition), (original,), (edited,), ["hold"]) == (0,)


def test_the_same_problem_elsewhere_in_the_text_stays_accepted() -> None:
    assert not stands(DOSE, replace(DOSE, start=90, end=97))
    assert not stands(DOSE, replace(DOSE, severity=Severity.MODERATE))
    assert stands(DOSE, DOSE, "fixed")


@pytest.mark.parametrize(
    "edited",
    [
        replace(DOSE, text="15000 mg", message="acetaminophen 45000 mg a day is above 4000 mg a day"),
        replace(DOSE, message="acetaminophen 9000 mg a day is above 4000 mg a day"),
        replace(DOSE, severity=Severity.CONTRAINDICATED),
        replace(DOSE, drugs=("ibuprofen",)),
    ],
)
def test_an_accepted_risk_does_not_cover_another_figure_a_worse_severity_or_another_drug(
    edited: Finding,
) -> None:
    assert stands(DOSE, edited)


def test_one_of_two_alike_accepted_does_not_pass_the_one_to_be_fixed() -> None:
    tenfold = replace(DOSE, text="15000 mg", message="acetaminophen 45000 mg a day is above 4000 mg a day")
    both = item(n0="fixed", n1="accepted_risk")
    assert unresolved(both, (tenfold, DOSE), (tenfold, DOSE), ["hold", "hold"]) == (0,)


def test_one_rail_that_could_not_judge_does_not_stand_for_another() -> None:
    assert not stands(rail_failure("phi output", "timed_out"), rail_failure("phi output", "timed_out"))
    assert stands(rail_failure("phi output", "timed_out"), rail_failure("clinical checks", "timed_out"))


def test_a_block_is_never_accepted() -> None:
    assert unresolved(item(n0="accepted_risk"), (DOSE,), (DOSE,), ["block"]) == (0,)


def test_a_figure_changed_in_a_passage_that_is_not_about_figures_stays_accepted() -> None:
    advice = replace(finding(Code.CLINICAL_RECOMMENDATION, Severity.MODERATE), text="take metformin 500 mg")
    assert not stands(advice, replace(advice, text="take metformin 850 mg", message="advice, and 2 more"))
