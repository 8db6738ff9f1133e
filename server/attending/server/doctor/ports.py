"""Ports: free, or held by this very server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attending.server.config import Config
from attending.server.doctor.check import Finding, Site, green, red, unknown, warning
from attending.server.doctor.machine import Port
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


def ports(site: Site) -> Iterator[Finding]:
    """Each port that the configuration names. One that is held is ours when its holder shows our certificate."""
    own = _certificate(site.config.server.tls_certificate)
    for key, host, number, secured in _wanted(site.config):
        if number == 0:
            yield green(f"`{key}`: takes a free one")
            continue
        state = site.machine.port(host, number)
        where = f"`{key}` {host}:{number}"
        if state is Port.FREE:
            yield green(f"{where}: free")
        elif state is Port.NOT_ALLOWED:
            yield red(
                "PORT_NOT_ALLOWED",
                f"{where}: this user may not listen there",
                "use a port above 1023, or give the unit AmbientCapabilities=CAP_NET_BIND_SERVICE",
            )
        elif state is Port.NO_SUCH_ADDRESS:
            yield red("NO_SUCH_ADDRESS", f"{where}: this machine has no such address", "ip address")
        elif not secured:
            yield warning("PORT_TAKEN", f"{where}: something listens there", f"ss -ltnp 'sport = :{number}'")
        else:
            yield _holder(site, where, host, number, own)


def _holder(site: Site, where: str, host: str, number: int, own: bytes | None) -> Finding:
    """Who holds a port that our server would speak TLS on."""
    who = f"ss -ltnp 'sport = :{number}'"
    try:
        if own is not None and site.machine.certificate_on(host, number) == own:
            return green(f"{where}: our server answers")
    except TimeoutError:
        return unknown("PORT_SILENT", f"{where}: what listens there does not say who it is", who)
    words = f"{where}: something else listens there, or our server with another certificate"
    return red("PORT_TAKEN", words, who)


def _wanted(config: Config) -> Iterator[tuple[str, str, int, bool]]:
    server = config.server
    if server.client_ca is not None:
        yield "server.port", server.host, server.port, True
    if server.tokens:
        yield "server.token_port", server.host, server.token_port, True
    if config.http is not None:
        yield "http.port", config.http.host, config.http.port, config.http.tls


def _certificate(path: Path) -> bytes | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    except (OSError, ValueError):
        return None
