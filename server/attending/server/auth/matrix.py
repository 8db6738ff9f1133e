"""Which role may do what, worked out from the authorisation policies: docs/access.md, `attending policy matrix`.

Each role by itself, in its own tenant, with a valid licence, asking about its tenant's log; then what a second role
takes away. What depends on the thing itself (who asked for a text, which event) is asked for besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from attending.server import clock
from attending.server.auth.actions import (
    ACTIONS,
    APPEND_EVENT,
    DISCLOSE_PAYLOADS,
    PAGES,
    PUBLIC_PREFIXES,
    REPORT_ON_PERSON,
)
from attending.server.auth.authorize import PolicySet, Resource
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import APP_ROLES, HUMAN_ROLES, Kind, Principal
from attending.server.events.types import EXTERNAL_TYPES

ROLE_ORDER: Final = (*sorted(APP_ROLES), *sorted(HUMAN_ROLES))
_TENANT: Final = "tenant"

_HEAD: Final = """# Who may do what

Worked out from this version's authorisation policies: each role by itself, in its own tenant, with a valid licence.
What no policy permits is denied; one `forbid` outweighs every `permit`; nothing crosses a tenant. Policies, and what is
recorded of each decision, are explained in [policies/authorization](../policies/authorization/README.md). Every role of
a tenant, of another one and of none makes every call over the wire in `tests/e2e/test_tenancy.py`.

This page is made by `attending policy matrix`; with `--policies FOLDER` it prints that of other policies.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One action with the decision on it for each role; `call` is how it is asked for."""

    call: str
    action: str
    decisions: Mapping[str, AccessDecision]

    def to_json(self) -> dict[str, Any]:
        return {
            "call": self.call,
            "action": self.action,
            "roles": {
                role: {"allowed": decision.allowed, "policies": list(decision.policy_ids)}
                for role, decision in self.decisions.items()
            },
        }


def rows(policies: PolicySet) -> Iterator[Row]:
    """Every rpc, every page, and what is asked for besides."""
    log = Resource.log(_TENANT)
    for method, action in ACTIONS.items():
        yield _row(policies, method.removeprefix("/attending.v1."), action, log)
    for path, kinds in PAGES.items():
        for kind, action in kinds.items():
            yield _row(policies, f"GET {path} ({kind})", action, log)
    yield _row(policies, "ReportService/Export with payloads", DISCLOSE_PAYLOADS, log)
    yield _row(policies, "ReportService/CreateReport, DownloadReport about one person", REPORT_ON_PERSON, log)
    for name in EXTERNAL_TYPES:
        resource = Resource.event_type(_TENANT, name)
        yield _row(policies, f"event {name}", APPEND_EVENT, resource)


def taken_away(policies: PolicySet) -> Iterator[tuple[str, str, list[str], tuple[str, ...]]]:
    """(role, role, actions that one of them may do and both together may not, the policies that forbid it)."""
    log = Resource.log(_TENANT)
    for one, two in combinations(sorted(HUMAN_ROLES), 2):
        lost: dict[tuple[str, ...], list[str]] = {}
        for action in (*ACTIONS.values(), DISCLOSE_PAYLOADS, REPORT_ON_PERSON):
            alone = any(_decide(policies, [role], action, log).allowed for role in (one, two))
            both = _decide(policies, [one, two], action, log)
            if alone and not both.allowed:
                lost.setdefault(both.policy_ids, []).append(action)
        for ids, actions in lost.items():
            yield one, two, actions, ids


def markdown(policies: PolicySet) -> str:
    """The page."""
    found = list(rows(policies))
    events = [row for row in found if row.action == APPEND_EVENT]
    calls = [row for row in found if row.action != APPEND_EVENT]
    parts = [_HEAD, "## Calls\n", *_table("call", calls)]
    parts += [
        f"\nWithout a credential: {_ticked(prefix.strip('/') for prefix in PUBLIC_PREFIXES)} (reflection in the",
        "embedded mode only), and checkpoints and tiles of the logs where `http.public_tiles` is set.\n",
        "## Events from outside\n",
        f"Each type is asked for by itself (`{APPEND_EVENT}`), besides the call.\n",
        *_table("event", events),
        "\n## By which policies\n",
        *_deciding(calls),
        "\n## What a second role takes away\n",
        "Somebody with both roles may not do what one of them alone could: duties that are kept apart.\n",
        "| roles | may not | forbidden by |",
        "|---|---|---|",
    ]
    parts += [
        f"| `{one}`, `{two}` | {_ticked(actions)} | {_ticked(ids)} |"
        for one, two, actions, ids in taken_away(policies)
    ]
    return "\n".join(parts) + "\n"


def _row(policies: PolicySet, call: str, action: str, resource: Resource) -> Row:
    return Row(call, action, {role: _decide(policies, [role], action, resource) for role in ROLE_ORDER})


def _decide(policies: PolicySet, roles: list[str], action: str, resource: Resource) -> AccessDecision:
    kind: Kind = "app" if APP_ROLES & set(roles) else "human"
    who = Principal("somebody", _TENANT, kind, frozenset(roles), "Somebody", "mtls")
    return policies.decide(who, action, resource, clock.now())


def _table(what: str, found: Iterable[Row]) -> Iterator[str]:
    yield f"| {what} | " + " | ".join(role.replace("_", " ") for role in ROLE_ORDER) + " |"
    yield "|---" + "|:-:" * len(ROLE_ORDER) + "|"
    for row in found:
        cells = ("yes" if row.decisions[role].allowed else "" for role in ROLE_ORDER)
        yield f"| {row.call.removeprefix('event ')} | " + " | ".join(cells) + " |"


def _deciding(found: Iterable[Row]) -> Iterator[str]:
    """Each action once, with the ids that are recorded when it is permitted or forbidden."""
    yield "| action | permitted by | forbidden to some role by |"
    yield "|---|---|---|"
    seen = set()
    for row in found:
        if row.action in seen:
            continue
        seen.add(row.action)
        permits = {p for one in row.decisions.values() if one.allowed for p in one.policy_ids}
        forbids = {p for one in row.decisions.values() if not one.allowed for p in one.policy_ids}
        yield f"| `{row.action}` | {_ticked(sorted(permits))} | {_ticked(sorted(forbids))} |"


def _ticked(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
