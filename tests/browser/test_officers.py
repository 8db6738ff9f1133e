"""What the safety and privacy officers do in the console, in a real browser, and what is refused there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from attending.client import AdminClient, EmergencyClient, ExaminationClient, PolicyClient
from attending.v1 import emergency_pb2, examination_pb2

from tests.browser.conftest import Held, Open
from tests.browser.looks import PHONE, found, shot
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.browser

OFFICER, PRIVACY = "demo-safety-officer", "demo-privacy-officer"


def test_policies_are_read_as_they_decide(desk: Open, held: Callable[..., Held]) -> None:
    held("discharge-clarithromycin")
    with desk(OFFICER) as window:
        page = window.page
        page.click('nav a[href="/policies"]')
        page.wait_for_selector("table.sheet")
        shot(page, "policies")
        assert found(page) == []
        page.click('a[href="/policies/discharge-plan"]')
        page.wait_for_selector(".decisions")
        shot(page, "policy")
        assert found(page) == []
        row = page.locator(".decisions tr", has_text="Never event").inner_text()
        assert row.split("\t")[1:3] == ["blocked", "blocked"]
        assert "put in force" in page.inner_text("table.sheet >> nth=-1")
        page.click("text=Hazards, and how each fared")
        page.wait_for_selector("#over")
        shot(page, "hazards")
        assert found(page) == []
        row = page.locator("tbody tr", has_text="Two drugs harm each other").inner_text()
        # Every one that was reported was held, however many other tests made.
        assert re.match(r"([1-9]\d*) of \1 ", row.split("\t")[3])


def test_a_version_comes_into_force_by_two_people(desk: Open, embedded: ServerProcess) -> None:
    with desk("demo-pharmacist") as first, desk(OFFICER) as second:
        page = first.page
        page.goto(f"{first.url}/policies/radiology-impression")
        page.click("[data-arm=request]")
        page.click("[data-do=request]")
        page.wait_for_selector("text=A second person, a safety officer, puts it in force.")
        assert page.locator("[data-do]").count() == 0
        page = second.page
        page.goto(f"{second.url}/policies/radiology-impression")
        shot(page, "activation")
        page.click("[data-arm=approve]")
        assert found(page) == []
        page.click("[data-do=approve]")
        page.wait_for_selector("#activation", state="detached")
        with PolicyClient(embedded.connection(OFFICER)) as client:
            event = client.activations("radiology-impression").events[-1]
        assert (event.actor, event.by) == (f"human:{OFFICER}", "human:demo-pharmacist")


def test_a_halt_takes_two_presses_and_every_page_says_so(
    desk: Open, embedded: ServerProcess, held: Callable[..., Held]
) -> None:
    item = held()
    with desk("dr-rivera") as clinician, desk(OFFICER) as officer:
        page = clinician.page
        page.goto(f"{clinician.url}/stop")
        page.check("input[value=drill]")
        page.click("#halt button.danger")
        with AdminClient(embedded.connection(OFFICER)) as admin:
            assert [one.halted for one in admin.standings()] == [False]
        shot(page, "stop-armed")
        assert found(page) == []
        page.click("#halt [data-do]")
        page.wait_for_selector(".halted")
        with AdminClient(embedded.connection(OFFICER)) as admin:
            assert [one.halted for one in admin.standings()] == [True]
        assert page.locator("form.resume").count() == 0
        page = clinician.claimed(item.ticket)
        assert "Everything is stopped" in page.inner_text(".halted")
        page = officer.page
        page.goto(f"{officer.url}/stop")
        shot(page, "stopped")
        assert found(page) == []
        page.check("form.resume input[value=ended]")
        page.click("form.resume button >> nth=0")
        page.click("form.resume [data-do]")
        page.wait_for_selector(".halted", state="detached")
        with AdminClient(embedded.connection(OFFICER)) as admin:
            assert [one.halted for one in admin.standings()] == [False]


def test_a_privacy_officer_examines_and_signs_with_a_passkey(desk: Open, embedded: ServerProcess) -> None:
    with desk("dr-chen") as clinician, desk("dr-chen"):
        # Signed in twice; and refused what is not theirs.
        clinician.page.goto(f"{clinician.url}/examination")
        assert "Your role does not allow this" in clinician.page.inner_text("main")
    with desk(PRIVACY) as window, EmergencyClient(embedded.connection("dr-chen")) as chen:
        chen.end(chen.begin(emergency_pb2.EMERGENCY_REASON_COVER, minutes=5).access_id)
        page = window.page
        page.goto(f"{window.url}/examination")
        rows = page.inner_text("#lines tbody")
        assert "Somebody opened emergency access" in rows
        assert "Somebody signed in who was signed in elsewhere" in rows
        assert page.locator("#sign").count() == 0
        shot(page, "examination")
        assert found(page) == []
        page.check("#all")
        page.click("[data-made=followed_up]")
        page.wait_for_selector("#sign")
        page.click("#sign")
        page.wait_for_selector("text=Nothing happened that has to be looked at.")
        shot(page, "examination-signed")
        assert found(page) == []
        page.click("section table tbody tr td a")
        page.wait_for_selector("text=examination.signed")
        shot(page, "entry")
        assert found(page) == []
        page.set_viewport_size(PHONE)
        page.goto(f"{window.url}/examination?office=safety")
        assert page.locator("#sign, [data-made]").count() == 0
        assert found(page) == []
        privacy = examination_pb2.EXAMINATION_OFFICE_PRIVACY
        with ExaminationClient(embedded.connection("demo-auditor")) as auditor:
            [signed] = auditor.examinations(privacy).examinations
        assert signed.signer == PRIVACY
        assert signed.dispositions["followed_up"] == sum(signed.counts.values()) > 1


def test_officers_begin_where_their_work_is_and_nothing_is_denied(desk: Open) -> None:
    with desk(PRIVACY) as window:
        assert window.page.locator('nav a[href="/"]').count() == 0
        assert "Not possible" not in window.page.content()
