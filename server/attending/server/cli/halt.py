"""`attending halt`: the stop button, from a terminal."""

from __future__ import annotations

import click
from attending.client import AdminClient, Connection
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices, word
from attending.server.cli.outcome import CommandError, Exit
from attending.v1 import admin_pb2

OFFICER = "demo-safety-officer"
REASONS = choices(admin_pb2.HaltReason)


@click.command(
    epilog=examples(
        "attending halt --reason patient-safety",
        "attending halt --reason drill --policy discharge-plan --as demo-operator",
        "attending halt --show",
    )
)
@click.option("--reason", type=click.Choice(list(REASONS)), help="Why. A drill halts like anything else.")
@click.option("--policy", default="", help="Halt one policy only; everything when left out.")
@click.option("--note", default="", help="A note without personal data; kept sealed.")
@click.option("--key", default="", help="Idempotency key, to repeat a call whose answer was lost.")
@click.option("--show", is_flag=True, help="Show what is halted, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OFFICER)
def command(
    reason: str | None,
    policy: str,
    note: str,
    key: str,
    show: bool,
    as_json: bool,
    connection: Connection,
) -> None:
    """Stop: from the entry on, no inference begins and none is released, until `attending resume`.

    Clinicians, pharmacists, operators and safety officers may halt; only a safety officer resumes. What had begun runs
    to its end and is recorded, and not released. With --show the exit code is 2 while something is halted.
    """
    with AdminClient(connection) as client:
        if show:
            _show(client.standings(), as_json)
            return
        if reason is None:
            raise CommandError(
                "missing `--reason`", f"give one of {', '.join(REASONS)}; or --show", Exit.USAGE
            )
        answer = client.halt(REASONS[reason], policy=policy, note=note, key=key or None)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"halted: {standing_line(answer.standing)}")
    took = answer.time_to_halt.ToMilliseconds()
    if answer.HasField("time_to_halt"):
        click.echo(f"time to halt: {took} ms; begun and not released: {answer.open_calls}")
    else:
        click.echo("it was halted before; nothing was changed")
    click.echo("next: `attending resume` once it may go on")


def _show(standings: list[admin_pb2.HaltStanding], as_json: bool) -> None:
    halted = [standing for standing in standings if standing.halted]
    if as_json:
        click.echo(as_json_line(admin_pb2.GetHaltResponse(standings=standings)))
    else:
        for standing in halted:
            click.echo(f"halted: {standing_line(standing)}")
        if not halted:
            click.echo("running: nothing is halted")
    if halted:
        raise SystemExit(Exit.HELD)


def standing_line(standing: admin_pb2.HaltStanding) -> str:
    """What is meant, and by whom, when and why it was halted."""
    what = f"policy {standing.policy}" if standing.policy else "everything"
    if not standing.halted_by:
        return what
    why = word(admin_pb2.HaltReason, standing.reason)
    when = standing.halted_at.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
    return f"{what}, {why}, by {standing.halted_by} at {when} UTC, entry {standing.entry_index}"
