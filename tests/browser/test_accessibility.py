"""Every page of the console, and every state of it that a reviewer meets: nothing that keeps somebody from using it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest
from attending.server.console.application import application
from starlette.routing import Route

from tests.browser.conftest import Held, Open, give_reason
from tests.browser.looks import faults
from tests.browser.test_second_reads import drawn, opened
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.browser

PAGES: dict[str, str] = {
    "/": "dr-rivera",
    "/account": "dr-rivera",
    "/recalls": "dr-rivera",
    "/break-glass": "dr-rivera",
    "/stop": "dr-rivera",
    "/items/{ticket}": "dr-rivera",
    "/second-reads": "dr-chen",
    "/second-reads/{read}": "dr-chen",
    "/policies": "demo-safety-officer",
    "/policies/{name}": "demo-safety-officer",
    "/policies/{name}/hazards": "demo-safety-officer",
    "/policies/{name}/standby": "demo-safety-officer",
    "/examination": "demo-privacy-officer",
    "/examination/entries/{index}": "demo-privacy-officer",
    "/reports": "demo-auditor",
    "/reports/new": "demo-auditor",
    "/oversight": "demo-medical-director",
    "/reviewers": "demo-medical-director",
    "/reviewers/{name}": "demo-medical-director",
    "/sign-in": "dr-rivera",
    "/sign-in/link": "dr-rivera",
    "/passkey": "dr-rivera",
    "/smart/ended": "dr-rivera",
}
"""Every page, and as whom it is looked at."""
NO_PAGES = {
    "/live": "a stream",
    "/sign-in/oidc/{provider}": "leads to the provider",
    "/sign-in/oidc/{provider}/back": "leads on from the provider",
    "/smart/launch": "leads to the record system",
    "/smart/begin/{system}": "leads to the record system",
    "/smart/back": "leads on from the record system",
    "/smart/jwks.json": "keys",
    "/policies/{name}/what-if": "is looked at in test_whatif, with a draft that is tried",
    "/reports/{report}": "is looked at in test_reports, in each of its states",
    "/worklist": "is looked at in test_worklist, with texts on it",
    "/worklist/{inference}": "is looked at in test_worklist, with texts on it",
    "/smart/patients/{launch}": "is looked at in test_framed, where there is a record system",
}


class _Anything:
    """Stands where the routes are given what they lead to: only their addresses are asked for."""

    def __getattr__(self, name: str) -> _Anything:
        return self

    def __call__(self, *args: object, **more: object) -> Callable[..., None]:
        return lambda _request: None


def test_every_page_of_the_console_is_looked_at() -> None:
    made = {name: _Anything() for name in signature(application).parameters}
    routes = [one for one in application(**made).routes if isinstance(one, Route)]  # type: ignore[arg-type]
    assert {one.path for one in routes if "GET" in (one.methods or ())} == set(PAGES) | set(NO_PAGES)
    assert not set(PAGES) & set(NO_PAGES)


def test_no_page_has_a_fault(desk: Open, held: Callable[..., Held], embedded: ServerProcess) -> None:
    again = drawn(desk, held, embedded)
    with desk("dr-chen") as window:
        read = opened(window, again).url.rpartition("/")[2]
    parts = {"ticket": held("discharge-clarithromycin").ticket, "read": read, "index": "3"}
    wrong = {}
    for who in dict.fromkeys(PAGES.values()):
        with desk(who) as window:
            for route in (one for one, whose in PAGES.items() if whose == who):
                name = "dr-rivera" if route.startswith("/reviewers") else "discharge-plan"
                window.page.goto(window.url + route.format(**parts, name=name))
                window.page.wait_for_load_state()
                assert window.page.locator("h1:has-text('Not possible')").count() == 0, route
                if seen := faults(window.page):
                    wrong[route] = seen
    assert wrong == {}, repr(wrong)


def test_no_state_of_a_page_has_a_fault(desk: Open, held: Callable[..., Held]) -> None:
    item, plain, urgent = held("discharge-clarithromycin"), held(), held(policy="emergency-order")
    with desk("dr-rivera") as window:
        page = window.page

        def dialog(name: str) -> Any:
            return page.evaluate("name => document.getElementById(name).showModal()", name)

        looks: dict[str, Callable[[], Any]] = {
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
        }
        wrong = {}
        for name, look in looks.items():
            look()
            if seen := faults(page):
                wrong[name] = seen
        assert wrong == {}, repr(wrong)
