"""The names that an act may govern: drugs and words for a vital kind, and which of them a verb or a pronoun means.

Offsets are those of the output. Every look around a place is bounded, so that a text without a full stop costs no more
than another.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case
from attending.guardrails.checks.vital import SAID, Vital, kinds_of
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span


@dataclass(frozen=True, slots=True)
class Named:
    """A name in the output: `drugs` of it, or none where only the kind is named."""

    span: Span
    drugs: tuple[str, ...]
    kinds: tuple[Vital, ...]


_ACTIVE_REACH: Final = 90
_PASSIVE_REACH: Final = 110
_MEANT_REACH: Final = 400
"""Characters before a pronoun in which what it stands for is looked for."""
_JOINED_REACH: Final = 60
_GAP_BREAKS: Final = re.compile(
    r"[;!?\n]|(?<!incl)\.(?=\s)|\b(?:if|when|because|unless|until|till|while|since|for|take|takes|start\w*"
    r"|begin\w*|continu\w*"
    r"|keep|use|give|increas\w*|reduc\w*|add|with|due|after|before|smoking|drinking|work\w*|dose|doses|date|next"
    r"|tonight'?s|tomorrow'?s|today'?s|morning'?s|evening'?s|one|bleeding|infusion|drip|home|is|are|was|were|has|have"
    r"|on|and|or|but|than|to|from|by|so)\b",
    re.I,
)
_DONE_BREAKS: Final = re.compile(
    r"[;!?\n]|\((?![^)\n]{0,60}\))|\.(?=\s)|\b(?:if|when|because|unless|while|continu\w*|start\w*|keep\w*|then|but|dose|doses"
    r"|infusion|drip|cream|course|prophyla\w*|to (?:be )?(?:check|review)\w*|wants?|asked|never|and)\b",
    re.I,
)
_COORDINATED: Final = re.compile(
    r"(?:[\s,/&+()*]|\b(?:and|or|both|the|your|her|his|as well as|plus)\b|\b(?:mg|mcg|micrograms?|g|units?|ml|bd|bid"
    r"|tds|tid|qds|qid|od|daily|twice|once|a day|nocte|at night|mane|in the morning|every day|po|oral)\b"
    r"|\d[\d.,/-]*+(?:mg|mcg|g|ml)?)*+",
    re.I,
)


class Names:
    """Every name of one output, in text order."""

    def __init__(self, case: Case) -> None:
        self._text: Final = case.judged.output
        self._all: Final = _found(case)
        self.vital: Final = any(name.kinds for name in self._all)
        self._by_span: Final = {name.span: name for name in self._all}

    def at(self, span: Span) -> Named | None:
        return self._by_span.get(span)

    def between(self, start: int, end: int) -> list[Named]:
        """The names that begin in `[start, end)`."""
        low = bisect_left(self._all, start, key=lambda name: name.span.start)
        high = bisect_left(self._all, end, key=lambda name: name.span.start)
        return self._all[low:high]

    def after(self, at: int, end: int) -> list[Named]:
        """The coordinated names that an act ending at `at` governs, before `end`."""
        following = self.between(at, min(end, at + _ACTIVE_REACH + _MEANT_REACH))
        if not following or following[0].span.start - at > _ACTIVE_REACH:
            return []
        if _GAP_BREAKS.search(self._text[at : following[0].span.start]):
            return []
        return self._joined(following)

    def before(self, start: int, at: int) -> list[Named]:
        """The coordinated names, from `start` on, of which what begins at `at` is told."""
        preceding = [name for name in self.between(max(start, at - _MEANT_REACH), at) if name.span.end <= at]
        if not preceding or at - preceding[-1].span.end > _PASSIVE_REACH:
            return []
        if _DONE_BREAKS.search(self._text, preceding[-1].span.end, at):
            return []
        return self._joined(preceding[::-1])

    def meant(self, sentence: Span, at: int, *, every: bool) -> list[Named]:
        """What a pronoun at `at` stands for: the last name (or `every` name) before it in its sentence, else in the
        three sentences before."""
        found = self.between(max(sentence.start, at - _MEANT_REACH), at)
        low = sentence.start
        for _ in range(3):
            if found or low == 0:
                break
            previous = sentence_around(self._text, max(0, low - 2), max(0, low - 1), reach=_MEANT_REACH)
            found = self.between(previous.start, low)
            if previous.start >= low:
                break
            low = previous.start
        return found if every else found[-1:]

    def _joined(self, names: list[Named]) -> list[Named]:
        """The first of the names and those that stand beside it, joined by nothing but doses, commas and "and"."""
        found = names[:1]
        for name in names[1:]:
            first, second = sorted((found[-1].span, name.span), key=lambda span: span.start)
            if second.start - first.end > _JOINED_REACH:
                break
            if _COORDINATED.fullmatch(self._text, first.end, second.start) is None:
                break
            found.append(name)
        return found


def _found(case: Case) -> list[Named]:
    """Every drug of the output and every word for a vital kind, overlaps left out."""
    found: dict[Span, Named] = {}
    kinds_by_drug: dict[str, tuple[Vital, ...]] = {}
    for statement in case.output.statements:
        mention = statement.mention
        if mention.span in found:
            continue
        kinds: dict[str, Vital] = {}
        for drug in mention.drugs:
            if drug not in kinds_by_drug:
                kinds_by_drug[drug] = kinds_of(case, drug)
            kinds |= {vital.id: vital for vital in kinds_by_drug[drug]}
        if mention.drug_class is not None:
            kinds |= {
                vital.id: vital
                for vital, _ in SAID
                if mention.drug_class in vital.kind and (vital.needs is None or case.says(vital.needs))
            }
        found[mention.span] = Named(mention.span, mention.drugs, tuple(kinds.values()))
    mentioned = sorted(found, key=lambda span: span.start)
    for vital, pattern in SAID:
        for match in pattern.finditer(case.judged.output):
            span = Span(*match.span())
            near = bisect_left(mentioned, span.end, key=lambda other: other.start)
            held = mentioned[near - 1] if near and mentioned[near - 1].end > span.start else None
            if held is None:
                drugs = sorted(
                    {e.drug for e in (*case.given, *case.taking) if case.of_class(e.drug, *vital.kind)}
                )
                found[span] = Named(span, tuple(drugs[:1]), (vital,))
            elif not found[held].drugs and not found[held].kinds:
                found[held] = Named(held, (), (vital,))
    return sorted(found.values(), key=lambda name: name.span.start)
