"""The results of a run of pytest, as its JUnit XML has them: test id, outcome, time, and nothing of what was printed.

Read as a stream, so that what a failed test printed costs no memory; a document type is refused, since none of what
pytest writes has one and entities could make a small file large.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from attending.server.validation import ValidationFileError

MOST_BYTES: Final = 256 << 20
_BLOCK_BYTES: Final = 1 << 16
_MOST_NAME: Final = 1_000
"""Characters of a test's id; what is longer is cut, which leaves its function."""
_OUTCOMES: Final = {"failure": "failed", "error": "error", "skipped": "skipped"}
_ORDER: Final = ("passed", "skipped", "failed", "error")
"""Where one test says two things, such as a failure and an error of its teardown, the later one of these stands."""
_FILE: Final = re.compile(r"((?:[A-Za-z0-9_]+\.)*test_[A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+)*)")


@dataclass(slots=True)
class Ran:
    """One test: outcome `passed`, `failed`, `error` or `skipped`, and how long it took."""

    outcome: str
    milliseconds: int


def read_junit(path: Path) -> dict[str, Ran]:
    """Test id (`tests/x/test_y.py::function[parameters]`) to what it came to. Raises ValidationFileError, OSError."""
    if path.stat().st_size > MOST_BYTES:
        raise ValidationFileError(f"is larger than {MOST_BYTES} bytes")
    found: dict[str, Ran] = {}
    for name, tested in _cases(path):
        other = found.get(name)
        if other is None or _ORDER.index(tested.outcome) > _ORDER.index(other.outcome):
            found[name] = tested
    if not found:
        raise ValidationFileError("holds no test")
    return found


def _cases(path: Path) -> Iterator[tuple[str, Ran]]:
    parser = expat.ParserCreate()
    done: list[tuple[str, Ran]] = []
    current: list[tuple[str, Ran]] = []

    def refuse(*_arguments: Any) -> None:
        raise ValidationFileError("has a document type, as no result of pytest has")

    def begin(tag: str, attributes: dict[str, str]) -> None:
        if tag == "testcase":
            current[:] = [(_test_id(attributes), Ran("passed", _milliseconds(attributes.get("time", "0"))))]
        elif current and tag in _OUTCOMES:
            tested = current[0][1]
            said = _OUTCOMES[tag]
            if _ORDER.index(said) > _ORDER.index(tested.outcome):
                tested.outcome = said

    def end(tag: str) -> None:
        if tag == "testcase" and current:
            done.append(current.pop())

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                parser.Parse(block, False)
                yield from done
                done.clear()
            parser.Parse(b"", True)
        except expat.ExpatError as err:
            raise ValidationFileError(f"is not well-formed XML (line {err.lineno})") from None
    yield from done


def _test_id(attributes: dict[str, str]) -> str:
    match = _FILE.fullmatch(attributes.get("classname", ""))
    name = attributes.get("name", "")
    if match is None or not name:
        raise ValidationFileError("has a test that does not say in which file of tests/ it stands")
    inside = "".join(f"{one}::" for one in match[2].split(".") if one)
    plain = name.encode("ascii", "backslashreplace").decode()
    return f"{match[1].replace('.', '/')}.py::{inside}{plain}"[:_MOST_NAME]


def _milliseconds(text: str) -> int:
    try:
        return max(0, min(round(float(text) * 1000), 10**9))
    except (ValueError, OverflowError):
        raise ValidationFileError("has a time that is none") from None
