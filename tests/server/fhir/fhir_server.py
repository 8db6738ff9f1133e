"""A FHIR R4 server on this machine, with SMART Backend Services: versions, conditional updates, and every way to lie.

It keeps what it is sent under the sender's ids (update as create), and holds it to the conditions of the request.
`ways` are taken one at each request that changes something, the last one from then on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "attending-push"
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "processing", "diagnostics": "no"}],
}


@dataclass
class FhirServer:
    """`kept` are resources by `Type/id`, with how many versions there were; `got` every change that was asked for."""

    port: int = 0
    jwk: dict[str, Any] | None = None
    ways: list[str] = field(default_factory=lambda: ["honest"])
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    got: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    token_ways: list[str] = field(default_factory=lambda: ["honest"])
    token_seconds: float = 300
    assertions: set[str] = field(default_factory=set)
    token_requests: int = 0
    down: bool = False
    hang: threading.Event = field(default_factory=threading.Event)
    look: dict[str, threading.Event] = field(default_factory=dict)
    """What stands there of a kind is told once its event is set."""
    looked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/r4"

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for place, one in self.kept.items() if place.startswith(f"{kind}/")]

    def until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it does not come"
            time.sleep(0.05)

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/r4/.well-known/smart-configuration", self._configuration),
                Route("/r4/metadata", self._metadata),
                Route("/token", self._token, methods=["POST"]),
                Route("/r4/{kind}/{id}", self._resource, methods=["GET", "PUT"]),
            ]
        )

    async def _configuration(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "token_endpoint": f"http://127.0.0.1:{self.port}/token",
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "capabilities": ["client-confidential-asymmetric"],
            }
        )

    async def _metadata(self, request: Request) -> Response:
        if not self._let_in(request):
            return JSONResponse(OUTCOME, 401)
        return JSONResponse(
            {"resourceType": "CapabilityStatement", "status": "active", "fhirVersion": "4.0.1"}
        )

    async def _token(self, request: Request) -> Response:
        self.token_requests += 1
        form = dict(parse_qsl((await request.body()).decode()))
        way = self.token_ways.pop(0) if len(self.token_ways) > 1 else self.token_ways[0]
        if way == "busy":
            return JSONResponse({}, 429, headers={"Retry-After": "40"})
        if way == "malformed":
            return JSONResponse({"access_token": "a\nb", "token_type": "Bearer"})
        if self.down or self.jwk is None or not self._proved(form):
            return JSONResponse({"error": "invalid_client"}, 400)
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        said = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.token_seconds,
            "scope": form.get("scope", ""),
        }
        # Not JSONResponse, which says no number that is none.
        return Response(json.dumps(said), media_type="application/json")

    def _proved(self, form: dict[str, str]) -> bool:
        try:
            said = jwt.decode(
                form["client_assertion"],
                jwt.PyJWK(self.jwk or {}),
                algorithms=["ES384"],
                audience=f"http://127.0.0.1:{self.port}/token",
                issuer=CLIENT,
                subject=CLIENT,
                options={"require": ["exp", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, KeyError):
            return False
        fresh = said["jti"] not in self.assertions
        self.assertions.add(said["jti"])
        return (
            fresh
            and form.get("grant_type") == "client_credentials"
            and "system/Task" in form.get("scope", "")
        )

    def _let_in(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens

    async def _resource(self, request: Request) -> Response:
        if self.down:
            return JSONResponse(OUTCOME, 503)
        if not self._let_in(request):
            return JSONResponse(OUTCOME, 401)
        kind, name = request.path_params["kind"], request.path_params["id"]
        place = f"{kind}/{name}"
        if request.method == "GET":
            self.looked.append(kind)
            if kind in self.look:
                await asyncio.to_thread(self.look[kind].wait, 60)
            standing = self.kept.get(place)
            if standing is None:
                return JSONResponse(OUTCOME, 404)
            return JSONResponse(standing, headers={"ETag": f'W/"{self.versions[place]}"'})
        body: dict[str, Any] = await request.json()
        self.got.append((place, dict(request.headers), body))
        way = self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]
        return await self._put(way, place, body, request)

    async def _put(self, way: str, place: str, body: dict[str, Any], request: Request) -> Response:
        assert place == f"{body['resourceType']}/{body['id']}"
        if way == "revoked":
            self.tokens.clear()
            return JSONResponse(OUTCOME, 401)
        if way == "redirect":
            return RedirectResponse("https://evil.example/r4", 307)
        if way == "hang":
            await asyncio.to_thread(self.hang.wait, 60)
        if way == "outcome":
            return JSONResponse(OUTCOME, 200)
        if way == "forgets":
            return Response(status_code=200)
        if way == "changes":
            return JSONResponse({**body, "status": "draft"}, 200)
        if way == "huge":
            return Response(b" " * 20_000_000)
        if way == "no_json":
            return Response(b"<html>", 200)
        if way.startswith("busy"):
            return JSONResponse(OUTCOME, 429, headers={"Retry-After": way.removeprefix("busy") or "1"})
        if way.isdigit():
            return JSONResponse(OUTCOME, int(way))
        if way == "meanwhile" and place in self.versions:
            self.versions[place] += 1  # somebody else changed it between our look and our update
        there = place in self.kept
        if request.headers.get("if-none-match") == "*" and there:
            return JSONResponse(OUTCOME, 412)
        match = request.headers.get("if-match")
        if match is not None and match != f'W/"{self.versions.get(place, 0)}"':
            return JSONResponse(OUTCOME, 412)
        self.versions[place] = self.versions.get(place, 0) + 1
        self.kept[place] = {**body, "meta": {**body.get("meta", {}), "versionId": str(self.versions[place])}}
        headers = {"ETag": f'W/"{self.versions[place]}"'}
        if way == "minimal":
            return Response(status_code=200 if there else 201, headers=headers)
        if way == "lost_answer":
            raise ConnectionResetError
        return JSONResponse(self.kept[place], 200 if there else 201, headers=headers)


@contextmanager
def running(server: FhirServer) -> Iterator[FhirServer]:
    """Serves it on a free port of this machine."""
    listening = socket.create_server(("127.0.0.1", server.port))
    server.port = listening.getsockname()[1]
    serving = uvicorn.Server(uvicorn.Config(server.application(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=serving.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hang.set()
        serving.should_exit = True
        thread.join(10)
        with suppress(OSError):
            listening.close()
