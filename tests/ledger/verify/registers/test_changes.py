"""The change register: what stood at a time is told by the entries before it and by nothing after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from attending.ledger.canonical import parse_canonical
from attending.ledger.entry import Entry, format_time, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.registers import REGISTERS, Asked, Row, parse_asked, standing
from attending.ledger.verify.registers.register import as_csv

from tests.ledger.verify.conftest import LogBuilder

NEVER = "9999-01-01T00:00:00.000000Z"
GUIDELINE = "sha256:" + "ab" * 32


@pytest.fixture
def log() -> LogBuilder:
    """Two versions of a policy, one of which is retired, a guideline that is withdrawn, and three texts."""
    made = LogBuilder()
    made.append("policy.version", "policies", {"by": "bootstrap", "policies": {"plans": "11" * 32}})
    made.append("policy.activated", "policy:plans", {"name": "plans", "policy_hash": "11" * 32})
    document = {"document_id": "g-42", "version": "3", "public": True, "content_hash": GUIDELINE}
    made.append("document.registered", "emitter/a/b", document)
    made.append("prompt.label", "prompt:letter", {"name": "letter", "label": "live", "version": "v1"})
    text(made, "inf_1", public_documents=[GUIDELINE], policy_hash="11" * 32)
    made.append("inference.released", "inf_1", {"basis": "policy"})
    made.append("inference.delivered", "inf_1", {})
    made.append("policy.activated", "policy:plans", {"name": "plans", "policy_hash": "22" * 32})
    text(made, "inf_2", public_documents=[], policy_hash="22" * 32)
    made.append("document.withdrawn", "emitter/a/b", {**document, "reason": "retracted"})
    text(made, "inf_3", public_documents=[GUIDELINE[7:]], policy_hash="22" * 32)
    made.append("inference.withdrawn", "inf_1", {})
    made.append("policy.retired", "policy:plans", {"name": "plans", "policy_hash": "22" * 32})
    return made


def text(log: LogBuilder, stream: str, **body: object) -> None:
    log.append(
        "inference.requested", stream, {"model": "m", "rails": [{"name": "dose", "version": "7"}], **body}
    )
    answered = {"provider": "p", "model": "m", "fingerprint": "fp-1", "knowledge_hash": "33" * 32}
    log.append("inference.generated", stream, answered)


def entries(log: LogBuilder) -> Iterator[Entry]:
    return map(parse_entry, log.entries)


def rows(log: LogBuilder, **asked: Any) -> list[Row]:
    return list(REGISTERS["change"].rows(entries(log), replace(Asked(until=NEVER), **asked)))


def of(found: list[Row], name: str) -> list[Row]:
    return [row for row in found if row[0] == name]


def time_of(log: LogBuilder, index: int) -> str:
    return parse_entry(log.entries[index]).time


def test_what_was_in_force_is_what_was_put_there_and_not_taken_out(log: LogBuilder) -> None:
    assert [row[3:6] for row in of(rows(log), "in_force")] == [("prompt", "letter live", "v1")]
    first = next(e.index for e in entries(log) if e.body.get("policy_hash") == "22" * 32)
    before = of(rows(log, until=time_of(log, first)), "in_force")
    assert {row[3:6] for row in before} == {
        ("policy", "plans", "11" * 32),
        ("document", "g-42 3", GUIDELINE),
        ("prompt", "letter live", "v1"),
    }


def test_many_documents_leave_nothing_else_out_and_that_there_are_more_is_said(
    log: LogBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "MOST_STANDING", 2)
    for number in range(5):
        document = {"document_id": f"d-{number}", "version": "1", "content_hash": f"sha256:{number:064}"}
        log.append("document.registered", "emitter/a/b", document)
    log.append("policy.activated", "policy:late", {"name": "late", "policy_hash": "44" * 32})
    assert [row[3:5] for row in of(rows(log), "in_force")] == [
        ("document", "d-0 1"),
        ("document", "d-1 1"),
        ("document", "and at the most 3 more"),
        ("policy", "late"),
        ("prompt", "letter live"),
    ]


def test_a_change_counts_in_its_period_and_what_stands_rests_on_all_before(log: LogBuilder) -> None:
    found = rows(log, since=time_of(log, 4))
    assert [row[3] for row in of(found, "change")] == [
        "policy.activated",
        "document.withdrawn",
        "policy.retired",
    ]
    assert [row[3] for row in of(found, "in_force")] == ["prompt"]


@pytest.mark.parametrize("version", ["g-42", GUIDELINE, GUIDELINE[7:]])
def test_a_withdrawn_document_leads_to_the_texts_that_were_given_it(log: LogBuilder, version: str) -> None:
    found = of(rows(log, version=version), "output")
    assert [(row[3], row[4], row[7]) for row in found] == [
        ("document", "inf_1", "withdrawn after release; deliveries 1"),
        ("document", "inf_3", "generated; deliveries 0"),
    ]


@pytest.mark.parametrize(
    ("version", "saw", "streams"),
    [
        ("22" * 32, "policy_hash", ["inf_2", "inf_3"]),
        ("33" * 32, "knowledge_hash", ["inf_1", "inf_2", "inf_3"]),
        ("fp-1", "fingerprint", ["inf_1", "inf_2", "inf_3"]),
        ("7", "rail", ["inf_1", "inf_2", "inf_3"]),
        ("no-such", "", []),
    ],
)
def test_a_version_leads_to_the_texts_made_or_judged_by_it(
    log: LogBuilder, version: str, saw: str, streams: list[str]
) -> None:
    found = of(rows(log, version=version), "output")
    assert [row[4] for row in found] == streams
    assert {row[3] for row in found} <= {saw}


def test_models_and_rails_in_use_are_those_that_texts_name(log: LogBuilder) -> None:
    assert [(row[3:6], row[7]) for row in of(rows(log), "in_use")] == [
        (("model", "p m", "fp-1"), f"3 texts; last {generated(log, 'inf_3')}"),
        (("rail", "dose", "7"), f"3 texts; last {requested(log, 'inf_3')}"),
    ]


def generated(log: LogBuilder, stream: str) -> str:
    return next(e.time for e in entries(log) if (e.stream, e.type) == (stream, "inference.generated"))


def requested(log: LogBuilder, stream: str) -> str:
    return next(e.time for e in entries(log) if (e.stream, e.type) == (stream, "inference.requested"))


def test_a_hostile_body_is_listed_and_costs_nothing(log: LogBuilder) -> None:
    for body in ({}, {"name": 7, "policy_hash": []}, {"name": "=cmd()" + "x" * 9_000}):
        log.append("policy.activated", "policy:x", body)
        log.append(
            "inference.generated", "inf_9", {"rails": [None, {"name": {}}], "public_documents": 3, **body}
        )
    found = rows(log, version="x")
    assert all(len(str(cell)) <= 255 for row in found for cell in row)
    assert b"\n=" not in b"".join(map(as_csv, found))


def test_what_was_asked_is_read_again_as_it_was_written() -> None:
    asked = Asked(until=format_time(LogBuilder().clock), subjects=("sub_" + "a2" * 13,), version="x")
    assert parse_asked(asked.to_json()) == asked
    [line, _rest] = REGISTERS["change"].head(asked).split(b"\n")
    assert parse_canonical(line)["name"] == "change"


@pytest.mark.parametrize(
    "changed",
    [
        {"until": ""},
        {"until": "tomorrow"},
        {"subjects": ["MRN-1"]},
        {"subjects": "x"},
        {"version": 7},
        {"more": ""},
    ],
)
def test_a_question_that_is_none_is_refused(changed: dict[str, object]) -> None:
    good = Asked(until=NEVER).to_json()
    with pytest.raises(VerificationError):
        parse_asked({**good, **changed})
