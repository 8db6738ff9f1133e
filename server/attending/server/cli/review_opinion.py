"""`attending review opinion`: one's own view of a text, before its findings are shown."""

from __future__ import annotations

import click
from attending.client import Connection, ReviewClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line

CLINICIAN = "dr-rivera"
# The desk's own list; written here too because the desk needs the whole server, and this command does not.
ASSESSMENTS = ("safe", "needs_change", "unsafe", "cannot_tell")


@click.command(
    epilog=examples("attending review opinion tkt_0123... --lease lse_... --assessment needs_change")
)
@click.argument("ticket")
@click.option("--lease", required=True, help="Lease from `claim`.")
@click.option("--assessment", type=click.Choice(ASSESSMENTS), required=True, help="Your view of the text.")
@click.option("--note", default="", help="Note; stored as personal content.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON, with its receipt.")
@connection_options(CLINICIAN)
def opinion(
    ticket: str, lease: str, assessment: str, note: str, as_json: bool, connection: Connection
) -> None:
    """Put your own view on record, before findings."""
    with ReviewClient(connection) as client:
        answer = client.record_opinion(ticket, lease, assessment, note=note)
    click.echo(as_json_line(answer) if as_json else "your view is on record; the findings are shown now")
