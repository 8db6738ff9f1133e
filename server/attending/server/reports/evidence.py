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


@dataclass(frozen=True, slots=True)
class EvidencePlanner:
    """Holds no state."""

    ledger: Ledger
    exporter: Exporter

    async def plan(self, tenant: str, kind: Kind, choice: Choice, purpose: str) -> tuple[Plan, list[str]]:
        """What a report that is asked for now holds, and the inferences that were chosen, if any were.

        Raises NotFound (NO_ENTRIES_IN_PERIOD, NOTHING_CHOSEN, UNKNOWN_INFERENCE), FailedPrecondition (TOO_MANY_CHOSEN).
        """
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
        if body["inferences"]:
            return await self.exporter.subset(
                tenant, body["inferences"], body["checkpoint"], body["tree_size"]
            )
        return Plan(Scope(body["scope"]), body["from"], body["to"], (), body["checkpoint"], body["tree_size"])

    async def asked(self, requested: Entry) -> Asked:
        """What the register of a report on record is asked."""
        choice = requested.body["choice"]
        # Entries before it may bear its own time: the end is the first moment after.
        end = stamp(parse(requested.time) + timedelta(microseconds=1))
        return Asked(
            until=min(choice.get("to_time") or end, end),
            since=choice.get("from_time") or "",
            version=choice.get("version", ""),
        )
