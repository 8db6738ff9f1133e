"""What a text says under its disguises: readings of one text, each with a map back to the original offsets.

Instructions for a model are hidden by characters that a person does not see or does not tell apart, by letters set
apart, and by encodings. Each reading undoes some of it; detection runs over every reading.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_ENCODED_SEGMENTS: Final = 64
MIN_DECODED_CHARACTERS: Final = 8

# Letters of other scripts that look like Latin ones (Unicode confusables, the common part of it).
_CONFUSABLE: Final = str.maketrans(
    "абвгеікмнорсԁтухѕјһԛԝьӏԍԧ" + "αβγεζηικνορστυχω" + "ɑɡıɩʟօսո" + "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abbreikmhopcdtyxsjhqwblgh" + "abyeznikvopotuxw" + "agiiloun" + "abcdefghijkmnoprstuvwyz",
)
_LEET: Final = str.maketrans("0134578@$!", "oieastbasi")

_INVISIBLE_CATEGORIES: Final = frozenset({"Cf", "Co", "Cn"})
_SPACED: Final = re.compile(r"(?<![^\W_])(?:[^\W\d_][ .\-_*|]{1,2}){5,200}[^\W\d_](?![^\W_])")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,8192}={0,2}(?![A-Za-z0-9+/=])")
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])(?:(?:\\x|0x)?[0-9A-Fa-f]{2}[ ,:]?){10,4096}(?![0-9A-Fa-f])")
_PERCENT: Final = re.compile(r"[^\s]{0,200}%[0-9A-Fa-f]{2}[^\s]{4,2000}")
_ENTITIES: Final = re.compile(r"(?:[^\s&]{0,20}&#?[A-Za-z0-9]{2,8};){3,500}[^\s]{0,200}")
_HIDING: Final = re.compile(
    "[\u202d\u202e\u2066-\u2068]|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]"
)
_WIDTHLESS: Final = re.compile("[\u200b\u2060-\u2064\u180e\ufeff]")
_ESCAPES: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4}){4,2000}")


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a text. `how` names the disguise undone: plain, spaced, leet, reversed, rot13, base64, hex,
    percent, entities or escapes."""

    text: str
    how: str
    _offsets: tuple[int, ...]
    _end: int

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that reads as `[start, end)` here; the whole segment where the reading is
        decoded as a whole."""
        if not self._offsets:
            return 0, self._end
        if self.how in _WHOLE:
            return self._offsets[0], self._end
        first = self._offsets[min(start, len(self._offsets) - 1)]
        last = self._offsets[min(max(end - 1, start), len(self._offsets) - 1)]
        return first, min(last + 1, self._end)


_WHOLE: Final = frozenset({"reversed", "rot13", "base64", "hex", "percent", "entities", "escapes", "tags"})


def readings(text: str) -> Iterator[Reading]:
    """Every reading of `text` that differs from those before it; the plain one first. Linear in the text's length."""
    plain, offsets = _plain(text)
    yield Reading(plain, "plain", offsets, len(text))
    leet = plain.translate(_LEET)
    if leet != plain and _has_word_with_digit(plain):
        yield Reading(leet, "leet", offsets, len(text))
    yield from _spaced(plain, offsets)
    yield from _decoded(text)
    yield from _tag_characters(text)
    yield Reading(codecs.decode(plain, "rot13"), "rot13", offsets[:1] or (0,), len(text))
    yield Reading(plain[::-1], "reversed", offsets[:1] or (0,), len(text))


def invisible(text: str) -> tuple[int, int] | None:
    """The span of characters that hide or reorder text, or None: tag characters outside a flag, direction overrides,
    and three or more zero-width spaces. Joiners are left alone: emoji, Arabic and Indic scripts need them.
    """
    hits = [match.start() for match in _HIDING.finditer(text)]
    widthless = [match.start() for match in _WIDTHLESS.finditer(text)]
    if len(widthless) >= 3:
        hits = sorted(hits + widthless)
    return (hits[0], hits[-1] + 1) if hits else None


def _plain(text: str) -> tuple[str, tuple[int, ...]]:
    """NFKC, lower case, no accents, no invisible characters, look-alikes as Latin, white space as single spaces."""
    out: list[str] = []
    offsets: list[int] = []
    previous_space = False
    for position, char in enumerate(text):
        if char < "\x80":
            pieces = char.lower()
        else:
            pieces = "".join(
                c for c in unicodedata.normalize("NFKD", char).lower() if not unicodedata.combining(c)
            ).translate(_CONFUSABLE)
        for piece in pieces:
            if piece >= "\x80" and unicodedata.category(piece) in _INVISIBLE_CATEGORIES:
                continue
            if piece in "\r\n":
                # Line ends stay: some marks stand at the start of a line only.
                out.append("\n")
                offsets.append(position)
                previous_space = False
                continue
            space = piece.isspace()
            if space and previous_space:
                continue
            out.append(" " if space else _QUOTES.get(piece, piece))
            offsets.append(position)
            previous_space = space
    return "".join(out), tuple(offsets)


_QUOTES: Final = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2013": "-"}


def _has_word_with_digit(plain: str) -> bool:
    return re.search(r"[a-z][0134578@$!][a-z]|\b[013457@$][a-z]{2}", plain) is not None


def _spaced(plain: str, offsets: tuple[int, ...]) -> Iterator[Reading]:
    """Letters set apart ("i g n o r e"): joined, with two separators or more read as a space."""
    for match in _SPACED.finditer(plain):
        joined: list[str] = []
        at: list[int] = []
        gap = 0
        for position in range(match.start(), match.end()):
            char = plain[position]
            if char.isalpha():
                if gap >= 2:
                    joined.append(" ")
                    at.append(offsets[position])
                joined.append(char)
                at.append(offsets[position])
                gap = 0
            else:
                gap += 1
        yield Reading("".join(joined), "spaced", tuple(at), offsets[match.end() - 1] + 1)


def _decoded(text: str) -> Iterator[Reading]:
    budget = MAX_ENCODED_SEGMENTS
    for pattern, how, decode in (
        (_BASE64, "base64", _from_base64),
        (_HEX, "hex", _from_hex),
        (_PERCENT, "percent", urllib.parse.unquote),
        (_ENTITIES, "entities", html.unescape),
        (_ESCAPES, "escapes", _from_escapes),
    ):
        for match in pattern.finditer(text):
            if budget == 0:
                return
            decoded = decode(match.group())
            if decoded is None or decoded == match.group() or not _readable(decoded):
                continue
            budget -= 1
            plain, _offsets = _plain(decoded)
            yield Reading(plain, how, (match.start(),), match.end())


def _tag_characters(text: str) -> Iterator[Reading]:
    """Unicode tag characters spell ASCII that nobody sees."""
    at = [position for position, char in enumerate(text) if 0xE0020 <= ord(char) <= 0xE007E]
    if len(at) >= MIN_DECODED_CHARACTERS:
        yield Reading("".join(chr(ord(text[i]) - 0xE0000) for i in at).lower(), "tags", (at[0],), at[-1] + 1)


def _from_base64(segment: str) -> str | None:
    padded = segment.rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _from_hex(segment: str) -> str | None:
    try:
        return bytes.fromhex(re.sub(r"\\x|0x|[ ,:]", "", segment)).decode("utf-8")
    except (ValueError, UnicodeDecodeError):
        return None


def _from_escapes(segment: str) -> str | None:
    try:
        return "".join(chr(int(code, 16)) for code in segment.split("\\u")[1:])
    except ValueError:
        return None


def _readable(decoded: str) -> bool:
    """Whether a decoded segment is text: mostly letters and spaces, and long enough to say something."""
    if len(decoded) < MIN_DECODED_CHARACTERS:
        return False
    good = sum(1 for char in decoded if char.isalpha() or char.isspace() or char in ".,:;!?'\"-")
    return good >= 0.85 * len(decoded)
