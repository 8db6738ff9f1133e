"""Logs in which one thing is as a rule forbids, made from a log in which it holds: a query that none of them fails is
none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from attending.ledger.entry import Entry, format_time, parse_time
from attending.server.controls.fields import any_of
from attending.server.controls.language import (
    EachFollowed,
    EachHas,
    EachPreceded,
    Join,
    NoneAfter,
    NoneOf,
    Reaches,
    Regularly,
    Rule,
    Some,
    Unique,
)

Story = Sequence[Entry]


def matching(story: Story, selects: Any) -> list[Entry]:
    test = any_of(selects)
    return [entry for entry in story if test(entry)]


def numbered(story: Sequence[Entry]) -> list[Entry]:
    """Without a gap again, as another log would have been."""
    return [replace(entry, index=index) for index, entry in enumerate(story)]


def without(story: Story, gone: Sequence[Entry]) -> list[Entry]:
    indexes = {entry.index for entry in gone}
    return numbered([entry for entry in story if entry.index not in indexes])


def later(story: Story, **parts: float) -> list[Entry]:
    """With a last entry so much later."""
    last = story[-1]
    time = format_time(parse_time(last.time) + timedelta(**parts))
    return numbered([*story, replace(last, type="system.started", stream="x", body={}, time=time)])


def changed(entry: Entry, path: str, value: Any) -> Entry:
    if path == "commitments":
        return replace(entry, commitments=())
    if not path.startswith("body."):
        return replace(entry, **{path: value})

    def put(body: Any, names: list[str]) -> dict[str, Any]:
        found = dict(body) if isinstance(body, dict) else {}
        found[names[0]] = value if len(names) == 1 else put(found.get(names[0]), names[1:])
        return found

    return replace(entry, body=put(entry.body, path.split(".")[1:]))


def swapped(story: Story, one: Entry, other: Entry) -> list[Entry]:
    return [other if entry.index == one.index else entry for entry in story]


def field(entry: Entry, path: str) -> Any:
    found: Any = entry
    for number, name in enumerate(path.split(".")):
        inner = found.get(name) if isinstance(found, dict) else None
        found = inner if number else getattr(entry, name)
    return found


def mutants(rule: Rule, story: Story) -> Iterator[tuple[str, list[Entry]]]:
    """Name and log. IndexError where the story holds nothing that the rule concerns."""
    match rule:
        case Some():
            yield "nothing of it", without(story, matching(story, rule.some))
        case NoneOf():
            one = matching(story, rule.among)[0]
            forbidden = replace(one, type=rule.none[0].types[0])
            yield "one of what is forbidden", numbered([*story, forbidden])
        case EachHas():
            one = matching(story, rule.each)[0]
            for path, condition in rule.has.items():
                value = "x" if condition.present is False else None
                yield f"one without `{path}`", swapped(story, one, changed(one, path, value))
        case EachFollowed():
            matching(story, rule.each)[0]
            answers = matching(story, rule.followed_by)
            yield "no answer", later(without(story, answers), days=4000)
            late = timedelta(days=4000)
            moved = [
                replace(entry, time=format_time(parse_time(entry.time) + late))
                for entry in [*answers, *later(story, days=1)[-1:]]
            ]
            yield "answers too late", numbered([*without(story, answers), *moved])
            if rule.differ is not None:
                yield (
                    "answered by the same",
                    later(_same(rule.differ, story, rule, rule.followed_by), days=4000),
                )
        case EachPreceded():
            matching(story, rule.each)[0]
            before = matching(story, rule.preceded_by)
            yield "nothing before", without(story, [e for e in before if e not in matching(story, rule.each)])
            if rule.differ is not None:
                yield "by the same", _same(rule.differ, story, rule, rule.preceded_by)
            if rule.ended_by is not None:
                one = matching(story, rule.each)[-1]
                ended = _joined(one, rule.join, rule.ended_by[0])
                yield "ended before", numbered([*story[: one.index], ended, *story[one.index :]])
        case NoneAfter():
            one = matching(story, rule.none)[-1]
            after = _joined(one, rule.join, rule.after[0])
            yield "one after it", numbered([*story, after, one])
        case Unique():
            one = matching(story, rule.unique)[0]
            other = one if rule.per is None else changed(one, rule.per, "somebody-else")
            yield "twice the same", numbered([*story, other])
        case Regularly():
            found = matching(story, rule.regularly)
            yield "none for too long", later(story, days=4000)
            yield "none at all", later(without(story, found), days=4000)
        case Reaches():
            yield "a short log", list(story[:3])


def _same(path: str, story: Story, rule: EachFollowed | EachPreceded, selects: Any) -> list[Entry]:
    """Every one of `selects` is by whoever did the one that it is joined with."""
    each = {tuple(field(e, j.each) for j in rule.join): field(e, path) for e in matching(story, rule.each)}
    found = list(story)
    for other in matching(story, selects):
        name = tuple(field(other, join.other) for join in rule.join)
        if name in each:
            found = swapped(found, other, changed(other, path, each[name]))
    return found


def _joined(one: Entry, joins: Sequence[Join], select: Any) -> Entry:
    """An entry as `select` wants it that is joined with `one`."""
    made = replace(one, type=select.types[0], body={}, commitments=())
    for path, condition in (select.where or {}).items():
        value = condition.is_ if condition.is_ is not None else (condition.in_ or ("human:x",))[0]
        if condition.starts_with is not None:
            value = condition.starts_with + "x"
        made = changed(made, path, value)
    for join in joins:
        if join.other != "log":
            made = changed(made, join.other, field(one, join.each))
    return made
