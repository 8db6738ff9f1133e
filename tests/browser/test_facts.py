"""What was not given of a patient is filled in on the item page, and what it changed is seen there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Held, Open
from tests.browser.looks import DESK, PHONE, found
from tests.browser.test_actions import post

pytestmark = pytest.mark.browser

Make = Callable[..., Held]
METFORMIN = (
    "Take metformin 1000 mg by mouth twice a day, warfarin 5 mg daily and ibuprofen 400 mg three times a day."
)
SEND = '#facts-dialog button[value="do"]'


def opened(page: Page) -> Page:
    page.keyboard.press("f")
    page.wait_for_selector("#facts-dialog[open]")
    return page


def sent(page: Page) -> None:
    with page.expect_navigation():
        page.click(SEND)
    page.wait_for_selector("#changed")


def test_a_fact_changes_the_findings_and_the_page_marks_them(
    desk: Open, held: Make, entries: Callable[[Held], list[dict[str, Any]]]
) -> None:
    item = held(output=METFORMIN)
    with desk("dr-rivera") as window:
        page = window.claimed(item.ticket)
        assert "kidney function" in page.inner_text(".missing")
        assert page.locator(".finding:has-text('Kidney function')").count() == 0
        opened(page)
        assert page.evaluate("document.activeElement.id") == "fact-age"
        page.fill("#fact-egfr", "25")
        page.fill("#fact-weight_kg", "82,5")
        page.fill("#fact-allergies", "penicillin (rash)")
        sent(page)
        # What changed has the focus, so that a reader's next word is about it.
        page.wait_for_function("() => document.activeElement.id === 'changed'")
        assert "Judged again with what Dr Rivera (demo) added" in page.inner_text("#changed")
        new = page.locator(".finding:has(.tag.new)")
        assert "Kidney function" in new.first.inner_text()
        banner = page.inner_text(".banner")
        assert "eGFR 25 mL/min/1.73m²" in " ".join(banner.split())
        assert "Added by Dr Rivera (demo)" in banner
        assert "weight" not in page.locator(".missing", has_text="Not given").inner_text()
        # A second addition: what it takes away is told as well.
        opened(page)
        assert "known: 82.5 kg" in page.inner_text("#facts-dialog")
        page.fill("#fact-egfr", "90")
        sent(page)
        assert page.locator(".gone li", has_text="Kidney function").count() == 2
        assert page.locator(".finding .tag.new").count() == 0
    added = [one for one in entries(item) if one["type"] == "review.facts_added"]
    assert [one["body"]["facts"] for one in added] == [["allergies", "egfr", "weight_kg"], ["egfr"]]
    assert "penicillin" not in repr(entries(item))


def test_what_is_out_of_bounds_or_unclear_is_told_beside_its_field(desk: Open, held: Make) -> None:
    item = held(output=METFORMIN)
    with desk("dr-rivera") as window:
        page = opened(window.claimed(item.ticket))
        page.click(SEND)
        page.wait_for_selector("#facts-dialog .refused:has-text('Nothing is filled in yet')")
        page.fill("#fact-height_cm", "1,75")
        page.fill("#fact-weight_kg", "1,234")
        page.fill("#fact-creatinine", "90")
        page.fill("#fact-gestational_weeks", "12")
        page.fill("#fact-allergies", "latex")
        page.check("[name=allergies_none]")
        page.fill("#fact-labs", "potassium is fine")
        page.click(SEND)
        page.wait_for_selector("#fact-height_cm-wrong:not([hidden])")
        told = {
            name: page.inner_text(f"#fact-{name}-wrong")
            for name in ("height_cm", "weight_kg", "creatinine", "pregnant", "allergies", "labs")
        }
        assert told == {
            "height_cm": "Height must be a number from 20 to 280 cm.",
            "weight_kg": "Weight must be a number from 0.2 to 700 kg.",
            "creatinine": "Creatinine needs its unit.",
            "pregnant": "Pregnant must be yes where weeks are given.",
            "allergies": "Allergies says that none are known, and names some.",
            "labs": "Other results needs on each line a name, a number and a unit, such as: potassium 5.4 mmol/L.",
        }
        assert page.get_attribute("#fact-height_cm", "aria-invalid") == "true"
        assert page.evaluate("document.activeElement.id") == "fact-weight_kg"
        # Nothing that was written is lost, and the right ones are taken.
        page.fill("#fact-height_cm", "175")
        page.fill("#fact-weight_kg", "82.5")
        page.select_option("#fact-creatinine-unit", "µmol/L")
        page.select_option("#fact-pregnant", "yes")
        page.uncheck("[name=allergies_none]")
        page.fill("#fact-labs", "potassium 5,4 mmol/L\nHbA1c 8.1 %")
        sent(page)
        added = page.locator(".missing", has_text="Added by").inner_text()
        for words in (
            "height 175 cm",
            "latex",
            "creatinine 90 µmol/L",
            "potassium 5.4 mmol/L",
            "HbA1c 8.1 %",
        ):
            assert words in added, added


def test_facts_of_another_window_are_told_and_no_decision_meets_another_finding(
    desk: Open, held: Make, entries: Callable[[Held], list[dict[str, Any]]]
) -> None:
    item = held(output=METFORMIN)
    with desk("dr-rivera") as one, desk("dr-rivera") as two:
        stale = one.claimed(item.ticket)
        page = opened(two.item(item.ticket))
        page.fill("#fact-egfr", "25")
        sent(page)
        stale.wait_for_selector("#toast:has-text('Facts were added in another window')")
        before = len(entries(item))
        stale.locator(".finding .decide button").first.click()
        stale.wait_for_selector("#toast:has-text('Somebody changed this item')")
        # Nor is a statement made over findings that the page does not show.
        lease = stale.get_attribute("#item", "data-lease")
        refusal = {"reason_code": "wrong"}
        path = f"/items/{item.ticket}/prepare"
        stated = {"lease": lease, "shown": METFORMIN, "rejection": refusal}
        assert post(one, path, **stated, judged=stale.get_attribute("#item", "data-judged")) == "ITEM_CHANGED"
        assert post(one, path, **stated, judged="") == "FINDINGS_UNSEEN"
        assert [one for one in entries(item)[before:] if one["type"].startswith("review.")] == []


def test_an_edit_outlives_the_facts_and_the_end_of_the_session(desk: Open, held: Make) -> None:
    item = held(output=METFORMIN)
    with desk("dr-rivera") as window:
        page = window.claimed(item.ticket)
        page.click('[data-view="edit"]')
        page.fill("#editor", METFORMIN + " Drink enough water.")
        page.wait_for_timeout(600)
        assert page.evaluate("sessionStorage.length") == 1
        # Sealed: who opens the browser's store reads nothing.
        assert "water" not in page.evaluate("JSON.stringify(sessionStorage)")
        page.evaluate("document.activeElement.blur()")
        opened(page)
        page.fill("#fact-egfr", "25")
        sent(page)
        page.wait_for_selector("#toast:has-text('is back')")
        assert page.input_value("#editor").endswith("water.")
        # The session ends under the one who writes.
        opened(page)
        page.fill("#fact-conditions", "asthma")
        page.wait_for_timeout(400)
        page.context.clear_cookies()
        page.click(SEND)
        page.wait_for_selector("#passkey")
        page.click("#passkey")
        page.wait_for_selector("#toast:has-text('is back')")
        assert page.input_value("#editor").endswith("water.")
        assert page.input_value("#fact-conditions") == "asthma"
        [(slot, sealed)] = page.evaluate("Object.entries(sessionStorage)")
    # Somebody else, at the same server and with what the tab had in it, is given nothing.
    with desk("dr-chen") as other:
        page = other.item(item.ticket)
        page.evaluate("([slot, sealed]) => sessionStorage.setItem(slot, sealed)", [slot, sealed])
        page.evaluate("document.getElementById('item').dataset.lease = 'lse_as_if'")
        page.evaluate("import('/static/draft.js?again')")
        page.wait_for_timeout(600)
        assert page.input_value("#editor") == METFORMIN
        assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_has_no_violation(desk: Open, held: Make, viewport: Any, scheme: str) -> None:
    item = held(output=METFORMIN)
    with desk("dr-rivera", viewport=viewport, color_scheme=scheme) as window:
        page = opened(window.claimed(item.ticket))
        page.fill("#fact-height_cm", "1.75")
        page.click(SEND)
        page.wait_for_selector("#fact-height_cm-wrong:not([hidden])")
        assert found(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.fill("#fact-height_cm", "")
        page.fill("#fact-egfr", "25")
        sent(page)
        assert found(page) == []
