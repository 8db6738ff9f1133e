"""A log with an entry of every type there is, in bodies as the server writes them: what the mutants are made of.

It is lawful as a whole: every rule over the meaning of entries holds, so that what a mutant breaks is the mutation's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from attending.ledger.draw import COMMITTED, OPENED, Case, Rates, is_drawn
from attending.ledger.entry import AFTER_SEAL, format_time
from attending.ledger.report_signature import report_stream
from attending.ledger.review_signature import Meaning

from tests.ledger.verify.conftest import POLICY_HASH, START, SUBJECT, LogBuilder, Reviewer
from tests.ledger.verify.test_examinations import examined
from tests.ledger.verify.test_passkeys import Signer
from tests.ledger.verify.test_practice import ITEM, KEY, SEEDED
from tests.ledger.verify.test_report_sign_offs import REPORT, issue, sign

_OTHER: Final = "sub_" + "b7" * 13
_THIRD: Final = "sub_" + "c3" * 13
_HASH: Final = "c1" * 32
_PROMPT: Final = f"sha256:{_HASH}"
_SEED: Final = bytes(range(32))
_RATES: Final = Rates({"p": 1000})


def story() -> LogBuilder:
    """The log."""
    log = LogBuilder()
    predecessor = LogBuilder("log.example/before")
    body = {
        "predecessor": predecessor.origin,
        "predecessor_key": str(predecessor.vkey),
        "root": _HASH,
        "size": 7,
    }
    log.append("log.continued", "log", body)
    log.append("system.started", "system", {"mode": "embedded", "version": "1.0.0", "logs": ["clinic"]})
    _versions(log)
    people = _people(log)
    _unheld(log)
    _streamed(log)
    _drawn(log)
    _reviewed(log, people)
    _blinded(log, people)
    _broken_glass(log)
    _practised(log)
    _outside(log)
    _offices(log, people)
    _custody(log)
    log.rotate(5)
    log.append("system.stopped", "system", {"appends": [{"acknowledged": 9, "log": "clinic", "unknown": 0}]})
    sealed = {"successor": "log.example/after", "successor_key": str(LogBuilder("log.example/after").vkey)}
    log.append("log.sealed", "log", sealed)
    _after_the_seal(log)
    return log


def _versions(log: LogBuilder) -> None:
    """What is in force: policies, drug knowledge, models, documents, prompts."""
    kept = {
        "policies": {"p": POLICY_HASH},
        "knowledge_hash": _HASH,
        "by": "bootstrap",
        "installed_by": "olga",
    }
    log.append("policy.version", "policies", kept)
    version = {"policy_hash": _HASH, "version": "2.0", "by": "two_people"}
    log.append("policy.version", "policy:q", version, actor="human:olga")
    log.append("policy.activated", "policy:q", version, actor="human:saida")
    log.append("policy.retired", "policy:q", {"policy_hash": _HASH}, actor="human:saida")
    pack = {"knowledge_hash": _HASH, "by": "two_people", "sources": ["label"]}
    log.append("knowledge.version", "knowledge", pack, actor="human:olga")
    active = log.append("knowledge.activated", "knowledge", pack, actor="human:saida")
    log.append("knowledge.attested", "knowledge", {"knowledge_hash": _HASH, "cases": 12})
    rejudged = {"activation": active.index, "days": 30, "judged": 4, "skipped": {"no_text": 1}, "proposed": 1}
    log.append("knowledge.rejudged", "knowledge/rejudged", {"knowledge_hash": _HASH, **rejudged})
    for event, more in (("registered", {"use": "generation"}), ("approved", {}), ("retired", {})):
        body = {"provider": "replay", "model": "clinic-1", "revision": "3", **more}
        log.append(f"model.{event}", "model:clinic-1", body)
    index = {"index_id": "guidelines", "version": "4", "documents": 2, "chunks": 40}
    log.append("rag.version", "rag:guidelines", index)
    document = {"document_id": "nice-ng12", "version": "4", "public": True, "content_hash": _HASH}
    log.append("document.registered", "document:nice-ng12", {**document, "source": "guideline"})
    log.append(
        "document.withdrawn", "document:nice-ng12", {"document_id": "nice-ng12", "reason": "superseded"}
    )
    suite = {"eval_id": "ev1", "suite": "s", "target": "prompt", "passed": True, "cases": 9, "failures": 0}
    log.append("eval.completed", "eval:ev1", {**suite, "scores_micros": {"recall": 980_000}})
    results = {"fail-closed-rails": "proved", "durable-power": "not_run"}
    tests = {"tests_passed": 7, "tests_failed": 0, "tests_skipped": 1}
    tested: dict[str, object] = {
        "pack": f"sha256:{_HASH}",
        "release": "0.1.0",
        "changed": False,
        "signer": "us",
        "key_id": "0123abcd",
    }
    log.append("validation.recorded", "validation", {**tested, "requirements": results, **tests})
    checks: dict[str, object] = {
        "checks": 9,
        "red": 0,
        "unknown": 0,
        "warnings": 1,
        "findings": ["clock.kept:NOT_KEPT"],
    }
    installed = {"release": "0.1.0", "packages": 150, "packages_other": 0, "log": "passed", "log_size": 12}
    log.append("validation.installed", "validation", {**checks, **installed})
    template = log.payload("prompt", b"Write a letter to {{recipient}}.")
    prompt = {"name": "letter", "version": _PROMPT, "variables": ["recipient"]}
    log.append("prompt.version", f"prompt:letter:{_PROMPT}", prompt, payloads=[template])
    label = {"name": "letter", "label": "live", "version": _PROMPT, "previous": None}
    log.append("prompt.label", "prompt-label:letter:live", label)


def _people(log: LogBuilder) -> dict[str, Reviewer]:
    for event in ("enrolled", "proofed"):
        log.append(
            f"user.{event}", "user:ann", {"user": "ann", "roles": ["clinician"], "document": "passport"}
        )
    people = {user: log.enrol(user) for user in ("ann", "li", "eve")}
    people["ada"] = log.enrol("ada", "auditor")
    people["prv-ito"] = log.enrol("prv-ito", "privacy_officer")
    gone = log.enrol("dr-gone")
    log.append("key.revoked", f"key:{gone.key_id}", {"key_id": gone.key_id, "reason": "left"})
    log.append("credential.revoked", "credential:c", {"credential": "c", "user": "dr-gone"})
    log.append("user.revoked", "user:dr-gone", {"user": "dr-gone"})
    passkey = Signer(log)
    passkey.invite()
    passkey.bind()
    log.append("credential.bound", "credential:inv_1", {"credential": "inv_1", "user": "dr-okafor"})
    log.append("session.started", "session/1", {"concurrent": 0, "factor": "passkey"}, actor="human:ann")
    return people


def _unheld(log: LogBuilder) -> None:
    """What needs nobody, or goes to nobody."""
    put = next(at for at, data in enumerate(log.entries) if b'"type":"knowledge.activated"' in data)
    log.request("inf_plain", provider="replay", model="clinic-1", prompt_version=_PROMPT, tags={"team": "a"})
    text = log.generate("inf_plain")
    log.release("inf_plain", text, "policy")
    log.append("inference.delivered", "inf_plain", {"attempt": 1}, actor="app:portal")
    proposed = {
        "activation": put,
        "knowledge_hash": _HASH,
        "policy": "p",
        "released_by": "policy",
        "now": "hold",
    }
    log.append("recall.proposed", "inf_plain", {**proposed, "codes": ["DOSE_HIGH"], "deliveries": 1})
    log.append(
        "recall.dismissed", "inf_plain", {"reason_code": "not_relevant", "activation": put}, actor="human:ann"
    )
    log.append("inference.withdrawn", "inf_plain", {"reason_code": "guideline"}, actor="human:ann")
    log.append("recall.acknowledged", "inf_plain", {"delivery": 1}, actor="app:portal")
    log.append("feedback.recorded", "inf_plain", {"inference_id": "inf_plain", "rating": "helpful"})
    log.request("inf_blocked")
    log.append(
        "inference.blocked", "inf_blocked", {"stage": "input", "findings": {"by_severity": {"major": 1}}}
    )
    log.request("inf_failed")
    log.append("inference.failed", "inf_failed", {"reason": "PROVIDER"})
    log.request("inf_left")
    log.append("inference.abandoned", "inf_left", {"reason": "owner_gone"})
    log.append("inference.late", "inf_left", {"tokens": 7})
    log.append("inference.reconciled", "inf_left", {"cost_micros": 12})


def _streamed(log: LogBuilder) -> None:
    log.request("inf_stream")
    log.append("inference.stream_opened", "inf_stream", {"window_tokens": 64})
    log.append("inference.stream_window", "inf_stream", {"window": 1, "verdict": "pass"})
    log.release("inf_stream", log.generate("inf_stream"), "policy")
    log.append("inference.stream_closed", "inf_stream", {"windows": 1})


def _drawn(log: LogBuilder) -> None:
    seed = log.payload("draw_seed", _SEED)
    log.append(COMMITTED, "oversight/draw", {"draw": "drw_1", "rates": _RATES.to_json()}, payloads=[seed])
    log.request("inf_drawn")
    log.release("inf_drawn", log.generate("inf_drawn"), "policy")
    assert is_drawn(_SEED, Case("inf_drawn", "p", 0), _RATES)
    salt = log.openings[seed.record].salt.hex()
    log.append(OPENED, "oversight/draw", {"draw": "drw_1", "seed": _SEED.hex(), "salt": salt})
    log.append("review.sampled", "inf_drawn", {"draw": "drw_1"})
    log.append("review.second_read", "inf_drawn", {"draw": "drw_1", "agrees": True}, actor="human:li")


def _held(log: LogBuilder, stream: str, **body: Any) -> Any:
    log.request(stream)
    text = log.generate(stream)
    sign_off = {"roles": ["clinician"], "count": 1, **body.pop("sign_off", {})}
    log.append("inference.held", stream, {"findings": {"major": 1}, "sign_off": sign_off, **body})
    return text


def _reviewed(log: LogBuilder, people: Mapping[str, Reviewer]) -> None:
    text = _held(log, "inf_held", oversight={"own_view_first": True}, to_dispose=[0])

    def by(who: str, event: str, body: Mapping[str, Any], **more: Any) -> None:
        log.append(f"review.{event}", "inf_held", body, actor=f"human:{who}", **more)

    by("ann", "claimed", {"lease": format_time(log.clock), "renewed": False})
    by("ann", "escalated", {"to_role": "clinician", "reason_code": "second_look"})
    by("eve", "reassigned", {"to": "li"})
    by("li", "claimed", {"lease": format_time(log.clock), "renewed": False})
    by("li", "opinion_recorded", {"assessment": "safe", "codes": [{"code": "A", "sure": True}]})
    by("li", "disposed", {"finding": 0, "disposition": "fixed", "severity": "major", "alike": _HASH})
    facts = log.payload("facts", b"eGFR 60")
    by("li", "facts_added", {"to_dispose": [0], "kinds": ["lab"]}, payloads=[facts])
    signed = log.statement("inf_held", people["li"], text)
    key = people["li"].key
    reading = {"characters": 90, "short": False, "raised": False, "tier": "standard", "tag": "peer_review"}
    body = {
        "statement": signed.to_json(),
        "key_id": signed.key_id,
        "signature": _signature(key, signed.message()),
    }
    by("li", "signed", {**body, "reading": reading})
    log.append("oversight.reading", "inf_held", {"nonce": signed.nonce, "tag": "peer_review"})
    log.release("inf_held", text)
    text = _held(log, "inf_refused")
    log.sign("inf_refused", people["ann"], text, meaning=Meaning.REJECTED, disposed=0)
    log.append("review.rejected", "inf_refused", {"reason_code": "dose"})
    _held(log, "inf_old")
    log.append("review.expired", "inf_old", {"after_seconds": 86_400})
    log.append("oversight.alarm", "oversight/alarm", {"alarm": "velocity", "user": "ann", "per_hour": 70})
    log.append("finding.suppressed", "finding:a", {"digest": _HASH, "days": 30})


def _blinded(log: LogBuilder, people: Mapping[str, Reviewer]) -> None:
    text = log.hold("inf_blind", count=2, blinded=True)
    edited = log.payload("output_signed", b"edited")
    log.sign("inf_blind", people["ann"], edited, edited=True)
    log.sign("inf_blind", people["li"], text, meaning=Meaning.REJECTED, disposed=0)
    log.sign("inf_blind", people["eve"], edited, edited=True)
    log.append("review.adjudicated", "inf_blind", {"agrees_with": ["ann"], "between": ["ann", "li"]})
    log.release("inf_blind", edited)


def _broken_glass(log: LogBuilder) -> None:
    permit = {"roles": ["clinician"], "review_within_hours": 24}
    text = log.hold("inf_glass", count=2, break_glass=permit)
    due = format_time(log.clock + timedelta(hours=24))
    body = {"ticket": "tkt_1", "role": "clinician", "review_due": due, "text_commitment": text.commitment}
    log.append("break_glass.used", "inf_glass", body, actor="human:ann")
    log.release("inf_glass", text, "break_glass")
    log.append("break_glass.reviewed", "inf_glass", {"ticket": "tkt_1", "justified": True}, actor="human:li")
    log.append("break_glass.ended", "emergency/1", {"access": "emg_1"}, actor="human:ann")


def _practised(log: LogBuilder) -> None:
    log.hold(SEEDED)
    body = {"mode": "seeded", "item": ITEM, "key": KEY.hex(), "answer": "not_read", "right": None}
    log.append("oversight.debriefed", SEEDED, body, actor="human:ann")


def _outside(log: LogBuilder) -> None:
    """Events, sessions, money, notices, incidents."""
    emitter = {"emitter": {"id": "e", "sequence": 1}}
    log.append(
        "incident.opened",
        "emitter/app:x/e",
        {"incident_id": "i1", "severity": "major", **emitter},
        actor="app:x",
    )
    log.append("session.ended", "emitter/app:x/e", {"emitter": {"id": "e"}, "issued": 1}, actor="app:x")
    log.append("incident.closed", "incident:i1", {"incident_id": "i1", "outcome": "mended"})
    log.append("access.viewed", "inf_plain", {"payloads": ["prompt", "output_final"]}, actor="human:ann")
    log.append("access.searched", "searches", {"by": ["subject"], "found": 2}, actor="human:ann")
    log.append(
        "access.revealed", "inf_plain", {"placeholders": 1, "reason_code": "identity"}, actor="human:ann"
    )
    disclosed = {"host": "fhir.example", "recipient": "ehr", "resources": ["AuditEvent"], "text": True}
    log.append("access.disclosed", "disclosed/ehr/inf_plain/9", disclosed, subject=SUBJECT)
    log.append("budget.changed", "budget:team", {"limit_micros": 9_000_000, "window": "month"})
    log.append("budget.exceeded", "budget:team", {"spent_micros": 9_000_001, "refused": 1})
    for event in ("defined", "breached", "recovered"):
        log.append(f"sla.{event}", "sla:p", {"policy": "p", "minutes": 30, "waiting": 1})
    log.append(
        "disclosure.recorded", "disclosure:1", {"recipient": "court", "purpose": "order"}, subject=SUBJECT
    )
    log.append("disclosure.suspended", "disclosure:1", {"days": 30, "oral": True}, subject=SUBJECT)
    log.append(
        "notice.due",
        "due/sla_over/tkt_1",
        {"about": "sla_over", "due_at": format_time(log.clock), "ref": "tkt_1"},
    )
    log.append("notice.sent", "notices/desk", {"about": 3, "target": "desk"})
    dead = {
        "about": 4,
        "attempts": 9,
        "event": "sla.breached",
        "index": 7,
        "notice": "n1",
        "reason": "HTTP_500",
    }
    settled = {"dead": [dead], "delivered": [3], "kind": "webhook", "target": "desk", "through": 9}
    log.append("notice.settled", "notices/desk", settled)
    log.append(
        "notice.retried", "notices/desk", {"about": 4, "notice": "n1", "target": "desk"}, actor="human:olga"
    )
    log.append("notice.tested", "notices/desk", {"target": "desk"}, actor="human:olga")
    counts = {
        "matched": 40,
        "matched_by_tokens": 1,
        "unanswered": 0,
        "bypassed": 2,
        "differing": 0,
        "missing": 1,
    }
    period = {"from": format_time(START), "to": format_time(log.clock), "outside_period": 3}
    compared = {"provider": "replay", "file_sha256": _HASH, "tree_size": 90, "records": 46, "calls": 42}
    log.append("usage.reconciled", "usage", {**compared, **period, **counts}, actor="human:olga")
    log.append("system.halted", "halt:policy:r", {"policy": "r", "reason_code": "drill"}, actor="human:olga")
    log.append("system.resumed", "halt:policy:r", {"policy": "r"}, actor="human:saida")


def _offices(log: LogBuilder, people: Mapping[str, Reviewer]) -> None:
    """A report that is signed off, and an examination of the log so far."""
    log.append(
        "report.requested", report_stream(REPORT), {"report": REPORT, "kind": "regulator", "tree_size": 7}
    )
    sign(log, people["ada"])
    issue(log)
    disclosed = {"report": REPORT, "what": "report", "sha256": _HASH, "purpose_of_use": "regulator"}
    log.append("report.disclosed", report_stream(REPORT), disclosed, actor="human:ada")
    unwanted = "rpt_" + "2" * 32
    log.append(
        "report.requested", report_stream(unwanted), {"report": unwanted, "kind": "regulator", "tree_size": 7}
    )
    discarded = {"report": unwanted, "reason": "not_wanted"}
    log.append("report.discarded", report_stream(unwanted), discarded, actor="human:ada")
    log.append("access.denied", "denied", {"count": 3, "action": "export"})
    log.append("access.exported", "exports", {"payloads": True, "entries": 40}, actor="human:prv-ito")
    examined(log, people["prv-ito"])


def _custody(log: LogBuilder) -> None:
    def about(kind: str, subject: str, **body: Any) -> None:
        log.append(kind, f"subject/{subject}", {"approved_by": "olga", **body}, subject=subject)

    about("subject.linked", _OTHER, other=_THIRD)
    about("subject.linked", _THIRD, other=_OTHER)
    about("subject.unlinked", _OTHER, other=_THIRD)
    about("subject.unlinked", _THIRD, other=_OTHER)
    hold = {"hold": "hold_1", "ground": "litigation"}
    about("hold.placed", _OTHER, **hold)
    about("hold.lifted", _OTHER, **hold, placed=len(log.entries) - 1)
    erasure = {"closure": 1, "counted_to": 9, "erasure": "era_1", "key_id": "ab" * 8, "reason": "gdpr_17"}
    about("subject.erased", _OTHER, **erasure, records={"prompt": 2})
    pruned = {"entries": [[1, 2], [4, 6]], "minimum": 6, "records": {"prompt": 1}, "rules_hash": _HASH}
    log.append("payload.pruned", "retention", {"approved_by": "olga", **pruned})


def _after_the_seal(log: LogBuilder) -> None:
    assert "hold.placed" in AFTER_SEAL
    body = {"approved_by": None, "hold": "hold_2", "ground": "investigation"}
    log.append("hold.placed", f"subject/{_THIRD}", body, subject=_THIRD)


def _signature(key: Any, message: bytes) -> str:
    from base64 import b64encode

    return b64encode(key.sign(message)).decode()
