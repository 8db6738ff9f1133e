"""One canonical form of the words of a text: numbers, units, sides, times and negations told in different ways alike.

"two weeks", "2 wks" and "14 days" become one value, "denies", "no" and "without" one negation, so that two sentences
can be compared by what they say. Tables only; `reading` walks a text with them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from attending.guardrails.clinical.number import NUMBER_WORDS

TOKEN: Final = re.compile(
    r"[A-Za-z]+-?\d[\w-]*"
    r"|\d+(?:[.,/:]\d+)*"
    r"|[^\W\d_]+(?:/[^\W\d_]+)+"
    r"|[^\W\d_]+(?:['\u2019][^\W\d_]+)?"
    r"|[%.;:!?\n,()\u2022]"
)
"""Names with a digit ("B12", "COVID-19"), numbers, units with a slash, words, and the marks that end a clause."""

NUMBERS: Final[dict[str, Decimal]] = {
    word: Decimal(value) for word, value in NUMBER_WORDS.items() if word.isalpha()
}
TENS: Final = frozenset(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
SCALES: Final = {"hundred": Decimal(100), "thousand": Decimal(1000), "million": Decimal(1_000_000)}
TIMES_WORDS: Final = {"once": Decimal(1), "twice": Decimal(2), "thrice": Decimal(3)}
LATIN: Final = {
    "bid": Decimal(2), "tid": Decimal(3), "qid": Decimal(4), "qd": Decimal(1), "od": Decimal(1),
}  # fmt: skip
"""Times a day of the abbreviations that name them."""

_HOUR: Final = Decimal(1)


def _units(table: str, dimension: str) -> dict[str, tuple[str, Decimal]]:
    found: dict[str, tuple[str, Decimal]] = {}
    for row in table.split(";"):
        names, factor = row.rsplit("=", 1)
        for name in names.split():
            found[name] = (dimension, Decimal(factor.strip()))
    return found


UNITS: Final[dict[str, tuple[str, Decimal]]] = {
    **_units(
        "second seconds sec secs=0.000277777777777778;minute minutes min mins=0.0166666666666667;"
        "hour hours hr hrs=1;day days=24;week weeks wk wks=168;month months mo mos=730;year years yr yrs=8760",
        "time",
    ),
    **_units(
        "mcg ug \u00b5g \u03bcg microgram micrograms=0.000001;mg milligram milligrams=0.001;g gram grams gm=1;"
        "kg kgs kilogram kilograms kilo kilos=1000;lb lbs pound pounds=453.592;oz ounce ounces=28.3495;"
        "stone=6350.29;ng nanogram nanograms=0.000000001;pg picogram picograms=0.000000000001",
        "mass",
    ),
    **_units(
        "ml milliliter milliliters millilitre millilitres cc=0.001;l liter liters litre litres=1;"
        "dl deciliter deciliters decilitre decilitres=0.1;ul \u00b5l \u03bcl microliter microliters=0.000001",
        "volume",
    ),
    **_units(
        "mm millimeter millimeters millimetre millimetres=0.001;cm centimeter centimeters centimetre centimetres=0.01;"
        "m meter meters metre metres=1;km kilometer kilometers kilometre kilometres=1000;inch inches=0.0254;"
        "foot feet ft=0.3048;mile miles=1609.34;yard yards=0.9144",
        "length",
    ),
    **_units(
        "mol moles=1;mmol millimoles=0.001;umol \u03bcmol \u00b5mol=0.000001;nmol=0.000000001", "amount"
    ),
    **{
        name: (kind, Decimal(1))
        for kind, names in {
            "percent": "% percent pct",
            "degree": "degree degrees",
            "unit": "unit units iu",
            "meq": "meq",
            "mmhg": "mmhg",
            "kpa": "kpa",
            "bpm": "bpm beats/min beats/minute",
            "tablet": "tablet tablets tab tabs pill pills capsule capsules cap caps",
            "puff": "puff puffs",
            "drop": "drop drops",
            "patch": "patch patches",
            "spray": "spray sprays",
            "pack": "pack packs",
            "cigarette": "cigarette cigarettes",
            "drink": "drink drinks",
            "bottle": "bottle bottles",
            "beer": "beer beers",
            "glass": "glass glasses",
            "cup": "cup cups",
            "point": "point points",
            "times": "times x",
        }.items()
        for name in names.split()
    },
}
"""Unit word to its dimension and how many of the dimension's base it is; a counted thing is its own dimension."""
PER_AMOUNT: Final = frozenset({"mass", "volume"})
"""Dimensions that "per" puts below another ("g per litre"); a time there says how often."""
_LETTERS: Final = {"u": "unit", "h": "hour", "d": "day"}
"""Letters that are a unit in a compound one only ("U/L", "mL/h", "mg/kg/d")."""


def compound(word: str) -> tuple[tuple[str, Decimal], Decimal | None] | None:
    """A unit with a slash, in small letters: dimension and factor without any time below the slash, and that time in
    hours. "mg/dl" is mass over volume, so that it is neither "mg/l" nor "mg"; "ml/h" is a volume each hour. None where
    a part is no unit, or the whole is a unit of its own ("beats/min")."""
    if "/" not in word or word in UNITS:
        return None
    parts = [UNITS.get(_LETTERS.get(part, part)) for part in word.split("/")]
    first = parts[0]
    if first is None or first[0] == "time":
        return None
    dimension, factor = first
    each: Decimal | None = None
    for part in parts[1:]:
        if part is None:
            return None
        if part[0] == "time":
            each = part[1]
        else:
            dimension, factor = f"{dimension}/{part[0]}", factor / part[1]
    return (dimension, factor), each


PER: Final = {
    "daily": Decimal(24), "weekly": Decimal(168), "biweekly": Decimal(336), "monthly": Decimal(730),
    "yearly": Decimal(8760), "annually": Decimal(8760), "annual": Decimal(8760), "hourly": _HOUR,
    "nightly": Decimal(24), "qhs": Decimal(24), "everyday": Decimal(24),
}  # fmt: skip
"""Words that say how often, as hours."""
EACH: Final = frozenset({"per", "every", "each", "a", "an", "q"})
"""Words after which a bare unit of time says how often or how long."""
VAGUE: Final = frozenset({"few", "several", "couple"})
"""Words that stand for a number of times."""
RELATIVE: Final = {
    "last": "last", "past": "last", "previous": "last", "next": "next", "coming": "next", "following": "next",
    "this": "this",
}  # fmt: skip
WHEN: Final = {
    "yesterday": "yesterday", "today": "today", "tomorrow": "tomorrow", "tonight": "tonight", "morning": "morning",
    "evening": "evening", "night": "night", "bedtime": "night", "noon": "noon", "afternoon": "afternoon",
    "mornings": "morning", "evenings": "evening", "nights": "night", "afternoons": "afternoon", "weekend": "weekend",
}  # fmt: skip
SIDES: Final = {
    "left": "left", "right": "right", "bilateral": "both", "bilaterally": "both", "lt": "left", "rt": "right",
    "left-sided": "left", "right-sided": "right",
}  # fmt: skip

OPPOSITES: Final[dict[str, tuple[str, str]]] = {
    word: (pair, way)
    for pair, (one, other) in {
        "norm": ("normal", "abnormal"),
        "level": ("elevated high higher", "low lower decreased reduced"),
        "trend": ("increase increased increasing increases raise raised",
                  "decrease decreasing decreases lower lowered reduce"),
        "course": ("improved improving improves better improvement", "worse worsened worsening worsens deteriorated"),
        "reach": ("upper superior proximal", "inferior distal"),
        "face": ("anterior", "posterior"),
        "flank": ("medial", "lateral"),
        "pace": ("acute", "chronic"),
        "give": ("start starts starting started begin initiate continue continues",
                 "stop stops stopped discontinue discontinued"),
        "sign": ("positive", "negative"),
        "there": ("present", "absent"),
    }.items()
    for way, words in (("one", one), ("other", other))
    for word in words.split()
}  # fmt: skip
"""Words that another word turns round, by what they speak of."""

_NEGATIONS_WORDS: Final = (
    "no not w/o denies denied deny denying without never neither nor none negative absent cannot cant unable lack "
    "lacks lacking declines declined refuses refused avoid avoids avoiding stop stops stopped stopping "
    "discontinue discontinues discontinued discontinuing quit contraindicated unsafe nil isnt arent wasnt "
    "werent hasnt havent hadnt doesnt dont didnt wont wouldnt shouldnt couldnt mustnt aint non "
    "noncontributory"
)
NEGATIONS: Final = frozenset(_NEGATIONS_WORDS.split())
_BACKWARDS_WORDS: Final = "negative absent none contraindicated unsafe discontinued stopped declined"
BACKWARDS: Final = frozenset(_BACKWARDS_WORDS.split())
"""Negations that also speak of what stands before them in the clause ("the test was negative")."""
_ENDS_WORDS: Final = (
    "but however except although though yet whereas because since besides otherwise while when if unless until after "
    "before"
)
ENDS: Final = frozenset({*".;:!?\n\u2022", *_ENDS_WORDS.split()})
"""Marks and words at which the reach of a negation ends."""
_ASSERTS_WORDS: Final = (
    "reports reported endorses endorsed admits admitted complains presents presented has have had is was "
    "continues states takes notes does will uses plans says agrees remains feels"
)
ASSERTS: Final = frozenset(_ASSERTS_WORDS.split())
_SUBJECTS_WORDS: Final = "and , she he patient they it now also then who which"
SUBJECTS: Final = frozenset(_SUBJECTS_WORDS.split())
"""After one of these a verb of `ASSERTS` begins a new claim."""
PRONOUNS: Final = frozenset(
    {"the", "she", "he", "her", "his", "i", "we", "it", "they", "there", "you", "this"}
)
"""Words with which a clause of its own begins after a comma."""
_HEDGES_WORDS: Final = "about around approximately roughly nearly almost approx circa over some"
HEDGES: Final = frozenset(_HEDGES_WORDS.split())

DENIALS: Final = re.compile(r"(?i)\b(?:no|den(?:y|ies|ied|ying)|without|non|nil|none|absent|nkda|nka)\b")
"""Negations that say how things are: "stop" and "avoid" say what to do, and a negative test may be a normal one."""
OF_DENIAL: Final = frozenset(
    {"known", "evidenc", "sign", "histor", "current", "drug", "medic", "non", "nil", "none", "absent"}
)
"""Stems that only lengthen a denial: "no known drug", "no evidence of"."""
DENYING_NAMES: Final = frozenset({"nkda", "nka"})
"""Abbreviations that deny what they stand for: no known (drug) allergies."""
LABEL_DENIALS: Final = BACKWARDS | DENYING_NAMES | {"no", "nil", "never", "denied", "denies"}
"""Negations that, alone behind a colon, speak of the label before it ("Fever: no")."""
NOT_PLAIN: Final = re.compile(
    r"(?i)\b(?:if|when|whenever|unless|until|should|would|could|may|might|can|call|return|seek|watch|monitor|risk|risks"
    r"|prevent\w*|possib\w*|suspect\w*|screen\w*|rule|ruled|concern\w*|question|query|history|hx|prior|previous\w*|past"
    r"|last|former\w*|ago|yesterday|earlier|before|was|were|had|resolved|resolving|subsided|gone|cleared|recovered"
    r"|mother|father|brother|sister|family|husband|wife|son|daughter|parents?|aunt|uncle|grand\w+)\b"
)
"""Words with which a sentence speaks of another time, another person or what may come."""

_STOP_WORDS: Final = (
    "the a an and or of to in on at by for with from as that this these those it its is are was were be been "
    "being has have had do does did will would shall should can could may might must i you he she they we him "
    "her his hers their them our your my me us who whom which what when where there here also some any more "
    "than then so if about into over under after before during while patient patients reports report reported "
    "states state stated says said say notes noted note endorses endorse endorsed admits mr mrs ms dr again "
    "just very well per each every both such other same like get got no not denies denied deny denying "
    "without never neither nor cannot only mentions mentioned describes described feels believes believe "
    "presents presenting presented currently presently time additionally otherwise overall addition "
    "approximately around roughly nearly known but however except although though yet whereas because since "
    "besides until unless positive negative "
    "complains complain complaining complained acknowledges acknowledged confirms confirmed admitting experiences "
    "experienced experiencing suffers having endorsing reporting appears"
)
STOP: Final = frozenset(_STOP_WORDS.split())
ABBREVIATIONS: Final[dict[str, tuple[str, ...]]] = {
    short: tuple(long.split())
    for short, long in {
        "bp": "blood pressure", "htn": "hypertension", "sob": "shortness breath", "chf": "congestive heart failure",
        "copd": "chronic obstructive pulmonary disease", "cad": "coronary artery disease", "rom": "range motion",
        "gerd": "gastroesophageal reflux disease", "ekg": "electrocardiogram", "ecg": "electrocardiogram",
        "ef": "ejection fraction", "dm": "diabetes mellitus", "uti": "urinary tract infection", "hr": "heart rate",
        "er": "emergency room", "ed": "emergency department", "mi": "myocardial infarction", "cva": "stroke",
        "pmh": "past medical history", "hx": "history", "tx": "treatment", "dx": "diagnosis", "rx": "prescription",
        "fx": "fracture", "sx": "symptoms", "afib": "atrial fibrillation", "dvt": "deep vein thrombosis",
        "pe": "pulmonary embolism", "ckd": "chronic kidney disease", "hld": "hyperlipidemia", "bmi": "body mass index",
        "nkda": "drug allergies", "nka": "allergies", "pt": "physical therapy", "abd": "abdominal",
        "wbc": "white blood cell",
        "doe": "dyspnea exertion", "cabg": "coronary artery bypass", "tia": "transient ischemic attack",
    }.items()
}  # fmt: skip
"""Abbreviations of clinical notes as the words they stand for (stop words left out)."""

SPECIAL: Final = frozenset().union(
    NEGATIONS, ASSERTS, OPPOSITES, SIDES, TIMES_WORDS, LATIN, PER, EACH, RELATIVE, VAGUE, ("l", "r"), WHEN,
    ABBREVIATIONS, NUMBERS, ENDS, SCALES,
)  # fmt: skip
"""Every word that is more than a word."""


def stem(word: str) -> str:
    """A word without its commonest endings, so that "reported pains" and "reporting pain" meet."""
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
