"""Rows of practice items: an openly marked one from its first entry on, a seeded one from its debrief on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attending.ledger.practice import OPEN
from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact

_PRACTICE: Final = projections.practice_item
_SIGNATURES: Final = projections.review_signature


def offered(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Somebody is given an openly marked item; of any other text nothing is known here."""
    marked = fact.body.get("practice")
    if marked is None:
        return ()
    values = {
        "ticket_id": marked["ticket"],
        "policy": fact.body["policy"],
        "mode": OPEN,
        "item": marked["item"],
        "offered_to": marked["for"],
        "offered_at": fact.time,
    }
    return [RowWrite(_PRACTICE, {"inference_id": fact.stream}, values)]


def debriefed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """It is over. The signature under it counts among nobody's: its row goes."""
    body = fact.body
    kind, _, name = fact.actor.partition(":")
    values = {
        "ticket_id": body["ticket"],
        "policy": body["policy"],
        "mode": body["mode"],
        "item": body["item"],
        "kind": body["kind"],
        "answer": body["answer"],
        "right": body["right"],
        "reader": name if kind == "human" else None,
        "decided_at": fact.time,
    }
    rows = [RowWrite(_PRACTICE, {"inference_id": fact.stream}, values)]
    if "nonce" in body:
        rows.append(RowWrite(_SIGNATURES, {"nonce": body["nonce"]}, None))
    return rows
