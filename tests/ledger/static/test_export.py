"""The static export: what it writes is read by the client, and what it refuses it leaves as it was."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attending.ledger.errors import FolderRefused, LedgerError, NotFound, VerificationError
from attending.ledger.note import VerifierKey
from attending.ledger.static.client import TiledLog
from attending.ledger.static.export import Exported, export_log, folder_fetch
from attending.ledger.static.paths import bundles_of, tiles_of

from tests.ledger.static.logs import Log, entry


def made(size: int) -> Log:
    return Log([entry(number) for number in range(size)])


def put(log: Log, folder: Path, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Exported:
    return export_log(log.fetch, VerifierKey.parse(log.vkey), folder, progress=progress)


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop(".attending-log", None)
    return found


def read_back(log: Log, folder: Path) -> None:
    tiled = TiledLog.open(folder_fetch(folder), [log.vkey])
    assert list(tiled.entries(0, tiled.size)) == log.entries
    for index in range(0, tiled.size, 41):
        tiled.inclusion_proof(index)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700])
def test_an_export_is_the_static_tree(tmp_path: Path, size: int) -> None:
    log, seen = made(size), list[tuple[int, int]]()
    done = put(log, tmp_path / "out", lambda count, total: seen.append((count, total)))
    assert files(tmp_path / "out") == log.files
    assert done == Exported("log.example/tiles", size, None, len(log.files) - 1, 0, 0)
    assert seen == [(number + 1, len(log.files) - 1) for number in range(len(log.files) - 1)]
    read_back(log, tmp_path / "out")
    # Its owner's until somebody opens it; then a web server can read all of it.
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    for path in (tmp_path / "out").rglob("*"):
        assert path.stat().st_mode & stat.S_IROTH


def test_three_levels(tmp_path: Path) -> None:
    log = made(65_540)
    put(log, tmp_path / "out")
    assert files(tmp_path / "out") == log.files


def test_the_next_export_reads_only_what_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    put(made(600), folder)
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    later = made(1100)
    done = put(later, folder)
    assert (done.size_before, done.size, done.kept) == (600, 1100, 4)
    full = {"tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"}
    # Consistency needs the tiles, the entries that were there are not read again.
    assert not {"tile/entries/000", "tile/entries/001"} & set(later.fetched)
    for path in full:
        assert (folder / path).stat().st_mtime_ns == kept[folder / path]
    # Partial tiles that are full now are gone; the one that is not full yet stays beside the wider one.
    assert files(folder) == later.files | {"tile/1/000.p/2": made(600).files["tile/1/000.p/2"]}
    assert done.removed == 2
    read_back(later, folder)
    again = put(later, folder)
    assert (again.written, again.size_before) == (0, 1100)


def test_a_log_behind_or_beside_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    put(made(600), folder)
    before = files(folder)
    fork = Log([entry(number if number != 20 else 0) for number in range(700)])
    for log, reason in ((made(599), "CHECKPOINT_ROLLED_BACK"), (fork, "CONSISTENCY_PROOF")):
        with pytest.raises(VerificationError) as caught:
            put(log, folder)
        assert caught.value.reason == reason
        assert files(folder) == before
    other = Log([entry(number) for number in range(700)], origin="log.example/other")
    with pytest.raises(FolderRefused) as refused:
        put(other, folder)
    assert refused.value.reason == "EXPORT_OTHER_LOG"
    assert files(folder) == before


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FolderRefused) as caught:
        put(made(5), tmp_path)
    assert caught.value.reason == "EXPORT_FOLDER"
    assert files(tmp_path) == {"thesis.txt": b"mine"}


def test_one_export_at_a_time(tmp_path: Path) -> None:
    put(made(5), tmp_path / "out")
    descriptor = os.open(tmp_path / "out", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(FolderRefused) as caught:
            put(made(6), tmp_path / "out")
        assert caught.value.reason == "EXPORT_RUNNING"
    finally:
        os.close(descriptor)
    put(made(6), tmp_path / "out")


class Cut(Exception):
    pass


@pytest.mark.parametrize("before", [0, 300])
def test_cut_short_at_any_moment(tmp_path: Path, before: int) -> None:
    """After each resource: the checkpoint of before with all that it covers; the next export completes it."""
    log, folder = made(700), tmp_path / "out"
    if before:
        put(made(before), folder)
    moment = 0
    while True:
        moment += 1

        def fail(done: int, _total: int, moment: int = moment) -> None:
            if done == moment:
                raise Cut

        try:
            put(log, folder, fail)
            break
        except Cut:
            if before:
                read_back(made(before), folder)
            else:
                assert not (folder / "checkpoint").exists()
    assert moment > 5
    read_back(log, folder)


def test_files_that_a_power_cut_left_short_are_replaced(tmp_path: Path) -> None:
    folder, log = tmp_path / "out", made(700)
    put(made(300), folder)
    (folder / "tile/0/001").write_bytes(b"")
    (folder / "tile/entries/001").write_bytes(b"\0")
    put(log, folder)
    read_back(log, folder)


def test_what_the_checkpoint_covers_is_not_repaired_silently(tmp_path: Path) -> None:
    folder, log = tmp_path / "out", made(700)
    put(made(600), folder)
    path = folder / "tile/0/000"
    path.write_bytes(path.read_bytes()[:-1])
    before = files(folder)
    with pytest.raises(FolderRefused) as caught:
        put(log, folder)
    assert caught.value.reason == "EXPORT_DAMAGED"
    assert "tile/0/000" in str(caught.value)
    assert files(folder)["checkpoint"] == before["checkpoint"]
    path.unlink()
    put(log, folder)  # missing is not altered: it is read and verified again
    read_back(log, folder)


def test_a_lying_source_leaves_the_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    put(made(300), folder)
    log = made(700)
    log.files["tile/entries/002.p/188"] = log.files["tile/entries/002.p/188"].replace(b'"n":600', b'"n":601')
    with pytest.raises(VerificationError) as caught:
        put(log, folder)
    assert (caught.value.reason, caught.value.index) == ("BUNDLE_MISMATCH", 600)
    read_back(made(300), folder)


def test_a_full_disk_leaves_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    put(made(300), folder)
    calls = 0

    def full(*_arguments: object) -> None:
        nonlocal calls
        calls += 1
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        put(made(700), folder)
    assert calls
    monkeypatch.undo()
    read_back(made(300), folder)
    put(made(700), folder)
    read_back(made(700), folder)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    put(made(300), folder)
    (folder / "checkpoint").write_bytes(b"\xff\xfe")
    with pytest.raises(LedgerError) as caught:
        put(made(700), folder)
    assert caught.value.reason == "NOTE_FORMAT"


@pytest.mark.parametrize(
    "path", ["../secret", "tile/0/../../../secret", "/etc/passwd", ".attending-log", "tile/0", ""]
)
def test_nothing_outside_is_read(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "out"
    put(made(5), folder)
    (tmp_path / "secret").write_text("x")
    with pytest.raises(NotFound):
        folder_fetch(folder)(path)


@pytest.mark.kill
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """kill -9 during an export of 40,000 entries: a checkpoint that is there has all that it covers."""
    log = made(40_000)
    source, target = tmp_path / "source", tmp_path / "target"
    put(log, source)
    for round_number in range(8):
        command = [sys.executable, str(Path(__file__).with_name("export_writer.py"))]
        with subprocess.Popen(
            [*command, str(source), str(target), log.vkey], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(1 + 41 * round_number):
                assert process.stdout.readline()
            process.kill()
        if (target / "checkpoint").exists():
            tiled = TiledLog.open(folder_fetch(target), [log.vkey])
            assert tiled.size == 40_000
            for path in [*tiles_of(40_000), *bundles_of(40_000)]:
                assert (target / str(path)).stat().st_size == len(log.files[str(path)])
        assert put(log, target).size == 40_000
        assert files(target) == log.files
