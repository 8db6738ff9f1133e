"""The verifier page at sealed reports: what it says of the PDFs that the tests of the command verify, good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.page import verifier_page
from attending.ledger.verify.pdf import der
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.ledger.verify.pdf.verify import verify_report
from playwright.sync_api import Browser, Page

from tests.browser.recording import record
from tests.browser.test_negative import Worker
from tests.browser.test_verifier_page import BATCH, RUN, said
from tests.server.reports.authorities import Office
from tests.server.reports.sealing import day, forged, unsealed
from tests.server.reports.test_hostile_pdf import der_mutants

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

EVERY: Final = 10
"""One in so many of the mutants: each is a whole report, verified twice."""
SEALED = ("tests/server/reports/test_sealed_report.py", "tests/server/reports/test_seal.py")


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("page") / "verify.html"
    path.write_bytes(verifier_page())
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(path.as_uri())
    yield opened
    context.close()


def test_both_verifiers_agree_on_every_report_of_the_tests(page: Page, tmp_path: Path) -> None:
    cases = [one for one in record(tmp_path / "cases.jsonl", *SEALED) if is_report(one)]
    failed = {
        item["check"] for one in cases for item in one["report"]["results"] if item["status"] == "failed"
    }
    assert failed >= {"V2", "V3", "V4", "V9", "V10", "V20"}
    assert {one["report"]["verdict"] for one in cases} == {"passed", "failed", "indeterminate"}
    wrong, compared = [], 0
    for case, other in zip(cases, answers(page, cases), strict=True):
        mine = case["report"]
        if any(
            "rows." in item["detail"] and "not checked here" in item["detail"] for item in other["results"]
        ):
            # A register of its own the page does not count again, and so does not let V20 pass.
            same = but_for_v20(mine) == but_for_v20(other) and other["verdict"] != "passed"
        else:
            same, compared = said(mine) == said(other), compared + 1
        if not same:
            wrong.append((case["test"], mine["results"], other["results"]))
    assert wrong == []
    assert compared > 100


def test_both_say_the_same_of_a_seal_with_a_part_of_it_changed(tmp_path: Path) -> None:
    """Each part of the DER left out, emptied, doubled, of another type, under digits of the same length: what the range
    covers is as it was, and the signature, its certificates and the time stamp are for both to read.
    """
    office, log = Office.make(tmp_path / "office"), day()
    # Playwright's loop runs here, and to seal a report needs one of its own.
    with ThreadPoolExecutor(1) as apart:
        pages = unsealed(log, tmp_path / "report")
        source = apart.submit(forged, office, pages, tmp_path / "sealed.pdf").result().read_bytes()
    begin = source.rindex(b"/Contents <") + len(b"/Contents <")
    end = source.index(b">", begin)
    seal = der.leading(bytes.fromhex(source[begin:end].decode()))[0].encoded
    path, mine = tmp_path / "mutant.pdf", []

    def cases() -> Iterator[tuple[Path, Anchors, SealAnchors]]:
        for mutant in islice(der_mutants(seal), None, None, EVERY):
            digits = mutant.hex().encode()
            if len(digits) > end - begin:
                continue
            path.write_bytes(source[:begin] + digits.ljust(end - begin, b"0") + source[end:])
            mine.append(said(verify_report(path, log.anchors(), office.anchors).to_json()))
            yield path, log.anchors(), office.anchors

    others = [said(one) for one in Worker(tmp_path).told(cases())]
    assert len(mine) > 100
    assert {str(one[0]) for one in mine} >= {"failed", "indeterminate"}
    assert [(a, b) for a, b in zip(mine, others, strict=True) if a != b] == []


def answers(page: Page, cases: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The page's report on each, or what it says instead."""
    for begin in range(0, len(cases), BATCH):
        told = [{"files": one["files"], "anchors": one["anchors"]} for one in cases[begin : begin + BATCH]]
        for answer in page.evaluate(RUN, told):
            yield answer.get("report", {"results": [], "verdict": answer})


def but_for_v20(report: dict[str, Any]) -> list[tuple[object, ...]]:
    return said(
        {**report, "verdict": "", "results": [one for one in report["results"] if one["check"] != "V20"]}
    )


def is_report(case: dict[str, Any]) -> bool:
    # "%PDF-" in base64.
    return any(one["data"].startswith("JVBERi") for one in case["files"])
