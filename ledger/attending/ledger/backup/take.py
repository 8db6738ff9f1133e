"""Taking a backup of a ledger that is in use.

SQLite is copied by its online backup within one read transaction: the writer goes on, and the copy is of one moment.
PostgreSQL is read in one repeatable-read snapshot, table by table, into a SQLite file that the same migrations made.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from attending.ledger.backup.check import Progress, check_log, check_objects
from attending.ledger.backup.manifest import LogSummary, Manifest, manifest_path
from attending.ledger.entry import format_time
from attending.ledger.errors import BackupRefused, StoreUnavailable
from attending.ledger.files import PRIVATE_MODE, sync_folder
from attending.ledger.store import schema
from attending.ledger.store.port import StoreFault
from attending.ledger.store.read_only import ReadOnlySqlite, ReadOnlyStore
from attending.ledger.store.sqlite import SqliteStore
from sqlalchemy import Table

_PAGES: Final = 512
_ROWS: Final = 500
MARK_REBUILDING: Final = (
    "UPDATE ledger SET value = 1 WHERE name = 'rebuilding' AND EXISTS (SELECT 1 FROM entry)"
)
"""Projections are not copied between engines: what they hold is in the entries (`attending ledger rebuild`)."""
_CHUNK_BYTES: Final = 1 << 20


def take_backup(
    store: ReadOnlyStore,
    out: Path,
    published: Mapping[str, str],
    *,
    now: Callable[[], datetime],
    program: str,
    verify: bool = True,
    progress: Progress | None = None,
) -> Manifest:
    """The manifest of the backup that lies, whole and durable, under `out` when this returns.

    `published` are the notes published before this call, by log; `program` names the version that makes it. The
    copy, not the source, is what is verified: every log from its entries to its head and published head
    (`check_log`), unless `verify` is False, which the manifest says.

    A crash or an error leaves nothing under `out`, and perhaps a hidden `.part` file beside it. A crash between the
    file's name and its manifest's leaves a file that `restore` refuses as unfinished. Raises BackupRefused
    (TARGET_NOT_EMPTY), CorruptLog (the source does not verify), UnsafeSettings (it has lost a
    trigger), StoreUnavailable, OSError.
    """
    for path in (out, manifest_path(out)):
        if path.exists():
            raise BackupRefused(f"`{path}` exists, and a backup is never replaced", reason="TARGET_NOT_EMPTY")
    with _part(out) as part:
        try:
            with store.snapshot():
                if isinstance(store, ReadOnlySqlite):
                    _copy_pages(store, part, progress)
                else:
                    _copy_rows(store, part, progress)
        except StoreFault as err:
            raise _unfinished(str(err)) from err
        except sqlite3.Error as err:
            raise _unfinished(str(getattr(err, "sqlite_errorname", type(err).__name__))) from err
        manifest = _describe(part, out, store.engine, published, now(), program, verify, progress)
        part.chmod(PRIVATE_MODE)
        sync_file(part)
        try:
            out.hardlink_to(part)
        except FileExistsError:
            raise BackupRefused(
                f"`{out}` exists, and a backup is never replaced", reason="TARGET_NOT_EMPTY"
            ) from None
        sync_folder(out.parent)
    manifest.write(manifest_path(out))
    return manifest


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """The hex SHA-256 of a file."""
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress("hash", done, size)
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    """Makes a file's bytes durable, whoever wrote them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def backed_up_tables() -> list[Table]:
    """The tables of the ledger that a backup holds, in the order in which they are filled: what a trigger looks for
    comes before the table that it guards.
    """
    return [table for table in schema.metadata.sorted_tables if table.name not in schema.NOT_BACKED_UP]


def count_rows(store: ReadOnlyStore) -> dict[str, int]:
    """Rows by table of the ledger."""
    return {
        table.name: int(store.rows(f"SELECT COUNT(*) FROM {table.name}")[0][0])  # noqa: S608 - the schema's names
        for table in backed_up_tables()
    }


def insert_of(table: Any, mark: str = "?") -> str:
    """The INSERT of every column of a table of the ledger."""
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join(mark for _ in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of the schema


@contextmanager
def _part(out: Path) -> Iterator[Path]:
    """A hidden file beside `out` to build it in, private, and gone afterwards."""
    part = out.with_name(f".{out.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_MODE))
    try:
        yield part
    finally:
        for name in (part, Path(f"{part}-wal"), Path(f"{part}-shm"), Path(f"{part}-journal")):
            name.unlink(missing_ok=True)


def _connect(part: Path) -> sqlite3.Connection:
    """A connection for filling a file that counts only once it is whole and synced."""
    connection = sqlite3.connect(part, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _copy_pages(store: ReadOnlySqlite, part: Path, progress: Progress | None) -> None:
    def step(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress("copy", total - remaining, total)

    with closing(_connect(part)) as target:
        # The read transaction of the snapshot is open for all of it, so that a busy writer cannot make the copy
        # begin again and again.
        store.backup_to(target, _PAGES, step)
        # One file that can be read where nothing can be written: no side files.
        target.execute("PRAGMA journal_mode = DELETE")


def _copy_rows(store: ReadOnlyStore, part: Path, progress: Progress | None) -> None:
    """What is visible on PostgreSQL need not be confirmed by its standbys yet: such entries are in the backup, too,
    and their head was signed by nobody. What was published is compared as ever.
    """
    made = SqliteStore(part)
    made.create_tables([])
    made.close()
    total = sum(count_rows(store).values())
    done = 0
    with closing(_connect(part)) as target:
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute("BEGIN")
        target.execute("DELETE FROM ledger")  # the migrations' own row; no table of the log has any
        for table in backed_up_tables():
            source = store.stream(table)
            while chunk := list(itertools.islice(source, _ROWS)):
                target.executemany(insert_of(table), chunk)
                done += len(chunk)
                if progress is not None:
                    progress("copy", done, total)
        target.execute(MARK_REBUILDING)
        target.execute("COMMIT")


def _describe(
    part: Path,
    out: Path,
    engine: str,
    published: Mapping[str, str],
    moment: datetime,
    program: str,
    verify: bool,
    progress: Progress | None,
) -> Manifest:
    copy = ReadOnlySqlite(part, frozen=True)
    try:
        logs = []
        payloads = dict(copy.rows("SELECT log_id, COUNT(*) FROM payload GROUP BY log_id"))
        for row, head in copy.heads():
            note = published.get(row.log_id)
            if verify:
                check_log(copy, row, head, () if note is None else (note,), progress)
            logs.append(
                LogSummary(
                    log_id=row.log_id,
                    origin=row.origin,
                    verifier_key=row.verifier_key,
                    size=head.size,
                    root=head.root.hex(),
                    time=head.time,
                    published=note,
                    payloads=payloads.get(row.log_id, 0),
                )
            )
        if verify:
            check_objects(copy)  # what a start would refuse is no backup either
        counts, epoch, version = count_rows(copy), copy.epoch(), copy.schema_version()
    except StoreFault as err:
        raise _unfinished(str(err)) from err
    finally:
        copy.close()
    return Manifest(
        created_at=format_time(moment),
        program=program,
        engine=engine,
        schema_version=version,
        epoch=epoch,
        file=out.name,
        size_bytes=part.stat().st_size,
        sha256=sha256_of(part, progress),
        verified=verify,
        logs=tuple(logs),
        counts=counts,
    )


def _unfinished(kind: str) -> StoreUnavailable:
    why = "the disk is full" if "FULL" in kind else kind
    return StoreUnavailable(f"the backup could not be finished ({why}); nothing was left under its name")
