"""Statements that wait for their signature. They live in memory only: after a restart the reviewer prepares again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attending.guardrails.finding import Finding
from attending.ledger import canonical
from attending.ledger.review_signature import Statement
from attending.ledger.reviewer_key import ReviewerKey
from attending.ledger.vault import SealedPayload
from attending.server.errors import FailedPrecondition

MAX_PREPARATIONS = 1_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a text is refused: one of REJECT_CODES, and what the reviewer writes beside it."""

    reason_code: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Preparation:
    """A statement waiting for its signature."""

    preparation_id: str
    ticket_id: str
    lease_id: str
    statement: Statement
    disposed: Mapping[int, str]
    facts: str | None
    text: str
    text_salt: bytes
    sealed_text: SealedPayload | None
    view: bytes
    view_salt: bytes
    sealed_view: SealedPayload
    sealed_result: SealedPayload | None
    findings: tuple[Finding, ...]
    checked_by: str | None
    """Hash of the policy that judged an edit, None for the text as held."""
    key: ReviewerKey
    expires_at: str
    rejection: Rejection | None = None
    """Set where the statement refuses the text."""

    @property
    def statement_bytes(self) -> bytes:
        """The statement's canonical JSON, as the signer's client parses it."""
        return canonical.encode(self.statement.to_json())


class Preparations:
    """Those of one server process, of all tenants."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Preparation] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, tenant: str, preparation_id: str) -> Preparation | None:
        return self._waiting.get((tenant, preparation_id))

    def keep(self, tenant: str, preparation: Preparation, now: str) -> None:
        """Takes the place of what its lease has waiting; FailedPrecondition (TOO_MANY_PREPARATIONS) without room."""
        # One a lease: what waits holds whole texts, so its number must not be the caller's to choose.
        waiting = self._waiting.items()
        lease = preparation.lease_id
        for slot in [slot for slot, p in waiting if p.expires_at <= now or p.lease_id == lease]:
            del self._waiting[slot]
        if len(self._waiting) >= MAX_PREPARATIONS:
            raise FailedPrecondition("TOO_MANY_PREPARATIONS")
        self._waiting[tenant, preparation.preparation_id] = preparation

    def drop(self, tenant: str, preparation_id: str) -> None:
        self._waiting.pop((tenant, preparation_id), None)
