"""Verification of a stored log: every flipped byte of every row is found and its entry named; nothing that a
verification could not read, or did not finish, is ever taken for verified.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import NotFound, VerificationError, VerificationIncomplete
from attending.ledger.ledger import Ledger
from attending.ledger.merkle import Frontier, leaf_hash
from attending.ledger.note import VerifierKey
from attending.ledger.verify import parts
from attending.ledger.verify.database import LogReport, SignedHead, verify_database_log
from attending.ledger.verify.parts import StoredRow, compare_tile
from attending.ledger.verify.report import Status
from attending.ledger.verify.segments import Mode
from attending.ledger.verify.sqlite import SqliteLog, log_in, logs_in
from attending.ledger.verify.stored import Outcome, StoredHead, _HigherTiles, verify_stored_log

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]
MODES = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)


@dataclass(frozen=True)
class Kept:
    """What a reader saw, to be changed and read again: a store that lies in one place."""

    rows_: tuple[StoredRow, ...]
    tiles: dict[tuple[int, int], bytes]

    def __call__(self) -> Kept:
        return self

    def rows(self, begin: int, end: int) -> Sequence[StoredRow]:
        return [row for row in self.rows_ if begin <= row[0] < end]

    def tile(self, level: int, index: int) -> bytes | None:
        return self.tiles.get((level, index))

    def close(self) -> None:
        pass

    def changed(self, index: int, column: int, value: object) -> Kept:
        rows = list(self.rows_)
        row: list[Any] = list(rows[index])
        row[column] = value
        rows[index] = (row[0], row[1], row[2], row[3], row[4])
        return replace(self, rows_=tuple(rows))


def kept(path: Path) -> tuple[Kept, StoredHead]:
    log = log_in(path, LOG)
    with closing(SqliteLog(path, LOG)()) as reader:
        rows = tuple(reader.rows(0, log.head.size))
        tiles = {(0, index): reader.tile(0, index) for index in range(log.head.size // 256)}
    assert None not in tiles.values()
    return Kept(rows, {key: value for key, value in tiles.items() if value is not None}), log.head


def flips(data: bytes) -> Any:
    """Each byte of `data` changed to another value: (position, changed bytes)."""
    numbers = random.Random(len(data))
    for at in range(len(data)):
        yield at, data[:at] + bytes([data[at] ^ numbers.randrange(1, 256)]) + data[at + 1 :]


def named(outcome: Outcome) -> list[int]:
    return [problem.index for problem in outcome.problems]


@pytest.fixture
async def small(open_ledger: OpenLedger, tmp_path: Path) -> Path:
    """The database of twelve entries of different kinds, some with payloads."""
    ledger = await open_ledger()
    subject = await ledger.pseudonym(LOG, "MRN 1")
    kinds: list[tuple[str, str, str | None, dict[str, Any], tuple[bytes, ...]]] = [
        ("system.started", "system", None, {"mode": "embedded"}, ()),
        ("key.enrolled", "key:1", None, {"roles": ["clinician"], "not_after": None}, ()),
        ("inference.requested", "inf_1", subject, {"n": 1, "deep": {"x": [1, [2, [3]]]}}, (b"prompt",)),
        ("inference.generated", "inf_1", subject, {"tokens": 12}, (b"output", b"second")),
        ("inference.held", "inf_1", None, {"findings": {"major": 1}}, ()),
        ("review.claimed", "inf_1", None, {}, ()),
        ("review.signed", "inf_1", None, {"signature": "c2ln", "note": "caf\u00e9 \u2713"}, (b"edited",)),
        ("inference.released", "inf_1", None, {"basis": "signed"}, ()),
        ("access.viewed", "inf_1", subject, {"count": 2**53 - 1, "negative": -7}, ()),
        ("budget.changed", "budget", None, {"flags": [True, False, None]}, ()),
        ("policy.activated", "policy", None, {'quote"d': 'a "quoted" \\ text\n'}, ()),
        ("system.stopped", "system", None, {}, ()),
    ]
    for number, (kind, stream, who, body, texts) in enumerate(kinds):
        actor = "Dr. Jos\u00e9" if number == 5 else "app:test"
        payloads = tuple(Payload("prompt", text) for text in texts)
        await ledger.append(LOG, [PendingEntry(kind, stream, actor, who, body, payloads)])
    await ledger.publish(LOG)
    await ledger.close()
    return tmp_path / "ledger" / "ledger.db"


@pytest.fixture
async def long(open_ledger: OpenLedger, pending: Make, tmp_path: Path) -> Path:
    ledger = await open_ledger()
    for _ in range(10):
        await ledger.append(LOG, [pending() for _ in range(230)])
    await ledger.publish(LOG)
    await ledger.close()
    return tmp_path / "ledger" / "ledger.db"


# -- every byte --------------------------------------------------------------------------------------------


@MODES
async def test_every_flipped_byte_of_every_entry_is_found_and_its_index_named(
    small: Path, mode: Mode
) -> None:
    log, head = kept(small)
    assert verify_stored_log(log, head, mode=mode).problems == ()
    for index in range(head.size):
        data = log.rows_[index][1]
        assert isinstance(data, bytes)
        for at, changed in flips(data):
            outcome = verify_stored_log(log.changed(index, 1, changed), head, mode=mode)
            # A byte of `prev` may point at the entry before as well; the first that is named is the one.
            assert named(outcome)[:1] == [index], (index, at)


@MODES
async def test_every_flipped_byte_is_found_when_the_stored_leaf_hash_is_made_to_fit(
    small: Path, mode: Mode
) -> None:
    log, head = kept(small)
    for index in range(head.size):
        data = log.rows_[index][1]
        assert isinstance(data, bytes)
        for at, changed in flips(data):
            lying = log.changed(index, 1, changed).changed(index, 2, leaf_hash(changed))
            assert named(verify_stored_log(lying, head, mode=mode))[:1] == [index], (index, at)


@MODES
async def test_every_flipped_byte_of_a_stored_leaf_hash_is_found(small: Path, mode: Mode) -> None:
    log, head = kept(small)
    for index in range(head.size):
        leaf = log.rows_[index][2]
        assert isinstance(leaf, bytes)
        for _, changed in flips(leaf):
            outcome = verify_stored_log(log.changed(index, 2, changed), head, mode=mode)
            assert [(item.index, item.reason) for item in outcome.problems] == [(index, "STORED_LEAF_HASH")]


async def test_every_flipped_byte_of_the_other_columns_is_found(small: Path) -> None:
    log, head = kept(small)
    for index in range(head.size):
        for column in (3, 4):
            text = log.rows_[index][column]
            assert isinstance(text, bytes)
            for _, changed in flips(text):
                outcome = verify_stored_log(log.changed(index, column, changed), head)
                assert [(item.index, item.reason) for item in outcome.problems] == [(index, "STORED_COLUMNS")]


@MODES
async def test_every_flipped_byte_of_the_head_is_found(small: Path, mode: Mode) -> None:
    log, head = kept(small)
    assert head.last_leaf is not None
    assert head.time is not None
    wrong = [replace(head, root=changed) for _, changed in flips(head.root)]
    wrong += [replace(head, last_leaf=changed) for _, changed in flips(head.last_leaf)]
    wrong += [replace(head, size=head.size + 1)]
    if mode is Mode.COMPLETE:  # the other reads neither times nor origins
        wrong += [replace(head, time=changed.decode("latin-1")) for _, changed in flips(head.time.encode())]
        wrong += [
            replace(head, origin=changed.decode("latin-1")) for _, changed in flips(head.origin.encode())
        ]
    for item in wrong:
        assert verify_stored_log(log, item, mode=mode).problems, item
    for size in range(head.size):
        assert verify_stored_log(log, replace(head, size=size), mode=mode).problems, size


@MODES
async def test_every_flipped_byte_of_a_tile_is_found_and_the_entry_under_it_named(
    long: Path, mode: Mode
) -> None:
    log, head = kept(long)
    for number in (0, 7):
        leaves = [row[2] for row in log.rows_[256 * number : 256 * number + 256]]
        hashes = [leaf for leaf in leaves if isinstance(leaf, bytes)]
        for at, changed in flips(log.tiles[0, number]):
            (found,) = compare_tile(replace(log, tiles={(0, number): changed}), 0, number, hashes)
            assert found.index == 256 * number + at // 32
            if at % 911 == 0:
                lying = replace(log, tiles={**log.tiles, (0, number): changed})
                assert named(verify_stored_log(lying, head, mode=mode)) == [256 * number + at // 32]
    for tiles in ({**log.tiles, (0, 3): b""}, {key: log.tiles[key] for key in log.tiles if key != (0, 3)}):
        assert named(verify_stored_log(replace(log, tiles=tiles), head, mode=mode)) == [768]


async def test_a_higher_tile_is_compared_with_the_lower_ones() -> None:
    roots = [bytes([number, 1]) * 16 for number in range(256)]
    tile = b"".join(roots)
    for stored, index in ((tile, None), (tile[:-1] + b"x", 255 * 256), (b"", 0), (None, 0)):
        higher = _HigherTiles(Kept((), {} if stored is None else {(1, 0): stored}))
        higher.add(tuple(roots[:100]))
        higher.add(tuple(roots[100:]))
        assert [problem.index for problem in higher.problems] == ([] if index is None else [index])
    frontier = Frontier()
    for root in roots:
        frontier.append(root)
    higher = _HigherTiles(
        Kept((), {(1, number): tile for number in range(256)} | {(2, 0): frontier.root() * 256})
    )
    for _ in range(256):
        higher.add(tuple(roots))
    assert higher.problems == []


# -- structure ---------------------------------------------------------------------------------------------


@MODES
async def test_missing_reordered_duplicated_and_foreign_rows_are_named(long: Path, mode: Mode) -> None:
    log, head = kept(long)
    for index in (0, 5, 255, 256, 700, head.size - 1):
        gone = replace(log, rows_=log.rows_[:index] + log.rows_[index + 1 :])
        assert named(verify_stored_log(gone, head, mode=mode))[0] == index
        for other in (0, 700, 701, head.size - 1):
            if other == index:
                continue
            copied = log.changed(index, 1, log.rows_[other][1])
            assert named(verify_stored_log(copied, head, mode=mode))[0] == index, (index, other)
            swapped = copied.changed(other, 1, log.rows_[index][1])
            assert named(verify_stored_log(swapped, head, mode=mode))[0] == min(index, other)
        for value in (None, "text", 7, 1.5):
            odd = log.changed(index, 1, value)
            assert named(verify_stored_log(odd, head, mode=mode)) == [index]


async def test_an_empty_log_and_a_log_of_one_verify(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    path = tmp_path / "ledger" / "ledger.db"
    for size in (0, 1):
        (log,) = logs_in(path)
        assert log.head.size == size
        for mode in Mode:
            outcome = verify_stored_log(
                SqliteLog(path, LOG), log.head, mode=mode, sizes={0, size}, processes=2
            )
            assert outcome.problems == ()
            assert outcome.roots[size] == log.head.root
        await ledger.append(LOG, [pending()])


async def test_roots_at_earlier_sizes_are_those_of_earlier_heads(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 512)
    log, head = kept(long)
    sizes = {0, 1, 255, 256, 511, 512, 513, 1024, 2299, 2300}
    outcome = verify_stored_log(log, head, sizes=sizes)
    assert outcome.roots.keys() == sizes
    for size in sizes - {0}:
        assert verify_stored_log(log, StoredHead(head.origin, size, outcome.roots[size])).problems == ()


# -- processes ---------------------------------------------------------------------------------------------


@MODES
async def test_processes_come_to_what_one_comes_to(
    long: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 256)
    head = log_in(long, LOG).head
    seen: list[tuple[int, int]] = []
    opener = SqliteLog(long, LOG)
    outcome = verify_stored_log(
        opener, head, mode=mode, processes=2, progress=lambda done, total: seen.append((done, total))
    )
    assert outcome == verify_stored_log(opener, head, mode=mode)
    assert outcome.problems == ()
    assert seen == [(min(size, 2300), 2300) for size in range(256, 2305, 256)]
    _alter(
        long,
        "UPDATE entry SET data = CAST(replace(CAST(data AS TEXT), 'app:test', 'app:tesu') AS BLOB)"
        " WHERE entry_index IN (511, 1800)",
    )
    _alter(long, "UPDATE tile SET hashes = zeroblob(8192) WHERE tile_index = 2")
    broken = verify_stored_log(opener, head, mode=mode, processes=2)
    assert broken == verify_stored_log(opener, head, mode=mode)
    assert named(broken) == [511, 512, 1800]


async def test_a_killed_worker_is_an_error_never_a_verdict(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 256)

    def kill(_done: int, _total: int) -> None:
        for process in multiprocessing.active_children():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(VerificationIncomplete):
        verify_stored_log(SqliteLog(long, LOG), log_in(long, LOG).head, processes=2, progress=kill)
    assert multiprocessing.active_children() == []


async def test_an_interrupt_ends_the_workers(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 256)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_stored_log(SqliteLog(long, LOG), log_in(long, LOG).head, processes=2, progress=interrupt)
    assert multiprocessing.active_children() == []


async def test_a_worker_that_cannot_read_is_an_error(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 256)
    head = log_in(long, LOG).head
    with pytest.raises(VerificationIncomplete):
        verify_stored_log(SqliteLog(tmp_path / "absent.db", LOG), head, processes=2)
    assert multiprocessing.active_children() == []


LEAN = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sqlalchemy", "orjson", "grpc", "google", "pydantic", "click", "structlog"}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
from pathlib import Path
from attending.ledger import canonical
from attending.ledger.note import VerifierKey
from attending.ledger.verify.database import SignedHead, verify_database_log
from attending.ledger.verify.sqlite import log_in
path = Path(sys.argv[1])
log = log_in(path, "clinic")
head = SignedHead("published", (path.parent / "published" / "clinic.checkpoint").read_bytes())
report = verify_database_log(path, log, VerifierKey.parse(log.verifier_key), [head], payloads=True)
print(canonical._orjson_decode, report.verdict.value, report.bad_entries)
"""


async def test_it_runs_with_the_standard_library_and_cryptography_alone(small: Path) -> None:
    def run() -> str:
        command = [sys.executable, "-c", LEAN, str(small)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert run() == "None passed []\n"
    _alter(small, "UPDATE entry SET data = data || x'20' WHERE entry_index = 5")
    assert run() == "None failed [5]\n"


SCRIPT = """
import multiprocessing, sys, time
from pathlib import Path
from attending.ledger.verify import parts
from attending.ledger.verify.sqlite import SqliteLog, log_in
from attending.ledger.verify.stored import verify_stored_log

def show(done, total):
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    parts.PART_SIZE = 256
    path = Path(sys.argv[1])
    verify_stored_log(SqliteLog(path, "clinic"), log_in(path, "clinic").head, processes=2, progress=show)
    print("VERIFIED")
"""


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"  # one that nobody has waited for yet has ended all the same


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
async def test_workers_end_with_the_process_that_they_work_for(
    long: Path, tmp_path: Path, number: int
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(long)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal sends it: to all of them
    else:
        process.kill()
    assert process.wait(60) != 0
    assert "VERIFIED" not in process.stdout.read()
    process.stdout.close()
    for _ in range(600):
        if not any(_runs(pid) for pid in workers):
            return
        time.sleep(0.1)
    raise AssertionError("a worker outlived the process that it works for")


# -- the database file -------------------------------------------------------------------------------------


def _alter(path: Path, script: str) -> None:
    """Changes the file as someone would who has it, triggers and all."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(script)


def report(path: Path, *, pinned: Sequence[str] = (), key: str | None = None, **options: Any) -> LogReport:
    published = path.parent / "published" / f"{LOG}.checkpoint"
    heads = [SignedHead("published head", published.read_bytes())] if published.exists() else []
    heads += [SignedHead("pinned", note) for note in pinned]
    log = log_in(path, LOG)
    return verify_database_log(path, log, VerifierKey.parse(key or log.verifier_key), heads, **options)


def reasons(found: LogReport) -> list[tuple[str | None, int | None]]:
    return [(item.reason, item.index) for item in found.findings if item.status is not Status.PASSED]


async def test_a_sound_database_verifies_beside_its_running_server(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending("s", b"text", b"more") for _ in range(3)])
    await ledger.publish(LOG)
    await ledger.append(LOG, [pending() for _ in range(300)])
    found = report(tmp_path / "ledger" / "ledger.db", payloads=True)
    assert found.verdict is Status.PASSED
    assert (found.size, found.bad_entries) == (303, [])
    assert {item.check for item in found.findings} == {"entries", "signed head", "payloads"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("UPDATE entry SET data = x'7b7d' WHERE entry_index = 3", ("ENTRY_SCHEMA", 3)),
        ("UPDATE entry SET data = NULL || data WHERE entry_index = 0", None),
        ("UPDATE entry SET data = 'text' WHERE entry_index = 4", ("CANONICAL_FORM", 4)),
        ("UPDATE entry SET data = 5 WHERE entry_index = 4", ("MISSING", 4)),
        ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE entry_index = 11", ("STORED_LEAF_HASH", 11)),
        ("UPDATE entry SET stream = 'other' WHERE entry_index = 2", ("STORED_COLUMNS", 2)),
        ("UPDATE entry SET type = 'inference.held' WHERE entry_index = 2", ("STORED_COLUMNS", 2)),
        ("UPDATE entry SET stream = CAST(x'ff' AS TEXT) WHERE entry_index = 2", ("STORED_COLUMNS", 2)),
        ("DELETE FROM entry WHERE entry_index = 11", ("MISSING", 11)),
        ("DELETE FROM entry WHERE entry_index = 0", ("MISSING", 0)),
        ("UPDATE entry SET entry_index = 12 WHERE entry_index = 6", ("MISSING", 6)),
        ("UPDATE log_head SET size = 11", ("LOG_ROLLED_BACK", 11)),
        ("UPDATE log_head SET size = 11; DELETE FROM entry WHERE entry_index = 11", ("LOG_ROLLED_BACK", 11)),
        ("UPDATE log_head SET root = zeroblob(32)", ("ROOT", 11)),
        ("UPDATE log_head SET size = 13", ("MISSING", 12)),
        ("UPDATE log_head SET root = NULL || root", None),
        (
            "INSERT INTO entry SELECT log_id, 5.5, data, leaf_hash, 'x', 7, type FROM entry LIMIT 1",
            ("STRAY_ROW", 0),
        ),
        ("UPDATE log_head SET last_leaf = zeroblob(32)", ("HEAD", 11)),
        ("UPDATE log_head SET time = '2030-01-01T00:00:00.000000Z'", ("HEAD", 11)),
        ("UPDATE log SET origin = 'attending.test/other'", ("ORIGIN", 0)),
        ("UPDATE log SET verifier_key = 'x'", ("KEY_FORMAT", None)),
    ],
)
async def test_an_altered_database_is_named_for_what_it_is(
    small: Path, script: str, expected: tuple[str, int | None] | None
) -> None:
    assert report(small).verdict is Status.PASSED
    if expected is None:
        with pytest.raises(sqlite3.IntegrityError):
            _alter(small, script)
        return
    _alter(small, script)
    if expected[0] == "KEY_FORMAT":
        with pytest.raises(VerificationError) as caught:
            report(small)
        assert caught.value.reason == "KEY_FORMAT"
        return
    found = report(small)
    assert found.verdict is Status.FAILED
    assert expected in reasons(found)
    if (
        expected[0] != "LOG_ROLLED_BACK"
    ):  # there the entry before is the last one, and does not lead to the root
        assert min(index for _, index in reasons(found) if index is not None) == expected[1]


async def test_a_head_that_claims_an_absurd_size_is_refused_in_bounded_time(small: Path) -> None:
    _alter(small, f"UPDATE log_head SET size = {2**62}")
    found = report(small)
    assert found.verdict is Status.FAILED
    assert ("MISSING", 12) in reasons(found)
    _alter(small, "UPDATE log_head SET size = 9e999")
    with pytest.raises(VerificationIncomplete):
        report(small)


async def test_an_origin_of_other_letters_is_another_origin(small: Path) -> None:
    log, head = kept(small)
    for origin in ("attending.test/clini\u010d", "attending.test/clini\udcff", "attending.test/clini?", ""):
        outcome = verify_stored_log(log, replace(head, origin=origin))
        assert {(item.reason, item.index) for item in outcome.problems} >= {("ORIGIN", 0), ("ORIGIN", 11)}


async def test_wrong_key_fork_and_truncation_against_signed_heads(
    small: Path, open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    published = small.parent / "published" / f"{LOG}.checkpoint"
    early = published.read_text()
    shutil.copytree(small.parent, tmp_path / "fork")
    ledger = await open_ledger()
    await ledger.append(LOG, [pending()])
    later = await ledger.publish(LOG)
    assert later is not None
    await ledger.close()
    assert report(small, pinned=[early, later]).verdict is Status.PASSED
    # The other history: the same key, another twelfth entry.
    shutil.rmtree(small.parent)
    shutil.copytree(tmp_path / "fork", small.parent)
    assert reasons(report(small, pinned=[later])) == [("LOG_ROLLED_BACK", 12)]
    ledger = await open_ledger()
    await ledger.append(LOG, [pending()])
    await ledger.close()
    assert reasons(report(small, pinned=[later])) == [("SIGNED_HEAD_DIFFERS", None)]
    assert reasons(report(small, pinned=["junk"])) == [("NOTE_FORMAT", None)]
    assert reasons(report(small, pinned=[early.replace("\n12\n", "\n11\n")])) == [("SIGNATURE", None)]
    other = await Ledger.open(tmp_path / "other")
    await other.create_log(LOG, "attending.test/clinic")
    key, foreign = other.verifier_key(LOG), await other.checkpoint(LOG)
    await other.close()
    assert reasons(report(small, pinned=[foreign])) == [("UNKNOWN_KEY", None)]
    assert reasons(report(small, key=key)) == [("KEY_MISMATCH", None), ("UNKNOWN_KEY", None)]
    published.unlink()
    assert report(small).verdict is Status.INDETERMINATE
    assert reasons(report(small)) == [("NO_SIGNED_HEAD", None)]


async def test_payloads_are_compared_with_what_entries_name(
    small: Path, open_ledger: OpenLedger, tmp_path: Path
) -> None:
    assert report(small, payloads=True).verdict is Status.PASSED
    shutil.copytree(small.parent, tmp_path / "kept")
    path = tmp_path / "kept" / "ledger.db"
    for script, expected in (
        ("UPDATE payload SET sealed = x'00' || substr(sealed, 2) WHERE entry_index = 6", ("PAYLOAD", 6)),
        ("UPDATE payload SET sealed = CAST(sealed AS TEXT) || 'x' WHERE entry_index = 6", ("PAYLOAD", 6)),
        ("UPDATE payload SET kind = 'other' WHERE entry_index = 2", ("PAYLOAD", 2)),
        ("UPDATE payload SET record = 'rec_other' WHERE entry_index = 2", ("PAYLOAD_UNNAMED", None)),
        ("DELETE FROM payload WHERE entry_index >= 3", ("PAYLOAD_MISSING", 3)),
    ):
        shutil.copy(small, path)
        _alter(path, script)
        assert expected in reasons(report(path, payloads=True)), script
        assert report(path).verdict is Status.PASSED
    ledger = await open_ledger()
    subject = await ledger.pseudonym(LOG, "MRN 1")
    await ledger.erase_subject(LOG, subject)
    await ledger.close()
    found = report(small, payloads=True)
    assert found.verdict is Status.PASSED
    assert [item.detail for item in found.findings if item.check == "payloads"] == [
        "1 stored payloads are those that entries name; 3 are erased, 0 pruned"
    ]


async def test_pages_that_cannot_be_read_are_bad_entries_not_a_way_out(long: Path) -> None:
    with closing(sqlite3.connect(long, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    whole = long.read_bytes()
    head = log_in(long, LOG).head
    at = whole.index(b'"index":1000,') // page_size * page_size
    long.write_bytes(whole[:at] + b"\xff" * 64 + whole[at + 64 :])
    for mode in Mode:
        outcome = verify_stored_log(SqliteLog(long, LOG), head, mode=mode)
        assert outcome.problems
        assert abs(named(outcome)[0] - 1000) < 20
    long.write_bytes(b"no database at all" * 1000)
    with pytest.raises(VerificationIncomplete):
        logs_in(long)


async def test_every_byte_of_a_small_database_file_is_covered_or_says_nothing(small: Path) -> None:
    """Each byte of the headers of file and pages, and each 131st of the rest. A flip is found, is refused, or hits what
    no entry, row or head is made of."""
    with closing(sqlite3.connect(small, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    honest, head = kept(small)
    whole = small.read_bytes()
    copy = small.parent / "copy.db"
    shutil.copytree(small.parent / "published", copy.parent / "copied", dirs_exist_ok=True)
    page_size = int.from_bytes(whole[16:18], "big")
    headers = {page + at for page in range(0, len(whole), page_size) for at in range(12)}
    for at in sorted({*range(100), *headers, *range(0, len(whole), 131)}):
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            same = report(copy).verdict is not Status.PASSED or kept(copy) == (honest, head)
        except (VerificationIncomplete, VerificationError, NotFound, AssertionError):
            continue
        except Exception as err:
            raise AssertionError(f"flip at {at} is neither a verdict nor the one error") from err
        assert same, at
