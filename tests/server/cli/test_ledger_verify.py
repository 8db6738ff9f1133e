"""`attending ledger verify` over a data folder: exit codes, what is said of the key, evidence kept, nothing changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.server.cli.ledger.verify import command
from attending.server.cli.outcome import CommandError, Exit

LOG = "clinic"


async def fill(data: Path, entries: int = 300) -> str:
    """A data folder as an embedded server lays it out; returns the log's key."""
    data.mkdir(exist_ok=True)
    config = LedgerConfig(data / "ledger", data / "keys", data / "published")
    async with await Ledger.open(config) as ledger:
        if LOG not in ledger.logs():
            await ledger.create_log(LOG, "attending.test/clinic")
        for number in range(entries):
            payloads = (Payload("prompt", b"text of a person"),) if number < 2 else ()
            await ledger.append(
                LOG, [PendingEntry("access.viewed", f"s{number}", "app:test", None, {}, payloads)]
            )
        await ledger.publish(LOG)
        key = ledger.verifier_key(LOG)
        (data / f"{LOG}.vkey").write_text(f"{key}\n")
    return key


def verify(data: Path, *arguments: str) -> int:
    result: Any = command.main(args=["--data", str(data), *arguments], standalone_mode=False)
    return int(result)


def alter(data: Path, script: str) -> None:
    with closing(sqlite3.connect(data / "ledger" / "ledger.db", isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(script)


async def test_a_sound_folder_verifies_and_the_key_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await fill(tmp_path / "data")
    assert verify(tmp_path / "data", "--payloads") == Exit.OK
    out = capsys.readouterr().out
    assert "key of the folder itself" in out
    assert "VERIFIED" in out
    assert "2 stored payloads" in out
    assert "\x1b" not in out
    assert verify(tmp_path / "data", "--key", key, "--fast", "--processes", "2") == Exit.OK
    assert "key given" in capsys.readouterr().out
    (tmp_path / "key").write_text(key)
    assert verify(tmp_path / "data" / "ledger", "--key", str(tmp_path / "key")) == Exit.INDETERMINATE
    assert "NO_SIGNED_HEAD" in capsys.readouterr().out


async def test_bad_entries_are_named_kept_and_left_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    await fill(data)
    alter(
        data,
        "UPDATE entry SET data = x'00ff' || data WHERE entry_index = 7; DELETE FROM entry WHERE entry_index = 260",
    )
    files = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in data.rglob("*.db")}
    assert verify(data, "--json", "--keep-bad", str(tmp_path / "evidence")) == Exit.FAILED
    (found,) = json.loads(capsys.readouterr().out)["logs"]
    assert found["verdict"] == "failed"
    assert [(item["index"], item["reason"]) for item in found["findings"] if item["check"] == "entries"] == [
        (7, "CANONICAL_FORM"), (260, "MISSING"),
    ]  # fmt: skip
    assert found["kept"] == [str(tmp_path / "evidence" / "clinic-7.entry")]
    assert (tmp_path / "evidence" / "clinic-7.entry").read_bytes().startswith(b"\x00\xff{")
    assert (tmp_path / "evidence" / "clinic-7.entry").stat().st_mode & 0o077 == 0
    assert files == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in data.rglob("*.db")}
    # Evidence that is there is not replaced.
    assert verify(data, "--keep-bad", str(tmp_path / "evidence")) == Exit.FAILED
    out = capsys.readouterr().out
    assert "entry 7: " in out
    assert "kept" not in out


async def test_pins_find_a_database_that_was_put_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    await fill(data, 3)
    shutil.copytree(data, tmp_path / "old")
    await fill(data, 3)
    pinned = data / "published" / "clinic.checkpoint"
    assert verify(data, "--pinned", str(pinned)) == Exit.OK
    assert verify(tmp_path / "old") == Exit.OK  # by itself it is sound
    assert verify(tmp_path / "old", "--pinned", str(pinned)) == Exit.FAILED
    assert "LOG_ROLLED_BACK" in capsys.readouterr().out


async def test_usage_and_what_cannot_be_read(tmp_path: Path) -> None:
    await fill(tmp_path / "data", 1)
    for arguments, code in (
        ((tmp_path / "absent",), Exit.USAGE),
        ((tmp_path / "data", "--log", "other"), Exit.USAGE),
        ((tmp_path / "data", "--key", "nonsense"), Exit.USAGE),
    ):
        with pytest.raises(CommandError) as caught:
            verify(*arguments)
        assert caught.value.code == code
        assert caught.value.next_step
    with pytest.raises(click.UsageError):
        verify(tmp_path / "data", "--processes", "0")
    (tmp_path / "data" / "ledger" / "ledger.db").write_bytes(b"not a database" * 500)
    with pytest.raises(CommandError) as caught:
        verify(tmp_path / "data")
    assert caught.value.code == Exit.FAILED
    assert "not verified" in caught.value.problem


async def test_payloads_that_are_gone_without_a_record_of_it_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(tmp_path / "data", 3)
    alter(tmp_path / "data", "DELETE FROM payload WHERE entry_index = 1")
    assert verify(tmp_path / "data") == Exit.OK
    assert verify(tmp_path / "data", "--payloads") == Exit.FAILED
    out = capsys.readouterr().out
    assert "entry 1: 1 payloads are gone" in out
    assert "text of a person" not in out


async def test_a_hostile_database_writes_nowhere_else_and_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(tmp_path / "data", 3)
    hostile = "../\x1b[2Jx"
    alter(
        tmp_path / "data",
        f"UPDATE log SET log_id = '{hostile}', origin = 'a\x1b[2J'; UPDATE log_head SET log_id = '{hostile}';"
        f" UPDATE entry SET log_id = '{hostile}', data = x'7b7d'",
    )
    evidence = tmp_path / "deep" / "evidence"
    assert verify(tmp_path / "data", "--keep-bad", str(evidence)) == Exit.FAILED
    assert "\x1b" not in capsys.readouterr().out
    assert {path.parent for path in tmp_path.rglob("*.entry")} == {evidence}


async def test_evidence_that_cannot_be_written_does_not_cost_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(tmp_path / "data", 3)
    alter(tmp_path / "data", "UPDATE entry SET data = x'7b7d' WHERE entry_index = 1")
    (tmp_path / "file").write_text("in the way")
    assert verify(tmp_path / "data", "--keep-bad", str(tmp_path / "file" / "evidence")) == Exit.FAILED
    captured = capsys.readouterr()
    assert "FAILED" in captured.out
    assert "evidence could not be written" in captured.err


async def test_a_log_that_no_given_key_is_of_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await fill(tmp_path / "data", 3)
    async with await Ledger.open(tmp_path / "other") as ledger:
        await ledger.create_log(LOG, "attending.test/other")
        other = ledger.verifier_key(LOG)
    assert verify(tmp_path / "data", "--key", other, "--key", key) == Exit.OK
    assert verify(tmp_path / "data", "--key", other) == Exit.FAILED
    assert "KEY_MISMATCH" in capsys.readouterr().out


async def test_each_log_of_a_folder_has_its_key_and_its_pins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    keys = [await fill(data, 3)]
    async with await Ledger.open(LedgerConfig(data / "ledger", data / "keys", data / "published")) as ledger:
        await ledger.create_log("second", "attending.test/second")
        await ledger.append("second", [PendingEntry("system.started", "s", "app:test", None, {})])
        await ledger.publish("second")
        keys.append(ledger.verifier_key("second"))
    pins = [
        part
        for name in (LOG, "second")
        for part in ("--pinned", str(data / "published" / f"{name}.checkpoint"))
    ]
    given = [part for key in keys for part in ("--key", key)]
    assert verify(data, *pins, *given) == Exit.OK
    assert capsys.readouterr().out.count("pinned `") == 2
    assert verify(data, "--log", "second", *pins, *given) == Exit.OK
    assert "clinic" not in capsys.readouterr().out
    (tmp_path / "junk").write_text("junk")
    assert verify(data, "--pinned", str(tmp_path / "junk")) == Exit.FAILED
    assert capsys.readouterr().out.count("NOTE_FORMAT") == 2
