"""Morphine milligram equivalents a day over all opioids the output gives and the patient takes (CDC 2022)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import daily_total, exposure_amount, listed_daily_mg, shown
from attending.guardrails.checks.case import Case, Exposure, lowered
from attending.guardrails.checks.rotation import replaced_mme
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

CAUTION_MME: Final = Decimal(50)
HIGH_MME: Final = Decimal(90)
TOO_MUCH_MORE: Final = Decimal(2)
"""Times the dose that an opioid replaces, from which it is no conversion."""
_OUTSIDE: Final = Sieved(
    r"\b(?:palliative|hospice|end[- ]of[- ]life|comfort (?:care|measures)|last (?:hours|days|weeks) of life|dying"
    r"|terminal(?:ly)?|sickle[- ]cell|metasta\w+"
    r"|(?:active|advanced|stage (?:iv|4)|pancreatic|lung|breast|prostate|bone|colon|ovarian) cancer"
    r"|cancer(?:[- ]related)? pain"
    r"|opi(?:oid|ate) use disorder|\boud\b|methadone (?:maintenance|clinic)|opioid treatment program)\b",
    re.I,
)
"""Pain and treatment that the CDC guideline of 2022 leaves out: active cancer, palliative and end-of-life care, sickle
cell disease, treatment of opioid use disorder."""
_SUPERVISED: Final = Sieved(
    r"\b(?:(?:methadone|buprenorphine)[^.;\n]{0,30} supervised|supervised (?:methadone|buprenorphine|consumption))\b",
    re.I,
)
"""How opioid use disorder is treated. Any other opioid beside it is for pain, and counts."""
_SUBSTITUTES: Final = frozenset({"methadone", "buprenorphine"})
_TREATED: Final = Sieved(
    r"\b(?:otp|opioid treatment program|methadone (?:maintenance|clinic)|observed dosing"
    r"|(?<!no )(?<!history of )(?:oud|opi(?:oid|ate) use disorder) "
    r"(?:in remission|on (?:methadone|buprenorphine)|stable))\b",
    re.I,
)
"""Treatment of opioid use disorder: its remission is the aim, not the end of it."""
_NAIVE: Final = Sieved(
    r"\bopi(?:oid|ate)[- ]na(?:i|\u00ef)ve\b|\bnever (?:taken|had|used) (?:an? |any )?(?:opioids?|opiates?|morphine)\b"
    r"|\b(?:no|not on(?: any)?|without) (?:previous |prior |current )?(?:opioids?|opiates?)"
    r"(?: before| so far| at present| currently)\b",
    re.I,
)
"""No tolerance: whatever the care, so much is no first dose."""
_NOT_OUTSIDE: Final = Sieved(
    r"\b(?:history of|survivor of|no (?:active )?|not |non-?"
    r"|family history of [a-z ]{0,20})(?:cancer|palliative)\b"
    r"|\bcancer\b[^.;\n]{0,30}\bin remission\b|\bcancer survivor",
    re.I,
)


def mme(case: Case) -> Iterator[Finding]:
    """One finding at 50 MME a day (moderate) or 90 (major), one rank lower where all are merely continued; minor
    in the care that the guideline leaves out, unless a new opioid is twice what it replaces.

    Opioids whose dose cannot be read are left out, and the message says so: the sum is then a lower bound.
    """
    given = [e for e in case.unique_given() if case.knowledge.mme_factor(e.drug) is not None]
    if not given:
        return
    names = {e.drug for e in given}
    everyone: list[Exposure] = [*given, *(e for e in case.taking if e.drug not in names)]
    total = Decimal(0)
    unread: list[str] = []
    counted: list[str] = []
    for exposure in everyone:
        factor = case.knowledge.mme_factor(exposure.drug)
        if factor is None:
            continue
        value = _patch_mcg_per_hour(case, exposure)
        if value is None:
            value = daily_total(case, exposure.drug)
            if value is None and exposure.origin == "list":
                value = listed_daily_mg(case, exposure.drug)
            if exposure.drug == "fentanyl":
                # The factor for fentanyl is for mcg/h of a patch; other forms have none that CDC gives.
                value = None
        if value is None and exposure.drug != "fentanyl":
            value = _at_once(case, exposure)
        if value is None:
            unread.append(exposure.drug)
            continue
        counted.append(exposure.drug)
        total += value * factor.factor
    if total < CAUTION_MME:
        return
    factor = case.knowledge.mme_factor(given[-1].drug)
    if factor is None:
        return
    severity = Severity.MAJOR if total >= HIGH_MME else Severity.MODERATE
    outside = case.says(_TREATED) or (case.says(_OUTSIDE) and not case.says(_NOT_OUTSIDE))
    outside = outside or (names <= _SUBSTITUTES and case.says(_SUPERVISED))
    if outside and not (total >= HIGH_MME and case.says(_NAIVE)):
        severity = Severity.MINOR
    before = replaced_mme(case, names) if severity is Severity.MINOR and total >= HIGH_MME else None
    if before is not None and total >= before * TOO_MUCH_MORE:
        severity = Severity.MAJOR
    if severity is Severity.MODERATE and case.says(_SAME):
        severity = Severity.MINOR
    rest = f"; dose not read for {', '.join(unread)}, so at least" if unread else ""
    yield case.finding(
        Code.MME,
        given[-1],
        severity if any(exposure.new or _raised(case, exposure) for exposure in given) else lowered(severity),
        factor.provenance,
        f"{shown(total, 'MME')} a day from {', '.join(counted)}{rest}"
        + (f"; what it replaces is {shown(before, 'MME')}" if before is not None else ""),
        drugs=sorted(counted),
    )


def _raised(case: Case, exposure: Exposure) -> bool:
    """Whether the output gives more of the drug a day than the patient's list has: that is not continued."""
    now, before = daily_total(case, exposure.drug), listed_daily_mg(case, exposure.drug)
    return now is not None and before is not None and now > before


_SAME: Final = Sieved(
    r"\b(?:chang\w+|switch\w*|convert\w*|swap\w*|replac\w+|brand|product|instead of)\b[^.;\n]{0,90}?\bthe same"
    r" (?:total |daily |total daily )?(?:strength|dose|amount|mg)\b"
    r"|\bsame (?:morphine|opioid|oxycodone) (?:dose|total|strength)\b",
    re.I,
)
"""Another product of what is taken, at its dose: "changed to Zomorph at the same strength"."""
_NOW: Final = re.compile(
    r"[^.;\n]{0,40}?\b(?:now|stat|at once|straight ?away|immediately|single dose|one dose)\b", re.I
)


def _at_once(case: Case, exposure: Exposure) -> Decimal | None:
    """The mg of a dose that the output gives now and not again: the least that the day comes to."""
    amount = exposure_amount(exposure, case)
    statement = exposure.statement
    if amount is None or statement is None or amount.unit != "mg" or amount.scaled or not exposure.new:
        return None
    if amount.per_time is not None or statement.frequency is not None or exposure.origin != "output":
        return None
    return amount.high if _NOW.match(case.judged.output, amount.span.end) else None


def _patch_mcg_per_hour(case: Case, exposure: Exposure) -> Decimal | None:
    if exposure.drug != "fentanyl" or exposure.statement is None:
        return None
    amount = exposure_amount(exposure, case)
    if amount is None or amount.unit != "mg":
        return None
    patch = (
        amount.per_time == "h"
        or exposure.statement.route == "transdermal"
        or "patch" in exposure.text.lower()
    )
    return amount.high * 1000 if patch else None
