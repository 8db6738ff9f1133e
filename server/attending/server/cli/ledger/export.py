"""`attending ledger export`: the static tree of a log in a folder, every byte of it verified."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from attending.ledger.errors import FolderRefused
from attending.ledger.static.export import export_log
from attending.server.cli.examples import examples
from attending.server.cli.ledger.source import LogSource, source_options
from attending.server.cli.outcome import CommandError, Exit

_SHOWN_EACH = 64

_NEXT = {
    "EXPORT_FOLDER": "give a new or empty folder with --out",
    "EXPORT_OTHER_LOG": "give another folder with --out: one holds one log",
    "EXPORT_RUNNING": "wait until it has ended",
    "EXPORT_DAMAGED": "keep it as it is if that matters, and export to a new folder",
}


@click.command(
    epilog=examples(
        "attending ledger export --out static-log",
        "attending ledger export --out static-log --url https://gate.example:50053/log/st-mary --key log.vkey "
        "--ca ca.pem --token-file auditor.token",
    )
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to; one that holds an export of this log is brought up to date.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@source_options
def export(out: Path, as_json: bool, source: LogSource) -> None:
    """Write checkpoint, tiles and entries as files that any web server can serve and any tlog-tiles client reads.

    Everything is verified before it is written, the checkpoint is replaced last, and payloads are never exported. A
    fork, an older log and the folder of another log are refused.
    """

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % _SHOWN_EACH == 0 or done == total):
            click.echo(f"\r{done} of {total} files", nl=done == total, err=True)

    try:
        with source.opened() as (fetch, key):
            done = export_log(fetch, key, out, progress=show)
    except FolderRefused as err:
        step = _NEXT.get(err.reason, "give another folder with --out")
        raise CommandError(f"`{out}`: {err} ({err.reason})", step, Exit.USAGE) from err
    if as_json:
        told = {
            "origin": done.origin,
            "size": done.size,
            "size_before": done.size_before,
            "written": done.written,
            "kept": done.kept,
        }
        click.echo(json.dumps(told, sort_keys=True))
        return
    click.echo(f"{out}: {done.size} entries of {done.origin}, {done.written} files written, {done.kept} kept")


command = export
