"""Citations kept with a result and on the wire: nothing quoted while the text is not released."""

from __future__ import annotations

import json

from attending.guardrails.citation import Citation, Support
from attending.guardrails.finding import Coverage
from attending.server.inference.entries import Result
from attending.server.wire.findings import citation_message
from attending.v1 import common_pb2

CITED = Citation(0, 12, Support.CONTRADICTED, 88, "another side", "note-1", 40, 61, "The left knee hurts.")


def test_a_result_keeps_its_citations_and_an_older_one_has_none() -> None:
    result = Result("hold", False, "hold", (), Coverage(), (CITED,))
    assert Result.from_bytes(result.to_bytes()) == result
    older = json.loads(result.to_bytes())
    del older["citations"]
    assert Result.from_bytes(json.dumps(older).encode()).citations == ()


def test_the_wire_says_how_a_claim_stands_and_quotes_only_what_is_released() -> None:
    held, released = citation_message(CITED, full=False), citation_message(CITED, full=True)
    assert held.status == released.status == common_pb2.SUPPORT_CONTRADICTED
    assert (held.share_percent, held.document_id) == (88, "note-1")
    assert (held.passage, held.why, held.start, held.end, held.passage_end) == ("", "", 0, 0, 0)
    assert (released.passage, released.passage_start, released.passage_end) == (CITED.passage, 40, 61)
    for support in Support:
        assert (
            citation_message(Citation(0, 1, support, 0, ""), full=True).status
            != common_pb2.SUPPORT_UNSPECIFIED
        )
