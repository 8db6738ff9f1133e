"""Age and sex: what makes a number an age, and which words beside it make it somebody else's or a bound."""

from __future__ import annotations

import re
from decimal import Decimal

from attending.guardrails.clinical.person.counting import DAYS, NW, OLD, number
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import CONDITIONAL, clause_before, other_person, words_before
from attending.guardrails.sieve import Group, Sieved

_SEX = r"(?:(male|man|boy|gentleman|m|son|female|woman|girl|lady|f|daughter)(?![\w'-]))"
_MALE = frozenset({"male", "man", "boy", "gentleman", "m", "son"})

_AGE = Sieved(
    rf"(?<![\w.,/-]){OLD}[ -]?(year|yr|y|month|mo|week|wk|day)s?[ -]?/?(?:old|o(?![a-z])|of age)"
    rf"(?:,? (?:(?:\w+|african[- ]american)[ -]){{0,3}}?{_SEX})?"
)
_AGE_WORD = Sieved(
    rf"\b(?:aged?|age is|age:|age of)[ :]{{1,2}}{NW}(?: (years?|months?|weeks?|"
    rf"days?))?(?! ?(?:kg|lb|mg|%|hours?|times|to|-|and (?:older|over|up)|or (?:older|"
    rf"over|younger))\b)(?!\d|\.\d)"
)
_AGE_BARE = Sieved(
    rf"\b(?:pt|patient|child|infant|baby|toddler|boy|girl|son|daughter|kid|newborn)(?: is| was| of|:|,)? ?\(?{NW}"
    r"[ -]?(years?|yrs?|y|months?|mos?|m|weeks?|wks?|days?|d)(?![\w/'-])"
    r"(?! (?:ago|later|course|of|supply|for|post|s/p|history|follow|into|after|since|pregnant|gest|along|with no"
    r"|out|from|in|on|away|off|free|clear|clean|sober|stable|without|before|prior|status)\b)"
    rf"|^{NW}[ -]?(years?|yrs?|y|months?|mos?|weeks?|wks?)(?:,(?<!wks,)(?<!wk,)(?<!weeks,)(?<!week,)"
    r"| [mf]\b| (?:male|female|boy|girl)\b)"
    r"(?! (?:ago|later))"
    rf"|[,;(:.] ?(?:age )?{NW}[ -]?(years?|yrs?|y|months?|mos?),? (?:old,? )?(?:[mf],? |male,? |female,? )?\(?\d{{1,3}}"
    r"(?:\.\d)? ?kg\b(?! (?:lost|gained|lighter|heavier))"
    rf"|(?:^|[,;(:.] ?|\bat |\baged )(?:age )?{NW}[ -]?(years?|yrs?|y|months?|mos?|weeks?|wks?)(?: old)? (?:and|&)"
    r" (?:about |only )?\d{1,3}(?:\.\d)? ?kg\b(?! (?:lost|gained|lighter|heavier|less|more|of weight))"
)
"""An age beside the person it is of, without "old": "pt 14 mo", "your son (18 months)"."""
_AGE_OF_CHILD = Sieved(
    r"\b(?:child|infant|baby|toddler|boy|girl|son|daughter|kid|newborn|little one|grandson|granddaughter)"
    rf"(?:['\u2019]s(?: [a-z-]{{2,14}}){{1,3}})? \((?:now |aged? |only )?{NW}"
    r"[ -]?(years?|yrs?|y|months?|mos?|weeks?|wks?|days?)(?: old)?[),;]"
    rf"|\bat (?:only |just )?{NW} (months?|weeks?)"
    r",? (?:the|his|her|their|your (?:baby|little one|son|daughter)'s|those)"
    r" (?:(?:very )?first |new |front )?(?:teeth|tooth|gums|milk teeth)\b"
    rf"|\b(?:for|and) (?:little |baby )[a-z][a-z'-]{{1,14}},? \(?{NW} (months?|weeks?|days?)(?: old)?[),;]"
)
"""An age in brackets behind what is the child's, or told by its teeth: "your toddler's cold (15 months)"."""
_NAMED_AGE = Sieved(
    r"\b(?:for|gave|give|see|saw|seeing|about|re|regarding|son|daughter|baby|child|patient"
    r"|little)[ :]+([a-z][a-z'-]{1,14})"
    r"(?: [a-z]'?[a-z-]{1,14})? \((\d{1,2})(?: (years?|yrs?|y|months?|mos?|weeks?|wks?|days?)(?: old)?)?\)"
)
"""A name and an age in brackets: "for Mia (9)"."""
_CHILD = (
    r"(?:boy|girl|son|daughter|child|kid|toddler|teenager|schoolboy|schoolgirl|pupil|youngster|lad|grandson"
    r"|granddaughter)"
)
_AGE_SAID = Sieved(
    rf"\b(?:she|he)(?: is|'s| has just turned| (?:just )?turned| is now| is only| will be) {NW}(?=[).,;:]|$"
    rf"| and (?:has|is|weighs)"
    r"| (?:with|now|today)\b)(?!\.\d)"
    rf"|\b{_CHILD}(?:,| of|:| -)? \(?{NW}(?=[).,;:]| (?:with|has|who|and (?:has|weighs))\b)(?!\.\d)(?!, \d)"
    rf"|\b(?:chicken ?pox|measles|mumps|flu|croup|tonsillitis|scarlet fever|whooping cough|impetigo) at {NW}"
    r"(?= (?:is|can|means|and|isn't)\b|[,;])"
    rf"|\b(?:for|despite|at) (?:his|her|your) {OLD} years\b"
    rf"|\b[a-z]{{2,14}} is (?:only )?{NW} and (?:can|able to) swallow (?:pills|tablets|capsules)\b"
    rf"|\byou(?:'re| are) {OLD}(?=,? (?:smoke|and smoke|a smoker|years young)\b)"
)
"""An age without a unit, of a child or of whom the text speaks: "she is 9", "boy, 10, flu", "a teenager of 14"."""
_AGE_SEX = Sieved(r"(?<![\w.,/-])(\d{1,3}) ?(?:y/?o |yo )?([mf])(?![\w'/-])")
_SEX_SAID = Sieved(
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
_OF_A_THING = re.compile(
    r"\b(?:clots?|thromb(?:us|osis)|stents?|scars?|wounds?|fractures?|injur(?:y|ies)|rash(?:es)?|bruis\w+|grafts?|valves?"
    r"|strokes?|infarcts?|transplants?|bleed\w*|haematoma|hematoma|ulcers?|bites?|burns?|prescriptions?|results?|tests?"
    r"|scans?|ecgs?|ekgs?|mris?|cts?|films?|bloods?|tablets?|bottles?|box(?:es)?|lists?|letters?|orders?|records?"
    r"|cultures?|swabs?|samples?|hips?|knees?|implants?|coils?|catheters?|lines?|tubes?|pains?|symptoms?|lesions?"
    r"|repairs?|operations?|surgery|history|data|figures?|values?)"
    r" (?:is|was|are|were)(?: (?:only|just|now|about|nearly|already|still|some|at least|over))* $"
)
"""Before an age that is no person's: "the clot is only five weeks old"."""
AGE = Group.of(globals())


def read_age(part: str, names: frozenset[str], told: Told) -> None:
    """Adds ages and sexes to `told`; `names` are words that the text writes as names of people."""
    for match in _AGE.finditer(part):
        before = words_before(part, match.start(), 30)
        if (
            _AGE_EXCLUDED.search(before)
            or _OF_A_THING.search(words_before(part, match.start(), 50))
            or _AGE_EXCLUDED_AFTER.match(part, match.end())
            or other_person(part, match.start())
        ):
            continue
        count, unit = number(match.group(1)), match.group(2)[0] if match.group(2) != "mo" else "m"
        _store_age(count, unit, told)
        if match.group(3):
            told.sexes.append("male" if match.group(3) in _MALE else "female")
    for match in _AGE_WORD.finditer(part):
        if (
            CONDITIONAL.search(clause_before(part, match.start()))
            or _AGE_EXCLUDED_AFTER.match(part, match.end())
            or other_person(part, match.start())
        ):
            continue
        if re.search(
            r"\b(?:under|over|at|by|from|until|below|above|before|after|between|the|than|"
            r"children|adults|patients) (?:the )?$",
            words_before(part, match.start(), 16),
        ):
            continue
        _store_age(number(match.group(1)), (match.group(2) or "year")[0], told)
    for match in _AGE_BARE.finditer(part):
        if not CONDITIONAL.search(clause_before(part, match.start())):
            said, unit = next(pair for pair in zip(*[iter(match.groups())] * 2, strict=True) if pair[0])
            _store_age(number(said), unit[0], told)
    for match in _AGE_SAID.finditer(part):
        if not CONDITIONAL.search(clause_before(part, match.start())) and not other_person(
            part, match.start()
        ):
            said = number(next(group for group in match.groups() if group))
            if (match.group(2) is None and match.group(3) is None) or said < _GROWN:
                _store_age(said, "y", told)
    for match in _AGE_OF_CHILD.finditer(part):
        if not CONDITIONAL.search(clause_before(part, match.start())):
            said, unit = next(pair for pair in zip(*[iter(match.groups())] * 2, strict=True) if pair[0])
            _store_age(number(said), unit[0], told)
    for match in _NAMED_AGE.finditer(part):
        if match.group(1) in names:
            _store_age(Decimal(match.group(2)), (match.group(3) or "year")[0], told)
    for match in _AGE_SEX.finditer(part):
        if int(match.group(1)) <= 115 and not other_person(part, match.start()):
            told.ages.append(Decimal(match.group(1)))
            told.sexes.append("male" if match.group(2) == "m" else "female")
    for match in _SEX_SAID.finditer(part):
        if not CONDITIONAL.search(clause_before(part, match.start())) and not other_person(
            part, match.start()
        ):
            word = next(g for g in match.groups() if g)
            told.sexes.append("male" if word in _MALE else "female")


_GROWN = 20
"""Years from which nobody is called a boy or a girl."""


def _store_age(count: Decimal, unit: str, told: Told) -> None:
    if unit == "y":
        if 0 < count <= 115:
            told.ages.append(count)
    elif unit == "m" and count > 24:
        told.ages.append((count / 12).quantize(Decimal("0.1")))
    elif count > 0:
        told.days.append(int(count * DAYS[unit]))
