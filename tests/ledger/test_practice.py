"""The mark of a seeded item: its id commits to it, and only its key opens it."""

from __future__ import annotations

from typing import Any

import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.practice import OPEN, SEEDED, new_key, opened, seeded_id

KEY = bytes(range(32))
ITEM = "metformin-egfr-24"


def debrief(**changes: Any) -> dict[str, Any]:
    return {"mode": SEEDED, "item": ITEM, "key": KEY.hex(), **changes}


def test_an_id_is_as_long_as_any_and_its_own() -> None:
    # SHA-256("attending-seeded/1\n" || 00..1f || "metformin-egfr-24"), 16 bytes, as sha256sum gives it.
    assert seeded_id(KEY, ITEM) == "inf_527c6729c9fbad71a0bb18bbe9713cdf"
    assert seeded_id(new_key(), ITEM) != seeded_id(new_key(), ITEM)


def test_the_key_opens_it() -> None:
    assert opened(seeded_id(KEY, ITEM), debrief(), None).item == ITEM


@pytest.mark.parametrize(
    "body",
    [
        debrief(item="other"),
        debrief(key=new_key().hex()),
        debrief(key="00"),
        debrief(key="not hex"),
        debrief(key=None),
        debrief(mode="application"),
        debrief(mode=OPEN),
        debrief(item=7),
        debrief(item="../x"),
        {},
    ],
)
def test_nothing_else_does(body: dict[str, Any]) -> None:
    with pytest.raises(VerificationError) as caught:
        opened(seeded_id(KEY, ITEM), body, None)
    assert caught.value.reason == "PRACTICE_MARK"


def test_what_is_marked_openly_was_marked_from_the_start() -> None:
    body = {"mode": OPEN, "item": ITEM}
    assert opened("inf_1", body, {"item": ITEM, "for": "ann"}).mode == OPEN
    for marked in (None, {"item": "another"}, "practice", {}):
        with pytest.raises(VerificationError):
            opened("inf_1", body, marked)
