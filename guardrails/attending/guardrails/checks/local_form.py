"""Products for one place of the body in another: ear drops in an eye, ear drops behind a hole in the drum, and what is
for skin, eye, nose, lung, bowel or vagina swallowed.

These products go by what they are ("vaginal tablet", "nebuliser solution") or by brands that the lexicon of ingredients
does not hold, so they are read from the words of the text and need no known drug. The way is told by a place or by what
is done ("pull the lower lid down"); it belongs to the product named last before it. What is warned of is no finding.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, curated
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

_EAR: Final = Sieved(
    r"\b(?:ear[- ]?(?:drops?|sprays?|wax (?:drops?|remov\w+|softener))|otic(?: \w+){0,2}|ciprodex|cetraxal|otovel"
    r"|otiprio|debrox"
    r"|murine ear|cerumol|earex|otex|molcer|waxsol|exterol|cortisporin[- ]otic|cortic|coly-mycin|vosol|acetasol"
    r"|domeboro"
    r"|otomize|sofradex|gentisone|locorten|otosporin|audicort|auralgan|swim-?ear|floxin otic|ear ?calm|cleanears)\b",
    re.I,
)
"""Sofradex and ciprofloxacin have eye products as well; the ear is then named beside them."""
_BOTH_PLACES: Final = re.compile(r"sofradex|gentisone", re.I)
_EYE_WAY: Final = Sieved(
    r"\b(?:(?:lower|upper|inner|bottom) (?:eye-?)?lids?|eye-?lids?|eye-?balls?|conjunctiva\w*"
    r"|(?:in|into|to|on|onto|on to|for)(?: (?:the|her|his|your|each|both|left|right|affected|sore|red|sticky|bad"
    r"|itchy|gritty"
    r"|surface|of)){0,5} eyes?)\b",
    re.I,
)
_OTHER_EYE: Final = re.compile(
    r"\b(?:eye[- ]?(?:drops?|ointments?|gels?)|artificial tears|ophthalmic|tears|systane|optive|hylo|celluvisc"
    r"|optrex)\b",
    re.I,
)
_WARNED: Final = re.compile(
    r"\b(?:not?|never|n't|n\u2019t|avoid\w*|away from|without|out of|unless|if|in case|should|accidental\w*|keep"
    r"|contact with"
    r"|rinse|nor|neither|than|instead of|do not)\b[^.;\n]{0,44}\Z",
    re.I,
)
_WAX: Final = Sieved(
    r"\b(?:debrox|murine ear|cerumol|earex|otex|molcer|waxsol|exterol|carbamide peroxide|(?:ear ?)?wax (?:drops?"
    r"|softener)"
    r"|olive oil|sodium bicarbonate (?:ear )?drops|vosol|acetic acid|acetasol|earcalm|cortisporin[- ]otic|neomycin"
    r"|gentamicin(?! iv)|framycetin|otomize|sofradex|gentisone|otosporin|syring\w+|irrigat\w+)\b",
    re.I,
)
_HOLE: Final = Sieved(
    r"\b(?:perforat\w+(?= |[.,;)]|$)|(?:hole|tear) in (?:the|his|her|your|that|one) (?:\w+ )?(?:ear)?drum|drum "
    r"has a hole"
    r"|(?:burst|ruptured|torn) (?:ear ?)?drum|drum (?:is|was) (?:\w+ )?(?:torn|burst|ruptured)|grommets?"
    r"|tympanostomy tubes?"
    r"|ear tubes?)\b",
    re.I,
)
_EAR_DRUM: Final = Sieved(r"\b(?:ear|ears|drum|eardrum|tympan\w+|otic|otitis)\b", re.I)
_NO_HOLE: Final = re.compile(
    r"\b(?:no|not|without|unless|if|intact|never|excluded?|ruled out|healed|closed|previous\w*|when|whether|risk "
    r"of|check for|may"
    r"|suspect\w*|once)\b[^.;\n]{0,40}\Z",
    re.I,
)
_HEALED: Final = re.compile(r"[^.;\n]{0,30}\b(?:has )?(?:healed|closed|excluded|ruled out)\b", re.I)
_SKIN_FORM: Final = (
    r"pessar(?:y|ies)|vaginal (?:tablets?|capsules?|inserts?|creams?|gels?|suppositor(?:y|ies))|vagifem"
    r"|suppositor(?:y|ies)"
    r"|enemas?|ointments?|lotions?|liniments?|calamine|eye[- ]?drops?|ear[- ]?drops?|nasal (?:spray|drops)|visine"
    r"|nebuli[sz]er (?:solution|ampoules?|liquid|vials?)|nebules?|inhalation capsules?|vapo ?rub|deep heat|dettol|tcp"
    r"|betadine (?:antiseptic|solution|scrub)|antiseptic solution|povidone-iodine solution|surgical spirit"
    r"|rubbing alcohol"
    r"|hydrogen peroxide|oil of wintergreen|camphor(?:ated)? oil|eucalyptus oil|tea tree oil|shampoo|hand sanitis?z?er"
    r"|(?:nicotine|fentanyl|nitroglycerin|gtn|estradiol|rivastigmine|lidocaine|glyceryl trinitrate) patch(?:es)?"
)
_SWALLOW_FIRST: Final = Sieved(
    r"\b(?:swallow|drink|eat|chew|sip|take by mouth)(?:ing)? (?:(?!(?:then|and|after|before)\b)[\w.%/-]+ ){0,7}"
    rf"(?P<form>{_SKIN_FORM})\b",
    re.I,
)
_FORM_FIRST: Final = Sieved(
    rf"\b(?P<form>{_SKIN_FORM})\b[^.;\n]{{0,50}}?\b(?:by mouth|orally|(?-i:PO)|swallow(?:ed)?|chew(?:ed)?(?! gum)"
    r"|drink it|drunk|in (?:a|his|her|your) (?:drink|tea|coffee|juice|glass of water|bottle))\b",
    re.I,
)
_AFTER: Final = 2
"""Sentences behind the product in which the way of giving it is told."""
_REACH: Final = 400


def local_forms(case: Case) -> Iterator[Finding]:
    yield from _ear_in_eye(case)
    yield from _behind_a_hole(case)
    yield from _swallowed(case)


def _ear_in_eye(case: Case) -> Iterator[Finding]:
    text = case.judged.output
    products = [m for m in _EAR.finditer(text) if not _BOTH_PLACES.match(m.group())]
    if not products or _EYE_WAY.search(text) is None:
        return
    starts = case.mention_starts()
    for number, product in enumerate(products):
        around = sentence_around(text, product.start(), product.end(), following=_AFTER, reach=_REACH)
        until = products[number + 1].start() if number + 1 < len(products) else around.end
        after = bisect_left(starts, product.end())
        until = min(until, around.end, starts[after] if after < len(starts) else len(text))
        own = sentence_around(text, product.start(), product.end(), reach=_REACH)
        for low, high in ((own.start, product.start()), (product.end(), until)):
            words = text[low:high]
            if _OTHER_EYE.search(words):
                continue
            for way in _EYE_WAY.finditer(words):
                if not _refused(text, low + way.start()) and not _refused(text, product.start()):
                    yield _finding(
                        case,
                        Span(product.start(), product.end()),
                        "ear-drops-eye",
                        "labels of otic products, section 2: for the ear only",
                        "ear drops in an eye",
                    )
                    return


def _behind_a_hole(case: Case) -> Iterator[Finding]:
    text = case.judged.output
    product = next((m for m in _WAX.finditer(text) if not _refused(text, m.start())), None)
    if product is None or _EAR_DRUM.search(text) is None:
        return
    holes = (
        hole
        for hole in _HOLE.finditer(text)
        if _NO_HOLE.search(text, max(0, hole.start() - 60), hole.start()) is None
        and _HEALED.match(text, hole.end()) is None
    )
    if next(holes, None) is not None and _EAR_DRUM.search(
        text[max(0, product.start() - 200) : product.end() + 200]
    ):
        yield _finding(
            case,
            Span(product.start(), product.end()),
            "ear-drops-perforation",
            "labels of carbamide peroxide, acetic acid and aminoglycoside ear drops, contraindications: a "
            "perforated drum",
            "ear drops that harm the inner ear or middle ear where the drum has a hole",
        )


def _swallowed(case: Case) -> Iterator[Finding]:
    text = case.judged.output
    starts = case.mention_starts()
    for pattern in (_SWALLOW_FIRST, _FORM_FIRST):
        for match in pattern.finditer(text):
            form = match.start("form"), match.end("form")
            between = bisect_left(starts, min(match.start(), form[1])), bisect_left(starts, match.end())
            named = [s for s in starts[between[0] : between[1]] if not form[0] <= s < form[1]]
            first = pattern is _SWALLOW_FIRST
            if (not first and named) or (first and len(named) > 1):
                continue
            if _refused(text, match.start()) or _refused(text, match.end() - 4) or "?" in match.group():
                continue
            yield _finding(
                case,
                Span(*form),
                "local-swallowed",
                "labels of products for skin, eye, nose, lung, bowel and vagina, section 2: not by mouth",
                "a product for another place is swallowed",
            )
            return


def _refused(text: str, at: int) -> bool:
    return _WARNED.search(text, max(0, at - 60), at) is not None


def _finding(case: Case, span: Span, rule_id: str, source: str, message: str) -> Finding:
    scope = next(
        (s.scope for s in case.output.statements if s.clause.start <= span.start < s.clause.end),
        Scope.RECOMMEND,
    )
    return case.finding(
        Code.ROUTE, None, Severity.MAJOR, curated(f"way-{rule_id}", source), message, span=span, scope=scope
    )


__all__ = ["local_forms"]
