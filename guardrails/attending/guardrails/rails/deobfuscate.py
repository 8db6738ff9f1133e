"""What a text says under its disguises: readings of one text, each with a way back to the original offsets.

Instructions for a model are hidden by characters that a person does not see or does not tell apart, by letters set
apart, and by encodings, one inside the other. Each reading undoes some of it; detection runs over every reading.
Bounded: `MAX_DEPTH` encodings inside each other, `MAX_SEGMENTS` decoded segments, `MAX_CHARACTERS` of text. What is
beyond a bound is not passed over: `Readings.beyond` names it, and the rail finds it.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from ahocorasick_rs import AhoCorasick
from attending.guardrails.rails.folding import Origin, fold

MAX_DEPTH: Final = 4
MAX_SEGMENTS: Final = 64
MAX_CHARACTERS: Final = 2_000_000
MIN_DECODED_CHARACTERS: Final = 8
BINARY_SHARE: Final = 0.1

_BySegment = tuple[re.Pattern[str], str, Callable[[str], str | None]]
Beyond = Literal["nested_encoding", "too_many_encodings", "too_long", "binary"]

_LEET: Final = str.maketrans("0134567@$!|+", "oieasgtasilt")
_LEET_L: Final = str.maketrans("0134567@$!|+", "oleasgtaslit")
_LEET_WORD: Final = re.compile(r"[0134567@$!|](?:[a-z]{1,12}[0134567@$!|]|(?<=[a-z].)[a-z])")
# Words that hardly any text is without when it speaks of a model's instructions; no English word is one of them
# turned round or rotated.
_TELLING: Final = (
    "instruction", "previous", "disregard", "override", "guideline", "restrict", "prompt", "ignore", "forget",
    "directive", "reveal", "bypass", "system", "policy", "policies",
)  # fmt: skip
_TURNED: Final = frozenset(word[::-1] for word in _TELLING)
_ROTATED: Final = frozenset(codecs.encode(word, "rot13") for word in _TELLING)
_HINTS: Final = sorted(_TURNED | _ROTATED)
_HINTED: Final = AhoCorasick(_HINTS)

# A run of one class takes all of it, so what stands before it need not be asked.
_SPACED: Final = re.compile(r"\b\w(?:[ .\-_*|\n]{1,4}\w\b){6,400}")
_SHORT_LINES: Final = re.compile(r"^(?:[^\n]{1,6}\n){5,2000}[^\n]{0,6}", re.MULTILINE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,65536}={0,2}")
_BASE64_LINES: Final = re.compile(
    r"^(?:[A-Za-z0-9+/]{4,80}\n){1,500}[A-Za-z0-9+/]{2,80}={0,2}(?![A-Za-z0-9+/=])", re.MULTILINE
)
_BASE32: Final = re.compile(r"[A-Z2-7]{24,65536}={0,6}")
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])(?:(?:\\x|0x|%)?[0-9A-Fa-f]{2}[ ,:;\n]?){10,65536}(?![0-9A-Fa-f])")
_BINARY: Final = re.compile(r"(?<![01])(?:[01]{8}[ ,\n]?){8,65536}(?![01])")
_DECIMAL: Final = re.compile(
    r"(?<![\d.])(?:(?:1[01]\d|12[0-6]|[4-9]\d|3[2-9])[ ,]{1,2}){9,65536}\d{2,3}(?![\d.])"
)
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_ESCAPE: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|x[0-9A-Fa-f]{2})")
_QUOTED: Final = re.compile(r"([\"'`])([^\"'`\n]{1,200})\1")
_JOINING: Final = re.compile(
    r"\b(?:join|concat\w*|combin\w+|append|glue|stitch|put (?:\w+ ){0,3}together|assembl\w+|merge)\b|\b\w ?\+ ?\w\b"
)
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]")
_HIDING: Final = re.compile(
    "[\u202d\u202e\u2066-\u2068]|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]"
)
_WIDTHLESS: Final = re.compile("[\u200b\u2060-\u2064\u180e\ufeff]")
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffd\ue000-\uf8ff]")


class _Digits(dict[int, str]):
    """Binary digits as `b`, the other decimal ones as `d`, the other hexadecimal ones as `h`, what stands between
    encoded digits as nothing, and all else as a full stop."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = "b" if char in "01" else "d" if char in "23456789" else "h" if char in "abcdefABCDEF" else "."
        self[code] = "" if char in " ,:;\n\\x%" else kind
        return self[code]


_DIGITS: Final[dict[int, str]] = _Digits()
_HEX_RUN: Final = re.compile("[bdh]{20}")
_DECIMAL_RUN: Final = re.compile("[bd]{20}")
_BINARY_RUN: Final = "b" * 64


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a text. `how` names the disguises undone, outermost first: plain, leet, spaced, lines, reversed,
    words reversed, rot13, base64, base32, hex, binary, decimal, percent, entities, escapes, tags.

    `segment` is the span of the original that it comes from. With an `origin` the offsets are exact, else a hit is
    about the whole segment.
    """

    text: str
    how: str
    segment: tuple[int, int]
    origin: Origin | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that reads as `[start, end)` here."""
        return self.segment if self.origin is None else self.origin.span(start, end)


@dataclass
class Readings:
    """The readings of one text, made as they are asked for; `beyond` is complete once all of them were."""

    original: str
    beyond: list[tuple[Beyond, int, int]] = field(default_factory=list)
    _segments: int = 0

    def __iter__(self) -> Iterator[Reading]:
        text = self.original
        if len(text) > MAX_CHARACTERS:
            # What cannot be read whole is read as far as the bound, and found to be too long.
            self.beyond.append(("too_long", 0, len(text)))
            text = text[:MAX_CHARACTERS]
        whole = (0, len(text))
        plain, origin = fold(text), Origin(text)
        yield Reading(plain, "plain", whole, origin)
        if sum(1 for _ in _CONTROL.finditer(text)) > max(16, BINARY_SHARE * len(text)):
            self.beyond.append(("binary", *whole))
        if _LEET_WORD.search(plain):
            yield Reading(plain.translate(_LEET), "leet", whole, origin)
            yield Reading(plain.translate(_LEET_L), "leet", whole, origin)
        yield from _set_apart(plain, origin, whole)
        yield from _turned(plain, "", whole)
        yield from _joined_quotes(plain, whole)
        yield from self._decoded(text, "", whole, 1)
        tags = [match.start() for match in _TAGS.finditer(text)] if not text.isascii() else []
        if len(tags) >= MIN_DECODED_CHARACTERS:
            spelled = "".join(chr(ord(text[i]) - 0xE0000) for i in tags)
            yield Reading(fold(spelled), "tags", (tags[0], tags[-1] + 1))

    def _decoded(self, text: str, outer: str, segment: tuple[int, int], depth: int) -> Iterator[Reading]:
        """Readings of what is encoded in `text`; `segment` is where the outermost encoding stands."""
        for how, start, end, decoded in _segments(text):
            here = (start, end) if depth == 1 else segment
            if depth > MAX_DEPTH:
                self.beyond.append(("nested_encoding", *here))
                return
            self._segments += 1
            if self._segments > MAX_SEGMENTS:
                self.beyond.append(("too_many_encodings", *here))
                return
            names = f"{outer} {how}".strip()
            plain = fold(decoded)
            yield Reading(plain, names, here)
            if _LEET_WORD.search(plain):
                yield Reading(plain.translate(_LEET), f"{names} leet", here)
            yield from (Reading(r.text, f"{names} {r.how}", here) for r in _set_apart(plain, None, here))
            yield from _turned(plain, names, here)
            yield from self._decoded(decoded, names, here, depth + 1)


def readings(text: str) -> Readings:
    """Every reading of `text` that may differ in what it says; the plain one first."""
    return Readings(text)


def invisible(text: str) -> tuple[int, int] | None:
    """The span of characters that hide or reorder text, or None: tag characters outside a flag, direction overrides,
    and three or more zero-width spaces. Joiners are left alone: emoji, Arabic and Indic scripts need them.
    """
    if text.isascii():
        return None
    hits = [match.start() for match in _HIDING.finditer(text)]
    widthless = [match.start() for match in _WIDTHLESS.finditer(text)]
    if len(widthless) >= 3:
        hits = sorted(hits + widthless)
    return (hits[0], hits[-1] + 1) if hits else None


def _set_apart(plain: str, origin: Origin | None, whole: tuple[int, int]) -> Iterator[Reading]:
    """Letters set apart ("i g n o r e"), with two separators or more as a space; and words broken over short lines."""
    for pattern, how, join in ((_SPACED, "spaced", _joined), (_SHORT_LINES, "lines", _unbroken)):
        found = list(pattern.finditer(plain))
        if origin is None or len(found) > MAX_SEGMENTS:
            if found:
                yield Reading("\n".join(join(match.group()) for match in found), how, whole)
            continue
        for match in found:
            yield Reading(join(match.group()), how, origin.span(*match.span()))


def _joined_quotes(plain: str, whole: tuple[int, int]) -> Iterator[Reading]:
    """What stands between quotation marks in a text that has its reader join it: as it stands, and with spaces."""
    if _JOINING.search(plain) is None:
        return
    parts = [match.group(2) for match in _QUOTED.finditer(plain)]
    if 2 <= len(parts) <= MAX_SEGMENTS:
        yield Reading("".join(parts), "joined", whole)
        yield Reading(" ".join(map(str.strip, parts)), "joined", whole)


def _joined(apart: str) -> str:
    joined: list[str] = []
    gap = 0
    for char in apart:
        if char.isalpha():
            if gap >= 2:
                joined.append(" ")
            joined.append(char)
            gap = 0
        else:
            gap += 1
    return "".join(joined)


def _unbroken(lines: str) -> str:
    return lines.replace("\n", "")


def _turned(plain: str, outer: str, segment: tuple[int, int]) -> Iterator[Reading]:
    """Text turned round, word by word or whole, or rotated by 13 letters: only where a word says so."""
    found = {_HINTS[number] for number, _, _ in _HINTED.find_matches_as_indexes(plain)}
    if found & _TURNED:
        yield Reading(plain[::-1], f"{outer} reversed".strip(), segment)
        turned = " ".join(word[::-1] for word in plain.split())
        yield Reading(turned, f"{outer} words reversed".strip(), segment)
    if found & _ROTATED:
        yield Reading(codecs.encode(plain, "rot13"), f"{outer} rot13".strip(), segment)


def _segments(text: str) -> Iterator[tuple[str, int, int, str]]:
    """Each encoded part of `text` that decodes to something readable: how, where, and what it says."""
    for pattern, how, decode in _WHOLE_TEXT:
        first = pattern.search(text)
        if first is None:
            continue
        decoded = decode(text)
        if decoded != text:
            last = first
            for last in pattern.finditer(text, first.end()):  # noqa: B007 - the last one is wanted
                pass
            yield how, first.start(), last.end(), decoded
    for pattern, how, from_segment in (*_RUNS, *_digit_runs(text)):
        for match in pattern.finditer(text):
            said = from_segment(match.group())
            if said is not None and said != match.group() and _readable(said):
                yield how, match.start(), match.end(), said


def _digit_runs(text: str) -> list[_BySegment]:
    """The encodings in digits of which `text` has enough to say something."""
    digits = text.translate(_DIGITS)
    if _HEX_RUN.search(digits) is None:
        return []
    found: list[_BySegment] = [(_HEX, "hex", _from_hex)]
    if _BINARY_RUN in digits:
        found.append((_BINARY, "binary", _from_binary))
    if _DECIMAL_RUN.search(digits) is not None:
        found.append((_DECIMAL, "decimal", _from_decimal))
    return found


def _from_base64(segment: str) -> str | None:
    padded = segment.replace("\n", "").rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _from_base32(segment: str) -> str | None:
    padded = segment.rstrip("=")
    try:
        return base64.b32decode(padded + "=" * (-len(padded) % 8)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _from_hex(segment: str) -> str | None:
    try:
        return bytes.fromhex(re.sub(r"\\x|0x|[% ,:;\n]", "", segment)).decode("utf-8")
    except (ValueError, UnicodeDecodeError):
        return None


def _from_binary(segment: str) -> str | None:
    digits = re.sub(r"[ ,\n]", "", segment)
    return "".join(chr(int(digits[at : at + 8], 2)) for at in range(0, len(digits) - 7, 8))


def _from_decimal(segment: str) -> str | None:
    codes = [int(number) for number in re.findall(r"\d+", segment)]
    return "".join(map(chr, codes)) if all(32 <= code <= 126 for code in codes) else None


def _from_escapes(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        code = int(re.sub(r"[^0-9A-Fa-f]", "", match.group()[2:]), 16)
        return chr(code) if code <= 0x10FFFF else match.group()

    return _ESCAPE.sub(char, text)


def _readable(decoded: str) -> bool:
    """Whether a decoded segment is text: mostly letters and spaces, and long enough to say something; or again
    something encoded."""
    if len(decoded) < MIN_DECODED_CHARACTERS:
        return False
    good = sum(1 for char in decoded if char.isalpha() or char.isspace() or char in ".,:;!?'\"-")
    if good >= 0.85 * len(decoded):
        return True
    return decoded.isascii() and decoded.isprintable()


_WHOLE_TEXT: Final[tuple[tuple[re.Pattern[str], str, Callable[[str], str]], ...]] = (
    (_PERCENT, "percent", urllib.parse.unquote),
    (_ENTITY, "entities", html.unescape),
    (_ESCAPE, "escapes", _from_escapes),
)
_RUNS: Final[tuple[_BySegment, ...]] = (
    (_BASE64, "base64", _from_base64),
    (_BASE64_LINES, "base64", _from_base64),
    (_BASE32, "base32", _from_base32),
)
