"""The text as the patient's story is read from it: one passage a sentence, with its heading, tables spelled out.

A row "| age | 38 |" becomes "age: 38", a row under "| Allergy | Reaction |" an item of an allergy list. Abbreviations
that are words when written small (TEN, DRESS, HIT) are spelled out where the source has capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from attending.guardrails.clinical.clauses import Sentence, sentences
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.sieve import Sieved

_CAPITALS = {
    "ten": "toxic epidermal necrolysis",
    "dress": "dress syndrome",
    "hit": "heparin-induced thrombocytopenia",
}
_CAPITAL = Sieved(r"(?<![\w-])(?:ten|dress|hit)(?![\w-])")
_RULE = re.compile(r"[-: =+]*")
_REACTS = re.compile(r"allerg|intoleran|\badrs?\b|adverse|sensitivit|^reactions?$")
_KEYED = re.compile(
    r"(?:item|field|parameter|finding|category|measure|name|data|history|detail|element|variable|question|topic"
    r"|attribute|section|problem list|patient)?s?"
)
_SITUATION = re.compile(
    r"(?:stage|situation|scenario|circumstance|setting|population|(?:patient )?group|if|when|in case of|who"
    r"|type of patient|patient type|clinical (?:situation|scenario|setting)|what happens|if this happens)s?"
)
_COLUMN = re.compile(
    r"(?:item|field|value|parameter|finding|result|drug|medication|medicine|dose|frequency|route|status|allerg\w*"
    r"|reaction|severity|sig|order|amount|unit|interval|problem|plan|age|sex|weight|lab|test|category|detail)s?"
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One sentence or table row, normalised.

    `section` is the heading it stands under, `label` its own words before a colon, which end at `body`; empty without
    one. `carried` where the label opened an earlier sentence of the same line.
    """

    text: str
    section: str = ""
    label: str = ""
    body: int = 0
    question: bool = False
    carried: bool = False


def passages(norm: Normalised) -> list[Passage]:
    """The passages of a text in order. Linear in its length, never raises."""
    lines = norm.text.split("\n")
    tables = _tables(lines)
    found: list[Passage] = []
    section, bullets, listed, titled = "", False, False, False
    head = ""
    told: set[int] = set()
    capitals = _CAPITAL.search(norm.text) is not None
    for sentence in sentences(norm):
        table = tables.get(sentence.line)
        if table is not None:
            if sentence.line not in told:
                told.add(sentence.line)
                found.extend(table)
            continue
        text, body = _spelled(norm, sentence, capitals)
        if sentence.heading:
            section, head = text.rstrip(" :"), ""
            titled = not text.rstrip(" ").endswith(":")
            bullets = listed = False
            found.append(Passage(text))
            continue
        if sentence.first:
            if not sentence.bullet and ((sentence.blank_before and listed and not titled) or bullets):
                section = ""
            bullets, listed = sentence.bullet, True
            head = ""
        own = text[:body].rstrip(" :") if body else ""
        found.append(
            Passage(text, section, own or head, body, sentence.question, carried=bool(head and not own))
        )
        if own:
            head = own
    return found


def _spelled(norm: Normalised, sentence: Sentence, capitals: bool) -> tuple[str, int]:
    """The sentence with its capitals spelled out, and where the words of its own heading end in it."""
    text = norm.text[sentence.start : sentence.end]
    body = max(0, sentence.head_end - sentence.start)
    out: list[str] = []
    position, shift = 0, 0
    for match in _CAPITAL.finditer(text) if capitals else ():
        at = sentence.start + match.start()
        if not norm.source(at, at + len(match.group())).isupper():
            continue
        longer = _CAPITALS[match.group()]
        out.extend((text[position : match.start()], longer))
        position = match.end()
        if match.end() <= body:
            shift += len(longer) - len(match.group())
    if not out:
        return text, body
    out.append(text[position:])
    return "".join(out), body + shift


def _tables(lines: list[str]) -> dict[int, list[Passage]]:
    """Line number -> the passages of that table row; an empty list for header and rule lines."""
    found: dict[int, list[Passage]] = {}
    block: list[tuple[int, list[str]]] = []
    for number, line in enumerate([*lines, ""]):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else []
        if len(cells) > 1:
            block.append((number, cells))
        elif block:
            found.update(_rows(block))
            block = []
    return found


def _rows(block: list[tuple[int, list[str]]]) -> Iterator[tuple[int, list[Passage]]]:
    first = block[0][1]
    ruled = len(block) > 1 and all(_RULE.fullmatch(cell) for cell in block[1][1])
    named = sum(_COLUMN.fullmatch(cell) is not None for cell in first) >= 2 and len(block) > 1
    header = first if ruled or named else []
    for number, cells in block:
        if (header and cells is first) or all(_RULE.fullmatch(cell) for cell in cells):
            yield number, []
        else:
            yield number, list(_row(header, cells))


def _row(header: list[str], cells: list[str]) -> Iterator[Passage]:
    if header and any(_REACTS.search(name) for name in header[:2]):
        told = "; ".join(cell for cell in cells[1:] if cell)
        yield Passage(f"{cells[0]} ({told})" if told else cells[0], "allergies")
    elif header and _SITUATION.fullmatch(header[0]) and cells[0]:
        # what to do for whom: nobody is said to be so
        yield Passage(f"if {cells[0]}")
        for name, cell in zip(header[1:], cells[1:], strict=False):
            if cell:
                yield Passage(f"{name}: {cell}", "", name, len(name) + 1)
    elif len(cells) == 2 and (not header or _KEYED.fullmatch(header[0])):
        yield Passage(f"{cells[0]}: {cells[1]}", "", cells[0], len(cells[0]) + 1)
    elif header:
        for name, cell in zip(header, cells, strict=False):
            if cell:
                yield Passage(f"{name}: {cell}", "", name, len(name) + 1)
    else:
        for cell in cells:
            if cell:
                yield Passage(cell)
