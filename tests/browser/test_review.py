"""What a clinician does in the console, in a real browser with a passkey, and what is refused there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.client import Client
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.download import download
from attending.v1 import report_pb2

from tests.browser.conftest import Held, Open, give_reason, press_sign
from tests.browser.looks import faults
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.browser

Make = Callable[..., Held]
Get = Callable[[Held], str | None]
DRUG = "Clarithromycin 500 mg by mouth twice daily for 7 days (new)"
OTHER = "Doxycycline 100 mg by mouth twice daily for 7 days (new)"


def test_a_newcomer_makes_a_passkey_and_signs_a_changed_text(
    desk: Open, held: Make, released: Get, embedded: ServerProcess, tmp_path: Path
) -> None:
    item = held("discharge-clarithromycin")
    with desk("dr-rivera") as window:
        page = window.page
        page.goto(window.url)
        page.click(f'a.open[href$="{item.ticket}"]')
        assert page.inner_text(".banner .name") == "Walter Simms"
        assert "weight" in page.inner_text(".missing")
        page.wait_for_load_state()
        page.click("#claim")
        page.wait_for_selector("#sign")
        page.wait_for_load_state()
        page.click(".finding [data-made=fixed]")
        # Whoever agrees changes the text: the editor is there, and nothing is signed before it was changed.
        text = page.input_value("#editor:visible")
        assert page.get_attribute("#sign", "aria-disabled") is None
        page.click("#sign")
        assert "must be changed" in window.toast
        page.fill("#editor", text.replace(DRUG, "Clarithromycin 5000 mg by mouth daily"))
        page.wait_for_selector("#check.alert")
        assert page.get_attribute("#sign", "aria-disabled") == "true"
        page.fill("#editor", text.replace(DRUG, OTHER))
        page.wait_for_selector("#check.calm")
        page.click('[data-view="diff"]')
        assert [page.inner_text("#diff del >> nth=0"), page.inner_text("#diff ins >> nth=0")] == [
            "Clarithromycin",
            "Doxycycline",
        ]
        page.click("#sign")
        # What is released was shown, with printed name, role, time and meaning, before the device is asked.
        page.wait_for_selector("#sign-dialog[open]")
        assert "Dr Rivera (demo), Clinician" in page.inner_text("#sign-words")
        assert "approved with edits" in page.inner_text("#sign-words")
        page.click('#sign-dialog [value="sign"]')
        give_reason(page)
        page.wait_for_selector(".state.released")
        assert OTHER in page.inner_text("#read")
        assert "Dr Rivera (demo), Clinician: approved with edits" in page.inner_text(".signatures")
    assert released(item) == text.replace(DRUG, OTHER)
    # An auditor without this server comes to the same: the signature is the passkey's over that text.
    out = tmp_path / "period.attending"
    connection = embedded.connection("demo-auditor")
    with Client(connection) as auditor:
        download(auditor, report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit"), out)
    report = verify_bundle(out, Anchors(keys=(VerifierKey.parse(connection.log_key or ""),)))
    failed = [result for result in report.results if result.status == "failed"]
    assert failed == []


def test_three_keys_and_no_scrolling_for_a_text_with_one_finding(
    desk: Open, held: Make, released: Get
) -> None:
    item = held("wrong-dropped-not", policy="patient-message")
    with desk("dr-rivera") as window:
        page = window.item(item.ticket)
        page.keyboard.press("c")
        page.wait_for_selector("#sign")
        page.wait_for_load_state()
        page.keyboard.press("j")
        for selector in (".finding:focus", ".finding .decide", "#sign", "#read"):
            box = page.locator(selector).first.bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 900
        page.keyboard.press("1")
        page.wait_for_selector("#count:has-text('all decided')")
        assert "Disagree: Benefit outweighs risk" in page.inner_text(".finding .made-words")
        page.keyboard.press("s")
        # Nobody reads as fast as this does.
        give_reason(page)
        page.wait_for_selector(".state.released")
    assert "ibuprofen" in (released(item) or "")


def test_an_interaction_is_drawn_and_still_needs_three_keys_and_no_scrolling(
    desk: Open, held: Make, released: Get
) -> None:
    item = held(output="Take warfarin 5 mg once daily and ibuprofen 400 mg three times a day.")
    with desk("dr-rivera") as window:
        page = window.item(item.ticket)
        page.keyboard.press("c")
        page.wait_for_selector("#sign")
        page.wait_for_load_state()
        # The two drugs, the classes through which the fact holds, and where it is from; in words, too.
        assert {"ibuprofen", "warfarin"} <= set(page.locator(".edge svg text.drug").all_text_contents())
        said = page.inner_text(".edge figcaption")
        assert "ibuprofen is of the class non steroidal anti inflammatory drugs" in said
        assert "ANSM interaction thesaurus" in said
        label = page.get_attribute(".edge svg", "aria-labelledby")
        assert "warfarin is of the class" in page.inner_text(f"#{label}")
        page.keyboard.press("j")
        for selector in (".finding:focus", ".finding .decide", ".edge svg", "#sign", "#read"):
            box = page.locator(selector).first.bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 900, selector
        page.keyboard.press("2")
        page.wait_for_selector("#count:has-text('all decided')")
        page.keyboard.press("s")
        give_reason(page)
        page.wait_for_selector(".state.released")
    assert released(item)


def test_the_queue_is_walked_with_keys_and_renews_itself(desk: Open, held: Make) -> None:
    first = held()
    with desk("dr-rivera") as window:
        page = window.page
        page.goto(window.url)
        row = page.locator(f'a.open[href$="{first.ticket}"]')
        assert row.count() == 1
        page.keyboard.press("j")
        here = page.evaluate("document.activeElement.className")
        assert here == "open"
        second = held()
        page.wait_for_selector(f'a.open[href$="{second.ticket}"]')
        # What has the focus keeps it.
        assert page.evaluate("document.activeElement.className") == "open"
        # Others wait too, some of them claimed by an earlier test: down to the one that is free.
        for _press in range(50):
            if page.evaluate("document.activeElement.getAttribute('href')").endswith(second.ticket):
                break
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_selector("#claim")
        page.wait_for_load_state()
        page.keyboard.press("q")
        page.wait_for_selector("table.queue")


def test_the_queue_shows_what_is_asked_for(desk: Open, held: Callable[..., Held]) -> None:
    severe, plain = held("discharge-clarithromycin"), held()
    with desk("dr-rivera") as window:
        page = window.page

        def lists(item: Held) -> bool:
            return bool(page.locator(f'a.open[href$="{item.ticket}"]').count())

        def ask(name: str, value: str) -> None:
            with page.expect_navigation(url=lambda address: f"{name}={value}" in address):
                page.select_option(f"#{name}", value)
            page.wait_for_load_state()

        page.goto(window.url)
        ask("severity", "contraindicated")
        assert (lists(severe), lists(plain)) == (True, False)
        # What renews itself keeps to it.
        with page.expect_response(lambda answer: "part=rows" in answer.url):
            page.evaluate("document.dispatchEvent(new CustomEvent('attending:changed'))")
        assert (lists(severe), lists(plain)) == (True, False)
        assert faults(page) == []
        ask("show", "claimable")
        assert lists(severe)
        window.claimed(severe.ticket)
        page.goto(window.url)
        ask("show", "mine")
        assert (lists(severe), lists(plain)) == (True, False)
        for nothing in ("overdue", "escalated"):
            ask("show", nothing)
            assert (lists(severe), lists(plain)) == (False, False)
        # What nobody could mean asks for nothing.
        page.goto(f"{window.url}/?severity=%3Cb%3E&show=everything")
        assert page.locator("table.queue").count() == 1


def test_a_device_that_does_not_verify_its_person_signs_nothing(
    desk: Open, held: Make, released: Get
) -> None:
    item = held()
    with desk("dr-rivera") as window:
        page = window.claimed(item.ticket)
        window.verified(False)
        press_sign(page)
        assert "Nothing was changed" in window.toast
        assert released(item) is None
        page.wait_for_selector("#toast", state="hidden")
        window.verified(True)
        press_sign(page)
        page.wait_for_selector(".state.released")


def test_a_signature_is_good_once_and_for_its_text_alone(desk: Open, held: Make, released: Get) -> None:
    one, other = held(), held()
    with desk("dr-rivera") as window:
        page = window.claimed(other.ticket)
        lease = page.get_attribute("#item", "data-lease")
        page = window.claimed(one.ticket)
        with page.expect_request("**/sign") as caught:
            press_sign(page)
        page.wait_for_selector(".state.released")
        sent: dict[str, Any] = caught.value.post_data_json

        def again(ticket: str, **change: Any) -> str:
            script = """async ([path, fields, csrf]) => {
                const answer = await fetch(path, {method: "POST", body: JSON.stringify(fields), headers: {
                    "Accept": "application/json", "Content-Type": "application/json", "X-Attending-CSRF": csrf}});
                return (await answer.json()).reason ?? "OK";
            }"""
            csrf = page.get_attribute('meta[name="attending-csrf"]', "content")
            fields = {**sent, "idempotency_key": uuid.uuid4().hex, **change}
            return str(page.evaluate(script, [f"/items/{ticket}/sign", fields, csrf]))

        assert again(one.ticket) == "UNKNOWN_PREPARATION"
        assert again(other.ticket, lease=lease) == "UNKNOWN_PREPARATION"
        # The very same request, as a browser sends it twice: the same answer, one signature.
        assert again(one.ticket, idempotency_key=sent["idempotency_key"]) == "OK"
    assert released(other) is None


def test_two_windows_and_the_back_button(desk: Open, held: Make, released: Get) -> None:
    item = held()
    with desk("dr-rivera") as one, desk("dr-rivera") as two:
        first = one.claimed(item.ticket)
        second = two.item(item.ticket)
        second.wait_for_selector("#sign")
        press_sign(first)
        first.wait_for_selector(".state.released")
        assert "no longer waiting" in two.toast
        second.click("#sign")
        second.wait_for_selector("#toast:has-text('waits no more')")
        first.goto(one.url)
        first.go_back()
        first.wait_for_selector(".state.released")
        assert first.locator("#sign, #reject, #claim").count() == 0
    assert released(item)


def test_somebody_elses_item_is_read_and_not_decided_on(desk: Open, held: Make) -> None:
    item = held()
    with desk("dr-rivera") as one, desk("dr-chen") as two:
        one.claimed(item.ticket)
        page = two.item(item.ticket)
        assert "Somebody else reviews this" in page.inner_text(".actions")
        assert page.locator("#sign, #reject, #claim").count() == 0


def test_the_text_of_a_model_does_nothing_in_the_page(desk: Open, held: Make) -> None:
    hostile = (
        "Take amoxicillin 500 mg three times a day for 7 days.</div><script>document.title='owned'</script>"
        "<img src=x onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\"></svg>"
        "<a href=\"javascript:document.title='owned'\">click</a><style>body{display:none}</style>"
    )
    item = held(output=hostile)
    with desk("dr-rivera") as window:
        page = window.claimed(item.ticket)
        assert page.inner_text("#read").replace("\u200b", "").startswith("Take amoxicillin")
        assert hostile in page.evaluate("document.getElementById('editor').value")
        assert page.locator("#read script, #read img, #read svg, #read style").count() == 0
        page.click('[data-view="edit"]')
        page.fill("#editor", hostile + "<img src=y onerror=\"document.title='owned'\">")
        page.wait_for_selector("#check.calm, #check.alert")
        page.click('[data-view="diff"]')
        assert page.locator("#diff img, #diff script").count() == 0
        assert "owned" not in page.title()


def test_signing_out_and_in_with_the_passkey_alone(desk: Open) -> None:
    with desk("dr-rivera") as window:
        page = window.page
        page.goto(window.url)
        page.click(".account summary")
        page.click("#sign-out")
        page.wait_for_selector("#passkey")
        page.goto(f"{window.url}/items/none")
        page.wait_for_selector("#passkey")
        page.click("#passkey")
        # Back to where one wanted to go.
        page.wait_for_url("**/items/none")
        assert "no such item" in page.inner_text("main").lower()
        window.cdp.send("WebAuthn.clearCredentials", {"authenticatorId": window.authenticator})
        page.goto(window.url)
        page.click(".account summary")
        page.click("#sign-out")
        page.click("#passkey")
        assert "Nothing was changed" in window.toast


def test_who_does_nothing_is_asked_and_then_signed_out(desk: Open) -> None:
    with desk("dr-chen") as window:
        page = window.page
        page.clock.install()
        page.goto(window.url)
        page.wait_for_selector("h1")
        page.clock.fast_forward("14:30")
        page.wait_for_selector("#idle[open]")
        page.click("#idle-stay")
        page.wait_for_selector("#idle:not([open])", state="attached")
        page.clock.fast_forward("14:30")
        page.wait_for_selector("#idle[open]")
        page.clock.fast_forward("01:00")
        page.wait_for_selector("#passkey")
        assert "session is over" in page.inner_text("main")


def test_a_phone_and_twice_the_size_need_no_sideways_scrolling(desk: Open, held: Make) -> None:
    item = held("discharge-clarithromycin")
    for viewport in (
        {"width": 390, "height": 844},
        {"width": 720, "height": 450},
        {"width": 320, "height": 640},
    ):
        with desk("dr-rivera", viewport=viewport) as window:
            for path in ("/", f"/items/{item.ticket}", "/account"):
                window.page.goto(f"{window.url}{path}")
                wide = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, (viewport, path, wide)
