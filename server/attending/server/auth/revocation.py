"""Revocation lists of client certificates (RFC 5280 section 5): read, checked against the authorities, and asked.

Asked at every call, not at the handshake: a certificate that is revoked loses its open connections too. Fails closed:
where lists are configured, an authority without one, or with one that is out of date, lets nobody in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_KNOWN_CRITICAL: Final = frozenset({ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER})

Verdict = Literal["good", "revoked", "no_list", "out_of_date"]


class ListRefused(Exception):  # noqa: N818 - says what happened
    """A revocation list is not one to go by; `str()` is a constant reason."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One authority's list whose signature has been checked; `authority` is the authority's `authority_id`."""

    authority: bytes
    this_update: datetime
    next_update: datetime
    serials: frozenset[int]


class Revocations:
    """The newest list of each authority. Immutable; any thread may ask it."""

    def __init__(self, lists: Iterable[RevocationList], authorities: Iterable[x509.Certificate]) -> None:
        """`authorities` are those that TLS lets certificates be issued by."""
        self.lists: dict[bytes, RevocationList] = {}
        for one in lists:
            known = self.lists.get(one.authority)
            if known is None or known.this_update < one.this_update:
                self.lists[one.authority] = one
        self._authorities = tuple((one, authority_id(one)) for one in authorities)
        self._issuer_of = lru_cache(maxsize=4096)(self._find_issuer)

    def verdict(self, certificate: x509.Certificate, now: datetime) -> Verdict:
        """Whether a certificate that TLS has verified may be gone by at `now`."""
        issuer = self._issuer_of(certificate)
        found = None if issuer is None else self.lists.get(issuer)
        if found is None:
            return "no_list"
        if certificate.serial_number in found.serials:
            return "revoked"
        return "good" if now < found.next_update else "out_of_date"

    def _find_issuer(self, certificate: x509.Certificate) -> bytes | None:
        """Who signed it, by the signature: two authorities may have one name, as when one is given a new key."""
        for authority, identifier in self._authorities:
            try:
                certificate.verify_directly_issued_by(authority)
            except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
                continue
            return identifier
        return None


def authority_id(authority: x509.Certificate) -> bytes:
    """What an authority shares with the renewals of its certificate and with nobody else: name and key (RFC 5280
    section 6.1).
    """
    key = authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(authority.subject.public_bytes() + key).digest()


def read_list(data: bytes, authorities: Sequence[x509.Certificate], now: datetime) -> RevocationList:
    """A list in PEM or DER; ListRefused.

    One of `authorities` must have the issuer's name and a key that signed it, and be allowed to sign lists. Refused
    too are lists from the future, without a date of the next one, for a part of the certificates only, or with a
    critical extension that is not understood (RFC 5280 section 5.2). An old list is read: its revocations still hold.
    """
    try:
        pem = data.lstrip().startswith(b"-----BEGIN")
        found = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
        issuer, next_update = found.issuer, found.next_update_utc
        extensions = list(found.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ListRefused("CRL_NOT_READABLE") from None
    signers = [one for one in authorities if one.subject == issuer and _signed_by(found, one)]
    if not signers:
        raise ListRefused("CRL_NOT_BY_CLIENT_CA")
    if any(one.critical and one.oid not in _KNOWN_CRITICAL for one in extensions):
        raise ListRefused("CRL_NOT_UNDERSTOOD")
    if next_update is None:
        raise ListRefused("CRL_WITHOUT_NEXT_UPDATE")
    if found.last_update_utc > now + _CLOCKS_DIFFER:
        raise ListRefused("CRL_FROM_THE_FUTURE")
    serials = frozenset(entry.serial_number for entry in found)
    return RevocationList(authority_id(signers[0]), found.last_update_utc, next_update, serials)


def _signed_by(found: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.crl_sign:
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        key = authority.public_key()
        return found.is_signature_valid(key)  # type: ignore[arg-type] # raises TypeError for a key that cannot sign
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
