"""`attending ledger restore`: a backup into an empty ledger, on either engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.ledger.progress import shown
from attending.server.cli.ledger.reach import Reach, errors_explained, ledger_options
from attending.server.cli.ledger.words import plural
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.backup.restore import Inspected


@click.command(
    epilog=examples(
        "attending ledger restore --from monday.backup --data attending-data",
        "attending ledger restore --from monday.backup --check --data attending-data",
        "attending ledger restore --from monday.backup --database 'host=db dbname=ledger user=postgres'"
        " --published /srv/published --grant-to attending",
        after="Exit codes: 0 restored, 1 refused, 3 nothing published to compare with, 4 usage.",
    )
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File of a backup, its manifest beside it.",
)
@ledger_options
@click.option("--check", is_flag=True, help="Verify the backup and compare it, and restore nothing.")
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Restore though published entries are missing; each log that lost some is sealed for good.",
)
@click.option(
    "--no-published",
    is_flag=True,
    help="Restore though no published head is left to tell what came after the backup.",
)
@click.option(
    "--grant-to", multiple=True, help="With --database: login of the servers; may be given several times."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def restore(
    reach: Reach,
    source: Path,
    check: bool,
    accept_loss: bool,
    no_published: bool,
    grant_to: tuple[str, ...],
    as_json: bool,
) -> int:
    """Restore a backup of either engine into an empty ledger, of either engine.

    All of it is verified first: the file, every entry, link, tile and head, and what was published since. The
    target must be empty; nothing is ever replaced. --database connects as the administrator of the database.
    """
    from attending.ledger.backup.restore import inspect_backup, restore_postgres, restore_sqlite

    if not source.is_file():
        raise CommandError(
            f"there is no backup `{source}`", "give the file that `attending ledger backup` wrote", Exit.USAGE
        )
    with errors_explained(reach.option), shown(as_json) as progress:
        published = reach.published_heads()
        found = inspect_backup(source, published, progress, introduced=reach.introduced())
        if not check:
            _require_published(reach, found, no_published)
            if reach.database is not None:
                from attending.server import projections

                restore_postgres(
                    found,
                    reach.database,
                    [projections.metadata],
                    grant_to=grant_to,
                    accept_loss=accept_loss,
                    progress=progress,
                )
            else:
                assert reach.folder is not None
                restore_sqlite(found, reach.folder, accept_loss=accept_loss)
    told = _as_json(reach, found, published, restored=not check)
    if as_json:
        click.echo(json.dumps(told, sort_keys=True))
    else:
        _print(reach, found, told)
    if check and found.lost:
        return Exit.FAILED
    return Exit.INDETERMINATE if check and found.unpublished else Exit.OK


def _require_published(reach: Reach, found: Inspected, no_published: bool) -> None:
    if found.unpublished and not no_published:
        where = f"in `{reach.published}`" if reach.published is not None else "given"
        raise CommandError(
            f"no published head of {', '.join(f'`{name}`' for name in found.unpublished)} is {where}, so what was"
            " appended after the backup cannot be told",
            "give the folder of published heads with --published, or --no-published when none is left",
            Exit.INDETERMINATE,
        )


def _as_json(
    reach: Reach, found: Inspected, published: Mapping[str, str], *, restored: bool
) -> dict[str, Any]:
    return {
        "restored": restored,
        "to": str(reach.folder) if reach.database is None else "postgresql",
        "from": str(found.path),
        "made_at": found.manifest.created_at,
        "engine": found.manifest.engine,
        "logs": [
            {
                "log": log.row.log_id,
                "size": log.size,
                "root": log.root.hex(),
                "published_size": None if log.published is None else log.published.size,
                "compared": log.row.log_id in published,
                "payloads": log.payloads,
                "missing_payloads": log.missing_payloads,
                "sealed": restored and any(lost.log_id == log.row.log_id for lost in found.lost),
            }
            for log in found.logs
        ],
        "lost": [
            {"log": lost.log_id, "first": lost.first, "end": lost.end, "known": lost.known}
            for lost in found.lost
        ],
        "keys_missing": _missing_keys(reach, found),
        # Projections are no truth, and are in a backup only as pages of the same engine.
        "projections": found.manifest.engine == "sqlite" and reach.database is None,
    }


def _missing_keys(reach: Reach, found: Inspected) -> list[str]:
    """Logs whose signing key is not in the key folder, as far as the folder is known."""
    if reach.keys is None:
        return []
    return [
        log.row.log_id for log in found.logs if not (reach.keys / log.row.log_id / "signing.pem").exists()
    ]


def _print(reach: Reach, found: Inspected, told: dict[str, Any]) -> None:
    from attending.ledger.backup.restore import describe_loss

    entries = sum(log.size for log in found.logs)
    what = "restored to" if told["restored"] else "would fit"
    click.echo(f"{found.path} of {found.manifest.created_at} {what} {reach.name}: ", nl=False)
    click.echo(f"{plural(len(found.logs), 'log')}, {plural(entries, 'entry', 'entries')}, all verified")
    for log in told["logs"]:
        state = "compared with the published head" if log["compared"] else "nothing published to compare with"
        sealed = "; SEALED, because published entries are lost" if log["sealed"] else ""
        click.echo(f"  {log['log']:<16}{log['size']:>12,}  {state}{sealed}")
    if found.lost:
        click.echo(f"  lost: {describe_loss(found.lost)}")
        click.echo("  the server will not start until you dealt with the published heads: docs/operations.md")
    if told["keys_missing"]:
        click.echo(f"  keys of {', '.join(told['keys_missing'])} are not in `{reach.keys}`: ", nl=False)
        click.echo("put the key folder back before the server starts")
    if told["restored"] and not told["projections"]:
        click.echo("  next: `attending ledger rebuild`, since projections are empty; then start the server")
    elif told["restored"]:
        click.echo("  next: start the server; it checks the heads again and carries erasures out again")


command = restore
