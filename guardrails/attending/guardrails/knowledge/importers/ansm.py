"""ANSM interaction thesaurus of September 2016, English translation (glilly/osdi, Apache-2.0).

The XML is not well formed, so it is read with expressions that survive an unclosed element. What the rows say
of doses, routes and single members of a class stands in free text; `tiers` reads the forms that occur.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Severity

TABLES: Final = "all_eng_tables_sept2016.xml"
CLASSES: Final = "all_eng_classes_sept2016.xml"

_LEVELS: Final = {
    "contraindication": Severity.CONTRAINDICATED,
    "notrecommended": Severity.MAJOR,
    "precautionforuse": Severity.MODERATE,
    "takeintoaccount": Severity.MINOR,
}
_NAME: Final = re.compile(r'<(CLASS|DRUG) name="([^"]*)"(?:\s+(?:rxcui|rxnorm)="([^"]*)")?')
_AMOUNT = r"(?P<amount>\d[\d.,]*)\s*(?P<unit>mg|g|gr)\b"
_AT_LEAST: Final = re.compile(
    r"(?:>\s*=|>\s*or\s*=\s*to|greater\s+than\s+or\s+equal\s+to)\s*" + _AMOUNT + r"\s*(?:/\s*|per\s+)day",
    re.I,
)
_ABOVE: Final = re.compile(
    r"(?:>|higher\s+than|more\s+than|greater\s+than)\s*" + _AMOUNT + r"\s*(?:/\s*|per\s+)(?P<per>day|week)",
    re.I,
)
_CAP: Final = re.compile(
    r"(?:do\s+not\s+exceed(?:\s+the)?\s+(?:dosage|dose)\s+of|must\s+be\s+limited\s+to"
    r"|limit\s+the\s+dose\s+of\s+[\w ]+?\s+to)\s*" + _AMOUNT + r"\s*(?:/\s*|per\s+|a\s+)day",
    re.I,
)
_MEMBERS: Final = re.compile(
    r"^\s*-+\s*with\s+(?:the\s+)?(?P<list>[^\n:;]+)|^\s*with\s+(?:the\s+)?(?P<bare>[a-z ]+)$", re.I
)
_IN_CONDITION: Final = re.compile(
    r"patients?\s+(?:with|having)|in\s+(?:the\s+)?case\s+of|diabetes|renal\s+insufficiency", re.I
)


@dataclass(frozen=True, slots=True)
class Side:
    """A drug or class as the source spells it."""

    kind: str
    """CLASS or DRUG."""
    name: str
    rxcui: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One interaction in file order (`row` counts from 1). `severity` is None where the row grades none."""

    row: int
    first: Side
    second: Side
    severity: Severity | None
    description: str
    comment: str


@dataclass(frozen=True, slots=True)
class Tier:
    """What a row says of a dose: the severity holds above `above_daily_mg` of the drug named in `near`."""

    severity: Severity
    above_daily_mg: Decimal | None = None
    near: str = ""


def severity_of(text: str) -> Severity | None:
    """The level that a severity cell means, whatever its spelling; None where no level is like it.

    A cell that gives several ("Contraindication - Not recommended - Precaution for use") grades the members of a
    class differently without saying which: the least of them holds for all.
    """
    found = [level for part in re.split(r"\s+-\s+", text.strip()) if (level := _level(part)) is not None]
    return min(found, key=lambda level: level.rank) if found else None


def _level(text: str) -> Severity | None:
    plain = re.sub(r"[^a-z]", "", text.lower().replace("0", "o"))
    for word, level in _LEVELS.items():
        if plain.startswith(word):
            return level
    close = difflib.get_close_matches(plain.removesuffix("with"), _LEVELS, n=1, cutoff=0.8)
    return _LEVELS[close[0]] if close else None


def rows(folder: Path) -> Iterator[Row]:
    """Interactions of the tables file. Raises OSError where it is missing."""
    text = (folder / TABLES).read_text(encoding="utf-8", errors="replace")
    for number, block in enumerate(re.findall(r"<INTERACTION>(.*?)</INTERACTION>", text, re.S), start=1):
        first, second = _side(block, "DRUG1"), _side(block, "DRUG2")
        if first is None or second is None:
            continue
        cells = re.findall(r"<SEVERITY>(.*?)</SEVERITY>", block, re.S)
        comment = _text(block, "COMMENT")
        level = severity_of(cells[0]) if cells else None
        if level is None and cells:
            level = severity_of(comment.lstrip("- "))
            comment = f"{cells[0]} {comment}"
        yield Row(number, first, second, level, _text(block, "DESCRIPTION"), comment)


def members(folder: Path) -> dict[str, tuple[Side, ...]]:
    """Class name -> its members as spelled; two entries of one name are joined. Raises OSError."""
    text = (folder / CLASSES).read_text(encoding="utf-8", errors="replace")
    found: dict[str, list[Side]] = {}
    for block in re.split(r"(?=<CLASS )", text)[1:]:
        head = _NAME.match(block)
        if head is None:
            continue
        drugs = [
            Side("DRUG", _clean(name), code or None)
            for kind, name, code in _NAME.findall(block)
            if kind == "DRUG"
        ]
        found.setdefault(_clean(head[2]), []).extend(drugs)
    return {name: tuple(drugs) for name, drugs in found.items()}


def resolve_class(name: str, known: dict[str, tuple[Side, ...]]) -> str | None:
    """The class that a table means: "OTHER X" is X, and a misspelt or re-ordered name is its nearest class."""
    plain = {_plain(key): key for key in known}
    wanted = _plain(re.sub(r"^OTHER\s+", "", name))
    if _plain(name) in plain:
        return plain[_plain(name)]
    if wanted in plain:
        return plain[wanted]
    close = difflib.get_close_matches(wanted, list(plain), n=1, cutoff=0.85)
    return plain[close[0]] if close else None


def tiers(row: Row) -> tuple[Tier, ...]:
    """The severities of a row with their dose conditions, at most one per severity."""
    if row.severity is None:
        return ()
    told = f"{row.comment} || {row.description}"
    condition = _AT_LEAST.search(told) or _ABOVE.search(told)
    if condition is not None and not _CAP.search(told):
        amount = _mg(condition)
        if condition.re is _AT_LEAST:
            amount -= 1
        elif condition["per"].lower() == "week":
            amount = (amount / 7).quantize(Decimal("0.01"))
        return (Tier(row.severity, amount, told[: condition.end()]),)
    cap = _CAP.search(told)
    if cap is not None and row.severity.rank < Severity.MAJOR.rank:
        return (Tier(row.severity), Tier(Severity.MAJOR, _mg(cap), told))
    return (Tier(row.severity),)


def only_with(row: Row) -> tuple[str, ...]:
    """Members to which the comment limits a class row ("--with the macrolides"), as spelled, or none."""
    hit = _MEMBERS.match(row.comment.replace("&#39;", "'"))
    if hit is None:
        return ()
    listed = (hit["list"] or hit["bare"] or "").strip()
    if re.search(r"\d|dose|patient", listed, re.I):
        return ()
    return tuple(
        part.strip() for part in re.split(r",\s*(?:the\s+)?|\s+and\s+(?:the\s+)?", listed) if part.strip()
    )


def conditional(row: Row) -> bool:
    """True where a contraindication is said of some patients only ("for patients with diabetes")."""
    return bool(
        re.match(r"\s*-\s*for\s+patients\s+with|\s*-\s*in\s+case\s+of|\s*-\s*aside\s+from", row.comment, re.I)
    )


def _mg(hit: re.Match[str]) -> Decimal:
    amount = Decimal(hit["amount"].replace(",", ".").rstrip("."))
    return amount * (1000 if hit["unit"].lower() in ("g", "gr") else 1)


def _side(block: str, tag: str) -> Side | None:
    part = re.search(rf"<{tag}>(.*?)</{tag}>", block, re.S)
    hit = _NAME.search(part[1]) if part else None
    return None if hit is None else Side(hit[1], _clean(hit[2]), hit[3] or None)


def _text(block: str, tag: str) -> str:
    return html.unescape(" ".join(" ".join(re.findall(rf"<{tag}>(.*?)</{tag}>", block, re.S)).split()))


def _clean(name: str) -> str:
    return " ".join(html.unescape(name).split())


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("1", "i"))
