"""V18: what entries say they went by was registered in the log before them.

A prompt's version by `prompt.version`; the drug knowledge by `knowledge.activated`, or by the `policy.version` with
which a log begins to keep to versions. Policies are V14's. What others report of models, documents and indexes they
number themselves, and nobody here holds it against a registration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.activations import KNOWLEDGE, REGISTRY
from attending.ledger.verify.report import Findings

_JUDGED: Final = ("inference.generated", "review.facts_added")
"""Types that say under which drug knowledge a text was judged."""
_RECALLS: Final = ("recall.proposed", "recall.dismissed", "knowledge.rejudged")
"""Types that name the entry which put another pack in force."""


class References:
    """Visits every entry in log order and reports into `findings`."""

    def __init__(self, findings: Findings, *, whole: bool) -> None:
        """`whole` is true where no entry before a given one can be missing; else what is missing may lie outside."""
        self._findings = findings
        self._whole = whole
        self._prompts: set[tuple[str | None, str]] = set()
        self._versions: set[str] = set()
        self._packs: set[str] = set()
        self._activations: dict[int, str | None] = {}
        self._watching = False
        self._count = 0
        self._outside = 0
        self._first_outside: int | None = None

    def visit(self, entry: Entry) -> None:
        """Takes in what one entry registers, after what it refers to."""
        for what, known in self._named(entry):
            if known:
                self._count += 1
                continue
            if self._whole:
                detail = f"`{entry.type}` names {what} that was not registered before it"
                self._findings.fail("V18", detail, entry.index)
            else:
                self._outside += 1
                if self._first_outside is None:
                    self._first_outside = entry.index
        self._register(entry)

    def finish(self) -> None:
        """Says what holds where nothing was reported."""
        if self._outside:
            detail = f"{self._outside} references lead to what may be registered outside the bundle"
            self._findings.doubt("V18", detail, self._first_outside, advisory=True)
        if self._count:
            self._findings.passed("V18", f"{self._count} references lead to what was registered before")
        else:
            self._findings.not_applicable("V18", "no reference to a registered version in the bundle")

    def _named(self, entry: Entry) -> Iterator[tuple[str, bool]]:
        body = entry.body
        if entry.type == "inference.requested":
            if (version := entry.text("prompt_version")) is not None:
                yield "a prompt's version", version in self._versions
        elif entry.type == "prompt.label":
            name = entry.text("name")
            for version in (entry.text("version"), entry.text("previous")):
                if version is not None:
                    yield "a prompt's version", (name, version) in self._prompts
        elif entry.type in _JUDGED and self._watching:
            if (pack := entry.text("knowledge_hash")) is not None:
                yield "drug knowledge", pack in self._packs
        elif entry.type in _RECALLS:
            place = body.get("activation")
            if type(place) is int:
                put = self._activations.get(place)
                same = body.get("knowledge_hash", put) == put
                yield "an activation", place in self._activations and same

    def _register(self, entry: Entry) -> None:
        pack = entry.text("knowledge_hash")
        if entry.type == "prompt.version":
            name, version = entry.text("name"), entry.text("version")
            if name is not None and version is not None:
                self._prompts.add((name, version))
                self._versions.add(version)
        elif entry.type == "knowledge.activated" and entry.stream == KNOWLEDGE:
            self._activations[entry.index] = pack
            if pack is not None:
                self._packs.add(pack)
        elif entry.type == "policy.version" and entry.stream == REGISTRY and pack is not None:
            self._packs.add(pack)
            # One that says nothing of the knowledge keeps to versions of policies alone.
            self._watching = True
