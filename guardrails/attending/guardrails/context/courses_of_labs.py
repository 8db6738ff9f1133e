"""Values of one laboratory test in the order a text tells them: down a column, or behind one name.

"Day | Plt" with a row a day, "platelets 310 -> 150 -> 80", "Hb was 12.1 on admission, 8.4 today". A single value tells
no course; ranges, targets and days are no values.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from attending.guardrails.context.labs import analyte_named, convert
from attending.guardrails.sieve import Sieved

FOLLOWED: Final = ("platelets", "creatinine", "hemoglobin", "sodium")
_NAME: Final = Sieved(
    r"(?<![\w-])(?:(?P<platelets>platelets?(?: count)?|plts?)"
    r"|(?P<creatinine>creatinine(?! clearance)|creat|scr|cr(?=[ :]))"
    r"|(?P<hemoglobin>ha?emoglobin|hgb|hb)|(?P<sodium>sodium|na\+?(?=[ :])))"
    r"(?![\w-])(?! (?:chloride|bicarb|valproate))",
    re.I,
)
_NUMBER: Final = re.compile(
    r"(?<![\w.,/])\d{1,3}(?:,\d{3})+|(?<![\w.,/])\d{1,4}(?:\.\d{1,2})?(?![\w,/]|\.\d)"
)
_NO_VALUE_BEFORE: Final = re.compile(
    r"(?:\b(?:day|days|d|pod|week|hour|in|of|age|aged|grade|stage|below|under|above|over|than|until|target|goal|normal"
    r"|if|by|room|bed|x)|[#<>~\u2265\u2264(-])[ .]?\Z",
    re.I,
)
_NO_VALUE_AFTER: Final = re.compile(
    r" ?(?:days?|weeks?|months?|hours?|hrs?|h\b|mg|mcg|g\b|ml\b|units?|%|years?|yo\b|times|am\b|pm\b|th\b|st\b|nd\b"
    r"|tablets?|doses?|-\s?\d)",
    re.I,
)
_GOES: Final = re.compile(
    r"->|\u2192|>|\b(?:to|then|now|today|from|fell|fallen|dropp\w+|down|up|rose|risen|rising|falling|baseline|admission"
    r"|was|yesterday|day|since|this morning|later|after"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.I,
)
_ARROW: Final = re.compile(r"(?:->|\d ?>) ?\Z")
_ANOTHER: Final = re.compile(
    r"\b(?:CrCl|e?GFR|PTH|K\+?|Na\+?|Ca|Mg|BUN|INR|WBC|ANC|ALT|AST|TSH|CRP|CK|BP|HR|SpO2|QTc|clearance|urea|glucose|potassium"
    r"|calcium|bilirubin|albumin)\b(?= ?[:=]? ?\d)"
)
"""The name of another value, at which the values of the one before end."""
_WINDOW: Final = 110
_ROWS: Final = 60
_UNIT: Final = re.compile(r"(?i)(10\^9/l|k/ul|/ul|mmol/l|mg/dl|g/dl|g/l|umol/l|\u00b5mol/l|\u03bcmol/l)")
_STOP: Final = re.compile(r"\.(?!\d)|[;\n]")


def courses(text: str) -> dict[str, list[tuple[Decimal, int, int]]]:
    """Analyte -> its values in conventional units, first to last, each with its place; two at least."""
    found = _in_columns(text)
    for match in _NAME.finditer(text):
        analyte = next(name for name in FOLLOWED if match.group(name))
        if analyte in found:
            continue
        values = _behind(text, match.end(), analyte)
        if len(values) > 1:
            found[analyte] = values
    return found


def _behind(text: str, start: int, analyte: str) -> list[tuple[Decimal, int, int]]:
    end = min(len(text), start + _WINDOW)
    stop = _STOP.search(text, start, end)
    end = stop.start() if stop is not None else end
    other = _NAME.search(text, start)
    if other is not None and other.start() < end:
        end = other.start()
    if (another := _ANOTHER.search(text, start, end)) is not None:
        end = another.start()
    values: list[tuple[Decimal, int, int]] = []
    for number in _NUMBER.finditer(text, start, end):
        bounded = _NO_VALUE_BEFORE.search(text, max(start, number.start() - 10), number.start())
        # an arrow ends in a sign that bounds a value as well
        if bounded and _ARROW.search(text, max(start, number.start() - 8), number.start()) is None:
            continue
        if _NO_VALUE_AFTER.match(text, number.end()):
            continue
        value = _value(analyte, number.group(), text[number.end() : number.end() + 10])
        if value is not None:
            values.append((value, number.start(), number.end()))
    if len(values) > 1 and _GOES.search(text, start, min(end, values[-1][2] + 12)) is None:
        return []
    return values


def _value(analyte: str, number: str, after: str) -> Decimal | None:
    unit = _UNIT.match(after.lstrip(" "))
    return convert(
        analyte, Decimal(number.replace(",", "")), unit.group(1).lower() if unit is not None else ""
    )


def _in_columns(text: str) -> dict[str, list[tuple[Decimal, int, int]]]:
    found: dict[str, list[tuple[Decimal, int, int]]] = {}
    heads: dict[int, tuple[str, str]] = {}
    mark, rows, position = "", 0, 0
    for line in text.split("\n"):
        start, position = position, position + len(line) + 1
        kind = "|" if line.count("|") else "\t" if "\t" in line else ""
        if not kind:
            heads = {}
            continue
        cells = line.split(kind)
        if not heads or kind != mark:
            heads, mark, rows = _heads(cells), kind, 0
            continue
        rows += 1
        if rows > _ROWS:
            continue
        at = start
        for column, cell in enumerate(cells):
            if column in heads:
                analyte, unit = heads[column]
                number = _NUMBER.search(cell)
                if number is not None and not _NO_VALUE_AFTER.match(cell, number.end()):
                    value = convert(analyte, Decimal(number.group().replace(",", "")), unit)
                    if value is not None:
                        found.setdefault(analyte, []).append((value, at + number.start(), at + number.end()))
            at += len(cell) + len(kind)
    return {analyte: values for analyte, values in found.items() if len(values) > 1}


def _heads(cells: list[str]) -> dict[int, tuple[str, str]]:
    heads: dict[int, tuple[str, str]] = {}
    for column, cell in enumerate(cells):
        unit = _UNIT.search(cell)
        name = re.sub(r"[\[(].*|,.*", "", cell).strip(" *_x")
        analyte = analyte_named(name)
        if analyte in FOLLOWED:
            heads[column] = (analyte, unit.group(1).lower() if unit is not None else "")
    return heads


__all__ = ["FOLLOWED", "courses"]
