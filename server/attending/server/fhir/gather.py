"""Gathers what the FHIR resources of one inference are made from. Nothing here says who may have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.errors import NotFound, Unavailable
from attending.server.fhir.resources import Record
from attending.server.practice.mark import mark_of
from sqlalchemy import ColumnElement, select

_TRIES: Final = 10
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


async def gather(ledger: Ledger, tenant: str, inference: Mapping[str, Any], *, to_app: bool = True) -> Record:
    """Entries, rows and payloads. Raises NotFound for a practice item, SubjectErased, PayloadPruned, and the ledger's
    errors.
    """
    name = inference["inference_id"]
    item = await _row(ledger, (_ITEMS.c.log_id == tenant) & (_ITEMS.c.inference_id == name), _ITEMS)
    request = json.loads(await ledger.open_payload(tenant, inference["request_record"]))
    mark = mark_of(request)
    if mark is not None and (to_app or not mark.seeded or inference["state"] == "debriefed"):
        # Nobody's record is to hold what was written about nobody. To a person who has not decided yet a planted item
        # is any other: they are given what there is of a text that waits, which is not the text.
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


async def settled(ledger: Ledger, tenant: str, name: str) -> tuple[Mapping[str, Any], Record]:
    """Row and record of an inference as they were at one moment: its rows are of the newest of its entries. Raises as
    `find` and `gather`, and Unavailable (SERVER_BUSY) while it never stands still.
    """
    for _ in range(_TRIES):
        version = await ledger.stream_version(tenant, name)
        row = await find(ledger, tenant, name)
        record = await gather(ledger, tenant, row)
        # INVARIANT: nothing was appended since before the rows were read, and rows are written with their entry.
        if len(record.entries) == version:
            return row, record
    raise Unavailable("SERVER_BUSY", retry_after_seconds=1.0)


async def require_published(ledger: Ledger, tenant: str, inference: Mapping[str, Any]) -> None:
    """Returns once a released text may be given, as wherever it is: where its release asks for publication, not before
    it is known outside the database. Raises Unavailable (PUBLICATION_PENDING) and the ledger's errors.
    """
    if inference["release_requires"] != "published":
        return
    note = await ledger.publish(tenant)
    if note is None or parse_checkpoint(note).size <= inference["decided_index"]:
        raise Unavailable(
            "PUBLICATION_PENDING",
            retry_after_seconds=1.0,
            metadata={"inference_id": inference["inference_id"]},
        )


async def _row(ledger: Ledger, where: ColumnElement[bool], table: Any) -> Mapping[str, Any] | None:
    rows = await ledger.query(select(table).where(where))
    return dict(rows[0]._mapping) if rows else None
