"""Who seals reports: a port, and the key in a file. A key in a module of hardware is another class of this shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from attending.ledger.errors import UnsafeSettings, VerificationError
from attending.ledger.files import read_private
from attending.ledger.verify.pdf.chain import seal_purpose
from attending.server.errors import ConfigurationError
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

LEAST_RSA_BITS: Final = 2048
_HASHES: Final = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


class Signer(Protocol):
    """Signs for one certificate."""

    @property
    def chain(self) -> Sequence[x509.Certificate]:
        """The certificate of the seal, and the authorities above it, the root aside."""

    @property
    def digest(self) -> str:
        """The hash function that goes with the key, `sha256` or `sha384`."""

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`, hashed with `digest`: RSA PKCS #1 v1.5, or ECDSA in DER. May block. Called from
        any thread, by several at once.
        """


class FileSigner:
    """A key in a PEM file that its owner alone may read: P-256, P-384, or RSA of 2048 bits or more."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        """Reads both. Raises ConfigurationError, which quotes nothing of the key."""
        try:
            self.chain: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(
                certificate_file.read_bytes()
            )
            seal_purpose(self.chain[0])
        except (OSError, ValueError, UnsupportedAlgorithm) as err:
            raise _wrong(f"`certificate_file` does not read ({type(err).__name__})") from None
        except VerificationError as err:
            raise _wrong(err.detail) from None
        try:
            self._key = load_pem_private_key(read_private(key_file), None)
        except (OSError, UnsafeSettings, ValueError, TypeError, UnsupportedAlgorithm) as err:
            raise _wrong(f"`key_file` does not read ({type(err).__name__})") from None
        key = self._key
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            self.digest = "sha256" if isinstance(key.curve, ec.SECP256R1) else "sha384"
        elif isinstance(key, rsa.RSAPrivateKey) and key.key_size >= LEAST_RSA_BITS:
            self.digest = "sha256"
        else:
            raise _wrong("the key is not one of P-256, P-384 and RSA of 2048 bits or more")
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*form) != self.chain[0].public_key().public_bytes(*form):
            raise _wrong("`key_file` is not the key of the certificate")

    def sign(self, data: bytes) -> bytes:
        key, method = self._key, _HASHES[self.digest]
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), method)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key.sign(data, ec.ECDSA(method))


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"[reports.seal]: {problem}",
        "give the seal's certificate and key as PEM files, the key readable by its owner only; see docs/seal.md",
        reason="SEAL_KEY",
    )
