"""The accounting of disclosures of one person's information (45 CFR 164.528), out of the entries about them.

`disclosure` are those that an accounting has: date, recipient and address as far as they are on record, what, and why.
`left_out` says how many were not listed and why: for treatment, payment and operations, to the person, and with their
consent (164.528(a)(1)(i)-(v)). What was looked at inside is a use and no disclosure; the access report has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.tally import label, number

COLUMNS: Final = ("list", "entry", "time", "recipient", "address", "what", "purpose", "record", "by")
TYPES: Final = frozenset({"disclosure.recorded", "access.exported", "access.disclosed"})
"""Types of entries by which content leaves."""
YEARS: Final = 6
"""45 CFR 164.528(a)(3)."""

_LEFT_OUT: Final = {
    "treatment": "treatment",
    "payment": "payment",
    "operations": "health care operations",
    "patient_request": "asked for or permitted by the person",
    "TREAT": "treatment",
    "ETREAT": "treatment",
    "HPAYMT": "payment",
    "HOPERAT": "health care operations",
    "HQUALIMP": "health care operations",
    "PATSFTY": "health care operations",
    "RECORDMGT": "health care operations",
    "HSYSADMIN": "health care operations",
    "PATRQT": "asked for or permitted by the person",
}
_WORDS: Final = {
    "HCOMPL": "oversight",
    "HLEGAL": "legal proceedings",
    "PUBHLTH": "public health",
    "HRESCH": "research",
    "law": "required by law",
    "public_health": "public health",
}
UNKNOWN: Final = "not on record"


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """Each disclosure as it comes, then what was left out."""
    subjects, left_out = frozenset(asked.subjects), Counter[str]()
    for entry in entries:
        if entry.subject not in subjects or entry.type not in TYPES or not asked.within(entry.time):
            continue
        if entry.type == "access.exported" and not _with_content(entry):
            continue
        why = left_out_because(entry)
        if why is None:
            yield _row(entry)
        else:
            left_out[why] += 1
    for why, count in sorted(left_out.items()):
        yield ("left_out", None, None, None, None, why, None, None, count)


def left_out_because(entry: Entry) -> str | None:
    """Why a disclosure is not accounted for, None where it is. An unknown purpose is accounted for."""
    recipient = entry.body.get("recipient")
    if entry.type == "disclosure.recorded" and recipient == "patient":
        return "to the person"
    if entry.type == "disclosure.recorded" and recipient == "carer":
        return "to who is involved in the person's care"
    return _LEFT_OUT.get(_purpose(entry))


def _with_content(entry: Entry) -> bool:
    """Whether a copy that left held content: one of a bundle says so, resources always do."""
    return entry.body.get("payloads") is True or entry.body.get("what") == "fhir"


def _row(entry: Entry) -> Row:
    body = entry.body
    purpose = _WORDS.get(_purpose(entry), _purpose(entry))
    match entry.type:
        case "disclosure.recorded":
            named = label(body.get("recipient"))
            if type(body.get("recipient_id")) is str:
                named += f" {label(body['recipient_id'])}"
            items = number(body.get("items"))
            what = f"{items} items" if items else "as its description says"
            address = UNKNOWN
        case "access.disclosed":
            named, address = label(body.get("recipient")), label(body.get("host"))
            what = "resources of a record system"
        case _:
            named, address = UNKNOWN, UNKNOWN
            what = "resources of one text" if body.get("what") == "fhir" else "a copy with content"
    record = next((item.record for item in entry.commitments if item.kind == "description"), None)
    return ("disclosure", entry.index, entry.time, named, address, what, purpose, record, entry.actor)


def _purpose(entry: Entry) -> str:
    name = "purpose" if entry.type == "disclosure.recorded" else "purpose_of_use"
    return label(entry.body.get(name))


REGISTER: Final = Register("accounting", COLUMNS, rows)
