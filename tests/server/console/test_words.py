"""Whatever stops a report, a person is told in a sentence of its own, and never by a general one."""

from __future__ import annotations

import re
from pathlib import Path

from attending.server import reports
from attending.server.console.words import OTHERWISE, SENTENCES, sentence

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
