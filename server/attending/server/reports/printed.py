"""Text as it is printed: only what the packaged fonts hold a shape for and what runs from left to right."""

from __future__ import annotations

from typing import Final

_RANGES: Final = (
    *((0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x17F)),
    *((0x391, 0x3A1), (0x3A3, 0x3A9), (0x3B1, 0x3C9)),
    (0x410, 0x44F),
    *((0x2010, 0x2014), (0x2018, 0x201A), (0x201C, 0x201E)),
    *((0x2020, 0x2022), (0x2026, 0x2026), (0x2030, 0x2030), (0x20AC, 0x20AC), (0x2122, 0x2122)),
)
"""Code points that both packaged fonts hold a shape for and that run from left to right."""
_SHOWN: Final = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))


def plain(text: str) -> str:
    """`text` as it is printed: what has no shape in the fonts, or turns the line around, as U+ and its code point."""
    if all(character in _SHOWN for character in text):
        return text
    return "".join(one if one in _SHOWN else f"<U+{ord(one):04X}>" for one in text)


def clipped(text: str, characters: int) -> str:
    """`plain`, at most so many characters; the register has the whole."""
    text = plain(text)
    return text if len(text) <= characters else text[: characters - 1] + "…"
