"""A real server's projections: lost, refused while they are incomplete, made again, and served as before."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from attending.client import Client, ReviewClient
from attending.server import projections
from attending.server.demo.server import REPLAY

from tests.e2e.calls import infer_request
from tests.e2e.server_process import ServerProcess, ended


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in a folder laid out as `attending serve` makes it."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "attending.server.cli.main",
            "ledger",
            "rebuild",
            "--data",
            str(folder),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


@pytest.mark.kill
def test_lost_projections_are_refused_made_again_and_served_as_before(
    tmp_path: Path, ends: ExitStack
) -> None:
    server = ServerProcess(tmp_path / "data", Path(REPLAY))
    ends.enter_context(ended(server))
    server.start()
    with Client(server.connection("demo-app")) as app:
        calls = [
            infer_request(),
            infer_request(policy="discharge-plan", model="plan-pneumonia"),
            infer_request(policy="patient-message", model="message-metformin"),
        ]
        before = [app.inference.Infer(call, timeout=60).result for call in calls]
    with ReviewClient(server.connection("dr-rivera")) as clinician:
        ticket = next(answer.ticket.ticket_id for answer in before if answer.ticket.ticket_id)
        lease = clinician.claim(ticket).lease_id
    assert command(server.folder).returncode == 1  # the server holds the folder
    server.kill()

    checked = command(server.folder, "--check", "--json")
    assert checked.returncode == 0, checked.stderr
    [tenant] = [log for log in json.loads(checked.stdout)["logs"] if log["log"] != "system"]
    assert tenant["rows"]["inference"] == 3

    # What a rebuild leaves that was killed after its first transaction.
    with sqlite3.connect(server.folder / "ledger" / "ledger.db") as connection:
        connection.execute("UPDATE ledger SET value = 1 WHERE name = 'rebuilding'")
        for table in projections.metadata.tables:
            connection.execute(f"DELETE FROM {table}")
    connection.close()
    with pytest.raises(AssertionError, match="PROJECTIONS_INCOMPLETE"):
        server.start()
    assert "next: run `attending ledger rebuild`" in server.tail()

    done = command(server.folder, "--json")
    assert done.returncode == 0, done.stderr
    assert {log["log"]: log["rows"] for log in json.loads(done.stdout)["logs"]}[tenant["log"]] == tenant[
        "rows"
    ]
    server.start()
    with Client(server.connection("demo-app")) as app:
        again = [app.inference.Infer(call, timeout=60).result for call in calls]
    for old, new in zip(before, again, strict=True):
        assert (new.inference_id, new.state, new.output) == (old.inference_id, old.state, old.output)
        assert (new.ticket.ticket_id, new.ticket.expires) == (old.ticket.ticket_id, old.ticket.expires)
    with ReviewClient(server.connection("dr-rivera")) as clinician:
        clinician.renew(ticket, lease)  # refused unless the lease stands in the row
    assert server.stop() == 0
