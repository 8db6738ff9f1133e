"""The demo's own authorities: a root and a certificate for the seal of reports, and an authority of time stamps.

They are made anew by each demo, on this machine, and so prove nothing to anybody: in production the seal's certificate
is issued by an authority that the regulator knows, and the time stamp by one that is not the operator's. What they do
is real: certificates as docs/seal.md asks for them, and answers to requests as RFC 3161 has them, over HTTP.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from attending.server import clock
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SEAL_ROOT: Final = "seal-root.pem"
STAMP_ROOT: Final = "tsa-root.pem"
"""What an auditor is given of the two."""
POLICY: Final = "1.3.6.1.4.1.32473.1"
"""Under the number that is kept for examples (RFC 5612): nobody promises anything by it."""
MAX_REQUEST_BYTES: Final = 4096
_DAYS: Final = timedelta(days=30)
_DIGEST_BYTES: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
_DOCUMENT_SIGNING: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""RFC 9336."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate, and the key that goes with it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


class StampAuthority:
    """An authority of time stamps at this machine's clock; its key is held in memory and ends with it."""

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        self._now = now
        self.root = _root("Demo root of time stamps", now())
        self._own = _issued(
            "Demo time stamps",
            self.root,
            now(),
            [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)],
        )

    def answer(self, request: bytes) -> bytes:
        """The answer to a request, a TimeStampResp: a token, or why there is none. Whatever the request holds."""
        try:
            asked = tsp.TimeStampReq.load(request, strict=True)
            refused = _refused(asked)
            if refused is None:
                return self._granted(asked)
        except (ValueError, TypeError, KeyError):
            refused = "bad_data_format"
        status = tsp.PKIStatusInfo({"status": "rejection", "fail_info": {refused}})
        # The library knows no TimeStampResp without a token: this is its sequence, of the status alone.
        return bytes(core.SequenceOf([status], spec=tsp.PKIStatusInfo).dump())

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Answers over HTTP, on this machine alone, while the block runs; where, as a URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.answer))
        thread = threading.Thread(target=server.serve_forever, name="demo-time-stamps", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/stamp"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _granted(self, asked: Any) -> bytes:
        info = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": asked["message_imprint"],
            "serial_number": secrets.randbits(64),
            "gen_time": self._now().replace(microsecond=0),
        }
        if asked["nonce"].native is not None:
            info["nonce"] = asked["nonce"].native
        token = self._signed(tsp.TSTInfo(info).dump(), with_certificate=asked["cert_req"].native)
        answer = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token})
        return bytes(answer.dump())

    def _signed(self, content: bytes, *, with_certificate: bool) -> cms.ContentInfo:
        """A CMS signature over a TSTInfo that names its certificate (RFC 5652, RFC 5035)."""
        data = self._own.certificate.public_bytes(Encoding.DER)
        own = asn1_x509.Certificate.load(data)
        sha256 = {"algorithm": "sha256"}
        named = {"hash_algorithm": sha256, "cert_hash": hashlib.sha256(data).digest()}
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
                {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [named]})]},
            ]
        )
        issuer = {"issuer": own.issuer, "serial_number": own.serial_number}
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(issuer)),
                "digest_algorithm": algos.DigestAlgorithm(sha256),
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": self._own.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
            }
        )
        parts = {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "signer_infos": [signer],
        }
        if with_certificate:
            parts["certificates"] = [own]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(parts)})


def write_seal(
    folder: Path, stamps: StampAuthority, url: str, *, now: Callable[[], datetime] = clock.now
) -> dict[str, Any]:
    """Makes a root and a certificate for the seal with its key, writes them into `folder` with the two roots that an
    auditor is given, and returns them as keys of `[reports.seal]`, with absolute paths: a configuration reads relative
    ones from its own folder. The root's key is kept nowhere.
    """
    folder = folder.resolve()
    root = _root("Demo root of seals", now())
    usage = _usage(digital_signature=True, content_commitment=True)
    purpose = x509.ExtendedKeyUsage([_DOCUMENT_SIGNING])
    seal = _issued("Demo report seal", root, now(), [(usage, True), (purpose, False)])
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / SEAL_ROOT).write_bytes(root.pem)
    (folder / STAMP_ROOT).write_bytes(stamps.root.pem)
    (folder / "seal.pem").write_bytes(seal.pem)
    key = seal.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with open(os.open(folder / "seal.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
    return {
        "certificate_file": str(folder / "seal.pem"),
        "key_file": str(folder / "seal.key"),
        "roots_file": str(folder / SEAL_ROOT),
        "timestamp_url": url,
        "timestamp_roots_file": str(folder / STAMP_ROOT),
        "allow_private": True,
    }


def _refused(asked: Any) -> str | None:
    """Why no time stamp is given (RFC 3161, section 2.4.2), None where one is."""
    imprint = asked["message_imprint"]
    size = _DIGEST_BYTES.get(imprint["hash_algorithm"]["algorithm"].native)
    if asked["version"].native != "v1" or size is None:
        return "bad_request" if size is not None else "bad_alg"
    if len(imprint["hashed_message"].native) != size:
        return "bad_data_format"
    if asked["req_policy"].native not in (None, POLICY):
        return "unaccepted_policy"
    return "unaccepted_extensions" if asked["extensions"].native else None


def _handler(answer: Callable[[bytes], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_POST(self) -> None:
            size = self.headers.get("content-length", "")
            if not size.isascii() or not size.isdigit() or int(size) > MAX_REQUEST_BYTES:
                self.send_error(413)
                return
            body = answer(self.rfile.read(int(size)))
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Nothing: the demo's screen is not its log."""

    return Handler


def _root(name: str, now: datetime) -> Holder:
    basic = x509.BasicConstraints(ca=True, path_length=0)
    return _issued(name, None, now, [(basic, True), (_usage(key_cert_sign=True, crl_sign=True), True)])


def _issued(
    name: str, issuer: Holder | None, now: datetime, extensions: Sequence[tuple[x509.ExtensionType, bool]]
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=subject if issuer is None else issuer.certificate.subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + _DAYS,
    )
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Holder(builder.sign(key if issuer is None else issuer.key, hashes.SHA256()), key)


def _usage(**named: bool) -> x509.KeyUsage:
    every = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return x509.KeyUsage(**{**every, **named})
