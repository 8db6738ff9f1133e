"""V14 where a policy asks for own views: they come before decisions and signatures, once a reviewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

VIEW, DISPOSED, SIGNED = "opinion_recorded", "disposed", "signed"
Story = tuple[tuple[str, str], ...]


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("story", "good"),
    [
        ((("ann", VIEW), ("ann", DISPOSED), ("ann", SIGNED)), True),
        ((("ann", VIEW), ("li", VIEW), ("li", SIGNED)), True),
        ((("ann", SIGNED),), False),
        ((("ann", VIEW), ("li", SIGNED)), False),
        ((("ann", DISPOSED),), False),
        ((("ann", VIEW), ("ann", VIEW)), False),
    ],
)
def test_an_own_view_comes_before(
    log: LogBuilder,
    tmp_path: Path,
    failed: Callable[[Report], dict[str, set[int | None]]],
    story: Story,
    good: bool,
    asked: bool,
) -> None:
    people = {name: log.enrol(name) for name in ("ann", "li")}
    log.request("inf_1")
    text = log.generate("inf_1")
    body: dict[str, Any] = {"findings": {"major": 1}, "sign_off": {"roles": ["clinician"], "count": 1}}
    log.append("inference.held", "inf_1", body | ({"oversight": {"own_view_first": True}} if asked else {}))
    last = None
    for who, step in story:
        if step == SIGNED:
            last = log.sign("inf_1", people[who], text)
        else:
            last = log.append(f"review.{step}", "inf_1", {"assessment": "safe"}, actor=f"human:{who}")
    assert last is not None
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == ({} if good or not asked else {"V14": {last.index}})
