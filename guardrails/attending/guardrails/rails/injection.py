"""Prompt injection: words that try to steer a model, its reviewers or its reader's browser, in any text of a call.

Detection is by concept, not by sentence: a verb of setting aside near a model's instructions, a verb of telling near
its hidden text, a part without limits (`orders`, `languages`), a text that speaks to whatever reads it (`addressed`),
acts of speech told by what they do (`acts`),
marks that only a chat template, a tool, a browser or an interpreter reads (`markup`). It runs over every reading of
`deobfuscate`. What it does not catch: orders with none of these concepts, in a language that is not among
`languages`, or in an image. Sources: OWASP LLM01:2025 (prompt injection), MITRE ATLAS
AML.T0051 and AML.T0054.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from attending.guardrails.rails import (
    addressed,
    authority_acts,
    document_acts,
    foreign_acts,
    markup,
    orders,
    part_acts,
    reveal_acts,
    review_acts,
)
from attending.guardrails.rails.acts import found_acts
from attending.guardrails.rails.care import about_care, no_order, of_house_rules, only_names, taught
from attending.guardrails.rails.deobfuscate import Reading, invisible, readings
from attending.guardrails.rails.languages import LANGUAGES, Language
from attending.guardrails.rails.signs import Place, Sign
from attending.guardrails.rails.together import found_together
from attending.guardrails.sieve import possible

__all__ = ["MAX_HITS", "InjectionHit", "Place", "find_injection"]

MAX_HITS: Final = 20
_MAX_WEAK: Final = 2_000
"""Weak signs whose sentences are read; a text with more of them is none of a clinic's."""
_GUESSES: Final = frozenset({"leet", "spaced", "lines", "joined", "reversed", "words reversed", "rot13"})
_TOLD: Final = frozenset({"override", "role", "extraction", "addresses_model"})
"""What security training quotes; marks and encodings it does not need to show."""
_JOINED: Final = ("spaced", "lines")
_ORDERS: Final = (*orders.SIGNS, *addressed.SIGNS)
_ACTS: Final = (
    *document_acts.ACTS,
    *authority_acts.ACTS,
    *part_acts.ACTS,
    *reveal_acts.ACTS,
    *review_acts.ACTS,
    *foreign_acts.ACTS,
)


@dataclass(frozen=True, slots=True)
class InjectionHit:
    """One sign of injection: its family, the reading that showed it, and its span in the original text."""

    family: str
    how: str
    start: int
    end: int


def find_injection(text: str, place: Place) -> tuple[InjectionHit, ...]:
    """Signs of injection in `text`, in text order, at most `MAX_HITS`; empty for an ordinary clinical text.

    `place` says where the text stands: a document that addresses an AI is an attack, while an output that calls
    itself one is not. A text beyond what can be read (`deobfuscate`) has a hit that says so. Never raises for any
    string.
    """
    hits: dict[tuple[str, int, int], InjectionHit] = {}
    all_readings = readings(text)
    for reading in all_readings:
        flat = reading.text.replace("\n", " ")
        rules = reading.how == "plain" and of_house_rules(flat)
        for family, start, end in _found(reading, place):
            if family in _TOLD and place != "output" and taught(flat, start, end):
                continue
            if rules and family == "addresses_model" and only_names(flat, start, end):
                continue
            span = reading.original(start, end)
            hits.setdefault((family, *span), InjectionHit(family, reading.how, *span))
            if len(hits) >= MAX_HITS:
                break
        if len(hits) >= MAX_HITS:
            break
    for beyond, start, end in all_readings.beyond:
        hits.setdefault((beyond, start, end), InjectionHit(beyond, "plain", start, end))
    hidden = invisible(text)
    if hidden is not None:
        hits.setdefault(("hidden_text", *hidden), InjectionHit("hidden_text", "plain", *hidden))
    return tuple(_merged(hits.values())[:MAX_HITS])


def _found(reading: Reading, place: Place) -> Iterator[tuple[str, int, int]]:
    text = reading.text
    flat = text.replace("\n", " ")
    yield from _of_signs(_ORDERS, flat, place)
    yield from found_together(flat, place)
    yield from found_acts(_ACTS, flat, place)
    guessed = reading.how.rpartition(" ")[2] in _GUESSES or reading.how in _GUESSES
    if not guessed:
        yield from _of_signs(markup.SIGNS, text, place)
        turns = markup.many_shot(text, place)
        if turns is not None:
            yield "many_shot", *turns
    if reading.how.endswith(_JOINED):
        letters = "".join(filter(str.isalpha, text))
        if orders.COMPACT.search(letters) is not None:
            yield "override", 0, len(text)
    ascii_only = flat.isascii()
    for language in LANGUAGES:
        if language.ascii_only or not ascii_only:
            yield from _of_language(language, flat)


def _of_signs(signs: Iterable[Sign], text: str, place: Place) -> Iterator[tuple[str, int, int]]:
    weak = 0
    bits = possible(text)
    for sign in signs:
        if not sign.pattern.bit & bits or place not in sign.places:
            continue
        if sign.needs and not any(need in text for need in sign.needs):
            continue
        for match in sign.pattern.finditer(text):
            if sign.weak:
                weak += 1
                if weak <= _MAX_WEAK and _excused(sign, text, *match.span()):
                    continue
            yield sign.family, *match.span()


def _excused(sign: Sign, text: str, start: int, end: int) -> bool:
    return about_care(text, start, end) or (sign.family == "override" and no_order(text, start, end))


def _of_language(language: Language, text: str) -> Iterator[tuple[str, int, int]]:
    bits = possible(text)
    for family, pattern in language.patterns:
        if not pattern.bit & bits:
            continue
        for match in pattern.finditer(text):
            start, end = match.span()
            if family == "override" and language.care.search(text[max(0, start - 60) : end + 80]) is not None:
                continue
            yield family, start, end


def _merged(hits: Iterable[InjectionHit]) -> list[InjectionHit]:
    """In text order, with overlapping hits of one family as one: several readings show the same words."""
    merged: list[InjectionHit] = []
    last: dict[str, int] = {}
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, hit.family)):
        position = last.get(hit.family)
        if position is not None and hit.start < merged[position].end:
            previous = merged[position]
            merged[position] = replace(previous, end=max(previous.end, hit.end))
        else:
            last[hit.family] = len(merged)
            merged.append(hit)
    return merged
