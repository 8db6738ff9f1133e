"""`attending review give-back`, `reassign`, `escalate`: an item that somebody else is to decide."""

from __future__ import annotations

import click
from attending.client import Connection, ReviewClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line

CLINICIAN = "dr-rivera"
# The desk's own lists; written here too because the desk needs the whole server, and this command does not.
HANDOVERS = ("conflict_of_interest", "expertise", "handover", "other", "workload")
ESCALATIONS = ("beyond_competence", "conflict_of_interest", "facts_missing", "other", "patient_unstable")
_JSON = click.option("--json", "as_json", is_flag=True, help="The answer as JSON, with its receipt.")
_NOTE = click.option("--note", default="", help="Note; stored as personal content.")


@click.command("give-back", epilog=examples("attending review give-back tkt_0123... --lease lse_..."))
@click.argument("ticket")
@click.option("--lease", required=True, help="Lease from `claim`.")
@_JSON
@connection_options(CLINICIAN)
def give_back(ticket: str, lease: str, as_json: bool, connection: Connection) -> None:
    """Give a lease back, so that nobody waits for its end. Dispositions stay."""
    with ReviewClient(connection) as client:
        answer = client.release_lease(ticket, lease)
    click.echo(as_json_line(answer) if as_json else "the item is free")


@click.command(epilog=examples("attending review reassign tkt_0123... --to dr-chen --reason expertise"))
@click.argument("ticket")
@click.option("--to", help="Name of the colleague.")
@click.option("--least-loaded", is_flag=True, help="Whoever can sign it and has least to do.")
@click.option("--reason", type=click.Choice(HANDOVERS), required=True, help="Why.")
@click.option("--lease", default="", help="Your lease, when you have claimed it.")
@_NOTE
@_JSON
@connection_options(CLINICIAN)
def reassign(
    ticket: str,
    to: str | None,
    least_loaded: bool,
    reason: str,
    lease: str,
    note: str,
    as_json: bool,
    connection: Connection,
) -> None:
    """Hand an item to a colleague, for whom it is kept for a while."""
    if least_loaded == (to is not None):
        raise click.UsageError("name a colleague with --to, or give --least-loaded")
    with ReviewClient(connection) as client:
        answer = client.reassign(ticket, to, reason, lease_id=lease, note=note)
    if as_json:
        click.echo(as_json_line(answer))
        return
    until = answer.item.assigned_until.ToDatetime().strftime("%H:%M:%S")
    click.echo(f"kept for {answer.item.assigned_to} until {until} UTC, then free")


@click.command(
    epilog=examples("attending review escalate tkt_0123... --lease lse_... --reason beyond_competence")
)
@click.argument("ticket")
@click.option("--lease", required=True, help="Lease from `claim`.")
@click.option("--reason", type=click.Choice(ESCALATIONS), required=True, help="Why.")
@_NOTE
@_JSON
@connection_options(CLINICIAN)
def escalate(ticket: str, lease: str, reason: str, note: str, as_json: bool, connection: Connection) -> None:
    """Pass an item on to those whom its policy names. You cannot claim it again yourself."""
    with ReviewClient(connection) as client:
        answer = client.escalate(ticket, lease, reason, note=note)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo("escalated to " + ", ".join(answer.item.escalated_to))
