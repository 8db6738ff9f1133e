"""`--key`: a verifier key, or a file with one; nothing else comes through."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from attending.ledger.note import SignerKey
from attending.server.cli.verifier_key import verifier_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = SignerKey("log.example", Ed25519PrivateKey.from_private_bytes(bytes(range(32)))).verifier


def test_a_key_stands_for_itself_or_is_in_a_file_with_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "log+1.vkey"
    file.write_text(f" {KEY}\n", encoding="utf-8")
    assert verifier_key(str(KEY)) == verifier_key(f"{KEY}\n") == verifier_key(str(file)) == KEY


@pytest.mark.parametrize("held", [b"", b"nonsense\n", b"\xff\xfe"])
def test_a_file_with_anything_else_is_a_usage_error(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "log.vkey"
    file.write_bytes(held)
    with pytest.raises(click.UsageError, match="neither a verifier key nor a file with one"):
        verifier_key(str(file))


@pytest.mark.parametrize("given", ["", "nonsense", "no/such/file", "x" * 5_000, "x\0y"])
def test_what_is_no_key_and_no_file_is_a_usage_error(given: str) -> None:
    with pytest.raises(click.UsageError, match="neither a verifier key nor a file with one"):
        verifier_key(given)
