"""The half of `attending ledger verify` for a PostgreSQL database: the complete check of one snapshot."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from attending.server.cli.ledger.reach import find
from attending.server.cli.outcome import CommandError, Exit


def verify_shared(
    config_path: Path | None, database: str | None, names: tuple[str, ...], as_json: bool
) -> int:
    """Checks every log of the database, or those named: see `attending.ledger.backup.check.check_log`.

    One process reads one repeatable-read snapshot; servers may append meanwhile.
    """
    from attending.ledger.backup.check import check_log

    reach = find(None, config_path, database, None)
    if reach.database is None:
        raise click.UsageError("this configuration names no database; give its data folder with --data")
    notes = reach.published_heads()  # before the store, which then cannot be behind
    shown = not as_json and sys.stderr.isatty()

    def progress(log_id: str, done: int, total: int) -> None:
        if shown:
            click.echo(f"\r\x1b[K{log_id}: {done:,} of {total:,}", nl=False, err=True)

    found = []
    with reach.opened() as store, store.snapshot():
        heads = {row.log_id: (row, head) for row, head in store.heads()}
        for name in names or sorted(heads):
            if name not in heads:
                here = ", ".join(sorted(heads)) or "none"
                raise CommandError(f"there is no log `{name}`", f"logs here: {here}", Exit.USAGE)
            row, head = heads[name]
            note = notes.get(name)
            checked = check_log(store, row, head, () if note is None else (note,), progress)
            published = None if checked.published is None else checked.published.size
            found.append(
                {
                    "log": name,
                    "size": checked.size,
                    "root": checked.root.hex(),
                    "published_size": published,
                    "payloads": checked.payloads,
                    "missing_payloads": checked.missing_payloads,
                }
            )
            if shown:
                click.echo("\r\x1b[K", nl=False, err=True)
            if not as_json:
                ahead = (
                    "no published head was found" if published is None else f"published head at {published:,}"
                )
                click.echo(
                    f"{name}: {checked.size:,} entries, their columns, tiles and head verify; {ahead};"
                    f" {checked.payloads:,} payloads are those committed to, {checked.missing_payloads:,} are gone"
                )
    if as_json:
        click.echo(json.dumps({"logs": found}, indent=2))
    # Without any published head nothing outside the database was there to hold the log against.
    empty = all(item["published_size"] is None for item in found)
    return Exit.INDETERMINATE if empty else Exit.OK
