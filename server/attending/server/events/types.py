"""The types that may come from outside, a closed table.

Nothing here lets a caller speak for the gate, the desk or the server: inference, review, policy, prompt, key, user,
access, hold, subject, report, break_glass and system entries are theirs alone, and so is recall.acknowledged, which
answers a recall by the one who was asked. An entry from outside stands on a stream of its emitter and carries the
counter, so that it is never taken for one of the gate's. Ids that it names are not looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attending.ledger.entry import ENTRY_TYPES
from attending.ledger.verify.registers.validation import MOST_FINDINGS
from attending.ledger.verify.validation import MOST_REQUIREMENTS, OUTCOMES
from attending.server.events.schema import (
    Body,
    EventType,
    count,
    flag,
    identifier,
    inference,
    matching,
    model_name,
    moment,
    one_of,
    optional,
    outcomes,
    scores,
    several,
    sha256,
    version,
)

_SEVERITIES: Final = "info minor moderate major critical"
_CATEGORIES: Final = "patient_safety privacy security availability quality model_change other"
_SERIOUS: Final = "death widespread other none"
_RECIPIENTS: Final = (
    "patient carer clinician organisation payer public_health regulator researcher court law_enforcement media"
    " other"
)


def _document(body: Body, payloads: frozenset[str]) -> Iterable[tuple[str, str]]:
    # The plain hash of a text that names a person can be guessed: such a document is named by its payload.
    if body["public"] and "content_hash" not in body:
        yield "content_hash", "is required for a public document"
    if not body["public"] and "content_hash" in body:
        yield "content_hash", "must be left out unless the document is public; give it as payload `document`"


def _evaluation(body: Body, _payloads: frozenset[str]) -> Iterable[tuple[str, str]]:
    if body["failures"] > body["cases"]:
        yield "failures", "must be at most `cases`"


def _installation(body: Body, _payloads: frozenset[str]) -> Iterable[tuple[str, str]]:
    if body["red"] + body["unknown"] + body["warnings"] > body["checks"]:
        yield "checks", "must be at least `red`, `unknown` and `warnings` together"
    if body["packages_other"] > body["packages"]:
        yield "packages_other", "must be at most `packages`"


_TYPES: Final = (
    EventType(
        "feedback.recorded",
        {
            "inference_id": inference(),
            "source": one_of("clinician patient carer monitor"),
            "rating": one_of("helpful not_helpful incomplete wrong unsafe"),
            "score": optional(count(10)),
            "categories": optional(several(identifier(), 8)),
        },
        payloads=frozenset({"comment"}),
    ),
    EventType(
        "document.registered",
        {
            "document_id": identifier(),
            "version": version(),
            "public": flag(),
            "content_hash": optional(sha256()),
            "source": one_of("guideline formulary label policy literature record other"),
            "size_bytes": optional(count()),
        },
        payloads=frozenset({"document"}),
        rule=_document,
    ),
    EventType(
        "document.withdrawn",
        {
            "document_id": identifier(),
            "version": version(),
            "reason": one_of("superseded retracted error expired other"),
            "replaced_by": optional(identifier()),
        },
    ),
    EventType(
        "rag.version",
        {
            "index_id": identifier(),
            "version": version(),
            "manifest_hash": optional(sha256()),
            "documents": count(),
            "chunks": optional(count()),
            "embedding_model": optional(model_name()),
        },
    ),
    EventType(
        "eval.completed",
        {
            "eval_id": identifier(),
            "suite": identifier(),
            "suite_version": version(),
            "target": one_of("prompt model policy rag knowledge system"),
            "target_version": model_name(),
            "passed": flag(),
            "cases": count(),
            "failures": count(),
            "scores_micros": optional(scores(32)),
        },
        payloads=frozenset({"report"}),
        rule=_evaluation,
    ),
    EventType(
        "model.registered",
        {
            "provider": identifier(),
            "model": model_name(),
            "revision": optional(version()),
            "use": one_of("generation judge embedding detection other"),
            "weights_hash": optional(sha256()),
        },
        payloads=frozenset({"card"}),
    ),
    EventType(
        "incident.opened",
        {
            "incident_id": identifier(),
            "severity": one_of(_SEVERITIES),
            "category": one_of(_CATEGORIES),
            "aware_at": optional(moment()),
            "inference_id": optional(inference()),
            "serious": optional(one_of(_SERIOUS)),
            "persons": optional(count()),
        },
        payloads=frozenset({"description"}),
    ),
    EventType(
        "incident.updated",
        {
            "incident_id": identifier(),
            "severity": optional(one_of(_SEVERITIES)),
            "category": optional(one_of(_CATEGORIES)),
            "aware_at": optional(moment()),
            "serious": optional(one_of(_SERIOUS)),
            "persons": optional(count()),
        },
        payloads=frozenset({"description"}),
    ),
    EventType(
        "incident.closed",
        {
            "incident_id": identifier(),
            "outcome": one_of("resolved no_harm harm duplicate not_an_incident"),
            "reported_to": optional(several(one_of(_RECIPIENTS), 8)),
        },
        payloads=frozenset({"resolution"}),
    ),
    EventType(
        "disclosure.recorded",
        {
            "disclosure_id": identifier(),
            "recipient": one_of(_RECIPIENTS),
            "recipient_id": optional(identifier()),
            "purpose": one_of(
                "treatment payment operations patient_request law public_health research other"
            ),
            "items": optional(count()),
        },
        payloads=frozenset({"description"}),
        needs_subject=True,
    ),
    EventType(
        "notice.sent",
        {
            "notice_id": identifier(),
            "about": one_of("recall incident breach privacy model_change other"),
            "recipient": one_of(_RECIPIENTS),
            "channel": one_of("letter email phone portal in_person other"),
            "incident_id": optional(identifier()),
            "inference_id": optional(inference()),
        },
        payloads=frozenset({"text"}),
    ),
    EventType(
        "validation.recorded",
        {
            "pack": sha256(),
            "release": version(),
            "commit": optional(matching(r"[0-9a-f]{40}", "must be 40 hex digits")),
            "changed": flag(),
            "signer": model_name(),
            "key_id": matching(r"[0-9a-f]{8}", "must be 8 hex digits"),
            "requirements": outcomes(" ".join(OUTCOMES), MOST_REQUIREMENTS),
            "requirements_hash": sha256(),
            "bill_hash": sha256(),
            "tests_passed": count(),
            "tests_failed": count(),
            "tests_skipped": count(),
        },
    ),
    EventType(
        "validation.installed",
        {
            "release": version(),
            "python": version(),
            "pack": optional(sha256()),
            "checks": count(),
            "red": count(),
            "unknown": count(),
            "warnings": count(),
            "findings": optional(
                several(
                    matching(
                        r"[a-z0-9-]{1,40}\.[a-z0-9-]{1,40}:[A-Z][A-Z0-9_]{0,63}",
                        "must be a check of the doctor and its reason",
                    ),
                    MOST_FINDINGS,
                )
            ),
            "packages": count(),
            "packages_other": count(),
            "differ": optional(several(identifier(), MOST_FINDINGS)),
            "log": one_of("passed failed indeterminate not_verified"),
            "log_size": count(),
        },
        payloads=frozenset({"report"}),
        rule=_installation,
    ),
    EventType(
        "sla.defined",
        {
            "sla_id": identifier(),
            "metric": one_of("latency availability error_rate review_time cost"),
            "target_micros": count(),
            "window_seconds": count(366 * 86_400),
        },
    ),
    EventType(
        "sla.breached",
        {"sla_id": identifier(), "observed_micros": count(), "provider": optional(identifier())},
    ),
    EventType(
        "sla.recovered",
        {"sla_id": identifier(), "observed_micros": optional(count()), "provider": optional(identifier())},
    ),
)

EXTERNAL_TYPES: Final[Mapping[str, EventType]] = {kind.name: kind for kind in _TYPES}
"""Every type that may come from outside, by name."""

assert EXTERNAL_TYPES.keys() <= ENTRY_TYPES, "an event type is not an entry type"
