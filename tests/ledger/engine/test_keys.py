"""Keys in files: private, durable, made once, and gone when destroyed."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import keys as key_files
from attending.ledger.errors import CorruptLog, NotFound, SubjectErased, UnsafeSettings
from attending.ledger.files import read_private, replace_and_shred, shred, write_durably
from attending.ledger.key_files import KINDS, LogFolder
from attending.ledger.keys import TENANT_SUBJECT, KeyFolder, lookup_of, normalise
from attending.ledger.passphrase import PassphraseWrapper
from attending.ledger.wrapping import Root

LOG = "clinic"
SUBJECT = "sub_" + "a" * 26


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    keys = KeyFolder(tmp_path)
    keys.create_log(LOG)
    return keys


def test_every_file_is_private(folder: KeyFolder, tmp_path: Path) -> None:
    folder.ensure(LOG, SUBJECT)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len([path for path in files if ".lock" not in path.name]) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_dir()} == {0o700}


def test_keys_are_kept_and_never_replaced(folder: KeyFolder, tmp_path: Path) -> None:
    first = folder.create_log(LOG)
    key = folder.ensure(LOG, SUBJECT)
    again = KeyFolder(tmp_path)
    second = again.create_log(LOG)
    assert (first.kek, first.lookup, first.fingerprint) == (second.kek, second.lookup, second.fingerprint)
    assert first.signing[0].private.private_bytes_raw() == second.signing[0].private.private_bytes_raw()
    assert (
        len({first.kek, first.lookup, first.fingerprint, first.signing[0].private.private_bytes_raw(), key})
        == 5
    )
    assert again.ensure(LOG, SUBJECT) == again.get(LOG, SUBJECT) == key
    assert folder.create_log("other").kek != first.kek


def test_a_subject_key_is_made_once_under_a_race(tmp_path: Path) -> None:
    KeyFolder(tmp_path).create_log(LOG)
    found: list[bytes] = []
    gate = threading.Barrier(8)

    def make() -> None:
        keys = KeyFolder(tmp_path)  # no shared cache
        gate.wait()
        found.append(keys.ensure(LOG, SUBJECT))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert not list(tmp_path.rglob(".*"))  # no temporary file stays


def test_a_destroyed_key_stays_destroyed(folder: KeyFolder, tmp_path: Path) -> None:
    folder.ensure(LOG, SUBJECT)
    assert folder.destroy(LOG, SUBJECT) is True
    assert folder.destroy(LOG, SUBJECT) is False
    for attempt in (folder.get, folder.ensure):
        with pytest.raises(SubjectErased):
            attempt(LOG, SUBJECT)
    assert not list(tmp_path.rglob(SUBJECT))


def test_a_key_read_while_it_is_destroyed_is_erased_and_not_corrupt(
    folder: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks it up, in this process or another, and at whichever step of destroying it."""
    folder.ensure(LOG, SUBJECT)
    seen: list[type[Exception]] = []

    def look() -> None:
        for keys in (folder, KeyFolder(tmp_path)):
            with pytest.raises((CorruptLog, SubjectErased)) as caught:
                keys.get(LOG, SUBJECT)
            seen.append(caught.type)

    sync, rename = os.fsync, Path.rename

    def looked_fsync(descriptor: int) -> None:
        look()
        sync(descriptor)

    def looked_rename(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        look()
        return renamed

    monkeypatch.setattr(os, "fsync", looked_fsync)
    monkeypatch.setattr(Path, "rename", looked_rename)
    assert folder.destroy(LOG, SUBJECT) is True
    assert len(seen) >= 4
    assert set(seen) == {SubjectErased}


def test_a_key_opened_before_it_is_destroyed_and_read_after_is_erased(
    folder: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ensure(LOG, SUBJECT)

    def slow(path: Path) -> bytes:
        with path.open("rb") as file:
            folder.destroy(LOG, SUBJECT)
            return file.read()

    other = KeyFolder(tmp_path)
    other.open_log(LOG)
    monkeypatch.setattr(key_files, "read_private", slow)
    with pytest.raises(SubjectErased):
        other.get(LOG, SUBJECT)


@pytest.mark.parametrize("step", ["fsync", "unlink"])
def test_destroying_a_key_that_a_crash_cut_short_is_taken_up(
    folder: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder.ensure(LOG, SUBJECT)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os if step == "fsync" else Path, step, crash)
        with pytest.raises(KeyboardInterrupt):
            folder.destroy(LOG, SUBJECT)
    later = KeyFolder(tmp_path)
    with pytest.raises(SubjectErased):
        later.get(LOG, SUBJECT)
    assert list(tmp_path.rglob(f"{SUBJECT}*"))
    assert later.destroy(LOG, SUBJECT) is True
    assert not list(tmp_path.rglob(f"{SUBJECT}*"))
    assert later.destroy(LOG, SUBJECT) is False


def test_a_subject_key_is_bound_to_its_place(folder: KeyFolder, tmp_path: Path) -> None:
    folder.ensure(LOG, SUBJECT)
    path = next(tmp_path.rglob(SUBJECT))
    other = "sub_" + "b" * 24 + "aa"
    (path.parent / other).write_bytes(path.read_bytes())
    (path.parent / other).chmod(0o600)
    with pytest.raises(CorruptLog):
        folder.get(LOG, other)
    for damaged in (b"", b"short", bytes(len(path.read_bytes()))):
        path.write_bytes(damaged)
        with pytest.raises(CorruptLog):
            KeyFolder(tmp_path).get(LOG, SUBJECT)
    path.chmod(0o644)
    with pytest.raises(UnsafeSettings):
        KeyFolder(tmp_path).get(LOG, SUBJECT)


def test_names_cannot_leave_the_folder(folder: KeyFolder) -> None:
    for bad in ("../x", "", "sub_", "sub_" + "a" * 25 + "/", "Tenant"):
        with pytest.raises(NotFound):
            folder.get(LOG, bad)
    for bad in ("../clinic", ".", "", "a/b", "UPPER"):
        with pytest.raises(NotFound):
            folder.get(bad, TENANT_SUBJECT)
    with pytest.raises(NotFound):
        folder.open_log("absent")


def test_a_damaged_log_key_is_refused(folder: KeyFolder, tmp_path: Path) -> None:
    (tmp_path / LOG / "signing.pem").write_bytes(
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    with pytest.raises(CorruptLog):
        KeyFolder(tmp_path).open_log(LOG)
    folder.create_log("other")
    (tmp_path / "other" / "kek").write_bytes(b"short")
    with pytest.raises(CorruptLog):
        KeyFolder(tmp_path).open_log("other")


def test_identifiers_are_found_by_keyed_hash() -> None:
    same = ["MRN 12", "mrn 12", "  Mrn\t12 ", "\uff2d\uff32\uff2e \uff11\uff12"]
    assert {normalise(text) for text in same} == {"mrn 12"}
    assert len({lookup_of(b"k" * 32, text) for text in same}) == 1
    assert lookup_of(b"k" * 32, "MRN 12") != lookup_of(b"j" * 32, "MRN 12")
    assert lookup_of(b"k" * 32, "MRN 12") != lookup_of(b"k" * 32, "MRN 1 2")
    assert len(lookup_of(b"k" * 32, "\ud800")) == 32


def test_durable_writes_and_shredding(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_durably(path, b"one", replace=False) is True
    assert write_durably(path, b"two", replace=False) is False
    assert path.read_bytes() == b"one"
    assert write_durably(path, b"three") is True
    assert path.read_bytes() == b"three"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
    held = path.open("rb")
    assert shred(path) is True
    assert held.read() != b"three"  # the bytes themselves, not only the name
    held.close()
    assert shred(path) is False


WHEN = "2026-11-27T00:00:00.000000Z"


def test_a_secret_that_is_replaced_while_it_is_read_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened under its name, overwritten, and read after: of a key in the clear nothing would show that."""
    path = tmp_path / "key"
    write_durably(path, b"o" * 32)
    real = os.fstat
    waiting: list[Callable[[], object]] = [lambda: replace_and_shred(path, b"n" * 32), lambda: shred(path)]

    def late(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        if waiting and stat.S_ISREG(found.st_mode):
            monkeypatch.setattr(os, "fstat", real)
            waiting.pop(0)()
        return found

    monkeypatch.setattr(os, "fstat", late)
    assert read_private(path) == b"n" * 32
    monkeypatch.setattr(os, "fstat", late)
    with pytest.raises(FileNotFoundError):
        read_private(path)


def test_what_a_killed_call_left_of_an_old_key_goes_with_the_next(tmp_path: Path) -> None:
    """Killed after the key lost its name and before its bytes: it is whole, and no list of generations has it."""
    keys = KeyFolder(tmp_path)
    keys.create_log(LOG)
    old = (tmp_path / LOG / "kek").read_bytes()
    keys.begin(LOG, "kek", 2, WHEN)
    (tmp_path / LOG / "kek").rename(tmp_path / LOG / "kek.shredded")
    keys.retire(LOG, "kek", [])
    assert not [item for item in (tmp_path / LOG).iterdir() if item.is_file() and old in item.read_bytes()]
    assert keys.refresh(LOG).keks[0].number == 2


def test_a_key_that_another_process_gave_a_subject_seals_from_then_on(
    folder: KeyFolder, tmp_path: Path
) -> None:
    old = folder.ensure(LOG, SUBJECT)
    theirs = KeyFolder(tmp_path)
    assert theirs.add_generations(LOG, SUBJECT, 2)
    new = theirs.get(LOG, SUBJECT)
    assert folder.at_hand(LOG, SUBJECT) == old
    assert folder.at_hand(LOG, SUBJECT, shared=True) == new != old
    assert folder.at_hand(LOG, SUBJECT) == new
    theirs.destroy(LOG, SUBJECT)
    with pytest.raises(SubjectErased):
        folder.at_hand(LOG, SUBJECT, shared=True)


def test_a_generation_added_within_one_tick_of_the_file_system_is_noticed(tmp_path: Path) -> None:
    mine, theirs = KeyFolder(tmp_path), KeyFolder(tmp_path)
    mine.create_log(LOG)
    times = (tmp_path / LOG).stat()
    theirs.begin(LOG, "fingerprint", 2, WHEN)
    os.utime(tmp_path / LOG, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert mine.stale(LOG, "fingerprint")
    assert not mine.stale(LOG, "lookup")
    assert [item.number for item in mine.refresh(LOG).fingerprints] == [2, 1]
    assert not mine.stale(LOG, "fingerprint")
    theirs.retire(LOG, "fingerprint", [1])
    assert mine.stale(LOG, "fingerprint")


def test_keys_that_were_read_earlier_do_not_replace_those_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = KeyFolder(tmp_path), KeyFolder(tmp_path)
    theirs.create_log(LOG)
    listed, go_on = threading.Event(), threading.Event()
    real = LogFolder._load

    def slow(self: LogFolder, *arguments: Any) -> Any:
        found = real(self, *arguments)
        if not listed.is_set():
            listed.set()
            go_on.wait(10)
        return found

    monkeypatch.setattr(LogFolder, "_load", slow)
    first = threading.Thread(target=mine.refresh, args=(LOG,))
    first.start()
    listed.wait(10)
    theirs.begin(LOG, "kek", 2, WHEN)
    second = threading.Thread(target=mine.refresh, args=(LOG,))
    second.start()
    second.join(0.2)
    go_on.set()
    first.join(10)
    second.join(10)
    assert mine.open_log(LOG).keks[0].number == 2


def test_a_folder_that_has_gone_back_is_shown_and_takes_nothing_away(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    keys.create_log(LOG)
    keys.begin(LOG, "kek", 2, WHEN)
    (tmp_path / LOG / "kek.2").unlink()
    assert keys.refresh(LOG).keks[0].number == 1
    assert keys.open_log(LOG).keks[0].number == 2
    # What is made now is under a key that is there.
    made = keys.ensure(LOG, TENANT_SUBJECT)
    assert KeyFolder(tmp_path).get(LOG, TENANT_SUBJECT) == made


def test_only_a_new_generation_asks_the_root(tmp_path: Path) -> None:
    asked: list[None] = []

    def read() -> bytes:
        asked.append(None)
        return b"a passphrase of the test"

    root = Root(PassphraseWrapper(read, cost=(4, 1, 1)))
    mine, theirs = KeyFolder(tmp_path, root), KeyFolder(tmp_path, root)
    theirs.create_log(LOG)
    mine.open_log(LOG)
    for kind in KINDS:
        theirs.begin(LOG, kind, 2, WHEN)
    asked.clear()
    assert [mine.refresh(LOG).of(kind)[0].number for kind in KINDS] == [2, 2, 2]
    assert len(asked) == 3


def test_the_passphrase_that_was_in_use_last_is_not_the_one_forgotten() -> None:
    """It was read first, then many others were, and it again: what it sealed opens under the next one."""
    present = [b"passphrase number 0"]
    wrapper = PassphraseWrapper(lambda: present[0], cost=(4, 1, 1))
    place = {"log": LOG, "key": "kek"}
    for number in [*range(16), 0]:
        present[0] = b"passphrase number %d" % number
        sealed = wrapper.wrap(b"secret", place)
    present[0] = b"passphrase number 16"
    assert wrapper.unwrap(wrapper.rewrap(sealed, place), place) == b"secret"


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[None]:
    """One item a call of a function of the module."""
    calls: list[None] = []
    real = getattr(key_files, name)

    def call(*arguments: Any) -> Any:
        calls.append(None)
        return real(*arguments)

    monkeypatch.setattr(key_files, name, call)
    return calls


def test_a_key_that_is_not_known_yet_is_unwrapped_once(
    folder: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = folder.ensure(LOG, SUBJECT)
    again = KeyFolder(tmp_path)
    unwrapped = counted(monkeypatch, "_unwrapped")
    assert [again.at_hand(LOG, SUBJECT), again.at_hand(LOG, SUBJECT), again.get(LOG, SUBJECT)] == [key] * 3
    assert len(unwrapped) == 1
    folder.destroy(LOG, SUBJECT)
    with pytest.raises(SubjectErased):
        KeyFolder(tmp_path).at_hand(LOG, SUBJECT)


def test_a_folder_is_looked_through_once_for_many(
    folder: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrapping anew and a start that finds many erased: what a killed writer left goes, and others stay."""
    kept, gone, back, altered = ("sub_" + letter * 24 + "aa" for letter in "abcd")
    for subject in (kept, back, altered):
        folder.ensure(LOG, subject)
    place = next(tmp_path.rglob(kept)).parent
    old = (place / kept).read_bytes()
    write_durably(place / f".{kept}.77.abcd", old)
    (place / altered).write_bytes(bytes(60))
    folder.begin(LOG, "kek", 2, WHEN)
    looked = counted(monkeypatch, "_by_subject")
    assert folder.rewrap_many(LOG, [kept, back, altered]) == (2, 1)
    assert (len(looked), sorted(item.name for item in place.iterdir())) == (1, [kept, back, altered])
    assert old not in [item.read_bytes() for item in place.iterdir()]

    for name in (f".{gone}.replaced", f"{back}.shredded"):
        write_durably(place / name, old)
    looked.clear()
    assert folder.destroy_again(LOG, [gone, back, "sub_" + "e" * 26]) == 1
    assert sorted(item.name for item in place.iterdir()) == [kept, altered]
    # One folder that is there and one that is not; and each of the two that were found.
    assert len(looked) == 4
    for subject in (gone, back):
        with pytest.raises(SubjectErased):
            folder.ensure(LOG, subject)
    assert folder.get(LOG, kept) == KeyFolder(tmp_path).get(LOG, kept)
