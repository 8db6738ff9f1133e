"""V13 and V16 where findings want somebody's signature: which signatures release, and what may not be forged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
PHARMACIST = [["pharmacist"]]


@pytest.mark.parametrize(
    ("roles", "count", "wanted", "signers", "broken"),
    [
        # The one signature is a pharmacist's; a clinician's alone is not it.
        (["clinician", "pharmacist"], 1, PHARMACIST, ["pat"], {}),
        (["clinician", "pharmacist"], 1, PHARMACIST, ["ann"], {"V16": -1}),
        (["clinician", "pharmacist"], 2, PHARMACIST, ["ann", "li"], {"V16": -1}),
        (["clinician", "pharmacist"], 2, PHARMACIST, ["ann", "pat"], {}),
        # A pharmacist beside the sign-off counts for nobody else.
        (["clinician"], 1, PHARMACIST, ["ann", "pat"], {}),
        (["clinician"], 1, PHARMACIST, ["pat"], {"V16": -1}),
        (["clinician"], 2, PHARMACIST, ["ann", "pat"], {"V16": -1}),
        (["clinician"], 1, [["pharmacist"], ["safety_officer"]], ["ann", "pat"], {"V16": -1}),
        # Without a want the role is not one that the policy asks for.
        (["clinician"], 1, None, ["ann", "pat"], {"V13": -2}),
        (["clinician"], 1, "pharmacist", ["ann"], {"V16": -3}),
        (["clinician"], 1, [[]], ["ann"], {"V16": -3}),
        (["clinician"], 1, [["pharmacist", 7]], ["ann"], {"V16": -3}),
    ],
)
def test_the_signatures_are_those_that_were_wanted(
    log: LogBuilder,
    tmp_path: Path,
    failed: Failed,
    roles: list[str],
    count: int,
    wanted: Any,
    signers: list[str],
    broken: dict[str, int],
) -> None:
    people = {"ann": log.enrol("ann"), "li": log.enrol("li"), "pat": log.enrol("pat", "pharmacist")}
    more = {} if wanted is None else {"wanted": wanted}
    text = log.hold("inf_1", roles=roles, count=count, **more)
    for name in signers:
        log.sign("inf_1", people[name], text)
    log.release("inf_1", text)
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {check: {len(log.entries) + at} for check, at in broken.items()}


@pytest.mark.parametrize(
    ("added", "signers", "broken"),
    [
        ({"roles": ["clinician"], "count": 1, "wanted": PHARMACIST}, ["ann", "pat"], {}),
        ({"roles": ["clinician"], "count": 1, "wanted": PHARMACIST}, ["ann"], {"V16": -1}),
        ({"roles": ["clinician"], "count": 1, "wanted": []}, ["ann"], {"V16": -3}),
        (
            {"roles": ["clinician", "pharmacist"], "count": 1, "wanted": PHARMACIST},
            ["ann", "pat"],
            {"V16": -4},
        ),
        ({"roles": ["clinician"], "count": 0, "wanted": PHARMACIST}, ["ann", "pat"], {"V16": -4}),
    ],
)
def test_facts_never_make_fewer_signatures_do(
    log: LogBuilder,
    tmp_path: Path,
    failed: Failed,
    added: dict[str, Any],
    signers: list[str],
    broken: dict[str, int],
) -> None:
    people = {"ann": log.enrol("ann"), "pat": log.enrol("pat", "pharmacist")}
    text = log.hold("inf_1", wanted=PHARMACIST)
    facts = log.payload("facts", b"weight")
    body = {"facts": ["weight_kg"], "to_dispose": [0], "sign_off": added}
    log.append("review.facts_added", "inf_1", body, payloads=[facts], actor="human:ann")
    for name in signers:
        log.sign("inf_1", people[name], text)
    log.release("inf_1", text)
    found = failed(log.verify(log.full(tmp_path / "a.attending")))
    expected = {check: {len(log.entries) + at} for check, at in broken.items()}
    if added["count"] == 0:
        # A count of none is refused at the release, too.
        expected = {"V16": {len(log.entries) - 4, len(log.entries) - 1}}
    assert found == expected


def test_what_may_stand_outside_is_not_said_to_be_missing(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    ann = log.enrol("ann")
    text = log.hold("inf_1", wanted=PHARMACIST)
    log.sign("inf_1", ann, text)
    released = log.release("inf_1", text)
    held = released.index - 2
    report = log.verify(log.subset(tmp_path / "a.attending", [held, released.index]))
    assert "V16" not in failed(report)
    assert any(one.check == "V16" and one.index == released.index for one in report.results)
