"""What programs that know nothing of us say of sealed reports: the good ones and the tampered ones alike.

`make test-reports`: poppler's pdfsig, OpenSSL's cms and ts, qpdf. Each is asked for what it looks at.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from attending.ledger.verify.pdf import cms, der
from attending.ledger.verify.pdf.document import Document
from attending.ledger.verify.report import Status

from tests.ledger.verify.conftest import LogBuilder
from tests.server.reports.authorities import NOW, Office, StampAuthority, authority, sealing, stamping
from tests.server.reports.sealing import day, failed, forged, sealed, unsealed, verified

pytestmark = pytest.mark.reports
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def log() -> LogBuilder:
    return day()


@pytest.fixture(scope="module")
def report(log: LogBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unsealed(log, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office.make(tmp_path_factory.mktemp("seal") / "office")


@pytest.fixture(scope="module")
def good(report: Path, office: Office, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "report.pdf"
    sealed(office, report, path)
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    assert shutil.which(str(command[0])), (
        f"{command[0]} is not installed; next: scripts/debian-packages.sh reports"
    )
    return subprocess.run(
        [str(item) for item in command], capture_output=True, text=True, check=False, timeout=60
    )


def pdfsig_accepts(path: Path) -> bool:
    """One signature, over the whole document, that verifies."""
    said = run("pdfsig", "-nocert", path).stdout
    return (
        said.count("Signature Validation: Signature is Valid.") == 1
        and said.count("Signature Validation:") == 1
        and "Total document signed" in said
        and "Not total document signed" not in said
    )


def qpdf_accepts(path: Path) -> bool:
    return run("qpdf", "--check", path).returncode == 0


def openssl_accepts(path: Path, office: Office, folder: Path) -> bool:
    """`openssl cms` over the bytes that the byte range names, at the time of the stamp."""
    data = path.read_bytes()
    ranges = re.findall(rb"/ByteRange \[([0-9 ]+)\]", data)[-1].split()
    start, first, last, rest = map(int, ranges)
    content, signature, root = folder / "content", folder / "signature", folder / "root.pem"
    content.write_bytes(data[start : start + first] + data[last : last + rest])
    signature.write_bytes(der.leading(bytes.fromhex(data[first + 1 : last - 1].decode()))[0].encoded)
    root.write_bytes(office.root.pem)
    done = run(
        *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", signature, "-content", content),
        *("-CAfile", root, "-purpose", "any", "-attime", str(int(NOW.timestamp())), "-out", folder / "out"),
    )
    return done.returncode == 0


def openssl_accepts_stamp(path: Path, office: Office, folder: Path) -> bool:
    """`openssl ts` over the signature, which is what is stamped."""
    with Document(path) as document:
        form = document.dictionary(document.root["AcroForm"])
        value = document.dictionary(document.dictionary(document.array(form["Fields"])[0])["V"])
        signed = cms.parse(der.leading(value["Contents"])[0].encoded, cms.DATA)
    token, stamped, root = folder / "token", folder / "stamped", folder / "stamps.pem"
    token.write_bytes(signed.unsigned[cms.SIGNATURE_TIME_STAMP][0].encoded)
    stamped.write_bytes(signed.signature)
    root.write_bytes(office.stamp_root.pem)
    done = run(
        *("openssl", "ts", "-verify", "-token_in", "-in", token, "-data", stamped, "-CAfile", root),
        *("-attime", str(int(NOW.timestamp()))),
    )
    return done.returncode == 0


def test_all_accept_the_good_one(log: LogBuilder, office: Office, good: Path, tmp_path: Path) -> None:
    assert verified(log, good, office.anchors).verdict is Status.PASSED
    assert pdfsig_accepts(good)
    assert qpdf_accepts(good)
    assert openssl_accepts(good, office, tmp_path)
    assert openssl_accepts_stamp(good, office, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"/Type/Pages", b"/Type/Pagez", 1),
        lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:],
        lambda data: data[:-300] + bytes([data[-300] ^ 1]) + data[-299:],
    ],
    ids=["name", "front", "end"],
)
def test_all_refuse_what_was_changed(
    log: LogBuilder, office: Office, good: Path, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(change(good.read_bytes()))
    assert path.read_bytes() != good.read_bytes()
    assert failed(verified(log, path, office.anchors)) == {"V2"}
    assert not pdfsig_accepts(path)
    assert not openssl_accepts(path, office, tmp_path)


def test_all_see_that_something_was_appended(
    log: LogBuilder, office: Office, good: Path, tmp_path: Path
) -> None:
    data = good.read_bytes()
    path = tmp_path / "bad.pdf"
    path.write_bytes(data + b"\n1 0 obj\n<<>>\nendobj\n" + data[data.rfind(b"startxref") :])
    assert failed(verified(log, path, office.anchors)) == {"V2"}
    assert not pdfsig_accepts(path)


def test_a_broken_file_is_broken_to_all(log: LogBuilder, office: Office, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(good.read_bytes()[:-1000])
    assert failed(verified(log, path, office.anchors)) == {"V2"}
    assert not qpdf_accepts(path)
    assert not pdfsig_accepts(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda o: replace(o, seal=sealing(authority("Seal root"))),
        lambda o: replace(o, seal=sealing(o.root, ends=NOW - DAY)),
        lambda o: replace(o, seal=sealing(o.root, begins=NOW + DAY)),
    ],
    ids=["other key", "expired", "early"],
)
def test_openssl_refuses_the_seals_that_v3_refuses(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, change: Callable[[Office], Office]
) -> None:
    path = forged(replace(change(office), folder=tmp_path / "office"), report, tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == {"V3"}
    assert not openssl_accepts(path, office, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda o: replace(o, stamps=StampAuthority(stamping(authority("Stamp root")))),
        lambda o: replace(o, stamps=replace(o.stamps, imprint=lambda digest: bytes(len(digest)))),
        lambda o: replace(o, stamps=StampAuthority(stamping(o.stamp_root, critical=False))),
    ],
    ids=["rogue", "something else", "not critical"],
)
def test_openssl_refuses_the_stamps_that_v4_refuses(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, change: Callable[[Office], Office]
) -> None:
    path = forged(replace(change(office), folder=tmp_path / "office"), report, tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == {"V4"}
    assert not openssl_accepts_stamp(path, office, tmp_path)


def test_a_stamp_of_openssl_is_accepted(log: LogBuilder, report: Path, tmp_path: Path) -> None:
    """The other way round: `openssl ts -reply` answers, with its own encoder and the machine's clock."""
    stamp_root = authority("Stamp root", years=70)
    held = stamping(stamp_root, begins=NOW - 20_000 * DAY, ends=NOW + 20_000 * DAY)
    root = authority("Seal root", years=70)
    seal = sealing(root, begins=NOW - 20_000 * DAY, ends=NOW + 20_000 * DAY)
    (tmp_path / "key.pem").write_bytes(held.key_pem)
    (tmp_path / "held.pem").write_bytes(held.pem)
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "ts.cnf").write_text(
        f"[tsa]\ndefault_tsa=one\n[one]\nserial={tmp_path}/serial\ncrypto_device=builtin\n"
        f"signer_cert={tmp_path}/held.pem\nsigner_key={tmp_path}/key.pem\nsigner_digest=sha256\n"
        "default_policy=1.2.3.4.1\ndigests=sha256,sha384\ness_cert_id_alg=sha256\n"
    )

    class OpenSsl(StampAuthority):
        def answer(self, request: bytes) -> tuple[int, bytes]:
            (tmp_path / "query").write_bytes(request)
            command = ("openssl", "ts", "-reply", "-config", tmp_path / "ts.cnf", "-section", "one")
            done = run(*command, "-queryfile", tmp_path / "query", "-out", tmp_path / "reply")
            assert done.returncode == 0, done.stderr
            return 200, (tmp_path / "reply").read_bytes()

    own = Office(tmp_path / "office", root, seal, stamp_root, OpenSsl(held))
    path = forged(own, report, tmp_path / "sealed.pdf")
    assert verified(log, path, own.anchors).verdict is Status.PASSED
