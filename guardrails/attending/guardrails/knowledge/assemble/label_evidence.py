"""Which limits stand, with number and unit, in the text of the label that they cite.

A limit read from a label was read by a person. Where the label's text is at hand, a script looks for the number with
its unit in it and keeps the digest of that text, so that who has the text can look again. What is not found so (a
single dose times its frequency, a label of which only the reference is at hand) gets no row: cited, not verified.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from attending.guardrails.finding import Basis

COLUMNS: Final = ("fact", "set_id", "measure", "found", "text_sha256")
_SET_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNITS: Final = {
    "mg": "mg|milligrams?",
    "mcg": "mcg|\u00b5g|\u03bcg|micrograms?",
    "g": "g|grams?",
    "mEq": "mEq",
    "unit": "units?|U",
}


def build(limits: Iterable[Mapping[str, str]], texts: Mapping[str, bytes]) -> list[dict[str, str]]:
    """One row for each number of a label's limit that stands in one of the labels it cites. `texts` is set id (lower
    case) -> text of the label as it is distributed; the digest is the SHA-256 of those bytes."""
    rows: list[dict[str, str]] = []
    for limit in limits:
        if limit["basis"] != Basis.LABEL_TEXT.value:
            continue
        for measure in ("max_single", "max_daily"):
            if not limit[measure]:
                continue
            for set_id in _SET_ID.findall(limit["source"].lower()):
                text = texts.get(set_id)
                found = None if text is None else _stands(Decimal(limit[measure]), limit, text)
                if text is not None and found is not None:
                    rows.append(
                        {
                            "fact": limit["rule_id"],
                            "set_id": set_id,
                            "measure": measure,
                            "found": found,
                            "text_sha256": hashlib.sha256(text).hexdigest(),
                        }
                    )
                    break
    return sorted(rows, key=lambda row: (row["fact"], row["measure"]))


def _stands(value: Decimal, limit: Mapping[str, str], text: bytes) -> str | None:
    """How the amount is written in the text ("320 mg", "2 g"), or None where number and unit do not stand there."""
    wanted = [(value, limit["unit"])]
    if limit["unit"] == "mg" and value >= 1000:
        wanted.append((value / 1000, "g"))
    read = text.decode("utf-8", "replace")
    for amount, unit in wanted:
        units = _UNITS.get(unit)
        if units is None:
            continue
        plain = f"{amount.normalize():f}"
        forms = (
            {re.escape(plain), re.escape(f"{int(amount):,}")} if amount == int(amount) else {re.escape(plain)}
        )
        per = {"kg": r"\s?/\s?kg", "m2": r"\s?/\s?m"}.get(limit["per"], r"(?!\s?/\s?(?:kg|m2|m\u00b2))")
        pattern = rf"(?<![\d.,])(?:{'|'.join(sorted(forms))})(?:\.0)?[ \u00a0-]?(?:{units})\b{per}"
        if re.search(pattern, read):
            return f"{plain} {unit}" + (f"/{limit['per']}" if limit["per"] else "")
    return None
