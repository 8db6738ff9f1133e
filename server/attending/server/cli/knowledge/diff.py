"""`attending knowledge diff`: what changed between two packs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.knowledge.pack import json_option, tables
from attending.server.cli.outcome import CommandError, Exit

_PACK = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(
    short_help="Show what changed between two packs.",
    epilog=examples(
        "attending knowledge diff pack-2026-10 pack-2026-11",
        "attending knowledge diff old new --table interactions --json",
    ),
)
@click.argument("before", type=_PACK)
@click.argument("after", type=_PACK)
@click.option("--table", "only", help="Only this table, for instance interactions.")
@json_option
def command(before: Path, after: Path, only: str | None, as_json: bool) -> None:
    """Show the facts that were added, removed and changed from the pack BEFORE to the pack AFTER, by table."""
    from attending.guardrails.knowledge.compare import compare
    from attending.guardrails.knowledge.load import PackError

    old, new = tables(before), tables(after)
    if only is not None and f"{only.removesuffix('.tsv')}.tsv" not in {*old.tables(), *new.tables()}:
        raise CommandError(
            f"neither pack has a table `{only}`",
            f"one of {', '.join(name.removesuffix('.tsv') for name in new.tables())}",
            Exit.USAGE,
        )
    try:
        changes = [
            one
            for one in compare(old, new)
            if only is None or one.table == f"{only.removesuffix('.tsv')}.tsv"
        ]
    except PackError as err:
        raise CommandError(str(err), "give packs that this version builds", Exit.USAGE) from err
    if as_json:
        for change in changes:
            click.echo(json.dumps(asdict(change), ensure_ascii=False))
        return
    for table, group in groupby(changes, key=lambda one: one.table):
        rows = list(group)
        counts = Counter(row.kind for row in rows)
        told = ", ".join(f"{counts[kind]} {kind}" for kind in ("added", "removed", "changed") if counts[kind])
        click.echo(f"{table.removesuffix('.tsv')}: {told}")
        for row in rows:
            click.echo(f"  {row.words()}")
    click.echo(f"{old.hash[:23]} -> {new.hash[:23]}: {len(changes) or 'no'} changes")
