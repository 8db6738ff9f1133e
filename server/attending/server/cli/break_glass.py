"""`attending break-glass`: release a held text without its sign-offs, from a terminal."""

from __future__ import annotations

import click
from attending.client import BreakGlassClient, Connection
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices, word
from attending.v1 import break_glass_pb2, emergency_pb2

CLINICIAN = "dr-rivera"
OFFICER = "demo-safety-officer"
REASONS = choices(emergency_pb2.EmergencyReason)
OUTCOMES = choices(emergency_pb2.EmergencyOutcome)
as_json_option = click.option("--json", "as_json", is_flag=True, help="The use as JSON.")


@click.group(
    "break-glass",
    epilog=examples('attending break-glass use tkt_0123... --reason patient-in-danger --note "..."'),
)
def break_glass() -> None:
    """Release a held text without its sign-offs, where its policy permits that; somebody else reviews it after."""


@break_glass.command(
    short_help="Release a held text at once.",
    epilog=examples('attending break-glass use tkt_0123... --reason patient-in-danger --note "..."'),
)
@click.argument("ticket")
@click.option("--reason", type=click.Choice(sorted(REASONS)), required=True, help="Why it cannot wait.")
@click.option("--note", required=True, help="What happened; stored as personal content.")
@as_json_option
@connection_options(CLINICIAN)
def use(ticket: str, reason: str, note: str, as_json: bool, connection: Connection) -> None:
    """Release a held text as it is, before its sign-offs. A review by somebody else is due from then on."""
    with BreakGlassClient(connection) as client:
        _show(client.use(ticket, REASONS[reason], note), as_json)


@break_glass.command("list", epilog=examples("attending break-glass list --open"))
@click.option("--open", "only_open", is_flag=True, help="Only those that nobody has reviewed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(OFFICER)
def list_uses(only_open: bool, as_json: bool, connection: Connection) -> None:
    """List what was released so, newest first."""
    with BreakGlassClient(connection) as client:
        found = client.uses(only_open=only_open)
    for one in found:
        _show(one, as_json)
    if not found and not as_json:
        click.echo("none")


@break_glass.command(
    short_help="Close the review of one.",
    epilog=examples("attending break-glass review inf_0123... --outcome justified"),
)
@click.argument("inference")
@click.option("--outcome", type=click.Choice(sorted(OUTCOMES)), required=True, help="What it came to.")
@click.option("--note", default="", help="Note; stored as personal content.")
@as_json_option
@connection_options(OFFICER)
def review(inference: str, outcome: str, note: str, as_json: bool, connection: Connection) -> None:
    """Close the review of a release by break-glass, as an officer who did not use it."""
    with BreakGlassClient(connection) as client:
        _show(client.review(inference, OUTCOMES[outcome], note=note), as_json)


def _show(one: break_glass_pb2.BreakGlassUse, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_line(one))
        return
    when = one.used_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
    due = one.review_due.ToDatetime().strftime("%Y-%m-%d %H:%M")
    state = f"reviewed by {one.reviewed_by}" if one.reviewed_by else f"review due {due} UTC"
    reason = word(emergency_pb2.EmergencyReason, one.reason)
    click.echo(f"{one.inference_id}  {one.policy:<22} released {when} UTC by {one.user}, {reason}; {state}")


command = break_glass
