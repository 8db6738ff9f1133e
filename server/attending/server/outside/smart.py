"""What a FHIR server says of how one is let in: `.well-known/smart-configuration` (SMART App Launch 2.2, Conformance).

Nothing that it says leads anywhere that a configured address could not: each endpoint is https (http on this machine),
and connections to it are judged like those to the server itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from attending.server.config import flaw_of_url
from attending.server.outside.ask import Asker, NotAnswered

DISCOVERY: Final = "/.well-known/smart-configuration"


@dataclass(frozen=True, slots=True)
class SmartConfiguration:
    """`authorization_endpoint` is empty where it was not asked for. `names_issuer` is whether answers of the
    authorisation server say whose they are (RFC 9207).
    """

    token_endpoint: str
    authorization_endpoint: str
    names_issuer: bool


async def discover(ask: Asker, base: str, *, people: bool) -> SmartConfiguration:
    """That of the FHIR server at `base`, with the endpoints for people signing in or for programs alone.

    Raises NotAnswered, also for a document that does not say what is needed: WRONG_STATUS, ENDPOINT_REFUSED, NO_PKCE.
    """
    answer = await ask("GET", base + DISCOVERY)
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
