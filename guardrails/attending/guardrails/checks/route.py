"""Routes for which no product exists, intrathecal drugs outside the short list that may go there, rates of
infusion and push that are too fast, and treatment that lasts too long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import exposure_amount, shown
from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.checks.course import WITHOUT_END, lasting_days
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Basis, Code, Finding, Severity
from attending.guardrails.knowledge.facts import Provenance

_INJECTED: Final = frozenset({"intravenous", "intramuscular", "subcutaneous", "intrathecal"})
_INTRATHECAL_WORDS: Final = (
    "methotrexate cytarabine morphine hydromorphone fentanyl sufentanil baclofen ziconotide "
    "hydrocortisone nusinersen tofersen bupivacaine ropivacaine lidocaine chloroprocaine tetracaine "
    "levobupivacaine gentamicin vancomycin colistimethate amikacin polymyxin clonidine iohexol thiotepa "
    "dexamethasone"
)
_INTRATHECAL: Final = frozenset(_INTRATHECAL_WORDS.split())
_SPINAL: Final = re.compile(
    r"\b(?:intrathecal(?:ly)?|intraventricular(?:ly)?|into the (?:spinal|csf)|spinal injection)\b", re.I
)

_C_DIFFICILE: Final = re.compile(
    r"\bc(?:\.|lostridi(?:um|oides))? ?diff(?:icile)?\b|\bcdi\b|\bcdad\b|\bpseudomembranous colitis\b", re.I
)
_NOT_NOW: Final = re.compile(
    r"\b(?:no|not|negative for|without|ruled out|history of|previous|prior|past|prevent\w*|risk of|avoid\w*)\b"
    r"[^.;\n]{0,30}$",
    re.I,
)
_RULED_OUT: Final = re.compile(r"[^.;\n]{0,30}\b(?:negative|ruled out|not detected|prophyla\w+)", re.I)
_ELSEWHERE: Final = re.compile(
    r"\b(?:mrsa|bacter[a]?emia|bacteremia|sepsis|septic|endocarditis|osteomyelitis|pneumonia|cellulitis|meningitis|"
    r"abscess|line infection|joint|surgical prophylaxis|trough|auc)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Rate:
    """At most `top` of `unit` per minute (or per hour where `hourly`), or at least `minutes` for any dose."""

    drug: str
    check: str
    top: Decimal | None = None
    unit: str = "mg"
    hourly: bool = False
    minutes: Decimal | None = None
    no_push: bool = False
    per_kg: bool = False
    above: Decimal | None = None
    """Doses up to this may be pushed."""


def _r(drug: str, check: str, **kw: object) -> _Rate:
    values = {
        k: Decimal(v) if isinstance(v, str) and k in ("top", "minutes", "above") else v for k, v in kw.items()
    }
    return _Rate(drug, check, **values)  # type: ignore[arg-type]


_RATES: Final = {
    rate.drug: rate
    for rate in (
        _r(
            "potassium chloride",
            "label, rate of intravenous administration",
            top="20",
            unit="mEq",
            hourly=True,
            no_push=True,
        ),
        _r(
            "potassium phosphate",
            "label, rate of intravenous administration",
            top="15",
            unit="mmol",
            hourly=True,
            no_push=True,
        ),
        # The label: at most 10 mg a minute or over 60 minutes, whichever is longer. The consensus guideline of ASHP,
        # IDSA, PIDS and SIDP (2020) gives loading doses at 10 to 15 mg a minute, and hospitals in the United States
        # give 1 g over an hour, 1.5 g over 90 minutes and 2 g over two hours: 1 g an hour.
        _r(
            "vancomycin",
            "label, section 2; ASHP/IDSA guideline 2020; usual practice: 1 g an hour, not under 60 minutes",
            top="1000",
            hourly=True,
            minutes="60",
            no_push=True,
        ),
        _r("phenytoin", "label, boxed warning, cardiovascular risk with rapid infusion", top="50"),
        _r("fosphenytoin", "label, boxed warning, rapid infusion", top="150"),
        _r("furosemide", "label, injection, high doses as a controlled infusion", top="4", above="80"),
        _r("aminophylline", "label, injection", top="25"),
        _r("theophylline", "label, injection", top="25"),
        _r("magnesium sulfate", "label, injection", top="1000"),
        _r("lorazepam", "label, injection", top="2"),
        _r("diazepam", "label, injection", top="5"),
        _r("phenobarbital", "label, injection", top="60"),
        _r("acyclovir", "label, section 2", minutes="60", no_push=True),
        _r("azithromycin", "label, intravenous form", minutes="60", no_push=True),
        _r("ciprofloxacin", "label, intravenous form", minutes="60", no_push=True),
        _r("levofloxacin", "label, intravenous form", minutes="60", no_push=True),
        _r("erythromycin", "label, lactobionate", minutes="20", no_push=True),
        _r("amphotericin b", "label, conventional form", minutes="120", no_push=True),
        _r("pentamidine", "label", minutes="60", no_push=True),
        _r("gentamicin", "label, intravenous form", minutes="30"),
        _r("metronidazole", "label, intravenous form", minutes="30", no_push=True),
        _r("clindamycin", "label, intravenous form", top="30", minutes="10", no_push=True),
        _r("procainamide", "label, injection", top="50"),
        _r("protamine", "label", top="5"),
        _r("phytonadione", "label, boxed warning: fatal reactions; at most 1 mg a minute", top="1"),
    )
}

_PER_KG_HOUR: Final[dict[str, tuple[str, str]]] = {
    "heparin": ("40", "unit"),
    "norepinephrine": ("0.18", "mg"),
    "epinephrine": ("0.18", "mg"),
    "phenylephrine": ("0.6", "mg"),
    "dopamine": ("3", "mg"),
    "dobutamine": ("2.4", "mg"),
    "milrinone": ("0.06", "mg"),
    "dexmedetomidine": ("0.0025", "mg"),
    "nitroprusside": ("0.6", "mg"),
    "propofol": ("12", "mg"),
    "esmolol": ("18", "mg"),
    "midazolam": ("0.5", "mg"),
    "ketamine": ("6", "mg"),
    "argatroban": ("0.6", "mg"),
    "isoproterenol": ("0.12", "mg"),
    "remifentanil": ("0.12", "mg"),
    "insulin human": ("0.3", "unit"),
    "insulin": ("0.3", "unit"),
    "lidocaine": ("4", "mg"),
    "aminophylline": ("0.9", "mg"),
    "theophylline": ("0.9", "mg"),
    "octreotide": ("0.005", "mg"),
    "bivalirudin": ("2.5", "mg"),
}
"""The most of a continuous infusion in one hour per kilogram, generous: above it the unit or the time is wrong."""
_USUAL_KG: Final = Decimal(100)
_PER_HOUR: Final[dict[str, tuple[str, str]]] = {
    "magnesium sulfate": ("3000", "mg"),
    "oxytocin": ("3", "unit"),
    "vasopressin": ("6", "unit"),
    "nitroglycerin": ("30", "mg"),
    "nicardipine": ("15", "mg"),
    "clevidipine": ("32", "mg"),
    "diltiazem": ("20", "mg"),
    "amiodarone": ("60", "mg"),
    "furosemide": ("240", "mg"),
    "pantoprazole": ("8", "mg"),
    "labetalol": ("480", "mg"),
    "morphine": ("50", "mg"),
    "hydromorphone": ("10", "mg"),
    "fentanyl": ("0.7", "mg"),
}
"""The most of a continuous infusion in one hour for an adult."""

_DURATIONS: Final[dict[str, tuple[int, str, str]]] = {
    "ketorolac": (5, "label, boxed warning: 5 days over all forms", "major"),
    "metoclopramide": (84, "label, boxed warning: 12 weeks", "major"),
    "phenazopyridine": (2, "label: 2 days with an antibacterial", "moderate"),
    "methylergonovine": (7, "label: 1 week in the puerperium", "moderate"),
    "oxymetazoline": (3, "OTC drug facts, nasal: 3 days", "moderate"),
    "xylometazoline": (7, "SmPC, nasal: 7 days", "moderate"),
    "zopiclone": (28, "SmPC, 4.2: 4 weeks with the tapering off", "moderate"),
    "tranexamic acid": (5, "label, oral: 5 days per cycle", "moderate"),
    "linezolid": (28, "label: not studied beyond 28 days", "moderate"),
    "chloramphenicol": (28, "label", "moderate"),
    "nirmatrelvir": (5, "label: 5 days", "moderate"),
    "molnupiravir": (5, "fact sheet: 5 days", "moderate"),
    "fidaxomicin": (25, "label", "moderate"),
    "meperidine": (2, "label; CDC 2022", "moderate"),
    "carisoprodol": (21, "label, section 1: two or three weeks", "moderate"),
    "clobetasol": (14, "label, section 2: 2 consecutive weeks", "moderate"),
    "halobetasol": (14, "label, section 2: 2 consecutive weeks", "moderate"),
    "tolvaptan": (30, "label, section 2 (hyponatremia): 30 days", "moderate"),
    "tetrahydrozoline": (3, "OTC drug facts, eye drops: 72 hours", "moderate"),
}


def routes(case: Case) -> Iterator[Finding]:
    seen: set[tuple[str, int]] = set()
    for exposure in case.given:
        if exposure.generic_class is not None or exposure.origin != "output" or exposure.statement is None:
            continue
        route = exposure.statement.route
        if (exposure.drug, exposure.span.start) in seen:
            continue
        own, at = exposure.statement.clause, exposure.span
        clause = case.judged.output[max(own.start, at.start - 1_000) : min(own.end, at.end + 1_000)]
        spinal = route == "intrathecal" or _SPINAL.search(clause) is not None
        finding = _intrathecal(case, exposure) if spinal else _marketed(case, exposure, route)
        finding = finding or _past_the_colon(case, exposure, route)
        finding = finding or _unabsorbed(case, exposure, route)
        if finding is not None:
            seen.add((exposure.drug, exposure.span.start))
            yield finding


_UNABSORBED: Final = {
    "vancomycin": "label, oral form: not effective for systemic infection",
    "fidaxomicin": "label: not for systemic infection",
    "rifaximin": "label: not for systemic infection",
    "nystatin": "label, oral form: not for systemic mycosis",
    "neomycin": "label, oral form: not for systemic infection",
}
"""Anti-infectives that the gut does not take up."""
_SYSTEMIC: Final = re.compile(
    r"(?<!no )(?<!not )(?<!without )(?<!excluded )\b(?:bacter(?:a)?emi\w*|fungemia|candid(?:a)?emi\w*|"
    r"bloodstream infection|septic(?:(?:a)?emia| arthritis| joint)|discitis|osteomyelitis|endocarditis|pneumonia|"
    r"cellulitis|meningitis|(?:prosthe\w+|joint|hip|knee|bone|wound|line|mesh|graft) infection|infected "
    r"(?:\w+ )?(?:prosthe\w+|joint|hip|knee|line|wound|graft|valve)|pyelonephritis|empyema|epidural abscess)\b",
    re.I,
)
_SWALLOWED: Final = re.compile(r"\b(?:oral|capsules?|tablets?)\b", re.I)
_IN_THE_GUT: Final = re.compile(
    r"\b(?:c\.? ?diff\w*|clostridi\w+|difficile|cdi|cdad|colitis|enterocolitis|diarrh\w+|thrush|encephalopath\w+|"
    r"gut|bowel|decontaminat\w+|toxin)\b",
    re.I,
)


def _unabsorbed(case: Case, exposure: Exposure, route: str | None) -> Finding | None:
    """What stays in the gut, for an infection that is elsewhere: "vancomycin 125 mg PO for the bacteremia"."""
    check = _UNABSORBED.get(exposure.drug)
    if check is None or not exposure.scope.prescriptive:
        return None
    text, at = case.judged.output, exposure.span
    if route != "oral" and _SWALLOWED.search(text, max(0, at.start - 8), at.end + 12) is None:
        return None
    if case.says(_IN_THE_GUT) or not case.says(_SYSTEMIC):
        return None
    return case.finding(
        Code.ROUTE,
        exposure,
        Severity.MAJOR,
        curated(f"unabsorbed-{exposure.drug}", f"{exposure.drug} {check}"),
        f"{exposure.drug} by mouth is not absorbed; it does not treat a systemic infection",
    )


def _intrathecal(case: Case, exposure: Exposure) -> Finding | None:
    if exposure.drug in _INTRATHECAL:
        return None
    return case.finding(
        Code.ROUTE,
        exposure,
        Severity.MAJOR,
        curated("intrathecal-list", "labels of drugs with an intrathecal indication"),
        f"{exposure.drug} into the spinal canal: not among the drugs given there",
    )


_ALSO_GIVEN: Final = frozenset({("insulin human", "intravenous")})
"""Routes of the label that the directory of products does not list (regular insulin, section 2: infusion)."""


def _marketed(case: Case, exposure: Exposure, route: str | None) -> Finding | None:
    known = case.knowledge.routes(exposure.drug)
    if route is None or not known or route in known or (exposure.drug, route) in _ALSO_GIVEN:
        return None
    if route in _INJECTED:
        # A product for one injected route is not proof against another; intravenous stays strict, since a depot
        # or an oil given there kills.
        if route != "intravenous" and known & _INJECTED:
            return None
    elif route != "oral" or known & {"oral", "sublingual", "buccal"}:
        return None
    severity = Severity.MAJOR if route in _INJECTED else Severity.MODERATE
    return case.finding(
        Code.ROUTE,
        exposure,
        severity,
        Provenance(
            Basis.SOURCE_ROW, f"FDA NDC directory, routes of {exposure.drug}", f"ndc-route:{exposure.drug}"
        ),
        f"{exposure.drug} by the {route} route; its products are {', '.join(sorted(known))} only",
    )


def _past_the_colon(case: Case, exposure: Exposure, route: str | None) -> Finding | None:
    """Vancomycin into a vein for C. difficile: it does not reach the colon (IDSA/SHEA 2017, updated 2021). Quiet where
    another infection is named, where the text gives it by mouth too, or where C. difficile is past or ruled out."""
    if exposure.drug != "vancomycin" or route != "intravenous":
        return None
    text = case.judged.output
    found = [
        m for m in _C_DIFFICILE.finditer(text) if not _NOT_NOW.search(text, max(0, m.start() - 40), m.start())
    ]
    if not found or all(_RULED_OUT.match(text, m.end()) for m in found) or _ELSEWHERE.search(text):
        return None
    if any(
        e.drug == "vancomycin" and e.statement is not None and e.statement.route in ("oral", "rectal")
        for e in case.given
    ):
        return None
    return case.finding(
        Code.ROUTE,
        exposure,
        Severity.MAJOR,
        curated(
            "vancomycin-colon",
            "IDSA/SHEA guideline for C. difficile, 2017 and 2021; vancomycin label, section 1",
        ),
        "vancomycin by the intravenous route for C. difficile does not reach the colon; it is given by mouth",
    )


_ROUNDED: Final = Decimal("1.1")
"""A rate this much above its ceiling is a rounded one: 1,250 mg over two hours against 10 mg a minute."""


def rates(case: Case) -> Iterator[Finding]:
    seen: set[str] = set()
    for exposure in case.given:
        rate = _RATES.get(exposure.drug)
        statement = exposure.statement
        if statement is None or exposure.origin != "output" or exposure.drug in seen:
            continue
        why = (None if rate is None else _too_fast(case, exposure, rate)) or _continuous(case, exposure)
        if why is not None:
            seen.add(exposure.drug)
            span = statement.dose.span if statement.dose is not None else exposure.span
            start, end = min(span.start, exposure.span.start), max(span.end, exposure.span.end)
            yield case.finding(
                Code.RATE,
                exposure,
                Severity.MAJOR,
                curated(
                    f"rate-{exposure.drug.replace(' ', '-')}",
                    f"{exposure.drug} {rate.check if rate is not None else 'label, dosage by infusion'}",
                ),
                why,
                span=Span(start, end),
            )


def _too_fast(case: Case, exposure: Exposure, rate: _Rate) -> str | None:
    statement = exposure.statement
    if statement is None or statement.route not in (None, "intravenous"):
        return None
    if rate.no_push and statement.rapid:
        return f"{rate.drug} by push; it is infused slowly"
    amount = exposure_amount(exposure, case)
    if amount is not None and rate.above is not None and _one_unit(rate, amount.unit) and not amount.per_kg:
        pushed = amount.per_time in (None, "dose") and amount.high <= rate.above
        if pushed:
            return None
    if amount is not None and rate.top is not None and _one_unit(rate, amount.unit) and not amount.per_kg:
        per_minute: Decimal | None = None
        if amount.per_time == "min":
            per_minute = amount.high
        elif amount.per_time == "h":
            per_minute = amount.high / 60
        elif amount.per_time in (None, "dose") and statement.over_minutes:
            per_minute = amount.high / statement.over_minutes
        top = rate.top / 60 if rate.hourly else rate.top
        if per_minute is not None and per_minute > top * _ROUNDED:
            factor, unit_time = (Decimal(60), "hour") if rate.hourly else (Decimal(1), "minute")
            return (
                f"{rate.drug} at {shown(per_minute * factor, amount.unit)} per {unit_time}; "
                f"the ceiling is {shown(rate.top, rate.unit)} per {unit_time}"
            )
    if (
        rate.minutes is not None
        and statement.over_minutes is not None
        and statement.over_minutes < rate.minutes
    ):
        return (
            f"{rate.drug} over {statement.over_minutes.normalize():f} minutes; "
            f"it is infused over at least {rate.minutes.normalize():f}"
        )
    return None


def _one_unit(rate: _Rate, unit: str) -> bool:
    """True for the unit of the rate; of a chloride of potassium a millimole is a milliequivalent."""
    return unit == rate.unit or (rate.drug == "potassium chloride" and unit == "mmol")


def _continuous(case: Case, exposure: Exposure) -> str | None:
    """A rate of infusion above what any patient is given: most often a minute written for an hour, or the unit of a
    dose per kilogram for one without."""
    amount = exposure_amount(exposure, case)
    if amount is None or amount.per_time not in ("h", "min") or amount.per_m2:
        return None
    if exposure.statement is not None and exposure.statement.route == "transdermal":
        return None
    hourly = amount.high * (60 if amount.per_time == "min" else 1)
    known = _PER_KG_HOUR.get(exposure.drug)
    if known is not None and amount.unit == known[1]:
        weight = Decimal(1) if amount.per_kg else case.context.weight_kg or _USUAL_KG
        top = Decimal(known[0]) * weight
        if hourly > top * Decimal("1.05"):
            kg = "/kg" if amount.per_kg else ""
            return (
                f"{exposure.drug} at {shown(hourly, amount.unit)}{kg} an hour; "
                f"the most that is infused is {shown(top, amount.unit)}{kg} an hour: check minute, hour and kilogram"
            )
    absolute = _PER_HOUR.get(exposure.drug)
    if absolute is None or amount.per_kg or amount.unit != absolute[1]:
        return None
    if hourly > Decimal(absolute[0]) * Decimal("1.05"):
        return (
            f"{exposure.drug} at {shown(hourly, amount.unit)} an hour; "
            f"the most that is infused is {shown(Decimal(absolute[0]), amount.unit)} an hour"
        )
    return None


def durations(case: Case) -> Iterator[Finding]:
    seen: set[str] = set()
    for exposure in case.given:
        known = _DURATIONS.get(exposure.drug)
        statement = exposure.statement
        if known is None or statement is None or exposure.origin != "output" or exposure.drug in seen:
            continue
        lasting = lasting_days(case, statement)
        days, check, severity = known
        if lasting is None or lasting <= days:
            continue
        if exposure.drug in ("oxymetazoline", "xylometazoline") and statement.route not in (None, "nasal"):
            continue
        seen.add(exposure.drug)
        yield case.finding(
            Code.DURATION,
            exposure,
            Severity(severity),
            curated(f"duration-{exposure.drug.replace(' ', '-')}", f"{exposure.drug} {check}"),
            f"{exposure.drug} {_lasting(lasting)}; at most {days} days",
            span=statement.duration.span if statement.duration is not None else None,
        )


def _lasting(days: Decimal) -> str:
    return "without end" if days >= WITHOUT_END else f"for {days.normalize():f} days"


__all__ = ["durations", "rates", "routes"]
