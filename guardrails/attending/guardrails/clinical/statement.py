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
    """A name found in the text. `drugs` are canonical ingredient names (several for a combination product, in the
    order written where the text spells them); empty for a class mention, whose class id is in `drug_class`."""

    span: Span
    text: str
    drugs: tuple[str, ...]
    drug_class: str | None = None
    brand: bool = False


@dataclass(frozen=True, slots=True)
class Dose:
    """An amount as written, and as a canonical range. A single value has `low == high`.

    `unit` is the canonical base alone: mg, mcg, g, ng, unit, mL, mEq, mmol, percent, kcal, or a counted form
    (tablet, puff, drop, patch, spray, suppository, ampoule, application, packet, lozenge, teaspoon). What it is
    divided by stands in `per_kg`, `per_m2` and `per_time`, so that 15 mg/kg/day is 15 "mg", per_kg, per_time "day".
    `low` and `high` are positive. A count with a known strength is already multiplied out ("two 500 mg tablets"
    is 1000 mg, `count` 2, `strength` 500); so is a volume with a known concentration.
    """

    span: Span
    text: str
    low: Decimal
    high: Decimal
    unit: str
    per_kg: bool = False
    per_m2: bool = False
    per_time: str | None = None
    """`day`, `week`, `h`, `min` or `dose` when the amount itself is a rate ("40 mg/day", "5 mcg/kg/min")."""
    count: Decimal | None = None
    """How many forms or millilitres were multiplied (the highest count of a range)."""
    strength: Decimal | None = None
    """Amount of `unit` in one form or one millilitre, where the text gives it."""
    components: tuple[Decimal, ...] = ()
    """Fixed combinations ("5/325"): mg of each ingredient in this dose, in the order written; then `unit` is the
    counted form and `low`/`high` the count. Follows `DrugMention.drugs` where the mention spells its ingredients."""


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
class Concentration:
    """An amount in a volume or form, which is a strength and no dose: `amount` of `unit` in one `per` (mL, g, L)."""

    span: Span
    text: str
    amount: Decimal
    unit: str
    per: str


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
    single_limit: Dose | None = None
    """What the text itself says not to exceed at one time ("no more than 2 tablets at once")."""
    avoid_with: bool = False
    """True where the text warns of a combination, not of the drug ("do not take A with B"); see
    `ParsedText.avoided_pairs`."""
    sum_group: int | None = None
    """Statements of one mention with the same number are taken on the same day and add up ("1 in the morning and
    2 at night"). None: alone (a loading dose and its maintenance are not added)."""
    loading: bool = False
    """A loading or first dose."""
    rapid: bool = False
    """IV push or bolus."""
    over_minutes: Decimal | None = None
    """Stated infusion time of the dose."""
    concentration: Concentration | None = None
    governed: bool = True
    """False where no verb, heading or small word decided the scope: the drug is only named."""
    total: bool = False
    """True where the dose is the sum over a day of what is said elsewhere ("which brings you to 3 g")."""
    reported: bool = False
    """True where the text reports what is taken ("she takes", "on warfarin") rather than telling to take it."""

    @property
    def refused(self) -> bool:
        """True where the text stops the drug or tells to avoid it, and does not only warn of a combination."""
        return self.scope in (Scope.STOP, Scope.AVOID) and not self.avoid_with


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A dose-like text the grammar could not read with certainty, with why."""

    span: Span
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notation:
    """A readable notation known to be misread: `kind` is leading_dot, trailing_zero, u, iu, qd, qod, ms, mso4,
    mgso4, cc, ug or hs (The Joint Commission do-not-use list; ISMP list of error-prone abbreviations)."""

    span: Span
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A word in drug position that no lexicon knows; `near` are fuzzy candidates. `read_as` are the ingredients of the
    only drug it can be a misspelling of, as which it is judged; never silently."""

    span: Span
    text: str
    near: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedText:
    """Everything the grammar read from one text."""

    text: str
    clauses: tuple[Span, ...]
    statements: tuple[Statement, ...]
    unreadable: tuple[Unreadable, ...] = ()
    unknown: tuple[UnknownName, ...] = ()
    avoided_pairs: tuple[tuple[DrugMention, DrugMention], ...] = ()
    """Combinations the text warns of, in text order."""
    apart: frozenset[frozenset[str]] = frozenset()
    """Pairs of ingredients that a table offers, compares or gives one after the other."""
    notations: tuple[Notation, ...] = ()
