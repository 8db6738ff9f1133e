"""Every root there is, each with what it needs: a passphrase, a Vault, a KMS."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.passphrase import PassphraseWrapper
from attending.ledger.wrapping import KeyWrapper
from attending.server.secrets.aws_kms import AwsKmsWrapper
from attending.server.secrets.vault_transit import VaultTransitWrapper

from tests.server.secrets.vault_server import TOKEN, VaultServer

CHEAP = (10, 8, 1)
"""scrypt for tests: the form is the same, and it takes milliseconds."""


@dataclass
class World:
    """One root: `again` opens it anew as a process that starts would, `other` is another of its kind, `rotate` brings
    a new version of it about."""

    wrapper: KeyWrapper
    again: Callable[[], KeyWrapper]
    other: Callable[[], KeyWrapper]
    rotate: Callable[[], object]
    section: dict[str, Any] = field(default_factory=dict)


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    server = VaultServer()
    yield server
    server.close()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return private(tmp_path / "vault.token", TOKEN + "\n")


@pytest.fixture(scope="session")
def kms_endpoint() -> Iterator[str]:
    moto: Any = importlib.import_module("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


def new_kms_key(endpoint: str) -> str:
    return str(_administrator(endpoint).create_key()["KeyMetadata"]["KeyId"])


@cache
def _administrator(endpoint: str) -> Any:
    """One for all keys: a client reads some MiB of descriptions of AWS before it can be used."""
    session: Any = importlib.import_module("botocore.session").Session()
    return session.create_client("kms", region_name="eu-central-1", endpoint_url=endpoint)


@pytest.fixture(params=["passphrase", "vault", "vault-derived", "aws_kms"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "passphrase":
        file = private(tmp_path / "passphrase", "correct horse battery staple")

        def opened() -> KeyWrapper:
            return PassphraseWrapper(file.read_bytes, cost=CHEAP)

        yield World(
            opened(),
            opened,
            lambda: PassphraseWrapper(lambda: b"quite another passphrase", cost=CHEAP),
            lambda: file.write_text("a new passphrase, longer"),
            {"kind": "passphrase", "passphrase_file": str(file)},
        )
    elif request.param.startswith("vault"):
        server = VaultServer(derived=request.param == "vault-derived")
        server.keys["other"] = [bytes(32)]
        file = request.getfixturevalue("token_file")

        def client(key: str = "attending") -> KeyWrapper:
            return VaultTransitWrapper(server.url, key, file, timeout_seconds=2)

        yield World(
            client(),
            client,
            lambda: client("other"),
            server.rotate,
            {
                "kind": "vault",
                "vault_url": server.url,
                "vault_key": "attending",
                "vault_token_file": str(file),
            },
        )
        server.close()
    else:
        request.getfixturevalue("aws")
        endpoint = request.getfixturevalue("kms_endpoint")
        key = new_kms_key(endpoint)

        def kms(key_id: str = key) -> KeyWrapper:
            return AwsKmsWrapper(key_id, "eu-central-1", endpoint_url=endpoint)

        yield World(
            kms(),
            kms,
            lambda: kms(new_kms_key(endpoint)),
            lambda: None,  # KMS rotates by itself, and does not say
            {
                "kind": "aws_kms",
                "aws_key_id": key,
                "aws_region": "eu-central-1",
                "aws_endpoint_url": endpoint,
            },
        )
