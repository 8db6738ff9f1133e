"""The actions behind our rails: each runs one engine over the current request and answers with findings.

An action allows (nothing found, or notes only), blocks (findings in the outcome's metadata) or rewrites (the
de-identified prompt). What a finding leads to is the policy's business, not the rail's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.patient import Judged, PatientContext
from attending.guardrails.rails.injection import InjectionHit, Place, find_injection
from attending.guardrails.rails.likeness import SOURCE as _LIKENESS_SOURCE
from attending.guardrails.rails.likeness import Likeness
from attending.guardrails.rails.recommendation import Recommendation, find_recommendations
from attending.guardrails.rails.request import RailRequest, current_request
from nemoguardrails.actions.rail_outcome import RailOutcome, TransformTarget

FINDINGS = "attending_findings"
DOCUMENTS = "attending_documents"
PLACEHOLDERS = "attending_placeholders"

_INJECTION_SOURCE = "attending.guardrails.rails.injection; OWASP LLM01:2025"
_PHI_SOURCE = "45 CFR 164.514(b)(2)(i)"
_RECOMMENDATION_SOURCE = "attending.guardrails.rails.recommendation"

# Identifiers of one person alone: in an output that nothing in the request accounts for, somebody else's or invented.
_STRONG = frozenset(
    {
        "SSN",
        "MEDICAL_RECORD_NUMBER",
        "HEALTH_PLAN_NUMBER",
        "ACCOUNT_NUMBER",
        "LICENSE_NUMBER",
        "VEHICLE_ID",
        "DEVICE_ID",
        "BIOMETRIC",
        "PHOTO",
    }
)
_LOST = "of the de-identified prompt came back {}, so the text that should stand here is not known"
_PROBLEM = {
    "unknown": "a placeholder " + _LOST.format("that was never given out"),
    "altered": "a placeholder, or a part of a moved date, " + _LOST.format("altered"),
    "duplicated": "a placeholder " + _LOST.format("twice in a row"),
    "derived": "a date that the request does not hold: it was moved back like the others, which is right if it was "
    "counted from one of them, and wrong if it is of the world outside",
}
_NOTED = frozenset({"EMAIL", "PHONE_NUMBER", "FAX_NUMBER", "UNIQUE_IDENTIFIER", "IP_ADDRESS"})


async def phi_input(text: str) -> RailOutcome:
    """De-identifies prompt and documents under one mapping; rewrites the prompt where it held an identifier."""
    from attending.guardrails.phi import PhiMode, deidentify_all

    request = current_request()
    given = tuple(document.text for document in request.documents)
    if not request.deidentify:
        return RailOutcome.allow(metadata={DOCUMENTS: given, PLACEHOLDERS: {}})
    (prompt, *documents), surrogates = deidentify_all(
        (text, *given), request.services.detector, request.identity, mode=PhiMode(request.phi_mode)
    )
    metadata = {DOCUMENTS: tuple(documents), PLACEHOLDERS: surrogates}
    if prompt == text:
        return RailOutcome.allow(metadata=metadata)
    return RailOutcome.transform([(TransformTarget.USER_MESSAGE, prompt)], metadata=metadata)


async def injection_input(text: str) -> RailOutcome:
    """Prompt injection in the prompt and in each retrieved document.

    Spans of findings are (0, 0): they are about the request, while offsets are into the output.
    """
    request = current_request()
    findings = _injections(text, "prompt", "injection input", "the prompt")
    for document in request.documents:
        findings += _injections(document.text, "document", "injection input", f"document `{document.id}`")
    return outcome(findings)


async def injection_output(text: str) -> RailOutcome:
    """Injected instructions, chat-template marks and active markup in the output."""
    del text
    output = judged_of(current_request()).output
    return outcome(_injections(output, "output", "injection output", "the output"))


async def document_checks(text: str) -> RailOutcome:
    """Documents too weak for the question, withdrawn, stale, or another patient's."""
    from attending.guardrails.policy.schema import Documents
    from attending.guardrails.rails.documents import judge_documents

    del text
    request = current_request()
    patient = request.patient
    if patient is None and request.identity is not None:
        patient = PatientContext(identity=request.identity)
    today = (patient.as_of if patient is not None and patient.as_of is not None else datetime.now(UTC)).date()
    limits = request.document_limits or Documents()
    return outcome(judge_documents(request.prompt, request.documents, patient, limits, today))


async def clinical_checks(text: str) -> RailOutcome:
    """Every clinical check over the output in its context."""
    from attending.guardrails.checks.run import run_checks

    del text
    request = current_request()
    judged = judged_of(request)
    result = run_checks(judged, request.services.knowledge, audience=request.audience)
    request.coverage = result.coverage
    request.citations = result.citations
    request.grounds = result.grounds
    if request.document_limits is not None and request.document_limits.semantic:
        from attending.guardrails.grounding.minilm import load_minilm
        from attending.guardrails.grounding.semantic import by_meaning

        request.citations = by_meaning(result.citations, judged.output, judged.documents, load_minilm)
    return outcome(replace(finding, rail="clinical checks") for finding in result.findings)


async def phi_output(text: str) -> RailOutcome:
    """Placeholders that could not be restored, and identifiers that nothing in the request accounts for."""
    from attending.guardrails.phi import leaked

    del text
    request = current_request()
    judged = judged_of(request)
    output = judged.output
    findings = [
        Finding(
            rail="phi output",
            code=Code.PHI,
            rule_id=f"phi:placeholder_{problem.kind.value}",
            severity=Severity.MODERATE,
            scope=Scope.MENTION,
            start=problem.start,
            end=problem.end,
            text=output[problem.start : problem.end],
            basis=Basis.RULE,
            source="attending.guardrails.phi.reidentify",
            message=_PROBLEM[problem.kind.value],
        )
        for problem in request.placeholder_problems
    ]
    identity = request.identity
    given = [part for part in (judged.prompt, *(d.text for d in judged.documents)) if part]
    for span in leaked(output, request.services.detector, given, identity):
        severity = _leak_severity(span.type.value, knows_patient=bool(given) or identity is not None)
        if severity is None or any(f.start < span.end and span.start < f.end for f in findings):
            continue
        findings.append(
            Finding(
                rail="phi output",
                code=Code.PHI,
                rule_id=f"phi:leak_{span.type.value.lower()}",
                severity=severity,
                scope=Scope.MENTION,
                start=span.start,
                end=span.end,
                text=output[span.start : span.end],
                basis=Basis.RULE,
                source=_PHI_SOURCE,
                message=f"an identifier ({span.type.value.lower().replace('_', ' ')}) that stands neither in the "
                "request nor in the patient's record: invented, or somebody else's",
            )
        )
    return outcome(findings)


async def clinical_recommendation(text: str) -> RailOutcome:
    """Notes that the output recommends, one finding a kind; the policy holds such a text for a clinician."""
    from attending.guardrails.checks.case import lexicon_of
    from attending.guardrails.clinical.parse import parse

    del text
    request = current_request()
    output = judged_of(request).output
    found = find_recommendations(output, parse(output, lexicon_of(request.services.knowledge)))
    by_kind: dict[str, list[Recommendation]] = {}
    for recommendation in found:
        by_kind.setdefault(recommendation.kind, []).append(recommendation)
    findings = []
    for kind, places in by_kind.items():
        first = places[0]
        more = f", and {len(places) - 1} more" if len(places) > 1 else ""
        findings.append(
            Finding(
                rail="clinical recommendation",
                code=Code.CLINICAL_RECOMMENDATION,
                rule_id=f"recommendation:{kind}",
                severity=Severity.INFO,
                scope=Scope.RECOMMEND,
                start=first.start,
                end=first.end,
                text=output[first.start : first.end],
                basis=Basis.RULE,
                source=_RECOMMENDATION_SOURCE,
                message="not in a language that the checks read; a clinician must read it"
                if kind == "unreadable_language"
                else f"says what to do about a {kind}{more}: a clinician must review it",
            )
        )
    # Info findings never change a verdict, but this one is recorded as flagged: the policy holds on it.
    return RailOutcome.block(metadata={FINDINGS: tuple(findings)}) if findings else RailOutcome.allow()


def judged_of(request: RailRequest) -> Judged:
    """What the output rails judge; raises LookupError while there is no output, which fails the rail."""
    if request.judged is None:
        raise LookupError("no output to judge")
    return request.judged


def outcome(findings: Iterable[Finding]) -> RailOutcome:
    """A rail's answer: blocked where a finding is above info; `guard` reads the findings, the policy decides."""
    found = tuple(findings)
    metadata = {FINDINGS: found}
    if any(finding.severity is not Severity.INFO for finding in found):
        return RailOutcome.block(metadata=metadata)
    return RailOutcome.allow(metadata=metadata)


def _injections(text: str, place: Place, rail: str, where: str) -> list[Finding]:
    """What the rules find in one text; where they find nothing, its likeness to known attacks."""
    within = place == "output"
    findings = [
        _injection(hit, text, rail, where, within_output=within) for hit in find_injection(text, place)
    ]
    return findings or [
        like(one, text, rail, where, within_output=within)
        for one in current_request().likeness(text, place)
        if one.code is Code.INJECTION
    ]


def like(
    one: Likeness,
    text: str,
    rail: str,
    where: str,
    *,
    within_output: bool,
    severity: Severity = Severity.MODERATE,
) -> Finding:
    """A likeness as a finding: moderate, so that it holds and blocks nowhere, and with what it rests on."""
    return Finding(
        rail=rail,
        code=one.code,
        rule_id=f"{one.code.value}:likeness",
        severity=severity,
        scope=Scope.MENTION,
        start=one.start if within_output else 0,
        end=one.end if within_output else 0,
        text=text[one.start : one.end],
        basis=Basis.RULE,
        source=_LIKENESS_SOURCE,
        message=f"{where} resembles known texts of {one.code.value.replace('_', '-')} (score {one.score:.1f}): "
        "speaks of " + ", ".join(concept.replace("_", " ") for concept in one.concepts),
    )


def _injection(hit: InjectionHit, text: str, rail: str, where: str, *, within_output: bool) -> Finding:
    hidden = "" if hit.how == "plain" else f", hidden as {hit.how}"
    return Finding(
        rail=rail,
        code=Code.INJECTION,
        rule_id=f"injection:{hit.family}",
        severity=Severity.MAJOR,
        scope=Scope.MENTION,
        start=hit.start if within_output else 0,
        end=hit.end if within_output else 0,
        text=text[hit.start : hit.end],
        basis=Basis.RULE,
        source=_INJECTION_SOURCE,
        message=f"{where} holds what reads as an instruction to a model ({hit.family.replace('_', ' ')}{hidden})",
    )


def _leak_severity(type_: str, *, knows_patient: bool) -> Severity | None:
    """How bad an unaccounted identifier is; None where it says nothing.

    Names and dates are judged by the wrong-patient check, with its context. The telephone number of a practice is in
    no request and in every letter, so it is noted only.
    """
    if type_ == "SSN" or (type_ in _STRONG and knows_patient):
        return Severity.MAJOR
    if type_ in _STRONG or type_ in _NOTED:
        return Severity.INFO
    return None
