"""`attending reconcile`: a provider's own records of use against the log, to find calls that went past the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from attending.client import Connection
from attending.client.usage import UsageClient
from attending.client.usage_export import UsageFileError
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.export import moment
from attending.server.cli.message import as_json_line, word
from attending.server.cli.outcome import CommandError, Exit
from attending.v1 import report_pb2

_SHOWN: Final = 20
_WHEN: Final = "%Y-%m-%d %H:%M:%S UTC"


@click.command(
    epilog=examples(
        "attending reconcile --provider-usage november.jsonl --provider hospital-openai",
        "attending reconcile --provider-usage usage.csv --provider openai --from 2026-11-01 --to 2026-12-01 --json",
    )
)
@click.option(
    "--provider-usage",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The provider's export, a call a line: JSON lines or CSV.",
)
@click.option(
    "--provider", required=True, help="Whose export it is, as this server's configuration names it."
)
@click.option("--from", "from_time", help="It holds every call from this time on; its first one otherwise.")
@click.option("--to", "to_time", help="And before this time; up to its last one otherwise.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connection_options("demo-auditor")
def reconcile(
    path: Path,
    provider: str,
    from_time: str | None,
    to_time: str | None,
    as_json: bool,
    connection: Connection,
) -> None:
    """Compare a provider's records of use with the log; what was found is on record. Exit code 1 when calls went past
    the gate. Of the file only ids, models, times and numbers of tokens leave this machine.
    """
    since = None if from_time is None else moment(from_time, "from")
    until = None if to_time is None else moment(to_time, "to")
    try:
        with UsageClient(connection) as client:
            answer = client.reconcile(path, provider, since, until)
    except UsageFileError as err:
        raise CommandError(
            f"`{path.name}`: {err}", "export it again, whole, a call a line; docs/reports.md has the shapes"
        ) from None
    if as_json:
        click.echo(as_json_line(answer))
    else:
        _show(answer)
    if answer.reconciliation.bypassed:
        raise SystemExit(Exit.FAILED)


def _show(answer: report_pb2.ReconcileUsageResponse) -> None:
    found = answer.reconciliation
    since, until = getattr(found, "from").ToDatetime(), found.to.ToDatetime()
    lines = (
        ("period", f"{since.strftime(_WHEN)} to {until.strftime(_WHEN)}"),
        ("records of the provider", found.records - found.outside_period),
        ("of these, calls of the log by their id", found.matched),
        ("of these, by model, tokens and time", found.matched_by_tokens),
        ("of these, perhaps calls without an answer", found.unanswered),
        ("of these, past the gate", found.bypassed),
        ("other numbers of tokens than the log", found.differing),
        ("calls of the log", found.calls),
        ("of these, not in the file", found.missing),
        ("records outside the period", found.outside_period),
    )
    for name, value in lines:
        click.echo(f"{name:<42} {value}")
    for one in answer.differences[:_SHOWN]:
        said = [word(report_pb2.UsageDifferenceKind, one.kind).upper()]
        said.append(f"row {one.row}" if one.row else "not in the file")
        said += [one.model, one.time.ToDatetime().strftime(_WHEN), one.inference_id]
        click.echo("  ".join(filter(None, said)))
    if len(answer.differences) > _SHOWN:
        click.echo(f"{len(answer.differences) - _SHOWN} more; --json has up to 500 of each kind")
    click.echo(f"on record: entry {answer.receipt.index}")


command = reconcile
