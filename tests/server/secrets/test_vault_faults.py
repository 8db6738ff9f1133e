"""A Vault that is slow, gone, broken, redirecting, lying or unwilling: refused with what it is, and in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.ledger.errors import KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable
from attending.ledger.wrapping import Root
from attending.server.secrets.vault_transit import VaultTransitWrapper, in_own_loop

from tests.server.secrets.conftest import private
from tests.server.secrets.vault_server import VaultServer

PLACE = {"log": "clinic", "key": "kek"}


@pytest.fixture
def wrapper(vault: VaultServer, token_file: Path) -> VaultTransitWrapper:
    return VaultTransitWrapper(vault.url, "attending", token_file, timeout_seconds=1)


@pytest.mark.parametrize(
    "fault",
    ["slow", "drip", "hang-up", "huge", "garbage", "truncated", "empty", "wrong-types", "500", "503", "429"],
)
def test_no_useful_answer_is_unavailable(
    vault: VaultServer, wrapper: VaultTransitWrapper, fault: str
) -> None:
    wrapped = wrapper.wrap(b"secret", PLACE)
    vault.fault = fault
    with pytest.raises(KeyStoreUnavailable):
        wrapper.wrap(b"secret", PLACE)
    with pytest.raises(KeyStoreUnavailable):
        wrapper.unwrap(wrapped, PLACE)
    with pytest.raises(KeyStoreUnavailable):
        wrapper.rewrap(wrapped, PLACE)
    vault.fault = None
    assert wrapper.unwrap(wrapped, PLACE) == b"secret"


def test_one_that_is_gone_is_unavailable(vault: VaultServer, wrapper: VaultTransitWrapper) -> None:
    wrapped = wrapper.wrap(b"secret", PLACE)
    vault.close()
    with pytest.raises(KeyStoreUnavailable):
        wrapper.unwrap(wrapped, PLACE)


def test_a_redirect_is_not_followed(vault: VaultServer, wrapper: VaultTransitWrapper) -> None:
    vault.fault = "redirect"
    with pytest.raises(KeyStoreRefused):
        wrapper.wrap(b"secret", PLACE)
    assert vault.calls == []


def test_a_token_that_is_not_good_is_refused(
    vault: VaultServer, wrapper: VaultTransitWrapper, token_file: Path
) -> None:
    wrapped = wrapper.wrap(b"secret", PLACE)
    for text in ("hvs.another", "", "two words", "\N{SNOWMAN}"):
        private(token_file, text)
        with pytest.raises(KeyStoreRefused):
            wrapper.unwrap(wrapped, PLACE)
    token_file.unlink()
    with pytest.raises(KeyStoreRefused):
        wrapper.unwrap(wrapped, PLACE)
    # Renewed by an agent, it counts at the next call.
    vault.tokens = {"hvs.renewed"}
    private(token_file, "hvs.renewed\n")
    assert wrapper.unwrap(wrapped, PLACE) == b"secret"
    token_file.chmod(0o644)
    with pytest.raises(KeyStoreRefused):
        wrapper.unwrap(wrapped, PLACE)


def test_a_key_that_is_gone_or_retired_is_refused(vault: VaultServer, wrapper: VaultTransitWrapper) -> None:
    wrapped = wrapper.wrap(b"secret", PLACE)
    vault.rotate()
    vault.minimum = 2
    with pytest.raises(KeyStoreRefused):
        wrapper.unwrap(wrapped, PLACE)
    vault.minimum = 1
    assert wrapper.version(wrapper.rewrap(wrapped, PLACE)) == "v2"
    del vault.keys["attending"]
    with pytest.raises(KeyStoreRefused):
        wrapper.unwrap(wrapped, PLACE)
    with pytest.raises(KeyStoreRefused):
        wrapper.wrap(b"secret", PLACE)


def test_another_mount_or_namespace_is_refused(vault: VaultServer, token_file: Path) -> None:
    with pytest.raises(KeyStoreRefused):
        VaultTransitWrapper(vault.url, "attending", token_file, mount="kv").wrap(b"secret", PLACE)
    vault.namespace = "clinic"
    with pytest.raises(KeyStoreRefused):
        VaultTransitWrapper(vault.url, "attending", token_file).wrap(b"secret", PLACE)
    own = VaultTransitWrapper(vault.url, "attending", token_file, namespace="clinic")
    assert own.unwrap(own.wrap(b"secret", PLACE), PLACE) == b"secret"


def test_a_vault_that_gives_another_secret_is_found_out(
    vault: VaultServer, wrapper: VaultTransitWrapper
) -> None:
    root = Root(wrapper)
    data = root.seal("clinic", "kek", bytes(32))
    vault.fault = "other-secret"
    with pytest.raises(KeysNotOpen):
        root.open("clinic", "kek", data)
    vault.fault = None
    vault.rotate()
    assert root.resealed("clinic", "kek", data) is not None


def test_an_error_of_ours_is_not_taken_for_one_of_vault() -> None:
    async def wrong() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_own_loop(wrong, 5)


def test_the_token_stands_in_no_error(vault: VaultServer, wrapper: VaultTransitWrapper) -> None:
    vault.close()
    with pytest.raises(KeyStoreUnavailable) as caught:
        wrapper.wrap(b"secret", PLACE)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "hvs." not in f"{caught.value!r} {wrapper!r}"
