"""An assertion of a passkey, verified with nothing but what its enrolment says of the key.

The browser and the authenticator answer a challenge with two documents, client data and authenticator data, and a
signature over both. What of them was true when the person signed is read out of the bytes that were signed; nothing is
asked of the browser again. CBOR is read nowhere here: an assertion has none, and the key was taken out of its CBOR when
it was enrolled.

Source: W3C Web Authentication Level 2, sections 5.8.1, 6.1 and 7.2.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.errors import VerificationError

MAX_CLIENT_DATA_BYTES: Final = 4096
MAX_AUTHENTICATOR_DATA_BYTES: Final = 4096
CHALLENGE_SIZE: Final = 32
_FIXED_BYTES: Final = 37
"""Hash of the RP id (32), flags (1), count of signatures (4)."""
_USER_PRESENT: Final = 0x01
_USER_VERIFIED: Final = 0x04
_KEY_ATTACHED: Final = 0x40
_EXTENSIONS: Final = 0x80
_RP_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9.-]{1,253})(?::[1-9][0-9]{0,4})?")
_THIS_MACHINE: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Assertion:
    """The two documents that a passkey's signature is over, as authenticator and browser made them."""

    authenticator_data: bytes
    client_data: bytes


def check_party(rp_id: object, origins: object) -> None:
    """Returns when `rp_id` is a domain in lower case and `origins` are 1 to 16 different origins of it.

    An origin is of the domain when its host is that or beneath it; plain http is for localhost alone. Raises
    VerificationError (KEY_FORMAT).
    """
    if type(rp_id) is not str or len(rp_id) > 253 or not _RP_ID.fullmatch(rp_id):
        raise VerificationError("RP id is not a domain", reason="KEY_FORMAT")
    if type(origins) not in (list, tuple) or not 1 <= len(origins) <= 16:  # type: ignore[arg-type]
        raise VerificationError("origins are not 1 to 16", reason="KEY_FORMAT")
    for origin in origins:  # type: ignore[attr-defined]
        match = _ORIGIN.fullmatch(origin) if type(origin) is str else None
        if match is None:
            raise VerificationError("an origin is not scheme, host and port", reason="KEY_FORMAT")
        scheme, host = match.groups()
        if host != rp_id and not host.endswith(f".{rp_id}"):
            raise VerificationError("an origin is not of the RP id", reason="KEY_FORMAT")
        if scheme == "http" and host != "localhost":
            raise VerificationError("an origin is not https", reason="KEY_FORMAT")


def check_top_origins(top_origins: object) -> None:
    """Returns when `top_origins` are at most 16 different origins: of pages that may show ours in a frame.

    Plain http is for this machine alone. Raises VerificationError (KEY_FORMAT).
    """
    if type(top_origins) not in (list, tuple) or len(top_origins) > 16:  # type: ignore[arg-type]
        raise VerificationError("top origins are not a list of at most 16", reason="KEY_FORMAT")
    for origin in top_origins:  # type: ignore[attr-defined]
        match = _ORIGIN.fullmatch(origin) if type(origin) is str else None
        if match is None or (match[1] == "http" and match[2] not in _THIS_MACHINE):
            raise VerificationError("a top origin is not https, host and port", reason="KEY_FORMAT")
    if len({*top_origins}) != len(top_origins):  # type: ignore[misc, arg-type]
        raise VerificationError("a top origin stands twice", reason="KEY_FORMAT")


def signed_bytes(
    challenge: bytes,
    rp_id: str,
    origins: Collection[str],
    assertion: Assertion,
    top_origins: Collection[str] = (),
) -> bytes:
    """The bytes under an assertion's signature, once it is known that they say what they have to.

    1. The client data is of a signature (`webauthn.get`), 2. answers exactly `challenge`, 3. was made on one of
    `origins`, in a frame at most of a page of `top_origins` (Level 3, section 5.8.1: the browser names that page). 4.
    The authenticator data is for `rp_id`; 5. the person was present and verified (by PIN or biometrics); 6. it holds
    nothing but what it declares. Raises VerificationError (ASSERTION).
    The count of signatures is not looked at: synchronised passkeys have none.
    """
    if len(assertion.client_data) > MAX_CLIENT_DATA_BYTES:
        raise _error("client data is too long")
    said = _parse(assertion.client_data)
    if said.get("type") != "webauthn.get":  # 1
        raise _error("client data is not of a signature")
    if said.get("challenge") != encode_base64url(challenge):  # 2
        raise _error("another challenge was answered")
    if said.get("origin") not in [*origins]:  # 3
        raise _error("it was made on another origin than the key is enrolled for")
    framed = said.get("crossOrigin", False) is not False or "topOrigin" in said
    # A browser that does not say of which page is not believed to be in the right one.
    if framed and (said.get("crossOrigin") is not True or said.get("topOrigin") not in [*top_origins]):
        raise _error("it was made in a frame of another site")
    data = assertion.authenticator_data
    if not _FIXED_BYTES <= len(data) <= MAX_AUTHENTICATOR_DATA_BYTES:
        raise _error("authenticator data is not well formed")
    if data[:32] != hashlib.sha256(rp_id.encode()).digest():  # 4
        raise _error("it was made for another RP")
    flags = data[32]
    if not flags & _USER_PRESENT:  # 5
        raise _error("nobody was present")
    if not flags & _USER_VERIFIED:
        raise _error("the person was not verified")
    if flags & _KEY_ATTACHED or bool(flags & _EXTENSIONS) != (len(data) > _FIXED_BYTES):  # 6
        raise _error("authenticator data is not well formed")
    return data + hashlib.sha256(assertion.client_data).digest()


def encode_base64url(data: bytes) -> str:
    """Base64url without padding, as WebAuthn writes bytes in JSON (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: object) -> bytes | None:
    """The bytes of base64url without padding in its one form; None for anything else."""
    if type(text) is not str:
        return None
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return data if encode_base64url(data) == text else None


def _parse(client_data: bytes) -> dict[str, Any]:
    """The client data's object. Browsers write it in no canonical form; a name that stands twice is refused, because
    two readers could take it differently.
    """
    try:
        value = json.loads(client_data.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _error("client data is not one JSON object") from None
    if type(value) is not dict:
        raise _error("client data is not one JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _error(detail: str) -> VerificationError:
    return VerificationError(f"assertion: {detail}", reason="ASSERTION")
