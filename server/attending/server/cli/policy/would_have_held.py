"""`attending policy would-have-held`: what mode observe or advise released, and enforcing would not have."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from attending.client import Connection, PolicyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import CommandError, Exit
from attending.server.simulation.period import period

OFFICER = "demo-safety-officer"


@click.command(
    "would-have-held",
    short_help="Say what a mode released that enforcing would not.",
    epilog=examples(
        "attending policy would-have-held discharge-plan",
        "attending policy would-have-held discharge-plan --over 30d --minutes-per-review 6 --json",
    ),
)
@click.argument("policy")
@click.option(
    "--over",
    default="90d",
    show_default=True,
    help="Calls of what period: 30d, 24h, YYYY-MM-DD or YYYY-MM-DD..YYYY-MM-DD.",
)
@click.option("--minutes-per-review", type=click.FloatRange(0, 600, min_open=True),
              help="For reviewer hours; measured from the record when left out.")  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="The inferences too, the newest 200.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OFFICER)
def command(
    policy: str,
    over: str,
    minutes_per_review: float | None,
    listed: bool,
    as_json: bool,
    connection: Connection,
) -> None:
    """Count the texts of POLICY that mode observe or advise released against their verdict, by code and severity.

    What enforcing would cost is said in reviewer hours a day: texts that would be held, times the time of a review.
    """
    try:
        wanted = period(over, datetime.now(UTC))
    except ValueError:
        raise CommandError(
            f"`{over}` is no period", "write it 30d, 24h or YYYY-MM-DD..YYYY-MM-DD", Exit.USAGE
        ) from None
    with PolicyClient(connection) as client:
        found = client.standby(
            policy, since=wanted.since, until=wanted.until, minutes_per_review=minutes_per_review or 0.0
        )
    if as_json:
        click.echo(as_json_line(found))
        return
    share = f", {100 * found.passed / found.outputs:.1f} in a hundred" if found.outputs else ""
    click.echo(f"{found.outputs} calls decided, {found.passed} released against their verdict{share}")
    if found.looked_at != found.passed:
        click.echo(f"the counts are of the newest {found.looked_at}")
    click.echo(f"would have been held: {found.would_hold}; blocked: {found.would_block}")
    for words, counts in (("by code", found.codes), ("by worst severity", found.severities)):
        told = ", ".join(f"{one.name} {one.outputs}" for one in counts if one.outputs)
        if told:
            click.echo(f"{words}: {told}")
    if found.HasField("hours_a_day"):
        click.echo(f"reviewer hours a day: {found.hours_a_day} ({found.minutes_per_review} minutes a review)")
    elif found.passed:
        click.echo("reviewer hours a day: not known; give --minutes-per-review, or a shorter period")
    for one in found.texts if listed else ():
        click.echo(f"{one.inference_id}  {one.would_be}")
