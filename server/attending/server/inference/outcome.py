"""What a caller, a watcher or a retry is told about one inference, rebuilt from its row and its vault records."""

from __future__ import annotations

from dataclasses import dataclass

from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.errors import NotFound
from attending.server.inference.entries import Result
from attending.server.inference.states import State
from sqlalchemy import select


@dataclass(frozen=True, slots=True)
class TicketView:
    """Where a held text waits; the policy's words are added by the service."""

    ticket_id: str
    due_at: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`output` is set only when `state` is RELEASED. Indexes are of entries in the tenant's log."""

    inference_id: str
    state: State
    calling_app: str
    policy: str
    policy_hash: str
    knowledge_hash: str | None
    prompt_version: str | None
    provider: str
    model: str
    release_requires: str
    requested_index: int
    decided_index: int | None
    output: str | None
    result: Result | None
    reason: str | None
    not_enforced: bool
    ticket: TicketView | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micros: int | None
    cost_currency: str | None
    cost_basis: str | None
    subject: str | None
    repeated: bool = False
    """Read from the record for a call that came before, and not made by this one."""


async def read_standing(ledger: Ledger, tenant: str, inference_id: str) -> tuple[State, str]:
    """(state, owner) as committed: what a poll needs, without opening a payload. NotFound as `read_outcome`."""
    table = projections.inference
    rows = await ledger.query(
        select(table.c.state, table.c.owner).where(
            table.c.log_id == tenant, table.c.inference_id == inference_id
        )
    )
    if not rows:
        raise NotFound("UNKNOWN_INFERENCE")
    row = rows[0]._mapping
    return State(row["state"]), row["owner"]


async def read_outcome(ledger: Ledger, tenant: str, inference_id: str) -> Outcome:
    """The present outcome; NotFound alike for an unknown id and for one of another tenant."""
    table, item = projections.inference, projections.review_item
    rows = await ledger.query(
        select(table).where(table.c.log_id == tenant, table.c.inference_id == inference_id)
    )
    if not rows:
        raise NotFound("UNKNOWN_INFERENCE")
    row = rows[0]._mapping
    state = State(row["state"])
    result = output = ticket = None
    if row["result_record"] is not None:
        result = Result.from_bytes(await ledger.open_payload(tenant, row["result_record"]))
    if state is State.RELEASED:
        output = (await ledger.open_payload(tenant, row["text_record"])).decode("utf-8")
    if state is State.HELD:
        items = await ledger.query(
            select(item).where(item.c.log_id == tenant, item.c.inference_id == inference_id)
        )
        if items:
            held = items[0]._mapping
            ticket = TicketView(held["ticket_id"], held["due_at"], held["expires_at"])
    return Outcome(
        inference_id=inference_id,
        state=state,
        calling_app=row["calling_app"],
        policy=row["policy"],
        policy_hash=row["policy_hash"],
        knowledge_hash=row["knowledge_hash"],
        prompt_version=row["prompt_version"],
        provider=row["provider"],
        model=row["model"],
        release_requires=row["release_requires"],
        requested_index=row["requested_index"],
        decided_index=row["decided_index"],
        output=output,
        result=result,
        reason=row["reason"],
        not_enforced=bool(row["not_enforced"]),
        ticket=ticket,
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_micros=row["cost_micros"],
        cost_currency=row["cost_currency"],
        cost_basis=row["cost_basis"],
        subject=row["subject"],
    )
