"""A "no" behind the name of a drug: an answer to whether it may be taken, or to something else.

"Codeine: no" refuses the drug; "interaction with codeine: no" does not, nor does "no" below a column "Changed?".
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.clinical.statement import Span, Statement

A_NO: Final = re.compile(
    r"(?:(?:also|still|definitely|absolutely|an absolute|please|sorry,?|a|clear|firm) ){0,2}"
    r"(?:no|nope|nein|never|don['\u2019]t|do not|not (?:ok|okay|allowed|safe|advised|recommended|yet|now"
    r"|today|either|for"
    r" (?:you|now))|skip(?: (?:it|this))?|leave (?:it|that|off|out|it out|it alone|alone)|pass|forget it|bin it"
    r"|\u2717|\u274c)(?=[ *_]{0,3}(?:[:,;|(.\u2013\u2014-]|$|\n|\Z)|[ ]{2}|\t)",
    re.I | re.M,
)
_ASKS_LEAVE: Final = re.compile(
    r"\b(?:ok(?:ay)?|take|use[ds]?|give|given|safe|allowed|may|can|keep|continue[ds]?|recommend\w*"
    r"|decision|answer|verdict"
    r"|suitable|advice|options?|still|choice)\b",
    re.I,
)
_ASKS_HARM: Final = re.compile(
    r"\b(?:stop\w*|chang\w*|new|interact\w*|problem|risk|allerg\w*|avoid|refill\w*|with-?h\w+|hold|concern\w*|contra\w+"
    r"|side effects?|miss\w*|react\w*)\b",
    re.I,
)
_VERDICT: Final = re.compile(
    r"[ *_]{0,20}(?:(?:our|final|the) )?(?:verdict|decision|answer|allowed|suitable|chosen|recommended"
    r"|can (?:he|she|you|i) have (?:it|this))(?: (?:today|now|here|for (?:him|her|you)))?[ *_?:]{0,20}",
    re.I,
)
"""A whole head: "monitoring recommended" and "advice on food" ask for something else than the drug."""
_BARE_NO: Final = re.compile(
    r"[ *_]{0,20}(?:no|nope|never|not (?:allowed|suitable|recommended|chosen|given))[ *_.]{0,20}"
    r"(?:[:(](?! ?(?:problem|worr|issue|concern|limit|restrict|change|objection))[^|]*)?",
    re.I,
)
"""A whole cell, or its reason behind a colon: "don't, miss a dose" is no verdict."""
_MOST_ROWS: Final = 200
"""How far up the head of a table is looked for; a "no" further down refuses nothing."""


def answered(text: str, statement: Statement, at: int, broken: str) -> bool:
    """Whether the line asks whether the drug may be taken, and the answer is no: "codeine: no", "tramadol - skip"."""
    span = statement.mention.span
    low = max(text.rfind(mark, max(0, span.start - 120), span.start) for mark in "\n.;") + 1
    if statement.dose is not None or _ASKS_HARM.search(text, low, at) or "?" in text[low:at]:
        return False
    if ":" not in broken and broken.strip(" *_)") == "":
        return False
    line = text.rfind("\n", 0, span.start) + 1
    head = text[max(0, line - 120) : line].rstrip("\n")
    return _ASKS_HARM.search(head[head.rfind("\n") + 1 :]) is None


def asks_leave(text: str, span: Span, at: int, ruled: bool) -> bool:
    """Whether "no" in a cell refuses the drug: its column asks whether it may be taken, or the rows around say yes."""
    if ruled:
        row = text.rfind("\n", 0, span.start) + 1
        column = text.count("|", row, at)
        head = _table_start(text, row)
        if head is None or head == row:
            return False
        header = text[head : text.find("\n", head)]
        offset = int(text[row : row + 1] == "|") - int(header[:1] == "|")
        cells = header.split("|")
        index = column - offset
        cell = cells[index] if 0 <= index < len(cells) else ""
        return _ASKS_LEAVE.search(cell) is not None and _ASKS_HARM.search(cell) is None
    return re.search(r"(?:  |\t)yes\b", text[max(0, span.start - 400) : at + 400], re.I) is not None


def verdict_is_no(text: str, span: Span) -> bool:
    """Whether another cell of the row says no, below a head that asks for a verdict: "| X 400 mg | high | no |"."""
    row = text.rfind("\n", 0, span.start) + 1
    if not text.startswith("|", row):
        return False
    head = _table_start(text, row)
    if head is None or head == row:
        return False
    header = text[head : text.find("\n", head)].split("|")
    end = text.find("\n", row)
    cells = text[row : end if end >= 0 else len(text)].split("|")
    own = text.count("|", row, span.start)
    return own == 1 and any(
        _VERDICT.fullmatch(header[index]) is not None and _BARE_NO.fullmatch(cell) is not None
        for index, cell in enumerate(cells[: len(header)])
        if index != own
    )


def _table_start(text: str, row: int) -> int | None:
    """Where the table begins whose row begins at `row`; None where that is too far up."""
    for _ in range(_MOST_ROWS):
        above = text.rfind("\n", 0, row - 1) + 1 if row > 0 else 0
        if row == 0 or "|" not in text[above : row - 1]:
            return row
        row = above
    return None
