"""People and places that no list knows, by where they stand: what is capitalised, no vocabulary, and beside a verb of
people, a word of place, or a name that was found.

No list can hold every name. These rules hold none: they ask the vocabulary of medicine what a word is not, and the
words around it what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attending.guardrails.phi.lexicon import APOSTROPHE, UPPER, Lexicon, fold
from attending.guardrails.phi.medicine import taken_as_drug
from attending.guardrails.phi.names import term_follows
from attending.guardrails.phi.places import is_region
from attending.guardrails.phi.spans import PhiSpan, PhiType

_L = r"[^\W\d_]"
_WORD = rf"(?:[dlDLO][{APOSTROPHE}])?[{UPPER}](?:{_L}|[\u0300-\u036f]|[{APOSTROPHE}-](?={_L})){{1,30}}"
_PARTICLE = (
    r"(?:(?:de[ ](?:la|los|las)|del|della|de|van[ ](?:der|den|de)|van|von(?:[ ]der)?|v\.|der|den|ter|di|da|dos|das|la"
    r"|le|el|al|bin|bint|ibn|ben|abu|af|av|du|y|e|ni|n[ií]c|mac|te|ap|ua|st\.)[ ])"
)
_RUN = re.compile(
    rf"(?<![\w{APOSTROPHE}.@/-])(?:{_WORD}|[{UPPER}]\.(?=[ ]{_WORD}))(?:[ ]{{1,2}}{_PARTICLE}?(?:{_WORD}"
    rf"|[{UPPER}]\.?(?![\w{APOSTROPHE}]))){{0,4}}(?![\w@])"
)
_ONE = re.compile(rf"{_WORD}")
_PERSON_BEFORE = re.compile(
    r"(?i)(?:\bw/|\b(?:tell|told|tells|call(?:ed|ing)?|ask(?:ed|ing)?|inform(?:ed)?|remind(?:ed)?|thank(?:ed)?|met"
    r"|contact(?:ed)?|paged|notified|advised|counsel(?:l?ed)|per|named|(?:spoke|speaking|discussed|talked|met|visit)"
    r"[ ](?:to|with)|(?:seen|examined|followed|signed|written|referred|prescribed|interpreted|accompanied"
    r"|brought(?:[ ]in)?"
    r"|found)[ ]by|interpreter[ ]for|neighbou?r|baby[ ](?:girl|boy)|hi|hello|dear|thanks,?|regards,?|cc:?|i['\u2019]?m"
    r"|i[ ]am|family[ ]of|care[ ]of))[ ]$"
)
# Where two or more words on no list are a name: at the head of a sentence or a clause, or after a word of such a kind.
_NAME_BEFORE = re.compile(
    r"(?i)(?:^|[\n.?!;,(>\u2022-][ ]{0,2}|\b(?:for|of|with|w/|by|to|re|pt|patient|client|resident|mother|father"
    r"|wife|husband"
    r"|son|daughter|brother|sister|friend|and|is|was|from|like|named|called|per|case|male|female|man|woman|boy|girl|old"
    r"|[mf]|infant|child|dear|hi|hello|thanks|(?:name|patient|pt|re|cc|attending|resident|provider|author|signed|by|to|from"
    r"|mother|father|contact|physician|nurse|consultant|referring|surgeon):)[ ]{1,2})$"
)
_PERSON_AFTER = re.compile(
    rf"(?:[{APOSTROPHE}]s)?[ ](?:\([^()\n]{{1,12}}\)[ ])?(?:(?:is|was)[ ](?:an?[ ]"
    rf"|the[ ])?(?:[0-9]{{1,3}}[- ]?(?:y|m|d|w)"
    r"|brought|admitted|seen|discharged|transferred|referred|intubated|born|here\b|doing|feeling|allergic|unable|complaining"
    r"|diagnosed|hospitali)|(?:denie[sd]|report(?:s|ed)|state[sd]|complain(?:s|ed)|present(?:s|ed)|describe[sd]"
    r"|endorse[sd]|lives?|lived|works|smokes|smoked|drinks|says|said|wants|asks|asked|fell|came|went|feels|felt"
    r"|underwent|declined|agree[sd]|understood|signed|verbali[sz]ed|tolerated|ambulated|RN|NP|MD|DO|PA-C|PharmD|LPN)\b)"
)
_PERSON_END = re.compile(
    r"[ ]?(?:[,.;:)!?\n]|$)|[ ](?:re|who|to|that|about|and|on|at|in|because|for|from|regarding)\b"
)
_CARE = (
    r"(?:clinic|office|hospital|cent(?:er|re)|practice|facility|ward|pharmacy|school|home|branch|campus|lab|laboratory"
    r"|er|ed|icu|department|unit|care|surgery|rehab|hospice|prison|jail|church|university|house|apartment|farm|ranch)"
)
_PLACE_BEFORE = re.compile(
    rf"(?i)(?:\b{_CARE}[ ](?:in|near|at|of|outside)|\b(?:lives?|living|lived|resid\w{{1,5}}|born|raised|grew[ ]up|moved"
    r"|relocated|travel\w{0,5}|flew|drove|works?|working|seen|treated|admitted|transferred|evaluated|hospitali[sz]ed"
    r"|patient|pt|man|woman|boy|girl|male|female|visit\w{0,3}|report|records?|labs?|results?|imaging|referr\w{2,4}"
    r"|diagnosed|followed|resident|native|stationed|incarcerated)(?:[ ](?:back|over|up|out))?[ ]"
    r"(?:in|from|near|to|at|@|outside|of)|[ ]@)[ ](?:the[ ]|our[ ])?$"
)
_WHEN_AFTER = re.compile(
    r",?[ ](?:on|last|since|in|this|for|until|before|after|around)[ ](?:the[ ])?(?:[0-9]|Jan|Feb|Mar|Apr|May|Jun|Jul"
    r"|Aug|Sep|Oct|Nov|Dec|week|month|year|Mon|Tue|Wed|Thu|Fri|Sat|Sun|spring|summer|fall|autumn|winter)"
)
_PLACE_PREPOSITION = re.compile(r"(?i)\b(?:in|from|near|at|outside|@)[ ](?:the[ ])?$")
_PLACE_END = re.compile(
    r"(?:[,.;:)!?\n]|$)|[ ](?:who|on|with|and|for|last|since|in|where|because|to|has|is|was|by|at|after)\b"
)
_BESIDE = re.compile(r"(?:,?[ ](?:in|from|near|of|at)|,)[ ](?:the[ ])?$")
_BORN = re.compile(rf"(?<![\w{APOSTROPHE}-]){_WORD}(?=-(?:born|based|bred|trained|raised)\b)")
_UNCASED = r"\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Names in scripts without capitals, where a label or a title says that a name comes.
_OTHER_SCRIPT = re.compile(
    r"(?i)(?<![a-z])(?:patient|pt|name|mr|mrs|ms|dr|client|resident|mother|father|wife|husband|son|daughter|dear|for|by|with|of)"
    r"(?:[ ]name)?(?:[ ]is)?[.:]?[ ]{1,2}"
    rf"(?P<name>[{_UNCASED}]{{2,20}}(?:[ \u30fb\u00b7][{_UNCASED}]{{1,20}}){{0,3}})"
)
# "pt: last, first" in small letters
_SMALL_LABELLED = re.compile(
    rf"(?<![\w])(?:pt|patient|client|resident|name)[ ]?:[ ]{{0,2}}(?P<last>[a-z](?:[a-z]"
    rf"|[{APOSTROPHE}-](?=[a-z])){{1,24}}),[ ]"
    r"(?P<first>[a-z]{2,20})(?:[ ][a-z]\.?)?(?![\w])"
)
_BEFORE_CHARS = 40


def find_unlisted(text: str, lexicon: Lexicon) -> Iterator[PhiSpan]:
    """Spans of type NAME and GEOGRAPHIC_LOCATION; may overlap those of other rules."""
    for start, end in _runs(text, lexicon):
        before = text[max(0, start - _BEFORE_CHARS) : start]
        many = len(_ONE.findall(text, start, end)) > 1
        if term_follows(text, end) or taken_as_drug(text, start, end) or _is_heading(text, start, end):
            continue
        if (_PLACE_BEFORE.search(before) and _PLACE_END.match(text, end)) or (
            _PLACE_PREPOSITION.search(before) and _WHEN_AFTER.match(text, end)
        ):
            yield PhiSpan(start, end, PhiType.GEOGRAPHIC_LOCATION, 0.5)
        elif (
            (many and _NAME_BEFORE.search(before))
            or _PERSON_AFTER.match(text, end)
            or (_PERSON_BEFORE.search(before) and _PERSON_END.match(text, end))
        ):
            yield PhiSpan(start, end, PhiType.NAME, 0.5)

    for m in _BORN.finditer(text):
        if lexicon.unlisted(m[0]) and not is_region(m[0]):
            yield PhiSpan(m.start(), m.end(), PhiType.GEOGRAPHIC_LOCATION, 0.5)
    for m in _OTHER_SCRIPT.finditer(text):
        yield PhiSpan(m.start("name"), m.end("name"), PhiType.NAME, 0.6)
    for m in _SMALL_LABELLED.finditer(text):
        if not any(lexicon.is_term(fold(m[part])) for part in ("last", "first")):
            yield PhiSpan(m.start("last"), m.end(), PhiType.NAME, 0.6)


def find_beside(text: str, spans: Sequence[PhiSpan], lexicon: Lexicon) -> Iterator[PhiSpan]:
    """Places beside a person or place already found ("Ardenvale Clinic in Minot", "Ada N. from Minot")."""
    ends = {span.end: span for span in spans if span.type in (PhiType.NAME, PhiType.GEOGRAPHIC_LOCATION)}
    if not ends:
        return
    for start, end in _runs(text, lexicon):
        link = _BESIDE.search(text, max(0, start - 14), start)
        if link is None or link.start() not in ends or not _PLACE_END.match(text, end):
            continue
        comma = link[0].strip() == ","
        if comma and ends[link.start()].type is PhiType.NAME:
            continue
        if not term_follows(text, end) and not taken_as_drug(text, start, end):
            yield PhiSpan(start, end, PhiType.GEOGRAPHIC_LOCATION, 0.5)


def _runs(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words that are on no list of vocabulary, cut at those that are; with a whole word each."""
    for m in _RUN.finditer(text):
        start = end = -1
        for word in re.finditer(r"\S+", m[0]):
            raw = word[0]
            folded = re.sub(rf"[{APOSTROPHE}]s$", "", fold(raw)).rstrip(".")
            if raw[0].isupper() and len(folded) > 1 and not lexicon.unlisted(raw):
                if start >= 0:
                    yield from _trimmed(text, start, end, lexicon)
                start = -1
                continue
            if start < 0:
                if raw.islower():
                    continue
                start = m.start() + word.start()
            end = m.start() + word.end()
        if start >= 0:
            yield from _trimmed(text, start, end, lexicon)


def _trimmed(text: str, start: int, end: int, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    while text[start:end].rsplit(" ", 1)[-1].islower():
        end = start + text[start:end].rfind(" ")
    if text[end - 2 : end - 1] in APOSTROPHE and text[end - 1] in "sS":
        end -= 2
    words = _ONE.findall(text, start, end)
    if any(len(w) > 2 for w in words) and not text[start:end].isupper() and not is_region(text[start:end]):
        yield start, end


def _is_heading(text: str, start: int, end: int) -> bool:
    """Whether the run is all that its line holds, or opens it before a colon or the line's end."""
    line = text.rfind("\n", 0, start) + 1
    if start - line > _HEADING_INDENT or text[line:start].strip(" -*#\t"):
        return False
    stop = text.find("\n", end, end + _HEADING_INDENT)
    rest = text[end : stop if stop >= 0 else end + _HEADING_INDENT]
    return rest.startswith(":") or (not rest.strip(" :") and (stop >= 0 or end + len(rest) == len(text)))


_HEADING_INDENT = 8
