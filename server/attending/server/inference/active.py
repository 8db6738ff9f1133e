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
        if policy.streaming.text:
            raise ConfigurationError(
                f"policy `{policy.name}` asks for `streaming.text`, which this version does not do",
                "set it to false; text is released whole",
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
