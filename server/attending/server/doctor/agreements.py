"""What permits personal data to reach a provider, and how long texts are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from attending.ledger.custody.retention import Start
from attending.ledger.entry import ENTRY_TYPES
from attending.server.doctor.check import SOON_DAYS, Finding, Site, green, red, warning
from attending.server.providers.terms import within


def agreements(site: Site) -> Iterator[Finding]:
    """Each provider outside has an agreement that is in force (45 CFR 164.308(b))."""
    now, looked = site.now(), 0
    for provider in site.config.providers:
        if provider.kind != "openai":
            continue
        looked += 1
        ends = provider.phi_agreement_expires
        if provider.phi_agreement is None:
            yield warning(
                "NO_AGREEMENT",
                f"provider `{provider.name}` has no agreement: it is sent text with replaced identifiers only",
                f"sign one, and set `phi_agreement` of `{provider.name}` to its reference",
            )
        elif ends is not None and ends <= now:
            yield red(
                "AGREEMENT_EXPIRED",
                f"the agreement with provider `{provider.name}` ran out on {ends:%Y-%m-%d}",
                f"renew it, and set `phi_agreement` and `phi_agreement_expires` of `{provider.name}`",
            )
        elif ends is not None and ends - now < timedelta(days=SOON_DAYS):
            yield warning(
                "AGREEMENT_EXPIRES",
                f"the agreement with provider `{provider.name}` runs out on {ends:%Y-%m-%d}",
                f"renew it, and set `phi_agreement_expires` of `{provider.name}`",
            )
        else:
            until = f" until {ends:%Y-%m-%d}" if ends is not None else ", no end configured"
            yield green(f"`{provider.name}`: in force{until}")
    if not looked:
        yield green("no provider outside this machine")


def residency(site: Site) -> Iterator[Finding]:
    """Each tenant that says where its data may be has a provider that keeps it there."""
    providers = site.config.providers
    for tenant in site.config.tenants:
        if not tenant.allowed_residency:
            continue
        out = [
            one.name
            for one in providers
            if one.kind == "openai" and not within(one.residency, tenant.allowed_residency)
        ]
        if out and len(out) == len(providers):
            yield red(
                "NO_PROVIDER_PERMITTED",
                f"tenant `{tenant.name}`: no provider keeps data only where it may be",
                "set `residency` of a provider, or `allowed_residency` of the tenant (docs/phi.md)",
            )
        elif out:
            yield warning(
                "RESIDENCY_NOT_PERMITTED",
                f"tenant `{tenant.name}` is refused {', '.join(f'`{name}`' for name in out)}: they keep data "
                "elsewhere, or do not say where",
                "set `residency` of that provider where it is missing (docs/phi.md)",
            )
        else:
            yield green(
                f"tenant `{tenant.name}`: every provider lies within {', '.join(tenant.allowed_residency)}"
            )
    if not any(tenant.allowed_residency for tenant in site.config.tenants):
        yield green("no tenant says where its data may be")


def retention(site: Site) -> Iterator[Finding]:
    """The rules of retention: what they cover, and that none is without effect."""
    rules = [section.rule for section in site.config.storage.retention]
    if not rules:
        yield green("no rule: nothing is ever pruned")
        return
    covered = {kind for kind in ENTRY_TYPES if any(rule.matches(kind) for rule in rules)}
    for rule in rules:
        own = {kind for kind in ENTRY_TYPES if rule.matches(kind)}
        # The longest of those that match wins; a rule that never does says less than its reader believes.
        longer = [
            other
            for other in rules
            if other.days > rule.days and other.starts in (rule.starts, Start.POLICY_RETIRED)
        ]
        if own and all(any(other.matches(kind) for other in longer) for kind in own):
            yield warning(
                "RETENTION_RULE_IDLE",
                f"the rule for `{rule.entries}` ({rule.days} days) has no effect: longer ones cover all of it",
                "take it out of `storage.retention`, or shorten the others",
            )
    shortest = min(rule.days for rule in rules)
    yield green(f"{len(rules)} rules, the shortest {shortest:,} days, for {len(covered)} types of entries")
