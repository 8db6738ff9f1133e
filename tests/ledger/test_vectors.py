"""The published vectors: every file of them is used by a test, or stands here with the reason why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attending.ledger.canonical import parse_canonical
from attending.ledger.errors import CanonicalError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VECTORS = Path(__file__).parents[3] / "shared/vectors"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="published vectors are not on this machine")

USED = {
    "merkle-rfc6962/inclusion/": "tests/ledger/test_merkle.py reads all of them",
    "merkle-rfc6962/consistency/": "tests/ledger/test_merkle.py reads all of them",
    "merkle-rfc6962/constants.json": "tests/ledger/test_merkle.py",
    "rfc8785-jcs/input/": "tests/ledger/test_canonical.py",
    "rfc8785-jcs/output/": "tests/ledger/test_canonical.py, and below",
    "rfc8785-jcs/outhex/": "tests/ledger/test_canonical.py, and below",
    "wycheproof/ed25519_test.json": "tests/ledger/test_note.py",
    "wycheproof/ecdsa_secp256r1_sha256_test.json": "tests/ledger/test_signature_vectors.py",
    "wycheproof/aes_gcm_test.json": "below",
}
NOT_USED = {
    "rfc3161/": "this version neither asks for nor reads time stamps (V4 of the verifier's report says so)",
}


@needs_vectors
def test_every_published_file_is_used_or_accounted_for() -> None:
    files = [str(path.relative_to(VECTORS)) for path in sorted(VECTORS.rglob("*")) if path.is_file()]
    known = (*USED, *NOT_USED)
    left = [
        name
        for name in files
        if not name.startswith(known) and Path(name).name not in ("LICENSE", "README.md")
    ]
    assert left == []
    for name in known:
        assert any(item.startswith(name) for item in files), name


@needs_vectors
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_published_canonical_text_is_taken_exactly_where_the_model_allows_it(name: str) -> None:
    data = (VECTORS / "rfc8785-jcs/output" / f"{name}.json").read_bytes()
    assert bytes.fromhex((VECTORS / "rfc8785-jcs/outhex" / f"{name}.txt").read_text()) == data
    if name in ("french", "weird", "values"):  # keys of other scripts, floats
        with pytest.raises(CanonicalError):
            parse_canonical(data)
    else:
        parse_canonical(data)


@needs_vectors
def test_wycheproof_aes_gcm_with_the_sizes_that_payloads_use() -> None:
    """Keys of 32 bytes, nonces of 12, tags of 16: what seals a payload. A wrong tag never opens."""
    groups = json.loads((VECTORS / "wycheproof/aes_gcm_test.json").read_text())["testGroups"]
    seen = {"valid": 0, "invalid": 0}
    for group in groups:
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        for case in group["tests"]:
            key, nonce, aad, text, sealed, tag = (
                bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            seen[case["result"]] += 1
            if case["result"] == "valid":
                assert AESGCM(key).decrypt(nonce, sealed + tag, aad) == text
                assert AESGCM(key).encrypt(nonce, text, aad) == sealed + tag
            else:
                with pytest.raises(InvalidTag):
                    AESGCM(key).decrypt(nonce, sealed + tag, aad)
    assert min(seen.values()) > 0
