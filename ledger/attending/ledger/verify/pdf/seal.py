"""The seal of a report: one certification signature that covers the whole file (V2), by whom (V3) and when (V4).

V2 steps: 1. there is one signature, and it is in the form of a seal (ISO 32000-1, section 12.8; ETSI EN 319 142-1);
2. its byte range is the whole file but for the hexadecimal digits of the signature itself; 3. the signature verifies
over those bytes under its own certificate; 4. it permits no later change; 5. nothing in the file can change what is
shown. So nothing was added after it, whatever a reader would make of that: an incremental update, a shadow attack.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf import chain, cms, der
from attending.ledger.verify.pdf.cms import SignedData
from attending.ledger.verify.pdf.document import Document, Stream
from attending.ledger.verify.pdf.stamp import MAX_TOKEN_BYTES, Token, parse_token, verify_token
from attending.ledger.verify.pdf.syntax import Name, Reference, parse_object
from attending.ledger.verify.report import Findings
from cryptography import x509

SUBFILTER: Final = "ETSI.CAdES.detached"
MAX_SIGNATURE_BYTES: Final = 256 << 10
MAX_LISTS: Final = 32
MAX_LIST_BYTES: Final = 4 << 20
_HASH_BYTES: Final = 1 << 20
_DIGITS: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_ACTIVE: Final = frozenset(
    (
        *("JavaScript", "JS", "Launch", "OpenAction", "AA", "XFA", "RichMedia", "RichMediaContent"),
        *("GoToR", "GoToE", "SubmitForm", "ImportData", "Rendition", "Movie", "Sound", "OCProperties"),
        *("Hide", "SetOCGState", "GoTo3DView"),
    )
)
"""Names of what runs, asks outside, or shows now this and now that."""
_OUTSIDE: Final = frozenset(("F", "Ref", "OPI", "Alternates"))
"""Keys of a stream whose data, or another form of it, is elsewhere (ISO 32000-1, 7.3.8.2, 8.9.5.4, 8.10.4)."""


@dataclass(frozen=True, slots=True)
class SealAnchors:
    """What the auditor trusts of seals, from elsewhere than the file: roots of the seal's certificate and of the time
    stamp authority's, and revocation lists beside those that the file holds.
    """

    seal_roots: tuple[x509.Certificate, ...] = ()
    stamp_roots: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal of which V2, V3 and V4 hold."""

    time: datetime
    """When it was stamped."""
    covered: bool
    """Whether revocation lists say of every certificate that it was not revoked."""


def check_seal(document: Document, anchors: SealAnchors, findings: Findings) -> Sealed | None:
    """V2, V3 and V4 of an open file, reported into `findings`; what was proved where all of them hold."""
    try:
        signed = _whole_file(document)  # V2
        _inert(document)
    except VerificationError as err:
        findings.fail("V2", err.detail)
        return None
    name = signed.signer.subject.rfc4514_string()[:200].encode("ascii", "backslashreplace").decode()
    findings.passed(
        "V2", f"one seal covers all {document.size} bytes, and permits no change; it names `{name}`"
    )
    lists = [*anchors.lists, *_embedded_lists(document)]
    stamped = _check_stamp(signed, anchors, lists, findings)
    path = _check_signer(signed, stamped, anchors, lists, findings)
    if stamped is None or path is None:
        return None
    return Sealed(stamped[0].time, stamped[1].uncovered + path.uncovered == 0)


def _whole_file(document: Document) -> SignedData:
    form = document.dictionary(document.root.get("AcroForm"))
    fields = document.array(form.get("Fields"))  # 1
    if len(fields) != 1:
        raise VerificationError("file has more than one form field, or none")
    field = document.dictionary(fields[0])
    reference = field.get("V")
    if field.get("FT") != Name("Sig") or "Kids" in field or type(reference) is not Reference:
        raise VerificationError("form field is not a seal")
    value, begin = document.read(reference)
    if not isinstance(value, dict) or value.get("SubFilter") != Name(SUBFILTER):
        raise VerificationError(f"seal is not of the form `{SUBFILTER}`")
    first, last = _hole(document, value, begin)  # 2
    signed = cms.parse(_signature(value["Contents"]), cms.DATA)
    if signed.content is not None:
        raise VerificationError("seal carries content of its own")
    digest = hashlib.new(signed.digest)
    for start, end in ((0, first), (last, document.size)):
        for at in range(start, end, _HASH_BYTES):
            digest.update(document.data[at : min(at + _HASH_BYTES, end)])
    signed.verify(digest.digest())  # 3
    _permits_nothing(document, reference, value)  # 4
    return signed


def _hole(document: Document, value: dict[str, Any], begin: int) -> tuple[int, int]:
    """Begin and end of the signature's digits, angle brackets included, which is all that the range leaves out."""
    ranges = value.get("ByteRange")
    if not isinstance(ranges, list) or len(ranges) != 4 or not all(type(item) is int for item in ranges):
        raise VerificationError("seal has no byte range of two parts")
    start, first, last, rest = ranges
    if start != 0 or not 0 < first < last or rest < 0:
        raise VerificationError("byte range of the seal is not in order")
    if last + rest != document.size:
        raise VerificationError(
            f"seal covers {last + rest} of {document.size} bytes: the file was changed after it"
        )
    if not begin < first or document.data[first : first + 1] != b"<":
        raise VerificationError("byte range leaves out something else than the signature")
    # The object at that place, read on its own, is the signature, ends there, and is digits alone.
    contents, end = parse_object(document.data, first)
    digits = document.data[first + 1 : last - 1]
    if end != last or contents != value.get("Contents") or _DIGITS.fullmatch(digits) is None:
        raise VerificationError("byte range leaves out something else than the signature")
    if b"Contents" not in document.data[max(begin, first - 16) : first]:
        raise VerificationError("byte range leaves out something else than the signature")
    return first, last


def _signature(contents: bytes) -> bytes:
    if len(contents) > MAX_SIGNATURE_BYTES:
        raise VerificationError(f"signature exceeds {MAX_SIGNATURE_BYTES} bytes")
    first, padding = der.leading(contents)
    if padding.strip(b"\0"):
        raise VerificationError("something follows the signature")
    return first.encoded


def _permits_nothing(document: Document, reference: Reference, value: dict[str, Any]) -> None:
    permissions = document.dictionary(document.root.get("Perms"))
    references = document.array(value.get("Reference"))
    if permissions.get("DocMDP") != reference or len(references) != 1:
        raise VerificationError("seal does not certify the document")
    transform = document.dictionary(references[0])
    permitted = document.dictionary(transform.get("TransformParams")).get("P")
    # Neither 1.0 nor true, which are 1 in Python and nowhere else.
    if transform.get("TransformMethod") != Name("DocMDP") or type(permitted) is not int or permitted != 1:
        raise VerificationError("seal permits changes after it")


def _inert(document: Document) -> None:
    """Raises where an object could run, ask outside, or show now this and now that (step 5)."""
    for found in document.objects():
        if isinstance(found, Stream) and _OUTSIDE & found.entries.keys():
            raise VerificationError("file takes what it shows from elsewhere, or shows this and that")
        pending = [found.entries if isinstance(found, Stream) else found]
        while pending:
            item = pending.pop()
            if isinstance(item, dict):
                named = _ACTIVE & item.keys()
                kind = item.get("S")
                # By reference it could name what is looked for here; no report has it so.
                if named or type(kind) is Reference or (type(kind) is Name and kind in _ACTIVE):
                    raise VerificationError("file holds an action, a script or layers, which no report does")
                pending.extend(item.values())
            elif isinstance(item, list):
                pending.extend(item)


def _check_stamp(
    signed: SignedData,
    anchors: SealAnchors,
    lists: Sequence[x509.CertificateRevocationList],
    findings: Findings,
) -> tuple[Token, chain.Path] | None:
    """V4; the token and its path when a root of the auditor's bears it out."""
    stamps = signed.unsigned.get(cms.SIGNATURE_TIME_STAMP, ())
    if not stamps:
        findings.doubt("V4", "seal has no time stamp: when it was made is not proved")
        return None
    if len(stamps) > 1 or len(stamps[0].encoded) > MAX_TOKEN_BYTES:
        findings.fail("V4", "seal has more than one time stamp, or one that is too large")
        return None
    try:
        token = parse_token(stamps[0].encoded)
        path = verify_token(token, signed.signature, anchors.stamp_roots, lists)
    except VerificationError as err:
        findings.fail("V4", err.detail)
        return None
    if path is None:
        findings.doubt("V4", "no root of a time stamp authority was given: see --tsa-root")
        return None
    if path.uncovered:
        detail = (
            "no revocation list of the stamp's authority was given: that it was not revoked is not proved"
        )
        findings.doubt("V4", detail, advisory=True)
    findings.passed("V4", f"seal existed at {token.time.isoformat()}, says an authority that was given")
    return token, path


def _check_signer(
    signed: SignedData,
    stamped: tuple[Token, chain.Path] | None,
    anchors: SealAnchors,
    lists: Sequence[x509.CertificateRevocationList],
    findings: Findings,
) -> chain.Path | None:
    """V3. Without a proved time only the path is looked at: at the moment at which the certificate begins."""
    try:
        chain.seal_purpose(signed.signer)
        if not anchors.seal_roots:
            findings.doubt("V3", "no root of the seal was given: see --seal-root")
            return None
        moment = signed.signer.not_valid_before_utc if stamped is None else stamped[0].time
        path = chain.verify_path(
            signed.signer, signed.certificates, anchors.seal_roots, moment, lists if stamped else ()
        )
    except VerificationError as err:
        findings.fail("V3", err.detail)
        return None
    if stamped is None:
        findings.doubt("V3", "leads to a root that was given; valid at what time is not proved without V4")
        return None
    if path.uncovered:
        detail = "no revocation list was given (--crl): that the seal was not revoked by then is not proved"
        findings.doubt("V3", detail, advisory=True)
    findings.passed(
        "V3", "certificate of the seal leads to a root that was given, and was valid when stamped"
    )
    return path


def _embedded_lists(document: Document) -> list[x509.CertificateRevocationList]:
    """Revocation lists that the file holds (ETSI EN 319 142-1, section 5.4.2): their issuers signed them."""
    found: list[x509.CertificateRevocationList] = []
    try:
        if (store := document.resolve(document.root.get("DSS"))) is None:
            return found
        for item in document.array(document.dictionary(store).get("CRLs", []))[:MAX_LISTS]:
            data = document.content(document.stream(item), MAX_LIST_BYTES)
            found.append(cms.load_list(data))
    except VerificationError:
        return found  # what does not read proves nothing
    return found
