"""Sentences as tokens: words with what they do, and mentions, amounts and rhythms in place of theirs."""

from __future__ import annotations

import re

from attending.guardrails.clinical.vocabulary import PHRASES, TABLE
from attending.guardrails.clinical.words import Cat, Form, Token
from attending.guardrails.sieve import Sieved

_PHRASE = Sieved(
    r"(?<![\w'])(?:" + "|".join(f"(?P<p{i}>{p})" for i, (p, _, _) in enumerate(PHRASES)) + r")(?![\w'])",
    windowed=True,
)
_TOKEN = re.compile(r"[a-zμ]+(?:[-'/][a-z]+)*(?:'(?:s|t|re|ve|ll|d|m))?|\d[\d.,/]*|[^\s\w]|\w+|\n")


def tokenise(text: str, start: int, end: int, items: list[Token]) -> list[Token]:
    """The tokens of `text[start:end]`, with `items` (mentions, amounts, rhythms; in order) in place of their words.

    Linear in the length of the text.
    """
    tokens: list[Token] = []
    position = start
    for item in items:
        if item.start < position or item.end > end:
            continue
        _words(text, position, item.start, tokens)
        tokens.append(item)
        position = item.end
    _words(text, position, end, tokens)
    return _let_alone(_without_parentheses(_liquid_drops(tokens)))


_OF_DROPS = frozenset(
    {
        "oral",
        "infant",
        "infants",
        "infant's",
        "baby",
        "paediatric",
        "pediatric",
        "eye",
        "ear",
        "nasal",
        "nose",
        "the",
        "these",
        "those",
        "both",
        "your",
        "his",
        "her",
    }
)


def _liquid_drops(tokens: list[Token]) -> list[Token]:
    """Makes "drops" a form of a drug where it stands behind one ("tramadol oral drops")."""
    for i, token in enumerate(tokens):
        if token.word in ("drop", "drops") and token.cat is Cat.STOP:
            if i == 0:
                if token.word == "drops":
                    # "Drops today: X": no sentence begins with the verb in the third person
                    tokens[i] = Token(token.start, token.end, token.word, Cat.OTHER)
                continue
            before = tokens[i - 1]
            if before.cat in (Cat.MENTION, Cat.AMOUNT) or before.word in _OF_DROPS or before.word.isdigit():
                tokens[i] = Token(token.start, token.end, token.word, Cat.OTHER)
    return tokens


_LEAVES = {"leave": Form.BASE, "leaves": Form.THIRD, "leaving": Form.GERUND, "left": Form.PAST}
_ALONE = frozenset({"alone", "shelf", "shop", "chemist", "chemist's", "cupboard"})
_LET_REACH = 24


def _let_alone(tokens: list[Token]) -> list[Token]:
    """Reads "leave X, Y and Z alone" and "leave X on the shelf" as avoiding X, Y and Z."""
    for i, token in enumerate(tokens):
        form = _LEAVES.get(token.word)
        if form is None or token.cat is not Cat.OTHER:
            continue
        for later in tokens[i + 1 : i + _LET_REACH]:
            if later.word in _ALONE:
                tokens[i] = Token(token.start, token.end, token.word, Cat.AVOID, form)
                break
            if later.word in (";", ":", "(") or later.cat in (Cat.HARD, Cat.SUBORD, Cat.RELATIVE):
                break
    return tokens


def _without_parentheses(tokens: list[Token]) -> list[Token]:
    """Makes commas around an aside transparent: "you must not, under any circumstances, take"."""
    for i in range(1, len(tokens) - 2):
        if tokens[i].word != "," or tokens[i - 1].cat not in (Cat.NOT, Cat.MODAL, Cat.DO, Cat.BE):
            continue
        for j in range(i + 1, min(i + 8, len(tokens))):
            if tokens[j].word == ",":
                for k in (i, j):
                    tokens[k] = Token(tokens[k].start, tokens[k].end, ",,", Cat.FILLER)
                break
            if tokens[j].cat not in (Cat.FILLER, Cat.OTHER, Cat.PRONOUN, Cat.TO, Cat.NOT):
                break
    return tokens


def _words(text: str, start: int, end: int, tokens: list[Token]) -> None:
    position = start
    for phrase in _PHRASE.finditer(text, start, end):
        if phrase.start() < position:
            continue
        _single(text, position, phrase.start(), tokens)
        _, cat, form = PHRASES[int((phrase.lastgroup or "p0")[1:])]
        tokens.append(Token(phrase.start(), phrase.end(), phrase.group(), cat, form))
        position = phrase.end()
    _single(text, position, end, tokens)


def _single(text: str, start: int, end: int, tokens: list[Token]) -> None:
    for match in _TOKEN.finditer(text, start, end):
        word = match.group()
        found = TABLE.get(word)
        if found is None and "'" in word and len(word) > 3:
            found = _clitic(word)
        if found is None and word.endswith("n't"):
            found = (Cat.NOT, Form.BASE)
        if found is None:
            found = (Cat.OTHER if word[0].isalnum() else Cat.PUNCT, Form.BASE)
        tokens.append(Token(match.start(), match.end(), word, found[0], found[1]))


def _clitic(word: str) -> tuple[Cat, Form] | None:
    """ "you're" is a pronoun with a verb; what matters is the verb."""
    tail = word.rsplit("'", 1)[1]
    if tail in ("re", "m") or word in ("it's", "he's", "she's", "that's", "there's"):
        return (Cat.BE, Form.BASE)
    if tail in ("ll", "d"):
        return (Cat.MODAL, Form.BASE)
    if tail == "ve":
        return (Cat.HAVE, Form.BASE)
    return None
