"""What a text states about the person: age, sex, weight, pregnancy, kidney and liver function.

Only what is said of one person, plainly: general advice ("adults over 65", "if you are pregnant", "eGFR below 30")
states nothing, and two different values of one fact state nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

_T = TypeVar("_T")
_N = r"(\d{1,3}(?:\.\d{1,2})?)"
_WORD_NUMBER = {
    word: value
    for value, word in enumerate(
        re.findall(
            r"\w+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty",
        )
    )
}
_NW = rf"({'|'.join(_WORD_NUMBER)}|\d{{1,3}}(?:\.\d{{1,2}})?)"
_SEX = r"(?:(male|man|boy|gentleman|m|son|female|woman|girl|lady|f|daughter)(?![\w'-]))"
_MALE = frozenset({"male", "man", "boy", "gentleman", "m", "son"})

_AGE = re.compile(
    rf"(?<![\w.,/-]){_NW}[ -]?(year|yr|y|month|mo|week|wk|day)s?[ -]?/?(?:old|o(?![a-z])|of age)"
    rf"(?:,? (?:(?:\w+|african[- ]american)[ -]){{0,3}}?{_SEX})?"
)
_AGE_WORD = re.compile(
    rf"\b(?:aged?|age is|age:|age of)[ :]{{1,2}}{_NW}(?: (years?|months?|weeks?|"
    rf"days?))?(?! ?(?:kg|lb|mg|%|hours?|times|to|-|and (?:older|over|up)|or (?:older|"
    rf"over|younger))\b)(?![\d.])"
)
_AGE_SEX = re.compile(r"(?<![\w.,/-])(\d{1,3}) ?(?:y/?o |yo )?([mf])(?![\w'/-])")
_SEX_SAID = re.compile(
    r"\b(?:patient|pt|he|she|this|who) (?:is|was) an? (?:\w+ ){0,3}?(male|man|boy|"
    r"gentleman|female|woman|girl|lady)(?![\w'])|"
    r"\b(?:sex|gender)[ :]+(male|female|m|f)\b|\b(?:i am|i'm) an? (?:\w+ ){0,2}?(man|woman|male|female)\b|"
    r"\b(?:a|an|this) (?:\w+ ){0,3}?(male|female) (?:patient|pt)\b"
)
_AGE_EXCLUDED = re.compile(
    r"(?:\b(?:under|over|younger than|older than|below|above|at least|less than|more "
    r"than|greater than|up to|until|than|from|between|to|or|before|after|by|ages?|since|"
    r"for|children|adults|kids|infants)"
    r"(?: the)?(?: ages?)?(?: of)?|[<>]=?|-|≥|≤) ?$"
)
_AGE_EXCLUDED_AFTER = re.compile(
    r"[ ,]{0,3}(?:and|or) (?:older|over|above|up|younger|under|below)|[ ,]{0,3}(?:-|to) ?\d"
)
_WEIGHT_CUE = re.compile(
    rf"\b(?:weigh(?:s|ing|ed)?|weight|wt|body weight|bw)(?: (?:is|was|of|about|"
    rf"approximately|currently|now|today)){{0,4}}[ :=~]*{_N} ?-?(kgs?|kilos?|kilograms?|lbs?|"
    rf"pounds?|#)(?![\w/])"
)
_WEIGHT_PERSON = re.compile(
    rf"(?<![\w.,/-]){_N}[ -]?(kgs?|kilos?|kilograms?|lbs?|pounds?)[ -](?:\w+[ "
    rf"-]){{0,2}}?(?:child|patient|adult|man|woman|boy|girl|infant|toddler|kid|baby|son|"
    rf"daughter|male|female|person|pt|teen\w*)\b"
)
_WEIGHT_LISTED = re.compile(
    rf"(?:old|\d ?y/?o|\bage[d:]? \d{{1,3}}|[\d)](?:m|f)|(?:yo|y/o|yrs?|\d y) (?:m|f)|boy|girl|man|woman"
    rf"|male|female|child|"
    rf"infant|son|daughter|kid|baby)(?: who is| is)?[ ,(]+(?:who )?(?:weighs? )?{_N} "
    rf"?-?(kgs?|kilos?|kilograms?|lbs?|pounds?)(?![\w/])"
)
_WEIGHT_EXCLUDED = re.compile(
    r"\b(?:lost|lose|gained|gain|losing|gaining|birth|ideal|target|goal|per|if|under|"
    r"over|less than|more than|at least|than|over|up to|between)(?: \w+){0,2} ?$"
)
_HEIGHT = re.compile(rf"\b(?:height|ht)(?: is| of)?[ :=]*{_N} ?cm\b|(?<![\w.]){_N} ?cm tall\b")
_WEEKS = re.compile(
    r"(?<![\w.,/-])(\d{1,2})(?:\+\d|[ -]?\d/7| ?(?:and|&) \d/7)?[ -]?(?:weeks?|wks?|"
    r"w)(?:'s|'|s')?(?: ?(?:and )?\d ?(?:days?|d))?[ -,]*(?:pregnant|gestation(?:al)?|"
    r"of pregnancy|pregnancy|of gestation|along|gravid|ga\b|iup)|"
    r"\b(?:gestational age|gestation|ega|ga|pregnant|pregnancy|gravida)(?: (?:is|of|at|"
    r"currently|now)){0,4}[ :,(]*(?:at )?(\d{1,2})(?:\+\d)? ?-?(?:weeks?|wks?|w)(?!\w*ly)|"
    r"\bg\d{1,2} ?p\d{1,4}\b[ ,]*(?:\w+ ){0,2}?(?:at |@ ?)?(\d{1,2})(?:\+\d)? ?-?(?:w|"
    r"wks?|weeks?)(?:\d ?d)?(?![a-z])"
)
_MONTHS_PREGNANT = re.compile(rf"\b{_NW}[ -]months? pregnant\b")
_TRIMESTER = re.compile(
    r"\b(?:in|is in|entering)(?: (?:my|her|the|your))? (second|2nd|third|3rd) trimester\b"
)
_TRIMESTER_WEEK = {"second": 14, "2nd": 14, "third": 28, "3rd": 28}
_PREGNANT = re.compile(
    r"\b(?:is|am|i'm|she's|patient's|currently|you are|you're|being|who is|as you are|"
    r"since you are|and|now|since she is|because she is|an?|this|my|our) (?:\w+ "
    r"){0,2}?pregnant\b(?! (?:women|people|patients|persons|individuals))|"
    r"\bpregnant (?:woman|patient|female|lady|wife|mother|with (?:her|my|twins))\b|"
    r"\bg\d{1,2} ?p\d{1,4}\b|\byour pregnancy\b|\bher (?:current )?pregnancy\b|"
    r"^pregnant\b|[,;] pregnant\b"
)
_NOT_PREGNANT = re.compile(
    r"\b(?:not|isn't|denies being|denies|no chance of being) (?:currently )?pregnan(?:t|"
    r"cy)\b|\bnegative pregnancy test\b|\bpregnancy test (?:is |was |came back "
    r")?negative\b|\bpost-?menopausal\b|\bpregnancy[ :]+(?:no|none|negative)\b"
)
_LACTATING = re.compile(
    r"\b(?:is|am|i'm|she's|currently|you are|you're|who is|still|and) (?:currently |"
    r"still |exclusively )?(?:breast-?feeding|lactating|nursing (?:her|my|a|an|the))\b|"
    r"\b(?:lactating|breast-?feeding|nursing) (?:mother|mom|mum|woman|patient|female)\b(?! s)|"
    r"^(?:lactating|breast-?feeding)\b[ ]*(?:[:;,.(]|$)|[,;] (?:lactating|breast-?feeding)\b|"
    r"\b(?:lactation|breast-?feeding)[ :=]+(?:yes|active|current|ongoing)\b|"
    r"\b(?:she|mother|mom|mum|i) (?:breast-?feeds|nurses)\b|\bher breast-?fed\b|"
    r"\b(?:is|am|i'm|she's|you're|you are) (?:pumping|expressing) (?:breast ?milk|milk)\b"
)
_INFANT = re.compile(
    rf"\b(?:nursing|breast-?fe\w+|breast-?fed|feeding|lactating)\b[^.;\n]{{0,40}}?(?<![\w.,/-]){_NW}[ -]?"
    rf"(day|week|wk|month|mo)s?[ -]?old\b"
    rf"|(?<![\w.,/-]){_NW} ?(day|week|wk|month|mo)s? post-?partum\b"
)
_NOT_LACTATING = re.compile(
    r"\bnot (?:currently |yet |now )?(?:breast-?feeding|lactating|nursing)\b|\b(?:formula"
    r"|bottle)[- ](?:fed|feeding|feeds)\b"
    r"|\b(?:stopped|finished|no longer|has weaned|weaned|declines?|denies) (?:from )?(?:breast-?feeding"
    r"|nursing|lactating|the baby)\b"
)
_EGFR = re.compile(
    rf"\b(?:(e-?gfr|gfr|glomerular filtration rate)|crcl|cr ?cl|creatinine clearance|"
    rf"ccr)(?: (?:is|was|of|at|now|currently|today|level|about|approximately|around|has "
    rf"(?:fallen|dropped|declined) to|down to|calculated(?: at)?)){{0,4}}[ "
    rf":=~(]*{_N}(?![\d.]*\d)(?! ?(?:-|to) ?\d)"
)
_DIALYSIS = re.compile(
    r"\b(?:on|receiv\w+|undergo\w+|gets|getting|requires|requiring|undergoes|"
    r"maintenance|chronic|dependent on|start\w* on)(?: (?:chronic|maintenance|regular|"
    r"long-term|intermittent|home|thrice[- ]weekly|outpatient)){0,4}[ -](?:hemo|haemo|"
    r"peritoneal )?-?dialysis\b|\bdialysis[- ]dependent\b|\bon (?:hd|pd|ihd|crrt)\b|"
    r"\besrd on hd\b"
)
_CHILD_PUGH = re.compile(
    r"\bchild(?:'?s)?(?:[- ]?(?:turcotte[- ]?)?pugh|(?= class\b| [bc](?![\w'-])))(?: (?:class|score|stage"
    r"|grade|category)){0,4}[ "
    r":=-]*([abc])(?![\w-])(?![ ,/]*(?:or|and|to|/|-|,)? ?[abc]\b)"
)
_GENERAL = re.compile(
    r"\b(?:if|unless|when|whenever|whether|in case|should you|who (?:is|are|might|may)|"
    r"(?:patients|people|women|men|those|anyone|individuals|adults|children|persons|"
    r"someone) (?:with|who|whose|on|over|under|that|are|receiving|undergoing)|"
    r"may be|might be|could be|become|becoming|trying to (?:get|become|be)|planning|"
    r"plan to|avoid in|caution in|contraindicated in|in (?:severe|moderate|mild)|for "
    r"example|e\.g\.|such as|once|until)\b"
)
_CONDITIONAL = re.compile(r"\b(?:if|unless|whether|in case|should you|when|once|until)\b")
_RELATIVE_TIME = re.compile(
    r"\b(?:after|before|from|beyond|until|past|over|since|starting at|by|than|at least|"
    r"prior to|up to|or|and|to|between|first|last|[<>]=?) ?(?:about )?$|[<>]=? ?$"
)
_POUND = Decimal("0.45359237")
_FAMILY = re.compile(
    r"\b(?:mother|father|mom|mum|dad|sister|brother|wife|husband|grandmother|"
    r"grandfather|grandma|grandpa|aunt|uncle|cousin|friend|family history|roommate|"
    r"neighbou?r)\b(?!'s (?:day|milk))"
)


@dataclass(frozen=True, slots=True)
class Person:
    """What one text says of the person; None where it says nothing or speaks of several."""

    age_years: Decimal | None = None
    age_days: int | None = None
    sex: str | None = None
    pregnant: bool | None = None
    pregnancy_weeks: Decimal | None = None
    lactating: bool | None = None
    infant_days: int | None = None
    weight_kg: Decimal | None = None
    height_cm: Decimal | None = None
    egfr: Decimal | None = None
    crcl: Decimal | None = None
    dialysis: bool | None = None
    child_pugh: str | None = None


def describe(parts: Iterable[str]) -> Person:
    """Reads normalised sentences, each by itself. Pure; raises nothing."""
    ages: list[Decimal] = []
    days: list[int] = []
    sexes: list[str] = []
    weights: list[Decimal] = []
    heights: list[Decimal] = []
    weeks: list[Decimal] = []
    egfrs: list[Decimal] = []
    crcls: list[Decimal] = []
    infants: list[int] = []
    childs: list[str] = []
    pregnant: list[bool] = []
    lactating: list[bool] = []
    dialysis: list[bool] = []
    for part in parts:
        _age(part, ages, days, sexes)
        _weight(part, weights, heights)
        _pregnancy(part, pregnant, weeks, lactating)
        _infant(part, infants)
        _organs(part, egfrs, crcls, dialysis, childs)
    expecting = _one(pregnant)
    sex = _one(sexes)
    return Person(
        age_years=_one(ages) if not days else None,
        age_days=_one(days) if not ages else None,
        sex=sex or ("female" if expecting else None),
        pregnant=expecting,
        pregnancy_weeks=_one(weeks) if expecting else None,
        lactating=_one(lactating),
        infant_days=_one(infants),
        weight_kg=_one(weights),
        height_cm=_one(heights),
        egfr=_one(egfrs),
        crcl=_one(crcls),
        dialysis=_one(dialysis),
        child_pugh=_one(childs),
    )


def _one(values: list[_T]) -> _T | None:
    return values[0] if values and all(v == values[0] for v in values) else None


def _value(word: str) -> Decimal:
    return Decimal(_WORD_NUMBER[word]) if word in _WORD_NUMBER else Decimal(word)


def _before(part: str, position: int, width: int = 40) -> str:
    return part[max(0, position - width) : position]


def _clause_before(part: str, position: int) -> str:
    return re.split(r"[,;:]", _before(part, position, 80))[-1]


def _age(part: str, ages: list[Decimal], days: list[int], sexes: list[str]) -> None:
    for match in _AGE.finditer(part):
        before = _before(part, match.start(), 30)
        if (
            _AGE_EXCLUDED.search(before)
            or _AGE_EXCLUDED_AFTER.match(part, match.end())
            or other_person(part, match.start())
        ):
            continue
        count, unit = _value(match.group(1)), match.group(2)[0] if match.group(2) != "mo" else "m"
        _store_age(count, unit, ages, days)
        if match.group(3):
            sexes.append("male" if match.group(3) in _MALE else "female")
    for match in _AGE_WORD.finditer(part):
        if (
            _CONDITIONAL.search(_clause_before(part, match.start()))
            or _AGE_EXCLUDED_AFTER.match(part, match.end())
            or other_person(part, match.start())
        ):
            continue
        if re.search(
            r"\b(?:under|over|at|by|from|until|below|above|before|after|between|the|than|"
            r"children|adults|patients) (?:the )?$",
            _before(part, match.start(), 16),
        ):
            continue
        _store_age(_value(match.group(1)), (match.group(2) or "year")[0], ages, days)
    for match in _AGE_SEX.finditer(part):
        if int(match.group(1)) <= 115 and not other_person(part, match.start()):
            ages.append(Decimal(match.group(1)))
            sexes.append("male" if match.group(2) == "m" else "female")
    for match in _SEX_SAID.finditer(part):
        if not _CONDITIONAL.search(_clause_before(part, match.start())) and not other_person(
            part, match.start()
        ):
            word = next(g for g in match.groups() if g)
            sexes.append("male" if word in _MALE else "female")


_SUBJECT = re.compile(r"\b(?:he|she|i|patient|pt|her|his|my|our|their|the|this|(?<!is )(?<!was )an?)\b")


def other_person(part: str, position: int) -> bool:
    """Whether a relative is the subject ("his mother is 70 years old") and nobody else since."""
    before = _before(part, position, 80)
    relatives = list(_FAMILY.finditer(before))
    return bool(relatives) and _SUBJECT.search(before, relatives[-1].end()) is None


def _store_age(count: Decimal, unit: str, ages: list[Decimal], days: list[int]) -> None:
    if unit == "y":
        if 0 < count <= 115:
            ages.append(count)
    elif unit == "m" and count > 24:
        ages.append((count / 12).quantize(Decimal("0.1")))
    elif count > 0:
        factor = {"m": Decimal("30.4375"), "w": Decimal(7), "d": Decimal(1)}[unit]
        days.append(int(count * factor))


def _weight(part: str, weights: list[Decimal], heights: list[Decimal]) -> None:
    seen: set[int] = set()
    for pattern in (_WEIGHT_CUE, _WEIGHT_PERSON, _WEIGHT_LISTED):
        for match in pattern.finditer(part):
            if (
                match.start(1) in seen
                or _WEIGHT_EXCLUDED.search(_before(part, match.start()))
                or _CONDITIONAL.search(_clause_before(part, match.start()))
            ):
                continue
            if re.search(r"\b(?:lost|gained|birth|per) $", _before(part, match.start(1), 12)):
                continue
            seen.add(match.start(1))
            value = Decimal(match.group(1))
            kilograms = value * _POUND if match.group(2)[0] in "lp#" else value
            if Decimal("0.3") <= kilograms <= Decimal(400):
                weights.append(kilograms.quantize(Decimal("0.1")) if match.group(2)[0] in "lp#" else value)
    for match in _HEIGHT.finditer(part):
        heights.append(Decimal(match.group(1) or match.group(2)))


def _pregnancy(part: str, pregnant: list[bool], weeks: list[Decimal], lactating: list[bool]) -> None:
    if _NOT_PREGNANT.search(part):
        pregnant.append(False)
    for match in _WEEKS.finditer(part):
        before = _clause_before(part, match.start())
        if (
            _RELATIVE_TIME.search(_before(part, match.start(), 20))
            or _GENERAL.search(before)
            or other_person(part, match.start())
        ):
            continue
        value = Decimal(next(g for g in match.groups() if g))
        if 1 <= value <= 44:
            weeks.append(value)
            pregnant.append(True)
    for match in _MONTHS_PREGNANT.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())) and not other_person(part, match.start()):
            pregnant.append(True)
            weeks.append((_value(match.group(1)) * Decimal("4.345")).to_integral_value())
    for match in _TRIMESTER.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())):
            pregnant.append(True)
            weeks.append(Decimal(_TRIMESTER_WEEK[match.group(1)]))
    for match in _PREGNANT.finditer(part):
        around = _clause_before(part, match.start()) + match.group()
        if (
            _GENERAL.search(around)
            or re.search(r"\b(?:not|isn't|never|avoid|negative|denies)\b", around)
            or other_person(part, match.start())
        ):
            continue
        pregnant.append(True)
    if _NOT_LACTATING.search(part):
        lactating.append(False)
    for match in _LACTATING.finditer(part):
        around = _clause_before(part, match.start()) + match.group()
        if (
            not _GENERAL.search(around)
            and not re.search(r"\b(?:not|isn't|never|stopped)\b", around)
            and not other_person(part, match.start())
        ):
            lactating.append(True)


def _infant(part: str, infants: list[int]) -> None:
    for match in _INFANT.finditer(part):
        count, unit = (match.group(1), match.group(2)) if match.group(1) else (match.group(3), match.group(4))
        factor = {"d": Decimal(1), "w": Decimal(7), "m": Decimal("30.4375")}[unit[0]]
        infants.append(int(_value(count) * factor))


def _organs(
    part: str, egfrs: list[Decimal], crcls: list[Decimal], dialysis: list[bool], childs: list[str]
) -> None:
    for match in _EGFR.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())):
            (crcls if match.group(1) is None else egfrs).append(Decimal(match.group(2)))
    for match in _DIALYSIS.finditer(part):
        around = _clause_before(part, match.start())
        if not _GENERAL.search(around) and not other_person(part, match.start()):
            dialysis.append(re.search(r"\b(?:not|no longer|never|isn't)\b", around) is None)
    for match in _CHILD_PUGH.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())):
            childs.append(match.group(1).upper())
