"""A careless reviewer shows up in the oversight page, and careful ones do not: over the wire, at a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from attending.client import AttendingApiError, Client, OversightClient, ReviewClient
from attending.server.cli.review import load_key
from attending.v1 import common_pb2, inference_pb2, oversight_pb2, review_pb2

from tests.e2e.calls import TAGS, TIMEOUT, entries
from tests.e2e.server_process import ServerProcess
from tests.e2e.test_console import signed_in

TEXT = "Follow-up visit with the family doctor in one week, on a weekday. Bring the list of medicines."
EACH = 10


def held(server: ServerProcess) -> str:
    """A text that waits; its ticket."""
    with Client(server.connection("demo-app")) as app:
        request = inference_pb2.RecordRequest(
            idempotency_key=uuid.uuid4().hex,
            context=inference_pb2.InferenceContext(policy="discharge-plan", tags=TAGS),
            prompt="Write a plan.",
            output=TEXT,
            provider="elsewhere",
            model="unknown",
        )
        return str(app.inference.Record(request, timeout=TIMEOUT).result.ticket.ticket_id)


def review(server: ServerProcess, who: str, tickets: list[str], *, reads: bool) -> None:
    """Signs each as it is; whoever reads has had it before them for as long as it takes."""
    key = load_key(server.folder / server.endpoint()["identities"][who]["signing_key"])
    with ReviewClient(server.connection(who)) as reviewer:
        prepared = []
        for ticket in tickets:
            item = reviewer.item(ticket)
            lease = reviewer.claim(ticket).lease_id
            for finding in item.findings:
                if item.item.open_findings:
                    reviewer.dispose(
                        ticket,
                        lease,
                        finding.ordinal,
                        review_pb2.DISPOSITION_ACCEPTED_RISK,
                        reason_code="monitored",
                    )
            prepared.append((ticket, lease, reviewer.prepare(ticket, lease, key)))
        if reads:
            time.sleep(max(one.reading_floor_seconds for _ticket, _lease, one in prepared) + 1)
        for ticket, lease, one in prepared:
            reason = "" if reads else "short_of_time"
            reviewer.sign(ticket, lease, one, key, reading_reason=reason)


def test_a_careless_reviewer_shows_up_in_the_oversight_page(server: ServerProcess) -> None:
    tickets = [held(server) for _ in range(2 * EACH)]
    review(server, "dr-chen", tickets[:EACH], reads=True)
    review(server, "demo-pharmacist", tickets[EACH:], reads=False)
    with OversightClient(server.connection("demo-medical-director")) as director:
        flagged = {one.name: list(one.flags) for one in director.flagged()}
        figures = director.reviewer("demo-pharmacist")
    assert oversight_pb2.REVIEWER_FLAG_READS_TOO_FAST in flagged["demo-pharmacist"]
    assert "dr-chen" not in flagged
    assert figures.figures.short.hits >= EACH
    assert ("short_of_time", EACH) in {(one.reason_code, one.count) for one in figures.reading_reasons}
    with signed_in(server, "demo-medical-director") as browser:
        page = browser.get("/reviewers", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "demo-pharmacist" in page.text
        assert "dr-chen" not in page.text
        one = browser.get("/reviewers/demo-pharmacist", headers={"Accept": "text/html"}).text
        assert "I have no time" in one
        together = browser.get("/oversight", headers={"Accept": "text/html"}).text
        assert "not shown of fewer than five people" in together
        # The page of all together names nobody.
        assert "demo-pharmacist" not in together
    # Each look is on record.
    with Client(server.connection("demo-auditor")) as auditor:
        everything = list(entries(auditor))
    looks = [
        entry["body"]
        for entry in everything
        if entry["type"] == "access.viewed" and entry["body"].get("what") == "peer_review"
    ]
    assert {look.get("user") for look in looks} >= {None, "demo-pharmacist"}


@pytest.mark.parametrize("who", ["demo-safety-officer", "demo-auditor", "dr-chen", "demo-operator"])
def test_peer_review_is_for_the_medical_director_alone(server: ServerProcess, who: str) -> None:
    with OversightClient(server.connection(who)) as client:
        for call in (client.flagged, lambda: client.reviewer("dr-chen"), client.open_draw):
            with pytest.raises(AttendingApiError) as refused:
                call()
            assert refused.value.reason == "PERMISSION_DENIED"
    with signed_in(server, who) as browser:
        for path in ("/reviewers", "/reviewers/dr-chen"):
            assert browser.get(path).status_code == 403


def test_the_commands(server: ServerProcess, tmp_path: Path) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, "-m", "attending.server.cli.main", "oversight", *words]
        done = subprocess.run(
            [*command, "--data", str(server.folder)],
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "second reads wait" in run("summary")
    assert "signatures" in json.loads(run("summary", "--json"))
    assert "dr-chen" in run("person", "dr-chen")
    assert "entry" in run("open-draw")
    assert "committed by entry" in run("draw")
    for name in ("agreement", "rails", "reads", "person"):
        assert run(name)


def test_a_purpose_that_is_not_a_second_readers_is_denied(server: ServerProcess) -> None:
    payment = common_pb2.PURPOSE_OF_USE_PAYMENT
    connection = server.connection("dr-chen")
    with (
        OversightClient(connection, purpose=payment) as client,
        pytest.raises(AttendingApiError) as refused,
    ):
        client.second_read("red_0")
    assert refused.value.reason == "PERMISSION_DENIED"
