"""What the verifier page makes of the same lies that the command is told (tests/negative), in one page."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.page import script, verifier_page
from attending.ledger.verify.pdf.seal import SealAnchors
from playwright.sync_api import Browser, Page

from tests.browser.recording import anchors_of, files_of
from tests.browser.test_verifier_page import BATCH, RUN, rezipped, said
from tests.ledger.verify.conftest import LogBuilder
from tests.negative.evidence import Evidence
from tests.negative.fields import Ranges, chosen, mutants, the_story
from tests.negative.logs import chained
from tests.negative.table import LIES

pytestmark = [pytest.mark.browser]

MUTATIONS: Final = (0x01, 0x80)
"""What each byte of an archive's directory and ends is changed by."""


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("page") / "verify.html"
    path.write_bytes(verifier_page())
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(path.as_uri())
    yield opened
    context.close()


def answers(
    page: Page, cases: Iterable[tuple[Path, Anchors, SealAnchors | None]]
) -> Iterator[dict[str, Any]]:
    """The page's report on each, or what it says instead."""
    told = [{"files": files_of(path), "anchors": anchors_of(anchors, seal)} for path, anchors, seal in cases]
    for begin in range(0, len(told), BATCH):
        for answer in page.evaluate(RUN, told[begin : begin + BATCH]):
            yield answer.get("report", answer)


def test_each_lie_fails_at_its_check_in_the_page_too(page: Page, tmp_path: Path) -> None:
    told: list[Evidence] = []
    # Playwright's loop runs here, and to seal a report needs one of its own.
    with ThreadPoolExecutor(1) as apart:
        for number, lie in enumerate(LIES):
            folder = tmp_path / str(number)
            folder.mkdir()
            told.append(apart.submit(lie.make, folder).result())
    wrong: list[tuple[object, ...]] = []
    reports = answers(page, [(one.path, one.anchors, one.seal) for one in told])
    for lie, evidence, report in zip(LIES, told, reports, strict=True):
        failed: dict[str, set[int | None]] = {}
        for item in report["results"]:
            if item["status"] == "failed":
                failed.setdefault(item["check"], set()).add(item["index"])
        opens = {
            item["check"]
            for item in report["results"]
            if item["status"] == "indeterminate" and not item["advisory"]
        }
        right = {check: frozenset(places) for check, places in failed.items()} == evidence.fails
        if not right or tuple(failed) != lie.checks or opens != evidence.opens:
            wrong.append((lie.id, failed, opens))
        if not all(part in json.dumps(report["results"]) for part in evidence.says):
            wrong.append((lie.id, evidence.says))
    assert wrong == []


@pytest.mark.parametrize("large", [False, True], ids=["plain", "large"])
def test_both_read_the_same_archive_whatever_byte_of_it_is_changed(
    page: Page, tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte after the files: the directory, and the ends of archives, of large ones too. What is said once and what
    is said twice of one file is not compared.
    """
    log = LogBuilder()
    log.append("system.started", "system", {"mode": "embedded"})
    path = log.full(tmp_path / "bundle.attending")
    if large:
        with monkeypatch.context() as small:
            small.setattr("zipfile.ZIP64_LIMIT", 2)
            rezipped(path, lambda files: None)
    good = path.read_bytes()
    cases: list[tuple[Path, Anchors, SealAnchors | None]] = []
    for place in range(good.index(b"PK\x01\x02"), len(good)):
        changed = tmp_path / f"{place}.attending"
        by = MUTATIONS[place % 2]
        changed.write_bytes(good[:place] + bytes([good[place] ^ by]) + good[place + 1 :])
        cases.append((changed, log.anchors(), None))
    mine = [said(verify_bundle(path, anchors).to_json()) for path, anchors, _seal in cases]
    assert {str(one[0]) for one in mine} == {"passed", "failed"}
    other = [said(report) for report in answers(page, cases)]
    differ = [
        (path.stem, [item for item in a if item not in b], [item for item in b if item not in a])
        for (path, _anchors, _seal), a, b in zip(cases, mine, other, strict=True)
        if [item for item in a if item not in b] or [item for item in b if item not in a]
    ]
    assert differ == []


class Worker:
    """The page's worker as it stands in the page, run by node over bundles that are written one after the other."""

    def __init__(self, folder: Path) -> None:
        self._script, self._cases, self._answers = (
            folder / name for name in ("worker.js", "cases", "answers")
        )
        self._script.write_text(script("worker"), encoding="utf-8")

    def told(self, cases: Iterable[tuple[Path, Anchors, SealAnchors | None]]) -> Iterator[dict[str, Any]]:
        """Its report on each; a case's file may be another's when the next one is asked for."""
        with self._cases.open("w", encoding="utf-8") as out:
            for path, anchors, seal in cases:
                case = {"files": files_of(path), "anchors": anchors_of(anchors, seal)}
                out.write(json.dumps(case) + "\n")
        command = ["node", str(Path(__file__).with_name("verifier_worker.mjs")), str(self._script)]
        with self._cases.open("rb") as told, self._answers.open("wb") as answered:
            subprocess.run(command, stdin=told, stdout=answered, check=True, timeout=600)
        with self._answers.open(encoding="utf-8") as lines:
            yield from (answer.get("report", answer) for answer in map(json.loads, lines))


def test_each_field_of_every_type_mutated_is_found_by_the_page(tmp_path: Path) -> None:
    """As by the command: V6 first, at the entry, or by the head alone where its successor was chained to it."""
    expected: list[tuple[str, int | None]] = []

    def cases() -> Iterator[tuple[Path, Anchors, None]]:
        for kind, index in chosen().items():
            ranges = Ranges(index)
            for mutant in mutants(kind):
                for write, named in ((ranges.left_alone, index), (ranges.chained, ranges.chained_names)):
                    expected.append((f"{mutant.id}, {write.__name__}", named))
                    yield write(mutant, tmp_path / "a.attending"), ranges.anchors, None

    reports = list(Worker(tmp_path).told(cases()))
    wrong: list[tuple[object, ...]] = []
    for (name, place), report in zip(expected, reports, strict=True):
        failed = [(one["check"], one["index"]) for one in report["results"] if one["status"] == "failed"]
        if failed[:1] != [("V6", place)] or report["verdict"] != "failed":
            wrong.append((name, failed))
    assert wrong == []
    assert len(expected) > 3000


def test_both_say_the_same_of_a_mutant_that_its_operator_signed_anew(tmp_path: Path) -> None:
    """All hashes and signatures hold, and whether it is lawful is left to the rules over its meaning. The log
    ends before its key is rotated, which the operator cannot undo.
    """
    end = min(at for at, _text in the_story().introductions) - 1
    mine: list[tuple[str, list[tuple[object, ...]]]] = []

    def cases() -> Iterator[tuple[Path, Anchors, None]]:
        every = (mutant for kind in chosen() for mutant in mutants(kind))
        for mutant in islice(every, None, None, 23):
            if mutant.index >= end:
                continue
            entries = [
                *the_story().entries[: mutant.index],
                mutant.data,
                *the_story().entries[mutant.index + 1 : end],
            ]
            log = LogBuilder()
            log.entries = chained(log, entries, mutant.index)
            path = log.full(tmp_path / "a.attending", figures=True)
            mine.append((mutant.id, said(verify_bundle(path, log.anchors()).to_json())))
            yield path, log.anchors(), None

    reports = list(Worker(tmp_path).told(cases()))
    assert {str(one[0]) for _id, one in mine} >= {"passed", "failed"}
    differ = [
        (name, one) for (name, one), other in zip(mine, map(said, reports), strict=True) if one != other
    ]
    assert differ == []
