"""Another pack comes into force, in a real browser: the queue says what would not be released now, and two leave."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from attending.client import PolicyClient, RecallClient

from tests.browser.conftest import Held, Open, press_sign
from tests.browser.looks import PHONE, found, shot
from tests.e2e.another_pack import another_pack
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.browser

TEXT = "Current medications: lisinopril 10 mg daily, cetirizine 10 mg daily. Letter {}."
SECONDS = 180.0


def test_what_was_released_and_would_not_be_is_decided_on_one_by_one(
    desk: Open,
    embedded: ServerProcess,
    held: Callable[..., Held],
    released: Callable[[Held], str | None],
) -> None:
    items = [held(output=TEXT.format(number), policy="administrative-letter") for number in range(3)]
    with desk("dr-rivera") as window:
        for item in items:
            page = window.claimed(item.ticket)
            press_sign(page)
            page.wait_for_selector(".state.released")
    wanted = another_pack(embedded.folder.parent / "knowledge")
    with PolicyClient(embedded.connection("demo-pharmacist")) as client:
        client.request("", wanted)
    with PolicyClient(embedded.connection("demo-safety-officer")) as client:
        client.approve("", wanted)
    with RecallClient(embedded.connection("dr-chen")) as client:
        until = time.monotonic() + SECONDS
        while not (page := client.worklist()).HasField("last") or page.running:
            assert time.monotonic() < until, "the released texts were not judged again"
            time.sleep(0.2)
        lines = {one.inference_id: one for one in client.worklist().candidates}
    ours = [lines[item.inference] for item in items]
    assert [(one.now, one.released_by, one.ticket_id) for one in ours] == [
        ("block", "signature", item.ticket) for item in items
    ]
    with desk("dr-chen") as window:
        page = window.page
        page.goto(window.url)
        page.click("text=or say why not")
        page.wait_for_selector("#worklist")
        shot(page, "worklist")
        assert found(page) == []
        assert "lisinopril" not in page.inner_text("main")
        # By the keyboard alone: to the first line, into it, to a reason, and to the button.
        page.focus(f'a[href="/worklist/{items[0].inference}"]')
        page.keyboard.press("Enter")
        page.wait_for_selector("pre.as-released")
        shot(page, "candidate")
        assert found(page) == []
        assert TEXT.format(0) in page.inner_text("pre.as-released")
        assert "Dr Rivera (demo), Clinician: approved as written" in page.inner_text("ul.signatures")
        page.focus("#dismiss input[value=superseded]")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: address.endswith("/worklist"))
        assert page.locator(f'a[href="/worklist/{items[0].inference}"]').count() == 0
        page.goto(f"{window.url}/worklist/{items[1].inference}")
        page.check('form[data-send="/recalls"] input[value=unsafe]')
        page.click("button.danger")
        page.wait_for_url(lambda address: address.endswith("/worklist"))
        page.goto(f"{window.url}/worklist?all=1")
        shot(page, "worklist-all")
        assert found(page) == []
        row = page.locator("#worklist tr", has_text=items[1].inference[4:12]).inner_text()
        assert "Taken back" in row
        page.goto(f"{window.url}/worklist/{items[1].inference}")
        assert page.locator("pre.as-released, form.stack").count() == 0
    assert released(items[0]) == TEXT.format(0)
    assert released(items[1]) is None
    with desk("demo-safety-officer") as window:
        page = window.page
        page.goto(f"{window.url}/worklist")
        page.click(f'a[href="/worklist/{items[2].inference}"]')
        page.wait_for_selector("pre.as-released")
        assert found(page) == []
        assert TEXT.format(2) in page.inner_text("pre.as-released")
    with desk("demo-auditor", viewport=PHONE, color_scheme="dark") as window:
        page = window.page
        page.goto(f"{window.url}/worklist")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        shot(page, "worklist-phone")
        assert found(page) == []
        # The list is theirs; the text is not.
        assert page.locator('a[href^="/worklist/inf_"]').count() == 0
        page.goto(f"{window.url}/worklist/{items[2].inference}")
        assert "Your role does not allow this" in page.inner_text("main")
