"""How like the attacks of known writers a sentence is in what it speaks of: a score beside the rules, not over words.

Each sentence, and each two or three that follow each other, is the set of concepts and forms of `concepts`; a logistic
model over these and their pairs gives a score for injection, toxicity and self-harm. A sentence that speaks of a
machine, of leaving out and of keeping quiet scores high in whatever words. Weights and thresholds (`likeness.tsv`) are
made by scripts/train_likeness.py from the development sets; a finding here is a likeness, so it holds and never blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from attending.guardrails.finding import Code
from attending.guardrails.phi.lexicon import fold as known_as
from attending.guardrails.phi.lexicon import words
from attending.guardrails.rails.care import of_house_rules, taught
from attending.guardrails.rails.concepts import ADDRESSED, FORMS, features, spoken_of
from attending.guardrails.rails.deobfuscate import MAX_CHARACTERS
from attending.guardrails.rails.folding import Origin, fold, in_script
from attending.guardrails.rails.signs import Place

CODES: Final = (Code.INJECTION, Code.TOXICITY, Code.SELF_HARM)
READ: Final[dict[Place, tuple[Code, ...]]] = {"prompt": CODES, "document": (Code.INJECTION,), "output": CODES}
"""What is looked for where: a chart may quote an insult or a farewell, and is no less a chart."""
LONGEST: Final = {Code.INJECTION: 2, Code.TOXICITY: 3, Code.SELF_HARM: 3}
"""Sentences of the longest window that is read for a code: an order is one or two, a farewell is told in several."""
PAIR: Final = 0.5
"""The value of a pair beside 1 for a concept: pairs are many."""
SOURCE: Final = "attending.guardrails.rails.likeness, weights learnt from tests/evaluation/hostile"
_WEIGHTS: Final = Path(__file__).with_name("likeness.tsv")
_ENDS: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+|(?<=[\u3002\uff01\uff1f\u061f])")
_QUOTE: Final = re.compile(r"(?<!\w)[\"']")
_NAMED: Final = re.compile(
    r"\b(?P<title>(?:M(?:r|rs|s|iss|me|lle)|Dr|Prof|Herrn?|Frau|Sra?|Srta|Se\u00f1ora?|Do\u00f1a|Sig|Sig\.ra|Signora?|Dott"
    r"|Dhr|Mevr(?:ouw)?|Pan[aiu]?)[. ])"
    r" ?(?:(?:van|von|de[lr]?|di|da|la|den|ter) ){0,2}(?P<name>[A-Z][a-z\u00df-\u017f'\u2019-]{1,30})"
)
"""A surname behind a title: Ms Savage and Frau Kuh are called that. The point of "Dr." ends no sentence."""
_FULL_NAME: Final = re.compile(
    r"\b(?P<given>[A-Z][a-z\u00df-\u017f]{1,20}) (?P<name>[A-Z][a-z\u00df-\u017f'\u2019-]{1,30})\b"
)
"""Two words with capitals: a name where the first is a given name."""
_LONGEST: Final = 300
_SHORTEST: Final = 25
_TOLD: Final = 4


@dataclass(frozen=True, slots=True)
class Likeness:
    """One text's highest score for a code, above its threshold.

    `start` and `end` are code points of the original text, end exclusive; `concepts` are those that weigh most.
    """

    code: Code
    score: float
    start: int
    end: int
    concepts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """Weights by feature and by pair of features, one layer a code, and by place the score above which a text is
    flagged."""

    single: np.ndarray
    pair: np.ndarray
    bias: np.ndarray
    threshold: dict[str, np.ndarray]

    def scores(self, spoken: np.ndarray) -> np.ndarray:
        """One row a window, one column a code; `spoken` is 1 where a window speaks of a feature."""
        spoken = spoken.astype(self.pair.dtype)
        paired = np.stack([((spoken @ layer) * spoken).sum(axis=1) for layer in self.pair], axis=1)
        result: np.ndarray = self.bias + spoken @ self.single.T + PAIR * paired
        return result

    @classmethod
    def read(cls, text: str) -> Model:
        """Raises ValueError or KeyError for weights of other features than those of `concepts`, and for a file that
        does not hold as many as it says: weights that are missing would find nothing, and nobody would notice."""
        at = _columns()
        count = len(at)
        model = cls(
            np.zeros((len(CODES), count)),
            np.zeros((len(CODES), count, count)),
            np.zeros(len(CODES)),
            {place: np.zeros(len(CODES)) for place in READ},
        )
        expected, seen = -1, 0
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            name, *given = line.split("\t")
            if name == "lines":
                expected = int(given[0])
                continue
            seen += 1
            values = [float(value) for value in given]
            if len(values) != len(CODES):
                raise ValueError(f"`{name}` has {len(values)} weights, not {len(CODES)}")
            if name == "bias":
                model.bias[:] = values
            elif name.startswith("threshold "):
                model.threshold[name.removeprefix("threshold ")][:] = values
            elif "+" in name:
                left, right = name.split("+")
                model.pair[:, at[left], at[right]] = values
            else:
                model.single[:, at[name]] = values
        if seen != expected:
            raise ValueError(f"{seen} lines of weights, not the {expected} that the file names")
        return model


@cache
def _columns() -> dict[str, int]:
    """Each feature with its column."""
    return {name: number for number, name in enumerate(features())}


@cache
def model() -> Model:
    """The weights that this package ships."""
    return Model.read(_WEIGHTS.read_text(encoding="utf-8"))


def find_likeness(text: str, place: Place) -> tuple[Likeness, ...]:
    """At most one likeness a code, of those that are looked for where the text stands.

    Never raises for any string. Reads MAX_CHARACTERS at most: that a text is longer is a finding of `injection`.
    """
    wanted = READ[place]
    text = without_names(text[:MAX_CHARACTERS])
    spans, spoken, lengths = windows(text, place)
    scores = model().scores(spoken)
    for column, code in enumerate(CODES):
        scores[lengths > LONGEST[code], column] = -np.inf
    found = []
    origin = Origin(text)
    for column, code in enumerate(CODES):
        row = int(scores[:, column].argmax())
        if code not in wanted or scores[row, column] <= model().threshold[place][column]:
            continue
        if code is Code.INJECTION and place != "output" and _quoted_in_a_warning(text, *spans[row]):
            continue
        found.append(
            Likeness(
                code, float(scores[row, column]), *origin.span(*spans[row]), _heaviest(spoken[row], column)
            )
        )
    return tuple(found)


def without_names(text: str) -> str:
    """The text, as long as it was, without the surnames that follow a title or a given name."""
    return _FULL_NAME.sub(_without_surname, _NAMED.sub(_without_name, text))


def _without_name(titled: re.Match[str]) -> str:
    return titled["title"] + _blank(titled[0][len(titled["title"]) :], titled["name"])


def _without_surname(named: re.Match[str]) -> str:
    if known_as(named["given"]) not in words("given_names"):
        return named[0]
    return f"{named['given']} {_blank(named['name'], named['name'])}"


def _blank(told: str, name: str) -> str:
    """Letters that say nothing, as many; a machine that is spoken to by a name stays."""
    return "x" * len(told) if ADDRESSED.isdisjoint(spoken_of(fold(name), "prompt")) else told


def _quoted_in_a_warning(text: str, start: int, end: int) -> bool:
    flat = fold(text).replace("\n", " ")
    quote = _QUOTE.search(flat, start, end)
    return quote is not None and taught(flat, quote.end(), quote.end())


def windows(text: str, place: Place) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """Of each sentence, each two and each three together: its span in the folded text, what it speaks of, and how many
    sentences it has; one window at least. `text` is one `without_names`."""
    folded = fold(text)
    read = in_script(text, folded)
    at = _columns()
    each = sentences(folded) or [(0, 0)]
    spoken = np.zeros((len(each), len(at)), dtype=np.float32)
    for row, (start, end) in enumerate(each):
        for name in spoken_of(read[start:end].replace("\n", " "), place):
            spoken[row, at[name]] = 1.0
    spoken[:, at["house_rules"]] = of_house_rules(folded)
    lessons = spoken[:, at["lesson"]].copy()
    spans, rows, lengths = [], [], []
    for length in range(1, min(max(LONGEST.values()), len(each)) + 1):
        count = len(each) - length + 1
        parts = [spoken[first : first + count] for first in range(length)]
        joined = np.maximum.reduce(parts)
        inside = np.add.reduce([lessons[first : first + count] for first in range(length)])
        joined[:, at["lesson_elsewhere"]] = inside < lessons.sum()
        spans += [(each[row][0], each[row + length - 1][1]) for row in range(count)]
        rows.append(joined)
        lengths += [length] * count
    return spans, np.vstack(rows), np.array(lengths)


def sentences(folded: str) -> list[tuple[int, int]]:
    """Spans of the sentences; none longer than 325 characters, and short ones joined to the one before, up to that.

    The bound keeps the work linear: what a window speaks of is weighed in pairs.
    """
    spans: list[tuple[int, int]] = []
    left = 0
    for stop in (*(match.span() for match in _ENDS.finditer(folded)), (len(folded), len(folded))):
        start, end = left, stop[0]
        left = stop[1]
        while end - start > _LONGEST:
            cut = folded.rfind(" ", start + _LONGEST // 3, start + _LONGEST)
            cut = cut if cut > 0 else start + _LONGEST
            spans.append((start, cut))
            start = cut
        if end <= start:
            continue
        short = spans and (end - start < _SHORTEST or spans[-1][1] - spans[-1][0] < _SHORTEST)
        if short and end - spans[-1][0] <= _LONGEST + _SHORTEST:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _heaviest(spoken: np.ndarray, column: int) -> tuple[str, ...]:
    names = features()
    weights = model()
    paired = weights.pair[column] + weights.pair[column].T
    share = spoken * (weights.single[column] + PAIR / 2 * (paired @ spoken))
    order: Sequence[int] = np.argsort(-share).tolist()
    told: Iterable[str] = (names[i] for i in order if share[i] > 0 and names[i] not in FORMS)
    return tuple(told)[:_TOLD]
