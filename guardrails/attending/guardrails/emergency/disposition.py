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
    r"|(?<!code)(?<!cost)(?<!price)(?<!pin)(?:\u2192|->|=|:) ?000(?![\d,/]|\.\d)"
    r"|emergency (?:room|department|services?|care|medical|help)|\bER\b|\bED\b|A&E|ambulance|poison (?:control|cent)"
    r"|(?:nearest|to the|to a|go to) (?:\w+ )?hospital|urgent(?:ly)?(?: care| medical)?"
    r"|immediate(?:ly)? (?:medical|help|care|attention|evaluation|seek|call|go)"
    r"|(?<!you )(?<!they )(?<!he )(?<!I )(?:seek|get (?:seen|help|checked|looked|medical|emergency"
    r"|to|yourself|him|her|them|someone|an?)|call|ring|phone|contact|tell|come|attend|(?:take|bring) (?:\w+ "
    r"){1,2}(?:to"
    r"|in|straight)|bring|go|evaluat\w+|be seen|medical (?:attention|help|care))\b[^.\n]{0,40}\b(?:immediately"
    r"|right away|now|at once|without delay|same[- ]day|today|as soon as possible)"
    r"|straight (?:away|to (?:\w+ )?hospital)|blue[- ]light\w*|casualty|(?:mg|IM|give|mcg|microgram\w*|of"
    r"|inject) (?:\w+ ){0,2}(?:epinephrine|adrenaline)|IV \w+|resus\w*|labou?r ward|L&D|labou?r (?:and|&) delivery"
    r"|maternity (?:unit|triage"
    r"|assessment)|(?:AMU|EAU|MAU|SDEC|ICU|ITU|CCU)|admit(?:ted)? (?:to|under|for|from|via)|on-call \w+"
    r"|(?:transfer\w*|sent|conveyed) (?:\w+ )?to (?:\w+ )?hospital"
    r"|(?:needs?|means|for|and|arrange|warrants?|requires?|=|\u2192) (?:an? )?(?:hospital |emergency )?admission"
    r"|emergency(?= ?[:\u2013=])"
    r"|immediately|right away|without delay|stat\b|crisis (?:line|text)|suicide (?:hotline|prevention"
    r"|lifeline)|rapid response|code blue|stroke (?:code|alert|team)|activate)\b",
    re.I,
)
_NEGATIONS: Final = re.compile(
    r"\b(?:not|never|no|nothing|none|nor|neither|without|rather than|instead of|avoid\w*|against|away from|keep out of"
    r"|out of|excessive|overkill|pointless|needless|wast\w+|needn(?:'|\u2019)t|unnecessary|non|deliberately|asked "
    r"about"
    r"|wanted|hoped for"
    r"|declin\w*|refus\w*)\b|n(?:'|\u2019)t\b",
    re.I,
)
"""What turns urgent help down, when it stands before it in the same clause."""
_OTHER_CLAUSE: Final = re.compile(
    r",|\b(?:but|so|and (?:call|go|ring|phone|take|come|attend|get|seek)|then|instead|hesitate|delay|wait\w*"
    r"|afraid|worry|forget"
    r"|(?<=no )matter|doubt|only|later than|longer|drive yourself|feel (?:bad|silly))\b",
    re.I,
)
"""Words after a negation that end its reach, or that are themselves what is not to be done."""
_BREAK: Final = re.compile(r"[.;:!?\n\u2013\u2014]| - ")
_CONDITIONAL: Final = re.compile(r"\b(?:if|unless|when|because|since|as)\b[^.,;:!?\n]{0,60}$", re.I)
_TURNED_DOWN: Final = re.compile(
    r"(?: (?!and\b|or\b|but\b|so\b)[\w'\u2019-]+){0,4}? (?:(?:is|are|was|were)(?: not|n(?:'|\u2019)t)(?! (?:to be"
    r"|far|open|only)\b)"
    r"|(?:would|will|can|could|may|might)(?: not|n(?:'|\u2019)t) (?:help|change|add|find|do|be (?:needed"
    r"|necessary|of))"
    r"|(?:would|will|could|can) (?:only|just|merely)|(?:is|are) (?:really |only |best |mainly )?(?:meant )?(?:for"
    r"|full of)\b"
    r"|(?:is|was|would be|seems|are) (?:excessive|overkill|unnecessary|pointless|too much|a waste)|not (?:needed"
    r"|required|necessary|indicated|warranted|given)|unnecessary|if you (?:like|prefer|wish|want)|tends? to"
    r"|leads? to|makes? (?:it|that|things|matters) worse)\b",
    re.I,
)
"""What turns it down, when it follows in the same clause: "A&E isn't the place for backs"."""
_MENTIONED: Final = re.compile(
    r"emergency (?:room|department|services?)|ER|ED|A&E|ambulance|casualty|911|999|112|988",
    re.I,
)
_HASTY: Final = re.compile(r"immediately|right away|stat|without delay|urgent(?:ly)?", re.I)
_HELPS: Final = re.compile(
    r"\b(?:go|attend\w*|call\w*|ring\w*|phone[ds]?|dial\w*|contact\w*|seek\w*|come|send\w*|sent|transfer\w*"
    r"|convey\w*|refer\w*"
    r"|admi\w+|arrang\w*|needs?|must|bring|assess\w*|examin\w*|seen?|review\w*|evaluat\w*|attention|help|bleep\w*"
    r"|alert\w*"
    r"|hospital|emergency|doctors?|team|theatre|surg\w+|scan|ct|mri|ultrasound|doppler|bloods|cultures?|ecg"
    r"|antibiotics|treat\w*"
    r"|inject\w*|infus\w*|iv|im|oxygen|discuss\w*|opinion|same|return|tell|get|request\w*|stop)\b",
    re.I,
)
"""What is done at once; a tablet taken at once is no help."""
_SENDS: Final = re.compile(
    r"\b(?:go|going|attend\w*|call\w*|ring\w*|phone[ds]?|dial\w*|text|contact\w*|seek\w*|head|come|coming|send\w*"
    r"|sent|transfer\w*"
    r"|convey\w*|refer\w*|admit\w*|admission|arrang\w*|needs?|needed|must|has to|have to|should|requires?"
    r"|warrants?|means|belongs?|return"
    r"|requested|accepted|discussed|aware|informed|taken?|bring|brought|drive|get|carry|assess\w*|examin\w*|seen?"
    r"|review\w*|evaluat\w*|tell"
    r"|present|attention|help|bleep\w*|paged?|alert\w*|way|via|straight|visit|for|booked|today|now|tonight|at "
    r"once|immediately|if|ct|scan)(?!\w)|\u2192|->|=|:",
    re.I,
)
"""Words of sending, calling or bringing. A sentence with none only mentions the place."""
_BARE: Final = 40
"""Characters of a sentence that is but an entry: "ED."."""
_TITLE: Final = re.compile(
    r" (?:\w+ )?(?:notes?|letters?|summary|record|discharge|form|triage note|telephone number|visit (?:note"
    r"|summary))\b",
    re.I,
)
"""The name of a document: "urgent care note"."""


_EVALUATED: Final = re.compile(
    r"\b(?:turned out|confirmed|was (?:due|caused|from)|came from|(?:tests?|scan|ct|mri|ecg|ekg|x-?ray|troponins?"
    r"|work-?up|bloods?"
    r"|results?) (?:\w+ ){0,4}(?:normal|negative|fine|clear|reassuring|unremarkable|good)|ruled out|excluded"
    r"|discharged from (?:the )?(?:hospital|ward)"
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

_NOT_WAITED_FOR: Final = re.compile(
    r"(?:\b(?:not|never|no need to|no point in|without|rather than|instead of)|n(?:'|\u2019)t) (?:\w+ ){0,2}?"
    r"wait(?:ing)? (?:for|on) (?:\w+ ){0,2}\Z",
    re.I,
)
"""Help that nobody is to wait for: "do not wait for an ambulance" sends nowhere."""

_WORKS: Final = re.compile(r"\b(?:protected|covered|works?|working|effective) \Z", re.I)
"""What a tablet is at once is no help: "you are protected straight away"."""

_WAITING: Final = re.compile(r"wait\b", re.I)
_NO_WAITING: Final = re.compile(
    r"\b(?:do not|don(?:'|\u2019)t|must not|should not|mustn(?:'|\u2019)t|shouldn(?:'|\u2019)t|not to|never|without"
    r"|rather than) \Z",
    re.I,
)
"""A delay that is forbidden: "do not wait for the scan"."""


def directs_urgently(text: str, *, whatever_comes: bool = False) -> bool:
    """True where the text sends to urgent help and does not take it back in the same sentence.

    `whatever_comes`: help that waits for a worse course does not count.
    """
    for match in _URGENT.finditer(text):
        before, after = text[max(0, match.start() - 90) : match.start()], text[match.end() : match.end() + 60]
        if _declined(before, after, match.group()) or _NOT_WAITED_FOR.search(before) or _WORKS.search(before):
            continue
        hasty = _HASTY.fullmatch(match.group()) is not None
        if (hasty or _MENTIONED.fullmatch(match.group())) and not _sends(
            text, match, _HELPS if hasty else _SENDS
        ):
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
        if (
            told.concept in kinds
            and not _LATER.search(part, 0, told.span.start)
            and not (_WAITING.match(part, told.span.start) and _NO_WAITING.search(part, 0, told.span.start))
        ):
            return Span(window.start + told.span.start, window.start + told.span.end)
    return None


def _sends(text: str, match: re.Match[str], frame: re.Pattern[str]) -> bool:
    sentence = sentence_around(text, match.start(), match.end())
    here = text[sentence.start : sentence.end]
    return frame.search(here) is not None or (frame is _SENDS and len(here) < _BARE)


def _declined(before: str, after: str, help_: str) -> bool:
    """Whether the words around urgent help turn it down. `before` and `after` are at most a sentence."""
    for refused in _NEGATIONS.finditer(before):
        between = before[refused.end() :] + help_.split(" ", 1)[0]
        if _BREAK.search(between) or _OTHER_CLAUSE.search(between):
            continue
        if _CONDITIONAL.search(before, 0, refused.start()):
            continue
        return True
    return _TURNED_DOWN.match(after) is not None or _TITLE.match(after) is not None


def _waits(text: str, match: re.Match[str]) -> bool:
    """True where help waits for a worse course: "if it worsens, call 911", "go to the ER if no better"."""
    sentence = sentence_around(text, match.start(), match.end())
    after = _WORSE.search(text, match.end(), sentence.end)
    return _WORSE.search(text, sentence.start, match.start()) is not None or (
        after is not None and after.start() - match.end() <= _NEXT
    )
