"""The patient the request is about: names, record number and birth date are found however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from attending.guardrails.patient import Identity
from attending.guardrails.phi.dates import DateMeaning, dated
from attending.guardrails.phi.lexicon import APOSTROPHE, fold, words
from attending.guardrails.phi.spans import PhiSpan, PhiType
from attending.guardrails.phi.visible import visible

_HONORIFIC = words("honorifics")
_MARKS = r"[\u0300-\u036f]*"
_GAP = rf"[ \t\n,.'\-{APOSTROPHE}]{{1,3}}"
_BARE_DATE = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")


def name_parts(name: str) -> tuple[str, ...]:
    """The folded words of a name in order, honorifics and one-letter words left out; "Last, First" is turned."""
    if "," in name:
        last, _, first = name.partition(",")
        if fold(first).strip(" .") not in _HONORIFIC:
            name = f"{first} {last}"
    parts = re.findall(r"[^\W\d_]+", fold(re.sub(rf"(?<=\w)[{APOSTROPHE}](?=\w)|[\u0300-\u036f]", "", name)))
    return tuple(p for p in parts if len(p) > 1 and p not in _HONORIFIC)


def _word(part: str) -> str:
    """A pattern for a folded word that lets combining marks and an apostrophe stand between its letters."""
    return rf"{_MARKS}[{APOSTROPHE}]?".join(re.escape(c) for c in part) + _MARKS


@lru_cache(maxsize=256)
def _name_pattern(name: str) -> re.Pattern[str] | None:
    parts = name_parts(name)
    if not parts:
        return None
    every = "|".join(sorted({_word(p) for p in parts}, key=len, reverse=True))
    initials = "|".join(sorted({rf"{re.escape(p[0])}\.?" for p in parts}))
    unit = rf"(?:{every})(?!\w)|(?:{initials})(?!\w)"
    # at least one whole word of the name, with any of its words and initials around it
    return re.compile(
        rf"(?<!\w)(?:(?:{initials})(?!\w){_GAP}){{0,3}}(?:{every})(?!\w)(?:{_GAP}(?:{unit})){{0,6}}"
    )


def find_known(text: str, known: Identity) -> Iterator[PhiSpan]:
    """Spans of what names the patient of `known`; score 1.0."""
    folded = fold(text)
    for name in known.names:
        yield from _names(text, folded, name)
    if known.mrn:
        yield from _number(folded, known.mrn)
    if known.birth_date is not None:
        born = DateMeaning(known.birth_date.year, known.birth_date.month, known.birth_date.day)
        for start, end, _, meaning in dated(text):
            if meaning.month is not None and meaning.day is not None and born.agrees(meaning):
                yield PhiSpan(start, end, PhiType.DATE, 1.0)
        forms = {known.birth_date.strftime(f) for f in ("%Y%m%d", "%m%d%Y", "%d%m%Y")}
        for m in _BARE_DATE.finditer(text):
            if m[0] in forms:
                yield PhiSpan(m.start(), m.end(), PhiType.DATE, 1.0)


def _names(text: str, folded: str, name: str) -> Iterator[PhiSpan]:
    pattern = _name_pattern(name)
    if pattern is None:
        return
    everyday = words("common_words") | words("clinical_acronyms")
    for m in pattern.finditer(folded):
        # a name that is also a word ("Will", "May") counts alone only when it is capitalised
        found = re.findall(r"[^\W\d_]{2,}", m[0])
        if all(w in everyday or w in _WORDS for w in found) and not text[m.start() : m.end()][0].isupper():
            continue
        end = m.end()
        while folded[end - 1] in " \t\n,-'\u2019":
            end -= 1
        yield PhiSpan(m.start(), end, PhiType.NAME, 1.0)


_WORDS = words("ambiguous_names")
_TOKEN = re.compile(r"[^\W\d_]+")


class NameSeeker:
    """Looks for names that were found elsewhere: any of their words, with their initials around them.

    Words of `doubtful` names count with a capital only. The time for a text does not depend on how many there are.
    """

    def __init__(self, names: Iterable[str], doubtful: Iterable[str] = ()) -> None:
        self._parts = {part for name in names for part in name_parts(visible(name).text)}
        self._doubtful = {part for name in doubtful for part in name_parts(visible(name).text)}
        self._initials = {part[0] for part in self._parts | self._doubtful}
        self._plain = words("common_words") | words("clinical_acronyms") | _WORDS

    def find(self, text: str) -> Iterator[PhiSpan]:
        """Spans of type NAME, score 1.0, sorted, not overlapping."""
        if not self._parts and not self._doubtful:
            return
        folded = fold(text)
        tokens = [
            (
                m.start(),
                m.end(),
                m[0] in self._parts or (m[0] in self._doubtful and text[m.start()].isupper()),
            )
            for m in _TOKEN.finditer(folded)
        ]
        at = 0
        while at < len(tokens):
            if not tokens[at][2]:
                at += 1
                continue
            first = at
            while first > 0 and at - first < 3 and self._goes_on(folded, tokens[first - 1], tokens[first]):
                if tokens[first - 1][2]:
                    break
                first -= 1
            last = at
            while last + 1 < len(tokens) and self._goes_on(folded, tokens[last], tokens[last + 1]):
                last += 1
            start, end = tokens[first][0], tokens[last][1]
            named = [folded[s:e] for s, e, is_part in tokens[first : last + 1] if is_part]
            # a name that is also a word ("Will", "May") counts alone only when it is capitalised
            if not all(word in self._plain for word in named) or text[start].isupper():
                yield PhiSpan(start, end, PhiType.NAME, 1.0)
            at = last + 1

    def _goes_on(self, folded: str, left: tuple[int, int, bool], right: tuple[int, int, bool]) -> bool:
        """Whether two neighbouring words are of one name: each a part or an initial of one, a blank or so apart."""
        gap = folded[left[1] : right[0]]
        return (
            1 <= len(gap) <= 3
            and all(c in _BETWEEN for c in gap)
            and all(is_part or folded[s:e] in self._initials for s, e, is_part in (left, right))
        )


_BETWEEN = frozenset(" \t\n,.'-" + APOSTROPHE)


def _number(folded: str, number: str) -> Iterator[PhiSpan]:
    core = [c for c in fold(number) if c.isalnum()]
    if len(core) < 3:
        return
    while len(core) > 4 and core[0] == "0":
        core.pop(0)
    body = r"[-\s./]{0,2}".join(re.escape(c) for c in core)
    for m in re.finditer(rf"(?<![^\W_])#?0{{0,8}}{body}(?![^\W_])", folded):
        yield PhiSpan(m.start(), m.end(), PhiType.MEDICAL_RECORD_NUMBER, 1.0)
