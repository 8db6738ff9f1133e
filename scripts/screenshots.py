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

from tests.browser.conftest import TAGS, simms, window  # noqa: E402
from tests.browser.looks import DESK, PHONE  # noqa: E402
from tests.e2e.server_process import ServerProcess  # noqa: E402

OUTPUTS = (
    ("discharge-plan", "discharge-clarithromycin"),
    ("discharge-plan", "wrong-tenfold"),
    ("discharge-plan", "plan-pneumonia"),
    ("patient-message", "wrong-dropped-not"),
    ("discharge-plan", "plan-afib"),
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
        finally:
            browser.close()
            server.stop()


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
