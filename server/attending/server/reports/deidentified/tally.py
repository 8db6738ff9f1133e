"""The checklist A to R: how many identifiers of which kind were found, and what became of them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Literal

from attending.guardrails.phi.spans import PhiType
from attending.ledger.verify.deidentified import ACTIONS, BASIS
from attending.ledger.verify.identifiers import LETTERS

Action = Literal["generalised", "removed", "replaced"]

LETTER_OF: Final = {
    PhiType.NAME: "A",
    PhiType.GEOGRAPHIC_LOCATION: "B",
    PhiType.DATE: "C",
    PhiType.AGE_OVER_89: "C",
    PhiType.PHONE_NUMBER: "D",
    PhiType.FAX_NUMBER: "E",
    PhiType.EMAIL: "F",
    PhiType.SSN: "G",
    PhiType.MEDICAL_RECORD_NUMBER: "H",
    PhiType.HEALTH_PLAN_NUMBER: "I",
    PhiType.ACCOUNT_NUMBER: "J",
    PhiType.LICENSE_NUMBER: "K",
    PhiType.VEHICLE_ID: "L",
    PhiType.DEVICE_ID: "M",
    PhiType.URL: "N",
    PhiType.IP_ADDRESS: "O",
    PhiType.BIOMETRIC: "P",
    PhiType.PHOTO: "Q",
    PhiType.UNIQUE_IDENTIFIER: "R",
}
"""The letter of 45 CFR 164.514(b)(2)(i) that each kind of the engine falls under."""


class Tally:
    """Counts identifiers as they are met."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self.texts = 0

    def add(self, letter: str, action: Action, count: int = 1) -> None:
        self._counts[letter, action] += count

    def checklist(self, records: int) -> dict[str, Any]:
        """`checklist.json`, over so many records."""
        return {
            "basis": BASIS,
            "identifiers": [
                {
                    "letter": letter,
                    "identifier": words,
                    **{action: self._counts[letter, action] for action in ACTIONS},
                }
                for letter, words in LETTERS.items()
            ],
            "records": records,
            "texts": self.texts,
        }
