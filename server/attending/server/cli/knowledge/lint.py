"""`attending knowledge lint`: faults in a pack."""

from __future__ import annotations

import json
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.knowledge.pack import folder_option, json_option, tables
from attending.server.cli.outcome import CommandError, Exit


@click.command(
    short_help="Find faults in a pack.",
    epilog=examples(
        "attending knowledge lint",
        "attending knowledge lint --knowledge site-pack --json",
        after="Exit code 1 when a fault is found.",
    ),
)
@folder_option
@json_option
def command(folder: Path | None, as_json: bool) -> int:
    """Find label set ids that are malformed, unknown or of another ingredient, rows that name what is not there,
    double ids and meanings, contradicting rows, empty classes, unmarked curated rows and stale attestations."""
    from attending.guardrails.knowledge.lint import lint
    from attending.guardrails.knowledge.load import PackError

    pack = tables(folder)
    try:
        found = lint(pack)
    except (PackError, KeyError) as err:
        raise CommandError(
            f"a table cannot be read ({err})", "give a pack that this version builds", Exit.USAGE
        ) from err
    for problem in found:
        if as_json:
            row = {"table": problem.table, "line": problem.line, "fault": problem.fault, "what": problem.what}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{problem.table}:{problem.line}: {problem.fault}: {problem.what}")
    if not as_json:
        click.echo(f"{len(found)} faults in {len(pack.tables())} tables" if found else "no fault")
    return Exit.FAILED if found else Exit.OK
