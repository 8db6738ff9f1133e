"""What a reviewer does beside signing: refuse, hand over, pass on, read blind, judge, break-glass and take back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attending.client import Client
from attending.v1 import common_pb2
from playwright.sync_api import Page

from tests.browser.conftest import Desk, Held, Open, give_reason, press_sign
from tests.browser.looks import faults
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.browser

Make = Callable[..., Held]
Get = Callable[[Held], str | None]
NOTE = "Fictional note of a synthetic patient."


def choose(page: Page, dialog: str, reason: str, note: str = "") -> None:
    """Fills and sends the form of an open dialog."""
    page.check(f'#{dialog} input[value="{reason}"]')
    if note:
        page.fill(f"#{dialog} textarea", note)
    page.click(f'#{dialog} .buttons button:not([value="cancel"])')


def more(page: Page, dialog: str) -> None:
    page.click("details.more summary")
    page.click(f'[data-opens="{dialog}"]')
    page.wait_for_selector(f"#{dialog}[open]")


def decide_all(page: Page, key: str) -> None:
    """The same word on each finding, by key."""
    while page.get_attribute("#item", "data-open") != "0":
        before = page.get_attribute("#item", "data-open")
        page.keyboard.press("j")
        page.locator('.finding[data-made=""]').first.focus()
        page.keyboard.press(key)
        page.wait_for_selector(f'#item:not([data-open="{before}"])')


def signed(page: Page) -> None:
    press_sign(page)
    page.wait_for_selector("#signed-already, .state.released")


def test_a_text_is_rejected_under_signature_with_a_reason(
    desk: Open, held: Make, released: Get, entries: Callable[[Held], list[dict[str, Any]]]
) -> None:
    item = held()
    with desk("dr-rivera") as window:
        page = window.claimed(item.ticket)
        page.click("#reject")
        page.click('#reject-dialog [value="cancel"]')
        page.click("#reject")
        # A device that does not verify its person signs nothing, and what was written stays.
        window.verified(False)
        choose(page, "reject-dialog", "unsafe", NOTE)
        page.wait_for_selector("#reject-dialog .refused:not([hidden])")
        assert "Nothing was changed" in page.inner_text("#reject-dialog .refused")
        window.verified(True)
        page.click('#reject-dialog button[value="reject"]')
        page.wait_for_selector(".state.rejected")
        assert "rejected" in page.inner_text(".signatures")
    assert released(item) is None
    last = [one for one in entries(item) if one["type"] in ("review.signed", "review.rejected")]
    assert [one["type"] for one in last] == ["review.signed", "review.rejected"]
    assert last[0]["body"]["statement"]["meaning"] == "rejected"
    assert last[1]["body"]["reason_code"] == "unsafe"
    assert NOTE not in repr(entries(item))


def test_an_item_is_handed_to_a_colleague_and_given_back(desk: Open, held: Make) -> None:
    item = held()
    with desk("dr-rivera") as one, desk("dr-chen") as two:
        page = one.claimed(item.ticket)
        more(page, "reassign-dialog")
        assert "Dr Rivera (demo)" not in page.inner_text("#to")
        # Whoever chooses nobody is told by the browser, and nothing is sent.
        page.click('#reassign-dialog button[value="do"]')
        assert page.locator("#reassign-dialog[open]").count() == 1
        page.select_option("#to", "dr-chen")
        choose(page, "reassign-dialog", "expertise", NOTE)
        page.wait_for_url(f"{one.url}/")
        page = one.item(item.ticket)
        page.click("#claim")
        assert "kept for a colleague" in one.toast
        page = two.claimed(item.ticket)
        page.click("details.more summary")
        page.click("#give-back")
        page.wait_for_url(f"{two.url}/")
        page = one.claimed(item.ticket)
        assert page.locator("#sign").count() == 1


def test_who_passes_an_item_on_decides_on_it_no_more(desk: Open, held: Make) -> None:
    item = held()
    with desk("dr-rivera") as one, desk("dr-chen") as two:
        page = one.claimed(item.ticket)
        more(page, "escalate-dialog")
        choose(page, "escalate-dialog", "beyond_competence")
        page.wait_for_url(f"{one.url}/")
        page = one.item(item.ticket)
        assert "You passed this on" in page.inner_text(".actions")
        assert page.locator("#claim, #sign").count() == 0
        page = two.claimed(item.ticket)
        assert "Passed on to" in page.inner_text("#escalated")


def test_two_read_blind_and_a_third_judges_between_them(desk: Open, held: Make, released: Get) -> None:
    item = held("discharge-clarithromycin", policy="two-readers")
    with desk("dr-rivera") as one, desk("dr-chen") as two, desk("dr-okafor") as third:
        page = one.claimed(item.ticket)
        assert "Read blind" in page.inner_text("#blind")
        assert faults(page) == []
        # Handing it over would tell who reads.
        assert page.locator('[data-opens="reassign-dialog"]').count() == 0
        text = page.input_value("#editor")
        decide_all(page, "a")
        changed = text.replace("Clarithromycin 500 mg by mouth", "Doxycycline 100 mg by mouth")
        page.fill("#editor", changed)
        page.wait_for_selector("#check.calm")
        page.click("#sign")
        page.click('#sign-dialog [value="sign"]')
        give_reason(page)
        page.wait_for_selector("#signed-already")

        # The second sees the model's text, no decision, no signature and no name of the first.
        page = two.item(item.ticket)
        for place in ("#read", ".side", ".actions", ".history"):
            said = page.text_content(place) or ""
            assert "Doxycycline" not in said
            assert "rivera" not in said.lower()
        assert page.locator(".signatures, .between").count() == 0
        page = two.claimed(item.ticket)
        assert page.get_attribute("#item", "data-open") != "0"
        page.click("#reject")
        choose(page, "reject-dialog", "unsafe")
        page.wait_for_selector(".between")
        assert page.locator("#sign, #claim").count() == 0

        # The third has both before them, and what each made of each finding.
        page = third.item(item.ticket)
        assert "disagree" in page.inner_text("#disputed")
        between = " ".join(page.inner_text(".between").split())
        assert "Dr Rivera (demo) approved with edits" in between
        assert "Dr Chen (demo) rejected" in between
        assert page.inner_text(".between ins >> nth=0") == "Doxycycline"
        page = third.claimed(item.ticket)
        assert faults(page) == []
        assert "Dr Rivera (demo): Agree" in page.inner_text(".finding .readers")
        assert "Dr Chen (demo): no decision" in page.inner_text(".finding .readers")
        decide_all(page, "a")
        page.click("[data-takes]")
        assert page.input_value("#editor") == changed
        page.wait_for_selector("#check.calm")
        page.click("#sign")
        page.click('#sign-dialog [value="sign"]')
        give_reason(page)
        page.wait_for_selector(".state.released")
    assert released(item) == changed


def test_an_own_view_comes_before_the_findings(
    desk: Open, held: Make, released: Get, entries: Callable[[Held], list[dict[str, Any]]]
) -> None:
    item = held("discharge-clarithromycin", policy="own-view")
    with desk("dr-rivera") as mine, desk("dr-chen") as other:
        page = mine.claimed(item.ticket, "#own-view")
        said = page.content().lower()
        assert page.locator(".finding, mark, .evidence, .coverage, #sign").count() == 0
        assert faults(page) == []
        assert "contraindicated" not in said
        lease = page.get_attribute("#item", "data-lease")
        for path, fields in (
            ("dispose", {"finding": 0, "disposition": "fixed"}),
            ("check", {"text": "Paracetamol."}),
            ("prepare", {"shown": "x"}),
        ):
            sent = post(mine, f"/items/{item.ticket}/{path}", lease=lease, **fields)
            assert sent == "OPINION_REQUIRED"
        page.check('#own-view input[value="needs_change"]')
        page.fill("#own-note", NOTE)
        page.click("#own-view button")
        page.wait_for_selector(".finding")
        assert (
            post(mine, f"/items/{item.ticket}/opinion", lease=lease, assessment="safe") == "OPINION_RECORDED"
        )
        page.click("details.more summary")
        with page.expect_navigation():
            page.click("#give-back")
        # Each reviewer's own: one does not see the findings by another's.
        page = other.claimed(item.ticket, "#own-view")
        assert page.locator(".finding").count() == 0
    [view] = [one for one in entries(item) if one["type"] == "review.opinion_recorded"]
    assert view["body"]["assessment"] == "needs_change"
    assert NOTE not in repr(entries(item))
    assert released(item) is None


def test_break_glass_is_said_in_strong_words_and_examined_by_an_officer(
    desk: Open, held: Make, released: Get
) -> None:
    usual, urgent = held(), held(policy="emergency-order")
    with desk("dr-rivera") as window, desk("demo-pharmacist") as other:
        # Not where the policy does not permit it, nor for a role that it does not name.
        page = window.claimed(usual.ticket)
        assert page.locator('[data-opens="glass-dialog"]').count() == 0
        assert other.item(urgent.ticket).locator('[data-opens="glass-dialog"]').count() == 0
        reason = post(other, f"/items/{urgent.ticket}/break-glass", reason_code="cover", note=NOTE)
        assert reason == "ROLE_NOT_PERMITTED"
        assert post(window, f"/items/{usual.ticket}/break-glass", reason_code="cover", note=NOTE) == (
            "BREAK_GLASS_NOT_PERMITTED"
        )
        page = window.item(urgent.ticket)
        more(page, "glass-dialog")
        assert "you answer for it alone" in page.inner_text("#glass-dialog")
        # Why in words is asked for, too.
        choose(page, "glass-dialog", "patient_in_danger")
        assert page.locator("#glass-dialog[open]").count() == 1
        assert released(urgent) is None
        page.fill("#glass-note", NOTE)
        page.click('#glass-dialog button[value="do"]')
        page.wait_for_selector(".state.released")
        assert "Released without its signatures" in page.inner_text("#broken")
        assert "To be examined" in page.inner_text("#broken")
        assert released(urgent)
        # Who used it closes nothing, and is not asked to.
        page.goto(f"{window.url}/break-glass")
        assert page.locator(f"#{urgent.inference} form").count() == 0
    with desk("demo-safety-officer") as officer:
        page = officer.page
        page.goto(f"{officer.url}/break-glass")
        row = page.locator(f"#{urgent.inference}")
        assert NOTE not in page.content()
        row.locator("summary").click()
        row.locator('input[value="justified"]').check()
        row.locator("button.primary").click()
        page.wait_for_selector(f"#{urgent.inference}", state="detached")
        page.goto(f"{officer.url}/break-glass?all=1")
        assert "It was needed; examined by demo-safety-officer" in page.inner_text(f"#{urgent.inference}")
        again = post(officer, f"/break-glass/{urgent.inference}", outcome="misuse")
        assert again == "BREAK_GLASS_REVIEWED"


def test_a_released_text_is_taken_back_and_everybody_takes_notice(
    desk: Open, held: Make, released: Get, embedded: ServerProcess
) -> None:
    item = held()
    with desk("dr-rivera") as window:
        page = window.claimed(item.ticket)
        assert page.locator('[data-opens="recall-dialog"]').count() == 0
        signed(page)
        assert released(item)
        with Client(embedded.connection("demo-app")) as app:
            app.acknowledge(item.inference, recipient=common_pb2.RECIPIENT_PATIENT, channel="portal")
        page.click('[data-opens="recall-dialog"]')
        # Another reason is told in words.
        choose(page, "recall-dialog", "other")
        page.wait_for_selector("#recall-dialog .refused:not([hidden])")
        choose(page, "recall-dialog", "unsafe", NOTE)
        page.wait_for_selector(".state.withdrawn")
        assert "Acting on it could harm" in page.inner_text("#recalled")
        assert released(item) is None
        page.goto(f"{window.url}/recalls")
        assert NOTE not in page.content()
        row = page.locator(f"#{item.inference}")
        assert "app has not taken notice" in row.inner_text()
        row.locator('li:has-text("patient/portal") button').click()
        page.wait_for_selector(f"#{item.inference} .quiet:has-text('patient/portal took notice')")
        page.click(f"#{item.inference} button")
        page.wait_for_selector(f"#{item.inference}", state="detached")
        page = window.item(item.ticket)
        assert "has taken notice" in page.inner_text("#recalled")
    with desk("demo-auditor") as auditor:
        # Who only reads is shown no button and no way to a text.
        auditor.page.goto(f"{auditor.url}/recalls?all=1")
        row = auditor.page.locator(f"#{item.inference}")
        assert row.locator("button, a").count() == 0
        assert post(auditor, f"/recalls/{item.inference}", target="app") == "PERMISSION_DENIED"


def test_a_text_that_was_never_an_item_is_taken_back_by_its_id(desk: Open, embedded: ServerProcess) -> None:
    with Client(embedded.connection("demo-app")) as app:
        made = app.infer(
            "administrative-letter",
            "Write it.",
            provider="replay",
            model="letter-parking",
            tags={"team": "browser", "feature": "console"},
        ).message
    with desk("dr-rivera") as window:
        page = window.page
        page.goto(f"{window.url}/recalls")
        page.click("details.fold summary")
        page.fill("#inference", "inf_" + "0" * 32)
        page.check('details.fold input[value="wrong"]')
        page.click("details.fold .danger")
        page.wait_for_selector("details.fold .refused:not([hidden])")
        assert "no text of this id" in page.inner_text("details.fold .refused")
        page.fill("#inference", made.inference_id)
        page.click("details.fold .danger")
        page.wait_for_selector(f"#{made.inference_id}")


def post(window: Desk, path: str, **fields: Any) -> str:
    """The reason of what the server answers to a step that no page offers."""
    script = """async ([path, fields, csrf]) => {
        const answer = await fetch(path, {method: "POST", body: JSON.stringify(fields), headers: {
            "Accept": "application/json", "Content-Type": "application/json", "X-Attending-CSRF": csrf}});
        return (await answer.json()).reason ?? "OK";
    }"""
    csrf = window.page.get_attribute('meta[name="attending-csrf"]', "content")
    return str(window.page.evaluate(script, [path, {"idempotency_key": "k" + path[-30:], **fields}, csrf]))
