"""Files that would cost an auditor's machine its time or memory, or end the verifier in a traceback, are refused."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf import chain, cms, der, seal, syntax
from attending.ledger.verify.pdf.document import Document
from attending.ledger.verify.pdf.stamp import parse_token, verify_token
from attending.ledger.verify.pdf.syntax import Reference, skip
from attending.ledger.verify.pdf.text import pages
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.server.reports.authorities import NOW, Office
from tests.server.reports.sealing import day, forged, unsealed

DAY = timedelta(days=1)


def _file(path: Path, *objects: bytes, places: dict[int, int] | None = None) -> Path:
    """A PDF of objects 1, 2, 3 and so on; `places` says otherwise where some of them are."""
    data, found = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        found.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    begins = {**dict(enumerate(found, 1)), **(places or {})}
    table = b"xref\n0 1\n0000000000 65535 f \n"
    table += b"".join(b"%d 1\n%010d 00000 n \n" % (number, begin) for number, begin in begins.items())
    table += b"trailer\n<</Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    path.write_bytes(data + table)
    return path


def _stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(data), entries, data)


MAP = b"1 begincodespacerange <00> <ff> endcodespacerange\n"
LETTERS = MAP + b"1 beginbfrange <41> <5a> <0041> endbfrange\n"


HIDING = {"tab": b"\t", "null": b"\0", "comment": b"%\n", "blanks": b"\n" * 70}
"""White space, if a reader wants to call it that."""


def _page(
    path: Path,
    content: bytes,
    mapping: bytes = LETTERS,
    *,
    contents: bytes = b"5 0 R",
    more: tuple[bytes, ...] = (),
) -> Path:
    """One page with two fonts, of which the second calls every letter an X; `more` are objects from the ninth on."""
    return _file(
        path,
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Kids[3 0 R]>>",
        b"<</Type/Page/Resources<</Font<</A 4 0 R/B 7 0 R>>>>/Contents %b>>" % contents,
        b"<</ToUnicode 6 0 R>>",
        _stream(content),
        _stream(mapping),
        b"<</ToUnicode 8 0 R>>",
        _stream(
            MAP + b"".join(b"1 beginbfchar <%x> <0058> endbfchar\n" % code for code in range(0x41, 0x5B))
        ),
        *more,
    )


def _text(path: Path) -> list[str]:
    with Document(path) as document:
        return list(pages(document))


def test_text_is_that_of_the_font_that_is_set(tmp_path: Path) -> None:
    assert _text(_page(tmp_path / "a.pdf", b"BT /A 9 Tf (NO) Tj ET")) == ["NO"]
    # What Q takes back is the font too (ISO 32000-1, table 52 and section 9.3.1).
    assert _text(_page(tmp_path / "b.pdf", b"/B 9 Tf q /A 9 Tf Q (NO) Tj")) == ["XX"]


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        (b"[1] 9 Tf (A) Tj", LETTERS),
        (b"<</A 1>> 9 Tf (A) Tj", LETTERS),
        (b"/A 9 Tf (A) Tj", MAP + b"1 beginbfchar [<41>] <0041> endbfchar"),
        (b"/A 9 Tf (A) Tj", MAP + b"1 beginbfrange <41> <0141> <0041> endbfrange"),
        # States that are saved and never restored: each takes more memory than its two bytes.
        (b"/A 9 Tf " + b"q " * 2000 + b"(A) Tj", LETTERS),
        # 256 codes, said a thousand times: small to write down, and an hour of work at the bound of a map.
        (b"/A 9 Tf (A) Tj", MAP + b"1 beginbfrange <00> <ff> <0041> endbfrange\n" * 1000),
    ],
)
def test_pages_that_do_not_read_are_refused(tmp_path: Path, content: bytes, mapping: bytes) -> None:
    with pytest.raises(VerificationError):
        _text(_page(tmp_path / "a.pdf", content, mapping))


def test_a_page_of_one_part_again_and_again_is_never_put_together(tmp_path: Path) -> None:
    path = _page(tmp_path / "a.pdf", b"q Q " * 250_000, contents=b"[" + b"5 0 R " * 400 + b"]")
    tracemalloc.start()
    try:
        with pytest.raises(VerificationError, match="page is too large"):
            _text(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20  # 400 parts of a megabyte are four times that


@pytest.mark.parametrize("form", [b"[%b]", b"<</A %b>>"])
def test_items_are_counted_whatever_lies_in_what(monkeypatch: pytest.MonkeyPatch, form: bytes) -> None:
    monkeypatch.setattr(syntax, "MAX_ITEMS", 1000)
    assert syntax.parse_object(b"[%b]" % (form % (b"[%b]" % (b"[]" * 300)) * 3), 0)[1] > 1800
    with pytest.raises(VerificationError, match="too many items"):
        syntax.parse_object(b"[%b]" % (form % (b"[%b]" % (b"[]" * 300)) * 4), 0)


@pytest.mark.parametrize(("deep", "good"), [(49, True), (50, False)])
def test_how_deep_objects_may_lie_in_each_other(deep: int, good: bool) -> None:
    with nullcontext() if good else pytest.raises(VerificationError, match="too deep"):
        assert syntax.parse_object(b"[" * deep + b"]" * deep + b"[]", 0)[1] == 2 * deep


@pytest.mark.parametrize("space", [b" ", b"%\n", b"\n%x"])
def test_white_space_takes_no_memory(space: bytes) -> None:
    data = space * (1 << 20)
    tracemalloc.start()
    try:
        assert skip(data, 0) == len(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 16


def test_streams_that_are_the_length_of_each_other_are_refused(tmp_path: Path) -> None:
    bodies = [b"<</Length %d 0 R>>\nstream\nx\nendstream" % number for number in (2, 1)]
    with Document(_file(tmp_path / "a.pdf", *bodies)) as document, pytest.raises(VerificationError):
        list(document.objects())


def test_objects_that_lie_in_each_other_are_refused(tmp_path: Path) -> None:
    """Each of them runs to the end of all: as many times the file as there are objects."""
    heads = b"".join(b"%%%d 0 obj [" % number for number in range(2, 50))
    path = _file(tmp_path / "a.pdf", b"[" + heads + b"\n 0 0 0 ]")
    places = {number: path.read_bytes().index(b"%d 0 obj [" % number) for number in range(2, 50)}
    path = _file(path, b"[" + heads + b"\n 0 0 0 ]", places=places)
    with Document(path) as document, pytest.raises(VerificationError, match="inside another"):
        list(document.objects())


def test_a_catalogue_in_the_trailer_is_refused(tmp_path: Path) -> None:
    """Some readers open it, and what it runs is in no object."""
    path = _page(tmp_path / "a.pdf", b"/A 9 Tf (A) Tj")
    running = b"/Root<</Pages 2 0 R/OpenAction<</S/JavaScript/JS(0)>>>>"
    path.write_bytes(path.read_bytes().replace(b"/Root 1 0 R", running))
    with Document(path) as document, pytest.raises(VerificationError, match="catalogue"):
        _ = document.root


@pytest.mark.parametrize("between", HIDING.values(), ids=HIDING)
def test_what_stands_before_a_stream_does_not_hide_it(tmp_path: Path, between: bytes) -> None:
    body = b"<</F(outside)/Length 1>>" + between + b"stream\nx\nendstream"
    with Document(_file(tmp_path / "a.pdf", body)) as document, pytest.raises(VerificationError):
        list(document.objects())


def again_and_again(path: Path) -> Path:
    """Streams of which each has to read a comment to know its length: their product with it, not their sum."""
    comment = b"%" + b"x" * (1 << 20) + b"\n 1"
    return _page(
        path, b"", more=(comment, *[b"<</Length 9 0 R>>\nstream\nx\nendstream" for _ in range(1000)])
    )


def test_objects_that_are_referred_to_again_and_again_are_refused(tmp_path: Path) -> None:
    path = again_and_again(tmp_path / "a.pdf")
    with Document(path) as document, pytest.raises(VerificationError, match="again and again"):
        list(document.objects())
    resources = b"<<%" + b"x" * (1 << 16) + b"\n>>"
    pages_of = b" ".join(b"%d 0 R" % number for number in range(5, 1005))
    path = _file(
        tmp_path / "b.pdf",
        b"<</Pages 2 0 R>>",
        b"<</Kids[%b]>>" % pages_of,
        resources,
        _stream(b""),
        *[b"<</Type/Page/Resources 3 0 R/Contents 4 0 R>>" for _ in range(1000)],
    )
    with pytest.raises(VerificationError, match="again and again"):
        _text(path)


@pytest.mark.parametrize(
    ("stated", "permits"), [(b"1", False), (b"2", True), (b"1.0", True), (b"true", True)]
)
def test_what_is_not_the_number_one_permits_changes(tmp_path: Path, stated: bytes, permits: bool) -> None:
    certified = b"<</Reference[<</TransformMethod/DocMDP/TransformParams<</P %b>>>>]>>" % stated
    with Document(_file(tmp_path / "a.pdf", b"<</Perms<</DocMDP 2 0 R>>>>", certified)) as document:
        reference = Reference(2, 0)
        value = document.dictionary(reference)
        with pytest.raises(VerificationError, match="permits") if permits else nullcontext():
            seal._permits_nothing(document, reference, value)


def test_nothing_follows_what_a_stream_inflates_to(tmp_path: Path) -> None:
    packed = zlib.compress(b"whole")
    for more, good in ((b"", True), (b"x", False), (bytes(1 << 17), False)):
        body = _stream(packed + more, b"/Filter/FlateDecode")
        with Document(_file(tmp_path / f"{len(more)}.pdf", body)) as document:
            stream = document.stream(Reference(1, 0))
            with nullcontext() if good else pytest.raises(VerificationError, match="follows"):
                assert document.content(stream, 1 << 20) == b"whole"


def test_lists_that_lead_nowhere_prove_nothing(tmp_path: Path) -> None:
    """As the page has it: that a store of lists does not read is nothing against the seal."""
    with Document(_file(tmp_path / "a.pdf", b"<</DSS 2 0 R>>", b"2 0 R")) as document:
        assert seal._embedded_lists(document) == []


def test_certificates_of_one_name_and_key_are_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty that sign each other have 20 * 19 * 18 * 17 * 16 ways of six."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The same")])

    def made(number: int) -> x509.Certificate:
        builder = x509.CertificateBuilder(name, name, key.public_key(), number + 1, NOW - DAY, NOW + DAY)
        return builder.sign(key, hashes.SHA256())

    others, tried = [made(number) for number in range(20)], 0
    issued = chain._issued

    def counting(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        nonlocal tried
        tried += 1
        assert tried <= 1000
        return issued(certificate, issuer)

    monkeypatch.setattr(chain, "_issued", counting)
    with pytest.raises(VerificationError, match="does not lead to a root"):
        chain.verify_path(others[0], others, [], NOW)


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def der_mutants(data: bytes) -> Iterator[bytes]:
    """`data` with each of its elements left out, emptied, put twice, or of another type; lengths fit again."""
    items = list(der.elements(data))
    for place, item in enumerate(items):
        before = b"".join(one.encoded for one in items[:place])
        after = b"".join(one.encoded for one in items[place + 1 :])
        for other in (b"", bytes([item.tag, 0]), item.encoded * 2, b"\x05\x00", b"\x30\x00"):
            yield before + other + after
        # Into what is made of elements, and into octet strings that hold some.
        try:
            inner = list(der_mutants(item.content)) if item.tag & 0x20 or item.tag == der.OCTET_STRING else []
        except VerificationError:
            inner = []  # octets that are no elements
        for content in inner:
            yield before + _encoded(item.tag, content) + after


def _tried(signed: cms.SignedData) -> None:
    for purpose in (chain.seal_purpose, chain.stamp_purpose):
        with suppress(VerificationError):
            purpose(signed.signer)
    with suppress(VerificationError):
        chain.verify_path(signed.signer, signed.certificates, signed.certificates[-1:], NOW)
    signed.verify(signed.signed["1.2.840.113549.1.9.4"].octets())


def test_every_hash_function_that_is_listed_has_a_name(tmp_path: Path) -> None:
    office = Office.make(tmp_path / "office")
    path = forged(office, unsealed(day(), tmp_path / "report"), tmp_path / "sealed.pdf")
    data = _contents(path)
    assert cms.parse(data, cms.DATA).digest == "sha256"
    outer = der.parse(data).children()
    parts = outer[1].children(0xA0)[0].children()
    for more in (b"\x30\x00", b"\x30\x02\x05\x00"):
        functions = _encoded(0x31, more + parts[1].content)
        inside = _encoded(0x30, parts[0].encoded + functions + b"".join(one.encoded for one in parts[2:]))
        with pytest.raises(VerificationError, match="hash function"):
            cms.parse(_encoded(0x30, outer[0].encoded + _encoded(0xA0, inside)), cms.DATA)


def _contents(path: Path) -> bytes:
    """The seal of a report."""
    with Document(path) as document:
        [field] = document.array(document.dictionary(document.root["AcroForm"])["Fields"])
        contents = document.dictionary(document.dictionary(field)["V"])["Contents"]
    return der.leading(contents)[0].encoded


@pytest.mark.filterwarnings("ignore:Attribute's length must be")
def test_signatures_without_a_part_are_refused_and_never_raise_anything_else(tmp_path: Path) -> None:
    office = Office.make(tmp_path / "office")
    path = forged(office, unsealed(day(), tmp_path / "report"), tmp_path / "sealed.pdf")
    seal = _contents(path)
    stamp = cms.parse(seal, cms.DATA).unsigned[cms.SIGNATURE_TIME_STAMP][0].encoded
    read, refused = 0, 0
    for data in (seal, stamp):
        for mutant in der_mutants(data):
            try:
                if data is seal:
                    _tried(cms.parse(mutant, cms.DATA))
                else:
                    token = parse_token(mutant)
                    _tried(token.signed)
                    verify_token(token, b"", [office.stamp_root.certificate])
                read += 1
            except VerificationError:
                refused += 1
    assert refused > 900
    assert refused > read
