"""The registry snapshot of a bundle, `registries.json`: what stood at the end of its entries, as these tell it. Pure.

Policies and drug knowledge with the version in force and since when, prompt labels and the versions that were
registered, models, indexes and documents, what was halted; and the models, rails and drug knowledge that inferences
name. Each with the index of the entry behind it. A bundle that begins later says of what it holds that it stands, and
nothing of what came before; of chosen entries nothing is said to stand, since any other may have ended it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.registers.standing import MOST_STANDING, Mark, Standing, Uses, used
from attending.ledger.verify.tally import label

FORMAT: Final = "attending-registries/1"
_LATER: Final = re.compile(r"attending-registries/[0-9]{1,9}", re.ASCII)


class Registries:
    """Visits every entry in log order, once, and raises nothing. What is kept is bounded."""

    def __init__(self, scope: Scope, begin: int, end: int) -> None:
        self._scope, self._begin, self._end = scope, begin, end
        self._time: str | None = None
        self._standing = Standing()
        self._uses = Uses()
        self._versions: dict[tuple[str, str], Mark] = {}
        self._more_versions = 0

    def visit(self, entry: Entry) -> None:
        """Takes in what one entry registers, puts in force, takes out of it, or names."""
        self._time = entry.time
        self._standing.visit(entry)
        for key in used(entry):
            self._uses.add(entry, key)
        if entry.type == "inference.generated":
            self._uses.add(entry, ("drug knowledge", "", label(entry.body.get("knowledge_hash"))))
        elif entry.type == "prompt.version":
            self._register(entry)

    def _register(self, entry: Entry) -> None:
        key = label(entry.body.get("name")), label(entry.body.get("version"))
        if key in self._versions:
            return
        if len(self._versions) >= MOST_STANDING:
            self._more_versions += 1
        else:
            self._versions[key] = Mark(entry.index, entry.time, key[1], entry.actor, "")

    def result(self) -> dict[str, Any]:
        """The object of `registries.json`."""
        in_force: dict[str, Any] = {}
        more = {"prompt version": self._more_versions, "in use": self._uses.left_out}
        for what, marks, left_out in self._standing.result():
            in_force[what] = {name or what: _stands(mark) for name, mark in marks}
            more[what] = left_out
        registered: dict[str, Any] = {}
        for (name, version), mark in self._versions.items():
            said = {"by": label(mark.actor), "entry": mark.entry, "time": mark.time}
            registered.setdefault(name, {})[version] = said
        in_use: dict[str, Any] = {}
        for (what, name, version), use in self._uses.result():
            said = {"entry": use.entry, "first": use.time, "last": use.last, "times": use.count}
            in_use.setdefault(what, {}).setdefault(name or what, {})[version] = said
        return {
            "as_of": self._time,
            "format": FORMAT,
            "from": self._begin,
            "in_force": None if self._scope is Scope.SUBSET else in_force,
            "in_use": in_use,
            "more": {name: count for name, count in more.items() if count},
            "prompt_versions": registered,
            "to": self._end,
            "whole": self._scope is not Scope.SUBSET and self._begin == 0,
        }


def _stands(mark: Mark) -> dict[str, Any]:
    return {
        "by": label(mark.actor),
        "detail": mark.detail,
        "entry": mark.entry,
        "since": mark.time,
        "version": mark.version,
    }


def registries_json(found: Mapping[str, Any]) -> bytes:
    """The bytes of `registries.json`: the canonical encoding."""
    return encode(dict(found))


def is_later(name: object) -> bool:
    """Whether a format's name is that of a later version of this one."""
    return type(name) is str and name != FORMAT and _LATER.fullmatch(name) is not None
