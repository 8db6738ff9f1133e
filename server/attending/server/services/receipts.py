"""Receipts on the wire."""

from __future__ import annotations

from attending.ledger.ledger import Ledger
from attending.v1 import common_pb2


async def receipt_message(ledger: Ledger, tenant: str, index: int) -> common_pb2.Receipt:
    """The entry at `index` with its inclusion proof under the newest integrated head."""
    entry = await ledger.get_entry(tenant, index)
    return common_pb2.Receipt(
        origin=ledger.origin(tenant),
        index=index,
        entry=entry.data,
        tlog_proof=await ledger.receipt(tenant, index),
        level="integrated",
    )
