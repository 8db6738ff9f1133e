"""Planting items among real ones: seldom, at no time that can be foretold, and never while people are behind.

A policy asks for it (`oversight.seeded`) and says so to its reviewers. Of what was held under it in the last 30 days at
most `permille` thousandths were planted; one waits at a time. Where a text is past its promise nothing is planted, and
what waits unread is taken back, as it is when half its own time is over: nobody is late for a text that nobody awaits.
One process of several plants, and it plants an item in one append, so that a kill leaves none or the whole of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from attending.guardrails.policy.decide import RECOMMENDATION_ROLES
from attending.guardrails.policy.schema import Policy
from attending.guardrails.pool import GuardError
from attending.ledger.errors import PayloadPruned, SubjectErased
from attending.ledger.ledger import Ledger
from attending.ledger.practice import SEEDED, new_key, seeded_id
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import parse, stamp
from attending.server.errors import AttendingError
from attending.server.inference.call import new_id
from attending.server.inference.entries import load_request
from attending.server.practice.catalogue import PracticeItem
from attending.server.practice.mark import Mark
from attending.server.practice.opening import Openings, Pattern
from attending.server.review.desk import Desk
from sqlalchemy import ColumnElement, func, select

log = structlog.get_logger()

_ITEMS, _PRACTICE = projections.review_item, projections.practice_item
PERIOD: Final = timedelta(days=30)
CHANCE: Final = 0.125
"""With which a sweep that may plant an item does: when the next one comes follows from no count of the queue."""
DIGITS: Final = "0123456789"
NUMBERS_TRIED: Final = 16
_ALL: Final = 1000


class Seeding:
    """One instance a server process. `sweep` is called again and again."""

    def __init__(
        self,
        ledger: Ledger,
        desk: Desk,
        openings: Openings,
        policies: Mapping[str, Policy],
        people: Callable[[], Iterable[Principal]],
        turn: Callable[[], Awaitable[bool]],
        now: Callable[[], Any],
        chance: random.Random | None = None,
    ) -> None:
        """`people` are all who are known, `turn` says whether this process is the one to plant; `chance` is the
        system's own where it is left out.
        """
        self._ledger = ledger
        self._desk = desk
        self._openings = openings
        self._policies = policies
        self._people = people
        self._turn = turn
        self._now = now
        self._chance = chance or random.SystemRandom()
        self._told: set[tuple[str, str]] = set()
        """Tenant and policy of which was said that nothing can be planted."""

    async def sweep(self, tenant: str) -> int:
        """Takes back what is not to wait any longer, and plants what may be planted; returns how many it planted.

        Raises the ledger's errors.
        """
        if not await self._turn():
            return 0
        planted = 0
        waiting = await self._desk.marks.waiting(tenant)
        for name in sorted({*self._policies, *await self._held_under(tenant, waiting)}):
            policy = self._policies.get(name)
            rule = None if policy is None else policy.oversight.seeded
            here = await self._tickets(tenant, name, waiting)
            if rule is None and not here:
                continue
            late = await self._late(tenant, name, here)
            left = [
                one for one in here if not await self._taken_back(tenant, one, at_once=late or rule is None)
            ]
            if policy is None or rule is None or late or left:
                continue
            if await self._room(tenant, name, rule.permille) and self._chance.random() < CHANCE:
                try:
                    planted += await self._plant(tenant, policy)
                except (AttendingError, GuardError, SubjectErased, PayloadPruned) as err:
                    # Halted, the checks are busy with what people wait for, or the text that it would be like is gone.
                    log.warning("practice.not_planted", reason=getattr(err, "reason", type(err).__name__))
        return planted

    async def _plant(self, tenant: str, policy: Policy) -> bool:
        pattern = await self._pattern(tenant, policy.name)
        item = None if pattern is None else await self._choice(tenant, policy, pattern)
        if pattern is None or item is None:
            return False
        if pattern.numbered:
            number = await self._number(tenant, policy)
            if number is None:
                return False
            item = item.numbered(number)
        key = new_key()
        return await self._openings.open(
            tenant,
            policy,
            item,
            inference_id=seeded_id(key, item.id),
            ticket=new_id("tkt"),
            mark=Mark(SEEDED, item.id, self._openings.catalogue.hash, key.hex()),
            pattern=pattern,
        )

    async def _number(self, tenant: str, policy: Policy) -> str | None:
        """A made-up record number, of those that the site says are no patient's, and under which this log knows
        nobody. None where the policy names none, or all that were tried are taken: an item without one would be known
        by that.
        """
        like = policy.oversight.seeded.record_numbers if policy.oversight.seeded is not None else None
        for _try in range(NUMBERS_TRIED if like is not None else 0):
            made = "".join(self._chance.choice(DIGITS) if one == "#" else one for one in like or "")
            if await self._ledger.find_pseudonym(tenant, f"mrn:{made}") is None:
                return made
        if (tenant, policy.name) not in self._told:
            self._told.add((tenant, policy.name))
            log.warning("practice.no_record_number", tenant=tenant, policy=policy.name)
        return None

    async def _choice(self, tenant: str, policy: Policy, pattern: Pattern) -> PracticeItem | None:
        """One of those that fewest of the people who may sign any have met; None where everybody knows all of them."""
        people = {
            one.name
            for one in self._people()
            if (one.tenant, one.kind) == (tenant, "human") and one.roles & set(RECOMMENDATION_ROLES)
        }
        rows = await self._ledger.query(
            select(_PRACTICE.c.item, _PRACTICE.c.reader)
            .where(_PRACTICE.c.log_id == tenant, _PRACTICE.c.reader.is_not(None))
            .distinct()
        )
        met = Counter(str(name) for name, reader in map(tuple, rows) if reader in people)
        fit = [
            one
            for one in self._openings.catalogue.items_in_order
            if one.policy == policy.name
            and met[one.id] < len(people)
            and self._openings.fits(policy, one, str(pattern.requested["recipient"]))
        ]
        fewest = min((met[one.id] for one in fit), default=0)
        least = [one for one in fit if met[one.id] == fewest]
        return self._chance.choice(least) if least else None

    async def _pattern(self, tenant: str, policy: str) -> Pattern | None:
        """That of the newest text that an application asked for and that was held; None where there is none."""
        planted = list((await self._desk.marks.waiting(tenant, policy)).values())
        rows = await self._ledger.query(
            select(_ITEMS.c.inference_id)
            .where(*self._real(tenant, policy, planted), _ITEMS.c.state != "blocked")
            .order_by(_ITEMS.c.held_at.desc())
            .limit(1)
        )
        if not rows:
            return None
        entries = await self._ledger.stream_entries(tenant, rows[0][0], 0, 2)
        if [one.type for one in entries] != ["inference.requested", "inference.generated"]:
            return None
        asked, written = entries
        [record] = [one.record for one in asked.commitments if one.kind == "request"]
        identity = load_request(await self._ledger.open_payload(tenant, record)).context.identity
        numbered = identity is not None and identity.mrn is not None
        return Pattern(asked.body, written.body, asked.subject is not None, numbered)

    async def _room(self, tenant: str, policy: str, permille: int) -> bool:
        """Whether one more keeps the planted ones within their share of what was held lately."""
        since = stamp(self._now() - PERIOD)
        real = await self._count(
            select(func.count())
            .select_from(_ITEMS)
            .where(*self._real(tenant, policy, []), _ITEMS.c.held_at > since)
        )
        planted = await self._count(
            select(func.count())
            .select_from(_PRACTICE)
            .where(
                _PRACTICE.c.log_id == tenant,
                _PRACTICE.c.policy == policy,
                _PRACTICE.c.mode == SEEDED,
                _PRACTICE.c.decided_at > since,
            )
        )
        return (planted + 1) * _ALL <= permille * real

    async def _late(self, tenant: str, policy: str, planted: list[str]) -> bool:
        """Whether a text that somebody waits for is past its promise."""
        rows = await self._ledger.query(
            select(_ITEMS.c.ticket_id)
            .where(
                *self._real(tenant, policy, planted),
                _ITEMS.c.state == "held",
                _ITEMS.c.due_at <= stamp(self._now()),
            )
            .limit(1)
        )
        return bool(rows)

    async def _taken_back(self, tenant: str, ticket: str, *, at_once: bool) -> bool:
        item, _version = await self._desk.item(tenant, ticket)
        half = (parse(item.due_at) - parse(item.held_at)) / 2
        if not at_once and self._now() < parse(item.held_at) + half:
            return False
        return await self._desk.take_back(tenant, ticket)

    async def _held_under(self, tenant: str, waiting: Mapping[str, str]) -> set[str]:
        """Policies of planted items, among them such as are not served any more."""
        rows = await self._ledger.query(
            select(_ITEMS.c.policy)
            .where(_ITEMS.c.log_id == tenant, _ITEMS.c.ticket_id.in_(list(waiting.values())))
            .distinct()
        )
        return {str(row[0]) for row in rows}

    async def _tickets(self, tenant: str, policy: str, waiting: Mapping[str, str]) -> list[str]:
        rows = await self._ledger.query(
            select(_ITEMS.c.ticket_id).where(
                _ITEMS.c.log_id == tenant,
                _ITEMS.c.policy == policy,
                _ITEMS.c.ticket_id.in_(list(waiting.values())),
            )
        )
        return [str(row[0]) for row in rows]

    def _real(self, tenant: str, policy: str, planted: list[str]) -> list[ColumnElement[bool]]:
        """Items of a policy that are no practice, as rows tell, without those `planted` that rows do not tell."""
        return [
            _ITEMS.c.log_id == tenant,
            _ITEMS.c.policy == policy,
            _ITEMS.c.practice_for.is_(None),
            _ITEMS.c.ticket_id.not_in(planted),
        ]

    async def _count(self, query: Any) -> int:
        rows = await self._ledger.query(query)
        return int(rows[0][0])
