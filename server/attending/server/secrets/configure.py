"""The root of the keys from `[secrets]`: what they are sealed under, and what may still open what was sealed before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attending.ledger.errors import KeyStoreRefused, UnsafeSettings
from attending.ledger.files import read_private
from attending.ledger.wrapping import PLAIN, KeyWrapper, Root
from attending.server.errors import ConfigurationError

if TYPE_CHECKING:
    from attending.server.config import RootSection, SecretsSection


def root_of(section: SecretsSection) -> Root:
    """The configured root; nothing is asked of it yet. Raises ConfigurationError."""
    current = _wrapper(section, "secrets")
    previous = section.previous
    if current is None and previous is None:
        return PLAIN
    if previous is None:
        return Root(current)
    return Root(current, _wrapper(previous, "secrets.previous"), plain_before=previous.kind == "plain")


def _wrapper(section: RootSection, where: str) -> KeyWrapper | None:
    if section.kind == "passphrase":
        from attending.ledger.passphrase import PassphraseWrapper

        if section.passphrase_env is not None:
            return PassphraseWrapper(_from_environment(section.passphrase_env))
        assert section.passphrase_file is not None
        return PassphraseWrapper(_from_file(section.passphrase_file))
    if section.kind == "vault":
        from attending.server.secrets.vault_transit import VaultTransitWrapper

        assert section.vault_url is not None
        assert section.vault_key is not None
        assert section.vault_token_file is not None
        try:
            return VaultTransitWrapper(
                section.vault_url,
                section.vault_key,
                section.vault_token_file,
                mount=section.vault_mount,
                namespace=section.vault_namespace,
                ca=section.vault_ca,
                timeout_seconds=section.timeout_seconds,
            )
        except OSError as err:
            raise ConfigurationError(
                f"`{where}.vault_ca` cannot be read ({type(err).__name__})",
                "give a PEM file of the authority that issued Vault's certificate",
            ) from None
    if section.kind == "aws_kms":
        from attending.server.secrets.aws_kms import AwsKmsWrapper

        assert section.aws_key_id is not None
        assert section.aws_region is not None
        return AwsKmsWrapper(
            section.aws_key_id,
            section.aws_region,
            endpoint_url=section.aws_endpoint_url,
            timeout_seconds=section.timeout_seconds,
        )
    return None


def _from_file(path: Path) -> Callable[[], bytes]:
    """Reads the passphrase from a private file, without the end of its line."""

    def read() -> bytes:
        try:
            return read_private(path).rstrip(b"\r\n")
        except UnsafeSettings as err:
            raise KeyStoreRefused(f"passphrase: {err}") from err
        except OSError as err:
            raise KeyStoreRefused(f"the passphrase file cannot be read ({type(err).__name__})") from None

    return read


def _from_environment(name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        value = os.environ.get(name, "")
        if not value:
            raise KeyStoreRefused(f"the environment has no `{name}`, which is to hold the passphrase")
        return value.encode("utf-8", "surrogateescape")

    return read
