"""Which entries a report's bundle holds: planned when it is asked for, and again, alike, from its entry alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.registers import Asked
from attending.server.clock import parse, stamp
from attending.server.reports.choose import Choice, choose
from attending.server.reports.export import Exporter, ExportOrder, Plan
from attending.server.reports.kinds import KINDS, Evidence
from attending.server.reports.particulars import Kind
from attending.server.reports.person import (
    about_person,
    pseudonyms,
    require_givable,
    suspended,
    years_before,
)


@dataclass(frozen=True, slots=True)
class EvidencePlanner:
    """Holds no state."""

    ledger: Ledger
    exporter: Exporter

    async def plan(self, tenant: str, kind: Kind, choice: Choice, purpose: str) -> tuple[Plan, list[str]]:
        """What a report that is asked for now holds, and the inferences that were chosen, if any were.

        Raises NotFound (UNKNOWN_SUBJECT, NO_ENTRIES_IN_PERIOD, NOTHING_CHOSEN, UNKNOWN_INFERENCE), FailedPrecondition
        (TOO_MANY_CHOSEN).
        """
        if KINDS[kind].evidence is Evidence.PERSON:
            await pseudonyms(self.ledger, tenant, choice.subject)
            checkpoint = await self.ledger.checkpoint(tenant)
            size = parse_checkpoint(checkpoint).size
            # Which entries is worked out where it is made: a walk over the period.
            return Plan(Scope.SUBSET, 0, size, (), checkpoint, size), []
        if choice.of_inferences:
            chosen = await choose(self.ledger, tenant, choice)
            checkpoint = await self.ledger.checkpoint(tenant)
            size = parse_checkpoint(checkpoint).size
            return await self.exporter.subset(tenant, chosen, checkpoint, size), chosen
        plan = await self.exporter.plan(
            tenant, ExportOrder(choice.from_time, choice.to_time, (), purpose, False)
        )
        if KINDS[kind].evidence is Evidence.FROM_START and plan.begin:
            # The period has entries; what stood in it rests on those before.
            scope = Scope.FULL if plan.end == plan.size else Scope.RANGE
            plan = Plan(scope, 0, plan.end, (), plan.checkpoint, plan.size)
        return plan, []

    async def again(self, tenant: str, requested: Entry) -> Plan:
        """The plan of a report that is on record."""
        body = requested.body
        if KINDS[Kind(body["kind"])].evidence is Evidence.PERSON:
            asked, size = await self.asked(tenant, requested), body["tree_size"]
            begin = await self.exporter.first_at(tenant, parse(asked.since), size) if asked.since else 0
            found, inferences = await about_person(
                self.ledger,
                tenant,
                KINDS[Kind(body["kind"])].types,
                asked,
                range(begin, size),
                requested.time,
            )
            if inferences:
                # Without their other entries it would stay open whether a text was rightly given.
                found.update(
                    (await self.exporter.subset(tenant, sorted(inferences), body["checkpoint"], size)).indexes
                )
            indexes = tuple(sorted(found))
            return Plan(Scope.SUBSET, indexes[0], indexes[-1] + 1, indexes, body["checkpoint"], size)
        if body["inferences"]:
            return await self.exporter.subset(
                tenant, body["inferences"], body["checkpoint"], body["tree_size"]
            )
        return Plan(Scope(body["scope"]), body["from"], body["to"], (), body["checkpoint"], body["tree_size"])

    async def require_givable(self, tenant: str, requested: Entry, now: str) -> None:
        """As `person.require_givable`, of a report about a person; of others nothing is suspended."""
        if KINDS[Kind(requested.body["kind"])].evidence is Evidence.PERSON:
            names = await pseudonyms(self.ledger, tenant, requested.body["choice"]["subject"])
            # Which entries is a walk over the period, and mostly nothing is suspended.
            if running := await suspended(self.ledger, tenant, names, now):
                plan = await self.again(tenant, requested)
                await require_givable(self.ledger, tenant, running, plan.indexes, now)

    async def asked(self, tenant: str, requested: Entry) -> Asked:
        """What the register of a report on record is asked."""
        body = requested.body
        choice, kind = body["choice"], KINDS[Kind(body["kind"])]
        # Entries before it may bear its own time: the end is the first moment after.
        end = stamp(parse(requested.time) + timedelta(microseconds=1))
        until = min(choice.get("to_time") or end, end)
        since = choice.get("from_time") or ""
        if kind.years is not None:
            since = max(since, years_before(until, kind.years))
        of_person = kind.evidence is Evidence.PERSON
        return Asked(
            until=until,
            since=since,
            subjects=await pseudonyms(self.ledger, tenant, choice["subject"], body["tree_size"])
            if of_person
            else (),
            version=choice.get("version", ""),
            incident=choice.get("incident", ""),
            group=choice.get("group", ""),
        )
