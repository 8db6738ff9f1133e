"""The static resources of the tenants' logs over HTTP (c2sp.org/tlog-tiles).

Only what a published checkpoint covers is served. A resource has one spelling, without escapes; everything else
is not found. Checkpoints and tiles hold hashes, introductions the log's public keys, and may be public; entry bundles
hold pseudonyms and ids and take a credential of somebody who may read entries.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.errors import VerificationError
from attending.ledger.ledger import Ledger
from attending.ledger.static.paths import CHECKPOINT, TilePath, parse_introduction, parse_path
from attending.server.auth.actions import PAGES
from attending.server.config import HttpSection, TenantSection
from attending.server.errors import NotFound, Unavailable
from attending.server.web.access import HttpAccess
from attending.server.web.errors import error_response
from starlette.requests import Request
from starlette.responses import Response

log = structlog.get_logger()

RETRY_SECONDS: Final = 1.0
CHECKPOINT_SECONDS: Final = 1
"""Checkpoints are published once a second; a cache may keep one for as long."""
FOREVER_SECONDS: Final = 31_536_000
_GZIP_LEVEL: Final = 6
_GZIP: Final = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?P<q>[0-9.]+)\s*)?(?:,|$)", re.IGNORECASE)

ROUTE: Final = "/{path:path}"
_ACTIONS: Final = PAGES[ROUTE]
_PUBLIC: Final = ("checkpoint", "introduction", "tile")


class TileEndpoint:
    """Answers GET and HEAD of everything beneath the logs' paths. Belongs to one event loop."""

    def __init__(
        self, ledger: Ledger, access: HttpAccess, tenants: list[TenantSection], config: HttpSection
    ) -> None:
        self._ledger = ledger
        self._access = access
        self._config = config
        self._logs = {f"{tenant.log_path}/": tenant.name for tenant in tenants}
        self._by_caller: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Response:
        """The resource, or one line that says why not."""
        start, kind, tenant = time.perf_counter(), "unknown", None
        try:
            with self._slot("", self._config.max_concurrent_requests):
                tenant, path = self._find(request)
                kind = _kind(path)
                response = await self._answer(request, tenant, kind, path)
        except Exception as error:
            response = error_response(error)
        # The kind of a resource and no more: a query or a header may hold anything.
        log.debug(
            "http.request",
            method=request.method,
            stage=kind,
            tenant=tenant,
            status=response.status_code,
            elapsed_ms=round((time.perf_counter() - start) * 1e3, 3),
        )
        return response

    async def _answer(self, request: Request, tenant: str | None, kind: str, path: str) -> Response:
        public = self._config.public_tiles and kind in _PUBLIC and tenant is not None
        if public:
            return await self._resource(request, tenant, kind, path)
        principal = await self._access.authenticate(request)
        with self._slot(principal.key, self._config.max_concurrent_requests // 2):
            await self._access.require(principal, _ACTIONS.get(kind, _ACTIONS["tile"]), tenant)
            return await self._resource(request, tenant, kind, path)

    async def _resource(self, request: Request, tenant: str | None, kind: str, path: str) -> Response:
        if tenant is None or kind == "unknown":
            raise NotFound("UNKNOWN_RESOURCE")
        shared = "public" if self._config.public_tiles and kind != "entries" else "private"
        if kind == "checkpoint":
            return await self._checkpoint(request, tenant, shared)
        if (generation := parse_introduction(path)) is not None:
            return await self._introduction(tenant, generation, shared)
        found = parse_path(path)
        data = await self._ledger.published_resource(tenant, found)
        headers = {
            "Cache-Control": f"{shared}, max-age={FOREVER_SECONDS}, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        if found.level is None:
            headers["Vary"] = "Accept-Encoding"
            if _takes_gzip(request.headers.get("accept-encoding", "")):
                headers["Content-Encoding"] = "gzip"
                data = await asyncio.to_thread(gzip.compress, data, _GZIP_LEVEL, mtime=0)
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def _introduction(self, tenant: str, generation: int, shared: str) -> Response:
        note = await self._ledger.published_checkpoint(tenant)
        found = [] if note is None else self._ledger.introductions(tenant, parse_checkpoint(note).size)
        if generation - 2 >= len(found):
            raise NotFound("UNKNOWN_RESOURCE")
        headers = {
            "Cache-Control": f"{shared}, max-age={FOREVER_SECONDS}, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(
            found[generation - 2].encode(), media_type="text/plain; charset=utf-8", headers=headers
        )

    async def _checkpoint(self, request: Request, tenant: str, shared: str) -> Response:
        note = await self._ledger.published_checkpoint(tenant)
        if note is None:
            raise Unavailable("NOT_YET_PUBLISHED", retry_after_seconds=RETRY_SECONDS)
        data = note.encode()
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {
            "Cache-Control": f"{shared}, max-age={CHECKPOINT_SECONDS}",
            "ETag": tag,
            "X-Content-Type-Options": "nosniff",
        }
        known = request.headers.get("if-none-match", "")
        if tag in (part.strip().removeprefix("W/") for part in known.split(",")) or known.strip() == "*":
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="text/plain; charset=utf-8", headers=headers)

    def _find(self, request: Request) -> tuple[str | None, str]:
        """(tenant, path beneath its log); (None, "") when the path is under no log."""
        # As sent: an escaped letter would be a second name of one resource.
        raw = request.scope.get("raw_path", b"").decode("ascii", "replace")
        for prefix, tenant in self._logs.items():
            if raw.startswith(prefix):
                return tenant, raw[len(prefix) :]
        return None, ""

    @contextmanager
    def _slot(self, caller: str, limit: int) -> Iterator[None]:
        """One of `limit` places, of everybody (an empty `caller`) or of one; Unavailable when all are taken."""
        if self._by_caller[caller] >= limit:
            reason = "CALLER_BUSY" if caller else "SERVER_BUSY"
            raise Unavailable(reason, retry_after_seconds=RETRY_SECONDS)
        self._by_caller[caller] += 1
        try:
            yield
        finally:
            self._by_caller[caller] -= 1
            if not self._by_caller[caller]:
                del self._by_caller[caller]


def _kind(path: str) -> str:
    if path == CHECKPOINT:
        return "checkpoint"
    if parse_introduction(path) is not None:
        return "introduction"
    try:
        found: TilePath = parse_path(path)
    except VerificationError:
        return "unknown"
    return "entries" if found.level is None else "tile"


def _takes_gzip(accepted: str) -> bool:
    match = _GZIP.search(accepted)
    if match is None:
        return False
    try:
        return match["q"] is None or float(match["q"]) > 0
    except ValueError:
        return False
