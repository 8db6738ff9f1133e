"""The change register: what was in force at the end of a period, what changed in it, and which outputs saw a version.

`in_force` are policies, drug knowledge, prompt labels, models, indexes and documents as their entries left them, and
what was halted; `in_use` are models and rails as inferences name them, which are in force by being asked. `change` are
the entries of the period that put something in force or out of it. `output` are the inferences, of any time up to the
end, that saw what was asked for: that were made or judged by it, or were given it. A document is known by its id from
its registration on; for what was given it before, ask by its content hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.activations import REGISTRY
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.tally import MOST_LABELS, label

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
_ENDS: Final = frozenset({"policy.retired", "model.retired", "document.withdrawn", "system.resumed"})
_BEGINS: Final = frozenset(
    {
        *("policy.activated", "knowledge.activated", "prompt.label", "model.registered", "model.approved"),
        *("rag.version", "document.registered", "system.halted", "key.rotated"),
    }
)
MOST_STANDING: Final = 5_000
"""Of each kind that are listed as in force; of more it is said that there are."""
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


@dataclass(slots=True)
class _Used:
    """What inferences name: a model or a rail, with the first and the newest entry that does."""

    first: Entry
    count: int = 0
    last: str = ""


@dataclass
class _Changes:
    asked: Asked
    standing: dict[str, dict[str, Entry]] = field(default_factory=dict)
    more: Counter[str] = field(default_factory=Counter)
    used: dict[tuple[str, str, str], _Used] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    outputs: dict[str, _Output] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.asked.version:
            self.wanted.add(_digits(self.asked.version))

    def visit(self, entry: Entry) -> None:
        if entry.type in _BEGINS or entry.type in _ENDS:
            self._stand(entry)
        if entry.type in ("inference.requested", "inference.generated"):
            self._use(entry)
            self._see(entry)
        if (output := self.outputs.get(entry.stream)) is not None:
            output.state = _STATES.get(entry.type, output.state)
            output.deliveries += entry.type == "inference.delivered"

    def _stand(self, entry: Entry) -> None:
        what, name, _version = said(entry)
        standing = self.standing.setdefault(what, {})
        if entry.type in _ENDS:
            standing.pop(name, None)
        elif len(standing) < MOST_STANDING or name in standing:
            standing[name] = entry
        else:
            self.more[what] += 1
        if entry.type == "document.registered" and self.asked.version == entry.body.get("document_id"):
            digest = entry.body.get("content_hash")
            if type(digest) is str:
                self.wanted.add(_digits(digest))

    def _use(self, entry: Entry) -> None:
        body = entry.body
        runs = body.get("rails")
        named = [
            ("rail", label(run.get("name")), label(run.get("version")))
            for run in (runs if type(runs) is list else ())
            if isinstance(run, Mapping)
        ]
        if entry.type == "inference.generated":
            named.append(("model", f"{label(body.get('provider'))} {label(body.get('model'))}", _print(body)))
        for key in named:
            if key not in self.used and len(self.used) >= MOST_LABELS:
                continue
            one = self.used.setdefault(key, _Used(entry))
            one.count += 1
            one.last = entry.time

    def _see(self, entry: Entry) -> None:
        if not self.wanted or entry.stream in self.outputs:
            return
        saw = next((name for name, value in _seen(entry.body) if _digits(value) in self.wanted), None)
        if saw is not None:
            self.outputs[entry.stream] = _Output(entry, saw, _STATES[entry.type])

    def result(self) -> Iterator[Row]:
        for what, standing in sorted(self.standing.items()):
            for name, entry in sorted(standing.items()):
                version = said(entry)[2]
                yield ("in_force", entry.index, entry.time, what, name, version, entry.actor, _by(entry))
            if more := self.more[what]:
                yield ("in_force", None, None, what, f"and at the most {more} more", "", None, None)
        for (what, name, version), one in sorted(self.used.items()):
            told = f"{one.count} texts; last {one.last}"
            yield ("in_use", one.first.index, one.first.time, what, name, version, "", told)
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
            yield ("change", entry.index, entry.time, entry.type, name, version, entry.actor, _by(entry))
    yield from found.result()


def said(entry: Entry) -> tuple[str, str, str]:
    """(what, name, version) that an entry moves; a body that says otherwise is NOT_STATED."""
    body = entry.body
    match entry.type.partition(".")[0]:
        case "policy" if entry.stream == REGISTRY:
            return "policy", "the first start", ""
        case "policy":
            return "policy", label(body.get("name")), label(body.get("policy_hash"))
        case "knowledge":
            return "drug knowledge", "", label(body.get("knowledge_hash"))
        case "prompt":
            named = label(body.get("name"))
            tag = body.get("label")
            return "prompt", f"{named} {label(tag)}" if tag is not None else named, label(body.get("version"))
        case "model":
            named = f"{label(body.get('provider'))} {label(body.get('model'))}"
            return "registered model", named, label(body.get("revision"))
        case "rag":
            return "index", label(body.get("index_id")), label(body.get("version"))
        case "document":
            named = f"{label(body.get('document_id'))} {label(body.get('version'))}"
            return "document", named, label(body.get("content_hash"))
        case "system":
            return "halt", label(body.get("policy") or "everything"), label(body.get("reason"))
        case "key":
            return "signing key", "", label(body.get("new"))
    return "evaluation", label(body.get("eval_id")), label(body.get("target_version"))


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


def _print(body: Mapping[str, Any]) -> str:
    """What the provider said of the build that answered."""
    value = body.get("fingerprint")
    return label(value) if type(value) is str and value else ""


def _by(entry: Entry) -> str:
    said = [
        f"{name}={label(entry.body[name])}"
        for name in ("by", "requested_by", "version", "mode", "reason", "replaces", "replaced_by")
        if type(entry.body.get(name)) is str
    ]
    return "; ".join(said)


REGISTER: Final = Register("change", COLUMNS, rows)
