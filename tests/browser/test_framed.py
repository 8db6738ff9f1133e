"""An item in a frame of the record system that opened it: a real browser, two sites, a signature; and other sites."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attending.client import Client
from attending.server.cli.console import passkey_codes
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from tests.browser.conftest import AUTHENTICATOR
from tests.browser.looks import DESK, found
from tests.e2e.launched import NAMES, WHO, Place, placed

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with placed(tmp_path_factory.mktemp("framed")) as made:
        yield made


@pytest.fixture(scope="module")
def credentials(chromium: Browser, place: Place) -> list[dict[str, Any]]:
    """The passkey of the one who is opened for, made in a window of its own."""
    with browser(chromium) as (_context, page, cdp, device):
        administrator, officer = passkey_codes(place.server.folder, WHO)
        page.goto(f"{place.url}/passkey")
        page.fill("#administrator", administrator)
        page.fill("#officer", officer)
        page.click("#codes button")
        page.wait_for_selector("#status:has-text('is made')")
        return list(cdp.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"])


@contextmanager
def browser(
    chromium: Browser, credentials: list[dict[str, Any]] | None = None
) -> Iterator[tuple[BrowserContext, Page, Any, str]]:
    context = chromium.new_context(viewport=DESK, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    page.set_default_timeout(20_000)
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    device = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})["authenticatorId"]
    for one in credentials or ():
        cdp.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": one})
    try:
        yield context, page, cdp, device
    except BaseException:
        for frame in page.frames:
            print(frame.url, frame.evaluate("document.body ? document.body.innerText.slice(0, 1500) : ''"))
        raise
    finally:
        context.close()


def sign(frame: FrameLocator) -> None:
    frame.locator("#claim").click()
    expect(frame.locator("#sign")).to_be_visible()
    for finding in frame.locator(".finding:not([data-made])").all():
        finding.locator("button[data-made=accepted_risk]").first.click()
    frame.locator("#sign-as:has-text('approved')").wait_for()
    frame.locator("#sign").click()
    dialog = frame.locator("#pace-dialog[open] [value=second_look]")
    dialog.or_(frame.locator(".state.released")).or_(frame.locator("#toast:not([hidden])")).first.wait_for()
    if dialog.count():
        dialog.click()


def test_an_item_is_signed_in_a_frame_of_the_record_system(
    chromium: Browser, place: Place, credentials: list[dict[str, Any]], tmp_path: Any
) -> None:
    ticket, _inference = place.hold("p-17")
    with browser(chromium, credentials) as (context, page, _cdp, _device):
        page.goto(place.framing(place.launch("p-17")))
        frame = page.frame_locator("#app")
        expect(frame.locator(".banner .name")).to_have_text(NAMES["p-17"])
        sign(frame)
        frame.locator(".state.released").wait_for()
        [cookie] = [one for one in context.cookies() if one["name"] == "attending-framed"]
        assert (cookie["sameSite"], cookie["secure"], cookie["httpOnly"]) == ("None", True, True)
        assert cookie["partitionKey"] == "http://127.0.0.1"
        # In a window of its own the same browser is signed out.
        alone = context.new_page()
        alone.goto(f"{place.url}/items/{ticket}")
        alone.wait_for_url("**/sign-in?**")
    entries = place.entries()
    [signed] = [one for one in entries if one["type"] == "review.signed" and one["body"]["ticket"] == ticket]
    said = json.loads(base64.b64decode(signed["body"]["client_data"]))
    assert (said["crossOrigin"], said["topOrigin"]) == (True, place.ehr.url)
    started = [one["body"] for one in entries if one["type"] == "session.started"]
    assert [(one["credential"], one.get("framed")) for one in started][-1] == ("smart", True)
    searched = [one for one in entries if one["type"] == "access.searched"]
    assert searched[-1]["subject"] == signed["subject"]
    # The offline verifier knows from the log in which frames the key may sign.
    copy = tmp_path / "log.attending"
    given = ["--data", str(place.server.folder)]
    assert run(["export", "--out", str(copy), *given]) == Exit.OK
    assert run(["verify", str(copy), "--key", str(place.server.folder / "demo.vkey")]) == Exit.OK


def test_no_other_site_frames_it(chromium: Browser, place: Place) -> None:
    place.hold("p-17")
    with browser(chromium) as (_context, page, _cdp, _device):
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(place.framing(place.launch("p-17"), by=place.other))
        page.wait_for_timeout(100)
        [inner] = [frame for frame in page.frames if frame.parent_frame is not None]
        inner.wait_for_load_state()
        assert inner.url.startswith("chrome-error:")
        assert any("frame-ancestors" in said for said in complaints)
        # Nor does the right one frame what no launch leads to.
        for path in ("/", "/sign-in", "/recalls", "/policies", "/passkey"):
            page.goto(place.framing(f"{place.url}{path}"))
            [inner] = [frame for frame in page.frames if frame.parent_frame is not None]
            inner.wait_for_load_state()
            assert inner.url.startswith("chrome-error:"), path


def test_without_the_pages_permission_nothing_is_signed(
    chromium: Browser, place: Place, credentials: list[dict[str, Any]]
) -> None:
    _ticket, inference = place.hold("p-18")
    with browser(chromium, credentials) as (_context, page, _cdp, _device):
        page.goto(place.framing(place.launch("p-18"), allow=""))
        frame = page.frame_locator("#app")
        expect(frame.locator(".banner .name")).to_have_text(NAMES["p-18"])
        sign(frame)
        expect(frame.locator("#toast")).to_contain_text("passkey")
    with Client(place.server.connection("demo-app")) as app:
        assert app.get(inference).output is None


def test_each_window_keeps_its_patient(chromium: Browser, place: Place) -> None:
    ann, ben = place.hold("p-17")[0], place.hold("p-18")[0]
    with browser(chromium) as (context, first, _cdp, _device):
        second = context.new_page()
        first.goto(place.framing(place.launch("p-17")))
        second.goto(place.framing(place.launch("p-18")))
        for page, patient in ((first, "p-17"), (second, "p-18"), (first, "p-17")):
            page.bring_to_front()
            frame = page.frame_locator("#app")
            inner = next(one for one in page.frames if one.parent_frame is not None)
            frame.locator("a.open, .banner .name").first.wait_for()
            listing = frame.locator("header nav a").first
            if listing.count():
                listing.click()
            frame.locator("a.open").first.wait_for()
            assert found(inner) == []
            tickets = inner.evaluate("[...document.querySelectorAll('a.open')].map((one) => one.pathname)")
            mine, theirs = (ann, ben) if patient == "p-17" else (ben, ann)
            assert f"/items/{mine}" in tickets
            assert f"/items/{theirs}" not in tickets
            frame.locator(f"a.open[href='/items/{mine}']").click()
            expect(frame.locator(".banner .name")).to_have_text(NAMES[patient])
