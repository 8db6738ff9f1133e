"""Laboratory values and vital signs, named one way: from LOINC codes, plain names and running text.

Units are the conventional (US) ones of `ANALYTES`; SI units are converted where the unit is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.clinical.number import number_words
from attending.guardrails.clinical.trend import NO_RESULT, RESULT_UNITS, newest, set_back
from attending.guardrails.patient import Lab
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` in the unit of `Analyte.unit`; `start`/`end` in the text it was read from, both 0 for
    the record."""

    analyte: str
    value: Decimal
    start: int = 0
    end: int = 0
    stated: bool = False


@dataclass(frozen=True, slots=True)
class _Analyte:
    id: str
    unit: str
    names: str
    loinc: frozenset[str]
    low: Decimal
    high: Decimal
    """Bounds of what can be a value of this analyte at all, so that a dose or a year is not read as one."""
    si: tuple[tuple[str, Decimal], ...] = ()
    """Other unit (lower case) -> factor to the conventional one."""


def _a(id_: str, unit: str, names: str, loinc: str, *bounds: str, **si: str) -> _Analyte:
    other = tuple((key.replace("_", "/"), Decimal(value)) for key, value in si.items())
    return _Analyte(id_, unit, names, frozenset(loinc.split()), Decimal(bounds[0]), Decimal(bounds[1]), other)


ANALYTES: Final[tuple[_Analyte, ...]] = (
    _a(
        "potassium",
        "mmol/L",
        r"(?:serum )?potassium|k\+|(?-i:(?<![Vv]itamin )K)(?=[ :=])",
        "2823-3 6298-4 75940-7",
        "1",
        "12",
    ),
    _a("sodium", "mmol/L", r"(?:serum )?sodium|na\+|(?-i:Na)(?=[ :=])", "2951-2 2947-0", "90", "200"),
    _a(
        "magnesium",
        "mg/dL",
        r"(?:serum )?magnesium|mg2\+|mg\+\+|(?-i:(?<!\d )Mg)(?=[ :=]+\d)",
        "19123-9",
        "0.2",
        "15",
        mmol_l="2.43",
    ),
    _a(
        "calcium",
        "mg/dL",
        r"(?:serum |corrected |adjusted )?calcium|ca2\+|(?:corr(?:ected)?|adj(?:usted)?) ca"
        r"|(?-i:(?<!\d )Ca)(?=[ :=]+\d)",
        "17861-6",
        "3",
        "20",
        mmol_l="4.008",
    ),
    _a("inr", "", r"inr", "6301-6 34714-6 46418-0", "0.5", "30"),
    _a(
        "platelets",
        "10^9/L",
        r"platelets?(?: count)?|plts?",
        "777-3 26515-7",
        "1",
        "2000000",
    ),
    _a(
        "neutrophils",
        "10^9/L",
        r"(?:absolute )?neutrophils?(?: count)?|neuts?|neutros?|anc|absolute neutrophil count",
        "751-8 26499-4",
        "0",
        "60000",
    ),
    _a("hemoglobin", "g/dL", r"ha?emoglobin|hgb|hb", "718-7", "2", "25", g_l="0.1"),
    _a(
        "glucose",
        "mg/dL",
        r"(?:blood |serum |fasting |random |fingerstick )?(?:glucose|sugar)|bg|fsbg|cbg|bgl|gluc|fingerstick",
        "2345-7 2339-0 41653-7",
        "10",
        "2000",
        mmol_l="18.016",
    ),
    _a(
        "lithium",
        "mmol/L",
        r"(?:serum )?(?:lithium|li)(?: level| concentration)|li\+|(?-i:Li)(?=[ :=])",
        "14334-7",
        "0.05",
        "8",
    ),
    _a("digoxin", "ng/mL", r"(?:serum )?dig(?:oxin)?(?: level| concentration)", "10535-3", "0.1", "15"),
    _a("alt", "U/L", r"alt|sgpt|alanine (?:amino)?trans(?:amin|fer)ase", "1742-6", "1", "20000"),
    _a(
        "creatinine",
        "mg/dL",
        r"(?:serum )?creatinine(?! clearance)|scr|creat|(?-i:Cr)(?=[ :=])",
        "2160-0 38483-4",
        "0.1",
        "25",
        umol_l="0.0113",
    ),
    _a("qtc", "ms", r"qtc[fb]?(?: interval)?", "8636-3", "250", "800"),
    _a("heart_rate", "/min", r"heart rate|pulse(?: rate)?|hr", "8867-4", "15", "300"),
    _a("systolic", "mmHg", r"(?:systolic )?(?:blood pressure|bp)|sbp", "8480-6", "40", "300"),
    _a("tsh", "mIU/L", r"tsh", "3016-3", "0", "500"),
    _a(
        "phenytoin",
        "mcg/mL",
        r"(?:(?:serum |total )?(?:phenytoin|dilantin|pht)|dph)(?: level| concentration)",
        "3968-5",
        "0.5",
        "100",
    ),
    _a("ck", "U/L", r"ck|cpk|creatine kinase", "2157-6", "5", "500000"),
    _a(
        "wbc",
        "10^9/L",
        r"wbc(?: count)?|wcc|white (?:blood )?(?:cell )?count|white (?:blood )?cells|leu[kc]ocytes",
        "6690-2 26464-8",
        "0.05",
        "500000",
    ),
    _a("ammonia", "umol/L", r"(?:serum )?ammonia|nh3", "16362-6", "5", "1000"),
    _a(
        "theophylline",
        "mcg/mL",
        r"(?:serum )?(?:theophylline|theo)(?: level| concentration)",
        "4049-3",
        "0.5",
        "100",
    ),
    _a(
        "valproate",
        "mcg/mL",
        r"(?:total )?(?:valproate|valproic acid|vpa|depakote)(?: level| concentration)",
        "4086-5",
        "1",
        "500",
    ),
    _a(
        "carbamazepine",
        "mcg/mL",
        r"(?:carbamazepine|tegretol|cbz)(?: level| concentration)",
        "3432-2",
        "0.5",
        "50",
    ),
    _a(
        "vancomycin",
        "mcg/mL",
        r"(?:vancomycin|vanco?)(?: trough)(?: level)?|(?:vancomycin|vanco?) level",
        "4092-3",
        "1",
        "120",
    ),
    _a(
        "tacrolimus",
        "ng/mL",
        r"(?:tacrolimus|fk(?:506)?|prograf)(?: trough| level)(?: level)?|trough tacrolimus",
        "11253-2",
        "0.5",
        "100",
    ),
    _a("respiratory_rate", "/min", r"resp(?:iratory)? rate|respirations|(?-i:RR)", "9279-1", "2", "80"),
    _a(
        "oxygen_saturation",
        "%",
        r"spo2|o2 sat(?:uration)?s?|oxygen saturation|sats?",
        "59408-5 2708-6",
        "40",
        "100",
    ),
    _a("bicarbonate", "mmol/L", r"(?:serum )?bicarbonate|hco3", "1963-8 2028-9", "2", "60"),
    _a("lipase", "U/L", r"(?:serum )?lipase", "3040-3", "1", "50000"),
    _a("amylase", "U/L", r"(?:serum )?amylase", "1798-8", "1", "50000"),
    _a(
        "triglycerides",
        "mg/dL",
        r"(?:fasting )?(?:triglycerides?|trigs?|tgs?)",
        "2571-8",
        "10",
        "20000",
        mmol_l="88.57",
    ),
    _a(
        "phosphate",
        "mg/dL",
        r"(?:serum )?(?:phosphate|phosphorus|po4)",
        "2777-1",
        "0.2",
        "20",
        mmol_l="3.097",
    ),
    _a("ferritin", "ng/mL", r"(?:serum )?ferritin", "2276-4", "1", "100000"),
    _a("cd4", "cells/uL", r"cd4\+?(?: cell)?(?: count)?", "24467-3", "0", "3000"),
    _a("methemoglobin", "%", r"meth?a?emoglobin|met-?hb", "2614-6", "0.1", "80"),
    _a("aptt", "s", r"aptt|ptt", "3173-2 14979-9", "10", "400"),
    _a(
        "gentamicin",
        "mcg/mL",
        r"(?:gentamicin|gent|tobramycin|tobra) (?:trough|pre-?dose)(?: level)?|trough (?:gentamicin|tobramycin)",
        "3665-7",
        "0.1",
        "60",
    ),
)

_BY_LOINC: Final = {code: analyte for analyte in ANALYTES for code in analyte.loinc}
_BY_NAME: Final = tuple((re.compile(rf"(?:{a.names})(?: level| result)?", re.I), a) for a in ANALYTES)
_TIMES: Final = (
    r"(?:, ?\d{1,3}){1,7}(?:,? (?:and|then) \d{1,3})? ?(?:min(?:ute)?s?|h(?:ou)?rs?|h)\b"
    r"|\s?(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]{0,6}\b"
)
"""When it is measured: "glucose at 15, 30, 60 min", "INR | 2 June"."""
_NO_AMOUNT: Final = rf"(?![\d.]*\d|,\d{{3}}|\s*(?:{NO_RESULT})\b(?!/)|{_TIMES})"
_ANALYTE: Final = rf"(?<![\w-])(?:{'|'.join(f'(?P<{a.id}>{a.names})' for a in ANALYTES)})"
_VALUE: Final = (
    r"(?P<value>\d{1,3}(?:,\d{3})+|\d{1,7}(?:\.\d{1,3})?)"
    + _NO_AMOUNT
    + rf"\s*(?P<unit>(?:{RESULT_UNITS})(?!\w))?"
)
_FROM_TO: Final = (
    r"(?:(?:has|had|have) )?(?:since )?(?:fell|fallen|dropped|drifted|slipped|gone|went|come|came|rose|risen|climbed"
    r"|jumped|crept|recovered|improved|declined|increased|decreased)(?: (?:back|up|down))? from \d{1,4}(?:\.\d{1,2})?"
    r" (?:back )?(?:up |down )?to"
)
_IN_TEXT: Final = Sieved(
    _ANALYTE
    + r"(?: level| result)?(?:\s?\([^()\d\n]{1,30}\))?(?:\s+(?:today|currently|now|this morning|this am"
    r"|on admission|yesterday|(?P<earlier>last (?:week|month|night|year)|previously)))?"
    + r"(?:\s*(?:is|was|of|at|:|=|->|\||\(|came back(?: at)?|has (?:risen|fallen|dropped) to"
    + r"|(?:up|down) to|remains|<(?=\s?0[.\d])|on (?:the )?\d{1,2}(?:st|nd|rd|th)? (?:of )?(?:jan|feb|mar|apr|may|jun"
    + r"|jul|aug|sep|oct|nov|dec)[a-z]{0,6}(?: (?:was|is)|:)?|"
    + _FROM_TO
    + r")\s*|\s+)"
    + r"(?:(?:now|still|currently|only|about|around|approximately)\s+)?"
    + _VALUE,
    re.I,
)
_REPORTED: Final = Sieved(
    _ANALYTE
    + r"(?: level| result| reading| count| value| test| sample){0,2}"
    + r"(?P<gap>,? (?:from|on|in|taken|drawn|done|sent|of|after|this|yesterday|today|last|which)\b[^.;:\n()\d]{0,48}?"
    + r"(?:\b\d{1,2} (?:hours?|h)\b[^.;:\n()\d]{0,24}?)?)?,?"
    + r" (?:(?:has|have|had|is|was|are|were)(?: now| just| since)?"
    + r"(?: (?:come|came|gone|risen|fallen|dropped|climbed|jumped|crept|returned|reported|measured|back|up|down"
    r"|out|in"
    + r"|at|as|to|only|a|high)){0,4}"
    + r"|(?:came|went|rose|fell|dropped|climbed|jumped|returned|reads?|resulted|showed|shows)"
    + r"(?: (?:back|out|up|down|at|as|to)){0,3}) (?:about |around )?"
    + _VALUE,
    re.I,
)
"""A result that a sentence tells: "your INR from Tuesday's finger-stick has come back at 7.4"."""
_NOT_A_RESULT: Final = re.compile(
    r"\b(?:if|unless|until|when|target|goal|keep|maintain|above|below|over|under|range|exceeds?)\W+(?:\w+\W+){0,4}$",
    re.I,
)
_AFTER: Final = re.compile(r"^\s*(?:-|to|\u2013)\s*\d")


def readings_from_record(labs: Iterable[Lab] | None) -> tuple[Reading, ...]:
    """The newest reading of each analyte of a record; other labs are left out."""
    newest: dict[str, tuple[str, Reading]] = {}
    for lab in labs or ():
        analyte = _analyte(lab.code)
        if analyte is None:
            continue
        value = _converted(analyte, lab.value, (lab.unit or "").lower())
        if value is None:
            continue
        when = lab.time.isoformat() if lab.time is not None else ""
        held = newest.get(analyte.id)
        if held is None or when >= held[0]:
            newest[analyte.id] = (when, Reading(analyte.id, value))
    return tuple(reading for _, reading in newest.values())


def readings_from_text(text: str) -> tuple[Reading, ...]:
    """Values that the text states as results ("potassium 6.1", "INR of 5"); targets and conditions are
    left out.

    Offsets are code points. Ranges are left out, since they are reference or target ranges.
    """
    found: list[Reading] = []
    seen: set[int] = set()
    older: list[Reading] = []
    for match in (*_IN_TEXT.finditer(text), *_REPORTED.finditer(text)):
        if match.start("value") in seen:
            continue
        seen.add(match.start("value"))
        if _is_bound(text, match.start()) or _AFTER.match(text[match.end("value") : match.end("value") + 8]):
            continue
        analyte = next(a for a in ANALYTES if match.group(a.id))
        newer = newest(text, match.end("value"))
        unit = (match["unit"] or "").lower()
        if unit == "%" and analyte.unit != "%":
            continue  # "in 250 mL glucose 10 %" is a solution, "neutrophils 60 %" a share
        value = _converted(analyte, newer[0], unit) if newer is not None else None
        if value is None:
            value = _converted(analyte, Decimal(match["value"].replace(",", "")), unit)
        if value is not None:
            reading = Reading(analyte.id, value, match.start(), match.end(), stated=True)
            earlier = match.groupdict().get("earlier") is not None
            past = newer is None and (earlier or set_back(text, match.start(), match.end("value")))
            (older if past else found).append(reading)
    # a value of the past counts where the text tells no other
    told = {reading.analyte for reading in found}
    found.extend(reading for reading in older if reading.analyte not in told)
    found.sort(key=lambda reading: reading.start)
    found.extend(_times_normal(text))
    return tuple(found)


def _is_bound(text: str, at: int) -> bool:
    """Whether the words before a value make it a target or a condition."""
    before = re.split(r"[.;\n]", text[max(0, at - 60) : at])[-1]
    return _NOT_A_RESULT.search(before) is not None


def analyte_named(name: str) -> str | None:
    """The id of the analyte that a plain name or LOINC code stands for; None where it stands for none."""
    found = _analyte(name)
    return found.id if found is not None else None


def convert(analyte: str, value: Decimal, unit: str) -> Decimal | None:
    """`value` in the conventional unit of `analyte`; `unit` in lower case, empty where none is written. None for what
    cannot be a value of it."""
    return _converted(next(a for a in ANALYTES if a.id == analyte), value, unit)


def _analyte(code: str) -> _Analyte | None:
    if code in _BY_LOINC:
        return _BY_LOINC[code]
    name = code.strip().replace("_", " ")
    return next((analyte for pattern, analyte in _BY_NAME if pattern.fullmatch(name)), None) or next(
        (a for a in ANALYTES if a.id == code.strip().lower()), None
    )


def _converted(analyte: _Analyte, value: Decimal, unit: str) -> Decimal | None:
    unit = unit.replace("\u00b5", "u").replace("\u03bc", "u")
    value *= dict(analyte.si).get(unit, Decimal(1))
    low = _UNITLESS.get(analyte.id, analyte.low) if not unit else analyte.low
    if not unit and value % 1 and analyte.id in _TENTHS_ARE_SI:
        low = max(low, _TENTHS_ARE_SI[analyte.id])
    if not low <= value <= analyte.high:
        # "creatinine 210", "Hb 62": no unit, and only the SI one gives a possible value
        possible = [value * factor for _, factor in analyte.si] if not unit else []
        fitting = [other for other in possible if analyte.low <= other <= analyte.high]
        if len(fitting) != 1:
            return None
        value = fitting[0]
    if unit == "/ul" or (not unit and value >= _PER_MICROLITRE.get(analyte.id, analyte.high + 1)):
        return value / 1000
    return value


_UNITLESS: Final = {
    "magnesium": Decimal(1),
    "calcium": Decimal("4.2"),
    "phosphate": Decimal("1.7"),
    "triglycerides": Decimal(35),
    "glucose": Decimal(20),
}
"""Below this a value without a unit is in mmol/L: in mg/dL it would be far below what is ever seen."""
_TENTHS_ARE_SI: Final = {"glucose": Decimal(60)}
"""Below this a value with a decimal and without a unit is in mmol/L: mg/dL are counted in whole ones."""
_PER_MICROLITRE: Final = {"platelets": Decimal(2000), "neutrophils": Decimal(50), "wbc": Decimal(500)}
"""From this number on, a count without a unit can only be one per microlitre."""


def _times_normal(text: str) -> Iterator[Reading]:
    """ "ALT 10x ULN": the multiple of the upper limit, read as an ALT with a limit of 40 U/L."""
    for match in _TIMES_ULN.finditer(text):
        if not _is_bound(text, match.start()):
            said = match["times"].lower()
            times = Decimal(_COUNTED.get(said, said))
            yield Reading("alt", times * 40, match.start(), match.end(), stated=True)


_COUNTED: Final = {"twice": 2, "double": 2} | number_words(
    "two three four five six seven eight nine ten twelve fifteen twenty"
)
_TIMES_ULN: Final = Sieved(
    r"\b(?:alt|ast|alt(?:/| and | & )ast|ast(?:/| and | & )alt|lfts?|transaminases"
    r"|liver (?:enzymes|(?:function |blood )?tests?))"
    r"(?:\s+(?:are|is|at|now|about|of|both|were|was|still|around|over|more|than|almost|nearly|up|to|came|back)){0,4}"
    r"\s*[>:=~]?\s*"
    rf"(?P<times>\d{{1,3}}(?:\.\d)?|{'|'.join(_COUNTED)})"
    r"(?:[ -]?(?:x|\u00d7|times|fold))?\s?(?:above )?(?:the )?(?:uln|upper limit|normal)",
    re.I,
)
