"""`attending validation record` and `install`: what is on record is what was verified, once, and nothing else is."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.note import SignerKey
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.services.ledger import build
from attending.server.version import version

from tests.server.validation.test_pack import OTHER, SIGNER, again, made, run_of

__all__ = ["run_of"]


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[build])


@pytest.fixture
def pack(run_of: Path, tmp_path: Path) -> Path:
    bill = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"name": "attending", "type": "application", "version": version()}},
        "components": [
            {"name": "grpcio", "type": "library", "version": importlib.metadata.version("grpcio")},
            {"name": "Not.There", "type": "library", "version": "1.0"},
            {"name": "policy-x", "type": "data", "version": "9"},
        ],
    }
    root = tmp_path / "run"
    root.mkdir()
    (root / "tests.xml").write_bytes((run_of / "tests.xml").read_bytes())
    (root / "sbom.json").write_text(json.dumps(bill))
    return made(root, tmp_path / "pack")


def entries(server: Any, kind: str) -> list[Any]:
    """Of a type, in the tenant's log."""
    ledger = server.app.ledger
    size = parse_checkpoint(server.run(ledger.checkpoint("demo"))).size
    found = [server.run(ledger.get_entry("demo", index)) for index in range(size)]
    return [entry for entry in found if entry.type == kind]


def call(server: Any, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run(["validation", *arguments, "--data", str(server.embedded.folder)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_pack_is_recorded_once(server: Any, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("record", str(pack), "--key", str(SIGNER.verifier), "--json")
    code, out, _ = call(server, *arguments, capsys=capsys)
    assert code == Exit.OK
    said = json.loads(out)
    code, out, _ = call(server, *arguments, capsys=capsys)
    assert (code, json.loads(out)["entry"]) == (Exit.OK, said["entry"])
    [entry] = entries(server, "validation.recorded")
    assert (entry.index, entry.actor) == (said["entry"], "human:demo-operator")
    assert entry.body["requirements"]["good"] == "proved"
    assert entry.body["key_id"] == SIGNER.verifier.key_id.hex()
    assert (entry.body["tests_passed"], entry.body["tests_failed"], entry.body["tests_skipped"]) == (6, 2, 1)
    assert entry.body["changed"] is True


def test_a_pack_that_does_not_verify_is_not_recorded(
    server: Any, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(entries(server, "validation.recorded"))
    other = again(pack, tmp_path / "again", lambda files: files.update({"more.json": b"{}"}), SIGNER)
    for path, key, wanted in (
        (other, str(SIGNER.verifier), Exit.FAILED),
        (pack, str(OTHER.verifier), Exit.FAILED),
        (pack, str(SignerKey("x.example", SIGNER.private_key).verifier), Exit.INDETERMINATE),
        (pack, "nonsense", Exit.USAGE),
    ):
        code, out, err = call(server, "record", str(path), "--key", key, capsys=capsys)
        assert (code, out) == (wanted, ""), err
    code, *_ = call(
        server, "record", str(pack), "--key", str(SIGNER.verifier), "--as", "demo-auditor", capsys=capsys
    )
    assert code != Exit.OK
    assert len(entries(server, "validation.recorded")) == before


FINDING = {"group": "a", "check": "b", "state": "red"}


def doctor(path: Path, *states: str) -> Path:
    findings = [
        {
            "group": "tls",
            "check": "host names",
            "state": state,
            "reason": f"R{number}",
            "detail": "x",
            "next": None,
        }
        for number, state in enumerate(states)
    ]
    path.write_text(json.dumps({"format": "attending-doctor/1", "findings": findings}))
    return path


def verified(server: Any, path: Path, **changes: Any) -> Path:
    head = parse_checkpoint(server.run(server.app.ledger.checkpoint("demo")))
    said = {"verdict": "passed", "origin": head.origin, "scope": {"kind": "full", "from": 0, "to": head.size}}
    path.write_text(json.dumps({**said, **changes}))
    return path


def test_an_installation_is_what_doctor_packages_and_verifier_say(
    server: Any, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = doctor(tmp_path / "doctor.json", "green", "warning", "red", "unknown")
    checked = verified(server, tmp_path / "verified.json")
    arguments = ["install", "--doctor", str(looked), "--verified", str(checked), "--json"]
    arguments += ["--pack", str(pack), "--key", str(SIGNER.verifier)]
    code, out, _ = call(server, *arguments, capsys=capsys)
    assert code == Exit.FAILED
    entry = entries(server, "validation.installed")[-1]
    assert entry.index == json.loads(out)["entry"]
    body = entry.body
    assert (body["checks"], body["red"], body["unknown"], body["warnings"]) == (4, 1, 1, 1)
    assert body["findings"] == ["tls.host-names:R1", "tls.host-names:R2", "tls.host-names:R3"]
    assert (body["packages"], body["packages_other"], body["differ"]) == (3, 1, ["not-there"])
    assert (body["release"], body["log"]) == (version(), "passed")
    assert [item.kind for item in entry.commitments] == ["report"]
    # Again it is the same statement, and there once.
    assert call(server, *arguments, capsys=capsys)[0] == Exit.FAILED
    assert entries(server, "validation.installed")[-1].index == entry.index


@pytest.mark.parametrize(
    ("states", "more", "wanted"),
    [
        (("green",), {}, Exit.INDETERMINATE),  # without a pack, packages are not compared
        (("green", "red"), {}, Exit.FAILED),
        (("green",), {"verdict": "failed"}, Exit.FAILED),
        (("green",), {"verdict": "indeterminate"}, Exit.INDETERMINATE),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    server: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    states: tuple[str, ...],
    more: dict[str, Any],
    wanted: Exit,
) -> None:
    looked = doctor(tmp_path / "doctor.json", *states)
    checked = verified(server, tmp_path / "verified.json", **more)
    code, out, _ = call(server, "install", "--doctor", str(looked), "--verified", str(checked), capsys=capsys)
    assert code == wanted
    assert "on record: entry" in out


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "another.example/log"},
        {"verdict": "splendid"},
        {"scope": {"kind": "range", "from": 3, "to": 4}},
        {"scope": {"kind": "full", "from": 0, "to": 10**9}},
        {"scope": None},
    ],
)
def test_a_verification_of_something_else_is_refused(
    server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    before = len(entries(server, "validation.installed"))
    looked = doctor(tmp_path / "doctor.json", "green")
    checked = verified(server, tmp_path / "verified.json", **changes)
    code, *_ = call(server, "install", "--doctor", str(looked), "--verified", str(checked), capsys=capsys)
    assert code == Exit.USAGE
    assert len(entries(server, "validation.installed")) == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": "attending-doctor/1", "findings": [{"state": "green"}]}',
        '{"format": "attending-doctor/1", "findings": [7]}',
        '{"format": "attending-doctor/1", "findings": [{"group": "a", "check": "b", "state": "red"}]}',
        json.dumps({"format": "attending-doctor/1", "findings": [{**FINDING, "reason": "Mr Smith"}]}),
        '{"format": "attending-doctor/9", "findings": []}',
    ],
)
def test_what_is_not_the_doctor_s_is_refused(
    server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "doctor.json"
    path.write_text(content)
    code, _, err = call(server, "install", "--doctor", str(path), capsys=capsys)
    assert code == Exit.USAGE
    assert "Smith" not in err
