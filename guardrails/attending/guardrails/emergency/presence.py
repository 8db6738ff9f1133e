"""Whether what a text tells is so: not denied, past, another's, or only spoken about."""

from __future__ import annotations

import re
from typing import Final, Literal

from attending.guardrails.emergency.concepts import Tokens, Told

Spoken = Literal["said", "supposed", "watched"]
_REACH: Final = 36
"""Words over which a denial carries, as in "denies fever, chills, neck stiffness or rash"."""
_LINE: Final = 150
"""Words of a sentence looked at to either side, so that a text without a full stop costs no more than another."""
_BREAKS: Final = frozenset(".;!?\n")
_ABSENT: Final = frozenset(("absent", "denied", "none", "resolved", "negative", "nil"))
_NOT_DONE: Final = frozenset(("given", "available", "present", "seen", "heard", "found", "started"))
"""After "not": a finding or a treatment that is missing."""
_AFTER: Final = 4
"""Words after a finding in which a note says that it is not there: "saddle numbness: absent"."""
_TURNING: Final = (
    "but however although though yet except still now has have had is was are were reports complains says feels woke "
    "came describes reported"
)
_TURNS: Final = frozenset(_TURNING.split())
_DENIED_WORDS: Final = (
    "no denies denied denying without not never nor neither absent negative free resolved isn't wasn't aren't weren't "
    "hasn't haven't didn't doesn't don't excluded"
)
_DENIES: Final = frozenset(_DENIED_WORDS.split())
_OPENS_ADVICE: Final = frozenset(
    ["need", "reason", "worries", "problem", "matter", "doubt", "longer", "worse", "better"]
)
"""Words after "no" or "not" that make it no denial of what follows."""
_PAST: Final = re.compile(
    r"\b(?:last (?:year|month|summer|winter|spring|autumn)|(?:years?|months) ago|as a child|in childhood"
    r"|(?:in|last) (?:january|february|march|april|may(?= (?:and|of|or|with|he|she|you|\d)|[.,;])|june|july"
    r"|august|september|october|november|december)"
    r"|in (?:19|20)\d\d|family history|(?:his|her|your"
    r"|my) (?:mother|father|brother|sister|uncle|aunt|grand\w+) (?:had"
    r"|has(?! (?:just|swallowed|taken|been|become|gone|collapsed|stopped|started|lost|not|now)\b)|died))\b",
    re.I,
)
"""Anywhere in the sentence: another time or another person."""
_GENERAL: Final = re.compile(r"\b(?:people|patients) (?:have|who|may|can|get)\b", re.I)
_YOU: Final = re.compile(r"\byou(?:r|rs|'ve|\u2019ve)?\b", re.I)
_OF_ONE: Final = re.compile(r"\b(?:you|your|he|his|she|her|my|i|i'm)\b", re.I)
"""Of people at large, in a sentence that names nobody."""
_NOT_NOW: Final = re.compile(
    r"\b(?:history of|h/o|hx of|pmh|previous(?:ly)?|prior|admitted (?:with|for)|treated for|was (?:seen"
    r"|admitted|treated)"
    r"|were (?:seen|admitted|treated)|came in with|presented with|risk of|reduces?|prevent\w*"
    r"|screen\w* for|side effects?"
    r"|what (?:is|are|causes?)|definition|allerg(?:y|ies|ic)\b|resolved|no longer (?:has|having)|(?:has"
    r"|have) (?:gone(?= ?(?:away|now|completely|altogether|[.,;]|and\b))|settled"
    r"|cleared)|used to(?![^.;\n]{0,60}\b(?:but|now)\b)|giv(?:es|ing) (?:you|him|her|them|rise)|gave (?:you|him"
    r"|her|them)|caus(?:es?|ed"
    r"|ing) (?:you|him|her|them)?"
    r"|(?:had|known|previous|allergic|bad|severe) reaction to|reacted to|(?:after|following|since) (?:a"
    r"|an|the|his|her|your)"
    r" (?:\w+ )?(?:heart attack|stroke|seizure|anaphyla\w+|overdose|collapse)|after (?:your|his|her"
    r"|the) recent|stroke in"
    r"|\b(?:not|never|avoid\w*|cannot) (?:[\w-]+ ){1,8}because of)\b",
    re.I,
)
"""Before the finding: it was, or is only spoken about."""
_COULD_PROVOKE: Final = re.compile(
    r"\b(?:could|can|may|might|would|prone to|liable to) (?:precipitate|trigger|provoke|bring on|set off)"
    r"\b[^.,;:\n]{0,30}\Z",
    re.I,
)
"""Before what a drug could do, unless the sentence says that it is there: "can bring on pain like I have now"."""
_IS_THERE: Final = re.compile(
    r"\b(?:ha(?:ve|s|d|ving)|i'?m|is|are|started|began|now|today|tonight|since|ago)\b", re.I
)
_OF_ALLERGY: Final = re.compile(r"anaphyla\w{1,20} (?:to|with|from|on)\b", re.I)
_MIGHT_COME: Final = re.compile(
    r"(?: (?:can|could|may|might|would) (?:harm|hurt|kill|damage|injure|happen|occur|follow|come back)| worries you"
    r"| (?:is|are|can be) (?:dangerous|fatal|deadly) (?:to|for|in) (?!you\b|him\b|her\b))\b",
    re.I,
)
"""Behind a finding of which only the harm is told: "a seizure can harm you both". "Her bleeding could" is hers."""
_NOBODYS: Final = frozenset({"a", "an", "any", "another", "such"})
_CALLED_AFTER: Final = re.compile(
    r"(?: (?:pathway|protocol|bundle|guidelines?|policy|alert card)|(?<=sepsis) six(?! (?:h|min|days?|weeks?)))\b"
    r"(?! (?:was |has been |is )?(?:activated|started|begun|triggered|called|running|in progress))",
    re.I,
)
"""Behind a finding that a plan is called after: "neutropenic sepsis pathway"."""
_OF_A_SCORE: Final = re.compile(
    r"(?:['\u2019]?s)?[ -](?:turcotte[ -]?)?pugh\b|(?:['\u2019]?s)?[ -](?:class |grade )?[ABC](?![\w-])", re.I
)
"""Behind "Child": the name of a score of the liver."""
_LASTING: Final = frozenset(
    [
        "chest",
        "pain",
        "pressure",
        "breathless",
        "vision_lost",
        "vision_changed",
        "headache",
        "weak",
        "numb",
        "leg_weak",
        "LOW_OXYGEN",
        "FAST_PULSE",
        "palpitation",
        "faint",
        "blood",
        "confused",
        "harm_others",
        "toxic_lithium",
        "garbled",
        "swollen",
        "speech",
        "bladder",
        "withdrawal_sign",
    ]
)
"""Findings that somebody may live with."""
_OLD: Final = re.compile(
    r"\b(?:(?:for|over|since) (?:the (?:last|past) )?(?:\w+ )?(?:years|months)|since (?:19|20)\d\d|unchanged"
    r"|long-?standing|lifelong|(?:his|her|your|their|usual) baseline|chronic|as (?:always|ever))\b",
    re.I,
)
_OLD_NEXT: Final = re.compile(
    r",? ?(?:which is |this is |the )?(?:(?:his|her|your|their) (?:baseline|normal|usual)|same as|unchanged|as always"
    r"|as ever|long-?standing|no change)\b",
    re.I,
)
_FRESH: Final = re.compile(
    r"\b(?:now|new\w*|today|tonight|yesterday|worse\w*|sudden\w*|but|this is|getting|last night|woke|increas\w+|more"
    r"|since (?:last|yester\w*|this|\w+day)|this (?:morning|evening|week|time)|days?|hours?)\b",
    re.I,
)
_NOW_TOO: Final = re.compile(
    r"\b(?:now|today|tonight|yesterday|currently|since (?:last|yester\w*|this|\w+day)|this (?:morning|evening"
    r"|week))\b",
    re.I,
)
_CONDITION: Final = frozenset(["if", "unless", "whenever", "should"])
_WARNING: Final = re.compile(
    r"\b(?:(?:tell|let) (?:us|me|them|your \w+|the \w+)(?: know)? (?:about|of) any(?![^.\n]{0,90}\b(?:next (?:visit"
    r"|appointment|time|check|week|month|review)|routine|when (?:you|we) (?:next |see|meet|come)|in a few))"
    r"|in case|(?:(?<!you )(?<!they )mention|any|(?<!you )(?<!they )report) (?:any |of )?(?:new |unusual "
    r"|sign|black|blood|bleed|chest|rash"
    r"|swell|fever)|watch for|watch out|look (?:out )?for|signs? of|symptoms? (?:of|such as|like|include)"
    r"|such as|warning signs?|back (?:sooner |earlier )?(?:for|if)"
    r"|red flags?|can cause|may cause|could cause|might cause|may (?:get|feel"
    r"|have(?! (?:swallow|eaten|ingest|taken|drunk|had))|experience|notice)"
    r"|you (?:might|may|could)"
    r"|feels? like (?:this|these)|(?:at once|immediately|straight away|same[- ]day|sooner) (?:if|with|for)"
    r"|return for|come back for|call (?:us )?for|(?<!no )(?:911|999|112) (?:if|for)|safety[- ]net\w*"
    r"|return precautions|(?:call|go|seek|ring"
    r"|phone|contact(?! with)|attend"
    r"|return|come back|report|tell)\b[^.\n]{0,60}\b(?:if|with|for any|for)|any of (?:these|the following)|report any"
    r"|(?:call|return|ring|phone|seek help|red flags?|warning signs?|report|attend|go to \w+)(?: back)?(?= ?[:-])"
    r"|(?:knows|told|asked|advised|warned|instructed|reminded|taught) (?:\w+ )?to (?:report|stop and (?:report|call))"
    r"|advise\w* to (?:return|attend|call)|risks? (?:include|of)|explained|discussed|counsell?ed)\b",
    re.I,
)
_MADE_AWARE: Final = re.compile(
    r"(?:\b(?:is|was|been|are)|,) told about\b|\bwarned (?:about|of)\b|\bknows about\b"
    r"|(?<!am )(?<!'m )(?<!\u2019m )(?<!became )(?<!become )(?<!becoming )(?<!suddenly )\baware of\b",
    re.I,
)
"""Before what somebody knows that may come, unless it is told as there: "aware of crushing chest pain since noon"."""
_OF_THIS: Final = re.compile(
    r" (?:your|his|her|their|my|the|this|these|that|those|an?|some|sudden\w*|severe|crushing|increas\w+|terrible|awful"
    r"|intense|new(?:ly)?|worsening|constant)\b",
    re.I,
)
_HAD: Final = re.compile(
    r"\b(?:now|today|tonight|yesterday|currently|sudden\w*|ago|since|this (?:morning|evening|week|afternoon)|last night"
    r"|radiat\w+|spread\w*|start(?:ed|ing)|began|beginning|came on|onset|worse|woke|for (?:the (?:last|past) )?\w+"
    r" (?:minutes?|hours?|days?)|(?:has|have|had|having|is|are) (?:had|been|having|getting))\b",
    re.I,
)
_TO_REPORT: Final = re.compile(
    r"\b(?:(?:is|are) (?:to be )?reported|should (?:be reported|bring|prompt|mean|go|call)|warrants?"
    r"|needs? (?:urgent|same[- ]day|emergency)|means? (?:an? |the )?(?:urgent|same[- ]day|emergency|hospital|A&E"
    r"|ED|999|911|ambulance))\b|[,:;] ?(?:please )?(?:come (?:straight )?in|call 911"
    r"|call 999)\b(?! if| when| only| on)|(?:\u2192|->|=|:) ?(?:ED|A&E|ER|999|911|000|call|come|phone|same[- ]day"
    r"|straight (?:in|to)|urgent|emergency|hospital|cbc|fbc)\b"
    r"|(?:\u2192|->|=|:)(?:(?!\b(?:i|he|she|it|they|we|my|his|her|came|beg[au]n|started|told|was|had|got|has|have|now|since)"
    r"\b)[^.;\n]){0,60}\b(?:same[- ]day|at once|sepsis pathway"
    r"|within (?:60 min\w*|(?:an|the|one|1) ?h\w*))\b(?! if| when| unless)",
    re.I,
)
"""Behind a finding: what to do should it come."""


def sentence(tokens: Tokens, at: int) -> tuple[int, int]:
    """First and one past the last token of the sentence or line in which a token stands."""
    start = at
    while start > max(0, at - _LINE) and not _ends(tokens, start - 1):
        start -= 1
    end = at
    while end < min(len(tokens.words), at + _LINE) and not _ends(tokens, end):
        end += 1
    return start, end


def _ends(tokens: Tokens, at: int) -> bool:
    """Whether a token ends a sentence; the point of "38.0" does not."""
    words = tokens.words
    if words[at] not in _BREAKS:
        return False
    within = words[at] == "." and 0 < at < len(words) - 1 and tokens.starts[at + 1] == tokens.ends[at]
    return not (within and words[at - 1].isdigit() and words[at + 1].isdigit())


def is_so(text: str, tokens: Tokens, told: Told) -> bool:
    """False where the words before deny it, or the sentence speaks of the past or of another."""
    start, end = sentence(tokens, told.token)
    words = tokens.words
    place = told.token - 1
    while place >= max(start, told.token - _REACH):
        word = words[place]
        if word in _TURNS or (word == ":" and words[place - 1] not in _DENIES):
            break
        if word == "," and told.concept.isupper():  # a value is not denied by a list before it
            break
        if word in _DENIES:
            following = words[place + 1] if place + 1 < told.token else ""
            if following not in _OPENS_ADVICE and not _own_negation(words, place, told.token):
                return False
        place -= 1
    if any(word in _ABSENT for word in words[told.last + 1 : min(end, told.last + _AFTER)]):
        return False
    behind = words[told.last + 1 : told.last + 3]
    if behind[:1] == ("not",) and behind[1:] and behind[1] in _NOT_DONE:
        return False
    if told.concept == "child" and _OF_A_SCORE.match(text, told.span.end) is not None:
        return False
    if _in_allergy_table(text, told.span.start):
        return False
    return (
        not _past(text, tokens, told, start, end)
        and not _general(text, tokens.starts[start], tokens.ends[end - 1], told.span.start)
        and _NOT_NOW.search(text, tokens.starts[start], told.span.end) is None
        and _OF_ALLERGY.match(text, told.span.start) is None
        and not _is_told_of(text, tokens, told, start, end)
        and _CALLED_AFTER.match(text, told.span.end) is None
        and not (told.concept in _LASTING and _long_had(text, tokens, told, start, end))
    )


def _is_told_of(text: str, tokens: Tokens, told: Told, start: int, end: int) -> bool:
    """Whether the sentence tells what a sign could do, or what could bring it on, and not that it is there."""
    if _MIGHT_COME.match(text, told.span.end) is not None:
        general = (
            re.match(r" (?:worries|is|are|can be) ", text[told.span.end : told.span.end + 9]) is not None
        )
        return general or (told.token > start and tokens.words[told.token - 1] in _NOBODYS)
    return (
        _COULD_PROVOKE.search(text, tokens.starts[start], told.span.start) is not None
        and _IS_THERE.search(text, told.span.end, tokens.ends[end - 1]) is None
    )


_ROWS: Final = 2_000
_OF_REACTIONS: Final = re.compile(r"\ballerg\w*|\breaction\b", re.I)


def _in_allergy_table(text: str, at: int) -> bool:
    """Whether it stands in a row of a table whose head is of allergies: what happened then."""
    line = text.rfind("\n", 0, at) + 1
    if not text.startswith("|", line):
        return False
    head, low = line, max(0, at - _ROWS)
    while head > low:
        before = text.rfind("\n", low, head - 1) + 1
        if before >= head or not text.startswith("|", before):
            break
        head = before
    end = text.find("\n", head)
    return head < line and end > head and _OF_REACTIONS.search(text, head, end) is not None


def _general(text: str, start: int, end: int, at: int) -> bool:
    """Whether it is told of people at large: in a sentence that names nobody, and before the finding or in a text that
    speaks to nobody ("a red eye with vomiting is what we see in people who read" tells of the one asked about)."""
    match = _GENERAL.search(text, start, end)
    if match is None or _OF_ONE.search(text, start, end) is not None:
        return False
    return match.start() < at or _YOU.search(text) is None


def _past(text: str, tokens: Tokens, told: Told, start: int, end: int) -> bool:
    """Whether the sentence tells of another time or person; of a date beside the finding where it tells of now too."""
    match = _PAST.search(text, tokens.starts[start], tokens.ends[end - 1])
    if match is None:
        return False
    low, high = sorted((match.start(), told.span.start))
    apart = any(mark in text[low:high] for mark in ",(")
    return not (apart and _NOW_TOO.search(text, tokens.starts[start], tokens.ends[end - 1]) is not None)


def _long_had(text: str, tokens: Tokens, told: Told, start: int, end: int) -> bool:
    """Whether the part between commas that tells of a finding calls it an old one: "legs weak since 2015"."""
    words = tokens.words
    low = next((i + 1 for i in range(told.token - 1, start - 1, -1) if words[i] == ","), start)
    high = next((i for i in range(told.last + 1, end) if words[i] == ","), end)
    part = text[tokens.starts[low] : tokens.ends[high - 1]]
    old = _OLD.search(part) is not None or _OLD_NEXT.match(text, tokens.ends[high - 1]) is not None
    return old and _FRESH.search(part) is None


def _own_negation(words: tuple[str, ...], at: int, to: int) -> bool:
    """A "not" that belongs to another finding: "is not able to", "not better and", "won't fade, with fever"."""
    return words[at] in (
        "not",
        "isn't",
        "doesn't",
        "hasn't",
        "don't",
        "haven't",
        "didn't",
        "wasn't",
        "aren't",
    ) and (to - at > 6 or "and" in words[at:to] or "," in words[at:to] or "with" in words[at:to])


def _knows(text: str, start: int, to: int, end: int) -> bool:
    """Whether a sentence tells of what somebody is warned of, and not of what is there; the finding ends at `to`."""
    made = _MADE_AWARE.search(text, start, to)
    return (
        made is not None
        and _OF_THIS.match(text, made.end(), to) is None
        and _HAD.search(text, start, end) is None
    )


def how_spoken(text: str, tokens: Tokens, told: Told) -> Spoken:
    """Whether somebody is said to have it, it is supposed, or it is one to look out for."""
    start, end = sentence(tokens, told.token)
    if _WARNING.search(text, tokens.starts[start], tokens.ends[told.last]) is not None:
        return "watched"
    if _knows(text, tokens.starts[start], tokens.ends[told.last], tokens.ends[end - 1]):
        return "watched"
    if _TO_REPORT.search(text, tokens.ends[told.last], tokens.ends[end - 1]) is not None:
        return "watched"
    return "supposed" if any(word in _CONDITION for word in tokens.words[start : told.token]) else "said"
