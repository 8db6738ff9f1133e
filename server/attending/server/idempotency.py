"""Doing a write once: the claim that a key makes on its request, and the entries that answered it.

The caller's key may itself name a person, so only its HMAC under the tenant's key is stored.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from attending.ledger.ledger import Ledger
from attending.ledger.projection import EntryIndex, RowWrite
from attending.ledger.submission import Claim
from attending.server import projections
from attending.server.errors import AlreadyExists, InvalidRequest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from sqlalchemy import select

MAX_KEY_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Once:
    """`key` is scoped to tenant and caller; `fingerprint` says what counts as the same body."""

    key: str
    fingerprint: bytes

    def claim(self, stream: str) -> Claim:
        return Claim(self.key, self.fingerprint, stream)

    def answer_row(self, entries: int) -> RowWrite:
        """Keeps where the append's entries lie, for the same key's next call."""
        return RowWrite(
            projections.answer, {"key": self.key}, {"first_index": EntryIndex(0), "entries": entries}
        )


def once(ledger: Ledger, tenant: str, caller: str, key: str, request: Message) -> Once:
    """The claim of one request. Raises InvalidRequest for a key that is not 1 to 128 printable ASCII characters.

    A plain hash of a short text can be guessed, so both parts are keyed.
    """
    if wrong := key_violations(key):
        raise InvalidRequest(wrong)
    body = {
        "message": request.DESCRIPTOR.full_name,
        "request": MessageToDict(request, preserving_proto_field_name=True),
    }
    scoped = json.dumps(["key", caller, key]).encode("ascii")
    return Once(
        key=ledger.fingerprint(tenant, scoped).hex(),
        fingerprint=ledger.fingerprint(tenant, json.dumps(body, sort_keys=True).encode("ascii")),
    )


def key_violations(key: str) -> list[tuple[str, str]]:
    """What is wrong with a key, to be named together with whatever else is wrong with its request."""
    if 1 <= len(key) <= MAX_KEY_CHARACTERS and all("!" <= character <= "~" for character in key):
        return []
    return [("idempotency_key", "must be 1 to 128 printable ASCII characters")]


async def claimed(ledger: Ledger, tenant: str, call: Once) -> str | None:
    """The stream that this key began, None when it is new; AlreadyExists when it came with another body."""
    claim = await ledger.find_claim(tenant, call.key)
    if claim is None:
        return None
    require_same(claim.fingerprint, call)
    return claim.stream


def require_same(fingerprint: bytes, call: Once) -> None:
    if not secrets.compare_digest(fingerprint, call.fingerprint):
        raise AlreadyExists("IDEMPOTENCY_KEY_REUSED")


async def answered(ledger: Ledger, tenant: str, call: Once) -> tuple[int, ...] | None:
    """Indexes of the entries that this key's first call appended, None when it is new."""
    if await claimed(ledger, tenant, call) is None:
        return None
    table = projections.answer
    rows = await ledger.query(
        select(table.c.first_index, table.c.entries).where(table.c.log_id == tenant, table.c.key == call.key)
    )
    for row in rows:
        found = row._mapping
        return tuple(range(found["first_index"], found["first_index"] + found["entries"]))
    return None
