"""`attending policy retire`: no call begins under a policy any more."""

from __future__ import annotations

import click
from attending.client import Connection, PolicyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line

OFFICER = "demo-safety-officer"


@click.command(
    "retire",
    short_help="End a policy.",
    epilog=examples("attending policy retire administrative-letter"),
)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
@connection_options(OFFICER)
def command(name: str, as_json: bool, connection: Connection) -> None:
    """End the policy NAME: no call begins under it until two people have activated a version again.

    A safety officer does it. What began before goes on under the version that it began with. Retention that starts when
    a policy is retired starts now. To stop at once whatever is under way, use `attending halt`.
    """
    with PolicyClient(connection) as client:
        answer = client.retire(name)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"retired: {name}, entry {answer.receipt.index}")
    click.echo("next: set `registry.status: retired` in its policy.yaml, or activate a version again")
