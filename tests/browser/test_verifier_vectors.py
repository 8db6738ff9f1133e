"""The parts of the verifier page against the golden vectors: what is accepted, with every byte, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from attending.ledger.canonical import encode
from attending.ledger.merkle import leaf_hash
from attending.ledger.verify.page import script, verifier_page
from attending.ledger.verify.payloads import Disclosed
from playwright.sync_api import Browser, Page

from tests.browser.test_verifier_page import case_of, disagreements
from tests.ledger.verify.conftest import LogBuilder

pytestmark = [pytest.mark.browser]

VECTORS: Final = Path(__file__).parents[1] / "vectors"
RUN: Final = Path(__file__).with_name("verifier_vectors.mjs").read_text(encoding="utf-8")


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    path = tmp_path / "verify.html"
    path.write_bytes(verifier_page())
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(path.as_uri())
    yield opened
    context.close()


def test_ledger_vectors_are_accepted_and_refused(page: Page) -> None:
    names = ("canonical", "entries", "keys", "checkpoints", "trees", "receipts", "introductions")
    vectors = {name: json.loads((VECTORS / f"ledger-v1/{name}.json").read_text()) for name in names}
    assert page.evaluate(RUN.replace("//@MODULES@", script("introductions")), vectors) == []


def test_signature_vectors_hold_or_break_their_rule(page: Page, tmp_path: Path) -> None:
    vectors = json.loads((VECTORS / "signatures-v1/signatures.json").read_text())
    disclosed = [
        Disclosed(record, one["kind"], bytes.fromhex(one["salt"]), one["content"].encode())
        for record, one in vectors["disclosed"].items()
    ]
    cases: list[dict[str, Any]] = []
    wrong = []
    for number, case in enumerate(vectors["cases"]):
        texts = [*vectors["before"], *([case["before"]] if "before" in case else []), case["entry"]]
        log = LogBuilder("vectors.example/clinic")
        prev = "0" * 64
        for index, text in enumerate(texts):
            entry = json.loads(text)
            log.entries.append(encode({**entry, "index": index, "prev": prev}))
            prev = leaf_hash(log.entries[-1]).hex()
        named = {item["record"] for text in texts for item in json.loads(text)["commitments"]}
        shown = [item for item in disclosed if item.record in named]
        path = log.full(tmp_path / f"{number}.attending", payloads=shown)
        made = case_of(f"{number}: {case['why']}", path, log.anchors())
        failed = {
            item["check"]
            for item in made["report"]["results"]
            if item["status"] == "failed" and item["index"] == len(texts) - 1
        }
        if bool(failed & {"V11", "V12", "V13"}) is (case["verdict"] == "OK"):
            wrong.append((made["test"], case["verdict"], failed))
        cases.append(made)
    assert wrong == []
    assert disagreements(page, cases) == []
