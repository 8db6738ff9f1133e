"""Sign-ins whose browser is at a provider: each is finished once, by the browser that began it, in its time.

What belongs to all ways of the code flow: `state` against another site's answer (RFC 6749, section 10.12), PKCE against
another's code (RFC 7636, S256), the nonce against another's ID token (OpenID Connect Core 1.0, section 3.1.2.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import jwt
from attending.server.errors import FailedPrecondition, ResourceExhausted

FLOW_SECONDS: Final = 600.0
MAX_FLOWS: Final = 10_000
"""Anybody may begin to sign in, so their number has a bound."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Begun(Generic[T]):
    """One of them; `about` is what its beginner wants to know again."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    about: T
    until: datetime

    def query(self) -> dict[str, str]:
        """What of it goes to the provider."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def is_of(self, verified_token: str) -> bool:
        """Whether an ID token, whose signature was verified just now, was made for this sign-in."""
        said = jwt.decode(verified_token, options={"verify_signature": False}).get("nonce")
        return isinstance(said, str) and hmac.compare_digest(said.encode(), self.nonce.encode())


class Flows(Generic[T]):
    """Those of one process, in its memory. Belongs to one event loop."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._begun: dict[str, Begun[T]] = {}

    def require_room(self) -> None:
        """Raises ResourceExhausted (TOO_MANY_CEREMONIES) when too many wait."""
        now = self._now()
        if len(self._begun) >= MAX_FLOWS:
            self._begun = {state: one for state, one in self._begun.items() if one.until > now}
        if len(self._begun) >= MAX_FLOWS:
            raise ResourceExhausted("TOO_MANY_CEREMONIES", retry_after_seconds=FLOW_SECONDS)

    def begin(self, about: T) -> Begun[T]:
        """A new one, with a state that its browser has to bring back."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        made = Begun(state, nonce, verifier, about, self._now() + timedelta(seconds=FLOW_SECONDS))
        self._begun[state] = made
        return made

    def take(self, query: Mapping[str, str], cookie: str) -> Begun[T]:
        """The one that a browser brings back, for good; `cookie` is the state that this browser has. FailedPrecondition
        (CEREMONY_OVER) for one that was not begun here, by this browser, or too long ago.
        """
        state = query.get("state", "")
        found = self._begun.pop(state, None) if hmac.compare_digest(state.encode(), cookie.encode()) else None
        if found is None or found.until <= self._now():
            raise FailedPrecondition("CEREMONY_OVER")
        return found
