"""Strict reading of DER (ITU-T X.690, section 10), as far as signatures and time stamps need it.

Definite, shortest lengths and low tag numbers only; every element must end where its parent does. What is wrong is a
VerificationError (DER).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from attending.ledger.errors import VerificationError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OID: Final = 0x06
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
_MAX_INTEGER_BYTES: Final = 32
_MAX_CHILDREN: Final = 256
_LONG_FORM: Final = 0x80
_TIME: Final = re.compile(rb"([0-9]{14})(?:\.([0-9]{0,5}[1-9]))?Z")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag octet, its content, and all of its bytes."""

    tag: int
    content: bytes
    encoded: bytes

    def children(self, tag: int = SEQUENCE) -> list[Element]:
        """The elements of a constructed one, which must have this tag; at most 256."""
        if self.tag != tag:
            raise wrong(f"tag {tag:#04x} expected, got {self.tag:#04x}")
        found = []
        for element in elements(self.content):
            found.append(element)
            if len(found) > _MAX_CHILDREN:
                raise wrong(f"more than {_MAX_CHILDREN} elements")
        return found

    def oid(self) -> str:
        """An object identifier in dots."""
        data = self._of(OID)
        if not data or data[-1] & _LONG_FORM:
            raise wrong("object identifier is cut off")
        arcs, value = [], 0
        for byte in data:
            if value == 0 and byte == _LONG_FORM:
                raise wrong("object identifier is not in its shortest form")
            value = value << 7 | byte & 0x7F
            if value >> 64:
                raise wrong("object identifier is out of bounds")
            if not byte & _LONG_FORM:
                arcs.append(value)
                value = 0
        top = min(arcs[0] // 40, 2)
        return ".".join(str(arc) for arc in (top, arcs[0] - 40 * top, *arcs[1:]))

    def integer(self) -> int:
        """An integer of at most 256 bits."""
        data = self._of(INTEGER)
        if not 1 <= len(data) <= _MAX_INTEGER_BYTES + 1:
            raise wrong("integer is out of bounds")
        if len(data) > 1 and (data[0], data[1] >> 7) in ((0, 0), (0xFF, 1)):
            raise wrong("integer is not in its shortest form")
        return int.from_bytes(data, "big", signed=True)

    def octets(self) -> bytes:
        """An octet string."""
        return self._of(OCTET_STRING)

    def time(self) -> datetime:
        """A generalized time, in UTC and to the microsecond (RFC 3161, section 2.4.2)."""
        match = _TIME.fullmatch(self._of(GENERALIZED_TIME))
        if match is None:
            raise wrong("time is not one of UTC in its shortest form")
        try:
            whole = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            raise wrong("time is out of bounds") from None
        return whole + timedelta(microseconds=int((match[2] or b"").ljust(6, b"0")))

    def _of(self, tag: int) -> bytes:
        if self.tag != tag:
            raise wrong(f"tag {tag:#04x} expected, got {self.tag:#04x}")
        return self.content


def parse(data: bytes) -> Element:
    """The one element that `data` is."""
    first, end = _element(data, 0)
    if end != len(data):
        raise wrong("something follows the element")
    return first


def leading(data: bytes) -> tuple[Element, bytes]:
    """The element at the beginning, and what follows it."""
    first, end = _element(data, 0)
    return first, data[end:]


def elements(data: bytes) -> Iterator[Element]:
    """The elements that `data` is, one after the other."""
    at = 0
    while at < len(data):
        element, at = _element(data, at)
        yield element


def wrong(detail: str) -> VerificationError:
    """What every function here raises."""
    return VerificationError(f"not well-formed DER: {detail}", reason="DER")


def _element(data: bytes, at: int) -> tuple[Element, int]:
    if len(data) - at < 2:
        raise wrong("element is cut off")
    tag, size, begin = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise wrong("high tag number")
    if size >= _LONG_FORM:
        count = size & 0x7F
        octets = data[begin : begin + count]
        if not 1 <= count <= 4 or len(octets) < count:
            raise wrong("length is indefinite or out of bounds")
        size = int.from_bytes(octets, "big")
        if size < _LONG_FORM or octets[0] == 0:
            raise wrong("length is not in its shortest form")
        begin += count
    end = begin + size
    if end > len(data):
        raise wrong("element is cut off")
    return Element(tag, data[begin:end], data[at:end]), end
