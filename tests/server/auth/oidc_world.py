"""Keys, tokens and key servers for tests of OpenID Connect: an honest issuer by hand, and dishonest ones."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from attending.server.config import OidcSection
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AUDIENCE = "attending"


@dataclass(frozen=True)
class SigningKey:
    """A provider's key: `private` signs, `jwk` is what is published of it."""

    kid: str
    algorithm: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        return {**made, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def private_jwk(self) -> dict[str, Any]:
        return {**self.jwk, **jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private, as_dict=True)}


def new_key(algorithm: str = "ES256", kid: str = "k1", bits: int = 2048) -> SigningKey:
    if algorithm in ("RS256", "PS256"):
        return SigningKey(kid, algorithm, rsa.generate_private_key(65537, bits))
    if algorithm == "EdDSA":
        return SigningKey(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
    curve = ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1()
    return SigningKey(kid, algorithm, ec.generate_private_key(curve))


def private_pem(key: SigningKey) -> bytes:
    pem: bytes = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def claims(issuer: str, **more: Any) -> dict[str, Any]:
    """What a good token says at NOW; a value of None leaves a claim out."""
    made = {
        "iss": issuer,
        "sub": "00u1",
        "aud": AUDIENCE,
        "iat": NOW.timestamp() - 10,
        "exp": NOW.timestamp() + 300,
        **more,
    }
    return {name: value for name, value in made.items() if value is not None}


def token(key: SigningKey, said: dict[str, Any], **header: Any) -> str:
    """Signed by PyJWT; a header of None is left out."""
    merged = {"kid": key.kid, **header}
    return jwt.encode(said, key.private, key.algorithm, headers=merged)


def segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(key: SigningKey, header: dict[str, Any], said: object) -> str:
    """A compact JWS with exactly that header, which PyJWT would not always make."""
    body = f"{segment(header)}.{segment(said)}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{body}.{segment(algorithm.sign(body.encode(), key.private))}"


@dataclass
class KeyServer:
    """A provider's web server. `mode` says how it misbehaves; `asked` are the paths that were asked for."""

    url: str = ""
    mode: str = "good"
    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def document(self, path: str) -> bytes:
        if path.endswith("openid-configuration"):
            issuer = "https://other.example" if self.mode == "wrong_issuer" else self.url
            jwks = {
                "http_elsewhere": "http://keys.example/jwks",
                "file": "file:///etc/passwd",
                "no_uri": None,
            }.get(self.mode, f"{self.url}/jwks")
            return json.dumps({"issuer": issuer, "jwks_uri": jwks}).encode()
        return json.dumps({"keys": self.keys}).encode()

    def section(self, **more: Any) -> OidcSection:
        return OidcSection.model_validate(
            {"name": "idp", "issuer": self.url, "audience": AUDIENCE, "timeout_seconds": 5.0, **more}
        )


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """Runs a `KeyServer` on a free port of this machine."""
    state = KeyServer()
    state.go.set()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

        def do_GET(self) -> None:
            state.asked.append(self.path)
            body: Any = state.document(self.path)
            headers: dict[str, str] = {}
            status = 200
            if self.path.endswith("/jwks"):
                body, headers, status = misbehave(state, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for part in body if isinstance(body, Iterator) else [body]:
                    self.wfile.write(part)
                    self.wfile.flush()
            except OSError:
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.go.set()
        server.shutdown()
        server.server_close()


def misbehave(state: KeyServer, body: bytes) -> tuple[Any, dict[str, str], int]:
    """Body (or parts of it), headers and status of the keys, by the server's mode."""
    ways: dict[str, Callable[[], tuple[Any, dict[str, str], int]]] = {
        "redirect": lambda: (b"", {"Location": f"{state.url}/elsewhere/jwks2"}, 302),
        "error": lambda: (b"oops", {}, 500),
        "no_json": lambda: (b"<html>", {}, 200),
        "list": lambda: (b"[]", {}, 200),
        "deep": lambda: (b"[" * 100_000, {}, 200),
        "huge": lambda: ((b" " * 65536 for _ in range(10_000)), {}, 200),
        "lying_length": lambda: (body, {"Content-Length": "10"}, 200),
        "gzip": lambda: (gzip.compress(b" " * 10_000_000 + body), {"Content-Encoding": "gzip"}, 200),
        "drip": lambda: (drip(body), {}, 200),
        "silent": lambda: (silent(state), {}, 200),
    }
    return ways.get(state.mode, lambda: (body, {}, 200))()


def drip(body: bytes) -> Iterator[bytes]:
    for index in range(len(body)):
        time.sleep(0.2)
        yield body[index : index + 1]


def silent(state: KeyServer) -> Iterator[bytes]:
    state.go.wait(60)
    yield state.document("/jwks")
