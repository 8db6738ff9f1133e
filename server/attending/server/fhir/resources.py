"""Task, DocumentReference and Provenance (HL7 FHIR R4, 4.0.1) of one inference, out of its entries. Pure.

The text is tagged `AIAST` (v3-ObservationValue: artificial intelligence asserted) in `meta.security` and in
`securityLabel`, as HL7's AI Transparency guide has it; the model is the Device that authored, each signer a
Practitioner who verified, and the entry of each signature is named, with which the log's proofs show it. A Task holds
the subject that the application named and no other personal content; a person is told by their name in the log.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.fhir import Provenances, Resource
from attending.ledger.verify.fhir.provenance import device
from attending.ledger.verify.fhir.words import AI_ASSERTED, identifier

_PATIENT: Final = re.compile(r"(?:Patient/)([A-Za-z0-9.-]{1,64})")
_PRIORITY: Final = {"routine": "routine", "urgent": "urgent", "emergency": "stat", "stat": "stat"}


@dataclass(frozen=True, slots=True)
class Record:
    """All of one inference that a resource may hold. `item` is its row of the queue, None where none was held; `text`
    is set only when it is released and may be given; `subject_ref` is what the application called the patient.
    """

    entries: Sequence[Entry]
    inference: Mapping[str, Any]
    item: Mapping[str, Any] | None
    subject_ref: str | None = field(repr=False)
    text: str | None = field(repr=False, default=None)

    @property
    def origin(self) -> str:
        return self.entries[0].origin

    @property
    def base(self) -> str:
        """What the resources' addresses begin with: the log's name, as an address. Nothing need answer there."""
        return f"https://{self.origin}/fhir"

    def newest(self, kind: str) -> Entry | None:
        found = [entry for entry in self.entries if entry.type == kind]
        return found[-1] if found else None

    def signatures(self) -> list[Entry]:
        """Of the text that was released: not those of a refusal, and none of a text that was changed after."""
        released = self.newest("inference.released")
        if released is None:
            return []
        record = released.body.get("text_record")
        return [
            entry
            for entry in self.entries
            if entry.type == "review.signed"
            and entry.body["statement"]["record"] == record
            and entry.body["statement"]["meaning"] != "rejected"
        ]


def bundle(record: Record) -> Resource:
    """A collection of what there is: the Task of a held text, and of a released one the text with its provenance."""
    found = [task(record), document(record)]
    if found[1] is not None:
        found.append(provenance(record))
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": record.entries[-1].time,
        "entry": [
            {"fullUrl": f"{record.base}/{one['resourceType']}/{one['id']}", "resource": one}
            for one in found
            if one is not None
        ],
    }


def task(record: Record) -> Resource | None:
    """The review as a Task; None for a text that no person was to look at."""
    item = record.item
    if item is None:
        return None
    made: Resource = {
        "resourceType": "Task",
        "id": id_of(item["ticket_id"]),
        "identifier": [_identifier(record, "ticket", item["ticket_id"])],
        "status": status_of(item),
        "businessStatus": {"text": item["state"]},
        "intent": "order",
        "priority": _PRIORITY.get(item["urgency"], "routine"),
        "code": {"text": "Review of a text drafted by artificial intelligence"},
        "description": f"Policy {item['policy']}",
        "authoredOn": item["held_at"],
        "lastModified": record.entries[-1].time,
        "requester": {
            "type": "Device",
            "identifier": _identifier(record, "app", record.inference["calling_app"]),
        },
        "performerType": [{"text": role} for role in item["sign_off_roles"].split(",") if role],
        "restriction": {"period": {"start": item["held_at"], "end": item["expires_at"]}},
        **_subject(record, "for"),
    }
    if not made["performerType"]:
        del made["performerType"]
    who = item["claimed_by"] or item["assigned_to"]
    if who:
        made["owner"] = {"type": "Practitioner", "identifier": _identifier(record, "person", who)}
    if record.text is not None:
        made["focus"] = {"reference": f"DocumentReference/{_document_id(record)}"}
    return made


def status_of(item: Mapping[str, Any]) -> str:
    """Task status (R4) of a row of the queue. A block, which nobody can sign for, is rejected from the start."""
    match item["state"]:
        case "held":
            if item["claimed_by"]:
                return "in-progress"
            return "accepted" if item["assigned_to"] else "requested"
        case "released" | "withdrawn":
            return "completed"
        case "expired":
            return "cancelled"
        case _:
            return "rejected"


def document(record: Record) -> Resource | None:
    """The released text; a withdrawn one without its text, as entered in error. None for any other."""
    state, released = record.inference["state"], record.newest("inference.released")
    if released is None or (state == "released" and record.text is None):
        return None
    attachment: Resource = {"contentType": "text/plain; charset=utf-8", "title": record.inference["policy"]}
    if record.text is not None:
        data = record.text.encode()
        attachment |= {
            "data": base64.b64encode(data).decode(),
            "size": len(data),
            # SHA-1 because R4 says so; what proves the text is its commitment in the log.
            "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
        }
    else:
        # R4 asks for an attachment, and of what was taken back nothing is given.
        attachment["title"] += " (withdrawn)"
    made: Resource = {
        "resourceType": "DocumentReference",
        "id": _document_id(record),
        "meta": {"security": [dict(AI_ASSERTED)]},
        "contained": [_model(record)],
        "identifier": [_identifier(record, "inference", released.stream)],
        "status": "current" if state == "released" else "entered-in-error",
        "docStatus": "final" if state == "released" else "entered-in-error",
        "type": {"text": record.inference["policy"]},
        "date": released.time,
        "author": [{"reference": "#model"}],
        "securityLabel": [{"coding": [dict(AI_ASSERTED)]}],
        "content": [{"attachment": attachment}],
        **_subject(record, "subject"),
    }
    if signatures := record.signatures():
        signer = signatures[-1].body["statement"]["signer"]
        made["authenticator"] = {"type": "Practitioner", "identifier": _identifier(record, "person", signer)}
    return made


def provenance(record: Record) -> Resource:
    """Who made the text of `document` and who stands for it, and what it was made from."""
    courses = Provenances()
    [made] = [one for entry in record.entries if (one := courses.visit(entry)) is not None]
    return made


def as_json(resource: Resource) -> str:
    return json.dumps(resource, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def id_of(name: str) -> str:
    """An id of ours as one of FHIR, which knows no underscore."""
    return name.replace("_", "-")


def _document_id(record: Record) -> str:
    return id_of(record.entries[0].stream)


def _model(record: Record) -> Resource:
    return device(record.origin, f"{record.inference['provider']}/{record.inference['model']}")


def _subject(record: Record, key: str) -> Resource:
    """The patient as the application named them: a reference to a Patient, or an identifier of its own."""
    ref = record.subject_ref
    if ref is None:
        return {}
    if (found := _PATIENT.fullmatch(ref)) is not None:
        return {key: {"reference": f"Patient/{found[1]}", "type": "Patient"}}
    return {key: {"type": "Patient", "identifier": {"value": ref}}}


def _identifier(record: Record, kind: str, value: str) -> Resource:
    return identifier(record.origin, kind, value)
