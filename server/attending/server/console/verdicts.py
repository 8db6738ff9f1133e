"""A policy's decisions as a table that its owner reads: worked out by the function that decides, not written again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.finding import Basis, Code, Severity
from attending.guardrails.policy.decide import judge_one
from attending.guardrails.policy.lint import cells, finding_of
from attending.guardrails.policy.schema import DECISION_RANK, UNTOUCHABLE, Policy, VerdictRow
from attending.server.console import words

SEVERITIES: Final = tuple(severity for severity in Severity if severity is not Severity.INFO)
_WORDS: Final = {"release": "released", "hold": "held", "block": "blocked"}
_TEXT_DOES: Final = {
    "recommend": "recommends it",
    "continue": "continues it",
    "avoid": "says to avoid it",
    "stop": "stops it",
    "limit": "limits it",
    "history": "tells the past",
    "hypothetical": "supposes it",
    "family": "speaks of the family",
    "mention": "names it only",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Codes that are decided alike. `outcomes` goes by SEVERITIES: `held`, or `released to blocked` where the statement
    or the basis of the finding makes the difference; `strictest` is the worst of them, for the eye.
    """

    codes: tuple[str, ...]
    outcomes: tuple[str, ...]
    strictest: tuple[str, ...]


def decided(policy: Policy) -> list[Line]:
    """What happens to each kind of finding before the policy's own audience, before its mode; the strictest first."""
    found: dict[Code, dict[Severity, set[str]]] = defaultdict(lambda: defaultdict(set))
    for cell in cells((policy,)):
        if cell.audience != policy.audience or cell.severity is Severity.INFO:
            continue
        # A curated fact never blocks alone, whatever the policy says: that is said once, above the table.
        if cell.code in UNTOUCHABLE or cell.basis is Basis.CURATED:
            continue
        decision, _rule = judge_one(policy, finding_of(cell), cell.audience)
        found[cell.code][cell.severity].add(decision)
    alike: dict[tuple[tuple[str, ...], ...], list[str]] = defaultdict(list)
    for code, by_severity in found.items():
        row = tuple(tuple(sorted(by_severity[s], key=DECISION_RANK.__getitem__)) for s in SEVERITIES)
        alike[row].append(words.code(code.value))
    lines = [
        Line(
            tuple(sorted(codes)),
            tuple(" to ".join(_WORDS[one] for one in dict.fromkeys((o[0], o[-1]))) for o in row),
            tuple(o[-1] for o in row),
        )
        for row, codes in alike.items()
    ]
    return sorted(lines, key=lambda line: [-DECISION_RANK[one] for one in line.strictest])


def row_words(row: VerdictRow) -> str:
    """A verdict row as a sentence, without its reason."""
    what = _any(words.code(code.value) for code in row.code)
    parts = [f"{_WORDS[row.decision].capitalize()}: {what}"]
    if row.severity:
        parts.append("of severity " + _any(words.SEVERITIES[one.value].lower() for one in row.severity))
    if row.scope:
        parts.append("where the text " + _any(_TEXT_DOES[one.value] for one in row.scope))
    if row.basis:
        parts.append("known " + _any(words.BASES[one.value] for one in row.basis))
    if row.audience:
        parts.append("read by " + _any(words.AUDIENCES[one].lower() for one in row.audience))
    if row.rule is not None:
        parts.append(f"by the rule {row.rule}")
    return ", ".join(parts)


def _any(names: Iterator[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
