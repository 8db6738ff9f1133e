"""Sealing: what is given out verifies, keeps its PDF/A form, and is not there at all when anything went wrong."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from attending.ledger.verify.report import Status
from attending.server.errors import ConfigurationError, FailedPrecondition, Unavailable
from attending.server.reports.seal import build_sealer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.ledger.verify.conftest import LogBuilder
from tests.server.reports.authorities import (
    NOW,
    Office,
    StampAuthority,
    authority,
    revocations,
    sealing,
    stamping,
)
from tests.server.reports.sealing import day, edited, open_checks, sealed, unsealed, verified


@pytest.fixture(scope="module")
def log() -> LogBuilder:
    return day()


@pytest.fixture(scope="module")
def report(log: LogBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unsealed(log, tmp_path_factory.mktemp("report"))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office.make(tmp_path / "office")


def test_a_sealed_report_verifies(log: LogBuilder, report: Path, office: Office, tmp_path: Path) -> None:
    target = tmp_path / "sealed.pdf"
    seal = sealed(office, report, target)
    assert (seal.time, seal.level, seal.size_bytes) == (NOW, "B-T", target.stat().st_size)
    found = verified(log, target, office.anchors)
    assert found.verdict is Status.PASSED, found.failures
    assert [item.name for item in tmp_path.iterdir() if item.suffix == ".part"] == []
    assert target.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "rsa"],
)
def test_every_kind_of_key_seals(
    log: LogBuilder,
    report: Path,
    office: Office,
    tmp_path: Path,
    make: Callable[[], ec.EllipticCurvePrivateKey],
) -> None:
    office = replace(office, seal=sealing(office.root, key=make()))
    sealed(office, report, tmp_path / "sealed.pdf")
    assert verified(log, tmp_path / "sealed.pdf", office.anchors).verdict is Status.PASSED


def test_lists_of_the_authorities_make_it_last(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path
) -> None:
    """B-LT: that nothing was revoked is in the file, under the seal, and the verifier needs no list of its own."""
    middle = authority("Seal authority", office.root, path_length=0)
    stamp_root = authority("Stamp root")
    office = replace(
        office,
        seal=sealing(middle),
        chain=(middle,),
        lists=(revocations(office.root), revocations(middle), revocations(stamp_root)),
        stamp_root=stamp_root,
        stamps=StampAuthority(stamping(stamp_root)),
    )
    target = tmp_path / "sealed.pdf"
    assert sealed(office, report, target).level == "B-LT"
    found = verified(log, target, office.anchors)
    assert found.verdict is Status.PASSED
    assert not [
        item for item in found.results if item.check in ("V2", "V3", "V4") and item.status != "passed"
    ]


def conforms(path: Path) -> set[str]:
    """Rules of PDF/A-3a (ISO 19005-3) and PDF/UA-1 that a seal could break; the names of those that it breaks."""
    broken = set()

    def rule(name: str, holds: bool) -> None:
        if not holds:
            broken.add(name)

    with pikepdf.open(path) as pdf:
        root = pdf.Root
        metadata = root.Metadata.read_bytes()
        with pdf.open_metadata(update_docinfo=False) as xmp:
            rule("pdfa", xmp.pdfa_status == "3A")
            rule("pdfua", xmp.get("pdfuaid:part") == "1" or b"pdfuaid:part" in metadata)
            rule("title", str(xmp.get("dc:title", "")) == str(pdf.docinfo.get("/Title", "")))
        rule("metadata", "/Filter" not in root.Metadata)
        rule("encryption", not pdf.is_encrypted)
        rule("identifier", "/ID" in pdf.trailer and len(pdf.trailer.ID) == 2)
        rule("intent", any(item.S == "/GTS_PDFA1" for item in root.OutputIntents))
        rule("marked", bool(root.MarkInfo.Marked) and "/StructTreeRoot" in root and "/Lang" in root)
        rule(
            "actions",
            "/OpenAction" not in root and "/AA" not in root and "/JavaScript" not in root.get("/Names", {}),
        )
        form = root.get("/AcroForm", pikepdf.Dictionary())
        rule("form", "/NeedAppearances" not in form and "/XFA" not in form)
        rule("associated", all("/AFRelationship" in item for item in root.AF) and len(root.AF) == 3)
        for page in pdf.pages:
            for item in page.get("/Annots", []):
                flags = int(item.get("/F", 0))
                rule("print", bool(flags & 4) and not flags & (1 | 2 | 32))
                left, bottom, right, top = map(float, item.Rect)
                empty = left == right and bottom == top
                rule("appearance", "/AP" in item or empty)
                rule("widget action", "/A" not in item and "/AA" not in item)
                rule("tabs", page.get("/Tabs") == "/S")
        for found in pdf.objects:
            if isinstance(found, pikepdf.Stream):
                filters = found.get("/Filter", pikepdf.Array())
                named = [filters] if isinstance(filters, pikepdf.Name) else list(filters)
                rule("filters", not {"/LZWDecode", "/Crypt"} & {str(item) for item in named})
                rule("external", "/F" not in found)
    return broken


def test_a_seal_keeps_the_form_of_the_file(report: Path, office: Office, tmp_path: Path) -> None:
    assert conforms(report) == set()
    sealed(office, report, tmp_path / "sealed.pdf")
    assert conforms(tmp_path / "sealed.pdf") == set()
    with pikepdf.open(report) as before, pikepdf.open(tmp_path / "sealed.pdf") as after:
        assert before.Root.Metadata.read_bytes() == after.Root.Metadata.read_bytes()
    # Every byte of the pages is where it was: the seal is written behind them.
    assert (tmp_path / "sealed.pdf").read_bytes().startswith(report.read_bytes())


def _metadata(pdf: pikepdf.Pdf) -> None:
    data = pdf.Root.Metadata.read_bytes()
    pdf.Root.Metadata.write(re.sub(rb"<pdfaid:conformance>A", b"<pdfaid:conformance>B", data))


def _flags(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Annots[0].F = 2


def _intent(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.OutputIntents[0]


def _action(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="1")


def _form(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm.NeedAppearances = True


def _tabs(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[0].Tabs


def _marked(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.MarkInfo


def _associated(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.AF[0].AFRelationship


@pytest.mark.parametrize(
    ("mutant", "rule"),
    [
        (_metadata, "pdfa"),
        (_flags, "print"),
        (_intent, "intent"),
        (_action, "actions"),
        (_form, "form"),
        (_tabs, "tabs"),
        (_associated, "associated"),
    ],
)
def test_the_rules_can_be_broken(
    report: Path, office: Office, tmp_path: Path, mutant: Callable[[pikepdf.Pdf], None], rule: str
) -> None:
    sealed(office, report, tmp_path / "sealed.pdf")
    assert conforms(edited(tmp_path / "sealed.pdf", tmp_path / "mutant.pdf", mutant)) == {rule}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spoil": lambda body: (500, body)}, "TSA_HTTP_STATUS"),
        ({"spoil": lambda body: (302, body)}, "TSA_REDIRECTED"),
        ({"spoil": lambda _body: (200, b"\x30\x80nonsense")}, "TSA_MALFORMED"),
        ({"spoil": lambda _body: (200, b"")}, "TSA_MALFORMED"),
        ({"spoil": lambda _body: (200, bytes.fromhex("30053003020102"))}, "TSA_REFUSED"),
        ({"spoil": lambda body: (200, body + b"\0" * (1 << 17))}, "TSA_TOO_LARGE"),
        ({"nonce": lambda nonce: nonce + 1}, "TSA_ANSWER"),
    ],
)
def test_without_a_time_stamp_nothing_is_sealed(
    report: Path, office: Office, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    office = replace(office, stamps=replace(office.stamps, **change))
    with pytest.raises(Unavailable) as caught:
        sealed(office, report, tmp_path / "sealed.pdf")
    assert caught.value.reason == reason
    assert [item.name for item in tmp_path.iterdir()] == ["office"]


def test_an_authority_that_is_away_or_private_seals_nothing(
    report: Path, office: Office, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable) as caught:
        sealed(office, report, tmp_path / "sealed.pdf", timestamp_url="http://127.0.0.1:9/")
    assert caught.value.reason == "TSA_UNREACHABLE"
    with pytest.raises(Unavailable) as caught:
        sealed(office, report, tmp_path / "sealed.pdf", allow_private=False)
    assert caught.value.reason == "TSA_PRIVATE_ADDRESS"
    assert not (tmp_path / "sealed.pdf").exists()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda o: replace(o, seal=sealing(o.root, ends=NOW - timedelta(days=1))), "V3"),
        (lambda o: replace(o, seal=sealing(o.root, begins=NOW + timedelta(days=1))), "V3"),
        (lambda o: replace(o, seal=sealing(authority("Other root"))), "V3"),
        (
            lambda o: replace(o, lists=(revocations(o.root, (o.seal.certificate, NOW - timedelta(days=2))),)),
            "V3",
        ),
        (lambda o: replace(o, stamps=replace(o.stamps, time=NOW - timedelta(days=200))), "V4"),
        (lambda o: replace(o, stamp_root=authority("Other stamp root")), "V4"),
        (
            lambda o: replace(
                o,
                stamps=StampAuthority(
                    stamping(o.stamp_root, purposes=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
                ),
            ),
            "V4",
        ),
        (lambda o: replace(o, stamps=StampAuthority(stamping(o.stamp_root, critical=False))), "V4"),
    ],
    ids=["expired", "early", "root", "revoked", "dated before", "rogue", "purpose", "not critical"],
)
def test_a_seal_that_would_not_verify_is_not_given_out(
    report: Path, office: Office, tmp_path: Path, change: Callable[[Office], Office], check: str
) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        sealed(change(office), report, tmp_path / "sealed.pdf")
    assert (caught.value.reason, caught.value.metadata["check"]) == ("SEAL_NOT_PROVED", check)
    assert [item.name for item in tmp_path.iterdir()] == ["office"]


def test_only_a_report_is_sealed_and_only_once(report: Path, office: Office, tmp_path: Path) -> None:
    sealed(office, report, tmp_path / "sealed.pdf")
    with pytest.raises(FailedPrecondition) as caught:
        sealed(office, tmp_path / "sealed.pdf", tmp_path / "again.pdf")
    assert caught.value.reason == "REPORT_SEALED"
    (tmp_path / "text.pdf").write_text("no PDF")
    with pytest.raises(FailedPrecondition) as caught:
        sealed(office, tmp_path / "text.pdf", tmp_path / "again.pdf")
    assert caught.value.reason == "REPORT_NOT_SEALABLE"


def test_a_disk_that_ends_leaves_no_file(report: Path, office: Office, tmp_path: Path) -> None:
    """A limit on the size of files, which real writes run into half-way."""
    folder = tmp_path / "out"
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (report.stat().st_size // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            sealed(office, report, folder / "sealed.pdf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.iterdir()) == []


def test_what_a_crash_left_is_in_nobody_s_way(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path
) -> None:
    left = tmp_path / "sealed.pdf.left.part"
    left.write_bytes(b"half" * 200_000)
    sealed(office, report, tmp_path / "sealed.pdf")
    assert verified(log, tmp_path / "sealed.pdf", office.anchors).verdict is Status.PASSED
    assert left.stat().st_size == 800_000


def test_keys_that_do_not_fit_are_found_at_the_start(office: Office, tmp_path: Path) -> None:
    office.stamps.url = "http://127.0.0.1:9/"
    section = office.section()
    for change in (
        lambda: section.key_file.chmod(0o644),
        lambda: section.key_file.write_bytes(sealing(office.root).key_pem),
        lambda: section.key_file.write_text("nonsense"),
        lambda: section.certificate_file.write_bytes(stamping(office.root).pem),
        lambda: section.roots_file.write_text(""),
        section.timestamp_roots_file.unlink,
    ):
        office.section()
        change()
        with pytest.raises(ConfigurationError, match=r"reports\.seal"):
            build_sealer(section)
        office.section()


CONFIGURATION = """
[server]
tls_certificate = "s.pem"
tls_key = "s.key"
[storage]
folder = "ledger"
[[tenants]]
name = "a"
"""


def test_the_command_seals(log: LogBuilder, report: Path, office: Office, tmp_path: Path) -> None:
    config, target = tmp_path / "attending.toml", tmp_path / "sealed.pdf"

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        code = "from attending.server.cli.main import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "seal",
            str(report),
            str(target),
            "--config",
            str(config),
            *more,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    with office.stamps.listening():
        values = office.section().model_dump(exclude={"revocation_lists", "timestamp_ca_file"}, mode="json")
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        config.write_text("\n".join((CONFIGURATION, "[reports.seal]", *lines)))
        done = run("--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["level"] == "B-T"
        assert verified(log, target, office.anchors).verdict is Status.PASSED
        assert run().returncode == 4  # never replaced
        target.unlink()
        office.stamps.spoil = lambda body: (503, body)
        done = run()
        assert done.returncode == 1
        assert "TSA_HTTP_STATUS" in done.stderr
    assert not target.exists()
    config.write_text(CONFIGURATION)
    assert run().returncode == 4


def test_without_anchors_nothing_is_proved(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path
) -> None:
    sealed(office, report, tmp_path / "sealed.pdf")
    empty = replace(office.anchors, seal_roots=(), stamp_roots=())
    found = verified(log, tmp_path / "sealed.pdf", empty)
    assert (found.verdict, open_checks(found)) == (Status.INDETERMINATE, {"V3", "V4"})
    found = verified(log, tmp_path / "sealed.pdf", replace(office.anchors, stamp_roots=()))
    assert open_checks(found) == {"V3", "V4"}
    found = verified(log, tmp_path / "sealed.pdf", replace(office.anchors, seal_roots=()))
    assert open_checks(found) == {"V3"}
