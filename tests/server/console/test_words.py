"""Whatever a report is, and whatever stops it, a person is told in words of its own, and never by general ones."""

from __future__ import annotations

import re
from pathlib import Path

from attending.ledger.report_signature import MEANING
from attending.server import reports
from attending.server.console import report_words
from attending.server.console.words import OTHERWISE, SENTENCES, sentence
from attending.server.phi.purpose import OF_EXPORT
from attending.server.reports.choose import WORDS
from attending.server.reports.particulars import Kind

RAISED = re.compile(
    r"\b(?:NotFound|FailedPrecondition|Unavailable|Aborted|PermissionDenied)\(\s*\"([A-Z_]+)\""
)


def test_every_reason_of_a_report_has_a_sentence() -> None:
    [folder] = map(Path, reports.__path__)
    raised = {one for path in folder.glob("*.py") for one in RAISED.findall(path.read_text(encoding="utf-8"))}
    assert {"REPORT_CHANGED", "DRAFT_NOT_READ", "SEAL_NOT_PROVED", "REPORT_MOVED"} <= raised
    # Of de-identified exports, which the console has none of.
    assert sorted(raised - SENTENCES.keys() - {"IDENTIFIERS_REMAIN"}) == []


def test_every_reason_of_a_time_stamp_authority_says_that_nothing_was_issued() -> None:
    for reason in ("TSA_TIMEOUT", "TSA_HTTP_STATUS", "TSA_ANSWER", "TSA_PRIVATE_ADDRESS"):
        assert "Nothing was issued" in sentence(reason, 503)
    assert sentence("SOMETHING_ELSE", 503) == OTHERWISE[503]


def test_every_kind_purpose_and_narrowing_of_a_report_is_said_in_words() -> None:
    assert set(report_words.SENTENCES) == set(Kind)
    assert set(report_words.TITLES) == {kind.value for kind in Kind}
    assert set(report_words.FIELDS) == set(WORDS)
    assert {name for name, _words in report_words.PURPOSES} == set(OF_EXPORT)
    assert set(report_words.MEANINGS) == {MEANING}
