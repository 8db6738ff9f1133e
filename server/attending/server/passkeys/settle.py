"""Passkeys follow what their people may be and where the site is.

A signature is judged by the enrolment before it. So a passkey is enrolled again when its person has new roles or a
renewed licence, and when the site has moved; it ends with its person. What an officer proofs is followed at once by
`people.registry`; what the configuration says of its people, at each start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.server.passkeys.keys import enrolled_again, read_passkeys
from attending.server.passkeys.responses import Party
from attending.server.people.account import Account, State
from attending.server.people.registry import read_account
from attending.server.replay.reducers import rows_of_append
from attending.server.review.enrolment import key_stream
from sqlalchemy import true


async def settle(
    ledger: Ledger, tenants: Iterable[str], party: Party, owner: str, now: Callable[[], datetime]
) -> None:
    """Brings every passkey in line with its person and the site; safe to run in several processes at once.

    A passkey of another RP id stays as it is: browsers never offer it here again.
    """
    for tenant in tenants:
        accounts: dict[str, Account | None] = {}
        for one in await read_passkeys(ledger, tenant, true()):
            if one.user not in accounts:
                accounts[one.user] = await read_account(ledger, tenant, one.user)
            account = accounts[one.user]
            key = one.key
            if key.rp_id == party.rp_id:
                key = replace(key, origins=party.origins, top_origins=party.top_origins)
            if account is None or account.state is State.REVOKED:
                body = {"key_id": one.key_id, "reason": "USER_REVOKED"}
                entry = PendingEntry(
                    "key.revoked", key_stream(one.key_id), f"system:{owner}", None, body, occurred_at=now()
                )
            elif account.in_force is None:
                continue
            else:
                again = enrolled_again(one, account.in_force.terms, f"system:{owner}", now(), key)
                if again is None:
                    continue
                entry = again
            # Where it fails, another process did it, or somebody revoked the key: both are well.
            with suppress(ExpectationFailed):
                await ledger.append(tenant, [entry], expect=[one.expectation], rows=rows_of_append([entry]))
