"""`attending ledger migrate`: roles, tables, triggers and grants of a PostgreSQL database, by an administrator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit


@click.command(
    epilog=examples(
        "attending ledger migrate --database 'host=db.example dbname=attending user=postgres'",
        "attending ledger migrate --config attending.toml --user postgres --grant-to attending_app",
        after="A password comes from PGPASSWORD or a pgpass file, never from the command line.",
    )
)
@click.option(
    "--database",
    metavar="CONNINFO",
    help="libpq keywords or a URI, without a password; connects as a superuser, or as a role that may create roles.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ATTENDING_CONFIG",
    help="TOML configuration of the server, whose database it is.",
)
@click.option("--user", help="Login to connect as, in place of the server's own: an administrator's.")
@click.option(
    "--grant-to",
    multiple=True,
    metavar="LOGIN",
    help="Login of servers, which exists; it becomes a member of `attending_server`. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def migrate(
    database: str | None,
    config_path: Path | None,
    user: str | None,
    grant_to: tuple[str, ...],
    as_json: bool,
) -> int:
    """Prepare a PostgreSQL database, or bring it to the schema of this version.

    Creates the roles, the schema `attending`, its tables, triggers and grants, in one transaction: an error changes
    nothing. Safe to repeat. Stop servers of an older version first; they refuse to start afterwards.
    """
    from attending.ledger.store import postgres_admin
    from attending.server import projections

    # The variable alone must not be in the way of a database that is named.
    if database is not None and config_path is not None and _given("config_path"):
        raise click.UsageError("--config and --database exclude each other")
    conninfo = _conninfo(database, config_path, user)
    before, after = postgres_admin.prepare(conninfo, [projections.metadata], grant_to=grant_to)
    found: dict[str, Any] = {"before": before, "after": after, "granted_to": list(grant_to)}
    if as_json:
        click.echo(json.dumps(found, sort_keys=True))
        return Exit.OK
    click.echo(
        f"schema version {after}, as before" if before == after else f"schema version {before} to {after}"
    )
    for login in grant_to:
        click.echo(f"login `{login}` is a member of `attending_server`")
    return Exit.OK


def _given(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE


def _conninfo(database: str | None, config_path: Path | None, user: str | None) -> str:
    from attending.server.config import load_config
    from attending.server.database import SECRETS, conninfo_of, flaw
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if database is not None:
        if (wrong := flaw(database)) is not None:
            raise CommandError(
                f"--database {wrong}", "take it out, and give the password by PGPASSWORD", Exit.USAGE
            )
        return make_conninfo(database, **({} if user is None else {"user": user}))
    if config_path is None:
        raise click.UsageError("missing --database or --config")
    conninfo = conninfo_of(load_config(config_path).storage)
    if conninfo is None:
        raise CommandError(
            f"`{config_path}` names no database",
            "set `storage.database`; a ledger in a folder is brought up to date when a server starts",
            Exit.USAGE,
        )
    if user is None:
        return conninfo
    # The password of the configuration is the server's, not the administrator's.
    parts = {name: value for name, value in conninfo_to_dict(conninfo).items() if name not in SECRETS}
    return make_conninfo("", **{**parts, "user": user})


command = migrate
