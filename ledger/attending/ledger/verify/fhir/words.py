"""Words that the resources share: codes, identifiers that begin with the log's name, ids, and texts that R4 allows."""

from __future__ import annotations

import re
from typing import Any, Final

from attending.ledger.verify.tally import label

Resource = dict[str, Any]

AI_ASSERTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
}
"""Artificial intelligence asserted, the tag that HL7's AI Transparency on FHIR asks for."""
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,255}")
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,60}")


def identifier(origin: str, kind: str, value: str) -> Resource:
    """An identifier of a system that begins with the log's name. Nothing need answer at that address."""
    return {"system": f"https://{origin}/{kind}", "value": value}


def id_of(name: str) -> str | None:
    """A name of ours as an id of R4, which knows no underscore; None where it would be none."""
    made = name.replace("_", "-")
    return made if _ID.fullmatch(made) else None


def text_of(value: object) -> str:
    """What a body says, as a text that R4 allows: verbatim by the rule of `actor`, else as the label of a table."""
    return value if type(value) is str and _TEXT.fullmatch(value) else label(value)
