"""Faults of a policy's folder that a reader would miss: contradictions, rows without effect, safeguards weakened.

`lint` reads one folder and returns everything it finds; it runs no rail. What keeps a policy from loading comes first
and alone, because nothing more can be said of it. The verdict table is judged over every combination of code, severity,
scope, basis and reader: a row that none of them reaches never decides, and is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.policy.cases import PolicyCase, load_cases
from attending.guardrails.policy.decide import default_decision, floor
from attending.guardrails.policy.hazards import HAZARDS_FILE, load_hazards
from attending.guardrails.policy.load import CASES_FILE, POLICY_FILE, LoadedPolicy, load_policy
from attending.guardrails.policy.problem import PolicyError, Problem, Weight
from attending.guardrails.policy.schema import DECISION_RANK, Audience, Policy, VerdictRow, rule_matches
from attending.guardrails.policy.yaml_form import line_of, read_yaml

MIN_CASES: Final = 15
README_FILE: Final = "README.md"


class Cell(NamedTuple):
    """One kind of finding before one reader; `rule` is the rule id it is tried with."""

    code: Code
    severity: Severity
    scope: Scope
    basis: Basis
    audience: Audience
    rule: str


def lint(folder: Path, *, today: date) -> list[Problem]:
    """Everything wrong with the policy in `folder`, errors first. Raises nothing for any content."""
    try:
        loaded = load_policy(folder)
    except PolicyError as err:
        return list(err.faults)
    _raw, lines = read_yaml(folder, POLICY_FILE)
    found = [
        *_table(loaded.policy, lines),
        *_standing(loaded.policy, lines, today),
        *_documents(loaded),
    ]
    return sorted(found, key=lambda problem: problem.weight != "error")


def readers(policy: Policy) -> tuple[Audience, ...]:
    """Who may read a text under this policy: a call can make a patient of a clinician, never the reverse."""
    return ("patient",) if policy.audience == "patient" else ("clinician", "patient")


def cells(policies: Sequence[Policy], rules: Sequence[str] | None = None) -> Iterator[Cell]:
    """Every kind of finding that a row of `policies` could tell apart, before every reader of any of them. `rules` are
    those it is tried with; by default every one that a row tells from others.
    """
    audiences: list[Audience] = sorted({reader for policy in policies for reader in readers(policy)})
    codes = [code for code in Code if code is not Code.RAIL_FAILURE]
    severities = [severity for severity in Severity if severity is not Severity.INFO]
    tried = _rules(policies) if rules is None else rules
    for combination in product(codes, severities, Scope, Basis, audiences, tried):
        yield Cell(*combination)


def _rules(policies: Sequence[Policy]) -> Sequence[str]:
    """Rule ids: one of each kind that a row tells from others."""
    rules = [row.rule for policy in policies for row in policy.verdicts if row.rule is not None]
    return list(dict.fromkeys(["any-other-rule", *(rule.replace("*", "any") for rule in rules)]))


def finding_of(cell: Cell) -> Finding:
    """A finding of this kind, for the functions that decide."""
    return Finding("lint", cell.code, cell.rule, cell.severity, cell.scope, 0, 0, "", cell.basis, "lint", "")


@dataclass(slots=True)
class _Met:
    """What one row meets over all cells; rows are bits of a number, the first one the lowest."""

    together: int = 0
    """Rows that match a cell with it, itself where any does."""
    apart: int = 0
    """Rows that do not match a cell that it matches."""
    reached: bool = False
    """Whether it is the first that matches, somewhere."""
    changes: bool = False
    milder: set[Code] = field(default_factory=set)


def _table(policy: Policy, lines: Mapping[str, int]) -> Iterator[Problem]:
    rows = policy.verdicts
    if not rows:
        return
    met = [_Met() for _row in rows]
    of_any_rule = [row.model_copy(update={"rule": None}) for row in rows]
    # INVARIANT: that a row matches is its rule's condition and the others', so the two are tried apart: together they
    # would cost the square of the rows for every kind of finding.
    by_rule = {
        _bits(row.rule is None or rule_matches(row.rule, rule) for row in rows) for rule in _rules((policy,))
    }
    patterns: set[int] = set()
    deciding: dict[int, set[int]] = {}
    for cell in cells((policy,), ("any-other-rule",)):
        finding = finding_of(cell)
        alike = _bits(row.matches(finding, cell.audience) for row in of_any_rule)
        if alike not in deciding:
            found = {alike & rows_of_rule for rows_of_rule in by_rule} - {0}
            patterns |= found
            deciding[alike] = {next(_numbers(pattern)) for pattern in found}
        default, _rule = default_decision(finding, cell.audience)
        least = floor(cell.code, cell.severity, cell.audience, cell.basis, cell.scope)
        for number in deciding[alike]:
            one = met[number]
            one.reached = True
            decided = max(DECISION_RANK[rows[number].decision], DECISION_RANK[least])
            rank = decided - DECISION_RANK[default]
            one.changes |= rank != 0
            if rank < 0:
                one.milder.add(cell.code)
    for pattern in patterns:
        for number in _numbers(pattern):
            met[number].together |= pattern
            met[number].apart |= ~pattern
    for number, row in enumerate(rows):
        yield from _row(number, row, rows, met, lines)


def _bits(matches: Iterable[bool]) -> int:
    return sum(1 << number for number, matched in enumerate(matches) if matched)


def _numbers(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _row(
    number: int,
    row: VerdictRow,
    rows: Sequence[VerdictRow],
    met: Sequence[_Met],
    lines: Mapping[str, int],
) -> Iterator[Problem]:
    key, one = f"verdicts.{number}", met[number]

    def problem(reason: str, message: str, step: str, weight: Weight = "error") -> Problem:
        return Problem(POLICY_FILE, line_of(lines, key), key, reason, message, step, weight)

    earlier = [other for other in _numbers(one.together) if other < number]
    if not one.together:
        yield problem(
            "ROW_UNREACHABLE",
            f"`verdicts[{number}]` matches no finding that a reader of this policy could be shown",
            "take the row out, or correct its conditions; a call never makes a clinician of a patient",
        )
        return
    if not one.reached:
        names = ", ".join(f"`verdicts[{other}]`" for other in earlier)
        other_way = [other for other in earlier if rows[other].decision != row.decision]
        if other_way:
            yield problem(
                "ROWS_CONTRADICT",
                f"`verdicts[{number}]` says {row.decision}, but {names} decides all of it before, "
                f"as {rows[other_way[0]].decision}",
                "keep one of the two, or put the narrower row first",
            )
        else:
            yield problem(
                "ROW_UNREACHABLE",
                f"`verdicts[{number}]` never decides: {names} takes all of it before",
                "take the row out, or put it first",
            )
        return
    for other in earlier:
        partly = one.apart >> other & met[other].apart >> number & 1
        if partly and rows[other].decision != row.decision:
            yield problem(
                "ROWS_OVERLAP",
                f"`verdicts[{number}]` ({row.decision}) and `verdicts[{other}]` ({rows[other].decision}) both match "
                f"some findings; the earlier one decides those",
                "narrow one of them, so that the order of rows does not matter",
                "warning",
            )
    if not one.changes:
        yield problem(
            "ROW_WITHOUT_EFFECT",
            f"`verdicts[{number}]` decides as the default table does",
            "take it out, unless it is there to be read",
            "warning",
        )
    if one.milder:
        yield problem(
            "MILDER_THAN_DEFAULT",
            f"`verdicts[{number}]` is milder than the default table for {', '.join(sorted(one.milder))}",
            "make sure that the hazard log says why this is safe",
            "warning",
        )


def _standing(policy: Policy, lines: Mapping[str, int], today: date) -> Iterator[Problem]:
    def problem(key: str, reason: str, message: str, step: str, weight: Weight) -> Problem:
        return Problem(POLICY_FILE, line_of(lines, key), key, reason, message, step, weight)

    reviewed = policy.registry.reviewed
    try:
        last, due = policy.registry.reviewed_on(), policy.registry.due_on()
    except ValueError:
        yield problem(
            "registry.reviewed", "WRONG_VALUE", f"`{reviewed}` is no day", "write it YYYY-MM-DD", "error"
        )
    else:
        if last > today:
            yield problem(
                "registry.reviewed",
                "REVIEWED_IN_FUTURE",
                f"{reviewed} has not come yet",
                "write the day of the last review",
                "error",
            )
        elif due <= today:
            yield problem(
                "registry.reviewed",
                "REVIEW_DUE",
                f"the last review was on {reviewed}, and the next was due on {due}",
                "have the owner review the policy and set the day",
                "warning",
            )
    if policy.mode != "enforce":
        yield problem(
            "mode",
            "NOT_ENFORCED",
            f"mode {policy.mode} releases what would be held{' or blocked' if policy.mode == 'observe' else ''}",
            "set `mode: enforce` before texts under it reach care",
            "warning",
        )


def _documents(loaded: LoadedPolicy) -> Iterator[Problem]:
    folder = loaded.folder
    readme = folder / README_FILE
    if not readme.is_file() or not readme.read_bytes().strip():
        yield Problem(
            README_FILE,
            None,
            "",
            "README_MISSING",
            "is missing or empty",
            "say what the policy may do, what it holds, who signs, and its limits",
        )
    elif loaded.policy.oversight.seeded is not None and b"planted" not in readme.read_bytes().lower():
        yield Problem(
            README_FILE,
            None,
            "",
            "SEEDED_NOT_ANNOUNCED",
            "does not say that items are planted, which `oversight.seeded` does",
            "tell reviewers there that some items are planted, how many at most, and that nothing of them is sent",
        )
    cases: tuple[PolicyCase, ...] = ()
    try:
        cases = load_cases(folder.name, loaded.cases_file)
    except PolicyError as err:
        for place, what in err.problems:
            yield Problem(
                CASES_FILE, None, place, "CASES", what, "correct the case; docs/policies.md says how"
            )
    else:
        yield from _cases(cases)
    try:
        hazards = load_hazards(folder)
    except PolicyError as err:
        yield from err.faults
        return
    named = {case.hazard for case in cases if case.hazard is not None}
    for unknown in sorted(named - {hazard.id for hazard in hazards}):
        yield Problem(
            CASES_FILE,
            None,
            "hazard",
            "UNKNOWN_HAZARD",
            f"a case names {unknown}, which {HAZARDS_FILE} does not have",
            "add the hazard, or correct the case",
        )
    for hazard in hazards:
        if cases and hazard.id not in named:
            yield Problem(
                HAZARDS_FILE,
                hazard.line,
                hazard.id,
                "HAZARD_WITHOUT_CASE",
                f"no case is an example of {hazard.id}",
                "add a case to cases.jsonl, so that somebody has seen the rail catch it",
                "warning",
            )


def _cases(cases: Sequence[PolicyCase]) -> Iterator[Problem]:
    if len(cases) < MIN_CASES:
        yield Problem(
            CASES_FILE,
            None,
            "",
            "FEW_CASES",
            f"{len(cases)} cases; {MIN_CASES} is the least that says something",
            "add dangerous texts, and ordinary ones that must not be flagged",
            "warning",
        )
    if not any(case.hazard is None for case in cases):
        yield Problem(
            CASES_FILE,
            None,
            "",
            "NO_BENIGN_CASE",
            "every case is an example of a hazard",
            "add ordinary texts: a policy that holds everything passes such a file",
            "warning",
        )
