"""What a body of an event may hold: closed tables of keys, each with a tight form. Nothing here can hold prose.

Bodies stand in entries in clear and for ever, so that a value is an enum, a count, a flag, a time, a hash, or an id
out of an alphabet without spaces. What a violation says is what was expected, never what came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.entry import parse_time
from attending.ledger.errors import VerificationError

Body = Mapping[str, Any]
Rule = Callable[[Body, frozenset[str]], Iterable[tuple[str, str]]]
"""(body, kinds of its payloads) to (key or `payloads`, what was expected): what no single key can tell."""

MAX_COUNT: Final = 10**15


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a body: whether a value fits, and what is expected, in words."""

    fits: Callable[[object], bool]
    expected: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """One type that may come from outside. `payloads` are the kinds that it may carry, each once."""

    name: str
    keys: Mapping[str, Key]
    payloads: frozenset[str] = frozenset()
    needs_subject: bool = False
    rule: Rule = field(default=lambda _body, _payloads: ())

    def violations(
        self, body: object, payloads: frozenset[str], *, has_subject: bool
    ) -> Iterable[tuple[str, str]]:
        """(path below the event, what was expected) of everything that is wrong."""
        if self.needs_subject and not has_subject:
            yield "subject_ref", "is required for this type"
        if payloads - self.payloads:
            known = ", ".join(sorted(self.payloads)) or "none"
            yield "payloads", f"must be of the kinds of this type: {known}"
        if type(body) is not dict:
            yield "body", "must be a JSON object"
            return
        if body.keys() - self.keys.keys():
            # Not named: a key can be made of personal data as well as a value.
            yield "body", f"has a key that is not one of {', '.join(self.keys)}"
        wrong = False
        for name, key in self.keys.items():
            if name not in body:
                if key.required:
                    wrong = True
                    yield f"body.{name}", "is required"
            elif not key.fits(body[name]):
                wrong = True
                yield f"body.{name}", key.expected
        if not wrong:
            for name, expected in self.rule(body, payloads):
                yield ("payloads" if name == "payloads" else f"body.{name}"), expected


def one_of(words: str) -> Key:
    """An enum."""
    allowed = tuple(words.split())
    return Key(lambda value: type(value) is str and value in allowed, f"must be one of {', '.join(allowed)}")


def count(limit: int = MAX_COUNT) -> Key:
    """A number from 0 to `limit`."""
    return Key(lambda value: type(value) is int and 0 <= value <= limit, f"must be a count from 0 to {limit}")


def flag() -> Key:
    return Key(lambda value: type(value) is bool, "must be true or false")


def matching(pattern: str, expected: str) -> Key:
    """A string that is wholly of the pattern."""
    compiled = re.compile(pattern)
    return Key(lambda value: type(value) is str and compiled.fullmatch(value) is not None, expected)


def identifier() -> Key:
    """An id of the caller's own, opaque by contract: an id of a person is not one, it goes into `subject_ref`."""
    return matching(r"[a-z0-9][a-z0-9._-]{0,63}", "must be 1 to 64 of a-z 0-9 . _ -")


def version() -> Key:
    return matching(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}", "must be 1 to 64 of A-Z a-z 0-9 . + _ -")


def model_name() -> Key:
    return matching(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", "must be 1 to 128 of A-Z a-z 0-9 . _ : / @ -")


def sha256() -> Key:
    return matching(r"sha256:[0-9a-f]{64}", "must be `sha256:` and 64 hex digits")


def inference() -> Key:
    return matching(r"inf_[0-9a-f]{32}", "must be an inference id")


def moment() -> Key:
    """A time in the ledger's text form."""

    def fits(value: object) -> bool:
        try:
            return type(value) is str and parse_time(value) is not None
        except VerificationError:
            return False

    return Key(fits, "must be a time such as 2026-01-31T08:00:00.000000Z")


def several(key: Key, limit: int) -> Key:
    """A list of 1 to `limit` different ones."""

    def fits(value: object) -> bool:
        return (
            type(value) is list
            and 1 <= len(value) <= limit
            and all(key.fits(item) for item in value)
            and len(set(map(str, value))) == len(value)
        )

    return Key(fits, f"must be a list of 1 to {limit} different ones; each {key.expected}")


def scores(limit: int) -> Key:
    """An object of metric name to millionths."""
    name = identifier()

    def fits(value: object) -> bool:
        return (
            type(value) is dict
            and 1 <= len(value) <= limit
            and all(name.fits(key) for key in value)
            and all(type(item) is int and abs(item) <= MAX_COUNT for item in value.values())
        )

    return Key(fits, f"must be 1 to {limit} metrics by name, each a whole number of millionths")


def outcomes(words: str, limit: int) -> Key:
    """An object of id to one of the words."""
    name, word = identifier(), one_of(words)

    def fits(value: object) -> bool:
        return (
            type(value) is dict
            and 1 <= len(value) <= limit
            and all(name.fits(key) and word.fits(item) for key, item in value.items())
        )

    return Key(fits, f"must be 1 to {limit} ids, each with what {word.expected}")


def optional(key: Key) -> Key:
    return Key(key.fits, key.expected, required=False)
