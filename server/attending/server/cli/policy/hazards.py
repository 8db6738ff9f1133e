"""`attending policy hazards`: a policy's hazard log, with what was seen of each hazard in a period."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from attending.client import Connection, PolicyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import CommandError, Exit
from attending.server.simulation.period import period
from attending.v1 import policy_pb2

OFFICER = "demo-safety-officer"


@click.command(
    "hazards",
    short_help="Say how the hazards of a policy fare.",
    epilog=examples(
        "attending policy hazards discharge-plan",
        "attending policy hazards discharge-plan --over 30d --json --as demo-auditor",
    ),
)
@click.argument("policy")
@click.option(
    "--over",
    default="90d",
    show_default=True,
    help="Calls of what period: 30d, 24h, YYYY-MM-DD or YYYY-MM-DD..YYYY-MM-DD.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OFFICER)
def command(policy: str, over: str, as_json: bool, connection: Connection) -> None:
    """Show the hazard log of POLICY: what was reported in calls of the period, and of that what nobody read unreviewed.

    Shares come with their 95 % interval (Wilson). What no rail reports is in no count: that a rail misses, only the
    policy's own cases tell.
    """
    try:
        wanted = period(over, datetime.now(UTC))
    except ValueError:
        raise CommandError(
            f"`{over}` is no period", "write it 30d, 24h or YYYY-MM-DD..YYYY-MM-DD", Exit.USAGE
        ) from None
    with PolicyClient(connection) as client:
        answer = client.hazards(policy, since=wanted.since, until=wanted.until)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"{answer.outputs} calls decided, {answer.recalled} of them recalled since")
    for one in answer.hazards:
        click.echo(f"{one.id}  {one.hazard}  ({one.rail}: {', '.join(one.codes)})")
        click.echo(f"    reported {_said(one.reported)}; held or blocked {_said(one.stopped)}")
        click.echo(f"    in its cases {one.cases.hits} of {one.cases.of}; remains: {one.residual_risk}")


def _said(share: policy_pb2.Share) -> str:
    if not share.of:
        return "0 of 0"
    return f"{share.hits} of {share.of} ({share.low:.1%} to {share.high:.1%})"
