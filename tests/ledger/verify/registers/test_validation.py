"""The validation register: the newest pack and installation decide, and what nobody tested or saw is not made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attending.ledger.entry import format_time, parse_entry
from attending.ledger.verify.registers import REGISTERS, Asked, Row
from attending.ledger.verify.registers.validation import ALL, MOST
from attending.ledger.verify.tally import MOST_LABELS, OTHER

from tests.ledger.verify.conftest import LogBuilder

HASH = "ab" * 32
STREAM = "emitter/human:olga/validation"


def rows(log: LogBuilder, since: str = "", until: str = "") -> list[Row]:
    until = until or format_time(log.clock + timedelta(microseconds=1))
    found = list(REGISTERS["validation"].rows(map(parse_entry, log.entries), Asked(until=until, since=since)))
    assert all(len(row) == len(REGISTERS["validation"].columns) for row in found)
    return found


def of(found: list[Row], name: str) -> list[Row]:
    return [row for row in found if row[0] == name]


def recorded(log: LogBuilder, release: str = "1.0", **requirements: str) -> Any:
    body = {
        "pack": f"sha256:{HASH}",
        "release": release,
        "changed": False,
        "signer": "us",
        "key_id": "01234567",
        "requirements": requirements,
        "tests_passed": 7,
        "tests_failed": 1,
        "tests_skipped": 2,
    }
    return log.append("validation.recorded", STREAM, body, actor="human:olga")


def installed(log: LogBuilder, /, **more: Any) -> Any:
    body = {"release": "1.0", "python": "3.11.2", "checks": 10, "red": 0, "unknown": 0, "warnings": 0}
    body |= {"packages": 150, "packages_other": 0, "log": "passed", "log_size": 4, "pack": f"sha256:{HASH}"}
    body |= more
    return log.append("validation.installed", STREAM, body, actor="human:olga")


def test_the_newest_pack_says_what_was_proved() -> None:
    log = LogBuilder()
    old = recorded(log, "0.9", a="proved", b="proved")
    new = recorded(log, "1.0", a="proved", b="not_run", c="failed")
    found = rows(log)
    assert [row[1] for row in of(found, "pack")] == [new.index, old.index]
    assert of(found, "pack")[0][5:9] == ("1.0", "1 proved, 1 failed, 0 partly run, 1 not run", 1, 3)
    assert [(row[3], row[6]) for row in of(found, "requirement")] == [
        ("a", "proved"),
        ("b", "not_run"),
        ("c", "failed"),
    ]
    before = rows(log, until=new.time)
    assert [(row[3], row[6]) for row in of(before, "requirement")] == [("a", "proved"), ("b", "proved")]


def test_an_installation_is_as_good_as_its_worst_finding() -> None:
    log = LogBuilder()
    installed(log)
    installed(log, warnings=2, findings=["clock.kept:CLOCK_NOT_KEPT"])
    installed(log, warnings=2, unknown=1)
    last = installed(log, warnings=2, unknown=1, red=1, findings=["tls.names:NO_NAME"], differ=["grpcio"])
    found = rows(log)
    assert [(row[6], row[7], row[8]) for row in of(found, "installation")] == [
        ("not in order", 6, 10),
        ("not judged in part", 7, 10),
        ("warnings", 8, 10),
        ("in order", 10, 10),
    ]
    assert [(row[1], row[3], row[4], row[6]) for row in of(found, "finding")] == [
        (last.index, "check", "tls.names", "NO_NAME"),
        (last.index, "package", "grpcio", "other"),
    ]


def test_an_installation_is_not_in_order_where_its_log_or_its_packages_are_not() -> None:
    log = LogBuilder()
    for more in ({"log": "failed"}, {"packages_other": 1}, {"log": "indeterminate"}, {"log": "not_verified"}):
        installed(log, **more)
    without = LogBuilder()
    without.append(
        "validation.installed", STREAM, {"checks": 3, "red": 0, "unknown": 0, "warnings": 0, "log": "passed"}
    )
    assert [row[6] for row in of(rows(log), "installation")] == [
        "not judged in part",
        "not judged in part",
        "not in order",
        "not in order",
    ]
    assert [row[6] for row in of(rows(without), "installation")] == ["not judged in part"]


def test_what_is_in_force_has_the_newest_evaluation_of_its_own_version() -> None:
    log = LogBuilder()
    active = {"name": "letter", "policy_hash": HASH, "mode": "enforce", "by": "two_people"}
    log.append("policy.activated", "policy:letter", active)
    log.append("policy.activated", "policy:plan", {**active, "name": "plan", "policy_hash": "cd" * 32})
    log.append("policy.activated", "policy:gone", {**active, "name": "gone"})
    log.append("policy.retired", "policy:gone", {"name": "gone", "policy_hash": HASH})
    for version, passed, failures in (("ef" * 32, True, 0), (HASH, False, 3), (f"sha256:{HASH}", True, 1)):
        body = {"suite": "cases", "target": "policy", "target_version": version, "passed": passed}
        evaluated = log.append(
            "eval.completed", STREAM, {**body, "cases": 9, "failures": failures, "eval_id": "e"}
        )
    found = rows(log)
    assert [(row[4], row[6], row[7], row[8]) for row in of(found, "in_force")] == [
        ("letter", "passed", 8, 9),
        ("plan", "not evaluated", None, None),
    ]
    told = str(of(found, "in_force")[0][10])
    assert told.endswith(f"evaluated in entry {evaluated.index} by {evaluated.actor}")
    assert [row[6] for row in of(found, "evaluation")] == ["passed", "failed", "passed"]
    later = format_time(log.clock + timedelta(seconds=1))
    after = rows(log, since=later, until=format_time(log.clock + timedelta(seconds=2)))
    assert of(after, "evaluation") == []
    assert of(after, "in_force") == of(found, "in_force")


def test_an_evaluation_of_something_else_of_that_version_counts_for_nothing() -> None:
    log = LogBuilder()
    model = {"provider": "p", "model": "m", "revision": "2", "use": "generation"}
    log.append("model.registered", "model:p/m", model)
    log.append("prompt.label", "prompt:x", {"name": "x", "label": "live", "version": HASH})

    def evaluated(target: str, version: str) -> None:
        body = {"suite": "s", "target": target, "target_version": version, "passed": True}
        log.append("eval.completed", STREAM, {**body, "cases": 1, "failures": 0, "eval_id": "e"})

    def states() -> list[object]:
        return [row[6] for row in of(rows(log), "in_force")]

    evaluated("rag", "2")
    evaluated("policy", HASH)
    assert states() == ["not evaluated", "not evaluated"]
    evaluated("prompt", HASH)
    evaluated("model", "2")
    assert states() == ["passed", "passed"]
    log.append("model.registered", "model:p/n", {**model, "model": "n"})
    assert states() == ["passed", "not evaluated", "not evaluated"]


def text(log: LogBuilder, name: str, end: str, *codes: str, **more: Any) -> None:
    log.append("inference.requested", name, {"policy": "letter", **more})
    log.append("inference.generated", name, {"findings": {"by_code": dict.fromkeys(codes, 2)}})
    log.append(f"inference.{end}", name, {})


def test_findings_are_counted_by_text_and_what_was_stopped_apart() -> None:
    log = LogBuilder()
    text(log, "inf_1", "released")
    text(log, "inf_2", "released", "interaction")
    text(log, "inf_3", "held", "interaction", "unit")
    text(log, "inf_4", "failed", "interaction")
    text(log, "inf_5", "held", "interaction", practice={"item": "x"})
    log.append("inference.requested", "inf_6", {"policy": "letter"})
    log.append("inference.blocked", "inf_6", {"stage": "input", "findings": {"by_code": {"injection": 1}}})
    log.append("inference.released", "inf_3", {})
    assert [row[3:5] + row[7:9] for row in of(rows(log), "observed")] == [
        ("letter", ALL, 2, 4),
        ("letter", "injection", 1, 1),
        ("letter", "interaction", 1, 2),
        ("letter", "unit", 1, 1),
    ]


def test_the_same_codes_are_kept_in_every_process() -> None:
    """One text with as many codes as a table has rows, of which one is taken: which is left over is no chance."""
    log = LogBuilder()
    codes = [f"code {number:03d}" for number in range(MOST_LABELS)]
    text(log, "inf_1", "released", *codes)
    found = [row[4] for row in of(rows(log), "observed")]
    assert found == sorted([ALL, OTHER, *codes[: MOST_LABELS - 1]])


def test_policies_beyond_those_that_are_kept_are_counted_as_others() -> None:
    log = LogBuilder()
    names = [f"policy {number:03d}" for number in range(MOST_LABELS + 2)]
    for number, name in enumerate(names):
        log.append("inference.requested", f"inf_{number}", {"policy": name})
        log.append("inference.released", f"inf_{number}", {})
    found = [row[3:5] + row[7:9] for row in of(rows(log), "observed")]
    assert found == [(OTHER, ALL, 0, 2), *((name, ALL, 0, 1) for name in names[:MOST_LABELS])]


def test_planted_errors_count_where_somebody_decided() -> None:
    log = LogBuilder()
    for number, (error, right) in enumerate((("dose", True), ("dose", False), ("side", None))):
        log.append("oversight.debriefed", f"inf_{number}", {"kind": "error", "error": error, "right": right})
    log.append("oversight.debriefed", "inf_9", {"kind": "sound", "error": None, "right": True})
    found = of(rows(log), "practice")
    assert [(row[3], row[7], row[8]) for row in found] == [("dose", 1, 2), ("sound text", 1, 1)]


def test_a_log_that_says_nothing_gives_no_row() -> None:
    log = LogBuilder()
    log.append("system.started", "system", {"mode": "embedded"})
    assert rows(log) == []


def test_what_is_kept_is_bounded() -> None:
    log = LogBuilder()
    for number in range(MOST + 5):
        recorded(log, f"1.{number}", a="proved")
    found = of(rows(log), "pack")
    assert (len(found), found[0][5], found[-1][5]) == (MOST, f"1.{MOST + 4}", "1.5")
