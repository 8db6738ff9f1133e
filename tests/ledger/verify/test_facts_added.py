"""V14, V16, V17 where facts were added to a held text: signatures before count no more, those after bind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

# Each step: what is appended; the number with `signed` is how many findings the statement says are disposed of.
Story = tuple[tuple[str, int | str], ...]
ADDED, RELEASED = ("facts", "ann"), ("released", 0)
STORIES: list[tuple[Story, dict[str, int]]] = [
    ((("signed", 1), RELEASED), {}),
    ((ADDED, ("signed", 2), RELEASED), {}),
    ((("signed", 1), ADDED, ("claimed", "ann"), ("signed", 2), RELEASED), {}),
    # Signed over what was found before; over fewer findings than there are.
    ((("signed", 1), ADDED, RELEASED), {"V16": -1}),
    ((ADDED, ("signed", 1), RELEASED), {"V16": -1, "V17": -2}),
    # After the end there is nothing to add to.
    ((("signed", 1), RELEASED, ADDED), {"V14": -1}),
]


@pytest.mark.parametrize(("story", "broken"), STORIES)
def test_a_signature_is_over_what_was_found_last(
    log: LogBuilder,
    tmp_path: Path,
    failed: Callable[[Report], dict[str, set[int | None]]],
    story: Story,
    broken: dict[str, int],
) -> None:
    ann = log.enrol("ann")
    text = log.hold("inf_1")
    indexes = []
    for what, value in story:
        match what:
            case "facts":
                facts = log.payload("facts", b"weight")
                body = {"facts": ["weight_kg"], "to_dispose": [0, 1]}
                entry = log.append(
                    "review.facts_added", "inf_1", body, payloads=[facts], actor=f"human:{value}"
                )
            case "claimed":
                entry = log.append("review.claimed", "inf_1", {})
            case "signed":
                entry = log.sign("inf_1", ann, text, findings=int(value), disposed=int(value))
            case _:
                entry = log.release("inf_1", text)
        indexes.append(entry.index)
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {check: {indexes[at]} for check, at in broken.items()}


def test_only_who_has_claimed_it_adds(
    log: LogBuilder, tmp_path: Path, failed: Callable[[Report], dict[str, set[int | None]]]
) -> None:
    log.hold("inf_1")
    log.append("review.claimed", "inf_1", {"lease": "lse_1"}, actor="human:ann")
    log.append("review.facts_added", "inf_1", {"to_dispose": []}, actor="human:ann")
    added = log.append("review.facts_added", "inf_1", {"to_dispose": []}, actor="human:eve")
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V14": {added.index}}


def test_nothing_is_added_to_what_is_read_blind(
    log: LogBuilder, tmp_path: Path, failed: Callable[[Report], dict[str, set[int | None]]]
) -> None:
    log.hold("inf_1", count=2, blinded=True)
    added = log.append("review.facts_added", "inf_1", {"to_dispose": []})
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V14": {added.index}}
