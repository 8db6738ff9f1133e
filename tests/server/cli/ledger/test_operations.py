"""`attending ledger status, tail, show, backup, restore`: beside a server, on a stopped ledger, on PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.store import schema
from attending.server import projections
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

from tests.ledger.engine.postgres import LOGIN, prepared_cluster
from tests.postgres_cluster import Cluster

LOG = "clinic"
SIZE = 300
SECRET = "Jane Q. Patient takes 40 mg"


def config_of(data: Path, **settings: Any) -> LedgerConfig:
    """The embedded layout: the ledger, its keys and its published heads side by side."""
    return LedgerConfig(
        data / "ledger",
        keys_folder=data / "keys",
        publish_folder=data / "published",
        **{"publish_interval_seconds": 3600.0, **settings},
    )


async def fill(ledger: Ledger, size: int = SIZE) -> None:
    """Entries with payloads, a claim, and an erased subject whose entries are the odd ones."""
    await ledger.create_log("system", "attending.test/system")
    await ledger.create_log(LOG, "attending.test/clinic")
    stays, gone = await ledger.pseudonym(LOG, "MRN 1"), await ledger.pseudonym(LOG, "MRN 2")
    for start in range(0, size - 1, 50):
        entries = [
            PendingEntry(
                "inference.held" if number % 10 == 0 else "inference.requested",
                f"inf-{number}",
                "app:test",
                (stays, gone)[number % 2],
                {"n": number},
                (Payload("prompt", SECRET.encode()),),
            )
            for number in range(start, min(start + 50, size - 1))
        ]
        await ledger.append(LOG, entries, claim=Claim(f"k{start}", b"f" * 32, f"inf-{start}"))
    await ledger.erase_subject(LOG, gone)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a server that has stopped."""

    async def make() -> None:
        async with await Ledger.open(config_of(tmp_path / "data")) as ledger:
            await fill(ledger)

    asyncio.run(make())
    return tmp_path / "data"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Path, Ledger]]:
    """A data folder whose ledger is open in this process, published once."""
    async with await Ledger.open(config_of(tmp_path / "data")) as ledger:
        await fill(ledger)
        await ledger.publish(LOG)
        await ledger.publish("system")
        yield tmp_path / "data", ledger


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    yield from prepared_cluster(projections.metadata)


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def corrupt(data: Path, script: str) -> None:
    """Changes rows as somebody with the file can; the triggers are put back."""
    with closing(sqlite3.connect(data / "ledger" / "ledger.db", isolation_level=None)) as connection:
        for name in schema.SQLITE_TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(script)
        for statement in schema.SQLITE_TRIGGERS.values():
            connection.execute(statement)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("error: ")
    assert "; next: " in line
    return line


# --- reading -------------------------------------------------------------------------------------------------


def test_reading_commands_change_no_byte_and_never_show_content(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = bytes_of(data)
    for arguments in (
        ["status"],
        ["status", "--json"],
        ["status", "--quick"],
        ["tail", "-n", "500"],
        ["tail", "--json"],
        ["show", "5"],
        ["show", "5", "--json"],
        ["show", "--stream", "inf-7"],
    ):
        assert run(["ledger", *arguments, "--data", str(data)]) == Exit.OK
        printed = capsys.readouterr()
        assert printed.err == ""
        assert printed.out
        assert "Jane" not in printed.out
        assert "\x1b[" not in printed.out
    assert bytes_of(data) == before
    assert not list((data / "ledger").glob("ledger.db-*"))


async def test_status_beside_a_running_server(
    running: tuple[Path, Ledger], capsys: pytest.CaptureFixture[str]
) -> None:
    data, ledger = running
    await ledger.append(LOG, [PendingEntry("inference.requested", "new", "app:test", None, {})])
    before = bytes_of(data)
    assert await asyncio.to_thread(run, ["ledger", "status", "--json", "--data", str(data)]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert bytes_of(data) == before
    assert found["outcome"] == "ok"
    assert (found["engine"], found["schema_version"]) == ("sqlite", schema.SCHEMA_VERSION)
    assert found["wal_bytes"] > 0
    logs = {log["log"]: log for log in found["logs"]}
    clinic = logs[LOG]
    assert (clinic["size"], clinic["published_size"], clinic["lag"]) == (SIZE + 1, SIZE, 1)
    assert clinic["root"] == (await ledger.head(LOG))[1].hex()
    assert clinic["verifier_key"] == ledger.verifier_key(LOG)
    assert (clinic["payloads"], clinic["subjects"], clinic["erasures"]) == (SIZE // 2, 1, 1)
    assert (clinic["claims"], clinic["expired_claims"]) == (6, 0)
    assert clinic["bytes_per_entry"] == round(clinic["entry_bytes"] / clinic["size"])
    assert clinic["findings"] == []
    assert (logs["system"]["size"], logs["system"]["stopped"]) == (0, None)


def test_status_says_what_cannot_be_decided(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(data / "published")
    assert run(["ledger", "status", "--data", str(data)]) == Exit.INDETERMINATE
    printed = capsys.readouterr().out
    assert "? NOT_PUBLISHED: no head of log `clinic` is published; next: " in printed
    assert printed.splitlines()[-1].startswith("undecided: ")
    assert not (data / "published").exists()


def test_status_names_a_database_that_is_behind(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (data / "ledger" / "ledger.db").read_bytes()

    async def go_on() -> None:
        async with await Ledger.open(config_of(data)) as ledger:
            await ledger.append(LOG, [PendingEntry("inference.requested", "new", "app:test", None, {})])

    asyncio.run(go_on())
    (data / "ledger" / "ledger.db").write_bytes(kept)
    assert run(["ledger", "status", "--data", str(data), "--json"]) == Exit.FAILED
    found = json.loads(capsys.readouterr().out)
    [finding] = [one for log in found["logs"] for one in log["findings"]]
    assert finding["reason"] == "LOG_ROLLED_BACK"
    assert "301 were published" in finding["detail"]
    assert run(["ledger", "status", "--data", str(data)]) == Exit.FAILED
    assert "! LOG_ROLLED_BACK: " in capsys.readouterr().out


def test_status_names_a_bad_entry_a_missing_log_and_a_halt(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corrupt(data, f"UPDATE entry SET data = x'7b7d' WHERE entry_index = {SIZE - 1}")
    corrupt(data, "INSERT INTO log_stop VALUES ('system', 'OPERATOR_HALT')")
    note = (data / "published" / f"{LOG}.checkpoint").read_text()
    (data / "published" / "other.checkpoint").write_text(note)
    assert run(["ledger", "status", "--data", str(data), "--json"]) == Exit.FAILED
    found = json.loads(capsys.readouterr().out)
    logs = {log["log"]: log for log in found["logs"]}
    [finding] = logs[LOG]["findings"]
    assert (finding["reason"], finding["index"]) == ("CORRUPT_LOG", SIZE - 1)
    assert f"attending ledger show {SIZE - 1} --log clinic --data {data}`" in finding["next"]
    assert logs["system"]["stopped"] == "OPERATOR_HALT"
    assert [one["reason"] for one in found["findings"]] == ["LOG_MISSING"]
    assert run(["ledger", "status", "--data", str(data)]) == Exit.FAILED
    printed = capsys.readouterr().out
    assert "stopped    OPERATOR_HALT: takes no entries" in printed


def test_status_shows_emitters_where_they_are_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(data / "ledger" / "ledger.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE IF EXISTS emitter")
        connection.execute("CREATE TABLE emitter (log_id TEXT, name TEXT, issued INTEGER)")
        connection.execute("INSERT INTO emitter VALUES ('clinic', 'app:test', 41), ('system', 'other', 1)")
    assert run(["ledger", "status", "--data", str(data)]) == Exit.OK
    assert "emitter    name app:test, issued 41" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["status"], ["tail"], ["show", "5"], ["backup", "--out", "b"]])
def test_a_damaged_page_is_one_line_and_stays(
    data: Path, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    path = data / "ledger" / "ledger.db"
    whole = bytearray(path.read_bytes())
    for page in range(1, len(whole) // 4096):
        whole[page * 4096] = 0x77  # no kind of page
    path.write_bytes(whole)
    assert run(["ledger", *command, "--data", str(data)]) == Exit.FAILED
    line = one_line(capsys)
    assert "(DATABASE_DAMAGED)" in line
    assert "restore the newest backup" in line
    assert path.read_bytes() == whole
    assert not (data.parent / "b").exists()


# --- tail ----------------------------------------------------------------------------------------------------


def test_tail_prints_the_newest(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "tail", "-n", "3", "--data", str(data), "--json"]) == Exit.OK
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["index"] for row in rows] == [297, 298, 299]
    assert rows[-1]["type"] == "subject.erased"
    assert set(rows[0]) == {"log", "index", "time", "type", "stream", "actor", "subject"}
    arguments = ["ledger", "tail", "-n", "4", "--type", "*.held", "--data", str(data)]
    assert run(arguments) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == [260, 270, 280, 290]
    assert all("inference.held" in line for line in lines)
    assert run([*arguments, "-n", "500"]) == Exit.OK
    assert len(capsys.readouterr().out.splitlines()) == 30
    assert run([*arguments, "--log", "system"]) == Exit.OK
    assert run([*arguments, "--type", "none.*", "-n", "0"]) == Exit.OK
    assert capsys.readouterr().out == ""


def test_tail_names_what_does_not_parse_and_goes_on(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corrupt(data, "UPDATE entry SET data = x'ff00' WHERE entry_index = 298")
    assert run(["ledger", "tail", "-n", "3", "--data", str(data)]) == Exit.FAILED
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "does not parse" in lines[1]
    assert "attending ledger show 298 --log clinic" in lines[1]
    assert run(["ledger", "tail", "-n", "3", "--data", str(data), "--json"]) == Exit.FAILED
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("error") is not None for row in rows] == [False, True, False]


@pytest.mark.kill
def test_tail_follows_through_a_restart_and_ends_well_on_ctrl_c(data: Path) -> None:
    script = "import sys; from attending.server.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "ledger", "tail", "-f", "-n", "1", "--json", "--data", str(data)]

    async def append(stream: str, out: Any) -> dict[str, Any]:
        async with await Ledger.open(config_of(data)) as ledger:
            for _ in range(300):
                await ledger.append(LOG, [PendingEntry("inference.late", stream, "app:test", None, {})])
            rows = [json.loads(await asyncio.to_thread(out.readline)) for _ in range(300)]
        assert {row["stream"] for row in rows} == {stream}
        last: dict[str, Any] = rows[-1]
        return last

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert json.loads(process.stdout.readline())["index"] == SIZE - 1
            assert asyncio.run(append("one", process.stdout))["index"] == SIZE + 299
            # The server stops, and another starts: once with the file away in between.
            assert asyncio.run(append("two", process.stdout))["index"] == SIZE + 599
            moved = data / "ledger" / "away"
            (data / "ledger" / "ledger.db").rename(moved)
            assert process.stderr.readline() == "waiting for the database\n"
            moved.rename(data / "ledger" / "ledger.db")
            assert asyncio.run(append("three", process.stdout))["index"] == SIZE + 899
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == Exit.OK
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_what_others_chose_cannot_drive_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"

    async def make() -> None:
        async with await Ledger.open(config_of(data)) as ledger:
            await ledger.create_log(LOG, "attending.test/clinic")
            body = {"x": "\u202eright to left\u2029"}
            await ledger.append(LOG, [PendingEntry("inference.late", "s", "app:\u202etset", None, body)])

    asyncio.run(make())
    for arguments in (["tail"], ["show", "0"]):
        assert run(["ledger", *arguments, "--data", str(data)]) == Exit.OK
        printed = capsys.readouterr().out
        assert all(char.isprintable() or char == "\n" for char in printed)
        assert "app:\\u202etset" in printed


# --- show ----------------------------------------------------------------------------------------------------


def test_show_is_the_whole_entry_with_its_proof(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "show", "4", "--data", str(data), "--json"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert (
        found["canonical"].encode()
        == json.dumps(found["entry"], sort_keys=True, separators=(",", ":")).encode()
    )
    assert hashlib.sha256(b"\0" + found["canonical"].encode()).hexdigest() == found["leaf_hash"]
    assert (found["prev_links"], found["next_links"]) == (True, True)
    assert found["proof"]["state"] == "verified"
    assert found["proof"]["size"] == SIZE
    assert found["payloads_opened"] is False
    [commitment] = found["commitments"]
    assert (commitment["payload"], commitment["kind"]) == ("there", "prompt")
    assert run(["ledger", "show", "5", "--data", str(data)]) == Exit.OK
    printed = capsys.readouterr().out
    assert "gone, its subject erased" in printed
    assert "not opened" in printed
    for index, next_links in ((0, True), (SIZE - 1, None)):
        assert run(["ledger", "show", str(index), "--data", str(data), "--json"]) == Exit.OK
        found = json.loads(capsys.readouterr().out)
        assert (found["prev_links"], found["next_links"]) == (True, next_links)


async def test_show_says_that_an_entry_is_not_published_yet(
    running: tuple[Path, Ledger], capsys: pytest.CaptureFixture[str]
) -> None:
    data, ledger = running
    await ledger.append(LOG, [PendingEntry("inference.requested", "new", "app:test", None, {})])
    code = await asyncio.to_thread(run, ["ledger", "show", str(SIZE), "--data", str(data)])
    assert code == Exit.INDETERMINATE
    assert "? proof    the published head is over 300 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("UPDATE entry SET data = x'ff00' WHERE entry_index = 8", "its bytes are not an entry"),
        ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE entry_index = 8", "the leaf hash stored beside it"),
        (
            "UPDATE entry SET data = (SELECT data FROM entry WHERE entry_index = 9) WHERE entry_index = 8",
            "its bytes belong to another place",
        ),
        (
            "UPDATE entry SET data = (SELECT data FROM entry WHERE entry_index = 3) WHERE entry_index = 7",
            "the entry before has another leaf hash",
        ),
        ("UPDATE payload SET sealed = zeroblob(9) WHERE entry_index = 8", "not the one that was sealed"),
        ("DELETE FROM entry WHERE entry_index = 8", "it is missing"),
    ],
)
def test_show_names_what_is_wrong(
    data: Path, script: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    corrupt(data, script)
    before = bytes_of(data)
    assert run(["ledger", "show", "8", "--data", str(data)]) == Exit.FAILED
    assert f"! {part}" in capsys.readouterr().out or part in ("not the one that was sealed",)
    assert run(["ledger", "show", "8", "--data", str(data), "--json"]) == Exit.FAILED
    assert any(part in problem for problem in json.loads(capsys.readouterr().out)["problems"])
    assert bytes_of(data) == before


def test_show_gives_corrupt_bytes_as_they_are(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = bytes(range(256)) * 4
    corrupt(data, f"UPDATE entry SET data = x'{bad.hex()}' WHERE entry_index = 8")
    raw = tmp_path / "entry-8.bin"
    assert run(["ledger", "show", "8", "--data", str(data), "--raw", str(raw)]) == Exit.FAILED
    printed = capsys.readouterr().out
    assert "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f  @ABCDEFG" in printed
    assert "and 512 bytes more" in printed
    assert raw.read_bytes() == bad
    assert run(["ledger", "show", "8", "--data", str(data), "--raw", str(raw)]) == Exit.USAGE


# --- backup and restore --------------------------------------------------------------------------------------


async def test_a_backup_drill(
    running: tuple[Path, Ledger], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, ledger = running
    out = tmp_path / "monday.backup"
    before = bytes_of(data)
    assert (
        await asyncio.to_thread(run, ["ledger", "backup", "--out", str(out), "--data", str(data)]) == Exit.OK
    )
    printed = capsys.readouterr().out
    assert "verified, compared with the published head" in printed
    assert "keys are not in it" in printed
    assert bytes_of(data) == before
    assert {path.name for path in tmp_path.iterdir()} == {"data", out.name, f"{out.name}.manifest.json"}
    await ledger.close()
    shutil.rmtree(data / "ledger")
    arguments = ["ledger", "restore", "--from", str(out), "--data", str(data)]
    assert await asyncio.to_thread(run, [*arguments, "--check", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["restored"] is False
    assert not (data / "ledger").exists()
    assert await asyncio.to_thread(run, [*arguments, "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["restored"], told["lost"], told["keys_missing"]) == (True, [], [])
    assert await asyncio.to_thread(run, ["ledger", "status", "--data", str(data)]) == Exit.OK
    async with await Ledger.open(config_of(data)) as again:
        assert await again.verify(LOG) == SIZE
        record = (await again.get_entry(LOG, 0)).commitments[0].record
        assert await again.open_payload(LOG, record) == SECRET.encode()
    capsys.readouterr()
    assert await asyncio.to_thread(run, arguments) == Exit.FAILED
    assert "(TARGET_NOT_EMPTY)" in one_line(capsys)


def test_a_loss_is_refused_then_sealed_and_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b"
    assert run(["ledger", "backup", "--out", str(out), "--data", str(data), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["format"] == "attending-backup/1"

    async def go_on() -> None:
        async with await Ledger.open(config_of(data)) as ledger:
            await ledger.append(LOG, [PendingEntry("inference.requested", "new", "app:test", None, {})])

    asyncio.run(go_on())
    shutil.rmtree(data / "ledger")
    arguments = ["ledger", "restore", "--from", str(out), "--data", str(data)]
    assert run(arguments) == Exit.FAILED
    line = one_line(capsys)
    assert "log `clinic` loses entry 300 (PUBLISHED_AHEAD)" in line
    assert "--accept-loss" in line
    assert run([*arguments, "--check"]) == Exit.FAILED
    assert not (data / "ledger").exists()
    capsys.readouterr()
    assert run([*arguments, "--accept-loss"]) == Exit.OK
    printed = capsys.readouterr().out
    assert "SEALED, because published entries are lost" in printed
    assert "lost: log `clinic` loses entry 300" in printed
    assert run(["ledger", "status", "--data", str(data)]) == Exit.FAILED
    assert "stopped    LOG_SEALED" in capsys.readouterr().out


def test_without_published_heads_a_restore_asks(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b"
    assert run(["ledger", "backup", "--out", str(out), "--data", str(data)]) == Exit.OK
    capsys.readouterr()
    arguments = ["ledger", "restore", "--from", str(out), "--data", str(tmp_path / "new")]
    assert run(arguments) == Exit.INDETERMINATE
    assert "--published, or --no-published" in one_line(capsys)
    assert not (tmp_path / "new").exists()
    assert run([*arguments, "--check"]) == Exit.INDETERMINATE
    capsys.readouterr()
    assert run([*arguments, "--no-published"]) == Exit.OK
    assert "put the key folder back" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "new")
    assert run([*arguments, "--published", str(data / "published")]) == Exit.OK
    out.write_bytes(out.read_bytes()[:-1])
    capsys.readouterr()
    assert run([*arguments, "--no-published"]) == Exit.FAILED
    assert "(BACKUP_ALTERED)" in one_line(capsys)


def test_commands_read_the_configuration_of_a_server(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "attending.toml"
    path.write_text(
        '[server]\ntls_certificate = "a"\ntls_key = "b"\n'
        '[storage]\nfolder = "data/ledger"\nkeys_folder = "data/keys"\npublished_folder = "data/published"\n'
        '[[tenants]]\nname = "clinic"\norigin = "attending.test/clinic"\n'
    )
    assert run(["ledger", "status", "--config", str(path), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["outcome"] == "ok"
    assert run(["ledger", "backup", "--config", str(path), "--out", str(tmp_path / "b")]) == Exit.OK


def test_from_sqlite_to_postgres_and_back(
    data: Path, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = tmp_path / "b", tmp_path / "again"
    cluster.execute("CREATE DATABASE moved")
    admin, login = cluster.conninfo("moved"), cluster.conninfo("moved", LOGIN)
    published = ["--published", str(data / "published")]
    assert run(["ledger", "backup", "--out", str(out), "--data", str(data)]) == Exit.OK
    target = ["--database", admin, *published]
    assert run(["ledger", "restore", "--from", str(out), *target, "--grant-to", LOGIN]) == Exit.OK
    printed = capsys.readouterr().out
    assert "restored to the PostgreSQL database" in printed
    assert "projections are empty" in printed
    assert run(["ledger", "restore", "--from", str(out), *target]) == Exit.FAILED
    assert "(TARGET_NOT_EMPTY)" in one_line(capsys)
    reached = ["--database", login, *published]
    for arguments in (["status", "--json"], ["tail", "-n", "300", "--json"], ["show", "7", "--json"]):
        assert run(["ledger", *arguments, "--data", str(data)]) == Exit.OK
        ours = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert run(["ledger", *arguments, *reached]) == Exit.OK
        theirs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        if arguments[0] == "status":
            assert theirs[0]["engine"] == "postgresql"
            assert theirs[0]["logs"] == ours[0]["logs"]
        else:
            assert theirs == ours
    assert run(["ledger", "backup", "--out", str(again), *reached]) == Exit.OK
    arguments = ["ledger", "restore", "--from", str(again), "--data", str(tmp_path / "back"), *published]
    assert run(arguments) == Exit.OK
    with (
        closing(sqlite3.connect(tmp_path / "back" / "ledger" / "ledger.db")) as back,
        closing(sqlite3.connect(out)) as first,
    ):
        for table in schema.metadata.sorted_tables:
            order = ", ".join(column.name for column in table.primary_key)
            rows = f"SELECT * FROM {table.name} ORDER BY {order}"
            if table.name == "ledger":  # the note that projections are to be rebuilt is the restore's
                rows = "SELECT * FROM ledger WHERE name <> 'rebuilding' ORDER BY name"
            assert back.execute(rows).fetchall() == first.execute(rows).fetchall()


# --- usage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["status", "--data", "nowhere"], "there is no ledger database `nowhere/ledger/ledger.db`"),
        (["status", "--data", "a", "--config", "b"], "--data excludes"),
        (["tail", "--data", "data", "--log", "none"], "there is no log `none`"),
        (["show", "--data", "data"], "give an INDEX or --stream"),
        (["show", "300", "--data", "data"], "the last is 299"),
        (["show", "--stream", "none", "--data", "data"], "no stream `none`"),
        (["show", "--stream", "inf-1", "--raw", "x", "--data", "data"], "--raw needs an INDEX"),
        (["show", "1", "--raw", "no/such/x", "--data", "data"], "`no/such` does not exist"),
        (["backup", "--out", "no/such/file", "--data", "data"], "`no/such` does not exist"),
        (["backup", "--data", "data"], "--out"),
        (["restore", "--from", "none", "--data", "new"], "there is no backup `none`"),
    ],
)
def test_wrong_use_is_one_line(
    data: Path,
    arguments: list[str],
    part: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(data.parent)
    assert run(["ledger", *arguments]) == Exit.USAGE
    assert part in one_line(capsys)


def test_a_database_that_does_not_answer_is_one_line_without_its_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = "host=127.0.0.1 port=1 dbname=x password=hunter2 connect_timeout=2"
    assert run(["ledger", "status", "--database", secret]) == Exit.FAILED
    line = one_line(capsys)
    assert "(STORE_UNAVAILABLE)" in line
    assert "hunter2" not in line


def test_a_stopped_server_that_was_killed_can_be_read(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 leaves a write-ahead log; entries in it count."""
    script = (
        "import asyncio, os, sys; from pathlib import Path;"
        "from attending.ledger.ledger import Ledger, LedgerConfig; from attending.ledger.entry import PendingEntry\n"
        "async def main(d):\n"
        "    config = LedgerConfig(d / 'ledger', keys_folder=d / 'keys', publish_folder=d / 'published')\n"
        "    l = await Ledger.open(config)\n"
        "    await l.append('clinic', [PendingEntry('inference.late', 'late', 'app:test', None, {})])\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main(Path(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(data)], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert (data / "ledger" / "ledger.db-wal").stat().st_size > 0
    before = bytes_of(data)
    assert run(["ledger", "tail", "-n", "1", "--data", str(data), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["stream"] == "late"
    assert run(["ledger", "backup", "--out", str(tmp_path / "b"), "--data", str(data)]) == Exit.OK
    assert bytes_of(data) == before


def test_a_start_that_finds_a_bad_entry_says_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from attending.server.bootstrap.folder import prepare

    root = tmp_path / "data"
    prepare(root)

    async def make() -> None:
        async with await Ledger.open(config_of(root)) as ledger:
            await fill(ledger)

    asyncio.run(make())
    corrupt(root, "UPDATE entry SET data = x'ff00' WHERE entry_index = 250")
    capsys.readouterr()
    assert run(["serve", "--data", str(root), "--port", "0", "--token-port", "0"]) == Exit.FAILED
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: log `clinic`, entry 250: stored bytes do not parse (CORRUPT_LOG); next: ")
    assert "`attending ledger show 250 --log clinic`" in line
    assert "`attending ledger verify`" in line


def test_progress_is_a_line_on_a_terminal_and_goes_again(data: Path, tmp_path: Path) -> None:
    script = "import sys; from attending.server.cli.main import run; sys.exit(run(sys.argv[1:]))"
    for extra, wanted in (([], True), (["--json"], False)):
        outer, inner = os.openpty()
        out = tmp_path / f"b{wanted}"
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                script,
                "ledger",
                "backup",
                "--out",
                str(out),
                "--data",
                str(data),
                *extra,
            ],
            stdout=subprocess.PIPE,
            stderr=inner,
            check=True,
        )
        os.set_blocking(outer, False)
        try:
            told = os.read(outer, 100_000).decode()
        except BlockingIOError:
            told = ""
        os.close(inner)
        os.close(outer)
        assert ("\r\x1b[Kcopying: " in told) is wanted
        assert told.endswith("\r\x1b[K") is wanted
        assert b"\x1b" not in done.stdout


def test_two_backups_to_one_file_leave_one_of_them(data: Path, tmp_path: Path) -> None:
    script = "import sys; from attending.server.cli.main import run; sys.exit(run(sys.argv[1:]))"
    out = tmp_path / "b"
    command = [sys.executable, "-c", script, "ledger", "backup", "--out", str(out), "--data", str(data)]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)
    ]
    codes = sorted(process.wait(60) for process in running)
    assert codes == [Exit.OK, *[Exit.FAILED] * 3]
    assert run(["ledger", "restore", "--check", "--from", str(out), "--data", str(data)]) == Exit.OK
    assert {path.name for path in tmp_path.iterdir()} == {"data", "b", "b.manifest.json"}


def test_a_database_is_verified_where_it_is(
    data: Path, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b"
    cluster.execute("CREATE DATABASE verified")
    assert run(["ledger", "backup", "--out", str(out), "--data", str(data)]) == Exit.OK
    target = ["--database", cluster.conninfo("verified"), "--published", str(data / "published")]
    assert run(["ledger", "restore", "--from", str(out), *target, "--grant-to", LOGIN]) == Exit.OK
    path = tmp_path / "attending.toml"
    path.write_text(
        '[server]\ntls_certificate = "a"\ntls_key = "b"\n'
        f'[storage]\nfolder = "data/ledger"\nkeys_folder = "data/keys"\npublished_folder = "data/published"\n'
        f'database = "{cluster.conninfo("verified", LOGIN)}"\n'
        '[[tenants]]\nname = "clinic"\norigin = "attending.test/clinic"\n'
    )
    capsys.readouterr()
    assert run(["ledger", "verify", "--config", str(path), "--json"]) == Exit.OK
    logs = {log["log"]: log for log in json.loads(capsys.readouterr().out)["logs"]}
    assert (logs[LOG]["size"], logs[LOG]["published_size"]) == (SIZE, SIZE)
    # Without a published head there is nothing outside the database to hold it against.
    login = cluster.conninfo("verified", LOGIN)
    assert run(["ledger", "verify", "--database", login, "--log", LOG]) == Exit.INDETERMINATE
    assert "no published head was found" in capsys.readouterr().out
    assert run(["ledger", "verify", "--database", login, "--log", "nowhere"]) == Exit.USAGE
    assert run(["ledger", "verify", "--database", login, "--fast"]) == Exit.USAGE
    cluster.execute(
        "ALTER TABLE attending.entry DISABLE TRIGGER ALL",
        "UPDATE attending.entry SET data = data || '\\x20'::bytea WHERE log_id = 'clinic' AND entry_index = 7",
        "ALTER TABLE attending.entry ENABLE ALWAYS TRIGGER entry_refuse",
        database="verified",
    )
    capsys.readouterr()
    assert run(["ledger", "verify", "--config", str(path)]) == Exit.FAILED
    assert "entry 7" in one_line(capsys)
