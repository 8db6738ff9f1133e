"""The console over HTTP, without a browser: who is let in, what is refused, and that a model's text stays text."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from attending.client import Client, ReviewClient
from attending.server.cli.console import sign_in_link
from attending.server.cli.outcome import CommandError, Exit
from attending.server.console.words import home
from attending.v1 import common_pb2, inference_pb2

from tests.e2e.calls import TAGS, TIMEOUT, entries
from tests.e2e.server_process import ServerProcess

HOSTILE = (
    "Take amoxicillin 500 mg three times a day.</div><script>alert(1)</script>"
    '<img src=x onerror="alert(2)">{{ 7 * 7 }}'
)


@pytest.fixture(scope="module")
def url(server: ServerProcess) -> str:
    return str(server.endpoint()["console_url"])


@contextmanager
def signed_in(server: ServerProcess, identity: str) -> Iterator[httpx.Client]:
    """A browser with a session of that person."""
    link = urlsplit(sign_in_link(server.folder, identity)["url"])
    origin = f"{link.scheme}://{link.netloc}"
    headers = {"Origin": origin, "Accept": "application/json"}
    with httpx.Client(base_url=origin, headers=headers, timeout=TIMEOUT) as browser:
        answer = browser.post(link.path, json={"secret": link.fragment})
        assert answer.status_code == 200, answer.text
        yield browser


@pytest.fixture(scope="module")
def rivera(server: ServerProcess) -> Iterator[httpx.Client]:
    with signed_in(server, "dr-rivera") as browser:
        yield browser


def csrf(browser: httpx.Client) -> str:
    page = browser.get("/").text
    return page.split('name="attending-csrf" content="')[1].split('"')[0]


def step(browser: httpx.Client, path: str, **fields: Any) -> httpx.Response:
    fields.setdefault("idempotency_key", uuid.uuid4().hex)
    return browser.post(path, json=fields, headers={"X-Attending-CSRF": csrf(browser)})


@pytest.fixture(scope="module")
def ticket(server: ServerProcess) -> str:
    """An item whose text is hostile as HTML."""
    with Client(server.connection("demo-app")) as app:
        request = inference_pb2.RecordRequest(
            idempotency_key=uuid.uuid4().hex,
            context=inference_pb2.InferenceContext(
                policy="discharge-plan",
                patient=common_pb2.PatientContext(
                    identity=common_pb2.PatientIdentity(names=["<i>Ann</i>"], mrn="SYN-1")
                ),
                tags=TAGS,
            ),
            prompt="<b>plan</b>",
            output=HOSTILE,
            provider="elsewhere",
            model="unknown",
        )
        result = app.inference.Record(request, timeout=TIMEOUT).result
    assert result.ticket.ticket_id
    return str(result.ticket.ticket_id)


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def test_nothing_is_shown_without_a_session(url: str, ticket: str) -> None:
    with httpx.Client(base_url=url, headers={"Accept": "text/html"}) as stranger:
        for path in ("/", f"/items/{ticket}", "/live"):
            answer = stranger.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in?next=%2F")
        assert "attending console open" in stranger.get("/sign-in").text
        stranger.cookies.set("attending", "guess")
        assert "ended=1" in stranger.get("/").headers["location"]
        # A bearer token of somebody who may read it all is no session.
        assert stranger.get("/nowhere").status_code == 404


def test_the_text_of_a_model_stays_text(rivera: httpx.Client, ticket: str) -> None:
    answer = rivera.get(f"/items/{ticket}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert "&lt;i&gt;Ann&lt;/i&gt;" in answer.text
    assert "&lt;b&gt;plan&lt;/b&gt;" in answer.text
    assert "{{ 7 * 7 }}" in answer.text
    # Every script and sheet is a file of the console's own.
    assert " onclick" not in answer.text
    assert "<style" not in answer.text
    assert "style=" not in answer.text.replace("data-style", "")
    assert answer.text.count("<script") == answer.text.count('<script type="module" src="/static/')
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


def test_a_look_is_on_record_before_it_is_given(
    server: ServerProcess, rivera: httpx.Client, ticket: str
) -> None:
    rivera.get(f"/items/{ticket}")
    with Client(server.connection("demo-auditor")) as auditor:
        looks = [
            entry
            for entry in entries(auditor)
            if entry["type"] == "access.viewed" and entry["body"].get("ticket") == ticket
        ]
        started = [entry for entry in entries(auditor) if entry["type"] == "session.started"]
    assert looks
    assert looks[-1]["body"]["purpose_of_use"] == "TREAT"
    assert {entry["body"]["credential"] for entry in started} == {"link"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "https://evil.example"}, "WRONG_ORIGIN"),
        ({"Origin": "null"}, "WRONG_ORIGIN"),
        ({"Sec-Fetch-Site": "cross-site"}, "WRONG_ORIGIN"),
        ({"Sec-Fetch-Site": "same-site"}, "WRONG_ORIGIN"),
        ({"Host": "evil.example"}, "WRONG_ADDRESS"),
    ],
)
def test_another_site_changes_nothing(
    rivera: httpx.Client, ticket: str, headers: dict[str, str], expected: str
) -> None:
    token = {"X-Attending-CSRF": csrf(rivera)}
    answer = rivera.post(
        f"/items/{ticket}/claim", json={"idempotency_key": "k"}, headers={**token, **headers}
    )
    assert answer.text.startswith(expected)
    assert answer.status_code in (403, 421)


def test_a_change_needs_the_token_of_a_page(rivera: httpx.Client, ticket: str) -> None:
    for token in ("", "guess"):
        answer = rivera.post(
            f"/items/{ticket}/claim", json={"idempotency_key": "k"}, headers={"X-Attending-CSRF": token}
        )
        assert reason(answer) == (403, "WRONG_TOKEN")
    assert rivera.get(f"/items/{ticket}/claim").status_code == 404


def test_a_host_that_is_this_machine_by_another_name_is_sent_to_the_right_one(url: str) -> None:
    port = urlsplit(url).port
    answer = httpx.get(f"http://127.0.0.1:{port}/sign-in")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{url}/sign-in")


def test_an_item_is_claimed_decided_on_edited_and_rejected(
    server: ServerProcess, rivera: httpx.Client, ticket: str
) -> None:
    path = f"/items/{ticket}"
    key = uuid.uuid4().hex
    first = step(rivera, f"{path}/claim", idempotency_key=key).json()
    # A button that was pressed twice is one step.
    assert step(rivera, f"{path}/claim", idempotency_key=key).json()["lease"] == first["lease"]
    lease = first["lease"]
    with signed_in(server, "dr-chen") as chen:
        assert reason(step(chen, f"{path}/claim")) == (409, "ALREADY_CLAIMED")
        assert reason(step(chen, f"{path}/check", lease=lease, text="x")) == (409, "LEASE_NOT_HELD")
        assert step(chen, f"{path}/status").json() == {"state": "held", "lease": None, "judged": "held"}
        assert "Somebody else reviews this" in chen.get(path).text
    dangerous = "Take amoxicillin 5000 mg by mouth three times a day and methotrexate 15 mg daily."
    told = step(rivera, f"{path}/check", lease=lease, text=dangerous).json()
    assert told["changed"]
    assert told["blocking"]
    assert all(one["message"] and one["severity_words"] for one in told["blocking"])
    assert "".join(text for kind, text in told["changes"] if kind != "gone") == dangerous
    assert step(rivera, f"{path}/check", lease=lease, text=HOSTILE).json()["blocking"] == []
    with ReviewClient(server.connection("dr-rivera")) as clinician:
        item = clinician.item(ticket)
    page = rivera.get(path).text
    for finding in item.findings:
        assert f'id="finding-{finding.ordinal}"' in page
    assert reason(step(rivera, f"{path}/dispose", lease=lease, finding=99, disposition="fixed")) == (
        404,
        "UNKNOWN_FINDING",
    )
    for wrong in ({"finding": "0"}, {"finding": True}, {"finding": 0, "disposition": "maybe"}):
        fields = {"disposition": "fixed", **wrong}
        assert reason(step(rivera, f"{path}/dispose", lease=lease, **fields)) == (400, "INVALID_REQUEST")
    assert step(rivera, f"{path}/release", lease=lease).json()["state"] == "held"
    assert reason(step(rivera, f"{path}/release", lease=lease)) == (409, "LEASE_NOT_HELD")
    lease = step(rivera, f"{path}/claim").json()["lease"]
    done = step(rivera, f"{path}/reject", lease=lease, reason_code="wrong", note="no").json()
    assert done["state"] == "rejected"
    told = step(rivera, f"{path}/reject", lease=lease, reason_code="wrong")
    assert reason(told) == (409, "ILLEGAL_TRANSITION")
    # The back button shows what is, and offers nothing.
    page = rivera.get(path).text
    assert 'class="state rejected"' in page
    assert 'id="reject"' not in page


def test_who_may_not_review_is_refused_by_the_policies(server: ServerProcess, ticket: str) -> None:
    with signed_in(server, "demo-auditor") as auditor:
        first = auditor.get("/")
        assert (first.status_code, first.headers["location"]) == (303, home(["auditor"]))
        assert first.headers["location"] != "/", "the queue is the first page of those who review"
        assert reason(auditor.get(f"/items/{ticket}")) == (403, "PERMISSION_DENIED")


def test_a_body_that_is_none(rivera: httpx.Client, ticket: str) -> None:
    headers = {"X-Attending-CSRF": csrf(rivera), "Content-Type": "application/json"}
    for body in (b"", b"[]", b"{", b"[" * 100_000, b'"x"', b"\xff"):
        answer = rivera.post(f"/items/{ticket}/claim", content=body, headers=headers)
        assert reason(answer) == (400, "INVALID_REQUEST")


def test_signing_out_ends_the_session_and_elsewhere_ends_the_others(server: ServerProcess) -> None:
    with signed_in(server, "demo-pharmacist") as one, signed_in(server, "demo-pharmacist") as two:
        assert "also signed in elsewhere" in two.get("/").text
        assert step(two, "/session/others").json() == {"ended": 1}
        assert reason(one.get("/")) == (401, "SESSION_ENDED")
        token = csrf(two)
        assert two.post("/session/out", json={}, headers={"X-Attending-CSRF": token}).status_code == 200
        assert two.get("/").status_code == 401


def test_a_link_is_asked_for_by_people_only(server: ServerProcess, url: str) -> None:
    with pytest.raises(CommandError) as caught:
        sign_in_link(server.folder, "demo-app")
    assert caught.value.code == Exit.USAGE
    app = server.endpoint()["identities"]["demo-app"]
    token = (server.folder / app["token"]).read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    assert reason(httpx.post(f"{url}/sign-in/links", json={}, headers=headers)) == (403, "ROLE_NOT_PERMITTED")
    headers["Authorization"] = "Bearer att_00000000_nothing"
    assert httpx.post(f"{url}/sign-in/links", json={}, headers=headers).status_code == 401
    with httpx.Client(base_url=url, headers={"Origin": url, "Accept": "application/json"}) as stranger:
        assert reason(stranger.post("/sign-in/link", json={"secret": "x"})) == (401, "LINK_NOT_VALID")


def test_a_page_is_told_of_changes_and_of_the_end_of_its_session(server: ServerProcess) -> None:
    with signed_in(server, "dr-chen") as browser:
        token = csrf(browser)
        with browser.stream("GET", "/live", headers={"Accept": "text/event-stream"}) as stream:
            events = (line for line in stream.iter_lines() if line.startswith("event:"))
            assert next(events) == "event: hello"
            with Client(server.connection("demo-app")) as app:
                app.infer(
                    "discharge-plan",
                    "x",
                    provider="replay",
                    model="plan-ra",
                    tags=TAGS,
                    timeout_seconds=TIMEOUT,
                )
            assert next(events) == "event: changed"
            browser.post("/session/out", json={}, headers={"X-Attending-CSRF": token})
            assert "event: ended" in list(events)
