"""Rows of the table `inference` out of its entries: one row an inference, following its stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.inference.states import State
from attending.server.replay.fact import Fact

_CLOSED: Final = {"inference.failed": State.FAILED, "inference.abandoned": State.ABANDONED}
_ENDED: Final = {
    "review.rejected": State.REJECTED,
    "review.expired": State.EXPIRED,
    "oversight.debriefed": State.DEBRIEFED,
}


def requested(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """The row begins; also for what the input rails block in the same append."""
    body, tags = fact.body, fact.body["tags"]
    return _write(
        fact,
        {
            "state": State.RECEIVED.value,
            "entry_point": body["entry_point"],
            "owner": body["owner"],
            "calling_app": body["calling_app"],
            "on_behalf_of": body["on_behalf_of"],
            "subject": fact.subject,
            "policy": body["policy"],
            "policy_hash": _content_hash(body["policy_hash"]),
            "recipient": body["recipient"],
            "release_requires": body["release_requires"],
            "requested_index": fact.index,
            "requested_at": fact.time,
            "prompt_version": body["prompt_version"],
            "provider": body["provider"],
            "model": body["model"],
            "request_record": fact.records["request"],
            "not_enforced": False,
            "team": tags.get("team"),
            "feature": tags.get("feature"),
        },
    )


def generated(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """What the model gave; the verdict over it is the next entry of the same append."""
    body, usage = fact.body, fact.body["usage"]
    return _write(
        fact,
        {
            "knowledge_hash": _content_hash(body["knowledge_hash"]),
            "model": body["model"],
            "result_record": body["result_record"],
            "text_record": body["text_record"],
            "input_tokens": usage["input_tokens"],
            "output_tokens": usage["output_tokens"],
            "cost_micros": usage["cost_micros"],
            "cost_currency": usage["currency"],
            "cost_basis": usage["basis"],
        },
    )


def released(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """By policy, or signed: then the text and what the checks say of it may be the edited ones."""
    values: dict[str, Any] = {"text_record": fact.body["text_record"], "reason": None}
    for name in ("not_enforced", "result_record"):
        if name in fact.body:
            values[name] = fact.body[name]
    return _decide(fact, State.RELEASED, values)


def held(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return _decide(fact, State.HELD, {"reason": "NEEDS_REVIEW"})


def blocked(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A blocked prompt has a result of its own, a blocked text that of `inference.generated`."""
    if fact.body["stage"] == "input":
        return _decide(
            fact, State.BLOCKED, {"reason": "INPUT_BLOCKED", "result_record": fact.records["result"]}
        )
    return _decide(fact, State.BLOCKED, {"reason": "OUTPUT_BLOCKED"})


def reported(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """What the checks found, by code: of a text, and of a prompt that was blocked for it."""
    findings = fact.body.get("findings") or {}
    return [
        RowWrite(projections.reported_code, {"inference_id": fact.stream, "code": code}, {"number": number})
        for code, number in findings.get("by_code", {}).items()
    ]


def closed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Failed or abandoned, without a text."""
    return _decide(fact, _CLOSED[fact.type], {"reason": fact.body["reason"]})


def ended_by_review(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Rejected, expired, or debriefed."""
    state = _ENDED[fact.type]
    return _decide(fact, state, {"reason": state.name})


def withdrawn(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A recall changes what is released, not when and how it was decided."""
    return _write(fact, {"state": State.WITHDRAWN.value})


def _decide(fact: Fact, state: State, values: Mapping[str, Any]) -> Sequence[RowWrite]:
    decided = {"state": state.value, "decided_index": fact.index, "decided_at": fact.time}
    return _write(fact, {**decided, **values})


def _write(fact: Fact, values: Mapping[str, Any]) -> Sequence[RowWrite]:
    return [RowWrite(projections.inference, {"inference_id": fact.stream}, values)]


def _content_hash(digits: str) -> str:
    """Entries name a content hash by its hex digits alone; empty where no check looked at the text."""
    return f"sha256:{digits}" if digits else ""
