"""The server's certificate, key, client authorities and revocation lists, replaced while it runs.

Files are looked at every `server.reload_seconds` and on SIGHUP. New ones are taken only as a whole and only when they
hold together; otherwise the old ones stay in use and the log says why. New connections get the new
certificate, running calls keep theirs; revocations count at once, on every connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, overload

import grpc
import structlog
from attending.ledger.errors import UnsafeSettings
from attending.server import clock
from attending.server.auth.revocation import RevocationList, Revocations, Verdict
from attending.server.config import ServerSection
from attending.server.errors import ConfigurationError
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
from cryptography.hazmat.primitives import hashes

log = structlog.get_logger()

TELL_AGAIN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Material:
    """Files that hold together. `digest` tells them apart from others; `context` is for HTTPS,
    `pages` for HTTPS to browsers, which would show a dialog when they are asked for a client certificate."""

    digest: bytes
    certificate: bytes
    key: bytes
    client_ca: bytes | None
    expires: datetime
    revocations: Revocations | None
    context: ssl.SSLContext
    pages: ssl.SSLContext
    grpc: Any


@dataclass(frozen=True, slots=True)
class TlsChange:
    """What a reload put in use, and when: `changed` are configuration keys, `revoked` counts serial numbers on all
    lists.
    """

    loaded: datetime
    changed: tuple[str, ...]
    certificate_sha256: str
    certificate_expires: datetime
    revoked: int


class Tls:
    """TLS of one server process. `load` comes first; then any thread may ask, and one task may `watch`.

    `on_change` is told of each reload after it has come into force. What it raises is logged and undoes nothing: it is
    told again, in the order in which they came, until it has taken it.
    """

    on_change: Callable[[TlsChange], Awaitable[None]] | None = None

    def __init__(self, config: ServerSection, now: Callable[[], datetime] = clock.now) -> None:
        self._config = config
        self._now = now
        self._material: Material | None = None
        self._untold: deque[TlsChange] = deque()
        self._reloading = asyncio.Lock()
        self._problem: str | None = None

    @property
    def material(self) -> Material:
        """What new connections get. `load` has been called."""
        assert self._material is not None
        return self._material

    def load(self) -> None:
        """Reads the files for the first time; ConfigurationError (TLS_FILES), UnsafeSettings for an open key file."""
        if self._material is not None:
            return
        try:
            self._take(read_material(self._config, self._now()))
        except FilesRefused as err:
            raise ConfigurationError(
                f"`{err.key}`: {err.words}",
                "make it a PEM file that the server may read and that fits the others; see docs/identity.md",
                reason="TLS_FILES",
            ) from err

    async def reload(self) -> bool:
        """Takes new files that hold together. True when something new is in use; keeps the old ones otherwise."""
        async with self._reloading:
            return await self._reload()

    async def _reload(self) -> bool:
        try:
            found = await asyncio.to_thread(read_material, self._config, self._now(), self.material.digest)
            if found is None:
                self._problem = None
                return False
            if found.expires <= self._now():
                raise FilesRefused("TLS_CERTIFICATE_EXPIRED", "server.tls_certificate", "has expired")
        except FilesRefused as err:
            self._refused(err.reason)
            return False
        except UnsafeSettings:
            self._refused("TLS_KEY_OPEN_TO_OTHERS")
            return False
        change = _change(self.material, found, self._now())
        self._take(found)
        log.info("tls.reloaded", kind=list(change.changed), count=change.revoked)
        self._untold.append(change)
        await self._tell()
        return True

    async def tell(self) -> None:
        """Tells `on_change` of what it did not take; never raises."""
        async with self._reloading:
            await self._tell()

    async def _tell(self) -> None:
        while self._untold and self.on_change is not None:
            try:
                await self.on_change(self._untold[0])
            except Exception as err:
                log.error("tls.change_not_recorded", error_type=type(err).__name__)
                return
            self._untold.popleft()

    async def watch(self) -> None:
        """Reloads at every interval, and tells what could not be told, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._config.reload_seconds
        while True:
            await asyncio.sleep(min(TELL_AGAIN_SECONDS, max(0.0, due - loop.time())))
            await self.tell()
            if loop.time() < due:
                continue
            due = loop.time() + self._config.reload_seconds
            try:
                await self.reload()
            except Exception as err:
                # The old files stay in use; nothing that a file holds may end the watch.
                log.error("tls.reload_failed", error_type=type(err).__name__)

    def verdict(self, certificate: x509.Certificate) -> Verdict:
        """Whether a client certificate is revoked, by the lists in use; good when none are configured."""
        if self._material is None:
            return "no_list" if self._config.client_crl else "good"
        revocations = self._material.revocations
        return "good" if revocations is None else revocations.verdict(certificate, self._now())

    def grpc_credentials(self, *, mutual: bool) -> grpc.ServerCredentials:
        """Credentials of one gRPC port, which follow what is loaded. `mutual` demands client certificates."""
        served = self.material

        def newer() -> Any:
            # Called by gRPC's own threads before each handshake.
            nonlocal served
            newest = self.material
            if newest is served:
                return None
            served = newest
            return newest.grpc

        return grpc.dynamic_ssl_server_credentials(served.grpc, newer, mutual)

    def https_context(self) -> ssl.SSLContext:
        """A context for a listener, each of whose connections gets what is loaded then."""
        return _Following(self)

    def pages_context(self) -> ssl.SSLContext:
        """The same for a listener that browsers connect to: no client certificate is asked for."""
        return _Following(self, pages=True)

    def _take(self, found: Material) -> None:
        self._material, self._problem = found, None

    def _refused(self, reason: str) -> None:
        if reason != self._problem:
            log.error("tls.not_reloaded", reason=reason)
        self._problem = reason


def _change(old: Material, new: Material, loaded: datetime) -> TlsChange:
    pairs = {
        "tls_certificate": (old.certificate, new.certificate),
        "tls_key": (old.key, new.key),
        "client_ca": (old.client_ca, new.client_ca),
        "client_crl": (_lists(old), _lists(new)),
    }
    serials = {(one.authority, number) for one in _lists(new) for number in one.serials}
    leaf = x509.load_pem_x509_certificates(new.certificate)[0]
    return TlsChange(
        loaded=loaded,
        changed=tuple(key for key, (before, after) in pairs.items() if before != after),
        certificate_sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        certificate_expires=new.expires,
        revoked=len(serials),
    )


def _lists(material: Material) -> list[RevocationList]:
    return [] if material.revocations is None else list(material.revocations.lists.values())


class _Following(ssl.SSLContext):
    """Hands each connection to the context that is loaded by then. Nothing of an older one is shared: its
    authorities, certificate and session tickets are gone.
    """

    def __new__(cls, _tls: Tls, *, pages: bool = False) -> _Following:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, tls: Tls, *, pages: bool = False) -> None:
        self._tls = tls
        self._pages = pages

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        material = self._tls.material
        return (material.pages if self._pages else material.context).wrap_bio(*args, **more)


@overload
def read_material(config: ServerSection, now: datetime) -> Material: ...
@overload
def read_material(config: ServerSection, now: datetime, known: bytes | None) -> Material | None: ...
def read_material(config: ServerSection, now: datetime, known: bytes | None = None) -> Material | None:
    """Reads all files and holds them against each other; FilesRefused, UnsafeSettings. None for those whose digest is
    `known`, which are not looked at any closer.

    Blocks. The files may be replaced while it reads: what it returns was read as a whole.
    """
    data = _read_all(config)
    digest = hashlib.sha256(b"".join(hashlib.sha256(part or b"").digest() for part in data)).digest()
    if digest == known:
        return None
    key, certificate, client_ca, *lists = data
    assert key is not None
    assert certificate is not None
    leaf = chain_of(certificate)[0]
    check_pair(leaf, key)
    authorities = [] if client_ca is None else authorities_of(client_ca)
    # Python's TLS reads the files by itself; what it read is what we read when they have not changed since.
    context, pages = _context(config), _context(config, asks=False)
    if _read_all(config) != data:
        raise FilesRefused("TLS_FILES_CHANGING", "server.tls_certificate", "changed while it was read")
    revocations = None
    if config.client_crl:
        found = [list_of(one, authorities, now) for one in lists if one is not None]
        revocations = Revocations(found, authorities)
    configuration = grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)
    return Material(
        digest=digest,
        certificate=certificate,
        key=key,
        client_ca=client_ca,
        expires=leaf.not_valid_after_utc,
        revocations=revocations,
        context=context,
        pages=pages,
        grpc=configuration,
    )


def _read_all(config: ServerSection) -> list[bytes | None]:
    ca = None if config.client_ca is None else read_file(config.client_ca, "server.client_ca")
    return [
        read_key(config.tls_key),
        read_file(config.tls_certificate, "server.tls_certificate"),
        ca,
        *(read_file(path, "server.client_crl") for path in config.client_crl),
    ]


def _context(config: ServerSection, *, asks: bool = True) -> ssl.SSLContext:
    """TLS 1.2 or later with the server's certificate. A client certificate is asked for if it `asks`, never required:
    a token will do. One that `client_ca` did not issue ends the handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A passphrase is never asked for at a terminal.
        context.load_cert_chain(config.tls_certificate, config.tls_key, password=lambda: "")
        if asks and config.client_ca is not None:
            context.load_verify_locations(cafile=config.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (ssl.SSLError, OSError, ValueError) as err:
        raise FilesRefused(
            "TLS_FILES_DO_NOT_FIT",
            "server.tls_certificate",
            "it, `server.tls_key` or `server.client_ca` is not a PEM file that fits the others",
        ) from err
    return context
