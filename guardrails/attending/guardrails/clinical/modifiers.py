"""Ties frequencies, routes and durations to the dose they belong to."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import replace

from attending.guardrails.clinical.amount import Amount
from attending.guardrails.clinical.frequency import Rhythm
from attending.guardrails.clinical.limit import DAILY_AFTER, limit_kind
from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.pieces import Pieces
from attending.guardrails.clinical.reading import Scopes
from attending.guardrails.clinical.route import RouteWord
from attending.guardrails.clinical.spoken import ruled_out_schedule
from attending.guardrails.clinical.strength import LOCAL_ANAESTHETICS

_NOT_SO = re.compile(
    r"(?:\bnever|\bnot|n't|\binstead of|\brather than)(?: (?:be )?(?:take|taken|use|"
    r"used|give|given))?(?: (?:it|this))? $"
    r"|\b(?:not|instead of|rather than|never) (?:the |at )?\d[\d.,]{0,6} ?(?:mg|mcg|g|units?)?(?:/kg)? $"
    r"|\b(?:reduc\w+|chang\w+|lower\w+|increas\w+|switch\w+|spaced|down|cut) from $"
)
_ADJECTIVE = re.compile(
    r"(?:(?:once|twice|thrice|one|two|three|four)[- ])?(?:times[- ])?(?:daily|weekly|monthly|nightly|fortnightly)"
)
_BEGINS = re.compile(
    r"(?:[.;:,\n(]|\b(?:and|plus|with|an?|the|her|his|your|their|my|also|then|or|of|to|on|add(?:ed)?"
    r"|start(?:ed)?|begin|"
    r"began|tak(?:e|es|ing)|continu(?:e|es|ed)|give|given)) ?\Z|\A\Z"
)
_DESCRIBED = re.compile(
    r" (?:(?:oral|subcutaneous|injected|sc|low-dose|dose of|tablets? of|injections? of|pen of) )?"
)
_GIVEN_AGAIN = re.compile(
    r"\b(?:repeat(?! (?:the )?(?:blood|test|check|measure|prescription))|inject|"
    r"(?:use|apply|put|stick|place|wear|take|give|press|have|try) (?:on |in )?(?:an?|one|your|the|another|it)"
    r"(?: (?:new|fresh|next|full|whole|clean)){0,2}(?: (?:pen|patch|injection|dose|syringe|one|shot|tablet|"
    r"capsule))?)\b"
    r"(?:[^.;\n](?!needle|water|meal|glass|food)){0,40}\Z"
)
_OTHER_DEED = re.compile(
    r"\b(?:check|look|measure|test|record|weigh|monitor|inspect|walk|exercise|drink|wash|brush|rinse"
    r"|moisturi[sz]e|eat|clean|log|"
    r"write|note|call|phone|stretch|take (?:your|her|his|the|a) (?:blood|temperature|pulse|sugar|weight|bp|"
    r"peak flow|readings?))\b"
    r"(?!(?:[^.;\n]){0,60}\b(?:tablets?|capsules?|doses?|pens?|patch|patches|medicines?|inject(?!ion)"
    r"|it)\b)[^.;\n]{0,70}\Z"
)
"""What is done every day, and is not the taking of the drug of the sentence before."""


_AT_HAND = re.compile(
    r"(?: (?:iv|im|sc|ready|drawn up|kept|available|is|stays|in a syringe)){0,3} ?,? ?(?:at (?:the |his "
    r"|her )?bed-?side|ready|to hand|at hand|"
    r"on (?:stand-?by|hand|the trolley)|(?:immediately )?available|drawn up|in the room|by the bed)(?!\w)"
)
"""Behind an amount that lies ready for an emergency and is not given."""
_OBSERVED = re.compile(
    r"(?:hourly|every (?:hour|\d{1,2} (?:h|hours|minutes|min))|q ?\d{1,2} ?(?:h|min)|daily),? (?:dtrs?"
    r"|reflex\w*|patellar|rr|"
    r"resp\w*|urine|uop|vitals?|obs|observations|neuro\w*|glucose|bp|hr|sats|labs?|bloods|electrolytes|k\+?"
    r"|potassium levels?|"
    r"weights?|checks?|temperature|gcs|ecgs?|abgs?|i ?& ?o|fluid balance)(?!\w)"
)
"""How often something is watched, and no drug given."""
_HOW_OFTEN = re.compile(
    r"[* ]{0,4}(?:freq\w*|how often|when|schedule|dos(?:e|ing|age)|sig|directions?|route|duration|course|for how long"
    r"|length|timing|times|take|tak(?:e|en)|give|given|use|used|repeat\w*|inject\w*|apply|administer\w*|it\b|this\b|then\b"
    r"|maintenance|loading|infus\w*|over|every|each|once|twice|max\w*|mane|morning|evening|night)"
)
"""How an item under the item of a drug opens that says how it is taken."""
_TAKEN_ITSELF = re.compile(
    r"oral (?:glucose|dextrose|sugar|carb\w*|intake|fluids?|diet|hygiene|challenge|cavity|secretions?)\b"
)
"""What the word says of something that is no drug named here: "15 g oral glucose; glucagon 1 mg IM"."""
_FLUIDS = re.compile(
    r" (?:fluids?|saline|drip|access|line|cannula|antibiotics?|hydration|rehydration|contrast)\b"
)
"""Behind a route, what else goes that way than a drug named here."""


def attach_modifiers(
    pieces: Pieces, scopes: Scopes, parts: dict[int, list[Part]], retracted: list[Amount]
) -> None:
    """Gives each of `parts` (by mention) its rhythms, periods and route. What stands right behind one of the
    `retracted` amounts goes with it."""
    _Modifiers(pieces, scopes, parts, retracted).attach()
    for doses in parts.values():
        for part in doses:
            _divide(part)


def _divide(part: Part) -> None:
    """Makes a dose "in three divided doses" what it is, the amount of a day. "600 mg three times a day in divided
    doses" stays a dose: how often stands before."""
    amount = part.amount
    if amount is None or not amount.mass or amount.per_time is not None or amount.count is not None:
        return
    for rhythm in part.rhythms:
        if not rhythm.divided:
            continue
        often = any(r.start < rhythm.start and not r.divided and (r.times or 0) > 1 for r in part.rhythms)
        if rhythm.times is not None or not often:
            part.amount = replace(amount, per_time="day")


class _Modifiers:
    def __init__(
        self, pieces: Pieces, scopes: Scopes, parts: dict[int, list[Part]], retracted: list[Amount]
    ) -> None:
        self._pieces = pieces
        self._scopes = scopes
        self._parts = parts
        self._text = pieces.text
        self._retracted_ends = [a.end for a in retracted]
        anchors: list[tuple[int, int, Part]] = []
        for doses in parts.values():
            for part in doses:
                at = part.amount or pieces.mentions[part.mention]
                anchors.append((at.start, at.end, part))
        anchors.sort(key=lambda a: (a[0], a[1]))
        self._anchors = anchors
        self._starts = [a[0] for a in anchors]

    def attach(self) -> None:
        for rhythm in self._pieces.rhythms:
            last = bisect_right(self._retracted_ends, rhythm.start) - 1
            if last >= 0 and rhythm.start - self._retracted_ends[last] <= 2:
                continue
            if self._of_former(rhythm):
                continue
            if self._of_another(rhythm):
                continue
            if ruled_out_schedule(self._text, rhythm.start, rhythm.end):
                continue
            if _NOT_SO.search(self._text, max(0, rhythm.start - 30), rhythm.start):
                continue
            if self._of_unknown_next(rhythm):
                continue
            dosed = self._described(rhythm) or self._anchor(rhythm.start, look_ahead=True)
            if dosed is None and self._repeats_it(rhythm):
                dosed = self._anchors[-1][2]
            if dosed is not None and not self._is_limit_rhythm(rhythm) and not self._stands_by(dosed, rhythm):
                dosed.rhythms.append(rhythm)
        infused = {i.start for i in self._pieces.infusions}
        for period in self._pieces.periods:
            lasting = self._anchor(period.start) if period.start not in infused else None
            if lasting is not None and lasting.period is None:
                lasting.period = period
        for infusion in self._pieces.infusions:
            running = self._anchor(infusion.start)
            if running is not None and running.infusion is None:
                running.infusion = infusion
        for route in self._pieces.routes:
            given = self._route_anchor(route)
            if given is None or (route.rapid and self._of_catheter(given, route)):
                continue
            same = given.route is None or given.route.route == route.route
            if same or route.rapid:
                given.route = given.route or route
                given.rapid = given.rapid or (route.rapid and given.route.route == "intravenous")

    def _adjective(self, rhythm: Rhythm) -> bool:
        """Whether the phrase is an adjective of what follows: "and weekly X", not "10 mg daily X"."""
        return (
            _ADJECTIVE.fullmatch(self._text, rhythm.start, rhythm.end) is not None
            and _BEGINS.search(self._text, max(0, rhythm.start - 24), rhythm.start) is not None
        )

    def _described(self, rhythm: Rhythm) -> Part | None:
        at = bisect_left(self._pieces.mention_starts, rhythm.end)
        if at >= len(self._pieces.mention_starts) or not self._adjective(rhythm):
            return None
        between = self._text[rhythm.end : self._pieces.mention_starts[at]]
        return self._parts[at][0] if _DESCRIBED.fullmatch(between) and self._parts[at] else None

    def _of_unknown_next(self, rhythm: Rhythm) -> bool:
        """ "and a daily calcium 600 mg tablet": the rhythm of what no drug is named by."""
        at = bisect_left(self._pieces.amount_starts, rhythm.end)
        return (
            at in self._pieces.bound_elsewhere
            and self._pieces.amount_starts[at] - rhythm.end <= 24
            and self._pieces.sentence(self._pieces.amount_starts[at]) == self._pieces.sentence(rhythm.start)
            and self._adjective(rhythm)
        )

    def _repeats_it(self, rhythm: Rhythm) -> bool:
        """ "Repeat with a fresh pen every day", sentences after the only drug of the text, of which nothing else
        tells how often."""
        if not self._anchors or len({m.drugs for m in self._pieces.mentions}) != 1:
            return False
        if any(part.rhythms for _, _, part in self._anchors) or self._anchors[-1][0] > rhythm.start:
            return False
        begin = self._pieces.sentences[self._pieces.sentence(rhythm.start)].start
        if _OTHER_DEED.search(self._text, max(begin, rhythm.start - 80), rhythm.start):
            return False
        return _GIVEN_AGAIN.search(self._text, max(begin, rhythm.start - 80), rhythm.start) is not None

    def _of_catheter(self, part: Part, route: RouteWord) -> bool:
        """A bare "bolus" of a local anesthetic goes where its catheter lies, and not into a vein."""
        local = LOCAL_ANAESTHETICS.issuperset(self._pieces.mentions[part.mention].drugs)
        local = local and self._pieces.mentions[part.mention].drugs != (
            "lidocaine",
        )  # it is given into veins too
        return local and self._text.startswith(("bolus", "as a bolus"), route.start) and part.route is None

    def _of_former(self, rhythm: Rhythm) -> bool:
        """ "from 2 g q8h to 2 g q24h": q8h is the rhythm of the dose that was."""
        at = bisect_left(self._pieces.amount_starts, rhythm.start) - 1
        return (
            at >= 0 and self._pieces.amounts[at].former and rhythm.start - self._pieces.amounts[at].end < 20
        )

    def _of_another(self, rhythm: Rhythm) -> bool:
        """ "Prolia 60 mg. Calcium 600 mg twice a day": how often the calcium is taken, which is no drug named here."""
        at = bisect_left(self._pieces.amount_starts, rhythm.start) - 1
        if at not in self._pieces.bound_elsewhere or at < 0:
            return False
        own = bisect_left(self._starts, rhythm.start) - 1
        since = max(self._pieces.amounts[at].end, self._starts[own] if own >= 0 else 0)
        return since == self._pieces.amounts[at].end and self._pieces.sentence(
            since
        ) == self._pieces.sentence(rhythm.start)

    def _stands_by(self, part: Part, rhythm: Rhythm) -> bool:
        """ "hourly reflexes; calcium gluconate 1 g at the bedside": what only lies ready has no rhythm of before it."""
        at = part.amount or self._pieces.mentions[part.mention]
        return rhythm.end <= at.start and _AT_HAND.match(self._text, at.end) is not None

    def _is_limit_rhythm(self, rhythm: Rhythm) -> bool:
        """ "4 g a day" after "do not exceed" is the limit's own period, not how often to take it."""
        if rhythm.times != 1 or rhythm.moments or rhythm.once:
            return False
        at = bisect_left(self._pieces.amount_starts, rhythm.start) - 1
        if at < 0:
            return False
        amount = self._pieces.amounts[at]
        return (
            rhythm.start - amount.end < 40
            and DAILY_AFTER.match(self._text, amount.end) is not None
            and limit_kind(self._text, amount, self._scopes.amounts[at]) is not None
        )

    def _anchor(self, start: int, *, look_ahead: bool = False) -> Part | None:
        number = self._pieces.sentence(start)
        at = bisect_left(self._starts, start) - 1
        if at >= 0 and self._pieces.sentence(self._starts[at]) == number:
            return self._anchors[at][2]
        following = at + 1
        if (
            look_ahead
            and following < len(self._anchors)
            and self._pieces.sentence(self._starts[following]) == number
            and _OBSERVED.match(self._text, start) is None
        ):
            return self._anchors[following][2]
        if at >= 0 and number - self._pieces.sentence(self._starts[at]) <= 1:
            begin = self._pieces.sentences[number].start
            if self._of_next_item(number, self._pieces.sentence(self._starts[at]), start):
                return None
            if look_ahead and _OTHER_DEED.search(self._text, max(begin, start - 80), start):
                return None
            part = self._anchors[at][2]
            if not part.rhythms or not look_ahead:
                return part
        return None

    def _of_next_item(self, number: int, before: int, start: int) -> bool:
        """Whether sentence `number` opens a list item after the one of the drug, and has a subject of its own:
        "4. Glucagon 1 mg IM. / 5. Glucose q1h"."""
        here, there = self._pieces.sentences[number], self._pieces.sentences[before]
        if not (here.bullet and here.first and there.bullet) or here.line == there.line:
            return False
        return _HOW_OFTEN.match(self._text, here.start) is None and start - here.start > 3

    def _route_anchor(self, route: RouteWord) -> Part | None:
        at = bisect_left(self._starts, route.start)
        if at < len(self._anchors) and 0 <= self._starts[at] - route.end <= 1 + len(" dose of "):
            gap = self._text[route.end : self._starts[at]]
            if re.fullmatch(r" (?:\w+ (?:of )?)?", gap):
                return self._anchors[at][2]
        if not self._behind_amount(route):
            if _TAKEN_ITSELF.match(self._text, route.start):
                return None
            if route.route != "oral" and _FLUIDS.match(self._text, route.end):
                return None
            named = bisect_left(self._pieces.mention_starts, route.end)
            if named < len(self._pieces.mention_starts) and self._parts[named]:
                gap = self._text[route.end : self._pieces.mention_starts[named]]
                if re.fullmatch(r" (?:\w+ of )?", gap):
                    return self._parts[named][0]
        return self._anchor(route.start, look_ahead=True)

    def _behind_amount(self, route: RouteWord) -> bool:
        """Whether the route stands right behind an amount or a name, as in "5 mg IV", and so is of that."""
        at = bisect_left(self._pieces.amount_starts, route.start) - 1
        named = bisect_left(self._pieces.mention_starts, route.start) - 1
        ends = (
            self._pieces.amounts[at].end if at >= 0 else -9,
            self._pieces.mentions[named].end if named >= 0 else -9,
        )
        return route.start - max(ends) <= 1
