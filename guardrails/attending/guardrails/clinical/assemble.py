"""Ties amounts, frequencies, routes and durations to the drug they belong to."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from attending.guardrails.clinical.clauses import Sentence
from attending.guardrails.clinical.dose import Amount, Kind, convert
from attending.guardrails.clinical.frequency import Period, Rhythm, merge
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.route import RouteWord
from attending.guardrails.clinical.scope import Reading, Scopes
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.finding import Scope

_NEXT_OF = re.compile(
    r",? ?(?:(?:tablets?|capsules?|tabs?|caps?|doses?|puffs?|patch(?:es)?|injections?|"
    r"infusion|bolus|of|the|a|your|oral|iv|intravenous|regular|extra[- ]strength|"
    r"children's|infants'?|liquid|elemental|generic|strength|daily dose|total|chewable|"
    r"plain|suspension|syrup|solution|by mouth|po|im|sc|sq) ?){0,5}"
)
_LIMIT_BEFORE = re.compile(
    r"(?:\b(?:max(?:imum)?\.?|not to exceed|(?:not|n't|never) exceed(?:ing)?|without "
    r"exceeding|(?:no|not|never) more than|at most|limit(?:ed)?(?: \w+){0,3} to|"
    r"up to (?:a (?:total|maximum) of )?|(?:no|not|never) (?:greater than|over|above|"
    r"beyond)|less than|under|below|ceiling|upper limit|capped at|cap(?: \w+)? at|nte|"
    r"stay (?:under|below)|<=?))"
    r"(?:[ :=]*(?:total|daily|single|dosage|dose|amount|recommended|allowed|safe|limit|"
    r"adult|is|of|the|a|an|should|be|taking|take|in|per|each|day|24|hours?|for|"
    r"adults?|children|at|once|should not exceed|\(|\)|:|-|any))*[ :=]*$"
)
_UP_TO = re.compile(r"\bup to (?:a (?:total|maximum) of )?$")
_DAILY_AFTER = re.compile(
    r"[ ,]*(?:of \w+(?:[- ]\w+){0,3} |total |in total |\(?from all sources\)? |by mouth "
    r"|po |tablets? |capsules? )*(?:/ ?|per |a |each |every |in (?:a |any |one )?|"
    r"within (?:a |any )?|over (?:a )?|during )"
    r"(?:single )?(?:day|24[ -]?(?:hours?|hrs?|h)(?: period)?|twenty-four hours|d\b)|[ "
    r",]*(?:total )?(?:daily|/24)"
)
_SINGLE_AFTER = re.compile(
    r"[ ,]*(?:of \w+(?:[- ]\w+){0,3} )?(?:(?:at|in) (?:a|one|any one|any) time|at once|"
    r"per (?:single )?dose|/dose|in (?:a |one )(?:single )?dose|each time|in one "
    r"sitting|every|q\d)"
)
_DAILY_BEFORE = re.compile(r"\b(?:daily|per day|24[ -]?hours?|a day|each day|in a day)\b[^.;]{0,24}$")
_SINGLE_BEFORE = re.compile(r"\b(?:single|per dose|each dose|individual|one)\b[^.;]{0,16}$")
_LOADING = re.compile(
    r"\b(?:load(?:ing)?(?: dose)?(?: of| with)?|initial(?: dose)?(?: of)?|first dose(?: "
    r"of)?|bolus(?: dose)?(?: of)?)[ :]*$"
)
_LOADING_AFTER = re.compile(
    r"[ ,]*(?:(?:iv|po|orally|oral|by mouth|intravenous(?:ly)?|now|once|stat|on day 1|x "
    r"?1|as a) ?,? ?){0,4}(?:loading(?: dose)?|load\b|bolus|(?:followed by|then)\b)"
)
_TOTAL_PAREN = re.compile(
    r"[ ,]*[(=:-]? ?(?:or |i\.e\.,? |that is,? |total(?: of)? |equal to |equivalent to |about )?$"
)
_EACH_AFTER = re.compile(r"\)?,? ?(?:each|apiece|per (?:tablet|capsule|pill|puff))")
_BY = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|titrat\w+|rais\w+|lower\w*|adjust\w*|go up|up|"
    r"down)(?: \w+){0,4} by $|\bincrements of $|\bsteps of $"
)
_TOPICAL_AFTER = re.compile(
    r" ?(?:\w+ )?(?:cream|ointment|gel|solution|lotion|drops|shampoo|foam|spray|saline|"
    r"dextrose|suspension|paste|patch|otic|ophthalmic|injection|infusion|mouthwash|swab|"
    r"nacl|sodium)"
)
_BREAK = re.compile(r"[.;\n]|, (?:and |then |or )|\b(?:and|then|or|plus)\b|,")
_COREF_SENTENCES = 4


@dataclass(slots=True)
class Part:
    """One dose of one drug with everything said of it; normalised offsets, ready to become a Statement."""

    mention: int
    reading: Reading
    amount: Amount | None = None
    rhythms: list[Rhythm] = field(default_factory=list)
    route: RouteWord | None = None
    rapid: bool = False
    period: Period | None = None
    infusion: Period | None = None
    daily_limit: Amount | None = None
    single_limit: Amount | None = None
    concentration: Amount | None = None
    loading: bool = False
    sum_group: int | None = None

    @property
    def frequency(self) -> Rhythm | None:
        return merge(self.rhythms)


@dataclass(slots=True)
class Assembled:
    """`parts` in text order; `unreadable` amounts; `orphans`: amounts of no known drug, with their reading."""

    parts: list[Part]
    unreadable: list[Amount]
    orphans: list[tuple[int, Reading]]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Everything found in one text, by kind, each in order."""

    text: str
    sentences: list[Sentence]
    mentions: list[Named]
    amounts: list[Amount]
    rhythms: list[Rhythm]
    periods: list[Period]
    infusions: list[Period]
    routes: list[RouteWord]
    bound_elsewhere: frozenset[int]
    """Indices of amounts that belong to a name the lexicon does not know."""


def assemble(pieces: Pieces, scopes: Scopes) -> Assembled:
    """Every mention becomes one part, or one part for each of its doses."""
    builder = _Builder(pieces, scopes)
    return builder.build()


class _Builder:
    def __init__(self, pieces: Pieces, scopes: Scopes) -> None:
        self._p = pieces
        self._s = scopes
        self._text = pieces.text
        self._mention_starts = [m.start for m in pieces.mentions]
        self._amount_starts = [a.start for a in pieces.amounts]
        self._sentence_starts = [s.start for s in pieces.sentences]
        self._dosed: set[int] = set()
        self._parts: dict[int, list[Part]] = defaultdict(list)
        self._unreadable: list[Amount] = []
        self._orphans: list[tuple[int, Reading]] = []
        self._owner: dict[int, Part] = {}
        self._groups = 0
        self._last_in_sentence: dict[int, int] = {}
        for index, mention in enumerate(pieces.mentions):
            self._last_in_sentence[self._sentence(mention.start)] = index

    def build(self) -> Assembled:
        limits: list[tuple[int, Amount, bool]] = []
        for index, amount in enumerate(self._p.amounts):
            if index in self._p.bound_elsewhere or amount.kind is Kind.LABORATORY or amount.former:
                continue
            reading = self._s.amounts[index]
            if amount.kind is Kind.UNREADABLE:
                self._doubtful(amount, reading)
                continue
            if _BY.search(self._text, max(0, amount.start - 60), amount.start):
                if reading.scope.prescriptive:
                    self._unreadable.append(
                        replace(amount, reason="a change by an amount, from a dose not stated")
                    )
                continue
            owner = self._target(amount, reading)
            if not self._plausible(amount, owner):
                continue
            if amount.kind is Kind.COMPONENTS:
                as_range = self._components(amount, owner)
                if as_range is None:
                    continue
                amount = as_range
            elif (
                owner is not None and amount.hyphen and amount.mass and len(self._p.mentions[owner].drugs) > 1
            ):
                amount = replace(amount, kind=Kind.COMPONENTS, components=(amount.low, amount.high))
            kind = self._limit_kind(amount, reading)
            if kind is not None:
                if owner is not None:
                    limits.append((owner, amount, kind == "daily"))
                continue
            if owner is None:
                if amount.kind is Kind.DOSE or amount.kind is Kind.STRENGTH:
                    self._orphans.append((index, reading))
                continue
            self._attach(owner, amount, reading)
        for index, reading in enumerate(self._s.mentions):
            if not self._parts[index]:
                self._parts[index].append(Part(index, reading))
        self._modifiers()
        for index, parts in self._parts.items():
            self._parts[index] = self._multiply(parts)
            self._sum(self._parts[index])
            for earlier, later in pairwise(self._parts[index]):
                later.route = later.route or earlier.route
        for owner, amount, daily in limits:
            self._limit(owner, amount, daily)
        parts = [p for index in sorted(self._parts) for p in self._parts[index]]
        return Assembled(parts, self._unreadable, self._orphans)

    def _sentence(self, position: int) -> int:
        return max(0, bisect_right(self._sentence_starts, position) - 1)

    def _doubtful(self, amount: Amount, reading: Reading) -> None:
        if amount.vague:
            number = self._sentence(amount.start)
            near = number in self._last_in_sentence or number - 1 in self._last_in_sentence
            if not near or not reading.scope.prescriptive:
                return
        self._unreadable.append(amount)

    def _plausible(self, amount: Amount, owner: int | None) -> bool:
        """A percentage is a strength only beside a drug or a preparation."""
        if amount.unit != "percent":
            return True
        if owner is None:
            return False
        mention = self._p.mentions[owner]
        close = 0 <= amount.start - mention.end <= 3 or 0 <= mention.start - amount.end <= 12
        return close or _TOPICAL_AFTER.match(self._text, amount.end) is not None

    def _components(self, amount: Amount, owner: int | None) -> Amount | None:
        if owner is None or not 0 <= amount.start - self._p.mentions[owner].end <= 14:
            if amount.unit and amount.reason and (owner is not None or amount.unit):
                self._unreadable.append(amount)
            return None
        mention = self._p.mentions[owner]
        if len(mention.drugs) < 2:
            if amount.unit and mention.drugs:
                self._unreadable.append(amount)
            return None
        scale = convert(Decimal(1), amount.unit or "mg", "mg") or Decimal(1)
        return replace(amount, components=tuple(c * scale for c in amount.components))

    # which drug an amount belongs to
    def _target(self, amount: Amount, reading: Reading) -> int | None:
        at = bisect_left(self._mention_starts, amount.start)
        number = self._sentence(amount.start)
        before = at - 1 if at > 0 and self._sentence(self._mention_starts[at - 1]) == number else None
        after = (
            at
            if at < len(self._mention_starts) and self._sentence(self._mention_starts[at]) == number
            else None
        )
        mentions = self._p.mentions
        adjacent = (
            after is not None
            and _NEXT_OF.fullmatch(self._text, amount.end, mentions[after].start) is not None
        )
        of_next = adjacent and after is not None and " of" in self._text[amount.end : mentions[after].start]
        if of_next and after is not None:
            return after
        if before is not None:
            separated = _BREAK.search(self._text, mentions[before].end, amount.start) is not None
            if adjacent and after is not None and (separated or before in self._dosed):
                tail = self._text[amount.end : mentions[after].start]
                if "," not in tail and (separated or tail == " "):
                    return after
            return self._best(before, number)
        if after is not None and (adjacent or self._s.mentions[after].clause_id == reading.clause_id):
            return after
        for back in range(1, _COREF_SENTENCES + 1):
            last = self._last_in_sentence.get(number - back)
            if last is not None:
                return self._best(last, number - back)
            if number - back < 0:
                break
        return after

    def _best(self, last: int, number: int) -> int | None:
        """The drug last named in the sentence that the text gives; a history or an avoided one only if none is."""
        index = last
        while index >= 0 and self._sentence(self._mention_starts[index]) == number and last - index < 6:
            if self._s.mentions[index].scope.prescriptive or self._s.mentions[index].scope is Scope.LIMIT:
                return index
            index -= 1
        return last

    def _limit_kind(self, amount: Amount, reading: Reading) -> str | None:
        window = max(0, amount.start - 70)
        match = _LIMIT_BEFORE.search(self._text, window, amount.start)
        limited = reading.scope is Scope.LIMIT
        if match is None and not limited:
            return None
        daily = amount.per_time == "day" or _DAILY_AFTER.match(self._text, amount.end) is not None
        before = self._text[window : amount.start]
        if not daily and _DAILY_BEFORE.search(before):
            daily = True
        single = not daily and (
            _SINGLE_AFTER.match(self._text, amount.end) is not None
            or _SINGLE_BEFORE.search(before) is not None
            or amount.per_time == "dose"
        )
        if match is not None and _UP_TO.search(before) and not daily:
            # "up to 800 mg every 6 hours" is a dose; only a daily "up to" is a ceiling
            return None
        if match is not None and re.search(r"(?:less than|under|below|<=?)[^a-z]*$", before) and not daily:
            return None
        return "single" if single else "daily"

    def _attach(self, owner: int, amount: Amount, reading: Reading) -> None:
        named = self._s.mentions[owner]
        same = named.clause_id == reading.clause_id or not reading.governed
        chosen = named
        if not same and reading.governed and reading.scope is not Scope.LIMIT:
            chosen = replace(reading, clause=reading.clause)
            if reading.scope is Scope.RECOMMEND and named.scope in (Scope.CONTINUE,) and not reading.started:
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

    # frequencies, routes and durations
    def _modifiers(self) -> None:
        anchors: list[tuple[int, int, Part]] = []
        for parts in self._parts.values():
            for part in parts:
                if part.amount is not None:
                    anchors.append((part.amount.start, part.amount.end, part))
                else:
                    named = self._p.mentions[part.mention]
                    anchors.append((named.start, named.end, part))
        anchors.sort(key=lambda a: (a[0], a[1]))
        self._starts = [a[0] for a in anchors]
        self._anchors = anchors
        for rhythm in self._p.rhythms:
            dosed = self._anchor(rhythm.start, look_ahead=True)
            if dosed is not None and not self._is_limit_rhythm(rhythm):
                dosed.rhythms.append(rhythm)
        infused = {i.start for i in self._p.infusions}
        for period in self._p.periods:
            lasting = self._anchor(period.start) if period.start not in infused else None
            if lasting is not None and lasting.period is None:
                lasting.period = period
        for infusion in self._p.infusions:
            running = self._anchor(infusion.start)
            if running is not None and running.infusion is None:
                running.infusion = infusion
        for route in self._p.routes:
            given = self._route_anchor(route)
            if given is None:
                continue
            same = given.route is None or given.route.route == route.route
            if same or route.rapid:
                given.route = given.route or route
                given.rapid = given.rapid or (route.rapid and given.route.route == "intravenous")

    def _is_limit_rhythm(self, rhythm: Rhythm) -> bool:
        """ "4 g a day" after "do not exceed" is the limit's own period, not how often to take it."""
        if rhythm.times != 1 or rhythm.moments or rhythm.once:
            return False
        at = bisect_left(self._amount_starts, rhythm.start) - 1
        if at < 0:
            return False
        amount = self._p.amounts[at]
        return (
            rhythm.start - amount.end < 40
            and _DAILY_AFTER.match(self._text, amount.end) is not None
            and self._limit_kind(amount, self._s.amounts[at]) is not None
        )

    def _anchor(self, start: int, *, look_ahead: bool = False) -> Part | None:
        number = self._sentence(start)
        at = bisect_left(self._starts, start) - 1
        if at >= 0 and self._sentence(self._starts[at]) == number:
            return self._anchors[at][2]
        following = at + 1
        if (
            look_ahead
            and following < len(self._anchors)
            and self._sentence(self._starts[following]) == number
        ):
            return self._anchors[following][2]
        if at >= 0 and number - self._sentence(self._starts[at]) <= 1:
            part = self._anchors[at][2]
            if not part.rhythms or not look_ahead:
                return part
        return None

    def _route_anchor(self, route: RouteWord) -> Part | None:
        at = bisect_left(self._starts, route.start)
        if at < len(self._anchors) and 0 <= self._starts[at] - route.end <= 1 + len(" dose of "):
            gap = self._text[route.end : self._starts[at]]
            if re.fullmatch(r" (?:\w+ (?:of )?)?", gap):
                return self._anchors[at][2]
        return self._anchor(route.start, look_ahead=True)

    # strengths, counts and concentrations
    def _multiply(self, parts: list[Part]) -> list[Part]:
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
                    _absorb(previous, part)
                    strength = previous
                    continue
                strength = part
                out.append(part)
                continue
            counted = amount.unit in COUNTED or amount.unit == "mL"
            if amount.mass and previous is not None and self._strength_of(previous, part):
                self._count(part, previous, keep=True)
                _absorb(previous, part)
                strength = previous
                continue
            fresh = previous is not None and previous.amount is not None and previous.amount.count is None
            if previous is not None and previous.amount is not None and previous.amount.components:
                fresh = not previous.rhythms
            if counted and previous is not None and strength is previous and amount.unit in COUNTED and fresh:
                if self._restates(previous, part):
                    _absorb(previous, part)
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
                and self._restates(previous, part)
            ):
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
                _absorb(previous, part)
                continue
            if amount.mass and previous is not None and self._repeats(previous, part):
                _absorb(previous, part)
                continue
            out.append(part)
            if amount.kind is Kind.STRENGTH or (
                amount.mass and amount.count is None and amount.per_time is None and not amount.per_kg
            ):
                strength = part
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
                _absorb(out[0], concentration_part)
        return out

    def _strength_of(self, counted: Part, mass: Part) -> bool:
        """Whether the mass right behind the name is the strength of the count right before it ("1 tablet of X 500 mg")."""
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
        named = self._p.mentions[counted.mention]
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

    def _repeats(self, first: Part, second: Part) -> bool:
        a, b = first.amount, second.amount
        if a is None or b is None or not a.mass:
            return False
        gap = self._text[a.end : b.start]
        if not ("(" in gap and len(gap) <= 4):
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
        _absorb(strength, counted)
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

    def _sum(self, parts: list[Part]) -> None:
        """Gives one number to doses of one drug at different moments of the same day."""
        momentary = [
            p for p in parts if p.amount is not None and not p.loading and any(r.moments for r in p.rhythms)
        ]
        by_sentence: dict[int, list[Part]] = defaultdict(list)
        for part in momentary:
            if part.amount is not None:
                by_sentence[self._sentence(part.amount.start)].append(part)
        for group in by_sentence.values():
            moments = [frozenset(m for r in p.rhythms for m in r.moments) for p in group]
            if len(group) > 1 and len(frozenset().union(*moments)) == sum(len(m) for m in moments):
                self._groups += 1
                for part in group:
                    part.sum_group = self._groups

    def _limit(self, owner: int, amount: Amount, daily: bool) -> None:
        parts = self._parts[owner]
        known = next(
            (p.amount for p in parts if p.amount is not None and p.amount.strength is not None), None
        )
        if known is None:
            known = next(
                (
                    p.amount
                    for p in parts
                    if p.amount is not None and p.amount.mass and p.amount.count is None
                ),
                None,
            )
        if amount.unit in COUNTED and known is not None and known.mass:
            each = known.strength or known.high
            amount = replace(
                amount,
                low=amount.low * each,
                high=amount.high * each,
                unit=known.unit,
                count=amount.high,
                strength=each,
            )
        for part in parts:
            if daily and part.daily_limit is None:
                part.daily_limit = amount
            elif not daily and part.single_limit is None:
                part.single_limit = amount


def _absorb(into: Part, other: Part) -> None:
    """Moves what was said of `other` to `into`."""
    into.rhythms.extend(r for r in other.rhythms if r not in into.rhythms)
    into.route = into.route or other.route
    into.rapid = into.rapid or other.rapid
    into.period = into.period or other.period
    into.infusion = into.infusion or other.infusion
    into.loading = into.loading or other.loading
    if other.amount is not None and into.amount is not None:
        into.amount = replace(into.amount, end=max(into.amount.end, other.amount.end))
