"""The console opened by a record system, over HTTP without a browser: what a launch opens, and what it never does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.e2e.launched import WHO, Place, placed

FRAME = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}
WINDOW = {"Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with placed(tmp_path_factory.mktemp("launched")) as made:
        yield made


class Visitor:
    """A browser as far as it matters here: cookies by name, sent back as they are, and no redirect followed."""

    def __init__(self, place: Place, headers: dict[str, str]) -> None:
        self.place = place
        self.headers = headers
        self.cookies: dict[str, str] = {}
        self.set: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._ask("GET", path, {"Accept": "text/html", **self.headers, **headers})

    def post(self, path: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
        framed = {"X-Attending-Framed": "1"} if self.headers is FRAME else {}
        ours = {"Origin": self.place.url, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
        return self._ask("POST", path, {**ours, **framed, **headers}, json=fields)

    def _ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> httpx.Response:
        url = path if path.startswith("http") else f"{self.place.url}{path}"
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = httpx.request(method, url, headers={**headers, "Cookie": sent}, timeout=30, **more)
        for said in answer.headers.get_list("set-cookie"):
            name, _equals, rest = said.partition("=")
            self.cookies[name] = rest.partition(";")[0]
            self.set[name] = said
        return answer

    def back_from(self, launch: str) -> str:
        """Goes to the record system and returns the address that it sends the browser back to."""
        away = self.get(launch)
        assert away.status_code == 303, away.text
        answer = httpx.get(away.headers["location"])
        assert answer.status_code == 302, answer.text
        return answer.headers["location"].removeprefix(self.place.url)

    def open(self, patient: str) -> httpx.Response:
        """Launches for a patient; the page that it ends at."""
        answer = self.get(self.back_from(self.place.launch(patient)))
        assert answer.status_code == 303, answer.text
        while answer.status_code == 303:
            answer = self.get(answer.headers["location"])
        return answer


def started(place: Place) -> list[dict[str, Any]]:
    return [one["body"] for one in place.entries() if one["type"] == "session.started"]


def test_the_one_item_of_a_patient_is_opened_and_the_look_is_on_record(place: Place) -> None:
    ticket, _inference = place.hold("p-17")
    visitor = Visitor(place, WINDOW)
    page = visitor.open("p-17")
    assert page.status_code == 200
    assert f'data-ticket="{ticket}"' in page.text
    entries = place.entries()
    search, look = [
        one for one in entries if one["type"].startswith("access.") and one["actor"] == f"human:{WHO}"
    ][-2:]
    assert (search["type"], search["body"]["what"], search["body"]["purpose_of_use"]) == (
        "access.searched",
        "launch",
        "TREAT",
    )
    assert (look["type"], look["body"]["ticket"]) == ("access.viewed", ticket)
    assert search["subject"] == look["subject"] is not None
    assert "p-17" not in str(entries)
    [mine] = [one for one in started(place) if one["credential"] == "smart"][-1:]
    assert "framed" not in mine
    said = visitor.set["attending"]
    assert "SameSite=lax" in said
    assert "HttpOnly" in said
    # A session of its own window has the queue as any other, and comes back to the patient from the item.
    assert visitor.get("/").status_code == 200
    assert "This patient" in page.text


def test_a_patient_whom_nobody_wrote_about_is_told_like_one_without_items(place: Place) -> None:
    visitor = Visitor(place, WINDOW)
    known, unknown = visitor.open("p-none"), visitor.open("p-other")
    for page in (known, unknown):
        assert page.status_code == 200
        assert "Nothing waits for this patient" in page.text
        assert "tkt_" not in page.text
    plain = re.compile(r'data-now="[^"]*"|lch_[0-9a-f]+')
    assert plain.sub("", known.text) == plain.sub("", unknown.text)


def test_a_session_in_a_frame_has_its_patients_items_and_nothing_else(place: Place) -> None:
    ticket, _inference = place.hold("p-18")
    other, _inference = place.hold("p-17")
    visitor = Visitor(place, FRAME)
    page = visitor.open("p-18")
    assert f'data-ticket="{ticket}"' in page.text
    assert f"frame-ancestors {place.ehr.url}" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers
    assert "SameSite=None; Secure; Partitioned" in visitor.set["attending-framed"]
    assert "attending" not in visitor.set
    # Another patient's item is none; nor is anything else there, whatever the person may do elsewhere.
    assert visitor.get(f"/items/{other}").status_code == 404
    for path in ("/", "/recalls", "/break-glass", "/account", "/policies"):
        refused = visitor.get(path, Accept="application/json")
        assert (refused.status_code, refused.json()["reason"]) == (403, "NOT_IN_A_FRAME"), path
        assert refused.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
    token = page.text.split('name="attending-csrf" content="')[1].split('"')[0]
    csrf = {"X-Attending-CSRF": token}
    step = {"idempotency_key": "frame-1"}
    for path in (
        f"/items/{ticket}/break-glass",
        f"/items/{ticket}/withdraw",
        "/session/others",
        "/stop/halt",
    ):
        assert visitor.post(path, step, **csrf).json()["reason"] == "NOT_IN_A_FRAME", path
    assert visitor.post(f"/items/{other}/claim", step, **csrf).json()["reason"] == "UNKNOWN_TICKET"
    # A change needs the page's token and our own origin, as anywhere.
    assert visitor.post(f"/items/{ticket}/claim", step).json()["reason"] == "WRONG_TOKEN"
    for wrong in ({"Origin": place.ehr.url}, {"Sec-Fetch-Site": "cross-site"}):
        assert visitor.post(f"/items/{ticket}/claim", step, **csrf, **wrong).text.startswith("WRONG_ORIGIN")
    assert visitor.post(f"/items/{ticket}/claim", step, **csrf).json()["lease"]
    # Who passes it on comes back to the patient: the queue is in no frame.
    mine = visitor.get(f"/items/{ticket}").text
    assert 'id="escalate-dialog"' in mine
    assert 'data-then="/"' not in mine
    # Its cookie is nobody's in a window, under either name.
    window = Visitor(place, WINDOW)
    for name in ("attending", "attending-framed"):
        window.cookies = {name: visitor.cookies["attending-framed"]}
        assert window.get(f"/items/{ticket}").headers["location"].startswith("/sign-in")
    # Signed out, a frame is shown no way to sign in.
    assert visitor.post("/session/out", {}, **csrf).json() == {"next": "/smart/ended"}
    visitor.cookies["attending-framed"] = "guess"
    gone = visitor.get(f"/items/{ticket}")
    assert (gone.status_code, "/sign-in" in gone.text) == (401, False)


def test_a_window_s_session_is_none_in_a_frame(place: Place) -> None:
    place.hold("p-17")
    visitor = Visitor(place, WINDOW)
    visitor.open("p-17")
    framed = Visitor(place, FRAME)
    # A record system of the same site has the browser send it along.
    framed.cookies = dict(visitor.cookies)
    assert framed.get("/", Accept="application/json").json()["reason"] == "MISSING_CREDENTIAL"
    framed.cookies["attending-framed"] = visitor.cookies["attending"]
    assert framed.get("/", Accept="application/json").json()["reason"] == "SESSION_ENDED"


def test_windows_keep_their_patients_in_one_session(place: Place) -> None:
    ann, ben = place.hold("p-17")[0], place.hold("p-18")[0]
    visitor = Visitor(place, WINDOW)
    first = visitor.get(visitor.back_from(place.launch("p-17"))).headers["location"]
    before = len(started(place))
    second = visitor.get(visitor.back_from(place.launch("p-18"))).headers["location"]
    assert first != second
    assert len(started(place)) == before
    for path, mine, theirs in ((first, ann, ben), (second, ben, ann), (first, ann, ben)):
        page = visitor.get(f"{path}?list=1").text
        assert mine in page
        assert theirs not in page
    # Another's launch is nobody's here.
    assert Visitor(place, WINDOW).get(first).headers["location"].startswith("/sign-in")
    assert visitor.get("/smart/patients/lch_000000000000000000000000").status_code == 404


def test_another_person_at_the_same_browser_ends_the_first_one_s_session(place: Place) -> None:
    visitor = Visitor(place, WINDOW)
    visitor.open("p-none")
    had = visitor.cookies["attending"]
    place.ehr.faults = {"claims": {"sub": "u-second"}}
    try:
        visitor.open("p-none")
    finally:
        place.ehr.faults = {}
    assert visitor.cookies["attending"] != had
    visitor.cookies["attending"] = had
    assert "ended=1" in visitor.get("/").headers["location"]


def test_who_is_nobody_here_is_let_in_nowhere_and_made_by_nothing(place: Place) -> None:
    before = place.entries()
    for faults in (
        {"claims": {"sub": "stranger"}},
        {"claims": {"sub": "u-osei", "fhirUser": "Patient/p-17"}},
        # The person whom the token names is another one there than the identity says.
        {"claims": {"sub": "u-osei", "fhirUser": "Practitioner/u-second"}},
        {"claims": {"exp": 1_700_000_300, "iat": 1_700_000_000}},
    ):
        visitor = Visitor(place, WINDOW)
        place.ehr.faults = faults
        try:
            answer = visitor.get(visitor.back_from(place.launch("p-17")), Accept="application/json")
        finally:
            place.ehr.faults = {}
        assert answer.status_code == 401, faults
        assert "attending" not in visitor.cookies
    made = {one["type"] for one in place.entries()[len(before) :]}
    assert not made & {"session.started", "user.enrolled", "access.searched"}


def test_a_launch_of_another_server_asks_nobody_and_leads_nowhere(place: Place) -> None:
    visitor = Visitor(place, WINDOW)
    place.other.asked.clear()
    for iss in (
        place.other.fhir,
        f"{place.ehr.fhir}/../fhir",
        f"{place.ehr.fhir}@evil.example",
        "",
        "file:///etc",
    ):
        answer = visitor.get(f"/smart/launch?iss={iss}&launch=x", Accept="application/json")
        assert (answer.status_code, answer.json()["reason"]) == (409, "LAUNCH_REFUSED"), iss
    assert place.other.asked == []
    assert visitor.cookies == {}
    # There is no parameter that says where to go on to.
    back = visitor.back_from(place.launch("p-none"))
    answer = visitor.get(f"{back}&next=https://evil.example/&redirect_uri=https://evil.example/")
    assert re.fullmatch(r"/smart/patients/lch_[0-9a-f]{24}", answer.headers["location"])


def test_what_a_browser_brings_back_is_its_own_and_taken_once(place: Place) -> None:
    visitor, victim = Visitor(place, WINDOW), Visitor(place, WINDOW)
    back = visitor.back_from(place.launch("p-none"))
    # In another browser, which began none or another.
    assert victim.get(back, Accept="application/json").json()["reason"] == "CEREMONY_OVER"
    victim.back_from(place.launch("p-none"))
    assert victim.get(back, Accept="application/json").json()["reason"] == "CEREMONY_OVER"
    # Begun in a window, brought back in a frame.
    framed = Visitor(place, FRAME)
    framed.cookies = dict(visitor.cookies)
    assert framed.get(back, Accept="application/json").json()["reason"] == "CEREMONY_OVER"
    again = visitor.back_from(place.launch("p-none"))
    assert visitor.get(again).status_code == 303
    assert visitor.get(again, Accept="application/json").json()["reason"] == "CEREMONY_OVER"
    state = dict(parse_qsl(urlsplit(again).query))["state"]
    log = place.server.log.read_text(errors="replace")
    assert state not in log
    for secret in (*place.ehr.tokens, *visitor.cookies.values()):
        assert not secret or secret not in log
