"""Every field of every type of entry, mutated: the command finds it, and names the entry where a neighbour tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from attending.ledger.entry import ENTRY_TYPES
from attending.ledger.verify.report import Report, Status

from tests.negative.fields import Mutant, Ranges, chosen, mutants, the_story
from tests.negative.logs import cosigned, rewritten, with_entries, witness_of

LEFT_OUT: Final[frozenset[str]] = frozenset({"incident.updated"})
"""Types that no entry of the story has: write one into it, or name it here. `incident.updated` was on its way to be one
when the story was written, and is told like `incident.opened`.
"""
Failed = Callable[[Report], dict[str, set[int | None]]]


def test_the_story_has_every_type_and_is_lawful(tmp_path: Path) -> None:
    log = the_story()
    assert ENTRY_TYPES - chosen().keys() <= LEFT_OUT
    report = log.verify(
        log.full(tmp_path / "a.attending", figures=True, payloads=list(log.openings.values()))
    )
    assert report.verdict is Status.PASSED
    assert {item.status for item in report.results if not item.advisory} == {Status.PASSED}


@pytest.mark.parametrize("kind", sorted(ENTRY_TYPES - LEFT_OUT))
def test_each_field_of_it_mutated_is_found(kind: str, tmp_path: Path, failed: Failed) -> None:
    log, ranges = the_story(), Ranges(chosen()[kind])
    path, wrong = tmp_path / "a.attending", []
    for mutant in mutants(kind):
        assert mutant.data != log.entries[ranges.index], mutant.id
        found = failed(ranges.verify(ranges.left_alone(mutant, path)))
        if next(iter(found), None) != "V6" or found["V6"] != {mutant.index}:
            wrong.append((mutant.id, "left alone", found))
        found = failed(ranges.verify(ranges.chained(mutant, path)))
        if next(iter(found), None) != "V6" or found["V6"] != {ranges.chained_names}:
            wrong.append((mutant.id, "chained", found))
    assert wrong == []


def test_in_the_whole_log_each_is_named_until_all_is_signed_anew(tmp_path: Path, failed: Failed) -> None:
    """Mutants of every eighth type: left alone; the chain made anew; and the head too, which only others tell."""
    log, path = the_story(), tmp_path / "a.attending"
    size, kept = len(log.entries), cosigned(log)
    last = size - 1
    for kind, index in list(chosen().items())[::8]:
        mutant = next(one for one in mutants(kind) if one.path == "body" and one.how == "added")

        def changed(entries: list[bytes], mutant: Mutant = mutant) -> list[bytes]:
            return [*entries[: mutant.index], mutant.data, *entries[mutant.index + 1 :]]

        found = failed(log.verify(with_entries(log, path, changed(log.entries))))
        assert next(iter(found)) == "V6"
        assert found["V6"] == {index}, kind
        other = rewritten(log, changed, index)
        found = failed(log.verify(with_entries(log, path, other.entries)))
        assert next(iter(found)) == "V6"
        assert found["V6"] == {last}, kind
        other.introductions, other.retired, other.signer = log.introductions, log.retired, log.signer
        report = log.verify(other.full(path), pinned=(kept,), witnesses=(witness_of(log),))
        assert {"V8", "V9"} <= failed(report).keys(), kind
        assert json.loads(mutant.data)["body"]["zz_added"] == 1
