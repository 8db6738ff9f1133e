"""What a rule reads of an entry, what it joins by, by when it waits, and what it asks of a field. Never raises,
whatever a body holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry, format_time, parse_time
from attending.ledger.errors import VerificationError
from attending.server.controls.language import (
    WHOLE_LOG,
    Condition,
    Conditions,
    Duration,
    Join,
    Select,
)

_MOST_KEPT: Final = 80
"""Characters of a value that is remembered as it is: an inference's id has 36, a digest 64."""
ABSENT: Final = object()
"""In place of a value that there is none of."""
Read = Callable[[Entry], object]
Test = Callable[[Entry], bool]


def _read(path: str) -> Read:
    """The value of a field, ABSENT where there is none or it is null."""
    if path == "commitments":
        return lambda entry: [one.kind for one in entry.commitments]
    if not path.startswith("body."):
        return lambda entry: _given(getattr(entry, path))
    names = path.split(".")[1:]

    def value(entry: Entry) -> object:
        found: object = entry.body
        for name in names:
            if not isinstance(found, Mapping):
                return ABSENT
            found = found.get(name)
        return _given(found)

    return value


def _given(value: object) -> object:
    return ABSENT if value is None else value


def key_of(path: str) -> Read:
    """A value to join by, None where there is none: lists and objects are no keys."""
    if path == WHOLE_LOG:
        return lambda _entry: ""
    read = _read(path)

    def key(entry: Entry) -> object:
        value = read(entry)
        return _brief(value) if type(value) in (str, int, bool) else None

    return key


def _brief(value: object) -> object:
    """What stands for a value where it is remembered, equal for equal values: of whatever is long its hash."""
    if value is ABSENT or (type(value) is str and len(value) <= _MOST_KEPT):
        return value
    if type(value) in (int, bool):
        # 1 and True are one key to Python, and two values in an entry.
        return type(value).__name__, value
    return "sha256", hashlib.sha256(encode(value)).digest()


def brief_of(path: str) -> Read:
    read = _read(path)
    return lambda entry: _brief(read(entry))


def keys_of(joins: tuple[Join, ...]) -> tuple[Read, Read]:
    return _together([key_of(one.each) for one in joins]), _together([key_of(one.other) for one in joins])


def _together(keys: list[Read]) -> Read:
    if len(keys) == 1:
        return keys[0]

    def several(entry: Entry) -> object:
        values = tuple(key(entry) for key in keys)
        return None if None in values else values

    return several


def due_of(within: Duration | None, since: str | None, until: str | None) -> Callable[[Entry], str | None]:
    read = None if since is None and until is None else _read(since or until or "")
    delta = None if within is None else within.delta

    def due(entry: Entry) -> str | None:
        told = ABSENT if read is None else read(entry)
        if delta is None:
            return _moment(told)
        start = entry.time if told is ABSENT else _moment(told)
        try:
            return None if start is None else format_time(parse_time(start) + delta)
        except OverflowError:
            return None

    return due


def _moment(value: object) -> str | None:
    try:
        return format_time(parse_time(value)) if type(value) is str else None
    except VerificationError:
        return None


# -- conditions ---------------------------------------------------------------------------------------------------


def types_of(selects: tuple[Select, ...]) -> frozenset[str]:
    return frozenset(name for one in selects for name in one.types)


def any_of(selects: tuple[Select, ...]) -> Test:
    by_type: dict[str, list[Test | None]] = {}
    for one in selects:
        for name in one.types:
            by_type.setdefault(name, []).append(None if one.where is None else all_of(one.where))

    def test(entry: Entry) -> bool:
        return any(one is None or one(entry) for one in by_type.get(entry.type, ()))

    return test


def all_of(conditions: Conditions) -> Test:
    tests = [_holds(path, condition) for path, condition in conditions.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda entry: all(test(entry) for test in tests)


def _holds(path: str, condition: Condition) -> Test:
    read = _read(path)
    tests: list[Callable[[object, Entry], bool]] = []
    for name in condition.model_fields_set:
        wanted = getattr(condition, name)
        if name in ("same_as", "differs_from", "not_after"):
            tests.append(_compared(name, _read(wanted)))
        else:
            tests.append(_fixed(name, wanted))

    def holds(entry: Entry) -> bool:
        value = read(entry)
        return all(test(value, entry) for test in tests)

    return holds


def _fixed(name: str, wanted: Any) -> Callable[[object, Entry], bool]:
    match name:
        case "is_":
            return lambda value, _entry: _same(value, wanted)
        case "in_":
            return lambda value, _entry: any(_same(value, one) for one in wanted)
        case "not_in":
            return lambda value, _entry: value is not ABSENT and not any(_same(value, one) for one in wanted)
        case "present":
            return lambda value, _entry: (value is not ABSENT and value not in ("", [], {})) is wanted
        case "at_least":
            return lambda value, _entry: type(value) is int and value >= wanted
        case "at_most":
            return lambda value, _entry: type(value) is int and value <= wanted
        case "starts_with":
            return lambda value, _entry: type(value) is str and value.startswith(wanted)
        case "contains":
            return lambda value, _entry: isinstance(value, list | Mapping) and wanted in value
        case "lacks":
            return lambda value, _entry: isinstance(value, list | Mapping) and wanted not in value
    raise AssertionError(name)


def _compared(name: str, other: Read) -> Callable[[object, Entry], bool]:
    match name:
        case "same_as":
            return lambda value, entry: value is not ABSENT and _same(value, other(entry))
        case "differs_from":
            return lambda value, entry: _both(value, other(entry)) and not _same(value, other(entry))
        case _:

            def not_after(value: object, entry: Entry) -> bool:
                own, limit = _moment(value), _moment(other(entry))
                return own is not None and limit is not None and own <= limit

            return not_after


def _both(value: object, other: object) -> bool:
    return value is not ABSENT and other is not ABSENT


def _same(value: object, other: object) -> bool:
    # True is 1 to Python.
    return type(value) is type(other) and value == other
