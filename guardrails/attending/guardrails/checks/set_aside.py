"""Drugs that a text names for what it did not do with them: the usual choice, a past course, an entry taken back.

"I'd normally reach for X, but it clashes with Y, so Z", "considered X and Y; neither given", "she was on X until her
test was positive", "my letter gave the dose of X as ...; this was an error", an empty box beside ticked ones. Each
takes one mention out of what is given; what the text gives elsewhere stays. Where the same words resume the drug,
give it after all, or say that it was left out by mistake, nothing is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.checks.left_off import kept_off, refused_alone
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Sieved

_USUALLY: Final = re.compile(
    r"\b(?:normally|usually|ordinarily|typically|otherwise|as a rule|by (?:habit|default)|in (?:most|other)"
    r" (?:people|patients|cases))\b"
    r"|\b(?:my|our|the) (?:usual|normal|standard|default|first|obvious|go-to|textbook|preferred) (?:\w+ ){0,2}?"
    r"(?:choice|pick|option|drug|antibiotic|pill|tablet|answer|treatment|remedy|agent)\b"
    r"|\b(?:i|we)(?:'d| would| should)? (?:have )?(?:liked|loved|reached|preferred|wanted|hoped|thought about"
    r"|thought of|toyed with)\b"
    r"|\bwould have (?:been|used|given|liked|preferred|chosen|reached|gone)\b|\btempt(?:ed|ing)\b"
    r"|\b(?:first|best) (?:choice|line) (?:would|for (?:most|many))\b",
    re.I,
)
_CONTRAST: Final = re.compile(
    r"\b(?:but|however|yet|though|although|except|because|since|so|hence|thus|therefore|instead|were it not"
    r"|if it were not|rather)\b",
    re.I,
)
_AFTER_ALL: Final = re.compile(
    r"\b(?:take|use|have|give|gave|given|start|started|try|keep|continue|sent|add|added|combine)\b[^.;\n]{0,16}?"
    r"\b(?:it|them|this|that one|both)\b|\b(?:as well|too|also|plus|on top|in addition|alongside|along with|together"
    r"|lower dose|half (?:the|a|your)|smaller dose|start low|go ahead|went ahead|anyway|all the same|after all"
    r"|nonetheless|regardless)\b",
    re.I,
)
_AMOUNT: Final = re.compile(
    r"\d ?(?:mg|mcg|micrograms?|g|ml|units?|tablets?|capsules?|puffs?|times|x)\b|\b(?:bd|bid|tds|tid|qds|qid"
    r"|daily)\b",
    re.I,
)
_AGAINST: Final = re.compile(
    r"\b(?:not|never|cannot|no|avoid\w*|clash\w*|interact\w*|trouble|unsafe|dangerous|risk\w*|allerg\w*|harm\w*"
    r"|pregnan\w*|rul\w+ (?:it )?out|out of the question)\b|n['\u2019]t\b",
    re.I,
)
_PAST: Final = re.compile(
    r"\b(?:was|were|had been|has been|have been|used to|took)\b[^.;:!?,\n]{0,40}\Z", re.I
)
_UNTIL: Final = re.compile(
    r"[^.;\n]{0,60}?\b(?:until|till|up to|up until)\b(?! (?:now|today|tomorrow|tonight|further|review|you|we|i\b"
    r"|the (?:next|review|follow)|next|follow|this|\d+ ?(?:mg|mcg|g\b|ml|units|times|tab)|a (?:max|total|dose)"
    r"|(?:one|two|three|four|six|eight|twice|three times)\b))",
    re.I,
)
_NONE_SINCE: Final = re.compile(
    r"\b(?:not|never|n['\u2019]t)\b[^.;\n]{0,30}\b(?:since|again|ever since)\b|\bnone since\b|\bnothing since\b",
    re.I,
)
_LAST_WAS: Final = re.compile(
    r"[^.;\n]{0,60}[;,.] ?(?:and )?(?:the|her|his|my|your) (?:last|final) (?:dose|tablet|capsule|one"
    r"|injection|pill|course)"
    r" (?:was|had been)\b(?! (?:due|to be|too|a bit))",
    re.I,
)
_STEPPED_DOWN: Final = re.compile(
    r"\b(?:reduced|cut|weaned|tapered|halved|lowered|stepped down|brought down|dropped)(?: (?:the|her|his"
    r"|your|my|down)){0,2} \Z",
    re.I,
)
_NOT_GIVEN_NEXT: Final = re.compile(
    r"[*_]{0,2} (?:was|is|had been) (?:on|in|among) (?:her|his|the|their|your) [^.;\n]{0,60}[.;:,] ?(?:but )?"
    r"(?:it is |it was )?(?:not|never) (?:given|charted|continued|prescribed|restarted|resumed|taken)\b",
    re.I,
)
"""Behind a name: "was on her home list 25 mg at night. NOT given while in"."""
_NONE_OF_IT: Final = re.compile(
    r"[^.;\n]{0,40}\b(?:not|never|no|n['\u2019]t|nothing|none)\b[^.;\n]{0,40}\b(?:of )?(?:either|both"
    r"|them|it|these|neither)\b"
    r"(?: drugs?| ones?)? (?:ever )?since\b",
    re.I,
)
"""The next sentence: "he has not had a drop of either since"."""
_RESUMES: Final = re.compile(
    r"\b(?:re-?start\w*|resum\w+|re-?commenc\w+|reinstat\w+|re-?introduc\w+|re-?challeng\w+|back on|put it back"
    r"|put (?:him|her|you|them) back|start\w* (?:\w+ ){0,2}again|begin again|go(?:es)? back (?:on|to)"
    r"|re-?issue\w*)\b",
    re.I,
)
_REFUSES: Final = re.compile(
    r"\b(?:not|never|no|without|neither|nor|cannot)\b(?:(?!\bbut\b)[^.;,\n]){0,24}\Z"
    r"|n['\u2019]t\b(?:(?!\bbut\b)[^.;,\n]){0,24}\Z",
    re.I,
)
_ERROR: Final = re.compile(
    r"\b(?:this|that|it|which|the (?:dose|figure|entry|line))(?:,? [^.;\n,]{0,30},)? (?:is|was"
    r"|were) (?:an? |my |our |the )?"
    r"(?:\w+ ){0,2}?(?:error|mistake|slip|typo|misprint|wrong|incorrect|mistyped|misread)\b"
    r"|\b(?:should|must|is to|are to|please) (?:now )?(?:be )?(?:struck|strike|delete[d]?|disregard(?:ed)?|ignore[d]?"
    r"|crossed)\b",
    re.I,
)
_WRITTEN: Final = re.compile(
    r"\b(?:letter|note|chart|list|summary|prescription|record|label|sheet|earlier|fax|message)\b[^.;\n]{0,40}"
    r"\b(?:gave|said|stated|read|showed|listed|had|put|recorded|wrote)\b"
    r"|\b(?:was|were) (?:\w+ )?(?:written|typed|given|listed|stated|entered|recorded|printed|transcribed"
    r"|shown|put down) as\b",
    re.I,
)
_IN_ERROR: Final = re.compile(r"\b(?:in error|by mistake|wrongly|erroneously|mistakenly|incorrectly)\b", re.I)
_EMPTY_BOX: Final = re.compile(r"[ \t]{0,20}(?:[-*\u2022] ?)?(?:\[ ?\]|\u2610|\u25a1|\u25fb) ?\Z")
_TICKED: Final = Sieved(
    r"^[ \t]{0,20}(?:[-*\u2022] ?)?(?:\[[xX\u2713\u2714]\]|\u2611|\u2612|\u2705|\u2714|\u2713)", re.M
)
_REACH: Final = 260


def set_aside(text: str, statements: Sequence[Statement], number: int) -> bool:
    """Whether the words around the name of statement `number` say that it is not, or no longer, given."""
    statement = statements[number]
    span = statement.mention.span
    line = text.rfind("\n", 0, span.start) + 1
    if _EMPTY_BOX.match(text[line : span.start]):
        return _TICKED.search(text) is not None
    own = sentence_around(text, span.start, span.end)
    if _usual_choice(text, statements, number, own.start):
        return True
    if _TAKE.search(text, max(own.start, span.start - 40), span.start) and _OFF_THE_LIST.match(
        text, span.end, own.end
    ):
        return True
    if kept_off(text, statement, own) or refused_alone(text, statements, number):
        return True
    if _NOT_GIVEN_NEXT.match(text, span.end):
        return True
    if _over(text, statements, number, own.start, own.end) or _passed_over(text, statement, own.start):
        return True
    if _other_dose(text, statements, number):
        return True
    return _taken_back(text, statements, number, own.start, own.end)


_TAKE: Final = re.compile(
    r"\b(?:take|taken|taking|remove|strike|cross|delete)(?: (?:the|his|her|your|old|former|that|entry|line"
    r"|for)){0,4} \Z",
    re.I,
)
_OFF_THE_LIST: Final = re.compile(
    r"(?: \d[\d.,]{0,6} ?(?:mg|mcg|g|micrograms?|units?))?(?: (?:tablets?|capsules?|entry|line))? (?:off|from|out of)"
    r" (?:the|his|her|your|their|my|our) (?:[\w-]{1,20} ){0,2}(?:lists?|repeats?|profile|chart|record|mar"
    r"|dosette|prescriptions?)\b",
    re.I,
)
"""What is done to the entry and not to the patient: "please take metformin off his repeat list"."""
_RATHER_NOT: Final = re.compile(
    r"\b(?:i|we)(?:'d|\u2019d| would| had| should)? (?:much )?(?:rather|sooner|prefer) not ?[:,\u2013\u2014-] ?\Z"
    r"|\brul(?:es?|ed|ing) out (?:(?!but\b)[^.;\n]){0,30}\Z",
    re.I,
)
_PREFERRED: Final = re.compile(
    r"\b(?:(?:prefer\w*) [^.;,\n]{2,40} (?:to|over|rather than|instead of)|(?:cho(?:o?se|sen|osing)|pick\w*"
    r"|favou?r\w*"
    r"|settled on|opted for|decided on|(?:went|gone?|going) (?:with|for)) [^.;,\n]{2,40} (?:over|rather than"
    r"|instead of|in preference to))"
    r" (?:oral |the |an? )?\Z",
    re.I,
)
"""The second of two, of which the first was preferred: "we preferred X to Y"."""


def _passed_over(text: str, statement: Statement, low: int) -> bool:
    """ "We preferred X to Y", "I would rather not: Y": Y is not given, whatever amount stands behind it."""
    span = statement.mention.span
    if statement.scope is Scope.STOP:
        return False
    before = text[max(low, span.start - 90) : span.start]
    return _PREFERRED.search(before) is not None or _RATHER_NOT.search(before) is not None


_OLD_ONE: Final = re.compile(
    r"\b(?:old|older|former|previous|prior|earlier|original|first)(?: \w{1,20}){0,2}(?: ?: ?\w{3,24})? \Z"
    r"|\b(?:previously|formerly|was|had been|from)(?: on)? \Z",
    re.I,
)
_INSTEAD: Final = re.compile(
    r"\b(?:instead of|rather than|in place of|in lieu of|replac(?:es|ing)|no longer|used to take|used to be)"
    r"(?: (?:the|his|her|your|old|usual|on|\w{4,20}))? \Z",
    re.I,
)
_ENDED_ONE: Final = re.compile(
    r"[^;\n]{0,40}?\bnew\b ?:|[^.;\n]{0,40}?\b(?:discontinued|cancell?ed|stopped|ended|no longer|removed"
    r"|crossed|struck|d/c'?e?d?|withdrawn"
    r"|replaced|deleted|voided|now\b|->|\u2192)"
    r"|[^.;\n]{0,30}?[;,.] ?(?:and |so |but |then )?(?:(?:i|we|she|he|it|this|dr \w{2,14}) )?(?:(?:have|has|had"
    r"|was|is|'ve"
    r"|\u2019ve) )?(?:now |since |already |just )?(?:been )?(?:halved|cut|reduced|lowered|brought|dropped|decreased"
    r"|trimmed|stepped|taken|changed|switched|increased|raised|doubled)(?: (?:it|this|that|them|back|down"
    r"|up)){0,2} (?:to|by)"
    r"\b",
    re.I,
)
_HEALTHY: Final = re.compile(
    r"\b(?:usual|standard|normal|ordinary|full|regular|label)(?:ly)?\b[^.;\n]{0,80}?\b(?:would be|is|are|being|:)"
    r"[^.;\n\d]{0,12}\Z"
    r"|\b(?:normal|healthy|good|intact) (?:kidneys?|renal function|kidney function|clearance)\b[^.;\n\d]{0,30}\Z",
    re.I,
)
_NOT_HERE: Final = re.compile(
    r"[^.;\n]{0,60}?(?:[.;,] ?)?\b(?:do not|don't|not|never|too much|too high|for (?:healthy|normal|good|you)|here"
    r"|with (?:your|this|his|her))\b",
    re.I,
)


def _other_dose(text: str, statements: Sequence[Statement], number: int) -> bool:
    """ "Old 20 mg BID order discontinued", "usual dose in normal kidneys would be 2 g; do not use that here": an amount
    that the text names beside the one it gives."""
    statement = statements[number]
    if statement.dose is None or statement.scope is Scope.STOP:
        return False
    at, end = statement.dose.span.start, statement.dose.span.end
    low = max(text.rfind(mark, max(0, at - 120), at) for mark in ".;\n") + 1
    before, behind = text[max(low, at - 120) : at], text[end : end + 120]
    if "*" in text[at : end + 120]:
        before, behind = before.replace("*", " "), behind.replace("*", " ")
    old = _OLD_ONE.search(before) is not None and _ENDED_ONE.match(behind) is not None
    usual = _HEALTHY.search(before) is not None and _NOT_HERE.match(behind) is not None
    if not (old or usual or _INSTEAD.search(before)):
        return False
    mine = set(statement.mention.drugs)
    return any(
        mine & set(s.mention.drugs) and s.dose is not None and s.dose.span.start != at for s in statements
    )


def resumed_in(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` resumes something, and does not only say that it is not resumed."""
    return any(
        _REFUSES.search(text, max(start, match.start() - 40), match.start()) is None
        for match in _RESUMES.finditer(text, start, end)
    )


def _usual_choice(text: str, statements: Sequence[Statement], number: int, low: int) -> bool:
    """ "I'd normally reach for X, but ..., so you are getting Z": X is only what would have been."""
    statement = statements[number]
    span = statement.mention.span
    if statement.dose is not None or statement.frequency is not None or statement.scope is Scope.STOP:
        return False
    stop = min(len(text), span.end + _REACH)
    paragraph = text.find("\n\n", span.end, stop)
    stop = paragraph if paragraph >= 0 else stop
    framed = _USUALLY.search(text, max(low, span.start - 140), span.start)
    framed = framed or _USUALLY.match(text, span.end, stop) or _WOULD_BE.match(text, span.end, stop)
    if framed is None:
        return False
    contrast = _CONTRAST.search(text, span.end, stop)
    if contrast is None:
        return False
    mine = set(statement.mention.drugs)
    other = next(
        (
            s.mention.span
            for s in statements[number + 1 :]
            if s.mention.span.start >= contrast.end() and not mine & set(s.mention.drugs)
        ),
        None,
    )
    if any(
        mine & set(s.mention.drugs)
        for s in statements[number + 1 :]
        if s.scope.prescriptive and s.mention.span.start > span.end and s.dose is not None
    ):
        return False
    upto = min(stop, other.start) if other is not None else stop
    if _AMOUNT.search(text, span.end, upto) or _AFTER_ALL.search(text, contrast.start(), upto):
        return False
    if other is not None and other.start < stop:
        return _AFTER_ALL.search(text, other.end, min(stop, other.end + 50)) is None
    return _AGAINST.search(text, contrast.end(), stop) is not None


_WOULD_BE: Final = re.compile(
    r"[^.;\n]{0,20}?\b(?:would|might) (?:normally |usually |otherwise |ordinarily )?(?:be|have been)\b"
    r"(?: (?:the|my|our|an?) (?:\w+ ){0,2}(?:choice|pick|option|answer|drug))?"
    r"| is what (?:most|many|some|other) [^.;,\n]{1,30}? (?:are (?:offered|given|told)|get|take|use|have"
    r"|reach for)\b",
    re.I,
)


def _over(text: str, statements: Sequence[Statement], number: int, low: int, high: int) -> bool:
    """ "She was on X until her test was positive": a past that the sentence ends, and nothing resumes."""
    statement = statements[number]
    span = statement.mention.span
    stop = min(len(text), span.end + _REACH)
    tapered = _STEPPED_DOWN.search(text, max(low, span.start - 60), span.start) is not None
    if _LAST_WAS.match(text, span.end, stop) is not None and (statement.dose is None or tapered):
        return not resumed_in(text, span.end, stop)
    if statement.scope is Scope.RECOMMEND:
        return False
    if statement.dose is None and (since := _NONE_OF_IT.match(text, high)) is not None:
        # "it" is the drug that the next sentence names, where it names one
        named = any(high <= s.mention.span.start < since.end() for s in statements[number + 1 : number + 12])
        return not named and not resumed_in(text, span.end, since.end())
    if not _PAST.search(text, max(low, span.start - 60), span.start):
        return False
    stop = min(len(text), span.end + _REACH)
    ends = _UNTIL.match(text, span.end, min(high, stop)) or _NONE_SINCE.search(
        text, span.end, min(high, stop)
    )
    return ends is not None and not resumed_in(text, span.end, stop)


def _taken_back(text: str, statements: Sequence[Statement], number: int, low: int, high: int) -> bool:
    """ "My letter gave the dose of X as ... This was an error": the entry is withdrawn, another of X stands."""
    statement = statements[number]
    mine = set(statement.mention.drugs)
    if not mine or (statement.dose is None and statement.frequency is None):
        return False
    again = any(
        mine & set(s.mention.drugs) and s.clause.start >= high and s.scope is not Scope.HISTORY
        for s in statements[number + 1 :]
    )
    if not again or statement.clause.start >= high or _WRITTEN.search(text, low, high) is None:
        return False
    return (
        _IN_ERROR.search(text, low, high) is not None
        or _ERROR.search(text, high, min(len(text), high + 120)) is not None
    )
