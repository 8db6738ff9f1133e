"""A real browser at a real embedded server: Debian's Chromium with a virtual authenticator (WebAuthn over CDP).

Nothing is told to ignore a certificate: the console is at http://localhost, which browsers take for secure.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from attending.client import Client
from attending.server.cli.console import passkey_codes, sign_in_link
from attending.v1 import common_pb2, inference_pb2, ledger_pb2
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.looks import DESK
from tests.browser.ward import Ward
from tests.e2e.server_process import ServerProcess


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Playwright's loop runs from its first test on, so the tests that have a loop of their own come before it."""
    items.sort(key=lambda item: item.get_closest_marker("asyncio") is None)


TAGS = {"team": "browser", "feature": "console"}
AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    path = os.environ.get("ATTENDING_CHROMIUM") or shutil.which("chromium")
    assert path, "no chromium: run scripts/debian-packages.sh browser"
    browser = playwright.chromium.launch(executable_path=path)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the whole suite, with the package's use cases and some more."""
    from attending.server.bootstrap.folder import REPLAY_FILE

    process = Ward(tmp_path_factory.mktemp("ward") / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


@dataclass
class Desk:
    """One browser window of one person, with their authenticator. Everything that a page complained of is kept."""

    page: Page
    url: str
    cdp: Any
    authenticator: str
    complaints: list[str] = field(default_factory=list)

    def verified(self, yes: bool) -> None:
        """Whether the device will verify its person from now on."""
        self.cdp.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": yes}
        )

    def keys(self) -> list[dict[str, Any]]:
        found = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        return list(found["credentials"])

    def item(self, ticket: str) -> Page:
        self.page.goto(f"{self.url}/items/{ticket}")
        return self.page

    def claimed(self, ticket: str, shown: str = "#sign") -> Page:
        page = self.item(ticket)
        page.click("#claim")
        page.wait_for_selector(shown)
        # Its scripts have run: a button that is there before them does nothing yet.
        page.wait_for_load_state()
        return page

    @property
    def toast(self) -> str:
        self.page.wait_for_selector("#toast:not([hidden])")
        return str(self.page.inner_text("#toast"))


def press_sign(page: Page) -> None:
    """Signs; who is quicker than anybody reads says why."""
    page.click("#sign")
    give_reason(page)


def give_reason(page: Page) -> Page:
    page.wait_for_selector("#pace-dialog[open], .state.released, #signed-already, #toast:not([hidden])")
    if page.locator("#pace-dialog[open]").count():
        page.click("#pace-dialog [value=second_look]")
    return page


Open = Callable[..., Any]


@pytest.fixture(scope="session")
def passkeys() -> dict[str, list[dict[str, Any]]]:
    """The credentials of each person's device, so that every window of theirs has the same."""
    return {}


@pytest.fixture
def desk(chromium: Browser, embedded: ServerProcess, passkeys: dict[str, list[dict[str, Any]]]) -> Open:
    """`with desk("dr-rivera") as window`: signed in, with a passkey; at the end no page has complained."""

    @contextmanager
    def opened(who: str, **more: Any) -> Iterator[Desk]:
        with window(chromium, embedded, who, passkeys, **more) as made:
            try:
                yield made
            except BaseException:
                # What a person would have seen tells more than a selector that is not there.
                print(who, made.page.url, made.page.inner_text("body")[:2000])
                raise
            assert made.complaints == []

    return opened


@contextmanager
def window(
    chromium: Browser,
    embedded: ServerProcess,
    who: str,
    passkeys: dict[str, list[dict[str, Any]]],
    **more: Any,
) -> Iterator[Desk]:
    context = chromium.new_context(**{"viewport": DESK, "locale": "en-GB", "timezone_id": "UTC", **more})
    page = context.new_page()
    page.set_default_timeout(20_000)
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    url = str(embedded.endpoint()["console_url"])
    found = Desk(page, url, cdp, made["authenticatorId"])

    def complain(dialog: Any) -> None:
        found.complaints.append("a dialog was opened")
        dialog.dismiss()

    # What Chromium says of algorithms is advice; of a policy that stopped something it is a finding.
    page.on(
        "console",
        lambda said: (
            found.complaints.append(said.text)
            if said.type == "error" and "Failed to load resource" not in said.text
            else None
        ),
    )
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", complain)
    for credential in passkeys.get(who, ()):
        cdp.send("WebAuthn.addCredential", {"authenticatorId": found.authenticator, "credential": credential})
    link = sign_in_link(embedded.folder, who)["url"]
    if who not in passkeys:
        link = "/".join((link, *passkey_codes(embedded.folder, who, another=True)))
    page.goto(link)
    if who not in passkeys:
        page.click("#make")
        page.wait_for_url(lambda address: not address.endswith("/account"))
        passkeys[who] = found.keys()
    # The page of the link has a heading of its own: signed in is who has a menu.
    page.wait_for_selector("details.account")
    yield found
    context.close()


@dataclass
class Held:
    """A text that waits."""

    ticket: str
    inference: str


def hold(
    server: ServerProcess,
    name: str = "plan-ra",
    *,
    policy: str = "discharge-plan",
    output: str | None = None,
    documents: Sequence[str] = (),
) -> Held:
    """A text that waits: a replayed output by its name, or `output` with the `documents` it was written from."""
    with Client(server.connection("demo-app")) as app:
        if output is None:
            made = app.infer(
                policy,
                "Write it.",
                provider="replay",
                model=name,
                patient=simms() if "clarithromycin" in name else None,
                tags=TAGS,
            ).message
        else:
            request = inference_pb2.RecordRequest(
                idempotency_key=uuid.uuid4().hex,
                context=inference_pb2.InferenceContext(
                    policy=policy,
                    tags=TAGS,
                    documents=[
                        common_pb2.RetrievedDocument(id=f"document-{number}", text=text)
                        for number, text in enumerate(documents, 1)
                    ],
                ),
                prompt="Write it.",
                output=output,
                provider="elsewhere",
                model="unknown",
            )
            made = app.inference.Record(request, timeout=60).result
    assert made.ticket.ticket_id
    return Held(made.ticket.ticket_id, made.inference_id)


@pytest.fixture
def held(embedded: ServerProcess) -> Callable[..., Held]:
    """`held("discharge-clarithromycin")` by name of a replayed output, or `held(output=...)`."""
    return partial(hold, embedded)


@pytest.fixture
def entries(embedded: ServerProcess) -> Callable[[Held], list[dict[str, Any]]]:
    """The entries of an item as they stand in the ledger."""

    def get(item: Held) -> list[dict[str, Any]]:
        with Client(embedded.connection("demo-auditor")) as auditor:
            request = ledger_pb2.ListEntriesRequest(page_size=500, inference_id=item.inference)
            return [json.loads(one.data) for one in auditor.ledger.ListEntries(request).entries]

    return get


def simms() -> common_pb2.PatientContext:
    """The demo's synthetic patient."""
    bundle = files("attending.server.demo") / "data" / "patient-simms.json"
    return common_pb2.PatientContext(fhir_json=[Path(str(bundle)).read_text(encoding="utf-8")])


@pytest.fixture
def released(embedded: ServerProcess) -> Callable[[Held], str | None]:
    """The text that the application gets, None while it gets none."""

    def get(item: Held) -> str | None:
        with Client(embedded.connection("demo-app")) as app:
            found: str | None = app.get(item.inference).output
            return found

    return get
