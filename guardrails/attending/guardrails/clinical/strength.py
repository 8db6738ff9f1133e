"""Strength times count: "two 500 mg tablets", "10 mL of 100 mg/5 mL", "2 tablets of a 5/325 combination"."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from attending.guardrails.clinical.amount import Amount, Kind, convert
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.part import Part, absorb
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.finding import Scope

_TOTAL_PAREN = re.compile(
    r"[ ,]{0,3}[(=:-]? ?(?:or |i\.e\.,? |that is,? |total(?: of)? |equal to |equivalent to |about )?$"
)
_SO_IT_IS = re.compile(
    r"(?:, | - |; |\()(?:that is|that's|which is|that makes|it is|it's)(?: (?:just|only|about|your|his|her|the|"
    r"their|a))? ?\Z"
)
_ABOUT = re.compile(r" ?[(,] ?(?:about|approx(?:imately|\.)?|roughly|circa|ca\.?|~|\u2248) ?| ?= ?")
"""Before what a dose comes to per kilogram: "800 mg (about 12 mg/kg)"."""
_EACH_AFTER = re.compile(r"\)?,? ?(?:each|apiece|per (?:tablet|capsule|pill|puff))")


_TO_ITS_SUM = 48
"""Characters from a dose to the brackets that say of what it is made: "800 mcg at home 24 h later (4 x 200 mcg)"."""
_NEXT_DOSE = re.compile(r"[.;\n]|\b(?:then|and|plus|or|followed)\b")
_DENIED = "the volume beside it holds much more by its concentration"
LOCAL_ANAESTHETICS = frozenset(
    {
        "bupivacaine",
        "levobupivacaine",
        "ropivacaine",
        "lidocaine",
        "prilocaine",
        "mepivacaine",
        "articaine",
        "chloroprocaine",
    }
)
"""Drugs whose solutions are named by a percentage and injected by the millilitre."""


class Strengths:
    """Multiplies the parts of one drug in one text."""

    def __init__(self, text: str, mentions: list[Named]) -> None:
        self._text = text
        self._mentions = mentions
        self._denied: list[Amount] = []

    def denied(self) -> list[Amount]:
        """The masses, since the last call, that the volume beside them holds much more of, as unreadable amounts."""
        found, self._denied = self._denied, []
        return found

    def multiply(self, parts: list[Part]) -> list[Part]:
        """The doses of one drug with counts, strengths and volumes multiplied out; restated ones are merged."""
        parts.sort(key=lambda p: p.amount.start if p.amount else -1)
        strength: Part | None = None
        concentration: Amount | None = None
        concentration_part: Part | None = None
        out: list[Part] = []
        for part in parts:
            amount = part.amount
            if amount is None:
                out.append(part)
                continue
            if amount.kind is Kind.CONCENTRATION:
                concentration, concentration_part = amount, part
                continue
            previous = out[-1] if out else None
            if amount.kind is Kind.COMPONENTS or amount.components:
                part.amount = replace(
                    amount, low=Decimal(1), high=Decimal(1), unit="tablet", count=Decimal(1)
                )
                if previous is not None and self._strength_of(previous, part):
                    self._count(part, previous, keep=True)
                    absorb(previous, part)
                    strength = previous
                    continue
                strength = part
                out.append(part)
                continue
            counted = amount.unit in COUNTED or amount.unit == "mL"
            if amount.mass and previous is not None and self._strength_of(previous, part):
                self._count(part, previous, keep=True)
                absorb(previous, part)
                strength = previous
                continue
            fresh = previous is not None and previous.amount is not None and previous.amount.count is None
            if previous is not None and previous.amount is not None and previous.amount.components:
                fresh = not previous.rhythms
            if counted and previous is not None and strength is previous and amount.unit in COUNTED and fresh:
                if self._restates(previous, part):
                    absorb(previous, part)
                else:
                    self._count(previous, part)
                continue
            if amount.unit in COUNTED and strength is not None and strength.amount is not None:
                self._count(strength, part, keep=True)
                out.append(part)
                continue
            if (
                amount.mass
                and previous is not None
                and previous.amount is not None
                and previous.amount.unit in (*COUNTED, "mL")
                and (self._restates(previous, part) or self._so_it_is(previous, part))
            ):
                if self._volume_denies(previous.amount, amount, concentration):
                    # "5 mL of the 20 mg/mL, that is 5 mg": what is drawn up is what is given
                    self._denied.append(replace(amount, kind=Kind.UNREADABLE, reason=_DENIED))
                    absorb(previous, part)
                    continue
                # "2 tablets (1,000 mg)": the mass is the whole dose unless it says each
                total = amount
                if amount.each or _EACH_AFTER.match(self._text, amount.end):
                    count = previous.amount.high
                    total = replace(
                        amount,
                        low=amount.low * previous.amount.low,
                        high=amount.high * count,
                        count=count,
                        strength=amount.high,
                    )
                previous.amount = replace(total, start=previous.amount.start, kind=Kind.DOSE)
                absorb(previous, part)
                continue
            if amount.mass and previous is not None and self._repeats(previous, part):
                if previous.amount is not None and previous.amount.count is None and amount.count is not None:
                    # "650 mg (two tablets of 325 mg)": a limit in tablets is of these
                    previous.amount = replace(previous.amount, count=amount.count, strength=amount.strength)
                absorb(previous, part)
                continue
            out.append(part)
            if amount.kind is Kind.STRENGTH or (
                amount.mass and amount.count is None and amount.per_time is None and not amount.per_kg
            ):
                strength = part
        if concentration is None:
            concentration = self._of_solution(parts)
        if concentration is not None:
            for part in out:
                self._dissolve(part, concentration)
            if not any(p.amount for p in out) and concentration_part is not None:
                bare = Part(
                    concentration_part.mention,
                    concentration_part.reading,
                    None,
                    concentration_part.rhythms,
                    concentration_part.route,
                    concentration_part.rapid,
                    concentration_part.period,
                    concentration_part.infusion,
                )
                bare.concentration = concentration
                out = [bare]
            elif concentration_part is not None:
                absorb(out[0], concentration_part)
        return out

    def _of_solution(self, parts: list[Part]) -> Amount | None:
        """The mass in a millilitre of a local anaesthetic, of which the percentage is grams in 100 mL."""
        percent = next((p.amount for p in parts if p.amount is not None and p.amount.unit == "percent"), None)
        if percent is None or not LOCAL_ANAESTHETICS.issuperset(self._mentions[parts[0].mention].drugs):
            return None
        if not any(p.amount is not None and p.amount.unit == "mL" for p in parts):
            return None
        return replace(
            percent,
            low=percent.low * 10,
            high=percent.high * 10,
            unit="mg",
            kind=Kind.CONCENTRATION,
            per="mL",
        )

    def _strength_of(self, counted: Part, mass: Part) -> bool:
        """Whether the mass right behind the name is the strength of the count before it ("1 tablet of X 500 mg")."""
        many, one = counted.amount, mass.amount
        if (
            many is None
            or one is None
            or many.unit not in COUNTED
            or many.components
            or one.per_time
            or one.per_kg
        ):
            return False
        named = self._mentions[counted.mention]
        return (
            many.end <= named.start <= many.end + 24
            and 0 <= one.start - named.end <= 3
            and not counted.rhythms
        )

    def _restates(self, first: Part, second: Part) -> bool:
        """Whether `second` stands in brackets or after "or" right behind `first`: the same dose said again."""
        if first.amount is None or second.amount is None:
            return False
        gap = self._text[first.amount.end : second.amount.start]
        return ("(" in gap and _TOTAL_PAREN.fullmatch(gap) is not None) or re.fullmatch(
            r",? (?:=|i\.e\.,?|total(?: of)?|that is,?) ?", gap
        ) is not None

    def _so_it_is(self, first: Part, second: Part) -> bool:
        if first.amount is None or second.amount is None:
            return False
        gap = self._text[first.amount.end : second.amount.start]
        return len(gap) <= 60 and _SO_IT_IS.search(gap) is not None

    def _volume_denies(self, volume: Amount, mass: Amount, concentration: Amount | None) -> bool:
        """Whether the volume holds another mass than the text says beside it, by more than a half."""
        if (
            concentration is None
            or volume.unit != "mL"
            or concentration.per != "mL"
            or mass.each
            or mass.per_kg
        ):
            return False
        told = convert(mass.high, mass.unit, concentration.unit)
        held = volume.high * concentration.high
        return told is not None and held > told * Decimal("1.5")

    def _repeats(self, first: Part, second: Part) -> bool:
        a, b = first.amount, second.amount
        if a is None or b is None or not a.mass:
            return False
        gap = self._text[a.end : b.start]
        if b.per_kg and not a.per_kg and (b.per_time, a.per_m2) == (a.per_time, False):
            return _ABOUT.fullmatch(gap) is not None and convert(b.high, b.unit, a.unit) is not None
        counted = b.count is not None and gap.endswith("(") and len(gap) <= _TO_ITS_SUM
        if not ("(" in gap and len(gap) <= 4) and not (counted and not _NEXT_DOSE.search(gap)):
            return False
        converted = convert(b.high, b.unit, a.unit)
        return converted is not None and converted == a.high

    def _count(self, strength: Part, counted: Part, *, keep: bool = False) -> None:
        """Multiplies `counted` tablets by the strength; the result stays in `strength`, or in `counted` if `keep`."""
        one, many = strength.amount, counted.amount
        if one is None or many is None:
            return
        each = one.strength or one.high
        if one.components:
            base = (
                one.components
                if one.count in (None, Decimal(1))
                else tuple(c / (one.count or 1) for c in one.components)
            )
            amount = replace(
                many,
                low=many.low,
                high=many.high,
                unit="tablet",
                count=many.high,
                components=tuple(c * many.high for c in base),
            )
        else:
            low_each = one.strength or one.low
            amount = replace(
                many,
                kind=Kind.DOSE,
                low=low_each * many.low,
                high=each * many.high,
                unit=one.unit,
                count=many.high,
                strength=each,
            )
        if keep:
            counted.amount = amount
            return
        strength.amount = replace(amount, start=min(one.start, many.start), end=max(one.end, many.end))
        absorb(strength, counted)
        if counted.reading.governed and (
            not strength.reading.governed or strength.reading.scope is Scope.MENTION
        ):
            strength.reading = counted.reading

    def _dissolve(self, part: Part, concentration: Amount) -> None:
        part.concentration = concentration
        amount = part.amount
        if (
            amount is None
            or amount.unit != "mL"
            or concentration.per != "mL"
            or amount.per_time in ("h", "min")
        ):
            return
        part.amount = replace(
            amount,
            low=amount.low * concentration.low,
            high=amount.high * concentration.high,
            unit=concentration.unit,
            count=amount.high,
            strength=concentration.high,
        )
