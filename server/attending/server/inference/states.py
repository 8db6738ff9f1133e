"""The life of one inference as a table: pure, no I/O. Every transition of the server goes through `require`."""

from __future__ import annotations

from enum import StrEnum

from attending.ledger.practice import DEBRIEFED, UNDELIVERABLE
from attending.server.errors import FailedPrecondition


class State(StrEnum):
    """Where an inference stands; the value is stored in projections and entries."""

    RECEIVED = "received"
    RELEASED = "released"
    HELD = "held"
    BLOCKED = "blocked"
    FAILED = "failed"
    ABANDONED = "abandoned"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DEBRIEFED = "debriefed"
    """A practice item that was decided on: it never was anybody's text, and nobody is given it."""

    @property
    def final(self) -> bool:
        """True when no later entry but a recall or a late reply can follow."""
        return self not in (State.RECEIVED, State.HELD)


# GENERATED is not a resting place: `inference.generated` and its verdict are one atomic append.
TRANSITIONS: dict[State, dict[str, State]] = {
    State.RECEIVED: {
        "inference.blocked": State.BLOCKED,
        "inference.failed": State.FAILED,
        "inference.abandoned": State.ABANDONED,
        "inference.released": State.RELEASED,
        "inference.held": State.HELD,
    },
    State.HELD: {
        "inference.released": State.RELEASED,
        "review.rejected": State.REJECTED,
        "review.expired": State.EXPIRED,
        DEBRIEFED: State.DEBRIEFED,
    },
    State.RELEASED: {"inference.withdrawn": State.WITHDRAWN},
    State.BLOCKED: {},
    State.FAILED: {},
    State.ABANDONED: {},
    State.REJECTED: {},
    State.EXPIRED: {},
    State.WITHDRAWN: {},
    State.DEBRIEFED: {},
}


def require(state: State, event: str, *, practice: bool = False) -> State:
    """Returns the state after `event`; raises FailedPrecondition with actual and allowed states otherwise.

    Of a `practice` item nothing leads to anybody being given its text (PRACTICE_ITEM), in no state; of any other
    nothing is debriefed.
    """
    if practice and event in UNDELIVERABLE:
        raise FailedPrecondition("PRACTICE_ITEM")
    after = TRANSITIONS[state].get(event)
    if after is None or (event == DEBRIEFED and not practice):
        allowed = sorted(s.value for s, events in TRANSITIONS.items() if event in events)
        raise FailedPrecondition(
            "ILLEGAL_TRANSITION",
            metadata={"actual": state.value, "event": event, "allowed": ",".join(allowed)},
        )
    return after
