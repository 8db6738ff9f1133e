"""The documents of a call before a model sees them: too weak for the question, withdrawn, too old, or somebody else's.

Each is a finding of its own code about the request; spans are (0, 0), since offsets are into the output. What an output
makes of such a document is judged again beside it (`grounding.withdrawn`, `checks.identity`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.about import HEAD, numbers_of, record_number, stated_ages, stated_sex
from attending.guardrails.checks.names import parts_of, persons
from attending.guardrails.checks.passages import content_words
from attending.guardrails.context.merge import age_in_years
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.grounding.withdrawn import is_withdrawn
from attending.guardrails.patient import Document, PatientContext
from attending.guardrails.policy.schema import Documents
from attending.guardrails.rails.catalog import DOCUMENT_FLOW

RAIL: Final = DOCUMENT_FLOW
_SOURCE: Final = "attending.guardrails.rails.documents"
_OPENING: Final = 300
"""Code points in which a note without a name says whom it is about."""
_GENERAL: Final = re.compile(
    r"\b(?:guidelines?|guidance|leaflet|recommend(?:ed|ation)s?|protocol|policy|patients with|example"
    r"|case (?:report|study)|study|trial|monograph|prescribing information|you should|if you)\b",
    re.I,
)
"""Words of a text for everybody, which may describe a patient who is nobody."""
_APART_YEARS: Final = Decimal(2)
_LONG_AGO_YEARS: Final = Decimal(15)
_LEAST_ASKED: Final = 3


def judge_documents(
    prompt: str,
    documents: Sequence[Document],
    patient: PatientContext | None,
    limits: Documents,
    today: date,
) -> Iterator[Finding]:
    """The findings about the documents of one call. Pure; raises nothing for any text."""
    weak = _weak(prompt, documents, limits)
    if weak is not None:
        yield _finding(Code.RETRIEVAL_WEAK, weak[0], Severity.MODERATE, weak[1], "")
    for document in documents:
        if is_withdrawn(document):
            where = "its register" if document.withdrawn else "its own head"
            yield _finding(
                Code.WITHDRAWN_DOCUMENT,
                "withdrawn",
                Severity.MAJOR,
                f"no longer holds, {where} says",
                document.id,
            )
        stale = _stale(document, limits, today)
        if stale is not None:
            yield _finding(Code.STALE_DOCUMENT, stale[0], Severity.MODERATE, stale[1], document.id)
        foreign = _foreign(document, patient, today) if patient is not None else None
        if foreign is not None:
            yield _finding(Code.WRONG_PATIENT_DOCUMENT, foreign[0], foreign[1], foreign[2], document.id)


def _weak(prompt: str, documents: Sequence[Document], limits: Documents) -> tuple[str, str] | None:
    """Which limit the retrieval misses, and in words; by scores where every document has one, else by words."""
    if not documents:
        return ("none", "no document was found for a question that needs one") if limits.required else None
    scores = [document.score for document in documents if document.score is not None]
    if limits.min_score is not None and len(scores) == len(documents):
        best = max(scores)
        if best < limits.min_score:
            return "score", f"the best document scores {best}, below {limits.min_score}"
    if limits.min_overlap_percent is None:
        return None
    asked = frozenset(content_words(prompt))
    if len(asked) < _LEAST_ASKED:
        return None
    most = max(len(asked & frozenset(content_words(document.text))) for document in documents)
    percent = 100 * most // len(asked)
    if percent < limits.min_overlap_percent:
        least = limits.min_overlap_percent
        return "overlap", f"no document has more than {percent} % of the question's words, below {least} %"
    return None


def _stale(document: Document, limits: Documents, today: date) -> tuple[str, str] | None:
    if document.review_by is not None and document.review_by < today:
        return "review", f"was due for review on {document.review_by}"
    if limits.max_age_days is None:
        return None
    if document.published is None:
        return None
    days = (today - document.published).days
    if days > limits.max_age_days:
        return "age", f"is {days} days old, the limit is {limits.max_age_days}"
    return None


def _foreign(document: Document, patient: PatientContext, today: date) -> tuple[str, Severity, str] | None:
    """By what the document is another patient's: its register, a number, a name, the sex or the age it gives."""
    identity = patient.identity
    mrn = record_number(identity.mrn) if identity is not None and identity.mrn else None
    if mrn is not None and document.patient_id and record_number(document.patient_id) != mrn:
        return "register", Severity.MAJOR, "is filed under another record number"
    head = document.text[:HEAD]
    names = [name for _, name in persons(head)]
    numbers = numbers_of(head)
    if mrn is not None and mrn not in numbers.get("mrn", {mrn}):
        return "record-number", Severity.MAJOR, "gives another record number than the patient's"
    birth_date = identity.birth_date if identity is not None else None
    born = f"{birth_date:%Y%m%d}" if birth_date is not None else None
    if born is not None and born not in numbers.get("born", {born}):
        return "birth-date", Severity.MAJOR, "gives another birth date than the patient's"
    known = parts_of(identity.names if identity is not None else ())
    if known and names and known.isdisjoint(parts_of(names)):
        return "name", Severity.MAJOR, "names another person as the patient"
    # A leaflet's "a 60-year-old man" is nobody; a note that names a patient, or opens with one, is about somebody.
    named = bool(names) or bool(numbers) or document.patient_id is not None
    if not named and _GENERAL.search(head) is not None:
        return None
    about = head if named else head[:_OPENING]
    sex = stated_sex(about)
    if sex is not None and patient.sex in ("male", "female") and sex != patient.sex:
        return "sex", Severity.MAJOR, f"is about a {sex} patient, the patient is {patient.sex}"
    age = age_in_years(patient)
    ages = stated_ages(about)
    if age is None or len(ages) != 1:
        return None
    (told,) = ages
    if document.published is not None:
        then = age - Decimal((today - document.published).days) / Decimal("365.25")
        apart = abs(told - then) > _APART_YEARS
    else:
        apart = told - age > _APART_YEARS or age - told > _LONG_AGO_YEARS
    return ("age", Severity.MAJOR, "gives another age than the patient's") if apart else None


def _finding(code: Code, rule: str, severity: Severity, message: str, document: str) -> Finding:
    return Finding(
        rail=RAIL,
        code=code,
        rule_id=f"document:{rule}",
        severity=severity,
        scope=Scope.MENTION,
        start=0,
        end=0,
        text="",
        basis=Basis.RULE,
        source=f"document {document}" if document else _SOURCE,
        message=f"document `{document}` {message}" if document else message,
    )
