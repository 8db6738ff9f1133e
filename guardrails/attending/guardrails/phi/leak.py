"""Output rail: identifiers in an answer that the request did not hold, so somebody else's or invented."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from attending.guardrails.patient import Identity
from attending.guardrails.phi.dates import DateMeaning, dated
from attending.guardrails.phi.detect import PhiDetector
from attending.guardrails.phi.known import find_known, name_parts
from attending.guardrails.phi.lexicon import fold, words
from attending.guardrails.phi.places import is_region
from attending.guardrails.phi.spans import PhiSpan, PhiType

_WORD = re.compile(r"[^\W_]+")
_TITLES = words("leak_titles")


class Allowed:
    """What an answer may name: everything in the request's texts, and the known patient.

    Texts are the raw prompt and documents as they were before de-identification.
    """

    def __init__(self, texts: Iterable[str], known: Identity | None = None) -> None:
        self.known = known
        self._words: set[str] = set()
        self._texts = tuple(texts)
        runs = []
        for text in self._texts:
            words_ = _WORD.findall(fold(text))
            self._words.update(words_)
            runs.append(" ".join(words_))
        for name in known.names if known is not None else ():
            self._words.update(name_parts(name))
        # numbers may be regrouped ("555 0199", "555-0199"), so they are compared without separators
        self._runs = "\n".join(runs)
        self._compact = "\n".join(run.replace(" ", "") for run in runs)

    @cached_property
    def _dates(self) -> list[DateMeaning]:
        """What the dates of the request mean; read when an answer first holds one."""
        meanings = [meaning for text in self._texts for *_, meaning in dated(text)]
        born = None if self.known is None else self.known.birth_date
        return meanings if born is None else [*meanings, DateMeaning(born.year, born.month, born.day)]

    def covers(self, text: str, span: PhiSpan) -> bool:
        """Whether the identifier at `span` of `text` stands in the request too, perhaps written otherwise."""
        value = fold(text[span.start : span.end])
        if self.known is not None and any(
            k.start <= 0 and k.end >= len(value) for k in find_known(text[span.start : span.end], self.known)
        ):
            return True
        tokens = [t for t in _WORD.findall(value) if t not in _TITLES]
        if span.type is PhiType.DATE:
            return self._covers_date(text[span.start : span.end], tokens)
        if span.type in (PhiType.NAME, PhiType.GEOGRAPHIC_LOCATION):
            return all(self._covers_word(t) or is_region(t) for t in tokens)
        return "".join(tokens) in self._compact

    def _covers_word(self, token: str) -> bool:
        if token in self._words:
            return True
        if len(token) == 1:
            return any(w.startswith(token) for w in self._words)
        return token.endswith("s") and token[:-1] in self._words

    def _covers_date(self, value: str, tokens: list[str]) -> bool:
        meanings = [meaning for *_, meaning in dated(value)]
        if not meanings:
            return " ".join(tokens) in self._runs
        return (
            all(any(_within(m, d) for d in self._dates) for m in meanings) or " ".join(tokens) in self._runs
        )


def _within(answer: DateMeaning, request: DateMeaning) -> bool:
    """Whether the answer's date says no more than the request's and does not differ from it."""
    if answer.month is None and answer.day is None:
        return False
    more = (answer.day is not None and request.day is None) or (
        answer.year is not None and request.year is None
    )
    return not more and request.month is not None and answer.agrees(request)


def leaked(
    output: str, detector: PhiDetector, allowed: Iterable[str], known: Identity | None = None
) -> list[PhiSpan]:
    """Identifiers of `output` that stand neither in the `allowed` texts nor in `known`; spans into `output`.

    Compared by meaning where there is one (dates), by words (names, places) or without separators (numbers).
    """
    found = detector.detect(output, known=known)
    if not found:
        return []
    permit = Allowed(allowed, known)
    return [span for span in found if not permit.covers(output, span)]
