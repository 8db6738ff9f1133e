"""One amount of a text: its kind, value, unit and what it is divided by, in offsets of the normalised text."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

MASS = frozenset({"mg", "mcg", "ng", "g", "unit", "mEq", "mmol"})
MILLIGRAMS = {"ng": Decimal("0.000001"), "mcg": Decimal("0.001"), "mg": Decimal(1), "g": Decimal(1000)}


class Kind(StrEnum):
    """What an amount is."""

    DOSE = "dose"
    STRENGTH = "strength"
    """Amount in one form ("500 mg tablets", "90 mcg/actuation"): a dose of one form unless a count says more."""
    CONCENTRATION = "concentration"
    COMPONENTS = "components"
    """Strengths of a fixed combination ("5/325")."""
    LABORATORY = "laboratory"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount at `start:end` of the normalised text. `low <= high`, both positive unless `kind` is unreadable."""

    start: int
    end: int
    kind: Kind
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    unit: str = ""
    per_kg: bool = False
    per_m2: bool = False
    per_time: str | None = None
    count: Decimal | None = None
    strength: Decimal | None = None
    components: tuple[Decimal, ...] = ()
    per: str | None = None
    """Denominator of a concentration: mL, L, dL or g."""
    each: bool = False
    """The text says that the amount is of one form ("500 mg each")."""
    hyphen: bool = False
    """The range was written with a hyphen, which in a fixed combination separates strengths."""
    former: bool = False
    """What the dose was before a change ("from 5 mg to 10 mg")."""
    vague: bool = False
    """No number at all ("a few tablets"); doubtful only where a drug is in the sentence."""
    reason: str = ""
    shown: int | None = None
    """Where the text to show begins, when that is before `start`."""

    @property
    def mass(self) -> bool:
        """Whether the amount is of substance, not of forms or volume."""
        return self.unit in MASS


@dataclass(frozen=True, slots=True)
class Risk:
    """A risky notation at `start:end`; see `Notation.kind`."""

    start: int
    end: int
    kind: str


def convert(value: Decimal, unit: str, to: str) -> Decimal | None:
    """`value` of `unit` in `to`, for units of mass; None where they do not convert."""
    if unit == to:
        return value
    if unit in MILLIGRAMS and to in MILLIGRAMS:
        return value * MILLIGRAMS[unit] / MILLIGRAMS[to]
    return None
