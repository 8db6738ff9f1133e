"""Questions to the authorisation policies: what they may be asked, exhaustively and as hypothesis strategies.

Actions and the kinds of resource that each applies to are read from the schema: a new action is asked about too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any, Final, Literal, Self

from attending.server.app import authorization_folder
from attending.server.auth.authorize import SCHEMA_FILE, PolicySet, Resource
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import ROLES, Kind, Principal
from attending.server.events.types import EXTERNAL_TYPES
from hypothesis import strategies as st

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCHEMA: Final = (authorization_folder() / SCHEMA_FILE).read_text()
ResourceType = Literal["Log", "ReviewItem", "EventType", "User", "EmergencyAccess"]

_APPLIES: Final = re.compile(
    r'action (?P<names>"\w+"(?:,\s*"\w+")*)[^;{]*?appliesTo\s*\{[^}]*resource:\s*(?P<types>\[[^\]]*\]|\w+)'
)
RESOURCES: Final[dict[str, tuple[ResourceType, ...]]] = {
    name: tuple(re.findall(r"\w+", found["types"]))
    for found in _APPLIES.finditer(re.sub(r"//.*", "", SCHEMA))
    for name in re.findall(r"\w+", found["names"])
}
"""Action to the types of resource that it applies to."""

PURPOSES: Final = (
    None,
    "TREAT",
    "ETREAT",
    "PATRQT",
    "HOPERAT",
    "HCOMPL",
    "HLEGAL",
    "HRESCH",
    "RECORDMGT",
    "CURIOSITY",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: may somebody with these roles do this? `own`: in their own tenant; `author`: of their own
    text, of what they made of an identity, or of their own emergency access; `themself`: of their own identity.
    """

    action: str
    resource: ResourceType
    kind: Kind = "human"
    roles: frozenset[str] = frozenset()
    licence: bool = True
    competency: bool = True
    own: bool = True
    author: bool = False
    author_may_sign: bool = False
    themself: bool = False
    emergency: bool = False
    event: str = "incident.opened"
    purpose: str | None = None

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def principal(self) -> Principal:
        past = NOW - timedelta(days=1)
        return Principal(
            name="someone",
            tenant="demo",
            kind=self.kind,
            roles=self.roles,
            display_name="Someone",
            credential="mtls",
            licence_expires=None if self.licence else past,
            competency_expires=None if self.competency else past,
            emergency="emg_1" if self.emergency else None,
        )

    def of(self, policies: PolicySet) -> AccessDecision:
        tenant = "demo" if self.own else "elsewhere"
        if self.resource == "ReviewItem":
            author = "someone" if self.author else "another"
            resource = Resource.review_item(
                "ticket", tenant=tenant, author=author, author_may_sign=self.author_may_sign
            )
        elif self.resource == "EventType":
            resource = Resource.event_type(tenant, self.event)
        elif self.resource == "User":
            resource = Resource.user(
                "someone" if self.themself else "another",
                tenant=tenant,
                authors=["someone" if self.author else "another"],
            )
        elif self.resource == "EmergencyAccess":
            user = "someone" if self.author else "another"
            resource = Resource.emergency("emg_1", tenant=tenant, user=user)
        else:
            resource = Resource.log(tenant)
        return policies.decide(self.principal(), self.action, resource, NOW, self.purpose)

    def case(self, decision: AccessDecision) -> str:
        """The line of cases.jsonl that expects this decision; its name wants better words."""
        who: dict[str, Any] = {
            "name": "someone",
            "kind": self.kind,
            "tenant": "demo",
            "roles": sorted(self.roles),
        }
        if not self.licence:
            who["licence_valid"] = False
        if not self.competency:
            who["competency_valid"] = False
        if self.emergency:
            who["emergency"] = True
        what: dict[str, Any] = {"type": self.resource, "tenant": "demo" if self.own else "elsewhere"}
        if self.resource == "ReviewItem":
            what |= {
                "author": "someone" if self.author else "another",
                "author_may_sign": self.author_may_sign,
            }
        if self.resource == "EventType":
            what["name"] = self.event
        if self.resource == "User":
            what["name"] = "someone" if self.themself else "another"
            what["authors"] = ["someone" if self.author else "another"]
        if self.resource == "EmergencyAccess":
            what["user"] = "someone" if self.author else "another"
        line: dict[str, Any] = {"name": "?", "principal": who, "action": self.action, "resource": what}
        if self.purpose is not None:
            line["purpose"] = self.purpose
        expected = {
            "allowed": decision.allowed,
            "policies": list(decision.policy_ids),
            "errors": decision.errors,
        }
        return json.dumps(line | expected)


def every() -> Iterator[Ask]:
    """Every action, for nobody, each role and each two roles, of both kinds, with what else a policy may ask about."""
    teams = [frozenset(team) for size in (0, 1, 2) for team in combinations(sorted(ROLES), size)]
    kinds: tuple[Kind, ...] = ("human", "app")
    for action, types in RESOURCES.items():
        for kind, roles, resource in product(kinds, teams, types):
            ask = Ask(action, resource, kind, roles)
            yield ask
            if len(roles) > 1:
                continue
            yield ask.but(licence=False)
            yield ask.but(competency=False)
            yield ask.but(own=False)
            yield ask.but(emergency=True)
            yield from (ask.but(purpose=purpose) for purpose in PURPOSES[1:])
            if resource == "ReviewItem":
                yield ask.but(author=True)
                yield ask.but(author=True, author_may_sign=True)
            if resource == "User":
                yield ask.but(author=True)
                yield ask.but(themself=True)
            if resource == "EmergencyAccess":
                yield ask.but(author=True)
            if resource == "EventType":
                yield from (ask.but(event=name) for name in EXTERNAL_TYPES)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """Any question, with any number of roles, unknown ones among them."""
    action = draw(st.sampled_from(sorted(RESOURCES)))
    roles = st.one_of(
        st.sampled_from(sorted(ROLES)), st.sampled_from(["janitor", "root", "Operator", "app "])
    )
    return Ask(
        action=action,
        resource=draw(st.sampled_from(RESOURCES[action])),
        kind=draw(st.sampled_from(["human", "app"])),
        roles=draw(st.frozensets(roles, max_size=5)),
        licence=draw(st.booleans()),
        competency=draw(st.booleans()),
        own=draw(st.sampled_from([True, True, True, False])),
        author=draw(st.booleans()),
        author_may_sign=draw(st.booleans()),
        themself=draw(st.booleans()),
        emergency=draw(st.booleans()),
        event=draw(st.sampled_from(sorted(EXTERNAL_TYPES))),
        purpose=draw(st.sampled_from(PURPOSES)),
    )
