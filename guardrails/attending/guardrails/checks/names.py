"""Names that a text gives to the person it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.clinical.statement import Span

_WORD: Final = r"[A-Z\u00c0-\u00de][\w'\u2019\u00c0-\u00ff-]+"
_TITLE: Final = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Master|Se\u00f1ora?|Herr|Frau|Monsieur"
    rf"|Madame)\.?[ \u00a0]+(?P<name>{_WORD}(?:[ \u00a0]{_WORD}){{0,3}})"
)
_LABEL: Final = re.compile(
    rf"(?:^|\n|[.;|(\[]\s*)[*_#\s]*(?:Patient(?: name| Name)?|Name|RE|Re|Subject|Dear|Hello"
    rf"|Hi)\b[*_]*\s*(?:[:,-]|(?=[A-Z]))[*_\s]*"
    rf"(?:Mr|Mrs|Ms|Miss|Mx)?\.?\s*(?P<name>{_WORD}(?:[ \u00a0](?:[A-Z]\.|{_WORD})){{0,3}})"
)
_NOT_A_NAME: Final = frozenset(
    [
        "patient",
        "provider",
        "colleague",
        "doctor",
        "team",
        "sir",
        "madam",
        "parent",
        "parents",
        "guardian",
        "family",
        "caregiver",
        "friend",
        "all",
        "everyone",
        "there",
        "name",
        "the",
        "your",
        "dr",
        "doctor",
        "nurse",
        "professor",
        "prof",
        "physician",
        "clinician",
        "pharmacist",
        "summary",
        "discharge",
        "education",
        "information",
        "instructions",
        "re",
        "safety",
        "medication",
        "medications",
        "plan",
        "care",
        "history",
        "status",
        "presents",
        "reports",
        "denies",
        "has",
        "is",
        "was",
        "should",
        "may",
        "will",
        "can",
        "and",
        "hospital",
        "clinic",
        "department",
        "insurance",
        "appointment",
        "date",
        "age",
        "sex",
        "male",
        "female",
        "identification",
        "id",
        "name",
        "portal",
        "advised",
    ]
)


def persons(text: str) -> Iterator[tuple[Span, str]]:
    """Names that a text gives to the person it is about: after a title, a label or a salutation; never clinicians."""
    seen: set[int] = set()
    for pattern in (_TITLE, _LABEL):
        for match in pattern.finditer(text):
            name = match["name"]
            if match.start("name") in seen or not name_parts(name):
                continue
            following = text[match.end("name") : match.end("name") + 12]
            if re.match(r",?\s*(?:MD|DO|RN|NP|PA|PharmD|FNP|MBBS)\b", following):
                continue
            before = text[max(0, match.start() - 40) : match.start()].lower()
            if re.search(
                r"\b(?:mother|father|wife|husband|son|daughter|brother|sister|caregiver|guardian|spouse),? *$",
                before,
            ):
                continue
            seen.add(match.start("name"))
            yield Span(match.start("name"), match.end("name")), name


def name_parts(name: str) -> set[str]:
    words = {word.strip(".'\u2019").lower() for word in re.split(r"[ \u00a0-]+", name)}
    words = {re.sub(r"['\u2019]s$", "", word) for word in words}
    if words & _NOT_A_NAME and len(words - _NOT_A_NAME) == 0:
        return set()
    return {word for word in words - _NOT_A_NAME if len(word) > 1}
