"""What the output claims, held against the retrieved documents: contradicted, unsupported, or resting on a
document that was withdrawn.

Alignment is lexical: drugs by ingredient, sentences by their rarer words, plain instructions clause by
clause. Amounts, frequencies, polarity (give or
do not give), numbers with a unit and laterality are compared. Not caught: a contradiction in other words ("often"
for "rarely"), and anything about documents the model was not given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import amount_of, interval_hours, per_day
from attending.guardrails.checks.case import Case, Exposure, rule
from attending.guardrails.checks.claims import mismatches
from attending.guardrails.checks.passages import (
    MAX_SENTENCES,
    Passage,
    content_words,
    numbers,
    overlap,
    passages_of,
    sentences,
    weights_of,
)
from attending.guardrails.clinical.statement import ParsedText, Span, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.patient import Document

_WITHDRAWN: Final = re.compile(
    r"\b(?:withdrawn|superseded|retracted|obsolete|rescinded|no longer (?:valid|current|in force|recommended for use)"
    r"|replaced by (?:version|the)|out of date|archived version)\b",
    re.I,
)
_CITES: Final = re.compile(
    r"\b(?:guidelines?|guidance|protocol|recommendations?|policy|document|reference|source|leaflet"
    r"|as (?:advised|described|stated))\b",
    re.I,
)
_WITHDRAWN_HEAD: Final = 600
_CHANGE: Final = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|titrat\w+|chang\w+|lower\w*|rais\w+|uptitrat\w+|taper\w*|double"
    r"|halve|adjust\w*|from \d)\b",
    re.I,
)
_LATER: Final = re.compile(r"\b(left|right)\b", re.I)
_NEGATION: Final = re.compile(
    r"\b(?:not|no|never|without|avoid|contraindicated|cannot|don't|doesn't|isn't|shouldn't|must not|stop"
    r"|discontinue|hold|denies|negative"
    r"|unless|neither|nor|free of|unsafe|inappropriate)\b|n't\b",
    re.I,
)
_ALIGNED: Final = 0.55
_DEPENDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Source:
    document: Document
    parsed: ParsedText


def grounding(case: Case) -> Iterator[Finding]:
    """Findings on claims of the output that the documents contradict or do not support; none without documents."""
    documents = case.judged.documents
    if not documents:
        return
    sources = [_Source(document, case.documents[document.text]) for document in documents]
    valid = [source for source in sources if not is_withdrawn(source.document)]
    passages = [passage for source in valid for passage in passages_of(source.document)]
    weights = weights_of(passages)
    yield from _withdrawn(case, sources, weights)
    taken: set[int] = set()
    plain = _plain_claims(case, [source.document for source in valid])
    for finding in (*_drug_claims(case, valid), *_sentence_claims(case, passages, weights), *plain):
        if finding.start not in taken or finding.start == finding.end:
            taken.add(finding.start)
            yield finding
    yield from _unsupported(case, sources)


def is_withdrawn(document: Document) -> bool:
    """True where the register or the head of the document itself says that it no longer holds."""
    return document.withdrawn or _WITHDRAWN.search(document.text[:_WITHDRAWN_HEAD]) is not None


def _withdrawn(case: Case, sources: list[_Source], weights: dict[str, float]) -> Iterator[Finding]:
    """An output that names a withdrawn document, gives its drug, or repeats one of its sentences."""
    output_words = frozenset(content_words(case.judged.output))
    given = {e.drug for e in case.given} | {e.generic_class for e in case.given if e.generic_class}
    valid_absent = all(is_withdrawn(source.document) for source in sources)
    for source in sources:
        if not is_withdrawn(source.document):
            continue
        elsewhere = {
            drug
            for other in sources
            if not is_withdrawn(other.document)
            for statement in other.parsed.statements
            for drug in statement.mention.drugs
        }
        said = {drug for statement in source.parsed.statements for drug in statement.mention.drugs}
        shared = sorted((said & given) - elsewhere)
        # A name no lexicon knows ties the two texts as a drug does; a citation of "the guideline" can only mean this
        # document where no valid one was given.
        unknown = {name.text.lower() for name in source.parsed.unknown} & {
            n.text.lower() for n in case.output.unknown
        }
        cites = valid_absent and _CITES.search(case.judged.output) is not None
        at = case.judged.output.find(source.document.id) if len(source.document.id) > 3 else -1
        repeated = any(
            len(passage.words) >= 4 and overlap(passage.words, output_words, weights) >= _DEPENDS
            for passage in passages_of(source.document)
        )
        if at < 0 and not shared and not repeated and not unknown and not cites:
            continue
        exposure = next((e for e in case.given if e.drug in shared), None)
        span = Span(at, at + len(source.document.id)) if at >= 0 else None
        yield case.finding(
            Code.UNSUPPORTED,
            exposure,
            Severity.MAJOR,
            rule("withdrawn-document", f"document {source.document.id}"),
            f"the output rests on document {source.document.id}, which is marked withdrawn or superseded",
            drugs=shared,
            span=span,
        )


def _drug_claims(case: Case, sources: list[_Source]) -> Iterator[Finding]:
    """Dose, frequency and polarity of each drug against what the documents say of it."""
    for statement in case.output.statements:
        for index, drug in enumerate(statement.mention.drugs):
            said = [
                (source, other)
                for source in sources
                for other in source.parsed.statements
                if drug in other.mention.drugs
            ]
            if not said:
                continue
            exposure = Exposure(
                drug,
                statement.scope,
                statement.mention.span,
                statement.mention.text,
                "output",
                False,
                statement,
                index,
            )
            found = (
                _polarity(case, exposure, said)
                or _amounts(case, exposure, said)
                or _often(case, exposure, said)
            )
            if found is not None:
                yield found


def _polarity(case: Case, exposure: Exposure, said: list[tuple[_Source, Statement]]) -> Finding | None:
    """The output gives what every document that takes a position forbids or stops, or the reverse."""
    positions = [(source, other) for source, other in said if other.scope is not Scope.FAMILY]
    against = [(s, o) for s, o in positions if o.refused]
    for_it = [
        (s, o)
        for s, o in positions
        if o.scope in (Scope.RECOMMEND, Scope.CONTINUE, Scope.MENTION, Scope.LIMIT)
    ]
    gives = exposure.scope in (Scope.RECOMMEND, Scope.CONTINUE)
    if gives and against and not for_it:
        source, other = against[0]
        verb = "stops" if other.scope is Scope.STOP else "advises against"
        return _contradiction(case, exposure, source, other.clause, "polarity", Severity.MAJOR,
                              f"the output gives {exposure.drug}; the document {verb} it")  # fmt: skip
    statement = exposure.statement
    if exposure.scope in (Scope.STOP, Scope.AVOID) and statement is not None and not statement.avoid_with:
        continued = [(s, o) for s, o in positions if o.scope in (Scope.CONTINUE, Scope.RECOMMEND)]
        if continued and not against:
            source, other = continued[0]
            return _contradiction(case, exposure, source, other.clause, "polarity", Severity.MAJOR,
                                  f"the output ends {exposure.drug}; the document continues it")  # fmt: skip
    return None


def _amounts(case: Case, exposure: Exposure, said: list[tuple[_Source, Statement]]) -> Finding | None:
    """A dose that no document gives for the drug; named as tenfold or thousandfold where it is."""
    statement = exposure.statement
    if statement is None or statement.dose is None or not exposure.scope.prescriptive:
        return None
    ours = amount_of(statement.dose, case, statement.mention, index=exposure.index)
    if ours is None or ours.per_m2:
        return None
    theirs: list[tuple[_Source, Statement, Decimal, Decimal]] = []
    daily: set[Decimal] = set()
    for source, other in said:
        for dose in (other.dose, other.daily_limit, other.single_limit):
            if dose is None:
                continue
            index = other.mention.drugs.index(exposure.drug)
            amount = amount_of(dose, case, other.mention, index=index)
            if amount is not None and (amount.unit, amount.per_kg, amount.per_time) == (
                ours.unit,
                ours.per_kg,
                ours.per_time,
            ):
                theirs.append((source, other, amount.low, amount.high))
                total = per_day(other, amount)
                if total is not None and not _sparse(other):
                    daily.add(total)
    if not theirs:
        return None
    if any(low <= ours.low and ours.high <= high for _, _, low, high in theirs):
        return None
    own_day = None if _sparse(statement) else per_day(statement, ours)
    if own_day is not None and own_day in daily:
        return None
    source, other, _, nearest = min(theirs, key=lambda row: abs(row[3] - ours.high))
    ratio = max(ours.high, nearest) / min(ours.high, nearest)
    tenfold = any(abs(ratio - n) < n / 20 for n in (10, 100, 1000))
    clause = case.judged.output[statement.clause.start : statement.clause.end]
    if not tenfold and (_CHANGE.search(clause) or (statement.started and _titrates(other, source))):
        return None
    told = f"; {round(ratio):d} times apart: check the decimal point and the unit" if tenfold else ""
    severity = Severity.MAJOR if tenfold or ratio >= 2 else Severity.MODERATE
    return _contradiction(case, exposure, source, other.clause, "dose", severity,
                          f"another dose of {exposure.drug} than the document gives{told}",
                          span=statement.dose.span)  # fmt: skip


def _titrates(other: Statement, source: _Source) -> bool:
    return _CHANGE.search(source.document.text[other.clause.start : other.clause.end]) is not None


def _often(case: Case, exposure: Exposure, said: list[tuple[_Source, Statement]]) -> Finding | None:
    """A frequency that no document gives: weekly become daily, once become three times."""
    statement = exposure.statement
    if statement is None or statement.frequency is None or not exposure.scope.prescriptive:
        return None
    ours = interval_hours(statement.frequency)
    pairs = [
        (source, other, interval_hours(other.frequency))
        for source, other in said
        if other.frequency is not None
    ]
    known = [(source, other, hours) for source, other, hours in pairs if hours is not None]
    if ours is None or not known or any(abs(hours - ours) <= hours / 10 for _, _, hours in known):
        return None
    source, other, hours = min(known, key=lambda row: abs(row[2] - ours))
    clause = case.judged.output[statement.clause.start : statement.clause.end]
    ratio = max(ours, hours) / min(ours, hours)
    if (
        ratio < Decimal("1.5")
        or (_CHANGE.search(clause) and ratio < 7)
        or _same_day_total(case, exposure, said)
    ):
        return None
    return _contradiction(case, exposure, source, other.clause, "frequency",
                          Severity.MAJOR if ratio >= 3 else Severity.MODERATE,
                          f"another frequency of {exposure.drug} than the document gives",
                          span=statement.frequency.span)  # fmt: skip


def _same_day_total(case: Case, exposure: Exposure, said: list[tuple[_Source, Statement]]) -> bool:
    """True where the same amount a day is split in another way ("500 mg twice" for "1000 mg once")."""
    statement = exposure.statement
    if statement is None or statement.dose is None or _sparse(statement):
        return False
    ours = amount_of(statement.dose, case, statement.mention, index=exposure.index)
    own = None if ours is None else per_day(statement, ours)
    for _, other in said:
        index = other.mention.drugs.index(exposure.drug)
        amount = None if other.dose is None else amount_of(other.dose, case, other.mention, index=index)
        if own is not None and amount is not None and not _sparse(other) and per_day(other, amount) == own:
            return True
    return False


def _sparse(statement: Statement) -> bool:
    """Less often than daily: then an amount on one day says nothing about an amount a day."""
    hours = interval_hours(statement.frequency)
    return hours is not None and hours > 24


def _sentence_claims(case: Case, passages: list[Passage], weights: dict[str, float]) -> Iterator[Finding]:
    """Sentences that say the same as a passage but for a number, a side or a negation."""
    text = case.judged.output
    told = {(value, unit) for passage in passages for value, unit, _ in numbers(passage.text)}
    for start, end in list(sentences(text))[:MAX_SENTENCES]:
        sentence = text[start:end]
        words = frozenset(content_words(sentence))
        if len(words) < 3:
            continue
        best = max(passages, key=lambda p: overlap(words, p.words, weights), default=None)
        if best is None or overlap(words, best.words, weights) < _ALIGNED:
            continue
        theirs = {(value, unit) for value, unit, _ in numbers(best.text)}
        units = {unit for _, unit in theirs}
        wrong = next(
            (
                at
                for value, unit, at in numbers(sentence)
                if unit in units and (value, unit) not in theirs and (value, unit) not in told
            ),
            None,
        )
        if wrong is not None:
            yield _sentence(case, best, Span(start + wrong.start, start + wrong.end), "number", Severity.MODERATE,
                            "another number than the document gives")  # fmt: skip
            continue
        side = _side(sentence, best.text)
        if side is not None:
            yield _sentence(case, best, Span(start + side.start, start + side.end), "side", Severity.MAJOR,
                            "another side than the document gives")  # fmt: skip
            continue
        both = overlap(words, best.words, weights) >= 0.8 and overlap(best.words, words, weights) >= 0.7
        if both and (_NEGATION.search(sentence) is None) != (_NEGATION.search(best.text) is None):
            yield _sentence(case, best, Span(start, end), "negation", Severity.MAJOR,
                            "the sentence and the document differ by a negation")  # fmt: skip


def _plain_claims(case: Case, documents: list[Document]) -> Iterator[Finding]:
    """Lengths of time and plain instructions, clause by clause (`checks.claims`)."""
    for found in mismatches(case.judged.output, documents):
        length = found.kind == "length"
        told = "another length of time than" if length else "an instruction that is turned round from what"
        verb = "the document gives" if length else "the document says"
        yield case.finding(
            Code.CONTRADICTION,
            None,
            Severity.MODERATE if length else Severity.MAJOR,
            rule(f"grounding-{found.kind}", f"document {found.document}"),
            f"{told} {verb}: `{' '.join(found.quote.split())[:200]}`",
            span=found.span,
        )


def _side(sentence: str, passage: str) -> Span | None:
    ours = {m.group(1).lower() for m in _LATER.finditer(sentence)}
    theirs = {m.group(1).lower() for m in _LATER.finditer(passage)}
    if len(ours) == 1 and len(theirs) == 1 and ours != theirs:
        match = _LATER.search(sentence)
        return (
            None
            if match is None or sentence[match.end() : match.end() + 5].strip() == "away"
            else Span(*match.span())
        )
    return None


def _unsupported(case: Case, sources: list[_Source]) -> Iterator[Finding]:
    """A started drug that neither the documents, the prompt nor the patient's list name, where the documents are
    about drugs at all. An over-the-counter hint and a prescription look alike here, so it is moderate."""
    said = {drug for source in sources for s in source.parsed.statements for drug in s.mention.drugs}
    classes = {
        s.mention.drug_class for source in sources for s in source.parsed.statements if s.mention.drug_class
    }
    if not said:
        return
    asked = {drug for s in (case.prompt.statements if case.prompt else ()) for drug in s.mention.drugs}
    taking = {exposure.drug for exposure in case.taking}
    for exposure in case.unique_given():
        if not exposure.new or exposure.origin != "output" or exposure.drug in said | asked | taking:
            continue
        if any(case.of_class(exposure.drug, class_id) for class_id in classes):
            continue
        severity = Severity.MODERATE if exposure.scope is Scope.RECOMMEND else Severity.INFO
        yield case.finding(
            Code.UNSUPPORTED,
            exposure,
            severity,
            rule("unsupported-drug", "documents " + ", ".join(s.document.id for s in sources)),
            f"{exposure.drug} is in no document, nor in the prompt or the patient's list",
        )


def _contradiction(
    case: Case,
    exposure: Exposure,
    source: _Source,
    clause: Span,
    kind: str,
    severity: Severity,
    message: str,
    *,
    span: Span | None = None,
) -> Finding:
    quote = " ".join(source.document.text[clause.start : clause.end].split())[:200]
    return case.finding(
        Code.CONTRADICTION,
        exposure,
        severity,
        rule(f"grounding-{kind}", f"document {source.document.id}"),
        f"{message}: `{quote}`",
        span=span,
    )


def _sentence(
    case: Case, passage: Passage, span: Span, kind: str, severity: Severity, message: str
) -> Finding:
    return case.finding(
        Code.CONTRADICTION,
        None,
        severity,
        rule(f"grounding-{kind}", f"document {passage.document}"),
        f"{message}: `{' '.join(passage.text.split())[:200]}`",
        span=span,
    )
