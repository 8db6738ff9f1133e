"""Words of entries that may stand in a document: enums, names of policies and models, and versions.

An entry holds no free text by its rules; a document does not rest on that. Whatever has another form than a machine's
name, or has an identifier in it by the patterns of V21 or the engine, is withheld.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.phi.detect import PhiDetector
from attending.ledger.verify.identifiers import letters_in
from attending.server.reports.deidentified.tally import LETTER_OF, Tally

WITHHELD: Final = "(withheld)"
_MACHINE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/+-]{0,71}", re.ASCII)
_DAY: Final = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})-?(?:0[1-9]|1[0-2])-?[0-3][0-9](?![0-9])")
"""In the name of a model: `gpt-4o-2024-08-06` becomes `gpt-4o-2024`."""
_MOST_KEPT: Final = 50_000


class Words:
    """Judges each word once."""

    def __init__(self, detector: PhiDetector) -> None:
        self._detector = detector
        self._judged: dict[str, tuple[str, tuple[str, ...], int]] = {}

    def kept(self, word: str, tally: Tally) -> str:
        """The word as it may stand, WITHHELD where it may not; each time it is met it counts."""
        judged = self._judged.get(word)
        if judged is None:
            judged = self._judge(word)
            if len(self._judged) < _MOST_KEPT:
                self._judged[word] = judged
        made, letters, years = judged
        if years:
            tally.add("C", "generalised", years)
        for letter in letters:
            tally.add(letter, "removed")
        return made

    def _judge(self, word: str) -> tuple[str, tuple[str, ...], int]:
        made, years = _DAY.subn(r"\1", word)
        letters = set(letters_in(made)) | {LETTER_OF[span.type] for span in self._detector.detect(made)}
        if letters:
            return WITHHELD, tuple(sorted(letters)), years
        return (made if _MACHINE.fullmatch(made) else WITHHELD), (), years
