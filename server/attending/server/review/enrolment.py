"""Signing keys of people: enrolled as entries of the tenant's log before the first signature can count.

The configuration says whose key it is; the entry says since when. A key that the configuration no longer names is
revoked at the next start, and signatures made before stay valid (21 CFR 11.100, 11.300).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final

from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.reviewer_key import Algorithm, ReviewerKey, parse_reviewer_key, reviewer_key_of
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.context import stated
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import ConfigurationError, FailedPrecondition
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import select

_KEYS = projections.signing_key
_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")


def key_stream(identifier: str) -> str:
    """The stream of a signing key's life: enrolment, revocation."""
    return f"key:{identifier}"


async def key_in_force(ledger: Ledger, tenant: str, identifier: str) -> Expectation:
    """What must still hold when a signature of that key is appended; FailedPrecondition (KEY_UNKNOWN) for one that is
    not enrolled, or not any more.

    A revocation that comes between this and the append makes it fail: no signature follows the end of its key.
    """
    version, _enrolled = await _last_enrolment(ledger, tenant, identifier)
    return Expectation(key_stream(identifier), version)


async def key_that_signs(
    ledger: Ledger, tenant: str, identifier: str, role: str, moment: datetime
) -> Expectation:
    """As `key_in_force`, for a signature in that role at that moment; FailedPrecondition (KEY_UNKNOWN) also where the
    key is not enrolled in the role, or licence or competency have run out by then: the verifier fails such an entry
    (V12, V13), and with it every bundle that holds it.
    """
    version, enrolled = await _last_enrolment(ledger, tenant, identifier)
    until = enrolled.body.get("not_after")
    if role not in enrolled.body["roles"] or (until is not None and until <= stamp(moment)):
        raise FailedPrecondition("KEY_UNKNOWN")
    return Expectation(key_stream(identifier), version)


async def signing_key_of(ledger: Ledger, person: Principal, identifier: str) -> ReviewerKey:
    """The person's key as it is enrolled; FailedPrecondition (KEY_UNKNOWN) for one that is not theirs, or not any
    more.
    """
    _version, enrolled = await _last_enrolment(ledger, person.tenant, identifier)
    if enrolled.body["user"] != person.name:
        raise FailedPrecondition("KEY_UNKNOWN")
    return parse_reviewer_key(enrolled.body)


async def _last_enrolment(ledger: Ledger, tenant: str, identifier: str) -> tuple[int, Entry]:
    stream = key_stream(identifier) if _KEY_ID.fullmatch(identifier) else ""
    version = await ledger.stream_version(tenant, stream) if stream else 0
    last = await ledger.stream_entries(tenant, stream, version - 1, 1) if version else []
    if not last or last[0].type == "key.revoked":
        raise FailedPrecondition("KEY_UNKNOWN")
    return version, last[0]


async def enrol_keys(
    ledger: Ledger,
    tenants: Iterable[str],
    principals: Iterable[Principal],
    owner: str,
    now: Callable[[], datetime],
) -> None:
    """Brings each tenant's enrolled keys in line with the configuration; safe to run at every start.

    Raises ConfigurationError when a key was revoked before, or belongs to somebody else: a key is never reused.
    """
    people = [p for p in principals if p.signing_public_key is not None]
    for tenant in tenants:
        rows = await ledger.query(select(_KEYS).where(_KEYS.c.log_id == tenant))
        enrolled = {row._mapping["key_id"]: row._mapping for row in rows}
        configured: set[str] = set()
        for person in people:
            if person.tenant != tenant or person.signing_public_key is None:
                continue
            key = reviewer_key_of(person.signing_public_key)
            identifier = key.key_id
            configured.add(identifier)
            known = enrolled.get(identifier)
            if known is not None and (known["user"] != person.name or known["revoked_at"] is not None):
                raise _spent(identifier, person)
            await _enrol(ledger, person, key, owner, now)
        for identifier, row in enrolled.items():
            # A passkey is its person's, who bound it: the configuration never named it.
            if (
                identifier not in configured
                and row["revoked_at"] is None
                and not Algorithm(row["algorithm"]).passkey
            ):
                await _revoke(ledger, tenant, identifier, owner, now)


async def _enrol(
    ledger: Ledger, person: Principal, key: ReviewerKey, owner: str, now: Callable[[], datetime]
) -> None:
    """Says whose key it is, in which roles and until when, unless the last such entry says the same.

    A signature is judged by the enrolment before it: after a new role or a renewed licence the old entry would
    make every signature of the key invalid to an auditor.
    """
    identifier = key.key_id
    roles = sorted(person.roles)
    # An auditor judges a signature by it: licence and competency were both in force before.
    not_after = None if person.signs_until is None else stamp(person.signs_until)
    body = {
        **key.to_json(),
        "user": person.name,
        "roles": roles,
        "not_after": not_after,
        "proofed_by": "configuration",
    }
    stream = key_stream(identifier)
    entry = PendingEntry(
        type="key.enrolled",
        stream=stream,
        actor=f"system:{owner}",
        subject=None,
        body=body,
        occurred_at=now(),
    )
    while True:
        version = await ledger.stream_version(person.tenant, stream)
        last = await ledger.stream_entries(person.tenant, stream, version - 1, 1) if version else []
        if last and last[0].type == "key.revoked":
            raise _spent(identifier, person)
        if last and stated(last[0].body) == body:
            return
        try:
            await ledger.append(
                person.tenant, [entry], expect=[Expectation(stream, version)], rows=rows_of_append([entry])
            )
            return
        except ExpectationFailed:
            # Another process started at the same moment, and has said it or something else.
            continue


def _spent(identifier: str, person: Principal) -> ConfigurationError:
    return ConfigurationError(
        f"signing key `{identifier}` of `{person.name}` was revoked or belongs to somebody else",
        "make a new key pair and configure its public key",
    )


async def _revoke(
    ledger: Ledger, tenant: str, identifier: str, owner: str, now: Callable[[], datetime]
) -> None:
    stream = key_stream(identifier)
    version = await ledger.stream_version(tenant, stream)
    last = await ledger.stream_entries(tenant, stream, version - 1, 1) if version else []
    if last and (last[0].type == "key.revoked" or not last[0].actor.startswith("system:")):
        # Revoked already, or of somebody whom a person proofed: the configuration has no say in theirs.
        return
    entry = PendingEntry(
        type="key.revoked",
        stream=stream,
        actor=f"system:{owner}",
        subject=None,
        body={"key_id": identifier, "reason": "REMOVED_FROM_CONFIGURATION"},
        occurred_at=now(),
    )
    # Where it fails, another process started at the same moment and revoked the key, or enrolled it again.
    with suppress(ExpectationFailed):
        await ledger.append(
            tenant, [entry], expect=[Expectation(stream, version)], rows=rows_of_append([entry])
        )
