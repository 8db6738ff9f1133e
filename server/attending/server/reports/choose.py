"""Which part of the log a report is about: a period, or inferences chosen by what made them, by person or signer.

What was chosen is written into `report.requested`, so that the report can be made again from the log alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.clock import stamp
from attending.server.errors import FailedPrecondition, NotFound
from sqlalchemy import select

MOST_CHOSEN: Final = 1_000
"""Inferences of a choice: their ids stand in one entry."""
_OF_INFERENCES: Final = ("inference_id", "policy", "prompt_version", "model", "subject", "clinician")
WORDS: Final = (*_OF_INFERENCES, "version", "incident", "group")
"""Everything that narrows a choice besides its times."""
_INFERENCES, _SIGNATURES = projections.inference, projections.review_signature


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for; all that is given has to hold. Without any but times, the whole of that period."""

    from_time: datetime | None = None
    to_time: datetime | None = None
    inference_id: str = ""
    policy: str = ""
    prompt_version: str = ""
    model: str = ""
    subject: str = ""
    """A pseudonym."""
    clinician: str = ""
    """Who signed."""
    version: str = ""
    """Of what a change report looks for: a hash, a name, or a document."""
    incident: str = ""
    """The one incident of an incident file."""
    group: str = ""
    """The tag that tells the subgroups of a guardrail report apart."""

    @property
    def chosen(self) -> dict[str, str]:
        """What narrows it besides the times, by name."""
        return {name: getattr(self, name) for name in WORDS if getattr(self, name)}

    @property
    def of_inferences(self) -> bool:
        """Whether it chooses inferences."""
        return not self.chosen.keys().isdisjoint(_OF_INFERENCES)

    def body(self) -> dict[str, Any]:
        """For the entry."""
        times = {"from_time": self.from_time, "to_time": self.to_time}
        return {**{k: None if v is None else stamp(v) for k, v in times.items()}, **self.chosen}


async def choose(ledger: Ledger, tenant: str, choice: Choice) -> list[str]:
    """Ids of the inferences, in the order of the log. Raises NotFound (UNKNOWN_INFERENCE, NOTHING_CHOSEN),
    FailedPrecondition (TOO_MANY_CHOSEN).
    """
    table = _INFERENCES
    query = select(table.c.inference_id).where(table.c.log_id == tenant)
    for column, value in (
        (table.c.inference_id, choice.inference_id),
        (table.c.policy, choice.policy),
        (table.c.prompt_version, choice.prompt_version),
        (table.c.model, choice.model),
        (table.c.subject, choice.subject),
    ):
        if value:
            query = query.where(column == value)
    if choice.from_time is not None:
        query = query.where(table.c.requested_at >= stamp(choice.from_time))
    if choice.to_time is not None:
        query = query.where(table.c.requested_at < stamp(choice.to_time))
    if choice.clinician:
        signed = select(_SIGNATURES.c.inference_id).where(
            _SIGNATURES.c.log_id == tenant, _SIGNATURES.c.signer == choice.clinician
        )
        query = query.where(table.c.inference_id.in_(signed))
    rows = await ledger.query(query.order_by(table.c.requested_index).limit(MOST_CHOSEN + 1))
    if len(rows) > MOST_CHOSEN:
        raise FailedPrecondition("TOO_MANY_CHOSEN", metadata={"most": str(MOST_CHOSEN)})
    if not rows:
        raise NotFound("UNKNOWN_INFERENCE" if choice.inference_id else "NOTHING_CHOSEN")
    return [row._mapping["inference_id"] for row in rows]
