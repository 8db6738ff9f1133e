"""TLS: the server's certificate with its chain and key, and the authorities of client certificates (RFC 5280)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from attending.server.auth.revocation import authority_id
from attending.server.doctor.check import SOON_DAYS, Finding, Site, green, red, unknown, warning
from attending.server.tls_files import (
    FilesRefused,
    authorities_of,
    chain_of,
    check_pair,
    list_of,
    read_file,
    read_key,
)
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

MIN_RSA_BITS: Final = 2048
CRL_HOURS: Final = 12
"""A list that is not followed by a newer one half a day before its end is late."""
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


def server(site: Site) -> Iterator[Finding]:
    """The certificate reads, is in force, fits its key, and its chain is whole and in order."""
    path = site.config.server.tls_certificate
    try:
        chain = _chain(path)
    except FilesRefused as err:
        yield _refused(err, path)
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
    path = site.config.server.tls_certificate
    try:
        chain = _chain(path)
    except FilesRefused as err:
        # The check before this says so in red.
        step = _refused(err, path).next_step
        yield unknown("TLS_FILES", "there is no certificate to read names from", step)
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
    try:
        found = _authorities(path)
    except FilesRefused as err:
        yield _refused(err, path)
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
    authorities: list[x509.Certificate] = []
    if section.client_ca is not None:
        try:
            authorities = _authorities(section.client_ca)
        except FilesRefused as err:
            step = _refused(err, section.client_ca).next_step
            yield unknown("TLS_FILES", "there is no authority whose lists these could be", step)
            return
    renew = "fetch the authority's newest list, and put it at"
    lists = []
    for path in section.client_crl:
        try:
            data = read_file(path, "server.client_crl")
            lists.append(found := list_of(data, authorities, now))
        except FilesRefused as err:
            if err.missing:
                yield red("CRL_MISSING", f"there is no revocation list `{path}`", f"{renew} {path}")
            else:
                yield red(err.reason, f"`{path}` {err.words}", f"{renew} {path} (docs/identity.md)")
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
    named = {one.authority for one in lists}
    for authority in authorities:
        if authority_id(authority) not in named:
            yield red(
                "CRL_MISSING",
                "an authority in `server.client_ca` has no revocation list: nobody of it is let in",
                "add its list to `server.client_crl`, or take the authority out",
            )


def _fits(site: Site, leaf: x509.Certificate) -> Iterator[Finding]:
    path = site.config.server.tls_key
    try:
        check_pair(leaf, read_key(path))
    except FilesRefused as err:
        yield _refused(err, path)
    else:
        yield green("the key fits the certificate")


def _chain(path: Path) -> list[x509.Certificate]:
    return chain_of(read_file(path, "server.tls_certificate"))


def _authorities(path: Path) -> list[x509.Certificate]:
    return authorities_of(read_file(path, "server.client_ca"))


def _refused(err: FilesRefused, path: Path) -> Finding:
    """What the server would refuse, with what to do about it."""
    if err.reason == "TLS_KEY_DOES_NOT_FIT":
        return red(
            "KEY_DOES_NOT_FIT",
            "`server.tls_key` is not the key of `server.tls_certificate`",
            "put the key there for which the certificate was issued",
        )
    if err.reason == "TLS_KEY_BROKEN":
        step = "openssl pkey -in KEY -out that file, with mode 600"
    elif not err.missing:
        step = "make it a PEM file that the server may read"
    elif err.key == "server.tls_key":
        step = f"put the key there: {path}"
    else:
        step = f"have a certificate issued, and put it there: {path}"
    detail = (
        f"there is no file `{path}`" if err.missing else f"`{path}` {err.words.removeprefix(f'`{path}` ')}"
    )
    return red("TLS_FILES", f"`{err.key}`: {detail}", step)


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
