"""The readers of the sources, on small authored files of each form and its known faults."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from attending.guardrails.finding import Severity
from attending.guardrails.knowledge.importers import ansm, fda_ndc, ndfrt, va
from attending.guardrails.knowledge.naming import Namer, tidy


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("CONTRAINDICATION ", Severity.CONTRAINDICATED),
        ("C0NTRAINDICATION", Severity.CONTRAINDICATED),
        ("CONTRAINDICATOIN", Severity.CONTRAINDICATED),
        ("Contraindication with:", Severity.CONTRAINDICATED),
        ("Nor recommended", Severity.MAJOR),
        ("Not recommeded:", Severity.MAJOR),
        ("Not Recommended with", Severity.MAJOR),
        ("Precautions for use", Severity.MODERATE),
        ("Precaution of use", Severity.MODERATE),
        ("Tale into account", Severity.MINOR),
        ("Contraindication - Not recommended - Precaution for use", Severity.MODERATE),
        ("consult the product information", None),
        ("", None),
    ],
)
def test_a_severity_is_read_whatever_its_spelling(text: str, level: Severity | None) -> None:
    assert ansm.severity_of(text) is level


def row(comment: str, description: str = "", severity: Severity = Severity.CONTRAINDICATED) -> ansm.Row:
    side = ansm.Side("DRUG", "ASPIRIN", None)
    return ansm.Row(1, side, side, severity, description, comment)


@pytest.mark.parametrize(
    ("comment", "above"),
    [
        ("anti-inflammatory doses of the drug (>=1g per dose and/or >=3 gr per day)", 2999),
        ("used in doses greater than or equal to 800 mg/day: increase", 799),
        ("for doses of fluconazole >=200 mg per day", 199),
        ("-for doses of methotrexate higher than 21 mg per week", 3),
    ],
)
def test_a_dose_condition_becomes_a_daily_amount(comment: str, above: int) -> None:
    (tier,) = ansm.tiers(row(comment))
    assert tier.above_daily_mg == above
    assert tier.severity is Severity.CONTRAINDICATED


def test_a_ceiling_in_a_comment_makes_a_second_tier() -> None:
    tiers = ansm.tiers(
        row("Do not exceed the dosage of 20 mg/day of simvastatin.", severity=Severity.MODERATE)
    )
    assert [(t.severity, t.above_daily_mg) for t in tiers] == [
        (Severity.MODERATE, None),
        (Severity.MAJOR, Decimal(20)),
    ]


def test_a_comment_may_limit_a_class_to_members() -> None:
    assert ansm.only_with(row("--with the gemfibrozil and the simvastatin")) == ("gemfibrozil", "simvastatin")
    assert ansm.only_with(row("Clinical monitoring with the patient")) == ()
    assert ansm.conditional(row("-for patients with diabetes or renal insufficiency"))


def test_classes_survive_an_unclosed_element(tmp_path: Path) -> None:
    (tmp_path / ansm.CLASSES).write_text(
        '<CLASSES><CLASS name="PAIN DRUGS " code="X"><DRUG name="" rxnorm="12"><DRUG name="Alpha &amp; B" rxnorm="7">'
        '<ATC code="A" /></DRUG></CLASS><CLASS name="EMPTY" code="Y"></CLASS></CLASSES>',
        encoding="utf-8",
    )
    found = ansm.members(tmp_path)
    assert [side.name for side in found["PAIN DRUGS"]] == ["", "Alpha & B"]
    assert found["EMPTY"] == ()
    assert ansm.resolve_class("OTHER PAIN DRUGS", found) == "PAIN DRUGS"
    assert ansm.resolve_class("PAINN DRUGS", found) == "PAIN DRUGS"
    assert ansm.resolve_class("SOMETHING ELSE", found) is None


def test_a_pair_with_a_slash_in_a_name_offers_every_cut(tmp_path: Path) -> None:
    (tmp_path / "ndfrt_ddis.tsv").write_text("interaction\tseverity\nA/B/C\tCritical\n", encoding="utf-8")
    (pair,) = ndfrt.read(tmp_path)
    assert pair.sides == (("A", "B/C"), ("A/B", "C"))
    assert pair.severity is Severity.MAJOR


def test_a_mumps_export_is_read_with_quotes_and_commas(tmp_path: Path) -> None:
    path = tmp_path / "x.zwr.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write('HEADING\nDATE ZWR\n^GMRD(120.82,3,"ING",1,0)=2014\n^X("A,B",1)="say ""hi"", then"\n')
    assert list(va.nodes(path)) == [
        (("120.82", "3", "ING", "1", "0"), "2014"),
        (("A,B", "1"), 'say "hi", then'),
    ]


def test_homeopathic_and_allergenic_products_are_passed_over(tmp_path: Path) -> None:
    columns = [
        "PRODUCTTYPENAME",
        "PROPRIETARYNAME",
        "NONPROPRIETARYNAME",
        "ROUTENAME",
        "MARKETINGCATEGORYNAME",
        "SUBSTANCENAME",
        "PHARM_CLASSES",
        "DEASCHEDULE",
    ]
    rows = [
        [
            "HUMAN PRESCRIPTION DRUG",
            "Brand  A",
            "x and y",
            "ORAL; TOPICAL",
            "NDA",
            "X HCL; Y",
            "C [EPC]",
            "CII",
        ],
        ["HUMAN OTC DRUG", "Homeo", "z", "ORAL", "UNAPPROVED HOMEOPATHIC", "Z", "", ""],
        ["NON-STANDARDIZED ALLERGENIC", "Pollen", "p", "INTRADERMAL", "BLA", "P", "", ""],
    ]
    with gzip.open(tmp_path / "product.txt.gz", "wt", encoding="latin-1") as stream:
        stream.write("\n".join("\t".join(line) for line in [columns, *rows]) + "\n")
    (product,) = fda_ndc.read(tmp_path)
    assert product.brand == "brand a"
    assert product.substances == ("x hcl", "y")
    assert product.routes == {"oral", "topical"}


NAMER = Namer(
    ["clopidogrel", "digoxin", "calcium carbonate", "amoxicillin", "clavulanate"], {"lignocaine": "lidocaine"}
)


@pytest.mark.parametrize(
    ("text", "drug"),
    [
        ("CLOPIDOGREL BISULFATE", "clopidogrel"),
        ("DIGOXIN ", "digoxin"),
        ("  Digoxin   tablets", "digoxin"),
        ("Lignocaine hydrochloride", "lidocaine"),
        ("calcium carbonate", "calcium carbonate"),
        ("Amoxicillin (as trihydrate)", "amoxicillin"),
        ("clopidogrelx", None),
        ("sodium", None),
        ("", None),
    ],
)
def test_a_salt_is_its_ingredient_and_nothing_is_guessed(text: str, drug: str | None) -> None:
    assert NAMER.drug(text) == drug


def test_a_combination_is_known_only_where_every_part_is() -> None:
    assert NAMER.drugs("amoxicillin trihydrate and clavulanate potassium") == ("amoxicillin", "clavulanate")
    assert NAMER.drugs("amoxicillin/unheard-of") is None
    assert tidy(" A\u00a0 B\u2019s. ") == "a b's"
