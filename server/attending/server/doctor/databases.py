"""The database: settings, rights, schema, and whether what is stored is what was published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attending.server.app import policies_folder
from attending.server.cli.corrupt import STEPS, step_for
from attending.server.database import conninfo_of
from attending.server.doctor.check import Finding, Site, green, red, unknown, warning

if TYPE_CHECKING:
    import psycopg
    from attending.ledger.store.read_only import ReadOnlyStore

CONNECTIONS: Final = 10
"""Of one process at most, without those of publication (docs/postgresql.md)."""
CONNECT_SECONDS: Final = 10
_LOCAL_HOSTS: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


def schema(site: Site) -> Iterator[Finding]:
    """The schema is of this release, its guards are in place, and projections are whole."""
    from attending.ledger.errors import OtherVersion, StoreUnavailable
    from attending.ledger.store.port import StoreFault

    try:
        with site.ledger() as store:
            if store is None:
                yield green("no ledger yet")
                return
            version, epoch = store.schema_version(), store.epoch()
            if store.rebuilding():
                yield red(
                    "PROJECTIONS_INCOMPLETE",
                    "a rebuild of the projections was begun and not ended; the log itself is whole",
                    f"attending ledger rebuild{site.option}",
                )
            yield from _guards(store)
    except OtherVersion as err:
        step = f"attending ledger migrate{site.option} --user ADMIN"
        yield red(err.reason, str(err), step if site.config.storage.shared else "use the release that fits")
        return
    except (StoreUnavailable, StoreFault) as err:
        # Said once as red; whatever else wanted to look into the database could not be judged.
        yield red("STORE_UNAVAILABLE", f"the database cannot be read: {err}", STEPS["STORE_UNAVAILABLE"])
        return
    yield green(f"schema version {version}, opened {epoch} times for writing")


def settings(site: Site) -> Iterator[Finding]:
    """Settings and role of a PostgreSQL database; those of a folder's own are set at every start."""
    from attending.ledger.errors import UnsafeSettings
    from attending.ledger.store.postgres_settings import check_objects, check_role, check_settings

    storage = site.config.storage
    conninfo = conninfo_of(storage)
    if conninfo is None:
        database = storage.folder / "ledger.db"
        if database.is_file() and not _in_wal_mode(database):
            yield warning(
                "JOURNAL_MODE",
                "the database is not in write-ahead mode",
                "start the server: it sets the mode, or says why it does not take",
            )
            return
        yield green("SQLite: write-ahead log, synchronous FULL; set and checked at every start")
        return
    import psycopg

    try:
        connection = psycopg.connect(
            conninfo,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options="-c default_transaction_read_only=on -c statement_timeout=10s",
        )
    except psycopg.Error as err:
        # The driver's words name hosts and logins; the state alone says enough.
        state = f"SQLSTATE {err.sqlstate}" if err.sqlstate else type(err).__name__
        yield red(
            "STORE_UNAVAILABLE",
            f"the database does not let us in ({state})",
            'psql "CONNECTION" as the user of the server, with the words of `storage.database`',
        )
        return
    with connection:
        well = True
        if (lacking := _not_prepared(connection)) is not None:
            yield red(
                "DATABASE_NOT_MIGRATED",
                lacking,
                f"attending ledger migrate{site.option} --user ADMIN --grant-to LOGIN",
            )
            return
        for check in (
            partial(check_settings, connection, require_replication=storage.require_replication),
            partial(check_role, connection),
            partial(check_objects, connection),
        ):
            try:
                check()
            except UnsafeSettings as err:
                well = False
                yield red(err.reason, str(err), "change it on the database server (docs/postgresql.md)")
        if well:
            yield green("settings, role and triggers are those that a ledger needs")
        yield from _transport(connection, conninfo)
        yield from _replication(connection, required=storage.require_replication)
        yield from _capacity(connection)


def heads(site: Site) -> Iterator[Finding]:
    """Every head agrees with its newest entries and with what was published of it: the checks of a start."""
    from attending.ledger.backup.published import read_published
    from attending.ledger.health import Level, examine

    # Before the database: that may only have grown since, so it is never behind what was read here.
    published = read_published(site.published_folder)
    with site.ledger() as store:
        if store is None:
            logs = []
        else:
            retention = timedelta(days=site.config.idempotency.retention_days)
            with store.snapshot():
                logs = examine(store, published, now=site.now(), claim_retention=retention, count=False)
    for log in logs:
        log_id = log.row.log_id
        for one in log.findings:
            if one.level is Level.UNDECIDED:
                step = (
                    "start the server: it publishes each second; then check `storage.published_folder`"
                    if one.reason == "NOT_PUBLISHED"
                    else "ask the primary"
                )
                yield unknown(one.reason, one.detail, step)
            else:
                yield red(one.reason, one.detail, step_for(one.reason, log_id, one.index, site.option))
        if not log.findings:
            yield green(f"log `{log_id}`: {log.head.size:,} entries, and what was published agrees")
    known = {log.row.log_id for log in logs}
    for log_id in sorted(set(published) - known):
        yield red(
            "LOG_MISSING",
            f"a head of log `{log_id}` was published, and the database has no such log",
            "check that this is the database of these published heads; else restore the newest backup",
        )
    if not logs and not published:
        yield green("no log yet")


def stopped(site: Site) -> Iterator[Finding]:
    """Logs that take no entries, and tenants whose log has not begun."""
    with site.ledger() as store:
        logs = {} if store is None else {row.log_id: row.origin for row, _head in store.heads()}
        stops = {} if store is None else store.stops()
    for log_id, reason in sorted(stops.items()):
        if log_id in {tenant.name for tenant in site.config.tenants}:
            yield red(
                reason,
                f"log `{log_id}` takes no entries any more",
                "give the tenant a successor with a new name and origin (docs/operations.md)",
            )
    begun = 0
    for tenant in site.config.tenants:
        origin = logs.get(tenant.name)
        begun += origin is not None
        if origin is not None and origin != tenant.log_origin:
            yield red(
                "ORIGIN_CHANGED",
                f"log `{tenant.name}` began with another origin than `{tenant.log_origin}`",
                "give the tenant back its origin: it is part of every entry and cannot change",
            )
    yield green(f"{begun} of {len(site.config.tenants)} tenants have a log; the first start makes the rest")


def halted(site: Site) -> Iterator[Finding]:
    """What was halted and not resumed: nothing of it is released."""
    from attending.guardrails.policy.load import PolicySet
    from attending.ledger.entry import parse_entry
    from attending.ledger.verify.halts import HALTED, stream_of

    scopes = [None, *PolicySet.load(policies_folder(site.config))]
    found = 0
    with site.ledger() as store:
        for tenant in site.config.tenants if store is not None else ():
            for scope in scopes:
                assert store is not None
                stream = stream_of(scope)
                version = store.read_stream_version(tenant.name, stream)
                last = store.stream_entries(tenant.name, stream, max(version - 1, 0), 1)
                if not last or (entry := parse_entry(last[0])).type != HALTED:
                    continue
                found += 1
                what = "everything" if scope is None else f"policy `{scope}`"
                yield warning(
                    "SYSTEM_HALTED",
                    f"tenant `{tenant.name}`: {what} is halted since {entry.time}, by entry {entry.index}",
                    "attending halt --show, then attending resume once it may go on",
                )
    if not found:
        yield green("nothing is halted")


def _guards(store: ReadOnlyStore) -> Iterator[Finding]:
    """Of SQLite; those of PostgreSQL are looked at with its settings."""
    if store.engine != "sqlite":
        return
    from attending.ledger.errors import UnsafeSettings
    from attending.ledger.store.sqlite import OBJECTS, check_protection

    try:
        check_protection(
            (str(name), str(kind), str(table), str(sql)) for name, kind, table, sql in store.rows(OBJECTS)
        )
    except UnsafeSettings as err:
        yield red(
            err.reason,
            str(err),
            "keep the file as evidence, and restore the newest backup (docs/operations.md)",
        )


def _not_prepared(connection: psycopg.Connection[Any]) -> str | None:
    """What stands between the login and the ledger's tables, None when nothing does."""
    from attending.ledger.store.postgres_schema import SCHEMA, SERVER

    usable = connection.execute(
        "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
    ).fetchone()
    if usable is None:
        return "the database holds no ledger"
    return None if usable[0] else f"the login is not a member of `{SERVER}`"


def _in_wal_mode(database: Path) -> bool:
    """By the file's header: bytes 18 and 19 are 2 (sqlite.org/fileformat.html, section 1.3.2)."""
    with database.open("rb") as file:
        return file.read(20)[18:] == b"\x02\x02"


def _transport(connection: psycopg.Connection[Any], conninfo: str) -> Iterator[Finding]:
    from psycopg.conninfo import conninfo_to_dict

    host = connection.info.host
    if host.startswith("/") or host in _LOCAL_HOSTS:
        yield green("on this machine")
    elif not connection.pgconn.ssl_in_use:
        yield red(
            "DATABASE_WITHOUT_TLS",
            "payloads are sealed, and the connection to the database is not: names and times can be read and changed",
            "add sslmode=verify-full to `storage.database`",
        )
    elif (mode := str(conninfo_to_dict(conninfo).get("sslmode", "prefer"))) not in (
        "verify-full",
        "verify-ca",
    ):
        yield warning(
            "DATABASE_NOT_VERIFIED",
            f"sslmode is `{mode}`: whoever stands in between passes for the database",
            "add sslmode=verify-full and sslrootcert=FILE to `storage.database`",
        )
    else:
        yield green("TLS, and the database's certificate is verified")


def _replication(connection: psycopg.Connection[Any], *, required: bool) -> Iterator[Finding]:
    named = connection.execute("SELECT current_setting('synchronous_standby_names')").fetchone()
    if named is not None and named[0]:
        yield green("a commit waits for a standby")
    elif not required:
        yield warning(
            "NOT_REPLICATED",
            "no standby is waited for: what was acknowledged is on one machine alone",
            "set synchronous_standby_names, and then storage.require_replication = true (docs/postgresql.md)",
        )


def _capacity(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    row = connection.execute(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
        " (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),"
        " (SELECT rolvaliduntil FROM pg_roles WHERE rolname = current_user AND isfinite(rolvaliduntil))"
    ).fetchone()
    assert row is not None
    room = row[0] if row[1] < 0 else min(row[0], row[1])
    if room < CONNECTIONS:
        yield warning(
            "FEW_CONNECTIONS",
            f"the database allows {room} connections, and one process uses {CONNECTIONS} and more",
            "raise max_connections, or the login's CONNECTION LIMIT",
        )
    else:
        yield green(f"up to {room} connections")
    if row[2] is not None:
        yield warning(
            "LOGIN_EXPIRES",
            f"the login's password is valid until {row[2]:%Y-%m-%d}",
            "have an administrator run ALTER ROLE ... VALID UNTIL, before that day",
        )
