"""Rows about notices out of their entries: what was put on record as due, how far each target is, its dead letters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact

_DUE, _TARGET, _DEAD = projections.notice_due, projections.notice_target, projections.notice_dead
_TAIL: Final = 128
"""Indexes at the end of what is ahead among which new ones find their place: twice what is under way at once."""


def due(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Something fell due; it is told once."""
    key = {"about": fact.body["about"], "ref": fact.body["ref"]}
    return [RowWrite(_DUE, key, {"told_index": fact.index})]


def settled(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """How far a target is, and what was given up."""
    body = fact.body
    key = {"target": body["target"]}
    row: Mapping[str, Any] = read(_TARGET, key) or {"through": 0, "ahead": "[]", "delivered": 0, "dead": 0}
    done = [*body["delivered"], *(one["index"] for one in body["dead"])]
    values: dict[str, Any] = {
        "through": body["through"],
        "ahead": _ahead(row, done, body["through"]),
        "delivered": row["delivered"] + len(body["delivered"]),
        "dead": row["dead"] + len(body["dead"]),
    }
    if body["delivered"]:
        values["delivered_at"] = fact.time
    return [
        RowWrite(_TARGET, key, values),
        *(
            RowWrite(
                _DEAD,
                {**key, "notice": one["notice"]},
                {
                    "event": one["event"],
                    "about_index": one["about"],
                    "reason": one["reason"],
                    "attempts": one["attempts"],
                    "failed_at": fact.time,
                },
            )
            for one in body["dead"]
        ),
    ]


def _ahead(row: Mapping[str, Any], done: Sequence[int], through: int) -> str:
    """Indexes from `through` on that are dealt with, as a sorted JSON list."""
    known = row["ahead"]
    head, *tail = known[1:-1].rsplit(", ", _TAIL)
    if tail and through == row["through"] and all(index > int(tail[0]) for index in done):
        # Behind one that waits the list grows at its end: to read all of it each time would cost its square.
        return f"[{head}, {json.dumps(sorted({*map(int, tail), *done}))[1:]}"
    return json.dumps(sorted(index for index in {*json.loads(known), *done} if index >= through))


def retried(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Somebody has it sent again: it is a dead letter no more, until it fails again."""
    return [RowWrite(_DEAD, {"target": fact.body["target"], "notice": fact.body["notice"]}, None)]
