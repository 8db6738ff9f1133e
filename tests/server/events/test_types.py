"""The table of events from outside: every type takes a full body and a bare one, and nothing that could be prose."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import ENTRY_TYPES
from attending.server.errors import InvalidRequest
from attending.server.events.check import checked_events
from attending.server.events.types import EXTERNAL_TYPES
from attending.v1 import ledger_pb2
from hypothesis import given
from hypothesis import strategies as st

INFERENCE = "inf_" + "0123456789abcdef" * 2
HASH = "sha256:" + "ab" * 32
BODIES: dict[str, dict[str, Any]] = {
    "feedback.recorded": {
        "inference_id": INFERENCE,
        "source": "carer",
        "rating": "unsafe",
        "score": 0,
        "categories": ["tone", "dose"],
    },
    "document.registered": {
        "document_id": "nice-ng28",
        "version": "2026-01",
        "public": True,
        "content_hash": HASH,
        "source": "guideline",
        "size_bytes": 12,
    },
    "document.withdrawn": {
        "document_id": "nice-ng28",
        "version": "2026-01",
        "reason": "superseded",
        "replaced_by": "nice-ng28b",
    },
    "rag.version": {
        "index_id": "guidelines",
        "version": "17",
        "manifest_hash": HASH,
        "documents": 4,
        "chunks": 90,
        "embedding_model": "BAAI/bge-small:v1.5",
    },
    "eval.completed": {
        "eval_id": "e-1",
        "suite": "dangerous",
        "suite_version": "3",
        "target": "prompt",
        "target_version": HASH,
        "passed": False,
        "cases": 10,
        "failures": 10,
        "scores_micros": {"recall": 970_000, "delta": -4},
    },
    "model.registered": {
        "provider": "local",
        "model": "org/model-7b",
        "revision": "a1",
        "use": "judge",
        "weights_hash": HASH,
    },
    "incident.opened": {
        "incident_id": "i-1",
        "severity": "major",
        "category": "privacy",
        "aware_at": "2026-11-03T09:00:00.000000Z",
        "inference_id": INFERENCE,
        "serious": "other",
        "persons": 12,
    },
    "incident.updated": {
        "incident_id": "i-1",
        "severity": "critical",
        "category": "privacy",
        "aware_at": "2026-11-03T09:00:00.000000Z",
        "serious": "death",
        "persons": 512,
    },
    "incident.closed": {"incident_id": "i-1", "outcome": "no_harm", "reported_to": ["regulator", "patient"]},
    "disclosure.recorded": {
        "disclosure_id": "d-1",
        "recipient": "court",
        "recipient_id": "r-1",
        "purpose": "law",
        "items": 3,
    },
    "notice.sent": {
        "notice_id": "n-1",
        "about": "recall",
        "recipient": "patient",
        "channel": "letter",
        "incident_id": "i-1",
        "inference_id": INFERENCE,
    },
    "validation.recorded": {
        "pack": HASH,
        "release": "0.1.0",
        "commit": "0123456789" * 4,
        "changed": False,
        "signer": "validation.example",
        "key_id": "0123abcd",
        "requirements": {"fail-closed-rails": "proved", "durable-power": "not_run"},
        "requirements_hash": HASH,
        "bill_hash": HASH,
        "tests_passed": 7,
        "tests_failed": 0,
        "tests_skipped": 1,
    },
    "validation.installed": {
        "release": "0.1.0",
        "python": "3.11.2",
        "pack": HASH,
        "checks": 9,
        "red": 1,
        "unknown": 0,
        "warnings": 1,
        "findings": ["tls.server-certificate:CERTIFICATE_EXPIRES", "clock.kept:CLOCK_NOT_KEPT"],
        "packages": 150,
        "packages_other": 1,
        "differ": ["grpcio"],
        "log": "passed",
        "log_size": 12,
    },
    "sla.defined": {"sla_id": "s-1", "metric": "latency", "target_micros": 5, "window_seconds": 60},
    "sla.breached": {"sla_id": "s-1", "observed_micros": 6, "provider": "local"},
    "sla.recovered": {"sla_id": "s-1", "observed_micros": 4, "provider": "local"},
}


PROSE: tuple[Any, ...] = (
    *("Mr Smith takes 5 mg", "Zebulon Quackenbush", " ", "", "a\x00", "\u0430", "x" * 200),
    *(None, [], {}),
)


def checked(kind: str, body: object, payloads: tuple[str, ...] = (), subject: str = "MRN-1") -> None:
    checked_events(
        [
            ledger_pb2.Event(
                sequence=1,
                type=kind,
                body=json.dumps(body).encode(),
                subject_ref=subject,
                payloads=[ledger_pb2.EventPayload(kind=name, content=b"x") for name in payloads],
            )
        ],
        1,
    )


def refused(kind: str, body: object, **more: Any) -> set[str]:
    with pytest.raises(InvalidRequest) as caught:
        checked(kind, body, **more)
    return {field.removeprefix("events[0].") for field, _expected in caught.value.field_violations}


def test_the_table_is_closed_and_apart_from_what_the_server_writes() -> None:
    assert EXTERNAL_TYPES.keys() == BODIES.keys()
    assert EXTERNAL_TYPES.keys() <= ENTRY_TYPES
    sources = {name.split(".")[0] for name in EXTERNAL_TYPES}
    own = (
        "inference review key policy system subject hold prompt access user break_glass report recall session"
    )
    assert not sources & set(own.split())


def test_the_page_on_the_wire_lists_the_table() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z]+\.[a-z]+)` \| (.*?) \|$", page, re.MULTILINE))
    assert rows.keys() == EXTERNAL_TYPES.keys()
    for name, event in EXTERNAL_TYPES.items():
        keys, payloads = rows[name].split(" | ")
        assert keys.split(", ") == [f"`{k}`" + "?" * (not key.required) for k, key in event.keys.items()]
        listed = payloads.removesuffix("; needs `subject_ref`")
        assert ("subject_ref" in payloads) == event.needs_subject
        assert listed == (", ".join(f"`{kind}`" for kind in sorted(event.payloads)) or "none")


@pytest.mark.parametrize("kind", BODIES)
def test_a_full_and_a_bare_body_are_taken(kind: str) -> None:
    event = EXTERNAL_TYPES[kind]
    assert BODIES[kind].keys() == event.keys.keys()
    checked(kind, BODIES[kind], tuple(event.payloads))
    bare = {name: value for name, value in BODIES[kind].items() if event.keys[name].required}
    if kind == "document.registered":
        bare["public"] = False
    checked(kind, bare)


@pytest.mark.parametrize("kind", BODIES)
def test_each_key_is_wanted_or_optional_and_none_is_free(kind: str) -> None:
    event = EXTERNAL_TYPES[kind]
    for name, key in event.keys.items():
        without = {other: value for other, value in BODIES[kind].items() if other != name}
        if key.required:
            assert refused(kind, without) == {f"body.{name}"}
        # Whatever it is for, words about a person do not fit.
        for prose in PROSE:
            assert refused(kind, {**BODIES[kind], name: prose}) == {f"body.{name}"}, prose
    assert refused(kind, {**BODIES[kind], "note": "x"}) == {"body"}
    assert refused(kind, BODIES[kind], payloads=("other",)) == {"payloads"}


def test_a_document_that_is_not_public_is_not_named_by_its_hash() -> None:
    body = BODIES["document.registered"]
    assert refused("document.registered", {**body, "public": False}) == {"body.content_hash"}
    del (bare := dict(body))["content_hash"]
    assert refused("document.registered", bare) == {"body.content_hash"}


def test_a_disclosure_is_about_somebody_and_failures_are_cases() -> None:
    assert refused("disclosure.recorded", BODIES["disclosure.recorded"], subject=" ") == {"subject_ref"}
    assert refused("eval.completed", {**BODIES["eval.completed"], "failures": 11}) == {"body.failures"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(
    kind=st.sampled_from(sorted(BODIES)) | st.text(max_size=20),
    body=JSON | st.sampled_from(sorted(BODIES)).map(BODIES.get),
    change=st.dictionaries(
        st.sampled_from(["rating", "public", "cases", "failures", "categories"]), JSON, max_size=2
    ),
)
def test_whatever_comes_is_taken_whole_or_refused_with_reasons(kind: str, body: Any, change: Any) -> None:
    if isinstance(body, dict):
        body = {**body, **change}
    event = ledger_pb2.Event(sequence=1, type=kind, body=json.dumps(body).encode())
    wrong: list[tuple[str, str]] = []
    made = []
    try:
        made = checked_events([event], 1)
    except InvalidRequest as err:
        wrong = err.field_violations
    assert bool(made) != bool(wrong)
    assert all(field.startswith("events[0].") for field, _ in wrong)
    assert [item.body for item in made] == [body] * len(made)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_body_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        checked_events([ledger_pb2.Event(sequence=1, type="sla.breached", body=raw)], 1)
