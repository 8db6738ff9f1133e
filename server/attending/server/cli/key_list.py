"""`attending keys list`: which keys a tenant has, without the keys."""

from __future__ import annotations

import click
from attending.client import Connection, KeyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import Exit
from attending.v1 import keys_pb2

OPERATOR = "demo-operator"


@click.command(epilog=examples("attending keys list", "attending keys list --json --as demo-operator"))
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OPERATOR)
def command(as_json: bool, connection: Connection) -> int:
    """List the keys of the caller's tenant: what each is for, its generation, id and age, and what it is sealed under.

    No key is shown, and an id tells nothing of its key. Exit code 2 while a rotation is being done.
    """
    with KeyClient(connection) as client:
        answer = client.list()
    if as_json:
        click.echo(as_json_line(answer))
    else:
        for item in answer.keys:
            kind = keys_pb2.KeyKind.Name(item.kind).removeprefix("KEY_KIND_").lower()
            since = item.since.ToDatetime().strftime("%Y-%m-%d %H:%M")
            use = "in use" if item.in_use else "kept"
            click.echo(
                f"{kind:<12}generation {item.generation:<4}{item.key_id}  since {since} UTC  {use:<7}{item.root}"
            )
        if answer.rotating:
            click.echo("a rotation of the key-encryption key is being done")
    return Exit.HELD if answer.rotating else Exit.OK
