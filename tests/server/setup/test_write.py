"""A folder is there whole or not at all: kills at every write, two at once, and what was there before."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attending.server.config import load_config
from attending.server.errors import ConfigurationError
from attending.server.setup import write as writing
from attending.server.setup.plan import Choices, plan
from attending.server.setup.write import write
from cryptography import x509

from tests.server.doctor.sites import NOW, tree

KILLED = """
import os, signal, sys
from pathlib import Path
from attending.server.setup import write as writing
from tests.server.setup.test_write import made
real, left = getattr(writing, sys.argv[2]), int(sys.argv[3])
def stop(*arguments, **keywords):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **keywords)
setattr(writing, sys.argv[2], stop)
writing.write(Path(sys.argv[1]), made(Path(sys.argv[1])))
"""


def choices(folder: Path, **more: Any) -> Choices:
    given: dict[str, Any] = {
        "production": True,
        "tenant": "st-mary",
        "origin": "st-mary.example/attending",
        "host": "0.0.0.0",
        "host_names": ("gate.st-mary.example",),
        "identities": (("operator", "o-lee"), ("safety_officer", "s-diaz")),
        "database": "host=db dbname=attending user=app",
    }
    return Choices(folder=folder, **{**given, **more})


def made(folder: Path, **more: Any) -> Any:
    return plan(choices(folder, **more), NOW, embedded_model=False, program="/usr/bin/attending")


def test_what_is_made_for_production(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write(folder, made(folder))
    assert os.listdir(tmp_path) == ["site"]
    config = load_config(folder / "attending.toml")
    assert [(one.name, one.roles) for one in config.identities] == [
        ("o-lee", ["operator"]),
        ("s-diaz", ["safety_officer"]),
    ]
    assert config.storage.database == "host=db dbname=attending user=app"
    assert config.providers == []
    assert not list(folder.rglob("ca.key"))
    assert not list(folder.rglob("token"))
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = path.suffix == ".key" or path.name == "key.pem"
        assert mode == (0o700 if path.is_dir() else 0o600 if secret else 0o644), path
    request = x509.load_pem_x509_csr((folder / "tls/server.csr").read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gate.st-mary.example"]
    assert request.is_signature_valid
    client = x509.load_pem_x509_csr((folder / "identities/o-lee/request.csr").read_bytes())
    uris = client.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert uris.get_values_for_type(x509.UniformResourceIdentifier) == config.identities[0].certificate_uri
    steps = (folder / "NEXT-STEPS.md").read_text()
    assert steps.rstrip().endswith(
        f"attending doctor --config {folder}/attending.toml --json --strict\n   ```"
    )
    unit = (folder / "attending.service").read_text()
    assert f"ExecStart=/usr/bin/attending serve --config {folder}/attending.toml\n" in unit
    assert "LimitCORE=0\n" in unit


def test_folders_elsewhere_and_paths_with_spaces(tmp_path: Path) -> None:
    folder, keys = tmp_path / "my site", tmp_path / "key volume" / "keys"
    write(folder, made(folder, keys_folder=keys, with_authority=True))
    assert load_config(folder / "attending.toml").storage.keys_folder == keys
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert not (folder / "keys").exists()
    unit = (folder / "attending.service").read_text()
    assert f'ReadWritePaths="{folder}" "{keys}"\n' in unit
    authority = x509.load_pem_x509_certificate((folder / "authority/ca.pem").read_bytes())
    for name in ("tls/server.pem", "identities/s-diaz/certificate.pem"):
        x509.load_pem_x509_certificate((folder / name).read_bytes()).verify_directly_issued_by(authority)


@pytest.mark.parametrize("what", ["file", "filled", "link", "keys"])
def test_nothing_is_overwritten(tmp_path: Path, what: str) -> None:
    folder, keys = tmp_path / "site", tmp_path / "keys"
    if what == "file":
        folder.write_text("mine")
    elif what == "link":
        (tmp_path / "real").mkdir()
        folder.symlink_to(tmp_path / "real")
    elif what == "filled":
        folder.mkdir()
        (folder / "mine").write_text("mine")
    else:
        keys.mkdir()
        (keys / "mine").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        write(folder, made(folder, keys_folder=keys))
    assert caught.value.reason == "TARGET_NOT_EMPTY"
    assert tree(tmp_path) == before


def test_an_empty_folder_is_used_and_one_filled_meanwhile_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    write(folder, made(folder))
    assert (folder / "attending.toml").is_file()
    other = tmp_path / "other"

    def somebody(path: Path) -> None:
        other.mkdir()
        (other / "mine").write_text("mine")

    monkeypatch.setattr(writing, "sync_folder", somebody)
    with pytest.raises(ConfigurationError) as caught:
        write(other, made(other))
    assert caught.value.reason == "TARGET_NOT_EMPTY"
    assert sorted(os.listdir(tmp_path)) == ["other", "site"]
    assert os.listdir(other) == ["mine"]


def test_a_configuration_that_would_not_load_is_not_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with pytest.raises(ConfigurationError):
        write(folder, made(folder, tenant="system"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("where", "after"),
    [("write_durably", 0), ("write_durably", 3), ("write_durably", 7), ("load_config", 0), ("_rename", 0)],
)
def test_a_kill_leaves_nothing_and_the_next_try_removes_what_it_left(
    tmp_path: Path, where: str, after: int
) -> None:
    folder = tmp_path / "site"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), where, str(after)], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert not folder.exists()
    [left] = os.listdir(tmp_path)
    assert left.startswith(".site.init-")
    assert stat.S_IMODE((tmp_path / left).stat().st_mode) == 0o700
    write(folder, made(folder))
    assert os.listdir(tmp_path) == ["site"]


def test_a_try_that_is_still_running_is_left_alone(tmp_path: Path) -> None:
    hidden = tmp_path / f".site.init-{os.getpid()}-00000000"
    hidden.mkdir()
    write(tmp_path / "site", made(tmp_path / "site"))
    assert hidden.is_dir()
