"""The first minutes of a newcomer: from the printed link to a held text that they signed, by way of a practice item."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.client import AttendingApiError, Client, ReviewClient
from attending.server import practice
from attending.server.cli.console import passkey_codes, sign_in_link
from attending.v1 import ledger_pb2, review_pb2
from playwright.sync_api import Browser, Page

from tests.browser.conftest import AUTHENTICATOR, give_reason, hold, press_sign, window
from tests.browser.looks import DESK, faults, shot
from tests.browser.ward import Ward, policies

pytestmark = pytest.mark.browser
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


SECONDS = 180.0
HELD = 50
"""Texts of which one may be planted, at 2 %."""


@pytest.fixture
def planting(tmp_path: Path) -> Iterator[Ward]:
    """A server whose policy plants one text of the catalogue, and says so."""
    from attending.server.bootstrap.folder import REPLAY_FILE

    folder = policies(tmp_path / "policies") / "discharge-plan"
    text = (folder / "policy.yaml").read_text(encoding="utf-8")
    seeded = "oversight:\n  seeded:\n    permille: 20\n    announced: true\n"
    assert text.count("\nurgent_contact:") == 1
    (folder / "policy.yaml").write_text(
        text.replace("\nurgent_contact:", f"\n{seeded}urgent_contact:"), encoding="utf-8"
    )
    with (folder / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\nSome items are planted, one in fifty at most; nothing of them is sent.\n")
    catalogue = yaml.safe_load(Path(practice.__file__).with_name("catalogue.yaml").read_bytes())
    catalogue["items"] = [one for one in catalogue["items"] if one["id"] == "metformin-egfr-24"]
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    more = {
        "console": {"practice": False},
        "review": {
            "practice_catalogue": str(tmp_path / "catalogue.yaml"),
            "expiry_sweep_seconds": 1,
            "lease_seconds": 600,
        },
    }
    (tmp_path / "more.json").write_text(json.dumps(more))
    process = Ward(tmp_path / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


def test_a_planted_item_is_met_like_any_other_signed_wrongly_and_debriefed_at_once(
    chromium: Browser, planting: Ward
) -> None:
    real = {hold(planting).ticket for _ in range(HELD)}
    ticket = None
    with ReviewClient(planting.connection("dr-chen")) as queue:
        until = time.monotonic() + SECONDS
        while ticket is None:
            assert time.monotonic() < until, "nothing was planted"
            lines = {one.ticket_id: one for one in queue.queue()}
            ticket = next(iter(lines.keys() - real), None)
        like = lines[next(iter(real))]
        # No field of the queue tells it from the others.
        assert not lines[ticket].practice
        assert fields(lines[ticket]) == fields(like)
    with window(chromium, planting, "dr-rivera", {}) as made:
        page = made.page
        page.goto(made.url)
        assert page.locator(f'a.open[href$="{ticket}"]').count() == 1
        assert "practice" not in page.inner_text("main").lower()
        page = made.claimed(ticket)
        for words in ("practice", "planted", "made-up", "made up"):
            assert words not in page.content().lower()
        shot(page, "planted")
        assert faults(page) == []
        # Every finding waved through, and signed as it is: what a careless reader does.
        for finding in page.locator(".finding[data-made='']").all():
            finding.locator("button[data-made=accepted_risk]").first.click()
        page.wait_for_selector("#count:has-text('all decided')")
        press_sign(page)
        page.wait_for_selector("#debrief[data-right=no]")
        told = page.inner_text("#debrief")
        assert "This was a planted item." in told
        assert "Missed." in told
        assert "lactic acidosis" in told
        assert page.inner_text("#debrief mark") == "Metformin 1000 mg by mouth twice daily"
        shot(page, "planted-debrief")
        assert faults(page) == []
        # By the keyboard alone back to work.
        page.focus("#to-queue")
        page.keyboard.press("Enter")
        page.wait_for_selector("a.open")
        assert page.locator(f'a.open[href$="{ticket}"]').count() == 0
        assert made.complaints == []
    types = types_of(planting)
    assert types.count("oversight.debriefed") == 1
    assert "inference.released" not in types
    # To another reader it is no item any more, and no debrief.
    with ReviewClient(planting.connection("dr-chen")) as other, pytest.raises(AttendingApiError) as over:
        other.claim(ticket)
    assert over.value.reason == "UNKNOWN_TICKET"


def fields(line: review_pb2.QueueItem) -> set[str]:
    """What a line of the queue says, but for what was found."""
    return {name.name for name, _value in line.ListFields()} - {"open_findings", "worst_severity"}


def types_of(server: Ward) -> list[str]:
    with Client(server.connection("demo-auditor")) as auditor:
        found = auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=500)).entries
        return [json.loads(one.data)["type"] for one in found]


def page_url(server: Ward, ticket: str) -> str:
    return f"{server.endpoint()['console_url']}/items/{ticket}"
