"""A line of an allergy list as people write it: "amoxicillin (anaphylaxis, 2022)", "codeine - nausea".

What stands behind the substance is its reaction only where it reads as one and names no drug, no class and no second
entry: of "Drug: penicillin, reaction: hives", "codeine - nausea; penicillin - anaphylaxis" and "2019 - anaphylaxis to
amoxicillin" nothing may be lost, so that the whole line stays the substance.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.patient import Allergy, PatientContext

_WITH_REACTION: Final = re.compile(
    r"(?P<substance>[^()\[\]:;]{2,60}?)(?: ?[(\[](?P<inside>[^()\[\]:]{2,120})[)\]]"
    r"|(?:[:;] | [-\u2013\u2014] )(?P<behind>[^()\[\]:;]{2,120}))"
)
_A_REACTION: Final = re.compile(
    r"\b(?:anaphyl\w*|rash\w*|hives|urticari\w*|angio-?o?edema|sw[eo]ll\w*|wheez\w*|bronchospasm|asthma|breath\w*"
    r"|itch\w*|prurit\w*|flush\w*|blister\w*|sjs|stevens|ten|dress|collaps\w*|shock|arrest|nausea|vomit\w*|diarrh\w*"
    r"|upset|cramps?|cough\w*|headache|dizz\w*|drows\w*|constipat\w*|confus\w*|hallucinat\w*|palpitations?|intoleran\w*"
    r"|reactions?|hepatitis|jaundice|agranulocytosis|neutropeni\w*|h(?:a)?emoly\w*|serum sickness|unknown|icu|itu"
    r"|intensive care|myalgi\w*|muscle|sick)\b",
    re.I,
)
_LABEL: Final = re.compile(
    r"\b(?:allerg\w*|drugs?|medic\w*|substance|agent|reactions?|type|known|adrs?|list|severity)\b|\b(?:19|20)\d\d\b",
    re.I,
)
"""What stands before the substance rather than being it."""
_SECOND_ENTRY: Final = re.compile(
    r" [-\u2013\u2014] |\b(?:to|with|from|after|by) (?!icu|itu|hospital|the)\w", re.I
)
_RESCUE: Final = frozenset(
    {
        "epinephrine",
        "hydrocortisone",
        "chlorpheniramine",
        "diphenhydramine",
        "prednisolone",
        "prednisone",
        "cetirizine",
    }
)
"""What a reaction is treated with: "anaphylaxis, adrenaline given"."""


def lines_read(context: PatientContext, lexicon: Lexicon) -> PatientContext:
    """The context with the reactions of its allergy lines told apart from their substances."""
    if not context.allergies:
        return context
    return replace(context, allergies=tuple(_read(allergy, lexicon) for allergy in context.allergies))


def _read(allergy: Allergy, lexicon: Lexicon) -> Allergy:
    told = None if allergy.reaction else _WITH_REACTION.fullmatch(allergy.substance.strip())
    if told is None:
        return allergy
    substance, reaction = told["substance"], told["inside"] or told["behind"]
    if _A_REACTION.search(reaction) is None or _A_REACTION.search(substance) or _LABEL.search(substance):
        return allergy
    if _SECOND_ENTRY.search(reaction):
        return allergy
    if any(not _RESCUE.issuperset(hit.drugs or {""}) for hit in lexicon.find(normalise(reaction).text)):
        return allergy
    return replace(allergy, substance=substance, reaction=reaction.lower())


__all__ = ["lines_read"]
