"""One plain form of a clinical text for the grammar, with a map back to the original code points.

Models, phones and word processors write the same dose in many ways: no-break and thin spaces, long dashes, ½, µ and μ,
full-width digits, markdown stars, HTML tags, zero-width characters inside a name. The grammar reads one form (NFKC,
lower case, single spaces, ASCII digits and dashes); every offset it reports is mapped back to the text as written.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from attending.guardrails.clinical.statement import Span

_MAX_MARKS = 16
"""Combining marks folded with one base character; more than this is an attack on canonical ordering, not a letter."""

_DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2043", "-")
_QUOTES = {
    **dict.fromkeys("\u2018\u2019\u201b\u02bc`\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
}
_OTHER = {
    **dict.fromkeys("\u00d7\u2715", "x"),
    **dict.fromkeys("\u2044\u2215\u00f7", "/"),
    **dict.fromkeys("\u2022\u25e6\u25aa\u25cf\u2023\u25a0\u2219", "\u2022"),
    "\u00b7": ".",
    "\u00b5": "\u03bc",
    "\u2192": " to ",
    "\u2026": ". ",
    **dict.fromkeys("\u2122\u00ae\u2120", ""),
    "\u2264": "<=",
    "\u2265": ">=",
}
"""Multiplication signs, fraction slashes, bullets, middle dot, micro, arrow, ellipsis, comparisons and trade marks."""
_SUPERSCRIPT = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
# Letters of other scripts that look Latin; folded only inside a word that also has Latin letters.
_LOOKALIKE = dict(zip("абвсеһіјкмнорѕтухοανερικτυ", "a6bcehijkmhopstyxoavepiktu", strict=True))
_LINE_END = "\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_TAG = re.compile(
    r"</?(b|i|u|em|strong|p|br|li|ul|ol|span|div|h[1-6]|td|th|tr|table|thead|tbody|tfoot|caption|sub|sup|code|font|a)\b[^<>\n]{0,200}>"
    r"|&(nbsp|thinsp|ensp|emsp|amp|lt|gt|quot|frac12|frac14|micro|times|ndash|mdash|#160|#xa0);",
    re.IGNORECASE,
)
_ENTITY = {
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "frac12": " 1/2",
    "frac14": " 1/4",
    "micro": "μ",
    "times": "x",
    "ndash": "-",
    "mdash": "-",
}
_INLINE_TAGS = {"b", "i", "u", "em", "strong", "span", "sub", "sup", "code", "font", "a"}
_PLAIN = re.compile(r"(?:[A-Za-z0-9.,;:()'\"/%+=!?-]+(?: (?=[A-Za-z0-9(]))?)+")
"""Characters that need no folding, with single spaces between words."""
_NAME = 80
"""Characters of what may be a name or a heading: read once, and not kept."""
_WRAPPED_LINE = 50
"""A line at least this long that stops in mid-sentence is a hard wrap, shorter ones are list items."""


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """`text` for the grammar; `starts[i]`/`ends[i]` is the original span of its character i."""

    original: str
    text: str
    starts: list[int]
    ends: list[int]

    def span(self, start: int, end: int) -> Span:
        """The original span of `text[start:end]`; needs start < end."""
        return Span(self.starts[start], self.ends[end - 1])

    def source(self, start: int, end: int) -> str:
        """The original characters of `text[start:end]`."""
        return self.original[self.starts[start] : self.ends[end - 1]]


@lru_cache(maxsize=4096)
def _fold(cluster: str) -> str:
    """The plain form of one non-ASCII character with its combining marks; empty when it is invisible."""
    if cluster in _OTHER:
        return _OTHER[cluster]
    if cluster in _DASHES:
        return "-"
    if cluster in _QUOTES:
        return _QUOTES[cluster]
    category = unicodedata.category(cluster[0])
    if category in ("Cf", "Cc", "Mn", "Me", "Cs"):
        return ""
    if category == "Zs":
        return " "
    folded = unicodedata.normalize("NFKC", cluster).lower()
    out: list[str] = []
    for char in unicodedata.normalize("NFKC", folded):
        if char in _OTHER and len(_OTHER[char]) == 1:
            out.append(_OTHER[char])
        elif char in _DASHES:
            out.append("-")
        elif char in _QUOTES:
            out.append(_QUOTES[char])
        elif unicodedata.category(char) == "Nd":
            out.append(str(unicodedata.decimal(char)))
        elif unicodedata.combining(char):
            continue
        else:
            out.append(char)
    return "".join(out)


class _Writer:
    """Collects characters with their original span and keeps single spaces."""

    def __init__(self) -> None:
        self.chars: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def put(self, piece: str, start: int, end: int) -> None:
        for char in piece:
            last = self.chars[-1] if self.chars else "\n"
            if char == " " and last in " \n":
                continue
            if char == "\n" and last == " ":
                self.chars.pop()
                self.starts.pop()
                self.ends.pop()
            self.chars.append(char)
            self.starts.append(start)
            self.ends.append(end)

    def run(self, piece: str, start: int) -> None:
        """Appends characters that stand for themselves, one to one."""
        self.chars.extend(piece)
        self.starts.extend(range(start, start + len(piece)))
        self.ends.extend(range(start + 1, start + 1 + len(piece)))

    @property
    def last(self) -> str:
        return self.chars[-1] if self.chars else "\n"


def normalise(text: str) -> Normalised:
    """The plain form of `text`; linear in its length, never raises, and every character maps back."""
    return _kept(text) if len(text) > _NAME else _normalise(text)


def _normalise(text: str) -> Normalised:
    out = _Writer()
    tags = {m.start(): m for m in _TAG.finditer(text)} if ("<" in text or "&" in text) else {}
    i, n = 0, len(text)
    while i < n:
        if not tags:
            plain = _PLAIN.match(text, i)
            if plain is not None:
                out.run(plain.group().lower(), i)
                i = plain.end()
                continue
        char = text[i]
        if tags and i in tags:
            match = tags[i]
            name, entity = match.group(1), match.group(2)
            if name:
                piece = _of_tag(name.lower(), closes=text.startswith("</", i), line_begins=out.last == "\n")
            else:
                piece = _ENTITY.get(entity.lower(), " ")
            out.put(piece, i, match.end())
            i = match.end()
            continue
        if char < "\x80":
            out.put(_ascii(text, i, char, out.last), i, i + 1)
            i += 1
            continue
        end = i + 1
        while end < n and end - i <= _MAX_MARKS and text[end] > "\x7f" and unicodedata.combining(text[end]):
            end += 1
        out.put(_unicode(text, i, end, out.last), i, end)
        i = end
    _fold_lookalikes(out)
    _join_wrapped_lines(out, text)
    return Normalised(text, "".join(out.chars), out.starts, out.ends)


def _of_tag(name: str, *, closes: bool, line_begins: bool) -> str:
    """What a tag stands for: a table is written with bars, a row a line."""
    if name in ("td", "th"):
        return " " if closes else "| "
    if name in ("tr", "thead", "tbody", "tfoot") and line_begins:
        return ""
    return " " if name in _INLINE_TAGS else "\n"


_kept = lru_cache(maxsize=4)(_normalise)
"""The grammar, the patient's story and the checks read the same output one after the other."""


def _ascii(text: str, i: int, char: str, last: str) -> str:
    if char.isalnum():
        return char.lower()
    following = text[i + 1 : i + 2]
    if char in _LINE_END:
        return "\n"
    if char == "\r":
        return "" if following == "\n" else "\n"
    if char == "*":
        if last.isdigit() and following.isdigit():
            return "x"
        return "•" if last == "\n" and following in (" ", "\t") else " "
    if char == "_":
        blank = following in ("_", " ") and last in "_ \n"
        return "_" if (last.isalnum() and following.isalnum()) or blank else " "
    if char in "`\x7f" or char < " ":
        return " "
    return char


def _unicode(text: str, start: int, end: int, last: str) -> str:
    cluster = text[start:end]
    if cluster in _LINE_END:
        return "\n"
    if cluster in _SUPERSCRIPT:
        # 10³ is not 103; m² is the unit m2
        return ("^" if last.isdigit() else "") + _SUPERSCRIPT[cluster]
    folded = _fold(cluster)
    if len(folded) > 1 and folded[0].isdigit() and "/" in folded and last.isdigit():
        return " " + folded
    return folded


def _fold_lookalikes(out: _Writer) -> None:
    """Reads Cyrillic and Greek letters as the Latin ones they imitate, in words that mix the scripts."""
    joined = "".join(out.chars)
    if joined.isascii() or not any(c in _LOOKALIKE for c in joined):
        return
    for match in re.finditer(r"[^\W\d_]+", joined):
        word = match.group()
        if any("a" <= c <= "z" for c in word) and not re.fullmatch(r"μ(?:g|l|mol|m)", word):
            for k in range(match.start(), match.end()):
                out.chars[k] = _LOOKALIKE.get(out.chars[k], out.chars[k])


def _join_wrapped_lines(out: _Writer, original: str) -> None:
    """Turns the line end of a hard-wrapped sentence into a space; list items and headings keep theirs."""
    previous_end = -1
    chars = out.chars
    if "\n" not in chars:
        return
    for k, char in enumerate(chars):
        if char != "\n":
            continue
        length = k - previous_end - 1
        previous_end = k
        if length < _WRAPPED_LINE or k + 1 >= len(chars) or chars[k - 1] in ".:;!?":
            continue
        following = original[out.starts[k + 1]]
        if _ORDER_LINE.match(original, out.starts[k + 1]) and not _LEADS_ON.search(
            "".join(chars[max(0, k - 12) : k])
        ):
            continue
        if following.islower() or (following.isdigit() and not _numbered(chars, k + 1)) or following == "(":
            chars[k] = " "


_ORDER_LINE = re.compile(
    r"[a-z][\w-]{3,30}(?: [a-z]{2,12})? \d[\d.,]{0,8} ?(?:mg|mcg|g|units?|mL|mEq|%)"
    r" (?:(?:PO|IV|IM|SC|SQ|SL|PR|po|iv|im|sc|subcut|sl|neb) )?"
    r"(?:BID|TID|QID|QD|BD|TDS|QDS|OD|bid|tid|qid|qd|bd|tds|qds|od|q\d{1,2}h|Q\d{1,2}H|nocte|mane|stat|PRN|prn)\b"
)
"""A line that is an order of its own, in the short words of orders: "linezolid 600 mg PO BID"."""
_LEADS_ON = re.compile(
    r"(?:^|\W)(?:an?|the|and|or|of|to|on|with|by|for|no|not|take|takes|taking|give|given|giving|start|started|stop"
    r"|stopped|hold|held|avoid|continue|continued|add|added|than|from|is|was|are|were|her|his|your|plus|then|[a-z]+ed)"
    r"\Z|[,&+/(-]\Z",
    re.I,
)


def _numbered(chars: list[str], k: int) -> bool:
    head = "".join(chars[k : k + 4])
    return re.match(r"\d{1,2}[.)]", head) is not None and not re.match(r"\d{1,2}\.\d", head)
