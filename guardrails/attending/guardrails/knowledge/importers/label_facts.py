"""Facts read from FDA label text (`label_facts.csv`): one typed row each, cells still as the reader wrote them."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

_SET_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)

_GENERIC: Final = re.compile(r'<generic name="([^"]*)"')
_HEAD_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One row. `reference` is the set id (or the named record) with the section: the line a pharmacist looks up.
    `number` counts data rows from 1. Empty cells are empty strings or None: unknown, never "no limit"."""

    number: int
    ingredient: str
    route: str
    formulation: str
    population: str
    max_single: Decimal | None
    single_unit: str
    max_daily: Decimal | None
    daily_unit: str
    per_kg: bool
    min_interval_hours: Decimal | None
    no_fixed_ceiling: bool
    renal: str
    hepatic: str
    pregnancy: str
    contraindicated: tuple[str, ...]
    set_ids: tuple[str, ...]
    reference: str
    section: str
    confidence: str


def read(folder: Path) -> Iterator[LabelRow]:
    """Rows of `folder/label_facts.csv`. Raises OSError, KeyError (a column) or decimal.InvalidOperation (a number)."""
    with (folder / "label_facts.csv").open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=1):
            reference = row["label_set_id_or_source"].strip()
            yield LabelRow(
                number=number,
                ingredient=row["ingredient"].strip().lower(),
                route=row["route"].strip(),
                formulation=row["formulation"].strip(),
                population=row["population"].strip(),
                max_single=_number(row["max_single_value"]),
                single_unit=row["max_single_unit"].strip(),
                max_daily=_number(row["max_daily_value"]),
                daily_unit=row["max_daily_unit"].strip(),
                per_kg=row["per_kg"].strip() == "yes",
                min_interval_hours=_number(row["min_interval_hours"]),
                no_fixed_ceiling=row["no_fixed_ceiling"].strip() == "yes",
                renal=row["renal_rule"].strip(),
                hepatic=row["hepatic_rule"].strip(),
                pregnancy=row["pregnancy_rule"].strip(),
                contraindicated=tuple(
                    p.strip() for p in row["contraindicated_conditions"].split(";") if p.strip()
                ),
                set_ids=tuple(found.lower() for found in _SET_ID.findall(reference)),
                reference=reference,
                section=row["section"].strip(),
                confidence=row["confidence"].strip(),
            )


def label_drugs(folder: Path) -> dict[str, str]:
    """Set id -> generic name, as the label gives it, of the FDA cardiovascular labels in
    `folder/DataSet_May_2014_Final.zip`; empty where the label names none. Raises OSError and zipfile.BadZipFile."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(folder / "DataSet_May_2014_Final.zip") as archive:
        for name in archive.namelist():
            for set_id in _SET_ID.findall(name):
                found.setdefault(set_id.lower(), "")
                if name.endswith(".xml"):
                    with archive.open(name) as stream:
                        head = stream.read(_HEAD_BYTES).decode("utf-8", "replace")
                    if generic := _GENERIC.search(head):
                        found[set_id.lower()] = " ".join(generic[1].lower().split())
    return dict(sorted(found.items()))


def label_texts(folder: Path) -> dict[str, bytes]:
    """Set id -> text, byte for byte, of the labels in `folder/DataSet_May_2014_Final.zip`. Raises OSError and
    zipfile.BadZipFile."""
    with zipfile.ZipFile(folder / "DataSet_May_2014_Final.zip") as archive:
        return {
            Path(name).stem.lower(): archive.read(name)
            for name in sorted(archive.namelist())
            if name.endswith(".txt")
        }


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text.strip() else None
