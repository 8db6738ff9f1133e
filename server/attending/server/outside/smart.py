"""What a FHIR server says of how one is let in: `.well-known/smart-configuration` (SMART App Launch 2.2, Conformance).

Nothing that it says leads anywhere that a configured address could not: each endpoint is https (http on this machine),
and connections to it are judged like those to the server itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from attending.server.config import flaw_of_url
from attending.server.outside.ask import Answer, Asker, NotAnswered

DISCOVERY: Final = "/.well-known/smart-configuration"
LONGEST_SECONDS: Final = 3_600
"""For which what a server says is taken for true without asking again, whatever it says of that itself."""
_MAX_AGE: Final = re.compile(r"max-age=\"?(\d{1,9})\"?")


@dataclass(frozen=True, slots=True)
class SmartConfiguration:
    """`authorization_endpoint` is empty where it was not asked for. `names_issuer` is whether answers of the
    authorisation server say whose they are (RFC 9207).
    """

    token_endpoint: str
    authorization_endpoint: str
    names_issuer: bool


class Discovery:
    """What one FHIR server says for people signing in, asked for again once it is as old as it says it may be.
    Belongs to one event loop.
    """

    def __init__(self, ask: Asker, base: str, now: Callable[[], datetime]) -> None:
        self._ask = ask
        self._base = base
        self._now = now
        self._known: tuple[SmartConfiguration, datetime] | None = None

    async def __call__(self) -> SmartConfiguration:
        """Raises NotAnswered as `discover`; what was known and is too old is not taken instead."""
        now = self._now()
        if self._known is not None and now < self._known[1]:
            return self._known[0]
        self._known = None
        answer = await self._ask("GET", self._base + DISCOVERY)
        found = _read(answer, people=True)
        fresh = fresh_seconds(answer.headers)
        if fresh > 0:
            # From before the question on: it was written no later than that.
            self._known = found, now + timedelta(seconds=fresh)
        return found

    def forget(self) -> None:
        """It may be another by now: what it named did not do what it is for."""
        self._known = None


def fresh_seconds(headers: Mapping[str, str]) -> int:
    """For how long an answer may be used again (RFC 9111, sections 4.2.1 and 5.2.2), LONGEST_SECONDS at most; 0 where
    it does not say, and where it says in any way that it may not.
    """
    control = {one.strip() for one in headers.get("cache-control", "").lower().split(",")}
    if control & {"no-store", "no-cache"} or any(one.startswith("no-cache=") for one in control):
        return 0
    ages = [int(found[1]) for one in control if (found := _MAX_AGE.fullmatch(one))]
    age = headers.get("age", "0").strip()
    if len(ages) != 1 or not (age.isascii() and age.isdigit() and len(age) <= 9):
        return 0
    return max(0, min(LONGEST_SECONDS, ages[0] - int(age)))


async def discover(ask: Asker, base: str, *, people: bool) -> SmartConfiguration:
    """That of the FHIR server at `base`, with the endpoints for people signing in or for programs alone.

    Raises NotAnswered, also for a document that does not say what is needed: WRONG_STATUS, ENDPOINT_REFUSED, NO_PKCE.
    """
    return _read(await ask("GET", base + DISCOVERY), people=people)


def _read(answer: Answer, *, people: bool) -> SmartConfiguration:
    if answer.status != 200:
        raise NotAnswered("WRONG_STATUS")
    said = answer.json()
    names = ("token_endpoint", "authorization_endpoint") if people else ("token_endpoint",)
    found = dict(_endpoints(said, names))
    if people and "S256" not in _list(said.get("code_challenge_methods_supported")):
        # Section "Considerations for PKCE Support": a server has to, and one that has not is another's.
        raise NotAnswered("NO_PKCE")
    return SmartConfiguration(
        found["token_endpoint"],
        found.get("authorization_endpoint", ""),
        said.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoints(said: dict[str, Any], names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        url = said.get(name)
        if not isinstance(url, str) or flaw_of_url(url) is not None:
            raise NotAnswered("ENDPOINT_REFUSED")
        yield name, url


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
