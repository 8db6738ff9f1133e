"""What the entries of a log say to a rule: each kind of rule as something that is shown the entries once, in log order.

A rule counts what it concerns, and of that what holds, what does not, and what cannot be told: where entries may stand
outside of those shown, before them or between them, or where a time has not run out, what is missing is open, not
failed. Kept are counts, the first few indexes, what is waited for, and the keys of what has to come before something or
to be the only one: memory grows with the inferences of a log, by some 0.6 KB for one that a person signs, and by no
more where entries hold long values. `kept` counts what is remembered, so that whoever shows the entries can stop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from attending.ledger.entry import Entry, parse_time
from attending.server.controls.fields import (
    ABSENT,
    all_of,
    any_of,
    brief_of,
    due_of,
    key_of,
    keys_of,
    types_of,
)
from attending.server.controls.language import (
    EachFollowed,
    EachHas,
    EachPreceded,
    NoneAfter,
    NoneOf,
    Reaches,
    Regularly,
    Rule,
    Some,
    Unique,
)

MOST_INDEXES: Final = 5


@dataclass(frozen=True, slots=True)
class Extent:
    """What is known of the entries that were shown."""

    whole: bool
    """From the log's first entry on, context included, without a gap."""
    gaps: bool
    first_time: str
    last_time: str
    first_index: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule found: of `applies` entries that it concerns `met` hold, `failed` do not, and `open` are not decided.

    `evidence`, `failures` and `undecided` are the indexes of the first few.
    """

    applies: int = 0
    met: int = 0
    failed: int = 0
    open: int = 0
    needed: int = 1
    evidence: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()

    @property
    def evidenced(self) -> bool:
        return self.failed == 0 and self.met >= self.needed


class Evaluator:
    """Of one rule. `types` are those of the entries that it has to be shown."""

    types: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._applies = self._met = self._failed = 0
        self._evidence: list[int] = []
        self._failures: list[int] = []

    def visit(self, entry: Entry) -> None:
        """Looks at one entry of its types. Never raises, whatever the body holds."""
        raise NotImplementedError

    @property
    def kept(self) -> int:
        """How many keys are remembered, and how many that wait; each is bounded in size."""
        return 0

    def begin(self, last_time: str, *, complete: bool) -> None:
        """What was shown so far, the last of it at `last_time`, was context: it may be rested on, and counts for
        nothing. `complete` where that is everything from the log's first entry on.
        """
        self._applies = self._met = self._failed = 0
        self._evidence.clear()
        self._failures.clear()

    def outcome(self, extent: Extent) -> Outcome:
        """What was found. Called once."""
        return self._found(0)

    def _hold(self, index: int) -> None:
        self._met += 1
        if len(self._evidence) < MOST_INDEXES:
            self._evidence.append(index)

    def _fail(self, index: int) -> None:
        self._failed += 1
        if len(self._failures) < MOST_INDEXES:
            self._failures.append(index)

    def _open(self) -> Outcome:
        """Of entries with others between them that were not shown: what decides may be among these."""
        known = tuple(sorted((*self._evidence, *self._failures))[:MOST_INDEXES])
        return Outcome(self._applies, open=self._applies, undecided=known)

    def _of_a_part(self) -> Outcome:
        """What fails in a part of a log fails in the whole; that nothing fails has to be seen from the beginning on."""
        return replace(self._found(self._met, self._evidence), met=0, evidence=())

    def _found(self, undecided: int, places: Iterable[int] = ()) -> Outcome:
        return Outcome(
            self._applies,
            self._met,
            self._failed,
            undecided,
            evidence=tuple(self._evidence),
            failures=tuple(sorted(self._failures)[:MOST_INDEXES]),
            undecided=tuple(sorted(places)[:MOST_INDEXES]),
        )


class _Some(Evaluator):
    def __init__(self, rule: Some) -> None:
        super().__init__()
        self._is, self._needed = any_of(rule.some), rule.at_least
        self.types = types_of(rule.some)

    def visit(self, entry: Entry) -> None:
        if self._is(entry):
            self._applies += 1
            self._hold(entry.index)

    def outcome(self, extent: Extent) -> Outcome:
        return replace(self._found(0), needed=self._needed)


class _NoneOf(Evaluator):
    def __init__(self, rule: NoneOf) -> None:
        super().__init__()
        self._is, self._base = any_of(rule.none), any_of(rule.among)
        self.types = types_of(rule.none) | types_of(rule.among)

    def visit(self, entry: Entry) -> None:
        base, forbidden = self._base(entry), self._is(entry)
        self._applies += base or forbidden
        if forbidden:
            self._fail(entry.index)
        elif base:
            self._hold(entry.index)


class _NoneAfter(Evaluator):
    def __init__(self, rule: NoneAfter) -> None:
        super().__init__()
        self._is, self._after = any_of(rule.none), any_of(rule.after)
        self._ends = any_of(rule.ended_by or ())
        self.types = types_of(rule.none) | types_of(rule.after) | types_of(rule.ended_by or ())
        self._may_end = rule.ended_by is not None
        self._each, self._other = keys_of(rule.join)
        self._standing: set[object] = set()

    def visit(self, entry: Entry) -> None:
        if self._is(entry):
            self._applies += 1
            forbidden = bool(self._standing) and self._each(entry) in self._standing
            (self._fail if forbidden else self._hold)(entry.index)
        if self._ends(entry):
            self._standing.discard(self._other(entry))
        elif self._after(entry):
            self._standing.add(self._other(entry))

    @property
    def kept(self) -> int:
        return len(self._standing)

    def outcome(self, extent: Extent) -> Outcome:
        if extent.gaps and self._may_end:
            return self._open()
        return self._found(0) if extent.whole else self._of_a_part()


class _EachHas(Evaluator):
    def __init__(self, rule: EachHas) -> None:
        super().__init__()
        self._is, self._holds = any_of(rule.each), all_of(rule.has)
        self.types = types_of(rule.each)

    def visit(self, entry: Entry) -> None:
        if self._is(entry):
            self._applies += 1
            (self._hold if self._holds(entry) else self._fail)(entry.index)


class _EachFollowed(Evaluator):
    def __init__(self, rule: EachFollowed) -> None:
        super().__init__()
        self._is, self._answers = any_of(rule.each), any_of(rule.followed_by)
        self.types = types_of(rule.each) | types_of(rule.followed_by)
        self._each, self._other = keys_of(rule.join)
        self._differ = None if rule.differ is None else brief_of(rule.differ)
        self._due = due_of(rule.within, rule.since, rule.until)
        self._waiting: dict[object, list[tuple[int, str, object]]] = {}
        self._waits = 0

    @property
    def kept(self) -> int:
        return self._waits

    def visit(self, entry: Entry) -> None:
        if self._answers(entry) and (waiting := self._waiting.pop(self._other(entry), None)):
            said = None if self._differ is None else self._differ(entry)
            still = []
            for index, due, own in waiting:
                if self._differ is not None and (own is ABSENT or said is ABSENT or own == said):
                    still.append((index, due, own))
                else:
                    (self._hold if entry.time <= due else self._fail)(index)
            self._waits -= len(waiting) - len(still)
            if still:
                self._waiting[self._other(entry)] = still
        if self._is(entry):
            self._applies += 1
            by, key = self._due(entry), self._each(entry)
            if by is None or key is None:
                # Nothing says by when, or what it would be joined with: no answer could be the one.
                self._fail(entry.index)
                return
            own = None if self._differ is None else self._differ(entry)
            self._waiting.setdefault(key, []).append((entry.index, by, own))
            self._waits += 1

    def begin(self, last_time: str, *, complete: bool) -> None:
        super().begin(last_time, complete=complete)
        # Whose time ran out before is of the period before; who still has time is of the one in which it runs out, or
        # no period would ever tell of an answer that takes longer than a period and never came.
        waiting, self._waiting = self._waiting, {}
        for key, some in waiting.items() if complete else ():
            if still := [one for one in some if one[1] >= last_time]:
                self._waiting[key] = still
                self._applies += len(still)
        self._waits = self._applies

    def outcome(self, extent: Extent) -> Outcome:
        if extent.gaps and self._failed:
            return self._open()
        undecided: list[int] = []
        for waiting in self._waiting.values():
            for index, due, _own in waiting:
                if due < extent.last_time and not extent.gaps:
                    self._fail(index)
                else:
                    undecided.append(index)
        return self._found(len(undecided), undecided)


class _EachPreceded(Evaluator):
    def __init__(self, rule: EachPreceded) -> None:
        super().__init__()
        self._is, self._before = any_of(rule.each), any_of(rule.preceded_by)
        self._ends = any_of(rule.ended_by or ())
        self.types = types_of(rule.each) | types_of(rule.preceded_by) | types_of(rule.ended_by or ())
        self._each, self._other = keys_of(rule.join)
        self._differ = None if rule.differ is None else brief_of(rule.differ)
        self._ended: set[object] = set()
        self._seen: dict[object, tuple[object, ...]] = {}
        """Of each key up to two values in which the other has to differ: whatever it is, it differs from one of two."""
        self._missing: list[int] = []
        self._missing_total = 0

    @property
    def kept(self) -> int:
        return len(self._seen) + len(self._ended)

    def visit(self, entry: Entry) -> None:
        if self._is(entry):
            self._applies += 1
            key = self._each(entry)
            if key is not None and self._precedes(entry, key):
                self._hold(entry.index)
            elif key is None or key in self._ended:
                self._fail(entry.index)
            else:
                self._missing_total += 1
                if len(self._missing) < MOST_INDEXES:
                    self._missing.append(entry.index)
        if self._ends(entry):
            key = self._other(entry)
            self._seen.pop(key, None)
            self._ended.add(key)
        elif self._before(entry) and (key := self._other(entry)) is not None:
            self._ended.discard(key)
            known = self._seen.get(key, ())
            value = None if self._differ is None else self._differ(entry)
            if value is not ABSENT and value not in known and len(known) < 2:
                self._seen[key] = (*known, value)

    def begin(self, last_time: str, *, complete: bool) -> None:
        super().begin(last_time, complete=complete)
        self._missing.clear()
        self._missing_total = 0

    def _precedes(self, entry: Entry, key: object) -> bool:
        known = self._seen.get(key)
        if known is None or self._differ is None:
            return known is not None
        own = self._differ(entry)
        return own is not ABSENT and any(value != own for value in known)

    def outcome(self, extent: Extent) -> Outcome:
        if extent.gaps and self._failed:
            return self._open()
        if not extent.whole:
            # What comes before them may stand outside of what was shown.
            return self._found(self._missing_total, self._missing)
        for index in self._missing:
            self._fail(index)
        self._failed += self._missing_total - len(self._missing)
        return self._found(0)


class _Unique(Evaluator):
    def __init__(self, rule: Unique) -> None:
        super().__init__()
        self._is, self._by = any_of(rule.unique), key_of(rule.by)
        self._per = None if rule.per is None else key_of(rule.per)
        self.types = types_of(rule.unique)
        self._seen: dict[object, object] = {}

    @property
    def kept(self) -> int:
        return len(self._seen)

    def visit(self, entry: Entry) -> None:
        if not self._is(entry):
            return
        self._applies += 1
        value, per = self._by(entry), entry.index if self._per is None else self._per(entry)
        if value is None or per is None or self._seen.setdefault(value, per) != per:
            self._fail(entry.index)
        else:
            self._hold(entry.index)

    def outcome(self, extent: Extent) -> Outcome:
        return self._found(0) if extent.whole else self._of_a_part()


class _Regularly(Evaluator):
    def __init__(self, rule: Regularly) -> None:
        super().__init__()
        self._is, self._every = any_of(rule.regularly), rule.every.delta
        self.types = types_of(rule.regularly)
        self._last: Entry | None = None
        self._first: Entry | None = None
        self._begun = False
        """Whether there was one before those that are judged: then their beginning is none."""

    def visit(self, entry: Entry) -> None:
        if not self._is(entry):
            return
        self._applies += 1
        if self._last is not None and self._late(self._last.time, entry.time):
            self._fail(entry.index)
        else:
            self._hold(entry.index)
        self._first, self._last = self._first or entry, entry

    def begin(self, last_time: str, *, complete: bool) -> None:
        super().begin(last_time, complete=complete)
        if not complete:
            # The last one that was shown need not be the last one.
            self._first = self._last = None
        self._begun = self._last is not None

    def outcome(self, extent: Extent) -> Outcome:
        if extent.gaps:
            return self._open()
        if self._last is not None and self._late(self._last.time, extent.last_time):
            self._fail(self._last.index)
        until = extent.last_time if self._first is None else self._first.time
        # Also in a part of a log: whatever came before it, there was none for so long.
        if not self._begun and extent.first_time and self._late(extent.first_time, until):
            self._fail(extent.first_index if self._first is None else self._first.index)
        return self._found(0)

    def _late(self, since: str, until: str) -> bool:
        return parse_time(until) - parse_time(since) > self._every


class _Reaches(Evaluator):
    def __init__(self, rule: Reaches) -> None:
        super().__init__()
        self._back = rule.reaches_back.delta

    def outcome(self, extent: Extent) -> Outcome:
        if not extent.whole or not extent.first_time:
            return Outcome()
        if parse_time(extent.last_time) - parse_time(extent.first_time) < self._back:
            return Outcome(applies=1, open=1)
        return Outcome(applies=1, met=1, evidence=(extent.first_index,))


def evaluator_of(rule: Rule) -> Evaluator:
    """What evaluates a rule."""
    match rule:
        case Some():
            return _Some(rule)
        case NoneOf():
            return _NoneOf(rule)
        case NoneAfter():
            return _NoneAfter(rule)
        case EachHas():
            return _EachHas(rule)
        case EachFollowed():
            return _EachFollowed(rule)
        case EachPreceded():
            return _EachPreceded(rule)
        case Unique():
            return _Unique(rule)
        case Regularly():
            return _Regularly(rule)
        case Reaches():
            return _Reaches(rule)
