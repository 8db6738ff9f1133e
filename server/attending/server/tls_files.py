"""The PEM files of TLS, read and held against each other, for the server that uses them and the doctor that looks.

Nothing here keeps anything: each function reads or judges, and raises FilesRefused.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from attending.ledger.files import read_private
from attending.server.auth.revocation import ListRefused, RevocationList, read_list
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

MAX_FILE_BYTES: Final = 64 * 1024 * 1024


class FilesRefused(Exception):  # noqa: N818 - says what happened
    """Files that do not hold together. `reason` is constant, `key` the configuration key, `words` for people."""

    def __init__(self, reason: str, key: str, words: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.key, self.words, self.missing = reason, key, words, missing


def read_file(path: Path, key: str) -> bytes:
    """The bytes of a file that the configuration key `key` names (TLS_FILE_NOT_READABLE, TLS_FILE_TOO_LARGE)."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as err:
        raise _not_readable(path, key, err) from err
    if len(data) > MAX_FILE_BYTES:
        raise FilesRefused("TLS_FILE_TOO_LARGE", key, f"`{path}` is larger than {MAX_FILE_BYTES} bytes")
    return data


def read_key(path: Path) -> bytes:
    """The bytes of the server's key; UnsafeSettings when others may read it (TLS_FILE_NOT_READABLE)."""
    try:
        return read_private(path)
    except OSError as err:
        raise _not_readable(path, "server.tls_key", err) from err


def chain_of(data: bytes) -> list[x509.Certificate]:
    """The server's certificate, whose key can be used, and what follows it (TLS_CERTIFICATE_BROKEN)."""
    try:
        chain = x509.load_pem_x509_certificates(data)
        chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm) as err:
        raise FilesRefused(
            "TLS_CERTIFICATE_BROKEN", "server.tls_certificate", "is not a PEM certificate"
        ) from err
    return chain


def check_pair(leaf: x509.Certificate, key: bytes) -> None:
    """Returns when the key is the certificate's own (TLS_KEY_BROKEN, TLS_KEY_DOES_NOT_FIT)."""
    try:
        own = load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as err:
        raise FilesRefused(
            "TLS_KEY_BROKEN", "server.tls_key", "is not a PEM key without a passphrase"
        ) from err
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise FilesRefused("TLS_KEY_DOES_NOT_FIT", "server.tls_key", "is not the key of the certificate")


def authorities_of(data: bytes) -> list[x509.Certificate]:
    """The authorities of client certificates (TLS_CLIENT_CA_BROKEN)."""
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as err:
        raise FilesRefused("TLS_CLIENT_CA_BROKEN", "server.client_ca", "holds no PEM certificates") from err


def list_of(data: bytes, authorities: list[x509.Certificate], now: datetime) -> RevocationList:
    """A revocation list of one of these authorities, maybe out of date (the reasons of `read_list`)."""
    try:
        return read_list(data, authorities, now)
    except ListRefused as err:
        raise FilesRefused(str(err), "server.client_crl", f"is not to go by ({err})") from err


def _not_readable(path: Path, key: str, err: OSError) -> FilesRefused:
    return FilesRefused(
        "TLS_FILE_NOT_READABLE",
        key,
        f"`{path}` cannot be read ({type(err).__name__})",
        missing=isinstance(err, FileNotFoundError),
    )
