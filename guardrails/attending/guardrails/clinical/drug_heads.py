"""Tables whose columns are headed by drugs: the line of heads, the rows below it, and which cells give a drug."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from attending.guardrails.clinical.cells import RULE, Cell, cells_of, line_end
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.mentions import ANALYTES
from attending.guardrails.clinical.normalise import Normalised

_UNIT: Final = (
    r"(?:mg|mcg|μg|micrograms?|g|units?|iu|ml|meq|mmol|tab(?:let)?s?|caps?(?:ules?)?|puffs?|drops?)"
)
_HEAD_WORDS: Final = re.compile(
    rf"(?P<strength>\d[\d.,/]*(?: ?{_UNIT}(?: ?/ ?\d*[\d.]* ?(?:ml|kg|h|hr|day))?)?(?: ?x ?\d)?)"
    rf"|(?P<unit>[\[(]? ?{_UNIT}(?: ?/ ?(?:day|dose|d))?[\])]?)(?![\w/])"
    r"|(?:dose|dosage|dosing|daily|oral(?:ly)?|po|iv|im|sc|s/c|subcut|intravenous|mr|xl|xr|er|sr|cr|ir|la|pr|ec"
    r"|infusion|injection|inhaler|patch|syrup|suspension|solution|liquid|tablets?|capsules?|brand|generic|the|her|his"
    r"|your|new|current|and|morning|evening|night|bedtime|noon|am|pm|sodium|hydrochloride|hcl|per|each|x|in|of)(?!\w)"
    r"|[ ,;:/()\[\]+&*.%-]+"
)
"""What may stand in a head beside the name: a strength, a unit, a form, a route."""
_ASIDE: Final = re.compile(
    r"(?:notes?|comments?|remarks?|total|signed|initials|given by|day|date|week|time|when|bp|inr|hr|pulse|temp"
    r"|what to do|advice|monitoring|checks?|instructions?|reason)(?: .{0,20})?"
)
"""A column that is no drug's; its cells are read as text."""
NOTHING: Final = re.compile(
    r"[-_. /]*|0(?:\.0)?(?: ?(?:mg|mcg|g|units?|ml|mmol|tablets?))?|nil|none|no(?:t given| dose|ne given)?|n/?a|x"
    r"|\u2717|\u2718|not (?:given|due|needed|applicable|started|yet)|\(none\)|\u2014"
)
ENDED: Final = re.compile(
    r"(?:stop(?:ped)?|d/?c(?:'?d)?|discontinued?|ceased?|held|hold|withheld|suspend(?:ed)?|omit(?:ted)?|off|ended"
    r"|paused?|finish(?:ed)?|completed?|done)\b(?! (?:if|when|after|on|at|in))"
)
TICK: Final = re.compile(
    r"(?:yes|y|\u2713|\u2714|\u2611|given|due|taken|take|continue[ds]?|same|1 dose|one dose|\u2705)"
)
NUMBER: Final = re.compile(r"\d[\d,]*(?:\.\d+)?(?: ?(?:-|to) ?\d[\d,]*(?:\.\d+)?)?|1/2")
AMOUNT: Final = re.compile(
    r"(?<![\d,.])(?P<n>\d[\d,]{0,11}(?:\.\d{1,6})?) ?(?:mg|mcg|μg|micrograms?|g|units?|iu|ml|meq|mmol|puffs?|tab|cap)"
)
_MOST_COLUMNS: Final = 12
_MOST_ROWS: Final = 40
_MOST_HEAD: Final = 48


@dataclass(frozen=True, slots=True)
class Head:
    index: int
    cell: Cell
    drugs: tuple[str, ...]
    """Ingredients of its name, empty for a class."""
    unit: str
    strength: bool


@dataclass(frozen=True, slots=True)
class Table:
    first: Cell
    heads: tuple[Head, ...]
    asides: tuple[int, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def label(self, text: str, row: tuple[Cell, ...]) -> str:
        a, b = row[0]
        return text[a:b].strip(" :.")


def heads_of(
    text: str, kind: str, cells: Sequence[Cell], lexicon: Lexicon
) -> tuple[tuple[Head, ...], tuple[int, ...]] | None:
    """The drugs that head columns, and the columns of other things; None where the line is no such head."""
    if kind not in ("|", " ") or not 2 <= len(cells) <= _MOST_COLUMNS:
        return None
    if any(b - a > _MOST_HEAD for a, b in cells):
        return None
    heads: list[Head] = []
    asides: list[int] = []
    firm = False
    for index, (a, b) in enumerate(cells[1:], 1):
        cell = text[a:b]
        if _ASIDE.fullmatch(cell) or not cell:
            asides.append(index)
            continue
        head = _head(index, (a, b), cell, lexicon)
        if head is None:
            return None
        heads.append(head)
        firm = firm or cell.split(" ")[0].strip("(*") not in ANALYTES
    a, b = cells[0]
    if not heads or not firm or _head(0, (a, b), text[a:b], lexicon) is not None:
        return None
    return tuple(heads), tuple(asides)


def _head(index: int, cell: Cell, words: str, lexicon: Lexicon) -> Head | None:
    """A cell that is the name of a drug, with no more than its strength, form or route."""
    option = re.match(r"(?:option|choice|plan|arm|group|regimen) ?[a-e1-5]?(?:: ?| - | ?\(|$)", words)
    at = option.end() if option is not None else 0
    hits = lexicon.find(words)
    if not hits and words.split(" ", maxsplit=1)[0] in ANALYTES:
        return Head(index, cell, (), "", strength=False)
    if not hits:
        return None
    unit, strength = "", False
    for hit in [*hits, None]:
        upto = hit.start if hit is not None else len(words)
        while at < upto:
            match = _HEAD_WORDS.match(words, at)
            if match is None or match.end() == at:
                return None
            if match["unit"] and not strength:
                unit = match["unit"].strip(" ()[]").split("/")[0].strip()
            strength = strength or match["strength"] is not None
            at = match.end()
        if hit is not None:
            at = max(at, hit.end)
    drugs = tuple(drug for hit in hits for drug in hit.drugs)
    return Head(index, cell, drugs, unit, strength)


def table_below(
    norm: Normalised,
    kind: str,
    cells: Sequence[Cell],
    heads: tuple[tuple[Head, ...], tuple[int, ...]],
    end: int,
    lexicon: Lexicon,
) -> tuple[Table | None, int]:
    """The rows below the heads, and where the last of them ends; None where they are no rows of doses."""
    text = norm.text
    rows: list[tuple[Cell, ...]] = []
    after = end
    while after < len(text) and len(rows) < _MOST_ROWS:
        begin = after + 1
        stop = line_end(text, begin)
        if begin < stop and RULE.fullmatch(text, begin, stop):
            after = stop
            continue
        other, row = cells_of(norm, begin, stop)
        short = kind == "|" and 1 < len(row) < len(cells)
        if other != kind or not (len(row) == len(cells) or short):
            break
        if lexicon.find(text[row[0][0] : row[0][1]]):
            return None, end  # a matrix of drugs against drugs, or another table
        rows.append(tuple(row) + ((stop, stop),) * (len(cells) - len(row)))
        after = stop
    if not any(doses_it(text, head, row) for row in rows for head in heads[0]):
        return None, end
    return Table(cells[0], heads[0], heads[1], tuple(rows)), after


def gives(text: str, head: Head, row: tuple[Cell, ...]) -> bool:
    """Whether the cell gives the drug of its column: a dose, a tick, a number where the head has a unit."""
    a, b = row[head.index]
    cell = text[a:b]
    if NOTHING.fullmatch(cell) or (ENDED.match(cell) and not AMOUNT.search(cell)):
        return False
    if NUMBER.fullmatch(cell):
        return bool(head.unit) or head.strength
    return True


def doses_it(text: str, head: Head, row: tuple[Cell, ...]) -> bool:
    """Whether the cell is a dose or a tick, and no hour, level or remark."""
    a, b = row[head.index]
    return gives(text, head, row) and bool(
        AMOUNT.search(text, a, b) or TICK.fullmatch(text, a, b) or NUMBER.fullmatch(text, a, b)
    )
