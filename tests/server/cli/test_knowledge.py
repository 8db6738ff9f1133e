"""The commands over drug knowledge."""

from __future__ import annotations

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from attending.guardrails.knowledge import Knowledge, load
from attending.guardrails.knowledge.assemble import pack
from attending.guardrails.knowledge.drawing import svg
from attending.guardrails.knowledge.importers import site_ddinter, site_formulary
from attending.guardrails.knowledge.subgraph import Edge, Subgraph, around, between
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

SOURCES = Path(__file__).resolve().parents[4] / "shared" / "knowledge-sources"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def changed_pack(folder: Path, table: str, old: bytes, new: bytes) -> Path:
    """The shipped pack with one text replaced, and a manifest that holds for it."""
    shutil.copytree(load.DEFAULT, folder)
    path = folder / table
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["hash"] = pack.digest({one.name: one.read_bytes() for one in folder.glob("*.tsv")})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


def test_a_pair_is_drawn_in_the_terminal_and_as_svg(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "pair.svg"
    assert run(["knowledge", "explain", "Zocor", "clarithromycin", "--svg", str(path)]) == Exit.OK
    told = capsys.readouterr().out
    assert told.startswith("simvastatin + clarithromycin\n")
    assert "contraindicated: " in told
    assert "simvastatin is a member of cyp3a4_statin" in told
    assert ET.parse(path).getroot().attrib["aria-label"] == "simvastatin and clarithromycin"
    assert run(["knowledge", "explain", "Zocor", "clarithromycin", "--json"]) == Exit.OK
    rows = lines(capsys)
    assert all(row["basis"] and row["source"] for row in rows)
    assert "contraindicated" in {row.get("severity") for row in rows}


def test_one_drug_is_drawn_with_what_touches_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "explain", "Coumadin", "--json"]) == Exit.OK
    told = {(row["words"], row["right"]) for row in lines(capsys)}
    assert ("brand name", "coumadin") in told
    assert ("member of", "vitamin_k_antagonist") in told
    assert any(words == "contraindicated in" for words, _ in told)
    assert ("largest marketed", "strength: oral 10 mg") in told


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["explain", "Percocet", "--svg", "x.svg"], Exit.USAGE, "2 pairs or drugs"),
        (["explain", "warfrin"], Exit.USAGE, "did you mean `warfarin`"),
        (["explain", "ansm:2016:204", "--svg", "x.svg"], Exit.USAGE, "--svg draws drugs"),
        (["explain", "amoxicillin", "acetaminophen"], Exit.INDETERMINATE, ""),
        (["coverage", "simvastatinn"], Exit.USAGE, "did you mean `simvastatin`"),
        (["diff", ".", "."], Exit.USAGE, "manifest"),
        (["lint", "--knowledge", "."], Exit.USAGE, "unaltered pack"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(
    arguments: list[str],
    code: Exit,
    part: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert run(["knowledge", *arguments]) == code
    assert part in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def boxes(document: str) -> list[tuple[str, float, float, float, float]]:
    """Every text of a drawing with the rectangle that it takes, by the width that the drawing reckons with."""
    found = []
    for node in ET.fromstring(document).iter("{http://www.w3.org/2000/svg}text"):
        size, x, y = (float(node.attrib[name]) for name in ("font-size", "x", "y"))
        width = len(node.text or "") * size * 0.55
        found.append((node.text or "", x, y - size * 0.8, x + width, y + size * 0.2))
    return found


@pytest.mark.parametrize(
    "names", [("simvastatin", "clarithromycin"), ("warfarin", "ibuprofen"), ("warfarin",)]
)
def test_no_two_texts_of_a_drawing_meet(knowledge: Knowledge, names: Sequence[str]) -> None:
    graph = around(knowledge, names[0]) if len(names) == 1 else between(knowledge, names[0], names[1])
    assert graph.edges
    found = boxes(svg(graph))
    assert len(found) > len(graph.edges) * 2
    for (text, x1, y1, x2, y2), (other, a1, b1, a2, b2) in combinations(found, 2):
        assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1, (text, other)
    for edge in graph.edges:
        assert edge.source
        assert edge.basis


def test_a_drawing_holds_whatever_a_name_is() -> None:
    bad = '<script>"&\x00\x08' + "x" * 300
    document = svg(Subgraph(bad, bad, (Edge(bad, bad, bad, "major", "curated", bad, bad),)))
    root = ET.fromstring(document)
    assert not [node for node in root.iter() if node.tag.endswith("script")]
    assert "\x00" not in document


def test_coverage_is_told_by_drug_and_in_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "coverage", "Ozempic", "warfarin", "--json"]) == Exit.OK
    rows = lines(capsys)
    assert [row.get("drug") for row in rows[:2]] == ["semaglutide", "warfarin"]
    assert rows[1]["interaction"] == "covered"
    for row in rows[2:]:
        assert row["drugs"] == 2
        assert int(str(row["covered"])) + int(str(row["none_known"])) + int(str(row["not_covered"])) == 2
    assert run(["knowledge", "coverage"]) == Exit.OK
    told = capsys.readouterr().out
    assert re.search(r"^interaction +\d+ +\d+ +\d+$", told, re.M)


def test_lint_fails_on_a_fault_and_names_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["knowledge", "lint"]) == Exit.OK
    assert "no fault" in capsys.readouterr().out
    folder = changed_pack(tmp_path / "p", "interactions.tsv", b"\nabarelix\t", b"\nabarelixx\t")
    assert run(["knowledge", "lint", "--knowledge", str(folder), "--json"]) == Exit.FAILED
    (row,) = lines(capsys)
    assert (row["table"], row["fault"]) == ("interactions.tsv", "DANGLING")


def test_a_diff_tells_facts_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = changed_pack(tmp_path / "p", "drugs.tsv", b"\nwarfarin\t11289\t", b"\nwarfarin\t11280\t")
    assert run(["knowledge", "diff", str(load.DEFAULT), str(folder)]) == Exit.OK
    told = capsys.readouterr().out
    assert "drugs: 1 changed\n  changed warfarin: rxcui 11289 -> 11280\n" in told
    assert run(["knowledge", "diff", str(folder), str(load.DEFAULT), "--json"]) == Exit.OK
    (row,) = lines(capsys)
    assert (row["kind"], row["before"], row["after"]) == ("changed", {"rxcui": "11280"}, {"rxcui": "11289"})
    assert run(["knowledge", "diff", str(folder), str(load.DEFAULT), "--table", "none"]) == Exit.USAGE
    assert run(["knowledge", "diff", str(folder), str(load.DEFAULT), "--table", "names"]) == Exit.OK


@pytest.mark.skipif(
    not SOURCES.is_dir(), reason="the public knowledge sources are not beside this repository"
)
def test_a_site_builds_its_own_pack(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    formulary = tmp_path / "formulary.csv"
    heading = ",".join(site_formulary.COLUMNS)
    formulary.write_text(
        f"{heading}\nwarfarin,oral,,18,,9,9,mg,,,formulary,\nUnheard-of,oral,,,,1,,mg,,,formulary,\n"
    )
    out = tmp_path / "pack"
    arguments = ["knowledge", "build", "--sources", str(SOURCES), "--out", str(out), "--json"]
    assert run([*arguments, "--site-formulary", str(formulary)]) == Exit.OK
    captured = capsys.readouterr()
    made = json.loads(captured.out)
    assert "interactions ..." in captured.err
    assert made["counts"]["formulary"] == 1
    with (out / "not-placed.csv").open(encoding="utf-8", newline="") as stream:
        missed = [row for row in csv.DictReader(stream) if row["source"] == "site-formulary"]
    assert [(row["where"], row["name"]) for row in missed] == [("line 3", "Unheard-of")]
    assert run(["knowledge", "info", "warfarin", "--knowledge", str(out)]) == Exit.OK
    assert "formulary: formulary oral" in capsys.readouterr().out
    assert run(["knowledge", "lint", "--knowledge", str(out)]) == Exit.OK
    assert made["hash"] == Knowledge.load(out).hash


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("--site-formulary", "drug,route\nx,y\n", "`site.csv` line 1: expected the columns"),
        (
            "--site-ddinter",
            ",".join(site_ddinter.COLUMNS) + "\nDDInter1,a,DDInter2,b,Deadly\n",
            "line 2: unknown level",
        ),
    ],
)
def test_a_wrong_file_of_a_site_is_told_before_anything_is_built(
    name: str, text: str, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "site.csv"
    path.write_text(text)
    given = str(path if name == "--site-formulary" else tmp_path)
    out = tmp_path / "pack"
    # The folder holds no source: what is wrong with the site's file is found without one.
    arguments = ["knowledge", "build", "--sources", str(tmp_path), "--out", str(out), name, given]
    assert run(arguments) == Exit.USAGE
    assert part in capsys.readouterr().err
    assert not out.exists()


def test_limits_are_counted_by_what_proves_them(
    capsys: pytest.CaptureFixture[str], knowledge: Knowledge
) -> None:
    assert run(["knowledge", "info", "--json"]) == Exit.OK
    (row,) = lines(capsys)
    limited = sum(1 for drug in knowledge.drugs() if knowledge.dose_limits(drug))
    counts = row["dose_limits_by_drug"]
    assert isinstance(counts, dict)
    assert set(counts) == {"found in a label's text", "label cited, text not compared", "unattested"}
    assert sum(counts.values()) == limited
    assert run(["knowledge", "info", "aliskiren", "--json"]) == Exit.OK
    (about,) = lines(capsys)
    facts = about["facts"]
    assert isinstance(facts, list)
    assert {"300 mg"} == {fact["found_in_label"]["found"] for fact in facts if "found_in_label" in fact}
    assert run(["knowledge", "info", "aliskiren"]) == Exit.OK
    assert "found in the label: 300 mg (text sha256 " in capsys.readouterr().out
