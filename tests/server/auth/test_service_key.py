"""Service keys: what is kept of one, and what it is held against."""

from __future__ import annotations

import pytest
from attending.server.auth.service_key import (
    LEAST,
    RFC_9106,
    TOKEN_CHARS,
    flaw_of_hash,
    hash_service_key,
    matches,
    new_service_key,
    prefix_of,
)

TOKEN = "att_0123abcd_" + "A" * 43


def test_keys_are_fresh_and_have_a_public_prefix() -> None:
    keys = {new_service_key() for _ in range(50)}
    assert len(keys) == len({prefix_of(key) for key in keys}) == 50
    assert {len(key) for key in keys} == {TOKEN_CHARS}
    assert prefix_of(TOKEN) == "0123abcd"


@pytest.mark.parametrize(
    "text",
    ["", "att_", TOKEN[:-1], TOKEN + "A", TOKEN + "\n", TOKEN.upper(), TOKEN.replace("A", "é"), " " + TOKEN],
)
def test_what_is_no_key(text: str) -> None:
    assert prefix_of(text) is None
    assert not matches(text, hash_service_key(TOKEN, LEAST))
    with pytest.raises(ValueError, match="not a service key"):
        hash_service_key(text, LEAST)


def test_a_hash_is_argon2id_with_the_parameters_of_rfc_9106_and_a_salt_of_its_own() -> None:
    first, second = hash_service_key(TOKEN), hash_service_key(TOKEN)
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (RFC_9106.memory_kib, RFC_9106.passes, RFC_9106.lanes) == (65536, 3, 4)
    assert first != second
    assert matches(TOKEN, first)
    assert TOKEN not in first


def test_only_the_very_token_fits() -> None:
    kept = hash_service_key(TOKEN, LEAST)
    assert flaw_of_hash(kept) is None
    assert matches(TOKEN, kept)
    for index in (4, 13, len(TOKEN) - 1):
        other = TOKEN[:index] + "b" + TOKEN[index + 1 :]
        assert not matches(other, kept)
    assert not matches(TOKEN, kept[:-4] + ("AAAA" if kept[-4:] != "AAAA" else "BBBB"))


@pytest.mark.parametrize(
    "phc", ["", "plain", "0" * 64, "$argon2id$v=19$m=4194304,t=3,p=4$" + "A" * 22 + "$" + "B" * 43]
)
def test_what_is_no_hash_fits_nothing(phc: str) -> None:
    assert flaw_of_hash(phc)
    assert not matches(TOKEN, phc)
