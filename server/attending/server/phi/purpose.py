"""Why personal content is asked for: a short closed list, each with its code in HL7 v3 PurposeOfUse.

The code is what stands in entries, in the configuration and in the authorisation policies (`context.purpose`), so that
an accounting of disclosures (45 CFR 164.528) can leave out treatment, payment and operations and nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attending.v1 import common_pb2


class Purpose(StrEnum):
    """A purpose of use; the value is its code in the HL7 v3 value set PurposeOfUse (2.16.840.1.113883.1.11.20448)."""

    TREATMENT = "TREAT"
    EMERGENCY_TREATMENT = "ETREAT"
    PAYMENT = "HPAYMT"
    OPERATIONS = "HOPERAT"
    QUALITY = "HQUALIMP"
    PATIENT_SAFETY = "PATSFTY"
    PATIENT_REQUEST = "PATRQT"
    OVERSIGHT = "HCOMPL"
    LEGAL = "HLEGAL"
    PUBLIC_HEALTH = "PUBHLTH"
    RESEARCH = "HRESCH"
    RECORDS_MANAGEMENT = "RECORDMGT"
    SYSTEM_ADMINISTRATION = "HSYSADMIN"

    @property
    def number(self) -> common_pb2.PurposeOfUse.ValueType:
        """Its number on the wire."""
        return common_pb2.PurposeOfUse.Value(f"PURPOSE_OF_USE_{self.name}")


BY_NUMBER: Final[dict[int, Purpose]] = {purpose.number: purpose for purpose in Purpose}

OF_EXPORT: Final[dict[str, Purpose]] = {
    "audit": Purpose.OPERATIONS,
    "incident": Purpose.PATIENT_SAFETY,
    "patient_request": Purpose.PATIENT_REQUEST,
    "quality": Purpose.QUALITY,
    "regulator_request": Purpose.OVERSIGHT,
}
"""The purposes that an export names, and the purpose of use that each stands for."""
