"""V18: prompts, drug knowledge and activations that entries name, registered before them or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.verify import Report, Status

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
ONE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
PACK, NEXT = "a" * 64, "b" * 64


def registered(log: LogBuilder, version: str = ONE, name: Any = "letter") -> None:
    template = log.payload("prompt", version.encode())
    body = {"name": name, "version": version, "variables": []}
    log.append("prompt.version", f"prompt:letter:{version}", body, payloads=[template])


def labelled(log: LogBuilder, version: Any, previous: Any = None, name: Any = "letter") -> int:
    body = {"name": name, "label": "live", "version": version, "previous": previous}
    return log.append("prompt.label", "prompt-label:letter:live", body).index


def judged(log: LogBuilder, stream: str, pack: Any) -> int:
    log.request(stream)
    return log.append("inference.generated", stream, {"knowledge_hash": pack}).index


def begun(log: LogBuilder, **more: Any) -> None:
    """The first start of a tenant whose versions are kept to."""
    from tests.ledger.verify.conftest import POLICY_HASH

    log.append("policy.version", "policies", {"policies": {"p": POLICY_HASH}, "by": "bootstrap", **more})


def activated(log: LogBuilder, pack: str) -> int:
    return log.append("knowledge.activated", "knowledge", {"knowledge_hash": pack, "by": "bootstrap"}).index


def test_what_is_registered_before_holds(log: LogBuilder, tmp_path: Path) -> None:
    begun(log, knowledge_hash=PACK)
    registered(log)
    registered(log, OTHER)
    labelled(log, ONE)
    labelled(log, OTHER, ONE)
    log.request("inf_prompted", prompt_version=ONE)
    judged(log, "inf_1", PACK)
    put = activated(log, NEXT)
    judged(log, "inf_2", NEXT)
    log.append("knowledge.rejudged", "knowledge/rejudged", {"activation": put, "knowledge_hash": NEXT})
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert report.verdict is Status.PASSED
    assert "7 references" in next(item.detail for item in report.results if item.check == "V18")


def test_what_is_registered_later_or_never_fails(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    begun(log, knowledge_hash=PACK)
    wrong = {log.request("inf_early", prompt_version=ONE).index}
    registered(log)
    wrong |= {
        log.request("inf_other", prompt_version=OTHER).index,
        labelled(log, OTHER),
        labelled(log, ONE, OTHER),
    }
    # Of another prompt: a label is of one name.
    wrong.add(labelled(log, ONE, name="summary"))
    wrong.add(judged(log, "inf_1", NEXT))
    put = activated(log, NEXT)
    judged(log, "inf_2", NEXT)
    for body in (
        {"activation": put - 1},
        {"activation": put, "knowledge_hash": PACK},
        {"activation": put + 99},
    ):
        wrong.add(log.append("knowledge.rejudged", "knowledge/rejudged", body).index)
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V18": wrong}


@pytest.mark.parametrize("value", [None, 7, True, [ONE], {"version": ONE}])
def test_what_is_no_text_names_nothing_and_registers_nothing(
    log: LogBuilder, tmp_path: Path, failed: Failed, value: Any
) -> None:
    log.request("inf_1", prompt_version=value)
    labelled(log, value, value)
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {}
    registered(log, name=value)
    wrong = {log.request("inf_2", prompt_version=ONE).index, labelled(log, ONE, name=value)}
    assert failed(log.verify(log.full(tmp_path / "b.attending"))) == {"V18": wrong}


def test_a_log_that_does_not_keep_to_versions_of_the_knowledge_is_not_held_to_them(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    begun(log)
    judged(log, "inf_1", PACK)
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {}
    assert {item.status for item in report.results if item.check == "V18"} == {Status.NOT_APPLICABLE}


def test_outside_a_range_it_may_be_registered(log: LogBuilder, tmp_path: Path) -> None:
    registered(log)
    log.request("inf_1", prompt_version=ONE)
    report = log.verify(log.range(tmp_path / "a.attending", 1, 2))
    said = [item for item in report.results if item.check == "V18"]
    assert [(item.status, item.advisory, item.index) for item in said] == [(Status.INDETERMINATE, True, 1)]
    assert report.verdict is Status.PASSED
