"""Free text without identifiers: the engine's findings and the patterns of V21, replaced until neither finds any.

A year stays where a date was, but for one that tells an age over 89; of a ZIP code stay the first three digits where
more than 20,000 people live there (45 CFR 164.514(b)(2)(i)(B), (C)); all else is told by its kind alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attending.guardrails.patient import Identity
from attending.guardrails.phi.detect import PhiDetector
from attending.guardrails.phi.placeholders import KIND_OF
from attending.guardrails.phi.spans import PhiType
from attending.ledger.verify.identifiers import found, without_placeholders
from attending.server.reports.deidentified.tally import LETTER_OF, Tally

KINDS: Final = frozenset({"prompt", "prompt_sent", "output_final"})
"""Payloads that are texts which a model was sent, or which were released."""
SMALL_AREAS: Final = frozenset(
    {
        *("036", "059", "063", "102", "202", "203", "204", "205", "369", "556", "692", "753", "772"),
        *("790", "821", "823", "830", "831", "878", "879", "884", "890", "893"),
    }
)
"""Three digits of ZIP codes under which 20,000 people or fewer live, by the census of 2000 (as HHS lists them) or of
2010: whatever is small by either is small here.
"""
_TRIES: Final = 3
_YEAR: Final = re.compile(r"(?<![0-9])(?:1[89]|20)[0-9]{2}(?![0-9])")
_ZIP: Final = re.compile(r"(?<![0-9.])[0-9]{5}(?:-[0-9]{4})?\W*\Z")
"""At the end of a place: what stands before a street may have five digits too."""
_OLD_YEAR: Final = re.compile(
    r"(?i)\b(?:born|birth|dob|since|in|of|from|year)\b[ :(]{1,3}((?:1[89]|20)[0-9]{2})\b"
)
_TYPE_OF: Final = {letter: type_ for type_, letter in reversed(LETTER_OF.items())}


class IdentifiersRemainError(Exception):
    """What was replaced still reads as an identifier of these letters: nothing is given."""

    def __init__(self, letters: Iterable[str]) -> None:
        super().__init__("identifiers remain")
        self.letters = "".join(sorted(set(letters)))


class Texts:
    """De-identifies the texts of one document, made in `year`."""

    def __init__(self, detector: PhiDetector, tally: Tally, year: int) -> None:
        self._detector = detector
        self._tally = tally
        self._oldest = year - 89

    def clean(self, text: str, known: Identity | None) -> str:
        """The text as it may be given. Raises IdentifiersRemainError."""
        self._tally.texts += 1
        for _try in range(_TRIES):
            spans = self._spans(text, known)
            if not spans:
                return text
            text = self._replaced(text, spans)
        if spans := self._spans(text, known):
            raise IdentifiersRemainError(LETTER_OF[type_] for _start, _end, type_ in spans)
        return text

    def _spans(self, text: str, known: Identity | None) -> list[tuple[int, int, PhiType]]:
        """Identifiers, in order, not overlapping; what was put in their place is none."""
        bare = without_placeholders(text)
        spans = [(one.start, one.end, one.type) for one in self._detector.detect(bare, known=known)]
        spans += [(start, end, _TYPE_OF[letter]) for start, end, letter in found(bare)]
        spans += [
            (match.start(1), match.end(1), PhiType.DATE)
            for match in _OLD_YEAR.finditer(bare)
            if int(match[1]) < self._oldest
        ]
        joined: list[tuple[int, int, PhiType]] = []
        for start, end, type_ in sorted(spans, key=lambda one: (one[0], -one[1])):
            if joined and start < joined[-1][1]:
                before = joined.pop()
                joined.append((before[0], max(before[1], end), before[2]))
            else:
                joined.append((start, end, type_))
        return joined

    def _replaced(self, text: str, spans: list[tuple[int, int, PhiType]]) -> str:
        parts, at = [], 0
        for start, end, type_ in spans:
            parts += [text[at:start], self._instead(type_, text[start:end])]
            at = end
        return "".join([*parts, text[at:]])

    def _instead(self, type_: PhiType, value: str) -> str:
        letter = LETTER_OF[type_]
        if type_ is PhiType.AGE_OVER_89:
            self._tally.add(letter, "generalised")
            return "[AGE 90+]"
        if type_ is PhiType.DATE and (years := _YEAR.findall(value)) and int(years[-1]) >= self._oldest:
            self._tally.add(letter, "generalised")
            return f"[DATE {years[-1]}]"
        if type_ is PhiType.GEOGRAPHIC_LOCATION and (code := _ZIP.search(value)) is not None:
            self._tally.add(letter, "generalised")
            area = code[0][:3]
            return f"[ZIP {'000' if area in SMALL_AREAS else area}**]"
        self._tally.add(letter, "replaced")
        return f"[{KIND_OF[type_]}]"
