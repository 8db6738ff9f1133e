"""The readers of the sources, on small authored files of each form and its known faults."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from attending.guardrails.finding import Severity
from attending.guardrails.knowledge.assemble import strengths
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary
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
        "PRODUCTNDC",
        "PRODUCTTYPENAME",
        "PROPRIETARYNAME",
        "NONPROPRIETARYNAME",
        "ROUTENAME",
        "MARKETINGCATEGORYNAME",
        "SUBSTANCENAME",
        "ACTIVE_NUMERATOR_STRENGTH",
        "ACTIVE_INGRED_UNIT",
        "PHARM_CLASSES",
        "DEASCHEDULE",
    ]
    rows = [
        [
            "1-1",
            "HUMAN PRESCRIPTION DRUG",
            "Brand  A",
            "x and y",
            "ORAL; TOPICAL",
            "NDA",
            "X HCL; Y",
            "5; 325",
            "mg/1; mg/1",
            "C [EPC]",
            "CII",
        ],
        ["2-1", "HUMAN OTC DRUG", "Homeo", "z", "ORAL", "UNAPPROVED HOMEOPATHIC", "Z", "1", "mg/1", "", ""],
        ["3-1", "NON-STANDARDIZED ALLERGENIC", "Pollen", "p", "INTRADERMAL", "BLA", "P", "1", "mg/1", "", ""],
    ]
    with gzip.open(tmp_path / "product.txt.gz", "wt", encoding="latin-1") as stream:
        stream.write("\n".join("\t".join(line) for line in [columns, *rows]) + "\n")
    (product,) = fda_ndc.read(tmp_path)
    assert product.brand == "brand a"
    assert product.substances == ("x hcl", "y")
    assert product.routes == {"oral", "topical"}
    assert [one.amount for one in product.strengths if one is not None] == [5, 325]


def marketed(tmp_path: Path, *lines: str) -> dict[str, tuple[str, str]]:
    """`drug route unit` -> (strength, product) of made-up products, whose cells `|` parts."""
    columns = "PRODUCTNDC MARKETINGCATEGORYNAME ROUTENAME SUBSTANCENAME ACTIVE_NUMERATOR_STRENGTH ACTIVE_INGRED_UNIT"
    other = "PRODUCTTYPENAME PROPRIETARYNAME NONPROPRIETARYNAME PHARM_CLASSES DEASCHEDULE"
    (tmp_path / "fda-ndc").mkdir()
    with gzip.open(tmp_path / "fda-ndc" / "product.txt.gz", "wt", encoding="latin-1") as stream:
        stream.write("\t".join([*columns.split(), *other.split()]) + "\n")
        for line in lines:
            stream.write("\t".join([*line.split("|"), "HUMAN PRESCRIPTION DRUG", "", "", "", ""]) + "\n")
    rows = strengths.build(Vocabulary(NAMER, products=list(fda_ndc.read(tmp_path / "fda-ndc"))))
    return {
        f"{row['drug']} {row['route']} {row['unit']}{row['per']}": (
            row["strength"],
            row["source"].split("product ")[1],
        )
        for row in rows
    }


NAMER = Namer(
    ["clopidogrel", "digoxin", "calcium carbonate", "amoxicillin", "clavulanate"], {"lignocaine": "lidocaine"}
)
TABLET = "5-1|NDA|ORAL|DIGOXIN|250|ug/1"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((TABLET, "5-2|ANDA|ORAL|DIGOXIN|.125|mg/1"), {"digoxin oral mg": ("0.25", "5-1")}),
        ((TABLET, "4-9|ANDA|ORAL|DIGOXIN|.25|mg/1"), {"digoxin oral mg": ("0.25", "4-9")}),
        # An ampoule has no unit strength, and neither has a powder for injection.
        ((TABLET, "6-1|NDA|INTRAVENOUS|DIGOXIN|.5|mg/2mL"), {"digoxin oral mg": ("0.25", "5-1")}),
        (("6-2|NDA|INTRAVENOUS|DIGOXIN|9|mg/1",), {}),
        # The parts of a combination go by their order, under their ingredients.
        (
            ("7-1|NDA|ORAL|AMOXICILLIN TRIHYDRATE; CLAVULANATE POTASSIUM|875; 125|mg/1; mg/1",),
            {"amoxicillin oral mg": ("875", "7-1"), "clavulanate oral mg": ("125", "7-1")},
        ),
        (("7-2|NDA|ORAL|AMOXICILLIN; CLAVULANATE|875|mg/1",), {}),
        # A liquid by mouth counts by the tablespoon, where that is more than what is listed.
        (
            ("8-1|NDA|ORAL|AMOXICILLIN|400|mg/5mL",),
            {"amoxicillin oral mg": ("1200", "8-1, 15 mL of 400 mg in 5 mL")},
        ),
        # A tablet by its weight is one tablet; the bare substance in a drum has no unit; a powder counts by the spoon.
        (("8-2|ANDA|ORAL|LIDOCAINE|25|mg/.025g",), {"lidocaine oral mg": ("25", "8-2")}),
        ((TABLET, "8-3|NDA|ORAL|DIGOXIN|1000|mg/g"), {"digoxin oral mg": ("0.25", "5-1")}),
        (
            ("8-4|NDA|ORAL|LIDOCAINE|4000|mg/5g",),
            {"lidocaine oral mg": ("12000", "8-4, 15 g of 4000 mg in 5 g")},
        ),
        # A patch by the hour, also where a day or three are told; a cream leaves its route without one.
        (("9-1|NDA|TRANSDERMAL|LIDOCAINE|72|mg/3d",), {"lidocaine transdermal mgh": ("1", "9-1")}),
        (("9-2|NDA|TRANSDERMAL|LIDOCAINE|72|mg/1", "9-3|NDA|TRANSDERMAL|LIDOCAINE|5|mg/g"), {}),
        (("9-4|BLA|ORAL|LIDOCAINE|20000|[USP'U]/1",), {"lidocaine oral unit": ("20000", "9-4")}),
        # Of what is sold without approval only, the directory lists too little.
        (("9-5|UNAPPROVED DRUG OTHER|ORAL|LIDOCAINE|5|mg/1",), {}),
        (
            (TABLET, "9-6|UNAPPROVED DRUG OTHER|ORAL|DIGOXIN|5|mg/1", "9-7|NDA|ORAL|DIGOXIN|x|mg/1"),
            {"digoxin oral mg": ("5", "9-6")},
        ),
    ],
)
def test_the_largest_strength_is_of_one_unit_by_its_route(
    tmp_path: Path, lines: tuple[str, ...], found: dict[str, tuple[str, str]]
) -> None:
    assert marketed(tmp_path, *lines) == found


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
