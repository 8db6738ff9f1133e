"""`attending keys`: credentials and keys for a configuration. Secrets go to private files, never to a screen."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.lazy import LazyGroup
from attending.server.cli.outcome import CommandError, Exit

OF_A_SERVER: Final[dict[str, tuple[str, str]]] = {
    "list": ("attending.server.cli.key_list", "List the keys of a tenant: ids, generations, ages."),
    "rotate": ("attending.server.cli.rotate", "Rotate a key while the server runs."),
    "rewrap": ("attending.server.cli.rewrap", "Seal the keys of every log under the configured root."),
}
"""Subcommands in modules of their own, imported when they are used."""


class _Keys(LazyGroup):
    """The commands of this module, and lazily those of others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.commands.get(cmd_name) or super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(100)) for name, command in self.commands.items()]
        rows += [(name, OF_A_SERVER[name][1]) for name in super().list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_Keys,
    commands_by_name=OF_A_SERVER,
    epilog=examples(
        "attending keys token --out app.token",
        "attending keys list",
        "attending keys rotate kek",
        "attending keys rewrap --config attending.toml",
    ),
)
def keys() -> None:
    """Make tokens and signing keys, show the keys of logs, rotate them."""


@keys.command(
    short_help="Make a bearer token.",
    epilog=examples("attending keys token --out app.token", "attending keys token --out app.token --days 90"),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File for the token; made private, never replaced.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires; never, when left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def token(out: Path, days: int | None, as_json: bool) -> None:
    """Make a bearer token, and print what the configuration keeps of it: a line for its `[[identities]]`."""
    from datetime import timedelta

    from attending.server import clock
    from attending.server.auth.service_key import hash_service_key, new_service_key, prefix_of

    secret = new_service_key()
    hashed = hash_service_key(secret)
    expires = None
    if days is not None:
        expires = (clock.now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _write_new(out, secret.encode() + b"\n")
    if as_json:
        kept = {"prefix": prefix_of(secret), "hash": hashed, "expires": expires}
        click.echo(json.dumps({"file": str(out), **kept}))
    else:
        until = "" if expires is None else f", expires = {expires}"
        click.echo(f'service_keys = [{{ prefix = "{prefix_of(secret)}", hash = "{hashed}"{until} }}]')


@keys.command(
    short_help="Make a key for signing reviews.",
    epilog=examples(
        "attending keys signing --out dr-rivera.pem",
        "attending keys signing --out dr-rivera.pem --algorithm es256",
    ),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File for the private key (PEM); made private, never replaced.",
)
@click.option(
    "--algorithm",
    type=click.Choice(["ed25519", "es256"]),
    default="ed25519",
    show_default=True,
    help="Ed25519, or ECDSA over P-256 where a smart card or a rule asks for it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def signing(out: Path, algorithm: str, as_json: bool) -> None:
    """Make a key for signing reviews, and print its public half for the configuration or `attending user enrol`."""
    from attending.client.review import key_id, public_bytes
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate() if algorithm == "ed25519" else generate_private_key(SECP256R1())
    _write_new(out, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public, name = base64.b64encode(public_bytes(key)).decode("ascii"), key_id(key)
    if as_json:
        click.echo(
            json.dumps(
                {"file": str(out), "algorithm": algorithm, "key_id": name, "signing_public_key": public}
            )
        )
    else:
        click.echo(f'signing_public_key = "{public}"  # key id {name}')


@keys.command(
    short_help="Show the verifier keys of logs.", epilog=examples("attending keys log --data attending-data")
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("attending-data"),
    show_default=True,
    envvar="ATTENDING_DATA",
    help="Data folder of an embedded server.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def log(data: Path, as_json: bool) -> None:
    """Show the verifier keys of an embedded server's logs, to pin somewhere else."""
    found = {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(data.glob("*.vkey"))}
    if not found:
        raise CommandError(
            f"no log key in `{data}`", f"start a server with `attending serve --data {data}`", Exit.USAGE
        )
    if as_json:
        click.echo(json.dumps(found, sort_keys=True))
        return
    for tenant, key in found.items():
        click.echo(f"{tenant}  {key}")


def _write_new(path: Path, data: bytes) -> None:
    from attending.ledger.files import write_durably

    if not path.parent.is_dir():
        raise CommandError(f"folder `{path.parent}` does not exist", "make it first", Exit.USAGE)
    if not write_durably(path, data, replace=False):
        raise CommandError(f"`{path}` exists", "give another file: keys are never replaced", Exit.USAGE)


command = keys
