"""V14 and V16 for items that are read blind: what readers can lead to, and what an operator may forge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attending.ledger.review_signature import Meaning
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

# Each step: who, and what they sign (`as is`, `edit`, `refuse`), or what is then appended.
ADJUDICATED, RELEASED, REJECTED = ("", "adjudicated"), ("", "released"), ("", "rejected")
Story = tuple[tuple[str, str], ...]

GOOD: list[Story] = [
    (("ann", "as is"), ("li", "as is"), RELEASED),
    (("ann", "edit"), ("li", "edit"), RELEASED),
    (("ann", "refuse"), ("li", "refuse"), REJECTED),
    (("ann", "edit"), ("li", "refuse"), ("eve", "edit"), ADJUDICATED, RELEASED),
    (("ann", "as is"), ("li", "refuse"), ("eve", "refuse"), ADJUDICATED, REJECTED),
]
BAD: list[tuple[Story, dict[str, int]]] = [
    # One person for two; one reader alone; two who disagree, and nobody asked.
    ((("ann", "as is"), ("ann", "as is"), RELEASED), {"V14": -2, "V16": -1}),
    ((("ann", "as is"), RELEASED), {"V14": -1, "V16": -1}),
    ((("ann", "refuse"), REJECTED), {"V14": -1}),
    ((REJECTED,), {"V14": -1}),
    ((("ann", "as is"), ("li", "refuse"), REJECTED), {"V14": -1}),
    # A majority that hides the one who refused.
    ((("ann", "as is"), ("li", "refuse"), ("eve", "as is"), RELEASED), {"V14": -1}),
    # Judged by one of the two, by nobody, where nothing was to judge, or too early.
    ((("ann", "edit"), ("li", "as is"), ("ann", "as is"), ADJUDICATED), {"V14": -1}),
    ((("ann", "edit"), ("li", "as is"), ADJUDICATED), {"V14": -1}),
    ((("ann", "as is"), ("li", "as is"), ("eve", "as is"), ADJUDICATED), {"V14": -1}),
    ((("ann", "as is"), ADJUDICATED), {"V14": -1}),
    # The third refuses, and it is released all the same.
    ((("ann", "as is"), ("li", "refuse"), ("eve", "refuse"), ADJUDICATED, RELEASED), {"V14": -1, "V16": -1}),
]


@pytest.mark.parametrize(("story", "broken"), [*((story, dict[str, int]()) for story in GOOD), *BAD])
def test_what_readers_decided_is_what_happens(
    log: LogBuilder,
    tmp_path: Path,
    failed: Callable[[Report], dict[str, set[int | None]]],
    story: Story,
    broken: dict[str, int],
) -> None:
    people = {name: log.enrol(name) for name in ("ann", "li", "eve")}
    as_is = log.hold("inf_1", count=2, blinded=True)
    edit = log.payload("output_signed", b"edited")
    indexes, standing = [], as_is
    for who, what in story:
        match what:
            case "as is":
                entry, standing = log.sign("inf_1", people[who], as_is), as_is
            case "edit":
                entry, standing = log.sign("inf_1", people[who], edit, edited=True), edit
            case "refuse":
                entry = log.sign("inf_1", people[who], as_is, meaning=Meaning.REJECTED, disposed=0)
            case "released":
                entry = log.release("inf_1", standing)
            case _:
                entry = log.append(f"review.{what}", "inf_1")
        indexes.append(entry.index)
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {check: {indexes[at]} for check, at in broken.items()}
