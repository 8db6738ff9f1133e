"""`attending ledger export` and `prove` beside a running server: from its folder, over HTTPS, from an export."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
from attending.ledger.entry import PendingEntry
from attending.ledger.proof import verify_receipt
from attending.ledger.static.client import TiledLog
from attending.ledger.static.export import folder_fetch
from attending.ledger.store.port import HeadRow, LogRow
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.web.component import build


class Site:
    def __init__(self, server: Any) -> None:
        self.server = server
        self.data: Path = server.embedded.folder
        self.url: str = server.ready.endpoint["log_urls"]["demo"]
        self.key: str = server.ready.endpoint["log_keys"]["demo"]
        self.count = 0
        self.append(600)

    def append(self, count: int) -> None:
        self.count += count

        async def fill() -> None:
            for start in range(0, count, 200):
                await self.server.app.ledger.append(
                    "demo",
                    [
                        PendingEntry(
                            "inference.requested", f"inf_{time.monotonic_ns()}_{n}", "app:x", None, {"n": n}
                        )
                        for n in range(min(200, count - start))
                    ],
                )
            await self.server.app.ledger.publish("demo")

        self.server.run(fill())

    def over_http(self, identity: str = "demo-auditor") -> list[str]:
        token = self.data / "identities" / identity / "token"
        ca = self.data / "tls" / "ca.pem"
        return ["--url", self.url, "--key", self.key, "--ca", str(ca), "--token-file", str(token)]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """The server runs in this process: its log would stand between what the commands print."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="module")
def site(start_server: Any) -> Site:
    return Site(start_server(components=[build]))


Command = tuple[int, str, str]


@pytest.fixture
def attending(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: object) -> Command:
        code = run(["ledger", *(str(argument) for argument in arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def read_back(folder: Path, key: str) -> list[bytes]:
    log = TiledLog.open(folder_fetch(folder), [key])
    return list(log.entries(0, log.size))


def test_an_export_over_http_and_from_the_folder_are_the_same(
    site: Site, attending: Any, tmp_path: Path
) -> None:
    code, out, err = attending("export", "--out", tmp_path / "a", "--data", site.data)
    assert (code, err) == (Exit.OK, "")
    assert f"{site.count} entries of" in out
    code, out, err = attending("export", "--out", tmp_path / "b", "--json", *site.over_http())
    assert (code, err) == (Exit.OK, "")
    told = json.loads(out)
    assert (told["size"], told["size_before"], told["kept"]) == (site.count, None, 0)
    assert len(read_back(tmp_path / "a", site.key)) == site.count
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*"))
    assert names == sorted(path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*"))
    for name in names:
        if (tmp_path / "a" / name).is_file():
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    # An export is a source too, and brings another one up to date.
    tree = ("--tree", tmp_path / "a", "--key", site.data / "demo.vkey")
    assert attending("export", "--out", tmp_path / "c", *tree)[0] == Exit.OK
    assert read_back(tmp_path / "c", site.key) == read_back(tmp_path / "a", site.key)


def test_the_next_export_goes_on(site: Site, attending: Any, tmp_path: Path) -> None:
    attending("export", "--out", tmp_path / "out", "--data", site.data)
    size = len(read_back(tmp_path / "out", site.key))
    site.append(10)
    code, out, _err = attending("export", "--out", tmp_path / "out", "--json", *site.over_http())
    told = json.loads(out)
    assert (code, told["size_before"], told["size"]) == (Exit.OK, size, size + 10)
    assert told["kept"] >= 4
    assert len(read_back(tmp_path / "out", site.key)) == size + 10


def test_a_receipt_from_every_source(site: Site, attending: Any, tmp_path: Path) -> None:
    attending("export", "--out", tmp_path / "out", "--data", site.data)
    entries = read_back(tmp_path / "out", site.key)
    for index in (0, 255, 256, site.count - 1):
        _code, beside, _err = attending("prove", index, "--data", site.data)
        verify_receipt(beside, entries[index], [site.key])
        for where in (site.over_http("demo-app"), ["--tree", tmp_path / "out", "--key", site.key]):
            assert attending("prove", index, *where) == (Exit.OK, beside, "")


def test_another_tree_size(site: Site, attending: Any) -> None:
    code, out, _err = attending("prove", 5, "--size", 257, "--data", site.data, "--json")
    told = json.loads(out)
    assert (code, told["index"], told["tree_size"]) == (Exit.OK, 5, 257)
    assert "receipt" not in told  # no checkpoint is signed here
    assert told["checkpoint"].splitlines()[1] == str(site.count)
    code, out, _err = attending("prove", 5, "--size", 257, "--data", site.data)
    for line in (*told["inclusion"], *told["consistency"], told["root_hash"]):
        assert line in out
    assert json.loads(attending("prove", 5, "--data", site.data, "--json")[1])["receipt"]


def test_a_log_that_grows_while_it_is_opened(
    site: Site, attending: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = ReadOnlySqlite.heads

    def grown(self: ReadOnlySqlite) -> list[tuple[LogRow, HeadRow]]:
        found = heads(self)
        site.append(3)
        return found

    monkeypatch.setattr(ReadOnlySqlite, "heads", grown)
    before = site.count
    code, out, err = attending("prove", 1, "--data", site.data, "--json")
    assert (code, err) == (Exit.OK, "")
    assert json.loads(out)["tree_size"] == before


def test_a_database_behind_its_published_head(site: Site, attending: Any, tmp_path: Path) -> None:
    """As after restoring an old copy: told, and nothing proved from it."""
    data = tmp_path / "copy"
    (data / "ledger").mkdir(parents=True)
    (data / "published").mkdir()
    with (
        closing(sqlite3.connect(site.data / "ledger" / "ledger.db")) as live,
        closing(sqlite3.connect(data / "ledger" / "ledger.db")) as copy,
    ):
        live.backup(copy)
    site.append(4)
    (data / "demo.vkey").write_text(site.key)
    (data / "published" / "demo.checkpoint").write_bytes(
        (site.data / "published" / "demo.checkpoint").read_bytes()
    )
    code, out, err = attending("prove", 1, "--data", data)
    assert (code, out) == (Exit.FAILED, "")
    assert "LOG_ROLLED_BACK" in one_line(err)
    (data / "published" / "demo.checkpoint").unlink()
    code, out, err = attending("prove", 1, "--data", data)
    assert (code, out) == (Exit.INDETERMINATE, "")
    assert "nothing of log `demo` is published yet" in one_line(err)


def one_line(err: str) -> str:
    [line] = err.splitlines()
    assert line.startswith("error: ")
    assert "; next: " in line
    return line


def test_a_lean_install_proves_from_an_export(site: Site, attending: Any, tmp_path: Path) -> None:
    """As an auditor would: neither SQLAlchemy nor gRPC, only what `pip install attending` brings at the least."""
    attending("export", "--out", tmp_path / "out", "--data", site.data)
    script = f"""
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {{"sqlalchemy", "pydantic", "structlog", "httpx", "starlette", "grpc"}}:
                    raise ModuleNotFoundError(name, name=name)
        sys.meta_path.insert(0, Absent())
        from attending.server.cli.main import run
        sys.exit(run(["ledger", "prove", "5", "--tree", {str(tmp_path / "out")!r}, "--key", {site.key!r}]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == attending("prove", 5, "--tree", tmp_path / "out", "--key", site.key)[1]


def test_refusals_are_one_line(site: Site, attending: Any, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis").write_text("x")
    other = tmp_path / "other.vkey"
    other.write_text("log.example/other+dba9a7a5+AdvdL1BfVcNTv1w9/R7NLsaB1jjMyZHPpvfpJNZ5K0Gk")
    http = site.over_http()
    for arguments, code, part in (
        (["prove", site.count, "--data", site.data], Exit.FAILED, f"{site.count} entries are published"),
        (["prove", 9, "--size", 9, "--data", site.data], Exit.FAILED, "entry 9 is not in the tree of 9"),
        (["prove", 9, "--data", tmp_path], Exit.USAGE, "no ledger database"),
        (["prove", 9, "--data", site.data, "--log", "nope"], Exit.USAGE, "no log `nope`"),
        (["prove", 9, "--data", site.data, "--key", "x"], Exit.USAGE, "no verifier key"),
        (["prove", 9, "--data", site.data, "--log", "system"], Exit.USAGE, "attending keys log"),
        (["prove", 9, "--tree", tmp_path], Exit.USAGE, "--key"),
        (["prove", 9, "--tree", tmp_path, "--key", site.key], Exit.FAILED, "TILE_MISSING"),
        (["prove", 9, "--tree", tmp_path, "--url", site.url], Exit.USAGE, "exclude each other"),
        (["prove", 9, "--url", "ftp://x/y", "--key", site.key], Exit.USAGE, "url is not"),
        (["prove", 9, "--url", "http://example.com/", "--key", site.key], Exit.USAGE, "url is not"),
        (["prove", 9, *http[:-2]], Exit.HELD, "MISSING_CREDENTIAL"),
        (["prove", 9, *http[:4]], Exit.FAILED, "SSLCertVerificationError"),
        (["prove", 9, "--url", "https://localhost:1/", *http[2:]], Exit.FAILED, "cannot be reached"),
        (["prove", 9, "--url", f"{site.url}x", *http[2:]], Exit.FAILED, "TILE_MISSING"),
        (["export", "--out", tmp_path / "a", *site.over_http("demo-app")], Exit.HELD, "PERMISSION_DENIED"),
        (["export", "--out", tmp_path / "full", *http], Exit.USAGE, "EXPORT_FOLDER"),
        (["export", "--out", tmp_path / "b", "--data", site.data, "--cert", other], Exit.USAGE, "--cert-key"),
    ):
        found, out, err = attending(*arguments)
        assert (found, out) == (code, ""), (arguments, err)
        assert part in one_line(err)
