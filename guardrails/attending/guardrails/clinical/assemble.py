"""Ties amounts, frequencies, routes and durations to the drug they belong to."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from attending.guardrails.clinical.amount import Amount, Kind, convert
from attending.guardrails.clinical.clauses import Sentence
from attending.guardrails.clinical.frequency import Period, Rhythm
from attending.guardrails.clinical.limit import DAILY_AFTER, limit_kind, set_limit
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.route import RouteWord
from attending.guardrails.clinical.scope import Reading, Scopes
from attending.guardrails.clinical.spoken import (
    condemned,
    retracted,
    ruled_out_schedule,
    spent,
    stated_total,
    supplied,
)
from attending.guardrails.clinical.strength import LOCAL_ANAESTHETICS, Strengths
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.finding import Scope

_NEXT_OF = re.compile(
    r",? ?(?:(?:tablets?|capsules?|tabs?|caps?|doses?|puffs?|patch(?:es)?|injections?|"
    r"infusion|bolus|of|the|a|your|oral|iv|intravenous|regular|extra[- ]strength|"
    r"children's|infants'?|liquid|elemental|generic|strength|daily dose|total|chewable|"
    r"plain|suspension|syrup|solution|by mouth|po|im|sc|sq) ?){0,5}"
)
_LOADING = re.compile(
    r"\b(?:load(?:ing)?(?: dose)?(?: of| with)?|initial(?: dose)?(?: of)?|first dose(?: "
    r"of)?|bolus(?: dose)?(?: of)?)[ :]*$"
)
_LOADING_AFTER = re.compile(
    r"[ ,]{0,3}(?:(?:iv|po|orally|oral|by mouth|intravenous(?:ly)?|now|once|stat|on day 1|x "
    r"?1|as a) ?,? ?){0,4}(?:loading(?: dose)?|load\b|bolus|(?:followed by|then)\b)"
)
_BY = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|titrat\w+|rais\w+|lower\w*|adjust\w*|go up|up|"
    r"down)(?: \w+){0,4} by $|\bincrements of $|\bsteps of $"
)
_TOPICAL_AFTER = re.compile(
    r" ?(?:\w{1,40} )?(?:cream|ointment|gel|solution|lotion|drops|shampoo|foam|spray|saline|"
    r"dextrose|suspension|paste|patch|otic|ophthalmic|injection|infusion|mouthwash|swab|"
    r"nacl|sodium)"
)
_NOT_SO = re.compile(
    r"(?:\bnever|\bnot|n't|\binstead of|\brather than)(?: (?:be )?(?:take|taken|use|"
    r"used|give|given))?(?: (?:it|this))? $"
    r"|\b(?:reduc\w+|chang\w+|lower\w+|increas\w+|switch\w+|spaced|down|cut) from $"
)
_LESS = re.compile(r"\b(?:decreas\w+|reduc\w+|lower\w*|down|taper\w*|wean\w*)(?: \w+){0,4} by $")
_COMES_TO = re.compile(
    r"\b(?:that(?:'s| is| makes| will be)|which is|which makes|this makes|makes|in all,?|altogether,?|total(?: of|:)?)"
    r"(?: (?:just|only|about|a total of))? $"
)
_ALL_OF_IT = re.compile(
    r"(?:[.,;)(]| in all| in total| altogether| for (?:the|this) (?:whole|attack|flare|course)|$|\n)"
)
"""How many forms the doses said before come to: "that is three tablets, and that is all"."""
_SPLIT = re.compile(
    r"\b(?:split|divid\w+|shared?|spread|drawn up|given|giv(?:e|ing)|halved|injected)(?: [a-z]+){0,2}? "
    r"(?:in|into|between|across|over|as)(?: (?:the|equal|separate))? $"
)
"""In how many parts a dose is given; the dose is the whole: "2.4 million units, split in two syringes"."""
_QUANTITY_BEFORE = re.compile(
    r"(?:[,;.(] ?|\b(?:disp(?:ense)?|qty|quantity|supply of|#)[ :.]{0,2}(?:of )?)(?:total (?:of )?)?$"
)
_QUANTITY_AFTER = re.compile(
    r"\)?(?: total| only| dispensed)?(?:[.,;]? ?(?:(?:no|zero|0|\d{1,2}|with) (?:\w+ )?refills?|dispensed)"
    r"|[.;]? ?$|[.;]? ?\n|\.(?= ))"
)
_TOTAL = re.compile(
    r"(?:\((?:a |for a )?total(?: dose)?(?: of)?"
    r"|\b(?:for )?a total(?: dose)? of|, total(?: dose)?(?: of)?"
    r"|\b(?:weekly total|total weekly(?: dose)?|total (?:per|a|for the) week)(?: of| is)?)[ :=]*$"
)
_OVER_A_DAY = re.compile(r" (?:over|through|throughout|across|spread over) (?:the|a|each) (?:whole )?day\b")
_IN_A_DAY = re.compile(
    r",? (?:(?:of (?:\w+ ){1,2})?(?:in|over|on|for) (?:a|one|the|any|that|1) (?:whole |single )?day|"
    r"in (?:\w+ )?24 ?h\w*|in all|in total|"
    r"altogether|and that is (?:all|it)|and (?:then )?stop)\b"
)
_TAKE_BEFORE = re.compile(
    r"\b(?:take|swallow|chew|give|up to|than|most|use|have|another|more)(?: (?:the|all|a|an|of)){0,2} \Z"
)
_OWNS = re.compile(
    r"\b(?:(?:you|he|she|they|we|i|patient|pt)(?:'ve|'ll)?(?: (?:still|should|will|now|also))? (?:have|has|had|"
    r"hold|find|found|got)|"
    r"(?:gave|issued?|dispens\w+|suppl(?:y|ied)|sent|return\w*|bring|brought|collect\w*|there (?:are|were)|left|"
    r"counted|contains?))"
    r"(?: (?:you|her|him|them|back|only|just|with|out)){0,3} \Z"
)
"""How many somebody has or was given, which is not how many are taken."""
_WITHIN = re.compile(r"\b(?:under|below|within|short of|beneath)(?: (?:the|your|our|that))? \Z")
_DILUENT = re.compile(r"^ ?(?:\(\w+\) )?(?:in|into|with|diluted in|mixed in)(?: an?)? $")
_REPEATED = re.compile(r"\b(?:every|q) ?\d{1,2} ?(?:minutes?|mins?|m)\b|\b(?:repeat\w*|another)\b")
_UP_TO = re.compile(
    r",? (?:for )?(?:up to|max(?:imum)?(?: of)?|at most|no more than) (?:a (?:total|maximum) of )?$"
)
_BREAK = re.compile(r"[.;\n]|, (?:and |then |or )|\b(?:and|then|or|plus)\b|,")
_IN_MICROGRAMS = frozenset(
    {"formoterol", "salmeterol", "vilanterol", "indacaterol", "olodaterol", "umeclidinium"}
)
"""Inhaled drugs whose combinations are written without a unit ("160/4.5") and measured in micrograms."""
_CHANGED = re.compile(
    r"\b(?:or|then|week|weeks|old|new|now|was|were|previous\w*|before:|after:|chang\w+|switch\w*|mov(?:e|ed|ing)|"
    r"instead|current\w*|stop\w*|from|day \d|mon|tue|wed|thu|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|"
    r"saturday|sunday|rather|reduc\w+|increas\w+|alternat\w+|either|usual|yesterday|today|tomorrow|tonight)\b"
)
_ADJECTIVE = re.compile(
    r"(?:(?:once|twice|thrice|one|two|three|four)[- ])?(?:times[- ])?(?:daily|weekly|monthly|nightly|fortnightly)"
)
_BEGINS = re.compile(
    r"(?:[.;:,\n(]|\b(?:and|plus|with|an?|the|her|his|your|their|my|also|then|or|of|to|on|add(?:ed)?|start(?:ed)?|begin|"
    r"began|tak(?:e|es|ing)|continu(?:e|es|ed)|give|given)) ?\Z|\A\Z"
)
_DESCRIBED = re.compile(
    r" (?:(?:oral|subcutaneous|injected|sc|low-dose|dose of|tablets? of|injections? of|pen of) )?"
)
_GIVEN_AGAIN = re.compile(
    r"\b(?:repeat(?! (?:the )?(?:blood|test|check|measure|prescription))|inject|"
    r"(?:use|apply|put|stick|place|wear|take|give|press) (?:on |in )?(?:an?|one|your|the|another|it)"
    r"(?: (?:new|fresh|next|full|whole|clean)){0,2}(?: (?:pen|patch|injection|dose|syringe|one|shot|tablet|"
    r"capsule))?)\b"
    r"(?:[^.;\n](?!needle|water|meal|glass|food)){0,40}\Z"
)
_ANY = re.compile(r"\b(?:any|no|never|without|other|another)(?: \w+)? \Z")
_OTHER_DEED = re.compile(
    r"\b(?:check|look|measure|test|record|weigh|monitor|inspect|walk|exercise|drink|wash|brush|rinse|moisturi[sz]e|eat|clean|log|"
    r"write|note|call|phone|stretch|take (?:your|her|his|the|a) (?:blood|temperature|pulse|sugar|weight|bp|"
    r"peak flow|readings?))\b"
    r"(?!(?:[^.;\n]){0,60}\b(?:tablets?|capsules?|doses?|pens?|patch|patches|medicines?|inject(?!ion)|it)\b)[^.;\n]{0,70}\Z"
)
"""What is done every day, and is not the taking of the drug of the sentence before."""
_PASSED_OVER = re.compile(
    r"\b(?:instead of|rather than|in place of|in preference to|as opposed to|preferable to|better than|safer than|"
    r"prefer\w* (?:[\w-]+ ){0,6}?(?:to|over)|(?:cho\w+|pick\w*|select\w*|us(?:e|ed|ing)|favou?r\w*|went with) "
    r"(?:[\w-]+ ){1,4}?over)(?: (?:the|his|her|your|oral|iv))? \Z"
)
"""Before a drug that another was chosen over: "we preferred amoxicillin to" doxycycline."""
_WITH_IT = re.compile(r" ?(?:hcl|hydrochloride)? ?(?:\d{1,2}(?:\.\d{1,3})? ?%)? ?(?:with|and|plus|\+|/|&) ?")
_BESIDE = (" ", " (", "-")
"""What stands between a drug and the amount directly beside it."""
_COREF_SENTENCES = 4
_AT_LEAST_TWO = 2
_MOST_A_DAY = 12
_MOST_AT_ONCE = 4
"""A total of so many times the product is a count of it; more is read as two strengths that fit nothing."""

_WISH = re.compile(
    r"\b(?:feels?|felt|feeling|wants?|wanted|would like|wishes|asks?|asked|asking|requests?|requested|wonders?)\b"
    r"[^.;\n]{0,70}\Z"
)
"""What somebody would like is no dose that anybody orders: "she feels that she needs a higher dose"."""


_WILL = re.compile(
    r"\b(?:will|'ll|shall|would|may|might|could|to be|can be|plan(?:s|ned)? to|intend\w* to|aim\w* to|"
    r"consider\w*)\b[^.;\n]{0,70}\Z"
)
_AFTER_ONLY = re.compile(r"\bafter (?:only |just |even |as little as )?\Z")
"""Before how much has harmed: "sometimes after only a few tablets"."""
_WOULD_COME_TO = re.compile(
    r"\b(?:would|'d)\b[^.;\n]{0,70}\b(?:which|that|this|it)(?:'s| is| would be| comes to)"
    r"(?: [a-z-]+){0,4} \Z"
)
"""What a dose that nobody takes would be: "four would be 2 g, which is double the adult dose"."""
_ONCE_THAT = re.compile(
    r"(?: of [a-z-]+)?,? (?:only )?(?:when|once|after|if|as soon as|provided|at (?:the |your |her |his )?next|"
    r"later|in due course|until|then|there|at that|during|in (?:case|the event)|on sick)\b"
)
_MULTIPLIED = re.compile(r",? (?:of|for) (?!what |that |the one )")
_TELLS_WHAT = re.compile(
    r"[:=(\u2192]|,|;|\b(?:so|thus|hence|therefore|that is|which is|that's|meaning|makes?|now|namely|i\.e)\b"
)


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


def _multiplies(said: Amount, amount: Amount) -> bool:
    """ "5/325, up to 4 tablets a day: 1,300 mg": a plain amount that multiplies one strength of the combination said
    before is that ingredient's sum, and no dose of the product."""
    value = convert(amount.high, amount.unit, "mg")
    if value is None or amount.low != amount.high or len(said.components) < 2:
        return False
    return any(
        part > 0 and value % part == 0 and _AT_LEAST_TWO <= value / part <= _MOST_A_DAY
        for part in said.components
    )


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
    sentences: Sequence[Sentence]
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
        self._retracted: list[Amount] = []
        self._totals: dict[int, list[Part]] = defaultdict(list)
        self._groups = 0
        self._last_in_sentence: dict[int, int] = {}
        for index, mention in enumerate(pieces.mentions):
            self._last_in_sentence[self._sentence(mention.start)] = index

    def build(self) -> Assembled:
        limits: list[tuple[int, Amount, bool]] = []
        for index, amount in enumerate(self._p.amounts):
            if index in self._p.bound_elsewhere or amount.kind is Kind.LABORATORY or amount.former:
                continue
            if condemned(self._text, amount.start, amount.end):
                continue
            if retracted(self._text, amount.start, amount.end):
                self._retracted.append(amount)
                continue
            reading = self._s.amounts[index]
            if amount.kind is Kind.UNREADABLE:
                self._doubtful(amount, reading)
                continue
            if _BY.search(self._text, max(0, amount.start - 60), amount.start):
                if reading.scope.prescriptive and not _LESS.search(
                    self._text, max(0, amount.start - 60), amount.start
                ):
                    self._unreadable.append(
                        replace(amount, reason="a change by an amount, from a dose not stated")
                    )
                continue
            owner = self._said_of(amount, self._target(amount, reading))
            if not self._plausible(amount, owner):
                continue
            read = self._as_components(amount, owner)
            if read is None:
                continue
            if owner is not None and amount.mass and self._is_spent(owner, read):
                past = replace(self._s.mentions[owner], scope=Scope.HISTORY)
                self._parts[owner].append(Part(owner, past, replace(read, per_time="day")))
                continue
            if owner is not None and (self._is_no_dose(owner, read) or self._is_total(owner, read, reading)):
                continue
            if read.unit in COUNTED and _OVER_A_DAY.match(self._text, read.end):
                read = replace(read, per_time="day")
            kind = limit_kind(self._text, read, reading)
            if kind is not None:
                if owner is not None:
                    limits.append((owner, read, kind == "daily"))
                continue
            if owner is None:
                if read.kind is Kind.DOSE or read.kind is Kind.STRENGTH:
                    self._orphans.append((index, reading))
                continue
            self._attach(owner, read, reading)
        for index, reading in enumerate(self._s.mentions):
            if not self._parts[index]:
                self._parts[index].append(Part(index, reading))
        self._modifiers()
        for parts in self._parts.values():
            for part in parts:
                _divide(part)
        strengths = Strengths(self._text, self._p.mentions)
        for index, parts in self._parts.items():
            self._parts[index] = strengths.multiply(parts)
            self._unreadable.extend(strengths.denied())
            self._sum(self._parts[index])
            for earlier, later in pairwise(self._parts[index]):
                later.route = later.route or earlier.route
        self._sum_products()
        for owner, amount, daily in limits:
            set_limit(self._parts[owner], amount, daily=daily)
        parts = [p for index in sorted(self._parts) for p in (*self._parts[index], *self._totals[index])]
        return Assembled(parts, self._unreadable, self._orphans)

    def _is_no_dose(self, owner: int, amount: Amount) -> bool:
        """Whether the amount is what is dispensed, a total of doses already said, how many may follow within minutes,
        or the volume that a dose is diluted in."""
        said = [p.amount for p in self._parts[owner] if p.amount is not None]
        named = self._p.mentions[owner]
        product = amount.mass and amount.count is not None and amount.count > 1
        if (product or amount.unit in ("tablet", "patch", "suppository", "lozenge", "packet")) and supplied(
            self._text,
            amount.start,
            amount.end,
            named=named.end if amount.end <= named.start else None,
            dosed=any(a.mass or a.components for a in said),
        ):
            return True
        if product and _OWNS.search(self._text, max(0, amount.start - 40), amount.start):
            return True
        if not said:
            return False
        if amount.mass and amount.count is None and any(_multiplies(a, amount) for a in said):
            return True
        if self._sentence(said[-1].start) + 2 < self._sentence(amount.start):
            return False
        window = max(0, amount.start - 40)
        before = self._text[window : amount.start]
        counted = amount.unit in ("tablet", "patch", "suppository", "puff", "lozenge", "ampoule")
        if counted and _COMES_TO.search(before) and _ALL_OF_IT.match(self._text, amount.end):
            return True
        if counted and _SPLIT.search(before) and said[-1].unit not in COUNTED:
            return True
        if counted and _QUANTITY_BEFORE.search(before) and _QUANTITY_AFTER.match(self._text, amount.end):
            return any(r.start < amount.start for r in self._p.rhythms if r.start > said[0].start)
        if amount.mass and ((_TOTAL.search(before) and len(said) > 1) or _WITHIN.search(before)):
            return True
        if amount.unit == "mL" and said[-1].mass:
            after = max(said[-1].end, named.end) if named.end <= amount.start else said[-1].end
            return _DILUENT.match(self._text[after : amount.start]) is not None
        if counted and len([a for a in said if a.mass]) > 1 and _IN_A_DAY.match(self._text, amount.end):
            # "2 g, then 2 g again. That is the whole treatment: 4 caplets in one day"
            return _TAKE_BEFORE.search(before) is None
        if counted and _UP_TO.search(before) and not DAILY_AFTER.match(self._text, amount.end):
            return _REPEATED.search(self._text, max(0, amount.start - 70), amount.start) is not None
        return False

    def _is_spent(self, owner: int, amount: Amount) -> bool:
        named = self._p.mentions[owner]
        near = 0 <= amount.start - named.end <= 3
        return spent(self._text, named.start if near else amount.start)

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
        if len(self._p.mentions[owner].drugs) == 1:
            chosen = self._s.mentions[owner]
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
        drugs = set(self._p.mentions[owner].drugs)
        return next((i for i, m in enumerate(self._p.mentions) if drugs & set(m.drugs)), owner)

    def _sentence(self, position: int) -> int:
        return max(0, bisect_right(self._sentence_starts, position) - 1)

    def _doubtful(self, amount: Amount, reading: Reading) -> None:
        if _WOULD_COME_TO.search(self._text, max(0, amount.start - 110), amount.start):
            return
        if _AFTER_ONLY.search(self._text, max(0, amount.start - 20), amount.start):
            return
        if amount.vague:
            number = self._sentence(amount.start)
            near = number in self._last_in_sentence or number - 1 in self._last_in_sentence
            if not near or not reading.scope.prescriptive:
                return
            if (
                self._is_plan(amount)
                or _WISH.search(self._text, max(0, amount.start - 80), amount.start)
                or self._told_after(amount)
            ):
                return
        self._unreadable.append(amount)

    def _is_plan(self, vague: Amount) -> bool:
        """ "we will restart at a lower dose only when the INR is below 3": nobody acts on it today."""
        return (
            _WILL.search(self._text, max(0, vague.start - 80), vague.start) is not None
            and _ONCE_THAT.match(self._text, vague.end) is not None
        )

    def _told_after(self, vague: Amount) -> bool:
        """ "half the usual dose, so your dose is now 500 mg": the sentence itself says what it comes to. What stands
        right behind "of" is what is multiplied: "double the dose of digoxin 250 mcg"."""
        if _MULTIPLIED.match(self._text, vague.end):
            return False
        for amount in self._p.amounts[bisect_left(self._amount_starts, vague.end) :]:
            if self._sentence(amount.start) != self._sentence(vague.start):
                return False
            if amount.kind is Kind.DOSE and (amount.mass or amount.unit == "unit") and not amount.former:
                return _TELLS_WHAT.search(self._text, vague.end, amount.start) is not None
        return False

    def _plausible(self, amount: Amount, owner: int | None) -> bool:
        """A percentage is a strength only beside a drug or a preparation."""
        if amount.unit != "percent":
            return True
        if owner is None:
            return False
        mention = self._p.mentions[owner]
        close = 0 <= amount.start - mention.end <= 3 or 0 <= mention.start - amount.end <= 12
        return close or _TOPICAL_AFTER.match(self._text, amount.end) is not None

    def _as_components(self, amount: Amount, owner: int | None) -> Amount | None:
        """The amount, as strengths where a fixed combination has them; None where it is no dose of `owner`."""
        if amount.kind is Kind.COMPONENTS:
            return self._components(amount, owner)
        if owner is not None and amount.hyphen and amount.mass and len(self._p.mentions[owner].drugs) > 1:
            return replace(amount, kind=Kind.COMPONENTS, components=(amount.low, amount.high))
        return amount

    def _components(self, amount: Amount, owner: int | None) -> Amount | None:
        if owner is not None and self._multiple_said(owner, amount):
            return None
        if owner is None or not 0 <= amount.start - self._p.mentions[owner].end <= 14:
            if amount.unit and amount.reason and (owner is not None or amount.unit):
                self._unreadable.append(amount)
            return None
        mention = self._p.mentions[owner]
        if len(mention.drugs) < 2:
            if amount.unit and mention.drugs:
                self._unreadable.append(amount)
            return None
        unit = amount.unit or ("mcg" if _IN_MICROGRAMS & set(mention.drugs) else "mg")
        scale = convert(Decimal(1), unit, "mg") or Decimal(1)
        return replace(amount, components=tuple(c * scale for c in amount.components))

    def _multiple_said(self, owner: int, amount: Amount) -> bool:
        """ "8/2 mg, three films daily (24/6 mg)": the strengths said before, multiplied out."""
        for part in self._parts[owner]:
            one = part.amount.components if part.amount is not None else ()
            if (
                len(one) == len(amount.components)
                and len({b / a for a, b in zip(one, amount.components, strict=True)}) == 1
            ):
                times = amount.components[0] / one[0]
                return times <= _MOST_AT_ONCE and (times * 2) % 1 == 0
        return False

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
            beside = self._text[mentions[before].end : amount.start] in _BESIDE
            aside = not beside and self._passed_over(before)
            return self._best(before, number) if separated or aside else before
        if after is not None and (adjacent or self._s.mentions[after].clause_id == reading.clause_id):
            return after
        ruled_out: int | None = None
        for back in range(1, _COREF_SENTENCES + 1):
            last = self._last_in_sentence.get(number - back)
            if last is not None:
                best = self._best(last, number - back)
                if (
                    best is None
                    or self._s.mentions[best].scope is not Scope.AVOID
                    or not reading.scope.prescriptive
                ):
                    return best
                ruled_out = best if ruled_out is None else ruled_out
            if number - back < 0:
                break
        return after if ruled_out is None else ruled_out

    def _said_of(self, amount: Amount, owner: int | None) -> int | None:
        """The drug of which this very amount was said, where a sentence without a name only says it again: "prednisone
        60 mg daily. Weekly alendronate 70 mg was added. She stays at 60 mg"; the owner where it fits better."""
        if owner is None:
            return None
        named = self._p.mentions[owner]
        number = self._sentence(amount.start)
        if owner > 0 and self._adds_to_anaesthetic(owner):
            return owner - 1
        if self._sentence(named.start) == number:
            spoken = _ANY.search(self._text, max(0, named.start - 30), named.start) is not None
            taken = self._s.mentions[owner].scope.prescriptive and not spoken
            if named.drug_class is None or taken or named.end > amount.start:
                return owner
            # "no opioid so far: give 5 mL" gives what was named before, and not the class that was never had
            return next(
                (i for i in range(owner - 1, -1, -1) if self._p.mentions[i].drugs and self._near(i, number)),
                owner,
            )
        own = [p.amount for p in self._parts[owner] if p.amount is not None]
        if not own or any(a.unit != amount.unit or a.high == amount.high for a in own) or not amount.mass:
            return owner
        for index in range(owner - 1, -1, -1):
            if not self._near(index, number):
                break
            for part in self._parts[index]:
                said = part.amount
                if said is not None and (said.low, said.high, said.unit) == (
                    amount.low,
                    amount.high,
                    amount.unit,
                ):
                    return index
        return owner

    def _adds_to_anaesthetic(self, owner: int) -> bool:
        """ "lidocaine 1 % with epinephrine 30 mL": the volume is the anaesthetic's."""
        named, before = self._p.mentions[owner], self._p.mentions[owner - 1]
        return (
            named.drugs == ("epinephrine",)
            and bool(before.drugs)
            and LOCAL_ANAESTHETICS.issuperset(before.drugs)
            and _WITH_IT.fullmatch(self._text, before.end, named.start) is not None
        )

    def _near(self, index: int, number: int) -> bool:
        return number - self._sentence(self._mention_starts[index]) <= _COREF_SENTENCES

    def _best(self, last: int, number: int) -> int | None:
        """The drug last named in the sentence that the text gives; a history or an avoided one only if none is."""
        index = last
        while index >= 0 and self._sentence(self._mention_starts[index]) == number and last - index < 6:
            scope = self._s.mentions[index].scope
            if (scope.prescriptive or scope is Scope.LIMIT) and not self._passed_over(index):
                return index
            index -= 1
        return last

    def _passed_over(self, index: int) -> bool:
        """Whether the sentence says that a drug named before was chosen over this one."""
        named = self._p.mentions[index].start
        begin = self._p.sentences[self._sentence(named)].start
        chosen = index > 0 and self._mention_starts[index - 1] >= begin
        return chosen and _PASSED_OVER.search(self._text, max(begin, named - 80), named) is not None

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
        retracted_ends = [a.end for a in self._retracted]
        for rhythm in self._p.rhythms:
            last = bisect_right(retracted_ends, rhythm.start) - 1
            if last >= 0 and rhythm.start - retracted_ends[last] <= 2:
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
        at = bisect_left(self._mention_starts, rhythm.end)
        if at >= len(self._mention_starts) or not self._adjective(rhythm):
            return None
        between = self._text[rhythm.end : self._mention_starts[at]]
        return self._parts[at][0] if _DESCRIBED.fullmatch(between) and self._parts[at] else None

    def _of_unknown_next(self, rhythm: Rhythm) -> bool:
        """ "and a daily calcium 600 mg tablet": the rhythm of what no drug is named by."""
        at = bisect_left(self._amount_starts, rhythm.end)
        return (
            at in self._p.bound_elsewhere
            and self._amount_starts[at] - rhythm.end <= 24
            and self._sentence(self._amount_starts[at]) == self._sentence(rhythm.start)
            and self._adjective(rhythm)
        )

    def _repeats_it(self, rhythm: Rhythm) -> bool:
        """ "Repeat with a fresh pen every day", sentences after the only drug of the text, of which nothing else
        tells how often."""
        if not self._anchors or len({m.drugs for m in self._p.mentions}) != 1:
            return False
        if any(part.rhythms for _, _, part in self._anchors) or self._anchors[-1][0] > rhythm.start:
            return False
        begin = self._p.sentences[self._sentence(rhythm.start)].start
        if _OTHER_DEED.search(self._text, max(begin, rhythm.start - 80), rhythm.start):
            return False
        return _GIVEN_AGAIN.search(self._text, max(begin, rhythm.start - 80), rhythm.start) is not None

    def _of_catheter(self, part: Part, route: RouteWord) -> bool:
        """A bare "bolus" of a local anesthetic goes where its catheter lies, and not into a vein."""
        local = LOCAL_ANAESTHETICS.issuperset(self._p.mentions[part.mention].drugs)
        local = local and self._p.mentions[part.mention].drugs != ("lidocaine",)  # it is given into veins too
        return local and self._text.startswith(("bolus", "as a bolus"), route.start) and part.route is None

    def _of_former(self, rhythm: Rhythm) -> bool:
        """ "from 2 g q8h to 2 g q24h": q8h is the rhythm of the dose that was."""
        at = bisect_left(self._amount_starts, rhythm.start) - 1
        return at >= 0 and self._p.amounts[at].former and rhythm.start - self._p.amounts[at].end < 20

    def _of_another(self, rhythm: Rhythm) -> bool:
        """ "Prolia 60 mg. Calcium 600 mg twice a day": how often the calcium is taken, which is no drug named here."""
        at = bisect_left(self._amount_starts, rhythm.start) - 1
        if at not in self._p.bound_elsewhere or at < 0:
            return False
        own = bisect_left(self._starts, rhythm.start) - 1
        since = max(self._p.amounts[at].end, self._starts[own] if own >= 0 else 0)
        return since == self._p.amounts[at].end and self._sentence(since) == self._sentence(rhythm.start)

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
            and DAILY_AFTER.match(self._text, amount.end) is not None
            and limit_kind(self._text, amount, self._s.amounts[at]) is not None
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
            begin = self._p.sentences[number].start
            if look_ahead and _OTHER_DEED.search(self._text, max(begin, start - 80), start):
                return None
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

    def _sum_products(self) -> None:
        """Gives one number to a drug named twice for two moments of one day: "Xarelto 20 mg with breakfast", and in
        the next line "Xarelto 20 mg with supper"."""
        earlier: Part | None = None
        for index in sorted(self._parts):
            for part in self._parts[index]:
                if part.amount is None or part.loading or not part.reading.scope.prescriptive:
                    continue
                if earlier is not None and self._both_taken(earlier, part):
                    if earlier.sum_group is None:
                        self._groups += 1
                        earlier.sum_group = self._groups
                    part.sum_group = earlier.sum_group
                earlier = part

    def _both_taken(self, one: Part, two: Part) -> bool:
        first, second = self._p.mentions[one.mention], self._p.mentions[two.mention]
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
