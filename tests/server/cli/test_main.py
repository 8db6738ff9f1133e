"""The command line: help with examples, one-line errors, exit codes, completion, and a lean install."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from attending.ledger.ed25519 import key_id
from attending.server.auth.service_key import matches, prefix_of
from attending.server.cli.main import COMMANDS, run
from attending.server.cli.outcome import Exit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.command_lines import in_shell, problem, walk

# What `pip install attending` brings, and what those need.
LEAN = {
    "click",
    "cryptography",
    "grpc",
    "grpc_status",
    "google",
    "cffi",
    "_cffi_backend",
    "typing_extensions",
}
HEAVY = [
    "pydantic",
    "sqlalchemy",
    "structlog",
    "cedarpy",
    "orjson",
    "spacy",
    "numpy",
    "yaml",
    "openai",
    "rich",
]


ALL = list(walk())


def test_every_command_of_the_table_is_there() -> None:
    names = {path.split()[1] for path, _command in ALL if path != "attending"}
    assert names == set(COMMANDS)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _command in ALL])
def test_every_command_explains_itself_with_an_example(path: str, command: click.Command) -> None:
    assert command.help
    assert command.epilog is not None
    lines = in_shell(command.epilog)
    assert lines, "no example"
    assert {line: wrong for line in lines if (wrong := problem(line))} == {}
    # Each stands on a line of its own in the help, however narrow the screen, so that it can be copied.
    shown = command.get_help(click.Context(command, info_name=path, terminal_width=40)).splitlines()
    written = [line.strip() for line in command.epilog.splitlines() if line.startswith("  ")]
    assert len(written) >= len(lines)
    assert set(written) <= {line.strip() for line in shown}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert parameter.help, f"{path} --{parameter.name}"


@pytest.mark.parametrize("path", [path for path, _command in ALL])
def test_help_is_printed_and_ends_well(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split()[1:], "--help"]) == Exit.OK
    printed = capsys.readouterr()
    assert "usage" in printed.out.lower()
    assert "\x1b[" not in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nonsense"], "no such command"),
        (["serve", "--prot", "1"], "no such option"),
        (["serve", "--port", "99999"], "99999"),
        (["serve", "--config", "none.toml"], "`none.toml` cannot be read"),
        (["serve", "--config", "a", "--data", "b"], "exclude each other"),
        (["config", "check", "none.toml"], "cannot be read"),
        (["dev", "--as", "nobody"], "no demo identity `nobody`"),
        (["keys", "log", "--data", "nowhere"], "no log key in `nowhere`"),
        (["keys", "token", "--out", "no/such/folder"], "does not exist"),
        (["completion", "tcsh"], "tcsh"),
        (["policy", "test", "unheard-of", "--policies", "."], "`.`"),
        (["check", "--policy", "unheard-of", "--input", "in.jsonl", "--output", "-"], "unheard-of"),
        (["check", "--policy", "discharge-plan", "--input", "none.jsonl", "--output", "-"], "none.jsonl"),
        (["verify"], "arguments"),
        (["check", "--policy", "discharge-plan", "--input", "in.jsonl", "--output", "in.jsonl"], "same file"),
        (["deid", "--input", "in.jsonl", "--output", "./in.jsonl"], "same file"),
        (["deid", "--input", "in.jsonl", "--output", "-", "--knowledge", "."], "`.` is no knowledge pack"),
        (["knowledge", "explain", "simvastatinn"], "did you mean `simvastatin`"),
        (["review", "list", "--data", "nowhere"], "no embedded server runs in `nowhere`"),
        (["review", "list", "--server", "localhost:1"], "--ca"),
        (["health", "--server", "localhost:1", "--ca", "in.jsonl"], "`in.jsonl` holds no PEM certificate"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(
    arguments: list[str],
    part: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text("")
    assert run(arguments) == Exit.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("error: ")
    assert "; next: " in line
    assert part in line


@pytest.mark.parametrize("arguments", [[], ["keys"], ["review"]])
def test_a_group_alone_shows_what_it_can_do(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == Exit.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0].startswith("Usage: attending")
    assert "Commands:" in lines


@pytest.mark.parametrize("path", [path for path, command in ALL if isinstance(command, click.Group)])
def test_the_line_of_a_command_is_whole(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split()[1:], "--help"]) == Exit.OK
    listed = capsys.readouterr().out.split("Commands:")[1].split("Example")[0]
    assert "..." not in listed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == Exit.OK
    assert capsys.readouterr().out.startswith("attending 0.")


def test_a_configuration_problem_names_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "attending.toml"
    path.write_text('[server]\nprot = 1\ntls_certificate = "a"\ntls_key = "b"\n[storage]\nfolder = "x"\n')
    assert run(["serve", "--config", str(path)]) == Exit.USAGE
    assert "unknown key `server.prot`, did you mean `port`" in capsys.readouterr().err


def test_the_configuration_reference_is_the_page_in_docs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "reference"]) == Exit.OK
    page = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
    assert capsys.readouterr().out == page.read_text()


def test_a_token_goes_to_a_private_file_and_its_hash_to_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "app.token"
    assert run(["keys", "token", "--out", str(path), "--json"]) == Exit.OK
    printed = json.loads(capsys.readouterr().out)
    secret = path.read_text().strip()
    assert printed["prefix"] == prefix_of(secret)
    assert matches(secret, printed["hash"])
    assert printed["expires"] is None
    assert secret not in json.dumps(printed)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(["keys", "token", "--out", str(path)]) == Exit.USAGE
    assert path.read_text().strip() == secret


def test_a_signing_key_and_its_public_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dr.pem"
    assert run(["keys", "signing", "--out", str(path), "--json"]) == Exit.OK
    printed = json.loads(capsys.readouterr().out)
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    raw = key.public_key().public_bytes_raw()
    assert base64.b64decode(printed["signing_public_key"]) == raw
    assert printed["key_id"] == key_id(raw)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == Exit.OK
    assert "_ATTENDING_COMPLETE" in capsys.readouterr().out


def test_completion_answers_with_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from attending.server.cli.main import main; main()"],
        env={
            **os.environ,
            "_ATTENDING_COMPLETE": "bash_complete",
            "COMP_WORDS": "attending de",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert {line.split(",")[-1] for line in done.stdout.split()} == {"dev", "demo", "deid"}


def test_policy_cases_of_the_authorisation_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "test", "authorization"]) == Exit.OK
    last = capsys.readouterr().out.splitlines()[-1]
    held, _of, total = last.split(" ")[:3]
    assert held == total


def test_policy_cases_that_do_not_hold_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(__file__).resolve().parents[3] / "policies" / "authorization"
    target = tmp_path / "authorization"
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    cases = target / "cases.jsonl"
    cases.write_text(cases.read_text().replace('"allowed": true', '"allowed": false', 1))
    assert run(["policy", "test", "authorization", "--policies", str(tmp_path), "--json"]) == Exit.FAILED
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [failed] = [row for row in rows if not row["passed"]]
    assert failed["differences"]


def _lean(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script where the server's dependencies cannot be imported, as after `pip install attending`."""
    head = f"""
    import sys

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {HEAVY!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Absent())
    from attending.server.cli.main import run
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_lean_install_helps_and_verifies_and_says_what_else_it_needs(tmp_path: Path) -> None:
    bundle, out = tmp_path / "none.attending", tmp_path / "key.pem"
    done = _lean(f"""
    import contextlib, io
    codes = [run(["--help"]), run(["--version"]), run(["verify", "--help"]), run(["completion", "bash"])]
    codes.append(run(["verify", {str(bundle)!r}, "--key", "x"]))
    codes.append(run(["keys", "signing", "--out", {str(out)!r}]))
    for arguments in (["serve"], ["check", "--policy", "p", "--input", "-", "--output", "-"], ["policy", "list"]):
        codes.append(run(arguments))
    print("codes", [int(code) for code in codes])
    """)
    assert done.stdout.splitlines()[-1] == "codes [0, 0, 0, 0, 4, 0, 4, 4, 4]", done.stderr
    needs = [line for line in done.stderr.splitlines() if "needs attending[server]" in line]
    assert len(needs) == 3
    assert all(line.endswith("next: pip install 'attending[server]'") for line in needs)
    assert [line.split("`")[1] for line in needs] == ["serve", "check", "policy"]


def test_the_command_and_its_table_import_nothing_but_click() -> None:
    script = "import sys; before = set(sys.modules); import attending.server.cli.main; " + (
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stdout.split()) <= {"attending", "click"}


def test_knowledge_of_one_drug_and_of_a_pair(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "info", "--json"]) == Exit.OK
    pack = json.loads(capsys.readouterr().out)
    assert pack["hash"].startswith("sha256:")
    assert run(["knowledge", "info", "Zocor", "--json"]) == Exit.OK
    about = json.loads(capsys.readouterr().out)
    assert (about["drug"], about["knowledge_hash"]) == ("simvastatin", pack["hash"])
    assert set(about["coverage"].values()) <= {"covered", "none_known", "not_covered"}
    assert all(fact["source"] and fact["rule_id"] for fact in about["facts"])
    assert run(["knowledge", "explain", "Zocor", "clarithromycin", "--json"]) == Exit.OK
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "contraindicated" in {row["severity"] for row in rows}
    assert run(["knowledge", "explain", rows[0]["rule_id"], "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["source"] == rows[0]["source"]


def test_knowledge_that_is_silent_or_asked_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "explain", "amoxicillin", "acetaminophen"]) == Exit.INDETERMINATE
    assert "nothing is known between the two; interaction coverage" in capsys.readouterr().out
    assert run(["knowledge", "info", "simvastatinn"]) == Exit.USAGE
    assert "did you mean `simvastatin`" in capsys.readouterr().err
    assert run(["knowledge", "explain", "ansm:9999:1"]) == Exit.USAGE
    assert run(["knowledge", "info", "--knowledge", str(Path(__file__).parent)]) == Exit.USAGE
