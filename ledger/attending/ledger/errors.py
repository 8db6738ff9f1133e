"""Every error of the ledger. `reason` is the stable name that callers and tests match; messages may change.

Messages are lower case, without a full stop, and never carry entry bodies, payloads or identifiers of a
person.
"""

# ruff: noqa: N818 - the names say what happened, as the standard library's own do; the base says it is an
# error

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """Base of the package. `reason` is UPPER_SNAKE, also the `google.rpc.ErrorInfo` reason on the wire."""

    reason: str = "LEDGER_ERROR"


class VerificationError(LedgerError):
    """Evidence that does not hold: a proof, signature, hash, encoding or schema that is wrong.

    `reason` says which kind, `index` the first entry concerned (zero-based) where there is one, and
    `detail` is a sentence free of personal content.
    """

    reason = "VERIFICATION_FAILED"

    def __init__(self, detail: str, *, reason: str | None = None, index: int | None = None) -> None:
        super().__init__(detail)
        if reason is not None:
            self.reason = reason
        self.detail = detail
        self.index = index

    def __str__(self) -> str:
        return self.detail if self.index is None else f"entry {self.index}: {self.detail}"


class CanonicalError(VerificationError):
    """A value outside the restricted JSON model, or bytes that are not its one canonical encoding."""

    reason = "CANONICAL_FORM"


class EntryTooLarge(LedgerError):
    """An entry whose canonical encoding could exceed the limit; nothing was queued or stored."""

    reason = "ENTRY_TOO_LARGE"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"entry of {size_bytes} bytes exceeds the limit of {limit_bytes}")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class ExpectationFailed(LedgerError):
    """A stream is not at the version that the append was conditional on; nothing of it was stored."""

    reason = "EXPECTATION_FAILED"

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream is at version {actual}, expected {expected}")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class DuplicateClaim(LedgerError):
    """The idempotency key was already used with the same body; `stream` is what that first call began."""

    reason = "DUPLICATE_CLAIM"

    def __init__(self, key: str, stream: str) -> None:
        super().__init__("idempotency key already used with the same body")
        self.key = key
        self.stream = stream


class ClaimConflict(LedgerError):
    """The idempotency key was already used with another body."""

    reason = "CLAIM_CONFLICT"

    def __init__(self, key: str) -> None:
        super().__init__("idempotency key already used with another body")
        self.key = key


class ClaimStale(LedgerError):
    """The claim was made with a key that has been replaced meanwhile; nothing was stored. Made anew, it counts."""

    reason = "CLAIM_STALE"


class RowRejected(LedgerError):
    """A row that the append carried beside its entries breaks a constraint; nothing of it was stored."""

    reason = "ROW_REJECTED"


class QueueFull(LedgerError):
    """The sequencer's queue is full; nothing was stored, retry after `retry_after_seconds`."""

    reason = "QUEUE_FULL"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"append queue is full, retry after {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class LogFrozen(LedgerError):
    """The log takes no more entries (LOG_SEALED; but for the custody of its payloads, see `entry.AFTER_SEAL`), or
    none yet (LOG_AWAITS_PREDECESSOR).
    """

    reason = "LOG_FROZEN"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class Halted(LedgerError):
    """Appending is halted: by an operator, or because evidence outside the database disagrees with it."""

    reason = "LOG_HALTED"


class LedgerLocked(LedgerError):
    """Another process holds the ledger folder."""

    reason = "LEDGER_LOCKED"


class NotFound(LedgerError):
    """No such log, stream, record or key."""

    reason = "NOT_FOUND"


class OutOfRange(LedgerError):
    """An index at or past the tree size, or a tree size past the head."""

    reason = "OUT_OF_RANGE"


class KeyStoreUnavailable(LedgerError):
    """The store of the root key did not answer, or not usefully; nothing was made or written in its place. Keys that
    are open go on working.
    """

    reason = "KEY_STORE_UNAVAILABLE"
    retry_after_seconds: float = 5.0


class KeyStoreRefused(LedgerError):
    """The store of the root key answered that it will not: credentials, permissions, or its key is gone, disabled or
    too old a version.
    """

    reason = "KEY_STORE_REFUSED"


class KeysNotOpen(LedgerError):
    """A sealed key does not open: KEY_ALTERED (changed, cut short, or of another log or name), KEY_OTHER_ROOT (sealed
    under another root), KEY_NOT_SEALED (in the clear where a root is configured). Nothing is made in its place.
    """

    reason = "KEY_ALTERED"
    ALTERED: ClassVar[str] = "KEY_ALTERED"
    OTHER_ROOT: ClassVar[str] = "KEY_OTHER_ROOT"
    NOT_SEALED: ClassVar[str] = "KEY_NOT_SEALED"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeyGenerations(LedgerError):
    """A key has as many generations as it can have; it is not rotated again before one of them is gone."""

    reason = "KEY_GENERATIONS"


class SigningKeyRetired(LedgerError):
    """The key that signs for a tree of that size was rotated since, and is destroyed; with a newer head it goes on."""

    reason = "SIGNING_KEY_ROTATED"
    retry_after_seconds: float = 1.0


class SubjectErased(LedgerError):
    """The subject's key has been destroyed; the entry still proves, the content is gone for good."""

    reason = "SUBJECT_ERASED"


class PayloadPruned(LedgerError):
    """The payload's retention ended and it was pruned; the entry still proves, the content is gone for good."""

    reason = "PAYLOAD_PRUNED"


class SubjectHeld(LedgerError):
    """A legal hold covers the subject: nothing about it is erased, pruned or unlinked until it is lifted."""

    reason = "SUBJECT_HELD"

    def __init__(self, holds: tuple[str, ...]) -> None:
        super().__init__(f"subject is on hold: {', '.join(holds)}")
        self.holds = holds
        self.metadata = {"holds": ",".join(holds)}


class ClosureTooLarge(LedgerError):
    """More pseudonyms would be linked as one person than one atomic append can erase; nothing was stored."""

    reason = "CLOSURE_TOO_LARGE"


class CustodyChanged(LedgerError):
    """The pseudonyms linked as one person are not those that the caller decided on; nothing was stored."""

    reason = "CUSTODY_CHANGED"


class StoreUnavailable(LedgerError):
    """The store failed and the outcome of the write is unknown: not acknowledged, perhaps stored. Trying again with
    the same key after `retry_after_seconds` tells which.
    """

    reason = "STORE_UNAVAILABLE"
    retry_after_seconds: float = 1.0


class VerificationIncomplete(LedgerError):
    """A verification ended before everything was read (a worker was killed, a store cannot be read); what was
    read proves nothing about the rest.
    """

    reason = "VERIFICATION_INCOMPLETE"


class UnsafeSettings(LedgerError):
    """The store is configured in a way that can lose acknowledged entries; the ledger refuses to start.

    UNSAFE_SETTINGS of a folder, UNSAFE_DATABASE of a database, its login or its triggers, DATABASE_NOT_MIGRATED.
    """

    reason = "UNSAFE_SETTINGS"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class FolderRefused(LedgerError):
    """A folder to export to holds something else, another log, or is being written to; see the reason."""

    reason = "EXPORT_FOLDER"

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ProjectionsIncomplete(LedgerError):
    """Projections lack rows: a rebuild was cut short, or a table was lost or has changed its shape since. Nothing
    may be served from them until a rebuild has ended.
    """

    reason = "PROJECTIONS_INCOMPLETE"


class OtherVersion(LedgerError):
    """A database or backup of another schema version than this program reads. Nothing in it was changed."""

    reason = "SCHEMA_VERSION"


class BackupRefused(LedgerError):
    """A backup that is not what its manifest says, or a target that must not be restored to.

    Reasons: BACKUP_MANIFEST, BACKUP_ALTERED, BACKUP_INCOMPLETE, TARGET_NOT_EMPTY, PUBLISHED_AHEAD.
    """

    reason = "BACKUP_REFUSED"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class CorruptLog(LedgerError):
    """The stored log does not verify, or is behind a head that was already published; appending stops.

    `index` is the first bad entry and `log_id` its log, where they are known: what is stored there is kept as
    it is, and `attending ledger show` shows it.
    """

    reason = "CORRUPT_LOG"
    ROLLBACK: ClassVar[str] = "LOG_ROLLED_BACK"
    DAMAGED: ClassVar[str] = "DATABASE_DAMAGED"
    """The database itself says that pages of it cannot be read."""

    def __init__(
        self,
        detail: str,
        *,
        index: int | None = None,
        reason: str | None = None,
        log_id: str | None = None,
    ) -> None:
        where = f"log `{log_id}`, " if log_id is not None and f"log `{log_id}`" not in detail else ""
        where += "" if index is None else f"entry {index}: "
        super().__init__(where + detail if index is not None else detail)
        if reason is not None:
            self.reason = reason
        self.detail = detail
        self.index = index
        self.log_id = log_id
