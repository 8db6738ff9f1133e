"""Doing a write once: the claim that a key makes on its request, and the entries that answered it.

The caller's key may itself name a person, so only its HMAC under the tenant's key is stored, and only in the claim,
which expires: nothing made from it stands in an entry, which does not. Claims are therefore no projection. Losing one
loses the answer to a retry, and no evidence.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass

from attending.ledger.appended import Appended, StoredClaim
from attending.ledger.claim_keys import ClaimKeys
from attending.ledger.errors import DuplicateClaim, ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Claim
from attending.server.errors import Aborted, AlreadyExists, InvalidRequest
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message

MAX_KEY_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Once:
    """`key` is scoped to tenant and caller; `fingerprint` says what counts as the same body.

    Both are of the fingerprint key in force, `generation` of it; `earlier` are both of each key before.
    """

    key: str
    fingerprint: bytes
    earlier: tuple[tuple[str, bytes], ...] = ()
    generation: int | None = None

    def claim(self, stream: str) -> Claim:
        return Claim(self.key, self.fingerprint, stream, self.earlier, self.generation)


async def once(
    ledger: Ledger, tenant: str, caller: str, key: str, request: Message, *, urgent: bool = False
) -> Once:
    """The claim of one request. Raises InvalidRequest for a key that is not 1 to 128 printable ASCII characters, and as
    `Ledger.claim_keys`, which `urgent` goes to.
    """
    return once_under(await ledger.claim_keys(tenant, urgent=urgent), caller, key, request)


def once_under(keys: ClaimKeys, caller: str, key: str, request: Message) -> Once:
    """As `once`, with the keys at hand: blocks for as long as it takes to write the request down and hash it.

    A plain hash of a short text can be guessed, so both parts are keyed. Raises InvalidRequest for a request that
    cannot be written down.
    """
    if wrong := key_violations(key):
        raise InvalidRequest(wrong)
    try:
        content_of = MessageToDict(request, preserving_proto_field_name=True)
    except SerializeToJsonError:
        # A time outside the years 1 to 9999, also in a field that nothing else looks at.
        raise InvalidRequest([("request", "holds a time that is out of range")]) from None
    body = {"message": request.DESCRIPTOR.full_name, "request": content_of}
    scoped = json.dumps(["key", caller, key]).encode("ascii")
    content = json.dumps(body, sort_keys=True).encode("ascii")
    earlier = zip(keys.earlier_digests(scoped), keys.earlier_digests(content), strict=True)
    return Once(
        key=keys.digest(scoped).hex(),
        fingerprint=keys.digest(content),
        earlier=tuple((name.hex(), fingerprint) for name, fingerprint in earlier),
        generation=keys.generation,
    )


def key_violations(key: str) -> list[tuple[str, str]]:
    """What is wrong with a key, to be named together with whatever else is wrong with its request."""
    if 1 <= len(key) <= MAX_KEY_CHARACTERS and all("!" <= character <= "~" for character in key):
        return []
    return [("idempotency_key", "must be 1 to 128 printable ASCII characters")]


async def claimed(ledger: Ledger, tenant: str, call: Once) -> str | None:
    """The stream that this key began, None when it is new; AlreadyExists when it came with another body."""
    claim = await _find(ledger, tenant, call)
    return None if claim is None else claim.stream


def require_same(fingerprint: bytes, call: Once) -> None:
    if not secrets.compare_digest(fingerprint, call.fingerprint):
        raise AlreadyExists("IDEMPOTENCY_KEY_REUSED")


async def answered(ledger: Ledger, tenant: str, call: Once) -> tuple[int, ...] | None:
    """Indexes of the entries that this key's first call appended, None when it is new."""
    claim = await _find(ledger, tenant, call)
    return None if claim is None else tuple(range(claim.first_index, claim.first_index + claim.entries))


async def index_of(
    ledger: Ledger, tenant: str, call: Once, append: Awaitable[Appended], moved: Aborted
) -> int:
    """Index of the first entry that `append`, which makes the claim of `call`, puts on record; that of the same call,
    where it was carried out meanwhile. Raises `moved` when a stream had moved first, and as `append`.
    """
    try:
        return (await append).first_index
    except ExpectationFailed:
        raise moved from None
    except DuplicateClaim:
        earlier = await answered(ledger, tenant, call)
        if earlier is None:
            raise moved from None
        return earlier[0]


async def _find(ledger: Ledger, tenant: str, call: Once) -> StoredClaim | None:
    for key, fingerprint in ((call.key, call.fingerprint), *call.earlier):
        claim = await ledger.find_claim(tenant, key)
        if claim is not None:
            if not secrets.compare_digest(claim.fingerprint, fingerprint):
                raise AlreadyExists("IDEMPOTENCY_KEY_REUSED")
            return claim
    return None
