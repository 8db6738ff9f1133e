"""A record of an entry: what it was, in which year, by which pseudonym, and what its body counts.

What may stand in a record is a list, and not what is known to be wrong: a field that a later version of an entry has is
left out until somebody puts it here. The list is what `attending.ledger.verify.statistics` reads, so that the figures
of a document are those of its bundle, but for places, times and what was withheld.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry, parse_time
from attending.ledger.verify.identifiers import letters_in
from attending.ledger.verify.tally import inner
from attending.server.reports.deidentified.pseudonyms import Pseudonyms
from attending.server.reports.deidentified.tally import Tally
from attending.server.reports.deidentified.words import Words

_WORDS: Final = frozenset(
    {
        *("policy", "policy_mode", "prompt_version", "provider", "model", "stage", "basis", "mode", "scope"),
        *("disposition", "code", "reason_code", "reason", "severity", "category", "outcome", "refused"),
        *("rating", "purpose", "purpose_of_use", "currency", "kind", "meaning", "role", "status", "what"),
    }
)
_NUMBERS: Final = frozenset(
    {
        *("overdue", "not_enforced", "payloads", "short", "passed", "de_identified"),
        *("count", "phi_replaced", "input_tokens", "output_tokens", "cost_micros", "judged", "proposed"),
    }
)
_TABLES: Final = frozenset({"by_code", "by_severity", "records"})
_INSIDE: Final = frozenset({"findings", "usage", "statement", "reading"})
_LINKED: Final = frozenset({"access", "incident_id"})
"""Codes that tell entries of one matter from those of another."""
_KINDS: Final = {"inf": "inference", "report:": "report", "key:": "key", "access/": "access"}
_MOST_RAILS: Final = 64


class Records:
    """Makes the records of one document, in the order of its entries."""

    def __init__(self, pseudonyms: Pseudonyms, words: Words, tally: Tally) -> None:
        self._pseudonyms = pseudonyms
        self._words = words
        self._tally = tally
        self._began: dict[str, datetime] = {}
        self.count = 0

    def line(self, entry: Entry) -> bytes:
        """The canonical bytes of the next record."""
        tally = self._tally
        tally.add("C", "generalised", 1 + (entry.occurred_at is not None))
        # Its place, the hash of the one before, and what each payload is named and sealed by.
        tally.add("R", "removed", 2 + 3 * len(entry.commitments))
        began, passed = self._when(entry)
        made = {
            "actor": self._actor(entry.actor),
            "body": self._body(entry.body),
            "elapsed_us": passed // timedelta(microseconds=1),
            "record": self.count,
            "stream": self._named(_kind_of(entry.stream), entry.stream),
            "subject": None if entry.subject is None else self._named("subject", entry.subject),
            "type": entry.type,
            "year": began.year,
        }
        self.count += 1
        return encode(made)

    def _when(self, entry: Entry) -> tuple[datetime, timedelta]:
        """When an inference began, and how long ago that was. Of other streams that would run over a New Year, and so
        tell the day of everything in them: each of their entries stands alone.
        """
        at = parse_time(entry.time)
        if not entry.stream.startswith("inf_"):
            return at, timedelta()
        began = self._began.setdefault(entry.stream, at)
        return began, max(timedelta(), at - began)

    def _actor(self, actor: str) -> str:
        kind, colon, _name = actor.partition(":")
        kind = kind if colon and kind in ("app", "human", "system") else "other"
        self._tally.add("A" if kind == "human" else "R", "replaced")
        return self._pseudonyms.of(kind, actor)

    def _named(self, kind: str, name: str) -> str:
        self._tally.add("R", "replaced")
        return self._pseudonyms.of(kind, name)

    def _body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in body.items():
            if name in _WORDS and type(value) is str:
                made[name] = self._words.kept(value, self._tally)
            elif (name in _NUMBERS or name in _WORDS) and (type(value) is bool or type(value) is int):
                made[name] = value
            elif name in _TABLES and isinstance(value, Mapping):
                made[name] = self._table(value)
            elif name in _INSIDE and isinstance(value, Mapping):
                made[name] = self._body(value)
            elif name in _LINKED and type(value) is str:
                made[name] = self._named("matter", value)
            elif name == "practice" and isinstance(value, Mapping):
                made[name] = {}
            elif name == "rails" and type(value) is list:
                made[name] = [self._rail(run) for run in value[:_MOST_RAILS]]
            else:
                self._left_out(value)
        return made

    def _rail(self, run: object) -> dict[str, str]:
        said = inner({"run": run}, "run")
        return {
            name: self._words.kept(said[name], self._tally)
            for name in ("name", "status")
            if type(said.get(name)) is str
        }

    def _table(self, table: Mapping[str, Any]) -> dict[str, int]:
        made: dict[str, int] = {}
        for name, count in table.items():
            if type(count) is int:
                word = self._words.kept(name, self._tally)
                made[word] = min(made.get(word, 0) + count, 2**53 - 1)
        return made

    def _left_out(self, value: object) -> None:
        """Counts what a value that is left out would have told; it is looked at by patterns alone."""
        if isinstance(value, str):
            for letter in letters_in(value):
                self._tally.add(letter, "removed")
        elif isinstance(value, Mapping):
            for one in value.values():
                self._left_out(one)
        elif isinstance(value, list):
            for one in value:
                self._left_out(one)


def _kind_of(stream: str) -> str:
    return next((kind for start, kind in _KINDS.items() if stream.startswith(start)), "stream")
