"""Signs of an emergency as patients and letters word them, one pattern per kind.

Sources: NHS and CDC public lists of when to call an ambulance; AHA stroke and heart-attack warning signs. A sign
marked `with_anticoagulant` is one only for a patient who takes a blood thinner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sign:
    """`pattern` finds the sign in a sentence; `id` names it in the rule id and the message."""

    id: str
    pattern: re.Pattern[str]
    with_anticoagulant: bool = False


def _s(id_: str, *patterns: str, with_anticoagulant: bool = False) -> Sign:
    return Sign(id_, re.compile("|".join(patterns), re.I), with_anticoagulant)


def _near(one: str, other: str, words: int = 14) -> str:
    """Both within one sentence in either order, at most `words` words apart."""
    gap = rf"(?:[^\w.!?\n]+\w+(?:[.'\u2019]\w+)?){{0,{words}}}?[^\w.!?\n]+"
    return rf"\b(?:{one}){gap}(?:{other})\b|\b(?:{other}){gap}(?:{one})\b"


_CANNOT: Final = (
    r"(?:can(?:'|\u2019)?t|cannot|can not|unable to|not (?:being )?able to|struggl\w+ to"
    r"|stopped being able to)"
)
_FEVER: Final = (
    r"fever\w*|febrile|pyrexia|high temp\w*|temp(?:erature)?s?(?: \w+){0,3} (?:3[89]|4[01]|10[0-6])(?:\.\d)?"
    r"|(?:3[89]|4[01])(?:\.\d)? ?(?:\u00b0 ?c?|degrees|c\b)|10[0-6](?:\.\d)? ?(?:\u00b0 ?f?|degrees|f\b)"
    r"|(?:3[89]\.\d|10[0-6]\.\d)"
)
_YOUNG: Final = (
    r"(?:[1-9]|1[0-2]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)[- ](?:weeks?|wks?)[- ]?old"
    r"|\d{1,2}[- ]days?[- ]?old|(?:1|2|one|two)[- ]months?[- ]?old|newborn|neonate"
    r"|(?:[1-9]|1[0-2]|six|eight|ten|twelve)[- ]weeks? (?:of age|baby|infant)"
)
_WHOSE: Final = r"(?:my|your|his|her|their|our|the)"
_VISION: Final = (
    r"blurr\w+ vision|vision (?:changes?|problems?|loss)|visual (?:changes?|disturbances?|symptoms)|flashing lights"
    r"|(?:seeing|see) (?:spots|stars|flashes)|double vision"
)
_BACK: Final = r"back ?(?:ache|pain)|sciatica|slipped disc|(?:my|your|his|her|lower|bad) back"
_SADDLE: Final = (
    r"(?:can(?:'|\u2019)?t|cannot|don(?:'|\u2019)t|do not|barely|hardly) feel (?:\w+ ){0,3}"
    r"between (?:my|your|his|her|the) legs|"
    r"(?:numb\w*|tingl\w*|no feeling|loss of (?:feeling|sensation)|pins and needles)(?: \w+){0,5}"
    r" (?:between (?:my|your|his|her|the|their) legs|groin|genital\w*|saddle(?: area)?|inner thighs?|buttocks?"
    r"|bottom|perineum"
    r"|private parts|back passage)"
)
_BLADDER: Final = (
    r"(?:hard|difficult|trouble|slow|struggling) (?:to )?(?:start(?:ing)? )?(?:to )?"
    r"(?:pee\w*|urinat\w*|pass(?:ing)? (?:urine|water))|"
    rf"{_CANNOT} (?:pass (?:any )?(?:urine|water)|pee|wee|urinate|empty {_WHOSE} bladder"
    rf"|control {_WHOSE} (?:bladder|bowels?))"
    r"|(?:los\w+|no) (?:of )?(?:bladder|bowel) control|incontinen\w+|(?:wetting|soiling) (?:my|your|him|her)self"
)

SIGNS: Final = (
    _s("chest-pain",
       r"\b(?:chest (?:pain\w*|hurts?|hurting|aches?|aching|pressure|tightness|discomfort|heaviness)"
       r"|(?:crushing|pressure|tight\w*|heavy|squeezing) (?:\w+ ){0,4}chest"
       r"|pain (?:\w+ ){0,5}(?:left arm|jaw)|heart attack|tearing (?:\w+ ){0,3}(?:chest|back)(?: pain)?)\b"),
    _s("stroke",
       r"\b(?:(?:droop\w*|sagg\w+|lopsided) (?:\w+ ){0,5}(?:face|mouth|smile)"
       r"|(?:can(?:'|\u2019)?t|cannot|could(?:n(?:'|\u2019)t| not)|unable to) (?:speak|talk|find (?:her|his"
       r"|the|my) words)"
       r"(?: (?:clearly|properly|at all))?(?! to)|speech (?:\w+ ){0,4}(?:slurred|thick|garbled|difficult)"
       r"|fac(?:e|ial) (?:\w+ ){0,3}(?:droop\w*|dropped|sagging|lopsided)|(?:droop\w*"
       r"|sagging) (?:\w+ ){0,4}(?:face|mouth|smile)"
       r"|mouth (?:\w+ ){0,3}droop\w*|slurred speech|(?:speech|words) (?:is|are|was|were|went|sounded|came out"
       r"|coming out) (?:\w+ )?"
       r"(?:slurred|jumbled|garbled)|slurring"
       r"|(?:sudden|one[- ]sided|left|right)[- ](?:\w+[- ]){0,2}(?:weakness|numbness)|(?:weak\w*|numb\w*"
       r"|can(?:'|\u2019)?t (?:move|lift|feel)|cannot (?:move|lift|feel)) (?:\w+ ){0,6}(?:one side|left side"
       r"|right side|one arm"
       r"|arm and leg|left arm|right arm)"
       r"|(?:arm|leg|side|face)\b(?:\W+\w+){0,4}\W+(?:went |gone |is |suddenly |feels )+(?:weak|numb)"
       r"|sudden(?:ly)? (?:\w+ ){0,4}(?:los\w+ (?:of )?vision|vision loss|blind|can(?:'|\u2019)?t speak|cannot speak"
       r"|trouble speaking|confus\w+)"
       r"|stroke symptoms|signs of (?:a )?stroke|having a stroke)\b"),
    _s("suicide",
       r"\b(?:suicid\w+|(?:kill|hurt|harm)(?:ing)? (?:myself|himself|herself|themselves|yourself|themself)"
       r"|end(?:ing)? (?:it all|(?:my|your|his|her|their) (?:own )?li(?:fe|ves))|tak(?:e|ing) (?:my|your|his|her"
       r"|their) own life"
       r"|want(?:s|ed|ing)? to die|wish(?:es|ed|ing)? (?:I|you|he|she|they) (?:was|were) dead"
       r"|(?:do(?:n(?:'|\u2019)t| not)|doesn(?:'|\u2019)t|no longer|not) want(?:s|ing)? to (?:live|be (?:here"
       r"|alive)|go on|wake up)"
       r"|(?:sav|hoard|collect|stockpil|stash|putt|set)\w* (?:\w+ ){0,4}(?:pills|tablets|medication|meds)"
       r"(?! (?:in|away|out of|where|box|organi[sz]er))"
       r"|(?:pills|tablets|gun|rope) (?:\w+ ){0,3}(?:put|set|saved|laid) (?:aside|out|by)|plan(?:s|ned)? to (?:die|end)"
       r"|(?:has|have|having) a plan (?:and|to (?:kill|end|die|hurt))|(?:goodbye|suicide) (?:note|letter)"
       r"|no reason to (?:live|go on)|better off (?:dead|without (?:me|you))|self[- ]?harm\w*|not worth living"
       r"|took (?:all|a whole bottle|the whole bottle))\b"),
    _s("anaphylaxis",
       r"\b(?:(?<!\()anaphyla\w+(?! (?:to|with|from)\b)|(?:throat|tongue|lips?|face) (?:\w+ ){0,4}"
       r"(?:swell\w*|swollen|clos\w+|tight\w*|puff\w+)|swell\w* (?:\w+ ){0,5}(?:throat|tongue|lips?|face)"
       r"|swollen (?:\w+ ){0,2}(?:throat|tongue|lips?|face))\b",
       _near(r"hives|itchy rash|wheals|nettle rash", r"wheez\w*|breath\w*|swallow\w*|faint\w*|dizz\w*|vomit\w*", 10)),
    _s("breathing",
       rf"\b(?:{_CANNOT} (?:breathe|catch {_WHOSE} breath|(?:speak|finish|say) (?:\w+ ){{0,3}}sentences?)"
       r"|(?:trouble|difficulty|hard time|struggling) (?:to )?(?:in )?breath\w*"
       r"|(?:severe|sudden) (?:shortness of breath|breathlessness)|gasping|turning blue|blue lips"
       r"|lips (?:\w+ ){0,2}(?:blue|grey|gray)"
       r"|stopped breathing)\b"),
    _s("bleeding",
       r"\b(?:vomit\w* (?:\w+ ){0,2}blood|cough\w* up (?:\w+ ){0,2}blood|(?:throw\w*|bring\w*) up blood"
       r"|coffee[- ]grounds?"
       r"|(?:black|tarry|bloody|maroon)(?:,? (?:\w+,? )?)(?:stools?|poops?|poo|bowel|motions?)"
       r"|(?:stools?|poops?|poo|motions?) (?:\w+ ){0,4}(?:black|tarry|bloody|maroon)"
       r"|passing (?:\w+ ){0,2}(?:blood|clots)"
       r"|bleed\w* (?:that )?(?:won(?:'|\u2019)t|will not|does not|doesn(?:'|\u2019)t) stop"
       r"|(?:heavy|severe|uncontrolled|massive) bleeding|soak\w+ (?:\w+ ){0,4}pads?)\b"),
    _s("headache",
       r"\b(?:worst (?:\w+ ){0,2}headache|worst (?:\w+ ){0,3}(?:of|in) (?:my|your|his|her|the) (?:whole )?life"
       r"|thunderclap|sudden(?:,)? severe headache"
       r"|severe headache (?:\w+ ){0,6}(?:vision|confus\w+))\b"),
    _s("meningitis",
       _near(r"fever\w*|high temp\w*|headache|rash|light hurts|photophobia|vomit\w*",
             r"stiff neck|neck (?:is |feels |was )?(?:very )?stiff\w*|neck stiffness", 10),
       rf"\b(?:rash|spots) (?:\w+ ){{0,5}}(?:do(?:es)?(?:n(?:'|\u2019)t| not)|won(?:'|\u2019)t|not) (?:fade"
       rf"|fading|blanch|go away|disappear)"
       rf"(?: (?:\w+ ){{0,6}}(?:glass|press\w*))?|non-?blanching|{_near(r'purple (?:rash|spots)', _FEVER, 10)}"),
    _s("overdose",
       r"\b(?:overdose[d]?|(?:took|taken|swallowed|ate|drank|ingested) (?:\w+ ){0,6}(?:too many"
       r"|whole (?:bottle|packet|box|strip)|entire bottle|bleach|antifreeze|batter(?:y|ies)|(?:\d{2,}|twenty|thirty"
       r"|forty|fifty) (?:\w+ )?(?:pills?|tablets?|capsules?)))\b"),
    _s("unresponsive",
       r"\b(?:unresponsive|unconscious|passed out|won(?:'|\u2019)t wake up|cannot be woken"
       r"|can(?:'|\u2019)t wake|not waking up|hard to wake|collapsed|seizure (?:\w+ ){0,6}(?:minutes"
       r"|won(?:'|\u2019)t stop|not stopp\w+)|first seizure)\b"),
    _s("infant-fever", _near(_YOUNG, _FEVER), rf"(?:{_FEVER})[^.!?\n]{{0,12}}(?:\.\d)?[^.!?\n]{{0,40}}(?:{_YOUNG})"),
    _s("pregnancy",
       _near(r"pregnan\w+|gestation|trimester",
             rf"bleeding|severe (?:headaches?|abdominal pain)|bad headaches?|{_VISION}|swollen (?:face|hands)"
             rf"|sudden swelling"
             r"|pain (?:under|below) (?:\w+ ){0,2}ribs|(?:upper|right) (?:\w+ ){0,2}(?:abdominal|tummy|belly) pain"
             r"|(?:one[- ]sided|lower|sharp|severe) (?:\w+ ){0,3}(?:pain|cramps?)|shoulder[- ]?(?:tip)? pain"
             r"|baby (?:\w+ ){0,3}(?:not moving|stopped moving|moving less|moved)"),
       r"\b(?:baby (?:has )?(?:not moved|stopped moving)|(?:no|decreased|reduced|fewer|less) (?:fetal "
       r"|baby )?(?:movements?|kicks))\b",
       _near(r"missed period|positive (?:pregnancy )?test|coil|iud", r"(?:one[- ]sided|sharp"
       r"|severe) (?:\w+ ){0,3}pain"
             r"|shoulder[- ]?(?:tip)? pain", 12)),
    _s("cauda-equina",
       r"\b(?:saddle (?:numbness|an(?:a)?esthesia))\b", rf"\b(?:{_SADDLE})\b", _near(_BACK, _BLADDER)),
    _s("neutropenic-fever", _near(r"chemo\w*", _FEVER)),
    _s("abdomen", r"\b(?:severe (?:abdominal|stomach|belly|tummy) pain|rigid (?:abdomen|belly)"
    r"|board-like (?:abdomen|belly))\b"),
    _s("torsion",
       r"\b(?:(?:testic\w+|testis|testes|scrot\w+) (?:\w+ ){0,5}(?:pain\w*|hurt\w*|swoll?\w*|swelling|tender"
       r"|sore|agony)"
       r"|(?:pain\w*|swelling|swollen|tender|agony|ache|aching) (?:\w+ ){0,4}(?:testic\w+|testis|testes|scrot\w+)"
       r"|sudden (?:\w+ ){0,3}testic\w+)\b"),
    _s("ketoacidosis",
       r"\b(?:(?:fruity|pear[- ]?drops?|acetone)(?:[- ]\w+){0,3} breath|breath (?:\w+ ){0,3}(?:fruity"
       r"|pear[- ]?drops?|acetone)"
       r"|ketones? (?:\w+ ){0,5}(?:high|large|positive|moderate|[2-9]\.\d|\+{2,4}|[3-9]\b))",
       _near(r"type (?:1|one) diabet\w*|insulin pump|blood (?:sugars?|glucose)(?: \w+){0,3} (?:[2-4]\d(?:\.\d)?"
       r"|[3-9]\d\d)",
             r"vomit\w*|throwing up|drowsy|deep breath\w*", 12)),
    _s("sepsis",
       r"\b(?:sep(?:sis|tic)|mottled|blotchy (?:\w+ )?skin|rigors|shaking chills)\b",
       _near(_FEVER, r"confus\w+|clammy|breathing (?:very )?fast|rapid breathing|very drowsy"
       r"|not passed (?:any )?urine", 10)),
    _s("head-injury",
       r"\b(?:head injur\w+|(?:hit|banged|bumped|knocked|struck|cracked|blow to) (?:\w+ ){0,3}head"
       r"|head (?:\w+ ){0,3}(?:hit|struck)"
       r"|(?:knock|bump|bang) (?:on|to) (?:\w+ )?head|fell (?:\w+ ){0,5}(?:on|onto) (?:\w+ )?head)\b",
       with_anticoagulant=True),
    _s("clot",
       r"\b(?:coughing blood|one (?:leg|calf) (?:\w+ ){0,4}(?:swoll?en|swelling|swelled))\b",
       _near(r"(?:calf|leg)s? (?:\w+ ){0,4}swoll?\w+|(?:swollen|sore|painful) (?:\w+ ){0,3}(?:calf|leg)",
             r"short of breath|breath\w*|winded|chest", 16)),
    _s("vision",
       r"\b(?:sudden(?:ly)? (?:\w+ ){0,3}(?:vision loss|loss of vision|los\w+ (?:my |his |her |your )?(?:vision"
       r"|sight)"
       r"|blindness)|curtain (?:\w+ ){0,4}(?:vision|eye))\b"),
)  # fmt: skip
