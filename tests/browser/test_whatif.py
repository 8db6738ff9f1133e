"""A safety officer tries a version over what is on record, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.browser.conftest import Held, Open
from tests.browser.looks import PHONE, found, shot

pytestmark = pytest.mark.browser

OFFICER = "demo-safety-officer"
POLICY = "discharge-plan"
OVER = 120_000


def test_a_draft_is_mended_tried_and_read(desk: Open, held: Callable[..., Held]) -> None:
    items = [held("discharge-clarithromycin"), held()]
    with desk(OFFICER) as window:
        page = window.page
        page.goto(f"{window.url}/policies/{POLICY}")
        page.click("text=What if: try a version")
        page.wait_for_selector("#try")
        page.wait_for_load_state()
        shot(page, "whatif")
        assert found(page) == []
        page.check("input[value=draft]")
        draft = page.input_value("#policy-yaml")
        assert f"name: {POLICY}" in draft
        # Unknown keys and a bomb are told by line, and nothing runs.
        page.fill("#policy-yaml", draft + "\nswitch_off: everything\n")
        page.keyboard.press("Tab")
        page.click("#try button.primary")
        page.wait_for_selector("#problems:not([hidden])")
        shot(page, "whatif-faults")
        assert found(page) == []
        assert f"line {len(draft.splitlines()) + 2} switch_off" in page.inner_text("#problems li")
        page.fill("#policy-yaml", "a: &a [x]\nname: *a\n")
        page.click("#try button.primary")
        page.wait_for_selector("#problems li:has-text('line 2')")
        assert "Nothing was tried" in page.inner_text("#run")
        # What two drugs do to each other would be blocked.
        assert draft.count("\nverdicts:\n") == 1
        row = "  - {code: interaction, decision: block, because: tried}\n"
        text = draft.replace("\nverdicts:\n", f"\nverdicts:\n{row}")
        page.set_input_files(
            "#file", {"name": "policy.yaml", "mimeType": "text/yaml", "buffer": text.encode()}
        )
        page.fill("#minutes", "6")
        page.wait_for_function(
            "() => document.getElementById('policy-yaml').value.includes('because: tried')"
        )
        page.click("#try button.primary")
        page.wait_for_selector("#cancel")
        shot(page, "whatif-runs")
        page.wait_for_selector("h2:has-text('What would change')", timeout=OVER)
        shot(page, "whatif-done")
        assert found(page) == []
        assert "Interaction" in page.inner_text("#codes")
        examples = page.inner_text("#examples")
        assert "Held, now blocked" in examples
        shown = re.findall(r"\b[0-9a-f]{8}\b", examples)
        # Of a ward in which other tests held more, the first ten.
        assert items[0].inference[4:12] in shown or len(shown) >= 10
        # Its text is behind the page of its item, where a look is on record.
        assert "clarithromycin" not in page.inner_text("#run").lower()
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        shot(page, "whatif-phone")
        assert found(page) == []
        page.set_viewport_size({"width": 1440, "height": 900})
        # One that runs is ended from the keyboard.
        page.check("input[value=folder]")
        page.focus("#try button.primary")
        page.keyboard.press("Enter")
        page.wait_for_selector("#cancel")
        page.focus("#cancel")
        page.keyboard.press("Enter")
        page.wait_for_selector("h2:has-text('Ended before it was through')")


def test_a_clinician_tries_nothing(desk: Open) -> None:
    with desk("dr-rivera") as window:
        window.page.goto(f"{window.url}/policies/{POLICY}/what-if")
        assert "Your role does not allow this" in window.page.inner_text("main")


def test_what_a_mode_released_is_a_page_for_officers(desk: Open) -> None:
    with desk(OFFICER) as window:
        page = window.page
        page.goto(f"{window.url}/policies/{POLICY}")
        page.click("text=What was released in a mode that does not enforce")
        page.wait_for_selector("h1:has-text('Not enforced')")
        shot(page, "standby")
        assert found(page) == []
        assert "Would have been held" in page.inner_text("dl.figures")
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    with desk("dr-rivera") as window:
        window.page.goto(f"{window.url}/policies/{POLICY}/standby")
        assert "Your role does not allow this" in window.page.inner_text("main")
