"""What a server starts with: policies it can keep, and what is in force at a tenant's first start."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from attending.guardrails.policy.load import PolicySet
from attending.server.activation.registry import Registry
from attending.server.errors import ConfigurationError

log = structlog.get_logger()


def require_supported(policies: PolicySet) -> None:
    """Raises ConfigurationError for a policy that asks for something this version would silently not do."""
    for policy in policies.values():
        asked = [
            name
            for name, wanted in (
                ("streaming.text", policy.streaming.text),
                ("sign_offs.blinded_second_read", policy.sign_offs.blinded_second_read),
            )
            if wanted
        ]
        if asked:
            raise ConfigurationError(
                f"policy `{policy.name}` asks for `{'`, `'.join(asked)}`, which this version does not do",
                "set it to false; text is released whole, and every signer sees the same",
                reason="POLICY_NOT_SUPPORTED",
            )


async def record_active(registry: Registry, tenants: Iterable[str], owner: str, installed_by: str) -> None:
    """Puts in force what a tenant's first start finds, and says of what every later start may not serve."""
    for tenant in tenants:
        if await registry.bootstrap(tenant, owner, installed_by):
            log.warning("policy.bootstrapped", tenant=tenant)
            continue
        for name in await registry.pending(tenant):
            log.error("policy.not_activated", tenant=tenant, policy=name or "knowledge")
