"""Several windows of one person, connections that break, and pages that come back: nothing old is taken for new."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route

from tests.browser.conftest import Held, Open

pytestmark = pytest.mark.browser

TABS = 9
"""More than the connections that a browser has to one server (six, without HTTP/2)."""


def test_more_windows_than_connections_all_load_and_all_hear(desk: Open, held: Callable[..., Held]) -> None:
    with desk("dr-rivera") as window:
        tabs = [window.page]
        for _tab in range(TABS - 1):
            page = window.page.context.new_page()
            page.set_default_timeout(20_000)
            tabs.append(page)
        for page in tabs:
            page.goto(window.url)
            page.wait_for_selector("#rows")
        item = held()
        for page in tabs:
            page.wait_for_selector(f'a.open[href$="{item.ticket}"]')
        # The one that listened is gone: another takes over.
        tabs[0].close()
        item = held()
        for page in tabs[1:]:
            page.wait_for_selector(f'a.open[href$="{item.ticket}"]')


def test_who_works_in_one_window_is_not_signed_out_in_another(desk: Open) -> None:
    with desk("dr-rivera") as window:
        idle = window.page
        idle.clock.install()
        idle.goto(window.url)
        idle.wait_for_selector("#rows")
        works = idle.context.new_page()
        works.goto(f"{window.url}/account")
        works.wait_for_selector("h1")
        idle.clock.fast_forward("14:30")
        idle.wait_for_selector("#idle[open]")
        # A page that is opened is somebody there.
        works.reload()
        idle.wait_for_selector("#idle:not([open])", state="attached")
        idle.clock.fast_forward("10:00")
        assert idle.locator("#idle[open], #passkey").count() == 0


def test_a_page_connects_again_after_an_answer_that_is_no_stream(
    desk: Open, held: Callable[..., Held]
) -> None:
    with desk("dr-rivera") as window:
        page: Page = window.page
        refused: list[str] = []

        there = False

        def until_there(route: Route) -> None:
            if there:
                route.continue_()
                return
            refused.append(route.request.url)
            route.fulfill(status=503, body="")

        page.route("**/live", until_there)
        page.goto(window.url)
        page.wait_for_selector("#live:has-text('Not connected')")
        there = True
        page.wait_for_selector("#live", state="hidden")
        item = held()
        page.wait_for_selector(f'a.open[href$="{item.ticket}"]')
        assert refused
