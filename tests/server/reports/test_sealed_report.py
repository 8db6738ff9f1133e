"""Sealed reports that lie, each found by the check that is there for it and by no other; and files that are hostile."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import rfc3161_client
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.__main__ import main
from attending.ledger.verify.pdf import cms, der
from attending.ledger.verify.pdf.document import MAX_FILE_BYTES, Document
from attending.ledger.verify.pdf.stamp import parse_token
from attending.ledger.verify.pdf.syntax import parse_object
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.registers import Asked
from attending.ledger.verify.report import Status
from attending.ledger.verify.statistics import figure_lines, statistics_of
from attending.server.reports.particulars import Kind
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.ledger.verify.conftest import POLICY_HASH, LogBuilder
from tests.ledger.verify.test_main import BLOCKED, HEAVY
from tests.server.reports.authorities import (
    NOW,
    Office,
    StampAuthority,
    authority,
    revocations,
    sealing,
    stamping,
    with_reason,
)
from tests.server.reports.sealing import (
    attachment,
    day,
    edited,
    failed,
    forged,
    open_checks,
    sealed,
    unsealed,
    verified,
)
from tests.server.reports.test_pdf import made

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


@pytest.mark.parametrize("kind", list(Kind))
def test_a_report_as_it_is_issued_verifies(
    log: LogBuilder, office: Office, tmp_path: Path, kind: Kind
) -> None:
    """Its own pages, not the little ones of the other tests: what is printed is found where it is looked for."""
    path = forged(office, made(log, tmp_path, kind), tmp_path / "sealed.pdf")
    found = verified(log, path, office.anchors)
    assert (found.verdict, found.failures) == (Status.PASSED, ())


# -- whose seal, and when ------------------------------------------------------------------------------------


def _revoked(office: Office, since: Any, reason: x509.ReasonFlags | None = None) -> Office:
    return replace(office, lists=(revocations(office.root, (office.seal.certificate, since), reason=reason),))


def _strange_reason(office: Office) -> Office:
    found = revocations(office.root, (office.seal.certificate, NOW + DAY), reason=x509.ReasonFlags.superseded)
    return replace(office, lists=(with_reason(office.root, found, 7),))


def _of_no_authority(office: Office) -> Office:
    middle = authority("Not an authority", office.root, ca=False)
    return replace(office, seal=sealing(middle), chain=(middle,))


SHA224, SHA256 = hashes.SHA224(), hashes.SHA256()
PRINTABLE = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Seal root", _ASN1Type.PrintableString)])


def _reissued(
    office: Office, issuer: x509.Name | None = None, method: hashes.SHA224 | hashes.SHA256 = SHA256
) -> Office:
    old = office.seal.certificate
    builder = x509.CertificateBuilder(
        *(issuer or old.issuer, old.subject, old.public_key(), x509.random_serial_number()),
        *(old.not_valid_before_utc, old.not_valid_after_utc),
    )
    for item in old.extensions:
        builder = builder.add_extension(item.value, item.critical)
    certificate = builder.sign(office.root.key, method)
    return replace(office, seal=replace(office.seal, certificate=certificate))


BAD_SEALS: dict[str, tuple[Callable[[Office], Office], set[str]]] = {
    "other key": (lambda o: replace(o, seal=sealing(authority("Seal root"))), {"V3"}),
    "expired": (lambda o: replace(o, seal=sealing(o.root, ends=NOW - DAY)), {"V3"}),
    "before validity": (lambda o: replace(o, seal=sealing(o.root, begins=NOW + DAY)), {"V3"}),
    "revoked": (lambda o: _revoked(o, NOW - DAY), {"V3"}),
    "key stolen later": (lambda o: _revoked(o, NOW + DAY, x509.ReasonFlags.key_compromise), {"V3"}),
    "revoked later, for a reason that there is not": (_strange_reason, {"V3"}),
    "rogue authority of stamps": (
        lambda o: replace(o, stamps=StampAuthority(stamping(authority("Stamp root")))),
        {"V4"},
    ),
    "stamp before its certificate": (
        lambda o: replace(o, stamps=StampAuthority(stamping(o.stamp_root), time=NOW - 101 * DAY)),
        {"V4"},
    ),
    "stamp after its certificate": (
        lambda o: replace(o, stamps=StampAuthority(stamping(o.stamp_root, ends=NOW - DAY))),
        {"V4"},
    ),
    "stamp of something else": (
        lambda o: replace(o, stamps=replace(o.stamps, imprint=lambda digest: bytes(len(digest)))),
        {"V4"},
    ),
    "stamp for another purpose too": (
        lambda o: replace(
            o,
            stamps=StampAuthority(
                stamping(
                    o.stamp_root,
                    purposes=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING),
                )
            ),
        ),
        {"V4"},
    ),
    "issued with a hash function that is not taken": (lambda o: _reissued(o, method=SHA224), {"V3"}),
    "issuer's name in another type of string": (lambda o: _reissued(o, PRINTABLE), {"V3"}),
    "issued by a certificate that is no authority": (
        _of_no_authority,
        {"V3"},
    ),
}


@pytest.mark.parametrize("name", BAD_SEALS)
def test_a_bad_seal_fails_at_its_check(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, name: str
) -> None:
    change, checks = BAD_SEALS[name]
    bad = replace(change(office), folder=tmp_path / "office")
    path = forged(bad, report, tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == checks


def test_revoked_after_the_stamp_is_valid_then(
    log: LogBuilder, report: Path, office: Office, good: Path
) -> None:
    after = revocations(office.root, (office.seal.certificate, NOW + DAY))
    assert verified(log, good, replace(office.anchors, lists=(after,))).verdict is Status.PASSED
    before = revocations(office.root, (office.seal.certificate, NOW - DAY))
    assert failed(verified(log, good, replace(office.anchors, lists=(before,)))) == {"V3"}
    # Somebody else's list of the same name says nothing.
    forged_list = revocations(authority("Seal root"), (office.seal.certificate, NOW - DAY))
    assert verified(log, good, replace(office.anchors, lists=(forged_list,))).verdict is Status.PASSED


def test_a_list_of_before_the_stamp_does_not_cover_it(log: LogBuilder, office: Office, good: Path) -> None:
    old = revocations(office.root, ends=NOW - DAY)
    found = verified(log, good, replace(office.anchors, lists=(old,)))
    said = [item.detail for item in found.results if item.check == "V3" and item.advisory]
    assert len(said) == 1
    assert "not proved" in said[0]


def _token(path: Path) -> bytes:
    with Document(path) as document:
        field = document.dictionary(
            document.array(document.dictionary(document.root["AcroForm"])["Fields"])[0]
        )
        contents = document.dictionary(field["V"])["Contents"]
    signed = cms.parse(der.leading(contents)[0].encoded, cms.DATA)
    return signed.unsigned[cms.SIGNATURE_TIME_STAMP][0].encoded


def test_another_verifier_of_stamps_agrees(report: Path, office: Office, good: Path, tmp_path: Path) -> None:
    """`rfc3161-client` takes the good stamp, and refuses those that V4 refuses."""

    def other(path: Path) -> bool:
        token = _token(path)
        stamped = _signature(path)
        response = rfc3161_client.decode_timestamp_response(
            b"\x30\x82" + (len(token) + 5).to_bytes(2, "big") + b"\x30\x03\x02\x01\x00" + token
        )
        verifier = rfc3161_client.VerifierBuilder(roots=[office.stamp_root.certificate]).build()
        try:
            return verifier.verify_message(response, stamped)
        except rfc3161_client.VerificationError:
            return False

    assert other(good)
    for name in ("rogue authority of stamps", "stamp before its certificate", "stamp of something else"):
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        bad = replace(BAD_SEALS[name][0](office), folder=folder / "office")
        assert not other(forged(bad, report, folder / "bad.pdf")), name


def _signature(path: Path) -> bytes:
    with Document(path) as document:
        field = document.dictionary(
            document.array(document.dictionary(document.root["AcroForm"])["Fields"])[0]
        )
        contents = document.dictionary(field["V"])["Contents"]
    return cms.parse(der.leading(contents)[0].encoded, cms.DATA).signature


# -- changed after the seal ----------------------------------------------------------------------------------


def _update(data: bytes) -> bytes:
    """An incremental update that replaces the first page's content by nothing, as PDF writers make them."""
    out = io.BytesIO(data)
    writer = IncrementalPdfFileWriter(out)
    page, _ = writer.find_page_for_modification(0)
    page.get_object()["/Rotate"] = page.get_object()["/Tabs"].__class__("/None")
    writer.write_in_place()
    return out.getvalue()


def _rewritten(data: bytes) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()


def _shifted_range(data: bytes) -> bytes:
    """The hole is made to leave out a part of the signature's own dictionary too."""
    at = data.rfind(b"/ByteRange [")
    end = data.index(b"]", at)
    numbers = list(map(int, data[at + 12 : end].split()))
    numbers[2] += 40
    numbers[3] -= 40
    new = f"/ByteRange [{' '.join(map(str, numbers))}".encode().ljust(end - at)
    return data[:at] + new + data[end:]


AFTERWARDS: dict[str, Callable[[bytes], bytes]] = {
    "updated": _update,
    "written anew": _rewritten,
    "appended to": lambda data: data + b"\n% more\n",
    "appended to as a PDF ends": lambda data: data + data[data.rfind(b"startxref") :],
    "hole widened": _shifted_range,
    "cut off": lambda data: data[:-7],
    "cut in half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "digit of the hole": lambda data: _flip_digit(data, 0),
    "padding of the hole": lambda data: _flip_digit(data, -1),
    "a text": lambda data: b"%PDF-1.7\nnothing at all\n%%EOF\n",
}


def _flip_digit(data: bytes, place: int) -> bytes:
    first = data.rfind(b"/Contents <") + 11
    last = data.index(b">", first)
    at = first + 10 if place == 0 else last - 3
    return data[:at] + (b"7" if data[at : at + 1] != b"7" else b"8") + data[at + 1 :]


@pytest.mark.parametrize("name", AFTERWARDS)
def test_what_is_changed_afterwards_fails_v2(
    log: LogBuilder, office: Office, good: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(AFTERWARDS[name](good.read_bytes()))
    assert failed(verified(log, path, office.anchors)) == {"V2"}


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), in_seal=st.booleans())
def test_any_flipped_bit_is_found(
    log: LogBuilder, office: Office, good: Path, place: float, bit: int, in_seal: bool
) -> None:
    data = bytearray(good.read_bytes())
    hole = range(data.rfind(b"/Contents <"), data.rfind(b"/ByteRange"))
    # Most of the hole is filled up with zeros: what is before them is looked for by itself.
    used = range(hole.start, hole.start + len(data[hole.start : hole.stop].rstrip(b"0> ")))
    at = used[int(place * len(used))] if in_seal else int(place * len(data))
    data[at] ^= 1 << bit
    path = good.with_name("flipped.pdf")
    path.write_bytes(data)
    found = verified(log, path, office.anchors)
    if at not in hole:
        assert failed(found) == {"V2"}
    elif bytes(data[hole.start : hole.stop]).lower() != good.read_bytes()[hole.start : hole.stop].lower():
        # What is in the hole and unsigned is the time stamp and certificates: without them something is open.
        assert found.verdict is not Status.PASSED


# -- sealed again, by whoever holds the key ------------------------------------------------------------------


def test_a_bundle_that_was_swapped_fails_v10(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path
) -> None:
    """Of another log of the same operator: the same figures, another head than the one printed."""
    other = LogBuilder()
    other.clock += timedelta(microseconds=1)
    other.ordinary_day()
    bundle = other.full(tmp_path / "other.attending", figures=True)

    def swap(pdf: pikepdf.Pdf) -> None:
        attachment(pdf, "bundle.attending").write(bundle.read_bytes())

    path = forged(office, edited(report, tmp_path / "swapped.pdf", swap), tmp_path / "bad.pdf")
    assert "V10" in failed(verified(log, path, office.anchors))
    assert failed(verified(log, path, office.anchors)) <= {"V10", "V20"}


def test_a_report_made_again_over_another_history_fails_against_the_pinned_head(
    log: LogBuilder, office: Office, tmp_path: Path
) -> None:
    other = LogBuilder()
    other.append("system.started", "system", {"mode": "other"})
    other.ordinary_day()
    path = forged(office, unsealed(other, tmp_path / "other"), tmp_path / "bad.pdf")
    assert verified(other, path, office.anchors).verdict is Status.PASSED
    assert failed(verified(log, path, office.anchors, pinned=(log.checkpoint(5),))) == {"V9"}


def test_a_figure_edited_on_the_pages_fails_v20(log: LogBuilder, office: Office, tmp_path: Path) -> None:
    def lying(path: str, value: str) -> str:
        return "0" if path.endswith("released_by_policy") and value == "3" else value

    path = forged(office, unsealed(log, tmp_path / "edited", lying), tmp_path / "bad.pdf")
    found = verified(log, path, office.anchors)
    assert failed(found) == {"V20"}
    assert any("released_by_policy" in item.detail for item in found.failures)


@pytest.mark.parametrize("more", ["0", ".5", ",000", "\u00b2"])
def test_a_figure_that_goes_on_fails_v20(log: LogBuilder, office: Office, tmp_path: Path, more: str) -> None:
    last = [path for path, _ in figure_lines(statistics_of(map(parse_entry, log.entries)))][-1]
    pages = unsealed(log, tmp_path / "more", lambda path, value: value + more if path == last else value)
    path = forged(office, pages, tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == {"V20"}


@pytest.mark.parametrize(
    ("what", "lie"),
    [("size", "{}9"), ("origin", "another.example/log"), ("root", "00" * 32), ("digest", "00" * 32)],
)
def test_a_head_printed_otherwise_fails_v10(
    log: LogBuilder, office: Office, tmp_path: Path, what: str, lie: str
) -> None:
    printed: dict[str, Any] = {what: lie.format(len(log.entries))}
    path = forged(office, unsealed(log, tmp_path / "lying", **printed), tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == {"V10"}


@pytest.mark.parametrize("name", ["statistics.json", "register.csv"])
def test_an_attached_table_that_was_edited_fails_v20(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, name: str
) -> None:
    def edit(pdf: pikepdf.Pdf) -> None:
        stream = attachment(pdf, name)
        data = stream.read_bytes()
        changed = data.replace(b'"released_by_policy":3', b'"released_by_policy":4')
        stream.write(changed if changed != data else data + b"999,,late_reply,,,,\r\n")

    path = forged(office, edited(report, tmp_path / "edited.pdf", edit), tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == {"V20"}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("rows.jsonl", b'"output"', b'"change"'),
        ("rows.jsonl", b'"version":"deadbeef"', b'"version":"deadbeee"'),
        ("rows.jsonl", b'"until":"2027', b'"until":"2026-11-01 7'),
        ("rows.jsonl", b"\n", b""),
        ("rows.jsonl", b'"columns":["list",', b'"columns":["list","list",'),
        ("rows.csv", b"in_use,", b"in_force,"),
    ],
)
def test_a_register_that_was_edited_fails_v20(
    log: LogBuilder, office: Office, tmp_path: Path, name: str, before: bytes, after: bytes
) -> None:
    asked = Asked(until="2027-01-01T00:00:00.000000Z", version=POLICY_HASH)

    def edit(pdf: pikepdf.Pdf) -> None:
        stream = attachment(pdf, name)
        data = stream.read_bytes()
        changed = data.replace(before.replace(b"deadbeef", POLICY_HASH.encode()), after)
        assert changed != data
        stream.write(changed)

    pages = made(log, tmp_path, Kind.CHANGE, asked=asked)
    path = forged(office, edited(pages, tmp_path / "edited.pdf", edit), tmp_path / "bad.pdf")
    found = verified(log, path, office.anchors)
    if b"columns" in before:
        assert (failed(found), open_checks(found)) == (set(), {"V20"})
    else:
        assert failed(found) == {"V20"}


def test_a_register_without_its_other_form_fails_v20(log: LogBuilder, office: Office, tmp_path: Path) -> None:
    def without(pdf: pikepdf.Pdf) -> None:
        del pdf.attachments["rows.csv"]

    pages = made(log, tmp_path, Kind.CHANGE)
    path = forged(office, edited(pages, tmp_path / "without.pdf", without), tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == {"V20"}


def test_a_bundle_beside_the_file(log: LogBuilder, report: Path, office: Office, tmp_path: Path) -> None:
    def without(pdf: pikepdf.Pdf) -> None:
        del pdf.attachments["bundle.attending"]

    path = forged(office, edited(report, tmp_path / "without.pdf", without), tmp_path / "sealed.pdf")
    found = verified(log, path, office.anchors)
    assert (found.verdict, open_checks(found)) == (Status.INDETERMINATE, {"V10", "V20"})
    beside = report.with_name("bundle.attending")
    assert verify_report(path, log.anchors(), office.anchors, bundle=beside).verdict is Status.PASSED


# -- hostile files -------------------------------------------------------------------------------------------


def _bomb(pdf: pikepdf.Pdf) -> None:
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    attachment(pdf, "bundle.attending").write(data, filter=pikepdf.Name.FlateDecode)


def _twice(pdf: pikepdf.Pdf) -> None:
    names = pdf.Root.Names.EmbeddedFiles.Names
    names.append(pikepdf.String("statistics.json"))
    names.append(names[1])


def _renamed(pdf: pikepdf.Pdf) -> None:
    names = pdf.Root.Names.EmbeddedFiles.Names
    names[0] = pikepdf.String("../../etc/passwd")
    names[1].F = names[1].UF = pikepdf.String("../../etc/passwd")


def _two_contents(pdf: pikepdf.Pdf) -> None:
    attachment(pdf, "bundle.attending")
    names = pdf.Root.Names.EmbeddedFiles.Names
    names[1].EF.UF = pdf.make_stream(b"another")


def _two_kinds(pdf: pikepdf.Pdf) -> None:
    name = "document.attending"
    content = pikepdf.Dictionary(F=pdf.make_stream(b"PK\x03\x04"))
    names = pdf.Root.Names.EmbeddedFiles.Names
    names.append(pikepdf.String(name))
    names.append(pikepdf.Dictionary(Type=pikepdf.Name.Filespec, F=name, UF=name, EF=content))


def _behind(character: str) -> Callable[[pikepdf.Pdf], None]:
    """A keyword behind a character that is white space in one language and none in another."""

    def change(pdf: pikepdf.Pdf) -> None:
        said = str(pdf.trailer.Info.Keywords).replace("attending-size=", f"{character}attending-size=")
        pdf.trailer.Info.Keywords = pikepdf.String(said)

    return change


def _script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")


def _layers(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OCProperties = pikepdf.Dictionary(OCGs=[], D=pikepdf.Dictionary())


def _by_reference(pdf: pikepdf.Pdf) -> None:
    kind = pdf.make_indirect(pikepdf.Name.Launch)
    pdf.pages[0].Annots = [pikepdf.Dictionary(Subtype=pikepdf.Name.Link, A=pikepdf.Dictionary(S=kind, F="x"))]


def _hiding(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Annots = [pikepdf.Dictionary(A=pikepdf.Dictionary(S=pikepdf.Name.Hide, T="Seal"))]


def _elsewhere(pdf: pikepdf.Pdf) -> None:
    """A page whose content is that of another file (ISO 32000-1, section 8.10.4)."""
    pdf.Root.Other = pdf.make_stream(b"", Ref=pikepdf.Dictionary(F="other.pdf", Page=0))


def _hidden(mode: bytes) -> Callable[[pikepdf.Pdf], None]:
    """The annex's true figures are there as text that is not drawn."""

    def change(pdf: pikepdf.Pdf) -> None:
        for page in pdf.pages:
            data = page.Contents.read_bytes().replace(b"BT 0 Tr", b"BT " + mode + b" Tr")
            page.Contents = pdf.make_stream(data)

    return change


HOSTILE: dict[str, tuple[Callable[[pikepdf.Pdf], None], set[str]]] = {
    "bomb": (_bomb, {"V10"}),
    "two of one name": (_twice, {"V10"}),
    "path as a name": (_renamed, {"V10"}),
    "two contents": (_two_contents, {"V10"}),
    "bundle and de-identified document": (_two_kinds, {"V10"}),
    "keyword behind a separator": (_behind("\x1f"), {"V10"}),
    "keyword behind a mark of byte order": (_behind("\ufeff"), {"V10"}),
    "script": (_script, {"V2"}),
    "layers": (_layers, {"V2"}),
    "action named elsewhere": (_by_reference, {"V2"}),
    "action that hides": (_hiding, {"V2"}),
    "content of another file": (_elsewhere, {"V2"}),
    "text that is not drawn": (_hidden(b"3"), {"V10", "V20"}),
    "text that only clips": (_hidden(b"7"), {"V10", "V20"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_under_a_true_seal(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, name: str
) -> None:
    change, checks = HOSTILE[name]
    path = forged(office, edited(report, tmp_path / "edited.pdf", change), tmp_path / "bad.pdf")
    assert failed(verified(log, path, office.anchors)) == checks


def test_a_kind_that_is_no_name_is_no_action(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path
) -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Other = pikepdf.Array([pikepdf.Dictionary(S=pikepdf.Array()), pikepdf.Dictionary(S={})])

    path = forged(office, edited(report, tmp_path / "edited.pdf", change), tmp_path / "sealed.pdf")
    assert verified(log, path, office.anchors).verdict is Status.PASSED


def _document(body: bytes, trailer: bytes = b"<</Size 3/Root 1 0 R>>") -> bytes:
    data = b"%PDF-1.7\n1 0 obj\n" + body + b"\nendobj\n"
    table = f"xref\n0 2\n0000000000 65535 f \n{9:010} 00000 n \ntrailer\n".encode() + trailer
    return data + table + f"\nstartxref\n{len(data)}\n%%EOF\n".encode()


STRANGE = {
    "nested": _document(b"[" * 200_000),
    "number without end": _document(b"<</Type/Catalog/A " + b"9" * 1_000_000 + b">>"),
    "key twice": _document(b"<</Type/Catalog/Type/Catalog>>"),
    "string without end": _document(b"<</A (" + b"(" * 500_000),
    "encrypted": _document(b"<<>>", b"<</Size 3/Root 1 0 R/Encrypt 1 0 R>>"),
    "table that leads to itself": _document(b"<<>>", b"<</Size 3/Root 1 0 R/Prev 34>>"),
    "table elsewhere": _document(b"<<>>", b"<</Size 3/Root 1 0 R/Prev 999999999>>"),
    "second table": _document(b"<<>>", b"<</Size 3/Root 1 0 R/XRefStm 20>>"),
    "object that is itself": _document(b"1 0 R"),
    "stream of the length of itself": _document(b"<</Length 1 0 R>>\nstream\nabc\nendstream"),
    "table without end": b"%PDF-1.7\nxref\n0 9999999999\nstartxref\n9\n%%EOF\n",
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_files_are_refused(log: LogBuilder, office: Office, tmp_path: Path, name: str) -> None:
    path = tmp_path / "strange.pdf"
    path.write_bytes(STRANGE[name])
    assert failed(verified(log, path, office.anchors)) == {"V2"}


def test_a_file_of_ten_gigabytes_is_refused_unread(log: LogBuilder, office: Office, tmp_path: Path) -> None:
    path = tmp_path / "large.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(10 << 30)
    found = verified(log, path, office.anchors)
    assert failed(found) == {"V2"}
    assert str(MAX_FILE_BYTES) in found.failures[0].detail


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    for read in (lambda: parse_object(data, 0), lambda: der.parse(data), lambda: parse_token(data)):
        with contextlib.suppress(VerificationError):
            read()


# -- the command ---------------------------------------------------------------------------------------------


def _files(log: LogBuilder, office: Office, tmp_path: Path) -> list[str]:
    (tmp_path / "root.pem").write_bytes(office.root.pem)
    (tmp_path / "stamps.pem").write_bytes(office.stamp_root.pem)
    crl = tmp_path / "seal.crl"
    crl.write_bytes(revocations(office.root).public_bytes(Encoding.PEM))
    roots = ["--seal-root", str(tmp_path / "root.pem"), "--tsa-root", str(tmp_path / "stamps.pem")]
    return ["--key", str(log.vkey), *roots, "--crl", str(crl)]


def test_the_command(
    log: LogBuilder, office: Office, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors = _files(log, office, tmp_path)
    assert main([str(good), *anchors]) == 0
    assert "VERIFIED" in capsys.readouterr().out
    assert main([str(good), "--key", str(log.vkey)]) == 3
    assert "see --seal-root" in capsys.readouterr().out
    assert main([str(good), *anchors[2:]]) == 3
    capsys.readouterr()
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(good.read_bytes() + b"\n")
    assert main([str(bad), *anchors, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "failed"
    assert set(found["not_checked"]) == {"V21"}


def test_what_a_file_says_moves_no_terminal(
    log: LogBuilder, report: Path, office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name in a stranger's certificate clears the screen and says that all is well."""
    name = "x\x1b[2J\nVERIFIED: all\u202e"
    stranger = replace(office, seal=sealing(authority("Stranger"), name=name), folder=tmp_path / "office")
    path = forged(stranger, report, tmp_path / "bad.pdf")
    assert main([str(path), *_files(log, office, tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\nVERIFIED" not in said
    assert r"x\x1b[2J\nVERIFIED: all" in said


@pytest.mark.parametrize("option", ["--seal-root", "--tsa-root", "--crl", "--bundle"])
def test_options_of_a_report_are_not_for_a_bundle(
    log: LogBuilder, report: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(report.with_name("bundle.attending"))
    (tmp_path / "nonsense").write_text("nonsense")
    assert main([bundle, "--key", str(log.vkey), option, str(tmp_path / "nonsense")]) == 4
    assert capsys.readouterr().err.startswith("error: ")


def test_it_needs_cryptography_alone(log: LogBuilder, office: Office, good: Path, tmp_path: Path) -> None:
    heavy = HEAVY | {"pyhanko", "asn1crypto", "pikepdf", "typst", "pypdfium2", "lxml"}
    command = [sys.executable, "-c", BLOCKED.format(blocked=heavy), str(good), *_files(log, office, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = done.stderr.partition("loaded ")[2]
    assert "cryptography" in loaded
    assert not [name for name in heavy if f"'{name}'" in loaded]
