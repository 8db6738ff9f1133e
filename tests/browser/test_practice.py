"""The first minutes of a newcomer: from the printed link to a held text that they signed, by way of a practice item."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attending.client import Client
from attending.server.cli.console import passkey_codes, sign_in_link
from attending.v1 import ledger_pb2
from playwright.sync_api import Browser, Page

from tests.browser.conftest import AUTHENTICATOR, give_reason, hold
from tests.browser.looks import DESK
from tests.browser.ward import Ward

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("server")]
BANNER = "Practice: made-up patient, nothing is sent."


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Ward]:
    """A server that nobody has signed at."""
    from attending.server.bootstrap.folder import REPLAY_FILE

    process = Ward(tmp_path / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


class Person:
    """One who presses buttons; how often is counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.presses = 0

    def press(self, selector: str) -> None:
        self.page.wait_for_load_state()
        self.page.click(selector)
        self.presses += 1


def test_a_newcomer_meets_a_practice_item_and_signs_a_held_one(
    chromium: Browser, fresh: Ward, record_property: Any
) -> None:
    item = hold(fresh)
    context = chromium.new_context(viewport=DESK, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    page.set_default_timeout(20_000)
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    link = "/".join(
        (sign_in_link(fresh.folder, "dr-rivera")["url"], *passkey_codes(fresh.folder, "dr-rivera"))
    )
    who, begun = Person(page), time.monotonic()
    page.goto(link)
    who.press("#make")
    page.wait_for_selector("#practice")
    # It stands above the queue, and is none of its rows.
    assert page.locator("a.open").count() == 1
    who.press("#start-practice")
    assert BANNER in page.inner_text("#practice")
    assert page.inner_text(".banner .name") == "Nora Vale"
    who.press("#claim")
    page.wait_for_selector("#sign")
    page.wait_for_load_state()
    assert page.inner_text("#sign").startswith("Sign, for practice")
    assert page.locator("[data-opens=escalate-dialog], [data-opens=reassign-dialog]").count() == 0
    ticket = page.get_attribute("#item", "data-ticket")
    who.press("#reject")
    who.press("#reject-dialog input[value=unsafe]")
    who.press("#reject-dialog button.danger")
    page.wait_for_selector("#debrief")
    told = page.inner_text("#debrief")
    assert "Found." in told
    assert "rhabdomyolysis" in told
    assert page.inner_text("#debrief mark") == "Clarithromycin 500 mg by mouth twice daily for 7 days"
    who.press("#to-queue")
    page.wait_for_selector("a.open")
    # Once, and not again.
    assert page.locator("#practice").count() == 0
    who.press(f'a.open[href$="{item.ticket}"]')
    who.press("#claim")
    page.wait_for_selector("#sign")
    page.wait_for_load_state()
    who.press("#sign")
    give_reason(page)
    page.wait_for_selector(".state.released")
    seconds = time.monotonic() - begun
    context.close()
    record_property("presses", who.presses + 1)
    record_property("seconds", round(seconds, 1))
    print(f"newcomer: {who.presses + 1} presses, {seconds:.1f} s from the link to the signature")
    types = types_of(fresh)
    assert types.count("oversight.debriefed") == 1
    assert types.count("inference.released") == 1
    with Client(fresh.connection("demo-app")) as app:
        assert app.get(item.inference).output
    # Nobody else is shown it, not even its debrief.
    assert ticket is not None
    other = chromium.new_context(viewport=DESK)
    elsewhere = other.new_page()
    elsewhere.goto(sign_in_link(fresh.folder, "demo-pharmacist")["url"])
    elsewhere.wait_for_selector("details.account")
    answer = elsewhere.goto(page_url(fresh, ticket))
    assert answer is not None
    assert answer.status == 404
    other.close()


def types_of(server: Ward) -> list[str]:
    with Client(server.connection("demo-auditor")) as auditor:
        found = auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=500)).entries
        return [json.loads(one.data)["type"] for one in found]


def page_url(server: Ward, ticket: str) -> str:
    return f"{server.endpoint()['console_url']}/items/{ticket}"
