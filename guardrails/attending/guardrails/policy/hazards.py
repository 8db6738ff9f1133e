"""A policy's hazard log: what can go wrong, which rail is to catch it, and how often it did in the policy's own cases.

`hazards.tsv` is a table that a safety officer reads and signs (ISO 14971, DCB0129 clause 3): one line a hazard. Its
last two columns are counted, never estimated: `cases` are the cases of `cases.jsonl` that name the hazard, `caught`
those of them in which one of `codes` was reported. `attending policy test` counts again and fails where the table says
otherwise. A small set shows that a rail works at all; it gives no rate for texts that nobody has written down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from attending.guardrails.finding import Code
from attending.guardrails.policy.problem import PolicyError, Problem

HAZARDS_FILE: Final = "hazards.tsv"
COLUMNS: Final = ("id", "hazard", "cause", "rail", "codes", "residual_risk", "cases", "caught")
MAX_BYTES: Final = 256 * 1024
_ID: Final = re.compile(r"H[1-9][0-9]{0,2}")
_STEP: Final = "correct the line; docs/policies.md describes the columns"


@dataclass(frozen=True, slots=True)
class Hazard:
    """One line: `codes` are those of which one must be reported for the hazard to count as caught."""

    id: str
    hazard: str
    cause: str
    rail: str
    codes: frozenset[Code]
    residual_risk: str
    cases: int
    caught: int
    line: int


class Judged(Protocol):
    """A case that was run: the hazard it is an example of, and the codes that were reported."""

    @property
    def hazard(self) -> str | None: ...
    @property
    def codes(self) -> frozenset[Code]: ...


def load_hazards(folder: Path) -> tuple[Hazard, ...]:
    """The hazard log of a policy's folder. Raises PolicyError with every bad line; FILE_MISSING where there is none."""
    try:
        data = (folder / HAZARDS_FILE).read_bytes()
    except OSError:
        missing = Problem(
            HAZARDS_FILE,
            None,
            "",
            "HAZARD_LOG_MISSING",
            "is missing",
            "write one; `attending policy new` shows how",
        )
        raise PolicyError(folder.name, (missing,)) from None
    try:
        if len(data) > MAX_BYTES:
            raise ValueError
        lines = data.decode("utf-8").splitlines()
    except ValueError:
        wrong = _wrong(None, f"is not UTF-8 text of at most {MAX_BYTES} bytes")
        raise PolicyError(folder.name, (wrong,)) from None
    if not lines or tuple(lines[0].split("\t")) != COLUMNS:
        raise PolicyError(folder.name, (_wrong(1, f"the first line must name {', '.join(COLUMNS)}"),))
    found: dict[str, Hazard] = {}
    wrong_lines = []
    for number, line in enumerate(lines[1:], 2):
        try:
            hazard = _hazard(line.split("\t"), number)
            if hazard.id in found:
                raise ValueError(f"`{hazard.id}` stands twice")
        except ValueError as err:
            wrong_lines.append(_wrong(number, str(err)))
        else:
            found[hazard.id] = hazard
    if not found and not wrong_lines:
        wrong_lines.append(_wrong(1, "names no hazard"))
    if wrong_lines:
        raise PolicyError(folder.name, wrong_lines)
    return tuple(found.values())


def observed(hazards: Iterable[Hazard], results: Iterable[Judged]) -> dict[str, tuple[int, int]]:
    """Hazard id to (cases, caught), as the results of a run of the policy's cases have it."""
    results = list(results)
    counts = {}
    for hazard in hazards:
        mine = [result for result in results if result.hazard == hazard.id]
        counts[hazard.id] = (len(mine), sum(bool(result.codes & hazard.codes) for result in mine))
    return counts


def _hazard(cells: list[str], line: int) -> Hazard:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"has {len(cells)} columns, expected {len(COLUMNS)}")
    id_, hazard, cause, rail, codes, residual_risk, cases, caught = (cell.strip() for cell in cells)
    if not _ID.fullmatch(id_):
        raise ValueError("`id` must be H and a number")
    if not all((hazard, cause, rail, codes, residual_risk)):
        raise ValueError("a column is empty: say `none` where there is no rail")
    if not (cases.isdigit() and caught.isdigit() and len(cases) < 7 and int(caught) <= int(cases)):
        raise ValueError("`cases` and `caught` must be counts")
    try:
        known = frozenset(Code(code) for code in codes.split())
    except ValueError:
        raise ValueError("`codes` must be finding codes of docs/checks.md") from None
    return Hazard(id_, hazard, cause, rail, known, residual_risk, int(cases), int(caught), line)


def _wrong(line: int | None, message: str) -> Problem:
    return Problem(HAZARDS_FILE, line, "", "HAZARD_LOG", message, _STEP)
