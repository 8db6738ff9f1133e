"""What a browser answers: a new passkey, or an assertion of one. Parsed here, and nothing of it believed before.

A new passkey is read and checked by the library `webauthn`; its key is then kept as SubjectPublicKeyInfo, so that
nobody who verifies a signature later needs to read CBOR.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.errors import VerificationError
from attending.ledger.reviewer_key import MAX_CREDENTIAL_ID_BYTES, Algorithm, Proof, ReviewerKey, check_key
from attending.ledger.webauthn import Assertion, decode_base64url, encode_base64url
from attending.server.errors import FailedPrecondition, InvalidRequest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn import verify_registration_response
from webauthn.helpers import decode_credential_public_key
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decoded_public_key_to_cryptography import decoded_public_key_to_cryptography
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import CredentialDeviceType

MAX_RESPONSE_CHARS: Final = 32_768
ALGORITHMS: Final = (COSEAlgorithmIdentifier.EDDSA, COSEAlgorithmIdentifier.ECDSA_SHA_256)
"""Of passkeys that may be made, the better first."""


@dataclass(frozen=True, slots=True)
class Party:
    """The site as browsers know it: its domain, its name for people, where it may be visited, and the pages in whose
    frames somebody may sign there.
    """

    rp_id: str
    name: str
    origins: tuple[str, ...]
    top_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that was made for a challenge of ours. `aaguid` is the model that its authenticator says it is, which
    is not proved; `synced` is True for one that is not bound to its device.
    """

    key: ReviewerKey
    aaguid: str
    synced: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser gives as an assertion; `credential_id` is base64url."""

    credential_id: str
    proof: Proof


def parse_response(text: str | bytes) -> dict[str, Any]:
    """The JSON of `PublicKeyCredential.toJSON()`; InvalidRequest for anything else, or for more than 32 Ki."""
    try:
        value = json.loads(text) if len(text) <= MAX_RESPONSE_CHARS else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("response"), dict):
        raise InvalidRequest([("credential", "must be what the browser gave, as JSON")])
    return value


def read_registration(response: Mapping[str, Any], challenge: bytes, party: Party) -> NewPasskey:
    """The passkey in an answer to `challenge`; FailedPrecondition (PASSKEY_REFUSED) for any other answer.

    It was made on one of the party's origins and for its RP id, by a person whom the device verified; it signs with
    Ed25519 or ES256. An attestation is checked as far as it goes without roots of trust: none is asked for.
    """
    try:
        found = verify_registration_response(
            credential=dict(response),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=list(party.origins),
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
        if not 1 <= len(found.credential_id) <= MAX_CREDENTIAL_ID_BYTES:
            raise ValueError("credential id")
        public = decoded_public_key_to_cryptography(decode_credential_public_key(found.credential_public_key))
        algorithm = (
            Algorithm.WEBAUTHN_ED25519 if isinstance(public, Ed25519PublicKey) else Algorithm.WEBAUTHN_ES256
        )
        encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        check_key(algorithm, encoded)
    except (WebAuthnException, VerificationError, ValueError, TypeError, KeyError, IndexError) as err:
        # The library lets some malformed answers fall through as errors of the language.
        raise FailedPrecondition("PASSKEY_REFUSED") from err
    key = ReviewerKey(
        algorithm,
        encoded,
        rp_id=party.rp_id,
        origins=party.origins,
        credential_id=encode_base64url(found.credential_id),
        top_origins=party.top_origins,
    )
    return NewPasskey(key, found.aaguid, found.credential_device_type is CredentialDeviceType.MULTI_DEVICE)


def read_assertion(response: Mapping[str, Any]) -> Answer:
    """The assertion in a browser's answer, unverified; InvalidRequest when a part is missing or not base64url."""
    parts = response["response"]
    credential = decode_base64url(response.get("id"))
    signature, authenticator_data, client_data = (
        decode_base64url(parts.get(name)) for name in ("signature", "authenticatorData", "clientDataJSON")
    )
    if not credential or not signature or not authenticator_data or not client_data:
        raise InvalidRequest([("credential", "must be an assertion, as the browser gave it")])
    return Answer(encode_base64url(credential), Proof(signature, Assertion(authenticator_data, client_data)))


def request_options(
    rp_id: str, challenge: bytes, credential_ids: Sequence[str], seconds: float
) -> dict[str, Any]:
    """`PublicKeyCredentialRequestOptions` as JSON: the person is verified, by one of those named, if any."""
    return {
        "challenge": encode_base64url(challenge),
        "rpId": rp_id,
        "allowCredentials": [{"type": "public-key", "id": one} for one in credential_ids],
        "userVerification": "required",
        "timeout": round(seconds * 1000),
    }


def signing_options(key: ReviewerKey, challenge: bytes, seconds: float = 120.0) -> dict[str, Any]:
    """`request_options` for a signature by that passkey and no other."""
    assert key.rp_id is not None
    assert key.credential_id is not None
    return request_options(key.rp_id, challenge, (key.credential_id,), seconds)
