"""Makes one part of each dose that a text gives, with all that is said of it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise

from attending.guardrails.clinical.amount import Amount, Kind
from attending.guardrails.clinical.combination import as_components
from attending.guardrails.clinical.doubtful import is_change, is_decrease, is_doubtful
from attending.guardrails.clinical.infusion import is_step, of_infusion
from attending.guardrails.clinical.limit import limit_kind, set_limit
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.modifiers import attach_modifiers
from attending.guardrails.clinical.no_dose import is_no_dose
from attending.guardrails.clinical.owner import Owners
from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.pieces import Pieces
from attending.guardrails.clinical.reading import Reading, Scopes
from attending.guardrails.clinical.same_day import SameDay
from attending.guardrails.clinical.spoken import condemned, retracted, spent, stated_total
from attending.guardrails.clinical.strength import Strengths
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.finding import Scope

_LOADING = re.compile(
    r"\b(?:load(?:ing|ed)?(?: dose)?(?: of| with)?|initial(?: dose)?(?: of)?|first dose(?: "
    r"of)?|bolus(?: dose)?(?: of)?)[ :]*$"
    r"|\bload(?:ed)? with (?:(?:[a-z]+ \d[\d.,]* ?m?g,? (?:and|plus) )?)[a-z]+ $"
)
_LOADING_AFTER = re.compile(
    r"[ ,]{0,3}(?:(?:iv|po|orally|oral|by mouth|intravenous(?:ly)?|now|once|stat|on day 1|x "
    r"?1|as a) ?,? ?){0,4}(?:loading(?: dose)?|load\b|bolus|(?:followed by|then)\b)"
)
_TOPICAL_AFTER = re.compile(
    r" ?(?:\w{1,40} )?(?:cream|ointment|gel|solution|lotion|drops|shampoo|foam|spray|saline|"
    r"dextrose|suspension|paste|patch|otic|ophthalmic|injection|infusion|mouthwash|swab|"
    r"nacl|sodium)"
)
_LITRE = 1000
_BESIDE_IT = 40
_OVER_A_DAY = re.compile(r" (?:over|through|throughout|across|spread over) (?:the|a|each) (?:whole )?day\b")


@dataclass(slots=True)
class Assembled:
    """`parts` in text order; `unreadable` amounts; `orphans`: amounts of no known drug, with their reading."""

    parts: list[Part]
    unreadable: list[Amount]
    orphans: list[tuple[int, Reading]]


def assemble(pieces: Pieces, scopes: Scopes) -> Assembled:
    """Every mention becomes one part, or one part for each of its doses."""
    return _Builder(pieces, scopes).build()


class _Builder:
    def __init__(self, pieces: Pieces, scopes: Scopes) -> None:
        self._pieces = pieces
        self._scopes = scopes
        self._text = pieces.text
        self._parts: dict[int, list[Part]] = defaultdict(list)
        self._dosed: set[int] = set()
        self._owners = Owners(pieces, scopes, self._parts, self._dosed)
        self._totals: dict[int, list[Part]] = defaultdict(list)
        self._limits: list[tuple[int, Amount, bool]] = []
        self._retracted: list[Amount] = []
        self._unreadable: list[Amount] = []
        self._orphans: list[tuple[int, Reading]] = []

    def build(self) -> Assembled:
        for index, amount in enumerate(self._pieces.amounts):
            if index not in self._pieces.bound_elsewhere:
                self._place(index, amount)
        for index, reading in enumerate(self._scopes.mentions):
            if not self._parts[index]:
                self._parts[index].append(Part(index, reading))
        attach_modifiers(self._pieces, self._scopes, self._parts, self._retracted)
        strengths = Strengths(self._text, self._pieces.mentions)
        same_day = SameDay(self._pieces)
        for index, parts in self._parts.items():
            self._parts[index] = strengths.multiply(parts)
            self._unreadable.extend(strengths.denied())
            same_day.within(self._parts[index])
            for earlier, later in pairwise(self._parts[index]):
                later.route = later.route or earlier.route
        same_day.across(self._parts)
        same_day.rows(self._parts)
        same_day.added(self._parts)
        for owner, amount, daily in self._limits:
            set_limit(self._parts[owner], amount, daily=daily)
        parts = [p for index in sorted(self._parts) for p in (*self._parts[index], *self._totals[index])]
        return Assembled(parts, self._unreadable, self._orphans)

    def _place(self, index: int, amount: Amount) -> None:
        """Puts the amount where it belongs: a dose, a limit, a total, what cannot be read, or nowhere."""
        if amount.kind is Kind.LABORATORY or amount.former:
            return
        if condemned(self._text, amount.start, amount.end):
            return
        if retracted(self._text, amount.start, amount.end):
            self._retracted.append(amount)
            return
        reading = self._scopes.amounts[index]
        if amount.kind is Kind.UNREADABLE:
            if is_doubtful(self._pieces, amount, reading):
                self._unreadable.append(amount)
            return
        if is_change(self._text, amount):
            if (
                reading.scope.prescriptive
                and not is_decrease(self._text, amount)
                and not is_step(self._pieces, amount)
            ):
                self._unreadable.append(
                    replace(amount, reason="a change by an amount, from a dose not stated")
                )
            return
        owner = self._owners.of(amount, reading)
        named = self._pieces.mentions[owner] if owner is not None else None
        if not self._plausible(amount, named) or (named is not None and self._a_drink(amount, named)):
            return
        said = [p.amount for p in self._parts[owner] if p.amount is not None] if owner is not None else []
        combined = amount.kind is Kind.COMPONENTS and any(
            len(m.drugs) == len(amount.components) for m in self._pieces.mentions
        )
        read = as_components(amount, named, said, self._unreadable, combined=combined)
        if read is None:
            return
        if owner is not None and amount.mass and self._is_spent(owner, read):
            past = replace(self._scopes.mentions[owner], scope=Scope.HISTORY)
            self._parts[owner].append(Part(owner, past, replace(read, per_time="day")))
            return
        if named is not None and (
            is_no_dose(self._pieces, named, read, said) or of_infusion(self._pieces, read, said)
        ):
            return
        if owner is not None and self._is_total(owner, read, reading):
            return
        if read.unit in COUNTED and _OVER_A_DAY.match(self._text, read.end):
            read = replace(read, per_time="day")
        kind = limit_kind(self._text, read, reading)
        if kind is not None:
            if owner is not None:
                self._limits.append((owner, read, kind == "daily"))
        elif owner is not None:
            self._attach(owner, read, reading)
        elif read.kind is Kind.DOSE or read.kind is Kind.STRENGTH:
            self._orphans.append((index, reading))

    def _is_total(self, owner: int, amount: Amount, reading: Reading) -> bool:
        """Whether the amount is a sum over the day; then it is held against the ceiling of a day and no other."""
        if (
            not amount.mass
            or amount.components
            or amount.per_kg
            or amount.per_m2
            or amount.per_time is not None
        ):
            return False
        said = any(p.amount is not None for p in self._parts[owner]) or owner != self._named_first(owner)
        if not stated_total(self._text, amount.start, amount.end, said=said):
            return False
        if len(self._pieces.mentions[owner].drugs) == 1:
            chosen = self._scopes.mentions[owner]
            self._totals[owner].append(
                Part(
                    owner,
                    reading if reading.governed else chosen,
                    replace(amount, per_time="day"),
                    total=True,
                )
            )
        return True

    def _named_first(self, owner: int) -> int:
        """The first mention of a drug that `owner` names."""
        drugs = set(self._pieces.mentions[owner].drugs)
        return next((i for i, m in enumerate(self._pieces.mentions) if drugs & set(m.drugs)), owner)

    def _is_spent(self, owner: int, amount: Amount) -> bool:
        named = self._pieces.mentions[owner]
        near = 0 <= amount.start - named.end <= 3
        return spent(self._text, named.start if near else amount.start)

    def _plausible(self, amount: Amount, named: Named | None) -> bool:
        """A percentage is a strength only beside a drug or a preparation."""
        if amount.unit != "percent":
            return True
        if named is None:
            return False
        close = 0 <= amount.start - named.end <= 3 or 0 <= named.start - amount.end <= 12
        return close or _TOPICAL_AFTER.match(self._text, amount.end) is not None

    def _a_drink(self, amount: Amount, named: Named) -> bool:
        """Litres that stand apart from the name: what is drunk, breathed or passed, and no dose of a drug."""
        if amount.unit != "mL" or amount.high < _LITRE or amount.per_time in ("h", "min"):
            return False
        return amount.start - named.end > _BESIDE_IT and named.start < amount.start

    def _attach(self, owner: int, amount: Amount, reading: Reading) -> None:
        named = self._scopes.mentions[owner]
        same = named.clause_id == reading.clause_id or not reading.governed
        chosen = named
        if not same and reading.governed and reading.scope is not Scope.LIMIT:
            chosen = replace(reading)
            if reading.scope is Scope.RECOMMEND and named.scope is Scope.CONTINUE and not reading.started:
                chosen = replace(chosen, scope=Scope.CONTINUE)
            if reading.scope is Scope.RECOMMEND and named.started:
                chosen = replace(chosen, started=True)
            if (
                named.scope in (Scope.AVOID, Scope.STOP, Scope.HISTORY, Scope.FAMILY)
                and reading.sentence == named.sentence
                and reading.scope is Scope.HYPOTHETICAL
            ):
                chosen = named
        before = self._text[max(0, amount.start - 30) : amount.start]
        loading = (
            _LOADING.search(before) is not None or _LOADING_AFTER.match(self._text, amount.end) is not None
        )
        part = Part(owner, chosen, amount, loading=loading)
        self._parts[owner].append(part)
        self._dosed.add(owner)
