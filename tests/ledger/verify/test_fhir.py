"""The entries of a bundle as FHIR: one AuditEvent an entry, where each released text comes from, and V20 over both."""

from __future__ import annotations

import json
import re
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.canonical import parse_canonical
from attending.ledger.entry import Commitment, Entry, parse_entry
from attending.ledger.errors import LedgerError
from attending.ledger.merkle import inclusion_proof
from attending.ledger.verify import Report, Status
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.fhir import fhir_lines
from attending.ledger.verify.manifest import FHIR
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.verify.test_statistics import JSON

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
GUIDELINE = "sha256:" + "ab" * 32
NOT_ALLOWED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What no string of FHIR R4 may hold."""


@pytest.fixture
def log(log: LogBuilder) -> LogBuilder:
    """A model with a card, a text that is signed and released, and one that policy released."""
    log.append("model.registered", "emitter/a/b", {"provider": "p", "model": "m-1"})
    log.append("prompt.version", "prompt:v2", {"name": "letter", "version": "v2"})
    doctor = log.enrol("dr-rivera")
    body = {
        "provider": "p",
        "model": "m-1",
        "prompt_version": "v2",
        "documents": 3,
        "public_documents": [GUIDELINE],
    }
    log.request("inf_signed", **body)
    output = log.payload("output_final", b"a text")
    answered = {"provider": "p", "model": "m-1", "fingerprint": "fp-9", "knowledge_hash": "33" * 32}
    log.append("inference.generated", "inf_signed", answered, payloads=[output])
    log.append(
        "inference.held", "inf_signed", {"sign_off": {"roles": ["clinician"], "count": 1}, "findings": {}}
    )
    log.sign("inf_signed", doctor, output)
    log.release("inf_signed", output)
    log.request("inf_plain")
    log.release("inf_plain", log.generate("inf_plain"), "policy")
    return log


def entries(log: LogBuilder) -> Iterator[Entry]:
    return map(parse_entry, log.entries)


def resources(lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


def of(log: LogBuilder, kind: str) -> list[dict[str, Any]]:
    return [one for one in resources(b"".join(fhir_lines(entries(log)))) if one["resourceType"] == kind]


def named(resource: dict[str, Any]) -> dict[str, list[str]]:
    """What its entities are: words to identifiers."""
    found: dict[str, list[str]] = {}
    for one in resource["entity"]:
        what = one["what"]
        found.setdefault(what["display"], []).append(what.get("identifier", {}).get("value"))
    return found


def test_every_entry_is_an_audit_event(log: LogBuilder) -> None:
    made = of(log, "AuditEvent")
    assert [one["subtype"][0]["code"] for one in made] == [entry.type for entry in entries(log)]
    assert [one["recorded"] for one in made] == [entry.time for entry in entries(log)]
    for one, entry in zip(made, entries(log), strict=True):
        patients = [it["what"]["identifier"]["value"] for it in one["entity"] if it["type"]["code"] == "1"]
        assert patients == ([entry.subject] if entry.subject else [])


def test_a_released_text_says_who_made_it_who_stands_for_it_and_out_of_what(log: LogBuilder) -> None:
    signed, plain = of(log, "Provenance")
    by_type = {entry.type: entry for entry in entries(log) if entry.stream == "inf_signed"}
    assert [one["code"] for one in signed["meta"]["security"]] == ["AIAST"]
    [model] = signed["contained"]
    assert model["deviceName"] == [{"name": "p/m-1", "type": "model-name"}]
    assert model["version"] == [{"value": "fp-9"}]
    agents = {one["type"]["coding"][0]["code"]: one["who"] for one in signed["agent"]}
    assert agents["author"] == {"reference": "#model"}
    assert agents["enterer"]["identifier"]["value"] == "portal"
    assert agents["verifier"]["identifier"]["value"] == "dr-rivera"
    [signature] = signed["signature"]
    assert signature["data"] == by_type["review.signed"].body["signature"]
    prompt = next(item for item in by_type["inference.requested"].commitments if item.kind == "prompt")
    place = {kind: f"{entry.origin}#{entry.index}" for kind, entry in by_type.items()}
    assert named(signed) == {
        "inference.requested": [place["inference.requested"]],
        "inference.released": [place["inference.released"]],
        "review.signed": [place["review.signed"]],
        "p": ["sha256:" + by_type["inference.requested"].body["policy_hash"]],
        "knowledge version": ["sha256:" + "33" * 32],
        "prompt version": ["v2"],
        "input prompt, by its commitment": [prompt.commitment],
        "public document": [GUIDELINE],
        "2 documents that are not named by their content": [None],
        "model card": [f"{log.origin}#0"],
    }
    assert [one["type"]["coding"][0]["code"] for one in plain["agent"]] == ["author", "enterer"]
    assert "signature" not in plain


def test_a_signature_over_another_text_and_a_refusal_stand_for_nothing(log: LogBuilder) -> None:
    doctor = log.enrol("dr-chen")
    text = log.hold("inf_other")
    log.sign("inf_other", doctor, log.payload("output_signed", b"edited"), edited=True)
    log.release("inf_other", text)
    made = of(log, "Provenance")[-1]
    assert "signature" not in made
    assert len(made["agent"]) == 2


def with_fhir(log: LogBuilder, path: Path) -> Path:
    return log.full(path, figures=True, fhir=True)


def test_a_bundle_holds_it_and_it_is_made_again(log: LogBuilder, tmp_path: Path) -> None:
    path = with_fhir(log, tmp_path / "a.attending")
    with zipfile.ZipFile(path) as archive:
        assert archive.read(FHIR) == b"".join(fhir_lines(entries(log)))
    report = log.verify(path)
    assert report.verdict is Status.PASSED
    assert any(FHIR in item.detail for item in report.results if item.check == "V20")
    assert [item.name for item in tmp_path.iterdir()] == ["a.attending"]


def test_of_a_range_the_context_says_what_a_text_was_made_of(log: LogBuilder, tmp_path: Path) -> None:
    at = {entry.type: entry.index for entry in entries(log) if entry.stream == "inf_signed"}
    before = [index for kind, index in at.items() if kind in ("inference.requested", "inference.generated")]
    size = len(log.entries)
    context = [(log.entries[index], inclusion_proof(index, size, log.node)) for index in before]
    path = log.range(
        tmp_path / "a.attending", at["inference.held"], size, context=context, figures=True, fhir=True
    )
    with zipfile.ZipFile(path) as archive:
        made = resources(archive.read(FHIR))
    assert made[0]["id"] == f"entry-{at['inference.held']}"
    provenance = next(one for one in made if one["resourceType"] == "Provenance")
    assert named(provenance)["prompt version"] == ["v2"]
    assert "model card" not in named(provenance), "that entry is not in the bundle"
    report = log.verify(path)
    assert [item.status for item in report.results if item.check == "V20"] == [Status.PASSED]
    chosen = log.subset(tmp_path / "b.attending", sorted(at.values()), figures=True, fhir=True)
    assert [item.status for item in log.verify(chosen).results if item.check == "V20"] == [Status.PASSED]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"dr-rivera"', b'"dr-chen"'),
        lambda data: b"\n".join(data.split(b"\n")[1:]),
        lambda data: data + data[: data.index(b"\n") + 1],
        lambda data: b"",
        lambda data: data[:-1],
    ],
)
def test_edited_lines_fail_at_the_manifest_and_signed_anew_at_what_the_entries_give(
    log: LogBuilder, tmp_path: Path, failed: Failed, change: Callable[[bytes], bytes]
) -> None:
    path = with_fhir(log, tmp_path / "a.attending")
    assert failed(log.verify(log.tamper(path, FHIR, change))) == {"V1": {None}}
    again = log.tamper(with_fhir(log, tmp_path / "b.attending"), FHIR, change, resign=True)
    assert failed(log.verify(again)) == {"V20": {None}}


def test_what_cannot_be_written_leaves_nothing(log: LogBuilder, tmp_path: Path) -> None:
    broken = [*log.entries, b"no entry"]
    with pytest.raises(LedgerError):
        log._write(
            *(tmp_path / "a.attending", Scope.FULL, 0, len(broken), broken),
            checkpoint_note=log.checkpoint(),
            fhir=True,
        )
    assert list(tmp_path.iterdir()) == []


BODIES = st.dictionaries(
    st.sampled_from(
        [
            *(
                "provider",
                "model",
                "calling_app",
                "policy",
                "policy_hash",
                "prompt_version",
                "documents",
                "fingerprint",
            ),
            *(
                "public_documents",
                "knowledge_hash",
                "text_commitment",
                "statement",
                "signature",
                "purpose_of_use",
            ),
        ]
    ),
    JSON
    | st.lists(st.sampled_from([GUIDELINE, "ab" * 32, "x"]), max_size=3)
    | st.fixed_dictionaries(
        {"text_commitment": st.sampled_from(["cd" * 32, 7]), "signer": JSON, "role": JSON},
        optional={"time": st.sampled_from(["2026-11-01T08:00:00.000000Z", "2026-02-30T08:00:00.000000Z", 1])},
    )
    | st.sampled_from(["cd" * 32, "TREAT", b64encode(b"signature").decode(), "QQ=", "Zm9=", 3, -4, True]),
    max_size=8,
)
TYPES = [
    *(
        "model.registered",
        "inference.requested",
        "inference.generated",
        "review.facts_added",
        "review.signed",
    ),
    *("inference.released", "inference.blocked", "access.viewed", "access.denied", "key.enrolled"),
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(TYPES),
            st.sampled_from(["inf_1", "inf_2", "x" * 70, "a/b"]),
            BODIES,
            st.sampled_from(["human:dr", "human:", "app:a:b", "app", "system:x", "Müller"]),
            st.sampled_from(["prompt", "prompt_sent", "other"]),
        ),
        max_size=10,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_bodies_hold_both_verifiers_make_the_same_of_it(
    make_log: type[LogBuilder],
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[str, str, dict[str, Any], str, str]],
) -> None:
    """The page is told each of these bundles too (tests/browser)."""
    log = make_log()
    for kind, stream, body, actor, payload in made:
        sealed = Commitment(payload, f"rec_{len(log.entries)}", "ab" * 32, "cd" * 32)
        log.append(kind, stream, body, actor=actor, payloads=[sealed])
    path = with_fhir(log, tmp_path_factory.mktemp("fhir") / "a.attending")
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(FHIR).splitlines()
    for line in lines:
        parse_canonical(line)
        assert not any(NOT_ALLOWED.search(text) for text in texts(json.loads(line)))
        assert all(texts(json.loads(line)))
    assert {item.status for item in log.verify(path).results if item.check == "V20"} == {Status.PASSED}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
