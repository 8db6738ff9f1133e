"""The ledger entries of one inference: what each says, in enums, counts, versions and random ids only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from attending.guardrails.citation import Citation
from attending.guardrails.finding import Coverage, Finding
from attending.guardrails.guard import InputDecision, RailRun
from attending.guardrails.patient import Document, PatientContext
from attending.server.cost.price import Price
from attending.server.wire.request import PromptRef
from pydantic import TypeAdapter

# Frozen dataclasses of known types: pydantic reads Decimal, dates and nested tuples back as they were.
_CONTEXT: TypeAdapter[PatientContext] = TypeAdapter(PatientContext)
_DOCUMENTS: TypeAdapter[list[Document]] = TypeAdapter(list[Document])


@dataclass(frozen=True, slots=True)
class Result:
    """What the checks said of one text: the vault payload `result`, and the source of the wire's findings."""

    verdict: str
    mandatory_review: bool
    disposition: str
    findings: tuple[Finding, ...]
    coverage: Coverage
    citations: tuple[Citation, ...] = ()
    rails: tuple[RailRun, ...] = ()
    """Empty where the record is older than this."""

    def to_bytes(self) -> bytes:
        return _json(
            {
                "format": "attending-result/1",
                "verdict": self.verdict,
                "mandatory_review": self.mandatory_review,
                "disposition": self.disposition,
                "findings": [finding.to_json() for finding in self.findings],
                "coverage": self.coverage.to_json(),
                "citations": [citation.to_json() for citation in self.citations],
                "rails": rails_body(self.rails),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Result:
        value = json.loads(data)
        coverage = value["coverage"]
        return cls(
            verdict=value["verdict"],
            mandatory_review=value["mandatory_review"],
            disposition=value["disposition"],
            findings=tuple(Finding.from_json(f) for f in value["findings"]),
            coverage=Coverage(coverage["judged"], coverage["of"], tuple(coverage["not_covered"])),
            # Results of older versions hold none.
            citations=tuple(Citation.from_json(c) for c in value.get("citations", ())),
            rails=tuple(
                RailRun(
                    run["name"],
                    run["status"],
                    run["elapsed_us"] / 1000,
                    run["version"],
                    run["decision"],
                    tuple(run["transforms"]),
                )
                for run in value.get("rails", ())
            ),
        )


def request_payload(
    prompt: str,
    documents: Sequence[Document],
    patient: PatientContext,
    subject_ref: str | None,
    practice: Mapping[str, Any] | None = None,
) -> bytes:
    """The vault payload `request`: everything that the caller gave, readable again by a reviewer. `practice` marks a
    text that nobody asked for (`practice.mark`).
    """
    return _json(
        {
            **({} if practice is None else {"practice": practice}),
            "format": "attending-request/1",
            "prompt": prompt,
            "documents": [asdict(document) for document in documents],
            "patient": asdict(patient),
            "subject_ref": subject_ref,
        }
    )


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """The vault payload `request`, read again."""

    prompt: str
    documents: tuple[Document, ...]
    patient: dict[str, Any]
    context: PatientContext
    practice: Mapping[str, Any] | None = None
    """The mark of a text that nobody asked for (`practice.mark`)."""


def load_request(data: bytes) -> StoredRequest:
    """The inverse of `request_payload`."""
    value = json.loads(data)
    return StoredRequest(
        prompt=value["prompt"],
        documents=tuple(_DOCUMENTS.validate_python(value["documents"])),
        patient=value["patient"],
        context=_CONTEXT.validate_python(value["patient"]),
        practice=value.get("practice"),
    )


def tag_body(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(tags)


def sent_body(checked: InputDecision, ref: PromptRef | None) -> dict[str, Any] | None:
    """Which parts of a request go to the model, by name and count (minimum necessary, 45 CFR 164.502(b)).

    Documents by their place in the request. The server itself sends no system text and no field of the patient;
    what an application filled into a registered prompt is named by the template's variables. None: nothing is sent.
    """
    if checked.prompt_deidentified is None or checked.verdict == "block":
        return None
    return {
        "prompt": 1,
        "prompt_characters": len(checked.prompt_deidentified),
        "variables": [] if ref is None else sorted(name for name, _value in ref.variables),
        "system": 0,
        "documents": list(range(1, len(checked.documents_deidentified) + 1)),
        "patient": [],
    }


def rails_body(runs: Sequence[RailRun]) -> list[dict[str, Any]]:
    """Each rail that ran or should have: what it said, with which code, for how long; no reason text."""
    return [
        {
            "name": run.name,
            "status": run.status,
            "decision": run.decision,
            "version": run.version,
            "elapsed_us": round(run.elapsed_ms * 1000),
            "transforms": list(run.transforms),
        }
        for run in runs
    ]


def findings_body(findings: Sequence[Finding]) -> dict[str, Any]:
    """Counts by code and by severity; never a span, a drug or a message."""
    return {
        "count": len(findings),
        "by_code": dict(sorted(Counter(f.code.value for f in findings).items())),
        "by_severity": dict(sorted(Counter(f.severity.value for f in findings).items())),
    }


def usage_body(input_tokens: int | None, output_tokens: int | None, cost: Price) -> dict[str, Any]:
    """Tokens and cost, null where unknown, with the reason in `basis`."""
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cost_micros": cost.micros,
        "currency": cost.currency,
        "basis": cost.basis,
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain).encode("utf-8")


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(type(value).__name__)
