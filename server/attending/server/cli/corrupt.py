"""What to do about a ledger that is not as it should be, in terms of these commands."""

from __future__ import annotations

from typing import Final

from attending.ledger.errors import LedgerError

_RESTORE: Final = (
    "stop the server, keep the database as it is, and restore the newest backup (docs/operations.md)"
)

STEPS: Final[dict[str, str]] = {
    "LEDGER_LOCKED": "stop the other server, or give another folder with --data",
    "UNSAFE_SETTINGS": "correct what is named; docs/operations.md says what a ledger needs",
    "STORE_UNAVAILABLE": "check that the database runs and can be reached, and the disk's room and permissions",
    "UNSAFE_DATABASE": "change what is named, on the database server, and start again (docs/postgresql.md)",
    "DATABASE_NOT_MIGRATED": "have an administrator run `attending ledger migrate --config FILE --user ADMIN`",
    "PROJECTIONS_INCOMPLETE": "run `attending ledger rebuild`; the log itself is whole",
    "SCHEMA_VERSION": "use the release that fits; nothing was changed",
    "LOG_ROLLED_BACK": "look for a newer copy of the database; docs/operations.md says how to go on without one",
    "PUBLISHED_AHEAD": "look for a newer backup; --accept-loss seals the log that lost entries (docs/operations.md)",
    "PUBLISHED_HEAD_DIFFERS": "keep both, they are two histories: find out who changed which (docs/operations.md)",
    "PUBLISHED_HEAD_UNREADABLE": "keep that file apart and find out who changed it (docs/operations.md)",
    "DATABASE_DAMAGED": _RESTORE,
    "KEY_MISMATCH": "put back the key folder that belongs to this ledger, from after the last rotation",
    "INTRODUCTION_PENDING": "try again in a moment; if it stays, start the server once, which finishes the rotation",
    "KEY_ALTERED": "put back the key folder from its own backup; if it was moved to another root, see docs/secrets.md",
    "KEY_OTHER_ROOT": "configure the root that it is sealed under as `[secrets.previous]` (docs/secrets.md)",
    "KEY_NOT_SEALED": "add `[secrets.previous]` with kind `plain`, then `attending keys rewrap` (docs/secrets.md)",
    "KEY_STORE_UNAVAILABLE": "check that Vault or KMS runs and can be reached; nothing was made or written meanwhile",
    "KEY_STORE_REFUSED": "check the passphrase, token or credentials that `[secrets]` names, and the key's state there",
    "BACKUP_INCOMPLETE": "use another backup; this one was never finished, or copied without its manifest",
    "BACKUP_MANIFEST": "use another backup, or copy this one again from where it was made",
    "BACKUP_ALTERED": "use another backup, or copy this one again from where it was made",
    "TARGET_NOT_EMPTY": "give a new place; nothing that exists is replaced",
}


def next_step(err: LedgerError, option: str = "") -> str:
    """The next step for an error of the ledger; an entry that is named can be looked at.

    `option` is how the ledger was reached, for the commands that are named, such as ` --data x`.
    """
    index, log_id = getattr(err, "index", None), getattr(err, "log_id", None)
    return step_for(err.reason, log_id, index, option)


def step_for(reason: str, log_id: str | None, index: int | None, option: str = "") -> str:
    """As `next_step`, from an error's parts."""
    if index is not None and reason not in ("LOG_ROLLED_BACK", "DATABASE_DAMAGED"):
        where = f" --log {log_id}" if log_id else ""
        return (
            f"see it with `attending ledger show {index}{where}{option}`, look for more with `attending ledger"
            f" verify{option}`, and then restore the newest backup (docs/operations.md)"
        )
    return STEPS.get(reason, "see docs/operations.md; nothing is repaired silently")
