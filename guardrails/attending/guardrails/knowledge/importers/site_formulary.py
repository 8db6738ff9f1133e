"""A site's formulary as CSV: what is stocked, with which restriction, and the site's own dose ceilings.

Columns, in this order: `drug`, `route`, `formulation`, `min_age_years`, `max_age_years`, `max_single`, `max_daily`,
`unit`, `per`, `min_interval_hours`, `status`, `restriction`. An empty amount means that the formulary sets none, never
that there is no limit. `max_age_years` is exclusive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.importers.site_file import SiteFileError, table

COLUMNS: Final = (
    "drug", "route", "formulation", "min_age_years", "max_age_years", "max_single", "max_daily", "unit", "per",
    "min_interval_hours", "status", "restriction",
)  # fmt: skip
ROUTES: Final = frozenset({
    "oral", "intravenous", "intramuscular", "subcutaneous", "inhaled", "topical", "transdermal", "ophthalmic", "otic",
    "nasal", "rectal", "vaginal", "sublingual", "buccal", "intrathecal", "epidural", "intradermal",
})  # fmt: skip
FORMULATIONS: Final = frozenset({"", "IR", "ER", "DR"})
UNITS: Final = frozenset({"mg", "mcg", "g", "mEq", "unit", "inhalation", "drop", "patch"})
PER: Final = frozenset({"", "kg", "m2"})
STATUSES: Final = frozenset({"formulary", "restricted", "non_formulary"})
MAX_RESTRICTION: Final = 200
_NUMBERS: Final = ("min_age_years", "max_age_years", "max_single", "max_daily", "min_interval_hours")
_KEY: Final = ("drug", "route", "formulation", "min_age_years", "max_age_years", "unit", "per")
_MAX: Final = Decimal(10_000_000)


@dataclass(frozen=True, slots=True)
class Line:
    """One line; amounts as the file writes them, empty where it sets none."""

    file: str
    number: int
    cells: dict[str, str]


def read(path: Path) -> Iterator[Line]:
    """Lines in file order. Raises OSError, and SiteFileError for a file that is not of this form, a word that is none
    of the allowed, an amount that is no positive number, a single dose above the daily one, an age band that ends
    before it begins, or a second line of one drug, route, formulation, age band and unit."""
    seen: dict[tuple[str, ...], int] = {}
    for number, row in table(path, COLUMNS):
        if not row["drug"]:
            raise SiteFileError(path, number, "`drug` is empty")
        for column, allowed in (
            ("route", ROUTES), ("formulation", FORMULATIONS), ("per", PER), ("status", STATUSES),
        ):  # fmt: skip
            if row[column] not in allowed:
                words = ", ".join(sorted(word or "nothing" for word in allowed))
                raise SiteFileError(path, number, f"`{column}` is none of {words}")
        found = {column: _number(path, number, column, row[column]) for column in _NUMBERS}
        amounts = found["max_single"] is not None or found["max_daily"] is not None
        if amounts and row["unit"] not in UNITS:
            raise SiteFileError(path, number, f"`unit` is none of {', '.join(sorted(UNITS))}")
        _ordered(path, number, found, "max_single", "max_daily")
        _ordered(path, number, found, "min_age_years", "max_age_years")
        if len(row["restriction"]) > MAX_RESTRICTION:
            raise SiteFileError(path, number, f"`restriction` is longer than {MAX_RESTRICTION} characters")
        if row["status"] == "restricted" and not row["restriction"]:
            raise SiteFileError(path, number, "`restriction` is empty where the status is restricted")
        key = (row["drug"].lower(), *(row[column] for column in _KEY[1:]))
        if key in seen:
            raise SiteFileError(path, number, f"the same drug, route, form and ages as line {seen[key]}")
        seen[key] = number
        yield Line(path.name, number, row)


def _number(path: Path, line: int, column: str, cell: str) -> Decimal | None:
    if not cell:
        return None
    try:
        value = Decimal(cell)
    except InvalidOperation as err:
        raise SiteFileError(path, line, f"`{column}` is no number") from err
    least = Decimal(0) if column == "min_age_years" else Decimal("0.000001")
    if not value.is_finite() or not least <= value <= _MAX or "E" in cell.upper() or "_" in cell:
        raise SiteFileError(path, line, f"`{column}` is not a plain positive number up to {_MAX}")
    return value


def _ordered(path: Path, line: int, found: dict[str, Decimal | None], low: str, high: str) -> None:
    least, most = found[low], found[high]
    if least is not None and most is not None and least > most:
        raise SiteFileError(path, line, f"`{low}` is above `{high}`")
