"""How often and for how long: phrases read into counts per day, shortest intervals and days."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from attending.guardrails.clinical.number import number_words
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A frequency phrase at `start:end` of the normalised text; see `Frequency` for the meaning of the numbers.

    `moments` are the times of day it names (morning, noon, evening, night, or a clock time); `cap` marks an upper
    bound ("up to 4 times a day") and `divided` the parts of a daily total.
    """

    start: int
    end: int
    times: Decimal | None = None
    hours: Decimal | None = None
    prn: bool = False
    once: bool = False
    moments: frozenset[str] = frozenset()
    cap: bool = False
    divided: bool = False
    notation: str | None = None
    meals: bool = False


@dataclass(frozen=True, slots=True)
class Period:
    """A duration of `days` at `start:end` of the normalised text."""

    start: int
    end: int
    days: Decimal


_SPELLED = number_words("one two three four five six seven eight nine ten twelve fourteen twenty thirty")
_COUNT = _SPELLED | {
    "once": 1, "twice": 2, "thrice": 3, "a": 1, "an": 1, "other": 2, "second": 2, "alternate": 2, "third": 3,
    "fourth": 4,
}  # fmt: skip
_N = rf"(?:\d{{1,3}}(?:\.\d)?|{'|'.join(_SPELLED)})"
_DAY = r"(?:day|daily|24 ?-?(?:hours?|hrs?|h)(?: period)?|d(?![a-z]))"
_SPAN = r"(?:minutes?|mins?|hours?|hrs?|hr|h|days?|d|weeks?|wks?|wk|w|months?|mo)(?![a-z])"
_HOURS = {
    "m": Decimal(1) / Decimal(60),
    "h": Decimal(1),
    "d": Decimal(24),
    "w": Decimal(168),
    "mo": Decimal(720),
}
_FEW = 6
_UP_TO = r"(?:(?P<cap>up to|at most|no more than|not more than|max(?:imum)?(?: of)?|a maximum of) )?"
_WEEKDAY = r"(?:mon|tues?|wednes|wed|thu(?:rs?)?|fri|satur|sat|sun)(?:day)?s?"
_MOMENT = (
    r"(?:in the (?:morning|afternoon|evening)s?|at (?:night(?:time)?|bed ?time|noon|mid-?day|lunch(?:time)?|"
    r"dinner(?:time)?|breakfast|supper)|before (?:bed(?:time)?|sleep)|(?:every|each) "
    r"(?:morning|evening|night|afternoon)|"
    r"(?:with|before|after) (?:the )?(?:breakfast|lunch|dinner|supper|evening meal|morning meal)|"
    r"(?:at )?\d{1,2}(?::\d{2})? ?[ap]\.?m\.?(?![a-z])|(?:on )?(?:awakening|waking(?: "
    r"up)?)|nightly|mane|nocte|"
    r"(?<!\w)q ?[ap]m(?!\w)|(?<!\w)q ?hs(?!\w)|(?<!\w)hs(?!\w)|bedtime|"
    r"(?:in the|every|each) [ap]\.?m\.?(?!\w)|"
    r"(?:(?<=mg )|(?<=mcg )|(?<= g )|(?<=\dg )|(?<=units )|(?<=unit )|(?<=ml )|(?<=tab )|(?<=tabs )|(?<=tablet )|"
    r"(?<=tablets )|(?<=cap )|(?<=caps )|(?<=puffs ))(?:[ap]\.?m\.?|midday|noon|lunchtime|tea ?time)(?!\w))"
)

Handler = Callable[[re.Match[str]], Rhythm | None]


def _number(word: str) -> Decimal:
    return Decimal(_COUNT[word]) if word in _COUNT else Decimal(word)


def _hours(amount: Decimal, span: str) -> Decimal:
    key = "mo" if span.startswith("mo") else span[0]
    return plain(amount * _HOURS[key])


def plain(value: Decimal) -> Decimal:
    """`value` to six places without trailing zeros."""
    rounded = value.quantize(Decimal("0.000001")).normalize()
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded


def _every(m: re.Match[str]) -> Rhythm | None:
    low = _number(m.group("n"))
    if m.groupdict().get("n2"):
        low = min(low, _number(m.group("n2")))
    hours = _hours(low, m.group("span"))
    if hours <= 0:
        return None
    return Rhythm(m.start(), m.end(), plain(Decimal(24) / hours), hours)


def _times(m: re.Match[str]) -> Rhythm | None:
    parts = m.groupdict()
    words = [parts[k] for k in ("n", "n2", "once", "n3") if parts.get(k)]
    words.extend(re.findall(rf"(?:to|or) ({_N}) times", m.group()))
    count = max(_number(word) for word in words)
    if count <= 0:
        return None
    unit = m.group("unit")
    if unit.startswith("h"):
        return Rhythm(m.start(), m.end(), count * 24, Decimal(1) / count)
    days = Decimal(7) if unit.startswith("w") else Decimal(30) if unit.startswith("mo") else Decimal(1)
    return Rhythm(m.start(), m.end(), count / days, None, cap=bool(parts.get("cap")))


def _fixed(times: Decimal | int | None, hours: Decimal | int | None = None, **more: object) -> Handler:
    def handle(m: re.Match[str]) -> Rhythm:
        base = Rhythm(
            m.start(),
            m.end(),
            None if times is None else Decimal(times),
            None if hours is None else Decimal(hours),
        )
        return replace(base, **more)  # type: ignore[arg-type]

    return handle


def _weekdays(m: re.Match[str]) -> Rhythm:
    days = re.findall(_WEEKDAY, m.group())
    return Rhythm(m.start(), m.end(), Decimal(len({d[:2] for d in days})) / 7, None)


_WEEK = ("mo", "tu", "we", "th", "fr", "sa", "su")


def _from_day_to_day(m: re.Match[str]) -> Rhythm:
    """ "Monday through Friday" is five days in seven."""
    first, last = (_WEEK.index(day[:2]) for day in re.findall(_WEEKDAY, m.group()))
    return Rhythm(m.start(), m.end(), Decimal((last - first) % 7 + 1) / 7, None)


def _days_a_week(m: re.Match[str]) -> Rhythm | None:
    days = _number(m.group("n"))
    return Rhythm(m.start(), m.end(), days / 7, None) if 0 < days <= 7 else None


def _moment(m: re.Match[str]) -> Rhythm:
    moments = frozenset(
        _moment_name(p)
        for p in re.findall(
            rf"{_MOMENT}|\b(?:breakfast|lunch|dinner|supper|evening|night|[ap]m|midday|noon|lunchtime|tea ?time)\b"
            r"|\b[ap]\.m\b",
            m.group(),
        )
    )
    return Rhythm(m.start(), m.end(), Decimal(len(moments)), None, moments=moments)


def _moment_name(phrase: str) -> str:
    if re.search(r"bed|night|sleep|hs|nocte|nightly", phrase):
        return "night"
    if re.search(r"morning|breakfast|awak|waking|mane|q ?am|^(?:(?:in the|every|each) )?a\.?m", phrase):
        return "morning"
    if re.search(r"noon|mid|lunch|afternoon", phrase):
        return "noon"
    if re.search(r"evening|dinner|supper|tea|q ?pm|^(?:(?:in the|every|each) )?p\.?m", phrase):
        return "evening"
    return phrase


def _meals(m: re.Match[str]) -> Rhythm:
    extra = 1 if m.groupdict().get("bed") else 0
    return Rhythm(m.start(), m.end(), Decimal(3 + extra), None, meals=True)


def _lasting(m: re.Match[str]) -> Rhythm | None:
    """As many days as pieces; of a big box it is not known how many are taken at one time."""
    pieces, days = _number(m.group("n")), _number(m.group("n2"))
    return Rhythm(m.start(), m.end(), Decimal(1), Decimal(24)) if pieces == days and pieces <= _FEW else None


def _divided(m: re.Match[str]) -> Rhythm:
    n = m.groupdict().get("n")
    count = max(_number(x) for x in re.findall(_N, n)) if n else None
    return Rhythm(m.start(), m.end(), count, None, divided=True)


_B = r"(?<![\w])"
_E = r"(?![\w])"
_BEHIND_A_DOSE = (
    r"(?:(?<=mg )|(?<=mcg )|(?<=micrograms )|(?<=\dg )|(?<=\d g )|(?<=units )|(?<=unit )|(?<=tab )|(?<=tabs )"
    r"|(?<=tablet )|(?<=tablets )|(?<=cap )|(?<=caps )|(?<=capsule )|(?<=capsules )|(?<=puff )|(?<=puffs )|(?<=po )"
    r"|(?<=iv )|(?<=sc )|(?<=im )|(?<=oral )|(?<=orally )|(?<= sr )|(?<= xl )|(?<= er )|(?<= mr ))"
)
"""Where "OD" is once daily, and not the right eye."""
_NO_SPAN = "".join(
    rf"(?<!\b{word} )"
    for word in [
        "beyond",
        "within",
        "over",
        "in",
        "after",
        "than",
        "by",
        "about",
        "of",
        "half",
        "under",
        "until",
        "till",
    ]
)
"""Before "a month" that is a time and not how often: "do not delay beyond a month"."""
_RULES: list[tuple[tuple[str, ...], Sieved, Handler]] = [
    (tuple(words.split()), Sieved(pattern), handler)
    for words, pattern, handler in (
        # words without which the pattern cannot match, the pattern, what it means
        # intervals
        (
            "every each q",
            rf"{_B}(?:every|each|q\.?) ?(?P<n>{_N})(?: ?(?:-|to|or) ?(?P<n2>{_N}))?[ -]?(?P<span>{_SPAN})",
            _every,
        ),
        ("hourly", rf"{_B}(?P<n>{_N})(?: ?(?:-|to) ?(?P<n2>{_N}))?[ -](?P<span>hour)ly{_E}", _every),
        (
            "every each",
            rf"{_B}(?:every|each) (?P<n>other|second|alternate|third|fourth) (?P<span>day|week|month){_E}",
            _every,
        ),
        ("alternate", rf"{_B}(?P<n>alternate) (?P<span>day|week)s?{_E}", _every),
        ("every each q", rf"{_B}(?:every|each|q) ?(?P<n>)(?P<span>hour|h){_E}", _fixed(24, 1)),
        ("hourly", rf"{_B}hourly{_E}", _fixed(24, 1)),
        # "3-monthly", "six weekly"; "15 weekly" may be an amount without its unit
        (
            "monthly",
            rf"{_B}(?P<n>[2-9]|1[0-3]|two|three|four|five|six|eight|nine|ten|twelve)[ -](?P<span>month)ly{_E}",
            _every,
        ),
        (
            "weekly",
            rf"{_B}(?P<n>(?:[2-9]|1[0-3])(?=-)|two|three|four|five|six|eight|nine|ten|twelve)[ -](?P<span>week)ly{_E}",
            _every,
        ),
        (
            "q",
            rf"{_B}q(?P<n>[1-9]|1[0-2]|24|48|72)(?P<span>(?![\w.]))",
            lambda m: _fixed(Decimal(24) / Decimal(m.group("n")), Decimal(m.group("n")))(m),
        ),
        # "a pack of four will last four days"
        (
            "last",
            rf"{_B}(?:pack|box|carton)(?:age)? (?:of|with|holding) (?:the )?(?P<n>{_N})(?: \w+)?,?(?: (?:which|"
            rf"that|and|it))?"
            rf" (?:(?:will|should|is meant to) )?lasts? (?:you |her |"
            rf"him )?(?:for )?(?:only )?(?P<n2>{_N}) (?P<span>day)s?{_E}",
            _lasting,
        ),
        # counts
        (
            "once twice thrice time dose x",
            rf"{_B}{_UP_TO}(?:(?P<n>{_N})(?: ?(?:-|to|or) ?(?P<n2>{_N}))? ?(?:x|times?|doses?)|"
            rf"(?P<once>once|twice|thrice)(?: (?:to|or) (?:(?P<n3>twice|thrice)|{_N} times))?) "
            rf"?(?:a |per |each |every |/ ?|in (?:a |any |one )?|over |within )"
            rf"(?P<unit>{_DAY}|week|wk|month|hour){_E}",
            _times,
        ),
        (
            "once twice thrice time dose x",
            rf"{_B}{_UP_TO}(?:(?P<n>{_N})(?: ?(?:-|to|or) ?(?P<n2>{_N}))?[ -]?(?:x|times?|doses?)|"
            rf"(?P<once>once|twice|thrice)(?: (?:to|or) (?:(?P<n3>twice|thrice)|{_N} times))?)[ "
            rf"-]?(?P<unit>daily|weekly|monthly|nightly){_E}",
            _times,
        ),
        ("x", rf"{_B}(?P<n>{_N}) ?x ?(?:a |per |/)? ?(?P<unit>{_DAY}|week|wk|month)", _times),
        # plain words
        (
            "day daily",
            rf"{_B}(?:every|each|per|once a|1x?/|/ ?) ?day{_E}|{_NO_SPAN}{_B}a day(?! (?:or (?:two|so|more)"
            rf"|later|earlier|early|ago|longer"
            rf"|(?:before|after) (?:folic|the (?:scan|op\w*|procedure|surgery|test|visit|appointment|infusion|dose"
            rf"|injection|methotrexate)|(?:his|her|your) (?:scan|op\w*|procedure|surgery|infusion|injection))"
            rf"|off(?: work| school|[.,;]|$))(?![\w-])){_E}|{_B}daily{_E}|{_B}everyday{_E}",
            _fixed(1),
        ),
        (
            "week wk",
            rf"{_B}(?:every|each|per|once a) (?:week|wk){_E}|{_NO_SPAN}"
            rf"{_B}a (?:week|wk){_E}|{_B}weekly(?! total){_E}|{_B}q ?(?:wk|week|weekly){_E}",
            _fixed(Decimal(1) / 7, 168),
        ),
        (
            "month",
            rf"{_B}(?:every|each|per|once a) month{_E}|{_NO_SPAN}"
            rf"{_B}a month{_E}|{_B}monthly{_E}|{_B}q ?month(?:ly)?{_E}",
            _fixed(Decimal(1) / 30, 720),
        ),
        ("fortnight", rf"{_B}fortnightly{_E}|{_B}(?:every|each) fortnight{_E}", _fixed(Decimal(1) / 14, 336)),
        ("weekly monthly", rf"{_B}(?:bi-?weekly|bi-?monthly){_E}", _fixed(None)),
        (
            "mon tue wed thu fri sat sun",
            rf"{_B}(?:every|each|on) {_WEEKDAY}(?:(?:, | ?and | ?/ ?|, and ){_WEEKDAY}){{0,6}}{_E}|"
            rf"{_B}{_WEEKDAY}(?:(?:, | and | ?/ ?|, and ){_WEEKDAY}){{1,6}}{_E}|{_B}(?:mon|tues|"
            rf"wednes|thurs|fri|satur|sun)days{_E}",
            _weekdays,
        ),
        ("mwf", rf"{_B}mwf{_E}", _fixed(Decimal(3) / 7)),
        (
            "mon tue wed thu fri sat sun",
            rf"{_B}{_WEEKDAY} ?(?:through|thru|until|to|-) ?{_WEEKDAY}{_E}",
            _from_day_to_day,
        ),
        (
            "week wk",
            rf"{_B}(?P<n>{_N}) (?:days?|times|nights?) ?(?:a|per|each|every|out of the|/) ?(?:week|wk){_E}",
            _days_a_week,
        ),
        ("weekday", rf"{_B}(?:every|on|each|all)? ?weekdays?{_E}", _fixed(Decimal(5) / 7)),
        # Latin
        (
            "od",
            rf"{_BEHIND_A_DOSE}od{_E}(?! (?:\(?right|every|q ?\d|once|monthly|weekly|bid|tid|qid|bd|tds|qds))",
            _fixed(1, 24),
        ),
        (
            "q o.d.",
            rf"{_B}q\. ?d\.?{_E}|{_B}qd{_E}|{_B}q ?day{_E}|{_B}q ?daily{_E}|{_B}o\.d\.(?!\w)",
            _fixed(1, 24, notation="qd"),
        ),
        ("q", rf"{_B}q\. ?o\. ?d\.?{_E}|{_B}qod{_E}", _fixed(Decimal("0.5"), 48, notation="qod")),
        ("b", rf"{_B}b\.? ?i\.? ?d\.?{_E}|{_B}bd{_E}", _fixed(2, None)),
        ("t", rf"{_B}t\.? ?i\.? ?d\.?{_E}|{_B}tds{_E}", _fixed(3, None)),
        ("q", rf"{_B}q\.? ?i\.? ?d\.?{_E}|{_B}qds{_E}", _fixed(4, None)),
        ("biw", rf"{_B}biw{_E}", _fixed(Decimal(2) / 7)),
        ("tiw", rf"{_B}tiw{_E}", _fixed(Decimal(3) / 7)),
        # moments of the day
        (
            "morning afternoon evening night bed noon midday mid-day lunch dinner supper "
            "breakfast sleep am pm a.m p.m waking awakening mane nocte hs tea",
            rf"{_B}{_MOMENT}(?:(?:, | and | and again | & |, and | or )(?:{_MOMENT}|(?:breakfast|"
            rf"lunch|dinner|supper|evening|night){_E})){{0,4}}",
            _moment,
        ),
        (
            "meal ac pc",
            rf"{_B}(?:(?:before|with|after) (?:each|every) meal|(?:before|with|after) (?:all "
            rf")?meals|with (?:each|every) meal|"
            rf"(?:three|3) times a day with meals|q?ac|pc)(?P<bed> (?:and|&) (?:at bedtime|hs|"
            rf"qhs|nightly))?{_E}",
            _meals,
        ),
        # need and single
        (
            "needed required necessary need p demand breakthrough",
            rf"{_B}(?:as|when|if|where|only when|only if) (?:needed|required|necessary|you need "
            rf"(?:it|them)?)|{_B}p\.? ?r\.? ?n\.?{_E}|"
            rf"{_B}on demand{_E}|{_B}(?:for|with) breakthrough\b",
            _fixed(None, None, prn=True),
        ),
        (
            "dose single one x stat once",
            rf"{_B}(?:as|in) an? (?:one[- ]time|single|one[- ]off) (?:dose|bolus|injection|"
            rf"infusion)|{_B}(?:a )?single[- ]dose{_E}|"
            rf"{_B}one[- ]time(?: only| dose)?{_E}|{_B}x ?1(?: dose)?(?! ?(?:day|week|month|\d|"
            rf"/))(?!\w)|{_B}stat{_E}|{_B}one dose(?: only)?{_E}|"
            rf"{_B}once only{_E}|{_B}just once{_E}|{_B}for (?:1|one) dose{_E}|{_B}a (?:1|one)-time{_E}",
            _fixed(1, None, once=True),
        ),
        (
            "once",
            rf"{_B}once(?! (?:a|per|each|every|daily|weekly|monthly|you|your|the|it|symptoms|"
            rf"pain|in)\b)(?!-)(?!/){_E}",
            _fixed(1, None, once=True),
        ),
        # daily totals
        (
            "doses",
            rf"{_B}(?:divided|split|given)?,? ?(?:in(?:to)?|over) (?P<n>{_N}(?: ?(?:-|to|or) "
            rf"?{_N})?) (?:equally |equal )?(?:divided |separate |equal |split ){{0,3}}doses{_E}",
            _divided,
        ),
        ("divided", rf"{_B}(?:in|into) (?:equally )?divided doses{_E}|{_B}divided{_E}", _divided),
    )
]

_FOR = Sieved(
    rf"{_B}(?:for|x|over|during)(?: (?:the|a|an|another|further|at least|up to|about|a total of|"
    rf"a period of|next|first|full|course of|maximum of|no more than|not more than)){{0,5}}"
    rf" ?(?P<n>{_N}|a|an)?(?: ?(?:-|to|or) ?(?P<n2>{_N}))?[ -]?(?:more |consecutive |"
    rf"additional |full )?(?P<span>hours?|hrs?|days?|d|weeks?|wks?|months?|years?){_E}(?![ -]old\b)"
)
_COURSE = Sieved(rf"{_B}(?P<n>{_N})[ -](?P<span>day|week|month)s?[ -](?:course|supply|trial|treatment)")
_TO_COMPLETE = Sieved(
    rf"{_B}to complete (?:an? )?(?:(?:full |total )(?:course )?of )?(?P<n>{_N})[ -](?P<span>day|week|month)s?{_E}"
)
_DAYS = {"h": Decimal(1) / 24, "d": Decimal(1), "w": Decimal(7), "m": Decimal(30), "y": Decimal(365)}
_OVER = Sieved(
    rf"{_B}(?:over|infused? over|administered over|given over|run over)(?: (?:at least|"
    rf"about|approximately|a period of))? "
    rf"(?P<n>{_N}|an?)(?: ?(?:-|to) ?(?P<n2>{_N}))?[ -](?P<span>minutes?|mins?|hours?|"
    rf"hrs?|h|seconds?|secs?){_E}"
)


_OBSERVED = re.compile(
    r"\b(?:scores?|observations|obs|vital signs|neuro-?obs|urine output|tests?|levels?|bloods?|ecgs?|inrs?|fbc"
    r"|cbc|lfts?"
    r"|u&es?|weights?|visits?|clinics?|appointments?|checked|reviewed|monitored|measured|tested|rechecked|weighed|seen"
    r"|dressings?|scans?|smears?|cultures?|bp|counts?) \Z"
    r"|\btests? [^.\n]{0,24}; repeated \Z"
)
"""Before how often somebody is looked at, which is no rhythm of a dose: "sedation score hourly"."""


_ON_THAT_DAY = re.compile(
    rf"(?<!from )(?<!starting )(?<!start )(?<!beginning )(?<!since )\b{_WEEKDAY}"
    r"(?: (?:morning|afternoon|evening|night))?,? \Z"
)
"""Before the hour of one day: "Monday evening, after supper" says when, and not how often; "from Monday evening" tells
when it begins."""


def rhythms(text: str) -> list[Rhythm]:
    """Every frequency phrase of a normalised text in order, longest first where phrases overlap."""
    found: list[Rhythm] = []
    for words, pattern, handler in _RULES:
        for word in words:  # a loop, since a generator for each rule costs more than the rule
            if word in text:
                break
        else:
            continue
        for match in pattern.finditer(text):
            rhythm = handler(match) if match.end() > match.start() else None
            if (
                rhythm is not None
                and rhythm.moments
                and _ON_THAT_DAY.search(text, max(0, rhythm.start - 36), rhythm.start)
            ):
                continue
            if rhythm is not None and not _OBSERVED.search(text, max(0, rhythm.start - 48), rhythm.start):
                found.append(rhythm)
    found.sort(key=lambda r: (r.start, -r.end))
    kept: list[Rhythm] = []
    for rhythm in found:
        if not kept or rhythm.start >= kept[-1].end:
            kept.append(rhythm)
        elif rhythm.end > kept[-1].end and rhythm.start == kept[-1].start:
            kept[-1] = rhythm
    return kept


def merge(parts: list[Rhythm]) -> Rhythm | None:
    """One frequency for all phrases that speak of the same dose: an explicit count or interval beats a time of day,
    a cap lowers the count, moments of the day add up; None for no phrase."""
    if not parts:
        return None
    prn = any(p.prn for p in parts)
    once = any(p.once for p in parts)
    hours = [p.hours for p in parts if p.hours is not None]
    counted = [p for p in parts if p.times is not None and not p.moments and not p.once and not p.meals]
    caps = [p.times for p in counted if p.cap and p.times is not None]
    plain = [p.times for p in counted if not p.cap and p.times is not None]
    moments = frozenset(m for p in parts for m in p.moments)
    times: Decimal | None = None
    if plain:
        times = max(plain)
        # "2 tablets a day, one in the morning and one at night" and "daily at bedtime" say the same twice
        if moments and times == 1 and len(moments) > 1:
            times = Decimal(len(moments))
    elif moments or any(p.meals for p in parts):
        times = Decimal(len(moments)) + max(
            (p.times or Decimal(0) for p in parts if p.meals), default=Decimal(0)
        )
    if caps:
        times = min([times, *caps]) if times is not None else min(caps)
    if times is None and once:
        times = Decimal(1)
    elif times is not None and plain:
        once = False
    return Rhythm(
        parts[0].start,
        max(p.end for p in parts),
        times,
        min(hours) if hours else None,
        prn,
        once and not hours,
        moments,
        divided=any(p.divided for p in parts),
    )


def periods(text: str) -> list[Period]:
    """Every duration of a normalised text ("for 10 days", "x 2 weeks", "a 7-day course")."""
    found: list[Period] = []
    for pattern in (_FOR, _COURSE, _TO_COMPLETE):
        for match in pattern.finditer(text):
            word = match.group("n")
            if word is None and not re.search(r"\b(?:the|next|first|another|an?) ", match.group()):
                continue
            days = _number(word or "one") if (word or "one") not in ("a", "an") else Decimal(1)
            if pattern is _FOR and match.group("n2"):
                days = max(days, _number(match.group("n2")))
            days *= _DAYS[match.group("span")[0]]
            if days > 0:
                found.append(Period(match.start(), match.end(), plain(days)))
    found.sort(key=lambda p: p.start)
    return found


def infusion_times(text: str) -> list[Period]:
    """Every stated infusion time ("over 30 minutes"); the shortest of a range, `days` as a fraction of a day."""
    found: list[Period] = []
    for match in _OVER.finditer(text):
        count = _number(match.group("n"))
        span = match.group("span")
        minutes = count * {"m": Decimal(1), "h": Decimal(60), "s": Decimal(1) / 60}[span[0]]
        if minutes > 0:
            found.append(Period(match.start(), match.end(), minutes / 1440))
    return found
