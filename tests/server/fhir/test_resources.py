"""The Task follows the review, the text is tagged and attributed, and nobody else's name or word is in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from attending.ledger.entry import Entry
from attending.ledger.verify.fhir import Resource
from attending.ledger.verify.fhir.audit_event import PURPOSES
from attending.server.fhir.gather import find, gather
from attending.server.fhir.resources import bundle, status_of
from attending.server.phi.purpose import Purpose
from attending.server.recall.desk import Recalls

from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.review.conftest import Ward, gate, policies, ward
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

__all__ = ["gate", "policies", "ward"]

PATIENT = "Patient/p-17"


async def resources(ward: Ward, name: str) -> dict[str, Resource]:
    """By type; each at the address that its references resolve against."""
    inference = await find(ward.gate.ledger, TENANT, name)
    made = bundle(await gather(ward.gate.ledger, TENANT, inference))
    json.dumps(made)
    for entry in made["entry"]:
        one = entry["resource"]
        assert entry["fullUrl"] == f"https://test.example/clinic/fhir/{one['resourceType']}/{one['id']}"
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in made["entry"]}


async def signed(ward: Ward, text: str | None = None) -> str:
    """A text that was held, signed and released; its ticket."""
    ticket = ticket_of(await held(ward, subject_ref=PATIENT))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed" if text else "accepted_risk")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, text, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    return ticket


def security(resource: Resource) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = resource["meta"]["security"]
    return found


async def test_the_task_follows_the_review(ward: Ward) -> None:
    ticket = ticket_of(await held(ward, subject_ref=PATIENT))
    made = await resources(ward, ticket)
    assert made.keys() == {"Task"}, "of a text that is not released nothing is given"
    task = made["Task"]
    assert task["status"] == "requested"
    assert task["for"] == {"reference": PATIENT, "type": "Patient"}
    assert task["id"] == ticket.replace("_", "-")
    assert "HOLD" not in json.dumps(made)
    lease = await claim(ward, ticket, ward.rivera)
    task = (await resources(ward, ticket))["Task"]
    assert (task["status"], task["owner"]["identifier"]["value"]) == ("in-progress", "rivera")
    await ward.desk.reassign(ward.rivera.principal, ticket, lease, "chen", "workload", "", fresh())  # type: ignore[arg-type]
    task = (await resources(ward, ticket))["Task"]
    assert (task["status"], task["owner"]["identifier"]["value"]) == ("accepted", "chen")
    ward.gate.clock.advance(days=90)
    await ward.desk.expire_due(TENANT, "srv-test")
    assert (await resources(ward, ticket))["Task"]["status"] == "cancelled"


async def test_a_signed_text_names_model_and_signer_and_is_tagged(ward: Ward) -> None:
    ticket = await signed(ward, "A safe text")
    made = await resources(ward, ticket)
    assert made.keys() == {"Task", "DocumentReference", "Provenance"}
    task, document, provenance = (made[kind] for kind in ("Task", "DocumentReference", "Provenance"))
    assert task["status"] == "completed"
    assert task["focus"] == provenance["target"][0] == {"reference": f"DocumentReference/{document['id']}"}
    for one in (document, provenance):
        assert [coding["code"] for coding in security(one)] == ["AIAST"]
        assert one["contained"][0]["deviceName"] == [{"name": "scripted/scripted-1", "type": "model-name"}]
    content = document["content"][0]["attachment"]
    assert base64.b64decode(content["data"]) == b"A safe text"
    assert (document["status"], document["docStatus"]) == ("current", "final")
    assert document["subject"]["reference"] == PATIENT
    assert document["authenticator"]["identifier"]["value"] == "rivera"
    roles = {agent["type"]["coding"][0]["code"]: agent for agent in provenance["agent"]}
    assert roles["author"]["who"] == {"reference": "#model"}
    assert roles["verifier"]["who"]["identifier"]["value"] == "rivera"
    entries = await entries_of(ward, ticket)
    [statement] = [entry for entry in entries if entry.type == "review.signed"]
    [signature] = provenance["signature"]
    assert signature["data"] == statement.body["signature"]
    named = [one["what"]["identifier"]["value"] for one in provenance["entity"]]
    assert f"{statement.origin}#{statement.index}" in named
    assert "HOLD this text" not in json.dumps(made), "what the model first wrote is given to nobody"


async def test_what_policy_released_has_no_verifier(ward: Ward) -> None:
    ward.gate.provider.text = "Your visit is on Tuesday."
    outcome = await ward.gate.pipeline.infer(CALLER, infer_call(), key("letter"))
    made = await resources(ward, outcome.inference_id)
    assert made.keys() == {"DocumentReference", "Provenance"}
    types = [agent["type"]["coding"][0]["code"] for agent in made["Provenance"]["agent"]]
    assert types == ["author", "enterer"]
    assert "authenticator" not in made["DocumentReference"]
    assert "signature" not in made["Provenance"]
    assert "subject" not in made["DocumentReference"]


async def test_what_was_withdrawn_is_entered_in_error_and_without_its_text(ward: Ward) -> None:
    ticket = await signed(ward)
    inference = await find(ward.gate.ledger, TENANT, ticket)
    recalls = Recalls(ward.gate.ledger, ward.gate.changes, ward.gate.clock)
    await recalls.withdraw(ward.rivera.principal, inference["inference_id"], "unsafe", "", key("recall"))
    made = await resources(ward, ticket)
    document = made["DocumentReference"]
    assert (document["status"], document["docStatus"]) == ("entered-in-error", "entered-in-error")
    assert "data" not in document["content"][0]["attachment"]
    assert "HOLD this text" not in json.dumps(made)
    assert made["Task"]["status"] == "completed"


async def test_a_refused_text_is_nowhere(ward: Ward) -> None:
    ticket = ticket_of(await held(ward, subject_ref="MRN 12345"))
    lease = await claim(ward, ticket, ward.rivera)
    await ward.desk.reject(ward.rivera.principal, ticket, lease, "wrong", "", fresh())  # type: ignore[arg-type]
    made = await resources(ward, ticket)
    assert made.keys() == {"Task"}
    assert made["Task"]["status"] == "rejected"
    # What is no reference of FHIR is an identifier, as it was given.
    assert made["Task"]["for"] == {"type": "Patient", "identifier": {"value": "MRN 12345"}}


async def test_a_signature_of_a_text_that_was_changed_after_is_none_of_the_released_one(ward: Ward) -> None:
    ticket = await signed(ward, "A safe text")
    inference = await find(ward.gate.ledger, TENANT, ticket)
    record = await gather(ward.gate.ledger, TENANT, inference)
    [entry] = record.signatures()
    other = {**entry.body["statement"], "record": "rec_other"}
    changed = [
        _with(one, {**one.body, "statement": other}) if one is entry else one for one in record.entries
    ]
    assert replace(record, entries=changed).signatures() == []


def _with(entry: Entry, body: Mapping[str, Any]) -> Entry:
    return replace(entry, body=body)


async def entries_of(ward: Ward, ticket: str) -> list[Entry]:
    inference = await find(ward.gate.ledger, TENANT, ticket)
    return await ward.gate.ledger.whole_stream(TENANT, inference["inference_id"])


def test_every_state_of_a_row_has_a_status() -> None:
    row = {"claimed_by": None, "assigned_to": None}
    found = {
        state: status_of({**row, "state": state})
        for state in ("held", "released", "withdrawn", "rejected", "expired", "blocked")
    }
    assert found == {
        "held": "requested",
        "released": "completed",
        "withdrawn": "completed",
        "rejected": "rejected",
        "expired": "cancelled",
        "blocked": "rejected",
    }


def test_the_purposes_of_audit_events_are_those_of_the_server() -> None:
    assert {purpose.value for purpose in Purpose} == PURPOSES
