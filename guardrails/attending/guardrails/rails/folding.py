"""The folded form of a text, in which the language rails look for words: what a reader sees, letter for letter.

Lower case, compatibility forms as their plain letters, no accents, no invisible characters, letters of other scripts
that look like Latin ones as Latin, every space as one space. Line ends stay. Folding a script's own words folds the
patterns for them alike (`fold_pattern`), so that nothing is lost where a look-alike is a word's true letter.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Letters of other scripts that look like Latin ones (Unicode confusables, the common part of it).
_CONFUSABLE: Final = str.maketrans(
    "абвгеікмнорсԁтухѕјһԛԝьӏԍԧɑɡıɩʟօսոłđøħ" + "αβγεζηικνορστυχω" + "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abbreikmhopcdtyxsjhqwblghagiilounldoh" + "abyeznikvopotuxw" + "abcdefghijkmnoprstuvwyz",
)
_QUOTES: Final = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2010": "-",
    "\u2011": "-",
    "\u2013": "-",
}
_GONE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u0640")
"""Letters and marks that show nothing, or only stretch a word."""
_LINE_ENDS: Final = frozenset("\n\r\v\f\x85\u2028\u2029")
_RUNS: Final = re.compile(" {2,}")
_ASCII_OR_NOT: Final = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


_CYRILLIC: Final = "\u0400-\u04ff"
_CYRILLIC_LETTER: Final = re.compile(f"[{_CYRILLIC}]")
_CYRILLIC_WORDS: Final = re.compile(rf"(?<![^\W\d_])[{_CYRILLIC}]+(?:[\W\d_]+[{_CYRILLIC}]+)*(?![^\W\d_])")
"""Words of Cyrillic letters alone, as many as follow each other."""


class _Fold(dict[int, str]):
    def __init__(self, look_alikes: bool) -> None:
        super().__init__()
        self._look_alikes = look_alikes

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code), self._look_alikes)
        return folded


def _folded(char: str, look_alikes: bool) -> str:
    if char in _LINE_ENDS:
        return "\n"
    if char.isspace() or char == "\u2800":
        return " "
    if char < "\x7f" and char >= " ":
        return char.lower()
    if char in _BLANK or "\ufe00" <= char <= "\ufe0f" or "\U000e0000" <= char <= "\U000e01ef":
        return ""
    if unicodedata.category(char) in _GONE:
        return ""
    pieces = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    pieces = pieces.lower()
    if look_alikes:
        pieces = pieces.translate(_CONFUSABLE)
    return "".join(
        " " if piece.isspace() else _QUOTES.get(piece, piece) for piece in pieces if piece not in _BLANK
    )


_FOLD: Final[dict[int, str]] = _Fold(look_alikes=True)
_OWN: Final[dict[int, str]] = _Fold(look_alikes=False)
for _code in range(128):
    _FOLD[_code]


def fold(text: str) -> str:
    """The folded form; equal for equal text, in time that grows with the length."""
    if text.isascii():
        folded = text.translate(_FOLD)
    else:  # the pieces in ASCII, of which most texts mostly are, fold some ten times as fast by themselves
        folded = "".join(piece.translate(_FOLD) for piece in _ASCII_OR_NOT.findall(text))
    return _RUNS.sub(" ", folded) if "  " in folded else folded


def fold_own(text: str) -> str:
    """As `fold`, but every letter stays in its script: for words of which it is known that they are no disguise."""
    return _RUNS.sub(" ", text.translate(_OWN))


def fold_in_script(text: str) -> str:
    """As `fold`, and as long, but words that are written in Cyrillic keep their letters, so that `\u0432\u043e\u0442`
    is no "bot". They are known by a letter among them that looks like no Latin one: a word of look-alikes between
    Latin words is a disguise, and is folded.
    """
    return in_script(text, fold(text))


def in_script(text: str, folded: str) -> str:
    """`fold_in_script` of a text that is folded already."""
    if _CYRILLIC_LETTER.search(folded) is None:
        return folded
    own = fold_own(text)
    pieces = []
    at = 0
    for words in _CYRILLIC_WORDS.finditer(own):
        if _CYRILLIC_LETTER.search(folded, *words.span()) is not None:
            pieces += [folded[at : words.start()], words[0]]
            at = words.end()
    return "".join([*pieces, folded[at:]])


class Origin:
    """Where the characters of `fold(text)` come from; worked out when first asked, as most texts never are."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the text that is folded to `[start, end)`; empty where the folded text is."""
        if self._at is None:
            self._at = _offsets(self._text)
        at = self._at
        if not at:
            return 0, 0
        return at[min(start, len(at) - 1)], at[min(max(end - 1, start), len(at) - 1)] + 1


def _offsets(text: str) -> list[int]:
    at: list[int] = []
    space = False
    for position, char in enumerate(text):
        for piece in _FOLD[ord(char)]:
            if piece == " " and space:
                continue
            at.append(position)
            space = piece == " "
    return at


def fold_pattern(pattern: str) -> str:
    """A regular expression whose letters beyond ASCII are folded; what is ASCII, and so its syntax, stays."""
    return "".join(char if char < "\x80" else _FOLD[ord(char)] for char in pattern)
