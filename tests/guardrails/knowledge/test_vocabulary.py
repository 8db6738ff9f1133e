"""How much the pack knows by name, where each name comes from, and that grouping alone gives no finding."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from attending.guardrails.knowledge import Knowledge, load
from attending.guardrails.knowledge.assemble.concepts import place
from attending.guardrails.knowledge.facts import NAME_SOURCES
from attending.guardrails.knowledge.importers import ndfrt, rxnorm
from attending.guardrails.knowledge.importers.ndfrt import Concept
from attending.guardrails.knowledge.naming import Namer

NAMER = Namer(["cytarabine", "bromocriptine", "sodium"], {"frusemide": "furosemide"})


def concept(code: str, name: str, *, chemical: bool = True) -> Concept:
    return Concept(code, f"N{code}", name, chemical)


def test_the_vocabulary_is_as_large_as_asked(knowledge: Knowledge) -> None:
    assert sum(1 for drug in knowledge.drugs() if knowledge.rxcui(drug) is not None) >= 3_000
    assert len(knowledge.names()) >= 20_000
    assert sum(1 for class_id in knowledge.class_ids() if knowledge.members(class_id)) >= 400


def test_no_two_drugs_have_one_rxcui(knowledge: Knowledge) -> None:
    codes = [code for drug in knowledge.drugs() if (code := knowledge.rxcui(drug)) is not None]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[1-9][0-9]{0,7}", code) for code in codes)


def test_every_rxcui_stands_in_the_source_row_that_it_cites(sources: Path, knowledge: Knowledge) -> None:
    listed = {entry.rxcui for entry in rxnorm.read(sources / "rxnorm")}
    rows = {(one.nui, one.rxcui) for one in ndfrt.concepts(sources / "ndfrt")}
    for drug in knowledge.drugs():
        code, (_, cited) = knowledge.rxcui(drug), knowledge.origin(drug)[0:2]
        assert (code is None) == (cited is None), drug
        if cited is not None and cited.startswith("ndfrt:"):
            assert (cited.removeprefix("ndfrt:"), code) in rows, drug
        elif cited is not None:
            assert code in listed, drug


def test_no_rxcui_is_that_of_a_product_or_dose_form(sources: Path, knowledge: Knowledge) -> None:
    """Codes that NDF-RT gives to products and forms and to no ingredient."""
    products: set[str] = set()
    with (sources / "ndfrt" / "NDFRT_RxNorm_mapping.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter=";"):
            if re.search(r"\[(?:VA|Dose)", row["drugname"]):
                products.add(row["rxcui"])
    products -= {one.rxcui for one in ndfrt.concepts(sources / "ndfrt")}
    assert len(products) > 5_000
    assert products.isdisjoint(knowledge.rxcui(drug) for drug in knowledge.drugs())


def test_every_name_class_and_edge_says_where_it_is_from(knowledge: Knowledge) -> None:
    for name, entry in knowledge.names().items():
        assert entry.source.partition(":")[0] in NAME_SOURCES, name
    for _, _, edge in knowledge.graph.edges(data=True):
        assert edge["basis"] in ("source_row", "label_text", "curated")
        assert edge["source"]
        assert edge["type"] in ("member_of", "names") or edge["rule_id"]


def test_classes_that_only_group_carry_no_fact(knowledge: Knowledge) -> None:
    groups = {one for one in knowledge.class_ids() if one.partition(":")[0] in ("epc", "moa", "pe", "cs")}
    assert len(groups) >= 200
    assert all(len(knowledge.members(one)) > 1 for one in groups)
    sides = {side for fact in knowledge.all_interactions() for side in (fact.a, fact.b)}
    sides |= {side for fact in knowledge.all_cross_reactions() for side in (fact.allergen, fact.to)}
    assert groups.isdisjoint(sides)
    assert groups.isdisjoint(row["class"] for row in load.Pack.read(load.DEFAULT).rows("allergy_groups.tsv"))
    assert not any(entry.drug_class in groups for entry in knowledge.names().values())


def test_a_combination_is_its_ingredients(knowledge: Knowledge) -> None:
    assert not [drug for drug in knowledge.drugs() if "/" in drug and knowledge.rxcui(drug) is not None]
    assert knowledge.names()["aspirin/caffeine/orphenadrine"].drugs == ("aspirin", "caffeine", "orphenadrine")


@pytest.mark.parametrize(
    "word",
    [
        "collagen",
        "ginger",
        "lipase",
        "amylase",
        "cinnamon",
        "creatine",
        "lactose",
        "silver",
        "nad",
        "tuberculin",
    ],
)
def test_foods_and_laboratory_values_are_no_names(knowledge: Knowledge, word: str) -> None:
    assert word not in knowledge.names()


def test_one_code_is_one_substance() -> None:
    placed = place(
        NAMER,
        {"bromocriptine": "1760"},
        [concept("1760", "2-bromoergocryptine mesylate"), concept("9", "suramin"), concept("9", "moranyl")],
        frozenset(),
        frozenset(),
    )
    assert placed.synonyms["2-bromoergocryptine mesylate"] == ("bromocriptine", "N1760")
    assert placed.ingredients == ("moranyl",) or placed.ingredients == ("suramin",)
    assert len(placed.synonyms) == 2


def test_a_name_that_would_hide_a_known_drug_is_not_taken() -> None:
    placed = place(NAMER, {}, [concept("7", "cytarabine liposome")], frozenset(), frozenset())
    assert placed.ingredients == ()
    assert placed.left_out == (("cytarabine liposome", "holds the name of cytarabine"),)


def test_a_code_comes_from_the_ingredient_and_never_from_its_salt() -> None:
    placed = place(
        NAMER,
        {},
        [concept("5", "cytarabine hydrochloride"), concept("6", "cytarabine"), concept("8", "frusemide")],
        frozenset(),
        frozenset(),
    )
    assert placed.rxcui == {"cytarabine": ("6", "N6"), "furosemide": ("8", "N8")}


def test_a_code_of_two_known_drugs_is_reported_and_not_used() -> None:
    placed = place(
        NAMER, {}, [concept("3", "cytarabine"), concept("3", "bromocriptine")], frozenset(), frozenset()
    )
    assert placed.rxcui == {}
    assert placed.left_out[0][1] == "RxCUI 3 is of bromocriptine and cytarabine"


def test_products_forms_and_names_that_were_cut_off_are_no_ingredients(tmp_path: Path) -> None:
    rows = [
        "rxcui;nui;drugname",
        "1;N1;SURAMIN [Chemical/Ingredient]",
        "2;N2;SURAMIN 1GM INJ [VA Product]",
        "3;N3;Oral Tablet [Dose Form]",
        f"4;N4;{'APAP 240MG/CAFN 16MG/P-PROPANOL 18MG/SALICYLAMIDE 20MG TAB'[:50]}",
        "5;N5;SURAMIN SODIUM",
    ]
    (tmp_path / "NDFRT_RxNorm_mapping.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert [one.rxcui for one in ndfrt.concepts(tmp_path)] == ["1", "5"]
