"""The steps of a recall, each one conditional append on the inference's stream.

From the entry on the text is given to nobody. Everybody to whom its delivery is on record has to be told, and so has
the application itself; the entry names them, so that nobody decides afterwards who they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.projection import RowWrite
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered, index_of
from attending.server.inference.states import State, require
from attending.server.inference.watch import Changes
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import RowMapping, Table, select

_RECALLS, _INFERENCES = projections.recall, projections.inference
_CANDIDATES = projections.recall_candidate
REASONS: Final = frozenset({"wrong_patient", "unsafe", "wrong", "outdated", "other"})
APP: Final = "app"
"""The application itself, which shows the text no more."""


@dataclass(frozen=True, slots=True)
class Recall:
    """`outstanding` and `acknowledged` are `app` and deliveries as `recipient/channel`."""

    inference_id: str
    calling_app: str
    policy: str
    reason: str
    withdrawn_at: str
    withdrawn_by: str
    outstanding: tuple[str, ...]
    acknowledged: tuple[str, ...]

    @classmethod
    def from_row(cls, row: RowMapping) -> Recall:
        names = {name: row[name] for name in cls.__dataclass_fields__}
        for name in ("outstanding", "acknowledged"):
            names[name] = tuple(filter(None, row[name].split(",")))
        return cls(**names)


class Recalls:
    """Shared by all calls of one server process."""

    def __init__(self, ledger: Ledger, changes: Changes, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._changes = changes
        self._now = now

    async def withdraw(
        self, principal: Principal, inference_id: str, reason: str, note: str, once: Once
    ) -> tuple[Recall, int]:
        """Withdraws a released text; the recall and its entry's index. FailedPrecondition (ILLEGAL_TRANSITION) for a
        text that is not released.
        """
        tenant = principal.tenant
        if principal.kind != "human":
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return await self._get(tenant, inference_id), done[0]
        # INVARIANT: the version is not newer than what is read after it, so no delivery before the entry is left out.
        version = await self._ledger.stream_version(tenant, inference_id)
        row = await self._inference(tenant, inference_id)
        require(State(row["state"]), "inference.withdrawn")
        stream = await self._ledger.whole_stream(tenant, inference_id)
        delivered = {
            f"{entry.body['recipient']}/{entry.body['channel']}"
            for entry in stream
            if entry.type == "inference.delivered"
        }
        body = {
            "reason_code": reason,
            "calling_app": row["calling_app"],
            "policy": row["policy"],
            "outstanding": [APP, *sorted(delivered)],
        }
        tickets = [entry.body["ticket"] for entry in stream if entry.type == "inference.held"]
        if tickets:
            body["ticket"] = tickets[0]
        payloads = (Payload("note", note.encode()),) if note else ()
        return await self._append(
            principal, "inference.withdrawn", inference_id, row["subject"], version, body, once, payloads
        )

    async def acknowledge(
        self, principal: Principal, inference_id: str, target: str, once: Once
    ) -> tuple[Recall, int]:
        """Puts on record that `target` took notice. An application answers for its own inferences; another's is
        NotFound, like one that does not exist. FailedPrecondition (NOT_WITHDRAWN, RECALL_ACKNOWLEDGED).
        """
        tenant = principal.tenant
        version = await self._ledger.stream_version(tenant, inference_id)
        row = await self._inference(tenant, inference_id)
        if principal.kind == "app" and row["calling_app"] != principal.name:
            raise NotFound("UNKNOWN_INFERENCE")
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return await self._get(tenant, inference_id), done[0]
        if State(row["state"]) is not State.WITHDRAWN:
            raise FailedPrecondition("NOT_WITHDRAWN", metadata={"state": row["state"]})
        recall = await self._get(tenant, inference_id)
        if target in recall.acknowledged:
            raise FailedPrecondition("RECALL_ACKNOWLEDGED")
        if target not in recall.outstanding:
            raise NotFound("UNKNOWN_DELIVERY")
        return await self._append(
            principal, "recall.acknowledged", inference_id, None, version, {"target": target}, once
        )

    async def of(self, tenant: str, inference_id: str) -> Recall | None:
        """The recall of one inference, None where it was not withdrawn."""
        row = await self._row(tenant, inference_id)
        return None if row is None else Recall.from_row(row)

    async def page(
        self, tenant: str, *, app: str | None, only_open: bool, limit: int, offset: int
    ) -> list[Recall]:
        """Recalls, newest first, of one application's inferences or of all."""
        where = [_RECALLS.c.log_id == tenant]
        if app is not None:
            where.append(_RECALLS.c.calling_app == app)
        if only_open:
            where.append(_RECALLS.c.outstanding != "")
        rows = await self._ledger.query(
            select(_RECALLS)
            .where(*where)
            .order_by(_RECALLS.c.withdrawn_index.desc())
            .limit(limit)
            .offset(offset)
        )
        return [Recall.from_row(row._mapping) for row in rows]

    async def _inference(self, tenant: str, inference_id: str) -> RowMapping:
        rows = await self._ledger.query(
            select(_INFERENCES).where(
                _INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == inference_id
            )
        )
        if not rows:
            raise NotFound("UNKNOWN_INFERENCE")
        return rows[0]._mapping

    async def _row(self, tenant: str, inference_id: str, table: Table = _RECALLS) -> RowMapping | None:
        rows = await self._ledger.query(
            select(table).where(table.c.log_id == tenant, table.c.inference_id == inference_id)
        )
        return rows[0]._mapping if rows else None

    async def _get(self, tenant: str, inference_id: str) -> Recall:
        recall = await self.of(tenant, inference_id)
        if recall is None:
            raise NotFound("UNKNOWN_INFERENCE")
        return recall

    async def _append(
        self,
        principal: Principal,
        kind: str,
        inference_id: str,
        subject: str | None,
        version: int,
        body: Mapping[str, Any],
        once: Once,
        payloads: Sequence[Payload] = (),
    ) -> tuple[Recall, int]:
        tenant = principal.tenant
        entry = PendingEntry(
            type=kind,
            stream=inference_id,
            actor=principal.actor,
            subject=subject,
            body=body,
            payloads=tuple(payloads),
            occurred_at=self._now(),
        )
        key = {"inference_id": inference_id}
        rows = [(table, await self._row(tenant, inference_id, table)) for table in (_RECALLS, _CANDIDATES)]
        known = [RowWrite(table, key, dict(row)) for table, row in rows if row is not None]
        append = self._ledger.append(
            tenant,
            [entry],
            expect=[Expectation(inference_id, version)],
            claim=once.claim(inference_id),
            rows=rows_of_append([entry], known),
        )
        index = await index_of(self._ledger, tenant, once, append, Aborted("LOST_RACE"))
        self._changes.announce(tenant, inference_id)
        return await self._get(tenant, inference_id), index
