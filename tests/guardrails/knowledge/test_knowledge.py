"""The pack and the questions that checks ask of it."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import zipfile
from decimal import Decimal
from pathlib import Path

import networkx
import pytest
from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge import Knowledge, build, load
from attending.guardrails.knowledge.assemble.pack import MAX_FILE_BYTES
from attending.guardrails.knowledge.facts import Covered, Provenance

_SET_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


@pytest.mark.parametrize(
    ("name", "drugs"),
    [
        ("Paracetamol", ("acetaminophen",)),
        ("salbutamol", ("albuterol",)),
        ("ciclosporin", ("cyclosporine",)),
        ("glyceryl trinitrate", ("nitroglycerin",)),
        ("adrenaline", ("epinephrine",)),
        ("pethidine", ("meperidine",)),
        ("lignocaine", ("lidocaine",)),
        ("frusemide", ("furosemide",)),
        ("amoxycillin", ("amoxicillin",)),
        ("rifampicin", ("rifampin",)),
        ("Clopidogrel Bisulfate", ("clopidogrel",)),
        ("Viagra", ("sildenafil",)),
        ("Coumadin", ("warfarin",)),
        ("Tylenol", ("acetaminophen",)),
        ("ELIQUIS", ("apixaban",)),
        ("Percocet", ("acetaminophen", "oxycodone")),
        ("Bactrim DS", ("sulfamethoxazole", "trimethoprim")),
        ("TMP-SMX", ("sulfamethoxazole", "trimethoprim")),
        ("amoxicillin-clavulanate", ("amoxicillin", "clavulanate")),
        ("Augmentin", ("amoxicillin", "clavulanate")),
        ("Paxlovid", ("nirmatrelvir", "ritonavir")),
        ("ASA", ("aspirin",)),
        ("HCTZ", ("hydrochlorothiazide",)),
        ("MTX", ("methotrexate",)),
        ("APAP", ("acetaminophen",)),
        ("NTG", ("nitroglycerin",)),
        ("depakote", ("valproate",)),
        ("lithium carbonate", ("lithium",)),
        ("Lantus", ("insulin glargine",)),
        ("oxycodone/acetaminophen", ("acetaminophen", "oxycodone")),
    ],
)
def test_names_stand_for_us_ingredients(knowledge: Knowledge, name: str, drugs: tuple[str, ...]) -> None:
    entry = knowledge.resolve(name)
    assert entry is not None
    assert entry.drugs == drugs


@pytest.mark.parametrize(
    ("word", "member"),
    [
        ("NSAIDs", "naproxen"),
        ("statins", "rosuvastatin"),
        ("ACE inhibitors", "ramipril"),
        ("nitrates", "isosorbide mononitrate"),
        ("opioids", "tapentadol"),
        ("benzodiazepines", "temazepam"),
        ("SSRIs", "citalopram"),
        ("MAOIs", "tranylcypromine"),
        ("macrolides", "azithromycin"),
        ("penicillins", "dicloxacillin"),
        ("cephalosporins", "cefdinir"),
        ("sulfonamides", "sulfamethoxazole"),
        ("anticoagulants", "edoxaban"),
        ("potassium-sparing diuretics", "amiloride"),
        ("blood thinner", "warfarin"),
        ("PDE5 inhibitors", "avanafil"),
    ],
)
def test_class_words_stand_for_classes(knowledge: Knowledge, word: str, member: str) -> None:
    entry = knowledge.resolve(word)
    assert entry is not None
    assert entry.drug_class is not None
    assert member in knowledge.members(entry.drug_class)
    assert entry.drug_class in knowledge.classes_of(member)


@pytest.mark.parametrize(
    "word",
    ["water", "potassium", "oxygen", "iron", "glucose", "heather", "the", "pain relief", "alcohol", "today"],
)
def test_ordinary_words_are_no_names(knowledge: Knowledge, word: str) -> None:
    assert word not in knowledge.names()


def test_a_misspelling_gives_candidates_and_no_mapping(knowledge: Knowledge) -> None:
    assert knowledge.resolve("warfrin") is None
    assert "warfarin" in knowledge.near("warfrin")
    assert "metformin" in knowledge.near("metfromin")
    assert knowledge.near("zyntrovexil") == ()
    assert knowledge.near("of") == ()


def test_every_name_means_something_known(knowledge: Knowledge) -> None:
    for name, entry in knowledge.names().items():
        assert name == name.lower().strip()
        assert bool(entry.drugs) != bool(entry.drug_class), name
        assert all(knowledge.is_drug(drug) for drug in entry.drugs), name
        assert entry.drug_class is None or knowledge.members(entry.drug_class), name


def test_every_fact_is_sourced_and_every_citation_is_in_the_index(knowledge: Knowledge) -> None:
    facts: list[Provenance] = [fact.provenance for fact in knowledge.all_interactions()]
    facts += [provenance for _, _, _, provenance in knowledge.drug_facts()]
    facts += [fact.provenance for fact in knowledge.all_cross_reactions()]
    assert len(facts) > 10_000
    for provenance in facts:
        assert provenance.source
        assert provenance.rule_id
        cited = _SET_ID.findall(provenance.source)
        assert all(knowledge.cites(set_id.lower()) for set_id in cited), provenance
        if provenance.basis is Basis.LABEL_TEXT:
            assert cited or "set id not read" in provenance.source, provenance
        if provenance.basis is Basis.CURATED:
            assert "needs pharmacist attestation; " in provenance.source
            assert provenance.rule_id.startswith("curated:")


def test_facts_speak_of_known_drugs_and_classes(knowledge: Knowledge) -> None:
    for fact in knowledge.all_interactions():
        for side in (fact.a, fact.b):
            assert knowledge.is_drug(side) or knowledge.members(side), side
        assert (fact.above_daily_mg is None) or (fact.dose_drug is not None and fact.above_daily_mg > 0)
    for drug in knowledge.drugs():
        for limit in knowledge.dose_limits(drug):
            assert all(value is None or value > 0 for value in (limit.max_single, limit.max_daily))
            assert not (limit.per_kg and limit.per_m2)
        for contra in knowledge.contraindications(drug):
            assert contra.condition in knowledge.conditions().values()


def test_limits_and_rules_of_known_drugs(knowledge: Knowledge) -> None:
    def top(drug: str, route: str = "oral") -> Decimal:
        rows = [
            r for r in knowledge.dose_limits(drug)
            if r.route == route and not r.per_kg and r.max_daily is not None and r.unit == "mg"
        ]  # fmt: skip
        return max(row.max_daily for row in rows if row.max_daily is not None)

    assert top("acetaminophen") == 4000
    assert top("ibuprofen") == 3200
    assert top("metformin") == 2550
    assert top("rosuvastatin") == 40
    weekly = [row for row in knowledge.dose_limits("methotrexate") if row.min_interval_hours == 168]
    assert weekly
    assert all(row.max_daily is None for row in weekly)
    assert any(r.below == 30 and r.action == "contraindicated" for r in knowledge.renal_rules("metformin"))
    assert any("C" in r.child_pugh for r in knowledge.hepatic_rules("atorvastatin"))
    assert any(r.severity is Severity.CONTRAINDICATED for r in knowledge.pregnancy_rules("isotretinoin"))
    nsaid = knowledge.pregnancy_rules("ketoprofen")
    assert any(r.from_week == 20 and r.severity.rank >= Severity.MAJOR.rank for r in nsaid)
    assert not any(r.from_week is None and r.to_week is None for r in nsaid)
    codeine = [rule for rule in knowledge.age_rules("codeine") if rule.max_age_years == 12]
    assert codeine[0].severity is Severity.CONTRAINDICATED
    conditions = {fact.condition for fact in knowledge.contraindications("propranolol")}
    assert {"asthma", "heart_block"} <= conditions
    factor = knowledge.mme_factor("oxycodone")
    assert factor is not None
    assert factor.factor == Decimal("1.5")
    assert knowledge.routes("vancomycin") >= {"oral", "intravenous"}


def test_the_largest_marketed_strength_is_known_by_route(knowledge: Knowledge) -> None:
    held = {(one.route, one.unit): one for one in knowledge.strengths("lisinopril")}
    assert held["oral", "mg"].amount == 40
    assert "FDA NDC directory" in held["oral", "mg"].provenance.source
    assert knowledge.explain("ndc-strength:lisinopril-oral-mg") == held["oral", "mg"].provenance
    patch = [
        one for one in knowledge.strengths("buprenorphine") if one.route == "transdermal" and one.per_hour
    ]
    assert [one.amount for one in patch] == [Decimal("0.02")]
    assert not any(
        one.route == "intravenous" for drug in knowledge.drugs() for one in knowledge.strengths(drug)
    )
    assert knowledge.covered("lisinopril", "strength") is Covered.COVERED


def test_a_child_has_limits_by_weight(knowledge: Knowledge) -> None:
    for drug in ("acetaminophen", "ibuprofen", "amoxicillin", "cephalexin"):
        child = [r for r in knowledge.dose_limits(drug) if r.per_kg and (r.max_age_years or 99) <= 18]
        assert child, drug


def test_allergy_groups_and_cross_reactions(knowledge: Knowledge) -> None:
    drugs, groups = knowledge.allergen("PCN allergy")
    assert not drugs
    assert groups == {"penicillin"}
    drugs, groups = knowledge.allergen("Amoxicillin")
    assert drugs == {"amoxicillin"}
    assert "penicillin" in groups
    assert knowledge.allergen("sulfa drugs")[1] == {"sulfonamide_antibiotic"}
    assert knowledge.allergen("peanuts") == (frozenset(), frozenset())
    shared = knowledge.cross_reacts("amoxicillin", "cephalexin")
    other = knowledge.cross_reacts("penicillin", "ceftriaxone")
    assert shared is not None
    assert other is not None
    assert shared.severity.rank > other.severity.rank
    assert knowledge.cross_reacts("aspirin", "ibuprofen") is not None
    assert knowledge.cross_reacts("penicillin", "azithromycin") is None
    assert knowledge.cross_reacts("ceftazidime", "aztreonam") is not None


def test_condition_words_lead_to_conditions(knowledge: Knowledge) -> None:
    lexicon = knowledge.conditions()
    for words, condition in (
        ("ckd", "kidney_disease"),
        ("seizure disorder", "epilepsy"),
        ("g6pd deficiency", "g6pd_deficiency"),
        ("asthma", "asthma"),
        ("chf", "heart_failure"),
        ("stomach ulcer", "peptic_ulcer"),
    ):
        assert lexicon[words] == condition


def test_coverage_is_honest(knowledge: Knowledge) -> None:
    assert knowledge.covered("warfarin", "interaction") is Covered.COVERED
    assert knowledge.covered("zyntrovexil", "interaction") is Covered.NOT_COVERED
    assert knowledge.covered("warfarin", "no such check") is Covered.NOT_COVERED
    silent = [
        drug for drug in knowledge.drugs() if knowledge.covered(drug, "interaction") is Covered.NOT_COVERED
    ]
    assert silent
    for drug in silent:
        assert not any(
            knowledge.interactions(drug, other) for other in ("warfarin", "simvastatin", "lithium")
        )
    assert knowledge.covered("montelukast", "renal") is Covered.NONE_KNOWN


def test_the_graph_holds_what_the_indexes_hold(knowledge: Knowledge) -> None:
    graph = knowledge.graph
    edges = graph.get_edge_data("class:pde5_inhibitor", "class:nitrate") or {}
    assert any(edge["type"] == "interacts_with" for edge in edges.values())
    assert graph.has_edge("drug:sildenafil", "class:pde5_inhibitor")
    assert graph.has_edge("brand:coumadin", "drug:warfarin")
    assert networkx.is_frozen(graph)
    with pytest.raises(networkx.NetworkXError):
        graph.add_node("drug:new")


def test_a_changed_pack_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(load.DEFAULT, folder)
    assert Knowledge.load(folder).hash == Knowledge.load().hash
    table = folder / "renal.tsv"
    table.write_bytes(table.read_bytes().replace(b"contraindicated", b"adjust", 1))
    with pytest.raises(load.PackError):
        Knowledge.load(folder)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(load.PackError):
        Knowledge.load(folder)


def test_the_manifest_lists_every_table(knowledge: Knowledge) -> None:
    manifest = json.loads((load.DEFAULT / "manifest.json").read_text(encoding="utf-8"))
    tables = {path.name for path in load.DEFAULT.glob("*.tsv")}
    assert set(manifest["files"]) == tables
    assert manifest["hash"] == knowledge.hash
    assert all((load.DEFAULT / name).stat().st_size < MAX_FILE_BYTES for name in tables)


def test_label_limits_stand_in_the_label_that_they_cite(sources: Path, knowledge: Knowledge) -> None:
    """From the limit to its set id to the text of that label: the number is there, or a single dose of which it is the
    daily multiple, or the same amount in grams."""
    texts: dict[str, str] = {}
    with zipfile.ZipFile(sources / "fda-labels" / "DataSet_May_2014_Final.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".txt"):
                texts[Path(name).stem.lower()] = archive.read(name).decode("utf-8", "replace")
    checked: set[str] = set()
    for drug in knowledge.drugs():
        for limit in knowledge.dose_limits(drug):
            if limit.provenance.basis is not Basis.LABEL_TEXT:
                continue
            cited = [texts[i] for i in _SET_ID.findall(limit.provenance.source) if i in texts]
            for value in (limit.max_single, limit.max_daily):
                if not cited or value is None:
                    continue
                forms = [value, value / 2, value / 3, value / 4, value / 1000]
                assert any(_stands_in(form, text) for form in forms for text in cited), (drug, value)
                checked.add(drug)
    assert len(checked) >= 20


def _stands_in(value: Decimal, text: str) -> bool:
    plain = f"{value.normalize():f}"
    forms = {plain, f"{int(value):,}"} if value == int(value) else {plain}
    return any(re.search(rf"(?<![\d.]){re.escape(form)}(?:\.0)?(?!\d)", text) for form in forms)


def test_the_committed_pack_is_what_the_sources_give(
    sources: Path, tmp_path: Path, knowledge: Knowledge
) -> None:
    assert build.build(sources, tmp_path) == knowledge.hash
    names = sorted(path.name for path in load.DEFAULT.iterdir() if path.suffix in (".tsv", ".json"))
    _, differing, missing = filecmp.cmpfiles(load.DEFAULT, tmp_path, names, shallow=False)
    assert (differing, missing) == ([], [])
