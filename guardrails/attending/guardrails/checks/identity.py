"""The text is about somebody else: another name, record number, birth date, sex or age than the patient's.

Not caught: another patient's text that names nobody and contradicts nothing that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.body import impossible
from attending.guardrails.checks.case import Case, rule
from attending.guardrails.checks.names import name_parts, persons
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.clinical.trend import set_back
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.patient import Identity
from attending.guardrails.sieve import Sieved

_MRN: Final = Sieved(
    r"\b(?:MRN|Medical Record (?:Number|No\.?)|Record (?:No|Number)|Hospital (?:No|Number)|NHS (?:No"
    r"|Number))\b[\s:#.]*(?P<mrn>[A-Z]{0,4}-?\d[\d -]{3,14}\d)",
    re.I,
)
_BORN: Final = Sieved(
    r"\b(?:DOB|D\.O\.B\.|date of birth|born(?: on)?)\b[\s:]*(?P<date>\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{4})",
    re.I,
)
_AGED: Final = re.compile(
    r"\b(?P<age>\d{1,3})[- ]?(?P<unit>year|yr|month|mo|week|day)s?[- ]?(?:old|o\b)|\b(?P<yo>\d{1,3}) ?(?:y/?o"
    r"|yo)\b|\baged? (?P<aged>\d{1,3})\b(?! ?(?:to|-|or|and|years? (?:and|or)))",
    re.I,
)
_SEXED: Final = Sieved(
    r"\b\d{1,3}[- ]?(?:year|yr|month|y/?o)s?[- ]?(?:old|o)?[- ,]{0,2}(?:\w+ ){0,2}?(?P<who>woman|female|lady"
    r"|girl|man|male|gentleman|boy)\b"
    r"|\b(?:this|the|a|pleasant) (?:\w+ )?(?P<whom>woman|lady|girl|gentleman)\b"
    r"|\b\d{1,3} ?(?P<letter>[MF])\b",
)
_FEMALE: Final = frozenset({"woman", "female", "lady", "girl", "f"})
_OTHERS: Final = re.compile(
    r"\b(?:mother|father|brother|sister|son|daughter|husband|wife|partner|spouse|uncle|aunt|grand\w+"
    r"|child(?:ren)?|family|relatives?"
    r"|men|women|males|females|people|patients|adults|if you|unless|example|typical|average|study|trial|every|anyone"
    r"|infants?|teens?|adolescents?|over the age|under the age|ages?)\b",
    re.I,
)
_RELATIVES: Final = re.compile(
    r"\b(?:mother|father|brother|sister|son|daughter|husband|wife|partner|spouse|uncle|aunt|grand\w+|cousin)\b",
    re.I,
)
_RELATIVE_NEXT: Final = re.compile(
    r"[\s,-]{0,3}(?:old[\s,-]{1,2})?(?:(?!(?:her|his|their|my|your|by|with|and)\b)\w{1,40}[\s,-]{1,2}){0,2}"
    r"(?:mother|father|brother|sister|son|daughter|husband|wife|partner|spouse|uncle|aunt|grand\w+|cousin)\b",
    re.I,
)
"""A relative who is the one described ("a 5-year-old son"), not one who comes along ("brought by his mother")."""
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
_LEFT_OUT: Final = re.compile(
    r"\b(?:documents?|records?|notes?|letters?|files?|reports?|results?|pages?|summar(?:y|ies)|d\d{1,2})\b"
    r"(?:[^.;\n]|[.;] ?(?:it|that|this|so|i|we)\b){0,120}?\b(?:left (?:it |this |that |them )?(?:out|aside)"
    r"|ignor(?:ed|ing)"
    r"|disregard(?:ed|ing)?|set (?:it |this |that |them )?aside|put (?:it |this |that )?aside|excluded"
    r"|leaving (?:it|this|that)"
    r" out|not (?:been )?used|(?:did|have|do) not use[d]?|skipped|not (?:included|considered|relied on)|no bearing)\b"
    r"|\b(?:left out|ignored|disregarded|set aside|excluded|skipped|(?:did|have) not used?|didn't use)\b[^.;\n]{0,40}?"
    r"\b(?:documents?|records?|notes?|letters?|files?|reports?|d\d{1,2})\b",
    re.I,
)
"""A document that the output says it did not use; whom it is about is no patient of the output's."""
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
    known: set[str] = set()
    identity = case.context.identity
    for name in identity.names if identity is not None else ():
        known |= name_parts(name)
    if known:
        # The record says who the patient is; a prompt may only add relatives and staff, which have no say.
        return known
    for _, name in persons(case.judged.prompt or ""):
        known |= name_parts(name)
    return known


def _numbers(case: Case) -> Iterator[Finding]:
    identity = case.context.identity
    text, prompt = case.judged.output, case.judged.prompt or ""
    known = {_digits(m["mrn"]) for m in _MRN.finditer(prompt)}
    if identity is not None and identity.mrn:
        known = {_digits(identity.mrn)}
    for match in _MRN.finditer(text):
        if known and _digits(match["mrn"]) not in known:
            span = Span(match.start("mrn"), match.end("mrn"))
            yield _found(
                case,
                "record-number",
                Severity.CONTRAINDICATED,
                "another record number than the patient's",
                span,
            )
            break
    born = {day for m in _BORN.finditer(prompt) for day in _dates(m["date"])}
    if identity is not None and identity.birth_date is not None:
        born = {identity.birth_date}
    for match in _BORN.finditer(text):
        if born and not born & _dates(match["date"]):
            span = Span(match.start("date"), match.end("date"))
            yield _found(
                case, "birth-date", Severity.CONTRAINDICATED, "another birth date than the patient's", span
            )
            break


def _numbers_of(text: str) -> dict[str, set[str]]:
    """The numbers a text gives to the person it is about, by kind: a hospital's is not held against a nation's."""
    found: dict[str, set[str]] = {}
    for match in _MRN.finditer(text):
        kind = "nhs" if match.group().lower().startswith("nhs") else "mrn"
        found.setdefault(kind, set()).add(_digits(match["mrn"]))
    for match in _BORN.finditer(text):
        days = {f"{day:%Y%m%d}" for day in _dates(match["date"])}
        if days:
            found.setdefault("born", set()).update(days)
    return found


def other_numbers(text: str, identity: Identity | None) -> tuple[bool, str | None]:
    """Whether a text gives numbers of the person it is about, and which of them is not the patient's."""
    found = _numbers_of(text)
    if identity is None:
        return bool(found), None
    mrn = _digits(identity.mrn) if identity.mrn else None
    if mrn is not None and found.get("mrn") and mrn not in found["mrn"]:
        return True, "record-number"
    born = f"{identity.birth_date:%Y%m%d}" if identity.birth_date is not None else None
    if born is not None and found.get("born") and born not in found["born"]:
        return True, "birth-date"
    return bool(found), None


def record_number(text: str) -> str:
    """A record number without its label and punctuation."""
    return _digits(text)


def stated_sex(text: str) -> str | None:
    """The sex that a text gives to whom it is about, male or female; None where it gives none, or both."""
    return _stated_sex(text)


def stated_ages(text: str) -> set[Decimal]:
    """The ages in years that a text gives to whom it is about."""
    return {_years(m) for m in _AGED.finditer(text) if not _about_others(text, *m.span())}


def _digits(text: str) -> str:
    """A record number without its label and punctuation: "MRN-77355129" and "77355129" are the same one."""
    bare = re.sub(r"[^A-Za-z0-9]", "", text).lower()
    return re.sub(r"^(?:mrn|mr|no|nr|id|hospitalno|hospitalnumber)(?=\d)", "", bare)


def _dates(text: str) -> set[date]:
    """Both readings of a numeric date, since day and month order is not said."""
    numbers = [int(part) for part in re.split(r"[-/.]", text)]
    orders = [(0, 1, 2)] if len(text.split("-", maxsplit=1)[0]) == 4 else [(2, 0, 1), (2, 1, 0)]
    found: set[date] = set()
    for year, month, day in orders:
        try:
            found.add(date(numbers[year], numbers[month], numbers[day]))
        except ValueError:
            continue
    return found


def _documents(case: Case) -> Iterator[Finding]:
    """A document whose header names another patient; the worse where the output repeats that name."""
    if not case.judged.documents:
        return
    known = _known_names(case)
    identity = case.context.identity
    mrn = _digits(identity.mrn) if identity is not None and identity.mrn else None
    told = _numbers_of(case.judged.prompt or "")
    if _OF_OTHER.search(case.judged.output):
        return
    for document in case.judged.documents:
        head = document.text[:2000]
        names = [name for _, name in persons(head)]
        foreign = bool(known) and bool(names) and not any(name_parts(name) & known for name in names)
        theirs = _numbers_of(head)
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
    ours = _numbers_of(text)
    theirs: dict[str, set[str]] = {}
    for document in case.judged.documents:
        for kind, numbers in _numbers_of(document.text[:2000]).items():
            theirs.setdefault(kind, set()).update(numbers)
    told = _numbers_of(case.judged.prompt or "")
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
    sex = case.context.sex or _stated_sex(case.judged.prompt or "")
    if sex not in ("male", "female"):
        return
    text = case.judged.output
    for match in _SEXED.finditer(text):
        who = (match["who"] or match["whom"] or match["letter"] or "").lower()
        said = "female" if who in _FEMALE else "male"
        if who and said != sex and not _about_others(text, match.start(), match.end()):
            yield _found(
                case,
                "sex",
                Severity.MAJOR,
                f"the text is about a {said} patient; the patient is {sex}",
                Span(*match.span()),
            )
            return
    spoken = list(_pronouns(case, sex))
    if spoken:
        yield spoken[0]
        return


def _content(case: Case) -> Iterator[Finding]:
    sex = case.context.sex or _stated_sex(case.judged.prompt or "")
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


def _stated_sex(text: str) -> str | None:
    said = {
        "female" if (m["who"] or m["whom"] or m["letter"] or "").lower() in _FEMALE else "male"
        for m in _SEXED.finditer(text)
        if not _about_others(text, m.start(), m.end())
    }
    return said.pop() if len(said) == 1 else None


def _age(case: Case) -> Iterator[Finding]:
    known = case.age_years
    text = case.judged.output
    if case.judged.context.age_years is None and case.judged.context.age_days is None:
        ages = {
            _years(m)
            for m in _AGED.finditer(case.judged.prompt or "")
            if not _about_others(case.judged.prompt or "", *m.span())
        }
        known = ages.pop() if len(ages) == 1 else None
    if known is None:
        return
    for match in _AGED.finditer(text):
        said = _years(match)
        past = said < known and _PAST.search(text, max(0, match.start() - 80), match.start()) is not None
        if (
            abs(said - known) > _YEARS_APART
            and not past
            and not _about_others(text, match.start(), match.end())
        ):
            yield _found(
                case,
                "age",
                Severity.MAJOR,
                "the text gives another age than the patient's",
                Span(*match.span()),
            )
            return


def _years(match: re.Match[str]) -> Decimal:
    number = Decimal(match["age"] or match["yo"] or match["aged"])
    unit = (match["unit"] or "year").lower()
    per_year = {"year": 1, "yr": 1, "month": 12, "mo": 12, "week": 52, "day": 365}[unit]
    return number / per_year


def _about_others(text: str, start: int, end: int, *, anywhere: bool = False) -> bool:
    """True where the clause speaks of relatives, of people in general or in a condition; behind the words only
    where the relative is the one described, unless `anywhere`."""
    if _of_left_out(text, start, end):
        return True
    clause = sentence_around(text, start, end, semicolons=True)
    relatives = _RELATIVES.search if anywhere else _RELATIVE_NEXT.match
    if relatives(text[end : min(clause.end, end + 60)]) is not None:
        return True
    return (
        _OTHERS.search(text[clause.start : end]) is not None
        or _OTHERS.match(text[end : end + 20].lstrip()) is not None
    )


def _of_left_out(text: str, start: int, end: int) -> bool:
    """Whether the words tell of a document that the text left out, in their sentence or the next."""
    near = sentence_around(text, start, end, semicolons=True, following=1)
    return any(
        match.start() - 80 <= start and end <= match.end() + 80
        for match in _LEFT_OUT.finditer(text, max(0, near.start), min(near.end, near.start + 500))
    )


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
