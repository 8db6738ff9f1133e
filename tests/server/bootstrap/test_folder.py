"""The embedded data folder: made once, completed, renewed, private, and never somebody else's."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attending.server.bootstrap.certificates import needs_renewal
from attending.server.bootstrap.folder import (
    ENDPOINT,
    MARKER,
    NOTICE,
    prepare,
    remove_endpoint,
    write_endpoint,
)
from attending.server.bootstrap.identities import DEMO_IDENTITIES
from attending.server.errors import ConfigurationError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        prepare(folder, providers=[])
    assert caught.value.reason == "DATA_FOLDER"
    assert caught.value.next_step
    return caught.value


def test_what_is_made_and_that_it_is_private(tmp_path: Path) -> None:
    embedded = prepare(tmp_path / "data")
    names = set(contents(embedded.folder))
    for identity in DEMO_IDENTITIES:
        base = f"identities/{identity.name}"
        assert {f"{base}/certificate.pem", f"{base}/key.pem", f"{base}/token"} <= names
        assert (f"{base}/signing.pem" in names) == identity.signs
    assert json.loads((embedded.folder / MARKER).read_text())["notice"] == NOTICE
    assert stat.S_IMODE(embedded.folder.stat().st_mode) == 0o700
    public = {"tls/ca.pem", "tls/server.pem"}
    for name in names:
        if name not in public and not name.endswith("certificate.pem"):
            assert stat.S_IMODE((embedded.folder / name).stat().st_mode) == 0o600, name
    assert {provider.kind for provider in embedded.config.providers} == {"embedded", "replay"}
    assert all(p.replay_file is None or p.replay_file.is_file() for p in embedded.config.providers)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    first = prepare(tmp_path / "data", providers=[])
    before = contents(first.folder)
    second = prepare(tmp_path / "data", providers=[])
    assert contents(second.folder) == before
    assert second.config == first.config


def test_a_start_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data", providers=[]).folder
    before = contents(folder)
    for name in ("identities/dr-chen/token", "tls/server.pem", "identities/demo-app/key.pem"):
        (folder / name).unlink()
    prepare(folder, providers=[])
    after = contents(folder)
    assert set(after) == set(before)
    _fits(folder / "tls" / "server.pem", folder / "tls" / "server.key")
    _fits(folder / "identities/demo-app/certificate.pem", folder / "identities/demo-app/key.pem")
    untouched = "identities/dr-rivera/signing.pem"
    assert after[untouched] == before[untouched]


def _fits(certificate: Path, key: Path) -> None:
    public = load_pem_private_key(key.read_bytes(), None).public_key()
    assert x509.load_pem_x509_certificate(certificate.read_bytes()).public_key() == public


def test_certificates_are_renewed_before_they_run_out_and_keys_of_people_are_not(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data", providers=[], now=lambda: NOW).folder
    before = contents(folder)
    assert contents(prepare(folder, providers=[], now=lambda: NOW + timedelta(days=300)).folder) == before
    later = NOW + timedelta(days=380)
    after = contents(prepare(folder, providers=[], now=lambda: later).folder)
    for name in ("tls/server.pem", "identities/demo-app/certificate.pem"):
        assert after[name] != before[name]
        assert not needs_renewal(after[name], later)
    for name in ("tls/ca.pem", "identities/dr-rivera/signing.pem", "identities/dr-rivera/token"):
        assert after[name] == before[name]


def test_two_folders_are_two_logs(tmp_path: Path) -> None:
    origins = {prepare(tmp_path / name, providers=[]).config.tenants[0].log_origin for name in "ab"}
    assert len(origins) == 2


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert "not made by the embedded mode" in refused(tmp_path).problem
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_log_file_of_the_shell_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("")
    assert prepare(tmp_path, providers=[]).folder == tmp_path


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refused(tmp_path / "file").problem


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    folder = prepare(tmp_path / "data", providers=[]).folder
    folder.chmod(mode)
    assert refused(folder).next_step == f"chmod 700 {folder}"


@pytest.mark.parametrize(
    "name", ["tls/ca.key", "tls/server.key", "identities/demo-app/token", "identities/dr-rivera/signing.pem"]
)
def test_a_private_file_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    folder = prepare(tmp_path / "data", providers=[]).folder
    (folder / name).chmod(0o640)
    assert refused(folder).next_step == f"chmod 600 {folder / name}"


def test_a_damaged_marker_or_signing_key_is_refused(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data", providers=[]).folder
    key = folder / "identities" / "dr-rivera" / "signing.pem"
    key.write_text("no key")
    assert "is not an Ed25519 key" in refused(folder).problem
    key.unlink()
    (folder / MARKER).write_text("{}")
    assert "is damaged" in refused(folder).problem


def test_the_endpoint_of_another_process_is_not_removed(tmp_path: Path) -> None:
    embedded = prepare(tmp_path / "data", providers=[])
    path = embedded.folder / ENDPOINT
    remove_endpoint(embedded)
    written = write_endpoint(embedded, 1, 2, {})
    path.write_text(json.dumps({**written, "pid": 1}))
    remove_endpoint(embedded)
    assert path.exists()
    write_endpoint(embedded, 1, 2, {})
    remove_endpoint(embedded)
    assert not path.exists()
