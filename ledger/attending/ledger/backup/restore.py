"""Restoring a backup into an empty ledger, on either engine.

Nothing of a target is visible before all of it was verified: a SQLite file gets its name last, PostgreSQL commits last.
Claims on idempotency keys come back as they were, so that a retry of a request from before the backup finds its answer;
what was claimed after it is forgotten with the entries, and runs anew. The epoch comes back, too, and the next start
raises it. Erasures on record are carried out again by the next start; a key destroyed since the backup stays destroyed.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from attending.ledger.backup.check import CheckedLog, Progress, check_log, check_objects, claimed_size
from attending.ledger.backup.manifest import Manifest, read_manifest
from attending.ledger.backup.take import count_rows, sha256_of, sync_file
from attending.ledger.checkpoint import verify
from attending.ledger.errors import (
    BackupRefused,
    CorruptLog,
    NotFound,
    OtherVersion,
    StoreUnavailable,
    UnsafeSettings,
    VerificationError,
)
from attending.ledger.files import FolderLock, make_folder, require_local, sync_folder
from attending.ledger.introduction import follow, terms
from attending.ledger.signing import Chain, read_chain
from attending.ledger.store import schema
from attending.ledger.store.port import HeadRow, LogRow, StoreFault
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.ledger.store.sqlite import SqliteStore
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError

DATABASE: Final = "ledger.db"


class Lost(NamedTuple):
    """Entries [first, end) of a log that were published and are not in the backup. `known` is False when the backup
    does not have the log at all.
    """

    log_id: str
    first: int
    end: int
    known: bool


@dataclass(frozen=True, slots=True)
class Inspected:
    """A backup that is what its manifest says, every log of it verified."""

    path: Path
    readable: Path
    """The same content in this program's schema: `path` itself, or a copy for a backup of an earlier release."""
    manifest: Manifest
    logs: tuple[CheckedLog, ...]
    lost: tuple[Lost, ...]
    unpublished: tuple[str, ...]
    """Logs with entries for which no published head was found: what came after the backup cannot be told."""
    copy: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False, compare=False)
    """Holds `readable` while this object lives."""


def inspect_backup(
    path: Path,
    published: Mapping[str, str],
    progress: Progress | None = None,
    *,
    introduced: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Inspected:
    """The verified content of a backup, compared with what was `published` (notes by log), under keys that may have
    been `introduced` since.

    1. The file has the size and hash of its manifest. 2. Its tables and triggers are the ledger's, none
    is added that would act on writes, and it holds the logs, heads and rows that the manifest lists.
    3. Every log verifies in full, and extends the head that was published before the backup. 4. What is published now
    is of the same history; where it is ahead, `lost` says by what.

    Raises BackupRefused (BACKUP_INCOMPLETE, BACKUP_MANIFEST, BACKUP_ALTERED), OtherVersion, CorruptLog (as
    `check_log`), StoreUnavailable, NotFound, OSError.
    """
    if not path.is_file():
        raise NotFound(f"there is no backup `{path}`")
    manifest = read_manifest(path)
    if path.stat().st_size != manifest.size_bytes or sha256_of(path, progress) != manifest.sha256:  # 1
        raise BackupRefused(f"`{path}` is not the file that its manifest describes", reason="BACKUP_ALTERED")
    copy = _brought_up_to_date(path, manifest)
    readable = path if copy is None else Path(copy.name) / DATABASE
    store = ReadOnlySqlite(readable, frozen=True)
    try:
        try:
            check_objects(store)  # 2
        except UnsafeSettings as err:
            raise BackupRefused(f"`{path}` is no ledger of ours: {err}", reason="BACKUP_ALTERED") from err
        heads = store.heads()
        _check_listed(path, manifest, heads, count_rows(store))
        listed = {log.log_id: log.published for log in manifest.logs}
        logs, lost = [], []
        for row, head in heads:
            notes = [note for note in (listed[row.log_id],) if note is not None]
            outside = published.get(row.log_id)
            signed = head.size
            if outside is not None:
                chain = read_chain(store, row)
                signed = _signed_size(row, chain, outside, introduced.get(row.log_id, ()))
            if signed > head.size:
                lost.append(Lost(row.log_id, head.size, signed, True))
            elif outside is not None:
                notes.append(outside)
            logs.append(check_log(store, row, head, notes, progress))  # 3, 4
        known = {row.log_id for row, _ in heads}
        lost += [
            Lost(log_id, 0, claimed_size(note) or 0, False)
            for log_id, note in published.items()
            if log_id not in known
        ]
        bare = [row.log_id for row, head in heads if head.size and row.log_id not in published]
    except StoreFault as err:
        raise StoreUnavailable(f"backup `{path}` cannot be read ({err})") from err
    finally:
        store.close()
    return Inspected(path, readable, manifest, tuple(logs), tuple(lost), tuple(bare), copy)


def restore_sqlite(backup: Inspected, folder: Path, *, accept_loss: bool = False) -> None:
    """Makes `folder` the ledger folder of the backup's content.

    With `accept_loss`, each log that lost published entries is sealed: its key has signed what is gone, and must never
    sign another history in its place. Otherwise a loss is refused (BackupRefused, PUBLISHED_AHEAD).

    Raises BackupRefused (also TARGET_NOT_EMPTY), LedgerLocked, UnsafeSettings, StoreUnavailable, OSError. A crash
    leaves no database, and perhaps a hidden `.part` file.
    """
    _refuse_loss(backup, accept_loss)
    make_folder(folder)
    require_local(folder)
    target = folder / DATABASE
    with FolderLock(folder):
        if taken := [path.name for path in sorted(folder.glob(f"{DATABASE}*"))]:
            raise BackupRefused(
                f"`{folder}` has a database already (`{taken[0]}`), and a restore never replaces one",
                reason="TARGET_NOT_EMPTY",
            )
        part = folder / f".{DATABASE}.{os.getpid()}.{os.urandom(4).hex()}.part"
        try:
            shutil.copyfile(backup.path, part)
            part.chmod(0o600)
            if sha256_of(part) != backup.manifest.sha256:
                raise BackupRefused(f"`{backup.path}` changed while it was copied", reason="BACKUP_ALTERED")
            _finish_sqlite(part, [lost.log_id for lost in backup.lost if lost.known])
            sync_file(part)
            part.rename(target)
            sync_folder(folder)
        except sqlite3.Error as err:
            name = getattr(err, "sqlite_errorname", type(err).__name__)
            raise StoreUnavailable(f"the restore could not be finished ({name}); nothing was left") from err
        finally:
            for name in (part, Path(f"{part}-wal"), Path(f"{part}-shm"), Path(f"{part}-journal")):
                name.unlink(missing_ok=True)


def restore_postgres(
    backup: Inspected,
    conninfo: str,
    metadata: Collection[MetaData],
    *,
    grant_to: Sequence[str] = (),
    accept_loss: bool = False,
    progress: Progress | None = None,
) -> None:
    """Fills the ledger of a PostgreSQL database, which is prepared for servers on the way; `conninfo` connects as
    its administrator.

    All rows go in by one transaction, and what stands there is verified again before it commits. Triggers stay on.
    Raises as `restore_sqlite`; a crash or an error leaves a ledger that is prepared and empty.
    """
    _refuse_loss(backup, accept_loss)
    # Only here: a restore to SQLite needs no driver.
    from attending.ledger.backup.into_postgres import fill_database

    sealed = [lost.log_id for lost in backup.lost if lost.known]
    fill_database(backup, conninfo, metadata, grant_to=grant_to, sealed=sealed, progress=progress)


def describe_loss(lost: Sequence[Lost]) -> str:
    """The ranges that a restore loses, as words."""
    return "; ".join(
        f"log `{item.log_id}` loses "
        + (f"entries {item.first} to {item.end - 1}" if item.end - item.first > 1 else f"entry {item.first}")
        if item.known
        else f"log `{item.log_id}`, of which {item.end} entries were published, is not in the backup"
        for item in lost
    )


def _refuse_loss(backup: Inspected, accept_loss: bool) -> None:
    if backup.lost and not accept_loss:
        raise BackupRefused(
            f"the backup is behind what was published: {describe_loss(backup.lost)}", reason="PUBLISHED_AHEAD"
        )


def _brought_up_to_date(path: Path, manifest: Manifest) -> tempfile.TemporaryDirectory[str] | None:
    """A private folder with a copy of an earlier release's backup, migrated as its server would; None for one of this
    release. The backup itself stays as it is.
    """
    if manifest.schema_version == schema.SCHEMA_VERSION:
        return None
    if manifest.schema_version > schema.SCHEMA_VERSION:
        raise OtherVersion(
            f"`{path}` is of schema version {manifest.schema_version}, this program restores up to"
            f" {schema.SCHEMA_VERSION}: use the release that made it (`{manifest.program}`), or a later one"
        )
    folder = tempfile.TemporaryDirectory(prefix="attending-restore-")
    copy = Path(folder.name) / DATABASE
    try:
        shutil.copyfile(path, copy)
        store = SqliteStore(copy)
        try:
            store.create_tables([])
        finally:
            store.close()
    except (StoreFault, DBAPIError) as err:
        folder.cleanup()
        raise BackupRefused(
            f"`{path}` cannot be brought to this release's schema", reason="BACKUP_ALTERED"
        ) from err
    except BaseException:
        folder.cleanup()
        raise
    return folder


def _check_listed(
    path: Path, manifest: Manifest, heads: Sequence[tuple[LogRow, HeadRow]], counts: Mapping[str, int]
) -> None:
    found = {
        (row.log_id, row.origin, row.verifier_key, head.size, head.root.hex(), head.time)
        for row, head in heads
    }
    listed = {
        (log.log_id, log.origin, log.verifier_key, log.size, log.root, log.time) for log in manifest.logs
    }
    # Not of the table `ledger`: a migration may add to it, and it holds nothing of the log.
    expected = {name: number for name, number in manifest.counts.items() if name != schema.ledger.name}
    if found != listed or {name: counts.get(name) for name in expected} != expected:
        raise BackupRefused(f"`{path}` does not hold what its manifest lists", reason="BACKUP_ALTERED")


def _signed_size(row: LogRow, chain: Chain, note: str, introduced: Sequence[str]) -> int:
    """The size of a published head; CorruptLog when the log did not sign it: then nothing can be compared.

    Its key may have come after the backup: `introduced` are the introductions that were published with it.
    """
    try:
        later = follow(introduced, row.origin)
        known = terms([chain.first], later) if later else chain.terms
        return verify(note, known).size
    except VerificationError as err:
        raise CorruptLog(
            f"published head of log `{row.log_id}` is not one that this log signed",
            reason="PUBLISHED_HEAD_UNREADABLE",
            log_id=row.log_id,
        ) from err


def _finish_sqlite(part: Path, sealed: Sequence[str]) -> None:
    """Gives the copy its triggers' check, its seals and the journal mode of a store; it closes without side files."""
    store = SqliteStore(part)
    try:
        store.create_tables([])
    except StoreFault as err:
        raise StoreUnavailable(f"the restored database cannot be used ({err})") from err
    finally:
        store.close()
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for log_id in sealed:
            connection.execute(
                "DELETE FROM log_stop WHERE log_id = ? AND reason <> ?", (log_id, schema.SEALED)
            )
            connection.execute(
                "INSERT INTO log_stop SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM log_stop WHERE log_id = ?)",
                (log_id, schema.SEALED, log_id),
            )
        connection.execute("COMMIT")
        checkpointed: tuple[Any, ...] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if checkpointed[0] != 0:
            raise StoreUnavailable("the restored database could not be written whole")
