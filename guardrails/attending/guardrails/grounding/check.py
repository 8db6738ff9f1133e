"""The check: every claim of the output against the documents, as findings and as citations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case, rule
from attending.guardrails.checks.claims import mismatches
from attending.guardrails.citation import Citation
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.grounding.cite import Aligned, align, citations
from attending.guardrails.grounding.compare import Difference, differences
from attending.guardrails.grounding.drugs import Source, drug_claims, unsupported
from attending.guardrails.grounding.reading import Reading, read
from attending.guardrails.grounding.sources import Sources
from attending.guardrails.grounding.withdrawn import is_withdrawn, withdrawn

_TOLD: Final[dict[str, tuple[Severity, str]]] = {
    "number": (Severity.MODERATE, "another number than the document gives"),
    "unit": (Severity.MAJOR, "another unit than the document gives"),
    "time": (Severity.MODERATE, "another time than the document gives"),
    "side": (Severity.MAJOR, "another side than the document gives"),
    "drug": (Severity.MAJOR, "another drug than the document names here"),
    "negation": (Severity.MAJOR, "the sentence and the document differ by a negation"),
    "opposite": (Severity.MODERATE, "the opposite of what the document says"),
}
_IN_OTHER_WORDS: Final = frozenset(
    {"rule:grounding-polarity", "rule:grounding-instruction", "rule:grounding-length"}
)
"""Rules that read a sentence by itself: where a passage says the same word for word, the passage decides."""
_VERBATIM: Final = 0.9
MAX_FINDINGS: Final = 200
"""Contradictions told of one output: a text with more is held by these, and read against its documents anyway."""


@dataclass(frozen=True, slots=True)
class Grounded:
    """What the check says of one output; both empty without documents."""

    findings: tuple[Finding, ...] = ()
    citations: tuple[Citation, ...] = ()


def grounding(case: Case) -> Iterator[Finding]:
    """Findings on claims of the output that the documents contradict or do not support; none without documents."""
    yield from ground(case).findings


def ground(case: Case) -> Grounded:
    """Findings and citations of one case, judged once."""
    return case.once("grounded", lambda: _ground(case))


def _ground(case: Case) -> Grounded:
    documents = case.judged.documents
    if not documents:
        return Grounded()
    sources = [Source(document, case.documents[document.text]) for document in documents]
    gone: list[Source] = []
    valid: list[Source] = []
    for source in sources:
        (gone if is_withdrawn(source.document) else valid).append(source)
    ours = _reading(case, case.judged.output, "")
    theirs = Sources([_reading(case, s.document.text, s.document.id) for s in valid])
    aligned = align(ours, theirs)
    different = list(differences(ours, theirs))
    told = {ours.sentence_at(found.start) for found in different}
    verbatim = [ours.bounds[a.sentence] for a in aligned if a.share >= _VERBATIM and a.sentence not in told]
    taken: list[Finding] = []
    found = (
        *drug_claims(case, valid),
        *_findings(case, different),
        *_strange_drugs(case, ours, theirs, aligned),
        *_plain_claims(case, valid),
    )
    for finding in found:
        if len(taken) == MAX_FINDINGS:
            break
        if finding.rule_id in _IN_OTHER_WORDS and _within(finding, verbatim):
            continue
        if finding.start == finding.end or not any(
            f.start < finding.end and finding.start < f.end for f in taken
        ):
            taken.append(finding)
    rests = withdrawn(case, gone, valid) if gone else ()
    findings = (*rests, *taken, *unsupported(case, sources, taken))
    return Grounded(findings, tuple(citations(ours, aligned, different, taken)))


def _reading(case: Case, text: str, document: str) -> Reading:
    """Drug names are taken as written, "testosterone levels" too, since only what stands in one place is compared."""
    lowered = text.lower()
    drugs: dict[Span, frozenset[str]] = {}
    # A few letters change their length when made small; then the names would be looked for in the wrong places.
    for hit in case.lexicon.find(lowered) if len(lowered) == len(text) else ():
        names = frozenset(hit.drugs)
        if not names and hit.drug_class:
            names = frozenset(case.knowledge.members(hit.drug_class)) | {hit.drug_class}
        drugs[Span(hit.start, hit.end)] = names
    return read(text, document, drugs)


def _within(finding: Finding, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= finding.start and finding.end <= end for start, end in spans)


def _findings(case: Case, different: Iterable[Difference]) -> Iterator[Finding]:
    for found in different:
        severity, told = _TOLD[found.kind]
        yield _finding(case, found, severity, told)


def _finding(case: Case, found: Difference, severity: Severity, told: str) -> Finding:
    return case.finding(
        Code.CONTRADICTION,
        None,
        severity,
        rule(f"grounding-{found.kind}", f"document {found.passage.document}"),
        f"{told}: `{' '.join(found.passage.text.split())[:200]}`",
        span=Span(found.start, found.end),
    )


def _strange_drugs(case: Case, ours: Reading, theirs: Sources, aligned: list[Aligned]) -> Iterator[Finding]:
    """A drug that no document knows, in a sentence that is a passage's in everything else."""
    shares = {a.sentence: a for a in aligned}
    known = theirs.drugs
    for fact in ours.facts:
        if not isinstance(fact.value, frozenset) or fact.value & known or fact.value & theirs.words.keys():
            continue
        near = shares.get(fact.sentence)
        if near is None or near.passage is None:
            continue
        rest = near.stems - fact.value
        if len(rest) < 2 or theirs.shared(rest, near.at) < _STRANGE:
            continue
        found = Difference("drug", fact.start, fact.end, near.passage)
        yield _finding(case, found, Severity.MAJOR, "a drug that the document does not name here")


_STRANGE: Final = 0.72


def _plain_claims(case: Case, valid: list[Source]) -> Iterator[Finding]:
    """Lengths of time and plain instructions, clause by clause (`checks.claims`)."""
    for found in mismatches(case.judged.output, [source.document for source in valid]):
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
