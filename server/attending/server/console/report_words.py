"""Reports in words: what each kind answers, how one stands, and what happened to it."""

from __future__ import annotations

from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.report_signature import DISCARDED, DISCLOSED, ISSUED, REQUESTED, SIGNED_OFF
from attending.server.phi.purpose import Purpose
from attending.server.reports.kinds import KINDS
from attending.server.reports.particulars import Kind

SENTENCES: Final[dict[Kind, str]] = {
    Kind.REGULATOR: "A period, or chosen inferences, with every figure: systems in use, decisions, human oversight, "
    "guardrails, exceptions, incidents, privacy, and the control matrix.",
    Kind.DOSSIER: "One output: which prompt, policy and model made it, what was checked, who decided and signed.",
    Kind.CHANGE: "What was in force at the end of a period, what changed in it, and which outputs saw a version.",
    Kind.ACCOUNTING: "To whom what was disclosed about one person, six years back at the most (45 CFR 164.528).",
    Kind.ACCESS: "Who looked at what about one person, when, why, and by what right.",
    Kind.INCIDENT: "Incidents: what was done when, which clock asks for what by when, what is late.",
    Kind.CERTIFICATES: "What was erased or removed at the end of its retention, by whose word, and what is held.",
    Kind.GUARDRAILS: "How each rail and each kind of finding fared, by subgroup where applications tell one.",
    Kind.VALIDATION: "What was tested and what not, what is installed, what is in force with its evaluation, and "
    "hazards with what was seen of them.",
}
TITLES: Final = {kind.value: KINDS[kind].title for kind in Kind}
PURPOSES: Final = (
    ("audit", "An audit of our own"),
    ("regulator_request", "A regulator asks"),
    ("patient_request", "A patient asks"),
    ("quality", "Quality"),
    ("incident", "An incident"),
)
FIELDS: Final = {
    "inference_id": ("Inference", "inf_…, as the application or the item shows it"),
    "policy": ("Use case", "name of a policy"),
    "prompt_version": ("Prompt version", "as the registry names it"),
    "model": ("Model", "that answered"),
    "subject": ("Person", "pseudonym, sub_…: never a name or a number of a record"),
    "clinician": ("Signed by", "name of an identity"),
    "version": ("Version or document", "a hash, a name, or a document's id"),
    "incident": ("Incident", "the id that it was opened with"),
    "group": ("Subgroups by the tag", "such as age_band"),
}
"""What narrows a report: its label, and what is to be written there."""
STANDINGS: Final = {
    "making": "is being made",
    "failed": "could not be made",
    "ready": "waits for sign-off",
    "signed_off": "signed off, not issued",
    "issued": "issued",
    "discarded": "discarded",
}
SHOWN: Final = {
    "requested": "that wait for sign-off",
    "signed_off": "signed off, not issued",
    "issued": "issued",
    "discarded": "discarded",
}
"""What of the list may be asked for."""
VERDICTS: Final = {
    "passed": "The evidence verifies",
    "failed": "The evidence does not verify",
    "indeterminate": "The evidence does not decide everything",
    "not_applicable": "There is no evidence",
}
MEANINGS: Final = {"approved_for_issue": "approved for issue"}
_GIVEN: Final = {"report": "Report given", "draft": "Draft given", "bundle": "Evidence given"}


def event(entry: Entry) -> str:
    """What an entry of a report's life says."""
    body = entry.body
    if entry.type == REQUESTED:
        return "Asked for by the calendar" if body.get("schedule") else "Asked for"
    if entry.type == DISCLOSED:
        return _GIVEN.get(body["what"], "A file given")
    if entry.type == SIGNED_OFF:
        passkey = str(body.get("algorithm", "")).startswith("webauthn-")
        return f"Signed off with {'a passkey' if passkey else 'a key that is no passkey'}"
    if entry.type == ISSUED:
        return "Issued and sealed" if "seal" in body else "Issued without a seal"
    if entry.type == DISCARDED:
        return "Discarded: nobody signed it off in time" if body["reason"] == "not_signed" else "Discarded"
    return entry.type


def hash_of(entry: Entry) -> str:
    """The hash of the file that an entry is about, empty where it is about none."""
    body = entry.body
    if entry.type == SIGNED_OFF:
        return str(body["statement"]["draft"])
    return str(body.get({DISCLOSED: "sha256", ISSUED: "pdf"}.get(entry.type, ""), ""))


def purpose_of(entry: Entry) -> str:
    """The purpose of use that an entry names, in words; empty where it names none."""
    code = str(entry.body.get("purpose_of_use"))
    if code not in [*Purpose]:
        return ""
    return Purpose(code).name.lower().replace("_", " ")
