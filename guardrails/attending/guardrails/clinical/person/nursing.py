"""Lactation, and the age of the child that is nursed."""

from __future__ import annotations

import re

from attending.guardrails.clinical.person.counting import DAYS, NW, number
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import GENERAL, clause_before, other_person
from attending.guardrails.sieve import Group, Sieved

_LACTATING = Sieved(
    r"\b(?:you are|you're|i'm|i am|she is|she's|pt|patient|mother|mom|mum) (?:is )?(?:still |currently "
    r"|exclusively )?"
    r"nursing\b(?! (?:home|facility|staff|school|student|degree|shift|notes?|care|unit|assess\w*|a (?:drink"
    r"|beer|cold)))|"
    r"\blactational mastitis\b|"
    r"\bpt (?:is )?(?:still )?(?:breast[- ]?feeding|lactating)\b|\bbreast[- ]?fed (?:infant|baby|newborn|son"
    r"|daughter|child)\b|"
    r"\b(?:keep|continue|go on|carry on|resume) (?:to )?(?:breast[- ]?feed\w*|nurs(?:e|ing) (?:the|your|her|him"
    r"|on))\b|"
    r"\bnursing (?:her|an?|the)? ?(?:newborn|infant|baby|twins|\w+[ -](?:week|month|day|mo|wk)s?[ -]old)\b|"
    r"\bpost-?partum(?: day \d+| \w+ weeks?)?,? (?:and )?(?:breast[- ]?feeding|nursing|lactating)\b|"
    r"\b(?:is|am|i'm|she's|currently|you are|you're|who is|still|and) (?:currently |"
    r"still |exclusively )?(?:breast[- ]?feeding|lactating|nursing (?:her|my|a|an|the))\b|"
    r"\b(?:lactating|breast[- ]?feeding|nursing) (?:mother|mom|mum|woman|patient|female)\b(?! s)|"
    r"^(?:lactating|breast[- ]?feeding)\b[ ]*(?:[:;,.(]|$)|[,;] (?:lactating|breast[- ]?feeding)\b|"
    r"\b(?:lactation|breast[- ]?feeding)[ :=]+(?:yes|active|current|ongoing)\b|"
    r"\b(?:she|mother|mom|mum|i) (?:breast[- ]?feeds|nurses)\b|\bher breast[- ]?fed\b|"
    r"\b(?:(?:infant|baby|newborn|milk) )?feeding(?: (?:method|plan|choice|status))?[ :=|]+(?:is |by )?"
    r"(?:exclusive(?:ly)? |only )?(?:breast|human milk)(?: (?:only|milk|fed|exclusively))?(?= ?(?:[.,;|)]|$))|"
    r"\b(?:exclusively|fully|entirely|mostly|mainly|partly|partially|successfully) breast(?:[- ]?f\w+)?\b|"
    r"\bbreast[- ]?feed(?:s|ing) (?:well|established|her|his|my|twins|a (?:\w+[- ]){1,3}old|baby|exclusively"
    r"|fully|on demand"
    r"|every|(?:since|after) (?:the )?(?:birth|delivery))\b|"
    r"\byou (?:can|may|could) (?:\w+ ){0,2}?(?:take|use|have|keep)\b[^.;\n]{0,30}? (?:while|when) (?:nursing"
    r"|breast[- ]?feeding)\b|"
    r"\bbreast[- ]?feeding,? (?:and )?(?:infant|baby|continues?|to continue|wishes|wants)\b|"
    r"\b(?:infant|baby|newborn|son|daughter|child) (?:is |being )?(?:(?:fully|exclusively|still) )?breast[- ]?fed\b|"
    r"(?<!the )(?<!a )(?<!our )\bnurse (?:your |the |her )(?:son|daughter|baby|newborn|infant|twins|little one)\b|"
    r"\b(?:breast[- ]?feed|nurse) (?:on demand|as often as|every (?:two|three|2|3|few))\b|"
    r"\bput(?:ting)? (?:your |the |her |him )?(?:\w+ )?to the breast\b|"
    r"\bfeed(?:ing)? (?:your |the |her )?(?:\w+ )(?:\w+ ){0,3}from (?:both|each|the|your|her) breasts?\b|"
    r"\b(?:continue|safe|fine|ok|okay|as usual) (?:while|when) (?:nursing|breast[- ]?feeding)\b|"
    r"\b(?:nursing|breast[- ]?feeding) (?:is|remains|stays) (?:fine|ok|okay|safe|possible|allowed|encouraged|"
    r"not a problem)\b|"
    r"\b(?:can|may|should|to) (?:go on|keep on|carry on|keep|continue) (?:nursing|breast[- ]?feeding)\b|"
    r"\b(?:is|am|i'm|she's|you're|you are) (?:pumping|expressing) (?:breast ?milk|milk)\b|"
    r"(?:^|[,;.] ?|\band )(?:both |baby |exclusively |now )?breast[- ]?(?:feeding|fed) ?(?:is |was |has been |being )?"
    r"(?:well )?(?:established|going well|well|ongoing|successful\w*|without (?:problems|difficulty)|(?=[.,;]|$))|"
    r"\bbreast[- ]?feeding (?:is |was |has been |being )?(?:well )?(?:established|going well)\b(?! ?\?)|"
    r"\bfeed(?:s|ing)? (?:\w+ )?(?:at|from) the breast\b|"
    r"\b(?:babies|twins|children|both) (?:are |is )?(?:being |both )?breast[- ]?fed\b|"
    r"\b(?:giv\w+|gets?|has|having|takes) (?:him |her |them |your \w+ )?(?:only |nothing but )?(?:your |her )?"
    r"breast milk\b"
)
_INFANT = Sieved(
    rf"\b(?:nursing|breast[- ]?fe\w+|breast[- ]?fed|feeding|lactating)\b[^.;\n]{{0,40}}?(?<![\w.,/-]){NW}[ -]?"
    rf"(day|week|wk|month|mo)s?[ -]?old\b"
    rf"|\b(?:your|her|the) {NW}[ -](day|week|wk|month|mo)s?[ -]old (?:baby|infant|newborn|nursling)\b"
    rf"|(?<![\w.,/-]){NW} ?(day|week|wk|month|mo)s? post-?partum\b"
)
_NOT_LACTATING = Sieved(
    r"\bnot (?:currently |yet |now )?(?:breast[- ]?feeding|lactating|nursing)\b|\b(?:formula"
    r"|bottle)[- ](?:fed|feeding|feeds)\b"
    r"|\b(?:stopped|finished|no longer|has weaned|weaned|declines?|denies) (?:from )?(?:breast[- ]?feeding"
    r"|nursing|lactating|the baby)\b"
    r"|\bbreast[- ]?feeding (?:was |has been |had been |is )?(?:stopped|ended|over|finished|given up|declined"
    r"|established\? ?no)\b"
)
NURSING = Group.of(globals())


def read_nursing(part: str, told: Told) -> None:
    """Adds to `told` whether the person nurses, and the age of the child in days."""
    if _NOT_LACTATING.search(part):
        told.lactating.append(False)
    for match in _LACTATING.finditer(part):
        around = clause_before(part, match.start()) + match.group()
        if (
            not GENERAL.search(around)
            and not re.search(r"\b(?:not|isn't|never|stopped)\b", around)
            and not other_person(part, match.start())
        ):
            told.lactating.append(True)
    for match in _INFANT.finditer(part):
        count, unit = next((match.group(i), match.group(i + 1)) for i in (1, 3, 5) if match.group(i))
        told.infants.append(int(number(count) * DAYS[unit[0]]))
