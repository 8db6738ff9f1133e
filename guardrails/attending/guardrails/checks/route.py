"""Routes for which no product exists, intrathecal drugs outside the short list that may go there, and drugs that do
not reach the infection by the route that is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.checks.unmade import unmade
from attending.guardrails.clinical.route import INTRATHECAL_SHORT
from attending.guardrails.clinical.words import word_set
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
_SHORT: Final = re.compile(INTRATHECAL_SHORT)

_EPIDURAL: Final = re.compile(
    r"\b(?:via|through|into|down|in)(?: (?:the|an|his|her|your))? epidural (?:catheter|space|line|port)\b",
    re.I,
)
_EPIDURAL_TOO: Final = word_set(
    "triamcinolone methylprednisolone betamethasone ketamine neostigmine epinephrine buprenorphine butorphanol "
    "nalbuphine "
    "diamorphine meperidine midazolam mepivacaine prilocaine etidocaine dexmedetomidine alfentanil tramadol"
) | {"sodium chloride", "sodium bicarbonate", "magnesium sulfate"}
"""What goes into the epidural space besides what goes into the spinal canal: labels and usual practice."""
_INTO_VEIN: Final = re.compile(r"\b(?:intravenous|IV) \Z", re.I)
"""Before a name: the drug of a sentence that goes elsewhere than another of it."""

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
        vein = _INTO_VEIN.search(case.judged.output, max(0, at.start - 14), at.start) is not None
        spinal = not vein and (route == "intrathecal" or _SPINAL.search(clause) is not None)
        spinal = spinal or (route is None and not vein and _SHORT.search(clause) is not None)
        finding = _intrathecal(case, exposure) if spinal else _marketed(case, exposure, route)
        if finding is None and route in ("epidural", None) and _EPIDURAL.search(clause) is not None:
            finding = _epidural(case, exposure)
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
    r"(?:\w+ )?(?:prosthe\w+|joint|hip|knee|line|wound|graft|valve)|pyelonephritis|empyema|epidural abscess"
    r"|infected (?:port|picc|catheter|device|pacemaker)|blood cultures?\b[^.;\n]{0,60}?\b(?:grew|grow\w*"
    r"|positive|mrsa|mssa"
    r"|staph\w*|gram[- ](?:positive|negative)))\b",
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


def _epidural(case: Case, exposure: Exposure) -> Finding | None:
    if exposure.drug in _INTRATHECAL or exposure.drug in _EPIDURAL_TOO:
        return None
    return case.finding(
        Code.ROUTE,
        exposure,
        Severity.MAJOR,
        curated("epidural-list", "labels of drugs with an epidural indication; wrong-route never event"),
        f"{exposure.drug} into the epidural space: not among the drugs given there",
    )


_ELSEWHERE_MARKETED: Final = {
    "intravenous": "albuterol amoxicillin atenolol chlorpheniramine clarithromycin clavulanate clonazepam diclofenac "
    "flecainide fosfomycin iloprost isoniazid meloxicam omeprazole oxycodone propafenone quinine terbutaline tramadol",
    "intramuscular": "artemether chlorpheniramine diclofenac meloxicam piroxicam rilpivirine risperidone scopolamine "
    "tramadol",
    "subcutaneous": "clonazepam oxycodone risperidone scopolamine",
}
"""Routes of products that the directory of the United States does not list (British National Formulary, European
product information; depot kits, which the directory files without a route)."""
_ALSO_GIVEN: Final = frozenset(
    {("insulin human", "intravenous"), ("mycophenolic acid", "intravenous")}
    | {(drug, route) for route, drugs in _ELSEWHERE_MARKETED.items() for drug in drugs.split()}
)
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
    elif route == "oral":
        if known & {"oral", "sublingual", "buccal"}:
            return None
    elif not unmade(case, exposure, route):
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


__all__ = ["routes"]
