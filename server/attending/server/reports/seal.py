"""Seals a finished report: a PAdES certification signature with a time stamp (ETSI EN 319 142-1, level B-T or B-LT).

The sealed file is made beside its place, verified under the configured roots as an auditor would, and only then given
its name: a report that does not verify is never there. A crash leaves a `.part` file at most, which nobody takes for
it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from asn1crypto import x509 as asn1_x509
from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf.document import Document
from attending.ledger.verify.pdf.seal import SealAnchors, check_seal
from attending.ledger.verify.report import SEAL_CHECKS, Findings, Status
from attending.server.config.reports import SealSection
from attending.server.errors import ConfigurationError, FailedPrecondition, Unavailable
from attending.server.outside.ask import Asker
from attending.server.reports.seal_key import FileSigner, Signer
from attending.server.reports.stamping import MAX_ANSWER_BYTES, Authority, NotStamped
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.fields import InvisSigSettings, MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.pdf_cms import Signer as LibrarySigner
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

FIELD: Final = "Seal"
MOST_SEAL_BYTES: Final = 8 << 20
"""Of one seal with its lists: it is kept in the vault."""
_RESERVED_BYTES: Final = 2 * 48 * 1024
"""Hexadecimal digits kept free for signature and time stamp: a time stamp is at most 64 KiB, most are 6."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What was sealed: when, by the authority's clock, and how far (`B-T`, or `B-LT` with its revocation lists)."""

    time: datetime
    level: str
    size_bytes: int


class Sealer:
    """Seals files. Safe from several tasks of one event loop; of two with one target the later file stays."""

    def __init__(
        self,
        signer: Signer,
        anchors: SealAnchors,
        authority_url: str,
        asker: Asker,
        lists: Sequence[Path] = (),
    ) -> None:
        """`anchors` are what its own result has to verify under; `lists` are revocation lists (DER or PEM), read at
        every seal.
        """
        self._signer = signer
        self._anchors = anchors
        self._url = authority_url
        self._asker = asker
        self._lists = lists

    async def seal(self, source: Path, target: Path) -> Seal:
        """Writes the sealed form of the PDF at `source` to `target`, which is whole and verified when it is there.

        Raises Unavailable: no time stamp (TSA_TIMEOUT, TSA_UNREACHABLE, TSA_PRIVATE_ADDRESS, TSA_REDIRECTED,
        TSA_COMPRESSED, TSA_TOO_LARGE, TSA_HTTP_STATUS, TSA_REFUSED, TSA_MALFORMED, TSA_ANSWER); FailedPrecondition:
        REPORT_SEALED (it has a form already), REPORT_NOT_SEALABLE (it is no PDF of ours), SEAL_NOT_MADE, or
        SEAL_NOT_PROVED with the `check` that fails, such as V3 for a certificate that has expired; OSError.
        """
        loop = asyncio.get_running_loop()
        # Of its own: two that seal to one name at once do not write to one file.
        part = await asyncio.to_thread(_new_part, target)
        try:
            found = await asyncio.to_thread(self._seal, source, part, Authority(self._url, self._asker, loop))
            await asyncio.to_thread(_publish, part, target)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        return found

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._asker.close()

    def _seal(self, source: Path, part: Path, authority: Authority) -> Seal:
        try:
            with Document(source) as document:
                if "AcroForm" in document.root:
                    raise FailedPrecondition("REPORT_SEALED")
        except VerificationError:
            raise FailedPrecondition("REPORT_NOT_SEALABLE") from None
        try:
            asyncio.run(self._sign(source, part, authority))
        except NotStamped as err:
            raise Unavailable(err.reason) from None
        except (PdfError, SigningError, ValueError) as err:
            raise FailedPrecondition("SEAL_NOT_MADE", metadata={"error": type(err).__name__}) from None
        return self._proved(part)

    async def _sign(self, source: Path, part: Path, authority: Authority) -> None:
        with source.open("rb") as given, part.open("w+b") as made:
            os.fchmod(made.fileno(), 0o600)
            writer = _Writer(given)
            # Readers go through form fields as the tags have them (ISO 14289-1, 7.18.3).
            page, _ = writer.find_page_for_modification(0)
            page.get_object()[pdf_name("/Tabs")] = pdf_name("/S")
            self._add_lists(writer)
            meta = PdfSignatureMetadata(
                field_name=FIELD,
                md_algorithm=self._signer.digest,
                certify=True,
                docmdp_permissions=MDPPerm.NO_CHANGES,
                subfilter=SigSeedSubFilter.PADES,
            )
            invisible = InvisSigSettings(set_print_flag=True, set_hidden_flag=False)
            field = SigFieldSpec(sig_field_name=FIELD, invis_sig_settings=invisible)
            signing = PdfSigner(meta, _Adapter(self._signer), timestamper=authority, new_field_spec=field)
            await signing.async_sign_pdf(writer, bytes_reserved=_RESERVED_BYTES, output=made)

    def _add_lists(self, writer: IncrementalPdfFileWriter) -> None:
        """Puts certificates and revocation lists into the file, under the seal (ETSI EN 319 142-1, section 5.4)."""
        if not self._lists:
            return

        def kept(items: Sequence[bytes]) -> Any:
            return generic.ArrayObject(
                writer.add_object(generic.StreamObject(stream_data=item)) for item in items
            )

        roots = (*self._anchors.seal_roots, *self._anchors.stamp_roots)
        certificates = [item.public_bytes(Encoding.DER) for item in (*self._signer.chain, *roots)]
        lists = [load_list(path).public_bytes(Encoding.DER) for path in self._lists]
        store = {"/Type": pdf_name("/DSS"), "/Certs": kept(certificates), "/CRLs": kept(lists)}
        entries = {pdf_name(name): value for name, value in store.items()}
        writer.root[pdf_name("/DSS")] = writer.add_object(generic.DictionaryObject(entries))
        writer.update_root()

    def _proved(self, part: Path) -> Seal:
        findings = Findings(SEAL_CHECKS)
        try:
            with Document(part) as document:
                sealed = check_seal(document, self._anchors, findings)
                size = document.size
        except VerificationError:
            raise FailedPrecondition("SEAL_NOT_PROVED", metadata={"check": "V2"}) from None
        if sealed is None:
            # What fails says why; what is open beside it only follows from that.
            wrong = next(item.check for item in findings.results() if item.status is Status.FAILED)
            raise FailedPrecondition("SEAL_NOT_PROVED", metadata={"check": wrong})
        return Seal(sealed.time, "B-LT" if sealed.covered else "B-T", size)


def seal_of(pages: Path, sealed: Path) -> bytes:
    """What the sealed form of `pages` has behind them: pages and this are the sealed file again, byte for byte.

    Blocks. Raises FailedPrecondition: SEAL_NOT_MADE where it is no sealed form of them, or its seal, which carries the
    revocation lists, is larger than MOST_SEAL_BYTES.
    """
    size = pages.stat().st_size
    with pages.open("rb") as one, sealed.open("rb") as other:
        while chunk := one.read(1 << 20):
            if other.read(len(chunk)) != chunk:
                raise FailedPrecondition("SEAL_NOT_MADE", metadata={"error": "PagesChanged"})
        if sealed.stat().st_size - size > MOST_SEAL_BYTES:
            raise FailedPrecondition("SEAL_NOT_MADE", metadata={"error": "SealTooLarge"})
        return other.read()


def build_sealer(section: SealSection) -> Sealer:
    """As configured; reads the key and the roots. Raises ConfigurationError."""
    signer = FileSigner(section.certificate_file, section.key_file)
    for path in section.revocation_lists:
        load_list(path)
    anchors = SealAnchors(
        seal_roots=_roots(section.roots_file, "roots_file"),
        stamp_roots=_roots(section.timestamp_roots_file, "timestamp_roots_file"),
    )
    asker = Asker(
        ca_file=section.timestamp_ca_file,
        allow_private=section.allow_private,
        timeout_seconds=section.timeout_seconds,
        most_bytes=MAX_ANSWER_BYTES,
        where="[reports.seal]",
    )
    return Sealer(signer, anchors, section.timestamp_url, asker, section.revocation_lists)


def load_list(path: Path) -> x509.CertificateRevocationList:
    """A revocation list in PEM or DER. Raises ConfigurationError."""
    try:
        data = path.read_bytes()
        return x509.load_pem_x509_crl(data) if data[:5] == b"-----" else x509.load_der_x509_crl(data)
    except (OSError, ValueError) as err:
        raise _wrong(f"`{path.name}` is no revocation list that reads ({type(err).__name__})") from None


class _Writer(IncrementalPdfFileWriter):  # type: ignore[misc] # the library has no types
    """Leaves the metadata as they are: written anew, they would no longer say that the file is PDF/A and PDF/UA."""

    def _update_meta(self) -> None:
        pass


class _Adapter(LibrarySigner):  # type: ignore[misc] # the library has no types
    """A `Signer` as the library wants it."""

    def __init__(self, signer: Signer) -> None:
        chain = [asn1_x509.Certificate.load(item.public_bytes(Encoding.DER)) for item in signer.chain]
        registry = SimpleCertificateStore()
        registry.register_multiple(chain[1:])  # the first is put in by itself
        super().__init__(signing_cert=chain[0], cert_registry=registry)
        self._inner = signer

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        assert digest_algorithm == self._inner.digest
        return bytes(512) if dry_run else await asyncio.to_thread(self._inner.sign, data)


def _roots(path: Path, key: str) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as err:
        raise _wrong(f"`{key}` does not read ({type(err).__name__})") from None


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"[reports.seal]: {problem}", "give PEM files as docs/seal.md makes them", reason="SEAL_FILES"
    )


def _new_part(target: Path) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(descriptor)
    return Path(name)


def _publish(part: Path, target: Path) -> None:
    """After a crash in here the file is there whole, or not at all."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
