"""`attending ledger backup`: the whole ledger in one file, taken while the server runs."""

from __future__ import annotations

import json
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.ledger.progress import shown
from attending.server.cli.ledger.reach import Reach, ledger_options
from attending.server.cli.ledger.words import plural, size_words
from attending.server.cli.outcome import CommandError, Exit


@click.command(
    epilog=examples(
        "attending ledger backup --out monday.backup",
        "attending ledger backup --config attending.toml --out /backups/monday.backup --json",
        after="Keys are never in a backup: back the key folder up apart from it, and keep that for at most 30 days.",
    )
)
@ledger_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="New file for the backup; its manifest lies beside it, as FILE.manifest.json.",
)
@click.option("--no-verify", is_flag=True, help="Do not verify the copy; the manifest says so.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as one JSON object.")
def backup(reach: Reach, out: Path, no_verify: bool, as_json: bool) -> int:
    """Back the ledger up, while the server runs.

    The backup of either engine is one SQLite file in the ledger's own schema and a manifest. The copy is verified
    before it is called one: every entry, link, tile and head, the published heads, and every sealed payload.
    """
    from attending.ledger.backup.take import take_backup
    from attending.server import clock
    from attending.server.version import version

    if not out.parent.is_dir():
        raise CommandError(f"folder `{out.parent}` does not exist", "make it first", Exit.USAGE)
    published = reach.published_heads()
    with reach.opened() as store, shown(as_json) as progress:
        manifest = take_backup(
            store,
            out,
            published,
            now=clock.now,
            program=f"attending {version()}",
            verify=not no_verify,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps(manifest.to_json(), sort_keys=True))
        return Exit.OK
    entries = sum(log.size for log in manifest.logs)
    click.echo(
        f"{out}: {plural(len(manifest.logs), 'log')}, {plural(entries, 'entry', 'entries')}, ", nl=False
    )
    click.echo(f"{size_words(manifest.size_bytes)}, sha256 {manifest.sha256}")
    for log in manifest.logs:
        against = "compared with the published head" if log.published else "no published head to compare with"
        state = f"verified, {against}" if manifest.verified else "not verified"
        click.echo(f"  {log.log_id:<16}{log.size:>12,}  {log.payloads:,} payloads  {state}")
    click.echo(
        "  keys are not in it: back the key folder up apart from it, and keep that for at most 30 days"
    )
    return Exit.OK


command = backup
