"""Rows of recalls out of their entries."""

from __future__ import annotations

from collections.abc import Sequence

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact

_RECALLS = projections.recall


def withdrawn(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A recall begins; who has to answer it was settled by the deliveries on record before it."""
    body = fact.body
    values = {
        "calling_app": body["calling_app"],
        "policy": body["policy"],
        "reason": body["reason_code"],
        "withdrawn_at": fact.time,
        "withdrawn_by": fact.actor.partition(":")[2],
        "withdrawn_index": fact.index,
        "outstanding": ",".join(body["outstanding"]),
        "acknowledged": "",
    }
    return [RowWrite(_RECALLS, {"inference_id": fact.stream}, values)]


def acknowledged(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """One of them took notice."""
    key, target = {"inference_id": fact.stream}, fact.body["target"]
    row = read(_RECALLS, key)
    if row is None:
        raise KeyError("inference_id")
    values = {
        "outstanding": ",".join(name for name in row["outstanding"].split(",") if name != target),
        "acknowledged": ",".join([*filter(None, row["acknowledged"].split(",")), target]),
    }
    return [RowWrite(_RECALLS, key, values)]
