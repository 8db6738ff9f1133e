"""Rows of emergency accesses out of their entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact


def used(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """An access begins. A `break_glass.used` of an inference's stream releases a text, and is no row here."""
    body = fact.body
    if "access" not in body:
        return ()
    values = {
        "user": body["user"],
        "reason": body["reason"],
        "began_at": fact.time,
        "began_index": fact.index,
        "until": body["until"],
        "review_due": body["review_due"],
    }
    return _write(fact, values)


def ended(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Somebody ended it before its time."""
    return _write(fact, {"ended_at": fact.time})


def reviewed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Its review is closed, once and for all; that of a release is no row here."""
    if "access" not in fact.body:
        return ()
    values = {
        "reviewed_at": fact.time,
        "reviewed_by": fact.actor.partition(":")[2],
        "outcome": fact.body["outcome"],
    }
    return _write(fact, values)


def _write(fact: Fact, values: Mapping[str, Any]) -> Sequence[RowWrite]:
    key = {"access_id": fact.body["access"]}
    return [RowWrite(projections.emergency_access, key, {**values, "changed_index": fact.index})]
