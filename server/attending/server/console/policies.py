"""The policies as a safety officer reads them, with each version's log, and the activation that two people make."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attending.guardrails.policy.diff import Change, diff
from attending.guardrails.policy.load import LoadedPolicy, PolicyError, PolicySet, load_policy
from attending.guardrails.policy.schema import Escalation, Policy
from attending.server import clock
from attending.server.activation.serving import Serving
from attending.server.activation.standing import KNOWLEDGE
from attending.server.console.gate import Visit, text_of
from attending.server.console.render import Pages, span
from attending.server.console.verdicts import SEVERITIES, decided, row_words
from attending.server.errors import InvalidRequest, NotFound
from attending.server.services.policy import PolicyService
from attending.server.simulation.period import Period, period
from attending.v1 import policy_pb2
from starlette.responses import JSONResponse, Response

KNOWLEDGE_PLACE = "-"
"""What the drug knowledge is called in an address; no policy can be."""
OVER: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "a year"))
_EVENTS = {
    policy_pb2.ACTIVATION_EVENT_REQUESTED: "asked for",
    policy_pb2.ACTIVATION_EVENT_ACTIVATED: "put in force",
    policy_pb2.ACTIVATION_EVENT_RETIRED: "retired",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `policy` is what is in force and loaded, None where this server has it not."""

    place: str
    name: str
    standing: policy_pb2.ActivationStanding
    policy: Policy | None

    @property
    def waits(self) -> bool:
        return bool(self.standing.requested)

    @property
    def newer(self) -> bool:
        """Whether another version lies in the server's folder, and nobody has asked for it."""
        one = self.standing
        return bool(one.in_folder) and one.in_folder not in (one.active, one.requested)


@dataclass(frozen=True, slots=True)
class Event:
    what: str
    version: int
    content_hash: str
    who: str
    by: str
    time: str
    index: int


class PolicyPages:
    """One instance a server."""

    def __init__(self, service: PolicyService, serving: Serving, folder: Path, pages: Pages) -> None:
        self._service = service
        self._serving = serving
        self._folder = folder
        self._pages = pages

    async def table(self, visit: Visit) -> Response:
        """Every policy, and the drug knowledge."""
        found = await self._service.ListActivations(policy_pb2.ListActivationsRequest())
        rows = [self._row(one) for one in found.standings]
        return self._pages.page("policies.html", visit=visit, rows=rows, sign_offs=sign_off_words)

    async def one(self, visit: Visit) -> Response:
        """One policy: what it decides, what waits or could be asked for and what that changes, its hazards, its log."""
        name = _name(visit)
        found = await self._service.ListActivations(policy_pb2.ListActivationsRequest(policy=name))
        standings = [one for one in found.standings if one.policy == name]
        if not standings:
            raise NotFound("UNKNOWN_POLICY")
        row, lying = self._row(standings[0]), await asyncio.to_thread(self._lying, name)
        now, shown = self._loaded(name), row.policy
        changes: Sequence[Change] | None = None
        if lying is not None and now is not None and shown is not None and lying.policy.hash != shown.hash:
            changes = await asyncio.to_thread(diff, now, lying)
        if shown is None and lying is not None:
            shown = lying.policy
        events = [_event(one) for one in reversed(found.events) if one.policy == name]
        moved = next((one for one in events if one.what != "asked for"), None)
        return self._pages.page(
            "policy.html",
            visit=visit,
            row=row,
            policy=shown,
            in_force=row.policy is not None,
            lines=[] if shown is None else await asyncio.to_thread(decided, shown),
            severities=SEVERITIES,
            verdict_rows=[] if shown is None else [(row_words(one), one.because) for one in shown.verdicts],
            sign_offs=sign_off_words,
            escalation=escalation_words,
            changes=changes,
            lying=lying,
            events=events,
            # What a first start put in force two people may confirm.
            by_start=moved is not None and moved.by == "bootstrap",
            own_request=row.standing.requested_by == visit.principal.actor,
            may_ask=not visit.principal.roles.isdisjoint(
                ("safety_officer", "pharmacist", "clinician", "operator")
            ),
            may_approve="safety_officer" in visit.principal.roles,
            may_see_standby=not visit.principal.roles.isdisjoint(("safety_officer", "pharmacist", "auditor")),
            may_try=not visit.principal.roles.isdisjoint(("safety_officer", "pharmacist")),
        )

    async def hazards(self, visit: Visit) -> Response:
        """The hazard log, with what was seen of each hazard in a period that is chosen."""
        name, over = _name(visit), visit.request.query_params.get("over", "90d")
        chosen = chosen_period(over, self._pages.now())
        request = policy_pb2.ListHazardsRequest(policy=name)
        request.since.FromDatetime(chosen.since)
        request.until.FromDatetime(chosen.until)
        found = await self._service.ListHazards(request)
        return self._pages.page("hazards.html", visit=visit, name=name, found=found, over=over, periods=OVER)

    async def standby(self, visit: Visit) -> Response:
        """What the policy's mode released that enforcing would not have, over a period that is chosen."""
        name, over = _name(visit), visit.request.query_params.get("over", "90d")
        chosen = chosen_period(over, self._pages.now())
        request = policy_pb2.GetStandbyRequest(policy=name)
        request.since.FromDatetime(chosen.since)
        request.until.FromDatetime(chosen.until)
        found = await self._service.GetStandby(request)
        policy = self._serving.policies.get(name)
        return self._pages.page(
            "standby.html",
            visit=visit,
            name=name,
            found=found,
            over=over,
            periods=OVER,
            mode=None if policy is None else policy.mode,
        )

    async def request(self, visit: Visit) -> Response:
        """The first of two people asks for the version in the folder, which they have read here."""
        fields = await visit.fields()
        answer = await self._service.RequestActivation(
            policy_pb2.RequestActivationRequest(
                idempotency_key=text_of(fields, "idempotency_key"),
                policy=_name(visit),
                content_hash=_hash(text_of(fields, "content_hash")),
            )
        )
        return JSONResponse({"entry": answer.receipt.index})

    async def approve(self, visit: Visit) -> Response:
        """The second, a safety officer, puts it in force."""
        fields = await visit.fields()
        answer = await self._service.ApproveActivation(
            policy_pb2.ApproveActivationRequest(
                idempotency_key=text_of(fields, "idempotency_key"),
                policy=_name(visit),
                content_hash=_hash(text_of(fields, "content_hash")),
            )
        )
        return JSONResponse({"entry": answer.receipt.index})

    def _row(self, standing: policy_pb2.ActivationStanding) -> Row:
        policy = self._serving.policies.get(standing.policy)
        if policy is not None and policy.hash.removeprefix("sha256:") != standing.active.hex():
            policy = None
        place = standing.policy or KNOWLEDGE_PLACE
        return Row(place, standing.policy or "Drug knowledge", standing, policy)

    def _loaded(self, name: str) -> LoadedPolicy | None:
        policies: Mapping[str, Policy] = self._serving.now.policies
        known = isinstance(policies, PolicySet) and name in policies
        return policies.loaded(name) if known and isinstance(policies, PolicySet) else None

    def _lying(self, name: str) -> LoadedPolicy | None:
        """What lies in the server's folder; None where nothing that loads does."""
        if name == KNOWLEDGE:
            return None
        try:
            return load_policy(self._folder / name)
        except (PolicyError, OSError):
            return None


def chosen_period(over: str, now: datetime) -> Period:
    """One of OVER until `now`; InvalidRequest for any other."""
    if over not in dict(OVER):
        raise InvalidRequest([("over", "must be one that there is")])
    return period(over, now)


def sign_off_words(policy: Policy) -> str:
    """Who signs, how many, and what they must be."""
    roles = _one_of(policy.sign_offs.roles)
    count = policy.sign_offs.count
    said = f"one {roles}" if count == 1 else f"{count} different people, each {roles}"
    if policy.sign_offs.blinded_second_read:
        return f"{said}, the second reads blind"
    skills = (f"{', '.join(one.findings)} also by {_one_of(one.roles)}" for one in policy.sign_offs.skills)
    return "; ".join([said, *skills])


def escalation_words(escalation: Escalation) -> str:
    """When what nobody decides on is escalated, and to whom."""
    said = f"escalated after {span(escalation.after_minutes * 60)} to {_one_of(escalation.to_roles)}"
    if (outside := escalation.outside_hours) is None:
        return said
    days = ", ".join(day.capitalize() for day in outside.days)
    holidays = f", except {len(outside.holidays)} days of holiday," if outside.holidays else ""
    return (
        f"{said}; outside {outside.begins} to {outside.ends} on {days}{holidays} ({outside.time_zone})"
        f" after {span(outside.after_minutes * 60)} to {_one_of(outside.to_roles)}"
    )


def _one_of(roles: Sequence[str]) -> str:
    return " or ".join(role.replace("_", " ") for role in roles)


def _event(message: policy_pb2.Activation) -> Event:
    return Event(
        what=_EVENTS.get(message.event, "changed"),
        version=message.version,
        content_hash=message.content_hash.hex(),
        who=message.actor.partition(":")[2],
        by=message.by.rpartition(":")[2].replace("_", " "),
        time=clock.stamp(message.time.ToDatetime(tzinfo=UTC)),
        index=message.entry_index,
    )


def _name(visit: Visit) -> str:
    name = str(visit.request.path_params["name"])
    return KNOWLEDGE if name == KNOWLEDGE_PLACE else name


def _hash(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise InvalidRequest([("content_hash", "must be hex digits")]) from None
