"""Who may call and sign: what has run out, and which duty nobody can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from attending.server.app import policies_folder
from attending.server.config import IdentitySection
from attending.server.doctor.check import SOON_DAYS, Finding, Site, green, red, warning

DUTIES: Final = {
    "auditor": "nobody can read entries and export evidence",
    "privacy_officer": "nobody can answer, hold or erase what is stored about a person",
    "safety_officer": "nobody sees what was blocked and held",
    "operator": "nobody can change prompts",
}
"""Roles that a tenant should have, and what is missing without one."""


def expiry(site: Site) -> Iterator[Finding]:
    """Identities, licences and competencies that have run out, or are about to."""
    now, found = site.now(), 0
    for one in site.config.identities:
        keys = [
            (f"service key `{key.prefix}` of", "SERVICE_KEY", key.expires, "it is not accepted")
            for key in one.service_keys
        ]
        for what, reason, ends, loss in (
            ("identity", "IDENTITY", one.expires, "no credential of it is accepted"),
            ("licence of", "LICENCE", one.licence_expires, "they may not sign"),
            ("competency of", "COMPETENCY", one.competency_expires, "they may not sign"),
            *keys,
        ):
            if ends is None or ends - now >= timedelta(days=SOON_DAYS):
                continue
            found += 1
            if ends <= now:
                yield warning(
                    f"{reason}_EXPIRED",
                    f"{what} `{one.name}` ran out on {ends:%Y-%m-%d}: {loss}",
                    f"renew it with a new date, or take `{one.name}` out of the configuration",
                )
            else:
                yield warning(
                    f"{reason}_EXPIRES",
                    f"{what} `{one.name}` runs out on {ends:%Y-%m-%d}",
                    f"renew it, and set the new date of `{one.name}`",
                )
    if not found:
        yield green(f"{len(site.config.identities)} identities, none runs out within {SOON_DAYS} days")


def signers(site: Site) -> Iterator[Finding]:
    """For every policy there are enough people who can sign, in each tenant that has an application."""
    from attending.guardrails.policy.load import PolicySet

    policies = PolicySet.load(policies_folder(site.config))
    now = site.now()
    for tenant in (one.name for one in site.config.tenants):
        own = [one for one in site.config.identities if one.tenant == tenant]
        lacking = 0
        for name, policy in sorted(policies.items()):
            roles, count = set(policy.sign_offs.roles), policy.sign_offs.count
            able = [one.name for one in own if roles & set(one.roles) and may_sign(one, now)]
            if len(able) < count:
                lacking += 1
                yield red(
                    "NO_SIGNER",
                    f"tenant `{tenant}`: policy `{name}` needs {count} of {', '.join(sorted(roles))}, and "
                    f"{len(able)} can sign: what it holds is never released",
                    "attending keys signing --out NAME.pem, then an [[identities]] with that role and "
                    "`signing_public_key`",
                )
            elif len(able) == count:
                lacking += 1
                yield warning(
                    "NO_SECOND_SIGNER",
                    f"tenant `{tenant}`: policy `{name}` needs {count}, and {len(able)} can sign: what one of them "
                    "asked for and has a major finding, nobody may sign",
                    "attending keys signing --out NAME.pem, then one more [[identities]] with "
                    "`signing_public_key`",
                )
        if not lacking:
            yield green(f"tenant `{tenant}`: every policy has those who can sign")


def duties(site: Site) -> Iterator[Finding]:
    """Each tenant has somebody for each duty, and applications that may call."""
    now = site.now()
    for tenant in (one.name for one in site.config.tenants):
        own = [one for one in site.config.identities if one.tenant == tenant and _in_force(one.expires, now)]
        missing = [role for role in DUTIES if not any(role in one.roles for one in own)]
        for role in missing:
            yield warning(
                "NO_ONE_FOR_ROLE",
                f"tenant `{tenant}` has no `{role}`: {DUTIES[role]}",
                f"add an [[identities]] of kind human with role `{role}`",
            )
        if not any(one.kind == "app" for one in own):
            yield warning(
                "NO_APPLICATION",
                f"tenant `{tenant}` has no application: nothing can be submitted",
                "attending keys token --out APP.token, then an [[identities]] of kind app",
            )
        yield from _alone(tenant, own)
        if not missing:
            yield green(f"tenant `{tenant}`: {len(own)} identities, every duty has somebody")


def may_sign(one: IdentitySection, now: datetime) -> bool:
    """Whether the configuration lets this person sign now; who runs the server never does."""
    return (
        one.kind == "human"
        and one.signing_public_key is not None
        and "operator" not in one.roles
        and _in_force(one.expires, now)
        and _in_force(one.licence_expires, now)
        and _in_force(one.competency_expires, now)
    )


def _alone(tenant: str, own: Sequence[IdentitySection]) -> Iterator[Finding]:
    """One person with two duties that watch each other."""
    for one in own:
        if "operator" in one.roles and {"auditor", "privacy_officer", "safety_officer"} & set(one.roles):
            yield warning(
                "DUTIES_NOT_APART",
                f"tenant `{tenant}`: `{one.name}` runs the server and oversees it",
                f"give `{one.name}` one of both, and the other to somebody else",
            )


def _in_force(ends: datetime | None, now: datetime) -> bool:
    return ends is None or now < ends
