"""Who is drawn for a second read reads it blind in the console, and gives their word there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attending.client import OversightClient

from tests.browser.conftest import Desk, Held, Open, give_reason
from tests.browser.test_actions import NOTE, decide_all, post
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.browser

DIRECTOR = "demo-medical-director"
Entries = Callable[[Held], list[dict[str, Any]]]


def drawn(desk: Open, held: Callable[..., Held], embedded: ServerProcess, name: str = "plan-ra") -> Held:
    """A text that dr-rivera released with changes, drawn for a second read."""
    with OversightClient(embedded.connection(DIRECTOR)) as director:
        # What is released from here on is drawn by the policy's rate of now.
        director.open_draw()
        item = held(name, policy="read-again")
        with desk("dr-rivera") as window:
            page = window.claimed(item.ticket)
            decide_all(page, "1")
            page.click('[data-view="edit"]')
            page.fill("#editor", page.input_value("#editor") + " Changed by the first reader.")
            page.wait_for_selector("#check.calm")
            page.click("#sign")
            page.click('#sign-dialog [value="sign"]')
            give_reason(page)
            page.wait_for_selector(".state.released")
        director.open_draw()
    return item


def opened(window: Desk, item: Held) -> Any:
    """The page of the text's second read, by way of the list."""
    page = window.page
    page.goto(f"{window.url}/second-reads")
    for address in [one.get_attribute("href") for one in page.locator(".case-head h2 a").all()]:
        page.goto(f"{window.url}{address}")
        if item.inference in page.content():
            return page
    raise AssertionError("it is not on the list")


def test_a_second_reader_reads_blind_and_says_why(
    desk: Open, held: Callable[..., Held], embedded: ServerProcess, entries: Entries
) -> None:
    item = drawn(desk, held, embedded)
    with desk("dr-chen") as window:
        page = window.page
        page.goto(window.url)
        page.click('nav a[href="/second-reads"]')
        page.wait_for_selector(".case-head")
        page = opened(window, item)
        said = page.content()
        # The text as the model wrote it, and no word of the first reader.
        assert "Changed by the first reader" not in said
        assert "rivera" not in said.lower()
        assert page.locator(".signatures, .made, .between").count() == 0
        # Whoever says no says why; what was written stays.
        page.check('#answer [value="rejected"]')
        page.fill("#read-note", NOTE)
        page.click("#answer .primary")
        page.wait_for_selector("#answer .refused:has-text('Say why')")
        assert page.input_value("#read-note") == NOTE
        page.check('#answer [value="unsafe"]')
        page.click("#answer .primary")
        page.wait_for_url("**/second-reads")
        with pytest.raises(AssertionError, match="not on the list"):
            opened(window, item)
    [word] = [one for one in entries(item) if one["type"] == "review.second_read"]
    assert word["actor"] == "human:dr-chen"
    assert (word["body"]["answer"], word["body"]["reason_code"]) == ("rejected", "unsafe")
    assert NOTE not in repr(entries(item))
    looks = [one["type"] for one in entries(item)]
    assert looks.index("review.sampled") < looks.index("review.second_read")


def test_who_signed_is_not_asked_and_one_word_stands(
    desk: Open, held: Callable[..., Held], embedded: ServerProcess, entries: Entries
) -> None:
    item = drawn(desk, held, embedded)
    with desk("dr-rivera") as signer, desk("dr-chen") as one, desk("dr-okafor") as two:
        with pytest.raises(AssertionError, match="not on the list"):
            opened(signer, item)
        first, second = opened(one, item), opened(two, item)
        address = first.url.removeprefix(one.url)
        assert post(signer, address, answer="approved") == "SIGNER_SIGNED_BEFORE"
        signer.page.goto(first.url)
        assert "You signed this item already" in signer.page.inner_text("main")
        first.check('#answer [value="approved"]')
        # There is no reason to give for what is well as it is, and two presses are one word.
        assert not first.is_visible("#answer .why")
        first.dblclick("#answer .primary")
        first.wait_for_url("**/second-reads")
        second.check('#answer [value="approved_with_edits"]')
        second.check('#answer [value="incomplete"]')
        second.click("#answer .primary")
        second.wait_for_selector("#answer .refused:has-text('Somebody else has read this meanwhile')")
        with desk("demo-auditor") as auditor:
            auditor.page.goto(f"{auditor.url}/second-reads")
            assert "Your role does not allow this" in auditor.page.inner_text("main")
    words = [one["body"]["answer"] for one in entries(item) if one["type"] == "review.second_read"]
    assert words == ["approved"]
