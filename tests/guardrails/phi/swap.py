"""Every name, hospital and town of a query put in the place of a fresh one of the same shape (fresh.txt).

The shape stays: titles, initials, "St.", the words that say what a place is ("Clinic", "Medical Center"), states and
numbers. What could have been learnt by heart goes.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

from attending.guardrails.phi.lexicon import fold, phrases
from attending.guardrails.phi.places import is_region

_TITLE = re.compile(r"(?:Dr|Mr|Mrs|Ms|Prof|Nurse|Doctor|Miss)\b\.?", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
# What a place is, as far as the queries say it; "General" and "City" count where nothing else names the place.
_KIND = (
    "Hospital|Clinics?|Medical|Med|Center|Centre|Ctr|Cntr|Hosp|Health|Healthcare|Care|General|Memorial|University"
    "|Children['\u2019]s|Women['\u2019]s|Nursing|Home|Office|City|Central|Downtown|Cancer|System|Street|St|Dr|Apt|The"
)
_NAMING = rf"(?!(?i:{_KIND})(?![\w'\u2019]))[A-Z][^\W\d_]*(?:['\u2019-][^\W\d_]+)*"
_RUN = re.compile(rf"(?<![\w'\u2019-]){_NAMING}(?:(?: | & | and ){_NAMING})*(?![\w'\u2019])")
_CITIES = frozenset(fold(p) for p in phrases("cities"))
_POSSESSIVE = re.compile(r"['\u2019]s$")


class Fresh:
    """Draws of fresh.txt, the same for the same seed; one value of a run always becomes the same fresh one."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.lists: dict[str, list[str]] = {}
        for line in (Path(__file__).parent / "fresh.txt").read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                key, _, values = line.partition(" = ")
                self.lists[key] = values.split("|")

    def row(self, row: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
        """The swapped text of one query, and where its identifiers now stand."""
        parts, gold, at, length = [], [], 0, 0
        drawn: dict[tuple[str, str], str] = {}
        for phi in sorted(row["phi"], key=lambda p: int(p["start"])):
            before, value = row["text"][at : phi["start"]], row["text"][phi["start"] : phi["end"]]
            if phi["type"] == "NAME":
                value = self._name(value, drawn)
            elif phi["type"] == "GEOGRAPHIC_LOCATION":
                value = self._place(value)
            parts += [before, value]
            length += len(before)
            gold.append((length, length + len(value)))
            length += len(value)
            at = phi["end"]
        return "".join([*parts, row["text"][at:]]), gold

    def _draw(self, kind: str) -> str:
        return self._random.choice(self.lists[kind])

    def _name(self, value: str, drawn: dict[tuple[str, str], str]) -> str:
        title = _TITLE.match(value)
        first = [title is None]

        def swapped(m: re.Match[str]) -> str:
            word = m[0]
            if title is not None and m.start() < title.end():
                return word
            tail = _POSSESSIVE.search(word)
            core = word[: tail.start()] if tail else word
            kind = "initial" if len(core) == 1 else "given" if first[0] else "family"
            first[0] = False
            if (kind, core) not in drawn:
                drawn[kind, core] = self._draw(kind)
            fresh = drawn[kind, core]
            fresh = (
                fresh.lower()
                if core.islower()
                else fresh.upper()
                if len(core) > 1 and core.isupper()
                else fresh
            )
            return fresh + (tail[0] if tail else "")

        return _WORD.sub(swapped, value)

    def _place(self, value: str) -> str:
        saint = re.match(r"(St|Mt|Mount|Saint)(\.? )([^\W\d_]+)", value)
        if saint:
            kind = "saint" if saint[1] in ("St", "Saint") else "proper"
            return saint[1] + saint[2] + self._draw(kind).split()[-1] + self._rest(value[saint.end() :])
        return self._rest(value)

    def _rest(self, value: str) -> str:
        """`value` with each run of words that name, not say what a place is, drawn anew."""

        def swapped(m: re.Match[str]) -> str:
            run = m[0]
            if is_region(run) or (len(run) == 2 and run.isupper()):
                return run
            if fold(run) in _CITIES:
                return self._draw("town")
            return self._draw("acronym" if run.isupper() and len(run) > 2 else "proper")

        return _RUN.sub(swapped, value)
