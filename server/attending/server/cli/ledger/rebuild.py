"""`attending ledger rebuild`: projections made again from the entries, or compared with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.opening import LedgerConfig
    from attending.ledger.rebuild import Difference, Progress, Replayed, Stage

_SHOWN = 50


@click.command(
    epilog=examples(
        "attending ledger rebuild --check",
        "attending ledger rebuild --data attending-data",
        "attending ledger rebuild --config attending.toml --log clinic",
    )
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ATTENDING_CONFIG",
    help="TOML configuration of the server; the embedded mode when left out.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATTENDING_DATA",
    help="Data folder of the embedded mode; ./attending-data when left out.",
)
@click.option("--log", "logs", multiple=True, help="Only this log (a tenant's name); may be repeated.")
@click.option("--check", "check_only", is_flag=True, help="Compare only, and write no row.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rebuild(
    config_path: Path | None, data: Path | None, logs: tuple[str, ...], check_only: bool, as_json: bool
) -> int:
    """Make the tables that answer questions again from the log's entries; the server must be stopped.

    Queue, states, prompts and keys of people are derived from entries and hold no truth of their own. Every entry is
    verified and replayed before a row is replaced. A rebuild that is cut short leaves a ledger that no server
    opens, until it is run again.

    With --check the stored rows are compared with what the entries give: each row that differs is named by table, key
    and columns, never by its values. Exit code 1 when there is one.
    """
    if config_path is not None and data is not None:
        raise click.UsageError("--config and --data exclude each other")
    from attending.ledger import rebuild as engine
    from attending.ledger.errors import LedgerLocked, NotFound, StoreUnavailable
    from attending.server import projections
    from attending.server.replay.reducers import rows_of_entry

    run = engine.check if check_only else engine.rebuild
    try:
        done = run(
            _place(config_path, data),
            [projections.metadata],
            rows_of_entry,
            logs=logs or None,
            progress=_progress(as_json),
        )
    except LedgerLocked as err:
        raise CommandError("a server holds this ledger", "stop the server, and run this again") from err
    except NotFound as err:
        raise CommandError(str(err), "check --config or --data, and --log", Exit.USAGE) from err
    except StoreUnavailable as err:
        raise CommandError(
            str(err), "see to the disk and its free space, and run `attending ledger rebuild` again"
        ) from err
    _clear_progress(as_json)
    if as_json:
        click.echo(json.dumps({"checked": check_only, "logs": [_json(log, check_only) for log in done]}))
    else:
        for log in done:
            _print(log, check_only)
    different = sum(log.different for log in done)
    if different:
        raise CommandError(
            f"{different} rows are not what the entries give",
            "run `attending ledger rebuild` without --check",
        )
    return Exit.OK


def _place(config_path: Path | None, data: Path | None) -> LedgerConfig:
    from attending.server.bootstrap.folder import DEFAULT_FOLDER, ledger_of
    from attending.server.config import load_config
    from attending.server.database import ledger_config

    if config_path is None:
        return ledger_of(data or DEFAULT_FOLDER)
    return ledger_config(load_config(config_path))


def _progress(as_json: bool) -> Progress:
    shown = not as_json and sys.stderr.isatty()

    def show(stage: Stage, log_id: str, done: int, total: int) -> None:
        if shown:
            click.echo(f"\r\x1b[K{stage.value} {log_id}: {done} of {total}", nl=False, err=True)

    return show


def _clear_progress(as_json: bool) -> None:
    if not as_json and sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


def _print(log: Replayed, check_only: bool) -> None:
    rows = ", ".join(f"{count} {table}" for table, count in log.rows.items() if count) or "no rows"
    click.echo(f"{log.log_id}: {log.entries} entries give {rows}")
    for difference in log.differences[:_SHOWN]:
        click.echo(f"  {_words(difference)}")
    if log.different > _SHOWN:
        click.echo(f"  and {log.different - _SHOWN} more; --json names the first {len(log.differences)}")
    if check_only and not log.different:
        click.echo("  stored rows are the same")


def _words(difference: Difference) -> str:
    # As JSON: a key that somebody put there may hold anything, also what a terminal would act upon.
    what = difference.kind.value
    if difference.columns:
        what += f" in {', '.join(difference.columns)}"
    return f"{difference.table} {json.dumps(dict(difference.key))} {what}"


def _json(log: Replayed, check_only: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"log": log.log_id, "entries": log.entries, "rows": dict(log.rows)}
    if check_only:
        row["different"] = log.different
        row["differences"] = [
            {
                "kind": one.kind.value,
                "table": one.table,
                "key": dict(one.key),
                "columns": list(one.columns),
            }
            for one in log.differences
        ]
    return row


command = rebuild
