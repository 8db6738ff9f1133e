"""AuditEvent (HL7 FHIR R4, 4.0.1) of each entry of a log, after the patterns of IHE BALP. Pure.

Who did what when, for which purpose, about whom by pseudonym, and to what: nothing that is not in the entry, and
of its body the purpose alone. Whoever has the entries makes the same resources; what proves them is the log.
"""

from __future__ import annotations

from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.fhir.words import AI_ASSERTED, Resource, identifier

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_PURPOSE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ENTITY: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"

_EXPORT: Final = (_DICOM, "110106", "Export", "R")
_ACTIVITY: Final = (_DICOM, "110100", "Application Activity", "E")
_SECURITY: Final = (_DICOM, "110137", "User Security Attributes Changed", "U")
TYPES: Final = {
    "access.viewed": (_DICOM, "110110", "Patient Record", "R"),
    "access.revealed": (_DICOM, "110110", "Patient Record", "R"),
    "access.searched": (_DICOM, "110112", "Query", "E"),
    "access.exported": _EXPORT,
    "access.disclosed": _EXPORT,
    "report.disclosed": _EXPORT,
    "disclosure.recorded": _EXPORT,
    "access.denied": (_DICOM, "110113", "Security Alert", "E"),
    "inference.generated": (_LIFECYCLE, "originate", "Originate/Retain Record Lifecycle Event", "C"),
    "review.signed": (_LIFECYCLE, "verify", "Verify Record Lifecycle Event", "U"),
    "subject.erased": (_LIFECYCLE, "destroy", "Destroy/Delete Record Lifecycle Event", "D"),
}
PURPOSES: Final = frozenset(
    {
        *("TREAT", "ETREAT", "HPAYMT", "HOPERAT", "HQUALIMP", "PATSFTY", "PATRQT", "HCOMPL", "HLEGAL"),
        *("PUBHLTH", "HRESCH", "RECORDMGT", "HSYSADMIN"),
    }
)
"""Codes of HL7 v3 PurposeOfUse that entries name."""
_SECURITY_EVENTS: Final = ("key.", "user.", "credential.", "passkey.")
_BY_AI: Final = frozenset({"inference.generated", "inference.released", "inference.delivered"})


def audit_event(entry: Entry) -> Resource:
    """The resource of one entry; `recorded` is the log's time."""
    system, code, display, action = _type_of(entry.type)
    made: Resource = {
        "resourceType": "AuditEvent",
        "id": f"entry-{entry.index}",
        "type": {"system": system, "code": code, "display": display},
        "subtype": [{"system": f"https://{entry.origin}/entry-type", "code": entry.type}],
        "action": action,
        "recorded": entry.time,
        "outcome": "4" if entry.type == "access.denied" else "0",
        "agent": [{"who": _who(entry), "requestor": True}],
        "source": {"observer": {"display": entry.origin}},
        "entity": [
            _entity(entry, "entry", f"{entry.origin}#{entry.index}", "2", "13", "Security Resource"),
            _entity(entry, "stream", entry.stream, "2", "4", "Domain Resource"),
        ],
    }
    if entry.type in _BY_AI:
        made["meta"] = {"security": [dict(AI_ASSERTED)]}
    purpose = entry.body.get("purpose_of_use")
    if type(purpose) is str and purpose in PURPOSES:
        made["purposeOfEvent"] = [{"coding": [{"system": _PURPOSE, "code": purpose}]}]
    if entry.subject is not None:
        made["entity"].append(_entity(entry, "pseudonym", entry.subject, "1", "1", "Patient"))
    return made


def _type_of(name: str) -> tuple[str, str, str, str]:
    if name.startswith(_SECURITY_EVENTS):
        return _SECURITY
    return TYPES.get(name, _ACTIVITY)


def _who(entry: Entry) -> Resource:
    kind, _colon, name = entry.actor.partition(":")
    if kind == "human" and name:
        return {"type": "Practitioner", "identifier": identifier(entry.origin, "person", name)}
    if kind == "app" and name:
        return {"type": "Device", "identifier": identifier(entry.origin, "app", name)}
    return {"type": "Device", "identifier": identifier(entry.origin, "system", entry.actor)}


def _entity(entry: Entry, kind: str, value: str, type_: str, role: str, words: str) -> Resource:
    return {
        "what": {"identifier": identifier(entry.origin, kind, value)},
        "type": {"system": _ENTITY, "code": type_},
        "role": {"system": _ROLE, "code": role, "display": words},
    }
