"""Alarms about the pace of signing: looked for by the server at every sweep, on record once an hour and person."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from attending.guardrails.policy.schema import Policy
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.clock import parse, stamp
from attending.server.oversight.velocity import judge
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import func, select

_SIGNATURES = projections.review_signature
WINDOW: Final = timedelta(hours=1)
PAST: Final = timedelta(days=30)


class Alarms:
    """One instance a server."""

    def __init__(
        self, ledger: Ledger, policies: Mapping[str, Policy], owner: str, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._policies = policies
        self._owner = owner
        self._now = now

    async def sweep(self, tenant: str) -> int:
        """Appends an alarm for each person whose pace is unusual and about whom there is none yet."""
        now = self._now()
        lately: dict[str, dict[str, int]] = defaultdict(dict)
        for row in await self._ledger.query(
            select(_SIGNATURES.c.signer, _SIGNATURES.c.policy, func.count().label("n"))
            .where(_SIGNATURES.c.log_id == tenant, _SIGNATURES.c.signed_at > stamp(now - WINDOW))
            .group_by(_SIGNATURES.c.signer, _SIGNATURES.c.policy)
        ):
            lately[row._mapping["signer"]][row._mapping["policy"]] = row._mapping["n"]
        if not lately:
            return 0
        past = await self._past(tenant, now)
        desk = [count for counts in past.values() for count in counts]
        raised = 0
        for signer, by_policy in sorted(lately.items()):
            found = judge(
                sum(by_policy.values()),
                past.get(signer, []),
                desk,
                over_cap=any(self._over_cap(policy, count) for policy, count in by_policy.items()),
            )
            if found.because:
                body = {
                    "alarm": f"alm_{secrets.token_hex(16)}",
                    "tag": "peer_review",
                    "kind": "velocity",
                    "user": signer,
                    "count": sum(by_policy.values()),
                    "window_seconds": int(WINDOW.total_seconds()),
                    "because": list(found.because),
                    "own_limit": found.own_limit,
                    "desk_limit": found.desk_limit,
                }
                raised += await self._raise(tenant, signer, body, now)
        return raised

    async def _past(self, tenant: str, now: datetime) -> dict[str, list[int]]:
        """Signatures of each person in each hour of the clock that had any, before the window."""
        hour = func.substr(_SIGNATURES.c.signed_at, 1, 13)
        rows = await self._ledger.query(
            select(_SIGNATURES.c.signer, hour, func.count().label("n"))
            .where(
                _SIGNATURES.c.log_id == tenant,
                _SIGNATURES.c.signed_at > stamp(now - PAST),
                _SIGNATURES.c.signed_at <= stamp(now - WINDOW),
            )
            .group_by(_SIGNATURES.c.signer, hour)
        )
        past: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            past[row._mapping["signer"]].append(row._mapping["n"])
        return past

    def _over_cap(self, name: str, count: int) -> bool:
        policy = self._policies.get(name)
        velocity = None if policy is None else policy.oversight.velocity
        return velocity is not None and count > velocity.signatures_per_hour

    async def _raise(self, tenant: str, signer: str, body: Mapping[str, object], now: datetime) -> int:
        stream = f"oversight/alarm/{signer}"
        version = await self._ledger.stream_version(tenant, stream)
        last = await self._ledger.stream_entries(tenant, stream, version - 1, 1) if version else []
        if last and parse(last[0].time) + WINDOW > now:
            return 0
        entry = PendingEntry(
            type="oversight.alarm",
            stream=stream,
            actor=f"system:{self._owner}",
            subject=None,
            body=body,
            occurred_at=now,
        )
        try:
            await self._ledger.append(
                tenant, [entry], expect=[Expectation(stream, version)], rows=rows_of_append([entry])
            )
        except ExpectationFailed:
            return 0
        return 1
