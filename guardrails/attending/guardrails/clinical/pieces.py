"""What was found in one text, by kind, and in which sentence each of it stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from attending.guardrails.clinical.amount import Amount
from attending.guardrails.clinical.clauses import Sentence
from attending.guardrails.clinical.frequency import Period, Rhythm
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.route import RouteWord


@dataclass(frozen=True)
class Pieces:
    """Everything found in one text, by kind, each in order. Offsets are those of the normalised `text`."""

    text: str
    sentences: Sequence[Sentence]
    mentions: list[Named]
    amounts: list[Amount]
    rhythms: list[Rhythm]
    periods: list[Period]
    infusions: list[Period]
    routes: list[RouteWord]
    bound_elsewhere: frozenset[int]
    """Indices of amounts that belong to a name the lexicon does not know."""

    @cached_property
    def mention_starts(self) -> list[int]:
        return [m.start for m in self.mentions]

    @cached_property
    def amount_starts(self) -> list[int]:
        return [a.start for a in self.amounts]

    @cached_property
    def last_in_sentence(self) -> dict[int, int]:
        """The mention named last in each sentence that names one."""
        return {self.sentence(m.start): index for index, m in enumerate(self.mentions)}

    def sentence(self, position: int) -> int:
        """The number of the sentence at `position`."""
        return max(0, bisect_right(self._sentence_starts, position) - 1)

    @cached_property
    def _sentence_starts(self) -> list[int]:
        return [s.start for s in self.sentences]
