"""Pregnancies that the words do not name: "24w2d", "in her 26th week", a last period, a positive test, a due date."""

from __future__ import annotations

import re
from decimal import Decimal

from attending.guardrails.clinical.person.counting import COUNTED, NTH, NW, WEEKS_A_MONTH, number
from attending.guardrails.clinical.person.expecting import planned
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import (
    ANOTHER_PREGNANCY,
    CONDITIONAL,
    GENERAL,
    RELATIVE_TIME,
    clause_before,
    other_person,
    words_before,
)
from attending.guardrails.sieve import Group, Sieved

_GESTATION = Sieved(
    r"(?<![\w.,/+-])(\d{1,2}) ?(?:w|wks?|weeks?) ?\+? ?[0-6] ?(?:d|days?)(?![\w-])"
    r"|(?<![\w.,/+-])(\d{2})\+[0-6](?!\w|[/.+]\d|/\d)"
)
"""Weeks and days, as only a pregnancy or a newborn is counted: "24w2d", "31+4"."""
_BORN = re.compile(
    r"\b(?:born|birth|delivered|preterm|premature|ex|former|neonate|newborn|infant|baby|nicu|corrected|old)\b"
)
_WEEKS_NOW = Sieved(
    rf"\b(?:you are|you're|she is|she's|i am|i'm|currently|now) (?:now |about |almost |only )?{NW} (?:weeks|wks?)"
    r"(?=[.,;)]|$| (?:and|so|today|with)\b| (?:i|we) )"
)
_OBSTETRIC = Sieved(
    r"\b(?:pre-?eclampsia|eclampsia|gestational|gdm|prenatal|antenatal|obstetric\w*|fetal|fetus|gravida|primigravida"
    r"|hyperemesis|morning sickness|placenta\w*|pprom|prom|preterm labou?r|tocolysis|g\d{1,2} ?p\d|trimester"
    r"|growth scan|anomaly scan|ob (?:visit|clinic|follow-?up)|intrauterine pregnancy|iup)\b"
)
_WEEKS_NEAR = Sieved(
    rf"(?<![\w.,/-])({COUNTED}|\d{{1,2}}) ?(?:weeks|wks?|w)(?![\w-])(?! (?:ago|later|old|post|after|of (?!gest)))"
)
_WEEK_ORDINAL = Sieved(
    rf"\b(?:now |already |currently )?(?:in|into|entering|reached|reaching) (?:her|your|my|the) {NTH} week"
    r"(?: of (?:her |your |my |the |this )?(?:pregnancy|gestation))?(?= ?(?:[.,;:)]|$)| (?:and|with|of|so|i|we"
    r"|now)\b)(?! of "
    r"(?!her preg|your preg|my preg|the preg|this preg|preg|gest))"
    rf"|\b(?:at|from|since) (?:her|your|my) {NTH} week (?:of pregnancy|of gestation)\b"
)
_WEEKS_GONE = Sieved(
    rf"\b(?:is|are|am|'s|'re|'m|being|currently|now|already|only|about|nearly|almost) (?:now |about |only "
    rf"|already |nearly "
    rf"|almost |just )?{NW} (?:weeks|wks) gone\b"
)
"""As a pregnancy is counted in speech: "six weeks gone"; not "two weeks gone by" of anything else."""
_ASIDE = re.compile(
    r" who (?:is|are|was|were) (?:looking after|caring for|seeing|following|now|currently|just) "
)
"""A clause in commas that tells of the person rather than of whoever it may concern."""
_OTHER_WEEKS = Sieved(
    r"\b(?:review\w*|follow\w*|post-?op\w*|after|since|follow-?up|taper\w*|course|therapy|treatment|cycle"
    r"|chemo\w*|trial"
    r"|study|score|hba1c|a1c|recheck|repeat|surgery|rehab\w*|sober|abstinent|titrat\w*|wean\w*|post-?partum"
    r"|postnatal"
    r"|response|remission|outcomes?|relapse|weight loss|percent|months? old|immuni[sz]\w*|kg|child|boy|girl"
    r"|endpoint|vaccin\w*|clinic visit|radiotherapy|work|job|leave|training)\b"
)
_AT_WEEKS = Sieved(rf"\bat {NW} (?:weeks|wks)(?: with (?:an? |your |her |severe |new )|[:,]|$)")
"""Weeks a person is at, rather than what is planned for then: only above twelve, where nobody counts a drug so."""
_UNTIL_BABY = Sieved(
    r"\b(?:until|till|before|when) (?:the|your|her|my|our) (?:baby|twins|little one) (?:comes|arrives|is born"
    r"|is here"
    r"|is delivered|is due)\b|\buntil (?:the birth|she delivers|you deliver|you give birth|she gives birth)\b"
)
_LAST_PERIOD = Sieved(
    rf"\b(?:lmp|last (?:menstrual )?period|last menses)(?: was| is|:)?(?: about"
    rf"| approximately)? {NW} ?"
    r"(weeks?|wks?|w|months?) ago"
)
_TESTED = Sieved(
    r"\b(?:b-?hcg|beta-?hcg|\u03b2-?hcg|hcg|upt|upreg|pregnancy tests?|test for pregnancy"
    r"|home (?:pregnancy )?test|monthly (?:pregnancy )?test)"
    r"(?: \w+){0,4}? ?(?:positive|pos\b|\+)|\bpositive (?:home |urine |blood |serum )?(?:pregnancy test|b?-?hcg|upt)"
    r"|\btwo (?:pink )?lines\b"
)
_TOLD_POSITIVE = Sieved(
    rf"\btest (?:was|is|came back|has come back) positive[ ,;:!-]{{1,4}}(?:and |so |at |you(?:'re| are) "
    rf"|she(?:'s| is) |about ){{0,2}}"
    rf"{NW} (?:weeks|wks)\b(?! ago)"
)
"""A test with a count of weeks is of pregnancy: "the test was positive, nine weeks already"."""
_DUE = Sieved(rf"\b(?:baby is |you are |you're |she is |she's |i'm )?(?:due|edd) in {NW} (weeks?|months?)\b")
_EXPECTING = Sieved(
    r"\b(?:expecting (?:a baby|a child|twins|her|your|my|our|in (?:january|february|march|april|may|june|july|august"
    r"|september|october|november|december|spring|summer|autumn|fall|winter))|(?:mother|mom|mum)-to-be"
    r"|with child(?![ -]?(?:pugh|turcotte|class|'s|[abc]\b))"
    r"|baby is due|gravid)\b"
)
GESTATION = Group.of(globals())


def counted_weeks(part: str, told: Told) -> None:
    """Pregnancies that the words do not name: weeks and days, a last period, a positive test, a due date."""

    def says(match: re.Match[str]) -> bool:
        before = clause_before(part, match.start())
        return not (
            GENERAL.search(before)
            or RELATIVE_TIME.search(words_before(part, match.start(), 20))
            or re.search(
                r"\b(?:not|no|never|previous|prior|last pregnancy|scan|until|induction) (?:\w+ )?$", before
            )
            or planned(before)
            or ANOTHER_PREGNANCY.match(part, match.end())
            or other_person(part, match.start())
        )

    def stored(value: Decimal) -> None:
        if 2 <= value <= 44:
            told.weeks.append(value)
            told.pregnant.append(True)

    obstetric = _OBSTETRIC.search(part) is not None
    for match in _GESTATION.finditer(part):
        if says(match) and not _BORN.search(words_before(part, match.start(), 60)):
            stored(Decimal(match.group(1) or match.group(2)))
    for match in _WEEKS_NOW.finditer(part):
        general = CONDITIONAL.search(clause_before(part, match.start()))
        if number(match.group(1)) >= 6 and not general and not other_person(part, match.start()):
            stored(number(match.group(1)))
    for match in _TOLD_POSITIVE.finditer(part):
        if says(match):
            stored(number(match.group(1)))
    for match in _WEEKS_GONE.finditer(part):
        if (
            says(match)
            and re.match(r" (?:by|since|until|of|without|and counting)\b", part[match.end() :]) is None
        ):
            stored(number(match.group(1)))
    for match in _WEEK_ORDINAL.finditer(part):
        value = number(match.group(1) or match.group(2))
        named = "pregnan" in match.group() or "gestation" in match.group() or obstetric
        if (named or value > 12) and not _OTHER_WEEKS.search(part) and says(match):
            stored(value)
    for match in _AT_WEEKS.finditer(part):
        if (
            12 < number(match.group(1)) <= 42
            and not _BORN.search(part)
            and not _OTHER_WEEKS.search(part)
            and says(match)
        ):
            stored(number(match.group(1)))
    for match in _UNTIL_BABY.finditer(part):
        if not CONDITIONAL.search(clause_before(part, match.start())) and not other_person(
            part, match.start()
        ):
            told.pregnant.append(True)
    if obstetric and not _BORN.search(part):
        for match in _WEEKS_NEAR.finditer(part):
            before = words_before(part, match.start(), 24)
            aside = _ASIDE.match(clause_before(part, match.start())) is not None
            of_her = aside and not other_person(part, match.start())
            if (
                (of_her or says(match))
                and re.search(r"(?:^|[,;(] |\bat |\d |: )$", before)
                and "scan at" not in before
            ):
                stored(number(match.group(1)))
    tested = _TESTED.search(part) is not None
    for match in _LAST_PERIOD.finditer(part) if tested else ():
        if says(match):
            factor = WEEKS_A_MONTH if match.group(2).startswith("m") else Decimal(1)
            stored((number(match.group(1)) * factor).to_integral_value())
    expected = re.search(r"\b(?:baby|pregnan\w*|edd)\b|^(?:she|you|i)\b", part) is not None
    for match in _DUE.finditer(part) if expected else ():
        factor = WEEKS_A_MONTH if match.group(2).startswith("m") else Decimal(1)
        remaining = (number(match.group(1)) * factor).to_integral_value()
        if says(match) and remaining <= 38:
            stored(Decimal(40) - remaining)
    for pattern in (_TESTED, _EXPECTING):
        if any(says(match) for match in pattern.finditer(part)):
            told.pregnant.append(True)
