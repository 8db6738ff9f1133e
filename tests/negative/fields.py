"""One mutation for each field of each type of entry: another value, none, one more; and what is made of its bundle.

A bundle holds the mutated entry and its neighbours, as a range of the story's log, so that thousands are verified in
seconds. Nobody but who holds the log's key could have written it: manifest and checkpoint are signed as they should be.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.merkle import compact_range, consistency_proof, leaf_hash
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.report import Report

from tests.ledger.verify.conftest import LogBuilder
from tests.negative.story import story

ENVELOPE: Final = ("actor", "occurred_at", "stream", "subject", "time", "type")
"""Fields around the body that may be otherwise in an entry that is one all the same."""


@dataclass(frozen=True)
class Mutant:
    """Entry `index` with the field at `path` changed, removed or added (`how`)."""

    kind: str
    index: int
    path: str
    how: str
    data: bytes

    @property
    def id(self) -> str:
        return f"{self.kind} {self.path} {self.how}"


@cache
def the_story() -> LogBuilder:
    """The story's log, made once for all that only read it."""
    return story()


@cache
def chosen() -> dict[str, int]:
    """Of each type the entry with the longest body; not the last of the log, for which no successor speaks."""
    found: dict[str, tuple[int, int]] = {}
    for index, data in enumerate(the_story().entries[:-1]):
        entry = json.loads(data)
        size = len(encode(entry["body"]))
        if size > found.get(entry["type"], (-1, 0))[0]:
            found[entry["type"]] = size, index
    return {kind: index for kind, (_size, index) in found.items()}


def mutants(kind: str) -> Iterator[Mutant]:
    """Every mutant of the chosen entry of a type."""
    index = chosen()[kind]
    entry = json.loads(the_story().entries[index])
    for path, how, value in (*_of_body(entry), *_of_envelope(entry)):
        yield Mutant(kind, index, path, how, encode(value))


def _of_body(entry: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for place in ((name, *rest) for name in ("body", "commitments") for rest in _places(entry[name])):
        path = ".".join(map(str, place))
        holder, last = _at(entry, place[:-1]), place[-1]
        if type(holder[last]) in (dict, list):
            yield path, "added", _with(entry, place, _enlarged)
        else:
            yield path, "changed", _with(entry, place, _another)
        if place[0] == "body":
            made = copy.deepcopy(entry)
            del _at(made, place[:-1])[last]
            yield path, "removed", made
    yield "body", "added", _with(entry, ("body",), _enlarged)


def _of_envelope(entry: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in ENVELOPE:
        yield name, "changed", _with(entry, (name,), _another_envelope(name))


def _places(value: Any) -> Iterator[tuple[str | int, ...]]:
    """The way to everything within; of `commitments`, whose form is fixed, to its texts alone."""
    keys: Any = value if type(value) is dict else range(len(value)) if type(value) is list else ()
    for key in keys:
        if not (type(value) is list and type(value[key]) is dict and value[key].keys() >= {"ciphertext"}):
            yield (key,)
        yield from ((key, *rest) for rest in _places(value[key]))


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _with(
    entry: dict[str, Any], place: tuple[str | int, ...], change: Callable[[Any], Any]
) -> dict[str, Any]:
    made = copy.deepcopy(entry)
    holder = _at(made, place[:-1])
    holder[place[-1]] = change(holder[place[-1]])
    return made


def _enlarged(value: Any) -> Any:
    return {**value, "zz_added": 1} if type(value) is dict else [*value, 0]


def _another(value: Any) -> Any:
    """A value of the same kind: of a text one that differs in its last character, and may be of the same form."""
    if type(value) is str:
        return value[:-1] + ("1" if value[-1:] == "0" else "0")
    if type(value) is bool:
        return not value
    return value + 1 if type(value) is int else 0


def _another_envelope(name: str) -> Callable[[Any], Any]:
    if name == "subject":
        return lambda value: None if value else "sub_" + "d4" * 13
    if name == "occurred_at":
        return lambda value: "2026-11-01T07:59:59.000000Z" if value is None else None
    if name == "time":
        return lambda value: value.replace(".000000Z", ".000001Z")
    if name == "type":
        return lambda value: "system.started" if value != "system.started" else "system.stopped"
    return lambda value: f"{value}x"


class Ranges:
    """Bundles of the mutants of one entry: the entry, that before and that after it."""

    def __init__(self, index: int) -> None:
        log = the_story()
        self.index, self.begin, self.end = index, max(0, index - 1), index + 2
        # The first key: a later one does not speak for heads before it.
        self.anchors = Anchors(keys=(log.retired[0][1].verifier,))
        # Under the last head before the log's key was rotated: to follow a key takes as long as all the rest.
        size = min(at for at, _text in log.introductions) - 1
        size = size if self.end <= size else len(log.entries)
        self._more: dict[str, Any] = {
            "checkpoint_note": log.checkpoint(size),
            "range_hashes": compact_range(self.begin, log.node),
            "consistency": consistency_proof(self.end, size, log.node),
            "introductions": [
                (text, consistency_proof(at, size, log.node)) for at, text in log.introductions if at <= size
            ],
        }

    @property
    def chained_names(self) -> int | None:
        """The entry that a chain made anew points to: the last one of a log from its start, else none."""
        return self.end - 1 if self.begin == 0 else None

    def left_alone(self, mutant: Mutant, path: Path) -> Path:
        """The neighbours as they were: what the mutant is not any more, its successor says."""
        entries = list(the_story().entries[self.begin : self.end])
        entries[self.index - self.begin] = mutant.data
        return self._written(entries, path)

    def chained(self, mutant: Mutant, path: Path) -> Path:
        """The successor names the mutant, and only the signed head is against it."""
        entries = list(the_story().entries[self.begin : self.end])
        at = self.index - self.begin
        entries[at] = mutant.data
        if at + 1 < len(entries):
            after = json.loads(entries[at + 1])
            entries[at + 1] = encode({**after, "prev": leaf_hash(mutant.data).hex()})
        return self._written(entries, path)

    def verify(self, path: Path) -> Report:
        return verify_bundle(path, self.anchors)

    def _written(self, entries: list[bytes], path: Path) -> Path:
        return the_story()._write(path, Scope.RANGE, self.begin, self.end, entries, **self._more)
