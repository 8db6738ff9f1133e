"""The text of the pages, as its fonts say it is (ISO 32000-1, section 9.10), for comparing what is printed.

White space is left out, since how lines are broken is not content. Headers, footers and what is marked as not being
content are kept apart. What is drawn is not looked at: a font can show other shapes than it names, but only in a file
whose maker sealed it so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf.document import Document, Stream
from attending.ledger.verify.pdf.syntax import Name, Reference, operations, wrong

MAX_PAGES: Final = 20_000
MAX_TEXT_CHARACTERS: Final = 64 << 20
_MAX_CONTENT_BYTES: Final = 16 << 20
_MAX_MAP_BYTES: Final = 4 << 20
_MAX_CODES: Final = 1 << 16
_MAX_MARKS: Final = 1_000
_MAX_ALL_CONTENT_BYTES: Final = 1 << 30
_MAX_FONTS: Final = 256
_INVISIBLE: Final = (3, 7)
"""Rendering modes that paint nothing: 7 only clips (ISO 32000-1, table 106)."""
_LEFT_OUT: Final = dict.fromkeys(map(ord, " \t\n\r\f\v\u00a0\u00ad\u200b\u2060"), "")


class _Font:
    """Codes of a font to text."""

    def __init__(self, width: int, texts: Mapping[bytes, str]) -> None:
        self._width = width
        self._texts = texts

    def decode(self, codes: bytes) -> str:
        width, texts = self._width, self._texts
        return "".join(texts.get(codes[at : at + width], "\ufffd") for at in range(0, len(codes), width))


def squeezed(text: str) -> str:
    """`text` without white space and soft breaks, as `pages` gives it."""
    return text.translate(_LEFT_OUT)


def pages(document: Document) -> Iterator[str]:
    """The content of each page, in order, squeezed. VerificationError (PDF_SYNTAX) where a page does not read."""
    fonts: dict[Reference, _Font] = {}
    total = read = 0
    for page in _pages(document):
        resources = document.dictionary(page.get("Resources", {}))
        content = page.get("Contents")
        if type(content) is Reference and isinstance(document.resolve(content), list):
            content = document.resolve(content)
        parts = content if isinstance(content, list) else [] if content is None else [content]
        data = bytearray()
        for part in parts:
            # The parts of a page are one stream, divided between tokens.
            data += document.content(document.stream(part), _MAX_CONTENT_BYTES) + b"\n"
            if len(data) > _MAX_CONTENT_BYTES:
                raise wrong("page is too large")
        read += len(data)
        if read > _MAX_ALL_CONTENT_BYTES:
            raise wrong("pages are too large")
        text = squeezed("".join(_shown(document, bytes(data), resources, fonts)))
        total += len(text)
        if total > MAX_TEXT_CHARACTERS:
            raise wrong("pages hold too much text")
        yield text


def _pages(document: Document) -> Iterator[dict[str, Any]]:
    pending, count, seen = [document.root.get("Pages")], 0, set[Any]()
    while pending:
        reference = pending.pop()
        if type(reference) is not Reference or reference in seen:
            raise wrong("tree of pages is none")
        seen.add(reference)
        node = document.dictionary(reference)
        if node.get("Type") == Name("Page"):
            count += 1
            if count > MAX_PAGES:
                raise wrong(f"more than {MAX_PAGES} pages")
            yield node
        else:
            pending.extend(reversed(document.array(node.get("Kids"))))


def _shown(
    document: Document, data: bytes, resources: dict[str, Any], fonts: dict[Reference, _Font]
) -> Iterator[str]:
    """The strings that a page shows as content, in the order in which it does."""
    named = document.dictionary(resources.get("Font", {}))
    font: _Font | None = None
    marks: list[bool] = []
    mode, saved = 0, list[tuple[int, _Font | None]]()
    for operator, operands in operations(data):
        match operator:
            case "Tf":
                name = operands[0] if operands and type(operands[0]) is Name else ""
                font = _font(document, named.get(name), fonts)
            case "Tr":
                mode = operands[0] if operands and type(operands[0]) is int else _INVISIBLE[0]
            case "q":
                saved.append((mode, font))
                if len(saved) > _MAX_MARKS:
                    raise wrong("content is nested too deep")
            case "Q" if saved:
                mode, font = saved.pop()
            case "BMC" | "BDC":
                marks.append(bool(operands) and operands[0] == Name("Artifact"))
                if len(marks) > _MAX_MARKS:
                    raise wrong("content is nested too deep")
            case "EMC" if marks:
                marks.pop()
            case "Tj" | "'" | '"' | "TJ" if operands and not any(marks) and mode not in _INVISIBLE:
                shown = operands[-1] if isinstance(operands[-1], list) else [operands[-1]]
                codes = b"".join(item for item in shown if isinstance(item, bytes))
                if font is None:
                    raise wrong("text without a font")
                yield font.decode(codes)


def _font(document: Document, value: Any, fonts: dict[Reference, _Font]) -> _Font:
    if type(value) is not Reference:
        raise wrong("font is not an object of its own")
    found = fonts.get(value)
    if found is None:
        if len(fonts) >= _MAX_FONTS:
            raise wrong(f"more than {_MAX_FONTS} fonts")
        mapping = document.dictionary(value).get("ToUnicode")
        if not isinstance(document.resolve(mapping), Stream):
            raise VerificationError("font does not say what its shapes mean", reason="PDF_SYNTAX")
        found = fonts[value] = _mapped(document.content(document.stream(mapping), _MAX_MAP_BYTES))
    return found


def _mapped(data: bytes) -> _Font:
    """What a ToUnicode map says (Adobe technical note 5411)."""
    width, made, texts = 0, 0, dict[bytes, str]()
    for operator, operands in operations(data):
        ranges: list[tuple[Any, Any, Any]] = []
        strings: list[Any] = [item for item in operands if isinstance(item, bytes | list)]
        if operator == "endcodespacerange" and strings:
            width = max(len(item) for item in strings)
        elif operator == "endbfchar":
            ranges = [(code, code, [text]) for code, text in zip(strings[::2], strings[1::2], strict=False)]
        elif operator == "endbfrange":
            ranges = list(zip(strings[::3], strings[1::3], strings[2::3], strict=False))
        for first, last, start in ranges:
            found = _range(first, last, start)
            made += len(found)
            # What is said of one code again and again counts too: it is work.
            if made > _MAX_CODES:
                raise wrong("font has too many codes")
            texts |= found
    if width not in (1, 2):
        raise wrong("font has codes of an unknown width")
    return _Font(width, texts)


def _range(first: Any, last: Any, start: Any) -> dict[bytes, str]:
    if not isinstance(first, bytes) or not isinstance(last, bytes) or not 1 <= len(first) == len(last) <= 2:
        raise wrong("range of codes is not well formed")
    low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
    if high - low > _MAX_CODES:
        raise wrong("range of codes is not well formed")
    found = {}
    for step, code in enumerate(range(low, high + 1)):
        if isinstance(start, list):
            text = start[step] if step < len(start) else b""
        elif isinstance(start, bytes) and len(start) <= 64:
            # Only the last two bytes count on; what would carry over is no text.
            text = start[:-2] + (int.from_bytes(start[-2:], "big") + step & 0xFFFF).to_bytes(2, "big")
        else:
            raise wrong("range of codes is not well formed")
        found[code.to_bytes(len(first), "big")] = _utf16(text)
    return found


def _utf16(data: Any) -> str:
    if not isinstance(data, bytes):
        raise wrong("code means no text")
    try:
        return data.decode("utf-16-be")
    except UnicodeDecodeError:
        raise wrong("code means no text") from None
