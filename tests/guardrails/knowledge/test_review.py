"""Lint, diff and attestation of packs: each fault is planted in a sound pack and found at its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attending.guardrails.finding import Basis
from attending.guardrails.knowledge import Knowledge, attestation, load
from attending.guardrails.knowledge.assemble.pack import digest as pack_digest
from attending.guardrails.knowledge.compare import compare
from attending.guardrails.knowledge.lint import Fault, Problem, lint

SOUND: dict[str, str] = {
    "adjustments.tsv": "id\ta\tb\tmax_severity\treason\n",
    "age.tsv": "drug\tseverity\tmin_age_years\tmax_age_years\tbasis\trule_id\tsource\n",
    "allergens.tsv": "name\tdrugs\tgroups\n",
    "attestations.tsv": "\t".join(attestation.COLUMNS) + "\n",
    "classes.tsv": "class\tlabel\tmembers\tsource\nstatin\tstatin\tlovastatin|simvastatin\tcurated\n",
    "conditions.tsv": "name\tcondition\nasthma\tasthma\n",
    "contraindications.tsv": "drug\tcondition\tseverity\tbasis\trule_id\tsource\n"
    "simvastatin\tasthma\tmajor\tcurated\tcurated:c1\tcurated: needs pharmacist attestation; label\n",
    "dose_limits.tsv": "drug\troute\tformulation\tindication\tmin_age_years\tmax_age_years\tmax_single\tmax_daily\tunit"
    "\tper\tmin_interval_hours\tconfidence\tbasis\trule_id\tsource\n"
    "simvastatin\toral\t\t\t18\t\t\t40\tmg\t\t\thigh\tlabel_text\tlabel:simvastatin:1"
    "\tFDA label openfda:01b14603-8f29-4fa3-8d7e-9d523f802e0b, 2.1\n",
    "drugs.tsv": "drug\trxcui\troutes\tschedule\tsource\trxcui_source\nlovastatin\t6472\t\t\trxnorm\trxnorm\n"
    "simvastatin\t36567\t\t\trxnorm\trxnorm\nwarfarin\t11289\t\t\trxnorm\trxnorm\n",
    "interactions.tsv": "a\tb\tseverity\tbasis\trule_id\tsource\tmechanism\tdose_drug\tabove_daily_mg\troute\n"
    "statin\twarfarin\tminor\tsource_row\tndfrt:2014:1\tVA NDF-RT, row 1\t\t\t\t\n",
    "label_index.tsv": "set_id\tsource\tdrugs\n01b14603-8f29-4fa3-8d7e-9d523f802e0b\tlabel facts\tsimvastatin\n"
    "02438044-d6a3-49e9-a1ac-3aad21ef2c8c\tlabel facts\twarfarin\n",
    "mme.tsv": "drug\tfactor\troute\tunit\tbasis\trule_id\tsource\n",
    "names.tsv": "name\tdrugs\tclass\tbrand\tsource\nsimvastatin\tsimvastatin\t\t\trxnorm\n"
    "statins\t\tstatin\t\tcurated\nzocor\tsimvastatin\t\t1\tfda-ndc\n",
    "strengths.tsv": "drug\troute\tstrength\tunit\tper\tbasis\trule_id\tsource\n"
    "simvastatin\toral\t80\tmg\t\tsource_row\tndc-strength:simvastatin-oral-mg\tFDA NDC directory, product 1-1\n",
    "renal.tsv": "drug\tmeasure\tbelow\taction\tmax_daily_mg\tbasis\trule_id\tsource\n",
}  # fmt: skip


def made(**changes: tuple[str, str]) -> load.Pack:
    """The sound pack with the first occurrence of one text replaced by another, by table."""
    tables = dict(SOUND)
    for table, (old, new) in changes.items():
        name = f"{table}.tsv"
        assert old in tables[name], old
        tables[name] = tables[name].replace(old, new, 1)
    return load.Pack("sha256:test", {name: text.encode() for name, text in tables.items()})


def appended(table: str, line: str) -> load.Pack:
    end = SOUND[f"{table}.tsv"]
    return made(**{table: (end, end + line + "\n")})


def test_a_sound_pack_has_no_problem() -> None:
    assert lint(made()) == []


def test_the_shipped_pack_has_no_problem() -> None:
    assert lint(load.Pack.read(load.DEFAULT)) == []


PLANTED: list[tuple[str, str, str, Fault, int]] = [
    ("dose_limits", "01b14603-8f29", "01b14603-8f2", Fault.SET_ID_MALFORMED, 2),
    ("dose_limits", "FDA label openfda:01b14603-8f29-4fa3-8d7e-9d523f802e0b", "a label", Fault.SET_ID_MALFORMED, 2),
    ("dose_limits", "01b14603-8f29", "99914603-8f29", Fault.SET_ID_UNKNOWN, 2),
    ("dose_limits", "01b14603-8f29-4fa3-8d7e-9d523f802e0b", "02438044-d6a3-49e9-a1ac-3aad21ef2c8c",
     Fault.SET_ID_OF_ANOTHER_INGREDIENT, 2),
    ("dose_limits", "\t18\t\t", "\t18\t5\t", Fault.CONTRADICTION, 2),
    ("dose_limits", "\t40\t", "\tforty\t", Fault.NOT_A_VALUE, 2),
    ("dose_limits", "\t40\t", "\t-40\t", Fault.NOT_A_VALUE, 2),
    ("dose_limits", "label_text", "hearsay", Fault.NOT_A_VALUE, 2),
    ("dose_limits", "label:simvastatin:1", "", Fault.UNSOURCED, 2),
    ("strengths", "\t80\t", "\teighty\t", Fault.NOT_A_VALUE, 2),
    ("strengths", "simvastatin\toral", "simvastatine\toral", Fault.DANGLING, 2),
    ("classes", "lovastatin|", "levostatin|", Fault.DANGLING, 2),
    ("classes", "lovastatin|simvastatin", "", Fault.EMPTY_CLASS, 2),
    ("interactions", "warfarin", "warfarine", Fault.DANGLING, 2),
    ("interactions", "minor", "grave", Fault.NOT_A_VALUE, 2),
    ("interactions", "VA NDF-RT, row 1", "", Fault.UNSOURCED, 2),
    ("contraindications", "\tasthma", "\tasma", Fault.DANGLING, 2),
    ("contraindications", "curated: needs pharmacist attestation; ", "", Fault.UNMARKED, 2),
    ("names", "statins\t\tstatin", "statins\t\tstatine", Fault.DANGLING, 3),
    ("names", "simvastatin\tsimvastatin", "simvastatin\twarfarin", Fault.TWO_MEANINGS, 2),
    ("names", "statins\t\tstatin", "zocor\twarfarin\t", Fault.TWO_MEANINGS, 4),
    ("drugs", "11289", "36567", Fault.TWO_MEANINGS, 4),
    ("drugs", "warfarin", "lovastatin", Fault.DUPLICATE_ID, 4),
    ("classes", "statin\tstatin", "warfarin\tstatin", Fault.TWO_MEANINGS, 2),
]  # fmt: skip


@pytest.mark.parametrize(("table", "old", "new", "fault", "line"), PLANTED)
def test_a_planted_fault_is_found_at_its_line(
    table: str, old: str, new: str, fault: Fault, line: int
) -> None:
    found = lint(made(**{table: (old, new)}))
    assert (f"{table}.tsv", line, fault) in [(one.table, one.line, one.fault) for one in found]


@pytest.mark.parametrize(
    ("table", "line", "fault"),
    [
        ("dose_limits", SOUND["dose_limits.tsv"].splitlines()[1].replace("\t40\t", "\t80\t"), Fault.CONTRADICTION),
        ("strengths", SOUND["strengths.tsv"].splitlines()[1].replace("\t80\t", "\t40\t"), Fault.CONTRADICTION),
        ("renal", "warfarin\tegfr\t30\tcap\t5\tcurated\tcurated:r\tcurated: elsewhere", Fault.UNMARKED),
        ("contraindications", "warfarin\tasthma\tmajor\tsource_row\tcurated:c1\tanother", Fault.DUPLICATE_ID),
        ("attestations", "00\tcurated:c1\tpat\tsam\t2026-01-01\tmain\t7", Fault.STALE_ATTESTATION),
    ],
)  # fmt: skip
def test_a_row_that_does_not_go_with_the_others_is_found(table: str, line: str, fault: Fault) -> None:
    assert fault in [one.fault for one in lint(appended(table, line))]


def attested(pharmacist: str = "pat", second: str = "sam") -> load.Pack:
    pack = made()
    ((table, digest, row),) = [found for found in pack.facts() if found[2]["rule_id"] == "curated:c1"]
    assert table == "contraindications.tsv"
    return appended(
        "attestations", f"{digest}\t{row['rule_id']}\t{pharmacist}\t{second}\t2026-01-01\tmain\t7"
    )


def test_an_attested_fact_says_so_and_a_changed_one_has_lost_it() -> None:
    pack = attested()
    (row,) = pack.rows("contraindications.tsv")
    assert (row["basis"], row["source"]) == ("attested", "curated, attested; label")
    assert lint(pack) == []
    tables = {name: pack._files[name] for name in pack.tables()}
    tables["contraindications.tsv"] = tables["contraindications.tsv"].replace(b"major", b"minor")
    changed = load.Pack("sha256:test", tables)
    assert [row["basis"] for row in changed.rows("contraindications.tsv")] == ["curated"]
    assert [one.fault for one in lint(changed)] == [Fault.STALE_ATTESTATION]


def test_one_person_alone_attests_nothing() -> None:
    assert [one.fault for one in lint(attested(second="pat"))] == [Fault.UNMARKED]


def test_what_changed_is_told_in_words() -> None:
    after = made(
        interactions=("minor", "major"),
        classes=("lovastatin|", ""),
        names=("zocor\tsimvastatin", "lodales\tsimvastatin"),
    )
    told = {(one.table, one.kind, one.words()) for one in compare(made(), after)}
    assert told == {
        ("classes.tsv", "changed", "changed statin: members -lovastatin"),
        ("interactions.tsv", "changed", "changed statin + warfarin: severity minor -> major (ndfrt:2014:1)"),
        ("names.tsv", "added", "added lodales: drugs simvastatin, brand 1"),
        ("names.tsv", "removed", "removed zocor: drugs simvastatin, brand 1"),
    }
    assert list(compare(after, after)) == []


def test_an_attested_fact_of_the_shipped_pack_may_block(tmp_path: Path) -> None:
    """From the row's digest to the basis that the checks see, through a pack on disk."""
    shipped = load.Pack.read(load.DEFAULT)
    _, digest, row = next(found for found in shipped.facts() if found[0] == "contraindications.tsv" and
                              found[2]["basis"] == "curated")  # fmt: skip
    files = {name: (load.DEFAULT / name).read_bytes() for name in shipped.tables()}
    files[attestation.TABLE] += f"{digest}\t{row['rule_id']}\tpat\tsam\t2026-01-01\tmain\t7\n".encode()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    manifest = json.loads((load.DEFAULT / "manifest.json").read_text(encoding="utf-8"))
    manifest["hash"] = pack_digest(files)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    loaded = Knowledge.load(tmp_path)
    basis = {fact.provenance.basis for fact in loaded.contraindications(row["drug"])
             if fact.provenance.rule_id == row["rule_id"]}  # fmt: skip
    assert basis == {Basis.ATTESTED}
    assert loaded.hash != shipped.hash


def test_a_problem_reads_like_an_editors_line() -> None:
    assert Problem("a.tsv", 2, Fault.DANGLING, "x") < Problem("a.tsv", 3, Fault.DANGLING, "x")
