"""A CMS signature (RFC 5652) with one signer, verified against the signer's own certificate.

Whose certificate that is, and whether it was valid, is for `chain`. What is wrong is a VerificationError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf import der
from attending.ledger.verify.pdf.der import OID, SEQUENCE, SET, Element
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

DATA: Final = "1.2.840.113549.1.7.1"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
SIGNATURE_TIME_STAMP: Final = "1.2.840.113549.1.9.16.2.14"
LEAST_RSA_BITS: Final = 2048
MAX_CERTIFICATES: Final = 32
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_RSA: Final = "1.2.840.113549.1.1.1"
_PSS: Final = "1.2.840.113549.1.1.10"

_NULL: Final = b"\x05\x00"

DIGESTS: Final[Mapping[str, str]] = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""Hash functions that are taken; SHA-1 is not among them."""
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_RSA_WITH: Final = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_ECDSA_WITH: Final = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_UNREADABLE: Final = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.DuplicateExtension, x509.InvalidVersion),
)
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class SignedData:
    """A parsed signature, not verified yet."""

    content_type: str
    content: bytes | None
    certificates: tuple[x509.Certificate, ...]
    signer: x509.Certificate
    digest: str
    """The name of the hash function, as `hashlib` has it."""
    signature: bytes
    signed: Mapping[str, Element]
    """Signed attributes, each with its one value."""
    unsigned: Mapping[str, Sequence[Element]]
    _signed_bytes: bytes
    _algorithm: tuple[str, str | None]

    def verify(self, content_digest: bytes) -> None:
        """Raises VerificationError unless the signer signed content of this digest (RFC 5652, section 5.4), and
        named the very certificate whose key it was (RFC 5035, RFC 2634).
        """
        if self.signed[_MESSAGE_DIGEST].octets() != content_digest:
            raise VerificationError("content is not what was signed")
        self._bound_to_certificate()
        key, (scheme, parameter) = self.signer.public_key(), self._algorithm
        try:
            if isinstance(key, rsa.RSAPublicKey) and scheme in ("rsa", "pss"):
                if key.key_size < LEAST_RSA_BITS:
                    raise VerificationError(f"RSA key of fewer than {LEAST_RSA_BITS} bits")
                method = _HASHES[parameter or self.digest]
                pad: padding.AsymmetricPadding = padding.PKCS1v15()
                if scheme == "pss":
                    pad = padding.PSS(padding.MGF1(method), method.digest_size)
                key.verify(self.signature, self._signed_bytes, pad, method)
            elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ecdsa":
                if not isinstance(key.curve, _CURVES):
                    raise VerificationError("curve is not one of P-256, P-384 and P-521")
                key.verify(self.signature, self._signed_bytes, ec.ECDSA(_HASHES[parameter or self.digest]))
            else:
                raise VerificationError("signature is of another kind than the certificate's key")
        except InvalidSignature:
            raise VerificationError("signature does not verify under its certificate") from None
        except (ValueError, UnsupportedAlgorithm):
            raise VerificationError("signature or key is not one that can be verified") from None

    def _bound_to_certificate(self) -> None:
        data = self.signer.public_bytes(Encoding.DER)
        if (value := self.signed.get(_SIGNING_CERTIFICATE_V2)) is not None:
            first = _first(_first(value)).children()
            name = "sha256"
            if first and first[0].tag == SEQUENCE:
                name = digest_name(first.pop(0))
            _require(bool(first), "signature does not name its certificate")
            digest = first[0]
            expected = hashlib.new(name, data).digest()
        elif (value := self.signed.get(_SIGNING_CERTIFICATE)) is not None:
            digest = _first(_first(_first(value)))
            # SHA-1 is all that this attribute knows; it only tells certificates of one key apart.
            expected = hashlib.sha1(data, usedforsecurity=False).digest()
        else:
            raise VerificationError("signature does not name its certificate")
        if digest.octets() != expected:
            raise VerificationError("signature names another certificate")


def parse(data: bytes, content_type: str) -> SignedData:
    """The signature in `data`, a ContentInfo of SignedData over content of this type."""
    outer = der.parse(data).children()
    _require(len(outer) == 2 and outer[0].oid() == _SIGNED_DATA, "not a CMS signature")
    parts = _only(outer[1].children(0xA0)).children()
    _require(len(parts) >= 4, "signature lacks parts")
    functions = [item.children() for item in parts[1].children(SET)]
    named_all = all(item and item[0].tag == OID and _without_parameters(item) for item in functions)
    _require(named_all, "hash function is not allowed")
    inner = parts[2].children()
    _require(bool(inner) and inner[0].oid() == content_type, "signature is over content of another kind")
    content = _only(inner[1].children(0xA0)).octets() if len(inner) > 1 else None
    certificates = _certificates(parts[3:-1])
    info = _only(parts[-1].children(SET)).children()
    _require(len(info) in (6, 7) and info[3].tag == 0xA0, "signer signed no attributes")
    # RFC 5652, sections 5.1 and 5.3, for a signature with X.509 certificates alone.
    version = 1 if info[1].tag == SEQUENCE else 3
    _require(info[0].integer() == version, "signer is of another version")
    _require(
        parts[0].integer() == (version if content_type == DATA else 3), "signature is of another version"
    )
    digest = digest_name(info[2])
    named = _first(info[2])
    _require(
        any(item[:1] == [named] for item in functions),
        "signature does not list the hash function of its signer",
    )
    signed = {}
    for name, values in _attributes(info[3]):
        _require(name not in signed and len(values) == 1, "signed attribute is there twice")
        signed[name] = values[0]
    _require(_MESSAGE_DIGEST in signed, "signature has no message digest")
    _require(
        _CONTENT_TYPE in signed and signed[_CONTENT_TYPE].oid() == content_type,
        "signed attributes are of content of another kind",
    )
    unsigned: dict[str, list[Element]] = {}
    for more in info[6:]:
        for name, values in _attributes(more, 0xA1):
            unsigned.setdefault(name, []).extend(values)
    return SignedData(
        content_type,
        content,
        certificates,
        _signer(info[1], certificates),
        digest,
        info[5].octets(),
        signed,
        unsigned,
        b"\x31" + info[3].encoded[1:],
        _algorithm(info[4], digest),
    )


def _certificates(parts: Sequence[Element]) -> tuple[x509.Certificate, ...]:
    found: list[x509.Certificate] = []
    for part in parts:
        if part.tag == 0xA0:
            for item in part.children(0xA0):
                _require(len(found) < MAX_CERTIFICATES, f"more than {MAX_CERTIFICATES} certificates")
                found.append(load_certificate(item.encoded))
    return tuple(dict.fromkeys(found))  # some signers put theirs in twice


def load_certificate(data: bytes) -> x509.Certificate:
    """A certificate; VerificationError where it does not read."""
    try:
        certificate = x509.load_der_x509_certificate(data)
        _ = certificate.extensions, certificate.issuer, certificate.subject, certificate.public_key()
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _UNREADABLE:
        raise VerificationError("certificate does not read") from None
    return certificate


def load_list(data: bytes) -> x509.CertificateRevocationList:
    """A revocation list; VerificationError where it does not read."""
    try:
        found = x509.load_der_x509_crl(data)
        _ = found.extensions, found.issuer, found.next_update_utc
    except _UNREADABLE:
        raise VerificationError("revocation list does not read") from None
    return found


def _signer(sid: Element, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    if sid.tag == SEQUENCE:
        parts = sid.children()
        _require(len(parts) == 2, "signer is not named by issuer and serial number")
        issuer, serial = parts
        number = serial.integer()
        named = [
            item
            for item in certificates
            if item.serial_number == number and item.issuer.public_bytes() == issuer.encoded
        ]
    else:
        named = [item for item in certificates if key_identifier(item) == sid.content]
    _require(len(named) == 1, "certificate of the signer is not there once")
    return named[0]


def key_identifier(certificate: x509.Certificate) -> bytes | None:
    """What a certificate says its key is called."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return found.value.digest


def _algorithm(element: Element, digest: str) -> tuple[str, str | None]:
    parts = element.children()
    _require(bool(parts), "signature names no algorithm")
    name = parts[0].oid()
    if name != _PSS:
        _require(_without_parameters(parts), "algorithm of the signature is not allowed")
    if name == _RSA:
        return "rsa", None
    if name in _RSA_WITH:
        return "rsa", _RSA_WITH[name]
    if name in _ECDSA_WITH:
        return "ecdsa", _ECDSA_WITH[name]
    if name == _PSS:
        return "pss", digest
    raise VerificationError("algorithm of the signature is not allowed")


def digest_name(element: Element) -> str:
    """The hash function of an AlgorithmIdentifier, as `hashlib` has it."""
    parts = element.children()
    name = DIGESTS.get(parts[0].oid()) if parts else None
    if name is None or not _without_parameters(parts):
        raise VerificationError("hash function is not allowed")
    return name


def _without_parameters(parts: Sequence[Element]) -> bool:
    """Whether an AlgorithmIdentifier has no parameters, or NULL (RFC 5754, sections 2 and 3)."""
    return [item.encoded for item in parts[1:]] in ([], [_NULL])


def _attributes(element: Element, tag: int = 0xA0) -> list[tuple[str, list[Element]]]:
    found = []
    for item in element.children(tag):
        pair = item.children()
        _require(len(pair) == 2, "attribute is not well formed")
        values = pair[1].children(SET)
        _require(bool(values), "attribute is empty")
        found.append((pair[0].oid(), values))
    return found


def _first(element: Element) -> Element:
    children = element.children()
    _require(bool(children), "element is empty")
    return children[0]


def _only(items: Sequence[Element]) -> Element:
    _require(len(items) == 1, "exactly one signer and one content are allowed")
    return items[0]


def _require(holds: bool, detail: str) -> None:
    if not holds:
        raise VerificationError(detail)
