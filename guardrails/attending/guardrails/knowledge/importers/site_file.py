"""Lines of files that a site brings: read as hostile. The first thing wrong ends the reading, with file and line.

A line has a greatest length, so that a file of one endless line does not fill the memory. No cell may begin as a
spreadsheet formula: the pack and its reports are opened in spreadsheets by people who trust them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

MAX_LINE_BYTES: Final = 64 * 1024
MAX_LINES: Final = 20_000_000
_FORMULA: Final = ("=", "+", "-", "@")


class SiteFileError(ValueError):
    """A file of the site that is not what it should be: the message names the file, the line and what was expected,
    never a value of the file."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(f"`{path.name}` line {line}: {problem}")
        self.line = line


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without its end). Raises OSError, and SiteFileError for a line that is too long, is no
    UTF-8 or holds a control character; a byte order mark at the start is passed over."""
    with path.open("rb") as stream:
        number = 0
        while raw := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                raise SiteFileError(path, number, f"longer than {MAX_LINE_BYTES} bytes")
            if number > MAX_LINES:
                raise SiteFileError(path, number, f"more than {MAX_LINES} lines")
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as err:
                raise SiteFileError(path, number, "not UTF-8; save the file as UTF-8") from err
            if any(ord(char) < 32 or ord(char) == 127 for char in text if char != "\t"):
                raise SiteFileError(path, number, "holds a control character")
            yield number, text


def table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> cell) of a CSV file whose first line is exactly `columns`. Empty lines are passed over.

    Raises as `lines`, and SiteFileError for other columns, another number of cells, an unclosed quote or a formula.
    """
    seen = False
    for number, text in lines(path):
        if not seen:
            found = [cell.strip() for cell in _cells(path, number, text)]
            if found != list(columns):
                raise SiteFileError(path, number, f"expected the columns {','.join(columns)}")
            seen = True
            continue
        if not text.strip():
            continue
        cells = [" ".join(cell.split()) for cell in _cells(path, number, text)]
        if len(cells) != len(columns):
            raise SiteFileError(path, number, f"expected {len(columns)} cells, got {len(cells)}")
        for column, cell in zip(columns, cells, strict=True):
            if cell.startswith(_FORMULA):
                raise SiteFileError(path, number, f"`{column}` begins like a spreadsheet formula")
        yield number, dict(zip(columns, cells, strict=True))
    if not seen:
        raise SiteFileError(path, 1, f"empty; expected the columns {','.join(columns)}")


def _cells(path: Path, number: int, text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as err:
        raise SiteFileError(path, number, "a quote is not closed on the line") from err
