"""The change register: what was in force at the end of a period, what changed in it, and which outputs saw a version.

`in_force` are policies, drug knowledge, prompt labels, models, indexes and documents as their entries left them, and
what was halted; `in_use` are models and rails as inferences name them, which are in force by being asked. `change` are
the entries of the period that put something in force or out of it. `output` are the inferences, of any time up to the
end, that saw what was asked for: that were made or judged by it, or were given it. A document is known by its id from
its registration on; for what was given it before, ask by its content hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.registers.standing import Standing, Uses, details, said, used

COLUMNS: Final = ("list", "entry", "time", "what", "name", "version", "by", "detail")
CHANGES: Final = frozenset(
    {
        *("policy.activated", "policy.retired", "policy.version"),
        *("knowledge.activated", "knowledge.rejudged", "knowledge.version"),
        *("prompt.version", "prompt.label"),
        *("model.registered", "model.approved", "model.retired"),
        *("rag.version", "document.registered", "document.withdrawn"),
        *("key.rotated", "system.halted", "system.resumed", "eval.completed"),
    }
)
_STATES: Final = {
    "inference.requested": "asked for",
    "inference.generated": "generated",
    "inference.held": "held",
    "inference.released": "released",
    "inference.blocked": "blocked",
    "inference.failed": "failed",
    "inference.abandoned": "abandoned",
    "inference.withdrawn": "withdrawn after release",
    "review.rejected": "refused",
    "review.expired": "expired",
}


@dataclass(slots=True)
class _Output:
    """An inference that saw what was asked about, and what became of it."""

    entry: Entry
    saw: str
    state: str
    deliveries: int = 0


@dataclass
class _Changes:
    asked: Asked
    standing: Standing = field(default_factory=Standing)
    uses: Uses = field(default_factory=Uses)
    wanted: set[str] = field(default_factory=set)
    outputs: dict[str, _Output] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.asked.version:
            self.wanted.add(_digits(self.asked.version))

    def visit(self, entry: Entry) -> None:
        self.standing.visit(entry)
        if entry.type == "document.registered" and self.asked.version == entry.body.get("document_id"):
            digest = entry.body.get("content_hash")
            if type(digest) is str:
                self.wanted.add(_digits(digest))
        for key in used(entry):
            self.uses.add(entry, key)
        if entry.type in ("inference.requested", "inference.generated"):
            self._see(entry)
        if (output := self.outputs.get(entry.stream)) is not None:
            output.state = _STATES.get(entry.type, output.state)
            output.deliveries += entry.type == "inference.delivered"

    def _see(self, entry: Entry) -> None:
        if not self.wanted or entry.stream in self.outputs:
            return
        saw = next((name for name, value in _seen(entry.body) if _digits(value) in self.wanted), None)
        if saw is not None:
            self.outputs[entry.stream] = _Output(entry, saw, _STATES[entry.type])

    def result(self) -> Iterator[Row]:
        for what, marks, more in self.standing.result():
            for name, mark in marks:
                place = "in_force", mark.entry, mark.time, what
                yield (*place, name, mark.version, mark.actor, mark.detail)
            if more:
                yield ("in_force", None, None, what, f"and at the most {more} more", "", None, None)
        for (what, name, version), one in self.uses.result():
            told = f"{one.count} texts; last {one.last}"
            yield ("in_use", one.entry, one.time, what, name, version, "", told)
        for stream, output in self.outputs.items():
            entry = output.entry
            told = f"{output.state}; deliveries {output.deliveries}"
            yield (
                "output",
                entry.index,
                entry.time,
                output.saw,
                stream,
                self.asked.version,
                entry.actor,
                told,
            )


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """The changes of the period as they come, then what stood at its end, then the outputs."""
    found = _Changes(asked)
    for entry in entries:
        if entry.time >= asked.until:
            break
        found.visit(entry)
        if entry.type in CHANGES and asked.within(entry.time):
            _what, name, version = said(entry)
            yield ("change", entry.index, entry.time, entry.type, name, version, entry.actor, details(entry))
    yield from found.result()


def _seen(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(which, value) of everything that an inference says it was made or judged by."""
    for name in ("policy_hash", "knowledge_hash", "prompt_version", "model", "fingerprint"):
        value = body.get(name)
        if type(value) is str:
            yield name, value
    documents = body.get("public_documents")
    for value in documents if type(documents) is list else ():
        if type(value) is str:
            yield "document", value
    runs = body.get("rails")
    for run in runs if type(runs) is list else ():
        if isinstance(run, Mapping) and type(run.get("version")) is str:
            yield "rail", run["version"]


def _digits(value: str) -> str:
    """A hash alike with and without its algorithm."""
    return value.removeprefix("sha256:")


REGISTER: Final = Register("change", COLUMNS, rows)
