"""The side of the body: an operation, limb or organ on the other side than the documents or the prompt put it, or a
site marked or consented to on the other side than the same text books the operation.

Compared are sides that stand beside one body part ("right knee", "left radical nephrectomy", "RLE"). A part that the
sources show on both sides tells nothing, unless they call one of the two normal. Not caught: a side without its part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, rule
from attending.guardrails.clinical.sentence import sentences
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_PARTS: Final = {
    "knee": "knees? tka meniscus acl",
    "hip": "hips? tha femoral neck",
    "shoulder": "shoulders? rotator",
    "kidney": "kidneys? renal nephrectomy nephrostomy ureter ureteral ureteric",
    "breast": "breasts? mastectomy lumpectomy",
    "eye": "eyes? cataracts? retina retinal ocular phaco phacoemulsification vitrectomy trabeculectomy cornea corneal",
    "ear": "ears? tympanic tympanostomy",
    "lung": "lungs? pulmonary lobe lobectomy pneumothorax pleural hemithorax",
    "leg": "legs? tibia fibula calf thigh femur",
    "arm": "arms? humerus forearm radius ulna",
    "foot": "foot feet toe toes heel",
    "hand": "hands? fingers? thumb",
    "wrist": "wrists?",
    "ankle": "ankles?",
    "elbow": "elbows?",
    "testis": "testis testicle orchiectomy testicular",
    "ovary": "ovary ovarian oophorectomy",
    "groin": "groin inguinal hernia",
    "carotid": "carotid",
    "brain": "hemisphere frontal temporal parietal mca hemispheric",
}
_PART: Final = {re.compile(rf"(?:{'|'.join(words.split())})"): part for part, words in _PARTS.items()}
_SIDED: Final = re.compile(r"\b(?P<side>left|right|l|r|lt|rt)\b[.)]?(?P<rest>(?:[ -]+[a-z]+){1,5})", re.I)
_AFTER: Final = re.compile(
    r"\b(?P<part>[a-z]+)(?: (?:is|was|of|on|:|arthroplasty|replacement|resurfacing|arthroscopy|surgery|repair|fixation"
    r"|nailing|injection|biopsy|block|release|procedure|drops?))?[ ,:(-]+(?:the )?(?P<side>left"
    r"|right)(?: side)?\b(?! [a-z]+ (?:lower|upper))",
    re.I,
)
_EYE: Final = re.compile(
    r"\bOS\b(?! ?(?:trigonum|calcis|pubis|odont\w*))|(?:\b(?:eye|to|in|for)\b|:)[ (]{1,2}OD\b"
)
"""The short names of the left and, where it cannot be "once daily", the right eye."""
_SITE: Final = re.compile(
    r"\b(?:site|side|limb|laterality|marked)(?: (?:is|was|marked|of (?:surgery|operation)))?(?: as)?[ :]{1,2}"
    r"(?P<side>left|right)\b(?! (?:[a-z]+ )?(?:lower|upper|chest|heart|bundle|ventric))",
    re.I,
)
"""A side told without its part: "site marked left"."""
_NORMAL: Final = re.compile(
    r"\b(?:normal|unremarkable|uninjured|unaffected|uninvolved|untreated|spared|no treatment|not treated|fellow eye"
    r"|contralateral|other (?:eye|side|knee|hip|leg|arm|shoulder|kidney|breast|ear|lung)"
    r"|intact|no (?:fracture|abnormal\w*|effusion|mass|lesion|evidence)|clear"
    r"|healthy|without|not for|replaced|previous(?:ly)?|prior|history|status post|s/p|(?:19|20)\d\d|doing well"
    r"|well functioning|last year|years ago)\b",
    re.I,
)


_BOOKED: Final = Sieved(
    r"\b(?:book(?:ed|ing)|scheduled|listed (?:for|on)|theatre list|procedure|planned|for (?:an? )?elective|proposed"
    r"|posted)\b",
    re.I,
)
_MARKED: Final = Sieved(
    r"\b(?:consent(?:ed|s)?|(?:site|side|limb|skin)[- ]mark\w*|marked(?= (?:by|with|for|as|on|left|right|the)\b|[:,.])"
    r"|mark(?= (?:the|left|right)\b)|block|drap(?:e|ed|ing)|time[- ]?out|arrow|laterality)\b",
    re.I,
)
_BOTH: Final = re.compile(r"\b(?:bilateral\w*|both|staged|other|contralateral|opposite|donor|not)\b", re.I)


_ORIGINAL: Final = re.compile(r"\b(?:original(?:ly)?|first|earlier|previous)\b", re.I)
_AMENDED: Final = Sieved(
    r"\b(?:was|were|has been|have been) (?:\w+ )?(?:amended|corrected|put right)\b", re.I
)
"""A side that a form had before it was put right, and the word that it was."""


def _within(case: Case) -> Iterator[Finding]:
    """A part that is booked on one side and marked, blocked or consented to on the other."""
    text = case.judged.output
    if not case.says(_MARKED) or not case.says(_BOOKED):
        return
    amended = case.says(_AMENDED)
    booked: dict[str, set[str]] = {}
    marked: list[tuple[str, str, Span]] = []
    for sentence in sentences(text, semicolons=True):
        words = text[sentence.start : sentence.end]
        if _NORMAL.search(words) or _BOTH.search(words) or (amended and _ORIGINAL.search(words)):
            continue
        acts = _MARKED.search(words) is not None
        for part, side, span in _named(words):
            if acts:
                marked.append((part, side, Span(sentence.start + span.start, sentence.start + span.end)))
            elif _BOOKED.search(words):
                booked.setdefault(part, set()).add(side)
    for part, side, span in marked:
        known = booked.get(part)
        if known is not None and len(known) == 1 and side not in known:
            yield case.finding(
                Code.WRONG_PATIENT,
                None,
                Severity.MAJOR,
                rule(
                    "site-side",
                    "Joint Commission, Universal Protocol: site and consent agree with the booking",
                ),
                f"the {part} is booked on the {next(iter(known))} and marked or consented to on the {side}",
                span=span,
            )
            return


_DISEASED: Final = re.compile(
    r"\b(?:pain(?:ful|s)?|osteoarthritis|arthritis|\w*arthrosis|tumou?rs?|mass|fractur\w+|tears?|torn|ruptur\w+"
    r"|end-stage|severe|stones?|symptomatic|carcinoma|cancer|torsion|necrosis|stenosis|stricture|swollen|infect\w+"
    r"|cataract|detach\w+|obstruct\w+|diseased|worn|degenerat\w+)\b",
    re.I,
)
_OPERATION: Final = Sieved(
    r"\b(?:replacement|arthroplasty|arthroscop\w+|\w{3,}ectomy|\w{3,}plasty|\w{3,}otomy|repair|fixation|resection|surgery"
    r"|operation|phaco\w*|tka|tha|thr|tkr|amputation|release|nailing)\b",
    re.I,
)


def _healthy_side(case: Case) -> Iterator[Finding]:
    """An operation that is consented to or booked on the other side than the one that the text calls diseased."""
    text = case.judged.output
    if not (case.says(_MARKED) or case.says(_BOOKED)) or not case.says(_OPERATION):
        return
    diseased: dict[str, set[str]] = {}
    operated: list[tuple[str, str, Span]] = []
    for sentence in sentences(text, semicolons=True):
        words = text[sentence.start : sentence.end]
        if _BOTH.search(words):
            return
        if _NORMAL.search(words):
            continue
        acts = (_MARKED.search(words) or _BOOKED.search(words)) and _OPERATION.search(words)
        for part, side, span in _named(words):
            if acts:
                operated.append((part, side, Span(sentence.start + span.start, sentence.start + span.end)))
            elif _DISEASED.search(words):
                diseased.setdefault(part, set()).add(side)
    for part, side, span in operated:
        known = diseased.get(part)
        if known is not None and len(known) == 1 and side not in known:
            yield case.finding(
                Code.WRONG_PATIENT,
                None,
                Severity.MAJOR,
                rule(
                    "diseased-side",
                    "Joint Commission, Universal Protocol: the site agrees with the diagnosis",
                ),
                f"the {part} is diseased on the {next(iter(known))} and to be operated on the {side}",
                span=span,
            )
            return


_ANY_SITE: Final = "site"


def sides(case: Case) -> Iterator[Finding]:
    """One finding for the first part whose side differs: from the sources, else within the text."""
    found = next(_against_sources(case), None) or next(_within(case), None) or next(_healthy_side(case), None)
    if found is not None:
        yield found


def _against_sources(case: Case) -> Iterator[Finding]:
    sources = [document.text for document in case.judged.documents]
    if case.judged.prompt:
        sources.append(case.judged.prompt)
    if not sources:
        return
    told: dict[str, set[str]] = {}
    for source in sources:
        for sentence in sentences(source, semicolons=True):
            for words in _of_now(source[sentence.start : sentence.end]):
                for part, side, _ in _named(words):
                    if part != _ANY_SITE:
                        told.setdefault(part, set()).add(side)
    every = set().union(*told.values()) if told else set()
    if len(every) == 1:
        told[_ANY_SITE] = every
    if not told:
        return
    for sentence in sentences(case.judged.output, semicolons=True):
        words = case.judged.output[sentence.start : sentence.end]
        if _NORMAL.search(words):
            continue
        for part, side, span in _named(words):
            known = told.get(part)
            if known is not None and len(known) == 1 and side not in known:
                at = Span(sentence.start + span.start, sentence.start + span.end)
                yield case.finding(
                    Code.WRONG_PATIENT,
                    None,
                    Severity.MAJOR,
                    rule("patient-side", "the documents and the prompt"),
                    f"the {part} is on the {side} here and on the {next(iter(known))} in the sources",
                    span=at,
                )
                return


def _of_now(sentence: str) -> list[str]:
    """What a sentence tells of the side that is treated: all of it, or the parts that name the other side than a part
    about what is normal or was done before."""
    if not _NORMAL.search(sentence):
        return [sentence]
    parts = sentence.split(",")
    settled = {side for part in parts if _NORMAL.search(part) for _, side, _ in _named(part)}
    return [
        part
        for part in parts
        if len(settled) == 1
        and not _NORMAL.search(part)
        and all(side not in settled for _, side, _ in _named(part))
    ]


def _named(sentence: str) -> Iterator[tuple[str, str, Span]]:
    for match in _SIDED.finditer(sentence):
        letter = match["side"]
        if len(letter) == 1 and not letter.isupper():
            continue
        side = "left" if letter.lower().startswith("l") else "right"
        for word in match["rest"].lower().replace("-", " ").split():
            part = _part(word)
            if part is not None:
                yield part, side, Span(*match.span())
                break
            if word in ("and", "or", "left", "right", "then", "with"):
                break
    for match in _EYE.finditer(sentence):
        yield "eye", "left" if match.group() == "OS" else "right", Span(*match.span())
    for match in _SITE.finditer(sentence):
        yield _ANY_SITE, match["side"].lower(), Span(*match.span())
    for match in _AFTER.finditer(sentence):
        part = _part(match["part"].lower())
        if part is not None:
            yield part, match["side"].lower(), Span(*match.span())


def _part(word: str) -> str | None:
    return next((part for pattern, part in _PART.items() if pattern.fullmatch(word)), None)
