"""`attending keys rewrap`: from the clear to a passphrase to Vault, run again, and what each mistake is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from attending.ledger.files import write_durably
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.cli.main import run
from attending.server.config import load_config
from attending.server.database import ledger_config

from tests.server.secrets.vault_server import TOKEN, VaultServer

PLAIN = ""
PASSPHRASE = '[secrets]\nkind = "passphrase"\npassphrase_file = "passphrase"\n'
FROM_PLAIN = PASSPHRASE + '[secrets.previous]\nkind = "plain"\n'
VAULT = (
    '[secrets]\nkind = "vault"\nvault_url = "{url}"\nvault_key = "attending"\nvault_token_file = "token"\n'
)
FROM_PASSPHRASE = VAULT + '[secrets.previous]\nkind = "passphrase"\npassphrase_file = "passphrase"\n'
KEYS = ("signing.pem", "kek", "lookup", "fingerprint")


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    server = VaultServer()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_durably(tmp_path / "passphrase", b"correct horse battery staple\n")
    write_durably(tmp_path / "token", TOKEN.encode())

    async def make() -> None:
        place = ledger_config(load_config(configured(tmp_path, PLAIN)))
        async with await Ledger.open(place, metadata=[projections.metadata]) as ledger:
            await ledger.create_log("system", "attending.local/system")
            await ledger.create_log("clinic", "attending.local/clinic")

    asyncio.run(make())
    return tmp_path


def configured(folder: Path, secrets: str) -> Path:
    path = folder / "attending.toml"
    path.write_text(
        '[server]\ntls_certificate = "s.pem"\ntls_key = "s.key"\n'
        '[storage]\nfolder = "ledger"\nkeys_folder = "keys"\npublished_folder = "published"\n'
        f'{secrets}[[tenants]]\nname = "clinic"\n'
    )
    return path


def roots(folder: Path) -> set[bytes]:
    """What the first line of each key file says."""
    return {
        (folder / "keys" / log / name).read_bytes().partition(b"\n")[0]
        for log in ("clinic", "system")
        for name in KEYS
    }


def rewrapped(folder: Path, secrets: str, *more: str) -> int:
    return run(["keys", "rewrap", "--config", str(configured(folder, secrets)), *more])


def test_keys_move_from_root_to_root(
    folder: Path, vault: VaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rewrapped(folder, FROM_PLAIN, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"logs": {"clinic": 4, "system": 4}, "root": "passphrase"}
    assert roots(folder) == {b"attending-sealed-key/1 passphrase"}
    assert rewrapped(folder, PASSPHRASE) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert rewrapped(folder, FROM_PASSPHRASE.format(url=vault.url)) == 0
    assert "take `[secrets.previous]` out" in capsys.readouterr().out
    assert roots(folder) == {b"attending-sealed-key/1 vault"}
    assert rewrapped(folder, VAULT.format(url=vault.url)) == 0

    async def recorded() -> list[tuple[object, object]]:
        place = ledger_config(load_config(folder / "attending.toml"))
        async with await Ledger.open(place, metadata=[projections.metadata]) as ledger:
            entries = await ledger.stream_entries("clinic", "keys")
            return [(entry.body["root"], entry.body["files"]) for entry in entries]

    assert asyncio.run(recorded()) == [("passphrase", 4), ("vault", 4)]


@pytest.mark.parametrize(
    ("secrets", "reason", "told"),
    [
        (PASSPHRASE, "KEY_NOT_SEALED", "[secrets.previous]"),
        (VAULT.format(url="http://127.0.0.1:9"), "KEY_NOT_SEALED", "[secrets.previous]"),
        (
            VAULT.format(url="http://127.0.0.1:9") + '[secrets.previous]\nkind = "plain"\n',
            "KEY_STORE_UNAVAILABLE",
            "can be reached",
        ),
    ],
)
def test_a_mistake_is_told_with_the_next_step_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], secrets: str, reason: str, told: str
) -> None:
    before = {path: path.read_bytes() for path in (folder / "keys").rglob("*") if path.is_file()}
    assert rewrapped(folder, secrets) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert told in error
    after = {path: path.read_bytes() for path in (folder / "keys").rglob("*") if path.is_file()}
    assert {path: after[path] for path in before if ".lock" not in path.name} == {
        path: data for path, data in before.items() if ".lock" not in path.name
    }


def test_what_is_sealed_asks_for_its_root(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rewrapped(folder, FROM_PLAIN) == 0
    capsys.readouterr()
    assert rewrapped(folder, PLAIN) == 1
    assert "KEY_OTHER_ROOT" in capsys.readouterr().err
    write_durably(folder / "passphrase", b"quite another passphrase")
    assert rewrapped(folder, PASSPHRASE) == 1
    assert "KEY_ALTERED" in capsys.readouterr().err
    (folder / "passphrase").unlink()
    assert rewrapped(folder, PASSPHRASE) == 1
    assert "KEY_STORE_REFUSED" in capsys.readouterr().err


def test_a_server_that_holds_the_ledger_is_told_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def held() -> int:
        place = ledger_config(load_config(configured(folder, PLAIN)))
        async with await Ledger.open(place, metadata=[projections.metadata]):
            return await asyncio.to_thread(rewrapped, folder, FROM_PLAIN)

    assert asyncio.run(held()) == 1
    assert "attending keys rotate root" in capsys.readouterr().err
