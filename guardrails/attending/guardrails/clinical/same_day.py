"""Doses of one drug that are taken on one day and add up: each such set gets one number."""

from __future__ import annotations

import re
from collections import defaultdict

from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.pieces import Pieces

_CHANGED = re.compile(
    r"\b(?:or|then|week|weeks|old|new|now|was|were|previous\w*|before:|after:|chang\w+|switch\w*|mov(?:e|ed|ing)|"
    r"instead|current\w*|stop\w*|from|day \d|mon|tue|wed|thu|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|"
    r"saturday|sunday|rather|reduc\w+|increas\w+|alternat\w+|either|usual|yesterday|today|tomorrow|tonight)\b"
)


_MORE = re.compile(r"(?<!by )(?<!by a)(?<!by an)\b(?:an? )?(?:further|additional|extra|another) \Z")
_NOT_ADDED = re.compile(
    r"\b(?:if|or|then|prn|needed|required|unless|may|can|could|increas\w+|rais\w+|goes|go|went|titrat\w+|chang\w+"
    r"|weeks?|months?|repeat\w*|correction|above|until|till|instead|stop\w*|switch\w*|minutes?|hours?|allow\w*)\b"
)
_ADDED_WITHIN = 160
_ROW_TIME = re.compile(
    r"[ |*\u2022\u2610-]{0,8}(?P<time>\d{1,2}[:.]\d\d(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?|morning|breakfast|noon"
    r"|midday|lunch(?:time)?|afternoon|tea(?:time)?|evening|dinner|supper|bed ?time|night)\**[ ]?(?:["
    r"|:\u2013\u2014-]|(?= ))"
)
"""The time of day with which a row or line of a schedule begins."""
_ROW_CHANGED = re.compile(
    r"\b(?:or|if|then|prn|needed|required|until|till|from|instead|stop\w*|held|hold|switch\w*|chang\w+|reduc\w+"
    r"|increas\w+|alternat\w+|day \d|weeks?|mon|tue|wed|thu|fri|sat|sun|\w+day)\b(?<!every day)(?<!each day)(?<!a day)"
)


class SameDay:
    """Numbers the sets of one text, from 1."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._text = pieces.text
        self._groups = 0

    def within(self, parts: list[Part]) -> None:
        """Gives one number to doses of one drug at different moments of the same day."""
        momentary = [
            p for p in parts if p.amount is not None and not p.loading and any(r.moments for r in p.rhythms)
        ]
        by_sentence: dict[int, list[Part]] = defaultdict(list)
        for part in momentary:
            if part.amount is not None:
                by_sentence[self._pieces.sentence(part.amount.start)].append(part)
        for group in by_sentence.values():
            moments = [frozenset(m for r in p.rhythms for m in r.moments) for p in group]
            if len(group) > 1 and len(frozenset().union(*moments)) == sum(len(m) for m in moments):
                self._groups += 1
                for part in group:
                    part.sum_group = self._groups

    def across(self, parts: dict[int, list[Part]]) -> None:
        """Gives one number to a drug named twice for two moments of one day: "Xarelto 20 mg with breakfast", and in
        the next line "Xarelto 20 mg with supper"."""
        earlier: Part | None = None
        for index in sorted(parts):
            for part in parts[index]:
                if part.amount is None or part.loading or not part.reading.scope.prescriptive:
                    continue
                if earlier is not None and self._both_taken(earlier, part):
                    if earlier.sum_group is None:
                        self._groups += 1
                        earlier.sum_group = self._groups
                    part.sum_group = earlier.sum_group
                earlier = part

    def rows(self, parts: dict[int, list[Part]]) -> None:
        """Gives one number to the doses of a drug in lines that begin with different times of one day: the rows
        "08:00 | X 450 mg" and "17:00 | X 450 mg" of a schedule."""
        found: dict[tuple[str, ...], list[tuple[str, Part]]] = defaultdict(list)
        for index in sorted(parts):
            for part in parts[index]:
                named = self._pieces.mentions[part.mention]
                if (
                    part.amount is None
                    or part.loading
                    or part.sum_group
                    or not part.reading.scope.prescriptive
                ):
                    continue
                begin = self._text.rfind("\n", 0, named.start) + 1
                end = self._text.find("\n", named.end)
                when = _ROW_TIME.match(self._text, begin, named.start)
                if when is None or any(not r.moments for r in part.rhythms):
                    continue
                if _ROW_CHANGED.search(self._text, named.end, len(self._text) if end < 0 else end) is None:
                    found[named.drugs].append((when["time"], part))
        for rows in found.values():
            times = {time for time, _ in rows}
            units = {part.amount.unit for _, part in rows if part.amount is not None}
            if 1 < len(rows) == len(times) and len(units) == 1:
                self._groups += 1
                for _, part in rows:
                    part.sum_group = self._groups

    def added(self, parts: dict[int, list[Part]]) -> None:
        """Gives one number to a dose and what is taken on top of it: "X 40 mg in the morning, and a further 20 mg of it
        at night"."""
        earlier: Part | None = None
        for index in sorted(parts):
            for part in parts[index]:
                if part.amount is None or part.loading or not part.reading.scope.prescriptive:
                    continue
                if (
                    earlier is not None
                    and earlier.sum_group is None
                    and part.sum_group is None
                    and self._on_top(earlier, part)
                ):
                    self._groups += 1
                    earlier.sum_group = part.sum_group = self._groups
                earlier = part

    def _on_top(self, one: Part, two: Part) -> bool:
        if one.amount is None or two.amount is None or one.amount.unit != two.amount.unit:
            return False
        drugs = self._pieces.mentions[one.mention].drugs
        if (
            drugs != self._pieces.mentions[two.mention].drugs
            or not 0 < two.amount.start - one.amount.end <= _ADDED_WITHIN
        ):
            return False
        if _MORE.search(self._text, one.amount.end, two.amount.start) is None:
            return False
        stop = self._text.find(".", two.amount.end)
        end = min(stop if stop >= 0 else len(self._text), two.amount.end + 60)
        return _NOT_ADDED.search(self._text, one.amount.end, end) is None

    def _both_taken(self, one: Part, two: Part) -> bool:
        first, second = self._pieces.mentions[one.mention], self._pieces.mentions[two.mention]
        if one.mention == two.mention or first.drugs != second.drugs or two.sum_group is not None:
            return False
        if one.amount is None or two.amount is None or one.amount.unit != two.amount.unit:
            return False
        left, right = ({m for r in p.rhythms for m in r.moments} for p in (one, two))
        counted = [r for p in (one, two) for r in p.rhythms if not r.moments]
        if not left or not right or left & right or counted or second.start - first.end > 120:
            return False
        begin = max(0, self._text.rfind("\n", 0, first.start))
        end = self._text.find("\n", second.end)
        return _CHANGED.search(self._text, begin, len(self._text) if end < 0 else end) is None
