"""The rules one by one, over logs of few entries; what is refused in a matrix; and bodies that lie."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.verify.report import CHECKS, CheckResult, Report, Status
from attending.server.controls.evaluation import Evaluated, Evaluation, Result, evaluate
from attending.server.controls.matrix import Matrix, load_matrix
from attending.server.errors import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.verify.conftest import LogBuilder

Evaluate = Callable[..., Evaluated]
PASSED = Report(tuple(CheckResult(name, Status.PASSED, "") for name in CHECKS), Status.PASSED)


def row(rules: list[Any], **more: Any) -> dict[str, Any]:
    evidence = {"kind": "entries", "rules": rules}
    return {
        "id": "test-1",
        "reference": "1",
        "requirement": "Something.",
        "status": "in_force",
        "as_of": "2026-11-28",
        "wording": "from_memory",
        "evidence": evidence,
        **more,
    }


def written(folder: Path, *rows: Any, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    content = {"framework": "test", "title": "Test", "controls": list(rows), **more}
    (folder / "test.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False))
    return folder


@pytest.fixture
def judge(tmp_path: Path) -> Evaluate:
    def evaluated(rules: list[Any], log: LogBuilder | list[Entry]) -> Evaluated:
        entries = log if isinstance(log, list) else [parse_entry(data) for data in log.entries]
        [one] = evaluate(load_matrix(written(tmp_path / "matrix", row(rules))), entries, PASSED)
        return one

    return evaluated


def test_an_answer_counts_in_time_from_when_it_was_known_and_by_another(judge: Evaluate) -> None:
    rule = {
        "each": "incident.opened",
        "followed_by": "incident.closed",
        "join": "body.incident_id",
        "within": {"minutes": 10},
        "from": "body.aware_at",
        "differ": "actor",
    }
    log = LogBuilder()
    log.append("incident.opened", "e", {"incident_id": "a", "aware_at": "2026-11-01T07:55:00.000000Z"})
    assert (judge([rule], log).result, judge([rule], log).undecided) == (Result.NOT_EVIDENCED, 1)
    log.append("incident.closed", "e", {"incident_id": "a"})
    assert judge([rule], log).result is Result.NOT_EVIDENCED
    log.append("incident.closed", "e", {"incident_id": "b"}, actor="app:else")
    log.append("incident.closed", "e", {"incident_id": "a"}, actor="app:else")
    found = judge([rule], log)
    assert (found.result, found.met, found.evidence) == (Result.EVIDENCED, 1, (0,))
    log.append("incident.opened", "e", {"incident_id": "d", "aware_at": "2026-11-01T07:59:00.000000Z"})
    found = judge([rule], log)
    # One is answered, and another one still has time: it is said which.
    assert (found.result, found.met, found.undecided, found.undecided_at) == (Result.UNDECIDED, 1, 1, (4,))
    assert found.to_json()["undecided_at"] == [4]
    log.append("incident.closed", "e", {"incident_id": "d"}, actor="app:else")
    assert judge([rule], log).result is Result.EVIDENCED
    log.append("incident.opened", "e", {"incident_id": "c", "aware_at": "2026-11-01T07:49:00.000000Z"})
    log.append("incident.closed", "e", {"incident_id": "c"}, actor="app:else")
    found = judge([rule], log)
    assert (found.result, found.failures) == (Result.FAILED, (6,))


def test_what_says_no_time_or_names_nothing_to_join_with_fails(judge: Evaluate) -> None:
    rule = {
        "each": "break_glass.used",
        "followed_by": "break_glass.reviewed",
        "join": "body.access",
        "until": "body.review_due",
    }
    for body in (
        {"access": "emg_1"},
        {"access": "emg_1", "review_due": "soon"},
        {"access": ["emg_1"], "review_due": "2027-11-01T07:49:00.000000Z"},
        {"access": "emg_1", "review_due": "2026-11-01T08:00:00.000000Z"},
    ):
        log = LogBuilder()
        log.append("break_glass.used", "e", body)
        log.append("break_glass.reviewed", "e", {"access": "emg_1"}, actor="human:else")
        assert judge([rule], log).result is Result.FAILED, body


def test_a_key_that_was_revoked_signs_no_more_until_it_is_enrolled_again(judge: Evaluate) -> None:
    after = {
        "none": "review.signed",
        "after": "key.revoked",
        "ended_by": "key.enrolled",
        "join": "body.key_id",
    }
    before = {
        "each": "review.signed",
        "preceded_by": "key.enrolled",
        "ended_by": "key.revoked",
        "join": "body.key_id",
    }
    log = LogBuilder()
    log.append("key.enrolled", "k", {"key_id": "a"})
    log.append("review.signed", "i", {"key_id": "a"})
    assert [judge([rule], log).result for rule in (after, before)] == [Result.EVIDENCED] * 2
    log.append("key.revoked", "k", {"key_id": "a"})
    log.append("review.signed", "i", {"key_id": "a"})
    assert [judge([rule], log).failures for rule in (after, before)] == [(3,), (3,)]
    log = LogBuilder()
    for kind in ("key.enrolled", "key.revoked", "key.enrolled", "review.signed"):
        log.append(kind, "k", {"key_id": "a"})
    assert [judge([rule], log).result for rule in (after, before)] == [Result.EVIDENCED] * 2


def test_a_part_of_a_log_decides_what_it_can(judge: Evaluate) -> None:
    before = {"each": "review.signed", "preceded_by": "key.enrolled", "join": "body.key_id"}
    log = LogBuilder()
    log.append("system.started", "s", {})
    log.append("review.signed", "i", {"key_id": "a"})
    entries = [parse_entry(data) for data in log.entries]
    assert judge([before], entries).result is Result.FAILED
    part = judge([before], entries[1:])
    assert (part.result, part.undecided) == (Result.NOT_EVIDENCED, 1)


def test_regular_is_from_the_first_entry_to_the_last(judge: Evaluate) -> None:
    rule = {"regularly": "examination.signed", "every": {"minutes": 1}}
    log = LogBuilder()
    log.append("system.started", "s", {})
    assert judge([rule], log).result is Result.NOT_EVIDENCED
    for _ in range(2):
        for _ in range(50):
            log.append("system.started", "s", {})
        log.append("examination.signed", "e", {})
    assert judge([rule], log).result is Result.EVIDENCED
    for _ in range(70):
        log.append("system.started", "s", {})
    found = judge([rule], log)
    assert (found.result, found.failures) == (Result.FAILED, (102,))


def test_a_part_without_one_for_too_long_fails_whatever_came_before(judge: Evaluate) -> None:
    rule = {"regularly": "examination.signed", "every": {"minutes": 1}}
    log = LogBuilder()
    log.append("examination.signed", "e", {})
    for _ in range(70):
        log.append("system.started", "s", {})
    log.append("examination.signed", "e", {})
    part = [parse_entry(data) for data in log.entries[1:]]
    found = judge([rule], part)
    assert (found.result, found.failures) == (Result.FAILED, (71,))
    assert judge([rule], part[:-1]).result is Result.FAILED
    assert judge([rule], part[30:]).result is Result.EVIDENCED


def test_what_is_forbidden_counts_where_there_was_no_other_occasion(judge: Evaluate) -> None:
    rules = [
        {"some": "system.started"},
        {"none": "incident.opened", "among": "review.signed", "optional": True},
    ]
    log = LogBuilder()
    log.append("system.started", "s", {})
    assert judge(rules, log).result is Result.EVIDENCED
    log.append("incident.opened", "i", {})
    assert judge(rules, log).result is Result.FAILED


def test_what_is_optional_decides_where_it_occurs(judge: Evaluate) -> None:
    rules = [
        {"some": "system.started"},
        {"each": "system.halted", "has": {"body.reason": "drill"}, "optional": True},
    ]
    log = LogBuilder()
    log.append("system.started", "s", {})
    assert judge(rules, log).result is Result.EVIDENCED
    assert judge([rules[1]], log).result is Result.NOT_EVIDENCED
    log.append("system.halted", "halt:all", {"reason": "other"})
    assert judge(rules, log).result is Result.FAILED


@pytest.mark.parametrize(
    ("condition", "body", "holds"),
    [
        ({"is": 1}, {"x": True}, False),
        ({"is": True}, {"x": 1}, False),
        ({"is": False}, {"x": False}, True),
        ({"at_least": 0}, {"x": True}, False),
        ({"at_least": 1, "at_most": 2}, {"x": 2}, True),
        ({"present": False}, {"x": []}, True),
        ({"present": False}, {}, True),
        ({"present": True}, {"x": 0}, True),
        ({"not_in": ["a"]}, {}, False),
        ({"contains": "a"}, {"x": "a"}, False),
        ({"contains": "a"}, {"x": {"a": 1}}, True),
        ({"lacks": "a"}, {"x": ["b"]}, True),
        ({"differs_from": "body.y"}, {"x": "a"}, False),
        ({"same_as": "stream"}, {"x": "s"}, True),
        ({"not_after": "time"}, {"x": "2026-10-01T00:00:00.000000Z"}, True),
        ({"not_after": "time"}, {"x": "yesterday"}, False),
    ],
)
def test_a_condition_holds_of_what_is_there_and_of_its_kind(
    judge: Evaluate, condition: dict[str, Any], body: dict[str, Any], holds: bool
) -> None:
    log = LogBuilder()
    log.append("system.started", "s", body)
    found = judge([{"each": "system.started", "has": {"body.x": condition}}], log)
    assert found.result is (Result.EVIDENCED if holds else Result.FAILED)


GOOD = {"some": "system.started"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rules": [{"some": "system.begun"}]}, "`system.begun` is no entry type"),
        ({"rules": [{"some": {"type": "system.started", "were": {}}}]}, "some.0.were"),
        ({"rules": [{"some": {"type": "system.started", "where": {"bdy.x": 1}}}]}, "is no field of an entry"),
        ({"rules": [{"some": {"type": "system.started", "where": {"body.x": {}}}}]}, "says nothing"),
        (
            {"rules": [{"some": {"type": "system.started", "where": {"body.x": {"matches": ".*"}}}}]},
            "matches",
        ),
        ({"rules": [{"every": {"days": 1}}]}, "is no rule"),
        ({"rules": [{"each": "system.started", "followed_by": "system.stopped"}]}, "`within` or `until`"),
        ({"rules": [{"regularly": "system.started", "every": {"days": 0}}]}, "is no time at all"),
        ({"rules": [{"none": "system.started"}]}, "among"),
        ({"rules": []}, "at least 1"),
        ({"rules": [GOOD], "code": "import os"}, "code"),
        ({"rules": [GOOD], "checks": ["V99"]}, "`V99` is no check"),
        ({"kind": "trust_us"}, "needs a `kind`"),
    ],
)
def test_what_is_not_of_the_language_is_refused_with_file_line_and_key(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    one = row([GOOD])
    one["evidence"] = {**one["evidence"], **change}
    with pytest.raises(ConfigurationError) as refused:
        load_matrix(written(tmp_path / "m", one))
    assert said in refused.value.problem
    assert refused.value.problem.startswith("`test.yaml` line ")
    assert "controls.0.evidence" in refused.value.problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "other-1"}, "does not begin with `test-`"),
        ({"status": "repealed"}, "controls.0.status"),
        ({"as_of": "soon"}, "controls.0.as_of"),
        ({"requirement": ""}, "controls.0.requirement"),
        ({"owner": "x"}, "controls.0.owner"),
    ],
)
def test_a_row_says_everything_that_it_has_to(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_matrix(written(tmp_path / "m", {**row([GOOD]), **change}))
    assert said in refused.value.problem


def test_ids_are_of_one_row_and_files_are_named_as_what_they_hold(tmp_path: Path) -> None:
    folder = written(tmp_path / "m", row([GOOD]), row([GOOD]))
    with pytest.raises(ConfigurationError, match="stands twice"):
        load_matrix(folder)
    with pytest.raises(ConfigurationError, match="not the file's name"):
        load_matrix(written(tmp_path / "m", row([GOOD], id="else-1"), framework="else"))
    (tmp_path / "m" / "test.yaml").write_text("controls: [\n")
    with pytest.raises(ConfigurationError, match="line"):
        load_matrix(tmp_path / "m")
    with pytest.raises(ConfigurationError, match="0 control files"):
        load_matrix(tmp_path / "nowhere")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abxy"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), _JSON, _JSON), max_size=12))
def test_whatever_a_body_holds_the_matrix_gives_a_result(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, Any, Any]]
) -> None:
    kinds = (
        *("review.signed", "break_glass.used", "incident.opened", "inference.requested", "key.enrolled"),
        *("examination.signed", "access.denied", "session.started", "policy.activated"),
    )
    names = (
        "statement",
        "access",
        "review_due",
        "incident_id",
        "aware_at",
        "egress",
        "key_id",
        "user",
        "session",
    )
    log = LogBuilder()
    for kind, one, other in drawn:
        log.append(kinds[kind], "s", {**dict.fromkeys(names, one), names[kind]: other})
    entries = [parse_entry(data) for data in log.entries]
    matrix = load_matrix(Path(__file__).resolve().parents[3] / "policies" / "controls")
    assert len(evaluate(matrix, entries, PASSED)) == len(list(matrix))
    assert evaluate(matrix, entries, PASSED) == evaluate(matrix, entries, PASSED)


def test_what_came_before_a_period_may_be_rested_on_and_counts_for_nothing(tmp_path: Path) -> None:
    rules = [
        {"each": "review.signed", "preceded_by": "key.enrolled", "join": "body.key_id"},
        {
            "each": "incident.opened",
            "followed_by": "incident.closed",
            "within": {"days": 1},
            "optional": True,
        },
        {"regularly": "examination.signed", "every": {"minutes": 1}},
    ]
    matrix = load_matrix(written(tmp_path / "m", row(rules)))
    log = LogBuilder()
    log.append("key.enrolled", "k", {"key_id": "a"})
    log.append("incident.opened", "i", {})
    log.append("incident.closed", "i", {})
    log.append("examination.signed", "e", {})
    log.append("review.signed", "s", {"key_id": "a"})
    log.append("examination.signed", "e", {})
    entries = [parse_entry(data) for data in log.entries]
    known = judged(matrix, entries[:4], entries[4:])
    assert (known.result, known.met, known.failed, known.undecided) == (Result.EVIDENCED, 2, 0, 0)
    # Some of what came before, as a bundle of a period brings it.
    assert judged(matrix, entries[:1], entries[4:]).result is Result.EVIDENCED
    unknown = judged(matrix, [], entries[4:])
    assert (unknown.result, unknown.undecided) == (Result.NOT_EVIDENCED, 1)
    nothing = judged(matrix, entries, [])
    assert (nothing.result, nothing.met, nothing.failed) == (Result.NOT_EVIDENCED, 0, 0)


def judged(matrix: Matrix, context: list[Entry], period: list[Entry]) -> Evaluated:
    evaluation = Evaluation(matrix)
    for entry in context:
        evaluation.context(entry)
    for entry in period:
        evaluation.visit(entry)
    [one] = evaluation.result(PASSED)
    return one


def test_what_is_remembered_is_counted_and_a_long_value_is_told_by_its_hash(
    tmp_path: Path,
) -> None:
    rules: list[dict[str, Any]] = [
        {
            "each": "incident.closed",
            "preceded_by": "incident.opened",
            "join": "body.name",
            "differ": "body.by",
        },
        {"unique": "incident.opened", "by": "body.name"},
        {
            "each": "incident.opened",
            "followed_by": "incident.closed",
            "join": "body.name",
            "within": {"days": 1},
        },
        {"none": "incident.closed", "after": "incident.opened", "join": "body.other"},
    ]
    matrix = load_matrix(written(tmp_path / "m", row(rules)))
    log = LogBuilder()
    long = "n" * 5_000
    names: list[Any] = [long + "a", long + "b", 1, True]
    for name in names:
        log.append("incident.opened", "i", {"name": name, "by": [long, name], "other": name})
    evaluation = Evaluation(matrix)
    for data in log.entries:
        evaluation.visit(parse_entry(data))
    assert evaluation.kept == 4 * len(names)
    held = sum(len(pickle.dumps(vars(one).get("_seen", {}))) for one in evaluation._evaluators.values())
    assert held < 2_000
    for name in names:
        log.append("incident.closed", "i", {"name": name, "by": [long, name], "other": f"not {name}"})
    log.append("incident.closed", "i", {"name": long + "a", "by": "another", "other": "x"})
    results = [entry for data in log.entries[len(names) :] if (entry := parse_entry(data))]
    for entry in results:
        evaluation.visit(entry)
    assert evaluation.kept == 3 * len(names)
    [found] = evaluation.result(PASSED)
    # By whom it was opened closes none; the last is by another. All four were followed in time.
    assert found.failures == tuple(range(4, 8))


def test_a_time_that_is_longer_than_a_period_runs_out_in_one_of_them(tmp_path: Path) -> None:
    rule = {"each": "incident.opened", "followed_by": "incident.closed", "within": {"minutes": 1}}
    matrix = load_matrix(written(tmp_path / "m", row([rule])))
    log = LogBuilder()
    log.append("incident.opened", "i", {})
    for _ in range(90):
        log.append("system.started", "s", {})
    entries = [parse_entry(data) for data in log.entries]
    told = [judged(matrix, entries[:begin], entries[begin : begin + 40]) for begin in (0, 40, 80)]
    assert [one.undecided for one in told] == [1, 0, 0]
    assert [one.failures for one in told] == [(), (0,), ()]
    assert [one.result for one in told] == [Result.NOT_EVIDENCED, Result.FAILED, Result.NOT_EVIDENCED]
    # Answered in time, and in the next period.
    log.append("incident.opened", "j", {})
    log.append("incident.closed", "j", {})
    entries = [parse_entry(data) for data in log.entries]
    assert judged(matrix, entries[:92], entries[92:]).evidence == (91,)
    # Of a part it is not known whether it was answered before.
    part = judged(matrix, entries[91:92], [])
    assert (part.failed, part.undecided) == (0, 0)
