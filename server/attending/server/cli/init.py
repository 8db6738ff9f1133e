"""`attending init`: a folder with a configuration and everything that it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import Exit

if TYPE_CHECKING:
    from attending.server.setup.plan import Choices, Plan

_HOST: Final = re.compile(r"[A-Za-z0-9:.-]{1,253}")


@click.command(
    epilog=examples(
        "attending init try",
        "attending init --production /srv/attending",
        "attending init --production /srv/attending --tenant st-mary --origin st-mary.example/attending "
        "--host-name gate.st-mary.example --database 'host=db dbname=attending user=attending_app' "
        "--operator o-lee --safety-officer s-diaz",
    )
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--production",
    is_flag=True,
    help="For patients: PostgreSQL, certificates of your own authority, people by name, a systemd unit.",
)
@click.option(
    "--tenant", help="Name of the tenant and of its log, such as `st-mary`; `local` without --production."
)
@click.option(
    "--origin",
    help="Name of the log in the world, such as `st-mary.example/attending`. It cannot change later.",
)
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    help="DNS name by which callers know the server; may be repeated.",
)
@click.option("--host", help="Address to listen on; all of them with --production, else 127.0.0.1.")
@click.option("--operator", help="Name of the identity that runs the server, such as `o-lee`.")
@click.option(
    "--safety-officer", help="Name of the identity of the clinical safety officer, such as `s-diaz`."
)
@click.option(
    "--identity",
    "others",
    multiple=True,
    metavar="ROLE=NAME",
    help="One more identity, such as `auditor=a-cole` or `app=letters`; may be repeated.",
)
@click.option(
    "--database", metavar="CONNINFO", help="PostgreSQL, as libpq keywords or a URI, without a password."
)
@click.option(
    "--database-password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that will hold the login's password; without it libpq looks into its pgpass file.",
)
@click.option(
    "--keys-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of keys, best on another volume; in FOLDER when left out.",
)
@click.option(
    "--published-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of published heads, best on another machine's volume; in FOLDER when left out.",
)
@click.option(
    "--with-ca", is_flag=True, help="Make a certificate authority and issue from it, for a site without one."
)
@click.option("--user", default="attending", show_default=True, help="System user of the unit.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def init(folder: Path, as_json: bool, **given: Any) -> int:
    """Make a folder with a configuration, its keys and first identities, and say what is left to do.

    Without --production: a server on this machine alone, in SQLite, with an authority and identities of its own, that
    can be started at once. With it: what is missing is asked for on a terminal, and an error elsewhere. Nothing is
    overwritten; the folder is there whole or not at all. Secrets go to private files, never to the screen.
    """
    from attending.server import clock
    from attending.server.setup.plan import plan
    from attending.server.setup.write import require_free, write

    folder = folder.expanduser().absolute()
    elsewhere = [path for path in (given["keys_folder"], given["published_folder"]) if path is not None]
    require_free(folder, elsewhere)  # before anybody is asked anything
    choices = _choices(folder, given)
    made = plan(choices, clock.now(), embedded_model=_model_is_here(), program=_program())
    write(folder, made)
    if as_json:
        click.echo(json.dumps(_as_json(folder, choices, made), sort_keys=True))
    else:
        _print(folder, choices, made)
    return Exit.OK


def _choices(folder: Path, given: dict[str, Any]) -> Choices:
    from attending.server.setup.plan import LOCAL_IDENTITIES, Choices

    production = given["production"]
    tenant = _ask(given, "tenant", "Name of the tenant", production) or "local"
    origin = given["origin"]
    if origin is None:
        origin = _ask(given, "origin", "Origin of its log, such as st-mary.example/attending", production)
    if production:
        if not given["host_names"]:
            given["host_names"] = (_ask(given, "host_name", "DNS name of the server", True) or "",)
        identities = [
            ("operator", _ask(given, "operator", "Identity of the operator, such as o-lee", True) or ""),
            (
                "safety_officer",
                _ask(given, "safety_officer", "Identity of the safety officer, such as s-diaz", True) or "",
            ),
            *(_role_and_name(one) for one in given["others"]),
        ]
        database = _ask(given, "database", "PostgreSQL, such as host=db dbname=attending user=app", True)
    else:
        named = {"operator": given["operator"], "safety_officer": given["safety_officer"]}
        identities = [(role, named.get(role) or name) for role, name in LOCAL_IDENTITIES]
        identities += [_role_and_name(one) for one in given["others"]]
        database = given["database"]
    if given["database_password_file"] is not None and database is None:
        raise click.UsageError("--database-password-file needs --database")
    choices = Choices(
        folder=folder,
        production=production,
        tenant=tenant,
        origin=origin or f"attending.local/{tenant}-{os.urandom(8).hex()}",
        host=given["host"] or ("0.0.0.0" if production else "127.0.0.1"),  # noqa: S104 - asked for, and TLS only
        host_names=tuple(given["host_names"]) or ("localhost", "127.0.0.1", "::1"),
        identities=tuple(identities),
        database=database,
        password_file=_absolute(given["database_password_file"]),
        keys_folder=_absolute(given["keys_folder"]),
        published_folder=_absolute(given["published_folder"]),
        with_authority=given["with_ca"] or not production,
        user=given["user"],
    )
    _check(choices)
    return choices


def _check(choices: Choices) -> None:
    """What would become part of a path, a certificate or a unit; the rest is checked as the configuration loads."""
    from attending.server.auth.principal import NAME, ROLES

    for role, name in choices.identities:
        if role not in ROLES:
            raise click.UsageError(f"no role `{role}`, expected one of {', '.join(sorted(ROLES))}")
        if not NAME.fullmatch(name):
            raise click.UsageError(
                f"`{name}` is no name of an identity: a-z, 0-9, `.`, `_`, `@`, `-`, at most 64"
            )
    names = [name for _role, name in choices.identities]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise click.UsageError(f"identity `{twice}` is named twice: nobody shares one")
    for host in choices.host_names:
        if not _HOST.fullmatch(host):
            raise click.UsageError(f"`{host}` is no DNS name and no address")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", choices.user):
        raise click.UsageError(f"`{choices.user}` is no name of a system user")
    if not re.fullmatch(r"[!-~]+", choices.origin):
        raise click.UsageError(
            "--origin is printable ASCII without spaces, such as st-mary.example/attending"
        )
    if choices.database is not None:
        from attending.server.database import flaw

        if (wrong := flaw(choices.database)) is not None:
            raise click.UsageError(f"--database {wrong}")


def _ask(given: dict[str, Any], key: str, words: str, needed: bool) -> str | None:
    """The option, or what is typed on a terminal; a usage error where nobody can be asked."""
    value: str | None = given.get(key)
    if value is not None or not needed:
        return value
    if not sys.stdin.isatty():
        raise click.UsageError(f"missing --{key.replace('_', '-')}: {words.lower()}")
    answer: str = click.prompt(words, err=True)
    return answer.strip()


def _role_and_name(text: str) -> tuple[str, str]:
    role, equals, name = text.partition("=")
    if not equals:
        raise click.UsageError(f"--identity `{text}` is not ROLE=NAME, such as auditor=a-cole")
    return role.replace("-", "_"), name


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


def _model_is_here() -> bool:
    from attending.server.providers.embedded_host import weights_path

    try:
        return weights_path().is_file()
    except FileNotFoundError:
        return False


def _program() -> str:
    """The `attending` command that runs this, for a unit that has no PATH of ours."""
    own = Path(sys.argv[0])
    found = str(own.absolute()) if own.name == "attending" and own.is_file() else shutil.which("attending")
    return found or "/usr/bin/attending"


def _as_json(folder: Path, choices: Choices, made: Plan) -> dict[str, Any]:
    from attending.server.setup.plan import CONFIG

    return {
        "format": "attending-init/1",
        "folder": str(folder),
        "config": str(folder / CONFIG),
        "production": choices.production,
        "tenant": choices.tenant,
        "origin": choices.origin,
        "files": sorted(made.files),
        "identities": made.identities,
        "next": [step.to_json() for step in made.steps],
    }


def _print(folder: Path, choices: Choices, made: Plan) -> None:
    colour = sys.stdout.isatty()
    kind = "for production" if choices.production else "for this machine"
    click.echo(click.style(f"Made {folder}, {kind}", bold=True), color=colour)
    click.echo(f"  configuration    {folder / 'attending.toml'}")
    click.echo(f"  log              {choices.origin}, of tenant {choices.tenant}")
    for name, one in made.identities.items():
        paths = ", ".join(Path(path).name for key, path in one.items() if key != "role")
        click.echo(f"  {one['role'].replace('_', ' '):<17}{name}: identities/{name}/ ({paths})")
    if not choices.production:
        click.echo(
            click.style(
                "  keys of everybody lie in one folder: for trying out and developing, not for patients",
                fg="yellow",
            ),
            color=colour,
        )
    click.echo()
    click.echo(f"What is left to do, also in {folder / 'NEXT-STEPS.md'}:")
    for number, step in enumerate(made.steps, 1):
        click.echo(f"\n{number}. {step.what}")
        for command in step.commands:
            click.echo(f"     {command}")


command = init
