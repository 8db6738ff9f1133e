"""What is refused or does nothing in the console, and the sentence in which a clinician is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attending.server.bootstrap.folder import REPLAY_FILE
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Held, Open, give_reason, hold, press_sign, window
from tests.browser.ward import Ward

pytestmark = pytest.mark.browser

Make = Callable[..., Held]
Get = Callable[[Held], str | None]
Entries = Callable[[Held], list[dict[str, Any]]]

# What the page's own scripts do, with one thing changed between the device and the server.
SIGN = """async ([ticket, change, other]) => {
    const { once, send } = await import("/static/api.js");
    const { prove } = await import("/static/webauthn.js");
    const encode = (text) => btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const decode = (text) => atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const item = document.getElementById("item").dataset;
    const shown = document.getElementById("editor").defaultValue;
    const ask = (more) => send(`/items/${ticket}/prepare`, { lease: item.lease, text: null, shown, ...more });
    let told = await ask(change === "meaning" ? { rejection: { reason_code: "wrong" } } : {});
    const credential = await prove(told.options);
    const said = JSON.parse(decode(credential.response.clientDataJSON));
    const proof = decode(credential.response.authenticatorData);
    if (change === "meaning" || change === "record") told = await ask({});
    if (change === "origin") said.origin = "https://review.example";
    if (change === "ceremony") said.type = "webauthn.create";
    if (change === "crossOrigin") said.crossOrigin = true;
    if (["origin", "ceremony", "crossOrigin"].includes(change)) {
        credential.response.clientDataJSON = encode(JSON.stringify(said));
    }
    if (change === "verification") {
        const flags = String.fromCharCode(proof.charCodeAt(32) & ~0x04);
        credential.response.authenticatorData = encode(proof.slice(0, 32) + flags + proof.slice(33));
    }
    if (change === "assertion") credential.response = other;
    try {
        await send(`/items/${ticket}/sign`, { idempotency_key: once(), lease: item.lease,
            preparation: told.preparation, credential, reading_reason: "second_look" });
        return [credential.response, "OK", ""];
    } catch (error) {
        return [credential.response, error.reason, error.message];
    }
}"""


@pytest.mark.parametrize(
    "change", ["origin", "ceremony", "crossOrigin", "verification", "record", "meaning", "assertion"]
)
def test_a_signature_for_anything_else_releases_nothing(
    desk: Open, held: Make, released: Get, change: str
) -> None:
    item, other = held(), held()
    with desk("dr-rivera") as mine, desk("dr-chen") as theirs:
        # Another person's whole and valid answer, over another text.
        assertion, done, _words = theirs.claimed(other.ticket).evaluate(SIGN, [other.ticket, "", None])
        assert done == "OK"
        page = mine.claimed(item.ticket)
        _assertion, reason, words = page.evaluate(SIGN, [item.ticket, change, assertion])
        assert reason == "SIGNATURE_INVALID"
        assert words == "The signature does not fit what was shown. Nothing was released. Press Sign again."
        assert released(item) is None
        # The item waits as it did.
        press_sign(page)
        page.wait_for_selector(".state.released")


def test_two_presses_are_one_signature(desk: Open, held: Make, entries: Entries) -> None:
    item = held()
    with desk("dr-rivera") as mine:
        page = mine.claimed(item.ticket)
        page.dblclick("#sign")
        give_reason(page)
        page.wait_for_selector(".state.released")
    signed = [one for one in entries(item) if one["type"] in ("review.signed", "inference.released")]
    assert [one["type"] for one in signed] == ["review.signed", "inference.released"]


def test_who_gave_the_item_back_in_another_window_signs_nothing(
    desk: Open, held: Make, released: Get
) -> None:
    item = held()
    with desk("dr-rivera") as one, desk("dr-rivera") as two:
        first = one.claimed(item.ticket)
        second = two.item(item.ticket)
        second.click("details.more summary")
        second.click("#give-back")
        second.wait_for_url(f"{two.url}/")
        first.wait_for_selector("#toast:has-text('changed hands')")
        first.click("#sign")
        first.wait_for_selector("#toast:has-text('You do not hold this item')")
        first.click("#reject")
        first.check('#reject-dialog input[value="wrong"]')
        first.fill("#reject-note", "Fictional note.")
        first.click('#reject-dialog button[value="reject"]')
        first.wait_for_selector("#reject-dialog .refused:has-text('You do not hold this item')")
        # Nothing that was written is lost.
        assert first.input_value("#reject-note") == "Fictional note."
    assert released(item) is None


def test_a_browser_whose_clock_is_wrong_shows_the_servers_time_and_signs(
    desk: Open, held: Make, released: Get
) -> None:
    for wrong in (timedelta(days=2), timedelta(days=-2)):
        item = held()
        with desk("dr-rivera") as mine:
            mine.page.clock.install(time=datetime.now(UTC) + wrong)
            page = mine.claimed(item.ticket)
            page.wait_for_function("document.getElementById('lease').textContent.endsWith('min')")
            assert page.inner_text(".deadline .due") in ("59 min left", "1 h 00 min left")
            press_sign(page)
            page.wait_for_selector(".state.released")
        assert released(item)


def test_a_review_goes_by_keyboard_alone(desk: Open, held: Make, released: Get) -> None:
    item = held("discharge-clarithromycin")
    with desk("dr-rivera") as mine:
        page = mine.item(item.ticket)
        keys = page.keyboard
        tab_to(page, "#claim")
        keys.press("Enter")
        page.wait_for_selector("#sign")
        page.wait_for_load_state()
        # A menu opens, closes again by Escape, and gives the focus back.
        tab_to(page, "details.more summary")
        keys.press("Enter")
        page.wait_for_selector('[data-opens="reassign-dialog"]')
        keys.press("Escape")
        assert page.evaluate("document.activeElement.matches('details.more summary')")
        tab_to(page, "#reject")
        keys.press("Enter")
        page.wait_for_selector("#reject-dialog[open]")
        tab_to(page, '#reject-dialog input[value="wrong"]')
        keys.press("Space")
        keys.press("ArrowDown")
        assert page.is_checked('#reject-dialog input[value="unsafe"]')
        tab_to(page, '#reject-dialog button[value="reject"]')
        keys.press("Enter")
        page.wait_for_selector(".state.rejected")
    assert released(item) is None


def tab_to(page: Page, selector: str) -> None:
    """By Tab alone; whatever takes no focus is never reached."""
    for _press in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} takes no focus")


def test_print_has_the_text_and_no_controls(desk: Open, held: Make) -> None:
    item = held("discharge-clarithromycin")
    with desk("dr-rivera") as mine:
        page = mine.claimed(item.ticket)
        page.emulate_media(media="print")
        assert page.is_visible("#read")
        assert page.is_visible(".finding .message")
        assert page.is_visible(".banner .name")
        shown = page.locator("button:visible, .top:visible, .actions:visible")
        assert shown.count() == 0, shown.first.inner_text()


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """One whose clock nobody else goes by."""
    process = Ward(tmp_path_factory.mktemp("late") / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


def test_what_runs_out_under_a_reviewer_is_told_and_not_released(chromium: Browser, own_server: Ward) -> None:
    short, long = hold(own_server, policy="short-lived"), hold(own_server)
    with window(chromium, own_server, "dr-rivera", {}) as mine:
        page = mine.claimed(long.ticket)
        page = mine.claimed(short.ticket)
        with own_server.ahead(11 * 60):
            # The time to review it is over.
            page.wait_for_selector("#toast:has-text('no longer waiting')")
            page.click("#sign")
            page.wait_for_selector("#toast:has-text('waits no more')")
            page.reload()
            page.wait_for_selector(".state.expired")
            assert page.locator("#sign, #reject, #claim").count() == 0
            # Of the other only the lease is.
            page = mine.item(long.ticket)
            page.wait_for_selector("#claim")
            assert mine.complaints == []
