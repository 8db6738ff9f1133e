"""What stands and what is used, as entries tell it: the reducer of the change register and of the registry snapshot.

Policies, drug knowledge, prompt labels, registered models, indexes, documents, halts and the signing key stand from the
entry that put them there to the one that takes them out. Models and rails are in use by being named by inferences.
What is kept is bounded, whatever bodies hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from attending.ledger.entry import Entry
from attending.ledger.verify.activations import REGISTRY
from attending.ledger.verify.tally import MOST_LABELS, label

MOST_STANDING: Final = 5_000
"""Of each kind that are kept as standing; of more it is counted that there are."""
_ENDS: Final = frozenset({"policy.retired", "model.retired", "document.withdrawn", "system.resumed"})
_BEGINS: Final = frozenset(
    {
        *("policy.activated", "knowledge.activated", "prompt.label", "model.registered", "model.approved"),
        *("rag.version", "document.registered", "system.halted", "key.rotated"),
    }
)
_NAMES: Final = frozenset({"inference.requested", "inference.generated"})
"""Types of entries that name what they were made with."""


class Mark(NamedTuple):
    """What an entry put there, by whom, and what else it says of it."""

    entry: int
    time: str
    version: str
    actor: str
    detail: str


class Standing:
    """Visits every entry in log order and raises nothing."""

    def __init__(self) -> None:
        self._marks: dict[str, dict[str, Mark]] = {}
        self._more: Counter[str] = Counter()

    def visit(self, entry: Entry) -> None:
        """Takes in what one entry puts in force, or out of it."""
        if entry.type not in _BEGINS and entry.type not in _ENDS:
            return
        what, name, version = said(entry)
        marks = self._marks.setdefault(what, {})
        if entry.type in _ENDS:
            marks.pop(name, None)
        elif len(marks) < MOST_STANDING or name in marks:
            marks[name] = Mark(entry.index, entry.time, version, entry.actor, details(entry))
        else:
            self._more[what] += 1

    def result(self) -> Iterator[tuple[str, list[tuple[str, Mark]], int]]:
        """(what, name and mark of each by name, how many more there are at the most), by what."""
        for what, marks in sorted(self._marks.items()):
            yield what, sorted(marks.items()), self._more[what]


@dataclass(slots=True)
class Use:
    """The first entry that names something, how many do, and when the newest did."""

    entry: int
    time: str
    count: int = 0
    last: str = ""


class Uses:
    """What inferences name, by (what, name, version): MOST_LABELS different ones are kept."""

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str, str], Use] = {}
        self.left_out = 0
        """How often something was named that is not kept."""

    def add(self, entry: Entry, key: tuple[str, str, str]) -> None:
        """Counts that an entry names something."""
        one = self._uses.get(key)
        if one is None:
            if len(self._uses) >= MOST_LABELS:
                self.left_out += 1
                return
            one = self._uses[key] = Use(entry.index, entry.time)
        one.count += 1
        one.last = entry.time

    def result(self) -> list[tuple[tuple[str, str, str], Use]]:
        """Each, by its key."""
        return sorted(self._uses.items())


def used(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """(what, name, version) of the rails that an entry of an inference names, and of the model that answered."""
    if entry.type not in _NAMES:
        return
    body = entry.body
    runs = body.get("rails")
    for run in runs if type(runs) is list else ():
        if isinstance(run, Mapping):
            yield "rail", label(run.get("name")), label(run.get("version"))
    if entry.type == "inference.generated":
        yield "model", f"{label(body.get('provider'))} {label(body.get('model'))}", _print(body)


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


def details(entry: Entry) -> str:
    """What else an entry says of what it moves, by name."""
    found = [
        f"{name}={label(entry.body[name])}"
        for name in ("by", "requested_by", "version", "mode", "reason", "replaces", "replaced_by")
        if type(entry.body.get(name)) is str
    ]
    return "; ".join(found)


def _print(body: Mapping[str, Any]) -> str:
    """What the provider said of the build that answered."""
    value = body.get("fingerprint")
    return label(value) if type(value) is str and value else ""
