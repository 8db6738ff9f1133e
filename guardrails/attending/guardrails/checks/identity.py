"""The text is about somebody else: another name, record number, birth date, sex or age than the patient's.

Not caught: another patient's text that names nobody and contradicts nothing that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.about import (
    HEAD,
    ages,
    birth_dates,
    numbers_of,
    record_number,
    record_numbers,
    sexes,
    stated_ages,
    stated_sex,
)
from attending.guardrails.checks.body import impossible
from attending.guardrails.checks.case import Case, rule
from attending.guardrails.checks.names import name_parts, parts_of, persons
from attending.guardrails.clinical.statement import Span
from attending.guardrails.clinical.trend import set_back
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_HE: Final = re.compile(r"\b(?:he|him|his|himself)\b", re.I)
_SHE: Final = re.compile(r"\b(?:she|her|hers|herself)\b", re.I)
_ANY_OTHER: Final = re.compile(
    r"\b(?:mother|mom|mum|father|dad|brother|sister|son|daughter|husband|wife|partner|spouse|uncle|aunt"
    r"|grand\w+|cousin"
    r"|friend|caregiver|carer|nurse|doctor|dr|midwife|colleague|surgeon|roommate|baby|infant|newborn|child|twins?)\b",
    re.I,
)
_HER_BODY: Final = re.compile(
    r"\b(?:hysterectomy|cervical (?:smears?|screening|cancer)|pap (?:smear|test)|oophorectomy|menopaus\w+"
    r"|uterine|uterus"
    r"|ovar(?:y|ian|ies)|endometri\w+|menstru\w+|fibroids?|mastitis|pelvic exam\w*|miscarriage"
    r"|c(?:a?esarean|-section))\b",
    re.I,
)
_HIS_BODY: Final = re.compile(
    r"\b(?:prostat(?:e|ic|itis|ectomy)|testic\w+|orchi\w+|vasectomy|circumcis\w+|hydrocele|varicocele)\b",
    re.I,
)
_PAST: Final = re.compile(
    r"\b(?:pmh|psh|history|hx|previous(?:ly)?|diagnosed|since|when|had|was|were|after|at|from|until|before"
    r"|first|childhood"
    r"|operated|removed|started|stopped|menarche)\b[^.;\n]{0,70}$",
    re.I,
)
"""Words before an age at which something was once so ("appendix out aged 12")."""
_OF_OTHER: Final = Sieved(
    r"\b(?:(?:another|different|wrong|other|somebody else's|someone else's) patient|belongs? to|mis-?filed"
    r"|refiled|mismatch\w*"
    r"|left (?:it|this|that|them|d\d) (?:out|aside)|leaving (?:it|this|that) out|ignored (?:it|this|that|d\d)"
    r"|(?:does not|doesn't|do not|don't) match|not (?:this|our|the same) patient|(?:have"
    r"|has) not (?:been )?used|not used)\b",
    re.I,
)
"""The output itself says that a document or number is not the patient's."""
_YEARS_APART: Final = Decimal(2)


def wrong_patient(case: Case) -> Iterator[Finding]:
    yield from _names(case)
    yield from _numbers(case)
    yield from _documents(case)
    yield from _beside_documents(case)
    sexed = list(_sex(case))
    yield from sexed
    if not sexed:
        yield from _content(case)
    yield from _age(case)
    yield from _conflicts(case)


def _names(case: Case) -> Iterator[Finding]:
    """A person named as the patient who is not the patient of record, prompt or documents."""
    known = _known_names(case)
    if not known:
        return
    seen: set[str] = set()
    for span, name in persons(case.judged.output):
        parts = name_parts(name)
        if not parts or parts & known or name.lower() in seen:
            continue
        seen.add(name.lower())
        yield _found(
            case, "name", Severity.CONTRAINDICATED, "the text names somebody else than the patient", span
        )


def _known_names(case: Case) -> set[str]:
    identity = case.context.identity
    known = parts_of(identity.names if identity is not None else ())
    if known:
        # The record says who the patient is; a prompt may only add relatives and staff, which have no say.
        return known
    return parts_of(name for _, name in persons(case.judged.prompt or ""))


def _numbers(case: Case) -> Iterator[Finding]:
    identity = case.context.identity
    text, prompt = case.judged.output, case.judged.prompt or ""
    known = {number for _, _, number in record_numbers(prompt)}
    if identity is not None and identity.mrn:
        known = {record_number(identity.mrn)}
    for span, _, number in record_numbers(text):
        if known and number not in known:
            yield _found(
                case,
                "record-number",
                Severity.CONTRAINDICATED,
                "another record number than the patient's",
                span,
            )
            break
    born = {day for _, days in birth_dates(prompt) for day in days}
    if identity is not None and identity.birth_date is not None:
        born = {identity.birth_date}
    for span, days in birth_dates(text):
        if born and not born & days:
            yield _found(
                case, "birth-date", Severity.CONTRAINDICATED, "another birth date than the patient's", span
            )
            break


def _documents(case: Case) -> Iterator[Finding]:
    """A document whose header names another patient; the worse where the output repeats that name."""
    if not case.judged.documents:
        return
    known = _known_names(case)
    identity = case.context.identity
    mrn = record_number(identity.mrn) if identity is not None and identity.mrn else None
    told = numbers_of(case.judged.prompt or "")
    if _OF_OTHER.search(case.judged.output):
        return
    for document in case.judged.documents:
        head = document.text[:HEAD]
        names = [name for _, name in persons(head)]
        foreign = bool(known) and bool(names) and known.isdisjoint(parts_of(names))
        theirs = numbers_of(head)
        numbers = theirs.get("mrn", set())
        if mrn is not None:
            other = bool(numbers) and mrn not in numbers
        else:
            other = any(told[kind].isdisjoint(theirs[kind]) for kind in told.keys() & theirs.keys())
        if foreign or other:
            yield _found(
                case,
                "document",
                Severity.MAJOR,
                f"document {document.id} is about another patient",
                Span(0, 0),
            )


def _beside_documents(case: Case) -> Iterator[Finding]:
    """Numbers of the output's header that no document has, where neither record nor prompt tells them: the namesake."""
    identity = case.context.identity
    text = case.judged.output
    if not case.judged.documents or _OF_OTHER.search(text):
        return
    ours = numbers_of(text)
    theirs: dict[str, set[str]] = {}
    for document in case.judged.documents:
        for kind, numbers in numbers_of(document.text[:HEAD]).items():
            theirs.setdefault(kind, set()).update(numbers)
    told = numbers_of(case.judged.prompt or "")
    settled = set(told)
    if identity is not None:
        settled |= {"born"} if identity.birth_date is not None else set()
        settled |= {"mrn", "nhs"} if identity.mrn else set()
    for kind in sorted((ours.keys() & theirs.keys()) - settled):
        if ours[kind].isdisjoint(theirs[kind]):
            what = "birth date" if kind == "born" else "record number"
            yield _found(
                case,
                "birth-date" if kind == "born" else "record-number",
                Severity.CONTRAINDICATED,
                f"another {what} than in the documents",
                Span(0, 0),
            )
            return


def _sex(case: Case) -> Iterator[Finding]:
    sex = case.context.sex or stated_sex(case.judged.prompt or "")
    if sex not in ("male", "female"):
        return
    text = case.judged.output
    for span, said in sexes(text):
        if said != sex:
            yield _found(
                case,
                "sex",
                Severity.MAJOR,
                f"the text is about a {said} patient; the patient is {sex}",
                span,
            )
            return
    yield from _pronouns(case, sex)


def _content(case: Case) -> Iterator[Finding]:
    sex = case.context.sex or stated_sex(case.judged.prompt or "")
    for unfit, span in impossible(case, sex):
        yield _found(case, "anatomy", Severity.MAJOR, f"this does not apply to {unfit}", span)


def _pronouns(case: Case, sex: str) -> Iterator[Finding]:
    """A text that speaks of the patient as the other sex throughout, or of a body that the patient does not have."""
    text = case.judged.output
    theirs, ours, body = (_SHE, _HE, _HER_BODY) if sex == "male" else (_HE, _SHE, _HIS_BODY)
    other = list(theirs.finditer(text))
    if not other or ours.search(text) is not None or _ANY_OTHER.search(text) is not None:
        return
    organ = body.search(text)
    if len(other) >= 3 or organ is not None:
        first = other[0]
        said = "female" if sex == "male" else "male"
        yield _found(
            case,
            "sex",
            Severity.MAJOR,
            f"the text speaks of a {said} patient; the patient is {sex}",
            Span(*first.span()),
        )


def _age(case: Case) -> Iterator[Finding]:
    known = case.age_years
    text = case.judged.output
    if case.judged.context.age_years is None and case.judged.context.age_days is None:
        asked = stated_ages(case.judged.prompt or "")
        known = asked.pop() if len(asked) == 1 else None
    if known is None:
        return
    for span, said in ages(text):
        past = said < known and _PAST.search(text, max(0, span.start - 80), span.start) is not None
        if abs(said - known) > _YEARS_APART and not past:
            yield _found(
                case,
                "age",
                Severity.MAJOR,
                "the text gives another age than the patient's",
                span,
            )
            return


def _conflicts(case: Case) -> Iterator[Finding]:
    """What the record and a text cannot both be right about, where no span was found above."""
    told: Iterable[str] = (
        "pregnant",
        "weight_kg",
        "egfr",
        "crcl",
        "dialysis",
        "child_pugh",
        "pregnancy_weeks",
    )
    for conflict in case.conflicts:
        if conflict.field in told and not _of_the_past(case, conflict.stated):
            yield _found(
                case,
                f"conflict-{conflict.field.replace('_', '-')}",
                Severity.MODERATE,
                f"the record says {conflict.field.replace('_', ' ')} {conflict.recorded}, the text {conflict.stated}",
                Span(0, 0),
                code=Code.CONTRADICTION,
            )


def _of_the_past(case: Case, stated: str) -> bool:
    """Whether the texts tell the number only as one of the past: "it was 31 in hospital in March"."""
    number = re.compile(rf"(?<![\d.]){re.escape(stated)}(?![\d]|\.\d)")
    found = [
        (text, match)
        for text in (case.judged.output, case.judged.prompt or "")
        for match in number.finditer(text)
    ]
    return bool(found) and all(set_back(text, *match.span()) for text, match in found)


def _found(
    case: Case, kind: str, severity: Severity, message: str, span: Span, *, code: Code = Code.WRONG_PATIENT
) -> Finding:
    return case.finding(
        code,
        None,
        severity,
        rule(f"patient-{kind}", "the patient's record, prompt and documents"),
        message,
        span=span,
    )
