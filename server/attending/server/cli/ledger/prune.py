"""`attending ledger prune`: payloads whose retention has ended go, in batches, through the server."""

from __future__ import annotations

import json
import sys
from collections import Counter

import click
from attending.client import Connection, CustodyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples


@click.command(epilog=examples("attending ledger prune --dry-run", "attending ledger prune --vacuum --json"))
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option(
    "--from", "start", type=click.IntRange(min=0), default=0, show_default=True, help="Index to begin at."
)
@click.option(
    "--vacuum",
    is_flag=True,
    help="Rewrite the database at the end, so that no sealed byte is left; appends wait meanwhile.",
)
@click.option("--approved-by", default="", help="Second privacy officer who approved; recorded.")
@click.option("--json", "as_json", is_flag=True, help="The sum as one JSON object.")
@connection_options("demo-privacy-officer")
def prune(
    dry_run: bool, start: int, vacuum: bool, approved_by: str, as_json: bool, connection: Connection
) -> None:
    """Remove payloads whose retention has ended and that no hold covers. Entries and proofs stay.

    The rules are `[[storage.retention]]` of the server's configuration, lengthened by what policies ask for; without
    rules nothing goes. Each batch is an entry; interrupted, the rest goes the next time.
    """
    if dry_run and vacuum:
        raise click.UsageError("--vacuum cannot be combined with --dry-run")
    payloads: Counter[str] = Counter()
    held = batches = 0
    with CustodyClient(connection) as client:
        while True:
            batch = client.prune(start_index=start, dry_run=dry_run, approved_by=approved_by)
            payloads.update(dict(batch.payloads))
            held += batch.held_entries
            batches += bool(batch.receipts)
            if batch.done or (batch.next_index <= start and not batch.receipts):
                break
            start = max(start, batch.next_index)
            if sys.stderr.isatty():
                click.echo(f"\r{payloads.total()} payloads, at entry {start}", nl=False, err=True)
        if sys.stderr.isatty():
            click.echo("", err=True)
        if vacuum:
            # Nothing is left that is due; this call rewrites the database.
            client.prune(start_index=start, vacuum=True, approved_by=approved_by)
    if as_json:
        value = {
            "dry_run": dry_run,
            "payloads": dict(sorted(payloads.items())),
            "held_entries": held,
            "batches": batches,
            "minimum_index": batch.minimum_index,
            "rules_hash": batch.rules_hash,
        }
        click.echo(json.dumps(value, sort_keys=True))
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(payloads.items())) or "nothing"
    click.echo(f"{'would remove' if dry_run else 'removed'}: {kinds}")
    click.echo(f"kept by holds: {held} entries; nothing was ever pruned from entry {batch.minimum_index} on")


command = prune
