"""The edge behind an interaction finding: the fact that judged, or no drawing at all."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from attending.guardrails.finding import Code, Severity
from attending.guardrails.knowledge.assemble import pack
from attending.guardrails.knowledge.graph import Knowledge
from attending.guardrails.knowledge.load import DEFAULT
from attending.server.console.edges import WIDTH, Edges, drawing

from tests.server.inference.conftest import finding

PAIR = replace(
    finding(Code.INTERACTION, Severity.MAJOR),
    rule_id="ansm:2016:2382",
    drugs=("ibuprofen", "warfarin"),
)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load(None)


def test_each_drug_has_the_class_through_which_the_fact_holds(knowledge: Knowledge) -> None:
    drawn = drawing(knowledge, PAIR)
    assert drawn is not None
    assert [" ".join(box.lines) for box in drawn.left] == [
        "ibuprofen",
        "non steroidal anti inflammatory drugs",
    ]
    assert [" ".join(box.lines) for box in drawn.right] == ["warfarin", "oral anticoagulants"]
    assert drawn.fact.rule_id == "ansm:2016:2382"
    assert "non steroidal anti inflammatory drugs with oral anticoagulants: major" in drawn.said


def test_a_fact_of_the_two_drugs_themselves_has_no_class(knowledge: Knowledge) -> None:
    drawn = drawing(knowledge, replace(PAIR, rule_id="ndfrt:2014:3454"))
    assert drawn is not None
    assert (len(drawn.left), len(drawn.right)) == (1, 1)


def test_every_drawing_stays_within_its_frame(knowledge: Knowledge) -> None:
    pairs = [
        ("clarithromycin", "simvastatin"),
        ("ibuprofen", "warfarin"),
        ("amiodarone", "simvastatin"),
        ("lisinopril", "spironolactone"),
    ]
    seen = 0
    for pair in pairs:
        for fact in knowledge.interactions(*pair):
            drawn = drawing(knowledge, replace(PAIR, drugs=pair, rule_id=fact.provenance.rule_id))
            assert drawn is not None
            seen += 1
            # What is joined is at one height, so that no line crosses a word.
            assert abs(drawn.left[-1].middle - drawn.right[-1].middle) <= 1
            for box in (*drawn.left, *drawn.right):
                assert box.left >= 0
                assert box.left + box.width <= WIDTH
                assert box.top + box.height <= drawn.height
            for side in (drawn.left, drawn.right):
                assert all(one.top + one.height < two.top for one, two in itertools.pairwise(side))
    assert seen > 10


async def test_what_another_pack_judged_is_not_drawn(
    knowledge: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(3, PAIR), (4, replace(PAIR, code=Code.DUPLICATE)), (5, replace(PAIR, rule_id="ansm:2016:0"))]
    edges = Edges(None, lambda: knowledge.hash)
    assert set(await edges.drawn(found, knowledge.hash)) == {3}
    assert await edges.drawn(found, "sha256:" + "0" * 64) == {}
    # The one that judges now lies here no more, or was never whole.
    folder = tmp_path / "pack"
    shutil.copytree(DEFAULT, folder)
    (folder / "manifest.json").write_text("{}")
    assert await Edges(folder, lambda: knowledge.hash).drawn(found, knowledge.hash) == {}
    # Another lies ready, and is in force nowhere yet: it is not unpacked for every page that is looked at.
    shutil.copytree(DEFAULT, folder, dirs_exist_ok=True)
    table = folder / "interactions.tsv"
    table.write_bytes(table.read_bytes().replace(b"moderate", b"major", 1))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["hash"] = pack.digest({one.name: one.read_bytes() for one in folder.glob("*.tsv")})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ready = Edges(folder, lambda: knowledge.hash)
    with monkeypatch.context() as patched:
        patched.setattr(Knowledge, "__init__", lambda *_given: pytest.fail("a pack was unpacked"))
        assert await ready.drawn(found, knowledge.hash) == {}
    # Two that ask at once are answered by one reading.
    both = await asyncio.gather(*(edges.drawn(found, knowledge.hash) for _ in range(2)))
    assert [set(one) for one in both] == [{3}, {3}]
