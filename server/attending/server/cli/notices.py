"""`attending notices`: who is told, what could not be delivered, and a test, from a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import click
from attending.client import Connection, NoticeClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import CommandError, Exit
from attending.v1 import notice_pb2

OPERATOR = "demo-operator"
LOOK_SECONDS: Final = 0.5


@click.group(epilog=examples("attending notices list", "attending notices test pager"))
def notices() -> None:
    """See who outside is told that something waits, and see to what could not be delivered."""


@notices.command(
    "list",
    short_help="Show targets and what could not be delivered.",
    epilog=examples("attending notices list", "attending notices list --target pager --json"),
)
@click.option("--target", default="", help="Only this target.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OPERATOR)
def list_notices(target: str, as_json: bool, connection: Connection) -> None:
    """Show how far each target is, and the notices that were given up, newest first."""
    with NoticeClient(connection) as client:
        answer = client.notices(target)
    if as_json:
        click.echo(as_json_line(answer))
        return
    for one in answer.targets:
        click.echo(_target_line(one))
    for dead in answer.dead:
        when = dead.failed_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
        click.echo(
            f"given up: {dead.notice_id} for {dead.target}, {dead.event} of entry {dead.entry_index}, {when} UTC "
            f"after {dead.attempts} attempts, {dead.reason}"
        )
    if not answer.targets and not answer.dead:
        click.echo("none: nobody is told of anything ([notices] in the configuration)")


@notices.command(
    short_help="Have what could not be delivered sent again.",
    epilog=examples(
        "attending notices retry pager --all", "attending notices retry pager --notice ntc_0123..."
    ),
)
@click.argument("target")
@click.option("--notice", "notice_ids", multiple=True, help="The notice; may be given several times.")
@click.option("--all", "every", is_flag=True, help="Everything that was given up for the target.")
@connection_options(OPERATOR)
def retry(target: str, notice_ids: tuple[str, ...], every: bool, connection: Connection) -> None:
    """Have notices that were given up sent again, under their old ids."""
    if every == bool(notice_ids):
        raise CommandError("which notices", "give --notice, or --all", Exit.USAGE)
    with NoticeClient(connection) as client:
        if every:
            notice_ids = tuple(one.notice_id for one in client.notices(target).dead)
        for notice_id in notice_ids:
            client.retry(target, notice_id)
            click.echo(f"{notice_id} will be sent again to {target}")
    if not notice_ids:
        click.echo("none was given up")


@notices.command(
    short_help="Send a test to one target.", epilog=examples("attending notices test pager --wait 30")
)
@click.argument("target")
@click.option(
    "--wait", type=click.FloatRange(0, 600), default=20.0, show_default=True, help="Seconds to wait."
)
@connection_options(OPERATOR)
def test(target: str, wait: float, connection: Connection) -> None:
    """Send a test by the way that every notice takes, and wait until it has been taken.

    The exit code is 1 when it was given up, and 3 when it still waits: it is then sent later, as often as it takes.
    """
    with NoticeClient(connection) as client:
        index = client.test(target)
        found = _wait(lambda: client.notices(target), index, wait)
    state = found.targets[0]
    if any(dead.entry_index == index for dead in found.dead):
        raise CommandError(
            f"`{target}` did not take it", "correct the target, then `attending notices retry`"
        )
    if state.through <= index:
        why = f" ({state.problem})" if state.problem else ""
        raise CommandError(
            f"`{target}` has not taken it yet{why}", "`attending notices list` shows it", Exit.INDETERMINATE
        )
    click.echo(f"{target} has taken it")


def _wait(
    look: Callable[[], notice_pb2.ListNoticesResponse], index: int, seconds: float
) -> notice_pb2.ListNoticesResponse:
    """The state of the target once it has dealt with the entry, or when the time is over."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found.targets[0].through > index or time.monotonic() >= until:
            return found
        time.sleep(LOOK_SECONDS)


def _target_line(one: notice_pb2.NoticeTarget) -> str:
    when = "never" if not one.HasField("delivered_at") else ""
    if not when:
        when = one.delivered_at.ToDatetime().strftime("%Y-%m-%d %H:%M:%S") + " UTC"
    waits = f"; {one.waiting} waiting" if one.waiting else ""
    problem = f" ({one.problem})" if one.problem else ""
    return (
        f"{one.name:<20} {one.kind:<8} {one.delivered} delivered, the newest {when}; "
        f"{one.dead} given up{waits}{problem}"
    )


command = notices
