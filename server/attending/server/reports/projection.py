"""Rows of the table `report` out of its entries: one row a report."""

from __future__ import annotations

from collections.abc import Sequence

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact


def requested(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """The row begins."""
    body = fact.body
    return _write(
        fact,
        {
            "kind": body["kind"],
            "state": "requested",
            "purpose": body["purpose"],
            "requested_by": fact.actor,
            "requested_index": fact.index,
            "requested_at": fact.time,
            "tree_size": body["tree_size"],
        },
    )


def signed_off(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return _write(fact, {"state": "signed_off", "signer": fact.body["statement"]["signer"]})


def issued(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return _write(fact, {"state": "issued", "issued_at": fact.time})


def discarded(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return _write(fact, {"state": "discarded"})


def _write(fact: Fact, values: dict[str, object]) -> Sequence[RowWrite]:
    return [RowWrite(projections.report, {"report_id": fact.body["report"]}, values)]
