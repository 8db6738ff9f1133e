"""What `attending demo` hands an auditor: its sealed report and two lies about it, for the page and for the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.verify.__main__ import main
from attending.server.demo import steps
from attending.server.demo.authority import SEAL_ROOT, STAMP_ROOT
from attending.server.demo.proof import CHANGED, LOG_KEY, PAGE, REPORT, RESEALED, Proof
from attending.server.demo.screen import Screen
from attending.server.demo.server import DemoServer
from playwright.sync_api import Browser, Page

from tests.browser.test_verifier_page import said

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FAILS = {
    REPORT: set[str](),
    CHANGED: {"V2"},
    # Who holds the seal's key has no key of the log's. Which figures and links the byte moves depends on the entry.
    RESEALED: {"V1", "V6", "V10"},
}
EXITS = {REPORT: 0, CHANGED: 1, RESEALED: 1}


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the demo's own steps: something that was signed and something that was blocked, reported on."""
    folder = tmp_path_factory.mktemp("demo")

    def run() -> None:
        server, screen, proof = DemoServer(folder), Screen(), Proof()
        try:
            server.start()
            for step in (steps.discharge, steps.sildenafil, steps.regulator):
                step(screen, server, proof)
        finally:
            server.stop()

    # Playwright's loop runs here, and to seal a report needs one of its own.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(run).result()
    return folder


@pytest.fixture
def page(chromium: Browser, handed_over: Path) -> Iterator[Page]:
    """The page that the demo wrote, as an auditor opens it."""
    context = chromium.new_context()
    opened, complaints = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.goto((handed_over / PAGE).as_uri())
    yield opened
    context.close()
    assert complaints == []


def in_page(page: Page, folder: Path, name: str, tmp_path: Path) -> dict[str, Any]:
    """What the page saves of its result, after the files were chosen as a person chooses them."""
    for field, chosen in (
        ("bundle", name),
        ("keys-files", LOG_KEY),
        ("seal-roots", SEAL_ROOT),
        ("stamp-roots", STAMP_ROOT),
    ):
        page.set_input_files(f"#{field}", folder / chosen)
    page.click("#verify")
    page.wait_for_selector("#verdict:visible, #problem:visible")
    assert page.is_hidden("#problem"), page.inner_text("#problem")
    with page.expect_download() as download:
        page.click("#save")
    path = tmp_path / f"{name}.json"
    download.value.save_as(path)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", [REPORT, CHANGED, RESEALED])
def test_both_verifiers_say_the_same_of_it_from_what_the_demo_handed_over(
    page: Page, handed_over: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    anchors = ["--key", LOG_KEY, "--seal-root", SEAL_ROOT, "--tsa-root", STAMP_ROOT]
    words = [str(handed_over / word) if word[:2] != "--" else word for word in (name, *anchors)]
    capsys.readouterr()
    assert main([*words, "--json"]) == EXITS[name]
    command = json.loads(capsys.readouterr().out)
    other = in_page(page, handed_over, name, tmp_path)
    failed = {one["check"] for one in command["results"] if one["status"] == "failed"}
    assert failed - {"V7", "V20"} == FAILS[name]
    assert said(other) == said(command)
    assert (
        (other["kind"], other["not_checked"])
        == (command["kind"], command["not_checked"])
        == ("report", other["not_checked"])
    )


def test_without_the_root_nothing_is_called_verified(page: Page, handed_over: Path) -> None:
    page.set_input_files("#bundle", handed_over / REPORT)
    page.set_input_files("#keys-files", handed_over / LOG_KEY)
    page.click("#verify")
    page.wait_for_selector("#verdict:visible")
    assert "Indeterminate" in page.inner_text("#verdict")
    assert "no root of the seal was given" in page.inner_text("#not-proved")
