"""Certificates of a seal and of a time stamp authority, and the authority itself, on loopback; each can misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from asn1crypto import algos, cms, core, tsp
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.server.config.reports import SealSection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
"""The authority's clock."""
DOCUMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Held:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def authority(
    name: str,
    issuer: Held | None = None,
    *,
    path_length: int | None = None,
    ca: bool = True,
    years: int = 8,
) -> Held:
    """An authority that may sign certificates and lists."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return _issue(
        name,
        key,
        issuer,
        NOW - years * 365 * DAY,
        NOW + years * 365 * DAY,
        [(x509.BasicConstraints(ca, path_length if ca else None), True), (usage, True)],
    )


def sealing(
    issuer: Held,
    *,
    name: str = "Report seal",
    key: Key | None = None,
    begins: datetime = NOW - 100 * DAY,
    ends: datetime = NOW + 100 * DAY,
) -> Held:
    """A certificate for sealing documents."""
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    purposes = x509.ExtendedKeyUsage([DOCUMENTS])
    key = key or ec.generate_private_key(ec.SECP256R1())
    return _issue(name, key, issuer, begins, ends, [(usage, True), (purposes, False)])


def stamping(
    issuer: Held,
    *,
    begins: datetime = NOW - 100 * DAY,
    ends: datetime = NOW + 100 * DAY,
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
) -> Held:
    """A certificate for time stamps."""
    extension = x509.ExtendedKeyUsage(list(purposes))
    return _issue("Time stamps", _stamp_key(), issuer, begins, ends, [(extension, critical)])


@cache
def _stamp_key() -> rsa.RSAPrivateKey:
    """One for all authorities of a process: making one takes as long as everything else here."""
    return rsa.generate_private_key(65537, 2048)


def revocations(
    issuer: Held,
    *revoked: tuple[x509.Certificate, datetime],
    reason: x509.ReasonFlags | None = None,
    ends: datetime = NOW + 30 * DAY,
) -> x509.CertificateRevocationList:
    """A revocation list of an authority."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(min(NOW, ends) - DAY).next_update(ends)
    for certificate, since in revoked:
        entry = (
            x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(since)
        )
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


def with_reason(
    issuer: Held, found: x509.CertificateRevocationList, reason: int
) -> x509.CertificateRevocationList:
    """The list with a number in place of its reason `superseded`, also one that is none."""
    parts = asn1_crl.CertificateList.load(found.public_bytes(Encoding.DER))
    body = parts["tbs_cert_list"].dump().replace(b"\x0a\x01\x04", bytes((0x0A, 1, reason)))
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    parts["tbs_cert_list"] = asn1_crl.TbsCertList.load(body)
    parts["signature"] = core.OctetBitString(issuer.key.sign(body, ec.ECDSA(hashes.SHA256())))
    return x509.load_der_x509_crl(parts.dump())


def _issue(
    name: str,
    key: Key,
    issuer: Held | None,
    begins: datetime,
    ends: datetime,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> Held:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Held(builder.sign(key if issuer is None else issuer.key, hashes.SHA256()), key)


@dataclass
class StampAuthority:
    """Answers requests for time stamps, at `time` and as `held`; `spoil` changes what goes out."""

    held: Held
    others: tuple[Held, ...] = ()
    time: datetime = NOW
    spoil: Callable[[bytes], tuple[int, bytes]] = lambda body: (200, body)
    imprint: Callable[[bytes], bytes] = lambda digest: digest
    nonce: Callable[[int], int] = lambda nonce: nonce
    requests: list[bytes] = field(default_factory=list)
    url: str = ""

    def answer(self, request: bytes) -> tuple[int, bytes]:
        self.requests.append(request)
        asked = tsp.TimeStampReq.load(request)
        imprint = asked["message_imprint"]
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.2.3.4.1",
                "message_imprint": {
                    "hash_algorithm": imprint["hash_algorithm"],
                    "hashed_message": self.imprint(imprint["hashed_message"].native),
                },
                "serial_number": len(self.requests),
                "gen_time": self.time,
                "nonce": self.nonce(asked["nonce"].native),
            }
        )
        token = self.sign(info.dump())
        response = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token})
        return self.spoil(response.dump())

    def sign(self, content: bytes) -> cms.ContentInfo:
        """A CMS signature over a TSTInfo."""
        own = asn1_x509.Certificate.load(self.held.der)
        named = tsp.SigningCertificateV2(
            {
                "certs": [
                    {
                        "hash_algorithm": {"algorithm": "sha256"},
                        "cert_hash": hashlib.sha256(self.held.der).digest(),
                    }
                ]
            }
        )
        signed = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
                {"type": "signing_certificate_v2", "values": [named]},
            ]
        )
        key = self.held.key
        assert isinstance(key, rsa.RSAPrivateKey)
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    "issuer_and_serial_number",
                    cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number}),
                ),
                "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "signed_attrs": signed,
                "signature_algorithm": {"algorithm": "sha256_rsa"},
                "signature": key.sign(signed.dump(), padding.PKCS1v15(), hashes.SHA256()),
            }
        )
        data = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {
                    "content_type": "tst_info",
                    "content": core.ParsableOctetString(content),
                },
                "certificates": [own, *(asn1_x509.Certificate.load(item.der) for item in self.others)],
                "signer_infos": [signer],
            }
        )
        return cms.ContentInfo({"content_type": "signed_data", "content": data})

    @contextmanager
    def listening(self) -> Iterator[StampAuthority]:
        """Serves on loopback while the block runs."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, body = outer.answer(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(status)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/stamp"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass
class Office:
    """A seal with all that it needs, as files in a folder."""

    folder: Path
    root: Held
    seal: Held
    stamp_root: Held
    stamps: StampAuthority
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    chain: tuple[Held, ...] = ()

    @classmethod
    def make(cls, folder: Path, **more: object) -> Office:
        root, stamp_root = authority("Seal root"), authority("Stamp root")
        parts: dict[str, object] = {
            "root": root,
            "seal": sealing(root),
            "stamp_root": stamp_root,
            "stamps": StampAuthority(stamping(stamp_root)),
        }
        return cls(folder, **{**parts, **more})  # type: ignore[arg-type]

    @property
    def anchors(self) -> SealAnchors:
        return SealAnchors((self.root.certificate,), (self.stamp_root.certificate,))

    def section(self, **more: object) -> SealSection:
        """Writes the files, and names them."""
        self.folder.mkdir(exist_ok=True)
        files = {
            "seal.pem": b"".join(item.pem for item in (self.seal, *self.chain)),
            "seal.key": self.seal.key_pem,
            "root.pem": self.root.pem,
            "stamp-root.pem": self.stamp_root.pem,
        }
        names = []
        for number, item in enumerate(self.lists):
            names.append(self.folder / f"{number}.crl")
            files[names[-1].name] = item.public_bytes(Encoding.DER)
        for name, data in files.items():
            path = self.folder / name
            path.write_bytes(data)
            path.chmod(0o600)
        values: dict[str, object] = {
            "certificate_file": self.folder / "seal.pem",
            "key_file": self.folder / "seal.key",
            "roots_file": self.folder / "root.pem",
            "revocation_lists": names,
            "timestamp_url": self.stamps.url,
            "timestamp_roots_file": self.folder / "stamp-root.pem",
            "allow_private": True,
        }
        return SealSection(**{**values, **more})  # type: ignore[arg-type]
