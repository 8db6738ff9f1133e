"""TLS: the server's certificate with its chain and key, and the authorities of client certificates (RFC 5280)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from attending.ledger.files import read_private
from attending.server.auth.revocation import ListRefused, read_list
from attending.server.doctor.check import SOON_DAYS, Finding, Site, green, red, unknown, warning
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

MIN_RSA_BITS: Final = 2048
CRL_HOURS: Final = 12
"""A list that is not followed by a newer one half a day before its end is late."""
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


def server(site: Site) -> Iterator[Finding]:
    """The certificate reads, is in force, fits its key, and its chain is whole and in order."""
    section = site.config.server
    path = section.tls_certificate
    chain = _read(path)
    if isinstance(chain, Finding):
        yield chain
        return
    leaf = chain[0]
    yield from _in_force(chain, site.now(), "server.tls_certificate", path)
    for lower, upper in pairwise(chain):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            yield red(
                "CHAIN_BROKEN",
                f"`{path}`: a certificate is not issued by the one after it",
                "put the server's own certificate first, then each issuer after what it issued",
            )
            break
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        yield red(
            "KEY_WEAK",
            f"`{path}`: an RSA key of {key.key_size} bits",
            f"have one issued for a key of at least {MIN_RSA_BITS} bits, or P-256",
        )
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
            yield red(
                "NOT_FOR_SERVERS",
                f"`{path}`: its extended key usage is not that of a server",
                "have a server certificate issued",
            )
    except x509.ExtensionNotFound:
        pass
    yield from _fits(site, leaf)


def names(site: Site) -> Iterator[Finding]:
    """The certificate names the hosts by which callers know the server."""
    chain = _read(site.config.server.tls_certificate)
    if isinstance(chain, Finding):
        # The check before this says so in red.
        yield unknown("TLS_FILES", "there is no certificate to read names from", chain.next_step)
        return
    try:
        found = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = found.get_values_for_type(x509.DNSName)
        addresses = found.get_values_for_type(x509.IPAddress)
    except x509.ExtensionNotFound:
        hosts, addresses = [], []
    if not hosts and not addresses:
        yield red(
            "NO_HOST_NAME",
            "the certificate has no subject alternative name of a host: every client refuses it",
            "have one issued with the host's DNS name as subject alternative name",
        )
        return
    words = ", ".join([*hosts, *(str(address) for address in addresses)])
    host = site.config.server.host
    if host not in _EVERYWHERE and not _named(host, hosts, addresses) and not site.local:
        yield warning(
            "HOST_NOT_NAMED",
            f"`server.host` is `{host}`, the certificate names {words}: callers must use one of those",
            "make sure that callers use a name in the certificate, or have that host added",
        )
    elif (
        host in _EVERYWHERE
        and all(name == "localhost" for name in hosts)
        and all(a.is_loopback for a in addresses)
    ):
        yield warning(
            "LOCAL_NAMES_ONLY",
            f"the server listens everywhere, and its certificate names {words}: other machines refuse it",
            "have a certificate issued with the host's DNS name",
        )
    else:
        yield green(words)


def client_authorities(site: Site) -> Iterator[Finding]:
    """Each authority of client certificates is one, and in force."""
    path = site.config.server.client_ca
    if path is None:
        yield green("no client certificates: callers use bearer tokens")
        return
    found = _read(path)
    if isinstance(found, Finding):
        yield found
        return
    yield from _in_force(found, site.now(), "server.client_ca", path)
    for certificate in found:
        try:
            is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_authority = False
        if not is_authority:
            yield red(
                "NOT_AN_AUTHORITY",
                f"`server.client_ca`: `{path}` holds a certificate that is no authority",
                "put the authority's own certificate there",
            )


def revocation(site: Site) -> Iterator[Finding]:
    """Each authority of client certificates has a revocation list that is up to date, where any is configured: without
    one it lets nobody in.
    """
    section, now = site.config.server, site.now()
    if not section.client_crl:
        if section.client_ca is not None and not site.local:
            yield warning(
                "NO_REVOCATION_LIST",
                "`server.client_crl` is not set: a stolen certificate is good until it expires",
                "set `server.client_crl` to the authority's list (docs/identity.md)",
            )
        else:
            yield green("no revocation lists")
        return
    authorities = _read(section.client_ca) if section.client_ca is not None else []
    if isinstance(authorities, Finding):
        yield unknown("TLS_FILES", "there is no authority whose lists these could be", authorities.next_step)
        return
    renew = "fetch the authority's newest list, and put it at"
    lists = []
    for path in section.client_crl:
        try:
            lists.append(found := read_list(path.read_bytes(), authorities, now))
        except FileNotFoundError:
            yield red("CRL_MISSING", f"there is no revocation list `{path}`", f"{renew} {path}")
            continue
        except ListRefused as err:
            yield red(str(err), f"`{path}` is not a list to go by", f"{renew} {path} (docs/identity.md)")
            continue
        if found.next_update <= now:
            yield red(
                "CRL_OUT_OF_DATE",
                f"`{path}` was good until {found.next_update:%Y-%m-%d %H:%M} UTC: nobody of its authority is let in",
                f"{renew} {path}",
            )
        elif found.next_update - now < timedelta(hours=CRL_HOURS):
            yield warning(
                "CRL_RUNS_OUT",
                f"`{path}` is good until {found.next_update:%Y-%m-%d %H:%M} UTC",
                f"{renew} {path}",
            )
        else:
            yield green(f"{len(found.serials)} revoked, good until {found.next_update:%Y-%m-%d %H:%M} UTC")
    named = {one.issuer for one in lists}
    for authority in authorities:
        if authority.subject.public_bytes() not in named:
            yield red(
                "CRL_MISSING",
                "an authority in `server.client_ca` has no revocation list: nobody of it is let in",
                "add its list to `server.client_crl`, or take the authority out",
            )


def _fits(site: Site, leaf: x509.Certificate) -> Iterator[Finding]:
    path = site.config.server.tls_key
    try:
        private = load_pem_private_key(read_private(path), None)
    except FileNotFoundError:
        yield red("TLS_FILES", f"`server.tls_key`: there is no file `{path}`", f"put the key there: {path}")
        return
    except (ValueError, TypeError):
        yield red(
            "TLS_FILES",
            f"`server.tls_key`: `{path}` is no PEM key without a passphrase",
            "openssl pkey -in KEY -out that file, with mode 600",
        )
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form):
        yield green("the key fits the certificate")
    else:
        yield red(
            "KEY_DOES_NOT_FIT",
            "`server.tls_key` is not the key of `server.tls_certificate`",
            "put the key there for which the certificate was issued",
        )


def _read(path: Path) -> list[x509.Certificate] | Finding:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except FileNotFoundError:
        return red(
            "TLS_FILES", f"there is no file `{path}`", f"have a certificate issued, and put it there: {path}"
        )
    except ValueError:
        return red("TLS_FILES", f"`{path}` holds no PEM certificate", "put the certificate there, as PEM")


def _in_force(certificates: list[x509.Certificate], now: datetime, key: str, path: Path) -> Iterator[Finding]:
    """Of the first that runs out, since the others are no good without it."""
    first = min(certificates, key=lambda certificate: certificate.not_valid_after_utc)
    latest = max(certificate.not_valid_before_utc for certificate in certificates)
    ends = first.not_valid_after_utc
    renew = f"renew it, put it at {path}"
    if ends <= now:
        yield red("CERTIFICATE_EXPIRED", f"`{key}` ran out at {ends:%Y-%m-%d %H:%M} UTC", renew)
    elif latest > now:
        yield red(
            "CERTIFICATE_NOT_YET",
            f"`{key}` is valid from {latest:%Y-%m-%d %H:%M} UTC on",
            "check the clock with timedatectl status, and the certificate",
        )
    elif ends - now < timedelta(days=SOON_DAYS):
        yield warning("CERTIFICATE_EXPIRES", f"`{key}` runs out on {ends:%Y-%m-%d}", renew)
    else:
        yield green(f"`{key}` is valid until {ends:%Y-%m-%d}")


def _named(host: str, hosts: list[str], addresses: list[Any]) -> bool:
    try:
        return ipaddress.ip_address(host) in addresses
    except ValueError:
        wanted = host.lower()
        return any(
            wanted == name.lower() or (name.startswith("*.") and wanted.partition(".")[2] == name[2:].lower())
            for name in hosts
        )
