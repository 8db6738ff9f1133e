"""The queue page: what waits, most urgent first. It names no patient: to learn whose text it is one opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from attending.guardrails.finding import Severity
from attending.guardrails.policy.schema import Policy
from attending.server.clock import parse, stamp
from attending.server.console import words
from attending.server.console.gate import Visit
from attending.server.console.render import Pages, span
from attending.server.console.sessions import Sessions
from attending.server.practice.newcomers import Newcomers
from attending.server.recall.worklist import Worklist
from attending.server.review.desk import Desk
from attending.server.review.item import Item
from attending.server.review.queue import Wanted
from starlette.responses import Response

PAGE: Final = 50
LEAST: Final = {one.value: one.rank for one in Severity if one.rank > Severity.INFO.rank}
"""Severities of which the least may be asked for, to their ranks."""
SOON_SHARE: Final = 0.25
"""Of its whole time left, from which an item is due soon."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `due_state` is `late`, `soon` or `calm`."""

    item: Item
    mine: bool
    taken: bool
    due_state: str
    due_words: str
    held_words: str


def row_of(item: Item, who: str, now: datetime) -> Row:
    due, held = parse(item.due_at), parse(item.held_at)
    left = (due - now).total_seconds()
    whole = max(1.0, (due - held).total_seconds())
    state = "late" if left < 0 else "soon" if left < whole * SOON_SHARE else "calm"
    leased = item.leased(stamp(now))
    return Row(
        item=item,
        mine=leased and item.claimed_by == who,
        taken=leased and item.claimed_by != who,
        due_state=state,
        due_words=f"{span(left)} over" if left < 0 else f"{span(left)} left",
        held_words=span((now - held).total_seconds()),
    )


class QueuePage:
    """One instance a server."""

    def __init__(
        self,
        desk: Desk,
        policies: Mapping[str, Policy],
        sessions: Sessions,
        worklist: Worklist,
        pages: Pages,
        newcomers: Newcomers | None,
    ) -> None:
        """`newcomers` gives who has never signed a practice item first; None where nobody is given one."""
        self._newcomers = newcomers
        self._worklist = worklist
        self._desk = desk
        self._policies = policies
        self._sessions = sessions
        self._pages = pages

    async def __call__(self, visit: Visit) -> Response:
        """The whole page, or its table alone for a script."""
        query, who = visit.request.query_params, visit.principal
        # A page that looks again by itself offers nobody anything: an item that ran out is followed by another.
        part = query.get("part") == "rows"
        practice = None if part or self._newcomers is None else await self._newcomers.offer(who)
        policy, after = query.get("policy") or None, query.get("after") or ""
        severity, show = query.get("severity", ""), query.get("show", "")
        severity, show = severity if severity in LEAST else "", show if show in words.SHOWN else ""
        kept = urlencode(
            [
                (name, value)
                for name, value in (("policy", policy), ("severity", severity), ("show", show))
                if value
            ]
        )
        looks = "safety_officer" in who.roles or who.emergency is not None
        states = ("held", "blocked") if looks else ("held",)
        # Their practice item has a place of its own above the table.
        wanted = Wanted(
            states=states,
            policy=policy,
            least_severity=LEAST.get(severity, 0),
            mine=show == "mine",
            claimable=show == "claimable",
            overdue=show == "overdue",
            escalated=show == "escalated",
            practice=False,
            who=who,
        )
        found = await self._desk.queue(who.tenant, wanted, PAGE, after)
        now = self._pages.now()
        rows = [row_of(item, who.name, now) for item, _version in found.items]
        return self._pages.page(
            "rows.html" if part else "queue.html",
            visit=visit,
            rows=rows,
            practice=practice,
            total=f"{found.total:,}+" if found.more else str(found.total),
            first=not after,
            following=found.following,
            kept=kept,
            policy=policy,
            severity=severity,
            severities=LEAST,
            show=show,
            policies=sorted(self._policies),
            to_recall=await self._worklist.waits(who.tenant),
            others=[one for one in self._sessions.of(who.tenant, who.name) if one is not visit.session],
        )
