"""Text that a reader sees differently than the checks read it, or that they cannot read at all: it is held.

- a drug name in disguise: with invisible characters inside, letters of other scripts or full width, spaced letters,
  digits for letters, accents; it is judged where it can be folded safely, and said in any case;
- marks that turn the direction of writing, so that the order on the screen is not the order of the text;
- a text that is mostly in a script other than Latin, or holds control characters: nothing in it was judged;
- a text longer than `MAX_CHARACTERS`, which is not read.

Not caught: a disguise that gives another drug's name, and names split over lines.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import RAIL, Case, rule
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Scope, Severity

MAX_CHARACTERS: Final = 262_144
"""The longest output that is judged, in code points."""
MAX_FINDINGS: Final = 20
_MIN_NAME: Final = 5
_LETTERS_READ: Final = 20
"""So many letters of another script, and a third of all letters, make a text that the checks do not read."""
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffd\ufffe\uffff]")
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u180e\U000e0000-\U000e007f]")
_WORD: Final = re.compile(r"[^\W_](?:[^\W_]|[@$'\u0300-\u036f\u200b-\u200f\u2060-\u2064\ufeff])*")
_SPACED: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:([ .\-_*])[^\W\d_])(?:\1[^\W\d_]){2,24}(?![^\W_])")
_LEET: Final = str.maketrans("013457@$", "oieastas")
_LOOKALIKE: Final = str.maketrans(
    "\u0131\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u043a\u043c\u0442\u0432\u043d"
    "\u03b1\u03bf\u03bd\u03b5\u03c1\u03b9\u03ba\u03c4\u03c5\u03b7\u03b2\u03bc",
    "iaeopcyxijshkmtbnaoneriktunbm",
)
_CAPITALS: Final = str.maketrans(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u13b3\u13aa\u13a1\u13a2\u13df\u13d9",
    "abezhikmnoptyxabekmhopctyxwarict",
)


def too_long(output: str) -> Finding | None:
    """The one finding of an output that is not read, or None."""
    if len(output) <= MAX_CHARACTERS:
        return None
    return _finding(
        output, Code.NOT_COVERED, "too-long", Span(0, 0),
        f"the text has {len(output)} characters, more than the {MAX_CHARACTERS} that are judged: nothing was",
    )  # fmt: skip


def disguises(case: Case) -> Iterator[Finding]:
    """Each kind of turn and control once; at most `MAX_FINDINGS` disguised names."""
    text = case.judged.output
    turn = _TURNS.search(text)
    if turn is not None:
        yield _finding(
            text, Code.UNREADABLE_DOSE, "direction-mark", Span(*turn.span()),
            "a mark turns the direction of writing: what is shown is not what was read",
        )  # fmt: skip
    unread = _unread(text)
    if unread is not None:
        yield _finding(text, Code.NOT_COVERED, "unreadable-text", Span(0, 0), unread)
    for number, (span, drug) in enumerate(_names(case, text)):
        if number == MAX_FINDINGS:
            return
        yield _finding(
            text, Code.UNKNOWN_DRUG, "disguised-name", span,
            f"written so that it only looks like {drug}: write the name in plain letters",
        )  # fmt: skip


def _unread(text: str) -> str | None:
    if text.isascii() and _CONTROL.search(text) is None:
        return None
    if _CONTROL.search(text) is not None:
        return (
            "the text holds control characters or bytes that are no text: what was sent is not what is read"
        )
    other = sum(not _is_latin(char) for char in text if char > "\x7f" and char.isalpha())
    letters = sum(map(str.isalpha, text)) if other >= _LETTERS_READ else 0
    if other >= _LETTERS_READ and other * 3 >= letters:
        return f"{other} of {letters} letters are of a script that the checks do not read"
    return None


def _is_latin(char: str) -> bool:
    return char.isascii() or unicodedata.name(char, "").startswith(
        ("LATIN", "FULLWIDTH LATIN", "MICRO", "FEMININE")
    )


def _names(case: Case, text: str) -> Iterator[tuple[Span, str]]:
    names = case.knowledge.names()
    known = {statement.mention.span.start for statement in case.output.statements}
    for match in _SPACED.finditer(text):
        joined = _folded(re.sub(r"[ .\-_*]", "", match.group()))
        if len(joined) >= _MIN_NAME and joined in names:
            yield Span(*match.span()), joined
    for match in _WORD.finditer(text):
        word = match.group()
        plain = word.isascii() and word.isalpha()
        if plain or len(word) < _MIN_NAME:
            continue
        folded = _folded(word)
        if folded == word.lower() or folded not in names or word.lower() in names:
            continue
        if match.start() in known and not _other_letters(word):
            continue
        yield Span(*match.span()), folded


def _other_letters(word: str) -> bool:
    """Whether a word that the parser folded holds what a reader cannot see or tell apart."""
    return _INVISIBLE.search(word) is not None or any(
        char.isalpha() and not char.isascii() and not _accented(char) for char in word
    )


def _accented(char: str) -> bool:
    return unicodedata.name(char, "").startswith("LATIN ") and unicodedata.decomposition(char) != ""


def _folded(word: str) -> str:
    """The word as it looks: without marks and what is invisible, look-alikes as Latin, digits as the letters they
    stand for."""
    seen = _INVISIBLE.sub("", word).translate(_CAPITALS)
    lowered = unicodedata.normalize("NFKC", seen).translate(_CAPITALS).lower().translate(_LOOKALIKE)
    bare = "".join(c for c in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(c))
    if not bare.isalpha() and sum(char.isalpha() for char in bare) >= _MIN_NAME - 1:
        bare = bare.translate(_LEET)
    return bare if bare.isascii() else normalise(bare).text.strip()


def _finding(text: str, code: Code, rule_id: str, span: Span, message: str) -> Finding:
    provenance = rule(rule_id, "attending.guardrails.checks.disguise")
    return Finding(
        RAIL, code, provenance.rule_id, Severity.MAJOR, Scope.MENTION, span.start, span.end,
        text[span.start : span.end], provenance.basis, provenance.source, message,
    )  # fmt: skip
