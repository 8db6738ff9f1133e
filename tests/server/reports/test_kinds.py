"""The pages of every kind with a register: what stands in it is text, stays on the page, and is all attached."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pikepdf
import pytest
from attending.ledger.verify.registers import REGISTERS, Asked
from attending.server.reports import source as source_module
from attending.server.reports.kinds import KINDS
from attending.server.reports.particulars import Kind
from attending.server.reports.workshop import BUNDLE

from tests.ledger.verify.conftest import SUBJECT, LogBuilder
from tests.server.reports.test_desk import create, got, opened
from tests.server.reports.test_desk import made as finished
from tests.server.reports.test_export import signed_release, verify
from tests.server.reports.test_pdf import HOSTILE, made, require_inside, text_of
from tests.server.review.conftest import Ward

LISTING = [kind for kind, about in KINDS.items() if about.register]
GROUP = "age_band"


def asked(version: str = "") -> Asked:
    until = "2027-01-01T00:00:00.000000Z"
    return Asked(until=until, subjects=(SUBJECT,), version=version, group=GROUP)


def lived(words: str, rounds: int = 1) -> LogBuilder:
    """Whatever a register lists, with `words` wherever a body or an actor has room for some."""
    log = LogBuilder()
    key = words.encode("ascii", "backslashreplace").decode()
    actor = "app:" + re.sub(r"[\x00-\x1f]", "", words)[:240]
    for number in range(rounds):
        name = f"inf_{number}"

        def append(kind: str, stream: str, body: Mapping[str, object]) -> None:
            log.append(kind, stream, body, subject=SUBJECT, actor=actor)

        rails = [{"name": words, "status": "flagged", "version": words}]
        request = {
            "tags": {GROUP: words},
            "model": words,
            "policy": words,
            "rails": rails,
            "on_behalf_of": words,
        }
        append("inference.requested", name, {**request, "purpose_of_use": words, "policy_hash": words})
        append("inference.generated", name, {"findings": {"by_code": {"c" * 60: 1}}, "provider": words})
        append("inference.held", name, {"findings": {"by_code": {key: 1}}})
        append("review.disposed", name, {"code": words, "disposition": "fixed"})
        append("policy.activated", f"policy:{number}", {"name": words, "policy_hash": words, "mode": words})
        append("access.viewed", "access/x", {"what": words, "authorized_by": [words] * 9, "emergency": words})
        sent = {"recipient": words, "host": words, "purpose_of_use": words, "what": words}
        append("access.disclosed", "disclosed/x", sent)
        opened = {
            "incident_id": f"{words}{number}",
            "severity": words,
            "category": "privacy",
            "serious": "other",
        }
        append("incident.opened", "s" * 255, opened)
        append("notice.sent", "s", {"incident_id": f"{words}{number}", "recipient": words, "about": words})
        listed = {"requirements": {key: words, "b": "failed"}, "release": words, "signer": words}
        append("validation.recorded", "emitter/x/y", {**listed, "pack": words, "commit": words})
        looked = {"checks": 3, "red": 1, "findings": [words, f"a.b:{words}"], "differ": [words] * 70}
        append("validation.installed", "emitter/x/y", {**looked, "release": words, "log": words})
        suite = {"suite": words, "target_version": words, "cases": 9, "failures": 2, "eval_id": words}
        append("eval.completed", "emitter/x/y", suite)
        append("oversight.debriefed", f"inf_p{number}", {"kind": "error", "error": words, "right": True})
        append("examination.signed", "examination/x", {"statement": {"office": words, "until": 3}})
        erased = {"reason": words, "approved_by": words, "erasure": words, "key_id": words}
        append("subject.erased", f"subject/{SUBJECT}", {**erased, "records": {"prompt": number + 1}})
        append("hold.placed", f"subject/{SUBJECT}", {"hold": f"{words}{number}", "ground": words})
    return log


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("kind", LISTING)
def test_what_comes_from_outside_is_text_and_stays_on_the_page(
    kind: Kind, words: str, tmp_path: Path
) -> None:
    log = lived(words)
    path = made(log, tmp_path, kind, asked=asked(words[:250]))
    require_inside(path)
    assert "\u202e" not in text_of(path)


def test_what_is_said_of_a_pack_or_an_evaluation_is_printed_as_the_word_of_who_recorded_it(
    tmp_path: Path,
) -> None:
    pages = " ".join(text_of(made(lived("words"), tmp_path, Kind.VALIDATION, asked=asked())).split())
    assert "As whoever recorded each pack states it" in pages
    assert "This server saw none of them and verified no signature" in pages
    assert "An evaluation is as whoever recorded it states it" in pages


@pytest.mark.parametrize("kind", LISTING)
def test_the_pages_are_cut_and_what_is_attached_is_not(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "MOST_LINES", 3)
    path = made(lived("words", rounds=12), tmp_path, kind, asked=asked())
    with pikepdf.open(path) as pdf:
        attached = {name: item.get_file().read_bytes() for name, item in pdf.attachments.items()}
    head, *lines = map(json.loads, attached["rows.jsonl"].splitlines())
    register = REGISTERS[KINDS[kind].register or ""]
    assert (head["name"], head["columns"]) == (register.name, list(register.columns))
    sheet = list(csv.reader(io.StringIO(attached["rows.csv"].decode())))
    assert sheet[0] == head["columns"]
    assert [["" if cell is None else str(cell) for cell in line] for line in lines] == sheet[1:]
    if kind is not Kind.GUARDRAILS:  # which lists names, of which there is one
        assert len(lines) >= 12
    assert all(len(line) == len(register.columns) for line in lines)


@pytest.mark.parametrize("kind", LISTING)
def test_an_empty_period_of_a_log_that_has_entries_is_said_to_have_nothing(
    kind: Kind, tmp_path: Path
) -> None:
    log = LogBuilder()
    log.append("system.started", "system", {"mode": "embedded"})
    text = " ".join(text_of(made(log, tmp_path, kind, asked=asked())).split())
    assert re.search(r"None|Nothing|No text|not collected|Not collected", text)


async def test_each_kind_about_nobody_in_particular_is_made_of_a_log_that_was_lived(
    ward: Ward, tmp_path: Path
) -> None:
    desk = opened(ward, tmp_path)
    await signed_release(ward)
    for kind in LISTING:
        if not KINDS[kind].needs:
            report_id = await create(ward, desk, kind)
            await finished(desk, report_id)
            path = tmp_path / f"{kind}.attending"
            path.write_bytes(await got(desk, ward.auditor, report_id, BUNDLE))
            assert verify(ward, path).verdict == "passed"
    await desk.drain()
