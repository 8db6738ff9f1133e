"""`attending policy log`: which version was in force when, and who put it there."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from attending.client import Connection, PolicyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, word
from attending.server.cli.outcome import CommandError, Exit
from attending.v1 import policy_pb2

OFFICER = "demo-safety-officer"


@click.command(
    "log",
    short_help="Say what was in force when, and by whom.",
    epilog=examples(
        "attending policy log",
        "attending policy log discharge-plan --at 2026-11-01T12:00:00Z --as demo-auditor",
    ),
)
@click.argument("name", required=False)
@click.option("--at", help="A moment, YYYY-MM-DDTHH:MM:SSZ; now when left out.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OFFICER)
def command(name: str | None, at: str | None, as_json: bool, connection: Connection) -> None:
    """Say which version of each policy, and of the drug knowledge, is or was in force, and how it came to be.

    Times are those of the log. Each line names its entry, which `attending ledger show` and the offline verifier read.
    """
    with PolicyClient(connection) as client:
        answer = client.activations(name or "", at=_moment(at))
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"in force {'now' if at is None else at}:")
    for one in answer.standings:
        click.echo(f"  {one.policy or 'drug knowledge':<28}{_version(one)}")
    for event in answer.events:
        when = event.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
        what = word(policy_pb2.ActivationEvent, event.event)
        by = f", {event.by}" if event.by else ""
        click.echo(
            f"{when}  {event.policy or 'drug knowledge':<28}{what:<10} {event.content_hash.hex()[:16]}  "
            f"{event.actor}{by}  entry {event.entry_index}"
        )


def _version(one: policy_pb2.ActivationStanding) -> str:
    said = one.active.hex()[:16] if one.active else "none"
    if one.version:
        said += f" version {one.version}"
    if one.requested:
        said += f"; {one.requested.hex()[:16]} waits for approval, asked for by {one.requested_by}"
    if one.loaded and one.loaded != one.active:
        said += f"; this server has {one.loaded.hex()[:16]} loaded and serves none"
    return said


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"`{text}` is no moment", "write it YYYY-MM-DDTHH:MM:SSZ", Exit.USAGE) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
