"""Rows of recalls out of their entries."""

from __future__ import annotations

from collections.abc import Sequence

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact

_RECALLS, _CANDIDATES = projections.recall, projections.recall_candidate


def withdrawn(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """A recall begins; who has to answer it was settled by the deliveries on record before it. A text that was proposed
    for it leaves the worklist.
    """
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
    key = {"inference_id": fact.stream}
    proposed = read(_CANDIDATES, key)
    open_ = proposed is not None and proposed["state"] == "open"
    return [RowWrite(_RECALLS, key, values), *([_closed(fact, "recalled")] if open_ else [])]


def proposed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """It would not be released now; whatever was said of it under knowledge before is over."""
    body = fact.body
    values = {
        **{name: body[name] for name in ("policy", "released_by", "now", "deliveries", "activation")},
        "subject": fact.subject,
        "codes": ",".join(body["codes"]),
        "knowledge_hash": body["knowledge_hash"],
        "proposed_at": fact.time,
        "proposed_index": fact.index,
        "state": "open",
        "closed_at": None,
        "closed_by": None,
        "reason": None,
    }
    return [RowWrite(_CANDIDATES, {"inference_id": fact.stream}, values)]


def dismissed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Somebody looked at it: it needs no recall."""
    return [_closed(fact, "dismissed", fact.body["reason_code"])]


def _closed(fact: Fact, state: str, reason: str | None = None) -> RowWrite:
    values = {
        "state": state,
        "closed_at": fact.time,
        "closed_by": fact.actor.partition(":")[2],
        "reason": reason,
    }
    return RowWrite(_CANDIDATES, {"inference_id": fact.stream}, values)


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
