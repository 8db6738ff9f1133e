"""`attending init` as typed, up to a server that serves: on this machine, and for production on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.config import load_config

from tests.postgres_cluster import Cluster
from tests.server.cli.test_serve import Process, command
from tests.server.cli.typed import typed
from tests.server.doctor.sites import tree

PRODUCTION = (
    *("init", "--production", "site", "--tenant", "st-mary", "--origin", "st-mary.example/attending"),
    *("--host-name", "localhost", "--operator", "o-lee", "--safety-officer", "s-diaz"),
)
SMALL = ("--port", "0", "--token-port", "0", "--workers", "1", "--json")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    processes: list[Process] = []

    def start(*arguments: str) -> Process:
        processes.append(Process(*arguments, cwd=tmp_path))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


SITE = ("configuration", "keys", "tls", "database", "providers", "people")


def doctor(folder: Path, *groups: str) -> tuple[int, dict[str, str]]:
    """Its exit code, and what is not green, by reason, of all that is not about the machine that the tests run on."""
    named = [word for group in groups for word in ("--group", group)]
    done = typed("doctor", "--config", "site/attending.toml", "--json", *named, cwd=folder)
    assert done.stderr == ""
    found = [one for one in json.loads(done.stdout)["findings"] if one["state"] != "green"]
    return done.returncode, {one["reason"]: one["state"] for one in found}


def test_a_server_on_this_machine_serves_at_once(tmp_path: Path, started: Any) -> None:
    made = command("init", "site", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert set(told["files"]) <= {
        str(p.relative_to(tmp_path / "site")) for p in (tmp_path / "site").rglob("*")
    }
    assert typed("config", "check", "site/attending.toml", cwd=tmp_path).returncode == 0
    assert doctor(tmp_path, *SITE) == (0, {})
    before = tree(tmp_path / "site")
    again = typed("init", "site", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (Exit.USAGE, "")
    assert "nothing is overwritten" in again.stderr
    assert tree(tmp_path / "site") == before

    server = started("serve", "--config", "site/attending.toml", *SMALL)
    at = json.loads(server.until("}\n"))
    where = ("--server", f"localhost:{at['token_port']}", "--ca", "site/tls/clients-ca.pem")
    assert typed("health", *where, cwd=tmp_path).returncode == 0
    mutual = ("--server", f"localhost:{at['port']}", "--ca", "site/tls/clients-ca.pem")
    for name in ("clinician-1",):
        base = f"site/identities/{name}"
        with_token = typed("review", "list", *where, "--token-file", f"{base}/token", cwd=tmp_path)
        assert with_token.returncode == 0, with_token.stderr
        pair = ("--cert", f"{base}/certificate.pem", "--cert-key", f"{base}/key.pem")
        with_certificate = typed("review", "list", *mutual, *pair, cwd=tmp_path)
        assert with_certificate.returncode == 0, with_certificate.stderr
    assert server.end(15) == 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        made.execute("CREATE ROLE attending_app LOGIN", "CREATE DATABASE attending")
        yield made
    finally:
        made.destroy()


def test_the_way_to_production_as_the_doctor_leads_it(tmp_path: Path, started: Any, cluster: Cluster) -> None:
    """As docs/production.md tells it: each red finding names its next command, and at the end nothing is red."""
    database = cluster.conninfo("attending", "attending_app")
    made = typed(*PRODUCTION, "--with-ca", "--database", database, "--identity", "app=letters", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    site = tmp_path / "site"
    for secret in (*site.rglob("*.key"), *site.rglob("key.pem")):
        assert secret.read_text().splitlines()[1] not in made.stdout

    # The policies once, with all their cases: nothing that follows changes them.
    code, found = doctor(tmp_path, *SITE, "policies")
    assert code == 1
    assert {reason for reason, state in found.items() if state == "red"} == {
        "DATABASE_NOT_MIGRATED",
        "NO_SIGNER",
    }
    migrated = typed(
        *("ledger", "migrate", "--config", "site/attending.toml", "--user", "postgres"),
        *("--grant-to", "attending_app"),
        cwd=tmp_path,
    )
    assert migrated.returncode == 0, migrated.stderr

    config = site / "attending.toml"
    text = config.read_text()
    for name in ("dr-a", "dr-b"):
        signing = typed("keys", "signing", "--out", f"{name}.pem", cwd=tmp_path).stdout
        text += f"""
[[identities]]
name = "{name}"
tenant = "st-mary"
kind = "human"
roles = ["clinician"]
certificate_uri = ["spiffe://st-mary.example/{name}"]
{signing}"""
    config.write_text(text)
    code, found = doctor(tmp_path, *SITE)
    assert code == 0, found
    assert found == {
        "LOCAL_NAMES_ONLY": "warning",
        "NO_REVOCATION_LIST": "warning",
        "KEYS_IN_CLEAR": "warning",
        "NOT_REPLICATED": "warning",
        "NO_PROVIDER": "warning",
        "NO_ONE_FOR_ROLE": "warning",
    }

    server = started("serve", "--config", "site/attending.toml", *SMALL)
    at = json.loads(server.until("}\n"))
    assert at["log_keys"]["st-mary"].startswith("st-mary.example/attending+")
    healthy = typed(
        *("health", "--server", f"localhost:{at['port']}", "--ca", "site/tls/clients-ca.pem"),
        *("--cert", "site/identities/o-lee/certificate.pem", "--cert-key", "site/identities/o-lee/key.pem"),
        cwd=tmp_path,
    )
    assert healthy.returncode == 0, healthy.stderr
    assert server.end(15) == 0
    assert doctor(tmp_path, *SITE)[0] == 0


def test_the_steps_make_the_database_that_is_configured(tmp_path: Path) -> None:
    where = "host=db.example dbname='gate-1' user=gate_app"
    made = typed(*PRODUCTION, "--database", where, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    steps = (tmp_path / "site/NEXT-STEPS.md").read_text()
    assert 'CREATE DATABASE "gate-1" ENCODING' in steps
    assert "CREATE ROLE gate_app LOGIN" in steps
    assert "--grant-to gate_app" in steps
    assert "attending_app" not in steps


def test_without_an_authority_the_doctor_asks_for_certificates(tmp_path: Path) -> None:
    assert typed(*PRODUCTION, "--database", "host=/nowhere dbname=a", cwd=tmp_path).returncode == 0
    code, found = doctor(tmp_path, "tls", "keys")
    assert (code, found["TLS_FILES"]) == (1, "red")


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (("--operator", "O Lee"), "`O Lee` is no name of an identity"),
        (("--identity", "doctor=x"), "no role `doctor`"),
        (("--identity", "auditor"), "not ROLE=NAME"),
        (("--identity", "auditor=o-lee"), "`o-lee` is named twice"),
        (("--identity", "auditor=../../etc"), "is no name of an identity"),
        (("--host-name", "a b"), "is no DNS name"),
        (("--user", "root; rm"), "is no name of a system user"),
        (("--origin", "a b"), "--origin is printable"),
        (("--database", "host=db password=s3cr3t"), "holds a secret (`password`)"),
        ((), "missing --database"),
    ],
)
def test_what_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    database = () if not more or "--database" in more else ("--database", "host=db")
    assert run([*PRODUCTION, *database, *more]) == Exit.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert part in line
    assert "s3cr3t" not in line
    assert os.listdir(tmp_path) == []


def test_on_a_terminal_it_asks_for_what_is_missing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "attending.server.cli.main",
            "init",
            "--production",
            "site",
            "--tenant",
            "st-mary",
        ],
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        os.close(theirs)
        answers = ("st-mary.example/attending", "gate.example", "o-lee", "s-diaz", "host=db dbname=a")
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        out, err = asking.communicate(timeout=120)
        assert asking.returncode == 0, err
    os.close(ours)
    assert "Identity of the operator" in err
    config = load_config(tmp_path / "site/attending.toml")
    assert config.tenants[0].origin == "st-mary.example/attending"
    assert {one.name for one in config.identities} == {"o-lee", "s-diaz"}
    assert "What is left to do" in out
