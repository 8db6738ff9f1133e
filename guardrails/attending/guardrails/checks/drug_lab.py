"""Drugs that a laboratory value or vital sign of the patient speaks against."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.context.labs import ANALYTES, Reading
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class _LabRule:
    analyte: str
    compare: Callable[[Decimal, Decimal], bool]
    bound: Decimal
    severity: Severity
    classes: tuple[str, ...]
    drugs: frozenset[str]
    shown: str
    check: str


def _high(
    analyte: str, bound: str, severity: Severity, classes: str, drugs: str, shown: str, check: str
) -> _LabRule:
    return _LabRule(
        analyte, operator.ge, Decimal(bound), severity, tuple(classes.split()), _names(drugs), shown, check
    )


def _low(
    analyte: str, bound: str, severity: Severity, classes: str, drugs: str, shown: str, check: str
) -> _LabRule:
    return _LabRule(
        analyte, operator.lt, Decimal(bound), severity, tuple(classes.split()), _names(drugs), shown, check
    )


def _names(drugs: str) -> frozenset[str]:
    return frozenset(name.strip() for name in drugs.split("|") if name.strip())


_CONTRAINDICATED, _MAJOR, _MODERATE = Severity.CONTRAINDICATED, Severity.MAJOR, Severity.MODERATE
RULES: Final = (
    # Of two rules for one drug and analyte the first that holds counts.
    _high(
        "potassium",
        "6.0",
        _CONTRAINDICATED,
        "potassium_sparing potassium_supplement",
        "",
        "hyperkalemia",
        "labels, contraindications: hyperkalemia",
    ),
    _high(
        "potassium",
        "5.5",
        _MAJOR,
        "potassium_sparing potassium_supplement",
        "",
        "hyperkalemia",
        "labels, contraindications: hyperkalemia",
    ),
    _high(
        "potassium",
        "5.5",
        _MAJOR,
        "acei arb arni renin_inhibitor",
        "trimethoprim|heparin",
        "hyperkalemia",
        "labels, hyperkalemia",
    ),
    _low(
        "potassium",
        "3.0",
        _MAJOR,
        "loop_diuretic thiazide qt_prolonging",
        "digoxin|insulin|insulin human|albuterol",
        "hypokalemia",
        "labels, hypokalemia",
    ),
    _low(
        "magnesium",
        "1.2",
        _MAJOR,
        "qt_prolonging",
        "digoxin",
        "hypomagnesemia",
        "labels",
    ),
    _high(
        "calcium",
        "11.5",
        _MAJOR,
        "thiazide",
        "calcitriol|calcium carbonate|ergocalciferol|cholecalciferol|digoxin|teriparatide",
        "hypercalcemia",
        "labels, hypercalcemia",
    ),
    _low(
        "calcium",
        "8.0",
        _MAJOR,
        "bisphosphonate",
        "denosumab|cinacalcet",
        "hypocalcemia",
        "labels, contraindications: hypocalcemia",
    ),
    _low(
        "sodium",
        "125",
        _MAJOR,
        "thiazide ssri snri",
        "desmopressin|carbamazepine|oxcarbazepine",
        "hyponatremia",
        "labels, hyponatremia",
    ),
    _high(
        "inr",
        "4.5",
        _MAJOR,
        "anticoagulant nsaid antiplatelet",
        "",
        "a high INR",
        "warfarin label, bleeding risk",
    ),
    _low(
        "platelets",
        "50",
        _MAJOR,
        "anticoagulant antiplatelet nsaid",
        "linezolid|valproate|methotrexate|azathioprine|mercaptopurine|ganciclovir|valganciclovir",
        "thrombocytopenia",
        "labels, bleeding risk",
    ),
    _low(
        "neutrophils",
        "1.0",
        _MAJOR,
        "",
        "clozapine|methotrexate|azathioprine|mercaptopurine|deferiprone|ticlopidine"
        "|methimazole|carbimazole|propylthiouracil|ganciclovir|valganciclovir|zidovudine|carbamazepine",
        "neutropenia",
        "labels, boxed warnings on neutropenia",
    ),
    _low(
        "hemoglobin",
        "7",
        _MAJOR,
        "anticoagulant nsaid",
        "aspirin",
        "severe anemia",
        "labels, bleeding risk",
    ),
    _high(
        "hemoglobin",
        "12",
        _MODERATE,
        "",
        "epoetin alfa|darbepoetin alfa",
        "hemoglobin above target",
        "epoetin label, boxed warning",
    ),
    _low(
        "wbc",
        "2.0",
        _MAJOR,
        "",
        "clozapine|methotrexate|azathioprine|mercaptopurine|carbamazepine|ganciclovir|valganciclovir|leflunomide"
        "|mycophenolate mofetil|deferiprone|colchicine",
        "leukopenia",
        "labels, bone marrow suppression",
    ),
    _high(
        "ck",
        "2000",
        _MAJOR,
        "statin",
        "daptomycin|colchicine|fenofibrate|gemfibrozil",
        "a high CK",
        "labels, myopathy",
    ),
    _low(
        "neutrophils", "1.5", _MAJOR, "", "clozapine", "neutropenia", "clozapine label (UK), stop below 1.5"
    ),
    _low(
        "cd4",
        "200",
        _CONTRAINDICATED,
        "live_vaccine",
        "",
        "a low CD4 count",
        "live vaccine labels, section 4",
    ),
    _high(
        "lipase",
        "500",
        _MAJOR,
        "glp1 dpp4",
        "azathioprine|mercaptopurine|valproate|didanosine|asparaginase|pegaspargase|tigecycline",
        "a high lipase",
        "labels, section 5, pancreatitis",
    ),
    _high(
        "amylase",
        "400",
        _MAJOR,
        "glp1 dpp4",
        "azathioprine|mercaptopurine|valproate|didanosine|asparaginase|pegaspargase|tigecycline",
        "a high amylase",
        "labels, section 5, pancreatitis",
    ),
    _high(
        "triglycerides",
        "800",
        _MAJOR,
        "estrogen",
        "isotretinoin|acitretin|alitretinoin|bexarotene|propofol|asparaginase|pegaspargase",
        "very high triglycerides",
        "labels, section 4 and 5, hypertriglyceridemia and pancreatitis",
    ),
    _low(
        "phosphate",
        "2.0",
        _MAJOR,
        "",
        "sevelamer|lanthanum|calcium acetate|sucroferric oxyhydroxide|ferric citrate|tenapanor|aluminum hydroxide"
        "|ferric carboxymaltose",
        "hypophosphatemia",
        "phosphate binder labels, section 4, hypophosphatemia",
    ),
    _high(
        "ferritin",
        "1000",
        _MAJOR,
        "iron_salt",
        "iron sucrose|ferric carboxymaltose|iron dextran|ferumoxytol|ferric derisomaltose",
        "iron overload",
        "iron labels, section 4, iron overload",
    ),
    _high(
        "methemoglobin",
        "10",
        _MAJOR,
        "",
        "dapsone|primaquine|benzocaine|prilocaine|rasburicase|nitroprusside|sulfasalazine|phenazopyridine",
        "methemoglobinemia",
        "labels, section 5, methemoglobinemia",
    ),
    _high(
        "aptt", "110", _MAJOR, "", "heparin|argatroban|bivalirudin", "a long aPTT", "heparin label, bleeding"
    ),
    _high(
        "gentamicin",
        "2.5",
        _MAJOR,
        "",
        "gentamicin|tobramycin",
        "a high trough",
        "aminoglycoside boxed warning, trough above 2 mcg/mL",
    ),
    _low("sodium", "130", _MAJOR, "", "desmopressin", "hyponatremia", "desmopressin label, section 4"),
    *(
        _high("alt", bound, _MODERATE, "", drugs, "raised ALT", check)
        for bound, drugs, check in (
            # From about 1.5, 2, 3 and 5 times an upper limit of 40 U/L.
            ("60", "tolcapone|nimesulide|pexidartinib", "labels, section 4 and 5: raised transaminases"),
            (
                "80",
                "ketoconazole|felbamate|flutamide|ulipristal|terbinafine",
                "labels, section 4 and 5: twice normal",
            ),
            (
                "120",
                "bosentan|ambrisentan|macitentan|lomitapide|leflunomide|teriflunomide|methotrexate|agomelatine"
                "|nefazodone|tizanidine|riluzole|zileuton|dantrolene|acitretin|isotretinoin|valproate|niacin"
                "|fenofibrate|amiodarone|dronedarone|propylthiouracil|disulfiram|mipomersen|zafirlukast|diclofenac"
                "|duloxetine|tolvaptan|nintedanib|nevirapine|trovafloxacin|sparsentan|aprocitentan|obeticholic acid",
                "labels, section 4 and 5: three times normal",
            ),
            (
                "200",
                "pirfenidone|natalizumab|labetalol|pyrazinamide|rifampin|carbamazepine|phenytoin|deferasirox"
                "|azathioprine|mercaptopurine|sulfasalazine|allopurinol|tocilizumab|sarilumab|remdesivir|voriconazole"
                "|fluconazole|itraconazole|posaconazole|fingolimod|siponimod|ozanimod|ponesimod|cladribine|naltrexone"
                "|nitrofurantoin|minocycline|methimazole|clavulanate|lapatinib|abiraterone|tofacitinib|upadacitinib"
                "|baricitinib|pazopanib|infliximab|atomoxetine|methyldopa|danazol|dapsone|efavirenz|lamotrigine",
                "labels, section 5: five times normal",
            ),
        )
    ),
    _high("ammonia", "80", _MAJOR, "", "valproate", "a high ammonia", "valproate label, hyperammonemia"),
    _high(
        "theophylline", "20", _MAJOR, "", "theophylline|aminophylline", "a toxic level", "theophylline label"
    ),
    _high("valproate", "125", _MAJOR, "", "valproate", "a toxic valproate level", "valproate label"),
    _high(
        "carbamazepine",
        "14",
        _MAJOR,
        "",
        "carbamazepine",
        "a toxic carbamazepine level",
        "carbamazepine label",
    ),
    _high(
        "vancomycin", "25", _MAJOR, "", "vancomycin", "a high vancomycin level", "vancomycin guideline 2020"
    ),
    _high(
        "tacrolimus",
        "20",
        _MAJOR,
        "",
        "tacrolimus",
        "a high tacrolimus level",
        "tacrolimus label, monitoring",
    ),
    _low(
        "respiratory_rate",
        "10",
        _MAJOR,
        "opioid benzodiazepine barbiturate",
        "",
        "slow breathing",
        "labels, contraindications: respiratory depression",
    ),
    _low(
        "oxygen_saturation",
        "88",
        _MAJOR,
        "benzodiazepine barbiturate z_drug",
        "",
        "low oxygen",
        "labels, respiratory depression",
    ),
    _low(
        "glucose",
        "70",
        _MAJOR,
        "insulin sulfonylurea meglitinide",
        "",
        "hypoglycemia",
        "labels, hypoglycemia",
    ),
    _high(
        "lithium",
        "1.5",
        _MAJOR,
        "",
        "lithium",
        "a toxic lithium level",
        "lithium label, boxed warning",
    ),
    _high("digoxin", "2.0", _MAJOR, "", "digoxin", "a toxic digoxin level", "digoxin label"),
    _high(
        "phenytoin", "25", _MAJOR, "", "phenytoin|fosphenytoin", "a toxic phenytoin level", "phenytoin label"
    ),
    _high(
        "alt",
        "200",
        _MODERATE,
        "statin",
        "methotrexate|leflunomide|ketoconazole|isoniazid|acetaminophen|valproate"
        "|bosentan|terbinafine|nevirapine",
        "raised ALT",
        "labels, hepatotoxicity",
    ),
    _high(
        "creatinine",
        "3.0",
        _MAJOR,
        "nsaid",
        "metformin|lithium",
        "a high creatinine",
        "labels, renal impairment",
    ),
    _high(
        "qtc",
        "500",
        _MAJOR,
        "qt_prolonging",
        "hydroxyzine|donepezil|quinine",
        "a QTc of 500 ms or more",
        "labels, QT prolongation",
    ),
    _low(
        "heart_rate",
        "50",
        _MAJOR,
        "beta_blocker",
        "verapamil|diltiazem|digoxin|clonidine|ivabradine|donepezil|amiodarone",
        "bradycardia",
        "labels, contraindications: bradycardia",
    ),
    _low(
        "systolic",
        "90",
        _MAJOR,
        "acei arb arni beta_blocker alpha_blocker nitrate calcium_channel_blocker "
        "dihydropyridine_ccb thiazide loop_diuretic",
        "hydralazine|clonidine",
        "hypotension",
        "labels, hypotension",
    ),
    _low(
        "tsh", "0.1", _MODERATE, "", "levothyroxine|liothyronine", "a suppressed TSH", "levothyroxine label"
    ),
    _low(
        "bicarbonate",
        "18",
        _MODERATE,
        "",
        "metformin|acetazolamide|topiramate",
        "acidosis",
        "labels, metabolic acidosis",
    ),
)


def drug_labs(case: Case) -> Iterator[Finding]:
    """One finding per drug and analyte. Stopping or avoiding the drug is no finding, nor is a drug of a class
    that the output does not give."""
    readings = {reading.analyte: reading for reading in case.readings}
    seen: set[tuple[str, str]] = set()
    withheld = _withheld(case)
    for exposure in case.unique_given():
        if case.is_local(exposure) or exposure.drug in withheld:
            continue
        for rule in RULES:
            reading = readings.get(rule.analyte)
            if (
                reading is None
                or not rule.compare(reading.value, rule.bound)
                or not _speaks_of(case, rule, exposure)
            ):
                continue
            if (exposure.drug, rule.analyte) in seen:
                continue
            seen.add((exposure.drug, rule.analyte))
            lowers = rule.analyte in _ANSWERED_BY_LESS and _is_lowered(case, exposure)
            lowers = lowers or _halved_for_potassium(case, exposure, reading)
            waits = rule.analyte in _PASSES and case.begins_when_resolved(exposure.drug)
            answered = lowers or waits or any(_waits(case, e) for e in case.given if e.drug == exposure.drug)
            yield case.finding(
                Code.DRUG_LAB,
                exposure,
                Severity.MINOR if answered else rule.severity,
                curated(f"lab-{rule.analyte}-{'high' if rule.compare is operator.ge else 'low'}", rule.check),
                f"{exposure.drug} with {rule.shown}: {_shown(reading)}",
            )


_PASSES: Final = frozenset({"inr", "platelets", "hemoglobin", "aptt", "glucose", "systolic", "heart_rate"})
"""Values of now that a drug which begins once a state is gone does not meet."""
_ANSWERED_BY_LESS: Final = frozenset(
    {
        "tsh",
        "lithium",
        "digoxin",
        "phenytoin",
        "carbamazepine",
        "theophylline",
        "valproate",
        "vancomycin",
        "tacrolimus",
        "hemoglobin",
        "heart_rate",
        "gentamicin",
        "aptt",
        "glucose",
    }
)
"""Values of which a smaller dose is the answer."""
_LOWERED: Final = re.compile(
    r"\b(?:reduc\w+|decreas\w+|lower(?:ed|ing)?|cut(?:ting)?|halv\w+|drop(?:ped)?|down|less|instead of|rather than)\b",
    re.I,
)


_SEVERE_POTASSIUM: Final = Decimal(6)
_REPEATED: Final = Sieved(
    r"\b(?:blood tests?|bloods) again\b"
    r"|\b(?:repeat|re-?check)\w*\b[^.;\n]{0,40}\b(?:u&es?|potassium|k\+?|bloods?|bmp|electrolytes|renal)\b"
    r"|\b(?:u&es?|potassium|bmp|electrolytes)\b[^.;\n]{0,30}\b(?:repeat\w*|re-?check\w*|again|booked|in \w+ days)\b"
)


def _halved_for_potassium(case: Case, exposure: Exposure, reading: Reading) -> bool:
    """Whether an ACE inhibitor or a sartan goes on at less, with a repeat, and nothing that raises potassium beside it
    (ESC guideline for heart failure, 2021: half the dose from 5.5, stop from 6.0 mmol/L)."""
    if (
        reading.analyte != "potassium"
        or reading.value >= _SEVERE_POTASSIUM
        or (exposure.new and exposure.scope is Scope.RECOMMEND)
    ):
        return False
    if not case.of_class(exposure.drug, "acei", "arb", "arni") or not _is_lowered(case, exposure):
        return False
    raises = ("potassium_sparing", "mineralocorticoid_antagonist", "potassium_supplement")
    return case.says(_REPEATED) and not any(
        case.of_class(e.drug, *raises) for e in (*case.given, *case.taking)
    )


def _is_lowered(case: Case, exposure: Exposure) -> bool:
    """Whether the sentence of the drug, or the one that doses it, lowers its dose."""
    if exposure.origin != "output":
        return False
    text = case.judged.output
    dose = exposure.statement.dose if exposure.statement is not None else None
    return any(
        _LOWERED.search(text, around.start, around.end) is not None
        for span in (exposure.span, *((dose.span,) if dose is not None else ()))
        for around in (sentence_around(text, span.start, span.end, semicolons=True, reach=100),)
    )


_HELD: Final = re.compile(
    r"\b(?:h[eo]ld|on hold|withh\w+|omit\w*|paus\w+|stop(?:ped)?|skip\w*|left out|leave out|suspend\w*"
    r"|interrupt\w*"
    r"|(?:take|takes|give|given|have|had) no)\b",
    re.I,
)
_ONCE_BETTER: Final = re.compile(
    r"\b(?:re-?start\w*|resum\w+|re-?commenc\w*|go(?:es)? (?:on|back)|back (?:on|to)|begin again|start again"
    r"|hold|held|off|then)\b"
    r"(?:[^.\n]|\.(?=\d)){0,50}?\b(?:when|once|until|till|after|if|as soon as)\b "
    r"(?:the |his |her |your |it |it's |they |is |are ){0,4}"
    r"(?:\w+ ){0,3}?(?:(?:is|are|was|has come|falls?|drops?|rises?|comes?|gets?|has fallen|reaches) )?"
    r"(?:back |well |down |up )?"
    r"(?:[<>\u2264\u2265]|below|under|less than|above|over|more than|at least|normal|in range|to normal|down)",
    re.I,
)
"""A drug that waits for its value: "restart at 4 mg when INR < 3"."""
_WAITING: Final = 260


def _waits(case: Case, exposure: Exposure) -> bool:
    """Whether the text holds the drug now and goes on with it only when the value is better."""
    if exposure.origin != "output":
        return False
    text, span = case.judged.output, exposure.span
    low = max(text.rfind(mark, 0, span.start) for mark in ".\n") + 1
    better = _ONCE_BETTER.search(text, max(low, span.start - 60), min(len(text), span.end + _WAITING))
    return better is not None and _HELD.search(text, max(low, span.start - 60), better.end()) is not None


def _withheld(case: Case) -> frozenset[str]:
    """Ingredients of which the last word of the text is that they are held or stopped, whatever was given before."""
    last = {drug: s for s in case.output.statements for drug in s.mention.drugs}
    return frozenset(d for d, s in last.items() if s.scope is Scope.STOP and not s.avoid_with)


def _speaks_of(case: Case, rule: _LabRule, exposure: Exposure) -> bool:
    return exposure.drug in rule.drugs or (bool(rule.classes) and case.of_class(exposure.drug, *rule.classes))


def _shown(reading: Reading) -> str:
    unit = next((a.unit for a in ANALYTES if a.id == reading.analyte), "")
    return f"{reading.analyte.replace('_', ' ')} {reading.value.normalize():f} {unit}".rstrip()
