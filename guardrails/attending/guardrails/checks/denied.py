"""What the output says of the patient and the record or a document says the contrary of, in plain words.

Three kinds: a medicine that the output says is not taken and the list holds; a finding (a clot, a fracture) that the
output confirms and the documents only deny, or the reverse; an ejection fraction that no document gives. Where any
document agrees, or the place in the body is another, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_NOT_ON: Final = re.compile(
    r"\b(?:(?:is|was|are|am) not|isn't|aren't|not|never|nor) (?:currently |now |known to be |already )?"
    r"(?:on|taking|prescribed|using) (?:any |an? |the )?(?:regular )?$",
    re.I,
)
_UNTHINNED: Final = Sieved(
    r"\b(?:not (?:currently )?(?:on (?:any )?)?anti-?coagulat(?:ed|ion)|un-?anti-?coagulated|no blood[- ]thinners?"
    r"|not on (?:any |a )?blood[- ]thinners?)\b",
    re.I,
)
_NOT_TAKEN: Final = "the text says that {} is not taken; the list has it"
_ENDED: Final = re.compile(
    r"\b(?:held|hold|stopp\w*|discontinu\w*|paus\w*|withheld|no longer|until|before|if|unless|when|instead)\b",
    re.I,
)

_FINDINGS: Final = {
    "clot": Sieved(
        r"\b(?:(?:blood )?clots?|thromb(?:us|i|osis|oses)|dvt|pulmonary embol(?:us|i|ism)|(?-i:PE)|embolism)\b",
        re.I,
    ),
    "fracture": Sieved(
        r"\b(?:fractured?|fractures|broken (?:bone|hip|wrist|ankle|rib|leg|arm|neck))\b", re.I
    ),
    "bleed in the head": Sieved(
        r"\b(?:(?:subdural|subarachnoid|intracranial|intracerebral|extradural|brain) ?(?:ha?emorrhage|bleed(?:ing)?"
        r"|ha?ematoma|blood)?|bleed(?:ing)? (?:in|on|around) the brain)\b",
        re.I,
    ),
    "pneumonia": Sieved(r"\b(?:pneumonia|consolidation)\b", re.I),
    "pneumothorax": Sieved(r"\b(?:pneumothora(?:x|ces)|collapsed lung)\b", re.I),
    "cancer": Sieved(r"\b(?:cancers?|carcinoma|malignan\w+|metasta\w+)\b", re.I),
    "stroke": Sieved(r"\b(?:stroke|(?:cerebral|lacunar|mca) infarct\w*)\b", re.I),
    "stone": Sieved(r"\b(?:(?:kidney|ureteric|renal|gall) ?stones?|calcul(?:us|i))\b", re.I),
    "appendicitis": Sieved(r"\bappendicitis\b", re.I),
    "aneurysm": Sieved(r"\b(?:aneurysms?|aaa)\b", re.I),
    "abscess": Sieved(r"\b(?:abscess(?:es)?|collection)\b", re.I),
}
_SAYS_NO: Final = re.compile(
    r"\b(?:no|not|without|negative for|free of|exclud\w*|rul\w+ out|absence of|denies|nil|never|resolution of)\b"
    r"(?:(?!\bbut\b)[^.;\n]){0,60}$",
    re.I,
)
_NO_AFTER: Final = re.compile(
    r"[^.;,\n]{0,30}\b(?:excluded|ruled out|not seen|not (?:identified|present|demonstrated)|absent|negative|resolved"
    r"|unlikely)\b",
    re.I,
)
_UNSURE: Final = re.compile(
    r"\b(?:if|risks?|prevent\w*|prophyla\w*|suspect\w*|possibl\w*|query|rule out|exclude|in case"
    r"|look(?:ing)? for|assess"
    r"|history|previous\w*|old|prior|past|family|mother|father|can|may|might|could|would|signs? of|symptoms? of"
    r"|check\w*"
    r"|unless|avoid|reduce|protect|chance|whether|screening|repeat|first|initial|earlier|later|since|new|again)\b|\?",
    re.I,
)
_CONFIRMS: Final = re.compile(
    r"\b(?:shows?|showed|shown|confirm\w*|found|reveal\w*|demonstrat\w*|diagnos\w*|do have|does have|have|has"
    r"|positive"
    r"|there is|seen|evidence of|reports?|reported|consistent with|given the|because of the)\b",
    re.I,
)
_SOURCE: Final = re.compile(
    r"\b(?:scans?|ct|mri|x-?rays?|films?|ultrasound|doppler|echo\w*|reports?|histology|biopsy|letter|imaging"
    r"|radiolog\w*"
    r"|angiogram|results?)\b",
    re.I,
)
_PLACES: Final = {
    "heart": "heart cardiac intracardiac ventricular ventricle atrial lv echo aortic",
    "lung": "lung lungs pulmonary chest",
    "leg": "leg legs calf femoral popliteal dvt thigh tibia fibula",
    "head": "head brain skull cranial intracranial cerebral subdural",
    "hip": "hip hips neck-of-femur",
    "wrist": "wrist radius ulna scaphoid",
    "rib": "rib ribs",
    "spine": "spine vertebra vertebral lumbar thoracic cervical",
    "arm": "arm shoulder humerus elbow clavicle",
    "foot": "foot ankle toe heel metatarsal",
    "breast": "breast",
    "bowel": "bowel colon colonic rectal",
    "kidney": "kidney renal ureter ureteric",
    "belly": "abdomen abdominal liver gallbladder",
}
_PLACE: Final = {word: place for place, words in _PLACES.items() for word in words.split()}
_WORD: Final = re.compile(r"[a-z-]+")
_EJECTION: Final = Sieved(
    r"\b(?:lv ?ef|ef|ejection fraction)\b(?: (?:is|was|of|at"
    r"|now))*\s*[:=]?\s*(?P<value>\d{1,2})(?:\s?-\s?\d{1,2})?\s?%",
    re.I,
)
_MOVED: Final = re.compile(
    r"\b(?:improv\w*|recover\w*|previous\w*|now|today|repeat\w*|from|target|if|above|below|normal range|last|was"
    r" once|declin\w*|fell|drop\w*)\b",
    re.I,
)
_POINTS: Final = Decimal(10)
"""Two readings of an ejection fraction differ by up to this without contradiction."""


@dataclass(frozen=True, slots=True)
class _Told:
    """One sentence that names a finding: whether it is there, and where in the body."""

    there: bool | None
    span: Span
    sentence: str
    places: frozenset[str]


def denied(case: Case) -> Iterator[Finding]:
    yield from _not_taken(case)
    if case.judged.documents:
        yield from _findings(case)
        yield from _ejection(case)


def _not_taken(case: Case) -> Iterator[Finding]:
    """ "He is not anticoagulated" of a patient whose list has apixaban."""
    text = case.judged.output
    for statement in case.output.statements:
        mention = statement.mention
        before = text[max(0, mention.span.start - 50) : mention.span.start]
        if _NOT_ON.search(before) is None:
            continue
        listed = sorted(
            drug
            for drug in case.recorded - case.ended
            if drug in mention.drugs or (mention.drug_class and case.of_class(drug, mention.drug_class))
        )
        if listed and not _still_true(text, mention.span):
            yield _found(
                case,
                "not-taken",
                mention.span,
                _NOT_TAKEN.format(listed[0]),
            )
            return
    for match in _UNTHINNED.finditer(text):
        span = Span(*match.span())
        listed = sorted(drug for drug in case.recorded if case.of_class(drug, "anticoagulant", "doac"))
        if listed and not _still_true(text, span):
            yield _found(case, "not-taken", span, _NOT_TAKEN.format(listed[0]))
            return


def _still_true(text: str, span: Span) -> bool:
    around = sentence_around(text, span.start, span.end, reach=200)
    return _ENDED.search(text, around.start, around.end) is not None


def _findings(case: Case) -> Iterator[Finding]:
    for name, pattern in _FINDINGS.items():
        ours = [one for one in _told(case.judged.output, pattern) if one.there is not None]
        if not ours:
            continue
        theirs = [one for document in case.judged.documents for one in _told(document.text, pattern)]
        if not theirs or any(one.there is None for one in theirs):
            continue
        if len({one.there for one in theirs}) > 1:
            continue
        there = theirs[0].there
        if any(one.there == there for one in ours):
            continue
        for one in ours:
            if not any(_same_place(one, other, told=not one.there) for other in theirs):
                continue
            if (_CONFIRMS if one.there else _SOURCE).search(one.sentence) is None:
                continue
            ours_says, theirs_say = ("confirms", "deny") if one.there else ("denies", "report")
            message = f"the output {ours_says} what the documents {theirs_say}: {name}"
            yield _found(case, "finding", one.span, message)
            break


def _same_place(one: _Told, other: _Told, *, told: bool) -> bool:
    """Whether both may speak of one place; of a denial both must be `told` to, as it holds for its place alone."""
    if one.places & other.places:
        return True
    return not told and (not one.places or not other.places)


def _told(text: str, pattern: Sieved) -> Iterator[_Told]:
    for match in pattern.finditer(text):
        around = sentence_around(text, match.start(), match.end(), reach=300, semicolons=True)
        before, sentence = text[around.start : match.start()], text[around.start : around.end]
        there: bool | None = True
        if _SAYS_NO.search(before) or _NO_AFTER.match(text, match.end(), around.end):
            there = False
        elif _UNSURE.search(sentence):
            there = None
        places = frozenset(_PLACE[word] for word in _WORD.findall(sentence.lower()) if word in _PLACE)
        yield _Told(there, Span(*match.span()), sentence, places)


def _ejection(case: Case) -> Iterator[Finding]:
    """An ejection fraction more than `_POINTS` from every one that the documents and the prompt give."""
    known = [
        Decimal(match["value"])
        for text in (*(document.text for document in case.judged.documents), case.judged.prompt or "")
        for match in _EJECTION.finditer(text)
    ]
    if not known:
        return
    for match in _EJECTION.finditer(case.judged.output):
        value = Decimal(match["value"])
        around = sentence_around(case.judged.output, *match.span(), reach=200)
        if _MOVED.search(case.judged.output, around.start, around.end):
            continue
        if all(abs(value - other) > _POINTS for other in known):
            message = f"an ejection fraction of {value}%; the documents give {known[0]}%"
            yield _found(case, "ejection-fraction", Span(*match.span()), message)
            return


def _found(case: Case, kind: str, span: Span, message: str) -> Finding:
    return case.finding(
        Code.CONTRADICTION,
        None,
        Severity.MAJOR,
        rule(f"denied-{kind}", "the patient's record and the documents"),
        message,
        span=span,
    )
