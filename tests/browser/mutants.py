"""Logs that an operator with the key might write: those of the verifier's tests with entries changed, and signed anew.

Hashes and signatures of such a log all hold; whether its entries are lawful is left to the rules over their meaning,
where two verifiers differ if anywhere.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.errors import CanonicalError, VerificationError
from attending.ledger.merkle import leaf_hash

from tests.ledger.verify.conftest import LogBuilder

Story = list[dict[str, Any]]
"""The entries of a log, as JSON."""

_NO_STORY: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(LookupError, RuntimeError, TypeError, ValueError),
)
"""What reading a bundle that was damaged on purpose may raise."""
_FIELDS: Final = frozenset(
    {"actor", "body", "commitments", "index", "occurred_at", "origin", "prev"}
    | {"stream", "subject", "time", "type", "v"}
)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 2, 91, 2**53 - 1, "", "x", "0" * 64, "ab" * 32, [], {}, [0], [[0, 1]]),
    *("human:dr-rivera", "dr-rivera", "signed", "policy", "break_glass", "approved", "rejected"),
    *(
        "approved_with_edits",
        "clinician",
        "administrator",
        "officer",
        "passkey",
        "practice",
        "seeded",
        "inf_1",
    ),
    *("2026-11-01T08:00:09.000000Z", "2027-11-01T08:00:09.000000Z", ["clinician"], [["pharmacist"]]),
    {"roles": ["clinician"], "count": 1},
)


def stories(cases: Sequence[dict[str, Any]]) -> list[Story]:
    """The logs in recorded bundles of scope full that can be written anew, each once."""
    found: dict[bytes, Story] = {}
    for case in cases:
        if len(case["files"]) != 1:
            continue
        try:
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(case["files"][0]["data"]))) as archive:
                scope = json.loads(archive.read("manifest.json"))["scope"]["kind"]
                data = archive.read("entries.jsonl")
            entries = [json.loads(line) for line in data.splitlines()]
        except _NO_STORY:
            continue
        if scope == "full" and 0 < len(entries) <= 200 and all(map(_is_entry, entries)):
            found.setdefault(data, entries)
    return list(found.values())


def _is_entry(value: object) -> bool:
    return type(value) is dict and value.keys() == _FIELDS and type(value["body"]) is dict


def mutants(logs: Sequence[Story], folder: Path, count: int, seed: int) -> Iterator[tuple[LogBuilder, Path]]:
    """`count` bundles of mutated logs, of every scope, each with its log; the same from the same seed."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        story = copy.deepcopy(chance.choice(logs))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _mutate(story, logs, chance)
        log = _rewritten(story, sort_times=chance.random() < 0.9)
        if log is None:
            continue
        yield log, _exported(log, folder / f"{made}.attending", chance)
        made += 1


def _mutate(story: Story, logs: Sequence[Story], chance: random.Random) -> None:
    """One entry left out, doubled, moved, brought from another log, said of another, or changed within its body."""
    at, kind = chance.randrange(len(story)), chance.randrange(12)
    entry, other = story[at], chance.choice(chance.choice(logs))
    if kind == 0 and len(story) > 1:
        del story[at]
    elif kind == 1:
        story.insert(chance.randrange(len(story) + 1), copy.deepcopy(entry))
    elif kind == 2:
        story.insert(chance.randrange(len(story)), story.pop(at))
    elif kind == 3:
        story.insert(at, copy.deepcopy(other))
    elif kind == 4:
        name = chance.choice(("type", "stream", "actor"))
        entry[name] = other[name]
    else:
        _change(entry["body"], other["body"], chance)


def _change(body: dict[str, Any], other: dict[str, Any], chance: random.Random) -> None:
    places, values = list(_places(body)), [holder[key] for holder, key in _places(other)]
    if not places:
        return
    holder, key = chance.choice(places)
    match chance.randrange(3):
        case 0:
            del holder[key]
        case 1 if values:
            holder[key] = copy.deepcopy(chance.choice(values))
        case _:
            holder[key] = copy.deepcopy(chance.choice(_VALUES))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(object or array, key or index) of everything within."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _rewritten(story: Story, *, sort_times: bool) -> LogBuilder | None:
    """The log of these entries, chained anew; None when one of them cannot be encoded."""
    log, prev = LogBuilder(), "0" * 64
    times = [entry["time"] for entry in story]
    if sort_times:
        times.sort()
    try:
        for index, (entry, time) in enumerate(zip(story, times, strict=True)):
            data = encode({**entry, "index": index, "origin": log.origin, "prev": prev, "time": time})
            log.entries.append(data)
            prev = leaf_hash(data).hex()
    except CanonicalError:
        return None
    return log


def _exported(log: LogBuilder, path: Path, chance: random.Random) -> Path:
    size, scope = len(log.entries), chance.choice(("full", "full", "full", "range", "subset"))
    try:
        if scope == "full":
            return log.full(path, figures=chance.random() < 0.5)
        if scope == "range":
            begin = chance.randrange(size)
            return log.range(path, begin, chance.randrange(begin, size) + 1)
        return log.subset(path, sorted(chance.sample(range(size), chance.randrange(1, size + 1))))
    except VerificationError:
        # Of an entry that is none nothing can be counted.
        return log.full(path, statistics={"entries": size})
