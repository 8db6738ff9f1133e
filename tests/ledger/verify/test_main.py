"""The command: exit codes, output, and that it runs with the standard library and `cryptography` alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attending.ledger.verify.__main__ import main
from attending.ledger.verify.manifest import ENTRIES

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

BLOCKED = """
import sys
before = set(sys.modules)  # a site may load modules of its own
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
from attending.ledger.verify.__main__ import main
code = main(sys.argv[1:])
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}} - set(sys.stdlib_module_names)
print("loaded", sorted(name for name in loaded if not name.startswith("_")), file=sys.stderr)
raise SystemExit(code)
"""
HEAVY = {"sqlalchemy", "orjson", "grpc", "numpy", "google", "pydantic", "click", "structlog"}


@pytest.fixture
def bundle(day: LogBuilder, tmp_path: Path) -> Path:
    return day.full(tmp_path / "a.attending")


def _tamper(day: LogBuilder, bundle: Path, index: int) -> None:
    def change(data: bytes) -> bytes:
        items = data.split(b"\n")
        items[index] = items[index].replace(b'"actor":"app:test"', b'"actor":"app:tesu"')
        return b"\n".join(items)

    day.tamper(bundle, ENTRIES, change)


def test_exit_codes(day: LogBuilder, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle), "--key", str(day.vkey)]) == 0
    assert "VERIFIED" in capsys.readouterr().out
    assert main([str(bundle)]) == 3
    assert "INDETERMINATE" in capsys.readouterr().out
    assert main([str(bundle), "--key", str(day.vkey), "--require-freshness"]) == 3
    assert main([str(bundle), "--key", str(day.vkey), "--require-time"]) == 3
    _tamper(day, bundle, 11)
    capsys.readouterr()
    assert main([str(bundle), "--key", str(day.vkey)]) == 1
    assert "FAILED at entry 11: its bytes are not those that the log committed to" in capsys.readouterr().out


def test_keys_and_pins_come_from_files(day: LogBuilder, bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "clinic.vkey"
    keys.write_text(f"# the clinic's log\n\n{day.vkey}\n")
    pinned = tmp_path / "pinned"
    pinned.write_text(day.checkpoint())
    arguments = [str(bundle), "--key", str(keys), "--pinned", str(pinned), "--require-freshness"]
    assert main(arguments) == 0
    pinned.write_text(day.checkpoint(4))
    assert main(arguments) == 3
    assert main(arguments[:-1]) == 0


def test_usage_errors(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("")
    binary.write_bytes(b"\xff\xfe")
    for arguments in (
        [],
        ["--nonsense"],
        [str(tmp_path / "absent")],
        [str(bundle), "--key", "nonsense"],
        [str(bundle), "--key", str(empty)],
        [str(bundle), "--key", str(binary)],
        [str(bundle), "--pinned", str(tmp_path / "absent")],
        [str(bundle), "--quorum", "1"],
    ):
        assert main(arguments) == 4
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "; next: " in error
        assert error.count("\n") == 1


def test_log_key_is_not_taken_for_a_witness(day: LogBuilder, bundle: Path) -> None:
    assert main([str(bundle), "--key", str(day.vkey), "--witness", str(day.vkey)]) == 4


def test_json_report(day: LogBuilder, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _tamper(day, bundle, 11)
    assert main([str(bundle), "--key", str(day.vkey), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "failed"
    assert {"check": "V6", "index": 11} in [
        {"check": item["check"], "index": item["index"]}
        for item in report["results"]
        if item["status"] == "failed"
    ]


def test_help_names_the_exit_through_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "example: attending verify" in capsys.readouterr().out


def test_runs_without_anything_heavy(day: LogBuilder, bundle: Path) -> None:
    script = BLOCKED.format(blocked=HEAVY)

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(bundle), "--key", str(day.vkey), "--json"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    good = run()
    assert good.returncode == 0, good.stderr
    loaded = set(json.loads(good.stderr.split("loaded ")[1].replace("'", '"')))
    assert loaded <= {"attending", "cryptography", "cffi"}
    _tamper(day, bundle, 11)
    bad = run()
    assert bad.returncode == 1
    assert '"index": 11' in bad.stdout


def test_module_and_console_script_are_the_same(day: LogBuilder, bundle: Path) -> None:
    command = [sys.executable, "-m", "attending.ledger.verify", str(bundle), "--key", str(day.vkey)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "VERIFIED" in result.stdout
    assert "\x1b" not in result.stdout + result.stderr
