"""`attending resume`: ends a halt."""

from __future__ import annotations

import click
from attending.client import AdminClient, Connection
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.halt import OFFICER, standing_line
from attending.server.cli.message import as_json_line, choices
from attending.v1 import admin_pb2

REASONS = choices(admin_pb2.ResumeReason)


@click.command(
    epilog=examples(
        "attending resume --reason resolved",
        "attending resume --reason ended --policy discharge-plan",
    )
)
@click.option("--reason", type=click.Choice(list(REASONS)), required=True, help="Why it may go on.")
@click.option("--policy", default="", help="Resume one policy only; the whole tenant when left out.")
@click.option("--note", default="", help="A note without personal data; kept sealed.")
@click.option("--key", default="", help="Idempotency key, to repeat a call whose answer was lost.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OFFICER)
def command(reason: str, policy: str, note: str, key: str, as_json: bool, connection: Connection) -> None:
    """End a halt, as a safety officer. A halt of everything and one of a policy end each by itself."""
    with AdminClient(connection) as client:
        answer = client.resume(REASONS[reason], policy=policy, note=note, key=key or None)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"resumed: {standing_line(answer.standing)}")
