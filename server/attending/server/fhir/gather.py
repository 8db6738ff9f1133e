"""Gathers what the FHIR resources of one inference are made from. Nothing here says who may have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.errors import NotFound
from attending.server.fhir.resources import Record
from attending.server.practice.mark import mark_of
from sqlalchemy import ColumnElement, select

_INFERENCES, _ITEMS = projections.inference, projections.review_item


async def find(ledger: Ledger, tenant: str, name: str) -> Mapping[str, Any]:
    """The row of the inference that a ticket (`tkt_...`) or an inference's own id (`inf_...`) names; NotFound."""
    if name.startswith("tkt_"):
        rows = await ledger.query(
            select(_ITEMS.c.inference_id).where(_ITEMS.c.log_id == tenant, _ITEMS.c.ticket_id == name)
        )
        if not rows:
            raise NotFound("UNKNOWN_TICKET")
        name = rows[0][0]
    row = await _row(
        ledger, (_INFERENCES.c.log_id == tenant) & (_INFERENCES.c.inference_id == name), _INFERENCES
    )
    if row is None:
        raise NotFound("UNKNOWN_INFERENCE")
    return row


async def gather(ledger: Ledger, tenant: str, inference: Mapping[str, Any]) -> Record:
    """Entries, rows and payloads. Raises NotFound for a practice item, SubjectErased, PayloadPruned, and the ledger's
    errors.
    """
    name = inference["inference_id"]
    item = await _row(ledger, (_ITEMS.c.log_id == tenant) & (_ITEMS.c.inference_id == name), _ITEMS)
    request = json.loads(await ledger.open_payload(tenant, inference["request_record"]))
    if mark_of(request) is not None:
        # Nobody's record is to hold what was written about nobody.
        raise NotFound("UNKNOWN_INFERENCE")
    text = None
    if inference["state"] == "released":
        text = (await ledger.open_payload(tenant, inference["text_record"])).decode("utf-8")
    return Record(
        entries=await ledger.whole_stream(tenant, name),
        inference=inference,
        item=item,
        subject_ref=request["subject_ref"],
        text=text,
    )


async def _row(ledger: Ledger, where: ColumnElement[bool], table: Any) -> Mapping[str, Any] | None:
    rows = await ledger.query(select(table).where(where))
    return dict(rows[0]._mapping) if rows else None
