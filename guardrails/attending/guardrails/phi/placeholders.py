"""Placeholders: what stands for an identifier in the text a model sees, and everything that could be taken for one.

`[NAME_1]`: square brackets, an upper-case kind, an underscore, a number from 1. Small models copy it whole; none
of its characters needs escaping in JSON, Markdown or a prompt. `LOOSE` matches the placeholder and its likely
distortions (`[Name 1]`, `NAME_1`, `<NAME_1>`, `[NAME]`); text of a request that matches is itself replaced, so
that in a de-identified text every match is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.phi.spans import PhiType

KIND_OF: Final[dict[PhiType, str]] = {
    PhiType.NAME: "NAME",
    PhiType.GEOGRAPHIC_LOCATION: "PLACE",
    PhiType.DATE: "DATE",
    PhiType.PHONE_NUMBER: "PHONE",
    PhiType.FAX_NUMBER: "FAX",
    PhiType.EMAIL: "EMAIL",
    PhiType.SSN: "SSN",
    PhiType.MEDICAL_RECORD_NUMBER: "MRN",
    PhiType.HEALTH_PLAN_NUMBER: "INSURANCE",
    PhiType.ACCOUNT_NUMBER: "ACCOUNT",
    PhiType.LICENSE_NUMBER: "LICENSE",
    PhiType.VEHICLE_ID: "VEHICLE",
    PhiType.DEVICE_ID: "DEVICE",
    PhiType.URL: "URL",
    PhiType.IP_ADDRESS: "IP",
    PhiType.BIOMETRIC: "BIOMETRIC",
    PhiType.PHOTO: "PHOTO",
    PhiType.AGE_OVER_89: "AGE_OVER_89",
    PhiType.UNIQUE_IDENTIFIER: "ID",
    PhiType.LITERAL: "TEXT",
}
TYPE_OF: Final[dict[str, PhiType]] = {kind: type_ for type_, kind in KIND_OF.items()}

_KIND = "(?:" + "|".join(sorted(KIND_OF.values(), key=len, reverse=True)) + ")"
_UPPER_KIND = f"(?-i:{_KIND})"
_N = "[0-9]{1,6}"
_SHORT_N = "[1-9][0-9]?(?![0-9])"

EXACT: Final = re.compile(rf"\[(?P<kind>{_KIND})_(?P<number>[1-9][0-9]{{0,5}})\]")
"""A placeholder as we write it."""

LOOSE: Final = re.compile(
    rf"(?i)\[\s{{0,3}}{_KIND}(?:[\s_#:-]{{0,3}}(?:{_N}|x|n))?\s{{0,3}}\]"  # [NAME_1] [Name 1] [name1] [NAME]
    # <NAME_1> (NAME 1) {{name_1}}
    rf"|[({{<«]\s{{0,3}}(?:{_KIND}_{_N}|{_UPPER_KIND}[\s-]{{0,2}}{_SHORT_N})\s{{0,3}}[)}}>»]"
    rf"|\[?{_KIND}_{_N}(?![0-9])\]?"  # NAME_1 [NAME_1 name_1]
    rf"|(?<!\w)\[?{_UPPER_KIND}[ -]?{_SHORT_N}(?!\w)\]?"  # NAME 1, NAME1, NAME-1
    r"|\[\w{2,16}_[0-9]{1,6}\]"  # [NOMBRE_1], and one with a letter of another script
    r"|\[(?-i:[A-Z]{2,16}(?:_[A-Z0-9]{1,16}){1,16})\]?"  # [MRO_1], [NAME_1_2]: made up after our form
)
"""Everything that reads as a placeholder, ours or bent."""
_LIKELY: Final = re.compile(rf"[\[_]|{_KIND}[\s-]{{0,2}}[1-9]")
"""What stands in all that LOOSE matches: in most texts nothing does, and it is found so in a tenth of the time."""


def loose(text: str) -> Iterator[re.Match[str]]:
    """The matches of LOOSE in order."""
    return LOOSE.finditer(text) if _LIKELY.search(text) is not None else iter(())


def render(type_: PhiType, number: int) -> str:
    """The placeholder of the `number`th (from 1) distinct value of `type_`."""
    return f"[{KIND_OF[type_]}_{number}]"


def parse(placeholder: str) -> tuple[PhiType, int]:
    """The type and number of a placeholder in exact form; raises ValueError on anything else."""
    m = EXACT.fullmatch(placeholder)
    if m is None:
        raise ValueError("not a placeholder in exact form")
    return TYPE_OF[m["kind"]], int(m["number"])
