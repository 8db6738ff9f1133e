"""The passkeys that people have, as the log has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.reviewer_key import ReviewerKey, parse_reviewer_key
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.context import stated
from attending.server.people.account import Terms
from attending.server.review.enrolment import key_stream
from sqlalchemy import ColumnElement, select

_KEYS = projections.signing_key


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey in force. `version` is that of its stream, `synced` True for one that is not bound to its device."""

    tenant: str
    user: str
    key: ReviewerKey
    version: int
    enrolled_at: str
    aaguid: str
    synced: bool
    body: Mapping[str, Any]

    @property
    def key_id(self) -> str:
        return self.key.key_id

    @property
    def expectation(self) -> Expectation:
        """What must still hold for the passkey to be in force."""
        return Expectation(key_stream(self.key_id), self.version)


async def passkeys_of(ledger: Ledger, tenant: str, user: str) -> list[Passkey]:
    """The passkeys that a person has in force, oldest first."""
    return await read_passkeys(ledger, tenant, _KEYS.c.user == user)


async def passkeys_named(ledger: Ledger, tenants: Iterable[str], credential_id: str) -> list[Passkey]:
    """Those in force that a browser names so. More than one is somebody's attempt to be taken for another: whoever
    asks takes the one whose key verifies.
    """
    found = []
    for tenant in tenants:
        found += await read_passkeys(ledger, tenant, _KEYS.c.credential_id == credential_id)
    return found


def enrolled_again(
    one: Passkey, terms: Terms, actor: str, moment: datetime, key: ReviewerKey | None = None
) -> PendingEntry | None:
    """`key.enrolled` under these terms, with what `key` says of where the site is; None when the last one says the
    same.
    """
    place = key or one.key
    body = {
        **one.body,
        "roles": sorted(terms.roles),
        "not_after": terms.signs_until,
        "origins": list(place.origins),
    }
    body.pop("top_origins", None)
    if place.top_origins:
        body["top_origins"] = list(place.top_origins)
    if body == one.body:
        return None
    return PendingEntry("key.enrolled", key_stream(one.key_id), actor, None, body, occurred_at=moment)


async def read_passkeys(ledger: Ledger, tenant: str, where: ColumnElement[bool]) -> list[Passkey]:
    """Those in force of the rows that `where` picks."""
    rows = await ledger.query(
        select(_KEYS.c.key_id)
        .where(
            _KEYS.c.log_id == tenant,
            where,
            _KEYS.c.credential_id.is_not(None),
            _KEYS.c.revoked_at.is_(None),
        )
        .order_by(_KEYS.c.enrolled_at, _KEYS.c.key_id)
    )
    found = []
    for row in rows:
        stream = key_stream(row[0])
        version = await ledger.stream_version(tenant, stream)
        last = await ledger.stream_entries(tenant, stream, version - 1, 1) if version else []
        if last and last[0].type == "key.enrolled":
            found.append(_passkey(tenant, version, last[0]))
    return found


def _passkey(tenant: str, version: int, entry: Entry) -> Passkey:
    body = stated(entry.body)
    return Passkey(
        tenant,
        user=str(body["user"]),
        key=parse_reviewer_key(body),
        version=version,
        enrolled_at=entry.time,
        aaguid=str(body["aaguid"]),
        synced=bool(body["synced"]),
        body=body,
    )
