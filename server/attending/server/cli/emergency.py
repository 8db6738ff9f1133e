"""`attending emergency`: emergency access, from a terminal."""

from __future__ import annotations

import click
from attending.client import Connection, EmergencyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices
from attending.v1 import emergency_pb2
from google.protobuf.timestamp_pb2 import Timestamp

CLINICIAN = "dr-rivera"
OFFICER = "demo-privacy-officer"
REASONS = choices(emergency_pb2.EmergencyReason)
OUTCOMES = choices(emergency_pb2.EmergencyOutcome)
STATES = choices(emergency_pb2.EmergencyState)
as_json_option = click.option("--json", "as_json", is_flag=True, help="The access as JSON.")


@click.group(epilog=examples("attending emergency begin --reason patient-in-danger --minutes 30"))
def emergency() -> None:
    """Open, end, list and review emergency access: more to read, for a short time, on record from the first moment."""


@emergency.command(
    short_help="Open emergency access.",
    epilog=examples("attending emergency begin --reason patient-in-danger --minutes 30"),
)
@click.option("--reason", type=click.Choice(sorted(REASONS)), required=True, help="Why.")
@click.option(
    "--minutes", type=click.IntRange(min=1), default=None, help="How long; as long as allowed when left out."
)
@as_json_option
@connection_options(CLINICIAN)
def begin(reason: str, minutes: int | None, as_json: bool, connection: Connection) -> None:
    """Open emergency access for yourself, as a clinician or pharmacist. Every call during it is recorded."""
    with EmergencyClient(connection) as client:
        _show(client.begin(REASONS[reason], minutes=minutes or 0), as_json)


@emergency.command(
    short_help="End it before its time.", epilog=examples("attending emergency end emg_0123...")
)
@click.argument("access")
@as_json_option
@connection_options(CLINICIAN)
def end(access: str, as_json: bool, connection: Connection) -> None:
    """End emergency access before its time: your own, or anybody's as a safety or privacy officer."""
    with EmergencyClient(connection) as client:
        _show(client.end(access), as_json)


@emergency.command(
    "list", short_help="List emergency accesses.", epilog=examples("attending emergency list --state overdue")
)
@click.option("--state", type=click.Choice(sorted(STATES)), help="Only those in this state.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(OFFICER)
def list_accesses(state: str | None, as_json: bool, connection: Connection) -> None:
    """List emergency accesses, newest first; a clinical role sees their own."""
    wanted = emergency_pb2.EMERGENCY_STATE_UNSPECIFIED if state is None else STATES[state]
    with EmergencyClient(connection) as client:
        found, overdue = client.accesses(wanted)
    for access in found:
        _show(access, as_json)
    if as_json:
        return
    if not found:
        click.echo("none")
    if overdue:
        click.echo(f"{overdue} review{'s are' if overdue > 1 else ' is'} OVERDUE")


@emergency.command(
    short_help="Close the review of one.",
    epilog=examples("attending emergency review emg_0123... --outcome justified"),
)
@click.argument("access")
@click.option("--outcome", type=click.Choice(sorted(OUTCOMES)), required=True, help="What it came to.")
@click.option("--note", default="", help="Note, at most 2,000 characters; sealed.")
@as_json_option
@connection_options(OFFICER)
def review(access: str, outcome: str, note: str, as_json: bool, connection: Connection) -> None:
    """Close the review of an access that is over, as a safety or privacy officer who did not use it."""
    with EmergencyClient(connection) as client:
        _show(client.review(access, OUTCOMES[outcome], note=note), as_json)


def _show(access: emergency_pb2.EmergencyAccess, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_line(access))
        return
    state = emergency_pb2.EmergencyState.Name(access.state).removeprefix("EMERGENCY_STATE_").lower()
    reason = emergency_pb2.EmergencyReason.Name(access.reason).removeprefix("EMERGENCY_REASON_").lower()
    line = f"{access.access_id}  {access.user}  {reason}  from {_when(access.began_at)} until "
    line += _when(access.ended_at if access.HasField("ended_at") else access.until)
    if access.reviewed_by:
        outcome = emergency_pb2.EmergencyOutcome.Name(access.outcome).removeprefix("EMERGENCY_OUTCOME_")
        line += f"  {outcome.lower()}, reviewed by {access.reviewed_by}"
    else:
        word = "OVERDUE" if access.state == emergency_pb2.EMERGENCY_STATE_OVERDUE else state.replace("_", " ")
        line += f"  {word}, review due {_when(access.review_due)}"
    click.echo(line)


def _when(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")


command = emergency
