"""Pictures of every page of the console, from a server of its own with the demo's texts: `make screenshots`.

Somebody looks at them before they are committed: that is what they are for.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import TAGS, hold, press_sign, simms, window  # noqa: E402
from tests.browser.looks import DESK, PHONE  # noqa: E402
from tests.browser.test_light import DOCUMENTS as LIGHT_DOCUMENTS  # noqa: E402
from tests.browser.test_light import TEXT as LIGHT_TEXT  # noqa: E402
from tests.browser.ward import Ward  # noqa: E402
from tests.e2e.server_process import ServerProcess  # noqa: E402

OUTPUTS = (
    ("discharge-plan", "discharge-clarithromycin"),
    ("discharge-plan", "wrong-tenfold"),
    ("discharge-plan", "plan-pneumonia"),
    ("patient-message", "wrong-dropped-not"),
    ("discharge-plan", "plan-afib"),
)


OFFICES = (
    (
        "dr-rivera",
        (("recalls", "/recalls"), ("break-glass", "/break-glass"), ("stop", "/stop")),
    ),
    (
        "demo-safety-officer",
        (
            ("policies", "/policies"),
            ("policy", "/policies/discharge-plan"),
            ("hazards", "/policies/discharge-plan/hazards"),
        ),
    ),
    (
        "demo-privacy-officer",
        (("examination", "/examination"), ("entry", "/examination/entries/3")),
    ),
    (
        "demo-medical-director",
        (("oversight", "/oversight"), ("reviewers", "/reviewers"), ("reviewer", "/reviewers/dr-rivera")),
    ),
)


def main(folder: Path) -> None:
    from attending.server.bootstrap.folder import REPLAY_FILE
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        server = ServerProcess(Path(place) / "data", REPLAY_FILE)
        server.start()
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        try:
            tickets = fill(server)
            keys: dict[str, Any] = {}
            with window(browser, server, "dr-rivera", keys) as desk:
                take(desk, tickets, folder)
            for name, more in (
                ("dark", {"color_scheme": "dark", "viewport": DESK}),
                ("phone", {"viewport": PHONE, "device_scale_factor": 2}),
            ):
                with window(browser, server, "dr-rivera", keys, **more) as desk:
                    page = desk.page
                    page.goto(desk.url)
                    page.screenshot(path=folder / f"queue-{name}.png")
                    desk.item(tickets["wrong-tenfold"])
                    page.screenshot(path=folder / f"item-{name}.png")
            for who, pages in OFFICES:
                with window(browser, server, who, {}) as desk:
                    for name, address in pages:
                        desk.page.goto(desk.url + address)
                        desk.page.screenshot(path=folder / f"{name}.png")
        finally:
            server.stop()
        ward = Ward(Path(place) / "ward", REPLAY_FILE)
        ward.start()
        try:
            second_model(browser, ward, folder)
            read_again(browser, ward, folder)
        finally:
            browser.close()
            ward.stop()


def second_model(browser: Any, server: ServerProcess, folder: Path) -> None:
    """A text that another model does not find in its documents."""
    item = hold(server, policy="second-model-disagrees", output=LIGHT_TEXT, documents=LIGHT_DOCUMENTS)
    with window(browser, server, "dr-rivera", {}) as desk:
        desk.item(item.ticket).screenshot(path=folder / "item-second-model.png")


def read_again(browser: Any, server: ServerProcess, folder: Path) -> None:
    """A text that one released, drawn for a second read by another."""
    from attending.client import OversightClient

    keys: dict[str, Any] = {}
    with OversightClient(server.connection("demo-medical-director")) as director:
        director.open_draw()
        item = hold(server, "discharge-clarithromycin", policy="read-again")
        with window(browser, server, "dr-rivera", keys) as desk:
            page = desk.claimed(item.ticket)
            accept(page, 0)
            press_sign(page)
            page.wait_for_selector(".state.released")
        director.open_draw()
    with window(browser, server, "dr-chen", keys) as desk:
        page = desk.page
        page.goto(f"{desk.url}/second-reads")
        page.screenshot(path=folder / "second-reads.png")
        page.click(".case-head h2 a")
        page.wait_for_selector("#answer")
        page.screenshot(path=folder / "second-read.png")


def fill(server: ServerProcess) -> dict[str, str]:
    """Ticket of each output that was held."""
    from attending.client import Client

    found = {}
    with Client(server.connection("demo-app")) as app:
        for policy, name in OUTPUTS:
            result = app.infer(
                policy,
                "Write the discharge plan for this patient.",
                provider="replay",
                model=name,
                patient=simms() if "clarithromycin" in name else None,
                on_behalf_of="dr-chen",
                tags=TAGS,
            )
            if result.ticket is not None:
                found[name] = result.ticket.ticket_id
    return found


def accept(page: Any, first: int) -> None:
    """Disagrees with each finding that is undecided, from the `first` on."""
    for name in [one.get_attribute("id") for one in page.locator('.finding[data-made=""]').all()][first:]:
        page.click(f"#{name} [data-made=accepted_risk] >> nth=0")
        page.wait_for_selector(f"#{name} .made:not([hidden])")


def take(desk: Any, tickets: dict[str, str], folder: Path) -> None:
    page = desk.page

    def shot(name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")

    page.goto(f"{desk.url}/sign-in")
    shot("sign-in")
    page.goto(f"{desk.url}/account")
    shot("account")
    page.goto(desk.url)
    page.wait_for_selector("table.queue")
    shot("queue")
    desk.claimed(tickets["discharge-clarithromycin"])
    page.keyboard.press("j")
    shot("item")
    page.keyboard.press("f")
    page.wait_for_selector("#facts-dialog[open]")
    shot("facts")
    page.fill("#fact-weight_kg", "82.5")
    page.fill("#fact-egfr", "28")
    with page.expect_navigation():
        page.click('#facts-dialog button[value="do"]')
    page.wait_for_selector("#changed")
    page.wait_for_load_state()
    shot("facts-changed")
    accept(page, 1)
    page.click(".finding [data-made=fixed]")
    text = page.input_value("#editor")
    page.fill("#editor", text.replace("Clarithromycin 500 mg", "Clarithromycin 5000 mg"))
    page.wait_for_selector("#check.alert")
    shot("edit")
    page.fill("#editor", text.replace("Clarithromycin 500 mg", "Doxycycline 100 mg"))
    page.wait_for_selector("#check.calm")
    page.click("#sign")
    page.wait_for_selector("#sign-dialog[open]")
    shot("sign")
    page.click('#sign-dialog [value="sign"]')
    page.click("#pace-dialog [value=second_look]")
    page.wait_for_selector(".state.released")
    shot("released")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/console"))
