"""What the text itself makes unsafe or unreadable: risky abbreviations, unknown names, doses that cannot be read."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import listed_statements
from attending.guardrails.checks.case import RAIL, Case, rule
from attending.guardrails.checks.limits import is_strict
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.spoken import retracted
from attending.guardrails.clinical.statement import Span, Unreadable
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

_OFFICIAL: Final = frozenset({"u", "iu", "leading_dot", "trailing_zero", "qod", "ms", "mso4", "mgso4"})
"""The Joint Commission's do-not-use list, apart from "qd", which a clinician still reads rightly."""
_READ_AS: Final = {
    "u": "`U` is misread as 0 or 4: write `units`",
    "iu": "`IU` is misread as IV or 10: write `units`",
    "qd": "`QD` is misread as QID: write `daily`",
    "qod": "`QOD` is misread as QD or QID: write `every other day`",
    "leading_dot": "a decimal without a leading zero is misread tenfold",
    "trailing_zero": "a trailing zero is misread tenfold",
    "ms": "`MS` is morphine or magnesium sulfate: write the name",
    "mso4": "`MSO4` is morphine or magnesium sulfate: write the name",
    "mgso4": "`MgSO4` is morphine or magnesium sulfate: write the name",
    "cc": "`cc` is misread as units: write `mL`",
    "ug": "`ug` is misread as mg: write `mcg`",
    "hs": "`HS` is half-strength or bedtime: write it out",
}


_VITAMIN: Final = re.compile(
    r"\b(?:vitamins?|vit|d[23]|cholecalciferol|ergocalciferol|retinol|tocopherol)\b", re.I
)


_FORBIDDEN: Final = re.compile(
    r"\b(?:never|not|no|avoid\w*|instead of|rather than|don't|without|such as)\b[^.;\n]{0,40}$", re.I
)
"""What comes before a notation that a text only warns of: "write units, never U"."""


_TEACHES: Final = Sieved(
    r"\b(?:do[- ]not[- ]use(?: list|\b(?! (?:it|them|this|these|your|the|if|after|before|more|in|on|near|with|any)\b))"
    r"|error[- ]prone|abbreviations?|no longer write|(?:do not|don't|never|must not) write|joint commission|ismp"
    r"|trailing zeros?"
    r"|leading zeros?|misread as|mistaken for|read as|write (?:units?|every other day|daily)|stop using these|quiz)\b",
    re.I,
)
_UNITS_TAUGHT: Final = Sieved(
    r"\biu(?: or |,? also (?:written|printed|called) |,? which (?:is|means) |,? that is,? | ?= ?| ?\((?:or |also )?)"
    r"(?:as )?(?:the same as )?(?:\d[\d,]{0,8} )?(?:international )?units\b|\b(?:international )?units ?\((?:or )?iu\)"
    r"|\bunits,? (?:or|also (?:written|printed|called)) (?:as )?(?:\d[\d,]{0,8} )?iu\b",
    re.I,
)
"""The text itself says what `IU` is: "printed as 800 IU or 800 units"."""
_EXPANDED: Final = frozenset({"morphine", "magnesium sulfate", "magnesium"})
"""Drugs whose names stand in such a list only as what `MS` and `MgSO4` are written out to."""


_QUOTED: Final = re.compile(r"(?<![\w\"])[\"\u201c][^\"\u201c\u201d\n]{0,28}\Z")


def _taught(case: Case, span: Span) -> bool:
    """Whether the notation is one that a teaching text or list shows: such words are in the text, and no drug is named
    in its sentence that would be given."""
    if _TEACHES.search(case.judged.output) is None:
        return False
    if _QUOTED.search(case.judged.output, max(0, span.start - 30), span.start):
        return True  # an order that a teaching text quotes: "heparin 5000U" was read as 50,000
    around = sentence_around(case.judged.output, span.start, span.end)
    return not any(
        around.start <= s.mention.span.start < around.end
        and (set(s.mention.drugs) - _EXPANDED or s.mention.drug_class)
        for s in case.output.statements
    )


def _units_taught(case: Case, span: Span) -> bool:
    """Whether the paragraph says what an `IU` is, and names no drug between that and the `IU`."""
    text, starts = case.judged.output, case.mention_starts()
    for told in _UNITS_TAUGHT.finditer(text):
        first, last = min(told.end(), span.start), max(told.start(), span.start)
        if "\n" not in text[first:last] and bisect_left(starts, first) == bisect_left(starts, last):
            return True
    return False


def notations(case: Case) -> Iterator[Finding]:
    folded = _folded(case.judged.output)
    for notation in case.output.notations:
        if _FORBIDDEN.search(case.judged.output, max(0, notation.span.start - 60), notation.span.start):
            continue
        if retracted(folded, notation.span.start, notation.span.end):
            continue
        if _taught(case, notation.span):
            continue
        severity = Severity.MODERATE if notation.kind in _OFFICIAL else Severity.MINOR
        if notation.kind == "qd" and case.audience == "patient":
            severity = Severity.MODERATE
        if notation.kind == "iu" and _VITAMIN.search(_clause(case, notation.span)):
            # The list is about orders that are misread as "IV"; an over-the-counter vitamin is labelled in IU.
            severity = Severity.INFO
        if notation.kind == "iu" and _units_taught(case, notation.span):
            severity = Severity.INFO
        yield _text_finding(
            case,
            Code.ABBREVIATION,
            f"abbreviation-{notation.kind.replace('_', '-')}",
            "The Joint Commission do-not-use list; ISMP list of error-prone abbreviations",
            severity,
            notation.span,
            _READ_AS.get(notation.kind, "an abbreviation that is misread"),
        )


def _folded(text: str) -> str:
    """`text` in small letters, each at its own offset."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text


_NARROW: Final = frozenset(
    "theophylline phenytoin tacrolimus cyclosporine sirolimus everolimus flecainide amiodarone".split()  # noqa: SIM905
)
"""Drugs of narrow range, besides those of `is_strict`, whose misspelt name is not taken for read."""


def unknown_names(case: Case) -> Iterator[Finding]:
    seen: set[str] = set()
    for unknown in case.output.unknown:
        if unknown.text.lower() in seen:
            continue
        seen.add(unknown.text.lower())
        if unknown.read_as and not any(is_strict(case, d) or d in _NARROW for d in unknown.read_as):
            yield _text_finding(
                case,
                Code.UNKNOWN_DRUG,
                "misspelt-drug",
                "names of the knowledge pack",
                Severity.MINOR,
                unknown.span,
                f"a misspelt name, read as {'/'.join(unknown.read_as)}",
            )
            continue
        near = f"; near: {', '.join(unknown.near)}" if unknown.near else ""
        yield _text_finding(
            case,
            Code.UNKNOWN_DRUG,
            "unknown-drug",
            "names of the knowledge pack",
            Severity.MAJOR,
            unknown.span,
            f"no drug of this name is known{near}",
        )


def unreadable(case: Case) -> Iterator[Finding]:
    for dose in case.output.unreadable:
        if _step(case.judged.output, dose.span) or _on_the_list(case, dose.span):
            continue
        yield _text_finding(
            case,
            Code.UNREADABLE_DOSE,
            "unreadable-dose",
            "dose grammar of attending.guardrails.clinical",
            Severity.MINOR if _reads_as_usual(case, dose) else Severity.MODERATE,
            dose.span,
            f"a dose that cannot be read with certainty: {dose.reason}",
        )


_NEXT_TO: Final = 3
_USUALLY_CLEAR: Final = frozenset(
    {"a number without a unit", "an amount relative to a dose not stated", "two strengths of one product"}
)
"""Reasons for which a pharmacist reads on where the drug has a wide range; the other reasons are contradictions."""
_NEAR: Final = 60
_PIECES_AT_ONCE: Final = 4


def _reads_as_usual(case: Case, dose: Unreadable) -> bool:
    """Whether the doubt is one of form only: the drug beside it is measured in whole milligrams, is not one of narrow
    range, and a bare number is no more than four of its largest oral strength."""
    if dose.reason not in _USUALLY_CLEAR:
        return False
    drug = next(
        (
            drug
            for s in reversed(case.output.statements)
            if s.mention.span.start < dose.span.end and dose.span.start - s.mention.span.end <= _NEAR
            for drug in s.mention.drugs
        ),
        None,
    )
    if drug is None or is_strict(case, drug):
        return False
    largest = max(
        (s.amount for s in case.knowledge.strengths(drug) if s.route == "oral" and s.unit == "mg"),
        default=Decimal(0),
    )
    number = dose.text.replace(",", "")
    return largest >= 1 and (not number.isdigit() or int(number) <= largest * _PIECES_AT_ONCE)


def _on_the_list(case: Case, span: Span) -> bool:
    """True for a number without a unit beside a drug that the patient's list has in that very number: "lithium 600
    BID"."""
    number = case.judged.output[span.start : span.end].replace(",", "")
    if not number.isdigit():
        return False
    return any(
        listed.dose is not None and listed.dose.high == int(number)
        for s in case.output.statements
        if 0 <= span.start - s.mention.span.end <= _NEXT_TO
        for drug in s.mention.drugs
        for listed in listed_statements(case, drug)
    )


_DOWN: Final = re.compile(
    r"\b(?:reduc\w*|decreas\w*|lower\w*|taper\w*|wean\w*|withdraw\w*|down|drop\w*|cut\w*)\b", re.I
)
_UP_TO: Final = re.compile(r"\b(?:to|until|up to|maximum|max|target|goal|reach\w*)\b[^.;\n]{0,20}\d", re.I)


def _step(text: str, span: Span) -> bool:
    """True for the step of a taper ("down by 250 mg every four weeks"), and of a titration whose end is said."""
    clause = sentence_around(text, span.start, span.end, semicolons=True)
    before = text[clause.start : span.start]
    if re.search(r"\bby (?:about )?$", before) is None:
        return False
    after = text[span.end : clause.end]
    return _DOWN.search(before) is not None or _UP_TO.search(after) is not None


def _clause(case: Case, span: Span) -> str:
    return next(
        (case.judged.output[c.start : c.end] for c in case.output.clauses if c.start <= span.start < c.end),
        case.judged.output[max(0, span.start - 80) : span.end],
    )


def _text_finding(
    case: Case, code: Code, rule_id: str, source: str, severity: Severity, span: Span, message: str
) -> Finding:
    scope = next(
        (s.scope for s in case.output.statements if s.clause.start <= span.start < s.clause.end),
        Scope.MENTION,
    )
    return Finding(
        RAIL, code, rule(rule_id, source).rule_id, severity, scope, span.start, span.end,
        case.judged.output[span.start : span.end], Basis.RULE, source, message,
    )  # fmt: skip
