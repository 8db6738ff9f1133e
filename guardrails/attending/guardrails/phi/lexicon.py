"""Word lists behind the recognisers, and the folding under which all of them are compared.

The lists are authored for this project (`data/*.txt`): given and family names of many origins, cities, health
systems, medical eponyms, clinical vocabulary and acronyms. They are evidence among others; a name on no list is
still found by its title, label, context or the statistical model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from functools import cache
from importlib.resources import files

from attending.guardrails.phi.medicine import MEDICAL_ENDING

_DATA = files("attending.guardrails.phi") / "data"


def _upper_class() -> str:
    ranges = ((0x41, 0x530), (0x1E00, 0x2000))
    letters = [chr(c) for low, high in ranges for c in range(low, high) if chr(c).isupper()]
    return "".join(re.escape(letter) for letter in letters)


UPPER = _upper_class()
"""Body of a character class: every upper-case letter of the Latin, Greek and Cyrillic blocks."""

APOSTROPHE = "'\u2019\u02bc"


@cache
def _fold_char(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0].lower()
    return base if len(base) == 1 else char


def fold(text: str) -> str:
    """`text` in lower case without diacritics, code point for code point (so offsets stay valid).

    Combining marks of decomposed text stay where they are.
    """
    if text.isascii():
        return text.lower()
    return "".join([_fold_char(char) for char in text])


@cache
def words(name: str) -> frozenset[str]:
    """The folded words of `data/<name>.txt`; lines opening with `#` are comments."""
    lines = (_DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(fold(w) for line in lines if not line.startswith("#") for w in line.split())


@cache
def phrases(name: str) -> tuple[str, ...]:
    """The `|`-separated phrases of `data/<name>.txt`, longest first, spelled as there."""
    lines = (_DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = "".join(line for line in lines if not line.startswith("#")).split("|")
    return tuple(sorted({p.strip() for p in found if p.strip()}, key=lambda p: (-len(p), p)))


def alternation(items: tuple[str, ...]) -> str:
    """A regular expression body that matches any of `items`; spaces match any run of up to three blanks,
    straight and typographic apostrophes match each other."""
    out = []
    for item in items:
        body = re.escape(item).replace(r"\ ", r"[ \t]{1,3}")
        out.append(re.sub(r"['\u2019]", f"[{APOSTROPHE}]", body))
    return "|".join(out)


# Endings of international non-proprietary names (WHO stem book) long enough to be safe beside family names.
_DRUG_STEMS = re.compile(
    r"(?:statin|pril|sartan|olol|azole|cillin|mycin|micin|cycline|gliptin|gliflozin|glutide|tidine|prazole|parin"
    r"|xaban|gatran|zepam|zolam|barbital|caine|dronate|dronic|fibrate|floxacin|navir|tegravir|vudine|ciclovir|fovir"
    r"|buvir|asvir|zumab|ximab|tumab|lumab|mab|tinib|ciclib|rafenib|parib|setron|triptan|oxetine|triptyline|ipramine"
    r"|thiazine|azine|peridol|apine|idone|lukast|terol|tropium|sonide|metasone|solone|nisone|thiazide|semide"
    r"|formin|glitazone|cept|kinra|grastim|poetin|teplase|lactone|dipine|afil|tadine|rizine|codone|morphone"
    r"|orphan|profen|oxicam|coxib|taxel|rubicin|platin|trexate|sulfa|zolamide|phylline|curium|curonium)$"
)
_DRUG_LENGTH = 6


def drug_like(word: str) -> bool:
    """Whether the folded `word` ends like a generic drug name."""
    return len(word) > _DRUG_LENGTH and _DRUG_STEMS.search(word) is not None


_LONGEST_ACRONYM = 5
_ROMAN = re.compile(r"[IVX]{1,5}(?:-[IVX]{1,5})?")


class Lexicon:
    """The lists as sets, plus the caller's words that are never PHI (drug names of the knowledge pack).

    `exclude` holds folded (lower-case) words and phrases and is asked for membership only.
    """

    def __init__(self, exclude: Container[str] = frozenset()) -> None:
        self.exclude = exclude
        self.ambiguous = words("ambiguous_names")
        self.given = words("given_names") - self.ambiguous
        self.eponyms = words("eponyms")
        self.common = words("common_words")
        self.acronyms = words("clinical_acronyms")
        surnames = words("surnames")
        self.surnames = surnames
        self.surnames_alone = surnames - self.eponyms - self.common - _WORDLIKE_SURNAMES - self.ambiguous
        self.not_name = (self.common | self.acronyms) - self.given

    def is_term(self, word: str) -> bool:
        """Whether the folded `word` is clinical or everyday vocabulary, or a drug."""
        return word in self.not_name or word in self.exclude or drug_like(word)

    def unlisted(self, word: str) -> bool:
        """Whether the capitalised `word` is on no list of vocabulary, drugs, eponyms or acronyms: perhaps a name."""
        folded = fold(word)
        for mark in APOSTROPHE:
            folded = folded.removesuffix(f"{mark}s")
        return not (
            (word.isupper() and len(word) <= _LONGEST_ACRONYM)
            or self.is_term(folded)
            or folded in self.eponyms
            or MEDICAL_ENDING.search(folded)
            or _ROMAN.fullmatch(word)
            # a plural of a listed word, unless it is a name of its own ("Jones")
            or (folded[-1:] == "s" and folded[:-1] in self.common and folded not in self.surnames)
        )

    def is_drug(self, word: str) -> bool:
        return word in self.exclude or drug_like(word)


_WORDLIKE_SURNAMES = words("surnames_wordlike")
