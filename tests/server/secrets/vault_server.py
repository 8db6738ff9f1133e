"""A Vault transit engine over real HTTP, for tests: encrypt, decrypt, rewrap, rotation, minimum versions, errors.

After the API documentation of Vault's transit engine. `fault` makes the next answers slow, wrong or absent.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TOKEN = "hvs.a-token-of-the-tests"


class VaultServer:
    def __init__(self, *, derived: bool = False) -> None:
        self.keys: dict[str, list[bytes]] = {"attending": [os.urandom(32)]}
        self.minimum = 1
        self.derived = derived
        self.tokens = {TOKEN}
        self.namespace: str | None = None
        self.fault: str | None = None
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._handle(self)

            def log_message(self, *_: object) -> None:
                """Nothing: the test reads `calls`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def rotate(self, key: str = "attending") -> None:
        self.keys[key].append(os.urandom(32))

    def close(self) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    # --- answers ---------------------------------------------------------------------------------------

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if self.fault == "slow":
            self._stop.wait(30)
            return
        if self.fault == "hang-up":
            handler.close_connection = True
            handler.connection.close()
            return
        if self.fault == "redirect":
            handler.send_response(307)
            handler.send_header("Location", f"{self.url}/elsewhere")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if self.fault == "huge":
            self._send(handler, 200, b'{"data":"' + b"x" * 10_000_000 + b'"}')
            return
        if self.fault == "drip":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            while not self._stop.wait(0.05):
                try:
                    handler.wfile.write(b" ")
                except OSError:
                    return
            return
        status, answer = self._answer(handler, json.loads(body or b"{}"))
        if self.fault is not None and self.fault.isdigit():
            status, answer = int(self.fault), {"errors": ["internal error"]}
        data = json.dumps(answer).encode()
        if self.fault == "garbage":
            data = b"<html>not Vault</html>"
        if self.fault == "truncated":
            data = data[: len(data) // 2]
        if self.fault == "other-secret" and "plaintext" in answer.get("data", {}):
            data = json.dumps({"data": {"plaintext": base64.b64encode(b"another" * 9).decode()}}).encode()
        if self.fault == "empty":
            data = b'{"data":{}}'
        if self.fault == "wrong-types":
            data = b'{"data":{"ciphertext":7,"plaintext":[]}}'
        self._send(handler, status, data)

    def _send(self, handler: BaseHTTPRequestHandler, status: int, data: bytes) -> None:
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            """The client has gone; that is what some tests are about."""

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if handler.headers.get("X-Vault-Token") not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        if self.namespace is not None and handler.headers.get("X-Vault-Namespace") != self.namespace:
            return 404, {"errors": ["no handler for route"]}
        parts = handler.path.split("/")
        if len(parts) != 5 or parts[:3] != ["", "v1", "transit"]:
            return 404, {"errors": [f'no handler for route "{handler.path}". route entry not found.']}
        verb, key = parts[3:]
        self.calls.append((verb, body))
        if key not in self.keys:
            return 400, {"errors": ["encryption key not found"]}
        if self.derived and not body.get("context"):
            return 400, {
                "errors": ["missing 'context' for key derivation; the key was created using a derived key"]
            }
        try:
            plain = base64.b64decode(body["plaintext"]) if verb == "encrypt" else self._decrypt(key, body)
        except ValueError as err:
            return 400, {"errors": [str(err)]}
        if verb == "decrypt":
            return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}
        if verb in ("encrypt", "rewrap"):
            version = len(self.keys[key])
            return 200, {"data": {"ciphertext": self._encrypt(key, body, plain), "key_version": version}}
        return 404, {"errors": []}

    def _aead(self, key: str, version: int, body: dict[str, Any]) -> AESGCM:
        material = self.keys[key][version - 1]
        if self.derived:
            context = base64.b64decode(body["context"])
            material = HKDF(algorithm=SHA256(), length=32, salt=None, info=context).derive(material)
        return AESGCM(material)

    def _encrypt(self, key: str, body: dict[str, Any], plain: bytes) -> str:
        version, nonce = len(self.keys[key]), os.urandom(12)
        sealed = nonce + self._aead(key, version, body).encrypt(nonce, plain, None)
        return f"vault:v{version}:{base64.b64encode(sealed).decode()}"

    def _decrypt(self, key: str, body: dict[str, Any]) -> bytes:
        prefix, _colon, rest = str(body["ciphertext"]).removeprefix("vault:v").partition(":")
        if not str(body["ciphertext"]).startswith("vault:v") or not prefix.isdigit():
            raise ValueError("invalid ciphertext: no prefix")
        version = int(prefix)
        if version > len(self.keys[key]):
            raise ValueError("invalid ciphertext: version is too new")
        if version < self.minimum:
            raise ValueError("ciphertext or signature version is disallowed by policy (too old)")
        try:
            sealed = base64.b64decode(rest, validate=True)
        except ValueError:
            raise ValueError("invalid ciphertext: could not decode base64") from None
        try:
            return self._aead(key, version, body).decrypt(sealed[:12], sealed[12:], None)
        except InvalidTag:
            raise ValueError("cipher: message authentication failed") from None
