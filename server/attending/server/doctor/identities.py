"""Who may call and sign: what has run out, and which duty nobody can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from attending.server.app import policies_folder
from attending.server.doctor.check import SOON_DAYS, Finding, Site, green, red, warning
from attending.server.doctor.people import Person, present

DUTIES: Final = {
    "auditor": "nobody can read entries and export evidence",
    "privacy_officer": "nobody can answer, hold or erase what is stored about a person",
    "safety_officer": "nobody sees what was blocked and held",
    "operator": "nobody can enrol people or change prompts",
}
"""Roles that a tenant should have, and what is missing without one."""
OFFICERS: Final = frozenset({"privacy_officer", "safety_officer"})
"""Who proofs what an operator enrolled, and reviews emergency access (docs/enrolment.md)."""
_ENROL: Final = "attending user enrol NAME --role"


def expiry(site: Site) -> Iterator[Finding]:
    """Identities, licences, competencies and service keys that have run out, or are about to."""
    now, found = site.now(), 0
    configured = "set its new date in the configuration, or take it out"
    for one in site.config.identities:
        for key in one.service_keys:
            for finding in _ends(
                f"service key `{key.prefix}` of `{one.name}`", "SERVICE_KEY", key.expires, now, configured
            ):
                found += 1
                yield finding
    people = present(site)
    for person in (one for own in people.values() for one in own):
        renew = f"{_ENROL} ... again with a new date" if person.enrolled else configured
        for what, reason, ends in (
            ("identity", "IDENTITY", person.expires),
            ("licence of", "LICENCE", person.licence_expires),
            ("competency of", "COMPETENCY", person.competency_expires),
        ):
            for finding in _ends(f"{what} `{person.name}`", reason, ends, now, renew):
                found += 1
                yield finding
    if not found:
        count = sum(len(own) for own in people.values())
        yield green(f"{count} identities, none runs out within {SOON_DAYS} days")


def _ends(what: str, reason: str, ends: datetime | None, now: datetime, renew: str) -> Iterable[Finding]:
    if ends is None or ends - now >= timedelta(days=SOON_DAYS):
        return ()
    if ends <= now:
        return (warning(f"{reason}_EXPIRED", f"{what} ran out on {ends:%Y-%m-%d}", renew),)
    return (warning(f"{reason}_EXPIRES", f"{what} runs out on {ends:%Y-%m-%d}", renew),)


def signers(site: Site) -> Iterator[Finding]:
    """For every policy there are enough people who can sign, in each tenant that has an application."""
    from attending.guardrails.policy.load import PolicySet
    from attending.server.review.reads import BLINDED_READS

    policies = PolicySet.load(policies_folder(site.config))
    now = site.now()
    for tenant, own in present(site).items():
        lacking = 0
        for name, policy in sorted(policies.items()):
            roles, count = set(policy.sign_offs.roles), policy.sign_offs.count
            able = [one.name for one in own if roles & one.roles and one.may_sign(now)]
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
                blind = policy.sign_offs.blinded_second_read and count == BLINDED_READS
                judged = "; where two readers disagree, nobody may judge" if blind else ""
                yield warning(
                    "NO_SECOND_SIGNER",
                    f"tenant `{tenant}`: policy `{name}` needs {count}, and {len(able)} can sign: what one of them "
                    f"asked for and has a major finding, nobody may sign{judged}",
                    "attending keys signing --out NAME.pem, then one more [[identities]] with "
                    "`signing_public_key`",
                )
            for wanted in sorted({skill.roles for skill in policy.sign_offs.skills}):
                if not any(set(wanted) & one.roles and one.may_sign(now) for one in own):
                    lacking += 1
                    yield red(
                        "NO_SKILLED_SIGNER",
                        f"tenant `{tenant}`: findings of policy `{name}` want a {' or '.join(wanted)}, and nobody "
                        "can sign as one: what has such a finding is never released",
                        "attending keys signing --out NAME.pem, then an [[identities]] with that role and "
                        "`signing_public_key`",
                    )
        if not lacking:
            yield green(f"tenant `{tenant}`: every policy has those who can sign")


def duties(site: Site) -> Iterator[Finding]:
    """Each tenant has somebody for each duty, and applications that may call."""
    now = site.now()
    for tenant, people in present(site).items():
        own = [one for one in people if one.there(now)]
        missing = [role for role in DUTIES if not any(role in one.roles for one in own)]
        for role in missing:
            yield warning(
                "NO_ONE_FOR_ROLE",
                f"tenant `{tenant}` has no `{role}`: {DUTIES[role]}",
                f"add an [[identities]] of kind human with role `{role}`",
            )
        if all(one.human for one in own):
            yield warning(
                "NO_APPLICATION",
                f"tenant `{tenant}` has no application: nothing can be submitted",
                "attending keys token --out APP.token, then an [[identities]] of kind app",
            )
        yield from _alone(tenant, own)
        if not missing:
            yield green(f"tenant `{tenant}`: {len(own)} identities, every duty has somebody")


def _alone(tenant: str, own: Sequence[Person]) -> Iterator[Finding]:
    """One person with two duties that watch each other, and nobody else to be the second."""
    operators = {one.name for one in own if "operator" in one.roles}
    officers = {one.name for one in own if OFFICERS & one.roles}
    if operators and officers and len(operators | officers) < 2:
        yield warning(
            "TWO_PEOPLE_IMPOSSIBLE",
            f"tenant `{tenant}`: operator and officers are one person, and nobody proofs whom they enrolled themself: "
            "nobody can be enrolled while the server runs",
            "add an [[identities]] of kind human with role `safety_officer`",
        )
    for one in own:
        if "operator" in one.roles and {"auditor", *OFFICERS} & one.roles:
            yield warning(
                "DUTIES_NOT_APART",
                f"tenant `{tenant}`: `{one.name}` runs the server and oversees it",
                f"give `{one.name}` one of both, and the other to somebody else",
            )
