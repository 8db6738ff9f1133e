"""States of the patient that a text tells by what happens, without their name.

"She makes herself sick after meals" is bulimia, "zigzag lines before a migraine" an aura. One row a state: the
condition of `knowledge/curated/conditions.tsv`, its name there, and how it is told. Whether it is denied or somebody
else's is asked by `facts`, as for a condition that is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attending.guardrails.sieve import Group, Sieved

_SELF: Final = r"(?:herself|himself|themselves|yourself|myself)"
_AURA: Final = (
    r"(?:(?:zig-?zag|shimmering|sparkling|jagged|flickering|flashing|scintillating)(?: \w+)?[ -]"
    r"(?:lines?|lights?|patterns?|spots?|patch(?:es)?|edges?|shapes?)"
    r"|flashing lights|scintillations?|scotomas?|blind spots?|pins and needles|tingling|numbness|gaps in (?:my|your"
    r"|her|his) vision"
    r"|(?:lose|loses|losing|lost|jumbles?) (?:your|her|his|my|their) (?:words|speech|sight|vision))"
)
_HEAD: Final = r"(?:migraines?|headaches?)"
_BEFORE: Final = (
    r"(?:before|ahead of|come before|comes before|precede\w*|heralds?|lead(?:s|ing)? (?:in)?to|followed by)"
)
_FIBRILLATION: Final = (
    r"(?:a\.?f(?:ib)?|atrial fibrillation|fibrillation|irregular (?:heart ?beat|rhythm|pulse))"
)

TOLD: Final = (
    (
        "bulimia",
        "bulimia nervosa",
        Sieved(
            rf"\bma(?:kes?|king|de) {_SELF} (?:be )?(?:sick|vomit|throw up|puke)\b"
            r"|\bself[- ]induced vomiting\b|\bfingers? down (?:her|his|your|my|the) throat\b"
            r"|\bbing(?:es?|ed|eing|ing)\b[^.;\n]{0,60}\b(?:purg(?:es?|ed|ing)|vomit\w*|laxatives|throws? up)\b"
        ),
    ),
    (
        "permanent_atrial_fibrillation",
        "permanent af",
        Sieved(
            r"\b(?:leave|left|leaving|accept(?:ed|ing)?|live with|living with) (?:the |your |his |her |this )?"
            rf"{_FIBRILLATION} (?:be\b|as it is|alone|for good|permanently)"
            rf"|\b{_FIBRILLATION} (?:is |was |has been |is now |now )?(?:accepted|here to stay|permanent)\b"
            rf"|\b(?:accepted|permanent|long-?standing and permanent) {_FIBRILLATION}\b"
            r"|\bno (?:further|more) (?:attempts?|tries|efforts?)[^.;\n]{0,40}\b(?:back in(?:to)?|restore|regain|to) "
            r"(?:normal |sinus )?rhythm\b"
            r"|\bno (?:further|more) (?:cardioversions?|shocks|attempts? at (?:cardioversion|rhythm control))\b"
            r"|\b(?:given up on|abandoned) (?:rhythm control|sinus rhythm|cardioversion)\b"
        ),
    ),
    (
        "migraine_with_aura",
        "migraine with aura",
        Sieved(
            rf"\b{_AURA}\b[^.;\n]{{0,60}}\b{_BEFORE} (?:\w+ ){{0,3}}{_HEAD}\b"
            rf"|\b{_HEAD} (?:\w+ ){{0,4}}(?:preceded by|that (?:start|begin)s? with|starting with|with) "
            rf"(?:\w+ ){{0,2}}{_AURA}\b"
            rf"|\b{_AURA}[ -](?:kinds?|types?|sorts?|version|variety|form) of {_HEAD}\b"
            rf"|\b{_HEAD} of the {_AURA}[ -](?:kind|type|sort|variety)\b"
        ),
    ),
    (
        "smoking",
        "current smoker",
        Sieved(
            r"\bsmok(?:es?|ing)(?: (?:about|around|roughly|up to|some|still|at least|between|over|under"
            r"|only|just|maybe)){0,2}"
            r" (?:\d{1,2}|ten|fifteen|twenty|thirty|forty|a pack|half a pack|a packet)(?:(?:-| to )\d{1,2})?"
            r"(?: (?:cigarettes?|cigs?|fags?|roll-?ups|of them))?(?: (?:a|per|each|every)|/) ?day\b"
        ),
    ),
    (
        "g6pd_deficiency",
        "g6pd deficient",
        Sieved(
            r"\bg6pd\b[^.;\n\d]{0,40}(?:<|under|below|less than|only|about|of|is|was|at|:)? ?"
            r"(?:[0-9]|[1-3]\d)(?:\.\d)? ?"
            r"(?:%|percent|per cent)"
            r"|(?<![\d.])(?:[0-9]|[1-3]\d)(?:\.\d)? ?(?:%|percent|per cent) of (?:the )?normal "
            r"(?:red cell )?g6pd\b"
            r"|\b(?:transfus\w+|h(?:a)?emolys\w+|jaundice\w?|turned yellow|dark urine|cola[- ]colou?red)\b"
            r"[^.;\n]{0,30}"
            r"\b(?:after|from|following|with) (?:eating )?(?:broad|fava) beans\b"
            r"|\b(?:broad|fava) beans\b[^.;\n]{0,40}\b(?:transfus\w+|h(?:a)?emolys\w+|jaundice|yellow|dark urine)\b"
        ),
    ),
    (
        "heparin_induced_thrombocytopenia",
        "hit",
        Sieved(
            r"\b(?:pf-?4|heparin[- ]pf4|anti-?pf4)\b[^.;\n]{0,60}?\b(?:positive|reactive|od (?:of )?[1-9]\.\d)"
            r"|\b(?:sra|serotonin release(?: assay)?|hipa|hit (?:screen|antibod(?:y|ies)|elisa|assay))\b[^.;\n]{0,30}?"
            r"\b(?:positive|reactive)\b"
            r"|\b4-?ts?(?: score)?(?: (?:of|is|was|=))? ?[678]\b"
        ),
    ),
)
STATES: Final = Group(*(pattern for _, _, pattern in TOLD))


def told_states(line: str) -> Iterator[tuple[str, str, int, int]]:
    """Condition id, its name, and where it is told in a normalised line."""
    if not STATES.may_match(line):
        return
    for code, shown, pattern in TOLD:
        for match in pattern.finditer(line):
            yield code, shown, match.start(), match.end()
