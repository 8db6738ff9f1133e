"""Plain instructions and lengths of time of an output against its documents, clause by clause."""

from __future__ import annotations

import pytest
from attending.guardrails.checks.claims import mismatches
from attending.guardrails.patient import Document

HIP = "After your hip operation wear the stockings for 6 weeks. Do not cross your legs. Avoid driving for 6 weeks."
EYE = "Use the shield at night for 7 days. Do not rub the eye. You may shower with the eye closed."


def kinds(output: str, *documents: str) -> list[tuple[str, str]]:
    found = mismatches(output, [Document(f"d{i}", text) for i, text in enumerate(documents)])
    return [(m.kind, output[m.span.start : m.span.end].strip()) for m in found]


@pytest.mark.parametrize(
    ("output", "document", "kind"),
    [
        ("Please wear the stockings for 2 weeks.", HIP, "length"),
        (
            "You can cross your legs when sitting is fine, and you can drive straight away.",
            HIP,
            "instruction",
        ),
        ("Wear the shield at night for 3 weeks.", EYE, "length"),
        ("It is fine to rub the eye.", EYE, "instruction"),
        ("Do not shower with the eye closed.", EYE, "instruction"),
        (
            "Finish the cream and you should bear weight on the foot.",
            "Do not bear weight on the foot.",
            "instruction",
        ),
        ("Keep the splint on for ten days.", "Keep the splint on for 4 weeks.", "length"),
    ],
)
def test_a_turned_instruction_or_another_length_is_found(output: str, document: str, kind: str) -> None:
    assert kind in [found for found, _ in kinds(output, document)]


@pytest.mark.parametrize(
    ("output", "documents"),
    [
        ("Wear the stockings for six weeks and do not cross your legs.", (HIP,)),
        ("You can drive after 6 weeks.", (HIP,)),
        ("You can drive once your surgeon agrees.", (HIP,)),
        ("Wear the stockings for 2 weeks.", (HIP, "Day surgery: stockings for 2 weeks.")),
        ("Use the shield for one week.", (EYE,)),
        ("Return to work in 3 weeks.", ("Most people return to work in 2 to 4 weeks.",)),
        ("Call us about shortness of breath or leg swelling.", ("No shortness of breath. No leg swelling.",)),
        ("Drink plenty of water.", ("Do not drink alcohol.",)),
        ("Physiotherapy starts in 5 days.", (HIP,)),
    ],
)
def test_agreement_conditions_and_other_subjects_are_none(output: str, documents: tuple[str, ...]) -> None:
    assert kinds(output, *documents) == []


def test_two_claims_of_one_sentence_are_told_apart() -> None:
    found = kinds("The letter says to wear the stockings for 2 weeks and that you can drive now.", HIP)
    assert [kind for kind, _ in found] == ["length", "instruction"]
