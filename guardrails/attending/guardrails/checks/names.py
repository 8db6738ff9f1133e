"""Names that a text gives to the person it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from attending.guardrails.clinical.statement import Span

_WORD: Final = r"[A-Z\u00c0-\u00de][\w'\u2019\u00c0-\u00ff-]+"
_PARTICLE: Final = r"(?:(?:van|von|de|der|den|da|del|della|di|dos|la|le|bin|al|el|ter)[ ]){1,2}"
_TITLE: Final = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Master|Se\u00f1ora?|Herr|Frau|Monsieur"
    rf"|Madame)\.?[ \u00a0]+(?P<name>{_WORD}(?:[ \u00a0](?:{_PARTICLE})?{_WORD}){{0,3}})"
)
_LABEL: Final = re.compile(
    rf"(?:^|\n|[.;|(\[]\s{{0,9}})[*_#\s]{{0,9}}(?P<label>Patient(?: [Nn]ame)?|Name|RE|Re|Subject|Dear|Hello|Hi)\b"
    rf"[*_]{{0,9}}\s{{0,9}}"
    rf"(?:[:,-]|(?=[A-Z]))[*_\s]{{0,9}}"
    rf"(?P<title>Mr|Mrs|Ms|Miss|Mx)?\.?\s{{0,9}}"
    rf"(?P<name>{_WORD}(?:[ \u00a0](?:[A-Z]\.|(?:{_PARTICLE})?{_WORD})){{0,3}})"
    rf"(?P<born>,? *\(?(?:DOB|MRN|born|date of birth))?"
)
_INVERTED: Final = re.compile(
    rf"(?:^|\n)[*_#\s]{{0,9}}(?P<label>Patient(?: [Nn]ame)?|Name)[*_]{{0,9}}\s{{0,9}}:"
    rf"[*_\s]{{0,9}}(?P<name>{_WORD}, ?{_WORD})"
)
_BORN_AFTER: Final = re.compile(
    rf"\b(?P<name>{_WORD}(?:[ \u00a0](?:[A-Z]\.|(?:{_PARTICLE})?{_WORD})){{1,2}})"
    rf"(?P<born>,? *\(?(?:DOB|D\.O\.B|MRN|born|date of birth)\b)"
)
"""A name with a birth date or record number behind it is the person's, whatever stands before it."""
_SALUTATIONS: Final = frozenset({"dear", "hello", "hi"})
_TOPICS: Final = frozenset({"re", "subject"})
_NOT_A_NAME_WORDS: Final = (
    "valued member customer health families colleagues friends resident committee board editor applicant "
    "asthma diabetes heart lung kidney blood pressure lab labs result results test tests visit note notes progress "
    "assessment chief complaint diagnosis allergies allergy problem problems list current home new reason follow up "
    "review stable alert comfortable awake tolerating feels doing seen referred requesting message letter request "
    "refill prescription office center centre nursing unit ward room bed contact phone address adult child infant "
    "patient provider colleague doctor team sir madam parent parents guardian family caregiver friend all "
    "everyone there name the your dr doctor nurse professor prof physician clinician pharmacist summary "
    "discharge education information instructions re safety medication medications plan care history "
    "status presents reports denies has is was should may will can and hospital clinic department "
    "insurance appointment date age sex male female identification id name portal advised"
)
_NOT_A_NAME: Final = frozenset(_NOT_A_NAME_WORDS.split())


def persons(text: str) -> Iterator[tuple[Span, str]]:
    """Names that a text gives to the person it is about: after a title, a label or a salutation; never clinicians."""
    seen: set[int] = set()
    for pattern in (_INVERTED, _TITLE, _LABEL, _BORN_AFTER):
        for match in pattern.finditer(text):
            name = match["name"]
            if match.start("name") in seen or not name_parts(name) or not _is_person(match):
                continue
            following = text[match.end("name") : match.end("name") + 12]
            if re.match(r",?\s*(?:MD|DO|RN|NP|PA|PharmD|FNP|MBBS)\b", following):
                continue
            before = text[max(0, match.start() - 40) : match.start()].lower()
            if re.search(
                r"\b(?:mother|father|wife|husband|son|daughter|brother|sister|caregiver|guardian|spouse),? *$",
                before,
            ):
                continue
            seen.add(match.start("name"))
            yield Span(match.start("name"), match.end("name")), name


def _is_person(match: re.Match[str]) -> bool:
    """Whether what follows a label is a person: "Patient: Stable" and "Re: Lab Results" name nobody."""
    groups = match.groupdict()
    label = (groups.get("label") or "").lower()
    if not label or label in _SALUTATIONS or groups.get("title") or groups.get("born"):
        return True
    words = {word.lower().strip(".") for word in re.split(r"[ ,\u00a0]+", match["name"])}
    return label not in _TOPICS and len(words) > 1 and not words & _NOT_A_NAME


def name_parts(name: str) -> set[str]:
    words = {word.strip(".'\u2019").lower() for word in re.split(r"[ ,\u00a0-]+", name)}
    words = {re.sub(r"['\u2019]s$", "", word) for word in words}
    if words & _NOT_A_NAME and len(words - _NOT_A_NAME) == 0:
        return set()
    return {word for word in words - _NOT_A_NAME if len(word) > 1}


def parts_of(names: Iterable[str]) -> set[str]:
    """The parts of all names together."""
    return {part for name in names for part in name_parts(name)}
