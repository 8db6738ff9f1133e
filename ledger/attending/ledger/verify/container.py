"""Hostile-safe reading of a bundle: a zip file or a directory, flat, bounded, and streamed.

A zip member is inflated here rather than by `zipfile`, for two reasons: the size is bounded while
inflating, not trusted from the header; and a member whose CRC is wrong is still read, so that the checks
can name the record that was changed instead of saying that the file is damaged.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self

from attending.ledger.errors import VerificationError

MAX_FILES: Final = 64
MAX_RATIO: Final = 200
"""A member that inflates to more than this times its size (and a mebibyte) is taken for a bomb."""
MAX_FILE_BYTES: Final = 1 << 40
_SLACK_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 16
_LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
_HEADER_SIZE: Final = 46
_HEADER_LENGTHS: Final = struct.Struct("<3H")
"""Of a member in the directory: its fixed part, and the lengths of name, extra field and comment."""
_LARGE_END: Final = struct.Struct("<40x2Q4s4xQ")
"""The end of a large archive: size and offset of its directory, and where the locator after it says that it stands."""
_HARMLESS_FLAGS: Final = 0x800 | 0x8 | 0x6
"""UTF-8 names, sizes after the data (those of the directory are used), deflate effort."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)


class Container(Protocol):
    """The files of a bundle; what is not safe is a VerificationError (BUNDLE_CONTAINER) in every method."""

    @property
    def names(self) -> frozenset[str]:
        """Flat, lower-case names of all files."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, at most 64 KiB at a time; bounded whatever its header says."""

    def close(self) -> None:
        """Releases the files."""


def read(container: Container, name: str, limit_bytes: int) -> bytes:
    """The whole of a small file; VerificationError when it is absent or longer than `limit_bytes`."""
    parts, size = [], 0
    for chunk in container.chunks(name):
        size += len(chunk)
        if size > limit_bytes:
            raise _error(f"`{name}` exceeds {limit_bytes} bytes")
        parts.append(chunk)
    return b"".join(parts)


def lines(chunks: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    """The lines of a file, each of which ends in a newline; VerificationError on a longer or unfinished
    one.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if len(line) > limit_bytes:
                raise _error(f"line exceeds {limit_bytes} bytes")
            yield line
        if len(rest) > limit_bytes:
            raise _error(f"line exceeds {limit_bytes} bytes")
    if rest:
        raise _error("last line does not end in a newline")


def open_container(path: Path, *, compressed: bool = True) -> Container:
    """The zip file or directory at `path`; VerificationError (BUNDLE_CONTAINER) when it is neither or
    unsafe, or holds what is compressed where it must not: what is read is then no more than was given.

    OSError when the path cannot be read: that says nothing about the bundle.
    """
    if path.is_dir():
        return _Directory(path)
    return _Zip.open(path, compressed)


def says(path: Path, name: str, mark: bytes, limit_bytes: int) -> bool:
    """Whether the container at `path` has a file `name` of at most `limit_bytes` with `mark` in it. OSError."""
    try:
        container = open_container(path)
    except VerificationError:
        return False
    try:
        return mark in read(container, name, limit_bytes)
    except VerificationError:
        return False
    finally:
        container.close()


@dataclass(frozen=True, slots=True)
class _Directory:
    """Regular files of one folder; links and devices are refused."""

    path: Path

    @property
    def names(self) -> frozenset[str]:
        found = set()
        for item in self.path.iterdir():
            _check_name(item.name)
            # A link could point anywhere on the auditor's machine.
            if not stat.S_ISREG(item.lstat().st_mode):
                raise _error("folder holds something that is not a regular file")
            found.add(item.name)
            if len(found) > MAX_FILES:
                raise _error(f"more than {MAX_FILES} files")
        return frozenset(found)

    def chunks(self, name: str) -> Iterator[bytes]:
        if name not in self.names:
            raise _error(f"`{name}` is missing")
        with (self.path / name).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Zip:
    file: BinaryIO
    members: dict[str, zipfile.ZipInfo]

    @classmethod
    def open(cls, path: Path, compressed: bool) -> Self:
        file = path.open("rb")
        try:
            return cls(file, _members(file, compressed))
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, struct.error) as err:
            file.close()
            raise _error("not a zip file that can be read") from err
        except BaseException:
            file.close()
            raise

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.members)

    def chunks(self, name: str) -> Iterator[bytes]:
        info = self.members.get(name)
        if info is None:
            raise _error(f"`{name}` is missing")
        self.file.seek(info.header_offset)
        header = self.file.read(_LOCAL_HEADER.size)
        if len(header) != _LOCAL_HEADER.size:
            raise _error(f"`{name}` is cut off")
        signature, _, flags, method, _, _, _, _, _, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        local_name = self.file.read(name_size)
        if signature != b"PK\x03\x04" or method != info.compress_type or flags & ~_HARMLESS_FLAGS:
            raise _error(f"`{name}` has two headers that differ")
        if local_name != name.encode():
            raise _error(f"`{name}` has two names")
        self.file.seek(extra_size, 1)
        stored = _bounded(self.file, info.compress_size, name)
        yield from stored if method == zipfile.ZIP_STORED else _inflate(stored, info.file_size, name)

    def close(self) -> None:
        self.file.close()


def _members(file: BinaryIO, compressed: bool) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise _error(f"more than {MAX_FILES} files")
    _check_directory(file, archive.start_dir, len(infos))
    for info in infos:
        _check_name(info.orig_filename)
        if info.filename in members:
            raise _error("two files have one name")
        if info.flag_bits & ~_HARMLESS_FLAGS or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise _error("file is encrypted or compressed in a way that is not supported")
        if info.compress_type != zipfile.ZIP_STORED and not compressed:
            raise _error(
                "file is compressed, and would be stored as it was made: give it unpacked, as a folder"
            )
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _error("archive holds something that is not a regular file")
        if not 0 <= info.file_size <= min(MAX_FILE_BYTES, MAX_RATIO * info.compress_size + _SLACK_BYTES):
            raise _error("file inflates beyond reason")
        # The library adds what precedes the archive to each offset, by what the archive says of itself.
        if not 0 <= info.header_offset <= MAX_FILE_BYTES:
            raise _error("file lies outside the archive")
        if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
            raise _error("file has two sizes")
        members[info.filename] = info
    return members


def _check_directory(file: BinaryIO, begin: int, count: int) -> None:
    """BadZipFile unless that many headers, each as long as it says, end where the end of the archive begins.

    The library takes a last header that says it is longer than the directory, and so may other readers another way.
    """
    at = begin
    for _ in range(count):
        file.seek(at)
        at += _HEADER_SIZE + sum(_HEADER_LENGTHS.unpack_from(file.read(_HEADER_SIZE), 28))
    file.seek(at)
    end = file.read(_LARGE_END.size)
    if end[:4] == b"PK\x06\x06":
        size, offset, mark, named = _LARGE_END.unpack(end)
        if mark != b"PK\x06\x07" or named != size + offset:
            raise zipfile.BadZipFile
    elif end[:4] != b"PK\x05\x06":
        raise zipfile.BadZipFile


def _bounded(file: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    while size:
        chunk = file.read(min(size, _CHUNK_BYTES))
        if not chunk:
            raise _error(f"`{name}` is cut off")
        size -= len(chunk)
        yield chunk


def _inflate(stored: Iterator[bytes], size: int, name: str) -> Iterator[bytes]:
    """Inflates to exactly `size` bytes, however much more the stream would give."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in stored:
            pending = chunk
            while pending and not inflater.eof:
                plain = inflater.decompress(pending, _CHUNK_BYTES)
                pending = inflater.unconsumed_tail
                size -= len(plain)
                if size < 0:
                    raise _error(f"`{name}` inflates beyond its size")
                if plain:
                    yield plain
        while not inflater.eof:
            plain = inflater.decompress(inflater.unconsumed_tail, _CHUNK_BYTES)
            if not plain:
                break
            size -= len(plain)
            if size < 0:
                raise _error(f"`{name}` inflates beyond its size")
            yield plain
    except zlib.error:
        raise _error(f"`{name}` does not inflate") from None
    if size or not inflater.eof:
        raise _error(f"`{name}` is cut off")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise _error("file name is not flat, lower case and plain")


def _error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="BUNDLE_CONTAINER")
