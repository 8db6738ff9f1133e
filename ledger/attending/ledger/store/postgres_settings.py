"""What a PostgreSQL server and role must be like before an entry is entrusted to them.

Checked at every connect of the writer, since a failover or a reload may change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from attending.ledger.errors import UnsafeSettings
from attending.ledger.store import postgres_schema

MIN_VERSION: Final = 150_000
_SAFE_COMMIT: Final = {"on", "remote_apply"}
_NAMES: Final = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "synchronous_standby_names",
    "server_version_num",
    "server_encoding",
    "zero_damaged_pages",
    "ignore_checksum_failure",
)


def check_settings(connection: psycopg.Connection[Any], *, require_replication: bool) -> None:
    """Raises UnsafeSettings, with every reason, when acknowledged entries could be lost or altered.

    1. Version 15 or later, UTF-8, not a standby. 2. fsync and full_page_writes are on; a commit waits for its
    write-ahead log (and, with `require_replication`, a standby is named to wait for). 3. No developer setting
    passes damaged pages over. Source: PostgreSQL documentation, "Reliability" and "Developer Options".
    """
    rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(_NAMES),))
    found: dict[str, str] = {str(name): str(setting) for name, setting in rows.fetchall()}
    standby = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if standby is not None and standby[0]:
        raise UnsafeSettings(
            "server is a standby, expected the primary; connect to the one that takes writes"
        )
    if reasons := reasons_against(found, require_replication=require_replication):
        raise UnsafeSettings("; ".join(reasons))


def reasons_against(settings: Mapping[str, str], *, require_replication: bool) -> list[str]:
    """Why a server with these settings must not be trusted, each with what to set; pure."""
    reasons = []
    if int(settings.get("server_version_num", 0)) < MIN_VERSION:
        reasons.append("server is older than PostgreSQL 15")
    if settings.get("server_encoding") != "UTF8":
        reasons.append("database encoding is not UTF8")
    for name, loss in (
        ("fsync", "acknowledged entries could be lost in a crash"),
        ("full_page_writes", "a torn page could corrupt the log in a crash"),
    ):
        if settings.get(name) != "on":
            reasons.append(f"{name} is `{settings.get(name)}`: {loss}; set it to on")
    commit = settings.get("synchronous_commit")
    if commit not in _SAFE_COMMIT:
        reasons.append(f"synchronous_commit is `{commit}`: a commit would return early; set it to on")
    if require_replication and not settings.get("synchronous_standby_names"):
        reasons.append("synchronous_standby_names is empty, and replication is required")
    reasons += [
        f"{name} is on: damaged pages would pass for data; set it to off"
        for name in ("zero_damaged_pages", "ignore_checksum_failure")
        if settings.get(name) == "on"
    ]
    return reasons


def check_role(connection: psycopg.Connection[Any]) -> None:
    """Raises UnsafeSettings when the role that is connected could rewrite the log."""
    row = connection.execute(
        "SELECT rolsuper, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None or row[0]:
        raise UnsafeSettings(
            "role of the connection is a superuser, who can switch triggers off; connect as a login that is"
            f" only a member of `{postgres_schema.SERVER}`"
        )
    owner = connection.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(current_user, oid, 'MEMBER')",
        (postgres_schema.OWNER,),
    ).fetchone()
    if owner is not None:
        raise UnsafeSettings(
            f"role of the connection may become `{postgres_schema.OWNER}`, which can switch triggers off;"
            f" connect as a login that is only a member of `{postgres_schema.SERVER}`"
        )
    for table, rights in postgres_schema.FORBIDDEN.items():
        held = connection.execute(
            "SELECT has_table_privilege(current_user, %s, %s)", (f"{postgres_schema.SCHEMA}.{table}", rights)
        ).fetchone()
        if held is None or held[0]:
            raise UnsafeSettings(f"role of the connection has one of {rights} on `{table}`; revoke it")


def check_objects(connection: psycopg.Connection[Any]) -> None:
    """Raises UnsafeSettings when a trigger of the ledger is lost, switched off or altered, or one was added."""
    rows = connection.execute(
        "SELECT t.tgname, c.relname, p.proname, t.tgtype, t.tgenabled, p.prosrc"
        " FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %s AND NOT t.tgisinternal",
        (postgres_schema.SCHEMA,),
    ).fetchall()
    found = {str(row[0]): row[1:] for row in rows}
    expected = {trigger.name: trigger for trigger in postgres_schema.triggers()}
    for name, trigger in expected.items():
        if name not in found:
            raise UnsafeSettings(f"database has lost trigger `{name}`, which protects the log")
        table, function, kind, enabled, source = found[name]
        if (table, function, kind) != (trigger.table, trigger.function, trigger.kind):
            raise UnsafeSettings(f"trigger `{name}` of the database is not as the ledger made it")
        if _text(enabled) != "A":
            raise UnsafeSettings(f"trigger `{name}` is not enabled always")
        if source != postgres_schema.FUNCTIONS[trigger.function]:
            raise UnsafeSettings(f"function `{trigger.function}` is not as the ledger made it")
    for name, (table, *_rest) in found.items():
        if name not in expected and table in postgres_schema.SERVER_GRANTS:
            raise UnsafeSettings(f"trigger `{name}` on a table of the ledger is not of the ledger")


def _text(value: object) -> str:
    """A `"char"` column, which a driver may give as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
