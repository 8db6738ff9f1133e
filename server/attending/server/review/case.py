"""What a reviewer is shown of an item."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from attending.guardrails.finding import Finding
from attending.guardrails.patient import Document, PatientContext
from attending.server.auth.principal import Principal
from attending.server.inference.entries import Result
from attending.server.review.decided_before import DecidedBefore
from attending.server.review.facts import Added, contexts, contradictions, together
from attending.server.review.item import Item
from attending.server.review.reads import Read
from sqlalchemy import RowMapping


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a reviewer is shown."""

    item: Item
    version: int
    output: str
    prompt: str
    documents: tuple[Document, ...]
    patient: dict[str, Any]
    result: Result
    row: RowMapping
    context: PatientContext
    """The patient as the application gave them; `patient` is the same as JSON."""
    facts: tuple[Added, ...]
    """What reviewers added to that, the oldest first. `result` is then that of the last run."""
    reads: tuple[tuple[Read, str], ...] = ()
    """Of a blinded item, once both readers have decided: what each made of it, and the text that they signed."""

    decided_before: tuple[DecidedBefore, ...] = ()
    """Earlier decisions on findings that nobody is asked about."""
    withheld: bool = False
    """Findings are there and not shown: the viewer has not put their own view on record."""

    @property
    def contexts(self) -> tuple[PatientContext, ...]:
        """What a text is judged by."""
        return contexts(self.context, self.facts)

    @property
    def contradicted(self) -> tuple[str, ...]:
        """Fields in which reviewers say other than the application."""
        return contradictions(self.context, together(self.facts))

    @property
    def blocked(self) -> bool:
        """Whether facts were added with which the policy lets nobody sign for the text as generated."""
        return bool(self.facts) and self.result.disposition == "block"

    @property
    def about(self) -> dict[str, str]:
        """What the entry of a look names."""
        return {"ticket": self.item.ticket_id, "inference": self.item.inference_id}


def view_document(
    case: Case, text: str, findings: tuple[Finding, ...], principal: Principal, role: str
) -> dict[str, Any]:
    """Every field that is shown, in the restricted JSON model of the ledger."""
    return {
        # Of an item that is read blind this is what the reader's own eyes had: no other's word is in it.
        "reads": [{**read.to_json(), "text": signed} for read, signed in case.reads],
        "format": "attending-view/1",
        "ticket": case.item.ticket_id,
        "inference": case.item.inference_id,
        "policy": case.item.policy,
        "policy_hash": case.row["policy_hash"],
        "prompt": case.prompt,
        "output": case.output,
        "text": text,
        "documents": [{"id": d.id, "version": d.version, "text": d.text} for d in case.documents],
        "patient": json.dumps(case.patient, sort_keys=True, ensure_ascii=False),
        "facts": [one.to_json() for one in case.facts],
        "contradicted": list(case.contradicted),
        "findings": [finding.to_json() for finding in case.result.findings],
        "findings_of_text": [finding.to_json() for finding in findings],
        **({"decided_before": [one.to_json() for one in case.decided_before]} if case.decided_before else {}),
        "dispositions": {str(n): d for n, d in sorted(case.item.disposed.items())},
        "coverage": case.result.coverage.to_json(),
        "signer": principal.name,
        "signer_name": principal.display_name,
        "role": role,
    }
