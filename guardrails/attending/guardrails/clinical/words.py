"""The vocabulary of prescribing: what a word does to the drug that follows or precedes it.

Closed tables of lemmas with their inflections, so that the scope grammar works on categories and not on phrases.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


def word_set(words: str) -> frozenset[str]:
    """The words of a string, as a set."""
    return frozenset(words.split())


class Cat(StrEnum):
    """What a token does in a clause."""

    TAKE = "take"
    START = "start"
    CHANGE = "change"
    CONTINUE = "continue"
    STOP = "stop"
    AVOID = "avoid"
    SKIP = "skip"
    EXCEED = "exceed"
    ADVISE = "advise"
    ORDER = "order"
    COMBINE = "combine"
    SWITCH = "switch"
    REPLACE = "replace"
    DESCRIBE = "describe"
    ASK = "ask"
    NEED = "need"
    ON = "on"
    OFF = "off"
    GOOD = "good"
    BAD = "bad"
    NOT = "not"
    BE = "be"
    HAVE = "have"
    MODAL = "modal"
    DO = "do"
    SUBORD = "subord"
    RELATIVE = "relative"
    HARD = "hard"
    COORD = "coord"
    EXCEPT = "except"
    INSTEAD = "instead"
    WITHOUT = "without"
    THAN = "than"
    TOGETHER = "together"
    WITH = "with"
    ALLERGY = "allergy"
    HISTORY = "history"
    FAMILY = "family"
    GENERIC = "generic"
    PRONOUN = "pronoun"
    TO = "to"
    FILLER = "filler"
    NOUN_OF = "noun_of"
    MENTION = "mention"
    AMOUNT = "amount"
    RHYTHM = "rhythm"
    PUNCT = "punct"
    OTHER = "other"


class Form(StrEnum):
    BASE = "base"
    THIRD = "third"
    PAST = "past"
    PARTICIPLE = "participle"
    """Past participle; regular verbs write it like the past."""
    GERUND = "gerund"
    NOUN = "noun"


@dataclass(slots=True)
class Token:
    """One word, punctuation mark or ready-made item at `start:end` of the normalised text.

    `index` is the place of a mention, amount or rhythm in its list. Never changed; not frozen, because a page has a
    thousand and freezing triples what one costs.
    """

    start: int
    end: int
    word: str
    cat: Cat
    form: Form = Form.BASE
    index: int = -1
