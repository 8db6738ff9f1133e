"""The pages of a report: what is printed is what was counted, nothing from outside is markup, nothing is cut off."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from attending.ledger.report_signature import MEANING
from attending.ledger.usage import COUNTS
from attending.ledger.verify.registers import Asked
from attending.ledger.verify.statistics import figure_lines, statistics_of
from attending.server.reports import printed
from attending.server.reports import source as source_module
from attending.server.reports.annexes import leaf_command
from attending.server.reports.blocks import Column, folded, pairs, table
from attending.server.reports.particulars import Compared, Kind, Particulars, SignedOff
from attending.server.reports.pdf import TEMPLATE, draw_pages, make_pdf
from attending.server.reports.printed import plain
from attending.server.reports.source import read_source
from attending.server.reports.typeset import typeset

from tests.ledger.verify.conftest import LogBuilder
from tests.ledger.verify.test_statistics import busy, entries_of

MARGIN_POINTS = 56
"""20 mm, rounded down."""
FRAME_POINTS = 8
"""Between the frame around a signature and what stands in it."""
HOSTILE = (
    '#eval("1") $x$ *b* _i_ `c` <l> @r \\u{41} // /* = heading',
    "\u202egnp.exe \u0627\u0644\u0639 \u4e2d\u6587 \U0001f4a3 \u0000 \ufeff",
    "W" * 250,
    "<script>alert(1)</script> https://" + "a" * 120,
)


@pytest.fixture
def log() -> LogBuilder:
    made = LogBuilder()
    made.ordinary_day()
    return busy(made)


def about(
    log: LogBuilder,
    kind: Kind = Kind.REGULATOR,
    asked: Asked = Asked(until="2027-01-01T00:00:00.000000Z"),
    **more: Any,
) -> Particulars:
    return Particulars(
        report_id="rpt_" + "0" * 32,
        kind=kind,
        origin=log.origin,
        purpose="regulator_request",
        requested_by="human:ada",
        requested_at="2026-11-28T10:00:00.000000Z",
        scope=(("Period", "the whole log"),),
        verifier_key=str(log.vkey),
        asked=asked,
        **more,
    )


def made(
    log: LogBuilder, tmp_path: Path, kind: Kind = Kind.REGULATOR, inference: str | None = None, **more: Any
) -> Path:
    bundle = log.full(tmp_path / "b.attending", figures=True)
    work = tmp_path / "work"
    work.mkdir()
    path = tmp_path / "report.pdf"
    path.write_bytes(make_pdf(bundle, about(log, kind, **more), work, inference=inference))
    return path


def text_of(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document).replace("\r", "")


def require_inside(path: Path) -> None:
    """No character stands outside the margins of its page."""
    with pypdfium2.PdfDocument(path) as document:
        for number, page in enumerate(document):
            width, height = page.get_size()
            text = page.get_textpage()
            for index in range(text.count_chars()):
                left, bottom, right, top = text.get_charbox(index)
                if right > left:
                    said = text.get_text_range(max(0, index - 40), 41)
                    if said[-1:].isspace():  # the one at the end of a line hangs over, and nobody sees it
                        continue
                    assert left >= MARGIN_POINTS - 1, (number, said)
                    assert right <= width - MARGIN_POINTS + 1, (number, said)
                    assert bottom > 0, (number, said)
                    assert top < height, (number, said)


def test_every_figure_is_printed_as_it_was_counted(log: LogBuilder, tmp_path: Path) -> None:
    text = text_of(made(log, tmp_path))
    printed = dict(re.findall(r"^(\S[^\n=]*?) = ([^\n]*)$", text, re.MULTILINE))
    counted = dict(figure_lines(statistics_of(entries_of(log))))
    assert {path: printed.get(path) for path in counted} == counted


def test_the_evidence_is_attached_as_it_is(log: LogBuilder, tmp_path: Path) -> None:
    path = made(log, tmp_path)
    bundle = (tmp_path / "b.attending").read_bytes()
    with pikepdf.open(path) as pdf:
        attached = {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}
        info = str(pdf.docinfo["/Keywords"])
    assert set(attached) == {"bundle.attending", "statistics.json", "register.csv"}
    assert attached["bundle.attending"] == bundle
    with zipfile.ZipFile(tmp_path / "b.attending") as archive:
        assert attached["statistics.json"] == archive.read("statistics.json")
        checkpoint = archive.read("checkpoint").decode().splitlines()
    assert attached["register.csv"].startswith(b"entry,time,exception")
    assert f"attending-size={checkpoint[1]}" in info
    assert f"attending-root={checkpoint[2]}" in info
    text = text_of(path)
    assert hashlib.sha256(bundle).hexdigest() in text
    assert log.root().hex() in text


def test_a_dossier_says_who_signed_what_and_when(log: LogBuilder, tmp_path: Path) -> None:
    text = text_of(made(log, tmp_path, Kind.DOSSIER, "inf_signed"))
    assert "dr-rivera clinician approved with edits 2026-11-01T08:00:17.000000Z" in text
    assert "inf_signed" in text
    assert "output_signed" in text


def test_a_report_without_a_signature_says_that_it_is_a_draft(log: LogBuilder, tmp_path: Path) -> None:
    text = text_of(made(log, tmp_path))
    assert "DRAFT, not signed" in text
    assert "no named person stands for it" in text
    assert "bypass is not evidenced" in text


def compared(**changes: Any) -> Compared:
    values: dict[str, Any] = {
        "entry": 41,
        "provider": "hospital-openai",
        "since": "2026-11-01T00:00:00.000000Z",
        "until": "2026-12-01T00:00:00.000000Z",
        "file_sha256": "ab" * 32,
        "covers": True,
        "counts": {**dict.fromkeys(COUNTS, 0), "records": 12, "matched": 12, "calls": 12},
    }
    return Compared(**{**values, **changes})


def test_pages_claim_of_calls_past_the_gate_what_comparisons_found_and_no_more(
    log: LogBuilder, tmp_path: Path
) -> None:
    def said(name: str, *given: Compared) -> str:
        (tmp_path / name).mkdir()
        return " ".join(text_of(made(log, tmp_path / name, compared=given)).split())

    clean = said("clean", compared())
    assert "beyond the usage exports of hospital-openai: in these no call is past it" in clean
    assert "of accounts and providers that nobody exported, bypass is not evidenced" in clean.lower()
    past = said("past", compared(counts={**compared().counts, "records": 13, "bypassed": 1}))
    assert "1 calls counted by hospital-openai are not in the log" in past
    elsewhere = said("elsewhere", compared(covers=False))
    assert "bypass is not evidenced, since no usage export of a provider that covers the period" in elsewhere
    assert "covers the period: bypass not evidenced" in elsewhere


def test_a_choice_says_that_what_stands_elsewhere_is_not_counted(log: LogBuilder, tmp_path: Path) -> None:
    bundle = log.subset(tmp_path / "b.attending", [0, 2], figures=True)
    (tmp_path / "work").mkdir()
    path = tmp_path / "report.pdf"
    path.write_bytes(make_pdf(bundle, about(log), tmp_path / "work"))
    said = "incidents, halts, disclosures and erasures may be in the log where these pages say none"
    assert said in " ".join(text_of(path).split())


def test_a_bundle_that_is_too_large_is_not_said_to_be_attached(
    log: LogBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "MOST_ATTACHED_BYTES", 1_000)
    path = made(log, tmp_path)
    with pikepdf.open(path) as pdf:
        assert set(pdf.attachments) == {"statistics.json", "register.csv"}
    text = text_of(path).replace("\n", " ")
    assert "The bundle is given beside this file." in text
    assert "bundle attached" not in text


@pytest.mark.parametrize(
    ("egress", "said"),
    [
        (None, "nothing left this server"),
        ({"sent": None}, "Sent to the provider nothing"),
        ({}, "nothing left this server"),
        ({"region": "eu"}, "characters of the prompt: not known; documents: not known"),
        (
            {"sent": {"prompt_characters": 12, "documents": [1], "patient": ["age"]}},
            "characters of the prompt: 12; documents: 1; fields of the patient: 1",
        ),
    ],
)
def test_a_dossier_says_that_was_sent_which_was(
    log: LogBuilder, tmp_path: Path, egress: dict[str, Any] | None, said: str
) -> None:
    log.append("inference.requested", "inf_sent", {"egress": egress})
    text = text_of(made(log, tmp_path, Kind.DOSSIER, "inf_sent")).replace("\n", " ")
    assert said in text
    assert ("characters of the prompt" in text) is said.startswith("characters")


def test_the_signature_shows_name_role_meaning_and_time(log: LogBuilder, tmp_path: Path) -> None:
    signed = SignedOff(
        name="ada",
        role="auditor",
        meaning=MEANING,
        time="2026-11-28T11:00:00.000000Z",
        key_id="ab" * 8,
        algorithm="ed25519",
        signature="c2lnbmF0dXJl" * 7,
        statement='{"v":1}' * 60,
        entry=77,
    )
    path = made(log, tmp_path, signed_off=signed)
    text = text_of(path)
    for shown in ("ada", "auditor", "approved for issue", "2026-11-28T11:00:00.000000Z", "77", "ab" * 8):
        assert shown in text
    assert "DRAFT" not in text
    require_inside(path)
    with pypdfium2.PdfDocument(path) as document:
        [page] = [one for one in document if "Over the statement" in one.get_textpage().get_text_range()]
        signature = page.get_textpage()
        whole, right = signature.get_text_range(), page.get_size()[0] - MARGIN_POINTS - FRAME_POINTS
        framed = range(whole.index("Signed by"), whole.rindex("}"))
        assert max(signature.get_charbox(index)[2] for index in framed) <= right


def test_the_same_bundle_makes_the_same_file(log: LogBuilder, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert made(log, tmp_path / "a").read_bytes() == made(log, tmp_path / "b").read_bytes()


def test_a_tampered_bundle_is_said_to_be_one(log: LogBuilder, tmp_path: Path) -> None:
    bundle = log.full(tmp_path / "b.attending", figures=True)
    changed = log.tamper(
        bundle, "entries.jsonl", lambda data: data.replace(b"PROVIDER_TIMEOUT", b"PROVIDER_TIMEOUX")
    )
    (tmp_path / "work").mkdir()
    path = tmp_path / "r.pdf"
    path.write_bytes(make_pdf(changed, about(log), tmp_path / "work"))
    text = text_of(path)
    assert "The evidence does not verify" in text
    assert re.search(r"V6 failed .* 49\b", text)


@pytest.mark.parametrize("kind", [Kind.REGULATOR, Kind.DOSSIER])
def test_what_comes_from_outside_is_text_and_stays_on_the_page(
    log: LogBuilder, tmp_path: Path, kind: Kind
) -> None:
    for number, words in enumerate(HOSTILE):
        name = f"inf_{number}x"
        actor = "app:" + re.sub(r"[\x00-\x1f]", "", words)[:240]
        body = {
            "policy": words,
            "model": words,
            "prompt_version": words,
            "calling_app": words,
            "public_documents": [words],
            "provider": words,
        }
        log.append("inference.requested", name, body, actor=actor)
        codes = {"c" * 60 + str(number): 3}
        found = {"count": 3, "by_code": codes, "by_severity": codes}
        rails = [{"name": words, "status": words, "version": words}]
        generated = {"model": words, "findings": found, "rails": rails, "decided_by": [words] * 9}
        log.append("inference.generated", name, generated, actor=actor)
        said = {"code": words, "disposition": "false_alarm", "reason_code": words, "severity": words}
        log.append("review.disposed", name, said, actor=actor)
        log.append("inference.failed", name, {"reason": words}, actor=actor)
        activated = {"name": words, "version": words, "policy_hash": words, "mode": words}
        log.append("policy.activated", f"policy:{number}", activated, actor=actor)
        log.append("incident.opened", "s" * 255, {"severity": words, "incident_id": words}, actor=actor)
    inference = f"inf_{len(HOSTILE) - 2}x" if kind is Kind.DOSSIER else None
    path = made(log, tmp_path, kind, inference)
    text = text_of(path)
    require_inside(path)
    assert "\u202e" not in text
    if kind is Kind.REGULATOR:
        assert '#eval("1") $x$ *b* _i_ `c` <l> @r' in text.replace("\n", " ")
        assert "<U+202E>" in text or "\\u202e" in text
    assert draw_pages(tmp_path / "b.attending", about(log, kind), inference=inference, ppi=20)


def test_every_character_that_is_shown_has_a_shape(log: LogBuilder, tmp_path: Path) -> None:
    every = "".join(sorted(printed._SHOWN))
    assert plain(every) == every
    names = tuple((f"n{start}", every[start : start + 60]) for start in range(0, len(every), 60))
    bundle = log.full(tmp_path / "b.attending", figures=True)
    (tmp_path / "w").mkdir()
    # typst refuses to write PDF/A with a character that it has no shape for.
    one = replace(about(log), scope=names, requested_by=every[:200], verifier_key=str(log.vkey))
    assert make_pdf(bundle, one, tmp_path / "w")


@pytest.mark.parametrize("form", ["table", "pairs"])
def test_a_row_stands_on_one_page_and_one_that_fits_on_none_goes_on(tmp_path: Path, form: str) -> None:
    def marked(number: int, words: int) -> str:
        return f"first{number:03} {'words ' * words}last{number:03}"

    numbers, huge = range(120), 900
    if form == "table":
        columns = [Column("Number", 20, 8), Column("What", 0, 40), Column("Hash", 40, 20, mono=True)]
        blocks = [
            table(
                columns,
                [(number, marked(number, 50 + number % 9), "ab" * 90) for number in numbers],
                lines=10,
            ),
            table([Column("What", 20, 9)], [(marked(huge, 900),)], lines=10_000),
        ]
    else:
        blocks = [
            pairs([(f"n{number}", marked(number, 90 + number % 9)) for number in numbers]),
            pairs([("n", marked(huge, 3_000))]),
        ]
    words = ("title", "subtitle", "author", "description", "running", "state", "foot")
    date = {"year": 2026, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
    data = {**dict.fromkeys(words, "x"), "keywords": ["x"], "date": date, "blocks": blocks}
    path = tmp_path / "rows.pdf"
    (tmp_path / "work").mkdir()
    path.write_bytes(typeset(TEMPLATE, data, (), tmp_path / "work"))
    require_inside(path)
    begun: list[set[int]] = []
    ended: list[set[int]] = []
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            text = page.get_textpage().get_text_range()
            for found, mark in ((begun, "first"), (ended, "last")):
                found.append({int(one) for one in re.findall(rf"{mark}([0-9]{{3}})", text)} - {huge})
            assert begun[-1] == ended[-1]
    assert set.union(*begun) == set(numbers)
    assert sum(map(bool, begun)) > 2
    assert f"last{huge}" in text


def test_no_line_is_longer_than_its_cell() -> None:
    assert folded("a" * 25, 10, mono=True) == "aaaaaaaaaa\naaaaaaaaaa\naaaaa"
    assert folded("W" * 6, 10) == "WWWW\nWW"
    assert folded("one two three", 10) == "one two three"


def test_the_trace_can_be_redone_with_standard_tools(log: LogBuilder, tmp_path: Path) -> None:
    path = made(log, tmp_path)
    text = text_of(path)
    [line] = re.findall(r"sed -n '(\d+)p'", text)
    source = read_source(tmp_path / "b.attending", log.vkey, tmp_path / "r.csv", about(log).asked)
    with zipfile.ZipFile(tmp_path / "b.attending") as archive:
        archive.extract("entries.jsonl", tmp_path)
    command = leaf_command(int(line)).replace("unzip -p bundle.attending entries.jsonl", "cat entries.jsonl")
    printed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = printed.stdout.split()[0]
    assert found in text
    assert found in {entry.leaf_hash.hex() for _, entry in source.gathered.trace}


# -- PDF/A-3a and PDF/UA-1: what can be said without veraPDF
# ----------------------------------------------------------------------------------------------


def faults(pdf: Any) -> set[str]:
    """Rules of ISO 19005-3 and ISO 14289-1 that the file breaks, of those looked at here."""
    found = set()
    with pdf.open_metadata() as meta:
        if (meta.get("pdfaid:part"), meta.get("pdfaid:conformance")) != ("3", "A"):
            found.add("says that it is PDF/A-3a")
        if meta.get("pdfuaid:part") != "1":
            found.add("says that it is PDF/UA-1")
        if not meta.get("dc:title"):
            found.add("has a title")
    root: Any = pdf.Root
    if not bool(root.get("/MarkInfo", {}).get("/Marked", False)) or "/StructTreeRoot" not in root:
        found.add("is tagged")
    if "/Lang" not in root:
        found.add("has a language")
    if "/OutputIntents" not in root:
        found.add("has an output intent")
    if "/Encrypt" in pdf.trailer:
        found.add("is not encrypted")
    if "/OpenAction" in root or "/AA" in root or "/JavaScript" in root.get("/Names", {}):
        found.add("runs nothing")
    associated = {str(spec.get("/UF", spec.get("/F"))) for spec in root.get("/AF", [])}
    for name, _spec in pdf.attachments.items():
        if name not in associated:
            found.add("associates its attachments")
    for spec in root.get("/AF", []):
        if "/AFRelationship" not in spec or "/Subtype" not in spec.EF.F:
            found.add("says what an attachment is")
    for item in pdf.objects:
        described = isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/FontDescriptor"
        if described and not {"/FontFile", "/FontFile2", "/FontFile3"} & set(item.keys()):
            found.add("embeds its fonts")
    return found


def _no_font(pdf: pikepdf.Pdf) -> None:
    for item in pdf.objects:
        if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/FontDescriptor":
            for name in ("/FontFile", "/FontFile2", "/FontFile3"):
                if name in item:
                    del item[name]


def _other_part(pdf: pikepdf.Pdf) -> None:
    with pdf.open_metadata() as meta:
        meta["pdfaid:part"] = "2"


def _script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")


def _unmarked(pdf: pikepdf.Pdf) -> None:
    del pdf.Root["/MarkInfo"]


def _unassociated(pdf: pikepdf.Pdf) -> None:
    del pdf.Root["/AF"]


@pytest.mark.parametrize("kind", [Kind.REGULATOR, Kind.DOSSIER])
def test_a_report_is_built_to_pdf_a_3a_and_pdf_ua_1(log: LogBuilder, tmp_path: Path, kind: Kind) -> None:
    with pikepdf.open(made(log, tmp_path, kind, "inf_signed")) as pdf:
        assert faults(pdf) == set()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_no_font, "embeds its fonts"),
        (_other_part, "says that it is PDF/A-3a"),
        (_script, "runs nothing"),
        (_unmarked, "is tagged"),
        (_unassociated, "associates its attachments"),
    ],
)
def test_the_rules_find_a_file_that_breaks_them(
    log: LogBuilder, tmp_path: Path, change: Callable[[pikepdf.Pdf], None], fault: str
) -> None:
    with pikepdf.open(made(log, tmp_path)) as pdf:
        change(pdf)
        assert fault in faults(pdf)


def test_a_page_is_legible_without_colour(log: LogBuilder, tmp_path: Path) -> None:
    path = made(log, tmp_path)
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            image = page.render(scale=0.5).to_pil().convert("RGB")
            assert all(max(pixel) - min(pixel) <= 8 for _n, pixel in image.getcolors(1 << 24) or [])
    assert json.loads((tmp_path / "work" / "data.json").read_text())["state"] == "DRAFT, not signed"
