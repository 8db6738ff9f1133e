"""Rows of oversight out of entries. What is a person's own figure lies in the vault and stands in no row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact

_ITEMS, _SIGNATURES = projections.review_item, projections.review_signature
_DISPOSITIONS, _ALARMS = projections.finding_disposition, projections.oversight_alarm
_DRAWS, _READS = projections.oversight_draw, projections.second_read
READING: Final = "oversight.reading"
"""Type of the entry under whose payload it lies how long somebody read."""
READING_KIND: Final = "peer_review"
"""Kind of that payload."""


def reading_stream(name: str) -> str:
    """Of one person's readings. It is no inference's, so that no policy's retention lengthens theirs."""
    return f"oversight/reading/{name}"


def signed(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """One signature, with what there was to read."""
    statement, item = fact.body["statement"], read(_ITEMS, {"ticket_id": fact.body["ticket"]})
    if item is None:
        raise KeyError("ticket")
    reading = fact.body.get("reading") or {}
    values = {
        "inference_id": fact.stream,
        "ticket_id": fact.body["ticket"],
        "policy": item["policy"],
        "signer": statement["signer"],
        "role": statement["role"],
        "meaning": statement["meaning"],
        "signed_at": fact.time,
        "severity_rank": item["severity_rank"],
        "tier": reading.get("tier"),
        "words": reading.get("words"),
        "floor_seconds": reading.get("floor_seconds"),
        "short": reading.get("short"),
        "reason": reading.get("reason_code"),
        "raised": reading.get("raised"),
        # Of a signature from before readings had an entry of their own.
        "reading_record": fact.records.get(READING_KIND),
    }
    return [RowWrite(_SIGNATURES, {"nonce": statement["nonce"]}, values)]


def reading(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Where it lies how long the signer read."""
    values = {"reading_record": fact.records.get(READING_KIND)}
    return [RowWrite(_SIGNATURES, {"nonce": fact.body["nonce"]}, values)]


def disposed(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """What somebody made of a finding; a later word of theirs on the same one replaces it. After facts were added, the
    same number is another finding, of another run.
    """
    body, item = fact.body, read(_ITEMS, {"ticket_id": fact.body["ticket"]})
    if item is None:
        raise KeyError("ticket")
    if "code" not in body:
        return ()
    key = {
        "ticket_id": body["ticket"],
        "run": item.get("result_record") or "",
        "finding": body["finding"],
        "who": fact.actor.partition(":")[2],
    }
    values = {
        "policy": item["policy"],
        "rail": body["rail"],
        "code": body["code"],
        "severity": body["severity"],
        "disposition": body["disposition"],
        "reason": body["reason_code"],
        "made_at": fact.time,
    }
    return [RowWrite(_DISPOSITIONS, key, values)]


def draw_committed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    values = {"committed_index": fact.index, "committed_at": fact.time}
    return [RowWrite(_DRAWS, {"draw_id": fact.body["draw"]}, values)]


def draw_opened(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    values = {"opened_index": fact.index, "seed": fact.body["seed"], "salt": fact.body["salt"]}
    return [RowWrite(_DRAWS, {"draw_id": fact.body["draw"]}, values)]


def sampled(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A released text waits for a second read."""
    body = fact.body
    values = {
        "inference_id": fact.stream,
        "draw_id": body["draw"],
        "policy": body["policy"],
        "severity_rank": body["severity_rank"],
        "raised": body["raised"],
        "basis": body["basis"],
        "first": body["first"],
        "signers": ",".join(body["signers"]),
        "sampled_at": fact.time,
    }
    return [RowWrite(_READS, {"read_id": body["read"]}, values)]


def read_again(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    values = {
        "reader": fact.actor.partition(":")[2],
        "answer": fact.body["answer"],
        "reason": fact.body["reason_code"],
        "read_at": fact.time,
    }
    return [RowWrite(_READS, {"read_id": fact.body["read"]}, values)]


def alarmed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    values = {
        "user": fact.body["user"],
        "count": fact.body["count"],
        "because": ",".join(fact.body["because"]),
        "raised_at": fact.time,
    }
    return [RowWrite(_ALARMS, {"alarm_id": fact.body["alarm"]}, values)]
