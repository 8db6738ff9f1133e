"""What one run of one rail gives, whichever engine ran it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Stage = Literal["input", "retrieval", "output"]
"""Before the model over the prompt, before the model over its documents, after the model over its answer."""

RailStatus = Literal[
    "passed", "flagged", "raised", "timed_out", "missing", "nonsense", "over_budget", "too_long"
]
"""`flagged` found or rewrote something. After it come the failures: a rail that did not judge the text."""

RailDecision = Literal["allow", "block", "transform", "none"]
"""What a rail itself said; `none` where it failed. What becomes of the text is the policy's business."""

FAILURES: Final[frozenset[str]] = frozenset(
    {"raised", "timed_out", "missing", "nonsense", "over_budget", "too_long"}
)


@dataclass(frozen=True, slots=True)
class FlowResult:
    """What one flow did. `metadata` is the action's own; `rewritten` the text it would put in place, if any."""

    flow: str
    status: RailStatus
    elapsed_ms: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    rewritten: str | None = None
    error_type: str | None = None
    """The exception's type name where the flow raised: its message may hold personal data and is dropped."""
    interrupted: bool = False
    """Whether it was stopped in the middle of its code, so that its process should not serve for long."""

    @property
    def failed(self) -> bool:
        """Whether the text has not been judged by this rail."""
        return self.status in FAILURES

    @property
    def decision(self) -> RailDecision:
        """What the rail said of the text."""
        if self.failed:
            return "none"
        if self.rewritten is not None:
            return "transform"
        return "block" if self.status == "flagged" else "allow"
