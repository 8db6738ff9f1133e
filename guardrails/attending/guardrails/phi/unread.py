"""What the statistical model adds to the rules: it reads the sentences that they leave open, and no other.

A sentence is open when it holds a capitalised word outside of every span that is on no list: no vocabulary, drug,
eponym or acronym. The model could say nothing of any other sentence that would survive the vocabulary of medicine, and
costs many times what all rules cost: of a clinical note about a seventh is open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from attending.guardrails.phi.lexicon import UPPER, Lexicon
from attending.guardrails.phi.names import keep_model_name
from attending.guardrails.phi.ner import EntityModel
from attending.guardrails.phi.places import keep_model_place
from attending.guardrails.phi.spans import PhiSpan, PhiType

_SCORE = 0.5
_CAPITALISED = re.compile(rf"(?<![^\W_])[{UPPER}][^\W\d_]+")
_END = re.compile(r"[.!?][\"')\]]{0,2}[ \t]+(?=\S)|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Mx|Prof|St|Ste|Mt|Ft|Jr|Sr|vs|No|Rev|Fr|Lt|Sgt|Capt|Col)|\b[A-Za-z])\.$"
)


class ModelReader:
    """The model behind the rules. Thread-safe."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._model = EntityModel()

    def read(self, texts: Sequence[str], found: Sequence[Sequence[PhiSpan]]) -> list[list[PhiSpan]]:
        """For each text the people and places of its open sentences; `found` are the spans of the rules."""
        open_ = [
            (number, start, end)
            for number, (text, spans) in enumerate(zip(texts, found, strict=True))
            for start, end in self._open(text, spans)
        ]
        out: list[list[PhiSpan]] = [[] for _ in texts]
        seen = self._model.entities_of([texts[number][start:end] for number, start, end in open_])
        for (number, offset, _), entities in zip(open_, seen, strict=True):
            for entity in entities:
                span = self._kept(texts[number], offset + entity.start, offset + entity.end, entity.label)
                if span is not None:
                    out[number].append(span)
        return out

    def _kept(self, text: str, start: int, end: int, label: str) -> PhiSpan | None:
        person = label == "PERSON"
        keep = keep_model_name if person else keep_model_place
        kept = keep(text, start, end, self._lexicon)
        type_ = PhiType.NAME if person else PhiType.GEOGRAPHIC_LOCATION
        return None if kept is None else PhiSpan(*kept, type_, _SCORE)

    def _open(self, text: str, spans: Sequence[PhiSpan]) -> Iterator[tuple[int, int]]:
        """The open sentences, neighbours joined; `spans` sorted and not overlapping."""
        words = [m.start() for m in _CAPITALISED.finditer(text) if self._lexicon.unlisted(m[0])]
        at = 0
        unread = []
        for start in words:
            while at < len(spans) and spans[at].end <= start:
                at += 1
            if at == len(spans) or start < spans[at].start:
                unread.append(start)
        if not unread:
            return
        edges = [0, *_edges(text), len(text)]
        at = 0
        opened: tuple[int, int] | None = None
        for start, end in pairwise(edges):
            while at < len(unread) and unread[at] < start:
                at += 1
            if at == len(unread) or unread[at] >= end:
                continue
            if opened is not None and opened[1] == start:
                opened = opened[0], end
                continue
            if opened is not None:
                yield opened
            opened = start, end
        if opened is not None:
            yield opened


def _edges(text: str) -> Iterator[int]:
    """Where a sentence or a line ends and the next begins."""
    for m in _END.finditer(text):
        if m[0][0] == "\n" or not _ABBREVIATION.search(text[max(0, m.start() - 5) : m.start() + 1]):
            yield m.end()
