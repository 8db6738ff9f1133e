"""One FHIR server that is written to: SMART Backend Services, and updates that neither lose nor believe anything.

A resource is put under an id of ours (FHIR R4, 3.1.0.7.1, update as create). What stands there is read first: a state
that is newer than ours stays, and the update holds only for what was read (`If-Match`, `If-None-Match`). It counts as
taken once the server shows the resource as it was sent; a status alone says nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from attending.ledger.verify.fhir import Resource
from attending.server.config import FhirEndpointSection
from attending.server.fhir.resources import as_json
from attending.server.notices.delivery import NotDelivered
from attending.server.outside.ask import Answer, Asker, NotAnswered
from attending.server.outside.assertion import ClientKey
from attending.server.outside.smart import discover

log = structlog.get_logger()

MOST_BYTES: Final = 8 * 1024 * 1024
EARLY_SECONDS: Final = 30.0
"""Before its end a token is asked for anew."""
LONGEST_TOKEN_SECONDS: Final = 3600.0
SHORTEST_TOKEN_SECONDS: Final = 1.0
UNKNOWN_TOKEN_SECONDS: Final = 60.0
"""Of a token whose server does not say, or says no number, how long it lasts."""
MOST_PAUSE_SECONDS: Final = 3600.0
_REFUSED: Final = frozenset({400, 409, 413, 415, 422})
"""What another attempt of the same cannot end otherwise."""
_JSON: Final = "application/fhir+json"


class RecordSystem:
    """Safe from several tasks of one event loop."""

    def __init__(
        self, section: FhirEndpointSection, now: Callable[[], datetime], ask: Asker | None = None
    ) -> None:
        """Raises ConfigurationError for a key or authorities that do not read."""
        where = f"fhir.endpoint `{section.name}`"
        self._section = section
        self._now = now
        self.key = ClientKey(section.client_key_file, where, now)
        self._ask = ask or Asker(
            ca_file=section.ca_file,
            allow_private=section.allow_private,
            timeout_seconds=section.timeout_seconds,
            most_bytes=MOST_BYTES,
            where=where,
        )
        self._token: tuple[str, datetime] | None = None

    async def ask(self) -> None:
        """Returns when the server lets us in and is a FHIR server; nothing is written. NotDelivered."""
        answer = await self._call("GET", "metadata")
        if answer.status != 200 or _json(answer).get("resourceType") != "CapabilityStatement":
            raise NotDelivered("NOT_A_FHIR_SERVER")

    async def put(self, resource: Resource, require_given: Callable[[], Awaitable[object]]) -> None:
        """Returns when the server has it, or something newer under its id; NotDelivered. `require_given` raises where
        it may no longer be given, and is asked last: a slow server is given nothing that was erased meanwhile.
        """
        place = f"{resource['resourceType']}/{resource['id']}"
        there = await self._call("GET", place)
        if there.status not in (200, 404, 410):
            raise _failed(there)
        condition = {"if-none-match": "*"}
        if there.status == 200:
            standing = _json(there)
            if standing.get("resourceType") != resource["resourceType"]:
                raise NotDelivered("NOT_WHAT_WAS_ASKED")
            if is_newer(standing, resource):
                return
            etag = there.headers.get("etag")
            condition = {} if etag is None else {"if-match": etag}
        elif there.status == 410:
            # Deleted there by somebody: it is made anew, over whatever version that was.
            condition = {}
        answer = await self._call("PUT", place, as_json(resource).encode(), condition, require_given)
        if answer.status not in (200, 201):
            raise _failed(answer)
        said = _json(answer) if answer.body.strip() else {}
        if any(one.get("severity") in ("error", "fatal") for one in _issues(said)):
            raise NotDelivered("OUTCOME_ERROR")
        if said.get("resourceType") != resource["resourceType"]:
            # Minimal, or what it thinks of it: what it has is asked for.
            again = await self._call("GET", place)
            if again.status != 200:
                raise NotDelivered("NOT_KEPT")
            said = _json(again)
        if not is_same(said, resource) and not is_newer(said, resource):
            raise NotDelivered("NOT_KEPT")

    async def close(self) -> None:
        await self._ask.close()

    # --- inside ----------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        place: str,
        content: bytes | None = None,
        more: Mapping[str, str] | None = None,
        require_given: Callable[[], Awaitable[object]] | None = None,
    ) -> Answer:
        headers = {"accept": _JSON, "authorization": f"Bearer {await self._access()}", **(more or {})}
        if content is not None:
            headers |= {"content-type": _JSON, "prefer": "return=representation"}
        if require_given is not None:
            # Behind the token, which the server may take its time to give.
            await require_given()
        try:
            answer = await self._ask(method, f"{self._section.url}/{place}", headers=headers, content=content)
        except NotAnswered as err:
            raise NotDelivered(err.reason) from None
        if answer.status == 401:
            # Revoked there before its time: the next attempt has a new one.
            self._token = None
            raise NotDelivered("STATUS_401")
        return answer

    async def _access(self) -> str:
        """A token for the scopes of the configuration (SMART App Launch 2.2, Backend Services; RFC 6749, 4.4)."""
        if self._token is not None and self._now() < self._token[1]:
            return self._token[0]
        section = self._section
        try:
            endpoint = (await discover(self._ask, section.url, people=False)).token_endpoint
            form = {
                "grant_type": "client_credentials",
                "scope": section.scope,
                **self.key.form(section.client_id, endpoint),
            }
            answer = await self._ask("POST", endpoint, form=form)
            if answer.status != 200:
                raise NotDelivered(f"TOKEN_STATUS_{answer.status}", after_seconds=_pause(answer))
            said = answer.json()
        except NotAnswered as err:
            raise NotDelivered(err.reason) from None
        token, kind, lasts = (said.get(name) for name in ("access_token", "token_type", "expires_in"))
        plain = isinstance(token, str) and bool(token) and token.isascii() and token.isprintable()
        if not plain or str(kind).lower() != "bearer":
            raise NotDelivered("TOKEN_MALFORMED")
        if not isinstance(lasts, (int, float)) or isinstance(lasts, bool) or not 0 <= lasts < math.inf:
            lasts = UNKNOWN_TOKEN_SECONDS
        seconds = max(
            min(lasts, LONGEST_TOKEN_SECONDS + EARLY_SECONDS) - EARLY_SECONDS, SHORTEST_TOKEN_SECONDS
        )
        self._token = (str(token), self._now() + timedelta(seconds=seconds))
        return str(token)


def is_newer(standing: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether what stands there says more than ours. A document that was entered in error never becomes another."""
    if ours["resourceType"] == "Task":
        # Compared as times: a server may write one in another zone.
        there, here = _moment(standing.get("lastModified")), _moment(ours["lastModified"])
        return there is not None and here is not None and there > here
    return standing.get("status") == "entered-in-error" and ours.get("status") == "current"


def is_same(said: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether a server shows the resource that it was sent: everything of ours is there. It may add elements of its own
    (`meta`, `text`), and write a time or an order of members in another way.
    """
    return _within(_settled(ours), _settled(said))


def _settled(resource: Mapping[str, Any]) -> Any:
    kept = {name: value for name, value in resource.items() if name not in ("meta", "text")}
    return json.loads(json.dumps(kept))


def _within(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and _within(value, whole[name]) for name, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(part) == len(whole)
            and all(_within(one, other) for one, other in zip(part, whole, strict=True))
        )
    if part == whole:
        return True
    ours, said = _moment(part), _moment(whole)
    return ours is not None and said is not None and _milliseconds(ours) == _milliseconds(said)


def _milliseconds(moment: datetime) -> datetime:
    """What many servers keep of a time."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _moment(value: Any) -> datetime | None:
    """A time with its zone; None for anything else."""
    if not isinstance(value, str) or len(value) > 40 or "T" not in value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if found.tzinfo is None else found


def _issues(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = said.get("issue") if said.get("resourceType") == "OperationOutcome" else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _json(answer: Answer) -> dict[str, Any]:
    try:
        return answer.json()
    except NotAnswered as err:
        raise NotDelivered(err.reason) from None


def _failed(answer: Answer) -> NotDelivered:
    return NotDelivered(
        f"STATUS_{answer.status}", permanent=answer.status in _REFUSED, after_seconds=_pause(answer)
    )


def _pause(answer: Answer) -> float:
    """How long the server asks to be left alone (RFC 9110, 10.2.3: seconds), at most an hour; 0 for anything else."""
    said = answer.headers.get("retry-after", "")
    return (
        min(float(said), MOST_PAUSE_SECONDS) if said.isascii() and said.isdigit() and len(said) <= 6 else 0.0
    )
