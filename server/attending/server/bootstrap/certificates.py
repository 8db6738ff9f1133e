"""A certificate authority for one data folder, and the certificates it issues. P-256, X.509 v3 (RFC 5280)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS: Final = 3650
LEAF_DAYS: Final = 397
"""The longest that common TLS stacks accept of a server certificate."""
RENEW_DAYS: Final = 30
_BACKDATED: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A certificate signing request (RFC 2986) and its private key, both PEM."""

    request: bytes
    key: bytes


def request_server(hosts: Sequence[str]) -> Request:
    """What an authority needs to issue a server certificate for host names and addresses."""
    return _request("attending", [_host(host) for host in hosts], ExtendedKeyUsageOID.SERVER_AUTH)


def request_client(common_name: str, uri: str) -> Request:
    """What an authority needs to issue a client certificate that names its identity by URI."""
    return _request(common_name, [x509.UniformResourceIdentifier(uri)], ExtendedKeyUsageOID.CLIENT_AUTH)


def new_authority(name: str, now: datetime) -> Pair:
    """A self-signed authority that may issue leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    certificate = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def issue_server(authority: Pair, hosts: Sequence[str], now: datetime) -> Pair:
    """A server certificate for host names and addresses."""
    names = [_host(host) for host in hosts]
    return _issue(authority, "attending", names, ExtendedKeyUsageOID.SERVER_AUTH, now)


def issue_client(authority: Pair, common_name: str, uri: str, now: datetime) -> Pair:
    """A client certificate that names its identity by URI."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    return _issue(authority, common_name, names, ExtendedKeyUsageOID.CLIENT_AUTH, now)


def needs_renewal(certificate: bytes, now: datetime) -> bool:
    """True when less than 30 days of it are left, or when it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc - now < timedelta(
            days=RENEW_DAYS
        )
    except ValueError:
        return True


def _request(common_name: str, names: Sequence[x509.GeneralName], purpose: x509.ObjectIdentifier) -> Request:
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(common_name))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Request(
        request.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _issue(
    authority: Pair,
    common_name: str,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    now: datetime,
) -> Pair:
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = load_pem_private_key(authority.key, None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError("authority key is not an elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_subject(common_name), issuer.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
