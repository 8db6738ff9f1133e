"""The syntax of PDF objects and content streams (ISO 32000-1, section 7.2 and 7.3), read strictly and in bounds.

What two readers could take in two ways is refused: a key that is there twice, a number without end, an escape in a name
that is none. Everything wrong is a VerificationError (PDF_SYNTAX).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap
from typing import Any, Final, NamedTuple

from attending.ledger.errors import VerificationError

Buffer = bytes | mmap
MAX_DEPTH: Final = 48
MAX_STRING_BYTES: Final = 1 << 20
MAX_ITEMS: Final = 1 << 20
"""Of one object, whatever lies in what: an empty array in an array takes thirty times its two bytes."""

_SPACE: Final = re.compile(rb"(?:[\x00\t\n\f\r ]++|%[^\r\n]*+)*+")
_END: Final = rb"(?![^\x00\t\n\f\r ()<>\[\]{}/%])"
_NUMBER: Final = re.compile(rb"[+-]?(?:[0-9]{1,18}(\.[0-9]{0,18})?|(\.[0-9]{1,18}))" + _END)
_NAME: Final = re.compile(rb"/([^\x00\t\n\f\r ()<>\[\]{}/%]{0,256})" + _END)
_WORD: Final = re.compile(rb"[A-Za-z'\"][A-Za-z0-9'\"*]{0,31}" + _END)
_HEX: Final = re.compile(rb"<([0-9A-Fa-f\x00\t\n\f\r ]{0,4194304})>")
_REFERENCE: Final = re.compile(rb"([0-9]{1,10})[\x00\t\n\f\r ]+([0-9]{1,5})[\x00\t\n\f\r ]+R" + _END)
_STRING: Final = re.compile(rb"[^()\\]{1,65536}|\\(?:[0-7]{1,3}|\r\n|[\s\S])|[()]")
_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})?")
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_BLANK: Final = re.compile(rb"[\x00\t\n\f\r ]+")


class Name(str):
    """A name, without its slash."""

    __slots__ = ()


class Word(str):
    """A word that is no object: an operator of a content stream."""

    __slots__ = ()


class Reference(NamedTuple):
    """An indirect reference."""

    number: int
    generation: int


def skip(data: Buffer, at: int) -> int:
    """The place of the first byte that is no white space or comment."""
    match = _SPACE.match(data, at)
    assert match is not None
    return match.end()


class _Nesting:
    """How deep arrays and dictionaries lie in an object, and how many items it may still have."""

    __slots__ = ("depth", "left")

    def __init__(self) -> None:
        self.depth, self.left = 0, MAX_ITEMS


def parse_object(data: Buffer, at: int, nesting: _Nesting | None = None) -> tuple[Any, int]:
    """The object at a place, and where it ends. Strings are bytes, names `Name`, null None."""
    at = skip(data, at)
    first = data[at : at + 1]
    if first == b"/":
        return _name(data, at)
    if first in (b"<", b"["):
        if data[at : at + 2] == b"<<":
            return _dictionary(data, at + 2, nesting or _Nesting())
        return _array(data, at + 1, nesting or _Nesting()) if first == b"[" else _hexadecimal(data, at)
    if first == b"(":
        return _literal(data, at + 1)
    if (match := _REFERENCE.match(data, at)) is not None:
        return Reference(int(match[1]), int(match[2])), match.end()
    if (match := _NUMBER.match(data, at)) is not None:
        whole = match[1] is None and match[2] is None
        return (int(match[0]) if whole else float(match[0])), match.end()
    if (match := _WORD.match(data, at)) is not None:
        word = match[0].decode()
        return {"true": True, "false": False, "null": None}.get(word, Word(word)), match.end()
    raise wrong(f"no object at byte {at}")


def operations(data: bytes) -> Iterator[tuple[str, list[Any]]]:
    """The operators of a content stream, each with its operands. Inline images are refused."""
    at, operands = skip(data, 0), list[Any]()
    while at < len(data):
        found, at = parse_object(data, at)
        if type(found) is Word:
            if found == "BI":
                raise wrong("content stream holds an inline image")
            yield found, operands
            operands = []
        else:
            operands.append(found)
            if len(operands) > MAX_ITEMS:
                raise wrong("operator has too many operands")
        at = skip(data, at)


def wrong(detail: str) -> VerificationError:
    """What every function here raises."""
    return VerificationError(f"not well-formed PDF: {detail}", reason="PDF_SYNTAX")


def _name(data: Buffer, at: int) -> tuple[Name, int]:
    match = _NAME.match(data, at)
    if match is None:
        raise wrong(f"name without end at byte {at}")

    def plain(escape: re.Match[bytes]) -> bytes:
        if escape[1] is None:
            raise wrong(f"name with half an escape at byte {at}")
        return bytes([int(escape[1], 16)])

    raw = match[1]
    return Name((_ESCAPED.sub(plain, raw) if b"#" in raw else raw).decode("latin-1")), match.end()


def _dictionary(data: Buffer, at: int, nesting: _Nesting) -> tuple[dict[str, Any], int]:
    _enter(nesting)
    found: dict[str, Any] = {}
    while True:
        at = skip(data, at)
        if data[at : at + 2] == b">>":
            nesting.depth -= 1
            return found, at + 2
        if data[at : at + 1] != b"/":
            raise wrong(f"dictionary without a key at byte {at}")
        name, at = _name(data, at)
        if name in found:
            raise wrong(f"key that is there twice at byte {at}")
        found[name], at = _value(data, at, nesting)


def _array(data: Buffer, at: int, nesting: _Nesting) -> tuple[list[Any], int]:
    _enter(nesting)
    found: list[Any] = []
    while True:
        at = skip(data, at)
        if data[at : at + 1] == b"]":
            nesting.depth -= 1
            return found, at + 1
        item, at = _value(data, at, nesting)
        found.append(item)


def _value(data: Buffer, at: int, nesting: _Nesting) -> tuple[Any, int]:
    nesting.left -= 1
    if nesting.left < 0:
        raise wrong("object has too many items")
    found, end = parse_object(data, at, nesting)
    if type(found) is Word:
        raise wrong(f"word in place of an object at byte {at}")
    return found, end


def _hexadecimal(data: Buffer, at: int) -> tuple[bytes, int]:
    match = _HEX.match(data, at)
    if match is None:
        raise wrong(f"string without end at byte {at}")
    digits = _BLANK.sub(b"", match[1])
    if len(digits) > 2 * MAX_STRING_BYTES:
        raise wrong("string is too long")
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()), match.end()


def _literal(data: Buffer, at: int) -> tuple[bytes, int]:
    parts, open_, size = list[bytes](), 1, 0
    while True:
        match = _STRING.match(data, at)
        if match is None:
            raise wrong("string without end")
        part, at = match[0], match.end()
        if part == b"(":
            open_ += 1
        elif part == b")":
            open_ -= 1
            if open_ == 0:
                return b"".join(parts), at
        elif part[:1] == b"\\":
            part = _unescaped(part[1:])
        parts.append(part)
        size += len(part)
        if size > MAX_STRING_BYTES:
            raise wrong("string is too long")


def _unescaped(escape: bytes) -> bytes:
    if escape[:1] in (b"\r", b"\n"):
        return b""
    if escape[:1].isdigit():
        if escape[0] > 0x37:
            return escape
        return bytes([int(escape, 8) & 0xFF])
    return _ESCAPES.get(escape, escape)


def _enter(nesting: _Nesting) -> None:
    nesting.depth += 1
    if nesting.depth > MAX_DEPTH + 1:
        raise wrong("objects are nested too deep")
