"""V21: what looks like one of the 18 identifiers of 45 CFR 164.514(b)(2)(i), by patterns of the standard library alone.

Patterns find what has a form: numbers, dates, addresses, codes, and what stands behind a label or a title. A name
without either has none; the server looks for those with its own engine before a file is given, and this does not
repeat that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

LETTERS: Final = {
    "A": "names",
    "B": "geographic subdivisions smaller than a state",
    "C": "elements of dates but the year, and ages over 89",
    "D": "telephone numbers",
    "E": "fax numbers",
    "F": "electronic mail addresses",
    "G": "social security numbers",
    "H": "medical record numbers",
    "I": "health plan beneficiary numbers",
    "J": "account numbers",
    "K": "certificate and licence numbers",
    "L": "vehicle identifiers and serial numbers",
    "M": "device identifiers and serial numbers",
    "N": "web addresses (URL)",
    "O": "internet addresses (IP)",
    "P": "biometric identifiers",
    "Q": "full-face photographs and comparable images",
    "R": "any other unique identifying number, characteristic or code",
}
"""The identifiers by their letter in 45 CFR 164.514(b)(2)(i)."""

_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|(?-i:Mar(?:ch)?|MAR(?:CH)?|May|MAY)|apr(?:il)?|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_VALUE: Final = (
    r"[ \t]{0,3}(?:number|no\.?|num|id|#)?[ \t]{0,3}[:#=]{0,2}[ \t]{0,3}"
    r"(?=[A-Z0-9-]{0,30}[0-9])[A-Z0-9][A-Z0-9-]{2,30}"
)


def _labelled(words: str) -> str:
    return rf"(?<![\w-])(?:{words})(?![\w-]){_VALUE}"


_PATTERNS: Final = tuple(
    (letter, re.compile(pattern, re.IGNORECASE if loose else 0))
    for letter, loose, pattern in (
        ("A", False, r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sr|Sra|Frau|Herr)\.?[ ][A-Z][a-z]{1,30}"),
        ("A", True, r"\b(?:patient|surname|first name|last name|full name|name)[ ]?[:=][ ]?[a-z]{2,30}"),
        ("B", False, r"\b[A-Z]{2}[ ]{1,2}[0-9]{5}(?:-[0-9]{4})?\b"),
        ("B", True, r"\b(?:zip|postal)(?:[ -]?code)?[ ]?[:#]?[ ]?[0-9]{4,5}\b"),
        (
            "B",
            False,
            r"\b[0-9]{1,5}[ ](?:[NSEW]\.?[ ])?[A-Z][a-z]{1,20}(?:[ ][A-Z][a-z]{1,20})?[ ]"
            r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Lane|Ln|Boulevard|Blvd|Court|Ct|Way|Place)\b",
        ),
        ("C", False, r"(?<![0-9])(?:1[89]|20)[0-9]{2}[-/.](?:0[1-9]|1[0-2])(?:[-/.][0-3][0-9])?(?![0-9])"),
        (
            "C",
            False,
            r"(?<![0-9./-])[0-3]?[0-9][/.-][0-3]?[0-9][/.-](?:(?:1[89]|20)[0-9]{2}|[0-9]{2})(?![0-9./-])",
        ),
        ("C", True, rf"\b{_MONTH}\.?[ ][0-3]?[0-9](?:st|nd|rd|th)?\b(?![0-9%])"),
        ("C", True, rf"\b[0-3]?[0-9](?:st|nd|rd|th)?[ ](?:of[ ])?{_MONTH}\b"),
        ("C", True, rf"\b{_MONTH}\.?,?[ ](?:1[89]|20)[0-9]{{2}}\b"),
        ("C", True, r"(?<![\w.])(?:9[0-9]|1[0-2][0-9])[ -]?(?:years?[ -]?old|y\.?/?o\b|yrs?[ -]?old)"),
        ("C", True, r"\b(?:aged?|age is)[ :]{1,2}(?:9[0-9]|1[0-2][0-9])\b(?![.,/-]?[0-9+])"),
        ("E", True, r"\bfax(?:imile)?(?:[ ](?:no\.?|number))?[ :#]{1,3}\+?[0-9(][0-9 ().-]{6,18}[0-9]"),
        (
            "D",
            False,
            r"(?<![\w-])(?:\+?1[ .-]?)?(?:\([0-9]{3}\)[ ]?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}(?![\w-])",
        ),
        ("D", False, r"(?<![\w])\+[1-9][0-9]{0,2}[ .-]?(?:[0-9][ .-]?){6,12}[0-9](?!\w)"),
        (
            "F",
            False,
            r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}",
        ),
        ("G", False, r"(?<![\w-])[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}(?![\w-])"),
        ("G", True, _labelled(r"ssn|social security")),
        ("H", True, _labelled(r"mrn|medical record|chart|patient (?:id|number|no)|nhs|hospital number")),
        (
            "I",
            True,
            _labelled(
                r"member|subscriber|beneficiary|insurance|policy (?:number|no)|medicare|medicaid|group number"
            ),
        ),
        ("J", True, _labelled(r"account|acct|iban|invoice|encounter|visit number")),
        ("K", True, _labelled(r"licen[cs]e|certificate|npi|dea|driver'?s licen[cs]e|passport")),
        ("L", True, _labelled(r"vin|licen[cs]e plate|plate|registration number")),
        ("M", True, _labelled(r"serial|udi|device id|imei|s/n")),
        ("N", True, r"\b(?:https?|ftp)://[^\s\"]{3,}|\bwww\.[a-z0-9-]{1,63}\.[a-z]{2,24}"),
        (
            "O",
            False,
            r"(?<![\w.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![\w.])",
        ),
        ("O", True, r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])"),
        ("P", True, r"\b(?:fingerprint|voiceprint|retina(?:l)? scan|iris scan) (?:id|template|hash)\b"),
        ("Q", True, r"\b[\w-]{1,60}\.(?:jpe?g|png|heic|dcm|tiff?)\b|data:image/"),
        # What the log itself names a person, a record or an inference by, and every digest.
        ("R", False, r"(?<![A-Za-z0-9])sub_[A-Za-z2-7]{26}"),
        ("R", False, r"(?<![A-Za-z0-9])[a-z]{3}_[0-9a-f]{26,32}(?![0-9a-f])"),
        ("R", False, r"(?<![0-9A-Fa-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9A-Fa-f])"),
        ("R", True, r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])"),
        ("R", False, r"(?<![\w.-])[0-9]{7,20}(?![\w.-])"),
    )
)

_WORD_CHARACTERS: Final = 80
_OURS: Final = re.compile(
    r"\[(?:(?:NAME|PLACE|DATE|PHONE|FAX|EMAIL|SSN|MRN|INSURANCE|ACCOUNT|LICENSE|VEHICLE|DEVICE|URL|IP|BIOMETRIC|PHOTO"
    r"|AGE_OVER_89|ID|TEXT)(?:_[1-9][0-9]{0,2})?|AGE 90\+|ZIP [0-9]{3}\*\*|DATE (?:1[89]|20)[0-9]{2})\]"
)
"""What stands in place of an identifier: `[NAME_1]`, `[DATE 2026]`, `[ZIP 606**]`, `[AGE 90+]`. Any other word in
brackets may be a name, and a longer number one of somebody.
"""


def found(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, letter) of everything in `text` that looks like an identifier; they may overlap. Each of a fixed
    number of patterns reads the text once.
    """
    bare = without_placeholders(text)
    for letter, pattern in _PATTERNS:
        for match in pattern.finditer(bare):
            yield match.start(), match.end(), letter


def without_placeholders(text: str) -> str:
    """`text` with what stands for an identifier blotted out, which is none; places in it are those of `text`."""
    return _OURS.sub(lambda ours: "[" + "_" * (len(ours[0]) - 2) + "]", text)


def letters_in(text: str) -> tuple[str, ...]:
    """The letters of what `found` finds, sorted, each once."""
    # Words come again and again; of texts nothing is kept.
    return _letters_in_word(text) if len(text) <= _WORD_CHARACTERS else _letters_in(text)


def _letters_in(text: str) -> tuple[str, ...]:
    return tuple(sorted({letter for _start, _end, letter in found(text)}))


_letters_in_word = lru_cache(maxsize=4096)(_letters_in)
