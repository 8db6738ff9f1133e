"""De-identified documents of a real log: nothing of a person is in one, its figures are those of the bundle, and it
says what became of each of the 18 identifiers.
"""

from __future__ import annotations

import base64
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.phi import PhiDetector, PhiSpan, PhiType, load_detector
from attending.guardrails.phi.placeholders import KIND_OF
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.deidentified import (
    CHECKLIST,
    RECORDS,
    TEXTS,
    is_deidentified,
    verify_deidentified,
)
from attending.ledger.verify.identifiers import LETTERS, without_placeholders
from attending.ledger.verify.manifest import PAYLOADS
from attending.ledger.verify.report import Report
from attending.server.reports.deidentified.pseudonyms import SEED_KIND, Pseudonyms
from attending.server.reports.deidentified.records import Records
from attending.server.reports.deidentified.tally import Tally
from attending.server.reports.deidentified.texts import SMALL_AREAS, IdentifiersRemainError, Texts
from attending.server.reports.deidentified.words import WITHHELD, Words
from attending.server.reports.export import Exporter

from tests.ledger.verify.conftest import LogBuilder
from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.reports.test_export import export, order, signed_release, verify
from tests.server.review.conftest import Ward, phi_of
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

_calls = iter(range(1_000_000))
LETTER = (
    "Dear Mr. Vandersloot, seen on March 3, 2026 at 14 Elm Street, Chicago, IL 60614. "
    "MRN 4471882. He is 93 years old."
)


def exporter(ward: Ward, tmp_path: Path) -> Exporter:
    return Exporter(ward.gate.ledger, tmp_path / "exports", phi_of(ward.gate), ward.gate.clock)


async def document(
    ward: Ward, tmp_path: Path, *, name: str | None = None, mapped: bool = False, **changes: object
) -> Path:
    """The document of the whole log, and beside it the map where it is wanted."""
    name = name or f"document-{next(_calls)}"
    out, wanted = tmp_path / f"{name}.attending", order(de_identified=True, **changes)
    for lead_back in (False, True)[: 1 + mapped]:
        target = out.with_suffix(".map") if lead_back else out
        async with exporter(ward, tmp_path).bundle(
            ward.auditor.permit, wanted, key(name), lambda *_: None, lead_back=lead_back
        ) as path:
            target.write_bytes(path.read_bytes())
    assert list((tmp_path / "exports").iterdir()) == []
    return out


def verified(ward: Ward, path: Path) -> Report:
    return verify_deidentified(
        path, Anchors(keys=(VerifierKey.parse(ward.gate.ledger.verifier_key(TENANT)),))
    )


def inside(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def lines(path: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in inside(path, name).splitlines()]


async def test_a_document_holds_nobody_and_its_figures_are_those_of_the_bundle(
    ward: Ward, tmp_path: Path
) -> None:
    await signed_release(ward)
    await ward.gate.pipeline.infer(CALLER, infer_call("Letter for Maria"), key("x"))
    made = await document(ward, tmp_path)
    assert is_deidentified(made)
    report = verified(ward, made)
    assert report.verdict == "passed", [r for r in report.results if r.status != "passed"]
    entries = await ward.gate.ledger.list_entries(TENANT, 0, 1_000)
    data = b"".join(inside(made, name) for name in zipfile.ZipFile(made).namelist())
    for entry in entries:
        for told in (
            entry.stream,
            entry.subject,
            entry.time,
            entry.actor,
            entry.leaf_hash.hex(),
            entry.prev.hex(),
        ):
            assert told is None or told.encode() not in data, told
        for item in entry.commitments:
            # The one to the seed of its pseudonyms is the manifest's, and of nobody.
            assert item.kind == SEED_KIND or item.commitment.encode() not in data
            assert item.record.encode() not in data
    for secret in (b"Maria", b"MRN-1", b"A safe text", b"secretdrug", b"rivera", b"2026-"):
        assert secret not in data
    assert report.statistics["review"]["signatures_by_meaning"]
    assert report.statistics["inferences"]["requested"] == 2


async def test_the_checklist_has_a_line_for_each_identifier_and_counts(ward: Ward, tmp_path: Path) -> None:
    await signed_release(ward)
    made = await document(ward, tmp_path)
    stated = json.loads(inside(made, CHECKLIST))
    assert [one["letter"] for one in stated["identifiers"]] == list(LETTERS)
    records = lines(made, RECORDS)
    assert stated["records"] == len(records)
    counts = {one["letter"]: one for one in stated["identifiers"]}
    assert counts["C"]["generalised"] >= len(records)
    assert counts["A"]["replaced"] == sum(one["actor"].startswith("human:") for one in records)
    assert counts["R"]["replaced"] >= len(records)
    assert counts["R"]["removed"] >= 2 * len(records)


async def test_the_same_key_gives_the_same_bytes_and_the_map_leads_back(ward: Ward, tmp_path: Path) -> None:
    await signed_release(ward)
    made = await document(ward, tmp_path, name="twice", mapped=True)
    first = made.read_bytes()
    await ward.gate.pipeline.infer(CALLER, infer_call("Later"), key("later"))
    assert (await document(ward, tmp_path, name="twice")).read_bytes() == first
    names = {one["pseudonym"]: one["name"] for one in map(json.loads, made.with_suffix(".map").open())}
    for record, entry in zip(
        lines(made, RECORDS), await ward.gate.ledger.list_entries(TENANT, 0, 1_000), strict=False
    ):
        assert names[record["stream"]] == entry.stream
        assert names[record["actor"]] == entry.actor
        assert record["subject"] is None or names[record["subject"]] == entry.subject
    other = await document(ward, tmp_path)
    theirs = {one["stream"] for one in lines(other, RECORDS)}
    assert not theirs & {one["stream"] for one in lines(made, RECORDS)}, "pseudonyms of two documents link"


async def test_that_a_map_was_given_is_on_record(ward: Ward, tmp_path: Path) -> None:
    await signed_release(ward)
    await document(ward, tmp_path, mapped=True)
    entries = await ward.gate.ledger.list_entries(TENANT, 0, 1_000)
    export = next(one for one in entries if one.type == "access.exported")
    assert export.body["de_identified"] is True
    assert export.body["payloads"] is False
    assert [item.kind for item in export.commitments] == [SEED_KIND]
    revealed = [one for one in entries if one.body.get("what") == "pseudonym_map"]
    assert [one.body["export"] for one in revealed] == [export.index]


async def test_texts_come_without_identifiers(ward: Ward, tmp_path: Path) -> None:
    ward.gate.provider.text = LETTER
    await signed_release(ward)
    ward.gate.provider.text = LETTER
    await ward.gate.pipeline.infer(CALLER, infer_call("Write to Mr. Vandersloot, 312-555-0142"), key("x"))
    made = await document(ward, tmp_path, include_payloads=True)
    assert verified(ward, made).verdict == "passed"
    data = inside(made, TEXTS).decode()
    assert "A safe text" in data
    for told in ("Vandersloot", "March", "Elm", "Chicago", "60614", "4471882", "93", "312-555"):
        assert told not in data
    stated = json.loads(inside(made, CHECKLIST))
    assert stated["texts"] == len(lines(made, TEXTS)) > 0


def texts(year: int = 2026) -> tuple[Texts, Tally]:
    tally = Tally()
    return Texts(load_detector(), tally, year), tally


def test_what_may_be_kept_is_kept_and_all_else_is_told_by_its_kind() -> None:
    made, tally = texts()
    clean = made.clean(LETTER, None)
    assert "[DATE 2026]" in clean
    assert "[ZIP 606**]" in clean
    assert "[AGE 90+]" in clean
    counts = {one["letter"]: one for one in tally.checklist(0)["identifiers"]}
    assert counts["A"]["replaced"] >= 1
    assert counts["H"]["replaced"] >= 1
    assert counts["C"]["generalised"] >= 2


def test_a_small_area_has_no_digits_of_its_own() -> None:
    made, _tally = texts()
    assert "036" in SMALL_AREAS
    assert "[ZIP 000**]" in made.clean("He lives in Lebanon, NH 03601.", None)
    house = made.clean("She lives at 12345 Main Street, Chicago, IL 60611.", None)
    assert ("123" in house, "[ZIP 606**]" in house) == (False, True)
    assert "123" not in made.clean("She lives at 12345 Main Street.", None)


def test_a_year_that_tells_an_age_over_89_goes_too() -> None:
    made, _tally = texts()
    for text in ("Born in 1931, he smokes.", "DOB 03/04/1931, he smokes."):
        assert "1931" not in made.clean(text, None)
    assert "1960" in made.clean("Born in 1960, he smokes.", None)


class Stubborn(PhiDetector):
    """Finds a name at the end of whatever there is."""

    def __init__(self) -> None:
        pass

    def detect(self, text: str, **_known: object) -> list[PhiSpan]:
        return [PhiSpan(len(text) - 1, len(text), PhiType.NAME, 0.9)]


def test_where_something_still_reads_as_an_identifier_nothing_is_given() -> None:
    with pytest.raises(IdentifiersRemainError) as caught:
        Texts(Stubborn(), Tally(), 2026).clean("a text", None)
    assert caught.value.letters == "A"


@pytest.mark.parametrize(
    "word", ["sub_" + "a2" * 13, "Mr. Smith", "ann@example.org", "10.1.2.3", "naïve", "x" * 73]
)
def test_a_word_that_is_no_machines_name_is_withheld(word: str) -> None:
    assert Words(load_detector()).kept(word, Tally()) == WITHHELD


def test_the_day_in_a_models_name_becomes_its_year() -> None:
    tally = Tally()
    assert Words(load_detector()).kept("gpt-4o-2024-08-06", tally) == "gpt-4o-2024"
    assert tally.checklist(0)["identifiers"][2]["generalised"] == 1


def test_a_pseudonym_says_nothing_of_what_it_stands_for() -> None:
    one, other = Pseudonyms(b"s" * 32), Pseudonyms(b"s" * 32)
    assert one.of("subject", "sub_a") == other.of("subject", "sub_b"), "the name goes into the draw"
    assert one.of("subject", "sub_a") == one.of("subject", "sub_a")
    assert one.of("subject", "sub_b") != one.of("subject", "sub_a")
    assert Pseudonyms(b"t" * 32).of("subject", "sub_a") != other.of("subject", "sub_b")


async def test_the_seed_leaves_in_no_bundle_and_stops_no_later_document(ward: Ward, tmp_path: Path) -> None:
    """Who holds a bundle with all content, and the document, does not come to its pseudonyms."""
    await signed_release(ward)
    await document(ward, tmp_path)
    await signed_release(ward)
    made = await document(ward, tmp_path, include_payloads=True)
    assert verified(ward, made).verdict == "passed"
    assert [one["text"] for one in lines(made, TEXTS)].count("A safe text") == 2
    entries = await ward.gate.ledger.list_entries(TENANT, 0, 1_000)
    sealed = [item for entry in entries for item in entry.commitments if item.kind == SEED_KIND]
    assert len(sealed) == 2
    bundle, _steps = await export(ward, tmp_path, order(include_payloads=True))
    told = lines(bundle, PAYLOADS)
    assert {"request", "output_final"} <= {one["kind"] for one in told}
    for item in sealed:
        assert item.record not in {one["record"] for one in told}
        seed = await ward.gate.ledger.open_payload(TENANT, item.record)
        assert base64.b64encode(seed) not in bundle.read_bytes()
    assert verify(ward, bundle).verdict == "passed"


async def test_a_text_of_a_patient_who_is_not_known_is_left_out(ward: Ward, tmp_path: Path) -> None:
    first = await held(ward)
    ward.gate.clock.advance(hours=1)
    middle = ward.gate.clock.moment
    ticket = ticket_of(first)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    prepared = await ward.desk.prepare(
        ward.rivera.permit, ticket, lease, "Edited for nobody that is known", ward.rivera.key_id
    )
    await sign(ward, ticket, lease, ward.rivera, prepared)
    await ward.gate.pipeline.infer(CALLER, infer_call(), key("later"))
    made = await document(ward, tmp_path, include_payloads=True, from_time=middle)
    assert verified(ward, made).verdict == "passed"
    begun = {one["stream"] for one in lines(made, RECORDS) if one["type"] == "inference.requested"}
    of = [lines(made, RECORDS)[one["record"]]["stream"] for one in lines(made, TEXTS)]
    assert of
    assert set(of) <= begun
    assert b"Edited for nobody" not in inside(made, TEXTS)


def test_no_distance_in_time_runs_over_a_new_year() -> None:
    log = LogBuilder()
    log.clock = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    entries = [log.append("system.started", "system"), log.append("inference.requested", "inf_1")]
    log.clock += timedelta(hours=1)
    entries += [log.append("system.stopped", "system"), log.append("inference.released", "inf_1")]
    made = Records(Pseudonyms(b"s" * 32), Words(load_detector()), Tally())
    records = [json.loads(made.line(entry)) for entry in entries]
    assert [one["year"] for one in records] == [2026, 2026, 2027, 2026]
    assert [one["elapsed_us"] for one in records] == [0, 0, 0, 3_602_000_000]


@pytest.mark.parametrize("text", ["Seen in [JUNE 2024] again.", "Number [MRN_447188] of the chart."])
def test_what_only_looks_like_a_placeholder_is_read(text: str) -> None:
    made, _tally = texts()
    clean = made.clean(text, None)
    assert "JUNE" not in clean
    assert "447188" not in clean


def test_what_stands_for_an_identifier_is_none() -> None:
    for kind in KIND_OF.values():
        for told in (f"[{kind}]", f"[{kind}_1]"):
            assert without_placeholders(told) == "[" + "_" * (len(told) - 2) + "]"


def test_only_a_zip_code_leaves_three_digits() -> None:
    made, _tally = texts()
    assert "[ZIP 606**]" in made.clean("He lives in Chicago, IL 60614.", None)
    for text in ("He lives at 12345 Elm Street.", "Found at 42.36011, -71.05892 by the crew."):
        assert "**]" not in made.clean(text, None)
