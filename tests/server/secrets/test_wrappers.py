"""One contract for every root: what is wrapped opens at its place under its root, and nowhere else."""

from __future__ import annotations

import threading

import pytest
from attending.ledger.errors import KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable, LedgerError
from attending.ledger.wrapping import MAX_KEY_BYTES, MAX_WRAPPED_BYTES, Root

from tests.server.secrets.conftest import World

SECRET = b"a signing key, or whatever else\0\xff"
PLACE = {"log": "clinic", "key": "kek"}
REFUSED = (KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable)


def not_open(world: World) -> tuple[type[LedgerError], ...]:
    """KMS answers AccessDenied when bytes name a key that it does not know, as if it did and we might not."""
    return (KeysNotOpen, KeyStoreRefused) if world.section["kind"] == "aws_kms" else (KeysNotOpen,)


def test_what_is_wrapped_opens_again_also_in_another_process(world: World) -> None:
    for secret in (b"x", SECRET, bytes(MAX_KEY_BYTES)):
        wrapped = world.wrapper.wrap(secret, PLACE)
        assert len(wrapped) <= MAX_WRAPPED_BYTES
        assert secret[:16] not in wrapped or secret == b"x"
        assert world.wrapper.unwrap(wrapped, PLACE) == secret
        assert world.again().unwrap(wrapped, PLACE) == secret
    assert world.wrapper.wrap(SECRET, PLACE) != world.wrapper.wrap(SECRET, PLACE)


def test_altered_bytes_do_not_open(world: World) -> None:
    wrapped = world.wrapper.wrap(SECRET, PLACE)
    middle = len(wrapped) * 2 // 3
    flipped = wrapped[:middle] + bytes([wrapped[middle] ^ 1]) + wrapped[middle + 1 :]
    for bad in (b"", b"x", wrapped[:-8], wrapped[: len(wrapped) // 2], bytes(len(wrapped)), flipped):
        with pytest.raises(not_open(world)) as caught:
            world.wrapper.unwrap(bad, PLACE)
        assert caught.value.reason in ("KEY_ALTERED", "KEY_STORE_REFUSED")
        with pytest.raises(not_open(world)):
            world.wrapper.rewrap(bad, PLACE)


def test_another_root_of_the_kind_does_not_open_it(world: World) -> None:
    wrapped = world.wrapper.wrap(SECRET, PLACE)
    with pytest.raises(not_open(world)):
        world.other().unwrap(wrapped, PLACE)


def test_a_rewrapped_secret_is_the_same_and_opens(world: World) -> None:
    wrapped = world.wrapper.wrap(SECRET, PLACE)
    world.rotate()
    assert world.wrapper.unwrap(wrapped, PLACE) == SECRET  # what was opened before goes on opening
    new = world.wrapper.rewrap(wrapped, PLACE)
    assert new != wrapped
    assert world.wrapper.unwrap(new, PLACE) == SECRET
    assert world.again().unwrap(new, PLACE) == SECRET
    if world.section["kind"] != "aws_kms":
        assert world.wrapper.version(new) != world.wrapper.version(wrapped)
        assert world.wrapper.rewrap(new, PLACE) == new


def test_many_at_once_do_not_disturb_each_other(world: World) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            place = {"log": f"log-{number}", "key": "kek"}
            secret = b"secret %d" % number
            assert world.wrapper.unwrap(world.wrapper.wrap(secret, place), place) == secret
        except BaseException as err:
            failed.append(err)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_sealed_file_opens_at_its_place_only(world: World) -> None:
    """Also where the root binds no place: Vault does for derived keys alone."""
    root = Root(world.wrapper)
    data = root.seal("clinic", "kek", SECRET)
    assert root.open("clinic", "kek", data) == SECRET
    for log_id, name in (("clinic", "lookup"), ("other", "kek"), ("clinic", "kek.2")):
        with pytest.raises(KeysNotOpen) as caught:
            root.open(log_id, name, data)
        assert caught.value.reason == "KEY_ALTERED"


def test_a_file_in_the_clear_or_of_another_root_says_which(world: World) -> None:
    root = Root(world.wrapper)
    with pytest.raises(KeysNotOpen) as clear:
        root.open("clinic", "kek", bytes(32))
    assert clear.value.reason == "KEY_NOT_SEALED"
    data = root.seal("clinic", "kek", SECRET)
    with pytest.raises(KeysNotOpen) as plain:
        Root().open("clinic", "kek", data)
    assert plain.value.reason == "KEY_OTHER_ROOT"
    with pytest.raises(REFUSED):
        Root(world.other()).open("clinic", "kek", data)
    moved = Root(world.other(), world.wrapper)
    assert moved.open("clinic", "kek", data) == SECRET
    new = moved.resealed("clinic", "kek", data)
    assert new is not None
    assert moved.open("clinic", "kek", new) == SECRET


def test_errors_and_reprs_hold_no_secret(world: World) -> None:
    wrapped = world.wrapper.wrap(SECRET, PLACE)
    with pytest.raises(not_open(world)) as caught:
        world.wrapper.unwrap(wrapped[:-4], PLACE)
    told = f"{caught.value!r} {world.wrapper!r} {Root(world.wrapper)!r}"
    for secret in ("horse", "hvs.", "secret-of-the-tests", "AKIA"):
        assert secret not in told
    assert caught.value.__cause__ is None
