"""Two independent validators find nothing wrong with what is exported, and something with every mutant of it."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Entry
from attending.ledger.verify.fhir import fhir_lines
from attending.ledger.verify.fhir.audit_event import TYPES
from attending.server.fhir.gather import find, gather
from attending.server.fhir.resources import bundle
from attending.server.recall.desk import Recalls

from tests.server.fhir.fhir_server import FhirServer, running
from tests.server.fhir.test_push import done, outbox, push, writing
from tests.server.fhir.test_resources import PATIENT, signed
from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.review.conftest import Ward, gate, policies, ward
from tests.server.review.test_desk import claim, held, ticket_of

__all__ = ["gate", "policies", "ward"]

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (HERE / "node_modules" / "fhir").exists(), reason="make test-browser installs them"
    ),
]
Change = Callable[[dict[str, Any]], object]


def problems(resources: list[dict[str, Any]]) -> list[list[str]]:
    """What both say of each."""
    lines = "\n".join(json.dumps(resource) for resource in resources)
    done = subprocess.run(
        ["node", str(HERE / "fhir.mjs")],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


async def made(ward: Ward, name: str) -> dict[str, Any]:
    return bundle(await gather(ward.gate.ledger, TENANT, await find(ward.gate.ledger, TENANT, name)))


async def test_both_find_nothing_wrong(ward: Ward) -> None:
    waiting = ticket_of(await held(ward, subject_ref=PATIENT))
    claimed = ticket_of(await held(ward, subject_ref="MRN 12345"))
    await claim(ward, claimed, ward.rivera)
    edited, withdrawn = await signed(ward, "A safe text"), await signed(ward)
    recalls = Recalls(ward.gate.ledger, ward.gate.changes, ward.gate.clock)
    taken_back = await find(ward.gate.ledger, TENANT, withdrawn)
    await recalls.withdraw(ward.rivera.principal, taken_back["inference_id"], "unsafe", "", key("recall"))
    ward.gate.provider.text = "Your visit is on Tuesday."
    letter = (await ward.gate.pipeline.infer(CALLER, infer_call(), key("letter"))).inference_id
    bundles = [await made(ward, name) for name in (waiting, claimed, edited, withdrawn, letter)]
    resources = [*bundles, *(entry["resource"] for one in bundles for entry in one["entry"])]
    assert problems(resources) == [[] for _ in resources]


def lines_of(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The lines of `fhir.ndjson` in a bundle of these."""
    return [json.loads(line) for lines in fhir_lines(entries) for line in lines.splitlines()]


async def test_both_find_nothing_wrong_with_the_file_of_a_bundle_and_something_with_its_mutants(
    ward: Ward,
) -> None:
    ward.gate.provider.text = "Your visit is on Tuesday."
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("letter"))
    await signed(ward, "A safe text")
    entries = list(await ward.gate.ledger.list_entries(TENANT, 0, 1_000))
    # An entry of each kind that has a code of its own, as the log would hold it; and texts of which little is known.
    kinds = [*TYPES, "key.enrolled", "system.started"]
    entries += [replace(entries[0], type=kind, subject=None) for kind in kinds]
    entries.append(replace(entries[0], type="inference.released", stream="x" * 70, body={}))
    hostile = {"calling_app": "\x01", "policy": [], "documents": 5, "statement": {"signer": "\u2028"}}
    for kind in ("inference.requested", "review.signed", "inference.released"):
        entries.append(replace(entries[0], type=kind, stream="inf_hostile", body=hostile))
    resources = lines_of(entries)
    assert sum(one["resourceType"] == "Provenance" for one in resources) == 4
    assert problems(resources) == [[] for _ in resources]
    event = next(one for one in resources if one["resourceType"] == "AuditEvent")
    released = next(one for one in resources if "signature" in one)
    mutants: list[tuple[dict[str, Any], Change]] = [
        (event, lambda one: one.update(action="X")),
        (event, lambda one: one.pop("source")),
        (event, lambda one: one.update(agent=[])),
        (event, lambda one: one.pop("recorded")),
        (event, lambda one: one.update(outcome="9")),
        (event, lambda one: one["agent"][0].pop("requestor")),
        (released, lambda one: one.pop("target")),
        (released, lambda one: one.update(recorded="yesterday")),
        (released, lambda one: one["contained"][0]["version"].append({"number": "1"})),
        (released, lambda one: one["entity"][0].pop("what")),
        (released, lambda one: one["entity"][0].update(role="origin")),
        (released, lambda one: one["signature"][0].pop("when")),
        (released, lambda one: one["agent"][1].update(who="somebody")),
    ]
    changed = []
    for one, mutant in mutants:
        changed.append(copy.deepcopy(one))
        if "contained" in changed[-1]:
            changed[-1]["contained"][0].setdefault("version", [])
        mutant(changed[-1])
    assert [number for number, said in enumerate(problems(changed)) if not said] == []


async def test_both_find_nothing_wrong_with_what_a_record_system_has(ward: Ward, tmp_path: Path) -> None:
    with running(FhirServer()) as server:
        async with writing(outbox(push(server, ward, tmp_path), ward)):
            await signed(ward, "A safe text")
            await held(ward, subject_ref="MRN 12345")
            withdrawn = await find(ward.gate.ledger, TENANT, await signed(ward))
            recalls = Recalls(ward.gate.ledger, ward.gate.changes, ward.gate.clock)
            await recalls.withdraw(
                ward.rivera.principal, withdrawn["inference_id"], "unsafe", "", key("recall")
            )
            await done(ward)
        sent = [body for _place, _headers, body in server.got]
    assert {one["resourceType"] for one in sent} == {"Task", "DocumentReference", "Provenance"}
    assert problems(sent) == [[] for _ in sent]


async def test_every_mutant_is_caught(ward: Ward) -> None:
    parts = {
        entry["resource"]["resourceType"]: entry["resource"]
        for entry in (await made(ward, await signed(ward, "A safe text")))["entry"]
    }
    mutants: list[tuple[str, Change]] = [
        ("Task", lambda one: one.update(status="done")),
        ("Task", lambda one: one.update(intent="wish")),
        ("Task", lambda one: one.pop("status")),
        ("Task", lambda one: one.update(authoredOn="yesterday")),
        ("DocumentReference", lambda one: one.update(status="final")),
        ("DocumentReference", lambda one: one.pop("content")),
        ("DocumentReference", lambda one: one.update(date="2026-11-23")),
        ("DocumentReference", lambda one: one.update(verdict="safe")),
        ("Provenance", lambda one: one.pop("target")),
        ("Provenance", lambda one: one["agent"][0].pop("who")),
        ("Provenance", lambda one: one["entity"][0].update(role="origin")),
        ("Provenance", lambda one: one["signature"][0].pop("type")),
    ]
    changed = []
    for kind, change in mutants:
        one = copy.deepcopy(parts[kind])
        change(one)
        changed.append(one)
    found = problems(changed)
    assert [number for number, said in enumerate(found) if not said] == []
