"""`attending ledger seal` as an operator meets it, and what the offline verifier makes of both logs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.note import VerifierKey
from attending.ledger.projection import RowWrite
from attending.ledger.verify import Anchors, Scope, Status, verify_bundle, write_bundle
from attending.server import projections
from attending.server.bootstrap.folder import ledger_of, prepare
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

LOG, NEXT, ORIGIN = "demo", "demo-2027", "attending.test/demo-2027"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An embedded server's folder that has stopped, with five entries."""
    for name in ("ATTENDING_DATA", "ATTENDING_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "data"
    prepare(root)

    async def make() -> None:
        async with await Ledger.open(ledger_of(root), metadata=[projections.metadata]) as ledger:
            await ledger.create_log(LOG, "attending.test/demo")
            for number in range(5):
                await ledger.append(LOG, [PendingEntry("notice.sent", f"n{number}", "app:t", None, {})])

    asyncio.run(make())
    return root


def seal(data: Path, *more: str) -> int:
    command = ["ledger", "seal", "--data", str(data), "--log", LOG, "--successor", NEXT, "--origin", ORIGIN]
    return run([*command, *more])


def bundle(data: Path, log_id: str, path: Path) -> tuple[Path, str, str]:
    """(full bundle of a log, its verifier key, its checkpoint)."""

    async def export() -> tuple[Path, str, str]:
        async with await Ledger.open(ledger_of(data), metadata=[projections.metadata]) as ledger:
            size, _root = await ledger.head(log_id)
            note, origin = await ledger.checkpoint(log_id), ledger.origin(log_id)
            write_bundle(
                path,
                origin=origin,
                scope=Scope.FULL,
                begin=0,
                end=size,
                entries=[entry.data for entry in await ledger.list_entries(log_id, 0, 1000)],
                checkpoint_note=note,
                sign=lambda text: ledger.sign_note(log_id, text, size),
                created=datetime.now(UTC),
            )
            return path, ledger.verifier_key(log_id), note

    return asyncio.run(export())


def test_a_log_is_sealed_once_and_the_next_one_goes_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seal(data, "--yes", "--json") == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["log"], found["successor"], found["size"]) == (LOG, NEXT, 6)
    assert seal(data, "--yes") == Exit.OK  # said again, the same
    assert "sealed at 6 entries" in capsys.readouterr().out
    old, old_key, old_note = bundle(data, LOG, tmp_path / "old.attending")
    new, new_key, _note = bundle(data, NEXT, tmp_path / "new.attending")
    keys = (VerifierKey.parse(old_key), VerifierKey.parse(new_key))
    assert verify_bundle(old, Anchors(keys=keys)).verdict is Status.PASSED
    joined = verify_bundle(new, Anchors(keys=keys, pinned=(old_note,)))
    assert joined.verdict is Status.PASSED
    assert not [
        item for item in joined.results if item.check == "V9" and "no checkpoint of it" in item.detail
    ]
    alone = verify_bundle(new, Anchors(keys=keys))
    assert alone.verdict is Status.PASSED
    assert any("goes on from a sealed log of 6 entries" in item.detail for item in alone.results)


def test_it_does_not_ask_a_script_and_names_what_is_wrong(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seal(data) == Exit.USAGE
    assert "--yes" in capsys.readouterr().err
    nowhere = ["ledger", "seal", "--data", str(data), "--log", "nowhere", "--successor", "x", "--origin", "y"]
    assert run([*nowhere, "--yes"]) == Exit.USAGE
    assert "logs here: demo" in capsys.readouterr().err
    assert seal(data, "--yes", "--config", "x.toml") == Exit.USAGE


def test_nothing_may_be_under_way(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def open_one() -> None:
        columns = {column.name: "x" for column in projections.inference.columns if not column.nullable}
        values = columns | {
            "state": "held",
            "requested_index": 0,
            "requested_at": "2026",
            "not_enforced": False,
        }
        values = {name: values[name] for name in values if name not in ("log_id", "inference_id")}
        async with await Ledger.open(ledger_of(data), metadata=[projections.metadata]) as ledger:
            row = RowWrite(projections.inference, {"inference_id": "inf_1"}, values)
            entry = PendingEntry("notice.sent", "n", "app:t", None, {})
            await ledger.append(LOG, [entry], rows=[row])

    asyncio.run(open_one())
    assert seal(data, "--yes") == Exit.HELD
    assert "1 held" in capsys.readouterr().err


async def test_a_server_that_runs_is_not_sealed_under(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with await Ledger.open(ledger_of(data), metadata=[projections.metadata]) as ledger:
        assert await asyncio.to_thread(seal, data, "--yes") == Exit.FAILED
        assert "stop the server" in capsys.readouterr().err
        await ledger.append(LOG, [PendingEntry("notice.sent", "n", "app:t", None, {})])
