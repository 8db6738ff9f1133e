"""One inference under way: who calls, what its durable intent fixed, and the errors that it may end in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from attending.guardrails.guard import InputDecision
from attending.guardrails.policy.schema import Policy
from attending.server.errors import AttendingError, FailedPrecondition, Unavailable
from attending.server.inference.checker import Checker
from attending.server.wire.request import RequestContext

# Reasons that a first answer gives as an error are given again to every retry of the same key.
UNAVAILABLE_REASONS = frozenset(
    {"PROVIDER_UNAVAILABLE", "PROVIDER_TIMEOUT", "PROVIDER_RATE_LIMITED", "INPUT_CHECKS_UNAVAILABLE"}
)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from the credential, and the HL7 code of the purpose."""

    tenant: str
    app: str
    purpose_of_use: str | None = None


@dataclass(frozen=True, slots=True)
class OpenCall:
    """An inference whose intent is durable, or is about to be: what every entry after it needs."""

    caller: Caller
    inference_id: str
    context: RequestContext
    policy: Policy
    guard: Checker
    """That of the policy's generation: it ends under what it began under."""
    subject: str | None
    provider: str
    model: str
    version: int
    input: InputDecision


@dataclass(slots=True)
class StageClock:
    """Milliseconds by stage of one inference, for metrics and the governed benchmark."""

    stages: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + (now - self._since) * 1000
        self._since = now


def failure(reason: str, inference_id: str) -> AttendingError:
    """The error of a call that ended without a text, the same for its first answer and for every retry."""
    metadata = {"inference_id": inference_id}
    if reason in UNAVAILABLE_REASONS:
        return Unavailable(reason, metadata=metadata)
    return FailedPrecondition(reason, metadata=metadata)


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
