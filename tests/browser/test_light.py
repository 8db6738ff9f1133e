"""The opinion of a second model, shown beside the text as a light: in words, not by a colour alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Held, Open
from tests.browser.looks import DESK, PHONE, faults, found

pytestmark = pytest.mark.browser

Make = Callable[..., Held]
TEXT = "Take amoxicillin 500 mg three times a day for seven days. Come back on Monday if the fever stays."
DOCUMENTS = ("Pneumonia in adults: amoxicillin 500 mg three times a day for seven days.",)
SAYS = {
    "agrees": ("calm", "A second model finds every sentence in the documents."),
    "disagrees": ("alert", "A second model disagrees: it does not find every sentence in the documents."),
    "silent": ("quiet", "A second model was asked and gave no opinion."),
}


@pytest.mark.parametrize("answer", SAYS)
def test_the_second_model_s_opinion_is_a_light_with_words(desk: Open, held: Make, answer: str) -> None:
    item = held(policy=f"second-model-{answer}", output=TEXT, documents=DOCUMENTS)
    with desk("dr-rivera") as window:
        page = window.item(item.ticket)
        light = page.locator(".light")
        shown, says = SAYS[answer]
        assert light.inner_text().strip() == says
        assert shown in str(light.get_attribute("class")).split()
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            assert light.is_visible()
            assert found(page) == []
            assert faults(page) == []
        # A disagreement is a finding besides, at the sentence that is meant; an agreement or a silence is none.
        disputed = page.locator(".finding", has_text="does not find this in the documents")
        assert disputed.count() == (answer == "disagrees")
        if disputed.count():
            assert "Come back on Monday" in disputed.inner_text()


def test_no_second_model_no_light(desk: Open, held: Make) -> None:
    item = held(output=TEXT, documents=DOCUMENTS)
    with desk("dr-rivera") as window:
        assert window.item(item.ticket).locator(".light").count() == 0
