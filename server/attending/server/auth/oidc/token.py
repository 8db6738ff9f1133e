"""Bearer tokens of OpenID Connect providers (JWT, RFC 7519), checked as RFC 8725 advises.

What a token says is believed only as far as these checks go; tenant, roles and names come from the identity that the
configuration gives to its issuer and subject, never from a claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import jwt
from attending.server import clock
from attending.server.auth.oidc.keys import MAX_KID_CHARS
from attending.server.auth.oidc.provider import Provider
from attending.server.config import OidcSection
from attending.server.errors import Unauthenticated

MAX_TOKEN_CHARS: Final = 8 * 1024
MAX_SUBJECT_CHARS: Final = 255
"""OpenID Connect Core 1.0, section 2."""
_FORBIDDEN: Final = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc")
"""Headers that bring or name a key of the sender's choice, or change what is signed."""
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat")
_OPTIONS: Final[Any] = {
    "require": list(_REQUIRED),
    "strict_aud": False,
    # By our own clock, below.
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False),
}


class TokenRefused(Unauthenticated):
    """INVALID_CREDENTIAL to the caller; `detail` says why to the operator's log, as a constant."""

    def __init__(self, detail: str) -> None:
        super().__init__("INVALID_CREDENTIAL")
        self.detail = detail


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that its issuer signed for us: the issuer by its name in the configuration, and its subject.

    It was right until `ends` (seconds of the epoch, leeway included). `key` is what it was signed with, `kid` and
    `algorithm` are by what the issuer lists that.
    """

    issuer: str
    subject: str
    ends: float
    key: jwt.PyJWK = field(repr=False)
    kid: str | None
    algorithm: str

    def expired(self, now: datetime) -> bool:
        return self.ends <= now.timestamp()


class TokenVerifier:
    """Verifies tokens of the configured providers. Belongs to one event loop."""

    def __init__(
        self,
        sections: Sequence[OidcSection],
        now: Callable[[], datetime] = clock.now,
        *,
        providers: Sequence[Provider] | None = None,
    ) -> None:
        self._now = now
        made = [Provider(section) for section in sections] if providers is None else providers
        self._providers = {provider.section.issuer: provider for provider in made}
        self._by_name = {provider.section.name: provider for provider in made}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to keep keys fresh; does not wait for any provider."""
        self._tasks = [asyncio.create_task(one.run(), name="oidc") for one in self._providers.values()]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        for provider in self._providers.values():
            await provider.close()

    async def verify(self, token: str) -> VerifiedToken:
        """Raises TokenRefused, and Unavailable when the provider's keys are not to be had.

        (1) small, three parts; (2) header: allowed algorithm, no key of its own, a known type; (3) a configured
        issuer; (4) that issuer's key of that id and algorithm; (5) signature, issuer, audience; (6) subject;
        (7) times. Only what passes all of them is anybody's.
        """
        # (1)
        if len(token) > MAX_TOKEN_CHARS or not token.isascii() or token.count(".") != 2:
            raise TokenRefused("MALFORMED")
        # (2)
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise TokenRefused("MALFORMED") from None
        # (3)
        issuer = claimed.get("iss")
        provider = self._providers.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            raise TokenRefused("UNKNOWN_ISSUER")
        section = provider.section
        kid, algorithm = _read_header(header, section)
        # (4), (5)
        key = await provider.key(kid, algorithm)
        try:
            claims = _claims(token, key, algorithm, section)
        except TokenRefused as err:
            # A provider that names no keys may have changed its only one.
            anew = await provider.renewed(key) if kid is None and err.detail == "WRONG_SIGNATURE" else None
            if anew is None:
                raise
            key, claims = anew, _claims(token, anew, algorithm, section)
        assert key is not None
        if claims["aud"] not in (section.audience, [section.audience]):
            # Valid elsewhere, too: whoever it was also made for could use it here (RFC 8725 section 3.9).
            raise TokenRefused("SEVERAL_AUDIENCES")
        if "cnf" in claims:
            # Bound to a key that its sender must prove to have (RFC 7800, 8705, 9449); without that it may be stolen.
            raise TokenRefused("SENDER_CONSTRAINED")
        # (6)
        subject = claims["sub"]
        if not 0 < len(subject) <= MAX_SUBJECT_CHARS:
            raise TokenRefused("WRONG_SUBJECT")
        # (7)
        ends = _ends(claims, self._now(), section.leeway_seconds)
        return VerifiedToken(section.name, subject, ends, key, kid, algorithm)

    def require_listed(self, token: VerifiedToken) -> None:
        """Returns while its provider lists the key of a verified token. Never waits.

        Raises TokenRefused once the provider does not, and Unavailable when that could not be asked for too long.
        """
        provider = self._by_name.get(token.issuer)
        if provider is None or not provider.lists(token.kid, token.algorithm, token.key):
            raise TokenRefused("UNKNOWN_KEY")


def _claims(token: str, key: jwt.PyJWK | None, algorithm: str, section: OidcSection) -> dict[str, Any]:
    """What a token says that its issuer signed for our audience; TokenRefused."""
    if key is None:
        raise TokenRefused("UNKNOWN_KEY")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=section.issuer,
            audience=section.audience,
            options=_OPTIONS,
        )
    except jwt.InvalidSignatureError:
        raise TokenRefused("WRONG_SIGNATURE") from None
    except jwt.InvalidAudienceError:
        raise TokenRefused("WRONG_AUDIENCE") from None
    except jwt.MissingRequiredClaimError:
        raise TokenRefused("CLAIM_MISSING") from None
    except jwt.PyJWTError:
        raise TokenRefused("MALFORMED") from None
    return claims


def _read_header(header: Mapping[str, Any], section: OidcSection) -> tuple[str | None, str]:
    """Key id and algorithm of a header that may be acted upon."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in section.algorithms:
        raise TokenRefused("WRONG_ALGORITHM")
    if any(name in header for name in _FORBIDDEN):
        raise TokenRefused("FORBIDDEN_HEADER")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in {
        allowed.lower() for allowed in section.token_types
    }:
        raise TokenRefused("WRONG_TYPE")
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS):
        raise TokenRefused("UNKNOWN_KEY")
    return kid, algorithm


def _ends(claims: Mapping[str, Any], now: datetime, leeway: float) -> float:
    """When a token that has begun ends; TokenRefused when it has not begun or its times make no sense."""
    moment = now.timestamp()
    issued, expires = _time(claims["iat"]), _time(claims["exp"])
    begins = _time(claims["nbf"]) if "nbf" in claims else issued
    if max(issued, begins) > moment + leeway:
        raise TokenRefused("NOT_YET_VALID")
    if expires <= max(issued, begins):
        raise TokenRefused("WRONG_TIMES")
    return expires + leeway


def _time(value: object) -> float:
    """A NumericDate (RFC 7519 section 2): seconds, whole or not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TokenRefused("WRONG_TIMES")
    if not 0 <= value < 2**53:  # neither NaN nor infinity, which Python's JSON lets through
        raise TokenRefused("WRONG_TIMES")
    return float(value)
