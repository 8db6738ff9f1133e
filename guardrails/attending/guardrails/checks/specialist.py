"""What is never released unread, whatever the other checks say: chemotherapy, parenteral nutrition, a neonate, an
anaesthetic. Each holds to a named role (ISMP high-alert medications in acute care; ASHP guidelines on chemotherapy).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

NEONATE_DAYS: Final = 28
_LOW_DOSE_USES: Final = frozenset(
    {"methotrexate", "mercaptopurine", "azathioprine", "hydroxyurea", "tamoxifen", "anastrozole", "letrozole"}
)
"""Drugs of the class that are also everyday treatment; as chemotherapy only where cancer or m2 dosing is spoken of."""
_CANCER: Final = re.compile(
    r"\b(?:chemo\w*|cancer|carcinoma|lymphoma|leuk(?:a)?emia|sarcoma|tumou?r|oncolog\w*|metasta\w*|cycle \d|day \d+ of"
    r"|mg/m2|mg/m\u00b2)",
    re.I,
)
_REGIMEN: Final = Sieved(
    r"(?<![\w-])(?:m?FOLFOX(?:-?[67])?|FOLFIRI|m?FOLFIRINOX|FOLFOXIRI|CAPOX|CAPEOX|XELOX|XELIRI|FLOT|R?-?CHO(?:E)?P"
    r"(?:-?(?:14|21))?|R-mini-CHOP|R-CVP|R-EPOCH|DA-EPOCH(?:-R)?|ABVD|AVD|(?:esc)?BEACOPP|BrECADD|hyper-?CVAD|R-?DHAP"
    r"|R-ICE|ESHAP|R-?GDP|GemOx|R-GemOx|FEC(?:-[TD]|100|75)?|AC-TH?|ddAC(?:-T)?|TCHP?|CMF|BEP|MVAC|ddMVAC"
    r"|VAC/IE|VDC/IE|FLAG(?:-Ida)?|CLAG|DAUNO-ARA|7\+3|VMP|VRd|KRd|DRd|Dara-?VRd|CyBorD|EOX|ECX|ECF"
    r"|(?:TAC|PCV)(?=[ ](?:chemo\w*|regimen|cycles?|protocol)))(?![\w-])"
)
"""Regimens by their names, as oncologists write them: what is in them is not said, and a dose seldom. TAC is tacrolimus
too, and PCV a vaccine.
"""
_COURSE: Final = re.compile(
    r"\b(?:start\w*|begin\w*|give\w*|giving|proceed\w*|initiat\w*|continu\w*|resum\w*|restart\w*|administ\w*|order\w*"
    r"|prescrib\w*|plan\w*|due|next|schedul\w*|recommend\w*|cycle|tomorrow|today|c\d{1,2} ?d\d{1,2}|day 1|q\d{1,2})\b",
    re.I,
)
_COURSE_OVER: Final = re.compile(
    r"\b(?:complet\w*|finish\w*|receiv\w*|underw\w*|after|s/p|status post|previous\w*|prior|past|history|following"
    r"|since|had|was|were|failed|progress\w* on|last|not|no|never|declin\w*|stop\w*|held|hold|refus\w*|versus|vs"
    r"|trial|compar\w*)\b",
    re.I,
)
_NUTRITION: Final = Sieved(
    r"\b(?:tpn|ppn|total parenteral nutrition|parenteral nutrition|intralipid|lipid emulsion|smoflipid|clinimix"
    r"|(?:smof|peri)?kabiven|(?:peri)?olimel"
    r"|oliclinomel|nutriflex|numeta|clinolipid|omegaven|aminoven|trophamine|travasol|aminosyn|prosol|aminoplasmal"
    r"|vamin)\b",
    re.I,
)
_AMINO_ACIDS: Final = Sieved(r"\bamino[- ]?acids?\b", re.I)
_OF_A_BAG: Final = (
    re.compile(r"\b(?:glucose|dextrose)\b", re.I),
    re.compile(r"\b(?:lipids?|fat emulsion|fat)\b", re.I),
    re.compile(r"\b(?:ml ?/ ?h\w*|ml per hour|central line|picc|cvc|bag|iv|infus\w+|over \d+ ?h\w*)\b", re.I),
)
"""What a bag of parenteral nutrition is told by, where nothing names it: what it holds and the way it runs in."""
_GIVES: Final = re.compile(
    r"\b(?:start\w*|begin\w*|give|run\w*|infus\w*|order\w*|initiat\w*|continue|increase|decrease|advance|rate|ml/h\w*"
    r"|ml per hour|at \d+|hang|cycle|over \d+ ?h\w*)",
    re.I,
)
_NEXT: Final = re.compile(r"[ :]{1,2}(?:today|tonight|tomorrow)\b", re.I)
"""An order without a verb: "TPN tonight"."""
_NOT_GIVEN: Final = re.compile(
    r"\b(?:no|not|stop\w*|off|wean\w*|discontinu\w*|avoid|history of|previous\w*|was|had|declin\w*|without)\b"
    r"[^.;\n]{0,40}$",
    re.I,
)
_NEONATE: Final = Sieved(r"\b(?:neonat\w*|newborn\w*|preterm infant|premature infant|premie|nicu)\b", re.I)
_ANAESTHETIC: Final = frozenset(
    {
        "propofol", "etomidate", "ketamine", "methohexital", "sevoflurane", "desflurane", "isoflurane", "nitrous oxide",
        "rocuronium", "vecuronium", "cisatracurium", "atracurium", "pancuronium", "succinylcholine", "mivacurium",
        "remifentanil", "sufentanil", "alfentanil", "dexmedetomidine", "sugammadex",
    }
)  # fmt: skip
_SOURCE: Final = "ISMP list of high-alert medications in acute care settings"


def specialist(case: Case) -> Iterator[Finding]:
    """At most one finding per area, of severity moderate: it holds, and says who reads it."""
    given = [e for e in case.given if e.origin == "output" and e.generic_class is None]
    chemo = next((e for e in given if _chemotherapy(case, e)), None)
    if chemo is not None:
        yield _finding(case, "chemotherapy", "an oncology pharmacist", chemo, chemo.span)
    elif (regimen := _regimen(case.judged.output)) is not None:
        yield _finding(case, "chemotherapy", "an oncology pharmacist", None, regimen)
    nutrition = _ordered(case.judged.output, _NUTRITION) or _mixed(case.judged.output)
    if nutrition is not None:
        yield _finding(case, "parenteral nutrition", "a nutrition pharmacist", None, nutrition)
    if given and _is_neonate(case):
        yield _finding(case, "a neonate", "a neonatal pharmacist", given[0], given[0].span)
    anaesthetic = next(
        (e for e in given if e.drug in _ANAESTHETIC and e.new and not case.is_local(e) and _dosed(e)), None
    )
    if anaesthetic is not None:
        yield _finding(case, "anaesthesia", "an anaesthetist", anaesthetic, anaesthetic.span)


def _chemotherapy(case: Case, exposure: Exposure) -> bool:
    if not case.of_class(exposure.drug, "antineoplastic") or case.is_local(exposure):
        return False
    if exposure.drug in _LOW_DOSE_USES:
        return case.writes(_CANCER) and _dosed(exposure)
    return exposure.new or _dosed(exposure)


def _regimen(text: str) -> Span | None:
    """The first regimen that the text has given now or next; one that is over or only weighed is none."""
    for match in _REGIMEN.finditer(text):
        clause = sentence_around(text, match.start(), match.end(), semicolons=True, reach=200)
        if _COURSE.search(text, clause.start, clause.end) and not _COURSE_OVER.search(
            text, clause.start, clause.end
        ):
            return Span(match.start(), match.end())
    return None


def _dosed(exposure: Exposure) -> bool:
    return exposure.statement is not None and (
        exposure.statement.dose is not None or exposure.statement.started
    )


def _ordered(text: str, words: Sieved) -> Span | None:
    for match in words.finditer(text):
        clause = sentence_around(text, match.start(), match.end(), semicolons=True)
        gives = (
            _GIVES.search(text, clause.start, clause.end)
            or _NEXT.match(text, match.end())
            or _contents(text, match.end())
        )
        if gives and not _NOT_GIVEN.search(text, clause.start, match.start()):
            return Span(match.start(), match.end())
    return None


_AMOUNT: Final = re.compile(r"[^.;\n]{0,20}?\d[\d.]{0,6} ?(?:g|ml|%)", re.I)
_CONTENTS: Final = 400
"""Characters behind the name of a bag in which what it holds is told."""


def _contents(text: str, at: int) -> bool:
    """Whether what a bag holds stands behind its name, with amounts: a table below "Neonatal TPN, day 3"."""
    found = re.search(r"\bamino[- ]?acids?\b", text[at : at + _CONTENTS], re.I)
    return found is not None and _AMOUNT.match(text, at + found.end()) is not None


def _mixed(text: str) -> Span | None:
    """Where amino acids stand in a text that also gives glucose, lipid and the way a bag of them runs."""
    found = next(_AMINO_ACIDS.finditer(text), None)
    if found is None or not all(word.search(text) for word in _OF_A_BAG):
        return None
    return Span(*found.span()) if _AMOUNT.match(text, found.end()) else None


def _is_neonate(case: Case) -> bool:
    years = case.age_years
    if years is not None:
        return years * Decimal("365.25") < NEONATE_DAYS
    return _of_a_neonate(case) and not case.context.lactating and not case.context.pregnant


_KEPT_AWAY_FROM: Final = re.compile(
    r"\b(?:(?:keep|keeps|kept|stay|stays) (?:\w+ ){0,3}?away from|avoid(?:ing)? (?:contact|being near|visiting)"
    r"|(?:no|without) contact with|not (?:be |go |come )?near|not visit)\b[^.:;\n]{0,40}\Z",
    re.I,
)
"""Before newborns that a patient is to be kept from."""


def _of_a_neonate(case: Case) -> bool:
    texts = (case.judged.output, case.judged.prompt or "")
    return any(
        _KEPT_AWAY_FROM.search(text, max(0, match.start() - 60), match.start()) is None
        for text in texts
        for match in _NEONATE.finditer(text)
    )


def _finding(case: Case, area: str, role: str, exposure: Exposure | None, span: Span) -> Finding:
    return case.finding(
        Code.SPECIALIST,
        exposure,
        Severity.MODERATE,
        rule(f"specialist-{area.removeprefix('a ').replace(' ', '-')}", _SOURCE),
        f"{area} is always read by {role} before release",
        span=span,
    )
