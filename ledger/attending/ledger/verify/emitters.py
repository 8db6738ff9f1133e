"""Completeness of what came from outside: entries issued and never arrived, told from the entries alone.

Whoever sends events numbers them 1, 2, 3 and so on without gaps. The number stands in the entry, under `emitter`
in its body: {`id`, `sequence`}. An emitter is named by the entry's actor and its id. The last sequence issued is
declared by a `session.ended` entry whose body holds `emitter`: {`id`} and `issued`; without it a lost end cannot
be seen. This module is pure; the server keeps its projection with the same code.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Findings

CLOSING_TYPE: Final = "session.ended"
"""Entry type of the declaration."""
MAX_SEQUENCE: Final = 2**53 - 1
EMITTER_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHOWN_RANGES: Final = 10
_SHOWN_EMITTERS: Final = 50


class Sequences:
    """Which of 1, 2, 3 and so on have been seen, as ranges: small where they come nearly in order.

    INVARIANT: `_firsts` and `_lasts` are sorted, and between two ranges at least one number is missing.
    """

    __slots__ = ("_firsts", "_lasts", "count")

    def __init__(self, ranges: Iterable[Sequence[int]] = ()) -> None:
        """`ranges` as `ranges()` gave them; ValueError when they are not in that form."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.count = 0
        before = -1
        for first, last in ranges:
            if not (before + 1 < first <= last <= MAX_SEQUENCE) or first < 1:
                raise ValueError("ranges are not sorted, apart and positive")
            self._firsts.append(first)
            self._lasts.append(last)
            self.count += last - first + 1
            before = last

    def __contains__(self, number: object) -> bool:
        if type(number) is not int:
            return False
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def add(self, number: int) -> bool:
        """Notes a number; False when it was there. ValueError unless 1 <= number < 2^53."""
        if not 1 <= number <= MAX_SEQUENCE:
            raise ValueError("sequence is not from 1 to 2^53 - 1")
        firsts, lasts = self._firsts, self._lasts
        place = bisect_right(firsts, number) - 1
        if place >= 0 and number <= lasts[place]:
            return False
        self.count += 1
        joins_before = place >= 0 and lasts[place] == number - 1
        joins_after = place + 1 < len(firsts) and firsts[place + 1] == number + 1
        if joins_before and joins_after:
            lasts[place] = lasts.pop(place + 1)
            firsts.pop(place + 1)
        elif joins_before:
            lasts[place] = number
        elif joins_after:
            firsts[place + 1] = number
        else:
            firsts.insert(place + 1, number)
            lasts.insert(place + 1, number)
        return True

    def copy(self) -> Sequences:
        """One that can be added to without changing this one."""
        made = Sequences()
        made._firsts, made._lasts, made.count = self._firsts.copy(), self._lasts.copy(), self.count
        return made

    @property
    def highest(self) -> int:
        """Highest number seen, 0 for none."""
        return self._lasts[-1] if self._lasts else 0

    @property
    def through(self) -> int:
        """Every number from 1 to this one has been seen; 0 when 1 has not."""
        return self._lasts[0] if self._firsts[:1] == [1] else 0

    @property
    def parts(self) -> int:
        """Number of ranges, which bounds what this takes to keep."""
        return len(self._firsts)

    def ranges(self) -> list[tuple[int, int]]:
        """(first, last) of each unbroken range, in order."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def missing(self, last: int) -> Iterator[tuple[int, int]]:
        """(first, last) of each range of 1 to `last` that has not been seen, in order."""
        begin = 1
        for seen_first, seen_last in zip(self._firsts, self._lasts, strict=True):
            if seen_first > last:
                break
            if begin < seen_first:
                yield begin, seen_first - 1
            begin = seen_last + 1
        if begin <= last:
            yield begin, last

    def missing_count(self, last: int) -> int:
        """How many of 1 to `last` have not been seen."""
        return sum(end - begin + 1 for begin, end in self.missing(last))


@dataclass(slots=True)
class Emitter:
    """What is known of one emitter. `issued` is None until its end is declared; times are the log's."""

    actor: str
    id: str
    sequences: Sequences
    issued: int | None
    first_time: str
    last_time: str

    @property
    def expected(self) -> int:
        """The last sequence that must have arrived: the declared one, or the highest seen."""
        return max(self.issued or 0, self.sequences.highest)


@dataclass(frozen=True, slots=True)
class Counted:
    """What an entry says of its emitter: a sequence, or the last one issued."""

    id: str
    sequence: int | None
    issued: int | None


def counted(entry: Entry) -> Counted | None:
    """The counter in an entry, None for one without; ValueError when it is there and not well formed."""
    value = entry.body.get("emitter")
    if value is None:
        return None
    if type(value) is not dict or type(value.get("id")) is not str or not EMITTER_ID.fullmatch(value["id"]):
        raise ValueError("`emitter` is not well formed")
    if entry.type == CLOSING_TYPE:
        issued = entry.body.get("issued")
        if value.keys() != {"id"} or type(issued) is not int or not 0 <= issued <= MAX_SEQUENCE:
            raise ValueError("declaration of the last sequence is not well formed")
        return Counted(value["id"], None, issued)
    sequence = value.get("sequence")
    if value.keys() != {"id", "sequence"} or type(sequence) is not int:
        raise ValueError("`emitter` is not well formed")
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise ValueError("sequence is out of bounds")
    return Counted(value["id"], sequence, None)


class Emitters:
    """Every emitter of the entries visited. Grows with emitters and their gaps, not with entries."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Emitter] = {}
        self.problems: list[tuple[int, str]] = []
        """(index, what contradicts an earlier entry or is not well formed), the first 100."""

    def __len__(self) -> int:
        return len(self._found)

    def visit(self, entry: Entry) -> None:
        """Counts one entry; entries come in log order."""
        try:
            told = counted(entry)
        except ValueError as err:
            self._problem(entry.index, str(err))
            return
        if told is None:
            return
        key = (entry.actor, told.id)
        emitter = self._found.get(key)
        if emitter is None:
            emitter = Emitter(entry.actor, told.id, Sequences(), None, entry.time, entry.time)
            self._found[key] = emitter
        emitter.last_time = entry.time
        if told.sequence is not None:
            if not emitter.sequences.add(told.sequence):
                self._problem(entry.index, f"sequence {told.sequence} of its emitter was there before")
            elif emitter.issued is not None and told.sequence > emitter.issued:
                self._problem(entry.index, f"sequence {told.sequence} is past the last one declared")
        elif emitter.issued is not None:
            self._problem(entry.index, "the last sequence of its emitter was declared before")
        else:
            emitter.issued = told.issued
            if emitter.sequences.highest > (told.issued or 0):
                self._problem(entry.index, "declared less than what had arrived")

    def all(self) -> list[Emitter]:
        """Every emitter, by actor and id."""
        return [self._found[key] for key in sorted(self._found)]

    def report(self, findings: Findings, *, complete_scope: bool, required: bool) -> None:
        """The results under V7: a line for each emitter that is whole, a doubt for each that is not.

        What is missing was issued and never arrived, which no one can tell from what a log was made to forget:
        the chain rules that out. So it is a doubt about the emitter, and counts in the verdict only where
        `required`. A counter that contradicts another one is a failure: no server of this version writes it.
        """
        for index, detail in self.problems:
            findings.fail("V7", detail, index)
        if not self._found:
            return
        if not complete_scope:
            detail = f"{len(self._found)} emitters: what never arrived is told by scope full only"
            findings.doubt("V7", detail, advisory=not required)
            return
        whole = 0
        for emitter in self.all():
            sequences, last = emitter.sequences, emitter.expected
            name = f"emitter `{emitter.id}` of `{emitter.actor}`"
            missing = sequences.missing_count(last)
            if missing == 0 and emitter.issued is not None:
                whole += 1
                if whole <= _SHOWN_EMITTERS:
                    findings.note("V7", f"{name}: {last} issued, {sequences.count} present")
                continue
            issued = f"{last} issued" if emitter.issued is not None else f"at least {last} issued"
            detail = f"{name}: {issued}, {sequences.count} present"
            if missing:
                detail += f", missing {shown(sequences.missing(last))}"
            if emitter.issued is None:
                detail += "; its last sequence is not declared, so a lost end is not seen"
            findings.doubt("V7", detail, advisory=not required)
        if whole > _SHOWN_EMITTERS:
            findings.note("V7", f"and {whole - _SHOWN_EMITTERS} more emitters, all present")

    def _problem(self, index: int, detail: str) -> None:
        if len(self.problems) < 100:
            self.problems.append((index, detail))


def completeness(entries: Iterable[Entry]) -> Emitters:
    """What the entries of a log, in its order, tell of every emitter."""
    emitters = Emitters()
    for entry in entries:
        emitters.visit(entry)
    return emitters


def shown(ranges: Iterable[tuple[int, int]]) -> str:
    """Ranges for people, the first ten: `2, 5-9, ...`."""
    parts = [str(a) if a == b else f"{a}-{b}" for a, b in islice(ranges, _SHOWN_RANGES + 1)]
    return ", ".join(parts[:_SHOWN_RANGES] + ["..."] * (len(parts) > _SHOWN_RANGES))


def emitter_body(emitter: str, sequence: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of an entry from outside: its own keys and the counter."""
    return {**body, "emitter": {"id": emitter, "sequence": sequence}}


def closing_body(emitter: str, issued: int) -> dict[str, Any]:
    """The body of the entry that declares the last sequence issued."""
    return {"emitter": {"id": emitter}, "issued": issued}
