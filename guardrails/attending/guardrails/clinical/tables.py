"""Tables spelled out: a row of drug, dose, unit, route and frequency becomes one line that reads like an order.

Headers say what a column is: an old, usual or stopped dose is left out where a new one stands beside it, a number gets
the unit of its column, a count its form, a status ("STOPPED") becomes a verb. Offsets still map to the text as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from attending.guardrails.clinical.cells import RULE, Cell, Out, cells_of
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.unit import UNIT
from attending.guardrails.sieve import Sieved

_MOMENTS = {
    "in the morning": r"morning|a\.?m\.?|breakfast|mane|om",
    "at noon": r"noon|midday|mid-day|lunch(?:time)?",
    "in the evening": r"evening|p\.?m\.?|dinner|supper|tea(?: ?time)?",
    "at bedtime": r"night|bed ?time|nocte|on|hs",
}
_NOUN = r"(?: (?:dose|dosage|regimen|sig|therapy|order|plan|directions?|amount|prescription))?"
_ROLES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (role, re.compile(pattern))
    for role, pattern in (
        (
            "drug",
            r"(?:drug|medication|medicine|med|agent|product|generic|preparation)s?(?: ?/? ?(?:name|order(?:ed)?))?"
            r"(?: (?:taken |used )?(?:on|at|before|prior to) (?:admission|arrival|home|presentation|hospital))?"
            r"|(?:home|regular|usual|current|admission|pre-?admission) (?:drug|medication|medicine|med)s?|name|item|rx"
            r"|(?:statin|antibiotic|antimicrobial|opioid|insulin|inhaler|vaccine|anticoagulant|antidepressant"
            r"|antihypertensive|analgesic|anti-?epileptic|anti-?seizure drug|dmard|biologic|hormone|laxative)s?"
            r"(?: (?:tried|name))?",
        ),
        ("perday", r"(?:times|doses?) ?(?:per|a|/) ?day|x ?/ ?day|doses per 24 ?h(?:ours)?"),
        (
            "count",
            r"(?:qty|quantity|tablets?|tabs|capsules?|units?|number) per dose"
            r"|(?:number|no\.?|#) ?(?:of )?"
            r"(?:tab(?:let)?s|caps\w*|pills)"
            r"|tablets?|tabs|capsules?|pills|how many",
        ),
        (
            "sum",
            r"(?:daily|day|24 ?h(?:ours?)?)[- ]?total|total(?: dose)?(?: (?:daily|(?:per|a) day|in 24 ?h))?",
        ),
        (
            "limit",
            r"(?:max(?:imum)?|daily max(?:imum)?)(?: daily)?(?: dose)?(?: ?(?:per|a|/) ?day| in 24 ?h)?",
        ),
        (
            "old",
            rf"(?:old|previous(?:ly)?|prior|usual|former|home|pre-?admission|existing|before|was|from|in-?patient|"
            rf"(?:on )?admission|stopped|last){_NOUN}"
            r"|(?:dose |taken )?(?:before|prior to|on)(?: (?:admission|surgery|visit|hospital))|pre-?op|taken at home",
        ),
        ("current", rf"(?:current|present){_NOUN}"),
        (
            "new",
            rf"(?:new|given|discharge|now|changed to|to|today|after|updated|revised|prescribed|ordered|final){_NOUN}"
            r"|(?:dose )?(?:now|given|on discharge|at discharge|today|to take now|going forward)"
            r"|(?:from|as of) (?:today|now|tonight|tomorrow|\d{1,2} \w{3,9})",
        ),
        ("strength", r"(?:tablet |tab )?strength(?: and form)?|form(?:ulation)?"),
        (
            "dose",
            r"(?:daily |single |each )?(?:dose|dosage|amount|dosing)|dose (?:for|at|in) [^|]{2,40}"
            r"|sig|directions?|instructions?|how to take"
            r"|regimen|take|how much",
        ),
        ("unit", r"units?|uom|measure"),
        (
            "over",
            r"(?:infus(?:e|ed|ion)|run|give|given|admin(?:ister(?:ed)?)?) ?over|over|infusion (?:time|duration|period)",
        ),
        ("every", r"every|q"),
        ("route", r"route|via|roa|by"),
        ("freq", r"freq(?:uency|\.)?|schedule|how often|interval|when(?: to take)?|timing|times"),
        (
            "status",
            r"(?:status|action|change|plan|decision|outcome)(?: taken)?"
            r"(?: (?:at|on|for|in) (?:discharge|admission|hospital|clinic"
            r"|home))?|(?:discharge|admission|ward|hospital) (?:status|action|change|plan|decision)|stop(?:ped)?\??"
            r"|continued?\??|disposition|(?:in|during|while in) hospital|on the ward|what (?:we did|was done|to do"
            r"|happens|happened)|orders?|advice|recommendation|verdict|what now\??|do|(?:ok to )?use\??|keep\??",
        ),
        ("dates", r"dates?(?: taken)?|period|years?|when taken|from ?- ?to"),
        (
            "supply",
            r"quantity|qty\.?|disp(?:\.|ense[d]?)?|supply|refills?|repeats|#|start(?: date)?|(?:stop |end )?date"
            r"|prescriber|last (?:taken|fill\w*)",
        ),
    )
)
_ORDER = re.compile(r"orders?|prescription|treatment|sig")
_WEEKDAY = re.compile(r"(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?")
_UNIT_OF_HEADER = re.compile(
    r"(?:(?<![ ,])[ ,]+[\[(]?|[\[(]) ?(mg|mcg|μg|g|units?|iu|ml|meq|mmol|tab(?:let)?s?|puffs?|drops?)[\])]?$"
)
_SPAN_OF_YEARS = re.compile(r"(?:19|20)\d\d ?- ?(?:19|20)\d\d")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?: ?(?:-|to) ?\d[\d,]*(?:\.\d+)?)?|\d? ?1/[24]")
_NOTHING = re.compile(r"[-_. x0]*|nil|none|n/?a")
_STOPPED = re.compile(
    r"(?:stop(?:ped)?|d/?c(?:'?d|ed)?|discontinued?|ceased?|held|hold|withheld|suspend(?:ed)?|omit(?:ted)?|do not take|"
    r"not (?:taken|given|continued)|off|ended|no longer|removed?)\b"
)
_ENDS_ONE = re.compile(
    r"(?<![a-z])[a-z]{4,30}[^|]{0,40}?(?: - | ?[:(] ?|, )(?:stop(?:ped)?|discontinued?|d/?c'?d|ceased?"
    r"|withdrawn|removed|off)\b"
)
"""A name with its end behind it, in a cell of the old doses."""
_IF = re.compile(r"(?<![a-z/'])[a-z/']{1,16} (?:if|when|unless|in case|as soon as)\b")
"""A plan for what may come is no end: "stop if the clearance falls"."""
_ENDED_THERE = re.compile(r"[;,(-] ?(?:stopped|discontinued|ceased|withdrawn)\b(?! (?:if|when|for a|and re))")
"""An outcome that ends in the end of the drug: "CK 4,200; stopped"."""
_CHANGED = re.compile(
    r"(?:(?:(?:please )?(?:chang|reduc|increas|decreas|lower|rais|titrat|cut|switch|step)\w{0,4} (?:up |down |back )?"
    r"(?:dose )?to|now|down to|up to|new dose:?)|->|\u2192) "
)
"""A cell that puts another dose in the place of the one beside the name."""
_MASS = re.compile(r"\d ?(?:mg|mcg|\u03bcg|micrograms?|microg|g|units?|meq|mmol)\b")
_STARTED = re.compile(r"(?:new|start(?:ed)?|added?|begin|begun|initiated?|commenced?)\b")
_KEPT = re.compile(r"(?:continued?|unchanged|no change|same|ongoing|active|taking)\b")
_YES = frozenset({"yes", "y", "x", "true"})
_CSV_HEAD = Sieved(r"(?:^|\n)(?:drug|medication|medicine|med)s?(?: name)?,", re.MULTILINE)
_ALIGNED = re.compile(r"\t|\S {2,}\S")
_WRITES = frozenset(
    {"strength", "dose", "unit", "old", "current", "new", "freq", "perday", "count", "status", "route"}
)
_MOST_HEADER = 48
_MOST_COLUMNS = 16


@dataclass(frozen=True, slots=True)
class Column:
    role: str
    unit: str = ""
    words: str = ""
    """How a moment or weekday is written in a line."""


def spelled(norm: Normalised) -> Normalised:
    """`norm` with the rows of its tables as lines; unchanged where it has none. Linear in its length."""
    text = norm.text
    spaced = "\t" in norm.original or "  " in norm.original
    aligned = spaced and _ALIGNED.search(norm.original) is not None
    if "|" not in text and not aligned and _CSV_HEAD.search(text) is None:
        return norm
    out = Out(norm)
    columns: list[Column] = []
    width = 0
    separator = ""
    position = 0
    while position <= len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        kind, cells = cells_of(norm, position, end)
        if columns and kind == separator == " " and len(cells) == width - 1:
            cells = _name_apart(text, columns, cells)
        if (
            columns
            and kind == separator
            and (len(cells) == width or (kind == "|" and 1 < len(cells) <= width))
        ):
            if RULE.fullmatch(text, position, end):
                out.copy(position, end)
            else:
                write_row(out, columns, cells, position)
        else:
            found = _header(text, cells) if len(cells) > 1 else []
            if found:
                columns, width, separator = found, len(cells), kind
            else:
                columns = []
            if not found and kind == "|" and len(cells) > 1:
                _glued(out, cells, position, end)
            else:
                out.copy(position, end)
        if end < len(text):
            out.copy(end, end + 1)
        position = end + 1
    return out.done()


_NAME_THEN_DOSE = re.compile(r"[^\d|]{3,40}? (?=\d)")


def _name_apart(text: str, columns: list[Column], cells: list[Cell]) -> list[Cell]:
    """The cells of a row that is one short, where a long name leaves only one space before the dose."""
    if columns[0].role != "drug" or columns[1].role not in _WRITES:
        return cells
    start, end = cells[0]
    name = _NAME_THEN_DOSE.match(text, start, end)
    return cells if name is None else [(start, name.end() - 1), (name.end(), end), *cells[1:]]


def _header(text: str, cells: list[Cell]) -> list[Column]:
    """What the columns are; empty where the line is no header of a table of drugs."""
    if len(cells) > _MOST_COLUMNS or any(b - a > _MOST_HEADER for a, b in cells):
        return []
    columns = [column_of(text[a:b]) for a, b in cells]
    roles = [c.role for c in columns]
    if roles.count("weekday") >= 3 and roles.count("weekday") == len(roles):
        return columns
    if "drug" not in roles:
        named = next((i for i, (a, b) in enumerate(cells) if _ORDER.fullmatch(text[a:b])), None)
        if named is None and text[cells[0][0] : cells[0][1]] == "":
            named = 0
        if named is None:
            return []
        columns[named] = Column("drug")
    if not any(c.role in _WRITES or c.role in ("moment", "weekday") for c in columns):
        return []
    return settled(columns)


def settled(columns: list[Column]) -> list[Column]:
    """The columns with a current or old dose read as the dose where no newer one stands beside it."""
    roles = [c.role for c in columns]
    now = "new" in roles
    for i, column in enumerate(columns):
        if column.role == "current":
            columns[i] = Column("old" if now else "dose", column.unit)
        elif column.role == "old" and not now and "dose" not in roles and "current" not in roles:
            columns[i] = Column("dose", column.unit)
    return columns


def column_of(name: str) -> Column:
    plain, unit = name.strip(" *:"), ""
    match = _UNIT_OF_HEADER.search(plain)
    if match is not None and not any(pattern.fullmatch(plain) for _, pattern in _ROLES):
        plain, unit = plain[: match.start()].strip(), match.group(1)
    for words, pattern in _MOMENTS.items():
        if re.fullmatch(pattern, plain):
            return Column("moment", unit, words)
    if _WEEKDAY.fullmatch(plain):
        return Column("weekday", unit, plain[:3])
    for role, pattern_of in _ROLES:
        if pattern_of.fullmatch(plain):
            return Column(role, unit, plain)
    return Column("other", unit)


def _glued(out: Out, cells: list[Cell], start: int, end: int) -> None:
    """A row without a header: a number and the unit in the next cell are one amount."""
    text = out.norm.text
    position = start
    for (a, b), (c, d) in pairwise(cells):
        if _NUMBER.fullmatch(text, a, b) and UNIT.fullmatch(text, c, d):
            out.copy(position, b)
            out.put(" ", b)
            position = c
    out.copy(position, end)


def write_row(out: Out, columns: list[Column], cells: list[Cell], line: int) -> None:
    text = out.norm.text
    if text[line : line + 1] == "|":
        out.copy(line, line + 1)
        out.put(" ", line)
    placed = [(column, a, b) for column, (a, b) in zip(columns, cells, strict=False)]
    verb, status = _verb(text, placed)
    redosed = not verb and any(
        _MASS.search(text, a, b) and (c.role == "new" or (c.role == "status" and _CHANGED.match(text, a, b)))
        for c, a, b in placed
    )
    has_drug = False
    wants_form = any(c.role in ("count", "moment") and _NUMBER.fullmatch(text, a, b) for c, a, b in placed)
    bare = -1
    for index, (column, a, b) in enumerate(placed):
        if a == b or column.role in ("old", "supply") or index in status:
            if a < b and column.role == "old" and _ENDS_ONE.search(text, a, b) is not None:
                # another drug than the row is named by: "BP | lisinopril 20 mg - stop (cough) | losartan 50 mg"
                out.put(" ", a)
                out.copy(a, b)
                out.put(";", b - 1)
            continue
        cell = text[a:b]
        number = _NUMBER.fullmatch(cell) is not None
        role = column.role
        if role == "drug":
            named = _NAME_THEN_DOSE.match(text, a, b) if redosed else None
            # where another cell puts a new dose in the place of this one, only the name is read
            upto = named.end() - 1 if named is not None else b
            if index and out.parts and out.parts[-1][-1:] not in (" ", "\n"):
                # a time or a number that stands before the name is a cell of its own
                out.put(" | ", a)
            if verb:
                out.put(verb, a)
            out.copy(a, upto)
            has_drug = True
            continue
        if role in ("moment", "weekday", "count", "perday") and _NOTHING.fullmatch(cell) and cell != "x":
            continue
        if role == "unit":
            if bare >= 0 and UNIT.fullmatch(cell):
                out.put(" ", a)
                out.copy(a, b)
            bare = -1
            continue
        if role in ("other", "dates") or (role == "status" and verb):
            out.put(" | " if has_drug else " ", a)
            out.copy(a, b)
            continue
        out.put(". " if role == "status" and _IF.match(cell) else " ", a)
        bare = -1
        if role == "weekday":
            out.put(f"{column.words} ", a)
            out.copy(a, b)
            if number and column.unit:
                out.put(f" {column.unit}", b - 1)
            out.put(",", b - 1)
        elif role == "moment":
            if cell not in _YES:
                out.copy(a, b)
                if number:
                    out.put(f" {column.unit or 'tablets'}", b - 1)
                out.put(" ", b - 1)
            out.put(f"{column.words},", b - 1)
        elif role == "perday" or (role == "freq" and number):
            out.copy(a, b)
            if number:
                out.put(" times a day", b - 1)
        elif role in ("over", "every"):
            out.put("" if cell.startswith(role) else f"{role} ", a)
            out.copy(a, b)
            if number and column.unit:
                out.put(f" {column.unit}", b - 1)
        elif role == "count":
            out.copy(a, b)
            if number:
                out.put(" tablets", b - 1)
        elif role == "sum":
            # what it comes to for each kilogram is said of the sum, not one more dose
            end = next((k for k in range(a + 1, b) if text[k] == "="), b)
            out.put("total ", a)
            out.copy(a, end)
            if "day" not in cell and "24" not in cell:
                out.put(" a day", end - 1)
        elif role == "limit":
            out.put("max ", a)
            out.copy(a, b)
            if "day" not in cell and "24" not in cell:
                out.put(" a day", b - 1)
        else:
            out.copy(a, b)
            if number:
                bare = index
                if column.unit:
                    out.put(f" {column.unit}", b - 1)
                    bare = -1
            if role == "strength" and wants_form and not re.search(r"tab|cap|pill|puff|patch", cell):
                out.put(" tablets", b - 1)


def _verb(text: str, placed: list[tuple[Column, int, int]]) -> tuple[str, frozenset[int]]:
    """The verb that the status of a row stands for, and the cells that it replaces."""
    told: set[int] = set()
    verb = ""
    for index, (column, a, b) in enumerate(placed):
        cell = text[a:b].strip(" *.")
        if column.role == "status":
            said = _said(column.words, cell)
            if said is not None:
                verb = said or verb
                told.add(index)
            elif _STOPPED.match(cell) and not _IF.match(cell):
                # the reason or what to take instead stands behind the verb, and is read
                verb = _ending(cell)
            elif _ENDED_THERE.search(cell):
                verb = "stop "
        elif column.role == "dates" and _SPAN_OF_YEARS.fullmatch(cell):
            verb = verb or "stop "
        elif column.role == "new" and (_STOPPED.match(cell) or re.fullmatch(r"-+|nil|none", cell)):
            verb = "stop "
            told.add(index)
    return verb, frozenset(told)


def _said(header: str, cell: str) -> str | None:
    """The verb of a status cell, empty for one that says nothing, None for one that is text of its own."""
    if header.startswith("stop") and cell in _YES:
        return "stop "
    if header.startswith("continue") and cell in ("no", "n"):
        return "stop "
    if header.startswith("continue") and cell in _YES:
        return "continue "
    if cell in ("", "-", "no", "n", "yes", "changed", "change"):
        return ""
    if len(cell) > 24:
        return None
    if _IF.match(cell):
        return None
    if _STOPPED.match(cell):
        return _ending(cell)
    if _STARTED.match(cell):
        return "start "
    if _KEPT.match(cell):
        return "continue "
    return None


def _ending(cell: str) -> str:
    return "hold " if cell.startswith(("hold", "held", "withheld")) else "stop "
