"""A record system on this machine: a FHIR server with SMART App Launch 2.2, an authorisation server, pages that frame.

Honest unless `faults` say otherwise. It proves what it is asked: client, redirect address, audience, PKCE, the client's
assertion; whoever fails gets no code, or no token.
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.server.auth.oidc_world import SigningKey, new_key

CLIENT = "attending-console"
MRN = "urn:oid:1.2.36.146.595.217.0.1"


@dataclass
class Ehr:
    """`user` is who is signed in there; `launches` are patients by launch token, `numbers` their record numbers.
    `faults` replace parts of what is answered; `asked` are the paths that somebody asked for.
    """

    port: int = 0
    host: str = "127.0.0.1"
    user: str = "okafor"
    kind: str = "Practitioner"
    launches: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    key: SigningKey = field(default_factory=new_key)
    client_jwk: dict[str, Any] | None = None
    go: threading.Event = field(default_factory=threading.Event)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    assertions: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def fhir(self) -> str:
        return f"{self.url}/fhir"

    def opened(self, patient: str) -> str:
        """A launch token for a patient whom somebody has open."""
        token = secrets.token_urlsafe(12)
        self.launches[token] = patient
        return token

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/fhir/.well-known/smart-configuration", self._configuration),
                Route("/.well-known/openid-configuration", self._openid),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/fhir/Patient/{id}", self._patient),
                Route("/page", self._page),
            ]
        )

    async def _configuration(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if "silent" in self.faults:
            await _forever(self.go)
        if "configuration_redirect" in self.faults:
            return RedirectResponse(self.faults["configuration_redirect"], 302)
        return JSONResponse(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "capabilities": [
                    "launch-ehr",
                    "launch-standalone",
                    "sso-openid-connect",
                    "context-ehr-patient",
                ],
                "code_challenge_methods_supported": ["S256"],
                "grant_types_supported": ["authorization_code"],
                "authorization_response_iss_parameter_supported": True,
                **self.faults.get("configuration", {}),
            },
            headers=self.faults.get("configuration_headers"),
        )

    async def _openid(self, _request: Request) -> Response:
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.jwk]})

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.asked.append(request.url.path)
        scopes = query.get("scope", "").split()
        wrong = (
            query.get("client_id") != CLIENT
            or query.get("response_type") != "code"
            or query.get("aud") != self.fhir
            or query.get("code_challenge_method") != "S256"
            or not {"openid", "fhirUser"} <= set(scopes)
        )
        patient = self.launches.pop(query.get("launch", ""), "") if "launch" in scopes else "standalone-1"
        if wrong or not patient:
            return PlainTextResponse("refused", 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**query, "patient": patient}
        back = {"code": code, "state": query["state"], "iss": self.url, **self.faults.get("back", {})}
        return RedirectResponse(
            f"{query['redirect_uri']}?{urlencode({k: v for k, v in back.items() if v is not None})}", 302
        )

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.asked.append(request.url.path)
        if "slow_token" in self.faults:
            await _forever(self.go)
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
            or not self._client(form)
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = time.time()
        claims = {
            "iss": self.url,
            "sub": self.user,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "fhirUser": f"{self.fhir}/{self.kind}/{self.user}",
            **self.faults.get("claims", {}),
        }
        key = self.faults.get("key", self.key)
        token = jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid})
        access = secrets.token_urlsafe(24)
        self.tokens[access] = asked["patient"]
        told = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": asked["scope"],
            "patient": asked["patient"],
            "id_token": token,
            **self.faults.get("token", {}),
        }
        return JSONResponse({name: value for name, value in told.items() if value is not None})

    def _client(self, form: dict[str, str]) -> bool:
        if self.client_jwk is None:
            return form.get("client_id") == CLIENT
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return False
        key = jwt.PyJWK(self.client_jwk)
        try:
            said = jwt.decode(
                form["client_assertion"],
                key,
                algorithms=["ES384", "RS384"],
                audience=f"{self.url}/token",
                issuer=CLIENT,
                subject=CLIENT,
                options={"require": ["exp", "jti"]},
            )
        except (jwt.PyJWTError, KeyError):
            return False
        if said["jti"] in self.assertions or said["exp"] > time.time() + 300:
            return False
        self.assertions.add(said["jti"])
        return True

    async def _patient(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        access = request.headers.get("authorization", "").removeprefix("Bearer ")
        name = request.path_params["id"]
        if self.tokens.get(access) != name:
            return PlainTextResponse("no", 401)
        number = self.numbers.get(name)
        listed = [{"system": "urn:other", "value": "x"}]
        if number is not None:
            listed.append({"system": MRN, "value": number})
        made = {"resourceType": "Patient", "id": name, "identifier": listed}
        return JSONResponse(made | self.faults.get("patient", {}))

    async def _page(self, request: Request) -> Response:
        """A page of the record system with the console in a frame."""
        source = html.escape(request.query_params["src"])
        allow = html.escape(request.query_params.get("allow", "publickey-credentials-get"))
        return HTMLResponse(
            f'<!doctype html><h1>Record</h1><iframe id="app" width="1200" height="700" allow="{allow}" '
            f'src="{source}"></iframe>'
        )


async def _forever(go: threading.Event) -> None:
    import asyncio

    await asyncio.to_thread(go.wait, 60)


@contextmanager
def running(ehr: Ehr) -> Iterator[Ehr]:
    """Serves it on a free port of this machine."""
    listening = socket.create_server((ehr.host, ehr.port))
    ehr.port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(ehr.application(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield ehr
    finally:
        ehr.go.set()
        server.should_exit = True
        thread.join(10)
        listening.close()
