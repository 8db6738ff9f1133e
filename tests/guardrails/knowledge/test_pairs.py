"""Pairs of known danger and known safety, written from general knowledge and not from the tables."""

from __future__ import annotations

import itertools

import pytest
from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.knowledge.facts import Interaction
from hypothesis import given, settings
from hypothesis import strategies as st

CONTRAINDICATED = """
sildenafil + nitroglycerin; tadalafil + isosorbide mononitrate; vardenafil + isosorbide dinitrate
avanafil + nitroglycerin
sildenafil + amyl nitrite; sildenafil + riociguat; simvastatin + clarithromycin; lovastatin + itraconazole
simvastatin + ketoconazole; simvastatin + posaconazole; simvastatin + voriconazole; simvastatin + erythromycin
simvastatin + gemfibrozil; simvastatin + cyclosporine; lovastatin + cobicistat; simvastatin + ritonavir
phenelzine + fluoxetine; tranylcypromine + sertraline; isocarboxazid + venlafaxine; phenelzine + meperidine
selegiline + meperidine; phenelzine + pseudoephedrine; linezolid + fluoxetine; methylene blue + sertraline
sacubitril + lisinopril; sacubitril + enalapril; tizanidine + ciprofloxacin; tizanidine + fluvoxamine
ergotamine + clarithromycin; dihydroergotamine + ritonavir; ergotamine + sumatriptan; pimozide + clarithromycin
mercaptopurine + febuxostat; ivabradine + ketoconazole; ranolazine + ketoconazole; eplerenone + itraconazole
bosentan + cyclosporine; bosentan + glyburide; dofetilide + verapamil; voriconazole + rifampin
rilpivirine + omeprazole; alprazolam + ketoconazole; nirmatrelvir + amiodarone; ritonavir + flecainide
"""
MAJOR = """
warfarin + ibuprofen; warfarin + naproxen; warfarin + aspirin; warfarin + metronidazole; warfarin + fluconazole
warfarin + sulfamethoxazole; warfarin + amiodarone; warfarin + clarithromycin; warfarin + ciprofloxacin
apixaban + ketoconazole; rivaroxaban + carbamazepine; dabigatran + rifampin; apixaban + ibuprofen; edoxaban + aspirin
oxycodone + alprazolam; hydrocodone + lorazepam; morphine + diazepam; fentanyl + clonazepam; tramadol + zolpidem
methotrexate + trimethoprim; methotrexate + sulfamethoxazole; methotrexate + ibuprofen; lithium + ibuprofen
lithium + lisinopril; lithium + hydrochlorothiazide; lithium + losartan; digoxin + amiodarone; digoxin + verapamil
digoxin + clarithromycin; clopidogrel + omeprazole; clopidogrel + esomeprazole; azathioprine + allopurinol
colchicine + clarithromycin; colchicine + cyclosporine; theophylline + ciprofloxacin; atorvastatin + itraconazole
valproate + meropenem; valproate + lamotrigine; spironolactone + potassium chloride; tramadol + sertraline
tamoxifen + paroxetine; tamoxifen + fluoxetine; ethinyl estradiol + rifampin; ethinyl estradiol + carbamazepine
tacrolimus + clarithromycin; cyclosporine + st. john's wort; tofacitinib + ketoconazole; upadacitinib + clarithromycin
ticagrelor + ketoconazole; clozapine + ciprofloxacin; metoprolol + verapamil; lisinopril + losartan
gentamicin + furosemide; naproxen + clopidogrel; ketorolac + warfarin; citalopram + methadone; haloperidol + methadone
isotretinoin + doxycycline; fluorouracil + warfarin; quetiapine + ketoconazole; levodopa + haloperidol
"""
BENIGN = """
amoxicillin + acetaminophen; metformin + lisinopril; metformin + atorvastatin; atorvastatin + amlodipine
omeprazole + levothyroxine; lisinopril + amlodipine; lisinopril + hydrochlorothiazide; metoprolol + lisinopril
metformin + empagliflozin; metformin + sitagliptin; metformin + semaglutide; losartan + amlodipine
aspirin + atorvastatin
aspirin + clopidogrel; aspirin + metoprolol; atorvastatin + metoprolol; sertraline + acetaminophen
cetirizine + amoxicillin
albuterol + fluticasone; albuterol + prednisone; albuterol + montelukast; azithromycin + albuterol
pantoprazole + atorvastatin
levothyroxine + lisinopril; levothyroxine + atorvastatin; gabapentin + acetaminophen; acetaminophen + ibuprofen
insulin glargine + metformin; insulin glargine + insulin lispro; apixaban + metoprolol; apixaban + atorvastatin
warfarin + acetaminophen; warfarin + lisinopril; warfarin + metformin; furosemide + lisinopril
furosemide + metoprolol
spironolactone + carvedilol; spironolactone + lisinopril; isosorbide mononitrate + metoprolol; sildenafil + lisinopril
doxycycline + acetaminophen; cephalexin + ibuprofen; nitrofurantoin + acetaminophen; penicillin v + acetaminophen
loratadine + montelukast; fluoxetine + lisinopril; escitalopram + metformin; famotidine + acetaminophen
tamsulosin + finasteride; amlodipine + rosuvastatin; hydrochlorothiazide + losartan; folic acid + methotrexate
levetiracetam + lamotrigine; prednisone + omeprazole; ondansetron + acetaminophen
docusate + oxycodone; sennosides + morphine
naloxone + fluticasone; allopurinol + amlodipine; alendronate + atorvastatin; carbidopa + levodopa
isoniazid + rifampin
ceftriaxone + azithromycin; clavulanate + amoxicillin; sulfamethoxazole + trimethoprim; lisinopril + atorvastatin
"""


def pairs(text: str) -> list[tuple[str, str]]:
    found = [part.split(" + ") for part in text.replace("\n", "; ").split(";") if part.strip()]
    return [(a.strip(), b.strip()) for a, b in found]


def unconditional(facts: tuple[Interaction, ...]) -> list[Interaction]:
    return [fact for fact in facts if fact.above_daily_mg is None and fact.route is None]


def worst(knowledge: Knowledge, a: str, b: str) -> int:
    assert knowledge.is_drug(a), a
    assert knowledge.is_drug(b), b
    return max((fact.severity.rank for fact in unconditional(knowledge.interactions(a, b))), default=-1)


@pytest.mark.parametrize(("a", "b"), pairs(CONTRAINDICATED))
def test_a_pair_that_is_never_given_is_contraindicated(knowledge: Knowledge, a: str, b: str) -> None:
    assert worst(knowledge, a, b) == Severity.CONTRAINDICATED.rank


@pytest.mark.parametrize(("a", "b"), pairs(MAJOR))
def test_a_dangerous_pair_is_at_least_major(knowledge: Knowledge, a: str, b: str) -> None:
    assert worst(knowledge, a, b) >= Severity.MAJOR.rank


@pytest.mark.parametrize(("a", "b"), pairs(BENIGN))
def test_an_ordinary_pair_is_below_major(knowledge: Knowledge, a: str, b: str) -> None:
    assert worst(knowledge, a, b) < Severity.MAJOR.rank


def test_standard_pairs_never_contraindicate_each_other(knowledge: Knowledge) -> None:
    """A discharge list of ordinary drugs has no pair that is never given."""
    listed = (
        "lisinopril metoprolol atorvastatin aspirin clopidogrel metformin omeprazole levothyroxine furosemide "
        "spironolactone acetaminophen gabapentin sertraline albuterol prednisone amlodipine insulin_glargine apixaban"
    )
    drugs = [name.replace("_", " ") for name in listed.split()]
    for a, b in itertools.combinations(drugs, 2):
        assert worst(knowledge, a, b) < Severity.CONTRAINDICATED.rank, (a, b)


def test_a_dose_condition_holds_for_the_dose_only(knowledge: Knowledge) -> None:
    facts = knowledge.interactions("simvastatin", "amlodipine")
    conditional = [
        fact for fact in facts if fact.dose_drug == "simvastatin" and fact.severity is Severity.MAJOR
    ]
    assert min(fact.above_daily_mg for fact in conditional if fact.above_daily_mg is not None) == 20
    assert all(fact.severity.rank < Severity.MAJOR.rank for fact in unconditional(facts))
    aspirin = [
        f for f in knowledge.interactions("warfarin", "aspirin") if f.severity is Severity.CONTRAINDICATED
    ]
    assert aspirin
    assert all(fact.dose_drug == "aspirin" and fact.above_daily_mg == 2999 for fact in aspirin)


def test_a_contraindication_may_rest_on_a_citable_source(knowledge: Knowledge) -> None:
    """A curated fact alone never blocks: the classic never-pairs must have a source row or a label behind them."""
    classic = """
    sildenafil + nitroglycerin; simvastatin + clarithromycin; sacubitril + lisinopril; tizanidine + ciprofloxacin
    """
    for a, b in pairs(classic):
        facts = [f for f in knowledge.interactions(a, b) if f.severity is Severity.CONTRAINDICATED]
        assert any(f.provenance.basis in (Basis.LABEL_TEXT, Basis.SOURCE_ROW) for f in facts), (a, b)


def test_classes_interact_like_their_members(knowledge: Knowledge) -> None:
    assert any(
        f.severity is Severity.CONTRAINDICATED for f in knowledge.interactions("nitrate", "pde5_inhibitor")
    )
    assert any(
        f.severity is Severity.CONTRAINDICATED for f in knowledge.interactions("sildenafil", "nitrate")
    )
    assert any(f.severity.rank >= Severity.MAJOR.rank for f in knowledge.interactions("nsaid", "warfarin"))
    assert any(
        f.severity.rank >= Severity.MAJOR.rank for f in knowledge.interactions("opioid", "benzodiazepine")
    )


SOME = [
    "warfarin",
    "aspirin",
    "simvastatin",
    "sildenafil",
    "nsaid",
    "opioid",
    "lithium",
    "digoxin",
    "nitrate",
    "zzz",
]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_interactions_are_symmetrical_and_always_sourced(knowledge: Knowledge, data: st.DataObject) -> None:
    ids = st.sampled_from([*SOME, *sorted(knowledge.drugs())])
    a, b = data.draw(ids), data.draw(ids)
    facts = knowledge.interactions(a, b)
    assert facts == knowledge.interactions(b, a)
    for fact in facts:
        assert fact.provenance.source
        assert knowledge.explain(fact.provenance.rule_id) is not None
    ranks = [fact.severity.rank for fact in facts]
    assert ranks == sorted(ranks, reverse=True)


def test_a_drug_does_not_interact_with_itself(knowledge: Knowledge) -> None:
    assert knowledge.interactions("ibuprofen", "ibuprofen") == ()


def test_a_drug_with_the_name_of_a_class_has_the_facts_of_its_other_classes(knowledge: Knowledge) -> None:
    assert "heparin" in set(knowledge.class_ids())
    assert worst(knowledge, "heparin", "dextran") == Severity.MAJOR.rank
    assert worst(knowledge, "enoxaparin", "ibuprofen") >= Severity.MAJOR.rank
