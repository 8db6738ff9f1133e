"""A PDF file as the reports are: a table of objects that is not compressed, read where it lies, with bounds everywhere.

The file is mapped, not read, so that what is attached to it costs no memory. A file of another make is refused with
what is different about it; that says nothing about its content.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf.syntax import Name, Reference, parse_object, skip, wrong

MAGIC: Final = b"%PDF-"
MAX_FILE_BYTES: Final = 1 << 30
MAX_OBJECTS: Final = 1 << 20
MAX_SECTIONS: Final = 8
MAX_RATIO: Final = 200
"""A stream that inflates to more than this times its size (and a mebibyte) is taken for a bomb."""
MAX_HOPS: Final = 16
MAX_READINGS: Final = 4
"""Times the size of the file (and 4 MiB) that objects are read, streams aside: what refers to one object a thousand
times would have it read as often."""
_READING_SLACK_BYTES: Final = 4 << 20
_LEAST_READING_BYTES: Final = 64
_SLACK_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 16
_TAIL: Final = re.compile(rb"startxref[\r\n]+([0-9]{1,10})[\r\n]+%%EOF[\r\n]{0,2}\Z")
_XREF: Final = re.compile(rb"xref[ ]?\r?\n")
_SUBSECTION: Final = re.compile(rb"([0-9]{1,10}) ([0-9]{1,10})[ ]?\r?\n")
_ENTRY: Final = re.compile(rb"([0-9]{10}) ([0-9]{5}) ([nf])(?: \r| \n|\r\n)")
_ENTRY_BYTES: Final = 20
_OBJECT: Final = re.compile(rb"([0-9]{1,10}) ([0-9]{1,5}) obj(?=[\r\n <\[(/0-9+.-])")
_STREAM: Final = re.compile(rb"[\r\n ]{0,16}stream\r?\n")
_ENDSTREAM: Final = re.compile(rb"[\r\n]{0,2}endstream")
_ENDOBJ: Final = re.compile(rb"[\r\n ]{0,16}endobj")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream object: its dictionary, and where its data lies."""

    entries: dict[str, Any]
    begin: int
    size: int


class Document:
    """An open file. Every method raises VerificationError (PDF_SYNTAX) for what is wrong with it."""

    def __init__(self, path: Path) -> None:
        """Opens the file and reads its table of objects. Raises OSError too, which says nothing of the file."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise wrong("not a regular file")
            if not 0 < status.st_size <= MAX_FILE_BYTES:
                raise wrong(f"file is empty, or larger than {MAX_FILE_BYTES} bytes")
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = len(self.data)
        self._places: dict[int, tuple[int, int]] = {}
        self._left_bytes = MAX_READINGS * self.size + _READING_SLACK_BYTES
        try:
            self.trailer = self._read_table()
        except BaseException:
            self.data.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.data.close()

    @property
    def root(self) -> dict[str, Any]:
        """The catalogue, an object of its own: one that lies in the trailer is not among `objects`."""
        reference = self.trailer.get("Root")
        if type(reference) is not Reference:
            raise wrong("catalogue is not an object of its own")
        return self.dictionary(reference)

    def resolve(self, value: Any) -> Any:
        """What a value refers to, or the value; a reference to nothing is None."""
        for _ in range(MAX_HOPS):
            if type(value) is not Reference:
                return value
            value = self.read(value)[0]
        raise wrong("reference leads nowhere")

    def dictionary(self, value: Any) -> dict[str, Any]:
        """A dictionary, resolved."""
        found = self.resolve(value)
        if isinstance(found, dict):
            return found
        raise wrong("no dictionary where one is needed")

    def array(self, value: Any) -> list[Any]:
        """An array, resolved."""
        found = self.resolve(value)
        if isinstance(found, list):
            return found
        raise wrong("no array where one is needed")

    def stream(self, value: Any) -> Stream:
        """A stream, resolved."""
        found = self.resolve(value)
        if isinstance(found, Stream):
            return found
        raise wrong("no stream where one is needed")

    def read(self, reference: Reference) -> tuple[Any, int]:
        """An object, and where it begins in the file; (None, -1) for one that is not there."""
        return self._load(reference)[:2]

    def objects(self) -> Iterator[Any]:
        """Every object of the file, one after the other. None begins inside another: each byte is read once."""
        through = 0
        for number, (place, generation) in sorted(self._places.items(), key=lambda item: item[1]):
            if place < through:
                raise wrong(f"object {number} begins inside another")
            found, _, through = self._load(Reference(number, generation))
            yield found

    def chunks(self, stream: Stream, limit_bytes: int) -> Iterator[bytes]:
        """The content of a stream, inflated, at most 64 KiB at a time and `limit_bytes` in all."""
        filters = self.resolve(stream.entries.get("Filter"))
        if isinstance(filters, list) and len(filters) == 1:
            filters = self.resolve(filters[0])
        if stream.entries.get("DecodeParms") is not None or "F" in stream.entries:
            raise wrong("stream is packed in a way that is not supported")
        raw = self._raw(stream)
        if filters is None or filters == []:
            allowed, pieces = limit_bytes, raw
        elif filters == Name("FlateDecode"):
            allowed, pieces = min(limit_bytes, MAX_RATIO * stream.size + _SLACK_BYTES), _inflate(raw)
        else:
            raise wrong("stream is packed in a way that is not supported")
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > allowed:
                raise wrong("stream inflates beyond reason")
            yield piece

    def content(self, stream: Stream, limit_bytes: int) -> bytes:
        """The whole of a small stream."""
        return b"".join(self.chunks(stream, limit_bytes))

    def _raw(self, stream: Stream) -> Iterator[bytes]:
        end = stream.begin + stream.size
        for at in range(stream.begin, end, _CHUNK_BYTES):
            yield self.data[at : min(at + _CHUNK_BYTES, end)]

    def _load(self, reference: Reference) -> tuple[Any, int, int]:
        """An object, where it begins and where it ends; (None, -1, -1) for one that is not there.

        What follows it can only be its end: a stream that others see and we do not would be a dictionary here.
        """
        found, begin, end = self._parse(reference)
        if begin < 0:
            return found, begin, end
        if isinstance(found, dict) and (data := _STREAM.match(self.data, end)) is not None:
            found, end = self._stream(found, data.end())
        if _ENDOBJ.match(self.data, end) is None:
            raise wrong(f"something follows object {reference.number} before its end")
        return found, begin, end

    def _parse(self, reference: Reference) -> tuple[Any, int, int]:
        """The same, of a stream the dictionary alone."""
        place = self._places.get(reference.number)
        if place is None or place[1] != reference.generation:
            return None, -1, -1
        match = _OBJECT.match(self.data, place[0])
        if match is None or (int(match[1]), int(match[2])) != reference:
            raise wrong(f"object {reference.number} is not where the table has it")
        found, end = parse_object(self.data, match.end())
        self._left_bytes -= max(end - place[0], _LEAST_READING_BYTES)
        if self._left_bytes < 0:
            raise wrong("objects refer to the same ones again and again")
        return found, match.end(), end

    def _stream(self, entries: dict[str, Any], begin: int) -> tuple[Stream, int]:
        size = entries.get("Length")
        if type(size) is Reference:
            size = self._parse(size)[0]  # never a stream of its own: no chain of them is followed
        if type(size) is not int or not 0 <= size <= self.size - begin:
            raise wrong("stream is cut off")
        end = _ENDSTREAM.match(self.data, begin + size)
        if end is None:
            raise wrong("stream does not end where it says")
        return Stream(entries, begin, size), end.end()

    def _read_table(self) -> dict[str, Any]:
        data = self.data
        if data[: len(MAGIC)] != MAGIC:
            raise wrong("file does not begin as a PDF does")
        tail = _TAIL.search(data, max(0, self.size - 64))
        if tail is None:
            raise wrong("file does not end as a PDF does: it is cut off, or something follows")
        newest: dict[str, Any] | None = None
        seen: set[int] = set()
        removed: set[int] = set()
        offset: object = int(tail[1])
        while offset is not None:
            if type(offset) is not int or offset in seen or not 0 <= offset < self.size:
                raise wrong("tables of objects do not follow from each other")
            seen.add(offset)
            if len(seen) > MAX_SECTIONS:
                raise wrong(f"more than {MAX_SECTIONS} revisions")
            trailer = self._section(offset, removed)
            newest = newest or trailer
            offset = trailer.get("Prev")
        assert newest is not None
        return newest

    def _section(self, offset: int, removed: set[int]) -> dict[str, Any]:
        """Reads one table; what a newer one says of an object stands."""
        match = _XREF.match(self.data, offset)
        if match is None:
            raise wrong("table of objects is compressed or not there, which is not how reports are made")
        at, own = match.end(), set[int]()
        while (match := _SUBSECTION.match(self.data, at)) is not None:
            first, count, at = int(match[1]), int(match[2]), match.end()
            if first + count > MAX_OBJECTS or at + count * _ENTRY_BYTES > self.size:
                raise wrong(f"more than {MAX_OBJECTS} objects, or a table that is cut off")
            for number in range(first, first + count):
                entry = _ENTRY.match(self.data, at)
                if entry is None or number in own:
                    raise wrong("entry of the table is not well formed, or there twice")
                own.add(number)
                at += _ENTRY_BYTES
                if number in self._places or number in removed:
                    continue
                if entry[3] == b"n":
                    self._places[number] = int(entry[1]), int(entry[2])
                else:
                    removed.add(number)
        at = skip(self.data, at)
        if self.data[at : at + 7] != b"trailer":
            raise wrong("table of objects has no trailer")
        trailer, _ = parse_object(self.data, at + 7)
        if not isinstance(trailer, dict) or "XRefStm" in trailer:
            raise wrong("trailer is none, or has a second table")
        if "Encrypt" in trailer:
            raise VerificationError("file is encrypted, which no report is", reason="PDF_SYNTAX")
        return trailer


def _inflate(stored: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    try:
        for chunk in stored:
            if inflater.eof:
                raise wrong("something follows the content of a stream")
            pending = chunk
            while pending and not inflater.eof:
                plain = inflater.decompress(pending, _CHUNK_BYTES)
                pending = inflater.unconsumed_tail
                yield plain
        while not inflater.eof:
            plain = inflater.decompress(inflater.unconsumed_tail, _CHUNK_BYTES)
            if not plain:
                break
            yield plain
    except zlib.error:
        raise wrong("stream does not inflate") from None
    if not inflater.eof:
        raise wrong("stream is cut off")
    if inflater.unused_data:
        raise wrong("something follows the content of a stream")
