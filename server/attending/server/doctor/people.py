"""Who is there: the identities of the configuration and those that were enrolled, less whom an officer revoked; and
what waits for somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attending.ledger.store.read_only import ReadOnlyStore
from attending.server import clock, projections
from attending.server.doctor.check import Finding, Site, green, warning
from attending.server.people.account import CONFIGURATION, CredentialKind, State

_ACCOUNT = projections.account.name
_CREDENTIAL = projections.account_credential.name
_EMERGENCY = projections.emergency_access.name
_KEY = projections.signing_key.name
_SHOWN = 5
"""Names in a line; the command shows all."""


@dataclass(frozen=True, slots=True)
class Person:
    """An identity in force. `signs` says whether it has a signing key; the moments are those from which it may not."""

    name: str
    human: bool
    roles: frozenset[str]
    signs: bool
    expires: datetime | None
    licence_expires: datetime | None
    competency_expires: datetime | None
    enrolled: bool
    """In the log by two people, and not by the configuration."""

    def there(self, moment: datetime) -> bool:
        return _before(moment, self.expires)

    def may_sign(self, moment: datetime) -> bool:
        """Whoever runs the server never does."""
        return (
            self.human
            and self.signs
            and "operator" not in self.roles
            and self.there(moment)
            and _before(moment, self.licence_expires)
            and _before(moment, self.competency_expires)
        )


def present(site: Site) -> dict[str, list[Person]]:
    """Tenant to its identities, whether their time is over or not. Raises as `Site.ledger`."""
    found: dict[str, list[Person]] = {tenant.name: [] for tenant in site.config.tenants}
    with site.ledger() as store:
        for tenant, people in found.items():
            accounts = [] if store is None else store.named_rows(_ACCOUNT, tenant)
            revoked = {row["name"] for row in accounts if row["state"] == State.REVOKED}
            passkeys = _with_passkeys(store, tenant) if store is not None and accounts else set()
            for one in site.config.identities:
                if one.tenant == tenant and one.name not in revoked:
                    people.append(
                        Person(
                            one.name,
                            one.kind == "human",
                            frozenset(one.roles),
                            one.signing_public_key is not None or one.name in passkeys,
                            one.expires,
                            one.licence_expires,
                            one.competency_expires,
                            enrolled=False,
                        )
                    )
            signing = passkeys | (_signing(store, tenant) if store is not None and accounts else set())
            for row in accounts:
                if row["source"] != CONFIGURATION and row["state"] == State.ACTIVE:
                    people.append(_of_row(row, signs=row["name"] in signing))
    return found


def awaiting(site: Site) -> Iterator[Finding]:
    """Identities and credentials that somebody enrolled and nobody has proofed: they open nothing yet."""
    waiting = 0
    with site.ledger() as store:
        for tenant in site.config.tenants if store is not None else ():
            assert store is not None
            names = {
                row["name"]
                for row in store.named_rows(_ACCOUNT, tenant.name)
                if row["pending"] and row["state"] != State.REVOKED
            }
            names |= {
                row["name"]
                for row in store.named_rows(_CREDENTIAL, tenant.name)
                if not row["proofed"] and not row["revoked"]
            }
            if names:
                waiting += 1
                yield warning(
                    "AWAITING_PROOF",
                    f"tenant `{tenant.name}`: {_names(sorted(names))} wait for an officer's proofing",
                    "attending user list --awaiting-proof, then attending user proof NAME",
                )
    if not waiting:
        yield green("nobody waits to be proofed")


def revoked(site: Site) -> Iterator[Finding]:
    """Identities that the configuration names and an officer has revoked: they stay out."""
    found = 0
    with site.ledger() as store:
        for tenant in site.config.tenants if store is not None else ():
            assert store is not None
            out = {
                row["name"]
                for row in store.named_rows(_ACCOUNT, tenant.name)
                if row["state"] == State.REVOKED
            }
            for one in site.config.identities:
                if one.tenant == tenant.name and one.name in out:
                    found += 1
                    yield warning(
                        "IDENTITY_REVOKED",
                        f"identity `{one.name}` is in the configuration and was revoked: it is let in nowhere",
                        f"take `{one.name}` out of the configuration; who returns gets a new name",
                    )
    if not found:
        yield green("the configuration names nobody who was revoked")


def emergencies(site: Site) -> Iterator[Finding]:
    """Emergency accesses whose review is overdue, and those that are open now."""
    now, found = clock.stamp(site.now()), 0
    with site.ledger() as store:
        for tenant in site.config.tenants if store is not None else ():
            assert store is not None
            rows = [row for row in store.named_rows(_EMERGENCY, tenant.name) if row["reviewed_at"] is None]
            overdue = [row["access_id"] for row in rows if row["review_due"] <= now]
            open_now = [row["access_id"] for row in rows if row["until"] > now and row["ended_at"] is None]
            if overdue:
                found += 1
                yield warning(
                    "EMERGENCY_REVIEW_OVERDUE",
                    f"tenant `{tenant.name}`: the review of {_names(sorted(overdue))} is overdue",
                    "attending emergency list --state overdue, then attending emergency review ID",
                )
            if open_now:
                found += 1
                yield warning(
                    "EMERGENCY_OPEN",
                    f"tenant `{tenant.name}`: emergency access is open now: {_names(sorted(open_now))}",
                    "attending emergency list",
                )
    if not found:
        yield green("none is open, and no review is overdue")


def _signing(store: ReadOnlyStore, tenant: str) -> set[str]:
    return {
        row["name"]
        for row in store.named_rows(_CREDENTIAL, tenant)
        if row["kind"] == CredentialKind.SIGNING_KEY and row["proofed"] and not row["revoked"]
    }


def _with_passkeys(store: ReadOnlyStore, tenant: str) -> set[str]:
    return {
        row["user"]
        for row in store.named_rows(_KEY, tenant)
        if row.get("credential_id") is not None and row["revoked_at"] is None
    }


def _of_row(row: dict[str, Any], *, signs: bool) -> Person:
    expires, licence, competency = (
        None if row[key] is None else clock.parse(row[key])
        for key in ("expires", "licence_expires", "competency_expires")
    )
    return Person(
        row["name"],
        row["kind"] == "human",
        frozenset(role for role in row["roles"].split(",") if role),
        signs,
        expires,
        licence,
        competency,
        enrolled=True,
    )


def _names(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _before(moment: datetime, ends: datetime | None) -> bool:
    return ends is None or moment < ends
