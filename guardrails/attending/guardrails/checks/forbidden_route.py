"""Injected drugs by a route that their label forbids, whatever other route of injection their products have.

The directory of products tells by which routes a drug is sold; it does not tell that a product for a vein destroys
muscle, or that one for muscle kills in an artery. Each row is from section 2 or 5 of the labels. A row without a named
product holds for every product of the drug; the others are told apart by the words beside the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.clinical.words import word_set
from attending.guardrails.finding import Code, Finding, Severity

_MUSCLE_OR_SKIN: Final = frozenset({"intramuscular", "subcutaneous", "intradermal"})
_MUSCLE: Final = frozenset({"intramuscular"})
_SKIN: Final = frozenset({"subcutaneous", "intradermal"})
_ARTERY: Final = frozenset({"intra-arterial"})
_VEIN: Final = frozenset({"intravenous", "intra-arterial", "intraosseous"})
_BESIDE: Final = 48
"""Characters behind a name in which its product is told ("adrenaline 0.5 mg of 1 in 1000")."""


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    drugs: frozenset[str]
    routes: frozenset[str]
    severity: Severity
    source: str
    message: str
    product: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None


def _names(words: str) -> frozenset[str]:
    """Names of the table; `_` stands for the space within a name."""
    return frozenset(word.replace("_", " ") for word in word_set(words))


_ROWS: Final = (
    _Row(
        "vesicant",
        _names(
            "doxorubicin daunorubicin epirubicin idarubicin mitomycin mitoxantrone vincristine vinblastine "
            "vinorelbine "
            "vindesine dactinomycin trabectedin mechlorethamine streptozocin carmustine dacarbazine paclitaxel "
            "docetaxel cabazitaxel oxaliplatin cisplatin carboplatin bendamustine irinotecan topotecan etoposide "
            "arsenic_trioxide amsacrine melphalan busulfan"
        ),
        _MUSCLE_OR_SKIN,
        Severity.CONTRAINDICATED,
        "labels of vesicant and irritant cytotoxics, boxed warnings: into a vein only",
        "a cytotoxic for a vein destroys muscle and skin",
    ),
    _Row(
        "electrolyte",
        _names(
            "calcium_chloride calcium_gluconate potassium_acetate sodium_bicarbonate mannitol dextrose arginine "
            "sodium_acetate"
        ),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "calcium, bicarbonate, mannitol and hypertonic dextrose labels, section 2: into a vein only; necrosis",
        "a hypertonic solution under the skin or into muscle destroys tissue",
        unless=re.compile(r"\b(?:hypodermoclysis|clysis|5 ?%|isotonic)", re.I),
    ),
    _Row(
        "vasoactive",
        _names(
            "norepinephrine dopamine dobutamine angiotensin_ii nitroprusside nicardipine clevidipine esmolol "
            "diltiazem "
            "verapamil adenosine amiodarone milrinone nitroglycerin epoprostenol ibutilide conivaptan levosimendan"
        ),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "labels, section 2: into a vein only",
        "a drug for infusion into a vein under the skin or into muscle",
    ),
    _Row(
        "anti-infective-vein",
        _names(
            "vancomycin acyclovir ganciclovir foscarnet cidofovir amphotericin_b erythromycin azithromycin "
            "doxycycline "
            "minocycline tigecycline metronidazole ciprofloxacin levofloxacin moxifloxacin linezolid fluconazole "
            "voriconazole posaconazole micafungin caspofungin anidulafungin sulfamethoxazole trimethoprim telavancin "
            "dalbavancin oritavancin chloramphenicol rifampin quinupristin peramivir remdesivir"
        ),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "labels, section 2: into a vein only; pain, necrosis or no absorption from muscle",
        "an anti-infective for a vein under the skin or into muscle",
    ),
    _Row(
        "iron-vein",
        _names("iron_sucrose ferric_carboxymaltose ferric_derisomaltose sodium_ferric ferumoxytol"),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "labels of the intravenous irons, section 2: into a vein only",
        "an iron for a vein under the skin or into muscle",
    ),
    _Row(
        "phenytoin",
        _names("phenytoin"),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "phenytoin injection label, section 2: not into muscle (erratic absorption, necrosis)",
        "phenytoin into muscle precipitates: it is not absorbed and destroys tissue",
    ),
    _Row(
        "valproate",
        _names("valproate"),
        _MUSCLE,
        Severity.MAJOR,
        "valproate injection label, section 2: into a vein only",
        "valproate into muscle destroys tissue",
    ),
    _Row(
        "digoxin",
        _names("digoxin"),
        _MUSCLE_OR_SKIN,
        Severity.MODERATE,
        "digoxin injection label, section 2: not into muscle (severe pain, muscle necrosis)",
        "digoxin into muscle hurts and is not reliably absorbed",
    ),
    _Row(
        "anaesthetic-vein",
        _names("propofol etomidate thiopental"),
        _MUSCLE_OR_SKIN | _ARTERY,
        Severity.MAJOR,
        "labels, section 2: into a vein only",
        "an anaesthetic for a vein by another route",
    ),
    _Row(
        "irritant-skin",
        _names("diazepam chlorpromazine prochlorperazine hydroxyzine promethazine chlordiazepoxide thiopental "
            "pentobarbital"),
        _SKIN,
        Severity.MAJOR,
        "labels, section 2: not under the skin (irritation, necrosis)",
        "this drug under the skin destroys tissue",
    ),
    _Row(
        "artery",
        _names(
            "promethazine hydroxyzine diazepam lorazepam phenytoin fosphenytoin phenobarbital pentobarbital "
            "penicillin_g "
            "chlorpromazine prochlorperazine epinephrine norepinephrine phenylephrine vasopressin dextrose "
            "calcium_chloride calcium_gluconate potassium_chloride amiodarone ketamine vancomycin flucloxacillin "
            "haloperidol meperidine atracurium rocuronium pentazocine"
        ),
        _ARTERY,
        Severity.CONTRAINDICATED,
        "labels, sections 2 and 5: never into an artery (gangrene)",
        "this drug into an artery causes spasm and gangrene",
        unless=re.compile(r"\b(?:angiograph\w*|cath lab|intraoperative(?:ly)?|catheteri[sz]ation|vasospasm)\b", re.I),
    ),
    _Row(
        "bisphosphonate-vein",
        _names("zoledronic_acid pamidronate ibandronate"),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "labels, section 2: into a vein only",
        "a bisphosphonate for infusion under the skin or into muscle",
    ),
    _Row(
        "thrombolytic-muscle",
        _names("alteplase tenecteplase reteplase streptokinase bivalirudin argatroban tirofiban eptifibatide "
            "cangrelor"),
        _MUSCLE_OR_SKIN,
        Severity.MAJOR,
        "labels, section 2: into a vein only",
        "a drug that dissolves or prevents clots into muscle bleeds there",
    ),
    _Row(
        "insulin-mix-vein",
        _names("insulin_aspart insulin_lispro insulin_human"),
        _VEIN,
        Severity.CONTRAINDICATED,
        "labels of premixed and isophane insulins, section 2: never into a vein",
        "an insulin suspension into a vein",
        product=re.compile(
            r"\b(?:mix|70[/-]30|75[/-]25|50[/-]50|30[/-]70|25[/-]75|novomix|humalog mix|mixtard|insulatard|nph"
            r"|isophane"
            r"|protamine|humulin (?:n|m3|i)|hypurin isophane)\b",
            re.I,
        ),
    ),
    _Row(
        "long-insulin-artery",
        _names("insulin_isophane insulin_glargine insulin_detemir insulin_degludec insulin_icodec"),
        _VEIN,
        Severity.CONTRAINDICATED,
        "labels of long-acting insulins, section 5: never into a vein",
        "a long-acting insulin into a vein is a severe overdose",
    ),
    _Row(
        "adrenaline-1-in-1000-vein",
        _names("epinephrine"),
        _VEIN,
        Severity.CONTRAINDICATED,
        "epinephrine 1 mg/mL and auto-injector labels, section 2: into muscle or under the skin, undiluted not "
        "into a vein",
        "undiluted epinephrine of 1 mg/mL into a vein outside cardiac arrest",
        product=re.compile(
            r"\b(?:1 ?(?:in|:) ?1[, ]?000(?![,\d])|1 ?mg ?/ ?ml|epi-?pens?|auto-?injectors?|jext|emerade|anapen"
            r"|auvi-q)\b",
            re.I,
        ),
        unless=re.compile(
            r"\b(?:arrest|cpr|pulseless|asystol\w*|pea|vf|dilut\w*|infus\w*|in (?:100|250|500|1000) ?ml)\b", re.I
        ),
    ),
    _Row(
        "opioid-film-vein",
        _names("buprenorphine naltrexone"),
        _VEIN | _MUSCLE,
        Severity.CONTRAINDICATED,
        "Sublocade, Brixadi and Vivitrol labels, boxed warnings: a depot into a vein occludes it",
        "a depot of an opioid or its antagonist by a route that forms a clot or an embolus",
        product=re.compile(r"\b(?:sublocade|brixadi|buvidal)\b", re.I),
    ),
    _Row(
        "depot-oil-vein",
        _names(
            "haloperidol fluphenazine flupenthixol zuclopenthixol olanzapine risperidone paliperidone aripiprazole "
            "testosterone estradiol medroxyprogesterone hydroxyprogesterone fulvestrant octreotide lanreotide "
            "leuprolide triptorelin goserelin naltrexone cabotegravir rilpivirine betamethasone methylprednisolone "
            "triamcinolone penicillin_g exenatide pasireotide"
        ),
        _VEIN,
        Severity.CONTRAINDICATED,
        "labels of depot suspensions and oils, boxed warnings and section 2: never into a vein",
        "a depot into a vein lodges in the lungs or gives its whole dose at once",
        product=re.compile(
            r"\b(?:decanoate|enanthate|cypionate|undecanoate|valerate|caproate|palmitate|pamoate|embonate"
            r"|lauroxil|acetonide"
            r"|hexacetonide|depot?|depo-\w+|lar|la|er|xr|long[- ]acting|extended[- ]release|modecate|depixol|clopixol"
            r"|zypadhera|relprevv|consta|sustenna|trinza|hafyera|xeplion|trevicta|byannli|maintena|aristada|perseris"
            r"|uzedy|nebido|sustanon|faslodex|cabenuva|vocabria|apretude|vivitrol|eligard|lupron|prostap|zoladex"
            r"|decapeptyl|somatuline|bydureon|signifor|kenalog|adcortyl|soluspan|benzathine|bicillin|procaine"
            r"|lentocilin|extencilline)\b",
            re.I,
        ),
    ),
)  # fmt: skip


def forbidden_routes(case: Case) -> Iterator[Finding]:
    """One finding a mention and row."""
    seen: set[tuple[str, int]] = set()
    for exposure in case.given:
        route = exposure.statement.route if exposure.statement is not None else None
        if route is None or exposure.origin != "output" or exposure.generic_class is not None:
            continue
        for row in _ROWS:
            key = (row.id, exposure.span.start)
            if (
                route in row.routes
                and exposure.drug in row.drugs
                and key not in seen
                and _holds(case, exposure, row)
            ):
                seen.add(key)
                yield case.finding(
                    Code.ROUTE, exposure, row.severity, curated(f"route-{row.id}", row.source), row.message
                )


def _holds(case: Case, exposure: Exposure, row: _Row) -> bool:
    if row.unless is not None and case.writes(row.unless):
        return False
    if row.product is None:
        return True
    text, span = case.judged.output, exposure.span
    return row.product.search(text, span.start, min(len(text), span.end + _BESIDE)) is not None


__all__ = ["forbidden_routes"]
