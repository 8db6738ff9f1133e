"""The kinds of report: for each the evidence, what it may and must be narrowed by, its register and its pages.

A further kind is a register in `attending.ledger.verify.registers`, a module of sections here, and a line of this
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from attending.ledger.verify.registers import accesses, disclosures
from attending.server.auth.actions import REPORT_ON_PERSON
from attending.server.reports import (
    access,
    accounting,
    certificates,
    change,
    dossier,
    guardrails,
    incident,
    regulator,
    validation,
)
from attending.server.reports.blocks import Block
from attending.server.reports.particulars import Kind
from attending.server.reports.source import Source


class Evidence(StrEnum):
    """Which entries the bundle of a report holds."""

    CHOICE = "choice"
    """Those of a period, or of inferences that are chosen."""
    FROM_START = "from_start"
    """All up to the end of the period: what stood at a time rests on everything before it."""
    PERSON = "person"
    """Those about one person, all pseudonyms together, and of nobody else: it may be given to that person."""


_INFERENCES: Final = frozenset({"inference_id", "policy", "prompt_version", "model", "subject", "clinician"})


@dataclass(frozen=True, slots=True)
class ReportKind:
    """`narrows` are the fields of the scope that it takes besides times, `needs` those that it must have;
    `types` are those of the entries about a person, `years` how far back it goes where no beginning is given;
    `register` names the rows that go with it, besides the exceptions; `right` is an action that is asked for besides
    `createReport` and `downloadReport`.
    """

    title: str
    evidence: Evidence
    sections: Callable[[Source], Iterable[Block]]
    narrows: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    register: str | None = None
    types: frozenset[str] = frozenset()
    years: int | None = None
    right: str | None = None


KINDS: Final[Mapping[Kind, ReportKind]] = {
    Kind.REGULATOR: ReportKind("Regulator report", Evidence.CHOICE, regulator.sections, narrows=_INFERENCES),
    Kind.DOSSIER: ReportKind(
        "Dossier of one output",
        Evidence.CHOICE,
        dossier.sections,
        narrows=frozenset({"inference_id"}),
        needs=frozenset({"inference_id"}),
    ),
    Kind.CHANGE: ReportKind(
        "Change report",
        Evidence.FROM_START,
        change.sections,
        narrows=frozenset({"version"}),
        register="change",
    ),
    Kind.ACCOUNTING: ReportKind(
        "Accounting of disclosures",
        Evidence.PERSON,
        accounting.sections,
        narrows=frozenset({"subject"}),
        needs=frozenset({"subject"}),
        register="accounting",
        types=disclosures.TYPES,
        years=disclosures.YEARS,
        right=REPORT_ON_PERSON,
    ),
    Kind.ACCESS: ReportKind(
        "Access report of one person",
        Evidence.PERSON,
        access.sections,
        narrows=frozenset({"subject"}),
        needs=frozenset({"subject"}),
        register="access",
        types=accesses.TYPES,
        right=REPORT_ON_PERSON,
    ),
    Kind.INCIDENT: ReportKind(
        "Incident file",
        Evidence.FROM_START,
        incident.sections,
        narrows=frozenset({"incident"}),
        register="incident",
    ),
    Kind.CERTIFICATES: ReportKind(
        "Retention and erasure certificates",
        Evidence.FROM_START,
        certificates.sections,
        register="custody",
    ),
    Kind.GUARDRAILS: ReportKind(
        "Guardrail effectiveness",
        Evidence.CHOICE,
        guardrails.sections,
        narrows=frozenset({"group"}),
        register="guardrails",
    ),
    Kind.VALIDATION: ReportKind(
        "Validation report",
        Evidence.FROM_START,
        validation.sections,
        register="validation",
    ),
}


def scope_violations(kind: Kind, given: Iterable[str]) -> list[tuple[str, str]]:
    """What is wrong with the fields of a scope (times apart) that a report of that kind is asked for with."""
    about, fields = KINDS[kind], frozenset(given)
    found = [(f"scope.{name}", f"is required for `{kind.value}`") for name in sorted(about.needs - fields)]
    found += [
        (f"scope.{name}", f"has no meaning for `{kind.value}`") for name in sorted(fields - about.narrows)
    ]
    return found
