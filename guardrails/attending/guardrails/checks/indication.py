"""What a drug is given for, as far as a limit depends on it: the words of a text against those of a limit's row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PRODUCT: Final = re.compile(r"\bOTC\b|\d ?m[cg]?g\b|\btablet|\bcapsule|\ball sources\b", re.I)
"""Labels of one product, which say nothing about what the drug is given for."""
_STOP_WORDS_TEXT: Final = (
    "adult adults child children with without other type only dose disease disorder and for the acute "
    "chronic severe moderate mild syndrome infection patients treatment therapy prevention usual initial "
    "maintenance only"
)
_STOP_WORDS: Final = frozenset(_STOP_WORDS_TEXT.split())
_GROUPS: Final = {
    "atrial fibrillation": r"a\.?fib|af|nvaf|paf|atrial fib\w*|atrial flutter|stroke prevention|chads\w*"
    r"|cha2ds2\w*",
    "venous thrombosis": r"dvt|pe|vte|deep[- ]vein\w*|pulmonary embol\w*|blood clots?|clots?|venous thrombo\w*",
    "prophylaxis": r"prophyla\w*|ppx|prevent\w*|recurrence",
    "traveller": r"travel\w*|itinerary|(?:before|after|prior to) (?:your |the |his |her )?(?:departure|leaving|return"
    r"|trip)|prophyla\w*|chemoprophyla\w*|safari|endemic area",
    "stroke": r"stroke|cva|nihss|last known well|lkw",
    "pulmonary embolism": r"pe|pulmonary embol\w*",
    "myocardial infarction": r"stemi|mi|heart attack|myocardial infarct\w*",
    "cardiac arrest": r"(?:cardiac )?arrest|asystol\w*|pea|pulseless|v-?fib|vf|ventricular fibrillation|cpr|acls|pals"
    r"|code blue|rosc|resuscitat\w*|no pulse",
    "anaphylaxis": r"anaphyla\w*|allergic reaction|hives|urticaria|angio-?edema|(?:bee|wasp|hornet) sting|wheez\w*"
    r"|stridor|contrast",
    "opioid use disorder": r"oud|opioid use disorder|opioid (?:addiction|dependence)|otp|opioid treatment program"
    r"|methadone (?:clinic|maintenance|program)|observed dosing|supervised|mat|moud",
    "osteoporosis": r"osteopor\w*|osteopen\w*|prolia|fractures?|bone (?:loss|density)|t-score",
    "skeletal metastases": r"metasta\w*|xgeva|myeloma|giant cell",
    "hypertension": r"hypertens\w*|htn|blood pressure|bp",
    "heart failure": r"heart failure|hfref|hfpef|chf|hf",
    "angina": r"angina",
    "gout": r"gout\w*|podagra",
    "erectile dysfunction": r"erectile\w*|ed|impotence",
    "pulmonary arterial hypertension": r"pah|pulmonary (?:arterial )?hypertension",
    "alcohol withdrawal": r"alcohol withdrawal|ciwa\w*|delirium tremens|dts",
    "hyperkalemia": r"hyperkal\w*|peaked t[- ]waves?|high potassium",
    "thyroid storm": r"thyroid storm|thyrotoxic (?:storm|crisis)|burch-?wartofsky",
    "hypercalcemia": r"hypercalc\w*",
    "cystic fibrosis": r"cf|cystic fibrosis",
    "multiple sclerosis": r"multiple sclerosis|optic neuritis|(?:relapse of|for) ms|ms (?:relapse|clinic|nurse"
    r"|flare|team)",
    "kidney failure": r"(?:ckd|stage|g)[ -]?(?:stage )?g?[45]\w*|esrd|eskd|dialysis|nephrotic\w*"
    r"|(?:end[- ]stage|severe) (?:kidney|renal) (?:disease|impairment)|(?:kidney|renal) (?:failure|transplant)"
    r"|egfr (?:of |is |was |= ?)?[12]?\d",
    "cryptococcal": r"cryptococc\w*",
    "deoxycholate": r"deoxycholate|conventional amphotericin|fungizone",
    "liposomal": r"liposom\w*|ambisome|abelcet|lipid[- ](?:complex|formulation|based)",
    "transplant": r"transplant\w*",
}
_WORDS: Final = {name: re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])") for name, pattern in _GROUPS.items()}
_NAMED: Final = {
    "atrial fibrillation": re.compile(r"\bAF\b|atrial fib|\bNVAF\b"),
    "venous thrombosis": re.compile(r"\bDVT|\bVTE\b|venous thromb"),
    "prophylaxis": re.compile(r"prophylaxis|recurrence reduction"),
    "opioid use disorder": re.compile(r"opioid use disorder"),
    "cardiac arrest": re.compile(r"cardiac arrest"),
    "anaphylaxis": re.compile(r"anaphylaxis"),
    "traveller": re.compile(r"travellers' malaria"),
    "stroke": re.compile(r"^stroke"),
    "pulmonary embolism": re.compile(r"^pulmonary embolism"),
    "myocardial infarction": re.compile(r"^myocardial infarction"),
    "osteoporosis": re.compile(r"^osteoporosis"),
    "skeletal metastases": re.compile(r"skeletal metastases"),
    "pulmonary arterial hypertension": re.compile(r"pulmonary arterial hypertension"),
    "hypertension": re.compile(r"(?<!arterial )\bhypertension"),
    "heart failure": re.compile(r"heart failure"),
    "angina": re.compile(r"\bangina"),
    "gout": re.compile(r"\bgout"),
    "erectile dysfunction": re.compile(r"erectile"),
    "alcohol withdrawal": re.compile(r"^alcohol withdrawal"),
    "hyperkalemia": re.compile(r"^hyperkalemia"),
    "thyroid storm": re.compile(r"^thyroid storm"),
    "hypercalcemia": re.compile(r"^hypercalcemia"),
    "cystic fibrosis": re.compile(r"cystic fibrosis"),
    "multiple sclerosis": re.compile(r"multiple sclerosis"),
    "kidney failure": re.compile(r"kidney failure"),
    "cryptococcal": re.compile(r"cryptococc"),
    "deoxycholate": re.compile(r"deoxycholate"),
    "liposomal": re.compile(r"\bliposomal"),
    "transplant": re.compile(r"^only in transplant"),
}
"""How a row's indication names each group."""


def groups(indication: str) -> Iterator[str]:
    """The groups of indications that a row's words name."""
    return (name for name, pattern in _NAMED.items() if pattern.search(indication))


def said(indication: str, text: str) -> bool:
    """True where a text (in lower case) speaks of what a row is for. A row for prophylaxis wants that word too."""
    if _PRODUCT.search(indication):
        return False
    named = list(groups(indication))
    if named:
        return all(_WORDS[name].search(text) for name in named)
    words = [word for word in re.findall(r"[a-z]{4,}", indication.lower()) if word not in _STOP_WORDS]
    return bool(words) and all(re.search(rf"\b{re.escape(word[:7])}", text) for word in words)


_DENIED: Final = re.compile(
    r"\b(?:no|not|never|without|denie[sd]|nor|neither|excludes?|excluded|rather than|instead of|unlike"
    r"|brother|sister|mother|father|son|daughter|wife|husband|family|cousin|aunt|uncle|twin)\b[^.;:\n]{0,40}\Z"
)
_REFUTED: Final = re.compile(
    r"[^.;:\n]{0,20}?\b(?:(?:was|is|has been|been) (?:now )?(?:ruled out|excluded|unlikely|disproved)|ruled out"
    r"|excluded|(?:in|of) (?:his|her|the|your) (?:brother|sister|mother|father|son|daughter|wife|husband|family|cousin"
    r"|aunt|uncle|twin))\b"
)


def told_of_patient(indication: str, text: str) -> bool:
    """`said`, each word at least once without a denial, and not of a relative: for a row that raises a ceiling."""
    if not said(indication, text):
        return False
    named = list(groups(indication))
    patterns = [_WORDS[name] for name in named] or [
        re.compile(rf"\b{re.escape(word[:7])}\w*")
        for word in re.findall(r"[a-z]{4,}", indication.lower())
        if word not in _STOP_WORDS
    ]
    return all(any(of_patient(text, match) for match in pattern.finditer(text)) for pattern in patterns)


def of_patient(text: str, match: re.Match[str]) -> bool:
    """Whether the words in a lower-case text are of the patient: neither denied, nor ruled out, nor a relative's."""
    return (
        _DENIED.search(text, max(0, match.start() - 70), match.start()) is None
        and _REFUTED.match(text, match.end(), match.end() + 60) is None
    )
