"""How well swapped facts are told from faithful ones: swaps and tellings of real notes, judged against the note.

Two settings. Against the *note* a claim is a sentence of it, swapped or told otherwise, alone or in the whole note;
this is what the bars are for. Against the *dialogue* a claim is a faithful sentence of the note and the document is
what doctor and patient said: there, the share that finds a passage and the share wrongly flagged are counted.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attending.guardrails.checks.case import build_case, lexicon_of
from attending.guardrails.citation import Support
from attending.guardrails.evaluation.faithful import faithful_of
from attending.guardrails.evaluation.swaps import KINDS, Note, Swap, draw, swaps_of
from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.grounding import Grounded, ground
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Document, Judged

BARRED: Final = ("number", "unit", "negation", "drug", "side")
"""The kinds that the issue's bar names; `time` is reported beside them."""
Progress = Callable[[int, int], None]


class CorpusError(Exception):
    """The folder does not hold the notes; `path` is the missing file."""

    reason = "CORPUS_MISSING"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"no `{path.name}` in `{path.parent.name}`")


@dataclass
class Counts:
    """Hits and cases by kind and rule, with the swaps that were missed or the tellings that were flagged."""

    hits: dict[tuple[str, str], int] = field(default_factory=dict)
    of: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: list[tuple[Swap, tuple[Finding, ...]]] = field(default_factory=list)

    def add(self, swap: Swap, hit: bool, findings: Sequence[Finding], *, example: bool) -> None:
        key = (swap.kind, swap.how)
        self.of[key] = self.of.get(key, 0) + 1
        self.hits[key] = self.hits.get(key, 0) + hit
        if example:
            self.examples.append((swap, tuple(findings)))

    def rate(self, kind: str | None = None, how: str | None = None) -> Proportion:
        keys = [k for k in self.of if kind in (None, k[0]) and how in (None, k[1])]
        return Proportion(sum(self.hits[k] for k in keys), sum(self.of[k] for k in keys))

    def rules(self, kind: str) -> list[str]:
        return [how for found, how in self.of if found == kind]


@dataclass
class GroundingScores:
    """`alone` and `whole`: swaps as a sentence, and inside the whole note; `faithful`: tellings wrongly flagged."""

    alone: Counts = field(default_factory=Counts)
    whole: Counts = field(default_factory=Counts)
    faithful: Counts = field(default_factory=Counts)
    dialogue_flagged: Counts = field(default_factory=Counts)
    dialogue_supported: Counts = field(default_factory=Counts)

    def to_json(self) -> dict[str, Any]:
        def rates(counts: Counts, kinds: Sequence[str]) -> dict[str, Any]:
            return {
                kind: {
                    **counts.rate(kind).to_json(),
                    "rules": {how: counts.rate(kind, how).to_json() for how in counts.rules(kind)},
                }
                for kind in kinds
            }

        return {
            "swaps_alone": rates(self.alone, KINDS),
            "swaps_in_whole_note": rates(self.whole, KINDS),
            "faithful_flagged": rates(self.faithful, ["faithful"])["faithful"],
            "faithful_against_dialogue_flagged": self.dialogue_flagged.rate().to_json(),
            "faithful_against_dialogue_supported": self.dialogue_supported.rate().to_json(),
        }


def read_notes(folder: Path) -> list[Note]:
    """The notes of aci-bench and MTS-Dialog below `folder`. Raises CorpusError where either is missing."""
    aci = folder / "aci-bench" / "train.csv"
    mts = folder / "mts-dialog" / "MTS-Dialog-ValidationSet.csv"
    for path in (aci, mts):
        if not path.is_file():
            raise CorpusError(path)
    return [
        *(Note(f"aci:{row['encounter_id']}", row["note"], row["dialogue"]) for row in _rows(aci)),
        *(Note(f"mts:{row['ID']}", row["section_text"], row["dialogue"]) for row in _rows(mts)),
    ]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def drug_pool(knowledge: Knowledge) -> list[str]:
    """Generic names of single ingredients, in a fixed order: what a drug is swapped for."""
    return sorted(
        {
            name
            for name, entry in knowledge.names().items()
            if entry.drugs == (name,) and not entry.brand and name.isalpha() and 6 <= len(name) <= 16
        }
    )


def made(
    notes: Sequence[Note], knowledge: Knowledge, *, seed: int, per_kind: int
) -> tuple[list[Swap], list[Swap]]:
    """The drawn swaps and the drawn faithful tellings; equal input and seed give equal output."""
    lexicon, pool = lexicon_of(knowledge), drug_pool(knowledge)
    rng = random.Random(seed)
    every = [swap for note in notes for swap in swaps_of(note, lexicon, pool, rng)]
    told = [telling for note in notes for telling in faithful_of(note, rng)]
    faithful: list[Swap] = []
    by_how: dict[str, list[Swap]] = {}
    for telling in told:
        by_how.setdefault(telling.how, []).append(telling)
    for how, some in sorted(by_how.items()):
        random.Random(f"{seed}:{how}").shuffle(some)
        faithful += some[:per_kind]
    return draw(every, per_kind, seed), faithful


def score(
    notes: Sequence[Note],
    knowledge: Knowledge,
    *,
    seed: int = 1,
    per_kind: int = 300,
    whole: bool = True,
    dialogues: bool = True,
    progress: Progress | None = None,
) -> GroundingScores:
    """Judges every drawn swap and telling. Pure but for `progress`."""
    swaps, told = made(notes, knowledge, seed=seed, per_kind=per_kind)
    spoken = [n for n in notes if n.dialogue and dialogues]
    scores = GroundingScores()
    total = len(swaps) * (2 if whole else 1) + len(told) + len(spoken)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for swap in swaps:
        found = flags(swap.claim, swap.note.text, knowledge)
        scores.alone.add(swap, bool(found), found, example=not found)
        tick()
        if whole:
            end = swap.start + len(swap.claim)
            found = [
                f
                for f in flags(swap.whole, swap.note.text, knowledge)
                if f.start < end and f.end > swap.start
            ]
            scores.whole.add(swap, bool(found), found, example=not found)
            tick()
    for swap in told:
        found = flags(swap.claim, swap.note.text, knowledge)
        scores.faithful.add(swap, bool(found), found, example=bool(found))
        tick()
    for note in spoken:
        grounded = _grounded(note.text, note.dialogue, knowledge)
        for swap in (s for s in told if s.note is note and s.how == "verbatim"):
            mine = [f for f in _flagging(grounded) if f.start < swap.end and f.end > swap.start]
            scores.dialogue_flagged.add(swap, bool(mine), mine, example=bool(mine))
            cited = any(
                c.status is Support.SUPPORTED and c.start < swap.end and c.end > swap.start
                for c in grounded.citations
            )
            scores.dialogue_supported.add(swap, cited, (), example=False)
        tick()
    return scores


def flags(claim: str, document: str, knowledge: Knowledge) -> list[Finding]:
    """The findings of the grounding rail that would change a verdict."""
    return _flagging(_grounded(claim, document, knowledge))


def _grounded(claim: str, document: str, knowledge: Knowledge) -> Grounded:
    judged = Judged(claim, documents=(Document("note", document),))
    return ground(build_case(judged, knowledge, "clinician"))


def _flagging(grounded: Grounded) -> list[Finding]:
    return [
        finding
        for finding in grounded.findings
        if finding.code in (Code.CONTRADICTION, Code.UNSUPPORTED)
        and finding.severity.rank >= Severity.MINOR.rank
    ]
