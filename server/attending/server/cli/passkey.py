"""`attending passkey`: the two halves of a code with which somebody makes a passkey. Both go through the server."""

from __future__ import annotations

import click
from attending.client import Connection, PeopleClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices
from attending.v1 import identity_pb2
from google.protobuf.timestamp_pb2 import Timestamp

OPERATOR = "demo-operator"
OFFICER = "demo-safety-officer"
METHODS = choices(identity_pb2.ProofMethod, without=identity_pb2.PROOF_METHOD_SYSTEM_OWNER)
as_json_option = click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")


@click.group(epilog=examples("attending passkey issue dr-okafor", "attending user show dr-okafor"))
def passkey() -> None:
    """Let somebody make a passkey. It takes two: each gives the person half a code, to nobody else."""


@passkey.command(
    short_help="Issue the administrator's half of a code.",
    epilog=examples("attending passkey issue dr-okafor"),
)
@click.argument("name")
@as_json_option
@connection_options(OPERATOR)
def issue(name: str, as_json: bool, connection: Connection) -> None:
    """Issue the administrator's half of a code for somebody, as an operator. Give it to them and to nobody else."""
    with PeopleClient(connection) as client:
        answer = client.issue_passkey_code(name)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"half a code for {name}, until {_when(answer.expires)}; for them alone:")
    click.echo(f"  {answer.code}")
    click.echo("an officer who knows them gives the other half:")
    click.echo(f"  attending passkey confirm {name} --invitation {answer.invitation_id} --method in-person")


@passkey.command(
    short_help="Issue the officer's half of a code.",
    epilog=examples("attending passkey confirm dr-okafor --invitation inv_7k3q9rtx --method in-person"),
)
@click.argument("name")
@click.option("--invitation", required=True, help="Id of the code, from whoever issued its first half.")
@click.option(
    "--method",
    type=click.Choice(sorted(METHODS)),
    required=True,
    help="How you know that they are who it is for.",
)
@as_json_option
@connection_options(OFFICER)
def confirm(name: str, invitation: str, method: str, as_json: bool, connection: Connection) -> None:
    """Issue the officer's half, having seen that the person is who the code is for. Give it to them and nobody else."""
    with PeopleClient(connection) as client:
        answer = client.confirm_passkey_code(name, invitation, METHODS[method])
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"the other half for {name}, until {_when(answer.expires)}; for them alone:")
    click.echo(f"  {answer.code}")


def _when(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")


command = passkey
