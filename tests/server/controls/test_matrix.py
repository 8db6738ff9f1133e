"""Every query of the shipped matrix: evidenced by a log of the real parts, and by none that is made wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.verify.report import CHECKS, CheckResult, Report, Status
from attending.server.controls.evaluation import Evaluated, Result, evaluate
from attending.server.controls.listing import markdown
from attending.server.controls.matrix import Entries, Matrix, Nothing, Organisational, load_matrix
from attending.server.shipped import package_policies

from tests.ledger.verify.conftest import LogBuilder
from tests.server.controls.mutants import field, later, mutants
from tests.server.controls.story import good_month, long_life

MATRIX = load_matrix(package_policies() / "controls")
PASSED = Report(tuple(CheckResult(name, Status.PASSED, "") for name in CHECKS), Status.PASSED)


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Entry]]:
    folder = tmp_path_factory.mktemp("stories")
    month = asyncio.run(good_month(folder / "month"))
    # Six years of a log are a month and a last entry.
    return {
        "month": month,
        "life": asyncio.run(long_life(folder / "life")),
        "years": later(month, days=2192),
    }


def results(entries: Iterable[Entry], matrix: Matrix = MATRIX) -> dict[str, Evaluated]:
    return {one.control.id: one for one in evaluate(matrix, entries, PASSED)}


def only(name: str) -> Matrix:
    """The matrix of that control alone: a mutant of one is not evaluated for all."""
    [framework] = [f for f in MATRIX.frameworks for c in f.controls if c.id == name]
    [control] = [c for c in framework.controls if c.id == name]
    return Matrix((framework.model_copy(update={"controls": (control,)}),), MATRIX.sha256)


def test_each_query_is_evidenced_by_one_story_and_not_without_what_it_asks_for(
    stories: dict[str, list[Entry]],
) -> None:
    found = {name: results(story) for name, story in stories.items()}
    never, untried, passed_wrong = [], [], []
    for control in MATRIX:
        evidence = control.evidence
        if not isinstance(evidence, Entries):
            continue
        told = next((name for name in stories if found[name][control.id].result is Result.EVIDENCED), None)
        if told is None:
            never.append((control.id, {name: found[name][control.id].to_json() for name in stories}))
            continue
        matrix = only(control.id)
        for number, rule in enumerate(evidence.rules):
            tried = 0
            # A rule that is optional may have had no occasion in the story that has the others.
            for story in stories.values():
                if results(story, matrix)[control.id].result is not Result.EVIDENCED:
                    continue
                try:
                    made = list(mutants(rule, story))
                except IndexError:
                    continue
                for name, mutant in made:
                    tried += 1
                    result = results(mutant, matrix)[control.id].result
                    if result is Result.EVIDENCED and not (rule.optional and name == "nothing of it"):
                        passed_wrong.append((control.id, number, name))
            if not tried:
                untried.append((control.id, number))
    assert never == []
    assert untried == []
    assert passed_wrong == []


def test_each_field_that_a_query_names_is_one_that_the_real_parts_write(
    stories: dict[str, list[Entry]],
) -> None:
    """A misspelt field would select nothing, and hold of nothing, for ever."""
    written: dict[str, list[Entry]] = {}
    for story in (stories["month"], stories["life"]):
        for entry in story:
            written.setdefault(entry.type, []).append(entry)
    wrong = [
        (control.id, name, path)
        for control in MATRIX
        if isinstance(control.evidence, Entries)
        for rule in control.evidence.rules
        for types, path in fields(rule)
        for name in types
        # A rule may name several types of which the stories have some.
        if written.get(name) and not any(field(entry, path) not in (None, ()) for entry in written[name])
    ]
    assert wrong == []


def fields(rule: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Types, and a field that a rule reads of them."""
    names = ("some", "none", "among", "after", "ended_by", "each", "followed_by", "preceded_by")
    for name in (*names, "unique", "regularly"):
        for select in getattr(rule, name, None) or ():
            for path in select.where or {}:
                yield select.types, path
            for join in getattr(rule, "join", ()):
                path = join.each if name in ("each", "none") else join.other
                if path != "log":
                    yield select.types, path
            for own in ("has", "by", "per", "until", "since"):
                value = getattr(rule, own, None)
                if value and name in ("each", "unique"):
                    yield from ((select.types, path) for path in ([value] if type(value) is str else value))


def test_a_control_that_rests_on_a_check_stands_and_falls_with_it(stories: dict[str, list[Entry]]) -> None:
    month = stories["month"]
    resting = [one for one in MATRIX if getattr(one.evidence, "checks", ())]
    assert resting
    for control in resting:
        for name in control.evidence.checks:  # type: ignore[union-attr]
            for status, result in (
                (Status.FAILED, Result.FAILED),
                (Status.INDETERMINATE, Result.NOT_EVIDENCED),
                (Status.NOT_APPLICABLE, Result.NOT_EVIDENCED),
            ):
                other = Report(
                    tuple(
                        CheckResult(check, status if check == name else Status.PASSED, "") for check in CHECKS
                    ),
                    Status.PASSED,
                )
                [one] = evaluate(only(control.id), month, other)
                if results(month)[control.id].result is Result.EVIDENCED:
                    assert one.result is result, (control.id, name)
                assert one.checks is not None
                assert one.checks[name] == status.value
        [unverified] = evaluate(only(control.id), month)
        assert unverified.result is not Result.EVIDENCED
        assert set((unverified.checks or {}).values()) == {"not_run"}


def test_what_no_log_shows_is_never_evidenced_and_says_why(stories: dict[str, list[Entry]]) -> None:
    found = results(stories["month"])
    for control in MATRIX:
        if isinstance(control.evidence, Organisational | Nothing):
            one = found[control.id]
            wanted = (
                Result.ORGANISATIONAL if isinstance(control.evidence, Organisational) else Result.UNSUPPORTED
            )
            assert (one.result, one.note) == (wanted, control.evidence.because)


@pytest.mark.parametrize(
    ("wrong", "body"),
    [
        ("validation.recorded", {"tests_passed": 0}),
        ("validation.recorded", {"tests_failed": 1}),
        ("validation.installed", {"packages_other": 1}),
        ("validation.installed", {"log": "not_verified"}),
    ],
)
def test_a_validation_in_which_nothing_passed_or_packages_are_other_evidences_nothing(
    wrong: str, body: dict[str, Any]
) -> None:
    good: dict[str, dict[str, Any]] = {
        "validation.recorded": {"tests_failed": 0, "tests_passed": 7},
        "validation.installed": {"red": 0, "packages_other": 0, "log": "passed"},
    }

    def result(bodies: dict[str, dict[str, Any]]) -> Result:
        log = LogBuilder()
        for kind, one in bodies.items():
            log.append(kind, "emitter/human:olga/validation", one)
        entries = map(parse_entry, log.entries)
        return results(entries, only("part-11-10-a-validated"))["part-11-10-a-validated"].result

    assert result(good) is Result.EVIDENCED
    assert result({**good, wrong: {**good[wrong], **body}}) is Result.NOT_EVIDENCED


def test_an_export_with_fhir_says_nothing_of_a_provenance_since_it_may_hold_none() -> None:
    def result(kind: str, body: dict[str, Any]) -> Result:
        log = LogBuilder()
        log.append(kind, "access/x", body)
        entries = map(parse_entry, log.entries)
        return results(entries, only("hl7-provenance"))["hl7-provenance"].result

    assert result("access.exported", {"what": "export", "fhir": True}) is Result.NOT_EVIDENCED
    assert result("access.disclosed", {"what": "fhir", "resources": ["Task"]}) is Result.NOT_EVIDENCED
    assert result("access.disclosed", {"what": "fhir", "resources": ["Provenance"]}) is Result.EVIDENCED


def test_an_empty_log_evidences_nothing() -> None:
    report = Report((), Status.NOT_APPLICABLE)
    assert [one.control.id for one in evaluate(MATRIX, [], report) if one.result is Result.EVIDENCED] == []
    failed = [one.control.id for one in evaluate(MATRIX, [], report) if one.result is Result.FAILED]
    assert failed == []


def test_what_may_stand_outside_a_part_of_a_log_fails_nothing(stories: dict[str, list[Entry]]) -> None:
    month = stories["month"]
    whole = results(month)
    for part in (month[40:], [entry for entry in month if entry.index % 3], month[::2]):
        for name, one in results(part).items():
            # What fails in a part fails in the whole; `differ` and `has` are of entries that are there.
            assert one.result is not Result.FAILED or whole[name].result is Result.FAILED, name


def test_the_page_has_the_matrix_as_the_files_say_it() -> None:
    page = (package_policies().parent / "docs" / "controls.md").read_text(encoding="utf-8")
    table = page.partition("<!-- the matrix -->\n\n")[2]
    assert table.rstrip("\n").split("\n") == "\n".join(markdown(MATRIX)).rstrip("\n").split("\n")
