"""Keys and certificates: real ones, expired, of another, open to others, missing."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from attending.ledger.errors import KeysNotOpen, KeyStoreRefused
from attending.ledger.keys import KeyFolder
from attending.server.bootstrap.certificates import Pair, issue_client, issue_server, new_authority
from attending.server.doctor.check import State
from attending.server.doctor.run import Listed, examine
from attending.server.secrets.configure import root_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.server.doctor.sites import NOW, look, private, reasons, site, tree, with_entries

RED, WARNING = State.RED, State.WARNING


def put(folder: Path, pair: Pair, *more: Pair) -> None:
    (folder / "tls/server.pem").write_bytes(b"".join(one.certificate for one in (pair, *more)))
    private(folder / "tls/server.key", pair.key)


def test_a_certificate_through_its_life(tmp_path: Path) -> None:
    assert reasons("certificates:server", site(tmp_path)) == {}
    for days, expected in (
        (-1, {"CERTIFICATE_NOT_YET": RED}),
        (366, {}),
        (380, {"CERTIFICATE_EXPIRES": WARNING}),
        (398, {"CERTIFICATE_EXPIRED": RED}),
    ):
        found = reasons("certificates:server", site(tmp_path, now=NOW + timedelta(days=days)))
        assert found == expected, days


def test_an_intermediate_that_runs_out_first_counts(tmp_path: Path) -> None:
    old = new_authority("Old authority", NOW - timedelta(days=3640))
    at = site(tmp_path)
    put(tmp_path, issue_server(old, ["localhost"], NOW), old)
    assert reasons("certificates:server", at) == {"CERTIFICATE_EXPIRES": WARNING}


def test_a_chain_in_the_wrong_order_and_a_foreign_key(tmp_path: Path) -> None:
    at = site(tmp_path)
    first, second = new_authority("First", NOW), new_authority("Second", NOW)
    put(tmp_path, issue_server(first, ["localhost"], NOW), second)
    assert reasons("certificates:server", at) == {"CHAIN_BROKEN": RED}
    put(tmp_path, issue_server(first, ["localhost"], NOW), first)
    assert reasons("certificates:server", at) == {}
    private(tmp_path / "tls/server.key", issue_server(first, ["localhost"], NOW).key)
    assert reasons("certificates:server", at) == {"KEY_DOES_NOT_FIT": RED}
    put(tmp_path, issue_client(first, "somebody", "spiffe://x/y", NOW), first)
    assert reasons("certificates:server", at) == {"NOT_FOR_SERVERS": RED}
    assert reasons("certificates:names", at) == {"NO_HOST_NAME": RED}


def test_files_that_are_missing_or_something_else(tmp_path: Path) -> None:
    at = site(tmp_path)
    (tmp_path / "tls/server.key").write_bytes(b"not a key")
    assert reasons("certificates:server", at) == {"TLS_FILES": RED}
    (tmp_path / "tls/server.pem").write_bytes(b"not a certificate")
    assert reasons("certificates:server", at) == {"TLS_FILES": RED}
    (tmp_path / "tls/server.pem").unlink()
    assert reasons("certificates:server", at) == {"TLS_FILES": RED}
    assert reasons("certificates:names", at) == {"TLS_FILES": State.UNKNOWN}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", {}),
        ("::1", {}),
        ("ward.example", {"HOST_NOT_NAMED": WARNING}),
        ("0.0.0.0", {"LOCAL_NAMES_ONLY": WARNING}),
    ],
)
def test_local_names(tmp_path: Path, host: str, expected: dict[str, State]) -> None:
    assert reasons("certificates:names", site(tmp_path, server={"host": host})) == expected


@pytest.mark.parametrize("host", ["gate.ward.example", "GATE.ward.example", "0.0.0.0", "192.0.2.7"])
def test_names_of_a_host(tmp_path: Path, host: str) -> None:
    at = site(tmp_path, server={"host": host})
    put(tmp_path, issue_server(new_authority("A", NOW), ["*.ward.example", "192.0.2.7"], NOW))
    assert reasons("certificates:names", at) == {}


def test_client_authorities(tmp_path: Path) -> None:
    at = site(tmp_path)
    assert reasons("certificates:client_authorities", at) == {}
    late = site(tmp_path, now=NOW + timedelta(days=3651))
    assert reasons("certificates:client_authorities", late) == {"CERTIFICATE_EXPIRED": RED}
    shutil.copy(tmp_path / "tls/server.pem", tmp_path / "tls/ca.pem")
    assert reasons("certificates:client_authorities", at) == {"NOT_AN_AUTHORITY": RED}
    (tmp_path / "tls/ca.pem").unlink()
    assert reasons("certificates:client_authorities", at) == {"TLS_FILES": RED}
    assert reasons("certificates:client_authorities", site(tmp_path, server={"client_ca": None})) == {}


def test_revocation_lists(tmp_path: Path) -> None:
    assert reasons("certificates:revocation", site(tmp_path)) == {}  # for this machine only
    everywhere = site(tmp_path, server={"host": "0.0.0.0"})
    assert reasons("certificates:revocation", everywhere) == {"NO_REVOCATION_LIST": WARNING}
    assert reasons("certificates:revocation", site(tmp_path, server={"client_ca": None})) == {}
    authority, other = new_authority("Clients", NOW), new_authority("Other", NOW)
    (tmp_path / "tls/ca.pem").write_bytes(authority.certificate)
    (tmp_path / "tls/clients.crl").write_bytes(revocation_list(authority))

    def found(hours: int = 0) -> dict[str, State]:
        at = site(tmp_path, server={"client_crl": ["tls/clients.crl"]}, now=NOW + timedelta(hours=hours))
        return reasons("certificates:revocation", at)

    assert found() == {}
    assert found(40) == {"CRL_RUNS_OUT": WARNING}
    assert found(48) == {"CRL_OUT_OF_DATE": RED}
    (tmp_path / "tls/ca.pem").write_bytes(authority.certificate + other.certificate)
    assert found() == {"CRL_MISSING": RED}
    (tmp_path / "tls/ca.pem").write_bytes(other.certificate)
    assert found() == {"CRL_NOT_BY_CLIENT_CA": RED, "CRL_MISSING": RED}
    (tmp_path / "tls/clients.crl").unlink()
    assert found() == {"CRL_MISSING": RED}


def revocation_list(authority: Pair) -> bytes:
    """Good for two days, with one certificate revoked."""
    key = load_pem_private_key(authority.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    revoked = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(NOW).build()
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_pem_x509_certificate(authority.certificate).subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(hours=48))
        .add_revoked_certificate(revoked)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


async def test_keys_of_logs(tmp_path: Path) -> None:
    at = site(tmp_path)
    assert reasons("keys:logs", at) == {}
    assert reasons("keys:files", at) == {}
    await with_entries(at)
    assert reasons("keys:logs", at) == {}
    assert reasons("keys:files", at) == {}
    folder = tmp_path / "keys/st-mary"
    (folder / "kek").chmod(0o640)
    assert reasons("keys:files", at) == {"KEY_OPEN": RED}
    (folder / "kek").chmod(0o600)
    saved = (folder / "signing.pem").read_bytes()
    (folder / "signing.pem").unlink()
    assert reasons("keys:logs", at) == {"KEY_MISSING": RED}
    other = tmp_path / "other"
    other.mkdir()
    await with_entries(site(other))
    shutil.copy(other / "keys/st-mary/signing.pem", folder / "signing.pem")
    assert reasons("keys:logs", at) == {"KEY_MISMATCH": RED}
    private(folder / "signing.pem", saved)
    assert reasons("keys:logs", at) == {}


async def test_the_root_of_keys(tmp_path: Path) -> None:
    plain = site(tmp_path)
    await with_entries(plain)
    assert reasons("keys:root", plain) == {}
    everywhere = site(tmp_path, server={"host": "0.0.0.0"})
    assert reasons("keys:root", everywhere) == {"KEYS_IN_CLEAR": WARNING}
    sealed = {"kind": "passphrase", "passphrase_file": "pass"}
    both = site(tmp_path, secrets={**sealed, "previous": {"kind": "plain"}})
    assert reasons("keys:named", both) == {"SECRET_MISSING": RED}
    with pytest.raises(KeyStoreRefused):
        look("keys:root", both)
    private(tmp_path / "pass", b"correct horse battery staple")
    assert reasons("keys:named", both) == {}
    assert reasons("keys:root", both) == {"KEYS_NOT_MOVED": WARNING}
    assert reasons("keys:logs", both) == {}
    keys = KeyFolder(tmp_path / "keys", root_of(both.config.secrets))
    for log_id in keys.logs():
        keys.reseal(log_id)
    assert reasons("keys:root", both) == {"PREVIOUS_ROOT_LEFT": WARNING}
    before = tree(tmp_path / "keys")
    alone = site(tmp_path, secrets=sealed)
    assert reasons("keys:root", alone) == {}
    assert reasons("keys:logs", alone) == {}
    assert tree(tmp_path / "keys") == before
    with pytest.raises(KeysNotOpen):
        look("keys:logs", plain)
    # Whatever a root answers that is not there or says no becomes one red line.
    private(tmp_path / "pass", b"another passphrase altogether")
    [logs] = examine(alone, [Listed("keys", "logs", "attending.server.doctor.keys:logs", 60)])
    assert [(one.state, one.reason) for one in logs.findings] == [(RED, "KEY_ALTERED")]


def test_named_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openai = {"name": "m", "kind": "openai", "base_url": "https://m.example/v1"}
    by_file = site(tmp_path, providers=[{**openai, "api_key_file": "api.key"}])
    assert reasons("keys:named", by_file) == {"SECRET_MISSING": RED}
    path = private(tmp_path / "api.key", b"hidden-value")
    assert reasons("keys:named", by_file) == {}
    path.chmod(0o644)
    assert reasons("keys:named", by_file) == {"SECRET_OPEN": RED}
    by_variable = site(tmp_path, providers=[{**openai, "api_key_env": "DOCTOR_TEST_KEY"}])
    assert reasons("keys:named", by_variable) == {"SECRET_MISSING": RED}
    monkeypatch.setenv("DOCTOR_TEST_KEY", "hidden-value")
    assert reasons("keys:named", by_variable) == {}
    assert "hidden-value" not in repr(look("keys:named", by_variable))


def test_places_of_keys(tmp_path: Path) -> None:
    assert reasons("keys:beside", site(tmp_path)) == {}
    inside = site(tmp_path, storage={"keys_folder": "published/keys"})
    assert reasons("keys:beside", inside) == {"FOLDERS_NESTED": RED}
    same = site(tmp_path, storage={"keys_folder": "published"})
    assert reasons("keys:beside", same) == {"FOLDERS_NESTED": RED}
    shared = site(tmp_path, storage={"keys_folder": None, "database": "host=db dbname=a"})
    assert reasons("keys:beside", shared) == {"KEYS_FOLDER_DEFAULT": WARNING}
