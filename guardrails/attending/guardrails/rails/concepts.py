"""What a text speaks of, by the words of `concepts.txt` in thirteen languages, and how a program is spoken to in it.

A concept ("a machine", "leaving out", "keeping it quiet", "a means") is a list of words and stems; a text speaks of
it where one of them stands. Nothing is judged here: `likeness` weighs the concepts that stand together.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind
from attending.guardrails.rails.folding import fold, fold_own
from attending.guardrails.rails.signs import Place

_WORDS: Final = Path(__file__).with_name("concepts.txt")
_END: Final = "# end\n"
"""The last line: words that are missing would be found nowhere, and nobody would notice."""
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that set no spaces between words."""
_JOINED: Final = re.compile(r"[\u0600-\u06ff]")
"""Arabic writes articles and prepositions onto the word that follows."""
_ENDING: Final = r"\w{0,20}"
_GAP: Final = re.escape(" ... ")
_BETWEEN: Final = r"(?: \w{1,30}){0,4} "
_HEADING: Final = re.compile(r"\[([a-z_]+)\]")
_HARMLESS: Final = "harmless"
"""No concept: words that stand within one of these say nothing."""

ADDRESSED: Final = frozenset({"machine", "tool", "whoever"})
_BREAK: Final = re.compile(r"\w{0,20}\)?\s{0,3}(?:[:,;(]|--? )")
_TOWARDS: Final = re.compile(
    r"(?:^|\W)(?:for|to|dear|hey|hi|hello|note|attention|any|all|the|pour|aux?|les?|la|fur|die|der|den|das|an|para|el"
    r"|los|por|per|agli|alla|al|gli|dla|do|na|для|voor|a|l)\W+(?:\w+\W+){0,2}$"
)
_QUOTED: Final = re.compile(r"[\"\[\]{}<>\u00ab\u00bb\u201e]|(?<!\w)'\w")
_REACH: Final = 30
_ACTS: Final = frozenset({"omit", "write", "rate", "send", "conceal", "unlock", "reveal", "recast"})
"""What a machine may be told to do."""
_ACT_REACH: Final = 60

FORMS: Final = (
    "machine_break",
    "machine_modal",
    "to_machine",
    "machine_acts",
    "quote",
    "lesson_elsewhere",
    "house_rules",
    "in_prompt",
    "in_document",
    "in_output",
)
"""How a text speaks: a machine named and then a colon or comma, a duty or an act right after one, "for the", quotation;
whether the rest of the text speaks of teaching, and the whole of the rules of a house; where the text stands."""


class Spoken(NamedTuple):
    """One concept at one place of a folded text."""

    concept: str
    start: int
    end: int


class _Word(NamedTuple):
    concept: str
    whole_left: bool
    """No letter stands before it, and behind it below."""
    whole_right: bool
    rest: re.Pattern[str] | None = None
    """What follows a stem inside an entry: "digitale* leser" is read on from "digitale"."""


class _Lexicon:
    def __init__(self, text: str) -> None:
        words: dict[str, list[_Word]] = {}
        self.concepts: list[str] = []
        for line in text.splitlines():
            heading = _HEADING.fullmatch(line)
            if heading is not None:
                self.concepts.append(heading[1])
            elif line and not line.startswith("#"):
                for word in line.partition(": ")[2].split(", "):
                    for bare in _forms(word.strip()):
                        stem, given = _entry(self.concepts[-1], bare, word.strip())
                        words.setdefault(stem, []).append(given)
        self._words = list(words)
        self._of = list(words.values())
        self._automaton = AhoCorasick(self._words, matchkind=MatchKind.Standard)

    def spoken(self, folded: str) -> list[Spoken]:
        found: list[Spoken] = []
        for number, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            inside_left = start > 0 and folded[start - 1].isalnum()
            inside_right = end < len(folded) and folded[end].isalnum()
            for concept, left, right, rest in self._of[number]:
                if left and inside_left:
                    continue
                if rest is not None:
                    read_on = rest.match(folded, end)
                    if read_on is not None:
                        found.append(Spoken(concept, start, read_on.end()))
                elif not (right and inside_right):
                    found.append(Spoken(concept, start, end))
        harmless = {at for one in found if one.concept == _HARMLESS for at in range(one.start, one.end)}
        return [one for one in found if not (one.start in harmless and one.end - 1 in harmless)]


def _forms(word: str) -> set[str]:
    """An entry as it stands in a text that keeps its script, and as it stands in one that is folded, unless that could
    be a Latin word: `вот` is no "bot"."""
    own, folded = fold_own(word).strip("*"), fold(word).strip("*")
    return {form for form in (own, folded) if form and (form == own or not form.isascii())}


def _entry(concept: str, bare: str, word: str) -> tuple[str, _Word]:
    """What is looked for of an entry, and how the text goes on round it."""
    stem, *rest = bare.split("*")
    left = not word.startswith("*") and stem[0].isalnum()
    left = left and not (_UNSPACED.match(stem) or _JOINED.match(stem))
    right = not word.endswith("*") and bare[-1].isalnum() and not _UNSPACED.match(bare[-1])
    if not rest:
        return stem, _Word(concept, left, right)
    onward = _ENDING + _ENDING.join(re.escape(part).replace(_GAP, _BETWEEN) for part in rest)
    onward += r"(?!\w)" if right else ""
    return stem, _Word(concept, left, right, re.compile(onward))


@cache
def _lexicon() -> _Lexicon:
    text = _WORDS.read_text(encoding="utf-8")
    if not text.endswith(_END):
        raise ValueError(f"`{_WORDS.name}` is cut short: it does not end in `{_END.strip()}`")
    return _Lexicon(text)


@cache
def features() -> tuple[str, ...]:
    """Every concept, then FORMS: the names that `spoken_of` uses."""
    return (*(name for name in dict.fromkeys(_lexicon().concepts) if name != _HARMLESS), *FORMS)


def spoken_of(folded: str, place: Place) -> set[str]:
    """The concepts and forms of a piece of folded text without line ends. Never raises; linear in its length.

    Folded `in_script`: where Cyrillic letters are folded to Latin ones, Russian words that look Latin are passed over.
    """
    found = {f"in_{place}"}
    machines = []
    duties = []
    acts = []
    for concept, start, end in _lexicon().spoken(folded):
        found.add(concept)
        if concept in ADDRESSED:
            machines.append((start, end))
        elif concept == "modal":
            duties.append(start)
        elif concept in _ACTS:
            acts.append(start)
    for start, end in machines:
        if _BREAK.match(folded, end, end + _REACH):
            found.add("machine_break")
        if any(end <= duty <= end + _REACH for duty in duties):
            found.add("machine_modal")
        if any(end <= act <= end + _ACT_REACH for act in acts):
            found.add("machine_acts")
        if _TOWARDS.search(folded[max(0, start - _REACH) : start]):
            found.add("to_machine")
    if _QUOTED.search(folded):
        found.add("quote")
    return found
