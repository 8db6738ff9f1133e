"""`attending doctor` as typed: on a new folder, beside a running server, and what it must not change or tell."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.files import FolderLock
from attending.server.bootstrap.folder import prepare, write_endpoint
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.demo.server import REPLAY
from attending.server.doctor.table import CHECKS

from tests.e2e.server_process import ServerProcess
from tests.server.doctor.sites import tree

QUICK = ("configuration", "clock", "disk", "keys", "tls", "database", "people", "machine")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """On a disk: a ledger in memory is red, and the other tests' folders may lie there."""
    with tempfile.TemporaryDirectory(prefix="att-doctor-", dir="/tmp") as folder:
        yield Path(folder)


def only(*groups: str) -> list[str]:
    return [word for group in groups for word in ("--group", group)]


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["doctor", *arguments, "--json"])
    printed = capsys.readouterr()
    assert printed.err == ""
    found: dict[str, Any] = json.loads(printed.out)
    return code, found


def new(folder: Path) -> Path:
    """A data folder that was made and not served, whose ports are no other program's."""
    made = prepare(folder)
    write_endpoint(made, 0, 0, {})
    return made.folder


def settled(folder: Path) -> None:
    """Returns when an idle server has published its newest heads: when nothing changes for two intervals."""
    before: object = None
    while before != (before := tree(folder, without=(".db-shm",))):
        time.sleep(2.5)


def test_a_new_folder_has_nothing_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new(tmp_path / "d")
    before = tree(tmp_path)
    code, found = as_json(capsys, "--data", str(tmp_path / "d"))
    assert code == Exit.OK
    assert found["format"] == "attending-doctor/1"
    assert found["counts"]["red"] == found["counts"]["unknown"] == 0
    assert {(one["group"], one["check"]) for one in found["findings"]} == {
        (one.group, one.name) for one in CHECKS
    }
    assert [one["reason"] for one in found["findings"] if one["group"] == "configuration"] == [
        "EMBEDDED_MODE",
        "OK",
    ]
    assert tree(tmp_path) == before
    # With --strict the warning of the embedded mode is enough.
    code, found = as_json(capsys, "--data", str(tmp_path / "d"), "--strict", *only("configuration"))
    assert (code, found["outcome"]) == (Exit.FAILED, "red")


def test_beside_a_running_server_and_after_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = ServerProcess(tmp_path / "d", Path(REPLAY))
    server.start()
    try:
        settled(tmp_path / "d")
        code, found = as_json(capsys, "--data", str(tmp_path / "d"), *only(*QUICK))
        assert code == Exit.OK, found
        ports = [one["detail"] for one in found["findings"] if one["check"] == "ports"]
        assert len(ports) == 3
        assert all("our server answers" in detail for detail in ports), ports
        # The index of the write-ahead log holds nothing of its own, and any reader may make it anew.
        before = tree(tmp_path / "d", without=(".db-shm",))
        as_json(capsys, "--data", str(tmp_path / "d"), *only(*QUICK))
        assert tree(tmp_path / "d", without=(".db-shm",)) == before
        assert server.connection("demo-app").target
    finally:
        assert server.stop() == 0
    before = tree(tmp_path / "d")
    # Without its ports: once it has stopped they are the default ones, which others on this machine may use.
    code, found = as_json(capsys, "--data", str(tmp_path / "d"), *only(*QUICK[:-1]))
    assert code == Exit.OK, found
    assert tree(tmp_path / "d") == before
    with FolderLock(tmp_path / "d/ledger"):  # nor does it wait for the lock, or take it
        assert as_json(capsys, "--data", str(tmp_path / "d"), *only("database"))[0] == Exit.OK


def test_what_is_red_is_told_with_the_next_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new(tmp_path / "d")
    (tmp_path / "d/tls/server.key").chmod(0o644)
    assert run(["doctor", "--data", str(tmp_path / "d"), *only("keys", "tls")]) == Exit.FAILED
    printed = capsys.readouterr()
    assert f"next: chmod 600 {tmp_path}/d/tls/server.key" in printed.out
    assert printed.out.splitlines()[-1].startswith("9 checks: ")
    assert "\x1b[" not in printed.out
    assert printed.err == ""


def test_a_configuration_that_does_not_load_is_the_only_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "attending.toml"
    path.write_text("[server]\nprot = 1\n")
    code, found = as_json(capsys, "--config", str(path))
    assert code == Exit.FAILED
    [one] = found["findings"]
    assert (one["state"], one["reason"], one["check"]) == ("red", "CONFIGURATION", "loads")
    assert one["next"]


def test_secrets_are_not_told(tmp_path: Path) -> None:
    folder = new(tmp_path / "d")
    done = subprocess.run(
        [sys.executable, "-m", "attending.server.cli.main", "doctor", "--data", str(folder), "--all"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    assert done.stderr == ""
    for path in folder.rglob("token"):
        assert path.read_text().strip() not in done.stdout
    for path in (*folder.rglob("*.key"), *folder.rglob("key.pem"), *folder.rglob("signing.pem")):
        body = "".join(path.read_text().splitlines()[1:-1])
        assert body[20:60] not in done.stdout.replace("\n", "")
    assert "Dr Rivera" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--group", "nonsense"], "no group `nonsense`"),
        ([], "there is no folder `attending-data`"),
        (["--config", "a", "--data", "b"], "exclude each other"),
    ],
)
def test_usage(
    arguments: list[str],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["doctor", *arguments]) == Exit.USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert part in line
    assert "; next: " in line
