"""The state table: nothing leaves a final state, and only what is named leads on."""

from __future__ import annotations

import pytest
from attending.ledger.entry import ENTRY_TYPES
from attending.ledger.practice import DEBRIEFED, UNDELIVERABLE
from attending.server.errors import FailedPrecondition
from attending.server.inference.states import TRANSITIONS, State, require


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_row_and_every_event_is_an_entry_type(state: State) -> None:
    assert set(TRANSITIONS[state]) <= set(ENTRY_TYPES)


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (State.RECEIVED, "inference.released", State.RELEASED),
        (State.RECEIVED, "inference.held", State.HELD),
        (State.HELD, "inference.released", State.RELEASED),
        (State.HELD, "review.expired", State.EXPIRED),
        (State.RELEASED, "inference.withdrawn", State.WITHDRAWN),
    ],
)
def test_allowed(state: State, event: str, after: State) -> None:
    assert require(state, event) is after


@pytest.mark.parametrize(
    "state",
    [State.BLOCKED, State.FAILED, State.ABANDONED, State.REJECTED, State.EXPIRED, State.WITHDRAWN],
)
def test_a_text_that_was_refused_is_never_released(state: State) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        require(state, "inference.released")
    assert caught.value.reason == "ILLEGAL_TRANSITION"
    assert caught.value.metadata["actual"] == state.value
    assert state.final


def test_a_release_cannot_be_blocked_afterwards_only_withdrawn() -> None:
    with pytest.raises(FailedPrecondition):
        require(State.RELEASED, "inference.blocked")


def test_the_pure_machine_refuses_each_way() -> None:
    for state in State:
        for event in UNDELIVERABLE:
            with pytest.raises(FailedPrecondition) as caught:
                require(state, event, practice=True)
            assert caught.value.reason == "PRACTICE_ITEM"
        # And nothing that an application asked for is debriefed.
        with pytest.raises(FailedPrecondition):
            require(state, DEBRIEFED)
    assert require(State.HELD, DEBRIEFED, practice=True) is State.DEBRIEFED
