"""Counts that stand without their unit: "two of the 500s", "morning 2, noon 1, night 2", "1-1-2", "max 3/day".

Each becomes an amount of forms, a strength or a cap, in the offsets of the normalised text; `strength` multiplies.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal

from attending.guardrails.clinical.amount import MASS, Amount, Kind
from attending.guardrails.clinical.frequency import Rhythm, plain
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.number import read_number
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.sieve import Sieved

_N = (
    r"(?:\d{1,2}(?:\.5|(?: and| )? ?1/[24])?|1/[24]|half|one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve|fifteen|twenty)"
)
_FORM = r"(?: ?(?:tab(?:let)?s?|cap(?:sule|let)?s?|pills?))"
_MOMENT = (
    r"(?:morning|am|breakfast|noon|midday|mid-day|lunch(?:time)?|afternoon|tea ?time|evening|pm|dinner|"
    r"supper|night|bed ?time|nocte|mane)"
)
_NO_UNIT = r"(?![\w.,%/]*[\w%])(?! ?(?:mg|mcg|g|units?|ml|kg|puffs?|drops?|sprays?|hours?|hrs?|days?|weeks?|times|x)\b)"
_PLURAL = Sieved(
    rf"(?<![\w.,/-])(?:(?P<count>{_N})(?: of)?(?: the| your| his| her| these| those)? )?"
    r"(?P<value>\d{1,4}(?:\.\d{1,2})?)'?s(?![\w'])"
)
_YEAR = re.compile(r"(?:19|20)\d0")
_NAMED = re.compile(r"[ (]{0,2}(?:(?:extra|regular) strength |tab(?:let)?s? |in the form of )?")
_MOMENT_FIRST = Sieved(
    rf"(?<!\w)(?:(?:in the |at )?{_MOMENT} ?[:=-]? ?{_N}{_NO_UNIT}{_FORM}?(?:, and|,| and|;|/)? ?){{2,5}}"
)
_COUNT_FIRST = Sieved(
    rf"(?<![\w.,/-]){_N} (?:at|in the|with|before|after|every|each) (?:the )?{_MOMENT}(?!\w)"
    rf"(?:(?:, and|,| and|;|/) ?{_N} (?:at|in the|with|before|after|every|each) (?:the )?{_MOMENT}(?!\w)){{1,4}}"
)
_DIGIT = r"(?:\d(?:\.5)?|1/2)"
_DASHED = Sieved(rf"(?<![\w/.,-]){_DIGIT}(?: ?- ?{_DIGIT}){{2,3}}(?: ?{_FORM})?(?! ?-? ?\d)(?![\w/.-]*\w)")
_BEFORE_DASHED = re.compile(r"[ :,;(]{0,3}(?:(?:tab(?:let)?s?|cap(?:sule)?s?|take|po|oral) ?:? ?){0,2}")
_DAY = (
    r"(?: ?/ ?(?:day|d|24 ?h(?:rs?|ours?)?)| (?:a|per|each|every) day| daily| (?:in|per) "
    r"(?:a |any |one )?(?:day|24[ -]?h(?:rs?|ours?)?))(?!\w)"
)
_CAP = Sieved(
    rf"(?<!\w)(?:max(?:imum)?\.?(?: of)?|(?:no|not) more than|at most|limit(?: of| to)?|up to)[ :]{{0,2}}"
    rf"(?P<n>{_N}){_DAY}"
)
_AT_A_TIME = Sieved(rf"(?<![\w.,/-])(?P<n>{_N}) (?:at a time|at once|of (?:them|these|those))(?!\w)")
_AFTER_STRENGTH = re.compile(
    rf"(?: ?[:,;-])? ?(?P<n>{_N})(?= (?:at|in the|with|before|after|every|each|twice|once|by mouth|po|orally|"
    r"bid|tid|qid|bd|tds|qds|od|om|on|q ?\d|qhs|qd|nightly|nocte|mane|now|as needed|prn|three times|four times|"
    r"daily|weekly|a day|per day)\b)"
)
_WEEKDAY = r"(?P<day>mon|tues?|wed|wednes|thu|thurs?|fri|sat|satur|sun)(?:day)?s?\.?[ :=-]{1,3}"
_ON_DAY = Sieved(rf"(?<!\w){_WEEKDAY}(?=[\d.])")
_BARE = re.compile(
    r"(?P<n>\d{1,3}(?:\.\d{1,2})?)(?=,? ?(?:,|;|/|\||\n|$|\.(?!\d)| (?:mon|tue|wed|thu|fri|sat|sun|and\b)))"
)
_ROUND = Sieved(
    r"(?:(?<=\d )|(?<=mg )|(?<=mcg )|(?<= g )|(?<=\dg )|(?<=tab )|(?<=tabs )|(?<=tablet )|(?<=tablets )|"
    r"(?<=units )|(?<=ml )|(?<=puffs )|(?<=po ))o(?P<when>[mn])(?![\w-])"
    r"(?! (?:(?:the|an?)\b|mon|tue|wed|thu|fri|sat|sun|day|alternate|top|arrival|admission|discharge))"
)
_MICROGRAM_DRUGS = frozenset({"levothyroxine", "liothyronine", "digoxin"})
_NEAR = 120


def counted(
    norm: Normalised, amounts: list[Amount], rhythms: list[Rhythm], mentions: list[Named]
) -> tuple[list[Amount], list[Rhythm]]:
    """The amounts and rhythms of a text with those that a bare count stands for."""
    if not mentions:
        return amounts, rhythms
    reader = _Counts(norm, amounts, rhythms, mentions)
    reader.plurals()
    reader.moments()
    reader.dashed()
    reader.caps()
    reader.times()
    reader.weekdays()
    reader.rounds()
    return reader.amounts, reader.rhythms


class _Counts:
    def __init__(
        self, norm: Normalised, amounts: list[Amount], rhythms: list[Rhythm], mentions: list[Named]
    ) -> None:
        self._text = norm.text
        self._norm = norm
        self.amounts = amounts
        self.rhythms = rhythms
        self._mentions = mentions
        self._mention_starts = [m.start for m in mentions]

    # "two of the 500s", "three 20s"
    def plurals(self) -> None:
        for match in _PLURAL.finditer(self._text):
            value = Decimal(match["value"])
            named = self._named_before(match.start()) or (
                self._named_after(match.end()) if match["count"] else None
            )
            if named is None or value <= 0 or _YEAR.fullmatch(match["value"]):
                continue
            if match["count"] is None:
                if _NAMED.fullmatch(self._text, named.end, match.start()) is None:
                    continue
                amount = Amount(
                    match.start(),
                    match.end(),
                    Kind.STRENGTH,
                    value,
                    value,
                    self._unit_of(value, named),
                    strength=value,
                )
            else:
                count = self._value(match.start("count"))
                if count is None:
                    continue
                total = value * count
                amount = Amount(
                    match.start(), match.end(), Kind.DOSE, total, total, self._unit_of(value, named),
                    count=count, strength=value,
                )  # fmt: skip
            self._put(amount)

    def _unit_of(self, value: Decimal, named: Named) -> str:
        """The unit that the text itself gives to this strength, else the usual one of the drug."""
        for amount in self.amounts:
            if amount.unit in MASS and value in (amount.strength, amount.high):
                return amount.unit
        return "mcg" if _MICROGRAM_DRUGS & set(named.drugs) else "mg"

    # "morning 2, noon 1, night 2"; "2 at breakfast, 1 at bedtime"
    def moments(self) -> None:
        for pattern in (_MOMENT_FIRST, _COUNT_FIRST):
            for match in pattern.finditer(self._text):
                first = re.search(rf"(?<![\w.]){_N}(?!\w)", match.group())
                values = [
                    self._value(match.start() + m.start())
                    for m in re.finditer(rf"(?<![\w.]){_N}(?!\w)", match.group())
                ]
                if first is not None and None not in values:
                    self._spread(match.start() + first.start(), match.start() + first.end(), match, values)

    # "1-1-2"
    def dashed(self) -> None:
        for match in _DASHED.finditer(self._text):
            before = self._before(match.start())
            if before is None or _BEFORE_DASHED.fullmatch(self._text, before, match.start()) is None:
                continue
            parts = list(re.finditer(_DIGIT, match.group()))
            values = [self._value(match.start() + m.start()) or Decimal(0) for m in parts]
            self._spread(match.start(), match.start() + parts[0].end(), match, values)

    def _spread(self, start: int, end: int, match: re.Match[str], values: Sequence[Decimal | None]) -> None:
        """One dose, the largest, as often as gives what is taken in the day."""
        known = [v for v in values if v]
        stop = len(match.group().rstrip(" ,;/")) + match.start()
        named = self._named_before(start)
        if not known or named is None or stop <= end:
            return
        inside = [a for a in self.amounts if a.start < stop and a.end > match.start()]
        if any(a.unit not in ("tablet", "") and self._has_unit(a) for a in inside):
            return
        top = max(known)
        self.amounts = [a for a in self.amounts if a.end <= match.start() or a.start >= stop]
        self._put(Amount(start, end, Kind.DOSE, top, top, self._form(named, start)))
        self.rhythms = [r for r in self.rhythms if r.end <= match.start() or r.start >= stop]
        self.rhythms.append(Rhythm(end, stop, plain(sum(known, Decimal(0)) / top)))
        self.rhythms.sort(key=lambda r: r.start)

    def _has_unit(self, amount: Amount) -> bool:
        number = read_number(self._text, amount.start, spaced_groups=False)
        return number is None or number.end < amount.end

    def _form(self, named: Named, start: int) -> str:
        if any(drug.startswith("insulin") for drug in named.drugs):
            return "unit"
        near = self._amount_before(start)
        return near.unit if near is not None and near.unit in COUNTED else "tablet"

    # "max 3/day"
    def caps(self) -> None:
        for match in _CAP.finditer(self._text):
            near = self._amount_before(match.start())
            value = self._value(match.start("n"))
            if near is None or value is None or self._taken(match.start("n")):
                continue
            self.rhythms = [r for r in self.rhythms if r.end <= match.start("n") or r.start >= match.end()]
            if near.unit in COUNTED or near.count is not None:
                self._put(Amount(match.start("n"), match.end("n"), Kind.DOSE, value, value, "tablet"))
            else:
                self.rhythms.append(Rhythm(match.start(), match.end(), value, cap=True))
            self.rhythms.sort(key=lambda r: r.start)

    # "two at a time", "four of them", "500 mg tablets, 2 twice a day"
    def times(self) -> None:
        for match in _AT_A_TIME.finditer(self._text):
            value = self._value(match.start("n"))
            named = self._named_before(match.start())
            if value is not None and named is not None and not self._taken(match.start()):
                self._put(
                    Amount(
                        match.start(),
                        match.end("n"),
                        Kind.DOSE,
                        value,
                        value,
                        self._form(named, match.start()),
                    )
                )
        for amount in list(self.amounts):
            if amount.kind is not Kind.STRENGTH or amount.unit not in MASS:
                continue
            match_after = _AFTER_STRENGTH.match(self._text, amount.end)
            if match_after is None or self._taken(match_after.start("n")):
                continue
            value = self._value(match_after.start("n"))
            if value is not None and not any(r.start <= match_after.start("n") < r.end for r in self.rhythms):
                self._put(
                    Amount(match_after.start("n"), match_after.end("n"), Kind.DOSE, value, value, "tablet")
                )

    # "Mon 5 mg, Tue 7.5 mg"
    def weekdays(self) -> None:
        group: list[re.Match[str]] = []
        for match in [*_ON_DAY.finditer(self._text), None]:
            if match is not None and (not group or match.start() - group[-1].end() <= 30):
                group.append(match)
                continue
            if len({m["day"][:2] for m in group}) > 1:
                self._week(group)
            group = [match] if match is not None else []

    def _week(self, group: list[re.Match[str]]) -> None:
        by_start = {a.start: a for a in self.amounts}
        stated = [by_start[m.end()] for m in group if m.end() in by_start]
        unit = next((a.unit for a in stated if a.mass), None)
        near = self._amount_before(group[0].start())
        if unit is None and near is not None and not stated:
            unit = (
                near.unit if near.unit in COUNTED else "tablet" if near.kind is Kind.STRENGTH else near.unit
            )
        days: set[str] = set()
        found: list[Amount] = []
        for match in group:
            amount = by_start.get(match.end())
            bare = _BARE.match(self._text, match.end())
            if amount is None and unit is not None and bare is not None and Decimal(bare["n"]) > 0:
                value = Decimal(bare["n"])
                amount = Amount(match.end(), bare.end(), Kind.DOSE, value, value, unit)
                self._put(amount)
            if amount is not None:
                found.append(amount)
                days.add(match["day"][:2])
        if len(days) < 2:
            return
        first, last = group[0].start(), group[-1].end()
        self.rhythms = [
            r
            for r in self.rhythms
            if r.end <= first
            or r.start >= last
            or not re.match(_WEEKDAY[: -len(r"[ :=-]{1,3}")], self._text[r.start : r.end])
        ]
        weekly = plain(Decimal(len(days)) / 7)
        self.rhythms.extend(Rhythm(a.end - 1, a.end, weekly) for a in found)
        self.rhythms.sort(key=lambda r: r.start)

    # "20 mg ON", as a British chart has it: every morning, every night
    def rounds(self) -> None:
        for match in _ROUND.finditer(self._text):
            if not self._norm.source(match.start(), match.end()).isupper():
                continue
            moment = "morning" if match["when"] == "m" else "night"
            self.rhythms.append(Rhythm(match.start(), match.end(), Decimal(1), moments=frozenset({moment})))
        self.rhythms.sort(key=lambda r: r.start)

    # what stands before
    def _value(self, start: int) -> Decimal | None:
        number = read_number(self._text, start, spaced_groups=False)
        return None if number is None or number.value is None or number.value < 0 else number.value

    def _named_before(self, start: int) -> Named | None:
        at = bisect_left(self._mention_starts, start) - 1
        return self._mentions[at] if at >= 0 and start - self._mentions[at].end <= 3 * _NEAR else None

    def _named_after(self, end: int) -> Named | None:
        at = bisect_left(self._mention_starts, end)
        near = at < len(self._mentions) and self._mentions[at].start - end <= len(" of the ")
        return self._mentions[at] if near else None

    def _amount_before(self, start: int) -> Amount | None:
        at = bisect_left([a.start for a in self.amounts], start) - 1
        if at < 0 or start - self.amounts[at].end > _NEAR:
            return None
        return self.amounts[at]

    def _before(self, start: int) -> int | None:
        """The end of the mention or amount right before `start`."""
        near = self._amount_before(start)
        named = self._named_before(start)
        ends = [x.end for x in (near, named) if x is not None and x.end <= start]
        return max(ends) if ends else None

    def _taken(self, start: int) -> bool:
        at = bisect_right([a.start for a in self.amounts], start) - 1
        return at >= 0 and self.amounts[at].end > start

    def _put(self, amount: Amount) -> None:
        kept = [a for a in self.amounts if a.end <= amount.start or a.start >= amount.end]
        at = bisect_left([a.start for a in kept], amount.start)
        self.amounts = [*kept[:at], amount, *kept[at:]]
