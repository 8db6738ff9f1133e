"""Findings, citations, coverage and severities as messages.

Without `full` nothing quotes a text that is not released.
"""

from __future__ import annotations

from attending.guardrails.citation import Citation, Support
from attending.guardrails.finding import Coverage, Finding, Severity
from attending.guardrails.guard import RailRun
from attending.v1 import common_pb2

_SEVERITY = {
    Severity.INFO: common_pb2.SEVERITY_INFO,
    Severity.MINOR: common_pb2.SEVERITY_MINOR,
    Severity.MODERATE: common_pb2.SEVERITY_MODERATE,
    Severity.MAJOR: common_pb2.SEVERITY_MAJOR,
    Severity.CONTRAINDICATED: common_pb2.SEVERITY_CONTRAINDICATED,
}

_SUPPORT = {
    Support.SUPPORTED: common_pb2.SUPPORT_SUPPORTED,
    Support.UNSUPPORTED: common_pb2.SUPPORT_UNSUPPORTED,
    Support.CONTRADICTED: common_pb2.SUPPORT_CONTRADICTED,
}


def finding_message(
    ordinal: int, finding: Finding, *, full: bool, disposition: str = ""
) -> common_pb2.Finding:
    """One finding on the wire; without `full` nothing in it quotes the text that is not released."""
    message = common_pb2.Finding(
        ordinal=ordinal,
        rail=finding.rail,
        code=finding.code.value,
        rule_id=finding.rule_id if full else "",
        severity=_SEVERITY[finding.severity],
        scope=finding.scope.value,
        basis=finding.basis.value,
        disposition=disposition,
    )
    if full:
        message.start, message.end, message.text = finding.start, finding.end, finding.text
        message.drugs.extend(finding.drugs)
        message.source, message.message = finding.source, finding.message
    return message


def citation_message(citation: Citation, *, full: bool) -> common_pb2.Citation:
    """One citation on the wire; without `full` only how the claim stands and to which document."""
    message = common_pb2.Citation(
        status=_SUPPORT[citation.status], share_percent=citation.share_percent, document_id=citation.document
    )
    if full:
        message.start, message.end = citation.start, citation.end
        message.passage_start, message.passage_end = citation.passage_start, citation.passage_end
        message.passage, message.why = citation.passage, citation.why
    return message


def rail_message(run: RailRun) -> common_pb2.RailRun:
    """One rail's run; nothing in it is of the text."""
    message = common_pb2.RailRun(
        name=run.name,
        status=run.status,
        decision=run.decision,
        version=run.version,
        transforms=run.transforms,
    )
    message.elapsed.FromMicroseconds(round(run.elapsed_ms * 1000))
    return message


def coverage_message(coverage: Coverage, *, full: bool) -> common_pb2.Coverage:
    return common_pb2.Coverage(
        judged=coverage.judged, of=coverage.of, not_covered=coverage.not_covered if full else ()
    )


def severity_message(value: str | None) -> common_pb2.Severity.ValueType:
    """The wire value of a stored severity word; unspecified for None."""
    return _SEVERITY[Severity(value)] if value else common_pb2.SEVERITY_UNSPECIFIED
