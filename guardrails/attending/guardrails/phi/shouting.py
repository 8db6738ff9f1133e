"""Text in capitals: rules and model read names by their capitals, so shouted lines are read calmed."""

from __future__ import annotations

import re

from attending.guardrails.phi.lexicon import Lexicon, words

_LINE = re.compile(r"[^\n]+")
_SHOUTED = re.compile(r"(?<![^\W_])[^\W\d_]{2,}(?:['\u2019-][^\W\d_]+)*(?![^\W_]|[-_#][0-9])")
_PART = re.compile(r"[^\W\d_]+")
_MIN_WORDS = 3
_SHARE = 0.7
_STATES = words("state_codes")
_SMALL = words("function_words") | words("place_verbs")


def calmed(text: str, lexicon: Lexicon) -> str:
    """`text` with shouted lines written as a sentence with names would be, same length.

    A line is shouted when it has at least three words and most of its words are in capitals. Clinical acronyms,
    state codes and codes with digits keep theirs.
    """
    return _LINE.sub(lambda line: _calm(line[0], lexicon) if _is_shouted(line[0]) else line[0], text)


def _is_shouted(line: str) -> bool:
    words = _SHOUTED.findall(line)
    return len(words) >= _MIN_WORDS and sum(w.isupper() for w in words) >= _SHARE * len(words)


def _calm(line: str, lexicon: Lexicon) -> str:
    def word(m: re.Match[str]) -> str:
        raw = m[0]
        lower = raw.lower()
        if not raw.isupper() or len(lower) != len(raw):
            return raw
        if lower in _SMALL:
            return lower
        if lower in _STATES or lower in lexicon.acronyms:
            return raw
        return _PART.sub(
            # the "s" of a possessive is the only part that opens in lower case ("O'BRIEN'S" to "O'Brien's")
            lambda part: (
                part[0].lower() if part.start() and part[0] == "S" else part[0][0] + part[0][1:].lower()
            ),
            raw,
        )

    return _SHOUTED.sub(word, line)
