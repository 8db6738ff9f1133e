"""Amounts in a normalised text: doses, strengths, concentrations and what looks like a dose and cannot be read.

A small recursive descent over the text, one candidate per number, each with bounded look-ahead, so the whole scan is
linear. It reads amounts only; which drug an amount belongs to is decided in `assemble`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from attending.guardrails.clinical.amount import MASS, MILLIGRAMS, Amount, Kind, Risk, convert
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.number import START, Number, read_number
from attending.guardrails.clinical.unit import COUNTED, Unit, read_unit
from attending.guardrails.sieve import Sieved

_RANGE = re.compile(r" ?(?:(-)|to|or|up to|\band\b) ?(?=[\da-z.])")
_OF_THESE = re.compile(
    r" of (?:(?:the|your|her|his|these|those|my) (?:[a-z]{2,14}'s )?(?:spare |old |leftover |own |usual )?|"
    r"[a-z]{2,14}'s )(?=[\d.])"
)
_TIMES_AFTER = re.compile(
    r" ?(?:x|times) ?(\d{1,2})(?![\d./%]| ?(?:days?|d|weeks?|wks?|months?|h|hrs?|hours?|"
    r"minutes?|min|doses?|per|/|a|daily|mg|mcg|ml|g)\b)"
)
_FORM = re.compile(
    r"[ -](?:\(?(?:[a-z]+[- ](?:coated|release|strength)|chewable|oral|scored|er|xr|sr|ir|dr|ec)\)? ){0,3}"
    r"(?:tab(?:let)?s?|cap(?:sule|let)?s?|pills?|gelcaps?|softgels?|suppositor(?:y|ies)|patch(?:es)?|"
    r"vials?|amp(?:o?ule)?s?|lozenges?|packets?|sachets?|puffs?|sprays?|chewables?|"
    r"nebules?|prefilled|syringes?)(?![a-z])"
)
_PER = re.compile(r" ?(?:/|\bper) ?")
_DENOMINATOR = re.compile(
    r"(?P<kg>kgs?|kilograms?|kilos?)(?:(?: of)? body ?weight| bw)?(?![a-z])"
    r"|(?P<m2>m\^?2|square met(?:er|re)s?|sq m|bsa)(?![a-z\d])"
    r"|(?P<day>days?|d|24 ?-?(?:h|hr|hrs|hours?)|daily)(?![a-z])"
    r"|(?P<week>weeks?|wk)(?![a-z])"
    r"|(?P<h>h|hr|hrs|hours?)(?![a-z])"
    r"|(?P<min>min|mins|minutes?)(?![a-z])"
    r"|(?P<dose>doses?|administration)(?![a-z])"
    r"|(?P<form>tab(?:let)?s?|cap(?:sule|let)?s?|puffs?|actuations?|inhalations?|"
    r"sprays?|drops?|patch|vial|ampou?le|pill|act)(?![a-z])"
    r"|(?:(?P<n>\d{1,4}(?:\.\d{1,2})?) ?)?(?P<vol>ml|mls|cc|millilit(?:er|re)s?|l|"
    r"lit(?:er|re)s?|dl|decilit(?:er|re)s?|g|gm|gram|mmol|mol|mg)(?![a-z])"
)
_LAB_PER = {"dl", "deciliter", "decilitre", "mmol", "mol", "mg"}
_EACH = re.compile(
    r"(?: tablets?| capsules?)?,? (?:each(?! (?:morning|day|night|evening|afternoon|"
    r"week|month|time|dose|meal|hour|(?:mon|tues|wednes|thurs|fri|satur|sun)day))|apiece|per tablet|per capsule)\b"
)
_FROM = re.compile(
    r"(?:\bprevious(?:ly)?(?: dose)?(?: of)?|\b(?:from|instead of|rather than|not)"
    r"(?: (?:the|his|her|your|their|a))?(?: (?:usual|normal|standard|full|old|earlier|former|previous))?(?: dose of)?"
    r"|\b(?:former|old|earlier|prior|original) dose (?:was |of |had been )?(?:just )?(?<= )"
    r"|[,(] ?(?:was|formerly|usually|normally)) ?(?<= )$"
)
_USUAL_BESIDE = re.compile(
    r"[,(;] ?(?:the )?(?:usual|normal|standard|full|label|textbook|ordinary)(?:ly)?(?: (?:adult|daily|renal))?"
    r"(?: dos(?:e|ing|age))?(?: (?:is|being|would be|in normal (?:kidneys|renal function)))?[: ]{1,2}\Z"
)
"""Before what others get, behind the dose that is given: "1 g q24h (usual 2 g q8h)"."""
_TAPERED = re.compile(
    r"\b(?:taper|wean|reduc|lower|decreas|cut|drop|step|bring|brought|went|going|go)\w*\b[^.;\n]{0,40}\Z"
)
_WAS = re.compile(r"\b(?:was|had been) $")
_NOW = re.compile(r"[^.;\n]{0,24}[,;(] ?(?:and |but )?now\b")
_EXCRETED = re.compile(
    r"\b(?:uop|u/o|uo|urine|urinary|urine output|output|diuresis|drain(?:ed|age|s)?|losses|lost|voided?|residuals?|"
    r"bladder scan|blood loss|ebl|aspirates?)(?: (?:output|volume|is|was|of|at|only|about|around|over|above|below|"
    r"under|at least|more than|less than|remains|stays|>|<)){0,4}[ :]{0,2}(?:[<>]=?|~|≈)? ?$"
)
"""What a body gives off is no dose: "UOP > 0.5 mL/kg/h"."""
_OF_THE_DIET = re.compile(
    r"(?: of)? (?:dietary )?(?:na\+?|sodium|salt|potassium|k\+?|protein|carb(?:ohydrate)?s?|fib(?:er|re)"
    r"|phosph(?:ate|orus)|"
    r"phos|fat|sugar|cholesterol|cho)(?: |-)?(?:(?:per|a|/) ?(?:day|meal|snack) )?(?:[- ]?(?:restrict\w*"
    r"|limit\w*|controlled|low))?"
    r"[ -]{0,2}(?:diet|restrict\w*|intake|allowance|meal|per meal|a meal)(?!\w)"
)
"""What a diet holds is no dose: "1.5 g Na diet"."""
_STRONG_FORM = re.compile(
    r" (?:(?:regular|normal|standard|extra|double|high|low|adult|ordinary)[- ]strength|ordinary|plain|single)"
    r"(?= (?:tab|cap|pill))"
)
_DOZEN = re.compile(r"(half )?a dozen(?= of (?:the|your|his|her|these|those|my) \d| \d)")
_GAUGE = re.compile(
    r"(?:1[4-9]|2\d|3[0-4]) ?g(?:auge)?(?![a-z])"
    r"(?:[ ,]{0,2}(?:x|by|\*)? ?[\d./-]{1,6} ?-?(?:mm|cm|in(?:ch(?:es)?)?\b|\")|"
    r",? (?:pen |safety |insulin |hypodermic |fine |blunt |filter |butterfly |spinal |iv |"
    r"peripheral ){0,2}(?:[a-z]{4,12} )?"
    r"(?:needles?|cannulae?|cannulas?|catheter|lancets?|syringes?|butterfly|prefilled|venflon)(?![a-z]))"
)
_GAUGED = re.compile(
    r"(?:\b(?:needles?|cannula|lancets?|syringes?|tips?)\b[^.;\n]{0,20}|"
    r"\b(?:antecubital|cubital|ac|acf|acfs|forearm|hand|wrist|foot|saphenous|jugular|cephalic|basilic|peripheral|pivs?|"
    r"large[- ]bore|wide[- ]bore|bore|cannulae?|access|lines?|venflons?|catheter)(?:[ :(,]{1,3}(?:iv|of|is|with|a|an|"
    r"one|two|[12] ?x)){0,2}[ :(,]{0,3}|"
    r"\b(?:draw\w*(?: it)? up|inject\w*|drawn|insert\w*|sited|placed|through|via|using) (?:with |using )?(?:an? )?)\Z"
)
_GAUGE_BARE = re.compile(r"(?:1[4-9]|2\d|3[0-4]) ?g(?:auge)?(?![a-z/])")
_GAUGE_SITED = re.compile(
    r"(?:1[4-9]|2\d|3[0-4]) ?g(?:auge)?,? (?:(?:in(?: to)?|into|at|iv|on|l|r|lt|rt|left|right|both|each|the"
    r"|his|her|dorsal|"
    r"dorsum of) ){1,4}(?:ac|acf|acfs|antecubital|forearms?|hands?|wrists?|arms?|foot|feet|ej|saphenous|vein"
    r"|fossae?)(?!\w)"
)
"""The thickness of a needle is no mass: "32G x 4 mm", "draw up with an 18G"."""
_MADE_OF = re.compile(r" in (?:each|every|one|a|1) (?:mls?|millilit(?:er|re)s?|cc)(?![a-z])")
_HOLDS = re.compile(r"\b(?:contains?|containing|holds?|holding) (?:about |a total of |up to )?\Z")
_OF_BODY = re.compile(
    r"\b(?:antibod(?:y|ies)|anti-?tpo|anti-?tg|hcg|psa|ige|rheumatoid factor|titres?|titers?|prolactin|tsh|fsh|"
    r"lh|shbg|amylase|lipase"
    r"|ca-?125|ca-?19-9|renin|asot?)(?: (?:level|of|was|is|at|result|[<>]))?[ :=]{0,3}\Z"
)
_CONTAINER = re.compile(r" ?-?(?:multi-?dose )?(?:vials?|bottles?|cartridges?|pens?|ampoules?|bags?)\b")
_FROM_A = re.compile(r"\b(?:in|from|per|of) (?:an?|the|each|one|its) \Z")
"""A vessel is not all given: "1,000 units in a 10 mL vial"."""
_BETWEEN = re.compile(r"\bbetween $")
_LETTER_DIGITS = Sieved(
    r"(?<![\w.,/-])(?=[ol\d.,]{0,8}\d)(?=[\d.,]{0,8}[ol])(?:[ol\d][ol\d.,]{1,8}) ?(?:mg|"
    r"mcg|μg|g|ml|units?|meq)(?![a-z])"
)
_PLACEHOLDER = Sieved(
    r"(?:_{2,20}|(?<!\w)(?:xx{1,4}|n(?= )|nn|tbd|#{2,6})|\[[^\]\n]{0,30}\]|\{[^}\n]{0,30}\}|"
    r"(?<!\w)\?{1,4}) ?(?:mg|mcg|μg|g|ml|units?|meq)(?![a-z/])"
)
_INSULIN_STRENGTH = Sieved(r"(?<![\w-])u-?(40|100|200|300|500)(?!\d)(?! ?(?:units?|mg|ml)\b)")
_COMPONENTS = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)((?:[/-]\d{1,4}(?:\.\d{1,3})?){1,2})(?![\d/])")
_RELATIVE = Sieved(
    r"(?<![\w-])(?:doubl(?:e|ed|ing)|tripl(?:e|ed|ing)|quadruple|twice|thrice|half|"
    r"halve[ds]?|(?:two|three|four|five|ten|\d{1,2}) times|"
    r"(?:two|three|four|five|ten|\d{1,3})-?fold|an? (?:extra|additional|higher|larger|"
    r"bigger|lower|smaller|stronger))"
    r"(?: of)? (?:(?:the|your|his|her|their|a|my|this|that|usual|normal|regular|"
    r"recommended|prescribed|current|previous|standard|daily|adult|home|maximum) ){0,4}"
    r"(dos(?:e|es|age)|amount)(?!\w)"
)
_MEGA = re.compile(r"\b(?:\w*penicillin|bicillin|pen g|colisti\w+|streptokinase)\b")
"""Drugs dosed in millions of units, of which `MU` is the usual writing."""
_PER_LITRE = re.compile(r" ?/ ?(?:l|ml|litre|liter)\b")
_IN_VOLUME = re.compile(r" in (?:each |every )?(?P<n>\d{1,2}(?:\.\d)?) ?mls?(?=\))")
"""The label's words for a concentration: "syrup (100 mg in 5 mL)"; "10 mEq in 100 mL" is a dose in its bag."""
_IN_VOLUME_THEN = re.compile(
    r" in (?:each |every )?(?P<n>\d{1,2}(?:\.\d)?) ?mls?(?=(?: ?[:,\u2013\u2014-]{1,2} ?"
    r"| )(?:please )?(?:give|take|draw up)\b)"
)
"""The same before the volume that is given of it: "160 mg in 5 mL: give 15 mL"."""
_PER_LITRE = re.compile(r" ?(?:/|per) ?(?:l|lit(?:er|re)|ml|dl)(?![a-z])")
_BESIDE = 48
_MAX_RATIO = Decimal(25)
_ARROWS = ("\u2192", "\u21d2", "\u2193", "->")


def scan(norm: Normalised) -> tuple[list[Amount], list[Risk]]:
    """All amounts of a text in order, not overlapping, with the risky notations among them."""
    text = norm.text
    amounts: list[Amount] = []
    risks: list[Risk] = []
    position = 0
    for match in START.finditer(text):
        start = match.start()
        if start < position:
            continue
        found: list[Risk] = []
        amount = _Reader(norm, found).amount(start)
        if amount is None:
            continue
        drawn = amount.kind is Kind.CONCENTRATION  # "1 mL from the 5,000 units/mL vial"
        if (not drawn and _FROM.search(text, max(0, start - 40), start)) or (
            _WAS.search(text, max(0, start - 12), start) and _NOW.match(text, amount.end)
        ):
            amount = replace(amount, former=True)
        if (
            amount.mass
            and amounts
            and not amounts[-1].former
            and (convert(amounts[-1].high, amounts[-1].unit, amount.unit) or amount.high) < amount.high
            and "\n" not in text[amounts[-1].end : start]
            and start - amounts[-1].end < _BESIDE
            and _USUAL_BESIDE.search(text, max(0, start - 60), start)
        ):
            amount = replace(amount, former=True)
        if amount.unit in ("g", "mg", "mmol", "mEq") and _OF_THE_DIET.match(text, amount.end):
            amount = replace(amount, kind=Kind.LABORATORY)
        if amount.unit == "mL" and _EXCRETED.search(text, max(0, start - 40), start):
            amount = replace(amount, kind=Kind.LABORATORY)
        if amount.unit == "unit" and _OF_BODY.search(text, max(0, start - 48), start):
            amount = replace(amount, kind=Kind.LABORATORY)
        if (
            amount.unit == "mL"
            and _CONTAINER.match(text, amount.end)
            and _FROM_A.search(text, max(0, start - 12), start)
        ):
            amount = replace(amount, kind=Kind.LABORATORY)
        amounts.append(amount)
        if amount.kind is not Kind.LABORATORY:
            risks.extend(found)
        position = amount.end
    for pattern, reason in (
        (_LETTER_DIGITS, "a letter among the digits"),
        (_PLACEHOLDER, "a placeholder instead of an amount"),
    ):
        for match in pattern.finditer(text):
            amounts.append(Amount(match.start(), match.end(), Kind.UNREADABLE, reason=reason))
    for match in _RELATIVE.finditer(text):
        start = match.start(1)
        reason = "an amount relative to a dose not stated"
        amounts.append(
            Amount(start, match.end(1), Kind.UNREADABLE, vague=True, reason=reason, shown=match.start())
        )
    for match in _INSULIN_STRENGTH.finditer(text):
        value = Decimal(match.group(1))
        amounts.append(Amount(match.start(), match.end(), Kind.CONCENTRATION, value, value, "unit", per="mL"))
    amounts.sort(key=lambda a: (a.start, -a.end))
    kept: list[Amount] = []
    for amount in amounts:
        if not kept or amount.start >= kept[-1].end:
            kept.append(amount)
    return kept, risks


_OF_ONE_DAY = re.compile(r"\) (?:in|over|within|per) (?:a|one|any|each|the)? ?(?:day|24 ?h(?:ours?)?)\b")
"""Behind what the tablets of a day come to: "up to four tablets (2 g) in a day"."""


class _Reader:
    """Reads one amount; collects the risky notations on its way."""

    def __init__(self, norm: Normalised, risks: list[Risk]) -> None:
        self._norm = norm
        self._text = norm.text
        self._risks = risks

    def amount(self, start: int) -> Amount | None:
        text = self._text
        number = read_number(text, start)
        dozen = _DOZEN.match(text, start)
        if dozen is not None:
            value = Decimal(6) if dozen.group(1) else Decimal(12)
            number = Number(start, dozen.end(), value, "words")
        if number is None:
            return None
        counted = self._count_of_strength(start, number)
        if counted is not None:
            return counted
        if number.kind == "grouped" and " " in text[start : number.end] and not self._is_group(number):
            unit = self._unit(number.end)
            if unit is None:
                return None
            return self._unreadable(start, unit.end, "a space that may separate thousands or a count")
        unit = self._unit(number.end)
        if unit is not None and unit.canonical == "g" and self._gauge(start):
            return None
        if unit is not None and self._one_patch(number, unit):
            return None
        if unit is not None and unit.written == "mu" and _PER_LITRE.match(text, unit.end):
            return Amount(start, unit.end, Kind.LABORATORY)
        ranged = self._range(start, number, unit)
        if ranged is not None:
            return ranged
        if unit is None:
            return self._bare_components(start, number)
        if number.value is None:
            vague = number.reason == "no exact amount"
            return replace(self._unreadable(start, unit.end, number.reason or "unreadable"), vague=vague)
        if number.value <= 0:
            return None
        if unit.reason:
            if unit.written == "mu" and _PER_LITRE.match(
                self._text, unit.end
            ):  # "prolactin 310 mU/L": a result
                return Amount(start, unit.end, Kind.LABORATORY, number.value, number.value, "unit", per="L")
            return self._unreadable(start, unit.end, unit.reason)
        if number.kind == "article" and unit.canonical not in COUNTED and unit.factor == 1:
            return None
        self._note(number, unit)
        return self._finish(start, number.value, number.value, unit)

    def _gauge(self, start: int) -> bool:
        text = self._text
        if _GAUGE.match(text, start) or _GAUGE_SITED.match(text, start):
            return True
        before = _GAUGED.search(text, max(0, start - 48), start)
        return before is not None and _GAUGE_BARE.match(text, start) is not None

    def _one_patch(self, number: Number, unit: Unit) -> bool:
        """ "a Butec 20 patch": the number tells which patch, not how many; twenty would have an s."""
        return unit.written == "patch" and number.value is not None and number.value > 1

    def _note(self, number: Number, unit: Unit) -> None:
        if number.notation:
            self._risks.append(Risk(number.start, number.end, number.notation))
        if unit.notation:
            self._risks.append(Risk(unit.end - len(unit.written), unit.end, unit.notation))

    def _is_group(self, number: Number) -> bool:
        """Whether a space inside the number is surely a thousands separator."""
        groups = self._text[number.start : number.end].split(" ")
        if len(groups) > 2 or groups[1].startswith("0"):
            return True
        return any(c in self._norm.source(number.start, number.end) for c in "\u00a0\u2009\u202f\u2007")

    def _unit(self, end: int) -> Unit | None:
        if end < len(self._text) and self._text[end] in " -":
            end += 1
        unit = read_unit(self._text, end)
        if unit is not None and unit.written == "mu" and _MEGA.search(self._text):
            return replace(unit, canonical="unit", factor=Decimal(1_000_000), reason=None)
        return unit

    def _unreadable(self, start: int, end: int, reason: str) -> Amount:
        return Amount(start, end, Kind.UNREADABLE, reason=reason)

    def _count_of_strength(self, start: int, first: Number) -> Amount | None:
        """ "two 500 mg tablets", "4 x 500 mg", "2 tablets of 500 mg": the product, or None."""
        text = self._text
        count = first
        if first.kind == "grouped" and " " in text[start : first.end]:
            again = read_number(text, start, spaced_groups=False)
            if again is None:
                return None
            count = again
        if count.value is None or count.value > 100 or count.value <= 0:
            return None
        strong = _STRONG_FORM.match(text, count.end)
        form_unit = self._unit(strong.end() if strong is not None else count.end)
        if form_unit is not None and form_unit.canonical in COUNTED:
            between = re.compile(
                r" (?:of|x) (?:the )?(?=[\d.])| ?\(?(?=[\d.]+ ?-?[a-zμ]+(?: each| apiece))"
            ).match(text, form_unit.end)
            needs_form = False
            after = between.end() if between else None
        else:
            if form_unit is not None:
                return None
            times = re.compile(r" ?(?:x|\*|times) ?(?=[\d.])").match(text, count.end)
            of_these = _OF_THESE.match(text, count.end)
            if times is not None:
                after, needs_form = times.end(), False
            elif of_these is not None:
                # "eight of the 0.6 mg colchicine tablets": the name may stand before the form
                after, needs_form = of_these.end(), False
            elif text[count.end : count.end + 1] in (" ", "-"):
                after, needs_form = count.end + 1, True
            else:
                return None
        if after is None:
            return None
        number = read_number(text, after, spaced_groups=False)
        if number is None or number.kind not in ("digits", "grouped", "words"):
            return None
        unit = self._unit(number.end)
        if unit is None or unit.canonical not in MASS or number.value is None or number.value <= 0:
            return None
        if unit.reason or unit.canonical in COUNTED:
            return None
        if unit.canonical == "g" and self._gauge(after):
            return None
        form = _FORM.match(text, unit.end)
        if needs_form and form is None:
            return None
        self._note(number, unit)
        end = form.end() if form else unit.end
        each = _EACH.match(text, end)
        amount = number.value * unit.factor
        return Amount(
            start,
            each.end() if each else end,
            Kind.DOSE,
            amount * count.value,
            amount * count.value,
            unit.canonical,
            count=count.value,
            strength=amount,
        )

    def _range(self, start: int, first: Number, first_unit: Unit | None) -> Amount | None:
        text = self._text
        position = first_unit.end if first_unit else first.end
        match = _RANGE.match(text, position)
        if match is None:
            return None
        joiner = match.group().strip()
        if joiner == "and" and not _BETWEEN.search(text, max(0, start - 9), start):
            return None
        if joiner in ("to", "or") and _FROM.search(text, max(0, start - 6), start):
            return None
        second = read_number(text, match.end())
        if second is None or second.kind == "article":
            return None
        unit = self._unit(second.end)
        if unit is None:
            return None
        if first_unit is not None and first_unit.reason is None and unit.reason is None:
            same = unit.canonical == first_unit.canonical
            if not same and not (unit.canonical in MILLIGRAMS and first_unit.canonical in MILLIGRAMS):
                return None
        if first.value is None or second.value is None:
            return self._unreadable(start, unit.end, first.reason or second.reason or "unreadable")
        if unit.reason:
            return self._unreadable(start, unit.end, unit.reason)
        low, high = first.value, second.value
        if first_unit is not None and first_unit.canonical != unit.canonical:
            low = low * MILLIGRAMS[first_unit.canonical] / MILLIGRAMS[unit.canonical]
        hyphen = joiner == "-"
        if low <= 0 or high <= 0:
            return self._unreadable(start, unit.end, "a range from zero")
        self._note(first, first_unit or unit)
        if first_unit is not None:
            self._note(second, unit)
        elif second.notation:
            self._risks.append(Risk(second.start, second.end, second.notation))
        if low > high and hyphen:
            return self._components(start, unit.end, (low, high), unit)
        if low > high and joiner == "or":
            low, high = high, low
        tapered = joiner == "to" and _TAPERED.search(text, max(0, start - 50), start) is not None
        if low > high and (tapered or self._arrow(first.end, second.start)):
            # "20 → 10 mg" is a change: what it was goes
            return self._finish(start, high, high, unit)
        if low > high:
            return self._unreadable(start, unit.end, "the range runs downwards")
        if hyphen and unit.canonical in MASS and high / low > _MAX_RATIO:
            return self._components(start, unit.end, (low, high), unit)
        return replace(self._finish(start, low, high, unit), hyphen=hyphen)

    def _arrow(self, start: int, end: int) -> bool:
        return start < end and any(arrow in self._norm.source(start, end) for arrow in _ARROWS)

    def _components(self, start: int, end: int, values: tuple[Decimal, ...], unit: Unit) -> Amount:
        return Amount(
            start,
            end,
            Kind.COMPONENTS,
            min(values) * unit.factor,
            max(values) * unit.factor,
            unit.canonical,
            components=tuple(v * unit.factor for v in values),
            reason="two strengths or a range that runs downwards",
        )

    def _bare_components(self, start: int, first: Number) -> Amount | None:
        """ "5/325", with or without a unit."""
        match = _COMPONENTS.match(self._text, start)
        if match is None or first.kind not in ("digits", "fraction"):
            return None
        values = tuple(Decimal(v) for v in re.split(r"[/-]", match.group()))
        if any(v <= 0 for v in values):
            return None
        unit = self._unit(match.end())
        if "-" in match.group() and unit is None and "/" in match.group():
            return None
        written = unit is not None and unit.canonical in MILLIGRAMS
        return Amount(
            start,
            unit.end if unit and written else match.end(),
            Kind.COMPONENTS,
            min(values),
            max(values),
            unit.canonical if unit and written else "",
            components=values,
            reason="two strengths of one product" if written else "",
        )

    def _finish(self, start: int, low: Decimal, high: Decimal, unit: Unit) -> Amount:
        """Reads what follows the unit: per kilogram, per time, a volume, a form, a multiplier."""
        text = self._text
        amount = Amount(start, unit.end, Kind.DOSE, low * unit.factor, high * unit.factor, unit.canonical)
        for _ in range(3):
            per = _PER.match(text, amount.end)
            if per is None:
                break
            part = _DENOMINATOR.match(text, per.end())
            if part is None:
                second = self._second_strength(amount, per.end())
                return second or amount
            amount = replace(amount, end=part.end())
            if part.group("kg"):
                amount = replace(amount, per_kg=True)
            elif part.group("m2"):
                amount = replace(amount, per_m2=True)
            elif part.group("form"):
                return replace(amount, kind=Kind.STRENGTH, strength=amount.high)
            elif part.group("vol"):
                return self._per_volume(start, amount, part)
            else:
                per_time = next(k for k in ("day", "week", "h", "min", "dose") if part.group(k))
                if amount.unit == "mL" and per_time == "min":
                    return replace(amount, kind=Kind.LABORATORY)
                amount = replace(amount, per_time=per_time)
        if amount.unit == "unit" and amount.per_time is None and not amount.per_kg:
            made = _MADE_OF.match(text, amount.end)
            if made is not None and not made.group().endswith((" 1 ml", " 1 cc")):
                return replace(amount, end=made.end(), kind=Kind.CONCENTRATION, per="mL")
            if _HOLDS.search(text, max(0, start - 32), start):
                return replace(amount, kind=Kind.LABORATORY)
        label = _IN_VOLUME if text[start - 1 : start] == "(" else _IN_VOLUME_THEN
        within = label.match(text, amount.end) if amount.mass else None
        if within is not None and amount.per_time is None and Decimal(within["n"]) > 0:
            n = Decimal(within["n"])
            kind, end = Kind.CONCENTRATION, within.end()
            return Amount(start, end, kind, amount.low / n, amount.high / n, amount.unit, per="mL")
        if amount.unit in MASS and text[start - 1 : start] == "(" and _OF_ONE_DAY.match(text, amount.end):
            return replace(amount, per_time="day")
        if amount.unit in MASS and amount.per_time is None and not amount.per_kg:
            each = _EACH.match(text, amount.end)
            if each:
                return replace(amount, end=each.end(), kind=Kind.STRENGTH, strength=amount.high, each=True)
            form = _FORM.match(text, amount.end)
            if form:
                return replace(amount, end=form.end(), kind=Kind.STRENGTH, strength=amount.high)
            times = _TIMES_AFTER.match(text, amount.end)
            if times and Decimal(times.group(1)) > 0:
                count = Decimal(times.group(1))
                return replace(
                    amount,
                    end=times.end(),
                    low=amount.low * count,
                    high=amount.high * count,
                    count=count,
                    strength=amount.high,
                )
        return amount

    def _second_strength(self, amount: Amount, position: int) -> Amount | None:
        """ "5 mg/325 mg": the strengths of a combination."""
        values = [amount.high]
        end = amount.end
        for _ in range(2):
            number = read_number(self._text, position, spaced_groups=False)
            if number is None or number.value is None or number.value <= 0:
                break
            unit = self._unit(number.end)
            if unit is None or unit.canonical not in MILLIGRAMS or amount.unit not in MILLIGRAMS:
                break
            values.append(number.value * MILLIGRAMS[unit.canonical] / MILLIGRAMS[amount.unit])
            end = unit.end
            if self._text[end : end + 1] != "/":
                break
            position = end + 1
        if len(values) < 2:
            return None
        return replace(
            amount, end=end, kind=Kind.COMPONENTS, components=tuple(values), low=min(values), high=max(values)
        )

    def _per_volume(self, start: int, amount: Amount, part: re.Match[str]) -> Amount:
        volume = part.group("vol")
        n = Decimal(part.group("n")) if part.group("n") else Decimal(1)
        if volume in ("mg", "g", "gm", "gram") and part.group("n") and amount.unit in MILLIGRAMS:
            scale = Decimal(1000) if volume != "mg" else Decimal(1)
            values = (amount.high, n * scale / MILLIGRAMS[amount.unit])
            return replace(amount, kind=Kind.COMPONENTS, components=values, low=min(values), high=max(values))
        if volume in _LAB_PER or n <= 0:
            return replace(amount, kind=Kind.LABORATORY)
        if volume in ("l", "liter", "litre", "liters", "litres"):
            return replace(amount, kind=Kind.LABORATORY, per="L")
        if volume in ("g", "gm", "gram"):
            return replace(amount, kind=Kind.CONCENTRATION, per="g", low=amount.low / n, high=amount.high / n)
        if amount.unit == "mL":
            return replace(amount, kind=Kind.LABORATORY)
        kind = Kind.LABORATORY if amount.unit == "ng" else Kind.CONCENTRATION
        return Amount(start, amount.end, kind, amount.low / n, amount.high / n, amount.unit, per="mL")
