"""The identifiers we look for and where they stand: `PhiType` and `PhiSpan`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PhiType(StrEnum):
    """The identifier classes of 45 CFR 164.514(b)(2)(i), as far as they occur in text.

    Full-face photographs and biometric identifiers occur in text only as references to files or templates.
    """

    NAME = "NAME"
    GEOGRAPHIC_LOCATION = "GEOGRAPHIC_LOCATION"
    DATE = "DATE"
    PHONE_NUMBER = "PHONE_NUMBER"
    FAX_NUMBER = "FAX_NUMBER"
    EMAIL = "EMAIL"
    SSN = "SSN"
    MEDICAL_RECORD_NUMBER = "MEDICAL_RECORD_NUMBER"
    HEALTH_PLAN_NUMBER = "HEALTH_PLAN_NUMBER"
    ACCOUNT_NUMBER = "ACCOUNT_NUMBER"
    LICENSE_NUMBER = "LICENSE_NUMBER"
    VEHICLE_ID = "VEHICLE_ID"
    DEVICE_ID = "DEVICE_ID"
    URL = "URL"
    IP_ADDRESS = "IP_ADDRESS"
    BIOMETRIC = "BIOMETRIC"
    PHOTO = "PHOTO"
    AGE_OVER_89 = "AGE_OVER_89"
    UNIQUE_IDENTIFIER = "UNIQUE_IDENTIFIER"
    LITERAL = "LITERAL"
    """No PHI: text of the request that looks like one of our placeholders and was escaped. Never detected,
    only made by `deidentify`."""


@dataclass(frozen=True, slots=True, order=True)
class PhiSpan:
    """One identifier: code points `start` to `end` (exclusive) of the text, `start < end`; `score` in (0, 1].

    The score is a rank of evidence, not a probability: 1.0 known patient, 0.9 and more labelled or checked by
    format, 0.6 to 0.85 bare pattern or lexicon with context, below that lexicon or statistical model alone.
    """

    start: int
    end: int
    type: PhiType
    score: float

    def to_json(self) -> dict[str, int | str | float]:
        """The wire shape of `attending deid`."""
        return {"start": self.start, "end": self.end, "type": self.type.value, "score": round(self.score, 3)}
