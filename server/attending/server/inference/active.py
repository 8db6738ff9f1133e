"""What governs this server, as entries: each tenant's log says from when which policy and knowledge were in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Policy
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server.errors import ConfigurationError


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


def not_acted_on(policy: Policy) -> list[str]:
    """Settings of a policy that are recorded with its hash and that nothing acts on yet."""
    settings = {
        "sampling": policy.sampling.released_percent > 0,
        "escalation": policy.escalation is not None,
    }
    return sorted(name for name, given in settings.items() if given)


async def record_active(
    ledger: Ledger,
    tenants: Iterable[str],
    policies: PolicySet,
    knowledge_hash: str,
    owner: str,
    now: Callable[[], datetime],
) -> None:
    """Appends `policy.activated` and `knowledge.activated` where the last such entry names another hash."""
    for tenant in tenants:
        for policy in policies.values():
            body = {
                "name": policy.name,
                "version": policy.version,
                "policy_hash": policy.hash.removeprefix("sha256:"),
                "mode": policy.mode,
                "by": "configuration",
                "not_acted_on": not_acted_on(policy),
                # What holds for payloads made under this version, also when it is long gone from the disk.
                "retention": {
                    "payload_days": policy.retention.payload_days,
                    "starts": policy.retention.starts,
                },
            }
            await _record(ledger, tenant, "policy.activated", f"policy:{policy.name}", body, owner, now)
        knowledge = {"knowledge_hash": knowledge_hash.removeprefix("sha256:"), "by": "configuration"}
        await _record(ledger, tenant, "knowledge.activated", "knowledge", knowledge, owner, now)


async def _record(
    ledger: Ledger,
    tenant: str,
    type_: str,
    stream: str,
    body: Mapping[str, Any],
    owner: str,
    now: Callable[[], datetime],
) -> None:
    entry = PendingEntry(
        type=type_,
        stream=stream,
        actor=f"system:{owner}",
        subject=None,
        body=dict(body),
        occurred_at=now(),
    )
    while True:
        size = await ledger.stream_version(tenant, stream)
        last = await ledger.stream_entries(tenant, stream, size - 1, 1) if size else []
        if last and dict(last[0].body) == dict(body):
            return
        try:
            await ledger.append(tenant, [entry], expect=[Expectation(stream, size)])
            return
        except ExpectationFailed:
            # Another process started at the same moment, and has said it or something else.
            continue
