"""From the model's answer back to the caller's: placeholders out, originals in, and what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from attending.guardrails.phi.placeholders import EXACT, LOOSE, parse
from attending.guardrails.phi.spans import PhiSpan

_BETWEEN = re.compile(r"[\s,;/|&-]{0,3}(?:(?:and|or|to|und)\s{1,2})?[\s\"'(]{0,2}", re.IGNORECASE)


class ProblemKind(StrEnum):
    """What is wrong with a placeholder of an answer; each one means HOLD under the design."""

    UNKNOWN = "unknown"
    """Exact in form, but the request has no such placeholder: the model made it up."""
    ALTERED = "altered"
    """Reads as a placeholder but is not in exact form; left as it is."""
    DUPLICATED = "duplicated"
    """The same placeholder twice in a row ("[NAME_1] and [NAME_1]"): two values were to stand there.

    A placeholder that comes back at a distance ("Dear [NAME_1] ... Goodbye, [NAME_1]") is ordinary writing and no
    problem; `Restored.counts` lets a policy be stricter.
    """


@dataclass(frozen=True, slots=True)
class PlaceholderProblem:
    """`start` and `end` are code points into the answer *before* restoring; the text there is no PHI."""

    kind: ProblemKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The answer with originals; `counts` says how often each known placeholder stood in it.

    `spans` says where originals now stand in `text`, sorted; LITERAL ones are escaped look-alikes of the request.
    A placeholder the answer does not use is no problem.
    """

    text: str
    problems: tuple[PlaceholderProblem, ...]
    counts: Mapping[str, int]
    spans: tuple[PhiSpan, ...]

    def __repr__(self) -> str:
        return f"Restored(problems={len(self.problems)}, spans={len(self.spans)})"


def restore(text: str, placeholders: Mapping[str, str]) -> Restored:
    """`text` with every known placeholder replaced by its original, in one pass: originals are never scanned.

    Never raises on any `text`. Unknown and altered placeholders stay in the text and are reported.
    """
    parts: list[str] = []
    problems: list[PlaceholderProblem] = []
    counts: Counter[str] = Counter()
    spans: list[PhiSpan] = []
    at = length = 0
    previous: tuple[str, int] | None = None
    for m in LOOSE.finditer(text):
        found = m[0]
        original = placeholders.get(found)
        if original is None:
            kind = ProblemKind.UNKNOWN if EXACT.fullmatch(found) else ProblemKind.ALTERED
            problems.append(PlaceholderProblem(kind, m.start(), m.end()))
            previous = None
            continue
        if previous is not None and previous[0] == found and _BETWEEN.fullmatch(text, previous[1], m.start()):
            problems.append(PlaceholderProblem(ProblemKind.DUPLICATED, m.start(), m.end()))
        previous = found, m.end()
        counts[found] += 1
        parts += [text[at : m.start()], original]
        length += m.start() - at
        spans.append(PhiSpan(length, length + len(original), parse(found)[0], 1.0))
        length += len(original)
        at = m.end()
    return Restored("".join([*parts, text[at:]]), tuple(problems), dict(counts), tuple(spans))
