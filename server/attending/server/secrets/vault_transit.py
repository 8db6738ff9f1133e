"""A root in the transit engine of HashiCorp Vault, or of whatever speaks its API (OpenBao), over HTTPS.

`/v1/<mount>/encrypt|decrypt|rewrap/<key>`. The place of a key goes along as `context`, which binds it when the transit
key is a derived one. It is not sent as `associated_data`: Vault's `rewrap` does not take that. The framing of
`attending.ledger.wrapping` binds the place in either case.

The token is read from its file at every call, so that an agent may renew it. Redirects are not followed, an answer is
bounded in size, and a call as a whole in time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import httpx
from attending.ledger.canonical import encode
from attending.ledger.errors import KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable, UnsafeSettings
from attending.ledger.files import read_private
from attending.ledger.wrapping import MAX_WRAPPED_BYTES, Place

MAX_ANSWER_BYTES: Final = 65_536
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]+")
_TOKEN = re.compile(r"[!-~]{1,4096}")
_NOT_OPEN: Final = ("cipher: message authentication failed", "invalid ciphertext")
"""How the engine begins to say that bytes do not open, with status 400."""


class VaultTransitWrapper:
    """The root of one transit key; implements KeyWrapper."""

    kind: Final = "vault"

    def __init__(
        self,
        url: str,
        key: str,
        token_file: Path,
        *,
        mount: str = "transit",
        namespace: str | None = None,
        ca: Path | None = None,
        timeout_seconds: float = 5.0,
        token: Callable[[Path], bytes] = read_private,
    ) -> None:
        """`url` is the server's, `https://host:8200`. Raises OSError, ssl.SSLError when `ca` does not read."""
        self._url = url.rstrip("/")
        self._key = key
        self._mount = mount
        self._token_file = token_file
        self._token = token
        self._headers = {"X-Vault-Request": "true"} | ({"X-Vault-Namespace": namespace} if namespace else {})
        self._tls = ssl.create_default_context(cafile=ca)
        self._timeout = timeout_seconds

    def __repr__(self) -> str:
        return f"VaultTransitWrapper(key={self._key!r})"

    def wrap(self, secret: bytes, place: Place) -> bytes:
        """See KeyWrapper."""
        data = self._call("encrypt", {"plaintext": _base64(secret), "context": _context(place)})
        return self._ciphertext(data)

    def unwrap(self, wrapped: bytes, place: Place) -> bytes:
        """See KeyWrapper."""
        data = self._call("decrypt", {"ciphertext": _text(wrapped), "context": _context(place)})
        try:
            return base64.b64decode(data["plaintext"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise _senseless() from None

    def rewrap(self, wrapped: bytes, place: Place) -> bytes:
        """See KeyWrapper; the same bytes when they are under the newest version already."""
        text = _text(wrapped)
        new = self._ciphertext(self._call("rewrap", {"ciphertext": text, "context": _context(place)}))
        return wrapped if self.version(new) == self.version(wrapped) else new

    def version(self, wrapped: bytes) -> str:
        """See KeyWrapper; `v3`, as the engine writes it."""
        match = _CIPHERTEXT.fullmatch(wrapped.decode("ascii", "replace"))
        return "" if match is None else f"v{match[1]}"

    def _ciphertext(self, data: Mapping[str, Any]) -> bytes:
        text = data.get("ciphertext")
        if not isinstance(text, str) or len(text) > MAX_WRAPPED_BYTES or not _CIPHERTEXT.fullmatch(text):
            raise _senseless()
        return text.encode("ascii")

    def _call(self, verb: str, body: Mapping[str, str]) -> Mapping[str, Any]:
        """`data` of the answer."""
        headers = self._headers | {"X-Vault-Token": self._read_token()}
        url = f"{self._url}/v1/{self._mount}/{verb}/{self._key}"
        status, content = in_own_loop(lambda: self._exchange(url, headers, body), self._timeout)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if status == 200:
            data = answer.get("data") if isinstance(answer, dict) else None
            if not isinstance(data, dict):
                raise _senseless()
            return data
        raise _refusal(status, answer)

    async def _exchange(
        self, url: str, headers: Mapping[str, str], body: Mapping[str, str]
    ) -> tuple[int, bytes]:
        # No proxy or .netrc of the environment: the token goes to the configured server or nowhere.
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout) as client,
            client.stream("POST", url, headers=headers, json=body, follow_redirects=False) as response,
        ):
            content = b""
            async for chunk in response.aiter_raw(8192):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise _senseless()
            return response.status_code, content

    def _read_token(self) -> str:
        try:
            token = self._token(self._token_file).decode("ascii").strip()
        except UnsafeSettings as err:
            raise KeyStoreRefused(f"Vault token: {err}") from err
        except (OSError, UnicodeDecodeError) as err:
            raise KeyStoreRefused(
                f"the file of the Vault token cannot be read ({type(err).__name__})"
            ) from None
        if not _TOKEN.fullmatch(token):
            raise KeyStoreRefused("the file of the Vault token does not hold one token")
        return token


def in_own_loop(make: Callable[[], Any], seconds: float) -> tuple[int, bytes]:
    """Runs one exchange in a thread of its own: the caller may be on an event loop or not, and a server that sends one
    byte at a time does not keep it longer than `seconds`.
    """
    outcome: Future[tuple[int, bytes]] = Future()

    async def bounded() -> tuple[int, bytes]:
        async with asyncio.timeout(seconds):
            found: tuple[int, bytes] = await make()
            return found

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(bounded()))
        except Exception as err:  # handed over to the caller, not handled
            outcome.set_exception(err)

    threading.Thread(target=run, name="vault", daemon=True).start()
    try:
        # A resolver cannot be interrupted; it is left to itself.
        return outcome.result(seconds + 1)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as err:  # a time-out is an OSError
        # `from None`: the chain holds the request, and so the token.
        raise KeyStoreUnavailable(f"Vault does not answer ({type(err).__name__})") from None


def _refusal(status: int, answer: object) -> Exception:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], str) else ""
    if status == 400 and first.startswith(_NOT_OPEN):
        return KeysNotOpen("wrapped key does not open under this Vault key", reason=KeysNotOpen.ALTERED)
    if status in (408, 412, 425, 429) or status >= 460:
        # 472, 473 and 503 are nodes that cannot serve; 412 is one that has not caught up.
        return KeyStoreUnavailable(f"Vault answers {status}")
    if 300 <= status < 400:
        return KeyStoreRefused(
            f"Vault answers {status}, a redirect, which is not followed: name the active node"
        )
    why = {
        "encryption key not found": "it has no such key",
        "ciphertext or signature version is disallowed by policy (too old)": "the key's minimum version is past it",
    }.get(
        first, {403: "the token may not", 404: "it has no such mount or key"}.get(status, "see its audit log")
    )
    return KeyStoreRefused(f"Vault answers {status}: {why}")


def _text(wrapped: bytes) -> str:
    text = wrapped.decode("ascii", "replace")
    if not _CIPHERTEXT.fullmatch(text):
        raise KeysNotOpen("wrapped key is not a ciphertext of Vault", reason=KeysNotOpen.ALTERED)
    return text


def _context(place: Place) -> str:
    return _base64(encode(dict(place)))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _senseless() -> KeyStoreUnavailable:
    return KeyStoreUnavailable("Vault gives an answer that is not one of its API")
