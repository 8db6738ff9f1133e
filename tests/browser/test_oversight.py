"""The oversight pages in a real browser: who stands out, and that the pages can be read by everybody who may."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.looks import PHONE, found, shot
from tests.e2e.server_process import ServerProcess
from tests.e2e.test_oversight import EACH, held, review

pytestmark = pytest.mark.browser

DIRECTOR = "demo-medical-director"


def test_a_careless_reviewer_is_seen_by_the_medical_director(desk: Open, embedded: ServerProcess) -> None:
    tickets = [held(embedded) for _ in range(2 * EACH)]
    review(embedded, "dr-chen", tickets[:EACH], reads=True)
    review(embedded, "demo-pharmacist", tickets[EACH:], reads=False)
    with desk(DIRECTOR) as window:
        page = window.page
        page.goto(window.url)
        page.wait_for_selector("h1:has-text('Oversight')")
        shot(page, "oversight")
        assert found(page) == []
        page.click('nav a[href="/reviewers"]')
        page.wait_for_selector("#reviewers")
        shot(page, "reviewers")
        assert found(page) == []
        row = page.locator("#reviewers tr", has_text="demo-pharmacist")
        assert "signs sooner than texts can be read" in row.inner_text()
        assert page.locator("#reviewers tr", has_text="dr-chen").count() == 0
        row.locator("a").click()
        page.wait_for_selector("text=I have no time")
        shot(page, "reviewer")
        assert found(page) == []
    with desk(DIRECTOR, viewport=PHONE, color_scheme="dark") as window:
        page = window.page
        page.goto(f"{window.url}/reviewers")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        shot(page, "reviewers-phone")
        assert found(page) == []


def test_an_officer_sees_all_together_and_nobody_alone(desk: Open) -> None:
    with desk("demo-safety-officer") as window:
        page = window.page
        page.goto(f"{window.url}/oversight")
        assert page.locator('nav a[href="/reviewers"]').count() == 0
        page.goto(f"{window.url}/reviewers")
        assert "Your role does not allow this" in page.inner_text("main")
