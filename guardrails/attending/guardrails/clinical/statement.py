"""What a clinical sentence says, as data: drug mentions, doses, frequencies and the statements that tie them.

Pure types, no parsing. Offsets are Unicode code points into the parsed text, end exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from attending.guardrails.finding import Scope


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DrugMention:
    """A name found in the text. `drugs` are canonical ingredient names (several for a combination product);
    empty for a class mention, whose class id is in `drug_class`."""

    span: Span
    text: str
    drugs: tuple[str, ...]
    drug_class: str | None = None
    brand: bool = False


@dataclass(frozen=True, slots=True)
class Dose:
    """An amount as written, and as a canonical range. A single value has `low == high`.

    `unit` is canonical: mg, mcg, g, ng, unit, mL, mEq, mmol, tablet, puff, drop, patch, percent, or a compound
    of these with `per`: kg, m2, h, min, day, dose (in the order written, joined by '/').
    """

    span: Span
    text: str
    low: Decimal
    high: Decimal
    unit: str
    per_kg: bool = False
    per_m2: bool = False
    per_time: str | None = None
    """`day`, `h`, `min` or `dose` when the amount itself is a rate ("40 mg/day", "5 mcg/kg/min")."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often. `times_per_day` is the highest count in 24 h that the words allow (0.142857 for weekly);
    `interval_hours` the shortest stated interval. `None` when the words do not say."""

    span: Span
    text: str
    times_per_day: Decimal | None
    interval_hours: Decimal | None
    prn: bool = False
    once_only: bool = False


@dataclass(frozen=True, slots=True)
class Duration:
    span: Span
    text: str
    days: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """One drug mention with what the text says about it. Several doses of one mention give several statements
    (loading and maintenance, morning and evening)."""

    mention: DrugMention
    scope: Scope
    clause: Span
    dose: Dose | None = None
    frequency: Frequency | None = None
    route: str | None = None
    """Canonical: oral, intravenous, intramuscular, subcutaneous, topical, rectal, inhaled, intrathecal,
    sublingual, transdermal, ophthalmic, otic, nasal, vaginal."""
    duration: Duration | None = None
    daily_limit: Dose | None = None
    """What the text itself says not to exceed in 24 h ("do not exceed 4 g a day")."""
    started: bool = False
    """True where the text starts or changes the drug rather than keeping it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A dose-like text the grammar could not read with certainty, with why."""

    span: Span
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A word in drug position that no lexicon knows; `near` are fuzzy candidates, never mapped silently."""

    span: Span
    text: str
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedText:
    """Everything the grammar read from one text."""

    text: str
    clauses: tuple[Span, ...]
    statements: tuple[Statement, ...]
    unreadable: tuple[Unreadable, ...] = ()
    unknown: tuple[UnknownName, ...] = ()
