"""Tables whose columns are headed by drugs, turned so that each drug has its own lines.

"| Day | Simvastatin | Clarithromycin |" with doses below says what "| Drug | Dose |" says, with the drug above and not
beside. What heads the rows tells how they are read:

- attributes, times of day and days of the week ("Dose", "Route", "Morning", "Mon"): one line a drug, as
  `clinical.tables` writes a row;
- clock times: a line each, "08:00 | paracetamol 1 g", so that the doses of a day add up;
- anything else (days, weeks, dates, patients, conditions, options): a line each, with what heads the row before it.

Cells that are empty, "-", "0", "held" or "stopped" give nothing; a drug that has only such cells is held or stopped.
`Turned.apart` are pairs of drugs that such a table never has one person take together: columns of a comparison or of
options, rows that are cases of which one holds, and drugs of which one ends where the other begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise, permutations
from typing import Final

from attending.guardrails.clinical.cells import RULE, Cell, Out, cells_of, line_end
from attending.guardrails.clinical.drug_heads import (
    AMOUNT,
    ENDED,
    NOTHING,
    NUMBER,
    TICK,
    Head,
    Table,
    doses_it,
    gives,
    heads_of,
    table_below,
)
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.tables import Column, column_of, settled, write_row

Pair = frozenset[str]

_REFERENCE: Final = re.compile(
    r"\b(?:half[- ]?li(?:fe|ves)|t ?1/2|mechanism|mode of action|cost|price|cyp\w*|metaboli\w+|eliminat\w+|excret\w+"
    r"|clearance|protein binding|bioavailability|antidote|reversal agent|pros|cons|advantages?|disadvantages?|onset"
    r"|(?:max(?:imum)?|usual|typical|standard|licensed|equivalent|equianalgesic) (?:\w+ )?(?:dose|dosing|range)s?"
    r"|dose range|equivalents?|evidence|potency|licen[cs]ed(?: for)?|available as|formulations?|trade names?)\b"
    r"|^(?:thrombo)?prophyla\w+$|^treatment(?: doses?)?$"
)
"""What heads a row of a table that compares drugs."""
_REFERENCE_HEAD: Final = re.compile(
    r"(?:features?|propert(?:y|ies)|characteristics?|parameters?|criteri(?:on|a)|aspect|factor|question|comparison)"
)
_CHOICE: Final = re.compile(
    r"\b(?:compar\w+|versus|vs|options?|choos\w+|choices?|alternatives?|either|equivalen\w+|equianalgesic|conversions?"
    r"|differ\w*|formulary|at a glance|one of (?!each))\b"
)
"""Before a table or in its head: the columns are to choose from."""
_ALL_TAKEN: Final = re.compile(
    r"(?<!not )(?<!never )(?<!n't )\b(?:(?:tak|giv|start|us|continu|prescrib|order|chart)(?:e|es|ed|ing|s)?"
    r" (?:\w+ ){0,2}?(?:both|all|everything|together|each)|one of each|both (?:together|now|today|tonight|daily)"
    r"|(?:all|both|everything) (?:\w+ ){0,3}?(?:to be )?(?:taken|given|started|continued)"
    r"|(?:your|his|her|their) (?:\w+ ){0,2}?(?:medicines|medications|tablets|drugs)"
    r"|(?:medicines|medications|tablets|drugs) (?:\w+ ){0,2}?(?:he|she|you|they) tak\w+)\b"
)
"""Beside a table: one person takes what stands in it, whatever else it is called."""
_ONE_HOLDS: Final = re.compile(
    r"\b(?:if|unless|otherwise|else|options?|choices?|alternatives?|plan [a-e]|patients?|bed|room|situation|scenario"
    r"|case|condition|criteri\w+|severity|mild|moderate|severe|allerg\w+|allergic|pregnan\w+|renal|e?gfr|crcl"
    r"|clearance|(?:first|second|third|1st|2nd|3rd)[- ]line|group|arm|age|weight|adults?|child\w*|infants?|years?"
    r"|\w*type|status)\b|[<>\u2264\u2265]|\d ?kg"
)
"""What heads rows of which one holds. What the drugs are for heads rows that may all be of one person."""
_NUMBERED: Final = re.compile(r"\W*\d{0,3}\W*")
"""A row that is only counted: of a day or week where its head says so."""
_OPEN_ENDED: Final = re.compile(
    r"\b(?:on(?:wards?)?|from|start\w*|begin\w*|since|add\w*|continu\w+|ongoing)\b"
)
"""A time after which a drug goes on."""
_OF_A_DAY: Final = re.compile(
    r"\b(?:breakfast|lunch|dinner|supper|tea|meals?|food|bed(?:time)?(?! ?\d)|sleep\w*|waking|morning|noon|midday"
    r"|afternoon|evening|night|am|pm|hours?)\b"
)
"""Times of each day: what is taken in turn there is taken together."""
_CLOCK: Final = re.compile(
    r"(?:at )?(?:\d{1,2}[:.]\d\d(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?|[012]\d[0-5]\d(?: ?h(?:rs?|ours)?)?)"
)
_HOURS_SINCE: Final = re.compile(r"(?:hours?|h|t) ?\+? ?\d{1,2}|\+?\d{1,2} ?(?:h|hrs?|hours?)")
_IN_TIME: Final = re.compile(
    r"\b(?:days?|weeks?|wks?|months?|hours?|hrs?|today|tomorrow|tonight|yesterday|now|then|on(?:wards?)?|after\w*|before"
    r"|from|until|till|first|next|later|pre-?op\w*|post-?op\w*|admission|discharge|start|end|phase|step|stage|cycle"
    r"|(?:mon|tue|wed|thu|fri|sat|sun)\w*|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*)\b|\d"
)
_ONE_DAY: Final = re.compile(
    r"(?:day |d)(?P<n>\d{1,3})|(?P<date>\d{1,2})(?:st|nd|rd|th)? ?(?:/|-|\.| )(?P<month>\d{1,2}|[a-z]{3,9})"
    r"(?:(?:/|-|\.| )\d{2,4})?"
)
_RHYTHM: Final = re.compile(
    r"\b(?:daily|nightly|weekly|once|twice|times|every|each|per|a day|bd|bid|tds|tid|qds|qid|od|qd|om|on|nocte|mane|prn"
    r"|stat|q ?\d+h?|hourly|morning|evening|night|bedtime|needed|am|pm|then|single)\b|/"
)
_LOOK_BACK: Final = 200
_DAYS_OF_A_WEEK: Final = 4
"""Rows headed by days from which the table is one of a week, so that what stands in one of them is weekly."""
_LEAST_TIMES: Final = 2
_START: Final = re.compile(r"(?:start(?:ed|s|ing)?|begin|began|from|since)(?: (?:date|on|day))?")
_STOP: Final = re.compile(r"(?:stop(?:s|ping)?|end|until|till|last day|finish)(?: (?:date|on|day))?|review")
_FOR: Final = re.compile(r"(?:duration|course(?: length)?|length(?: of course)?|how long|for(?: how long)?)")


@dataclass(frozen=True, slots=True)
class Turned:
    """The text with its tables turned, and the pairs that they keep apart."""

    norm: Normalised
    apart: frozenset[Pair] = frozenset()


def turned(norm: Normalised, lexicon: Lexicon) -> Turned:
    """`norm` with tables headed by drugs as lines of each drug; unchanged where it has none. Linear in its length."""
    text = norm.text
    if "|" not in text and "\t" not in norm.original and "  " not in norm.original:
        return Turned(norm)
    out = Out(norm)
    apart: set[Pair] = set()
    found = False
    position = 0
    while position <= len(text):
        end = line_end(text, position)
        kind, cells = cells_of(norm, position, end)
        heads = heads_of(text, kind, cells, lexicon)
        table, after = (
            table_below(norm, kind, cells, heads, end, lexicon) if heads is not None else (None, end)
        )
        if table is None:
            out.copy(position, end)
            if end < len(text):
                out.copy(end, end + 1)
            position = end + 1
            continue
        found = True
        before = f"{_line_before(text, position)}\n{text[after : after + _LOOK_BACK]}"
        choice = _to_choose_from(text, table, before)
        if not _ALL_TAKEN.search(before):
            apart |= _apart(text, table, choice=choice)
        _write(out, table, choice=choice)
        if after < len(text):
            out.copy(after, after + 1)
        position = after + 1
    return Turned(out.done(), frozenset(apart)) if found else Turned(norm)


def _line_before(text: str, position: int) -> str:
    """The line above that is no rule, without what is further than that."""
    lines = text[max(0, position - _LOOK_BACK) : position].split("\n")
    return next((line for line in reversed(lines) if not RULE.fullmatch(line)), "")


def _to_choose_from(text: str, table: Table, before: str) -> bool:
    """Whether the columns are compared or offered, and not all given."""
    a, b = table.first
    if _ALL_TAKEN.search(before):
        return False
    if _REFERENCE_HEAD.fullmatch(text, a, b) or _CHOICE.search(text, a, b) or _CHOICE.search(before):
        return True
    if any(_CHOICE.search(text, *head.cell) for head in table.heads):
        return True
    return any(_REFERENCE.search(table.label(text, row)) for row in table.rows)


def _role(label: str) -> Column:
    """What a row is, by what heads it."""
    if _CLOCK.fullmatch(label) or _HOURS_SINCE.fullmatch(label):
        return Column("clock")
    for words, pattern in (("from", _START), ("until", _STOP), ("for", _FOR)):
        if pattern.fullmatch(label):
            return Column("term", words=words)
    return column_of(label)


_CASES: Final = frozenset({"other", "dates", "supply"})


def _of_attributes(roles: Sequence[Column]) -> bool:
    """Whether the rows tell different things of one course of each drug."""
    told = [role for role in roles if role.role not in (*_CASES, "clock")]
    return 2 * len(told) >= len(roles) and all(role.role != "clock" for role in roles)


def _apart(text: str, table: Table, *, choice: bool) -> set[Pair]:
    found: set[Pair] = set()
    labels = [table.label(text, row) for row in table.rows]
    roles = [_role(label) for label in labels]
    cases = not _of_attributes(roles) and all(role.role in _CASES for role in roles)
    cases = cases and not any(_OF_A_DAY.search(label) for label in labels)
    in_time = cases and sum(_IN_TIME.search(label) is not None for label in labels) * 2 >= len(labels)
    numbered = all(_NUMBERED.fullmatch(label) for label in labels)
    if not in_time or (numbered and not _IN_TIME.search(text, *table.first)):
        cases = cases and any(_ONE_HOLDS.search(words) for words in (text[slice(*table.first)], *labels))
    for one, other in combinations(table.heads, 2):
        if choice or (
            cases
            and (_in_turn(text, table, one, other) if in_time else not _together(text, table, one, other))
        ):
            found.update(frozenset((x, y)) for x in one.drugs for y in other.drugs if x != y)
    return found


def _together(text: str, table: Table, one: Head, other: Head) -> bool:
    return any(gives(text, one, row) and gives(text, other, row) for row in table.rows)


def _in_turn(text: str, table: Table, one: Head, other: Head) -> bool:
    """Whether the one is over before the other is given, or is tapered across to it: a row ends the one and doses the
    other higher than any row in which both are taken."""
    given = [(gives(text, one, row), gives(text, other, row)) for row in table.rows]
    if not any(a and b for a, b in given):
        first = [n for n, (a, _) in enumerate(given) if a]
        second = [n for n, (_, b) in enumerate(given) if b]
        if not first or not second or not (max(first) < min(second) or max(second) < min(first)):
            return False
        sooner, later = sorted((first, second))
        labels = [table.label(text, row) for row in table.rows]
        return not any(_OPEN_ENDED.search(labels[n]) for n in sooner) and not any(
            re.search(r"\badd", labels[n]) for n in later
        )
    return any(_crossed(text, table, a, b) for a, b in permutations((one, other)))


def _crossed(text: str, table: Table, ends: Head, begins: Head) -> bool:
    alone: list[Decimal] = []
    together: list[Decimal] = []
    for row in table.rows:
        dose = AMOUNT.search(text, *row[begins.index])
        if dose is None:
            continue
        value = Decimal(dose["n"].replace(",", ""))
        if gives(text, ends, row):
            together.append(value)
        elif ENDED.match(text[slice(*row[ends.index])]) or NOTHING.fullmatch(text, *row[ends.index]):
            alone.append(value)
    return bool(alone) and all(one < alone[0] for one in together)


def _write(out: Out, table: Table, *, choice: bool) -> None:
    text = out.norm.text
    roles = [_role(table.label(text, row)) for row in table.rows]
    if choice:
        _cells_of_choice(out, table)
    elif _of_attributes(roles):
        columns = settled([Column("drug"), *roles])
        for head in table.heads:
            _line_of_drug(out, table, head, columns)
    else:
        at_once = [head for head in table.heads if _same_by_the_clock(out, table, head, roles)]
        for row, role, next_day in zip(table.rows, roles, _daily(text, table), strict=True):
            for head in table.heads:
                if head not in at_once and role.role != "limit":
                    _line_of_cell(out, table, head, row, daily=next_day and role.role != "clock")
        for head in table.heads:
            _never_given(out, table, head)
    for row in table.rows:
        for index in table.asides:
            _remark(out, row[index])


def _remark(out: Out, cell: Cell) -> None:
    a, b = cell
    if a < b and not NOTHING.fullmatch(out.norm.text, a, b):
        out.copy(a, b)
        out.put("\n", b - 1)


def _cells_of_choice(out: Out, table: Table) -> None:
    """What a table that compares says of each drug: the doses as its own, the rest as text."""
    text = out.norm.text
    for row in table.rows:
        for head in table.heads:
            if AMOUNT.search(text, *row[head.index]):
                _line_of_cell(out, table, head, row, daily=False)
            else:
                _remark(out, row[head.index])


def _same_by_the_clock(out: Out, table: Table, head: Head, roles: Sequence[Column]) -> bool:
    """Writes one line where a drug has the same dose at each of several times of one day, and no more is said."""
    text = out.norm.text
    given = [row for row in table.rows if gives(text, head, row)]
    if len(given) < _LEAST_TIMES or any(role.role != "clock" for role in roles):
        return False
    times = {table.label(text, row) for row in given}
    doses = {text[slice(*row[head.index])] for row in given}
    a, b = given[0][head.index]
    if len(times) != len(given) or len(doses) != 1 or _RHYTHM.search(text, a, b):
        return False
    if not all(_CLOCK.fullmatch(time) for time in times):
        return False
    _dose(out, head, (a, b))
    out.put(f" {len(given)} times a day\n", b - 1)
    return True


def _line_of_drug(out: Out, table: Table, head: Head, columns: list[Column]) -> None:
    """The line of one drug: its name and the cells below it, each read by what heads its row."""
    text = out.norm.text
    kept: list[tuple[Column, Cell]] = [(columns[0], head.cell)]
    terms: list[tuple[str, Cell]] = []
    dosed = any(doses_it(text, head, row) for row in table.rows)
    days = [
        row
        for column, row in zip(columns[1:], table.rows, strict=True)
        if column.role == "weekday" and gives(text, head, row)
    ]
    weekly = len(days) == 1 and sum(column.role == "weekday" for column in columns) >= _DAYS_OF_A_WEEK
    for column, row in zip(columns[1:], table.rows, strict=True):
        cell = row[head.index]
        if column.role == "term":
            if cell[0] < cell[1] and not NOTHING.fullmatch(text, *cell):
                terms.append((column.words, cell))
        elif not NOTHING.fullmatch(text, *cell) and not (
            dosed and column.role in ("moment", "weekday", "other") and ENDED.match(text[slice(*cell)])
        ):
            unit = column.unit or (
                head.unit if column.role in ("dose", "moment", "weekday", "new", "old") else ""
            )
            words = f"weekly on {column.words}" if weekly and column.role == "weekday" else column.words
            kept.append((Column(column.role, unit, words), cell))
    out.put("| " if head.drugs else "| give ", head.cell[0])
    write_row(out, [column for column, _ in kept], [cell for _, cell in kept], head.cell[0])
    for words, (a, b) in terms:
        out.put(f" {words} " if not text.startswith(words, a) else " ", a)
        out.copy(a, b)
    out.put("\n", head.cell[1] - 1)


def _line_of_cell(out: Out, table: Table, head: Head, row: tuple[Cell, ...], *, daily: bool) -> None:
    """One dose of one drug, with what heads its row before it."""
    text = out.norm.text
    if not gives(text, head, row):
        return
    a, b = row[head.index]
    label = table.label(text, row)
    total = column_of(label).role == "sum"
    if label and not total:
        out.put(f"| {label} | ", a)
    _dose(out, head, (a, b), before=" total " if total else " ")
    cell = text[a:b]
    if (daily or total) and not _RHYTHM.search(cell):
        out.put(" daily", b - 1)
    out.put("\n", b - 1)


def _dose(out: Out, head: Head, cell: Cell, before: str = " ") -> None:
    """The name that heads the column and the dose in the cell, which a tick leaves to the head."""
    a, b = cell
    words = out.norm.text[a:b]
    if not head.drugs:
        out.put("give ", head.cell[0])  # potassium is a drug where it is given, and a result otherwise
    out.copy(*head.cell)
    out.put(before, a)
    if not TICK.fullmatch(words):
        out.copy(a, b)
        if NUMBER.fullmatch(words):
            out.put(f" {head.unit if head.unit and not head.strength else 'tablets'}", b - 1)


def _never_given(out: Out, table: Table, head: Head) -> None:
    """A drug that every row holds or stops."""
    text = out.norm.text
    cells = [row[head.index] for row in table.rows]
    ended = next((cell for cell in cells if ENDED.match(text[slice(*cell)])), None)
    if ended is None or any(gives(text, head, row) for row in table.rows):
        return
    out.put("hold " if text.startswith(("h", "w", "p"), ended[0]) else "stop ", head.cell[0])
    out.copy(*head.cell)
    out.put("\n", head.cell[1] - 1)


def _daily(text: str, table: Table) -> list[bool]:
    """For each row whether it is one of days that follow each other, of which each has its dose."""
    days = [_ONE_DAY.fullmatch(table.label(text, row)) for row in table.rows]
    follows = [one is not None and two is not None and _next_day(one, two) for one, two in pairwise(days)]
    return [(n > 0 and follows[n - 1]) or (n < len(follows) and follows[n]) for n in range(len(table.rows))]


def _next_day(one: re.Match[str], two: re.Match[str]) -> bool:
    if one["n"] and two["n"]:
        return int(two["n"]) == int(one["n"]) + 1
    return bool(
        one["date"]
        and two["date"]
        and one["month"] == two["month"]
        and int(two["date"]) == int(one["date"]) + 1
    )
