"""Of whom words speak: the person, a relative, people in general, or nobody yet ("if you are pregnant")."""

from __future__ import annotations

import re

GENERAL = re.compile(
    r"\b(?:if|unless|when|whenever|whether|in case|should you|who (?:is|are|might|may)|"
    r"(?:patients|people|women|men|those|anyone|individuals|adults|children|persons|"
    r"someone) (?:with|who|whose|on|over|under|that|are|receiving|undergoing)|"
    r"may be|might be|could be|become|becoming|trying to (?:get|become|be)|planning|"
    r"plan to|avoid in|caution in|contraindicated in|in (?:severe|moderate|mild)|for "
    r"example|e\.g\.|such as|once|until|till)\b"
)
CONDITIONAL = re.compile(r"\b(?:if|unless|whether|in case|should you|when|once|until)\b")
RELATIVE_TIME = re.compile(
    r"\b(?:after|before|from|beyond|until|past|over|since|starting at|by|than|at least|"
    r"prior to|up to|or|and|to|between|first|last|[<>]=?) ?(?:about )?$|[<>]=? ?$"
)
ANOTHER_PREGNANCY = re.compile(
    r"[\w ,()+/-]{0,40}? (?:in|of|during|from) (?:(?:the|her|your|my|a|an|one) )?(?:last|previous|prior"
    r"|earlier|past|former|"
    r"other|(?:19|20)\d\d) (?:pregnanc\w+|child\b|baby\b|birth\b|delivery\b|one\b|gestation\b)"
)
"""Behind a week of pregnancy, which one: "at 32 weeks in the last pregnancy"."""
_FAMILY = re.compile(
    r"\b(?:mother(?! and (?:baby|child|infant|newborn|twins?|son|daughter)\b)|father|mom|mum|dad|sister|brother"
    r"|wife|husband|grandmother|"
    r"grandfather|grandma|grandpa|aunt|uncle|cousin|friend|family history|roommate|"
    r"neighbou?r)\b(?!'s (?:day|milk))"
)
_THEIRS_AFTER = re.compile(
    r"[^.;\n]{0,40}? (?:for|of|is|belongs? to) (?:(?:the|her|his|your|a) )?"
    r"(?:mother|father|mom|mum|dad|sister|brother|wife|husband|parent|twin|sibling)\b(?:'s)? ?,? ?(?:and )?not "
    r"(?:for |to )?(?:the |this |our )?(?:child|baby|boy|girl|patient|him|her|you|son|daughter|infant|hers|his|yours)\b"
)
"""What is set right behind the words: "listed for the mother, not for the child"."""
_TOLD_BY = re.compile(
    r"\w{3,14}(?:-to-be)? (?:says|said|reports|reported|states|stated|tells|told|notes|noted|mentions|mentioned"
    r"|recalls|describes|adds) "
)
"""A relative who tells of the patient, and is not whom the words are about."""
_SUBJECT = re.compile(
    r"\b(?:he|she|himself|herself|yourself|themselves|i|patient|pt|her|his|my|our|their|the|this"
    r"|(?<!is )(?<!was )an?)\b"
)


def words_before(part: str, position: int, width: int = 40) -> str:
    """The `width` characters before a position."""
    return part[max(0, position - width) : position]


def clause_before(part: str, position: int) -> str:
    """What stands before a position since the last comma, semicolon or colon; at most 80 characters."""
    return re.split(r"[,;:]", words_before(part, position, 80))[-1]


def of_patient(part: str, position: int) -> bool:
    """Whether what stands at a position is said of the patient: neither of people in general nor of a relative."""
    return GENERAL.search(clause_before(part, position)) is None and not other_person(part, position)


_BELONGS = re.compile(
    r"[^.,;()\n]{0,40}?\b(?:allerg(?:y|ies)|entr(?:y|ies)|records?|labels?|alerts?|flags?|reaction)"
    r" belong(?:s|ed)? to (?:(?:his|her|your|my|their|the) )?(?:\w+ )?"
    r"(?:sister|brother|mother|father|mum|mom|dad|son|daughter|twin|wife|husband|namesake"
    r"|another (?:patient|person))\b",
    re.I,
)
"""Behind an entry that is another's: "her penicillin allergy entry belongs to her twin sister"."""


def other_person(part: str, position: int) -> bool:
    """Whether a relative is the subject ("his mother is 70 years old") and nobody else since."""
    if _THEIRS_AFTER.match(part, position) or _BELONGS.match(part, position):
        return True
    before = words_before(part, position, 80)
    relatives = list(_FAMILY.finditer(before))
    if not relatives:
        return False
    told = _TOLD_BY.match(before, relatives[-1].start())
    return told is None and _SUBJECT.search(before, relatives[-1].end()) is None
