"""Rows of oversight out of entries. What is a person's own figure lies in the vault and stands in no row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact

_ITEMS, _SIGNATURES = projections.review_item, projections.review_signature
READING_KIND: Final = "peer_review"
"""Kind of the payload with how long somebody read."""


def signed(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """One signature, with what there was to read."""
    statement, item = fact.body["statement"], read(_ITEMS, {"ticket_id": fact.body["ticket"]})
    if item is None:
        raise KeyError("ticket")
    reading = fact.body.get("reading") or {}
    values = {
        "inference_id": fact.stream,
        "ticket_id": fact.body["ticket"],
        "policy": item["policy"],
        "signer": statement["signer"],
        "role": statement["role"],
        "meaning": statement["meaning"],
        "signed_at": fact.time,
        "severity_rank": item["severity_rank"],
        "tier": reading.get("tier"),
        "words": reading.get("words"),
        "floor_seconds": reading.get("floor_seconds"),
        "short": reading.get("short"),
        "reason": reading.get("reason_code"),
        "raised": reading.get("raised"),
        "reading_record": fact.records.get(READING_KIND),
    }
    return [RowWrite(_SIGNATURES, {"nonce": statement["nonce"]}, values)]
