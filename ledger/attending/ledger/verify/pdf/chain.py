"""The path from a certificate to a root that the auditor gave, at one moment (RFC 5280, section 6, as far as used).

Every certificate of the path must be valid at that moment, and each issuer an authority that may sign certificates. A
critical extension that is not understood here is refused. Revocation is looked at in the lists that are given; what no
list covers is said, not assumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, TypeVar

from attending.ledger.errors import VerificationError
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

MAX_PATH: Final = 6
_LEAST_RSA_BITS: Final = 2048
_UNDERSTOOD: Final = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
)
_DOCUMENT_SIGNING: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
_DOCUMENTS: Final = frozenset(
    {
        _DOCUMENT_SIGNING,
        x509.ObjectIdentifier("1.2.840.113583.1.1.5"),  # the purpose that PDF readers knew before it
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    }
)
_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
_ALGORITHMS: Final = frozenset(
    {
        *(SignatureAlgorithmOID.RSA_WITH_SHA256, SignatureAlgorithmOID.RSA_WITH_SHA384),
        *(SignatureAlgorithmOID.RSA_WITH_SHA512, SignatureAlgorithmOID.RSASSA_PSS),
        *(SignatureAlgorithmOID.ECDSA_WITH_SHA256, SignatureAlgorithmOID.ECDSA_WITH_SHA384),
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)
"""Of certificates and lists, whatever the library would take: those of seals, so that none is easier to forge."""
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
T = TypeVar("T", bound=x509.ExtensionType)
_COMPROMISED: Final = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise})


@dataclass(frozen=True, slots=True)
class Path:
    """A path that holds: `uncovered` counts its certificates, root aside, that no list says anything of."""

    certificates: tuple[x509.Certificate, ...]
    uncovered: int


def seal_purpose(certificate: x509.Certificate) -> None:
    """Raises VerificationError unless the key may sign documents."""
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise VerificationError("certificate of the seal is not for signatures")
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and not _DOCUMENTS & set(extended):
        raise VerificationError("certificate of the seal is not for documents")


def stamp_purpose(certificate: x509.Certificate) -> None:
    """Raises VerificationError unless the key is for time stamps, for nothing else, and says so critically (RFC 3161,
    section 2.3).
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise VerificationError("certificate of the stamp is not for time stamps") from None
    if not found.critical or list(found.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise VerificationError("certificate of the stamp is not for time stamps alone, critically")


def verify_path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    moment: datetime,
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> Path:
    """The path from `leaf` over `others` to one of `roots`, valid at `moment`. A root counts by its bytes, never by its
    name. Raises VerificationError: no path, or what is wrong with the one that there is.
    """
    path = _path(leaf, others, roots)
    if path is None:
        raise VerificationError("certificate does not lead to a root that was given")
    for place, item in enumerate(path):
        which = "certificate" if place == 0 else f"authority {place} above the certificate"
        if moment < item.not_valid_before_utc:
            raise VerificationError(f"{which} was not valid yet at {_text(moment)}")
        if moment > item.not_valid_after_utc:
            raise VerificationError(f"{which} had expired at {_text(moment)}")
        for extension in item.extensions:
            if extension.critical and extension.oid not in _UNDERSTOOD:
                raise VerificationError(f"{which} has a critical extension that is not understood")
        key = item.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
            raise VerificationError(f"{which} has an RSA key of fewer than {_LEAST_RSA_BITS} bits")
        if place:
            _authority(item, place, which)
    uncovered = 0
    for item, issuer in pairwise(path):
        uncovered += not _looked_up(item, issuer, lists, moment)
    return Path(path, uncovered)


def _path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
) -> tuple[x509.Certificate, ...] | None:
    """The shortest path that signatures bear out. Each certificate is gone through once, by whatever way it was
    reached: many of one name and key cost their square in signatures, and not every way that leads through them.
    """
    pending, seen = deque[tuple[x509.Certificate, ...]]([(leaf,)]), {leaf}
    while pending:
        so_far = pending.popleft()
        if so_far[-1] in roots:
            return so_far
        if len(so_far) >= MAX_PATH:
            continue
        for issuer in (*roots, *others):
            if issuer not in seen and _issued(so_far[-1], issuer):
                seen.add(issuer)
                pending.append((*so_far, issuer))
    return None


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        if not _taken(certificate, issuer.public_key()):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _taken(found: x509.Certificate | x509.CertificateRevocationList, key: CertificatePublicKeyTypes) -> bool:
    """Whether a signature is of a kind that is taken, and by a key of one."""
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        return False
    if found.signature_algorithm_oid not in _ALGORITHMS:
        return False
    try:
        method = found.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    return method is not None and method.name in _HASHES


def _authority(certificate: x509.Certificate, below: int, which: str) -> None:
    """`below` counts the certificates beneath it, the leaf included."""
    basic = _extension(certificate, x509.BasicConstraints)
    if basic is None or not basic.ca:
        raise VerificationError(f"{which} is no authority")
    if basic.path_length is not None and basic.path_length < below - 1:
        raise VerificationError(f"{which} may not stand that high")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise VerificationError(f"{which} may not sign certificates")


def _looked_up(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[x509.CertificateRevocationList],
    moment: datetime,
) -> bool:
    """Whether a list of the issuer says something of the certificate at `moment`; raises where it was revoked."""
    covered, key = False, issuer.public_key()
    for found in lists:
        if found.issuer != issuer.subject or not _taken(found, key) or not _signed(found, key):
            continue
        _whole(found)
        entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None:
            _revoked(entry, moment)
        # A list that was out of date by then knows nothing of the moment.
        covered = covered or found.next_update_utc is None or moment <= found.next_update_utc
    return covered


def _revoked(entry: x509.RevokedCertificate, moment: datetime) -> None:
    reason, since = None, entry.revocation_date_utc
    try:
        extensions = entry.extensions
    except (ValueError, TypeError, x509.DuplicateExtension):
        # Read only here: a list may have entries by the hundred thousand.
        raise VerificationError("revocation list does not read") from None
    for extension in extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
        elif isinstance(extension.value, x509.InvalidityDate):
            since = min(since, extension.value.invalidity_date_utc)
        elif extension.critical:
            raise VerificationError("revocation has a critical extension that is not understood")
    if since <= moment:
        raise VerificationError(f"certificate had been revoked at {_text(since)}")
    if reason in _COMPROMISED:
        raise VerificationError(f"key of the certificate was reported stolen at {_text(since)}")


def _signed(found: x509.CertificateRevocationList, key: CertificatePublicKeyTypes) -> bool:
    try:
        return found.is_signature_valid(key)  # type: ignore[arg-type] # what is of another kind raises
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _whole(found: x509.CertificateRevocationList) -> None:
    for extension in found.extensions:
        if extension.critical:
            # A list of changes only, or of a part: it cannot say that something is not revoked.
            raise VerificationError("revocation list has a critical extension that is not understood")


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
