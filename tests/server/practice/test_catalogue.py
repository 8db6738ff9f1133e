"""The package's catalogue is whole, and what it says of the checks is what the real checks say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attending.guardrails.guard import Guard
from attending.guardrails.policy.decide import decide
from attending.server.practice.catalogue import Catalogue, PracticeItem, load_catalogue
from attending.server.shipped import package_policies
from pydantic import ValidationError

ITEMS = load_catalogue().items_in_order


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    loaded = Guard.load(package_policies())
    yield loaded
    loaded.close()


@pytest.mark.parametrize("item", ITEMS, ids=[item.id for item in ITEMS])
def test_the_checks_say_what_the_catalogue_says(guard: Guard, item: PracticeItem) -> None:
    judged = guard.check_output(item.policy, item.judged)
    asked = guard.check_input(
        item.policy, item.prompt, item.given, item.context.identity, patient=item.context
    )
    findings = (*judged.findings, *asked.findings)
    # A text that would be released or blocked comes to no reader, so that it would be no practice.
    assert decide(guard.policies[item.policy], findings).disposition == "hold"
    codes = {finding.code.value for finding in findings if finding.severity.rank}
    assert codes == {code.value for code in item.rails.codes}
    begin = item.output.find(item.planted or "\0")
    touched = [
        finding
        for finding in judged.findings
        if finding.severity.rank >= 2
        and begin >= 0
        and finding.start < begin + len(item.planted or "")
        and finding.end > begin
    ]
    assert bool(touched) is item.rails.sees


def test_it_holds_enough_of_each_sort() -> None:
    errors = [item for item in ITEMS if item.kind == "error"]
    assert len(ITEMS) >= 24
    assert len({item.policy for item in ITEMS}) >= 5
    assert len({item.error for item in errors}) >= 10
    # What rails miss is what people are for; and who refuses everything is caught by sound texts.
    assert sum(not item.rails.sees for item in errors) >= 8
    assert sum(item.kind == "sound" for item in ITEMS) >= 6
    assert any(item.newcomer for item in ITEMS)
    # A number could be a real person's somewhere.
    assert all(item.context.identity is not None and item.context.identity.mrn is None for item in ITEMS)


def test_it_is_found_by_id_and_named_by_its_bytes(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    assert catalogue[ITEMS[0].id] is ITEMS[0]
    assert len(catalogue) == len(ITEMS) == len(set(catalogue))
    path = tmp_path / "own.yaml"
    path.write_text(ONE.format(planted="Take two"), encoding="utf-8")
    own = load_catalogue(path)
    assert isinstance(own, Catalogue)
    assert (list(own), own.hash != catalogue.hash) == (["own"], True)


ONE = """\
format: attending-practice/1
items:
  - id: own
    policy: discharge-plan
    kind: error
    error: dose
    planted: {planted}
    patient: {{}}
    prompt: Write it.
    output: Take two tablets.
    good_reader: Rejects it.
    debrief: It is one.
    source: A label
    rails: {{codes: [], sees: false}}
"""


@pytest.mark.parametrize(
    "text",
    [
        ONE.format(planted="Take three"),
        ONE.format(planted="Take two").replace("kind: error", "kind: sound"),
        ONE.format(planted="Take two").replace("    error: dose\n", ""),
        ONE.format(planted="Take two").replace("source: A label", "sauce: A label"),
        ONE.format(planted="Take two").replace("patient: {}", "patient: {egfr: many}"),
        ONE.format(planted="Take two").replace("practice/1", "practice/2"),
        ONE.format(planted="Take two") + ONE.format(planted="Take two").partition("items:\n")[2],
    ],
)
def test_a_catalogue_that_is_not_whole_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError):
        load_catalogue(path)
