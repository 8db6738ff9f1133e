"""Receipts on the wire."""

from __future__ import annotations

from attending.ledger.errors import OutOfRange, StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.v1 import common_pb2


async def receipt_message(ledger: Ledger, tenant: str, index: int) -> common_pb2.Receipt:
    """The entry at `index`, which is on record, with its inclusion proof under the newest integrated head.

    Raises StoreUnavailable while this process may not sign a head over it: what another process appended can be
    seen before it is known to be replicated.
    """
    try:
        entry = await ledger.get_entry(tenant, index)
        proof = await ledger.receipt(tenant, index)
    except OutOfRange as err:
        raise StoreUnavailable("entry is not under a head of this process yet") from err
    return common_pb2.Receipt(
        origin=ledger.origin(tenant),
        index=index,
        entry=entry.data,
        tlog_proof=proof,
        level="integrated",
    )
