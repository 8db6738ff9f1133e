"""PolicyService: which versions of policies and knowledge the caller's tenant is served under."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import grpc
from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.policy.schema import Policy
from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.verify.activations import REGISTRY, version_of
from attending.server import clock, projections
from attending.server.activation.registry import Registry
from attending.server.activation.reload import Reloader
from attending.server.activation.serving import Serving
from attending.server.activation.standing import KNOWLEDGE, Standing, standing
from attending.server.app import App, Component, policies_folder
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest, NotFound
from attending.server.hazards import LiveHazards
from attending.server.practice.mark import Marks
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.receipts import receipt_message
from attending.server.simulation.period import Period
from attending.server.simulation.tally import SEVERITIES
from attending.server.standby import StandbyFigures
from attending.server.wire.violations import Violations
from attending.v1 import policy_pb2, policy_pb2_grpc
from sqlalchemy import select

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HASH_BYTES: Final = 32
_HAZARD_DAYS: Final = timedelta(days=90)
_MAX_EVENTS: Final = 1_000
_EVENTS: Final = {
    "version": policy_pb2.ACTIVATION_EVENT_REQUESTED,
    "activated": policy_pb2.ACTIVATION_EVENT_ACTIVATED,
    "retired": policy_pb2.ACTIVATION_EVENT_RETIRED,
}

A = TypeVar(
    "A",
    policy_pb2.RequestActivationResponse,
    policy_pb2.ApproveActivationResponse,
    policy_pb2.RetirePolicyResponse,
)


class PolicyService(policy_pb2_grpc.PolicyServiceServicer):
    """One instance a server, which the console calls too: a call from there has no context."""

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        reloader: Reloader,
        policies: Mapping[str, Policy],
        hazards: LiveHazards,
        standby: StandbyFigures,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._reloader = reloader
        self._policies = policies
        self._hazards = hazards
        self._standby = standby
        self._now = now

    async def RequestActivation(  # noqa: N802
        self, request: policy_pb2.RequestActivationRequest, context: Context | None = None
    ) -> policy_pb2.RequestActivationResponse:
        principal = current_principal()
        wanted = _wanted(request)
        call = await once_of(self._ledger, principal, request)
        found, index = await self._registry.request(principal, request.policy, wanted, call)
        return await self._moved(policy_pb2.RequestActivationResponse, principal.tenant, found, index)

    async def ApproveActivation(  # noqa: N802
        self, request: policy_pb2.ApproveActivationRequest, context: Context | None = None
    ) -> policy_pb2.ApproveActivationResponse:
        principal = current_principal()
        wanted = _wanted(request)
        call = await once_of(self._ledger, principal, request)
        found, index = await self._registry.approve(principal, request.policy, wanted, call)
        await self._reloader.look()
        return await self._moved(policy_pb2.ApproveActivationResponse, principal.tenant, found, index)

    async def RetirePolicy(  # noqa: N802
        self, request: policy_pb2.RetirePolicyRequest, context: Context | None = None
    ) -> policy_pb2.RetirePolicyResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(_NAME.fullmatch(request.policy)), "policy", "must be the name of a policy")
        v.raise_if_any()
        call = await once_of(self._ledger, principal, request)
        found, index = await self._registry.retire(principal, request.policy, call)
        return await self._moved(policy_pb2.RetirePolicyResponse, principal.tenant, found, index)

    async def ListActivations(  # noqa: N802
        self, request: policy_pb2.ListActivationsRequest, context: Context | None = None
    ) -> policy_pb2.ListActivationsResponse:
        tenant = current_principal().tenant
        if request.policy and not _NAME.fullmatch(request.policy):
            raise InvalidRequest([("policy", "must be the name of a policy")])
        try:
            until = clock.stamp(request.at.ToDatetime(tzinfo=UTC)) if request.HasField("at") else None
        except (ValueError, OverflowError):
            raise InvalidRequest([("at", "must be a time between the years 1 and 9999")]) from None
        names = [request.policy] if request.policy else [*await self._names(tenant), KNOWLEDGE]
        answer = policy_pb2.ListActivationsResponse()
        events: list[tuple[str, Entry]] = []
        for name in names:
            entries = await self._registry.entries(tenant, name)
            if request.policy and not entries and not await self._registry.knows(name):
                raise NotFound("UNKNOWN_POLICY")
            entries = [entry for entry in entries if until is None or entry.time <= until]
            answer.standings.append(await self._message(standing(name, entries)))
            events += [(name, entry) for entry in entries[-_MAX_EVENTS:]]
        events.sort(key=lambda event: event[1].index)
        answer.events.extend(_event(name, entry) for name, entry in events)
        return answer

    async def ListHazards(  # noqa: N802
        self, request: policy_pb2.ListHazardsRequest, context: Context | None = None
    ) -> policy_pb2.ListHazardsResponse:
        if not _NAME.fullmatch(request.policy):
            raise InvalidRequest([("policy", "must be the name of a policy")])
        try:
            until = request.until.ToDatetime(tzinfo=UTC) if request.HasField("until") else self._now()
            since = (
                request.since.ToDatetime(tzinfo=UTC) if request.HasField("since") else until - _HAZARD_DAYS
            )
            found = await self._hazards.of(current_principal().tenant, request.policy, since, until)
        except (ValueError, OverflowError):
            raise InvalidRequest([("since", "must be a time between the years 1 and 9999")]) from None
        answer = policy_pb2.ListHazardsResponse(outputs=found.outputs, recalled=found.recalled)
        answer.since.FromDatetime(since)
        answer.until.FromDatetime(until)
        for seen in found.seen:
            one = seen.hazard
            answer.hazards.add(
                id=one.id,
                hazard=one.hazard,
                cause=one.cause,
                rail=one.rail,
                codes=sorted(code.value for code in one.codes),
                residual_risk=one.residual_risk,
                cases=_share(Proportion(one.caught, one.cases)),
                reported=_share(seen.reported),
                stopped=_share(seen.stopped),
            )
        return answer

    async def GetStandby(  # noqa: N802
        self, request: policy_pb2.GetStandbyRequest, context: Context | None = None
    ) -> policy_pb2.GetStandbyResponse:
        v, minutes = Violations(), request.minutes_per_review
        v.check(bool(_NAME.fullmatch(request.policy)), "policy", "must be the name of a policy")
        v.check(math.isfinite(minutes) and 0 <= minutes <= 600, "minutes_per_review", "must be at most 600")
        v.raise_if_any()
        tenant = current_principal().tenant
        if not await self._registry.knows(request.policy) and request.policy not in await self._names(tenant):
            raise NotFound("UNKNOWN_POLICY")
        try:
            until = request.until.ToDatetime(tzinfo=UTC) if request.HasField("until") else self._now()
            since = (
                request.since.ToDatetime(tzinfo=UTC) if request.HasField("since") else until - _HAZARD_DAYS
            )
        except (ValueError, OverflowError):
            raise InvalidRequest([("since", "must be a time between the years 1 and 9999")]) from None
        if since >= until:
            raise InvalidRequest([("until", "must be after `since`")])
        found = await self._standby.of(tenant, request.policy, Period(since, until), minutes or None)
        answer = policy_pb2.GetStandbyResponse(
            outputs=found.outputs,
            passed=found.passed,
            looked_at=found.looked_at,
            would_hold=found.held,
            would_block=found.blocked,
            codes=_counts(found.codes.most_common()),
            severities=_counts((name, found.severities[name]) for name in SEVERITIES),
            hours_a_day=found.hours_a_day,
            minutes_per_review=None if found.minutes is None else round(found.minutes, 2),
            reviews=found.reviews,
            texts=[policy_pb2.StandbyText(inference_id=id_, would_be=would) for id_, would in found.ids],
        )
        answer.since.FromDatetime(since)
        answer.until.FromDatetime(until)
        return answer

    async def _moved(self, answer: type[A], tenant: str, found: Standing, index: int) -> A:
        """The answer to a move: how it stands now, and the receipt of its entry."""
        receipt = await receipt_message(self._ledger, tenant, index)
        return answer(standing=await self._message(found), receipt=receipt)

    async def _names(self, tenant: str) -> list[str]:
        """Every policy that the server has loaded, that a first start put in force, or that a call was made under."""
        table = projections.inference
        rows = await self._ledger.query(select(table.c.policy).where(table.c.log_id == tenant).distinct())
        first = await self._ledger.stream_entries(tenant, REGISTRY, 0, 1)
        installed = first[0].body.get("policies", {}) if first else {}
        return sorted({*self._policies, *(str(row[0]) for row in rows), *installed})

    async def _message(self, found: Standing) -> policy_pb2.ActivationStanding:
        loaded = self._registry.served.hash_of(found.name)
        in_folder = await self._registry.in_folder(found.name)
        return policy_pb2.ActivationStanding(
            policy=found.name,
            active=_bytes(found.active),
            version=found.version,
            requested=_bytes(found.requested),
            requested_by=found.request.actor if found.request is not None else "",
            loaded=_bytes(loaded),
            in_folder=_bytes(in_folder),
            loading=found.active is not None and found.active != loaded and self._reloader.running,
        )


def _wanted(request: Any) -> str:
    """The version that a request names, in hex; InvalidRequest with everything that is wrong."""
    v = begun(request)
    v.check(
        not request.policy or bool(_NAME.fullmatch(request.policy)),
        "policy",
        "must be the name of a policy, or empty for the drug knowledge",
    )
    v.check(len(request.content_hash) == _HASH_BYTES, "content_hash", f"must be {_HASH_BYTES} bytes")
    v.raise_if_any()
    wanted: str = request.content_hash.hex()
    return wanted


def _event(name: str, entry: Entry) -> policy_pb2.Activation:
    version = entry.body.get("version")
    message = policy_pb2.Activation(
        policy=name,
        event=_EVENTS[entry.type.partition(".")[2]],
        content_hash=_bytes(version_of(entry)),
        version=version if type(version) is int else 0,
        actor=entry.actor,
        by=str(entry.body.get("requested_by") or entry.body.get("by") or ""),
        entry_index=entry.index,
    )
    message.time.FromDatetime(clock.parse(entry.time))
    return message


def _counts(counts: Iterable[tuple[str, int]]) -> list[policy_pb2.StandbyCount]:
    return [policy_pb2.StandbyCount(name=name, outputs=outputs) for name, outputs in counts]


def _share(share: Proportion) -> policy_pb2.Share:
    low, high = share.interval
    return policy_pb2.Share(hits=share.hits, of=share.of, low=low, high=high)


def _bytes(digits: str | None) -> bytes:
    return bytes.fromhex(digits) if digits else b""


class PolicyComponent(Component):
    """PolicyService."""

    services = (policy_pb2.DESCRIPTOR.services_by_name["PolicyService"].full_name,)

    def __init__(self, service: PolicyService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        policy_pb2_grpc.add_PolicyServiceServicer_to_server(self._service, server)


async def build(app: App) -> PolicyComponent:
    """Needs Registry, Reloader, Serving and Marks."""
    service = PolicyService(
        app.ledger,
        app.part(Registry),
        app.part(Reloader),
        app.part(Serving).policies,
        LiveHazards(app.ledger, policies_folder(app.config), app.part(Marks)),
        StandbyFigures(app.ledger),
        app.now,
    )
    app.add(service)
    return PolicyComponent(service)
