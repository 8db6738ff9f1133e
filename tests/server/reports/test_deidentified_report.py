"""The pages of a de-identified document: what the verifier proves of them, and what they never carry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.verify.__main__ import main as verify_command
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.deidentified import RECORDS
from attending.ledger.verify.identifiers import LETTERS
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.report import Report, Status
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.reports.deidentified.report import DEIDENTIFIABLE, make_report
from attending.server.reports.particulars import Kind
from cryptography.hazmat.primitives.serialization import Encoding

from tests.ledger.verify.conftest import LogBuilder
from tests.ledger.verify.test_deidentified import files_of, record, written
from tests.server.reports.authorities import Office
from tests.server.reports.sealing import attachment, edited, failed, forged, open_checks, sealed, unsealed
from tests.server.reports.test_pdf import require_inside, text_of

RAILS = [{"name": "clinical checks", "status": "flagged", "version": "1"}]


@pytest.fixture(scope="module")
def log() -> LogBuilder:
    made = LogBuilder()
    made.ordinary_day()
    return made


@pytest.fixture(scope="module")
def document(log: LogBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [
        record(0, policy="letters", model="gpt-4o-2024", rails=RAILS),
        record(
            1, "inference.generated", findings={"count": 1, "by_code": {"dose_high": 1}, "by_severity": {}}
        ),
        record(2, "inference.held"),
        record(3, "review.disposed", code="dose_high", disposition="fixed"),
    ]
    path = tmp_path_factory.mktemp("document") / "november.deidentified"
    return written(path, log, files_of(log, records), entries=len(records))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office.make(tmp_path_factory.mktemp("seal") / "office")


def pages(log: LogBuilder, document: Path, folder: Path, kind: Kind = Kind.REGULATOR) -> Path:
    work = folder / f"work-{kind}"
    work.mkdir()
    path = folder / f"{kind}.pdf"
    path.write_bytes(make_report(document, log.anchors().keys[0], kind, work))
    return path


@pytest.fixture(scope="module")
def report(log: LogBuilder, document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pages(log, document, tmp_path_factory.mktemp("pages"))


def verified(log: LogBuilder, path: Path, seal: SealAnchors, **more: Any) -> Report:
    return verify_report(path, log.anchors(**more), seal)


@pytest.mark.parametrize("kind", DEIDENTIFIABLE)
def test_sealed_pages_verify_with_the_document_that_they_carry(
    log: LogBuilder, document: Path, office: Office, tmp_path: Path, kind: Kind
) -> None:
    made = pages(log, document, tmp_path, kind)
    require_inside(made)
    sealed(office, made, tmp_path / "sealed.pdf")
    found = verified(log, tmp_path / "sealed.pdf", office.anchors)
    assert (failed(found), open_checks(found)) == (set(), set())
    assert found.verdict is Status.PASSED
    assert {one.check for one in found.results} >= {"V1", "V2", "V3", "V4", "V8", "V10", "V20", "V21"}
    assert all(one.check in found.sentences for one in found.results)
    with pikepdf.open(made) as pdf:
        attached = {name: item.get_file().read_bytes() for name, item in pdf.attachments.items()}
    assert attached["document.attending"] == document.read_bytes()
    assert "bundle.attending" not in attached
    assert ("rows.jsonl" in attached) == (kind is Kind.GUARDRAILS)


def test_the_pages_have_the_checklist_and_no_day(report: Path) -> None:
    text = " ".join(text_of(report).split())
    for letter, identifier in LETTERS.items():
        assert f"{letter} {identifier}"[:30] in text, letter
    assert "No person has signed these pages off" in text
    with pikepdf.open(report) as pdf:
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20260101")


def test_the_same_document_gives_the_same_pages(
    log: LogBuilder, document: Path, report: Path, tmp_path: Path
) -> None:
    assert pages(log, document, tmp_path).read_bytes() == report.read_bytes()


def _other_figures(pdf: pikepdf.Pdf) -> None:
    stream = attachment(pdf, "statistics.json")
    said = json.loads(stream.read_bytes())
    said["inferences"]["requested"] += 1
    stream.write(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())


def _other_hash(pdf: pikepdf.Pdf) -> None:
    words = str(pdf.docinfo["/Keywords"])
    pdf.docinfo["/Keywords"] = words.replace("bundle-sha256=", "bundle-sha256=0")


def _bundle_too(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["bundle.attending"] = pikepdf.AttachedFileSpec(pdf, b"PK", filename="bundle.attending")


def _no_document(pdf: pikepdf.Pdf) -> None:
    attachment(pdf, "document.attending").write(b"PK\x03\x04 no document")


def _other_rows(pdf: pikepdf.Pdf) -> None:
    stream = attachment(pdf, "rows.jsonl")
    stream.write(stream.read_bytes().replace(b'"dose_high",1', b'"dose_high",7'))


@pytest.mark.parametrize(
    ("change", "kind", "check"),
    [
        (_other_figures, Kind.REGULATOR, "V20"),
        (_other_hash, Kind.REGULATOR, "V10"),
        (_bundle_too, Kind.REGULATOR, "V10"),
        (_no_document, Kind.REGULATOR, "V10"),
        (_other_rows, Kind.GUARDRAILS, "V20"),
    ],
)
def test_pages_that_lie_fail_at_their_check_though_they_are_sealed(
    log: LogBuilder,
    document: Path,
    office: Office,
    tmp_path: Path,
    change: Callable[[pikepdf.Pdf], None],
    kind: Kind,
    check: str,
) -> None:
    lying = edited(pages(log, document, tmp_path, kind), tmp_path / "lying.pdf", change)
    found = verified(log, forged(office, lying, tmp_path / "forged.pdf"), office.anchors)
    assert failed(found) == {check}


@pytest.mark.parametrize("asked", ["require_time", "require_freshness", "require_complete"])
def test_what_needs_entries_is_open(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, asked: str
) -> None:
    sealed(office, report, tmp_path / "sealed.pdf")
    found = verified(log, tmp_path / "sealed.pdf", office.anchors, **{asked: True})
    assert found.verdict is Status.INDETERMINATE
    assert "V10" in open_checks(found)
    without = verify_report(tmp_path / "sealed.pdf", Anchors(), office.anchors)
    assert without.verdict is Status.INDETERMINATE


def test_the_command_says_so_where_no_entry_is_proved(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sealed.pdf"
    sealed(office, report, path)
    roots = []
    for option, found in (
        ("--seal-root", office.anchors.seal_roots),
        ("--tsa-root", office.anchors.stamp_roots),
    ):
        for number, one in enumerate(found):
            (root := tmp_path / f"{option}{number}.pem").write_bytes(one.public_bytes(Encoding.PEM))
            roots += [option, str(root)]
    arguments = [str(path), "--key", str(log.anchors().keys[0]), *roots]
    assert verify_command([*arguments, "--deidentified"]) == 0
    assert "no entry of the log is proved" in capsys.readouterr().out
    assert verify_command(arguments) == 3
    ordinary = unsealed(log, tmp_path / "ordinary")
    sealed(office, ordinary, tmp_path / "ordinary.pdf")
    assert verify_command([str(tmp_path / "ordinary.pdf"), *arguments[1:], "--deidentified"]) == 4


def test_a_document_that_does_not_pass_has_no_pages(log: LogBuilder, tmp_path: Path) -> None:
    records = [record(0, policy="letters", model="John Smith 555-123-4567")]
    path = written(tmp_path / "bad.deidentified", log, files_of(log, records), entries=1)
    with pytest.raises(VerificationError) as refused:
        pages(log, path, tmp_path)
    assert refused.value.reason == "DOCUMENT_NOT_VERIFIED"
    assert "555" not in refused.value.detail
    other = LogBuilder(seed=5)
    good = written(tmp_path / "good.deidentified", log, files_of(log, [record(0)]), entries=1)
    (tmp_path / "again").mkdir()
    with pytest.raises(VerificationError):
        pages(other, good, tmp_path / "again")


def test_the_command_makes_them_and_refuses_other_kinds(
    log: LogBuilder, document: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, key = tmp_path / "out.pdf", str(log.anchors().keys[0])
    arguments = ["report", "deidentified", str(document), "--key", key, "--out", str(out)]
    assert run([*arguments, "--kind", "dossier"]) == Exit.USAGE
    assert "REPORT_KIND_NOT_DEIDENTIFIED" in capsys.readouterr().err
    assert run(["report", "deidentified", str(document), "--key", "x", "--out", str(out)]) == Exit.USAGE
    assert not out.exists()
    assert run(arguments) == Exit.OK
    assert out.read_bytes()[:5] == b"%PDF-"
    assert run(arguments) == Exit.USAGE
    bundle = log.full(tmp_path / "b.attending", figures=True)
    assert (
        run(["report", "deidentified", str(bundle), "--key", key, "--out", str(tmp_path / "x.pdf")])
        == Exit.FAILED
    )
    assert not (tmp_path / "x.pdf").exists()
    assert RECORDS not in capsys.readouterr().out
