"""`attending examine`: the log by exception, and the signature that closes a period (45 CFR 164.312(b))."""

from __future__ import annotations

from pathlib import Path

import click
from attending.client import Connection, ExaminationClient
from attending.client.review import key_id
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices, word
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.review import load_key
from attending.v1 import examination_pb2
from google.protobuf.timestamp_pb2 import Timestamp

OFFICER = "demo-privacy-officer"
OFFICES = choices(examination_pb2.ExaminationOffice)
DISPOSITIONS = choices(examination_pb2.ExceptionDisposition)

office_option = click.option(
    "--office", type=click.Choice(sorted(OFFICES)), default="privacy", show_default=True, help="Whose."
)


@click.group(epilog=examples("attending examine list", "attending examine log --office safety"))
def examine() -> None:
    """Examine the log by exception: list what there is to look at, say what you make of it, sign the period."""


@examine.command(
    "list",
    short_help="List the exceptions.",
    epilog=examples("attending examine list --open --office safety"),
)
@office_option
@click.option("--open", "only_open", is_flag=True, help="Only those that nothing was made of.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(OFFICER)
def list_exceptions(office: str, only_open: bool, as_json: bool, connection: Connection) -> None:
    """List the exceptions since the last signed examination. Exit code 2 when the examination is overdue."""
    with ExaminationClient(connection) as client:
        period, lines = client.exceptions(OFFICES[office], only_open=only_open)
    for line in lines:
        if as_json:
            click.echo(as_json_line(line))
            continue
        made = line.disposition and word(examination_pb2.ExceptionDisposition, line.disposition)
        click.echo(f"{line.kind}:{line.entry_index}  {_when(line.time)}  {line.actor}  {made or 'OPEN'}")
    if not as_json:
        click.echo(_running(period, len(lines)))
    if period.overdue:
        raise SystemExit(Exit.HELD)


@examine.command(
    short_help="Say what you make of exceptions.",
    epilog=examples("attending examine dispose break_glass:1042 erasure:1077 --as-what expected"),
)
@click.argument("exceptions", nargs=-1, required=True)
@click.option("--as-what", type=click.Choice(sorted(DISPOSITIONS)), required=True, help="What it is.")
@click.option("--note", default="", help="Note without personal data, at most 2,000 characters; sealed.")
@office_option
@connection_options(OFFICER)
def dispose(
    exceptions: tuple[str, ...], as_what: str, note: str, office: str, connection: Connection
) -> None:
    """Say what you make of EXCEPTIONS, each as `list` prints it (class:entry). A later word replaces an earlier one."""
    which = []
    for one in exceptions:
        kind, colon, index = one.partition(":")
        if not colon or not index.isascii() or not index.isdigit():
            raise CommandError(
                f"`{one}` is no exception", "write it class:entry, as `list` prints", Exit.USAGE
            )
        which.append((kind, int(index)))
    with ExaminationClient(connection) as client:
        done = client.dispose(OFFICES[office], which, DISPOSITIONS[as_what], note=note)
    click.echo(f"on record: {len(done)} {as_what}, entries {done[0]} to {done[-1]}")


@examine.command(
    short_help="Sign the examination of the period.",
    epilog=examples("attending examine sign --key officer.pem"),
)
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Your signing key (PEM, Ed25519 or P-256); it stays on this machine.",
)
@click.option("--yes", is_flag=True, help="Do not ask before signing.")
@office_option
@connection_options(OFFICER)
def sign(key_path: Path, yes: bool, office: str, connection: Connection) -> None:
    """Close the period up to now with your signature; every exception has to be disposed of before."""
    key = load_key(key_path)
    with ExaminationClient(connection) as client:
        preparation, statement = client.prepare(OFFICES[office], key_id(key))
        click.echo(f"entries {statement.first} to {statement.until - 1}, up to {statement.until_time}")
        counts = ", ".join(f"{kind} {number}" for kind, number in sorted(statement.counts.items()))
        click.echo(f"exceptions: {counts or 'none'}; your own: {statement.own}")
        if not yes and not click.confirm(f"sign as {statement.role}?", err=True):
            raise CommandError("nothing was signed", "sign it when you have looked", Exit.HELD)
        done = client.sign(preparation, statement, key)
    click.echo(f"signed: entry {done.entry_index}")


@examine.command(
    "log", short_help="List signed examinations.", epilog=examples("attending examine log --office safety")
)
@office_option
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@connection_options(OFFICER)
def show_log(office: str, as_json: bool, connection: Connection) -> None:
    """List signed examinations, newest first, and the period that runs."""
    with ExaminationClient(connection) as client:
        answer = client.examinations(OFFICES[office])
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(_running(answer.running, None))
    for one in answer.examinations:
        period = f"entries {one.period.first_entry} to {one.period.until_entry - 1}"
        counts = (
            ", ".join(f"{kind} {number}" for kind, number in sorted(one.counts.items())) or "no exception"
        )
        click.echo(f"{_when(one.signed_at)}  {one.signer}  {period}  {counts}  entry {one.entry_index}")


def _running(period: examination_pb2.ExaminationPeriod, shown: int | None) -> str:
    said = "" if shown is None else f"{shown} exceptions; "
    due = f"{'OVERDUE since' if period.overdue else 'due by'} {_when(period.due)}"
    return f"{said}running period from entry {period.first_entry}; examination {due}"


def _when(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")


command = examine
