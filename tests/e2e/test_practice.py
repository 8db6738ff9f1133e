"""A newcomer's practice item over the wire and from a terminal, at a real server with the real checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from attending.client import AttendingApiError, Client, FhirClient, ReviewClient
from attending.server.bootstrap.folder import REPLAY_FILE
from attending.server.cli.review import load_key
from attending.v1 import review_pb2

from tests.e2e.calls import TIMEOUT, entries
from tests.e2e.server_process import ServerProcess
from tests.e2e.test_console import signed_in

NEWCOMER, OTHER = "demo-pharmacist", "dr-chen"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that nobody has signed at."""
    process = ServerProcess(tmp_path_factory.mktemp("practice") / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


def command(server: ServerProcess, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "attending.server.cli.main", *words, "--data", str(server.folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_practice_item_over_the_wire(fresh: ServerProcess) -> None:
    with signed_in(fresh, NEWCOMER) as browser:
        # A table that a page renews by itself makes none: who left it open would be given one after the other.
        by_itself = {**HTML, "X-Attending-Background": "1"}
        assert browser.get("/?part=rows", headers=by_itself).status_code == 200
        with ReviewClient(fresh.connection(NEWCOMER)) as mine:
            assert not [one for one in mine.queue() if one.practice]
        assert 'id="practice"' in browser.get("/", headers=HTML).text
    with ReviewClient(fresh.connection(OTHER)) as other, ReviewClient(fresh.connection(NEWCOMER)) as mine:
        [line] = [one for one in mine.queue() if one.practice]
        assert not [one for one in other.queue() if one.ticket_id == line.ticket_id]
        with pytest.raises(AttendingApiError) as refused:
            other.item(line.ticket_id)
        assert refused.value.reason == "UNKNOWN_TICKET"
        shown = command(fresh, "review", "show", line.ticket_id, "--as", NEWCOMER)
        assert "practice: made-up patient, nothing is sent" in shown
        assert "nothing is sent" in command(fresh, "review", "list", "--as", NEWCOMER)
        # Signed as it is, which a good reader would not do.
        key = load_key(fresh.folder / fresh.endpoint()["identities"][NEWCOMER]["signing_key"])
        lease = mine.claim(line.ticket_id).lease_id
        item = mine.item(line.ticket_id)
        for finding in item.findings[: item.item.open_findings]:
            mine.dispose(
                line.ticket_id,
                lease,
                finding.ordinal,
                review_pb2.DISPOSITION_ACCEPTED_RISK,
                reason_code="monitored",
            )
        prepared = mine.prepare(line.ticket_id, lease, key)
        answer = mine.sign(line.ticket_id, lease, prepared, key, reading_reason="other")
        assert (answer.item.state, answer.debrief.right, answer.debrief.kind) == ("debriefed", False, "error")
        assert answer.debrief.planted in item.output
        again = mine.item(line.ticket_id).debrief
        assert again == answer.debrief
    told = command(fresh, "review", "show", line.ticket_id, "--as", NEWCOMER)
    assert "missed" in told
    assert answer.debrief.source in told
    with pytest.raises(AttendingApiError), FhirClient(fresh.connection(NEWCOMER)) as fhir:
        fhir.bundle(line.ticket_id)
    with pytest.raises(AttendingApiError), Client(fresh.connection("demo-app")) as app:
        app.get(line.inference_id)
    with Client(fresh.connection("demo-auditor")) as auditor:
        types = [entry["type"] for entry in entries(auditor) if entry["stream"] == line.inference_id]
    assert types[-2:] == ["review.signed", "oversight.debriefed"]


def test_no_policy_says_that_nothing_is_planted(fresh: ServerProcess) -> None:
    assert "planted" not in command(fresh, "oversight", "summary")
    assert "planted errors found: none" in command(fresh, "oversight", "person", NEWCOMER)
