"""An RFC 3161 time-stamp token over a signature, verified step by step (V4).

1. the authority's signature over the token; 2. the imprint is that of the bytes stamped; 3. the certificate is for
time stamps alone, critically; 4. the time lies inside the validity of the authority's certificate and of every one
above it; 5. the path leads to a root that was given. Libraries differ in the fourth: it is what keeps an authority from
dating a stamp before it existed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf import chain, cms, der
from attending.ledger.verify.pdf.cms import SignedData
from attending.ledger.verify.pdf.der import GENERALIZED_TIME, OCTET_STRING
from cryptography import x509

MAX_TOKEN_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Token:
    """A parsed token, not verified yet."""

    time: datetime
    serial: int
    nonce: int | None
    signed: SignedData
    _digest: str
    _imprint: bytes


def parse_token(data: bytes) -> Token:
    """The token in `data`, a CMS signature over a TSTInfo."""
    if len(data) > MAX_TOKEN_BYTES:
        raise VerificationError(f"time stamp exceeds {MAX_TOKEN_BYTES} bytes")
    signed = cms.parse(data, cms.TST_INFO)
    if signed.content is None:
        raise VerificationError("time stamp has no content")
    info = der.parse(signed.content).children()
    if len(info) < 5 or info[0].integer() != 1:
        raise VerificationError("time stamp is of another version")
    imprint = info[2].children()
    if len(imprint) != 2 or imprint[1].tag != OCTET_STRING or info[4].tag != GENERALIZED_TIME:
        raise VerificationError("time stamp is not well formed")
    nonces = [item.integer() for item in info[5:] if item.tag == der.INTEGER]
    if len(nonces) > 1:
        raise VerificationError("time stamp is not well formed")
    nonce = nonces[0] if nonces else None
    digest = cms.digest_name(imprint[0])
    return Token(info[4].time(), info[3].integer(), nonce, signed, digest, imprint[1].octets())


def verify_token(
    token: Token,
    stamped: bytes,
    roots: Sequence[x509.Certificate],
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> chain.Path | None:
    """The path of the authority, None when no root was given; raises VerificationError where a step fails."""
    signed = token.signed
    assert signed.content is not None
    signed.verify(hashlib.new(signed.digest, signed.content).digest())  # 1
    if hashlib.new(token._digest, stamped).digest() != token._imprint:  # 2
        raise VerificationError("time stamp is of something else than this seal")
    chain.stamp_purpose(signed.signer)  # 3
    if not signed.signer.not_valid_before_utc <= token.time <= signed.signer.not_valid_after_utc:  # 4
        raise VerificationError("time stamp is dated outside the validity of its authority's certificate")
    if not roots:
        return None
    return chain.verify_path(signed.signer, signed.certificates, roots, token.time, lists)  # 4, 5
