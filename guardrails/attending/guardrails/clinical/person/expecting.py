"""Pregnancies that only the whole text tells: a test with a midwife, a scan, weeks at which a person is seen.

A sentence says "the test was positive" of many tests; with an antenatal visit, a late period or a scan in the same
text it is one of pregnancy. Weeks read here are weaker than weeks that a sentence counts as pregnancy itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from attending.guardrails.clinical.person.counting import NW, TRIMESTER_WEEK, number
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import (
    CONDITIONAL,
    GENERAL,
    clause_before,
    of_patient,
    other_person,
)
from attending.guardrails.sieve import Group, Sieved

_ANTENATAL = Sieved(
    r"\b(?:lmp|last (?:menstrual )?period|(?:your|her|my) (?:next )?period (?:is|was) (?:\w+ ){1,2}(?:late|overdue)"
    r"|missed (?:a|one|two|three|her|your|my)(?: last| \w+)? periods?"
    r"|ob(?:/?gyn)? (?:intake|visit|clinic|appointment|provider|doctor|team|follow-?up)|obstetric\w*|midwi(?:fe|ves)"
    r"|booking (?:visit|appointment|clinic|bloods|scan)|at booking|antenatal|prenatal|perinatal|maternity"
    r"|(?:dating|anomaly|nuchal|booking|12-week|twelve-week|20-week|twenty-week) scan|f(?:o)?et(?:al|us)|primip\w*"
    r"|gravida|round[- ]ligament|braxton[- ]hicks|(?:less|fewer|reduced) (?:f(?:o)?etal )?(?:movements?|kicks)"
    r"|hyperemesis|morning sickness|trimester|edd|edc|embryo transfer|ivf|icsi"
    r"|(?:your|the|her) (?:little one|baby) (?:is )?(?:due|to come|on the way))\b"
)
"""Words of care before a birth; none of them alone says that the pregnancy is now."""
_POSITIVE = Sieved(
    r"\b(?:(?:two|both|home|urine|blood|stick|dip|clearblue|the|your|her|my|a|faintly) ?){1,3}"
    r"(?:tests?|sticks?|strips?)(?: \w+){0,3}? (?:positive|pos\b)|\bpositive (?:home |urine |blood |stick )?test\b"
)
_OTHER_TEST = Sieved(
    r"\b(?:covid\w*|sars\w*|flu|influenza|strep\w*|h\.? ?pylori|breath test|hiv|hepatitis|syphilis|chlamydia"
    r"|gonorrh\w*"
    r"|tb|mantoux|quantiferon|igra|drug (?:test|screen)|stool|fit|faecal|fecal|occult|antibod\w*|rsv|mrsa"
    r"|rast|skin test|patch test|stress test|treadmill|genetic|gene|lateral flow|pcr|coombs|ana|blood culture"
    r"|swab)\b"
)
_BOY_OR_GIRL = Sieved(
    r"\b(?:you(?:'re| are)|she(?:'s| is)|they(?:'re| are)) (?:having|going to have) (?:a|another) "
    r"(?:(?:little|baby|second|third) ){0,2}(?:girl|boy|baby|child)\b|\b(?:you(?:'re| are)|she(?:'s"
    r"| is)) having twins\b"
    r"|\bexpecting (?:(?:her|your|my|our|a|another) )?(?:second|first|third|fourth|another) (?:child|baby)\b"
    r"|\b(?:great|good|wonderful|lovely|happy) news about (?:the|your) (?:baby|pregnancy)\b"
    r"|\bbaby (?:is )?due (?:at|in|on|around|by|next) \w+"
)
_SCANNED = Sieved(
    r"\b(?:single|live|viable|intrauterine)(?: (?:single|live|viable|intrauterine)){0,4} f(?:o)?etus\b"
    r"|\bf(?:o)?etal heart(?:beat)? (?:was )?(?:seen|heard|present)\b"
    r"|\btwins? (?:seen )?on (?:the )?(?:ultrasound|scan|us)\b"
    r"|\b(?:ivf|icsi|twin|singleton|viable|unplanned|ongoing) pregnancy\b(?! (?:loss|unit|clinic|test))"
    r"|\bbeta[- ]?hcg (?:is )?(?:rising|doubling|appropriate)\b"
    r"|\b(?:edd|edc)[ :=]+(?:is |of )?(?:\d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"|\bdating scan (?:today |this week |yesterday )?(?:shows?|showed|confirms|confirmed|gives|gave"
    r"|puts?)\b(?! no\b)"
    r"|\b(?:your|her) (?:12-week|twelve-week|20-week|twenty-week|anomaly|dating|nuchal)(?: anomaly"
    r"| dating)? scan (?:was|is|showed|looked)\b"
)
_THIRD = Sieved(
    r"\b(?:you|she|i|lady|woman|patient|who)(?: is| are| am|'re|'s|'m) (?:now |currently |already "
    r"|well )?in(?:to)? the "
    r"(first|1st|second|2nd|third|3rd) trimester\b"
)
_OF_FORTY = Sieved(r"(?<![\d/.,-])(\d{1,2})(?:\+[0-6])? ?/40(?![\d/]|\.\d| ?(?:mm|mg|patients|points))")
"""Weeks of forty, as notes of Britain, India and Australia count a pregnancy: "34/40"."""
_SEEN_AT = Sieved(
    rf"(?:\byear-old|\b\d\d ?(?:yo|y/o|yrs?)|\b\d\df|\bwoman|\blady|\bprimip\w*|\bgirl)(?: who is| woman"
    rf"| lady| female)?"
    rf",? (?:now |currently )?(?:at )?{NW} (?:weeks|wks)\b(?= (?:with|who|and|by)\b|[,.;:(]|$)"
    rf"|\b(?:dating|dates|scan|ultrasound)(?: \w+){{0,2}} (?:shows|showed|confirms|confirmed|put|puts|makes"
    rf"|made|gives|gave|dates"
    rf"|dated) (?:her|you|it|this)"
    rf"(?: (?:at|as|to|a pregnancy of|an age of))? {NW} (?:weeks|wks)\b"
)
_THEN = re.compile(
    r"\b(?:previous\w*|prior|last (?:pregnancy|baby|child|one|time)|(?:first|second|older|elder) (?:baby"
    r"|child|pregnancy"
    r"|son|daughter|one)|deliver\w*|born|birth|c?section|lscs|miscarr\w*|loss|lost|stillb\w*|scans?|gtt|ogtt"
    r"|glucose tolerance|induc\w*|anti-d|vaccin\w*|whooping|until|till|from|by|after|before|reassess\w*|repeat\w*"
    r"|recheck\w*|again|next|planned|due|appointment|growth|stop\w*|in (?:19|20)\d\d|post|since|lmp|scor\w+"
    r"|phq\S*|gad\S*)\b[^.;]{0,40}$"
)
"""What happened or will happen at a week that is then not the present one."""
_CHILDBEARING_ENDED = Sieved(
    r"\b(?:tubal|ligation|sterili[sz]ed|hysterectomy|post-?menopausal|menopause|iud|ius|mirena|coil|implanon"
    r"|nexplanon"
    r"|depot?-?provera|depot|last child|both vaginal|deliveries|contracepti\w*|not pregnant|post-?partum"
    r"|post-?natal)\b"
)
_USUAL_AT = Sieved(
    rf"\b(?:common|normal|usual|typical|expected|natural)(?: \w+)? (?:at|by|around) {NW} (?:weeks"
    rf"|wks)\b(?=[.,;:!)]|$)"
)
"""What a pregnancy brings, said to somebody who has it: "heartburn is common at thirty-four weeks"."""
_HEALS = Sieved(
    r"\b(?:surg\w*|post-?op\w*|operat\w*|replace(?:d|ment)|arthroplast\w*|fracture\w*|repair\w*|graft\w*|knee|hip"
    r"|shoulder|transplant\w*|injur\w*|rehab\w*|physio\w*|healing|treatment|therapy|course|vaccin\w*|quit\w*"
    r"|baby is|newborn|infant|formula|old)\b"
)
"""What is counted in weeks as well; beside it a usual complaint is none of pregnancy."""
_BY_DATES = Sieved(
    rf"\b{NW} (?:weeks|wks)(?: and \w+ days?)?(?: pregnant| gestation)?,? (?:by|on|from) "
    r"(?:(?:your|her|my|the|certain|sure|menstrual) ){0,2}(?:dates|lmp|last period)\b"
)
"""A pregnancy counted from the last period: "eight weeks by your dates"."""
_CHEERED = Sieved(
    r"\bcongratulations\b(?P<news>(?: (?:again|so much|to you|both|all))* (?:on|for|about) (?:the"
    r"|your) (?:\w+ )?news\b)?"
    rf"[^.;\n]{{0,50}}?[ ,!:-] ?(?:already |now )?{NW} (?:weeks|wks)(?: (?:already|today|now|along|gone)\b|[!.,;)])"
)
_OTHER_NEWS = re.compile(r"news(?: \w+){0,2} (?:of|that|about|on|from)\b")
_BIRTHS = Sieved(r"\bg(\d{1,2}) ?p(\d)(?:(\d)(\d)(\d)?)?\b")
_OLDEST = Decimal(56)
EXPECTING = Group.of(globals())


def planned(before: str) -> bool:
    """Whether a week that stands after these words is one of another pregnancy, or of a scan or visit to come."""
    return _THEN.search(before) is not None


def parity_says_pregnant(match: re.Match[str]) -> bool:
    """Whether "G3P1" or "G3P1011" counts a pregnancy more than births and losses."""
    ended = sum(int(match.group(i) or 0) for i in (2, 3, 4))
    return int(match.group(1)) > ended


def read_expecting(parts: Sequence[str], told: Told) -> None:
    """Adds to `told` a pregnancy that the sentences of a text tell together, with its weeks where they are given."""
    male = "male" in told.sexes and "female" not in told.sexes
    if male or any(age >= _OLDEST for age in told.ages) or False in told.pregnant:
        return
    parts = [part for part in parts if EXPECTING.may_match(part)]
    antenatal = any(_ANTENATAL.search(part) for part in parts)
    if antenatal and not any(_OTHER_TEST.search(part) for part in parts):
        for part in parts:
            for match in _POSITIVE.finditer(part):
                if not CONDITIONAL.search(clause_before(part, match.start())) and not other_person(
                    part, match.start()
                ):
                    told.pregnant.append(True)
    healing = any(_HEALS.search(part) for part in parts)
    for part in parts:
        for match in _OF_FORTY.finditer(part):
            before = clause_before(part, match.start())
            if (
                4 <= int(match.group(1)) <= 42
                and not CONDITIONAL.search(before)
                and not planned(before)
                and not other_person(part, match.start())
            ):
                told.weeks_about.append(Decimal(match.group(1)))
                told.pregnant.append(True)
        for match in _SEEN_AT.finditer(part):
            value = number(match.group(1) or match.group(2))
            if 4 <= value <= 42 and not GENERAL.search(clause_before(part, match.start())):
                told.weeks_about.append(value)
                told.pregnant.append(True)
        for match in _THIRD.finditer(part):
            if not GENERAL.search(clause_before(part, match.start())):
                told.weeks_about.append(Decimal(TRIMESTER_WEEK[match.group(1)]))
                told.pregnant.append(True)
        for match in _BY_DATES.finditer(part):
            before = clause_before(part, match.start())
            value = number(match.group(1))
            if (
                4 <= value <= 42
                and not CONDITIONAL.search(before)
                and not planned(before)
                and not other_person(part, match.start())
            ):
                told.weeks_about.append(value)
                told.pregnant.append(True)
        for pattern in (_USUAL_AT, _CHEERED):
            for match in pattern.finditer(part):
                if pattern is _USUAL_AT:
                    value, sure = number(match.group(1)), not healing or antenatal
                    sure = sure and (antenatal or number(match.group(1)) >= 20)
                else:
                    value = number(match.group(2))
                    sure = antenatal or (match["news"] is not None and not _OTHER_NEWS.search(match.group()))
                if sure and 4 <= value <= 42 and not other_person(part, match.start()):
                    told.weeks_about.append(value)
                    told.pregnant.append(True)
        for pattern in (_BOY_OR_GIRL, _SCANNED):
            for match in pattern.finditer(part):
                if of_patient(part, match.start()):
                    told.pregnant.append(True)
    ended = any(_CHILDBEARING_ENDED.search(part) for part in parts)
    for part in () if ended else parts:
        for match in _BIRTHS.finditer(part):
            if parity_says_pregnant(match) and not other_person(part, match.start()):
                told.pregnant.append(True)
