"""Reports in a real browser: asked for, read, signed off with a passkey, issued, and what stands in somebody's way."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from attending.client import Client, ReportClient
from attending.ledger.note import VerifierKey
from attending.ledger.report_signature import DISCLOSED, ISSUED, REQUESTED, SIGNED_OFF, report_stream
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.report import KINDS
from attending.v1 import ledger_pb2, report_pb2
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Desk, Held, Open, hold, window
from tests.browser.looks import DESK, PHONE, faults, found, shot
from tests.browser.ward import Ward
from tests.e2e.server_process import ServerProcess
from tests.server.reports.authorities import Office
from tests.server.reports.test_pdf import text_of

pytestmark = pytest.mark.browser

AUDITOR, PRIVACY, SAFETY = "demo-auditor", "demo-privacy-officer", "demo-safety-officer"
READY = "#standing .tag:has-text('waits for sign-off')"


def asked(server: ServerProcess, kind: str = "regulator", who: str = AUDITOR, **scope: str) -> str:
    """A report that is there to be read; its id."""
    with ReportClient(server.connection(who)) as client:
        made = client.create(KINDS[kind], report_pb2.ReportScope(**scope), "audit")  # type: ignore[arg-type]
        while made.state == report_pb2.REPORT_STATE_MAKING:
            made = client.get(made.report_id)
        assert made.state == report_pb2.REPORT_STATE_READY, made.failure
    return made.report_id


def at(desk: Desk, report_id: str) -> Page:
    desk.page.goto(f"{desk.url}/reports/{report_id}")
    desk.page.wait_for_load_state()
    return desk.page


def downloaded(page: Page, file: str, folder: Path) -> bytes:
    with page.expect_download() as waiting:
        page.click(f"#get-{file}")
    path = folder / str(waiting.value.suggested_filename)
    waiting.value.save_as(path)
    page.wait_for_selector("#busy:empty", state="attached")
    return path.read_bytes()


def sign_off(page: Page) -> None:
    page.click("#sign")
    page.wait_for_selector("#sign-dialog[open]")
    page.click("#sign-dialog [value=sign]")


def told(page: Page) -> str:
    page.wait_for_selector("#refused:not([hidden])")
    return str(page.inner_text("#refused"))


def life(server: ServerProcess, report_id: str) -> list[dict[str, Any]]:
    """The entries of a report, oldest first."""
    request = ledger_pb2.ListEntriesRequest(page_size=500)
    found: list[dict[str, Any]] = []
    with Client(server.connection(AUDITOR)) as auditor:
        while True:
            answer = auditor.ledger.ListEntries(request)
            found += [json.loads(one.data) for one in answer.entries]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    return sorted(
        (one for one in found if one["stream"] == report_stream(report_id)), key=lambda one: one["index"]
    )


def place_of(server: ServerProcess, report_id: str) -> Path:
    [place] = server.folder.rglob(report_id)
    return place


def test_from_the_asking_to_the_issue_by_the_keyboard_alone(
    desk: Open, embedded: ServerProcess, held: Callable[..., Held], tmp_path: Path
) -> None:
    held()
    with desk(AUDITOR, accept_downloads=True) as window:
        page = window.page

        def press(selector: str) -> None:
            page.wait_for_selector(selector)
            page.focus(selector)
            page.keyboard.press("Enter")

        page.goto(f"{window.url}/reports")
        press("a[href='/reports/new']")
        page.wait_for_selector("#new")
        assert page.input_value("#time-zone") == "UTC"
        # A kind has its own fields, and those about a person are a privacy officer's.
        page.wait_for_selector("#policy")  # its script has run
        assert not page.locator("#incident").is_visible()
        assert page.locator("input[value=access]").is_disabled()
        page.focus("input[value=regulator]")
        page.keyboard.press("ArrowDown")
        assert page.is_checked("input[value=dossier]")
        assert page.evaluate("document.getElementById('inference_id').required")
        shot(page, "report-new")
        page.keyboard.press("ArrowUp")
        page.fill("#to", "2000-01-01T00:00")
        page.focus("#purpose")
        page.keyboard.press("ArrowDown")
        press("#new button.primary")
        page.wait_for_selector("#new .refused:not([data-wrong]):not([hidden])")
        assert "Nothing is on record of that period" in page.inner_text("#new .refused:not([data-wrong])")
        page.fill("#time-zone", "Nowhere/City")
        press("#new button.primary")
        page.wait_for_selector("[data-wrong=time_zone]:not([hidden])")
        assert page.evaluate("document.activeElement.id") == "time-zone"
        assert faults(page) == []
        page.fill("#time-zone", "UTC")
        page.fill("#to", "")
        press("#new button.primary")
        page.wait_for_url(re.compile(r"/reports/rpt_[0-9a-f]{32}$"))
        report_id = page.url.rpartition("/")[2]
        # It is made while somebody looks, and the page says so by itself.
        page.wait_for_selector(READY)
        assert page.locator("#sign").count() == 0
        shot(page, "report-ready")
        assert faults(page) == []
        with page.expect_download() as waiting:
            press("#get-draft")
        draft = Path(waiting.value.path()).read_bytes()
        assert waiting.value.suggested_filename == f"draft-{report_id}.pdf"
        page.wait_for_selector("#sign")
        shot(page, "report")
        press("#sign")
        page.wait_for_selector("#sign-dialog[open]")
        said = page.inner_text("#sign-dialog")
        assert "Auditor" in said
        assert "approved for issue" in said
        assert hashlib.sha256(draft).hexdigest() in said
        shot(page, "report-sign")
        assert found(page) == []
        press("#sign-dialog [value=sign]")
        press("#issue")
        page.wait_for_selector("#get-report")
        shot(page, "report-issued")
        assert faults(page) == []
        report = downloaded(page, "report", tmp_path)
        bundle = downloaded(page, "bundle", tmp_path)
        history = page.inner_text("table.sheet")
        assert "Signed off with a passkey" in history
    stream = life(embedded, report_id)
    assert [one["type"] for one in stream] == [REQUESTED, DISCLOSED, SIGNED_OFF, ISSUED, DISCLOSED, DISCLOSED]
    bodies = [one["body"] for one in stream]
    assert bodies[0]["purpose"] == "regulator_request"
    assert bodies[2]["algorithm"].startswith("webauthn-")
    assert bodies[2]["statement"]["draft"] == hashlib.sha256(draft).hexdigest()
    assert bodies[3]["pdf"] == hashlib.sha256(report).hexdigest()
    assert [bodies[4]["what"], bodies[5]["what"]] == ["report", "bundle"]
    (tmp_path / "report.pdf").write_bytes(report)
    printed = re.sub(r"\s", "", text_of(tmp_path / "report.pdf"))
    for words in (AUDITOR, "approvedforissue", "Apasskey,whosedeviceverifieditsperson"):
        assert words in printed
    with pikepdf.open(tmp_path / "report.pdf") as document:
        assert document.attachments["bundle.attending"].get_file().read_bytes() == bundle
    (tmp_path / "b.attending").write_bytes(bundle)
    key = VerifierKey.parse(next(embedded.folder.glob("*.vkey")).read_text().strip())
    assert verify_bundle(tmp_path / "b.attending", Anchors(keys=(key,))).failures == ()


def test_the_list_is_filtered_paged_and_looks_again_by_itself(desk: Open, embedded: ServerProcess) -> None:
    asked(embedded)
    with desk(SAFETY) as window:
        page = window.page
        page.goto(f"{window.url}/reports")
        assert page.locator("a[href='/reports/new']").count() == 0
        first = page.locator("#rows tbody tr").count()
        assert 1 <= first <= 25
        shot(page, "reports")
        assert faults(page) == []
        page.select_option("#state", "issued")
        page.wait_for_url("**state=issued*")
        assert set(page.locator("#rows .tag").all_inner_texts()) <= {"issued"}
        page.goto(f"{window.url}/reports?kind=incident")
        assert "No report is as you chose." in page.inner_text("#rows")
        page.goto(f"{window.url}/reports")
        newest = asked(embedded)
        # The stream of events, or its beat, brings it.
        page.wait_for_selector(f"a[href='/reports/{newest}']")
        page.goto(f"{window.url}/reports?after=99999")
        assert page.locator("#rows tbody tr").count() == 0
        page.goto(f"{window.url}/reports?after=x")
        assert "Not possible" in page.inner_text("main")
        page.set_viewport_size(PHONE)
        page.goto(f"{window.url}/reports")
        shot(page, "reports-phone")
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        page.set_viewport_size(DESK)
        shot(page, "reports-dark")


def test_what_somebody_wrote_into_a_report_is_shown_and_never_run(
    desk: Open, embedded: ServerProcess, held: Callable[..., Held]
) -> None:
    held()
    hostile = "<img src=x onerror=alert(1)>"
    report_id = asked(embedded, "guardrails", group=hostile)
    with desk(AUDITOR) as window:  # at its end no page has complained, and no dialog was opened
        page = at(window, report_id)
        assert hostile in page.inner_text("dl.versions")
        page.goto(f"{window.url}/reports?kind=guardrails")
        assert hostile in page.inner_text("#rows")
        assert page.locator("main img").count() == 0


def test_roles_see_what_is_theirs_and_are_told_of_the_rest(
    desk: Open,
    embedded: ServerProcess,
    held: Callable[..., Held],
    entries: Callable[[Held], list[dict[str, Any]]],
) -> None:
    item = held("discharge-clarithromycin")
    report_id, subject = asked(embedded), entries(item)[0]["subject"]
    with ReportClient(embedded.connection(PRIVACY)) as client:
        about = client.create(
            report_pb2.REPORT_KIND_ACCESS, report_pb2.ReportScope(subject=subject), "patient_request"
        )
        while about.state == report_pb2.REPORT_STATE_MAKING:
            about = client.get(about.report_id)
    with desk("dr-chen") as window:
        assert window.page.locator('nav a[href="/reports"]').count() == 0
        for path in ("/reports", "/reports/new", f"/reports/{report_id}"):
            window.page.goto(window.url + path)
            assert "Your role does not allow this" in window.page.inner_text("main")
    with desk(SAFETY) as window:
        window.page.goto(f"{window.url}/reports/new")
        assert "Your role does not allow this" in window.page.inner_text("main")
        page = at(window, report_id)
        assert page.locator("#issue, #sign").count() == 0
        assert page.locator("#get-draft").count() == 1
        # Nobody's, of another tenant, or no id at all: all look the same.
        for other in ("rpt_" + "0" * 32, "x", "%3Cscript%3E"):
            page = at(window, other)
            assert "There is no such report, or not for you." in page.inner_text("main")
        # Whom a report about a person is about is for those who may have one.
        page = at(window, about.report_id)
        assert subject not in page.content()
        assert page.locator("[data-file]").count() == 0
        assert "a privacy officer reads it" in page.inner_text("main")
        assert faults(page) == []
        refused = page.evaluate(
            """async path => {
                const csrf = document.querySelector('meta[name="attending-csrf"]').content;
                const answer = await fetch(path, {method: "POST", body: '{"purpose": "audit"}',
                    headers: {"Accept": "application/json", "X-Attending-CSRF": csrf}});
                return [answer.status, (await answer.json()).reason];
            }""",
            f"/reports/{about.report_id}/files/draft",
        )
        assert refused == [403, "PERMISSION_DENIED"]
    with desk(PRIVACY) as window:
        page = at(window, about.report_id)
        assert subject in page.content()
        assert page.locator("#get-draft").count() == 1
    assert [one["type"] for one in life(embedded, about.report_id)] == [REQUESTED]


def test_two_people_at_once_are_told_what_the_other_did(
    desk: Open, embedded: ServerProcess, tmp_path: Path
) -> None:
    report_id = asked(embedded)
    with desk(AUDITOR, accept_downloads=True) as one, desk(PRIVACY, accept_downloads=True) as other:
        first, second = at(one, report_id), at(other, report_id)
        downloaded(first, "draft", tmp_path)
        downloaded(second, "draft", tmp_path)
        first.wait_for_selector("#sign")
        first.click("#sign")
        first.wait_for_selector("#sign-dialog[open]")
        sign_off(second)
        second.wait_for_selector("#issue")
        first.click("#sign-dialog [value=sign]")
        assert "Somebody signed this report off already" in told(first)
        # The page is as it stands now, and the next step is there.
        first.wait_for_selector("#issue")
        second.click("#issue")
        second.wait_for_selector("#get-report")
        if first.locator("#issue").count():
            first.click("#issue")
        first.wait_for_selector("#get-report")
    types = [entry["type"] for entry in life(embedded, report_id)]
    assert (types.count(SIGNED_OFF), types.count(ISSUED)) == (1, 1)


def test_what_was_not_read_or_changed_meanwhile_is_not_signed_and_not_issued(
    desk: Open, embedded: ServerProcess, tmp_path: Path
) -> None:
    report_id = asked(embedded)
    draft = place_of(embedded, report_id) / "draft.pdf"
    honest = draft.read_bytes()
    with desk(AUDITOR, accept_downloads=True) as window:
        page = at(window, report_id)
        downloaded(page, "draft", tmp_path)
        page.wait_for_selector("#sign")
        draft.write_bytes(honest + b"\n")
        page.click("#sign")
        assert "You were not given the draft as it is now" in told(page)
        assert faults(page) == []
        draft.write_bytes(honest)
        # A device that does not verify its person signs nothing, and the page says so.
        window.verified(False)
        sign_off(page)
        assert "Nothing was changed" in told(page)
        window.verified(True)
        sign_off(page)
        page.wait_for_selector("#issue")
        draft.write_bytes(honest + b"\n")
        page.click("#issue")
        assert "The files are not those that were signed" in told(page)
        shot(page, "report-changed")
        assert page.locator("#issue").count() == 1
        draft.write_bytes(honest)
        page.click("#issue")
        page.wait_for_selector("#get-report")
        assert page.locator("#refused:not([hidden])").count() == 0


def test_a_report_that_could_not_be_made_says_why_and_is_tried_again(
    desk: Open, embedded: ServerProcess
) -> None:
    report_id = asked(embedded)
    place = place_of(embedded, report_id)
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    place.write_bytes(b"in the way")
    with desk(AUDITOR) as window:
        page = at(window, report_id)
        page.wait_for_selector("#again")
        assert "could not be made" in page.inner_text("#standing")
        shot(page, "report-failed")
        assert faults(page) == []
        place.unlink()
        page.click("#again")
        page.wait_for_selector(READY)


# What the page's own scripts send, with one thing changed.
SEND = """async ([path, fields]) => {
    const { send } = await import("/static/api.js");
    try { await send(path, fields); return ""; } catch (error) { return error.reason; }
}"""
SIGN_OTHER = """async ([one, other]) => {
    const { once, send } = await import("/static/api.js");
    const { prove } = await import("/static/webauthn.js");
    const shown = await send(`/reports/${one}/prepare`);
    const signed = await send(`/reports/${other}/prepare`);
    const credential = await prove(shown.options);
    try {
        await send(`/reports/${other}/sign`, { idempotency_key: once(), preparation: signed.preparation, credential });
        return "";
    } catch (error) { return error.reason; }
}"""


def test_an_answer_for_one_report_is_none_for_another(
    desk: Open, embedded: ServerProcess, tmp_path: Path
) -> None:
    one, other = asked(embedded), asked(embedded)
    with desk(AUDITOR, accept_downloads=True) as window:
        for report_id in (one, other):
            downloaded(at(window, report_id), "draft", tmp_path)
        assert window.page.evaluate(SIGN_OTHER, [one, other]) == "SIGNATURE_INVALID"
        window.page.reload()
        window.page.wait_for_selector(READY)
    for report_id in (one, other):
        assert SIGNED_OFF not in [one["type"] for one in life(embedded, report_id)]


def test_what_no_page_sends_changes_nothing(desk: Open, embedded: ServerProcess) -> None:
    report_id = asked(embedded)
    path, key = f"/reports/{report_id}", {"idempotency_key": "0123456789abcdef"}
    form = {**key, "kind": "regulator", "purpose": "audit", "time_zone": "UTC"}
    wrong: list[tuple[str, object, str]] = [
        (f"{path}/files/..%2F..%2Fattending.toml", {"purpose": "audit"}, "UNKNOWN_RESOURCE"),
        (f"{path}/files/pages.pdf", {"purpose": "audit"}, "INVALID_REQUEST"),
        (f"{path}/files/draft", {"purpose": "curiosity"}, "INVALID_REQUEST"),
        (f"{path}/files/draft", {"purpose": ["audit"]}, "INVALID_REQUEST"),
        (f"{path}/files/report", {"purpose": "audit"}, "REPORT_NOT_ISSUED"),
        (f"{path}/prepare", {}, "DRAFT_NOT_READ"),
        (f"{path}/sign", {**key, "preparation": "prr_x", "credential": {"response": {}}}, "INVALID_REQUEST"),
        (f"{path}/issue", {"idempotency_key": 7}, "INVALID_REQUEST"),
        (f"{path}/issue", key, "REPORT_NOT_SIGNED_OFF"),
        ("/reports/rpt_none/again", {}, "UNKNOWN_REPORT"),
        ("/reports", {**form, "kind": "unspecified"}, "INVALID_REQUEST"),
        ("/reports", {**form, "kind": "access", "subject": "sub_" + "a" * 26}, "PERMISSION_DENIED"),
        ("/reports", {**form, "kind": "dossier", "inference_id": "x" * 200}, "INVALID_REQUEST"),
        ("/reports", {**form, "from": 7}, "INVALID_REQUEST"),
        ("/reports", {**form, "policy": "\u202e\u0000"}, "INVALID_REQUEST"),
        ("/reports", [form], "INVALID_REQUEST"),
    ]
    with desk(AUDITOR) as window:
        page = at(window, report_id)
        before = page.inner_text("#standing table")
        found = [(where, sent, page.evaluate(SEND, [where, sent])) for where, sent, _reason in wrong]
        assert found == wrong
        page.reload()
        assert page.inner_text("#standing table") == before
    assert [one["type"] for one in life(embedded, report_id)] == [REQUESTED]


@contextmanager
def cut_short() -> Iterator[int]:
    """A server that begins to give a file and ends in the middle of it; its port."""
    with socket.create_server(("localhost", 0)) as listener:

        def answer() -> None:
            listener.settimeout(60)  # nobody may come
            connection, _address = listener.accept()
            with connection:
                connection.recv(65_536)
                head = (
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                connection.sendall(head + b"9\r\n%PDF-1.7\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_file_that_does_not_come_whole_is_not_kept(
    desk: Open, embedded: ServerProcess, tmp_path: Path
) -> None:
    report_id = asked(embedded)
    with desk(AUDITOR, accept_downloads=True) as window, cut_short() as port:
        page = at(window, report_id)
        kept: list[object] = []
        page.on("download", lambda one: kept.append(one))  # noqa: PLW0108 - the library marks its handlers
        page.route("**/files/draft", lambda route: route.continue_(url=f"http://localhost:{port}/"))
        page.click("#get-draft")
        assert "did not arrive whole" in told(page)
        assert kept == []
        page.unroute("**/files/draft")
        assert downloaded(page, "draft", tmp_path).startswith(b"%PDF-")
        assert page.locator("#refused:not([hidden])").count() == 0


@pytest.fixture
def sealing(tmp_path: Path) -> Iterator[tuple[Ward, Office]]:
    """A server that seals what it issues, with a schedule, and the time stamp authority that it asks."""
    from attending.server.bootstrap.folder import REPLAY_FILE

    office = Office.make(tmp_path / "office")
    with office.stamps.listening():
        schedule = {"name": "board", "every": "monthly", "first": "2026-01-01", "time_zone": "Europe/Berlin"}
        more = {"reports": {"seal": office.section().model_dump(mode="json"), "schedules": [schedule]}}
        (tmp_path / "more.json").write_text(json.dumps(more))
        process = Ward(tmp_path / "data", REPLAY_FILE)
        process.start()
        yield process, office
        assert process.stop() == 0


def test_an_authority_that_is_down_leaves_the_report_signed_off_to_be_issued_again(
    chromium: Browser, sealing: tuple[Ward, Office], tmp_path: Path
) -> None:
    server, office = sealing
    hold(server)
    report_id = asked(server)
    office.stamps.spoil = lambda _body: (503, b"")
    with window(chromium, server, AUDITOR, {}, accept_downloads=True) as desk:
        page = at(desk, report_id)
        downloaded(page, "draft", tmp_path)
        page.wait_for_selector("#sign")
        sign_off(page)
        page.click("#issue")
        assert "The time stamp authority gave no time stamp" in told(page)
        assert "signed off, not issued" in page.inner_text("#standing")
        shot(page, "report-no-stamp")
        assert faults(page) == []
        office.stamps.spoil = lambda body: (200, body)
        page.click("#issue")
        page.wait_for_selector("#get-report")
        assert "Issued and sealed" in page.inner_text("#standing")
        page.goto(f"{desk.url}/reports")
        assert "board" in page.inner_text("section >> nth=0")
        shot(page, "reports-calendar")
        assert faults(page) == []
        assert desk.complaints == []
    assert [one["type"] for one in life(server, report_id)].count(ISSUED) == 1
