"""May this principal do that to this? Cedar policies, validated when loaded, denied by default.

Nothing here fails open: a policy that cannot be evaluated, a request that does not fit the schema or an
evaluation that raises is a denial. Every denial of a call becomes an `access.denied` entry of the tenant's log.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import cedarpy
import structlog
from attending.ledger.examination import SELF_APPROVAL
from attending.server import clock
from attending.server.auth.context import AccessDecision, current_principal, permitted
from attending.server.auth.principal import Principal
from attending.server.errors import ConfigurationError, PermissionDenied

log = structlog.get_logger()

POLICY_FILE: Final = "attending.cedar"
SCHEMA_FILE: Final = "attending.cedarschema"

Record = Callable[[Principal, AccessDecision], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Resource:
    """What the action is done to: a tenant's log, one held text with what the policies ask about it, a type of events
    from outside, an identity of the tenant, or one emergency access.
    """

    type: Literal["Log", "ReviewItem", "EventType", "User", "EmergencyAccess"]
    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def log(cls, tenant: str) -> Resource:
        return cls("Log", tenant, {"tenant": tenant})

    @classmethod
    def review_item(
        cls, ticket_id: str, *, tenant: str, author: str | None, author_may_sign: bool
    ) -> Resource:
        """`author` is the person on whose behalf the text was asked for, by identity name; None if unknown."""
        attributes: dict[str, Any] = {"tenant": tenant, "author_may_sign": author_may_sign}
        if author is not None:
            attributes["author"] = author
        return cls("ReviewItem", ticket_id, attributes)

    @classmethod
    def event_type(cls, tenant: str, name: str) -> Resource:
        """A type of events, such as `incident.opened`, in a tenant's log."""
        return cls("EventType", name, {"tenant": tenant, "name": name})

    @classmethod
    def user(cls, name: str, *, tenant: str, authors: Iterable[str] = ()) -> Resource:
        """An identity of the tenant, there or not. `authors` made what of it is pending, by identity name."""
        return cls("User", name, {"tenant": tenant, "name": name, "authors": sorted(authors)})

    @classmethod
    def emergency(cls, access_id: str, *, tenant: str, user: str) -> Resource:
        """An emergency access and whose it is, by identity name."""
        return cls("EmergencyAccess", access_id, {"tenant": tenant, "user": user})


class PolicySet:
    """The parsed and validated policies with their schema. Immutable; any task or thread may ask it."""

    def __init__(self, policies: str, schema: str) -> None:
        """Raises ValueError (the parser's or validator's words; policies hold no personal content)."""
        self.content_hash = "sha256:" + hashlib.sha256(f"{policies}\0{schema}".encode()).hexdigest()
        self._schema = cedarpy.Schema.from_str(schema)
        result = cedarpy.validate_policies(policies, schema)
        if not result.validation_passed:
            raise ValueError("; ".join(str(error) for error in result.errors))
        self._policies = cedarpy.PolicySet.from_str(policies)

    @classmethod
    def load(cls, folder: Path) -> PolicySet:
        """The policies of `folder`; ConfigurationError when they are missing or do not validate."""
        try:
            return cls(
                (folder / POLICY_FILE).read_text(encoding="utf-8"),
                (folder / SCHEMA_FILE).read_text(encoding="utf-8"),
            )
        except OSError as err:
            name = Path(str(err.filename)).name
            raise ConfigurationError(
                f"authorisation policies: `{name}` in `{folder}` cannot be read",
                "set `policies.authorization` to a folder with `attending.cedar` and `attending.cedarschema`",
                reason="AUTHORIZATION_POLICIES",
            ) from err
        except ValueError as err:
            raise ConfigurationError(
                f"authorisation policies in `{folder}` are not valid: {err}",
                "correct the policy named above; nothing starts with policies that do not validate",
                reason="AUTHORIZATION_POLICIES",
            ) from err

    def decide(
        self,
        principal: Principal,
        action: str,
        resource: Resource,
        moment: datetime,
        purpose: str | None = None,
    ) -> AccessDecision:
        """The decision on one action; anything unusual is a denial with `errors` above zero.

        `purpose` is the HL7 code of the purpose of use, None while it is not known or there is none.
        """
        kind = "Application" if principal.kind == "app" else "Person"
        request = {
            "principal": {"type": f"Attending::{kind}", "id": principal.name},
            "action": {"type": "Attending::Action", "id": action},
            "resource": {"type": f"Attending::{resource.type}", "id": resource.id},
            "context": {
                "credential": principal.credential,
                "licence_valid": principal.licence_valid(moment),
                "competency_valid": principal.competency_valid(moment),
                "emergency": principal.emergency is not None,
            }
            | ({} if purpose is None else {"purpose": purpose}),
        }
        entities = [
            {
                "uid": request["principal"],
                "attrs": {"name": principal.name, "tenant": principal.tenant},
                "parents": [{"type": "Attending::Role", "id": role} for role in sorted(principal.roles)],
            },
            {"uid": request["resource"], "attrs": dict(resource.attributes), "parents": []},
        ]
        try:
            result = cedarpy.is_authorized(request, self._policies, entities, self._schema)
        except Exception as err:
            log.error("auth.evaluation_failed", action=action, error_type=type(err).__name__)
            return AccessDecision(False, action, (), 1, purpose)
        names = result.diagnostics.id_annotations_by_reason
        ids = tuple(sorted(names.get(reason, reason) for reason in result.diagnostics.reasons))
        errors = len(result.diagnostics.errors)
        return AccessDecision(result.allowed and errors == 0, action, ids, errors, purpose)


class Authorizer:
    """Decides, and records what it denied."""

    def __init__(
        self,
        policies: PolicySet,
        record_denial: Record,
        now: Callable[[], datetime] = clock.now,
        record_emergency: Record | None = None,
    ) -> None:
        """`record_emergency` puts on record a call that was let in while its caller has emergency access."""
        self._policies = policies
        self._record_denial = record_denial
        self._record_emergency = record_emergency
        self._now = now

    @property
    def content_hash(self) -> str:
        """Hash of the policies and schema in force."""
        return self._policies.content_hash

    def authorize(self, principal: Principal, action: str, resource: Resource) -> AccessDecision:
        """The decision alone: nothing is recorded, for asking what a screen may offer."""
        return self._policies.decide(principal, action, resource, self._now())

    async def enter(self, action: str, resource: Resource, principal: Principal) -> AccessDecision:
        """`require` for a call as a whole. During emergency access the call is on record when this returns, and not let
        in when it cannot be: then this raises the ledger's errors.
        """
        decision = await self.require(action, resource, principal)
        if principal.emergency is not None and self._record_emergency is not None:
            await self._record_emergency(principal, decision)
        return decision

    async def require(
        self,
        action: str,
        resource: Resource,
        principal: Principal | None = None,
        *,
        purpose: str | None = None,
    ) -> AccessDecision:
        """The decision that permits the current caller (or `principal`); PermissionDenied otherwise.

        A denial is recorded before it is answered. When it cannot be recorded, it is still a denial.
        """
        who = principal or current_principal()
        decision = self._policies.decide(who, action, resource, self._now(), purpose)
        if decision.allowed:
            permitted(decision)
            return decision
        log.warning(
            "auth.denied",
            action=action,
            principal=who.name,
            tenant=who.tenant,
            policy_ids=list(decision.policy_ids),
        )
        await self._denied(who, decision)
        raise PermissionDenied(metadata={"action": action})

    async def misused(self, principal: Principal, action: str, reason: str) -> None:
        """Puts on record that a call which the policies permit gave wrong what only its rightful holder can give: a
        signature that does not verify (21 CFR 11.300(d)). Never raises: the call is refused anyhow.
        """
        log.warning(
            "auth.misused", action=action, principal=principal.name, tenant=principal.tenant, reason=reason
        )
        await self._denied(principal, AccessDecision(False, action, refused=reason))

    async def self_approval(self, principal: Principal, action: str, refused: PermissionDenied) -> None:
        """Puts on record that somebody would have been their own second person; nothing for another refusal. Called
        where a call ends, so that no service can forget it. Never raises.
        """
        if refused.reason in SELF_APPROVAL:
            await self.misused(principal, action, refused.reason)

    async def _denied(self, who: Principal, decision: AccessDecision) -> None:
        try:
            # Shielded: hanging up does not keep a denial out of the log.
            await asyncio.shield(asyncio.ensure_future(self._record_denial(who, decision)))
        except Exception as err:
            log.error("auth.denial_not_recorded", action=decision.action, error_type=type(err).__name__)
