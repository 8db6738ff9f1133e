"""The mark of a practice item: sealed in its request, and asked for by whatever could release a text.

What an application sent is one vault payload, and so is a practice item's; the server alone writes `practice` into it.
The entry commits to that payload, so that the mark stood there from the first entry on. Whoever cannot open the payload
cannot tell, and releases nothing: a case whose request is gone cannot be signed either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.errors import KeyStoreUnavailable, LedgerError, StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.ledger.practice import OPEN, SEEDED
from attending.server import projections
from attending.server.errors import NotFound
from sqlalchemy import select

_INFERENCES, _ITEMS = projections.inference, projections.review_item
_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Mark:
    """Which item of the catalogue an inference is. `key` opens a seeded one's id, None of an openly marked one."""

    mode: str
    item: str
    catalogue: str
    key: str | None = None

    @property
    def seeded(self) -> bool:
        return self.mode == SEEDED

    def to_json(self) -> dict[str, Any]:
        """As it stands in the sealed request."""
        return {"mode": self.mode, "item": self.item, "catalogue": self.catalogue, "key": self.key}


def mark_of(request: Mapping[str, Any]) -> Mark | None:
    """The mark in a sealed request as JSON, None in an application's. ValueError for one that is not understood: it
    comes from a later version, and nothing is released on a guess.
    """
    match request.get("practice"):
        case None:
            return None
        case {
            "mode": "practice" | "seeded" as mode,
            "item": str(item),
            "catalogue": str(catalogue),
            "key": key,
        }:
            if (mode == OPEN) == (key is None) and isinstance(key, str | None):
                return Mark(mode, item, catalogue, key)
    raise ValueError("practice mark is not understood")


class Marks:
    """Reads marks, each once: one instance a server, shared by all that ask. Safe for many tasks of one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[tuple[str, str], Mark | None] = {}

    async def of(self, tenant: str, inference_id: str) -> Mark | None:
        """The mark of an inference, None of one that an application asked for.

        Raises NotFound, the ledger's errors where the request cannot be opened, and ValueError as `mark_of`.
        """
        slot = (tenant, inference_id)
        if slot not in self._known:
            rows = await self._ledger.query(
                select(_INFERENCES.c.request_record).where(
                    _INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == inference_id
                )
            )
            if not rows:
                raise NotFound("UNKNOWN_INFERENCE")
            request = json.loads(await self._ledger.open_payload(tenant, rows[0][0]))
            # INVARIANT: what a request says never changes. One that is gone is not remembered as one without a mark.
            self._known[slot] = mark_of(request)
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return self._known[slot]

    async def where_open(self, tenant: str, inference_id: str) -> Mark | None:
        """As `of`, None too where the request can be opened no more. An outage is raised: it makes no real text of a
        practice item.
        """
        try:
            return await self.of(tenant, inference_id)
        except (StoreUnavailable, KeyStoreUnavailable):
            raise
        except (LedgerError, ValueError):
            return None

    async def waiting(self, tenant: str, policy: str | None = None) -> dict[str, str]:
        """Inference id to ticket of the seeded items that nobody has decided on: what figures leave out, since no row
        tells them from others. Of items whose request cannot be opened nothing is said.
        """
        where = [_ITEMS.c.log_id == tenant, _ITEMS.c.state == "held"]
        if policy is not None:
            where.append(_ITEMS.c.policy == policy)
        rows = await self._ledger.query(select(_ITEMS.c.inference_id, _ITEMS.c.ticket_id).where(*where))
        found = {}
        for inference_id, ticket in map(tuple, rows):
            mark = await self.where_open(tenant, str(inference_id))
            if mark is not None and mark.seeded:
                found[str(inference_id)] = str(ticket)
        return found
