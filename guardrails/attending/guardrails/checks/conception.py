"""A drug that must be out of the body before a pregnancy, given to somebody who wants one too soon.

Labels name how long contraception goes on after the last dose (rows of the knowledge). Three sentences go wrong: a wish
for a child is told and the drug is started all the same; a pregnancy is allowed sooner than the label says;
contraception is called needless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.person.counting import NW, number
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.knowledge.facts import ConceptionWait
from attending.guardrails.sieve import Sieved

_YEARS: Final = 365
"""Waits from here on outlast any plan that a text tells of."""
_ALLOWED_SHORT: Final = 0.85
"""Months are of 28 to 31 days, and "a month" is said of four weeks."""
_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_BABY: Final = (
    r"(?:try(?:ing)?(?: (?:again|now|naturally))? (?:for (?:a|another|her|their|your|the) (?:\w+ )?(?:baby"
    r"|child|pregnancy)"
    r"|to (?:conceive|get pregnant|become pregnant|fall pregnant|start a family))|trying(?= (?:at once|now|again))"
    r"|conceiv\w+|(?:get|becom|fall)\w* pregnant|be pregnant|start(?:ing)? (?:a|their|your|her) family|ttc"
    r"|ivf|embryo transfer)"
)
_WISH: Final = Sieved(
    r"\b(?:hop(?:es?|ing)|wants?|wish(?:es|ing)?|plan(?:s|ning)?|intends?|intending|keen|would (?:like|love)"
    r"|'d (?:like|love)"
    r"|looking|aims?|aiming|eager|about|due|starts?|starting|off (?:the|her|your) pill) (?:\w+ ){0,3}?"
    rf"(?:to (?:\w+ )?|on )?{_BABY}"
    r"|\b(?:is|are|been|actively|currently|now|you're|she's|they're|we're) (?:\w+ )?"
    r"trying (?:for a|for another|to conceive|to get pregnant|to fall pregnant|to become pregnant)"
    r"|\b(?:ivf|embryo transfer|insemination|fertility treatment)\b[^.;\n]{0,24}?\b(?:booked|planned|scheduled"
    r"|starts?|due|in"
    r"|next)\b|\bttc\b|\bplanning (?:a|another) pregnancy\b"
    r"|\b(?:love|like|loves?|want(?:s|ed)?|long(?:s|ing)? for|hop(?:es?|ing) for|wish(?:es|ing)? for|ready for"
    r"|delighted (?:with|by|about)|happy (?:with|about)|welcome) (?:\w+ )?(?:a|another|their first|her first"
    r"|your first) (?:\w+ )?"
    r"(?:baby|child|pregnancy)\b"
    r"|\b(?:stopp\w+|gave up|giv(?:en|ing) up|came off|come off|comes off|off|no longer us\w+|dropped)"
    r" (?:us\w+ |with |on )?(?:(?:the|her|his|your|their|all) )?"
    r"(?:condoms?|contracepti\w+|pill|birth control|mini-?pill)\b"
    r"|\b(?:coil|iud|ius|implant|mirena) (?:is |was |came |taken )?(?:out|removed) (?:so (?:that )?|because "
    r"|in order |to "
    r"|as )(?:\w+ ){1,4}?(?:start|try|conceiv\w+|family|baby|pregnan\w+)",
    re.I,
)
_NOT_HER_WISH: Final = re.compile(
    r"\b(?:if|unless|when|whenever|before|not|no|never|isn't|aren't|doesn't|don't|without|anyone|women|people"
    r"|patients"
    r"|those|stop\w*|tell|daughter|sister|ask\w*|who|should|must|does|do you|once)\b[^.;:\n]{0,40}$",
    re.I,
)
_COVERED: Final = Sieved(
    r"\b(?:contracept\w+|coil|iud|ius|mirena|implant|depo|condoms?|sterili[sz]\w+|hysterectomy|vasectomy|ppp"
    r"|pregnancy prevention|must not (?:get|become|fall) pregnant|avoid (?:a )?pregnancy|wash-?out"
    r"|after (?:the course"
    r"|stopping|finishing)|wait(?:s|ing)? (?:until|for)|will be stopped|to be stopped|stop(?:s"
    r"|ped)? (?:it )?(?:before|at least))",
    re.I,
)
_LATER: Final = re.compile(
    rf"[^.;\n]{{0,24}}?\b(?:in|after) {NW} years?\b|[^.;\n]{{0,24}}?\b(?:one day|eventually|in (?:a few|several"
    rf"|some) years"
    r"|in the (?:distant )?future|some day|years from now)\b",
    re.I,
)


def _time(which: int) -> str:
    return rf"(?:(?P<n{which}>{NW}|an?) (?P<u{which}>day|week|month|year)s?)"


_TOO_SOON: Final = Sieved(
    rf"\b{_BABY}\b[^.;\n]{{0,30}}?\b{_time(1)} (?:after|later|from|following|once|off|post)\b"
    rf"|\b{_time(2)} (?:after|later|from|off|before|between)\b[^.;\n]{{0,50}}?\b(?:{_BABY}|trying)\b"
    r"|\b(?:contraception|contraceptives?|birth control|the pill|condoms|pregnancy (?:must|should) be avoided"
    r"|avoid (?:a )?(?:pregnancy|(?:getting|becoming) pregnant))\b[^.;\n]{0,30}?"
    rf"\b(?:for|until) (?:only |just |about |at least |a further |another )?{_time(3)}",
    re.I,
)
_AT_ONCE: Final = Sieved(
    r"\b(?:can|may|could|fine|okay|ok|safe|free|happy for (?:you|her|them)|go ahead and) (?:\w+ ){0,2}?(?:to )?"
    rf"(?:start |begin )?{_BABY}[^.;\n]{{0,20}}?\b(?:now|straight ?away|right away|immediately|at once"
    rf"|this (?:month|cycle|week)"
    r"|next (?:month|cycle|week)|as soon as|any time|whenever)\b"
    r"|\bno wash-?out\b[^.\n]{0,60}?\b(?:fine|safe|ok|okay|can|may)\b",
    re.I,
)
_NEEDLESS: Final = Sieved(
    r"\b(?:no|without(?: any)?|don't need(?: any)?|do not need(?: any)?|doesn't need|does not need|no need (?:for|of)"
    r"|not necessary to use|needn't use) "
    r"(?:further |extra |your |her |special )?(?:contracepti(?:on|ves?)|birth control)\b"
    r"|\bcontraception (?:is |was )?(?:not (?:needed|necessary|required)|unnecessary|needless)\b",
    re.I,
)
_BARREN: Final = Sieved(
    r"\b(?:post-?menopaus\w+|menopaus\w+|hysterectomy|sterili[sz]ed|oophorectomy|same-sex|not sexually active"
    r"|abstinen\w+"
    r"|vasectomy|men\b|his partner|azoosperm\w+|infertil\w+)",
    re.I,
)
_PAST_CHILDBEARING: Final = 55
"""Years of age."""


def conception(case: Case) -> Iterator[Finding]:
    """One finding a text: the first sentence that lets a pregnancy come too soon after a drug with a stated wait."""
    if case.context.pregnant or case.context.sex == "male":
        return
    age = case.age_years
    if age is not None and age > _PAST_CHILDBEARING:
        return
    drugs = [
        e for e in case.unique_given() if case.knowledge.conception_waits(e.drug) and not case.is_local(e)
    ]
    if drugs and not case.says(_BARREN):
        yield from _wished(case, drugs)
    yield from _told(case)


def _longest(case: Case, drug: str) -> ConceptionWait:
    return max(case.knowledge.conception_waits(drug), key=lambda fact: fact.days)


def wish(case: Case) -> re.Match[str] | None:
    """The words that tell of a wish for a child; None where there are none."""
    for match in _WISH.finditer(case.told):
        if _NOT_HER_WISH.search(case.told, max(0, match.start() - 50), match.start()) is None:
            return match
    return None


def _wished(case: Case, drugs: list[Exposure]) -> Iterator[Finding]:
    told = wish(case)
    if told is None:
        return
    later = _LATER.match(case.told, told.end())
    for exposure in drugs:
        fact = _longest(case, exposure.drug)
        wait = fact.days
        if later is not None and (later.group(1) is None or number(later.group(1).lower()) * 365 > wait):
            continue
        if wait < _YEARS and _covered(case):
            continue
        severity = Severity.MAJOR if exposure.new else Severity.MODERATE
        yield case.finding(
            Code.PREGNANCY,
            exposure,
            severity,
            fact.provenance,
            f"{exposure.drug} in somebody who wants to conceive{_wait(wait)}",
        )


_GIVEN_UP: Final = re.compile(
    r"\b(?:stopp\w+|gave up|giv(?:en|ing) up|came off|come off|comes off|off|no longer|dropped|without|no|not"
    r"|needless"
    r"|had) (?:\w+ ){0,3}$"
)


def _covered(case: Case) -> bool:
    """Whether contraception or a wait is told that has not been given up."""
    return any(
        _GIVEN_UP.search(case.told, max(0, match.start() - 40), match.start()) is None
        for match in _COVERED.finditer(case.told)
    )


def _told(case: Case) -> Iterator[Finding]:
    """What the output says of when a pregnancy may follow."""
    text = case.judged.output
    named = {
        drug
        for statement in case.output.statements
        if statement.scope is not Scope.AVOID
        for drug in statement.mention.drugs
        if case.knowledge.conception_waits(drug)
    }
    if not named:
        return
    # Of several drugs the one with the longest wait is not always meant: the shortest decides.
    fact = min((_longest(case, drug) for drug in named), key=lambda fact: fact.days)
    drug, wait = fact.drug, fact.days
    for match in _AGO.finditer(text):
        if int(number(match[1].lower())) * _DAYS[match[2].lower()] >= wait * _ALLOWED_SHORT:
            return
    for pattern in (_TOO_SOON, _AT_ONCE, _NEEDLESS):
        for match in pattern.finditer(text):
            around = sentence_around(text, match.start(), match.end(), reach=120)
            if pattern is _TOO_SOON:
                days = _days(match)
                if (
                    days is None
                    or days >= wait * _ALLOWED_SHORT
                    or _FORBIDS.search(text, around.start, match.end())
                ):
                    continue
            elif case.says(_BARREN) or _FORBIDS.search(text, around.start, match.start()):
                continue
            yield case.finding(
                Code.PREGNANCY,
                None,
                Severity.MAJOR,
                fact.provenance,
                f"a pregnancy after {drug} sooner than its label allows{_wait(wait)}",
                drugs=(drug,),
                span=Span(match.start(), match.end()),
            )
            return


_AGO: Final = Sieved(rf"\b{NW} (day|week|month|year)s? ago\b", re.I)
_FORBIDS: Final = re.compile(
    r"\b(?:not|never|no sooner|don't|avoid|isn't|before (?:starting|treatment|beginning|the first)|too (?:soon|early)"
    r"|negative|test|ago)\b",
    re.I,
)


def _days(match: re.Match[str]) -> int | None:
    for n, unit in (("n1", "u1"), ("n2", "u2"), ("n3", "u3")):
        if match[n] is not None:
            count = 1 if match[n].lower() in ("a", "an") else int(number(match[n].lower()))
            return count * _DAYS[match[unit].lower()]
    return None


def _wait(days: int) -> str:
    return f": {days} days must pass after the last dose" if days else ""
