"""The connection string of a configured PostgreSQL database: put together from where its parts lie, never shown."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from attending.ledger.errors import UnsafeSettings
from attending.ledger.files import read_private
from attending.server.errors import ConfigurationError

if TYPE_CHECKING:
    from attending.ledger.opening import LedgerConfig
    from attending.server.config import Config, StorageSection

log = structlog.get_logger()

SECRETS: Final = ("password", "sslpassword")
"""Keywords of libpq whose value is a secret."""


def ledger_config(config: Config) -> LedgerConfig:
    """Where the configured ledger is, for whoever opens it. Raises ConfigurationError as `conninfo_of`."""
    from attending.ledger.opening import LedgerConfig
    from attending.server.secrets.configure import root_of

    storage = config.storage
    return LedgerConfig(
        storage.folder,
        database=conninfo_of(storage),
        database_now=lambda: _conninfo_now(storage),
        require_replication=storage.require_replication,
        keys_folder=storage.keys_folder,
        publish_folder=storage.published_folder,
        claim_retention=timedelta(days=config.idempotency.retention_days),
        max_queued_appends=storage.max_queued_appends,
        key_root=root_of(config.secrets),
    )


def _conninfo_now(storage: StorageSection) -> str | None:
    """As `conninfo_of`, from files as they are now; None when they cannot be read: what was read before goes on."""
    try:
        return conninfo_of(storage)
    except ConfigurationError:
        log.warning("database.password_unreadable")
        return None


def flaw(conninfo: str) -> str | None:
    """What is wrong with a connection string that stands in a file or on a command line; its words are not quoted."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(conninfo)
    except psycopg.Error:
        return "is neither libpq keywords nor a URI that libpq reads"
    if present := [name for name in SECRETS if name in found]:
        kept = "`database_password_file`, in a pgpass file or in PGPASSWORD"
        return f"holds a secret (`{present[0]}`); keep it in {kept}"
    return None


def conninfo_of(storage: StorageSection) -> str | None:
    """What libpq is given, with the password where one is configured; None without a database.

    Raises ConfigurationError: the variable is not set or does not read, the file is missing or open to others.
    """
    if not storage.shared:
        return None
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if storage.database_env is not None:
        given = os.environ.get(storage.database_env)
        if not given:
            raise ConfigurationError(
                f"`storage.database_env`: the environment has no `{storage.database_env}`",
                "set it to libpq keywords or a URI",
            )
        try:
            conninfo_to_dict(given)
        except psycopg.Error:
            raise ConfigurationError(
                f"`{storage.database_env}` is neither libpq keywords nor a URI that libpq reads",
                "correct the environment variable",
            ) from None
        return given
    if storage.database is None or storage.database_password_file is None:
        return storage.database
    path = storage.database_password_file
    try:
        password = read_private(path).decode("utf-8").rstrip("\r\n")
    except UnsafeSettings as err:
        raise ConfigurationError(f"`storage.database_password_file`: {err}", f"chmod 600 {path}") from err
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigurationError(
            f"`storage.database_password_file`: `{path}` cannot be read ({type(err).__name__})",
            "make it a file of one line that the server may read",
        ) from err
    return make_conninfo(storage.database, password=password)
