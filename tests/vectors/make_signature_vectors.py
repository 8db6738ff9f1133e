"""Makes tests/vectors/signatures-v1: reviewers' signatures, right ones and one for each way of being wrong.

    python tests/vectors/make_signature_vectors.py        (writes the file; review what changed, then commit)

Nothing here is random and nothing depends on the day. The authenticator is one in software; what it is asked for is
what docs/format.md says of a signature, and each case but the good ones breaks exactly one rule.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attending.ledger.canonical import encode
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.entry import Commitment, PendingEntry, encode_entry
from attending.ledger.merkle import leaf_hash
from attending.ledger.vault import payload_commitment
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FOLDER = Path(__file__).parent / "signatures-v1"
LOG = "vectors.example/clinic"
STREAM = "inf_1"
RP_ID, SITE, OTHER_SITE = "clinic.example", "https://clinic.example", "https://review.clinic.example:8443"
START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
TAG, OTHER_TAG = b"attending-review-signature/1\n", b"attending-examination-signature/1\n"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
PRESENT, VERIFIED, ATTACHED, EXTENDED = 0x01, 0x04, 0x40, 0x80

Json = dict[str, Any]
Private = Ed25519PrivateKey | EllipticCurvePrivateKey


def seed(label: str) -> bytes:
    return hashlib.sha256(b"attending signature vectors: " + label.encode()).digest()


def text_of(data: bytes) -> str:
    return b64encode(data).decode()


def url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


# --- keys and payloads ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A reviewer's key with the private half; `user` is whose it is enrolled as."""

    algorithm: str
    private: Private
    user: str = "dr-rivera"
    roles: tuple[str, ...] = ("clinician",)
    not_after: str | None = None

    @property
    def passkey(self) -> bool:
        return self.algorithm.startswith("webauthn-")

    @property
    def public(self) -> bytes:
        if self.algorithm == "ed25519":
            assert isinstance(self.private, Ed25519PrivateKey)
            return public_bytes(self.private)
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        return key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)
        # RFC 6979: the same bytes each time.
        return low_s(self.private.sign(data, ECDSA(SHA256(), deterministic_signing=True)))

    def enrolment(self, **changes: Any) -> Json:
        body: Json = {
            "algorithm": self.algorithm,
            "key_id": self.key_id,
            "not_after": self.not_after,
            "public_key": text_of(self.public),
            "roles": list(self.roles),
            "user": self.user,
        }
        if self.passkey:
            body |= {
                "credential_id": url(seed(f"credential {self.key_id}")[:20]),
                "invitation": f"inv_{self.key_id}",
                "origins": [SITE, OTHER_SITE],
                "rp_id": RP_ID,
            }
        return {**body, **changes}


def ed25519(label: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(label))


def p256(label: str) -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(seed(label), "big") % P256_ORDER, SECP256R1())


FILE_ED25519 = Key("ed25519", ed25519("file"))
FILE_ES256 = Key("es256", p256("file"))
PASSKEY_ES256 = Key("webauthn-es256", p256("passkey"))
PASSKEY_ED25519 = Key("webauthn-ed25519", ed25519("passkey"))
EXPIRED = Key("ed25519", ed25519("expired"), not_after="2026-11-26T08:30:00.000000Z")
REVOKED = Key("ed25519", ed25519("revoked"))
OTHERS = Key("ed25519", ed25519("other"), user="dr-okafor", roles=("clinician", "pharmacist"))
UNKNOWN = Key("ed25519", ed25519("unknown"))
ENROLLED = (FILE_ED25519, FILE_ES256, PASSKEY_ES256, PASSKEY_ED25519, EXPIRED, REVOKED, OTHERS)

TEXT = "Continue lisinopril 10 mg once daily. Señora Ruiz was told why.".encode()


def view(**changes: Any) -> bytes:
    """What was displayed, as the console makes it, with changes."""
    shown = {
        "contradicted": [],
        "coverage": {},
        "dispositions": {"0": "accepted_risk"},
        "documents": [{"id": "doc_1", "text": "Blood pressure 150/95.", "version": 1}],
        "facts": [],
        "findings": [{"code": "DOSE_ABOVE_USUAL", "severity": "moderate"}],
        "findings_of_text": [],
        "format": "attending-view/1",
        "inference": STREAM,
        "output": TEXT.decode(),
        "patient": '{"birth_year": 1950}',
        "policy": "clinical-note",
        "policy_hash": "ef" * 32,
        "prompt": "Write the plan.",
        "reads": [],
        "role": "clinician",
        "signer": "dr-rivera",
        "signer_name": "Dr. Ana Rivera",
        "text": TEXT.decode(),
        "ticket": "tkt_1",
    }
    return encode({**shown, **changes})


class Vault:
    """Payloads with salts and commitments, by record."""

    def __init__(self) -> None:
        self.disclosed: dict[str, Json] = {}

    def put(self, record: str, kind: str, content: bytes) -> Commitment:
        salt = seed(f"salt {record}")
        self.disclosed[record] = {"content": content.decode(), "kind": kind, "salt": salt.hex()}
        commitment = payload_commitment(kind, salt, content).hex()
        return Commitment(kind, record, commitment, seed(f"ciphertext {record}").hex())


VAULT = Vault()
FINAL = VAULT.put("rec_text", "output_final", TEXT)
VIEW = VAULT.put("rec_view", "view", view())
OTHER_VIEW = VAULT.put("rec_view_2", "view", view(prompt="Write the letter."))
ANOTHER_TEXT = VAULT.put("rec_view_3", "view", view(text="Continue lisinopril 100 mg once daily."))
ANOTHER_SIGNER = VAULT.put("rec_view_4", "view", view(signer="dr-okafor"))
ANOTHER_ROLE = VAULT.put("rec_view_5", "view", view(role="pharmacist"))
ANOTHER_INFERENCE = VAULT.put("rec_view_6", "view", view(inference="inf_2"))


# --- a log ---------------------------------------------------------------------------------------------------


class Log:
    """Entries that link, a minute apart."""

    def __init__(self, stored: tuple[bytes, ...] = ()) -> None:
        self.stored = list(stored)

    def append(self, kind: str, stream: str, actor: str, body: Json, *commitments: Commitment) -> bytes:
        prev = leaf_hash(self.stored[-1]) if self.stored else bytes(32)
        pending = PendingEntry(kind, stream, actor, None, body)
        time = START + timedelta(minutes=len(self.stored))
        self.stored.append(encode_entry(LOG, len(self.stored), prev, time, pending, commitments))
        return self.stored[-1]


def beginning() -> tuple[bytes, ...]:
    """Enrolments of every key, each passkey's after its invitation, one revocation, and the text to be signed."""
    log = Log()
    for key in ENROLLED:
        if key.passkey:
            name = f"inv_{key.key_id}"
            half: Json = {"credential": name, "kind": "passkey", "user": key.user}
            stream = f"invitation:{name}"
            first = {**half, "half": "administrator", "expires": "2026-11-26T09:00:00.000000Z"}
            log.append("credential.issued", stream, "human:op-1", first)
            log.append("credential.issued", stream, "human:officer-1", {**half, "half": "officer"})
        actor = f"human:{key.user}" if key.passkey else "system:config"
        log.append("key.enrolled", f"key:{key.key_id}", actor, key.enrolment())
    log.append("key.revoked", f"key:{REVOKED.key_id}", "human:op-1", {"key_id": REVOKED.key_id})
    for stream in (STREAM, "inf_2"):
        log.append("inference.generated", stream, "system:srv", {}, FINAL)
    while len(log.stored) < 40:
        log.append("system.started", "system", "system:srv", {})
    return tuple(log.stored)


BEGINNING = beginning()


# --- signatures ----------------------------------------------------------------------------------------------


def statement(key: Key, **changes: Any) -> Json:
    fields: Json = {
        "disposed": 1,
        "findings": 1,
        "inference": STREAM,
        "key_id": key.key_id,
        "meaning": "approved",
        "nonce": "n-1",
        "origin": LOG,
        "policy_hash": "ef" * 32,
        "record": FINAL.record,
        "role": "clinician",
        "signer": "dr-rivera",
        "text_commitment": FINAL.commitment,
        "time": "2026-11-26T08:40:00.000000Z",
        "v": 1,
        "view_commitment": VIEW.commitment,
    }
    return {**fields, **changes}


def message(fields: Json, tag: bytes = TAG) -> bytes:
    return tag + encode(fields)


def client_data(challenge: bytes, /, **changes: Any) -> bytes:
    """As browsers write it; a change to None leaves the member out."""
    said: Json = {
        "type": "webauthn.get",
        "challenge": url(challenge),
        "origin": SITE,
        "crossOrigin": False,
        **changes,
    }
    kept = {name: value for name, value in said.items() if value is not None}
    return json.dumps(kept, separators=(",", ":")).encode()


def authenticator_data(
    flags: int = PRESENT | VERIFIED, count: int = 0, rp_id: str = RP_ID, tail: bytes = b""
) -> bytes:
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big") + tail


def assertion(key: Key, client: bytes, authenticator: bytes) -> Json:
    """The three parts of a passkey's answer."""
    signature = key.sign(authenticator + hashlib.sha256(client).digest())
    return {
        "authenticator_data": text_of(authenticator),
        "client_data": text_of(client),
        "signature": text_of(signature),
    }


def proof(key: Key, signed: bytes) -> Json:
    """What the key gives over a message."""
    if key.passkey:
        return assertion(key, client_data(hashlib.sha256(signed).digest()), authenticator_data())
    return {"signature": text_of(key.sign(signed))}


def body(key: Key, /, fields: Json | None = None, **changes: Any) -> Json:
    """The body of a `review.signed`; a change to None leaves the member out."""
    said = statement(key) if fields is None else fields
    named = {} if key.algorithm == "ed25519" else {"algorithm": key.algorithm}
    found = {"statement": said, "key_id": key.key_id, **named, **proof(key, message(said)), **changes}
    return {name: value for name, value in found.items() if value is not None}


def case(
    verdict: str,
    why: str,
    content: Json,
    *,
    shown: Commitment = VIEW,
    stream: str = STREAM,
    actor: str = "human:dr-rivera",
    before: Json | None = None,
) -> Json:
    log = Log(BEGINNING)
    found: Json = {"verdict": verdict, "why": why}
    if before is not None:
        found["before"] = log.append("review.signed", STREAM, actor, before, VIEW).decode()
    found["entry"] = log.append("review.signed", stream, actor, content, shown).decode()
    return found


def der(*numbers: bytes, length: int | None = None) -> bytes:
    """A SEQUENCE of INTEGERs with just these content bytes."""
    inner = b"".join(bytes((2, len(number))) + number for number in numbers)
    return bytes((0x30, len(inner) if length is None else length)) + inner


def unsigned(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def low_s(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def high_s(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, P256_ORDER - s)


def malformed_ecdsa(sign: Callable[[str], bytes]) -> Iterator[tuple[str, str, bytes]]:
    """(nonce, why, signature): the right numbers in a wrong form, or numbers out of range. `sign` is given a nonce."""
    nonce = next(
        name
        for name in (f"n-{count}" for count in range(100))
        if decode_dss_signature(sign(name))[0] >> 255 and decode_dss_signature(sign(name))[1] >> 247
    )
    good = sign(nonce)
    r, s = decode_dss_signature(good)
    one, two = unsigned(r), unsigned(s)
    yield nonce, "r without the zero that keeps it positive", der(one[1:], two)
    yield nonce, "r with a zero too many", der(b"\0" + one, two)
    yield nonce, "s with a zero too many", der(one, b"\0" + two)
    yield nonce, "a length in the long form", b"\x30\x81" + good[1:]
    yield nonce, "an indefinite length", b"\x30\x80" + good[2:] + b"\0\0"
    yield nonce, "a byte after the end", good + b"\0"
    yield nonce, "a byte after the end, counted in", der(one, two, length=good[1] + 1) + b"\0"
    yield nonce, "a third integer", der(one, two, b"\x01")
    yield nonce, "cut short", good[:-1]
    yield nonce, "a set instead of a sequence", b"\x31" + good[1:]
    yield nonce, "r and s of 32 bytes each, not DER", r.to_bytes(32, "big") + s.to_bytes(32, "big")
    yield nonce, "nothing", b""
    yield nonce, "r and s of 0", der(b"\0", b"\0")
    yield nonce, "s past the order of the group", der(one, unsigned(s + P256_ORDER))
    yield nonce, "s negative", der(one, (-s).to_bytes(33, "big", signed=True))
    yield nonce, "another s", encode_dss_signature(r, (s + 1) % P256_ORDER)


def file_cases(key: Key) -> Iterator[Json]:
    """Of a key in a file, whose signature is over the message itself."""
    name, good = key.algorithm, body(key)
    yield case("OK", f"{name}", good)
    rejected = statement(key, meaning="rejected", disposed=0)
    yield case("OK", f"{name}: a refusal", body(key, rejected))
    yield case("OK", f"{name}: members of later versions in the body", body(key, reading={"tag": "later"}))
    changed: Mapping[str, Json] = {
        "another meaning": {"meaning": "approved_with_edits"},
        "another count of findings": {"findings": 2, "disposed": 2},
        "another nonce": {"nonce": "n-2"},
        "another time": {"time": "2026-11-26T08:39:00.000000Z"},
        "another policy": {"policy_hash": "ee" * 32},
    }
    for why, fields in changed.items():
        after = {**good, "statement": {**good["statement"], **fields}}
        yield case("SIGNATURE", f"{name}: {why} than was signed", after)
    yield case(
        "SIGNATURE",
        f"{name}: a signature over the statement without its tag",
        body(key, signature=text_of(key.sign(encode(statement(key))))),
    )
    yield case(
        "SIGNATURE",
        f"{name}: a signature under the tag of an examination",
        body(key, signature=text_of(key.sign(message(statement(key), OTHER_TAG)))),
    )
    hashed = key.sign(hashlib.sha256(message(statement(key))).digest())
    yield case(
        "SIGNATURE", f"{name}: a signature over the hash of the message", body(key, signature=text_of(hashed))
    )
    if key.algorithm == "ed25519":
        right = key.sign(message(statement(key)))
        whole = int.from_bytes(right[32:], "little") + ED25519_ORDER
        for why, wrong in {
            "S not reduced": right[:32] + whole.to_bytes(32, "little"),
            "a byte too few": right[:-1],
            "a byte too many": right + b"\0",
            "one bit of R": bytes((right[0] ^ 1,)) + right[1:],
            "nothing": b"",
        }.items():
            yield case("SIGNATURE", f"{name}: {why}", body(key, signature=text_of(wrong)))
        return
    strict = text_of(high_s(key.sign(message(statement(key)))))
    yield case("OK", f"{name}: the other s of the same signature", body(key, signature=strict))
    for nonce, why, wrong in malformed_ecdsa(lambda nonce: key.sign(message(statement(key, nonce=nonce)))):
        fields = statement(key, nonce=nonce)
        yield case("SIGNATURE", f"{name}: {why}", body(key, fields, signature=text_of(wrong)))


def client_data_cases(key: Key, challenge: bytes) -> Iterator[tuple[str, str, bytes]]:
    """(verdict, why, client data), signed as it stands."""

    def said(**changes: Any) -> bytes:
        return client_data(challenge, **changes)

    plain = said().decode()
    yield "OK", "on the second of its origins", said(origin=OTHER_SITE)
    yield "OK", "crossOrigin left out", said(crossOrigin=None)
    yield "OK", "members that a later browser adds", said(other_keys_can_be_added_here=[{"a": 1.5e3}])
    spaced = json.dumps(json.loads(plain), indent=1).replace("webauthn.get", "webauthn.\\u0067et")
    yield "OK", "written with spaces and escapes", spaced.encode()
    yield "CLIENT_DATA_FORMAT", "a name twice", (plain[:-1] + ',"origin":"https://clinic.example"}').encode()
    yield "CLIENT_DATA_FORMAT", "a name twice further in", (plain[:-1] + ',"x":{"y":1,"y":2}}').encode()
    yield "CLIENT_DATA_FORMAT", "an array", f"[{plain}]".encode()
    yield "CLIENT_DATA_FORMAT", "a byte order mark", b"\xef\xbb\xbf" + plain.encode()
    yield "CLIENT_DATA_FORMAT", "UTF-16", plain.encode("utf-16")
    yield "CLIENT_DATA_FORMAT", "no UTF-8", plain[:-1].encode() + b',"x":"\xff"}'
    yield "CLIENT_DATA_FORMAT", "a second document behind it", (plain + "{}").encode()
    yield "CLIENT_DATA_FORMAT", "more than 4096 bytes", plain.encode() + b" " * 4096
    yield "CLIENT_DATA_FORMAT", "nothing", b""
    yield "CLIENT_DATA_TYPE", "of a registration", said(type="webauthn.create")
    yield "CLIENT_DATA_TYPE", "of a payment", said(type="payment.get")
    yield "CLIENT_DATA_TYPE", "of no type", said(type=None)
    yield "CLIENT_DATA_TYPE", "of a type that is no text", said(type=["webauthn.get"])
    yield "CHALLENGE", "padded", said(challenge=url(challenge) + "=")
    yield "CHALLENGE", "of half the hash", said(challenge=url(challenge[:16]))
    yield "CHALLENGE", "in hex", said(challenge=challenge.hex())
    yield "CHALLENGE", "none", said(challenge=None)
    other = statement(key, nonce="n-other")
    elsewhere = {
        "another statement's": message(other),
        "another meaning's": message(statement(key, meaning="rejected")),
        "another record's": message(statement(key, record="rec_other", text_commitment="ab" * 32)),
        "another view's": message(statement(key, view_commitment=OTHER_VIEW.commitment)),
        "the statement's without its tag": encode(statement(key)),
        "an examination's": message(statement(key), OTHER_TAG),
    }
    for why, signed in elsewhere.items():
        yield "CHALLENGE", why, client_data(hashlib.sha256(signed).digest())
    for why, origin in {
        "another site": "https://clinic.example.evil.example",
        "a path": f"{SITE}/",
        "plain http": SITE.replace("https", "http"),
        "another port": f"{SITE}:8443",
        "a host beneath it that is not enrolled": "https://x.clinic.example",
        "in capitals": "https://Clinic.example",
        "a list": [SITE],
        "none": None,
    }.items():
        yield "ORIGIN", why, said(origin=origin)
    yield "FRAME", "crossOrigin", said(crossOrigin=True)
    yield "FRAME", "a crossOrigin that is no boolean", said(crossOrigin=0)
    yield "FRAME", "topOrigin", said(topOrigin="https://ehr.example")


def passkey_cases(key: Key) -> Iterator[Json]:
    """Of a passkey, whose signature is over two documents that answer the message."""
    name, fields = key.algorithm, statement(key)
    challenge = hashlib.sha256(message(fields)).digest()
    client = client_data(challenge)

    def signed(verdict: str, why: str, said: bytes = client, **data: Any) -> Json:
        parts = assertion(key, said, authenticator_data(**data))
        return case(verdict, f"{name}: {why}", body(key, fields, **parts))

    good = body(key)
    yield case("OK", name, good)
    yield signed("OK", "the count of signatures 7", count=7)
    yield signed("OK", "the count of signatures at its most", count=2**32 - 1)
    yield signed("OK", "a synchronised passkey", flags=PRESENT | VERIFIED | 0x18)
    yield signed("OK", "extensions", flags=PRESENT | VERIFIED | EXTENDED, tail=b"\xa1\x61x\xf5")
    for verdict, why, said in client_data_cases(key, challenge):
        yield signed(verdict, f"{verdict.lower().replace('_', ' ')}: {why}", said)
    yield signed("RP_ID", "another RP", rp_id="clinic.example.evil.example")
    yield signed("RP_ID", "the site's address instead of its domain", rp_id=SITE)
    yield signed("USER_PRESENT", "nobody there", flags=VERIFIED)
    yield signed("USER_VERIFIED", "the person not verified", flags=PRESENT)
    yield signed("USER_PRESENT", "no flag at all", flags=0)
    yield signed("AUTHENTICATOR_DATA", "a key attached", flags=PRESENT | VERIFIED | ATTACHED)
    yield signed(
        "AUTHENTICATOR_DATA", "extensions declared and none there", flags=PRESENT | VERIFIED | EXTENDED
    )
    yield signed("AUTHENTICATOR_DATA", "bytes that nothing declares", tail=b"\xa0")
    short = assertion(key, client, authenticator_data()[:-1])
    yield case("AUTHENTICATOR_DATA", f"{name}: authenticator data cut short", body(key, fields, **short))
    # Parts of two good answers of the same key, put together.
    other = assertion(
        key,
        client_data(hashlib.sha256(message(statement(key, nonce="n-other"))).digest()),
        authenticator_data(count=1),
    )
    yield case("CHALLENGE", f"{name}: the whole answer to another statement", body(key, fields, **other))
    for part in ("authenticator_data", "signature"):
        swapped = {**good, part: other[part]}
        yield case("SIGNATURE", f"{name}: the {part.replace('_', ' ')} of another answer", swapped)
    spaced = {**good, "client_data": text_of(client.replace(b'{"type"', b'{ "type"'))}
    yield case("SIGNATURE", f"{name}: a space in the client data after signing", spaced)
    direct = body(key, fields, signature=text_of(key.sign(message(fields))))
    yield case("SIGNATURE", f"{name}: a signature over the message itself", direct)
    for part in ("authenticator_data", "client_data", "signature"):
        yield case("PROOF_FORMAT", f"{name}: without {part.replace('_', ' ')}", body(key, **{part: None}))
    yield case(
        "PROOF_FORMAT",
        f"{name}: padding missing",
        body(key, client_data=good["client_data"].rstrip("=") + "!"),
    )
    for why, commitment in {"another text": ANOTHER_TEXT, "another signer": ANOTHER_SIGNER,
                            "another role": ANOTHER_ROLE, "another inference": ANOTHER_INFERENCE}.items():  # fmt: skip
        shown = body(key, statement(key, view_commitment=commitment.commitment))
        yield case("DISPLAYED", f"{name}: what was displayed has {why}", shown, shown=commitment)
    yield case("VIEW", f"{name}: another view on record than was signed", good, shown=OTHER_VIEW)
    yield from place_cases(key)
    if key.algorithm == "webauthn-es256":
        right = key.sign(authenticator_data() + hashlib.sha256(client).digest())
        yield case(
            "OK", f"{name}: the other s of the same signature", body(key, signature=text_of(high_s(right)))
        )

        def answer(nonce: str) -> bytes:
            said = client_data(hashlib.sha256(message(statement(key, nonce=nonce))).digest())
            return key.sign(authenticator_data() + hashlib.sha256(said).digest())

        for nonce, why, wrong in malformed_ecdsa(answer):
            content = body(key, statement(key, nonce=nonce), signature=text_of(wrong))
            yield case("SIGNATURE", f"{name}: {why}", content)


def place_cases(key: Key) -> Iterator[Json]:
    """Signatures that verify, in a place that they were not made for."""
    name, good = key.algorithm, body(key)
    yield case("NONCE", f"{name}: the same signature again", good, before=good)
    again = body(key, statement(key, meaning="rejected"))
    yield case("NONCE", f"{name}: the same nonce for another statement", again, before=good)
    yield case("LOG", f"{name}: moved to another inference", good, stream="inf_2")
    yield case("LOG", f"{name}: made for another log", body(key, statement(key, origin="vectors.example/b")))
    missing = statement(key, record="rec_nowhere")
    yield case("RECORD", f"{name}: a record that there is not", body(key, missing))
    another = statement(key, text_commitment=VIEW.commitment)
    yield case("RECORD", f"{name}: another text than the record's", body(key, another))


def algorithm_cases() -> Iterator[Json]:
    """A key signs as what it was enrolled as, or not at all."""
    no_assertion: Json = {"authenticator_data": None, "client_data": None}
    for key in (PASSKEY_ES256, PASSKEY_ED25519):
        named = key.algorithm.removeprefix("webauthn-")
        plain = text_of(key.sign(message(statement(key))))
        without = body(key, **{**no_assertion, "algorithm": named, "signature": plain})
        yield case("ALGORITHM", f"{key.algorithm}: signs as a key in a file", without)
        yield case(
            "PROOF_FORMAT", f"{key.algorithm}: names {named}, with an assertion", body(key, algorithm=named)
        )
    other = {"webauthn-es256": "webauthn-ed25519", "webauthn-ed25519": "webauthn-es256"}
    for key in (PASSKEY_ES256, PASSKEY_ED25519):
        yield case(
            "ALGORITHM", f"{key.algorithm}: names the other one", body(key, algorithm=other[key.algorithm])
        )
    as_passkey = Key("webauthn-es256", FILE_ES256.private)
    yield case("ALGORITHM", "es256: signs as a passkey", body(as_passkey))
    yield case("ALGORITHM", "es256: algorithm left out, which is ed25519", body(FILE_ES256, algorithm=None))
    yield case("ALGORITHM", "ed25519: names es256", body(FILE_ED25519, algorithm="es256"))
    for name in ("rs256", "ES256", "none", "", None, 7, ["es256"]):
        found = {**body(FILE_ES256), "algorithm": name}
        yield case("PROOF_FORMAT", f"es256: algorithm {json.dumps(name)}", found)


def key_cases() -> Iterator[Json]:
    """Keys that were not the signer's to sign with."""
    yield case("KEY", "a key that was never enrolled", body(UNKNOWN))
    yield case("KEY", "a key that had expired", body(EXPIRED))
    yield case("KEY", "a key that was revoked", body(REVOKED))
    yield case("KEY", "another person's key", body(OTHERS))
    theirs = statement(FILE_ED25519, role="pharmacist", view_commitment=ANOTHER_ROLE.commitment)
    yield case(
        "ROLE", "a role that the key is not enrolled in", body(FILE_ED25519, theirs), shown=ANOTHER_ROLE
    )
    yield case("KEY_ID", "another key id beside the statement", body(FILE_ED25519, key_id=FILE_ES256.key_id))
    swapped = body(FILE_ED25519, **proof(OTHERS, message(statement(FILE_ED25519))))
    yield case("SIGNATURE", "signed by another key than it names", swapped)


def statement_cases() -> Iterator[Json]:
    """Statements that are none, signed as they stand."""
    key = FILE_ED25519
    changes: Mapping[str, Json] = {
        "a member too many": {"extra": 1},
        "version 2": {"v": 2},
        "a version that is true": {"v": True},
        "an unknown meaning": {"meaning": "seen"},
        "a negative count": {"disposed": -1},
        "a count that is text": {"findings": "1"},
        "upper-case hex": {"text_commitment": FINAL.commitment.upper()},
        "an empty nonce": {"nonce": ""},
        "a time without microseconds": {"time": "2026-11-26T08:40:00Z"},
    }
    for why, fields in changes.items():
        yield case("STATEMENT", why, body(key, statement(key, **fields)))
    short = statement(key)
    del short["nonce"]
    yield case("STATEMENT", "a member too few", body(key, short))


def make() -> bytes:
    """The file's bytes."""
    cases = [
        *file_cases(FILE_ED25519),
        *place_cases(FILE_ED25519),
        *file_cases(FILE_ES256),
        *place_cases(FILE_ES256),
        *passkey_cases(PASSKEY_ES256),
        *passkey_cases(PASSKEY_ED25519),
        *algorithm_cases(),
        *key_cases(),
        *statement_cases(),
    ]
    found = {
        "before": [entry.decode() for entry in BEGINNING],
        "cases": cases,
        "disclosed": VAULT.disclosed,
    }
    return (json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "signatures.json").write_bytes(make())
