"""The figures of a period, counted from the projections: all reviewers together, and one by one.

Who may be given which is decided before: what is of one person is for the medical director alone.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.practice import SEEDED
from attending.server import projections
from attending.server.clock import stamp
from attending.server.oversight.agreement import Agreement, Estimate, agreement, wilson
from attending.server.oversight.second_reads import ANSWERS
from attending.server.oversight.standing import FEWEST_PEOPLE, Figures, flags
from attending.server.practice.mark import Marks
from sqlalchemy import RowMapping, Select, func, select

_SIGNATURES, _DISPOSITIONS = projections.review_signature, projections.finding_disposition
_PRACTICE: Final = projections.practice_item
_READS, _ALARMS, _DRAWS = projections.second_read, projections.oversight_alarm, projections.oversight_draw
TIERS: Final = ("routine", "elevated", "highest")
NOISY_LEAST: Final = 20
NOISY_BELOW: Final = 0.5
MOST_READINGS: Final = 200


@dataclass(frozen=True, slots=True)
class Share:
    hits: int
    of: int

    @property
    def estimate(self) -> Estimate:
        return wilson(self.hits, self.of)


@dataclass(frozen=True, slots=True)
class Tier:
    """`short` is None of fewer than FEWEST_PEOPLE."""

    tier: str
    signatures: int
    people: int
    short: Share | None


@dataclass(frozen=True, slots=True)
class Rail:
    """What became of the findings of one rail and code."""

    rail: str
    code: str
    fixed: int
    accepted: int
    false_alarms: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def precision(self) -> Share:
        true = self.fixed + self.accepted
        return Share(true, true + self.false_alarms)

    @property
    def noisy(self) -> bool:
        high = self.precision.estimate.high
        return self.precision.of >= NOISY_LEAST and high is not None and high < NOISY_BELOW


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of all reviewers of a tenant together."""

    since: datetime
    people: int
    signatures: int
    tiers: tuple[Tier, ...]
    reading_reasons: tuple[tuple[str, int], ...]
    rails: tuple[Rail, ...]
    agreement: tuple[tuple[str, str, Agreement], ...]
    waiting: int
    alarms: int
    planted: int
    found: Share | None
    """Of the errors; None where fewer than FEWEST_PEOPLE met any planted item, as `refused`."""
    refused: Share | None


@dataclass(frozen=True, slots=True)
class ReadingFigure:
    """How long one text was read, in seconds."""

    signed_at: str
    ticket_id: str
    words: int
    floor_seconds: int
    seconds: int
    source: str


class Oversight:
    """One instance a server."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime], marks: Marks | None = None) -> None:
        self._ledger = ledger
        self._now = now
        self._marks = marks or Marks(ledger)

    async def summary(self, tenant: str, days: int) -> Summary:
        """Of the last `days` days."""
        since = self._now() - timedelta(days=days)
        signed = await self._rows(
            select(_SIGNATURES.c.tier, _SIGNATURES.c.signer, _SIGNATURES.c.short, func.count().label("n"))
            .where(*self._signed(tenant, since))
            .group_by(_SIGNATURES.c.tier, _SIGNATURES.c.signer, _SIGNATURES.c.short)
        )
        people = len({row["signer"] for row in signed})
        waiting = await self._rows(
            select(func.count().label("n")).where(_READS.c.log_id == tenant, _READS.c.answer.is_(None))
        )
        alarms = await self._alarms(tenant, since)
        planted = list((await self._planted(tenant, since)).values())
        enough = len(planted) >= FEWEST_PEOPLE
        return Summary(
            since=since,
            people=people,
            signatures=sum(row["n"] for row in signed),
            tiers=tuple(_tier(name, [row for row in signed if row["tier"] == name]) for name in TIERS),
            reading_reasons=await self._reasons(tenant, since) if people >= FEWEST_PEOPLE else (),
            rails=await self.rails(tenant, since),
            agreement=await self.agreement(tenant, since),
            waiting=waiting[0]["n"],
            alarms=alarms.total(),
            planted=sum(one.planted + one.sound for one in planted),
            found=_summed(planted, "found", "planted") if enough else None,
            refused=_summed(planted, "refused", "sound") if enough else None,
        )

    async def rails(self, tenant: str, since: datetime) -> tuple[Rail, ...]:
        """By rail and code, the least precise first; of those alike, the most frequent."""
        practised = select(_PRACTICE.c.ticket_id).where(_PRACTICE.c.log_id == tenant)
        planted = list((await self._marks.waiting(tenant)).values())
        rows = await self._rows(
            select(
                _DISPOSITIONS.c.rail,
                _DISPOSITIONS.c.code,
                _DISPOSITIONS.c.disposition,
                _DISPOSITIONS.c.reason,
                func.count().label("n"),
            )
            .where(
                _DISPOSITIONS.c.log_id == tenant,
                _DISPOSITIONS.c.made_at > stamp(since),
                _DISPOSITIONS.c.ticket_id.not_in(practised),
                _DISPOSITIONS.c.ticket_id.not_in(planted),
            )
            .group_by(
                _DISPOSITIONS.c.rail,
                _DISPOSITIONS.c.code,
                _DISPOSITIONS.c.disposition,
                _DISPOSITIONS.c.reason,
            )
        )
        made: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for row in rows:
            made[row["rail"], row["code"]][row["disposition"]] += row["n"]
            if row["reason"] is not None:
                reasons[row["rail"], row["code"]][row["reason"]] += row["n"]
        found = [
            Rail(
                rail,
                code,
                counts["fixed"],
                counts["accepted_risk"],
                counts["false_alarm"],
                _counted(reasons[rail, code]),
            )
            for (rail, code), counts in made.items()
        ]
        return tuple(sorted(found, key=_by_precision))

    async def agreement(self, tenant: str, since: datetime) -> tuple[tuple[str, str, Agreement], ...]:
        """(policy, basis, agreement) of what was read twice."""
        rows = await self._rows(
            select(_READS).where(
                _READS.c.log_id == tenant, _READS.c.answer.in_(ANSWERS), _READS.c.read_at > stamp(since)
            )
        )
        pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for row in rows:
            pairs[row["policy"], row["basis"]].append((row["first"], row["answer"]))
        return tuple((*key, agreement(both, ANSWERS)) for key, both in sorted(pairs.items()))

    async def people(self, tenant: str, days: int) -> list[Figures]:
        """Everybody who signed, by name."""
        since = self._now() - timedelta(days=days)
        found: dict[str, Figures] = {}
        for row in await self._rows(
            select(_SIGNATURES.c.signer, _SIGNATURES.c.short, func.count().label("n"))
            .where(*self._signed(tenant, since))
            .group_by(_SIGNATURES.c.signer, _SIGNATURES.c.short)
        ):
            name, n = row["signer"], row["n"]
            one = found.get(name, Figures(name))
            found[name] = replace(
                one,
                signatures=one.signatures + n,
                measured=one.measured + (0 if row["short"] is None else n),
                short=one.short + (n if row["short"] else 0),
            )
        for row in await self._rows(
            select(_READS).where(
                _READS.c.log_id == tenant,
                _READS.c.answer.in_(ANSWERS),
                _READS.c.basis == "signed",
                _READS.c.read_at > stamp(since),
            )
        ):
            missed = row["answer"] != row["first"] and row["answer"] != "approved"
            for name in filter(None, row["signers"].split(",")):
                one = found.get(name, Figures(name))
                found[name] = replace(one, read_again=one.read_again + 1, missed=one.missed + missed)
        for name, count in (await self._alarms(tenant, since)).items():
            found[name] = replace(found.get(name, Figures(name)), alarms=count)
        for name, met in (await self._planted(tenant, since)).items():
            one = found.get(name, Figures(name))
            found[name] = replace(
                one, planted=met.planted, found=met.found, sound=met.sound, refused=met.refused
            )
        return [found[name] for name in sorted(found)]

    async def flagged(self, tenant: str, days: int) -> list[tuple[Figures, tuple[str, ...]]]:
        """Those who stand out, by name."""
        everybody = await self.people(tenant, days)
        judged = [(one, flags(one, everybody)) for one in everybody]
        return [(one, why) for one, why in judged if why]

    async def person(
        self, tenant: str, name: str, days: int
    ) -> tuple[Figures, tuple[str, ...], tuple[tuple[str, int], ...], list[ReadingFigure]]:
        """One person: figures, why they stand out, reasons for signing too soon, and their last readings."""
        since = self._now() - timedelta(days=days)
        everybody = await self.people(tenant, days)
        one = next((figures for figures in everybody if figures.name == name), Figures(name))
        reasons = await self._reasons(tenant, since, name)
        return one, flags(one, everybody), reasons, await self._readings(tenant, since, name)

    async def draws(self, tenant: str, limit: int) -> list[tuple[RowMapping, int, int]]:
        """Draws, newest first, each with how many were drawn and how many of those were read."""
        rows = await self._rows(
            select(_DRAWS)
            .where(_DRAWS.c.log_id == tenant)
            .order_by(_DRAWS.c.committed_index.desc())
            .limit(limit)
        )
        counts = {
            row["draw_id"]: (row["drawn"], row["done"])
            for row in await self._rows(
                select(
                    _READS.c.draw_id,
                    func.count().label("drawn"),
                    func.count(_READS.c.answer).label("done"),
                )
                .where(_READS.c.log_id == tenant, _READS.c.draw_id.in_([row["draw_id"] for row in rows]))
                .group_by(_READS.c.draw_id)
            )
        }
        return [(row, *counts.get(row["draw_id"], (0, 0))) for row in rows]

    async def _readings(self, tenant: str, since: datetime, name: str) -> list[ReadingFigure]:
        rows = await self._rows(
            select(_SIGNATURES)
            .where(
                *self._signed(tenant, since),
                _SIGNATURES.c.signer == name,
                _SIGNATURES.c.reading_record.is_not(None),
            )
            .order_by(_SIGNATURES.c.signed_at.desc())
            .limit(MOST_READINGS)
        )
        found = []
        for row in rows:
            try:
                said = json.loads(await self._ledger.open_payload(tenant, row["reading_record"]))
            except LedgerError:
                # Pruned, or gone with its patient: it is not kept any more.
                continue
            found.append(
                ReadingFigure(
                    row["signed_at"],
                    row["ticket_id"],
                    row["words"],
                    row["floor_seconds"],
                    said["seconds"],
                    said["source"],
                )
            )
        return found

    async def _planted(self, tenant: str, since: datetime) -> dict[str, Figures]:
        """What became of planted items, by who read them; openly marked ones are no measure of anybody."""
        rows = await self._rows(
            select(_PRACTICE.c.reader, _PRACTICE.c.kind, _PRACTICE.c.right, func.count().label("n"))
            .where(
                _PRACTICE.c.log_id == tenant,
                _PRACTICE.c.mode == SEEDED,
                _PRACTICE.c.reader.is_not(None),
                _PRACTICE.c.right.is_not(None),
                _PRACTICE.c.decided_at > stamp(since),
            )
            .group_by(_PRACTICE.c.reader, _PRACTICE.c.kind, _PRACTICE.c.right)
        )
        found: dict[str, Figures] = {}
        for row in rows:
            one, n = found.get(row["reader"], Figures(row["reader"])), row["n"]
            if row["kind"] == "error":
                made = replace(one, planted=one.planted + n, found=one.found + (n if row["right"] else 0))
            else:
                made = replace(one, sound=one.sound + n, refused=one.refused + (0 if row["right"] else n))
            found[row["reader"]] = made
        return found

    async def _reasons(
        self, tenant: str, since: datetime, name: str | None = None
    ) -> tuple[tuple[str, int], ...]:
        query = select(_SIGNATURES.c.reason, func.count().label("n")).where(
            *self._signed(tenant, since), _SIGNATURES.c.reason.is_not(None)
        )
        if name is not None:
            query = query.where(_SIGNATURES.c.signer == name)
        rows = await self._rows(query.group_by(_SIGNATURES.c.reason))
        return _counted(Counter({row["reason"]: row["n"] for row in rows}))

    async def _alarms(self, tenant: str, since: datetime) -> Counter[str]:
        rows = await self._rows(
            select(_ALARMS.c.user, func.count().label("n"))
            .where(_ALARMS.c.log_id == tenant, _ALARMS.c.raised_at > stamp(since))
            .group_by(_ALARMS.c.user)
        )
        return Counter({row["user"]: row["n"] for row in rows})

    def _signed(self, tenant: str, since: datetime) -> list[Any]:
        """Signatures that release; a refusal may be as quick as it likes."""
        return [
            _SIGNATURES.c.log_id == tenant,
            _SIGNATURES.c.signed_at > stamp(since),
            _SIGNATURES.c.meaning != "rejected",
        ]

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        return [row._mapping for row in await self._ledger.query(query)]


def _summed(people: Sequence[Figures], hits: str, of: str) -> Share:
    return Share(sum(getattr(one, hits) for one in people), sum(getattr(one, of) for one in people))


def _tier(name: str, rows: Sequence[RowMapping]) -> Tier:
    people = len({row["signer"] for row in rows})
    share = Share(
        sum(row["n"] for row in rows if row["short"]),
        sum(row["n"] for row in rows if row["short"] is not None),
    )
    return Tier(name, sum(row["n"] for row in rows), people, share if people >= FEWEST_PEOPLE else None)


def _counted(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _by_precision(rail: Rail) -> tuple[float, int, str, str]:
    share = rail.precision
    return share.estimate.value or 0.0, -share.of, rail.rail, rail.code
