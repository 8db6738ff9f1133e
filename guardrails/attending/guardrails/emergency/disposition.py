"""What a text does about an emergency: sends to urgent help, reports a finished work-up, or answers with delay."""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.emergency.concepts import lexicon, tokens_of
from attending.guardrails.sieve import Sieved

_URGENT: Final = Sieved(
    r"\b(?:(?:call|dial|ring|phone)\s+(?:\w+\s+){0,3}(?:911|999|112|000|988|111|emergency|ambulance|poison"
    r"|crisis|lifeline)|(?<![/\d])(?:911|999|112|988)(?!/)"
    r"|emergency (?:room|department|services?|care|medical|help)|\bER\b|\bED\b|A&E|ambulance|poison (?:control|cent)"
    r"|(?:nearest|to the|to a|go to) (?:\w+ )?hospital|urgent(?:ly)?(?: care| medical)?"
    r"|immediate(?:ly)? (?:medical|help|care|attention|evaluation|seek|call|go)"
    r"|(?<!you )(?<!they )(?<!he )(?<!I )(?:seek|get|call|ring|phone|contact|tell|come|attend|take|bring|go"
    r"|evaluat\w+|be seen|medical (?:attention"
    r"|help|care))\b[^.\n]{0,40}\b(?:immediately"
    r"|right away|now|at once|without delay|same[- ]day|today|as soon as possible)"
    r"|straight (?:away|to (?:\w+ )?hospital)|blue[- ]light\w*|casualty|(?:mg|IM|give|mcg|microgram\w*|of"
    r"|inject) (?:\w+ ){0,2}(?:epinephrine|adrenaline)|IV \w+|resus\w*|labou?r ward|maternity (?:unit|triage"
    r"|assessment)|(?:AMU|EAU|MAU|SDEC|ICU|ITU|CCU)|admit(?:ted)? (?:to|under|for|from|via)|on-call \w+"
    r"|(?:transfer\w*|sent|conveyed) (?:\w+ )?to (?:\w+ )?hospital"
    r"|immediately|right away|without delay|stat\b|crisis (?:line|text)|suicide (?:hotline|prevention"
    r"|lifeline)|rapid response|code blue|stroke (?:code|alert|team)|activate)\b",
    re.I,
)
_NO_URGENCY: Final = re.compile(
    r"\b(?:no need|(?:do|does|did)(?:n(?:'|\u2019)t| not) (?:need|have|require)|not necessary|unnecessary"
    r"|needn(?:'|\u2019)t|rather than|instead of|without|not (?:an? )?(?:emergency|urgent)|never)\b[^.\n]{0,60}$"
    r"|\b(?:not (?:an? )?|non-|nothing "
    r"|(?:do(?:n(?:'|\u2019)t| not)|avoid) (?:(?:go|going|rush|rushing|come|bother) )?(?:to |in to )?(?:the "
    r"|an? )?)$",
    re.I,
)
_NOT_NEEDED: Final = re.compile(
    r"^[^.;\n]{0,20}\b(?:(?:is|are|was)(?: not|n(?:'|\u2019)t)(?: \w+)? (?:need|necess|requir|warrant|indicat)\w*"
    r"|not (?:needed"
    r"|required|necessary|indicated)|unnecessary)\b",
    re.I,
)
_EVALUATED: Final = re.compile(
    r"\b(?:turned out|confirmed|was (?:due|caused|from)|came from|(?:tests?|scan|ct|mri|ecg|ekg|x-?ray|troponins?"
    r"|work-?up|bloods?"
    r"|results?) (?:\w+ ){0,4}(?:normal|negative|fine|clear|reassuring|unremarkable|good)|ruled out|excluded"
    r"|discharged(?! home(?: with|[.,;]|$))"
    r"|follow(?:ing)?[- ]?up (?:of|after|from)|were seen|was seen|since your (?:visit|admission|stay"
    r"|surgery)|in the (?:er|ed"
    r"|hospital) (?:yesterday|last|today|on)|treated)\b",
    re.I,
)
_TESTS: Final = (
    r"(?:tests?|scan|ct|ctpa|mri|ecg|ekg|x-?ray|troponins?|work-?up|bloods?|results?|hb|h(?:a)?emoglobin|doppler"
    r"|ultrasound|imaging|angiogram|d-dimer|lumbar puncture)"
)
_CLEARED: Final = re.compile(
    rf"\b(?:{_TESTS} (?:\w+ ){{0,4}}(?:normal|negative|fine|clear|reassuring|unremarkable)"
    rf"|(?:normal|negative|clear|unremarkable) (?:\w+ )?{_TESTS}|(?:ruled out|excluded) (?:by|on|with))\b",
    re.I,
)
"""A finished work-up, in the words beside the sign."""
_SEEN: Final = re.compile(
    r"\b(?:ED to (?:the )?GP|(?:attended|seen in|came to|brought to|from) (?:the )?(?:ED|A&E|ER"
    r"|emergency)|emergency (?:MRI|CT|scan|surgery"
    r"|theatre)|no (?:evidence of |sign of |acute )?(?:cord|cauda equina|compression|fracture|infarct\w*"
    r"|h(?:a)?emorrhage|embol\w+|clot|PE|DVT"
    r"|STEMI|isch(?:a)?emi\w+|bleed))\b",
    re.I,
)
"""Seen in an emergency department, or a feared cause looked for and not found."""
_WORSE: Final = re.compile(
    r"\b(?:if|should|unless)\b[^.;\n]{0,60}\b(?:worse\w*|deteriorat\w*|persist\w*|not (?:better|improv\w*"
    r"|settl\w*|gone)|no better"
    r"|no improvement|fails? to|continu\w+|lasts?|still|recurs?|returns?|spreads?|increas\w+|becomes?|develops?)\b",
    re.I,
)
"""A condition on the course: help is for later, when the sign is there now."""
_NEXT: Final = 25
"""Characters between urgent help and the condition on it."""
_LATER: Final = re.compile(r"\botherwise\b[^.\n]{0,40}\Z", re.I)


def directs_urgently(text: str, *, whatever_comes: bool = False) -> bool:
    """True where the text sends to urgent help and does not take it back in the same sentence.

    `whatever_comes`: help that waits for a worse course does not count.
    """
    for match in _URGENT.finditer(text):
        before, after = text[max(0, match.start() - 90) : match.start()], text[match.end() : match.end() + 60]
        if _NO_URGENCY.search(before) or _NOT_NEEDED.search(after):
            continue
        if whatever_comes and _waits(text, match):
            continue
        return True
    return False


def evaluated(text: str) -> bool:
    """True where the text tells of a finished work-up, a diagnosis that was made, or a stay in hospital."""
    return _EVALUATED.search(text) is not None or cleared(text)


def cleared(text: str) -> bool:
    """True where tests that answer the question are reported as normal, or somebody was seen for it."""
    return _CLEARED.search(text) is not None or _SEEN.search(text) is not None


def delay(text: str, window: Span, *, kinds: tuple[str, ...] = ("delay", "calm")) -> Span | None:
    """The first words in the window that put off, calm or (`remedy`, `routine`) treat at home."""
    part = text[window.start : window.end]
    for told in lexicon("disposition.tsv").tell(tokens_of(part)):
        if told.concept in kinds and not _LATER.search(part, 0, told.span.start):
            return Span(window.start + told.span.start, window.start + told.span.end)
    return None


def _waits(text: str, match: re.Match[str]) -> bool:
    """True where help waits for a worse course: "if it worsens, call 911", "go to the ER if no better"."""
    sentence = sentence_around(text, match.start(), match.end())
    after = _WORSE.search(text, match.end(), sentence.end)
    return _WORSE.search(text, sentence.start, match.start()) is not None or (
        after is not None and after.start() - match.end() <= _NEXT
    )
