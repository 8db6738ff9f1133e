"""WCAG 2.2 AA on every page, light, dark and at the size of a phone: axe-core finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DESK, PHONE, Held, Open, give_reason

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("server")]

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def found(page: Page) -> list[tuple[str, list[str]]]:
    """(rule, places) of what axe-core objects to on the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    report: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        (one["id"], [str(node["target"]) + " " + node["failureSummary"] for node in one["nodes"]])
        for one in report["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_no_page_has_a_violation(
    desk: Open, held: Callable[..., Held], scheme: str, viewport: dict[str, int]
) -> None:
    item, plain, urgent = held("discharge-clarithromycin"), held(), held(policy="emergency-order")
    with desk("dr-rivera", color_scheme=scheme, viewport=viewport) as window:
        page = window.page

        def dialog(name: str) -> Any:
            return page.evaluate("name => document.getElementById(name).showModal()", name)

        looks: dict[str, Callable[[], Any]] = {
            "queue": lambda: page.goto(window.url),
            "account": lambda: page.goto(f"{window.url}/account"),
            "error": lambda: page.goto(f"{window.url}/items/none"),
            "item": lambda: window.item(item.ticket),
            "claimed": lambda: window.claimed(item.ticket),
            "folds": lambda: page.evaluate(
                "document.querySelectorAll('details').forEach(d => d.open = true)"
            ),
            "decided": lambda: page.click(".finding [data-made=fixed]"),
            "editing": lambda: (
                page.fill("#editor", page.input_value("#editor") + " Clarithromycin 5 g daily."),
                page.wait_for_selector("#check.alert"),
            ),
            "changes": lambda: page.click('[data-view="diff"]'),
            "rejecting": lambda: page.click("#reject"),
            "handing over": lambda: (page.keyboard.press("Escape"), dialog("reassign-dialog")),
            "passing on": lambda: (page.keyboard.press("Escape"), dialog("escalate-dialog")),
            "released": lambda: (
                window.claimed(plain.ticket).click("#sign"),
                page.wait_for_selector("#pace-dialog[open]"),
            ),
            "signed": lambda: (give_reason(page), page.wait_for_selector(".state.released")),
            "taking back": lambda: dialog("recall-dialog"),
            "taken back": lambda: (
                page.check('#recall-dialog input[value="wrong"]'),
                page.click('#recall-dialog button[value="do"]'),
                page.wait_for_selector(".state.withdrawn"),
            ),
            "recalls": lambda: (page.goto(f"{window.url}/recalls"), page.click("details.fold summary")),
            "break-glass": lambda: (window.item(urgent.ticket), dialog("glass-dialog")),
            "broken": lambda: (
                page.check('#glass-dialog input[value="cover"]'),
                page.fill("#glass-note", "Fictional."),
                page.click('#glass-dialog button[value="do"]'),
                page.wait_for_selector(".state.released"),
            ),
            "exceptions": lambda: page.goto(f"{window.url}/break-glass"),
            "keys": lambda: page.evaluate("document.getElementById('keys').showModal()"),
            "passkey": lambda: page.goto(f"{window.url}/passkey"),
            "sign-in": lambda: page.goto(f"{window.url}/sign-in"),
        }
        wrong = {}
        for name, look in looks.items():
            look()
            if violations := found(page):
                wrong[name] = violations
        assert wrong == {}, repr(wrong)
